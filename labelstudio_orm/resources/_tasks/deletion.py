"""Deleting tasks: many in one request, without losing the views of the project."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import attrs

from ..._engine.bulk.run import BulkRun
from ..._engine.conditions.tree import EVERYTHING
from ..._engine.http.paths import at
from ..._engine.pages.keyset import TASKS
from ..._engine.pages.select import Select
from ..._engine.pages.sources import chunked
from ..._engine.pages.task_page import between, ids_asked_for
from ..._engine.plans.certain import certain
from ..._engine.reading.planner import plan_with_requests
from ..._engine.reading.selection import query_of
from ..._engine.values.ids import id_of
from ...errors import NotFound, ServerError
from .actions import is_exact
from .nouns import client_with_nouns

if TYPE_CHECKING:
    from ..._engine.conditions.query import Query
    from ..._engine.models.queryset import QuerySet
    from ..._engine.plans.plan import Plan

PIECE = 10_000
"""Tasks that one request deletes: each brings the states of all tasks of a project up to date."""


def delete_tasks(queryset: QuerySet[Any], run: BulkRun) -> None:
    """Delete tasks: ``Tasks.delete``."""
    client, query = client_with_nouns(queryset), query_of(queryset)
    project = id_of(query.scope.get("project"))
    if project is None:
        raise ValueError(
            "tasks are deleted in a project: ls.tasks.filter(project=...), project.tasks"
        )
    if query.where == EVERYTHING and not query.is_slice and not query.is_of_view:
        run.total = queryset.count()
        with _unless_done(queryset.count):
            client.request(
                "DELETE",
                at("/api/projects/{}/tasks/", project),
                timeout=client.long_timeout,
                doing=f"deleting all tasks of Project {project}",
            )
        run.deleted = run.total
        run.report()
        return

    def act(selection: Mapping[str, Any], number: int, left: Callable[[], int]) -> None:
        with _unless_done(left):
            client.request(
                "POST",
                "/api/dm/actions/",
                params={"id": "delete_tasks", "project": project},
                json=selection,
                timeout=client.long_timeout,
                idempotent=True,
                expect={"processed_items": int},
                doing=f"deleting {number} tasks of Project {project}",
                dry={"processed_items": number},
            )
        run.deleted += number
        run.report()

    # The action drops a project's views with its last task; one of ours therefore goes by itself.
    planned = plan_with_requests(query)
    if planned.nothing:
        return
    exact = planned if planned.counts and is_exact(queryset, planned) else _certain(query, planned)
    if exact is not None and not ids_asked_for(exact)[1]:
        left = _delete_matching(Select.of(query, exact), run, act)
    else:
        ids = list(queryset.values_list("id", flat=True).iterator())
        run.total = len(ids)
        for chunk in chunked(ids[:-1], PIECE):
            some = client.tasks.filter(project=project, id__in=chunk)
            act({"selectedItems": {"all": False, "included": chunk}}, len(chunk), some.count)
        left = ids[-1] if ids else None
    if left is not None:
        last = client.tasks.filter(project=project, id=left)
        with suppress(NotFound), _unless_done(last.count):
            client.request("DELETE", at("/api/tasks/{}/", left), doing=f"deleting Task {left}")
        run.deleted += 1
        run.report()


def _certain(query: Query, planned: Plan) -> Plan | None:
    """Return a plan by which the server finds just the tasks that match, if that can be known."""
    narrower = None if query.is_slice or query.is_of_view else certain(planned)
    if narrower is None:
        return None
    wider = attrs.evolve(planned, here=None)
    (_, found), (_, all_found) = (
        TASKS.first_id(Select.of(query, one)) for one in (narrower, wider)
    )
    return narrower if found == all_found else None


@contextmanager
def _unless_done(left: Callable[[], int]) -> Iterator[None]:
    """Ignore a 500 of a deletion after which no task is left.

    The server answers so, too, once it has deleted tasks with labels that it cannot count.
    """
    try:
        yield
    except ServerError as error:
        if error.status != 500 or left():
            raise


def _delete_matching(
    select: Select, run: BulkRun, act: Callable[[dict[str, Any], int, Callable[[], int]], None]
) -> int | None:
    """Delete the tasks that the server itself selects, but for one; return its id."""
    first, run.total = TASKS.first_id(select)
    parts = max(1, -(-run.total // PIECE))
    cuts = TASKS.cuts(select, parts) if parts > 1 else []
    ranks = [part * run.total // parts for part in range(parts + 1)]
    for (after, until), (low, high) in zip(
        pairwise([None, *cuts, None]), pairwise([1, *ranks[1:]]), strict=True
    ):
        if high > low:
            part = between(select, after, until)
            filters = select.plan.filters(part)
            selection = {
                "filters": filters or {"conjunction": "and", "items": []},
                "ordering": ["tasks:id"],
                "selectedItems": {"all": True, "excluded": [first]},
            }
            act(selection, high - low, partial(_others, select, part, first))
    return first


def _others(select: Select, part: Any, first: int | None) -> int:
    """Return the number of tasks of a part, not counting one of them."""
    plan = select.plan.among(part) if part else select.plan
    found, number = TASKS.first_id(attrs.evolve(select, plan=plan))
    return number - (found == first)
