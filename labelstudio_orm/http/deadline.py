"""The time by which a call must be over, which no trickle of bytes outlasts."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any, cast

clock = time.monotonic
_here = threading.local()


def current() -> float | None:
    """Return when the call that this thread is in must be over; None: whenever."""
    return cast("float | None", getattr(_here, "ends", None))


@contextmanager
def until(ends: float | None) -> Iterator[None]:
    """Within the block everything must be over by then, or earlier where that was said before."""
    before = current()
    _here.ends = earlier(before, ends)
    try:
        yield
    finally:
        _here.ends = before


def earlier(one: float | None, other: float | None) -> float | None:
    """Return the earlier of two times, of which each may be none."""
    return min((time for time in (one, other) if time is not None), default=None)


class TimedResponse(HTTPResponse):
    """An answer of which each piece is waited for no longer than the call may take as a whole: the
    timeout of a socket holds for one piece only.
    """

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        ends = current()
        if ends is not None:
            raw = self.fp.detach()
            self.fp = io.BufferedReader(_Timed(raw, sock, ends))


class _Timed(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, sock: socket.socket, ends: float) -> None:
        self._raw, self._sock, self._ends = raw, sock, ends

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        with limited(self._sock, self._ends):
            return cast("int | None", self._raw.readinto(buffer))

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


@contextmanager
def limited(sock: socket.socket, ends: float) -> Iterator[None]:
    """Within the block the socket waits no longer than until then. Raises TimeoutError."""
    left, before = ends - clock(), sock.gettimeout()
    if left <= 0:
        raise TimeoutError("timed out")
    sock.settimeout(left if before is None else min(left, before))
    try:
        yield
    finally:
        sock.settimeout(before)
