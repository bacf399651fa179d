"""The tree of a query: ``Leaf`` under ``And``, ``Or`` and ``Not``, and what it means.

A tree can be asked of an object here, which is the definition of what it means; the planner may
only make this faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import attrs

from .brief import brief, cut, joined
from .errors import FieldError
from .lookups import LOOKUPS

if TYPE_CHECKING:
    from .fields import Field
    from .resource import Resource

T = TypeVar("T")
V = TypeVar("V")


@attrs.frozen
class Leaf:
    """One comparison: a field of the resource, the way into it, a lookup and the value.

    ``relation`` is set when the field belongs to related objects (``annotations__ground_truth``);
    ``path`` are the keys into nested JSON (``data__a__b``). A leaf over several values holds when
    it holds for any of them.
    """

    key: str
    field: Field
    path: tuple[str, ...]
    lookup: str
    value: Any
    relation: str | None = None

    def __str__(self) -> str:
        return f"{self.key}={brief(self.value)}"

    def holds(self, obj: Resource) -> bool:
        """Is it true of ``obj``? Reads deferred fields, so the caller brings them along."""
        if self.relation is None:
            return self._holds_for(obj)
        related = list(getattr(obj, self.relation))
        return any(map(self._holds_for, related)) if related else self.holds_of_nothing

    @property
    def holds_of_nothing(self) -> bool:
        """Of no values at all it is as true as of one null."""
        return LOOKUPS[self.lookup](None, self.value)

    def _holds_for(self, obj: Resource) -> bool:
        compare = LOOKUPS[self.lookup]
        value = obj._peek(self.field)
        if self.field.listed or (self.path and isinstance(value, list)):
            # a result: any region, any label in it
            found = list(_inside(value, self.path)) if isinstance(value, list) else []
            return any(compare(one, self.value) for one in found or (None,))
        for key in self.path:
            value = value.get(key) if isinstance(value, dict) else None
        return compare(value, self.value)


def _inside(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """All values found along ``path``, lists on the way being gone through; a key that is missing
    is a null.
    """
    if isinstance(value, list):
        for one in value:
            yield from _inside(one, path)
    elif not path:
        yield value
    elif path == ("label",) and isinstance(value, dict) and "label" not in value:
        yield from _labels(value)
    else:
        yield from _inside(value.get(path[0]) if isinstance(value, dict) else None, path[1:])


_IN_VIDEOS = ("videorectangle", "videovector")
"""Types of regions that hold the labels of another control."""


def _labels(region: dict[str, Any]) -> Iterator[Any]:
    """The labels of a region, whatever its control calls them: its choices, its rectanglelabels,
    each step of its taxonomy.
    """
    value, kind = region.get("value"), region.get("type")
    key = "labels" if kind in _IN_VIDEOS else kind
    found = value.get(key) if isinstance(value, dict) else None
    pending = [found]
    while pending:
        one = pending.pop()
        if isinstance(one, list):
            pending.extend(one)
        elif one is not None:
            yield one


@attrs.frozen(repr=False)
class Opaque:
    """A line of a saved view whose meaning at the server is not that of any lookup here; only the
    server can evaluate it.
    """

    item: dict[str, Any] = attrs.field(hash=False)

    def __str__(self) -> str:
        column = self.item["filter"].removeprefix("filter:tasks:")
        return (
            f"<{column} {self.item['operator']} {brief(self.item['value'])}, as the server has it>"
        )

    __repr__ = __str__

    def holds(self, obj: Resource) -> bool:
        """Nobody knows here."""
        raise FieldError(f"{self} can be evaluated by the server only, and not in this combination")


class _Joint:
    """What the nodes that have parts share.

    Nothing here recurses: conditions are nested as deep as a loop nests them.
    """

    __slots__ = ()

    @property
    def parts(self) -> tuple[Node, ...]:
        """What is joined."""
        raise NotImplementedError

    def holds(self, obj: Resource) -> bool:
        """Is it true of ``obj``?"""
        return predicate(self)(obj)  # type: ignore[arg-type]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        if len(self.parts) != len(other.parts):
            return False
        return self is other or _postfix(self) == _postfix(other)  # type: ignore[arg-type]

    def __hash__(self) -> int:
        return hash((type(self), len(self.parts)))

    def __repr__(self) -> str:
        return describe(self)  # type: ignore[arg-type]

    def __reduce__(self) -> tuple[Any, ...]:
        return _grown, (_postfix(self),)  # type: ignore[arg-type]


@attrs.frozen(eq=False, repr=False)
class And(_Joint):
    """True when every part is; of no parts, always."""

    parts: tuple[Node, ...]


@attrs.frozen(eq=False, repr=False)
class Or(_Joint):
    """True when one part is; of no parts, never."""

    parts: tuple[Node, ...]


@attrs.frozen(eq=False, repr=False)
class Not(_Joint):
    """The complement, nulls and missing keys included."""

    part: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        """The one that is negated."""
        return (self.part,)


Node: TypeAlias = "Leaf | Opaque | And | Or | Not"

EVERYTHING = And(())


# -- walking it -----------------------------------------------------------------------------------


def fold(root: T, inside: Callable[[T], Sequence[T]], make: Callable[[T, list[V]], V]) -> V:
    """Return what ``make`` makes of a tree: of each node and what was made of those inside it."""
    made: list[V] = []
    pending: list[tuple[T, int | None]] = [(root, None)]
    while pending:
        node, number = pending.pop()
        if number is None:
            inner = inside(node)
            pending.append((node, len(inner)))
            pending.extend((one, None) for one in reversed(inner))
        else:
            place = len(made) - number
            made[place:] = [make(node, made[place:])]
    return made[0]


def parts_in(node: Node) -> Sequence[Node]:
    """Return the nodes that a node joins; none for a comparison."""
    return node.parts if isinstance(node, _Joint) else ()


def nodes(root: Node) -> Iterator[Node]:
    """Yield every node of a tree, each before its parts."""
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(reversed(parts_in(node)))


def leaves(root: Node) -> Iterator[Leaf]:
    """Yield every comparison in a tree."""
    return (node for node in nodes(root) if isinstance(node, Leaf))


def has_opaque(root: Node) -> bool:
    """Is anything in it that only the server can evaluate?"""
    return any(isinstance(node, Opaque) for node in nodes(root))


def _postfix(root: Node) -> tuple[Any, ...]:
    """A tree as a flat list: each node behind its parts, with their number."""
    listed = [
        (type(node), len(parts_in(node))) if isinstance(node, _Joint) else node
        for node in nodes(root)
    ]
    return tuple(reversed(listed))


def _grown(postfix: Iterable[Any]) -> Node:
    """The tree of ``_postfix``."""
    made: list[Any] = []
    for one in postfix:
        if isinstance(one, tuple):
            kind, number = one
            place = len(made) - number
            parts = made[place:][::-1]
            made[place:] = [Not(parts[0]) if kind is Not else kind(tuple(parts))]
        else:
            made.append(one)
    return cast(Node, made[0])


Predicate = Callable[["Resource"], bool]

_TRUE, _FALSE = -1, -2


def predicate(root: Node) -> Predicate:
    """Return the function that tells whether a tree is true of an object. It asks no more
    comparisons than it needs to.
    """
    if not isinstance(root, _Joint):
        return root.holds
    steps = _steps(root)

    def holds(obj: Resource) -> bool:
        place = 0
        while place >= 0:
            test, if_true, if_false = steps[place]
            place = if_true if test(obj) else if_false
        return place == _TRUE

    return holds


def _steps(root: Node) -> list[tuple[Predicate, int, int]]:
    """The comparisons one after the other, each with the places to go on at."""
    numbers = count()
    places = {_TRUE: _TRUE, _FALSE: _FALSE}  # where each subtree begins, by its number
    steps: list[tuple[Predicate, int, int]] = []
    pending: list[tuple[Node, int, int, int]] = [(root, next(numbers), _TRUE, _FALSE)]
    while pending:
        node, number, if_true, if_false = pending.pop()
        places.setdefault(number, len(steps))
        if isinstance(node, Not):
            pending.append((node.part, number, if_false, if_true))
        elif isinstance(node, _Joint) and node.parts:
            begin = [number, *(next(numbers) for _ in node.parts[1:])]
            ways = [
                (following, if_false) if isinstance(node, And) else (if_true, following)
                for following in (*begin[1:], if_true if isinstance(node, And) else if_false)
            ]
            pending.extend(
                (part, start, *way)
                for part, start, way in reversed(list(zip(node.parts, begin, ways, strict=True)))
            )
        else:
            test = node.holds if not isinstance(node, _Joint) else _constant(node)
            steps.append((test, if_true, if_false))
    return [(test, places[if_true], places[if_false]) for test, if_true, if_false in steps]


def _constant(empty: _Joint) -> Predicate:
    return lambda _: isinstance(empty, And)


# -- making and telling it ------------------------------------------------------------------------


def conjunction(*nodes: Node) -> Node:
    """All of ``nodes`` in one flat node; of none, everything."""
    parts: list[Node] = []
    for node in nodes:
        parts.extend(node.parts if isinstance(node, And) else (node,))
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def disjunction(*nodes: Node) -> Node:
    """Any of ``nodes`` in one flat node; of none, everything, since nothing was said."""
    parts: list[Node] = []
    for node in nodes:
        parts.extend(node.parts if isinstance(node, Or) else (node,))
    return parts[0] if len(parts) == 1 else Or(tuple(parts)) if parts else EVERYTHING


def negation(node: Node) -> Node:
    """Return the complement of a node."""
    return node.part if isinstance(node, Not) else Not(node)


def describe(root: Node) -> str:
    """Return a tree in the words that built it, shortened where it is long."""
    return fold(root, parts_in, _described)


def _described(node: Node, parts: list[str]) -> str:
    if not isinstance(node, _Joint):
        return str(node)
    if isinstance(node, Not):
        return f"not ({cut(parts[0])})"
    texts = (
        f"({text})" if isinstance(part, (And, Or)) else text
        for part, text in zip(node.parts, parts, strict=True)
    )
    return cut(joined(texts, " and " if isinstance(node, And) else " or "))


def parts_of(node: Node) -> tuple[Node, ...]:
    """What a tree is the conjunction of."""
    return node.parts if isinstance(node, And) else (node,)


def pins(node: Node, name: str) -> bool:
    """Is it a plain ``name=value``?"""
    return isinstance(node, Leaf) and (node.field.name, node.lookup, node.path, node.relation) == (
        name,
        "exact",
        (),
        None,
    )


def exactly(node: Node, name: str) -> Any:
    """The value that a conjunction pins the field ``name`` to, or None: 5 of ``filter(id=5)``."""
    return next(
        (part.value for part in parts_of(node) if isinstance(part, Leaf) and pins(part, name)), None
    )
