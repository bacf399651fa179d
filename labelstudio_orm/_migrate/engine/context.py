"""What the steps of a migration share: both sides, the journal, and what was done so far."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from ..._engine.bulk.run import BulkRun
from .losses import losses, packed, unpacked
from .source import LiveSource

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from ..._reports import Loss
    from ...client import LabelStudio
    from ...resources.projects import Project
    from .journal import IdMap, Journal
    from .kinds import Secrets
    from .losses import Id
    from .media import Media
    from .remap import Translation
    from .source import Source
    from .users import UserMap


@attrs.define
class MigrationContext:
    """One migration into a project. ``facts`` describe the source."""

    source: Source
    client: LabelStudio
    journal: Journal
    facts: Row
    users: UserMap
    project: Project
    media: Media
    translation: Translation
    parts: frozenset[str]
    """The names of the wanted kinds, and ``EXPORTS``."""
    secrets: Secrets
    keep_origin: bool = False
    tallies: defaultdict[str, BulkRun] = attrs.field(
        default=attrs.Factory(
            lambda self: defaultdict(lambda: BulkRun(self.client, on_error="collect")),
            takes_self=True,
        )
    )
    """The counts and failures of this run by kind, made as needed; the report is made of them."""

    lost: defaultdict[str, list[Id]] = attrs.field(factory=lambda: defaultdict(list))
    """What this run has lost, see ``lose``."""
    given_up: int = 0
    """Number of failures that a further run would have as well."""

    def give_up(self, kind: str, what: str, error: Exception) -> None:
        """Record what no server takes as failed; the migration is finished without it."""
        tally = self.tallies[kind]
        tally.fail(len(tally.failed), what, error)
        self.given_up += 1

    @property
    def there(self) -> LiveSource:
        """The target as a source, to read its content."""
        return LiveSource(self.project).light()

    @property
    def tasks(self) -> IdMap:
        """Which task became which, by id."""
        return self.journal.map("tasks")

    def lose(self, found: Mapping[str, Sequence[Id] | int]) -> None:
        """Record what the target cannot keep: the ids of the objects, by kind and field.

        Journals of older versions have the numbers of objects instead.
        """
        numbers = {name: one if isinstance(one, int) else len(one) for name, one in found.items()}
        self.add("losses", numbers)
        for name, ids in found.items():
            if isinstance(ids, int) or not ids:
                continue
            self.lost[name] += ids
            notes = self.journal.map(f"lost {name}")
            before = unpacked(notes.get(ids[0], "[]"))
            notes.put({ids[0]: packed([*before, *ids])})

    def losses(self) -> Iterator[Loss]:
        """Yield all losses that the journal has, for a report."""
        numbers: dict[str, int] = self.journal.get("losses", {})
        ids = {
            name: [
                id for _, text in self.journal.map(f"lost {name}").items() for id in unpacked(text)
            ]
            for name in numbers
        }
        return losses(ids, numbers=numbers, kept=self.keep_origin)

    def add(self, name: str, counts: Mapping[str, int]) -> None:
        """Add to the counts in the journal under this name."""
        self.journal.set(name, dict(Counter(self.journal.get(name, {})) + Counter(counts)))
