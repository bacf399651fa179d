"""How a query gets its objects: by id, page by page; in another order, after sorting here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, TypeAlias

import attrs

from ...errors import DoesNotExist
from ..conditions.ordering import ordered
from ..conditions.q import build
from ..conditions.query import Query
from ..conditions.tree import EVERYTHING, Leaf, Node, conjunction, parts_of, predicate
from ..fields.options import options_of
from ..http.page_sizes import FIRST_PAGE, IDS
from ..pages.ahead import look_ahead, page_ahead
from ..pages.checks import listing_error
from ..pages.keyset import TASKS, Keyset, asks_for_many
from ..pages.ranges import PageSizer, TaskListing
from ..pages.select import FEW, Page, Select
from ..pages.sources import source_of
from ..pages.task_page import ids_asked_for
from ..plans.columns import ORDERED
from ..plans.costs import Stages
from ..plans.plan import Plan, related_fields_needed
from ..records.inside import key_of, load, row_of, set_parents
from ..records.origin import Origin, Peers
from ..values.ids import as_id, id_of
from .by_id import parents_in, ref
from .forward import Forward, with_forward, without_forward
from .planner import plan_with_requests

Ahead: TypeAlias = Callable[[Iterator[Page]], Iterator[Page]]


def objects(query: Query, workers: int = 1) -> Iterator[Any]:
    """Return the objects, streamed, one page ahead; nothing is kept."""
    found = chain.from_iterable(_streams(without_forward(query), workers))
    return with_forward(query, found, objects) if query.forward else found


def _streams(query: Query, workers: int) -> Iterator[Iterable[Any]]:
    """Yield the one stream of objects, planned when the first object is asked for."""
    found, start, stop = _read(query, workers, look_ahead)
    yield islice(chain.from_iterable(found), start, stop)


def lists(query: Query, workers: int = 1) -> Iterator[list[Any]]:
    """Yield the objects in lists: those of a page of the server each, none of them empty."""
    found, start, stop = _read(without_forward(query), workers, page_ahead)
    place, bring = 0, Forward(query, objects)
    for some in map(list, found):
        shown = some[max(0, start - place) : None if stop is None else stop - place]
        place += len(some)
        if shown:
            yield bring(shown)
        if stop is not None and place >= stop:
            return


def fetch(query: Query, identifier: Any) -> Any:
    """Return the object of this id from its own address, if the query matches it.

    One request, and a listing where the object's row does not say what it belongs to. Raises
    DoesNotExist.
    """
    options = query.options
    if isinstance(identifier, int) and identifier < 1 and not query.client.is_dry:
        raise DoesNotExist(f"no {options.name} has the id {identifier}: ids begin at 1")
    in_address = {name: v for name, v in query.scope.items() if options.addresses(name)}
    obj = ref(query.but(scope=in_address), identifier).refresh()
    if not query.where.holds(obj):
        raise DoesNotExist(f"{obj!r} does not match {query.description}")
    unsaid = {}
    for name, value in query.scope.items():
        relation = options.relations.get(name)
        said = None if relation is None else getattr(obj, relation.id_name)
        if said is None:
            unsaid[name] = relation
        elif said != id_of(value):
            raise DoesNotExist(f"{obj!r} is not of {name} {id_of(value)}")
    if unsaid and not any(key_of(one) == key_of(obj) for one in objects(query)):
        raise DoesNotExist(f"{obj!r} is not one of {query.description}")
    for name, relation in unsaid.items():
        if relation is not None:
            row_of(obj)[options.fields[relation.id_name].wire] = id_of(query.scope[name])
    set_parents(obj, parents_in(query.scope))
    return obj


def _read(
    query: Query, workers: int, ahead: Ahead
) -> tuple[Iterator[Iterable[Any]], int, int | None]:
    """Return the objects as their pages come, and where in them a slice begins and ends."""
    start, stop = query.start, query.stop
    if query.loaded is not None:
        matching = filter(predicate(query.where), query.loaded)
        return iter([ordered(matching, query.ordering)]), start, stop
    planned = plan_with_requests(query)
    if planned.nothing:
        return iter(()), 0, None
    if not query.is_by_id:
        return _in_any_order(query, planned, workers, ahead), 0, None
    source = source_of(query)
    select = Select.of(query, planned, workers=workers)
    if planned.here is None:
        select = attrs.evolve(select, limit=stop)
        if isinstance(source, Keyset):
            limit = None if stop is None else stop - start
            select = attrs.evolve(select, start=start, limit=limit)
            start, stop = 0, None
    verify = isinstance(source, Keyset) and planned.here is None and query.where != EVERYTHING
    if planned.stages is not None and not ids_asked_for(planned)[1]:
        return in_two_stages(select, planned.stages, ahead), start, stop
    loader = Loader(select, planned.here, verify=verify)
    listed = source.pages(select)
    if workers == 1 and not select.is_one_page:
        listed = ahead(listed)
    return map(loader, listed), start, stop


def in_two_stages(select: Select, stages: Stages, ahead: Ahead) -> Iterator[Iterable[Any]]:
    """Yield the objects of a first page, and then of the others as that page suggests.

    Where ``stages.first`` is true of few of its rows, only what decides that is read of the others,
    and those that it is true of are read by id; what may have changed meanwhile is checked again.
    """
    planned, first = select.plan, stages.first
    listing = TaskListing(attrs.evolve(select, workers=1))
    listed = listing.pages()
    page = next(listed, None)
    if page is None:
        return
    found = list(Loader(select)(page))
    yield filter(predicate(planned.here or EVERYTHING), found)
    last, left = page.rows[-1]["id"], listing.promised - len(found)
    if left > 0 and stages.pay(left, sum(map(predicate(first), found)) / len(found)):
        listed = _by_id(select, first, listing.sizer, last)
    elif left > 0 and select.workers > 1:
        listed = TaskListing(select, listing.sizer, last).pages()
    yield from map(Loader(select, planned.here), ahead(listed) if select.workers == 1 else listed)


def _by_id(select: Select, first: Node, sizer: PageSizer, after: int) -> Iterator[Page]:
    """Yield by id the rows behind ``after`` of which ``first`` is true.

    What decides that is all that is read of every row.
    """
    query, inside = select.query, related_fields_needed(first)
    narrow = query.but(fields=frozenset({"id"}), relations=frozenset(inside), related_fields=inside)
    light = attrs.evolve(
        Select.of(narrow, attrs.evolve(select.plan, here=first), workers=select.workers),
        related_fields=narrow.related_fields,
    )
    loader = Loader(light, first)
    enough = IDS if query.stop is None else min(IDS, max(FEW, query.stop))
    whole, ids = PageSizer(query.client, min(enough, sizer.size)), list[int]()
    for page in TaskListing(light, sizer, after).pages():
        ids += [obj.id for obj in loader(page)]
        if len(ids) >= enough:
            yield from TASKS.by_ids(select, ids, whole)
            ids = []
    yield from TASKS.by_ids(select, ids, whole)


class Loader:
    """Makes the objects of each page of a listing, those that a condition holds for.

    ``verify``: look whether the first page holds what was filtered for.
    """

    def __init__(self, select: Select, check: Node | None = None, *, verify: bool = False) -> None:
        self._select, self._query = select, select.query
        self._parents = parents_in(select.scope)
        self._shared: dict[Any, Any] = {}
        self._matches = None if check is None else predicate(check)
        self._peers: dict[str, Peers] = {}
        self._is_to_verify = verify

    def __call__(self, page: Page) -> Iterable[Any]:
        """Return the objects of a page.

        Raises LabelStudioError where most of the tasks of the first page do not match what was
        filtered for: a proxy may drop the query. It is asked for again then, since tasks may have
        changed while the server made the page.
        """
        query = self._query
        if self._is_to_verify:
            self._is_to_verify = False
            if _mostly_unmatched(query, page):
                self._refuse_again()
        self._peers = _peers(query, page, self._peers)
        origin = Origin(
            query.client,
            self._parents,
            page.uncomputed,
            page.prefetched,
            page.whole,
            shared=self._shared,
            peers=self._peers,
            asked=query.fields or frozenset(),
            inside=self._select.related_fields,
        )
        found = load(query.model, page.rows, origin)
        return found if self._matches is None else filter(self._matches, found)

    def _refuse_again(self) -> None:
        select = attrs.evolve(self._select, workers=1)
        page = next(source_of(self._query).pages(select), None)
        if page is not None and _mostly_unmatched(self._query, page):
            raise listing_error(select, f"most tasks do not match {self._query.description}")


def _mostly_unmatched(query: Query, page: Page) -> bool:
    """Return whether more than half of the rows do not match, as far as they show it."""
    shown = [
        part
        for part in parts_of(query.where)
        if isinstance(part, Leaf)
        and part.relation is None
        and part.field.name not in page.uncomputed
        and all(part.field.wire in row for row in page.rows)
    ]
    if not shown or not page.rows:
        return False
    origin = Origin(query.client, {}, page.uncomputed, page.prefetched, page.whole)
    found = list(load(query.model, page.rows, origin))

    def unmatched(some: Iterable[Any]) -> int:
        return sum(not all(part.holds(obj) for part in shown) for obj in some)

    return bool(unmatched((found[0], found[-1]))) and 2 * unmatched(found) > len(found)


def _peers(query: Query, page: Page, before: Mapping[str, Peers]) -> dict[str, Peers]:
    """Return the tasks that the rows of a page are of, by relation: one request brings many."""
    options = query.options
    return {
        name: Peers(
            (as_id(row.get(options.fields[relation.id_name].wire)) for row in page.rows),
            before.get(name),
        )
        for name, relation in options.relations.items()
        if name not in query.scope and options_of(relation.target).pages.filters_tasks
    }


# -- other orders ---------------------------------------------------------------------------------


def _in_any_order(
    query: Query, planned: Plan, workers: int, ahead: Ahead
) -> Iterator[Iterable[Any]]:
    """Yield the objects by any keys.

    Of tasks ids and keys are read first, and then the rows by id; of others all rows.
    """
    source, keys = source_of(query), query.ordering
    start, stop = query.start, query.stop
    if not isinstance(source, Keyset) or is_read_at_once(query, planned):
        names = frozenset(key.field.name for key in keys)
        fields = None if query.fields is None else query.fields | names
        yield ordered(objects(_unsorted(query).but(fields=fields), workers), keys)[start:stop]
        return
    if is_one_page(query, planned):
        top = _top(query, planned, source)
        if top is not None:
            yield top[start:stop]
            return
    found = ordered(objects(keys_of(query), workers), keys)[start:stop]
    select = Select.of(query, Plan(), workers=workers)
    listed = source.by_ids(select, [obj.id for obj in found])
    yield from map(Loader(select), listed if workers > 1 else ahead(listed))


def _unsorted(query: Query) -> Query:
    return query.but(ordering=(), start=0, stop=None)


def keys_of(query: Query) -> Query:
    """Return the query of the ids and the keys of the same objects, from which they are sorted."""
    names = {key.field.name for key in query.ordering}
    return _unsorted(query).but(fields=frozenset({"id", *names}), relations=frozenset())


def is_read_at_once(query: Query, planned: Plan) -> bool:
    """Return whether rows by id would take more requests than reading them with the keys.

    True for very long lists of ids, since those are read as whole pages.
    """
    if not asks_for_many(planned):
        return False
    few = query.stop is not None and query.stop - query.start <= IDS
    return query.fields is not None or not few


def is_one_page(query: Query, planned: Plan) -> bool:
    """Return whether the first rows can be asked for in the server's own order.

    So it is with a few of them, by a column that the server orders as we do, where it also filters
    exactly.
    """
    key = query.ordering[0]
    return (
        query.stop is not None
        and query.stop <= FIRST_PAGE
        and key.field.name in ORDERED
        and planned.here is None
        and planned.counts
        and not query.is_of_view
        and not asks_for_many(planned)
    )


def _top(query: Query, planned: Plan, source: Keyset) -> list[Any] | None:
    """Return the first objects, up to where the slice stops; None where that is unknown.

    One request. Where objects tie there, which the server leaves in any order, those that tie are
    asked for by the further keys.
    """
    stop, key, further = query.stop or 0, query.ordering[0], query.ordering[1:]
    names = {one.field.name for one in query.ordering}
    select = Select.of(query, planned, also=names)
    page = source.top(select, key, stop + 1)
    if page is None:
        return None
    found = ordered(Loader(select)(page), query.ordering)
    if len(found) <= stop:
        return found
    last = key.value(found[stop])
    before = [obj for obj in found if key.value(obj) != last]
    if len(before) == stop:
        return before
    lookup = {f"{key.field.name}__isnull": True} if last is None else {key.field.name: last}
    where = conjunction(query.where, build(query.model, (), lookup, query.url))
    tied = query.but(where=where, ordering=further, start=0, stop=stop - len(before))
    found = before + list(objects(tied))
    return found if len(set(found)) == stop else None
