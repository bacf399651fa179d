"""The value of a lookup: one of the field's own type, or an error that names a way out.

A value that a field never has matches nothing, and its complement everything; so it is refused. A
value that converts exactly is converted: scalars of numpy, ``Decimal``, a datetime as text, an
integer as text. Values inside JSON are compared as they are.
"""

from __future__ import annotations

import math
import re
import typing
from collections.abc import Callable, Iterable, Set
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

import attrs

from ...errors import FieldError
from ..fields.options import options_of
from ..values import codec
from ..values.brief import brief
from ..values.declared import Record, saved_id, server_of
from ..values.ids import is_object
from ..values.near import near_misses
from ..values.registry import registry
from .lookups import LOOKUPS, TEXT_LOOKUPS, Members

if TYPE_CHECKING:
    from ..fields.fields import Field

EQUAL = frozenset({"exact", "iexact", "in", "isnull"})
ORDER = frozenset({"gt", "gte", "lt", "lte", "range"})
ALL = LOOKUPS.keys()


class Mismatch(ValueError):
    """A value that a field never has; the text says what to give instead."""


@attrs.frozen
class ValueKind:
    """The kind of a field's values: its name in messages, its lookups, and the conversion to it.

    ``lookups`` are those that may be true of it. ``take`` is called with a value, and whether the
    lookup orders values.
    """

    name: str
    lookups: Set[str]
    take: Callable[[Any, bool], Any]


# -- one value ------------------------------------------------------------------------------------

_INTEGER = re.compile(r"[+-]?[0-9]{1,1000}\Z")
_LONGEST = 400
"""The most digits of a number: no float is as long."""


def _flag(value: Any, _: bool) -> bool:
    if isinstance(value, bool):
        return value
    raise Mismatch("give True or False")


def _integer(value: Any, ordered: bool) -> int | float:
    if isinstance(value, str):
        if _INTEGER.match(value):
            return int(value)
        if "@" in value:
            raise Mismatch(f"give the user: ls.users.get(email={brief(value)})")
        raise Mismatch("give a number")
    number = _number(value, ordered)
    if number == number // 1:  # not of infinity
        return int(number)
    if ordered:
        return number
    raise Mismatch("it is never a fraction; __gt and __lt compare with one")


def _number(value: Any, ordered: bool) -> int | float:
    if isinstance(value, Decimal):
        value = _of_decimal(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Mismatch("give a number" if isinstance(value, bool) else _number_of(value))
    if isinstance(value, int):
        return int(value)
    if math.isnan(value):
        raise Mismatch("NaN matches nothing; isnull=True matches missing values")
    if math.isinf(value) and not ordered:
        raise Mismatch("it is never infinite")
    return float(value)


def _number_of(value: Any) -> str:
    if isinstance(value, str):
        return f"give a number: float({brief(value)})"
    return "give a number"


def _of_decimal(value: Decimal) -> int | float:
    if not value.is_finite():
        return float(value)
    if value == value.to_integral_value() and value.adjusted() < _LONGEST:
        return int(value)
    found = float(value)
    if Decimal(repr(found)) == value:
        return found
    raise Mismatch("it has more digits than the server stores; round it")


def _text(value: Any, _: bool) -> str:
    if isinstance(value, str):
        return str.__str__(value)
    raise Mismatch("give a text")


_DATETIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(:\d\d)?(?:[.,](\d+))?([Zz]|[+-]\d\d(?::?\d\d)?)?\Z"
)


def _datetime(value: Any, _: bool) -> datetime:
    if isinstance(value, str):
        return _datetime_of(value)
    if isinstance(value, datetime):
        if value != value or value.tzinfo is None or value.utcoffset() is None:
            raise Mismatch("give its time zone: an aware datetime, for example by .astimezone()")
        if getattr(value, "nanosecond", 0):  # of pandas
            raise Mismatch("the server stores microseconds: round it")
        convert = getattr(value, "to_pydatetime", None)
        return convert() if convert else value
    if isinstance(value, date):
        raise Mismatch(
            "give the time zone in which the day begins: "
            f"datetime({value.year}, {value.month}, {value.day}, tzinfo=timezone.utc)"
        )
    if getattr(getattr(value, "dtype", None), "kind", None) == "M":
        raise Mismatch("give an aware datetime; dates of numpy have no time zone")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise Mismatch("give an aware datetime: datetime.fromtimestamp(..., timezone.utc)")
    raise Mismatch("give an aware datetime")


def _datetime_of(text: str) -> datetime:
    found = _DATETIME.match(text)
    if found is None:
        raise Mismatch(
            "give an aware datetime, or its ISO 8601 text with an offset: 2026-01-31T00:00:00Z"
        )
    day, time, seconds, fraction, offset = found.groups()
    if offset is None:
        raise Mismatch("give its time zone: an offset at the end, such as +02:00 or Z")
    digits = (fraction or "").rstrip("0")
    if len(digits) > 6:
        raise Mismatch("the server stores microseconds: round it")
    zone = "+00:00" if offset in "Zz" else f"{offset[:3]}:{offset[3:].strip(':') or '00'}"
    try:
        return datetime.fromisoformat(f"{day}T{time}{seconds or ':00'}.{digits:0<6}{zone}")
    except ValueError as error:
        raise Mismatch(f"there is no such date or time ({error})") from None


def _one_of(options: tuple[Any, ...]) -> Callable[[Any, bool], Any]:
    def take(value: Any, ordered: bool) -> Any:
        if ordered or value in options:
            return _text(value, ordered)
        texts = [one for one in options if isinstance(one, str)]
        near = near_misses(str(value), texts, 1)
        raise Mismatch(f"did you mean {near[0]!r}?" if near else "give one of these")

    return take


def _json(value: Any, _: bool) -> Any:
    value = codec.plain_json(value)
    for one in codec.scalars(value):
        if isinstance(one, float) and math.isnan(one):
            raise Mismatch("NaN matches nothing; isnull=True matches nulls")
        if not isinstance(one, (str, int, float, type(None))):
            raise Mismatch(_way_in_json(one))
    return codec.copy_given(value)  # the caller may change theirs later


def _way_in_json(value: Any) -> str:
    if isinstance(value, date):
        return "JSON has no dates: give the text as it is stored"
    if isinstance(value, Decimal):
        return "give a float, or the text as it is stored"
    return "give JSON: texts, numbers, True, False, None, lists and dicts of these"


def _container(annotation: Any) -> Callable[[Any, bool], Any]:
    def take(value: Any, _: bool) -> Any:
        value = _json(value, False)
        if codec.mismatch(value, annotation):
            raise Mismatch("name a key in it, such as data__text")
        return value

    return take


# -- the kinds of fields --------------------------------------------------------------------------

KINDS: dict[Any, ValueKind] = {
    bool: ValueKind("True or False", EQUAL, _flag),
    int: ValueKind("an integer", EQUAL | ORDER, _integer),
    float: ValueKind("a number", EQUAL | ORDER, _number),
    str: ValueKind("a text", EQUAL | ORDER | TEXT_LOOKUPS, _text),
    datetime: ValueKind("a datetime", EQUAL | ORDER, _datetime),
}
"""The kinds of plain types; others are derived from the annotation."""

JSON = ValueKind("JSON", ALL, _json)


@cache
def kind_of(field: Field, inside: bool = False) -> ValueKind:
    """Return the kind of a field's values, or of the keys ``inside`` of it."""
    if inside:
        return JSON
    annotation = field.element or field.annotation
    types = [part for part in codec.parts(annotation) if part is not type(None)]
    if typing.Any in types:
        return JSON
    [first, *others] = types
    if typing.get_origin(first) is typing.Literal:
        options = typing.get_args(first)
        names = ", ".join(map(repr, options))
        return ValueKind(f"one of {names}", EQUAL | ORDER | TEXT_LOOKUPS, _one_of(options))
    if first in KINDS and not others:
        return KINDS[first]
    keyed = {"has_key"} if any(_origin(one) is dict for one in types) else set[str]()
    names = " or ".join("a dict" if _origin(one) is dict else "a list" for one in types)
    return ValueKind(names, frozenset({"exact", "in", "isnull"} | keyed), _container(annotation))


def _origin(annotation: Any) -> Any:
    return typing.get_origin(annotation) or annotation


# -- the value of a lookup ------------------------------------------------------------------------


def value_of(
    field: Field, path: tuple[str, ...], key: str, lookup: str, value: Any, server: str | None
) -> Any:
    """Return the value to compare with; a tuple for the lookups that take several.

    Raises FieldError for a value that could never match, since it is a mistake.
    """
    kind = kind_of(field, bool(path))
    if lookup not in kind.lookups:
        _refuse_lookup(field, kind, key, lookup)
    if lookup == "isnull":
        wanted = codec.plain(value)
        if not isinstance(wanted, bool):
            raise FieldError(f"{key} takes True or False, not {brief(value)}")
        return wanted
    if lookup in TEXT_LOOKUPS or lookup == "has_key":
        return _pattern(field, kind, key, lookup, value)

    def one(value: Any) -> Any:
        return _one(field, kind, key, lookup, value, server)

    if lookup not in ("in", "range"):
        return one(value)
    found = Members(map(one, _several(key, value)))
    if lookup == "range" and len(found) != 2:
        raise FieldError(f"{key} takes two values (from, to), both included, not {len(found)}")
    return found


def lookups_of(field: Field) -> list[str]:
    """Return the lookups that may be true of a field."""
    kind = kind_of(field)
    return [name for name in LOOKUPS if name in kind.lookups]


def _refuse_lookup(field: Field, kind: ValueKind, key: str, lookup: str) -> NoReturn:
    way = f"it has {', '.join(lookups_of(field))}"
    if field.nested and not field.element:
        relation = key.removesuffix(f"__{lookup}")
        inner = "label" if field.name == "result" else "<key>"
        example = f"{relation}__{inner}__{lookup}="
        way = f"name a value in it, such as {example}, or use {way.removeprefix('it has ')}"
    raise FieldError(f"{key}: {lookup} never matches, since {_name(field)} is {kind.name}; {way}")


def _name(field: Field) -> str:
    return f"{options_of(field.owner).name}.{field.name}"


def _several(key: str, value: Any) -> Iterable[Any]:
    flat = getattr(value, "ndim", 1) == 1  # of arrays and tables
    if isinstance(value, (str, bytes, bytearray)) or not isinstance(value, Iterable) or not flat:
        raise FieldError(f"{key} takes a list of values, not {brief(value)}")
    return value


def _pattern(field: Field, kind: ValueKind, key: str, lookup: str, value: Any) -> str:
    if not isinstance(value, str):
        raise FieldError(f"{key} takes a text, not {brief(value)}")
    text = str.__str__(value)
    if lookup.endswith("regex"):
        try:
            re.compile(text)
        except (re.error, OverflowError, RecursionError) as error:
            raise FieldError(f"{key}: {brief(text)} is not a regular expression: {error}") from None
    options = _options(field) if kind is not JSON else ()
    if options and not any(LOOKUPS[lookup](option, text) for option in options):
        raise FieldError(f"{key}: {_name(field)} is {kind.name}, none of which matches")
    return text


def _options(field: Field) -> tuple[Any, ...]:
    """Return the fixed values of a field; none where it may have others."""
    kinds = codec.parts(field.element or field.annotation)
    return next((typing.get_args(one) for one in kinds if _origin(one) is typing.Literal), ())


def _one(
    field: Field, kind: ValueKind, key: str, lookup: str, value: Any, server: str | None
) -> Any:
    """Return one value of a lookup, converted to the kind of the field; the id for an object."""
    if is_object(value):
        value = _id(field, kind, key, value, server)
    ordered = lookup in ORDER
    if value is None and not (ordered and kind is not JSON):
        return None
    try:
        if lookup == "iexact" and isinstance(value, str) and (options := _options(field)):
            return _folded(options, value)
        return kind.take(codec.plain(value), ordered)
    except Mismatch as error:
        way = "isnull=True matches missing values" if value is None else str(error)
        if isinstance(value, Iterable) and not isinstance(value, str) and lookup == "exact":
            way = f"{key.removesuffix('__exact')}__in= takes several values"
        raise FieldError(
            f"{key}: {_name(field)} is {kind.name}, never {type(value).__name__} "
            f"({brief(value)}); {way}"
        ) from None


def _folded(options: tuple[Any, ...], value: str) -> str:
    if any(LOOKUPS["iexact"](option, value) for option in options):
        return str.__str__(value)
    raise Mismatch("give one of these")


def _id(field: Field, kind: ValueKind, key: str, value: Record, server: str | None) -> Any:

    options = options_of(field.owner)
    wanted: Any = registry[field.of] if field.of else None
    if field.references:
        wanted = options.relations[field.references].target
    elif field.name == options.key:
        wanted = field.owner
    if wanted is None or not isinstance(value, wanted):
        name = f"the id of a {options_of(wanted).name}" if wanted else kind.name
        raise FieldError(f"{key}: {_name(field)} is {name}, never {value!r}")
    if server is not None and server_of(value) not in (None, server):
        raise FieldError(f"{key}: {value!r} is on {server_of(value)}, the queryset on {server}")
    return saved_id(value, key)
