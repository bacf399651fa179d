"""A server that replays recorded pages of tasks, doing as little per request as it can.

    python tests/bench/replay.py [milliseconds that each answer waits]

Every project has as many tasks as its id says: the recorded rows, over and over, with new ids. A
request that was not recorded is refused, so the clients are measured with what they really ask for.
"""

from __future__ import annotations

import gzip
import json
import socketserver
import sys
import threading
import time
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

RECORDED = Path(__file__).parent / "recorded"

BY_ID, FALLING = '{"ordering":["tasks:id"]}', '{"ordering":["-tasks:id"]}'

REQUESTS: dict[str, tuple[dict[str, str], ...]] = {
    "light": ({"query": BY_ID, "resolve_uri": "false"}, {"fields": "task_only"}),
    "embedded": (
        {"query": BY_ID, "resolve_uri": "false", "fields": "all", "expand": "annotations"},
        {"fields": "all"},
    ),
}
"""The recordings, and what may be asked for each, apart from the project, the page and the ids.

First what labelstudio_orm asks for, then what the official client does (its default is
``fields=all``); record.py has made sure that the answers are the same bytes. What a request omits
is left out of them."""

OMITTED = {
    "light": "annotations,predictions",
    "embedded": "annotations_ids,annotations_results,drafts,predictions_model_versions,"
    "predictions_results",
}
"""What labelstudio_orm leaves out of the recordings, and the bare loop, too."""

THE_LAST = {"query": FALLING, "resolve_uri": "false", "include": "id"}
"""How several workers ask for the last id, once."""

END = b'{"id":"","status_code":404,"version":"","detail":"Invalid page.","exc_info":null}'


def render(value: Any) -> bytes:
    """JSON as Label Studio writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@lru_cache
def recorded(name: str) -> dict[str, Any]:
    """The recorded page of this name."""
    page: dict[str, Any] = json.loads(gzip.decompress((RECORDED / f"{name}.json.gz").read_bytes()))
    return page


def row(name: str, project: int, number: int, omitted: str) -> bytes:
    """Task ``number``, counted from 1, with what was recorded inside it and is not omitted."""
    rows = recorded(name)["tasks"]
    task = {**rows[(number - 1) % len(rows)], "id": number, "inner_id": number}
    task["project"] = project
    for key in omitted.split(","):
        task.pop(key, None)
    for key in ("annotations", "predictions"):
        if key in task:
            task[key] = [
                {**inner, "id": 10 * number + place, "task": number, "project": project}
                for place, inner in enumerate(task[key])
            ]
    return render(task)


@lru_cache(maxsize=1000)
def page(name: str, project: int, start: int, stop: int, total: int, omitted: str) -> bytes:
    """An answer with the tasks from ``start`` to ``stop``, made once and kept."""
    rest = render({**recorded(name), "tasks": 0, "total": total}).split(b'"tasks":0')
    rows = b",".join(row(name, project, number + 1, omitted) for number in range(start, stop))
    return _answer("200 OK", b'"tasks":[%b]'.join(rest) % rows)


def _answer(status: str, body: bytes) -> bytes:
    lines = (
        f"HTTP/1.1 {status}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "\r\n",
    )
    return "\r\n".join(lines).encode() + body


def answer_to(target: str) -> bytes:
    """The answer to a GET."""
    parts = urlsplit(target)
    params = dict(parse_qsl(parts.query))
    tasks = int(params.pop("project", 0))
    number, size = int(params.pop("page", 1)), int(params.pop("page_size", 100))
    omitted = params.pop("omit", "")
    last, end, params = _between(params)
    name = next((name for name, asked in REQUESTS.items() if params in asked), None)
    if parts.path == "/api/tasks/" and (params, size) == (THE_LAST, 1):
        rest = {"total_annotations": 0, "total_predictions": 0, "total": tasks - last}
        return _answer("200 OK", render({**rest, "tasks": [{"id": tasks}]}))
    if parts.path != "/api/tasks/" or name is None:
        return _answer("501 Not Implemented", render({"detail": f"{target} was not recorded"}))
    start = last + (number - 1) * size
    end = min(tasks, end)
    if start >= end and number > 1:
        return _answer("404 Not Found", END)
    return page(name, tasks, start, min(start + size, end), end - last, omitted)


def _between(params: dict[str, str]) -> tuple[int, int, dict[str, str]]:
    """The id behind which a keyset page begins (else 0), the one at which it ends, and the
    parameters without them.
    """
    query = json.loads(params.get("query", "{}"))
    filters = query.pop("filters", None)
    if filters is None:
        return 0, sys.maxsize, params
    [item] = filters["items"]
    params = {**params, "query": json.dumps(query, separators=(",", ":"))}
    if (item["filter"], item["operator"]) == ("filter:tasks:id", "greater"):
        return item["value"], sys.maxsize, params
    if (item["filter"], item["operator"]) == ("filter:tasks:id", "in"):
        return item["value"]["min"] - 1, item["value"]["max"], params
    raise ValueError(f"not recorded: {item}")


class Connection(socketserver.StreamRequestHandler):
    """One connection, kept alive; each answer is sent at once and whole."""

    disable_nagle_algorithm = True
    latency = 0.0

    def handle(self) -> None:
        """Answer until the client leaves."""
        while request := self.rfile.readline():
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            answer = answer_to(request.split()[1].decode())
            time.sleep(self.latency)
            self.connection.sendall(answer)


class Server(socketserver.ThreadingTCPServer):
    """Listens on a free port of the loopback address."""

    daemon_threads = True


if __name__ == "__main__":
    Connection.latency = float(next(iter(sys.argv[1:]), 0)) / 1000
    with Server(("127.0.0.1", 0), Connection) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()  # until the process that started it ends
