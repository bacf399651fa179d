"""The time by which a call must end, however slowly the bytes of an answer arrive.

A *call* is what the user called: one request, or a verb that sends many. Whatever it calls in turn,
in this thread or in threads that it starts, shares its time.
"""

from __future__ import annotations

import functools
import io
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from http.client import HTTPResponse
from typing import Any, Final, ParamSpec, TypeVar, cast

import attrs

P = ParamSpec("P")
T = TypeVar("T")


def clock() -> float:
    """Return the time in seconds by which deadlines are measured."""
    return time.monotonic()


@attrs.frozen(order=True)
class Bound:
    """A point in time by which something must end, and its description for messages."""

    ends: float
    text: str


class Allowance:
    """The seconds that one call may take, counted only while it is running."""

    __slots__ = ("_state", "_text", "seconds")

    def __init__(self, seconds: float, name: str) -> None:
        self.seconds = seconds
        self._text = f"{seconds:g} s, the deadline of {name} as a whole"
        self._state: tuple[float, float | None] = 0.0, None

    @property
    def bound(self) -> Bound:
        """Return when the allowance will be used up, if the call continues from now."""
        spent, since = self._state  # at once: other threads look while one changes it
        return Bound((clock() if since is None else since) + self.seconds - spent, self._text)

    @contextmanager
    def used(self) -> Iterator[None]:
        """Count the time within the block, also for everything that is called in it."""
        outer = _allowance.get()
        spent, since = self._state[0], clock()
        self._state = spent, since
        is_first = outer is None or self.bound.ends < outer.bound.ends
        token = _allowance.set(self if is_first else outer)
        try:
            yield
        finally:
            _allowance.reset(token)
            self._state = spent + clock() - since, None


_allowance: ContextVar[Allowance | None] = ContextVar("allowance", default=None)
_request: ContextVar[Bound | None] = ContextVar("request", default=None)


def one_call(verb: Callable[P, T]) -> Callable[P, T]:
    """Make a verb of several requests one call with one deadline.

    The deadline is the smallest one of the clients of its arguments (``_deadline``), or that of the
    call that it is part of.
    """
    name = f"{verb.__name__}()"

    @functools.wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        allowance = allowed(name, *args, *kwargs.values())
        begun = [functools.partial(verb, *args, **kwargs)]
        del args, kwargs  # they may be secret, and frames of errors are shown
        if allowance is None:
            return begun.pop()()
        with allowance.used():
            return begun.pop()()

    return run


_DEADLINE: Final = "_deadline"
"""The attribute by which clients, and what belongs to one, give their deadline."""


def deadline_of(owner: Any) -> float | None:
    """Return the deadline of a client, or of what belongs to one."""
    deadline: float | None = getattr(owner, _DEADLINE)
    return deadline


def allowed(name: str, *owners: Any) -> Allowance | None:
    """Return the allowance of a new call with these arguments; None for no bound."""
    deadlines = [deadline_of(one) for one in owners if hasattr(type(one), _DEADLINE)]
    seconds = min((one for one in deadlines if one is not None), default=None)
    return None if seconds is None else Allowance(seconds, name)


def in_steps(allowance: Allowance | None, items: Iterator[T]) -> Iterator[T]:
    """Return the same items as one call that counts the steps, and not the time between them."""
    return items if allowance is None else _steps(allowance, items)


def _steps(allowance: Allowance, items: Iterator[T]) -> Iterator[T]:
    end = object()
    while True:
        with allowance.used():
            item = next(items, end)
        if item is end:
            return
        yield cast("T", item)


def elsewhere(do: Callable[P, T]) -> Callable[P, T]:
    """Return a function for another thread that shares the time of the current call."""
    return functools.partial(copy_context().run, do)


@contextmanager
def afresh() -> Iterator[None]:
    """Suspend the current deadline within the block.

    Calls in it have the time that they would have by themselves: for restoring what a verb has
    changed, however late it is.
    """
    allowance, request = _allowance.set(None), _request.set(None)
    try:
        yield
    finally:
        _request.reset(request)
        _allowance.reset(allowance)


def bound_of(seconds: float | None) -> Bound | None:
    """Return the bound of a request that begins now and may take this many seconds by itself."""
    found, allowance = [_request.get()], _allowance.get()
    if seconds is not None:
        found.append(Bound(clock() + seconds, f"{seconds:g} s, the deadline of a call"))
    if allowance is not None:
        found.append(allowance.bound)
    return min((one for one in found if one is not None), default=None)


def current() -> float | None:
    """Return when the current call of this thread must end; None for no bound."""
    found = bound_of(None)
    return None if found is None else found.ends


def late(wait: float = 0.0) -> str:
    """Return the bound that a wait would exceed, for a message; an empty text for none."""
    found = bound_of(None)
    return found.text if found is not None and clock() + wait >= found.ends else ""


def left(wait: float) -> float:
    """Return a wait, shortened to the time that the call has left."""
    ends = current()
    return wait if ends is None else max(0.0, min(wait, ends - clock()))


@contextmanager
def until(bound: Bound | None) -> Iterator[None]:
    """Require that everything within the block ends by then."""
    token = _request.set(bound)
    try:
        yield
    finally:
        _request.reset(token)


class TimedResponse(HTTPResponse):
    """A response for each piece of which the socket waits no longer than the call has left.

    The timeout of a socket holds for one piece only.
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
    """Limit the waits of a socket within the block. Raises TimeoutError if no time is left."""
    left, before = ends - clock(), sock.gettimeout()
    if left <= 0:
        raise TimeoutError("timed out")
    sock.settimeout(left if before is None else min(left, before))
    try:
        yield
    finally:
        sock.settimeout(before)
