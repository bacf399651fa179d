"""One run of a bulk verb: its progress, its workers, its errors, and what it has done so far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import (
    AuthenticationError,
    ConnectionFailed,
    LabelStudioError,
    NotSupportedByServer,
    RateLimited,
    ServerError,
    Timeout,
)
from ...progress import Progress, reporter
from ..http.connection import Connection, number_of_workers
from ..http.outcome import GATEWAY
from ..values.summary import Created, Failure, OnError, Summary
from .workers import Outcome, each

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")
V = TypeVar("V")


class BulkRun:
    """One run of a bulk verb over many objects.

    The verb adds to ``created``, ``updated``, ``deleted`` and ``skipped``, and puts the objects
    that it made into ``made``, by their place in the input. ``total`` is None as long as it is not
    known.

    As a context it reports progress at both ends, and an error that leaves the block gets the
    ``summary`` and the objects ``created`` so far. It may be entered again, to go on.

        with BulkRun(client, "saving tasks", on_error="collect") as run:
            for outcome in run.each(tasks, save):
                run.updated += 1
        return run.summary()
    """

    def __init__(
        self,
        client: Connection,
        description: str = "",
        *,
        workers: int | None = None,
        on_error: OnError = "raise",
        progress: Progress = None,
        total: int | None = None,
    ) -> None:
        if on_error not in ("raise", "collect"):
            raise ValueError(f'on_error must be "raise" or "collect", not {on_error!r:.80}')
        self.collects = on_error == "collect"
        self.workers = number_of_workers(workers, client)
        self.is_watched = bool(progress)
        """Whether anybody asked for progress."""
        self.total = total
        self.created = self.updated = self.deleted = self.skipped = 0
        self.failed: list[Failure] = []
        self.made: dict[int, Any] = {}
        self._report = reporter(progress, description)
        self._reported: tuple[int, int | None] | None = None

    def __enter__(self) -> Self:
        self.report()
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        try:
            if error is None:
                self.total = self.done if self.total is None else self.total
                self.report()
            elif isinstance(error, LabelStudioError):
                error.created, error.summary = self.objects(), self.summary()
        finally:
            self._report.close()

    # -- what was done ----------------------------------------------------------------------------

    @property
    def done(self) -> int:
        """The number of objects that were dealt with, failures included."""
        return self.created + self.updated + self.deleted + self.skipped + len(self.failed)

    def report(self) -> None:
        """Report the progress, unless nothing has changed since the last report."""
        news = self.done, self.total
        if news != self._reported:
            self._reported = news
            self._report(*news)

    def fail(self, place: int, item: Any, error: Exception, reason: str = "") -> None:
        """Collect the error of one object, or raise it.

        It is raised where errors are not collected, and where it concerns all objects.
        """
        if not self.collects or not concerns_one_object(error):
            raise error
        self.failed.append(Failure(place, item, reason or str(error)))

    def objects(self) -> list[Any]:
        """Return the objects that were made, in the order of the input."""
        return [self.made[place] for place in sorted(self.made)]

    def summary(self) -> Summary:
        """Return what was done so far."""
        return Summary(
            created=self.created,
            updated=self.updated,
            deleted=self.deleted,
            skipped=self.skipped,
            failed=sorted(self.failed, key=lambda failure: failure.place),
        )

    def result(self) -> Created[Any]:
        """Return the objects that were made, with the summary."""
        return Created(self.objects(), self.summary())

    # -- doing it ---------------------------------------------------------------------------------

    def each(
        self,
        items: Iterable[T],
        do: Callable[[T], V],
        *,
        identity: Callable[[T], object] | None = None,
        label: Callable[[T], tuple[int, Any]] | None = None,
    ) -> Iterator[Outcome[T, V]]:
        """Apply ``do`` to each item, by the workers; yield the successes in the order of the items.

        Failures are collected, or end the run: the error is raised once all calls under way have
        returned. Items with the same ``identity`` are never dealt with at the same time. ``label``
        maps an item to the place and the object that its failure names (default: its place among
        the items, and the item itself).
        """
        failure: Exception | None = None

        def is_fatal(error: Exception) -> bool:
            return not self.collects or not concerns_one_object(error)

        for outcome in each(items, do, workers=self.workers, until=is_fatal, identity=identity):
            if outcome.error is None:
                yield outcome
            else:
                place, item = label(outcome.item) if label else (outcome.place, outcome.item)
                try:
                    self.fail(place, item, outcome.error)
                except Exception as error:
                    failure = failure or error
            self.report()
        if failure is not None:
            raise failure

    def update_each(
        self,
        items: Iterable[T],
        update: Callable[[T], bool],
        *,
        identity: Callable[[T], object] | None = None,
        label: Callable[[T], tuple[int, Any]] | None = None,
    ) -> None:
        """Update each item, as ``each`` does it; ``update`` returns False where nothing changed."""
        for outcome in self.each(items, update, identity=identity, label=label):
            if outcome.value:
                self.updated += 1
            else:
                self.skipped += 1


_CONCERNING_ALL = (
    AuthenticationError,
    ConnectionFailed,
    NotSupportedByServer,
    RateLimited,
    Timeout,
)


def concerns_one_object(error: Exception) -> bool:
    """Return whether an error concerns one object, so that others may still succeed.

    A server that is down concerns all of them.
    """
    if isinstance(error, _CONCERNING_ALL):
        return False
    if isinstance(error, ServerError):
        return error.status not in GATEWAY
    return isinstance(error, (LabelStudioError, TypeError, ValueError))
