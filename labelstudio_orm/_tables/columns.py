"""Columns of a table, and batches of their values: what the tables of all libraries are made of.

A column has one sort of values. It is declared, or follows from the values, and becomes wider where
a later batch has others: whole numbers become numbers, and what has nothing in common ``JSON``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any, Final

from attrs import frozen


class Sort(Enum):
    """A sort of values. ``JSON`` is any; as text where a library needs columns of one type."""

    NOTHING = "nothing"
    BOOL = "true or false"
    INT = "whole numbers"
    LONG = "whole numbers that are no floats"
    FLOAT = "numbers"
    TEXT = "texts"
    DATETIME = "datetimes"
    TEXTS = "lists of texts"
    INTS = "lists of whole numbers"
    JSON = "JSON"


@frozen
class Column:
    """A column. ``head`` is the field of JSON of which it is one key, if it is."""

    name: str
    sort: Sort
    head: str | None = None


@frozen
class Batch:
    """Some rows of a table: for each column its values, None for null."""

    columns: tuple[Column, ...]
    values: tuple[list[Any], ...]
    rows: int

    @property
    def names(self) -> list[str]:
        """Return the names of the columns."""
        return [one.name for one in self.columns]


_EXACT: Final = 2**53
"""Up to this, each whole number is a float."""
_LONGEST: Final = 2**63
_TYPES: Final[Mapping[frozenset[type], Sort]] = {
    frozenset(): Sort.NOTHING,
    frozenset({bool}): Sort.BOOL,
    frozenset({int}): Sort.INT,
    frozenset({float}): Sort.FLOAT,
    frozenset({int, float}): Sort.FLOAT,
    frozenset({str}): Sort.TEXT,
    frozenset({datetime}): Sort.DATETIME,
}
_WIDER: Final = {
    frozenset({Sort.INT, Sort.FLOAT}): Sort.FLOAT,
    frozenset({Sort.INT, Sort.LONG}): Sort.LONG,
}


def wider(one: Sort, other: Sort) -> Sort:
    """Return the narrowest sort that has the values of both.

    >>> wider(Sort.INT, Sort.FLOAT), wider(Sort.NOTHING, Sort.TEXT), wider(Sort.INT, Sort.TEXT)
    (<Sort.FLOAT: 'numbers'>, <Sort.TEXT: 'texts'>, <Sort.JSON: 'JSON'>)
    """
    if one is other or other is Sort.NOTHING:
        return one
    if one is Sort.NOTHING:
        return other
    return _WIDER.get(frozenset({one, other}), Sort.JSON)


def sort_of(values: Sequence[Any], declared: Sort) -> Sort:
    """Return the sort of some values: the declared one, or a wider one that they need."""
    if declared is Sort.JSON:
        return Sort.JSON
    types = frozenset(map(type, values)) - {type(None)}
    if declared in _ITEMS:
        items = (one for several in values if type(several) is list for one in several)
        is_as_declared = types <= {list} and {*map(type, items)} <= {_ITEMS[declared]}
        return declared if is_as_declared else Sort.JSON
    found = _TYPES.get(types, Sort.JSON)
    if found in (Sort.INT, Sort.FLOAT):
        whole = [one for one in values if type(one) is int]
        low, high = min(whole, default=0), max(whole, default=0)
        if not -_LONGEST <= low <= high < _LONGEST:
            return Sort.JSON
        if not -_EXACT <= low <= high <= _EXACT:
            found = Sort.JSON if found is Sort.FLOAT else Sort.LONG
    if found is Sort.TEXT and not _is_utf8(values):
        return Sort.JSON
    return wider(declared, found)


_ITEMS: Final[Mapping[Sort, type]] = {Sort.TEXTS: str, Sort.INTS: int}


def _is_utf8(values: Iterable[str | None]) -> bool:
    """Return whether texts have no lone surrogates, as escapes of JSON may bring them."""
    try:
        for one in values:
            if one is not None and not one.isascii():
                one.encode()
    except UnicodeEncodeError:
        return False
    return True


def joined(first: Sequence[Column], second: Sequence[Column]) -> tuple[Column, ...]:
    """Return the columns of two batches: keys of JSON beside those of the same field."""
    known = {one.name: one for one in second}
    found = {
        one.name: Column(one.name, wider(one.sort, known[one.name].sort), one.head)
        if one.name in known
        else one
        for one in first
    }
    for column in second:
        if column.name not in found:
            found = _beside(found, column)
    return tuple(found.values())


def _beside(columns: Mapping[str, Column], new: Column) -> dict[str, Column]:
    names = list(columns)
    ends = [place for place, name in enumerate(names, 1) if columns[name].head == new.head]
    at = ends[-1] if ends else len(names)
    names.insert(at, new.name)
    return {name: columns.get(name, new) for name in names}


def of_columns(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Yield batches whose columns are those of all before them too."""
    known: tuple[Column, ...] = ()
    for batch in batches:
        known = joined(known, batch.columns) if known else batch.columns
        yield widened(batch, known)


def widened(batch: Batch, columns: tuple[Column, ...]) -> Batch:
    """Return a batch with these columns, null where it has none; the values stay as they are."""
    if batch.columns == columns:
        return batch
    values = dict(zip(batch.names, batch.values, strict=True))
    none: list[Any] = [None] * batch.rows
    return Batch(columns, tuple(values.get(one.name, none) for one in columns), batch.rows)
