"""Programs that take turns, and the tables of their figures."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PYTHON = sys.executable
sys.path.insert(0, str(ROOT))

from labelstudio_orm.testing import _environments as environments  # noqa: E402

OFFICIAL = "label-studio-sdk==2.1.2"
"""The newest release when the figures in README.md were taken."""

Figures = dict[str, Any]
Rounds = Mapping[str, list[Figures]]
Program = Callable[[], Figures]


def official_python() -> str:
    """The interpreter of an environment with the official client, made once in the cache folder."""
    folder = environments.cache_folder() / OFFICIAL.replace("==", "-")
    return str(environments.environment(folder, [OFFICIAL], what=OFFICIAL))


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


def work(python: str, script: str, url: str, *words: object, **settings: str) -> Program:
    """A work of one of the scripts: see ``measure.main`` for the ``words``."""
    command = (python, str(HERE / script), url, *map(str, words))
    return lambda: json.loads(output_of(*command, **settings))


def children_cpu() -> float:
    """CPU seconds of all the programs that ended so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(programs: Mapping[str, Program], repetitions: int, *, warm_up: bool = True) -> Rounds:
    """The figures of each program by round, each of which another program begins; a first round,
    which fills caches, is left out unless there is no ``warm_up``.

    SystemExit when the programs did not all read the same.
    """
    rounds = []
    turns = deque(programs)
    for _ in range(repetitions + warm_up):
        rounds.append({name: programs[name]() for name in turns})
        turns.rotate(-1)
    if len({figures.get("found") for one in rounds for figures in one.values()}) > 1:
        raise SystemExit(f"the programs did not read the same: {rounds[0]}")
    return {name: [one[name] for one in rounds[warm_up:]] for name in programs}


# The tables


@dataclass(frozen=True)
class Column:
    """A figure of a program: what it is, how to get it, how to print it."""

    title: str
    value: Callable[[Figures], float]
    form: str


SECONDS = Column("seconds", lambda figures: figures["wall"], ".3f")
CPU = Column("CPU seconds", lambda figures: figures["cpu"], ".3f")


def table(title: str, head: str, columns: Sequence[Column]) -> None:
    """The title and the head of a table."""
    print(f"\n{title}\n\n" if title else "\n", end="")
    row(head, (column.title for column in columns))
    row("---", ["---"] * len(columns))


def row(name: str, cells: Iterable[str]) -> None:
    """A line of a table."""
    print("|", " | ".join((name, *cells)), "|", flush=True)


def cell(values: list[float], form: str) -> str:
    """The median, and the lowest and the highest where they differ."""
    median, low, high = (f"{f(values):{form}}" for f in (statistics.median, min, max))
    return median if low == high else f"{median} ({low}-{high})"


def times(title: str, rounds: Rounds, columns: Sequence[Column] = (SECONDS, CPU)) -> None:
    """A table of the figures of each program."""
    table(f"### {title}", "", columns)
    for name, runs in rounds.items():
        row(name, (cell([one.value(run) for run in runs], one.form) for one in columns))


def ratios(
    rounds: Rounds, pairs: Iterable[tuple[str, str]], columns: Sequence[Column] = (SECONDS, CPU)
) -> None:
    """A table of what the first program of each pair takes, divided by what the second one does."""
    table("", "ratio", [replace(one, title=f"of {one.title}") for one in columns])
    for over, under in pairs:
        both = list(zip(rounds[over], rounds[under], strict=True))
        found = ([one.value(a) / one.value(b) for a, b in both] for one in columns)
        row(f"{over} / {under}", (cell(values, ".2f") for values in found))


def versions() -> str:
    """What is measured, and where."""
    ask = (
        "from importlib.metadata import version;"
        "names = 'requests', 'urllib3', 'attrs', 'cattrs', 'orjson';"
        "print(*(f'{name} {version(name)}' for name in names), sep=', ')"
    )
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores"
    return f"{machine}; {output_of(PYTHON, '-c', ask).strip()}; {OFFICIAL.replace('==', ' ')}"
