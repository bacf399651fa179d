"""Conditions as they are written: ``Q`` and keyword lookups.

``filter``, ``exclude`` and ``Q`` build one small tree (``conditions.py``). A tree is checked
against the resource when it is built, so that a misspelt field fails before a request.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from .conditions import Leaf, Node, Not, Opaque, conjunction, disjunction
from .errors import FieldError
from .lookups import LOOKUPS, TEXT_LOOKUPS
from .values import check_value, value_of

if TYPE_CHECKING:
    from .fields import Field
    from .resource import Resource

Term: TypeAlias = "Q | Opaque | tuple[str, Any]"
"""What a condition joins: conditions, and lookups with their values."""


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
    value = value_of(key, lookup, value, server)
    if field.references and lookup not in TEXT_LOOKUPS:  # as text, as addresses have it
        value = tuple(map(_number, value)) if isinstance(value, tuple) else _number(value)
    made = Leaf(key, field, tuple(names), lookup, value, relation)
    check_value(owner, made)
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
