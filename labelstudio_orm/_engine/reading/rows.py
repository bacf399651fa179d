"""Rows of another shape than objects: what ``values()`` and ``values_list()`` give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    from ..models.queryset import QuerySet

V = TypeVar("V")


class Rows(Generic[V]):
    """The rows of ``values()`` and ``values_list()``: lazy, may be looped again, counted, indexed
    and sliced.
    """

    def __init__(self, objects: QuerySet[Any], shape: Callable[[Any], V]) -> None:
        self._objects, self._shape = objects, shape

    def __iter__(self) -> Iterator[V]:
        return map(self._shape, self._objects)

    def iterator(self, *, workers: int | None = None) -> Iterator[V]:
        """The rows, streamed: constant memory. ``workers``: see ``QuerySet.iterator``."""
        return map(self._shape, self._objects.iterator(workers=workers))

    def __len__(self) -> int:
        return len(self._objects)

    def count(self) -> int:
        """How many rows: see ``QuerySet.count``."""
        return self._objects.count()

    def first(self) -> V | None:
        """The first row, or None."""
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
