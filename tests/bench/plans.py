"""Hold the chosen plans against both extremes, on a real server: the second bar of performance.

    python tests/bench/plans.py measure --database sqlite --tasks 2000
    python tests/bench/plans.py table

``measure`` takes a condition for each filter of the table of costs, and leaves, their complements,
and conjunctions and disjunctions of them as they are written. It prints the CPU seconds of client
and server for the chosen plan, for the plan in which the server filters all it can, and for the one
that reads everything; and how often the first is within 1.2 times the better of the others. The
figures are kept in ``plans.json``, of which ``table`` makes the tables of README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from fcntl import LOCK_EX, flock
from itertools import chain, product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import attrs
from costs import LONG_AGO, Bench

from labelstudio_orm import FieldError, Project, Q
from labelstudio_orm._engine.conditions.query import Query
from labelstudio_orm._engine.pages.select import Select
from labelstudio_orm._engine.plans.columns import Terms
from labelstudio_orm._engine.plans.costs import UNKNOWN, kind_of
from labelstudio_orm._engine.plans.plan import Plan, plan
from labelstudio_orm._engine.reading import planner, weighing
from labelstudio_orm._engine.reading.selection import query_of
from labelstudio_orm._engine.reading.weighing import learns_database
from labelstudio_orm.testing._local import LocalLabelStudio

HERE = Path(__file__).parent
KEPT, README = HERE / "plans.json", HERE / "README.md"
BEGIN, END = "<!-- from plans.json -->\n", "<!-- the end of the plans -->\n"
PLANS = ("chosen", "filtered", "scanned")
HEAD = "| condition | chosen | filtered | scanned | ratio |\n| --- | --- | --- | --- | --- |"
BAR = 1.2
ENOUGH = 0.5
"""CPU seconds that a plan is repeated for, at least: the system counts them in hundredths."""
RETRIES = 2
TOO_LONG = 60.0
"""Seconds that a plan is expected to take above which an extreme is not measured."""

SAMPLES: dict[str, Any] = {
    "id": 100, "inner_id": 100, "overlap": 1, "is_labeled": True, "total_annotations": 4,
    "cancelled_annotations": 0, "total_predictions": 0, "comment_count": 0,
    "unresolved_comment_count": 0, "draft_exists": True, "annotators": 1, "updated_by": 1,
    "created_at": LONG_AGO, "updated_at": LONG_AGO, "completed_at": LONG_AGO,
    "last_comment_updated_at": LONG_AGO, "avg_lead_time": 40.0, "predictions_score": 0.5,
    "file_upload": "a", "storage_filename": "a", "data__product": "kettle", "data": "product",
    "annotations__id": 7, "annotations__result__label": "Positive", "predictions__id": 7,
    "predictions__result__label": "Positive", "predictions__model_version": "v7",
}  # fmt: skip
"""A value for each field of a task that the server has a filter for."""

LOOKUPS: dict[str, Callable[[Any], Any]] = {
    "gt": lambda value: value,
    "exact": lambda value: value,
    "in": lambda value: [value],
    "isnull": lambda value: False,
    "has_key": lambda value: value,
}

LEAVES = {
    "id": Q(id__gt=100),
    "counter": Q(total_annotations__gte=5),
    "no annotation": Q(total_annotations=0),
    "labelled": Q(is_labeled=True),
    "author": Q(annotators=1),
    "data": Q(data__product="kettle"),
    "other data": ~Q(data__product="kettle"),
    "text": Q(data__text__icontains="kettle"),
    "number in data": Q(data__order__gt="A-5"),
    "expression": Q(data__text__iregex="kettle.*lamp"),
    "meta": Q(meta__x__isnull=True),
    "file": Q(file_upload__isnull=False),
    "label": Q(annotations__result__label="Positive"),
    "rare label": Q(annotations__result__label="Nobody"),
    "truth": Q(annotations__ground_truth=True),
    "lead time": Q(annotations__lead_time__gt=88),
    "predicted label": Q(predictions__result__label="Positive"),
    "predicted score": Q(predictions__score__gt=0.9),
    "version": Q(predictions__model_version="v7"),
}
"""Conditions as they are written, of each way in which the server answers one."""

PAIRS = (
    *product(
        ("counter", "data", "text", "expression", "number in data"),
        ("label", "rare label", "lead time", "predicted label"),
    ),
    ("author", "label"), ("author", "predicted score"), ("other data", "lead time"),
    ("labelled", "truth"), ("text", "expression"), ("file", "version"), ("truth", "label"),
    ("label", "predicted label"), ("lead time", "predicted score"),
)  # fmt: skip
TRIPLES = (
    ("data", "truth", "label"), ("text", "counter", "lead time"), ("text", "expression", "version"),
)  # fmt: skip


def conditions() -> Iterator[tuple[str, Q]]:
    """Yield the leaves, their complements, and conjunctions and disjunctions of them."""
    for name, leaf in LEAVES.items():
        yield name, leaf
        yield f"not {name}", ~leaf
    for one, two in PAIRS:
        yield f"{one} and {two}", LEAVES[one] & LEAVES[two]
        yield f"{one} or {two}", LEAVES[one] | LEAVES[two]
    for one, two, three in TRIPLES:
        yield f"{one} and ({two} or {three})", LEAVES[one] & (LEAVES[two] | LEAVES[three])
        yield f"{one} and {two}, or {three}", LEAVES[one] & LEAVES[two] | LEAVES[three]


def of_the_table(project: Project) -> Iterator[tuple[str, Q]]:
    """Yield a condition for each filter of the table of costs; RuntimeError where one has none."""
    missing = {kind for kind in (*UNKNOWN.linear, *UNKNOWN.quadratic) if kind[0] != "*"}
    for (name, value), (lookup, write), positive in product(
        SAMPLES.items(), LOOKUPS.items(), (True, False)
    ):
        try:
            condition = Q(**{f"{name}__{lookup}": write(value)})
            query = query_of(project.tasks.filter(condition if positive else ~condition))
        except FieldError:
            continue  # the field does not have this lookup
        lines = chain.from_iterable(plan(query.options, query.where).clauses)
        if found := missing.intersection(map(kind_of, lines)):
            missing -= found
            yield ", ".join(sorted(found)), condition if positive else ~condition
    if missing:
        raise RuntimeError(f"no condition for {', '.join(sorted(missing))}")


@contextmanager
def extreme(name: str) -> Iterator[None]:
    """Let a plan be taken that the server filters all it can for, or nothing."""

    def planned(query: Query, full: Plan, terms: Terms) -> Plan:
        return full if name == "filtered" else Plan(here=query.where, counts=False)

    with patch.object(planner, "cheapest", planned):
        yield


Spent = dict[str, float]
"""The seconds of each plan of a condition."""


class Comparison:
    """What the plans of conditions take in one project."""

    def __init__(self, bench: Bench, project: Project) -> None:
        self.bench, self.project = bench, project
        self._scans: dict[Any, float] = {}

    def of(self, condition: Q) -> Spent:
        """Return the seconds of the chosen plan and of the others.

        What is above the bar is measured again: it may be the machine, and what is lower says more.
        """
        found = self._measured(condition)
        for _ in range(RETRIES):
            if ratio_of(found) <= BAR:
                break
            self._scans.clear()
            again = self._measured(condition)
            found = {name: min(spent, again[name]) for name, spent in found.items()}
        return found

    def _measured(self, condition: Q) -> Spent:
        query = query_of(self.project.tasks.filter(condition))
        chosen = planner.plan_with_requests(query)  # what is asked for once is known from now on
        chosen, full = attrs.evolve(chosen, weighed=False), plan(query.options, query.where)
        found = {"chosen": self._seconds(condition)}
        if chosen == full:
            found["filtered"] = found["chosen"]
        elif full.expected(weighing.costs_of(query), weighing.size_of(query, full)) < TOO_LONG:
            with extreme("filtered"):
                found["filtered"] = self._seconds(condition)
        read = Select.of(query, Plan(here=query.where))
        rows = read.wanted, read.relations  # what a scan costs depends on these alone
        if rows not in self._scans:
            with extreme("scanned"):
                self._scans[rows] = self._seconds(condition)
        return {**found, "scanned": self._scans[rows]}

    def _seconds(self, condition: Q) -> float:
        """Return the CPU seconds of client and server, of several readings where they are few."""
        before, times = time.process_time() + self.bench.cpu(), 0
        while (spent := time.process_time() + self.bench.cpu() - before) < ENOUGH:
            for _ in self.project.tasks.filter(condition).iterator():
                pass
            times += 1
        return spent / times


def ratio_of(found: Mapping[str, float]) -> float:
    """Return what the chosen plan takes, divided by what the better of the others does."""
    return found["chosen"] / min(spent for name, spent in found.items() if name != "chosen")


def summary(found: Mapping[str, Spent]) -> str:
    """Return how many conditions are within the bar, and the worst."""
    ratios = {name: ratio_of(spent) for name, spent in found.items()}
    within = sum(ratio <= BAR for ratio in ratios.values())
    worst = max(ratios, key=lambda name: ratios[name])
    return f"{within} of {len(ratios)} within {BAR}; the worst: {worst}, {ratios[worst]:.2f}"


def row(name: str, spent: Spent) -> str:
    """Return a row of a table."""
    cells = [f"{spent[key]:.2f}" if key in spent else "-" for key in PLANS]
    return f"| {' | '.join([name, *cells, f'{ratio_of(spent):.2f}'])} |"


def measure(database: Any, tasks: int, args: argparse.Namespace) -> None:
    """Measure all plans, and keep their seconds as they come."""
    kept = read().get(f"{database} {tasks}", {}).get("conditions", {}) if args.missing else {}
    with LocalLabelStudio(database=database) as server:
        bench = Bench(server)
        project = bench.ls.projects.get(bench.project(tasks).id)
        learns_database(query_of(project.tasks.all()))
        comparison, found = Comparison(bench, project), dict[str, Spent]()
        for name, condition in [*conditions(), *of_the_table(project)][:: args.every]:
            query = query_of(project.tasks.filter(condition))
            is_exact = planner.plan_without_request(query).here is None
            if name in kept or (args.only and name not in args.only) or (args.checked and is_exact):
                continue
            spent = comparison.of(condition)
            found[name] = {key: round(value, 3) for key, value in spent.items()}
            print(row(name, spent), flush=True)
            keep(database, tasks, {name: found[name]})
    print(summary(found))


def read() -> dict[str, Any]:
    """Return the figures that are kept, by database and size."""
    found: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    return found


def keep(database: str, tasks: int, found: Mapping[str, Spent]) -> None:
    """Keep the figures of some conditions, with the date and the load."""
    with Path(__file__).open() as lock:
        flock(lock, LOCK_EX)  # several databases may be measured at the same time
        kept = read()
        run = kept.setdefault(f"{database} {tasks}", {"conditions": {}})
        run["date"], run["load"] = str(date.today()), round(os.getloadavg()[0])
        run["conditions"].update(found)
        KEPT.write_text(json.dumps(kept, indent=1) + "\n")


def table() -> None:
    """Write the tables of README.md anew."""
    titles = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
    lines = []
    for title, run in read().items():
        database, tasks = title.split()
        found, size = run["conditions"], f"{int(tasks):,} tasks"
        lines += [
            f"**{titles[database]}, {size}**, {run['date']}, load {run['load']}: {summary(found)}.",
            "",
            HEAD,
            *(row(name, spent) for name, spent in found.items()),
            "",
        ]
    before, _, rest = README.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after)


def main() -> None:
    """Measure, or make the tables."""
    parser = argparse.ArgumentParser(description="Hold chosen plans against both extremes.")
    parser.add_argument("verb", choices=["measure", "table"])
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--every", type=int, default=1, help="only every such condition")
    parser.add_argument("--only", nargs="+", default=[], help="the names of some conditions")
    parser.add_argument("--checked", action="store_true", help="only what is checked on this side")
    parser.add_argument("--missing", action="store_true", help="only those without kept figures")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    if args.verb == "table":
        table()
    else:
        measure(args.database, args.tasks, args)


if __name__ == "__main__":
    main()
