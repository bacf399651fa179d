"""What is done with many tasks at once: actions, annotations, predictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..config.check import Check
from ..errors import JobFailed, LabelStudioError, NotSupportedByServer, ServerError
from ..http.paths import at
from ..http.payload import encode
from ..misuse import check_items
from ..paging.pages import chunked, id_given, id_of
from ..progress import Progress, reporter
from .outcomes import Item, outcomes, sift, tell_parents, telling
from .summary import Created, OnError, Summary, Tally
from .workers import number_of_workers

if TYPE_CHECKING:
    from ..client import LabelStudio
    from ..planning.plan import Plan
    from ..queryset import QuerySet
    from ..resource import Resource
    from ..resources.projects import Project

AT_ONCE = frozenset({"result", "lead_time"})
"""What an annotation of many tasks in one request may say."""

BATCH = 1000
"""Tasks that one request acts on, where their ids are sent."""


def perform(
    tasks: QuerySet[Any], action: str, params: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """See ``Tasks.perform``."""
    tasks._must_be_said(f"perform({action!r})")
    if action == "delete_tasks":  # the server's own drops the views of a project that gets empty
        return {"processed_items": tasks.delete(progress=progress)}
    project = project_of(tasks)
    if action == "retrieve_tasks_predictions" and not project.ml_backends.exists():
        raise JobFailed(
            f"perform({action!r}) on {tasks._what}: {project!r} has no ML backend; "
            "project.ml_backends.create(url=...) adds one"
        )
    said, answers, done = _ids_in(params), [], 0
    with reporter(progress, f"performing {action!r} on {tasks._what}") as report:
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
    planned = tasks._plan()
    if planned.nothing:
        return
    if is_exact(tasks, planned) and tasks._in_id_order:
        ordering = ["-tasks:id" if tasks._falling_ids else "tasks:id"]
        filters = planned.filters() or {"conjunction": "and", "items": []}
        everything = {"all": True, "excluded": []}
        yield {"filters": filters, "ordering": ordering, "selectedItems": everything}
        return
    for ids in chunked(tasks.values_list("id", flat=True), BATCH):
        yield {"selectedItems": {"all": False, "included": ids}}


def is_exact(tasks: QuerySet[Any], planned: Plan) -> bool:
    """Can the server select just these tasks by itself?"""
    return planned.here is None and not tasks._is_slice and "view" not in tasks.scope


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

    doing = f"performing {action!r} in Project {project}"
    try:
        answer: dict[str, Any] = client.request(
            "POST",
            "/api/dm/actions/",
            params={"id": action, "project": project},
            json=body,
            timeout=client.long_timeout,
            idempotent=idempotent,
            doing=doing,
            expect=(),
            dry=pretended,
        )
    except ServerError as error:
        if "registered actions" in error.detail:
            known = client.all_of(_model("Action")).filter(project=project)
            names = ", ".join(str(one.id) for one in known)
            raise ValueError(f"{doing}: the server has no such action; it has {names}") from error
        raise
    return answer


def _model(name: str) -> type[Resource]:
    from ..declaration import registry

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
    project = tasks.scope.get("project")
    view = tasks.scope.get("view")
    if project is None and view is not None:
        found = view if not isinstance(view, int) else tasks.client.views.get(view)
        project = found.project_id
    if project is None:
        raise ValueError("tasks are acted on in a project: project.tasks, view.tasks")
    return project if not isinstance(project, int) else tasks.client.projects.ref(project)


# -- annotations and predictions ------------------------------------------------------------------


def annotate(
    tasks: QuerySet[Any],
    fields: dict[str, Any],
    *,
    workers: int | None,
    on_error: OnError,
    progress: Progress,
) -> Created[Any]:
    """See ``Tasks.create_annotations``."""
    tasks._must_be_said("create_annotations()")
    tally = Tally(on_error, reporter(progress, f"annotating {tasks._what}"))
    number = number_of_workers(workers, tasks.client)
    created: list[Any] = []

    def create(task: Any) -> Any:
        return task.annotations.create(**fields)

    with telling(tally, lambda: created):
        found = list(tasks.only("id", "project_id").iterator())
        tally.total, done = len(found), 0
        if fields.keys() <= AT_ONCE:
            try:
                for batch in chunked(found, BATCH):
                    created.extend(_annotate_at_once(tasks.client, batch, fields))
                    done += len(batch)
                    tally.created += len(batch)
                    tally.report()
            except NotSupportedByServer:
                pass
        for outcome in outcomes(found[done:], create, tally, workers=number):
            created.append(outcome.value)
            tally.created += 1
    return Created(created, tally.summary())


def _annotate_at_once(client: LabelStudio, tasks: list[Any], fields: dict[str, Any]) -> list[Any]:
    """One request of the Enterprise edition."""
    draft = _model("Annotation")(**{"task": tasks[0], **fields})
    body = draft._body(
        draft._options.fields[name] for name in draft._changed() if name != "task_id"
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
        expect=list,
        dry=lambda: client._pretend({"task": task.id, **body} for task in tasks),
    )
    return list(client.annotations._load_rows(rows))


def predict(
    predictions: QuerySet[Any],
    items: Iterable[Any],
    model_version: str | None,
    *,
    batch_size: int,
    on_error: OnError,
    progress: Progress,
) -> Summary:
    """See ``Predictions.bulk_create``."""
    check_items(items, "bulk_create()")
    client = predictions.client
    project = id_of(predictions.scope.get("project"))
    task = id_of(predictions.scope.get("task"))
    if project is None and task is not None:
        project = client.tasks.get(task).project_id
    if project is None:
        raise ValueError("predictions are created in a project: project.predictions.bulk_create()")
    tally = Tally(on_error, reporter(progress, f"creating predictions of Project {project}"))
    with telling(tally):
        # The server drops without a word what does not fit, so it is found here.
        check = Check(_project(predictions, project).config) if tally.collects else None

        def form(number: int, item: Any) -> Item | None:
            where = f"item {number}"
            try:
                made = _prediction(item, where, model_version, task)
                encode(made, where)  # raises for what JSON cannot hold
                problem = check and check.of_prediction(made)
                if problem:
                    raise ValueError(f"{where}, {problem}")
            except (TypeError, ValueError) as error:
                tally.fail(number, item, error)
                return None
            return Item(number, item, made)

        forms = [made for n, item in enumerate(items) if (made := form(n, item)) is not None]
        tally.total = len(forms) + len(tally.failed)

        def send(batch: list[Item]) -> None:
            first, last = batch[0].place, batch[-1].place
            doing = f"creating predictions {first} to {last} of Project {project}"
            answer = client.request(
                "POST",
                at("/api/projects/{}/import/predictions", project),
                json=[item.form for item in batch],
                timeout=client.long_timeout,
                doing=doing,
                expect=("created",),
                dry={"created": len(batch)},
            )
            tally.created += answer["created"]
            if answer["created"] != len(batch):
                raise LabelStudioError(
                    f"{doing}: the server stored {answer['created']} of {len(batch)} and does not "
                    "say which; it drops those whose result does not fit the project's labelling "
                    "config"
                )

        for batch in chunked(forms, batch_size):
            sift(batch, send, tally)
            tally.report()
    tell_parents(predictions)
    return tally.summary()


def _project(predictions: QuerySet[Any], project: int) -> Project:
    """The project of some predictions, as an object if there is one at hand."""
    at_hand = predictions.scope.get("project")
    found: Any = predictions.client.projects.ref(project) if isinstance(at_hand, int) else at_hand
    return found or predictions.client.projects.ref(project)


_PREDICTION_KEYS = frozenset({
    "task", "result", "score", "model_version", "cluster", "neighbors", "mislabeling", "model",
    "model_run",
})  # fmt: skip


def _prediction(item: Any, where: str, model_version: str | None, task: Any) -> dict[str, Any]:
    form = (
        dict(zip(("task", "result", "score"), item, strict=False))
        if isinstance(item, tuple)
        else dict(item)
    )
    unknown = sorted(form.keys() - _PREDICTION_KEYS)
    if unknown:
        raise ValueError(f"{where}: a prediction has no {unknown[0]!r}")
    form["task"] = id_of(form.get("task", task))
    if form["task"] is None:
        raise ValueError(f"{where}: a prediction needs its task")
    result = form.get("result")
    if not isinstance(result, list) or not all(isinstance(region, dict) for region in result):
        raise TypeError(f"{where}: result is a list of regions (dicts), not {result!r:.80}")
    score = form.get("score")
    if score is None:
        form.pop("score", None)
    elif isinstance(score, bool) or not isinstance(score, (int, float)):
        raise TypeError(f"{where}: score is a number, not {score!r:.80}")
    if model_version is not None:
        form.setdefault("model_version", model_version)
    return form
