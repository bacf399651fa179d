"""Every method of the official client, called on a server that only listens.

record.py runs this with the interpreter that has the official client; it prints one JSON object.
"""

from __future__ import annotations

import inspect
import itertools
import json
import re
import threading
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pydantic
from label_studio_sdk import LabelStudio
from label_studio_sdk.core.api_error import ApiError
from label_studio_sdk.core.pydantic_utilities import parse_obj_as
from label_studio_sdk.core.serialization import FieldMetadata

JSON = Any

# The arguments: by name where the type does not say enough, else by type.

TASKS_FILTER = {
    "conjunction": "and",
    "items": [
        {
            "filter": "filter:tasks:total_annotations",
            "operator": "equal",
            "type": "Number",
            "value": 0,
        },
    ],
}

BY_NAME: Mapping[str, JSON] = {
    "all_": True,
    "comments.list.projects": "21",
    "email": "jürgen@example.org",
    "entity_name": "task",
    "expand_created_by": True,
    "failed_predictions": [{"task_id": 21, "error_type": "größe", "message": "日本"}],
    "files.list.ids": ["21", "22"],
    "filename": "3/0a1b-Größe_日本.json",
    "filters": TASKS_FILTER,
    "headers": {"X-Spur": "Größe"},
    "include": "id,data",
    "include_deleted": True,
    "input_fields": ["größe", "b"],
    "indicator_key": "größe",
    "kpi_key": "größe",
    "label_config": '<View><Text name="text" value="$text"/><!-- Größe 日本 --></View>',
    "maximum_annotations": 0,
    "ordering": ["-tasks:created_at"],
    "organization_only": True,
    "output_classes": ["日本", "b"],
    "permission_key": "größe",
    "port": "6379",
    "preannotated_from_fields": ["größe", "b"],
    "presign_ttl": 0,
    "projects.exports.download_sync.ids": ["21", "22"],
    "projects.list.ids": "21,22",
    "projects.list.workspaces": 20,
    "projects.list.ordering": "-created_at",
    **{
        f"projects.stats.model_version_{kind}_agreement.model_version": "größe"
        for kind in ("annotator", "ground_truth", "prediction")
    },
    "request": [
        {"data": {"text": "Größe 日本 🙂", "n": 0, "nested": {"a": [False, None, {"b": ""}]}}},
        {"data": {"text": ""}, "meta": {"source": "&?/=+%"}},
    ],
    "result": [
        {
            "from_name": "größe",
            "to_name": "text",
            "type": "choices",
            "value": {"choices": ["日本", "b"]},
        }
    ],
    "results": [
        {
            "task_id": 21,
            "output": {"größe": {"a": [0, False, None, {"b": ""}]}},
            "prompt_tokens": 0,
            "completion_tokens": 17,
            "prompt_cost_usd": 0.0,
            "completion_cost_usd": 19.5,
            "total_cost_usd": 19.5,
        }
    ],
    "score": 0.0,
    "selected_items": {"all": False, "included": [21, 22]},
    "tasks.list.query": json.dumps({"filters": TASKS_FILTER, "ordering": ["-tasks:created_at"]}),
    "timeout": 0.5,
    "unique_id": "6f9619ff-8b86-d011-b42d-00c04fc964ff",
    "url": "http://127.0.0.1:9090/größe",
    "webhooks.update.headers": '{"X-Spur": "Größe"}',
}
"""Arguments by ``name``, or by ``group.method.name`` where one name means several things."""

CONTRADICTORY: Mapping[str, tuple[str, ...]] = {
    "actions.create": ("view", "selected_items"),
    "tasks.list": ("view",),
}
"""Arguments beside which a server does not look at others; also recorded without these."""

NUMBERS = ("id", "id_", "project", "import_pk", "export_pk")
"""What is a number even where the official client calls it a text."""

Name = str
Hint = Any


def value(operation: str, name: Name, hint: Hint, numbers: Iterator[int]) -> JSON:
    """An argument as JSON. Each number is new, so that two fields cannot be mistaken."""
    hint = inner(hint)
    for key in (f"{operation}.{name}", name):
        if key in BY_NAME and fits(BY_NAME[key], hint):
            return BY_NAME[key]
    number = next(numbers)
    origin: Any = typing.get_origin(hint)
    args = typing.get_args(hint)
    if hint is bool:
        return number % 2 == 0
    if hint is int:
        return number
    if hint is float:
        return number + 0.5
    if getattr(origin, "__name__", "") == "IO":
        return "[]"
    if hint is str:
        return str(number) if name in NUMBERS else f"{name} Größe 日本 🙂 &?/=+%"
    if origin is typing.Literal:
        return args[number % len(args)]
    if origin is list:
        return [value(operation, name, args[0], numbers) for _ in range(2)]
    if origin is dict and inner(args[1]) is not Any:
        return {"größe": value(operation, name, args[1], numbers)}
    if origin is dict or hint is Any:
        return {"größe": {"a": [0, False, None, {"b": ""}]}, "of": name}
    if isinstance(hint, type) and issubclass(hint, pydantic.BaseModel):
        model: Any = hint
        fields = typing.get_type_hints(model, include_extras=True)
        return {
            wire_name(field, fields[field]): value(operation, field, fields[field], numbers)
            for field in model.model_fields
        }
    if hint.__name__ == "datetime":
        return f"2026-01-{number % 28 + 1:02}T12:30:00.000001Z"
    raise TypeError(f"{operation}: no value for {name}: {hint}")


def inner(hint: Hint) -> Hint:
    """The most telling part of a type: of a union the sequence, else what it names first."""
    origin: Any = typing.get_origin(hint)
    if origin is typing.Annotated:
        return inner(typing.get_args(hint)[0])
    if origin is not typing.Union:
        sequence = getattr(origin, "__name__", "") == "Sequence"
        return types.GenericAlias(list, typing.get_args(hint)[:1]) if sequence else hint
    parts = [inner(part) for part in typing.get_args(hint) if part is not types.NoneType]
    return next((part for part in parts if typing.get_origin(part) is list), parts[0])


def fits(known: JSON, hint: Hint) -> bool:
    """May this value stand for that type? A text does not where anything might."""
    if hint is Any:
        return not isinstance(known, str)
    try:
        parse_obj_as(hint, known)
    except pydantic.ValidationError:
        return False
    return True


def wire_name(field: str, hint: Hint) -> str:
    """The name that a field of a model has on the wire."""
    aliases = [m.alias for m in getattr(hint, "__metadata__", ()) if isinstance(m, FieldMetadata)]
    return aliases[0] if aliases else field


# The methods


def methods(client: object, group: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    """Each ``group.method`` and the function that was generated for it.

    What the package adds by hand on top of the generated methods are no operations.
    """
    for name in groups(client):
        yield from methods(getattr(client, name), f"{group}{name}.")
    for base in type(client).__mro__ if group else ():
        for name, function in vars(base).items():
            is_public = inspect.isfunction(function) and not name.startswith("_")
            if is_public and base.__module__.endswith(".client"):
                yield group + name, function


def groups(client: object) -> list[Name]:
    """Return the names of the groups of a client: attributes, or properties in newer ones."""
    properties = inspect.getmembers(type(client), lambda member: isinstance(member, property))
    names = [*vars(client), *(name for name, _ in properties)]
    return [name for name in names if not name.startswith("_") and name != "with_raw_response"]


def arguments(
    client: LabelStudio, operation: str, function: Callable[..., Any]
) -> dict[str, dict[str, JSON]]:
    """The fewest arguments that the method takes, and all of them; see also CONTRADICTORY."""
    taken = inspect.signature(own_method(client, operation)).parameters.values()
    extends = any(each.kind is each.VAR_KEYWORD for each in taken)
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters
    possible = parameters if extends else [each.name for each in taken]
    names = [name for name in possible if name not in ("self", "request_options")]
    numbers = itertools.count(11)
    everything = {name: value(operation, name, hints[name], numbers) for name in names}
    required = [name for name in names if parameters[name].default is inspect.Parameter.empty]
    variants = {"fewest": required, "all": names}
    if operation in CONTRADICTORY:
        variants["some"] = [name for name in names if name not in CONTRADICTORY[operation]]
    return {
        variant: {name: everything[name] for name in chosen} for variant, chosen in variants.items()
    }


def own_method(client: LabelStudio, operation: str) -> Callable[..., Any]:
    """Return the client's own method, which may be an extension of the generated one."""
    method: Any = client
    for name in operation.split("."):
        method = getattr(method, name)
    return typing.cast("Callable[..., Any]", method)


def call(client: LabelStudio, operation: str, function: Callable[..., Any], said: JSON) -> None:
    """Call the client's own method."""
    method = own_method(client, operation)
    hints = typing.get_type_hints(function)
    typed = {name: parsed(hints[name], argument) for name, argument in said.items()}
    try:
        answer = method(**typed)
        if inspect.isgenerator(answer):
            next(answer)  # a stream asks when it is read
    except ApiError:  # the listener refuses everything
        return
    raise RuntimeError(f"{operation}: nothing was asked")


def parsed(hint: Hint, argument: JSON) -> Any:
    """Return an argument as the method takes it; a file is a text of its own."""
    is_file = getattr(typing.get_origin(inner(hint)), "__name__", "") == "IO"
    return argument if is_file else parse_obj_as(hint, argument)


# The server


class Listener(BaseHTTPRequestHandler):
    """Remembers each request and refuses it, so that no client goes on to parse an answer."""

    heard: typing.ClassVar[list[dict[str, JSON]]] = []

    def handle_one_request(self) -> None:
        """Any verb."""
        self.raw_requestline = self.rfile.readline()
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        self.heard.append(
            {
                "verb": self.command,
                "path": unquote(url.path),
                "query": parse_qsl(url.query, keep_blank_values=True),
                "body": self.read(body) if body else None,
            }
        )
        answer = b'{"detail": "heard"}'
        self.send_response(418)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def read(self, body: bytes) -> JSON:
        """Return a body: JSON, or the names of the fields of a form."""
        kind = self.headers.get("Content-Type", "application/json")
        if kind == "application/json":
            return json.loads(body)
        if not kind.startswith("multipart/form-data"):
            raise RuntimeError(f"a body of another kind than JSON: {kind}")
        names = re.findall(rb'form-data; name="([^"]*)"', body)
        return {"form": [name.decode() for name in names]}

    def log_message(self, *_: object) -> None:
        """Quiet."""


def record(url: str) -> dict[str, JSON]:
    """The requests of every method: ``{"webhooks.get": {"fewest": {...}, "all": {...}}}``."""
    client = LabelStudio(base_url=url, api_key="key")
    recorded: dict[str, JSON] = {}
    for operation, function in methods(client):
        recorded[operation] = {}
        for variant, said in arguments(client, operation, function).items():
            Listener.heard.clear()
            call(client, operation, function, said)
            (request,) = Listener.heard
            recorded[operation][variant] = {"arguments": said, **request}
    return recorded


def main() -> None:
    """Listen, record, print."""
    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(json.dumps(record(f"http://127.0.0.1:{server.server_address[1]}")))
        server.shutdown()


if __name__ == "__main__":
    main()
