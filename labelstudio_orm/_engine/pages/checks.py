"""What a listing must hold to, whatever the server or a proxy before it gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...errors import LabelStudioError, shorten
from ..fields.options import options_of
from ..http.addresses import names_in
from ..values.codec import Row
from ..values.ids import as_id
from .select import Select

_WHY = "does something before it drop the query, or does the server not know it?"

BIGGEST = 1 << 63
"""What every id is below."""

_FEW = 4
"""How often rows may be repeated."""


def listing_error(select: Select, what: str) -> LabelStudioError:
    """Return the error for a listing that cannot be what was asked for."""
    return LabelStudioError(f"{select.doing}: {what}; {_WHY}")


def checked_rows(rows: Any, select: Select) -> list[Row]:
    """Return the rows of an answer, each once, in the order in which they came.

    Raises LabelStudioError for anything but a list of objects, for invalid ids, for two different
    rows with one id, and for rows of another project, task ... than the listing is of.
    """
    if not isinstance(rows, list):
        raise listing_error(select, f"the rows are not a list: {_shown(rows)}")
    options = select.options
    key = options.key_wire
    kind = str if key and options.fields[options.key].annotation is str else int
    for row in rows:
        if not isinstance(row, dict):
            raise listing_error(select, f"a row is not an object: {_shown(row)}")
    unique = _unique(rows, key, kind, select) if key else rows
    if len(rows) > _FEW and _FEW * len(unique) < len(rows):
        raise listing_error(select, f"the {len(rows)} rows are {len(unique)}, again and again")
    _check_scope(unique, select)
    return unique


def _unique(rows: list[Row], key: str, kind: type, select: Select) -> list[Row]:
    """Return each row once. Raises LabelStudioError for invalid ids, and two rows of one."""
    ids: list[Any] = [row.get(key) for row in rows]
    are_numbers = kind is int and set(map(type, ids)) == {int}
    if are_numbers and 0 < min(ids) <= max(ids) < BIGGEST and len(set(ids)) == len(ids):
        return rows  # as nearly always, and each listing passes here
    found: dict[Any, Row] = {}
    for row, id in zip(rows, ids, strict=True):
        if not _is_key(id, kind):
            id = as_key(id)
            if not _is_key(id, kind):
                raise listing_error(select, f"the {key!r} of a row is {_shown(row.get(key))}")
        if found.setdefault(id, row) is not row and found[id] != row:
            raise listing_error(select, f"two different rows have the {key} {_shown(id)}")
    return list(found.values())


def _is_key(value: Any, kind: type) -> bool:
    if kind is str:
        return isinstance(value, str)
    return type(value) is int and 0 < value < BIGGEST


def _check_scope(rows: Sequence[Row], select: Select) -> None:
    options = select.options
    for name, id in select.scope_ids.items():
        relation = options.relations.get(name)
        if relation is None:
            continue
        wire = options.fields[relation.id_name].wire
        edition = options.edition or options_of(relation.target).edition
        is_told = not edition or name in names_in(options.collection)
        for row in [row for row in rows if row.get(wire) != id]:
            said = row.get(wire)
            if said is None and not is_told:
                one = f"{options.name} {_shown(as_key(row.get(options.key_wire)))}"
                raise listing_error(select, f"the server gave {one} without its {name}")
            if said is not None and not _is_about(said, id):
                one = f"{options.name} {_shown(as_key(row.get(options.key_wire)))}"
                raise listing_error(
                    select, f"the server gave {one}, of {name} {_shown(as_id(said))}"
                )


def _is_about(said: Any, id: Any) -> bool:
    every = said if isinstance(said, list) else [said]
    return any(as_id(one) == id or str(as_id(one)) == str(id) for one in every)


def in_order(rows: Iterable[Row], backwards: bool) -> bool:
    """Return whether tasks come by id, each once."""
    ids = [row["id"] for row in rows]
    return ids == sorted(ids, reverse=backwards)


def as_key(value: Any) -> Any:
    """Return what rows are ordered by: an id, or the id of an object."""
    return value.get("id") if isinstance(value, dict) else value


def _shown(value: object) -> str:
    return shorten(repr(value), 80)
