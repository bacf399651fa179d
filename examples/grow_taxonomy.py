"""Add a branch to a taxonomy, in every project that has it.

    python examples/grow_taxonomy.py species Animal Dog Poodle

Missing branches on the way are added too. Projects that cannot be changed are listed.
"""

from __future__ import annotations

import sys

from labelstudio_orm import LabelStudio, LabelStudioError, Project


def main(ls: LabelStudio, control: str, *branch: str) -> None:
    for project in ls.projects.all():
        if said := grow(project, control, branch):
            print(f"{project}: {said}")


def grow(project: Project, control: str, branch: tuple[str, ...]) -> str:
    try:
        if control not in project.config or project.config[control].tag != "Taxonomy":
            return ""
        if project.config[control].dynamic:
            return "refused: its labels come from a URL or from the tasks"
        before = project.label_config
        project.labels.add(branch, control=control)
    except (LabelStudioError, ValueError) as error:
        return f"refused: {error}"
    return "had it already" if project.label_config == before else "added"


if __name__ == "__main__":
    try:
        with LabelStudio() as ls:
            main(ls, *sys.argv[1:])
    except (LabelStudioError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")
