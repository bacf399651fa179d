"""Actions of the server on many tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..._engine.http.connection import require
from ..._engine.http.releases import OF_ONE_ANNOTATOR
from ..._engine.pages.keyset import asks_for_many
from ..._engine.pages.sources import chunked
from ..._engine.reading.planner import plan_with_requests
from ..._engine.reading.selection import query_of
from ..._engine.values.ids import id_given
from ...errors import JobFailed, ServerError
from ...progress import Progress, reporter
from .nouns import client_with_nouns, project_of

if TYPE_CHECKING:
    from ..._engine.models.queryset import QuerySet
    from ..._engine.plans.plan import Plan
    from ..._engine.reading.queryset import ReadingQuerySet

BATCH = 1000
"""Tasks that one request acts on, where their ids are sent."""


def perform(
    tasks: QuerySet[Any], action: str, params: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """Let the server perform an action on tasks: ``Tasks.perform``."""
    query_of(tasks).require_confirmation(f"perform({action!r:.80})")
    if action == "delete_tasks":  # the server's own drops the views of a project that gets empty
        return {"processed_items": tasks.delete(progress=progress)}
    project = project_of(tasks)
    if action == "retrieve_tasks_predictions" and not project.ml_backends.exists():
        raise JobFailed(
            f"perform({action!r:.80}) on {query_of(tasks).description}: {project!r} has no ML "
            "backend; project.ml_backends.create(url=...) adds one"
        )
    parameters, answers, done = _ids_in(params), [], 0
    if action == "delete_tasks_annotations" and parameters.get("annotator") is not None:
        require(query_of(tasks).client, OF_ONE_ANNOTATOR, f"perform({action!r})")
    with reporter(
        progress, f"performing {action!r:.80} on {query_of(tasks).description}"
    ) as report:
        for selection in _selections(tasks):
            answers.append(act(tasks, project.id, action, {**selection, **parameters}))
            done += len(selection["selectedItems"].get("included", ()))
            report(done, None)
        if not answers:
            return {"processed_items": 0}
        processed = [answer["processed_items"] for answer in answers if "processed_items" in answer]
        done = done or sum(processed)
        report(done, done)
    return {**answers[-1], **({"processed_items": sum(processed)} if processed else {})}


def _selections(tasks: ReadingQuerySet[Any]) -> Iterator[dict[str, Any]]:
    """Yield the selections of a request: conditions where the server has them, else ids."""
    planned = plan_with_requests(query_of(tasks))
    if planned.nothing:
        return
    if is_exact(tasks, planned) and query_of(tasks).is_by_id and not asks_for_many(planned):
        ordering = ["-tasks:id" if query_of(tasks).is_descending else "tasks:id"]
        filters = planned.filters() or {"conjunction": "and", "items": []}
        everything = {"all": True, "excluded": []}
        yield {"filters": filters, "ordering": ordering, "selectedItems": everything}
        return
    for ids in chunked(tasks.values_list("id", flat=True).iterator(), BATCH):
        yield {"selectedItems": {"all": False, "included": ids}}


def is_exact(tasks: ReadingQuerySet[Any], planned: Plan) -> bool:
    """Return whether the server can select just these tasks by itself."""
    query = query_of(tasks)
    return planned.here is None and not query.is_slice and not query.is_of_view


def act(
    tasks: ReadingQuerySet[Any],
    project: int,
    action: str,
    body: Mapping[str, Any],
    *,
    idempotent: bool = False,
) -> dict[str, Any]:
    """Request an action once. Raises ValueError if the server does not have it."""
    client, selected = tasks.client, body["selectedItems"]

    def pretended() -> dict[str, Any]:
        number = tasks.count() if selected["all"] else len(selected["included"])
        return {"processed_items": number, "detail": "nothing was done in this dry run"}

    doing = f"performing {action!r:.80} in Project {project}"
    try:
        answer: dict[str, Any] = client.request(
            "POST",
            "/api/dm/actions/",
            params={"id": action, "project": project},
            json=body,
            timeout=client.long_timeout,
            idempotent=idempotent,
            doing=doing,
            expect={"processed_items?": int},
            dry=pretended,
        )
    except ServerError as error:
        if "registered actions" in error.detail:
            names = ", ".join(
                str(one.id) for one in client_with_nouns(tasks).projects.ref(project).actions
            )
            raise ValueError(f"{doing}: the server has no such action; it has {names}") from error
        raise
    return answer


def _ids_in(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return an action's own parameters, with ids for objects.

    Raises TypeError for a parameter without a value, which the server would take for all.
    """
    return {
        name: value if name in _TEXTS else id_given(value, f"perform(): {name}")
        for name, value in params.items()
    }


_TEXTS = frozenset({"value"})
"""Parameters of actions that may be empty."""
