"""Deleting: by the server's own requests for many where there are some, else one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from itertools import pairwise
from typing import Any

import attrs

from ...errors import DoesNotExist, NotFound, ServerError
from ..conditions.tree import EVERYTHING, exactly, parts_of, pins
from ..fields.options import options_of
from ..http.paths import at
from ..models.queryset import QuerySet
from ..pages.keyset import TASKS
from ..pages.select import Select
from ..pages.sources import chunked
from ..pages.task_page import between, ids_asked_for
from ..reading.planner import plan_of
from ..reading.selection import query_of
from ..values.ids import id_of
from ..values.registry import registry
from .actions import is_exact
from .prefetched import invalidate_prefetched
from .run import BulkRun

DELETE_BATCH = 1000
"""Tasks that one request deletes, where their ids are sent ..."""

DELETE_PIECE = 10_000
"""... and where the server selects them by itself."""


def delete_many(queryset: QuerySet[Any], run: BulkRun) -> None:
    """Delete the objects: ``QuerySet.delete``."""
    query_of(queryset).require_confirmation("delete()")
    with run:
        if options_of(queryset.model).pages is TASKS:
            _delete_tasks(queryset, run)
        elif queryset.model is not registry["Prediction"] or not _delete_predictions(queryset, run):
            _delete_each(list(queryset), run)


def _delete_each(objects: list[Any], run: BulkRun) -> None:
    def delete(obj: Any) -> bool:
        try:
            obj.delete()
        except DoesNotExist:  # somebody else was quicker
            return False
        return True

    run.total = len(objects) if run.total is None else run.total
    for outcome in run.each(objects, delete):
        if outcome.value:
            run.deleted += 1
        else:
            run.skipped += 1


def _delete_tasks(queryset: QuerySet[Any], run: BulkRun) -> None:
    client: Any = queryset.client
    project = id_of(query_of(queryset).scope.get("project"))
    if project is None:
        raise ValueError(
            "tasks are deleted in a project: ls.tasks.filter(project=...), project.tasks"
        )
    if (
        query_of(queryset).where == EVERYTHING
        and not query_of(queryset).is_slice
        and "view" not in query_of(queryset).scope
    ):
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
    planned = plan_of(query_of(queryset))
    if planned.nothing:
        return
    if planned.counts and is_exact(queryset, planned) and not ids_asked_for(planned)[1]:
        left = _delete_fitting(Select.of(query_of(queryset), planned), run, act)
    else:
        ids = list(queryset.values_list("id", flat=True))
        run.total = len(ids)
        for chunk in chunked(ids[:-1], DELETE_BATCH):
            some = client.tasks.filter(project=project, id__in=chunk)
            act({"selectedItems": {"all": False, "included": chunk}}, len(chunk), some.count)
        left = ids[-1] if ids else None
    if left is not None:
        last = client.tasks.filter(project=project, id=left)
        with suppress(NotFound), _unless_done(last.count):
            client.request("DELETE", at("/api/tasks/{}/", left), doing=f"deleting Task {left}")
        run.deleted += 1
        run.report()


@contextmanager
def _unless_done(left: Callable[[], int]) -> Iterator[None]:
    """Of a 500 only what is ``left`` tells whether the tasks were deleted: the server answers so,
    too, once it has deleted those with labels that it cannot count.
    """
    try:
        yield
    except ServerError as error:
        if error.status != 500 or left():
            raise


def _delete_fitting(
    select: Select, run: BulkRun, act: Callable[[dict[str, Any], int, Callable[[], int]], None]
) -> int | None:
    """All tasks that the server itself finds, but for one; its id."""
    first, run.total = TASKS.first_id(select)
    parts = max(1, -(-run.total // DELETE_PIECE))
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
    """How many tasks of a part there are but for one."""
    plan = select.plan.among(part) if part else select.plan
    found, number = TASKS.first_id(attrs.evolve(select, plan=plan))
    return number - (found == first)


def _delete_predictions(queryset: QuerySet[Any], run: BulkRun) -> bool:
    """A version of a project's in one request, where whole versions were said. Were they?"""
    pinned = {f"{name}_id": id_of(value) for name, value in query_of(queryset).scope.items()}
    for part in parts_of(query_of(queryset).where):
        name = next((name for name in ("project_id", "model_version") if pins(part, name)), "")
        if not name or name in pinned:
            return False
        pinned[name] = exactly(part, name)
    if query_of(queryset).is_slice or pinned.keys() - {"model_version"} != {"project_id"}:
        return False
    found = list(queryset)
    run.total = len(found)
    # The server counts wrongly when a task loses several predictions in its one request (seen on
    # 1.23.2), so all but one of a task go by themselves before.
    last = {(one.model_version, one.task_id): one for one in found}
    at_once = Counter(version for version, _ in last)
    versions = {version: number for version, number in at_once.items() if version and number > 1}
    others = [
        one
        for one in found
        if one.model_version not in versions or last[one.model_version, one.task_id] is not one
    ]
    _delete_each(others, run)
    client, project = queryset.client, pinned["project_id"]
    for version, number in versions.items():
        client.request(
            "DELETE",
            at("/api/projects/{}/model-versions/", project),
            json={"model_version": version},
            timeout=client.long_timeout,
            expect={"deleted_predictions": int},
            doing=f"deleting the predictions of {version!r} of Project {project}",
            dry={"deleted_predictions": number},
        )
        run.deleted += number
        run.report()
    invalidate_prefetched(queryset)
    return True
