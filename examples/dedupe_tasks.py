"""Merge tasks that were imported twice into one, with the annotations of both.

    python examples/dedupe_tasks.py Cars data.image

Of tasks with the same image, the one with the most annotations stays. If the script is interrupted,
run it again.
"""

from __future__ import annotations

import sys

from labelstudio_orm import LabelStudio, LabelStudioError
from labelstudio_orm.migrate import dedupe


def main(ls: LabelStudio, title: str, key: str = "data.image") -> None:
    report = dedupe(ls.projects.get(title=title), key, progress=True)
    print(report)
    for kept, removed in report.kept.items():
        print(f"task {kept} stands for {', '.join(map(str, removed))} too")


if __name__ == "__main__":
    try:
        with LabelStudio() as ls:
            main(ls, *sys.argv[1:])
    except (LabelStudioError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")
