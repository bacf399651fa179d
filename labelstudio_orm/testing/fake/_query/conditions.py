"""Comparisons of the Data Manager, as SQL with the server's meaning on SQLite."""

from __future__ import annotations

import math
import re
from datetime import date, datetime
from typing import Any

from attrs import define, field

from .._checks.fields import parse_timestamp
from .._state.store import dumps, id_list, stored_time
from .._wire.answers import crash, not_implemented
from .columns import Column
from .selection import Range

_COMPARE = {"lt": "<", "gt": ">", "lte": "<=", "gte": ">="}


@define
class Condition:
    """A condition in SQL; an aggregate one belongs in HAVING, and its ``columns`` in GROUP BY."""

    sql: str
    parameters: list[Any] = field(factory=list)
    aggregate: bool = False
    columns: list[str] = field(factory=list)


def combine(conditions: list[Condition], word: str) -> Condition:
    """Return one condition of several, joined by AND or OR."""
    return Condition(
        "(" + f" {word} ".join(c.sql for c in conditions) + ")",
        [p for c in conditions for p in c.parameters],
        any(c.aggregate for c in conditions),
        [name for c in conditions for name in c.columns],
    )


def _json_operand(value: Any) -> tuple[str, str]:
    text = dumps(value)
    return ("?" if text in ("null", "true", "false") else "JSON_EXTRACT(?, '$')"), text


def _prepare(kind: str, value: Any) -> Any:
    """Return a value of a filter as a column of that kind stores it.

    ValueError and TypeError become a 500.
    """
    if isinstance(value, Range):
        raise TypeError(f"a range is no value of a {kind} column")
    if kind == "int":
        return int(value)
    if kind == "float":
        return float(value)
    if kind == "text":
        return str(value)
    if kind == "json":
        return dumps(value)
    if kind == "bool":
        if not isinstance(value, (list, dict)):
            if value in (True, "t", "True", "1"):
                return 1
            if value in (False, "f", "False", "0"):
                return 0
        raise ValueError(f"“{value}” value must be either True or False.")
    if kind == "time":
        if isinstance(value, datetime):
            return stored_time(value)
        if not isinstance(value, str):
            raise TypeError("fromisoformat: argument must be str")
        parsed = parse_timestamp(value)
        if parsed is None and re.fullmatch(r"\d{4}-\d{1,2}-\d{1,2}", value):
            parsed = datetime.combine(date(*map(int, value.split("-"))), datetime.min.time())
        if parsed is None:
            raise ValueError(f"“{value}” value has an invalid format.")
        return stored_time(parsed)
    return value


def compare(column: Column, lhs: str, lookup: str, value: Any) -> Condition:
    """Return the comparison of the expression ``lhs`` with a value; the lookup "" is equality."""
    if lookup == "isnull":
        return Condition(f"{lhs} IS NULL")
    if lookup in ("like", "regex"):
        if column.foreign:
            raise crash("Unsupported lookup for ForeignKey or join on the field not permitted.")
        if lookup == "regex":
            return Condition(f"{lhs} REGEXP ?", [str(value) if isinstance(value, Range) else value])
        text = str(value).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return Condition(f"{lhs} LIKE ? ESCAPE '\\'", [f"%{text}%"])
    if lookup == "in":
        return _compare_in(column, lhs, value)
    if column.kind == "key":
        if lookup:
            if isinstance(value, (list, dict, Range)):
                raise crash(
                    f"Error binding parameter: type '{type(value).__name__}' is not supported"
                )
            return Condition(f"{lhs} {_COMPARE[lookup]} ?", [value])
        operand, text = _json_operand(value)
        return Condition(f"{lhs} = {operand}", [text])
    if (
        column.kind == "int"
        and isinstance(value, float)
        and lookup in ("gte", "lt")
        and not column.foreign
    ):
        value = math.ceil(value)
    value = _prepare(column.kind, value)
    if column.kind == "int" and abs(value) >= 2**63:
        above = lookup in (("lt", "lte") if value > 0 else ("gt", "gte"))
        return Condition("1" if above else "0")
    if column.kind == "bool" and not lookup:
        return Condition(lhs if value else f"NOT {lhs}")
    return Condition(f"{lhs} {_COMPARE.get(lookup, '=')} ?", [value])


def _compare_in(column: Column, lhs: str, values: Any) -> Condition:
    if isinstance(values, Range):
        raise not_implemented("in_list with a {min, max} value")
    if column.kind != "key":
        values = [None if value is None else _prepare(column.kind, value) for value in values]
    try:
        values = list(dict.fromkeys(values))
    except TypeError:
        values = list(values)
    values = [value for value in values if value is not None]
    if not values:
        return Condition("0")
    if column.kind == "key":
        operands = [_json_operand(value) for value in values]
        return Condition(
            f"{lhs} IN ({', '.join(o for o, _ in operands)})", [t for _, t in operands]
        )
    if column.kind == "int":
        if any(abs(value) >= 2**63 for value in values):
            raise crash("Python int too large to convert to SQLite INTEGER")
        return Condition(f"{lhs} IN {id_list(values)}")
    return Condition(f"{lhs} IN ({', '.join('?' * len(values))})", values)
