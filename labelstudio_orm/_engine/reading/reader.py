"""How a queryset gets its objects: by id, page by page; in another order, after sorting here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import attrs

from ..conditions.ordering import ordered
from ..conditions.tree import EVERYTHING, Leaf, parts_of, predicate
from ..fields.options import options_of
from ..pages.checks import untrue
from ..pages.keyset import Keyset, asks_for_many
from ..pages.sources import FIRST_PAGE, IDS, Page, Select, look_ahead
from ..plans.columns import ORDERED
from ..plans.plan import Plan
from ..records.origin import Origin, Peers
from ..values.ids import as_id

if TYPE_CHECKING:
    from ..conditions.tree import Node
    from ..models.queryset import QuerySet
    from ..models.resource import Resource

R = TypeVar("R", bound="Resource")

Ahead: TypeAlias = Callable[[Iterator[Page]], Iterator[Page]]


def read(
    queryset: QuerySet[R], workers: int, ahead: Ahead = look_ahead
) -> tuple[Iterator[Iterable[R]], int, int | None]:
    """The objects as their pages come, and where in them a slice begins and ends, as far as it is
    not cut from them already.
    """
    start, stop = queryset.start, queryset.stop
    if queryset.here is not None:
        fitting = filter(predicate(queryset.where), queryset.here)
        return iter([ordered(fitting, queryset.ordering)]), start, stop
    planned = queryset._plan()
    if planned.nothing:
        return iter(()), 0, None
    if not queryset._in_id_order:
        return _in_any_order(queryset, planned, workers, ahead), 0, None
    source = options_of(queryset.model).pages
    select = queryset._select(planned, workers=workers)
    if planned.here is None:
        select = attrs.evolve(select, limit=stop)
        if isinstance(source, Keyset):
            limit = None if stop is None else stop - start
            select = attrs.evolve(select, start=start, limit=limit)
            start, stop = 0, None
    listed = source.pages(select)
    if isinstance(source, Keyset) and planned.here is None and queryset.where != EVERYTHING:
        listed = _first_checked(queryset, select, listed)
    return _loaded(queryset, listed if workers > 1 else ahead(listed), planned.here), start, stop


def _first_checked(
    queryset: QuerySet[Any], select: Select, listed: Iterator[Page]
) -> Iterator[Page]:
    """The same pages. Raises LabelStudioError where most tasks of the first one are not what was
    filtered for: a proxy may drop the query. It is asked for again then, since tasks may have
    changed while the server made the page.
    """
    page = next(listed, None)
    if page is not None and _is_amiss(queryset, page):
        again = next(options_of(queryset.model).pages.pages(attrs.evolve(select, workers=1)), None)
        if again is not None and _is_amiss(queryset, again):
            raise untrue(select, f"most tasks do not fit {queryset._what}")
    if page is not None:
        yield page
        yield from listed


def _is_amiss(queryset: QuerySet[Any], page: Page) -> bool:
    """Return whether more than half of the rows do not fit, as far as they show it."""
    shown = [
        part
        for part in parts_of(queryset.where)
        if isinstance(part, Leaf)
        and part.relation is None
        and part.field.name not in page.uncomputed
        and all(part.field.wire in row for row in page.rows)
    ]
    if not shown or not page.rows:
        return False
    origin = Origin(queryset.client, {}, page.uncomputed, page.prefetched, page.whole)
    objects = list(queryset.model._load(page.rows, origin))

    def misfits(some: Iterable[Any]) -> int:
        return sum(not all(part.holds(obj) for part in shown) for obj in some)

    return bool(misfits((objects[0], objects[-1]))) and 2 * misfits(objects) > len(objects)


def parents_in(scope: Mapping[str, Any]) -> dict[str, Any]:
    """The objects of a scope that are here, so that touching them costs nothing."""
    return {name: value for name, value in scope.items() if not isinstance(value, int)}


def _loaded(
    queryset: QuerySet[R], listed: Iterable[Page], check: Node | None = None
) -> Iterator[Iterable[R]]:
    """The objects of each page, those that the check holds for."""
    parents = parents_in(queryset.scope)
    shared: dict[Any, Any] = {}
    fits = None if check is None else predicate(check)
    peers: dict[str, Peers] = {}
    for page in listed:
        peers = _peers(queryset, page, peers)
        origin = Origin(
            queryset.client,
            parents,
            page.uncomputed,
            page.prefetched,
            page.whole,
            shared=shared,
            peers=peers,
            asked=queryset.fields or frozenset(),
            inside=queryset.related_fields,
        )
        objects = queryset.model._load(page.rows, origin)
        yield objects if fits is None else filter(fits, objects)


def _peers(queryset: QuerySet[Any], page: Page, before: Mapping[str, Peers]) -> dict[str, Peers]:
    """The tasks that the rows of a page are of, by relation: one request can bring many of them."""
    options = options_of(queryset.model)
    return {
        name: Peers(
            (as_id(row.get(options.fields[relation.id_name].wire)) for row in page.rows),
            before.get(name),
        )
        for name, relation in options.relations.items()
        if name not in queryset.scope and options_of(relation.target).pages.filters_tasks
    }


def _in_any_order(
    queryset: QuerySet[R], planned: Plan, workers: int, ahead: Ahead
) -> Iterator[Iterable[R]]:
    """By any keys: for tasks, ids and keys first and then the rows by id; else all rows, sorted
    here.
    """
    source, keys = options_of(queryset.model).pages, queryset.ordering
    start, stop = queryset.start, queryset.stop
    if not isinstance(source, Keyset) or _is_read_at_once(queryset, planned):
        names = frozenset(key.field.name for key in keys)
        fields = None if queryset.fields is None else queryset.fields | names
        rows = queryset._with(fields=fields, ordering=(), start=0, stop=None)._objects(workers)
        yield ordered(rows, keys)[start:stop]
        return
    if is_one_page(queryset, planned):
        top = _top(queryset, planned, source)
        if top is not None:
            yield top[start:stop]
            return
    light = queryset._with(
        fields=frozenset({"id", *(key.field.name for key in keys)}),
        relations=frozenset(),
        ordering=(),
        start=0,
        stop=None,
    )
    found = ordered(light._objects(workers), keys)[start:stop]
    listed = source.by_ids(queryset._select(Plan(), workers=workers), [obj.id for obj in found])
    yield from _loaded(queryset, listed if workers > 1 else ahead(listed))


def _is_read_at_once(queryset: QuerySet[Any], planned: Plan) -> bool:
    """Would it take more requests to ask for the rows by id than to read them with the keys? Where
    very many ids are asked for, which are looked for in whole pages.
    """
    if not asks_for_many(planned):
        return False
    few = queryset.stop is not None and queryset.stop - queryset.start <= IDS
    return queryset.fields is not None or not few


def is_one_page(queryset: QuerySet[Any], planned: Plan) -> bool:
    """Can the first rows be asked for in the server's own order? A few of them, by a column that it
    orders as we do, where it also filters exactly.
    """
    key = queryset.ordering[0]
    return (
        queryset.stop is not None
        and queryset.stop <= FIRST_PAGE
        and key.field.name in ORDERED
        and planned.here is None
        and planned.counts
        and "view" not in queryset.scope
        and not asks_for_many(planned)
    )


def _top(queryset: QuerySet[R], planned: Plan, source: Keyset) -> list[R] | None:
    """The first objects, up to where the slice stops. One request, and another one where objects
    tie there, which the server leaves in any order; None where that does not tell.
    """
    stop, key = queryset.stop or 0, queryset.ordering[0]
    names = {one.field.name for one in queryset.ordering}
    select = queryset._select(planned, also=names)
    page = source.top(select, key, stop + 1)
    if page is None:
        return None
    [objects] = _loaded(queryset, [page])
    found = ordered(objects, queryset.ordering)
    if len(found) <= stop:
        return found
    last = key.value(found[stop])
    before = [obj for obj in found if key.value(obj) != last]
    if len(before) == stop:
        return before
    if len(queryset.ordering) > 1:
        return None
    lookup = {f"{key.field.name}__isnull": True} if last is None else {key.field.name: last}
    tied = queryset._with(ordering=(), start=0, stop=None).filter(**lookup)
    found = before + list(tied[: stop - len(before)])
    return found if len(set(found)) == stop else None
