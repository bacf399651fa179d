"""Predictions, one at a time."""

from __future__ import annotations

from typing import Any

from .._checks.fields import Field, integer, json_text, number, read, reference, text
from .._formats import markup
from .._rows import serializers
from .._rows.bookkeeping import refuse_unsupported, touch
from .._state.store import Row, Store, dumps, loads
from .._wire.answers import Answer, invalid, not_found, not_implemented
from .._wire.requests import Request
from .._wire.routes import Routes

routes = Routes()


def _find_prediction(request: Request, pk: int) -> Row:
    row = request.fake.store.get("prediction", pk)
    if row is None:
        raise not_found("Prediction")
    return row


def _prediction_fields(store: Store) -> dict[str, Field]:
    return {
        "task": Field(reference(store, "task"), required=True, column="task_id"),
        "result": Field(lambda value: value, required=True),
        "model_version": Field(text()),
        "score": Field(number, null=True),
        "cluster": Field(integer, null=True),
        "neighbors": Field(json_text, null=True),
        "mislabeling": Field(number),
        "project": Field(reference(store, "project"), null=True, column="project_id"),
    }


@routes.add("GET", "/api/predictions/")
def list_predictions(request: Request) -> Any:
    store = request.fake.store
    where, parameters = ["project_id IS NOT NULL"], []
    filters = {
        "task": ("task", "task_id = ?"),
        "project": ("project", "project_id = ?"),
        "task__project": ("project", "task_id IN (SELECT id FROM task WHERE project_id = ?)"),
    }
    errors = {}
    for name, (table, condition) in filters.items():
        value = request.query.get(name)
        if not value:
            continue
        if not value.strip().isdigit() or store.get(table, int(value)) is None:
            errors[name] = [
                "Select a valid choice. That choice is not one of the available choices."
            ]
        else:
            where.append(condition)
            parameters.append(int(value))
    if errors:
        raise invalid(errors)
    rows = store.rows(
        f"SELECT * FROM prediction WHERE {' AND '.join(where)} ORDER BY id", *parameters
    )
    return [serializers.prediction(row) for row in rows]


def _config_of(store: Store, project_id: int | None) -> str | None:
    config: str | None = store.value("SELECT label_config FROM project WHERE id = ?", project_id)
    return config


@routes.add("POST", "/api/predictions/")
def create_prediction(request: Request) -> Any:
    store, data = request.fake.store, request.data()
    pk = add_prediction(request, prediction_columns(store, data))
    return Answer(serializers.prediction(_find_prediction(request, pk)), 201)


def prediction_columns(store: Store, data: dict[str, Any]) -> Row:
    """Return the columns of the prediction in a body; 400 when it is wrong."""
    refuse_unsupported(data, "model", "model_run")
    return read(_prediction_fields(store), data, partial=False)


def add_prediction(request: Request, columns: Row) -> int:
    """Store and count a new prediction, whose ``result`` is a JSON value, and return its id."""
    store, task_id = request.fake.store, columns["task_id"]
    if columns.get("project_id") is None:
        columns["project_id"] = store.value("SELECT project_id FROM task WHERE id = ?", task_id)
    result = markup.prediction_result(columns["result"], _config_of(store, columns["project_id"]))
    touch(request, task_id)
    now = store.now()
    stored = {"result": None if result is None else dumps(result)}
    row = {"model_version": "", **columns, **stored, "created_at": now, "updated_at": now}
    pk = store.insert("prediction", row)
    update_prediction_count(store, task_id)
    return pk


def update_prediction_count(store: Store, task_id: int) -> None:
    """Count the predictions of a task again."""
    store.execute(
        "UPDATE task SET total_predictions = "
        "(SELECT COUNT(*) FROM prediction WHERE task_id = task.id) "
        "WHERE id = ?",
        task_id,
    )


@routes.add("GET", "/api/predictions/{id}/")
def get_prediction(request: Request, id: int) -> Any:
    return serializers.prediction(_find_prediction(request, id))


@routes.add("PATCH PUT", "/api/predictions/{id}/")
def update_prediction(request: Request, id: int) -> Any:
    store, data = request.fake.store, request.data()
    row = _find_prediction(request, id)
    refuse_unsupported(data, "model", "model_run")
    columns = read(_prediction_fields(store), data, partial=request.method == "PATCH")
    for name in ("task_id", "project_id"):
        if columns.get(name, row[name]) != row[name]:
            raise not_implemented("moving a prediction")
    value = columns["result"] if "result" in columns else loads(row["result"])
    result = markup.prediction_result(value, _config_of(store, row["project_id"]))
    touch(request, row["task_id"])
    columns["result"] = None if result is None else dumps(result)
    store.update("prediction", id, {**columns, "updated_at": store.now()})
    update_prediction_count(store, row["task_id"])
    return serializers.prediction(_find_prediction(request, id))


@routes.add("DELETE", "/api/predictions/{id}/")
def delete_prediction(request: Request, id: int) -> Any:
    store = request.fake.store
    row = _find_prediction(request, id)
    store.execute("DELETE FROM prediction WHERE id = ?", id)
    update_prediction_count(store, row["task_id"])
    touch(request, row["task_id"])
    return Answer(status=204)
