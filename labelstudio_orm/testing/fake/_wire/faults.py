"""Faults: what can go wrong on the way to a server and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Literal, Protocol

from attrs import define, field

RawAnswer = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""

Kind = Literal["refused", "reset", "reset_in_body", "stall", "truncated", "answer"]


@define(frozen=True)
class Fault:
    """Something that goes wrong with a request; each method returns a fault of one kind.

    With ``committed`` the server carries out the request, and its answer is lost; otherwise the
    request never reaches it.
    """

    kind: Kind
    committed: bool = False
    seconds: float = 0.0
    keep_length: bool = False
    status: int = 0
    headers: dict[str, str] = field(factory=dict)
    body: bytes = b""

    @classmethod
    def refused(cls) -> Fault:
        """Return a fault: nothing listens on the port."""
        return cls("refused")

    @classmethod
    def reset(cls, *, committed: bool = False) -> Fault:
        """Return a fault: the connection breaks before the answer."""
        return cls("reset", committed)

    @classmethod
    def reset_in_body(cls) -> Fault:
        """Return a fault: the connection breaks within the answer; the request was carried out."""
        return cls("reset_in_body", True)

    @classmethod
    def stall(cls, seconds: float = 3600.0, *, committed: bool = False) -> Fault:
        """Return a fault: no answer for some seconds.

        A session of the fake does not wait: a shorter timeout expires at once.
        """
        return cls("stall", committed, seconds=seconds)

    @classmethod
    def truncated(cls, *, keep_length: bool = False) -> Fault:
        """Return a fault: half of the answer; with ``keep_length`` its Content-Length stays."""
        return cls("truncated", True, keep_length=keep_length)

    @classmethod
    def answer(
        cls,
        status: int,
        body: str | dict[str, object] | None = None,
        *,
        headers: dict[str, str] | None = None,
        committed: bool = False,
    ) -> Fault:
        """Return a fault: another answer.

        Args:
            status: Its status.
            body: A dict is sent as JSON, a text as HTML; default: ``{"detail": ...}``.
            headers: More headers.
            committed: Whether the server carries out the request.
        """
        if body is None:
            body = {"detail": f"Fault: {status}"}
        kind = "text/html; charset=utf-8" if isinstance(body, str) else "application/json"
        content = body if isinstance(body, str) else json.dumps(body)
        return cls(
            "answer",
            committed,
            status=status,
            body=content.encode(),
            headers={"Content-Type": kind, **(headers or {})},
        )

    @classmethod
    def bad_gateway(cls) -> Fault:
        """Return a fault: 502 with the HTML page of a proxy."""
        return cls.answer(502, "<html><body><h1>502 Bad Gateway</h1></body></html>")

    @classmethod
    def too_many_requests(cls, retry_after: float | str = 1) -> Fault:
        """Return a fault: 429 with ``Retry-After`` (seconds, or an HTTP date)."""
        return cls.answer(
            429, {"detail": "Request was throttled."}, headers={"Retry-After": str(retry_after)}
        )

    @classmethod
    def unauthorized(cls) -> Fault:
        """Return a fault: 401, as for an access token that has expired."""
        body: dict[str, object] = {
            "status_code": 401,
            "detail": "Authentication credentials were not provided.",
            "exc_info": None,
        }
        return cls.answer(401, body, headers={"WWW-Authenticate": "Token"})


@define
class PlannedFault:
    """A fault, and the requests that it strikes."""

    method: str
    path: str
    fault: Fault
    times: int | None
    after: int

    def strikes(self, method: str, path: str) -> bool:
        """Return whether this request is struck, and count it."""
        if self.method not in ("*", method) or not fnmatchcase(path, self.path) or self.times == 0:
            return False
        if self.after:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class ConnectionFault(Exception):
    """A fault below HTTP; ``answer`` is what may still be sent."""

    def __init__(self, fault: Fault, answer: RawAnswer | None) -> None:
        super().__init__(fault.kind)
        self.fault, self.answer = fault, answer


class Server(Protocol):
    """What the two ways to a server need of it."""

    url: str

    def handle(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> RawAnswer:
        """Answer one request. Raises ConnectionFault for a fault below HTTP."""
