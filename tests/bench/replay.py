"""A server that replays recorded pages of tasks, doing as little per request as it can.

Every project has as many tasks as its id says: the recorded rows, over and over, with new ids. A
request that was not recorded is refused, so the clients are measured with what they really ask for.
"""

from __future__ import annotations

import gzip
import json
import socketserver
import sys
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

RECORDED = Path(__file__).parent / "recorded"

BY_ID = '{"ordering":["tasks:id"]}'

REQUESTS: dict[str, tuple[dict[str, str], ...]] = {
    "light": ({"query": BY_ID, "resolve_uri": "false"}, {"fields": "task_only"}),
    "embedded": ({"query": BY_ID, "resolve_uri": "false", "fields": "all"}, {"fields": "all"}),
}
"""The recordings, and what may be asked for each, apart from the project and the page.

First what labelstudio_orm asks for, then what the official client does (its default is
``fields=all``); record.py has made sure that the answers are the same bytes."""

END = b'{"id":"","status_code":404,"version":"","detail":"Invalid page.","exc_info":null}'


def render(value: Any) -> bytes:
    """JSON as Label Studio writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@lru_cache
def recorded(name: str) -> dict[str, Any]:
    """The recorded page of this name."""
    page: dict[str, Any] = json.loads(gzip.decompress((RECORDED / f"{name}.json.gz").read_bytes()))
    return page


def row(name: str, number: int) -> bytes:
    """Task ``number``, counted from 1, with what was recorded inside it."""
    rows = recorded(name)["tasks"]
    task = {**rows[(number - 1) % len(rows)], "id": number, "inner_id": number}
    for key in ("annotations", "predictions"):
        if key in task:
            task[key] = [
                {**inner, "id": 10 * number + place, "task": number}
                for place, inner in enumerate(task[key])
            ]
    return render(task)


@lru_cache(maxsize=1000)
def page(name: str, start: int, stop: int, total: int) -> bytes:
    """An answer with the tasks from ``start`` to ``stop``, made once and kept."""
    rest = render({**recorded(name), "tasks": 0, "total": total}).split(b'"tasks":0')
    rows = b",".join(row(name, number + 1) for number in range(start, stop))
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
    last, params = _after(params)
    name = next((name for name, asked in REQUESTS.items() if params in asked), None)
    if parts.path != "/api/tasks/" or name is None:
        return _answer("501 Not Implemented", render({"detail": f"{target} was not recorded"}))
    start = last + (number - 1) * size
    if start >= tasks and number > 1:
        return _answer("404 Not Found", END)
    return page(name, start, min(start + size, tasks), tasks - last)


def _after(params: dict[str, str]) -> tuple[int, dict[str, str]]:
    """The id after which a keyset page begins, else 0, and the parameters without it."""
    query = json.loads(params.get("query", "{}"))
    filters = query.pop("filters", None)
    if filters is None:
        return 0, params
    [item] = filters["items"]
    if (item["filter"], item["operator"]) != ("filter:tasks:id", "greater"):
        return 0, params
    return item["value"], {**params, "query": json.dumps(query, separators=(",", ":"))}


class Connection(socketserver.StreamRequestHandler):
    """One connection, kept alive; each answer is sent at once and whole."""

    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Answer until the client leaves."""
        while request := self.rfile.readline():
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            self.connection.sendall(answer_to(request.split()[1].decode()))


class Server(socketserver.ThreadingTCPServer):
    """Listens on a free port of the loopback address."""

    daemon_threads = True


if __name__ == "__main__":
    with Server(("127.0.0.1", 0), Connection) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()  # until the process that started it ends
