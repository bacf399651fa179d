"""The settings of a project, field by field: what both sides held, and what changed since."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from ..._engine.pages.sources import chunked
from ...errors import BadRequest
from . import fingerprints as content
from .diff3 import NEVER, Base, Change, Conflicts, Fields
from .fingerprints import digest
from .source import CHUNK

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from ..._reports import Differences
    from .context import MigrationContext
    from .journal import Journal

_BASE: Final = "settings base"
_EXPECTED: Final = "settings expected"

_OVERLAPS: Final = frozenset({"maximum_annotations", "overlap_cohort_percentage"})
"""The settings with which the server changes those of the tasks."""

_CHANGED: Final = "overlaps"
"""How the journal calls that: the tasks of which somebody else has changed it before."""


class Settings:
    """Those of a job."""

    def __init__(self, context: MigrationContext) -> None:
        self.context, self.journal = context, context.journal
        self.fields = Fields(
            "settings",
            self.journal.get(_BASE),
            lambda value: value or None,
            self.journal.get(_EXPECTED),
        )
        self.overlaps = Overlaps(context)

    @cached_property
    def _sides(self) -> tuple[Row, Row]:
        """Both as they are at first: what is written later changes some of the target's."""
        said = wanted_settings(self.context.source.settings(), self.context.journal)
        here = content.settings_content(self.context.translation.value(said))
        return here, content.settings_content(self.context.there.settings())

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
        self.context.project.refresh()
        here, there = self._sides
        self.fields.found(there)
        for _ in self.fields.changes(here, there):
            pass  # these came while it was copied
        self._note()

    def _note(self) -> None:
        self.journal.set(_BASE, self.fields.known)
        self.journal.set(_EXPECTED, self.fields.expected)

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
            if what == "apply":
                wanted[change.field] = change.here
                carried[change.field] = change
                self.fields.expect(change)
            elif what == "keep":
                self.fields.resolve(change)
            else:
                found.add(
                    change.as_difference(self.context.facts["project"], self.context.project.id)
                )
        self._note()
        self.context.project.refresh()
        now = content.settings_content(self.context.there.settings())
        for name, value in wanted.items():
            is_set = digest(now[name]) == digest(value) or self._set(name, value)
            if is_set and name in carried:
                self.fields.applied(carried[name])
        self.fields.expected.clear()
        self._note()

    def _set(self, name: str, value: Any) -> bool:
        """One setting, if the target takes it."""
        project, tally = self.context.project, self.context.tallies["settings"]
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

    def __init__(self, context: MigrationContext) -> None:
        self.context, self.journal = context, context.journal
        self.bases = context.journal.map("bases")

    def save(self, names: Iterable[str]) -> bool:
        """Save these settings of the target; does that change the tasks?"""
        changes = self.context.project.changes.keys() & set(names) & _OVERLAPS
        if changes and not self.context.client.is_dry:
            self._begin()
        self.context.project.save(fields=names)
        self.resolve()
        return bool(changes)

    def _begin(self) -> None:
        theirs = [new for new, base, now in self._tasks() if base.fields.known["overlap"][1] != now]
        self.journal.intent(_CHANGED, theirs)

    def resolve(self) -> None:
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
                    bases[self.context.tasks.old(new)] = str(base)
            self.bases.put(bases)
        self.journal.resolve(_CHANGED)

    def _tasks(self) -> Iterator[tuple[int, Base, str]]:
        """The tasks of the target by id, with what is noted of them, and what they have now."""
        for new, overlap in self.context.project.tasks.values_list("id", "overlap").iterator():
            text = self.bases.get(self.context.tasks.old(new, 0))
            base = None if text is None else Base.parse(text)
            if base is not None and "overlap" in base.fields.known:
                yield new, base, digest(overlap)


def wanted_settings(settings: Row, journal: Journal) -> Row:
    """Return the settings that a copy was meant to have."""
    return {**settings, **journal.get("settings", {})}
