"""The operations of the Enterprise edition as the newest official client declares them.

record.py runs this with the interpreter that has the official client, and gives it the names of the
operations. It prints one JSON object, in the form of ``contract.json`` of the server in memory.
"""

from __future__ import annotations

import datetime
import importlib
import inspect
import json
import sys
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic
from label_studio_sdk import LabelStudio

official: Any = importlib.import_module("official")  # the script beside this one

JSON = Any
PLAIN = {str: "string", int: "integer", float: "double", bool: "boolean", Any: "unknown"}
PLAIN |= {datetime.datetime: "datetime"}

types: dict[str, JSON] = {}
"""The named types that were met, in the form of the contract."""


def kind(hint: Any) -> str:
    """Return a type in the grammar of the contract; what it names is put into ``types``."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return kind(args[0])
    if hint in PLAIN:
        return PLAIN[hint]
    if origin is typing.Union:
        return union([part for part in args if part is not type(None)])
    if origin is typing.Literal:
        return named(f"{args[0]}_to_{args[-1]}", {"enum": args})
    if origin is dict:
        return f"map<string, {kind(args[1])}>"
    if origin is not None:
        return f"list<{kind(args[0])}>"
    if issubclass(hint, pydantic.BaseModel):
        return model(hint)
    raise TypeError(f"no type of the contract is {hint}")


def union(parts: list[Any]) -> str:
    """Return the type of one of these; the client lets any value follow a list of literals."""
    listed = [part for part in parts if typing.get_origin(part) is typing.Literal]
    kinds = [kind(part) for part in listed or parts]
    return kinds[0] if len(kinds) == 1 else named("_or_".join(kinds), {"union": kinds})


def named(name: str, declared: JSON) -> str:
    """Return the name of a type: those of the newest client are apart from the reference's."""
    name = f"newest.{name.replace('newest.', '')}"
    types.setdefault(name, declared)
    return name


def model(hint: Any) -> str:
    """Return the name of a type with fields."""
    name = f"newest.{hint.__name__}"
    if name not in types:
        types[name] = {"fields": {}}
        hints = typing.get_type_hints(hint, include_extras=True)
        for field, info in hint.model_fields.items():
            member: JSON = {"type": kind(hints[field])}
            if info.is_required():
                member["required"] = True
            types[name]["fields"][official.wire_name(field, hints[field])] = member
    return name


def answer(hint: Any) -> JSON:
    """Return what an operation answers: the type, and whether it comes in a list or on a page."""
    if hint is type(None):
        return {}
    if typing.get_origin(hint) is list:
        return {"answer": kind(typing.get_args(hint)[0]), "answer_is_list": True}
    if {"count", "results"} <= getattr(hint, "model_fields", {}).keys():
        rows = typing.get_type_hints(hint, include_extras=True)["results"]
        return {"answer": kind(typing.get_args(rows)[0]), "items": "results"}
    return {"answer": kind(hint)}


def operation(function: Any, request: Mapping[str, JSON]) -> JSON:
    """Return one operation, from its signature and the request with all arguments."""
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters
    path = request["path"].split("/")
    asked = {name for name, _ in request["query"]}
    sent = request["body"] or {}
    query, body = {}, {}
    for name, value in request["arguments"].items():
        wire = name.rstrip("_")
        if wire not in asked | sent.keys():
            wire = next((key for key in sent if sent[key] == value), wire)
        parameter: JSON = {"type": kind(hints[name])}
        if parameters[name].default is inspect.Parameter.empty:
            parameter["required"] = True
        if str(value) in path:
            path[path.index(str(value))] = f"{{{name}}}"
        elif wire in asked:
            query[wire] = parameter
        elif wire in sent:
            body[wire] = parameter
    row = {"verb": request["verb"], "path": "/".join(path), "query": query}
    if request["verb"] in ("POST", "PATCH"):
        row["body"] = body
    return {**row, **answer(hints["return"])}


def main() -> None:
    """Print the operations that the arguments name, and their types."""
    recorded, *names = sys.argv[1:]
    requests = json.loads(Path(recorded).read_text("utf-8"))
    client = LabelStudio(base_url="http://127.0.0.1", api_key="key")
    functions = dict(official.methods(client))
    operations = {name: operation(functions[name], requests[name]["all"]) for name in names}
    print(json.dumps({"operations": operations, "types": types}))


if __name__ == "__main__":
    main()
