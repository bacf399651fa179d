"""The verbs of a queryset that read: loops, counts, indexes, one object, rows of values."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar, cast, overload

from ...errors import DoesNotExist, FieldError, MultipleObjectsReturned
from ...progress import reporter
from .. import conditions, pages, reading
from ..conditions.tree import exactly
from ..http.connection import number_of_workers
from ..http.deadline import allowed, in_steps, one_call
from ..pages.sources import Embedded, source_of
from ..records.inside import key_of, load
from ..records.origin import Origin
from ..values.brief import brief
from ..values.codec import plain
from ..values.ids import is_beyond
from ..values.misuse import check_number
from ..values.secret import hide
from .by_id import key, key_given, parents_in, ref
from .selection import Selection, query_of

if TYPE_CHECKING:
    import dask.dataframe
    import datasets
    import pandas
    import polars
    import pyarrow
    from typing_extensions import Self

    from ..._tables.columns import Batch
    from ...progress import Progress
    from ..conditions.places import Place
    from ..conditions.q import Q
    from ..conditions.query import Query
    from ..pages.keyset import Keyset
    from .columns import Per
    from .rows import Rows

R = TypeVar("R")
V = TypeVar("V")

REPR_ROWS = 20
"""Objects that a ``repr`` shows."""

_ANY: Any = object()
"""No id was given: None would be that of an object which was deleted."""


class ReadingQuerySet(Selection[R]):
    """A queryset as far as it reads.

    Requests are sent when objects are needed. A loop that ran to its end is kept, so a second one
    costs nothing.
    """

    # -- loops ------------------------------------------------------------------------------------

    def iterator(self, *, workers: int | None = None, progress: Progress = None) -> Iterator[R]:
        """Yield the objects, streamed in constant memory; nothing is kept.

        One request a page, one page ahead. The objects come in the same order for any number of
        ``workers``; at most three pages a worker are held in memory, and leaving the loop stops
        them. Tasks alone are read in parallel, by ranges of ids and, in an order other than id, by
        chosen ids; everything else is read by one. The client's ``deadline`` bounds the seconds in
        which the loop waits for objects, all together; what its body takes does not count.

        Tasks are read by id from where the last page ended, so they may be saved, deleted and
        added meanwhile: each one that exists throughout comes exactly once. Of those that are added
        some may come.

        Args:
            workers: How many threads read ahead; default: the client's ``workers``, which is 1.
            progress: True for a line on stderr, or a function ``(done, total)``; the total is None
                where the server cannot count the objects.

        >>> for task in project.tasks.iterator(workers=4):
        ...     print(task.data)
        """
        found = reading.reader.objects(self._query, number_of_workers(workers, self.client))
        if progress:
            found = self._reported(found, progress)
        return in_steps(allowed("a loop", self), found)

    def pages(self, *, workers: int | None = None) -> Iterator[list[R]]:
        """Yield the objects in lists: those of a page of the server each.

        What is checked here makes lists shorter; none is empty. The first page is requested alone,
        each later one while the one before it is in use. ``workers`` as for ``iterator``.

        >>> for tasks in project.tasks.filter(total_annotations=0).pages():
        ...     print(len(tasks))
        3
        """
        found = reading.reader.lists(self._query, number_of_workers(workers, self.client))
        return in_steps(allowed("a loop", self), found)

    @one_call
    def partitions(self, n: int) -> list[Self]:
        """Return ``n`` disjoint querysets by ranges of ids, which together have all the objects.

        They are for ``n`` processes, and can be pickled. The parts are of about the same size. The
        first and the last are without an end, so objects that are added later belong to one of them
        too. By descending id the parts descend as well. ``n`` requests for one task each, also for
        the annotations of a project, whose parts are by ranges of tasks unless they are ordered by
        id; for other resources the ids are listed, and each part reads them all: to read the
        predictions of a project in parts, take ``tasks.prefetch("predictions")``.

        Raises TypeError for a slice, whose members are not a range of ids, and for resources
        without numbers as ids; ValueError for the tasks of a view, which the server does not
        filter, and unless ``n`` is a positive integer.

        >>> for part in project.tasks.filter(total_annotations=0).partitions(2):
        ...     print(part.count())
        1
        2
        """
        query = self._query
        query.refuse_slice("partitioning")
        check_number("the number of partitions", n)
        options = query.options
        if query.is_of_view:
            raise ValueError(
                f"{query.description} cannot be partitioned: the server drops a query beside a "
                "view; partition the project's tasks, with the view's condition in filter()"
            )
        if not options.key or options.fields[options.key].annotation is not int:
            raise TypeError(f"{options.name}s have no numbers as ids to be partitioned by")
        key = "task_id" if _lists_tasks(query) and options.pages.by_id_within else options.key
        parts = [
            self.filter(
                **({} if low is None else {f"{key}__gt": low}),
                **({} if high is None else {f"{key}__lte": high}),
            )
            for low, high in pairwise([None, *self._cuts(n), None])
        ]
        first = query.ordering[0] if query.ordering else None
        descends = first is not None and first.descending and first.field.name == options.key
        return parts[::-1] if descends else parts

    def _cuts(self, n: int) -> list[int]:
        planned = reading.planner.plan_with_requests(self._query)
        if _lists_tasks(self._query) and not planned.nothing:
            source = cast("Keyset | Embedded", source_of(self._query))
            return source.cuts(pages.select.Select.of(self._query, planned), n)
        ids = [0, *sorted(key_of(obj) for obj in reading.reader.objects(self._query.light()))]
        return [ids[part * (len(ids) - 1) // n] for part in range(1, n)]

    def _reported(self, found: Iterator[R], progress: Progress) -> Iterator[R]:
        total = None if reading.planner.plan_with_requests(self._query).here else self.count()
        with reporter(progress, f"reading {self._query.description}") as report:
            report(0, total)
            done = 0
            for done, obj in enumerate(found, start=1):
                yield obj
                report(done, total)
            if total is None:
                report(done, done)

    def __iter__(self) -> Iterator[R]:
        if self._cache is not None:
            return iter(self._cache)
        query = self._query
        if query.loaded is not None and query.is_everything and not query.forward:
            return iter(query.loaded)
        return self._filling()

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

    def _keep(self, found: list[R]) -> list[R]:
        self.__dict__["_cache"] = found  # all that ever changes in a queryset
        return found

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
        """Return the object at a place, IndexError beyond the end; for ``[a:b]`` a queryset."""
        if isinstance(index, slice):
            return self._sliced(index)
        index = plain(index)
        if not isinstance(index, int):
            raise TypeError(f"a queryset is indexed by numbers and slices, not {index!r:.80}")
        if index < 0:
            raise ValueError("a queryset has no negative indexes; use reverse() or last()")
        if self._cache is not None:
            return cast("R", self._cache[index])
        for obj in self._sliced(slice(index, index + 1)):
            return obj
        raise IndexError(f"{self._query.description} has no object at {index}")

    def _sliced(self, index: slice) -> Self:
        if index.step is not None or (index.start or 0) < 0 or (index.stop or 0) < 0:
            raise ValueError("a queryset takes [start:stop] with numbers from 0 on, without a step")
        sliced = self._query.sliced(index.start or 0, index.stop)
        return self._but(start=sliced.start, stop=sliced.stop)

    # -- asking -----------------------------------------------------------------------------------

    @one_call
    def count(self) -> int:
        """Return how many objects there are.

        One request where the server can say; else the rows are read, with their ids only. Of the
        annotations and predictions of a project the server can say it without a condition, and with
        one on ``was_cancelled``, on ``ground_truth`` or on ``model_version``.
        """
        if self._cache is not None:
            return len(self._cache)
        query = self._query
        if (number := reading.counted.counted(query)) is not None:
            return number
        if query.loaded is None:
            planned = reading.planner.plan_with_requests(query)
            if planned.nothing:
                return 0
            if planned.counts:
                total = source_of(query).count(pages.select.Select.of(query, planned))
                if total is not None:
                    stop = total if query.stop is None else min(query.stop, total)
                    return max(0, stop - query.start)
        return sum(1 for _ in reading.reader.objects(query.light()))

    @one_call
    def exists(self) -> bool:
        """Return whether there is any object; one request where the server can filter or count."""
        if self._cache is not None:
            return bool(self._cache)
        if (number := reading.counted.counted(self._query)) is not None:
            return number > 0
        return any(True for _ in reading.reader.objects(self._query.light().sliced(0, 1)))

    def first(self) -> R | None:
        """Return the first object, or None.

        One row is requested where the server can filter everything, by id or by a column of its
        own (a second request where objects tie); else pages of 100 until an object matches.
        """
        found = reading.reader.objects(self._query.sliced(0, 1))
        return next(in_steps(allowed("first()", self), found), None)

    def last(self) -> R | None:
        """Return the last object, or None.

        One request by id; in another order the ids and keys of all tasks are read, and then that
        one (other resources are listed with all their fields).
        """
        query = self._query
        if query.is_slice or query.loaded is not None or not query.is_listed_by_id:
            found = self._all()
            return found[-1] if found else None
        if query.is_by_id:
            return self.reverse().first()
        return next(iter(self._but(start=-1)), None)  # sorted here, and then cut

    @one_call
    def get(self, id: int | str | R | Q = _ANY, *conditions: Q, **lookups: Any) -> R:
        """Return the one object that matches; one request.

        ``get(5)`` reads one object by id; within a relation it must belong to it. Raises
        DoesNotExist or MultipleObjectsReturned.

        >>> ls.projects.get(title="Reviews")
        <Project 1 'Reviews'>
        """
        if _is_condition(id):
            conditions, id = (id, *conditions), _ANY
        options = self._query.options
        if id is None:
            raise ValueError(
                f"get(None): a {self.model.__name__} that is not saved, or was deleted, has no id"
            )
        if id is not _ANY:
            lookups[options.key] = key(self._query, id)
        narrowed = self.filter(*conditions, **hide(lookups, self._known))
        query = narrowed._query
        identifier = exactly(query.where, options.key)
        if identifier is not None and options.item and query.loaded is None:
            return cast("R", reading.reader.fetch(query, identifier))
        found = list(narrowed[:2])
        if not found:
            raise DoesNotExist(f"no {options.name} matches {query.description}")
        if len(found) > 1:
            raise MultipleObjectsReturned(
                f"several {options.name}s match {query.description}, "
                f"the first two: {found[0]!r}, {found[1]!r}"
            )
        return found[0]

    def ref(self, id: int | str) -> R:
        """Return a handle on the object of this id; no request.

        Its fields are fetched when they are touched.
        """
        return cast("R", ref(self._query, id))

    def in_bulk(self, ids: Iterable[int]) -> dict[int, R]:
        """Return the objects of these ids, by id; those that do not exist are left out.

        Raises TypeError for anything but a list of ids; a text is not taken for its letters.
        """
        if isinstance(ids, (str, bytes, bytearray)) or not isinstance(ids, Iterable):
            raise TypeError(f"in_bulk() takes a list of ids, not {brief(ids)}")
        keys = [key_given(self._query, id) for id in ids]
        asked = [one for one in keys if not is_beyond(one)]
        found: Iterable[Any] = self.filter(**{f"{self._query.options.key}__in": asked})
        return {key_of(obj): obj for obj in found}

    # -- rows of another shape --------------------------------------------------------------------

    def values(self, *names: str | Place) -> Rows[dict[str, Any]]:
        """Return dicts instead of objects: ``values("id", "data__text")``, by these names.

        The name of an expression is its text, ``'data["a.b"]'``. Without names: every field but
        secrets and those that a listing leaves out. Asks the server for just these fields.
        """
        texts = tuple(map(conditions.places.text_of, names)) or self._plain_names()
        return self._rows(texts, bool(names), lambda found: dict(zip(texts, found, strict=True)))

    @overload
    def values_list(self, name: str | Place, /, *, flat: bool) -> Rows[Any]: ...
    @overload
    def values_list(self, *names: str | Place) -> Rows[tuple[Any, ...]]: ...
    def values_list(self, *names: str | Place, flat: bool = False) -> Rows[Any]:
        """Return tuples instead of objects, or with ``flat=True`` the bare values of one field.

        >>> list(project.tasks.values_list("id", flat=True))
        [1, 2, 3, 4]
        """
        if flat and len(names) != 1:
            raise TypeError("values_list(flat=True) takes exactly one field")
        texts = tuple(map(conditions.places.text_of, names)) or self._plain_names()
        return self._rows(texts, bool(names), lambda found: found[0] if flat else found)

    def _plain_names(self) -> tuple[str, ...]:
        fields = self._query.options.fields.values()
        return tuple(
            one.name for one in fields if not one.secret and not one.computed and not one.left_out
        )

    def _rows(
        self, texts: Sequence[str], narrow: bool, shape: Callable[[tuple[Any, ...]], V]
    ) -> Rows[V]:
        keys = [conditions.ordering.Key.of(self.model, text) for text in texts]
        for one in keys:
            if one.field.secret:
                raise FieldError(f"{self.model.__name__}.{one.field.name} is secret: no value")
        names = frozenset({"id", *(one.field.name for one in keys)})
        found = self._but(fields=names, named=tuple(keys)) if narrow else self
        return reading.rows.Rows(found, lambda obj: shape(tuple(one.value(obj) for one in keys)))

    # -- tables of other libraries ----------------------------------------------------------------

    @one_call
    def to_pandas(self, *names: str | Place, per: Per = "object") -> pandas.DataFrame:
        """Return a dataframe of pandas; without names, of the fields of ``values()``.

        A name is that of a field, of a key in JSON (``data__text``, ``data["a.b"]``), or of a field
        of an object that is pointed to (``completed_by__email``), for which one more request reads
        all users, or 300 tasks. The data of tasks is a column for each key, under the name by
        which it can be asked for.

        ``per``: what a row is of. ``"object"``: each of the objects. ``"annotation"``: each
        annotation of tasks, whose columns are named ``annotations__lead_time``, and
        ``annotations__completed_by__email``. ``"region"``: each region of annotations, of
        predictions, or of the annotations of tasks (of their predictions, where a name begins with
        ``predictions__``). Behind the named columns it has ``region`` (the id), ``control``,
        ``kind``, ``labels``, and as far as the labelling config has such controls ``number``,
        ``start``, ``end``, ``text``, the place in percent and in pixels (``x``, ``x_pixels`` ...),
        ``points``; ``value`` for what these do not say, and ``problem`` for what is not as the
        config says.

        Integers, booleans and texts are pandas' own nullable kinds, so an id beside a missing one
        stays an integer; dates have their zone. Columns and dtypes are those of the declared fields
        and of the config, also without a row; those of keys in JSON follow from their values, and
        for a result without a row from 100 other objects, which is one more request. Otherwise
        as many requests as a loop. Raises ImportError without pandas (the extra ``[pandas]``).

        >>> table = project.tasks.to_pandas("id", "data__lang", "total_annotations")
        >>> table.groupby("data__lang").total_annotations.mean()
        >>> regions = project.annotations.to_pandas("completed_by__email", per="region")
        >>> regions.explode("labels").groupby(["completed_by__email", "labels"]).size()
        """
        return reading.tables.to_pandas(self._batches(names, per))

    @one_call
    def to_arrow(self, *names: str | Place, per: Per = "object") -> pyarrow.Table:
        """Return a table of Arrow: the columns and rows of ``to_pandas``.

        Values of JSON (lists and objects in data, results) are texts of JSON, and the metadata of
        their fields says so; ``bulk_create`` reads them back as they were. Raises ImportError
        without pyarrow (the extra ``[arrow]``).

        >>> project.tasks.to_arrow("id", "data__text").column_names
        ['id', 'data__text']
        """
        return reading.tables.to_arrow(self._batches(names, per))

    @one_call
    def to_polars(self, *names: str | Place, per: Per = "object") -> polars.DataFrame:
        """Return a dataframe of polars: that of ``to_arrow``.

        Raises ImportError without polars and pyarrow (the extra ``[polars]``).

        >>> project.tasks.to_polars("id", "data__text").columns
        ['id', 'data__text']
        """
        return reading.tables.to_polars(self._batches(names, per))

    @one_call
    def to_datasets(self, *names: str | Place, per: Per = "object") -> datasets.Dataset:
        """Return a dataset of Hugging Face: the table of ``to_arrow``, in memory.

        For more than that, write a file with ``to_parquet`` and load it. Raises ImportError without
        datasets (the extra ``[datasets]``).

        >>> project.tasks.to_datasets("id", "data__text").column_names
        ['id', 'data__text']
        """
        return reading.tables.to_datasets(self._batches(names, per))

    @one_call
    def to_parquet(
        self, path: str | os.PathLike[str], *names: str | Place, per: Per = "object"
    ) -> Path:
        """Write the table of ``to_arrow`` to a file of Parquet; return the path.

        It is written in constant memory, and appears when it is complete. Raises ImportError
        without pyarrow (the extra ``[arrow]``).

        >>> project.tasks.to_parquet("tasks.parquet", "id", "data")
        PosixPath('tasks.parquet')
        """
        return reading.tables.to_parquet(self._batches(names, per), Path(path))

    def _batches(self, names: tuple[str | Place, ...], per: Per) -> Iterator[Batch]:
        return reading.columns.layout(self._query, names, per, self._plain_names).batches()

    @one_call
    def to_dask(
        self,
        *names: str | Place,
        npartitions: int | None = None,
        dtype: Mapping[str, Any] | None = None,
    ) -> dask.dataframe.DataFrame:
        """Return a dataframe of dask, whose partitions are those of ``partitions(npartitions)``.

        Each partition is read where it is computed, and has the columns and dtypes of
        ``to_pandas(*names)``, also without a row in it. Of columns that dask does not need the
        fields are not asked for. The requests of ``partitions``; one for the number of objects; and
        where keys of JSON are among the columns, one for a sample, and for ``data`` one for the
        project's summary, which knows all keys.

        No credential leaves this process. A worker in another one has its own, from its environment
        (``LABEL_STUDIO_URL``, ``LABEL_STUDIO_API_KEY``) or from ``connect()``; without one for the
        same server it raises ValueError. A partition that dask computes twice is read twice, and
        has what the server has by then.

        Args:
            names: The columns; default: those of ``values()``.
            npartitions: How many partitions; default: one for each 10,000 of the project's objects.
            dtype: The dtypes of some columns. The default for keys of JSON is what the first 100
                objects have; a partition with another type in it raises ValueError.

        Raises ImportError without dask (the extra ``[dask]``), and what ``partitions`` raises: a
        slice, for example, has none.

        >>> table = project.tasks.to_dask("id", "data__lang", "total_annotations", npartitions=2)
        >>> table.groupby("data__lang").total_annotations.mean().compute()
        """
        columns = tuple(map(str, names)) or self._plain_names()
        return reading.dask_tables.to_dask(self, columns, npartitions, dtype or {})

    # -- showing ----------------------------------------------------------------------------------

    def __repr__(self) -> str:
        if self._cache is None:
            return self._title()
        shown = ", ".join(map(repr, self._cache[:REPR_ROWS]))
        more = ", ..." if len(self._cache) > REPR_ROWS else ""
        return f"<QuerySet [{shown}{more}]>"

    def _title(self) -> str:
        query = self._query
        order = f" by {', '.join(map(str, query.ordering))}" if query.ordering else ""
        order += " reversed" if query.from_end else ""
        stop = "" if query.stop is None else query.stop
        cut = f" [{query.start}:{stop}]" if query.is_slice else ""
        return f"<QuerySet of {query.description}{order}{cut}>"

    def _repr_html_(self) -> str:
        """Return the first ten objects as a table, for a notebook.

        One request at most, and none where they are loaded.
        """
        return reading.preview.preview(self._title(), self._query, self._cache)


def _is_condition(value: object) -> TypeGuard[Q]:
    return isinstance(value, conditions.q.Q)


def _lists_tasks(query: Query) -> bool:
    """Return whether the objects are tasks, or come by the tasks of a project that have them."""
    comes_by_task = isinstance(source_of(query), Embedded) and not query.ordering
    inside = comes_by_task and "project" in query.scope and "task" not in query.scope
    return query.loaded is None and (query.options.pages.filters_tasks or inside)


def loaded(selection: Selection[R], rows: Iterable[dict[str, Any]]) -> Iterator[R]:
    """Return objects of rows that another request than a listing gave, in the selection's scope."""
    query = query_of(selection)
    found = load(query.model, rows, Origin(query.client, parents_in(query.scope)))
    return cast("Iterator[R]", found)
