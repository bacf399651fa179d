"""The server: its log of requests, the faults, and the way of a request to its operation."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import requests
from attrs import define

from labelstudio_orm import LabelStudio
from labelstudio_orm._engine.http.connection import facts_of
from labelstudio_orm._engine.http.server import ServerVersion

from ._operations import NEWEST, ROUTES
from ._operations.authentication import authenticate
from ._operations.organizations import add_organization
from ._operations.users import add_user
from ._rows import enterprise
from ._state.state import State
from ._wire import bodies, loopback
from ._wire.adapter import FakeAdapter
from ._wire.answers import (
    VERSION,
    Abort,
    Answer,
    Failure,
    crash,
    failure,
    not_implemented,
    page_not_found,
)
from ._wire.faults import ConnectionFault, Fault, PlannedFault, RawAnswer
from ._wire.releases import Older
from ._wire.requests import Query, Request
from ._wire.routes import Route

# Paths of a real server that the fake does not have: the answer is a 501, and not the 404 of a
# misspelled path.
_MISSING_PATHS = re.compile(
    r"/api/(labels|label_links|prompts|templates"
    r"|annotations|dm|model-provider-connections|current-user/product-tour)(/.*)?"
    r"|/api/projects/\d+/(reimports|summary|model-versions|next|reimport|members"
    r"|tasks|duplicate|sample-task|label-stream-history|onboarding)(/.*)?"
    r"|/api/(tasks|annotations)/\d+/(resolve|agreement)(/.*)?"
    r"|/data/.*"
)
_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
# Methods of the server that the fake leaves out, on paths that it has.
_MISSING_METHODS = {
    ("PUT", "/api/projects/{id}/"),
    ("PUT", "/api/dm/views/{id}/"),
    ("GET", "/api/projects/{id}/tasks/"),
    ("POST", "/api/projects/{id}/tasks/"),
    ("GET", "/api/projects/{id}/validate/"),
    ("GET", "/api/annotations/{id}/convert-to-draft"),
}


@define(frozen=True)
class Recorded:
    """A request as it arrived.

    Attributes:
        method: The HTTP method.
        path: The path, without host and query.
        query: The query: the last value of each name.
        body: The parsed JSON; for a form its fields and the names of its files.
    """

    method: str
    path: str
    query: dict[str, str]
    body: Any


class FakeLabelStudio(State):
    """An in-memory Label Studio, for testing scripts without a server.

    It answers as a Community server 1.23.2 on SQLite does, oddities included, or as an older
    release where what it lacks is known. It answers 501 to what it does not know, and never
    guesses. The state lives and dies with the object.

        fake = FakeLabelStudio()
        ls = fake.client()
        project = ls.projects.create(title="Reviews")

    Args:
        url: The address.
        version: The release that it is, such as "1.18.0"; default: 1.23.2.
        edition: What ``/api/version`` reports. "Enterprise" adds the operations of that edition,
            which follow the API reference, as there is no such server to observe.
        is_newest: Whether the operations of the Enterprise edition are those that the newest
            official client declares, and not those of the published reference.
        async_jobs: Whether imports, snapshots and syncs are queued, and done at the second look at
            them, as on servers of other editions; default: done at once, as on Community servers.

    Attributes:
        url: The address.
        api_key: The legacy token of user 1.
        requests: The log of ``Recorded`` requests; ``fake.requests.clear()`` empties it.
        delivered: What webhooks would have been sent, as ``Delivery`` (url, payload), oldest first.
        blobs: The files of all storages, and of imports by URL: a dict from address to bytes, such
            as ``s3://bucket/folder/task.json``, ``gs://...``, ``azure-blob://container/...``,
            ``localfiles:///data/folder/task.json``, ``redis://host:port/database/key`` and
            ``https://example.com/tasks.json``. A bucket, container or folder exists when something
            is in it; an address that ends with a slash makes an empty one. Export storages write
            into the same dict.
        models: What is behind the URLs of ML backends: a dict from URL to a function that takes
            tasks and returns predictions, or to a ``Model``. A backend at any other URL is down.
        local_files_root: The folder that local storages must be below; default: "/".
        ssrf_protection: Whether webhooks, imports by URL and ML backends may not have addresses of
            this machine and its networks; default: True, as on the server.
        access_lifetime: The seconds that new access tokens live.
        jwt_settings: The kinds of tokens that are accepted.
    """

    def __init__(
        self,
        url: str = "http://label-studio.fake",
        *,
        version: str = VERSION,
        edition: str = "Community",
        is_newest: bool = False,
        async_jobs: bool = False,
    ) -> None:
        super().__init__(
            url, version=version, edition=edition, is_newest=is_newest, async_jobs=async_jobs
        )
        self._older = Older(version)
        self.store.quirks = self._older.quirks
        self.requests: list[Recorded] = []
        self._lock = threading.RLock()
        self._plans: list[PlannedFault] = []
        if self.is_enterprise:
            enterprise.prepare(self.store)
        owner = add_user(self.store, organization=1, email="user@example.com")
        add_organization(self.store, "Label Studio", owner)

    def __repr__(self) -> str:
        return f"<FakeLabelStudio {self.url}>"

    @property
    def api_key(self) -> str:
        """The legacy token of user 1, as it is now (resetting it makes a new one)."""
        return str(self.store.value("SELECT token FROM user WHERE id = 1"))

    def session(self) -> requests.Session:
        """Return a ``requests`` session whose requests to ``url`` end here, without a network."""
        session = requests.Session()
        session.trust_env = False
        session.mount(self.url, FakeAdapter(self))
        return session

    def client(self, **options: Any) -> LabelStudio:
        """Return a client of this server; ``options`` go to ``LabelStudio``.

        It knows the release and the edition, for which others ask once.
        """
        client = LabelStudio(self.url, self.api_key, **{"session": self.session(), **options})
        facts_of(client).server = ServerVersion(self.version, self.edition, {})
        return client

    def serve(self) -> AbstractContextManager[str]:
        """Return a context manager that serves this on a free loopback port; it yields the URL."""
        return loopback.serve(self)

    def fault(
        self, method: str, path_pattern: str, fault: Fault, *, times: int | None = 1, after: int = 0
    ) -> None:
        """Let something go wrong with requests to come.

            fake.fault("POST", "/api/projects/*/import", Fault.reset(committed=True))

        Args:
            method: The method of the requests; ``*`` for any.
            path_pattern: A shell pattern for their paths, such as ``/api/tasks/*``.
            fault: What goes wrong.
            times: The number of requests to strike; None: all.
            after: The number of matching requests to spare before.
        """
        with self._lock:
            self._plans.append(PlannedFault(method, path_pattern, fault, times, after))

    def handle(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> RawAnswer:
        """Answer one request.

        Args:
            method: The HTTP method.
            path: The path, without host and query, its escapes resolved.
            query: The raw query string.
            headers: The headers.
            body: The body.

        Returns:
            Status, headers and body.

        Raises:
            ConnectionFault: A planned fault happens below HTTP.
        """
        with self._lock:
            lowered = {name.lower(): value for name, value in headers.items()}
            parsed, form, problem = bodies.parse(lowered, body)
            values = Query(query)
            recorded = form.recorded() if form else parsed
            shown = {name: values.get(name) or "" for name in values}
            self.requests.append(Recorded(method, path, shown, recorded))
            fault = next((plan.fault for plan in self._plans if plan.strikes(method, path)), None)
            if fault is not None and not fault.committed and fault.kind == "answer":
                return _as_answer(fault)
            if fault is not None and not fault.committed and fault.kind != "stall":
                raise ConnectionFault(fault, None)
            request = Request(self, method, path, values, lowered, parsed, form)
            answer = None
            if fault is None or fault.committed or fault.seconds < 60:
                answer = self._answer(request, problem).rendered()
        if fault is None:
            assert answer is not None
            return answer
        if fault.kind == "answer":
            return _as_answer(fault)
        if fault.kind == "truncated" and not fault.keep_length:
            assert answer is not None
            status, sent, content = answer
            half = content[: len(content) // 2]
            return status, {**sent, "Content-Length": str(len(half))}, half
        raise ConnectionFault(fault, answer)

    def _answer(self, request: Request, problem: Failure | None) -> Answer:
        try:
            route, names = self._route(request)
            if not route.public:
                request.user = authenticate(request)
            request = self._older.known(request)
            handler = route.handlers.get(request.method)
            if handler is None:
                allowed = {"Allow": ", ".join([*route.handlers, "HEAD", "OPTIONS"])}
                raise failure(405, f'Method "{request.method}" not allowed.', allowed)
            if problem is not None:
                raise problem
            if request.form and not route.forms:
                raise not_implemented(f"{request.form.kind} for {route.path}")
            try:
                with self.store.transaction():
                    result = handler(request, **names)
            except RecursionError as error:
                raise crash(str(error)) from None
        except Abort as error:
            return Answer(error.body, error.status, error.headers)
        answer = result if isinstance(result, Answer) else Answer(result)
        answer.body = self._older.shown(request, answer.body)
        return answer

    def _route(self, request: Request) -> tuple[Route, dict[str, Any]]:
        if request.method not in _METHODS:
            raise not_implemented(f"the method {request.method}")
        try:
            route, names = (NEWEST if self.is_newest else ROUTES).find(request.path)
        except Failure:
            if _MISSING_PATHS.fullmatch(request.path):
                raise not_implemented(f"{request.method} {request.path}") from None
            raise
        if route.enterprise and not self.is_enterprise:
            raise page_not_found()
        if (request.method, route.path) in _MISSING_METHODS:
            raise not_implemented(f"{request.method} {route.path}")
        return route, names


def _as_answer(fault: Fault) -> RawAnswer:
    return fault.status, {**fault.headers, "Content-Length": str(len(fault.body))}, fault.body
