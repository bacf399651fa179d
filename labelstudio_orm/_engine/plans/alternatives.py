"""The plans that a query may be answered by, and the one that costs the least."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from ..conditions.tree import Node, conjunction, has_opaque, leaves, parts_of
from ..fields.options import Options
from ..http.page_sizes import PAGE
from .columns import FREELY, Terms
from .costs import Costs, Size, Stages, rows_of
from .plan import Plan, fields_needed, plan

UNCHECKABLE = frozenset({"predictions_score"})
"""Fields whose values are only the server's: a mean of floats in the order of its rows."""


@attrs.frozen
class Alternative:
    """A plan, how it differs from the others, and the seconds it is expected to take the server."""

    name: str
    plan: Plan
    seconds: float


def alternatives(
    options: Options, where: Node, size: Size, costs: Costs, terms: Terms = FREELY
) -> list[Alternative]:
    """Return the plans of a condition that are worth considering, the one that costs least first.

    One whose filters cost next to nothing has no alternative: it is the only one.
    """
    found = []
    for name, one in _plans(options, where, terms):
        ready = in_two_stages(options, one, size.rows, costs)
        found.append(Alternative(name, ready, ready.expected(costs, size)))
    return sorted(found, key=lambda one: one.seconds)


def _plans(options: Options, where: Node, terms: Terms) -> Iterator[tuple[str, Plan]]:
    full = plan(options, where, terms)
    yield "the server filters all it can", full
    if not full.dear:
        return
    for column in sorted(full.dear):
        unsent = attrs.evolve(terms, unsent=terms.unsent | {column})
        yield f"without {column}", plan(options, where, unsent)
    if not has_opaque(where) and UNCHECKABLE.isdisjoint(_names(where)):
        yield "every task is read", Plan(params=full.params, here=where, counts=False)


def _names(where: Node) -> set[str]:
    return {leaf.field.name for leaf in leaves(where)}


def in_two_stages(options: Options, planned: Plan, rows: str, costs: Costs) -> Plan:
    """Return the plan with what is decided first, by less of each row than ``rows``.

    Only tasks are read so, and only where something is checked here.
    """
    if planned.here is None or not options.pages.filters_tasks:
        return planned
    parts = parts_of(planned.here)
    light = [part for part in parts if not fields_needed(part)[1]]
    first = conjunction(*light or parts)
    narrow = rows_of(True, fields_needed(first)[1])
    stages = Stages(first, costs.rows[narrow], costs.rows[rows], costs.request)
    return attrs.evolve(planned, stages=stages) if stages.pay(PAGE, 0) else planned
