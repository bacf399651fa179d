"""One page of tasks: the request for it, and what such a request can ask for."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import attrs

from ...errors import NotFound, ServerError
from ..fields.options import options_of
from ..http.page_sizes import IDS
from ..plans.columns import Item, between_ends, line
from ..plans.plan import Plan
from ..values.codec import Row
from .checks import checked_rows, listing_error
from .select import Select
from .sources import TRIES, chunked

BODY_LIMIT = 3500
"""Bytes of an address above which its query travels in the body of the GET: gunicorn refuses a line
of 4,094.
"""


PATH = "/api/tasks/"
ANSWER = {"tasks": [dict], "total": int}
"""What a page of tasks is."""

DRAFTS = frozenset({"drafts"})
"""The computed fields of a full listing that take the server a query for each task."""

EXPANDABLE = frozenset({"annotations"})
"""The related rows for which the server makes one serializer a page if they are expanded.

Otherwise it makes one for each task, which is most of what a task with annotations takes it.
"""

TEXTS = frozenset({
    "annotations_ids", "annotations_results", "predictions_model_versions", "predictions_results",
})  # fmt: skip
"""What a full listing says of annotations and predictions in texts, cut and without quotes."""


def ask(
    select: Select,
    size: int,
    ids: Item | None = None,
    number: int = 1,
    order: str | None = None,
    tries: int = TRIES,
    received: Callable[[int], object] | None = None,
    most: int | None = None,
) -> Any:
    """Return one page of tasks.

    ``ids`` is a further condition, ``order`` another order than by id, and ``received`` is called
    with the size of the answer, of which ``most`` bytes are read. Repeated where a task was deleted
    while the server made the page.
    """
    query: dict[str, Any] = {
        "ordering": [order or ("-tasks:id" if select.backwards else "tasks:id")]
    }
    filters = select.plan.filters(ids)
    if filters:
        query["filters"] = filters
    full = _is_full(select)
    if select.wanted and not full:
        query["hiddenColumns"] = _all_columns_but(select)
    params: dict[str, Any] = {**select.scope_ids, "page_size": size, "resolve_uri": "false"}
    if number > 1:
        params["page"] = number
    if full:
        params["fields"] = "all"
    if expanded := sorted(EXPANDABLE & select.relations):
        params["expand"] = ",".join(expanded)
    if select.fields is not None:
        params["include"] = ",".join(_included(select))
    else:
        params["omit"] = ",".join(_omitted(select))
    text = json.dumps(query, separators=(",", ":"))
    # In an address, but not in a body, the server decodes the text once more than it was encoded.
    address, body = _encoded({**params, "query": text.replace("%", "%25")}), None
    if len(address) > BODY_LIMIT:
        # The project goes with it, so that a proxy that strips the body causes an error.
        body = {**query, **{name: params.pop(name) for name in select.scope_ids}}
        address = _encoded(params)
    try:
        answer = select.query.client.request(
            "GET", PATH, params=address, json=body, doing=select.doing, expect=ANSWER,
            received=received, max_answer=most,
        )  # fmt: skip
    except ServerError as error:
        if tries == 1 or not lost_a_task(error):
            raise
        return ask(select, size, ids, number, order, tries - 1, received, most)
    rows = answer["tasks"] = checked_rows(answer["tasks"], select)
    _check_asked(rows, select, ids)
    return answer


def _check_asked(rows: list[Row], select: Select, more: Item | None) -> None:
    """Raise LabelStudioError for a task that was not asked for by its id."""
    for items in ({*ids_asked_for(select.plan)[1]}, {*_listed(more)}):
        stray = next((row["id"] for row in rows if row["id"] not in items), None) if items else None
        if stray is not None:
            raise listing_error(select, f"the server gave Task {stray}, whose id was not asked for")


def _listed(item: Item | None) -> Sequence[int]:
    return item["value"] if item and item["operator"] == "in_list" else ()


def lost_a_task(error: ServerError) -> bool:
    """Return whether a task was deleted while the server made a page of tasks.

    The server answers that with error 500 and just the id.
    """
    return error.status == 500 and error.detail.isdecimal()


def _encoded(params: dict[str, Any]) -> str:
    return urlencode(params, safe=",:[]")


def uncomputed(select: Select) -> frozenset[str]:
    """Return the fields that a listing leaves empty."""
    computed = DRAFTS if _is_full(select) else select.options.computed
    return computed - select.wanted


def _is_full(select: Select) -> bool:
    """Return whether only the full form of a listing has what is asked for."""
    return bool(select.relations | (DRAFTS & select.wanted))


def lightest(select: Select) -> Select:
    """Of the same rows the ids alone."""
    return attrs.evolve(
        select, fields=frozenset({"id"}), wanted=frozenset(), relations=frozenset(), limit=None
    )


def id_at(select: Select, rank: int, ids: Item | None = None) -> int | None:
    """Return the id of the task at a place, counted from 1; None past the end. One request."""
    try:
        found = ask(select, 1, ids, rank)["tasks"]
    except NotFound as error:
        if not is_past_the_end(error):
            raise
        return None
    return found[0]["id"] if found else None


def is_past_the_end(error: NotFound) -> bool:
    """Return whether a page was asked for that does not exist."""
    return "invalid page" in str(error.detail).lower()


def among(ids: list[int]) -> Item:
    """Return the condition that an id is one of these."""
    return line("id", "in_list", "Number", ids)


def ids_asked_for(plan: Plan) -> tuple[int, list[int]]:
    """Return the place of a condition that names ids, and these, ascending; no ids if none does."""
    for place, item in enumerate(plan.clauses[0] if len(plan.clauses) == 1 else ()):
        if item["filter"] == "filter:tasks:id" and item["operator"] == "in_list":
            return place, sorted(set(item["value"]))
    return 0, []


def in_pieces(select: Select) -> list[Select]:
    """Return the same query in pieces, in order, each with as few ids as an address holds."""
    place, ids = ids_asked_for(select.plan)
    if len(ids) <= IDS:
        return [select]
    if select.backwards:
        ids.reverse()
    return [_instead(select, place, among(chunk)) for chunk in chunked(ids, IDS)]


def spread(select: Select) -> Select:
    """Return the same query with all ids from the lowest to the highest that it names."""
    place, ids = ids_asked_for(select.plan)
    return _instead(select, place, between_ends(among(ids)))


def with_ids(select: Select, ids: list[int]) -> Select:
    """Return the same query with these ids instead of those that it names."""
    return _instead(select, ids_asked_for(select.plan)[0], among(ids))


def _instead(select: Select, place: int, item: Item) -> Select:
    items = select.plan.clauses[0]
    clause = (*items[:place], item, *items[place + 1 :])
    return attrs.evolve(select, plan=attrs.evolve(select.plan, clauses=(clause,)))


def between(select: Select, after: int | None, until: int | None) -> Item | None:
    """Return the condition that an id is behind ``after`` and not beyond ``until``."""
    if after is None and until is None:
        return None
    if until is None:
        return line("id", "less" if select.backwards else "greater", "Number", after)
    if after is None:
        operator = "greater_or_equal" if select.backwards else "less_or_equal"
        return line("id", operator, "Number", until)
    low, high = (until, after - 1) if select.backwards else (after + 1, until)
    return line("id", "in", "Number", {"min": low, "max": high})


def is_between(id: int, select: Select, after: int | None, until: int | None) -> bool:
    """Return whether an id is behind ``after`` and not beyond ``until``."""
    sign = -1 if select.backwards else 1
    return (after is None or sign * id > sign * after) and (
        until is None or sign * id <= sign * until
    )


def _all_columns_but(select: Select) -> dict[str, list[str]]:
    """Return the ``hiddenColumns`` that are not wanted.

    The parameter makes the server compute the columns of a light listing, except those it names.
    """
    hidden = [f"tasks:{name}" for name in sorted(select.options.computed - select.wanted)]
    return {"explore": hidden, "labeling": hidden}


def _omitted(select: Select) -> list[str]:
    """Return what the server would make of every task for nothing.

    It makes the predictions even of a listing that does not show them.
    """
    names = {*select.options.inside} - select.relations
    return sorted(names | TEXTS | (DRAFTS - select.wanted) if _is_full(select) else names)


def _included(select: Select) -> list[str]:
    """``include`` trims expanded rows by ``annotations.id``; those that are not, by plain names."""
    names = set(select.wires) | select.relations
    for relation in select.relations:
        fields = options_of(select.options.sets[relation].target).fields
        inside = {fields[name].wire for name in select.related_fields.get(relation) or fields}
        names |= inside
        if relation in EXPANDABLE:
            names |= {f"{relation}.{name}" for name in {"id", *inside}}
    return sorted(names)
