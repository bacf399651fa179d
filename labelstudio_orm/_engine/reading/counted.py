"""The number of objects by the server's counters, where these are exact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..conditions.query import Query
from ..conditions.tree import EVERYTHING, Node, leaves, nodes, parts_in, predicate
from ..pages.sources import source_of
from ..records.inside import from_row
from ..records.origin import Origin
from .planner import plan_without_request

if TYPE_CHECKING:
    from ..fields.fields import Field
    from ..pages.counters import Groups


def counted(query: Query) -> int | None:
    """Return how many objects there are, in one request; None where no counter says that."""
    if not is_counted(query):
        return None
    total = 0 if plan_without_request(query).nothing else _total(query)
    if total is None:
        return None
    stop = total if query.stop is None else min(query.stop, total)
    return max(0, stop - query.start)


def grouped(query: Query, field: str) -> dict[Any, int] | None:
    """Return how many objects have each value of a field, in one request; None as above."""
    fields = _fields(query.where)
    if not is_counted(query) or query.is_slice or not {field}.issuperset(fields or ()):
        return None
    counters = source_of(query).counters
    if counters is None or not counters.knows(field):
        return None
    if plan_without_request(query).nothing:
        return {}
    groups = counters.groups(query, field)
    found = None if groups is None else _matching(query, query.options.fields[field], groups)
    if found is None or None in found.values():
        return None
    return {value: number for value, number in found.items() if number}


def is_counted(query: Query) -> bool:
    """Return whether counters of a project may say how many objects there are. No request."""
    counters = source_of(query).counters
    if counters is None or query.loaded is not None or query.params:
        return False
    fields = _fields(query.where)
    if query.scope.keys() != {"project"} or fields is None or len(fields) > 1:
        return False
    return all(map(counters.knows, fields))


def _total(query: Query) -> int | None:
    counters, fields = source_of(query).counters, _fields(query.where) or {}
    name, field = next(iter(fields.items()), (None, None))
    groups = counters.groups(query, name) if counters is not None else None
    if groups is None:
        return None
    numbers = _matching(query, field, groups).values()
    return None if None in numbers else sum(number or 0 for number in numbers)


def _matching(query: Query, field: Field | None, groups: Groups) -> dict[Any, int | None]:
    """Return the values of a field, with their numbers, for which the condition holds."""
    matches, origin = predicate(query.where), Origin(query.client, whole=True)
    wire = "id" if field is None else field.wire
    return {
        value: number
        for value, number in groups
        if matches(from_row(query.model, {"id": 1, wire: value}, origin))
    }


def _fields(where: Node) -> dict[str, Field] | None:
    """Return the fields that a condition is about; None where it is about more than values."""
    found = list(leaves(where))
    plain = all(one.relation is None and not one.path for one in found)
    ends = sum(not parts_in(node) for node in nodes(where) if node != EVERYTHING)
    return {one.field.name: one.field for one in found} if plain and ends == len(found) else None
