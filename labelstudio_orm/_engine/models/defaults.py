"""The fields that ``get_or_create`` and ``update_or_create`` set, from lookups and defaults."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from ..conditions.lookups import same
from ..conditions.q import Q, build, kept, leaf
from ..conditions.query import Query
from ..conditions.tree import EVERYTHING, Leaf, Node, Opaque, describe, nodes, parts_of, predicate
from ..values.brief import brief, cut
from ..values.secret import hide

if TYPE_CHECKING:
    from ..records.record import Record

Lookup: TypeAlias = tuple[Leaf, Any]
"""An exact lookup, and the value as it was given."""

MERGED = frozenset({"data", "meta"})
"""The fields that are set key by key, so that nothing in them is lost."""


def new_fields(lookups: Iterable[Lookup], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a new object: the defaults, and the values of exact lookups.

    Lookups of keys are merged: ``data__text="a"`` is ``{"data": {"text": "a"}}``. Raises ValueError
    where the defaults have another value for a key than the lookup, since the object would never be
    found again.
    """
    fields = dict(defaults)
    for one, given in lookups:
        name = one.field.references or one.field.name
        if one.path:
            fields[name] = _with_key(fields.get(name), one.path, one.value, one.key)
        else:
            fields.setdefault(name, given if one.field.references else one.value)
    return fields


def refuse_unmatched(
    query: Query, make: Callable[[Mapping[str, Any]], Any], fields: Mapping[str, Any]
) -> None:
    """Raise ValueError where a new object would not match the lookup that it was not found by.

    Conditions on what only the server sets are not checked. ``make`` makes an unsaved object.
    """
    try:
        made = make(hide(dict(fields)))
    except (TypeError, ValueError):  # create() explains better what is wrong
        return
    for part in parts_of(query.where):
        if not any(_is_of_server(one, made) for one in nodes(part)) and not predicate(part)(made):
            raise ValueError(
                f"a new {query.options.name} of {brief(fields)} would not match "
                f"{cut(describe(part))}, so that each run would make another one"
            )


def pinned_fields(query: Query) -> list[Lookup]:
    """Return what a query is filtered by exactly, of the fields that can be set."""
    return [
        (one, one.value)
        for one in parts_of(query.where)
        if isinstance(one, Leaf)
        and one.lookup == "exact"
        and not (one.relation or one.field.read_only)
    ]


def exact_lookups(
    query: Query, conditions: Iterable[Q], lookups: Mapping[str, Any]
) -> list[Lookup]:
    """Return the exact lookups among conditions and lookups, with the values as they were given."""
    asked = parts_of(build(query.model, conditions, {}, query.url))
    pairs = [
        *((one, one.value) for one in asked if isinstance(one, Leaf)),
        *((leaf(query.model, key, value), value) for key, value in lookups.items()),
    ]
    return [pair for pair in pairs if pair[0].lookup == "exact" and not pair[0].relation]


def defaults_and_lookups(
    query: Query, conditions: Iterable[Any], lookups: Mapping[str, Any]
) -> tuple[Mapping[str, Any], list[Q], dict[str, Any]]:
    """Return the defaults, conditions and lookups of what ``get_or_create`` was given.

    The defaults may come first, without a name.
    """
    asked = [one for one in conditions if isinstance(one, Q)]
    given = [one for one in conditions if not isinstance(one, Q) and one is not None]
    if conditions and not asked and not lookups and query.where == EVERYTHING:
        raise TypeError(
            "get_or_create() and update_or_create() look for something: "
            'get_or_create(data__text="a", defaults={"meta": {...}}), each lookup by its name'
        )
    rest = {name: value for name, value in kept(lookups).items() if name != "defaults"}
    if lookups.get("defaults") is not None:
        given.append(lookups["defaults"])
    if len(given) > 1 or not all(isinstance(one, Mapping) for one in given):
        raise TypeError(
            "get_or_create() and update_or_create() take conditions, lookups and one mapping of "
            f"defaults, not {brief(given)}"
        )
    return (given[0] if given else {}), asked, rest


def _is_of_server(one: Node, made: Record) -> bool:
    """Return whether a condition is about what only the server sets on a new object."""
    if not isinstance(one, Leaf):
        return isinstance(one, Opaque)
    filled = one.field.name not in MERGED and one.field.peek(made) is None
    return one.relation is not None or one.field.read_only or filled


def changed_fields(
    obj: Record, lookups: Iterable[Lookup], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the fields that the defaults change in an object that matches the lookups.

    ``data`` and ``meta`` keep their other keys.
    """
    fields = {
        name: {**old, **value}
        if name in MERGED
        and isinstance(value, Mapping)
        and isinstance(old := getattr(obj, name), Mapping)
        else value
        for name, value in defaults.items()
    }
    whole = new_fields(lookups, fields)
    return {name: whole[name] for name in fields}


def _with_key(inner: Any, path: tuple[str, ...], value: Any, key: str) -> dict[str, Any]:
    """Return a copy of a dict with a value at a path."""
    if inner is not None and not isinstance(inner, Mapping):
        raise ValueError(
            f"{key}={brief(value)}: the defaults have {brief(inner)} in the place of a dict"
        )
    first, *rest = path
    found = dict(inner or {})
    if rest:
        found[first] = _with_key(found.get(first), tuple(rest), value, key)
    elif first in found and not same(found[first], value):
        raise ValueError(f"{key}={brief(value)}: the defaults have {brief(found[first])}")
    else:
        found[first] = value
    return found
