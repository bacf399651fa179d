"""Which lookups and values a field takes, from the design's words alone: what could never be true
is refused, and what converts exactly is converted.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from . import model
from .model import JSON, KEY, LOOKUPS, MANY, MOMENT, Handle, Made, Test

FLAG, WHOLE, NUMBER, TEXT = "flag", "whole", "number", "text"

TYPES: dict[str, str] = {
    **dict.fromkeys(
        ("is_labeled", "draft_exists", "was_cancelled", "ground_truth", "bulk_created"), FLAG
    ),
    **dict.fromkeys(("avg_lead_time", "predictions_score", "lead_time", "score"), NUMBER),
    "mislabeling": NUMBER,
    **dict.fromkeys(("file_upload", "storage_filename", "model_version", "last_action"), TEXT),
}
"""The types of plain fields; all others are whole numbers."""

ACTIONS = (
    "prediction", "propagated_annotation", "imported", "submitted", "updated", "skipped",
    "accepted", "rejected", "fixed_and_accepted", "deleted_review",
)  # fmt: skip
"""All that ``last_action`` can be."""

EQUAL = {"exact", "iexact", "in", "isnull"}
ORDER = {"gt", "gte", "lt", "lte", "range"}
TEXTS = {name for name in LOOKUPS if name.endswith(("contains", "with", "regex"))}
CONTAINERS = {
    "data": (dict,), "meta": (dict,), "result": (list,), "neighbors": (dict, list),
}  # fmt: skip


def type_of(kind: str, name: str, path: tuple[str, ...]) -> str:
    """What a value of a field is, or what is inside of it."""
    how = model.FIELDS[kind][name]
    if how == JSON:
        return JSON if path else name
    if how in (KEY, MANY):
        return WHOLE
    return how if how == MOMENT else TYPES.get(name, WHOLE)


def lookups(what: str) -> set[str]:
    """The lookups that may be true of such a value."""
    if what in CONTAINERS:
        return {"exact", "in", "isnull"} | ({"has_key"} if dict in CONTAINERS[what] else set())
    if what == JSON:
        return set(LOOKUPS)
    return EQUAL | (ORDER if what != FLAG else set()) | (TEXTS if what == TEXT else set())


def is_refused(kind: str, test: Test) -> bool:
    """Is this a mistake?"""
    relation, _, rest = test.key.partition("__")
    if rest and relation in model.RELATIONS[kind]:
        return is_refused(relation, Test(rest, test.value))
    name, path, lookup = model.split(kind, test.key)
    what = type_of(kind, name, path)
    if lookup not in lookups(what):
        return True
    if lookup == "isnull":
        return not isinstance(model.plain(test.value), bool)
    if lookup in TEXTS and name == "last_action":
        return not any(LOOKUPS[lookup](one, model.plain(test.value)) for one in ACTIONS)
    values = test.value if lookup in ("in", "range") else (test.value,)
    return not all(_fits(what, name, lookup, one) for one in values)


def _fits(what: str, name: str, lookup: str, value: Any) -> bool:
    value = value.value if isinstance(value, Made) else value
    if what == JSON or lookup == "has_key":
        return True
    if value is None:
        return lookup not in ORDER
    if what in CONTAINERS:
        return isinstance(value, CONTAINERS[what])
    if what == FLAG:
        return isinstance(value, bool)
    if what == MOMENT:
        return isinstance(value, datetime)
    if what == TEXT:
        return isinstance(value, str) and (
            name != "last_action"
            or lookup in ORDER | TEXTS
            or value in ACTIONS
            or (lookup == "iexact" and value.lower() in ACTIONS)
        )
    if isinstance(value, Handle):
        return True
    if what == WHOLE and isinstance(value, str):
        return value.isascii() and value.removeprefix("-").isdigit()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    finite = abs(value) != float("inf")
    return lookup in ORDER or (finite and (what == NUMBER or value == int(value)))
