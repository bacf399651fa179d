"""The default session of a client: its pool, its connections, its identity."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from typing import Any, ClassVar

import requests
import urllib3
from requests import adapters

from ..._version import __version__
from .deadline import TimedResponse, current, limited

_POOL_SIZE = 32


class Session(requests.Session):
    """A session that leaves redirects to the transport.

    It neither reads their bodies, which may be endless, nor parses their targets, which may be no
    addresses.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None, whatever the answer says."""


def new_session() -> requests.Session:
    """Return a session with a pool for many threads, without cookies."""
    session = Session()
    adapter = Adapter(pool_connections=8, pool_maxsize=_POOL_SIZE)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    # Every answer of the server sets a session cookie, which would only confuse authentication.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


class QuickAck:
    """Acknowledges the segments of the next answer at once.

    Label Studio's development server sends headers and body separately and, on a connection that is
    kept alive, waits for the delayed acknowledgement in between: 40 ms for each request. The flag
    does not last, so it is set before each answer. Linux only; elsewhere nothing happens.
    """

    sock: Any
    _OPTION: ClassVar[int | None] = getattr(socket, "TCP_QUICKACK", None)

    response_class: Any = TimedResponse

    def send(self, data: Any) -> None:
        """Send bytes, within the time that the call has left."""
        ends = current()
        if ends is None or self.sock is None:
            super().send(data)  # type: ignore[misc]
        else:
            with limited(self.sock, ends):
                super().send(data)  # type: ignore[misc]

    def getresponse(self) -> Any:
        """Return the next answer, requested without delayed acknowledgement."""
        if self._OPTION is not None:
            with suppress(OSError, AttributeError):  # TLS within TLS has no socket options
                self.sock.setsockopt(socket.IPPROTO_TCP, self._OPTION, 1)
        return super().getresponse()  # type: ignore[misc]


class _HTTPConnection(QuickAck, urllib3.connection.HTTPConnection):
    pass


class _HTTPSConnection(QuickAck, urllib3.connection.HTTPSConnection):
    pass


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class Adapter(adapters.HTTPAdapter):
    """The connections of a session: quick to acknowledge, and never shared with a fork."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create pools of this library's connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
        self._settings = args, kwargs
        self._pid = os.getpid()

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request; a forked process uses connections of its own."""
        if self._pid != os.getpid():
            # Two processes after a fork must not read each other's answers from one connection.
            self.init_poolmanager(*self._settings[0], **self._settings[1])
            self.proxy_manager.clear()
        return super().send(*args, **kwargs)


def no_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Add no authentication: passed as ``auth``, this keeps requests from reading ~/.netrc."""
    return request


def user_agent() -> str:
    """Return the ``User-Agent`` of this library."""
    return f"labelstudio_orm/{__version__}"
