"""What older releases of the server lack, found in their sources and seen on servers of them.

A request loses what such a server does not know before it is handled, and the answer what such a
server does not show.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from attrs import define

from .answers import failure, page_not_found
from .requests import Query, Request


@define(frozen=True)
class Lack:
    """Something that the server has since a release.

    Attributes:
        since: The first release that has it.
        method: The method of the requests that it is part of; "" for all.
        path: Their paths, as a regular expression.
        status: What the operation is answered with where it is missing; 0: it is not.
        field: The key of JSON that is dropped wherever it stands, from requests and answers.
        parameter: The parameter that is dropped from the address.
    """

    since: tuple[int, ...]
    method: str = ""
    path: str = ".*"
    status: int = 0
    field: str = ""
    parameter: str = ""

    def concerns(self, request: Request) -> bool:
        """Return whether a request is about it."""
        return self.method in ("", request.method) and bool(re.fullmatch(self.path, request.path))


LACKS = (
    Lack((1, 23), "GET", r"/api/tasks/\d+/?", parameter="resolve_uri"),
    Lack((1, 23), path=r"/api/projects/.*", field="annotator_evaluation_enabled"),
    Lack((1, 22), "GET", r"/api/projects/\d+/annotators/", status=404),
    Lack((1, 22), path=r"/api/(projects/\d+/import|tasks|tasks/.*)", field="allow_skip"),
    Lack((1, 21), path=r"/api/(tasks|dm)/.*", field="child_filter"),
    Lack((1, 21), path=r"/api/storages/((azure|gcs|localfiles).*)?", field="recursive_scan"),
    Lack((1, 21), path=r"/api/(projects/\d+/file-uploads|import/file-upload/.*)", field="size"),
    Lack((1, 22), path=r"/api/fsm/.*", status=404),
    Lack((1, 21), path=r"/api/current-user/hotkeys/?", status=404),
    Lack((1, 21), path=r"/api/(users|current-user)/.*", field="custom_hotkeys"),
    Lack((1, 20), "POST", r"/api/dm/actions/", field="annotator"),
    Lack((1, 20), path=r"/api/session-policy/?", status=404),
    Lack((1, 17), path=r"/api/(token/.*|jwt/settings)", status=404),
    Lack((1, 16), "GET", r"/api/projects/counts/", status=404),
    Lack((1, 16), "GET", r"/api/organizations/\d+/memberships/\d+/?", status=405),
    Lack((1, 13, 1), "POST", r"/api/dm/views/order/?", status=405),
    Lack((1, 12), "DELETE", r"/api/projects/\d+/model-versions/?", status=405),
    Lack((1, 12), path=r"/api/predictions/.*", field="model"),
    Lack((1, 12), path=r"/api/predictions/.*", field="model_run"),
    Lack((1, 10), "GET", r"/api/predictions/?", parameter="project"),
    Lack((1, 10), path=r"/api/predictions/.*", field="project"),
)

QUIRKS = {"undefined data": (1, 15), "numbers for booleans": (1, 14)}
"""What queries do otherwise (``Store.quirks``), and since when they do not."""


class Older:
    """A release of the server, and what it lacks; a release that is not known lacks nothing."""

    def __init__(self, version: str) -> None:
        self.version = version
        self._release = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
        self._lacks = [one for one in LACKS if self.lacks(one.since)]

    def lacks(self, since: tuple[int, ...]) -> bool:
        """Return whether this release is older."""
        return bool(self._release) and self._release < since

    @property
    def quirks(self) -> frozenset[str]:
        """What queries do otherwise on this release."""
        return frozenset(name for name, since in QUIRKS.items() if self.lacks(since))

    def known(self, request: Request) -> Request:
        """Return a request as this release reads it.

        Raises:
            Failure: The release does not have the operation.
        """
        for one in self._of(request):
            if one.status == 404:
                raise page_not_found()
            if one.status:
                raise failure(one.status, f'Method "{request.method}" not allowed.')
            if one.field and request.body is not None:
                request.body = without(request.body, one.field)
            pairs = [pair for pair in request.query.pairs if pair[0] != one.parameter]
            if one.field:
                pairs = [(name, _filters_without(text, one.field)) for name, text in pairs]
            request.query = Query.of(pairs)
        if self.lacks((1, 10)) and request.path.startswith("/api/predictions"):
            names = {"task__project": "project"}
            pairs = [(names.get(name, name), text) for name, text in request.query.pairs]
            request.query = Query.of(pairs)
        return request

    def shown(self, request: Request, body: Any) -> Any:
        """Return the JSON of an answer as this release shows it."""
        for one in self._of(request):
            if one.field:
                body = without(body, one.field)
        return body

    def _of(self, request: Request) -> Iterator[Lack]:
        return (one for one in self._lacks if one.concerns(request))


def without(value: Any, name: str) -> Any:
    """Return JSON without a key, wherever it stands but in the data of tasks and in results."""
    if isinstance(value, dict):
        return {
            key: inner if key in _OF_USERS and name not in _IN_VIEWS else without(inner, name)
            for key, inner in value.items()
            if key != name
        }
    return [without(one, name) for one in value] if isinstance(value, list) else value


_OF_USERS = frozenset({"data", "meta", "result"})
_IN_VIEWS = frozenset({"child_filter"})


def _filters_without(text: str, name: str) -> str:
    if name not in text or not text.startswith("{"):
        return text
    return json.dumps(without(json.loads(text), name))
