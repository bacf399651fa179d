"""ML backends: the models in ``FakeLabelStudio.models``, as far as the server shows them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from .._checks.fields import (
    Field,
    boolean,
    choice,
    integer,
    json_text,
    number,
    read,
    reference,
    text,
)
from .._rows.serializers import task_after_write
from .._state.addresses import refusal
from .._state.state import Model, State
from .._state.store import Row, Store, iso, loads
from .._wire.answers import (
    Answer,
    Failure,
    crash,
    failure,
    invalid,
    not_found,
    not_implemented,
    page_not_found,
)
from .._wire.requests import Request
from .._wire.routes import Routes
from . import webhooks
from .exports import export_tasks
from .predictions import add_prediction, prediction_columns

routes = Routes()


_STATES = {
    "CO": "Connected",
    "DI": "Disconnected",
    "ER": "Error",
    "TR": "Training",
    "PR": "Predicting",
}
_SHOWN = (
    *("id", "state", "url", "error_message", "title", "auth_method", "basic_auth_user"),
    *("description", "model_version", "timeout"),
)


def _shown(row: Row) -> Row:
    return {
        **{name: row[name] for name in _SHOWN},
        "readable_state": _STATES[row["state"]],
        "is_interactive": bool(row["is_interactive"]),
        "auto_update": bool(row["auto_update"]),
        "basic_auth_pass_is_set": bool(row["basic_auth_pass"]),
        "extra_params": loads(row["extra_params"]),
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["updated_at"]),
        "project": row["project_id"],
    }


def _find(request: Request, pk: int) -> Row:
    row = request.fake.store.get("ml_backend", pk)
    if row is None:
        raise page_not_found()
    return row


# --- models ---------------------------------------------------------------------------------------


def _model(fake: State, url: str) -> Model | None:
    found = fake.models.get(url) or fake.models.get(url.rstrip("/"))
    return found if found is None or isinstance(found, Model) else Model(found)


def _connection_error(url: str, path: str) -> str:
    """Return the server's message when there is nothing at a URL."""
    parts = urlsplit(url)
    secure = "S" if parts.scheme == "https" else ""
    port = parts.port or (443 if secure else 80)
    where = f"(host='{parts.hostname}', port={port})"
    return (
        f"HTTP{secure}ConnectionPool{where}: Max retries exceeded with url: "
        f'{parts.path.rstrip("/")}{path} (Caused by NewConnectionError("HTTP{secure}Connection'
        f'{where}: Failed to establish a new connection: [Errno 111] Connection refused"))'
    )


def _refreshed(request: Request, row: Row) -> Row:
    """Return a backend after a check of its health, which every request for it causes."""
    model = _model(request.fake, row["url"])
    changes: Row = {"state": "DI"}
    if model is not None:
        changes = {"state": "CO", "error_message": None}
        if row["auto_update"]:
            changes["model_version"] = model.version
    store = request.fake.store
    store.update("ml_backend", row["id"], {**changes, "updated_at": store.now()})
    return _find(request, row["id"])


# --- operations on backends -----------------------------------------------------------------------


def _address(request: Request) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        url = str(text(blank=False)(value))
        if not url.startswith(("http://", "https://")):
            raise failure(
                403,
                "The provided URL was not allowed. URLs must use http:// or https://, and must not "
                "resolve to local or private network addresses when SSRF protection applies.",
            )
        reason = refusal(request.fake, url)
        if reason:
            raise failure(403, reason)
        return url

    return convert


def _read(request: Request, row: Row | None) -> Row:
    """Return the columns in a body, once the backend at its URL has answered."""
    store, data = request.fake.store, request.data()
    anything = Field(text(), null=True)
    fields = {
        "url": Field(_address(request), required=True),
        "project": Field(reference(store, "project"), required=True, column="project_id"),
        "is_interactive": Field(boolean),
        "auto_update": Field(boolean),
        "auth_method": Field(choice("NONE", "BASIC_AUTH")),
        "extra_params": Field(json_text, null=True),
        "timeout": Field(number),
        **dict.fromkeys(
            ("title", "basic_auth_user", "basic_auth_pass", "description", "model_version"),
            anything,
        ),
    }
    columns = read(fields, data, partial=request.method == "PATCH")
    if "basic_auth_pass" in columns and not columns["basic_auth_pass"]:
        if row is None:
            raise crash("'NoneType' object has no attribute 'basic_auth_pass'")
        if not row["basic_auth_pass"]:
            problem = "Authentication password is required for Basic Authentication."
            raise invalid({"basic_auth_pass": [problem]})
        columns["basic_auth_pass"] = row["basic_auth_pass"]
    basic = columns.get("auth_method") == "BASIC_AUTH"
    if basic and not {"basic_auth_user", "basic_auth_pass"} <= columns.keys():
        problem = "Authentication username and password is required for Basic Authentication."
        raise invalid(problem)
    for name in ("url", "project_id"):
        if name not in columns:
            name = name.removesuffix("_id")
            raise crash(f"MLBackend missing 1 required positional argument: '{name}'")
    if _model(request.fake, columns["url"]) is None:
        raise invalid(
            f"Can't connect to ML backend {columns['url']}, health check failed. Make sure it is "
            "up and your firewall is properly configured. "
            '<a href="https://labelstud.io/guide/ml.html">Learn more</a> about how to set up an ML '
            f"backend. Additional info: {_connection_error(columns['url'], '/health')}"
        )
    return columns


_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


@routes.add("GET", "/api/ml/")
def list_backends(request: Request) -> Any:
    store, asked = request.fake.store, request.query.get("project") or "0"
    if not asked.isdigit():
        raise failure(404, "Not found.")
    if store.get("project", int(asked)) is None:
        raise not_found("Project")
    rows = store.rows("SELECT * FROM ml_backend WHERE project_id = ? ORDER BY id", int(asked))
    wanted = _BOOLEANS.get((request.query.get("is_interactive") or "").lower())
    return [
        _shown(_refreshed(request, row))
        for row in rows
        if wanted is None or bool(row["is_interactive"]) == wanted
    ]


@routes.add("POST", "/api/ml/")
def create_backend(request: Request) -> Any:
    store, columns = request.fake.store, _read(request, None)
    now = store.now()
    defaults = {
        "title": "default",
        "auth_method": "NONE",
        "timeout": 100.0,
        "state": "DI",
        **dict.fromkeys(("basic_auth_user", "basic_auth_pass", "description", "model_version"), ""),
        "is_interactive": False,
        "auto_update": True,
        "created_at": now,
        "updated_at": now,
    }
    row = _refreshed(request, _find(request, store.insert("ml_backend", {**defaults, **columns})))
    webhooks.add(request, row["project_id"], row["url"].rstrip("/") + "/webhook")
    project = store.get("project", row["project_id"])
    assert project is not None
    if project["show_collab_predictions"] and not project["model_version"]:
        store.update("project", project["id"], {"model_version": row["title"]})
    return Answer(_shown(row), 201)


@routes.add("GET", "/api/ml/{id}")
def get_backend(request: Request, id: int) -> Any:
    return _shown(_refreshed(request, _find(request, id)))


@routes.add("PATCH PUT", "/api/ml/{id}")
def update_backend(request: Request, id: int) -> Any:
    store = request.fake.store
    row = _refreshed(request, _find(request, id))
    columns = _read(request, row)
    store.update("ml_backend", id, columns)
    changed = _find(request, id)
    if changed["title"] != row["title"]:  # the project refers to the backend by its title
        sql = "UPDATE project SET model_version = ? WHERE id = ? AND model_version = ?"
        store.execute(sql, changed["title"], changed["project_id"], row["title"])
    return _shown(_refreshed(request, changed))


@routes.add("DELETE", "/api/ml/{id}")
def delete_backend(request: Request, id: int) -> Any:
    row, store = _find(request, id), request.fake.store
    sql = "UPDATE project SET model_version = '' WHERE id = ? AND model_version = ?"
    store.execute(sql, row["project_id"], row["title"])
    store.execute("DELETE FROM ml_backend WHERE id = ?", id)
    return Answer(status=204)


@routes.add("GET", "/api/ml/{id}/versions")
def list_versions(request: Request, id: int) -> Any:
    row = _find(request, id)
    model = _model(request.fake, row["url"])
    if model is None:
        raise Failure(500, {"error": _connection_error(row["url"], "/versions")})
    return {"versions": list(model.versions or (model.version,))}


@routes.add("POST", "/api/ml/{id}/train")
def train(request: Request, id: int) -> Any:
    row = _find(request, id)
    changes: Row = {"state": "TR"}
    if _model(request.fake, row["url"]) is None:
        changes = {"state": "ER", "error_message": _connection_error(row["url"], "/webhook")}
    request.fake.store.update("ml_backend", id, changes)
    return Answer()


@routes.add("POST", "/api/ml/{id}/predict/test")
def predict_test(request: Request, id: int) -> Any:
    _find(request, id)
    if request.query.get("random"):
        raise not_implemented("a test prediction for a random task")
    text = "Not implemented - you must provide random=true query parameter"
    return Answer({"error": text}, 501)


@routes.add("POST", "/api/ml/{id}/interactive-annotating")
def annotate_interactively(request: Request, id: int) -> Any:
    row, store = _find(request, id), request.fake.store
    pk = read({"task": Field(integer, required=True)}, request.data(), partial=False)["task"]
    task = store.get("task", pk)
    if task is None or task["project_id"] != row["project_id"]:
        raise page_not_found()
    if not row["is_interactive"]:
        return {"errors": ["Model is not set to be used for interactive preannotations"]}
    model = _model(request.fake, row["url"])
    if model is None:
        return {"errors": [_connection_error(row["url"], "/predict")]}
    results = model.predict(export_tasks(store, [task], expand=("drafts", "predictions")))
    if not results:
        start = "Incorrect response from ML service: "
        return {"errors": [f"{start}ML backend has to return list with more than 1 result."]}
    return {"data": results[0]}


# --- predictions ----------------------------------------------------------------------------------


def tasks_to_predict(store: Store, project: Row, ids: list[int]) -> list[int]:
    """Return the tasks that showing them sends to the project's backend: those without predictions.

    There are none when the project has no backend.
    """
    if not store.value("SELECT 1 FROM ml_backend WHERE project_id = ?", project["id"]):
        return []
    sql = "SELECT 1 FROM prediction WHERE task_id = ?"
    return [pk for pk in ids if not store.value(sql, pk)]


def predict(request: Request, project: Row, ids: list[int]) -> None:
    """Store predictions of the project's first backend for tasks without any of its version."""
    store = request.fake.store
    sql = "SELECT * FROM ml_backend WHERE project_id = ? ORDER BY id"
    row = store.one(sql, project["id"])
    model = _model(request.fake, row["url"]) if row else None
    if row is None or model is None:
        return
    row = _refreshed(request, row)
    known = "SELECT 1 FROM prediction WHERE task_id = ? AND model_version = ?"
    tasks = [
        task_after_write(store, task, embed=True)
        for task in map(partial(store.get, "task"), ids)
        if task and not store.value(known, task["id"], model.version)
    ]
    results = model.predict(tasks) if tasks else []
    if len(results) == 1 < len(tasks):  # a model that looks at the first task only
        results = [result for task in tasks for result in model.predict([task])[:1]]
    if len(results) != len(tasks):
        return  # it is unknown which one belongs to which task
    for task, result in zip(tasks, results, strict=True):
        for one in result if isinstance(result, list) else [result]:
            if "result" in one:
                body = {
                    "task": task["id"],
                    "project": project["id"],
                    "result": one["result"],
                    "score": one.get("score"),
                    "model_version": one.get("model_version", row["model_version"]),
                }
                add_prediction(request, prediction_columns(store, body))
