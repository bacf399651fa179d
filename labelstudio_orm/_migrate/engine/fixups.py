"""What an import does not take of a task: its drafts, and how often it is to be labelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from ..._engine.pages.sources import chunked
from ...errors import DoesNotExist
from . import fingerprints as content
from . import odd
from .diff3 import Base, Change
from .exactly_once import exactly_once
from .fingerprints import digest
from .source import CHUNK

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from .context import MigrationContext


class Fixups:
    """The tasks of a job that need more than their import."""

    def __init__(self, context: MigrationContext) -> None:
        self.context, self.mends = context, context.journal.map("mends")
        self.bases = context.journal.map("bases")

    def run(self, *, again: bool = False) -> int:
        """Mend what is not mended yet; ``again``: look for drafts that are there twice, too. How
        many of those there were.
        """
        removed = 0
        waiting = (old for old, done in self.mends.items() if again or not done)
        for chunk in chunked(waiting, CHUNK):
            ids = [self.context.tasks.get(old) for old in chunk]
            there = {row["id"]: row for row in self._there(ids)}
            counts = Counter[str]()
            for row in self.context.source.some_tasks(chunk):
                other = there.get(self.context.tasks.get(row["id"]))
                if other is not None:
                    counts["drafts"] += len(row["drafts"])
                    removed += self._mend(row, other, again=again)
            with self.context.journal.transaction():
                self.mends.put(dict.fromkeys(chunk, 1))
                if not again:
                    self.context.add("counts", counts)
        return removed

    def look_at_all(self) -> None:
        """Mend tasks that were mended, or needed nothing, again."""
        for some in chunked(self.context.tasks.items(), CHUNK):
            self.mends.put({old: 0 for old, _ in some})

    def _mend(self, row: Row, other: Row, *, again: bool) -> int:
        text = self.bases.get(row["id"])
        base = Base() if text is None else Base.parse(text)
        removed = self.drafts(self.context.translation.task(row), other, base)
        if not again:
            self.overlap(row, other, base)
        self._note(row, base)
        return removed

    def _note(self, row: Row, base: Base) -> None:
        if self.bases.has(row["id"]):
            self.bases.put({row["id"]: str(base)})

    def _there(self, ids: list[int]) -> Iterator[Row]:
        """Tasks in the target; of those that a dry run pretends to have made, what an import
        makes.
        """
        made = [id for id in ids if id > 0]
        if made:
            yield from self.context.there.some_tasks(made)
        overlap = self.context.project.maximum_annotations
        for id in set(ids).difference(made):
            yield {"id": id, "overlap": overlap, "annotations": [], "drafts": []}

    def overlap(self, row: Row, other: Row, base: Base) -> None:
        """How often a task is to be labelled."""
        change = Change("tasks", "overlap", row["overlap"], other["overlap"], "source")
        if change.here != change.there:
            base.expect(change)
            self._note(row, base)
            task = self.context.project.tasks.ref(other["id"])
            task.overlap = row["overlap"]
            task.save()
        base.applied(change)

    def drafts(self, row: Row, other: Row, base: Base) -> int:
        """Make the drafts that are missing; how many are there twice, and go."""
        ours = base.objects["drafts"]
        annotations = {one["import_id"]: one["id"] for one in other["annotations"]}
        drafts = self.context.client.drafts.filter(task=other["id"])

        def there() -> list[Row]:
            me = self.context.users.me.email
            return [one for one in self.context.there.drafts_of(drafts) if one["user"] == me]

        def free(found: Iterable[Row]) -> Iterator[Row]:
            taken = {new for new, *_ in ours.known.values()}
            return (one for one in found if one["id"] not in taken)

        def twin(draft: Row, found: Iterable[Row]) -> int | None:
            its = digest(content.draft_content(draft))
            alike = (one for one in free(found) if digest(content.draft_content(one)) == its)
            return next((int(one["id"]) for one in alike), None)

        known = there() if other["drafts"] else []
        ours.reconcile(known)
        for draft in row["drafts"]:
            if draft["id"] in ours.known:
                continue
            change = Change("drafts", "", draft, None, "source")
            id = twin(draft, known)
            if id is None:
                ours.expect(change)
                self._note(row, base)

                def make(draft: Row = draft) -> int:
                    fields = {name: draft.get(name) for name in content.DRAFT}
                    fields["result"] = fields["result"] or []
                    fields["annotation"] = annotations.get(draft["annotation"])
                    fields["import_id"] = draft["id"]
                    return odd.create(self.context.client, "drafts", other["id"], fields)

                look = partial(lambda draft: twin(draft, there()), draft)
                tally = self.context.tallies["drafts"]
                try:
                    id = exactly_once(look, make, self.context.client, is_new=True)
                except Exception as error:
                    if not odd.is_refused(error):
                        raise
                    ours.refused(change)
                    which = f"draft {draft['id']} of task {row['id']}"
                    self.context.give_up("drafts", which, error)
                    continue
                tally.created += 1
            ours.applied(change, id)
        wanted = {digest(content.draft_content(one)) for one in row["drafts"]}
        duplicates = [
            one["id"] for one in free(known) if digest(content.draft_content(one)) in wanted
        ]
        for id in duplicates:
            with suppress(DoesNotExist):  # a proxy may have repeated this request too
                drafts.ref(id).delete()
        return len(duplicates)
