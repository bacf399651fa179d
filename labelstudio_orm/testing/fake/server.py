"""The fake server itself: who may ask, which route answers, what goes wrong, and a log of it
all."""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import requests
from attrs import define

from . import (  # noqa: F401  (they register routes)
    drafts,
    enterprise,
    exports,
    forms,
    imports,
    loopback,
    organizations,
    people,
    projects,
    snapshots,
    storages,
    tasks,
    uploads,
    views,
    webhooks,
)
from .adapter import FakeAdapter
from .events import Delivery
from .faults import ConnectionFault, Fault, Plan
from .forms import Form
from .ml import Model, Predict
from .organizations import add_organization
from .people import add_user, token_payload
from .routing import (
    Abort,
    Answer,
    Failure,
    Query,
    Request,
    crash,
    failure,
    find_route,
    not_implemented,
    page_not_found,
)
from .store import Row, Store

if TYPE_CHECKING:
    from labelstudio_orm import LabelStudio

# What a real server has and the fake does not (yet): asking for it is a 501, not the 404 of a
# typing error.
_UNKNOWN_HERE = re.compile(
    r"/api/(labels|label_links|prompts|fsm|templates"
    r"|annotations|dm|model-provider-connections|current-user/product-tour)(/.*)?"
    r"|/api/projects/\d+/(reimports|summary|model-versions|next|reimport|members"
    r"|tasks|duplicate|sample-task|label-stream-history|onboarding)(/.*)?"
    r"|/api/(tasks|annotations)/\d+/(resolve|agreement)(/.*)?"
    r"|/data/.*"
)
_REAL_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}
# Methods of the server that the fake leaves out, on paths that it knows.
_MISSING_METHODS = {
    ("PUT", "/api/projects/{id}/"),
    ("PUT", "/api/dm/views/{id}/"),
    ("GET", "/api/projects/{id}/tasks/"),
    ("POST", "/api/projects/{id}/tasks/"),
    ("GET", "/api/projects/{id}/validate/"),
    ("GET", "/api/projects/{id}/model-versions/"),
    ("GET", "/api/annotations/{id}/convert-to-draft"),
}


@define(frozen=True)
class Recorded:
    """A request as it arrived. `query` has the last value of each name, `body` is the parsed JSON;
    of a form it is the fields, and the names of the files."""

    method: str
    path: str
    query: dict[str, str]
    body: Any


class FakeLabelStudio:
    """An in-memory Label Studio, for testing scripts without a server.

    It answers as a Community server 1.23.2 on SQLite does, oddities included. What it does not know
    gets a 501 that says so; it never guesses. State lives and dies with the object.

        fake = FakeLabelStudio()
        ls = fake.client()
        project = ls.projects.create(title="Reviews")

    `edition` is what `/api/version` reports; "Enterprise" has the operations of that edition too,
    which follow the API reference, there being no such server to observe. With `async_jobs`,
    imports, snapshots and syncs are queued and are done at the second look at them, as on servers
    of other editions; else at once, as a Community server does.

    Attributes:
        url: Its address.
        api_key: A legacy token of user 1.
        requests: The log of `Recorded` requests; clear it with `.clear()`.
        delivered: What webhooks would have been sent, as (url, payload), oldest first.
        blobs: The files of all storages, and of imports by URL: a dict from address to bytes;
            see `labelstudio_orm.testing.fake.blobs`.
        models: What is behind the addresses of ML backends: by URL a function from tasks to
            predictions, or a `Model`; see `labelstudio_orm.testing.fake.ml`.
        local_files_root: What local storages must be below; default: "/".
        ssrf_protection: Whether addresses of this machine and its networks are refused to
            webhooks, imports by URL and ML backends, as they are by default (True).
        access_lifetime: The seconds that new access tokens live.
        jwt_settings: Which kinds of tokens are accepted.
    """

    def __init__(
        self,
        url: str = "http://label-studio.fake",
        *,
        edition: str = "Community",
        async_jobs: bool = False,
    ) -> None:
        self.url = url.rstrip("/")
        self.edition = edition
        self.async_jobs = async_jobs
        self.requests: list[Recorded] = []
        self.delivered: list[Delivery] = []
        self.blobs: dict[str, bytes] = {}
        self.local_files_root = "/"
        self.models: dict[str, Predict | Model] = {}
        self.ssrf_protection = True
        self.access_lifetime = 300.0
        self.jwt_settings = {"api_tokens_enabled": True, "legacy_api_tokens_enabled": True}
        self.secret = secrets.token_bytes(32)
        self.store = Store()
        self._lock = threading.RLock()
        self._plans: list[Plan] = []
        if enterprise.enabled(self):
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
        """A `requests` session whose requests to `url` end here, without a network."""
        session = requests.Session()
        session.trust_env = False
        session.mount(self.url, FakeAdapter(self))
        return session

    def client(self, **options: Any) -> LabelStudio:
        """A client of this server. `options` go to `LabelStudio`."""
        from labelstudio_orm import LabelStudio

        return LabelStudio(self.url, self.api_key, **{"session": self.session(), **options})

    def serve(self) -> AbstractContextManager[str]:
        """A context manager that serves this on a free loopback port, over real HTTP; yields the
        URL."""
        return loopback.serve(self)

    def fault(
        self, method: str, path_pattern: str, fault: Fault, *, times: int | None = 1, after: int = 0
    ) -> None:
        """Lets something go wrong with requests to come.

        `method` may be `*`; `path_pattern` is a shell pattern, such as `/api/tasks/*`. The first
        `after`
        matching requests are spared, then `times` are struck (None: all of them).

            fake.fault("POST", "/api/projects/*/import", Fault.reset(committed=True))
        """
        with self._lock:
            self._plans.append(Plan(method, path_pattern, fault, times, after))

    def handle(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Answers one request: (status, headers, body). `query` is the raw query string.

        Raises `ConnectionFault` when a planned fault happens below HTTP.
        """
        with self._lock:
            lowered = {name.lower(): value for name, value in headers.items()}
            parsed, form, problem = _parse(lowered, body)
            question = Query(query)
            query_values = {name: question.get(name) or "" for name in question}
            recorded = form.recorded() if form else parsed
            self.requests.append(Recorded(method, path, query_values, recorded))
            fault = next((plan.fault for plan in self._plans if plan.strikes(method, path)), None)
            if fault is not None and not fault.committed and fault.kind == "answer":
                return _as_answer(fault)
            if fault is not None and not fault.committed and fault.kind != "stall":
                raise ConnectionFault(fault, None)
            request = Request(self, method, path, question, lowered, parsed, form)
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
        if fault.kind == "truncated":
            assert answer is not None
            raise ConnectionFault(fault, answer)
        raise ConnectionFault(fault, answer)

    def _answer(self, request: Request, problem: Failure | None) -> Answer:
        try:
            entry, numbers = self._route(request)
            if not entry.public:
                request.user = self._authenticate(request.headers)
            handler = entry.handlers.get(request.method)
            if handler is None:
                allowed = {"Allow": ", ".join([*entry.handlers, "HEAD", "OPTIONS"])}
                raise failure(405, f'Method "{request.method}" not allowed.', allowed)
            if problem is not None:
                raise problem
            if request.form and not entry.forms:
                raise not_implemented(f"{request.form.kind} for {entry.path}")
            try:
                with self.store.transaction():
                    result = handler(request, **numbers)
            except RecursionError as error:
                raise crash(str(error)) from None
        except Abort as error:
            return Answer(error.body, error.status, error.headers)
        return result if isinstance(result, Answer) else Answer(result)

    def _route(self, request: Request) -> Any:
        if request.method not in _REAL_METHODS or request.method in ("HEAD", "OPTIONS"):
            raise not_implemented(f"the method {request.method}")
        try:
            entry, numbers = find_route(request.path)
        except Failure:
            if _UNKNOWN_HERE.fullmatch(request.path):
                raise not_implemented(f"{request.method} {request.path}") from None
            raise
        if entry.path in enterprise.PATHS and not enterprise.enabled(self):
            raise page_not_found()
        for method, path in _MISSING_METHODS:
            if request.method == method and entry.path == path:
                raise not_implemented(f"{method} {path}")
        return entry, numbers

    def _authenticate(self, headers: Mapping[str, str]) -> Row:
        def refused(detail: str) -> Failure:
            return failure(401, detail, {"WWW-Authenticate": "Token"})

        header = headers.get("authorization", "")
        if not header and "x-api-key" in headers:
            header = f"Token {headers['x-api-key']}"
        words = header.split()
        if words and words[0] == "Bearer" and len(words) == 2:
            payload = token_payload(self.secret, words[1]) or {}
            user = self.store.get("user", payload.get("user_id"))
            if (
                user
                and payload["token_type"] == "access"
                and self.jwt_settings["api_tokens_enabled"]
            ):
                return user
        if not words or words[0].lower() != "token":
            raise refused("Authentication credentials were not provided.")
        if len(words) == 1:
            raise refused("Invalid token header. No credentials provided.")
        if len(words) > 2:
            raise refused("Invalid token header. Token string should not contain spaces.")
        user = self.store.one("SELECT * FROM user WHERE token = ?", words[1])
        if user is None:
            raise refused("Invalid token.")
        if not self.jwt_settings["legacy_api_tokens_enabled"]:
            raise refused(
                "Authentication token no longer valid: legacy token authentication has been "
                "disabled for this organization"
            )
        return user


def _as_answer(fault: Fault) -> tuple[int, dict[str, str], bytes]:
    return fault.status, {**fault.headers, "Content-Length": str(len(fault.body))}, fault.body


def _no_constant(name: str) -> Any:
    raise ValueError(f"Out of range float values are not JSON compliant: {name!r}")


def _parse(headers: Mapping[str, str], body: bytes) -> tuple[Any, Form | None, Failure | None]:
    """The JSON of a body, or the form, or why there is none."""
    kind = headers.get("content-type", "")
    if not body:
        return None, forms.parse(kind, body) if kind.startswith(forms.URLENCODED) else None, None
    if headers.get("content-encoding"):
        text = "JSON parse error - 'utf-8' codec can't decode byte"
        return None, None, failure(400, text)
    form = forms.parse(kind, body)
    if form is not None:
        return None, form, None
    if not kind.startswith("application/json"):
        return None, None, failure(415, f'Unsupported media type "{kind}" in request.')
    try:
        return json.loads(body, parse_constant=_no_constant), None, None
    except ValueError as error:
        return None, None, failure(400, f"JSON parse error - {error}")
