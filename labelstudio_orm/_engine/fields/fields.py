"""The words that a resource declaration is made of.

A declaration is an annotated class body; a field without a word is simply writable. The words say
what the annotation cannot: ``readonly`` ``computed`` ``counter`` ``secret`` ``always_sent``
``foreign_key``, and ``HasMany`` and ``HasSet`` for the other direction.

    >>> from labelstudio_orm import Task
    >>> Task.data.wire, Task.inner_id.read_only
    ('data', True)
"""

from __future__ import annotations

import re
import typing
from collections.abc import Callable
from functools import cached_property
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Generic,
    Literal,
    NamedTuple,
    TypeAlias,
    TypeVar,
    overload,
)

import attrs

from ..values import codec
from ..values.brief import brief
from ..values.ids import as_id, is_object
from ..values.registry import registry
from ..values.secret import NAMES, reveal, seal
from .options import options_of

if TYPE_CHECKING:
    from ..models.queryset import QuerySet
    from ..models.resource import Resource

R = TypeVar("R", bound="Resource")
S = TypeVar("S", bound="QuerySet[Any]")

WORD: Final = "labelstudio_orm"
"""The key under which a word keeps what it says in an attrs field's metadata."""


class _Unset:
    def __repr__(self) -> str:
        return "..."

    def __bool__(self) -> bool:
        return False


Judge: TypeAlias = Callable[[Any, str, Any], None]

UNSET: Final[Any] = _Unset()
"""What a constructor argument is when it was not given: the server's own default then applies."""


class Field:
    """One declared field: its name, its name on the wire, its type, and what the word before it
    said.

    A class gives the Field itself (``Project.title``), an object gives the value. The value is
    read from the row when it is first touched and then lies in the object's ``__dict__``, which
    Python looks at first.
    """

    def __init__(
        self,
        name: str,
        owner: type[Resource],
        *,
        wire: str | None = None,
        default: Any = UNSET,
        read_only: bool = False,
        fixed: bool = False,
        computed: bool = False,
        null_is_unknown: bool = False,
        secret: bool = False,
        always_sent: bool = False,
        only: type | None = None,
        partly: str | None = None,
        references: str | None = None,
        of: str | None = None,
        judge: Judge | None = None,
    ) -> None:
        self.name, self.owner = name, owner
        self.wire = wire or references or name
        self.default = default
        self.read_only, self.fixed = read_only, fixed
        self.computed, self.null_is_unknown = computed, null_is_unknown
        self.secret, self.always_sent = secret, always_sent
        self.only, self.partly = only, partly
        self.references, self.of = references, of
        self.judge = judge

    def __repr__(self) -> str:
        return f"<Field {self.owner.__name__}.{self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _field_of, (self.owner, self.name)

    @cached_property
    def annotation(self) -> Any:
        """The resolved annotation, for example ``int | None``."""
        return options_of(self.owner).types[self.name]

    @cached_property
    def read(self) -> codec.Codec:
        """JSON to Python; never raises."""
        return as_id if self.references else codec.reader(self.annotation)

    @cached_property
    def deferred(self) -> bool:
        """May a row lack it although the server has it?"""
        return self.computed or self.null_is_unknown or self.only is not None or self.left_out

    @cached_property
    def left_out(self) -> bool:
        """Does a listing leave it out?"""
        return self.name in options_of(self.owner).left_out

    def believes(self, value: Any) -> bool:
        """May this JSON be taken for the value, or does the field have to be fetched?"""
        if value is None:
            return not self.null_is_unknown
        return self.only is None or isinstance(value, self.only)

    @cached_property
    def element(self) -> Any:
        """The type of each of several plain values, as ``annotators`` holds; None where it holds
        one, or nested JSON.
        """
        kinds = [part for part in codec.parts(self.annotation) if part is not type(None)]
        inner = typing.get_args(kinds[0]) if typing.get_origin(kinds[0]) is list else ()
        plain = inner and (inner[0] in (int, str) or typing.get_origin(inner[0]) is Literal)
        return inner[0] if plain and len(kinds) == 1 else None

    @property
    def listed(self) -> bool:
        """Does it hold several plain values?"""
        return self.element is not None

    @cached_property
    def holds_regions(self) -> bool:
        """Does it hold a list of objects, as ``result`` does?"""
        return bool(self.annotation == list[dict[str, Any]])

    @cached_property
    def nested(self) -> bool:
        """Does it hold JSON that a user may edit in place?"""
        return not self.references and codec.is_nested(self.annotation)

    @cached_property
    def has_keys(self) -> bool:
        """Does it hold JSON with keys inside of it, and not plain values?"""
        return self.nested and not self.listed

    @cached_property
    def may_be_keyed(self) -> bool:
        """May it be a dict, in which a key says one value?"""
        kinds = {typing.get_origin(one) or one for one in codec.parts(self.annotation)}
        return self.nested and bool(kinds & {dict, Any})

    def same(self, left: Any, right: Any) -> bool:
        """Are two Python values of this field the same to the server?"""
        if self.nested:
            return codec.same_json(left, right)
        if type(left) in _NUMBERS and type(right) in _NUMBERS:
            return bool(left == right)  # 1 and 1.0 are one number
        return type(left) is type(right) and bool(left == right)

    def keep(self, value: Any) -> Any:
        """Return a value as it lies in an object."""
        return value

    def copy(self, value: Any) -> Any:
        """Return a copy of a value as it lies in an object."""
        return self.keep(codec.copy_given(reveal(value)))

    def renew(self, held: Any, now: Any) -> Any:
        """Return what is to lie in an object: what is held of the field there, made to say what
        another value says (``codec.renew``).
        """
        return self.keep(codec.renew(reveal(held), reveal(now)))

    def check(self, value: Any) -> Any:
        """``value`` as it will be kept. Raises TypeError naming the resource and the field."""
        value = reveal(value)  # another resource has a secret of this name
        if is_object(value):
            if not self.references:
                raise TypeError(
                    f"{self.owner.__name__}.{self.name} takes a value, not {value!r:.80}"
                )
            value = value._saved_id(f"{self.owner.__name__}.{self.name}")
        value = codec.plain(value)
        why = codec.mismatch(value, self.annotation)
        if why:
            raise TypeError(f"{self.owner.__name__}.{self.name} cannot be {why}")
        return value

    if not TYPE_CHECKING:  # a type checker sees the field's own annotation instead

        def __get__(self, obj, owner=None):
            if obj is None:
                return self
            row = obj._row
            if self.wire in row and not (self.computed and obj._uncomputed(self)):
                value = row[self.wire]
                if self.nested:
                    row[self.wire] = codec.record(value)
                else:
                    value = self.read(value)
            else:
                value = obj._missing(self)
                if not (self.nested or obj._is_saved):
                    return value  # a default that was only looked at is not a change
            obj.__dict__[self.name] = value
            return value


_NUMBERS = frozenset((int, float))


class SecretField(Field):
    """A field that lies sealed in its object and in the row, and is opened when it is read."""

    def __init__(self, name: str, owner: type[Resource], **says: Any) -> None:
        super().__init__(name, owner, **says)
        NAMES.update((self.name, self.wire))

    @cached_property
    def read(self) -> codec.Codec:
        """JSON to a Secret; never raises."""
        return self.copy

    def keep(self, value: Any) -> Any:
        return seal(value)

    def same(self, left: Any, right: Any) -> bool:
        return super().same(reveal(left), reveal(right))

    def check(self, value: Any) -> Any:
        """``value``, sealed. The TypeError says its type, and nothing else of it."""
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


def _field_of(owner: type[Resource], name: str) -> Field:
    """The one Field of this name: what a pickled condition or order names."""
    return options_of(owner).fields[name]


def _word(init: bool = True, **says: Any) -> Any:
    default = says.pop("default", UNSET)
    factory = says.pop("factory", None)
    if factory is not None:
        default = attrs.Factory(factory)
    return attrs.field(default=default, init=init, metadata={WORD: says})


def field(
    *,
    default: Any = attrs.NOTHING,
    factory: Callable[[], Any] | None = None,
    wire: str | None = None,
    fixed: bool = False,
    judge: Judge | None = None,
) -> Any:
    """A writable field. ``wire``: its name on the wire, default its own; ``fixed``: writable until
    it is saved; ``judge``: looks at a value, the place to name, and what the server has, before it
    is sent, and raises where no server can use it.
    """
    return _word(default=default, factory=factory, wire=wire, fixed=fixed, judge=judge)


def readonly(
    *,
    init: Literal[False] = False,
    wire: str | None = None,
    only: type | None = None,
    of: str | None = None,
) -> Any:
    """A field that the server owns, or would accept to its own harm: assigning to it raises
    AttributeError.

    ``only``: the one JSON type in which the value may be believed; an answer that gives another (a
    file's key where the listing gives its name) leaves the field to be fetched when it is touched.
    ``of``: the resource whose ids are listed.
    """
    return _word(init, read_only=True, wire=wire, only=only, of=of)


def computed(
    *,
    init: Literal[False] = False,
    only: type | None = None,
    partly: str | None = None,
    of: str | None = None,
) -> Any:
    """A read-only field that a listing does not compute unless asked; fetched once when it is
    touched. ``only``, ``of``: as for ``readonly``. ``partly``: it shows just what is the caller's
    own, so that no condition can ask for it; this field can be asked for.
    """
    return _word(init, read_only=True, computed=True, only=only, partly=partly, of=of)


def counter(*, init: Literal[False] = False) -> Any:
    """A read-only number that the answer to a creation leaves null; fetched once when it is
    touched.
    """
    return _word(init, read_only=True, null_is_unknown=True)


def secret(*, default: Any = attrs.NOTHING, factory: Callable[[], Any] | None = None) -> Any:
    """A writable field that never shows in a repr, ``raw``, ``changes``, ``values()``, a log or a
    pickle.
    """
    return _word(default=default, factory=factory, secret=True)


def always_sent(*, default: Any = attrs.NOTHING, factory: Callable[[], Any] | None = None) -> Any:
    """A writable field that every PATCH must carry, since the server would otherwise clear or
    refuse it.
    """
    return _word(default=default, factory=factory, always_sent=True)


class ForeignKeyWord:
    """A ``foreign_key()`` in a class body, which stands for two attributes: relation and id."""

    def __init__(self, *, default: Any = UNSET, init: bool = True, **says: Any) -> None:
        self.required = default is UNSET and init
        self.relation = _word(init, relation=True, required=self.required)
        self._says = says

    def id_field(self, relation: str) -> Any:
        """Return the word of the id's own field."""
        return _word(False, references=relation, **self._says)

    @property
    def id(self) -> ForeignKeyId:
        """The id, as the class body of a resource takes it: ``project_id = project.id``."""
        return ForeignKeyId(self, "int")

    @property
    def optional_id(self) -> ForeignKeyId:
        """The id, where it may be None: ``workspace_id = workspace.optional_id``."""
        return ForeignKeyId(self, "int | None")


class ForeignKeyId(NamedTuple):
    """The id of a ``foreign_key()`` in a class body, and its annotation."""

    word: ForeignKeyWord
    annotation: str


def foreign_key(
    *,
    default: Any = UNSET,
    wire: str | None = None,
    fixed: bool = False,
    always_sent: bool = False,
) -> Any:
    """Declare a related object and the field of its id: ``project`` and ``project_id``.

    Required in a constructor unless it has a ``default``. ``wire``: the id's name on the wire,
    default the relation's; ``fixed``, ``always_sent``: as for other fields.

    The declaration is this one line; type checkers need another. To them a line of a class body is
    one attribute, whatever its word says, and an annotation alone (``project_id: int``) would be an
    argument that the constructor requires. An assignment without an annotation is neither, and its
    type follows from the relation::

        project: ForeignKey[Project] = foreign_key(fixed=True)
        project_id = project.id

        workspace: ForeignKey[Workspace] = foreign_key(default=None)
        workspace_id = workspace.optional_id  # int | None
    """
    return ForeignKeyWord(default=default, wire=wire, fixed=fixed, always_sent=always_sent)


def readonly_foreign_key(*, init: Literal[False] = False, wire: str | None = None) -> Any:
    """Declare a related object that the server sets, and the field of its id.

    No argument of a constructor; otherwise as ``foreign_key``.
    """
    return ForeignKeyWord(init=init, wire=wire, read_only=True)


def spread_foreign_keys(cls: type) -> None:
    """Replace each ``foreign_key()`` of a class body by the words of its two attributes."""
    annotations: dict[str, Any] = {}
    ids = {name: one for name, one in vars(cls).items() if isinstance(one, ForeignKeyId)}
    for name, annotation in cls.__annotations__.items():
        word = vars(cls).get(name)
        if isinstance(word, ForeignKeyWord):
            id_name = f"{name}_id"
            given = ids.pop(id_name, None)
            if given is not None and given.word is not word:
                raise TypeError(f"{cls.__name__}.{id_name} is the id of {name}: {name}.id")
            kind = "int" if word.required else "int | None"
            annotations[id_name] = kind if given is None else given.annotation
            setattr(cls, id_name, word.id_field(name))
            setattr(cls, name, word.relation)
        annotations[name] = annotation
    for name in ids:
        raise TypeError(f"{cls.__name__}.{name}: the id of a foreign key is named <relation>_id")
    cls.__annotations__ = annotations


class ForeignKey(Generic[R]):
    """A related object, declared by ``foreign_key()``: ``task.project``.

    Reading it costs a request the first time, unless the object came through that very relation,
    or the row had the object inside; for whoever goes through a listing, one for 300 tasks that its
    rows are of. Assigning takes an object of the type, its id, or None.
    """

    def __init__(
        self, name: str, owner: type[Resource], target: str, *, required: bool = False
    ) -> None:
        self.name, self.owner, self.target_name, self.required = name, owner, target, required

    def __repr__(self) -> str:
        return f"<ForeignKey {self.owner.__name__}.{self.name} to {self.target_name}>"

    @property
    def target(self) -> type[Resource]:
        """The class of the related objects."""

        return registry[self.target_name]

    @property
    def id_name(self) -> str:
        """The name of the field that holds the id."""
        return f"{self.name}_id"

    if TYPE_CHECKING:  # in the class body stands what foreign_key() returned
        id: KeyOf[int]
        optional_id: KeyOf[int | None]

    @overload
    def __get__(self, obj: None, owner: Any = None) -> ForeignKey[R]: ...
    @overload
    def __get__(self, obj: Resource, owner: Any = None) -> R | None: ...
    def __get__(self, obj: Resource | None, owner: Any = None) -> Any:
        if obj is None:
            return self
        return obj._related_object(self)

    def __set__(self, obj: Resource, value: R | int | None) -> None:
        if value is UNSET:
            return
        value = codec.plain(value)
        if value is not None and not isinstance(value, (int, self.target)):
            raise TypeError(
                f"{self.owner.__name__}.{self.name} takes a {self.target_name} or its id, "
                f"not {brief(value)}"
            )
        field = options_of(obj).fields[self.id_name]
        obj.__dict__[self.id_name] = field.check(value)
        obj._forget(self.name)
        obj._remember(self.name, None if isinstance(value, int) else value)


if TYPE_CHECKING:
    Id = TypeVar("Id", int, "int | None")

    class KeyOf(Generic[Id]):
        """The type of ``project_id``: a field in a class, the id in an object.

        The overload for a foreign key leaves it as it is in a class body.
        """

        @overload
        def __get__(self, obj: None, owner: Any = None) -> Field: ...
        @overload
        def __get__(self, obj: ForeignKey[Any], owner: Any = None) -> KeyOf[Id]: ...
        @overload
        def __get__(self, obj: Resource, owner: Any = None) -> Id: ...
        def __get__(self, obj: Any, owner: Any = None) -> Any: ...

        def __set__(self, obj: Resource, value: Id) -> None: ...


class _Related:
    """What ``HasMany`` and ``HasSet`` share."""

    def __init__(self) -> None:
        self.name = ""
        self.owner: type[Resource]

    def __set_name__(self, owner: type[Resource], name: str) -> None:
        self.name, self.owner = name, owner

    @cached_property
    def target(self) -> type[Resource]:
        """The class of the related objects, from the annotation."""

        name = target_of(self.owner.__annotations__[self.name])
        for model in registry.values():  # HasSet names a queryset, HasMany a resource
            if name == getattr(options_of(model).queryset, "__name__", None):
                return model
        return registry[name]

    @cached_property
    def via(self) -> str:
        """The name of the relation on the other side that points here."""
        for relation in options_of(self.target).relations.values():
            if relation.target is self.owner:
                return relation.name
        raise TypeError(f"{self.target.__name__} has no foreign_key() to {self.owner.__name__}")

    if not TYPE_CHECKING:  # the subclasses say what a type checker sees

        def __get__(self, obj, owner=None):
            return self if obj is None else obj._related_set(self)


class HasMany(_Related, Generic[R]):
    """The objects that point here: ``task.annotations`` is a fresh queryset at each touch, free
    until it is used.

    Declared as ``annotations: ClassVar[HasMany[Annotation]] = HasMany()``. The other side's
    ``foreign_key`` to this class is found by its type.
    """

    if TYPE_CHECKING:

        @overload
        def __get__(self, obj: None, owner: Any = None) -> HasMany[R]: ...
        @overload
        def __get__(self, obj: Resource, owner: Any = None) -> QuerySet[R]: ...
        def __get__(self, obj: Resource | None, owner: Any = None) -> Any: ...


class HasSet(_Related, Generic[S]):
    """``HasMany`` of a resource whose queryset has verbs of its own, which a type checker and an
    editor then know: ``tasks: ClassVar[HasSet[Tasks]] = HasSet()``.
    """

    if TYPE_CHECKING:

        @overload
        def __get__(self, obj: None, owner: Any = None) -> HasSet[S]: ...
        @overload
        def __get__(self, obj: Resource, owner: Any = None) -> S: ...
        def __get__(self, obj: Resource | None, owner: Any = None) -> Any: ...


def target_of(annotation: Any) -> str:
    """``Project`` of ``ForeignKey[Project]`` or ``ClassVar[HasMany[Project]]``, from the text of
    an annotation.
    """
    names = re.findall(r"\w+", str(annotation))
    return str(names[-1])
