"""The least that can be done: requests, json, and dicts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import islice
from typing import Any

import requests
from measure import FEW, equal, items, main
from replay import OMITTED, REQUESTS

PAGE = 1000


class Client:
    """A session and an address."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Token {api_key}"

    def send(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of an answer."""
        answer = self.session.request(method, self.url + path, **options)
        answer.raise_for_status()
        return answer.json()

    def rows(self, params: dict[str, str], project: int) -> Iterator[dict[str, Any]]:
        """The rows of a project's tasks, by page number."""
        page = total = 1
        while (page - 1) * PAGE < total:
            numbers = {"project": project, "page_size": PAGE, "page": page}
            found = self.send("GET", "/api/tasks/", params={**params, **numbers})
            yield from found["tasks"]
            page, total = page + 1, found["total"]


def listing(name: str) -> dict[str, str]:
    """What labelstudio_orm asks for, so that both get the same rows."""
    return {**REQUESTS[name][0], "omit": OMITTED[name]}


def where(column: str, value: str) -> dict[str, str]:
    """What to ask for light tasks with a text in their data."""
    filters = equal(column, value)
    return {"query": json.dumps({"filters": filters}), "resolve_uri": "false"}


def light(client: Client, project: int) -> int:
    """The id and the text of every task."""
    found = 0
    for task in client.rows(listing("light"), project):
        found += task["id"] + len(task["data"]["text"])
    return found


def embedded(client: Client, project: int) -> int:
    """Every result of the annotations and predictions of every task."""
    found = 0
    for task in client.rows(listing("embedded"), project):
        found += task["id"]
        for annotation in task["annotations"]:
            found += len(annotation["result"])
        for prediction in task["predictions"]:
            found += len(prediction["result"][0]["value"])
    return found


def ids(client: Client, project: int) -> int:
    """The id of every task."""
    return sum(task["id"] for task in client.rows({"include": "id"}, project))


def matching(client: Client, project: int) -> int:
    """The id and the text of the tasks that a filter finds."""
    found = 0
    for task in client.rows(where("data.product", "tent"), project):
        found += task["id"] + len(task["data"]["text"])
    return found


def single(client: Client, project: int) -> int:
    """200 tasks, one by one."""
    found = 0
    for task in islice(client.rows({"include": "id"}, project), 200):
        found += len(client.send("GET", f"/api/tasks/{task['id']}/")["data"]["text"])
    return found


def imports(client: Client, project: int, most: int | None = None) -> None:
    """All items in one request."""
    path = f"/api/projects/{project}/import?return_task_ids=true"
    client.send("POST", path, json=items()[:most])


def imports_few(client: Client, project: int) -> None:
    """A few items, after which a client has loaded what an import needs."""
    imports(client, project, FEW)


def delete(client: Client, project: int) -> None:
    """The tasks that a filter finds, in one request."""
    everything = {"all": True, "excluded": []}
    body = {"filters": equal("data.group", "a"), "selectedItems": everything}
    params = {"id": "delete_tasks", "project": project}
    client.send("POST", "/api/dm/actions/", params=params, json=body)


def update(client: Client, project: int) -> None:
    """One key in the data of the tasks that a filter finds."""
    for task in list(client.rows(where("data.batch", os.environ["BATCH"]), project)):
        data = {**task["data"], "split": json.loads(os.environ["SPLIT"])}
        client.send("PATCH", f"/api/tasks/{task['id']}/", json={"data": data})


if __name__ == "__main__":
    works = (light, embedded, ids, matching, single, imports, imports_few, delete, update)
    main(Client, {work.__name__.replace("_", "-"): work for work in works})
