"""The shared parts of operations on tasks: finding tasks, and updating what follows from others."""

from __future__ import annotations

from typing import Any

from .._state.store import Row, Store
from .._wire.answers import not_found, not_implemented
from .._wire.requests import Request


def find_task(request: Request, pk: int) -> Row:
    """Return a task; 404 when it does not exist or no longer belongs to a project."""
    row = request.fake.store.get("task", pk) if pk < 2**63 else None
    if row is None or row["project_id"] is None:
        raise not_found("Task")
    return row


def find_project(request: Request, pk: Any) -> Row:
    """Return a project; 404 when it does not exist."""
    row = request.fake.store.get("project", pk) if isinstance(pk, (int, str)) else None
    if row is None:
        raise not_found("Project")
    return row


def update_is_labeled(store: Store, task_id: int) -> None:
    """Update whether a task is labelled.

    It is when as many users as its overlap have annotated it; annotations without a user, such as
    imported ones, count as those of one more.
    """
    store.execute(
        """UPDATE task SET is_labeled = (SELECT COUNT(*) FROM (
             SELECT DISTINCT a.completed_by_id FROM annotation a, project p
             WHERE a.task_id = task.id AND p.id = task.project_id
             AND (p.skip_queue = 'IGNORE_SKIPPED' OR (NOT a.was_cancelled AND a.result IS NOT NULL))
           )) >= overlap WHERE id = ?""",
        task_id,
    )


def update_is_labeled_bulk(store: Store, where: str, *parameters: Any) -> None:
    """Update whether tasks are labelled, after a change to many of them.

    The server counts differently here: annotations without a result count.
    """
    store.execute(
        f"""UPDATE task SET is_labeled = (
              SELECT COUNT(DISTINCT a.completed_by_id) FROM annotation a, project p
              WHERE a.task_id = task.id AND p.id = task.project_id
              AND (p.skip_queue = 'IGNORE_SKIPPED' OR NOT a.was_cancelled)
            ) >= overlap WHERE {where}""",
        *parameters,
    )


def update_counters(store: Store, where: str, *parameters: Any) -> None:
    """Count the annotations and predictions of tasks again."""
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
    """Count the annotations of a task again: the cancelled ones, or the others."""
    column = "cancelled_annotations" if cancelled else "total_annotations"
    store.execute(
        f"UPDATE task SET {column} = (SELECT COUNT(*) FROM annotation WHERE task_id = task.id "
        "AND was_cancelled = ?) WHERE id = ?",
        cancelled,
        task_id,
    )


def touch(request: Request, task_id: int) -> None:
    """Set the time and the user of a task's last change."""
    store = request.fake.store
    store.update("task", task_id, {"updated_at": store.now(), "updated_by_id": request.user["id"]})


def refuse_unsupported(data: dict[str, Any], *names: str) -> None:
    """Answer 501 when one of these fields has a value."""
    for name in names:
        if data.get(name):
            raise not_implemented(f"writing {name}")
