"""Files of tasks, as ``labelstudio-orm import`` reads them."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from .arguments import UsageError


def read_items(paths: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The tasks of these files, one after the other; ``-`` is the standard input, JSON lines.

    Raises UsageError for a kind of file that is not known, and for one that is broken.
    """
    for path in paths:
        kind = ".jsonl" if path == "-" else Path(path).suffix.lower()
        if kind not in READERS:
            raise UsageError(
                f"{path}: tasks are read from {', '.join(READERS)}, and from - as JSON lines"
            )
        with _opened(path) as file:
            try:
                yield from READERS[kind](file)
            except (ValueError, csv.Error) as error:
                raise UsageError(f"{path}: {error}") from error


@contextmanager
def _opened(path: str) -> Iterator[TextIO]:
    if path == "-":
        yield sys.stdin
        return
    # utf-8-sig: spreadsheets write a mark in front.
    with open(path, encoding="utf-8-sig", newline="") as file:
        yield file


def _json(file: TextIO) -> Iterator[Any]:
    found = json.load(file)
    yield from found if isinstance(found, list) else [found]


def _json_lines(file: TextIO) -> Iterator[Any]:
    for number, line in enumerate(file, start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error


def _table(delimiter: str) -> Callable[[TextIO], Iterator[Any]]:
    def read(file: TextIO) -> Iterator[Any]:
        rows = csv.DictReader(file, delimiter=delimiter, strict=True)
        for row in rows:
            if None in row or None in row.values():
                raise ValueError(f"line {rows.line_num} has not as many cells as the first line")
            yield dict(row)

    return read


READERS: dict[str, Callable[[TextIO], Iterator[Any]]] = {
    ".json": _json,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".csv": _table(","),
    ".tsv": _table("\t"),
}
"""How tasks are read from a file, by its suffix."""
