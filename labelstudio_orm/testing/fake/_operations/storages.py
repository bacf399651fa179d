"""Storages, for imports and for exports: the operations that all their types share."""

from __future__ import annotations

from functools import partial
from typing import Any

from .._checks.fields import Field, at_least, boolean, choice, read, reference, text, timestamp
from .._state import jobs
from .._state.addresses import refusal
from .._state.blobs import PLACES, Unreachable, local_path
from .._state.store import Row, Store, dumps, iso, loads
from .._wire.answers import Answer, crash, failure, invalid, not_found, page_not_found
from .._wire.requests import Request
from .._wire.routes import Routes
from . import sync

routes = Routes()

_TITLES = {
    "s3": "AWS S3",
    "gcs": "Google Cloud Storage",
    "azure": "Microsoft Azure",
    "redis": "Redis",
    "localfiles": "Local files",
}
_SECRETS = {
    "s3": ("aws_access_key_id", "aws_secret_access_key", "aws_session_token"),
    "gcs": ("google_application_credentials",),
    "azure": ("account_name", "account_key"),
    "redis": ("password",),
    "localfiles": (),
}
_TEXTS = {
    "s3": ("bucket", "prefix", "aws_sse_kms_key_id", "region_name", "s3_endpoint"),
    "gcs": ("bucket", "prefix", "google_project_id"),
    "azure": ("container", "prefix"),
    "redis": ("path", "host", "port"),
    "localfiles": ("path",),
}
_STATUSES = (
    *("initialized", "queued", "in_progress", "failed", "completed", "completed_with_errors"),
)


def _clouds(kind: str) -> bool:
    return kind in ("s3", "gcs", "azure")


def _fields(store: Store, kind: str, export: bool) -> dict[str, Field]:
    anything = Field(text(), null=True)
    fields = {
        "project": Field(reference(store, "project"), required=True),
        "title": Field(text(longest=256), null=True),
        "description": anything,
        "regex_filter": anything,
        "traceback": anything,
        "use_blob_urls": Field(boolean),
        "synchronizable": Field(boolean),
        "last_sync": Field(timestamp, null=True),
        "last_sync_count": Field(at_least(0), null=True),
        "last_sync_job": Field(text(longest=256), null=True),
        "status": Field(choice(*_STATUSES)),
        "meta": Field(lambda value: value, null=True),
        **dict.fromkeys((*_TEXTS[kind], *_SECRETS[kind]), anything),
    }
    if kind == "redis":
        fields["db"] = Field(at_least(0))
    if export:
        return {**fields, "can_delete_objects": Field(boolean, null=True)}
    if kind != "redis":
        fields["recursive_scan"] = Field(boolean, null=kind != "s3")
    if _clouds(kind):
        fields.update(presign=Field(boolean), presign_ttl=Field(at_least(0)))
    return fields


def _defaults(kind: str, export: bool) -> Row:
    known: Row = {
        "use_blob_urls": False,
        "synchronizable": True,
        "meta": {},
        "presign": True,
        "presign_ttl": 1,
        "recursive_scan": False,
        "db": 2 if export else 1,
    }
    own = (*_TEXTS[kind], *_SECRETS[kind], "title", "description", "regex_filter", "traceback")
    empty = dict.fromkeys((*own, "last_sync", "last_sync_count", "last_sync_job"))
    kept = {"use_blob_urls", "synchronizable", "meta"}
    if export:
        empty["can_delete_objects"] = None
    elif kind != "redis":
        kept.add("recursive_scan")
    if _clouds(kind) and not export:
        kept |= {"presign", "presign_ttl"}
    if kind == "redis":
        kept.add("db")
    return {**empty, **{name: value for name, value in known.items() if name in kept}}


def _shown(row: Row) -> Row:
    fields = loads(row["fields"])
    for name in _SECRETS[row["kind"]]:
        del fields[name]
    return {
        **fields,
        "id": row["number"],
        "type": row["kind"],
        "project": row["project_id"],
        "status": row["status"],
        "last_sync": iso(fields["last_sync"]),
        "created_at": iso(row["created_at"]),
    }


def _rows(request: Request, kind: str, export: bool, project_id: int) -> list[Row]:
    store = request.fake.store
    sql = "SELECT * FROM storage WHERE kind = ? AND export = ? AND project_id = ? ORDER BY number"
    return [sync.advanced(request, row) for row in store.rows(sql, kind, export, project_id)]


def _find(request: Request, kind: str, export: bool, number: Any) -> Row:
    sql = "SELECT * FROM storage WHERE kind = ? AND export = ? AND number = ?"
    row = request.fake.store.one(sql, kind, export, number)
    if row is None:
        raise page_not_found()
    return row


# --- checks ---------------------------------------------------------------------------------------


def _read(request: Request, kind: str, export: bool, *, partial: bool, row: Row | None) -> Row:
    """Return the fields in a body; 400 when they are wrong or the place cannot be reached."""
    store, data = request.fake.store, request.data()
    columns = read(_fields(store, kind, export), data, partial=partial)
    reason = refusal(request.fake, columns.get("s3_endpoint") or "")
    if reason:
        raise failure(403, reason)
    if kind == "localfiles" and columns.get("path") is not None:
        columns["path"] = local_path(columns["path"])
    # What the server checks: a local path or a Redis server must be sent with every change, and
    # an export storage of the other types is not checked when it changes.
    base: Row = {}
    if kind == "redis":
        if export:
            return columns
    elif kind != "localfiles":
        if not columns.get("bucket") if kind == "s3" else export:
            return columns
        if row is None and "id" in data:
            columns.update(_known_secrets(request, kind, export, columns))
        base = loads(row["fields"]) if row else {}
    fields = {**_defaults(kind, export), **base, **columns}
    try:
        PLACES[kind].check(request.fake, fields, export)
    except Unreachable as error:
        if error.refused:
            raise failure(403, error.text) from None
        if kind == "s3" and fields["s3_endpoint"]:
            raise crash(sync.HIDDEN) from None
        raise invalid(error.text) from None
    return columns


def _known_secrets(request: Request, kind: str, export: bool, columns: Row) -> Row:
    sql = "SELECT * FROM storage WHERE kind = ? AND export = ? AND number = ?"
    stored = request.fake.store.one(sql, kind, export, request.data()["id"])
    if stored is None:
        raise crash(f"{kind} storage matching query does not exist.")
    fields = loads(stored["fields"])
    return {name: columns.get(name) or fields[name] for name in _SECRETS[kind]}


# --- operations on storages -----------------------------------------------------------------------


def _list(request: Request, kind: str, export: bool) -> Any:
    asked = request.query.get("project")
    if not asked:
        raise invalid('query parameter "project" is required')
    known = asked.isdigit() and request.fake.store.get("project", int(asked)) is not None
    if export and not known:
        raise page_not_found()
    if not asked.isdigit():
        raise failure(404, "Not found.")
    if not known:
        raise not_found("Project")
    return [_shown(row) for row in _rows(request, kind, export, int(asked))]


def _create(request: Request, kind: str, export: bool) -> Any:
    store = request.fake.store
    columns = _read(request, kind, export, partial=False, row=None)
    fields = {**_defaults(kind, export), **columns}
    if export:
        try:
            PLACES[kind].check(request.fake, fields, export)
        except Unreachable as error:
            raise invalid(error.shown) from None
    # Most types keep a part of their import and export storages in one table.
    sequence = f"{kind} export" if kind == "s3" and export else kind
    made = {
        "kind": kind,
        "export": export,
        "number": store.number(sequence),
        "project_id": fields.pop("project"),
        "status": fields.pop("status", "initialized"),
        "fields": dumps(fields),
        "created_at": store.now(),
    }
    row = store.get("storage", store.insert("storage", made))
    assert row is not None
    if export:
        row = sync.queued(request, row)
        if not request.fake.async_jobs:
            sync.run(request, row)  # the answer is from before
    return Answer(_shown(row), 201)


def _get(request: Request, kind: str, export: bool, id: int) -> Any:
    return _shown(sync.advanced(request, _find(request, kind, export, id)))


def _store(request: Request, row: Row, columns: Row) -> None:
    fields = {**loads(row["fields"]), **columns}
    own = {"project_id": fields.pop("project", row["project_id"])}
    own["status"] = fields.pop("status", row["status"])
    request.fake.store.update("storage", row["id"], {**own, "fields": dumps(fields)})


def _update(request: Request, kind: str, export: bool, id: int) -> Any:
    row, changing = _find(request, kind, export, id), request.method == "PATCH"
    _store(request, row, _read(request, kind, export, partial=changing, row=row))
    shown = _shown(_find(request, kind, export, id))
    if changing:
        del shown["type"]
    return shown


def _delete(request: Request, kind: str, export: bool, id: int) -> Any:
    row = _find(request, kind, export, id)
    request.fake.store.execute("DELETE FROM storage WHERE id = ?", row["id"])
    return Answer(status=204)


def _validate(request: Request, kind: str, export: bool) -> Any:
    number = request.data().get("id")
    row = _find(request, kind, export, number) if number else None
    columns = _read(request, kind, export, partial=False, row=None)
    fields = {**_defaults(kind, export), **columns}
    if row is not None:
        fields = {**loads(row["fields"]), **columns}
        _store(request, row, columns)  # a quirk: fields that are only validated are stored
    try:
        PLACES[kind].check(request.fake, fields, export)
    except Unreachable:
        raise invalid("Error validating storage connection") from None
    return Answer()


def _sync(request: Request, kind: str, export: bool, id: int) -> Any:
    row = _find(request, kind, export, id)
    fields = loads(row["fields"])
    if not fields["synchronizable"]:
        return Answer({"message": f"Storage {id} is not synchronizable"}, 400)
    try:
        PLACES[kind].check(request.fake, fields, export)
    except Unreachable as error:
        raise crash(error.text) from None
    if row["status"] not in jobs.UNDER_WAY or not request.fake.async_jobs:
        row = sync.queued(request, row)
    if not request.fake.async_jobs:
        row = sync.run(request, row)
    return _shown(row)


def _list_all(request: Request, export: bool) -> Any:
    asked = request.query.get("project") or ""
    if not asked.isdigit():
        return []
    return [_shown(row) for kind in _TITLES for row in _rows(request, kind, export, int(asked))]


def _types(request: Request) -> Any:
    return [{"name": name, "title": title} for name, title in _TITLES.items()]


def _register() -> None:
    for export, base in ((False, "/api/storages"), (True, "/api/storages/export")):
        slash = "" if export else "/"
        routes.add("GET", base + slash)(partial(_list_all, export=export))
        routes.add("GET", f"{base}/types")(_types)
        for kind in _TITLES:
            own: dict[str, Any] = {"kind": kind, "export": export}
            item = f"{base}/{kind}/{{id}}"
            routes.add("GET", f"{base}/{kind}{slash}")(partial(_list, **own))
            routes.add("POST", f"{base}/{kind}{slash}")(partial(_create, **own))
            routes.add("POST", f"{base}/{kind}/validate")(partial(_validate, **own))
            routes.add("GET", item)(partial(_get, **own))
            routes.add("PATCH PUT", item)(partial(_update, **own))
            routes.add("DELETE", item)(partial(_delete, **own))
            routes.add("POST", f"{item}/sync")(partial(_sync, **own))


_register()
