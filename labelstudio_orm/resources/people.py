"""Users, and the organization that they are members of."""

from __future__ import annotations

from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

from .._engine.http.releases import HOTKEYS
from ..orm import (
    ForeignKey,
    HasMany,
    Numbered,
    QuerySet,
    Resource,
    action,
    answer,
    field,
    readonly,
    readonly_foreign_key,
    resource,
    secret,
)
from .common import NO_TOKEN, CreatedAt, Dated

if TYPE_CHECKING:
    from typing_extensions import Self

    from .._engine.http.connection import Connection

__all__ = [
    "Organization",
    "OrganizationMember",
    "OrganizationMembers",
    "Organizations",
    "User",
    "Users",
]

_HOTKEYS = "/api/current-user/hotkeys/"
_INVITE = {"token": str, "invite_url": str}
_KEYED = {"custom_hotkeys": dict | None}


def _hotkeys(row: dict[str, Any]) -> dict[str, Any]:
    return row["custom_hotkeys"] or {}


class Users(QuerySet["User"]):
    """``ls.users``: all users of the organization, and the current one."""

    @action(
        "GET",
        "/api/current-user/whoami",
        "asking who the current user is",
        expect={"id": int},
        of="User",
    )
    def me(self) -> User:
        """Return the user whose credential this client has. One request."""
        return answer()


@resource("/api/users/{id}/", label="email", queryset=Users)
class User(Resource):
    """An account: ``annotation.completed_by``, ``ls.users.me()``.

    A user made by ``ls.users.create(email=..., username=...)`` has no usable password, yet can be
    the author of annotations. The server refuses to change an e-mail address later.

    >>> me = ls.users.me()
    >>> me.first_name = "Ann"
    >>> me.save().first_name
    'Ann'
    """

    email: str = field(fixed=True)
    username: str | None = None
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    allow_newsletters: bool | None = None
    custom_hotkeys: dict[str, Any] | None = readonly(since=HOTKEYS)
    initials: str | None = readonly()
    avatar: str | None = readonly()
    active_organization: int | None = readonly()
    active_organization_meta: dict[str, Any] | None = readonly()
    last_activity: datetime | None = readonly()
    date_joined: datetime | None = readonly()
    permissions: list[str] | None = readonly()

    def _post(self, client: Connection, body: dict[str, Any]) -> Any:
        """Add the user name, which the server requires: the e-mail address."""
        return super()._post(client, {"username": body["email"], **body})

    @action(
        "GET",
        "/api/current-user/token",
        "reading the current user's token",
        expect={"token": str},
        take=itemgetter("token"),
    )
    def get_token(self) -> str:
        """Read the legacy token of the current user. Two requests.

        Raises ValueError for another user.
        """
        self._require_me("get_token")
        return answer()

    @action(
        "POST",
        "/api/current-user/reset-token/",
        "resetting the current user's token",
        expect={"token": str},
        take=itemgetter("token"),
        dry={"token": NO_TOKEN},
    )
    def reset_token(self) -> str:
        """Make a new legacy token for the current user; the old one is invalid at once.

        Two requests. A client that was made with the old token cannot be used any more. Raises
        ValueError for another user.
        """
        self._require_me("reset_token")
        return answer()

    @action("GET", _HOTKEYS, "reading the current user's hotkeys", expect=_KEYED, take=_hotkeys)
    def get_hotkeys(self) -> dict[str, Any]:
        """Read the current user's own keyboard shortcuts. Two requests.

        Raises ValueError for another user.
        """
        self._require_me("get_hotkeys")
        return answer()

    @action("PATCH", _HOTKEYS, "setting the current user's hotkeys", expect=_KEYED, take=_hotkeys)
    def update_hotkeys(self, hotkeys: dict[str, Any]) -> dict[str, Any]:
        """Set the current user's keyboard shortcuts, and return them. Two requests.

        ``hotkeys``: ``{"annotation:submit": {"key": "ctrl+enter", "active": True}}``. Raises
        ValueError for another user.
        """
        self._require_me("update_hotkeys")
        return answer(json={"custom_hotkeys": hotkeys})

    def _require_me(self, verb: str) -> None:
        if self.id != Users(User, self._client).me().id:
            raise ValueError(f"{verb}() works for the current user only: ls.users.me().{verb}()")


class Organizations(QuerySet["Organization"]):
    """``ls.organizations``: those of the current user, usually one."""

    @action("GET", "/api/invite", "reading the invitation link", expect=_INVITE)
    def get_invite(self) -> dict[str, str]:
        """Read the link by which users join: ``{"token": ..., "invite_url": ...}``. One request."""
        return answer()

    @action(
        "POST",
        "/api/invite/reset-token",
        "resetting the invitation link",
        expect=_INVITE,
        dry={"token": NO_TOKEN, "invite_url": ""},
    )
    def reset_token(self) -> dict[str, str]:
        """Make a new link; the old one is invalid at once. One request."""
        return answer()


@resource(
    "/api/organizations/{id}",
    label="title",
    queryset=Organizations,
    left_out=("users", "created_by_id", "updated_at", "token"),
)
class Organization(Dated, Resource):
    """The owner of users, projects and storages.

    >>> [member.user.email for member in ls.organizations.get(1).members]
    """

    title: str
    contact_info: str | None = None
    token: str | None = secret(default=None)  # of the invitation link
    users: list[int] = readonly(of="User")
    created_by: ForeignKey[User] = readonly_foreign_key()
    created_by_id = created_by.optional_id

    members: ClassVar[HasMany[OrganizationMembers]] = HasMany()


class OrganizationMembers(QuerySet["OrganizationMember"]):
    """``organization.members``."""

    def with_projects(self) -> Self:
        """Return the same members, with the projects that they created and worked in."""
        return self._but(params={**self._query.params, "contributed_to_projects": True})


@resource(
    "/api/organizations/{organization}/memberships/{user}/",
    collection="/api/organizations/{organization}/memberships",
    pages=Numbered(scoped_by=("organization",), ordered=False),
    queryset=OrganizationMembers,
    key="user_id",
    left_out=("contributed_projects_count", "annotations_count", "created_at"),
)
class OrganizationMember(CreatedAt, Resource):
    """A user's membership of an organization; ``organization.members.get(7)`` takes the user's id.

    ``delete()`` removes the user; what they labelled stays.

    >>> member = organization.members.get(user.id)
    >>> member.user.email
    'ann@example.com'
    """

    organization: ForeignKey[Organization] = readonly_foreign_key()
    organization_id = organization.id
    user: ForeignKey[User] = readonly_foreign_key()
    user_id = user.id
    contributed_projects_count: int = readonly()
    annotations_count: int = readonly()
    created_projects: list[dict[str, Any]] | None = readonly()
    contributed_to_projects: list[dict[str, Any]] | None = readonly()
