"""Waiting for writes whose answers were lost, which may still arrive at the server."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from ..._engine.http.connection import Connection
    from .journal import Journal

T = TypeVar("T")

PATIENCE: Final = 10.0
"""Seconds that a request whose client is gone may still take, as long as no import was slower."""

LOOK_EVERY: Final = 0.5
"""Seconds between two looks."""


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
