"""Random samples of tasks, the same ones for the same seed."""

from __future__ import annotations

from hashlib import blake2b
from heapq import nsmallest
from typing import TYPE_CHECKING, TypeVar

from ..._engine.reading.selection import query_of

if TYPE_CHECKING:
    from ..tasks import Tasks

S = TypeVar("S", bound="Tasks")


def sample(tasks: S, size: int, seed: int | str) -> S:
    """Return those tasks whose ids have the lowest hashes: ``Tasks.sample``."""
    query_of(tasks).refuse_slice("sampling")
    if not isinstance(size, int) or size < 0:
        raise ValueError(f"sample(): the size is a number of tasks, not {size!r:.80}")

    def place(id: int) -> bytes:
        return blake2b(f"{seed} {id}".encode(), digest_size=8).digest()

    chosen = nsmallest(size, tasks.order_by().values_list("id", flat=True), key=place)
    return tasks.filter(id__in=sorted(chosen))
