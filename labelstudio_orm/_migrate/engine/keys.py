"""Tasks by a key in their data, ``"data.image"``, whatever project they are in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from ..._engine.values.near import unknown
from ...errors import LabelStudioError
from ...resources._tasks.existing import ItemKey
from .fingerprints import digest

if TYPE_CHECKING:
    from ...resources.tasks import Task, Tasks

LOOK: Final = 100
"""Tasks whose keys are named to who asked for another one."""


def fingerprint(value: Any) -> str | None:
    """What stands for the value of a key, so that long ones need not be held in memory; equal where
    filters call two values equal. None for null, for an empty text, and for what is missing: tasks
    without an image have nothing in common.
    """
    return None if value is None or value == "" else digest(value)


def by_key(tasks: Tasks, key: ItemKey) -> Iterator[tuple[int, str | None]]:
    """The ids of tasks and the fingerprint of their key, streamed by id."""
    for task in tasks.only(key.way.field.name).order_by().iterator():
        yield task.id, fingerprint(key.way.value(task))


def with_ids(tasks: Tasks, ids: Sequence[int], *names: str) -> dict[int, Task]:
    """Some tasks by id as they are now, with just these fields; without names with all of them,
    and their annotations and predictions.
    """
    if not ids:
        return {}
    found = tasks.filter(id__in=list(ids))
    found = found.only(*names) if names else found.prefetch("annotations", "predictions")
    return {task.id: task for task in found.iterator()}


# -- what goes wrong with keys --------------------------------------------------------------------


def no_key(key: ItemKey, what: str, rows: Iterable[Mapping[str, Any]]) -> ValueError:
    """The error that a key is not there, with near ones that are; ``what``: the beginning of the
    sentence, up to the key; ``rows``: tasks in the full form.
    """
    known = {name for row in rows for name in _names(row, 1 + len(key.way.path)) if "." in name}
    return ValueError(unknown(what, str(key), sorted(known - {str(key)})))


def first_rows(tasks: Tasks) -> list[dict[str, Any]]:
    """A few tasks in the full form of an item. One request."""
    return [{"data": task.data, "meta": task.meta} for task in tasks.only("data", "meta")[:LOOK]]


def _names(value: Any, depth: int) -> Iterator[str]:
    """The keys of nested JSON, with dots."""
    for name, inner in value.items() if isinstance(value, Mapping) and depth else ():
        yield name
        yield from (f"{name}.{more}" for more in _names(inner, depth - 1))


@contextmanager
def asking(what: str, about: object) -> Iterator[None]:
    """Let an error in a function of the caller's name what that was asked about."""
    try:
        yield
    except LabelStudioError:
        raise
    except Exception as error:
        raise ValueError(f"{what} raised {error!r} for {about!r:.200}") from error
