"""Plans by which the server finds nothing but what matches, and perhaps not all of it.

A plan of which tasks have to be checked finds all that match, and others. If one that is narrower
in this way finds as many, both find just these.
"""

from __future__ import annotations

import json
import sys

import attrs

from ..conditions.tree import Leaf, Node, parts_of
from .columns import Item, column_of, comparison, line
from .plan import Plan


def certain(planned: Plan) -> Plan | None:
    """Return a plan like this one by which only tasks that match are found, if there is one."""
    if planned.here is None or len(planned.clauses) != 1:
        return None
    items = list(planned.clauses[0])
    for part in parts_of(planned.here):
        found = _guarded(part)
        if not found or found[0] not in items:
            return None
        items += found[1:]
    return attrs.evolve(planned, clauses=(tuple(items),), here=None, counts=True)


def _guarded(part: Node) -> tuple[Item, ...]:
    """Return the line of a comparison in data, and others that leave only what matches."""
    if not isinstance(part, Leaf) or part.field.name != "data":
        return ()
    answer = comparison(part)
    if answer is None or [*map(len, answer.clauses)] != [1]:
        return ()
    item = answer.clauses[0][0]
    more = _guards(part, item)
    return (item, *more) if more else ()


def _guards(leaf: Leaf, item: Item) -> tuple[Item, ...]:
    column, operator = column_of(item), item["operator"]
    if operator == "greater":  # which texts and lists may be, too
        return (line(column, "less", "String", sys.float_info.max),)
    if operator == "less":
        return (line(column, "greater", "String", -sys.float_info.max),)
    if operator == "in_list" and all(isinstance(one, bool) for one in item["value"]):
        # On SQLite the texts "true" and "false" are also in the list. Actions write no blanks.
        key = json.dumps(leaf.path[-1])
        flags = [json.dumps(str(one).lower()) for one in item["value"]]
        texts = [f"{key}:{blank}{flag}" for flag in flags for blank in ("", " ")]
        return tuple(line("data", "not_contains", "String", text) for text in texts)
    return ()
