"""Fill keys of tasks from a table, whose first column says which task: image,split,weather.

    python examples/fill_metadata.py Cars weather.csv

Other keys and all annotations stay. Tasks that have the values already are not sent, so it may be
interrupted, and run again.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator

from labelstudio_orm import LabelStudio, Task


def main(ls: LabelStudio, title: str, path: str) -> None:
    project = ls.projects.get(title=title)
    with open(path, encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        key, *_ = table.fieldnames or ()
        rows = {row.pop(key): row for row in table}
    unknown = set(rows)

    def filled() -> Iterator[Task]:
        for task in project.tasks.only("data").iterator():
            if (name := task.data.get(key)) in rows:
                unknown.discard(name)
                task.data.update(rows[name])
                yield task

    done = project.tasks.bulk_update(filled(), progress=True)
    print(f"{done.updated:,} tasks are filled, {done.skipped:,} were so already")
    print(f"no task has these {len(unknown):,}: {', '.join(sorted(unknown))}")


if __name__ == "__main__":
    with LabelStudio(workers=4) as ls:
        main(ls, *sys.argv[1:])
