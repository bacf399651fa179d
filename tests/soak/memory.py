"""The size and the CPU time of a process that does one thing, for two sizes of a project.

The servers are in memory, each in a process of its own. Each job is one too:

    python -m tests.soak.memory serve
    python -m tests.soak.memory job copy URL KEY PROJECT URL KEY FOLDER
"""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

import attrs
from pyarrow import parquet

from labelstudio_orm import Created, LabelStudio, Project, Task
from labelstudio_orm._cli import main as command_line
from labelstudio_orm.client import labelstudio_of
from labelstudio_orm.migrate import Report, copy_project, dedupe, merge, restore, snapshot, sync
from labelstudio_orm.testing import FakeLabelStudio
from tests.helpers import present

CONFIG = """\
<View>
  <Text name="text" value="$text"/>
  <Choices name="sentiment" toName="text">
    <Choice value="Positive"/><Choice value="Negative"/>
  </Choices>
</View>
"""
ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 10_000


def peak() -> float:
    """The largest size that this process had, in MB. Not that of getrusage, which begins with the
    size of the process that started this one.
    """
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


# -- the jobs --------------------------------------------------------------------------------------


@attrs.frozen
class Job:
    """What a job has at hand: a project of tasks, another server, and a folder."""

    project: Project
    target: LabelStudio
    folder: Path

    def new(self) -> Project:
        """An empty project beside the first one."""
        return labelstudio_of(self.project).projects.create(title="New", label_config=CONFIG)

    def data(self) -> Iterator[dict[str, Any]]:
        """As much data as the project has, one after the other."""
        return ({"text": f"Review {number}"} for number in range(self.project.task_number))

    def edited(self) -> Iterator[Any]:
        """The tasks, changed."""
        for task in self.project.tasks.iterator():
            task.data["read"] = True
            yield task


def consume(items: Iterable[Any]) -> int:
    """Read all of it, keep nothing, and count it."""
    return sum(1 for _ in items)


def _tables(job: Job) -> int:
    parts = job.project.tasks.partitions(max(1, job.project.task_number // 5_000))
    return sum(len(part.to_pandas("id", "data")) for part in parts)


def _imported(job: Job) -> int:
    path = job.folder / "import.jsonl"
    with path.open("w") as lines:
        lines.writelines(f"{json.dumps(one)}\n" for one in job.data())
    new = job.new()
    assert command_line(["import", str(new.id), str(path)]) == 0
    return new.tasks.count()


def _written(job: Job) -> int:
    """All tasks as a file of Parquet; how many it has."""
    path = job.project.tasks.to_parquet(job.folder / "tasks.parquet")
    return int(parquet.ParquetFile(path).metadata.num_rows)


def _read_back(job: Job) -> Created[Task]:
    new = job.new()
    made = new.tasks.bulk_create(job.folder / "tasks.parquet", returning=False)
    assert present(new.tasks.last()).data == present(job.project.tasks.last()).data
    return made


def _exported(job: Job) -> int:
    path = job.folder / "export.json"
    assert command_line(["export", str(job.project.id), str(path)]) == 0
    return path.stat().st_size and job.project.task_number


def _synced(job: Job) -> Report:
    job.project.tasks.filter(data__text__endswith="77").update(data__changed=True)
    copy = job.target.projects.filter(title="Copied").get()
    return sync(job.project, copy, journal=job.folder / "copy.db")


READS: Mapping[str, Callable[[Job], Any]] = {
    "iterator()": lambda job: consume(job.project.tasks.iterator()),
    "pages()": lambda job: sum(map(len, job.project.tasks.pages())),
    "values()": lambda job: consume(job.project.tasks.values("id", "data__text").iterator()),
    "filter, checked": lambda job: consume(
        job.project.tasks.filter(data__text__regex="^Review").iterator()
    ),
    "prefetch": lambda job: consume(job.project.tasks.prefetch("annotations").iterator()),
    "two workers": lambda job: consume(job.project.tasks.iterator(workers=2)),
    "partitions, to_pandas": _tables,
    "to_parquet": _written,
    "to_parquet, regions": lambda job: job.project.annotations.to_parquet(
        job.folder / "regions.parquet", "completed_by__email", "task__data__text", per="region"
    ),
    "export JSON": lambda job: job.project.tasks.filter(id__gt=0).export(
        "JSON", job.folder / "some.json"
    ),
    "command export": _exported,
}
WRITES: Mapping[str, Callable[[Job], Any]] = {
    "bulk_create": lambda job: job.new().tasks.bulk_create(job.data()),
    "command import": _imported,
    "bulk_create of to_parquet": _read_back,
    "copy": lambda job: copy_project(
        job.project, to=job.target, journal=job.folder / "copy.db", title="Copied"
    ),
    "sync": _synced,
    "snapshot": lambda job: snapshot(job.project, job.folder / "snapshot.zip"),
    "restore": lambda job: restore(
        job.folder / "snapshot.zip", job.target, journal=job.folder / "restore.db", title="Restored"
    ),
    "merge": lambda job: merge([job.project], into=job.new(), key="data.text"),
    "dedupe": lambda job: dedupe(job.project, key="data.text"),
    "rename a label": lambda job: job.project.labels.rename(
        "Positive", "Good", undo=job.folder / "undo.db"
    ),
    "update()": lambda job: job.project.tasks.filter(id__gt=0).update(data__seen=True),
    "bulk_update": lambda job: job.project.tasks.bulk_update(job.edited()),
    "delete()": lambda job: job.project.tasks.filter(id__gt=0).delete(),
}
JOBS = {**READS, **WRITES}


def memory(tasks: int, jobs: list[str] | None = None, *, annotated: bool = False) -> str:
    """What each job takes for so many tasks, and for a tenth of them."""
    few, many = (_figures(number, jobs or [*JOBS], annotated) for number in (tasks // 10, tasks))
    what = "tasks with an annotation each" if annotated else "light tasks"
    lines = [f"{tasks // 10:,} and {tasks:,} {what}, both servers in memory:"]
    for job, small in few.items():
        large = many[job]
        each = (large["MB"] - small["MB"]) * 2**20 / (tasks - tasks // 10)
        lines.append(
            f"  {job}: {small['MB']:.0f} and {large['MB']:.0f} MB, {each:.0f} bytes for each task "
            f"more; {small['cpu']:.1f} and {large['cpu']:.1f} s of its CPU"
        )
    return "\n".join(lines)


def _figures(tasks: int, jobs: Iterable[str], annotated: bool) -> dict[str, dict[str, Any]]:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        (url, key), there = (stack.enter_context(_server()) for _ in range(2))
        project = _project(LabelStudio(url, key), tasks, annotated)
        found = {}
        for job in jobs:
            words = ["job", job, url, key, str(project.id), *there, folder]
            environ = {**os.environ, "LABEL_STUDIO_URL": url, "LABEL_STUDIO_API_KEY": key}
            done = subprocess.run(
                _command(*words), stdout=subprocess.PIPE, cwd=ROOT, env=environ, check=True
            )
            found[job] = json.loads(done.stdout.splitlines()[-1])
            print(f"{job} of {tasks:,} tasks: {found[job]}", file=sys.stderr, flush=True)
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


def _project(ls: LabelStudio, tasks: int, annotated: bool) -> Project:
    project = ls.projects.create(title="Light", label_config=CONFIG)
    region = project.config["sentiment"].choice("Positive")
    more = {"annotations": [{"result": [region]}]} if annotated else {}
    for start in range(0, tasks, AT_ONCE):
        numbers = range(start, min(tasks, start + AT_ONCE))
        project.tasks.bulk_create(
            [{"data": {"text": f"Review {number}"}, **more} for number in numbers],
            batch_size=AT_ONCE,
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


def main() -> None:
    verb, *words = sys.argv[1:]
    if verb == "serve":
        _serve()
        return
    job, url, key, project, *there, folder = words
    ls, began = LabelStudio(url, key), time.process_time()
    done = JOBS[job](Job(ls.projects.get(int(project)), LabelStudio(*there), Path(folder)))
    if not getattr(done, "ok", True):
        raise SystemExit(f"{job}: {done}")
    summary = getattr(done, "summary", done)
    said = {"cpu": time.process_time() - began, "MB": peak(), "done": f"{summary!s:.60}"}
    print(json.dumps(said))


if __name__ == "__main__":
    main()
