"""Predict the tasks that have no annotation yet: a step of active learning.

    python examples/predict_unlabelled.py Cars v3

Tasks that have a prediction of this version are skipped, so it can be run again at any time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from labelstudio_orm import LabelStudio, LabelStudioError, Task

AT_ONCE = 2500
"""Tasks to predict before sending. A server takes about as long for 1,000 as for 2,500."""


def model(images: Iterable[str]) -> Iterable[tuple[str, tuple[float, ...], float]]:
    """Yield a label, a box (x, y, width, height in percent) and a score for each image."""
    # Put your model here; scores are from 0 to 1.
    for image in images:
        size = 10 + len(image) % 50
        yield "Truck" if "truck" in image else "Car", (5, 5, size, size), size / 100


def main(ls: LabelStudio, title: str, version: str) -> None:
    project = ls.projects.get(title=title)
    control, created = project.config["label"], 0

    def predictions(tasks: list[Task]) -> Iterable[tuple[Task, list[dict[str, Any]], float]]:
        answers = model([task.data["image"] for task in tasks])
        for task, (label, (x, y, width, height), score) in zip(tasks, answers, strict=True):
            if label not in control.labels:
                raise ValueError(f"{task}: {control} has no label {label!r}")
            yield task, [control.rectangle(label, x=x, y=y, width=width, height=height)], score

    todo = project.tasks.filter(total_annotations=0).exclude(predictions__model_version=version)
    for tasks in todo.only("data").pages():
        created += project.predictions.bulk_create(
            predictions(tasks), model_version=version, batch_size=AT_ONCE
        )
    if created:
        project.model_version = version
        project.save()
    print(f"{created:,} predictions of {version}")


if __name__ == "__main__":
    try:
        with LabelStudio(page_size=AT_ONCE) as ls:
            main(ls, *sys.argv[1:])
    except (LabelStudioError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")
