"""From a tree of conditions to what the server filters and what is checked here.

The server's filters are not ours: a missing key fits neither a test nor its negation, an unknown
operator means ``equal``, text is compared without case for ASCII letters only. So a comparison is
sent only where ``columns.py`` says that the answer is *exact*, or a *superset* which is checked
again here; everything else is checked here alone.

The server can say a conjunction of comparisons, or a disjunction of clauses of two of them at most,
of which the condition of a keyset page takes one. A tree is approximated by clauses (a disjunction
of conjunctions) that every fit fulfils, and longer clauses drop comparisons: a superset still.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ..conditions import (
    EVERYTHING,
    And,
    Leaf,
    Node,
    Not,
    Opaque,
    Or,
    conjunction,
    describe,
    has_opaque,
    leaves,
    parts_of,
)
from ..errors import FieldError
from .columns import COMPUTED, TEXT, Item, Undefined, column_of, comparison, mixes, needle, never

if TYPE_CHECKING:
    from ..resource import Resource

MAX_CLAUSES = 150
"""Clauses of one query, at most."""

Clause = tuple[Item, ...]


@attrs.frozen
class Plan:
    """How a query will be answered.

    ``params`` are parameters of a plain listing; ``clauses`` the Data Manager's filter, a
    disjunction of conjunctions; ``here`` is the tree that every row is checked against on this
    side (None: the answer is exact). ``counts``: the server's own total is right. ``nothing`` says
    that no object can fit, so that no request is needed.
    """

    params: Mapping[str, Any] = attrs.field(factory=dict)
    clauses: tuple[Clause, ...] = ((),)
    here: Node | None = None
    counts: bool = True
    nothing: bool = False

    def filters(self, keyset: Item | None = None) -> dict[str, Any] | None:
        """The Data Manager's ``filters``, with the condition of a keyset page joined in."""
        if len(self.clauses) == 1:
            items = [*self.clauses[0], *([keyset] if keyset else [])]
            return {"conjunction": "and", "items": items} if items else None
        room = 1 if keyset else 2
        lines = []
        for clause in self.clauses:
            first, *second = (*clause[:room], keyset) if keyset else clause
            lines.append({**first, "child_filter": second[0]} if second else dict(first))
        return {"conjunction": "or", "items": lines}

    def among(self, item: Item) -> Plan:
        """The same, with one more comparison that the server answers exactly."""
        if len(self.clauses) == 1:
            return attrs.evolve(self, clauses=((*self.clauses[0], item),))
        return attrs.evolve(self, clauses=((item,),))


def plan(model: type[Resource], where: Node, undefined: Undefined = never) -> Plan:
    """The plan for one query on one resource; ``undefined`` tells keys of data that may be stored
    otherwise. Raises FieldError where a condition that only the
    server evaluates would have to be checked here.
    """
    if where == EVERYTHING:
        return Plan()
    if not model._options.pages.filters_tasks:
        return _plan_params(model, where)
    planned = _plan_tasks(where, undefined)
    if planned.here is not None and has_opaque(planned.here):
        raise FieldError(
            f"{describe(where)}: what only the server evaluates can be joined by & to what it "
            "answers exactly, and not be checked here"
        )
    return planned


# -- plain listings: a few parameters each, which the declaration names ---------------------------


def _plan_params(model: type[Resource], where: Node) -> Plan:
    if _is_never(where):
        return Plan(nothing=True)
    sent: dict[str, Any] = {}
    for part in parts_of(where):
        if not isinstance(part, Leaf) or part.path or part.relation:
            continue
        said = model._options.params
        lookup, value = part.lookup, part.value
        if lookup in TEXT and isinstance(value, str) and f"{part.field.name}__icontains" in said:
            lookup, value = "icontains", needle(part)
        if isinstance(value, tuple):
            value = tuple(one for one in value if one is not None)
        parameter = said.get(f"{part.field.name}__{lookup}")
        if not parameter or value in ("", None, ()):
            continue
        name, write = parameter if isinstance(parameter, tuple) else (parameter, _plainly)
        sent.setdefault(name, write(value))
    clauses: tuple[Clause, ...] = ((),)
    inside = getattr(model._options.pages, "key", None)
    if inside:  # rows inside tasks: annotations of a project
        there = Leaf(inside, model._options.fields["id"], (), "isnull", False, inside)
        clauses = _plan_tasks(conjunction(there, _of_some(where, there)), never).clauses
    return Plan(params=sent, clauses=clauses, here=where, counts=False)


def _of_some(node: Node, there: Leaf) -> Node:
    """What is true of a task, some of whose related objects fit. Of one that does not fit
    something, no more is known than that it is there.
    """
    if isinstance(node, Leaf):
        return attrs.evolve(node, relation=there.relation)
    if isinstance(node, (Not, Opaque)):
        return there
    parts = tuple(_of_some(part, there) for part in node.parts)
    return And(parts) if isinstance(node, And) else Or(parts)


def _plainly(value: Any) -> Any:
    return ",".join(map(str, value)) if isinstance(value, tuple) else value


def _is_never(node: Node) -> bool:
    """Is it an empty ``in``, alone or in a conjunction?"""
    if isinstance(node, Leaf):
        return node.lookup == "in" and not node.value
    if isinstance(node, And):
        return any(map(_is_never, node.parts))
    return isinstance(node, Or) and all(map(_is_never, node.parts))


# -- tasks: the Data Manager ----------------------------------------------------------------------


@attrs.frozen
class Approximation:
    """Clauses of which every fit fulfils one; ``exact``: and nothing else does."""

    clauses: tuple[Clause, ...]
    exact: bool


ALL, UNKNOWN = Approximation(((),), True), Approximation(((),), False)
NOTHING = Approximation((), True)


def _approximate(node: Node, undefined: Undefined, positive: bool = True) -> Approximation:
    """Of a tree, or of its complement."""
    if isinstance(node, Not):
        return _approximate(node.part, undefined, not positive)
    if isinstance(node, Opaque):
        if not positive:
            raise FieldError(f"~ of {node}: the server has no complement of it")
        return Approximation(((node.item,),), True)
    if isinstance(node, Leaf):
        answer = comparison(node, positive, undefined)
        return UNKNOWN if answer is None else Approximation(answer.clauses, answer.exact)
    parts = [_approximate(part, undefined, positive) for part in node.parts]
    if isinstance(node, And) == positive:
        together, _ = _all_of(parts)
        return together
    return _any_of(parts)


def _any_of(parts: Iterable[Approximation]) -> Approximation:
    found = NOTHING
    for part in parts:
        if () in part.clauses:  # it does not narrow anything
            if part.exact:
                return ALL
            found = Approximation(((),), False) if () in found.clauses else UNKNOWN
        elif () not in found.clauses:
            found = Approximation(
                _distinct((*found.clauses, *part.clauses)), found.exact and part.exact
            )
    return found if len(found.clauses) <= MAX_CLAUSES else UNKNOWN


def _all_of(parts: list[Approximation]) -> tuple[Approximation, set[int]]:
    """The conjunction, and the places of the parts which it had to leave out."""
    found, left_out = ALL, set()
    for place in sorted(range(len(parts)), key=lambda place: len(parts[place].clauses)):
        part = parts[place]
        if len(found.clauses) * len(part.clauses) > MAX_CLAUSES:
            left_out.add(place)
            continue
        clauses = _distinct((*one, *other) for one in found.clauses for other in part.clauses)
        found = Approximation(clauses, found.exact and part.exact)
    return (Approximation(found.clauses, False) if left_out else found), left_out


def _distinct(clauses: Iterable[Clause]) -> tuple[Clause, ...]:
    return tuple({json.dumps(clause): clause for clause in map(_once, clauses)}.values())


def _absorbed(clauses: tuple[Clause, ...]) -> tuple[Clause, ...]:
    """Without those that say more than another one."""
    said = [{json.dumps(item) for item in clause} for clause in clauses]
    return tuple(
        clause
        for clause, items in zip(clauses, said, strict=True)
        if not any(other < items for other in said)
    )


def _once(clause: Clause) -> Clause:
    return tuple({json.dumps(item): item for item in clause}.values())


def _plan_tasks(where: Node, undefined: Undefined) -> Plan:
    parts = parts_of(where)
    approximations = [_approximate(part, undefined) for part in parts]
    found, left_out = _all_of(approximations)
    if len(found.clauses) > 1 and mixes(item for clause in found.clauses for item in clause):
        wide = {place for place, part in enumerate(approximations) if len(part.clauses) > 1}
        narrow = [part for place, part in enumerate(approximations) if place not in wide]
        (found, _), left_out = _all_of(narrow), wide
    if not found.clauses:
        return Plan(nothing=True)
    unsure = [
        part
        for place, part in enumerate(parts)
        if place in left_out or not approximations[place].exact
    ]
    here = conjunction(*unsure) if unsure else None
    if len(found.clauses) == 1:
        return Plan(clauses=found.clauses, here=here, counts=here is None)
    clauses = _absorbed(_distinct(map(_pair, found.clauses)))
    whole = all(len(_pair(clause)) == len(clause) for clause in found.clauses)
    counts = here is None and whole
    if len(clauses) == 1:
        return Plan(clauses=clauses, here=where, counts=False)
    exact_pages = counts and all(len(clause) == 1 for clause in clauses)
    return Plan(clauses=clauses, here=None if exact_pages else where, counts=counts)


def _pair(clause: Clause) -> Clause:
    """What a line of a disjunction has room for. A column that the server computes must come first:
    as the second it is not computed, or counts a task several times.
    """
    ranked = sorted(clause, key=_worth)
    first = next((item for item in ranked if column_of(item) in COMPUTED), None)
    if first is None:
        return tuple(ranked[:2])
    return (first, *[item for item in ranked if column_of(item) not in COMPUTED][:1])


def _worth(item: Item) -> int:
    """Which comparison of a clause narrows most, as far as one can guess."""
    if item["operator"] == "contains" and item["value"] == "":
        return 9
    if item["operator"] in ("equal", "in_list", "contains"):
        return 1 if item["type"] != "Boolean" else 3
    return 5 if item["operator"].startswith("not") or item["operator"] == "empty" else 2


def fields_needed(node: Node | None) -> tuple[set[str], set[str]]:
    """The fields and the relations that checking a tree here reads."""
    found = list(leaves(node)) if node is not None else []
    return (
        {leaf.field.name for leaf in found if leaf.relation is None},
        {leaf.relation for leaf in found if leaf.relation is not None},
    )
