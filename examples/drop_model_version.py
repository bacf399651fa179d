"""Delete all predictions of one version of a model, and nothing else.

    python examples/drop_model_version.py Cars v1

Three requests, however many there are. Those without a version are of "undefined" if they were
imported, by ``bulk_create()`` too, and of "" if they were created one by one.
"""

from __future__ import annotations

import sys

from labelstudio_orm import LabelStudio, LabelStudioError


def main(ls: LabelStudio, title: str, version: str) -> None:
    project = ls.projects.get(title=title)
    done = project.predictions.filter(model_version=version).delete()
    print(f"{done.deleted:,} predictions of {version!r} are deleted")


if __name__ == "__main__":
    try:
        with LabelStudio() as ls:
            main(ls, *sys.argv[1:])
    except (LabelStudioError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")
