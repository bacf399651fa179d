"""Saving objects that were changed here, and setting values of objects that are not."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from ...errors import DoesNotExist, FieldError, LabelStudioError
from ..conditions.lookups import same
from ..conditions.ordering import Key
from ..conditions.places import Place
from ..conditions.q import find_field
from ..conditions.tree import EVERYTHING
from ..fields.options import options_of
from ..http.page_sizes import IDS
from ..http.payload import encode
from ..reading.ambiguity import refuse_ambiguous
from ..reading.planner import plan_without_request
from ..reading.selection import evolved, query_of
from ..records.inside import (
    body_of,
    chosen,
    from_row,
    is_saved,
    restored_on_failure,
    server_of,
)
from ..records.origin import Origin
from ..values.codec import copy_json, plain_json
from ..values.secret import reveal
from ..values.summary import Summary
from .run import BulkRun

if TYPE_CHECKING:
    from ..conditions.tree import Node
    from ..reading.queryset import ReadingQuerySet

# -- saving ---------------------------------------------------------------------------------------


def save_many(
    queryset: ReadingQuerySet[Any],
    objects: Iterable[Any],
    fields: Iterable[str] | None,
    run: BulkRun,
) -> Summary:
    """Save objects that were changed here: ``QuerySet.bulk_update``."""
    names = None
    if fields is not None:
        texts = [fields] if isinstance(fields, str) else fields
        names = [find_field(queryset.model, text).name for text in texts]
        for name in names:
            _writable(queryset, name)
    run.total = len(objects) if isinstance(objects, Sized) else None

    def save(obj: Any) -> bool:
        _check_saved_here(queryset, obj)
        if not chosen(obj, names):
            return False
        obj.save(fields=names)
        return True

    with run:
        run.update_each(objects, save, identity=_identity)
    return run.summary()


def _identity(obj: Any) -> object:
    return getattr(obj, "_key", None)


def _check_saved_here(queryset: ReadingQuerySet[Any], obj: Any) -> None:
    name = options_of(queryset.model).name
    if not isinstance(obj, queryset.model) or not is_saved(obj):
        raise TypeError(
            f"bulk_update() saves each {name} that the server has, not {obj!r:.80}; "
            "bulk_create() makes new ones"
        )
    if server_of(obj) not in (None, queryset.client.url):
        raise ValueError(f"{obj!r} is on {server_of(obj)}, the queryset on {queryset.client.url}")


def _writable(queryset: ReadingQuerySet[Any], name: str) -> None:
    options = options_of(queryset.model)
    field = options.fields.get(name)
    if field is None or field.read_only or field.fixed:
        raise FieldError(
            f"{options.name} has no field {name!r:.80} that can be changed; it has "
            + ", ".join(n for n, one in options.fields.items() if not one.read_only | one.fixed)
        )


# -- updating -------------------------------------------------------------------------------------


@attrs.frozen
class Assignment:
    """``data__split="train"``: a value for a field, or for a key inside of it.

    ``function`` gives the value for each object instead, and ``check`` returns it as it is kept.
    """

    key: Key
    value: Any
    function: Callable[[Any], Any] | None = None
    check: Callable[[Any], Any] | None = None

    @classmethod
    def of(cls, queryset: ReadingQuerySet[Any], text: str | Place, value: Any) -> Assignment:
        """Read an assignment from a keyword, or an expression.

        Raises FieldError for what cannot be set, TypeError and ValueError for a value that it
        cannot be set to.
        """
        key = Key.of(queryset.model, text)
        if key.descending:
            raise FieldError(f"update(): {text} is an order; a value has no minus")
        _writable(queryset, key.field.name)
        if callable(value):
            return cls(key, None, value, partial(cls._checked, queryset, key, text))
        return cls(key, cls._checked(queryset, key, text, value))

    @staticmethod
    def _checked(queryset: ReadingQuerySet[Any], key: Key, text: str | Place, value: Any) -> Any:
        """Return a value as it is kept; raise TypeError or ValueError if it cannot be set."""
        model = queryset.model
        value = plain_json(value)
        try:
            if key.path:
                encode(value, str(text))
            else:
                probe = from_row(model, {options_of(model).key_wire: 0}, Origin(queryset.client))
                setattr(probe, str(text), value)
                value = key.field.keep(getattr(probe, key.field.name))
                encode(body_of(probe, [key.field]), str(text))
        except (TypeError, ValueError) as error:
            raise type(error)(f"update({text}=...): {error}") from error
        return key.field.keep(value)

    @property
    def is_text_in_data(self) -> bool:
        """Whether it is a text for one key of ``data``."""
        in_data = self.key.field.name == "data" and len(self.key.path) == 1
        return in_data and isinstance(self.value, str)

    @property
    def depends_on_the_stored(self) -> bool:
        """Whether what is saved holds parts of a nested field that another one may have changed."""
        return bool(self.key.path) or (self.function is not None and self.key.field.nested)

    @property
    def way(self) -> tuple[str, ...]:
        """The field and the keys into it."""
        return self.key.field.name, *self.key.path

    def value_for(self, obj: Any) -> Any:
        """Return the value for an object.

        Raises ValueError for a function that raises an error, TypeError and ValueError for what it
        returns if that cannot be set.
        """
        if self.function is None or self.check is None:
            return self.value
        try:
            value = self.function(obj)
        except LabelStudioError:
            raise
        except Exception as error:
            raise ValueError(f"update({self.key}=...) raised {error!r} for {obj!r:.200}") from error
        try:
            return self.check(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{obj!r:.200}: {error}") from error

    def apply(self, obj: Any, value: Any) -> None:
        """Set the value on an object. Raises ValueError where nothing can hold the key."""
        *steps, last = self.way
        value = copy_json(reveal(value))
        if not steps:
            setattr(obj, last, value)
            return
        self.key.refuse_other(getattr(obj, steps[0]))
        if getattr(obj, steps[0]) is None:
            setattr(obj, steps[0], {})
        inner: Any = {steps[0]: getattr(obj, steps[0])}
        for place, step in enumerate(steps, start=1):
            if inner.get(step) is None:
                inner[step] = {}
            inner = inner[step]
            if not isinstance(inner, dict):
                what = "__".join(steps[:place])
                shown = repr(self.key.field.keep(inner))
                raise ValueError(f"{obj!r}: {what} is {shown:.80}, which has no keys")
        if last not in inner or not same(inner[last], value):
            inner[last] = value


FRESH = 5.0
"""Seconds for which what was read of an object is relied on when a PATCH replaces a field of it."""

LOT = 20
"""Objects that are read again together, at first; later as many as are saved in that time."""


@attrs.frozen(eq=False)
class Target:
    """An object to update, its place among the others, and what was read of it again, and when.

    ``current`` is None where it is gone, or matches no more.
    """

    place: int
    obj: Any
    current: Any = None
    read: float = -math.inf

    @property
    def is_fresh(self) -> bool:
        """Return whether what was read again may still be relied on."""
        return time.monotonic() - self.read < FRESH


class Update:
    """An ``update`` of the objects of a queryset: the values, and how they are set.

    A PATCH replaces a nested field, which may have been saved since it was listed. So where a key
    is set, or a function gives such a field, an object is read again not more than ``FRESH``
    seconds before.

    A resource whose server can do more overrides ``set_many``, ``reread`` and ``reread_many``.
    """

    def __init__(self, queryset: ReadingQuerySet[Any], values: Mapping[Any, Any]) -> None:
        """Read the values. Raises TypeError and ValueError for what cannot be set."""
        query_of(queryset).require_confirmation("update(...)")
        if not values:
            raise TypeError("update() needs a value to set: update(data__split='train')")
        self.assignments = [Assignment.of(queryset, text, one) for text, one in values.items()]
        for one, other in itertools.permutations(self.assignments, 2):
            if one.way == other.way[: len(one.way)]:
                raise ValueError(f"update(): {one.key} is set as a whole and in part")
        refuse_ambiguous(query_of(queryset), (one.key for one in self.assignments))
        self.names = {one.key.field.name for one in self.assignments}
        self.merges = any(one.depends_on_the_stored for one in self.assignments)
        self.is_computed = any(one.function for one in self.assignments)
        fields = None if self.is_computed else frozenset({"id", *self.names})
        light = evolved(queryset, fields=fields, relations=frozenset())
        self.is_of_caller = query_of(queryset).loaded is not None
        """Whether the objects are the caller's own, and were read at some time before."""
        self.listed = queryset if self.is_of_caller else light
        self.queryset = queryset

    def run(self, run: BulkRun) -> Summary:
        """Set the values of all objects."""
        run.total = _total(self.queryset) if run.is_watched else None
        with run:
            objects = self.set_many(self.listed.iterator(), run)
            targets = itertools.starmap(Target, enumerate(objects))
            run.update_each(
                self._reread(targets) if self.merges and not self.is_of_caller else targets,
                self._update,
                label=lambda target: (target.place, target.obj),
            )
        return run.summary()

    def set_many(self, objects: Iterator[Any], run: BulkRun) -> Iterator[Any]:
        """Set the values by requests for many objects; yield the objects that are left."""
        return objects

    def reread(self, obj: Any) -> Any:
        """Read an object again; return None if it is gone, or no longer matches the queryset."""
        try:
            return obj if self.where.holds(obj.refresh()) else None
        except DoesNotExist:
            return None

    def reread_many(self, objects: Sequence[Any]) -> Mapping[Any, Any] | None:
        """Read objects again in one request; return those that still match by their ids.

        None where that is not possible.
        """
        return None

    @property
    def where(self) -> Node:
        """The condition that objects must still match; those of a slice or a view are fixed."""
        is_fixed = query_of(self.queryset).is_slice or "view" in query_of(self.queryset).scope
        return EVERYTHING if is_fixed else query_of(self.queryset).where

    def _reread(self, targets: Iterator[Target]) -> Iterator[Target]:
        """Read objects again, as many at a time as are saved while that is fresh."""
        size, left = LOT, list[Target]()
        while left := [*left, *itertools.islice(targets, max(0, size - len(left)))]:
            read = time.monotonic()
            some = left[:size]
            found = self._read_many([target for target in some if self._may_change(target.obj)])
            done = 0
            for target in some:
                if found is None:
                    yield target
                elif done and time.monotonic() - read >= FRESH:
                    break
                else:
                    yield attrs.evolve(target, current=found.get(target.obj.id), read=read)
                done += 1
            seconds = max(time.monotonic() - read, 0.001)
            size = max(1, min(2 * size, int(done / seconds * FRESH), IDS))
            left = left[done:]

    def _may_change(self, obj: Any) -> bool:
        if self.is_computed:  # a function is asked once about an object as it was read
            return True
        try:
            return self._apply(obj)
        except (LabelStudioError, TypeError, ValueError):
            return False  # it is raised where the object is saved

    def _read_many(self, targets: list[Target]) -> Mapping[Any, Any] | None:
        """Return the objects of targets as they are now; None where each is to be read alone."""
        if not targets:
            return {}
        try:
            return self.reread_many([target.obj for target in targets])
        except LabelStudioError:  # of one of them, or of all: that shows where each is read
            return None

    def _update(self, target: Target) -> bool:
        if not self.is_of_caller:
            return self._change(target)
        with restored_on_failure(target.obj):
            return self._change(target)

    def _change(self, target: Target) -> bool:
        obj = target.obj
        if not (self.merges and self.is_computed) and not self._apply(obj):
            return False
        if self.merges:
            obj = target.current if target.is_fresh else self.reread(obj)
            if obj is None or not self._apply(obj):
                return False
        try:
            obj.save(fields=self.names)
        except DoesNotExist:
            if not self.merges:
                raise
            return False  # it went since it was read again
        return True

    def _apply(self, obj: Any) -> bool:
        """Set the values on an object; return whether that changes it."""
        self.assign(obj)
        return bool(chosen(obj, self.names))

    def assign(self, obj: Any) -> None:
        """Set the values on an object; functions get it as it was before."""
        values = [one.value_for(obj) for one in self.assignments]
        for one, value in zip(self.assignments, values, strict=True):
            one.apply(obj, value)


def _total(queryset: ReadingQuerySet[Any]) -> int | None:
    """Return the number of objects, where the server can count them."""
    if not plan_without_request(query_of(queryset).but(is_strict=False)).counts:
        return None
    return queryset.count()
