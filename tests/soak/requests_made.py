"""The requests of a process: how many of each kind, their seconds and their bytes."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter

Kinds = dict[str, dict[str, float]]
"""By the side and the kind of the request: ``requests``, ``seconds``, and ``MB`` both ways."""


def count_requests(sides: Mapping[str, str]) -> Kinds:
    """Return a table that gets every request from now on; ``sides`` are names by address.

    The seconds are those until the answer begins, which is when the server has it as a whole. Those
    of several threads overlap.
    """
    found: Kinds = defaultdict(lambda: {"requests": 0, "seconds": 0.0, "MB": 0.0})
    plain = HTTPAdapter.send

    def send(self: HTTPAdapter, request: Any, *args: Any, **kwargs: Any) -> Any:
        started = time.monotonic()
        answer = plain(self, request, *args, **kwargs)
        size = len(request.body or b"") + int(answer.headers.get("Content-Length") or 0)
        one = found[_kind(request, sides)]
        one["requests"] += 1
        one["seconds"] += time.monotonic() - started
        one["MB"] += size / 1e6
        return answer

    HTTPAdapter.send = send  # type: ignore[method-assign]
    return found


def _kind(request: Any, sides: Mapping[str, str]) -> str:
    parts = urlsplit(request.url)
    side = sides.get(f"{parts.scheme}://{parts.netloc}", parts.netloc)
    return f"{side} {request.method} {re.sub('[0-9]+', 'N', parts.path)}"


def table(kinds: Kinds) -> list[str]:
    """Return lines that show the requests, those that took longest first."""
    rows = sorted(kinds.items(), key=lambda item: -item[1]["seconds"])
    return [
        f"  {one['requests']:5,.0f} requests {one['seconds']:7.1f} s {one['MB']:7.1f} MB  {kind}"
        for kind, one in rows
    ]
