"""The events that webhooks receive.

A real server sends each event while it answers the request that caused it. Here nothing is sent:
``FakeLabelStudio.delivered`` is the list of what would have been.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define

from .._formats import markup
from .._rows import serializers
from .._rows.project_columns import COUNTERS, FLAGS
from .._state.state import Delivery
from .._state.store import Row, Store, id_list, iso, loads
from .._wire.answers import Answer, crash
from .._wire.requests import Request

_BATCH = 5000  # objects in one delivery


@define(frozen=True)
class Event:
    """An action that webhooks can receive.

    ``key`` is the name of the objects in the payload; ``table`` is where they are stored, None when
    the payload has only their ids, since they are deleted already.
    """

    name: str
    key: str
    table: str | None = None
    many: bool = False
    organization_only: bool = False


EVENTS = {
    "PROJECT_CREATED": Event("Project created", "project", organization_only=True),
    "PROJECT_UPDATED": Event("Project updated", "project", "project"),
    "PROJECT_DELETED": Event("Project deleted", "project", organization_only=True),
    "TASKS_CREATED": Event("Task created", "tasks", "task", many=True),
    "TASKS_DELETED": Event("Task deleted", "tasks", many=True),
    "ANNOTATION_CREATED": Event("Annotation created", "annotation", "annotation"),
    "ANNOTATIONS_CREATED": Event("Annotations created", "annotation", "annotation", many=True),
    "ANNOTATION_UPDATED": Event("Annotation updated", "annotation", "annotation"),
    "ANNOTATIONS_DELETED": Event("Annotation deleted", "annotations", many=True),
    "LABEL_LINK_CREATED": Event("Label link created", "label_link"),
    "LABEL_LINK_UPDATED": Event("Label link updated", "label_link"),
    "LABEL_LINK_DELETED": Event("Label link deleted", "label_link"),
}
"""Every action. Those of an organization and of label links never happen here."""


def emit(request: Request, action: str, project_id: int, ids: Iterable[int]) -> None:
    """Deliver an action on objects of a project to the project's webhooks."""
    store = request.fake.store
    hooks = store.rows(
        "SELECT * FROM webhook WHERE project_id = ? AND is_active AND (send_for_all_actions OR "
        "EXISTS(SELECT 1 FROM webhook_action a WHERE a.webhook_id = webhook.id AND a.action = ?)) "
        "ORDER BY id",
        project_id,
        action,
    )
    if not hooks:
        return
    numbers = list(ids)
    for start in range(0, len(numbers), _BATCH):
        content = _content(store, EVENTS[action], project_id, numbers[start : start + _BATCH])
        for hook in hooks:
            payload = {"action": action, **(content if hook["send_payload"] else {})}
            request.fake.delivered.append(Delivery(hook["url"], payload))


def answer(request: Request, action: str, project_id: int, item: Row, status: int = 200) -> Answer:
    """Return the answer to a write that emits an event.

    The server finds the object by the id in its own answer: when ``include`` or ``omit`` keep that
    out, the object is written, no event is emitted, and the answer is a 500.
    """
    shown = request.flex(item)
    if "id" in shown:
        emit(request, action, project_id, [item["id"]])
        return Answer(shown, status)
    error = crash(f"{EVENTS[action].key.capitalize()} matching query does not exist.")
    return Answer(error.body, error.status)


def _content(store: Store, event: Event, project_id: int, ids: list[int]) -> Row:
    rows = [{"id": pk} for pk in ids]
    if event.table is not None:
        rows = [_SHOWN[event.table](store, row) for row in _rows(store, event.table, ids)]
    content: Row = {event.key: rows if event.many else rows[0]}
    (project,) = _rows(store, "project", [project_id])
    content["project"] = _project(store, project)
    if event.table == "annotation":
        found = _rows(store, "task", {row["task"] for row in rows})
        tasks = {task["id"]: serializers.task_full(store, task) for task in found}
        nested = [tasks[row["task"]] for row in rows]
        content["task"] = nested if event.many else nested[0]
    return content


def _rows(store: Store, table: str, ids: Iterable[int]) -> list[Row]:
    return store.rows(f"SELECT * FROM {table} WHERE id IN {id_list(ids)} ORDER BY id")


def _project(store: Store, row: Row) -> Row:
    counts = ", ".join(f"({sql}) AS {name}" for name, sql in COUNTERS.items())
    shown = store.one(f"SELECT project.*, {counts} FROM project WHERE id = ?", row["id"])
    assert shown is not None
    for name in ("created_annotations", "created_labels", "created_labels_drafts"):
        del shown[name]
    for name in ("created_at", "updated_at", "pinned_at"):
        shown[name] = iso(shown[name])
    for name in (*FLAGS, "is_draft"):
        shown[name] = bool(shown[name])
    return {
        **shown,
        "control_weights": loads(row["control_weights"]),
        "parsed_label_config": markup.controls(row["label_config"]),
        "data_types": markup.data_types(row["label_config"]),
        "label_config_hash": hash(row["label_config"]),
        "result_count": 0,
        "organization": 1,
        **dict.fromkeys(
            ("custom_task_lock_ttl", "deleted_at", "purge_at", "search_vector", "deleted_by")
        ),
    }


def _annotation(store: Store, row: Row) -> Row:
    return serializers.annotation(store, row, export=True)


_SHOWN = {"project": _project, "task": serializers.task_full, "annotation": _annotation}
