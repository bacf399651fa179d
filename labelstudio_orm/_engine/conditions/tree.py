"""The tree of a query, and its meaning: ``Leaf`` under ``And``, ``Or`` and ``Not``.

A tree can be evaluated for an object, which defines its meaning; the planner may only make this
faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, count
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import attrs

from ...errors import FieldError
from ..values.brief import brief, cut, joined
from ..values.declared import Record
from .lookups import LOOKUPS
from .places import Merged, refuse_merged

if TYPE_CHECKING:
    from ..fields.fields import Field

T = TypeVar("T")
V = TypeVar("V")


@attrs.frozen
class Binding:
    """A choice that comparisons may share: an object of a relation, or a region in a field."""

    relation: str | None
    field: Field | None = None

    def __str__(self) -> str:
        return "region" if self.field else str(self.relation).removesuffix("s")

    def among(self, chosen: Chosen) -> list[Any]:
        """Return the candidates; a single None where there are none."""
        if self.field is None:
            found: Any = list(getattr(chosen.obj, str(self.relation)))
        else:
            owner = chosen.owner(self.relation)
            found = None if owner is None else self.field.peek(owner)
        return found if isinstance(found, list) and found else [None]


@attrs.frozen(eq=False)
class Chosen:
    """An object, and the related objects that conditions are evaluated for."""

    obj: Record
    of: dict[Binding, Any] = attrs.field(factory=dict)

    def owner(self, relation: str | None) -> Any:
        """Return the object whose fields are compared."""
        return self.obj if relation is None else self.of[Binding(relation)]


@attrs.frozen
class Leaf:
    """One comparison: a field of the resource, the path into it, a lookup and the value.

    ``relation`` is set when the field belongs to related objects (``annotations__ground_truth``);
    ``path`` are the keys into nested JSON (``data__a__b``). A leaf over several values holds when
    it holds for any of them. ``merged`` are the keys that its name may mean as well; ``text`` is
    the comparison as an expression wrote it.
    """

    key: str
    field: Field
    path: tuple[str, ...]
    lookup: str
    value: Any
    relation: str | None = None
    merged: Merged = attrs.field(default=(), eq=False)
    text: str | None = attrs.field(default=None, eq=False)

    def __str__(self) -> str:
        return cut(self.text or f"{cut(self.key, 200)}={brief(self.value)}")

    def holds(self, obj: Record) -> bool:
        """Return whether it is true of an object. Reads deferred fields: load them first."""
        if self.relation is None:
            return self._holds_for(obj)
        related = list(getattr(obj, self.relation))
        return any(map(self._holds_for, related)) if related else self.holds_of_nothing

    def holds_among(self, chosen: Chosen) -> bool:
        """Return whether it is true of the chosen related object and region."""
        bindings = [one for one in self.bindings if one in chosen.of]
        if not bindings:
            return self.holds(chosen.obj)
        owner = chosen.owner(self.relation)
        if owner is None:
            return self.holds_of_nothing
        if bindings[-1].field is None:
            return self._holds_for(owner)
        region = chosen.of[bindings[-1]]
        found = list(in_region(region, self.path)) if region is not None else []
        return (
            self._holds_for_any(found)
            if found
            else (self.holds_of_nothing and self._holds_for(owner))
        )

    @property
    def bindings(self) -> tuple[Binding, ...]:
        """Return the choices that it depends on, the relation before the regions."""
        found = () if self.relation is None else (Binding(self.relation),)
        in_regions = self.path and self.field.holds_regions
        return (*found, Binding(self.relation, self.field)) if in_regions else found

    @property
    def holds_of_nothing(self) -> bool:
        """Return whether it holds where there are no values, which is as for a single null."""
        return LOOKUPS[self.lookup](None, self.value)

    def _holds_for(self, obj: Record) -> bool:
        value = self.field.peek(obj)
        if self.field.multi_valued or (self.path and isinstance(value, list)):
            inside = in_region if self.field.holds_regions else _inside
            found = value if isinstance(value, list) else []
            return self._holds_for_any([one for part in found for one in inside(part, self.path)])
        if self.merged:
            refuse_merged(value, self.merged, self.key, self.field.name)
        for key in self.path:
            value = value.get(key) if isinstance(value, dict) else None
        return LOOKUPS[self.lookup](value, self.value)

    def _holds_for_any(self, found: list[Any]) -> bool:
        compare = LOOKUPS[self.lookup]
        return any(compare(one, self.value) for one in found or (None,))


def _inside(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """Yield all values along a path, also through lists; a missing key gives None."""
    if isinstance(value, list):
        for one in value:
            yield from _inside(one, path)
    elif not path:
        yield value
    else:
        yield from _inside(value.get(path[0]) if isinstance(value, dict) else None, path[1:])


# -- the values of a region -----------------------------------------------------------------------

REGION = frozenset({
    "id", "from_name", "to_name", "type", "value", "origin", "score", "meta", "readonly", "hidden",
    "parentID", "item_index", "original_width", "original_height", "image_rotation",
})  # fmt: skip
"""The keys of a region: these names are never taken for a control."""

_KEY_OF = {
    "videorectangle": "labels", "videovector": "labels", "textarea": "text", "pairwise": "selected",
    "chatmessage": "message", "reactcode": "output",
}  # fmt: skip
"""The key of a region's value by its type, where it differs from the type."""


def in_region(region: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """Yield the values of a region along a path.

    That is a key of its own, all of its labels (``label``), or its value, if it belongs to the
    control of this name.
    """
    if path[0] in REGION or not isinstance(region, dict) or path[0] in region:
        yield from _inside(region, path)
    elif path == ("label",):
        yield from _labels(region)
    elif region.get("from_name") == "__".join(path):
        yield from _spoken(region, _KEY_OF.get(str(region.get("type")), region.get("type")))


def _labels(region: dict[str, Any]) -> Iterator[Any]:
    """Yield the labels of a region, whatever key its control stores them under.

    These are its choices, its rectanglelabels, each step of its taxonomy.
    """
    kind = region.get("type")
    return _spoken(region, "labels" if kind in ("videorectangle", "videovector") else kind)


def _spoken(region: dict[str, Any], key: Any) -> Iterator[Any]:
    """Yield the values under a key of a region's value, one by one where it is a list."""
    value = region.get("value")
    pending = [value.get(key) if isinstance(value, dict) and isinstance(key, str) else None]
    while pending:
        one = pending.pop()
        if isinstance(one, list):
            pending.extend(one)
        elif one is not None:
            yield one


@attrs.frozen(repr=False)
class Opaque:
    """A line of a saved view that matches no lookup; only the server can evaluate it."""

    item: dict[str, Any] = attrs.field(hash=False)

    def __str__(self) -> str:
        child = self.item.get("child_filter")
        lines = [self.item, child] if child else [self.item]
        text = " and of the same one ".join(map(self._line, lines))
        return f"<{text}, as the server has it>"

    @staticmethod
    def _line(item: Mapping[str, Any]) -> str:
        column = item["filter"].removeprefix("filter:tasks:")
        return f"{column} {item['operator']} {brief(item['value'])}"

    __repr__ = __str__

    def holds(self, obj: Record) -> bool:
        """Raise FieldError, since only the server can evaluate it."""
        raise FieldError(f"{self} can only be evaluated by the server, and not in this combination")


class _Joint:
    """The base of the nodes with parts.

    Nothing here recurses: conditions are nested as deep as a loop nests them.
    """

    __slots__ = ()

    @property
    def parts(self) -> tuple[Node, ...]:
        """Return the joined nodes."""
        raise NotImplementedError

    def holds(self, obj: Record) -> bool:
        """Return whether it is true of an object."""
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


class And(_Joint):
    """True when every part is; without parts, always.

    ``before``: the conjunction that this one continues. Its parts are joined with the others when
    they are asked for: a loop of ``filter()`` would else copy all of them each time.
    """

    __slots__ = ("joined",)

    def __init__(self, parts: tuple[Node, ...], before: And | None = None) -> None:
        self.joined = before, parts

    @property
    def parts(self) -> tuple[Node, ...]:
        """Return the joined nodes."""
        before, last = self.joined
        if before is None:
            return last
        groups = [last]
        while before is not None:
            before, last = before.joined
            groups.append(last)
        whole = tuple(chain.from_iterable(reversed(groups)))
        self.joined = None, whole
        return whole


@attrs.frozen(eq=False, repr=False)
class Or(_Joint):
    """True when one part is; without parts, never."""

    parts: tuple[Node, ...]


@attrs.frozen(eq=False, repr=False)
class Not(_Joint):
    """The complement, which includes nulls and missing keys."""

    part: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        """Return the negated node."""
        return (self.part,)


@attrs.frozen(eq=False, repr=False)
class Related(_Joint):
    """True when there is one related object of which the part is true.

    All comparisons of the part concern that object. Where one has been chosen already, it is that
    one.
    """

    of: Binding
    part: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        """Return the node that holds for one of the objects."""
        return (self.part,)


Node: TypeAlias = "Leaf | Opaque | And | Or | Not | Related"

EVERYTHING = And(())


# -- walking it -----------------------------------------------------------------------------------


def fold(root: T, inside: Callable[[T], Sequence[T]], make: Callable[[T, list[V]], V]) -> V:
    """Return the result of ``make`` for a tree: it gets each node with the results of its parts."""
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
    """Return whether a tree has a part that only the server can evaluate."""
    return any(isinstance(node, Opaque) for node in nodes(root))


def _postfix(root: Node) -> tuple[Any, ...]:
    """Return a tree as a flat list: each node after its parts, with their number."""
    listed = [
        (type(node), len(parts_in(node)), node.of if isinstance(node, Related) else None)
        if isinstance(node, _Joint)
        else node
        for node in nodes(root)
    ]
    return tuple(reversed(listed))


def _grown(postfix: Iterable[Any]) -> Node:
    """Return the tree of a ``_postfix`` list."""
    made: list[Any] = []
    for one in postfix:
        if isinstance(one, tuple):
            kind, number, of = one
            place = len(made) - number
            parts = made[place:][::-1]
            made[place:] = [
                Related(of, *parts) if of else Not(*parts) if kind is Not else kind(tuple(parts))
            ]
        else:
            made.append(one)
    return cast(Node, made[0])


Predicate = Callable[[Any], bool]

_TRUE, _FALSE = -1, -2


def predicate(root: Node) -> Predicate:
    """Return a function that evaluates a tree for an object with the fewest comparisons."""
    if not isinstance(root, _Joint):
        return root.holds
    chooses = any(isinstance(node, Related) for node in nodes(root))
    steps = _steps(root, chooses)

    def holds(obj: Any) -> bool:
        subject = _Walk(obj) if chooses else obj
        place = 0
        while place >= 0:
            test, if_true, if_false = steps[place]
            place = if_true if test(subject) else if_false
        return place == _TRUE

    return holds


def _steps(root: Node, chooses: bool) -> list[tuple[Predicate, int, int]]:
    """Return the comparisons in sequence, each with the positions to go on at.

    Between them are the steps that choose related objects.
    """
    numbers = count()
    places = {_TRUE: _TRUE, _FALSE: _FALSE}  # where each subtree begins, by its number
    steps: list[tuple[Predicate, int, int]] = []
    pending: list[_Part] = [(root, next(numbers), _TRUE, _FALSE, frozenset())]

    def add(number: int, test: Predicate, if_true: int, if_false: int) -> None:
        places[number] = len(steps)
        steps.append((test, if_true, if_false))

    while pending:
        node, number, if_true, if_false, chosen = pending.pop()
        if isinstance(node, Not) and chosen:  # it holds for any
            recall, inner, true, false = (next(numbers) for _ in range(4))
            add(number, partial(_Walk.knows, number=number), recall, inner)
            add(recall, partial(_Walk.recall, number=number), if_false, if_true)
            add(true, partial(_Walk.keep, number=number, answer=True), recall, recall)
            add(false, partial(_Walk.keep, number=number, answer=False), recall, recall)
            pending.append((node.part, inner, true, false, frozenset()))
        elif isinstance(node, Not):
            pending.append((node.part, number, if_false, if_true, chosen))
        elif isinstance(node, Related) and node.of in chosen:
            pending.append((node.part, number, if_true, if_false, chosen))
        elif isinstance(node, Related):
            following, inner, found = (next(numbers) for _ in range(3))
            add(number, partial(_Walk.begin, binding=node.of), following, following)
            add(following, partial(_Walk.choose, binding=node.of), inner, if_false)
            add(found, _Walk.end, if_true, if_true)
            pending.append((node.part, inner, found, following, chosen | {node.of}))
        elif isinstance(node, (And, Or)) and node.parts:
            begin = [number, *(next(numbers) for _ in node.parts[1:])]
            ways = [
                (following, if_false) if isinstance(node, And) else (if_true, following)
                for following in (*begin[1:], if_true if isinstance(node, And) else if_false)
            ]
            pending.extend(
                (part, start, *way, chosen)
                for part, start, way in reversed(list(zip(node.parts, begin, ways, strict=True)))
            )
        else:
            add(number, _test(node, chooses), if_true, if_false)
    return [(test, places[if_true], places[if_false]) for test, if_true, if_false in steps]


_Part: TypeAlias = tuple[Node, int, int, int, frozenset[Binding]]
"""A subtree, its number, those of its successors, and the choices made before it."""


def _test(node: Node, chooses: bool) -> Predicate:
    if isinstance(node, _Joint):  # of no parts
        return lambda _: isinstance(node, And)
    if not chooses:
        return node.holds
    if isinstance(node, Leaf):
        return lambda walk: node.holds_among(walk.chosen)
    return lambda walk: node.holds(walk.chosen.obj)


class _Walk:
    """An object on its way through the steps.

    It holds the related objects that are chosen, those chosen before, the remaining candidates, and
    the results that do not depend on the choice.
    """

    __slots__ = ("before", "chosen", "known", "rest")

    def __init__(self, obj: Record) -> None:
        self.chosen = Chosen(obj)
        self.before: list[Chosen] = []
        self.rest: list[Iterator[Any]] = []
        self.known: dict[int, bool] = {}

    def begin(self, *, binding: Binding) -> bool:
        """Begin a choice."""
        self.before.append(self.chosen)
        self.rest.append(iter(binding.among(self.chosen)))
        return True

    def choose(self, *, binding: Binding) -> bool:
        """Choose the next candidate; return whether there is one."""
        for one in self.rest[-1]:
            before = self.before[-1]
            self.chosen = Chosen(before.obj, {**before.of, binding: one})
            return True
        return not self.end()

    def end(self) -> bool:
        """Return to the previous choice."""
        self.rest.pop()
        self.chosen = self.before.pop()
        return True

    def knows(self, *, number: int) -> bool:
        """Return whether this was evaluated before; if not, forget the choice while it is."""
        if number in self.known:
            return True
        self.before.append(self.chosen)
        self.chosen = Chosen(self.chosen.obj)
        return False

    def keep(self, *, number: int, answer: bool) -> bool:
        """Store the result."""
        self.known[number] = answer
        self.chosen = self.before.pop()
        return True

    def recall(self, *, number: int) -> bool:
        """Return the stored result."""
        return self.known[number]


# -- making and describing it ---------------------------------------------------------------------


def conjunction(*nodes: Node) -> Node:
    """Return all of ``nodes`` in one flat node; of none, everything."""
    first, *others = nodes or (EVERYTHING,)
    parts = tuple(chain.from_iterable(map(parts_of, others)))
    if isinstance(first, And) and any(first.joined):
        return And(parts, first) if parts else first
    whole = (*parts_of(first), *parts)
    return whole[0] if len(whole) == 1 else And(whole)


def disjunction(*nodes: Node) -> Node:
    """Return any of ``nodes`` in one flat node; of none, everything: no condition was given."""
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
    if isinstance(node, Related):
        return f"({cut(parts[0])}) of the same {node.of}"
    texts = (
        f"({text})" if isinstance(part, (And, Or)) else text
        for part, text in zip(node.parts, parts, strict=True)
    )
    return cut(joined(texts, " and " if isinstance(node, And) else " or "))


def parts_of(node: Node) -> tuple[Node, ...]:
    """Return the nodes that a tree is the conjunction of."""
    return node.parts if isinstance(node, And) else (node,)


def pins(node: Node, name: str) -> bool:
    """Return whether a node is a plain ``name=value``."""
    return isinstance(node, Leaf) and (node.field.name, node.lookup, node.path, node.relation) == (
        name,
        "exact",
        (),
        None,
    )


def exactly(node: Node, name: str) -> Any:
    """Return the value that a conjunction pins a field to: 5 for ``filter(id=5)``; else None."""
    return next(
        (part.value for part in parts_of(node) if isinstance(part, Leaf) and pins(part, name)), None
    )
