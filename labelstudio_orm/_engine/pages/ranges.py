"""Tasks by id, in pieces which several workers can read at once.

A ``TaskListing`` is one loop. Its work is a queue of ranges of ids (or of lists of ids), of which
``parallel.results`` takes pieces: a page each.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias, cast

import attrs

from ...errors import NotFound
from ..conditions.tree import Leaf, Node, parts_of
from ..http.outcome import AnswerTooLarge
from ..http.page_sizes import FIRST_PAGE, IDS, PAGE
from ..plans.plan import Plan
from ..values.codec import Row
from .checks import in_order, listing_error
from .parallel import results
from .select import Page, Select
from .sources import TRIES
from .task_page import (
    among,
    ask,
    between,
    id_at,
    ids_asked_for,
    in_pieces,
    is_between,
    is_past_the_end,
    lightest,
    uncomputed,
)

if TYPE_CHECKING:
    from ..http.connection import Connection

LEAST = 10
"""Rows that a slow server is asked for at least."""

PAGE_SECONDS = 4.0
"""Seconds that a page of tasks should take: as many rows are asked for as came in that time."""

PAGE_BYTES = 8_000_000
"""Bytes that a page of tasks should have at most, judging by the rows of the page before."""

MOST_BYTES = 4 * PAGE_BYTES
"""Bytes of a page above which fewer rows are asked for instead."""

FEWER = 10
"""How many times fewer."""

FILL = 0.8
"""How full a page of a range of ids should be, so that it mostly holds all of them."""


class PageSizer:
    """How many rows to ask for; all workers of one reading share it.

    As many as come in ``PAGE_SECONDS`` and are no more than ``PAGE_BYTES``, judging by the answers
    so far.
    """

    def __init__(self, client: Connection, first: int) -> None:
        self._fixed = client.page_size
        self.size = self._fixed or first
        self._by_time = self.size

    def saw(self, asked: int, rows: int, seconds: float, weight: int) -> None:
        """Learn from an answer with ``weight`` bytes."""
        if self._fixed:
            return
        if asked >= LEAST and 2 * rows >= asked:  # few rows say more of the request than of rows
            self._by_time = max(LEAST, int(asked / max(seconds, 0.001) * PAGE_SECONDS))
        by_weight = max(1, PAGE_BYTES * rows // weight) if rows and weight else PAGE
        self.size = min(PAGE, self._by_time, by_weight)


class TaskListing:
    """One reading of tasks by id, from its first page, or behind an id, to its last."""

    def __init__(
        self, select: Select, sizer: PageSizer | None = None, after: int | None = None
    ) -> None:
        self.select, self._after = select, after
        self._uncomputed = uncomputed(select)
        parts = in_pieces(select)
        jumps = len(parts) == 1 and _jumps(select)
        self._skip = 0 if jumps else select.start
        self.left = None if select.limit is None else select.limit + self._skip
        _, known = ids_asked_for(select.plan)
        first = len(known) if known else FIRST_PAGE if self.left is None else self.left
        self.sizer = sizer or PageSizer(select.query.client, min(first, IDS))
        first_of = partial(IdRange, self, is_first=True)
        self._line: list[Offset | IdRange] = (
            [Offset(self)] if jumps else [first_of(part, *_bounds(part, after)) for part in parts]
        )
        self.cut_at: int | None = None
        self.promised = 0
        self._taken, self._last = 0, 0
        self._doubt = 0  # up to how many rows the count was asked for again

    @property
    def size(self) -> int:
        """How many rows to ask for now."""
        return self.sizer.size if self.left is None else min(self.sizer.size, self.left)

    def pages(self) -> Iterator[Page]:
        """Yield the pages, in order."""
        if self.select.limit == 0:
            return
        line = self._line
        while line:
            stream = results(line, self.select.workers)
            for page in stream:
                self._check_length(page)
                page = self._cut(page)
                if self.left == 0:
                    stream.close()  # nothing is read ahead while the last page is in use
                if page.rows:
                    yield page
                if self.left == 0:
                    return
            # Where an end was found for as many rows as are wanted, some may have gone since.
            line = [] if self.cut_at is None else [IdRange(self, self.select, self.cut_at)]
            self.cut_at = None
        self._check_end()

    def _check_length(self, page: Page) -> None:
        """Take note of what came, so that a listing without an end is found to be one."""
        if not page.rows:
            return
        self._taken += len(page.rows)
        self._last = page.rows[-1]["id"]
        if self._taken > max(self._doubt, 2 * self.promised + PAGE):
            there = self._count()
            if 2 * there < self._taken:
                raise listing_error(
                    self.select, f"{self._taken} tasks came, of {there} that are counted"
                )
            self._doubt = 2 * self._taken

    def _check_end(self) -> None:
        """Hold the tasks that came against those that were counted.

        Fewer may have come, where some were deleted or ceased to match after the count; then
        what is still counted shows whether others were left out. With a filter tasks may also come
        to match after the reading has passed them by, so that only a large difference means that.
        """
        promised = self.promised if self.left is None else min(self.promised, self.left)
        if not self._taken or self._taken >= promised:
            return
        there = self._count()
        if self.select.plan.clauses != Plan().clauses:
            is_short = there >= promised and 10 * self._taken < 9 * promised
        else:
            is_short = there > self._taken
        if is_short:
            raise listing_error(self.select, f"{there} tasks are counted, and {self._taken} came")

    def _count(self) -> int:
        """How many tasks there are up to the last one that came. One request."""
        parts = in_pieces(lightest(self.select))
        until = [between(part, self._after, self._last) for part in parts]
        return sum(ask(part, 1, end)["total"] for part, end in zip(parts, until, strict=True))

    def _cut(self, page: Page) -> Page:
        rows = page.rows[: self.left]
        if self.left is not None:
            self.left -= len(rows)
        skipped, self._skip = self._skip, max(0, self._skip - len(rows))
        return attrs.evolve(page, rows=rows[skipped:])

    def page(
        self, select: Select, after: int | None, until: int | None, size: int, number: int = 1
    ) -> tuple[Page, int]:
        """Return a page of the tasks in a range of ids, and how many tasks are in the range.

        The ids are behind ``after`` and not beyond ``until``.
        """
        most = None if size == 1 or number > 1 or select.query.client.page_size else MOST_BYTES
        for _ in range(TRIES):
            weights: list[int] = []
            asked = time.monotonic()
            where = between(select, after, until)
            try:
                answer = ask(select, size, where, number, received=weights.append, most=most)
            except AnswerTooLarge:
                if most is None:
                    raise
                return self.page(select, after, until, max(1, size // FEWER))
            rows, total = cast("list[Row]", answer["tasks"]), cast(int, answer["total"])
            if len(rows) >= total:
                rows.sort(key=lambda row: row["id"], reverse=select.backwards)  # they all are here
            self.sizer.saw(size, len(rows), time.monotonic() - asked, sum(weights))
            if bool(rows) == bool(total) and len(rows) <= total:
                break  # else tasks were deleted, or added, after they had been counted
        else:
            raise listing_error(select, f"{total} are left, the server says, and gives {len(rows)}")
        for row in (*rows[:1], *rows[-1:]):
            if not is_between(row["id"], select, after, until):
                upto = "" if until is None else f" up to id {until}"
                raise listing_error(
                    select,
                    f"asked for what comes after id {after}{upto}, the server gave {row['id']}",
                )
        if not in_order(rows, select.backwards):
            raise listing_error(select, "the tasks do not come by id, as they were asked for")
        whole = select.fields is None
        return Page(rows, self._uncomputed, select.relations, whole), total

    def end_of(self, select: Select, after: int | None, rows: int) -> int | None:
        """Return the id of the last task behind ``after``, or of the last one that is wanted.

        None when there is none any more. One request.
        """
        light = lightest(select)
        if self.left is not None and self.left < rows and len(self._line) == 1:
            self.cut_at = id_at(light, self.left, between(select, after, None))
            if self.cut_at is not None:
                return self.cut_at
        backwards = attrs.evolve(light, backwards=not select.backwards)
        found = ask(backwards, 1, between(select, after, None))["tasks"]
        return cast(int, found[0]["id"]) if found else None


_Piece: TypeAlias = "Callable[[], tuple[Page | None, IdRange | None]]"


class Offset:
    """The tasks from the place on at which a slice begins, which the server counts."""

    def __init__(self, reading: TaskListing) -> None:
        self._reading = reading

    def take(self) -> tuple[_Piece, None]:
        """Return the next piece of work, and what is left afterwards."""
        return self._piece, None

    def _piece(self) -> tuple[Page | None, IdRange | None]:
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
        return page, IdRange(reading, reading.select, last, rows=left)

    def _page(self, size: int, number: int) -> tuple[Page, int]:
        reading = self._reading
        try:
            return reading.page(reading.select, None, None, size, number)
        except NotFound as error:
            if not is_past_the_end(error):
                raise
            return Page([]), reading.select.start


class IdRange:
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
        reading: TaskListing,
        select: Select,
        after: int | None = None,
        until: int | None = None,
        rows: float | None = None,
        share: float = 0.0,
        most: int = sys.maxsize,
        is_first: bool = False,
    ) -> None:
        self._reading, self._select = reading, select
        self._after, self._until = after, until
        self._rows, self._share, self._most = rows, share, most
        self._lock = Lock()
        self._is_first = is_first

    def take(self) -> tuple[_Piece, IdRange | None]:
        """Return the next piece of work, and what is left afterwards."""
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

    def _find_end(self) -> tuple[None, IdRange | None]:
        rows = int(self._rows or 0)
        end = self._reading.end_of(self._select, self._after, rows)
        if end is None:
            return None, None
        if end == self._reading.cut_at:
            rows = self._reading.left or rows
        # All of them shall have something to do, unless the size of a page was given.
        fixed = self._select.query.client.page_size
        most = fixed or max(FIRST_PAGE, -(-rows // self._select.workers))
        return None, IdRange(self._reading, self._select, self._after, end, rows, self._share, most)

    def _piece(
        self, after: int | None, until: int | None, size: int, share: float = 0.0
    ) -> tuple[Page | None, IdRange | None]:
        page, total = self._reading.page(self._select, after, until, size)
        if self._is_first:
            self._is_first, self._reading.promised = False, self._reading.promised + total
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
        left = IdRange(self._reading, self._select, last, until, total - len(rows), share)
        return page, left


class IdList:
    """The tasks of a list of ids, in its order."""

    def __init__(
        self, select: Select, ids: list[int], place: int = 0, sizer: PageSizer | None = None
    ) -> None:
        self._select, self._ids, self._place = select, ids, place
        self._sizer = sizer or PageSizer(select.query.client, FIRST_PAGE)

    def take(self) -> tuple[Callable[[], tuple[Page | None, None]], IdList | None]:
        """Return the next piece of work, and what is left afterwards."""
        stop = self._place + min(IDS, self._sizer.size)
        piece = partial(self._piece, self._ids[self._place : stop])
        more = stop < len(self._ids)
        return piece, IdList(self._select, self._ids, stop, self._sizer) if more else None

    def _piece(self, ids: list[int]) -> tuple[Page | None, None]:
        select = attrs.evolve(
            self._select,
            plan=Plan(clauses=((among(ids),),)),
            start=0,
            limit=len(ids),
            backwards=False,
            workers=1,
        )
        found = list(TaskListing(select, self._sizer).pages())
        rows = {row["id"]: row for page in found for row in page.rows}
        if not rows:
            return None, None
        return attrs.evolve(found[0], rows=[rows[id] for id in ids if id in rows]), None


def _is_a_page(select: Select) -> bool:
    """Return whether a slice is one of the pages that a server counts: ``[40:60]``."""
    return bool(select.limit) and select.start % (select.limit or 1) == 0


def _jumps(select: Select) -> bool:
    """Return whether to ask for the place where a slice begins.

    Else the rows before it are read along.
    """
    return select.start >= FIRST_PAGE or (select.start > 0 and _is_a_page(select))


def _bounds(select: Select, after: int | None) -> tuple[int | None, int | None]:
    """Return behind which id, and up to which one, all matches are; None for no end there.

    For disjunctions, whose lines have no room for it; other filters say it themselves.
    """
    if len(select.plan.clauses) == 1 or select.plan.here is None:
        return after, None
    low, high = _ids_in(select.plan.here)
    start, end = (high, low) if select.backwards else (low, high)
    if after is not None or start is None:
        return after, end
    return start + (1 if select.backwards else -1), end


def _ids_in(node: Node) -> tuple[int | None, int | None]:
    """Return the lowest and the highest id that a conjunction leaves possible; None for unknown."""
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
