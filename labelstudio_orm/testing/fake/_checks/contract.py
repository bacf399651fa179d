"""The facts of the API as data: the operations, and the types that they take and answer.

``contract.json`` beside this file has them, one a line. They come from the published API reference,
with the paths of a server 1.23.2 where it differs; ``edition`` says which servers have an
operation. Two types are wider than in the reference, because it contradicts itself: the subset of
a cost estimate (a number, where runs have names for it) and the result of annotations made in bulk
(one object, where annotations have a list).

``newest.json`` has the operations of the Enterprise edition as the newest official client declares
them, which differ in names and shapes: ``operation(name, newest=True)``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from attrs import define


@define(frozen=True)
class Parameter:
    """A name in a query or in a body; ``type`` is in the grammar of ``Type``."""

    type: str
    required: bool = False


@define(frozen=True)
class Member:
    """A field of an object; the server gives the ``readonly`` ones."""

    type: str
    nullable: bool = False
    readonly: bool = False
    required: bool = False


@define(frozen=True)
class Type:
    """A named type: exactly one of its attributes is set.

    The grammar of type texts: string, integer, double, boolean, datetime, unknown, file,
    ``list<X>``, ``map<string, X>``, and names of other types.
    """

    fields: Mapping[str, Member] | None = None
    enum: tuple[str, ...] | None = None
    union: tuple[str, ...] | None = None
    alias: str | None = None


@define(frozen=True)
class Operation:
    """The request and the answer of one operation.

    Attributes:
        name: Such as "webhooks.create".
        verb: The HTTP method.
        path: The path, with a name in braces for each variable segment.
        edition: The servers that have it.
        reference: False for operations that only the server's own schema has.
        query: The names in the query.
        status: The status of a success.
        answer: The type of the answer, or of its items.
        answer_is_list: Whether the answer is a list.
        items: The key under which a page has its rows.
        body: The fields of the body: None without a body, empty when they are free.
        body_is_list: Whether the body is a list.
    """

    name: str
    verb: str
    path: str
    edition: str
    reference: bool
    query: Mapping[str, Parameter]
    status: int
    answer: str | None = None
    answer_is_list: bool = False
    items: str | None = None
    body: Mapping[str, Parameter] | None = None
    body_is_list: bool = False


# All other segments in braces are ids.
_SEGMENTS = {"filename": r".+", "indicator_key": r"[^/]+", "entity_name": r"[a-z]+"}


@cache
def operations() -> Mapping[str, Operation]:
    """Return all operations by name."""
    return {
        name: Operation(
            name=name,
            query=_parameters(row.pop("query")),
            body=_parameters(row.pop("body")) if "body" in row else None,
            **row,
        )
        for name, row in _data()["operations"].items()
    }


@cache
def newest() -> Mapping[str, Operation]:
    """Return the operations of the Enterprise edition of the newest client, by name."""
    return {
        name: Operation(
            name=name,
            edition="enterprise",
            reference=False,
            status=operations()[name].status if name in operations() else 200,
            query={**_parameters(row.pop("query")), **_undeclared(name)},
            body=_parameters(row.pop("body")) if "body" in row else None,
            **row,
        )
        for name, row in _data("newest.json")["operations"].items()
    }


def _undeclared(name: str) -> Mapping[str, Parameter]:
    """Return the parameters that the newest client describes in words, and takes none of."""
    return operations()[name].query if name == "prompts.versions.cost_estimate" else {}


def operation(name: str, *, is_newest: bool = False) -> Operation:
    """Return one operation; KeyError when there is none of that name."""
    return (newest() if is_newest else operations())[name]


@cache
def types() -> Mapping[str, Type]:
    """Return all types by name."""
    rows = {**_data()["types"], **_data("newest.json")["types"]}
    return {name: _type(row) for name, row in rows.items()}


def match(verb: str, path: str) -> str | None:
    """Return the name of the operation that a request is for, or None.

    Where two paths match, the one with fewer placeholders wins; a path that ends in a slash also
    matches without it, as on the server.

        match("GET", "/api/tasks/7/")  # "tasks.get"

    Args:
        verb: The HTTP method.
        path: The path, without host and query.
    """
    return next((name for pattern, name in _patterns(verb) if pattern.fullmatch(path)), None)


@cache
def _patterns(verb: str) -> list[tuple[re.Pattern[str], str]]:
    def pattern(path: str) -> re.Pattern[str]:
        text = re.sub(r"\{(\w+)\}", lambda found: _SEGMENTS.get(found[1], "[0-9]+"), path)
        return re.compile(text + "?" if text.endswith("/") else text)

    chosen = [each for each in operations().values() if each.verb == verb]
    chosen += [
        each
        for each in newest().values()
        if each.verb == verb != operation(each.name).verb  # where the newest client has another
    ]
    chosen.sort(key=lambda each: each.path.count("{"))
    return [(pattern(each.path), each.name) for each in chosen]


def _data(name: str = "contract.json") -> Any:
    return json.loads(resources.files(__package__).joinpath(name).read_text("utf-8"))


def _parameters(rows: Mapping[str, Any]) -> dict[str, Parameter]:
    return {name: Parameter(**row) for name, row in rows.items()}


def _type(row: Mapping[str, Any]) -> Type:
    if "fields" in row:
        return Type(fields={name: Member(**member) for name, member in row["fields"].items()})
    return Type(
        enum=tuple(row["enum"]) if "enum" in row else None,
        union=tuple(row["union"]) if "union" in row else None,
        alias=row.get("alias"),
    )
