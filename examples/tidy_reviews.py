"""Define a migration as steps, each of which is done once, however often the script runs.

    python examples/tidy_reviews.py Reviews --dry-run
    python examples/tidy_reviews.py Reviews
    python examples/tidy_reviews.py Reviews --list

The next run repeats a step that failed or was killed from its beginning. So each step leaves alone
what is already as it should be.
"""

from __future__ import annotations

import html

from labelstudio_orm import Project, Summary
from labelstudio_orm.migrate import Migration
from labelstudio_orm.progress import Progress

migration = Migration("tidy-reviews")


@migration.step
def entities(project: Project, progress: Progress) -> Summary:
    """Replace &amp; in texts by &."""
    spoilt = list(project.tasks.filter(data__text__contains="&amp;"))
    for task in spoilt:
        task.data["text"] = html.unescape(task.data["text"])
    return project.tasks.bulk_update(spoilt, progress=progress)


@migration.step
def languages(project: Project, progress: Progress) -> Summary:
    """Mark texts without a language as English."""
    return project.tasks.filter(data__lang=None).update(data__lang="en", progress=progress)


@migration.step
def old_predictions(project: Project, progress: Progress) -> Summary:
    """Delete the predictions of the first model."""
    return project.predictions.filter(model_version="v1").delete(progress=progress)


if __name__ == "__main__":
    migration.main()
