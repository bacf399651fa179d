"""The single objects that others point to, brought along for many at once: ``prefetch("task")``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeAlias

from ..conditions.q import build
from ..conditions.query import Query
from ..fields.options import options_of
from ..http.addresses import names_in
from ..http.page_sizes import FIRST_PAGE, PAGE
from ..records.inside import ancestors, kept_with, key_of

if TYPE_CHECKING:
    from ..fields.relations import Relation

Read: TypeAlias = Callable[[Query], Iterable[Any]]
"""How the objects of a query are read."""


def can_bring(relation: Relation) -> bool:
    """Return whether the targets of a relation are listed at all, or within a known project."""
    options = options_of(relation.target)
    if not options.collection or not options.key:
        return False
    needed = {*options.pages.scoped_by, *names_in(options.collection)}
    return not needed or (_has_project(relation.target) and _has_project(relation.owner))


def _has_project(model: type[Any]) -> bool:
    return "project" in options_of(model).relations


def without_forward(query: Query) -> Query:
    """Return the query of the objects alone, with the ids of those that they point to."""
    if not query.forward:
        return query
    ids = {query.options.relations[name].id_name for name in query.forward}
    fields = None if query.fields is None else query.fields | ids
    return query.but(forward=frozenset(), fields=fields)


def with_forward(query: Query, objects: Iterator[Any], read: Read) -> Iterator[Any]:
    """Yield the same objects, each with those that it points to; some hundreds at a time."""
    bring = Forward(query, read)
    for size in chain((FIRST_PAGE,), iter(lambda: PAGE, None)):
        some = list(islice(objects, size))
        yield from bring(some)
        if len(some) < size:
            return


class Forward:
    """Brings the objects that others point to.

    Those of the previous call are kept, so that what many rows share is read once.

    Args:
        query: Which objects point, and the relations to bring.
        read: How they are read.
    """

    def __init__(self, query: Query, read: Read) -> None:
        self._query, self._read = query, read
        self._known: dict[str, dict[Any, Any]] = {}

    def __call__(self, objects: list[Any]) -> list[Any]:
        """Return the same objects, with what they point to loaded; one request for many."""
        for name in sorted(self._query.forward):
            relation = self._query.options.relations[name]
            ids = [getattr(obj, relation.id_name) for obj in objects]
            pointing = [
                (obj, id)
                for obj, id in zip(objects, ids, strict=True)
                if isinstance(id, int) and not _is_at_hand(obj, relation, id)
            ]
            self._known[name] = self._found(relation, pointing)
            for obj, id in pointing:
                if id in self._known[name]:
                    kept_with(obj)[name] = self._known[name][id]
        return objects

    def _found(self, relation: Relation, pointing: list[tuple[Any, int]]) -> dict[int, Any]:
        known = self._known.get(relation.name, {})
        found = {id: known[id] for _, id in pointing if id in known}
        within: dict[Any, dict[int, None]] = {}
        in_project = _has_project(relation.target) and _has_project(relation.owner)
        for obj, id in pointing:
            project = (self._query.project or obj.project_id) if in_project else None
            if id not in found and (project is not None or not in_project):
                within.setdefault(project, {})[id] = None
        options = options_of(relation.target)
        for project, ids in within.items():
            where = build(relation.target, (), {f"{options.key}__in": [*ids]}, self._query.url)
            scope = {} if project is None else {"project": project}
            query = Query(relation.target, self._query.connection, scope=scope, where=where)
            found.update((key_of(one), one) for one in self._read(query))
        return found


def _is_at_hand(obj: Any, relation: Relation, id: int) -> bool:
    return relation.name in kept_with(obj) or _above(obj, relation, id) is not None


def _above(obj: Any, relation: Relation, id: Any) -> Any:
    above = (one for one in ancestors(obj) if type(one) is relation.target and key_of(one) == id)
    return next(above, None)


def at_hand(obj: Any, relation: Relation) -> Any:
    """Return the object that another one points to, if it is there without a request; else None."""
    id = getattr(obj, relation.id_name)
    if id is None:
        return None
    found = kept_with(obj).get(relation.name)
    return found if found is not None else _above(obj, relation, id)
