"""Tasks into a project, exactly once: a batch is an intent before it is sent, and is looked for by
its content where its answer was lost.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from ..bulk.creation import create_known
from ..paging.pages import chunked
from . import content
from .again import exactly_once
from .content import ORIGIN, digest
from .losses import is_regions, lost_of_task, origin
from .verifying import CHUNK

if TYPE_CHECKING:
    from collections.abc import Callable

    from .job import Job
    from .source import Row

BATCH = 1000
"""Tasks of one request, at most."""

BATCH_BYTES: Final = 8_000_000
"""Bytes of it, about."""


class Importer:
    """The tasks of a job."""

    def __init__(self, job: Job) -> None:
        self.job, self.journal, self.tasks = job, job.journal, job.tasks
        self.contents = job.journal.map("contents")
        self.mends = job.journal.map("mends")
        self.unskippable = job.source.unskippable()

    def run(self, rows: Iterable[Row], report: Callable[[int], object]) -> None:
        """Import the tasks, as a source gives them; ``report`` is told how many are done."""
        done = 0
        for batch in self._batches(rows):
            self._import(batch)
            done += len(batch)
            report(done)

    def _batches(self, rows: Iterable[Row]) -> Iterator[list[tuple[Row, Row]]]:
        """The tasks as they are and as they are sent."""
        batch: list[tuple[Row, Row]] = []
        held = 0
        for row in rows:
            form = self._form(row)
            size = len(json.dumps(form))
            if batch and (len(batch) >= BATCH or held + size > BATCH_BYTES):
                yield batch
                batch, held = [], 0
            batch.append((row, form))
            held += size
        if batch:
            yield batch

    def _form(self, row: Row) -> Row:
        there = self.job.translation.task(row)
        meta = dict(there["meta"])
        if self.job.keep_origin:
            meta[ORIGIN] = origin(row, self.job.facts)
        form = {"data": there["data"], "meta": meta}
        form["annotations"] = [
            {**_of(one, content.ANNOTATION), "result": one["result"] or [], "id": one["id"]}
            for one in there["annotations"]
            if is_regions(one["result"])
        ]
        form["predictions"] = [
            {**_of(one, content.PREDICTION), "result": one["result"] or []}
            for one in there["predictions"]
            if is_regions(one["result"])
        ]
        if row["id"] in self.unskippable:
            form["allow_skip"] = False
        return form

    def _import(self, batch: list[tuple[Row, Row]]) -> None:
        """One batch in one request, and a note of it."""
        me = self.job.people.me.email
        place = len(self.tasks) + 1
        lost: Counter[str] = Counter()
        counts: Counter[str] = Counter(tasks=len(batch))
        for number, (row, form) in enumerate(batch):
            lost += lost_of_task(row, place + number, me)
            counts.update({kind: len(form[kind]) for kind in ("annotations", "predictions")})
        intent = {
            "highest": self.tasks.highest() or 0,
            "old": [row["id"] for row, _ in batch],
            "digests": [imported(form) for _, form in batch],
            "mend": [row["id"] for row, _ in batch if self._needs_mending(row)],
            "losses": lost,
            "counts": counts,
        }
        forms = [form for _, form in batch]

        def make() -> list[int]:
            started = time.monotonic()
            tasks = self.job.project.tasks
            made = create_known(tasks, forms, batch_size=len(forms), batch_bytes=1 << 60)
            self.job.took(time.monotonic() - started)
            return [task.id for task in made]

        self.journal.intent("tasks", intent)
        look = self._looking(intent)
        self._note(intent, exactly_once(look, make, self.job.client, is_new=True))
        for kind, number in counts.items():
            self.job.tallies[kind].created += number

    def _needs_mending(self, row: Row) -> bool:
        usual = self.job.project.maximum_annotations
        return bool(row.get("drafts")) or row.get("overlap", 1) != usual

    def _note(self, intent: Row, ids: list[int]) -> None:
        with self.journal.at_once():
            self.tasks.put(dict(zip(intent["old"], ids, strict=True)))
            self.contents.put(dict(zip(intent["old"], intent["digests"], strict=True)))
            self.mends.put(dict.fromkeys(intent["mend"], 0))
            self.job.add("losses", intent["losses"])
            self.job.add("counts", intent["counts"])
            self.journal.settle("tasks")

    # -- what became of a batch -------------------------------------------------------------------

    def settle(self) -> None:
        """Find out what became of the batch that was under way when the process ended."""
        intent = self.journal.open_intents().get("tasks")
        if intent is None:
            return
        ids = self._looking(intent)()
        if ids is not None:
            self._note(intent, ids)
        self.journal.settle("tasks")

    def _looking(self, intent: Row) -> Callable[[], list[int] | None]:
        return lambda: self.job.wait_for(lambda: self._landed(intent))

    def _landed(self, intent: Row) -> list[int] | None:
        """The ids of a batch that is there: in one run of rising ids, since it is stored as a
        whole.
        """
        rows = self.job.there.tasks(after=intent["highest"])
        found = [(row["id"], imported(row)) for row in rows if self.tasks.old(row["id"]) is None]
        wanted = intent["digests"]
        for start in range(len(found) - len(wanted) + 1):
            run = found[start : start + len(wanted)]
            if [one for _, one in run] == wanted:
                return [id for id, _ in run]
        return None

    # -- doubles ----------------------------------------------------------------------------------

    def are_too_many(self) -> bool:
        """Has a target in which nobody works more tasks than were copied? One request."""
        return self.job.there.count() > len(self.tasks)

    def strangers(self) -> Iterator[int]:
        """The tasks in the target that are no copy of any."""
        return (id for id in self.job.there.task_ids() if self.tasks.old(id) is None)

    def remove_doubles(self, after: int = 0) -> int:
        """Delete those that hold the same as a copy; how many they were. ``after``: only those
        with higher ids.
        """
        doubles = [
            row["id"]
            for chunk in chunked((id for id in self.strangers() if id > after), CHUNK)
            for row in self.job.there.some_tasks(chunk)
            if self.contents.old(imported(row)) is not None
        ]
        if doubles:
            self.job.project.tasks.filter(id__in=doubles).delete()
        return len(doubles)


def imported(row: Row) -> str:
    """What an import stores of a task: the same of what is sent and of what is there."""
    found = content.task_content({**row, "drafts": ()})
    return digest({**found, "overlap": None})


def _of(row: Row, names: Iterable[str]) -> dict[str, Any]:
    return {name: row.get(name) for name in names}
