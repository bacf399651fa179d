"""Conditions and orders as the Data Manager's saved views keep them, in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ...errors import FieldError
from ..conditions.ordering import Key
from ..conditions.q import Q, build, leaf
from ..conditions.tree import Opaque, leaves
from ..fields.options import options_of
from ..values import codec
from ..values.registry import registry
from .columns import (
    ABOUT_ONE,
    EXACT,
    LIST,
    OPERATORS,
    OPPOSITE,
    ORDERED,
    RELATION,
    Item,
    Terms,
    column_of,
    comparison,
)
from .plan import plan


def view_filters(condition: Q, server: str | None = None) -> dict[str, Any]:
    """Return a condition as a view keeps it.

    Raises FieldError for what the server does not answer exactly.

    >>> view_filters(Q(total_annotations=0))["items"][0]["operator"]
    'equal'
    """
    where = build(registry["Task"], (condition,), {}, server)
    values = sum(len(one.value) for one in leaves(where) if one.lookup == "in")
    if values > LIST:
        raise FieldError(
            f"a view cannot hold {condition!r}: a server takes lists of up to {LIST:,} values, and "
            f"this has {values:,}; filter instead: project.tasks.filter(...)"
        )
    planned = plan(options_of(registry["Task"]), where, Terms(numbers=LIST))
    # The browser shows neither lists of texts in data nor columns that it does not know.
    unshown = any(one.field.name == "data" for one in leaves(where)) or any(
        column_of(item) == RELATION for clause in planned.clauses for item in clause
    )
    if not planned.counts or planned.nothing or unshown:
        raise FieldError(
            f"a view cannot say {condition!r} exactly as it is meant here; filter instead: "
            "project.tasks.filter(...)"
        )
    return planned.filters() or {"conjunction": "and", "items": []}


def has_pairs(filters: Any) -> bool:
    """Return whether a line of a view's filters holds two conditions."""
    items = filters.get("items") if isinstance(filters, dict) else None
    return any(isinstance(item, dict) and item.get("child_filter") for item in items or ())


def view_ordering(key: str) -> str:
    """Return an order by one key as a view keeps it: ``-created_at`` is ``-tasks:created_at``.

    >>> view_ordering("-created_at")
    '-tasks:created_at'
    """
    if not isinstance(key, str):
        raise FieldError(f"a view is ordered by one field, since the server ignores more: {key!r}")
    parsed = Key.of(registry["Task"], key)
    if parsed.path or parsed.field.name not in ORDERED:
        raise FieldError(
            f"a view cannot be ordered by {key!r} as it is meant here: the server compares texts; "
            "order the queryset instead: view.tasks.order_by(...)"
        )
    return parsed.on_server


def view_condition(filters: Mapping[str, Any] | None) -> Q:
    """Return the condition of a view.

    A line that means something else at the server than any lookup does here stays a condition which
    only the server evaluates.

    >>> view_condition(view_filters(Q(total_annotations=0) & ~Q(annotators=7)))
    Q(total_annotations=0) & ~Q(annotators=7)
    """
    lines = [_line(item) for item in (filters or {}).get("items", ())]
    found = Q()
    for one in lines:
        found = found | one if (filters or {})["conjunction"] == "or" else found & one
    return found


def _line(item: Item) -> Q:
    child = item.get("child_filter")
    if not child:
        return _condition(item)
    about = ABOUT_ONE.get(column_of(item))
    if about and about == ABOUT_ONE.get(column_of(child)):
        return _opaque(item)  # both are about one and the same annotation
    return _condition(item) & _condition(child)


def _opaque(item: Item) -> Q:
    condition = Q()
    condition.terms = (Opaque(dict(item)),)
    return condition


_LOOKUPS = {operator: lookup for lookup, operator in OPERATORS.items()}
_POSITIVE = {opposite: operator for operator, opposite in OPPOSITE.items()}


def _condition(item: Item) -> Q:
    """Return the lookup that would be sent as just this line, if there is one."""
    wires = {options_of(registry["Task"]).fields[name].wire: name for name in EXACT}
    name = wires.get(column_of(item))
    for positive in (True, False):
        operator = item["operator"] if positive else _POSITIVE.get(item["operator"])
        lookup = "exact" if operator == "contains" else _LOOKUPS.get(operator or "")
        if operator == "empty":
            lookup = "isnull"
        if name is None or lookup is None:
            continue
        value = _value(item)
        try:
            said = comparison(leaf(registry["Task"], f"{name}__{lookup}", value), positive)
        except FieldError:
            continue
        if said and said.exact and _is(said.clauses, item):
            key = name if lookup == "exact" else f"{name}__{lookup}"
            return Q(**{key: value}) if positive else ~Q(**{key: value})
    return _opaque({key: value for key, value in item.items() if key != "child_filter"})


def _value(item: Item) -> Any:
    value = item["value"]
    if isinstance(value, dict):
        return tuple(_value({**item, "value": value.get(end)}) for end in ("min", "max"))
    if item["type"] == "Datetime" and isinstance(value, str):
        return codec.reader(datetime)(value)
    return value


def _is(clauses: tuple[tuple[Item, ...], ...], item: Item) -> bool:
    """Return whether the clauses are this line.

    The texts of datetimes may differ, and ``empty`` has no type.
    """
    if len(clauses) != 1 or len(clauses[0]) != 1:
        return False
    said = clauses[0][0]
    if item["operator"] == "empty":
        return bool(said["operator"] == "empty" and said["value"] == item["value"])
    alike = all(said[key] == item[key] for key in ("filter", "operator", "type"))
    return alike and bool(_value(said) == _value(item))
