"""Rows of another shape than objects: what ``values()`` and ``values_list()`` give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar, overload

V = TypeVar("V")


class Objects(Protocol):
    """What rows are made of: a queryset."""

    def iterator(self, *, workers: int | None = None) -> Iterator[Any]:
        """Yield the objects, streamed."""

    def count(self) -> int:
        """Return how many there are."""

    def first(self) -> Any:
        """Return the first object, or None."""

    def __iter__(self) -> Iterator[Any]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: Any) -> Any: ...


class Rows(Generic[V]):
    """The rows of ``values()`` and ``values_list()``.

    They are lazy, and may be looped again, counted, indexed and sliced.
    """

    def __init__(self, objects: Objects, shape: Callable[[Any], V]) -> None:
        self._objects, self._shape = objects, shape

    def __iter__(self) -> Iterator[V]:
        return map(self._shape, self._objects)

    def iterator(self, *, workers: int | None = None) -> Iterator[V]:
        """Yield the rows, streamed in constant memory, as ``QuerySet.iterator`` does."""
        return map(self._shape, self._objects.iterator(workers=workers))

    def __len__(self) -> int:
        return len(self._objects)

    def count(self) -> int:
        """Return how many rows there are, as ``QuerySet.count`` does."""
        return self._objects.count()

    def first(self) -> V | None:
        """Return the first row, or None."""
        obj = self._objects.first()
        return None if obj is None else self._shape(obj)

    @overload
    def __getitem__(self, index: int) -> V: ...
    @overload
    def __getitem__(self, index: slice) -> Rows[V]: ...
    def __getitem__(self, index: int | slice) -> V | Rows[V]:
        if isinstance(index, slice):
            return Rows(self._objects[index], self._shape)
        return self._shape(self._objects[index])

    def __repr__(self) -> str:
        return f"<Rows of {self._objects!r}>"
