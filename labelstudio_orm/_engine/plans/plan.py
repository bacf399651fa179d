"""From a tree of conditions to what the server filters and what is checked here.

The server's filters are not ours: a missing key matches neither a test nor its negation, an unknown
operator means ``equal``, text is compared without case for ASCII letters only. So a comparison is
sent only where ``columns.py`` says that the answer is *exact*, or a *superset* which is checked
again here; everything else is checked here alone.

A server takes an AND of comparisons, or an OR of clauses with at most two comparisons each; when
paging, one of the two is the condition on the id. A tree is approximated by clauses (a disjunction
of conjunctions) that every match satisfies, and longer clauses drop comparisons: a superset still.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import chain
from math import ceil
from typing import Any, TypeAlias, cast

import attrs

from ...errors import FieldError
from ..conditions.lookups import Members
from ..conditions.tree import (
    EVERYTHING,
    And,
    Leaf,
    Node,
    Not,
    Opaque,
    Or,
    Related,
    conjunction,
    describe,
    fold,
    has_opaque,
    leaves,
    parts_in,
    parts_of,
)
from ..fields.options import Options, asked
from ..http.page_sizes import FIRST_PAGE, IDS, PAGE
from ..values import codec
from .columns import (
    ALTERNATIVES,
    COMPUTED,
    FREELY,
    INTEGERS,
    LONG,
    TEXT,
    Item,
    Terms,
    between_ends,
    column_of,
    comparison,
    is_long,
    multiplies,
    needle,
)
from .costs import CHECKED, DEAR, Costs, Size, Stages, kind_of, share_of

MAX_CLAUSES = 150
"""Clauses of one query, at most."""

MAX_LINES = 500
"""Comparisons of one conjunction, at most: SQLite takes no thousand of them."""

Clause = tuple[Item, ...]


@attrs.frozen
class Plan:
    """How a query will be answered.

    ``params`` are parameters of a plain listing; ``clauses`` the Data Manager's filter, a
    disjunction of conjunctions; ``here`` is the tree that every row is checked against on this
    side (None: the answer is exact). ``counts``: the server's own total is right. ``nothing`` says
    that no object can match, so that no request is needed. ``stages`` is how rows may be read of
    which few match. ``weighed``: other plans were considered.
    """

    params: Mapping[str, Any] = attrs.field(factory=dict)
    clauses: tuple[Clause, ...] = ((),)
    here: Node | None = None
    counts: bool = True
    nothing: bool = False
    stages: Stages | None = None
    weighed: bool = False

    def filters(self, keyset: Item | None = None) -> dict[str, Any] | None:
        """Return the Data Manager's ``filters``, with the condition of a keyset page joined in."""
        if len(self.clauses) == 1:
            items = [*self.clauses[0], *([keyset] if keyset else [])]
            return {"conjunction": "and", "items": items} if items else None
        room = 1 if keyset else 2
        lines = []
        for clause in self.clauses:
            first, *second = (*clause[:room], keyset) if keyset else clause
            lines.append({**first, "child_filter": second[0]} if second else dict(first))
        return {"conjunction": "or", "items": lines}

    @property
    def dear(self) -> frozenset[str]:
        """The columns among its filters that may cost more than they save."""
        items = chain.from_iterable(self.clauses)
        return frozenset(column_of(item) for item in items if kind_of(item) in DEAR)

    def expected(self, costs: Costs, size: Size) -> float:
        """Return the seconds of CPU that it will take the server, by guesses where need be."""
        items = list(chain.from_iterable(self.clauses))
        listed = size.tasks * share_of(self.clauses, size)
        read = listed if size.limit is None else min(listed, size.limit / self._checked)
        pages = 1 + ceil(max(0.0, read - FIRST_PAGE) / PAGE)
        rows = read * costs.rows[size.rows]
        if self.stages is not None:
            rows = min(rows, self.stages.seconds(read, CHECKED))
        # The first page is chosen from all tasks, the last one from the few behind the others.
        choosing = (pages + 1) / 2 * size.tasks * costs.choosing(items, size.tasks)
        return pages * costs.request + choosing + rows

    @property
    def _checked(self) -> float:
        """The share of rows that checking them here is guessed to leave."""
        return 1.0 if self.here is None else CHECKED

    def matching(self, size: Size) -> float:
        """Return how many tasks there will be, by guesses where need be."""
        return size.tasks * share_of(self.clauses, size) * self._checked

    def among(self, item: Item) -> Plan:
        """Return the plan narrowed by a comparison that the server answers exactly.

        The lines of a disjunction have no room for it: it replaces them, and a superset is read.
        """
        if len(self.clauses) == 1:
            return attrs.evolve(self, clauses=((*self.clauses[0], item),))
        return attrs.evolve(self, clauses=((item,),))


def plan(options: Options, where: Node, terms: Terms = FREELY) -> Plan:
    """Return the plan of a condition on a resource.

    Raises FieldError where what only the server evaluates would have to be checked here.
    """
    if not options.pages.filters_tasks:
        return _plan_params(options, where, terms)
    if where == EVERYTHING:
        return Plan()
    planned = _plan_tasks(where, terms)
    if planned.here is not None and has_opaque(planned.here):
        raise FieldError(
            f"{describe(where)}: what only the server evaluates can be joined by & to what it "
            "answers exactly, and not be checked here"
        )
    return planned


# -- plain listings: a few parameters each, which the declaration names ---------------------------


def _plan_params(options: Options, where: Node, terms: Terms) -> Plan:
    if _is_never(where):
        return Plan(nothing=True)
    sent: dict[str, Any] = {}
    for part in parts_of(where):
        if not isinstance(part, Leaf) or part.path or part.relation:
            continue
        said = options.params
        lookup, value = part.lookup, part.value
        if lookup in TEXT and isinstance(value, str) and f"{part.field.name}__icontains" in said:
            lookup, value = "icontains", needle(part)
        is_id = bool(part.field.references) or part.field.name in ("id", options.key)
        values = value if isinstance(value, tuple) else (value,)
        if is_id and lookup in ("exact", "in") and values and all(map(_is_beyond, values)):
            return Plan(nothing=True)
        if isinstance(value, tuple):
            value = values = tuple(
                one for one in value if one is not None and not (is_id and _is_beyond(one))
            )
        parameter = said.get(f"{part.field.name}__{lookup}")
        if not parameter or value in ("", None, ()) or any(map(_is_beyond, values)):
            continue
        if len(values) > IDS:  # no address holds as many
            continue
        sent = {**asked(parameter, value), **sent}
    clauses: tuple[Clause, ...] = ((),)
    inside = getattr(options.pages, "key", None)
    if inside:  # rows inside tasks: annotations of a project
        unsent = Terms(unsent=terms.unsent)
        there = Leaf(inside, options.fields["id"], (), "isnull", False, inside)
        clauses = _plan_tasks(conjunction(there, _of_some(where, there)), unsent).clauses
    here = None if where == EVERYTHING else where
    return Plan(params=sent, clauses=clauses, here=here, counts=here is None)


def _of_some(where: Node, there: Leaf) -> Node:
    """Return what is true of a task, some of whose related objects match.

    Of one that does not match something, no more is known than that it is there.
    """

    def make(node: Node, parts: list[Node]) -> Node:
        if isinstance(node, Leaf):
            return attrs.evolve(node, relation=there.relation)
        if isinstance(node, Related):
            return parts[0]
        if isinstance(node, (Not, Opaque)):
            return there
        return And(tuple(parts)) if isinstance(node, And) else Or(tuple(parts))

    return fold(where, parts_in, make)


def _is_beyond(value: Any) -> bool:
    """Return whether a number is beyond what the server can look for, so that no id is it."""
    return type(value) in (int, float) and not -INTEGERS <= value < INTEGERS


def _is_of_none(leaf: Leaf) -> bool:
    """Return whether a comparison asks for integers that no column holds, on no server."""
    holds = (leaf.field.element, *codec.parts(leaf.field.annotation))
    if leaf.path or leaf.lookup not in ("exact", "in") or int not in holds:
        return False
    values = leaf.value if leaf.lookup == "in" else (leaf.value,)
    return bool(values) and all(type(one) is int and not -LONG <= one < LONG for one in values)


def _is_never(where: Node) -> bool:
    """Return whether a condition is an empty ``in``, alone or in a conjunction."""

    def make(node: Node, parts: list[bool]) -> bool:
        if isinstance(node, Leaf):
            return node.lookup == "in" and not node.value
        if isinstance(node, (And, Related)):
            return any(parts)
        return isinstance(node, Or) and all(parts)

    return fold(where, parts_in, make)


# -- tasks: the Data Manager ----------------------------------------------------------------------


class LineText(str):
    """One line as text, so that lines are quick to compare however often they are joined."""

    item: Item

    @classmethod
    def of(cls, item: Item) -> LineText:
        """Return the text of a line."""
        text = cls(json.dumps(item))
        text.item = item
        return text


TextClause: TypeAlias = tuple[LineText, ...]
"""A clause, as long as it is joined with others."""


@attrs.frozen
class Approximation:
    """A disjunction that every match satisfies; ``exact`` if nothing else does."""

    clauses: tuple[TextClause, ...]
    exact: bool

    @classmethod
    def of(cls, clauses: Iterable[Clause], exact: bool) -> Approximation:
        """From the lines of clauses."""
        return cls(tuple(tuple(map(LineText.of, clause)) for clause in clauses), exact)


ALL, UNKNOWN = Approximation(((),), True), Approximation(((),), False)
NOTHING = Approximation((), True)


Signed: TypeAlias = tuple[Node, bool]
"""A node, or (False) its complement."""


def _approximate(where: Node, terms: Terms) -> Approximation:
    """Of a tree."""
    if isinstance(where, Leaf):
        return _compared(where, True, terms)

    def make(signed: Signed, parts: list[Approximation]) -> Approximation:
        node, positive = signed
        if isinstance(node, Not):
            return parts[0]
        if isinstance(node, Related):  # a task that matches has objects for each of its comparisons
            return attrs.evolve(parts[0], exact=False) if positive else UNKNOWN
        if isinstance(node, Opaque):
            if not positive:
                raise FieldError(f"~ of {node}: the server has no complement of it")
            return Approximation.of([(node.item,)], True)
        if isinstance(node, Leaf):
            return _compared(node, positive, terms)
        if isinstance(node, Or) and len(parts) > ALTERNATIVES:
            parts = _merged(node, parts, positive, terms)
        return _all_of(parts)[0] if isinstance(node, And) == positive else _any_of(parts)

    root: Signed = where, True
    return fold(root, _signed_parts, make)


def _signed_parts(signed: Signed) -> list[Signed]:
    node, positive = signed
    sign = positive if not isinstance(node, Not) else not positive
    return [(part, sign) for part in parts_in(node)]


def _compared(leaf: Leaf, positive: bool, terms: Terms) -> Approximation:
    if _is_of_none(leaf):
        return NOTHING if positive else ALL
    answer = comparison(leaf, positive, terms)
    return UNKNOWN if answer is None else Approximation.of(answer.clauses, answer.exact)


def _merged(
    node: Or, parts: list[Approximation], positive: bool, terms: Terms
) -> list[Approximation]:
    """Return alternatives with those for one value (``Q(id=1) | Q(id=2) | ...``) as an ``in``.

    That is done where the server has an answer to the ``in``.
    """
    kinds: dict[Any, list[int]] = {}
    for place, part in enumerate(node.parts):
        if isinstance(part, Leaf) and part.lookup == "exact":
            kinds.setdefault((part.field, part.path, part.relation), []).append(place)
    found = dict(enumerate(parts))
    for places in kinds.values():
        if len(places) > ALTERNATIVES:
            alike = [cast(Leaf, node.parts[place]) for place in places]
            together = attrs.evolve(
                alike[0], lookup="in", value=Members(one.value for one in alike)
            )
            said = _compared(together, positive, terms)
            if said != UNKNOWN:
                for place in places[1:]:
                    del found[place]
                found[places[0]] = said
    return list(found.values())


def _any_of(parts: Iterable[Approximation]) -> Approximation:
    clauses, exact, narrows = list[TextClause](), True, True
    for part in parts:
        if () in part.clauses:  # it does not narrow anything
            if part.exact:
                return ALL
            narrows = False
        clauses.extend(part.clauses)
        exact = exact and part.exact
    distinct = _distinct(clauses) if narrows else ()
    return Approximation(distinct, exact) if narrows and len(distinct) <= MAX_CLAUSES else UNKNOWN


def _all_of(parts: list[Approximation]) -> tuple[Approximation, set[int]]:
    """Return the conjunction, and the places of the parts which it had to leave out."""
    single = [part for part in parts if len(part.clauses) == 1]
    common = dict.fromkeys(chain.from_iterable(part.clauses[0] for part in single))
    found, left_out = Approximation(((),), all(part.exact for part in single)), set()
    for place in sorted(range(len(parts)), key=lambda place: len(parts[place].clauses)):
        part = parts[place]
        if len(part.clauses) == 1:
            continue
        if len(found.clauses) * len(part.clauses) > MAX_CLAUSES:
            left_out.add(place)
            continue
        rest = [tuple(one for one in clause if one not in common) for clause in part.clauses]
        clauses = _distinct((*one, *other) for one in found.clauses for other in rest)
        found = Approximation(clauses, found.exact and part.exact)
    whole = tuple((*common, *clause) for clause in found.clauses)
    return Approximation(whole, found.exact and not left_out), left_out


def _distinct(clauses: Iterable[TextClause]) -> tuple[TextClause, ...]:
    return tuple(dict.fromkeys(tuple(dict.fromkeys(clause)) for clause in clauses))


def _absorbed(clauses: tuple[TextClause, ...]) -> tuple[TextClause, ...]:
    """Return the clauses without those that are narrower than another one."""
    said = list(map(set, clauses))
    return tuple(
        clause
        for clause, items in zip(clauses, said, strict=True)
        if not any(other < items for other in said)
    )


def _plan_tasks(where: Node, terms: Terms) -> Plan:
    parts = parts_of(where)
    approximations = [
        _compared(part, True, terms) if isinstance(part, Leaf) else _approximate(part, terms)
        for part in parts
    ]
    found, left_out = _all_of(approximations)
    # A further page of a disjunction needs a second comparison in each of its lines.
    is_one_clause = not terms.pairs or multiplies(one.item for one in chain(*found.clauses))
    if len(found.clauses) > 1 and is_one_clause:
        wide = {place for place, part in enumerate(approximations) if len(part.clauses) > 1}
        narrow = [part for place, part in enumerate(approximations) if place not in wide]
        (found, _), left_out = _all_of(narrow), wide
    found = attrs.evolve(found, clauses=_with_one_list(found.clauses))
    if not found.clauses:
        return Plan(nothing=True)
    unsure = [
        part
        for place, part in enumerate(parts)
        if place in left_out or not approximations[place].exact
    ]
    here = conjunction(*unsure) if unsure else None
    if len(found.clauses) == 1 and len(found.clauses[0]) > MAX_LINES:
        narrowest = tuple(sorted(found.clauses[0], key=_worth)[:MAX_LINES])
        return Plan(clauses=_lines([narrowest]), here=where, counts=False)
    if len(found.clauses) == 1:
        return Plan(clauses=_lines(found.clauses), here=here, counts=here is None)
    clauses = _absorbed(_distinct(map(_pair, found.clauses)))
    if any(is_long(one.item, terms.numbers) for clause in clauses for one in clause):
        short = [[_shortened(one.item, terms.numbers) for one in clause] for clause in clauses]
        return Plan(clauses=tuple(map(tuple, short)), here=where, counts=False)
    whole = all(len(_pair(clause)) == len(clause) for clause in found.clauses)
    counts = here is None and whole
    if len(clauses) == 1:
        return Plan(clauses=_lines(clauses), here=where, counts=False)
    if any("child_filter" in one.item for clause in clauses for one in clause):
        return Plan(clauses=_lines(clauses), here=where, counts=False)  # it has no room for a page
    exact_pages = counts and all(len(clause) == 1 for clause in clauses)
    return Plan(clauses=_lines(clauses), here=None if exact_pages else where, counts=counts)


def _shortened(item: Item, numbers: int) -> Item:
    return between_ends(item) if is_long(item, numbers) else item


def _with_one_list(clauses: tuple[TextClause, ...]) -> tuple[TextClause, ...]:
    """Return the ids that a conjunction names in several lists in one: those that all have."""
    lists = [one for one in (clauses[0] if len(clauses) == 1 else ()) if _names_ids(one.item)]
    if len(lists) < 2:
        return clauses
    common = set(lists[0].item["value"]).intersection(*(one.item["value"] for one in lists))
    if not common:
        return ()
    ids = LineText.of({**lists[0].item, "value": sorted(common)})
    return ((ids, *(one for one in clauses[0] if not _names_ids(one.item))),)


def _names_ids(item: Item) -> bool:
    return column_of(item) == "id" and item["operator"] == "in_list"


def _lines(clauses: Iterable[TextClause]) -> tuple[Clause, ...]:
    return tuple(tuple(one.item for one in clause) for clause in clauses)


def _pair(clause: TextClause) -> TextClause:
    """Return what a line of a disjunction has room for.

    A column that the server computes must come first: as the second it is not computed, or counts a
    task several times.
    """
    ranked = sorted(clause, key=_worth)
    first = next((one for one in ranked if column_of(one.item) in COMPUTED), None)
    if first is None:
        return tuple(ranked[:2])
    return (first, *[one for one in ranked if column_of(one.item) not in COMPUTED][:1])


def _worth(said: LineText) -> int:
    """Return how little a comparison of a clause narrows, as far as that can be guessed."""
    item = said.item
    if item["operator"] == "contains" and item["value"] == "":
        return 9
    if item["operator"] in ("equal", "in_list", "contains"):
        return 1 if item["type"] != "Boolean" else 3
    return 5 if item["operator"].startswith("not") or item["operator"] == "empty" else 2


def related_fields_needed(node: Node) -> dict[str, frozenset[str]]:
    """Return the fields of related rows that checking a condition here reads, by relation."""
    found: dict[str, frozenset[str]] = {}
    for leaf in leaves(node):
        if leaf.relation is not None:
            before = found.get(leaf.relation, frozenset({"id"}))
            found[leaf.relation] = before | {leaf.field.name}
    return found


def fields_needed(node: Node | None) -> tuple[set[str], set[str]]:
    """Return the fields and the relations that checking a condition here reads."""
    found = list(leaves(node)) if node is not None else []
    return (
        {leaf.field.name for leaf in found if leaf.relation is None},
        {leaf.relation for leaf in found if leaf.relation is not None},
    )
