"""The registration of webhooks. ``events`` has what they receive."""

from __future__ import annotations

import re
from typing import Any

from .._checks.fields import Field, FieldError, boolean, choice, list_of, read, reference, text
from .._effects.events import EVENTS
from .._state.addresses import refusal
from .._state.store import Row, Store, dumps, iso, loads
from .._wire.answers import Answer, failure, invalid, not_found
from .._wire.requests import Request
from .._wire.routes import Routes

routes = Routes()

_FLAGS = ("send_payload", "send_for_all_actions", "is_active")
_HOST = (
    r"localhost|\[[0-9a-f:.]+\]|(\d{1,3}\.){3}\d{1,3}"
    r"|([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]\.?"
)
_URL = re.compile(rf"(https?|ftps?)://(\S+@)?({_HOST})(:\d{{1,5}})?([/?#]\S*)?", re.IGNORECASE)


def _shown(store: Store, row: Row) -> Row:
    actions = store.rows("SELECT action FROM webhook_action WHERE webhook_id = ?", row["id"])
    return {
        "id": row["id"],
        "organization": 1,
        "project": row["project_id"],
        "url": row["url"],
        **{name: bool(row[name]) for name in _FLAGS},
        "headers": loads(row["headers"]),
        "actions": [found["action"] for found in actions],
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
    }


def _find(request: Request, pk: int) -> Row:
    row = request.fake.store.get("webhook", pk)
    if row is None:
        raise not_found("Webhook")
    return row


def _url(value: Any) -> str:
    shown = str(text(blank=False)(value))
    if len(shown) > 2048:
        long = "Ensure this field has no more than 2048 characters."
        raise FieldError(long, *(() if _URL.fullmatch(shown) else ("Enter a valid URL.",)))
    if not _URL.fullmatch(shown):
        raise FieldError("Enter a valid URL.")
    return shown


def _headers(value: Any) -> str:
    good = isinstance(value, dict) and len(value) <= 10
    if not good or not all(
        re.fullmatch(r"[a-zA-Z0-9_-]+", name) and isinstance(content, str)
        for name, content in value.items()
    ):
        raise FieldError(f"{value} failed JSON schema check")
    return dumps(value)


def _fields(store: Store, *, create: bool) -> dict[str, Field]:
    fields = {
        "url": Field(_url, required=True),
        **{name: Field(boolean) for name in _FLAGS},
        "headers": Field(_headers),
        "actions": Field(list_of(choice(*EVENTS))),
    }
    if create:
        fields["project"] = Field(reference(store, "project"), null=True, column="project_id")
    return fields


def _read(request: Request, *, create: bool) -> tuple[dict[str, Any], list[str]]:
    columns = read(
        _fields(request.fake.store, create=create),
        request.data(),
        partial=request.method == "PATCH",
    )
    reason = refusal(request.fake, columns.get("url", ""))
    if reason:
        raise failure(403, reason)
    return columns, columns.pop("actions", [])


def _set_actions(store: Store, pk: int, actions: list[str]) -> None:
    store.execute("DELETE FROM webhook_action WHERE webhook_id = ?", pk)
    rows = [{"webhook_id": pk, "action": action} for action in dict.fromkeys(actions)]
    store.insert_many("webhook_action", rows)


def add(request: Request, project_id: int, url: str) -> None:
    """Register a webhook for all events, unless it is registered already or its URL is refused."""
    store = request.fake.store
    known = store.value("SELECT 1 FROM webhook WHERE project_id = ? AND url = ?", project_id, url)
    if not known and _URL.fullmatch(url) and refusal(request.fake, url) is None:
        _insert(store, {"project_id": project_id, "url": url}, [])


def _insert(store: Store, columns: Row, actions: list[str]) -> int:
    now = store.now()
    defaults = {**dict.fromkeys(_FLAGS, True), "headers": "{}"}
    times = {"created_at": now, "updated_at": now}
    pk = store.insert("webhook", {**defaults, **columns, **times})
    _set_actions(store, pk, actions)
    return pk


@routes.add("GET", "/api/webhooks/")
def list_webhooks(request: Request) -> Any:
    store, asked = request.fake.store, request.query.get("project")
    where, parameters = "1", []
    if asked:
        if not asked.isdigit() or store.get("project", int(asked)) is None:
            problem = "Select a valid choice. That choice is not one of the available choices."
            raise invalid({"project": [problem]})
        where, parameters = "project_id = ?", [int(asked)]
    rows = store.rows(f"SELECT * FROM webhook WHERE {where} ORDER BY id", *parameters)
    return [_shown(store, row) for row in rows]


@routes.add("POST", "/api/webhooks/")
def create_webhook(request: Request) -> Any:
    store = request.fake.store
    columns, actions = _read(request, create=True)
    if columns.get("project_id") is None:
        raise failure(404, "Project not found.")
    if any(EVENTS[action].organization_only for action in actions):
        raise invalid("Project webhook can't contain organization-only action.")
    pk = _insert(store, columns, actions)
    return Answer(_shown(store, _find(request, pk)), 201)


@routes.add("GET", "/api/webhooks/info/", public=True)
def list_events(request: Request) -> Any:
    wanted = request.query.get("organization-only")
    return {
        action: {
            "name": event.name,
            "description": "",
            "key": event.key,
            "organization-only": event.organization_only,
        }
        for action, event in EVENTS.items()
        if wanted is None or event.organization_only == (wanted == "true")
    }


@routes.add("GET", "/api/webhooks/{id}/")
def get_webhook(request: Request, id: int) -> Any:
    return _shown(request.fake.store, _find(request, id))


@routes.add("PATCH PUT", "/api/webhooks/{id}/")
def update_webhook(request: Request, id: int) -> Any:
    store = request.fake.store
    _find(request, id)
    columns, actions = _read(request, create=False)
    store.update("webhook", id, {**columns, "updated_at": store.now()})
    _set_actions(store, id, actions)  # those of a body without any are none
    return _shown(store, _find(request, id))


@routes.add("DELETE", "/api/webhooks/{id}/")
def delete_webhook(request: Request, id: int) -> Any:
    _find(request, id)
    request.fake.store.execute("DELETE FROM webhook WHERE id = ?", id)
    return Answer(status=204)
