"""Reports of migrations: counts, differences of both sides, and losses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from . import _html
from ._engine.values.brief import brief, cut
from ._engine.values.ids import id_text
from ._engine.values.summary import Summary

if TYPE_CHECKING:
    from .resources.projects import Project

LISTED: Final = 1000
"""Differences that a report lists; of further ones it has the number."""

SHOWN: Final = 5
"""Objects that the text of a loss names."""


@attrs.frozen
class Difference:
    """A difference between both sides: an object that one side lacks, or a field.

    ``kind`` is "tasks", "annotations", "views" ...; ``source`` and ``target`` are the ids of the
    object, None on a side that lacks it. ``field`` is the field that differs, "" for the object as
    a whole; ``here`` and ``there`` are its values in the source and in the target. ``why`` is the
    reason, as far as ``sync()`` knows: "changed in the target", "changed on both sides" ...

    >>> print(Difference("tasks", 5, 1005, "data", {"text": "a"}, {"text": "b"}))
    tasks 5 -> 1005: data is {'text': 'a'} in the source, {'text': 'b'} in the target
    """

    kind: str
    source: int | str | None
    target: int | str | None
    field: str = ""
    here: Any = None
    there: Any = None
    why: str = ""

    @property
    def place(self) -> str:
        """The object and its field: ``"5 -> 1005: data"``."""
        ids = [id_text(id) for id in (self.source, self.target) if id is not None]
        return f"{' -> '.join(ids)}{f': {self.field}' if self.field else ''}"

    def __str__(self) -> str:
        source, target = id_text(self.source), id_text(self.target)
        name = f"{self.kind} {source} -> {target}"
        if self.why:
            return f"{name}{f': {self.field}' if self.field else ''}: {self.why}"
        if self.source is None:
            name = f"{self.kind} {target}"
            if not self.field:
                return f"{name}: only in the target"
        elif self.target is None:
            name = f"{self.kind} {source}"
            if not self.field:
                return f"{name}: only in the source"
        here, there = _apart(repr(self.here), repr(self.there))
        return f"{name}: {self.field} is {here} in the source, {there} in the target"


def _differences(found: Iterable[Difference]) -> tuple[Difference, ...]:
    return tuple(found)


def _ids(found: Iterable[int | str]) -> tuple[int | str, ...]:
    return tuple(found)


@attrs.frozen
class Loss:
    """A field of a kind of objects that the server does not keep: of how many objects, and why.

    ``ids`` are those of all the objects in the source. ``differences`` are the first thousand
    values that were replaced: the object, its field, the old and the new value. They are empty for
    fields that are lost of every object, such as dates.
    """

    kind: str
    field: str
    count: int
    why: str
    differences: tuple[Difference, ...] = attrs.field(
        default=(), converter=_differences, eq=False, kw_only=True
    )
    ids: tuple[int | str, ...] = attrs.field(
        default=(), converter=_ids, eq=False, kw_only=True, repr=lambda ids: brief(ids, 60)
    )

    def __str__(self) -> str:
        shown = [cut(one.place, 100) for one in self.differences[:SHOWN]]
        shown = shown or [cut(str(id), 100) for id in self.ids[:SHOWN]]
        more = ["..."] if shown and self.count > len(shown) else []
        which = f" ({'; '.join([*shown, *more])})" if shown else ""
        return f"{self.kind}.{self.field} of {self.count:,}: {self.why}{which}"


def _losses(found: Iterable[Loss]) -> tuple[Loss, ...]:
    return tuple(found)


@attrs.frozen(kw_only=True)
class Report:
    """The result of a migration.

    ``what`` is its description; ``counts`` has a ``Summary`` for each kind of objects: "tasks",
    "annotations", "views" ... ``differences`` are the first thousand differences of both sides,
    ``different`` is their number; ``losses`` are the fields that the server does not keep.
    ``target`` is the project that was written to. ``unchanged`` is the word in the text for objects
    that needed nothing, which are ``skipped`` in the counts.

    >>> report = copy_project(project, to=other, missing_users="create")
    >>> report.ok, report.exit_code, report.counts["tasks"].created
    (True, 0, 4)
    """

    what: str
    counts: Mapping[str, Summary] = attrs.field(factory=dict)
    differences: tuple[Difference, ...] = attrs.field(default=(), converter=_differences)
    losses: tuple[Loss, ...] = attrs.field(default=(), converter=_losses)
    target: Project | None = None
    unchanged: str = "skipped"
    different: int = attrs.field()

    @different.default
    def _all_listed(self) -> int:
        return len(self.differences)

    @property
    def ok(self) -> bool:
        """Whether there are no differences, and nothing failed."""
        return not self.different and not any(done.failed for done in self.counts.values())

    @property
    def exit_code(self) -> int:
        """The exit code of a script: 0 if the report is ``ok``, else 1."""
        return 0 if self.ok else 1

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON: ``json.dumps(report.as_json())``."""
        return {
            "what": self.what,
            "ok": self.ok,
            "target": None if self.target is None else self.target.id,
            "counts": {kind: _summary(done) for kind, done in self.counts.items()},
            "different": self.different,
            "differences": [_plain(attrs.asdict(one)) for one in self.differences],
            "losses": [_plain(attrs.asdict(one)) for one in self.losses],
        }

    def __str__(self) -> str:
        return self._text(f"{self.what}: {'ok' if self.ok else 'NOT THE SAME'}")

    def _repr_html_(self) -> str:
        counts = {kind: done.describe(skipped=self.unchanged) for kind, done in self.counts.items()}
        headline = f"{self.what}: {'ok' if self.ok else 'NOT THE SAME'}"
        found = [_html.markup.tag("div", headline, class_="lso-title"), _html.tables.pairs(counts)]
        listed: dict[str, list[object]] = {
            f"{self.different:,} differences": [*self.differences[:10]],
            "failed": [one for done in self.counts.values() for one in done.failed[:5]],
            "not kept by the server": [*self.losses],
        }
        for name, some in listed.items():
            if some:
                found.append(_html.tables.table([name], [[str(one)] for one in some]))
        return _html.markup.framed(*found)

    def describe_plan(self) -> str:
        """Return the text for a dry run, in which nothing is confirmed as the same."""
        return self._text(f"would be done: {self.what}{'' if self.ok else ': NOT THE SAME'}")

    def _text(self, headline: str) -> str:
        lines = [headline]
        for kind, done in self.counts.items():
            lines.append(f"  {kind:<16} {done.describe(skipped=self.unchanged)}")
            lines += [f"    failed: {one.item!r:.80}: {one.reason}" for one in done.failed[:5]]
        if self.different:
            lines.append(f"  {self.different:,} differences")
            lines += [f"    {one}" for one in self.differences[:10]]
        if self.losses:
            lines.append("  not kept by the server")
            lines += [f"    {one}" for one in self.losses]
        return "\n".join(lines)


class Differences:
    """A growing list of differences: the first thousand, and the number of all."""

    def __init__(self) -> None:
        self.listed: list[Difference] = []
        self.number = 0

    def add(self, *found: Difference) -> None:
        """Add differences."""
        self.number += len(found)
        self.listed += found[: max(0, LISTED - len(self.listed))]

    def extend(self, found: Iterable[Difference]) -> None:
        """Add differences."""
        self.add(*found)


class Losses:
    """A growing list of losses, by kind and field: their ids, and the first thousand differences.

    ``why`` has the reason for each kind and field.
    """

    def __init__(self, why: Mapping[tuple[str, str], str]) -> None:
        self.why = why
        self._ids: defaultdict[tuple[str, str], list[int | str]] = defaultdict(list)
        self._found: defaultdict[tuple[str, str], Differences] = defaultdict(Differences)

    def add(self, kind: str, field: str, ids: Iterable[int | str], *found: Difference) -> None:
        """Add objects that lost a field; ``found`` has the values."""
        self._ids[kind, field] += ids
        if found:
            self._found[kind, field].add(*found)

    def listed(self) -> Iterator[Loss]:
        """Yield the losses for a report."""
        for what, why in self.why.items():
            if ids := self._ids[what]:
                yield Loss(*what, len(ids), why, differences=self._found[what].listed, ids=ids)


def _summary(done: Summary) -> dict[str, Any]:
    return {
        **{name: getattr(done, name) for name in ("created", "updated", "deleted", "skipped")},
        "failed": [{"item": repr(one.item), "reason": one.reason} for one in done.failed],
    }


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def _apart(here: str, there: str) -> tuple[str, str]:
    """Return two texts, without the beginning that they share if they are long."""
    pairs = zip(here, there, strict=False)
    same = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(here), len(there)))
    start = max(0, same - 20) if max(len(here), len(there)) > 80 else 0

    def part(text: str) -> str:
        end = start + 77
        return f"{'...' * (start > 0)}{text[start:end]}{'...' * (len(text) > end)}"

    return part(here), part(there)
