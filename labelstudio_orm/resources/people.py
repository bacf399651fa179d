"""Users."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..declaration import resource
from ..fields import field, readonly
from ..queryset import QuerySet, querysets
from ..resource import Origin, Resource

if TYPE_CHECKING:
    from ..client import LabelStudio


@resource("/api/users/{id}/", label="email")
class User(Resource):
    """A person with an account; ``annotation.completed_by``, ``ls.users.me()``.

    A user made by ``ls.users.create(email=..., username=...)`` has no usable password, yet can be
    the author of annotations. The server refuses to change an e-mail address later.
    """

    email: str = field(fixed=True)
    username: str | None = None
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    allow_newsletters: bool | None = None
    custom_hotkeys: dict[str, Any] | None = readonly()
    initials: str | None = readonly()
    avatar: str | None = readonly()
    active_organization: int | None = readonly()
    active_organization_meta: dict[str, Any] | None = readonly()
    last_activity: datetime | None = readonly()
    date_joined: datetime | None = readonly()
    permissions: list[str] | None = readonly()

    def _post(self, client: LabelStudio, body: dict[str, Any]) -> Any:
        """The server insists on a user name; the e-mail address serves."""
        return super()._post(client, {"username": body["email"], **body})

    def get_token(self) -> str:
        """The legacy token of the current user; two requests. Raises ValueError for another
        user.
        """
        self._must_be_me("get_token")
        answer = self._client.request(
            "GET", "/api/current-user/token", doing="reading the current user's token"
        )
        return str(answer["token"])

    def reset_token(self) -> str:
        """A new legacy token for the current user; the old one is invalid at once. Two requests.

        A client that was made with the old token cannot be used any more. Raises ValueError for
        another user.
        """
        self._must_be_me("reset_token")
        answer = self._client.request(
            "POST", "/api/current-user/reset-token/", doing="resetting the current user's token"
        )
        return str(answer["token"])

    def _must_be_me(self, verb: str) -> None:
        if self.id != self._client.users.me().id:
            raise ValueError(f"{verb}() works for the current user only: ls.users.me().{verb}()")


class Users(QuerySet[User]):
    """``ls.users``: all users of the organization, and the current one."""

    def me(self) -> User:
        """The user whose credential this client carries. One request."""
        row = self.client.request(
            "GET",
            "/api/current-user/whoami",
            doing="asking who the current user is",
            expect=("id",),
        )
        return User._from_row(row, Origin(self.client))


querysets["User"] = Users
