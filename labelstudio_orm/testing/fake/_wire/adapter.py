"""A fake server behind ``requests``, without a socket."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from http.client import responses as reasons
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3._collections import HTTPHeaderDict
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError
from urllib3.response import HTTPResponse

from .faults import ConnectionFault, Server


class _BreakingBody(io.BytesIO):
    """Half of a body, followed by a reset."""

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if not data:
            raise ConnectionResetError(104, "Connection reset by peer")
        return data

    def read1(self, size: int | None = -1) -> bytes:
        return self.read(size)


class FakeAdapter(BaseAdapter):
    """The way to a fake server without a socket: an adapter for a ``requests.Session``.

    Connection faults become the exceptions that urllib3 would raise.
    """

    def __init__(self, fake: Server) -> None:
        super().__init__()
        self.fake = fake

    def close(self) -> None:
        """Do nothing; nothing is open."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send a prepared request and return its answer."""
        url = urlsplit(request.url or "")
        path = unquote(url.path).removeprefix(urlsplit(self.fake.url).path.rstrip("/"))
        try:
            answer = self.fake.handle(
                request.method or "GET",
                path,
                url.query,
                _texts(request.headers),
                _content(request.body),
            )
        except ConnectionFault as error:
            return self._broken(request, error, timeout)
        return self._response(request, *answer)

    def _broken(
        self, request: requests.PreparedRequest, error: ConnectionFault, timeout: Any
    ) -> requests.Response:
        fault = error.fault
        url = urlsplit(request.url or "")
        if fault.kind == "refused":
            connection = HTTPConnection(url.hostname or "", url.port or 80)
            cause = NewConnectionError(
                connection, "Failed to establish a new connection: [Errno 111] Connection refused"
            )
            pool = HTTPConnectionPool(url.hostname or "", url.port or 80)
            raise requests.exceptions.ConnectionError(
                MaxRetryError(pool, url.path, cause), request=request
            )
        if fault.kind == "reset":
            reset = ConnectionResetError(104, "Connection reset by peer")
            raise requests.exceptions.ConnectionError(
                ProtocolError("Connection aborted.", reset), request=request
            )
        if fault.kind == "stall":
            patience = timeout[1] if isinstance(timeout, tuple) else timeout
            if error.answer is None or patience is None or patience <= fault.seconds:
                raise requests.exceptions.ReadTimeout(
                    f"HTTPConnectionPool(host={url.hostname!r}): Read timed out. "
                    f"(read timeout={patience})",
                    request=request,
                )
            time.sleep(fault.seconds)
            return self._response(request, *error.answer)
        assert error.answer is not None
        status, headers, body = error.answer
        half = body[: len(body) // 2]
        raw = _BreakingBody(half) if fault.kind == "reset_in_body" else io.BytesIO(half)
        return self._response(request, status, headers, raw)

    def _response(
        self,
        request: requests.PreparedRequest,
        status: int,
        headers: dict[str, str],
        body: bytes | io.BytesIO,
    ) -> requests.Response:
        response = requests.Response()
        raw = HTTPResponse(
            body=io.BytesIO(body) if isinstance(body, bytes) else body,
            headers=HTTPHeaderDict(headers),
            status=status,
            preload_content=False,
            enforce_content_length=True,
            request_method=request.method,
        )
        response.raw = raw
        response.status_code = status
        response.reason = reasons.get(status, "")
        response.headers = CaseInsensitiveDict(headers)
        response.encoding = requests.utils.get_encoding_from_headers(response.headers)
        response.url = request.url or ""
        response.request = request
        response.connection = self  # type: ignore[assignment]
        return response


def _texts(headers: Mapping[str, str | bytes]) -> dict[str, str]:
    return {k: v.decode("latin-1") if isinstance(v, bytes) else v for k, v in headers.items()}


def _content(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, (bytes, bytearray)):
        return bytes(body)
    if hasattr(body, "read"):
        content = body.read()
        return content if isinstance(content, bytes) else content.encode()
    return b"".join(part if isinstance(part, bytes) else part.encode() for part in body)
