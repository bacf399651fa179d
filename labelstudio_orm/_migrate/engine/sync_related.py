"""Synchronising the views, webhooks, storages and ML backends of a copy with the source."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from ..._reports import Difference
from ...errors import LabelStudioError
from .diff3 import Change, applicable
from .related import Related, left_out, no_secrets, order_of

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from ..._reports import Differences
    from .context import MigrationContext
    from .diff3 import Conflicts, Objects, Side
    from .journal import Journal, Key
    from .kinds import Kind


def save_bases(related: Related) -> None:
    """Write into the journal what both sides hold at the end of a copy."""
    for kind in related.kinds:
        objects = related.objects(kind)
        here, there = list(related.here(kind)), list(related.there(kind))
        objects.found(there)  # which only the copy has written to
        for _ in objects.changes(here, there):
            pass  # these came while it was copied
        related.save(kind, objects)
        if kind.set_order is not None:
            order = Order(related, kind, here, there)
            if order.ours == order.theirs:
                order.save()


class RelatedSync(Related):
    """Applies the changes of the source, kind by kind; ``found`` collects the differences."""

    def __init__(self, context: MigrationContext, conflicts: Conflicts, found: Differences) -> None:
        super().__init__(context)
        self.conflicts, self.found = conflicts, found

    def disable_listeners(self) -> None:
        """Delete and switch off webhooks before the other changes trigger them."""

        def is_off(change: Change) -> bool:
            return not (change.here and change.here.get("is_active", True))

        for kind in self.kinds if not self.context.client.is_dry else ():
            if kind.is_listener:  # in a dry run the same would be planned twice
                self._apply_kind(kind, is_off)

    def apply(self, *, listeners: bool) -> None:
        """Apply the changes of the kinds that listen to changes, or of all others."""
        for kind in self.kinds:
            if kind.is_listener is listeners:
                self._apply_kind(kind)

    def _apply_kind(self, kind: Kind, only: Callable[[Change], bool] | None = None) -> None:
        """Apply the changes of a kind; or ``only`` some, without reporting differences."""
        objects = self.objects(kind)
        here, there = list(self.here(kind)), list(self.there(kind))
        if self._finish_replacing(kind):
            there = list(self.there(kind))
        if kind.goes_with_tasks and self.journal.get("emptied") and not there:
            objects.known.clear()
        moved = self.journal.map(kind.name)
        changes: Iterator[Change] = (
            one
            for one in objects.changes(here, there)
            # A run that was killed may have made what seems to be new in the target.
            if not (one.why == "created in the target" and moved.old(one.new))
        )
        if only is not None:
            changes = (one for one in changes if one.under(self.conflicts) == "apply" and only(one))
        changes = applicable(changes, self.conflicts, self.found)
        done = [one for one in changes if self._apply(kind, objects, one, there)]
        self.save(kind, objects)
        if not self.context.client.is_dry and (done or self._watched(kind) is not None):
            there = self._check(kind, objects, done)
        if kind.set_order is not None:
            self._order(kind, objects, Order(self, kind, here, there))
        if kind.goes_with_tasks:
            self.journal.set("emptied", None)

    # -- one change -------------------------------------------------------------------------------

    def _apply(self, kind: Kind, objects: Objects, change: Change, there: list[Row]) -> bool:
        """Make, change or delete an object in the target; return whether it was done."""
        if change.here is None:
            self.delete(kind, change.there)
            objects.applied(change)
            self.context.tallies[kind.name].deleted += 1
            return True
        if self._is_left(kind, change):
            return False
        return self.write(kind, objects, change, partial(self._send, kind, change, there))

    def _send(self, kind: Kind, change: Change, there: list[Row]) -> Key | None:
        if change.there is None:
            return self._make(kind, change.here, there)
        if kind.is_fixed(change.here, change.there):
            return self._replace(kind, change, there)
        return self._update(kind, change)

    def _needs_secrets(self, kind: Kind, change: Change) -> bool:
        """Return whether an object needs secrets that the target does not have."""
        has_none = change.there is None or not kind.needs_secrets(change.there)
        return kind.needs_secrets(change.here) and has_none

    def _is_left(self, kind: Kind, change: Change) -> bool:
        """Return whether an object stays as it is for want of secrets."""
        if self.secrets is not no_secrets:
            return False
        key, new = kind.key(change.here), change.there and kind.key(change.there)
        if new is None and key in left_out(self.journal, kind):
            return True
        if not self._needs_secrets(kind, change):
            return False
        why = f"{'changed' if new else 'created'} in the source, and its secrets are not known"
        self.found.add(Difference(kind.name, key, new, why=why))
        return True

    def _make(self, kind: Kind, row: Row, there: list[Row]) -> Key | None:
        """Make an object; a duplicate is recognised later by what was there before."""
        if self._watched(kind) is None:
            self.journal.intent(f"made {kind.name}", [kind.key(one) for one in there])
        return self.make(kind, row)

    def _watched(self, kind: Kind) -> list[Key] | None:
        keys: list[Key] | None = self.journal.open_intents().get(f"made {kind.name}")
        return keys

    def _update(self, kind: Kind, change: Change) -> Key | None:
        here, there = change.here, change.there
        ours, theirs = kind.whole(here), kind.whole(there)
        needed = self._needs_secrets(kind, change)
        secrets = (self.secrets_of(kind, here) if needed else None) or {}
        names = [name for name in kind.written if ours.get(name) != theirs.get(name)]
        fields = {name: here[name] for name in names if name in here} | secrets
        tally = self.context.tallies[kind.name]
        try:
            obj = kind.objects(self.context.client, there).get(there["id"])
            for name, value in fields.items():
                setattr(obj, name, value)
            obj.save(fields=fields)
        except (LabelStudioError, TypeError, ValueError) as error:
            tally.fail(len(tally.failed), kind.key(here), error)
            return None
        key: Key = kind.key(there)
        return key

    def _replace(self, kind: Kind, change: Change, there: list[Row]) -> Key | None:
        """Make an object anew that cannot be changed, and delete the old one."""
        intent = f"replaced {kind.name} {kind.key(change.there)}"
        self.journal.intent(intent, {"id": change.there["id"]})
        _forget_place(self.journal, kind, kind.key(change.here))
        new = self._make(kind, change.here, there)
        if new is not None:
            self.delete(kind, change.there)
        self.journal.resolve(intent)
        return new

    def _finish_replacing(self, kind: Kind) -> bool:
        """Delete what a run that was killed has replaced; return whether there was something."""
        moved, found = self.journal.map(kind.name), False
        for name, row in self.journal.open_intents().items():
            if name.startswith(f"replaced {kind.name} "):
                if moved.old(row["id"]) is None:
                    self.delete(kind, row)
                self.journal.resolve(name)
                found = True
        return found

    def _check(self, kind: Kind, objects: Objects, done: list[Change]) -> list[Row]:
        """Report changes that the target did not take as they are; return what it has now."""
        spared = self._watched(kind)
        if spared is not None:
            self.remove_duplicates(kind, spared)
            self.journal.resolve(f"made {kind.name}")
        rows = {kind.key(row): row for row in self.there(kind)}
        for change in done:
            if change.here is None:
                continue
            old = kind.key(change.here)
            there = rows.get(objects.known[old][0])
            if there is not None:
                objects.resolve(attrs.evolve(change, there=there, new=kind.key(there)))
                if not objects.is_same(change.here, there):
                    why = "the target stored something else"
                    self.found.add(Difference(kind.name, old, kind.key(there), why=why))
        self.save(kind, objects)
        return list(rows.values())

    # -- the order --------------------------------------------------------------------------------

    def _order(self, kind: Kind, objects: Objects, order: Order) -> None:
        projects = self.context.facts["project"], self.context.project.id
        change = order.change(objects, *projects)
        if change is None or kind.set_order is None:
            return
        what = change.under(self.conflicts)
        if what == "report":
            self.found.add(change.as_difference())
            return
        if what == "apply":
            order.expect()
            kind.set_order(self.context.project, order.wanted())
            order.theirs = order.ours
            self.context.tallies[kind.name].updated += 1
        order.save()


def _forget_place(journal: Journal, kind: Kind, key: Key) -> None:
    """Forget the place of an object that is made anew: its new place was not chosen."""
    was = journal.get(order_of(kind))
    if was is not None:
        journal.set(order_of(kind), [[id for id in one if id != key] for one in was])


class Order:
    """The order of the objects that both sides have, by their ids in the source.

    ``ours`` is that of the source, ``theirs`` that of the target.
    """

    def __init__(
        self, related: Related, kind: Kind, here: Sequence[Row], there: Sequence[Row]
    ) -> None:
        self.kind, self.journal = kind, related.journal
        self.moved = related.journal.map(kind.name)
        self.there = [row["id"] for row in there]
        ours = [row["id"] for row in here]
        self.theirs = [old for id in self.there if (old := self.moved.old(id)) in ours]
        self.ours = [id for id in ours if id in self.theirs]

    def save(self) -> None:
        """Write into the journal that both are known to be what they are now."""
        self.journal.set(order_of(self.kind), [self.ours, self.theirs])
        self.journal.set(f"{order_of(self.kind)} expected", None)

    def expect(self) -> None:
        """Write into the journal which order is about to be set."""
        self.journal.set(f"{order_of(self.kind)} expected", self.ours)

    def change(self, objects: Objects, source: int, target: int) -> Change | None:
        """Return the change of the order, if it is not the same; new objects do not count."""
        was = self.journal.get(order_of(self.kind))
        if self.ours == self.theirs:
            if was != [self.ours, self.theirs]:
                self.save()
            return None
        by: Side | None = None
        wanted = self.journal.get(f"{order_of(self.kind)} expected")
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
        return Change(objects, self.ours, self.theirs, by, source, target, "order")

    def wanted(self) -> list[int]:
        """Return all objects of the target in the source's order; its own stay in their places."""
        new = iter(self.moved.get(old) for old in self.ours)
        ours = set(self.theirs)
        return [next(new) if self.moved.old(id) in ours else id for id in self.there]


def _of(order: Iterable[Any], some: Collection[Any]) -> list[Any]:
    """Return the members of an order that are among some."""
    return [id for id in order if id in some]
