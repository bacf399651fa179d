"""The operations of the Enterprise edition: prompts, comments, workspaces, pauses and the rest.

Unlike everything else here this is no observed server's behaviour. What may be sent and what the
answers look like is the contract's; what that leaves open is decided here as simply as possible. A
Community server has none of these paths and answers them all with its web page for a 404.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field

from . import contract, shapes
from .fields import Field, Wrong
from .predictions import update_prediction_count
from .routing import Answer, Request, invalid, not_found, route
from .store import Row, Store, dumps, iso
from .tasks import create_annotation
from .validation import body_errors, read_query

if TYPE_CHECKING:
    from .server import FakeLabelStudio

PATHS: set[str] = set()
"""The paths that only this edition has."""

# Rows of all kinds are in one table. Its columns, read from the rows themselves, are what rows go
# away with.
_SCHEMA = """
CREATE TABLE enterprise (id integer PRIMARY KEY AUTOINCREMENT, kind text NOT NULL, body text NOT
  NULL,
  project integer AS (json_extract(body, '$.project')) REFERENCES project ON DELETE CASCADE,
  task integer AS (json_extract(body, '$.task')) REFERENCES task ON DELETE CASCADE,
  annotation integer AS (json_extract(body, '$.annotation')) REFERENCES annotation ON DELETE
    CASCADE,
  user integer AS (json_extract(body, '$.user')) REFERENCES user ON DELETE CASCADE,
  parent integer AS (COALESCE(json_extract(body, '$.parent_model'), json_extract(body,
    '$.model_version'), json_extract(body, '$.workspace'))) REFERENCES enterprise ON DELETE
    CASCADE);
CREATE INDEX enterprise_task ON enterprise (task);
ALTER TABLE project ADD COLUMN workspace integer REFERENCES enterprise ON DELETE SET NULL;
"""
_COMMENTS_COUNTED = """
CREATE TRIGGER comment_{event}_{row} AFTER {event} ON enterprise WHEN {row}.kind = 'Comment' BEGIN
  UPDATE task SET (comment_count, unresolved_comment_count, last_comment_updated_at) = (
    SELECT COUNT(*), COUNT(*) FILTER (WHERE NOT json_extract(body, '$.is_resolved')),
      REPLACE(REPLACE(MAX(json_extract(body, '$.updated_at')), 'T', ' '), 'Z', '')
    FROM enterprise WHERE task = {row}.task AND kind = 'Comment') WHERE id = {row}.task;
END;
"""


def enabled(fake: FakeLabelStudio) -> bool:
    """Is it a server of this edition?"""
    return fake.edition.lower() == "enterprise"


def prepare(store: Store) -> None:
    """Adds the table of this edition."""
    store.db.executescript(_SCHEMA)
    for event, rows in (("INSERT", ["NEW"]), ("UPDATE", ["OLD", "NEW"]), ("DELETE", ["OLD"])):
        for row in rows:
            store.db.executescript(_COMMENTS_COUNTED.format(event=event, row=row))


def project_fields(fake: FakeLabelStudio) -> dict[str, Field]:
    """What else a project may be sent on this edition."""
    if not enabled(fake):
        return {}

    def workspace(value: Any) -> int:
        if _get(fake.store, "Workspace", value) is None:
            raise Wrong(f'Invalid pk "{value}" - object does not exist.')
        return int(value)

    return {"workspace": Field(workspace, null=True)}


# --- calls ----------------------------------------------------------------------------------------

# What the numbers under these names are the ids of: a table, or a kind of rows.
_NAMED = {
    "annotation": "annotation",
    "associated_projects": "project",
    "model_provider_connection": "ModelProviderConnection",
    "model_version": "PromptVersion",
    "modelrun_id": "InferenceRun",
    "parent_model": "Prompt",
    "project": "project",
    "project_id": "project",
    "tasks": "task",
    "teacher_model_provider_connection_id": "ModelProviderConnection",
    "user": "user",
    "workspace": "Workspace",
}


@define
class Call:
    """A request to one operation, found to agree with the contract."""

    request: Request
    path: list[Any]
    query: Row
    body: Row

    @property
    def store(self) -> Store:
        """The state."""
        return self.request.fake.store

    @property
    def me(self) -> int:
        """The user who asks."""
        return int(self.request.user["id"])

    def now(self) -> str | None:
        """The time, as answers show it."""
        return iso(self.store.now())

    def find(self, what: str, pk: Any) -> Row:
        """A row by its id; 404 when there is none."""
        row = _get(self.store, what, pk)
        if row is None:
            raise not_found(what[0].upper() + what[1:])
        return row


def _get(store: Store, what: str, pk: Any) -> Row | None:
    if not isinstance(pk, int) or abs(pk) >= 2**63:
        return None
    if what.islower():
        return store.get(what, pk)
    row = store.one("SELECT * FROM enterprise WHERE id = ? AND kind = ?", pk, what)
    return None if row is None else {"id": row["id"], **json.loads(row["body"])}


def _dangling(store: Store, values: Mapping[str, Any]) -> Row:
    """The errors of ids that name nothing, by field."""
    errors = {}
    for name in values.keys() & _NAMED.keys():
        for pk in _ids(values[name]):
            if _get(store, _NAMED[name], pk) is None:
                errors[name] = [f'Invalid pk "{pk}" - object does not exist.']
    return errors


def _ids(value: Any) -> list[Any]:
    """The ids in a field: one, or a list of them or of objects that have one."""
    if value is None:
        return []
    listed = value if isinstance(value, list) else [value]
    return [each.get("id") if isinstance(each, dict) else each for each in listed]


def _serve(operation: str, function: Callable[[Call], Any], requires: Collection[str] = ()) -> None:
    """Routes an operation to a function; its body `requires` more than the contract says."""
    row = contract.operation(operation)

    def handler(request: Request, **path: Any) -> Answer:
        query = read_query(row, request.query)
        body = {} if row.verb == "GET" or request.body is None else request.body
        errors = body_errors(row, body, requires)
        errors = errors or _dangling(request.fake.store, {**query, **body})
        if errors:
            raise invalid(errors)
        return Answer(function(Call(request, list(path.values()), query, body)), row.status)

    path = row.path.replace("_key}", "_key:text}")
    PATHS.add(path)
    route(row.verb, path)(handler)


# --- rows -----------------------------------------------------------------------------------------


@define(frozen=True)
class Kind:
    """A kind of rows that one group of operations creates, shows, changes and deletes.

    `owners` are the fields that the numbers in the path name, in their order. `defaults` are of
    fields that may be sent, `given` of those that only the server sets; what is sent there is
    ignored. `hidden` fields are never shown, `extra` ones are although the type lacks them.
    `settle` completes a row before it is stored; it gets the row as it was, empty for a new one.
    """

    name: str
    group: str
    owners: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    defaults: Row = field(factory=dict)
    given: Row = field(factory=dict)
    hidden: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    settle: Callable[[Call, Row, Row], None] = lambda call, row, before: None

    def owned(self, call: Call) -> Row:
        """The owners that the path names, by field; 404 unless they all exist."""
        owners = dict(zip(self.owners, call.path, strict=False))
        for name, pk in owners.items():
            call.find(_NAMED[name], pk)
        return owners

    def find(self, call: Call) -> Row:
        """The row that the path names; 404 when it is not there, or not its owners'."""
        owners = self.owned(call)
        row = call.find(self.name, call.path[len(owners)])
        if row.get("deleted_at") or any(row[name] != pk for name, pk in owners.items()):
            raise not_found(self.name)
        return row

    def rows(self, store: Store, wanted: Mapping[str, Any]) -> list[Row]:
        """All rows with these values, oldest first."""
        sql = "SELECT * FROM enterprise WHERE kind = ? ORDER BY id"
        rows = [{"id": row["id"], **json.loads(row["body"])} for row in store.rows(sql, self.name)]
        return [row for row in rows if all(row[name] == wanted[name] for name in wanted)]

    def save(self, call: Call, row: Row) -> Row:
        """Stores a row, new unless it has an id; the row, with its id."""
        body = dumps({name: value for name, value in row.items() if name != "id"})
        if "id" in row:
            call.store.update("enterprise", row["id"], {"body": body})
            return row
        return {"id": call.store.insert("enterprise", {"kind": self.name, "body": body}), **row}

    def shown(self, call: Call, row: Row) -> Row:
        """A row as answers show it: the fields of its type.

        And an id, which the contract forgets for prompts, their versions and runs, and for model
        providers, though it has paths with it.
        """
        fields = contract.types()[self.name].fields or {}
        item = {"id": row["id"]}
        item |= {name: row.get(name) for name in (*fields, *self.extra) if name not in self.hidden}
        gone = _dangling(call.store, item)
        for name in gone:
            alive = [pk for pk in _ids(item[name]) if _get(call.store, _NAMED[name], pk)]
            item[name] = alive if isinstance(item[name], list) else None
        if call.query.get("expand_created_by"):
            item["created_by"] = shapes.user_short(
                call.store, call.find("user", item["created_by"])
            )
        return item


def _list(kind: Kind, call: Call) -> Any:
    fields = contract.types()[kind.name].fields or {}
    wanted = kind.owned(call) | {k: v for k, v in call.query.items() if k in fields}
    rows = kind.rows(call.store, wanted)
    if not call.query.get("include_deleted"):
        rows = [row for row in rows if not row.get("deleted_at")]
    return [kind.shown(call, row) for row in rows]


def _written(kind: Kind, call: Call, before: Row, row: Row) -> Any:
    for name in kind.owners:
        if call.body.get(name, row[name]) != row[name]:
            raise invalid({name: [f"This field cannot be changed; it is {row[name]}."]})
    sent = {k: v for k, v in call.body.items() if k not in kind.given and k not in _ALWAYS_GIVEN}
    row = {**row, **sent, "updated_at": call.now() if before else row["created_at"]}
    kind.settle(call, row, before)
    return kind.shown(call, kind.save(call, row))


_ALWAYS_GIVEN = ("organization", "created_by", "created_at", "updated_at")


def _create(kind: Kind, call: Call) -> Any:
    new = {"organization": 1, "created_by": call.me, "created_at": call.now()}
    return _written(kind, call, {}, {**kind.defaults, **kind.given, **new, **kind.owned(call)})


def _get_one(kind: Kind, call: Call) -> Any:
    return kind.shown(call, kind.find(call))


def _update(kind: Kind, call: Call) -> Any:
    row = kind.find(call)
    return _written(kind, call, row, row)


def _delete(kind: Kind, call: Call) -> None:
    row = kind.find(call)
    if "deleted_at" in kind.given:  # kept, and shown to those who ask for deleted ones
        kind.save(call, {**row, "deleted_at": call.now(), "deleted_by": call.me})
    else:
        call.store.execute("DELETE FROM enterprise WHERE id = ?", row["id"])


_METHODS = {
    "list": _list,
    "create": _create,
    "get": _get_one,
    "update": _update,
    "delete": _delete,
}


# --- kinds ----------------------------------------------------------------------------------------


def _settle_comment(call: Call, row: Row, before: Row) -> None:
    annotation = call.find("annotation", row["annotation"])
    if row.get("project") not in (None, annotation["project_id"]):
        raise invalid({"project": ["The annotation is of another project."]})
    row["project"], row["task"] = annotation["project_id"], annotation["task_id"]
    row["is_resolved"] = bool(row["is_resolved"])
    if row["is_resolved"] != before.get("is_resolved", False):
        row["resolved_at"] = row["updated_at"] if row["is_resolved"] else None


def _settle_pause(call: Call, row: Row, before: Row) -> None:
    row["paused_by"] = before.get("paused_by", call.me)


def _settle_prompt(call: Call, row: Row, before: Row) -> None:
    row["associated_projects"] = _ids(row["associated_projects"])


def _settle_run(call: Call, row: Row, before: Row) -> None:
    row["model_version"] = PROMPT_VERSION.find(call)["id"]
    row["job_id"] = str(uuid.uuid4())


COMMENT = Kind(
    "Comment",
    "comments",
    requires=("annotation", "text"),
    defaults={"is_resolved": False},
    given={"resolved_at": None},
    settle=_settle_comment,
)
PAUSE = Kind(
    "Pause",
    "projects.pauses",
    owners=("project", "user"),
    defaults={"verbose_reason": ""},
    given={"deleted_at": None, "deleted_by": None},
    settle=_settle_pause,
)
WORKSPACE = Kind(
    "Workspace",
    "workspaces",
    defaults={
        "title": "",
        "description": "",
        "color": "#FFFFFF",
        "is_public": False,
        "is_personal": False,
        "is_archived": False,
    },
)
MEMBER = Kind("WorkspaceMember", "workspaces.members", owners=("workspace",))
MODEL_PROVIDER = Kind(
    "ModelProviderConnection",
    "model_providers",
    defaults={"scope": "Organization", "budget_reset_period": "None"},
    given={"is_internal": False, "budget_last_reset_date": None, "budget_total_spent": None},
    hidden=("api_key",),  # a secret: the server never shows it again
)
PROMPT = Kind(
    "Prompt",
    "prompts",
    defaults={"description": "", "skill_name": None, "associated_projects": []},
    settle=_settle_prompt,
)
PROMPT_VERSION = Kind("PromptVersion", "prompts.versions", owners=("parent_model",))
RUN = Kind(
    "InferenceRun",
    "prompts.runs",
    given={
        "status": "Pending",
        "model_version": None,
        "job_id": None,
        "triggered_at": None,
        "predictions_updated_at": None,
        "completed_at": None,
    },
    settle=_settle_run,
)
_BUCKET = {"title": "", "description": "", "prefix": "", "region_name": "", "s3_endpoint": ""}
EXPORT_S3S = Kind(
    "S3SExportStorage",
    "export_storage.s3s",
    requires=("project",),
    defaults={**_BUCKET, "can_delete_objects": False},
    extra=("can_delete_objects",),  # sent, and then not in the contract's type
)
IMPORT_S3S = Kind(
    "S3SImportStorage",
    "import_storage.s3s",
    requires=("project",),
    defaults={
        **_BUCKET,
        "presign": True,
        "presign_ttl": 15,
        "use_blob_urls": False,
        "recursive_scan": False,
        "regex_filter": "",
    },
    given={
        "synchronizable": True,
        "last_sync": None,
        "last_sync_count": None,
        "last_sync_job": None,
        "status": "initialized",
        "traceback": None,
        "meta": {},
    },
)


# --- what is more than rows -----------------------------------------------------------------------


def _list_members(call: Call) -> Any:
    members = MEMBER.rows(call.store, MEMBER.owned(call))
    return [
        {"user": shapes.user_short(call.store, call.find("user", row["user"]))} for row in members
    ]


def _add_member(call: Call) -> Any:
    member = {**MEMBER.owned(call), "user": call.body["user"]}
    if not MEMBER.rows(call.store, member):
        MEMBER.save(call, member)
    return {"user": member["user"]}


def _remove_member(call: Call) -> None:
    rows = MEMBER.rows(call.store, {**MEMBER.owned(call), "user": call.body["user"]})
    if not rows:
        raise not_found(MEMBER.name)
    call.store.execute("DELETE FROM enterprise WHERE id = ?", rows[0]["id"])


def _sync(call: Call) -> Any:
    """There is no bucket, so there is nothing in it."""
    row = {**IMPORT_S3S.find(call), "last_sync": call.now(), "last_sync_count": 0}
    return IMPORT_S3S.shown(call, IMPORT_S3S.save(call, {**row, "status": "completed"}))


def _annotate_many(call: Call) -> Any:
    chosen, project = call.body.get("selectedItems"), call.body.get("project")
    if call.body.get("tasks"):
        ids = call.body["tasks"]
    elif chosen is None or project is None:
        raise invalid({"tasks": ["Give tasks, or selectedItems and their project."]})
    elif chosen.get("all"):
        rows = call.store.rows("SELECT id FROM task WHERE project_id = ? ORDER BY id", project)
        ids = [row["id"] for row in rows if row["id"] not in chosen.get("excluded", ())]
    else:
        ids = chosen.get("included", [])
    for pk in ids:
        task = _get(call.store, "task", pk)
        if task is None or project not in (None, task["project_id"]):
            raise invalid({"tasks": [f'Invalid pk "{pk}" - object does not exist.']})
    result = call.body.get("result", [])
    body = {"result": result if isinstance(result, list) else [result]}
    body |= {name: call.body[name] for name in ("lead_time",) if name in call.body}
    answers = [create_annotation(evolve(call.request, body=body), pk) for pk in ids]
    return [{"id": answer.body["id"]} for answer in answers]


# A run, and a refinement, are a step further each time that somebody looks.
_NEXT = {"Pending": "InProgress", "InProgress": "Completed"}


def _look_at_run(call: Call) -> Any:
    """The newest run of a version on that part of the project: one, where others answer lists."""
    version = PROMPT_VERSION.find(call)
    runs = RUN.rows(call.store, {"model_version": version["id"], **call.query})
    if not runs:
        raise not_found(RUN.name)
    row = runs[-1]
    if row["status"] in _NEXT:
        row["status"] = _NEXT[row["status"]]
        row["triggered_at" if row["status"] == "InProgress" else "completed_at"] = call.now()
    return RUN.shown(call, RUN.save(call, row))


def _tasks_of_run(call: Call, items: list[Row], name: str) -> tuple[Row, list[Row]]:
    run = call.find(RUN.name, call.body["modelrun_id"])
    errors: Row = {}
    tasks = []
    for index, item in enumerate(items):
        task = _get(call.store, "task", item.get("task_id"))
        if task is None or task["project_id"] != run["project"]:
            text = f'Invalid pk "{item.get("task_id")}" - no task of project {run["project"]}.'
            errors[str(index)] = {"task_id": [text]}
        else:
            tasks.append(task)
    if errors:
        raise invalid({name: errors})
    return run, tasks


def _submit_predictions(call: Call) -> Any:
    results = call.body["results"]
    run, tasks = _tasks_of_run(call, results, "results")
    version = call.find(PROMPT_VERSION.name, run["model_version"])
    now = call.store.now()
    for task, item in zip(tasks, results, strict=True):
        prediction = {
            "result": dumps([{"value": item.get("output", {})}]),
            "model_version": version.get("title"),
            "model": version["parent_model"],
            "model_run": run["id"],
            "task_id": task["id"],
            "project_id": task["project_id"],
            "created_at": now,
            "updated_at": now,
        }
        call.store.insert("prediction", prediction)
        update_prediction_count(call.store, task["id"])
    run["predictions_updated_at"] = iso(now)
    RUN.save(call, {**run, "results": run.get("results", []) + results})
    return {"detail": f"{len(results)} predictions created."}


def _submit_failures(call: Call) -> Any:
    failed = call.body["failed_predictions"]
    run, _ = _tasks_of_run(call, failed, "failed_predictions")
    RUN.save(call, {**run, "failed": run.get("failed", []) + failed})
    return {"detail": f"{len(failed)} failed predictions noted."}


_SUMS = {
    "tokens": ("Tokens", ("prompt_tokens", "completion_tokens")),
    "cost": ("Cost in USD", ("total_cost_usd", "prompt_cost_usd", "completion_cost_usd")),
}


def _indicators(call: Call) -> dict[str, tuple[str, Row]]:
    """Title and values by key, counted from what was submitted to the run."""
    run = call.find(RUN.name, call.path[0])
    results, failed = run.get("results", []), run.get("failed", [])
    found = {"predictions": ("Predictions", {"submitted": len(results), "failed": len(failed)})}
    for key, (title, names) in _SUMS.items():
        found[key] = title, {name: sum(row.get(name) or 0 for row in results) for name in names}
    return found


def _list_indicators(call: Call) -> Any:
    items = []
    for key, (title, values) in _indicators(call).items():
        main, *others = values
        additional = [{"key": name, "label": name.replace("_", " ")} for name in others]
        item = {"key": key, "title": title, "main_kpi": str(values[main])}
        items.append({**item, "additional_kpis": additional, "extra_kpis": []})
    return items


def _get_indicator(call: Call) -> Any:
    found = _indicators(call).get(str(call.path[1]))
    if found is None:
        raise not_found("KeyIndicator")
    return {"title": found[0], "values": found[1]}


def _estimate_cost(call: Call) -> Any:
    PROMPT_VERSION.find(call)
    truth = "EXISTS(SELECT 1 FROM annotation WHERE task_id = task.id AND ground_truth)"
    condition = truth if call.query["project_subset"] == "HasGT" else "1"
    sql = f"SELECT COUNT(*) FROM task WHERE project_id = ? AND {condition}"
    tasks = call.store.value(sql, call.query["project_id"])
    tasks = min(tasks, 100) if call.query["project_subset"] == "Sample" else tasks
    return {
        "prompt_cost_usd": f"{tasks * 0.001:.3f}",
        "completion_cost_usd": f"{tasks * 0.002:.3f}",
        "total_cost_usd": f"{tasks * 0.003:.3f}",
        "is_error": False,
        "error_type": None,
        "error_message": None,
    }


def _refine(call: Call) -> Any:
    """At once, or as a job to look after: then the prompt is empty at first."""
    version = PROMPT_VERSION.find(call)
    if not call.query.get("async"):
        return _refined(call, version, {"status": "Completed", "job": None})
    job = {"status": "InProgress", "job": str(uuid.uuid4())}
    PROMPT_VERSION.save(call, {**version, "jobs": [*version.get("jobs", []), {**job, "looks": 0}]})
    return _refined(call, version, job)


def _look_at_refinement(call: Call) -> Any:
    version = PROMPT_VERSION.find(call)
    for job in version.get("jobs", []):
        if job["job"] == call.query["refinement_job_id"]:
            job["looks"] += 1
            job["status"] = "Completed" if job["looks"] > 1 else "InProgress"
            PROMPT_VERSION.save(call, version)
            return _refined(call, version, job)
    raise not_found("RefinementJob")


def _refined(call: Call, version: Row, job: Row) -> Row:
    done = job["status"] == "Completed"
    return {
        "title": f"{version.get('title') or 'Prompt'}, refined" if done else None,
        "reasoning": "Said what to answer with." if done else None,
        "prompt": f"{version.get('prompt') or ''}\nAnswer with nothing else." if done else "",
        "refinement_job_id": job["job"],
        "refinement_status": job["status"],
        "total_cost": "0.003" if done else None,
        "previous_version": PROMPT_VERSION.shown(call, version),
    }


for _kind in (
    COMMENT, PAUSE, WORKSPACE, MODEL_PROVIDER, PROMPT, PROMPT_VERSION, EXPORT_S3S, IMPORT_S3S
):  # fmt: skip
    for _name, _function in _METHODS.items():
        _serve(
            f"{_kind.group}.{_name}",
            partial(_function, _kind),
            _kind.requires if _name == "create" else (),
        )
_serve("workspaces.members.list", _list_members)
_serve("workspaces.members.create", _add_member, ["user"])
_serve("workspaces.members.delete", _remove_member, ["user"])
_serve("prompts.runs.list", _look_at_run)
_serve("prompts.runs.create", partial(_create, RUN))
_serve("prompts.indicators.list", _list_indicators)
_serve("prompts.indicators.get", _get_indicator)
_serve("prompts.batch_predictions", _submit_predictions, ["modelrun_id", "results"])
_serve("prompts.batch_failed_predictions", _submit_failures, ["modelrun_id", "failed_predictions"])
_serve("prompts.versions.cost_estimate", _estimate_cost)
_serve("prompts.versions.refine_prompt", _refine)
_serve("prompts.versions.get_refined_prompt", _look_at_refinement)
_serve("annotations.create_bulk", _annotate_many)
_serve("import_storage.s3s.sync", _sync)
for _storage in (EXPORT_S3S, IMPORT_S3S):
    _serve(f"{_storage.group}.validate", lambda call: None, _storage.requires)
