"""Writing exactly once, although answers may be lost on the way: look, write, look again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from ..._engine.http.outcome import GATEWAY
from ...errors import ConnectionFailed, OutcomeUnknown, ServerError, Timeout

if TYPE_CHECKING:
    from ...client import LabelStudio

T = TypeVar("T")

TRIES: Final = 6
"""How often a write is tried whose answers are lost."""


def outcome_unknown(error: Exception) -> bool:
    """May the write have been done although it failed? Then it helps to look."""
    if isinstance(error, ServerError):
        return error.status in GATEWAY
    return isinstance(error, (OutcomeUnknown, ConnectionFailed, Timeout))


def exactly_once(
    look: Callable[[], T | None],
    make: Callable[[], T],
    client: LabelStudio,
    *,
    is_new: bool = False,
) -> T:
    """What is there already, else what is made; what was made without an answer is looked for.
    ``is_new``: it cannot be there yet.

    What arrives at the server after a look that did not see it yet makes a second one: whoever
    calls this looks for those in the end.
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
