"""Tasks, page by page, each from where the last one ended, by one reader or by several workers."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any, ClassVar

import attrs

from ...errors import LabelStudioError, NotFound, ServerError
from ..conditions.ordering import Key
from ..http.page_sizes import IDS, PAGE
from ..http.paths import at
from ..plans.plan import Plan
from ..values.ids import id_of
from .checks import listing_error
from .counters import Counters
from .parallel import results
from .ranges import IdList, PageSizer, TaskListing
from .select import Page, Select
from .sources import TRIES
from .task_page import (
    ANSWER,
    PATH,
    ask,
    id_at,
    ids_asked_for,
    in_pieces,
    lightest,
    lost_a_task,
    spread,
    uncomputed,
    with_ids,
)

MANY = 3 * IDS
"""Ids above which a listing of all tasks may take fewer requests than to ask for them."""


def asks_for_many(plan: Plan) -> bool:
    """Return whether a query names very many ids."""
    return len(ids_asked_for(plan)[1]) > MANY


STALE = 10
"""Pages of one row in a row that a view may repeat: some filters give a task several times."""


class Keyset:
    """Tasks by id, each page from where the last one ended (``id > last``).

    So saving, deleting or adding tasks while looping skips and repeats none that exists
    throughout. A page's ``total`` counts what is left; it ends the listing, since a server may cap
    the page size silently. Several workers read ranges of ids, each of them in this way.
    """

    filters_tasks: ClassVar[bool] = True
    by_id_within: ClassVar[str] = ""
    scoped_by: tuple[str, ...] = ("project",)
    counters: ClassVar[Counters | None] = None

    def pages(self, select: Select) -> Iterator[Page]:
        """Return pages of growing size. Raises ValueError without a project and a view."""
        if "view" in select.scope:
            return self._of_view(select)
        if "project" not in select.scope:
            raise ValueError(
                "tasks are listed in a project or a view: project.tasks, view.tasks, or "
                "ls.tasks.filter(project=...); ls.tasks.get(id) reads one"
            )
        if asks_for_many(select.plan):
            return _cut(self._among_many(select), select.start, select.limit)
        return TaskListing(select).pages()

    def _among_many(self, select: Select) -> Iterator[Page]:
        """Yield the tasks of very many ids, out of all tasks between the first and the last.

        It goes on for as long as that takes no more requests than asking for the ids.
        """
        select = attrs.evolve(select, start=0, limit=None)
        _, ids = ids_asked_for(select.plan)
        wanted, seen = frozenset(ids), 0
        reading = TaskListing(attrs.evolve(spread(select), workers=1))
        for page in reading.pages():
            yield attrs.evolve(page, rows=[row for row in page.rows if row["id"] in wanted])
            if not page.rows:
                continue
            seen, last = seen + len(page.rows), page.rows[-1]["id"]
            if select.backwards:
                low, high = 0, bisect_left(ids, last)
            else:
                low, high = bisect_right(ids, last), len(ids)
            if (reading.promised - seen) / PAGE > (high - low) / IDS + 1:
                if low < high:
                    yield from TaskListing(with_ids(select, ids[low:high])).pages()
                return

    def count(self, select: Select) -> int | None:
        """Return the ``total`` of a page of one task; of a view, the number of its ids."""
        if "view" in select.scope:
            return len(self._ids_of_view(select))  # the total counts some tasks several times
        if asks_for_many(select.plan):
            return sum(len(page.rows) for page in self._among_many(lightest(select)))
        totals: list[int] = [ask(part, 1)["total"] for part in in_pieces(lightest(select))]
        return sum(totals)

    def first_id(self, select: Select) -> tuple[int | None, int]:
        """Return the id of the first task, or None, and how many tasks there are.

        One request, or one for as many ids as an address holds.
        """
        answers = [ask(part, 1) for part in in_pieces(lightest(select))]
        first = next((answer["tasks"][0]["id"] for answer in answers if answer["tasks"]), None)
        return first, sum(answer["total"] for answer in answers)

    def top(self, select: Select, key: Key, rows: int) -> Page | None:
        """Return the first ``rows`` tasks in the server's own order by a column. One request.

        Nulls come last, ties in any order; fewer rows if there are no more. None where the server
        gives less than it was asked for, or a task twice.
        """
        answer = ask(select, rows, order=key.on_server)
        found = {row["id"]: row for row in answer["tasks"]}
        if len(found) < min(rows, answer["total"]):
            return None
        return Page(
            list(found.values()), uncomputed(select), select.relations, select.fields is None
        )

    def cuts(self, select: Select, parts: int) -> list[int]:
        """Return ascending ids that divide the listing into ``parts`` of about as many rows.

        As many requests, for one row each; none where the ids are known.
        """
        select = attrs.evolve(lightest(select), backwards=False)
        _, known = ids_asked_for(select.plan)
        total = len(known) if known else ask(select, 1)["total"]
        found, last = [], 0
        for part in range(1, parts):
            rank = part * total // parts
            if known and rank:
                last = known[rank - 1]
            elif rank:
                last = max(last, id_at(select, rank) or 0)
            found.append(last)
        return found

    def by_ids(
        self, select: Select, ids: list[int], sizer: PageSizer | None = None
    ) -> Iterator[Page]:
        """Return pages of the rows of these ids, in their order; ids that are gone are left out."""
        if not ids:
            return iter(())
        return results([IdList(self._without_view(select), ids, sizer=sizer)], select.workers)

    def _of_view(self, select: Select) -> Iterator[Page]:
        """Yield the tasks of a saved view, in its order.

        The server drops a query beside a view, so there is no keyset: the ids are listed first.
        """
        ids = self._ids_of_view(select)
        if select.query.ordering:
            ids.sort(reverse=select.backwards)
        elif select.backwards:
            ids.reverse()
        stop = None if select.limit is None else select.start + select.limit
        yield from self.by_ids(select, ids[select.start : stop])

    def _without_view(self, select: Select) -> Select:
        """Return the same in the whole project: the server drops conditions beside a view."""
        scope = {name: value for name, value in select.scope.items() if name != "view"}
        if "project" not in scope:
            path = at("/api/dm/views/{}/", id_of(select.scope["view"]))
            scope["project"] = select.ask(path, expect={"project": int})["project"]
        return attrs.evolve(select, query=select.query.but(scope=scope))

    def _ids_of_view(self, select: Select) -> list[int]:
        before: list[int] = []
        for _ in range(TRIES):
            ids: list[int] = []
            total, number, stale = None, 1, 0
            while total is None or len(ids) < total:
                try:
                    answer = self._view_page(select, number, PAGE)
                except NotFound:  # "Invalid page.": there are fewer tasks by now
                    break
                except ServerError as error:
                    if not lost_a_task(error):
                        raise
                    break
                total = answer["total"] if total is None else total
                if answer["total"] != total or not answer["tasks"]:
                    break
                page = [row["id"] for row in answer["tasks"]]
                known = {*page}.intersection(ids)
                stale = stale + 1 if len(known) == len({*page}) else 0
                if stale > STALE or (len(page) > 1 and 2 * len(known) > len({*page})):
                    raise listing_error(select, f"page {number} holds what earlier pages hold")
                ids.extend(page)
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
        answer = select.ask(PATH, params=params, expect=ANSWER)
        if any(type(row.get("id")) is not int for row in answer["tasks"]):
            raise listing_error(select, "a task came without an id")
        return answer


def _cut(pages: Iterator[Page], start: int, limit: int | None) -> Iterator[Page]:
    """Yield the same pages without the first rows, and no more than so many."""
    skip, left = start, limit
    for page in pages:
        if left == 0:
            return
        rows = page.rows[skip:]
        skip = max(0, skip - len(page.rows))
        rows = rows if left is None else rows[:left]
        left = left if left is None else left - len(rows)
        yield attrs.evolve(page, rows=rows)
        if left == 0:
            return


TASKS = Keyset()
