"""Measure what workers gain on gunicorn with PostgreSQL and four processes.

    python tests/bench/workers.py [--rounds 3] [--tasks 4000]

The ratio needs four cores for the server. On fewer ones, the number of requests that are under way
at the same time says whether the client keeps all processes busy.
"""

from __future__ import annotations

import argparse
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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
    """The requests of a client that are under way at the same time: the most, and their mean."""

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


def program(work: Work, server: LocalLabelStudio, project: Project, workers: int) -> Program:
    """The work, by a client with so many workers."""

    def run() -> Figures:
        with LabelStudio(server.url, server.api_key, workers=workers) as ls:
            flight = Flight()
            with flight.watched(ls):
                wall, cpu = time.perf_counter(), time.process_time()
                found = work(ls, project.id)
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        mean = flight.seconds / wall
        seen: Figures = {"wall": wall, "cpu": cpu, "most": flight.most, "mean": mean}
        return {**seen, "found": hash(repr(found))}

    return run


def main() -> None:
    """Measure all works, by one worker and by several in turn."""
    parser = argparse.ArgumentParser(description="Print what workers gain.")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions of each (3)")
    parser.add_argument("--tasks", type=int, default=4000, help="tasks of the project (4000)")
    args = parser.parse_args()
    print(f"Label Studio {VERSION}, {PROCESSES} processes of gunicorn, PostgreSQL; {versions()}")
    rand = random.Random(20)
    items = [item(rand, number) for number in range(args.tasks)]
    for number, task in enumerate(items):
        task["data"]["part"] = f"p{number % PARTS}"
    with LocalLabelStudio(workers=PROCESSES, database="postgres") as server:
        project = server.client().projects.create(title="labelled", label_config=CONFIG)
        project.tasks.bulk_create(items)
        one, several = "1 worker", f"{WORKERS} workers"
        for title, work in WORKS.items():
            programs = {
                one: program(work, server, project, 1),
                several: program(work, server, project, WORKERS),
            }
            rounds = measure(programs, args.rounds, warm_up=False)
            times(title, rounds, COLUMNS)
            ratios(rounds, [(one, several)], (SECONDS,))


if __name__ == "__main__":
    main()
