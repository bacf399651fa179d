"""A run over a project, which sets its config and rewrites everything with labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from .._engine.bulk.run import BulkRun
from .._engine.models.queryset import queryset_of
from .._engine.records.inside import client_of, restored_on_failure
from .._engine.values.summary import OnError
from .._reports import Difference, Differences, Report
from ..errors import BadRequest, DoesNotExist, NotFound, PermissionDenied
from ..progress import Progress, reporter
from ..resources.drafts import Draft, is_parked, unpark
from ..resources.tasks import Annotation, Prediction
from .results import Relabelling, restored
from .undofile import UndoFile

if TYPE_CHECKING:
    from ..resources.projects import Project
    from ..resources.tasks import Task

_MODELS: dict[str, type[Any]] = {
    "annotations": Annotation,
    "drafts": Draft,
    "predictions": Prediction,
}


class Run:
    """One run over a project: its findings, and its progress."""

    undo: UndoFile

    def __init__(
        self,
        project: Project,
        what: str,
        workers: int | None,
        on_error: OnError,
        progress: Progress,
    ) -> None:
        self.project, self.what = project, what
        self.client = client_of(project)
        self.is_dry = self.client.is_dry
        self.found = Differences()
        self.line = reporter(progress, what)
        self.finders: dict[str, Callable[[Relabelling], Iterator[Any]]] = {
            "annotations": self._annotations,
            "drafts": self._drafts,
            "predictions": self._predictions,
        }
        self.parts = {
            kind: BulkRun(self.client, workers=workers, on_error=on_error, progress=self._report)
            for kind in self.finders
        }

    def _report(self, done: int, total: int | None) -> None:
        self.line(sum(part.done for part in self.parts.values()), None)

    def report(self) -> Report:
        """Return the report of what was done."""
        done = sum(part.done for part in self.parts.values())
        self.line(done, done)
        return Report(
            what=self.what,
            counts={kind: part.summary() for kind, part in self.parts.items()},
            differences=self.found.listed,
            different=self.found.number,
            target=self.project,
        )

    @property
    def failed(self) -> bool:
        """Return whether an object could not be saved."""
        return any(part.failed for part in self.parts.values())

    def differs(self, kind: str, id_: int | str, field: str, here: Any, there: Any) -> None:
        """Record a value that could not be restored."""
        self.found.add(Difference(kind, id_, id_, field, here, there))

    # -- the config -------------------------------------------------------------------------------

    def configure(self, xml: str) -> None:
        """Set the config of the project; no request where it has this config."""
        project = self.project
        if project.label_config != xml:
            with restored_on_failure(project):
                project.label_config = xml
                project.save(fields=["label_config"])

    def finish(self, xml: str) -> None:
        """Set a config that lacks labels which were in use."""
        project = self.project
        if project.label_config == xml:
            return
        if not self.is_dry:
            try:
                project.validate_config(xml)
            except BadRequest:  # the server miscounts, for one the labels of drafts that changed
                with suppress(NotFound, PermissionDenied):
                    project.labels.recount()
        self.configure(xml)

    # -- what has labels --------------------------------------------------------------------------

    def _tasks(self, kind: str, change: Relabelling) -> Iterator[Task]:
        names = change.names
        lookup = f"{kind}__result__label"
        wanted: dict[str, Any] = {lookup: names[0]} if len(names) == 1 else {f"{lookup}__in": names}
        if kind == "predictions":
            wanted["total_predictions__gt"] = 0
        tasks = self.project.tasks.filter(**wanted)
        return tasks.only("id", "draft_exists").prefetch(kind).iterator()

    def _annotations(self, change: Relabelling) -> Iterator[Annotation]:
        for task in self._tasks("annotations", change):
            yield from (one for one in task.annotations if change.apply(one.result)[1])

    def _predictions(self, change: Relabelling) -> Iterator[Prediction]:
        for task in self._tasks("predictions", change):
            yield from (one for one in task.predictions if change.apply(one.result)[1])

    def _drafts(self, change: Relabelling) -> Iterator[Draft]:
        for one in self._all_drafts():
            if change.apply(one.result)[1] or is_parked(one):
                yield one

    def _all_drafts(self) -> Iterator[Draft]:
        for task in self.project.tasks.filter(draft_exists=True).only("id").iterator():
            yield from queryset_of(Draft, self.client).filter(task=task)

    def all_results(self) -> Iterator[tuple[str, Any]]:
        """Yield the results of all annotations, drafts and predictions, each with its kind.

        One pass over the tasks, and a request for each task with a draft.
        """
        names = ("id", "draft_exists", "annotations__result", "predictions__result")
        drafted = []
        for task in (
            self.project.tasks.only(*names).prefetch("annotations", "predictions").iterator()
        ):
            yield from (("annotations", one.result) for one in task.annotations)
            yield from (("predictions", one.result) for one in task.predictions)
            if task.draft_exists:
                drafted.append(task.id)
        for id in drafted:
            for draft in queryset_of(Draft, self.client).filter(task=id):
                yield "drafts", draft.result

    # -- rewriting --------------------------------------------------------------------------------

    def rewrite(self, change: Relabelling) -> None:
        """Rewrite all annotations, drafts and predictions."""
        for kind, found in self.finders.items():
            self._each(kind, found(change), partial(self._rewrite, kind, change))

    def _rewrite(self, kind: str, change: Relabelling, obj: Any) -> bool:
        has_drafts = kind == "annotations" and obj.task.draft_exists
        if not self.is_dry and not _refreshed(obj):
            return False
        if kind == "drafts" and is_parked(obj):
            unpark(obj)
        result, traces = change.apply(obj.result)
        if traces:
            self.undo.write({"kind": kind, "id": obj.id, "task": obj.task_id, "changes": traces})
            self._save(obj, result, has_drafts)
        return bool(traces)

    def restore(self, lines: Iterator[dict[str, Any]]) -> None:
        """Restore the state in the lines of an undo file."""
        for draft in self._all_drafts():
            if is_parked(draft):
                unpark(draft)
        for kind, some in groupby(lines, key=itemgetter("kind")):
            self._each(kind, some, partial(self._restore, kind))

    def _restore(self, kind: str, line: dict[str, Any]) -> bool:
        objects: Any = queryset_of(_MODELS[kind], self.client)
        try:
            obj = objects.get(line["id"])
        except DoesNotExist:
            return False
        if obj.task_id != line["task"]:
            return False  # a server may give the id of what was deleted again
        result, changed = restored(obj.result, line["changes"])
        for one in changed:
            self.differs(kind, obj.id, "labels", one["now"], "changed again since")
        if result == obj.result:
            return False
        self._save(obj, result, kind == "annotations")
        return True

    def _each(self, kind: str, items: Iterable[Any], do: Callable[[Any], bool]) -> None:
        with self.parts[kind] as part:
            part.update_each(items, do, identity=_identity)

    def _save(self, obj: Any, result: list[dict[str, Any]], has_drafts: bool) -> None:
        obj.result = result
        if isinstance(obj, Annotation):
            obj.save(fields=["result"], keep_drafts=has_drafts)
        else:
            obj.save(fields=["result"])


def _identity(obj: Any) -> Any:
    return obj["id"] if isinstance(obj, dict) else obj.id


def _refreshed(obj: Any) -> bool:
    try:
        obj.refresh()
    except DoesNotExist:
        return False
    return True
