"""Near misses: the known names that look like a misspelt one, for messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from .brief import brief, joined

_LONGEST = 200
"""Names up to this length are compared with others, which takes the square of their length."""


def near_misses(name: str, known: Iterable[str], limit: int = 3, cutoff: float = 0.6) -> list[str]:
    """Return the known names most similar to a misspelt one, best first; case does not count.

    >>> near_misses("titel", ["Title", "color"])
    ['Title']
    """
    if len(name) > _LONGEST:
        return []
    spellings: dict[str, list[str]] = {}
    for one in known:
        spellings.setdefault(one.lower(), []).append(one)
    close = difflib.get_close_matches(name.lower(), list(spellings), limit, cutoff)
    return [one for spelling in close for one in spellings[spelling]][:limit]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean ...?" with up to three known names, or an empty text.

    >>> did_you_mean("titel", ["title", "color"])
    "; did you mean 'title'?"
    """
    close = near_misses(name, known)
    return f"; did you mean {' or '.join(map(brief, close))}?" if close else ""


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Return the sentence about an unknown name: its near misses, and the names that exist.

    >>> unknown("no label", "Catt", ["Cat", "Bird"])
    "no label 'Catt'; did you mean 'Cat'? There are: 'Cat', 'Bird'"
    """
    known = list(known)
    hint = did_you_mean(name, known) or "."
    return f"{what} {brief(name)}{hint} There are: {joined(map(brief, known), ', ') or 'none'}"
