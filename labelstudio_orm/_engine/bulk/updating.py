"""Saving what was changed here, and setting values that are not here."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from typing import Any

import attrs

from ...errors import DoesNotExist, FieldError
from ..conditions.lookups import same
from ..conditions.ordering import Key
from ..conditions.places import Place
from ..conditions.q import find_field
from ..conditions.tree import EVERYTHING
from ..fields.options import options_of
from ..http.payload import encode
from ..models.queryset import QuerySet
from ..pages.keyset import TASKS
from ..pages.sources import chunked
from ..reading.ambiguity import refuse_ambiguous
from ..reading.planner import plan_without_request
from ..reading.selection import evolved, query_of
from ..records.origin import Origin
from ..values.codec import copy_json, plain_json
from ..values.secret import reveal
from .actions import BATCH, act, project_of
from .run import BulkRun

# -- saving ---------------------------------------------------------------------------------------


def save_many(
    queryset: QuerySet[Any],
    objects: Iterable[Any],
    fields: Iterable[str] | None,
    run: BulkRun,
) -> None:
    """Save objects that were changed here: ``QuerySet.bulk_update``."""
    names = None
    if fields is not None:
        texts = [fields] if isinstance(fields, str) else fields
        names = [find_field(queryset.model, text).name for text in texts]
        for name in names:
            _writable(queryset, name)
    run.total = len(objects) if isinstance(objects, Sized) else None

    def save(obj: Any) -> bool:
        _must_be_here(queryset, obj)
        if not obj._chosen(names, False):
            return False
        obj.save(fields=names)
        return True

    with run:
        run.update_each(objects, save, identity=_identity)


def _identity(obj: Any) -> object:
    return getattr(obj, "_key", None)


def _must_be_here(queryset: QuerySet[Any], obj: Any) -> None:
    name = options_of(queryset.model).name
    if not isinstance(obj, queryset.model) or not obj._is_saved:
        raise TypeError(
            f"bulk_update() saves each {name} that the server has, not {obj!r:.80}; "
            "bulk_create() makes new ones"
        )
    if obj._server not in (None, queryset.client.url):
        raise ValueError(f"{obj!r} is on {obj._server}, the queryset on {queryset.client.url}")


def _writable(queryset: QuerySet[Any], name: str) -> None:
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
    """``data__split="train"``: a value for a field, or for a key inside of it."""

    key: Key
    value: Any

    @classmethod
    def of(cls, queryset: QuerySet[Any], text: str | Place, value: Any) -> Assignment:
        """Read it from a keyword, or an expression. Raises FieldError for what cannot be set,
        TypeError and ValueError for what it cannot be set to.
        """
        key = Key.of(queryset.model, text)
        if key.falling:
            raise FieldError(f"update(): {text} is an order; a value has no minus")
        _writable(queryset, key.field.name)
        model = queryset.model
        value = plain_json(value)
        try:
            if key.path:
                encode(value, str(text))
            else:
                probe = model._from_row({options_of(model).key_wire: 0}, Origin(queryset.client))
                setattr(probe, str(text), value)
                value = key.field.keep(getattr(probe, key.field.name))
                encode(probe._body([key.field]), str(text))
        except (TypeError, ValueError) as error:
            raise type(error)(f"update({text}=...): {error}") from error
        return cls(key, key.field.keep(value))

    @property
    def is_text_in_data(self) -> bool:
        """Is it a text for one key of ``data``?"""
        in_data = self.key.field.name == "data" and len(self.key.path) == 1
        return in_data and isinstance(self.value, str)

    @property
    def way(self) -> tuple[str, ...]:
        """The field and the keys into it."""
        return self.key.field.name, *self.key.path

    def apply(self, obj: Any) -> None:
        """Set it on an object. Raises ValueError where there is nothing that could hold the key."""
        *steps, last = self.way
        value = copy_json(reveal(self.value))
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


def update_many(
    queryset: QuerySet[Any],
    values: Mapping[Any, Any],
    run: BulkRun,
) -> None:
    """Set values of the objects: ``QuerySet.update``."""
    query_of(queryset).require_confirmation("update(...)")
    if not values:
        raise TypeError("update() needs a value to set: update(data__split='train')")
    said = [Assignment.of(queryset, text, value) for text, value in values.items()]
    for one, other in itertools.permutations(said, 2):
        if one.way == other.way[: len(one.way)]:
            raise ValueError(f"update(): {one.key} is set as a whole and in part")
    refuse_ambiguous(query_of(queryset), (one.key for one in said))
    names = {one.key.field.name for one in said}
    merges = any(one.key.path for one in said)
    run.total = _total(queryset) if run.is_watched else None
    again = _again(queryset, names)

    def update(obj: Any) -> bool:
        if query_of(queryset).loaded is None:
            return change(obj)
        with obj._unless_it_fails():  # it is the caller's own
            return change(obj)

    def change(obj: Any) -> bool:
        for one in said:
            one.apply(obj)
        if not obj._chosen(names, False):
            return False
        if merges:  # somebody may have saved since it was listed, and a PATCH replaces the whole
            obj = again(obj)
            if obj is None:
                return False
            for one in said:
                one.apply(obj)
            if not obj._chosen(names, False):
                return False
        obj.save(fields=names)
        return True

    with run:
        light = evolved(queryset, fields=frozenset({"id", *names}), relations=frozenset())
        listed = queryset if query_of(queryset).loaded is not None else light
        run.update_each(_set_texts(listed, said, run), update)


def _set_texts(listed: QuerySet[Any], said: Sequence[Assignment], run: BulkRun) -> Iterator[Any]:
    """Set texts under keys of the data of tasks by the server's own action, which leaves the other
    keys as they are. Gives the objects that are left: all, where it could not.
    """
    objects = listed.iterator()
    if not _can_set_texts(listed, said):
        yield from objects
        return
    project = project_of(listed).id
    for tasks in chunked(objects, BATCH):
        ids = []
        for task in tasks:
            for one in said:
                one.apply(task)
            if task._changed():
                ids.append(task.id)
        chosen = {"selectedItems": {"all": False, "included": ids}}
        try:
            for one in said if ids else ():
                field = {"value_name": one.key.path[0], "value_type": "String", "value": one.value}
                act(listed, project, "add_data_field", {**chosen, **field}, idempotent=True)
        except ValueError:  # there is no such action, or one of the tasks is refused
            yield from tasks
            yield from objects
            return
        run.updated += len(ids)
        run.skipped += len(tasks) - len(ids)
        run.report()


def _can_set_texts(listed: QuerySet[Any], said: Sequence[Assignment]) -> bool:
    if options_of(listed.model).pages is not TASKS or not all(one.is_text_in_data for one in said):
        return False
    try:  # what is shown under a key of the labelling config may be stored under another one
        shown = project_of(listed).config.data_keys
    except ValueError:  # a config that is broken
        return False
    return not any(one.key.path[0] in shown for one in said)


def _total(queryset: QuerySet[Any]) -> int | None:
    """Return the number of objects, where the server can tell it."""
    if not plan_without_request(query_of(queryset).but(is_strict=False)).counts:
        return None
    return queryset.count()


def _again(queryset: QuerySet[Any], names: set[str]) -> Callable[[Any], Any]:
    """How one object is read again: None when it is gone, or fits the queryset no more."""
    acts_on_ids = query_of(queryset).is_slice or "view" in query_of(queryset).scope
    where = EVERYTHING if acts_on_ids else query_of(queryset).where
    if options_of(queryset.model).pages is TASKS and "project" in query_of(queryset).scope:
        scope = {"project": query_of(queryset).scope["project"]}
        fields = frozenset({"id", *names})
        tasks = QuerySet.of(queryset.model, queryset.client, scope=scope, fields=fields)
        return lambda obj: evolved(tasks, where=where).filter(id=obj.id).first()

    def refreshed(obj: Any) -> Any:
        try:
            return obj if where.holds(obj.refresh()) else None
        except DoesNotExist:
            return None

    return refreshed
