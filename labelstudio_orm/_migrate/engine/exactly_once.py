"""Writing exactly once, although answers may be lost on the way: look, write, look again.

A write whose answer was lost may still arrive at the server, so callers wait for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from ..._engine.http.outcome import GATEWAY
from ...errors import ConnectionFailed, OutcomeUnknown, ServerError, Timeout

if TYPE_CHECKING:
    from ..._engine.http.connection import Connection
    from .journal import Journal

T = TypeVar("T")

TRIES: Final = 6
"""How often to try a write whose answers are lost."""

PATIENCE: Final = 10.0
"""Seconds that a request whose client is gone may still take, as long as no import was slower."""

LOOK_EVERY: Final = 0.5
"""Seconds between two looks."""


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


# -- writes that are late --------------------------------------------------------------------------


def record_duration(journal: Journal, seconds: float) -> None:
    """Write the duration of an import into the journal, if it is the longest so far."""
    if seconds > journal.get("slowest", 0.0):
        journal.set("slowest", seconds)


def wait_for(client: Connection, journal: Journal, look: Callable[[], T | None]) -> T | None:
    """Return what ``look`` finds, at once or after a while, else None.

    A write that arrives even later makes a duplicate.
    """
    found = _within(_patience(journal), look, client)
    if found is None:
        journal.set("unsure", time.time())
    return found


def wait_for_the_rest(client: Connection, journal: Journal, look: Callable[[], object]) -> None:
    """Wait for the rest of the time in which a write that was given up may arrive."""
    unsure: float | None = journal.get("unsure")
    if unsure is not None:
        patience = _patience(journal)
        _within(min(patience, unsure + patience - time.time()), look, client)
        journal.set("unsure", None)


def _patience(journal: Journal) -> float:
    """Return the seconds after which a write that has not arrived is taken for lost."""
    slowest: float | None = journal.get("slowest")
    return PATIENCE if slowest is None else max(2.0, 3 * slowest)


def _within(seconds: float, look: Callable[[], T | None], client: Connection) -> T | None:
    waited = 0.0
    while (found := look()) is None and waited < seconds:
        client.retries.sleep(LOOK_EVERY)
        waited += LOOK_EVERY
    return found
