"""Access to the server: personal access tokens, and the organization's rules for them."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import attrs

from .._engine.fields.fields import Field
from .._engine.http.deadline import one_call
from .._engine.values.secret import Secret
from ..errors import NotSupportedByServer
from ..orm import Resource, action, always_sent, answer, field, no_answer, resource
from .common import NO_TOKEN, Dated

if TYPE_CHECKING:
    from .._engine.http.connection import Connection

__all__ = ["JWTSettings", "SessionPolicy", "Token", "Tokens"]

_TOKENS = "/api/token/"


@attrs.frozen
class Token:
    """A personal access token.

    ``token`` is complete only in what ``ls.tokens.create()`` returns; a listing has it without its
    signature, which suffices for ``blacklist()``.

    >>> token = ls.tokens.create()
    >>> token.token.count(".")
    2
    """

    _token: Secret = attrs.field(converter=Secret)
    created_at: str | None = None
    expires_at: str | None = None
    _client: Any = attrs.field(default=None, repr=False, eq=False)

    @property
    def token(self) -> str:
        """The token itself."""
        return str(self._token.reveal())

    def refresh_access(self) -> str:
        """Get an access token, which is valid for some minutes. One request.

        Raises AuthenticationError for a token from a listing.
        """
        return Tokens(self._client).refresh(self._token)

    def blacklist(self) -> None:
        """Make the token invalid. One request; its access tokens stay valid for some minutes."""
        Tokens(self._client).blacklist(self._token)

    @one_call
    def rotate(self) -> Token:
        """Exchange the token for a new one; this one becomes invalid. One request."""
        return Tokens(self._client).rotate(self._token)


@attrs.frozen
class Tokens:
    """``ls.tokens``: the personal access tokens of the current user, one at most."""

    client: Connection

    @action("GET", _TOKENS, "listing the personal access tokens", expect=[{"token": str}])
    def all(self) -> list[Token]:
        """List the valid tokens, without their signatures. One request."""
        return answer(take=lambda rows: [self._token(row) for row in rows])

    @action("POST", _TOKENS, "creating a personal access token", expect={"token": str})
    def create(self) -> Token:
        """Create a token, which is shown only here. One request.

        Raises Conflict if there is a valid one already.
        """
        return answer(take=self._token, dry={"token": NO_TOKEN})

    @action(
        "POST",
        f"{_TOKENS}refresh/",
        "exchanging a personal access token",
        expect={"access": str},
        take=itemgetter("access"),
        idempotent=True,
        reads=True,
    )
    def refresh(self, refresh: str | Secret) -> str:
        """Get an access token for a personal access token. One request.

        The client does this by itself.
        """
        refresh = Secret(refresh)
        return answer(json=_named(refresh))

    @action("POST", f"{_TOKENS}blacklist/", "blacklisting a personal access token")
    def blacklist(self, refresh: str | Secret) -> None:
        """Make a personal access token invalid. One request. Raises NotFound if it already is."""
        refresh = Secret(refresh)
        return no_answer(json=_named(refresh))

    @action(
        "POST",
        f"{_TOKENS}rotate/",
        "rotating a personal access token",
        expect={"refresh": str},
        dry={"refresh": NO_TOKEN},
    )
    def rotate(self, refresh: str | Secret) -> Token:
        """Exchange a personal access token for a new one; it becomes invalid. One request."""
        refresh = Secret(refresh)
        return answer(json=_named(refresh), take=lambda row: self._token({"token": row["refresh"]}))

    def _token(self, row: dict[str, Any]) -> Token:
        return Token(row["token"], row.get("created_at"), row.get("expires_at"), self.client)


def _named(token: Secret) -> dict[str, Secret]:
    if not token or not isinstance(token.reveal(), str):
        raise TypeError("the token is missing: give the text of a personal access token")
    return {"refresh": token}


@resource("/api/jwt/settings", key="", update="POST")
class JWTSettings(Resource):
    """The kinds of tokens that the organization accepts: ``ls.jwt_settings()``.

    Without legacy tokens a client that uses one is locked out at once.

    >>> settings = ls.jwt_settings()
    >>> settings.api_tokens_enabled = True
    >>> settings.save().changes
    {}
    """

    api_tokens_enabled: bool = always_sent()
    legacy_api_tokens_enabled: bool = always_sent()
    api_token_ttl_days: int | None = field(default=None)

    def _update(self, chosen: list[Field]) -> None:
        """Refuse to set the lifetime, which some servers take and ignore."""
        if "api_token_ttl_days" not in self._row and any(
            one.name == "api_token_ttl_days" for one in chosen
        ):
            raise NotSupportedByServer(
                f"saving {self!r}: this server does not let the lifetime of tokens "
                "(api_token_ttl_days) be set"
            )
        super()._update(chosen)


@resource("/api/session-policy/", key="")
class SessionPolicy(Dated, Resource):
    """The lifetime of sessions in the browser, in minutes: ``ls.session_policy()``.

    >>> policy = ls.session_policy()
    >>> policy.max_time_between_activity = 60
    >>> policy.save().max_time_between_activity
    60
    """

    max_session_age: int | None = None
    max_time_between_activity: int | None = None
