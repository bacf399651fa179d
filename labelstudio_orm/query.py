"""Conditions: ``Q``, the lookups, and what they mean.

``filter``, ``exclude`` and ``Q`` build one small tree of ``Leaf`` under ``And``, ``Any`` and
``Not``. A tree is checked against the resource when it is built, so that a misspelt field fails
before a request, and it can be asked of an object here, which is the definition of what it means;
the planner may only make this faster.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from . import codec
from .errors import FieldError

if TYPE_CHECKING:
    from .fields import Field
    from .resource import Resource

Term: TypeAlias = "Q | Opaque | tuple[str, Any]"
"""What a condition joins: conditions, and lookups with their values."""

Predicate = Callable[["Resource"], bool]


class Q:
    """A condition to combine with ``&``, ``|`` and ``~``; what ``filter`` takes beside keyword
    lookups.

    >>> Q(total_annotations=0) | ~Q(data__lang="de")
    Q(total_annotations=0) | ~Q(data__lang='de')
    """

    __slots__ = ("joint", "negated", "terms")

    def __init__(self, *conditions: Q, **lookups: Any) -> None:
        for condition in conditions:
            if not isinstance(condition, Q):
                raise TypeError(f"Q() takes conditions (Q) and lookups, not {condition!r}")
        self.terms: tuple[Term, ...] = (*conditions, *lookups.items())
        self.joint = "&"
        self.negated = False

    def _joined(self, other: Q, joint: str) -> Q:
        if not isinstance(other, Q):
            return NotImplemented
        both = Q()
        both.joint = joint
        both.terms = (*self._terms_for(joint), *other._terms_for(joint))
        return both

    def _terms_for(self, joint: str) -> tuple[Term, ...]:
        """Its terms, if they may stand beside others under ``joint``: ``|=`` loops stay flat."""
        flat = not self.negated and (self.joint == joint or len(self.terms) <= 1)
        return self.terms if flat else (self,)

    def __and__(self, other: Q) -> Q:
        return self._joined(other, "&")

    def __or__(self, other: Q) -> Q:
        return self._joined(other, "|")

    def __invert__(self) -> Q:
        opposite = Q(self)
        opposite.negated = True
        return opposite

    def __repr__(self) -> str:
        shown = [
            f"Q({term[0]}={term[1]!r})" if isinstance(term, tuple) else repr(term)
            for term in self.terms
        ]
        text = f" {self.joint} ".join(shown) or "Q()"
        if self.negated:
            return f"~{text}" if len(shown) == 1 else f"~({text})"
        return (
            f"({text})"
            if len(shown) > 1 and any(isinstance(t, Q) and len(t.terms) > 1 for t in self.terms)
            else text
        )


# -- lookups --------------------------------------------------------------------------------------


def _kind(value: Any) -> Any:
    """Values are ordered within a kind: numbers (bool is none), texts, moments."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "text"
    return "moment" if isinstance(value, datetime) else None


def same(left: Any, right: Any) -> bool:
    """Equality of filters: ``1 == 1.0``, but ``"10" != 10`` and ``True != 1``, at any depth."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def holds(value: Any, wanted: Any) -> bool:
        kind = _kind(value)
        return kind is not None and kind == _kind(wanted) and compare(value, wanted)

    return holds


_at_least, _at_most = _ordered(operator.ge), _ordered(operator.le)


def _text(compare: Callable[[str, str], bool], *, fold: bool = False) -> Callable[[Any, Any], bool]:
    def holds(value: Any, wanted: str) -> bool:
        if not isinstance(value, str):
            return False
        return compare(value.lower(), wanted.lower()) if fold else compare(value, wanted)

    return holds


def _iexact(value: Any, wanted: Any) -> bool:
    if isinstance(value, str) and isinstance(wanted, str):
        return value.lower() == wanted.lower()
    return same(value, wanted)


LOOKUPS: dict[str, Callable[[Any, Any], bool]] = {
    "exact": same,
    "iexact": _iexact,
    "contains": _text(operator.contains),
    "icontains": _text(operator.contains, fold=True),
    "startswith": _text(str.startswith),
    "istartswith": _text(str.startswith, fold=True),
    "endswith": _text(str.endswith),
    "iendswith": _text(str.endswith, fold=True),
    "regex": _text(lambda value, pattern: re.search(pattern, value) is not None),
    "iregex": _text(lambda value, pattern: re.search(pattern, value, re.IGNORECASE) is not None),
    "in": lambda value, wanted: any(same(value, one) for one in wanted),
    "range": lambda value, wanted: _at_least(value, wanted[0]) and _at_most(value, wanted[1]),
    "gt": _ordered(operator.gt),
    "gte": _at_least,
    "lt": _ordered(operator.lt),
    "lte": _at_most,
    "isnull": lambda value, wanted: (value is None) is wanted,
    "has_key": lambda value, wanted: isinstance(value, dict) and wanted in value,
}
"""What each lookup means for one value. Django's names; the table is the whole lookup language."""

_TEXT_LOOKUPS = {name for name in LOOKUPS if name.endswith(("contains", "with", "regex"))}


# -- the tree -------------------------------------------------------------------------------------


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


# -- building it ----------------------------------------------------------------------------------


def build(
    model: type[Resource],
    conditions: Iterable[Q],
    lookups: dict[str, Any],
    server: str | None = None,
) -> Node:
    """The tree of ``filter(*conditions, **lookups)`` for the server of this address.

    Raises FieldError for an unknown field or lookup, and for an object that is on another server.
    """
    return _node(model, Q(*conditions, **lookups), server)


def _node(model: type[Resource], condition: Q, server: str | None) -> Node:
    parts = [
        _term(model, term, server)
        for term in condition.terms
        if not (isinstance(term, Q) and _is_empty(term))
    ]
    node = conjunction(*parts) if condition.joint == "&" else disjunction(*parts)
    return Not(node) if condition.negated else node


def _term(model: type[Resource], term: Term, server: str | None) -> Node:
    if isinstance(term, Q):
        return _node(model, term, server)
    return term if isinstance(term, Opaque) else leaf(model, *term, server)


def _is_empty(condition: Q) -> bool:
    return all(isinstance(term, Q) and _is_empty(term) for term in condition.terms)


def leaf(model: type[Resource], key: str, value: Any, server: str | None = None) -> Leaf:
    """The comparison that a keyword lookup says: ``leaf(Task, "data__lang__in", ["de"])``."""
    names = key.split("__")
    relation = None
    owner = model
    if names[0] in model._options.sets and len(names) > 1:
        relation = names.pop(0)
        owner = model._options.sets[relation].target
    field = find_field(owner, names.pop(0), key)
    lookup = "exact"
    if names and names[-1] in LOOKUPS:
        lookup = names.pop()
    if names and field.references and names == ["id"]:
        names = []
    if names and not field.nested:
        raise FieldError(
            f"unknown lookup {'__'.join(names)!r} in {key!r}{_near(names[-1], LOOKUPS)}; "
            f"{model.__name__}.{field.name} knows {', '.join(LOOKUPS)}"
        )
    value = _value(key, lookup, value, server)
    if field.references and lookup not in _TEXT_LOOKUPS:  # as text, as addresses have it
        value = tuple(map(_number, value)) if isinstance(value, tuple) else _number(value)
    made = Leaf(key, field, tuple(names), lookup, value, relation)
    _check_value(owner, made)
    return made


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def find_field(model: type[Resource], name: str, key: str | None = None) -> Field:
    """The field of this name, of this foreign key, or ``pk``. Raises FieldError naming the near
    misses.
    """
    options = model._options
    name = "id" if name == "pk" else name
    if name in options.relations:
        name = options.relations[name].id_name
    try:
        return options.fields[name]
    except KeyError:
        if name in options.sets:
            raise FieldError(
                f"{key or name!r}: {name} are objects of their own, no value of a "
                f"{model.__name__}; filter() takes {name}__<field>, prefetch({name!r}) brings them"
            ) from None
        known = [*options.fields, *options.relations]
        where = f" in {key!r}" if key not in (None, name) else ""
        raise FieldError(
            f"{model.__name__} has no field {name!r}{where}{_near(name, known)}; "
            f"it has {', '.join(sorted(known))}"
        ) from None


def _near(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), 3)
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""


def _value(key: str, lookup: str, value: Any, server: str | None) -> Any:
    """The value to compare with, ids for objects; for the lookups that take several, a tuple."""
    if lookup in ("in", "range"):
        if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
            raise FieldError(f"{key} takes a list of values, not {value!r}")
        value = tuple(_plain(key, one, server) for one in value)
        if lookup == "range" and len(value) != 2:
            raise FieldError(
                f"{key} takes the two ends (from, to), both included, not {len(value)} values"
            )
        return value
    return _plain(key, value, server)


def _check_value(model: type[Resource], leaf: Leaf) -> None:
    """Refuse what could never fit, since it is a mistake."""
    key, field, lookup, value = leaf.key, leaf.field, leaf.lookup, leaf.value
    if lookup == "isnull" and not isinstance(value, bool):
        raise FieldError(f"{key} takes True or False, not {value!r}")
    if lookup in _TEXT_LOOKUPS or lookup == "has_key":
        if not isinstance(value, str):
            raise FieldError(f"{key} takes a text, not {value!r}")
        if lookup.endswith("regex"):
            try:
                re.compile(value)
            except re.error as error:
                raise FieldError(f"{key}: {value!r} is no regular expression: {error}") from None
    elif lookup == "exact" and value is not None and not field.nested and not field.listed:
        why = codec.misfit(value, field.annotation)
        if why and not isinstance(value, (int, float)):
            raise FieldError(f"{key}: {model.__name__}.{field.name} is never {why}")


def _plain(key: str, value: Any, server: str | None) -> Any:
    from .resource import Resource

    if isinstance(value, Resource):
        if server is not None and value._server not in (None, server):
            raise FieldError(f"{key}: {value!r} is on {value._server}, the queryset on {server}")
        return value._saved_id(key)
    if isinstance(value, datetime) and value.tzinfo is None:
        raise FieldError(f"{key}: {value!r} has no time zone; give an aware datetime")
    return value


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
