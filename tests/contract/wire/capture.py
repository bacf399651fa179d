"""A transport that remembers what is sent and answers with as little as will do."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs
import requests
from requests.adapters import BaseAdapter

from labelstudio_orm import LabelStudio
from labelstudio_orm.testing.fake._checks import contract

JSON = Any

ANSWERS: dict[str, JSON] = {
    "actions.list": [],
    "files.get": {"file": "upload/3/0a1b-Größe_日本.json"},
    "files.update": {"file": "upload/1/a.json"},
    "organizations.get_invite": {"token": "t", "invite_url": "u"},
    "organizations.reset_token": {"token": "t", "invite_url": "u"},
    "projects.get": {"total_predictions_number": 0},
    "projects.import_predictions": {"created": 2},
    "projects.exports.create": {"status": "completed"},
    "projects.exports.download": [],
    "projects.exports.download_sync": [],
    "prompts.indicators.list": [],
    "states.execute_transition": {"success": True},
    "tokens.create": {"token": "a.b.c"},
    "tokens.refresh": {"access": "a.b.c"},
    "tokens.rotate": {"refresh": "a.b.c"},
    "users.get_hotkeys": {"custom_hotkeys": {}},
    "users.update_hotkeys": {"custom_hotkeys": {}},
    "users.get_token": {"token": "t"},
    "users.reset_token": {"token": "t"},
    "versions.get": {"edition": "Enterprise"},
    "views.get": {"project": 11},
    "webhooks.get": {"actions": ["TASKS_CREATED"]},
}
"""Answers that need more than an id, or whose shape the API reference does not give."""


def _by_name(query: Iterable[Sequence[str]]) -> list[tuple[str, str]]:
    return sorted(((name, value) for name, value in query), key=itemgetter(0))


def _exactly(body: JSON) -> str:
    return json.dumps(body, sort_keys=True)


@attrs.frozen
class Request:
    """What went over the wire.

    ``query`` is in the order of its names, since that means nothing. Bodies are compared as JSON,
    in which False, 0 and 0.0 are three.
    """

    verb: str
    path: str
    query: list[tuple[str, str]] = attrs.field(converter=_by_name)
    body: JSON = attrs.field(eq=_exactly)

    def is_to(self, verb: str, path: str) -> bool:
        """Does it go there? With or without the slash at the end."""
        return self.verb == verb and self.path.rstrip("/") == path.rstrip("/")

    def ask(self, **changes: str | None) -> Request:
        """The same with these parameters; None leaves one out."""
        kept = [(name, value) for name, value in self.query if name not in changes]
        new = [(name, value) for name, value in changes.items() if value is not None]
        return attrs.evolve(self, query=[*kept, *new])

    def asked(self, name: str) -> str | None:
        """The value of a parameter, or None."""
        return dict(self.query).get(name)

    def say(self, body: JSON) -> Request:
        """The same with another body."""
        return attrs.evolve(self, body=body)

    def without(self, names: Collection[str]) -> Request:
        """The same without these fields in its body; without a body when there are no others."""
        if not isinstance(self.body, dict):
            return self
        rest = {name: value for name, value in self.body.items() if name not in names}
        return self.say(rest or None)


class Capture(BaseAdapter):
    """A server of which nothing is known but the shapes of its answers.

    A listing is empty, but for ``tasks``, the ids of those that there are. One object is its id and
    ``fields``. ``estimates`` is the verb that costs are asked with.
    """

    def __init__(
        self, fields: Mapping[str, JSON], tasks: Iterable[int] = (), estimates: str = ""
    ) -> None:
        super().__init__()
        self.estimates = estimates
        self.fields = fields
        self.tasks = [{"id": id} for id in tasks]
        self.requests: list[Request] = []

    def client(self) -> LabelStudio:
        """A client whose requests come here."""
        session = requests.Session()
        session.mount("http://", self)
        return LabelStudio("http://capture", "key", session=session, retries=0)

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Remember and answer."""
        url = urlsplit(request.url or "")
        query = parse_qsl(url.query, keep_blank_values=True)
        asked = Request(request.method or "", unquote(url.path), query, _read(request))
        self.requests.append(asked)
        answer = requests.Response()
        answer.status_code = 204 if asked.verb == "DELETE" else 200
        if asked.path.endswith("cost-estimate") and asked.verb != self.estimates:
            answer.status_code = 405
        answer.headers["Content-Type"] = "application/json"
        content = b"" if asked.verb == "DELETE" else json.dumps(self.answer(asked)).encode()
        answer.raw = io.BytesIO(content)
        answer.url, answer.request = request.url or "", request
        return answer

    def answer(self, asked: Request) -> JSON:
        """The least that the operation may answer."""
        name = contract.match(asked.verb, asked.path) or ""
        operation = contract.operations().get(name)
        known = ANSWERS.get(name, {})
        if isinstance(known, list):
            return known
        if name == "tasks.list":
            return {"tasks": self.tasks, "total": len(self.tasks)}
        if operation and operation.items:
            return {operation.items: [], "count": 0, "next": None}
        if operation and operation.answer_is_list:
            return []
        numbers = [int(part) for part in asked.path.split("/") if part.isdigit()]
        stored = asked.body if isinstance(asked.body, dict) else {}
        return {**self.fields, **stored, "id": numbers[-1] if numbers else 1, **known}

    def close(self) -> None:
        """Nothing is open."""


def _read(request: requests.PreparedRequest) -> JSON:
    """A body: JSON, or ``{"form": [...]}`` with the names of a form's fields."""
    body: Any = request.body
    if not body:
        return None
    body = body.read() if hasattr(body, "read") else body
    content = body if isinstance(body, bytes) else str(body).encode()
    if "json" in request.headers["Content-Type"]:
        return json.loads(content)
    return {"form": [name.decode() for name in re.findall(rb'form-data; name="([^"]*)"', content)]}
