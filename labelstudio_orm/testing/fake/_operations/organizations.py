"""The organization: its settings, its members, their invitations, and the limits of sessions."""

from __future__ import annotations

import secrets
from typing import Any

from .._checks.fields import Field, at_least, email, read, text
from .._state.store import Row, Store, iso
from .._wire.answers import Answer, Failure, failure, not_found, page_not_found
from .._wire.requests import Request, paginate
from .._wire.routes import Routes
from .users import shown_user

routes = Routes()


def _find(request: Request, pk: int) -> Row:
    row = request.fake.store.get("organization", pk)
    if row is None:
        raise page_not_found()
    return row


def _shown(request: Request, row: Row) -> Row:
    members = request.fake.store.rows("SELECT user_id FROM member ORDER BY id")
    return {
        **{name: row[name] for name in ("id", "title", "token", "contact_info", "created_by")},
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
        "users": [member["user_id"] for member in members],
    }


def add_organization(store: Store, title: str, owner: int) -> None:
    """Add the only organization."""
    now = store.now()
    token = secrets.token_hex(20)
    row = {"title": title, "token": token, "created_by": owner}
    store.insert("organization", {**row, "created_at": now, "updated_at": now})


@routes.add("GET", "/api/organizations/")
def list_organizations(request: Request) -> Any:
    row = _find(request, 1)
    shown = {name: row[name] for name in ("id", "title", "contact_info")}
    return [{**shown, "created_at": iso(row["created_at"])}]


@routes.add("POST", "/api/organizations/")
def create_organization(request: Request) -> Any:
    raise failure(403, "Creating organizations over the API is disabled on this instance")


@routes.add("GET", "/api/organizations/{id}")
def get_organization(request: Request, id: int) -> Any:
    return _shown(request, _find(request, id))


@routes.add("PATCH PUT", "/api/organizations/{id}")
def update_organization(request: Request, id: int) -> Any:
    _find(request, id)
    fields = {
        "title": Field(text(blank=False, longest=1000), required=True),
        "token": Field(text(longest=256), null=True),
        "contact_info": Field(email, null=True),
    }
    store = request.fake.store
    columns = read(fields, request.data(), partial=request.method == "PATCH")
    store.update("organization", id, {**columns, "updated_at": store.now()})
    return _shown(request, _find(request, id))


# --- invitations ----------------------------------------------------------------------------------


def _invitation(request: Request) -> Row:
    token = _find(request, 1)["token"]
    return {"token": token, "invite_url": f"/user/signup/?token={token}"}


@routes.add("GET", "/api/invite")
def get_invitation(request: Request) -> Any:
    return _invitation(request)


@routes.add("POST", "/api/invite/reset-token")
def reset_invitation(request: Request) -> Any:
    request.fake.store.update("organization", 1, {"token": secrets.token_hex(20)})
    return Answer(_invitation(request), 201)


# --- members --------------------------------------------------------------------------------------


def _projects(request: Request, user_id: int) -> dict[str, Any]:
    """Return the projects of a member, if they were asked for."""
    if not request.query.flag("contributed_to_projects", False):
        return {"created_projects": None, "contributed_to_projects": None}
    store = request.fake.store
    return {
        "created_projects": store.rows(
            "SELECT id, title FROM project WHERE created_by = ? ORDER BY id", user_id
        ),
        "contributed_to_projects": store.rows(
            "SELECT DISTINCT p.id, p.title FROM annotation a JOIN project p ON p.id = a.project_id "
            "WHERE a.completed_by_id = ? ORDER BY p.id",
            user_id,
        ),
    }


@routes.add("GET", "/api/organizations/{id}/memberships")
def list_members(request: Request, id: int) -> Any:
    _find(request, id)
    store = request.fake.store
    total = store.value("SELECT COUNT(*) FROM member")
    everybody = request.query.get("page_size") == "-1"
    try:
        page, offset, size = paginate(request, total, total if everybody else 20, None)
    except Failure:
        raise page_not_found() from None
    rows = store.rows(
        "SELECT member.id, user_id FROM member JOIN user ON user.id = user_id "
        "ORDER BY user.username LIMIT ? OFFSET ?",
        size,
        offset,
    )
    results = []
    for row in rows:
        user = store.get("user", row["user_id"])
        assert user is not None
        projects = _projects(request, user["id"])
        inner = {**shown_user(request, user), **projects}
        results.append({"id": row["id"], "organization": id, "user": inner, **projects})
    return {
        "count": total,
        "next": request.page_url(page + 1) if offset + size < total else None,
        "previous": request.page_url(page - 1) if page > 1 else None,
        "results": results,
    }


def _member(request: Request, id: int, user_id: int) -> Row | None:
    store = request.fake.store
    if store.get("organization", id) is None:
        raise not_found("Organization")
    return store.one("SELECT * FROM member WHERE user_id = ?", user_id)


@routes.add("GET", "/api/organizations/{id}/memberships/{user_id}/")
def get_member(request: Request, id: int, user_id: int) -> Any:
    row = _member(request, id, user_id)
    if row is None:
        raise not_found("OrganizationMember")
    counts = request.fake.store.one(
        "SELECT COUNT(DISTINCT project_id) AS contributed_projects_count, "
        "COUNT(*) AS annotations_count FROM annotation WHERE completed_by_id = ?",
        user_id,
    )
    assert counts is not None
    return {
        "user": user_id,
        "organization": id,
        **counts,
        "created_at": iso(row["created_at"]),
        **_projects(request, user_id),
    }


@routes.add("DELETE", "/api/organizations/{id}/memberships/{user_id}/")
def delete_member(request: Request, id: int, user_id: int) -> Any:
    row, store = _member(request, id, user_id), request.fake.store
    if row is None:
        raise not_found("User")
    if row["deleted_at"] is not None:
        raise failure(404, "Member not found")
    if user_id == request.user["id"]:
        return Answer({"detail": "User cannot soft delete self"}, 405)
    store.update("member", row["id"], {"deleted_at": store.now()})
    store.update("user", user_id, {"active_organization": None})
    return Answer(status=204)


# --- sessions -------------------------------------------------------------------------------------


def _policy(request: Request) -> Row:
    store = request.fake.store
    row = store.get("session_policy", 1)
    if row is None:  # it is made when it is first read
        now = store.now()
        defaults = {"max_session_age": 11520, "max_time_between_activity": 4320}
        store.insert("session_policy", {"id": 1, **defaults, "created_at": now, "updated_at": now})
        return _policy(request)
    return row


def _policy_shown(row: Row) -> Row:
    minutes = {name: row[name] for name in ("max_session_age", "max_time_between_activity")}
    return {**minutes, "created_at": iso(row["created_at"]), "updated_at": iso(row["updated_at"])}


@routes.add("GET", "/api/session-policy/")
def get_session_policy(request: Request) -> Any:
    return _policy_shown(_policy(request))


@routes.add("PATCH", "/api/session-policy/")
def update_session_policy(request: Request) -> Any:
    store = request.fake.store
    _policy(request)
    fields = {name: Field(at_least(1)) for name in ("max_session_age", "max_time_between_activity")}
    columns = read(fields, request.data(), partial=True)
    store.update("session_policy", 1, {**columns, "updated_at": store.now()})
    return _policy_shown(_policy(request))
