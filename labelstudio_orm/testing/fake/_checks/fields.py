"""The fields of request bodies, checked one by one with the server's messages.

Unknown fields are ignored silently.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from attrs import define

from .._state.store import Store, dumps, stored_time
from .._wire.answers import Failure, invalid

Convert = Callable[[Any], Any]


class FieldError(Exception):
    """The value of a field is refused, with these messages, or a dict of them by position."""

    def __init__(self, *problems: Any) -> None:
        super().__init__(*problems)
        self.problems = problems[0] if isinstance(problems[0], dict) else list(problems)


@define(frozen=True)
class Field:
    """How a field is read: ``convert`` returns what is stored, or raises FieldError."""

    convert: Convert
    null: bool = False
    required: bool = False
    column: str | None = None


def read(fields: Mapping[str, Field], data: Mapping[str, Any], *, partial: bool) -> dict[str, Any]:
    """Return the columns to store; 400 with the errors of all fields.

    A ``partial`` body (that of a PATCH) requires no field.
    """
    errors: dict[str, Any] = {}
    columns: dict[str, Any] = {}
    for name, spec in fields.items():
        if name not in data:
            if spec.required and not partial:
                errors[name] = ["This field is required."]
            continue
        value = data[name]
        try:
            if value is None:
                if not spec.null:
                    raise FieldError("This field may not be null.")
            else:
                value = spec.convert(value)
        except FieldError as wrong:
            errors[name] = wrong.problems
        else:
            columns[spec.column or name] = value
    if errors:
        raise invalid(errors)
    return columns


def boolean(value: Any) -> bool:
    """Read true or false, or a text or number that stands for it."""
    if isinstance(value, (str, int, float)):
        text = str(value).lower() if isinstance(value, str) else value
        if text in ("t", "y", "yes", "true", "on", "1", 1, True):
            return True
        if text in ("f", "n", "no", "false", "off", "0", 0, False):
            return False
    raise FieldError("Must be a valid boolean.")


def integer(value: Any) -> int:
    """Read an integer, or its decimal text."""
    text = str(value)
    if isinstance(value, str) and len(value) > 1000:
        raise FieldError("String value too large.")
    try:
        return int(re.sub(r"\.0*\s*$", "", text))
    except ValueError:
        raise FieldError("A valid integer is required.") from None


def at_least(smallest: int) -> Convert:
    """Return a converter for integers that are not smaller than this one."""

    def convert(value: Any) -> int:
        number = integer(value)
        if number < smallest:
            raise FieldError(f"Ensure this value is greater than or equal to {smallest}.")
        return number

    return convert


def big_integer(value: Any) -> int:
    """Read an integer, with another message."""
    try:
        return integer(value)
    except FieldError:
        raise FieldError("A valid biginteger is required.") from None


def number(value: Any) -> float:
    """Read a number, or its text."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise FieldError("A valid number is required.") from None


def text(*, blank: bool = True, shortest: int = 0, longest: int | None = None) -> Convert:
    """Return a converter for strings; numbers become strings, and white space around is removed."""

    def convert(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise FieldError("Not a valid string.")
        value = str(value).strip()
        if not value:
            if blank:
                return ""
            raise FieldError("This field may not be blank.")
        if longest is not None and len(value) > longest:
            raise FieldError(f"Ensure this field has no more than {longest} characters.")
        if len(value) < shortest:
            raise FieldError(f"Ensure this field has at least {shortest} characters.")
        return str(value)

    return convert


def email(value: Any) -> str:
    """Read an e-mail address, or nothing."""
    shown = str(text()(value))
    if shown and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}|[^@\s]+@localhost", shown):
        raise FieldError("Enter a valid email address.")
    return shown


def choice(*choices: str) -> Convert:
    """Return a converter for one of these texts."""

    def convert(value: Any) -> str:
        if str(value) not in choices:
            raise FieldError(f'"{value}" is not a valid choice.')
        return str(value)

    return convert


def list_of(convert: Convert, *, empty: bool = True) -> Convert:
    """Return a converter for lists; the errors of their items are by position."""

    def one(value: Any) -> tuple[Any, Any]:
        try:
            return convert(value), None
        except FieldError as wrong:
            return None, wrong.problems

    def convert_all(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise FieldError(f'Expected a list of items but got type "{type(value).__name__}".')
        if not value and not empty:
            raise FieldError("This list may not be empty.")
        read = [one(item) for item in value]
        problems = {str(index): found for index, (_, found) in enumerate(read) if found}
        if problems:
            raise FieldError(problems)
        return [item for item, _ in read]

    return convert_all


def nested(fields: Mapping[str, Field]) -> Convert:
    """Return a converter for objects with these fields; their errors are by field."""

    def convert(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            kind = type(value).__name__
            text = f"Invalid data. Expected a dictionary, but got {kind}."
            raise FieldError({"non_field_errors": [text]})
        try:
            return read(fields, value, partial=False)
        except Failure as error:
            raise FieldError(error.body["validation_errors"]) from None

    return convert


def json_text(value: Any) -> str:
    """Read any JSON value, which is stored as text."""
    return dumps(value)


def timestamp(value: Any) -> str:
    """Read an ISO time; without an offset it is UTC."""
    parsed = parse_timestamp(value) if isinstance(value, str) else None
    if parsed is None:
        raise FieldError(
            "Datetime has wrong format. Use one of these formats instead: "
            "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
        )
    return stored_time(parsed)


_TIMESTAMP = re.compile(
    r"(?P<day>\d{4}-\d{1,2}-\d{1,2})[T ](?P<hour>\d{1,2}):(?P<minute>\d{1,2})"
    r"(?::(?P<second>\d{1,2})(?:[.,](?P<fraction>\d{1,6})\d{0,6})?)?"
    r"\s*(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?$"
)


def parse_timestamp(value: str) -> datetime | None:
    """Return the datetime of an ISO time, naive without an offset; None for any other text."""
    match = _TIMESTAMP.match(value)
    if not match:
        return None
    year, month, day = map(int, match["day"].split("-"))
    zone = None
    if match["zone"] == "Z":
        zone = timezone.utc
    elif match["zone"]:
        digits = match["zone"][1:].replace(":", "").ljust(4, "0")
        offset = (int(digits[:2]) * 60 + int(digits[2:])) * (-1 if match["zone"][0] == "-" else 1)
        zone = timezone(timedelta(minutes=offset))
    try:
        return datetime(
            year,
            month,
            day,
            int(match["hour"]),
            int(match["minute"]),
            int(match["second"] or 0),
            int((match["fraction"] or "0").ljust(6, "0")),
            tzinfo=zone,
        )
    except ValueError:
        return None


def reference(store: Store, table: str) -> Convert:
    """Return a converter for ids of rows that exist."""

    def convert(value: Any) -> int:
        kind = type(value).__name__
        if isinstance(value, (bool, dict, list)):
            raise FieldError(f"Incorrect type. Expected pk value, received {kind}.")
        try:
            pk = int(value)
        except ValueError:
            raise FieldError(f"Incorrect type. Expected pk value, received {kind}.") from None
        if abs(pk) >= 2**63 or store.get(table, pk) is None:
            raise FieldError(f'Invalid pk "{value}" - object does not exist.')
        return pk

    return convert
