"""QuerySet: a lazy, frozen description of some objects, and the verbs on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

import attrs

from ...errors import DoesNotExist, FieldError, MultipleObjectsReturned
from ...progress import reporter
from ..bulk.batches import BATCH_BYTES, BATCH_SIZE
from ..bulk.run import BulkRun
from ..conditions.ordering import Key
from ..conditions.places import Place, text_of
from ..conditions.q import Q, build, find_field, kept, leaf, refuse_partly
from ..conditions.tree import (
    EVERYTHING,
    Leaf,
    Node,
    conjunction,
    describe,
    exactly,
    negation,
    parts_of,
    pins,
)
from ..fields.options import options_of
from ..http.connection import default_client, number_of_workers
from ..http.deadline import allowed, in_steps, one_call
from ..pages import sources as pages
from ..pages.keyset import TASKS, Keyset
from ..pages.sources import Select, page_ahead
from ..plans.plan import Plan, fields_needed
from ..reading.explain import explain
from ..reading.planner import plan_of, plan_without_request
from ..reading.reader import parents_in, read
from ..reading.rows import Rows
from ..records.origin import Origin
from ..values.brief import brief
from ..values.codec import plain
from ..values.ids import exact_id, id_given, id_of, is_beyond, scope_text
from ..values.misuse import MISSING, check_items, check_number, of_missing, read_again
from ..values.secret import hidden_items, hide, hide_inside, seal
from .defaults import Said, changed_fields, new_fields, refuse_unfit

if TYPE_CHECKING:
    import pandas
    from typing_extensions import Never, Self

    from ...client import LabelStudio
    from ...progress import Progress
    from ..bulk.creation import OnConflict
    from ..values.summary import Created, OnError, Summary
    from .resource import Resource

R = TypeVar("R", bound="Resource")
V = TypeVar("V")

REPR_ROWS = 20

_ANY: Any = object()
"""No id was given: None would be that of an object which was deleted."""


@attrs.frozen(eq=False, repr=False, slots=False)
class QuerySet(Generic[R]):
    """Some objects of one resource:
    ``project.tasks.filter(total_annotations=0).order_by("-created_at")``.

    Every method that narrows or orders returns a new queryset and costs nothing. Requests are sent
    when objects are needed: by a loop, ``len``, ``bool``, an index, ``first``, ``count`` and the
    other verbs. A loop that ran to its end is kept, so a second one costs nothing; ``iterator()``
    keeps nothing.

    >>> todo = project.tasks.filter(total_annotations=0)     # no request
    >>> for task in todo:                                    # pages of up to 1,000 tasks
    ...     print(task.data)
    """

    model: type[R]
    _client: LabelStudio | str = attrs.field(alias="client")
    scope: Mapping[str, Any] = attrs.field(factory=dict)
    params: Mapping[str, Any] = attrs.field(factory=dict)
    where: Node = EVERYTHING
    ordering: tuple[Key, ...] = ()
    start: int = 0
    stop: int | None = None
    fields: frozenset[str] | None = None
    relations: frozenset[str] = frozenset()
    related_fields: Mapping[str, frozenset[str]] = attrs.field(factory=dict)
    said_all: bool = False
    is_strict: bool = False
    turned: bool = False
    named: tuple[Key, ...] = ()
    may_be_new: bool = False
    here: list[R] | None = None
    _cache: list[R] | None = attrs.field(default=None, init=False)

    @property
    def client(self) -> LabelStudio:
        """The client that is asked. For a queryset that was unpickled it is the default one of the
        same server (``connect()``); ValueError if there is none.
        """
        if not isinstance(self._client, str):
            return self._client
        return default_client(url=self._client)

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            """Only for what there is not, and for what raised AttributeError: that is then said."""
            if (found := read_again(self, name)) is not MISSING:
                return found
            if name.startswith("_"):
                raise AttributeError(name)
            model = self.__dict__.get("model")
            raise AttributeError(of_missing(self, name, model), name=name, obj=self)

    @property
    def _deadline(self) -> float | None:
        return self.client._deadline

    @property
    def _known(self) -> frozenset[str] | None:
        return options_of(self.model).beside_secrets

    @classmethod
    def of(cls, model: type[Any], client: LabelStudio, **state: Any) -> QuerySet[Any]:
        """A queryset of the class that the resource names in its header."""
        return (options_of(model).queryset or QuerySet)(model, client, **state)

    # -- narrowing --------------------------------------------------------------------------------

    def _with(self, **state: Any) -> Self:
        return attrs.evolve(self, **state)

    def _refuse_slice(self, verb: str) -> None:
        if self._is_slice:
            raise TypeError(
                f"{verb} a slice of a queryset is refused, since its meaning is unclear; slice last"
            )

    @property
    def _is_slice(self) -> bool:
        return self.start != 0 or self.stop is not None

    def all(self) -> Self:
        """The same objects, fresh; says that really all are meant, which ``delete`` insists on."""
        return self._with(said_all=True)

    def filter(self, *conditions: Q, **lookups: Any) -> Self:
        """The objects for which every condition holds.

        Lookups are Django's: ``exact iexact contains icontains startswith istartswith endswith
        iendswith regex iregex in range gt gte lt lte isnull``, and ``data__a__b`` for task data,
        ``data__has_key``; ``data["a__b"] >= 5`` for keys of any name. Objects stand for their ids.
        Conditions on related objects are about one and the same of them, and those on its
        ``result`` about one region: ``result__label`` is any label in it, ``result__<control>``
        what the control of this name says. Those of another call are about any.
        A key of ``data`` that no task of the project has is told once by UnknownKeyWarning, also
        where an order or ``values()`` names it. For keys that the labelling config does not show,
        one request reads which there are; a project that is an object keeps that.
        Raises FieldError at once for a field or lookup that does not exist, naming near ones.

        >>> project.tasks.filter(Q(annotators=7) | Q(total_predictions__gte=3), data__lang="de")
        >>> project.tasks.filter(annotations__completed_by=7, annotations__result__label="Positive")
        """
        self._refuse_slice("filtering")
        node = build(self.model, conditions, hide(lookups, self._known), self.client.url)
        return self._narrowed(conjunction(self.where, node))

    def _narrowed(self, where: Node) -> Self:
        """With these conditions; one that pins what a listing is of (``project=1``) becomes its
        scope.
        """
        scope = dict(self.scope)
        for name in options_of(self.model).pages.scoped_by:
            if name not in scope and (pinned := exactly(where, f"{name}_id")) is not None:
                scope[name] = pinned
                where = conjunction(
                    *(part for part in parts_of(where) if not pins(part, f"{name}_id"))
                )
        return self._with(where=where, scope=scope)

    def exclude(self, *conditions: Q, **lookups: Any) -> Self:
        """The complement of ``filter``: null and missing values are among the objects that stay."""
        self._refuse_slice("filtering")
        node = build(self.model, conditions, hide(lookups, self._known), self.client.url)
        if node == EVERYTHING:
            return self._with()
        return self._with(where=conjunction(self.where, negation(node)))

    def order_by(self, *keys: str | Place) -> Self:
        """Ordered by these fields, ``-`` for falling (``"-data__lang"``, ``-data["a.b"]``); nulls
        last, ties by id. Without keys: by id.

        Any order but by id lists all ids and keys first and sorts here. A slice of up to 100 tasks
        from the front by a counter, a date, a score or the like is one page of the server, though,
        if it can filter exactly; two where tasks tie at its end.
        """
        self._refuse_slice("ordering")
        parsed = tuple(Key.of(self.model, key) for key in keys)
        for key in parsed:
            refuse_partly(key.field, str(key))
            if key.field.secret:
                raise FieldError(f"{self.model.__name__}.{key.field.name} is secret: no order")
        return self._with(ordering=parsed, turned=False)

    def reverse(self) -> Self:
        """The opposite order (nulls stay last); of the tasks of a view, that of the view from its
        end.
        """
        self._refuse_slice("reversing")
        if "view" in self.scope and not self.ordering:
            return self._with(turned=not self.turned)
        keys = self.ordering or (Key.of(self.model, "id"),)
        return self._with(ordering=tuple(key.reversed() for key in keys))

    def only(self, *names: str | Place) -> Self:
        """Bring just these fields (and the id); the others are fetched when they are touched.
        ``annotations__result`` is one of what ``prefetch`` brings along; without the other fields
        of annotations the server lists them in two thirds of the time.

        >>> project.tasks.only("data", "annotations__result").prefetch("annotations")
        """
        fields, inner = {"id"}, dict[str, frozenset[str]]()
        for name in names:
            place = Place.of(name)
            if place.keys and place.head in self._prefetchable:
                relation, rest = place.head, "__".join(place.keys)
                found = find_field(self._prefetchable[relation].target, rest, str(name)).name
                inner[relation] = inner.get(relation, frozenset({"id"})) | {found}
            else:
                whole = place.head if place.literal else str(name)
                fields.add(find_field(self.model, whole).name)
        return self._with(fields=frozenset(fields), related_fields=inner)

    def prefetch(self, *relations: str) -> Self:
        """Bring related objects along in the same requests: ``prefetch("annotations",
        "predictions")``.
        """
        known = self._prefetchable
        for name in relations:
            if name not in known:
                raise FieldError(
                    f"{self.model.__name__} cannot prefetch {name!r:.80}; "
                    f"it can prefetch {', '.join(known) or 'nothing'}"
                )
        return self._with(relations=self.relations | set(relations))

    @property
    def _prefetchable(self) -> Mapping[str, Any]:
        return options_of(self.model).sets if options_of(self.model).pages.filters_tasks else {}

    # -- reading ----------------------------------------------------------------------------------

    @property
    def _falling_ids(self) -> bool:
        return self._in_id_order and bool(self.ordering) and self.ordering[0].falling

    @property
    def _in_id_order(self) -> bool:
        return not self.ordering or (self.ordering[0].field.name == "id" and self._listed_by_id)

    @property
    def _listed_by_id(self) -> bool:
        """A project's annotations come by their tasks."""
        through_tasks = isinstance(options_of(self.model).pages, pages.Embedded)
        return not through_tasks or "task" in self.scope

    def _planned(self) -> Plan:
        """How this would be read, as far as that is known without a request."""
        return plan_without_request(self)

    def _plan(self) -> Plan:
        """How this is read. Raises FieldError for what is refused."""
        return plan_of(self)

    def strict(self) -> Self:
        """Refuse to check anything here: a condition that the server cannot filter exactly then
        raises FieldError when rows are needed. Costs no request.

        >>> project.tasks.filter(total_annotations=0).strict().count()
        3
        """
        return self._with(is_strict=True)

    def explain(self) -> str:
        """How this would be read: what the server filters, what runs here and why, and the
        requests. Costs no request.

        >>> print(project.tasks.filter(total_annotations=0, data__lang="de").explain())
        """
        return explain(self)

    def _select(self, planned: Plan, *, workers: int = 1, also: Iterable[str] = ()) -> Select:
        needed, related = fields_needed(planned.here)
        needed = needed.union(also)
        computed = options_of(self.model).computed
        wanted = (needed | (self.fields or set())) & computed
        return Select(
            self.model,
            self.client,
            planned,
            scope=self.scope,
            params=self.params,
            fields=None if self.fields is None else self.fields | needed,
            wanted=frozenset(wanted),
            relations=self.relations | related,
            related_fields={} if related else self.related_fields,
            backwards=self._falling_ids or self.turned,
            by_id=bool(self.ordering),
            workers=workers,
        )

    def iterator(self, *, workers: int | None = None, progress: Progress = None) -> Iterator[R]:
        """The objects, streamed: constant memory, nothing is kept. One request a page, one page
        ahead.

        ``workers``: how many threads read ahead (default: the client's ``workers``, which is 1).
        The objects come in the same order, at most three pages a worker are held in memory, and
        whoever leaves the loop stops them. Tasks alone are read in parallel, by ranges of ids and,
        in an order other than id, by chosen ids; everything else is read by one.
        ``progress``: True for a line on stderr, or a function ``(done, total)``; the total is None
        where the server cannot count them. The client's ``deadline`` bounds the seconds in which
        the loop waits for objects, all together; what its body takes does not count.

        Tasks are read by id from where the last page ended, so they may be saved, deleted and
        added meanwhile: each one that exists throughout comes exactly once. Of those that are added
        some may come.

        >>> for task in project.tasks.iterator(workers=4):
        ...     print(task.data)
        """
        objects = self._objects(number_of_workers(workers, self.client))
        if progress:
            objects = self._reported(objects, progress)
        return in_steps(allowed("a loop", self), objects)

    def pages(self, *, workers: int | None = None) -> Iterator[list[R]]:
        """The same objects as from ``iterator``, in lists: those of a page of the server each.

        What is checked here makes lists shorter; none is empty. The first page is requested alone,
        each later one while the one before it is in use. ``workers`` as for ``iterator``.

        >>> for tasks in project.tasks.filter(total_annotations=0).pages():
        ...     print(len(tasks))
        3
        """
        return in_steps(
            allowed("a loop", self), self._lists(number_of_workers(workers, self.client))
        )

    @one_call
    def partitions(self, n: int) -> list[Self]:
        """``n`` disjoint querysets by ranges of ids, which together have all objects of this one:
        for ``n`` processes. They can be pickled.

        The parts are of about the same size. The first and the last are without an end, so objects
        that are added later belong to one of them too. By falling id the parts fall as well. ``n``
        requests for one task each; for other resources the ids are listed.

        Raises TypeError for a slice, whose objects only the whole has, and for resources without
        numbers as ids; ValueError for the tasks of a view, which the server does not filter, and
        unless ``n`` is a number from 1 on.

        >>> for part in project.tasks.filter(total_annotations=0).partitions(2):
        ...     print(part.count())
        1
        2
        """
        self._refuse_slice("partitioning")
        check_number("the number of partitions", n)
        options = options_of(self.model)
        if "view" in self.scope:
            raise ValueError(
                f"{self._what} cannot be partitioned: the server drops a query beside a view; "
                "partition the project's tasks, with the view's condition in filter()"
            )
        if not options.key or options.fields[options.key].annotation is not int:
            raise TypeError(f"{options.name}s have no numbers as ids to be partitioned by")
        cuts = [None, *self._cuts(n), None]
        parts = [
            self.filter(
                **({} if low is None else {f"{options.key}__gt": low}),
                **({} if high is None else {f"{options.key}__lte": high}),
            )
            for low, high in pairwise(cuts)
        ]
        first = self.ordering[0] if self.ordering else None
        falls = first is not None and first.falling and first.field.name == options.key
        return parts[::-1] if falls else parts

    def _cuts(self, n: int) -> list[int]:
        source = options_of(self.model).pages
        planned = self._plan()
        if isinstance(source, Keyset) and self.here is None and not planned.nothing:
            return source.cuts(self._select(planned), n)
        ids = [0, *sorted(obj._key for obj in self._light())]
        return [ids[part * (len(ids) - 1) // n] for part in range(1, n)]

    def _reported(self, objects: Iterator[R], progress: Progress) -> Iterator[R]:
        total = None if self._plan().here else self.count()
        with reporter(progress, f"reading {self._what}") as report:
            report(0, total)
            done = 0
            for done, obj in enumerate(objects, start=1):
                yield obj
                report(done, total)
            if total is None:
                report(done, done)

    def _objects(self, workers: int) -> Iterator[R]:
        found, start, stop = read(self, workers)
        yield from islice(chain.from_iterable(found), start, stop)

    def _lists(self, workers: int) -> Iterator[list[R]]:
        found, start, stop = read(self, workers, page_ahead)
        place = 0
        for objects in map(list, found):
            shown = objects[max(0, start - place) : None if stop is None else stop - place]
            place += len(objects)
            if shown:
                yield shown
            if stop is not None and place >= stop:
                return

    def __iter__(self) -> Iterator[R]:
        if self.here is not None and self._is_everything:
            return iter(self.here)
        if self._cache is not None:
            return iter(self._cache)
        return self._filling()

    @property
    def _is_everything(self) -> bool:
        return self.where is EVERYTHING and not self.ordering and not self._is_slice

    def _filling(self) -> Iterator[R]:
        if self._cache is not None:  # list() asks for the length after it has the iterator
            yield from self._cache
            return
        seen = []
        for obj in self.iterator():
            seen.append(obj)
            yield obj
        self._keep(seen)

    def _all(self) -> list[R]:
        return self._keep(list(self.iterator())) if self._cache is None else self._cache

    def _keep(self, objects: list[R]) -> list[R]:
        self.__dict__["_cache"] = objects  # all that ever changes in a queryset
        return objects

    def __len__(self) -> int:
        return len(self._all())

    def __bool__(self) -> bool:
        return bool(self._all())

    def __contains__(self, obj: object) -> bool:
        return obj in self._all()

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> R | Self:
        """``[i]`` is the object at that place (IndexError beyond the end), ``[a:b]`` a lazy
        queryset.
        """
        if isinstance(index, slice):
            return self._sliced(index)
        index = plain(index)
        if not isinstance(index, int):
            raise TypeError(f"a queryset is indexed by numbers and slices, not {index!r:.80}")
        if index < 0:
            raise ValueError("a queryset has no negative indexes; use reverse() or last()")
        if self._cache is not None:
            return self._cache[index]
        for obj in self._sliced(slice(index, index + 1)):
            return obj
        raise IndexError(f"{self._what} has no object at {index}")

    def _sliced(self, index: slice) -> Self:
        if index.step is not None or (index.start or 0) < 0 or (index.stop or 0) < 0:
            raise ValueError("a queryset takes [start:stop] with numbers from 0 on, without a step")
        start = self.start + (index.start or 0)
        stops = [
            stop
            for stop in (self.stop, None if index.stop is None else self.start + index.stop)
            if stop is not None
        ]
        return self._with(start=start, stop=max(start, min(stops)) if stops else None)

    # -- asking -----------------------------------------------------------------------------------

    @one_call
    def count(self) -> int:
        """How many there are: one request where the server can say, else the rows are read (ids
        only).
        """
        if self._cache is not None:
            return len(self._cache)
        if self.here is None:
            planned = self._plan()
            if planned.nothing:
                return 0
            if planned.counts:
                total = options_of(self.model).pages.count(self._select(planned))
                if total is not None:
                    stop = total if self.stop is None else min(self.stop, total)
                    return max(0, stop - self.start)
        return sum(1 for _ in self._light().iterator())

    def _light(self) -> Self:
        return self._with(fields=frozenset({"id"}), relations=frozenset(), ordering=())

    def exists(self) -> bool:
        """Is there any? One request where the server can filter."""
        if self._cache is not None:
            return bool(self._cache)
        return any(True for _ in self._light()[:1])

    def first(self) -> R | None:
        """The first object, or None. One request where the server can filter, by id or by a column
        of its own (two where objects tie).
        """
        return next(iter(self[:1]), None)

    def last(self) -> R | None:
        """The last object, or None. One request by id; in another order the ids and keys of all
        tasks and then that one (other resources are listed with all their fields).
        """
        if self._is_slice or self.here is not None or not self._listed_by_id:
            found = self._all()
            return found[-1] if found else None
        if self._in_id_order:
            return self.reverse().first()
        return next(iter(self._with(start=-1)), None)  # sorted here, and then cut

    @one_call
    def get(self, id: int | str | R | Q = _ANY, *conditions: Q, **lookups: Any) -> R:
        """The one object that fits. One request.

        ``get(5)`` reads one object by id; within a relation it must belong to it. Raises
        DoesNotExist or MultipleObjectsReturned.

        >>> ls.projects.get(title="Reviews")
        <Project 1 'Reviews'>
        """
        if isinstance(id, Q):
            conditions, id = (id, *conditions), _ANY
        options = options_of(self.model)
        if id is None:
            raise ValueError(
                f"get(None): a {self.model.__name__} that is not saved, or was deleted, has no id"
            )
        if id is not _ANY:
            lookups[options.key] = self._as_key(id)
        narrowed = self.filter(*conditions, **hide(lookups, self._known))
        identifier = exactly(narrowed.where, options.key)
        if identifier is not None and options.item and self.here is None:
            return narrowed._fetched(identifier)
        found = list(narrowed[:2])
        if not found:
            raise DoesNotExist(f"no {options_of(self.model).name} fits {narrowed._what}")
        if len(found) > 1:
            raise MultipleObjectsReturned(
                f"several {options_of(self.model).name}s fit {narrowed._what}, "
                f"the first two: {found[0]!r}, {found[1]!r}"
            )
        return found[0]

    def _fetched(self, identifier: Any) -> R:
        """The object of this id from its own address, if it is one of these: the server's row says
        so, or else the listing does.
        """
        options = options_of(self.model)
        if isinstance(identifier, int) and identifier < 1 and not self.client.is_dry:
            raise DoesNotExist(f"no {options.name} has the id {identifier}: ids begin at 1")
        in_address = {name: v for name, v in self.scope.items() if options.addresses(name)}
        obj = self._with(scope=in_address).ref(identifier).refresh()
        if not self.where.holds(obj):
            raise DoesNotExist(f"{obj!r} does not fit {self._what}")
        unsaid = {}
        for name, value in self.scope.items():
            relation = options.relations.get(name)
            said = None if relation is None else getattr(obj, relation.id_name)
            if said is None:
                unsaid[name] = relation
            elif said != id_of(value):
                raise DoesNotExist(f"{obj!r} is not of {name} {id_of(value)}")
        if unsaid and not any(one._key == obj._key for one in self.iterator()):
            raise DoesNotExist(f"{obj!r} is not one of {self._what}")
        for name, relation in unsaid.items():
            if relation is not None:
                obj._row[options.fields[relation.id_name].wire] = id_of(self.scope[name])
        obj._came_through(parents_in(self.scope))
        return obj

    def ref(self, id: int | str) -> R:
        """A handle on the object of this id, without a request; its fields are fetched when
        touched.
        """
        options = options_of(self.model)
        row = {options.key_wire: self._as_key(id)}
        for name, value in self.scope.items():
            relation = options.relations.get(name)
            if relation:
                row[options.fields[relation.id_name].wire] = id_of(value)
        return self.model._from_row(row, Origin(self.client, parents_in(self.scope)))

    def _as_key(self, id: Any) -> Any:
        """An id as the resource's key has it: a number, or a text. Raises DoesNotExist for a number
        that no id can be.
        """
        found = self._key_given(id)
        if is_beyond(found):
            raise DoesNotExist(
                f"no {options_of(self.model).name} has the id {found}: a server knows none of it"
            )
        return found

    def _key_given(self, id: Any) -> Any:
        key = options_of(self.model).fields[options_of(self.model).key]
        if isinstance(id, self.model):
            self._refuse_stranger(id, "get()")
            return id._saved_id("get()")
        if key.references:
            id = id_of(id)
        if key.annotation is not str:
            return exact_id(id)
        if not isinstance(id, str) or not id:
            raise ValueError(
                f"the {key.name} of a {options_of(self.model).name} is a text, not {id!r:.80}"
            )
        return id

    def _in_scope(self, value: Any, what: str) -> R | int:
        """An object of the resource, or its id as a number: what something else may be listed by.
        Raises ValueError for an object without an id, for one of another server, and for no id.
        """
        try:
            if not hasattr(value, "_saved_id"):
                return exact_id(value)
            if not isinstance(value, self.model):
                raise ValueError(f"{value!r:.80} is no {options_of(self.model).name}")
        except ValueError as error:
            raise ValueError(f"{what}: {error}") from None
        value._saved_id(what)
        self._refuse_stranger(value, what)
        return value

    def _refuse_stranger(self, value: Any, what: str) -> None:
        if value._server not in (None, self.client.url):
            raise ValueError(
                f"{what}: {value!r:.80} is on {value._server}, not on {self.client.url}"
            )

    def _id_given(self, value: Any, what: str) -> int:
        """The id of an object of the resource that a verb was given, or the id itself. Raises
        TypeError for none, ValueError for anything else that is no such id.
        """
        id_given(value, what)
        return cast(int, id_of(self._in_scope(value, what)))

    def in_bulk(self, ids: Iterable[int]) -> dict[int, R]:
        """The objects of these ids, by id; those that do not exist are left out. Raises TypeError
        for what is no list of ids, and for a text, whose letters are not meant.
        """
        if isinstance(ids, (str, bytes, bytearray)) or not isinstance(ids, Iterable):
            raise TypeError(f"in_bulk() takes a list of ids, not {brief(ids)}")
        lookup = f"{options_of(self.model).key}__in"
        asked = [key for key in map(self._key_given, ids) if not is_beyond(key)]
        return {obj._key: obj for obj in self.filter(**{lookup: asked})}

    def _load_rows(self, rows: Iterable[dict[str, Any]]) -> Iterator[R]:
        """Objects of rows that another request than a listing gave."""
        return self.model._load(rows, Origin(self.client, parents_in(self.scope)))

    # -- rows of another shape --------------------------------------------------------------------

    def values(self, *names: str | Place) -> Rows[dict[str, Any]]:
        """Dicts instead of objects: ``values("id", "data__text")``, by these names; that of an
        expression is its text, ``'data["a.b"]'``. Without names: every field but secrets and those
        that a listing leaves out. Asks the server for just these fields.
        """
        texts = tuple(map(text_of, names)) or self._plain_names()
        return self._rows(texts, bool(names), lambda found: dict(zip(texts, found, strict=True)))

    @overload
    def values_list(self, name: str | Place, /, *, flat: bool) -> Rows[Any]: ...
    @overload
    def values_list(self, *names: str | Place) -> Rows[tuple[Any, ...]]: ...
    def values_list(self, *names: str | Place, flat: bool = False) -> Rows[Any]:
        """Tuples instead of objects, or with ``flat=True`` the bare values of one field.

        >>> list(project.tasks.values_list("id", flat=True))
        [1, 2, 3, 4]
        """
        if flat and len(names) != 1:
            raise TypeError("values_list(flat=True) takes exactly one field")
        texts = tuple(map(text_of, names)) or self._plain_names()
        return self._rows(texts, bool(names), lambda found: found[0] if flat else found)

    def _plain_names(self) -> tuple[str, ...]:
        fields = options_of(self.model).fields.values()
        return tuple(
            one.name for one in fields if not one.secret and not one.computed and not one.left_out
        )

    def _rows(
        self, texts: Sequence[str], narrow: bool, shape: Callable[[tuple[Any, ...]], V]
    ) -> Rows[V]:
        keys = [Key.of(self.model, text) for text in texts]
        for key in keys:
            if key.field.secret:
                raise FieldError(f"{self.model.__name__}.{key.field.name} is secret: no value")
        names = frozenset({"id", *(key.field.name for key in keys)})
        objects = self._with(fields=names, named=tuple(keys)) if narrow else self
        return Rows(objects, lambda obj: shape(tuple(key.value(obj) for key in keys)))

    @one_call
    def to_pandas(self, *names: str | Place) -> pandas.DataFrame:
        """A table, one row an object, as ``values(*names)`` would give them; the data of tasks as a
        column for each key, under the name by which it can be asked for: ``data__text``, and
        ``data["a.b"]`` for a key that has other signs in it.

        Integers, booleans and texts are pandas' own nullable kinds, so an id beside a missing one
        stays an integer; dates have their zone. As many requests as a loop. Raises ImportError
        without pandas (the extra ``[pandas]``).

        >>> table = project.tasks.to_pandas("id", "data__lang", "total_annotations")
        >>> table.groupby("data__lang").total_annotations.mean()
        """
        from ..reading.tables import to_pandas

        return to_pandas(self, names)

    # -- writing ----------------------------------------------------------------------------------

    @one_call
    def create(self, *given: Never, **fields: Any) -> R:
        """Make one object here and save it; one POST. ``project.tasks.create(data={"text":
        "a"})``. Raises TypeError for what the resource does not have, naming what is near.
        """
        if options_of(self.model).secret_wires:  # the frame of an error shows them
            given = tuple(map(seal, given))
        obj = self._new(hide(fields, self._known), *given)
        obj.save()
        obj._tell_parents()
        return obj

    def _new(self, fields: Mapping[str, Any], *unnamed: Any) -> R:
        scope = {
            name: value
            for name, value in self.scope.items()
            if name in options_of(self.model).relations
        }
        for name, value in scope.items():
            here = id_given(value, f"{self._what}: the {name}")
            given = fields.get(name, value)
            if id_of(given) != here:
                raise ValueError(
                    f"creating a {options_of(self.model).name} of {name} {here}: "
                    f"{name}={given!r:.80} is another; go through that one"
                )
        try:
            obj = self.model(*unnamed, **{**scope, **fields})
        except TypeError as error:
            raise TypeError(str(error).replace(".__init__()", "")) from error
        obj._bind(self.client)
        obj._came_through(parents_in(scope))
        return obj

    @one_call
    def get_or_create(
        self, *conditions: Q | Mapping[str, Any] | None, **lookups: Any
    ) -> tuple[R, bool]:
        """The one object that fits, or a new one with the lookups' and ``defaults``' values;
        (object, created). Conditions may be ``data["src__id"] == 5`` as well.

        What this queryset is filtered by exactly is set too (``data__lang`` of
        ``filter(data__lang="de")``), and a key that a lookup says is set beside those of the
        defaults. Raises ValueError where the new object would not fit, since it would not be found
        the next time.

        >>> from labelstudio_orm import data
        >>> notes = ls.projects.create(title="Notes")
        >>> task, created = notes.tasks.get_or_create(
        ...     {"data": {"n": 1}}, data["src__id"] == 5, data__text="a"
        ... )
        >>> task.data, created
        ({'n': 1, 'src__id': 5, 'text': 'a'}, True)
        """
        conditions, lookups = (
            tuple(hidden_items(conditions, self._known)),
            hide_inside(lookups, self._known),
        )
        if conditions and not lookups and self.where is EVERYTHING:
            _refuse_defaults_alone(conditions)
        defaults, asked, lookups = _with_defaults(conditions, lookups)
        try:
            return self._with(may_be_new=True).get(*asked, **lookups), False
        except DoesNotExist:
            if "view" in self.scope:
                raise ValueError(
                    f"creating in {self._what}: nobody knows whether the new one would be of the "
                    "view, so that each run could make another one; use project.tasks"
                ) from None
            said = self._said(asked, lookups)
            fields = new_fields((*self._pinned(), *said), defaults)
            refuse_unfit(self.filter(*asked, **hide(lookups)), fields)
            return self.create(**fields), True

    def _pinned(self) -> list[Said]:
        """What this is filtered by exactly, of the fields that can be set."""
        return [
            (one, one.value)
            for one in parts_of(self.where)
            if isinstance(one, Leaf)
            and one.lookup == "exact"
            and not (one.relation or one.field.read_only)
        ]

    def _said(self, conditions: Iterable[Q], lookups: Mapping[str, Any]) -> list[Said]:
        """What conditions and lookups say exactly, with the values as they were given."""
        asked = parts_of(build(self.model, conditions, {}, self.client.url))
        pairs = [
            *((one, one.value) for one in asked if isinstance(one, Leaf)),
            *((leaf(self.model, key, value), value) for key, value in lookups.items()),
        ]
        return [pair for pair in pairs if pair[0].lookup == "exact" and not pair[0].relation]

    @one_call
    def update_or_create(
        self, *conditions: Q | Mapping[str, Any] | None, **lookups: Any
    ) -> tuple[R, bool]:
        """The one object that fits with ``defaults`` set and saved, or a new one; (object,
        created). ``data`` and ``meta`` are set key by key: the other keys stay. Errors as for
        ``get_or_create``.
        """
        conditions, lookups = (
            tuple(hidden_items(conditions, self._known)),
            hide_inside(lookups, self._known),
        )
        if conditions and not lookups and self.where is EVERYTHING:
            _refuse_defaults_alone(conditions)
        defaults, asked, lookups = _with_defaults(conditions, lookups)
        obj, created = self.get_or_create(*asked, defaults=defaults, **lookups)
        if not created:
            said = self._said(asked, lookups)
            with obj._unless_it_fails():
                for name, value in changed_fields(obj, said, defaults).items():
                    setattr(obj, name, value)
                obj.save()
        return obj, created

    @one_call
    def bulk_create(
        self,
        items: Iterable[Mapping[str, Any] | R],
        *,
        on_conflict: OnConflict = None,
        key: str | Place | None = None,
        on_error: OnError = "raise",
        validate: bool = False,
        batch_size: int = BATCH_SIZE,
        batch_bytes: int = BATCH_BYTES,
        workers: int | None = None,
        progress: Progress = None,
    ) -> Created[R]:
        """Create many; the objects come back with ids, in input order, and with a ``summary``.

        ``items``: for tasks a full form with a dict under ``data`` (and ``meta``, ``annotations``,
        ``predictions``), a bare data dict, unsaved objects, or what ``export("JSON")`` wrote (see
        ``from_export`` for the authors and drafts in it); for other resources dicts of fields or
        unsaved objects.

        Tasks go through the import: a batch ends at ``batch_size`` items or ``batch_bytes`` bytes
        of JSON, and each is one request that is stored whole or not at all, one after the other.
        Of other resources each object is one request, sent by ``workers`` at once (default: the
        client's). One more request finds the newest task, by which a batch is found again when its
        answer is lost. ``progress``: True for a line on stderr, or a function ``(done, total)``.

        ``key`` and ``on_conflict``, for tasks: what to do with an item whose key (``"data.image"``,
        ``data["a.b"]``) a task of the project has already, or an earlier item. ``"skip"`` leaves
        that task as it is, so that a run which died can be run again; ``"update"`` gives it the
        item's data, and its meta if it has one, by one PATCH where anything changes; ``"error"``
        raises Conflict, before anything is sent where the number of items is known. The task stands
        in the place of the item in what is returned. The keys are looked up 300 at a time, or all
        tasks are listed once, 1,000 at a time, whichever takes fewer requests; for a stream they
        always are.

        ``on_error="collect"`` goes on without the items that are refused, here or by the server:
        ``summary.failed`` names each with its place and the reason, and what is returned lacks
        them. A batch is sent again, without them, only where the server said that nothing of it was
        stored. ``validate``: look first whether data, annotations and predictions fit the
        project's labelling config; the server itself looks at the data only. Shapes that lack the
        size of their image are named by a MissingSizeWarning.

        Raises ValueError or TypeError for an item that the server would misread, BadRequest naming
        the item, and OutcomeUnknown when nobody can know whether a batch was stored; the latter
        two have the objects so far in ``created``, and the ``summary``.

        >>> images = ls.projects.create(title="Images")
        >>> items = [{"image": "a.png"}, {"image": "b.png"}]
        >>> images.tasks.bulk_create(items, key="data.image", on_conflict="skip").summary
        <Summary: 2 created>
        >>> images.tasks.bulk_create(items, key="data.image", on_conflict="skip").summary
        <Summary: 2 skipped>
        """
        from ..bulk.creation import create_each, create_tasks

        run = self._run("creating", workers, on_error, progress)
        if options_of(self.model).pages is TASKS:
            return create_tasks(
                self,
                items,
                run,
                on_conflict=on_conflict,
                key=key,
                validate=validate,
                batch_size=batch_size,
                batch_bytes=batch_bytes,
            )
        if on_conflict or key is not None or validate:
            raise TypeError(
                f"bulk_create() of {self._what}: on_conflict, key and validate are for tasks"
            )
        check_items(items, "bulk_create()")
        items = hidden_items(items, self._known)
        return create_each(self, items, run)

    @one_call
    def bulk_update(
        self,
        objects: Iterable[R],
        fields: Iterable[str] | None = None,
        *,
        workers: int | None = None,
        on_error: OnError = "raise",
        progress: Progress = None,
    ) -> Summary:
        """Save many objects that were changed here; returns a summary with ``updated`` and
        ``skipped``.

        One PATCH each, with what was changed (of ``fields`` only, where they are given); none for
        an object without changes. ``workers`` send them at once (default: the client's), and take
        no more from ``objects`` than they are about to save, so that it may be an endless stream.

        The first error stops it, once what is under way has ended, and has the ``summary``; with
        ``on_error="collect"`` the others go on, and ``summary.failed`` tells. Objects that were
        saved have no changes any more, so it may simply be run again.

        >>> tasks = list(project.tasks.filter(data__lang="de"))
        >>> for task in tasks:
        ...     task.data["seen"] = True
        >>> project.tasks.bulk_update(tasks)
        <Summary: 1 updated>
        """
        from ..bulk.updating import save_many

        run = self._run("saving", workers, on_error, progress)
        save_many(self, objects, fields, run)
        return run.summary()

    @one_call
    def update(
        self,
        assignments: Mapping[Place, Any] | None = None,
        /,
        *,
        workers: int | None = None,
        on_error: OnError = "raise",
        progress: Progress = None,
        **values: Any,
    ) -> Summary:
        """Set these fields of all the objects; returns a summary with ``updated`` and ``skipped``.
        Refused without a condition unless ``all()`` said so.

        ``data__split="train"`` sets one key inside ``data`` (or ``meta``, or another nested field)
        and leaves the others; ``data__a__b=1`` makes ``a`` where there is none; ``overlap=2`` and
        ``data={...}`` set a field as a whole; ``{data["src__id"]: 7}`` sets a key that has other
        signs in it. Raises FieldError for ``data__a__b`` where a task has a key ``a__b``.

        The objects are listed, light, and those that have the values already are skipped. A text
        for a key of the data of tasks, other than those that the labelling config shows, is set by
        the server's own action, 1,000 tasks a request: it leaves ``updated_at`` as it is and tells
        no webhook. Of all others each is one PATCH, sent by ``workers`` at once (default: the
        client's). A PATCH replaces a nested field, and the server has no conditional writes; so
        where a key is set, each object is read again just before (one more request), and skipped
        when it is gone or fits the conditions no more. What somebody saves in the moment between is
        lost.

        Errors as for ``bulk_update``. It may be run again.

        >>> project.tasks.filter(data__lang="de").update(data__split="train", overlap=2)
        <Summary: 1 updated>
        """
        from ..bulk.updating import update_many

        said = dict[Any, Any](assignments or {}) | hide(values, self._known)
        run = self._run("updating", workers, on_error, progress)
        update_many(self, said, run)
        return run.summary()

    @one_call
    def delete(
        self,
        *,
        workers: int | None = None,
        on_error: OnError = "raise",
        progress: Progress = None,
    ) -> Summary:
        """Delete the objects; returns a summary with ``deleted``, and ``skipped`` for those that
        were gone before. Refused without a condition unless ``all()`` said so.

        Tasks: one request finds the first one and one deletes the others (10,000 at most), where
        the server can filter exactly; else their ids are listed, and one deletes 1,000. A
        project's views stay, also when all its tasks go (the server's own action drops them with
        the last task). Predictions: those of a ``model_version`` of a project, or all of it, are
        listed, and one request deletes a version (and takes it off the project's settings) but for
        the further ones of a task that has several. Others: they are listed, and one request
        deletes one, sent by ``workers`` at once (default: the client's).

        Errors as for ``bulk_update``. It may be stopped, and run again.

        >>> project.predictions.filter(model_version="v1").delete()
        <Summary: 1 deleted>
        """
        from ..bulk.deletion import delete_many

        run = self._run("deleting", workers, on_error, progress)
        delete_many(self, run)
        return run.summary()

    def _run(
        self, doing: str, workers: int | None, on_error: OnError, progress: Progress
    ) -> BulkRun:
        return BulkRun(
            self.client,
            f"{doing} {self._what}",
            workers=workers,
            on_error=on_error,
            progress=progress,
        )

    def _must_be_said(self, verb: str) -> None:
        """Everything is meant only where it was said: the server takes an empty selection for
        all.
        """
        if self.where == EVERYTHING and not self.said_all and not self._is_slice:
            if "view" in self.scope:
                return
            name = verb.partition("(")[0]
            raise ValueError(f"{verb} on {self._what} would {name} all; say so: .all().{verb}")

    # -- showing ----------------------------------------------------------------------------------

    @property
    def _what(self) -> str:
        scope = scope_text(self.scope)
        where = "" if self.where == EVERYTHING else f" where {describe(self.where)}"
        return f"{options_of(self.model).name}s" + (f" of {scope}" if scope else "") + where

    def __repr__(self) -> str:
        if self._cache is None:
            order = f" by {', '.join(map(str, self.ordering))}" if self.ordering else ""
            order += " reversed" if self.turned else ""
            stop = "" if self.stop is None else self.stop
            cut = f" [{self.start}:{stop}]" if self._is_slice else ""
            return f"<QuerySet of {self._what}{order}{cut}>"
        shown = ", ".join(map(repr, self._cache[:REPR_ROWS]))
        more = ", ..." if len(self._cache) > REPR_ROWS else ""
        return f"<QuerySet [{shown}{more}]>"

    # -- pickling ---------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """What is asked, without the client and what was answered: see ``client``."""
        url = self._client if isinstance(self._client, str) else self._client.url
        return {**self.__dict__, "_client": url, "_cache": None, "here": None}

    def __copy__(self) -> Self:
        return self._with()

    def __deepcopy__(self, memo: object) -> Self:
        return self._with()


def _refuse_defaults_alone(conditions: Iterable[Any]) -> None:
    """Raise TypeError where a mapping without a name, taken for the defaults, is all there is."""
    if not any(isinstance(one, Q) for one in conditions):
        raise TypeError(
            "get_or_create() and update_or_create() look for something: "
            'get_or_create(data__text="a", defaults={"meta": {...}}), each lookup by its name'
        )


def _with_defaults(
    conditions: Iterable[Q | Mapping[str, Any] | None], lookups: Mapping[str, Any]
) -> tuple[Mapping[str, Any], list[Q], dict[str, Any]]:
    """What ``get_or_create`` was given: defaults, which may come first, conditions and lookups."""
    asked = [one for one in conditions if isinstance(one, Q)]
    given = [one for one in conditions if not isinstance(one, Q) and one is not None]
    rest = {name: value for name, value in kept(lookups).items() if name != "defaults"}
    if lookups.get("defaults") is not None:
        given.append(lookups["defaults"])
    if len(given) > 1 or not all(isinstance(one, Mapping) for one in given):
        raise TypeError(
            "get_or_create() and update_or_create() take conditions, lookups and one mapping of "
            f"defaults, not {brief(given)}"
        )
    return (given[0] if given else {}), asked, rest
