"""Files of tasks that ``labelstudio-orm import`` reads."""

from __future__ import annotations

import csv
import json
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import attrs

from .._console.arguments import UsageError
from .._engine.bulk.batches import ItemNames
from .._engine.values.summary import Failure, Summary


class Items(ItemNames):
    r"""The tasks of these files, one after the other; ``-`` is the standard input, JSON lines.

    Messages name an item by its file and line. Iterating raises UsageError for an unknown kind of
    file, and for a broken one.

    >>> _ = Path("more.jsonl").write_text('{"text": "a"}\n\n{"text": "b"}')
    >>> items = Items(["more.jsonl"])
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
            kind = _kind(path)
            if kind not in READERS:
                raise UsageError(
                    f"{path}: tasks are read from {', '.join(READERS)}, and from - as JSON lines"
                )
            with _opened(path) as file:
                try:
                    for line, item in READERS[kind](file):
                        self._lines.append(line)
                        yield item
                except (ValueError, csv.Error) as error:
                    raise UsageError(f"{path}: {error}") from error

    def one(self, place: int) -> str:
        """Return the file and line of an item that was read, by its number from 0."""
        at = max(n for n, begin in enumerate(self._begins) if begin <= place)
        path = self._paths[at]
        return f"{path}: {'task' if _kind(path) == '.json' else 'line'} {self._lines[place]}"

    def several(self, first: int, last: int) -> str:
        """Return the files and lines of the first and the last of some items."""
        return f"{self.one(first)} to {self.one(last)}"

    def named_in(self, summary: Summary) -> Summary:
        """Return a summary whose failures all name the files and lines of their items."""
        failed = [attrs.evolve(one, reason=self._named(one)) for one in summary.failed]
        return Summary(**{**vars(summary), "failed": failed})

    def _named(self, failure: Failure) -> str:
        name = self.one(failure.place)
        return f"{name}: {failure.reason.removeprefix(name).lstrip(',: ')}"


def _kind(path: str) -> str:
    return ".jsonl" if path == "-" else Path(path).suffix.lower()


@contextmanager
def _opened(path: str) -> Iterator[TextIO]:
    if path == "-":
        yield sys.stdin
        return
    # utf-8-sig: spreadsheets write a mark in front.
    with open(path, encoding="utf-8-sig", newline="") as file:
        yield file


Numbered = Iterator[tuple[int, Any]]
"""Items, each with its line, or with its number in the file, from 1."""


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
        for row in rows:
            if None in row or None in row.values():
                raise ValueError(
                    f"line {rows.line_num} does not have as many cells as the first line"
                )
            yield rows.line_num, dict(row)

    return read


READERS: dict[str, Callable[[TextIO], Numbered]] = {
    ".json": _json,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".csv": _table(","),
    ".tsv": _table("\t"),
}
"""The readers of files of tasks, by suffix."""
