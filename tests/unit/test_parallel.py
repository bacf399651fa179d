"""Work done ahead by several threads: in order, whole, no more than fits, and stopped when left."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio_orm._engine.pages.parallel import THREADS, OrderedPool, Work, results

WORKERS = f"{THREADS}-worker"


@attrs.frozen
class Part:
    """A piece: its result (0: none), and what it leaves behind itself."""

    result: int
    left: tuple[Part, ...] = ()


class Parts:
    """Work that is a list of parts. ``done`` is called at each piece, with its result."""

    def __init__(self, parts: tuple[Part, ...], done: Callable[[int], Any] = lambda _: None):
        self._parts, self._done = parts, done

    def take(self) -> tuple[Callable[[], tuple[int | None, Work[int] | None]], Work[int] | None]:
        first, *rest = self._parts
        return lambda: self._do(first), Parts(tuple(rest), self._done) if rest else None

    def _do(self, part: Part) -> tuple[int | None, Work[int] | None]:
        self._done(part.result)
        return part.result or None, Parts(part.left, self._done) if part.left else None


def flat(parts: tuple[Part, ...]) -> Iterator[int]:
    """What comes out, in order."""
    for part in parts:
        if part.result:
            yield part.result
        yield from flat(part.left)


def plain(number: int) -> tuple[Part, ...]:
    return tuple(map(Part, range(1, number + 1)))


def work_of(parts: tuple[Part, ...], *more: Any) -> list[Work[int]]:
    return [Parts(parts, *more)] if parts else []


def threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith(WORKERS)]


def wait_for_the_end_of(found: list[threading.Thread]) -> None:
    for one in found:
        one.join(60)
        assert not one.is_alive()


trees = st.recursive(
    st.builds(Part, st.integers(0, 9)),
    lambda inner: st.builds(Part, st.integers(0, 9), st.lists(inner, max_size=4).map(tuple)),
    max_leaves=40,
)


@given(parts=st.lists(trees, max_size=30).map(tuple), workers=st.integers(1, 5))
def test_results_come_whole_and_in_order(parts: tuple[Part, ...], workers: int) -> None:
    assert list(results(work_of(parts), workers)) == list(flat(parts))
    before = threads()
    assert list(OrderedPool(work_of(parts), workers).results()) == list(flat(parts))
    wait_for_the_end_of([one for one in threads() if one not in before])


def test_a_crew_holds_no_more_than_its_buffer() -> None:
    """The first result is not taken until every worker waits for room."""
    begun: list[int] = []
    enough = threading.Event()

    def done(number: int) -> None:
        begun.append(number)
        if len(begun) == 6:
            enough.set()

    stream = OrderedPool(work_of(plain(100), done), 3).results()
    assert next(stream) == 1
    assert enough.wait(60)
    # What is held is never more than three for each worker, whatever the threads do meanwhile.
    for number in range(2, 50):
        assert next(stream) == number
        assert max(begun) <= number + 9
    stream.close()  # type: ignore[attr-defined]
    assert len(begun) < 70


def test_a_worker_waits_when_the_buffer_is_full() -> None:
    crew: OrderedPool[int] = OrderedPool(work_of(plain(100)), 2)
    stream = crew.results()
    assert next(stream) == 1
    with crew._changed:
        assert crew._changed.wait_for(lambda: crew._place() is None, 60)
        held = [entry for entry in crew._line if not isinstance(entry, Parts)]
    assert len(held) == 4
    assert len(threads()) >= 2
    assert list(stream) == list(range(2, 101))


def test_work_at_the_front_goes_on_though_the_buffer_is_full() -> None:
    """A first piece that leaves much behind itself, while the pieces after it are long done."""
    late = threading.Event()
    parts = (Part(1, (Part(2), Part(3), Part(4))), *map(Part, range(5, 30)))
    begun: list[int] = []

    def done(number: int) -> None:
        begun.append(number)
        if number == 1:
            assert late.wait(60)
        if len(begun) >= 4:
            late.set()

    assert list(OrderedPool(work_of(parts, done), 2).results()) == list(range(1, 30))


def test_an_error_comes_in_its_place_and_nothing_behind_it_is_begun() -> None:
    begun: list[int] = []

    def done(number: int) -> None:
        begun.append(number)
        if number == 10:
            raise KeyError("ten")

    before = threads()
    stream = OrderedPool(work_of(plain(1000), done), 4).results()
    found: list[Any] = []
    with pytest.raises(KeyError, match="ten"):
        found.extend(stream)  # extend keeps what came before an error
    assert found == list(range(1, 10))
    assert max(begun) <= 10 + 3 * 4
    wait_for_the_end_of([one for one in threads() if one not in before])


@pytest.mark.parametrize("leave", ["close", "forget", "raise", "never begin"])
def test_a_crew_that_is_left_goes_home(leave: str) -> None:
    before = threads()
    stream: Any = OrderedPool(work_of(plain(10_000)), 4).results()
    if leave != "never begin":
        assert next(stream) == 1
    mine = [one for one in threads() if one not in before]
    if leave == "close":
        stream.close()
    elif leave == "raise":
        with pytest.raises(ZeroDivisionError):
            assert not [number / 0 for number in stream]
    del stream
    gc.collect()
    wait_for_the_end_of(mine)
    assert [one for one in threads() if one not in before] == []


def test_the_first_result_is_got_alone() -> None:
    begun: list[int] = []
    stream = results(work_of((Part(0), *plain(50)), begun.append), 4)
    assert begun == []
    assert next(stream) == 1
    assert begun == [0, 1]
    assert list(stream) == list(range(2, 51))
