"""Batches as tables of Arrow, and in files of Parquet; pyarrow is imported only then.

A column of JSON holds its text, and its field says so in the metadata, by which it is read back.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Final

from .._engine.values.extras import extra
from .._engine.values.files import whole_file
from .columns import Batch, Column, Sort, joined

if TYPE_CHECKING:
    import pyarrow

_MARK: Final = {b"labelstudio_orm": b"json"}
"""The metadata of the field of a column of JSON."""

_VERB: Final = "a table of Arrow"


def to_arrow(batches: Iterable[Batch], verb: str) -> pyarrow.Table:
    """Return one table of batches; ``verb`` is what needs pyarrow."""
    pyarrow = extra("pyarrow", "arrow", verb)
    columns: tuple[Column, ...] = ()
    tables = []
    for batch in batches:
        columns = joined(columns, batch.columns) if columns else batch.columns
        tables.append(_table(batch))
    schema = _schema(columns)
    return pyarrow.concat_tables([_recast(one, schema) for one in tables])


def to_parquet(batches: Iterable[Batch], path: str | os.PathLike[str]) -> int:
    """Write batches to a file, one in memory at a time; return the number of rows.

    Where a later batch needs wider columns a new part is begun; the parts are put together at the
    end, so that all is written twice at most.
    """
    parquet = extra("pyarrow.parquet", "arrow", "to_parquet()")
    rows, columns = 0, tuple[Column, ...]()
    folder = os.path.dirname(os.fspath(path)) or "."
    with ExitStack() as opened, whole_file(path, shared=True) as target:
        parts: list[IO[bytes]] = []
        writer: Any = None
        for batch in batches:
            wide = joined(columns, batch.columns) if columns else batch.columns
            if writer is None or wide != columns:
                if writer is not None:
                    writer.close()
                parts.append(opened.enter_context(tempfile.TemporaryFile(dir=folder)))
                columns = wide
                writer = parquet.ParquetWriter(parts[-1], _schema(columns))
                opened.enter_context(writer)
            writer.write_table(_recast(_table(batch), _schema(columns)))
            rows += batch.rows
        writer.close()
        if len(parts) == 1:
            parts[0].seek(0)
            shutil.copyfileobj(parts[0], target)
        else:
            with parquet.ParquetWriter(target, _schema(columns)) as whole:
                for part in parts:
                    file = parquet.ParquetFile(part)
                    for number in range(file.num_row_groups):
                        whole.write_table(_recast(file.read_row_group(number), _schema(columns)))
    return rows


def rows_of(batches: Iterable[pyarrow.RecordBatch]) -> Iterator[dict[str, Any]]:
    """Yield the rows of record batches as dicts, JSON read from its text."""
    for batch in batches:
        columns = {
            field.name: _values(batch.column(place), field)
            for place, field in enumerate(batch.schema)
        }
        names = list(columns)
        for values in zip(*columns.values(), strict=True):
            yield dict(zip(names, values, strict=True))


def _values(column: Any, field: Any) -> list[Any]:
    values: list[Any] = column.to_pylist()
    if _is_json(field):
        return [None if one is None else json.loads(one) for one in values]
    return values


def columns_of_json(schema: Any) -> list[str]:
    """Return the names of those columns whose texts are JSON."""
    return [field.name for field in schema if _is_json(field)]


def _is_json(field: Any) -> bool:
    return bool(field.metadata) and _MARK.items() <= field.metadata.items()


def _type(sort: Sort) -> Any:
    pyarrow = extra("pyarrow", "arrow", _VERB)
    return {
        Sort.NOTHING: pyarrow.null(),
        Sort.BOOL: pyarrow.bool_(),
        Sort.INT: pyarrow.int64(),
        Sort.LONG: pyarrow.int64(),
        Sort.FLOAT: pyarrow.float64(),
        Sort.TEXT: pyarrow.string(),
        Sort.DATETIME: pyarrow.timestamp("us", tz="UTC"),
        Sort.TEXTS: pyarrow.list_(pyarrow.string()),
        Sort.INTS: pyarrow.list_(pyarrow.int64()),
        Sort.JSON: pyarrow.string(),
    }[sort]


def _schema(columns: Iterable[Column]) -> Any:
    pyarrow = extra("pyarrow", "arrow", _VERB)
    return pyarrow.schema(
        [
            pyarrow.field(
                one.name, _type(one.sort), metadata=_MARK if one.sort is Sort.JSON else None
            )
            for one in columns
        ]
    )


def _table(batch: Batch) -> Any:
    pyarrow = extra("pyarrow", "arrow", _VERB)
    schema = _schema(batch.columns)
    arrays = [
        pyarrow.array(_texts(values) if column.sort is Sort.JSON else values, _type(column.sort))
        for column, values in zip(batch.columns, batch.values, strict=True)
    ]
    return pyarrow.table(arrays, schema=schema)


def _texts(values: Iterable[Any]) -> list[str | None]:
    return [None if one is None else json.dumps(one, default=_as_json) for one in values]


def _as_json(value: Any) -> Any:
    """Return what JSON does not have as a text, as the server would write it."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _recast(table: Any, schema: Any) -> Any:
    """Return a table with the columns of a wider schema."""
    pyarrow = extra("pyarrow", "arrow", _VERB)
    if table.schema.equals(schema, check_metadata=True):
        return table
    known: Mapping[str, Any] = {field.name: field for field in table.schema}
    arrays = []
    for field in schema:
        if field.name not in known:
            arrays.append(pyarrow.nulls(table.num_rows, field.type))
        elif _is_json(field) and not _is_json(known[field.name]):
            arrays.append(pyarrow.array(_texts(table[field.name].to_pylist()), field.type))
        else:
            arrays.append(table[field.name].cast(field.type))
    return pyarrow.table(arrays, schema=schema)
