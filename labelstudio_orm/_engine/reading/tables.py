"""Querysets as tables of other libraries, each of which is imported only then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..._tables import arrow
from ..._tables.columns import Batch, Column, Sort, joined, widened
from ..values.extras import extra

if TYPE_CHECKING:
    import datasets
    import pandas
    import polars
    import pyarrow


def to_pandas(batches: Iterable[Batch]) -> pandas.DataFrame:
    """Return a dataframe of batches; each column has the dtype of its sort."""
    pandas = extra("pandas", "pandas", "to_pandas()")
    found, columns = list[Batch](), tuple[Column, ...]()
    for batch in batches:
        columns = joined(columns, batch.columns) if columns else batch.columns
        found.append(batch)
    found = [widened(batch, columns) for batch in found]
    dtypes = _dtypes()
    return pandas.DataFrame(
        {
            column.name: _series(
                [one for batch in found for one in batch.values[place]], dtypes.get(column.sort)
            )
            for place, column in enumerate(columns)
        }
    )


def _series(values: list[Any], dtype: Any) -> pandas.Series:
    pandas = extra("pandas", "pandas", "to_pandas()")
    # As objects and pandas' own null: beside a None, integers would turn into floats.
    values = [pandas.NA if one is None else one for one in values]
    series = pandas.Series(values, dtype=object)
    try:
        return series if dtype is None else series.astype(dtype)
    except (ValueError, OverflowError):  # a date beyond what pandas holds
        return series


_EXAMPLES: Final[Mapping[Sort, Any]] = {
    Sort.INT: 1, Sort.LONG: 1, Sort.FLOAT: 0.5, Sort.BOOL: True, Sort.TEXT: "",
    Sort.DATETIME: datetime(2000, 1, 1, tzinfo=timezone.utc),
}  # fmt: skip


def _dtypes() -> dict[Sort, Any]:
    """Return the dtypes of pandas that hold nulls beside the values of a sort."""
    pandas = extra("pandas", "pandas", "to_pandas()")
    made = pandas.DataFrame(
        {sort: pandas.Series([value], dtype=object) for sort, value in _EXAMPLES.items()}
    ).convert_dtypes()
    return dict(made.dtypes)


def to_arrow(batches: Iterable[Batch]) -> pyarrow.Table:
    """Return a table of Arrow, of batches."""
    return arrow.to_arrow(batches, "to_arrow()")


def to_parquet(batches: Iterable[Batch], path: Path) -> Path:
    """Write batches to a file, and return its path."""
    arrow.to_parquet(batches, path)
    return path


def to_polars(batches: Iterable[Batch]) -> polars.DataFrame:
    """Return a dataframe of polars, of batches."""
    library = extra("polars", "polars", "to_polars()")
    made: polars.DataFrame = library.from_arrow(arrow.to_arrow(batches, "to_polars()"))
    return made


def to_datasets(batches: Iterable[Batch]) -> datasets.Dataset:
    """Return a dataset of Hugging Face, of batches."""
    datasets = extra("datasets", "datasets", "to_datasets()")
    return datasets.Dataset(arrow.to_arrow(batches, "to_datasets()"))
