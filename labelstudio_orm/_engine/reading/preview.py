"""What is shown of a queryset without being asked for: the first rows, by one request at most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, Final, TypeVar

import attrs

from ... import _display, _tables
from ..._html.markup import Html, framed, joined, tag
from ..._html.tables import table
from ..conditions.query import Query
from ..fields.fields import Field
from ..http.deadline import Allowance
from ..http.rationed import Spent, at_most
from ..records.inside import origin_of, row_of
from ..values.brief import cut
from . import reader

T = TypeVar("T")

ROWS: Final = 10
"""The objects of a queryset that are shown."""

_SECONDS: Final = 20.0
_COLUMNS: Final = 9
_KEYS: Final = 4
"""The keys of JSON that have a column each."""

_LATE: Final = frozenset({
    "bulk_created", "created_ago", "created_at", "created_username", "label_config", "updated_at",
    "updated_by_id",
})  # fmt: skip
"""Columns that stand behind the others."""


def preview(title: str, query: Query, cache: list[Any] | None) -> Html:
    """Return the first objects as a table below a title; what fails is said there."""
    rows, note = (cache[:ROWS], "") if cache is not None else _first(query)
    with at_most(0):
        found = _table(query, rows) if rows else None
        if not note:
            note = _count(len(rows), None if cache is None else len(cache))
        heading = tag("div", cut(title, 300), class_="lso-title")
        return framed(heading, found, _display.labelled.note(note))


def _count(shown: int, known: int | None) -> str:
    if known is None and shown == ROWS:
        return f"the first {shown}"
    number = shown if known is None else known
    said = "1 object" if number == 1 else f"{number:,} objects" if number else "no objects"
    return said + (f", the first {shown} shown" if number > shown else "")


def _first(query: Query) -> tuple[list[Any], str]:
    """Return the first objects as far as one request brings them, and what is to be said of it."""
    rows: list[Any] = []
    try:
        with Allowance(_SECONDS, "a preview").used(), at_most(1):
            rows.extend(islice(reader.objects(query.sliced(0, ROWS)), ROWS))
    except Spent:
        said = "there may be more" if rows else "not loaded"
        return rows, f"{said}: a further request is needed to see, so loop over it, or take list()"
    except Exception as error:  # a notebook would show nothing at all
        return rows, f"not loaded: {cut(f'{type(error).__name__}: {error}', 500)}"
    return rows, ""


def attempt(get: Callable[[], T]) -> T | None:
    """Return what is loaded; None where a request would be needed, or it cannot be had."""
    try:
        return get()
    except Exception:  # whatever a server has stored, it must not keep the rest from being shown
        return None


def loaded(obj: Any, name: str) -> Any:
    """Return an attribute of an object; None where it cannot be had."""
    return attempt(lambda: getattr(obj, name))


# -- the table ------------------------------------------------------------------------------------


def _table(query: Query, rows: list[Any]) -> Html:
    columns: dict[str, list[Any]] = {}
    for field in _fields(query, rows):
        values = [loaded(obj, field.name) for obj in rows]
        columns.update(_columns(field, values))
    kept = {
        name: some for name, some in columns.items() if not all(one in (None, "") for one in some)
    }
    shown = dict(islice(kept.items(), _COLUMNS))
    return table(list(shown), zip(*shown.values(), strict=True))


def _fields(query: Query, rows: list[Any]) -> list[Field]:
    """Return the fields that the rows have, with the id and what is labelled first."""
    options = query.options
    loaded = {wire for obj in rows for wire in row_of(obj)}
    touched = {name for obj in rows for name in vars(obj)}
    unknown = {name for obj in rows for name in origin_of(obj).uncomputed}
    scope = {f"{name}_id" for name in query.scope}
    found = [
        one
        for one in options.fields.values()
        if not one.secret
        and (one.wire in loaded or one.name in touched)
        and one.name not in unknown | scope
    ]
    first = (options.key, options.label, "data", "result")

    def place(field: Field) -> tuple[bool, int, bool]:
        at = first.index(field.name) if field.name in first else len(first)
        return field.name in _LATE, at, field.nested

    return sorted(found, key=place)


def _columns(field: Field, values: list[Any]) -> Iterable[tuple[str, list[Any]]]:
    if field.holds_regions:
        yield field.name, [_chips(one) for one in values]
    elif field.name == "data":
        keys = dict.fromkeys(key for one in values if isinstance(one, Mapping) for key in one)
        for key in islice(keys, _KEYS):
            yield (
                f"data.{key}",
                [one.get(key) if isinstance(one, Mapping) else None for one in values],
            )
    elif not all(field.same(one, field.fresh_default()) for one in values):
        yield field.name, values


def _chips(result: Any) -> Html | None:
    found = islice(_tables.regions.region_rows(result, None), _CHIPS + 1)
    rows = [attrs.evolve(row, problem=None) for row in found]  # it has no config to be held to
    if not rows:
        return None
    colours = _display.chips.Colours(None)
    more = "…" if len(rows) > _CHIPS else None
    return joined([*(_display.chips.chip(row, colours) for row in rows[:_CHIPS]), more])


_CHIPS: Final = 8
