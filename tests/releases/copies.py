"""Copy a project with a bit of everything between two releases of the server, and compare.

python -m tests.releases.copies 1.13.1 1.23.2 --tasks 300
"""

from __future__ import annotations

import argparse
import sys

from labelstudio_orm.migrate import copy_project, verify
from labelstudio_orm.testing import LocalLabelStudio
from tests.soak import scenario


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", help="the release to copy from")
    parser.add_argument("target", help="the release to copy to")
    parser.add_argument("--tasks", type=int, default=300)
    options = parser.parse_args()
    with (
        LocalLabelStudio(version=options.source) as source,
        LocalLabelStudio(version=options.target) as target,
        source.client() as here,
        target.client() as there,
    ):
        there.users.create(email="somebody@example.com")  # users have other ids there
        project = scenario.everything(here, tasks=options.tasks, drafts=20, files=5)
        report = copy_project(project, to=there, missing_users="create")
        print(report)
        if report.target is None:
            return 1
        compared = verify(project, report.target)
        print(compared)
    print(f"{options.tasks} tasks")
    return 0 if report.ok and compared.ok else 1


if __name__ == "__main__":
    sys.exit(main())
