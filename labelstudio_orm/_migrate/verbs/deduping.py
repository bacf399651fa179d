"""Tasks that a project has several times become one, with everything that was said of them."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import attrs

from ..._engine.bulk.run import BulkRun
from ..._engine.conditions.places import Place, text_of
from ..._engine.pages.sources import chunked
from ..._engine.values.summary import Failure, Summary
from ..._reports import Difference, Losses, Report
from ...errors import LabelStudioError
from ...progress import Progress
from ...resources._tasks.existing import ItemKey
from ...resources.common import labelstudio_of
from ..engine.fingerprints import DRAFT, PREDICTION, digest
from ..engine.journal import Journal
from ..engine.keys import asking, by_key, first_rows, no_key, with_ids
from ..engine.labelled import (
    again,
    annotation_said,
    create_once,
    draft_said,
    predict,
    prediction_said,
    to_edit,
)
from ..engine.report import fields_apart

if TYPE_CHECKING:
    from ...resources.drafts import Draft
    from ...resources.people import User
    from ...resources.projects import Project
    from ...resources.tasks import Annotation, Task

Keep: TypeAlias = "Literal['most annotations', 'first', 'last'] | Callable[[Sequence[Task]], Task]"
"""Which of several tasks with the same key stays."""

BATCH: Final = 1000
"""Tasks that are removed together."""

RICH: Final = 250
"""Tasks that are read together with all that was said of them."""

COUNTERS: Final = ("total_annotations", "cancelled_annotations", "total_predictions")


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
    ("annotations", "ground_truth"): "a task has one ground truth: what the kept task had stays",
    ("annotations", "parent_prediction"): "the prediction that it was made of is another one now",
    ("annotations", "parent_annotation"): "the annotation that it was made of is another one now",
    ("predictions", "created_at"): "a prediction that is created again is dated now",
    ("drafts", "user"): "a draft belongs to who creates it: the current user",
    ("tasks", "data"): "removed tasks said something else than the kept one beside the key",
    ("tasks", "meta"): "removed tasks had another meta than the kept one",
    ("tasks", "comments"): "comments of a removed task go with it",
}
"""What cannot be kept, and why."""


@attrs.frozen(kw_only=True)
class Deduped(Report):
    """What ``dedupe`` did. ``kept`` has for each task that stayed the ids of those that were
    removed in its favour: ``{1: (1001,), 2: (1002, 2002)}``.
    """

    kept: Mapping[int, tuple[int, ...]] = attrs.field(factory=dict)

    @property
    def removed(self) -> list[int]:
        """The ids of the tasks that were removed, rising."""
        return sorted(id for ids in self.kept.values() for id in ids)

    def as_json(self) -> dict[str, Any]:
        """As of every report, with ``kept``."""
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
    """Of tasks with the same value under ``key``, keep one, and remove the others once all that was
    said of them stands at the one that is kept. Returns a report; ``report.kept`` has the ids.

    ``key``: ``"data.image"``, ``"meta.source"``, ``data["a.b"]``. Values are compared as filters do
    (``1 == 1.0``, ``"1" != 1``). Tasks without the key, and with null or an empty text under it,
    are left alone; the report counts them, as skipped, under ``"tasks without data.image"``.
    ``keep``: ``"most annotations"`` (then cancelled ones, then the lowest id), ``"first"`` or
    ``"last"`` by id, or a function that is given the tasks of one key by id and returns one of
    them. ``workers`` create annotations at once (default: the client's). ``progress``: True for a
    line on stderr, or a function ``(done, total)`` of the tasks to remove.

    Every annotation of a removed task is created anew at the kept one, also where two say the same:
    with result, author, ground truth, cancellation and lead time. Predictions and drafts come along
    unless the kept task has the same ones; a draft that edits an annotation edits the new one. What
    a server cannot keep is among ``report.losses``; data and meta stay those of the kept task, and
    where others differ, that is there too, with the ids, the keys and both values. Views stay;
    webhooks are told of the new annotations.

    Requests: all tasks are listed, light. Those that are there several times are read, 300 a
    request: their counters, then what was said of those to remove, and before they are deleted
    whether somebody has changed them. One for each annotation that is created; the tasks are
    deleted 1,000 a request. Only fingerprints of the keys and ids are held in memory.

    May be killed, and run again: an annotation that is there already is known by its ``unique_id``,
    and nothing is deleted before what was said of it is stored, or when somebody changed it
    meanwhile. ``journal``: a file that keeps which tasks stay, for a function that may choose
    otherwise the second time, and for a report on all runs. What cannot be created is among the
    failures, and its task stays.

    Raises FieldError for what is no key of data or meta, and ValueError for a key that no task has.

    >>> again = project.tasks.create(data={"text": project.tasks[0].data["text"]})
    >>> report = dedupe(project, "data.text")
    >>> report.counts["tasks"].deleted, report.removed == [again.id]
    (1, True)
    """
    rule = RULES.get(keep) if isinstance(keep, str) else keep
    if rule is None or not callable(rule):
        named = ", ".join(map(repr, RULES))
        raise ValueError(f"keep is {named}, or a function of tasks, not {keep!r:.80}")
    with ExitStack() as stack:
        book = stack.enter_context(Journal(journal))
        facts = {"key": text_of(key), "keep": keep if isinstance(keep, str) else "a function"}
        book.identify(what="dedupe", project=f"{labelstudio_of(project).url} {project.id}", **facts)
        if labelstudio_of(project).is_dry:
            book = stack.enter_context(book.copy())
        return _Deduping(project, key, rule, book, workers, progress).run()


@attrs.frozen
class _Group:
    """Tasks with the same key: the one that stays, and the others."""

    kept: Any
    others: Sequence[Any]


class _Deduping:
    """One run."""

    def __init__(
        self,
        project: Project,
        key: str | Place,
        rule: Callable[[Sequence[Any]], Any],
        journal: Journal,
        workers: int | None,
        progress: Progress,
    ) -> None:
        self.project, self.rule = project, rule
        self.key = ItemKey.of(project.tasks, key)
        self.client = labelstudio_of(project)
        self.chosen, self.removed = journal.map("chosen"), journal.map("removed")
        doing = f"removing tasks of {project!r}"
        self.tallies = {
            "tasks": BulkRun(self.client, doing, on_error="collect", progress=progress),
            **{
                kind: BulkRun(self.client, workers=workers, on_error="collect")
                for kind in ("annotations", "predictions", "drafts")
            },
        }
        self.lost = Losses(LOST)
        self.failed: set[int] = set()
        """Tasks that stay since something of theirs could not be created."""
        self.without = 0
        """Tasks that do not have the key."""

    @cached_property
    def me(self) -> User:
        return self.client.users.me()

    def run(self) -> Deduped:
        tasks = self.tallies["tasks"]
        several = self._several()
        tasks.total = sum(len(ids) - 1 for ids in several)
        with tasks:
            for batch in _batches(several):
                groups = self._chosen(batch)
                self._move(groups)
                self._delete(groups)
        kept: defaultdict[int, list[int]] = defaultdict(list)
        for id, stays in self.removed.items():
            kept[stays].append(id)
        counts = {name: tally.summary() for name, tally in self.tallies.items()}
        counts[f"tasks without {self.key}"] = Summary(skipped=self.without)
        return Deduped(
            what=f"removal of tasks of {self.project!r} with the same {self.key}",
            counts={name: done for name, done in counts.items() if name == "tasks" or _did(done)},
            losses=self.lost.listed(),
            target=self.project,
            kept={id: tuple(kept[id]) for id in sorted(kept)},
        )

    # -- which ------------------------------------------------------------------------------------

    def _several(self) -> list[list[int]]:
        """The ids of tasks that have the same key, rising."""
        first: dict[str, int] = {}
        found: dict[int, list[int]] = {}
        for id, value in by_key(self.project.tasks, self.key):
            if value is None:
                self.without += 1
                continue
            known = first.setdefault(value, id)
            if known != id:
                found.setdefault(known, [known]).append(id)
        if self.without and not first:
            what = f"none of the {self.without} tasks of {self.project!r} has anything under"
            raise no_key(self.key, what, first_rows(self.project.tasks))
        return list(found.values())

    def _chosen(self, batch: Sequence[Sequence[int]]) -> list[_Group]:
        """What of some tasks stays: as the journal has it, else as the rule says."""
        ids = [id for group in batch for id in group]
        names = ("data", "meta", "updated_at", "comment_count", "draft_exists", *COUNTERS)
        found = with_ids(self.project.tasks, ids, *names)
        groups = []
        for group in batch:
            tasks = [found[id] for id in group if id in found]
            if len(tasks) > 1:
                groups.append(self._group(tasks))
        self.chosen.put({task.id: one.kept.id for one in groups for task in one.others})
        return groups

    def _group(self, tasks: list[Task]) -> _Group:
        by_id = {task.id: task for task in tasks}
        before = {self.chosen.get(task.id) for task in tasks} & by_id.keys()
        with asking("keep", tasks):
            kept = by_id[min(before)] if before else self.rule(tuple(tasks))
        if kept not in tasks:
            raise ValueError(f"keep: {kept!r:.80} is none of the tasks that it was given: {tasks}")
        return _Group(kept, [task for task in tasks if task != kept])

    # -- what was said of them --------------------------------------------------------------------

    def _move(self, groups: Iterable[_Group]) -> None:
        """Create at the kept tasks what the others have. The counters of tasks may be wrong (one
        whose annotation was moved by the API, for example), so all of them are looked at.
        """
        pairs = ((group.kept, other) for group in groups for other in group.others)
        for some in chunked(pairs, RICH):
            others = with_ids(self.project.tasks, [other.id for _, other in some])
            rich = {
                other.id: kept.id
                for kept, other in some
                if (one := others.get(other.id)) and (len(one.annotations) or len(one.predictions))
            }
            whole = with_ids(self.project.tasks, sorted(set(rich.values())))
            known = [(whole[kept], others[id]) for id, kept in rich.items() if kept in whole]
            self._annotate(known)
            self._predict(known)
            self._draft([(kept, others.get(one.id)) for kept, one in some if one.draft_exists])

    def _annotate(self, pairs: Sequence[tuple[Task, Task]]) -> None:
        tally = self.tallies["annotations"]
        true = {kept.id for kept, _ in pairs if any(one.ground_truth for one in kept.annotations)}
        todo: list[tuple[Task, Annotation, dict[str, Any]]] = []
        for kept, other in pairs:
            for annotation in other.annotations:
                fields = again(annotation)
                # The server takes the mark off what had it when another annotation gets it.
                fields["ground_truth"] = annotation.ground_truth and kept.id not in true
                true |= {kept.id} if fields["ground_truth"] else set()
                todo.append((kept, annotation, fields))
        for outcome in tally.each(
            todo,
            lambda item: create_once(item[0], item[2]),
            identity=lambda item: item[0].id,
            label=lambda item: (item[1].id, item[1]),
        ):
            if outcome.value:
                _, annotation, fields = outcome.item
                tally.created += 1
                self.lost.add("annotations", "created_at", [annotation.id])
                if annotation.completed_by_id is None:
                    self._lose("annotations", "completed_by", annotation, None, self.me.email)
                if annotation.ground_truth > fields["ground_truth"]:
                    self._lose("annotations", "ground_truth", annotation, True, False)
                for name in ("parent_prediction", "parent_annotation"):
                    if (parent := getattr(annotation, f"{name}_id")) is not None:
                        self._lose("annotations", name, annotation, parent)
            else:
                tally.skipped += 1
        self.failed |= {failure.item.task_id for failure in tally.failed}

    def _predict(self, pairs: Sequence[tuple[Task, Task]]) -> None:
        tally = self.tallies["predictions"]
        known = {kept.id: set(map(prediction_said, kept.predictions)) for kept, _ in pairs}
        todo = []
        for kept, other in pairs:
            for prediction in other.predictions:
                if (says := prediction_said(prediction)) in known[kept.id]:
                    tally.skipped += 1
                    continue
                known[kept.id].add(says)
                said = {name: getattr(prediction, name) for name in PREDICTION}
                todo.append((prediction, kept.id, said))
        before = len(tally.failed)
        predict(self.project, todo, tally)
        failed = {failure.item.id for failure in tally.failed[before:]}
        made = [prediction.id for prediction, *_ in todo if prediction.id not in failed]
        self.lost.add("predictions", "created_at", made)
        self.failed |= {failure.item.task_id for failure in tally.failed}

    def _draft(self, pairs: Sequence[tuple[Task, Task | None]]) -> None:
        """Create the drafts, at tasks as they are with their new annotations."""
        drafts = self.client.drafts
        now = with_ids(self.project.tasks, sorted({kept.id for kept, _ in pairs}))
        for kept, other in pairs:
            if other is None or kept.id not in now:  # deleted meanwhile
                continue
            places = self._annotations_said(now[kept.id])
            there = list(drafts.filter(task=kept.id))
            held = Counter(draft.annotation_id for draft in there)
            known = {_draft_said(draft, places) for draft in there}
            edited = self._annotations_said(other)
            for draft in drafts.filter(task=other.id):
                if (says := _draft_said(draft, edited)) in known:
                    self.tallies["drafts"].skipped += 1
                    continue
                known.add(says)
                edits = edited.get(draft.annotation_id or 0)
                place = to_edit(edits, places.items(), held)
                if edits and place is None and not self.client.is_dry:
                    self.failed.add(other.id)
                    continue
                fields = {name: getattr(draft, name) for name in DRAFT}
                tally = self.tallies["drafts"]
                try:
                    drafts.create(task=kept.id, annotation=place, **fields)
                except (LabelStudioError, TypeError, ValueError) as error:  # such as an odd region
                    tally.fail(len(tally.failed), draft, error)
                    self.failed.add(other.id)
                    continue
                held[place] += 1
                tally.created += 1
                if draft.user != self.me.email:
                    self._lose("drafts", "user", draft, draft.user, self.me.email)

    def _annotations_said(self, task: Task) -> dict[int, str]:
        """The annotations of a task, and what stands for their content; those of nobody are the
        current user's once they are created again.
        """
        found = {}
        for one in task.annotations:
            author = one.completed_by_id or self.me.id
            found[one.id] = digest(annotation_said({**one.raw, "completed_by": author}))
        return found

    def _lose(self, kind: str, field: str, one: Any, here: Any, there: Any = None) -> None:
        """Note that an object which is created again has lost a field."""
        self.lost.add(kind, field, [one.id], Difference(kind, one.id, None, field, here, there))

    # -- removing ---------------------------------------------------------------------------------

    def _delete(self, groups: Sequence[_Group]) -> None:
        """Delete what nobody has changed since it was read."""
        tally = self.tallies["tasks"]
        pairs = {other.id: (group.kept, other) for group in groups for other in group.others}
        why = dict.fromkeys(
            self.failed & pairs.keys(),
            "what was said of it could not be created at the task that is kept",
        )
        ids = {*pairs, *(group.kept.id for group in groups)}
        now = with_ids(self.project.tasks, sorted(ids), "updated_at")
        for id, (kept, other) in pairs.items():
            if kept.id not in now or (id in now and now[id].updated_at != other.updated_at):
                why.setdefault(id, "it, or the task that is kept, was changed meanwhile")
        for id, reason in why.items():
            tally.failed.append(Failure(id, pairs.pop(id)[1], f"{reason}; run it again"))
        for kept, other in pairs.values():
            for name in ("data", "meta"):
                here, there = (getattr(task, name) or {} for task in (other, kept))
                apart = fields_apart("tasks", other.id, kept.id, name, here, there)
                self.lost.add("tasks", name, [other.id] * bool(apart), *apart)
            if other.comment_count:
                self._lose("tasks", "comments", other, other.comment_count)
        self.removed.put({id: kept.id for id, (kept, _) in pairs.items()})
        if pairs:
            done = self.project.tasks.filter(id__in=list(pairs)).delete()
            tally.deleted += done.deleted
        tally.report()


def _draft_said(draft: Draft, annotations: Mapping[int, str]) -> str:
    """What stands for the content of a draft, and of what it edits."""
    return digest(draft_said(draft.raw, annotations.get(draft.annotation_id or 0)))


def _did(done: Summary) -> bool:
    return bool(done or done.skipped or done.failed)


def _batches(groups: Iterable[list[int]]) -> Iterator[list[list[int]]]:
    """Groups that together have about so many tasks to remove."""
    batch: list[list[int]] = []
    held = 0
    for group in groups:
        if batch and held + len(group) - 1 > BATCH:
            yield batch
            batch, held = [], 0
        batch.append(group)
        held += len(group) - 1
    if batch:
        yield batch
