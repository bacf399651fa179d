"""The settings of a project, field by field: what both sides held, and what has changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from ..._engine.pages.sources import chunked
from ..._engine.values.summary import Failure
from ...errors import BadRequest, NotSupportedByServer
from .diff3 import NEVER, Base, Change, Fields
from .fingerprints import digest, settings_content
from .source import CHUNK

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from .context import MigrationContext
    from .journal import Journal

_BASE: Final = "settings base"
_EXPECTED: Final = "settings expected"

_OVERLAPS: Final = frozenset({"maximum_annotations", "overlap_cohort_percentage"})
"""The settings with which the server changes the ``overlap`` of the tasks."""

_CHANGED: Final = "overlaps"
"""The name of that change in the journal, with the tasks that were changed by others before."""


class Settings:
    """The settings of a migration."""

    def __init__(self, context: MigrationContext) -> None:
        self.context, self.journal = context, context.journal
        self.fields = Fields(
            "settings",
            self.journal.get(_BASE),
            lambda value: value or None,
            self.journal.get(_EXPECTED),
            (context.facts["project"], context.project.id),
        )
        self.overlaps = Overlaps(context)

    @cached_property
    def _sides(self) -> tuple[Row, Row]:
        """The settings of both sides at first: later writes change some of the target."""
        wanted = wanted_settings(self.context.source.settings(), self.context.journal)
        source = settings_content(self.context.translation.value(wanted))
        return source, settings_content(self.context.target.settings())

    def expect(self, names: Collection[str]) -> None:
        """Write into the journal what a copy is about to set, before ``save_bases``."""
        source, _ = self._sides
        for name in source.keys() & set(names):
            self.fields.known[name] = (digest(source[name]),) * 2
        self._save()

    def save_bases(self) -> None:
        """Write into the journal what both sides hold, when only a copy has changed the target."""
        self.context.project.refresh()
        source, target = self._sides
        self.fields.found(target)
        for _ in self.fields.changes(source, target):
            pass  # these came while it was copied
        self._save()

    def _save(self) -> None:
        self.journal.set(_BASE, self.fields.known)
        self.journal.set(_EXPECTED, self.fields.expected)

    def apply(self, names: Collection[str]) -> None:
        """Apply the changes of these settings; set the others to what they were in the target."""
        source, target = self._sides
        source = {name: value for name, value in source.items() if name in names}
        wanted = {name: target[name] for name in source}
        applied: dict[str, Change] = {}
        for change in self.context.applicable(self.fields.changes(source, target)):
            wanted[change.field] = change.source
            applied[change.field] = change
            self.fields.expect(change)
        self._save()
        self.context.project.refresh()
        now = settings_content(self.context.target.settings())
        for name, value in wanted.items():
            is_set = digest(now[name]) == digest(value) or self._set(name, value)
            if is_set and name in applied:
                self.fields.applied(applied[name])
        self.fields.expected.clear()
        self._save()

    def _set(self, name: str, value: Any) -> bool:
        """Set a setting; return whether the target took it."""
        project, tally = self.context.project, self.context.tallies["settings"]
        try:
            setattr(project, name, value)
            self.overlaps.save([name])
        except (BadRequest, NotSupportedByServer, TypeError) as error:
            tally.failed.append(Failure(len(tally.failed), name, str(error)))
            project.refresh()
            return False
        tally.updated += 1
        return True


class Overlaps:
    """The ``overlap`` of the target's tasks, which settings of the project change on the server.

    Such a change must not count as one that was made to the tasks in the target.
    """

    def __init__(self, context: MigrationContext) -> None:
        self.context, self.journal = context, context.journal
        self.bases = context.journal.map("bases")

    def save(self, names: Iterable[str]) -> bool:
        """Save settings of the target; return whether that changes the tasks."""
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
        """Write into the journal what this run has changed, or one that ended before it could."""
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
        """Yield the tasks of the target by id, with their base and the digest of their overlap."""
        for new, overlap in self.context.project.tasks.values_list("id", "overlap").iterator():
            text = self.bases.get(self.context.tasks.old(new, 0))
            base = None if text is None else Base.parse(text)
            if base is not None and "overlap" in base.fields.known:
                yield new, base, digest(overlap)


def wanted_settings(settings: Row, journal: Journal) -> Row:
    """Return the settings that a copy was to have."""
    return {**settings, **journal.get("settings", {})}
