"""Values and conditions in messages: recognizable, and never long."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable

WIDTH = 500
"""The most characters of a condition in a message, which has at most two of them."""


class _Brief(reprlib.Repr):
    """A repr that never reads all of a large or nested container."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = 8
        self.maxstring = self.maxother = width
        self.maxlong = 60


def brief(value: object, width: int = 120) -> str:
    """Return the repr of a value, shortened in the middle where it is long.

    >>> brief(list(range(100_000)))
    '[0, 1, 2, 3, 4, 5, 6, 7, ...]'
    """
    try:
        text = _Brief(width).repr(value)
    except Exception:  # a repr that fails, or an integer too long to be written
        text = f"<{type(value).__name__}>"
    return cut(text, width)


def cut(text: str, width: int = WIDTH) -> str:
    """Return a text, without its middle where it is longer than ``width``.

    >>> cut("abcdefghij", 9)
    'abc...hij'
    """
    if len(text) <= width:
        return text
    head = (width - 3) // 2
    return f"{text[: width - 3 - head]}...{text[len(text) - head :]}"


def joined(texts: Iterable[str], separator: str, width: int = WIDTH) -> str:
    """Return texts with a separator between them; of many only the first ones, and their number.

    >>> joined(map(str, range(1000)), " or ", 20)
    '0 or 1 or 2 or 3 or 4 or ... 995 more'
    """
    shown, length, more = [], 0, 0
    for text in texts:
        if length > width:
            more += 1
        else:
            shown.append(cut(text, width))
            length += len(text) + len(separator)
    return separator.join([*shown, *([f"... {more:,} more"] if more else [])])
