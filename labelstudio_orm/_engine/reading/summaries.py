"""The verbs of a queryset that give figures of its objects: counts by value, sums, means."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone, tzinfo
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from ... import _statistics
from ...errors import FieldError
from .. import conditions, plans, reading
from ..http.deadline import one_call
from .queryset import ReadingQuerySet

if TYPE_CHECKING:
    from ..._statistics.aggregates import Aggregate, Figures
    from ..._statistics.counts import Counts
    from ..conditions.places import Place
    from .columns import Way

R = TypeVar("R")


@attrs.frozen
class Valued:
    """What an object is counted by: a name, the fields that are read, and the values of an object.

    ``way`` is that to a field; what else is counted by has none.
    """

    name: str
    fields: frozenset[str]
    values: Callable[[Any], Iterable[Any]]
    way: Way | None = None


class SummarizingQuerySet(ReadingQuerySet[R]):
    """A queryset as far as it reads, and gives figures of what it reads.

    A figure is asked of the server where it counts exactly that; else all objects are read once,
    with the fields that are needed.
    """

    @one_call
    def count_by(self, *names: str | Place, by: str | Place | Sequence[str | Place] = ()) -> Counts:
        """Return how many objects have each value of a name, the most frequent one first.

        A name is a field, a key of data, or a field of an object that is pointed to
        (``completed_by__email``), for which one more request reads all users, or 300 tasks. Of
        annotations and predictions it may also be a control of the labelling config: then each of
        their labels, or values of regions, counts. With several names, or with ``by``, each
        combination of values counts.

        One request for the predictions of a project by ``model_version``, and for its annotations
        by ``was_cancelled`` or ``ground_truth``; two for tasks by ``is_labeled`` or
        ``draft_exists`` where the server can filter them; else the pages of a loop.

        >>> project.tasks.count_by("data__lang")["de"]
        1
        >>> project.annotations.count_by("sentiment", by="completed_by")
        sentiment / completed_by  1
        Positive                  1
        """
        valued = [self._valued(name) for name in (*names, *_names(by))]
        if not valued:
            raise TypeError('count_by() needs a name: count_by("data__lang")')
        texts = [one.name for one in valued]
        if len(valued) == 1 and (known := self._known_counts(valued[0])) is not None:
            return _statistics.counts.in_order(texts, known)
        found = ([one.values(obj) for one in valued] for obj in self._read_for(valued))
        return _statistics.counts.counted(texts, found)

    @one_call
    def distinct(self, name: str | Place) -> list[Any]:
        """Return the values that objects have of a name, each once and in order, null last.

        Requests and names as for ``count_by``; a list among the values is a tuple.

        >>> project.tasks.distinct("data__lang")
        ['de', None]
        """
        return sorted(self.count_by(name), key=_statistics.counts.order)

    @one_call
    def per_day(
        self,
        by: str | Place | Sequence[str | Place] = (),
        *,
        field: str = "created_at",
        tz: tzinfo = timezone.utc,
    ) -> Counts:
        """Return how many objects there are of each day, in order; days without any are left out.

        One pass over the objects. The keys are of the type ``datetime.date``.

        Args:
            by: Names as for ``count_by``: then each combination of a day and their values counts.
            field: The time that counts.
            tz: Where the days begin and end; default: UTC.

        >>> project.annotations.per_day(by="completed_by").total
        1
        """
        time, *others = (self._valued(name) for name in (field, *_names(by)))

        def days(obj: Any) -> Iterator[Any]:
            for value in time.values(obj):
                if value is not None and not isinstance(value, datetime):
                    raise FieldError(f"per_day(): {field} is not a time: {value!r:.80}")
                yield None if value is None else value.astimezone(tz).date()

        found = (
            [days(obj), *(one.values(obj) for one in others)]
            for obj in self._read_for([time, *others])
        )
        texts = ["day", *(one.name for one in others)]
        return _statistics.counts.counted(texts, found, by_value=True)

    @one_call
    def aggregate(self, *figures: Aggregate, **named: Aggregate) -> Figures:
        """Return figures of the objects as a dict: ``Count``, ``Sum``, ``Avg``, ``Min``, ``Max``.

        Nulls do not count, and of no values a figure is None. One that is not named is called
        ``score__avg``. ``Count()``, and the ``Min`` and ``Max`` of a column of tasks by which the
        server orders, take a request or two each where the server can filter the objects, if these
        are all that is asked for; else there is one pass for all figures.

        >>> project.tasks.aggregate(n=Count(), last=Max("id"), mean=Avg("total_annotations"))
        {'n': 4, 'last': 4, 'mean': 0.25}
        """
        wanted = _statistics.aggregates.named(figures, named)
        asking = {name: self._asking(one) for name, one in wanted.items()}
        found: dict[str, Any]
        if all(asking.values()):
            found = {name: ask() for name, ask in asking.items() if ask is not None}
        else:
            found = self._folded(wanted)
        return _statistics.aggregates.Figures(found)

    def _folded(self, wanted: Mapping[str, Aggregate]) -> dict[str, Any]:
        """Return figures of one pass over the objects."""
        valued = {one.name: self._valued(one.name) for one in wanted.values() if one.name}
        states = {name: one.start() for name, one in wanted.items()}
        for obj in self._read_for(list(valued.values())):
            for name, one in wanted.items():
                for value in valued[one.name].values(obj) if one.name else (1,):
                    if value is not None:
                        states[name] = one.step(states[name], value)
        return {name: one.end(states[name]) for name, one in wanted.items()}

    # -- what is read -----------------------------------------------------------------------------

    def _valued(self, name: str | Place) -> Valued:
        """Return what a name stands for. Raises FieldError for an unknown one, and for a secret."""
        text = conditions.places.text_of(name)
        if text.startswith("-"):
            raise FieldError(f"{text}: a figure has no order; name it without the minus")
        way = reading.columns.Way.of(self.model, text)
        return Valued(text, frozenset({way.field_name}), lambda obj: (way.value(obj),), way)

    def _read_for(self, valued: Sequence[Valued]) -> Iterator[R]:
        """Yield the objects with the fields that are needed."""
        names = frozenset({"id"}).union(*(one.fields for one in valued))
        ways = [one.way for one in valued if one.way is not None]
        return self._but(
            fields=names,
            named=tuple(way.key for way in ways if way.relation is None),
            forward=self._query.forward | frozenset(way.relation for way in ways if way.relation),
        ).iterator()

    # -- what the server counts -------------------------------------------------------------------

    def _known_counts(self, valued: Valued) -> Mapping[Hashable, int] | None:
        """Return the counts by a field as the server says them; None if it does not."""
        way = valued.way
        if way is None or way.relation is not None or way.key.path:
            return None
        name = way.key.field.name
        known = reading.counted.grouped(self._query, name)
        if known is not None or name not in _FLAGS or self._query.is_slice:
            return known
        if not self._is_counted:
            return None
        true, total = self.filter(**{name: True}).count(), self.count()
        return {flag: n for flag, n in ((True, true), (False, total - true)) if n > 0}

    @property
    def _is_counted(self) -> bool:
        """Whether the server can say how many tasks there are, in one request."""
        query = self._query
        if not query.options.pages.filters_tasks or query.loaded is not None or query.is_of_view:
            return False
        planned = reading.planner.plan_with_requests(query)
        return planned.counts and planned.here is None

    def _asking(self, aggregate: Aggregate) -> Callable[[], Any] | None:
        """Return what asks for a figure without reading all objects; None if nothing does."""
        name = aggregate.name
        if not name:
            return self.count
        minus = {"min": "", "max": "-"}.get(aggregate.kind)
        if minus is None or name not in plans.columns.ORDERED or self._query.is_slice:
            return None
        if not self._is_counted:
            return None
        return lambda: self.order_by(f"{minus}{name}").values_list(name, flat=True).first()


def _names(by: str | Place | Sequence[str | Place]) -> Sequence[str | Place]:
    return by if isinstance(by, (list, tuple)) else [by]  # type: ignore[list-item]


_FLAGS = frozenset({"is_labeled", "draft_exists"})
"""The fields of tasks that are true or false, by which the server filters exactly."""
