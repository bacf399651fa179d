"""How a resource is declared: the header, what follows from its fields, and the registry of them
all.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import attrs

from .fields import (
    UNSET,
    WORD,
    Field,
    ForeignKey,
    SecretField,
    _Related,
    always_sent,
    belongs_to,
    computed,
    counter,
    field,
    id_of,
    readonly,
    secret,
    target_of,
)
from .misuse import of_constructor
from .paging import pages as shapes
from .secret import NAMES, hide, seal

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform

    from .queryset import QuerySet
    from .resource import Resource
else:

    def dataclass_transform(**_: Any) -> Any:
        """Only type checkers look at it."""
        return lambda decorator: decorator


C = TypeVar("C", bound="type[Resource]")
M = TypeVar("M", bound=type)

registry: dict[str, type[Resource]] = {}
"""Every declared resource by its name, so that declarations may name each other in any order."""


Parameter: TypeAlias = "str | tuple[str, Callable[[Any], str]]"
"""How a listing is asked for a lookup: the name of its parameter, and how the value is written
where that is not the plain way (a list of ids is written ``1,2``).
"""


@attrs.frozen
class Options:
    """What the header of a declaration says, and what follows from its fields."""

    owner: type[Resource]
    item: str
    collection: str
    pages: shapes.Source
    params: Mapping[str, Parameter]
    label: str
    get_params: Mapping[str, str]
    queryset: type[QuerySet[Any]] | None
    key: str
    update: str
    edition: str
    left_out: tuple[str, ...]
    fields: dict[str, Field]
    relations: dict[str, ForeignKey[Any]]
    sets: dict[str, _Related]

    @cached_property
    def name(self) -> str:
        """What messages call it: "Task", "ImportStorage.S3"."""
        return _name(self.owner).removesuffix(".Any")

    @cached_property
    def key_wire(self) -> str:
        """The key's name on the wire; empty for what there is only one of."""
        return self.fields[self.key].wire if self.key else ""

    @cached_property
    def expects(self) -> tuple[str, ...]:
        """What an answer with one object surely has."""
        return (self.key_wire,) if "{id}" in self.item else ()

    @cached_property
    def _in_address(self) -> frozenset[str]:
        return frozenset(name.partition(".")[0] for name in shapes.names_in(self.item))

    def addresses(self, relation: str | None) -> bool:
        """Return whether an object cannot be asked for without this relation."""
        return relation in self._in_address

    @cached_property
    def types(self) -> dict[str, Any]:
        """The resolved annotations of the fields."""
        querysets = (model._options.queryset for model in registry.values())
        named = {queryset.__name__: queryset for queryset in querysets if queryset}
        namespace = {**vars(typing), **registry, **named}
        return typing.get_type_hints(self.owner, localns=namespace)

    @cached_property
    def wires(self) -> dict[str, Field]:
        """The fields by their names on the wire."""
        return {field.wire: field for field in self.fields.values()}

    @cached_property
    def embedded(self) -> frozenset[str]:
        """The row keys that hold related rows and not a field: a task's annotations."""
        return frozenset(self.sets) - set(self.wires)

    @cached_property
    def secret_wires(self) -> frozenset[str]:
        """The names on the wire of the secret fields."""
        return frozenset(field.wire for field in self.fields.values() if field.secret)

    @cached_property
    def beside_secrets(self) -> frozenset[str] | None:
        """The names that a resource with secret fields has; None for one without."""
        if not self.secret_wires:
            return None
        return frozenset({"pk", "defaults", *self.fields, *self.relations, *self.sets})

    @cached_property
    def computed(self) -> frozenset[str]:
        """The fields that a listing leaves uncomputed unless asked."""
        return frozenset(name for name, field in self.fields.items() if field.computed)


@dataclass_transform(
    kw_only_default=True,
    eq_default=False,
    field_specifiers=(field, readonly, computed, counter, secret, always_sent, id_of, belongs_to),
)
def fields(cls: M) -> M:
    """Declare fields that several resources have: a class to inherit from, before the header."""
    return attrs.define(cls, slots=False, eq=False, repr=False, kw_only=True, on_setattr=None)


def _explain_misuse(model: Any) -> None:
    """Let the constructor say what was meant where it is called with what it does not take."""
    made = model.__init__
    takes = frozenset(one.alias or one.name for one in attrs.fields(model) if one.init)

    @wraps(made)
    def explained(self: Any, *given: Any, **fields: Any) -> None:
        if not NAMES.isdisjoint(takes):  # the frame of an error shows them
            given, fields = tuple(map(seal, given)), hide(fields, takes)
        if given or not fields.keys() <= takes:
            raise TypeError(of_constructor(model, takes, given, fields))
        made(self, **fields)

    model.__init__ = explained


def _name(cls: type) -> str:
    return cls.__qualname__.rpartition("<locals>.")[2]


_UNSAID: dict[str, Any] = {
    "pages": shapes.PLAIN,
    "params": {},
    "get_params": {},
    "label": "",
    "queryset": None,
    "key": "id",
    "update": "PATCH",
    "edition": "",
    "left_out": (),
}
"""What a header means where neither it nor a base says otherwise."""


@dataclass_transform(
    kw_only_default=True,
    eq_default=False,
    field_specifiers=(field, readonly, computed, counter, secret, always_sent, id_of, belongs_to),
)
def resource(
    item: str,
    *,
    collection: str | None = None,
    pages: shapes.Source | None = None,
    params: Mapping[str, Parameter] | None = None,
    get_params: Mapping[str, str] | None = None,
    label: str | None = None,
    queryset: type[QuerySet[Any]] | None = None,
    key: str | None = None,
    update: str | None = None,
    edition: str | None = None,
    left_out: tuple[str, ...] | None = None,
) -> Callable[[C], C]:
    """Declare a resource: the address of one object, and how its listing is read.

    ``item``: path of one object; ``{id}`` and the names of relations stand in braces, those of a
    relation's relation after a point (``{version.prompt}``); empty where one object has no address.
    ``collection``: path of the listing and of creations; default: ``item`` up to ``{id}``.
    ``pages``: the shape of the listing. ``params``: lookups that the server's listing understands,
    and the parameter that says each. ``get_params``: parameters that every GET of one object
    carries. ``label``: the field that a repr shows. ``queryset``: the class of its querysets, where
    they have verbs of their own. ``key``: the field that tells an object from others; empty where
    there is only one. ``update``: the verb that saves changes. ``edition``: the edition that has
    it, where not every server does. ``left_out``: fields that a listing has not, and which are
    fetched when they are touched. What a header does not say it has from the class's base.
    """
    said: dict[str, Any] = {
        "pages": pages,
        "params": params,
        "get_params": get_params,
        "label": label,
        "queryset": queryset,
        "key": key,
        "update": update,
        "edition": edition,
        "left_out": left_out,
    }

    def declare(cls: C) -> C:
        base: Options | None = getattr(cls, "_options", None)
        inherited = base.fields if base is not None else {}
        own: dict[str, Field] = {}
        relations: dict[str, ForeignKey[Any]] = {}

        def read_words(
            _: type, attributes: list[attrs.Attribute[Any]]
        ) -> list[attrs.Attribute[Any]]:
            seen = []
            for attribute in attributes:
                says = dict(attribute.metadata.get(WORD, {}))
                if says.pop("relation", False):
                    relations[attribute.name] = ForeignKey(
                        attribute.name, cls, target_of(attribute.type), required=says["required"]
                    )
                else:
                    default = UNSET if attribute.default is attrs.NOTHING else attribute.default
                    if attribute.name in inherited and attribute.name not in cls.__annotations__:
                        default = inherited[attribute.name].default  # attrs has only UNSET of it
                    kind = SecretField if says.get("secret") else Field
                    own[attribute.name] = kind(attribute.name, cls, default=default, **says)
                needed = attribute.default is attrs.NOTHING and attribute.init
                seen.append(attribute if needed else attribute.evolve(default=UNSET))
            return seen

        made = attrs.define(
            cls,
            slots=False,
            eq=False,
            repr=False,
            kw_only=True,
            on_setattr=None,
            field_transformer=read_words,
        )
        _explain_misuse(made)
        sets = {
            name: value
            for base in made.__mro__
            for name, value in vars(base).items()
            if isinstance(value, _Related)
        }
        for name, descriptor in (*own.items(), *relations.items()):
            setattr(made, name, descriptor)
        made._options = Options(
            owner=made,
            item=item,
            collection=item.partition("{id}")[0] if collection is None else collection,
            fields=own,
            relations=relations,
            sets=sets,
            **{
                name: getattr(base, name, default) if said[name] is None else said[name]
                for name, default in _UNSAID.items()
            },
        )
        registry[_name(made)] = made
        return made

    return declare
