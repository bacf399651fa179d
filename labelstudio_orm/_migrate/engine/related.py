"""The objects of a project that are made one by one, such as views and webhooks.

Before an object is made, the target is searched for one of the same content.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final

import attrs

from ..._engine.http.connection import has
from ..._engine.http.releases import VIEW_ORDER
from ..._engine.values.secret import seal
from ..._reports import Difference
from ...errors import DoesNotExist, LabelStudioError
from .diff3 import UNKNOWN, Change, Objects
from .exactly_once import exactly_once
from .fingerprints import digest
from .kinds import KINDS, Kind, Names

if TYPE_CHECKING:
    from ..._engine.bulk.run import BulkRun
    from ..._engine.values.codec import Row
    from .context import MigrationContext
    from .diff3 import Side
    from .journal import Journal, Key
    from .losses import Id

EXPORTS: Final = "exports"
"""The name of objects that are copied only if all are asked for, among the parts of a copy."""

_ROUNDS: Final = 100_000
"""PBKDF2 rounds."""

_REFUSED: Final = (LabelStudioError, TypeError, ValueError)
"""The errors that are a failure of one object, and do not end the migration."""


def wanted_kinds(context: MigrationContext) -> list[Kind]:
    """Return the kinds of a migration that are made one by one.

    Those that listen to changes come last.
    """
    wanted = (kind for kind in KINDS.values() if kind.name in context.parts)
    return sorted(
        (kind for kind in wanted if not kind.is_uploaded), key=lambda kind: kind.is_listener
    )


class Related:
    """The objects of one kind in a migration, which become what they are in the source.

    A copy is a synchronisation of nothing.
    """

    def __init__(self, context: MigrationContext, kind: Kind) -> None:
        self.context, self.journal, self.kind = context, context.journal, kind
        self.moved = context.journal.map(kind.name)
        """Which object became which, by key."""
        self._bases = context.journal.map(f"{kind.name} bases")
        self._expected = context.journal.map(f"{kind.name} expected")
        self._made = f"made {kind.name}"
        """The intent while objects are made: the keys of those that were there before."""
        self.objects = Objects(kind.name, kind.whole)

    @property
    def tally(self) -> BulkRun:
        """The counts and failures of this run."""
        return self.context.tallies[self.kind.name]

    def wanted_rows(self) -> list[Row]:
        """Return the wanted objects of the source as the target has them.

        ``own`` is a row as the source itself has it, which stays when tasks of it go.
        """
        kind = self.kind
        names = Names(
            user=self.context.users.known_id,
            task=self.context.tasks.get,
            has=partial(has, self.context.client),
        )
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

    def target_rows(self) -> list[Row]:
        """Return the objects of the target; a project that a dry run pretends to make has none."""
        if self.context.project.id < 0:
            return []
        return [row for row in self.context.target.related(self.kind.name) if self._is_wanted(row)]

    def _is_wanted(self, row: Row) -> bool:
        return EXPORTS in self.context.parts or not self.kind.is_opt_in(self.kind.key(row))

    # -- all changes ------------------------------------------------------------------------------

    def bring(self) -> None:
        """Make the objects that the target does not have yet, as a copy does.

        What the target has then is their copy, however the server has stored it.
        """
        self.objects.found(self.apply())
        self._save()
        self.tally.skipped = len(self.objects.known) - self.tally.created
        self.journal.set(f"done:{self.kind.name}")

    def apply(self, only: Callable[[Change], bool] | None = None) -> list[Row]:
        """Apply the changes of the source; return what the target has then.

        ``only`` some of them, without reporting differences.
        """
        self._load()
        source, target = self.wanted_rows(), self.target_rows()
        if self._finish_replacing():
            target = self.target_rows()
        if self.kind.goes_with_tasks and self.journal.get("emptied") and not target:
            self.objects.known.clear()
        changes: Iterator[Change] = (
            one
            for one in self.objects.changes(source, target)
            # A run that was killed may have made what seems to be new in the target.
            if not (one.why == "created in the target" and self.moved.old(one.new))
        )
        if only is not None:
            changes = (
                one for one in changes if one.under(self.context.conflicts) == "apply" and only(one)
            )
        changes = self.context.applicable(changes)
        done = [one for one in changes if self._apply(one, target)]
        self._save()
        if not self.context.client.is_dry and (done or self._spared() is not None):
            target = self._check(done)
        if self.kind.set_order is not None:
            self._order(Order(self, source, target))
        if self.kind.goes_with_tasks:
            self.journal.set("emptied", None)
        return target

    def _check(self, done: list[Change]) -> list[Row]:
        """Report changes that the target did not take as they are; return what it has now."""
        spared = self._spared()
        if spared is not None:
            self.remove_duplicates(spared)
            self.journal.resolve(self._made)
        rows = {self.kind.key(row): row for row in self.target_rows()}
        for change in done:
            new = self.objects.known[change.old][0] if change.source is not None else None
            if new in rows:
                change = attrs.evolve(change, target=rows[new], new=new)
                self.objects.resolve(change)
                if not self.objects.is_same(change.source, change.target):
                    why = "the target stored something else"
                    self.context.found.add(Difference(self.kind.name, change.old, new, why=why))
        self._save()
        return list(rows.values())

    def _order(self, order: Order) -> None:
        change = order.change()
        what = change and change.under(self.context.conflicts)
        if what == "apply" and has(self.context.client, VIEW_ORDER):
            order.apply()
            self.tally.updated += 1
        elif what == "keep":
            order.save()
        elif change:
            self.context.found.add(change.as_difference())

    # -- one change -------------------------------------------------------------------------------

    def _apply(self, change: Change, target: list[Row]) -> bool:
        """Make, change or delete an object of the target; return whether it was done."""
        if change.source is None:
            self._delete(change.target)
            self.objects.applied(change)
            self.tally.deleted += 1
            return True
        if self._is_left(change):
            return False
        self.objects.expect(change)
        self._save()
        new = self._send(change, target)
        if new is None:
            self.objects.expected.clear()
            return False
        self.objects.applied(change, new)
        self._save()
        self.tally.created += change.target is None
        self.tally.updated += change.target is not None
        return True

    def _send(self, change: Change, target: list[Row]) -> Key | None:
        """Return the key of the object in the target; None if it is refused, or left out."""
        if change.target is None:
            return self._make(change.source, target)
        if self.kind.is_fixed(change.source, change.target):
            return self._replace(change, target)
        return self._update(change)

    def _make(self, row: Row, target: list[Row]) -> Key | None:
        """Make an object, unless it is there; what was there before tells duplicates later."""
        if self._spared() is None:
            self.journal.intent(self._made, [self.kind.key(one) for one in target])
        kind, key = self.kind, self.kind.key(row)
        secrets = self._secrets_of(row) if kind.credentials else {}
        if secrets is None:
            self._set_left_out(row, True)
            return None

        def make() -> Key:
            fields = {name: row[name] for name in kind.written if row.get(name) is not None}
            made = kind.objects(self.context.project, row).create(**fields, **secrets)
            return kind.key({**row, "id": made.id})

        try:
            new = exactly_once(lambda: self._twin(row), make, self.context.client)
        except _REFUSED as error:
            self.tally.fail(len(self.tally.failed), key, error)
            return None
        self.moved.put({key: new})
        self._set_left_out(row, False)
        return new

    def _update(self, change: Change) -> Key | None:
        kind, source, target = self.kind, change.source, change.target
        ours, theirs = kind.whole(source), kind.whole(target)
        secrets = (self._secrets_of(source) if self._needs_secrets(change) else None) or {}
        names = [name for name in kind.written if ours.get(name) != theirs.get(name)]
        fields = {name: source[name] for name in names if name in source} | secrets
        try:
            obj = kind.objects(self.context.client, target).get(target["id"])
            for name, value in fields.items():
                setattr(obj, name, value)
            obj.save(fields=fields)
        except _REFUSED as error:
            self.tally.fail(len(self.tally.failed), change.old, error)
            return None
        return kind.key(target)

    def _replace(self, change: Change, target: list[Row]) -> Key | None:
        """Make an object anew that cannot be changed, and delete the old one."""
        intent = f"replaced {self.kind.name} {change.new}"
        self.journal.intent(intent, {"id": change.target["id"]})
        was = self.journal.get(_order_of(self.kind))
        if was is not None:  # its new place was not chosen
            order = [[id for id in one if id != change.old] for one in was]
            self.journal.set(_order_of(self.kind), order)
        new = self._make(change.source, target)
        if new is not None:
            self._delete(change.target)
        self.journal.resolve(intent)
        return new

    def _finish_replacing(self) -> bool:
        """Delete what a run that was killed has replaced; return whether there was something."""
        begun = f"replaced {self.kind.name} "
        intents = self.journal.open_intents()
        replaced = {name: row for name, row in intents.items() if name.startswith(begun)}
        for name, row in replaced.items():
            if self.moved.old(row["id"]) is None:
                self._delete(row)
            self.journal.resolve(name)
        return bool(replaced)

    def _delete(self, row: Row) -> None:
        """Delete an object of the target, if it is still there."""
        with suppress(DoesNotExist):
            self.kind.objects(self.context.client, row).ref(row["id"]).delete()

    # -- secrets ----------------------------------------------------------------------------------

    def _secrets_of(self, row: Row) -> dict[str, Any] | None:
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

    def _needs_secrets(self, change: Change) -> bool:
        """Return whether an object needs secrets that the target does not have."""
        has_none = change.target is None or not self.kind.needs_secrets(change.target)
        return self.kind.needs_secrets(change.source) and has_none

    def _is_left(self, change: Change) -> bool:
        """Return whether an object stays as it is for want of secrets."""
        if self.context.secrets is not no_secrets:
            return False
        if change.new is None and change.old in left_out(self.journal, self.kind):
            return True
        if not self._needs_secrets(change):
            return False
        how = "created" if change.target is None else "changed"
        new = None if change.target is None else change.new
        why = f"{how} in the source, and its secrets are not known"
        self.context.found.add(Difference(self.kind.name, change.old, new, why=why))
        return True

    def _set_left_out(self, row: Row, is_left_out: bool) -> None:
        keys, key = left_out(self.journal, self.kind), self.kind.key(row)
        if is_left_out is (key in keys):
            return
        left = [*keys, key] if is_left_out else [one for one in keys if one != key]
        self.journal.set(f"{self.kind.name} left out", left)
        if is_left_out and self.kind.is_opt_in(key):
            self.context.lose({f"{self.kind.name}.export": [key]})

    # -- duplicates -------------------------------------------------------------------------------

    def _spared(self) -> list[Key] | None:
        keys: list[Key] | None = self.journal.open_intents().get(self._made)
        return keys

    def _unmatched(self, rows: Iterable[Row]) -> Iterator[tuple[Row, str]]:
        """Yield objects of the target that are no copies, with the digests of their content."""
        for row in rows:
            if self.moved.old(self.kind.key(row)) is None:
                yield row, digest(self.kind.whole(row))

    def _twin(self, row: Row) -> Key | None:
        """Return the key of an equal object of the target that is not a copy of another one."""
        target = () if self.context.client.is_dry else self.target_rows()
        wanted = digest(self.kind.whole(row))
        keys = (self.kind.key(one) for one, mark in self._unmatched(target) if mark == wanted)
        return next(keys, None)

    def remove_duplicates(self, spared: Collection[Key] = ()) -> int:
        """Delete objects that equal a copied one but were not recorded as copies; return how many.

        ``spared``: the keys of those that stay.
        """
        key, rows = self.kind.key, self.target_rows()
        copies = {
            digest(self.kind.whole(row)) for row in rows if self.moved.old(key(row)) is not None
        }
        doomed = [
            row for row, mark in self._unmatched(rows) if mark in copies and key(row) not in spared
        ]
        for row in doomed:
            self._delete(row)
        return len(doomed)

    # -- what both sides held ---------------------------------------------------------------------

    def _load(self) -> None:
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
            self.objects.reconcile(self.target_rows())
            self._save()

    def _save(self) -> None:
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


class Order:
    """The order of the objects that both sides have, by their ids in the source.

    ``ours`` is that of the source, ``theirs`` that of the target.
    """

    def __init__(self, related: Related, source: Sequence[Row], target: Sequence[Row]) -> None:
        self.related, self.journal, self.moved = related, related.journal, related.moved
        self.name = _order_of(related.kind)
        self.target = [row["id"] for row in target]
        ours = [row["id"] for row in source]
        self.theirs = [old for id in self.target if (old := self.moved.old(id)) in ours]
        self.ours = [id for id in ours if id in self.theirs]

    def save(self) -> None:
        """Write into the journal that both are known to be what they are now."""
        self.journal.set(self.name, [self.ours, self.theirs])
        self.journal.set(f"{self.name} expected", None)

    def change(self) -> Change | None:
        """Return the change of the order, if it is not the same; new objects do not count."""
        was = self.journal.get(self.name)
        if self.ours == self.theirs:
            if was != [self.ours, self.theirs]:
                self.save()
            return None
        by: Side | None = None
        wanted = self.journal.get(f"{self.name} expected")
        if wanted is not None and _of(wanted, self.theirs) == _of(self.theirs, wanted):
            was = [wanted, wanted]
        if was is not None:
            both = set(was[0]) & set(self.ours)
            before, now = (
                [_of(one, both) for one in pair] for pair in (was, (self.ours, self.theirs))
            )
            if before == now and before[0] != before[1]:
                return None  # the target's was kept
            if before[1] == now[1]:
                by = "source"
            elif before[0] == now[0]:
                by = "target"
        context = self.related.context
        ids = context.facts["project"], context.project.id
        return Change(self.related.objects, self.ours, self.theirs, by, *ids, "order")

    def apply(self) -> None:
        """Put the target's objects into the source's order; its own stay in their places."""
        assert self.related.kind.set_order is not None
        self.journal.set(f"{self.name} expected", self.ours)
        new, ours = iter(self.moved.get(old) for old in self.ours), set(self.theirs)
        wanted = [next(new) if self.moved.old(id) in ours else id for id in self.target]
        self.related.kind.set_order(self.related.context.project, wanted)
        self.theirs = self.ours
        self.save()


def _of(order: Iterable[Any], some: Collection[Any]) -> list[Any]:
    """Return the members of an order that are among some."""
    return [id for id in order if id in some]


def left_out(journal: Journal, kind: Kind) -> list[Key]:
    """Return the keys of the objects that a copy left out on purpose."""
    keys: list[Key] = journal.get(f"{kind.name} left out", [])
    return keys


def _order_of(kind: Kind) -> str:
    """Return the name in the journal of the order that both sides had."""
    return f"order of {kind.name}"


def parts_of(journal: Journal) -> frozenset[str]:
    """Return the parts of a copy; without a copy only the files that tasks name."""
    return frozenset(journal.get("parts", ["files"]))


def no_secrets(kind: str, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Give no secrets, and leave out the objects that need some."""
    return None if KINDS[kind].needs_secrets(dict(row)) else {}


@lru_cache
def _slow_digest(text: str, salt: str) -> str:
    """Return a slow digest, which another journal has another of."""
    found = hashlib.pbkdf2_hmac("sha256", text.encode(), bytes.fromhex(salt), _ROUNDS, 16)
    return found.hex()
