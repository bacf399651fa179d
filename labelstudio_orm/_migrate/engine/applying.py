"""Creates annotations, predictions and drafts at tasks that are there: many at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from ..._engine.bulk.run import BulkRun
from ..._reports import Difference, Losses
from ...client import labelstudio_of
from ...progress import Progress
from . import task_objects
from .comparison import fields_apart
from .fingerprints import TASK_KINDS, fields_of
from .task_objects import content_key, edited_by

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from ..._engine.values.summary import Summary
    from ...resources.people import User
    from ...resources.projects import Project

_Item: TypeAlias = "tuple[Row, Row, dict[str, Any]]"
"""A task of the target, an object that it is to get, and the fields that this is created with."""

PARENTS = ("parent_prediction", "parent_annotation")


@attrs.define
class Wanted:
    """A task of the target as it is, and the objects of other tasks that it is to get.

    Each of these has its own ``task``, and a ``name`` under which a loss lists it (see ``link``).
    An annotation whose author is gone has the e-mail address of the user who stands for them as
    ``stand_in``, else None; a draft has what it ``edits``.
    """

    task: Row
    annotations: Sequence[Row] = ()
    predictions: Sequence[Row] = ()
    drafts: Sequence[Row] = ()


class Applier(ABC):
    """Creates what tasks of a project are to get, counts it, and records what is lost of it.

    ``why`` has the reasons of the losses that are reported. Errors of single objects are collected
    in the tallies; the tasks of these objects are then among ``failed``. Subclasses define how
    objects are read, created and named.
    """

    def __init__(
        self,
        project: Project,
        why: Mapping[tuple[str, str], str],
        *,
        workers: int | None,
        description: str,
        progress: Progress,
    ) -> None:
        self.project, self.client = project, labelstudio_of(project)
        self.lost = Losses(why)
        run = partial(BulkRun, self.client, on_error="collect")
        self.tallies = {
            "tasks": run(description, progress=progress),
            **{kind: run(workers=workers) for kind in TASK_KINDS},
        }
        self.failed: set[Any] = set()

    @cached_property
    def me(self) -> User:
        """The current user."""
        return self.client.users.me()

    @abstractmethod
    def read(self, ids: Sequence[int]) -> Mapping[int, Row]:
        """Return tasks of the target as they are now, by id."""

    @abstractmethod
    def fields(self, annotation: Row) -> dict[str, Any]:
        """Return the fields with which an annotation is created."""

    @abstractmethod
    def label(self, kind: str, row: Row) -> object:
        """Return what stands for an object in a failure."""

    def create(self, kind: str, task: Row, fields: dict[str, Any]) -> bool:
        """Create an object of a task; return False if it existed already."""
        if kind == "annotations":
            task_objects.annotate(self.client, task, fields)
        else:
            task_objects.create(self.client, kind, task["id"], fields)
        return True

    def counts(self) -> dict[str, Summary]:
        """Return what was done with the tasks, and with the other kinds if anything was."""
        counts = {kind: run.summary() for kind, run in self.tallies.items()}
        return {
            kind: done
            for kind, done in counts.items()
            if kind == "tasks" or done or done.skipped or done.failed
        }

    def apply(self, wanted: Sequence[Wanted]) -> None:
        """Create all of it. One request for an annotation or a draft, one for 1,000 predictions.

        The drafts come last: of tasks that have edits among them, the annotations are read again.
        """
        self._create("annotations", list(self._annotations(wanted)))
        self._predict([(one.task, row) for one in wanted for row in one.predictions])
        self._create("drafts", list(self._drafts([one for one in wanted if one.drafts])))

    def count(self, kind: str, row: Row) -> None:
        """Count an object as created, and record what it has lost."""
        self.tallies[kind].created += 1
        if kind == "drafts":
            if row["user"] not in (None, self.me.email):
                self.lose(kind, "user", row, row["user"], self.me.email)
            if row["annotation"] and not row["edits"]:
                self.lose(kind, "annotation", row, row["annotation"])
        else:
            self.lost.add(kind, "created_at", [row["name"]])
        if row.get("stand_in"):
            self.lose(kind, "completed_by", row, None, row["stand_in"])
        for name in PARENTS:
            if row.get(name) is not None:
                self.lose(kind, name, row, row[name])

    def lose(self, kind: str, field: str, row: Row, here: Any, there: Any = None) -> None:
        """Record that an object has lost the value of a field."""
        difference = Difference(kind, row["name"], None, field, here, there)
        self.lost.add(kind, field, [row["name"]], difference)

    def lose_data(self, here: Row, there: Row, source: int | str, target: int | str) -> None:
        """Record what the data and meta of another task have in their stead, if they differ."""
        for name in ("data", "meta"):
            apart = fields_apart("tasks", source, target, name, here[name], there[name])
            self.lost.add("tasks", name, [source] * bool(apart), *apart)

    def _create(self, kind: str, todo: Sequence[_Item]) -> None:
        """Create objects of a kind in a request each."""
        run, left = self.tallies[kind], {id(row): row for _, row, _ in todo}
        for outcome in run.each(
            todo,
            lambda item: self.create(kind, item[0], item[2]),
            identity=lambda item: item[0]["id"],
            label=lambda item: (item[1]["id"], self.label(kind, item[1])),
        ):
            _, row, fields = outcome.item
            del left[id(row)]
            if not outcome.value:
                run.skipped += 1
                continue
            self.count(kind, row)
            if row.get("ground_truth") and not fields["ground_truth"]:
                self.lose(kind, "ground_truth", row, True, False)
        self.failed.update(row["task"] for row in left.values())

    def _annotations(self, wanted: Iterable[Wanted]) -> Iterator[_Item]:
        for one in wanted:
            # The server takes the mark off what had it when another annotation gets it.
            is_marked = any(annotation["ground_truth"] for annotation in one.task["annotations"])
            for row in one.annotations:
                mark = bool(row["ground_truth"])
                yield one.task, row, {**self.fields(row), "ground_truth": mark and not is_marked}
                is_marked = is_marked or mark

    def _predict(self, pairs: Sequence[tuple[Row, Row]]) -> None:
        if not pairs:
            return
        todo = [(task, row, _prediction(task["id"], row)) for task, row in pairs]
        forms = [form for _, _, form in todo]
        made = self.project.predictions.bulk_create(forms, on_error="collect")
        # What does not match the labelling config, a server takes one by one.
        left = {failure.place for failure in made.failed}
        for n, (_, row) in enumerate(pairs):
            if n not in left:
                self.count("predictions", row)
        self._create("predictions", [todo[n] for n in sorted(left)])

    def _drafts(self, wanted: Sequence[Wanted]) -> Iterator[_Item]:
        edited = [one for one in wanted if any(draft["edits"] for draft in one.drafts)]
        now = self.read([one.task["id"] for one in edited])
        for one in wanted:
            task = now.get(one.task["id"], {"annotations": (), "drafts": ()})
            annotations = [
                (row["id"], content_key("annotations", row)) for row in task["annotations"]
            ]
            held = Counter(draft["annotation"] for draft in task["drafts"])
            for draft in one.drafts:
                place = edited_by(draft, annotations, held)
                if draft["edits"] and place is None and not self.client.is_dry:
                    self.failed.add(draft["task"])  # as its annotation did
                    continue
                held[place] += 1
                yield one.task, draft, {**fields_of("drafts", draft), "annotation": place}


def _prediction(task: int, row: Row) -> dict[str, Any]:
    form = {**fields_of("predictions", row), "task": task}
    form["model_version"] = form["model_version"] or ""
    return {name: value for name, value in form.items() if value is not None}
