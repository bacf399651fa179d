"""The facts of the API as data: each operation, and the types that they take and answer.

`contract.json` beside this file has them, one a line. They come from the published API reference,
with the paths of a server 1.23.2 where it differs; `edition` says which servers have an operation.
Two types are wider than there, because the reference contradicts itself: the subset of a cost
estimate (a number, where runs have names for it) and the result of annotations made in bulk (one
object, where annotations have a list).
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
    """A name in a query or in a body. `type` is in the grammar of `Type`."""

    type: str
    required: bool = False


@define(frozen=True)
class Member:
    """A field of an object. `readonly` ones are given by the server."""

    type: str
    nullable: bool = False
    readonly: bool = False
    required: bool = False


@define(frozen=True)
class Type:
    """A named type: exactly one of its attributes is there.

    The grammar of type texts: string, integer, double, boolean, datetime, unknown, file,
    `list<X>`, `map<string, X>`, and names of other types.
    """

    fields: Mapping[str, Member] | None = None
    enum: tuple[str, ...] | None = None
    union: tuple[str, ...] | None = None
    alias: str | None = None


@define(frozen=True)
class Operation:
    """What one operation is sent as, and what it answers.

    `name` is "webhooks.create"; `query` has the names on the wire; `body` is None when there is
    none, and an empty mapping when its fields are free; `items` is the key under which a page
    has its rows; `reference` is False for operations that only the server's own schema has.
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


# Every other segment in braces is the number of an object.
_SEGMENTS = {"filename": r".+", "indicator_key": r"[^/]+"}


@cache
def operations() -> Mapping[str, Operation]:
    """All operations by name."""
    return {
        name: Operation(
            name=name,
            query=_parameters(row.pop("query")),
            body=_parameters(row.pop("body")) if "body" in row else None,
            **row,
        )
        for name, row in _data()["operations"].items()
    }


def operation(name: str) -> Operation:
    """One operation; KeyError when there is none of that name."""
    return operations()[name]


@cache
def types() -> Mapping[str, Type]:
    """All types by name."""
    return {name: _type(row) for name, row in _data()["types"].items()}


def match(verb: str, path: str) -> str | None:
    """The name of the operation that a request is, or None.

    `path` is without host and query. Where two paths fit, the one with fewer placeholders wins; a
    path that ends in a slash is met without it too, as on the server.

        match("GET", "/api/tasks/7/")  # "tasks.get"
    """
    return next((name for pattern, name in _patterns(verb) if pattern.fullmatch(path)), None)


@cache
def _patterns(verb: str) -> list[tuple[re.Pattern[str], str]]:
    def pattern(path: str) -> re.Pattern[str]:
        text = re.sub(r"\{(\w+)\}", lambda found: _SEGMENTS.get(found[1], "[0-9]+"), path)
        return re.compile(text + "?" if text.endswith("/") else text)

    chosen = [each for each in operations().values() if each.verb == verb]
    chosen.sort(key=lambda each: each.path.count("{"))
    return [(pattern(each.path), each.name) for each in chosen]


def _data() -> Any:
    return json.loads(resources.files(__package__).joinpath("contract.json").read_text("utf-8"))


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
