"""The official client at work: with its defaults (``fields=all``, pages of 100) and with others."""

from __future__ import annotations

from typing import Any

from label_studio_sdk import LabelStudio
from measure import main


def connect(url: str, api_key: str) -> LabelStudio:
    """A client."""
    return LabelStudio(base_url=url, api_key=api_key)


def light(client: LabelStudio, project: int, **options: Any) -> int:
    """The id and the text of every task."""
    found = 0
    for task in client.tasks.list(project=project, **options):
        found += task.id + len(task.data["text"])
    return found


def embedded(client: LabelStudio, project: int, **options: Any) -> int:
    """Every result of the annotations and predictions of every task."""
    found = 0
    for task in client.tasks.list(project=project, **options):
        found += task.id
        for annotation in task.annotations:
            found += len(annotation["result"])
        for prediction in task.predictions:
            found += len(prediction.result[0]["value"])
    return found


def light_asked(client: LabelStudio, project: int) -> int:
    """The same reading of light pages of 1,000, which have to be asked for."""
    return light(client, project, fields="task_only", page_size=1000)


def light_big(client: LabelStudio, project: int) -> int:
    """The same reading in pages of 1,000."""
    return light(client, project, page_size=1000)


def embedded_big(client: LabelStudio, project: int) -> int:
    """The same reading in pages of 1,000."""
    return embedded(client, project, page_size=1000)


if __name__ == "__main__":
    main(
        connect,
        {
            "light": light,
            "light-big": light_big,
            "light-asked": light_asked,
            "embedded": embedded,
            "embedded-big": embedded_big,
        },
    )
