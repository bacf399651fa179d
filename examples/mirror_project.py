"""Mirror a project on disk, one file for each task; further runs bring it up to date.

    python examples/mirror_project.py Cars mirror

Changes are found by comparing contents, since dates miss imported predictions, drafts and some
actions. Annotators can go on working: the next run finds what this one misses.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from labelstudio_orm import LabelStudio, LabelStudioError, Task

ANNOTATION = "result", "completed_by", "was_cancelled", "ground_truth", "lead_time"


def content(ls: LabelStudio, task: Task) -> dict[str, Any]:
    """Return a task as the server has it, with all drafts and without what changes by itself."""
    row = task.raw
    row["drafts"] = [one.raw for one in ls.drafts.filter(task=task)] if task.draft_exists else []
    for kind in ("annotations", "predictions", "drafts"):
        row[kind].sort(key=lambda one: one["id"])
        for one in row[kind]:
            one.pop("created_ago", None)
    return row


def main(ls: LabelStudio, title: str, name: str) -> None:
    project, folder = ls.projects.get(title=title), Path(name)
    mine, said = folder / "mirror-of", f"{ls.url} {project.id}"
    folder.mkdir(parents=True, exist_ok=True)
    if mine.exists() and mine.read_text("utf-8") != said:
        raise ValueError(f"{folder} is a mirror of another project: {mine.read_text('utf-8')}")
    mine.write_text(said, "utf-8")

    gone = {int(path.stem) for path in folder.glob("*.json") if path.stem.isdecimal()}
    named = ("data", "meta", "overlap", "draft_exists", *(f"annotations__{n}" for n in ANNOTATION))
    for task in project.tasks.only(*named).prefetch("annotations", "predictions").iterator():
        gone.discard(task.id)
        path = folder / f"{task.id}.json"
        now = json.dumps(content(ls, task), indent=1, sort_keys=True).encode()
        before = path.read_bytes() if path.exists() else None
        if now != before:
            path.write_bytes(now)
            print("new" if before is None else "changed", task.id)
    for id in sorted(gone):
        (folder / f"{id}.json").unlink()
        print("deleted", id)


if __name__ == "__main__":
    try:
        with LabelStudio() as ls:
            main(ls, *sys.argv[1:])
    except (LabelStudioError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")
