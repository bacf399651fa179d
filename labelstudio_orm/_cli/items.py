"""Files of tasks, as ``labelstudio-orm import`` reads them."""

from __future__ import annotations

import csv
import json
import re
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import attrs

from .._engine.values.summary import Failure, Summary
from ..errors import LabelStudioError
from .arguments import UsageError

_NAMED = re.compile(
    r"^item \d+|^importing items \d+ to \d+|(?<= of )item \d+(?= too$|, which failed$)"
)
"""How ``bulk_create`` calls items: by their numbers in all of the input, from 0."""


class Items:
    """The tasks of these files, one after the other; ``-`` is the standard input, JSON lines.

    Iterating raises UsageError for a kind of file that is not known, and for one that is broken.

    >>> _ = Path("more.jsonl").write_text('{"text": "a"}\\n\\n{"text": "b"}')
    >>> items = Items(["more.jsonl"])
    >>> list(items), items.place(1)
    ([{'text': 'a'}, {'text': 'b'}], 'more.jsonl: line 3')
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = list(paths)
        self._begins: list[int] = []
        """The number of the first item of each file."""
        self._lines = array("Q")
        """Where each item stands in its file."""

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

    def place(self, number: int) -> str:
        """Where an item that was read stands, by its number from 0."""
        at = max(n for n, begin in enumerate(self._begins) if begin <= number)
        path = self._paths[at]
        return f"{path}: {'task' if _kind(path) == '.json' else 'line'} {self._lines[number]}"

    @contextmanager
    def named(self) -> Iterator[None]:
        """Errors about an item that come out of the block say where it stands."""
        try:
            yield
        except TypeError as error:  # of an item that no task can be made of
            raise UsageError(self._renamed(str(error))) from error
        except (LabelStudioError, ValueError) as error:
            error.args = (self._renamed(str(error)), *error.args[1:])
            raise

    def named_in(self, summary: Summary) -> Summary:
        """A summary of which the failures say where their items stand."""
        failed = (
            attrs.evolve(one, reason=self._renamed(f"item {one.place}: {_reason(one)}"))
            for one in summary.failed
        )
        return Summary(**{**vars(summary), "failed": failed})

    def _renamed(self, text: str) -> str:
        def placed(found: re.Match[str]) -> str:
            return re.sub(r"(?:items? )?(\d+)", lambda one: self.place(int(one[1])), found[0])

        return _NAMED.sub(placed, text)


def _reason(failure: Failure) -> str:
    """It, without the item, which it names where it was not the server that refused it."""
    return re.sub(rf"^item {failure.place}\b[:,]? ?", "", failure.reason)


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
"""Items, each with its line, or as which of its file it comes, from 1."""


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
                raise ValueError(f"line {rows.line_num} has not as many cells as the first line")
            yield rows.line_num, dict(row)

    return read


READERS: dict[str, Callable[[TextIO], Numbered]] = {
    ".json": _json,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".csv": _table(","),
    ".tsv": _table("\t"),
}
"""How tasks are read from a file, by its suffix."""
