"""What a query means, in plain Python over rows of JSON: written from the design's words alone.

Nothing here knows the library. A row is a task, an annotation or a prediction as `corpus.read`
gives it; `holds` says whether a condition is true of it, `sort` puts rows in order, `value` is what
a field shows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Row = dict[str, Any]

# The names of the fields, and how their JSON is to be read. A foreign key `updated_by` is also
# `updated_by_id`.
PLAIN, MOMENT, KEY, MANY, JSON = "plain", "moment", "key", "many", "json"
FIELDS: dict[str, dict[str, str]] = {
    "tasks": {
        "id": PLAIN, "inner_id": PLAIN, "is_labeled": PLAIN, "overlap": PLAIN,
        "total_annotations": PLAIN, "cancelled_annotations": PLAIN, "total_predictions": PLAIN,
        "comment_count": PLAIN, "unresolved_comment_count": PLAIN, "comment_authors": MANY,
        "last_comment_updated_at": MOMENT, "created_at": MOMENT, "updated_at": MOMENT,
        "updated_by": KEY, "project": KEY, "file_upload": PLAIN, "storage_filename": PLAIN,
        "annotators": MANY, "completed_at": MOMENT, "avg_lead_time": PLAIN, "draft_exists": PLAIN,
        "predictions_score": PLAIN, "data": JSON, "meta": JSON,
    },
    "annotations": {
        "id": PLAIN, "task": KEY, "project": KEY, "result": JSON, "completed_by": KEY,
        "was_cancelled": PLAIN, "ground_truth": PLAIN, "lead_time": PLAIN, "import_id": PLAIN,
        "draft_created_at": MOMENT, "last_action": PLAIN, "parent_prediction": KEY,
        "parent_annotation": KEY, "bulk_created": PLAIN, "created_at": MOMENT,
        "updated_at": MOMENT, "updated_by": KEY, "last_created_by": KEY,
    },
    "predictions": {
        "id": PLAIN, "task": KEY, "project": KEY, "result": JSON, "score": PLAIN,
        "model_version": PLAIN, "cluster": PLAIN, "neighbors": JSON, "mislabeling": PLAIN,
        "created_at": MOMENT, "updated_at": MOMENT,
    },
}  # fmt: skip
RELATIONS = {"tasks": ("annotations", "predictions"), "annotations": (), "predictions": ()}


# -- conditions ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Test:
    """One comparison, ``data__a__gt=5``."""

    key: str
    value: Any


@dataclass(frozen=True)
class Both:
    """All of some conditions (``&``), or any of them (``|``)."""

    joint: Literal["&", "|"]
    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Opposite:
    """The complement."""

    part: Condition


Condition = Test | Both | Opposite


@dataclass(frozen=True)
class Handle:
    """An object of the library by its id, where a value stands for an object."""

    noun: str
    id: int


@dataclass(frozen=True)
class Made:
    """A value as people have it, ``numpy.int64(5)``, and what it means."""

    code: str
    value: Any


def tests(condition: Condition) -> Iterator[Test]:
    """Every comparison in a condition."""
    if isinstance(condition, Test):
        yield condition
    else:
        for part in condition.parts if isinstance(condition, Both) else (condition.part,):
            yield from tests(part)


Chosen = dict[tuple[str, str], Any]
"""The related object, and the region of its result, that a condition is asked of: by relation, and
for regions with "result". Of no objects, and of no regions, nothing: what is true of null is true.
"""


def holds(kind: str, row: Row, condition: Condition) -> bool:
    """Is it true of a row? It is, when there is one object of each relation, and one region of the
    result of each, for which it is. What is negated is asked by itself.
    """
    wanted = {_relation(kind, test.key) for test in _open(condition)}
    return any(_holds(kind, row, condition, chosen) for chosen in _choices(row, sorted(wanted)))


def _open(condition: Condition) -> Iterator[Test]:
    """The comparisons that are not negated; twice is not at all."""
    if isinstance(condition, Test):
        yield condition
    elif isinstance(condition, Both):
        for part in condition.parts:
            yield from _open(part)
    elif isinstance(condition.part, Opposite):
        yield from _open(condition.part.part)


def _choices(row: Row, relations: list[str]) -> Iterator[Chosen]:
    if not relations:
        yield {}
        return
    first, *rest = relations
    for one in (row[first] or [{}]) if first else [row]:
        for region in one.get("result") or [None]:
            for others in _choices(row, rest):
                yield {(first, ""): one, (first, "result"): region, **others}


def _holds(kind: str, row: Row, condition: Condition, chosen: Chosen) -> bool:
    if isinstance(condition, Test):
        return _test_holds(kind, condition, chosen)
    if isinstance(condition, Opposite):
        if isinstance(condition.part, Opposite):
            return _holds(kind, row, condition.part.part, chosen)
        return not holds(kind, row, condition.part)
    found = (_holds(kind, row, part, chosen) for part in condition.parts)
    return all(found) if condition.joint == "&" else any(found)


def _relation(kind: str, key: str) -> str:
    first, *rest = key.split("__")
    return first if rest and first in RELATIONS[kind] else ""


def _test_holds(kind: str, test: Test, chosen: Chosen) -> bool:
    relation = _relation(kind, test.key)
    kind, key = relation or kind, test.key.removeprefix(f"{relation}__")
    row, region = chosen[relation, ""], chosen[relation, "result"]
    name, path, lookup = split(kind, key)
    wanted = plain(test.value)
    if FIELDS[kind][name] in (KEY, MANY, PLAIN) and name not in TEXTS:
        wanted = tuple(map(_as_number, wanted)) if isinstance(wanted, tuple) else _as_number(wanted)
    found = elements(kind, row, name, path)
    if name == "result" and path and found != [None]:
        found = [] if region is None else in_region(region, path)
    return any(LOOKUPS[lookup](one, wanted) for one in found)


def split(kind: str, key: str) -> tuple[str, tuple[str, ...], str]:
    """The field, the path into its JSON, and the lookup."""
    name, rest, literal = _names(key)
    if literal:
        lookup = key.rpartition("]")[2].removeprefix("__") or "exact"
    else:
        lookup = rest.pop() if rest and rest[-1] in LOOKUPS else "exact"
    return (*_field(kind, name, rest, key), lookup)


def place(kind: str, key: str) -> tuple[str, tuple[str, ...]]:
    """The field and the path into its JSON, of what has no lookup: an order."""
    name, rest, _ = _names(key)
    return _field(kind, name, rest, key)


def is_literal(key: str) -> bool:
    """Is it an expression, ``data["a"]``?"""
    return key.startswith(("data[", "meta["))


def _names(key: str) -> tuple[str, list[str], bool]:
    if not is_literal(key):
        name, *rest = key.split("__")
        return name, rest, False
    texts = re.findall(r'\["((?:[^"\\]|\\.)*)"\]', key)
    return key[:4], [json.loads(f'"{text}"') for text in texts], True


def _field(kind: str, name: str, rest: list[str], key: str) -> tuple[str, tuple[str, ...]]:
    name = "id" if name == "pk" else name
    if name not in FIELDS[kind] and name.endswith("_id"):
        name = name[: -len("_id")]
    if FIELDS[kind][name] == KEY and rest == ["id"]:
        rest = []
    assert FIELDS[kind][name] == JSON or not rest, key
    return name, tuple(rest)


def plain(value: Any) -> Any:
    """A value as conditions compare it: ids for objects, tuples for several."""
    if isinstance(value, Handle):
        return value.id
    if isinstance(value, Made):
        return value.value
    return tuple(map(plain, value)) if isinstance(value, tuple) else value


TEXTS = ("file_upload", "storage_filename", "model_version", "last_action")
"""The plain fields that are texts."""


def _as_number(value: Any) -> Any:
    return int(value) if isinstance(value, str) else value


def elements(kind: str, row: Row, name: str, path: tuple[str, ...]) -> list[Any]:
    """What a condition on this field is asked of: one value, or several where it has several; of
    none, null.
    """
    shown = value(kind, row, name)
    if FIELDS[kind][name] == MANY:
        return shown or [None]
    if name == "result" and path:
        return [one for region in shown or () for one in in_region(region, path)] or [None]
    return [_get(shown, path)]


def value(kind: str, row: Row, name: str) -> Any:
    """What a field shows."""
    how = FIELDS[kind][name]
    found = row.get(name)
    if how == MANY:
        return list(found or [])
    if how == KEY:
        return _key(found)
    if how == MOMENT and found is not None:
        return datetime.fromisoformat(found.replace("Z", "+00:00"))
    return found


def _key(found: Any) -> Any:
    """The id in ``7``, ``{"id": 7}``, ``[{"user_id": 7}]``, ``[]``."""
    if isinstance(found, list):
        return _key(found[0]) if found else None
    return found.get("id", found.get("user_id")) if isinstance(found, dict) else found


def _get(found: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _inside(found: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """Of a result: lists on the way are gone through."""
    if isinstance(found, list):
        for one in found:
            yield from _inside(one, path)
    elif path:
        yield from _inside(found.get(path[0]) if isinstance(found, dict) else None, path[1:])
    else:
        yield found


def in_region(region: Row, path: tuple[str, ...]) -> list[Any]:
    """What a region has: labels, something of its own, or what its control says."""
    if path == ("label",):
        return _said(region, region.get("type"))
    if path[0] in OF_REGIONS or path[0] in region:
        return list(_inside(region, path))
    if region.get("from_name") != "__".join(path):
        return []
    return _said(region, {"textarea": "text"}.get(region["type"], region["type"]))


OF_REGIONS = ("id", "type", "value", "score", "from_name")


def _said(region: Row, key: Any) -> list[Any]:
    """What is in a region's value under a key, however deep in lists."""
    found = [(region.get("value") or {}).get(key)]
    while any(isinstance(one, list) for one in found):
        found = [part for one in found for part in (one if isinstance(one, list) else [one])]
    return [one for one in found if one is not None]


# -- lookups ---------------------------------------------------------------------------------------


def equal(left: Any, right: Any) -> bool:
    """``1 == 1.0``, ``"10" != 10``, ``True != 1``, at any depth."""
    if isinstance(left, bool) or isinstance(right, bool):
        return isinstance(left, bool) and isinstance(right, bool) and left == right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return bool(left == right)


def _comparable(left: Any, right: Any) -> bool:
    numbers = (int, float)
    for kind in (numbers, str, datetime):
        if isinstance(left, kind) and isinstance(right, kind):
            return not isinstance(left, bool) and not isinstance(right, bool)
    return False


def _texts(compare: Callable[[str, str], Any], fold: bool = False) -> Callable[[Any, Any], bool]:
    def looked_up(found: Any, wanted: Any) -> bool:
        if not isinstance(found, str):
            return False
        return bool(compare(found.lower(), wanted.lower()) if fold else compare(found, wanted))

    return looked_up


def _iexact(found: Any, wanted: Any) -> bool:
    if isinstance(found, str) and isinstance(wanted, str):
        return found.lower() == wanted.lower()
    return equal(found, wanted)


LOOKUPS: dict[str, Callable[[Any, Any], bool]] = {
    "exact": equal,
    "iexact": _iexact,
    "contains": _texts(lambda found, wanted: wanted in found),
    "icontains": _texts(lambda found, wanted: wanted in found, fold=True),
    "startswith": _texts(lambda found, wanted: found.startswith(wanted)),
    "istartswith": _texts(lambda found, wanted: found.startswith(wanted), fold=True),
    "endswith": _texts(lambda found, wanted: found.endswith(wanted)),
    "iendswith": _texts(lambda found, wanted: found.endswith(wanted), fold=True),
    "regex": _texts(lambda found, wanted: re.search(wanted, found)),
    "iregex": _texts(lambda found, wanted: re.search(wanted, found, re.IGNORECASE)),
    "in": lambda found, wanted: any(equal(found, one) for one in wanted),
    "range": lambda found, wanted: (
        all(_comparable(found, end) for end in wanted) and wanted[0] <= found <= wanted[1]
    ),
    "gt": lambda found, wanted: _comparable(found, wanted) and found > wanted,
    "gte": lambda found, wanted: _comparable(found, wanted) and found >= wanted,
    "lt": lambda found, wanted: _comparable(found, wanted) and found < wanted,
    "lte": lambda found, wanted: _comparable(found, wanted) and found <= wanted,
    "isnull": lambda found, wanted: (found is None) == wanted,
    "has_key": lambda found, wanted: isinstance(found, dict) and wanted in found,
}


# -- orders ----------------------------------------------------------------------------------------


def sort(kind: str, rows: list[Row], keys: tuple[str, ...]) -> list[Row]:
    """By these keys: nulls last, ties by id."""
    found = sorted(rows, key=lambda row: row["id"])
    for key in reversed(keys):
        falling = key.startswith("-")
        name, path = place(kind, key.lstrip("-"))
        ranked = [(_rank(_get(value(kind, row, name), path)), row) for row in found]
        known = [pair for pair in ranked if pair[0] is not None]
        known.sort(key=lambda pair: pair[0] or (), reverse=falling)
        found = [row for _, row in known] + [row for rank, row in ranked if rank is None]
    return found


def _rank(found: Any) -> tuple[int, Any] | None:
    """Numbers, texts, moments, the rest."""
    if found is None:
        return None
    kinds: tuple[Any, ...] = ((int, float), str, datetime)
    for rank, kind in enumerate(kinds):
        if isinstance(found, kind):
            return rank, found
    return 3, repr(found)


def shown(kind: str, row: Row, key: str) -> Any:
    """What ``values_list(key)`` gives."""
    name, path = place(kind, key)
    return _get(value(kind, row, name), path)
