"""From a tree of conditions to what the server filters and what is checked here.

The server's filters are not ours: a missing key fits neither a test nor its negation, an unknown
operator means ``equal``, text is compared without case for ASCII letters only. So a leaf is sent
only where the tables below say that the answer is *exact*, or a *superset* which is checked again
here; everything else is checked here alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from .codec import write_datetime
from .query import EVERYTHING, And, Leaf, Node, Or, conjunction, leaves, parts_of

if TYPE_CHECKING:
    from .resource import Resource

Item = dict[str, Any]
"""One line of a Data Manager filter: ``{"filter", "operator", "type", "value"}``."""


@attrs.frozen
class Plan:
    """How a query will be answered.

    ``params`` are parameters of a plain listing; ``items`` joined by ``conjunction`` are the Data
    Manager's filter; ``here`` is the tree that every row is checked against on this side (None:
    the answer is exact). ``nothing`` says that no object can fit, so that no request is needed.
    """

    params: Mapping[str, Any] = attrs.field(factory=dict)
    conjunction: str = "and"
    items: tuple[Item, ...] = ()
    here: Node | None = None
    nothing: bool = False

    def filters(self, keyset: Item | None = None) -> dict[str, Any] | None:
        """The Data Manager's ``filters``, with the condition of a keyset page joined in."""
        items: list[Item]
        if keyset is None:
            items = list(self.items)
        elif self.conjunction == "or" and self.items:
            items = [{**item, "child_filter": keyset} for item in self.items]
        else:
            items = [*self.items, keyset]
        return {"conjunction": self.conjunction, "items": items} if items else None


def plan(model: type[Resource], where: Node) -> Plan:
    """The plan for one query on one resource."""
    if _is_never(where):
        return Plan(nothing=True)
    if where == EVERYTHING:
        return Plan()
    if model._options.pages.filters_tasks:
        return _plan_tasks(where)
    return _plan_params(model, where)


def _is_never(node: Node) -> bool:
    """Is it an empty ``in``, alone or in a conjunction?"""
    if isinstance(node, Leaf):
        return node.lookup == "in" and not node.value
    if isinstance(node, And):
        return any(map(_is_never, node.parts))
    return isinstance(node, Or) and all(map(_is_never, node.parts))


# -- plain listings: a few parameters each, which the declaration names ---------------------------


def _plan_params(model: type[Resource], where: Node) -> Plan:
    sent: dict[str, Any] = {}
    for part in parts_of(where):
        if not isinstance(part, Leaf) or part.path or part.relation:
            continue
        said = model._options.params
        lookup, value = part.lookup, part.value
        if lookup in _TEXT and isinstance(value, str) and f"{part.field.name}__icontains" in said:
            lookup, value = "icontains", _needle(part)
        parameter = said.get(f"{part.field.name}__{lookup}")
        if not parameter or value in ("", None):
            continue
        name, write = parameter if isinstance(parameter, tuple) else (parameter, _plainly)
        sent.setdefault(name, write(value))
    return Plan(params=sent, here=where)


def _plainly(value: Any) -> Any:
    return ",".join(map(str, value)) if isinstance(value, tuple) else value


# -- tasks: the Data Manager ----------------------------------------------------------------------

_NUMBERS = {
    "exact": "equal",
    "gt": "greater",
    "gte": "greater_or_equal",
    "lt": "less",
    "lte": "less_or_equal",
    "in": "in_list",
    "range": "in",
}
_MOMENTS = {name: operator for name, operator in _NUMBERS.items() if name != "in"}

Translation = Callable[[Leaf], "Item | None"]


def line(column: str, operator: str, type_: str, value: Any) -> Item:
    """One line of a filter: ``line("id", "greater", "Number", 5)``."""
    return {
        "filter": f"filter:tasks:{column}",
        "operator": operator,
        "type": type_,
        "value": value,
    }


def _said(leaf: Leaf, values: Sequence[Any]) -> Any:
    """The value in the shape that the operator takes."""
    if leaf.lookup == "range":
        return {"min": values[0], "max": values[1]}
    return list(values) if leaf.lookup == "in" else values[0]


def _number(leaf: Leaf) -> Item | None:
    # A fraction would be cut off by the server, and SQLite fails on integers beyond 64 bits.
    operator = _NUMBERS.get(leaf.lookup)
    values = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    if operator is None or not all(type(value) is int and abs(value) < 2**63 for value in values):
        return None
    return line(leaf.field.wire, operator, "Number", _said(leaf, values))


def _moment(leaf: Leaf) -> Item | None:
    operator = _MOMENTS.get(leaf.lookup)
    values = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    if operator is None or not all(isinstance(value, datetime) for value in values):
        return None
    texts = [write_datetime(value) for value in values]
    return line(leaf.field.wire, operator, "Datetime", _said(leaf, texts))


def _flag(leaf: Leaf) -> Item | None:
    if leaf.lookup != "exact" or not isinstance(leaf.value, bool):
        return None
    return line(leaf.field.wire, "equal", "Boolean", leaf.value)


def _member(leaf: Leaf) -> Item | None:
    if leaf.lookup != "exact" or type(leaf.value) is not int:
        return None
    return line(leaf.field.wire, "contains", "List", leaf.value)


_EXACT: dict[str, Translation] = {
    "id": _number,
    "inner_id": _number,
    "total_annotations": _number,
    "cancelled_annotations": _number,
    "total_predictions": _number,
    "comment_count": _number,
    "unresolved_comment_count": _number,
    "overlap": _number,
    "created_at": _moment,
    "updated_at": _moment,
    "is_labeled": _flag,
    "annotators": _member,
    "updated_by_id": _member,
}
"""The columns of which the server's answer is exactly ours, for the lookups that their function
takes.
"""

_PLAIN_KEY = re.compile(r"[A-Za-z](_?[A-Za-z0-9])*\Z")  # two underscores would be a path
_TEXT = frozenset({
    "exact", "iexact", "contains", "icontains",
    "startswith", "istartswith", "endswith", "iendswith",
})  # fmt: skip

# Letters that are the lower case of a letter beyond ASCII too (the Kelvin sign, the dotted capital
# I), and what is written differently inside JSON or a pattern: a needle must not contain them.
_NEEDLE = re.compile(r"[\x20-\x7e]+")
_TROUBLE = re.compile(r"[iIkK\"'\\]")


def _needle(leaf: Leaf) -> str:
    """The longest piece of a text that the server's ASCII-caseless ``contains`` surely finds in
    every fit.
    """
    folds = leaf.lookup.startswith("i")
    pieces: list[str] = []
    for run in _NEEDLE.findall(leaf.value):
        pieces.extend(_TROUBLE.split(run) if folds else re.split(r"[\"'\\]", run))
    return max(pieces, key=len, default="")[:200]


def _superset(leaf: Leaf) -> Item | None:
    """A text in ``data``: the tasks whose value contains a piece of it, to be checked again
    here.
    """
    if leaf.field.name != "data" or len(leaf.path) != 1 or leaf.lookup not in _TEXT:
        return None
    key = leaf.path[0]
    if not isinstance(leaf.value, str) or not _PLAIN_KEY.match(key) or key in _DJANGO:
        return None
    needle = _needle(leaf)
    if not needle.strip():
        return None
    return line(f"data.{key}", "contains", "String", needle)


# A data key of the name of one of the server's own lookups never matches.
_DJANGO = frozenset({
    "exact", "iexact", "contains", "icontains", "startswith", "istartswith", "endswith",
    "iendswith", "regex", "iregex", "in", "range", "gt", "gte", "lt", "lte", "isnull", "has_key",
    "has_keys", "has_any_keys", "contained_by", "date", "year", "month", "day", "week", "quarter",
    "time", "hour", "minute", "second", "search", "trigram_similar", "unaccent", "len", "overlap",
    "id", "data",
})  # fmt: skip


def _translate(leaf: Leaf) -> tuple[Item | None, bool]:
    """What the server can say of a leaf, and whether its answer is exact."""
    if leaf.relation:  # not even the counters help: they miss what two writers did at once
        return None, False
    if not leaf.path and leaf.field.name in _EXACT:
        item = _EXACT[leaf.field.name](leaf)
        return item, item is not None
    return _superset(leaf), False


def _plan_tasks(where: Node) -> Plan:
    if isinstance(where, Or):
        said = [
            _translate(part) if isinstance(part, Leaf) else (None, False) for part in where.parts
        ]
        items = [item for item, _ in said if item]
        if len(items) < len(said):
            return Plan(here=where)
        exact = all(exact for _, exact in said)
        return Plan(conjunction="or", items=tuple(items), here=None if exact else where)
    items, unsure = [], []
    for part in parts_of(where):
        item, exact = _translate(part) if isinstance(part, Leaf) else (None, False)
        if item:
            items.append(item)
        if not exact:
            unsure.append(part)
    return Plan(items=tuple(items), here=conjunction(*unsure) if unsure else None)


def fields_needed(node: Node | None) -> tuple[set[str], set[str]]:
    """The fields and the relations that checking a tree here reads."""
    found = list(leaves(node)) if node is not None else []
    return (
        {leaf.field.name for leaf in found if leaf.relation is None},
        {leaf.relation for leaf in found if leaf.relation is not None},
    )
