"""A resource and its objects, as the floors below the declarations see them."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol


class Header(Protocol):
    """The options of a resource, as far as the floors below it need them."""

    item: str
    collection: str
    edition: str
    left_out: tuple[str, ...]
    queryset: Any
    fields: Any
    relations: Any

    def annotation(self, name: str) -> Any:
        """Return the resolved annotation of a field."""

    @property
    def name(self) -> str:
        """Return the name in messages: "Task", "ImportStorage.S3"."""


class Declared(Protocol):
    """A resource, or one of its objects."""

    _options: ClassVar[Any]


class Record(Declared, Protocol):
    """An object of a resource, as conditions see it."""

    @property
    def id(self) -> Any:
        """Return the id; None for an unsaved object."""

    @property
    def _key(self) -> Any: ...

    @property
    def _server(self) -> str | None: ...

    def _saved_id(self, what: str) -> Any: ...


def header_of(model: type[Declared] | Declared) -> Header:
    """Return the options of a resource, or of one of its objects."""
    header: Header = model._options
    return header


def key_of(obj: Record) -> Any:
    """Return the value that identifies an object among its kind, mostly the id."""
    return obj._key


def server_of(obj: Record) -> str | None:
    """Return the address of the server that an object came from; None for a new one."""
    return obj._server


def saved_id(obj: Record, what: str) -> Any:
    """Return the id of a saved object. Raises ValueError, naming ``what``, for an unsaved one."""
    return obj._saved_id(what)
