"""Turn predictions with a high score into annotations of a bot.

    python examples/promote_predictions.py Cars v3 bot@example.com

Each annotation refers to its prediction, and predictions that have been promoted are skipped.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from labelstudio_orm import LabelStudio, LabelStudioError

SURE = 0.9


def main(ls: LabelStudio, title: str, version: str, email: str) -> None:
    project = ls.projects.get(title=title)
    bot, _ = ls.users.get_or_create(email=email, defaults={"username": email})

    def annotations() -> Iterator[dict[str, Any]]:
        predicted = project.tasks.filter(predictions__model_version=version)
        for task in predicted.only("id").prefetch("annotations", "predictions").iterator():
            promoted = {annotation.parent_prediction_id for annotation in task.annotations}
            for prediction in task.predictions.filter(model_version=version, score__gte=SURE):
                if prediction.id not in promoted:
                    yield {
                        "task": task,
                        "result": prediction.result,
                        "completed_by": bot,
                        "parent_prediction": prediction,
                    }

    made = ls.annotations.bulk_create(annotations(), progress=True)
    print(f"{len(made):,} predictions of {version} are annotations of {email} now")


if __name__ == "__main__":
    try:
        with LabelStudio(workers=4) as ls:
            main(ls, *sys.argv[1:])
    except (LabelStudioError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")
