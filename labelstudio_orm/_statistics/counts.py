"""Small tables of counts: what ``count_by``, ``per_day`` and ``labels.counts`` give."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from .. import _html, _statistics
from .._engine.conditions.ordering import sortable
from .._engine.values.brief import cut
from .._engine.values.extras import extra

if TYPE_CHECKING:
    import os

    import pandas

SHOWN: Final = 20
"""Rows and columns that a ``repr`` shows."""


class Counts(Mapping[Any, int]):
    """How many there are of each value, as a dict that answers 0 for a value without any.

    With several ``names`` the keys are tuples, a value of each. ``str()`` and ``repr()`` are the
    table as text, of two names with a column for each value of the second one. A list among the
    values is a tuple, an object of JSON its text; ``True`` and ``1`` count as one value, as in
    every dict.

    >>> project.tasks.count_by("data__lang")
    data__lang  count
    None            3
    de              1
    >>> project.annotations.count_by("sentiment", by="completed_by")["Positive", 1]
    1
    """

    def __init__(self, names: Sequence[str], counts: Mapping[Any, int]) -> None:
        self.names = tuple(names)
        self._counts = dict(counts)

    def __getitem__(self, key: Any) -> int:
        found: int = self._counts.get(hashable(key), 0)
        return found

    def __contains__(self, key: object) -> bool:
        return hashable(key) in self._counts

    def __iter__(self) -> Iterator[Any]:
        return iter(self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    @property
    def total(self) -> int:
        """The sum of all counts."""
        return sum(self._counts.values())

    def to_pandas(self) -> pandas.DataFrame:
        """Return a table with a column for each of the names, and one of the counts.

        Raises ImportError without pandas (the extra ``[pandas]``).

        >>> project.tasks.count_by("data__lang").to_pandas()["count"].sum()
        np.int64(4)
        """
        return as_table(
            [*self.names, "count"], [[*row, self._counts[key]] for key, row in self._rows]
        )

    def plot(self, path: str | os.PathLike[str] | None = None, *, title: str | None = None) -> Any:
        """Draw the counts as bars, by the second name in colours, days as a line of time.

        Args:
            path: A file to write, in the format of its suffix; its folder must exist.
            title: Shown above the bars.

        Returns the figure of matplotlib, which a notebook shows. Raises ImportError without
        matplotlib (the extra ``[plot]``).

        >>> figure = project.annotations.count_by("sentiment", by="completed_by").plot("bars.png")
        """
        return _statistics.plots.bars(self, path, title)

    @property
    def _rows(self) -> list[tuple[Any, tuple[Any, ...]]]:
        """The keys, each with its values by name."""
        return [(key, key if len(self.names) > 1 else (key,)) for key in self._counts]

    def cross(self) -> tuple[list[Any], list[Any]]:
        """Return the values of the first name, and those of the second, in their order.

        Without a second name there is one value, the text ``count``.
        """
        if len(self.names) != 2:
            return list(self._counts), ["count"]
        found = [list(dict.fromkeys(row)) for row in zip(*self._counts, strict=True)] or [[], []]
        return found[0], sorted(found[1], key=order)

    def __repr__(self) -> str:
        head, rows, more = self._table()
        left = 1 if len(self.names) == 2 else len(self.names)
        return text_table(head, rows, left) + (f"\n({more})" if more else "")

    def _repr_html_(self) -> str:
        head, rows, more = self._table()
        if len(rows) > _ROWS:
            more = f"{len(rows) - _ROWS:,} more rows" + (f", {more}" if more else "")
        return _html.markup.framed(_html.tables.table(head, rows[:_ROWS]), more)

    def _table(self) -> tuple[list[str], list[list[str]], str]:
        """Return the heading, the rows, and what is said of columns that are not shown."""
        if len(self.names) != 2:
            rows = [[*map(shown, row), str(self._counts[key])] for key, row in self._rows]
            return [*self.names, "count"], rows, ""
        values, across = self.cross()
        head = [" / ".join(self.names), *map(shown, across[:SHOWN])]
        rows = [[shown(one), *(str(self[one, by]) for by in across[:SHOWN])] for one in values]
        more = len(across) - SHOWN
        return head, rows, f"{more:,} more columns" if more > 0 else ""


_ROWS: Final = 50
"""Rows that a notebook shows."""

_WIDE: Final = 40
"""Characters of a cell, at most."""


def counted(
    names: Sequence[str], found: Iterable[Sequence[Iterable[Any]]], *, by_value: bool = False
) -> Counts:
    """Return how often each combination of values was found, the most frequent one first.

    ``found`` has for each object the values that it has of each name. ``by_value``: in the order
    of the values.
    """
    counts: Counter[Any] = Counter()
    for values in found:
        keys = product(*([hashable(one) for one in some] for some in values))
        counts.update((key if len(names) > 1 else key[0]) for key in keys)
    return in_order(names, counts, by_value=by_value)


def in_order(names: Sequence[str], counts: Mapping[Any, int], *, by_value: bool = False) -> Counts:
    """Return counts, the most frequent value first; those that tie in the order of the values."""
    several = len(names) > 1

    def key(item: tuple[Any, int]) -> Any:
        values = [order(one) for one in (item[0] if several else (item[0],))]
        return values if by_value else (-item[1], values)

    return Counts(names, dict(sorted(counts.items(), key=key)))


def order(value: Any) -> Any:
    """Return what orders any values, None last."""
    found = sortable(value.isoformat() if type(value) is date else value)
    return (9, 0) if found is None else found


def hashable(value: Any) -> Hashable:
    """Return a value of JSON as a key: lists as tuples, objects as their text."""
    if isinstance(value, (list, tuple)):
        return tuple(map(hashable, value))
    if isinstance(value, Mapping):
        return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return value  # type: ignore[no-any-return]


def shown(value: Any) -> str:
    """Return a value for a cell: a path of labels as it is written, anything else in short."""
    if isinstance(value, tuple) and all(isinstance(one, str) for one in value):
        value = " > ".join(value)
    return cut(str(value).replace("\n", " "), _WIDE)


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    """Return a table as text, its first columns ``left``-aligned; of many rows the first ones."""
    table = [head, *rows[:SHOWN]]
    widths = [max(len(row[n]) for row in table) for n in range(len(head))]
    lines = [
        "  ".join(
            cell.ljust(width) if n < left else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
    more = len(rows) - SHOWN
    return "\n".join([*lines, *([f"({more:,} more rows)"] if more > 0 else [])])


def as_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> pandas.DataFrame:
    """Return a table of pandas with its nullable types. Raises ImportError without pandas."""
    pandas = extra("pandas", "pandas", "to_pandas()")
    cells = [[pandas.NA if cell is None else cell for cell in row] for row in rows]
    made = pandas.DataFrame(cells, columns=list(columns), dtype=object)
    return made.convert_dtypes()
