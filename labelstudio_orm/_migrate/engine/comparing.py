"""Comparing objects by their content, which the order and the ids of objects are no part of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from ..._engine.values.codec import Row
from ..._reports import Difference
from .fingerprints import CONTENTS, task_fields, text_of
from .pairing import pair_up


def task_differences(here: Row, there: Row) -> tuple[list[Difference], Counter[str]]:
    """Return the differences of two tasks, and how many objects of each kind are the same.

    Both are as the target has them.
    """
    ours, theirs = task_fields(here), task_fields(there)
    found = [
        Difference("tasks", here["id"], there["id"], name, value, theirs[name])
        for name, value in ours.items()
        if text_of(value) != text_of(theirs[name])
    ]
    same: Counter[str] = Counter()
    for kind, content_of in CONTENTS.items():
        more, same[kind] = object_differences(kind, here[kind], there[kind], content_of)
        found += more
    same["tasks"] += not found
    return found, same


def object_differences(
    kind: str,
    here: Iterable[Row],
    there: Iterable[Row],
    content_of: Callable[[Row], dict[str, Any]],
) -> tuple[list[Difference], int]:
    """Return the differences of two lists of objects, and how many objects are the same."""
    here, there = list(here), list(there)
    texts = [[text_of(content_of(row)) for row in rows] for rows in (here, there)]
    if texts[0] == texts[1]:
        return [], len(here)
    found: list[Difference] = []
    same = 0
    for row, other in pair_up(here, there, content_of):
        if row is None or other is None:
            left, right = (None if one is None else one["id"] for one in (row, other))
            found.append(Difference(kind, left, right))
            continue
        ours, its = content_of(row), content_of(other)
        fields = [
            name for name in {**ours, **its} if text_of(ours.get(name)) != text_of(its.get(name))
        ]
        same += not fields
        found += [
            Difference(kind, row["id"], other["id"], name, ours.get(name), its.get(name))
            for name in fields
        ]
    return found, same
