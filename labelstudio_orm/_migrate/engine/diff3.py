"""Compares a source and a target with their base: what both were when they were last the same.

A base has two digests of each value and of each object: of what the source and of what the target
held. They show which side changed what.

What is about to be written is recorded before (``expect``): if the process ends before it can
record that it was done, the content of the target shows it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import attrs

from ..._reports import Difference
from . import fingerprints as content
from .fingerprints import CONTENTS, digest
from .pairing import pair_up

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from .journal import Key


Side: TypeAlias = Literal["source", "target"]

Conflicts: TypeAlias = Literal["report", "source", "target"]
"""Whose version stays, of what was changed on both sides; ``"report"``: each keeps its own."""

NEVER: Final = "-"
"""The digest of what did not exist."""

UNKNOWN: Final = (NEVER, NEVER)
"""The digests of what both sides held if that is not known."""


@attrs.frozen
class Change:
    """A field or an object that differs from its base, of which it is in this ``part``.

    ``source`` and ``target`` are the rows (or values) of both sides, None where a side has none.
    ``by`` is the side that changed it, None if both did; ``reason`` describes what else happened.
    ``old`` and ``new`` are the keys of the object, or of that which the field is of, on both sides.
    """

    part: Fields | Objects = attrs.field(repr=False, eq=False)
    source: Any
    target: Any
    by: Side | None
    old: Any = None
    new: Any = None
    field: str = ""
    reason: str = ""

    @property
    def kind(self) -> str:
        """The kind of the object."""
        return self.part.kind

    def under(self, conflicts: Conflicts) -> Literal["apply", "keep", "report"]:
        """Return whether to apply it to the target, to keep the target's, or to report it."""
        if self.by == "source" or (self.by is None and conflicts == "source"):
            return "apply"
        return "keep" if self.by is None and conflicts == "target" else "report"

    @property
    def why(self) -> str:
        """Which side changed it, in words."""
        if self.reason:
            return self.reason
        if self.field or not (self.source is None or self.target is None):
            return f"changed in the {self.by}" if self.by else "changed on both sides"
        if self.source is None:
            if self.by == "target":
                return "created in the target"
            return "deleted in the source, changed in the target"
        if self.by == "target":
            return "deleted in the target"
        return "changed in the source, deleted in the target"

    def as_difference(self) -> Difference:
        """Return it for a report."""
        if self.field:
            values = self.field, self.source, self.target
            return Difference(self.kind, self.old, self.new, *values, self.why)
        old, new = (row and key for row, key in ((self.source, self.old), (self.target, self.new)))
        return Difference(self.kind, old, new, why=self.why)


def _tuples(marks: Mapping[Any, Iterable[Any]] | None) -> dict[Any, tuple[Any, ...]]:
    return {key: tuple(one) for key, one in (marks or {}).items()}


_Marks: TypeAlias = "dict[Any, tuple[Any, ...]]"


@attrs.define(eq=False, on_setattr=[])
class Fields:
    """Values by name, compared in a ``form``.

    ``known`` has what both sides held, ``expected`` what they hold if a write that was under way is
    done. ``ids`` are those of the object that has them, on both sides.
    """

    kind: str
    known: _Marks = attrs.field(default=None, converter=_tuples)
    form: Callable[[Any], Any] = lambda value: value
    expected: _Marks = attrs.field(default=None, converter=_tuples)
    ids: tuple[Any, Any] = (None, None)

    def reconcile(self, target: Row) -> None:
        """Record which of the writes that were under way are done."""
        for name, pair in self.expected.items():
            if name in target and digest(target[name]) == pair[1]:
                self.known[name] = pair
        self.expected.clear()

    def changes(self, source: Row, target: Row) -> Iterator[Change]:
        """Yield what differs from the base and between the sides; record what is the same now."""
        self.reconcile(target)
        for name, ours in source.items():
            theirs = target[name]
            now = digest(ours), digest(theirs)
            if digest(self.form(ours)) == digest(self.form(theirs)):
                self.known[name] = now
            elif now != (was := self.known.get(name, UNKNOWN)):
                yield Change(self, ours, theirs, _changed_by(was, now), *self.ids, name)

    def resolve(self, change: Change) -> None:
        """Record that both sides are known as they are now."""
        self.known[change.field] = digest(change.source), digest(change.target)

    def expect(self, change: Change) -> None:
        """Record that the target is about to get the source's version."""
        self.expected[change.field] = digest(change.source), digest(change.source)

    def refused(self, change: Change) -> None:
        """Record that the target refused a change, and is as it was."""
        self.expected.pop(change.field, None)

    def applied(self, change: Change, new: Key | None = None) -> None:
        """Record that the target has the source's version; ``new`` is of no use to a field."""
        self.expected.pop(change.field, None)
        self.resolve(attrs.evolve(change, target=change.source))

    def found(self, target: Row) -> None:
        """Take the target's present content as the result of the copy; only later changes count."""
        self.reconcile(target)
        for name, (ours, _) in self.known.items():
            if name in target:
                self.known[name] = ours, digest(target[name])


@attrs.define(eq=False, on_setattr=[])
class Objects:
    """Objects of one kind.

    ``known`` has, by the key in the source, the key in the target (None: it was created, and not
    found there yet) and what both sides held; ``expected`` has what they hold if a write that was
    under way is done. ``own`` returns a row as the source itself has it; ``mark`` returns what
    stands for a row, by default the digest of its content.
    """

    kind: str
    content_of: Callable[[Row], dict[str, Any]]
    known: _Marks = attrs.field(default=None, converter=_tuples)
    key: Callable[[Row], Any] = itemgetter("id")
    own: Callable[[Row], Row] = lambda row: row
    mark: Callable[[Row], str] = attrs.field()
    expected: _Marks = attrs.field(default=None, converter=_tuples)

    @mark.default
    def _digest_of_content(self) -> Callable[[Row], str]:
        return lambda row: digest(self.content_of(row))

    def reconcile(self, target: Iterable[Row]) -> dict[Any, str]:
        """Find in the target what was created, and which writes that were under way are done.

        Returns what stands for the rows that were looked at, by key.
        """
        unmet = {old: tuple(was) for old, (new, *was) in self.known.items() if new is None}
        if not unmet and not self.expected:
            return {}
        rows = {self.key(row): row for row in target}
        for old, pair in self.expected.items():
            new = self.known.get(old, (None,))[0]
            if new in rows and self.mark(rows[new]) == pair[1]:
                self.known[old] = (new, *pair)
            elif new is None or new in rows:  # if it was made, or made anew
                unmet[old] = pair
        self.expected.clear()
        free = {key: row for key, row in rows.items() if key not in self._taken()}
        marks = {key: self.mark(row) for key, row in free.items()}
        origins = {key: row.get("import_id") for key, row in free.items()}
        for old, pair in list(unmet.items()):
            key = next((key for key in free if marks[key] == pair[1]), None)
            if key is not None:
                self.known[old] = (key, *pair)
                del free[key], unmet[old]
        for old, pair in unmet.items():  # changed since by a user
            key = next((key for key in free if origins[key] == old), None)
            if key is not None and self.known.get(old, (None,))[0] is None:
                self.known[old] = (key, *pair)
                del free[key]
        return marks

    def _taken(self) -> set[Any]:
        return {new for new, *_ in self.known.values()}

    def changes(self, source: Iterable[Row], target: Iterable[Row]) -> Iterator[Change]:
        """Yield what differs from the base and between the sides; record what is the same now."""
        ours = {self.key(one): one for one in source}
        theirs = {self.key(one): one for one in target}
        self.reconcile(theirs.values())
        for old, (new, *was) in list(self.known.items()):
            one, other = ours.pop(old, None), theirs.pop(new, None)
            now = self._marks(one, other)
            if one is None and other is None:
                del self.known[old]
            elif self.is_same(one, other):
                self.known[old] = (new, *now)
            elif now != tuple(was):
                yield Change(self, one, other, _changed_by(was, now), old, new)
        for one, other in pair_up(ours.values(), theirs.values(), self.content_of):
            if one is not None and other is not None and self.is_same(one, other):
                # created by a run that ended before it was recorded
                self.known[self.key(one)] = (self.key(other), *self._marks(one, other))
                continue
            if one is not None:
                yield self.creation(one)
            if other is not None:
                yield Change(self, None, other, "target", new=self.key(other))

    def creation(self, row: Row) -> Change:
        """Return the change for an object that is new in the source."""
        return Change(self, row, None, "source", self.key(row))

    def is_same(self, one: Row | None, other: Row | None) -> bool:
        """Return whether two rows have the same content."""
        if one is None or other is None:
            return one is other
        return digest(self.content_of(one)) == digest(self.content_of(other))

    def expect(self, change: Change) -> None:
        """Record that the target is about to get the source's version."""
        if change.source is not None:
            self.expected[change.old] = self._marks(change.source, change.source)

    def found(self, target: Iterable[Row]) -> None:
        """Take the target's present content as the result of the copy; only later changes count."""
        rows = {self.key(row): row for row in target}
        marks = self.reconcile(rows.values())
        for old, (new, ours, _) in self.known.items():
            if new in rows:
                mark = marks[new] if new in marks else self.mark(rows[new])
                self.known[old] = (new, ours, mark)

    def resolve(self, change: Change) -> None:
        """Record that both sides are known as they are now."""
        if change.old is not None:
            self.known[change.old] = (change.new, *self._marks(change.source, change.target))

    def refused(self, change: Change) -> None:
        """Record that the target refused a change, and is as it was."""
        self.expected.pop(change.old, None)

    def applied(self, change: Change, new: Key | None = None) -> None:
        """Record that the target has the source's version; ``new``: the key of what was created."""
        self.expected.pop(change.old, None)
        if change.source is None:
            self.known.pop(change.old, None)
        else:
            marks = self._marks(change.source, change.source)
            self.known[change.old] = (change.new if new is None else new, *marks)

    def _marks(self, one: Row | None, other: Row | None) -> tuple[str, str]:
        return (
            NEVER if one is None else self.mark(self.own(one)),
            NEVER if other is None else self.mark(other),
        )


class Base:
    """What a task and its objects were when both sides were last the same."""

    def __init__(self) -> None:
        self.fields = Fields("tasks")
        self.objects = {kind: Objects(kind, content_of) for kind, content_of in CONTENTS.items()}
        self._parts: dict[str, Fields | Objects] = {"fields": self.fields, **self.objects}

    @classmethod
    def sent(cls, task: Row, overlap: int) -> Base:
        """Return the base of a task that is imported as it is, without its drafts.

        Its ``overlap`` in the target is then this one.
        """
        base = cls()
        fields, made = (content.task_fields(one) for one in (task, {**task, "overlap": overlap}))
        base.fields.known = {name: (digest(fields[name]), digest(made[name])) for name in fields}
        for kind in ("annotations", "predictions"):
            known = base.objects[kind].known
            for one in task[kind]:
                known[one["id"]] = (None, *(digest(CONTENTS[kind](one)),) * 2)
        return base

    @classmethod
    def of(cls, source: Row, target: Row) -> Base:
        """Return a base that knows which objects of two tasks stand for each other, but no more."""
        base = cls()
        for kind, part in base.objects.items():
            for one, other in pair_up(source[kind], target[kind], part.content_of):
                if one is not None and other is not None:
                    part.known[one["id"]] = (other["id"], *UNKNOWN)
        return base

    @classmethod
    def parse(cls, text: str) -> Base:
        """Return a base that the journal has."""
        base, raw = cls(), json.loads(text)
        for name, part in base._parts.items():
            key = str if part is base.fields else int
            part.known, part.expected = (
                {key(old): tuple(was) for old, was in held.get(name, {}).items()}
                for held in (raw, raw.get("expected", {}))
            )
        return base

    def __str__(self) -> str:
        """Return the base as the journal keeps it."""
        found: dict[str, Any] = {name: part.known for name, part in self._parts.items()}
        if any(part.expected for part in self._parts.values()):
            found["expected"] = {name: part.expected for name, part in self._parts.items()}
        return json.dumps(found, separators=(",", ":"))

    def changes(self, source: Row, target: Row) -> Iterator[Change]:
        """Yield what differs from the base and between the sides; record what is the same now."""
        self.fields.ids = source["id"], target["id"]
        yield from self.fields.changes(*map(content.task_fields, (source, target)))
        for kind, part in self.objects.items():
            yield from part.changes(source[kind], target[kind])

    def found(self, target: Row) -> None:
        """Take the target's present content as the result of the copy; only later changes count."""
        self.fields.found(content.task_fields(target))
        for kind, part in self.objects.items():
            part.found(target[kind])


def _changed_by(was: Iterable[str], now: tuple[str, str]) -> Side | None:
    ours, theirs = was
    if ours == now[0]:
        return "target"
    return "source" if theirs == now[1] else None


# -- side effects ----------------------------------------------------------------------------------


def without_side_effects(
    changes: Sequence[Change], source: Row, target: Row, base: Base, conflicts: Conflicts
) -> Iterator[Change]:
    """Yield the changes of a task, as conflicts where they would undo a change of the target.

    An annotation that becomes ground truth takes the mark off all others of its task, and one that
    is deleted takes its drafts with it.
    """
    applied = [one for one in changes if one.under(conflicts) == "apply"]
    for change in changes:
        if change.kind != "annotations" or change.under(conflicts) != "apply":
            yield change
        elif change.source is None:
            yield _keeping_drafts(change, target, base)
        elif change.source["ground_truth"] and not (change.target or {}).get("ground_truth"):
            yield _keeping_marks(change, applied, source, target, base)
        else:
            yield change


def _keeping_drafts(change: Change, target: Row, base: Base) -> Change:
    ours = {new for new, *_ in base.objects["drafts"].known.values()}
    gone = change.target["id"]
    if any(one["annotation"] == gone and one["id"] not in ours for one in target["drafts"]):
        return attrs.evolve(change, by=None)
    return change


def _keeping_marks(
    change: Change, applied: Sequence[Change], source: Row, target: Row, base: Base
) -> Change:
    own = change.target and change.target["id"]
    unmarked = {
        one.target["id"]
        for one in applied
        if one.kind == change.kind and one.target and not (one.source or {}).get("ground_truth")
    }
    marked = {one["id"] for one in target["annotations"] if one["ground_truth"]} - unmarked - {own}
    if not marked:
        return change
    ids = ", ".join(map(str, sorted(marked)))
    reason = f"ground truth in the source, while {ids} is that in the target"
    both = {
        base.objects["annotations"].known[one["id"]][0]
        for one in source["annotations"]
        if one["ground_truth"] and one["id"] in base.objects["annotations"].known
    }
    # Of several marks in the source a server takes but one.
    return attrs.evolve(change, by="target" if marked & both else None, reason=reason)
