"""One request for each of many objects, by several workers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import attrs

from ..http.deadline import elsewhere

T = TypeVar("T")
V = TypeVar("V")

AHEAD = 2
"""Items that are taken from the input in advance, per worker: the back-pressure."""


@attrs.frozen
class Outcome(Generic[T, V]):
    """The value or the error of one item, the ``place``-th of the input."""

    place: int
    item: T
    value: V | None = None
    error: Exception | None = None


def each(
    items: Iterable[T],
    do: Callable[[T], V],
    *,
    workers: int,
    until: Callable[[Exception], bool] = lambda error: True,
    identity: Callable[[T], object] | None = None,
) -> Iterator[Outcome[T, V]]:
    """Apply ``do`` to each item; yield the outcomes in the order of the items.

    Items are taken as they are needed, ``AHEAD`` per worker. After an error for which ``until`` is
    true, or an error of ``items`` itself, no further item is begun; calls under way are waited for
    and their outcomes come too, so that nothing is done without being reported. Items with the same
    ``identity`` are never dealt with at the same time.

    A single worker is the calling thread. When the loop is left early, by an interrupt for example,
    calls under way end first and the other items are not begun.
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
