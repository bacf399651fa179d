"""The views, webhooks, storages and ML backends of a copy follow those of the source."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs

from ..._reports import Difference
from ...errors import LabelStudioError
from .diff3 import Change
from .related import ORDER, no_secrets

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from ..._reports import Differences
    from .diff3 import Conflicts, Objects, Side
    from .journal import Journal, Key
    from .related import Belongings, Kind


_WANTED: Final = "order of views expected"
"""How the journal calls that which is about to be set."""


def note_bases(belongings: Belongings) -> None:
    """Take note of what both sides hold at the end of a copy."""
    for kind in belongings.kinds.values():
        objects = belongings.objects(kind)
        here, there = list(kind.here()), list(kind.there())
        objects.found(there)  # of which nobody but the copy has changed anything
        for _ in objects.changes(here, there):
            pass  # these came while it was copied
        belongings.note(kind, objects)
        if kind.name == "views":
            order = Order(belongings, here, there)
            if order.ours == order.theirs:
                order.note()


class Follower:
    """Carries over what changed in the source, kind by kind. ``found``: what is to be told."""

    def __init__(self, belongings: Belongings, conflicts: Conflicts, found: Differences) -> None:
        self.belongings, self.conflicts, self.found = belongings, conflicts, found
        self.context, self.journal = belongings.context, belongings.journal

    def disable_webhooks(self) -> None:
        """Delete and switch off webhooks, before they are told of all the rest."""
        if not self.context.client.is_dry:  # where the same would be planned twice
            self.follow("webhooks", lambda change: not (change.here and change.here["is_active"]))

    def follow(self, name: str, only: Callable[[Change], bool] | None = None) -> None:
        """Carry over what changed of a kind, if it is wanted; ``only`` these changes, and then
        nothing is told.
        """
        if name not in self.belongings.kinds:
            return
        kind = self.belongings.kinds[name]
        objects = self.belongings.objects(kind)
        here, there = list(kind.here()), list(kind.there())
        if objects.expected:
            objects.reconcile(there)
            self.belongings.note(kind, objects)
        if self._finish_replacing(kind):
            there = list(kind.there())
        if name == "views" and self.journal.get("emptied") and not there:
            objects.known.clear()  # the server deletes the views of a project without tasks
        done: list[Change] = []
        for change in objects.changes(here, there):
            what = change.under(self.conflicts)
            if only and not (what == "apply" and only(change)):
                continue
            if what == "report":
                self._tell(kind, change)
            elif what == "keep":
                objects.resolve(change)
            elif self._carry(kind, objects, change, there):
                done.append(change)
        self.belongings.note(kind, objects)
        if not self.context.client.is_dry and (done or self._watched(kind) is not None):
            there = self._check(kind, objects, done)
        if name == "views":
            self._order(Order(self.belongings, here, there))
            self.journal.set("emptied", None)

    def _tell(self, kind: Kind, change: Change) -> None:
        old, new = (row and kind.key(row) for row in (change.here, change.there))
        is_ours = change.why == "created in the target" and self.journal.map(kind.name).old(new)
        if not is_ours:  # by a run that was killed before its note
            self.found.add(change.as_difference(old, new))

    # -- one change -------------------------------------------------------------------------------

    def _carry(self, kind: Kind, objects: Objects, change: Change, there: list[Row]) -> bool:
        """Make, change or delete an object in the target; was that done?"""
        tally = self.context.tallies[kind.name]
        if change.here is None:
            self.belongings.delete(kind, change.there)
            objects.applied(change)
            tally.deleted += 1
            return True
        if self._is_left(kind, change):
            return False
        objects.expect(change)
        self.belongings.note(kind, objects)
        if change.there is None:
            new = self._make(kind, change.here, there)
            tally.created += new is not None
        elif kind.is_fixed(change.here, change.there):
            new = self._replace(kind, change, there)
            tally.updated += new is not None
        else:
            new = self._update(kind, change)
            tally.updated += new is not None
        if new is None:
            objects.expected.clear()
            return False
        objects.applied(change, new)
        return True

    def _needs_secrets(self, kind: Kind, change: Change) -> bool:
        """Does it need secrets that the target does not have?"""
        here, there = (
            row is not None and kind.has_secrets and no_secrets(kind.name, row) is None
            for row in (change.here, change.there)
        )
        return here and not there

    def _is_left(self, kind: Kind, change: Change) -> bool:
        """Is it left as it is, since nobody gives secrets?"""
        if self.belongings.secrets is not no_secrets:
            return False
        key, new = kind.key(change.here), change.there and kind.key(change.there)
        if new is None and key in self.belongings.left_out(kind.name):
            return True
        if not self._needs_secrets(kind, change):
            return False
        why = f"{'changed' if new else 'created'} in the source, and its secrets are not known"
        self.found.add(Difference(kind.name, key, new, why=why))
        return True

    def _make(self, kind: Kind, row: Row, there: list[Row]) -> Key | None:
        """A new object; who makes it twice on the way is found by what was there before."""
        if self._watched(kind) is None:
            self.journal.intent(f"made {kind.name}", [kind.key(one) for one in there])
        return self.belongings.make(kind, row)

    def _watched(self, kind: Kind) -> list[Key] | None:
        keys: list[Key] | None = self.journal.open_intents().get(f"made {kind.name}")
        return keys

    def _update(self, kind: Kind, change: Change) -> Key | None:
        here, there = change.here, change.there
        ours, theirs = kind.content(here), kind.content(there)
        needed = self._needs_secrets(kind, change)
        secrets = (self.belongings.secrets_of(kind, here) if needed else None) or {}
        names = [name for name in kind.names if ours.get(name) != theirs.get(name)]
        fields = {name: here[name] for name in names if name in here} | secrets
        tally = self.context.tallies[kind.name]
        try:
            obj = kind.of(self.context.client, there).get(there["id"])
            for name, value in fields.items():
                setattr(obj, name, value)
            obj.save(fields=fields)
        except (LabelStudioError, TypeError, ValueError) as error:
            tally.fail(len(tally.failed), kind.key(here), error)
            return None
        key: Key = kind.key(there)
        return key

    def _replace(self, kind: Kind, change: Change, there: list[Row]) -> Key | None:
        """Another one in the place of what cannot be changed."""
        intent = f"replaced {kind.name} {kind.key(change.there)}"
        self.journal.intent(intent, {"id": change.there["id"]})
        forget_place(self.journal, kind.key(change.here))
        new = self._make(kind, change.here, there)
        if new is not None:
            self.belongings.delete(kind, change.there)
        self.journal.resolve(intent)
        return new

    def _finish_replacing(self, kind: Kind) -> bool:
        """Delete what a run that was killed has replaced, and not deleted; was there such a one?"""
        moved, found = self.journal.map(kind.name), False
        for name, row in self.journal.open_intents().items():
            if name.startswith(f"replaced {kind.name} "):
                if moved.old(row["id"]) is None:
                    self.belongings.delete(kind, row)
                self.journal.resolve(name)
                found = True
        return found

    def _check(self, kind: Kind, objects: Objects, done: list[Change]) -> list[Row]:
        """What was carried over is now what the source has; returns what the target has."""
        spared = self._watched(kind)
        if spared is not None:
            self.belongings.remove_duplicates_of(kind, spared)
            self.journal.resolve(f"made {kind.name}")
        rows = {kind.key(row): row for row in kind.there()}
        for change in done:
            if change.here is None:
                continue
            old = kind.key(change.here)
            there = rows.get(objects.known[old][0])
            if there is not None:
                objects.resolve(attrs.evolve(change, there=there))
                if not objects.is_same(change.here, there):
                    why = "the target has made something else of it"
                    self.found.add(Difference(kind.name, old, kind.key(there), why=why))
        self.belongings.note(kind, objects)
        return list(rows.values())

    # -- the order of views -----------------------------------------------------------------------

    def _order(self, order: Order) -> None:
        change = order.change()
        if change is None:
            return
        what = change.under(self.conflicts)
        if what == "report":
            project = self.context.facts["project"], self.context.project.id
            self.found.add(change.as_difference(*project))
            return
        if what == "apply":
            self.journal.set(_WANTED, order.ours)
            self.context.project.views.set_order(order.wanted())
            order.theirs = order.ours
            self.context.tallies["views"].updated += 1
        order.note()


def forget_place(journal: Journal, view: Key) -> None:
    """One that is made anew has the place of a new one, and nobody has put it there."""
    was = journal.get(ORDER)
    if was is not None:
        journal.set(ORDER, [[id for id in one if id != view] for one in was])


class Order:
    """In which order the views are that both sides have: ``ours`` and ``theirs``, by their ids in
    the source.
    """

    def __init__(self, belongings: Belongings, here: Sequence[Row], there: Sequence[Row]) -> None:
        self.journal, self.moved = belongings.journal, belongings.journal.map("views")
        self.there = [row["id"] for row in there]
        ours = [row["id"] for row in here]
        self.theirs = [old for id in self.there if (old := self.moved.old(id)) in ours]
        self.ours = [id for id in ours if id in self.theirs]

    def note(self) -> None:
        """Both are known to be what they are now."""
        self.journal.set(ORDER, [self.ours, self.theirs])
        self.journal.set(_WANTED, None)

    def change(self) -> Change | None:
        """Who changed it, as far as it is not the same. Those that are new say nothing of that."""
        was = self.journal.get(ORDER)
        if self.ours == self.theirs:
            if was != [self.ours, self.theirs]:
                self.note()
            return None
        by: Side | None = None
        wanted = self.journal.get(_WANTED)
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
        return Change("views", "order", self.ours, self.theirs, by)

    def wanted(self) -> list[Any]:
        """All views of the target in the source's order; its own stay where they are."""
        new = iter(self.moved.get(old) for old in self.ours)
        ours = set(self.theirs)
        return [next(new) if self.moved.old(id) in ours else id for id in self.there]


def _of(order: Iterable[Any], some: Collection[Any]) -> list[Any]:
    """Those of an order that are among some."""
    return [id for id in order if id in some]
