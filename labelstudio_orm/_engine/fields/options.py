"""What the header of a declaration says, and what follows from its fields."""

from __future__ import annotations

import sys
import typing
from collections import ChainMap
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

import attrs

from ..http.addresses import names_in
from ..values.declared import Declared
from ..values.registry import registry
from .words import annotations_of

if TYPE_CHECKING:
    from .fields import Field
    from .relations import Relation, ReverseRelation

Parameter: TypeAlias = "str | tuple[str, str | Callable[[Any], str]]"
"""How a listing is asked for a lookup: the name of its parameter, alone or with another one.

The other one is the name that servers of other releases have for it, and both are sent, since a
server ignores a parameter that it does not have; or how the value is written, where that is not the
plain way (a list of ids is written ``1,2``).
"""


def asked(parameter: Parameter, value: Any) -> dict[str, Any]:
    """Return a parameter with its value, under each of its names."""
    plain = ",".join(map(str, value)) if isinstance(value, tuple) else value
    if isinstance(parameter, str):
        return {parameter: plain}
    name, other = parameter
    return {name: plain, other: plain} if isinstance(other, str) else {name: other(value)}


_NAMES = ChainMap[str, Any](vars(typing), registry)
"""What annotations may name, beside what the module of a resource has."""


class Shape(Protocol):
    """What is known of a listing without reading it; ``pages.sources`` has the shapes."""

    filters_tasks: ClassVar[bool]
    """It takes the Data Manager's filters."""

    by_id_within: ClassVar[str]
    """The relation within which rows come by id; empty where they always do."""

    @property
    def scoped_by(self) -> tuple[str, ...]:
        """The relations that the listing cannot do without."""


@attrs.frozen(slots=False, eq=False, repr=False)
class Options:
    """What the header of a declaration says, and what follows from its fields."""

    owner: type[Any]
    item: str
    collection: str
    pages: Shape
    params: Mapping[str, Parameter]
    label: str
    get_params: Mapping[str, str]
    queryset: type[Any] | None
    key: str
    update: str
    edition: str
    left_out: tuple[str, ...]
    fields: dict[str, Field]
    relations: dict[str, Relation]
    sets: dict[str, ReverseRelation]

    @cached_property
    def name(self) -> str:
        """What messages call it: "Task", "ImportStorage.S3"."""
        return name_of(self.owner).removesuffix(".Any")

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
        return frozenset(name.partition(".")[0] for name in names_in(self.item))

    def addresses(self, relation: str | None) -> bool:
        """Return whether an object cannot be asked for without this relation."""
        return relation in self._in_address

    def annotation(self, name: str) -> Any:
        """Return the resolved annotation of a field, which may name resources."""
        for base in self.owner.__mro__:
            if name in (declared := annotations_of(base)):
                known = vars(sys.modules[base.__module__])
                text = declared[name]
                return eval(text, known, _NAMES) if isinstance(text, str) else text
        raise KeyError(name)

    @cached_property
    def wires(self) -> dict[str, Field]:
        """The fields by their names on the wire."""
        return {field.wire: field for field in self.fields.values()}

    @cached_property
    def embedded(self) -> frozenset[str]:
        """The row keys that hold related rows and not a field: a task's annotations."""
        return frozenset(self.inside) - set(self.wires)

    @cached_property
    def inside(self) -> dict[str, ReverseRelation]:
        """The relations whose rows may come inside those of this resource."""
        return {name: relation for name, relation in self.sets.items() if relation.is_inside}

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


def name_of(cls: type) -> str:
    """Return what messages and annotations call a class: "Project", "ImportStorage.S3"."""
    return cls.__qualname__.rpartition("<locals>.")[2]


def options_of(model: type[Declared] | Declared) -> Options:
    """Return the options of a resource, or of one of its objects."""
    options: Options = model._options
    return options
