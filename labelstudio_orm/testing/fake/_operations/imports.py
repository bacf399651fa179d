"""Imports of tasks and predictions in bulk."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from attrs import evolve

from .._effects import events
from .._formats import markup
from .._rows.bookkeeping import find_project, update_counters
from .._state import jobs
from .._state.store import Row, Store, dumps, iso, loads
from .._wire import forms
from .._wire.answers import (
    Answer,
    Failure,
    crash,
    invalid,
    not_found,
    not_implemented,
    page_not_found,
)
from .._wire.requests import Request
from .._wire.routes import Routes
from . import uploads

routes = Routes()


@routes.add("POST", "/api/projects/{id}/import", forms=True)
@routes.add("POST", "/api/projects/{id}/tasks/bulk/", forms=True)
def import_tasks(request: Request, id: int) -> Any:
    store, query = request.fake.store, request.query
    options = {
        "commit_to_project": query.flag("commit_to_project", True),
        "return_task_ids": query.flag("return_task_ids", False),
        "preannotated_from_fields": _names(query.get("preannotated_from_fields")),
    }
    try:
        project = find_project(request, id)
    except Failure:
        raise page_not_found() from None
    file_ids: list[int] = []
    if request.form:
        file_ids = uploads.store_files(request, project, request.form)
    elif not isinstance(request.body, (list, dict)):
        raise invalid("load_tasks: No data found in DATA or in FILES")
    items = [request.body] if isinstance(request.body, dict) else request.body
    if request.fake.async_jobs:
        return Answer({"import": _queue(request, project, options, items, file_ids)}, 201)
    try:
        with store.attempt():
            return Answer(_run(request, project, options, items, file_ids), 201)
    except Failure as error:
        if not file_ids:
            raise
        return Answer(error.body, error.status, error.headers)  # the files stay


def _names(text: str | None) -> list[str] | None:
    if text is None:
        return None
    return text.split(next((mark for mark in ",;|" if mark in text), None))


def _run(
    request: Request, project: Row, options: Row, items: list[Any] | None, file_ids: list[int]
) -> Row:
    """Import the items, and return the answer of a server that imports at once."""
    started = time.monotonic()
    found = uploads.Uploaded()
    if file_ids:
        found = uploads.read_files(request.fake.store, project, file_ids)
    tasks: list[Any] = found.tasks if items is None else items
    if not tasks:
        raise invalid("load_tasks: No tasks added")
    if options["preannotated_from_fields"] is not None:
        tasks = _preannotated(tasks, options["preannotated_from_fields"], project)
    if project["label_config"] != "<View></View>":
        _precheck_predictions(tasks)
    ids: list[int] = []
    annotations = predictions = None
    if options["commit_to_project"]:
        ids, annotations, predictions = _Import(request, project).run(tasks)
    return {
        "task_count": len(tasks),
        "annotation_count": annotations,
        "prediction_count": predictions,
        "duration": time.monotonic() - started,
        "file_upload_ids": file_ids,
        "could_be_tasks_list": found.could_be_lists,
        "found_formats": found.formats if file_ids else [],
        "data_columns": list(found.keys),
        **({"task_ids": ids} if ids and options["return_task_ids"] else {}),
    }


# --- queued imports -------------------------------------------------------------------------------


def _queue(
    request: Request,
    project: Row,
    options: Row,
    items: list[Any] | None,
    file_ids: list[int],
) -> int:
    store = request.fake.store
    form = request.form
    work = {"options": options, "tasks": items, "file_upload_ids": file_ids}
    return store.insert(
        "project_import",
        {
            "project_id": project["id"],
            "user_id": request.user["id"],
            "status": "created",
            "url": form.fields.get("url") if form and form.kind == forms.URLENCODED else None,
            "work": dumps(work),
            "answer": "{}",
            "created_at": store.now(),
        },
    )


@routes.add("GET", "/api/projects/{id}/imports/{import_id}/")
def get_import(request: Request, id: int, import_id: int) -> Any:
    store = request.fake.store
    row = store.get("project_import", import_id)
    if row is None:
        raise not_found("ProjectImport")
    if jobs.advance(store, "project_import", row):
        _finish(request, row)
    row = store.get("project_import", import_id)
    assert row is not None
    work, answer = loads(row["work"]), loads(row["answer"])
    none = dict.fromkeys(("task_count", "annotation_count", "prediction_count", "duration"), 0)
    lists: Row = {name: [] for name in ("found_formats", "data_columns", "task_ids")}
    return {
        "id": row["id"],
        "project": row["project_id"],
        **work["options"],
        "status": row["status"],
        "url": row["url"],
        "error": row["error"],
        "created_at": iso(row["created_at"]),
        "updated_at": iso(row["created_at"]),
        "finished_at": None,
        "file_upload_ids": work["file_upload_ids"],
        "could_be_tasks_list": False,
        "tasks": work["tasks"],
        **none,
        **lists,
        **answer,
    }


def _finish(request: Request, row: Row) -> None:
    store, work = request.fake.store, loads(row["work"])
    project = find_project(request, row["project_id"])
    owner = evolve(request, user=store.get("user", row["user_id"]) or request.user)
    changes: Row = {"status": "completed"}
    try:
        with store.attempt():
            answer = _run(owner, project, work["options"], work["tasks"], work["file_upload_ids"])
            for name in ("annotation_count", "prediction_count"):
                answer[name] = answer[name] or 0
            changes["answer"] = dumps({**answer, "duration": int(answer["duration"])})
    except Failure as error:
        problems = error.body.get("validation_errors", {}).get("non_field_errors")
        shown = ", ".join(
            f"ErrorDetail(string={text!r}, code='invalid')" for text in problems or ()
        )
        changes = {"status": "failed", "error": f"[{shown}]" if problems else error.body["detail"]}
    store.update("project_import", row["id"], changes)


# --- one import -----------------------------------------------------------------------------------


def _precheck_predictions(items: list[Any]) -> None:
    """Check predictions as the server does first: nothing is refused, but some items crash it."""
    for item in items:
        if item is None or isinstance(item, (int, float)):
            raise crash(f"argument of type '{type(item).__name__}' is not iterable")
        if isinstance(item, dict):
            predictions = item.get("predictions", [])
            if predictions is None or isinstance(predictions, (int, float)):
                raise crash(f"'{type(predictions).__name__}' object is not iterable")


def _preannotated(items: list[Any], fields: list[str], project: Row) -> list[Any]:
    controls = markup.controls(project["label_config"])
    made = []
    for item in items:
        data = item.get("data", item)
        predictions = []
        for name in fields:
            value = data.get(name)
            if value is None:
                continue
            control = controls.get(name)
            kind = control["type"].lower() if control else "choices"
            target = control["to_name"][0] if control else "text"
            if not isinstance(value, dict):
                single = kind in ("rating", "number", "datetime") or isinstance(value, list)
                key = "text" if kind == "textarea" else kind
                value = {key: value if single else [value]}
            region = {"from_name": name, "to_name": target, "type": kind, "value": value}
            predictions.append({"result": [region], "score": 1.0, "model_version": "preannotated"})
        made.append({"data": data, "predictions": predictions})
    return made


class _Import:
    """One import, which checks every item first, then stores all of them or none."""

    def __init__(self, request: Request, project: Row) -> None:
        self.request, self.project = request, project
        self.store: Store = request.fake.store
        self.types = markup.data_types(project["label_config"])

    def run(self, items: list[Any]) -> tuple[list[int], int, int]:
        tasks: list[dict[str, Any]] = []
        errors: list[Any] = []
        for index, given in enumerate(items):
            item = self._named(given)
            problem, task = self._check(item)
            if problem is None:
                tasks.append(task)
                errors.append({})
            else:
                errors.append(f"Error at item {index}: {problem} :: {item}")
                if len(errors) >= 100:
                    errors[99] = "..."
                    break
        if any(errors):
            raise invalid(errors)
        people = {
            row["email"]: row["id"]
            for row in self.store.rows("SELECT id, email FROM user ORDER BY id")
        }
        annotations = [
            [self._author(a, people) for a in task.get("annotations", [])] for task in tasks
        ]
        ids = self._add_tasks(tasks, annotations)
        counts = self._add_annotations(ids, annotations), self._add_predictions(ids, tasks)
        events.emit(self.request, "TASKS_CREATED", self.project["id"], ids)
        return ids, *counts

    def _named(self, item: Any) -> Any:
        if not isinstance(item, dict) or "data" not in item:
            return markup.name_undefined(item, self.project["label_config"])
        data = markup.name_undefined(item["data"], self.project["label_config"])
        return item if data is item["data"] else {**item, "data": data}

    def _check(self, item: Any) -> tuple[str | None, dict[str, Any]]:
        if not isinstance(item, dict):
            return (
                'Task root must be dict with "data", "meta", "annotations", "predictions" fields',
                {},
            )
        if "data" not in item:
            return markup.data_error(self.types, item, root=True), {"data": item}
        if not isinstance(item["data"], (dict, list)):
            return "Task[data] must be dict or list", {}
        if not isinstance(item["data"], dict):
            raise not_implemented("task data that is a list")
        problem = markup.data_error(self.types, item["data"], root=False)
        if problem:
            return problem, {}
        for key, must in (("annotations", "list"), ("predictions", "list")):
            if key in item and not isinstance(item[key], list):
                return f"Task[{key}] must be {must}", {}
            name = key[:-1].capitalize()
            for one in item.get(key, []):
                if not isinstance(one, dict):
                    raise crash(f"'{type(one).__name__}' object has no attribute 'get'")
                if "result" not in one:
                    return f'{name} must have "result" fields', {}
                if key == "annotations" and not isinstance(one["result"], list):
                    return '"result" field in annotation must be list', {}
        if "meta" in item and not isinstance(item["meta"], (dict, list)):
            return "Task[meta] must be dict or list", {}
        return None, item

    def _author(self, annotation: dict[str, Any], people: dict[str, int]) -> dict[str, Any]:
        who = annotation.get("completed_by")
        if who is None:
            pk = self.request.user["id"]
        elif isinstance(who, dict):
            if "email" not in who:
                raise invalid(
                    "It's expected to have 'email' field in 'completed_by' data in annotations"
                )
            if who["email"] not in people:
                raise invalid(f"Unknown annotator's email {who['email']}")
            pk = people[who["email"]]
        elif isinstance(who, int) and who in people.values():
            pk = int(who)
        else:
            raise invalid(
                f"Import data contains completed_by={who} which is not a valid annotator's email "
                "or ID"
            )
        return {**annotation, "completed_by_id": pk}

    def _file(self, task: dict[str, Any]) -> int | None:
        pk: int | None = task.get("file_upload_id")
        if pk is not None and self.store.get("file_upload", pk) is None:
            raise not_implemented("tasks of a file that does not exist")
        return pk

    def _next_id(self, table: str) -> int:
        return (
            self.store.value(f"SELECT MAX(id) FROM {table}") or 0
        ) + 1  # SQLite uses ids again after a deletion

    def _add_tasks(
        self, tasks: list[dict[str, Any]], annotations: list[list[dict[str, Any]]]
    ) -> list[int]:
        overlap = self.project["maximum_annotations"]
        last = self.store.one(
            "SELECT inner_id FROM task WHERE project_id = ? ORDER BY inner_id DESC",
            self.project["id"],
        )
        inner = None if last and last["inner_id"] is None else (last["inner_id"] if last else 0) + 1
        first = self._next_id("task")
        rows = []
        for index, (task, made) in enumerate(zip(tasks, annotations, strict=True)):
            now = self.store.now()
            allow = task.get("allow_skip", True)
            rows.append(
                {
                    "id": first + index,
                    "data": _finite(task["data"]),
                    "meta": dumps(task.get("meta", {})),
                    "project_id": self.project["id"],
                    "created_at": now,
                    "updated_at": now,
                    "overlap": overlap,
                    "is_labeled": len({a["completed_by_id"] for a in made}) >= overlap,
                    "inner_id": None if inner is None else inner + index,
                    "allow_skip": allow,
                    "file_upload_id": self._file(task),
                    "total_annotations": 0,
                    "cancelled_annotations": 0,
                    "total_predictions": 0,
                    "comment_count": 0,
                    "unresolved_comment_count": 0,
                }
            )
        self.store.insert_many("task", rows)
        return [row["id"] for row in rows]

    def _add_annotations(self, ids: list[int], annotations: list[list[dict[str, Any]]]) -> int:
        pk = self._next_id("annotation")
        rows: list[Row] = []
        for task_id, made in zip(ids, annotations, strict=True):
            for item in made:
                now = self.store.now()
                rows.append(
                    {
                        "id": pk + len(rows),
                        "result": dumps(item["result"]),
                        "task_id": task_id,
                        "project_id": self.project["id"],
                        "completed_by_id": item["completed_by_id"],
                        "ground_truth": _model_bool(item.get("ground_truth", True)),
                        "was_cancelled": _model_bool(item.get("was_cancelled", False)),
                        "lead_time": _model_float(item.get("lead_time")),
                        "import_id": _model_int(item.get("id")),
                        "created_at": now,
                        "updated_at": now,
                        "prediction": "{}",
                        "result_count": 0,
                        "unique_id": uuid.uuid4().hex,
                        "bulk_created": False,
                    }
                )
        self.store.insert_many("annotation", rows)
        self._count(ids)
        return len(rows)

    def _add_predictions(self, ids: list[int], tasks: list[dict[str, Any]]) -> int:
        rows: list[Row] = []
        version = None
        for task_id, task in zip(ids, tasks, strict=True):
            for item in task.get("predictions", []):
                result = markup.prediction_result(item["result"], self.project["label_config"])
                score = item.get("score")
                try:
                    score = None if score is None else float(score)
                except ValueError:
                    score = None
                version = item.get("model_version", "undefined")
                now = self.store.now()
                rows.append(
                    {
                        "result": None if result is None else dumps(result),
                        "score": score,
                        "task_id": task_id,
                        "model_version": version,
                        "project_id": self.project["id"],
                        "created_at": now,
                        "updated_at": now,
                    }
                )
        self.store.insert_many("prediction", rows)
        if version is not None and not self.project["model_version"]:
            changes = {"model_version": version, "updated_at": self.store.now()}
            self.store.update("project", self.project["id"], changes)
        self._count(ids)
        return len(rows)

    def _count(self, ids: list[int]) -> None:
        update_counters(self.store, "id BETWEEN ? AND ?", ids[0], ids[-1])


def _finite(data: Any) -> str:
    try:
        return json.dumps(data, allow_nan=False)
    except ValueError:
        raise crash('CHECK constraint failed: (JSON_VALID("data") OR "data" IS NULL)') from None


def _model_bool(value: Any) -> bool:
    if value in (True, "t", "True", "1"):
        return True
    if value in (False, "f", "False", "0"):
        return False
    raise crash(f"['“{value}” value must be either True or False.']")


def _model_float(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        raise crash(f"Field 'lead_time' expected a number but got {value!r}.") from None


def _model_int(value: Any) -> int | None:
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        raise crash(f"Field 'import_id' expected a number but got {value!r}.") from None


@routes.add("POST", "/api/projects/{id}/import/predictions")
def import_predictions(request: Request, id: int) -> Any:
    store, project = request.fake.store, find_project(request, id)
    if not isinstance(request.body, (list, dict)):
        raise not_implemented("importing predictions that are no list")
    tasks = {row["id"] for row in store.rows("SELECT id FROM task WHERE project_id = ?", id)}
    controls = markup.controls(project["label_config"])
    rows = []
    for item in request.body:
        if not isinstance(item, dict):
            raise crash(f"'{type(item).__name__}' object has no attribute 'get'")
        if item.get("task") not in tasks:
            raise invalid(
                f'{item} contains invalid "task" field: corresponding task ID couldn\'t be '
                f"retrieved from project {project['title']} (id={id}) tasks"
            )
        if not _is_valid(item, controls):
            continue  # dropped silently
        now = store.now()
        rows.append(
            {
                "task_id": item["task"],
                "project_id": id,
                "result": dumps(item["result"]),
                "score": _model_float(item.get("score")),
                "model_version": item.get("model_version", "undefined"),
                "created_at": now,
                "updated_at": now,
            }
        )
    store.insert_many("prediction", rows)
    update_counters(store, "project_id = ?", id)
    return Answer({"created": len(rows)}, 201)


_VALUE_KEYS = {"textarea": "text"}
_KNOWN_CONTROLS = {"choices", "textarea", "rating", "number", "labels", "rectanglelabels"}


def _is_valid(item: dict[str, Any], controls: dict[str, Any]) -> bool:
    """Return whether a prediction matches the config, as the server checks the usual controls."""
    if not isinstance(item.get("result"), list):
        return False
    if item.get("score") is not None:
        try:
            if not 0.0 <= float(item["score"]) <= 1.0:
                return False
        except (TypeError, ValueError):
            return False
    for region in item["result"]:
        if not isinstance(region, dict):
            return False
        if region.get("type") == "relation":
            raise not_implemented("relations in imported predictions")
        if not {"from_name", "to_name", "type", "value"} <= region.keys():
            return False
        control = controls.get(region["from_name"])
        if control is None or region["to_name"] not in control["to_name"]:
            return False
        kind = control["type"].lower()
        if region["type"].lower() != kind:
            return False
        if kind not in _KNOWN_CONTROLS:
            raise not_implemented(f"imported predictions of the control {control['type']}")
        if not _is_valid_value(kind, region["value"], control):
            return False
    return True


def _is_box(value: dict[str, Any]) -> bool:
    limits = {"x": 100, "y": 100, "width": 100, "height": 100, "rotation": 360}
    sides = {"rotation": 0, **value}
    if sides["rotation"] is None:
        sides["rotation"] = 0
    if not limits.keys() <= sides.keys():
        return False
    for name, limit in limits.items():
        if isinstance(sides[name], (bool, str)):
            raise not_implemented(f"imported boxes with {sides[name]!r} as their {name}")
        if not isinstance(sides[name], (int, float)) or sides[name] > limit:
            return False
    return True


def _is_valid_value(kind: str, value: Any, control: dict[str, Any]) -> bool:
    if not isinstance(value, dict):
        return False
    content = value.get(_VALUE_KEYS.get(kind, kind))
    if kind == "rating":
        return isinstance(content, int) and not isinstance(content, bool) and content >= 0
    if kind == "number":
        return isinstance(content, (int, float)) and not isinstance(content, bool)
    if not isinstance(content, list) or not all(isinstance(part, str) for part in content):
        return False
    if kind == "labels" and not {"start", "end"} <= value.keys():
        return False
    if kind == "rectanglelabels" and not _is_box(value):
        return False
    known = control["labels"]
    return (
        kind == "textarea"
        or bool(control.get("dynamic_labels"))
        or all(c in known for c in content)
    )
