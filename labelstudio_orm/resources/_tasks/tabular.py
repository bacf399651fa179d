"""Tables of other libraries as tasks to create: dataframes, tables of Arrow, datasets.

A library whose table is given was imported by the one who made it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any, Final, Protocol

import attrs

from ..._config.forms import plain
from ..._engine.bulk.batches import ItemNames
from ..._engine.conditions.places import Place
from ..._engine.fields.options import options_of
from ..._engine.values.codec import with_leaves
from ..._engine.values.near import did_you_mean
from ..._engine.values.registry import registry
from ..._tables.arrow import columns_of_json, rows_of

ROWS: Final = 5_000
"""Rows of a table that are turned into dicts at once."""

Row = Mapping[str, Any]


class Table(Protocol):
    """A table of any library, for type checkers."""

    @property
    def columns(self) -> Any:
        """The columns, or their names."""


@attrs.frozen(eq=False)
class TableItems(ItemNames):
    """The rows of a table as items of ``bulk_create``; messages name them by their rows, from 0."""

    rows: Callable[[], Iterable[Row]]
    names: Sequence[str]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        make = item_of(self.names)
        for row in self.rows():
            yield make({name: json_of(value) for name, value in row.items()})

    def one(self, place: int) -> str:
        """Return the name of one item."""
        return f"row {place}"

    def several(self, first: int, last: int) -> str:
        """Return the name of a run of items."""
        return f"rows {first} to {last}"


@attrs.frozen(eq=False)
class SizedTableItems(TableItems):
    """The same of a table that knows how many rows it has."""

    size: int

    def __len__(self) -> int:
        return self.size


def items_of_table(given: Any) -> TableItems | None:
    """Return the items of a table of any library; None for anything else."""
    library = type(given).__module__.partition(".")[0]
    return _READERS[library](given) if library in _READERS else None


def _pandas(table: Any) -> TableItems | None:
    if not hasattr(table, "iloc") or not hasattr(table, "columns"):
        return None
    names = list(table.columns)

    def rows() -> Iterator[Row]:
        for start in range(0, len(table), ROWS):
            some = table.iloc[start : start + ROWS]
            columns = [some.iloc[:, place].tolist() for place in range(len(names))]
            for values in zip(*columns, strict=True):
                yield dict(zip(names, values, strict=True))

    return SizedTableItems(rows, names, len(table))


def _arrow(table: Any) -> TableItems | None:
    if hasattr(table, "to_batches") and hasattr(table, "num_rows"):  # a table
        return SizedTableItems(
            lambda: rows_of(table.to_batches(max_chunksize=ROWS)),
            table.column_names,
            table.num_rows,
        )
    if hasattr(table, "to_batches") and hasattr(table, "schema"):  # a dataset of files
        return TableItems(lambda: rows_of(table.to_batches()), table.schema.names)
    if hasattr(table, "schema") and hasattr(table, "num_rows"):  # one batch
        return SizedTableItems(lambda: rows_of([table]), table.schema.names, table.num_rows)
    if hasattr(table, "schema") and hasattr(table, "read_next_batch"):
        return TableItems(lambda: rows_of(table), table.schema.names)
    return None


def _polars(table: Any) -> TableItems | None:
    if hasattr(table, "collect"):
        table = table.collect()
    if not hasattr(table, "iter_rows") or not hasattr(table, "columns"):
        return None
    return SizedTableItems(lambda: table.iter_rows(named=True), table.columns, table.height)


def _datasets(table: Any) -> TableItems | None:
    if isinstance(table, Mapping):
        raise TypeError(
            f"bulk_create() takes one split of a dataset, not {type(table).__name__}: give "
            f"dataset[{next(iter(table), 'train')!r}]"
        )
    if not hasattr(table, "num_rows"):  # a stream, which may not know its columns yet
        return TableItems(lambda: iter(table), table.column_names or [])
    in_texts = columns_of_json(table.data.schema)

    def rows() -> Iterator[Row]:
        for row in table:
            yield {**row, **{name: _read(row[name]) for name in in_texts}}

    return SizedTableItems(rows, table.column_names, table.num_rows)


def _read(text: str | None) -> Any:
    return None if text is None else json.loads(text)


_READERS: Final[Mapping[str, Callable[[Any], TableItems | None]]] = {
    "pandas": _pandas, "pyarrow": _arrow, "polars": _polars, "datasets": _datasets,
}  # fmt: skip


# -- columns --------------------------------------------------------------------------------------


def item_of(names: Sequence[Any]) -> Callable[[dict[str, Any]], Any]:
    """Return how a row becomes an item.

    Where columns are named as tables of this library name them (``data__text``, ``data["a.b"]``),
    they are the data and meta, and the other fields of a task, which the server sets, are left out.
    Else the row is an item as it is. Raises ValueError for a column that would be lost.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"several columns are named {twice[0]!r:.80}; a row has one of each name")
    places = {name: Place.of(name) for name in names if isinstance(name, str)}
    inside = {name: one for name, one in places.items() if one.head in _KEYED and one.keys}
    if not any(one.head == "data" for one in inside.values()):
        return lambda row: row
    _refuse_overlap(inside)
    options = options_of(registry["Task"])
    kept = [name for name in places if name in _KEPT and name not in inside]
    for name in names:
        if name not in inside and name not in kept and name not in options.fields:
            known = [*inside, *options.fields]
            raise ValueError(
                f"the column {name!r:.80} is no field of a task{did_you_mean(str(name), known)}; "
                f"name it data__{name!s:.60} to have it in the data, or leave it out"
            )

    def make(row: dict[str, Any]) -> dict[str, Any]:
        cells = {name: _nested(name, row[name]) for name in kept}
        item = {name: cell for name, cell in cells.items() if cell is not None}
        for name, place in inside.items():
            target = item.setdefault(place.head, {})
            for key in place.keys[:-1]:
                target = target.setdefault(key, {})
            target[place.keys[-1]] = row[name]
        return item

    return make


def _refuse_overlap(columns: Mapping[str, Place]) -> None:
    """Raise ValueError for a column of a key that is inside the value of another column."""
    names = {(one.head, *one.keys): name for name, one in columns.items()}
    for keys, name in names.items():
        for end in range(2, len(keys)):
            if keys[:end] in names:
                raise ValueError(
                    f"the column {name!r:.80} is a part of the column {names[keys[:end]]!r:.80}; "
                    "leave one of them out"
                )


def _nested(name: str, value: Any) -> Any:
    """Return what a table has as the text of JSON, since its library has no other way.

    An empty text is null, as files of CSV have it.
    """
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value else None
    except ValueError as error:
        raise ValueError(
            f"the column {name!r} must hold JSON, not {value!r:.80}: {error}"
        ) from None


_KEYED: Final = frozenset({"data", "meta"})
_KEPT: Final = frozenset({"meta", "annotations", "predictions", "allow_skip"})


# -- values ---------------------------------------------------------------------------------------


def json_of(value: Any) -> Any:
    """Return the value of a cell as JSON: NaN, NaT and NA as null, points in time as ISO text.

    >>> json_of([float("nan"), date(2026, 1, 31)])
    [None, '2026-01-31']
    """
    return _leaf(value) if type(value) in _PLAIN else with_leaves(value, _leaf)


_PLAIN: Final = frozenset({type(None), bool, int, float, str})


def _leaf(value: Any) -> Any:
    if type(value) in _PLAIN:
        return None if value != value else value
    if _is_null(value):
        return None
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return plain(value)
    if hasattr(value, "tolist"):  # an array, or a number of one
        return json_of(value.tolist())
    return value


def _is_null(value: Any) -> bool:
    """Return whether a value is NaT, which is a datetime, or NA, which cannot be compared."""
    return type(value).__name__ in ("NAType", "NaTType") or (
        getattr(value, "ndim", None) == 0 and value != value
    )
