"""Drafts: annotations that are not submitted yet."""

from __future__ import annotations

from typing import Any

from .._checks.fields import Field, big_integer, boolean, json_text, number, read, reference
from .._effects import events, export_storages
from .._rows import serializers, summary
from .._rows.bookkeeping import count_annotations, touch, update_is_labeled
from .._state.store import Row, Store, loads
from .._wire.answers import Answer, crash, not_found, page_not_found
from .._wire.requests import Request
from .._wire.routes import Routes

routes = Routes()


def _fields(store: Store) -> dict[str, Field]:
    return {
        "result": Field(json_text, required=True),
        "lead_time": Field(number, null=True),
        "was_postponed": Field(boolean),
        "import_id": Field(big_integer, null=True),
        "task": Field(reference(store, "task"), null=True, column="task_id"),
        "annotation": Field(reference(store, "annotation"), null=True, column="annotation_id"),
    }


def _find(request: Request, pk: int) -> Row:
    row = request.fake.store.get("draft", pk)
    if row is None:
        raise not_found("AnnotationDraft")
    return row


def _add(request: Request, task_id: int, annotation_id: int | None, columns: Row) -> Row:
    store = request.fake.store
    if store.get("task", task_id) is None:
        raise crash("Task matching query does not exist.")
    now = store.now()
    owner = {"task_id": task_id, "annotation_id": annotation_id, "user_id": request.user["id"]}
    row = {"was_postponed": False, **columns, **owner, "created_at": now, "updated_at": now}
    made = _find(request, store.insert("draft", row))
    summary.count_drafts(store, task_id, [loads(made["result"])], 1)
    return made


@routes.add("GET", "/api/tasks/{id}/drafts")
@routes.add("GET", "/api/tasks/{id}/annotations/{annotation_id}/drafts")
def list_drafts(request: Request, id: int, annotation_id: int | None = None) -> Any:
    """Return all drafts of the task, even those of no annotation or of another one."""
    store = request.fake.store
    rows = store.rows("SELECT * FROM draft WHERE task_id = ? ORDER BY id", id)
    return [serializers.draft(store, row) for row in rows]


@routes.add("POST", "/api/tasks/{id}/drafts")
@routes.add("POST", "/api/tasks/{id}/annotations/{annotation_id}/drafts")
def create_draft(request: Request, id: int, annotation_id: int | None = None) -> Any:
    store = request.fake.store
    columns = read(_fields(store), request.data(), partial=False)
    if annotation_id is not None and store.get("annotation", annotation_id) is None:
        raise crash("FOREIGN KEY constraint failed")
    return Answer(serializers.draft(store, _add(request, id, annotation_id, columns)), 201)


@routes.add("GET", "/api/drafts/{id}/")
def get_draft(request: Request, id: int) -> Any:
    return serializers.draft(request.fake.store, _find(request, id))


@routes.add("PATCH PUT", "/api/drafts/{id}/")
def update_draft(request: Request, id: int) -> Any:
    store, data = request.fake.store, request.data()
    _find(request, id)
    columns = read(_fields(store), data, partial=request.method == "PATCH")
    if "user" in data:
        raise crash('"AnnotationDraft.user" must be a "User" instance.')
    if columns.get("task_id", id) is None:
        raise crash("'NoneType' object has no attribute 'project'")
    store.update("draft", id, {**columns, "updated_at": store.now()})
    changed = _find(request, id)
    summary.count_drafts(store, changed["task_id"], [loads(changed["result"])], 1)
    return serializers.draft(store, changed)


@routes.add("DELETE", "/api/drafts/{id}/")
def delete_draft(request: Request, id: int) -> Any:
    remove(request.fake.store, _find(request, id))
    return Answer(status=204)


def remove(store: Store, row: Row) -> None:
    """Delete a draft, whose labels are no longer counted."""
    summary.forget_draft(store, row)
    store.execute("DELETE FROM draft WHERE id = ?", row["id"])


@routes.add("POST", "/api/annotations/{id}/convert-to-draft")
def convert_to_draft(request: Request, id: int) -> Any:
    store = request.fake.store
    row = store.get("annotation", id)
    if row is None:
        raise page_not_found()
    task_id = row["task_id"]
    columns = {"result": row["result"], "lead_time": row["lead_time"]}
    made = _add(request, task_id, None, columns)
    export_storages.delete_annotations(request, [id])
    store.execute("DELETE FROM annotation WHERE id = ?", id)
    touch(request, task_id)
    count_annotations(store, task_id, cancelled=bool(row["was_cancelled"]))
    update_is_labeled(store, task_id)
    summary.forget(store, row["project_id"], [row])
    events.emit(request, "ANNOTATIONS_DELETED", row["project_id"], [id])
    return Answer(serializers.draft(store, made), 201)
