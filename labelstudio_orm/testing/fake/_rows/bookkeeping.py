"""What all that changes tasks has in common: finding them, and keeping their columns right."""

from __future__ import annotations

from typing import Any

from .._state.store import Row, Store
from .._wire.answers import not_found, not_implemented
from .._wire.requests import Request


def find_task(request: Request, pk: int) -> Row:
    """404 for a task that does not exist, or no longer belongs to a project."""
    row = request.fake.store.get("task", pk) if pk < 2**63 else None
    if row is None or row["project_id"] is None:
        raise not_found("Task")
    return row


def find_project(request: Request, pk: Any) -> Row:
    """404 for a project that does not exist."""
    row = request.fake.store.get("project", pk) if isinstance(pk, (int, str)) else None
    if row is None:
        raise not_found("Project")
    return row


def update_is_labeled(store: Store, task_id: int) -> None:
    """A task is labelled when as many users as its overlap have annotated it; nobody (whom imported
    annotations are by) counts as one."""
    store.execute(
        """UPDATE task SET is_labeled = (SELECT COUNT(*) FROM (
             SELECT DISTINCT a.completed_by_id FROM annotation a, project p
             WHERE a.task_id = task.id AND p.id = task.project_id
             AND (p.skip_queue = 'IGNORE_SKIPPED' OR (NOT a.was_cancelled AND a.result IS NOT NULL))
           )) >= overlap WHERE id = ?""",
        task_id,
    )


def update_is_labeled_bulk(store: Store, where: str, *parameters: Any) -> None:
    """The same for many tasks; here the server counts differently (annotations without a result
    count)."""
    store.execute(
        f"""UPDATE task SET is_labeled = (
              SELECT COUNT(DISTINCT a.completed_by_id) FROM annotation a, project p
              WHERE a.task_id = task.id AND p.id = task.project_id
              AND (p.skip_queue = 'IGNORE_SKIPPED' OR NOT a.was_cancelled)
            ) >= overlap WHERE {where}""",
        *parameters,
    )


def update_counters(store: Store, where: str, *parameters: Any) -> None:
    """Counts the annotations and predictions of tasks anew."""
    store.execute(
        f"""UPDATE task SET
              total_annotations = (SELECT COUNT(*) FROM annotation a
                                   WHERE a.task_id = task.id AND NOT was_cancelled),
              cancelled_annotations = (SELECT COUNT(*) FROM annotation a
                                       WHERE a.task_id = task.id AND was_cancelled),
              total_predictions = (SELECT COUNT(*) FROM prediction p WHERE p.task_id = task.id)
            WHERE {where}""",
        *parameters,
    )


def count_annotations(store: Store, task_id: int, *, cancelled: bool) -> None:
    """Counts the annotations of one task anew: the cancelled ones, or the others."""
    column = "cancelled_annotations" if cancelled else "total_annotations"
    store.execute(
        f"UPDATE task SET {column} = (SELECT COUNT(*) FROM annotation WHERE task_id = task.id "
        "AND was_cancelled = ?) WHERE id = ?",
        cancelled,
        task_id,
    )


def touch(request: Request, task_id: int) -> None:
    """Somebody did something to the task."""
    store = request.fake.store
    store.update("task", task_id, {"updated_at": store.now(), "updated_by_id": request.user["id"]})


def unsupported(data: dict[str, Any], *names: str) -> None:
    """501 when there is a value for one of these fields."""
    for name in names:
        if data.get(name):
            raise not_implemented(f"writing {name}")
