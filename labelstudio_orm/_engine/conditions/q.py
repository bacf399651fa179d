"""Conditions as they are written: ``Q`` and keyword lookups.

``filter``, ``exclude`` and ``Q`` build one small tree (``tree.py``). A tree is checked against the
resource when it is built, so a misspelt field fails before any request.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import attrs

from ...errors import FieldError, UnknownKeyWarning
from ..fields.options import options_of
from ..values.brief import brief, cut, joined
from ..values.declared import Record
from ..values.near import did_you_mean, near_misses
from ..values.secret import hide, reveal
from .lookups import LOOKUPS
from .operands import lookups_of, value_of
from .places import Place, merged
from .same_object import together
from .tree import EVERYTHING, Leaf, Node, Opaque, conjunction, disjunction, fold, negation

if TYPE_CHECKING:
    from ..fields.fields import Field

Term: TypeAlias = "Q | Opaque | Comparison | tuple[str, Any]"
"""The terms that a condition joins: conditions, and lookups with their values."""

_SIGNS = {"exact": "==", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


@attrs.frozen(eq=False, repr=False)
class Comparison:
    """A lookup of a key that an expression names: ``data["src__id"] >= 5``."""

    place: Place
    lookup: str
    value: Any

    def __str__(self) -> str:
        if self.lookup in _SIGNS:
            return f"{self.place} {_SIGNS[self.lookup]} {brief(self.value)}"
        method = "isin" if self.lookup == "in" else self.lookup
        if self.lookup == "range":
            return f"{self.place}.range({', '.join(map(brief, self.value))})"
        return f"{self.place}.{method}({brief(self.value)})"


def comparison(place: Place, lookup: str, value: Any) -> Q:
    """Return the condition of an expression."""
    made = Q()
    made.terms = (Comparison(place, lookup, _held(value)),)
    return made


def kept(lookups: Mapping[str, Any]) -> dict[str, Any]:
    """Return lookups with iterators read into tuples.

    A condition may be used twice; the second time an iterator would be empty, and its complement
    would match everything.
    """
    return {name: _held(value) for name, value in lookups.items()}


def _held(value: Any) -> Any:
    return tuple(value) if isinstance(value, Iterator) else value


class Q:
    """A condition to combine with ``&``, ``|`` and ``~``, accepted by ``filter`` beside lookups.

    >>> Q(total_annotations=0) | ~Q(data__lang="de")
    Q(total_annotations=0) | ~Q(data__lang='de')
    """

    __slots__ = ("joint", "negated", "terms")

    def __init__(self, *conditions: Q, **lookups: Any) -> None:
        for condition in conditions:
            if not isinstance(condition, Q):
                raise TypeError(f"Q() takes conditions (Q) and lookups, not {brief(condition)}")
        self.terms: tuple[Term, ...] = (*conditions, *hide(kept(lookups)).items())
        self.joint = "&"
        self.negated = False

    def _joined(self, other: Q, joint: str) -> Q:
        if not isinstance(other, Q):
            return NotImplemented
        both = Q(self, other)
        both.joint = joint
        return both

    def __and__(self, other: Q) -> Q:
        return self._joined(other, "&")

    def __or__(self, other: Q) -> Q:
        return self._joined(other, "|")

    def __invert__(self) -> Q:
        opposite = Q(self)
        opposite.negated = True
        return opposite

    def __bool__(self) -> bool:
        raise TypeError(
            "a condition is neither true nor false: join conditions with & and |, and negate them "
            "with ~; Python's and, or and not would drop one of them"
        )

    def __repr__(self) -> str:
        return fold(cast(Term, self), _terms_in, _shown)

    def __reduce__(self) -> tuple[Any, ...]:
        return _grown, (_postfix(self),)


def _terms_in(term: Term) -> list[Term]:
    """Return the terms that a condition joins, flattening conditions with the same joint.

    A loop of ``|=`` nests as deep as it is long.
    """
    if not isinstance(term, Q):
        return []
    found: list[Term] = []
    pending = [*reversed(term.terms)]
    while pending:
        one = pending.pop()
        if isinstance(one, Q) and not one.negated and one.joint in (term.joint, _joint_of(one)):
            pending.extend(reversed(one.terms))
        else:
            found.append(one)
    return found


def _joint_of(condition: Q) -> str | None:
    """Return the joint of a condition; None for one that joins nothing, which may have any."""
    return condition.joint if len(condition.terms) <= 1 else None


def _shown(term: Term, parts: list[str]) -> str:
    if isinstance(term, tuple):
        return f"Q({cut(term[0], 200)}={brief(term[1])})"
    if isinstance(term, Comparison):
        return f"Q({term})"
    if not isinstance(term, Q):
        return str(term)
    inner = _terms_in(term)
    texts = [
        f"({text})" if _is_looser(one, term) else text
        for one, text in zip(inner, parts, strict=True)
    ]
    text = cut(joined(texts, f" {term.joint} ")) or "Q()"
    if term.negated:
        return f"~{text}" if len(inner) <= 1 else f"~({text})"
    return text


def _is_looser(inner: Term, outer: Q) -> bool:
    """Return whether a condition within another one needs brackets to keep its meaning."""
    joins = isinstance(inner, Q) and not inner.negated and len(_terms_in(inner)) > 1
    return joins and outer.joint == "&"


def _postfix(condition: Q) -> tuple[Any, ...]:
    """Return a condition as a flat list: each one after its terms, with their number."""
    listed: list[Any] = []
    pending: list[Term] = [condition]
    while pending:
        term = pending.pop()
        if isinstance(term, Q):
            listed.append((term.joint, term.negated, len(term.terms)))
            pending.extend(term.terms)
        else:
            listed.append(term)
    return tuple(reversed(listed))


def _grown(postfix: Iterable[Any]) -> Q:
    """Return the condition of a ``_postfix`` list."""
    made: list[Any] = []
    for one in postfix:
        if isinstance(one, tuple) and len(one) == 3:
            joint, negated, number = one
            place = len(made) - number
            condition = Q()
            condition.joint, condition.negated = joint, negated
            condition.terms = tuple(made[place:])
            made[place:] = [condition]
        else:
            made.append(one)
    return cast(Q, made[0])


def build(
    model: type[Record],
    conditions: Iterable[Q],
    lookups: dict[str, Any],
    server: str | None = None,
) -> Node:
    """Return the tree of ``filter(*conditions, **lookups)`` for the server at this address.

    Raises FieldError for an unknown field or lookup, and for an object from another server.
    """
    made = fold(
        cast(Term, Q(*conditions, **lookups)),
        _terms_in,
        lambda term, parts: _node(model, term, parts, server),
    )
    return together(made or EVERYTHING)


def _node(
    model: type[Record], term: Term, parts: list[Node | None], server: str | None
) -> Node | None:
    """Return the node of a term; None for an empty condition."""
    if isinstance(term, tuple):
        return leaf(model, *term, server)
    if isinstance(term, Comparison):
        return _literal_leaf(model, term.place, term.lookup, term.value, str(term), server)
    if not isinstance(term, Q):
        return term
    nodes = [part for part in parts if part is not None]
    if not nodes:
        return None
    node = conjunction(*nodes) if term.joint == "&" else disjunction(*nodes)
    return negation(node) if term.negated else node


def leaf(model: type[Record], key: str, value: Any, server: str | None = None) -> Leaf:
    """Return the comparison of a keyword lookup: ``leaf(Task, "data__lang__in", ["de"])``."""
    place = Place.of(key)
    if place.literal:
        lookup = place.rest or "exact"
        if lookup not in LOOKUPS:
            raise _unknown_lookup(find_field(model, place.head, key), lookup, key)
        return _literal_leaf(model, place, lookup, value, None, server)
    names = [place.head, *place.keys]
    relation = None
    owner = model
    if names[0] in options_of(model).inside and len(names) > 1:
        relation = names.pop(0)
        owner = options_of(model).inside[relation].target
        if names[0] in LOOKUPS:
            raise FieldError(
                f"{key}: {relation} are objects, which cannot be compared with a value; "
                f"total_{relation}=0 matches none, {relation}__<field> compares a field of one"
            )
    field = find_field(owner, names.pop(0), key)
    lookup = "exact"
    if field.holds_regions and len(names) > 1 and names[-1].lstrip("_") in LOOKUPS:
        plain = names[-1].lstrip("_")  # the name of the control before it ends with the others
        names[-2:] = [names[-2] + names[-1].removesuffix(plain), plain]
    if names and names[-1] in LOOKUPS:
        lookup = names.pop()
    if names and field.references and names == ["id"]:
        names = []
    if names and not field.has_keys:
        raise _unknown_lookup(field, "__".join(names), key)
    if lookup == "exact" and len(names) > 1:
        _warn_of_lookup(key, field, names[-1])
    others = () if field.holds_regions else merged(names)
    return _leaf(owner, Leaf(key, field, tuple(names), lookup, value, relation, others), server)


def _warn_of_lookup(key: str, field: Field, last: str) -> None:
    """Warn that the last key of a path looks like a lookup."""
    near = _near_lookup(last)
    if near is None:
        return
    if field.holds_regions:
        taken = f"{last!r} is taken for part of a control's name, since there is no such lookup"
        way_out = ""
    else:
        taken = f"{last!r} is taken for a key, since there is no such lookup"
        way_out = f" Name a key like that by an expression: {field.name}[...][{last!r}]"
    warnings.warn(
        f"{key}: {taken}; did you mean {near!r}?{way_out}", UnknownKeyWarning, stacklevel=2
    )


_ELSEWHERE = {
    "eq": "exact", "equals": "exact", "iequals": "iexact", "ne": "exclude", "neq": "exclude",
    "ge": "gte", "le": "lte", "ilike": "icontains", "nin": "exclude", "notnull": "isnull",
}  # fmt: skip
"""The lookups here for those of other libraries, whose names are hardly keys."""


def _near_lookup(name: str) -> str | None:
    """Return the lookup that was probably meant, if any.

    Short lookups, and names with another first letter, resemble ordinary words.
    """
    plain = name.strip("_").lower()
    if plain in LOOKUPS:
        return plain
    if plain in _ELSEWHERE:
        return _ELSEWHERE[plain]
    long = [one for one in LOOKUPS if len(one) > 3 and one[0] == plain[:1]]
    return next(iter(near_misses(plain, long, 1, cutoff=0.85)), None)


def _literal_leaf(
    model: type[Record],
    place: Place,
    lookup: str,
    value: Any,
    text: str | None,
    server: str | None,
) -> Leaf:
    """Return the comparison of a key that is named literally."""
    key = str(place) if lookup == "exact" else f"{place}__{lookup}"
    field = find_field(model, place.head, key)
    if not field.has_keys:
        raise FieldError(f"{model.__name__}.{field.name} has nothing inside: {key}")
    return _leaf(model, Leaf(key, field, place.keys, lookup, value, text=text), server)


def _leaf(owner: type[Record], made: Leaf, server: str | None) -> Leaf:
    """Return the comparison with its value converted, once it is known to be possible."""
    key, field, lookup = made.key, made.field, made.lookup
    refuse_partly(field, key)
    if isinstance(made.value, Place):
        raise FieldError(f"{key}: a condition compares with a value, not with {made.value}")
    if field.holds_regions and not made.path and lookup not in ("exact", "in", "isnull"):
        name = key.removesuffix(f"__{lookup}")
        raise FieldError(
            f"{key}: {owner.__name__}.{field.name} is a list of regions, which "
            f"{lookup!r} never matches; compare labels, {name}__label__{lookup}=..., or the values "
            f"of one control, {name}__<control>__{lookup}=..."
        )
    if field.secret:
        raise FieldError(
            f"{key}: {owner.__name__}.{field.name} is secret, so it cannot be filtered by; "
            "filter by another field"
        )
    value = value_of(field, made.path, key, lookup, reveal(made.value), server)
    return attrs.evolve(made, value=value)


def refuse_partly(field: Field, key: str) -> None:
    """Raise FieldError for a field that shows only the caller's own objects."""
    if field.partly:
        raise FieldError(
            f"{key}: the server lists only the {field.name} of the caller; {field.partly} "
            f"covers all users: filter({field.partly}=True), and ls.{field.name}.filter(task=...) "
            "lists those of a task"
        )


def _unknown_lookup(field: Field, name: str, key: str) -> FieldError:
    known, last = lookups_of(field), name.rpartition("__")[2]
    meant = _ELSEWHERE.get(last)
    hint = (
        f"; did you mean {meant!r}?" if meant in (*known, "exclude") else did_you_mean(last, known)
    )
    if "email" in name.split("__"):
        hint = "; give the user or the id: ls.users.get(email=...)"
    return FieldError(
        f"unknown lookup {name!r} in {key!r}{hint}; {field.owner.__name__}.{field.name} has "
        f"{', '.join(known)}"
    )


def find_field(model: type[Record], name: str, key: str | None = None) -> Field:
    """Return the field of this name, of this foreign key, or ``pk``.

    Raises FieldError naming the near misses.
    """
    options = options_of(model)
    name = "id" if name == "pk" else name
    if name in options.relations:
        name = options.relations[name].id_name
    try:
        return options.fields[name]
    except KeyError:
        if name in options.sets:
            how = f"; filter() takes {name}__<field>, prefetch({name!r}) loads them"
            raise FieldError(
                f"{key or name!r}: {name} are related objects, not a field of "
                f"{model.__name__}{how * (name in options.inside)}"
            ) from None
        known = [*options.fields, *options.relations]
        where = f" in {key!r}" if key not in (None, name) else ""
        raise FieldError(
            f"{model.__name__} has no field {name!r}{where}{did_you_mean(name, known)}; "
            f"it has {', '.join(sorted(known))}"
        ) from None
