"""The size of a process that copies, writes a snapshot or restores one, for two sizes of a project.

The servers are in memory, each in a process of its own. Each job is one too:

    python -m tests.soak.memory serve
    python -m tests.soak.memory copy URL KEY PROJECT URL KEY FOLDER
    python -m tests.soak.memory snapshot URL KEY PROJECT URL KEY FOLDER
    python -m tests.soak.memory restore URL KEY PROJECT URL KEY FOLDER
"""

from __future__ import annotations

import json
import re
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

from labelstudio_orm import LabelStudio, Project
from labelstudio_orm.migrate import Report, copy_project, restore, snapshot
from labelstudio_orm.testing import FakeLabelStudio

ROOT = Path(__file__).resolve().parents[2]
JOBS = ("copy", "snapshot", "restore")
AT_ONCE = 10_000


def peak() -> float:
    """The largest size that this process had, in MB. Not that of getrusage, which begins with the
    size of the process that started this one.
    """
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def memory(tasks: int) -> str:
    """What each job takes for so many tasks, and for a tenth of them."""
    few, many = (_sizes(number) for number in (tasks // 10, tasks))
    lines = [f"{tasks // 10:,} and {tasks:,} light tasks, both servers in memory:"]
    for job in JOBS:
        (small, _), (large, seconds) = few[job], many[job]
        each = (large - small) * 2**20 / (tasks - tasks // 10)
        lines.append(
            f"  {job}: {small:.0f} MB and {large:.0f} MB, {each:.0f} bytes for each task more "
            f"({seconds:.0f} s)"
        )
    return "\n".join(lines)


def _sizes(tasks: int) -> dict[str, tuple[float, float]]:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        (url, key), there = (stack.enter_context(_server()) for _ in range(2))
        project = _light(LabelStudio(url, key), tasks)
        found = {}
        for job in JOBS:
            words = [job, url, key, str(project.id), *there, folder]
            done = subprocess.run(_command(*words), stdout=subprocess.PIPE, cwd=ROOT, check=True)
            said: dict[str, Any] = json.loads(done.stdout)
            if said["tasks"] != tasks or not said["ok"]:
                raise SystemExit(f"{job} of {tasks} tasks: {said}")
            found[job] = said["MB"], said["seconds"]
            print(f"{job} of {tasks:,} tasks: {said}", file=sys.stderr)
    return found


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "tests.soak.memory", *words]


@contextmanager
def _server() -> Iterator[tuple[str, str]]:
    """The address and the key of a server in memory."""
    with subprocess.Popen(
        _command("serve"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            url, key = process.stdout.readline().split()
            yield url, key
        finally:
            process.stdin.close()


def _light(ls: LabelStudio, tasks: int) -> Project:
    project = ls.projects.create(title="Light")
    for start in range(0, tasks, AT_ONCE):
        numbers = range(start, min(tasks, start + AT_ONCE))
        project.tasks.bulk_create(
            [{"data": {"text": f"Review {number}"}} for number in numbers], batch_size=AT_ONCE
        )
    return project


# -- the processes ---------------------------------------------------------------------------------


def _serve() -> None:
    fake = FakeLabelStudio()
    with fake.serve() as url:
        print(url, fake.api_key, flush=True)
        while not _is_closed(sys.stdin):
            fake.requests.clear()  # the log of them would be most of it


def _is_closed(stream: TextIO) -> bool:
    """Looks for a second."""
    readable, _, _ = select.select([stream], [], [], 1.0)
    return bool(readable)


def _job(job: str, source: LabelStudio, project: int, target: LabelStudio, folder: Path) -> Report:
    archive = folder / "snapshot.zip"
    if job == "copy":
        return copy_project(
            source.projects.get(project), to=target, journal=folder / "copy.db", title="Copied"
        )
    if job == "snapshot":
        return snapshot(source.projects.get(project), archive)
    return restore(archive, target, journal=folder / "restore.db", title="Restored")


def main() -> None:
    job, *words = sys.argv[1:]
    if job == "serve":
        _serve()
        return
    url, key, project, *there, folder = words
    started = time.monotonic()
    report = _job(job, LabelStudio(url, key), int(project), LabelStudio(*there), Path(folder))
    said = {
        "ok": report.ok,
        "tasks": report.counts["tasks"].created,
        "seconds": time.monotonic() - started,
        "MB": peak(),
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main()
