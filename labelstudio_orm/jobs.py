"""What takes a while on the server: one way to wait for it, and to be told why it failed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from .errors import JobFailed, Timeout, shorten
from .progress import Progress, reporter

if TYPE_CHECKING:
    from typing_extensions import Self

    from .client import LabelStudio

LONGEST_PAUSE = 5.0
"""Seconds between two looks, at most; the first come sooner."""


class Job:
    """Something that is under way on the server: an export, an import, a sync, a refinement, a run.

    A class says in which of the server's words it is still under way and which mean failure.
    """

    UNDER_WAY: ClassVar[frozenset[str]] = frozenset({"created", "queued", "in_progress"})
    FAILED: ClassVar[frozenset[str]] = frozenset({"failed", "completed_with_errors"})

    if TYPE_CHECKING:

        @property
        def _client(self) -> LabelStudio: ...
        def refresh(self) -> Self:
            """Read it again."""

    def wait(self, *, timeout: float = 3600, progress: Progress = None) -> Self:
        """Wait until it is done; returns self. One request a look, none when it is done already.

        ``timeout``: seconds in all. ``progress``: True for a line on stderr, or a function
        ``(done, total)``, called at each look.

        Raises JobFailed with the server's reason, and Timeout when it is still under way.
        """
        report = reporter(progress, f"waiting for {self!r}")
        sleep = self._client.retries.sleep
        deadline, pause, looks = time.monotonic() + timeout, 0.2, 0
        while self._state() in self.UNDER_WAY:
            done, total = self._advance()
            report(done if total else looks, total)
            if time.monotonic() + pause > deadline:
                raise Timeout(
                    f"{self!r} is still {self._state()} after {timeout:g} s; it goes on on the "
                    "server, and wait() may be called again"
                )
            sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)
            looks += 1
            self.refresh()
        if self._state() in self.FAILED:
            raise JobFailed(f"{self!r} ended as {self._state()}: {self._reason()}")
        done, total = self._advance()
        report(done if total else looks + 1, total or looks + 1)
        return self

    def _state(self) -> str | None:
        state: str | None = getattr(self, "status", None)
        return state

    def _reason(self) -> str:
        """Why it failed: the last line of the server's traceback, or its error text."""
        for name in ("error", "traceback"):
            text = str(getattr(self, name, None) or "").strip()
            if text:
                return shorten(text.splitlines()[-1], 500)
        return "the server gives no reason"

    def _advance(self) -> tuple[int, int | None]:
        """How far it is, where the server says so."""
        return 0, None
