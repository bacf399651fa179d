"""Progress: one argument, ``progress=``, for every verb that takes a while."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = "bool | Callable[[int, int | None], object] | None"
"""True for a line on stderr, or a function ``(done, total)``; the total may be None when it is not
known.
"""


def reporter(progress: Progress, what: str) -> Callable[[int, int | None], object]:
    """The function to call with ``(done, total)`` for a ``progress`` argument."""
    if callable(progress):
        return progress
    if not progress:
        return lambda done, total: None

    shown = 0.0
    last: tuple[int, int | None] | None = None

    def show(done: int, total: int | None) -> None:
        nonlocal shown, last
        now = time.monotonic()
        if (done, total) == last or (done != total and now - shown < 0.1):
            return
        shown, last = now, (done, total)
        of = f" of {total:,}" if total is not None else ""
        end = "\n" if done == total else ""
        print(f"\r{what}: {done:,}{of}", end=end, file=sys.stderr, flush=True)

    return show
