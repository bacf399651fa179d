"""What is done with many tasks at once: actions, annotations, predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from ...errors import JobFailed, NotSupportedByServer, ServerError
from ...progress import Progress, reporter
from ..fields.options import options_of
from ..pages.sources import chunked
from ..reading.planner import plan_of
from ..reading.queryset import ReadingQuerySet, loaded
from ..reading.selection import query_of
from ..values.codec import copy_given
from ..values.ids import id_given
from ..values.registry import registry
from ..values.summary import Created
from .run import BulkRun

if TYPE_CHECKING:
    from ...resources.projects import Project
    from ..models.queryset import QuerySet
    from ..models.resource import Resource
    from ..plans.plan import Plan

AT_ONCE = frozenset({"result", "lead_time"})
"""What an annotation of many tasks in one request may say."""

BATCH = 1000
"""Tasks that one request acts on, where their ids are sent."""


def perform(
    tasks: QuerySet[Any], action: str, params: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """See ``Tasks.perform``."""
    query_of(tasks).require_confirmation(f"perform({action!r:.80})")
    if action == "delete_tasks":  # the server's own drops the views of a project that gets empty
        return {"processed_items": tasks.delete(progress=progress)}
    project = project_of(tasks)
    if action == "retrieve_tasks_predictions" and not project.ml_backends.exists():
        raise JobFailed(
            f"perform({action!r:.80}) on {query_of(tasks).description}: {project!r} has no ML "
            "backend; project.ml_backends.create(url=...) adds one"
        )
    said, answers, done = _ids_in(params), [], 0
    with reporter(
        progress, f"performing {action!r:.80} on {query_of(tasks).description}"
    ) as report:
        for selection in _selections(tasks):
            answers.append(act(tasks, project.id, action, {**selection, **said}))
            done += len(selection["selectedItems"].get("included", ()))
            report(done, None)
        if not answers:
            return {"processed_items": 0}
        processed = [answer["processed_items"] for answer in answers if "processed_items" in answer]
        done = done or sum(processed)
        report(done, done)
    return {**answers[-1], **({"processed_items": sum(processed)} if processed else {})}


def _selections(tasks: QuerySet[Any]) -> Iterator[dict[str, Any]]:
    """The tasks as the server selects them: by conditions where it can say them, else by ids."""
    planned = plan_of(query_of(tasks))
    if planned.nothing:
        return
    if is_exact(tasks, planned) and query_of(tasks).is_by_id:
        ordering = ["-tasks:id" if query_of(tasks).is_descending else "tasks:id"]
        filters = planned.filters() or {"conjunction": "and", "items": []}
        everything = {"all": True, "excluded": []}
        yield {"filters": filters, "ordering": ordering, "selectedItems": everything}
        return
    for ids in chunked(tasks.values_list("id", flat=True), BATCH):
        yield {"selectedItems": {"all": False, "included": ids}}


def is_exact(tasks: QuerySet[Any], planned: Plan) -> bool:
    """Can the server select just these tasks by itself?"""
    return (
        planned.here is None
        and not query_of(tasks).is_slice
        and "view" not in query_of(tasks).scope
    )


def act(
    tasks: QuerySet[Any],
    project: int,
    action: str,
    body: Mapping[str, Any],
    *,
    idempotent: bool = False,
) -> dict[str, Any]:
    """One request for an action. Raises ValueError where the server does not have it."""
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
            known = ReadingQuerySet[Any](_model("Action"), client, scope={"project": project})
            names = ", ".join(str(one.id) for one in known)
            raise ValueError(f"{doing}: the server has no such action; it has {names}") from error
        raise
    return answer


def _model(name: str) -> type[Resource]:
    return registry[name]


def _ids_in(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return an action's own parameters, objects being their ids. Raises TypeError for one without
    a value, which the server would take for all.
    """
    return {
        name: value if name in _TEXTS else id_given(value, f"perform(): {name}")
        for name, value in params.items()
    }


_TEXTS = frozenset({"value"})
"""Parameters of actions that may be empty."""


def project_of(tasks: QuerySet[Any]) -> Project:
    """The project that the tasks are of."""
    project = query_of(tasks).scope.get("project")
    view = query_of(tasks).scope.get("view")
    if project is None and view is not None:
        found = view if not isinstance(view, int) else cast(Any, tasks.client).views.get(view)
        project = found.project_id
    if project is None:
        raise ValueError("tasks are acted on in a project: project.tasks, view.tasks")
    if isinstance(project, int):
        project = cast(Any, tasks.client).projects.ref(project)
    return cast("Project", project)


# -- annotations and predictions ------------------------------------------------------------------


def annotate(
    tasks: QuerySet[Any],
    fields: dict[str, Any],
    run: BulkRun,
) -> Created[Any]:
    """Create the same annotation for each of the tasks: ``Tasks.create_annotations``."""
    query_of(tasks).require_confirmation("create_annotations()")

    def create(task: Any) -> Any:
        # Each has its own result: what a server makes of one is nothing to the others.
        return task.annotations.create(**{name: copy_given(fields[name]) for name in fields})

    with run:
        found = list(tasks.only("id", "project_id").iterator())
        run.total, done = len(found), 0
        if fields.keys() <= AT_ONCE:
            try:
                for batch in chunked(found, BATCH):
                    made = _annotate_at_once(tasks.client, batch, fields)
                    run.made.update(enumerate(made, start=len(run.made)))
                    done += len(batch)
                    run.created += len(batch)
                    run.report()
            except NotSupportedByServer:
                pass
        for outcome in run.each(found[done:], create):
            run.made[done + outcome.place] = outcome.value
            run.created += 1
    return run.result()


def _annotate_at_once(client: Any, tasks: list[Any], fields: dict[str, Any]) -> list[Any]:
    """One request of the Enterprise edition."""
    draft = _model("Annotation")(**{"task": tasks[0], **fields})
    body = draft._body(
        options_of(draft).fields[name] for name in draft._changed() if name != "task_id"
    )
    rows = client.request(
        "POST",
        "/api/annotations/bulk",
        json={
            "tasks": [task.id for task in tasks],
            "project": tasks[0].project_id,
            "result": [],
            **body,
        },
        timeout=client.long_timeout,
        doing=f"annotating {len(tasks)} tasks",
        edition="Enterprise",
        expect=[{"id": int}],
        dry=lambda: client._pretend({"task": task.id, **body} for task in tasks),
    )
    return list(loaded(client.annotations, rows))
