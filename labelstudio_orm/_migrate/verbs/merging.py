"""Merges several projects into one, in which tasks with the same key are one task."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import attrs

from ..._engine.bulk.run import BulkRun
from ..._engine.conditions.places import Place
from ..._engine.http.connection import has, number_of_workers
from ..._engine.http.releases import UNSKIPPABLE, without
from ..._engine.pages.sources import chunked
from ..._engine.values.summary import Failure
from ..._reports import Difference, Differences, Report
from ...client import labelstudio_of
from ...progress import Progress
from ...resources._tasks.creation import create_from_server
from ...resources._tasks.existing import ItemKey
from ...resources.projects import Project
from ..engine.applying import Applier, Wanted
from ..engine.config_compat import check_configs
from ..engine.files import SameFiles, Stored
from ..engine.fingerprints import TASK_KINDS, digest, fields_of, task_content
from ..engine.journal import Journal
from ..engine.keys import LOOK, by_key, choose, fingerprint, ids_by_key, no_key
from ..engine.losses import is_importable
from ..engine.media import Media
from ..engine.remap import Translation, replace_files
from ..engine.source import LiveSource, as_source
from ..engine.task_objects import import_form, import_problem, lacking, link
from ..engine.users import MissingUsers, UserMap

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from ..engine.source import Source

Prefer: TypeAlias = "Literal['first', 'last'] | Callable[[Sequence[Row]], Row]"
"""Whose data and meta a task has that is in several projects."""

CHUNK: Final = 250
"""Keys that are merged together."""

LOST: Final[Mapping[tuple[str, str], str]] = {
    ("tasks", "data"): "other data under the same key; those of the preferred task stay",
    ("tasks", "meta"): "another meta under the same key; that of the preferred task stays",
    ("tasks", "allow_skip"): f"{without(UNSKIPPABLE)} lets annotators skip every task",
    ("annotations", "result"): "it is not a list, which is all that an import takes",
    ("predictions", "result"): "it is not a list of regions, which is all that an import takes",
    ("annotations", "created_at"): "an annotation that is created again is dated now",
    ("annotations", "completed_by"): "the author was deleted; another user is named instead",
    ("annotations", "ground_truth"): "a task that exists already keeps the ground truth it has",
    ("predictions", "created_at"): "a prediction that is created again is dated now",
    ("drafts", "user"): "a draft belongs to the user who creates it: the current one",
    ("drafts", "annotation"): "what it edits cannot be kept; it is a draft of its own now",
}
"""What cannot be kept, and why."""


@attrs.frozen(kw_only=True)
class Merged(Report):
    """What ``merge`` did."""

    @property
    def conflicts(self) -> tuple[Difference, ...]:
        """Where tasks of one key differ: the first thousand of ``data``, and of ``meta``.

        Each has the id and project of the task whose value is gone (``source``), the id in the
        target, the ``field`` with its key, the value that is gone (``here``) and the one that
        stays (``there``).
        """
        return tuple(
            one
            for loss in self.losses
            if loss.kind == "tasks" and loss.field in ("data", "meta")
            for one in loss.differences
        )

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON, with the places of the ``conflicts``."""
        return {**super().as_json(), "conflicts": [one.place for one in self.conflicts]}


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
) -> Merged:
    """Merge the tasks of several projects, also of other servers, into one project.

    Tasks with the same value under ``key`` become one task with the annotations, predictions and
    drafts of all of them.

    ``projects``: a list of projects, or of archives (``ArchiveSource``); the target may be one of
    them. ``into``: the target; a new project, or one that has tasks. ``key``: ``"data.image"``,
    ``"meta.id"``; every task needs it, and an empty text counts as missing. Uploaded files are the
    same if their names and their contents are.
    ``prefer``: whose data and meta are kept, ``"first"`` or ``"last"`` in the order of ``projects``
    (tasks of a target that is not among them come first), or a function that takes the tasks of a
    key as dicts, in this order, and returns one of them. ``missing_users``: authors that the
    target's server does not have, as for ``copy_project``. ``files``: upload the files that tasks
    refer to into the target; else their addresses stay. ``workers``: how many files to read, and
    annotations of existing tasks to create, at the same time (default: the client's).
    ``progress``: True for a line on stderr, or a function ``(done, total)`` of keys.

    What one project has twice of a task stays twice; what two projects have alike (the same result,
    author and time) is kept once, as after copying a project and working on in both. A draft that
    edits an annotation edits that in the target. A merge that was killed is finished by calling
    this again, also after more work in the projects: what the target has already is recognised by
    its content. In the end everything is read again: what is not in the target is listed in
    ``report.differences``; what a server cannot keep, and where tasks of one key differ, in
    ``report.losses``, with the ids, the fields and both values; the latter are
    ``report.conflicts``.

    Requests: every project is listed with few fields; then the tasks with their annotations and
    predictions, 300 a request. Uploaded files are read once to be copied, and once where another
    one has their name and size; 100 of them are uploaded in a request. New tasks are imported, 250
    a request; for existing tasks there is one request for each annotation, one for the predictions
    of 250 tasks, and one for each draft. Memory holds only ids and fingerprints of the keys.

    Raises IncompatibleConfigs where the target's labelling config lacks a control or a label that
    another one has, ValueError for tasks without the key and for no projects, TypeError for
    anything but a list of projects, and UnknownUsers; nothing is written then.

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
    """Return the projects as sources, once all of them are checked."""
    if not isinstance(into, Project):
        raise TypeError(f"merge(): into is a project, not {into!r:.80}")
    if isinstance(projects, str) or not isinstance(projects, Iterable):
        raise TypeError(f"merge() takes a list of projects: merge([{projects!r:.80}], into=...)")
    sources = [as_source(one) for one in projects]
    if not sources:
        raise ValueError(f"merge(): there are no projects to merge into {into!r:.80}")
    return sources


@attrs.define
class _Side:
    """A project that is merged: what describes it, and how its rows read in the target."""

    source: Source
    about: Row
    translation: Translation
    media: Media
    unskippable: frozenset[int]
    ids: Mapping[str, Sequence[int]] = attrs.field(factory=dict)
    """The tasks by the fingerprints of their keys."""

    @property
    def name(self) -> str:
        return f"{self.about['title']} ({self.about['project']})"

    def look(self, key: ItemKey, files: SameFiles) -> list[int]:
        """Find the tasks by their keys; return the ids of those that have none.

        Uploaded files have names in the keys that are equal where the files are.
        """
        server = self.about["server"]

        def named(value: Any) -> Any:
            return replace_files(value, partial(files.name, self.source, server), server)

        if type(self.source) is LiveSource:
            pairs = by_key(self.source.project.tasks, key, named)
        else:
            pairs = ((row["id"], fingerprint(named(key.value(row)))) for row in self.source.tasks())
        self.ids, without = ids_by_key(pairs)
        return without

    def rows(self, ids: Sequence[int]) -> dict[int, Row]:
        """Read tasks, as they read in the target."""
        found = {}
        for row in self.media.ahead(list(self.source.some_tasks(ids))):
            found[row["id"]] = new = self.translation.task(row)
            new["allow_skip"] = row["id"] not in self.unskippable
            new["project"] = self.name
            for one, before in zip(new["annotations"], row["annotations"], strict=True):
                one["stand_in"] = one["completed_by"] if before["completed_by"] is None else None
            link(new, _objects([new], "annotations"), self.name)
        return found


@attrs.define(kw_only=True)
class _Group(Wanted):
    """Tasks with the same key: those of all projects, and what the target lacks of them."""

    tasks: list[Row]
    """All of them in order, those of the target too: what ``prefer`` chooses from."""
    targets: list[Row]
    """Those of the target."""
    chosen: Row


class _Merging(Applier):
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
        doing = f"merging into {into!r}"
        super().__init__(into, LOST, workers=workers, description=doing, progress=progress)
        self.into, self.prefer, self.workers = into, prefer, workers
        self.key = ItemKey.of(into.tasks, key)
        self.users = UserMap(self.client, missing, journal())
        self.me = self.users.me
        self.files = SameFiles()
        self.journals: defaultdict[str, Journal] = defaultdict(journal)
        """The new files for those of a server, by its address."""
        self.stored = Stored(into, self._is_copy, workers, unites=True)
        self.target = self._side(LiveSource(into), lambda email: email, files=False)
        sides = [self._side(one, self.users.email, files) for one in sources]
        ids = [(side.about["server"], side.about["project"]) for side in sides]
        own = self.target.about["server"], self.target.about["project"]
        self.place = ids.index(own) if own in ids else 0
        """Where the target is among the sources."""
        self.sides = [side for side, id in zip(sides, ids, strict=True) if id != own]
        self.keys: list[str] = []

    def _side(
        self, source: Source, email: Callable[[str | None], str | None], files: bool
    ) -> _Side:
        about = source.describe()
        server = about["server"]
        journal = self.journals[server]
        media = Media(source, self.into, journal, server, wanted=files, stored=self.stored)
        translation = Translation(email, media.address, server)
        return _Side(source, about, translation, media, source.unskippable())

    def _is_copy(self, file: str) -> bool:
        """Return whether a file of the target was uploaded by this merge, or equals such a one."""
        return any(one.map("files").old(file) is not None for one in self.journals.values())

    def run(self) -> Merged:
        configs = {side.name: side.source.settings()["label_config"] for side in self.sides}
        check_configs(configs, self.into)
        self._look()
        newest = self.into.tasks.only("id").last()
        self.newest = 0 if newest is None else newest.id
        self.users.match(user for side in self.sides for user in side.source.users())
        version = self.into.model_version
        tasks = self.tallies["tasks"]
        tasks.total = len(self.keys)
        with tasks:
            for groups in self._groups():
                self._write(groups)
                tasks.report()
        self._count_files()
        self.into.refresh()
        if self.into.model_version != version:  # an import sets it
            self.into.model_version = version or ""
            self.into.save()
        differences = Differences()
        if not self.client.is_dry and any(tally.created for tally in self.tallies.values()):
            self._look_at_target()
            for groups in self._groups():
                self._remove_duplicates(groups)
                self._compare(groups, differences)
        return Merged(
            what=f"merging of {', '.join(configs)} into {self.target.name}",
            counts=self.counts(),
            differences=differences.listed,
            different=differences.number,
            losses=self.lost.listed(),
            target=self.into,
        )

    def _count_files(self) -> None:
        """Count the files that were uploaded, and those that could not be read."""
        tally = BulkRun(self.client, on_error="collect")
        failed: dict[str, Failure] = {}
        for side in self.sides:
            side.media.remove_duplicates(late=True)
            tally.created += side.media.uploads
            failed.update(side.media.failed)
        for file, error in self.files.unreadable():
            failed.setdefault(file, Failure(len(failed), file, str(error)))
        tally.failed += failed.values()
        self.tallies["files"] = tally

    # -- which tasks there are --------------------------------------------------------------------

    def _look(self) -> None:
        for side in self.sides:
            without = side.look(self.key, self.files)
            if without and not side.ids:
                what = f"none of the {len(without)} tasks of {side.name} has anything under"
                raise no_key(self.key, what, islice(side.source.tasks(), LOOK))
            if without:
                raise ValueError(
                    f"{len(without)} tasks of {side.name} have no {self.key}, which identifies "
                    f"tasks: {without[:10]}. Nothing was written"
                )
        self.keys = list(dict.fromkeys(key for side in self.sides for key in side.ids))
        self._look_at_target()

    def _look_at_target(self) -> None:
        here = self.target.about["server"]
        for server, journal in self.journals.items():
            for old, new in journal.map("files").items():
                self.files.note(here, new, same_as=(server, old))
        self.target.look(self.key, self.files)

    def _groups(self) -> Iterator[list[_Group]]:
        """Yield the tasks by key, a few keys at a time."""
        for keys in chunked(self.keys, CHUNK):
            sides = [
                (side.ids, side.rows([id for key in keys for id in side.ids.get(key, ())]))
                for side in (*self.sides, self.target)
            ]
            found = [
                [[rows[id] for id in ids.get(key, ()) if id in rows] for ids, rows in sides]
                for key in keys
            ]
            yield [self._group(some) for some in found if any(some[:-1])]

    def _group(self, tasks: list[list[Row]]) -> _Group:
        *others, targets = tasks
        ordered = [*others[: self.place], targets, *others[self.place :]]
        rows = [row for some in ordered for row in some]
        found = {
            kind: lacking((_objects(some, kind) for some in others), _objects(targets, kind), kind)
            for kind in TASK_KINDS
        }
        task = targets[0] if targets else {}
        return _Group(tasks=rows, targets=targets, chosen=self._chosen(rows), task=task, **found)

    def _chosen(self, rows: list[Row]) -> Row:
        if callable(self.prefer):
            about = [{"id": row["id"], "data": row["data"]} for row in rows]
            return choose("prefer", self.prefer, rows, about)
        return rows[0 if self.prefer == "first" else -1]

    # -- what the target lacks --------------------------------------------------------------------

    def _write(self, groups: Sequence[_Group]) -> None:
        for group in groups:
            self._record_losses(group)
        new = self._import([one for one in groups if not one.targets])
        old = [one for one in groups if one.targets]
        self._update(old)
        self.apply([*old, *new])

    def _record_losses(self, group: _Group) -> None:
        for row in group.tasks:
            self.lose_data(row, group.chosen, _which(row), _which(group.chosen))
        for kind in ("annotations", "predictions"):
            for one in (one for row in group.tasks for one in row[kind]):
                if not is_importable(kind, one["result"]):
                    self.lose(kind, "result", one, one["result"])

    def _import(self, groups: Sequence[_Group]) -> list[_Group]:
        """Import tasks with annotations and predictions; return those that are there then."""
        groups = [one for one in groups if not self._refuse(one, import_problem(one.chosen))]
        self._drop_skipping([one.chosen for one in groups if not one.chosen["allow_skip"]])
        forms = (
            import_form(
                {**one.chosen, "annotations": one.annotations, "predictions": one.predictions},
                allow_skip=one.chosen["allow_skip"],
            )
            for one in groups
        )
        made = create_from_server(self.into.tasks, forms, on_error="collect")
        tally = self.tallies["tasks"]
        tally.created += len(made)
        failed = {failure.place for failure in made.summary.failed}
        for failure in made.summary.failed:
            self._refuse(groups[failure.place], failure.reason)
        done = [group for place, group in enumerate(groups) if place not in failed]
        for task, group in zip(made, done, strict=True):
            for kind in ("annotations", "predictions"):
                for row in getattr(group, kind):
                    self.count(kind, row)
            group.task = {"id": task.id, "annotations": ()}
            group.annotations = group.predictions = ()
        return done

    def _drop_skipping(self, rows: Sequence[Row]) -> None:
        """Let tasks be skipped where the server cannot refuse it."""
        if rows and not has(self.client, UNSKIPPABLE):
            for row in rows:
                row["allow_skip"] = True
                which = _which(row)
                apart = Difference("tasks", which, None, "allow_skip", False, True)
                self.lost.add("tasks", "allow_skip", [which], apart)

    def _refuse(self, group: _Group, problem: str | None) -> bool:
        """Return whether there is a problem with a task, which is recorded as failed then."""
        failed = self.tallies["tasks"].failed
        if problem is not None:
            failed.append(Failure(len(failed), f"task {_which(group.chosen)}", problem))
        return problem is not None

    def _update(self, groups: Sequence[_Group]) -> None:
        """Give tasks the data and meta of the preferred ones."""
        tally, changed = self.tallies["tasks"], []
        for group in groups:
            now, wanted = ([row["data"], row["meta"]] for row in (group.task, group.chosen))
            if digest(now) == digest(wanted):
                tally.skipped += 1
                continue
            task = self.into.tasks.ref(group.task["id"])
            try:
                task.data, task.meta = wanted
            except TypeError as error:  # other programs have left a list, or a text
                self._refuse(group, str(error))
            else:
                changed.append(task)
        done = self.into.tasks.bulk_update(changed, workers=self.workers, on_error="collect")
        tally.updated += done.updated
        tally.failed += done.failed

    # -- how it is created ------------------------------------------------------------------------

    def read(self, ids: Sequence[int]) -> dict[int, Row]:
        return self.target.rows(ids)

    def fields(self, annotation: Row) -> dict[str, Any]:
        return {
            **fields_of("annotations", annotation),
            "completed_by": self.users.id(annotation["completed_by"]),
            "import_id": annotation["id"],
        }

    def label(self, kind: str, row: Row) -> str:
        return f"{kind.removesuffix('s')} {row['name']}"

    # -- afterwards -------------------------------------------------------------------------------

    def _remove_duplicates(self, groups: Iterable[_Group]) -> None:
        """Delete what was imported a second time, as the network repeated a request."""
        duplicates = []
        for group in groups:
            contents = set()
            for row in sorted(group.targets, key=lambda row: (-len(row["drafts"]), row["id"])):
                content = digest(task_content({**row, "drafts": ()}))
                if content in contents and row["id"] > self.newest:
                    duplicates.append(row["id"])
                contents.add(content)
        if duplicates:
            self.into.tasks.filter(id__in=duplicates).delete()

    def _compare(self, groups: Iterable[_Group], found: Differences) -> None:
        """Record what the target still lacks."""
        for group in groups:
            if not group.targets:
                found.extend(Difference("tasks", row["id"], None) for row in group.tasks)
                continue
            for kind in TASK_KINDS:
                found.extend(Difference(kind, one["id"], None) for one in getattr(group, kind))
            row, chosen = group.targets[0], group.chosen
            for name in ("data", "meta"):
                if digest(row[name]) != digest(chosen[name]):
                    sides = chosen[name], row[name]
                    found.add(Difference("tasks", chosen["id"], row["id"], name, *sides))


def _objects(tasks: Iterable[Row], kind: str) -> list[Row]:
    """Return the objects of some tasks, without those that no import takes."""
    return [
        one
        for task in tasks
        for one in task[kind]
        if kind == "drafts" or is_importable(kind, one["result"])
    ]


def _which(task: Row) -> str:
    return f"{task['id']} of {task['project']}"
