"""Rename a label everywhere: in the labelling config, in annotations, drafts and predictions.

    python examples/rename_label.py Cars Car Vehicle

It prints the plan, carries it out, and keeps a file that undoes it:
``project.labels.undo("Car-Vehicle.undo")``. If it is interrupted, run it again.
"""

from __future__ import annotations

import sys

from labelstudio_orm import LabelStudio, LabelStudioError


def main(ls: LabelStudio, title: str, old: str, new: str) -> None:
    project = ls.projects.get(title=title)
    with ls.dry_run():
        print("Would do", project.labels.rename(old, new))
    print("Done", project.labels.rename(old, new, undo=f"{old}-{new}.undo", progress=True))


if __name__ == "__main__":
    try:
        with LabelStudio() as ls:
            main(ls, *sys.argv[1:])
    except (LabelStudioError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")
