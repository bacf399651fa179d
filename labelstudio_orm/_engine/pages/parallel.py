"""Work that is done ahead: by one thread, or by several workers, and handed over in order.

A *work* gives pieces in order, and each piece may leave further work behind itself, which comes
before the next piece. ``results`` does the pieces one after the other when they are asked for;
``OrderedPool`` lets threads do them beforehand, as many as its buffer holds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from ..http.deadline import elsewhere

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

THREADS = "labelstudio_orm"
"""How the names of this library's threads begin."""


class Work(Protocol[T_co]):
    """Something that is done in pieces, in order."""

    def take(self) -> tuple[Callable[[], tuple[T_co | None, Work[T_co] | None]], Work[T_co] | None]:
        """Return the first piece, and the work that follows it; None for nothing more.

        A piece is called once, perhaps in another thread; it returns its result (None: it has
        none) and the work that it leaves behind itself (None: it is done). ``take`` itself is quick
        and never called by two threads at once.
        """


def results(work: Iterable[Work[T]], workers: int) -> Generator[T, None, None]:
    """Yield all results, in order.

    The first one is computed alone, so that a caller who needs no more costs no more; those after
    it by ``workers`` threads, or one at a time when asked for.
    """
    line = list(work)
    while line:
        piece, rest = line.pop(0).take()
        result, left = piece()
        line[:0] = [one for one in (left, rest) if one is not None]
        if result is not None:
            yield result
            if workers > 1:
                yield from OrderedPool(line, workers).results()
                return


class _Cell(Generic[T]):
    """The place of a piece in the line: in the making, or done."""

    def __init__(self, piece: Callable[[], tuple[T | None, Work[T] | None]]) -> None:
        self._piece = piece
        self._result: T | None = None
        self._error: BaseException | None = None
        self.done = False

    def make(self) -> Work[T] | None:
        try:
            self._result, left = self._piece()
        except BaseException as error:
            self._error, left = error, None
        return left

    @property
    def failed(self) -> bool:
        return self._error is not None

    @property
    def empty(self) -> bool:
        return self._result is None and not self.failed

    def get(self) -> T:
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result


class OrderedPool(Generic[T]):
    """``workers`` threads that do a line of work ahead of the consumer, in order.

    At most three results for each worker are in the making or wait to be taken: two, and one more
    for work at the front of the line, which the consumer is waiting for. An error is
    raised where its result would have come; nothing behind it is begun any more. The threads end
    when the work does, or when the iterator over the results is closed or garbage; they are
    daemons, so an unanswered request cannot hold up an exit.
    """

    def __init__(self, work: Iterable[Work[T]], workers: int) -> None:
        self._line: list[Work[T] | _Cell[T]] = list(work)
        self._workers = workers
        self._changed = threading.Condition()

    def results(self) -> Iterator[T]:
        """Yield the results, once; the threads start with the first."""
        # Bound methods of the crew and not of this iterator: nothing but its user may keep it
        # alive, since its end is what stops the threads.
        for number in range(self._workers):
            name = f"{THREADS}-worker-{number}"
            threading.Thread(target=elsewhere(self._serve), name=name, daemon=True).start()
        try:
            while (cell := self._next_done()) is not None:
                yield cell.get()
        finally:
            self.close()

    def close(self) -> None:
        """Let the workers go, each after the piece that it is at."""
        with self._changed:
            self._line.clear()
            self._changed.notify_all()

    def _next_done(self) -> _Cell[T] | None:
        """Wait for the first result and return it; None at the end."""
        with self._changed:
            self._changed.wait_for(self._head_is_known)
            if not self._line:
                return None
            cell = self._line.pop(0)
            assert isinstance(cell, _Cell)
            self._changed.notify_all()
            return cell

    def _head_is_known(self) -> bool:
        if not self._line:
            return True
        head = self._line[0]
        return isinstance(head, _Cell) and head.done

    # -- the workers' side ------------------------------------------------------------------------

    def _serve(self) -> None:
        while (cell := self._next_piece()) is not None:
            left = cell.make()
            with self._changed:
                if cell in self._line:  # else it is not wanted any more
                    cell.done = True
                    place = self._line.index(cell)
                    self._line[place : place + 1] = [
                        *([] if cell.empty else [cell]),
                        *([] if left is None else [left]),
                    ]
                del cell, left  # a worker that waits must not keep a result
                self._changed.notify_all()

    def _next_piece(self) -> _Cell[T] | None:
        """Wait for the first piece that may begin and return it; None when there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._place() is not None or not self._more_to_come())
            place = self._place()
            if place is None:
                return None
            work = self._line[place]
            assert not isinstance(work, _Cell)
            piece, rest = work.take()
            cell = _Cell(piece)
            self._line[place : place + 1] = [cell, *([] if rest is None else [rest])]
            self._changed.notify_all()
            return cell

    def _place(self) -> int | None:
        """Where in the line the first work is that may be begun now."""
        held = sum(isinstance(entry, _Cell) for entry in self._line)
        for place, entry in enumerate(self._line):
            if not isinstance(entry, _Cell):
                room = 3 if place < self._workers else 2
                return place if place == 0 or held < room * self._workers else None
            if entry.failed:
                return None
        return None

    def _more_to_come(self) -> bool:
        """Return whether work is left, or a piece under way that may leave some."""
        for entry in self._line:
            if not isinstance(entry, _Cell):
                return True
            if entry.failed:
                return False
            if not entry.done:
                return True
        return False


class FutureValue(threading.Thread, Generic[T]):
    """A value that a thread is computing.

    The thread is a daemon, so an unanswered request cannot hold up an exit.
    """

    def __init__(self, get: Callable[[], T]) -> None:
        super().__init__(daemon=True, name=f"{THREADS}-look-ahead")
        self._get = elsewhere(get)
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Get it; called by the thread itself."""
        try:
            self._value = self._get()
        except BaseException as error:
            self._error = error

    def result(self) -> T:
        """Wait for the value and return it; raise what computing it raised."""
        self.join()
        if self._error is not None:
            raise self._error
        return self._value
