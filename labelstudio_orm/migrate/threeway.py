"""Three sides of a task: the source, the target, and what both were when they were last the same.

The last is a base: for each field of the task and for each annotation, prediction and draft two
digests, of what the source and of what the target held. So it can be told who changed what.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import attrs

from . import content
from .content import digest
from .verifying import pair_up

if TYPE_CHECKING:
    from .source import Row

FIELDS: Final = ("data", "meta", "overlap")

CONTENTS: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "annotations": content.annotation_content,
    "predictions": content.prediction_content,
    "drafts": content.draft_content,
}

Side: TypeAlias = Literal["source", "target"]

NEVER: Final = "-"
"""The digest of what was not there."""


@attrs.frozen
class Change:
    """One field of a task, or one object of it, that is not what it was; ``here`` and ``there`` are
    the rows (or values) of both sides, None where there is none. ``by``: who changed it, None is
    both.
    """

    kind: str
    field: str
    here: Any
    there: Any
    by: Side | None


class Base:
    """What a task and its objects were: ``fields`` by name, ``objects`` by kind and by the id in
    the source: the id in the target and both digests.
    """

    def __init__(
        self,
        fields: dict[str, tuple[str, str]] | None = None,
        objects: dict[str, dict[int, tuple[int, str, str]]] | None = None,
    ) -> None:
        self.fields = fields or {}
        self.objects = objects or {kind: {} for kind in CONTENTS}

    @classmethod
    def of(cls, here: Row, there: Row, *, was: Side | None = None) -> Base:
        """Of two tasks as they are now; ``was``: both were what this side still is."""
        base = cls()
        ours, theirs = content.task_fields(here), content.task_fields(there)
        for name in FIELDS:
            base.fields[name] = _as_it_was(digest(ours[name]), digest(theirs[name]), was)
        for kind, content_of in CONTENTS.items():
            for one, other in pair_up(here[kind], there[kind], content_of):
                if one is not None and other is not None:
                    pair = _as_it_was(digest(content_of(one)), digest(content_of(other)), was)
                    base.objects[kind][one["id"]] = (other["id"], *pair)
        return base

    @classmethod
    def parse(cls, text: str) -> Base:
        """From the journal."""
        raw = json.loads(text)
        fields = {name: (pair[0], pair[1]) for name, pair in raw["fields"].items()}
        objects = {
            kind: {int(old): (one[0], one[1], one[2]) for old, one in raw[kind].items()}
            for kind in CONTENTS
        }
        return cls(fields, objects)

    def __str__(self) -> str:
        """For the journal."""
        return json.dumps({"fields": self.fields, **self.objects}, separators=(",", ":"))

    def changes(self, here: Row, there: Row) -> Iterator[Change]:
        """What is not what it was and not the same on both sides. What is the same now is taken
        note of.
        """
        ours, theirs = content.task_fields(here), content.task_fields(there)
        for name in FIELDS:
            pair = digest(ours[name]), digest(theirs[name])
            if pair[0] == pair[1]:
                self.fields[name] = pair
            elif pair != (known := self.fields.get(name, (NEVER, NEVER))):
                yield Change("tasks", name, ours[name], theirs[name], _who(known, pair))
        for kind in CONTENTS:
            yield from self._object_changes(kind, here[kind], there[kind])

    def _object_changes(self, kind: str, here: list[Row], there: list[Row]) -> Iterator[Change]:
        content_of, known = CONTENTS[kind], self.objects[kind]
        ours, theirs = {one["id"]: one for one in here}, {one["id"]: one for one in there}
        for old, (new, *pair) in list(known.items()):
            one, other = ours.pop(old, None), theirs.pop(new, None)
            if one is None and other is None:
                del known[old]
                continue
            now = _digest(content_of, one), _digest(content_of, other)
            if now[0] == now[1]:
                known[old] = (new, *now)
            elif now != (pair[0], pair[1]):
                yield Change(kind, "", one, other, _who((pair[0], pair[1]), now))
        for one, other in pair_up(ours.values(), theirs.values(), content_of):
            now = _digest(content_of, one), _digest(content_of, other)
            if one is not None and other is not None and now[0] == now[1]:
                known[one["id"]] = (other["id"], *now)  # made by a run that ended before its note
            else:
                if one is not None:
                    yield Change(kind, "", one, None, "source")
                if other is not None:
                    yield Change(kind, "", None, other, "target")

    def settle(self, change: Change, new: int | None = None) -> None:
        """Both sides are known to be what they are now: ``new`` is the id of what was made of an
        object in the target.
        """
        if change.kind == "tasks":
            self.fields[change.field] = digest(change.here), digest(change.there)
            return
        content_of, known = CONTENTS[change.kind], self.objects[change.kind]
        if change.here is None:
            for old in [old for old, one in known.items() if one[0] == change.there["id"]]:
                del known[old]
        else:
            now = _digest(content_of, change.here), _digest(content_of, change.there)
            if new is None:
                new = change.there["id"] if change.there else known[change.here["id"]][0]
            known[change.here["id"]] = (new, *now)

    def carried(self, change: Change, new: int | None = None) -> None:
        """The target is now what the source is."""
        if change.here is None:
            self.settle(change)
        else:
            there = change.here
            if change.kind != "tasks":
                id = change.there["id"] if new is None else new
                there = {**change.here, "id": id}
            self.settle(attrs.evolve(change, there=there), new)


def _as_it_was(ours: str, theirs: str, was: Side | None) -> tuple[str, str]:
    if was is None:
        return (ours, theirs) if ours == theirs else (NEVER, NEVER)
    return (ours, ours) if was == "source" else (theirs, theirs)


def _who(was: tuple[str, str], now: tuple[str, str]) -> Side | None:
    if was[0] == now[0]:
        return "target"
    return "source" if was[1] == now[1] else None


def _digest(content_of: Callable[[Row], dict[str, Any]], row: Row | None) -> str:
    return NEVER if row is None else digest(content_of(row))
