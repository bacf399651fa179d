"""Snapshots: exports that are made once and kept."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone
from typing import Any

from .._checks.fields import Field, FieldError, boolean, choice, integer, nested, read, text
from .._formats import converter
from .._formats.formats import FORMATS
from .._query.query import TaskQuery
from .._query.selection import view_selection
from .._rows import serializers
from .._rows.bookkeeping import find_project
from .._state import jobs
from .._state.store import Row, Store, dumps, iso, loads
from .._wire.answers import Answer, Failure, crash, invalid, page_not_found
from .._wire.requests import Request
from .._wire.routes import Routes
from .exports import export_tasks, file_name

routes = Routes()

_ONLY_ID = nested({"only_id": Field(boolean)})
_OPTIONS = {
    "task_filter_options": nested(
        {
            "view": Field(integer),
            **{
                name: Field(choice("only", "exclude"), null=True)
                for name in ("skipped", "finished", "annotated")
            },
            "only_with_annotations": Field(boolean),
        }
    ),
    "annotation_filter_options": nested(
        {name: Field(boolean, null=True) for name in ("usual", "ground_truth", "skipped")}
    ),
    "serialization_options": nested(
        {
            **{
                name: Field(_ONLY_ID)
                for name in ("drafts", "predictions", "annotations__completed_by")
            },
            "include_annotation_history": Field(boolean),
            "interpolate_key_frames": Field(boolean),
        }
    ),
}
_KINDS = {
    "usual": "NOT was_cancelled AND NOT ground_truth",
    "ground_truth": "ground_truth",
    "skipped": "was_cancelled",
}
_TASKS = {
    "skipped": "EXISTS(SELECT 1 FROM annotation a WHERE a.task_id = task.id AND a.was_cancelled)",
    "finished": "is_labeled",
    "annotated": "EXISTS(SELECT 1 FROM annotation a WHERE a.task_id = task.id "
    "AND NOT a.was_cancelled)",
}


# --- snapshots in answers -------------------------------------------------------------------------


def _shown(request: Request, row: Row) -> Row:
    store = request.fake.store
    owner = store.get("user", row["created_by"])
    formats = store.rows(
        "SELECT * FROM converted_format WHERE export_id = ? ORDER BY id", row["id"]
    )
    return {
        **{name: row[name] for name in ("title", "id", "status", "md5")},
        "created_by": serializers.user_short(store, owner) if owner else None,
        "created_at": iso(row["created_at"]),
        "finished_at": iso(row["finished_at"]),
        "counters": loads(row["counters"]),
        "converted_formats": [
            {**{name: made[name] for name in ("id", "status", "export_type")}, "traceback": None}
            for made in formats
        ],
    }


def _find(request: Request, pk: int, project_id: int | None = None) -> Row:
    row = request.fake.store.get("export", pk)
    if row is None or project_id not in (None, row["project_id"]):
        raise page_not_found()
    return row


def _advanced(request: Request, row: Row) -> Row:
    """Return a snapshot after its jobs have advanced, which every request for it causes."""
    store = request.fake.store
    if not request.fake.async_jobs:
        return row
    if jobs.advance(store, "export", row):
        _take(request, row)
    for made in store.rows("SELECT * FROM converted_format WHERE export_id = ?", row["id"]):
        if jobs.advance(store, "converted_format", made):
            status = "completed" if row["content"] else "failed"
            store.update("converted_format", made["id"], {"status": status})
    return _find(request, row["id"])


# --- contents -------------------------------------------------------------------------------------


def _take(request: Request, row: Row) -> None:
    store, options = request.fake.store, loads(row["options"])
    project = store.get("project", row["project_id"])
    assert project is not None
    changes: Row = {"finished_at": store.now()}
    try:
        items = _items(store, project, options)
    except Failure:
        changes["status"] = "failed"
    else:
        content = json.dumps(items, ensure_ascii=False).encode()
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        name = f"export/{project['id']}/{file_name(project['id'], md5, 'json')}"
        counters = dumps({"task_number": len(items)})
        changes.update(status="completed", md5=md5, file=name, content=content, counters=counters)
    store.update("export", row["id"], changes)


def _items(store: Store, project: Row, options: Row) -> list[Row]:
    wanted = options.get("task_filter_options", {})
    where = ["project_id = ?"]
    for name, condition in _TASKS.items():
        if wanted.get(name):
            where.append(condition if wanted[name] == "only" else f"NOT {condition}")
    sql = f"SELECT * FROM task WHERE {' AND '.join(where)} ORDER BY id"
    tasks = store.rows(sql, project["id"])
    view = store.get("view", wanted.get("view"))
    if view is not None and view["project_id"] == project["id"]:  # any other is ignored
        ids = set(TaskQuery(store, project, view_selection(view)).ids())
        tasks = [task for task in tasks if task["id"] in ids]
    kinds = options.get("annotation_filter_options")
    chosen = []
    if kinds is not None:
        kinds = {"usual": True, **kinds}
        chosen = [f"({condition})" for name, condition in _KINDS.items() if kinds.get(name)]
    serialization = options.get("serialization_options", {})
    expand = {
        name.rpartition("__")[2]
        for name in ("drafts", "predictions", "annotations__completed_by")
        if name in serialization and not serialization[name].get("only_id")
    }
    items = export_tasks(store, tasks, annotations=" OR ".join(chosen) or "1", expand=expand)
    if wanted.get("only_with_annotations"):
        items = [item for item in items if item["annotations"]]
    return items


# --- operations on snapshots ----------------------------------------------------------------------


@routes.add("GET", "/api/projects/{id}/exports/")
def list_snapshots(request: Request, id: int) -> Any:
    find_project(request, id)
    sql = "SELECT * FROM export WHERE project_id = ? ORDER BY created_at DESC LIMIT 100"
    rows = request.fake.store.rows(sql, id)
    return [_shown(request, _advanced(request, row)) for row in rows]


@routes.add("POST", "/api/projects/{id}/exports/")
def create_snapshot(request: Request, id: int) -> Any:
    store, data = request.fake.store, request.data()
    project = find_project(request, id)
    fields = {
        "title": Field(text(longest=2048)),
        "created_by": Field(nested({})),
        "converted_formats": Field(_no_formats),
        **{name: Field(convert) for name, convert in _OPTIONS.items()},
    }
    columns = read(fields, data, partial=False)
    stamp = datetime.now(timezone.utc).strftime("%Y-%m-%d-%H-%M")
    title = columns.get("title") or f"{project['title'].replace(' ', '-')}-at-{stamp}"
    pk = store.insert(
        "export",
        {
            "project_id": id,
            "created_by": request.user["id"],
            "title": title,
            "status": "created",
            "md5": "",
            "counters": "{}",
            "options": dumps({name: columns[name] for name in _OPTIONS if name in columns}),
            "created_at": store.now(),
        },
    )
    if not request.fake.async_jobs:
        _take(request, _find(request, pk))
    shown = _shown(request, _find(request, pk))
    if request.fake.async_jobs:
        shown["status"] = "in_progress"
    elif shown["status"] == "failed":
        shown["counters"] = {"task_number": 0}
    return Answer({**shown, **dict.fromkeys(_OPTIONS)}, 201)


def _no_formats(value: Any) -> Any:
    if not isinstance(value, list):
        kind = type(value).__name__
        raise FieldError({"non_field_errors": [f'Expected a list of items but got type "{kind}".']})
    raise crash("The `.create()` method does not support writable nested fields by default.")


@routes.add("GET", "/api/projects/{id}/exports/{export_id}")
def get_snapshot(request: Request, id: int, export_id: int) -> Any:
    return _shown(request, _advanced(request, _find(request, export_id, id)))


@routes.add("DELETE", "/api/projects/{id}/exports/{export_id}")
def delete_snapshot(request: Request, id: int, export_id: int) -> Any:
    _find(request, export_id, id)
    request.fake.store.execute("DELETE FROM export WHERE id = ?", export_id)
    return Answer(status=204)


@routes.add("POST", "/api/projects/{id}/exports/{export_id}/convert")
def convert_snapshot(request: Request, id: int, export_id: int) -> Any:
    store = request.fake.store
    row = _find(request, export_id)
    fields = {
        "export_type": Field(_format, required=True),
        "download_resources": Field(boolean),
    }
    kind = read(fields, request.data(), partial=False)["export_type"]
    sql = "SELECT 1 FROM converted_format WHERE export_id = ? AND export_type = ?"
    if store.value(sql, export_id, kind):
        raise invalid(f"Conversion to {kind} already started")
    if row["content"]:
        _converted(request, row, kind)
    made = {"export_id": export_id, "export_type": kind, "status": "completed"}
    if request.fake.async_jobs:
        made["status"] = "created"
    elif not row["content"]:  # the snapshot failed, and so does the report of that
        store.insert("converted_format", {**made, "status": "in_progress"})
        missing = "missing 1 required positional argument: 'traceback_obj'"
        error = crash(f"set_convert_background_failure() {missing}")
        return Answer(error.body, error.status)
    return {"export_type": kind, "converted_format": store.insert("converted_format", made)}


def _format(value: Any) -> str:
    name = str(text(blank=False)(value))
    if name not in FORMATS:
        raise FieldError(f"{name} is not supported export format")
    return name


def _converted(request: Request, row: Row, kind: str) -> tuple[bytes, str]:
    project = find_project(request, row["project_id"])
    return converter.convert(json.loads(row["content"]), kind, project)


@routes.add("GET", "/api/projects/{id}/exports/{export_id}/download")
def download_snapshot(request: Request, id: int, export_id: int) -> Any:
    row = _find(request, export_id, id)
    if row["status"] != "completed":
        html = {"Content-Type": "text/html; charset=utf-8"}
        return Answer("Export is not completed", 404, html)
    kind = request.query.get("exportType")
    content, extension, name = row["content"], "json", row["file"]
    if kind is not None:
        content, extension = _converted(request, row, kind)
        name = f"{name.rpartition('/')[2].removesuffix('json')}{extension}"
    headers = {
        "Content-Type": f"application/{extension}",
        "Content-Disposition": f'attachment; filename="{name}"',
        "filename": name,
    }
    return Answer(content, headers=headers)
