"""Two servers that get the same requests: a real one, and the one in memory.

Their ids are made equal first, so nothing else may use the real server. What legitimately differs
(times, tokens, the texts of internal errors) is masked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import requests

from labelstudio_orm.testing import FakeLabelStudio, LocalLabelStudio

Step = tuple[str, Any, Any]
"""Method, path, JSON; the path may be a function of the last answer of the same server."""


class Twin:
    """One of the two servers, and the times of its tasks, which requests name."""

    def __init__(self, url: str, api_key: str, send: Callable[..., requests.Response]) -> None:
        self.url, self.api_key, self._send = url, api_key, send
        self.times: dict[int, str] = {}
        self.last: Any = None

    def ask(
        self, step: Step, headers: dict[str, str] | None = None, **options: Any
    ) -> tuple[int, Any]:
        """Return the status and the body; ``@N@`` in a request is the time of task N.

        ``options`` of requests, such as ``files``, replace the JSON.
        """
        method, path, body = step
        path = path(self.last) if callable(path) else path
        sent = {"Authorization": f"Token {self.api_key}"}
        if not options:
            content = None if body is None else re.sub(r"@(\d+)@", self._time, json.dumps(body))
            options = {"data": content}
            sent.update({} if content is None else {"Content-Type": "application/json"})
        path = re.sub(r"@(\d+)@|%40(\d+)%40", self._time, path)
        response = self._send(
            method, self.url + path, headers={**sent, **(headers or {})}, **options
        )
        self.last = self._body(response)
        return response.status_code, self.last

    def _body(self, response: requests.Response) -> Any:
        text = response.text.replace(self.url, "<url>")
        kind = response.headers.get("Content-Type", "")
        try:
            content = json.loads(text)
        except ValueError:
            content = "<page>" if kind.startswith("text/html") and text else text
        if "filename" in response.headers:
            name, shown = response.headers["filename"], response.headers["Content-Disposition"]
            return {"type": kind, "filename": name, "disposition": shown, "content": content}
        return content

    def _time(self, match: re.Match[str]) -> str:
        return self.times[int(match[1] or match[2])]


class Twins:
    """Both servers, which get the same requests."""

    def __init__(self, real: Twin, fake: Twin) -> None:
        self.real, self.fake = real, fake
        self.ids: dict[str, Any] = {}

    def both(self, step: Step, headers: dict[str, str] | None = None) -> Any:
        """Return the common answer; fails when there is none."""
        found = self.difference(step, headers)
        assert found is None, found
        return self._last

    def difference(
        self, step: Step, headers: dict[str, str] | None = None, **options: Any
    ) -> str | None:
        """Return how the answers differ, or None."""
        real = self.real.ask(step, headers, **options)
        fake = self.fake.ask(step, headers, **options)
        self._last = real[1]
        a, b = (real[0], mask(real[1])), (fake[0], mask(fake[1]))
        if real[0] == fake[0] == 500 or a == b:
            return None
        shown = [f"{one[0]} {shorter(one[1], other[1])}" for one, other in ((a, b), (b, a))]
        return f"{step} {options or ''}\n  real: {shown[0]}\n  fake: {shown[1]}"

    def differences(self, steps: list[Step]) -> list[str]:
        """Return the differences of requests that change nothing, sent a few at a time.

        Exports go alone: the real server writes each to a file that it names after the minute and
        the data, so that one may read what another has only begun to write.
        """
        alone = [step for step in steps if "/export?" in step[1]]
        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(self.difference, [step for step in steps if step not in alone]))
        return [one for one in [*found, *map(self.difference, alone)] if one]


class Script:
    """Requests that change things, one after the other; differences are collected."""

    def __init__(self, twins: Twins) -> None:
        self.twins, self.count = twins, 0
        self.found: list[str] = []

    def __call__(
        self,
        method: str,
        path: Any,
        body: Any = None,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> Any:
        """Send a request to both and return the real answer."""
        self.count += 1
        difference = self.twins.difference((method, path, body), headers, **options)
        if difference:
            self.found.append(difference)
        return self.twins._last

    def same(self, what: str, real: Any, fake: Any) -> None:
        """Compare anything else of the two."""
        self.count += 1
        a, b = mask(real), mask(fake)
        if a != b:
            self.found.append(f"{what}\n  real: {shorter(a, b)}\n  fake: {shorter(b, a)}")

    def finish(self) -> None:
        """Fail when there was a difference."""
        assert not self.found, f"{len(self.found)} of {self.count}\n" + "\n".join(self.found[:25])


def shorter(mine: Any, other: Any) -> str:
    """Return only what differs."""
    if isinstance(mine, dict) and isinstance(other, dict):
        keys = [key for key in mine if key not in other or other[key] != mine[key]]
        return "{" + ", ".join(f"{key}: {shorter(mine[key], other.get(key))}" for key in keys) + "}"
    if isinstance(mine, list) and isinstance(other, list) and len(mine) == len(other):
        return str([shorter(x, y) for x, y in zip(mine, other, strict=True) if x != y])
    return json.dumps(mine, ensure_ascii=False)[:500]


_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?$")


# The random part of an uploaded file's name, of the address of an invitation, of an export's name.
_RANDOM = re.compile(
    r"\b[0-9a-f]{8}(?=--?[^-/\s]+\.\w+)|(?<=xxx)_\w{7}(?=\.png)|(?<=token=)\w{20,}"
    r"|-at-\d{4}(-\d\d){4}(-[0-9a-f]{8}(_\w{7})?)?"
)
# What clouds report of themselves: the address of Google, the id of a request to Azure.
_CLOUD = re.compile(r"(?<=GET )http\S+: .*|\nRequestId:(.|\n)*")
_TIMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_MASKED = {
    *("duration", "token", "access", "refresh", "created_ago", "unique_id", "last_activity"),
    *("date_joined", "label_config_hash", "md5"),
}


def mask(value: Any, key: str = "") -> Any:
    """Return a value without what differs from run to run."""
    if isinstance(value, dict):
        if "exc_info" in value:
            value = {k: v for k, v in value.items() if k != "id"}
        if key == "dialog":
            value = {k: v for k, v in value.items() if k != "text"}
        return {k: mask(v, k) for k, v in value.items()}
    if key == "columns":  # those of task data in no certain order
        value = sorted(value, key=lambda column: (column["id"] == "data", column["id"]))
    if isinstance(value, list) and value and isinstance(value[0], dict) and "link" in value[0]:
        value = [{k: row.get(k) for k in ("name", "title", "tags", "disabled")} for row in value]
    if key in ("annotators", "children", "data_columns") and isinstance(value, list):
        return sorted(value)
    if isinstance(value, list):
        return [mask(item) for item in value]
    if key in ("annotations_ids", "predictions_model_versions") and isinstance(value, str):
        return sorted(value.split(","))
    if key in _MASKED:
        return f"<{key}>" if value is not None else None
    if isinstance(value, str):
        value = _TIMES.sub("<time>", _RANDOM.sub("<random>", _CLOUD.sub("<cloud>", value)))
    if key == "traceback" and isinstance(value, str):
        return value.strip().splitlines()[-1]
    if isinstance(value, str) and _TIME.match(value):
        return "<time>"
    if key == "detail" and isinstance(value, str) and re.search(r"line \d+, column \d+", value):
        return "<what an XML parser says>"
    return value


@contextmanager
def twins_of(server: LocalLabelStudio, fake: FakeLabelStudio) -> Iterator[Twins]:
    """Yield the two servers, which continue with the same ids."""

    def send_real(method: str, url: str, **options: Any) -> requests.Response:
        with requests.Session() as session:  # a connection kept alive costs 40 ms more per request
            session.trust_env = False
            return session.request(method, url, timeout=60, **options)

    fake_session = fake.session()
    real = Twin(server.url, server.api_key, send_real)
    both = Twins(real, Twin(fake.url, fake.api_key, fake_session.request))
    align(both, fake)
    yield both


def align(twins: Twins, fake: FakeLabelStudio) -> None:
    """Let the fake continue with the ids of the real server, which must be a new one."""
    real = twins.real
    (me,) = real.ask(("GET", "/api/users/", None))[1]
    names = ("email", "first_name", "last_name", "username", "phone")
    fake.store.update("user", 1, {name: me[name] for name in names})
    made: dict[str, int] = {}
    for name, twin in (("real", real), ("fake", twins.fake)):
        if name == "fake":
            for table, pk in made.items():
                sql = "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)"
                fake.store.execute("DELETE FROM sqlite_sequence WHERE name = ?", table)
                fake.store.execute(sql, table, pk - 1)
        ids = made if name == "real" else {}

        def create(table: str, path: str, body: Any, twin: Twin = twin, ids: Any = ids) -> int:
            ids[table] = twin.ask(("POST", path, body))[1]["id"]
            return int(ids[table])

        project = create("project", "/api/projects/", {"title": "probe"})
        task = create("task", "/api/tasks/", {"project": project, "data": {"a": 1}})
        create("annotation", f"/api/tasks/{task}/annotations/", {"result": []})
        create("prediction", "/api/predictions/", {"task": task, "result": []})
        create("view", "/api/dm/views/", {"project": project, "data": {}})
        create("user", "/api/users/", {"username": "probe", "email": "probe@x.yz"})
        assert ids == made
    twins.ids.update(probe=made["project"], other_user=made["user"], first_task=made["task"])
