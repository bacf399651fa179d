"""labelstudio_orm at work; with ``NO_ORJSON`` in the environment as if orjson were missing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

if "NO_ORJSON" in os.environ:
    sys.modules["orjson"] = None  # type: ignore[assignment]

from measure import main

from labelstudio_orm import LabelStudio


def light(ls: LabelStudio, project: int) -> int:
    """The id and the text of every task."""
    found = 0
    for task in ls.projects.ref(project).tasks.iterator():
        found += task.id + len(task.data["text"])
    return found


def embedded(ls: LabelStudio, project: int) -> int:
    """Every result of the annotations and predictions of every task."""
    found = 0
    tasks = ls.projects.ref(project).tasks.prefetch("annotations", "predictions")
    for task in tasks.iterator():
        found += task.id
        for annotation in task.annotations:
            found += len(annotation.result)
        for prediction in task.predictions:
            found += len(prediction.result[0]["value"])
    return found


def in_parallel(workers: int) -> Callable[[LabelStudio, int], int]:
    """The id and the text of every task, read ahead by so many workers."""

    def read(ls: LabelStudio, project: int) -> int:
        found = 0
        for task in ls.projects.ref(project).tasks.iterator(workers=workers):
            found += task.id + len(task.data["text"])
        return found

    return read


def memory(ls: LabelStudio, project: int) -> tuple[int, int]:
    """The growth of the memory after the first 10,000 tasks, and its peak, in bytes."""
    resident = []
    for number, task in enumerate(ls.projects.ref(project).tasks.iterator(), 1):
        assert task.data["text"]
        if number % 250 == 0:
            with open("/proc/self/statm") as statm:
                resident.append(int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
    start = 10_000 // 250
    return max(resident[start:], default=0) - max(resident[:start]), max(resident)


if __name__ == "__main__":
    works = {f"workers-{number}": in_parallel(number) for number in (1, 2, 4, 8)}
    main(LabelStudio, {"light": light, "embedded": embedded, "memory": memory, **works})
