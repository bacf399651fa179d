"""Creating: tasks are checked, told from those that are there already, and imported; other objects
go one by one.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sized
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs

from ...errors import Conflict, MissingSizeWarning, MultipleObjectsReturned
from ...progress import Progress, reporter
from ..conditions.places import Place
from ..fields.options import options_of
from ..http.payload import encode
from ..models.resource import Resource
from ..pages.sources import chunked
from ..values.brief import cut
from ..values.codec import copy_json
from ..values.ids import id_of
from ..values.misuse import check_items, check_number
from ..values.summary import Created, OnError
from .existing import ItemKey, Known, token
from .imports import Import, import_form
from .outcomes import Item, outcomes, sift, telling
from .tally import Tally
from .workers import number_of_workers

if TYPE_CHECKING:
    from ..._config.check import Check
    from ..models.queryset import QuerySet

OnConflict: TypeAlias = 'Literal["skip", "update", "error"] | None'
"""What becomes of an item that the project has already."""

LOOK_UP = 1000
"""Items that are looked up together."""


def create_tasks(
    tasks: QuerySet[Any],
    items: Iterable[Any],
    *,
    on_conflict: OnConflict,
    key: str | Place | None,
    on_error: OnError,
    validate: bool,
    batch_size: int,
    batch_bytes: int,
    workers: int | None,
    progress: Progress,
    known: bool = False,
) -> Created[Any]:
    """See ``QuerySet.bulk_create``. ``known``: the items come from a server, and may be odd."""
    check_items(items, "bulk_create()")
    if on_conflict not in (None, "skip", "update", "error"):
        raise ValueError(f'on_conflict is "skip", "update" or "error", not {on_conflict!r:.80}')
    if (on_conflict is None) != (key is None):
        raise ValueError(
            "on_conflict and key go together: "
            'bulk_create(items, on_conflict="skip", key="data.image")'
        )
    check_number("batch_size", batch_size)
    check_number("batch_bytes", batch_bytes)
    measured = isinstance(items, Sized)
    tally = Tally(
        on_error,
        reporter(progress, f"creating {tasks._what}"),
        len(items) if isinstance(items, Sized) else None,
    )
    told = None if key is None else ItemKey.of(tasks, key)
    workers = number_of_workers(workers, tasks.client)
    creation = _Creation(tasks, tally, on_conflict, told, workers, known)
    with telling(tally, creation.objects):
        checked = creation.checked(items, _check(tasks) if validate else None)
        if measured:  # as a whole before the first request
            checked = iter(list(checked))
            creation.tell_of_sizes()
        creation.run(checked, measured, batch_size, batch_bytes)
        creation.tell_of_sizes()
    return Created(creation.objects(), tally.summary())


def create_known(
    tasks: QuerySet[Any],
    items: Iterable[Any],
    *,
    on_error: OnError = "raise",
    batch_size: int = 1000,
    batch_bytes: int = 8_000_000,
) -> Created[Any]:
    """Create tasks that a server has, with all that another client may have written."""
    return create_tasks(
        tasks,
        items,
        on_conflict=None,
        key=None,
        on_error=on_error,
        validate=False,
        batch_size=batch_size,
        batch_bytes=batch_bytes,
        workers=None,
        progress=None,
        known=True,
    )


def _check(tasks: QuerySet[Any]) -> Check:
    from ..._config.check import Check
    from .actions import project_of

    return Check(project_of(tasks).config)


class _Creation:
    """One ``bulk_create``: what was made of which item so far."""

    def __init__(
        self,
        tasks: QuerySet[Any],
        tally: Tally,
        on_conflict: OnConflict,
        key: ItemKey | None,
        workers: int,
        known: bool,
    ) -> None:
        self.tasks, self.tally, self.workers, self.known = tasks, tally, workers, known
        self.on_conflict, self.key = on_conflict, key
        self.made: dict[int, Any] = {}
        self.unsized: list[str] = []
        """The places of shapes without the size of their image, as far as nobody was told."""
        self.first: dict[Hashable, int] = {}
        """The place of the first item with each key."""
        self.twins: list[Item] = []
        """Items with the key of an earlier one that have nothing to add to it."""
        self.later: dict[Hashable, Item] = {}
        """The last item with the key of an earlier one, which is to change what that created."""

    def objects(self) -> list[Any]:
        """The tasks, in the order of their items."""
        return [self.made[place] for place in sorted(self.made)]

    def checked(self, items: Iterable[Any], check: Check | None) -> Iterator[Item]:
        """The items in their full form, without those that are refused here."""
        for place, given in enumerate(items):
            item = self._checked(place, given, check)
            if item is not None:
                yield item

    def tell_of_sizes(self) -> None:
        """Warn of shapes that lack the size of their image, which exports in pixels leave out."""
        from ..._config.check import without_sizes

        if self.unsized:
            places, self.unsized = self.unsized, []
            warnings.warn(without_sizes(places), MissingSizeWarning, stacklevel=5)

    def _checked(self, place: int, given: Any, check: Check | None) -> Item | None:
        where = f"item {place}"
        try:
            known = self.known or check is not None  # which says more of regions
            form = import_form(given, where, server=self.tasks.client.url, known=known)
            problem = check and check.problem(form)
            if problem:
                raise ValueError(f"{where}, {problem}")
            if check:
                self.unsized += [f"{where}, {one}" for one in check.without_size(form)]
            size = len(encode(form, where))  # raises for what JSON cannot hold
            item = Item(place, given, form, size=size)
            return item if self.key is None else self._told_apart(item, self.key)
        except (TypeError, ValueError) as error:
            self.tally.fail(place, given, error)
            return None

    def _told_apart(self, item: Item, key: ItemKey) -> Item:
        value = key.value(item.form)
        if value is None:
            raise ValueError(f"{item} has no {cut(str(key), 80)}, by which items are told apart")
        return attrs.evolve(item, key=value, token=token(value))

    def run(self, items: Iterator[Item], measured: bool, batch_size: int, batch_bytes: int) -> None:
        """Create what is not there yet, and deal with what is."""
        self.importer = Import(self.tasks)
        if self.key is not None:
            wanted = None
            if measured:
                found = list(items)
                wanted, items = {item.token: item.key for item in found}, iter(found)
            items = self._fresh(items, self._known(self.key, wanted))
            if measured and self.on_conflict == "error":  # nothing is sent if there is one
                items = iter(list(items))
        for batch in _batches(items, batch_size, batch_bytes):
            sift(batch, self._send, self.tally)
            self.tally.report()
        self._finish()

    # -- what is there already --------------------------------------------------------------------

    def _known(self, key: ItemKey, wanted: dict[Hashable, Any] | None) -> Known:
        fields = ("data", "meta") if self.on_conflict == "update" else ()
        return Known(self.tasks, key, fields, wanted, empty=self.importer.highest == 0)

    def _fresh(self, items: Iterator[Item], known: Known) -> Iterator[Item]:
        """The items that the project does not have; the others are dealt with."""
        for some in chunked(items, LOOK_UP):
            new = {item.token: item.key for item in some if item.token not in self.first}
            there = known.find(new)
            changed = []
            for item in some:
                if item.token in self.first:
                    self._repeats(item)
                    continue
                self.first[item.token] = item.place
                if item.token not in there:
                    yield item
                elif (task := self._conflict(item, there[item.token])) is not None:
                    changed.append((item, task))
            self._update(changed)
            self.tally.report()

    def _conflict(self, item: Item, there: list[Any]) -> Any:
        """The task that an item is to change, if it is to change one."""
        what = f"{item}: {self.key} {item.key!r:.80} is that of"
        if self.on_conflict == "error":
            self.tally.fail(item.place, item.given, Conflict(f"{what} {there[0]!r} already"))
        elif self.on_conflict == "skip":
            self.made[item.place] = there[0]
            self.tally.skipped += 1
        elif len(there) > 1:
            several = MultipleObjectsReturned(f"{what} several tasks: {there[0]!r}, {there[1]!r}")
            self.tally.fail(item.place, item.given, several)
        else:
            return there[0]
        return None

    def _repeats(self, item: Item) -> None:
        """An item with the key of an earlier one."""
        if self.on_conflict == "error":
            what = f"{item}: {self.key} {item.key!r:.80} is that of item {self.first[item.token]}"
            self.tally.fail(item.place, item.given, Conflict(f"{what} too"))
        elif self.on_conflict == "skip":
            self.twins.append(item)
        else:
            if item.token in self.later:
                self.twins.append(self.later[item.token])
            self.later[item.token] = item

    def _update(self, changed: list[tuple[Item, Any]]) -> None:
        def save(pair: tuple[Item, Any]) -> bool:
            item, task = pair
            for name in item.form.keys() - {"data", "meta"}:
                raise ValueError(
                    f"{item} is {task!r} already, which its {name} cannot be added to: "
                    f'leave {name} out, or say on_conflict="skip"'
                )
            for name, value in item.form.items():
                getattr(task, name)  # brings it here, if it is not
                setattr(task, name, copy_json(value))
            if not task._chosen(None, False):
                return False
            task.save()
            return True

        for outcome in outcomes(
            changed,
            save,
            self.tally,
            workers=self.workers,
            told=lambda pair: (pair[0].place, pair[0].given),
        ):
            item, task = outcome.item
            self.made[item.place] = task
            if outcome.value:
                self.tally.updated += 1
            else:
                self.tally.skipped += 1

    def _finish(self) -> None:
        """The items that repeat others, now that those are done."""
        changed = []
        for item in (*self.later.values(), *self.twins):
            first = self.first[item.token]
            if first not in self.made:
                failed = f"{item} has the {self.key} of item {first}, which failed"
                self.tally.fail(item.place, item.given, ValueError(failed))
            elif self.later.get(item.token) is item:
                changed.append((item, self.made[first]))
            else:
                self.made[item.place] = self.made[first]
                self.tally.skipped += 1
        self._update(changed)

    # -- what is not ------------------------------------------------------------------------------

    def _send(self, batch: list[Item]) -> None:
        project = id_of(self.tasks.scope["project"])
        doing = f"importing items {batch[0].place} to {batch[-1].place} into Project {project}"
        stored = self.importer.store([item.form for item in batch], doing=doing)
        self.made.update(zip((item.place for item in batch), stored, strict=True))
        self.tally.created += len(stored)


def _batches(items: Iterator[Item], size: int, limit: int) -> Iterator[list[Item]]:
    batch: list[Item] = []
    held = 0
    for item in items:
        if batch and (len(batch) >= size or held + item.size > limit):
            yield batch
            batch, held = [], 0
        batch.append(item)
        held += item.size
    if batch:
        yield batch


# -- other objects --------------------------------------------------------------------------------


def create_each(
    queryset: QuerySet[Any],
    items: Iterable[Any],
    *,
    on_error: OnError,
    workers: int | None,
    progress: Progress,
) -> Created[Any]:
    """Objects of a resource that the server creates one at a time."""
    total = len(items) if isinstance(items, Sized) else None
    tally = Tally(on_error, reporter(progress, f"creating {queryset._what}"), total)
    made: list[Any] = []

    def create(item: Any) -> Any:
        return queryset.create(**_fields(item))

    with telling(tally, lambda: made):
        number = number_of_workers(workers, queryset.client)
        for outcome in outcomes(items, create, tally, workers=number):
            made.append(outcome.value)
            tally.created += 1
    return Created(made, tally.summary())


def _fields(item: Any) -> Mapping[str, Any]:
    if isinstance(item, Mapping):
        return item
    if not isinstance(item, Resource) or item._is_saved:
        raise TypeError(f"bulk_create takes dicts of fields and unsaved objects, not {item!r:.80}")
    fields = options_of(item).fields
    return {fields[name].references or name: getattr(item, name) for name in item.changes}
