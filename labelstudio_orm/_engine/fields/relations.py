"""Relations as they are declared: which resource, and by which field."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from ..values.brief import brief
from ..values.declared import header_of
from ..values.registry import registry


class Relation:
    """A relation to one object, whose id the field ``<name>_id`` holds."""

    def __init__(self, name: str, owner: type[Any], target: str, *, required: bool = False) -> None:
        self.name, self.owner, self.target_name, self.required = name, owner, target, required

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.owner.__name__}.{self.name} to {self.target_name}>"

    @property
    def target(self) -> type[Any]:
        """The class of the related objects."""
        return registry[self.target_name]

    @property
    def id_name(self) -> str:
        """The name of the field that holds the id."""
        return f"{self.name}_id"

    def check(self, value: Any) -> None:
        """Raise TypeError unless the value is an object of the target, an id, or None."""
        if value is not None and not isinstance(value, (int, self.target)):
            raise TypeError(
                f"{self.owner.__name__}.{self.name} takes a {self.target_name} or its id, "
                f"not {brief(value)}"
            )


class ReverseRelation:
    """A relation to the objects that point to its owner, found by the type of their relation.

    ``is_inside``: whether a listing can bring their rows inside those of their owners.
    """

    def __init__(self, *, is_inside: bool = True) -> None:
        self.name, self.is_inside = "", is_inside
        self.owner: type[Any]

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self.name, self.owner = name, owner

    @cached_property
    def target(self) -> type[Any]:
        """The class of the related objects, from the annotation.

        The annotation names the class, or that of its querysets.
        """
        return registry.related(target_of(self.owner.__annotations__[self.name]))

    @cached_property
    def via(self) -> str:
        """The name of the relation on the other side that points here."""
        for relation in header_of(self.target).relations.values():
            if relation.target is self.owner:
                return str(relation.name)
        raise TypeError(f"{self.target.__name__} has no foreign_key() to {self.owner.__name__}")


def target_of(annotation: Any) -> str:
    """Return ``Project`` of ``ForeignKey[Project]`` or ``ClassVar[HasMany[Project]]``.

    It is read from the text of the annotation.
    """
    names = re.findall(r"\w+", str(annotation))
    return str(names[-1])
