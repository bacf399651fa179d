"""Jobs of the server: waiting for one, and the reason why one failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from ...errors import JobFailed, Timeout, shorten
from ...progress import Progress, reporter
from ..fields.options import options_of
from ..http.connection import redacted
from ..http.deadline import late, one_call
from ..records.record import Record
from ..values.secret import unseen

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..http.connection import Connection

LONGEST_PAUSE = 5.0
"""Seconds between two looks, at most; the first looks come sooner."""

UNDER_WAY = frozenset({"created", "queued", "in_progress", "Pending", "InProgress"})
FAILED = frozenset({"failed", "completed_with_errors", "Failed", "Canceled"})
"""In the server's words."""


class Job:
    """A job of the server: an export, an import, a sync, a refinement, a run.

    ``_state_field`` is the name of the attribute that holds its state.
    """

    _state_field: ClassVar[str] = "status"

    if TYPE_CHECKING:

        @property
        def _client(self) -> Connection: ...
        def refresh(self) -> Self:
            """Read it again."""

    @unseen  # its frames show what the server said
    @one_call
    def wait(self, *, timeout: float = 3600, progress: Progress = None) -> Self:
        """Wait until the job is done; return self.

        One request a look; none when it is done already. ``timeout``: seconds in all. ``progress``:
        True for a line on stderr, or a function ``(done, total)``, called at each look with the
        number of looks.

        Raises JobFailed with the server's reason, and Timeout when it is still under way.
        """
        wait_for(
            repr(self),
            lambda: getattr(self, self._state_field, None),
            self.refresh,
            lambda: last_line(getattr(self, "error", None), getattr(self, "traceback", None)),
            self._client,
            timeout=timeout,
            progress=progress,
            secrets=secrets_of(self),
        )
        return self


def wait_for(
    what: str,
    state: Callable[[], str | None],
    look: Callable[[], object],
    reason: Callable[[], str],
    client: Connection,
    *,
    timeout: float,
    progress: Progress,
    secrets: Iterable[Any] = (),
) -> None:
    """Look again, with longer and longer pauses, until the job is no longer under way.

    ``secrets`` are hidden in the reason, as the credential is.
    """
    deadline, pause, looks = time.monotonic() + timeout, 0.2, 0
    with reporter(progress, f"waiting for {what}") as report:
        while str(state()) in UNDER_WAY:
            report(looks, None)
            if time.monotonic() + pause > deadline:
                raise Timeout(
                    f"{what} is still {state()} after {timeout:g} s; it goes on on the server, and "
                    "wait() may be called again"
                )
            if bound := late(pause):
                raise Timeout(
                    f"{what} is still {state()}: it was not done within {bound}; it goes on on the "
                    "server, and wait() may be called again"
                )
            client.retries.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)
            looks += 1
            look()
        if str(state()) in FAILED:
            why = redacted(client, reason(), secrets)
            raise JobFailed(f"{what} ended as {state()}: {why}")
        report(looks + 1, looks + 1)


def secrets_of(obj: Any) -> list[Any]:
    """Return the secrets that an object holds, as far as they are known here."""
    if not isinstance(obj, Record):  # a job that is not a resource
        return []
    fields = options_of(obj).fields.values()
    return [value for one in fields if one.secret and (value := one.peek(obj)) is not None]


def last_line(*texts: object) -> str:
    """Return the reason of a failure: the server's error, or the last line of a traceback."""
    for text in texts:
        lines = str(text or "").strip().splitlines()
        if lines:
            return shorten(lines[-1], 500)
    return "the server gives no reason"
