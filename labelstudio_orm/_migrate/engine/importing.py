"""Imports tasks into a project, exactly once, and completes them.

A batch is an intent in the journal before it is sent, and is looked for by its content if its
answer was lost.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, NamedTuple

from ..._engine.bulk import BATCH_BYTES
from ..._engine.bulk.batches import batches
from ..._engine.http.connection import has
from ..._engine.http.releases import UNSKIPPABLE
from ..._engine.pages.parallel import FutureValue
from ..._engine.pages.sources import chunked
from ...resources._tasks.creation import create_from_server
from . import fingerprints as content
from . import task_objects
from .diff3 import Base, Change
from .exactly_once import exactly_once, record_duration, wait_for
from .fingerprints import CONTENTS, ORIGIN, digest
from .losses import is_importable, lost_of_task, origin
from .source import CHUNK
from .task_objects import import_form, import_problem
from .writing import Writer

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from .context import MigrationContext

BATCH = 1000
"""Tasks of one request, at most."""


class Sent(NamedTuple):
    """A task as the source has it and as it is sent, and what both sides hold then.

    ``mark`` is the digest of what an import stores of it.
    """

    row: Row
    form: Row
    base: str
    mark: str


class Sending(NamedTuple):
    """An import that is under way: its intent in the journal, its outcome, and how to repeat it.

    The outcome is the ids of the tasks, and the seconds that they took.
    """

    intent: Row
    outcome: FutureValue[tuple[list[int], float]]
    again: Callable[[], tuple[list[int], float]]


def _size(task: Sent) -> int:
    return len(json.dumps(task.form))


class Importer:
    """Imports the tasks of a migration, and adds what an import does not take."""

    def __init__(self, context: MigrationContext) -> None:
        self.context, self.journal, self.tasks = context, context.journal, context.tasks
        self.contents = context.journal.map("contents")
        self.incomplete = context.journal.map("mends")
        """Tasks that an import leaves incomplete: 0 until they are completed, then 1."""
        self.bases, self.writer = context.journal.map("bases"), Writer(context)
        self.unskippable = context.source.unskippable()
        self.keeps_skipping = not self.unskippable or has(context.client, UNSKIPPABLE)
        self.trimmed: set[int] = set()
        """Ids of tasks of which something is left out, as no import takes it."""
        self._under_way: Sending | None = None
        context.media.before_upload = self._wait

    def run(self, rows: Iterable[Row], report: Callable[[int], object]) -> None:
        """Import tasks as a source has them; call ``report`` with the number of those done.

        The next batch is read and made ready while one is under way.
        """
        done = 0
        found = self._importable(rows)
        try:
            for batch in batches(found, number=BATCH, size=BATCH_BYTES, size_of=_size):
                if (number := self._finish()) > 0:
                    report(done := done + number)
                self._under_way = self._begin(batch)
        except Exception:
            self._finish()  # no further batch can be had, but this one may be stored
            raise
        if (number := self._finish()) > 0:
            report(done + number)

    def _importable(self, rows: Iterable[Row]) -> Iterator[Sent]:
        """Yield the tasks as they are sent, without those that no import takes."""
        for some in chunked(rows, BATCH):
            for row in self.context.media.ahead(some):
                if (problem := import_problem(row)) is None:
                    yield self._sent(row)
                else:
                    self.context.give_up("tasks", f"task {row['id']}", ValueError(problem))

    def _sent(self, row: Row) -> Sent:
        there = self.context.translation.task(row)
        for kind in ("annotations", "predictions"):
            taken = [one for one in there[kind] if is_importable(kind, one["result"])]
            if len(taken) < len(there[kind]):
                self.trimmed.add(row["id"])
                there[kind] = taken
        base = Base.sent(there, self.context.project.maximum_annotations)
        if self.context.keep_origin and isinstance(there["meta"], dict):
            there["meta"] = {**there["meta"], ORIGIN: origin(row, self.context.facts)}
        may_skip = row["id"] not in self.unskippable
        form = import_form(there, allow_skip=may_skip or not self.keeps_skipping)
        return Sent(row, form, str(base), imported(form))

    def _begin(self, batch: list[Sent]) -> Sending:
        """Begin to import one batch in one request, which the journal has as an intent first."""
        me = self.context.users.me.email
        place = len(self.tasks) + 1
        lost: defaultdict[str, list[Any]] = defaultdict(list)
        counts: Counter[str] = Counter(tasks=len(batch))
        for number, one in enumerate(batch):
            for name, ids in lost_of_task(one.row, place + number, me).items():
                lost[name] += ids
            if one.row["id"] in self.unskippable and not self.keeps_skipping:
                lost["tasks.allow_skip"].append(one.row["id"])
            counts.update({kind: len(one.form[kind]) for kind in ("annotations", "predictions")})
        intent = {
            "highest": self.tasks.highest() or 0,
            "old": [one.row["id"] for one in batch],
            "digests": [one.mark for one in batch],
            "bases": [one.base for one in batch],
            "mend": [one.row["id"] for one in batch if self._is_left_incomplete(one.row)],
            "losses": lost,
            "counts": counts,
        }
        forms = [one.form for one in batch]
        tasks = self.context.project.tasks

        def make() -> tuple[list[int], float]:
            started = time.monotonic()
            made = create_from_server(tasks, forms, batch_size=len(forms), batch_bytes=1 << 60)
            return [task.id for task in made], time.monotonic() - started

        self.journal.intent("tasks", intent)
        return Sending(intent, FutureValue(make), make)

    def _wait(self) -> None:
        """Wait for the import under way: on SQLite, two writes at once spoil each other."""
        if self._under_way is not None:
            self._under_way.outcome.join()

    def _finish(self) -> int:
        """Record the import under way, once it is done; return the number of its tasks.

        Only the thread of the caller uses the journal.
        """
        sending, self._under_way = self._under_way, None
        if sending is None:
            return 0
        tries = chain([sending.outcome.result], repeat(sending.again))

        def make() -> list[int]:
            ids, seconds = next(tries)()
            record_duration(self.journal, seconds)
            return ids

        intent = sending.intent
        look = self._looking(intent)
        self._record(intent, exactly_once(look, make, self.context.client, is_new=True))
        for kind, number in intent["counts"].items():
            self.context.tallies[kind].created += number
        return len(intent["old"])

    def _is_left_incomplete(self, row: Row) -> bool:
        usual = self.context.project.maximum_annotations
        return bool(row.get("drafts")) or row.get("overlap", 1) != usual

    def _record(self, intent: Row, ids: list[int]) -> None:
        with self.journal.transaction():
            self.tasks.put(dict(zip(intent["old"], ids, strict=True)))
            self.contents.put(dict(zip(intent["old"], intent["digests"], strict=True)))
            self.bases.put(dict(zip(intent["old"], intent.get("bases", ()), strict=False)))
            self.incomplete.put(dict.fromkeys(intent["mend"], 0))
            self.context.lose(intent["losses"])
            self.context.add("counts", intent["counts"])
            self.journal.resolve("tasks")

    def save_bases(self, targets: Iterable[Row]) -> None:
        """Write into the journal what both sides hold, so that a sync sees which has changed it.

        Only this migration has written to these tasks of the target so far.
        """
        found = {}
        for row in targets:
            old = self.tasks.old(row["id"])
            base = Base.parse(self.bases.get(old))
            base.found(row)
            found[old] = str(base)
        self.bases.put(found)

    # -- what an import does not take -------------------------------------------------------------

    def complete(self, *, again: bool = False) -> int:
        """Add to imported tasks what an import does not take: their drafts, and their overlap.

        Returns the number of duplicate drafts. ``again``: look at all tasks that were incomplete,
        and delete these duplicates.
        """
        removed = 0
        pending = (old for old, done in self.incomplete.items() if again or not done)
        for chunk in chunked(pending, CHUNK):
            ids = [self.tasks.get(old) for old in chunk]
            targets = {row["id"]: row for row in self._targets(ids)}
            counts = Counter[str]()
            for row in self.context.source.some_tasks(chunk):
                other = targets.get(self.tasks.get(row["id"]))
                if other is not None:
                    counts["drafts"] += len(row["drafts"])
                    removed += self._complete(row, other, again=again)
            with self.journal.transaction():
                self.incomplete.put(dict.fromkeys(chunk, 1))
                if not again:
                    self.context.add("counts", counts)
        return removed

    def mark_all_incomplete(self) -> None:
        """Mark all tasks as incomplete, also completed ones, so that their overlap is set again."""
        for some in chunked(self.tasks.items(), CHUNK):
            self.incomplete.put({old: 0 for old, _ in some})

    def _targets(self, ids: list[int]) -> Iterator[Row]:
        """Yield tasks of the target.

        Of tasks that a dry run pretends to have made, it yields what an import makes.
        """
        made = [id for id in ids if id > 0]
        if made:
            yield from self.context.target.some_tasks(made)
        overlap = self.context.project.maximum_annotations
        for id in set(ids).difference(made):
            yield {"id": id, "overlap": overlap, "annotations": [], "drafts": []}

    def _complete(self, row: Row, other: Row, *, again: bool) -> int:
        text = self.bases.get(row["id"])
        base = Base() if text is None else Base.parse(text)
        removed = self._drafts(self.context.translation.task(row), other, base)
        if not again:
            self._overlap(row, other, base)
        self._save(row, base)
        return removed

    def _save(self, row: Row, base: Base) -> None:
        if self.bases.has(row["id"]):
            self.bases.put({row["id"]: str(base)})

    def _overlap(self, row: Row, other: Row, base: Base) -> None:
        sides = row["overlap"], other["overlap"]
        change = Change(base.fields, *sides, "source", field="overlap")
        if change.source != change.target:
            change.part.expect(change)
            self._save(row, base)
            task = self.context.project.tasks.ref(other["id"])
            task.overlap = row["overlap"]
            task.save()
        change.part.applied(change)

    def _drafts(self, row: Row, other: Row, base: Base) -> int:
        """Create the drafts that are missing, and delete duplicates; return the number of these."""
        me, content_of = self.context.users.me.email, CONTENTS["drafts"]
        mine = [one for one in other["drafts"] if one["user"] == me]
        wanted = {digest(content_of(one)) for one in row["drafts"]}
        removed = 0
        for change in list(base.objects["drafts"].changes(row["drafts"], mine)):
            if change.target is None and change.by == "source":
                change.part.expect(change)
                self._save(row, base)
                with self.writer.unless_refused([change], row["id"]):
                    self.writer.create(base, change, row, other)
                    self.context.tallies["drafts"].created += 1
            elif change.old is None and digest(content_of(change.target)) in wanted:
                task_objects.delete(self.context.client.drafts.ref(change.new))
                removed += 1
        return removed

    # -- the outcome of a batch -------------------------------------------------------------------

    def resolve(self) -> None:
        """Find out whether the batch that was under way when the process ended is stored."""
        intent = self.journal.open_intents().get("tasks")
        if intent is None:
            return
        ids = self._looking(intent)()
        if ids is not None:
            self._record(intent, ids)
        self.journal.resolve("tasks")

    def _looking(self, intent: Row) -> Callable[[], list[int] | None]:
        client, journal = self.context.client, self.journal
        return lambda: wait_for(client, journal, lambda: self._find_batch(intent))

    def _find_batch(self, intent: Row) -> list[int] | None:
        """Return the ids of a batch that was stored, else None.

        It is stored as a whole, so its ids are consecutive among those of unmatched tasks. The
        import itself looks for a batch whose answer was lost (``Import._find_stored``), by data and
        meta among newer tasks. This is for what that leaves open: a process that was killed, and a
        batch that arrived later, which the whole content and the journal distinguish from others.
        """
        rows = self.context.target.tasks(after=intent["highest"])
        found = [(row["id"], imported(row)) for row in rows if self.tasks.old(row["id"]) is None]
        wanted = intent["digests"]
        for start in range(len(found) - len(wanted) + 1):
            run = found[start : start + len(wanted)]
            if [one for _, one in run] == wanted:
                return [id for id, _ in run]
        return None

    # -- duplicates --------------------------------------------------------------------------------

    def are_too_many(self) -> bool:
        """Return whether the target has more tasks than were copied. One request."""
        return self.context.target.count() > len(self.tasks)

    def unmatched(self) -> Iterator[int]:
        """Yield the ids of the tasks in the target that are not copies."""
        return (id for id in self.context.target.task_ids() if self.tasks.old(id) is None)

    def recognise(self, ids: Iterable[int]) -> None:
        """Find tasks of the source that the target has already, by their content.

        The journal may not have them: it may be an older copy of itself.
        """
        unmatched: dict[str, list[Row]] = {}
        for chunk in chunked(self.unmatched(), CHUNK):
            for row in self.context.target.some_tasks(chunk):
                unmatched.setdefault(imported(row), []).append(row)
        if not unmatched:
            return
        for row in self.context.source.some_tasks(ids):
            sent = self._sent(row)
            if unmatched.get(sent.mark):
                there, base = unmatched[sent.mark].pop(0), Base.parse(sent.base)
                base.found(there)
                old = [row["id"]]
                facts = {"old": old, "digests": [sent.mark], "bases": [str(base)], "mend": old}
                self._record({**facts, "losses": {}, "counts": {}}, [there["id"]])

    def remove_duplicates(self, after: int = 0) -> int:
        """Delete unmatched tasks with the content of a copy; return their number.

        ``after``: only those with higher ids.
        """
        duplicates = [
            row["id"]
            for chunk in chunked((id for id in self.unmatched() if id > after), CHUNK)
            for row in self.context.target.some_tasks(chunk)
            if self.contents.old(imported(row)) is not None
        ]
        if duplicates:
            self.context.project.tasks.filter(id__in=duplicates).delete()
        return len(duplicates)


def imported(row: Row) -> str:
    """Return a digest of what an import stores of a task, the same of the form and of the row."""
    found = content.task_content({**row, "drafts": ()})
    return digest({**found, "overlap": None})
