"""Messages for common mistakes: the near name, and what to do instead."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping
from typing import Any, Final

from .. import values
from .brief import brief
from .declared import Record, header_of
from .secret import Secret, reveal

MISSING: Final = object()
"""Stands for an attribute that does not exist."""


def of_constructor(
    model: type[Record], takes: Iterable[str], given: tuple[Any, ...], fields: Mapping[str, Any]
) -> str:
    """Return the message for wrong arguments of a constructor, or of ``create``."""
    names = sorted(takes)
    if not names:
        return f"{_name(model)} takes no fields: the server creates it"
    if given:
        return f"{_name(model)} takes its fields by name{_by_name(given[0], names)}"
    name = next(name for name in fields if name not in names)
    if name == "id":
        return (
            f"{_name(model)} takes no 'id': the server assigns it; ref(id) refers to an "
            "existing one without a request, get(id) reads it"
        )
    header = header_of(model)
    if name in header.fields or name in header.relations:
        return f"{_name(model)}.{name} is set by the server: it cannot be given"
    hint = values.near.did_you_mean(name, names)
    if not hint and "data" in names:
        hint = f'; the content to label goes into data: data={{"{brief_name(name)}": ...}}'
    has = hint or "; it has " + ", ".join(names)
    return f"{_name(model)} has no field {brief_name(name)!r}{has}"


_LIKELY: tuple[tuple[type, tuple[str, ...]], ...] = (
    (str, ("title", "url", "text")),
    (Mapping, ("data",)),
    (list, ("result",)),
)
"""The fields that a value without a name was probably meant for, by its type."""


def _by_name(value: Any, names: list[str]) -> str:
    """Return the name that a value was probably meant for; a sealed value is not shown."""
    shown = "..." if isinstance(value, Secret) else brief(value, 60)
    for kind, likely in _LIKELY:
        for name in likely:
            if isinstance(reveal(value), kind) and name in names:
                return f": {name}={shown}"
    return f", not {shown}: {', '.join(names)}"


def of_attribute(obj: Record, name: str, data: Any = None) -> str:
    """Return the message for an attribute that an object does not have.

    ``data`` is the data of a task: its keys are often looked for on the task itself.
    """
    known = [name for name in dir(type(obj)) if not name.startswith("_")]
    hint = values.near.did_you_mean(name, known)
    is_key = isinstance(data, dict) and name in data
    if "data" in header_of(obj).fields and (is_key or not hint):
        noun = type(obj).__name__.lower()
        hint = f'; a key of its data is {noun}.data["{brief_name(name)}"]'
    return f"{_name(type(obj))} has no {brief_name(name)!r}{hint}"


def read_again(obj: object, name: str) -> Any:
    """Return an attribute that the class has, but whose reading raised AttributeError.

    It raises that error again, which says more than that the attribute is missing. Raises a bare
    AttributeError for names that Python itself looks up.
    """
    if name.startswith("__"):
        raise AttributeError(name)
    there = inspect.getattr_static(type(obj), name, None)
    return there.__get__(obj, type(obj)) if hasattr(there, "__get__") else MISSING


def of_missing(obj: object, name: str, model: type[Record] | None = None) -> str:
    """Return the message for an attribute that a client or a queryset does not have.

    ``model`` is the resource of the queryset.
    """
    kind = type(obj)
    hint = values.near.did_you_mean(name, [one for one in dir(kind) if not one.startswith("_")])
    if model and (name in header_of(model).fields or hasattr(model, name)):
        hint = f"; each {_name(model)} has: .first().{name}, or loop over them"
    return f"{kind.__name__} has no {brief_name(name)!r}{hint}"


def _name(model: type[Record]) -> str:
    return header_of(model).name


def brief_name(name: str) -> str:
    """Return a name, shortened where it is longer than any real one."""
    return name if len(name) < 60 else name[:57] + "..."


def check_number(name: str, value: Any) -> int:
    """Return a number of workers, rows or bytes. Raises ValueError unless it is a positive integer.

    >>> check_number("workers", 2)
    2
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a positive integer, not {value!r:.80}")
    return value


def check_items(items: Any, verb: str) -> None:
    """Raise TypeError, with a suggestion, for a file, a table or one item instead of a list.

    >>> check_items([{"text": "a"}], "bulk_create()")
    """
    if isinstance(items, (str, bytes, bytearray, os.PathLike)):
        way = "imports.create(file=...) takes a file, url=... a URL"
    elif hasattr(items, "columns") and hasattr(items, "to_dicts"):
        way = "for a table give table.to_dicts()"
    elif hasattr(items, "columns") and hasattr(items, "to_dict"):
        way = 'for a table give table.to_dict("records")'
    elif isinstance(items, Mapping):
        way = "use create(...) for one, or give [item]"
    elif not isinstance(items, Iterable):
        way = "give a list, or another iterable"
    else:
        return
    raise TypeError(f"{verb} takes a list of items, not a {type(items).__name__}: {way}")
