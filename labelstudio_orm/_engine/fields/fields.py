"""Fields: how an attribute of an object reads the row of the server, and what may be set."""

from __future__ import annotations

import typing
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import attrs

from ..values import codec
from ..values.declared import header_of
from ..values.ids import as_id, as_ids, id_given, is_object
from ..values.secret import NAMES, reveal, seal

if TYPE_CHECKING:
    from ..http.releases import Feature


class _Unset:
    def __repr__(self) -> str:
        return "..."

    def __bool__(self) -> bool:
        return False


Validator: TypeAlias = Callable[[Any, str, Any], None]
"""Raises for a value that no server can use; takes the value, its place in messages, and the value
that the server has.
"""

UNSET: Final[Any] = _Unset()
"""A constructor argument that was not given: the server's own default then applies."""


class Field:
    """One declared field: its name, its JSON key, its type, and what its word declares.

    A class gives the Field itself (``Project.title``), an object gives the value. A value that JSON
    has as it is comes from the row each time. One that is converted, or may be edited in place, is
    read when it is first touched and then lies in the object's ``__dict__``, which Python looks at
    first.
    """

    def __init__(
        self,
        name: str,
        owner: type[Any],
        *,
        wire: str | None = None,
        default: Any = UNSET,
        read_only: bool = False,
        fixed: bool = False,
        computed: bool = False,
        null_is_unknown: bool = False,
        secret: bool = False,
        always_sent: bool = False,
        trusted_type: type | None = None,
        partly: str | None = None,
        references: str | None = None,
        of: str | None = None,
        validator: Validator | None = None,
        since: Feature | None = None,
    ) -> None:
        self.name, self.owner = name, owner
        self.wire = wire or references or name
        self.default = default
        self.read_only, self.fixed = read_only, fixed
        self.computed, self.null_is_unknown = computed, null_is_unknown
        self.secret, self.always_sent = secret, always_sent
        self.trusted_type, self.partly = trusted_type, partly
        self.references, self.of = references, of
        self.validator, self.since = validator, since

    def __repr__(self) -> str:
        return f"<Field {self.owner.__name__}.{self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _field_of, (self.owner, self.name)

    @cached_property
    def annotation(self) -> Any:
        """The resolved annotation, for example ``int | None``."""
        return header_of(self.owner).annotation(self.name)

    @cached_property
    def read(self) -> codec.Codec:
        """The conversion of JSON to Python; never raises."""
        return as_id if self.references else codec.reader(self.annotation)

    @cached_property
    def is_plain(self) -> bool:
        """The value is that of the row."""
        return codec.is_identity(self.read)

    def fresh_default(self) -> Any:
        """Return the value of a field that was neither given nor sent by the server."""
        if self.default is UNSET:
            return None
        return self.default.factory() if isinstance(self.default, attrs.Factory) else self.default  # type: ignore[arg-type]

    @cached_property
    def deferred(self) -> bool:
        """A row may lack the field although the server has it."""
        return (
            self.computed or self.null_is_unknown or self.trusted_type is not None or self.left_out
        )

    @cached_property
    def left_out(self) -> bool:
        """A listing leaves the field out."""
        return self.name in header_of(self.owner).left_out

    def accepts(self, value: Any) -> bool:
        """Return whether JSON is taken for the value, so that the field need not be fetched."""
        if value is None:
            return not self.null_is_unknown
        return self.trusted_type is None or isinstance(value, self.trusted_type)

    @cached_property
    def element(self) -> Any:
        """The type of each value of a field with several plain ones; None for others."""
        kinds = [part for part in codec.parts(self.annotation) if part is not type(None)]
        inner = typing.get_args(kinds[0]) if typing.get_origin(kinds[0]) is list else ()
        plain = inner and (inner[0] in (int, str) or typing.get_origin(inner[0]) is Literal)
        return inner[0] if plain and len(kinds) == 1 else None

    @property
    def multi_valued(self) -> bool:
        """The field holds several plain values."""
        return self.element is not None

    @cached_property
    def holds_regions(self) -> bool:
        """The field holds a list of JSON objects, as ``result`` does."""
        return bool(self.annotation == list[dict[str, Any]])

    @cached_property
    def nested(self) -> bool:
        """The field holds JSON that a user may edit in place."""
        return not self.references and codec.is_nested(self.annotation)

    @cached_property
    def has_keys(self) -> bool:
        """The field holds JSON with keys inside, and not plain values."""
        return self.nested and not self.multi_valued

    @cached_property
    def may_be_keyed(self) -> bool:
        """The field may hold a dict, in which a key has one value."""
        kinds = {typing.get_origin(one) or one for one in codec.parts(self.annotation)}
        return self.nested and bool(kinds & {dict, Any})

    def same(self, left: Any, right: Any) -> bool:
        """Return whether two Python values of this field are the same to the server."""
        if self.nested:
            return codec.same_json(left, right)
        if type(left) in _NUMBERS and type(right) in _NUMBERS:
            return bool(left == right)  # 1 and 1.0 are one number
        return type(left) is type(right) and bool(left == right)

    def keep(self, value: Any) -> Any:
        """Return a value as an object keeps it."""
        return value

    def copy(self, value: Any) -> Any:
        """Return a copy of a value as an object keeps it."""
        return self.keep(codec.copy_given(reveal(value)))

    def renew(self, held: Any, now: Any) -> Any:
        """Return a held value changed into another one, in place where it is nested."""
        return self.keep(codec.renew(reveal(held), reveal(now)))

    def peek(self, obj: Any) -> Any:
        """Return the value of an object to compare with: nested JSON is not copied for it."""
        untouched = self.nested and self.name not in obj.__dict__
        if untouched and self.wire in obj._row and not obj._uncomputed(self):
            return obj._row[self.wire]
        return getattr(obj, self.name)

    def check(self, value: Any) -> Any:
        """Return a value as it will be kept. Raises TypeError naming the resource and the field."""
        value = reveal(value)  # another resource has a secret of this name
        if is_object(value):
            if not self.references:
                raise TypeError(
                    f"{self.owner.__name__}.{self.name} takes a value, not {value!r:.80}"
                )
            value = id_given(value, f"{self.owner.__name__}.{self.name}")
        value = codec.plain(value)
        why = codec.mismatch(value, self.annotation)
        if why:
            raise TypeError(f"{self.owner.__name__}.{self.name} cannot be {why}")
        return value

    if not TYPE_CHECKING:  # a type checker sees the field's own annotation instead

        def __get__(self, obj, owner=None):
            if obj is None:
                return self
            row, wire = obj._row, self.wire
            if wire not in row or (self.computed and obj._uncomputed(self)):
                value = obj._missing(self)
                if not (self.nested or obj._is_saved):
                    return value  # a default that was only looked at is not a change
            else:
                value = row[wire]
                if self.is_plain:
                    return value
                if self.nested:
                    row[wire] = codec.baseline(value)
                else:
                    value = self.read(value)
            obj.__dict__[self.name] = value
            return value


_NUMBERS = frozenset((int, float))


class SecretField(Field):
    """A field whose value is sealed in its object and in the row, and is opened when it is read."""

    def __init__(self, name: str, owner: type[Any], **options: Any) -> None:
        super().__init__(name, owner, **options)
        NAMES.update((self.name, self.wire))

    @cached_property
    def read(self) -> codec.Codec:
        """The conversion of JSON to a Secret; never raises."""
        return self.copy

    def keep(self, value: Any) -> Any:
        return seal(value)

    def same(self, left: Any, right: Any) -> bool:
        return super().same(reveal(left), reveal(right))

    def check(self, value: Any) -> Any:
        """Return a value, sealed. The TypeError names its type, and nothing else of it."""
        value = seal(value)
        if codec.mismatch(reveal(value), self.annotation):
            raise TypeError(
                f"{self.owner.__name__}.{self.name} cannot be {type(reveal(value)).__name__}; "
                f"expected {codec.annotation_name(self.annotation)}"
            )
        return value

    if not TYPE_CHECKING:

        def __get__(self, obj, owner=None):
            if obj is None:
                return self
            if self.name not in obj.__dict__:
                if self.wire in obj._row:
                    obj._row[self.wire] = seal(obj._row[self.wire])
                    value = self.read(obj._row[self.wire])
                else:
                    value = seal(obj._missing(self))
                    if not (self.nested or obj._is_saved):
                        return reveal(value)
                obj.__dict__[self.name] = value
            return reveal(obj.__dict__[self.name])

        def __set__(self, obj, value):
            value = self.check(seal(value))
            obj.__dict__[self.name] = value


class IdsField(Field):
    """A field with the ids of several objects, which some servers send as objects."""

    @cached_property
    def read(self) -> codec.Codec:
        """The conversion of JSON to ids; never raises."""
        return as_ids

    def peek(self, obj: Any) -> Any:
        self._reduce(obj)
        return super().peek(obj)

    def _reduce(self, obj: Any) -> None:
        row = obj._row
        if self.wire in row:
            row[self.wire] = as_ids(row[self.wire])

    if not TYPE_CHECKING:

        def __get__(self, obj, owner=None):
            if obj is not None and self.name not in obj.__dict__:
                self._reduce(obj)
            return super().__get__(obj, owner)


def _field_of(owner: type[Any], name: str) -> Field:
    """Return the one Field of this name, which a pickled condition or order refers to."""
    field: Field = header_of(owner).fields[name]
    return field
