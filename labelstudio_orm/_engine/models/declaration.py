"""The declaration of a resource: its header, and what follows from its fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from ..fields.fields import UNSET, Field, IdsField, SecretField
from ..fields.options import Options, Parameter, name_of
from ..fields.relations import Relation, ReverseRelation, target_of
from ..fields.words import (
    WORD,
    always_sent,
    computed,
    field,
    foreign_key,
    lazy_counter,
    readonly,
    readonly_foreign_key,
    secret,
    spread_foreign_keys,
)
from ..pages import sources as shapes
from ..values.misuse import of_constructor
from ..values.registry import registry
from ..values.secret import NAMES, hide, seal
from .relations import ForeignKey

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform

    from .queryset import QuerySet
    from .resource import Resource
else:

    def dataclass_transform(**_: Any) -> Any:
        """Return a decorator that does nothing: only type checkers look at it."""
        return lambda decorator: decorator


C = TypeVar("C", bound="type[Resource]")
M = TypeVar("M", bound=type)


@dataclass_transform(
    kw_only_default=True,
    eq_default=False,
    field_specifiers=(
        field,
        readonly,
        computed,
        lazy_counter,
        secret,
        always_sent,
        foreign_key,
        readonly_foreign_key,
    ),
)
def fields(cls: M) -> M:
    """Declare fields that several resources have: a class to inherit from, before the header."""
    spread_foreign_keys(cls)
    return attrs.define(
        cls, slots=False, init=False, eq=False, repr=False, kw_only=True, on_setattr=None
    )


def _explain_mistakes(model: Any) -> None:
    """Let the constructor name what was probably meant by arguments that it does not take."""
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


_DEFAULTS: dict[str, Any] = {
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
"""The header of a resource, where neither it nor a base gives another value."""


@dataclass_transform(
    kw_only_default=True,
    eq_default=False,
    field_specifiers=(
        field,
        readonly,
        computed,
        lazy_counter,
        secret,
        always_sent,
        foreign_key,
        readonly_foreign_key,
    ),
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

    What a header does not give, it has from the base of the class.

    Args:
        item: The path of one object. Names in braces are ``{id}``, relations, and those of a
            relation's relation after a point (``{version.prompt}``). Empty where one object has no
            address.
        collection: The path of the listing and of creations; default: ``item`` up to ``{id}``, or
            up to the brace of ``{/id}`` where it has no slash at its end.
        pages: The shape of the listing; default: one JSON list.
        params: The lookups that the server's listing understands, and their parameters; all other
            conditions are checked here.
        get_params: Parameters of every GET of one object.
        label: The field that a repr shows.
        queryset: The class of its querysets, where they have verbs of their own.
        key: The field that identifies an object; empty where there is only one.
        update: The HTTP method that saves changes.
        edition: The edition that has it, where not every server does; default: ``_edition`` of the
            class.
        left_out: Fields that a listing lacks, which are fetched when they are touched.
    """
    given: dict[str, Any] = {
        "pages": pages,
        "params": params,
        "get_params": get_params,
        "label": label,
        "queryset": queryset,
        "key": key,
        "update": update,
        "left_out": left_out,
    }

    def declare(cls: C) -> C:
        given["edition"] = getattr(cls, "_edition", None) if edition is None else edition
        spread_foreign_keys(cls)
        base: Options | None = getattr(cls, "_options", None)
        inherited = base.fields if base is not None else {}
        own: dict[str, Field] = {}
        relations: dict[str, Relation] = {}

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
                    kind = IdsField if says.get("of") else Field
                    kind = SecretField if says.get("secret") else kind
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
        _explain_mistakes(made)
        sets = {
            name: value
            for base in made.__mro__
            for name, value in vars(base).items()
            if isinstance(value, ReverseRelation)
        }
        for name, descriptor in (*own.items(), *relations.items()):
            setattr(made, name, descriptor)
        made._options = Options(
            owner=made,
            item=item.replace("{/", "/{"),
            collection=_collection(item) if collection is None else collection,
            fields=own,
            relations=relations,
            sets=sets,
            **{
                name: getattr(base, name, default) if given[name] is None else given[name]
                for name, default in _DEFAULTS.items()
            },
        )
        registry[name_of(made)] = made
        return made

    return declare


def _collection(item: str) -> str:
    return item.partition("{/" if "{/" in item else "{id}")[0]
