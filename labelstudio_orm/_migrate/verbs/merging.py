"""Several projects become one: tasks with the same key are one task, with all that was said of
them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import attrs

from ..._engine.bulk.run import BulkRun
from ..._engine.conditions.places import Place
from ..._engine.http.connection import number_of_workers
from ..._engine.pages.sources import chunked
from ..._engine.values.summary import Failure
from ..._reports import Difference, Differences, Losses, Report
from ...errors import LabelStudioError
from ...progress import Progress, reporter
from ...resources._tasks.creation import create_known
from ...resources._tasks.existing import ItemKey
from ...resources.common import labelstudio_of
from ..engine.config_compat import check_configs
from ..engine.fingerprints import DRAFT, digest, prediction_content, task_content
from ..engine.importing import odd_task
from ..engine.journal import Journal
from ..engine.keys import LOOK, asking, fingerprint, first_rows, no_key
from ..engine.labelled import annotation_said, draft_said, predict, to_edit
from ..engine.losses import is_importable
from ..engine.media import Media
from ..engine.odd import annotate, create
from ..engine.remap import Translation
from ..engine.report import fields_apart
from ..engine.same_files import SameFiles
from ..engine.source import LiveSource, as_source
from ..engine.stored import Stored
from ..engine.uploads import replace_files
from ..engine.users import MissingUsers, UserMap

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from ...resources.projects import Project
    from ...resources.tasks import Task
    from ..engine.source import Source

Prefer: TypeAlias = "Literal['first', 'last'] | Callable[[Sequence[Row]], Row]"
"""Whose data and meta a task has that is in several projects."""

CHUNK: Final = 250
"""Keys that are dealt with together."""

SAID: Final = ("annotations", "predictions", "drafts")

LOST: Final[Mapping[tuple[str, str], str]] = {
    ("tasks", "data"): "other data under the same key; those of the preferred task stay",
    ("tasks", "meta"): "another meta under the same key; that of the preferred task stays",
    ("annotations", "result"): "it is no list, which is all that an import takes",
    ("predictions", "result"): "it is no list of regions, which is all that an import takes",
    ("annotations", "created_at"): "an annotation that is created again is dated now",
    ("annotations", "completed_by"): "the author was deleted; another user is named instead",
    ("annotations", "ground_truth"): "a task that is there already keeps the ground truth it has",
    ("predictions", "created_at"): "a prediction that is created again is dated now",
    ("drafts", "user"): "a draft belongs to who creates it: the current user",
    ("drafts", "annotation"): "what it edits cannot be kept; it is a draft of its own now",
}
"""What cannot be kept, and why."""


def merge(
    projects: Iterable[Project | Source],
    *,
    into: Project,
    key: str | Place = "data.image",
    prefer: Prefer = "first",
    missing_users: MissingUsers = "refuse",
    files: bool = True,
    workers: int | None = None,
    progress: Progress = None,
) -> Report:
    """Bring the tasks of several projects, also of other servers, into one. Tasks with the same
    value under ``key`` become one task with the annotations, predictions and drafts of all of them.

    ``projects``: a list of projects, or of archives (``ArchiveSource``); the target may be one of
    them. ``into``: the target; a new project, or one that has tasks. ``key``: ``"data.image"``,
    ``"meta.id"``; every task needs it, and an empty text is none. Uploaded files are the same if
    their names and their contents are.
    ``prefer``: whose data and meta stand, ``"first"`` or ``"last"`` in the order of ``projects``
    (tasks of a target that is not among them come first), or a function that is given the tasks of
    a key as dicts, in this order, and returns one of them. ``missing_users``: authors that the
    target's server does not have, as for ``copy_project``. ``files``: upload the files that tasks
    speak of into the target; else their addresses stay. ``workers`` read files, and create
    annotations of tasks that are there already, at once (default: the client's). ``progress``:
    True for a line on stderr, or a function ``(done, total)`` of keys.

    What one project says twice of a task stays twice; what two projects say alike (the same result,
    author and time) stands once, as after copying a project and working on in both. A draft that
    edits an annotation edits that in the target. So it may be killed, and run again, also after
    more work in the projects: what is there already is known by its content. Ends with a look at
    everything again: what is not in the target is among ``report.differences``; what a server
    cannot keep, and what tasks of one key say differently, among ``report.losses``, with the ids,
    the fields and both values.

    Requests: every project is listed, light; then the tasks with what was said of them, 300 a
    request. Uploaded files are read once to be copied, and once where another one has their name
    and size; 100 of them are uploaded in a request. New tasks are imported, 250 a request; for
    tasks that are there already, one for each annotation, and one for the predictions of 250; one
    for each draft. Only fingerprints of the keys and ids are held in memory.

    Raises IncompatibleConfigs where the target's labelling config lacks a control or a label that
    another one has, ValueError for tasks without the key and for no projects, TypeError for what is
    no list of projects, and UnknownUsers; nothing is written then.

    >>> twin = ls.projects.create(title="Those of Bob", label_config=project.label_config)
    >>> twin.tasks.bulk_create([{"text": "fine"}, {"text": "late"}])
    >>> both = ls.projects.create(title="Both", label_config=project.label_config)
    >>> report = merge([project, twin], into=both, key="data.text")
    >>> print(report.counts["tasks"], report.ok)
    5 True
    """
    if prefer not in ("first", "last") and not callable(prefer):
        raise ValueError(f"prefer is 'first', 'last' or a function of tasks, not {prefer!r:.80}")
    with ExitStack() as stack:
        return _Merging(
            _sources(projects, into),
            into,
            key,
            prefer,
            missing=missing_users,
            files=files,
            workers=number_of_workers(workers, labelstudio_of(into)),
            progress=progress,
            journal=lambda: stack.enter_context(Journal()),
        ).run()


def _sources(projects: Iterable[Project | Source], into: Project) -> list[Source]:
    """The projects as sources, once all of them are some."""
    from ...resources.projects import Project

    if not isinstance(into, Project):
        raise TypeError(f"merge(): into is a project, not {into!r:.80}")
    if isinstance(projects, str) or not isinstance(projects, Iterable):
        raise TypeError(f"merge() takes a list of projects: merge([{projects!r:.80}], into=...)")
    sources = [as_source(one) for one in projects]
    if not sources:
        raise ValueError(f"merge(): there are no projects to merge into {into!r:.80}")
    return sources


@attrs.frozen
class _Side:
    """A project that is merged: what it says of itself, and how its rows read in the target."""

    source: Source
    about: Row
    translation: Translation
    media: Media | None
    unskippable: frozenset[int]

    @property
    def name(self) -> str:
        return f"{self.about['title']} ({self.about['project']})"

    def first_rows(self) -> Iterable[Row]:
        """A few of its tasks."""
        if isinstance(self.source, LiveSource):
            return first_rows(self.source.project.tasks)
        return islice(self.source.tasks(), LOOK)

    def value(self, value: Any, files: SameFiles) -> Any:
        """A value of the key with names of uploaded files that are the same where the files are."""
        server = self.about["server"]
        return replace_files(value, partial(files.name, self.source, server), server)


@attrs.define
class _Meeting:
    """Tasks with the same key: those of the sources in order, and what the target lacks of them."""

    tasks: list[Row]
    """What ``prefer`` chooses from; with those of the target."""
    there: list[Row]
    chosen: Row
    annotations: list[Row]
    predictions: list[Row]
    drafts: list[Row]


class _Merging:
    """One run."""

    def __init__(
        self,
        sources: Sequence[Source],
        into: Project,
        key: str | Place,
        prefer: Prefer,
        *,
        missing: MissingUsers,
        files: bool,
        workers: int,
        progress: Progress,
        journal: Callable[[], Journal],
    ) -> None:
        self.into, self.prefer, self.workers = into, prefer, workers
        self.client = labelstudio_of(into)
        self.key = ItemKey.of(into.tasks, key)
        self.progress = progress
        self.users = UserMap(self.client, missing, journal())
        self.files = SameFiles()
        self.journals: defaultdict[str, Journal] = defaultdict(journal)
        """By the address of a server, what became of its files."""
        self.uploaded: dict[tuple[str, str], str] = {}
        self.stored = Stored(into, self._is_copy, workers)
        self.target = self._side(LiveSource(into), lambda email: email, files=False)
        sides = [self._side(one, self.users.email, files) for one in sources]
        told = [(side.about["server"], side.about["project"]) for side in sides]
        mine = self.target.about["server"], self.target.about["project"]
        self.place = told.index(mine) if mine in told else 0
        """Where the target stands among the sources."""
        self.sides = [side for side, said in zip(sides, told, strict=True) if said != mine]
        self.tallies = {
            name: BulkRun(self.client, workers=workers, on_error="collect")
            for name in ("tasks", *SAID)
        }
        self.lost = Losses(LOST)
        self.places: dict[str, tuple[int, ...]] = {}
        """The tasks with a key, by its fingerprint: the number of a side, an id, a number, an id
        ... The target is the last of the sides.
        """

    def _side(
        self, source: Source, email: Callable[[str | None], str | None], files: bool
    ) -> _Side:
        about = source.describe()
        server = about["server"]
        media = Media(
            source,
            self.into,
            self.journals[server],
            server,
            wanted=files,
            stored=self.stored,
            uploaded=self.uploaded,
            workers=self.workers,
        )
        translation = Translation(email, media.address, server)
        return _Side(source, about, translation, media if files else None, source.unskippable())

    def _is_copy(self, file: str) -> bool:
        """Whether a file of the target was brought by this merge, or is the same as one."""
        return any(one.map("files").old(file) is not None for one in self.journals.values())

    def run(self) -> Report:
        configs = {side.name: side.source.settings()["label_config"] for side in self.sides}
        check_configs(configs, self.into)
        self._look()
        newest = self.into.tasks.only("id").last()
        self.newest = 0 if newest is None else newest.id
        self.users.match(user for side in self.sides for user in side.source.users())
        version = self.into.model_version
        total = len(self.places)
        line = reporter(self.progress, f"merging into {self.into!r}")
        with self.tallies["tasks"], line as report:
            for done, meetings in self._meetings():
                self._write(meetings)
                report(done, total)
        self._count_files()
        self.into.refresh()
        if self.into.model_version != version:  # an import sets it
            self.into.model_version = version or ""
            self.into.save()
        differences = Differences()
        if not self.client.is_dry and any(tally.created for tally in self.tallies.values()):
            self._look_at_target()
            for _, meetings in self._meetings():
                self._remove_doubles(meetings)
                self._compare(meetings, differences)
        counts = {name: tally.summary() for name, tally in self.tallies.items()}
        return Report(
            what=f"merging of {', '.join(configs)} into {self.target.name}",
            counts={
                name: done
                for name, done in counts.items()
                if name == "tasks" or done or done.skipped or done.failed
            },
            differences=differences.listed,
            different=differences.number,
            losses=self.lost.listed(),
            target=self.into,
        )

    def _count_files(self) -> None:
        """The files that were uploaded, and those that were not to be had."""
        tally = BulkRun(self.client, on_error="collect")
        failed: dict[str, Failure] = {}
        for side in self.sides:
            if side.media is not None:
                side.media.remove_duplicates(late=True)
                tally.created += side.media.uploads
                failed.update(side.media.failed)
        for file, error in self.files.unreadable():
            failed.setdefault(file, Failure(len(failed), file, str(error)))
        tally.failed += failed.values()
        self.tallies["files"] = tally

    # -- which tasks there are --------------------------------------------------------------------

    def _look(self) -> None:
        for number, side in enumerate(self.sides):
            named, nameless = 0, []
            for id, value in self._keys(side):
                if value is None:
                    nameless.append(id)
                else:
                    named += 1
                    self.places[value] = (*self.places.get(value, ()), number, id)
            if nameless and not named:
                what = f"none of the {len(nameless)} tasks of {side.name} has anything under"
                raise no_key(self.key, what, side.first_rows())
            if nameless:
                raise ValueError(
                    f"{len(nameless)} tasks of {side.name} have no {self.key}, by which tasks are "
                    f"told apart: {nameless[:10]}. Nothing was written"
                )
        self._look_at_target()

    def _look_at_target(self) -> None:
        last, here = len(self.sides), self.target.about["server"]
        for server, journal in self.journals.items():
            for old, new in journal.map("files").items():
                self.files.note(here, new, same_as=(server, old))
        for said, place in self.places.items():
            if last in place[::2]:
                self.places[said] = place[: 2 * place[::2].index(last)]
        for id, value in self._keys(self.target):
            if value in self.places:
                self.places[value] = (*self.places[value], last, id)

    def _keys(self, side: _Side) -> Iterator[tuple[int, str | None]]:
        """The ids of tasks, and the fingerprints of their keys."""
        if type(side.source) is LiveSource:
            tasks = side.source.project.tasks.only(self.key.way.field.name)
            rows = ((task.id, self.key.way.value(task)) for task in tasks.iterator())
        else:
            rows = ((row["id"], self.key.value(row)) for row in side.source.tasks())
        for id, value in rows:
            yield id, fingerprint(side.value(value, self.files))

    def _meetings(self) -> Iterator[tuple[int, list[_Meeting]]]:
        """The tasks by key, a few at a time, and how many there have been."""
        done = 0
        for chunk in chunked(self.places.values(), CHUNK):
            tasks = [list(zip(place[::2], place[1::2], strict=True)) for place in chunk]
            rows = [
                self._rows(side, [id for some in tasks for its, id in some if its == number])
                for number, side in enumerate([*self.sides, self.target])
            ]
            found = [
                [
                    [by_id[id] for its, id in some if its == number and id in by_id]
                    for number, by_id in enumerate(rows)
                ]
                for some in tasks
            ]
            done += len(chunk)
            yield done, [self._meeting(some) for some in found if any(some[:-1])]

    def _rows(self, side: _Side, ids: list[int]) -> dict[int, Row]:
        found = {}
        rows = list(side.source.some_tasks(ids)) if ids else []
        for row in rows if side.media is None else side.media.ahead(rows):
            found[row["id"]] = translated = side.translation.task(row)
            translated["allow_skip"] = row["id"] not in side.unskippable
            translated["project"] = side.name
            for one in (one for kind in SAID for one in translated[kind]):
                one["task"] = _which(translated)
            for one, before in zip(translated["annotations"], row["annotations"], strict=True):
                one["anonymous"] = before["completed_by"] is None
            if translated["drafts"]:
                said = dict(_annotations_said(translated))
                for draft in translated["drafts"]:
                    draft["edits"] = said.get(draft["annotation"])
        return found

    def _meeting(self, tasks: list[list[Row]]) -> _Meeting:
        *others, there = tasks
        ordered = [*others[: self.place], there, *others[self.place :]]
        rows = [row for some in ordered for row in some]
        return _Meeting(
            tasks=rows,
            there=there,
            chosen=self._chosen(rows),
            annotations=lacking(others, there, "annotations", annotation_said),
            predictions=lacking(others, there, "predictions", prediction_content),
            drafts=lacking(others, there, "drafts", lambda one: draft_said(one, one["edits"])),
        )

    def _chosen(self, rows: list[Row]) -> Row:
        if callable(self.prefer):
            with asking("prefer", [{"id": row["id"], "data": row["data"]} for row in rows]):
                chosen = self.prefer(tuple(rows))
            if not any(chosen is row for row in rows):
                raise ValueError(f"prefer: {chosen!r:.80} is none of the tasks that it was given")
            return chosen
        return rows[0 if self.prefer == "first" else -1]

    # -- what the target lacks --------------------------------------------------------------------

    def _write(self, meetings: Sequence[_Meeting]) -> None:
        for meeting in meetings:
            self._note_losses(meeting)
        new = [meeting for meeting in meetings if not meeting.there]
        old = [meeting for meeting in meetings if meeting.there]
        tasks = {meeting.there[0]["id"]: meeting for meeting in old}
        tasks.update(self._import(new))
        self._update(old)
        self._annotate(old)
        tally = self.tallies["predictions"]
        before = len(tally.failed)
        todo = [
            (f"prediction {one['id']} of task {one['task']}", meeting.there[0]["id"], one)
            for meeting in old
            for one in meeting.predictions
        ]
        predict(self.into, todo, tally)
        failed = {failure.item for failure in tally.failed[before:]}
        made = [_of_task(one) for what, _, one in todo if what not in failed]
        self.lost.add("predictions", "created_at", made)
        self._draft({id: meeting for id, meeting in tasks.items() if meeting.drafts})

    def _note_losses(self, meeting: _Meeting) -> None:
        said = meeting.chosen
        for name in ("data", "meta"):
            apart = [
                one
                for row in meeting.tasks
                for one in fields_apart(
                    "tasks", _which(row), _which(said), name, row[name], said[name]
                )
            ]
            self.lost.add(
                "tasks", name, dict.fromkeys(one.source for one in apart if one.source), *apart
            )
        for name in SAID:
            for one in (one for row in meeting.tasks for one in row[name]):
                if name != "drafts" and not is_importable(name, one["result"]):
                    self._lose(name, "result", one)
        for one in meeting.annotations:
            if one["anonymous"]:
                self._lose("annotations", "completed_by", one, there=one["completed_by"])

    def _import(self, meetings: Sequence[_Meeting]) -> dict[int, _Meeting]:
        """Make tasks; which one has become of which."""
        meetings = [one for one in meetings if self._fits(one)]
        made = create_known(self.into.tasks, map(_item, meetings), on_error="collect")
        tally = self.tallies["tasks"]
        failed = {failure.place for failure in made.summary.failed}
        tally.created += len(made)
        tally.failed += [
            attrs.evolve(one, item=f"task {_which(meetings[one.place].chosen)}")
            for one in made.summary.failed
        ]
        done = [meeting for place, meeting in enumerate(meetings) if place not in failed]
        for meeting in done:
            for name in ("annotations", "predictions"):
                made_with = getattr(meeting, name)
                self.tallies[name].created += len(made_with)
                self.lost.add(name, "created_at", map(_of_task, made_with))
        return {task.id: meeting for task, meeting in zip(made, done, strict=True)}

    def _fits(self, meeting: _Meeting) -> bool:
        """Whether an import takes the task; if not, that is a failure."""
        problem = odd_task(meeting.chosen)
        if problem is not None:
            self._refuse(meeting, ValueError(problem))
        return problem is None

    def _refuse(self, meeting: _Meeting, error: Exception) -> None:
        tally = self.tallies["tasks"]
        tally.fail(len(tally.failed), f"task {_which(meeting.chosen)}", error)

    def _update(self, meetings: Sequence[_Meeting]) -> None:
        """Give tasks the data and meta of the preferred ones."""
        tally, changed = self.tallies["tasks"], []
        for meeting in meetings:
            try:
                task = self._other(meeting)
            except TypeError as error:  # other programs have left a list, or a text
                self._refuse(meeting, error)
                continue
            if task is not None:
                changed.append(task)
            else:
                tally.skipped += 1
        done = self.into.tasks.bulk_update(changed, workers=self.workers, on_error="collect")
        tally.updated += done.updated
        tally.failed += done.failed

    def _other(self, meeting: _Meeting) -> Task | None:
        """The target's task as it is to be, if it is not so."""
        row, said = meeting.there[0], meeting.chosen
        if digest([row["data"], row["meta"]]) == digest([said["data"], said["meta"]]):
            return None
        task = self.into.tasks.ref(row["id"])
        task.data, task.meta = said["data"], said["meta"]
        return task

    def _annotate(self, meetings: Sequence[_Meeting]) -> None:
        tally = self.tallies["annotations"]
        todo = []
        for meeting in meetings:
            task = meeting.there[0]
            is_true = any(one["ground_truth"] for one in task["annotations"])
            for one in meeting.annotations:
                if one["ground_truth"] and is_true:
                    self._lose("annotations", "ground_truth", one, there=False)
                fields = {name: one[name] for name in ("was_cancelled", "lead_time")}
                fields["result"] = one["result"] or []
                fields["ground_truth"] = one["ground_truth"] and not is_true
                is_true = is_true or one["ground_truth"]
                fields["completed_by"] = self.users.id(one["completed_by"])
                todo.append((one, task, {**fields, "import_id": one["id"]}))
        for outcome in tally.each(
            todo,
            lambda item: annotate(self.client, item[1], item[2]),
            identity=lambda item: item[1]["id"],
            label=lambda item: (
                item[0]["id"],
                f"annotation {item[0]['id']} of task {item[0]['task']}",
            ),
        ):
            tally.created += 1
            self.lost.add("annotations", "created_at", [_of_task(outcome.item[0])])

    def _draft(self, meetings: Mapping[int, _Meeting]) -> None:
        """Create the drafts of tasks of the target, which are read again for the ids of their new
        annotations.
        """
        edited = [
            task
            for task, meeting in meetings.items()
            if any(draft["edits"] for draft in meeting.drafts)
        ]
        there = self._rows(self.target, edited)
        for task, meeting in meetings.items():
            row = there.get(task, {"annotations": (), "drafts": ()})
            said = list(_annotations_said(row))
            held = Counter(draft["annotation"] for draft in row["drafts"])
            for draft in meeting.drafts:
                place = to_edit(draft["edits"], said, held)
                if draft["edits"] and place is None and not self.client.is_dry:
                    continue  # it failed, and is among the differences
                fields = {name: draft.get(name) for name in DRAFT}
                fields["result"], fields["annotation"] = fields["result"] or [], place
                tally = self.tallies["drafts"]
                try:
                    create(self.client, "drafts", task, fields)
                except (LabelStudioError, TypeError, ValueError) as error:  # such as an odd region
                    which = f"draft {draft['id']} of task {draft['task']}"
                    tally.fail(len(tally.failed), which, error)
                    continue
                held[place] += 1
                tally.created += 1
                if draft["user"] not in (None, self.users.me.email):
                    self._lose("drafts", "user", draft, there=self.users.me.email)
                if draft["annotation"] and not draft["edits"]:
                    self._lose("drafts", "annotation", draft)

    def _lose(self, kind: str, field: str, row: Row, there: Any = None) -> None:
        """Note that what was said of a task has lost a field."""
        which = _of_task(row)
        told = Difference(kind, which, None, field, row.get(field), there)
        self.lost.add(kind, field, [which], told)

    # -- afterwards -------------------------------------------------------------------------------

    def _remove_doubles(self, meetings: Iterable[_Meeting]) -> None:
        """What was imported a second time, because the network repeated a request."""
        duplicates = []
        for meeting in meetings:
            contents = set()
            for row in sorted(meeting.there, key=lambda row: (-len(row["drafts"]), row["id"])):
                content = digest(task_content({**row, "drafts": ()}))
                if content in contents and row["id"] > self.newest:
                    duplicates.append(row["id"])
                contents.add(content)
        if duplicates:
            self.into.tasks.filter(id__in=duplicates).delete()

    def _compare(self, meetings: Iterable[_Meeting], found: Differences) -> None:
        """Note what the target still lacks."""
        for meeting in meetings:
            if not meeting.there:
                found.extend(Difference("tasks", row["id"], None) for row in meeting.tasks)
                continue
            for name in ("annotations", "predictions", "drafts"):
                for one in getattr(meeting, name):
                    found.add(Difference(name, one["id"], None))
            row, said = meeting.there[0], meeting.chosen
            for name in ("data", "meta"):
                if digest(row[name]) != digest(said[name]):
                    found.add(
                        Difference("tasks", said["id"], row["id"], name, said[name], row[name])
                    )


def lacking(
    sources: Iterable[Sequence[Row]],
    there: Sequence[Row],
    name: str,
    says: Callable[[Row], Mapping[str, Any]],
) -> list[Row]:
    """What the tasks of a target lack of what the same tasks of several sources have: what any one
    of these says so and so many times, the target is to say as often.
    """

    def said(tasks: Iterable[Row]) -> list[tuple[str, Row]]:
        return [
            (digest(says(one)), one)
            for task in tasks
            for one in task[name]
            if name == "drafts" or is_importable(name, one["result"])
        ]

    have = Counter(content for content, _ in said(there))
    found: list[Row] = []
    for tasks in sources:
        times: Counter[str] = Counter()
        for content, one in said(tasks):
            times[content] += 1
            if times[content] > have[content]:
                have[content] += 1
                found.append(one)
    return found


def _which(task: Row) -> str:
    return f"{task['id']} of {task['project']}"


def _of_task(row: Row) -> str:
    return f"{row['id']} of task {row['task']}"


def _annotations_said(task: Row) -> Iterator[tuple[int, str]]:
    """The ids of a task's annotations, and what stands for their content."""
    for one in task["annotations"]:
        if is_importable("annotations", one["result"]):
            yield one["id"], digest(annotation_said(one))


def _item(meeting: _Meeting) -> dict[str, Any]:
    """A task to import."""
    item: dict[str, Any] = {"data": meeting.chosen["data"], "meta": meeting.chosen["meta"]}
    if not meeting.chosen["allow_skip"]:
        item["allow_skip"] = False
    item["annotations"] = [
        {
            **{name: one[name] for name in ("id", "was_cancelled", "ground_truth", "lead_time")},
            "result": one["result"] or [],
            "completed_by": one["completed_by"],
        }
        for one in meeting.annotations
    ]
    item["predictions"] = [
        {
            "result": one["result"] or [],
            "score": one["score"],
            "model_version": one["model_version"],
        }
        for one in meeting.predictions
    ]
    return item
