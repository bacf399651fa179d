"""Tasks, page by page, each from where the last one ended, by one reader or by several workers.

A ``_Reading`` is one loop. Its work is a line of stretches of ids (or of lists of ids), of which
``parallel.results`` takes pieces: a page each.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from urllib.parse import urlencode

import attrs

from .columns import Item, line
from .errors import LabelStudioError, NotFound
from .pages import FIRST_PAGE, IDS, PAGE, TRIES, Page, Row, Select, chunked, id_of
from .parallel import results
from .plan import Plan
from .query import Leaf, Node, parts_of

if TYPE_CHECKING:
    from .client import LabelStudio
    from .ordering import Key

LEAST = 10
"""Rows that a slow server is asked for at least."""

PATIENCE = 4.0
"""Seconds that a page of tasks should take: as many rows are asked for as came in that time."""

HEAVY = 8_000_000
"""Bytes that a page of tasks should have at most, judging by the rows of the page before."""

FILL = 0.8
"""How full a page of a range of ids should be, so that it mostly holds all of them."""

BODY_LIMIT = 3500
"""Bytes of an address above which its query travels in the body of the GET: gunicorn refuses a line
of 4,094.
"""


class Keyset:
    """Tasks by id, each page from where the last one ended (``id > last``).

    So saving, deleting or adding tasks while looping skips and repeats none that exists
    throughout. A page's ``total`` counts what is left; it ends the listing, since a server may cap
    the page size silently. Several workers read ranges of ids, each of them in this way.
    """

    filters_tasks = True
    scoped_by: tuple[str, ...] = ("project",)

    def pages(self, select: Select) -> Iterator[Page]:
        """Pages of growing size. Raises ValueError without a project and a view."""
        if "view" in select.scope:
            yield from self._of_view(select)
            return
        if "project" not in select.scope:
            raise ValueError(
                "tasks are listed in a project or a view: project.tasks, view.tasks, or "
                "ls.tasks.filter(project=...); ls.tasks.get(id) reads one"
            )
        yield from _Reading(select).pages()

    def count(self, select: Select) -> int | None:
        """The ``total`` of a page of one; of a view, its ids."""
        if "view" in select.scope:
            return len(self._ids_of_view(select))  # the total counts some tasks several times
        totals: list[int] = [_ask(part, 1)["total"] for part in _parts(_lightest(select))]
        return sum(totals)

    def top(self, select: Select, key: Key, rows: int) -> Page | None:
        """The first ``rows`` tasks in the server's own order by a column: nulls last, ties in any
        order; fewer if there are no more. One request. None where the server gives less than it was
        asked for, or a task twice.
        """
        answer = _ask(select, rows, order=key.on_server)
        found = {row["id"]: row for row in answer["tasks"]}
        if len(found) < min(rows, answer["total"]):
            return None
        return Page(
            list(found.values()), _uncomputed(select), select.relations, select.fields is None
        )

    def cuts(self, select: Select, parts: int) -> list[int]:
        """Rising ids at which the listing falls into ``parts`` of about as many rows. As many
        requests, for one row each; none where the ids are known.
        """
        select = attrs.evolve(_lightest(select), backwards=False)
        _, known = _ids_asked_for(select.plan)
        total = len(known) if known else _ask(select, 1)["total"]
        found, last = [], 0
        for part in range(1, parts):
            rank = part * total // parts
            if known and rank:
                last = known[rank - 1]
            elif rank:
                last = max(last, _id_at(select, rank) or 0)
            found.append(last)
        return found

    def by_ids(self, select: Select, ids: list[int]) -> Iterator[Page]:
        """The rows of these ids, in their order; those that are gone by now are left out."""
        if not ids:
            return iter(())
        return results([_Chosen(self._without_view(select), ids)], select.workers)

    def _of_view(self, select: Select) -> Iterator[Page]:
        """The tasks of a saved view, in its order. The server drops a query beside a view, so there
        is no keyset: the ids are listed first.
        """
        ids = self._ids_of_view(select)
        if select.by_id:
            ids.sort(reverse=select.backwards)
        stop = None if select.limit is None else select.start + select.limit
        yield from self.by_ids(select, ids[select.start : stop])

    def _without_view(self, select: Select) -> Select:
        """In the whole project: beside a view the server drops what else it is asked for."""
        scope = {name: value for name, value in select.scope.items() if name != "view"}
        if "project" not in scope:
            path = f"/api/dm/views/{id_of(select.scope['view'])}/"
            scope["project"] = select.ask(path, expect=("project",))["project"]
        return attrs.evolve(select, scope=scope)

    def _ids_of_view(self, select: Select) -> list[int]:
        before: list[int] = []
        for _ in range(TRIES):
            ids: list[int] = []
            total, number = None, 1
            while total is None or len(ids) < total:
                try:
                    answer = self._view_page(select, number, PAGE)
                except NotFound:  # "Invalid page.": there are fewer tasks by now
                    break
                total = answer["total"] if total is None else total
                if answer["total"] != total or not answer["tasks"]:
                    break
                ids.extend(row["id"] for row in answer["tasks"])
                number += 1
            distinct = list(dict.fromkeys(ids))
            # Some filters give a task several times; twice the same is then no coincidence.
            if len(ids) == total and (len(distinct) == total or ids == before):
                return distinct
            before = ids
        raise LabelStudioError(f"{select.doing}: the view changed during each of {TRIES} readings")

    def _view_page(self, select: Select, number: int, size: int) -> Any:
        params = {
            **select.scope_ids,
            "page": number,
            "page_size": size,
            "include": "id",
            "resolve_uri": "false",
        }
        return select.ask("/api/tasks/", params=params, expect=("tasks", "total"))


class _Pace:
    """How many rows to ask for: as many as come in PATIENCE seconds and are no more than HEAVY,
    judging by the answers so far. What all workers of one reading share.
    """

    def __init__(self, client: LabelStudio, first: int) -> None:
        self._fixed = client.page_size
        self.size = self._fixed or first
        self._by_time = self.size

    def saw(self, asked: int, rows: int, seconds: float, weight: int) -> None:
        """Learn from an answer with ``weight`` bytes."""
        if self._fixed:
            return
        if asked >= LEAST and 2 * rows >= asked:  # few rows say more of the request than of rows
            self._by_time = max(LEAST, int(asked / max(seconds, 0.001) * PATIENCE))
        by_weight = max(1, HEAVY * rows // weight) if rows and weight else PAGE
        self.size = min(PAGE, self._by_time, by_weight)


class _Reading:
    """One reading of tasks by id, from its first page to its last."""

    def __init__(self, select: Select, pace: _Pace | None = None) -> None:
        self.select = select
        self._uncomputed = _uncomputed(select)
        parts = _parts(select)
        jumps = len(parts) == 1 and _jumps(select)
        self._skip = 0 if jumps else select.start
        self.left = None if select.limit is None else select.limit + self._skip
        _, known = _ids_asked_for(select.plan)
        first = len(known) if known else FIRST_PAGE if self.left is None else self.left
        self.pace = pace or _Pace(select.client, min(first, IDS))
        self._line: list[_Far | _Stretch] = (
            [_Far(self)] if jumps else [_Stretch(self, part, *_bounds(part)) for part in parts]
        )
        self.cut_at: int | None = None

    @property
    def size(self) -> int:
        """How many rows to ask for now."""
        return self.pace.size if self.left is None else min(self.pace.size, self.left)

    def pages(self) -> Iterator[Page]:
        """The pages, in order."""
        if self.select.limit == 0:
            return
        line = self._line
        while line:
            stream = results(line, self.select.workers)
            for page in stream:
                page = self._cut(page)
                if self.left == 0:
                    stream.close()  # nothing is read ahead while the last page is in use
                if page.rows:
                    yield page
                if self.left == 0:
                    return
            # Where an end was found for as many rows as are wanted, some may have gone since.
            line = [] if self.cut_at is None else [_Stretch(self, self.select, self.cut_at)]
            self.cut_at = None

    def _cut(self, page: Page) -> Page:
        rows = page.rows[: self.left]
        if self.left is not None:
            self.left -= len(rows)
        skipped, self._skip = self._skip, max(0, self._skip - len(rows))
        return attrs.evolve(page, rows=rows[skipped:])

    def page(
        self, select: Select, after: int | None, until: int | None, size: int, number: int = 1
    ) -> tuple[Page, int]:
        """A page of the tasks with an id behind ``after`` and up to ``until``, and how many of them
        there are.
        """
        for _ in range(TRIES):
            weights: list[int] = []
            asked = time.monotonic()
            answer = _ask(
                select, size, _between(select, after, until), number, received=weights.append
            )
            rows, total = cast("list[Row]", answer["tasks"]), cast(int, answer["total"])
            self.pace.saw(size, len(rows), time.monotonic() - asked, sum(weights))
            if rows or not total:
                break  # else all of them were deleted after they had been counted
        else:
            raise LabelStudioError(
                f"{select.doing}: {total} are left, the server says, and gives none"
            )
        for row in (*rows[:1], *rows[-1:]):
            if not _fits(row["id"], select, after, until):
                upto = "" if until is None else f" up to id {until}"
                raise LabelStudioError(
                    f"{select.doing}: asked for what comes after id {after}{upto}, the server gave "
                    f"{row['id']}; does something before it drop the query?"
                )
        whole = select.fields is None
        return Page(rows, self._uncomputed, select.relations, whole), total

    def end_of(self, select: Select, after: int | None, rows: int) -> int | None:
        """The id of the last task behind ``after``, or of the last one that is wanted; None when
        there is none any more. One request.
        """
        light = _lightest(select)
        if self.left is not None and self.left < rows and len(self._line) == 1:
            self.cut_at = _id_at(light, self.left, _between(select, after, None))
            if self.cut_at is not None:
                return self.cut_at
        backwards = attrs.evolve(light, backwards=not select.backwards)
        found = _ask(backwards, 1, _between(select, after, None))["tasks"]
        return cast(int, found[0]["id"]) if found else None


_Piece: TypeAlias = "Callable[[], tuple[Page | None, _Stretch | None]]"


class _Far:
    """The tasks from the place on at which a slice begins, which the server counts."""

    def __init__(self, reading: _Reading) -> None:
        self._reading = reading

    def take(self) -> tuple[_Piece, None]:
        return self._piece, None

    def _piece(self) -> tuple[Page | None, _Stretch | None]:
        reading, start = self._reading, self._reading.select.start
        page, total, wanted = Page([]), start + 1, 1
        if _is_a_page(reading.select) and reading.left == reading.size:
            wanted = reading.size
            page, total = self._page(wanted, start // wanted + 1)
        if len(page.rows) < min(wanted, total - start):  # it is none, or the server caps its size
            page, total = self._page(1, start + 1)
        left = total - start - len(page.rows)
        if left <= 0 or not page.rows:
            return page, None
        last = page.rows[-1]["id"]
        return page, _Stretch(reading, reading.select, last, rows=left)

    def _page(self, size: int, number: int) -> tuple[Page, int]:
        reading = self._reading
        try:
            return reading.page(reading.select, None, None, size, number)
        except NotFound as error:
            if not _is_past_the_end(error):
                raise
            return Page([]), reading.select.start


class _Stretch:
    """The tasks with an id behind ``after`` and up to ``until`` (None: without an end there).

    ``rows``: how many there are, as far as is known; ``share``: tasks for each id just before it;
    ``most``: rows that a piece should have at most.

    One worker reads a stretch page by page. Several cut ranges of ids off its front which should
    hold a page each, judging by the ranges before: a gap is crossed in ranges four times as wide
    each time. A range that holds more than a page leaves a stretch behind itself, so one that is
    too wide costs nothing.
    """

    def __init__(
        self,
        reading: _Reading,
        select: Select,
        after: int | None = None,
        until: int | None = None,
        rows: float | None = None,
        share: float = 0.0,
        most: int = sys.maxsize,
    ) -> None:
        self._reading, self._select = reading, select
        self._after, self._until = after, until
        self._rows, self._share, self._most = rows, share, most
        self._lock = Lock()

    def take(self) -> tuple[_Piece, _Stretch | None]:
        reading, workers = self._reading, self._select.workers
        size = min(reading.size, self._most)
        with self._lock:
            after, until, rows = self._after, self._until, self._rows
            whole = partial(self._piece, after, until, size), None
            if workers == 1 or rows is None or rows <= size or after is None:
                return whole
            if until is None:
                return whole if rows <= 2 * size else (self._find_end, None)
            ids = abs(until - after)
            share = self._share or rows / ids
            width = max(size, int(FILL * size / share))
            if width >= ids:
                return whole
            self._after = after + (-width if self._select.backwards else width)
            self._rows = rows - width * share
            return partial(self._piece, after, self._after, size, share), self

    def _find_end(self) -> tuple[None, _Stretch | None]:
        rows = int(self._rows or 0)
        end = self._reading.end_of(self._select, self._after, rows)
        if end is None:
            return None, None
        if end == self._reading.cut_at:
            rows = self._reading.left or rows
        # All of them shall have something to do, unless the size of a page was given.
        fixed = self._select.client.page_size
        most = fixed or max(FIRST_PAGE, -(-rows // self._select.workers))
        return None, _Stretch(
            self._reading, self._select, self._after, end, rows, self._share, most
        )

    def _piece(
        self, after: int | None, until: int | None, size: int, share: float = 0.0
    ) -> tuple[Page | None, _Stretch | None]:
        page, total = self._reading.page(self._select, after, until, size)
        if share and after is not None and until is not None:  # it was cut off by that share
            width = abs(until - after)
            with self._lock:
                self._rows = (self._rows or 0) + width * share - total
                self._share = max(total / width, share / 4)
        rows = page.rows
        if not rows:
            return None, None
        if len(rows) >= total:
            return page, None
        last = rows[-1]["id"]
        share = len(rows) / (abs(last - rows[0]["id"]) + 1)
        left = _Stretch(self._reading, self._select, last, until, total - len(rows), share)
        return page, left


class _Chosen:
    """The tasks of a list of ids, in its order."""

    def __init__(
        self, select: Select, ids: list[int], place: int = 0, pace: _Pace | None = None
    ) -> None:
        self._select, self._ids, self._place = select, ids, place
        self._pace = pace or _Pace(select.client, FIRST_PAGE)

    def take(self) -> tuple[Callable[[], tuple[Page | None, None]], _Chosen | None]:
        stop = self._place + min(IDS, self._pace.size)
        piece = partial(self._piece, self._ids[self._place : stop])
        more = stop < len(self._ids)
        return piece, _Chosen(self._select, self._ids, stop, self._pace) if more else None

    def _piece(self, ids: list[int]) -> tuple[Page | None, None]:
        select = attrs.evolve(
            self._select,
            plan=Plan(clauses=((_among(ids),),)),
            start=0,
            limit=len(ids),
            backwards=False,
            workers=1,
        )
        found = list(_Reading(select, self._pace).pages())
        rows = {row["id"]: row for page in found for row in page.rows}
        if not rows:
            return None, None
        return attrs.evolve(found[0], rows=[rows[id] for id in ids if id in rows]), None


def _ask(
    select: Select,
    size: int,
    ids: Item | None = None,
    number: int = 1,
    order: str | None = None,
    **options: Any,
) -> Any:
    """One page of tasks; ``ids`` is one more condition, ``order`` another one than by id."""
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
    if select.fields is not None:
        params["include"] = ",".join(_included(select))
    text = json.dumps(query, separators=(",", ":"))
    address, body = _encoded({**params, "query": text}), None
    if len(address) > BODY_LIMIT:
        # The project goes with it, so that a proxy that strips the body causes an error.
        body = {**query, **{name: params.pop(name) for name in select.scope_ids}}
        address = _encoded(params)
    return select.ask(
        "/api/tasks/",
        params=address,
        json=body,
        expect=("tasks", "total"),
        **options,
    )


def _encoded(params: dict[str, Any]) -> str:
    return urlencode(params, safe=",:[]")


def _uncomputed(select: Select) -> frozenset[str]:
    """The fields that a listing leaves empty."""
    return frozenset() if _is_full(select) else select.model._options.computed - select.wanted


def _is_full(select: Select) -> bool:
    """Does only the full form of a listing have what is asked for?"""
    return bool(select.relations) or "drafts" in select.wanted


def _lightest(select: Select) -> Select:
    """Of the same rows the ids alone."""
    return attrs.evolve(
        select, fields=frozenset({"id"}), wanted=frozenset(), relations=frozenset(), limit=None
    )


def _id_at(select: Select, rank: int, ids: Item | None = None) -> int | None:
    """The id of the task at this place, counted from 1; None past the end. One request."""
    try:
        found = _ask(select, 1, ids, rank)["tasks"]
    except NotFound as error:
        if not _is_past_the_end(error):
            raise
        return None
    return found[0]["id"] if found else None


def _is_past_the_end(error: NotFound) -> bool:
    return "invalid page" in str(error.detail).lower()


def _among(ids: list[int]) -> Item:
    return line("id", "in_list", "Number", ids)


def _ids_asked_for(plan: Plan) -> tuple[int, list[int]]:
    """The ids that a query names, rising, and where it does; none where it does not."""
    for place, item in enumerate(plan.clauses[0] if len(plan.clauses) == 1 else ()):
        if item["filter"] == "filter:tasks:id" and item["operator"] == "in_list":
            return place, sorted(set(item["value"]))
    return 0, []


def _parts(select: Select) -> list[Select]:
    """The same query in pieces of so many ids that each of them fits into an address, in order."""
    place, ids = _ids_asked_for(select.plan)
    if len(ids) <= IDS:
        return [select]
    if select.backwards:
        ids.reverse()
    items = select.plan.clauses[0]
    before, after = items[:place], items[place + 1 :]
    return [
        attrs.evolve(
            select,
            plan=attrs.evolve(select.plan, clauses=((*before, _among(chunk), *after),)),
        )
        for chunk in chunked(ids, IDS)
    ]


def _is_a_page(select: Select) -> bool:
    """Is a slice one of the pages that a server counts: ``[40:60]``?"""
    return bool(select.limit) and select.start % (select.limit or 1) == 0


def _jumps(select: Select) -> bool:
    """Is it worth while to ask for the place where a slice begins, or are the rows before it just
    read along?
    """
    return select.start >= FIRST_PAGE or (select.start > 0 and _is_a_page(select))


def _bounds(select: Select) -> tuple[int | None, int | None]:
    """Behind which id and up to which one (None: without an end there) all tasks are that can fit.

    For disjunctions, whose lines have no room for it; other filters say it themselves.
    """
    if len(select.plan.clauses) == 1 or select.plan.here is None:
        return None, None
    low, high = _ids_in(select.plan.here)
    if select.backwards:
        return None if high is None else high + 1, low
    return None if low is None else low - 1, high


def _ids_in(node: Node) -> tuple[int | None, int | None]:
    """The lowest and the highest id that a conjunction leaves possible, as far as it says so."""
    lows, highs = [], []
    for part in parts_of(node):
        if not isinstance(part, Leaf) or (part.field.name, part.relation) != ("id", None):
            continue
        if isinstance(part.value, int):
            more = {"gt": 1, "gte": 0, "exact": 0}.get(part.lookup)
            less = {"lt": 1, "lte": 0, "exact": 0}.get(part.lookup)
            lows += [] if more is None else [part.value + more]
            highs += [] if less is None else [part.value - less]
    return max(lows, default=None), min(highs, default=None)


def _between(select: Select, after: int | None, until: int | None) -> Item | None:
    """The condition that an id is behind ``after`` and not beyond ``until``."""
    if after is None and until is None:
        return None
    if until is None:
        return line("id", "less" if select.backwards else "greater", "Number", after)
    if after is None:
        operator = "greater_or_equal" if select.backwards else "less_or_equal"
        return line("id", operator, "Number", until)
    low, high = (until, after - 1) if select.backwards else (after + 1, until)
    return line("id", "in", "Number", {"min": low, "max": high})


def _fits(id: int, select: Select, after: int | None, until: int | None) -> bool:
    sign = -1 if select.backwards else 1
    return (after is None or sign * id > sign * after) and (
        until is None or sign * id <= sign * until
    )


def _all_columns_but(select: Select) -> dict[str, list[str]]:
    """``hiddenColumns`` makes the server compute the columns of a light listing, except those it
    names.
    """
    hidden = [f"tasks:{name}" for name in sorted(select.model._options.computed - select.wanted)]
    return {"explore": hidden, "labeling": hidden}


def _included(select: Select) -> list[str]:
    """``include`` trims embedded rows by the same names, so theirs have to be in it."""
    names = set(select.wires) | select.relations
    for relation in select.relations:
        fields = select.model._options.sets[relation].target._options.fields
        names |= {fields[name].wire for name in select.related_fields or fields}
    return sorted(names)


TASKS = Keyset()
