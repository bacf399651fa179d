"""The words that a resource declaration is made of.

A declaration is an annotated class body; a field without a word is simply writable. The words
declare what an annotation cannot: ``field`` ``readonly`` ``computed`` ``lazy_counter`` ``secret``
``always_sent`` ``foreign_key`` ``readonly_foreign_key``; ``HasMany`` is the other direction.

    >>> from labelstudio_orm import Task
    >>> Task.data.wire, Task.inner_id.read_only
    ('data', True)
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import attrs

from .fields import UNSET, Validator

if TYPE_CHECKING:
    from ..http.releases import Feature

if sys.version_info >= (3, 14):
    import annotationlib

WORD: Final = "labelstudio_orm"
"""The key of what a word declares in the metadata of an attrs field."""


def _word(init: bool = True, **options: Any) -> Any:
    default = options.pop("default", UNSET)
    factory = options.pop("factory", None)
    if factory is not None:
        default = attrs.Factory(factory)
    return attrs.field(default=default, init=init, metadata={WORD: options})


def field(
    *,
    default: Any = attrs.NOTHING,
    factory: Callable[[], Any] | None = None,
    wire: str | None = None,
    fixed: bool = False,
    validator: Validator | None = None,
    since: Feature | None = None,
) -> Any:
    """Declare a writable field.

    ``wire``: its JSON key, by default its name. ``fixed``: writable until the object is saved.
    ``validator``: called with a value before it is sent, its place in messages, and the value that
    the server has; raises where no server can use the value. ``since``: the feature of the server
    that it belongs to, where not every release has it.
    """
    return _word(
        default=default,
        factory=factory,
        wire=wire,
        fixed=fixed,
        validator=validator,
        since=since,
    )


def readonly(
    *,
    init: Literal[False] = False,
    wire: str | None = None,
    trusted_type: type | None = None,
    of: str | None = None,
    since: Feature | None = None,
) -> Any:
    """Declare a field that is not to be set: assigning to it raises AttributeError.

    The server owns it, or would be harmed by a value. ``trusted_type``: the one JSON type that is
    accepted for the value; an answer with another one (a file's key where the listing has its name)
    leaves the field to be fetched when it is touched. ``of``: the resource whose ids it holds.
    ``since``: as for ``field``.
    """
    return _word(init, read_only=True, wire=wire, trusted_type=trusted_type, of=of, since=since)


def computed(
    *,
    init: Literal[False] = False,
    trusted_type: type | None = None,
    partly: str | None = None,
    of: str | None = None,
    since: Feature | None = None,
) -> Any:
    """Declare a read-only field that a listing does not compute unless asked.

    It is fetched once when it is touched. ``trusted_type``, ``of``, ``since``: as for ``readonly``.
    ``partly``: it shows just what is the caller's own, so that no condition can ask for it; the
    field of this name can be asked for.
    """
    return _word(
        init,
        read_only=True,
        computed=True,
        trusted_type=trusted_type,
        partly=partly,
        of=of,
        since=since,
    )


def lazy_counter(*, init: Literal[False] = False) -> Any:
    """Declare a read-only number that the answer to a creation leaves null.

    It is fetched once when it is touched.
    """
    return _word(init, read_only=True, null_is_unknown=True)


def secret(*, default: Any = attrs.NOTHING, factory: Callable[[], Any] | None = None) -> Any:
    """Declare a writable field whose value is never shown.

    It is in no repr, ``raw``, ``changes``, ``values()``, log or pickle.
    """
    return _word(default=default, factory=factory, secret=True)


def always_sent(*, default: Any = attrs.NOTHING, factory: Callable[[], Any] | None = None) -> Any:
    """Declare a writable field that is part of every update.

    The server would otherwise clear it or refuse the update.
    """
    return _word(default=default, factory=factory, always_sent=True)


class ForeignKeyWord:
    """A ``foreign_key()`` in a class body, which stands for two attributes: relation and id."""

    def __init__(self, *, default: Any = UNSET, init: bool = True, **options: Any) -> None:
        self.required = default is UNSET and init
        self.relation = _word(init, relation=True, required=self.required)
        self._options = options

    def id_field(self, relation: str) -> Any:
        """Return the word of the id's own field."""
        return _word(False, references=relation, **self._options)

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
    one attribute, whatever its word, and an annotation alone (``project_id: int``) would be an
    argument that the constructor requires. An assignment without an annotation is none, and its
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


def annotations_of(cls: type) -> dict[str, Any]:
    """Return the annotations of a class body."""
    if sys.version_info >= (3, 14):
        try:
            return cls.__annotations__
        except NameError:  # of what is defined later, or for type checkers only
            return annotationlib.get_annotations(cls, format=annotationlib.Format.STRING)
    return cls.__annotations__


def spread_foreign_keys(cls: type) -> None:
    """Replace each ``foreign_key()`` of a class body by the words of its two attributes."""
    annotations: dict[str, Any] = {}
    ids = {name: one for name, one in vars(cls).items() if isinstance(one, ForeignKeyId)}
    for name, annotation in annotations_of(cls).items():
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
