"""Applies to a copy what has changed in the source since."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..._engine.pages.sources import chunked
from ..._reports import Difference, Report
from ...client import labelstudio_of
from ...progress import Progress, ends_line, reporter
from ..engine.comparison import Comparison
from ..engine.context import MigrationContext
from ..engine.diff3 import Base, Change, Conflicts, Side, without_side_effects
from ..engine.exactly_once import wait_for_the_rest
from ..engine.fingerprints import CONTENTS, SETTINGS
from ..engine.importing import Importer
from ..engine.journal import JournalMismatch, open_journal
from ..engine.kinds import Secrets
from ..engine.losses import losses
from ..engine.related import Related, no_secrets, parts_of, wanted_kinds
from ..engine.settings import Settings
from ..engine.source import CHUNK, as_source, name_of
from ..engine.users import MissingUsers
from ..engine.writing import Writer

if TYPE_CHECKING:
    import os

    from ..._engine.values.codec import Row
    from ...resources.projects import Project
    from ..engine.journal import Journal
    from ..engine.source import Source

_LATE: Final = ("model_version",)
"""Settings that may name an ML backend, which has to exist before."""

_EARLY: Final = tuple(name for name in SETTINGS if name not in _LATE)


def sync(
    source: Project | Source,
    target: Project,
    *,
    journal: str | os.PathLike[str] | Journal,
    pair: bool = False,
    conflicts: Conflicts = "report",
    missing_users: MissingUsers = "refuse",
    files: bool = True,
    secrets: Secrets | None = None,
    progress: Progress = None,
) -> Report:
    """Apply to a copy what was created, changed or deleted in the source since the last time.

    That is tasks, annotations, predictions, drafts and settings; views with their order, webhooks,
    storages and ML backends, if the copy has them.

    ``journal``: that of the copy; it has for each object what both sides held. ``pair``: begin a
    journal for a project that was copied without one; tasks are paired by their content, so that
    one which differs counts as new, and views, webhooks, storages and ML backends are left alone.
    Changes are found by content, since dates miss many of them, and both sides are read as a whole.

    What was changed in the target is left alone, and listed in the report's ``differences``, with a
    ``why``. ``conflicts``: what to do about an object (a task's data, one annotation, a view) that
    was changed on both sides: ``"report"`` leaves it and lists it, each time; ``"source"`` takes
    the source's version; ``"target"`` keeps the target's and does not list it again. An object that
    one side changed and the other one deleted is a conflict too.

    ``files``: upload the files that are new. A file that is deleted in the source stays in the
    target, where tasks may still refer to it, since a server does not list the uploads of others.

    ``secrets``: as for ``copy_project``, called for new objects. Without it storages other than
    those of local files, and ML backends with a password, are not created but reported. No server
    shows that a key was changed; of the headers of webhooks the journal has a slow digest.

    A new webhook is created last and a deleted one is deleted first, so that neither is sent the
    rest. What the server does not let change in a view is created again, with another id.

    The report's ``counts`` are of what was applied; what no server takes (data that is no object, a
    result that is no list of regions, which other programs have left in the source) is among their
    failures, by task, each time. ``missing_users`` and ``progress`` are as for ``copy_project``. A
    sync that was killed is finished by calling this again; a further run writes nothing.

    Raises FileNotFoundError if there is no journal, ValueError for an empty one and for that of a
    copy which is not finished, JournalMismatch for the journal of another copy, and what
    ``copy_project`` raises.

    >>> copy = copy_project(project, to=other, journal="r.db", missing_users="create").target
    >>> task.annotations.create(result=[])
    >>> sync(project, copy, journal="r.db").counts["annotations"].created
    1
    """
    if conflicts not in ("report", "source", "target"):
        raise ValueError(f'conflicts is "report", "source" or "target", not {conflicts!r:.80}')
    client = labelstudio_of(target)
    source = as_source(source)
    with open_journal(journal, writes=not client.is_dry, may_create=pair) as notes:
        known = notes.get("project")
        if known is None and not pair:
            raise ValueError(f"{notes} is of no copy; pair=True pairs the tasks by their content")
        if known not in (None, target.id):
            raise JournalMismatch(f"{notes} is of a copy to Project {known}, not to {target!r}")
        if known is not None and notes.get("marker") and not notes.get("done"):
            raise ValueError(f"{notes}: the copy is not finished; call copy_project again first")
        if known is None:
            notes.set("project", target.id)
        copied = notes.get("job") or {}
        parts = parts_of(notes) - (frozenset() if files else {"files"})
        context = MigrationContext(
            source,
            client,
            notes,
            title=copied.get("title"),
            missing_users=missing_users,
            parts=parts,
            secrets=secrets or no_secrets,
            keep_origin=copied.get("keep_origin", False),
            conflicts=conflicts,
            again=True,
        )
        return _Sync(context, progress).run()


class _Sync:
    def __init__(self, context: MigrationContext, progress: Progress) -> None:
        self.context, self.journal, self.tasks = context, context.journal, context.tasks
        self.conflicts, self.found = context.conflicts, context.found
        self.bases = context.journal.map("bases")
        self.importer, self.writer = Importer(context), Writer(context)
        self.settings = Settings(context)
        self.related = [Related(context, kind) for kind in wanted_kinds(context)]
        self.touched: list[int] = []
        self._progress = reporter(progress, f"synchronising {name_of(context.facts)}")

    @ends_line("_progress")
    def run(self) -> Report:
        self.context.media.resolve()
        self.importer.resolve()
        self.settings.overlaps.resolve()
        self.writer.resolve()
        if not len(self.tasks):
            self._pair()
        if not self.context.client.is_dry:  # in a dry run the same would be planned twice
            self._related(listeners=True, only=_is_off)
        if self.context.media.wanted:
            self.context.media.bring_all()  # also those that no task refers to
        self.settings.apply(_EARLY)
        self._changed()
        ids = set(self.context.source.task_ids())
        self._created(ids)
        self._deleted(ids)
        self._related(listeners=False)
        self.settings.apply(_LATE)
        self._related(listeners=True)
        if self.context.media.wanted:
            self._files()
        self._unmatched()
        if not self.context.client.is_dry:
            self._check()
        return Report(
            what=f"sync of {name_of(self.context.facts)} to {self.context.project!r}",
            counts={
                kind: tally.summary()
                for kind, tally in self.context.tallies.items()
                if kind != "project"
            },
            differences=tuple(self.found.listed),
            different=self.found.number,
            losses=losses(self.context.lost, kept=self.context.keep_origin),
            target=self.context.project,
        )

    def _related(self, *, listeners: bool, only: Callable[[Change], bool] | None = None) -> None:
        for one in self.related:
            if one.kind.is_listener is listeners:
                one.apply(only)

    def _pair(self) -> None:
        """Pair the tasks of a project that was copied without a journal."""
        comparison = Comparison(self.context.source, self.context.target, None)
        pairs = comparison.journal.map("tasks")
        comparison.pair_by_content(pairs)
        for some in chunked(pairs.items(), 1000):
            self.tasks.put(dict(some))

    # -- tasks that both sides have ----------------------------------------------------------------

    def _changed(self) -> None:
        done = 0
        for chunk in chunked(self.context.source.tasks(), CHUNK):
            known = self.context.media.ahead([row for row in chunk if self.tasks.has(row["id"])])
            wanted = [self.tasks.get(row["id"]) for row in known]
            targets = {row["id"]: row for row in self.context.target.some_tasks(wanted)}
            for row in known:
                new = self.tasks.get(row["id"])
                source = self.context.translation.task(row)
                if new in targets:
                    self._task(source, targets[new])
                else:
                    self._deleted_there(source, new)
            done += len(chunk)
            self._progress(done, self.context.facts["tasks"])

    def _deleted_there(self, source: Row, new: int) -> None:
        """Report a task that was deleted in the target, or take it for a new one."""
        if self.conflicts == "source" and self._is_changed(source["id"], source, "source"):
            self.tasks.remove(source["id"])  # and it is created anew
        else:
            self.found.add(Difference("tasks", source["id"], new, why="deleted in the target"))

    def _is_changed(self, old: int, row: Row, side: Side) -> bool:
        """Return whether a side has changed a task that the other one has deleted."""
        text = self.bases.get(old)
        if text is None:  # it was paired, by a run that was killed then
            return side == "target"
        sides = (row, _empty(row)) if side == "source" else (_empty(row), row)
        return any(change.by in (side, None) for change in Base.parse(text).changes(*sides))

    def _task(self, source: Row, target: Row) -> None:
        text = self.bases.get(source["id"])
        base = Base.of(source, target) if text is None else Base.parse(text)
        wanted: list[Change] = []
        changes = without_side_effects(
            list(base.changes(source, target)), source, target, base, self.conflicts
        )
        for change in self.context.applicable(changes):
            wanted.append(change)
            change.part.expect(change)
        self.bases.put({source["id"]: str(base)})
        if not wanted:
            return
        if fields := [change for change in wanted if change.field]:
            with self.writer.unless_refused(fields, source["id"]):
                self.writer.write_fields(fields, source, target)
                self.touched.append(source["id"])
        for change in wanted:
            if not change.field:
                self.touched.append(source["id"])
                with self.writer.unless_refused([change], source["id"]):
                    self.writer.write(base, change, source, target)
        self.bases.put({source["id"]: str(base)})

    # -- tasks that one side has -------------------------------------------------------------------

    def _created(self, ids: set[int]) -> None:
        """Import tasks that are new in the source."""
        new = sorted(id for id in ids if not self.tasks.has(id))
        if new:
            self.importer.recognise(new)
            new = [id for id in new if not self.tasks.has(id)]
        if new:
            if self.journal.get("imports after") is None:
                newest = self.context.project.tasks.only("id").last()
                self.journal.set("imports after", 0 if newest is None else newest.id)
            self.importer.run(self.context.source.some_tasks(new), lambda done: None)
            self.touched += sorted(self.importer.trimmed)
        self.importer.complete()
        for some in [] if self.context.client.is_dry else chunked(new, CHUNK):
            made = (self.tasks.get(id) for id in some if self.tasks.has(id))
            self.importer.save_bases(self.context.target.some_tasks(made))
        before = self.journal.get("imports after")
        if before is not None and not self.context.client.is_dry:
            client, unmatched = self.context.client, self.importer.unmatched
            wait_for_the_rest(client, self.journal, lambda: next(unmatched(), None))
            self.importer.remove_duplicates(after=before)
            self.journal.set("imports after", None)

    def _deleted(self, ids: set[int]) -> None:
        """Delete tasks that were deleted in the source, unless the target has changed them."""
        gone = {new: old for old, new in self.tasks.items() if old not in ids}
        doomed: list[int] = []
        kept_before = self.journal.map("kept")
        kept = {new for new in gone if kept_before.has(new)}
        for some in chunked((new for new in gone if new not in kept), CHUNK):
            for row in self.context.target.some_tasks(some):
                old = gone[row["id"]]
                if self.conflicts == "source" or not self._is_changed(old, row, "target"):
                    doomed.append(row["id"])
                    continue
                kept.add(row["id"])
                if self.conflicts == "target":
                    kept_before.put({row["id"]: 1})
                else:
                    why = "deleted in the source, changed in the target"
                    self.found.add(Difference("tasks", old, row["id"], why=why))
        if doomed:
            if not ids:
                self.journal.set("emptied")
            self.context.project.tasks.filter(id__in=doomed).delete()
            self.context.tallies["tasks"].deleted += len(doomed)
        for new in gone.keys() - kept:
            for name in ("tasks", "bases", "contents", "mends"):
                self.journal.map(name).remove(gone[new])

    def _files(self) -> None:
        """Delete files that were uploaded twice, and count the others."""
        media, tally = self.context.media, self.context.tallies["files"]
        media.remove_duplicates(late=True)
        tally.created, tally.failed = media.created, list(media.failed.values())

    def _unmatched(self) -> None:
        """Report tasks that only the target has."""
        if not self.context.client.is_dry:
            for id in self.importer.unmatched():
                self.found.add(Difference("tasks", None, id, why="created in the target"))

    # -- what was done -----------------------------------------------------------------------------

    def _check(self) -> None:
        """Compare what was written with the source."""
        comparison = Comparison(self.context.source, self.context.target, self.journal)
        known = {(one.kind, one.source, one.target) for one in self.found.listed}
        for some in chunked(iter(sorted(set(self.touched))), CHUNK):
            comparison.compare(self.context.source.some_tasks(some), self.tasks)
        for one in comparison.found.listed:
            if (one.kind, one.source, one.target) not in known:
                self.found.add(one)


def _is_off(change: Change) -> bool:
    """Return whether a webhook is deleted or switched off: before other changes trigger it."""
    return not (change.source and change.source.get("is_active", True))


def _empty(row: Row) -> Row:
    """Return an empty task, in the place of one that was deleted."""
    gone = {"data": None, "meta": {"": None}, "overlap": None}
    return {**row, **gone, **{kind: [] for kind in CONTENTS}}
