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
    from .diff3 import Conflicts, Side
    from .journal import Key
    from .kinds import Kind


def save_bases(related: Related) -> None:
    """Write into the journal what both sides hold at the end of a copy."""
    related.load()
    here, there = related.here(), related.there()
    related.objects.found(there)  # which only the copy has written to
    for _ in related.objects.changes(here, there):
        pass  # these came while it was copied
    related.save()
    if related.kind.set_order is not None:
        order = Order(related, here, there)
        if order.ours == order.theirs:
            order.save()


class RelatedSync(Related):
    """Applies the changes of the source; ``found`` collects the differences."""

    def __init__(
        self, context: MigrationContext, kind: Kind, conflicts: Conflicts, found: Differences
    ) -> None:
        super().__init__(context, kind)
        self.conflicts, self.found = conflicts, found
        self._made = f"made {kind.name}"
        """The intent while objects are made: the keys of those that were there before."""

    def apply(self, only: Callable[[Change], bool] | None = None) -> None:
        """Apply the changes; or ``only`` some, without reporting differences."""
        self.load()
        here, there = self.here(), self.there()
        if self._finish_replacing():
            there = self.there()
        if self.kind.goes_with_tasks and self.journal.get("emptied") and not there:
            self.objects.known.clear()
        changes: Iterator[Change] = (
            one
            for one in self.objects.changes(here, there)
            # A run that was killed may have made what seems to be new in the target.
            if not (one.why == "created in the target" and self.moved.old(one.new))
        )
        if only is not None:
            changes = (one for one in changes if one.under(self.conflicts) == "apply" and only(one))
        changes = applicable(changes, self.conflicts, self.found)
        done = [one for one in changes if self._apply(one, there)]
        self.save()
        if not self.context.client.is_dry and (done or self._spared() is not None):
            there = self._check(done)
        if self.kind.set_order is not None:
            self._order(Order(self, here, there))
        if self.kind.goes_with_tasks:
            self.journal.set("emptied", None)

    # -- one change -------------------------------------------------------------------------------

    def _apply(self, change: Change, there: list[Row]) -> bool:
        """Make, change or delete an object in the target; return whether it was done."""
        if change.here is None:
            self.delete(change.there)
            self.objects.applied(change)
            self.tally.deleted += 1
            return True
        if self._is_left(change):
            return False
        return self.write(change, partial(self._send, change, there))

    def _send(self, change: Change, there: list[Row]) -> Key | None:
        if change.there is None:
            return self._make(change.here, there)
        if self.kind.is_fixed(change.here, change.there):
            return self._replace(change, there)
        return self._update(change)

    def _needs_secrets(self, change: Change) -> bool:
        """Return whether an object needs secrets that the target does not have."""
        has_none = change.there is None or not self.kind.needs_secrets(change.there)
        return self.kind.needs_secrets(change.here) and has_none

    def _is_left(self, change: Change) -> bool:
        """Return whether an object stays as it is for want of secrets."""
        if self.context.secrets is not no_secrets:
            return False
        if change.new is None and change.old in left_out(self.journal, self.kind):
            return True
        if not self._needs_secrets(change):
            return False
        how = "created" if change.there is None else "changed"
        new = None if change.there is None else change.new
        why = f"{how} in the source, and its secrets are not known"
        self.found.add(Difference(self.kind.name, change.old, new, why=why))
        return True

    def _make(self, row: Row, there: list[Row]) -> Key | None:
        """Make an object; a duplicate is recognised later by what was there before."""
        if self._spared() is None:
            self.journal.intent(self._made, [self.kind.key(one) for one in there])
        return self.make(row)

    def _spared(self) -> list[Key] | None:
        keys: list[Key] | None = self.journal.open_intents().get(self._made)
        return keys

    def _update(self, change: Change) -> Key | None:
        kind, here, there = self.kind, change.here, change.there
        ours, theirs = kind.whole(here), kind.whole(there)
        secrets = (self.secrets_of(here) if self._needs_secrets(change) else None) or {}
        names = [name for name in kind.written if ours.get(name) != theirs.get(name)]
        fields = {name: here[name] for name in names if name in here} | secrets
        try:
            obj = kind.objects(self.context.client, there).get(there["id"])
            for name, value in fields.items():
                setattr(obj, name, value)
            obj.save(fields=fields)
        except (LabelStudioError, TypeError, ValueError) as error:
            self.tally.fail(len(self.tally.failed), change.old, error)
            return None
        return kind.key(there)

    def _replace(self, change: Change, there: list[Row]) -> Key | None:
        """Make an object anew that cannot be changed, and delete the old one."""
        intent = f"replaced {self.kind.name} {change.new}"
        self.journal.intent(intent, {"id": change.there["id"]})
        was = self.journal.get(order_of(self.kind))
        if was is not None:  # its new place was not chosen
            order = [[id for id in one if id != change.old] for one in was]
            self.journal.set(order_of(self.kind), order)
        new = self._make(change.here, there)
        if new is not None:
            self.delete(change.there)
        self.journal.resolve(intent)
        return new

    def _finish_replacing(self) -> bool:
        """Delete what a run that was killed has replaced; return whether there was something."""
        begun = f"replaced {self.kind.name} "
        intents = self.journal.open_intents()
        replaced = {name: row for name, row in intents.items() if name.startswith(begun)}
        for name, row in replaced.items():
            if self.moved.old(row["id"]) is None:
                self.delete(row)
            self.journal.resolve(name)
        return bool(replaced)

    def _check(self, done: list[Change]) -> list[Row]:
        """Report changes that the target did not take as they are; return what it has now."""
        spared = self._spared()
        if spared is not None:
            self.remove_duplicates(spared)
            self.journal.resolve(self._made)
        rows = {self.kind.key(row): row for row in self.there()}
        for change in done:
            new = self.objects.known[change.old][0] if change.here is not None else None
            if new in rows:
                change = attrs.evolve(change, there=rows[new], new=new)
                self.objects.resolve(change)
                if not self.objects.is_same(change.here, change.there):
                    why = "the target stored something else"
                    self.found.add(Difference(self.kind.name, change.old, new, why=why))
        self.save()
        return list(rows.values())

    # -- the order --------------------------------------------------------------------------------

    def _order(self, order: Order) -> None:
        change = order.change()
        what = change and change.under(self.conflicts)
        if what == "apply":
            order.apply()
            self.tally.updated += 1
        elif what == "keep":
            order.save()
        elif change:
            self.found.add(change.as_difference())


class Order:
    """The order of the objects that both sides have, by their ids in the source.

    ``ours`` is that of the source, ``theirs`` that of the target.
    """

    def __init__(self, related: Related, here: Sequence[Row], there: Sequence[Row]) -> None:
        self.related, self.journal, self.moved = related, related.journal, related.moved
        self.name = order_of(related.kind)
        self.there = [row["id"] for row in there]
        ours = [row["id"] for row in here]
        self.theirs = [old for id in self.there if (old := self.moved.old(id)) in ours]
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
        wanted = [next(new) if self.moved.old(id) in ours else id for id in self.there]
        self.related.kind.set_order(self.related.context.project, wanted)
        self.theirs = self.ours
        self.save()


def _of(order: Iterable[Any], some: Collection[Any]) -> list[Any]:
    """Return the members of an order that are among some."""
    return [id for id in order if id in some]
