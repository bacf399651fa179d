"""Tables of values, one row an object."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from .markup import Html, joined, tag, text

CELL: Final = 120
"""The most characters of a cell."""


def cell(value: Any) -> Html:
    """Return a value in short; nothing for None."""
    if value is None or isinstance(value, Html):
        return value or Html("")
    if isinstance(value, datetime):
        return text(f"{value:%Y-%m-%d %H:%M}")
    if isinstance(value, (dict, list)):
        return text(_json(value), CELL)
    return text(value, CELL)


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return f"<{type(value).__name__}>"


def table(columns: Sequence[object], rows: Iterable[Sequence[Any]]) -> Html:
    """Return a table with a heading."""
    head = tag("tr", *(tag("th", text(one, CELL)) for one in columns))
    body = joined(tag("tr", *(tag("td", cell(one)) for one in row)) for row in rows)
    return tag("table", tag("thead", head), tag("tbody", body), class_="lso-table")


def pairs(values: Mapping[str, Any]) -> Html:
    """Return a table of names and their values."""
    rows = (
        tag("tr", tag("th", text(name, CELL)), tag("td", cell(value)))
        for name, value in values.items()
    )
    return tag("table", tag("tbody", *rows), class_="lso-table")
