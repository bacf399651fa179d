"""The items that a project has already, found by a key in their data."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ..._engine.conditions.ordering import Key
from ..._engine.conditions.places import Place, merged, name_of
from ..._engine.conditions.tree import EVERYTHING
from ..._engine.http.page_sizes import IDS, PAGE
from ..._engine.pages.sources import chunked
from ..._engine.reading.planner import plan_without_request
from ..._engine.reading.selection import evolved, query_of
from ...errors import FieldError

if TYPE_CHECKING:
    from ..._engine.models.queryset import QuerySet


@attrs.frozen
class ItemKey:
    """The key that distinguishes items: ``data.image``."""

    way: Key

    @classmethod
    def of(cls, queryset: QuerySet[Any], name: str | Place) -> ItemKey:
        """Read a key: ``"data.image"``, ``"data__image"`` or ``data["image"]``.

        Raises FieldError for what an item does not hold.
        """
        place = Place.of(name)
        if not place.literal:
            place = Place.of(str(name).replace(".", "__"))
        if place.head not in ("data", "meta") or not place.keys or place.descending or place.rest:
            raise FieldError(
                f"key={str(name)!r:.80}: items are identified by a key in their data or meta: "
                'key="data.image", key=data["image"]'
            )
        key = Key.of(queryset.model, place)
        if place.literal:
            return cls(key)
        return cls(attrs.evolve(key, merged=(*key.merged, *merged(place.keys, "."))))

    def __str__(self) -> str:
        name = name_of(self.way.field.name, self.way.path)
        plain = ".".join((self.way.field.name, *self.way.path))
        return plain if self.way.merged or "[" not in name else name

    @property
    def lookup(self) -> str:
        """The key as ``filter`` takes it, to be followed by a lookup."""
        if self.way.path[-1].endswith("_"):  # which a lookup's name would take for its own
            return name_of(self.way.field.name, self.way.path)
        return str(self.way)

    def value(self, item: Mapping[str, Any]) -> Any:
        """Return the value of an item in its full form; None where a key is missing.

        Raises FieldError where the name of the key may mean another key, too.
        """
        value: Any = item.get(self.way.field.name)
        if self.way.merged:
            self.way.refuse_other(value)
        for key in self.way.path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value


def hashable_key(value: Any) -> Hashable:
    """Return a value to look up by: equal for values that filters call equal, None for null."""
    if isinstance(value, Mapping):
        return "object", frozenset((key, hashable_key(inner)) for key, inner in value.items())
    if isinstance(value, (list, tuple)):
        return "list", tuple(map(hashable_key, value))
    if isinstance(value, bool):
        return "bool", value
    same: Hashable = value
    return same


class ExistingTasks:
    """The tasks of a project by a key in their data.

    They are looked up a few values at a time, or all tasks are listed once, whichever takes fewer
    requests. ``wanted`` has the values that will be looked up; None if they are not known
    beforehand: then all tasks are listed, and only their ids kept. ``empty``: there are no tasks.
    """

    def __init__(
        self,
        tasks: QuerySet[Any],
        key: ItemKey,
        fields: Iterable[str],
        wanted: Mapping[Hashable, Any] | None,
        empty: bool,
    ) -> None:
        every = _of_the_project(tasks)
        self._tasks = evolved(every.only(key.way.field.name, *fields), may_be_new=True)
        self._key = key
        self._wanted = wanted
        self._listed: dict[Hashable, list[Any]] | None = {} if empty else None
        if empty:
            return
        if wanted is None or self._is_listing_cheaper(wanted):
            self._list()

    def _list(self) -> None:
        self._listed = {}
        for task in self._tasks.iterator():
            found = hashable_key(self._key.way.value(task))
            if self._wanted is None:
                self._listed.setdefault(found, []).append(task.id)
            elif found in self._wanted:
                self._listed.setdefault(found, []).append(task)

    def _is_listing_cheaper(self, wanted: Mapping[Hashable, Any]) -> bool:
        lookups = -(-len(wanted) // IDS)
        return lookups > 1 and -(-self._tasks.count() // PAGE) <= lookups

    def find(self, values: Mapping[Hashable, Any]) -> dict[Hashable, list[Any]]:
        """Return the tasks with one of these values, by its hashable key, each list by id."""
        found: dict[Hashable, list[Any]] = {}
        for some in chunked(values.values(), IDS) if self._listed is None else ():
            asked = self._tasks.filter(**{f"{self._key.lookup}__in": some})
            if not _narrows(asked):
                self._list()
                break
            for task in asked.iterator():
                found.setdefault(hashable_key(self._key.way.value(task)), []).append(task)
        if self._listed is None:
            return found
        return {
            wanted: [self._tasks.ref(one) if isinstance(one, int) else one for one in same]
            for wanted in values
            if (same := self._listed.get(wanted))
        }


def _of_the_project(tasks: QuerySet[Any]) -> QuerySet[Any]:
    """Return all tasks of the project, whatever the queryset selects of them."""
    scope = {name: one for name, one in query_of(tasks).scope.items() if name != "view"}
    return evolved(tasks, where=EVERYTHING, scope=scope, ordering=(), start=0, stop=None)


def _narrows(tasks: QuerySet[Any]) -> bool:
    """Return whether the server looks for all values at once.

    Going through the tasks for each of them takes longer than listing the tasks.
    """
    clauses = plan_without_request(query_of(tasks)).clauses
    return len(clauses) == 1 and any(item["value"] != "" for item in clauses[0])
