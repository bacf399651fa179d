"""Querysets as dataframes of dask, which is imported only then: a partition for a range of ids."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from ..._tables.columns import Sort
from ...errors import FieldError
from ..conditions.places import name_of
from ..conditions.query import Query
from ..conditions.tree import EVERYTHING
from ..http.connection import client_for
from ..plans.columns import UNDEFINED
from ..values.extras import extra
from ..values.ids import id_of
from ..values.misuse import check_number
from ..values.near import did_you_mean
from .ambiguity import keys_in_tasks
from .columns import Way
from .selection import evolved, query_of

if TYPE_CHECKING:
    import dask.dataframe
    import pandas

    from .queryset import ReadingQuerySet

SAMPLE = 100
"""Objects from which the dtypes of JSON keys are taken: one page."""

ROWS = 10_000
"""Objects of a partition, unless their number is given."""


def to_dask(
    queryset: ReadingQuerySet[Any],
    columns: Sequence[str],
    npartitions: int | None,
    dtype: Mapping[str, Any],
) -> dask.dataframe.DataFrame:
    """Return a dataframe of dask: ``QuerySet.to_dask``."""
    dask = extra("dask", "dask", "to_dask()")
    dataframe = extra("dask.dataframe", "dask", "to_dask()")
    query_of(queryset).refuse_slice("partitioning")
    whole = evolved(queryset, where=EVERYTHING, ordering=(), from_end=False)
    if npartitions is None:
        npartitions = -(-whole.count() // ROWS) or 1
    check_number("npartitions", npartitions)
    # Keys that do not exist were warned of when the partitions were made.
    parts = [evolved(part, may_be_new=True) for part in queryset.partitions(npartitions)]
    meta = _meta(whole, columns, dtype)
    token = uuid.uuid4().hex
    # Else dask turns objects, such as the regions of a result, into texts.
    with dask.config.set({"dataframe.convert-string": False}):
        return dataframe.from_map(
            _Reader(tuple(columns), meta, frozenset(dtype), token),
            [_Part(part, (token, number)) for number, part in enumerate(parts)],
            meta=meta,
            label=f"{query_of(queryset).options.name.lower()}s",
        )


def _meta(
    whole: ReadingQuerySet[Any], columns: Sequence[str], dtype: Mapping[str, Any]
) -> pandas.DataFrame:
    """Return an empty table with the columns and dtypes that each partition has."""
    pandas = extra("pandas", "pandas", "to_dask()")

    query = query_of(whole)
    ways = [Way.of(query.model, name) for name in columns]
    fields = [way.name for way in ways if way.is_spread]
    is_certain = all(way.sort is not Sort.NOTHING for way in ways)
    table = (whole.filter(pk__in=[]) if is_certain else whole[:SAMPLE]).to_pandas(*columns)
    chosen = [name for name in dtype if name.startswith(tuple(f"{one}__" for one in fields))]
    for name in [*chosen, *_names_of_keys(query, fields)]:
        if name not in table:
            table[name] = pandas.Series(dtype=object)
    for name in dtype:
        if name not in table:
            raise FieldError(
                f"to_dask(dtype=...): there is no column {name!r:.80}"
                f"{did_you_mean(name, table.columns)}"
            )
    return table.iloc[:0].astype(dict(dtype))


def _names_of_keys(query: Query, fields: Sequence[str]) -> list[str]:
    """Return the columns of all keys of data that the project's tasks have, by its summary."""
    project = id_of(query.project)
    if "data" not in fields or not query.options.pages.filters_tasks or project is None:
        return []
    keys = keys_in_tasks(query, project) - {UNDEFINED}
    return [name_of("data", [key]) for key in sorted(keys)]


@attrs.frozen
class _Part:
    """A partition. Its token is new for each dataframe, since what a server has may change."""

    queryset: ReadingQuerySet[Any]
    token: tuple[str, int]

    def __dask_tokenize__(self) -> tuple[str, int]:
        return self.token


@attrs.frozen(eq=False)
class _Reader:
    """What reads a partition, in the process that computes it."""

    names: tuple[str, ...]
    meta: pandas.DataFrame
    chosen: frozenset[str]
    token: str

    def __dask_tokenize__(self) -> str:
        return self.token

    def __call__(self, part: _Part, columns: list[str] | None = None) -> pandas.DataFrame:
        """Return the table of a partition; ``columns``: those that dask needs of it."""
        query = query_of(part.queryset)
        if not isinstance(query.connection, str):  # in the process that made it
            return self._table(part.queryset, columns)
        with client_for(query.url) as client:
            return self._table(evolved(part.queryset, connection=client), columns)

    def _table(self, queryset: ReadingQuerySet[Any], columns: list[str] | None) -> pandas.DataFrame:
        pandas = extra("pandas", "pandas", "to_dask()")

        table = queryset.to_pandas(*(columns or self.names))
        meta = self.meta[columns] if columns else self.meta
        doing = f"reading {query_of(queryset).description}"
        for name in table.columns.difference(meta.columns):
            raise ValueError(
                f"{doing}: {name} is no column of the dataframe, which was made before there was "
                f"such a key; make it again, or with dtype={{{name!r}: object}}"
            )
        none = pandas.Series(pandas.NA, index=table.index, dtype=object)
        made = {
            name: self._column(table.get(name, none), name, dtype, doing)
            for name, dtype in meta.dtypes.items()
        }
        return pandas.DataFrame(made, index=table.index)

    def _column(self, column: pandas.Series, name: str, dtype: Any, doing: str) -> pandas.Series:
        found = _as_dtype(column, dtype)
        if found is not None:
            return found
        try:
            if name in self.chosen:
                return column.astype(dtype)
            reason = f"the first {SAMPLE} of the project have {dtype}"
        except (TypeError, ValueError, OverflowError) as error:
            reason = f"as {dtype}: {error}"
        raise ValueError(
            f"{doing}: {name} has {column.dtype} values, {reason}; "
            f"name a dtype for all: to_dask(..., dtype={{{name!r}: object}})"
        )


def _as_dtype(column: pandas.Series, dtype: Any) -> pandas.Series | None:
    """Return a column as one of a dtype; None if that would change the type of a value in it."""
    pandas = extra("pandas", "pandas", "to_dask()")

    types = pandas.api.types
    if column.dtype == dtype:
        return column
    values = column.dropna()
    keeps_types = (
        values.empty
        or types.is_object_dtype(dtype)
        or (types.is_float_dtype(dtype) and types.is_integer_dtype(column.dtype))
        or (types.is_datetime64_any_dtype(dtype) and all(isinstance(v, datetime) for v in values))
    )
    try:
        return column.astype(dtype) if keeps_types else None
    except (ValueError, OverflowError):  # a date beyond what pandas holds
        return None
