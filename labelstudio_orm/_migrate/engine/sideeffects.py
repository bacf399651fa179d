"""Side effects of a write on other objects of a task.

An annotation that becomes ground truth takes the mark off all others of its task, and one that is
deleted takes its drafts with it. Where that would undo what a user did in the target, the change is
a conflict, as one of the object itself is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from .diff3 import Base, Change, Conflicts


def without_side_effects(
    changes: Sequence[Change], here: Row, there: Row, base: Base, conflicts: Conflicts
) -> Iterator[Change]:
    """Yield the changes of a task; those that would undo a change of the target, as conflicts."""
    applied = [one for one in changes if one.under(conflicts) == "apply"]
    for change in changes:
        if change.kind != "annotations" or change.under(conflicts) != "apply":
            yield change
        elif change.here is None:
            yield _keeping_drafts(change, there, base)
        elif change.here["ground_truth"] and not (change.there or {}).get("ground_truth"):
            yield _keeping_marks(change, applied, here, there, base)
        else:
            yield change


def _keeping_drafts(change: Change, there: Row, base: Base) -> Change:
    ours = {new for new, *_ in base.objects["drafts"].known.values()}
    gone = change.there["id"]
    if any(one["annotation"] == gone and one["id"] not in ours for one in there["drafts"]):
        return attrs.evolve(change, by=None)
    return change


def _keeping_marks(
    change: Change, applied: Sequence[Change], here: Row, there: Row, base: Base
) -> Change:
    own = change.there and change.there["id"]
    unmarked = {
        one.there["id"]
        for one in applied
        if one.kind == change.kind and one.there and not (one.here or {}).get("ground_truth")
    }
    marked = {one["id"] for one in there["annotations"] if one["ground_truth"]} - unmarked - {own}
    if not marked:
        return change
    ids = ", ".join(map(str, sorted(marked)))
    reason = f"ground truth in the source, while {ids} is that in the target"
    both = {
        base.objects["annotations"].known[one["id"]][0]
        for one in here["annotations"]
        if one["ground_truth"] and one["id"] in base.objects["annotations"].known
    }
    # Of several marks in the source a server takes but one.
    return attrs.evolve(change, by="target" if marked & both else None, reason=reason)
