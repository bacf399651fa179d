"""A proxy that loses, delays, cuts and repeats some of what goes through it."""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import threading
import time
from collections import Counter
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

KINDS = ("drop the request", "drop the answer", "delay", "truncate", "repeat", "repeat later")


class BadProxy:
    """In front of a server, on a free port of this machine: ``url``. ``rate``: of so many requests
    each kind of trouble happens to one; ``done`` counts them. ``longest``: seconds of a delay.
    """

    def __init__(self, target: str, rate: float, seed: int = 1, longest: float = 2.0) -> None:
        parts = urlsplit(target)
        self.host, self.port = parts.hostname or "", parts.port or 80
        self.rate, self.longest, self._chance = rate, longest, random.Random(seed)
        self.done: Counter[str] = Counter()
        self.requests = 0
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"):
            setattr(Handler, f"do_{method}", lambda handler: proxy._pass(handler))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._later: list[threading.Thread] = []

    def __enter__(self) -> BadProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        for thread in self._later:
            thread.join()

    def _trouble(self) -> str:
        self.requests += 1
        number = self._chance.random()
        for place, kind in enumerate(KINDS):
            if number < (place + 1) * self.rate:
                self.done[kind] += 1
                return kind
        return ""

    def _pass(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        kind = self._trouble()
        if kind == "drop the request":
            return self._hang_up(handler)
        if kind == "delay":
            time.sleep(self._chance.uniform(self.longest / 10, self.longest))
        headers = {k: v for k, v in handler.headers.items() if k.lower() != "connection"}
        # The handler goes on to the next request of its connection while one is repeated later.
        send = partial(self._ask, handler.command, handler.path, headers, body)
        answer = send()
        if kind == "repeat":
            answer = send()
        if kind == "repeat later":
            later = threading.Timer(self._chance.uniform(self.longest / 20, self.longest), send)
            later.start()
            self._later.append(later)
        if answer is None or kind == "drop the answer":
            return self._hang_up(handler)
        status, reason, headers, content = answer
        handler.send_response_only(status, reason)
        for name, value in headers:
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if kind == "truncate":
            handler.wfile.write(content[: len(content) // 2])
            return self._hang_up(handler)
        return self._write(handler, content)

    @staticmethod
    def _write(handler: BaseHTTPRequestHandler, content: bytes) -> None:
        try:
            handler.wfile.write(content)
        except OSError:  # who asked was killed
            handler.close_connection = True

    @staticmethod
    def _hang_up(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        with contextlib.suppress(OSError):
            handler.connection.shutdown(socket.SHUT_RDWR)

    def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Any:
        """The server's own answer; None if there is none."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=600)
        try:
            host = f"{self.host}:{self.port}"
            connection.request(method, path, body or None, {**headers, "Host": host})
            response = connection.getresponse()
            return response.status, response.reason, response.getheaders(), response.read()
        except OSError:
            return None
        finally:
            connection.close()
