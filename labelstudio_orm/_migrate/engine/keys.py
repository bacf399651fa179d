"""Finds tasks by a key in their data, ``"data.image"``, in any project."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ..._engine.values.near import unknown
from ...errors import LabelStudioError
from ...resources._tasks.existing import ItemKey
from .fingerprints import digest

if TYPE_CHECKING:
    from ...resources.tasks import Tasks

T = TypeVar("T")

LOOK: Final = 100
"""Tasks whose keys are suggested in place of one that no task has."""


def fingerprint(value: Any) -> str | None:
    """Return what stands for the value of a key, as long values need not be held in memory.

    Fingerprints are equal where filters call the values equal. None stands for null, for an empty
    text, and for a missing value: tasks without an image have nothing in common.
    """
    return None if value is None or value == "" else digest(value)


def by_key(
    tasks: Tasks, key: ItemKey, form: Callable[[Any], Any] = lambda value: value
) -> Iterator[tuple[int, str | None]]:
    """Yield the ids of tasks and the fingerprints of their keys in this ``form``, by id."""
    for task in tasks.only(key.way.field.name).order_by().iterator():
        yield task.id, fingerprint(form(key.way.value(task)))


def ids_by_key(
    pairs: Iterable[tuple[int, str | None]],
) -> tuple[dict[str, tuple[int, ...]], list[int]]:
    """Return the ids of tasks by the fingerprints of their keys, and of those that have none."""
    found: dict[str, tuple[int, ...]] = {}
    without: list[int] = []
    for id, value in pairs:
        if value is None:
            without.append(id)
        else:
            found[value] = (*found.get(value, ()), id)
    return found, without


# -- errors of keys -------------------------------------------------------------------------------


def no_key(key: ItemKey, what: str, rows: Iterable[Mapping[str, Any]]) -> ValueError:
    """Return the error for a missing key, which suggests similar ones.

    ``what`` is the beginning of the sentence, up to the key; ``rows`` are tasks with data and meta.
    """
    known = {name for row in rows for name in _names(row, 1 + len(key.way.path)) if "." in name}
    return ValueError(unknown(what, str(key), sorted(known - {str(key)})))


def first_rows(tasks: Tasks) -> list[dict[str, Any]]:
    """Return the data and meta of a few tasks. One request."""
    return [{"data": task.data, "meta": task.meta} for task in tasks.only("data", "meta")[:LOOK]]


def _names(value: Any, depth: int) -> Iterator[str]:
    """Yield the keys of nested JSON, with dots."""
    for name, inner in value.items() if isinstance(value, Mapping) and depth else ():
        yield name
        yield from (f"{name}.{more}" for more in _names(inner, depth - 1))


def choose(what: str, rule: Callable[[Sequence[T]], T], tasks: Sequence[T], about: object) -> T:
    """Return the task that a rule chooses; raise ValueError for a function that chooses none."""
    with asking(what, about):
        found = rule(tuple(tasks))
    if found not in tasks:
        raise ValueError(f"{what}: {found!r:.80} is none of the tasks {about!r:.200}")
    return found


@contextmanager
def asking(what: str, about: object) -> Iterator[None]:
    """Make an error of the caller's function say what the function was called with."""
    try:
        yield
    except LabelStudioError:
        raise
    except Exception as error:
        raise ValueError(f"{what} raised {error!r} for {about!r:.200}") from error
