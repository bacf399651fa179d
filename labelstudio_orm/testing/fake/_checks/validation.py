"""Checks of requests and answers against the types of the contract.

The messages are those of the server's own checks where it has such a check. A Community server
never refuses an unknown name; it ignores it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from .._wire.answers import invalid
from .._wire.requests import Query, cast_bool
from . import contract
from .contract import Operation, Parameter
from .fields import FieldError, timestamp

_REQUIRED = ["This field is required."]
_NULL = ["This field may not be null."]
_SCALARS: dict[str, tuple[Any, str]] = {
    "string": (str, "Not a valid string."),
    "integer": (int, "A valid integer is required."),
    "double": ((int, float), "A valid number is required."),
    "boolean": (bool, "Must be a valid boolean."),
}


def problem(kind: str, value: Any) -> Any:
    """Return the errors of a value as one of the type ``kind`` (a text in the contract's grammar).

    They are None, a list of messages, or a dict of such by field or by position.
    """
    if kind in ("unknown", "file"):
        return None
    if kind in _SCALARS:
        python, text = _SCALARS[kind]
        right = isinstance(value, python) and isinstance(value, bool) == (kind == "boolean")
        return None if right else [text]
    if kind == "datetime":
        try:
            timestamp(value)
        except FieldError as wrong:
            return [str(wrong)]
        return None
    if kind.startswith("list<"):
        return _each(list, kind[5:-1], value)
    if kind.startswith("map<"):
        return _each(dict, kind.partition(", ")[2][:-1], value)
    named = contract.types()[kind]
    if named.alias:
        return problem(named.alias, value)
    if named.union:
        found = [problem(member, value) for member in named.union]
        return None if None in found else found[0]
    if named.enum:
        return None if value in named.enum else [f'"{value}" is not a valid choice.']
    if not isinstance(value, dict):
        name = type(value).__name__
        return [f"Invalid data. Expected a dictionary, but got {name}."]
    return _members(named.fields or {}, value) or None


def _each(python: type[Any], inner: str, value: Any) -> Any:
    if not isinstance(value, python):
        what = "list" if python is list else "dictionary"
        return [f'Expected a {what} of items but got type "{type(value).__name__}".']
    items: Iterable[tuple[Any, Any]] = value.items() if python is dict else enumerate(value)
    return {str(key): wrong for key, item in items if (wrong := problem(inner, item))} or None


def _members(
    members: Mapping[str, Any], value: Mapping[str, Any], required: Collection[str] | None = None
) -> dict[str, Any]:
    """Return the errors by field; ``required`` replaces what the members themselves require."""
    if required is None:
        required = {name for name, member in members.items() if member.required}
    errors: dict[str, Any] = {name: _REQUIRED for name in required if name not in value}
    for name, item in value.items():
        if name not in members:
            errors[name] = ["Unknown field."]
        elif item is None:
            if name in required or members[name].required:
                errors[name] = _NULL
        elif wrong := problem(members[name].type, item):
            errors[name] = wrong
    return errors


def body_errors(
    operation: Operation, body: Any, also_required: Collection[str] = ()
) -> dict[str, Any]:
    """Return the errors of an operation's body by field; a PATCH requires nothing."""
    fields: Mapping[str, Parameter] = operation.body or {}
    if not isinstance(body, dict):
        name = type(body).__name__
        return {"non_field_errors": [f"Invalid data. Expected a dictionary, but got {name}."]}
    required = {name for name, field in fields.items() if field.required} | {*also_required}
    return _members(fields, body, () if operation.verb == "PATCH" else required)


def read_query(operation: Operation, query: Query) -> dict[str, Any]:
    """Return the typed values of a query by name; 400 for unknown, wrong or missing ones."""
    values: dict[str, Any] = {}
    for name in query:
        text = query.get(name) or ""
        kind = operation.query[name].type if name in operation.query else "unknown"
        readings = (text, *_readings(text))
        values[name] = next((each for each in readings if problem(kind, each) is None), text)
    errors = _members(operation.query, values)
    if errors:
        raise invalid(errors)
    return values


def _readings(text: str) -> Iterator[Any]:
    """Yield the values that a text in a query may stand for."""
    if re.fullmatch(r"-?\d+", text):
        yield int(text)
    with suppress(ValueError):
        yield bool(cast_bool(text))
