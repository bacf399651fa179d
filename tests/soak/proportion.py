"""The time and the memory of verbs at a size, at twice and at four times it; in proportion or not.

    python -m tests.soak.proportion                        all of it, on the server in memory
    python -m tests.soak.proportion conditions ids         some dimensions
    python -m tests.soak.proportion tasks --share 0.1      at a tenth of the sizes

The seconds are CPU time of the client: what the server in memory takes is not counted. Prints each
verb, and fails where four times as much takes more than ``MOST`` times as long, or where a verb
that streams holds more.
"""

from __future__ import annotations

import argparse
import copy
import gc
import itertools
import pickle
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial, reduce
from operator import and_, or_
from pathlib import Path
from typing import Any, ClassVar

import attrs

from labelstudio_orm import LabelStudio, Project, Q, data
from labelstudio_orm.migrate import copy_project, dedupe, snapshot, split, verify
from labelstudio_orm.testing import FakeLabelStudio
from tests.conftest import CONFIG

MOST = 5.0
"""How many times as long four times as much may take."""

NOTICED = 0.05
"""Seconds below which a ratio says nothing."""

TASKS = 10
"""Tasks of the project whose conditions are many."""


class Counted(FakeLabelStudio):
    """A server in memory that keeps no log. What all of them took is known."""

    seconds: ClassVar[float] = 0.0

    def handle(self, *args: Any, **options: Any) -> Any:
        """Answer one request."""
        began = time.thread_time()
        try:
            return super().handle(*args, **options)
        finally:
            Counted.seconds += time.thread_time() - began
            self.requests.clear()


class World:
    """What is measured: a server, and the projects on it, made when they are asked for."""

    def __init__(self) -> None:
        self.fake = Counted()
        self.ls: LabelStudio = self.fake.client()
        self.other = Counted("http://other.fake").client()
        self.folder = Path(tempfile.mkdtemp())
        self._made: dict[Any, Project] = {}
        self._names = itertools.count(1)

    def name(self, what: str) -> str:
        """A name that nothing has yet."""
        return f"{what} {next(self._names)}"

    def new(self) -> Project:
        """An empty project."""
        return self.ls.projects.create(title=self.name("Project"), label_config=CONFIG)

    def project(self, tasks: int, regions: int = 0) -> Project:
        """A project of so many tasks, each of this size."""
        if (tasks, regions) not in self._made:
            made = self.new()
            region = made.config["sentiment"].choice("Positive")
            more = {"annotations": [{"result": [region] * regions}]} if regions else {}
            made.tasks.bulk_create(
                {"data": {"text": f"t{n}" * max(1, regions), "k": f"k{n // 2}"}, **more}
                for n in range(tasks)
            )
            self._made[tasks, regions] = self.ls.projects.get(made.id)
        return self._made[tasks, regions]

    def projects(self, number: int) -> Any:
        """The projects of a server that has so many."""
        ls: LabelStudio = Counted().client()
        for n in range(number):
            ls.projects.create(title=f"Project {n}")
        return ls.projects


Subject = Callable[[World, int], Any]
Verb = Callable[[Any], object]


@attrs.frozen
class Dimension:
    """What grows, up to ``size``; the verbs that take it, and those among them that stream."""

    size: int
    subjects: Mapping[str, Subject]
    verbs: Mapping[str, Verb]
    streaming: frozenset[str] = frozenset()


# -- verbs ----------------------------------------------------------------------------------------


def consume(items: Iterable[Any]) -> None:
    """Read all of it, and keep nothing."""
    deque(items, maxlen=0)


def _same(queryset: Any) -> None:
    copied = pickle.loads(pickle.dumps(queryset))
    assert copied._query.where == queryset._query.where


SHOWING: dict[str, Verb] = {
    "repr": repr,
    "explain": lambda queryset: queryset.explain(),
    "pickle": _same,
    "copy": copy.deepcopy,
}
READING: dict[str, Verb] = {
    "all": lambda queryset: list(queryset.all()),
    "iterator": lambda queryset: consume(queryset.iterator()),
    "pages": lambda queryset: consume(queryset.pages()),
    "values": lambda queryset: consume(queryset.values("id").iterator()),
    "values_list": lambda queryset: consume(queryset.values_list("id", flat=True).iterator()),
    "only": lambda queryset: consume(queryset.only("id").iterator()),
    "count": lambda queryset: queryset.all().count(),
    "exists": lambda queryset: queryset.all().exists(),
    "first": lambda queryset: queryset.first(),
    "last": lambda queryset: queryset.last(),
    "reverse": lambda queryset: list(queryset.reverse()[:5]),
    "order_by": lambda queryset: consume(queryset.order_by("-created_at").iterator()),
    "filter": lambda queryset: list(queryset.filter(id__gt=3)[:3]),
    "exclude": lambda queryset: queryset.exclude(id__gt=3).count(),
    "get": lambda queryset: queryset.filter(id__lt=0).exists(),
    "in_bulk": lambda queryset: queryset.in_bulk([1, 2]),
    "to_pandas": lambda queryset: queryset.to_pandas("id"),
    "to_arrow": lambda queryset: queryset.to_arrow("id"),
    "distinct": lambda queryset: queryset.distinct("id"),
    "count_by": lambda queryset: queryset.count_by("id"),
    "partitions": lambda queryset: queryset.partitions(3),
    "bulk_update": lambda queryset: queryset.bulk_update(queryset.iterator()),
}
OF_TASKS: dict[str, Verb] = {
    "prefetch": lambda tasks: consume(tasks.prefetch("annotations").iterator()),
    "update": lambda tasks: tasks.all().update(overlap=1),
    "perform": lambda tasks: tasks.all().perform(
        "add_data_field", value_name="new", value_type="String", value="x"
    ),
}

# -- conditions -----------------------------------------------------------------------------------


def _conditions(made: Callable[[int], Iterable[Any]], joint: Any) -> Subject:
    """The tasks of a condition that joins many."""
    return lambda world, n: world.project(TASKS).tasks.filter(reduce(joint, made(n)))


def _chained(step: Callable[[Any, int], Any]) -> Subject:
    """The tasks that many calls narrow down."""
    return lambda world, n: reduce(step, range(n), world.project(TASKS).tasks)


def _nested(world: World, n: int) -> Any:
    condition = Q(id__gte=0)
    for number in range(n):
        condition = ~(condition & Q(id=-number)) if number % 2 else condition | Q(overlap=number)
    return world.project(TASKS).tasks.filter(condition)


CONDITIONS: dict[str, Subject] = {
    "ored": _conditions(lambda n: (Q(overlap__gt=i) for i in range(n)), or_),
    "ored ids": _conditions(lambda n: (Q(id=i) for i in range(n)), or_),
    "ored keys": _conditions(lambda n: (Q(**{f"data__k{i}": i}) for i in range(n)), or_),
    "ored pairs": _conditions(lambda n: (Q(id=i, data__k=f"{i}") for i in range(n // 2)), or_),
    "ored expressions": _conditions(lambda n: (data["a.b"] == i for i in range(n)), or_),
    "anded": _conditions(lambda n: (Q(overlap__gte=-i) for i in range(n)), and_),
    "anded complements": _conditions(lambda n: (~Q(id=-i) for i in range(n)), and_),
    "anded ors": _conditions(lambda n: (Q(id__gte=-i) | Q(overlap=i) for i in range(n // 2)), and_),
    "one annotation": _conditions(lambda n: (Q(annotations__id__gte=-i) for i in range(n)), and_),
    "one region": _conditions(
        lambda n: (Q(annotations__result__label=f"{i}") for i in range(n)), and_
    ),
    "annotations": _conditions(lambda n: (Q(annotations__id=i) for i in range(n)), or_),
    "negated": lambda world, n: world.project(TASKS).tasks.filter(
        reduce(lambda condition, _: ~condition, range(n), Q(id=1))
    ),
    "nested": lambda world, n: _nested(world, n // 10),
    "filter() again": _chained(lambda tasks, i: tasks.filter(overlap__gte=-i)),
    "exclude() again": _chained(lambda tasks, i: tasks.exclude(id=-i)),
    "id__in again": _chained(lambda tasks, i: tasks.filter(id__in=[1, 2, i])),
    "annotations again": _chained(lambda tasks, i: tasks.filter(annotations__id__gte=-i)),
    "before the project": lambda world, n: reduce(
        lambda tasks, i: tasks.exclude(id=-i), range(n), world.ls.tasks
    ).filter(project=world.project(TASKS)),
}

# -- ids, projects, tasks, rows -------------------------------------------------------------------


def _ids(world: World, n: int, of: int = 50_000) -> list[int]:
    """So many ids, those of all tasks among them."""
    known = list(world.project(of).tasks.values_list("id", flat=True))
    return (known + [known[-1] + 10**6 + 3 * i for i in range(n)])[:n]


IDS: dict[str, Subject] = {
    "id__in": lambda world, n: world.project(5_000).tasks.filter(id__in=_ids(world, n, 5_000)),
    "id__in or": lambda world, n: world.project(500).tasks.filter(
        Q(id__in=_ids(world, n, 500)) | Q(overlap=7)
    ),
    "exclude id__in": lambda world, n: world.project(500).tasks.exclude(
        id__in=_ids(world, n, 500)[::2]
    ),
    "inner_id__in": lambda world, n: world.project(500).tasks.filter(inner_id__in=range(n)),
    "data__k__in": lambda world, n: world.project(500).tasks.filter(
        data__k__in=[f"k{i}" for i in range(n)]
    ),
}


def _dry(verb: Callable[[Project], object]) -> Callable[[tuple[World, Project]], None]:
    def run(subject: tuple[World, Project]) -> None:
        world, project = subject
        with world.ls.dry_run():
            verb(project)

    return run


WHOLE: dict[str, Verb] = {
    "bulk_create": lambda subject: (
        subject[0]
        .new()
        .tasks.bulk_create(
            {"data": {"text": one}}
            for one in subject[1].tasks.values_list("data__text", flat=True).iterator()
        )
    ),
    "export": lambda subject: (
        subject[1]
        .tasks.filter(id__gt=0)
        .export("CSV", subject[0].folder / subject[0].name("export"))
    ),
    "snapshot": lambda subject: snapshot(
        subject[1], subject[0].folder / f"{subject[0].name('snapshot')}.zip"
    ),
    "copy_project": lambda subject: copy_project(
        subject[1],
        to=subject[0].other,
        journal=subject[0].folder / f"{subject[0].name('copy')}.db",
        title=subject[0].name("Copy"),
    ),
    "verify": lambda subject: verify(subject[1], subject[1]),
    "dedupe": _dry(lambda project: dedupe(project, key="data.k")),
    "split": _dry(lambda project: split(project, {"a": 0.5, "b": 0.5})),
}


def _edited(project: Project) -> None:
    annotation = project.annotations.first()
    assert annotation is not None
    annotation.result[-1]["score"] = time.monotonic()
    annotation.save()


ROWS: dict[str, Verb] = {
    "save()": _edited,
    "values()": lambda project: [one.values() for one in project.annotations],
    "repr": lambda project: repr(list(project.annotations)),
    "filter": lambda project: list(
        project.tasks.filter(annotations__result__label="a", annotations__result__type="b")
    ),
    "prefetch": lambda project: [
        list(one.annotations) for one in project.tasks.prefetch("annotations")
    ],
    "bulk_create": lambda project: project.tasks.bulk_create(
        [
            {"data": one.data, "annotations": [{"result": one.annotations[0].result}]}
            for one in project.tasks.prefetch("annotations")[:1]
        ]
    ),
}

STREAMING = frozenset({
    "iterator", "pages", "values", "values_list", "only", "snapshot", "copy_project", "verify",
})  # fmt: skip

DIMENSIONS: dict[str, Dimension] = {
    "conditions": Dimension(10_000, CONDITIONS, {**SHOWING, **READING, **OF_TASKS}),
    "ids": Dimension(100_000, IDS, {**SHOWING, **READING, **OF_TASKS}),
    "projects": Dimension(
        1_000, {"projects": lambda world, n: world.projects(n)}, {**SHOWING, **READING}
    ),
    "tasks": Dimension(
        200_000,
        {"tasks": lambda world, n: world.project(n).tasks},
        {**READING, **OF_TASKS},
        STREAMING,
    ),
    "whole projects": Dimension(
        50_000, {"project": lambda world, n: (world, world.project(n))}, WHOLE, STREAMING
    ),
    "rows": Dimension(100_000, {"regions": lambda world, n: world.project(2, n)}, ROWS),
}


# -- measuring ------------------------------------------------------------------------------------


def seconds(work: Callable[[], object]) -> float:
    """The CPU time of the client."""
    gc.collect()
    gc.disable()  # how often it looks through everything is no property of the work
    before, began = Counted.seconds, time.process_time()
    try:
        work()
    finally:
        gc.enable()
    return time.process_time() - began - (Counted.seconds - before)


def peak(work: Callable[[], object]) -> int:
    """The bytes that were held at once."""
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def measure(
    world: World, subject: Subject, verb: Verb | None, sizes: Iterable[int], rounds: int = 2
) -> list[float]:
    """The seconds of a verb at each size, the best of some rounds; without one, of the subject."""
    found = []
    for size in sizes:
        made = partial(subject, world, size)
        if verb is None:
            found.append(min(seconds(made) for _ in range(rounds)))
        else:
            on = made()
            found.append(min(seconds(partial(verb, on)) for _ in range(rounds)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("dimensions", nargs="*", choices=[*DIMENSIONS, []])
    parser.add_argument("--share", type=float, default=1.0)
    words = parser.parse_args()
    warnings.simplefilter("ignore")
    worse = 0
    for name in words.dimensions or DIMENSIONS:
        dimension = DIMENSIONS[name]
        largest = int(dimension.size * words.share)
        sizes = [largest // 4, largest // 2, largest]
        world = World()
        print(f"{name}: {', '.join(f'{size:,}' for size in sizes)}")
        verbs: dict[str, Verb | None] = {"(made)": None, **dimension.verbs}
        for what, subject in dimension.subjects.items():
            for verb, run in verbs.items():
                taken = measure(world, subject, run, sizes, 1)
                ratio = taken[-1] / max(taken[0], 1e-9)
                line = f"  {what}: {verb}: {', '.join(f'{one:.3f}' for one in taken)} s"
                is_worse = ratio > MOST and taken[-1] > NOTICED
                if run is not None and verb in dimension.streaming:
                    held = [peak(partial(run, subject(world, size))) for size in sizes[::2]]
                    line += f"; {held[0] / 1e6:.1f} and {held[1] / 1e6:.1f} MB"
                    is_worse = is_worse or held[1] > 1.5 * held[0] + 10_000_000
                print(line + (f"  <- {ratio:.1f} times" if is_worse else ""), flush=True)
                worse += is_worse
    sys.exit(bool(worse))


if __name__ == "__main__":
    main()
