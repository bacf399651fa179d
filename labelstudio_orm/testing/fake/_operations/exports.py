"""The synchronous export of a project."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime, timezone
from typing import Any

from .._formats import converter, formats
from .._rows import serializers
from .._rows.bookkeeping import find_project
from .._state.store import Row, Store, id_list
from .._wire.answers import Answer, Failure, crash, page_not_found
from .._wire.requests import Request
from .._wire.routes import Routes

routes = Routes()


def _project(request: Request, pk: int) -> Row:
    try:
        return find_project(request, pk)
    except Failure:
        raise page_not_found() from None


def export_tasks(
    store: Store, tasks: list[Row], *, annotations: str = "1", expand: Collection[str] = ()
) -> list[Row]:
    """Return tasks as exports contain them.

    Args:
        store: The server's rows.
        tasks: The rows of the tasks.
        annotations: A condition in SQL that the annotations meet.
        expand: What is shown as an object, and otherwise as an id: drafts, predictions,
            completed_by.
    """
    related: dict[str, dict[int, list[Row]]] = {"annotation": {}, "prediction": {}, "draft": {}}
    pks = id_list(task["id"] for task in tasks)
    for table, found in related.items():
        where = annotations if table == "annotation" else "1"
        sql = f"SELECT * FROM {table} WHERE task_id IN {pks} AND ({where}) ORDER BY id"
        for row in store.rows(sql):
            found.setdefault(row["task_id"], []).append(row)
    return [
        serializers.task_exported(
            store, task, *(found.get(task["id"], []) for found in related.values()), expand=expand
        )
        for task in tasks
    ]


def file_name(project_id: int, unique: str, extension: str) -> str:
    """Return the name of an export's file."""
    stamp = datetime.now(timezone.utc).strftime("%Y-%m-%d-%H-%M")
    return f"project-{project_id}-at-{stamp}-{unique[:8]}.{extension}"


@routes.add("GET", "/api/projects/{id}/export")
def export(request: Request, id: int) -> Any:
    project, query, store = _project(request, id), request.query, request.fake.store
    kind = query.get("exportType") or query.get("export_type") or "JSON"
    where, parameters = "project_id = ?", [id]
    ids = query.all("ids[]")
    if ids:
        try:
            where += f" AND id IN {id_list(int(pk) for pk in ids)}"
        except ValueError as error:
            raise crash(str(error)) from None
    if not query.flag("download_all_tasks", False):
        where += " AND EXISTS(SELECT 1 FROM annotation a WHERE a.task_id = task.id)"
    tasks = store.rows(f"SELECT * FROM task WHERE {where} ORDER BY id", *parameters)
    items = export_tasks(store, tasks, expand=("drafts",))
    content, extension = converter.convert(items, kind, project)
    name = file_name(id, uuid.uuid4().hex, extension)
    headers = {
        "Content-Type": f"application/.{extension}",
        "Content-Disposition": f'attachment; filename="{name}"',
        "filename": name,
    }
    return Answer(content, headers=headers)


@routes.add("GET", "/api/projects/{id}/export/formats")
def list_formats(request: Request, id: int) -> Any:
    return formats.list_formats(_project(request, id)["label_config"])
