"""A selection of objects, described and not read: how a queryset is narrowed, ordered and cut."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ...errors import FieldError
from .. import conditions, reading
from ..conditions.query import Query
from ..conditions.tree import EVERYTHING, Node, conjunction, exactly, negation, parts_of, pins
from ..http.connection import Connection
from ..http.deadline import deadline_of
from ..values.misuse import MISSING, of_missing, read_again
from ..values.secret import hide

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..conditions.places import Place
    from ..conditions.q import Q

R_co = TypeVar("R_co", covariant=True)


class Selection(Generic[R_co]):
    """Some objects of one resource, which no method here reads."""

    _cache: list[Any] | None

    @cached_property
    def _query(self) -> Query:
        """What is asked: made when it is needed where the objects came inside of another row."""
        described, owner = self.__dict__["_described"]
        made: Query = described(owner, self._cache)
        return made

    def __init__(self, model: type[Any], client: Connection | str, **state: Any) -> None:
        self._set(Query(model, client, **state))

    def _set(self, query: Query) -> None:
        self.__dict__["_query"] = query
        self.__dict__["_cache"] = None

    def _but(self, **state: Any) -> Self:
        """Return the same selection with some of its state replaced."""
        return evolved(self, **state)

    @property
    def model(self) -> type[Any]:
        """The class of the objects."""
        return self._query.model

    @property
    def client(self) -> Connection:
        """The client that is asked.

        For a queryset that was unpickled it is the default one of the same server (``connect()``);
        ValueError if there is none.
        """
        return self._query.client

    @property
    def _deadline(self) -> float | None:
        return deadline_of(self._query.client)

    @property
    def _known(self) -> frozenset[str] | None:
        return self._query.options.beside_secrets

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            """Only for what there is not, and for what raised AttributeError: that is then said."""
            if (found := read_again(self, name)) is not MISSING:
                return found
            if name.startswith("_"):
                raise AttributeError(name)
            query = self.__dict__.get("_query")
            model = query and query.model
            raise AttributeError(of_missing(self, name, model), name=name, obj=self)

        def __setattr__(self, name, value=None):
            raise AttributeError(
                f"a queryset never changes, so {name!r} cannot be set; its methods return new ones",
                name=name,
                obj=self,
            )

        __delattr__ = __setattr__

    # -- narrowing --------------------------------------------------------------------------------

    def all(self) -> Self:
        """Return the same objects, fresh, and confirm that all of them are meant.

        ``delete``, ``update`` and ``perform`` need that where there is no condition.
        """
        return self._but(all_confirmed=True)

    def filter(self, *conditions: Q, **lookups: Any) -> Self:
        """Return the objects for which every condition holds.

        Lookups are Django's: ``exact iexact contains icontains startswith istartswith endswith
        iendswith regex iregex in range gt gte lt lte isnull``, and ``data__a__b`` for task data,
        ``data__has_key``; ``data["a__b"] >= 5`` for keys of any name. Objects stand for their ids.
        Conditions on related objects are about one and the same of them, and those on its
        ``result`` about one region: ``result__label`` is any label in it, ``result__<control>``
        what the control of this name says. Conditions in a later ``filter()`` may match a different
        object.
        An UnknownKeyWarning reports, once, a key of ``data`` that no task of the project has, also
        where an order or ``values()`` names it. For keys that the labelling config does not show,
        one request reads which there are, which a project that is an object keeps, and one looks
        for each of them among the tasks.
        Raises FieldError at once for a field or lookup that does not exist, naming near ones.

        >>> project.tasks.filter(Q(annotators=7) | Q(total_predictions__gte=3), data__lang="de")
        >>> project.tasks.filter(annotations__completed_by=7, annotations__result__label="Positive")
        """
        self._query.refuse_slice("filtering")
        return self._narrowed(self._node(conditions, lookups))

    def _node(self, given: tuple[Q, ...], lookups: dict[str, Any]) -> Node:
        query = self._query
        return conditions.q.build(query.model, given, hide(lookups, self._known), query.url)

    def _narrowed(self, node: Node) -> Self:
        """Narrow by a condition, of which what pins the scope (``project=1``) becomes scope."""
        query = self._query
        scope, parts = dict(query.scope), list(parts_of(node))
        for name in query.options.pages.scoped_by:
            pinned = [one for one in parts if name not in scope and pins(one, f"{name}_id")]
            if pinned and (value := exactly(pinned[0], f"{name}_id")) is not None:
                scope[name] = value
                parts.remove(pinned[0])
        return self._but(where=conjunction(query.where, *parts), scope=scope)

    def exclude(self, *conditions: Q, **lookups: Any) -> Self:
        """Return the complement of ``filter``: objects with null or missing values stay."""
        self._query.refuse_slice("filtering")
        node = self._node(conditions, lookups)
        if node == EVERYTHING:
            return self._but()
        return self._narrowed(negation(node))

    def order_by(self, *keys: str | Place) -> Self:
        """Return the objects ordered by these fields; without keys, by id.

        ``-`` is for descending (``"-data__lang"``, ``-data["a.b"]``); nulls come last, ties by id.

        Any order but by id lists all ids and keys first and sorts here. A slice of up to 100 tasks
        from the front by a counter, a date, a score or the like is one page of the server, though,
        if it can filter exactly; two where tasks tie at its end.
        """
        self._query.refuse_slice("ordering")
        parsed = tuple(conditions.ordering.Key.of(self.model, key) for key in keys)
        for key in parsed:
            conditions.q.refuse_partly(key.field, str(key))
            if key.field.secret:
                raise FieldError(f"{self.model.__name__}.{key.field.name} is secret: no order")
        return self._but(ordering=parsed, from_end=False)

    def reverse(self) -> Self:
        """Return the objects in the opposite order; nulls stay last.

        The tasks of a view come in the order of the view, from its end.
        """
        query = self._query
        query.refuse_slice("reversing")
        if query.is_of_view and not query.ordering:
            return self._but(from_end=not query.from_end)
        keys = query.ordering or (conditions.ordering.Key.of(self.model, "id"),)
        return self._but(ordering=tuple(key.reversed() for key in keys))

    def only(self, *names: str | Place) -> Self:
        """Bring just these fields, and the id; the others are fetched when they are touched.

        ``annotations__result`` is one of what ``prefetch`` brings along; without the other fields
        of annotations the server lists them in two thirds of the time.

        >>> project.tasks.only("data", "annotations__result").prefetch("annotations")
        """
        fields, inner = {"id"}, dict[str, frozenset[str]]()
        for name in names:
            place = conditions.places.Place.of(name)
            if place.keys and place.head in self._prefetchable:
                relation, rest = place.head, "__".join(place.keys)
                found = conditions.q.find_field(
                    self._prefetchable[relation].target, rest, str(name)
                ).name
                inner[relation] = inner.get(relation, frozenset({"id"})) | {found}
            else:
                whole = place.head if place.literal else str(name)
                fields.add(conditions.q.find_field(self.model, whole).name)
        return self._but(fields=frozenset(fields), related_fields=inner)

    def prefetch(self, *relations: str) -> Self:
        """Bring related objects along.

        The annotations and predictions of tasks come in the same requests. Single objects, as the
        task and the author of an annotation, are read for many at once: one request for 300 tasks,
        or one for all users.

        >>> project.tasks.prefetch("annotations", "predictions")
        >>> for prediction in project.predictions.prefetch("task"):
        ...     print(prediction.task.data["text"], prediction.score)
        """
        query, inside = self._query, self._prefetchable
        forward = {
            name: relation
            for name, relation in query.options.relations.items()
            if reading.forward.can_bring(relation)
        }
        for name in relations:
            if name not in inside and name not in forward:
                raise FieldError(
                    f"{self.model.__name__} cannot prefetch {name!r:.80}; "
                    f"it can prefetch {', '.join((*inside, *forward)) or 'nothing'}"
                )
        named = frozenset(relations)
        return self._but(
            relations=query.relations | named & inside.keys(),
            forward=query.forward | named & forward.keys(),
        )

    @property
    def _prefetchable(self) -> Mapping[str, Any]:
        options = self._query.options
        return options.inside if options.pages.filters_tasks else {}

    # -- how it is read ---------------------------------------------------------------------------

    def strict(self) -> Self:
        """Refuse to check anything here; no request.

        A condition that the server cannot filter exactly then raises FieldError when rows are
        needed.

        >>> project.tasks.filter(total_annotations=0).strict().count()
        3
        """
        return self._but(is_strict=True)

    def explain(self) -> str:
        """Describe how this would be read; no request.

        The text shows what the server filters, what runs here and why, and the requests.

        >>> print(project.tasks.filter(total_annotations=0, data__lang="de").explain())
        """
        return reading.explain.explain(self._query)

    # -- copies -----------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Return what is asked, without the client and the objects."""
        return {"_query": self._query.but(connection=self._query.url, loaded=None), "_cache": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __copy__(self) -> Self:
        return self._but()

    def __deepcopy__(self, memo: object) -> Self:
        return self._but()


S = TypeVar("S", bound=Selection[Any])
T = TypeVar("T")


def holding(
    kind: type[S], objects: list[Any], described: Callable[[T, list[Any]], Query], owner: T
) -> S:
    """Return a selection of objects that are there.

    ``described`` makes its query of the owner and the objects; a loop over them needs none.
    """
    made = object.__new__(kind)
    state = made.__dict__
    state["_cache"], state["_described"] = objects, (described, owner)
    return made


def query_of(selection: Selection[Any]) -> Query:
    """Return the query of a selection."""
    return selection._query


def evolved(selection: S, **state: Any) -> S:
    """Return a selection of the same class with some of its state replaced."""
    made = object.__new__(type(selection))
    made._set(selection._query.but(**state))
    return made
