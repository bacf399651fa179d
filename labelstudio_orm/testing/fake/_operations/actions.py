"""The actions of the Data Manager."""

from __future__ import annotations

import uuid
from typing import Any

from .._effects import events, export_storages
from .._query.query import TaskQuery
from .._query.selection import read_selection
from .._rows import summary
from .._rows.bookkeeping import find_project, update_counters, update_is_labeled_bulk
from .._state.store import Row, dumps, id_list, loads
from .._wire.answers import Answer, crash, not_implemented
from .._wire.requests import Request
from .._wire.routes import Routes
from . import ml

routes = Routes()


def _delete_tasks(request: Request, project: Row, ids: list[int]) -> Any:
    store, pk = request.fake.store, project["id"]
    count = len(ids)
    everything = count == store.value("SELECT COUNT(*) FROM task WHERE project_id = ?", pk)
    if everything:
        summary.reset(store, pk)
    problem = None
    if not everything:
        rows = store.rows(f"SELECT * FROM annotation WHERE task_id IN {id_list(ids)}")
        try:
            summary.forget(store, pk, rows)
        except summary.Uncountable as error:
            problem = error
    store.execute(f"DELETE FROM task WHERE id IN {id_list(ids)}")
    if problem is not None:
        return problem.committed
    events.emit(request, "TASKS_DELETED", pk, ids)
    empty = store.value("SELECT 1 FROM task WHERE project_id = ?", pk) is None
    if empty:
        store.execute("DELETE FROM view WHERE project_id = ?", pk)
    return {"processed_items": count, "reload": empty, "detail": f"Deleted {count} tasks"}


def _delete_annotations(request: Request, project: Row, ids: list[int]) -> Any:
    store = request.fake.store
    where = f"task_id IN {id_list(ids)}"
    annotator = request.data().get("annotator")
    if annotator:
        try:
            where += f" AND completed_by_id = {int(annotator)}"
        except (TypeError, ValueError) as error:
            raise crash(str(error)) from None
    rows = store.rows(f"SELECT * FROM annotation WHERE {where}")
    store.execute(f"DELETE FROM draft WHERE {where.replace('completed_by_id', 'user_id')}")
    touched = id_list({row["task_id"] for row in rows})
    summary.forget(store, project["id"], rows)
    export_storages.delete_annotations(request, [row["id"] for row in rows])
    store.execute(f"DELETE FROM annotation WHERE id IN {id_list(row['id'] for row in rows)}")
    events.emit(request, "ANNOTATIONS_DELETED", project["id"], [row["id"] for row in rows])
    store.execute(
        f"UPDATE task SET updated_at = ?, updated_by_id = ? WHERE id IN {touched}",
        store.now(),
        request.user["id"],
    )
    update_counters(store, f"id IN {touched}")
    update_is_labeled_bulk(store, f"id IN {touched}")
    return {"processed_items": len(rows), "detail": f"Deleted {len(rows)} annotations"}


def _delete_predictions(request: Request, project: Row, ids: list[int]) -> Any:
    store = request.fake.store
    # A bug of the server: each counter is set before all predictions are deleted.
    store.execute(
        "UPDATE task SET total_predictions = (SELECT COUNT(*) - 1 FROM prediction "
        "WHERE task_id = task.id) "
        f"WHERE id IN (SELECT task_id FROM prediction WHERE task_id IN {id_list(ids)})"
    )
    count = store.execute(f"DELETE FROM prediction WHERE task_id IN {id_list(ids)}")
    return {"processed_items": count, "detail": f"Deleted {count} predictions"}


def _convert_predictions(request: Request, project: Row, ids: list[int]) -> Any:
    store, wanted = request.fake.store, request.data().get("model_version")
    rows = store.rows(
        f"SELECT * FROM prediction WHERE task_id IN {id_list(ids)} AND NOT EXISTS("
        "SELECT 1 FROM annotation a WHERE a.parent_prediction_id = prediction.id) "
        "ORDER BY task_id, id"
    )
    if wanted is not None:
        names = wanted if isinstance(wanted, list) else [wanted]
        rows = [row for row in rows if row["model_version"] in names]
    now = store.now()
    made = [
        store.insert(
            "annotation",
            {
                "result": row["result"],
                "completed_by_id": request.user["id"],
                "task_id": row["task_id"],
                "parent_prediction_id": row["id"],
                "project_id": project["id"],
                "was_cancelled": False,
                "ground_truth": False,
                "created_at": now,
                "updated_at": now,
                "prediction": "{}",
                "result_count": 0,
                "unique_id": uuid.uuid4().hex,
                "bulk_created": False,
            },
        )
        for row in rows
    ]
    touched = id_list({row["task_id"] for row in rows})
    store.execute(
        f"UPDATE task SET updated_at = ?, updated_by_id = ? WHERE id IN {touched}",
        store.now(),
        request.user["id"],
    )
    events.emit(request, "ANNOTATIONS_CREATED", project["id"], made)
    update_counters(store, f"id IN {touched}")
    update_is_labeled_bulk(store, f"id IN {touched}")
    return {"detail": f"Created {len(rows)} annotations"}


def _retrieve_predictions(request: Request, project: Row, ids: list[int]) -> Any:
    ml.predict(request, project, ids)
    return {"processed_items": len(ids), "detail": f"Retrieved {len(ids)} predictions"}


def _add_data_field(request: Request, project: Row, ids: list[int]) -> Any:
    """Set a key of the data to a value; ``updated_at`` does not change."""
    store, said = request.fake.store, request.data()
    if said.get("value_type") not in ("String", "Number"):
        raise not_implemented("add_data_field with an expression")
    if not isinstance(said.get("value_name"), str):
        raise not_implemented("add_data_field without a name")
    try:
        value = str(said.get("value")) if said["value_type"] == "String" else float(said["value"])
    except (KeyError, TypeError, ValueError) as error:
        raise crash(str(error)) from None
    for row in store.rows(f"SELECT id, data FROM task WHERE id IN {id_list(ids)}"):
        data = {**loads(row["data"]), said["value_name"]: value}
        store.update("task", row["id"], {"data": dumps(data)})
    return {"detail": f"Updated {len(ids)} tasks"}


_ACTIONS = {
    "add_data_field": _add_data_field,
    "delete_tasks": _delete_tasks,
    "delete_tasks_annotations": _delete_annotations,
    "delete_tasks_predictions": _delete_predictions,
    "predictions_to_annotations": _convert_predictions,
    "retrieve_tasks_predictions": _retrieve_predictions,
}
# id, title, order, permission, more of the action, more of its dialog
_LISTED: tuple[tuple[str, str, int, Any, Row, Row], ...] = (
    (
        *("retrieve_tasks_predictions", "Retrieve Predictions", 90, "predictions.any"),
        {},
        {"title": "Retrieve Predictions"},
    ),
    (
        *("predictions_to_annotations", "Create Annotations From Predictions", 91, "tasks.change"),
        {},
        {"title": "Create Annotations From Predictions", "form": None},
    ),
    (
        *("remove_duplicates", "Remove Duplicated Tasks", 95, ["projects.change", "tasks.delete"]),
        {"experimental": False},
        {},
    ),
    ("delete_tasks", "Delete Tasks", 100, "tasks.delete", {"reload": True}, {}),
    (
        *("delete_tasks_annotations", "Delete Annotations", 101),
        ["tasks.change", "annotations.delete"],
        {},
        {"form": None},
    ),
    ("delete_tasks_predictions", "Delete Predictions", 102, "predictions.any", {}, {}),
)
_OTHER_ACTIONS = (
    "remove_duplicates",
    "cache_labels",
    "propagate_annotations",
    "rename_labels",
    "next_task",
)


@routes.add("GET", "/api/dm/actions/")
def list_actions(request: Request) -> Any:
    """Return the actions; the texts of their dialogs are the fake's own."""
    find_project(request, request.query.integer("project", 0))
    return [
        {
            "id": name,
            "title": title,
            "order": order,
            "permission": permission,
            **more,
            "dialog": {"text": f"{title}: please confirm.", "type": "confirm", **dialog},
        }
        for name, title, order, permission, more, dialog in _LISTED
    ]


@routes.add("POST", "/api/dm/actions/")
def perform_action(request: Request) -> Any:
    project = find_project(request, request.query.integer("project", 0))
    name = request.query.get("id")
    query = TaskQuery(request.fake.store, project, read_selection(request, project))
    if name is None:
        return Answer({"detail": 'No action id "None", use ?id=<action-id>'}, 422)
    if name in _OTHER_ACTIONS:
        raise not_implemented(f"the action {name}")
    if name not in _ACTIONS:
        raise crash(f"Can't find '{name}' in registered actions")
    return _ACTIONS[name](request, project, query.ids())
