"""How listings are read: the shapes of their pages, keyset paging for tasks, and one page of
look-ahead.

A *source* is the shape of one listing. It gives pages of rows for a ``Select`` and knows how to
count; what a row means is the resource's business, and what to keep of it the queryset's.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar, cast
from urllib.parse import quote, urlencode

import attrs

from .columns import Item, line
from .errors import BadRequest, LabelStudioError, NotFound
from .plan import Plan

if TYPE_CHECKING:
    from .client import LabelStudio
    from .resource import Resource

Row = dict[str, Any]
T = TypeVar("T")

FIRST_PAGE, LEAST, PAGE = 100, 10, 1000
"""Rows of the first page, and of the later ones at least and at most."""

PATIENCE = 4.0
"""Seconds that a page of tasks should take: as many rows are asked for as came in that time."""

IDS = 300
"""Ids that one request asks for: an address with as many stays below what proxies take."""

_TRIES = 5

BODY_LIMIT = 3500
"""Bytes of a query above which it travels in the body of the GET: gunicorn refuses a line of
4,094.
"""


@attrs.frozen
class Select:
    """What to read: a plan, where, and how much of each row.

    ``scope`` are the objects or ids that the listing belongs to; ``params`` parameters that every
    request carries; ``fields`` the only fields to bring (None: all that a listing has); ``wanted``
    the computed fields to compute; ``relations`` the related rows to bring along; ``limit`` the
    number of rows that will be taken, if that is known; ``backwards`` reads by falling id.
    ``by_id``: the order by id was asked for.
    """

    model: type[Resource]
    client: LabelStudio
    plan: Plan
    scope: Mapping[str, Any] = attrs.field(factory=dict)
    params: Mapping[str, Any] = attrs.field(factory=dict)
    fields: frozenset[str] | None = None
    wanted: frozenset[str] = frozenset()
    relations: frozenset[str] = frozenset()
    related_fields: frozenset[str] | None = None
    limit: int | None = None
    backwards: bool = False
    by_id: bool = False

    @property
    def doing(self) -> str:
        """For messages: what is being done, to what."""
        where = " of ".join(f"{name} {id_of(value)}" for name, value in self.scope.items())
        return f"listing {self.model._options.name}s" + (f" of {where}" if where else "")

    @property
    def scope_ids(self) -> dict[str, Any]:
        """The scope as parameters."""
        return {name: id_of(value) for name, value in self.scope.items()}

    @property
    def path(self) -> str:
        """The address of the listing."""
        return fill(self.model._options.collection, self.scope.__getitem__)

    @property
    def filters(self) -> dict[str, Any]:
        """What a plain listing is asked for: its scope, as far as its path does not say it, and
        conditions.
        """
        options = self.model._options
        in_path = names_in(options.collection)
        scope = {
            str(options.params.get(f"{name}_id__exact", name)): id
            for name, id in self.scope_ids.items()
            if name not in in_path
        }
        return {**scope, **self.params, **self.plan.params}

    def ask(self, path: str, **options: Any) -> Any:
        """One GET."""
        edition = self.model._options.edition
        return self.client.request("GET", path, doing=self.doing, edition=edition, **options)

    @property
    def wires(self) -> list[str]:
        """The names on the wire of the fields to bring."""
        fields = self.model._options.fields
        return sorted({"id", *(fields[name].wire for name in self.fields or ())})


def id_of(value: Any) -> Any:
    """The id of an object, or the id itself."""
    return getattr(value, "_key", value)


def id_given(value: Any, what: str) -> Any:
    """The id of an object that a verb was given. Raises TypeError where it was given none."""
    found = id_of(value)
    if found is None:
        raise TypeError(f"{what} is missing: {value!r} has no id")
    return found


def names_in(template: str) -> list[str]:
    """What stands in braces in an address: ``["version.prompt", "version"]``."""
    return [part.split("}")[0] for part in template.split("{")[1:]]


def fill(template: str, get: Callable[[str], Any]) -> str:
    """An address with the ids filled in; ``get`` gives an object or an id by its name."""
    for name in names_in(template):
        first, *further = name.split(".")
        value = get(first)
        for relation in further:
            value = getattr(value, f"{relation}_id")
        template = template.replace(f"{{{name}}}", quote(str(id_of(value)), safe=""))
    return template


@attrs.frozen
class Page:
    """Some rows in order, and what can be believed in them: see ``Origin``, which has the same
    names.
    """

    rows: list[Row]
    uncomputed: frozenset[str] = frozenset()
    prefetched: frozenset[str] = frozenset()
    whole: bool = False


class Source(Protocol):
    """The shape of a listing."""

    @property
    def filters_tasks(self) -> bool:
        """Does it take the Data Manager's filters?"""

    @property
    def scoped_by(self) -> tuple[str, ...]:
        """The relations that a listing cannot do without."""

    def pages(self, select: Select) -> Iterator[Page]:
        """The rows, a page at a time; each page is requested when it is asked for."""

    def count(self, select: Select) -> int | None:
        """How many rows the server says there are, in one request; None where it does not say."""


# -- one bare list --------------------------------------------------------------------------------


@attrs.frozen
class Plain:
    """A listing that is one JSON list; page parameters are ignored by the server.

    ``scoped_by``: the relations that it cannot do without. ``unfiltered``: parameters for all of
    it, where the server would otherwise give nothing. ``single``: the server may give one bare
    object.
    """

    scoped_by: tuple[str, ...] = ()
    unfiltered: Mapping[str, str] = attrs.field(factory=dict)
    single: bool = False
    filters_tasks: ClassVar[bool] = False

    def pages(self, select: Select) -> Iterator[Page]:
        """One page: the whole list. A parameter that names nothing (the server answers 400) means
        that there is none.
        """
        yield Page(_in_order(self._rows(select), select), whole=True)

    def _rows(self, select: Select) -> list[Row]:
        require_scope(select, self.scoped_by)
        params = {**({} if select.plan.params else self.unfiltered), **select.filters}
        try:
            rows = select.ask(select.path, params=params, expect=None if self.single else list)
        except BadRequest as error:
            if params.keys().isdisjoint(error.validation_errors or ()):
                raise
            return []
        except NotFound:
            if not self.single:
                raise
            return []
        if self.single and not isinstance(rows, list):
            rows = [rows] if rows else []
        in_path = select.scope.keys() & set(names_in(select.model._options.collection))
        for row in rows if in_path else ():
            for name in in_path:  # the address says it, the rows need not
                row.setdefault(_wire_of(select.model, name), id_of(select.scope[name]))
        return cast("list[Row]", rows)

    def count(self, select: Select) -> int | None:
        """Not without reading the list."""
        return None


def require_scope(select: Select, needed: Iterable[str]) -> None:
    """Raises ValueError unless the listing is said to be of all these."""
    missing = [name for name in needed if name not in select.scope]
    if missing:
        name = select.model._options.name
        raise ValueError(
            f"{name}s are listed by {' and '.join(needed)}, and the {missing[0]} is missing: go "
            f"through the {missing[0]}, or filter({missing[0]}=...); get(id) reads one"
        )


def _wire_of(model: type[Resource], relation: str) -> str:
    options = model._options
    return options.fields[options.relations[relation].id_name].wire


def _in_order(rows: list[Row], select: Select) -> list[Row]:
    key = select.model._options.key_wire or "id"
    return sorted(rows, key=lambda row: as_key(row.get(key)), reverse=select.backwards)


def as_key(value: Any) -> Any:
    """What rows are put in order by: an id, or the id of an object."""
    return value["id"] if isinstance(value, dict) else 0 if value is None else value


# -- numbered pages -------------------------------------------------------------------------------


@attrs.frozen
class Numbered:
    """``{count, next, previous, results}`` by page number.

    There is no keyset here, so an object that is deleted while a script loops would shift the
    pages; all of them are therefore read, by id, before the first row is handed out.
    ``scoped_by``: the relations that the listing cannot do without. ``ordered``: whether the server
    can order by id.
    """

    scoped_by: tuple[str, ...] = ()
    ordered: bool = True
    filters_tasks: ClassVar[bool] = False

    def pages(self, select: Select) -> Iterator[Page]:
        """All rows as one page; up to 100 rows need one request."""
        require_scope(select, self.scoped_by)
        if not self.ordered:
            select = attrs.evolve(select, limit=None)
        for _ in range(_TRIES):
            rows = self._read(select)
            if rows is not None:
                rows = rows if self.ordered else _in_order(rows, select)
                yield Page(rows, whole=select.fields is None)
                return
        raise LabelStudioError(
            f"{select.doing}: the number of rows changed during each of {_TRIES} readings"
        )

    def _read(self, select: Select) -> list[Row] | None:
        """All rows, or None when their number changed meanwhile, so that one may have slipped
        by.
        """
        rows: list[Row] = []
        number = 1
        while True:
            size = min(select.limit or FIRST_PAGE, FIRST_PAGE)
            try:
                answer = self._ask(select, number, size)
            except NotFound:  # "Invalid page.": there are fewer pages by now
                return None
            if number == 1:
                count = answer["count"]
            elif answer["count"] != count:
                return None
            rows.extend(answer["results"])
            if answer.get("next") is None or len(rows) >= (select.limit or len(rows) + 1):
                return rows
            number += 1

    def count(self, select: Select) -> int | None:
        """The server's ``count``."""
        answer = self._ask(attrs.evolve(select, fields=frozenset({"id"})), 1, 1)
        return cast(int, answer["count"])

    def _ask(self, select: Select, page: int, size: int) -> Any:
        params = {
            **select.filters,
            "page": page,
            "page_size": size,
        }
        if self.ordered:
            params["ordering"] = "-id" if select.backwards else "id"
        if select.fields is not None:
            params["include"] = ",".join(select.wires)
        return select.ask(select.path, params=params, expect=("count", "results"))


# -- tasks ----------------------------------------------------------------------------------------


class Keyset:
    """Tasks by id, each page from where the last one ended (``id > last``).

    So saving, deleting or adding tasks while looping skips and repeats none that exists
    throughout. A page's ``total`` counts what is left; it ends the listing, since a server may cap
    the page size silently.
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
        left = select.limit
        for part in _parts(select):
            for page in self._pages(attrs.evolve(part, limit=left)):
                left = None if left is None else left - len(page.rows)
                yield page
            if left is not None and left <= 0:
                return

    def _pages(self, select: Select) -> Iterator[Page]:
        relations = select.relations
        everything = bool(relations) or "drafts" in select.wanted
        uncomputed = frozenset() if everything else select.model._options.computed - select.wanted
        size = select.client.page_size or min(select.limit or FIRST_PAGE, IDS)
        left = select.limit
        last: int | None = None
        while True:
            size = min(size, left or size)
            asked = time.monotonic()
            answer = self._ask(select, everything, last, size)
            pace = size / max(time.monotonic() - asked, 0.001)
            rows: list[Row] = answer["tasks"]
            if not rows and answer["total"] > 0:
                raise LabelStudioError(
                    f"{select.doing}: {answer['total']} are left, the server says, and gives none"
                )
            if rows and last is not None and not _comes_after(rows[0]["id"], last, select):
                raise LabelStudioError(
                    f"{select.doing}: asked for what comes after id {last}, the server gave "
                    f"{rows[0]['id']}; does something before it drop the query?"
                )
            if left is not None:
                rows, left = rows[:left], left - len(rows)
            done = len(rows) >= answer["total"] or (left is not None and left <= 0)
            if rows:
                last = rows[-1]["id"]
                yield Page(rows, uncomputed, relations, whole=select.fields is None)
            if done:
                return
            size = select.client.page_size or max(LEAST, min(PAGE, int(pace * PATIENCE)))

    def count(self, select: Select) -> int | None:
        """The ``total`` of a page of one."""
        if "view" in select.scope:
            return cast(int, self._view_page(select, 1, 1)["total"])
        light = attrs.evolve(
            select, fields=frozenset({"id"}), wanted=frozenset(), relations=frozenset(), limit=None
        )
        totals: list[int] = [self._ask(part, False, None, 1)["total"] for part in _parts(light)]
        return sum(totals)

    def by_ids(self, select: Select, ids: list[int]) -> Iterator[Page]:
        """The rows of these ids, in their order; those that are gone by now are left out."""
        select = self._without_view(select)
        for start in range(0, len(ids), IDS):
            chunk = ids[start : start + IDS]
            only = Plan(clauses=((_among(chunk),),))
            found = list(self.pages(attrs.evolve(select, plan=only, limit=len(chunk))))
            rows = {row["id"]: row for page in found for row in page.rows}
            if found:
                yield attrs.evolve(found[0], rows=[rows[id] for id in chunk if id in rows])

    def _of_view(self, select: Select) -> Iterator[Page]:
        """The tasks of a saved view, in its order. The server drops a query beside a view, so there
        is no keyset: the ids are listed first.
        """
        ids = self._ids_of_view(select)
        if select.by_id:
            ids.sort(reverse=select.backwards)
        yield from self.by_ids(select, ids[: select.limit])

    def _without_view(self, select: Select) -> Select:
        """In the whole project: beside a view the server drops what else it is asked for."""
        scope = {name: value for name, value in select.scope.items() if name != "view"}
        if "project" not in scope:
            path = f"/api/dm/views/{id_of(select.scope['view'])}/"
            scope["project"] = select.ask(path, expect=("project",))["project"]
        return attrs.evolve(select, scope=scope)

    def _ids_of_view(self, select: Select) -> list[int]:
        for _ in range(_TRIES):
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
            if total is not None and len(ids) == len(set(ids)) == total:
                return ids
        raise LabelStudioError(f"{select.doing}: the view changed during each of {_TRIES} readings")

    def _view_page(self, select: Select, number: int, size: int) -> Any:
        params = {
            **select.scope_ids,
            "page": number,
            "page_size": size,
            "include": "id",
            "resolve_uri": "false",
        }
        return select.ask("/api/tasks/", params=params, expect=("tasks", "total"))

    def _ask(self, select: Select, everything: bool, last: int | None, size: int) -> Any:
        query: dict[str, Any] = {"ordering": ["-tasks:id" if select.backwards else "tasks:id"]}
        filters = select.plan.filters(_after(last, select.backwards))
        if filters:
            query["filters"] = filters
        if select.wanted and not everything:
            query["hiddenColumns"] = _all_columns_but(select)
        params: dict[str, Any] = {**select.scope_ids, "page_size": size, "resolve_uri": "false"}
        if everything:
            params["fields"] = "all"
        if select.fields is not None:
            params["include"] = ",".join(_included(select))
        text = json.dumps(query, separators=(",", ":"))
        body = None
        if len(text) <= BODY_LIMIT:
            params["query"] = text
        else:  # the project goes with it, so that a proxy that strips the body causes an error
            body = {**query, **{name: params.pop(name) for name in select.scope_ids}}
        return select.ask(
            "/api/tasks/",
            params=urlencode(params, safe=",:[]"),
            json=body,
            expect=("tasks", "total"),
        )


def _among(ids: list[int]) -> Item:
    return line("id", "in_list", "Number", ids)


def _parts(select: Select) -> list[Select]:
    """The same query in pieces of so many ids that each of them fits into an address, in order."""
    clauses = select.plan.clauses
    items = clauses[0] if len(clauses) == 1 else ()
    for place, item in enumerate(items):
        if (
            item["filter"] == "filter:tasks:id"
            and item["operator"] == "in_list"
            and len(item["value"]) > IDS
        ):
            ids = sorted(set(item["value"]), reverse=select.backwards)
            return [
                attrs.evolve(
                    select,
                    plan=attrs.evolve(
                        select.plan,
                        clauses=(
                            (
                                *items[:place],
                                _among(ids[start : start + IDS]),
                                *items[place + 1 :],
                            ),
                        ),
                    ),
                )
                for start in range(0, len(ids), IDS)
            ]
    return [select]


def _after(last: int | None, backwards: bool) -> Item | None:
    return None if last is None else line("id", "less" if backwards else "greater", "Number", last)


def _comes_after(identifier: int, last: int, select: Select) -> bool:
    return identifier < last if select.backwards else identifier > last


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


# -- rows inside another resource's rows ----------------------------------------------------------


@attrs.frozen
class Embedded:
    """Annotations: of a task, from the task itself, since their own listing hides the cancelled
    ones; of a project, from its tasks.
    """

    key: str
    filters_tasks: ClassVar[bool] = False
    scoped_by: ClassVar[tuple[str, ...]] = ("task", "project")

    def pages(self, select: Select) -> Iterator[Page]:
        """One page for a task; pages as the tasks' pages come for a project."""
        if "task" in select.scope:
            yield Page(_in_order(self._of_task(select), select))
        elif "project" in select.scope:
            yield from self._of_project(select)
        else:
            raise ValueError(
                f"{self.key} are listed through their task or project: task.{self.key}, "
                f"project.{self.key}; ls.{self.key}.get(id) reads one"
            )

    def _of_task(self, select: Select) -> list[Row]:
        task = id_of(select.scope["task"])
        if select.plan.params.get("was_cancelled") is False:
            return cast("list[Row]", select.ask(select.path, expect=list))
        params = {"include": f"id,{self.key}", "resolve_uri": "false"}
        answer = select.ask(f"/api/tasks/{task}/", params=params, expect=(self.key,))
        return cast("list[Row]", answer[self.key])

    def _of_project(self, select: Select) -> Iterator[Page]:
        tasks = select.client.tasks.model
        inner = Select(
            tasks,
            select.client,
            Plan(clauses=select.plan.clauses),
            scope=select.scope,
            fields=frozenset({"id"}),
            relations=frozenset({self.key}),
            related_fields=select.fields,
        )
        for page in TASKS.pages(inner):
            rows = [
                {"task": task["id"], "project": id_of(select.scope["project"]), **row}
                for task in page.rows
                for row in task[self.key]
            ]
            yield Page(rows)

    def count(self, select: Select) -> int | None:
        """Not without reading them."""
        return None


PLAIN, NUMBERED, TASKS = Plain(), Numbered(), Keyset()


# -- look-ahead -----------------------------------------------------------------------------------


def look_ahead(pages: Iterator[Page]) -> Iterator[Page]:
    """The same pages in halves, each next one being requested once the second half of a page is
    asked for.
    """
    page = next(pages, None)
    while page is not None:
        half = len(page.rows) // 2 + 1
        yield attrs.evolve(page, rows=page.rows[:half])
        if len(page.rows) <= half:
            page = next(pages, None)
            continue
        coming = _Coming(lambda: next(pages, None))
        yield attrs.evolve(page, rows=page.rows[half:])
        page = coming.result()


class _Coming(threading.Thread, Generic[T]):
    """A value that a thread is getting. A daemon, so that an unanswered request cannot hold up an
    exit.
    """

    def __init__(self, get: Callable[[], T]) -> None:
        super().__init__(daemon=True, name="labelstudio_orm-look-ahead")
        self._get = get
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._value = self._get()
        except BaseException as error:
            self._error = error

    def result(self) -> T:
        self.join()
        if self._error is not None:
            raise self._error
        return self._value


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
