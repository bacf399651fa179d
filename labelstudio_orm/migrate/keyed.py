"""Tasks by a key in their data, ``"data.image"``, whatever project they are in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..bulk.known import ItemKey
from .content import digest

if TYPE_CHECKING:
    from ..resources.tasks import Task, Tasks


def fingerprint(value: Any) -> str | None:
    """What stands for the value of a key, so that long ones need not be held in memory; equal where
    filters call two values equal. None for null, and for what is missing.
    """
    return None if value is None else digest(value)


def by_key(tasks: Tasks, key: str) -> Iterator[tuple[int, str | None]]:
    """The ids of tasks and the fingerprint of their key, streamed by id. Raises FieldError for what
    is no key of data or meta.
    """
    told = ItemKey.of(tasks, key)
    for task in tasks.only(told.way.field.name).order_by().iterator():
        yield task.id, fingerprint(told.way.value(task))


def with_ids(tasks: Tasks, ids: Sequence[int], *names: str) -> dict[int, Task]:
    """Some tasks by id as they are now, with just these fields; without names with all of them,
    and their annotations and predictions.
    """
    if not ids:
        return {}
    found = tasks.filter(id__in=list(ids))
    found = found.only(*names) if names else found.prefetch("annotations", "predictions")
    return {task.id: task for task in found.iterator()}
