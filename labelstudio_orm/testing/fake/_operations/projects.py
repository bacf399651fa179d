"""Projects: settings, counters, labelling config."""

from __future__ import annotations

import secrets
from typing import Any

from .._checks.fields import (
    Field,
    FieldError,
    boolean,
    choice,
    integer,
    json_text,
    read,
    text,
    timestamp,
)
from .._effects import events
from .._formats import markup
from .._rows import serializers, summary
from .._rows.bookkeeping import find_project, update_is_labeled_bulk
from .._rows.enterprise import project_fields
from .._rows.project_columns import COUNTERS, FLAGS
from .._state.store import Row, Store, dumps, iso, loads
from .._wire.answers import Answer, Failure, crash, failure, invalid, not_implemented
from .._wire.requests import Request, paginate
from .._wire.routes import Routes

routes = Routes()

_DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(FLAGS, False),
    **dict.fromkeys(
        ("show_skip_button", "enable_empty_annotation", "show_collab_predictions"), True
    ),
    "title": "",
    "description": "",
    "label_config": "<View></View>",
    "expert_instruction": "",
    "color": "#FFFFFF",
    "maximum_annotations": 1,
    "model_version": "",
    "is_draft": False,
    "min_annotations_to_start_training": 0,
    "sampling": "Sequential sampling",
    "overlap_cohort_percentage": 100,
    "task_data_login": None,
    "task_data_password": None,
    "control_weights": "{}",
    "skip_queue": "REQUEUE_FOR_OTHERS",
    "pinned_at": None,
    "created_annotations": "{}",
    "created_labels": "{}",
    "created_labels_drafts": "{}",
}
_ORDERABLE = {*_DEFAULTS, *COUNTERS, "id", "created_at", "created_by", "organization"} - {
    "created_annotations"
}


def _color(value: Any) -> str:
    shown = text(longest=16)(value)
    try:
        if shown.startswith("#") and len(shown) == 7 and int(shown[1:], 16) >= 0:
            return str(shown)
    except ValueError:
        pass
    raise FieldError('Color must be in "#RRGGBB" format')


def _fields(store: Store) -> dict[str, Field]:
    return {
        **{name: Field(boolean) for name in (*FLAGS, "is_draft")},
        "title": Field(text(shortest=3, longest=50), null=True),
        "description": Field(text(), null=True),
        "label_config": Field(text(), null=True),
        "expert_instruction": Field(text(), null=True),
        "color": Field(_color, null=True),
        "maximum_annotations": Field(integer),
        "min_annotations_to_start_training": Field(integer),
        "overlap_cohort_percentage": Field(integer),
        "model_version": Field(text(), null=True),
        "sampling": Field(
            choice("Sequential sampling", "Uniform sampling", "Uncertainty sampling"), null=True
        ),
        "skip_queue": Field(
            choice("REQUEUE_FOR_ME", "REQUEUE_FOR_OTHERS", "IGNORE_SKIPPED"), null=True
        ),
        "task_data_login": Field(text(longest=256), null=True),
        "task_data_password": Field(text(longest=256), null=True),
        "control_weights": Field(json_text, null=True),
        "pinned_at": Field(timestamp, null=True),
    }


def _shown(request: Request, row: Row, *, counters: bool) -> Row:
    store, pk = request.fake.store, row["id"]
    me = request.user["id"]
    owner = store.get("user", row["created_by"])
    item = {name: row[name] for name in _DEFAULTS if not name.startswith("created_")}
    for name in (*FLAGS, "is_draft"):
        item[name] = bool(item[name])
    mine = (
        f"EXISTS(SELECT 1 FROM annotation a WHERE a.task_id = task.id AND a.completed_by_id = {me}"
    )
    unskipped = " AND NOT a.was_cancelled" if row["skip_queue"] == "REQUEUE_FOR_ME" else ""
    count = "SELECT COUNT(*) FROM task WHERE project_id = ?"
    controls = markup.controls(row["label_config"])
    item.update(
        {
            name: store.value(f"SELECT ({sql}) FROM project WHERE id = ?", pk) if counters else None
            for name, sql in COUNTERS.items()
        },
        id=pk,
        organization=1,
        created_by=serializers.user_short(store, owner) if owner else None,
        created_at=iso(row["created_at"]),
        pinned_at=iso(row["pinned_at"]),
        start_training_on_annotation_update=bool(row["min_annotations_to_start_training"]),
        control_weights=loads(row["control_weights"]),
        parsed_label_config=controls,
        config_has_control_tags=bool(controls),
        queue_total=store.value(f"{count} AND (NOT is_labeled OR {mine}))", pk),
        queue_done=store.value(f"{count} AND {mine}{unskipped})", pk),
        config_suitable_for_bulk_annotation=markup.suits_bulk_annotation(row["label_config"]),
        state=None,
        **({"workspace": row["workspace"]} if "workspace" in row else {}),
    )
    return item


@routes.add("GET", "/api/projects/")
def list_projects(request: Request) -> Any:
    return _list(
        request, lambda row: request.flex(_shown(request, row, counters=True)), counts=False
    )


@routes.add("GET", "/api/projects/counts/")
def list_counts(request: Request) -> Any:
    def shown(row: Row) -> Row:
        keep = request.names("include")
        sql = ", ".join(f"({query}) AS {name}" for name, query in COUNTERS.items())
        counts = request.fake.store.one(f"SELECT id, {sql} FROM project WHERE id = ?", row["id"])
        assert counts is not None
        return request.flex(
            {k: v if k == "id" or not keep or k in keep else None for k, v in counts.items()}
        )

    return _list(request, shown, counts=True)


def _list(request: Request, shown: Any, *, counts: bool) -> Any:
    store, query = request.fake.store, request.query
    where: list[str] = ["1"]
    parameters: list[Any] = []
    ids = query.get("ids")
    if ids:
        try:
            where.append(f"id IN ({', '.join(str(int(pk)) for pk in ids.split(','))})")
        except ValueError as error:
            raise crash(f"Field 'id' expected a number but got {ids!r}. {error}") from None
    if query.get("title"):
        escaped = (
            str(query.get("title")).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        )
        where.append("title LIKE ? ESCAPE '\\'")
        parameters.append(f"%{escaped}%")
    if request.fake.is_enterprise and "workspaces" in query:
        where.append("workspace = ?")
        parameters.append(query.integer("workspaces", 0))
    pinned = query.get("filter")
    if pinned in ("pinned_only", "exclude_pinned") and not counts:
        where.append(f"pinned_at IS {'NOT ' if pinned == 'pinned_only' else ''}NULL")
    order = "id" if counts else "pinned_at DESC NULLS LAST, created_at DESC"
    if not counts and query.get("ordering"):
        keys = [key.strip() for key in str(query.get("ordering")).split(",")]
        included = request.names("include")
        for key in keys:
            if (
                key.removeprefix("-") in COUNTERS
                and included is not None
                and key.removeprefix("-") not in included
            ):
                raise crash(f"Cannot resolve keyword '{key}' into field.")
        known = [key for key in keys if key.removeprefix("-") in _ORDERABLE]
        order = ", ".join(_order_key(key) for key in known) or order
    condition = " AND ".join(where)
    total = store.value(f"SELECT COUNT(*) FROM project WHERE {condition}", *parameters)
    page, offset, size = paginate(request, total, 30, 100)
    rows = store.rows(
        f"SELECT * FROM project WHERE {condition} ORDER BY {order} LIMIT ? OFFSET ?",
        *parameters,
        size,
        offset,
    )
    return {
        "count": total,
        "next": request.page_url(page + 1) if offset + size < total else None,
        "previous": request.page_url(page - 1) if page > 1 else None,
        "results": [shown(row) for row in rows],
    }


def _order_key(key: str) -> str:
    name = key.removeprefix("-")
    sql = f"({COUNTERS[name]})" if name in COUNTERS else "1" if name == "organization" else name
    return f"{sql}{' DESC' if key.startswith('-') else ''}"


@routes.add("POST", "/api/projects/")
def create_project(request: Request) -> Any:
    store, data = request.fake.store, request.data()
    columns = _read(request, data, None)
    config = columns.get("label_config", _DEFAULTS["label_config"])
    old = loads(columns.get("control_weights")) or {}
    columns["control_weights"] = dumps(markup.weights(config, old if isinstance(old, dict) else {}))
    pk = store.insert(
        "project",
        {
            **_DEFAULTS,
            **columns,
            "created_by": request.user["id"],
            "token": secrets.token_hex(20),
            "created_at": (now := store.now()),
            "updated_at": now,
        },
    )
    shown = _shown(request, find_project(request, pk), counters=False)
    return events.answer(request, "PROJECT_CREATED", pk, shown, 201)


def _read(request: Request, data: dict[str, Any], row: Row | None) -> dict[str, Any]:
    store = request.fake.store
    if data.get("organization") not in (None, 1, "1"):
        problem = f'Invalid pk "{data["organization"]}" - object does not exist.'
        raise invalid({"organization": [problem]})
    if data.get("created_by") is not None:
        if not isinstance(data["created_by"], dict):
            kind = type(data["created_by"]).__name__
            problem = f"Invalid data. Expected a dictionary, but got {kind}."
            raise invalid({"created_by": {"non_field_errors": [problem]}})
        raise crash("The `.update()` method does not support writable nested fields by default.")
    fields = {**_fields(store), **project_fields(request.fake)}
    columns = read(fields, data, partial=True)
    if "color" in data and data["color"] is None:
        raise crash("'NoneType' object has no attribute 'startswith'")
    if "label_config" in columns:
        if row is None:
            markup.check(columns["label_config"])
        else:
            summary.check_config(store, row, columns["label_config"])
    version = columns.get("model_version")
    if row is not None and "model_version" in columns and version not in ("", row["model_version"]):
        sql = (
            "SELECT 1 FROM prediction WHERE project_id = ?1 AND model_version = ?2 UNION "
            "SELECT 1 FROM ml_backend WHERE project_id = ?1 AND title = ?2"
        )
        if store.value(sql, row["id"], version) is None:
            problem = "Model version doesn't exist either as live model or as static predictions."
            raise invalid({"model_version": [problem]})
    if "start_training_on_annotation_update" in data:
        columns["min_annotations_to_start_training"] = int(
            data["start_training_on_annotation_update"]
        )
    if columns.get("overlap_cohort_percentage", 100) != 100:
        raise not_implemented("overlap_cohort_percentage other than 100")
    return columns


@routes.add("GET", "/api/projects/{id}/")
def get_project(request: Request, id: int) -> Any:
    row = find_project(request, id)
    keep = request.names("include")
    return request.flex(_shown(request, row, counters=keep is None or bool(keep & COUNTERS.keys())))


@routes.add("PATCH", "/api/projects/{id}/")
def update_project(request: Request, id: int) -> Any:
    store, data = request.fake.store, request.data()
    row = find_project(request, id)
    if data.get("label_config"):
        _parse_or_fail(data["label_config"])
    before = _shown(request, row, counters=True)
    columns = _read(request, data, row)
    if columns.get("show_collab_predictions") is False:
        columns["model_version"] = ""
    config = columns.get("label_config", row["label_config"])
    weights = loads(columns.get("control_weights", row["control_weights"]))
    if config and (config != row["label_config"] or not weights):
        columns["control_weights"] = dumps(markup.weights(config, weights or {}))
    store.update("project", id, {**columns, "updated_at": store.now()})
    overlap: Any = columns.get("maximum_annotations", row["maximum_annotations"])
    if overlap != row["maximum_annotations"]:
        # The same part of the tasks keeps a larger overlap.
        part = "overlap > 1" if overlap > 1 else "1"
        some = store.value(f"SELECT 1 FROM task WHERE project_id = ? AND {part}", id)
        condition = f"project_id = ? AND {part if some else '1'}"
        ids = [r["id"] for r in store.rows(f"SELECT id FROM task WHERE {condition}", id)]
        for pk in ids:
            store.update("task", pk, {"overlap": overlap})
        update_is_labeled_bulk(store, "project_id = ?", id)
    if columns.get("skip_queue", row["skip_queue"]) != row["skip_queue"]:
        update_is_labeled_bulk(
            store,
            "project_id = ? AND EXISTS(SELECT 1 FROM annotation a WHERE a.task_id = task.id "
            "AND NOT a.ground_truth)",
            id,
        )
    if summary.is_unused(store, id):
        summary.reset(store, id, drafts=True)
    shown = _shown(request, find_project(request, id), counters=False)
    shown.update((name, before[name]) for name in COUNTERS)  # counted before the change
    return events.answer(request, "PROJECT_UPDATED", id, shown)


def _parse_or_fail(config: Any) -> None:
    """Parse a config with the errors of the validation endpoint.

    The server answers a syntax error in another shape here, and a config that is no text with a
    500.
    """
    if not isinstance(config, str):
        raise crash(f"memoryview: a bytes-like object is required, not '{type(config).__name__}'")
    try:
        markup.parse_xml(config)
    except Failure as error:
        if error.status != 400:
            raise
        raise failure(400, error.body["validation_errors"]["label_config"][0]) from None


@routes.add("DELETE", "/api/projects/{id}/")
def delete_project(request: Request, id: int) -> Any:
    find_project(request, id)
    request.fake.store.execute("DELETE FROM project WHERE id = ?", id)
    return Answer(status=204)


@routes.add("POST", "/api/projects/validate/", public=True)
def validate_config(request: Request) -> Any:
    try:
        columns = read(
            {"label_config": Field(text(blank=False), required=True)}, request.data(), partial=False
        )
        markup.check(columns["label_config"])
    except Failure as error:
        if error.status != 400:
            raise
        raise Failure(400, error.body["validation_errors"]) from None
    return Answer(status=204)


@routes.add("POST", "/api/projects/{id}/validate/")
def validate_project_config(request: Request, id: int) -> Any:
    row = find_project(request, id)
    config = request.data().get("label_config")
    if not config:
        raise invalid("Label config is not set or is empty")
    _parse_or_fail(config)
    try:
        changed = markup.essentially_changed(config, row["label_config"])
        summary.check_config(request.fake.store, row, config, strict=True)
    except Failure as error:
        errors = error.body.get("validation_errors", {})
        raise invalid(
            errors.get("label_config") or errors.get("non_field_errors") or errors
        ) from None
    return {"config_essential_data_has_changed": changed}


@routes.add("GET", "/api/projects/{id}/summary/")
def read_summary(request: Request, id: int) -> Any:
    project = find_project(request, id)
    rows = request.fake.store.rows(
        "SELECT j.key AS key, COUNT(*) AS n FROM task, JSON_EACH(task.data) j "
        "WHERE task.project_id = ? GROUP BY j.key",
        id,
    )
    counted = ("created_annotations", "created_labels", "created_labels_drafts")
    return {
        "project": id,
        "all_data_columns": {row["key"]: row["n"] for row in rows},
        **{name: loads(project[name]) for name in counted},
    }


@routes.add("POST", "/api/projects/{id}/summary/reset/")
def recount_labels(request: Request, id: int) -> Any:
    find_project(request, id)
    store = request.fake.store
    summary.reset(store, id, drafts=True)
    rows = store.rows("SELECT result FROM annotation WHERE project_id = ? ORDER BY id", id)
    summary.count(store, id, [loads(row["result"]) for row in rows], 1)
    sql = (
        "SELECT task_id, result FROM draft WHERE task_id IN "
        "(SELECT id FROM task WHERE project_id = ?) ORDER BY id"
    )
    for row in store.rows(sql, id):
        summary.count_drafts(store, row["task_id"], [loads(row["result"])], 1)
    return None


@routes.add("GET", "/api/projects/{id}/annotators/")
def list_annotators(request: Request, id: int) -> Any:
    find_project(request, id)
    store = request.fake.store
    rows = store.rows(
        "SELECT * FROM user WHERE id IN (SELECT completed_by_id FROM annotation "
        "WHERE project_id = ?) ORDER BY id",
        id,
    )
    return [serializers.user_short(store, row) for row in rows]
