"""The objects of a project that are made one by one, such as views and webhooks.

Before an object is made, the target is searched for one of the same content.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
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
    from ..._engine.values.codec import Row
    from .context import MigrationContext
    from .journal import Journal, Key
    from .losses import Id

EXPORTS: Final = "exports"
"""The name of objects that are copied only if all are asked for, among the parts of a copy."""

_ROUNDS: Final = 100_000
"""PBKDF2 rounds."""


class Related:
    """The objects of a migration, kind by kind."""

    def __init__(self, context: MigrationContext) -> None:
        self.context, self.journal, self.secrets = context, context.journal, context.secrets
        self.target = context.there
        self.has_exports = EXPORTS in context.parts
        self.kinds = [
            kind for kind in KINDS.values() if kind.name in context.parts and not kind.is_uploaded
        ]
        """The wanted kinds; those that listen to changes come last."""
        self.kinds.sort(key=lambda kind: kind.is_listener)

    def here(self, kind: Kind) -> Iterator[Row]:
        """Yield the wanted objects of the source as the target has them.

        ``own`` is a row as the source itself has it, which stays when tasks of it go.
        """
        names = Names(user=self.context.users.known_id, task=self.context.tasks.get)
        lost: defaultdict[str, list[Id]] = defaultdict(list)
        for row in self.context.source.related(kind.name):
            if not self._is_wanted(kind, row):
                self._set_left_out(kind, row, True)
                continue
            new, fields = kind.remap(row, names)
            for field in fields:
                lost[f"{kind.name}.{field}"].append(row["id"])
            yield row if new is row else {**new, "own": row}
        if lost and not self.journal.get(f"done:{kind.name}"):
            self.context.lose(lost)

    def there(self, kind: Kind) -> Iterator[Row]:
        """Yield the objects of the target."""
        return (row for row in self.target.related(kind.name) if self._is_wanted(kind, row))

    def _is_wanted(self, kind: Kind, row: Row) -> bool:
        return self.has_exports or not kind.is_opt_in(kind.key(row))

    def bring(self, kind: Kind) -> None:
        """Make the objects of a kind that the target does not have yet."""
        objects = self.objects(kind)
        for row in list(self.here(kind)):
            if kind.key(row) in objects.known:
                self.context.tallies[kind.name].skipped += 1
            elif self.write(kind, objects, objects.creation(row), partial(self.make, kind, row)):
                self.context.add("counts", {kind.name: 1})
        if not self.journal.get(f"done:{kind.name}"):
            self._set_order(kind)
            self.journal.set(f"done:{kind.name}")

    def write(
        self, kind: Kind, objects: Objects, change: Change, send: Callable[[], Key | None]
    ) -> bool:
        """Let ``send`` make or change an object of the target, and count and record that.

        Returns whether it was done.
        """
        tally = self.context.tallies[kind.name]
        objects.expect(change)
        self.save(kind, objects)
        new = send()
        if new is None:
            objects.expected.clear()
            return False
        objects.applied(change, new)
        self.save(kind, objects)
        tally.created += change.there is None
        tally.updated += change.there is not None
        return True

    def _set_order(self, kind: Kind) -> None:
        if kind.set_order is None:
            return
        moved = self.journal.map(kind.name)
        ours = [row["id"] for row in self.context.source.related(kind.name) if moved.has(row["id"])]
        if len(ours) > 1:
            kind.set_order(self.context.project, [moved.get(id) for id in ours])
        self.journal.set(order_of(kind), [ours, ours])

    def make(self, kind: Kind, row: Row) -> Key | None:
        """Return the key of an object in the target, which is made unless it is there.

        None if the target refuses it, or it is to be left out.
        """
        key = kind.key(row)
        secrets = self.secrets_of(kind, row) if kind.credentials else {}
        if secrets is None:
            self._set_left_out(kind, row, True)
            return None

        def make() -> Key:
            fields = {name: row[name] for name in kind.written if row.get(name) is not None}
            made = kind.objects(self.context.project, row).create(**fields, **secrets)
            return kind.key({**row, "id": made.id})

        try:
            new = exactly_once(lambda: self._twin(kind, row), make, self.context.client)
        except (LabelStudioError, TypeError, ValueError) as error:
            tally = self.context.tallies[kind.name]
            tally.fail(len(tally.failed), key, error)
            return None
        self.journal.map(kind.name).put({key: new})
        self._set_left_out(kind, row, False)
        return new

    def secrets_of(self, kind: Kind, row: Row) -> dict[str, Any] | None:
        """Return the secrets of an object, sealed; None to leave it out.

        Raises TypeError for secrets that are not a dict.
        """
        given = seal(self.secrets(kind.name, row))
        if given is None:
            return None
        if not isinstance(given.reveal(), Mapping):
            of = type(given.reveal()).__name__
            raise TypeError(f"secrets({kind.name!r}, ...) returns a dict or None, not {of}")
        return {name: seal(value) for name, value in given.reveal().items()}

    def delete(self, kind: Kind, row: Row) -> None:
        """Delete an object of the target, if it is still there."""
        with suppress(DoesNotExist):
            kind.objects(self.context.client, row).ref(row["id"]).delete()

    def _twin(self, kind: Kind, row: Row) -> Key | None:
        """Return the key of an equal object of the target that is not a copy of another one."""
        if self.context.client.is_dry:
            return None
        wanted, moved = digest(kind.whole(row)), self.journal.map(kind.name)
        for one in self.there(kind):
            if moved.old(kind.key(one)) is None and digest(kind.whole(one)) == wanted:
                return kind.key(one)
        return None

    def remove_duplicates(self, kind: Kind, spared: Collection[Key] = ()) -> int:
        """Delete objects that equal a copied one but were not recorded as copies; return how many.

        ``spared``: the keys of those that stay.
        """
        moved = self.journal.map(kind.name)
        rows = [(row, digest(kind.whole(row))) for row in self.there(kind)]
        copies = {mark for row, mark in rows if moved.old(kind.key(row)) is not None}
        duplicates = [
            row
            for row, mark in rows
            if mark in copies and moved.old(kind.key(row)) is None and kind.key(row) not in spared
        ]
        for row in duplicates:
            self.delete(kind, row)
        return len(duplicates)

    # -- what both sides held ---------------------------------------------------------------------

    def objects(self, kind: Kind) -> Objects:
        """Return what both sides held of a kind, from the journal.

        What was under way when an earlier run ended is looked for in the target.
        """
        moved, bases = self.journal.map(kind.name), self.journal.map(f"{kind.name} bases")
        unknown = " ".join(UNKNOWN)
        known = {old: (new, *bases.get(old, unknown).split()) for old, new in moved.items()}
        expected = self.journal.map(f"{kind.name} expected").items()
        objects = Objects(
            kind.name,
            kind.whole,
            known,
            key=kind.key,
            own=lambda row: row.get("own", row),
            mark=lambda row: self._mark(kind, row),
            expected={old: was.split() for old, was in expected},
        )
        if objects.expected:
            objects.reconcile(self.there(kind))
            self.save(kind, objects)
        return objects

    def save(self, kind: Kind, objects: Objects) -> None:
        """Write into the journal what both sides hold."""
        moved, bases = self.journal.map(kind.name), self.journal.map(f"{kind.name} bases")
        expected = self.journal.map(f"{kind.name} expected")
        with self.journal.transaction():
            for old in [old for old, _ in expected.items() if old not in objects.expected]:
                expected.remove(old)
            expected.put({old: " ".join(was) for old, was in objects.expected.items()})
            for old in [old for old, _ in moved.items() if old not in objects.known]:
                moved.remove(old)
                bases.remove(old)
            moved.put({old: new for old, (new, *_) in objects.known.items()})
            bases.put({old: " ".join(was) for old, (_, *was) in objects.known.items()})

    def _mark(self, kind: Kind, row: Row) -> str:
        """Return a digest of an object; of secrets one that cannot be reversed by trying."""
        mark = digest(kind.whole(row))
        if not any(row.get(name) for name in kind.hidden):
            return mark
        if self.journal.get("salt") is None:
            self.journal.set("salt", os.urandom(16).hex())
        return _slow_digest(mark, self.journal.get("salt"))

    # -- what is left out -------------------------------------------------------------------------

    def _set_left_out(self, kind: Kind, row: Row, is_left_out: bool) -> None:
        keys, key = left_out(self.journal, kind), kind.key(row)
        if is_left_out is (key in keys):
            return
        left = [*keys, key] if is_left_out else [one for one in keys if one != key]
        self.journal.set(f"{kind.name} left out", left)
        if is_left_out and kind.is_opt_in(key):
            self.context.lose({f"{kind.name}.export": [key]})


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
