"""A ration of requests: what is shown without being asked for must not send more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ...errors import LabelStudioError


class Spent(LabelStudioError):
    """A request was needed, and there was none left."""


class _Ration:
    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left


_ration: ContextVar[_Ration | None] = ContextVar("ration", default=None)


@contextmanager
def at_most(requests: int) -> Iterator[None]:
    """Let no more requests be sent within the block, also by its threads: they raise ``Spent``.

    Retries, and the exchange of a token, belong to the request that needs them.
    """
    token = _ration.set(_Ration(requests))
    try:
        yield
    finally:
        _ration.reset(token)


def is_rationed() -> bool:
    """Return whether requests are limited, so that none is sent for a better plan."""
    return _ration.get() is not None


def spend(doing: str) -> None:
    """Take one request off the ration, if there is one. Raises Spent where it is used up."""
    ration = _ration.get()
    if ration is not None:
        if ration.left < 1:
            raise Spent(f"{doing or 'a request'}: what is shown sends no further request")
        ration.left -= 1
