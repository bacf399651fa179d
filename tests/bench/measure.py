"""What the measured programs share.

Nothing but the standard library, since each program has an environment of its own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any


def main(
    connect: Callable[[str, str], Any], works: dict[str, Callable[[Any, int], object]]
) -> None:
    """Do the work that the command line names, ``url work tasks``, and print its figures.

    A small project is read first, so that connecting and late imports are not in the figures.
    """
    url, name, tasks = sys.argv[1], sys.argv[2], int(sys.argv[3])
    client, work = connect(url, "0" * 40), works[name]
    work(client, 1000)
    wall, cpu = time.perf_counter(), time.process_time()
    found = work(client, tasks)
    figures = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    print(json.dumps({**figures, "found": found}))
