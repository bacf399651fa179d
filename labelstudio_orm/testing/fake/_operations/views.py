"""Saved views and columns of the Data Manager, and the model versions that it lists."""

from __future__ import annotations

from typing import Any

from .._checks.fields import Field, integer, json_text, list_of, read, reference
from .._formats import markup
from .._query.query import data_keys
from .._query.selection import relations_refused
from .._rows.bookkeeping import find_project
from .._state.store import Row, Store, dumps, loads
from .._wire.answers import Answer, crash, invalid, not_found, not_implemented
from .._wire.requests import Request
from .._wire.routes import Routes

routes = Routes()

# --- views ----------------------------------------------------------------------------------------


def _shown(row: Row) -> Row:
    data = loads(row["data"])
    for name, key in (
        ("filters", "filters"),
        ("selectedItems", "selected_items"),
        ("ordering", "ordering"),
    ):
        value = loads(row[key])
        if value:
            data[name] = value
    return {
        "id": row["id"],
        "data": data,
        "order": row["order"],
        "user": row["user"],
        "project": row["project_id"],
    }


def _find(request: Request, pk: int) -> Row:
    row = request.fake.store.get("view", pk)
    if row is None:
        raise not_found("View")
    return row


def _filter_errors(item: Any) -> dict[str, Any]:
    errors: dict[str, Any] = {}
    for key, name in (("filter", "column"), ("operator", "operator"), ("type", "type")):
        value = item.get(key, "")
        if value == "":
            errors[name] = ["This field may not be blank."]
    column = item.get("filter", "")
    name = column.removeprefix("filter:tasks:").removeprefix("-")
    if column and not column.startswith("filter:tasks:"):
        errors["column"] = [f'Filter "{column}" should start with "filter:tasks:"']
    elif not name.startswith("data.") and "__" in name and name != "annotations__completed_by":
        errors["column"] = [relations_refused(name)]
    return errors


def _one_level(item: dict[str, Any], *, child: bool = True) -> dict[str, Any]:
    kept = {key: item.get(key, "") for key in ("filter", "operator", "type")}
    kept["value"] = item.get("value", {})
    if child and item.get("child_filter"):
        kept["child_filter"] = _one_level(item["child_filter"], child=False)
    return kept


def _read(request: Request) -> dict[str, Any]:
    """Return the columns in a body; filters and ordering are in its ``data``."""
    body = dict(request.data())
    data = body.get("data", {})
    if not isinstance(data, dict):
        raise crash(f"'{type(data).__name__}' object has no attribute 'pop'")
    data = dict(data)
    filters, ordering = data.pop("filters", {}), data.pop("ordering", {})
    if "filter_group" in body:
        raise not_implemented("filter_group in a view")
    if not isinstance(filters, dict):
        raise crash(f"'{type(filters).__name__}' object has no attribute 'get'")
    columns: dict[str, Any] = {"ordering": dumps(ordering)}
    if "data" in body:
        columns["data"] = dumps(data)
    if filters.get("conjunction"):
        items = filters.get("items", [])
        errors = [_filter_errors(item) for item in items]
        if any(errors):
            raise invalid({"filter_group": {"filters": errors}})
        columns["filters"] = dumps(
            {"conjunction": filters["conjunction"], "items": [_one_level(item) for item in items]}
        )
    return columns


@routes.add("GET", "/api/dm/views/")
def list_views(request: Request) -> Any:
    store, asked = request.fake.store, request.query.get("project")
    where, parameters = "1", []
    if asked:
        if not asked.isdigit() or store.get("project", int(asked)) is None:
            text = "Select a valid choice. That choice is not one of the available choices."
            raise invalid({"project": [text]})
        where, parameters = "project_id = ?", [int(asked)]
    rows = store.rows(f'SELECT * FROM view WHERE {where} ORDER BY "order", id', *parameters)
    return [_shown(row) for row in rows]


@routes.add("POST", "/api/dm/views/")
def create_view(request: Request) -> Any:
    store = request.fake.store
    fields = {
        "project": Field(reference(store, "project"), required=True, column="project_id"),
        "selected_items": Field(json_text, null=True),
    }
    data = request.data()
    columns = {"data": "{}", "order": 0, "selected_items": "{}", **_read(request)}
    if isinstance(data.get("order"), int):
        columns["order"] = data["order"]
    columns.update(read(fields, data, partial=False))
    if "filters" in columns:
        pk = columns["project_id"]
        columns["order"] = store.value("SELECT COUNT(*) FROM view WHERE project_id = ?", pk)
    pk = store.insert("view", {**columns, "user": request.user["id"]})
    return Answer(_shown(_find(request, pk)), 201)


@routes.add("GET", "/api/dm/views/{id}/")
def get_view(request: Request, id: int) -> Any:
    return _shown(_find(request, id))


@routes.add("PATCH", "/api/dm/views/{id}/")
def update_view(request: Request, id: int) -> Any:
    _find(request, id)
    columns = _read(request)
    if "data" not in columns:
        raise crash("'data'")
    if not loads(columns["ordering"]):
        del columns["ordering"]  # an ordering cannot be removed
    request.fake.store.update("view", id, columns)
    return _shown(_find(request, id))


@routes.add("DELETE", "/api/dm/views/{id}/")
def delete_view(request: Request, id: int) -> Any:
    _find(request, id)
    request.fake.store.execute("DELETE FROM view WHERE id = ?", id)
    return Answer(status=204)


@routes.add("DELETE", "/api/dm/views/reset/")
def reset_views(request: Request) -> Any:
    store = request.fake.store
    body = request.body if isinstance(request.body, dict) else {}
    data = body if "project" in body else {"project": request.query.get("project")}
    columns = read(
        {"project": Field(reference(store, "project"), required=True)}, data, partial=False
    )
    store.execute("DELETE FROM view WHERE project_id = ?", columns["project"])
    return Answer(status=204)


@routes.add("POST", "/api/dm/views/order/")
def order_views(request: Request) -> Any:
    ids = list_of(integer, empty=False)
    fields = {"project": Field(integer, required=True), "ids": Field(ids, required=True)}
    columns = read(fields, request.data(), partial=False)
    project, store = find_project(request, columns["project"]), request.fake.store
    for position, pk in enumerate(columns["ids"]):  # the others keep their positions
        sql = 'UPDATE view SET "order" = ? WHERE id = ? AND project_id = ?'
        store.execute(sql, position, pk, project["id"])
    return Answer()


# --- columns --------------------------------------------------------------------------------------

# id, title, type, help, shown in the explorer and while labelling
_COLUMNS = (
    ("id", "ID", "Number", "Task ID", True, False),
    (
        "inner_id",
        "Inner ID",
        "Number",
        "Internal task ID starting from 1 for the current project",
        False,
        False,
    ),
    ("completed_at", "Completed", "Datetime", "Last annotation date", True, False),
    ("total_annotations", "Annotations", "Number", "Total annotations per task", True, True),
    (
        "cancelled_annotations",
        "Cancelled",
        "Number",
        "Total cancelled (skipped) annotations",
        True,
        False,
    ),
    ("total_predictions", "Predictions", "Number", "Total predictions per task", True, False),
    ("annotators", "Annotated by", "List", "All users who completed the task", True, False),
    (
        "annotations_results",
        "Annotation results",
        "String",
        "Annotation results stacked over all annotations",
        False,
        False,
    ),
    (
        "annotations_ids",
        "Annotation IDs",
        "String",
        "Annotation IDs stacked over all annotations",
        False,
        False,
    ),
    (
        "predictions_score",
        "Prediction score",
        "Number",
        "Average prediction score over all task predictions",
        False,
        False,
    ),
    (
        "predictions_model_versions",
        "Prediction model versions",
        "List",
        "Model versions aggregated over all predictions",
        False,
        False,
    ),
    (
        "predictions_results",
        "Prediction results",
        "String",
        "Prediction results stacked over all predictions",
        False,
        False,
    ),
    ("file_upload", "Upload filename", "String", "Filename of uploaded file", False, False),
    (
        "storage_filename",
        "Storage filename",
        "String",
        "Filename from import storage",
        False,
        False,
    ),
    ("created_at", "Created at", "Datetime", "Task creation time", False, False),
    ("updated_at", "Updated at", "Datetime", "Task update time", False, False),
    ("updated_by", "Updated by", "List", "User who did the last task update", False, False),
    ("avg_lead_time", "Lead Time", "Time", "Average lead time over all annotations", False, False),
    (
        "draft_exists",
        "Drafts",
        "Boolean",
        "True if at least one draft exists for the task",
        False,
        False,
    ),
)


@routes.add("GET", "/api/dm/columns/")
def list_columns(request: Request) -> Any:
    project = find_project(request, request.query.integer("project", 1))
    store = request.fake.store
    keys = data_keys(store, project)
    configured = markup.data_types(project["label_config"])
    columns: list[dict[str, Any]] = [
        {
            "id": key,
            "title": "data" if key == markup.UNDEFINED else key,
            "target": "tasks",
            "parent": "data",
            "project_defined": True,
            "type": kind
            if kind in ("Image", "Audio", "AudioPlus", "Video", "Unknown")
            else "String",
            "visibility_defaults": {
                "explore": True,
                "labeling": key in configured or key == markup.UNDEFINED,
            },
        }
        for key, kind in keys.items()
    ]
    users = [row["id"] for row in store.rows("SELECT id FROM user ORDER BY id")]
    versions = model_versions(store, project)
    schemas: dict[str, Any] = {
        "annotators": {"items": users},
        "updated_by": {"items": users},
        "predictions_model_versions": {"items": versions, "multiple": True},
    }
    for name, title, kind, explain, explore, labeling in _COLUMNS:
        columns.append(
            {
                "id": name,
                "title": title,
                "type": kind,
                "help": explain,
                "target": "tasks",
                "project_defined": False,
                "visibility_defaults": {"explore": explore, "labeling": labeling},
                **({"schema": schemas[name]} if name in schemas else {}),
            }
        )
    columns.append(
        {
            "id": "data",
            "title": "data",
            "type": "List",
            "target": "tasks",
            "children": list(keys),
            "project_defined": False,
        }
    )
    return {"columns": columns}


def model_versions(store: Store, project: Row) -> list[str]:
    """Return the model versions of a project's predictions, latest first."""
    rows = store.rows(
        "SELECT model_version FROM prediction WHERE project_id = ? GROUP BY model_version "
        "ORDER BY MAX(created_at) DESC",
        project["id"],
    )
    versions = [row["model_version"] for row in rows]
    current = project["model_version"]
    return versions + ([current] if current and current not in versions else [])


@routes.add("GET", "/api/projects/{id}/model-versions/")
def list_model_versions(request: Request, id: int) -> Any:
    """List the versions of a project's predictions, latest first, with numbers: 0 of null."""
    store, project = request.fake.store, find_project(request, id)
    unknown = set(request.query) - {"extended"}
    if unknown:
        raise not_implemented(f"{sorted(unknown)} of model-versions/")
    rows = store.rows(
        "SELECT model_version, COUNT(model_version) AS count, MAX(created_at) AS latest "
        "FROM prediction WHERE project_id = ? GROUP BY model_version ORDER BY latest DESC",
        id,
    )
    if request.query.flag("extended", False):
        return {"static": [dict(row) for row in rows], "live": None}
    numbers = {row["model_version"]: row["count"] for row in rows}
    if project["model_version"]:
        numbers.setdefault(project["model_version"], 0)
    return numbers


@routes.add("DELETE", "/api/projects/{id}/model-versions/")
def delete_model_version(request: Request, id: int) -> Any:
    """Delete the predictions of a version.

    On the server the counter of a task with several of them ends up too high: each deletion sets it
    to one less than it was before any of them.
    """
    store, project = request.fake.store, find_project(request, id)
    version = request.data().get("model_version")
    if not version:
        raise invalid("model_version param is required")
    where = "project_id = ? AND model_version = ?"
    tasks = store.rows(f"SELECT DISTINCT task_id FROM prediction WHERE {where}", id, version)
    for task in tasks:
        store.execute(
            "UPDATE task SET total_predictions = "
            "(SELECT COUNT(*) FROM prediction WHERE task_id = task.id) - 1 WHERE id = ?",
            task["task_id"],
        )
    number = store.value(f"SELECT COUNT(*) FROM prediction WHERE {where}", id, version)
    store.execute(f"DELETE FROM prediction WHERE {where}", id, version)
    if project["model_version"] == version:
        store.update("project", id, {"model_version": None})
    return {"deleted_predictions": number}
