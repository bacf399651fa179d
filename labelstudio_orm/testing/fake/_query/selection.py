"""Queries of the Data Manager as requests have them, read and checked.

A query is ``{"filters": {"conjunction", "items"}, "ordering": [...], "selectedItems": {...}}``.
Most mistakes are a 500, as on the server.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from attrs import define, field

from .._state.store import Row, loads
from .._wire.answers import crash, invalid, not_found
from .._wire.requests import Request, to_integer

ALLOWED_RELATIONS = ("annotations__completed_by", "updated_by__active_organization")


@define(frozen=True)
class Range:
    """The value of ``in`` and ``not_in``."""

    min: Any
    max: Any

    def __str__(self) -> str:
        return f"min={self.min!r} max={self.max!r}"


@define(frozen=True)
class Filter:
    """An item of the filters."""

    column: str
    operator: str
    type: str
    value: Any
    child: Filter | None = None


@define
class Selection:
    """The tasks that a request is for."""

    conjunction: str = "and"
    filters: list[Filter] = field(factory=list)
    ordering: list[str] = field(factory=list)
    everything: bool | None = None
    included: list[int] = field(factory=list)
    excluded: list[int] = field(factory=list)
    data: dict[str, Any] = field(factory=dict)


def read_selection(request: Request, project: Row) -> Selection:
    """Return the selection of a request: of a saved view, else of ``query``, else of the body."""
    body = request.body if request.body is not None else {}
    if not isinstance(body, dict):
        raise crash(f"'{type(body).__name__}' object has no attribute 'get'")
    view_id = request.query.integer("view", 0) or to_integer(body.get("view"), "view", 0)
    if view_id > 0:
        view = request.fake.store.get("view", view_id)
        if view is None:
            raise not_found("View")
        if view["project_id"] != project["id"]:
            raise crash("Project and View mismatch")
        return view_selection(view)
    query = request.query.get("query")
    if query is not None:
        try:
            body = json.loads(unquote(query))
        except ValueError as error:
            raise crash(str(error)) from None
        if not isinstance(body, dict):
            raise crash(f"'{type(body).__name__}' object has no attribute 'get'")
    return parse_selection(body)


def view_selection(view: Row) -> Selection:
    """Return the selection of a saved view."""
    return parse_selection(
        {
            "filters": loads(view["filters"]),
            "ordering": loads(view["ordering"]) or [],
            "selectedItems": loads(view["selected_items"]) or {"all": True},
        },
        hidden=loads(view["data"]),
    )


def parse_selection(data: dict[str, Any], hidden: Any = None) -> Selection:
    """Return the selection of a query; 500 for a wrong shape, 400 for a ``__`` in a column."""
    selected = data.get("selectedItems", {"all": True, "excluded": []})
    if isinstance(selected, str):
        try:
            selected = json.loads(selected)
        except ValueError:
            raise crash("selectedItems must be JSON encoded string for dict") from None
    if not isinstance(selected, dict):
        raise crash(f"selectedItems must be dict. Found type: {type(selected)}")
    ordering = data.get("ordering", [])
    if not isinstance(ordering, list) or not all(isinstance(key, str) for key in ordering):
        raise _shape("ordering")
    for key in ordering:
        _check_relations(key)
    filters = data.get("filters")
    selection = Selection(
        ordering=ordering,
        everything=_lax_bool(selected.get("all")),
        included=_lax_ints(selected.get("included", [])),
        excluded=_lax_ints(selected.get("excluded", [])),
        data=data if hidden is None else hidden,
    )
    if filters is not None:
        if not isinstance(filters, dict) or not isinstance(filters.get("items"), list):
            raise _shape("filters.items")
        if filters.get("conjunction") not in ("and", "or"):
            raise _shape("filters.conjunction")
        selection.conjunction = filters["conjunction"]
        selection.filters = [_parse_filter(item) for item in filters["items"]]
    return selection


def _shape(where: str) -> Exception:
    return crash(f"1 validation error for PrepareParams\n{where}")


def _lax_bool(value: Any) -> bool:
    text = value.lower() if isinstance(value, str) else value
    if isinstance(text, (str, int, float)):
        if text in (True, "true", "t", "yes", "y", "on", "1"):
            return True
        if text in (False, "false", "f", "no", "n", "off", "0"):
            return False
    raise _shape("selectedItems.all")


def _lax_ints(values: Any) -> list[int]:
    if not isinstance(values, list):
        raise _shape("selectedItems")
    try:
        numbers = [int(value) for value in values]
    except (TypeError, ValueError):
        raise _shape("selectedItems") from None
    if any(isinstance(v, float) and v != n for v, n in zip(values, numbers, strict=True)):
        raise _shape("selectedItems")
    return numbers


def _check_relations(column: str) -> None:
    name = column.removeprefix("-").removeprefix("filter:").removeprefix("tasks:").removeprefix("-")
    if not name.startswith("data.") and name not in ALLOWED_RELATIONS and "__" in name:
        raise invalid(relations_refused(name))


def relations_refused(name: str) -> str:
    """Return the message that refuses a column with a ``__``."""
    return (
        '"__" is not generally allowed in filters. Consider asking your administrator to add '
        f'"{name}" to DATA_MANAGER_FILTER_ALLOWLIST, but note that some filter expressions '
        "may pose a security risk"
    )


def _parse_filter(item: Any) -> Filter:
    if not isinstance(item, dict):
        raise _shape("filters.items")
    for key in ("filter", "operator", "type"):
        if not isinstance(item.get(key), str):
            raise _shape(f"filters.items.{key}")
    child = item.get("child_filter")
    parsed_child = None if child is None else _parse_filter(child)
    if item["filter"].startswith("filter:tasks:"):
        _check_relations(item["filter"])
    value = item.get("value")
    if isinstance(value, dict):
        ends = value.get("min"), value.get("max")
        if not all(
            isinstance(end, (int, float, str)) and not isinstance(end, bool) for end in ends
        ):
            raise _shape("filters.items.value")
        value = Range(*ends)
    if value is None:
        raise _shape("filters.items.value")
    return Filter(item["filter"], item["operator"], item["type"], value, parsed_child)
