"""The official client at work: with its defaults (``fields=all``, pages of 100) and with others."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from itertools import islice
from typing import Any

import httpx
from label_studio_sdk import LabelStudio
from measure import FEW, equal, items, main


def connect(url: str, api_key: str) -> LabelStudio:
    """A client, which gives a busy machine more time than its default of 60 s."""
    return LabelStudio(base_url=url, api_key=api_key, timeout=600)


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


def asked(**query: Any) -> dict[str, Any]:
    """Light pages of 1,000, of the tasks that a query finds."""
    found = {"query": json.dumps(query)} if query else {}
    return {"fields": "task_only", "page_size": 1000, **found}


def ids(client: LabelStudio, project: int) -> int:
    """The id of every task."""
    return sum(task.id for task in client.tasks.list(project=project, include="id", **asked()))


def matching(client: LabelStudio, project: int) -> int:
    """The id and the text of the tasks that a filter finds."""
    return light(client, project, **asked(filters=equal("data.product", "tent")))


def matching_plain(client: LabelStudio, project: int) -> int:
    """The same with its defaults."""
    query = json.dumps({"filters": equal("data.product", "tent")})
    return light(client, project, query=query)


def single(client: LabelStudio, project: int) -> int:
    """200 tasks, one by one."""
    found = 0
    for task in islice(client.tasks.list(project=project, include="id", **asked()), 200):
        found += len(client.tasks.get(task.id).data["text"])
    return found


def imports(client: LabelStudio, project: int, most: int | None = None) -> None:
    """All items in one request."""
    client.projects.import_tasks(project, request=items()[:most], return_task_ids=True)


def imports_few(client: LabelStudio, project: int) -> None:
    """A few items, after which a client has loaded what an import needs."""
    imports(client, project, FEW)


def delete(client: LabelStudio, project: int) -> None:
    """The tasks that a filter finds, in one request."""
    client.actions.create(
        id="delete_tasks",
        project=project,
        filters=equal("data.group", "a"),
        ordering=[],
        selected_items={"all": True, "excluded": []},
    )


def delete_each(client: LabelStudio, project: int) -> None:
    """200 of the tasks that a filter finds, one by one."""
    found = client.tasks.list(project=project, **asked(filters=equal("data.group", "a")))
    for task in list(islice(found, 200)):
        client.tasks.delete(task.id)


def update(client: LabelStudio, project: int) -> None:
    """One key in the data of the tasks that a filter finds."""
    filters = equal("data.batch", os.environ["BATCH"])
    for task in list(client.tasks.list(project=project, **asked(filters=filters))):
        client.tasks.update(task.id, data={**task.data, "split": json.loads(os.environ["SPLIT"])})


if __name__ == "__main__":
    works = (
        *(light, light_big, light_asked, embedded, embedded_big, ids, matching, matching_plain),
        *(single, imports, imports_few, delete, delete_each, update),
    )
    by_name: dict[str, Callable[[Any, int], object]] = {
        work.__name__.replace("_", "-"): work for work in works
    }
    main(connect, by_name, sender=(httpx.Client, "send"))
