"""Batches of items that go into one request each, and that a server may refuse as a whole."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, TypeVar

import attrs

from ...errors import BadRequest, render_validation
from ..pages.sources import chunked
from . import BATCH_SIZE
from .run import BulkRun

T = TypeVar("T")

Refusals = Callable[[BadRequest, int], tuple[dict[int, str], bool]]
"""Reads from an error, for a batch of this size, the reasons by places in the batch, and whether
these are all of them.
"""


LARGEST_BATCH = 20_000
"""Items in one request, at most, unless a call says otherwise; the first has ``BATCH_SIZE``."""

GROWTH = 20
"""How many times as many items as the one before a request has, at most."""

SMALLEST_BATCH = 100
"""Items in a request to a server that is slow, at least."""

BATCH_SECONDS = 4.0
"""Seconds that a request should take: as many items go into the next one as took that time."""


class BatchSizer:
    """How many items to put into a request: more while the server answers quickly.

    Each has at most ``GROWTH`` times as many as the one before. A size that a call gives stays.
    """

    def __init__(self, size: int | None = None) -> None:
        self.is_fixed = size is not None
        self.size = size or BATCH_SIZE
        self._most = LARGEST_BATCH

    def saw(self, items: int, seconds: float) -> None:
        """Learn from a request; few items say more of the request than of the items."""
        if not self.is_fixed and 2 * items >= self.size:
            by_time = int(items / max(seconds, 0.001) * BATCH_SECONDS)
            self.size = max(SMALLEST_BATCH, min(GROWTH * self.size, by_time, self._most))

    def refused(self, most: int) -> None:
        """Put no more than so many items into a request from now on."""
        self._most = min(self._most, max(1, most))
        self.size = min(self.size, self._most)


class ItemNames:
    """How messages name the items of an input: by their places in all of it, from 0.

    An input that is one itself (a reader of files, for example) gives its items names of its own.
    """

    def one(self, place: int) -> str:
        """Return the name of one item."""
        return f"item {place}"

    def several(self, first: int, last: int) -> str:
        """Return the name of a run of items."""
        return f"items {first} to {last}"


class NamedItems(ItemNames, Iterator[Any]):
    """Items that were made of those of another input, one of each, and are named like them."""

    def __init__(self, items: Iterable[Any], names: ItemNames) -> None:
        self._items, self._names = iter(items), names

    def __next__(self) -> Any:
        return next(self._items)

    def one(self, place: int) -> str:
        return self._names.one(place)

    def several(self, first: int, last: int) -> str:
        return self._names.several(first, last)


def names_of(items: Iterable[Any]) -> ItemNames:
    """Return how the items of an input are named."""
    return items if isinstance(items, ItemNames) else ItemNames()


@attrs.define(eq=False)  # frozen ones take twice as long to make
class Item:
    """One item of an input: its place and name there, as it was given, and as it is sent.

    ``key`` distinguishes it from others; ``hashable_key`` is the same to look up by. ``size`` is
    the number of its bytes, ``text`` its JSON unless there is too much of it to be kept.
    """

    place: int
    given: Any
    form: dict[str, Any]
    name: str
    key: Any = None
    hashable_key: Hashable = None
    size: int = 0
    text: bytes = attrs.field(default=b"", repr=False)

    def __str__(self) -> str:
        return self.name


def handed_over(items: list[T]) -> Iterator[T]:
    """Yield the items of a list, which it holds no longer: what was dealt with may go."""
    items.reverse()
    while items:
        yield items.pop()


def batches(
    items: Iterable[T],
    *,
    size: int,
    size_of: Callable[[T], int],
    number: int | BatchSizer | None = None,
) -> Iterator[list[T]]:
    """Yield batches of at most this size together, and this number; one item may be larger.

    A ``BatchSizer`` is asked for the number of each batch when that is begun.
    """
    batch: list[T] = []
    held = 0
    for item in items:
        added = size_of(item)
        most = number.size if isinstance(number, BatchSizer) else number
        if batch and (len(batch) == most or held + added > size):
            yield batch
            batch, held = [], 0
        batch.append(item)
        held += added
    if batch:
        yield batch


TOO_LARGE = 413
"""The status with which a server, or a proxy in front of it, refuses the size of a request."""

NAMED = 99
"""The number of refused items of a batch that a server is sure to name."""


def send_isolating_failures(
    batch: list[Item],
    send: Callable[[list[Item]], None],
    refusals: Refusals,
    run: BulkRun,
) -> None:
    """Send a batch; where it is refused, isolate the items that are at fault and send the others.

    A batch that is refused was not stored at all. It is sent again without the items that the
    server named, or in two halves where it named none. One that is too large for a request goes in
    halves too, whether failures are collected or not.
    """
    try:
        send(batch)
        return
    except BadRequest as caught:
        error = caught
    reasons, are_all = refusals(error, len(batch))
    is_too_large = error.status == TOO_LARGE and len(batch) > 1
    if not run.collects and not is_too_large:
        raise _naming(batch, reasons, error) from error
    if not reasons and len(batch) == 1:
        reasons = {0: render_validation(error.validation_errors) or error.detail or str(error)}
    for place, reason in reasons.items():
        run.fail(batch[place].place, batch[place].given, error, reason)
    rest = [item for place, item in enumerate(batch) if place not in reasons]
    in_halves = not reasons or len(rest) > BATCH_SIZE
    size = len(rest) if reasons and are_all else -(-len(rest) // 2) if in_halves else NAMED
    for part in chunked(rest, size):
        send_isolating_failures(part, send, refusals, run)


def _naming(batch: list[Item], reasons: dict[int, str], error: BadRequest) -> BadRequest:
    """Return the same error, naming the item of the caller: the server counts within a batch."""
    if not reasons:
        return error
    place = min(reasons)
    return BadRequest(
        f"{batch[place]} was refused, and with it its batch: {reasons[place]}",
        status=error.status,
        detail=error.detail,
        validation_errors=error.validation_errors,
        request=error.request,
    )
