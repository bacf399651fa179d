"""JSON to Python and back: a cattrs converter, with a tolerant reader for each field type.

Reading never raises: a value that does not have the declared type is returned as it came, since a
newer server must not break a script that does not even look at the field.
"""

from __future__ import annotations

import marshal
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from gc import is_tracked
from typing import Any, Final, Union

import cattrs

JSON = Any
"""Any value that ``json.loads`` returns."""

Row = dict[str, Any]
"""A JSON object as the server gives it."""

Codec = Callable[[Any], Any]


def _read_datetime(value: Any, _: Any = None) -> datetime:
    """Return a datetime of ISO 8601 text as the server writes it: UTC, with 0 to 6 digits.

    It ends with ``Z`` or an offset.
    """
    text = value.replace("Z", "+00:00")
    try:
        found = datetime.fromisoformat(text)
    except ValueError:  # Python 3.10 reads fractions of 3 or 6 digits only
        head, _, tail = text.partition(".")
        digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
        found = datetime.fromisoformat(f"{head}.{digits[:6]:0<6}{tail[len(digits) :]}")
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def write_datetime(value: datetime) -> str:
    """Return the server's own form: UTC, six fractional digits, ``Z``.

    Raises ValueError for a naive datetime, and for one that UTC has no year for.
    """
    if value.tzinfo is None:
        raise ValueError(
            f"{value!r} has no time zone; give an aware datetime, for example "
            "datetime(2026, 1, 31, tzinfo=timezone.utc)"
        )
    try:
        in_utc = value.astimezone(timezone.utc)
    except OverflowError:
        raise ValueError(f"{value!r} is before the year 1 or after the year 9999 in UTC") from None
    return in_utc.isoformat(timespec="microseconds").replace("+00:00", "Z")


converter = cattrs.Converter()
converter.register_structure_hook(datetime, _read_datetime)
converter.register_unstructure_hook(datetime, write_datetime)
for _plain in (bool, int, float, str):  # JSON has these already; cattrs would turn "no" into True
    converter.register_structure_hook(_plain, lambda value, _: value)


def baseline(value: JSON) -> JSON | bytes:
    """Return a copy of a JSON value to compare with, whose original may be edited in place.

    Each ``data`` and ``result`` that a script reads passes here: bytes cost a third of a deep copy,
    and the garbage collector need not traverse them. JSON itself has no bytes, so ``copy_json``
    recognizes a record.
    """
    kind = type(value)
    if kind is not list:
        if kind is not dict:
            return value
        # Up to Python 3.13 the garbage collector tracks no dict of texts and numbers alone.
        if not is_tracked(value) or _NESTED.isdisjoint(map(type, value.values())):
            return value.copy()
    try:
        return marshal.dumps(value)
    except ValueError:  # it holds something that is not JSON
        return _copied(value)


def is_baseline(value: JSON, kept: JSON | bytes) -> bool:
    """Return whether a value surely equals its record; False may mean that it does as well."""
    try:
        return type(kept) is bytes and marshal.dumps(value) == kept
    except ValueError:
        return False


def copy_json(value: Any) -> JSON:
    """Return a deep copy of a JSON value, or of its record. Raises ValueError for a cycle.

    Nothing recurses: an answer may be nested as deeply as its parser accepts.

    Only for JSON: ``copy_given`` copies a user's value, which may hold numbers of numpy.
    """
    if type(value) is bytes:
        return marshal.loads(value)
    if type(value) not in _NESTED:
        return value
    if is_flat(value):
        return dict(value)
    try:
        return marshal.loads(marshal.dumps(value, _PLAINLY))
    except ValueError:
        return _copied(value)


_PLAINLY: Final = 2
"""The version of marshal that copies an object twice where it occurs twice."""

_DEEPEST: Final = 10_000
"""The levels of nesting beyond which a value must contain itself."""

_NESTED = frozenset((dict, list))


def is_flat(value: Any) -> bool:
    """Return whether a value is a dict of scalars alone."""
    return type(value) is dict and _NESTED.isdisjoint(map(type, value.values()))


def copy_given(value: Any) -> Any:
    """Return a deep copy of a user's value; anything in it that is not JSON is kept as it is.

    (``marshal`` takes a number of numpy for bytes.)
    """
    return _copied(value) if type(value) in _NESTED else copy_json(value)


def _copied(value: JSON) -> JSON:
    """Return a deep copy that keeps anything that is not JSON, such as a number of numpy."""
    made: JSON = type(value)()
    todo = [(value, made, 0)]
    while todo:
        source, target, depth = todo.pop()
        if depth > _DEEPEST:
            raise ValueError("a value is nested too deeply, or contains itself")
        for key, inner in source.items() if type(source) is dict else enumerate(source):
            copy = type(inner)() if type(inner) in _NESTED else inner
            if type(inner) in _NESTED:
                todo.append((inner, copy, depth + 1))
            if type(source) is dict:
                target[key] = copy
            else:
                target.append(copy)
    return made


def copy_rows(rows: JSON) -> JSON:
    """Return a deep copy of rows, whose values may be records."""
    if not isinstance(rows, list):
        return copy_json(rows)
    return [
        {key: copy_json(value) for key, value in row.items()} if type(row) is dict else row
        for row in rows
    ]


def portable(value: Any) -> JSON | bytes:
    """Return a copy that can be pickled and copied, which recurse: a deeply nested one as a record.

    >>> portable({"a": [1]})
    {'a': [1]}
    """
    copy = copy_json(value)
    level = [copy]
    for _ in range(_SHALLOW):
        level = [
            inner
            for one in level
            if type(one) in _NESTED
            for inner in (one.values() if type(one) is dict else one)
        ]
        if not level:
            return copy
    try:
        return marshal.dumps(copy, _PLAINLY)
    except ValueError:
        return copy


_SHALLOW: Final = 50
"""The levels of nesting that any interpreter can pickle."""


def renew(held: JSON, now: JSON) -> JSON:
    """Change a value in place into another one, as far as the two have the same shape.

    Returns the changed value, or the other one where they are of different kinds. References that a
    user holds into the value stay valid.

    >>> held = {"a": [1, 2], "b": 0}
    >>> renew(held, {"a": [1, 3]}) is held, held
    (True, {'a': [1, 3]})
    """
    if type(held) is not type(now) or type(held) not in _NESTED:
        return now
    todo = [(held, now)]
    while todo:
        old, new = todo.pop()
        if type(old) is dict:
            before = {key: old.get(key) for key in new}
            old.clear()
            places: Iterable[Any] = new
        else:
            before = dict(enumerate(old))
            old[:] = [None] * len(new)
            places = range(len(new))
        for place in places:
            inner, kept = new[place], before.get(place)
            if type(inner) in _NESTED and type(kept) is type(inner) and kept is not inner:
                todo.append((kept, inner))
                inner = kept
            old[place] = inner
    return held


def same_json(left: JSON, right: JSON) -> bool:
    """Return whether two values are equal as JSON.

    ``True`` is not ``1``, ``1`` is not ``1.0``, the order of keys does not count, a tuple is a
    list, and a number of numpy one of Python.

    >>> same_json({"a": 1, "b": [True]}, {"b": [True], "a": 1}), same_json(True, 1)
    (True, False)
    """
    pairs = [(left, right)]
    while pairs:
        one, other = pairs.pop()
        if one is other:
            continue
        one, other = _as_json(one), _as_json(other)
        kind = type(one)
        if kind is not type(other):
            return False
        if kind is dict:
            if one.keys() != other.keys():
                return False
            pairs.extend((one[key], other[key]) for key in one)
        elif kind is list:
            if len(one) != len(other):
                return False
            pairs.extend(zip(one, other, strict=True))
        elif not (one == other or (one != one and other != other)):  # NaN is itself here
            return False
    return True


def _as_json(value: Any) -> Any:
    """Return a value as the plain JSON type that it is an instance of."""
    if type(value) in _PYTHONS:
        return value
    value = list(value) if isinstance(value, tuple) else plain(value)
    return next((kind(value) for kind in _KINDS if isinstance(value, kind)), value)


_KINDS: tuple[Any, ...] = (bool, int, float, str, dict, list)


_PYTHONS = frozenset((bool, int, float, str, type(None), dict, list))


def plain(value: Any) -> Any:
    """Return a scalar of numpy, or a similar one, as Python's own bool, int, float or str.

    Anything else is returned as it is. Nothing is lost: a scalar without an equal in Python (a date
    of numpy, a number too long for a float) stays what it was.

    >>> plain(5), plain("a")
    (5, 'a')
    """
    kind = type(value)
    if kind in _PYTHONS or not hasattr(kind, "dtype") or getattr(value, "ndim", None) != 0:
        return value
    sort = getattr(value.dtype, "kind", None)
    if sort in ("m", "M"):  # datetimes and durations would become integers of nanoseconds
        return value
    found = float(value) if sort == "f" else value.item()
    exact = type(found) in (bool, int, float, str) and (found == value or found != found)
    return found if exact else value


def plain_json(value: JSON) -> JSON:
    """Return JSON with ``plain`` values at any depth; the same object where all are plain already.

    >>> plain_json({"sizes": [1, 2]})
    {'sizes': [1, 2]}
    """
    if is_plain(value) or all(plain(one) is one for one in scalars(value)):
        return value
    try:
        return _plain_inside(value)
    except RecursionError:  # nested too deeply, or inside itself: not to be sent in any case
        return value


def is_plain(value: JSON) -> bool:
    """Return whether all values are surely of Python's own types, looking at whole containers."""
    pending = [value]
    for one in pending:
        kind = type(one)
        if kind not in _NESTED or len(pending) > _DEEPEST:  # it may contain itself
            return False
        kinds = {*map(type, one.values() if kind is dict else one)}
        if not kinds <= _PYTHONS:
            return False
        if not kinds.isdisjoint(_NESTED):
            pending += [
                inner for inner in (one.values() if kind is dict else one) if type(inner) in _NESTED
            ]
    return True


def scalars(value: JSON) -> Iterator[Any]:
    """Yield the values in JSON, at any depth, except for dicts and lists."""
    pending, seen = [value], set[int]()
    while pending:
        one = pending.pop()
        if not isinstance(one, (dict, list, tuple)):
            yield one
        elif id(one) not in seen:
            seen.add(id(one))
            pending.extend(one.values() if isinstance(one, dict) else one)


def _plain_inside(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {key: _plain_inside(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain_inside(inner) for inner in value]
    return plain(value)


def with_leaves(value: Any, new: Callable[[Any], Any]) -> Any:
    """Return a copy of JSON in which each text, number and constant is replaced by ``new`` of it.

    Nothing recurses: other programs write JSON that is nested hundreds of levels deep.

    >>> with_leaves({"a": ["b", {"c": "d"}]}, str.upper)
    {'a': ['B', {'c': 'D'}]}
    """
    if not isinstance(value, (dict, list, tuple)):
        return new(value)
    top: list[Any] = []
    todo: list[tuple[Any, Any]] = [([value], top)]
    while todo:
        source, made = todo.pop()
        is_dict = type(made) is dict
        for key, inner in source.items() if is_dict else enumerate(source):
            found: Any
            if isinstance(inner, (list, tuple)):
                todo.append((inner, found := []))
            elif isinstance(inner, dict):
                todo.append((inner, found := {}))
            else:
                found = new(inner)
            if is_dict:
                made[key] = found
            else:
                made.append(found)
    return top[0]


def parts(annotation: Any) -> tuple[Any, ...]:
    """Return the alternatives of a union annotation, or the annotation alone."""
    if typing.get_origin(annotation) in (Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def is_nested(annotation: Any) -> bool:
    """Return whether an annotation is that of nested, mutable JSON (a dict or a list)."""
    return any(
        typing.get_origin(part) in (dict, list) or part in (dict, list, Any)
        for part in parts(annotation)
    )


def reader(annotation: Any) -> Codec:
    """Return the function that turns the JSON of a field into its Python value; it never raises."""
    if is_nested(annotation):
        return copy_json
    kinds = [part for part in parts(annotation) if part is not type(None)]
    if len(kinds) != 1 or kinds[0] in (bool, int, float, str) or typing.get_origin(kinds[0]):
        return _unchanged
    hook = converter.get_structure_hook(kinds[0])

    def read(value: Any) -> Any:
        try:
            return hook(value, kinds[0])
        except Exception:
            return value

    return read


def _unchanged(value: Any) -> Any:
    return value


def is_identity(read: Codec) -> bool:
    """Return whether a reader returns JSON as it is."""
    return read is _unchanged


def write(value: Any) -> JSON:
    """Return the JSON form of a field's value. Raises ValueError for a naive datetime."""
    return converter.unstructure(value) if not isinstance(value, (dict, list)) else value


_INSTANCES: dict[Any, Any] = {
    float: (int, float),
    dict: Mapping,
    Mapping: Mapping,
    list: (list, tuple),
}
"""The types that a value may have, where the annotation alone does not say it."""


def mismatch(value: Any, annotation: Any) -> str | None:
    """Return why a value cannot stand in a field of this type, or None when it can."""
    for part in parts(annotation):
        if _accepts(part, value):
            if part is not Any and isinstance(value, datetime) and value.tzinfo is None:
                return "a datetime without a time zone; give an aware one"
            return None
    shown = f"{type(value).__name__} ({_short(value)})"
    return f"{shown}; expected {annotation_name(annotation)}"


def _accepts(annotation: Any, value: Any) -> bool:
    origin = typing.get_origin(annotation) or annotation
    if origin is Any:
        return True
    if origin is typing.Literal:
        return value in typing.get_args(annotation)
    if origin in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, _INSTANCES.get(origin, origin))


def annotation_name(annotation: Any) -> str:
    """Return the name of a field's type, for messages: ``str or None``."""
    kinds = parts(annotation)
    return " or ".join("None" if part is type(None) else _name(part) for part in kinds)


def _name(annotation: Any) -> str:
    return (
        annotation.__name__
        if isinstance(annotation, type) and not typing.get_args(annotation)
        else (str(annotation).replace("typing.", ""))
    )


def _short(value: Any, width: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= width else text[: width - 1] + "…"
