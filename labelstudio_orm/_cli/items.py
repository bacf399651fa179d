"""Files of tasks that ``labelstudio-orm import`` reads."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from .._console.arguments import UsageError
from .._engine.values.summary import Failure, Summary
from ..resources._tasks.item_files import READERS as READERS
from ..resources._tasks.item_files import ItemFiles


class Items(ItemFiles):
    r"""The tasks of these files, one after the other; ``-`` is the standard input, JSON lines.

    Iterating raises UsageError for an unknown kind of file, and for a broken one.

    >>> from pathlib import Path
    >>> _ = Path("more.jsonl").write_text('{"text": "a"}\n\n{"text": "b"}')
    >>> items = Items(["more.jsonl"])
    >>> list(items), items.one(1)
    ([{'text': 'a'}, {'text': 'b'}], 'more.jsonl: line 3')
    """

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from super().__iter__()
        except ValueError as error:
            raise UsageError(str(error)) from error

    @staticmethod
    def kind(path: str) -> str:
        """Return the suffix by which the kind of a file is known."""
        return ".jsonl" if path == "-" else ItemFiles.kind(path)

    @contextmanager
    def opened(self, path: str) -> Iterator[Any]:
        """Open a file, or the standard input."""
        if path == "-":
            yield sys.stdin
            return
        with super().opened(path) as file:
            yield file

    def named_in(self, summary: Summary) -> Summary:
        """Return a summary whose failures all name the files and lines of their items."""
        failed = [attrs.evolve(one, reason=self._named(one)) for one in summary.failed]
        return Summary(**{**vars(summary), "failed": failed})

    def _named(self, failure: Failure) -> str:
        name = self.one(failure.place)
        return f"{name}: {failure.reason.removeprefix(name).lstrip(',: ')}"
