"""Measure labelstudio_orm beside the official client and a bare loop on a server that replays.

    python tests/bench/run.py [--quick] [--keep] [--accept]

Prints tables of times and of ratios. The repetitions of the programs alternate, and a ratio is the
median of the ratios within the rounds, so that whatever else the machine does meanwhile falls on
all of them alike. The ratios are compared with the newest kept ones (``history.py``); what became
more than 15 % worse is printed last, and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date

from harness import (
    HERE,
    PYTHON,
    Program,
    Rounds,
    measure,
    official_python,
    versions,
    whole,
    work,
)
from history import Entry, Measure, finish

TASKS = 20_000

LATENCY = 50
"""Milliseconds."""


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


# What is measured


@dataclass(frozen=True)
class Bench:
    """A replay server, an environment with the official client, and how often to repeat."""

    url: str
    official: str
    repetitions: int

    def imports(self) -> Measure:
        """Whole processes up to a client that can be used."""
        base = "`import requests, attrs, cattrs`"
        client = f"ls = LabelStudio({self.url!r}, api_key='token'); ls.projects"
        theirs = client.replace("(", "(base_url=", 1)
        touched = "labelstudio_orm.Project, labelstudio_orm.Task"
        rounds = measure(
            {
                "python alone": whole(PYTHON, "pass"),
                base: whole(PYTHON, base.strip("`")),
                "ours": whole(PYTHON, f"from labelstudio_orm import LabelStudio; {client}"),
                "ours, and Project and Task": whole(
                    PYTHON,
                    f"from labelstudio_orm import LabelStudio; {client}; "
                    f"import labelstudio_orm; {touched}",
                ),
                "official": whole(
                    self.official, f"from label_studio_sdk import LabelStudio; {theirs}"
                ),
            },
            self.repetitions,
        )
        title = "(a) Import and first client, whole processes"
        pairs = [("ours", base), ("ours, and Project and Task", base), ("official", "ours")]
        return shown(title, rounds, pairs)

    def reading(self, title: str, name: str, variants: Mapping[str, str]) -> Measure:
        """The same reading by all; ``variants`` are the works of the official client."""
        ours = ("ours", "ours with orjson")
        theirs = {f"official, {what}": works for what, works in variants.items()}
        rounds = measure(
            {
                "bare loop": self._work(PYTHON, "bare.py", name),
                ours[0]: self._work(PYTHON, "ours.py", name, NO_ORJSON="1"),
                ours[1]: self._work(PYTHON, "ours.py", name),
                **{
                    what: self._work(self.official, "official.py", works)
                    for what, works in theirs.items()
                },
            },
            self.repetitions,
        )
        pairs = [(other, mine) for mine in ours for other in ("bare loop", *theirs)]
        return shown(f"{title}, {TASKS:,} tasks", rounds, pairs)

    def _work(self, python: str, script: str, name: str, **settings: str) -> Program:
        return work(python, script, self.url, name, 1000, name, TASKS, **settings)

    def workers(self) -> Measure:
        """The same reading by several workers, from a server that is far away."""
        with replay(LATENCY) as url:
            far = replace(self, url=url)
            rounds = measure(
                {
                    f"{number} worker{'s' * (number > 1)}": far._work(
                        PYTHON, "ours.py", "light", NO_ORJSON="1", WORKERS=str(number)
                    )
                    for number in (1, 2, 4, 8)
                },
                self.repetitions,
            )
        title = f"(e) Light tasks, {LATENCY} ms for each answer, {TASKS:,} tasks"
        first, *others = rounds
        return shown(title, rounds, [(first, other) for other in others], is_compared=False)

    def memory(self) -> dict[str, list[str]]:
        """The memory of a loop by its length."""
        found = []
        for tasks in (TASKS, 10 * TASKS):
            figures = work(
                PYTHON, "ours.py", self.url, "light", 1000, "memory", tasks, NO_ORJSON="1"
            )()
            growth, peak = (number / 2**20 for number in figures["found"])
            found.append(
                f"* {tasks:,} tasks: {growth:+.1f} MiB after the first 10,000, peak {peak:.0f} MiB"
            )
        return {"(d) Memory during `for task in project.tasks.iterator()`": found}


def shown(
    title: str,
    rounds: Rounds,
    pairs: Sequence[tuple[str, str]],
    *,
    is_compared: bool = True,
) -> Measure:
    """A measure, printed."""
    figures = {
        name: [{"wall": round(one["wall"], 4), "cpu": round(one["cpu"], 4)} for one in runs]
        for name, runs in rounds.items()
    }
    made = Measure(title, figures, list(pairs), is_compared)
    made.show()
    return made


def main() -> None:
    """Measure everything: some five minutes, half of it with ``--quick``."""
    parser = argparse.ArgumentParser(description="Print times and ratios of three clients.")
    parser.add_argument("--quick", action="store_true", help="three repetitions of each")
    parser.add_argument("--keep", action="store_true", help="keep the figures of a quick run, too")
    parser.add_argument("--accept", action="store_true", help="keep figures that became worse")
    given = parser.parse_args()
    quick = given.quick
    official = official_python()
    found = Entry(
        "replay", date.today().isoformat(), f"{versions()}; load {os.getloadavg()[0]:.0f}"
    )
    print(found.versions)
    with replay() as url:
        bench = Bench(url, official, 3 if quick else 9)
        add = found.measures.append
        add(bench.imports())
        light = bench.reading(
            "(b) Light tasks, id and text",
            "light",
            {
                "its defaults": "light",
                "pages of 1,000": "light-big",
                "light pages of 1,000": "light-asked",
            },
        )
        add(light)
        embedded = bench.reading(
            "(c) Tasks with annotations and predictions, all results",
            "embedded",
            {"its defaults": "embedded", "pages of 1,000": "embedded-big"},
        )
        add(embedded)
        found.lines.update(bench.memory())
        add(bench.workers())
    sys.exit(finish(found, kept=given.keep or not quick, accepted=given.accept))


if __name__ == "__main__":
    main()
