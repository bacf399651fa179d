"""Merges the tasks of a project that have the same key into one of them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import attrs

from ..._engine.bulk.batches import batches
from ..._engine.conditions.places import Place, text_of
from ..._engine.pages.sources import chunked
from ..._engine.values.summary import Failure, Summary
from ..._reports import Report
from ...client import labelstudio_of
from ...errors import Conflict, LabelStudioError
from ...progress import Progress
from ...resources._tasks.existing import ItemKey
from ..engine.applying import Applier, Wanted
from ..engine.fingerprints import TASK_KINDS
from ..engine.journal import Journal, open_journal
from ..engine.keys import by_key, choose, first_rows, ids_by_key, no_key
from ..engine.source import LiveSource
from ..engine.task_objects import fields_again, lacking, link

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from ...client import LabelStudio
    from ...resources.projects import Project
    from ...resources.tasks import Task
    from ..engine.snapshot_form import Form

Keep: TypeAlias = "Literal['most annotations', 'first', 'last'] | Callable[[Sequence[Task]], Task]"
"""Which of several tasks with the same key is kept."""

BATCH: Final = 1000
"""Tasks that are removed together."""

RICH: Final = 250
"""Tasks that are read together with their annotations and predictions."""

LIGHT: Final = (
    "data", "meta", "updated_at", "comment_count", "draft_exists", "total_annotations",
    "cancelled_annotations", "total_predictions",
)  # fmt: skip
"""The fields by which it is chosen which task is kept."""


def _richness(task: Any) -> tuple[int, int, int]:
    counts = task.total_annotations, task.cancelled_annotations
    if not all(isinstance(count, int) for count in counts):
        raise LabelStudioError(f"{task!r}: the server counts {counts!r:.80} annotations")
    return (*counts, -task.id)


RULES: Final[Mapping[str, Callable[[Sequence[Any]], Any]]] = {
    "most annotations": lambda tasks: max(tasks, key=_richness),
    "first": lambda tasks: tasks[0],
    "last": lambda tasks: tasks[-1],
}

LOST: Final[Mapping[tuple[str, str], str]] = {
    ("annotations", "created_at"): "an annotation that is created again is dated now",
    ("annotations", "completed_by"): "the author was deleted; the current user is named instead",
    ("annotations", "ground_truth"): "a task has one ground truth: that of the kept task stays",
    ("annotations", "parent_prediction"): "the prediction it was made from has another id now",
    ("annotations", "parent_annotation"): "the annotation it was made from has another id now",
    ("predictions", "created_at"): "a prediction that is created again is dated now",
    ("drafts", "user"): "a draft belongs to the user who creates it: the current one",
    ("tasks", "data"): "removed tasks had other data beside the key than the kept one",
    ("tasks", "meta"): "removed tasks had another meta than the kept one",
    ("tasks", "comments"): "comments of a removed task are deleted with it",
}
"""What cannot be kept, and why."""


@attrs.frozen(kw_only=True)
class Deduped(Report):
    """What ``dedupe`` did.

    ``kept`` has, for each task that was kept, the ids of the tasks that were removed in its favour:
    ``{1: (1001,), 2: (1002, 2002)}``.
    """

    kept: Mapping[int, tuple[int, ...]] = attrs.field(factory=dict)

    @property
    def removed(self) -> list[int]:
        """The ids of the tasks that were removed, in ascending order."""
        return sorted(id for ids in self.kept.values() for id in ids)

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON, with ``kept``."""
        return {**super().as_json(), "kept": {id: list(ids) for id, ids in self.kept.items()}}


def dedupe(
    project: Project,
    key: str | Place = "data.image",
    *,
    keep: Keep = "most annotations",
    workers: int | None = None,
    journal: str | os.PathLike[str] | None = None,
    progress: Progress = None,
) -> Deduped:
    """Merge tasks with the same value under ``key`` into one of them; ``report.kept`` has the ids.

    The other tasks are deleted once the kept one has all their annotations, predictions and drafts.

    ``key``: ``"data.image"``, ``"meta.source"``, ``data["a.b"]``. Values are compared as filters do
    (``1 == 1.0``, ``"1" != 1``). Tasks without the key, and with null or an empty text under it,
    are left alone; the report counts them, as skipped, under ``"tasks without data.image"``.
    ``keep``: ``"most annotations"`` (then cancelled ones, then the lowest id), ``"first"`` or
    ``"last"`` by id, or a function that takes the tasks of one key in the order of their ids and
    returns one of them. ``workers``: how many annotations to create at the same time (default: the
    client's). ``progress``: True for a line on stderr, or a function ``(done, total)`` of the tasks
    to remove.

    Each annotation of a removed task is created again at the kept one, even if that has an equal
    one: with result, author, ground truth, cancellation and lead time. Predictions and drafts are
    created unless the kept task has equal ones; a draft that edits an annotation edits the new one.
    What a server cannot keep is listed in ``report.losses``. Data and meta are those of the kept
    task; where others differ, the losses have the ids, the keys and both values. Views stay;
    webhooks are sent the new annotations.

    Requests: all tasks are listed with few fields. Tasks of the same key are read, 300 a request:
    the fields to choose by, then annotations and predictions, and before the deletion whether they
    were changed. Each annotation is created in a request of its own; tasks are deleted 1,000 a
    request. Memory holds only ids and fingerprints of the keys.

    A run that was killed is finished by calling this again: an annotation that exists already is
    recognised by its ``unique_id``, and no task is deleted before all that it had is stored, or if
    it was changed meanwhile. ``journal``: a file that keeps which tasks stay, for a function that
    may choose otherwise the second time, and for a report on all runs. What cannot be created is
    among the failures, and its task stays.

    Raises FieldError for a key that is not in data or meta, and ValueError for one that no task
    has.

    >>> again = project.tasks.create(data={"text": project.tasks[0].data["text"]})
    >>> report = dedupe(project, "data.text")
    >>> report.counts["tasks"].deleted, report.removed == [again.id]
    (1, True)
    """
    rule = RULES.get(keep) if isinstance(keep, str) else keep
    if rule is None or not callable(rule):
        named = ", ".join(map(repr, RULES))
        raise ValueError(f"keep is {named}, or a function of tasks, not {keep!r:.80}")
    client = labelstudio_of(project)
    with open_journal(journal, writes=not client.is_dry) as notes:
        facts = {"key": text_of(key), "keep": keep if isinstance(keep, str) else "a function"}
        notes.identify(what="dedupe", project=f"{client.url} {project.id}", **facts)
        return _Deduping(project, key, rule, notes, workers, progress).run()


_Group: TypeAlias = "tuple[Task, Sequence[Task]]"
"""The one of some tasks with the same key that is kept, and the others."""


class _OwnSource(LiveSource):
    """A project as a source in which users are ids, since its tasks stay on their server.

    So its rows do not have the form of a snapshot, where users are e-mail addresses.
    """

    def _email(self, user: Any, annotation: int | None = None) -> Any:
        return user

    def _checked(self, kind: str, row: Row, form: Form) -> Row:
        return row


class _Deduping(Applier):
    """One run: a merge of a project with itself, after which the merged tasks are deleted."""

    def __init__(
        self,
        project: Project,
        key: str | Place,
        rule: Callable[[Sequence[Any]], Any],
        journal: Journal,
        workers: int | None,
        progress: Progress,
    ) -> None:
        doing = f"removing tasks of {project!r}"
        super().__init__(project, LOST, workers=workers, description=doing, progress=progress)
        self.rule, self.key = rule, ItemKey.of(project.tasks, key)
        self.source = _OwnSource(project)
        self.chosen, self.removed = journal.map("chosen"), journal.map("removed")
        self.without = 0
        """Number of tasks that do not have the key."""

    def run(self) -> Deduped:
        tasks = self.tallies["tasks"]
        several = self._several()
        tasks.total = sum(len(ids) - 1 for ids in several)
        with tasks:
            for batch in batches(several, size=BATCH, size_of=lambda group: len(group) - 1):
                groups = self._groups(batch)
                self._move(groups)
                self._delete(groups)
        kept: defaultdict[int, list[int]] = defaultdict(list)
        for id, stays in self.removed.items():
            kept[stays].append(id)
        counts = self.counts()
        if self.without:
            counts[f"tasks without {self.key}"] = Summary(skipped=self.without)
        return Deduped(
            what=f"removal of tasks of {self.project!r} with the same {self.key}",
            counts=counts,
            losses=self.lost.listed(),
            target=self.project,
            kept={id: tuple(kept[id]) for id in sorted(kept)},
        )

    # -- which ------------------------------------------------------------------------------------

    def _several(self) -> list[tuple[int, ...]]:
        """Return the ids of the tasks that share a key with others, in ascending order."""
        found, without = ids_by_key(by_key(self.project.tasks, self.key))
        self.without = len(without)
        if without and not found:
            what = f"none of the {self.without} tasks of {self.project!r} has anything under"
            raise no_key(self.key, what, first_rows(self.project.tasks))
        return [ids for ids in found.values() if len(ids) > 1]

    def _groups(self, batch: Sequence[Sequence[int]]) -> list[_Group]:
        found = self._tasks([id for group in batch for id in group], *LIGHT)
        present = ([found[id] for id in group if id in found] for group in batch)
        groups = [self._group(tasks) for tasks in present if len(tasks) > 1]
        self.chosen.put({task.id: kept.id for kept, others in groups for task in others})
        return groups

    def _tasks(self, ids: Sequence[int], *names: str) -> dict[int, Task]:
        """Return tasks by their ids, as they are now, with just these fields."""
        found = self.project.tasks.filter(id__in=list(ids)).only(*names)
        return {task.id: task for task in found.iterator()}

    def _group(self, tasks: list[Task]) -> _Group:
        """Choose which of some tasks is kept: as the journal has it, else as the rule says."""
        by_id = {task.id: task for task in tasks}
        before = {self.chosen.get(task.id) for task in tasks} & by_id.keys()
        kept = by_id[min(before)] if before else choose("keep", self.rule, tasks, tasks)
        return kept, [task for task in tasks if task != kept]

    # -- what the kept ones lack ------------------------------------------------------------------

    def _move(self, groups: Iterable[_Group]) -> None:
        """Create at the kept tasks what the others have.

        All of the others are read, as the counters of a task may be wrong: those of one whose
        annotation was moved by the API, for example.
        """
        pairs = ((kept.id, other.id) for kept, others in groups for other in others)
        for some in chunked(pairs, RICH):
            rows = self.read([other for _, other in some])
            others: defaultdict[int, list[Row]] = defaultdict(list)
            for kept, other in some:
                if other in rows and any(rows[other][kind] for kind in TASK_KINDS):
                    others[kept].append(rows[other])
            there = self.read(sorted(others))
            self.apply([self._wanted(row, others[id]) for id, row in there.items()])

    def _wanted(self, kept: Row, others: Sequence[Row]) -> Wanted:
        found = {}
        for kind in ("predictions", "drafts"):
            sources = [one[kind] for one in others]
            found[kind] = lacking(sources, kept[kind], kind, once=True)
            self.tallies[kind].skipped += sum(map(len, sources)) - len(found[kind])
        annotations = [row for one in others for row in one["annotations"]]
        return Wanted(kept, annotations, found["predictions"], found["drafts"])

    def read(self, ids: Sequence[int]) -> dict[int, Row]:
        found = {row["id"]: row for row in self.source.some_tasks(ids)}
        for task in found.values():
            for one in task["annotations"]:
                is_mine = one["completed_by"] is None
                one["stand_in"] = self.me.email if is_mine else None
                one["completed_by"] = self.me.id if is_mine else one["completed_by"]
            link(task, task["annotations"])
        return found

    # -- how they are created ---------------------------------------------------------------------

    def fields(self, annotation: Row) -> dict[str, Any]:
        return fields_again(annotation, self.client.url)

    def create(self, kind: str, task: Row, fields: dict[str, Any]) -> bool:
        if kind == "annotations":
            return create_once(self.client, task["id"], fields)
        if kind == "drafts":
            self.client.drafts.create(task=task["id"], **fields)
            return True
        return super().create(kind, task, fields)

    def label(self, kind: str, row: Row) -> object:
        return getattr(self.client, kind).ref(row["id"])

    # -- removing ---------------------------------------------------------------------------------

    def _delete(self, groups: Sequence[_Group]) -> None:
        """Delete the merged tasks that were not changed since they were read."""
        tally = self.tallies["tasks"]
        pairs = {other.id: (kept, other) for kept, others in groups for other in others}
        why = dict.fromkeys(
            self.failed & pairs.keys(),
            "not all that it has could be created at the task that is kept",
        )
        ids = {*pairs, *(kept.id for kept, _ in groups)}
        now = self._tasks(sorted(ids), "updated_at")
        for id, (kept, other) in pairs.items():
            if kept.id not in now or (id in now and now[id].updated_at != other.updated_at):
                why.setdefault(id, "it, or the task that is kept, was changed meanwhile")
        for id, reason in why.items():
            tally.failed.append(Failure(id, pairs.pop(id)[1], f"{reason}; run it again"))
        for kept, other in pairs.values():
            here, there = (
                {"data": task.data or {}, "meta": task.meta or {}} for task in (other, kept)
            )
            self.lose_data(here, there, other.id, kept.id)
            if other.comment_count:
                self.lose("tasks", "comments", {"name": other.id}, other.comment_count)
        self.removed.put({id: kept.id for id, (kept, _) in pairs.items()})
        if pairs:
            done = self.project.tasks.filter(id__in=list(pairs)).delete()
            tally.deleted += done.deleted
        tally.report()


def create_once(client: LabelStudio, task: int, fields: Mapping[str, Any]) -> bool:
    """Create an annotation with a ``unique_id``; return False if it exists already."""
    try:
        client.annotations.create(task=task, **fields)
    except Conflict as error:
        if "unique id" not in error.detail:
            raise
        return False
    return True
