"""Measure labelstudio_orm beside the official client and a bare loop on a real Label Studio.

    python tests/bench/real.py [--rounds 3] [--turns 10] [--server development] [table ...]

As ``run.py`` does, with the CPU time of the server beside that of the client: on a machine that
others use, it says more than the seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from harness import (
    PYTHON,
    SECONDS,
    Column,
    Figures,
    Program,
    measure,
    official_python,
    ratios,
    times,
    versions,
    work,
)
from record import CONFIG, item

from labelstudio_orm import LabelStudio, Project
from labelstudio_orm.testing._local import LocalLabelStudio
from labelstudio_orm.testing._releases import VERSION

TASKS = 20_000

BATCHES = 40
"""Parts of the tasks, of which each turn of an update changes one."""

EACH = 200
"""Tasks that are deleted one by one, beside a quarter of all by a filter."""

SERVERS = {"development": None, "gunicorn": 2}
"""How many processes each has; None: the development server's one."""


def both(figures: Figures) -> float:
    """CPU seconds of the client and the server."""
    return float(figures["cpu"] + figures["server"])


COLUMNS = (
    SECONDS,
    Column("client's CPU seconds", lambda figures: figures["cpu"], ".2f"),
    Column("server's CPU seconds", lambda figures: figures["server"], ".2f"),
    Column("server's share of the CPU", lambda figures: figures["server"] / both(figures), ".1%"),
    Column("requests", lambda figures: figures["requests"], ",.0f"),
)

RATIOS = (SECONDS, Column("CPU seconds of both", both, ".2f"))


@dataclass(frozen=True)
class Way:
    """A script, its work, the settings of its environment.

    ``part``: how many tasks it does of the quarter that the others do; its figures are multiplied.
    """

    script: str
    work: str
    settings: Mapping[str, str] = field(default_factory=dict)
    part: int | None = None


def ways(name: str) -> dict[str, Way]:
    """The same work of all three clients."""
    scripts = {"ours": "ours.py", "bare loop": "bare.py", "official": "official.py"}
    return {title: Way(script, name) for title, script in scripts.items()}


def without_quickack(name: str) -> Way:
    """Ours, without asking for quick acknowledgements."""
    return Way("ours.py", name, {"NO_QUICKACK": "1"})


TABLES = {
    "ids": ("Ids", {**ways("ids"), "ours without quick acknowledgements": without_quickack("ids")}),
    "filter": (
        "Tasks that match a filter, id and text",
        {**ways("matching"), "official, its defaults": Way("official.py", "matching-plain")},
    ),
    "single": (
        "200 tasks one by one",
        {**ways("single"), "ours without quick acknowledgements": without_quickack("single")},
    ),
    "annotations": ("Tasks with annotations and predictions", ways("embedded")),
    "import": (
        "Import",
        {
            **ways("imports"),
            "ours with orjson": Way("ours.py", "imports", {"NO_ORJSON": ""}),
            "ours in one request": Way("ours.py", "imports-at-once"),
        },
    ),
    "delete": (
        f"Deleting a quarter of the tasks by a filter (one by one: {EACH}, multiplied)",
        {
            **ways("delete"),
            "official, one by one": Way("official.py", "delete-each", part=EACH),
        },
    ),
    "update": (
        f"Updating one key of a {BATCHES}th of the tasks",
        {**ways("update"), "ours, 2 workers": Way("ours.py", "update", {"WORKERS": "2"})},
    ),
    "patches": (
        f"Updating one key of a {BATCHES}th of the tasks with a PATCH each",
        ways("update"),
    ),
}
"""What is measured, and in which ways."""


class Data:
    """Reviews, each with one to three annotations and a prediction, and the same without.

    ``file`` holds the latter, for the programs that import them.
    """

    def __init__(self, folder: Path, tasks: int) -> None:
        rand = random.Random(20)
        self.full = [item(rand, number) for number in range(tasks)]
        for number, one in enumerate(self.full):
            one["data"] |= {"group": "abcd"[number % 4], "batch": f"b{number % BATCHES}"}
        self.plain = [{"data": one["data"]} for one in self.full]
        self.file = folder / "items.json"
        self.file.write_text(json.dumps(self.plain))


@dataclass(frozen=True)
class Bench:
    """A real server, its data, an environment with the official client, how often to repeat."""

    name: str
    server: LocalLabelStudio
    data: Data
    official: str
    rounds: int
    turns: int

    @property
    def ls(self) -> LabelStudio:
        """Ours, to prepare and to check with."""
        return self.server.client()

    def project(self, title: str, items: list[dict[str, Any]]) -> Project:
        """The project with this title, made and filled if there is none."""
        project = self.ls.projects.filter(title=title).first()
        if project is None:
            project = self.ls.projects.create(title=title, label_config=CONFIG)
            project.tasks.bulk_create(items)
        return project

    def program(self, way: Way, project: Project, *, warm: str = "ids", **settings: str) -> Program:
        """A program that works in a project, having done the work ``warm`` in a small one."""
        assert self.server._process is not None
        python = self.official if way.script == "official.py" else PYTHON
        settings = {
            "API_KEY": self.server.api_key,
            "SERVER": str(self.server._process.pid),
            "ITEMS": str(self.data.file),
            "NO_ORJSON": "1",
            **settings,
            **way.settings,
        }
        small = self.project("small", self.data.full[:20])
        words = (self.server.url, warm, small.id, way.work, project.id)
        return work(python, way.script, *words, **settings)

    def show(self, table: str) -> None:
        """Measure and print one table."""
        title, found = TABLES[table]
        if self.server.workers and table in ("ids", "annotations"):
            found = {**found, "ours, 2 workers": replace(found["ours"], settings={"WORKERS": "2"})}
        doing: dict[str, Callable[[Way], Program]] = {
            "import": self.importing,
            "delete": self.deleting,
            "update": partial(self.updating, value=lambda: os.urandom(8).hex()),
            "patches": partial(self.updating, value=lambda: random.randrange(10**9)),
        }
        loads: list[float] = []

        def program(way: Way) -> Program:
            run = doing.get(table, self.reading)(way)

            def noted() -> Figures:
                loads.append(os.getloadavg()[0])
                return run()

            return noted

        programs = {name: program(way) for name, way in found.items()}
        number = self.turns if table in ("update", "patches") else self.rounds
        rounds = measure(programs, number, warm_up=False)
        load = f"load {min(loads):.1f} to {max(loads):.1f}"
        times(f"{title}: {self.name} server, {number} rounds, {load}", rounds, COLUMNS)
        ratios(rounds, [(other, "ours") for other in rounds if other != "ours"], RATIOS)

    def reading(self, way: Way) -> Program:
        """Something in one project."""
        return self.program(way, self.project("labelled", self.data.full), warm=way.work)

    def importing(self, way: Way) -> Program:
        """Into a new project, which goes afterwards."""

        def run() -> Figures:
            project = self.ls.projects.create(title="imported", label_config=CONFIG)
            figures = self.program(way, project, warm="imports-few")()
            figures["found"] = project.tasks.count()
            project.delete()
            return figures

        return run

    def deleting(self, way: Way) -> Program:
        """A quarter of a project, which is filled again before."""
        quarter = [one for one in self.data.plain if one["data"]["group"] == "a"]

        def run() -> Figures:
            project = self.project("deleted", self.data.plain)
            project.tasks.filter(data__group="a").delete()
            project.tasks.bulk_create(quarter)
            figures = self.program(way, project)()
            figures["found"] = len(self.data.plain) - project.tasks.count()
            times = len(quarter) // way.part if way.part else 1
            return {name: figure * times for name, figure in figures.items()}

        return run

    def updating(self, way: Way, value: Callable[[], object]) -> Program:
        """A part of the tasks, another one at each turn, which gets a value of its own.

        The server has an action for texts alone.
        """
        project = self.project("labelled", self.data.full)
        turns = count()

        def run() -> Figures:
            split = value()
            settings = {"BATCH": f"b{next(turns)}", "SPLIT": json.dumps(split)}
            figures = self.program(way, project, **settings)()
            return {**figures, "found": project.tasks.filter(data__split=split).count()}

        return run


def main() -> None:
    """Measure everything: an hour or two."""
    parser = argparse.ArgumentParser(description="Print times and ratios of three clients.")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions of each (3)")
    parser.add_argument("--tasks", type=int, default=TASKS, help=f"of a project ({TASKS})")
    parser.add_argument("--turns", type=int, default=10, help="of an update (10)")
    parser.add_argument("--server", choices=SERVERS, action="append", help="both")
    parser.add_argument("table", nargs="*", help=f"{', '.join(TABLES)}")
    args = parser.parse_args()
    official = official_python()
    print(f"Label Studio {VERSION}; {args.tasks:,} tasks; {versions()}")
    with tempfile.TemporaryDirectory() as folder:
        data = Data(Path(folder), args.tasks)
        for name in args.server or SERVERS:
            data_dir = Path(folder) / "server"
            with LocalLabelStudio(workers=SERVERS[name], data_dir=data_dir) as server:
                bench = Bench(name, server, data, official, args.rounds, args.turns)
                for table in args.table or TABLES:
                    bench.show(table)


if __name__ == "__main__":
    main()
