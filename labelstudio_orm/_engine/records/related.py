"""The objects that an object is connected with: its parents, and those that it keeps.

The parents are those that it was reached through: an annotation's task, and its project.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from ..fields.options import options_of
from ..values.declared import key_of
from ..values.ids import as_id
from .stored import Stored, origin_of, parents_of, row_of, set_origin

OWNERS = frozenset({"project", "task"})
"""Relations to what holds an object and all that belongs to it."""


def ancestors(obj: Stored) -> Iterator[Any]:
    """Yield the objects that this one was reached through, the nearest first."""
    for parent in parents_of(obj).values():
        yield parent
        yield from ancestors(parent)


def id_from_ancestors(obj: Stored, relation: str) -> Any:
    """Return the id of a related object, as far as the ancestors have it.

    The relation leads to an ancestor itself, or to what is one of an ancestor too: the project of
    an annotation is that of its task.
    """
    parents = parents_of(obj)
    if relation in parents:
        return key_of(parents[relation])
    if relation not in OWNERS:
        return None
    for ancestor in ancestors(obj):
        if relation in parents_of(ancestor):
            return key_of(parents_of(ancestor)[relation])
        owner = options_of(ancestor).relations.get(relation)
        field = owner and options_of(ancestor).fields[owner.id_name]
        if field and row_of(ancestor).get(field.wire) is not None:
            return as_id(row_of(ancestor)[field.wire])
    return None


def kept_with(obj: Stored) -> dict[str, Any]:
    """Return the cache in which an object keeps what was made of its row and relations, by name."""
    cache: dict[str, Any] = obj.__dict__.setdefault("_related", {})
    return cache


def forget(obj: Stored, name: str) -> None:
    """Drop what an object keeps under a name."""
    obj.__dict__.get("_related", {}).pop(name, None)


def drop_prefetched(obj: Stored, name: str) -> None:
    """Drop the rows of a relation that came with the object, since a write has outdated them."""
    forget(obj, name)
    origin = origin_of(obj)
    if name in origin.prefetched:
        set_origin(obj, attrs.evolve(origin, prefetched=origin.prefetched - {name}))


def drop_prefetched_of_parents(obj: Stored) -> None:
    """Drop the rows of its relation in each parent, after the object was created or deleted."""
    drop_prefetched_in(parents_of(obj), type(obj))


def drop_prefetched_in(parents: Mapping[str, Any], model: type[Any]) -> None:
    """Drop the rows of relations to a resource in the parents, after a write to them."""
    for name, parent in parents.items():
        for relation in options_of(parent).sets.values():
            if relation.target is model and relation.via == name:
                drop_prefetched(parent, relation.name)
