"""Measure what workers gain on gunicorn with PostgreSQL and four processes.

    python tests/bench/workers.py [--rounds 3] [--tasks 4000] [--wait 0.05]

The ratio needs four cores for the server. On fewer ones, two things say whether the client would
keep four processes busy: how many requests are under way at the same time, and the ratio where each
request waits before it is sent, as it does on a long way to the server: time that costs no core.
"""

from __future__ import annotations

import argparse
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

from harness import CPU, SECONDS, Column, Figures, Program, measure, ratios, times, versions
from record import CONFIG, item

from labelstudio_orm import LabelStudio, Project
from labelstudio_orm.migrate import copy_project
from labelstudio_orm.testing._local import VERSION, LocalLabelStudio

PROCESSES = WORKERS = 4

PARTS = 20
"""Parts of the tasks, of which each turn of an update changes one."""


@dataclass
class Flight:
    """The requests of a client that are under way at the same time: the most, and their mean.

    Each waits so many seconds before it is sent.
    """

    wait: float = 0.0
    most: int = 0
    seconds: float = 0.0
    _now: int = 0
    _since: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def step(self, change: int) -> None:
        """Count a request that begins or ends."""
        with self._lock:
            now = time.perf_counter()
            self.seconds += self._now * (now - self._since)
            self._since, self._now = now, self._now + change
            self.most = max(self.most, self._now)

    @contextmanager
    def watched(self, ls: LabelStudio) -> Iterator[None]:
        """Count the requests of a client within the block."""
        send = ls._transport.request

        def request(*args: Any, **options: Any) -> Any:
            self.step(1)
            try:
                time.sleep(self.wait)
                return send(*args, **options)
            finally:
                self.step(-1)

        vars(ls._transport)["request"] = request
        yield
        del vars(ls._transport)["request"]


COLUMNS = (
    SECONDS,
    CPU,
    Column("most requests at once", lambda figures: figures["most"], ".0f"),
    Column("requests at once, mean", lambda figures: figures["mean"], ".2f"),
)

Work = Callable[[LabelStudio, int], Any]


def read(ls: LabelStudio, project: int) -> Any:
    """All tasks, in order."""
    tasks = ls.projects.ref(project).tasks.iterator()
    found = [(task.id, task.data["text"]) for task in tasks]
    assert found == sorted(found)
    return found


def read_annotations(ls: LabelStudio, project: int) -> Any:
    """All tasks with their annotations, in order."""
    tasks = ls.projects.ref(project).tasks.prefetch("annotations").iterator()
    found = [(task.id, [one.id for one in task.annotations]) for task in tasks]
    assert found == sorted(found)
    return found


TURNS = count()


def update(ls: LabelStudio, project: int) -> Any:
    """A number in the data of some tasks: a PATCH each."""
    turn = next(TURNS)
    tasks = ls.projects.ref(project).tasks.filter(data__part=f"p{turn % PARTS}")
    done = tasks.update(data__turn=turn)
    assert tasks.filter(data__turn=turn).count() == done.updated
    return done.updated


def copy(ls: LabelStudio, project: int) -> Any:
    """The project, verified."""
    report = copy_project(ls.projects.ref(project), to=ls)
    assert report.target is not None
    found = report.ok, report.target.tasks.count()
    report.target.delete()
    return found


WORKS: dict[str, Work] = {
    "Reading tasks": read,
    "Reading tasks with annotations": read_annotations,
    "Updating by PATCHes": update,
    "Copying": copy,
}


@dataclass(frozen=True)
class Bench:
    """A server, a project on it, and the rows of a page."""

    server: LocalLabelStudio
    project: Project
    page_size: int | None

    def show(self, title: str, work: Work, rounds: int, wait: float) -> None:
        """Measure and print what workers gain at a work."""
        one, several = "1 worker", f"{WORKERS} workers"
        programs = {
            one: self.program(work, 1, wait),
            several: self.program(work, WORKERS, wait),
        }
        found = measure(programs, rounds, warm_up=False)
        times(
            f"{title}, {wait * 1000:.0f} ms before each request" if wait else title, found, COLUMNS
        )
        ratios(found, [(one, several)], (SECONDS,))

    def program(self, work: Work, workers: int, wait: float) -> Program:
        """The work, by a client with so many workers."""
        return partial(self.run, work, workers, wait)

    def run(self, work: Work, workers: int, wait: float) -> Figures:
        """Do the work; return its figures."""
        options: dict[str, Any] = {"page_size": self.page_size} if self.page_size else {}
        url, key = self.server.url, self.server.api_key
        with LabelStudio(url, key, workers=workers, **options) as ls:
            flight = Flight(wait)
            with flight.watched(ls):
                wall, cpu = time.perf_counter(), time.process_time()
                found = work(ls, self.project.id)
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        mean = flight.seconds / wall
        seen: Figures = {"wall": wall, "cpu": cpu, "most": flight.most, "mean": mean}
        return {**seen, "found": hash(repr(found))}


def main() -> None:
    """Measure all works, by one worker and by several in turn."""
    parser = argparse.ArgumentParser(description="Print what workers gain.")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions of each (3)")
    parser.add_argument("--tasks", type=int, default=4000, help="tasks of the project (4000)")
    parser.add_argument("--wait", type=float, default=0.05, help="seconds before a request (0.05)")
    parser.add_argument("--page-size", type=int, help="rows of a page (as the client chooses)")
    parser.add_argument("work", nargs="*", help=", ".join(map(repr, WORKS)))
    args = parser.parse_args()
    print(f"Label Studio {VERSION}, {PROCESSES} processes of gunicorn, PostgreSQL; {versions()}")
    rand = random.Random(20)
    items = [item(rand, number) for number in range(args.tasks)]
    for number, task in enumerate(items):
        task["data"]["part"] = f"p{number % PARTS}"
    with LocalLabelStudio(workers=PROCESSES, database="postgres") as server:
        project = server.client().projects.create(title="labelled", label_config=CONFIG)
        project.tasks.bulk_create(items)
        bench = Bench(server, project, args.page_size)
        for title in args.work or WORKS:
            for wait in (0.0, args.wait):
                bench.show(title, WORKS[title], args.rounds, wait)


if __name__ == "__main__":
    main()
