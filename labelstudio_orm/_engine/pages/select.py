"""What to read of a listing, and a page of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import attrs

from ..conditions.query import Query
from ..conditions.tree import EVERYTHING
from ..fields.options import Options, asked
from ..http.addresses import fill, names_in
from ..plans.plan import Plan, fields_needed, related_fields_needed
from ..values.codec import Row
from ..values.ids import id_given, scope_text
from ..values.secret import seal

FEW = 10
"""Rows that are asked for at once, whatever the server is like."""


def _seal_rows(answer: Any, secrets: frozenset[str]) -> None:
    """Seal, in place, what is secret in the rows of a listing."""
    rows = answer.get("results", [answer]) if isinstance(answer, dict) else answer
    for row in rows if isinstance(rows, list) else ():
        for wire in secrets.intersection(row) if isinstance(row, dict) else ():
            row[wire] = seal(row[wire])


def _related_fields(
    query: Query, plan: Plan, checked: Iterable[str]
) -> Mapping[str, frozenset[str]]:
    """Return the only fields to bring of related rows, by relation: what is wanted and checked.

    A relation of which all fields are brought is not in it.
    """
    if query.fields is None:
        return {} if checked else query.related_fields
    found = dict(query.related_fields)
    needed = related_fields_needed(plan.here or EVERYTHING)
    for relation in checked:
        if relation in found or relation not in query.relations:
            found[relation] = found.get(relation, frozenset()) | needed[relation]
    return found


@attrs.frozen(slots=False)
class Select:
    """A query, its plan, and how much of each row to read.

    Attributes:
        query: What is asked.
        plan: What the server filters.
        fields: The only fields to bring; None for all that a listing has.
        wanted: The computed fields to compute.
        relations: The related rows to bring along.
        related_fields: The only fields of these, by relation.
        start: How many rows to pass over; tasks only.
        limit: How many rows will be taken, if that is known.
        workers: The threads that read, where a listing can be read in parallel.
        backwards: Read by descending id.
    """

    query: Query
    plan: Plan
    fields: frozenset[str] | None = None
    wanted: frozenset[str] = frozenset()
    relations: frozenset[str] = frozenset()
    related_fields: Mapping[str, frozenset[str]] = attrs.field(factory=dict)
    start: int = 0
    limit: int | None = None
    workers: int = 1
    backwards: bool = False

    @classmethod
    def of(cls, query: Query, plan: Plan, *, workers: int = 1, also: Iterable[str] = ()) -> Select:
        """Return what to read for a plan: the fields of the query, and those that are checked.

        ``also``: fields that are needed besides.
        """
        needed, related = fields_needed(plan.here)
        needed = needed | frozenset(also)
        return cls(
            query,
            plan,
            fields=None if query.fields is None else query.fields | needed,
            wanted=query.options.computed & (needed | (query.fields or frozenset())),
            relations=query.relations | related,
            related_fields=_related_fields(query, plan, related),
            workers=workers,
            backwards=query.is_descending or query.from_end,
        )

    @property
    def options(self) -> Options:
        """The options of the resource."""
        return self.query.options

    @property
    def scope(self) -> Mapping[str, Any]:
        """The objects, or ids, that the listing belongs to."""
        return self.query.scope

    @cached_property
    def doing(self) -> str:
        """What is being done, for messages."""
        where = scope_text(self.scope)
        return f"listing {self.options.name}s" + (f" of {where}" if where else "")

    @cached_property
    def scope_ids(self) -> dict[str, Any]:
        """The scope as parameters.

        Raises ValueError for one that has no id, which the server would take for none.
        """
        scope = self.scope
        found = {name: id_given(scope[name], f"{self.doing}: the {name}") for name in scope}
        if not self.query.client.is_dry:
            for name, id in found.items():
                if isinstance(id, int) and id < 1:  # the server takes a view 0 for no view
                    raise ValueError(f"{self.doing}: {id} is not an id of a {name}")
        return found

    @property
    def path(self) -> str:
        """The address of the listing."""
        names = names_in(self.options.collection)
        require_scope(self, [name.partition(".")[0] for name in names])
        return fill(self.options.collection, self.scope.__getitem__)

    @property
    def filters(self) -> dict[str, Any]:
        """The parameters of a plain listing: conditions, and the scope that its path lacks."""
        in_path = names_in(self.options.collection)
        scope: dict[str, Any] = {}
        for name, id in self.scope_ids.items():
            if name not in in_path:
                scope |= asked(self.options.params.get(f"{name}_id__exact", name), id)
        return {**self.query.params, **self.plan.params, **scope}

    def ask(self, path: str, **options: Any) -> Any:
        """Send one GET and return its JSON, with secrets sealed."""
        answer = self.query.client.request(
            "GET", path, doing=self.doing, edition=self.options.edition, **options
        )
        if secrets := self.options.secret_wires:
            _seal_rows(answer, secrets)
        return answer

    @property
    def is_one_page(self) -> bool:
        """Return whether few rows are wanted, so that nothing is to be read ahead."""
        return self.limit is not None and self.limit <= FEW

    @property
    def wires(self) -> list[str]:
        """The names on the wire of the fields to bring."""
        fields = self.options.fields
        return sorted({"id", *(fields[name].wire for name in self.fields or ())})


@attrs.frozen
class Page:
    """Some rows in order, and how far they can be believed.

    The names are those of ``Origin``.
    """

    rows: list[Row]
    uncomputed: frozenset[str] = frozenset()
    prefetched: frozenset[str] = frozenset()
    whole: bool = False


def require_scope(select: Select, needed: Iterable[str]) -> None:
    """Raise ValueError unless the listing is of an object of each of these relations."""
    missing = [name for name in needed if name not in select.scope]
    if missing:
        name = select.options.name
        raise ValueError(
            f"{name}s are listed by {' and '.join(needed)}, and the {missing[0]} is missing: go "
            f"through the {missing[0]}, or filter({missing[0]}=...); get(id) reads one"
        )
