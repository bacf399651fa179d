"""Batches of items that go into one request each, and that a server may refuse as a whole."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, TypeVar

import attrs

from ...errors import BadRequest, render_validation
from ..pages.sources import chunked
from .run import BulkRun

T = TypeVar("T")

Refusals = Callable[[BadRequest, int], tuple[dict[int, str], bool]]
"""Reads from an error, for a batch of this size, the reasons by places in the batch, and whether
these are all of them.
"""


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


@attrs.frozen
class Item:
    """One item of an input: its place and name there, as it was given, and as it is sent.

    ``key`` distinguishes it from others; ``hashable_key`` is the same to look up by. ``size`` is
    the number of its bytes.
    """

    place: int
    given: Any
    form: dict[str, Any]
    name: str
    key: Any = None
    hashable_key: Hashable = None
    size: int = 0

    def __str__(self) -> str:
        return self.name


def batches(
    items: Iterable[T], *, size: int, size_of: Callable[[T], int], number: int | None = None
) -> Iterator[list[T]]:
    """Yield batches of at most this size together, and this number; one item may be larger."""
    batch: list[T] = []
    held = 0
    for item in items:
        added = size_of(item)
        if batch and (len(batch) == number or held + added > size):
            yield batch
            batch, held = [], 0
        batch.append(item)
        held += added
    if batch:
        yield batch


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
    server named, or in two halves where it named none.
    """
    try:
        send(batch)
        return
    except BadRequest as caught:
        error = caught
    reasons, are_all = refusals(error, len(batch))
    if not run.collects:
        raise _naming(batch, reasons, error) from error
    if not reasons and len(batch) == 1:
        reasons = {0: render_validation(error.validation_errors) or error.detail or str(error)}
    for place, reason in reasons.items():
        run.fail(batch[place].place, batch[place].given, error, reason)
    rest = [item for place, item in enumerate(batch) if place not in reasons]
    size = -(-len(rest) // 2) if not reasons else len(rest) if are_all else NAMED
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
