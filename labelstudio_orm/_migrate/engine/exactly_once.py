"""Writing exactly once, although answers may be lost on the way: look, write, look again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from ..._engine.http.outcome import GATEWAY
from ...errors import ConnectionFailed, OutcomeUnknown, ServerError, Timeout

if TYPE_CHECKING:
    from ..._engine.http.connection import Connection

T = TypeVar("T")

TRIES: Final = 6
"""How often to try a write whose answers are lost."""


def outcome_unknown(error: Exception) -> bool:
    """Return whether a write that failed may have been done, so that it helps to look."""
    if isinstance(error, ServerError):
        return error.status in GATEWAY
    return isinstance(error, (OutcomeUnknown, ConnectionFailed, Timeout))


def exactly_once(
    look: Callable[[], T | None],
    make: Callable[[], T],
    client: Connection,
    *,
    is_new: bool = False,
) -> T:
    """Return what exists already, else what ``make`` makes; look for it if the answer was lost.

    ``is_new``: do not look before the first try. A write may still arrive after the last look;
    callers delete such duplicates at the end.
    """
    for attempt in range(TRIES):
        found = None if is_new and attempt == 0 else look()
        if found is not None:
            return found
        try:
            return make()
        except Exception as error:
            if attempt == TRIES - 1 or not outcome_unknown(error):
                raise
        client.retries.sleep(client.retries.wait(attempt + 1))
    raise AssertionError("unreachable")
