"""Further calls of a resource, beside reading, saving and deleting: ``@action("GET", "versions")``.

A call is declared by a method that has its signature and its docstring, and that returns
``answer(...)`` with what the request holds, or ``no_answer(...)`` where the call returns nothing:

    @action("GET", "versions", "listing the versions of {self!r}")
    def versions(self, limit: int = 10) -> list[str]:
        \"\"\"List the versions. One request.\"\"\"
        return answer(params={"limit": limit})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from ..conditions.query import Query
from ..fields.options import options_of
from ..http.addresses import fill
from ..http.connection import Connection
from ..http.deadline import one_call
from ..reading.by_id import given_id
from ..reading.selection import query_of
from ..records.inside import ask, client_of, from_row, load, saved_id, url_of
from ..records.origin import Origin
from ..values.ids import id_of
from ..values.registry import registry
from .queryset import QuerySet
from .resource import Resource

__all__ = ["action", "answer", "id_for", "no_answer"]

P = ParamSpec("P")
T = TypeVar("T")


def answer(**options: Any) -> T:  # type: ignore[type-var]  # that of the method which returns it
    """Return what stands for the answer to a request with these options, in an ``action``."""
    return cast("T", options)


def no_answer(**options: Any) -> None:
    """Return what stands for a request with these options, in an ``action`` that returns None."""
    return cast("None", {"take": _nothing, **options})


def _nothing(_: Any) -> None: ...


def action(
    method: str,
    path: str = "",
    doing: str = "",
    *,
    take: Callable[[Any], Any] | None = None,
    of: str = "",
    is_long: bool = False,
    **options: Any,
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Declare a further call of a resource, or of its querysets, by what it sends.

    The decorated method has the signature and the docstring of the call, and returns
    ``answer(json=..., params=...)``. Each option can be given there instead, ``doing`` and ``take``
    too.

    Args:
        method: The HTTP method.
        path: Where it is sent: a path below the object's own address, for a queryset below the
            collection's; from the server's root if it begins with a slash. Names in braces are
            those of relations, as in the header of a resource.
        doing: What an error says was being done: ``"listing the versions of {self!r}"``; for a
            queryset also with the ids of what it belongs to, ``"... of Project {project}"``.
        take: What the call returns, made from the answer; by default the answer itself.
        of: The resource whose rows the answer holds: the call returns objects, a list of them for a
            list of rows.
        is_long: Wait for the answer as long as for an import.
        options: As ``LabelStudio.request`` takes them: ``expect``, ``idempotent``, ``reads`` ...
    """

    def declare(body: Callable[P, T]) -> Callable[P, T]:
        name = body.__name__

        @one_call
        @wraps(body)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            owner: Any = args[0]
            if isinstance(owner, Resource) and options_of(owner).key:
                saved_id(owner, f"{name}()")
            try:
                sent = {**options, **cast("dict[str, Any]", body(*args, **kwargs))}
            finally:
                del args, kwargs  # they may be secret, and frames of errors are shown
            client = client_of(owner) if isinstance(owner, Resource) else owner.client
            if is_long:
                sent.setdefault("timeout", client.long_timeout)
            if "doing" not in sent:
                sent["doing"] = _described(owner, doing or f"calling {name}() of {{self!r}}")
            make = sent.pop("take", take)
            found = _request(owner, client, method, path, sent)
            if of:
                found = _objects(client, of, found)
            return cast("T", found if make is None else make(found))

        return call

    return declare


def _described(owner: Any, doing: str) -> str:
    scope = query_of(owner).scope if isinstance(owner, QuerySet) else {}
    return doing.format(self=owner, **{name: id_of(value) for name, value in scope.items()})


def _request(
    owner: Any, client: Connection, method: str, path: str, options: Mapping[str, Any]
) -> Any:
    if isinstance(owner, QuerySet):
        declared = options_of(owner.model)
        address = fill(_joined(declared.collection, path), query_of(owner).scope.__getitem__)
        return client.request(method, address, **{"edition": declared.edition, **options})
    if not isinstance(owner, Resource):
        return client.request(method, path, **options)
    if path.startswith("/"):
        edition = options_of(owner).edition
        return client.request(method, url_of(owner, path), **{"edition": edition, **options})
    below = path and _joined(options_of(owner).item, path)[len(options_of(owner).item) :]
    return ask(owner, method, path=below, **options)


def _joined(base: str, path: str) -> str:
    """Return the address of a path, which begins with a slash if it is one of its own."""
    if not path or path.startswith("/"):
        return path or base
    return f"{base}{path}" if base.endswith("/") else f"{base}/{path}"


def _objects(client: Connection, name: str, rows: Any) -> Any:
    model, origin = registry[name], Origin(client)
    if isinstance(rows, list):
        return list(load(model, rows, origin))
    return from_row(model, rows, origin)


def id_for(client: Connection, name: str, given: Any, what: str) -> int:
    """Return the id of an object of a resource that a verb was given, or the id itself.

    Raises TypeError for none, ValueError for anything else that is no such id.
    """
    return given_id(Query(registry[name], client), given, what)
