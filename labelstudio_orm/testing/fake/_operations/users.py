"""Users, with their legacy tokens and hotkeys, and the server's own data."""

from __future__ import annotations

import secrets
from typing import Any

from .._checks.fields import Field, boolean, email, json_text, read, text
from .._rows import serializers
from .._state.store import Row, Store, dumps, iso, loads
from .._wire.answers import Answer, Failure, failure, invalid, not_found, not_implemented
from .._wire.requests import Request
from .._wire.routes import Routes

routes = Routes()

_PERMISSIONS = (
    ("organizations", "create view change delete invite"),
    ("projects", "create view change delete reset_cache"),
    ("tasks", "create view change delete"),
    ("views", "reset"),
    ("annotations", "create view change delete"),
    ("actions", "perform"),
    ("predictions", "any"),
    ("avatar", "any"),
    ("labels", "create view change delete"),
    ("models", "create view change delete"),
    ("model_provider_connection", "create view change delete"),
    ("webhooks", "view change"),
    ("users.token", "any"),
    ("storages", "view change sync"),
    ("views", "view create change delete"),
)


# --- the server -----------------------------------------------------------------------------------


@routes.add("GET", "/health", public=True)
def health(request: Request) -> Any:
    return Answer(b'{"status": "UP"}', headers={"Content-Type": "text/html; charset=utf-8"})


@routes.add("GET", "/api/version/", public=True)
def get_version(request: Request) -> Any:
    version = request.fake.version
    part = {"message": "", "commit": "", "date": "", "branch": ""}
    package = {
        "version": version,
        "short_version": version.rpartition(".")[0],
        "latest_version_from_pypi": None,
        "latest_version_upload_time": None,
        "current_version_is_outdated": False,
    }
    return {
        "release": version,
        "label-studio-os-package": package,
        "label-studio-os-backend": {**part, "version": version},
        "label-studio-frontend": part,
        "dm2": part,
        "label-studio-converter": {"version": ""},
        "edition": request.fake.edition,
        "lsf": part,
        "backend": {"commit": ""},
    }


# --- users ----------------------------------------------------------------------------------------


def shown_user(request: Request, row: Row) -> Row:
    """Return a user as the list of users shows them."""
    store = request.fake.store
    organization = row["active_organization"]
    meta = {"title": "", "email": ""}
    if organization:
        owner = store.get("user", 1)
        title = store.value("SELECT title FROM organization WHERE id = ?", organization)
        meta = {"title": title, "email": owner["email"] if owner else ""}
    return {
        **{name: row[name] for name in ("id", *serializers.NAMES, "phone")},
        "last_activity": iso(row["last_activity"]),
        "custom_hotkeys": loads(row["custom_hotkeys"]),
        "avatar": None,
        "initials": serializers.initials(store, row),
        "active_organization": organization,
        "active_organization_meta": meta,
        "allow_newsletters": None
        if row["allow_newsletters"] is None
        else bool(row["allow_newsletters"]),
        "date_joined": iso(row["date_joined"]),
        **serializers.removed_names(store, row),
    }


def _find(request: Request, pk: int) -> Row:
    row = request.fake.store.get("user", pk)
    if row is None:
        raise not_found("User")
    return row


_FIELDS = {
    "first_name": Field(text(longest=256)),
    "last_name": Field(text(longest=256)),
    "username": Field(text(blank=False, longest=256)),
    "phone": Field(text(longest=256)),
    "custom_hotkeys": Field(json_text, null=True),
    "allow_newsletters": Field(boolean, null=True),
}


@routes.add("GET", "/api/users/")
def list_users(request: Request) -> Any:
    return [
        request.flex(shown_user(request, row))
        for row in request.fake.store.rows("SELECT * FROM user ORDER BY id")
    ]


@routes.add("POST", "/api/users/")
def create_user(request: Request) -> Any:
    store = request.fake.store
    fields = {
        **_FIELDS,
        "username": Field(text(blank=False, longest=256), required=True),
        "email": Field(email),
    }
    columns = read(fields, request.data(), partial=False)
    address = columns.get("email", "")
    if address and store.value("SELECT 1 FROM user WHERE email = ?", address):
        raise invalid({"email": ["user with this email address already exists."]})
    pk = add_user(request.fake.store, organization=None, **{"email": "", **columns})
    return Answer(shown_user(request, _find(request, pk)), 201)


def add_user(store: Store, *, organization: int | None, **columns: Any) -> int:
    """Add a user with a token of their own; return the user's id."""
    now = store.now()
    pk = store.insert(
        "user",
        {
            **dict.fromkeys((*serializers.NAMES, "phone"), ""),
            "custom_hotkeys": "{}",
            "allow_newsletters": None,
            "last_activity": now,
            "date_joined": store.now(),
            "active_organization": organization,
            "token": secrets.token_hex(20),
            **columns,
        },
    )
    store.insert("member", {"user_id": pk, "organization": 1, "created_at": store.now()})
    return pk


@routes.add("GET", "/api/users/{id}/")
def get_user(request: Request, id: int) -> Any:
    return request.flex(shown_user(request, _find(request, id)))


@routes.add("PATCH", "/api/users/{id}/")
def update_user(request: Request, id: int) -> Any:
    _find(request, id)
    data = request.data()
    columns = read(_FIELDS, data, partial=True)
    request.fake.store.update("user", id, columns)
    if "email" in data:
        # The other fields are stored nevertheless, so this must not roll back by raising.
        return Answer(failure(405, "Cannot update read-only field: email").body, 405)
    return request.flex(shown_user(request, _find(request, id)))


@routes.add("DELETE", "/api/users/{id}/")
def delete_user(request: Request, id: int) -> Any:
    _find(request, id)
    if id == 1:
        raise failure(403, "The organization owner cannot be deleted")
    if request.user["id"] != 1:
        raise failure(403, "Only the organization owner can delete users")
    request.fake.store.execute("DELETE FROM user WHERE id = ?", id)
    return Answer(status=204)


@routes.add("GET", "/api/current-user/whoami")
def whoami(request: Request) -> Any:
    permissions = [f"{noun}.{verb}" for noun, verbs in _PERMISSIONS for verb in verbs.split()]
    return {**shown_user(request, request.user), "permissions": permissions}


@routes.add("GET", "/api/current-user/token")
def get_token(request: Request) -> Any:
    return {"token": request.user["token"]}


@routes.add("POST", "/api/current-user/reset-token/")
def reset_token(request: Request) -> Any:
    token = secrets.token_hex(20)
    request.fake.store.update("user", request.user["id"], {"token": token})
    return Answer({"token": token}, 201)


@routes.add("GET", "/api/current-user/hotkeys/")
def get_hotkeys(request: Request) -> Any:
    return {"custom_hotkeys": loads(request.user["custom_hotkeys"])}


@routes.add("PATCH", "/api/current-user/hotkeys/")
def update_hotkeys(request: Request) -> Any:
    data = request.data()
    problem = "This field is required."
    if "custom_hotkeys" in data:
        problem = _hotkey_problem(data["custom_hotkeys"])
    if problem:
        details = {"custom_hotkeys": [problem]}
        raise Failure(400, {"error": "Invalid hotkeys configuration", "details": details})
    hotkeys = dumps(data["custom_hotkeys"])
    request.fake.store.update("user", request.user["id"], {"custom_hotkeys": hotkeys})
    return {"custom_hotkeys": data["custom_hotkeys"]}


def _hotkey_problem(hotkeys: Any) -> str:
    if hotkeys is None:
        return "This field may not be null."
    if not isinstance(hotkeys, dict):
        kind = type(hotkeys).__name__
        return f'Expected a dictionary of items but got type "{kind}".'
    if len(hotkeys) > 200 or any(len(action) > 100 for action in hotkeys):
        raise not_implemented("that many hotkeys, or so long names")
    for action, entry in hotkeys.items():
        if not action:
            return f"Action key '{action}' must be a non-empty string"
        if ":" not in action:
            return f"Action key '{action}' must be in 'section:action' format"
        if not isinstance(entry, dict):
            return f"Hotkey data for '{action}' must be a dictionary"
        if "key" not in entry:
            return f"Missing 'key' in hotkey data for '{action}'"
        if not isinstance(entry["key"], str) or not entry["key"]:
            return f"Key combination for '{action}' must be a non-empty string"
        if not isinstance(entry.get("active", True), bool):
            return f"Active flag for '{action}' must be a boolean"
    return ""
