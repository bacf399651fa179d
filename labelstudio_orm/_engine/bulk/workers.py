"""One request for each of many objects, by several workers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from ..http.deadline import elsewhere
from ..values.misuse import check_number

if TYPE_CHECKING:
    from ..http.connection import Connection

T = TypeVar("T")
V = TypeVar("V")

AHEAD = 2
"""Objects for each worker that are taken from the input before their turn: the back-pressure."""


@attrs.frozen
class Outcome(Generic[T, V]):
    """What became of one item, the ``place``-th of the input: a value, or the error."""

    place: int
    item: T
    value: V | None = None
    error: Exception | None = None


def number_of_workers(workers: int | None, client: Connection) -> int:
    """How many workers a verb has: as it was told, or as its client was. Raises ValueError for
    none.
    """
    return client.workers if workers is None else check_number("workers", workers)


def each(
    items: Iterable[T],
    do: Callable[[T], V],
    *,
    workers: int,
    until: Callable[[Exception], bool] = lambda error: True,
    identity: Callable[[T], object] | None = None,
) -> Iterator[Outcome[T, V]]:
    """Do it for each item; the outcomes come in the order of the items.

    Items are taken as they are needed, ``AHEAD`` for each worker. After an error that ``until``
    holds for, or one of ``items`` itself, no further item is begun; what is under way is waited for
    and comes out too, so that nothing is done and not told. ``identity``: items for which it gives
    the same are never done at once.

    One worker is this thread. When the loop is left early, by an interrupt for example, what is
    under way ends first and the rest is not begun.
    """
    if workers == 1:
        for place, item in enumerate(items):
            outcome = _try(place, item, do)
            yield outcome
            if outcome.error is not None and until(outcome.error):
                return
        return
    waiting: deque[tuple[object, Future[Outcome[T, V]]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="labelstudio_orm-worker") as pool:
        try:
            failure: Exception | None = None
            stop = False
            source = enumerate(iter(items))
            while not stop:
                try:
                    place, item = next(source)
                except StopIteration:
                    break
                except Exception as error:  # the input itself failed
                    failure = error
                    break
                key = identity(item) if identity else None
                while (
                    waiting
                    and not stop
                    and (
                        len(waiting) >= AHEAD * workers
                        or (identity and any(key == other for other, _ in waiting))
                    )
                ):
                    outcome = waiting.popleft()[1].result()
                    stop = outcome.error is not None and until(outcome.error)
                    yield outcome
                if not stop:
                    waiting.append((key, pool.submit(elsewhere(_try), place, item, do)))
            while waiting:
                future = waiting.popleft()[1]
                if (stop or failure) and future.cancel():
                    continue
                outcome = future.result()
                stop = stop or (outcome.error is not None and until(outcome.error))
                yield outcome
            if failure is not None:
                raise failure
        finally:
            for _, future in waiting:
                future.cancel()


def _try(place: int, item: T, do: Callable[[T], V]) -> Outcome[T, V]:
    try:
        return Outcome(place, item, do(item))
    except Exception as error:
        return Outcome(place, item, error=error)
