"""A summary that is being made, and what is to be done with errors meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import (
    AuthenticationError,
    ConnectionFailed,
    LabelStudioError,
    NotSupportedByServer,
    RateLimited,
    ServerError,
    Timeout,
)
from ...progress import QUIET, Reporter
from ..values.summary import Failure, OnError, Summary


class Tally:
    """A summary that is being made, and what is to be done with errors meanwhile."""

    def __init__(
        self,
        on_error: OnError = "raise",
        report: Callable[[int, int | None], object] = QUIET,
        total: int | None = None,
    ) -> None:
        if on_error not in ("raise", "collect"):
            raise ValueError(f'on_error is "raise" or "collect", not {on_error!r:.80}')
        self.collects = on_error == "collect"
        self._report, self.total = report, total
        self.created = self.updated = self.deleted = self.skipped = 0
        self.failed: list[Failure] = []
        self._reported: tuple[int, int | None] | None = None

    @property
    def done(self) -> int:
        """How many objects have been looked at, whatever became of them."""
        return self.created + self.updated + self.deleted + self.skipped + len(self.failed)

    def report(self) -> None:
        """Tell how far it is, if that is news."""
        news = self.done, self.total
        if news != self._reported:
            self._reported = news
            self._report(*news)

    def close(self) -> None:
        """End the line of progress, if there is one."""
        if isinstance(self._report, Reporter):
            self._report.close()

    def fail(self, place: int, item: Any, error: Exception, reason: str = "") -> None:
        """Note the error of one object; raise it where errors are not collected, and where the
        other objects would fail in the same way.
        """
        if not self.collects or not is_of_one(error):
            raise error
        self.failed.append(Failure(place, item, reason or str(error)))

    def summary(self) -> Summary:
        """As it stands."""
        return Summary(
            created=self.created,
            updated=self.updated,
            deleted=self.deleted,
            skipped=self.skipped,
            failed=sorted(self.failed, key=lambda failure: failure.place),
        )


_OF_ALL = (AuthenticationError, ConnectionFailed, NotSupportedByServer, RateLimited, Timeout)
_GATEWAY = (502, 503, 504)


def is_of_one(error: Exception) -> bool:
    """Is it about one object, so that others may still succeed? A server that is down is not."""
    if isinstance(error, _OF_ALL):
        return False
    if isinstance(error, ServerError):
        return error.status not in _GATEWAY
    return isinstance(error, (LabelStudioError, TypeError, ValueError))
