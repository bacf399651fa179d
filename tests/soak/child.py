"""One copy, in a process of its own that may be killed:

    python -m tests.soak.child SOURCE KEY PROJECT TARGET KEY JOURNAL [--batch N]

Prints the report, the seconds and the largest size of the process as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter

from labelstudio_orm import LabelStudio
from labelstudio_orm._migrate.engine import importing
from labelstudio_orm.migrate import copy_project
from tests.soak.memory import peak
from tests.soak.requests_made import count_requests


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("source", "source_key", "project", "target", "target_key", "journal"):
        parser.add_argument(name)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--title")
    words = parser.parse_args()
    if words.batch:
        importing.BATCH = words.batch
    source = LabelStudio(words.source, words.source_key)
    target = LabelStudio(words.target, words.target_key)
    kinds = count_requests({source.url: "source", target.url: "target"})
    started, cpu = time.monotonic(), time.process_time()
    report = copy_project(
        source.projects.get(int(words.project)),
        to=target,
        title=words.title,
        journal=words.journal,
        missing_users="create",
        progress=lambda done, total: print(f"\r{done} of {total}", end="", file=sys.stderr),
    )
    found = {
        "report": report.as_json(),
        "text": str(report),
        "kinds": Counter(one.kind for one in report.differences),
        "seconds": time.monotonic() - started,
        "cpu": time.process_time() - cpu,
        "requests": kinds,
        "MB": peak(),
    }
    print(json.dumps(found))
    sys.exit(report.exit_code)


if __name__ == "__main__":
    main()
