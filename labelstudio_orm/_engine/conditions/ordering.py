"""Orders: keys into objects, any number of them, nulls last, ties by id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from ...errors import FieldError
from ..values.brief import brief
from ..values.declared import Record, key_of
from .places import Merged, Place, merged, name_of, refuse_merged
from .q import find_field

if TYPE_CHECKING:
    from ..fields.fields import Field

R = TypeVar("R", bound="Record")


@attrs.frozen
class Key:
    """A path to one value of an object: a field, and keys into it if it is nested JSON.

    ``Key.of(Task, "-data__lang")`` is ``task.data["lang"]``, descending. ``merged`` are the keys
    that its name may mean as well.
    """

    field: Field
    path: tuple[str, ...] = ()
    descending: bool = False
    merged: Merged = attrs.field(default=(), eq=False)

    @classmethod
    def of(cls, model: type[Record], name: str | Place) -> Key:
        """Return the key of this name. Raises FieldError for an unknown field."""
        place = Place.of(name)
        field = find_field(model, place.head, str(place))
        if (place.keys and not field.has_keys) or place.rest:
            inside = place.rest or "__".join(place.keys)
            raise FieldError(f"{model.__name__}.{field.name} has no {inside!r} inside: {place}")
        if place.keys and not field.may_be_keyed:
            raise FieldError(
                f"{place}: {model.__name__}.{field.name} is a list, so {place.keys[0]!r} may have "
                f"several values in it; name {field.name!r} and pick the one you need"
            )
        others = () if place.literal else merged(place.keys)
        return cls(field, place.keys, place.descending, others)

    def __str__(self) -> str:
        name = "__".join((self.field.name, *self.path))
        return "-" * self.descending + (
            name if self.merged else name_of(self.field.name, self.path)
        )

    @property
    def on_server(self) -> str:
        """Return the key as the server takes it for tasks: ``-tasks:created_at``."""
        return f"{'-' * self.descending}tasks:{self.field.wire}"

    def reversed(self) -> Key:
        """Return the same key in the opposite order."""
        return attrs.evolve(self, descending=not self.descending)

    def value(self, obj: Record) -> Any:
        """Return the value in an object; None where a key is missing."""
        value = getattr(obj, self.field.name)
        if self.merged:
            self.refuse_other(value)
        for key in self.path:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def refuse_other(self, value: Any) -> None:
        """Raise FieldError where the field's value has a key that the name may mean too."""
        refuse_merged(value, self.merged, str(self), self.field.name)


def ordered(objects: Iterable[R], keys: Sequence[Key]) -> list[R]:
    """Return objects sorted by these keys, the first one before all, nulls last, ties by id."""
    found = _by_id(list(objects))
    for key in reversed(keys):
        values = [(sortable(key.value(obj)), obj) for obj in found]
        known = [pair for pair in values if pair[0] is not None]
        known.sort(key=lambda pair: pair[0] or (), reverse=key.descending)
        found = [obj for _, obj in known] + [obj for value, obj in values if value is None]
    return found


def _by_id(objects: list[R]) -> list[R]:
    try:
        return sorted(objects, key=lambda obj: obj.id)
    except TypeError:  # ids that are not numbers, or none at all
        return sorted(objects, key=lambda obj: sortable(key_of(obj)) or ())


def sortable(value: Any) -> tuple[int, Any] | None:
    """Return a value by which any two can be ordered: by kind first, then within it."""
    if value is None:
        return None
    if isinstance(value, (int, float)):
        return 0, value
    if isinstance(value, str):
        return 1, value
    if isinstance(value, datetime):
        return 2, value
    try:
        return 3, repr(value)
    except (RecursionError, ValueError):  # very deep, or very long
        return 3, brief(value)
