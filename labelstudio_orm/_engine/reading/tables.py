"""Querysets as tables of pandas, which is imported only then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_origin

from ..conditions.places import Place, name_of
from ..fields.options import options_of

if TYPE_CHECKING:
    import pandas

    from ..models.queryset import QuerySet


def to_pandas(queryset: QuerySet[Any], names: tuple[str | Place, ...]) -> pandas.DataFrame:
    """See ``QuerySet.to_pandas``."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            "to_pandas() needs pandas: python -m pip install 'labelstudio_orm[pandas]'"
        ) from error
    rows = list(queryset.values(*names).iterator())
    columns = tuple(map(str, names)) or queryset._plain_names()
    spread = [name for name in columns if _is_spread(queryset, name)]
    for name in spread:
        columns = _with_columns_of(name, rows, columns)
    # As objects and pandas' own null: beside a None, integers would turn into floats.
    cells = (
        [pandas.NA if row.get(name) is None else row[name] for name in columns] for row in rows
    )
    return pandas.DataFrame(cells, columns=list(columns), dtype=object).convert_dtypes()


def _with_columns_of(
    name: str, rows: list[dict[str, Any]], columns: tuple[str, ...]
) -> tuple[str, ...]:
    """Give each key of a field a column. What holds something else there than an object keeps a
    column of the field's own.
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


def _is_spread(queryset: QuerySet[Any], name: str) -> bool:
    """Is it a field that always is an object of JSON, as the data of tasks?"""
    field = options_of(queryset.model).fields.get(name)
    return field is not None and field.nested and get_origin(field.annotation) is dict
