"""Migrations that are killed, that go through a bad network, that are large; on two real servers.

    python -m tests.soak.migration kills [--kills 5] [--tasks 300] [--seed 1]
    python -m tests.soak.migration network [--rate 0.02] [--tasks 300]
    python -m tests.soak.migration snippets [--limit 23703] [--no-official]
    python -m tests.soak.migration memory [--tasks 200000] [--annotated] [--jobs copy sync]

Each prints what it found, and fails if the end is not that of an undisturbed migration. The last
one needs no real server.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from labelstudio_orm import LabelStudio, Project
from labelstudio_orm.migrate import verify
from labelstudio_orm.testing import LocalLabelStudio
from labelstudio_orm.testing import _environments as environments
from tests.helpers import present
from tests.soak import scenario
from tests.soak.memory import JOBS, memory
from tests.soak.proxy import BadProxy
from tests.soak.requests_made import table

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "bench"))

from measure import server_cpu  # noqa: E402

# -- the parts -------------------------------------------------------------------------------------


@contextmanager
def two_servers() -> Iterator[tuple[LocalLabelStudio, LocalLabelStudio]]:
    """From the first to the second; on that one users have other ids."""
    with LocalLabelStudio() as source, LocalLabelStudio() as target:
        target.client().users.create(email="somebody@example.com")
        yield source, target


class Copying:
    """Copies of a project, each in a process of its own."""

    def __init__(
        self, source: LocalLabelStudio, target: LocalLabelStudio, project: Project, batch: int
    ) -> None:
        self.source, self.target, self.project, self.batch = source, target, project, batch

    def command(self, journal: Path, title: str, urls: Sequence[str] = ()) -> list[str]:
        """``urls``: those of proxies before the servers."""
        source, target = urls or (self.source.url, self.target.url)
        return [
            sys.executable,
            "-m",
            "tests.soak.child",
            *(source, self.source.api_key, str(self.project.id)),
            *(target, self.target.api_key, str(journal)),
            *("--batch", str(self.batch), "--title", title),
        ]

    def whole(self, journal: Path, title: str, urls: Sequence[str] = ()) -> dict[str, Any]:
        """One that nobody kills; what it printed. Raises CalledProcessError if it fails."""
        done = subprocess.run(self.command(journal, title, urls), stdout=subprocess.PIPE, cwd=ROOT)
        if done.returncode:
            print(done.stdout.decode(), file=sys.stderr)  # the report says what is not the same
            done.check_returncode()
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def killed(self, journal: Path, title: str, seconds: float) -> bool:
        """One that is killed after so many seconds; was it, before it ended by itself?"""
        with subprocess.Popen(
            self.command(journal, title),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        ) as process:
            try:
                _, printed = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.communicate()
                return True
        if process.returncode:
            raise SystemExit(printed.decode()[-5000:])
        return False


def state(ls: LabelStudio, project: Project) -> dict[str, Any]:
    """What can be counted on the target."""
    project = ls.projects.get(project.id)
    names = ("task_number", "total_annotations_number", "total_predictions_number")
    drafts = sum(
        ls.drafts.filter(task=task).count() for task in project.tasks.filter(draft_exists=True)
    )
    return {
        **{name: getattr(project, name) for name in names},
        "drafts": drafts,
        "views": len(project.views.all()),
        "files": sorted(file.name[9:] for file in project.files.all()),
        "description": project.description,
    }


def compare(ls: LabelStudio, first: Project, second: Project, projects: int) -> None:
    """Raises SystemExit unless the two are the same, and are all that was made."""
    one, two = state(ls, first), state(ls, second)
    if one != two:
        raise SystemExit(f"undisturbed: {one}\ndisturbed:   {two}")
    report = verify(first, second, parts=("tasks", "views", "webhooks", "files"))
    if not report.ok:
        raise SystemExit(str(report))
    if len(ls.projects.all()) != projects:
        raise SystemExit(f"there are {ls.projects.count()} projects, not {projects}")
    emails = Counter(user.email for user in ls.users.all())
    if max(emails.values()) > 1:
        raise SystemExit(f"users are there twice: {emails}")


# -- what is shown ---------------------------------------------------------------------------------


def kills(
    source: LocalLabelStudio,
    target: LocalLabelStudio,
    *,
    times: int,
    tasks: int,
    batch: int,
    seed: int,
    longest: float,
) -> str:
    """One migration, killed at random moments and resumed."""
    chance = random.Random(seed)
    ls, there = source.client(), target.client()
    project = scenario.everything(ls, tasks=tasks, drafts=max(10, tasks // 20), files=5)
    copying = Copying(source, target, project, batch)
    with tempfile.TemporaryDirectory() as folder:
        projects = len(there.projects.all())
        calm = copying.whole(Path(folder, "calm.db"), "Calm")
        journal, happened = Path(folder, "killed.db"), 0
        while happened < times:
            if not copying.killed(journal, "Calm", chance.uniform(0.3, longest)):
                break
            happened += 1
            print(f"\rkilled {happened} times", end="", file=sys.stderr)
        last = copying.whole(journal, "Calm")
        again = copying.whole(journal, "Calm")
        first, second = (there.projects.get(one["report"]["target"]) for one in (calm, last))
        compare(there, first, second, projects + 2)
        created = [done["created"] for done in again["report"]["counts"].values()]
    if any(created):
        raise SystemExit(f"a further run created something: {again['report']['counts']}")
    return (
        f"{happened} kills in one migration of {first.task_number:,} tasks "
        f"({calm['seconds']:.0f} s undisturbed): the end is the same"
    )


def network(
    source: LocalLabelStudio,
    target: LocalLabelStudio,
    *,
    rate: float,
    tasks: int,
    batch: int,
    seed: int,
    longest: float = 2.0,
) -> str:
    """One migration through proxies that disturb it; run again where it gives up."""
    ls, there = source.client(), target.client()
    project = scenario.everything(ls, tasks=tasks, drafts=max(10, tasks // 20), files=5)
    copying = Copying(source, target, project, batch)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        projects = len(there.projects.all())
        calm = copying.whole(Path(folder, "calm.db"), "Calm")
        proxies = [
            stack.enter_context(BadProxy(server.url, rate, seed + place, longest))
            for place, server in enumerate((source, target))
        ]
        for runs in range(1, 21):
            try:
                journal = Path(folder, "disturbed.db")
                last = copying.whole(journal, "Calm", [proxy.url for proxy in proxies])
                break
            except subprocess.CalledProcessError as error:
                print(f"run {runs} gave up: {error}", file=sys.stderr)
        else:
            raise SystemExit(f"not one of {runs} runs ended right")
        first, second = (there.projects.get(one["report"]["target"]) for one in (calm, last))
        compare(there, first, second, projects + 2)
        troubles = sum((proxy.done for proxy in proxies), Counter())
        requests = sum(proxy.requests for proxy in proxies)
    said = ", ".join(f"{number} x {kind}" for kind, number in sorted(troubles.items()))
    return (
        f"{requests:,} requests, of which {sum(troubles.values())} were disturbed ({said}), in "
        f"{runs} runs: the end is the same"
    )


def snippets(
    source: LocalLabelStudio, target: LocalLabelStudio, *, limit: int | None, official: bool
) -> str:
    """A large one, verified; and beside it the official client's way."""
    ls, there = source.client(), target.client()
    project = scenario.rated_snippets(ls, limit)
    number = project.total_annotations_number + project.skipped_annotations_number
    size = f"{project.task_number:,} tasks, {number:,} annotations"
    lines = [f"{size}, to another server, users with other ids there:"]
    copying = Copying(source, target, project, batch=1000)
    clock = Clock(source, target)
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder, "snippets.db")
        ours = copying.whole(journal, "Snippets")
        lines += [
            f"ours: {ours['seconds']:.1f} s with the verification, {ours['MB']:.0f} MB, the "
            f"journal {journal.stat().st_size / 1e6:.0f} MB; {ours['report']['different']} "
            "differences",
            clock.lap(ours),
            *table(ours["requests"]),
        ]
        again = copying.whole(journal, "Snippets")
        lines += [
            f"once more (reads and compares everything): {again['seconds']:.1f} s",
            clock.lap(again),
            *table(again["requests"]),
        ]
    lines += ["", ours["text"], ""]
    if official:
        lines += _official(source, target, project, there, ours)
    return "\n".join(lines)


class Clock:
    """CPU time of both servers, in laps."""

    def __init__(self, *servers: LocalLabelStudio) -> None:
        self._sessions = [str(present(server._process).pid) for server in servers]
        self._last = self._now()

    def _now(self) -> list[float]:
        return [server_cpu(session) for session in self._sessions]

    def lap(self, figures: dict[str, Any]) -> str:
        """Describe the CPU seconds since the last lap; ``figures`` are those of the client."""
        before, self._last = self._last, self._now()
        sides = [now - then for now, then in zip(self._last, before, strict=True)]
        figures["all_cpu"] = figures["cpu"] + sum(sides)
        return (
            f"  CPU seconds: {figures['cpu']:.1f} of the client, {sides[0]:.1f} of the source, "
            f"{sides[1]:.1f} of the target; {figures['all_cpu']:.1f} in all"
        )


def _official(
    source: LocalLabelStudio,
    target: LocalLabelStudio,
    project: Project,
    there: LabelStudio,
    ours: dict[str, Any],
) -> Iterator[str]:
    name = "label-studio-sdk==2.1.2"
    folder = environments.cache_folder() / name.replace("==", "-")
    python = environments.environment(folder, [name], what=name)
    command = [str(python), str(ROOT / "tests" / "soak" / "official.py")]
    command += [source.url, source.api_key, str(project.id), target.url, target.api_key]
    clock = Clock(source, target)
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        yield f"official: failed: {done.stderr.decode()[-2000:]}"
        return
    found = json.loads(done.stdout)
    yield f"official: {found['seconds']:.1f} s without any verification, {found['MB']:.0f} MB"
    yield clock.lap(found)
    seconds, cpu = (ours[name] / found[name] for name in ("seconds", "all_cpu"))
    yield f"ours to official: {seconds:.2f} of the time, {cpu:.2f} of the CPU time"
    report = verify(project, there.projects.get(found["target"]))
    kinds = Counter((one.kind, one.field) for one in report.differences)
    yield f"  of it {report.different:,} differences, of the first thousand:"
    for (kind, field), number in kinds.items():
        yield f"    {number} {kind}{'.' * bool(field)}{field}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("kills")
    one.add_argument("--kills", type=int, default=5, dest="times")
    one.add_argument("--longest", type=float, default=4.0)
    two = commands.add_parser("network")
    two.add_argument("--rate", type=float, default=0.02)
    three = commands.add_parser("snippets")
    three.add_argument("--limit", type=int)
    three.add_argument("--no-official", dest="official", action="store_false")
    for command in (one, two):
        command.add_argument("--tasks", type=int, default=300)
        command.add_argument("--batch", type=int, default=10)
        command.add_argument("--seed", type=int, default=1)
    four = commands.add_parser("memory")
    four.add_argument("--tasks", type=int, default=200_000)
    four.add_argument("--annotated", action="store_true")
    four.add_argument("--jobs", nargs="+", choices=[*JOBS])
    words = vars(parser.parse_args())
    runs: dict[str, Callable[..., str]] = {
        "kills": kills, "network": network, "snippets": snippets, "memory": memory
    }  # fmt: skip
    run = runs[words.pop("command")]
    started = time.monotonic()
    with ExitStack() as stack:
        servers = () if run is memory else stack.enter_context(two_servers())
        said = run(*servers, **words)
    print(f"{said}\n({time.monotonic() - started:.0f} s in all)")


if __name__ == "__main__":
    main()
