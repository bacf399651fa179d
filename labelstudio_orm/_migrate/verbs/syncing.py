"""Carrying over what has changed in a project since it was copied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

import attrs

from ..._engine.http.paths import at
from ..._engine.pages.sources import chunked
from ..._reports import Difference, Differences, Report
from ...progress import Progress, ends_line, reporter
from ...resources._parking import keeping_drafts, unpark
from ...resources.common import labelstudio_of
from ..engine import odd
from ..engine.diff3 import Base, Change, Conflicts
from ..engine.exactly_once import exactly_once
from ..engine.fingerprints import CONTENTS, ORIGIN, SETTINGS, digest
from ..engine.fixups import Fixups
from ..engine.importing import Importer, imported, odd_data
from ..engine.journal import JournalMismatch
from ..engine.losses import losses, lost_of
from ..engine.related import Related, Secrets, no_secrets, parts_of
from ..engine.settings import Settings
from ..engine.sideeffects import without_side_effects
from ..engine.source import CHUNK, as_source, name_of
from ..engine.starting import begin, open_journal
from ..engine.sync_related import RelatedSync
from ..engine.users import MissingUsers
from .verifying import Comparison

if TYPE_CHECKING:
    import os

    from ..._engine.values.codec import Row
    from ...resources.projects import Project
    from ..engine.context import MigrationContext
    from ..engine.journal import Journal
    from ..engine.source import Source

_LATE: Final = ("model_version",)
"""Settings that may name an ML backend."""

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
    """Carry over to a copy what was created, changed or deleted in the source since the last time:
    tasks, annotations, predictions, drafts, settings; views with their order, webhooks, storages
    and ML backends, of these what the copy was of.

    ``journal``: that of the copy; it has for each object what both sides held. ``pair``: begin one
    for a project that was copied without; tasks are paired by their content, so that one which
    differs is taken for a new one, and views, webhooks, storages and ML backends are left alone.
    What changed is found by content, since dates miss much of it, and both sides are read as a
    whole.

    What was changed in the target is left alone, and is among the report's ``differences``, whose
    ``why`` says it. ``conflicts``: what becomes of an object (a task's data, one annotation, a
    view) that was changed on both sides: ``"report"`` leaves it and lists it, each time;
    ``"source"`` takes the source's; ``"target"`` keeps the target's and does not mention it again.
    An object that one side changed and the other one deleted is a conflict too.

    ``files``: bring the uploaded files that are new. One that is gone in the source stays in the
    target, where tasks may still speak of it, and since a server lists to nobody what others have
    uploaded.

    ``secrets``: as for ``copy_project``, asked for what is new. Without it storages other than
    those of local files, and ML backends with a password, are not made but told of. That a key was
    changed nobody can see; only the headers of webhooks, of which the journal has a slow digest.

    A webhook that comes is made last and one that goes is deleted first, so that neither is told of
    the rest. What the server does not let change in a view is made anew, with another id.

    The report's ``counts`` are of what was carried over; what no server takes (data that is no
    object, a result that is no list of regions, which other programs have left in the source) is
    among their failures, by task, each time. ``missing_users`` and ``progress`` are as
    for ``copy_project``. It may be killed and run again; a further run writes nothing.

    Raises FileNotFoundError where there is no journal, ValueError for an empty one and for that of
    a copy which is not finished, JournalMismatch for a journal of another one, and what
    ``copy_project`` raises.

    >>> copy = copy_project(project, to=other, journal="r.db", missing_users="create").target
    >>> task.annotations.create(result=[])
    >>> sync(project, copy, journal="r.db").counts["annotations"].created
    1
    """
    if conflicts not in ("report", "source", "target"):
        raise ValueError(f'conflicts is "report", "source" or "target", not {conflicts!r:.80}')
    client = labelstudio_of(target)
    here = as_source(source)
    facts = here.describe()
    with open_journal(journal, client, is_new=pair) as notes:
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
        context = begin(
            here,
            client,
            notes,
            facts,
            title=copied.get("title"),
            missing_users=missing_users,
            files="files" in parts,
            keep_origin=copied.get("keep_origin", False),
            again=True,
        )
        return _Sync(
            context,
            parts=parts,
            secrets=secrets or no_secrets,
            conflicts=conflicts,
            progress=progress,
        ).run()


class _Sync:
    def __init__(
        self,
        context: MigrationContext,
        *,
        parts: frozenset[str],
        secrets: Secrets,
        conflicts: Conflicts,
        progress: Progress,
    ) -> None:
        self.context, self.journal, self.conflicts = context, context.journal, conflicts
        self.tasks = context.tasks
        self.bases = context.journal.map("bases")
        self.importer, self.fixups = Importer(context), Fixups(context)
        self.found = Differences()
        self.settings = Settings(context)
        self.related = RelatedSync(Related(context, parts, secrets), conflicts, self.found)
        self.with_files = "files" in parts
        self.touched: list[int] = []
        self._progress = reporter(progress, f"synchronising {name_of(context.facts)}")

    @ends_line("_progress")
    def run(self) -> Report:
        self.context.media.resolve()
        self.importer.resolve()
        self.settings.overlaps.resolve()
        self._unpark()
        if not len(self.tasks):
            self._pair()
        self.related.disable_listeners()
        if self.with_files:
            self.context.media.bring_all()  # also those that no task speaks of
        self.settings.carry(_EARLY, self.conflicts, self.found)
        self._changed()
        ids = set(self.context.source.task_ids())
        self._created(ids)
        self._deleted(ids)
        self.related.apply(listeners=False)
        self.settings.carry(_LATE, self.conflicts, self.found)
        self.related.apply(listeners=True)
        if self.with_files:
            self._files()
        self._unmatched()
        if not self.context.client.is_dry:
            self._check()
        return Report(
            what=f"sync of {name_of(self.context.facts)} to {self.context.project!r}",
            counts={
                kind: tally.summary()
                for kind, tally in self.context.tallies.items()
                if kind not in ("project",)
            },
            differences=tuple(self.found.listed),
            different=self.found.number,
            losses=losses(
                {name: len(ids) for name, ids in self.context.lost.items()},
                self.context.lost,
                kept=self.context.keep_origin,
            ),
            target=self.context.project,
        )

    def _pair(self) -> None:
        """Without a copy: which task stands for which."""
        comparison = Comparison(self.context.source, self.context.there, None)
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
            there = (
                {row["id"]: row for row in self.context.there.some_tasks(wanted)} if wanted else {}
            )
            for row in known:
                new = self.tasks.get(row["id"])
                here = self.context.translation.task(row)
                if new in there:
                    self._task(here, there[new])
                else:
                    self._gone_there(here, new)
            done += len(chunk)
            self._progress(done, self.context.facts["tasks"])

    def _gone_there(self, here: Row, new: int) -> None:
        """A task that the target has no more."""
        if self.conflicts == "source" and self._has_changed(here):
            self.tasks.remove(here["id"])  # and it is created anew
        else:
            self.found.add(Difference("tasks", here["id"], new, why="deleted in the target"))

    def _has_changed(self, here: Row) -> bool:
        text = self.bases.get(here["id"])
        if text is None:
            copied = self.journal.map("contents").get(here["id"])
            return copied is not None and copied != imported(here)
        return any(
            change.by != "target" for change in Base.parse(text).changes(here, _nothing(here))
        )

    def _base(self, here: Row, there: Row) -> Base:
        """What both sides were; without a note of that, as far as the copy tells."""
        text = self.bases.get(here["id"])
        if text is not None:
            return Base.parse(text)
        copied = self.journal.map("contents").get(here["id"])
        if copied == imported(here):
            return Base.of(here, there, was="source")
        return Base.of(here, there, was="target" if copied == imported(there) else None)

    def _task(self, here: Row, there: Row) -> None:
        base = self._base(here, there)
        wanted: list[Change] = []
        changes = list(base.changes(here, there))
        for change in without_side_effects(changes, here, there, base, self.conflicts):
            what = change.under(self.conflicts)
            if what == "report":
                self._tell(change, here, there)
            elif what == "keep":
                base.resolve(change)
            else:
                wanted.append(change)
                base.expect(change)
        self.bases.put({here["id"]: str(base)})
        if not wanted:
            return
        fields = [change for change in wanted if change.field]
        if fields:
            with self._unless_refused(base, fields, here):
                self._save(here, there, {change.field: change for change in fields})
                for change in fields:
                    base.applied(change)
        for change in wanted:
            if not change.field:
                with self._unless_refused(base, [change], here):
                    self._carry(base, change, here, there)
        self.bases.put({here["id"]: str(base)})

    @contextmanager
    def _unless_refused(self, base: Base, changes: list[Change], here: Row) -> Iterator[None]:
        """Note what no server takes, which other programs have left in a task, as failed, and let
        the rest go on. It is tried again the next time.
        """
        try:
            yield
        except Exception as error:
            if not odd.is_refused(error):
                raise
            for change in changes:
                base.refused(change)
            kind, what = changes[0].kind, f"task {here['id']}"
            if not changes[0].field:
                row = changes[0].here or changes[0].there
                what = f"{kind.removesuffix('s')} {row['id']} of {what}"
            self.context.give_up(kind, what, error)

    def _tell(self, change: Change, here: Row, there: Row) -> None:
        sides = (here, there) if change.field else (change.here, change.there)
        source, target = (None if row is None else row["id"] for row in sides)
        self.found.add(change.as_difference(source, target))

    def _save(self, here: Row, there: Row, fields: dict[str, Change]) -> None:
        body = {name: here[name] for name in fields}
        if (problem := odd_data(here)) is not None and "data" in body:
            raise ValueError(problem)  # a server stores it, and cannot list its tasks any more
        metas = (body.get("meta"), there["meta"])
        if all(isinstance(one, dict) for one in metas) and ORIGIN in there["meta"]:
            body["meta"] = {**body["meta"], ORIGIN: there["meta"][ORIGIN]}
        # An object of the library would refuse what other programs have written: a list as meta.
        self.context.client.request(
            "PATCH",
            at("/api/tasks/{}/", there["id"]),
            json=body,
            idempotent=True,
            doing=f"carrying over Task {here['id']} to Task {there['id']}",
        )
        self.context.tallies["tasks"].updated += 1
        self.touched.append(here["id"])

    def _carry(self, base: Base, change: Change, here: Row, there: Row) -> None:
        """Make, change or delete an object of a task in the target."""
        tally, objects = self.context.tallies[change.kind], self._objects(change.kind, there["id"])
        self.touched.append(here["id"])
        if change.here is None:
            odd.delete(objects.ref(change.there["id"]))
            base.applied(change)
            tally.deleted += 1
            return
        fields = self._fields(change.kind, change.here, there)
        if change.there is None:
            self._create(base, change, fields, here, there)
            self._note_losses(change.kind, change.here)
            tally.created += 1
            return
        content_of = CONTENTS[change.kind]
        ours, theirs = content_of(change.here), content_of(change.there)
        changed = {
            name: value
            for name, value in fields.items()
            if name in ours and digest(ours[name]) != digest(theirs[name])
        }
        new = change.there["id"]
        is_annotation = change.kind == "annotations"
        with self._parked(there["id"], new) if is_annotation else nullcontext():
            odd.change(self.context.client, change.kind, new, changed, task=there["id"])
        base.applied(change)
        tally.updated += 1

    @contextmanager
    def _parked(self, task: int, annotation: int) -> Iterator[None]:
        """The server deletes the drafts of an annotation that is saved."""
        self.journal.intent("parked", task)
        with keeping_drafts(self.context.client, task, annotation):
            yield
        self.journal.resolve("parked")

    def _unpark(self) -> None:
        """Give back the drafts that a run which died had taken off their annotation."""
        task = self.journal.open_intents().get("parked")
        if task is not None:
            for draft in self.context.client.drafts.filter(task=task):
                unpark(draft)
            self.journal.resolve("parked")

    def _note_losses(self, kind: str, row: Row) -> None:
        lost = lost_of(kind, row, self.context.users.me.email)
        self.context.lose({f"{kind}.{name}": [row["id"]] for name in lost})

    def _create(self, base: Base, change: Change, fields: Row, here: Row, there: Row) -> None:
        """Make an object of a task; an annotation with an odd region first without regions, which
        is noted, so that a further run goes on with it.
        """
        odd.check_storable(change.kind, fields["result"])
        if change.kind != "annotations" or not odd.is_odd(fields["result"]):
            base.applied(change, self._make(change, fields, there))
            return
        blank = attrs.evolve(change, here={**change.here, "result": []})
        base.expect(blank)
        self.bases.put({here["id"]: str(base)})
        new = self._make(blank, {**fields, "result": []}, there)
        base.applied(blank, new)
        base.expect(change)
        self.bases.put({here["id"]: str(base)})
        try:
            odd.fill(self.context.client, new, fields["result"])
        except Exception as error:
            if odd.is_refused(error):  # and it is gone again
                base.applied(attrs.evolve(change, here=None, there={"id": new}))
            raise
        base.applied(attrs.evolve(change, there={**change.here, "id": new}))

    def _make(self, change: Change, fields: Row, there: Row) -> int:
        """A new object of a task; one whose answer is lost is looked for."""
        kind, content_of = change.kind, CONTENTS[change.kind]
        wanted = digest(content_of(change.here))
        known = {one["id"] for one in there[kind]}

        def look() -> int | None:
            for task in self.context.there.some_tasks([there["id"]]):
                for one in task[kind]:
                    if one["id"] not in known and digest(content_of(one)) == wanted:
                        return int(one["id"])
            return None

        def make() -> int:
            return odd.create(self.context.client, kind, there["id"], fields)

        made = exactly_once(look, make, self.context.client, is_new=True)
        there[kind].append({**change.here, "id": made, "import_id": change.here["id"]})
        return made

    def _objects(self, kind: str, task: int) -> Any:
        if kind == "drafts":
            return self.context.client.drafts.filter(task=task)
        return getattr(self.context.project.tasks.ref(task), kind)

    def _fields(self, kind: str, row: Row, there: Row) -> Row:
        """What an object is made of, in the words of the library."""
        result = row["result"] or []
        if kind == "predictions":
            found = {name: row[name] for name in ("score", "model_version")}
            return {"result": result, **{k: v for k, v in found.items() if v is not None}}
        if kind == "drafts":
            annotations = {one["import_id"]: one["id"] for one in there["annotations"]}
            return {
                "result": result,
                "lead_time": row["lead_time"],
                "was_postponed": bool(row["was_postponed"]),
                "annotation": annotations.get(row["annotation"]),
                "import_id": row["id"],
            }
        return {
            "result": result,
            "completed_by": self.context.users.id_there(row["completed_by"]),
            "was_cancelled": bool(row["was_cancelled"]),
            "ground_truth": bool(row["ground_truth"]),
            "lead_time": row["lead_time"],
            "import_id": row["id"],
        }

    # -- tasks that one side has -------------------------------------------------------------------

    def _created(self, ids: set[int]) -> None:
        """Those that are new in the source."""
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
        self.fixups.run()
        for some in chunked(new, CHUNK):
            self._note(some)
        before = self.journal.get("imports after")
        if before is not None and not self.context.client.is_dry:
            self.context.wait_for_late_writes(lambda: next(self.importer.unmatched(), None))
            self.importer.remove_duplicates(after=before)
            self.journal.set("imports after", None)

    def _note(self, ids: list[int]) -> None:
        """Take note of what the target has made of new tasks."""
        if self.context.client.is_dry:
            return
        made = [self.tasks.get(id) for id in ids if self.tasks.has(id)]
        for row in self.context.there.some_tasks(made):
            old = self.tasks.old(row["id"])
            base = Base.parse(self.bases.get(old))
            base.found(row)
            self.bases.put({old: str(base)})

    def _deleted(self, ids: set[int]) -> None:
        """Those that the source has no more."""
        gone = {new: old for old, new in self.tasks.items() if old not in ids}
        doomed: list[int] = []
        settled = self.journal.map("kept")
        kept = {new for new in gone if settled.has(new)}
        for some in chunked((new for new in gone if new not in kept), CHUNK):
            for row in self.context.there.some_tasks(some):
                old = gone[row["id"]]
                if self.conflicts == "source" or not self._changed_there(old, row):
                    doomed.append(row["id"])
                    continue
                kept.add(row["id"])
                if self.conflicts == "target":
                    settled.put({row["id"]: 1})
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

    def _changed_there(self, old: int, there: Row) -> bool:
        text = self.bases.get(old)
        if text is None:
            return bool(self.journal.map("contents").get(old) != imported(there))
        return any(
            change.by != "source" for change in Base.parse(text).changes(_nothing(there), there)
        )

    def _files(self) -> None:
        """Those that came twice go; what was brought."""
        media, tally = self.context.media, self.context.tallies["files"]
        media.remove_duplicates(late=True)
        tally.created, tally.failed = media.created, list(media.failed.values())

    def _unmatched(self) -> None:
        """Those that only the target has."""
        if not self.context.client.is_dry:
            for id in self.importer.unmatched():
                self.found.add(Difference("tasks", None, id, why="created in the target"))

    # -- what was done -----------------------------------------------------------------------------

    def _check(self) -> None:
        """What was carried over is now what the source has."""
        comparison = Comparison(self.context.source, self.context.there, self.journal)
        known = {(one.kind, one.source, one.target) for one in self.found.listed}
        for some in chunked(iter(sorted(set(self.touched))), CHUNK):
            comparison.compare(self.context.source.some_tasks(some), self.tasks)
        for one in comparison.found.listed:
            if (one.kind, one.source, one.target) not in known:
                self.found.add(one)


def _nothing(row: Row) -> Row:
    """A task without anything, in the place of one that is gone."""
    gone = {"data": None, "meta": {"": None}, "overlap": None}
    return {**row, **gone, **{kind: [] for kind in CONTENTS}}
