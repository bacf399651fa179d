"""What an import does not take of a task: its drafts, and how often it is to be labelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import DoesNotExist
from ..paging.pages import chunked
from . import content
from .again import exactly_once
from .content import digest
from .verifying import CHUNK

if TYPE_CHECKING:
    from .job import Job
    from .source import Row


class Mender:
    """The tasks of a job that need more than their import."""

    def __init__(self, job: Job) -> None:
        self.job, self.mends = job, job.journal.map("mends")

    def run(self, *, again: bool = False) -> int:
        """Mend what is not mended yet; ``again``: look for drafts that are there twice, too. How
        many of those there were.
        """
        removed = 0
        waiting = (old for old, done in self.mends.items() if again or not done)
        for chunk in chunked(waiting, CHUNK):
            ids = [self.job.tasks.get(old) for old in chunk]
            there = {row["id"]: row for row in self._there(ids)}
            counts = Counter[str]()
            for row in self.job.source.some_tasks(chunk):
                other = there.get(self.job.tasks.get(row["id"]))
                if other is not None:
                    counts["drafts"] += len(row["drafts"])
                    removed += self.drafts(self.job.translation.task(row), other)
                    if not again:
                        self.overlap(row, other)
            with self.job.journal.at_once():
                self.mends.put(dict.fromkeys(chunk, 1))
                if not again:
                    self.job.add("counts", counts)
        return removed

    def _there(self, ids: list[int]) -> Iterator[Row]:
        """Tasks in the target; of those that a dry run pretends to have made, what an import
        makes.
        """
        made = [id for id in ids if id > 0]
        if made:
            yield from self.job.there.some_tasks(made)
        overlap = self.job.project.maximum_annotations
        for id in set(ids).difference(made):
            yield {"id": id, "overlap": overlap, "annotations": [], "drafts": []}

    def overlap(self, row: Row, other: Row) -> None:
        """How often a task is to be labelled."""
        if row["overlap"] != other["overlap"]:
            task = self.job.project.tasks.ref(other["id"])
            task.overlap = row["overlap"]
            task.save()

    def drafts(self, row: Row, other: Row) -> int:
        """Make the drafts that are missing; how many are there twice, and go."""
        wanted = Counter(digest(content.draft_content(one)) for one in row["drafts"])
        annotations = {one["import_id"]: one["id"] for one in other["annotations"]}
        drafts = self.job.client.drafts.filter(task=other["id"])

        def there() -> dict[str, list[int]]:
            found: dict[str, list[int]] = {}
            for draft in self.job.there.drafts_of(drafts):
                if draft["user"] == self.job.people.me.email:
                    found.setdefault(digest(content.draft_content(draft)), []).append(draft["id"])
            return found

        known = there() if other["drafts"] else {}
        for draft in row["drafts"]:
            its = digest(content.draft_content(draft))
            before = len(known.get(its, ()))
            if before >= wanted[its]:
                continue

            def look(its: str = its, before: int = before) -> int | None:
                ids = there().get(its, [])
                return ids[-1] if len(ids) > before else None

            def make(draft: Row = draft) -> int:
                fields = {name: draft.get(name) for name in content.DRAFT}
                annotation = annotations.get(draft["annotation"])
                fields["result"] = fields["result"] or []
                made = drafts.create(**fields, annotation=annotation, import_id=draft["id"])
                return made.id

            made = exactly_once(look, make, self.job.client, is_new=True)
            known.setdefault(its, []).append(made)
            self.job.tallies["drafts"].created += 1
        doubles = [id for its in wanted for id in known.get(its, [])[wanted[its] :]]
        for id in doubles:
            with suppress(DoesNotExist):  # a proxy may have repeated this request too
                drafts.ref(id).delete()
        return len(doubles)
