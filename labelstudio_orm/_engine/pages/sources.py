"""How listings are read: the shapes of their pages.

A *source* is the shape of one listing. It gives pages of rows for a ``Select`` and knows how to
count; what a row means is the resource's business, and what to keep of it the queryset's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, cast

import attrs

from ...errors import BadRequest, LabelStudioError, NotFound
from .. import pages, plans
from ..conditions.query import Query
from ..fields.options import Shape
from ..http.addresses import names_in
from ..http.connection import facts_of, has
from ..http.outcome import Expected, matches
from ..http.page_sizes import FIRST_PAGE
from ..http.paths import at
from ..values.ids import as_id, id_of

if TYPE_CHECKING:
    from ..http.releases import Feature
    from ..values.codec import Row
    from .counters import Counters
    from .keyset import Keyset
    from .select import Page, Select

T = TypeVar("T")

TRIES = 5
"""Readings of a listing that changes meanwhile, where it has to be read at once."""


class Source(Shape, Protocol):
    """The shape of a listing, and how it is read."""

    def pages(self, select: Select) -> Iterator[Page]:
        """Yield the rows, a page at a time; each page is requested when it is asked for."""

    @property
    def counters(self) -> Counters | None:
        """The counters of a project that are about the rows."""

    def count(self, select: Select) -> int | None:
        """How many rows the server says there are, in one request; None where it does not say."""


# -- one bare list --------------------------------------------------------------------------------


@attrs.frozen
class Plain:
    """A listing that is one JSON list; page parameters are ignored by the server.

    ``scoped_by``: the relations that it cannot do without. ``unfiltered``: parameters for all of
    it, where the server would otherwise give nothing. ``single``: the server may give one bare
    object. ``key_from``: the field that identifies rows without a key. ``counters``: those of a
    project that are about its rows. ``renamed``: parameters that a server without a feature does
    not know, and what does the same there.
    """

    scoped_by: tuple[str, ...] = ()
    unfiltered: Mapping[str, str] = attrs.field(factory=dict)
    single: bool = False
    key_from: str = ""
    counters: Counters | None = None
    renamed: Mapping[str, tuple[Feature, str]] = attrs.field(factory=dict)
    filters_tasks: ClassVar[bool] = False
    by_id_within: ClassVar[str] = ""

    def pages(self, select: Select) -> Iterator[Page]:
        """Yield one page: the whole list.

        A parameter that names nothing (the server answers 400) means that there are no rows.
        """
        yield pages.select.Page(_in_order(self._rows(select), select), whole=True)

    def _rows(self, select: Select) -> list[Row]:
        pages.select.require_scope(select, self.scoped_by)
        params = {**({} if select.plan.params else self.unfiltered), **select.filters}
        unsaid = dict[str, Any]()
        client = select.query.client
        if self.renamed and facts_of(client).may_be_old:
            for name, (feature, other) in self.renamed.items():
                if name in params and not has(client, feature):
                    params[other] = unsaid[name] = params.pop(name)
        try:
            rows = select.ask(select.path, params=params, expect=None if self.single else list)
        except BadRequest as error:
            said = error.validation_errors
            if not isinstance(said, dict) or params.keys().isdisjoint(said):
                raise
            return []
        except NotFound:
            if not self.single:
                raise
            return []
        if self.single and not isinstance(rows, list):
            rows = [rows] if rows else []
        for row in rows if self.key_from else ():
            if isinstance(row, dict):
                row.setdefault(select.options.key_wire, row.get(self.key_from))
        rows = pages.checks.checked_rows(rows, select)
        for row in rows if unsaid else ():
            row.update(unsaid)
        in_path = select.scope.keys() & set(names_in(select.options.collection))
        for row in rows if in_path else ():
            for name in in_path:  # the address says it, the rows need not
                row.setdefault(_wire_of(select, name), id_of(select.scope[name]))
        return rows

    def count(self, select: Select) -> int | None:
        """Not without reading the list."""
        return None


def _wire_of(select: Select, relation: str) -> str:
    options = select.options
    return options.fields[options.relations[relation].id_name].wire


def _in_order(rows: list[Row], select: Select) -> list[Row]:
    key = select.options.key_wire or "id"
    if not select.options.key_wire:
        return sorted(
            rows, key=lambda row: pages.checks.as_key(row.get("id")) or 0, reverse=select.backwards
        )
    return sorted(rows, key=lambda row: pages.checks.as_key(row.get(key)), reverse=select.backwards)


# -- numbered pages -------------------------------------------------------------------------------


@attrs.frozen
class Numbered:
    """``{count, next, previous, results}`` by page number.

    There is no keyset here, so an object that is deleted while a script loops would shift the
    pages; all of them are therefore read, by id, before the first row is handed out.
    ``scoped_by``: the relations that the listing cannot do without. ``ordered``: whether the server
    can order by id. ``or_plain``: whether some releases answer with one list instead.
    """

    scoped_by: tuple[str, ...] = ()
    ordered: bool = True
    or_plain: bool = False
    counters: ClassVar[Counters | None] = None
    filters_tasks: ClassVar[bool] = False
    by_id_within: ClassVar[str] = ""

    def pages(self, select: Select) -> Iterator[Page]:
        """All rows as one page; up to 100 rows need one request.

        Raises LabelStudioError where the rows are not as many as the server counts.
        """
        pages.select.require_scope(select, self.scoped_by)
        if not self.ordered:
            select = attrs.evolve(select, limit=None)
        before = None
        for _ in range(TRIES):
            rows, count = self._read(select)
            if len(rows) == count or len(rows) >= (select.limit or len(rows) + 1):
                yield pages.select.Page(_in_order(rows, select), whole=select.fields is None)
                return
            if (rows, count) == before:  # nothing changed: it is what the server says
                raise pages.checks.listing_error(
                    select, f"{count} rows are counted, and the pages hold {len(rows)}"
                )
            before = rows, count
        raise LabelStudioError(
            f"{select.doing}: the number of rows changed during each of {TRIES} readings"
        )

    def _read(self, select: Select) -> tuple[list[Row], int]:
        """Return the rows, and how many the server counted.

        The numbers differ when rows came or went meanwhile, so that one may have slipped by, or
        where the server does not turn the page.
        """
        key = select.options.key_wire
        size = min(max(select.limit or FIRST_PAGE, 2), FIRST_PAGE)
        found: dict[Any, Row] = {}
        count = 0
        for number in itertools.count(1):
            try:
                answer = self._ask(select, number, size)
            except NotFound:  # "Invalid page.": there are fewer pages by now
                break
            count, before = answer["count"], count
            if number > 1 and count != before:
                break
            rows = pages.checks.checked_rows(answer["results"], select)
            new = {pages.checks.as_key(row.get(key)): row for row in rows}
            if not found.keys().isdisjoint(new):
                break
            found.update(new)
            rows = list(found.values())
            if select.limit is not None and rows != _in_order(rows, select):
                # All of them, to be put in order here.
                return self._read(attrs.evolve(select, limit=None))
            if len(found) >= min(count, select.limit or count) or not rows:
                break
            if answer.get("next") is None:
                break
        return list(found.values()), count

    def count(self, select: Select) -> int | None:
        """Return the server's ``count``, unless the row beside it is not what was asked for."""
        answer = self._ask(attrs.evolve(select, fields=frozenset({"id"})), 1, 1)
        pages.checks.checked_rows(answer["results"], select)
        return cast(int, answer["count"])

    def _ask(self, select: Select, page: int, size: int) -> Any:
        params = {
            **select.filters,
            "page": page,
            "page_size": size,
        }
        if self.ordered:
            params["ordering"] = "-id" if select.backwards else "id"
        if select.fields is not None and not self.or_plain:
            scope = {_wire_of(select, name) for name in select.scope}
            params["include"] = ",".join(sorted({*select.wires, *scope}))
        expect: Expected = {"count": int, "results": [dict]}
        if not self.or_plain:
            return select.ask(select.path, params=params, expect=expect)
        answer = select.ask(select.path, params=params, expect=None)
        if isinstance(answer, list):
            return {"count": len(answer), "results": answer}
        if not matches(answer, expect):
            raise pages.checks.listing_error(select, "the answer is neither a list nor a page")
        return answer


# -- rows inside another resource's rows ----------------------------------------------------------


@attrs.frozen
class Embedded:
    """Annotations, which are read inside of their tasks.

    Of one task they come from the task itself, since their own listing hides the cancelled ones; of
    a project from its tasks. ``counters``: those of a project that are about its rows.
    """

    key: str
    counters: Counters | None = None
    filters_tasks: ClassVar[bool] = False
    by_id_within: ClassVar[str] = "task"
    scoped_by: ClassVar[tuple[str, ...]] = ("task", "project")

    def pages(self, select: Select) -> Iterator[Page]:
        """One page for a task; pages as the tasks' pages come for a project."""
        if "task" in select.scope:
            yield pages.select.Page(_in_order(self._of_task(select), select), whole=True)
        elif "project" in select.scope:
            yield from self._of_project(select)
        else:
            raise ValueError(
                f"{self.key} are listed through their task or project: task.{self.key}, "
                f"project.{self.key}; ls.{self.key}.get(id) reads one"
            )

    def _of_task(self, select: Select) -> list[Row]:
        """Of a project's rows those of one task, which need not be in the project."""
        project = select.scope_ids.get("project")
        try:
            rows = self._rows(select)
        except NotFound:
            if project is None:
                raise
            return []
        return [row for row in rows if project in (None, row.get("project", project))]

    def _rows(self, select: Select) -> list[Row]:
        # The task need not be in the project.
        task = select.scope["task"]
        select = attrs.evolve(select, query=select.query.but(scope={"task": task}))
        if select.plan.params.get("was_cancelled") is False:
            return pages.checks.checked_rows(select.ask(select.path, expect=list), select)
        params = {"include": f"id,project,{self.key}", "resolve_uri": "false"}
        path = at("/api/tasks/{}/", id_of(task))
        answer = select.ask(path, params=params, expect=(self.key,))
        return pages.checks.checked_rows(answer[self.key], select)

    def _tasks(self, select: Select) -> Select:
        """Return how the tasks of a project are read that may have some of the rows."""
        tasks = Query(
            select.options.relations["task"].target,
            select.query.connection,
            scope=select.scope,
            fields=frozenset({"id"}),
            relations=frozenset({self.key}),
            related_fields={} if select.fields is None else {self.key: select.fields},
        )
        return pages.select.Select.of(
            tasks, plans.plan.Plan(clauses=select.plan.clauses), workers=select.workers
        )

    def cuts(self, select: Select, parts: int) -> list[int]:
        """Return ids of tasks that divide the listing of a project, as ``Keyset.cuts``."""
        inside = self._tasks(select)
        return cast("Keyset", source_of(inside.query)).cuts(inside, parts)

    def _of_project(self, select: Select) -> Iterator[Page]:
        inside = self._tasks(select)
        listing, limit = source_of(inside.query), select.limit
        if limit is not None and limit <= FIRST_PAGE:
            few = self._by_task(listing.pages(attrs.evolve(inside, limit=limit)), select)
            found = list(itertools.chain.from_iterable(few))
            # A task may lose its last one while the page is made.
            if all(found) or sum(map(len, found)) >= limit:
                yield self._page(found, select)
                return
        for found in self._by_task(listing.pages(inside), select):
            yield self._page(found, select)

    def _by_task(self, listed: Iterator[Page], select: Select) -> Iterator[list[list[Row]]]:
        """Yield the rows of each task of a page; PostgreSQL leaves their order open."""
        project = id_of(select.scope["project"])
        for page in listed:
            yield [
                [
                    {"task": task["id"], "project": project, **row}
                    for row in _in_order(self._in_task(task, select), select)
                ]
                for task in page.rows
            ]

    def _page(self, found: list[list[Row]], select: Select) -> Page:
        rows = list(itertools.chain.from_iterable(found))
        return pages.select.Page(rows, whole=select.fields is None)

    def _in_task(self, task: Row, select: Select) -> list[Row]:
        """Return the rows inside a task's row, which must be there and belong to it."""
        if self.key not in task:
            raise pages.checks.listing_error(
                select, f"Task {task['id']} came without its {self.key}"
            )
        rows = pages.checks.checked_rows(task[self.key], select)
        if any(as_id(row.get("task", task["id"])) != task["id"] for row in rows):
            raise pages.checks.listing_error(
                select, f"Task {task['id']} came with {self.key} of another task"
            )
        return rows

    def count(self, select: Select) -> int | None:
        """Not without reading them."""
        return None


PLAIN, NUMBERED = Plain(), Numbered()


def source_of(query: Query) -> Source:
    """Return how the objects of a query are listed."""
    return cast(Source, query.options.pages)


# -- lists of items -------------------------------------------------------------------------------


def chunked(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """``items`` in lists of at most ``size``."""
    chunk: list[T] = []
    for item in items:
        chunk.append(item)
        if len(chunk) >= size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
