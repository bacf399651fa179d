"""Querysets as tables of pandas, which is imported only then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from ..conditions.ordering import Key
from ..conditions.places import name_of
from ..values.codec import parts
from ..values.declared import Record

if TYPE_CHECKING:
    import pandas


def to_pandas(
    model: type[Record], rows: Iterable[dict[str, Any]], columns: Sequence[str]
) -> pandas.DataFrame:
    """Return a table of rows; fields that are objects of JSON are a column for each key.

    A declared field has the dtype of its type whatever its values are, unless one has another type.
    """
    try:
        import pandas  # lazy: an optional extra
    except ImportError as error:
        raise ImportError(
            "to_pandas() needs pandas: python -m pip install 'labelstudio_orm[pandas]'"
        ) from error
    dtypes = _declared_dtypes(model, columns)
    rows = list(rows)
    for name in spread(model, columns):
        columns = _with_columns_of(name, rows, columns)
    # As objects and pandas' own null: beside a None, integers would turn into floats.
    cells = (
        [pandas.NA if row.get(name) is None else row[name] for name in columns] for row in rows
    )
    table = pandas.DataFrame(cells, columns=list(columns), dtype=object).convert_dtypes()
    for place, name in enumerate(columns):
        if name in dtypes and (column := as_dtype(table.iloc[:, place], dtypes[name])) is not None:
            table.isetitem(place, column)
    return table


def as_dtype(column: pandas.Series, dtype: Any) -> pandas.Series | None:
    """Return a column as one of a dtype; None if that would change the type of a value in it."""
    import pandas  # lazy: an optional extra

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


_EXAMPLES: dict[type, Any] = {
    int: 1, float: 0.5, bool: True, str: "", datetime: datetime(2000, 1, 1, tzinfo=timezone.utc),
}  # fmt: skip


def _declared_dtypes(model: type[Record], columns: Iterable[str]) -> dict[str, Any]:
    """Return the dtypes of those columns whose fields are declared with a plain type."""
    import pandas  # lazy: an optional extra

    kinds = {name: _kind_of(Key.of(model, name)) for name in columns}
    examples = [(name, _EXAMPLES[kind]) for name, kind in kinds.items() if kind is not None]
    dtypes = pandas.DataFrame(
        {name: pandas.Series([value], dtype=object) for name, value in examples}
    ).convert_dtypes()
    return dict(dtypes.dtypes)


def _kind_of(key: Key) -> type | None:
    """Return the plain type of a field; None for JSON, and for a value inside of it."""
    if key.path:
        return None
    if key.field.references:
        return int
    kinds = [kind for kind in parts(key.field.annotation) if kind is not type(None)]
    if get_origin(kinds[0]) is Literal:
        kinds = list({type(value) for value in get_args(kinds[0])})
    return kinds[0] if len(kinds) == 1 and kinds[0] in _EXAMPLES else None


def _with_columns_of(name: str, rows: list[dict[str, Any]], columns: Sequence[str]) -> list[str]:
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
    return [*columns[:at], *(name_of(name, [key]) for key in keys), *odd, *columns[at + 1 :]]


def spread(model: type[Record], columns: Iterable[str]) -> list[str]:
    """Return the names of those fields that are objects of JSON, as the data of tasks."""
    keys = {name: Key.of(model, name) for name in columns}
    return [
        name
        for name, key in keys.items()
        if not key.path and key.field.nested and get_origin(key.field.annotation) is dict
    ]
