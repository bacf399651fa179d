"""Fill keys of tasks from a CSV table whose first column identifies the task: image,split,weather.

    python examples/fill_metadata.py Cars weather.csv

Other keys and all annotations stay. Tasks that already have the values are skipped, so that an
interrupted run can be repeated. Values that many tasks share are set by an action of the server,
for up to 1,000 tasks a request; the others take a request for each task.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from labelstudio_orm import LabelStudio, LabelStudioError, Task
from labelstudio_orm.progress import reporter

MANY = 10
"""From this many tasks with the same values on, one action is faster than single requests."""


def read(path: str) -> tuple[str, dict[str, dict[str, str]]]:
    """Return the first column's name, and the other cells of each row by their value in it."""
    rows: dict[str, dict[str, str]] = {}
    with open(path, encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file, strict=True)
        names = table.fieldnames or [""]
        if len({*names} - {""}) < len(names) or any("__" in name for name in names):
            raise ValueError(f"{path}, line 1: each column needs a name of its own, without __")
        for row in table:
            place, name = f"{path}, line {table.line_num}", row.pop(names[0])
            if None in row or None in row.values():
                raise ValueError(f"{place}: it does not have as many cells as the first line")
            if rows.setdefault(name, row) != row:
                raise ValueError(f"{place}: {name} has other values in an earlier line")
    return names[0], rows


def main(ls: LabelStudio, title: str, path: str) -> None:
    project = ls.projects.get(title=title)
    key, rows = read(path)
    unknown, right = set(rows), 0
    todo: dict[tuple[tuple[str, str], ...], list[int]] = defaultdict(list)
    for id, data in project.tasks.values_list("id", "data").iterator():
        name = str(data.get(key))
        if key in data and name in rows:
            unknown.discard(name)
            if rows[name].items() <= data.items():
                right += 1
            else:
                todo[tuple(rows[name].items())].append(id)
    few = [id for ids in todo.values() if len(ids) < MANY for id in ids]
    done, total, show = 0, sum(map(len, todo.values())), reporter(True, "filling tasks")

    def tell(now: int, _: int | None) -> None:
        show(done + now, total)

    def filled() -> Iterator[Task]:
        for task in project.tasks.filter(id__in=few).only("data").iterator():
            task.data.update(rows.get(str(task.data.get(key)), {}))
            yield task

    for values, ids in todo.items():
        if len(ids) >= MANY:
            new: dict[str, Any] = {f"data__{name}": value for name, value in values}
            done += project.tasks.filter(id__in=ids).update(**new, progress=tell)
    done += project.tasks.bulk_update(filled(), progress=tell)
    print(f"{done:,} tasks are filled, {right:,} were so already")
    print(f"no task has these {len(unknown):,}: {', '.join(sorted(unknown))}")


if __name__ == "__main__":
    try:
        with LabelStudio(workers=4) as ls:
            main(ls, *sys.argv[1:])
    except (LabelStudioError, OSError, ValueError, csv.Error) as error:
        sys.exit(f"error: {error}")
