"""Which user a request comes from."""

from __future__ import annotations

from .._state.store import Row
from .._wire.answers import Failure, failure
from .._wire.requests import Request
from .tokens import token_payload


def authenticate(request: Request) -> Row:
    """Return the user that the token of a request belongs to; 401 when there is none."""
    headers, settings = request.headers, request.fake.jwt_settings
    header = headers.get("authorization", "")
    if not header and "x-api-key" in headers:
        header = f"Token {headers['x-api-key']}"
    words = header.split()
    if words and words[0] == "Bearer" and len(words) == 2:
        payload = token_payload(request.fake.secret, words[1]) or {}
        user = request.fake.store.get("user", payload.get("user_id"))
        if user and payload["token_type"] == "access" and settings["api_tokens_enabled"]:
            return user
    if not words or words[0].lower() != "token":
        raise _refused("Authentication credentials were not provided.")
    if len(words) == 1:
        raise _refused("Invalid token header. No credentials provided.")
    if len(words) > 2:
        raise _refused("Invalid token header. Token string should not contain spaces.")
    user = request.fake.store.one("SELECT * FROM user WHERE token = ?", words[1])
    if user is None:
        raise _refused("Invalid token.")
    if not settings["legacy_api_tokens_enabled"]:
        raise _refused(
            "Authentication token no longer valid: legacy token authentication has been "
            "disabled for this organization"
        )
    return user


def _refused(detail: str) -> Failure:
    return failure(401, detail, {"WWW-Authenticate": "Token"})
