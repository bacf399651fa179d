"""The objects of a project that are made one by one, such as views and webhooks.

Before an object is made, the target is searched for one of the same content.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final

from ..._engine.values.secret import seal
from ...errors import DoesNotExist, LabelStudioError
from .diff3 import UNKNOWN, Change, Objects
from .exactly_once import exactly_once
from .fingerprints import digest
from .kinds import KINDS, Kind, Names

if TYPE_CHECKING:
    from ..._engine.bulk.run import BulkRun
    from ..._engine.values.codec import Row
    from .context import MigrationContext
    from .journal import Journal, Key
    from .losses import Id

EXPORTS: Final = "exports"
"""The name of objects that are copied only if all are asked for, among the parts of a copy."""

_ROUNDS: Final = 100_000
"""PBKDF2 rounds."""


def wanted_kinds(context: MigrationContext) -> list[Kind]:
    """Return the kinds of a migration that are made one by one.

    Those that listen to changes come last.
    """
    wanted = (kind for kind in KINDS.values() if kind.name in context.parts)
    return sorted(
        (kind for kind in wanted if not kind.is_uploaded), key=lambda kind: kind.is_listener
    )


class Related:
    """The objects of one kind in a migration."""

    def __init__(self, context: MigrationContext, kind: Kind) -> None:
        self.context, self.journal, self.kind = context, context.journal, kind
        self.moved = context.journal.map(kind.name)
        """Which object became which, by key."""
        self._bases = context.journal.map(f"{kind.name} bases")
        self._expected = context.journal.map(f"{kind.name} expected")
        self.objects = Objects(kind.name, kind.whole)

    def here(self) -> list[Row]:
        """Return the wanted objects of the source as the target has them.

        ``own`` is a row as the source itself has it, which stays when tasks of it go.
        """
        kind = self.kind
        names = Names(user=self.context.users.known_id, task=self.context.tasks.get)
        lost: defaultdict[str, list[Id]] = defaultdict(list)
        found = []
        for row in self.context.source.related(kind.name):
            if not self._is_wanted(row):
                self._set_left_out(row, True)
                continue
            new, fields = kind.remap(row, names)
            for field in fields:
                lost[f"{kind.name}.{field}"].append(row["id"])
            found.append(row if new is row else {**new, "own": row})
        if lost and not self.journal.get(f"done:{kind.name}"):
            self.context.lose(lost)
        return found

    def there(self) -> list[Row]:
        """Return the objects of the target."""
        return [row for row in self.context.there.related(self.kind.name) if self._is_wanted(row)]

    def _is_wanted(self, row: Row) -> bool:
        return EXPORTS in self.context.parts or not self.kind.is_opt_in(self.kind.key(row))

    @property
    def tally(self) -> BulkRun:
        """The counts and failures of this run."""
        return self.context.tallies[self.kind.name]

    def bring(self) -> None:
        """Make the objects that the target does not have yet."""
        self.load()
        tally = self.tally
        for row in self.here():
            if self.kind.key(row) in self.objects.known:
                tally.skipped += 1
            elif self.write(self.objects.creation(row), partial(self.make, row)):
                self.context.add("counts", {self.kind.name: 1})
        if not self.journal.get(f"done:{self.kind.name}"):
            self._set_order()
            self.journal.set(f"done:{self.kind.name}")

    def write(self, change: Change, send: Callable[[], Key | None]) -> bool:
        """Let ``send`` make or change an object of the target, and count and record that.

        Returns whether it was done.
        """
        self.objects.expect(change)
        self.save()
        new = send()
        if new is None:
            self.objects.expected.clear()
            return False
        self.objects.applied(change, new)
        self.save()
        self.tally.created += change.there is None
        self.tally.updated += change.there is not None
        return True

    def _set_order(self) -> None:
        if self.kind.set_order is None:
            return
        rows = self.context.source.related(self.kind.name)
        ours = [row["id"] for row in rows if self.moved.has(row["id"])]
        if len(ours) > 1:
            self.kind.set_order(self.context.project, [self.moved.get(id) for id in ours])
        self.journal.set(order_of(self.kind), [ours, ours])

    def make(self, row: Row) -> Key | None:
        """Return the key of an object in the target, which is made unless it is there.

        None if the target refuses it, or it is to be left out.
        """
        kind, key = self.kind, self.kind.key(row)
        secrets = self.secrets_of(row) if kind.credentials else {}
        if secrets is None:
            self._set_left_out(row, True)
            return None

        def make() -> Key:
            fields = {name: row[name] for name in kind.written if row.get(name) is not None}
            made = kind.objects(self.context.project, row).create(**fields, **secrets)
            return kind.key({**row, "id": made.id})

        try:
            new = exactly_once(lambda: self._twin(row), make, self.context.client)
        except (LabelStudioError, TypeError, ValueError) as error:
            self.tally.fail(len(self.tally.failed), key, error)
            return None
        self.moved.put({key: new})
        self._set_left_out(row, False)
        return new

    def secrets_of(self, row: Row) -> dict[str, Any] | None:
        """Return the secrets of an object, sealed; None to leave it out.

        Raises TypeError for secrets that are not a dict.
        """
        given = seal(self.context.secrets(self.kind.name, row))
        if given is None:
            return None
        if not isinstance(given.reveal(), Mapping):
            of = type(given.reveal()).__name__
            raise TypeError(f"secrets({self.kind.name!r}, ...) returns a dict or None, not {of}")
        return {name: seal(value) for name, value in given.reveal().items()}

    def delete(self, row: Row) -> None:
        """Delete an object of the target, if it is still there."""
        with suppress(DoesNotExist):
            self.kind.objects(self.context.client, row).ref(row["id"]).delete()

    def _unmatched(self, rows: Iterable[Row]) -> Iterator[tuple[Row, str]]:
        """Yield objects of the target that are no copies, with the digests of their content."""
        for row in rows:
            if self.moved.old(self.kind.key(row)) is None:
                yield row, digest(self.kind.whole(row))

    def _twin(self, row: Row) -> Key | None:
        """Return the key of an equal object of the target that is not a copy of another one."""
        there = () if self.context.client.is_dry else self.there()
        wanted = digest(self.kind.whole(row))
        keys = (self.kind.key(one) for one, mark in self._unmatched(there) if mark == wanted)
        return next(keys, None)

    def remove_duplicates(self, spared: Collection[Key] = ()) -> int:
        """Delete objects that equal a copied one but were not recorded as copies; return how many.

        ``spared``: the keys of those that stay.
        """
        key, rows = self.kind.key, self.there()
        copies = {
            digest(self.kind.whole(row)) for row in rows if self.moved.old(key(row)) is not None
        }
        doomed = [
            row for row, mark in self._unmatched(rows) if mark in copies and key(row) not in spared
        ]
        for row in doomed:
            self.delete(row)
        return len(doomed)

    # -- what both sides held ---------------------------------------------------------------------

    def load(self) -> None:
        """Read from the journal what both sides held.

        What was under way when an earlier run ended is looked for in the target.
        """
        unknown = " ".join(UNKNOWN)
        self.objects = Objects(
            self.kind.name,
            self.kind.whole,
            {old: (new, *self._bases.get(old, unknown).split()) for old, new in self.moved.items()},
            key=self.kind.key,
            own=lambda row: row.get("own", row),
            mark=self._mark,
            expected={old: was.split() for old, was in self._expected.items()},
        )
        if self.objects.expected:
            self.objects.reconcile(self.there())
            self.save()

    def save(self) -> None:
        """Write into the journal what both sides hold."""
        known, expected = self.objects.known, self.objects.expected
        with self.journal.transaction():
            for old in [old for old, _ in self._expected.items() if old not in expected]:
                self._expected.remove(old)
            self._expected.put({old: " ".join(was) for old, was in expected.items()})
            for old in [old for old, _ in self.moved.items() if old not in known]:
                self.moved.remove(old)
                self._bases.remove(old)
            self.moved.put({old: new for old, (new, *_) in known.items()})
            self._bases.put({old: " ".join(was) for old, (_, *was) in known.items()})

    def _mark(self, row: Row) -> str:
        """Return a digest of an object; of secrets one that cannot be reversed by trying."""
        mark = digest(self.kind.whole(row))
        if not any(row.get(name) for name in self.kind.hidden):
            return mark
        if self.journal.get("salt") is None:
            self.journal.set("salt", os.urandom(16).hex())
        return _slow_digest(mark, self.journal.get("salt"))

    # -- what is left out -------------------------------------------------------------------------

    def _set_left_out(self, row: Row, is_left_out: bool) -> None:
        keys, key = left_out(self.journal, self.kind), self.kind.key(row)
        if is_left_out is (key in keys):
            return
        left = [*keys, key] if is_left_out else [one for one in keys if one != key]
        self.journal.set(f"{self.kind.name} left out", left)
        if is_left_out and self.kind.is_opt_in(key):
            self.context.lose({f"{self.kind.name}.export": [key]})


def left_out(journal: Journal, kind: Kind) -> list[Key]:
    """Return the keys of the objects that a copy left out on purpose."""
    keys: list[Key] = journal.get(f"{kind.name} left out", [])
    return keys


def order_of(kind: Kind) -> str:
    """Return the name in the journal of the order that both sides had."""
    return f"order of {kind.name}"


def parts_of(journal: Journal) -> frozenset[str]:
    """Return the parts of a copy; without a copy only the files that tasks name."""
    parts = journal.get("parts")
    if parts is not None:
        return frozenset(parts)
    if journal.get("marker") is None:
        return frozenset({"files"})
    exports = any(
        kind.is_opt_in(key) for kind in KINDS.values() for key, _ in journal.map(kind.name).items()
    )
    return frozenset(KINDS) | ({EXPORTS} if exports else frozenset())


def no_secrets(kind: str, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Give no secrets, and leave out the objects that need some."""
    return None if KINDS[kind].needs_secrets(dict(row)) else {}


@lru_cache
def _slow_digest(text: str, salt: str) -> str:
    """Return a slow digest, which another journal has another of."""
    found = hashlib.pbkdf2_hmac("sha256", text.encode(), bytes.fromhex(salt), _ROUNDS, 16)
    return found.hex()
