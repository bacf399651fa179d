"""Personal access tokens (JSON web tokens), and the kinds of tokens that are accepted."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from typing import Any

from .._checks.fields import Field, boolean, read, text
from .._state.store import Row
from .._wire.answers import Answer, Failure, failure, invalid
from .._wire.requests import Request
from .._wire.routes import Routes

routes = Routes()


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _signature(secret: bytes, head: str) -> str:
    return _base64(hmac.new(secret, head.encode(), hashlib.sha256).digest())


def make_token(secret: bytes, kind: str, lifetime: float, user_id: int) -> tuple[str, str]:
    """Return a signed token that is valid for some seconds, and its jti."""
    now = time.time()
    jti = uuid.uuid4().hex
    payload = {
        "token_type": kind,
        "exp": int(now + lifetime),
        "iat": int(now),
        "jti": jti,
        "user_id": str(user_id),
    }
    if kind == "access" and lifetime < 2:
        payload["exp"] = now + lifetime  # whole seconds would be too coarse for a test
    parts = [{"alg": "HS256", "typ": "JWT"}, payload]
    head = ".".join(_base64(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    return f"{head}.{_signature(secret, head)}", jti


def token_payload(secret: bytes, token: str, *, truncated: bool = False) -> dict[str, Any] | None:
    """Return the payload of a token; None when it is forged, broken or expired.

    A ``truncated`` token has no signature.
    """
    parts = token.split(".")
    if truncated and len(parts) == 2:
        parts.append(_signature(secret, token))
    if len(parts) != 3 or not hmac.compare_digest(
        _signature(secret, ".".join(parts[:2])), parts[2]
    ):
        return None
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    return payload if isinstance(payload, dict) and payload.get("exp", 0) > time.time() else None


@routes.add("GET", "/api/token/")
def list_tokens(request: Request) -> Any:
    rows = request.fake.store.rows(
        "SELECT token FROM token WHERE user_id = ? AND NOT blacklisted ORDER BY rowid",
        request.user["id"],
    )
    return [{"token": row["token"].rpartition(".")[0]} for row in rows]


@routes.add("POST", "/api/token/")
def create_token(request: Request) -> Any:
    store, user = request.fake.store, request.user["id"]
    if store.value("SELECT 1 FROM token WHERE user_id = ? AND NOT blacklisted", user):
        raise failure(
            409, "You already have a valid token. Please revoke it before creating a new one."
        )
    return Answer({"token": _new_refresh(request, user)}, 201)


def _new_refresh(request: Request, user: int) -> str:
    token, jti = make_token(request.fake.secret, "refresh", 200 * 365 * 86400, user)
    request.fake.store.insert(
        "token", {"jti": jti, "user_id": user, "token": token, "blacklisted": False}
    )
    return token


def _refresh_row(request: Request, token: str, *, truncated: bool) -> Row | None:
    payload = token_payload(request.fake.secret, token, truncated=truncated)
    if payload is None or payload.get("token_type") != "refresh":
        return None
    return request.fake.store.one("SELECT * FROM token WHERE jti = ?", payload["jti"])


@routes.add("POST", "/api/token/refresh/", public=True)
def refresh(request: Request) -> Any:
    token = read(
        {"refresh": Field(text(blank=False), required=True)}, request.data(), partial=False
    )["refresh"]
    row = _refresh_row(request, token, truncated=False)
    if row is None:
        payload = token_payload(request.fake.secret, token) or {}
        detail = (
            "Token has wrong type" if payload.get("token_type") == "access" else "Token is invalid"
        )
        raise failure(401, detail, {"WWW-Authenticate": 'Bearer realm="api"'})
    if row["blacklisted"]:
        raise failure(401, "Token is blacklisted", {"WWW-Authenticate": 'Bearer realm="api"'})
    lifetime = request.fake.access_lifetime
    return {"access": make_token(request.fake.secret, "access", lifetime, row["user_id"])[0]}


@routes.add("POST", "/api/token/blacklist/", public=True)
def blacklist(request: Request) -> Any:
    token = read(
        {"refresh": Field(text(blank=False), required=True)}, request.data(), partial=False
    )["refresh"]
    row = _refresh_row(request, token, truncated=True)
    if row is None or row["blacklisted"]:
        raise Failure(404, {"detail": "Token is invalid or already blacklisted."})
    request.fake.store.execute("UPDATE token SET blacklisted = 1 WHERE jti = ?", row["jti"])
    return Answer(status=204)


@routes.add("POST", "/api/token/rotate/")
def rotate(request: Request) -> Any:
    token = read(
        {"refresh": Field(text(blank=False), required=True)}, request.data(), partial=False
    )["refresh"]
    row = _refresh_row(request, token, truncated=False)
    if row is None or row["blacklisted"]:
        raise invalid("Invalid refresh token")
    request.fake.store.execute("UPDATE token SET blacklisted = 1 WHERE jti = ?", row["jti"])
    return {"refresh": _new_refresh(request, request.user["id"])}


@routes.add("GET", "/api/jwt/settings")
def get_jwt_settings(request: Request) -> Any:
    return dict(request.fake.jwt_settings)


@routes.add("POST", "/api/jwt/settings")
def update_jwt_settings(request: Request) -> Any:
    names = ("api_tokens_enabled", "legacy_api_tokens_enabled")
    request.fake.jwt_settings.update(
        read({n: Field(boolean) for n in names}, request.data(), partial=True)
    )
    return Answer(dict(request.fake.jwt_settings))
