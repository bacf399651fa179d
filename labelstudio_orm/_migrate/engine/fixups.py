"""Adds to imported tasks what an import does not take: their drafts, and their overlap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..._engine.pages.sources import chunked
from . import task_objects
from .diff3 import Base, Change
from .fingerprints import CONTENTS, digest
from .source import CHUNK
from .writing import Writer

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from .context import MigrationContext


class Fixups:
    """The tasks of a migration that need more than their import."""

    def __init__(self, context: MigrationContext) -> None:
        self.context = context
        self.incomplete = context.journal.map("mends")
        """As in ``Importer``."""
        self.bases, self.writer = context.journal.map("bases"), Writer(context)

    def run(self, *, again: bool = False) -> int:
        """Complete the tasks that are not complete yet; return the number of duplicate drafts.

        ``again``: look at all of them, and delete these duplicates.
        """
        removed = 0
        pending = (old for old, done in self.incomplete.items() if again or not done)
        for chunk in chunked(pending, CHUNK):
            ids = [self.context.tasks.get(old) for old in chunk]
            targets = {row["id"]: row for row in self._targets(ids)}
            counts = Counter[str]()
            for row in self.context.source.some_tasks(chunk):
                other = targets.get(self.context.tasks.get(row["id"]))
                if other is not None:
                    counts["drafts"] += len(row["drafts"])
                    removed += self._complete(row, other, again=again)
            with self.context.journal.transaction():
                self.incomplete.put(dict.fromkeys(chunk, 1))
                if not again:
                    self.context.add("counts", counts)
        return removed

    def mark_all_incomplete(self) -> None:
        """Mark all tasks as incomplete, also completed ones, so that their overlap is set again."""
        for some in chunked(self.context.tasks.items(), CHUNK):
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
