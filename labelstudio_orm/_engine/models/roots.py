"""What a client begins with: ``ls.projects``, the objects of one resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, overload

from .queryset import QuerySet

if TYPE_CHECKING:
    from typing_extensions import Never

    from .resource import Resource

__all__ = ["Root"]

R = TypeVar("R", bound="Resource")
S = TypeVar("S", bound="QuerySet[Any]")


class Root(Generic[S]):
    """Every object of a resource on a client's server: a fresh queryset at each touch.

    It costs nothing until it is used. Declared in a client as ``projects = Root(Project, doc,
    Projects)``, or as ``drafts = Root(Draft, doc)`` for a resource whose querysets have no verbs of
    their own; ``help()`` shows the text.
    """

    @overload
    def __init__(self: Root[QuerySet[R]], model: type[R], doc: str) -> None: ...
    @overload
    def __init__(self, model: type[Any], doc: str, queryset: type[S]) -> None: ...
    def __init__(self, model: type[Any], doc: str, queryset: type[Any] = QuerySet) -> None:
        self.model, self.queryset, self.__doc__ = model, queryset, doc

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<Root {self.name} of {self.queryset.__name__}>"

    @overload
    def __get__(self, client: None, owner: Any = None) -> Root[S]: ...
    @overload
    def __get__(self, client: Any, owner: Any = None) -> S: ...
    def __get__(self, client: Any, owner: Any = None) -> Any:
        return self if client is None else self.queryset(self.model, client)

    def __set__(self, client: Any, value: Never) -> NoReturn:
        raise AttributeError(f"{self.name} of {client!r} is what the server has; it cannot be set")
