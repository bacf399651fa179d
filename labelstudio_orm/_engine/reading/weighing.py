"""What is weighed for a plan: how much there is to read, and what that costs the server."""

from __future__ import annotations

from typing import Any, cast

import attrs

from ..conditions.query import Query
from ..http.connection import facts_of
from ..pages.select import Select
from ..pages.sources import Embedded
from ..pages.task_page import ask, lightest
from ..plans.alternatives import Alternative, alternatives, in_two_stages
from ..plans.columns import Terms, line
from ..plans.costs import DATABASES, UNKNOWN, Costs, Size, rows_of
from ..plans.plan import Plan, fields_needed

LEAST = 1000
"""Tasks that a project is taken to have at least: it may have grown since it was read."""

SMALL = 300
"""Tasks below which it does not matter what a filter costs."""


def costs_of(query: Query) -> Costs:
    """Return what reading costs the server, or the worst where its database is not known."""
    return DATABASES.get(facts_of(query.client).database or "", UNKNOWN)


def size_of(query: Query, planned: Plan) -> Size:
    """Return how much there is to read, as far as the project at hand says it. No request."""
    row = _counters(query)
    counted = row.get("task_number") or LEAST
    # A cancelled annotation is not counted, and has to be found as well.
    annotated, predicted = (
        min(1.0, (row.get(f"total_{name}_number") or 0.7 * counted) / counted)
        for name in ("annotations", "predictions")
    )
    # What is sorted here is read as a whole.
    by_server = query.is_by_id or (planned.here is None and query.options.pages.filters_tasks)
    limit = query.stop if by_server else None
    return Size(max(LEAST, counted), annotated, predicted, rows_read(query, planned), limit)


def _counters(query: Query) -> dict[str, Any]:
    return cast("dict[str, Any]", getattr(query.project, "_row", {}))


def rows_read(query: Query, planned: Plan) -> str:
    """Return how much of a row is read that matches."""
    if not query.options.pages.filters_tasks:  # rows inside of tasks
        return "some annotations"
    relations = query.relations | fields_needed(planned.here)[1]
    return rows_of(query.fields is not None, relations)


def considered(query: Query, planned: Plan, terms: Terms) -> list[Alternative]:
    """Return the plans that are weighed, the one that costs least first; mostly there is one."""
    size = size_of(query, planned)
    return alternatives(query.options, query.where, size, costs_of(query), terms)


def cheapest(query: Query, planned: Plan, terms: Terms) -> Plan:
    """Return the plan that is expected to cost least, ``planned`` being what filters most."""
    if planned.here is None or not is_of_tasks(query):
        return planned
    if planned.dear and not query.is_strict:
        return attrs.evolve(considered(query, planned, terms)[0].plan, weighed=True)
    return in_two_stages(query.options, planned, rows_read(query, planned), costs_of(query))


def is_of_tasks(query: Query) -> bool:
    """Return whether a query is answered by pages of the tasks of a project."""
    pages = query.options.pages
    lists_tasks = pages.filters_tasks or isinstance(pages, Embedded)
    return lists_tasks and "project" in query.scope and not query.scope.keys() & {"task", "view"}


# -- the database ---------------------------------------------------------------------------------

BOUNDARY = r"^\b"
"""A pattern that every number matches in SQLite, where it is Python's and means a word boundary,
and none in PostgreSQL, where it means a backspace.
"""


def asks_for_database(query: Query) -> bool:
    """Return whether it is not known which database the server has, and matters."""
    number = _counters(query).get("task_number")
    return facts_of(query.client).database is None and (number is None or number > SMALL)


def learns_database(query: Query) -> bool:
    """Ask the server which database it has, and return whether that is known now.

    One request, or two where it is PostgreSQL; none for a small project.
    """
    if not asks_for_database(query):
        return False
    facts = facts_of(query.client)
    options = query.options
    tasks = query.model if options.pages.filters_tasks else options.relations["task"].target
    every = Query(tasks, query.connection, scope={"project": query.scope["project"]})
    pattern = line("id", "regex", "String", BOUNDARY)
    if ask(lightest(Select.of(every, Plan(clauses=((pattern,),)))), 1)["total"]:
        facts.database = "sqlite"
    elif ask(lightest(Select.of(every, Plan())), 1)["total"]:
        facts.database = "postgresql"
    return facts.database is not None
