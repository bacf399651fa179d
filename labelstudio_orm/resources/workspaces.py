"""Workspaces: folders of projects, with members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from .._engine.http.deadline import one_call
from .._engine.models.actions import id_for
from .._engine.models.queryset import queryset_of
from .._engine.values.ids import id_of as id_in
from ..orm import (
    ForeignKey,
    HasMany,
    Plain,
    QuerySet,
    Resource,
    action,
    foreign_key,
    no_answer,
    readonly,
    resource,
)
from .authored import Authored
from .common import Enterprise

if TYPE_CHECKING:
    from .people import User
    from .projects import Project

__all__ = ["Workspace", "WorkspaceMember", "WorkspaceMembers"]


class WorkspaceMembers(QuerySet["WorkspaceMember"]):
    """``workspace.members``."""

    @one_call
    def add(self, user: User | int) -> WorkspaceMember:
        """Add a user. One request."""
        return self.create(user=user)

    @action("DELETE")
    def remove(self, user: User | int) -> None:
        """Remove a user from the workspace; projects and annotations stay. One request."""
        workspace = id_in(self._query.scope["workspace"])
        given = id_for(self.client, "User", user, "the user")
        doing = f"removing User {given} from Workspace {workspace}"
        return no_answer(json={"user": given}, params={"user_id": given}, doing=doing)


@resource("/api/workspaces{/id}", label="title")
class Workspace(Enterprise, Authored, Resource):
    """A folder of projects.

    >>> workspace = ls.workspaces.create(title="Vision")
    >>> workspace.members.add(ls.users.me())
    """

    title: str | None = None
    description: str | None = None
    color: str | None = None
    is_public: bool = False
    is_personal: bool = False
    is_archived: bool = False
    projects_count: int | None = readonly()

    members: ClassVar[HasMany[WorkspaceMembers]] = HasMany()
    projects: ClassVar[HasMany[Project]] = HasMany()


@resource(
    "",
    collection="/api/workspaces/{workspace}/memberships",
    pages=Plain(scoped_by=("workspace",)),
    queryset=WorkspaceMembers,
    key="user_id",
)
class WorkspaceMember(Enterprise, Resource):
    """A user's membership of a workspace: ``member.user``.

    >>> [member.user_id for member in workspace.members.all()]
    """

    workspace: ForeignKey[Workspace] = foreign_key(fixed=True)
    workspace_id = workspace.id
    user: ForeignKey[User] = foreign_key(fixed=True)
    user_id = user.id

    @one_call
    def delete(self) -> None:
        """Remove the user, as ``workspace.members.remove(user)`` does. One request."""
        members: Any = queryset_of(
            WorkspaceMember, self._client, scope={"workspace": self.workspace_id}
        )
        members.remove(self.user_id)
