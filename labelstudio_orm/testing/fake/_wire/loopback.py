"""A fake server behind a real socket on the loopback device."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from .faults import ConnectionFault, Server


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    fake: Server
    stopped: threading.Event


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        path, _, query = self.path.partition("?")
        headers = dict(self.headers.items())
        try:
            status, sent, content = self.server.fake.handle(
                self.command, unquote(path), query, headers, body
            )
        except ConnectionFault as error:
            return self._break(error)
        return self._send(status, sent, content)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = _answer

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def _break(self, error: ConnectionFault) -> None:
        fault = error.fault
        if fault.kind == "stall":
            self.server.stopped.wait(fault.seconds)
            if error.answer is not None and not self.server.stopped.is_set():
                return self._send(*error.answer)
        elif fault.kind in ("reset_in_body", "truncated") and error.answer is not None:
            status, headers, content = error.answer
            self._send(status, headers, content[: len(content) // 2 or 1])
            if fault.kind == "truncated":
                self.close_connection = True
                return None
        # Closing without lingering discards unread data, which resets the connection.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()
        return None

    def finish(self) -> None:
        """End a connection, which may be broken already."""
        with suppress(OSError, ValueError):
            super().finish()


@contextmanager
def serve(fake: Server) -> Iterator[str]:
    """Serve until the block ends; yields the URL.

    A refused connection cannot be faked here: it becomes a reset.
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    server.fake, server.stopped = fake, threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()
