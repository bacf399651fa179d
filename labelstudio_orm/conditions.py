"""The tree of a query: ``Leaf`` under ``And``, ``Or`` and ``Not``, and what it means.

A tree can be asked of an object here, which is the definition of what it means; the planner may
only make this faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from .errors import FieldError
from .lookups import LOOKUPS

if TYPE_CHECKING:
    from .fields import Field
    from .resource import Resource


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
        return f"{self.key}={self.value!r}"

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
        return f"<{column} {self.item['operator']} {self.item['value']!r}, as the server has it>"

    __repr__ = __str__

    def holds(self, obj: Resource) -> bool:
        """Nobody knows here."""
        raise FieldError(f"{self} can be evaluated by the server only, and not in this combination")


@attrs.frozen
class And:
    """True when every part is; of no parts, always."""

    parts: tuple[Node, ...]

    def holds(self, obj: Resource) -> bool:
        """Is it true of ``obj``?"""
        return all(part.holds(obj) for part in self.parts)


@attrs.frozen
class Or:
    """True when one part is; of no parts, never."""

    parts: tuple[Node, ...]

    def holds(self, obj: Resource) -> bool:
        """Is it true of ``obj``?"""
        return any(part.holds(obj) for part in self.parts)


@attrs.frozen
class Not:
    """The complement, nulls and missing keys included."""

    part: Node

    def holds(self, obj: Resource) -> bool:
        """Is it true of ``obj``?"""
        return not self.part.holds(obj)


Node: TypeAlias = "Leaf | Opaque | And | Or | Not"

EVERYTHING = And(())


def leaves(node: Node) -> Iterator[Leaf]:
    """Every comparison in a tree."""
    if isinstance(node, Leaf):
        yield node
    elif not isinstance(node, Opaque):
        for part in (node.part,) if isinstance(node, Not) else node.parts:
            yield from leaves(part)


def has_opaque(node: Node) -> bool:
    """Is anything in it that only the server can evaluate?"""
    if isinstance(node, (Leaf, Opaque)):
        return isinstance(node, Opaque)
    return any(map(has_opaque, (node.part,) if isinstance(node, Not) else node.parts))


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


def describe(node: Node) -> str:
    """A tree in the words that built it."""
    if isinstance(node, (Leaf, Opaque)):
        return str(node)
    if isinstance(node, Not):
        return f"not ({describe(node.part)})"
    joint = " and " if isinstance(node, And) else " or "
    return joint.join(
        describe(part) if isinstance(part, (Leaf, Opaque, Not)) else f"({describe(part)})"
        for part in node.parts
    )


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
