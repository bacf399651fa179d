"""Answers, and the errors that end the work on a request."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from attrs import define, field

from .faults import RawAnswer

VERSION = "1.23.2"
_PAGE_404 = (
    "<!doctype html>\n<html><head><title>404 | Label Studio</title></head><body>404</body></html>\n"
)


class Abort(Exception):
    """An answer that ends the work on a request."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status, self.body, self.headers = status, body, dict(headers or {})


class Failure(Abort):
    """An answer that is an error; ``body`` is what the server's exception handler would send."""


class Gap(Abort):
    """A 501: the fake does not know the answer. It is no Failure, so nothing handles it."""


def failure(
    status: int, detail: str, headers: Mapping[str, str] | None = None, **extra: Any
) -> Failure:
    """Return an error in the server's usual envelope."""
    body = {
        "id": str(uuid.uuid4()),
        "status_code": status,
        "version": VERSION,
        "detail": detail,
        "exc_info": None,
        **extra,
    }
    return Failure(status, body, headers)


def invalid(errors: Any) -> Failure:
    """Return a 400; ``errors`` is a dict by field, or a list or text for the whole object."""
    if isinstance(errors, str):
        errors = [errors]
    if not isinstance(errors, dict):
        errors = {"non_field_errors": errors}
    return failure(400, "Validation error", validation_errors=errors)


def crash(detail: str) -> Failure:
    """Return a 500, the server's answer to most mistakes of a Data Manager query."""
    return failure(500, detail)


def not_found(name: str) -> Failure:
    """Return a 404 for an object that does not exist."""
    return failure(404, f"No {name} matches the given query.")


def page_not_found() -> Failure:
    """Return a 404 as a web page: an unknown route, an id that is no number, a wrong last slash."""
    return Failure(404, _PAGE_404, {"Content-Type": "text/html; charset=utf-8"})


def not_implemented(what: str) -> Gap:
    """Return a 501, which the real server never sends: the fake does not know this, nor guesses."""
    return Gap(
        501, {"detail": f"FakeLabelStudio does not implement {what}", "not_implemented": what}
    )


@define
class Answer:
    """An answer that is more than a 200 with JSON."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(factory=dict)

    def rendered(self) -> RawAnswer:
        """Return the status, headers and bytes to send."""
        headers = {"Allow": "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS", **self.headers}
        if self.body is None:
            content = b""
        elif isinstance(self.body, bytes):
            content = self.body
        elif headers.get("Content-Type", "").startswith("text/html"):
            content = str(self.body).encode()
        else:
            headers.setdefault("Content-Type", "application/json")
            content = json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()
        headers["Content-Length"] = str(len(content))
        return self.status, headers, content
