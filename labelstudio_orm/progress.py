"""Progress: the argument ``progress=`` of every verb that takes a while."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from typing_extensions import ParamSpec, Self

    P = ParamSpec("P")

__all__ = ["Progress", "Reporter", "ends_line", "reporter"]

T = TypeVar("T")

Progress: TypeAlias = "bool | Callable[[int, int | None], object] | None"
"""True for a line on stderr, or a function ``(done, total)``; the total may be None when it is not
known.
"""


class Reporter:
    """Reports progress; called with ``(done, total)``.

    As a context it ends its line however the block ends, so that later output begins a line of its
    own.
    """

    def __call__(self, done: int, total: int | None) -> None:
        """Report the progress."""

    def close(self) -> None:
        """End the line, if one is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


QUIET = Reporter()
"""Reports nothing."""


class _Function(Reporter):
    """The user's own function."""

    def __init__(self, function: Callable[[int, int | None], object]) -> None:
        self._function = function

    def __call__(self, done: int, total: int | None) -> None:
        self._function(done, total)


class _Line(Reporter):
    """One line on stderr, ten times a second at most."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._shown = 0.0
        self._last: tuple[int, int | None] | None = None
        self._is_open = False

    def __call__(self, done: int, total: int | None) -> None:
        now = time.monotonic()
        if (done, total) == self._last or (done != total and now - self._shown < 0.1):
            return
        self._shown, self._last = now, (done, total)
        of = f" of {total:,}" if total is not None else ""
        self._is_open = done != total
        end = "" if self._is_open else "\n"
        print(f"\r{self._what}: {done:,}{of}", end=end, file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            print(file=sys.stderr, flush=True)


def reporter(progress: Progress, what: str) -> Reporter:
    """Return the reporter for a ``progress`` argument; ``what`` begins its line."""
    if callable(progress):
        return _Function(progress)
    return _Line(what) if progress else QUIET


def ends_line(name: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator of methods: the reporter of this name is closed however they end."""

    def decorate(method: Callable[P, T]) -> Callable[P, T]:
        @wraps(method)
        def run(*args: Any, **options: Any) -> T:
            with getattr(args[0], name):
                return method(*args, **options)

        return run

    return decorate
