"""Tasks and their annotations, one at a time."""

from __future__ import annotations

import json
import uuid
from typing import Any

from .._checks.fields import (
    Field,
    big_integer,
    boolean,
    choice,
    integer,
    json_text,
    number,
    read,
    reference,
    text,
    timestamp,
)
from .._effects import events, export_storages
from .._formats import markup
from .._query.columns import COMPUTED
from .._query.query import TaskQuery, shown_columns
from .._query.selection import read_selection
from .._rows import serializers, summary
from .._rows.bookkeeping import (
    count_annotations,
    find_project,
    find_task,
    refuse_unsupported,
    touch,
    update_is_labeled,
)
from .._state.store import Row, Store, dumps, loads
from .._wire.answers import Answer, crash, failure, invalid, not_found, not_implemented
from .._wire.requests import Request, paginate, to_integer
from .._wire.routes import Routes
from . import drafts, ml

routes = Routes()

_ACTIONS = (
    "prediction",
    "propagated_annotation",
    "imported",
    "submitted",
    "updated",
    "skipped",
    "accepted",
    "rejected",
    "fixed_and_accepted",
    "deleted_review",
)


@routes.add("GET", "/api/tasks/")
def list_tasks(request: Request) -> Any:
    body = request.body if isinstance(request.body, dict) else {}
    if request.body is not None and not isinstance(request.body, dict):
        raise crash(f"'{type(request.body).__name__}' object has no attribute 'get'")
    project_id = request.query.integer("project", 0) or to_integer(
        body.get("project"), "project", 0
    )
    view_id = request.query.integer("view", 0) or to_integer(body.get("view"), "view", 0)
    store = request.fake.store
    if not project_id and view_id:
        view = store.get("view", view_id)
        if view is None:
            raise not_found("View")
        project_id = view["project_id"]
    if not project_id:
        return Answer({"detail": "Neither project nor view id specified"}, 404)
    project = find_project(request, project_id)
    if "review" in request.query:
        raise not_implemented("the parameter review of the task list")
    selection = read_selection(request, project)
    query = TaskQuery(store, project, selection)
    total, annotations, predictions = query.totals()
    _, offset, size = paginate(request, total, 100, None)
    everything = request.query.get("fields") == "all"
    columns = set(COMPUTED) if everything else shown_columns(selection, store, project)
    ids = query.ids(offset, size)
    if project["evaluate_predictions_automatically"] and ml.tasks_to_predict(store, project, ids):
        raise not_implemented("evaluate_predictions_automatically for the task list")
    return {
        "total_annotations": annotations,
        "total_predictions": predictions,
        "total": total,
        "tasks": serializers.task_list(
            request, project, ids, columns, embed=everything, single=False
        ),
    }


def _task_fields(store: Store) -> dict[str, Field]:
    return {
        "data": Field(json_text, required=True),
        "meta": Field(json_text, null=True),
        "is_labeled": Field(boolean),
        "inner_id": Field(big_integer, null=True),
        "overlap": Field(integer),
        **{
            name: Field(integer)
            for name in (
                "total_annotations",
                "cancelled_annotations",
                "total_predictions",
                "comment_count",
            )
        },
        "unresolved_comment_count": Field(integer),
        "last_comment_updated_at": Field(timestamp, null=True),
        "updated_by": Field(reference(store, "user"), null=True, column="updated_by_id"),
    }


@routes.add("POST", "/api/tasks/")
def create_task(request: Request) -> Any:
    if isinstance(request.body, list):
        raise crash("'list' object has no attribute 'get'")
    store, data = request.fake.store, request.data()
    refuse_unsupported(data, "file_upload", "comment_authors")
    project = find_project(request, data["project"]) if data.get("project") else None
    columns = read({**_task_fields(store), "project": Field(int, null=True)}, data, partial=False)
    columns.pop("project", None)
    if project is None:
        raise invalid({"project": ["This field is required."]})
    value = data["data"]
    if not isinstance(value, (dict, list)):
        raise invalid("Task[data] must be dict or list")
    if not isinstance(value, dict):
        raise not_implemented("task data that is a list")
    problem = markup.data_error(markup.data_types(project["label_config"]), value, root=False)
    if problem:
        raise invalid(problem)
    if "meta" in data and not isinstance(data["meta"], (dict, list)):
        raise invalid("Task[meta] must be dict or list")
    if columns.get("inner_id", 0) == 0:
        highest = store.one(
            "SELECT inner_id FROM task WHERE project_id = ? ORDER BY inner_id DESC", project["id"]
        )
        before = (
            1 if highest is None else highest["inner_id"]
        )  # the very first task gets 2: a quirk
        columns["inner_id"] = None if before is None else before + 1
    now = store.now()
    pk = store.insert(
        "task",
        {
            "meta": "{}",
            "is_labeled": False,
            "overlap": 1,
            "total_annotations": 0,
            "cancelled_annotations": 0,
            "total_predictions": 0,
            "comment_count": 0,
            "unresolved_comment_count": 0,
            "allow_skip": True,
            "created_at": now,
            "updated_at": now,
            **columns,
            "project_id": project["id"],
        },
    )
    events.emit(request, "TASKS_CREATED", project["id"], [pk])
    return Answer(
        request.flex(serializers.task_after_write(store, find_task(request, pk), embed=False)), 201
    )


@routes.add("GET", "/api/tasks/{id}/")
def get_task(request: Request, id: int) -> Any:
    row, store = find_task(request, id), request.fake.store
    project = find_project(request, row["project_id"])
    if project["evaluate_predictions_automatically"] or project["show_collab_predictions"]:
        ml.predict(request, project, ml.tasks_to_predict(store, project, [id]))
    columns = set(COMPUTED) - {"annotations_results", "predictions_results"}
    return serializers.task_list(request, project, [id], columns, embed=True, single=True)[0]


@routes.add("PATCH PUT", "/api/tasks/{id}/")
def update_task(request: Request, id: int) -> Any:
    row, store, data = find_task(request, id), request.fake.store, request.data()
    refuse_unsupported(data, "file_upload", "comment_authors")
    if data.get("project") not in (None, row["project_id"], str(row["project_id"])):
        if store.get("project", data["project"]) is None:
            raise crash("Project matching query does not exist.")
        raise not_found("Task")
    columns = read(_task_fields(store), data, partial=request.method == "PATCH")
    if "project" in data and data["project"] is None:
        columns["project_id"] = None  # from now on the task cannot be found
    if "data" in data and not isinstance(data["data"], dict):
        raise not_implemented("task data that is no object (it breaks a real server)")
    store.update("task", id, {**columns, "updated_at": store.now()})
    written = store.get("task", id)
    assert written is not None
    return request.flex(serializers.task_after_write(store, written, embed=True), ("annotations",))


@routes.add("DELETE", "/api/tasks/{id}/")
def delete_task(request: Request, id: int) -> Any:
    row, store = find_task(request, id), request.fake.store
    found = store.rows("SELECT id FROM annotation WHERE task_id = ?", id)
    export_storages.delete_annotations(request, [annotation["id"] for annotation in found])
    store.execute("DELETE FROM task WHERE id = ?", id)
    events.emit(request, "TASKS_DELETED", row["project_id"], [id])
    return Answer(status=204)


@routes.add("DELETE", "/api/projects/{id}/tasks/")
def delete_project_tasks(request: Request, id: int) -> Any:
    find_project(request, id)
    request.fake.store.execute("DELETE FROM task WHERE project_id = ?", id)
    summary.reset(request.fake.store, id)
    return Answer(status=204)


# --- annotations ----------------------------------------------------------------------------------


def _find_annotation(request: Request, pk: int) -> Row:
    row = request.fake.store.get("annotation", pk)
    if row is None:
        raise not_found("Annotation")
    return row


def _annotation_fields(store: Store) -> dict[str, Field]:
    def result(value: Any) -> str:
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                raise crash('annotation "result" can\'t be parse from str to JSON') from None
        if not isinstance(value, list):
            raise invalid({"result": ['annotation "result" field in annotation must be list']})
        return dumps(value)

    return {
        "result": Field(result),
        "completed_by": Field(reference(store, "user"), column="completed_by_id"),
        "was_cancelled": Field(boolean),
        "ground_truth": Field(boolean),
        "draft_created_at": Field(timestamp, null=True),
        "lead_time": Field(number, null=True),
        "import_id": Field(big_integer, null=True),
        "last_action": Field(choice(*_ACTIONS), null=True),
        "bulk_created": Field(boolean, null=True),
        "parent_prediction": Field(
            reference(store, "prediction"), null=True, column="parent_prediction_id"
        ),
        "parent_annotation": Field(
            reference(store, "annotation"), null=True, column="parent_annotation_id"
        ),
        "last_created_by": Field(reference(store, "user"), null=True, column="last_created_by_id"),
        # Checked, and then not used.
        **{
            name: Field(reference(store, table), null=True)
            for name, table in (("updated_by", "user"), ("task", "task"), ("project", "project"))
        },
    }


def _without_unused(columns: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in columns.items() if k not in ("updated_by", "task", "project")}


@routes.add("GET", "/api/tasks/{id}/annotations/")
def list_annotations(request: Request, id: int) -> Any:
    find_task(request, id)
    store = request.fake.store
    rows = store.rows(
        "SELECT * FROM annotation WHERE task_id = ? AND NOT was_cancelled ORDER BY id", id
    )
    return [request.flex(serializers.annotation(store, row)) for row in rows]


@routes.add("POST", "/api/tasks/{id}/annotations/")
def create_annotation(request: Request, id: int) -> Any:
    store, data = request.fake.store, request.data()
    task = find_task(request, id)
    fields = {**_annotation_fields(store), "unique_id": Field(text(blank=False))}
    columns = _without_unused(read(fields, data, partial=False))
    draft = _draft_of(request, task)
    if draft is not None:
        columns["draft_created_at"] = draft["created_at"]
    if "was_cancelled" in request.query:
        columns["was_cancelled"] = request.query.flag("was_cancelled", False)
    unique = columns.pop("unique_id", None)
    try:
        columns["unique_id"] = uuid.UUID(unique).hex if unique else uuid.uuid4().hex
    except ValueError:
        raise crash(f"['“{unique}” is not a valid UUID.']") from None
    if store.value("SELECT 1 FROM annotation WHERE unique_id = ?", columns["unique_id"]):
        raise failure(409, "Annotation with this unique id already exists")
    prediction = None
    if "result" in columns:
        model_version = store.value(
            "SELECT model_version FROM project WHERE id = ?", task["project_id"]
        )
        prediction = store.one(
            "SELECT * FROM prediction WHERE task_id = ? AND model_version = ? ORDER BY id",
            id,
            model_version,
        )
    columns["prediction"] = dumps(serializers.prediction(prediction) if prediction else {})
    try:
        pk = add_annotation(request, task, {"completed_by_id": request.user["id"], **columns})
    except summary.Uncountable as error:  # it is stored, but nothing after that is done
        return error.committed
    row = _find_annotation(request, pk)
    if draft is not None:
        drafts.remove(store, draft)
    if data.get("ground_truth"):
        store.execute(
            "UPDATE annotation SET ground_truth = 0 WHERE task_id = ? AND id <> ?", id, pk
        )
    shown = serializers.annotation(store, row)
    return events.answer(request, "ANNOTATION_CREATED", task["project_id"], shown, 201)


def add_annotation(request: Request, task: Row, columns: Row) -> int:
    """Store a new annotation of a task, count it, and return its id.

    Raises:
        Uncountable: The server fails to count its labels, after it is stored.
    """
    store, pk = request.fake.store, task["id"]
    now = store.now()
    result = loads(columns.get("result"))
    _check_regions(result)
    made = store.insert(
        "annotation",
        {
            **dict.fromkeys(("was_cancelled", "ground_truth", "bulk_created"), False),
            "prediction": "{}",
            "unique_id": uuid.uuid4().hex,
            **columns,
            "result_count": serializers.result_count(result),
            "task_id": pk,
            "project_id": task["project_id"],
            "updated_by_id": request.user["id"],
            "created_at": now,
            "updated_at": now,
        },
    )
    summary.count(store, task["project_id"], [result], 1)
    count_annotations(store, pk, cancelled=bool(columns.get("was_cancelled")))
    update_is_labeled(store, pk)
    touch(request, pk)
    export_storages.write_annotation(request, made)
    return made


def annotation_columns(store: Store, data: dict[str, Any]) -> Row:
    """Return the columns of the annotation in a body; 400 when it is wrong."""
    return _without_unused(read(_annotation_fields(store), data, partial=False))


def _draft_of(request: Request, task: Row) -> Row | None:
    """Return the draft that is submitted, if any; 403 when it is of another task or user."""
    try:
        pk = int(request.data().get("draft_id") or 0)
    except (TypeError, ValueError) as error:
        raise crash(str(error)) from None
    draft = request.fake.store.get("draft", pk)
    if draft and (draft["task_id"], draft["user_id"]) != (task["id"], request.user["id"]):
        raise failure(403, f"You have no permission to draft id:{pk}")
    return draft


def _check_regions(result: Any) -> None:
    for region in result or []:
        if not isinstance(region, dict):
            raise crash(f"'{type(region).__name__}' object has no attribute 'get'")
        if isinstance(region.get("id"), (dict, list)):
            raise crash(f"unhashable type: '{type(region['id']).__name__}'")


@routes.add("GET", "/api/annotations/{id}/")
def get_annotation(request: Request, id: int) -> Any:
    expand = request.query.get("expand") == "completed_by"
    return request.flex(
        serializers.annotation(request.fake.store, _find_annotation(request, id), expand=expand)
    )


@routes.add("PATCH PUT", "/api/annotations/{id}/")
def update_annotation(request: Request, id: int) -> Any:
    store, data = request.fake.store, request.data()
    row = _find_annotation(request, id)
    for name in ("task", "project"):
        if name in data and data[name] != row[name + "_id"]:
            raise not_implemented(f"moving an annotation to another {name}")
    columns = _without_unused(read(_annotation_fields(store), data, partial=True))
    result = loads(columns["result"] if "result" in columns else row["result"])
    _check_regions(result)
    task_id = row["task_id"]
    if data.get("ground_truth"):
        store.execute(
            "UPDATE annotation SET ground_truth = 0 WHERE task_id = ? AND id <> ?", task_id, id
        )
    summary.forget(store, row["project_id"], [row])
    store.update(
        "annotation",
        id,
        {
            **columns,
            "updated_by_id": request.user["id"],
            "updated_at": store.now(),
            "result_count": serializers.result_count(result),
        },
    )
    changed = _find_annotation(request, id)
    if changed["was_cancelled"] != row["was_cancelled"]:
        step = 1 if changed["was_cancelled"] else -1
        store.execute(
            "UPDATE task SET cancelled_annotations = cancelled_annotations + ?, "
            "total_annotations = total_annotations - ? WHERE id = ?",
            step,
            step,
            task_id,
        )
        update_is_labeled(store, task_id)
    try:
        summary.count(store, row["project_id"], [result], 1)
    except summary.Uncountable as error:  # it is stored, but nothing after that is done
        return error.committed
    count_annotations(store, task_id, cancelled=bool(changed["was_cancelled"]))
    update_is_labeled(store, task_id)
    touch(request, task_id)
    for draft in store.rows("SELECT * FROM draft WHERE annotation_id = ?", id):
        drafts.remove(store, draft)
    export_storages.write_annotation(request, id)
    shown = serializers.annotation(store, changed)
    return events.answer(request, "ANNOTATION_UPDATED", row["project_id"], shown)


@routes.add("DELETE", "/api/annotations/{id}/")
def delete_annotation(request: Request, id: int) -> Any:
    store = request.fake.store
    row = _find_annotation(request, id)
    export_storages.delete_annotations(request, [id])
    store.execute("DELETE FROM annotation WHERE id = ?", id)
    touch(request, row["task_id"])
    count_annotations(store, row["task_id"], cancelled=bool(row["was_cancelled"]))
    update_is_labeled(store, row["task_id"])
    try:
        summary.forget(store, row["project_id"], [row])
    except summary.Uncountable as error:
        return error.committed
    events.emit(request, "ANNOTATIONS_DELETED", row["project_id"], [id])
    return Answer(status=204)
