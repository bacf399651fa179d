"""What the measured programs share.

Nothing but the standard library, since each program has an environment of its own.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

FEW = 20
"""Items of an import that is not measured."""

TICKS = os.sysconf("SC_CLK_TCK")


@lru_cache
def items() -> list[dict[str, Any]]:
    """The items to be imported, from the file that ``ITEMS`` in the environment names."""
    return json.loads(Path(os.environ["ITEMS"]).read_text()) if "ITEMS" in os.environ else []


def equal(column: str, value: str) -> dict[str, Any]:
    """The filter of the Data Manager for a text in the data."""
    leaf = {"filter": f"filter:tasks:{column}", "operator": "equal", "type": "String"}
    return {"conjunction": "and", "items": [{**leaf, "value": value}]}


def server_cpu(session: str) -> float:
    """CPU seconds of a server so far: of all processes of its session, which are alive."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if fields[3] == session:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def main(
    connect: Callable[[str, str], Any],
    works: dict[str, Callable[[Any, int], object]],
    sender: tuple[type, str] = (http.client.HTTPConnection, "putrequest"),
) -> None:
    """Do the work that the command line names and print its figures.

    The command line is ``url work project work project``: the first work is done before the
    clocks start, so that connecting and late imports are not in the figures. ``sender``: the class
    and its method that is called once for each request. With ``SERVER`` in the environment, the
    session of the server's processes, its CPU time and the requests are figures too.
    """
    url, first, small, name, project = sys.argv[1:]
    client, work = connect(url, os.environ.get("API_KEY", "0" * 40)), works[name]
    works[first](client, int(small))
    items()
    session, requests = os.environ.get("SERVER"), counted(*sender)
    served = server_cpu(session) if session else 0.0
    wall, cpu = time.perf_counter(), time.process_time()
    found = work(client, int(project))
    figures = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    if session:
        figures |= {"server": server_cpu(session) - served, "requests": len(requests)}
    print(json.dumps({**figures, "found": found}))


def counted(kind: type, method: str) -> list[None]:
    """A list that gets an element at each call of a method."""
    calls: list[None] = []
    plain = getattr(kind, method)

    def counting(*args: Any, **kwargs: Any) -> Any:
        calls.append(None)
        return plain(*args, **kwargs)

    setattr(kind, method, counting)
    return calls
