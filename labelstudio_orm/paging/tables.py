"""Querysets as tables of pandas, which is imported only then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_origin

from ..names import Place, name_of

if TYPE_CHECKING:
    import pandas

    from ..queryset import QuerySet


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
        keys = dict.fromkeys(key for row in rows for key in row[name])
        at = columns.index(name)
        columns = (*columns[:at], *(name_of(name, [key]) for key in keys), *columns[at + 1 :])
        for row in rows:
            row.update((name_of(name, [key]), value) for key, value in row.pop(name).items())
    # As objects and pandas' own null: beside a None, integers would turn into floats.
    cells = (
        [pandas.NA if row.get(name) is None else row[name] for name in columns] for row in rows
    )
    return pandas.DataFrame(cells, columns=list(columns), dtype=object).convert_dtypes()


def _is_spread(queryset: QuerySet[Any], name: str) -> bool:
    """Is it a field that always is an object of JSON, as the data of tasks?"""
    field = queryset.model._options.fields.get(name)
    return field is not None and field.nested and get_origin(field.annotation) is dict
