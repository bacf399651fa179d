"""Delete all predictions of one model version, and nothing else.

    python examples/drop_model_version.py Cars v1

This takes three requests, however many predictions there are. Predictions without a version have
"undefined" if they were imported (``bulk_create()`` included), and "" if created one by one.
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
