"""Objects by their ids: what may be given for one, and handles that cost no request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ...errors import DoesNotExist
from ..conditions.query import Query
from ..records.inside import from_row, saved_id, server_of
from ..records.origin import Origin
from ..values.ids import exact_id, id_given, id_of, is_beyond


def ref(query: Query, id: Any) -> Any:
    """Return a handle on the object of this id, in the scope of the query. No request."""
    options = query.options
    row = {options.key_wire: key(query, id)}
    for name, value in query.scope.items():
        relation = options.relations.get(name)
        if relation:
            row[options.fields[relation.id_name].wire] = id_of(value)
    return from_row(query.model, row, Origin(query.client, parents_in(query.scope)))


def parents_in(scope: Mapping[str, Any]) -> dict[str, Any]:
    """Return the objects of a scope, as opposed to ids, so that touching them costs nothing."""
    return {name: value for name, value in scope.items() if not isinstance(value, int)}


def key(query: Query, id: Any) -> Any:
    """Return an id as the key of the resource: a number, or a text.

    Raises DoesNotExist for a number that no id can be.
    """
    found = key_given(query, id)
    if is_beyond(found):
        raise DoesNotExist(f"no {query.options.name} has the id {found}: a server knows none of it")
    return found


def key_given(query: Query, id: Any) -> Any:
    """Return an id as the key of the resource, also one that no server can have."""
    options = query.options
    field = options.fields[options.key]
    if isinstance(id, query.model):
        _refuse_other_server(query, id, "get()")
        return saved_id(id, "get()")
    if field.references:
        id = id_of(id)
    if field.annotation is not str:
        return exact_id(id)
    if not isinstance(id, str) or not id:
        raise ValueError(f"the {field.name} of a {options.name} is a text, not {id!r:.80}")
    return id


def in_scope(query: Query, value: Any, what: str) -> Any:
    """Return an object of the resource, or its id as a number: what others may be listed by.

    Raises ValueError for an object without an id, for one of another server, and for no id.
    """
    try:
        if not hasattr(value, "_saved_id"):
            return exact_id(value)
        if not isinstance(value, query.model):
            raise ValueError(f"{value!r:.80} is no {query.options.name}")
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None
    saved_id(value, what)
    _refuse_other_server(query, value, what)
    return value


def given_id(query: Query, value: Any, what: str) -> int:
    """Return the id of an object of the resource that a verb was given, or the id itself.

    Raises TypeError for none, ValueError for anything else that is no such id.
    """
    id_given(value, what)
    return cast(int, id_of(in_scope(query, value, what)))


def _refuse_other_server(query: Query, value: Any, what: str) -> None:
    if server_of(value) not in (None, query.url):
        raise ValueError(f"{what}: {value!r:.80} is on {server_of(value)}, not on {query.url}")
