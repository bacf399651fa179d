"""Pairs the objects of two projects that stand for each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from .fingerprints import digest

if TYPE_CHECKING:
    from ..._engine.values.codec import Row

_ALIKE: Final = ("completed_by", "model_version", "url", "type", "name")
"""Fields that objects which stand for each other mostly have in common."""


def pair_up(
    here: Iterable[Row], there: Iterable[Row], content_of: Callable[[Row], dict[str, Any]]
) -> list[tuple[Row | None, Row | None]]:
    """Pair the objects of two sides; None stands in for the partner of one that has none.

    Paired are objects of the same content, else those of which one was imported from the other,
    else those that have the most telling fields in common.
    """
    theirs: dict[str, list[Row]] = {}
    for row in there:
        theirs.setdefault(digest(content_of(row)), []).append(row)
    pairs: list[tuple[Row | None, Row | None]] = []
    missing: list[Row] = []
    for row in here:
        twins = theirs.get(digest(content_of(row)))
        if twins:
            pairs.append((row, twins.pop(_place(row, twins))))
        else:
            missing.append(row)
    extra = [row for twins in theirs.values() for row in twins]
    for row in missing:
        other = _nearest(row, extra)
        if other is not None:
            extra.remove(other)
        pairs.append((row, other))
    return [*pairs, *((None, row) for row in extra)]


def _place(row: Row, twins: list[Row]) -> int:
    """Return which of several equal objects a row is paired with."""
    ids = [one.get("import_id") for one in twins]
    return ids.index(row["id"]) if row["id"] in ids else 0


def _nearest(row: Row, others: list[Row]) -> Row | None:
    """Return the object that a row most likely stands for; None if there is none."""
    by_id = next((one for one in others if one.get("import_id") == row["id"]), None)
    if by_id is not None:
        return by_id
    for other in others:
        if all(row.get(name) == other.get(name) for name in _ALIKE):
            return other
    return None
