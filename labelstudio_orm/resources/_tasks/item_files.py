"""Files of tasks to create: JSON, JSON lines, CSV, TSV and Parquet."""

from __future__ import annotations

import csv
import json
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, TextIO, TypeAlias

from ..._engine.bulk.batches import ItemNames
from ..._engine.values.extras import extra
from ..._tables.arrow import rows_of
from .tabular import ROWS, TableItems, item_of, items_of_table

Numbered: TypeAlias = "Iterator[tuple[int, Any]]"
"""Items, each with its line, or with its number in the file, from 1."""


class ItemFiles(ItemNames):
    r"""The tasks of these files, one after the other, streamed.

    Messages name an item by its file and line. Iterating raises ValueError for an unknown kind of
    file, and for a broken one.

    >>> _ = Path("more.jsonl").write_text('{"text": "a"}\n\n{"text": "b"}')
    >>> items = ItemFiles(["more.jsonl"])
    >>> list(items), items.one(1)
    ([{'text': 'a'}, {'text': 'b'}], 'more.jsonl: line 3')
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = list(paths)
        self._begins: list[int] = []
        """The numbers of the first items of the files."""
        self._lines = array("Q")
        """The line, or the number, of each item in its file."""

    def __iter__(self) -> Iterator[Any]:
        self._begins, self._lines = [], array("Q")
        for path in self._paths:
            self._begins.append(len(self._lines))
            kind = self.kind(path)
            if kind not in READERS:
                raise ValueError(f"{path}: tasks are read from {', '.join(READERS)}")
            with self.opened(path) as file:
                try:
                    for line, item in READERS[kind](file):
                        self._lines.append(line)
                        yield item
                except (ValueError, csv.Error) as error:
                    is_long = isinstance(error, csv.Error) and "field limit" in str(error)
                    way_out = "; csv.field_size_limit(10**8) lets Python read it" if is_long else ""
                    raise ValueError(f"{path}: {error}{way_out}") from error

    @staticmethod
    def kind(path: str) -> str:
        """Return the suffix by which the kind of a file is known."""
        return Path(path).suffix.lower()

    @contextmanager
    def opened(self, path: str) -> Iterator[Any]:
        """Open a file: as text, where its reader takes that."""
        if self.kind(path) in _BINARY:
            with open(path, "rb") as binary:
                yield binary
        else:
            # utf-8-sig: spreadsheets write a mark in front.
            with open(path, encoding="utf-8-sig", newline="") as file:
                yield file

    def one(self, place: int) -> str:
        """Return the file and line of an item that was read, by its number from 0."""
        at = max(n for n, begin in enumerate(self._begins) if begin <= place)
        path = self._paths[at]
        what = "line" if self.kind(path) in _BY_LINE else "task"
        return f"{path}: {what} {self._lines[place]}"

    def several(self, first: int, last: int) -> str:
        """Return the files and lines of the first and the last of some items."""
        return f"{self.one(first)} to {self.one(last)}"


def items_in(given: Any) -> Any:
    """Return the items of a file, by its path, or of a table; anything else as it is.

    Raises FileNotFoundError where there is no file. A text is a path where it ends like one of a
    file of tasks.
    """
    if isinstance(given, (str, os.PathLike)):
        path = str(os.fspath(given))
        if isinstance(given, str) and ItemFiles.kind(path) not in READERS:
            return given
        if not Path(path).exists():
            raise FileNotFoundError(f"bulk_create(): there is no file {path}")
        return ItemFiles([path])
    table = items_of_table(given)
    return given if table is None else table


def _json(file: TextIO) -> Numbered:
    found = json.load(file)
    yield from enumerate(found if isinstance(found, list) else [found], start=1)


def _json_lines(file: TextIO) -> Numbered:
    for number, line in enumerate(file, start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error


def _table(delimiter: str) -> Callable[[TextIO], Numbered]:
    def read(file: TextIO) -> Numbered:
        rows = csv.DictReader(file, delimiter=delimiter, strict=True)
        make = None
        for row in rows:
            if None in row or None in row.values():
                raise ValueError(
                    f"line {rows.line_num} does not have as many cells as the first line"
                )
            make = make or item_of(rows.fieldnames or [])
            try:
                item = make(dict(row))
            except ValueError as error:
                raise ValueError(f"line {rows.line_num}: {error}") from error
            yield rows.line_num, item

    return read


def _parquet(file: IO[bytes]) -> Numbered:
    parquet = extra("pyarrow.parquet", "arrow", "bulk_create() of a file of Parquet")
    found = parquet.ParquetFile(file)
    items = TableItems(lambda: rows_of(found.iter_batches(ROWS)), found.schema_arrow.names)
    yield from enumerate(items, start=1)


READERS: Final[Mapping[str, Callable[[Any], Numbered]]] = {
    ".json": _json,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".csv": _table(","),
    ".tsv": _table("\t"),
    ".parquet": _parquet,
}
"""The readers of files of tasks, by suffix."""

_BINARY: Final = frozenset({".parquet"})
_BY_LINE: Final = frozenset({".jsonl", ".ndjson", ".csv", ".tsv"})
