"""The ids of objects, in the shapes in which users and servers give them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .codec import plain


def as_id(value: Any) -> Any:
    """Return the id in any shape in which the server mentions an object.

    These are 7, {"id": 7} and [{"user_id": 7}].
    """
    while isinstance(value, (dict, list)):
        if isinstance(value, dict):
            return value.get("id", value.get("user_id"))
        value = value[0] if value else None
    return value


def as_ids(value: Any) -> Any:
    """Return the ids in a list of objects or of their ids; anything else as it is."""
    return [as_id(one) for one in value] if isinstance(value, list) else value


def is_object(value: Any) -> bool:
    """Return whether a value is an object of a resource, and not an id or another value."""
    return hasattr(type(value), "_saved_id")


def id_of(value: Any) -> Any:
    """Return the id of an object, or the id itself.

    Raises ValueError for an object without an id, which was deleted or never saved.
    """
    saved_id = getattr(value, "_saved_id", None)
    return value if saved_id is None else saved_id("a request about it")


def id_given(value: Any, what: str) -> Any:
    """Return the id of an object that a verb was given.

    Raises TypeError for none, ValueError for an object without an id.
    """
    saved_id = getattr(value, "_saved_id", None)
    if value is None or value == "":
        raise TypeError(f"{what} is missing: {value!r:.80} is not an id")
    return value if saved_id is None else saved_id(what)


_hides_made_up: ContextVar[bool] = ContextVar("hides_made_up", default=False)


@contextmanager
def made_up_ids_hidden() -> Iterator[None]:
    """Let texts show ``(new)`` within the block for an id that a dry run has made up."""
    before = _hides_made_up.set(True)
    try:
        yield
    finally:
        _hides_made_up.reset(before)


def id_text(id: Any) -> str:
    """Return an id as texts show it."""
    return "(new)" if isinstance(id, int) and id < 0 and _hides_made_up.get() else str(id)


def scope_text(scope: Mapping[str, Any]) -> str:
    """Return the parents of objects, for messages: ``"task 5 of project 1"``."""
    return " of ".join(f"{name} {_shown_id(value)}" for name, value in scope.items())


def _shown_id(value: Any) -> Any:
    """Return the id, also that of an object that was deleted."""
    return getattr(value, "_last_key", value)


def exact_id(value: Any) -> int:
    """Return an id as a number. Raises ValueError for a value that is not exactly one.

    >>> exact_id("5")
    5
    """
    found = plain(value)
    if isinstance(found, str) and found.isascii() and found.strip().isdigit():
        return int(found)
    if isinstance(found, float) and found.is_integer():
        return int(found)
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    raise ValueError(f"an id must be an integer, not {value!r:.80}")


def is_beyond(id: Any) -> bool:
    """Return whether no object can have this id: a server that is asked for it fails."""
    return isinstance(id, int) and not -(2**63) <= id < 2**63
