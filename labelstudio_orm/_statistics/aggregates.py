"""The aggregates of ``aggregate()``, by the names that Django gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from .._engine.conditions.places import Place, text_of
from .counts import as_table, hashable, order

if TYPE_CHECKING:
    import pandas


class Aggregate:
    """One figure of the values of a name; nulls do not count. Without any values it is None.

    The name is one that ``values()`` takes: a field, or a key of ``data``.
    """

    kind: ClassVar[str]

    def __init__(self, name: str | Place) -> None:
        self.name: str = text_of(name)

    @property
    def alias(self) -> str:
        """The name of the figure where none is given: ``score__avg``."""
        return f"{self.name}__{self.kind}"

    def start(self) -> Any:
        """Return the state before the first value."""
        return None

    def step(self, folded: Any, value: Any) -> Any:
        """Return the state after one more value."""
        raise NotImplementedError

    def end(self, folded: Any) -> Any:
        """Return the figure of a state."""
        return folded

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class Count(Aggregate):
    """The number of objects, or of the values of a name that are not null.

    ``distinct``: each value once.

    >>> project.tasks.aggregate(n=Count(), languages=Count("data__lang", distinct=True))
    {'n': 4, 'languages': 1}
    """

    kind = "count"

    def __init__(self, name: str | Place | None = None, *, distinct: bool = False) -> None:
        super().__init__("" if name is None else name)
        self.distinct = distinct
        if distinct and not self.name:
            raise TypeError("Count(distinct=True) needs the name of what is counted")

    @property
    def alias(self) -> str:
        """The name of the figure where none is given: ``data__lang__count``, or ``count``."""
        return super().alias if self.name else self.kind

    def start(self) -> Any:
        """Return the state before the first value."""
        return set() if self.distinct else 0

    def step(self, folded: Any, value: Any) -> Any:
        """Return the state after one more value."""
        if not self.distinct:
            return folded + 1
        folded.add(hashable(value))
        return folded

    def end(self, folded: Any) -> Any:
        """Return the number."""
        return len(folded) if self.distinct else folded

    def __repr__(self) -> str:
        distinct = ", distinct=True" if self.distinct else ""
        return f"Count({repr(self.name) if self.name else ''}{distinct})"


class Sum(Aggregate):
    """The sum of numbers; True counts as 1. TypeError for what is no number.

    >>> project.tasks.aggregate(Sum("total_annotations"))
    {'total_annotations__sum': 1}
    """

    kind = "sum"

    def step(self, folded: Any, value: Any) -> Any:
        """Return the state after one more value."""
        return value_of(self, value) if folded is None else folded + value_of(self, value)


class Avg(Aggregate):
    """The mean of numbers. TypeError for what is no number.

    >>> project.predictions.aggregate(score=Avg("score"))
    {'score': 0.7}
    """

    kind = "avg"

    def start(self) -> Any:
        """Return the state before the first value."""
        return 0, 0

    def step(self, folded: Any, value: Any) -> Any:
        """Return the state after one more value."""
        return folded[0] + value_of(self, value), folded[1] + 1

    def end(self, folded: Any) -> Any:
        """Return the mean."""
        return folded[0] / folded[1] if folded[1] else None


class Min(Aggregate):
    """The least value, in the order of ``order_by``.

    >>> project.tasks.aggregate(Min("id"))
    {'id__min': 1}
    """

    kind = "min"

    def step(self, folded: Any, value: Any) -> Any:
        """Return the state after one more value."""
        return value if folded is None or order(value) < order(folded) else folded


class Max(Aggregate):
    """The greatest value, in the order of ``order_by``.

    >>> project.tasks.aggregate(last=Max("created_at"))["last"] > project.created_at
    True
    """

    kind = "max"

    def step(self, folded: Any, value: Any) -> Any:
        """Return the state after one more value."""
        return value if folded is None or order(value) > order(folded) else folded


def value_of(aggregate: Aggregate, value: Any) -> Any:
    """Return a value if it is a number, else raise TypeError."""
    if not isinstance(value, (int, float)):
        raise TypeError(f"{aggregate}: {value!r:.80} is not a number")
    return value


class Figures(dict[str, Any]):
    """The figures of ``aggregate()`` by their names, as a dict."""

    def to_pandas(self) -> pandas.DataFrame:
        """Return a table of one row. Raises ImportError without pandas (extra ``[pandas]``)."""
        return as_table(list(self), [list(self.values())])


def named(given: Iterable[Any], aliased: Mapping[str, Any]) -> dict[str, Aggregate]:
    """Return aggregates by their names. Raises TypeError for anything else, or a name twice."""
    given = list(given)
    for one in [*given, *aliased.values()]:
        if not isinstance(one, Aggregate):
            raise TypeError(f"aggregate() takes Count, Sum, Avg, Min and Max, not {one!r:.80}")
    found = {one.alias: one for one in given}
    twice = sorted(found.keys() & aliased.keys())
    if twice or len(found) < len(given):
        raise TypeError(f"aggregate(): two figures have one name: {twice or sorted(found)}")
    if not found and not aliased:
        raise TypeError("aggregate() needs a figure: aggregate(n=Count())")
    return {**found, **aliased}
