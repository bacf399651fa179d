"""Save a project to a file, and restore it as a new project, on this server or another one.

    python examples/backup_project.py save Cars cars.zip
    python examples/backup_project.py restore cars.zip

If restoring is killed, run it again: it continues where it was.
"""

from __future__ import annotations

import sys

from labelstudio_orm import LabelStudio, LabelStudioError
from labelstudio_orm.migrate import Report, restore, snapshot


def save(ls: LabelStudio, title: str, path: str) -> Report:
    return snapshot(ls.projects.get(title=title), path, progress=True)


def back(ls: LabelStudio, path: str) -> Report:
    journal = f"{path}.journal"
    return restore(path, ls, missing_users="create", journal=journal, progress=True)


if __name__ == "__main__":
    verb, *arguments = sys.argv[1:]
    try:
        with LabelStudio() as ls:
            report = save(ls, *arguments) if verb == "save" else back(ls, *arguments)
    except (LabelStudioError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    print(report)
    sys.exit(report.exit_code)
