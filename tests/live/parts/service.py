"""A small HTTP service: it records what it is asked, and answers from a table."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from attrs import field, frozen

Answers = dict[str, Callable[[Any], Any]]
"""By path: what makes the JSON of the answer, of the JSON of the request (None without one)."""


@frozen
class Asked:
    """One request that a service got; ``body`` is its JSON, None when there was none."""

    method: str
    path: str
    headers: Message[str, str] = field(repr=False)
    body: Any


S = TypeVar("S", bound="Service")


class Service:
    """An HTTP service on a free port of this machine, from `__enter__` to `__exit__`.

    A path that is not in the table is answered with 404. ``asked`` is what it was asked so far.
    ``login``: the Authorization header without which it answers 401.
    """

    login: str | None = None

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.asked: list[Asked] = []

    def __enter__(self: S) -> S:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def bodies(self, path: str) -> list[Any]:
        """The JSON of the requests for this path, oldest first."""
        return [asked.body for asked in self.asked if asked.path == path]


def _handler(service: Service) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            asked = Asked(self.command, path, self.headers, json.loads(content or b"null"))
            service.asked.append(asked)
            known = service.login in (None, self.headers.get("Authorization"))
            make = service.answers.get(path) if known else None
            self.send_response(200 if make else 404 if known else 401)
            answer = json.dumps(make(asked.body)).encode() if make else b""
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_HEAD = do_POST = answer

        def log_message(self, *args: object) -> None:
            pass

    return Handler
