"""Creating tasks: they are validated, compared with those that exist already, and imported."""

from __future__ import annotations

import time
import warnings
from collections.abc import Hashable, Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs

from ..._config.check import Check, without_sizes
from ..._engine.bulk import BATCH_BYTES, BATCH_SIZE
from ..._engine.bulk.batches import (
    TOO_LARGE,
    BatchSizer,
    Item,
    ItemNames,
    batches,
    handed_over,
    names_of,
    send_isolating_failures,
)
from ..._engine.bulk.run import BulkRun
from ..._engine.conditions.places import Place
from ..._engine.http.payload import encode
from ..._engine.pages.sources import chunked
from ..._engine.reading.selection import query_of
from ..._engine.records.inside import chosen
from ..._engine.values.brief import cut
from ..._engine.values.codec import copy_json
from ..._engine.values.collector import collector_at_rest
from ..._engine.values.ids import id_of
from ..._engine.values.misuse import check_items, check_number
from ..._engine.values.summary import Created, OnError
from ...errors import BadRequest, Conflict, MissingSizeWarning, MultipleObjectsReturned
from .existing import ExistingTasks, ItemKey, hashable_key
from .forms import full_form, refuse_unskippable, refused
from .importing import Import
from .item_files import items_in
from .nouns import project_of

if TYPE_CHECKING:
    from ..._engine.models.queryset import QuerySet

OnConflict: TypeAlias = 'Literal["skip", "update", "error"] | None'
"""What to do with an item that the project has already."""

LOOK_UP = 1000
"""Items taken from the input before a lookup."""

TEXTS = 64_000_000
"""Bytes of JSON that are kept of items that are checked as a whole; others are encoded twice."""


def create_tasks(
    tasks: QuerySet[Any],
    items: Any,
    run: BulkRun,
    *,
    on_conflict: OnConflict = None,
    key: str | Place | None = None,
    validate: bool = False,
    batch_size: int | None = None,
    batch_bytes: int = BATCH_BYTES,
    returning: bool = True,
    may_be_odd: bool = False,
) -> Created[Any]:
    """Create tasks: ``Tasks.bulk_create``.

    ``may_be_odd``: a server has them, so their regions may be odd.
    """
    items = items_in(items)
    check_items(items, "bulk_create()")
    if on_conflict not in (None, "skip", "update", "error"):
        raise ValueError(
            f'on_conflict must be "skip", "update" or "error", not {on_conflict!r:.80}'
        )
    if (on_conflict is None) != (key is None):
        raise ValueError(
            "on_conflict and key go together: "
            'bulk_create(items, on_conflict="skip", key="data.image")'
        )
    if batch_size is not None:
        check_number("batch_size", batch_size)
    check_number("batch_bytes", batch_bytes)
    run.total = len(items) if isinstance(items, Sized) else None
    is_sized = run.total is not None
    item_key = None if key is None else ItemKey.of(tasks, key)
    creation = _Creation(tasks, run, names_of(items), on_conflict, item_key, may_be_odd)
    creation.sizer = BatchSizer(batch_size)
    creation.returning = returning
    with run:
        checked = creation.checked(items, _check(tasks) if validate else None)
        if is_sized:  # as a whole before the first request
            with collector_at_rest():
                found = list(checked)
            checked = handed_over(found)
            creation.warn_of_missing_sizes()
        creation.create(checked, is_sized, batch_bytes)
        creation.warn_of_missing_sizes()
    return run.result() if returning else Created((), run.summary())


def create_from_server(
    tasks: QuerySet[Any],
    items: Iterable[Any],
    *,
    on_error: OnError = "raise",
    batch_size: int | None = None,
    batch_bytes: int = BATCH_BYTES,
) -> Created[Any]:
    """Create tasks that a server has, with all that another client may have written."""
    return create_tasks(
        tasks,
        items,
        BulkRun(tasks.client, on_error=on_error),
        batch_size=batch_size,
        batch_bytes=batch_bytes,
        may_be_odd=True,
    )


def _check(tasks: QuerySet[Any]) -> Check:
    return Check(project_of(tasks).config)


class _Creation:
    """One ``bulk_create``; ``run.made`` has the task of each item that was dealt with."""

    def __init__(
        self,
        tasks: QuerySet[Any],
        run: BulkRun,
        names: ItemNames,
        on_conflict: OnConflict,
        key: ItemKey | None,
        may_be_odd: bool,
    ) -> None:
        self.tasks, self.run, self.names, self.may_be_odd = tasks, run, names, may_be_odd
        self.on_conflict, self.key = on_conflict, key
        self.server = tasks.client.url
        self.sizer = BatchSizer()
        self.returning = True
        self.held = 0
        """Bytes of JSON of the items so far."""
        self.unsized: list[str] = []
        """Shapes without the size of their image that no warning has named yet."""
        self.first: dict[Hashable, int] = {}
        """The place of the first item with each key."""
        self.twins: list[Item] = []
        """Items with the key of an earlier one that have nothing to add to it."""
        self.later: dict[Hashable, Item] = {}
        """The last item with the key of an earlier one, which is to change what that created."""

    def checked(self, items: Iterable[Any], check: Check | None) -> Iterator[Item]:
        """Yield the items in their full form, without those that are refused here."""
        for place, given in enumerate(items):
            item = self._checked(place, given, check)
            if item is not None:
                yield item

    def warn_of_missing_sizes(self) -> None:
        """Warn of shapes that lack the size of their image, which exports in pixels leave out."""
        if self.unsized:
            places, self.unsized = self.unsized, []
            warnings.warn(without_sizes(places), MissingSizeWarning, stacklevel=5)

    def _checked(self, place: int, given: Any, check: Check | None) -> Item | None:
        where = self.names.one(place)
        try:
            may_be_odd = self.may_be_odd or check is not None  # its errors about regions say more
            form = full_form(given, where, server=self.server, may_be_odd=may_be_odd)
            refuse_unskippable(self.tasks.client, form, where)
            problem = check and check.problem(form)
            if problem:
                raise ValueError(f"{where}, {problem}")
            if check:
                self.unsized += [f"{where}, {one}" for one in check.without_size(form)]
            text = encode(form, where)  # raises for what JSON cannot hold
            item = Item(place, given, form, where, size=len(text), text=self._kept(text))
            return item if self.key is None else self._keyed(item, self.key)
        except (TypeError, ValueError) as error:
            self.run.fail(place, given, error)
            return None

    def _kept(self, text: bytes) -> bytes:
        self.held += len(text)
        is_kept = self.run.total is None or self.held <= TEXTS  # else as many as are in a batch
        # A copy, since orjson reserves a kilobyte for each.
        return bytes(memoryview(text)) if is_kept else b""

    def _keyed(self, item: Item, key: ItemKey) -> Item:
        value = key.value(item.form)
        if value is None:
            raise ValueError(f"{item} has no {cut(str(key), 80)}, by which items are identified")
        return attrs.evolve(item, key=value, hashable_key=hashable_key(value))

    def create(self, items: Iterator[Item], is_sized: bool, batch_bytes: int) -> None:
        """Create the tasks that do not exist yet, and deal with those that do."""
        self.importer = Import(self.tasks)
        if self.key is not None:
            wanted = None
            if is_sized:
                found = list(items)
                wanted = {item.hashable_key: item.key for item in found}
                items = handed_over(found)
            items = self._fresh(items, self._existing(self.key, wanted))
            if is_sized and self.on_conflict == "error":  # nothing is sent if there is one
                items = handed_over(list(items))
        for batch in batches(
            items, number=self.sizer, size=batch_bytes, size_of=lambda item: item.size
        ):
            send_isolating_failures(batch, self._send, refused, self.run)
            self.run.report()
        self._finish()

    # -- what is there already --------------------------------------------------------------------

    def _existing(self, key: ItemKey, wanted: dict[Hashable, Any] | None) -> ExistingTasks:
        fields = ("data", "meta") if self.on_conflict == "update" else ()
        return ExistingTasks(self.tasks, key, fields, wanted, empty=self.importer.highest == 0)

    def _fresh(self, items: Iterator[Item], existing: ExistingTasks) -> Iterator[Item]:
        """Yield the items that the project does not have; deal with the others."""
        for some in chunked(items, LOOK_UP):
            new = {
                item.hashable_key: item.key for item in some if item.hashable_key not in self.first
            }
            there = existing.find(new)
            changed = []
            for item in some:
                if item.hashable_key in self.first:
                    self._repeats(item)
                    continue
                self.first[item.hashable_key] = item.place
                if item.hashable_key not in there:
                    yield item
                elif (task := self._conflict(item, there[item.hashable_key])) is not None:
                    changed.append((item, task))
            self._update(changed)
            self.run.report()

    def _conflict(self, item: Item, there: list[Any]) -> Any:
        """Return the task that an item is to change, if it is to change one."""
        what = f"{item}: {self.key} {item.key!r:.80} is that of"
        if self.on_conflict == "error":
            self.run.fail(item.place, item.given, Conflict(f"{what} {there[0]!r} already"))
        elif self.on_conflict == "skip":
            self.run.made[item.place] = there[0]
            self.run.skipped += 1
        elif len(there) > 1:
            several = MultipleObjectsReturned(f"{what} several tasks: {there[0]!r}, {there[1]!r}")
            self.run.fail(item.place, item.given, several)
        else:
            return there[0]
        return None

    def _repeats(self, item: Item) -> None:
        """Deal with an item that has the key of an earlier one."""
        if self.on_conflict == "error":
            what = f"{item}: {self.key} {item.key!r:.80} is that of {self._first(item)}"
            self.run.fail(item.place, item.given, Conflict(f"{what} too"))
        elif self.on_conflict == "skip":
            self.twins.append(item)
        else:
            if item.hashable_key in self.later:
                self.twins.append(self.later[item.hashable_key])
            self.later[item.hashable_key] = item

    def _first(self, item: Item) -> str:
        """Return the name of the first item with the key of this one."""
        return self.names.one(self.first[item.hashable_key])

    def _update(self, changed: list[tuple[Item, Any]]) -> None:
        def save(pair: tuple[Item, Any]) -> bool:
            item, task = pair
            for name in item.form.keys() - {"data", "meta"}:
                raise ValueError(
                    f"{item} is {task!r} already, and its {name} cannot be added to that: "
                    f'leave {name} out, or pass on_conflict="skip"'
                )
            for name, value in item.form.items():
                getattr(task, name)  # fetches it, if it is not loaded
                setattr(task, name, copy_json(value))
            if not chosen(task, None):
                return False
            task.save()
            return True

        for outcome in self.run.each(
            changed, save, label=lambda pair: (pair[0].place, pair[0].given)
        ):
            item, task = outcome.item
            self.run.made[item.place] = task
            if outcome.value:
                self.run.updated += 1
            else:
                self.run.skipped += 1

    def _finish(self) -> None:
        """Deal with the items that repeat others, now that those are done."""
        changed = []
        for item in (*self.later.values(), *self.twins):
            first = self.first[item.hashable_key]
            if first not in self.run.made:
                failed = f"{item} has the {self.key} of {self._first(item)}, which failed"
                self.run.fail(item.place, item.given, ValueError(failed))
            elif self.later.get(item.hashable_key) is item:
                changed.append((item, self.run.made[first]))
            else:
                self.run.made[item.place] = self.run.made[first]
                self.run.skipped += 1
        self._update(changed)

    # -- what is not ------------------------------------------------------------------------------

    def _send(self, batch: list[Item]) -> None:
        project = id_of(query_of(self.tasks).scope["project"])
        which = self.names.several(batch[0].place, batch[-1].place)
        doing = f"importing {which} into Project {project}"
        started = time.monotonic()
        try:
            stored = self.importer.store(batch, doing=doing)
        except BadRequest as error:
            # Of many items that it refuses the server names but a few.
            self.sizer.refused(len(batch) // 2 if error.status == TOO_LARGE else BATCH_SIZE)
            raise
        self.sizer.saw(len(batch), time.monotonic() - started)
        if self.returning or self.key is not None:  # by its key a later item refers to one
            self.run.made.update(zip((item.place for item in batch), stored, strict=True))
        self.run.created += len(stored)
