"""Copy a project with everything in it, authors included, to another server, and compare both.

    python examples/copy_project.py Cars

The servers are those of LABEL_STUDIO_URL and LABEL_STUDIO_TO_URL. Users are matched by e-mail;
missing ones are created. If the script is killed, run it again: the journal knows what is done, and
once all is, a further run writes nothing.
"""

from __future__ import annotations

import os
import sys

from labelstudio_orm import LabelStudio, LabelStudioError
from labelstudio_orm.migrate import copy_project


def main(ls: LabelStudio, other: LabelStudio, title: str) -> int:
    report = copy_project(
        ls.projects.get(title=title),
        to=other,
        journal=f"{title}.journal",
        missing_users="create",
        progress=True,
    )
    print(report)
    return report.exit_code


if __name__ == "__main__":
    names = "LABEL_STUDIO_TO_URL", "LABEL_STUDIO_TO_API_KEY"
    try:
        with LabelStudio() as ls, LabelStudio(*map(os.environ.get, names)) as other:
            sys.exit(main(ls, other, *sys.argv[1:]))
    except (LabelStudioError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")
