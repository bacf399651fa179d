"""What a client begins with: ``ls.projects``, the objects of one resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, overload

from ..values.registry import registry
from .queryset import QuerySet, queryset_of

if TYPE_CHECKING:
    from typing_extensions import Never

__all__ = ["Root"]

S = TypeVar("S", bound="QuerySet[Any]")


class Root(Generic[S]):
    """Every object of a resource on a client's server: a fresh queryset at each touch.

    It costs nothing until it is used, not even the import of the resource. Declared in a client by
    the name of the resource and the class of its querysets,
    ``projects: Root[Projects] = Root("Project", doc)``; ``help()`` shows the text.
    """

    def __init__(self, resource: str, doc: str) -> None:
        self.resource, self.__doc__ = resource, doc

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<Root {self.name} of {self.resource}>"

    @property
    def model(self) -> type[Any]:
        """The class of the objects."""
        return registry[self.resource]

    @overload
    def __get__(self, client: None, owner: Any = None) -> Root[S]: ...
    @overload
    def __get__(self, client: Any, owner: Any = None) -> S: ...
    def __get__(self, client: Any, owner: Any = None) -> Any:
        return self if client is None else queryset_of(self.model, client)

    def __set__(self, client: Any, value: Never) -> NoReturn:
        raise AttributeError(f"{self.name} of {client!r} is what the server has; it cannot be set")
