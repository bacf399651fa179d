"""Measure labelstudio_orm beside the official client and a bare loop, all in one run.

    python tests/bench/run.py [--quick]

Prints tables of times and of ratios. The repetitions of the programs alternate, and a ratio is the
median of the ratios within the rounds, so that whatever else the machine does meanwhile falls on
all of them alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PYTHON = sys.executable
sys.path.insert(0, str(ROOT))

from labelstudio_orm.testing import environments  # noqa: E402

OFFICIAL = "label-studio-sdk==2.1.2"
"""The newest release when the figures in README.md were taken."""

TASKS = 20_000

LATENCY = 50
"""Milliseconds."""

Figures = dict[str, Any]
Rounds = Mapping[str, list[Figures]]
Program = Callable[[], Figures]


def official_python() -> str:
    """The interpreter of an environment with the official client, made once in the cache folder."""
    folder = environments.cache_folder() / OFFICIAL.replace("==", "-")
    return str(environments.environment(folder, [OFFICIAL], what=OFFICIAL))


@contextmanager
def replay(latency: int = 0) -> Iterator[str]:
    """The address of a replay server, which ends with the block. ``latency``: milliseconds that
    each of its answers waits.
    """
    command = [PYTHON, str(HERE / "replay.py"), str(latency)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.stdin.close()


# The programs


def output_of(*command: str, **settings: str) -> str:
    """What a program prints; if it fails, so does this."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1", **settings}
    # What is installed has its bytecode, so the checkout must not be compiled at each start.
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def whole(python: str, code: str) -> Program:
    """A whole process that runs ``code``."""

    def measured() -> Figures:
        wall, cpu = time.perf_counter(), children_cpu()
        output_of(python, "-c", code)
        return {"wall": time.perf_counter() - wall, "cpu": children_cpu() - cpu}

    return measured


def children_cpu() -> float:
    """CPU seconds of all the programs that ended so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(programs: Mapping[str, Program], repetitions: int) -> Rounds:
    """The figures of each program by round; a first round, which fills caches, is left out.

    SystemExit when the programs did not all read the same.
    """
    rounds = [{name: run() for name, run in programs.items()} for _ in range(repetitions + 1)]
    if len({figures.get("found") for one in rounds for figures in one.values()}) > 1:
        raise SystemExit(f"the programs did not read the same: {rounds[0]}")
    return {name: [one[name] for one in rounds[1:]] for name in programs}


# The tables


def row(name: str, wall: list[float], cpu: list[float], form: str) -> None:
    """A line of a table: medians, and the lowest and the highest."""
    cells = (
        f"{statistics.median(x):{form}} ({min(x):{form}}-{max(x):{form}})" for x in (wall, cpu)
    )
    print("|", " | ".join((name, *cells)), "|", flush=True)


def times(title: str, rounds: Rounds) -> None:
    """A table of seconds, and the head of one of ratios."""
    print(f"\n### {title}\n\n| | seconds | CPU seconds |\n| --- | --- | --- |")
    for name, runs in rounds.items():
        row(name, [run["wall"] for run in runs], [run["cpu"] for run in runs], ".3f")
    print("\n| ratio | of times | of CPU times |\n| --- | --- | --- |")


def ratio(what: str, rounds: Rounds, over: str, under: str) -> None:
    """A line: the time of ``over`` divided by that of ``under``."""
    pairs = list(zip(rounds[over], rounds[under]))  # noqa: B905
    wall, cpu = ([a[kind] / b[kind] for a, b in pairs] for kind in ("wall", "cpu"))
    row(what, wall, cpu, ".2f")


# What is measured


@dataclass(frozen=True)
class Bench:
    """A replay server, an environment with the official client, and how often to repeat."""

    url: str
    official: str
    repetitions: int

    def imports(self) -> None:
        """Whole processes up to a client that can be used."""
        base = "import requests, attrs, cattrs"
        client = f"ls = LabelStudio({self.url!r}, api_key='token'); ls.projects"
        theirs = client.replace("(", "(base_url=", 1)
        rounds = measure(
            {
                "python alone": whole(PYTHON, "pass"),
                base: whole(PYTHON, base),
                "ours": whole(PYTHON, f"from labelstudio_orm import LabelStudio; {client}"),
                "official": whole(
                    self.official, f"from label_studio_sdk import LabelStudio; {theirs}"
                ),
            },
            self.repetitions,
        )
        times("(a) Import and first client, whole processes", rounds)
        ratio(f"ours / `{base}`", rounds, "ours", base)
        ratio("official / ours", rounds, "official", "ours")

    def reading(self, title: str, name: str, variants: Mapping[str, str]) -> None:
        """The same reading by all; ``variants`` are the works of the official client."""
        ours, theirs = ("ours", "ours with orjson"), [f"official, {what}" for what in variants]
        rounds = measure(
            {
                "bare loop": self._work(PYTHON, "bare.py", name),
                ours[0]: self._work(PYTHON, "ours.py", name, NO_ORJSON="1"),
                ours[1]: self._work(PYTHON, "ours.py", name),
                **{
                    f"official, {what}": self._work(self.official, "official.py", work)
                    for what, work in variants.items()
                },
            },
            self.repetitions,
        )
        times(f"{title}, {TASKS:,} tasks", rounds)
        for mine in ours:
            ratio(f"bare loop / {mine}", rounds, "bare loop", mine)
            for other in theirs:
                ratio(f"{other} / {mine}", rounds, other, mine)

    def _work(self, python: str, script: str, name: str, **settings: str) -> Program:
        command = (python, str(HERE / script), self.url, name, str(TASKS))
        return lambda: json.loads(output_of(*command, **settings))

    def workers(self) -> None:
        """The same reading by several workers, from a server that is far away."""
        with replay(LATENCY) as url:
            far = replace(self, url=url)
            numbers = {1: "1 worker", 2: "2 workers", 4: "4 workers", 8: "8 workers"}
            rounds = measure(
                {
                    name: far._work(PYTHON, "ours.py", f"workers-{number}", NO_ORJSON="1")
                    for number, name in numbers.items()
                },
                self.repetitions,
            )
        times(f"(e) Light tasks, {LATENCY} ms for each answer, {TASKS:,} tasks", rounds)
        for number in (2, 4, 8):
            ratio(f"{numbers[1]} / {numbers[number]}", rounds, numbers[1], numbers[number])

    def memory(self) -> None:
        """The memory of a loop by its length."""
        print("\n### (d) Memory during `for task in project.tasks.iterator()`\n")
        for tasks in (TASKS, 10 * TASKS):
            script = str(HERE / "ours.py")
            printed = output_of(PYTHON, script, self.url, "memory", str(tasks), NO_ORJSON="1")
            growth, peak = (number / 2**20 for number in json.loads(printed)["found"])
            print(
                f"* {tasks:,} tasks: {growth:+.1f} MiB after the first 10,000, peak {peak:.0f} MiB"
            )


def versions() -> str:
    """What is measured, and where."""
    ask = (
        "from importlib.metadata import version;"
        "names = 'requests', 'urllib3', 'attrs', 'cattrs', 'orjson';"
        "print(*(f'{name} {version(name)}' for name in names), sep=', ')"
    )
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores"
    return f"{machine}; {output_of(PYTHON, '-c', ask).strip()}; {OFFICIAL.replace('==', ' ')}"


def main() -> None:
    """Measure everything: some five minutes, half of it with ``--quick``."""
    parser = argparse.ArgumentParser(description="Print times and ratios of three clients.")
    parser.add_argument("--quick", action="store_true", help="three repetitions of each")
    quick = parser.parse_args().quick
    official = official_python()
    print(versions())
    with replay() as url:
        bench = Bench(url, official, 3 if quick else 9)
        bench.imports()
        bench.reading(
            "(b) Light tasks, id and text",
            "light",
            {
                "its defaults": "light",
                "pages of 1,000": "light-big",
                "light pages of 1,000": "light-asked",
            },
        )
        bench.reading(
            "(c) Tasks with annotations and predictions, all results",
            "embedded",
            {"its defaults": "embedded", "pages of 1,000": "embedded-big"},
        )
        bench.memory()
        bench.workers()


if __name__ == "__main__":
    main()
