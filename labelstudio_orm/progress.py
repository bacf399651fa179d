"""Progress: the argument ``progress=`` of every verb that takes a while."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from functools import cache, wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from typing_extensions import ParamSpec, Self

    P = ParamSpec("P")

__all__ = ["Progress", "Reporter", "ends_line", "reporter"]

T = TypeVar("T")

Progress: TypeAlias = "bool | Callable[[int, int | None], object] | None"
"""True for a bar of tqdm where that is installed (the extra ``[progress]``), else a line on stderr;
or a function ``(done, total)``; the total may be None when it is not known.
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


class _Bar(Reporter):
    """A bar of tqdm, with the time that is left; in a notebook one of its widgets."""

    def __init__(self, make: Callable[..., Any], what: str) -> None:
        self._make, self._what = make, what
        self._bar: Any = None
        self._last: tuple[int, int | None] | None = None

    def __call__(self, done: int, total: int | None) -> None:
        if (done, total) == self._last:
            return
        self._last = done, total
        if self._bar is None:
            self._bar = self._make(total=total, desc=self._what, initial=done, file=sys.stderr)
        self._bar.total = total
        self._bar.update(done - self._bar.n)
        if done == total:
            self.close()

    def close(self) -> None:
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()


@cache
def _bars() -> Callable[..., Any] | None:
    """Return the class of bars that this interpreter shows; None without tqdm."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a notebook without widgets: it has plain bars then
            found = import_module("tqdm.auto").tqdm
    except ImportError:
        return None
    # Without a thread of its own, which would be there for as long as the process.
    return type("Bar", (found,), {"monitor_interval": 0})


def reporter(progress: Progress, what: str) -> Reporter:
    """Return the reporter for a ``progress`` argument; ``what`` begins its line."""
    if callable(progress):
        return _Function(progress)
    if not progress:
        return QUIET
    bars = _bars()
    return _Line(what) if bars is None else _Bar(bars, what)


def ends_line(name: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator of methods: the reporter of this name is closed however they end."""

    def decorate(method: Callable[P, T]) -> Callable[P, T]:
        @wraps(method)
        def run(*args: Any, **options: Any) -> T:
            with getattr(args[0], name):
                return method(*args, **options)

        return run

    return decorate
