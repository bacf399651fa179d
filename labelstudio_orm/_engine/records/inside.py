"""The engine's way to the private parts of an object.

What an object does for the engine alone has a name with an underscore, so that an editor completes
none of it on a task. Other files ask for it here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ..values.declared import key_of, saved_id, server_of
from .loaded import set_touched
from .record import Record
from .related import (
    ancestors,
    drop_prefetched,
    drop_prefetched_in,
    drop_prefetched_of_parents,
    kept_with,
)
from .stored import is_saved, origin_of, parents_of, row_of, set_origin, set_parents, set_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..fields.fields import Field
    from ..http.connection import Connection
    from .origin import Origin

__all__ = [
    "ancestors", "ask", "bind", "body_of", "changed", "chosen", "client_of", "complete",
    "drop_prefetched", "drop_prefetched_in",
    "drop_prefetched_of_parents", "from_row", "is_saved", "kept_with", "key_of", "load",
    "origin_of", "parents_of", "proper_id", "refetch", "restored_on_failure", "row_of", "saved_id",
    "server_of", "set_parents", "url_of", "view",
]  # fmt: skip

R = TypeVar("R", bound=Record)

SharedRow: TypeAlias = tuple[dict[str, Any], dict[str, Any]]
"""A row, and the fields of it that were touched."""

client_of: Callable[[Record], Connection] = attrgetter("_client")
"""Return the client of an object, or the default one. Raises ValueError where there is none."""


def load(model: type[R], rows: Iterable[dict[str, Any]], origin: Origin) -> Iterator[R]:
    """Yield the objects of rows."""
    return model._load(rows, origin)


def from_row(model: type[R], row: dict[str, Any], origin: Origin) -> R:
    """Return the object of a row."""
    return model._from_row(row, origin)


def view(
    model: type[R], shared: Iterable[SharedRow], origin: Origin, parents: Mapping[str, Any]
) -> list[R]:
    """Return objects over rows that they share, edits included, with other objects."""
    found, new = list[R](), model.__new__
    for row, touched in shared:
        obj = new(model)
        set_row(obj, row)
        set_origin(obj, origin)
        set_parents(obj, parents)
        set_touched(obj, touched)
        found.append(obj)
    return found


def proper_id(obj: Record, what: str, name: str, value: Any) -> int | str:
    """Return an id that the server gave. Raises LabelStudioError where it is none."""
    return obj._as_id(what, name, value)


def url_of(obj: Record, template: str | None = None) -> str:
    """Return the object's address, or that of another template, with the ids filled in."""
    return obj._url(template)


def bind(obj: Record, client: Connection) -> None:
    """Set the client of an object. Raises ValueError for one of another server."""
    obj._bind(client)


def ask(obj: Record, method: str, doing: str, path: str | None = None, **options: Any) -> Any:
    """Send one request to the object's own address, or below it: ``path="/sync"``."""
    return obj._ask(method, doing, path, **options)


def complete(obj: Record) -> None:
    """Fetch the object once and fill in what its row lacks."""
    obj._complete()


def refetch(obj: Record, doing: str) -> None:
    """Fetch the object and take the server's values; edits stay edits."""
    obj._absorb(obj._get_row(doing))


def changed(obj: Record) -> dict[str, tuple[Any, Any]]:
    """Return the changes, secrets included: ``{field: (old, new)}``."""
    return obj._changed()


def chosen(obj: Record, names: Iterable[str] | None, force: bool = False) -> list[Field]:
    """Return the fields to save: those that were changed, of these names; ``force``: all."""
    return obj._chosen(names, force)


def body_of(obj: Record, fields: Iterable[Field]) -> dict[str, Any]:
    """Return the JSON that saves these fields."""
    return obj._body(fields)


def restored_on_failure(obj: Record) -> AbstractContextManager[None]:
    """Take back what is set within the block where the block raises."""
    return obj._restored_on_failure()
