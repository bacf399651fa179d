"""A mirror of a project on disk, a file for each task, which further runs bring up to date.

    python examples/mirror_project.py Cars mirror

What changed is found by content: dates miss imported predictions, drafts and some actions. So
annotators may go on working meanwhile, and what this run misses the next one finds.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from labelstudio_orm import LabelStudio
from labelstudio_orm.migrate import Journal, LiveSource
from labelstudio_orm.migrate.content import digest, task_content


def main(ls: LabelStudio, title: str, name: str) -> None:
    project, folder = ls.projects.get(title=title), Path(name)
    folder.mkdir(parents=True, exist_ok=True)
    with Journal(folder / "mirror.journal") as journal:
        journal.job(server=ls.url, project=project.id)
        known, gone = journal.map("digests"), {path.stem for path in folder.glob("*.json")}
        for task in LiveSource(project).tasks():
            gone.discard(str(task["id"]))
            now, before = digest(task_content(task)), known.get(task["id"])
            if now != before:
                (folder / f"{task['id']}.json").write_text(json.dumps(task), encoding="utf-8")
                known.put({task["id"]: now})
                print("changed" if before else "new", task["id"])
        for id in sorted(map(int, gone)):
            known.remove(id)
            (folder / f"{id}.json").unlink()
            print("deleted", id)


if __name__ == "__main__":
    with LabelStudio() as ls:
        main(ls, *sys.argv[1:])
