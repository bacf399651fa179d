"""The settings of a project, field by field: what both sides held, and what changed since."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from ..._engine.pages.sources import chunked
from ...errors import BadRequest
from ..verbs.verifying import CHUNK, settings_as_noted
from . import fingerprints as content
from .diff3 import NEVER, Base, Change, Conflicts, Fields
from .fingerprints import digest

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from .context import Job
    from .report import Differences

_BASE: Final = "settings base"
_EXPECTED: Final = "settings expected"

_OVERLAPS: Final = frozenset({"maximum_annotations", "overlap_cohort_percentage"})
"""The settings with which the server changes those of the tasks."""

_CHANGED: Final = "overlaps"
"""How the journal calls that: the tasks of which somebody else has changed it before."""


class Settings:
    """Those of a job."""

    def __init__(self, job: Job) -> None:
        self.job, self.journal = job, job.journal
        self.fields = Fields(
            "settings",
            self.journal.noted(_BASE),
            lambda value: value or None,
            self.journal.noted(_EXPECTED),
        )
        self.overlaps = Overlaps(job)

    @cached_property
    def _sides(self) -> tuple[Row, Row]:
        """Both as they are at first: what is written later changes some of the target's."""
        said = settings_as_noted(self.job.source.settings(), self.job.journal)
        here = content.settings_content(self.job.translation.value(said))
        return here, content.settings_content(self.job.there.settings())

    def bring(self, names: Collection[str]) -> None:
        """Take note of what a copy is about to set: what the target makes of it is known in the end
        (``note``).
        """
        here, _ = self._sides
        for name in here.keys() & set(names):
            self.fields.known[name] = (digest(here[name]),) * 2
        self._note()

    def note(self) -> None:
        """Take note of what both sides hold, when nobody but a copy has changed the target."""
        self.job.project.refresh()
        here, there = self._sides
        self.fields.found(there)
        for _ in self.fields.changes(here, there):
            pass  # these came while it was copied
        self._note()

    def _note(self) -> None:
        self.journal.note(_BASE, self.fields.known)
        self.journal.note(_EXPECTED, self.fields.expected)

    def carry(self, names: Collection[str], conflicts: Conflicts, found: Differences) -> None:
        """Those of these names that changed in the source; the others are again what they were in
        the target.
        """
        here, there = self._sides
        here = {name: value for name, value in here.items() if name in names}
        wanted = {name: there[name] for name in here}
        carried: dict[str, Change] = {}
        for change in self.fields.changes(here, there):
            what = change.under(conflicts)
            if what == "carry":
                wanted[change.field] = change.here
                carried[change.field] = change
                self.fields.expect(change)
            elif what == "keep":
                self.fields.settle(change)
            else:
                found.add(change.told(self.job.facts["project"], self.job.project.id))
        self._note()
        self.job.project.refresh()
        now = content.settings_content(self.job.there.settings())
        for name, value in wanted.items():
            is_set = digest(now[name]) == digest(value) or self._set(name, value)
            if is_set and name in carried:
                self.fields.carried(carried[name])
        self.fields.expected.clear()
        self._note()

    def _set(self, name: str, value: Any) -> bool:
        """One setting, if the target takes it."""
        project, tally = self.job.project, self.job.tallies["settings"]
        try:
            setattr(project, name, value)
            self.overlaps.save([name])
        except (BadRequest, TypeError) as error:
            tally.fail(len(tally.failed), name, error)
            project.refresh()
            return False
        tally.updated += 1
        return True


class Overlaps:
    """How often tasks of the target are to be labelled, which the server changes with a setting of
    the project: that is then no change of the tasks that somebody made in the target.
    """

    def __init__(self, job: Job) -> None:
        self.job, self.journal = job, job.journal
        self.bases = job.journal.map("bases")

    def save(self, names: Iterable[str]) -> bool:
        """Save these settings of the target; does that change the tasks?"""
        changes = self.job.project.changes.keys() & set(names) & _OVERLAPS
        if changes and not self.job.client.is_dry:
            self._begin()
        self.job.project.save(fields=names)
        self.settle()
        return bool(changes)

    def _begin(self) -> None:
        theirs = [new for new, base, now in self._tasks() if base.fields.known["overlap"][1] != now]
        self.journal.intent(_CHANGED, theirs)

    def settle(self) -> None:
        """Take note of what was changed by this run, or by one that could not."""
        theirs = self.journal.open_intents().get(_CHANGED)
        if theirs is None:
            return
        spared = set(theirs)
        for some in chunked(self._tasks(), CHUNK):
            bases = {}
            for new, base, now in some:
                if new not in spared and base.fields.known["overlap"][1] != now:
                    base.fields.known["overlap"] = NEVER, now  # so that the source's stands
                    bases[self.job.tasks.old(new)] = str(base)
            self.bases.put(bases)
        self.journal.settle(_CHANGED)

    def _tasks(self) -> Iterator[tuple[int, Base, str]]:
        """The tasks of the target by id, with what is noted of them, and what they have now."""
        for new, overlap in self.job.project.tasks.values_list("id", "overlap").iterator():
            text = self.bases.get(self.job.tasks.old(new, 0))
            base = None if text is None else Base.parse(text)
            if base is not None and "overlap" in base.fields.known:
                yield new, base, digest(overlap)
