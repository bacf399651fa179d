"""Querysets as tables of pandas, which is imported only then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_origin

from ..conditions.places import name_of
from ..fields.options import Options
from .rows import Rows

if TYPE_CHECKING:
    import pandas


def to_pandas(
    options: Options, values: Rows[dict[str, Any]], columns: tuple[str, ...]
) -> pandas.DataFrame:
    """Return a table of rows; fields that are objects of JSON are a column for each key."""
    try:
        import pandas  # lazy: an optional extra
    except ImportError as error:
        raise ImportError(
            "to_pandas() needs pandas: python -m pip install 'labelstudio_orm[pandas]'"
        ) from error
    rows = list(values.iterator())
    for name in [name for name in columns if _is_spread(options, name)]:
        columns = _with_columns_of(name, rows, columns)
    # As objects and pandas' own null: beside a None, integers would turn into floats.
    cells = (
        [pandas.NA if row.get(name) is None else row[name] for name in columns] for row in rows
    )
    return pandas.DataFrame(cells, columns=list(columns), dtype=object).convert_dtypes()


def _with_columns_of(
    name: str, rows: list[dict[str, Any]], columns: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the columns with one for each key of a field.

    What holds something else there than an object keeps a column of the field's own.
    """
    keys: dict[str, None] = {}
    odd: list[str] = []
    for row in rows:
        value = row.pop(name)
        if isinstance(value, dict):
            keys.update(dict.fromkeys(value))
            row.update((name_of(name, [key]), inner) for key, inner in value.items())
        elif value is not None:
            row[name], odd = value, [name]
    at = columns.index(name)
    return (*columns[:at], *(name_of(name, [key]) for key in keys), *odd, *columns[at + 1 :])


def _is_spread(options: Options, name: str) -> bool:
    """Return whether a field is an object of JSON, as the data of tasks."""
    field = options.fields.get(name)
    return field is not None and field.nested and get_origin(field.annotation) is dict
