"""The settings of a project, field by field: what both sides held, and what changed since."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from ..errors import BadRequest
from . import content
from .content import digest
from .threeway import Change, Conflicts, Fields
from .verifying import settings_as_noted

if TYPE_CHECKING:
    from .job import Job
    from .report import Differences
    from .source import Row

_BASE: Final = "settings base"


class Settings:
    """Those of a job."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.fields = Fields("settings", job.journal.noted(_BASE), lambda value: value or None)

    @cached_property
    def _sides(self) -> tuple[Row, Row]:
        """Both as they are at first: what is written later changes some of the target's."""
        said = settings_as_noted(self.job.source.settings(), self.job.journal)
        here = content.settings_content(self.job.translation.value(said))
        return here, content.settings_content(self.job.there.settings())

    def note(self) -> None:
        """Take note of what is the same on both sides."""
        self.job.project.refresh()
        for _ in self.fields.changes(*self._sides):
            pass  # these are not
        self.job.journal.note(_BASE, self.fields.known)

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
            elif what == "keep":
                self.fields.settle(change)
            else:
                found.add(change.told(self.job.facts["project"], self.job.project.id))
        self.job.project.refresh()
        now = content.settings_content(self.job.there.settings())
        for name, value in wanted.items():
            is_set = digest(now[name]) == digest(value) or self._set(name, value)
            if is_set and name in carried:
                self.fields.carried(carried[name])
        self.job.journal.note(_BASE, self.fields.known)

    def _set(self, name: str, value: Any) -> bool:
        """One setting, if the target takes it."""
        project, tally = self.job.project, self.job.tallies["settings"]
        try:
            setattr(project, name, value)
            project.save(fields=[name])
        except (BadRequest, TypeError) as error:
            tally.fail(len(tally.failed), name, error)
            project.refresh()
            return False
        tally.updated += 1
        return True
