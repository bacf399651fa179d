"""Hold the chosen plans against both extremes, on a real server: the second bar of performance.

    python tests/bench/plans.py --database sqlite --tasks 2000

For every leaf that the server has an answer to, and for conjunctions and disjunctions of them, it
prints the CPU seconds of client and server for the chosen plan, for the plan in which the server
filters all it can, and for the one that reads everything; and how often the first is more than 1.2
times the better of the others.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from unittest.mock import patch

from costs import Bench

from labelstudio_orm import Project, Q
from labelstudio_orm._engine.conditions.query import Query
from labelstudio_orm._engine.plans.columns import Terms
from labelstudio_orm._engine.plans.plan import Plan, plan
from labelstudio_orm._engine.reading import planner, weighing
from labelstudio_orm._engine.reading.selection import query_of
from labelstudio_orm._engine.reading.weighing import learns_database
from labelstudio_orm.testing._local import LocalLabelStudio

BAR = 1.2
TOO_LONG = 60.0
"""Seconds that a plan is expected to take above which an extreme is not measured."""

CHEAP = {
    "id": Q(id__gt=100),
    "counter": Q(total_annotations__gte=5),
    "no annotation": Q(total_annotations=0),
    "labelled": Q(is_labeled=True),
    "created": Q(created_at__gt="2001-01-01T00:00:00Z"),
    "data": Q(data__product="kettle"),
    "text": Q(data__text__icontains="kettle"),
    "number in data": Q(data__order__gt="A-5"),
    "expression": Q(data__text__iregex="kettle.*lamp"),
    "meta": Q(meta__x__isnull=True),
    "author": Q(annotators=1),
    "duration": Q(avg_lead_time__gt=40),
    "score": Q(predictions_score__gt=0.5),
    "file": Q(file_upload__isnull=False),
}
DEAR = {
    "label": Q(annotations__result__label="Positive"),
    "rare label": Q(annotations__result__label="Nobody"),
    "truth": Q(annotations__ground_truth=True),
    "lead time": Q(annotations__lead_time__gt=88),
    "predicted label": Q(predictions__result__label="Positive"),
    "predicted score": Q(predictions__score__gt=0.9),
    "version": Q(predictions__model_version="v7"),
}


def conditions() -> Iterator[tuple[str, Q]]:
    """Yield the leaves, and 40 pairs of them."""
    leaves = {**CHEAP, **DEAR}
    yield from leaves.items()
    some = ("counter", "data", "text", "expression", "number in data")
    for one, two in product(some, ("label", "rare label", "lead time", "predicted label")):
        yield f"{one} and {two}", leaves[one] & leaves[two]
        yield f"{one} or {two}", leaves[one] | leaves[two]


@contextmanager
def extreme(name: str) -> Iterator[None]:
    """Let a plan be taken that the server filters all it can for, or nothing."""

    def planned(query: Query, full: Plan, terms: Terms) -> Plan:
        return full if name == "filtered" else Plan(here=query.where, counts=False)

    with patch.object(planner, "cheapest", planned):
        yield


def seconds(bench: Bench, read: Callable[[], int]) -> tuple[float, int]:
    """Return the CPU seconds of client and server, and what was found."""
    before = time.process_time() + bench.cpu()
    found = read()
    return time.process_time() + bench.cpu() - before, found


def compare(bench: Bench, project: Project, condition: Q) -> dict[str, float]:
    """Return the seconds of the chosen plan and of the others, where they differ."""
    query = query_of(project.tasks.filter(condition))
    chosen = planner.plan_without_request(query)
    if chosen.here is None:  # the server filters all of it, and there is nothing to choose
        return {}
    size, costs = weighing.size_of(query, chosen), weighing.costs_of(query)
    full = plan(query.options, query.where)

    def read() -> int:
        return sum(1 for _ in project.tasks.filter(condition).iterator())

    project.tasks.filter(condition).exists()  # what is asked for once is known from now on
    found = {"chosen": seconds(bench, read)}
    for name in ("filtered", "scanned"):
        if name == "filtered" and full.expected(costs, size) > TOO_LONG:
            continue
        with extreme(name):
            found[name] = seconds(bench, read)
    if len({rows for _, rows in found.values()}) > 1:
        raise SystemExit(f"{condition}: the plans found different tasks: {found}")
    return {name: spent for name, (spent, _) in found.items()}


def ratio_of(found: Mapping[str, float]) -> float:
    """Return what the chosen plan takes, divided by what the better of the others does."""
    return found["chosen"] / min(spent for name, spent in found.items() if name != "chosen")


def main() -> None:
    """Measure all plans."""
    parser = argparse.ArgumentParser(description="Hold chosen plans against both extremes.")
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--every", type=int, default=1, help="only every such condition")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    misses = 0
    with LocalLabelStudio(database=args.database) as server:
        bench = Bench(server)
        made = bench.project(args.tasks)
        project = bench.ls.projects.get(made.id)
        learns_database(query_of(project.tasks.all()))
        print(
            "| condition | chosen | filtered | scanned | ratio |\n| --- | --- | --- | --- | --- |"
        )
        for name, condition in list(conditions())[:: args.every]:
            found = compare(bench, project, condition)
            if not found:
                continue
            if ratio_of(found) > BAR:  # it may be the machine: what is lower says more
                again = compare(bench, project, condition)
                found = {key: min(spent, again[key]) for key, spent in found.items()}
            ratio = ratio_of(found)
            misses += ratio > BAR
            cells = [f"{found[key]:.2f}" if key in found else "-" for key in PLANS]
            print("|", " | ".join([name, *cells, f"{ratio:.2f}"]), "|", flush=True)
    print(f"{misses} above {BAR}")


PLANS = ("chosen", "filtered", "scanned")

if __name__ == "__main__":
    main()
