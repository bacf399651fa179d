"""The lookups, and the meaning of each for one value."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from itertools import compress
from typing import Any


def _kind(value: Any) -> Any:
    """Return the kind within which values are ordered: numbers (not bool), texts, datetimes."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "text"
    return "datetime" if isinstance(value, datetime) else None


def same(left: Any, right: Any) -> bool:
    """Return whether two values are equal to filters.

    ``1 == 1.0``, but ``"10" != 10`` and ``True != 1``, at any depth.
    """
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if not isinstance(left, _CONTAINERS) or not isinstance(right, _CONTAINERS):
        return bool(left == right)
    pairs = [(left, right)]
    while pairs:  # without recursion, since JSON may be nested deeply
        one, other = pairs.pop()
        if isinstance(one, dict) and isinstance(other, dict):
            if one.keys() != other.keys():
                return False
            inner = [(one[key], other[key]) for key in one]
        elif isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
            if len(one) != len(other):
                return False
            inner = [*zip(one, other, strict=True)]
        else:
            return False
        nested = [isinstance(a, _CONTAINERS) and isinstance(b, _CONTAINERS) for a, b in inner]
        pairs.extend(compress(inner, nested))
        if not all(deep or same(*pair) for pair, deep in zip(inner, nested, strict=True)):
            return False
    return True


_CONTAINERS = (dict, list, tuple)


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


class Members(tuple[Any, ...]):
    """The values of an ``in``, looked up by their hash where they have one: there may be many."""

    @cached_property
    def _known(self) -> frozenset[Any]:
        return frozenset(_token(one) for one in self if _is_hashed(one))

    @cached_property
    def _others(self) -> tuple[Any, ...]:
        return tuple(one for one in self if not _is_hashed(one))

    def has(self, value: Any) -> bool:
        """Return whether one of them is the ``same`` as this value."""
        if _is_hashed(value) and _token(value) in self._known:
            return True
        return any(same(value, one) for one in self._others)

    def __reduce__(self) -> tuple[Any, ...]:
        return Members, (tuple(self),)


_HASHED = (str, int, float, type(None), datetime)


def _is_hashed(value: Any) -> bool:
    return isinstance(value, _HASHED) and value == value  # NaN never equals itself


def _token(value: Any) -> Any:
    return (value,) if isinstance(value, bool) else value


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
    "in": lambda value, wanted: wanted.has(value),
    "range": lambda value, wanted: _at_least(value, wanted[0]) and _at_most(value, wanted[1]),
    "gt": _ordered(operator.gt),
    "gte": _at_least,
    "lt": _ordered(operator.lt),
    "lte": _at_most,
    "isnull": lambda value, wanted: (value is None) is wanted,
    "has_key": lambda value, wanted: isinstance(value, dict) and wanted in value,
}
"""The meaning of each lookup for one value. Django's names; this table is the whole language."""

TEXT_LOOKUPS = frozenset({
    "contains", "icontains", "startswith", "istartswith", "endswith", "iendswith", "regex",
    "iregex",
})  # fmt: skip
"""The lookups that take a text, and match only texts."""
