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
from ..._engine.pages.task_page import between, ids_asked_for, with_ids
from ..._engine.plans.certain import certain
from ..._engine.reading.planner import plan_with_requests
from ..._engine.reading.selection import query_of
from ..._engine.values.ids import id_of
from ...errors import NotFound, ServerError
from .actions import is_exact
from .nouns import client_with_nouns

if TYPE_CHECKING:
    from ..._engine.models.queryset import QuerySet
    from ..._engine.plans.plan import Plan

PIECE = 10_000
"""Tasks that one request deletes: each brings the states of all tasks of a project up to date."""

COUNTED = 3_000
"""Ids that are counted on the server, 300 a request; of more, those that are there are listed."""


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
    planned = plan_with_requests(query, by_columns=True)
    if planned.nothing:
        return
    exact = _counted(queryset, planned)
    if exact:
        left = _delete_matching(exact, run, act)
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


@attrs.frozen
class Counted:
    """Tasks that the server itself selects, the id of the first one and how many they are."""

    select: Select
    first: int | None
    number: int

    @classmethod
    def of(cls, select: Select) -> Counted:
        """Count them: ``Keyset.first_id``."""
        select = attrs.evolve(select, backwards=False)
        return cls(select, *TASKS.first_id(select))


def _counted(queryset: QuerySet[Any], planned: Plan) -> list[Counted]:
    """Return the tasks that match, in pieces if ids are named; none if the server cannot tell."""
    query = query_of(queryset)
    if planned.counts and is_exact(queryset, planned):
        select = Select.of(query, planned)
        ids = ids_asked_for(planned)[1]
        if len(ids) > COUNTED:
            return []
        pieces = chunked(ids, PIECE)
        return [Counted.of(with_ids(select, ids)) for ids in pieces] or [Counted.of(select)]
    narrower = None if query.is_slice or query.is_of_view else certain(planned)
    if narrower is None or ids_asked_for(narrower)[1]:
        return []
    wider = attrs.evolve(planned, here=None)
    found, all_found = (Counted.of(Select.of(query, one)) for one in (narrower, wider))
    return [found] if found.number == all_found.number else []


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
    pieces: list[Counted],
    run: BulkRun,
    act: Callable[[dict[str, Any], int, Callable[[], int]], None],
) -> int | None:
    """Delete the tasks that the server itself selects, but for one; return its id."""
    run.total = sum(piece.number for piece in pieces)
    kept = next((piece.first for piece in pieces if piece.number), None)
    for piece in pieces:
        select, parts = piece.select, max(1, -(-piece.number // PIECE))
        cuts = TASKS.cuts(select, parts) if parts > 1 else []
        ranks = [part * piece.number // parts for part in range(parts + 1)]
        ranks[0] = int(piece.first == kept)
        for (after, until), (low, high) in zip(
            pairwise([None, *cuts, None]), pairwise(ranks), strict=True
        ):
            if high > low:
                part = between(select, after, until)
                filters = select.plan.filters(part)
                selection = {
                    "filters": filters or {"conjunction": "and", "items": []},
                    "ordering": ["tasks:id"],
                    "selectedItems": {"all": True, "excluded": [kept]},
                }
                act(selection, high - low, partial(_others, select, part, kept))
    return kept


def _others(select: Select, part: Any, kept: int | None) -> int:
    """Return the number of tasks of a part, not counting one of them."""
    plan = select.plan.among(part) if part else select.plan
    found, number = TASKS.first_id(attrs.evolve(select, plan=plan))
    return number - (found == kept)
