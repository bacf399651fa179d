"""Checking request bodies, field by field, with the server's texts. Unknown fields are ignored
silently."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from attrs import define

from .._state.store import Store, dumps, stored_time
from .._wire.answers import Failure, invalid

Convert = Callable[[Any], Any]


class Wrong(Exception):
    """The value of one field is refused, with these texts, or a dict of such by position."""

    def __init__(self, *problems: Any) -> None:
        super().__init__(*problems)
        self.problems = problems[0] if isinstance(problems[0], dict) else list(problems)


@define(frozen=True)
class Field:
    """How one field is read: `convert` gives what is stored, or raises `Wrong`."""

    convert: Convert
    null: bool = False
    required: bool = False
    column: str | None = None


def read(fields: Mapping[str, Field], data: Mapping[str, Any], *, partial: bool) -> dict[str, Any]:
    """The columns to store; 400 with the errors of all fields. `partial`: a PATCH requires
    nothing."""
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
                    raise Wrong("This field may not be null.")
            else:
                value = spec.convert(value)
        except Wrong as wrong:
            errors[name] = wrong.problems
        else:
            columns[spec.column or name] = value
    if errors:
        raise invalid(errors)
    return columns


def boolean(value: Any) -> bool:
    """true/false, and the texts and numbers that stand for them."""
    if isinstance(value, (str, int, float)):
        text = str(value).lower() if isinstance(value, str) else value
        if text in ("t", "y", "yes", "true", "on", "1", 1, True):
            return True
        if text in ("f", "n", "no", "false", "off", "0", 0, False):
            return False
    raise Wrong("Must be a valid boolean.")


def integer(value: Any) -> int:
    """A whole number, or its decimal text."""
    text = str(value)
    if isinstance(value, str) and len(value) > 1000:
        raise Wrong("String value too large.")
    try:
        return int(re.sub(r"\.0*\s*$", "", text))
    except ValueError:
        raise Wrong("A valid integer is required.") from None


def at_least(smallest: int) -> Convert:
    """A whole number that is not smaller."""

    def convert(value: Any) -> int:
        number = integer(value)
        if number < smallest:
            raise Wrong(f"Ensure this value is greater than or equal to {smallest}.")
        return number

    return convert


def big_integer(value: Any) -> int:
    """The same, where the server's text differs."""
    try:
        return integer(value)
    except Wrong:
        raise Wrong("A valid biginteger is required.") from None


def number(value: Any) -> float:
    """A number, or its text."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise Wrong("A valid number is required.") from None


def text(*, blank: bool = True, shortest: int = 0, longest: int | None = None) -> Convert:
    """A string; numbers are turned into one, the white space around it is cut."""

    def convert(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise Wrong("Not a valid string.")
        value = str(value).strip()
        if not value:
            if blank:
                return ""
            raise Wrong("This field may not be blank.")
        if longest is not None and len(value) > longest:
            raise Wrong(f"Ensure this field has no more than {longest} characters.")
        if len(value) < shortest:
            raise Wrong(f"Ensure this field has at least {shortest} characters.")
        return str(value)

    return convert


def email(value: Any) -> str:
    """An e-mail address, or nothing."""
    shown = str(text()(value))
    if shown and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}|[^@\s]+@localhost", shown):
        raise Wrong("Enter a valid email address.")
    return shown


def choice(*choices: str) -> Convert:
    """One of these texts."""

    def convert(value: Any) -> str:
        if str(value) not in choices:
            raise Wrong(f'"{value}" is not a valid choice.')
        return str(value)

    return convert


def list_of(convert: Convert, *, empty: bool = True) -> Convert:
    """A list; the problems of its items are by position."""

    def one(value: Any) -> tuple[Any, Any]:
        try:
            return convert(value), None
        except Wrong as wrong:
            return None, wrong.problems

    def convert_all(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise Wrong(f'Expected a list of items but got type "{type(value).__name__}".')
        if not value and not empty:
            raise Wrong("This list may not be empty.")
        read = [one(item) for item in value]
        problems = {str(index): found for index, (_, found) in enumerate(read) if found}
        if problems:
            raise Wrong(problems)
        return [item for item, _ in read]

    return convert_all


def nested(fields: Mapping[str, Field]) -> Convert:
    """An object with these fields, as a dict; its problems are by field."""

    def convert(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            kind = type(value).__name__
            text = f"Invalid data. Expected a dictionary, but got {kind}."
            raise Wrong({"non_field_errors": [text]})
        try:
            return read(fields, value, partial=False)
        except Failure as error:
            raise Wrong(error.body["validation_errors"]) from None

    return convert


def json_text(value: Any) -> str:
    """Any JSON value, stored as text."""
    return dumps(value)


def moment(value: Any) -> str:
    """An ISO time; without an offset it is UTC."""
    parsed = parse_moment(value) if isinstance(value, str) else None
    if parsed is None:
        raise Wrong(
            "Datetime has wrong format. Use one of these formats instead: "
            "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
        )
    return stored_time(parsed)


_MOMENT = re.compile(
    r"(?P<day>\d{4}-\d{1,2}-\d{1,2})[T ](?P<hour>\d{1,2}):(?P<minute>\d{1,2})"
    r"(?::(?P<second>\d{1,2})(?:[.,](?P<fraction>\d{1,6})\d{0,6})?)?"
    r"\s*(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?$"
)


def parse_moment(value: str) -> datetime | None:
    """An ISO time, naive when it has no offset; None when it is something else."""
    match = _MOMENT.match(value)
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
    """The id of an object that exists."""

    def convert(value: Any) -> int:
        kind = type(value).__name__
        if isinstance(value, (bool, dict, list)):
            raise Wrong(f"Incorrect type. Expected pk value, received {kind}.")
        try:
            pk = int(value)
        except ValueError:
            raise Wrong(f"Incorrect type. Expected pk value, received {kind}.") from None
        if abs(pk) >= 2**63 or store.get(table, pk) is None:
            raise Wrong(f'Invalid pk "{value}" - object does not exist.')
        return pk

    return convert
