"""labelstudio_orm at work.

With ``NO_ORJSON`` in the environment as if orjson were missing, with ``NO_QUICKACK`` as if the
system could not be told to acknowledge at once; with so many ``WORKERS``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable

if os.environ.get("NO_ORJSON"):
    sys.modules["orjson"] = None  # type: ignore[assignment]

from measure import FEW, items, main

from labelstudio_orm import LabelStudio
from labelstudio_orm._engine.http.session import QuickAck

if "NO_QUICKACK" in os.environ:
    QuickAck._OPTION = None

WORKERS = int(os.environ.get("WORKERS", 1))


def light(ls: LabelStudio, project: int) -> int:
    """The id and the text of every task."""
    found = 0
    for task in ls.projects.ref(project).tasks.iterator(workers=WORKERS):
        found += task.id + len(task.data["text"])
    return found


def embedded(ls: LabelStudio, project: int) -> int:
    """Every result of the annotations and predictions of every task."""
    found = 0
    tasks = ls.projects.ref(project).tasks.prefetch("annotations", "predictions")
    for task in tasks.iterator(workers=WORKERS):
        found += task.id
        for annotation in task.annotations:
            found += len(annotation.result)
        for prediction in task.predictions:
            found += len(prediction.result[0]["value"])
    return found


def ids(ls: LabelStudio, project: int) -> int:
    """The id of every task."""
    found = ls.projects.ref(project).tasks.values_list("id", flat=True)
    return sum(found.iterator(workers=WORKERS))


def matching(ls: LabelStudio, project: int) -> int:
    """The id and the text of the tasks that a filter finds."""
    found = 0
    for task in ls.projects.ref(project).tasks.filter(data__product="tent").iterator():
        found += task.id + len(task.data["text"])
    return found


def single(ls: LabelStudio, project: int) -> int:
    """200 tasks, one by one."""
    found = 0
    for id in ls.projects.ref(project).tasks.values_list("id", flat=True)[:200]:
        found += len(ls.tasks.get(id).data["text"])
    return found


def imports(ls: LabelStudio, project: int, most: int | None = None) -> None:
    """All items, in requests as large as the server is quick."""
    ls.projects.ref(project).tasks.bulk_create(items()[:most])


def imports_few(ls: LabelStudio, project: int) -> None:
    """A few items, after which a client has loaded what an import needs."""
    imports(ls, project, FEW)


def imports_at_once(ls: LabelStudio, project: int) -> None:
    """All items in one request."""
    ls.projects.ref(project).tasks.bulk_create(items(), batch_size=len(items()))


def delete(ls: LabelStudio, project: int) -> None:
    """The tasks that a filter finds."""
    ls.projects.ref(project).tasks.filter(data__group="a").delete()


def update(ls: LabelStudio, project: int) -> None:
    """One key in the data of the tasks that a filter finds."""
    tasks = ls.projects.ref(project).tasks.filter(data__batch=os.environ["BATCH"])
    tasks.update(data__split=json.loads(os.environ["SPLIT"]), workers=WORKERS)


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
    works: tuple[Callable[[LabelStudio, int], object], ...] = (
        *(light, embedded, memory, ids, matching, single),
        *(imports, imports_few, imports_at_once, delete, update),
    )
    main(LabelStudio, {work.__name__.replace("_", "-"): work for work in works})
