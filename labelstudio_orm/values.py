"""What a lookup compares with: ids for objects, moments with a zone, texts that are patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from . import codec
from .conditions import Leaf
from .errors import FieldError
from .lookups import TEXT_LOOKUPS, Members

if TYPE_CHECKING:
    from .resource import Resource


def value_of(key: str, lookup: str, value: Any, server: str | None) -> Any:
    """The value to compare with, ids for objects; for the lookups that take several, a tuple."""
    if lookup in ("in", "range"):
        if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
            raise FieldError(f"{key} takes a list of values, not {value!r}")
        value = Members(_plain(key, one, server) for one in value)
        if lookup == "range" and len(value) != 2:
            raise FieldError(
                f"{key} takes the two ends (from, to), both included, not {len(value)} values"
            )
        return value
    return _plain(key, value, server)


def check_value(model: type[Resource], leaf: Leaf) -> None:
    """Refuse what could never fit, since it is a mistake."""
    key, field, lookup, value = leaf.key, leaf.field, leaf.lookup, leaf.value
    if lookup == "isnull" and not isinstance(value, bool):
        raise FieldError(f"{key} takes True or False, not {value!r}")
    if lookup in TEXT_LOOKUPS or lookup == "has_key":
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
