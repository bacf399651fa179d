"""The least that can be done: requests, json, and dicts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import requests
from measure import main
from replay import REQUESTS

PAGE = 1000


class Client:
    """A session and an address."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Token {api_key}"

    def rows(self, name: str, project: int) -> Iterator[dict[str, Any]]:
        """The rows of a project's tasks, by page number."""
        params: dict[str, Any] = {**REQUESTS[name][0], "project": project, "page_size": PAGE}
        page = total = 1
        while (page - 1) * PAGE < total:
            answer = self.session.get(f"{self.url}/api/tasks/", params={**params, "page": page})
            answer.raise_for_status()
            found = answer.json()
            yield from found["tasks"]
            page, total = page + 1, found["total"]


def light(client: Client, project: int) -> int:
    """The id and the text of every task."""
    found = 0
    for task in client.rows("light", project):
        found += task["id"] + len(task["data"]["text"])
    return found


def embedded(client: Client, project: int) -> int:
    """Every result of the annotations and predictions of every task."""
    found = 0
    for task in client.rows("embedded", project):
        found += task["id"]
        for annotation in task["annotations"]:
            found += len(annotation["result"])
        for prediction in task["predictions"]:
            found += len(prediction["result"][0]["value"])
    return found


if __name__ == "__main__":
    main(Client, {"light": light, "embedded": embedded})
