"""A migration into a project: how it begins, or goes on, and what its steps share."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ..._engine.bulk.run import BulkRun
from ..._engine.fields.options import options_of
from ..._engine.http.connection import has
from ..._reports import Differences
from ...errors import DoesNotExist
from ...resources.projects import Project
from .exactly_once import exactly_once, wait_for
from .losses import Id, losses, packed, unpacked
from .media import Media
from .remap import Translation
from .settings import wanted_settings
from .source import LiveSource
from .users import MissingUsers, UserMap

if TYPE_CHECKING:
    from ..._reports import Loss
    from ...client import LabelStudio
    from .diff3 import Change, Conflicts
    from .journal import IdMap, Journal
    from .kinds import Secrets
    from .source import Source


OF_SOME_EDITIONS: Final = ("annotation_limit_count", "annotation_limit_percent")
"""Settings that only some servers have. They are set once the project is made, so that one which is
dropped is reported and does not end the copy.
"""

LATE_SETTINGS: Final = ("label_config", "control_weights", "model_version", "description")
"""Settings that depend on others, or on the tasks."""


class MigrationContext:
    """One migration into a project, which is found or made.

    ``parts`` are the names of the wanted kinds, and ``EXPORTS``. ``again``: match the users also of
    a copy that is finished.
    """

    def __init__(
        self,
        source: Source,
        client: LabelStudio,
        journal: Journal,
        *,
        title: str | None,
        missing_users: MissingUsers,
        parts: frozenset[str],
        secrets: Secrets,
        keep_origin: bool,
        conflicts: Conflicts = "source",
        again: bool = False,
    ) -> None:
        self.source, self.client, self.journal = source, client, journal
        self.parts, self.secrets, self.keep_origin = parts, secrets, keep_origin
        self.conflicts, self.found = conflicts, Differences()
        """What to do about changes on both sides, and the differences that are left."""
        self.facts = source.describe()
        """What describes the source."""
        journal.identify(
            what="copy",
            source=f"{self.facts['server']} project {self.facts['project']}",
            target=client.url,
            title=title,
            keep_origin=keep_origin,
        )
        self.tallies = defaultdict[str, BulkRun](lambda: BulkRun(client, on_error="collect"))
        """The counts and failures of this run by kind, made as needed, for the report."""
        is_made = journal.get("project") is not None
        project = self.tallies["project"]
        project.created, project.skipped = int(not is_made), int(is_made)
        self.lost = defaultdict[str, list[Id]](list)
        """What this run has lost, see ``lose``."""
        self.given_up = 0
        """Number of failures that a further run would have as well."""
        server = self.facts["server"]
        self.users = UserMap(client, missing_users, journal, server)
        if again or not journal.get("done"):
            self.users.match(source.users())
        if title is not None:
            journal.set("settings", {"title": title})
        if not is_made:
            self._leave_out_settings()
        self.project = _project(source, client, journal)
        self.media = Media(source, self.project, journal, server, wanted="files" in parts)
        self.translation = Translation(self.users.email, self.media.address, server)

    def _leave_out_settings(self) -> None:
        """Leave out the settings that the release of the target would drop."""
        fields = options_of(Project).fields
        settings = self.source.settings()
        for name, value in settings.items():
            since = fields[name].since
            if since is None or value in since.harmless or has(self.client, since):
                continue
            wanted = {**self.journal.get("settings", {}), name: since.harmless[0]}
            self.journal.set("settings", wanted)
            if f"settings.{name}" not in self.journal.get("losses", {}):
                self.lose({f"settings.{name}": [self.facts["project"]]})

    def give_up(self, kind: str, what: str, error: Exception) -> None:
        """Record what no server takes as failed; the migration is finished without it."""
        tally = self.tallies[kind]
        tally.fail(len(tally.failed), what, error)
        self.given_up += 1

    def applicable(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Yield the changes to apply to the target.

        Of the others keep what it has, or add them to the differences that were ``found``.
        """
        for change in changes:
            what = change.under(self.conflicts)
            if what == "apply":
                yield change
            elif what == "keep":
                change.part.resolve(change)
            else:
                self.found.add(change.as_difference())

    @property
    def target(self) -> LiveSource:
        """The target as a source, to read its content."""
        return LiveSource(self.project).light()

    @property
    def tasks(self) -> IdMap:
        """Which task became which, by id."""
        return self.journal.map("tasks")

    def lose(self, found: Mapping[str, Sequence[Id]]) -> None:
        """Record what the target cannot keep: the ids of the objects, by kind and field."""
        self.add("losses", {name: len(ids) for name, ids in found.items()})
        for name, ids in found.items():
            self.lost[name] += ids
            notes = self.journal.map(f"lost {name}")
            before = unpacked(notes.get(ids[0], "[]"))
            notes.put({ids[0]: packed([*before, *ids])})

    def losses(self) -> Iterator[Loss]:
        """Yield all losses that the journal has, for a report."""
        numbers: dict[str, int] = self.journal.get("losses", {})
        notes = {name: self.journal.map(f"lost {name}") for name in numbers}
        ids = {
            name: [id for _, text in lost.items() for id in unpacked(text)]
            for name, lost in notes.items()
        }
        return losses(ids, numbers=numbers, kept=self.keep_origin)

    def add(self, name: str, counts: Mapping[str, int]) -> None:
        """Add to the counts in the journal under this name."""
        self.journal.set(name, dict(Counter(self.journal.get(name, {})) + Counter(counts)))


def _project(source: Source, client: LabelStudio, journal: Journal) -> Project:
    """Return the target: that of the journal, one marked in its description, or a new one."""
    number = journal.get("project")
    if number is not None:
        try:
            return client.projects.get(number)
        except DoesNotExist as gone:
            raise DoesNotExist(
                f"{journal} is of a copy to Project {number} on {client.url}, which is gone; use "
                "another journal to make another copy",
                request=gone.request,
            ) from gone
    is_new = journal.get("marker") is None
    if is_new:
        journal.set("marker", f"This project is being copied: {uuid.uuid4()}")
    first = {
        name: value
        for name, value in wanted_settings(source.settings(), journal).items()
        if value is not None and name not in LATE_SETTINGS and name not in OF_SOME_EDITIONS
    }
    first["description"] = journal.get("marker")

    def look() -> Project | None:
        return wait_for(client, journal, lambda: next(marked_projects(client, journal), None))

    project = exactly_once(look, lambda: client.projects.create(**first), client, is_new=is_new)
    journal.set("project", project.id)
    return project


def marked_projects(client: LabelStudio, journal: Journal) -> Iterator[Project]:
    """Yield the projects that a copy has made and not finished."""
    marker = journal.get("marker")
    return (project for project in client.projects.all() if project.description == marker)
