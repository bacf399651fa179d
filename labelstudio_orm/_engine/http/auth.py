"""The three kinds of credentials that a Label Studio server accepts."""

from __future__ import annotations

import base64
import json
import math
import threading
import time
from collections.abc import Callable
from typing import Any, Literal, NoReturn, TypeAlias

from attrs import frozen

from ...errors import LabelStudioError
from ..values.secret import Secret, reveal, unseen

_WHERE = "Create a new one in the web interface: Account & Settings, Access Token."
_REFRESH_REFUSALS = {
    "Token is blacklisted": "was revoked, or replaced by a newer one",
    "Token is expired": "has expired",
    "Token is invalid": "was not issued by this server, or was not copied completely",
}
_RENEW_AHEAD = 30.0
Exchange: TypeAlias = "Callable[[Secret], str | Secret]"
_RENEW_FRACTION = 0.2


class Credential:
    """An API key, and the ``Authorization`` header made from it; threads may share it.

    ``api_key`` is one of

    * a **personal access token**: a JWT of type *refresh*. It is never sent as a header, but
      exchanged for access tokens, which live for minutes. They are cached, and renewed 30 s before
      they expire (or in the last fifth of a shorter life), by one thread for all.
    * an **access token**: a JWT of type *access*, sent as ``Bearer`` until it expires.
    * anything else: a **legacy token**, sent as ``Token``.

    White space around it is dropped. Raises ValueError for an empty key, or one that no server can
    have issued; the text never contains the key. ``repr`` hides it, and pickling is refused.

    ``exchange``, where a method takes it, is called with the personal access token, sealed, and
    returns an access token; it may raise. ``clock`` gives monotonic seconds.
    """

    @unseen
    def __init__(
        self, api_key: str | Secret, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        key = reveal(api_key)
        if not isinstance(key, str):
            raise TypeError(f"api_key must be a str, not {type(key).__name__}")
        key = key.strip()
        _check_key(key)
        self._key = Secret(key)
        claims = _claims(key)
        kind = claims.get("token_type")
        self.kind: Literal["legacy", "refresh", "access"] = (
            kind if kind in ("refresh", "access") else "legacy"
        )
        word = {"legacy": "Token", "access": "Bearer"}.get(self.kind)
        self._fixed = Secret(f"{word} {key}") if word else None
        self._expires: float | None = _number(claims.get("exp"))
        self._clock = clock
        self._lock = threading.Lock()
        self._access: _Access | None = None
        self._renewals = 0
        self._failure: LabelStudioError | None = None

    def header(self, exchange: Exchange) -> Secret:
        """Return the ``Authorization`` header, renewing the token first where that is due."""
        if self._fixed is not None:
            return self._fixed
        access = self._access
        if access is None or self._clock() >= access.renew_at:
            access = self._renew(access, exchange)
        return access.header

    def renew(self, rejected: Secret | str, exchange: Exchange) -> bool:
        """Renew the token after a 401; return whether another try is worthwhile now.

        ``rejected`` is the header that the server refused.
        """
        if self.kind != "refresh":
            return False
        access = self._access
        if access is not None and access.header == rejected:
            self._renew(access, exchange)
        return True

    def hint(self, answer: str = "") -> str:
        """Return, for the message of a 401, what is wrong with the key and where to find another.

        ``answer`` is the text of the server's answer.
        """
        if self.kind == "legacy":
            return (
                "A legacy token was used: it may be wrong or replaced, or legacy tokens are "
                f"disabled for the organization (then use a personal access token). {_WHERE}"
            )
        if self.kind == "access":
            is_expired = self._expires is not None and self._expires <= time.time()
            state = "has expired" if is_expired else "may have expired"
            return (
                f"An access token was used, which {state}: it lives for minutes only. Use a "
                f"personal access token instead, which renews itself. {_WHERE}"
            )
        why = next(
            (text for word, text in _REFRESH_REFUSALS.items() if word in answer),
            "may be revoked, or such tokens are disabled for the organization",
        )
        return f"A personal access token was used: it {why}. {_WHERE}"

    @property
    def secrets(self) -> list[Secret]:
        """Return the secrets to remove from what servers say: the key, and the token in use."""
        return [self._key, *([self._access.header] if self._access else [])]

    def __repr__(self) -> str:
        return f"<Credential {self.kind}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Credential cannot be pickled or copied, so that no key leaks into a file"
        )

    def _renew(self, stale: _Access | None, exchange: Exchange) -> _Access:
        seen = self._renewals
        with self._lock:
            if self._access is not None and self._access is not stale:
                return self._access  # another thread was faster
            if self._failure is not None and self._renewals != seen:
                # Another thread failed while this one waited: repeating it for each of many
                # threads in turn would keep the last one waiting for minutes.
                raise _copy(self._failure)
            try:
                started = self._clock()
                token = Secret(exchange(self._key))
                self._access, self._failure = _Access.starting(token, started), None
            except LabelStudioError as error:
                self._failure = _copy(error)
                raise
            finally:
                self._renewals += 1
            return self._access


@frozen(eq=False, repr=False)
class _Access:
    header: Secret
    renew_at: float

    @classmethod
    def starting(cls, token: Secret, started: float) -> _Access:
        header = Secret(f"Bearer {token.reveal()}")
        claims = _claims(token.reveal())
        expires, issued = _number(claims.get("exp")), _number(claims.get("iat"))
        if expires is None:
            return cls(header, float("inf"))
        # Its length by the server's own clock, so that a clock that differs here does no harm.
        lifetime = expires - (time.time() if issued is None else issued)
        return cls(header, started + lifetime - min(_RENEW_AHEAD, _RENEW_FRACTION * lifetime))


def _check_key(key: str) -> None:
    if not key:
        raise ValueError(f"api_key is empty. {_WHERE}")
    if any(c.isspace() for c in key):
        raise ValueError(
            "api_key contains white space: give the key alone, without 'Token' or 'Bearer'"
        )
    if not (key.isascii() and key.isprintable()):
        raise ValueError(
            "api_key contains a character that no key can have; was it copied completely?"
        )
    parts = key.split(".")
    if len(parts) == 2 and _decoded(parts[0]).get("alg"):
        raise ValueError(
            "api_key is a personal access token without its last part, as the list of tokens shows "
            f"it; the whole token is shown only when it is created. {_WHERE}"
        )


def _claims(token: str) -> dict[str, Any]:
    parts = token.split(".")
    return _decoded(parts[1]) if len(parts) == 3 else {}


def _decoded(part: str) -> dict[str, Any]:
    try:
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _copy(error: LabelStudioError) -> LabelStudioError:
    """Return an error without its traceback: an exception object must not serve two threads."""
    again = type(error)(*error.args)
    again.__dict__.update(error.__dict__)
    return again
