"""Creating predictions, many in one request and each once, and deleting them by versions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..._config.check import Check
from ..._config.results import check_result
from ..._engine.bulk.batches import Item, names_of, send_isolating_failures
from ..._engine.bulk.deletion import delete_each
from ..._engine.bulk.run import BulkRun
from ..._engine.conditions.tree import exactly, parts_of, pins
from ..._engine.http.connection import has
from ..._engine.http.paths import at
from ..._engine.http.payload import encode
from ..._engine.http.releases import CHECKED_PREDICTIONS
from ..._engine.pages.sources import chunked
from ..._engine.reading.by_id import given_id, parents_in
from ..._engine.reading.selection import query_of
from ..._engine.records.inside import drop_prefetched_in
from ..._engine.values.codec import plain
from ..._engine.values.ids import id_of
from ..._engine.values.misuse import check_items, check_number
from ..._engine.values.near import did_you_mean
from ..._engine.values.summary import Summary
from ...errors import LabelStudioError, NotSupportedByServer, OutcomeUnknown, ServerError
from .forms import refused, set_score
from .importing import LOOKS
from .nouns import client_with_nouns

if TYPE_CHECKING:
    from ..._engine.models.queryset import QuerySet

OnKnown: TypeAlias = 'Literal["skip"] | None'
"""What to do with a prediction whose task has one of the same model version already."""

LOOK_UP = 1000
"""Tasks whose predictions are listed in one request."""


def create_predictions(
    predictions: QuerySet[Any],
    items: Iterable[Any],
    run: BulkRun,
    *,
    model_version: str | None,
    on_conflict: OnKnown,
    batch_size: int,
) -> Summary:
    """Create predictions: ``Predictions.bulk_create``."""
    check_items(items, "bulk_create()")
    if on_conflict not in (None, "skip"):
        raise ValueError(
            f'on_conflict must be "skip" or None for predictions, not {on_conflict!r:.80}'
        )
    check_number("batch_size", batch_size)
    client = client_with_nouns(predictions)
    project = id_of(query_of(predictions).scope.get("project"))
    task = id_of(query_of(predictions).scope.get("task"))
    if project is None and task is not None:
        project = client.tasks.get(task).project_id
    if project is None:
        raise ValueError("predictions are created in a project: project.predictions.bulk_create()")
    names = names_of(items)
    with run:
        # The server silently drops what does not match the labelling config; an old one stores it.
        is_checked_here = run.collects or not has(client, CHECKED_PREDICTIONS)
        check = Check(_project(predictions, project).config) if is_checked_here else None

        def form(number: int, item: Any) -> Item | None:
            where = names.one(number)
            try:
                made = _prediction(item, where, model_version, task, client.tasks)
                encode(made, where)  # raises for what JSON cannot hold
                problem = check and check.of_prediction(made)
                if problem:
                    raise ValueError(f"{where}, {problem}")
            except (TypeError, ValueError) as error:
                run.fail(number, item, error)
                return None
            return Item(number, item, made, where, hashable_key=_hashable_key(made))

        forms = (made for n, item in enumerate(items) if (made := form(n, item)) is not None)
        parts: Iterable[list[Item]] = chunked(forms, batch_size)
        if isinstance(items, Sized):  # as a whole before the first request
            found = list(forms)
            run.total, parts = len(found) + len(run.failed), [found] if found else ()
        sending = _Sending(predictions, project, run, once=on_conflict == "skip")
        for part in parts:
            sending.create(part, batch_size)
    drop_prefetched_in(parents_in(query_of(predictions).scope), predictions.model)
    return run.summary()


class _Sending:
    """One ``bulk_create`` of predictions.

    ``once``: a task has one of each model version; ``stored`` is their number in the project.
    """

    def __init__(
        self, predictions: QuerySet[Any], project: int, run: BulkRun, *, once: bool
    ) -> None:
        self.client, self.project, self.run = client_with_nouns(predictions), project, run
        self.once, self.stored = once, 0

    def create(self, items: list[Item], batch_size: int) -> None:
        """Create the predictions of items, as far as they are not there."""
        self.count()  # before it looks: what others store from then on changes the number
        if self.once:
            items = self.unknown(items)
        for batch in chunked(items, batch_size):
            send_isolating_failures(batch, self.send, refused, self.run)
            self.run.report()
        if self.once and items:
            self.delete_duplicates(items)

    def unknown(self, items: list[Item]) -> list[Item]:
        """Return the items that are new: by task and model version, also among themselves."""
        known = {_hashable_key(one) for one in self._there(items, "model_version")}
        found = []
        for item in items:
            if item.hashable_key in known:
                self.run.skipped += 1
            else:
                known.add(item.hashable_key)
                found.append(item)
        return found

    def count(self) -> None:
        """Read the number of the project's predictions, by which a lost answer is found."""
        if not self.client.is_dry:
            self.stored = self._number()

    def _number(self) -> int:
        project = self.client.projects.get(self.project)
        number = project.total_predictions_number
        if type(number) is not int:
            raise LabelStudioError(
                f"counting the predictions of {project!r}: the server says {number!r:.80}"
            )
        return number

    def _there(self, items: Iterable[Item], *fields: str) -> Iterator[dict[str, Any]]:
        """Yield the predictions of the tasks of some items, with all or with these fields."""
        names = [f"predictions__{name}" for name in fields]
        tasks = self.client.tasks.filter(project=self.project).only("id", *names)
        for ids in chunked(sorted({item.form["task"] for item in items}), LOOK_UP):
            for task in tasks.filter(id__in=ids).prefetch("predictions").iterator():
                for row in task.raw["predictions"]:
                    yield {**row, "task": task.id}

    def delete_duplicates(self, sent: list[Item]) -> None:
        """Delete what others stored of the same tasks and version meanwhile, but for the oldest.

        None of these tasks had a prediction of the version before. Who sends at the same time
        does the same, and the last one to look sees those of all.
        """
        if self.client.is_dry or self._number() == self.stored:
            return
        keys = {item.hashable_key for item in sent}
        found = [(row["id"], _hashable_key(row)) for row in self._there(sent, "model_version")]
        ids = _younger((id, key) for id, key in found if key in keys)
        skipped = self.run.skipped  # of the input; others may have deleted some of these
        if self.run.total is not None:
            self.run.total += len(ids)
        delete_each([self.client.predictions.ref(id) for id in ids], self.run)
        self.run.skipped = skipped

    def send(self, batch: list[Item]) -> None:
        """Send a batch, in one request."""
        first, last = batch[0].place, batch[-1].place
        doing = f"creating predictions {first} to {last} of Project {self.project}"
        try:
            answer = self.client.request(
                "POST",
                at("/api/projects/{}/import/predictions", self.project),
                json=[item.form for item in batch],
                timeout=self.client.long_timeout,
                doing=doing,
                expect={"created": int},
                dry={"created": len(batch)},
            )
            created = answer["created"]
        except (OutcomeUnknown, ServerError) as error:
            self._must_have_landed(batch, error)
            created = len(batch)
        self.run.created += created
        self.stored += created
        if created != len(batch):
            raise LabelStudioError(
                f"{doing}: the server stored {created} of {len(batch)} and does not "
                "say which; it drops those whose result does not match the project's labelling "
                "config"
            )

    def _must_have_landed(self, batch: list[Item], error: LabelStudioError) -> None:
        """Raise ``error`` again unless a batch was stored.

        That is so if the tasks have those that were sent, and the project as many predictions more,
        unless each comes ``once``: then the tasks had none of them, and others may store as well.
        """
        wanted = Counter(_content(item.form) for item in batch)
        for attempt in range(LOOKS):
            if attempt:
                self.client.retries.pause(attempt)
            try:
                landed = self.once or self._number() == self.stored + len(batch)
                if landed and not wanted - Counter(map(_content, self._there(batch))):
                    return
            except LabelStudioError as blind:
                raise error from blind
        raise error


def _hashable_key(form: Any) -> Hashable:
    version = form.get("model_version", "undefined")  # as the server calls it
    return form["task"], version if isinstance(version, str) else repr(version)


def _younger(found: Iterable[tuple[int, Hashable]]) -> list[int]:
    """Return the ids of all objects but the oldest of each key."""
    ids = dict(found)
    oldest = {ids[id]: id for id in sorted(ids, reverse=True)}
    return sorted(ids.keys() - oldest.values())


def _content(form: Any) -> Hashable:
    """Return the content of a prediction that is the same when sent and when stored."""
    score = form.get("score")
    number = None if score is None else float(score)
    return _hashable_key(form), number, json.dumps(form["result"], sort_keys=True, default=plain)


def _project(predictions: QuerySet[Any], project: int) -> Any:
    """Return the project of some predictions, as an object if there is one at hand."""
    found = query_of(predictions).project
    if found is None or isinstance(found, int):
        found = client_with_nouns(predictions).projects.ref(project)
    return found


_PREDICTION_KEYS = frozenset({
    "task", "result", "score", "model_version", "cluster", "neighbors", "mislabeling", "model",
    "model_run",
})  # fmt: skip


def _prediction(
    item: Any, where: str, model_version: str | None, task: Any, tasks: QuerySet[Any]
) -> dict[str, Any]:
    form = (
        dict(zip(("task", "result", "score"), item, strict=False))
        if isinstance(item, tuple)
        else dict(item)
    )
    unknown = sorted(form.keys() - _PREDICTION_KEYS)
    if unknown:
        hint = did_you_mean(str(unknown[0]), _PREDICTION_KEYS)
        raise ValueError(f"{where}: a prediction has no {unknown[0]!r:.80}{hint}")
    given = form.get("task", task)
    if given is None:
        raise ValueError(f"{where}: a prediction needs its task")
    form["task"] = given_id(query_of(tasks), given, f"{where}: task")
    check_result(form.get("result"), f"{where}.result")
    set_score(form, where)
    if form.get("score") is None:
        form.pop("score", None)
    if model_version is not None:
        form.setdefault("model_version", model_version)
    version = form.get("model_version")
    if version is not None and not isinstance(version, str):
        raise TypeError(f"{where}: model_version must be a string, not {version!r:.80}")
    return form


# -- deleting -------------------------------------------------------------------------------------


def delete_predictions(queryset: QuerySet[Any], run: BulkRun) -> None:
    """Delete predictions: ``Predictions.delete``."""
    if not _delete_versions(queryset, run):
        delete_each(list(queryset), run)


def delete_duplicates(queryset: QuerySet[Any], run: BulkRun) -> None:
    """Delete duplicates: ``Predictions.delete_duplicates``."""
    ids = _younger((one.id, (one.task_id, one.model_version)) for one in queryset.iterator())
    delete_each([queryset.ref(id) for id in ids], run)
    drop_prefetched_in(parents_in(query_of(queryset).scope), queryset.model)


def _delete_versions(queryset: QuerySet[Any], run: BulkRun) -> bool:
    """Delete all predictions of a project, or of a version of it, one request a version.

    Returns False, and does nothing, where the queryset selects anything else.
    """
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
    delete_each(others, run)
    client, project = queryset.client, pinned["project_id"]
    for version, count in versions.items():
        try:
            client.request(
                "DELETE",
                at("/api/projects/{}/model-versions/", project),
                json={"model_version": version},
                timeout=client.long_timeout,
                expect={"deleted_predictions": int},
                doing=f"deleting the predictions of {version!r} of Project {project}",
                dry={"deleted_predictions": count},
            )
        except NotSupportedByServer:
            delete_each([one for one in last.values() if one.model_version == version], run)
            continue
        run.deleted += count
        run.report()
    drop_prefetched_in(parents_in(query_of(queryset).scope), queryset.model)
    return True
