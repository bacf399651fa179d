"""The summary of a bulk verb: what it did, and what failed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import attrs

from ... import _html
from .brief import cut

if TYPE_CHECKING:
    from ..._html.markup import Html

R = TypeVar("R")

OnError: TypeAlias = Literal["raise", "collect"]
"""What a bulk verb does when an object fails: stop, or collect the failure and go on."""


@attrs.frozen
class Failure:
    """An object for which a bulk verb failed.

    ``place`` is its place in the input, from 0, and ``item`` the object itself; ``reason`` says
    what is wrong with it, in the server's words where the server refused it.

    >>> made = project.tasks.bulk_create([{"text": "a"}, {"nothing": 1}], on_error="collect")
    >>> [failure.place for failure in made.summary.failed]
    [1]
    """

    place: int
    item: Any = attrs.field(repr=lambda item: f"{item!r:.80}")
    reason: str


class Summary(int):
    """The summary of a bulk verb. As a number: how many objects it created, updated and deleted.

    ``created``, ``updated`` and ``deleted`` count them one by one; ``skipped`` counts the objects
    that needed nothing, ``failed`` has a ``Failure`` for each of the others.

    >>> done = project.tasks.filter(data__lang="de").update(data__split="train")
    >>> print(done, done.updated, done.failed)
    1 1 ()
    """

    created: int
    updated: int
    deleted: int
    skipped: int
    failed: tuple[Failure, ...]

    def __new__(
        cls,
        *,
        created: int = 0,
        updated: int = 0,
        deleted: int = 0,
        skipped: int = 0,
        failed: Iterable[Failure] = (),
    ) -> Summary:
        """Make a summary of its parts; the number is the sum of the first three."""
        self = super().__new__(cls, created + updated + deleted)
        self.created, self.updated, self.deleted, self.skipped = created, updated, deleted, skipped
        self.failed = tuple(failed)
        return self

    def describe(self, *, skipped: str = "skipped") -> str:
        """Return the counts in words; ``skipped`` is the word for what was skipped.

        >>> project.tasks.filter(data__lang="xx").delete().describe()
        'nothing to do'
        """
        counts = {
            "created": self.created,
            "updated": self.updated,
            "deleted": self.deleted,
            skipped: self.skipped,
            "failed": len(self.failed),
        }
        found = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        return found or "nothing to do"

    def __repr__(self) -> str:
        return f"<Summary: {self.describe()}>"

    def _repr_html_(self) -> str:
        return _html.markup.framed(_picture(self))

    def __str__(self) -> str:
        return int.__repr__(self)

    def __reduce__(self) -> Any:
        return _summary, (vars(self),)


_FAILURES = 10
"""Failures, and objects, that a notebook shows."""


def _picture(summary: Summary) -> Html:
    tables = _html.tables
    names = ("created", "updated", "deleted", "skipped")
    counts = {name: f"{getattr(summary, name):,}" for name in names if getattr(summary, name)}
    failed = {"failed": f"{len(summary.failed):,}"} if summary.failed else {}
    found = [tables.pairs({**counts, **failed} or {"summary": summary.describe()})]
    if summary.failed:
        rows = [(one.place, repr(one.item), one.reason) for one in summary.failed[:_FAILURES]]
        found.append(tables.table(("place", "item", "reason"), rows))
    return _html.markup.joined(found)


def _summary(parts: dict[str, Any]) -> Summary:
    return Summary(**parts)


SHOWN = 3
"""Objects that the repr of ``Created`` shows."""

_WIDE = 60
"""Characters of each of them."""


class Created(list[R]):
    """The objects of ``bulk_create``, in the order of its input; ``summary`` counts them.

    >>> made = project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
    >>> len(made), made.summary
    (2, <Summary: 2 created>)
    """

    def __init__(self, objects: Iterable[R] = (), summary: Summary | None = None) -> None:
        super().__init__(objects)
        self.summary = Summary(created=len(self)) if summary is None else summary

    def __repr__(self) -> str:
        shown = ", ".join(cut(repr(one), _WIDE) for one in self[:SHOWN])
        more = f", ... {len(self) - SHOWN:,} more" if len(self) > SHOWN else ""
        return f"[{shown}{more}]"

    def _repr_html_(self) -> str:
        rows = [(place, repr(one)) for place, one in enumerate(self[:_FAILURES])]
        table = _html.tables.table(("", "object"), rows) if rows else None
        more = f"and {len(self) - len(rows):,} more" if len(self) > len(rows) else None
        return _html.markup.framed(_picture(self.summary), table, more)
