"""Measure what each filter of the Data Manager costs a real server, and write the table of costs.

    python tests/bench/costs.py measure --database sqlite --sizes 250 500 1000 2000
    python tests/bench/costs.py measure --database postgres --sizes 250 500 1000 2000 8000
    python tests/bench/costs.py table

``measure`` keeps its figures in ``costs.json``, to which each run adds; ``table`` makes
``labelstudio_orm/_engine/plans/costs.py`` of them. All figures are CPU seconds of the server's
processes, those of PostgreSQL included: they say the same on a machine that others use.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from pprint import pformat
from typing import Any

import attrs
from harness import ROOT
from measure import TICKS
from record import CONFIG, SUBJECTS, regions, review

from labelstudio_orm import Project
from labelstudio_orm._engine.pages.select import Select
from labelstudio_orm._engine.pages.task_page import ask
from labelstudio_orm._engine.plans.columns import ANY_ID, Item, line
from labelstudio_orm._engine.plans.costs import RELATIONS, kind_of
from labelstudio_orm._engine.plans.plan import Plan
from labelstudio_orm._engine.reading.selection import query_of
from labelstudio_orm.testing._local import LocalLabelStudio
from labelstudio_orm.testing._releases import VERSION

RAW = Path(__file__).with_name("costs.json")
ANNOTATIONS = 5
MOST_ROWS = 500
ENOUGH = 0.15
"""CPU seconds that a case is repeated for in each round: the system counts them in hundredths."""
ROUNDS = 3
TOO_LONG = 4.0
"""CPU seconds of one request above which a case is not measured at larger sizes."""

LONG_AGO = "2001-01-01T00:00:00.000000Z"

Filter = list[Item]


def tasks(number: int) -> Iterator[dict[str, Any]]:
    """Reviews, each with five annotations of one or two regions, and a prediction."""
    rand = random.Random(number)
    for place in range(number):
        text = review(rand)
        yield {
            "data": {"text": text, "product": rand.choice(SUBJECTS), "order": f"A-{place}"},
            "annotations": [
                {"result": regions(rand, text), "lead_time": round(rand.uniform(2, 90), 3)}
                for _ in range(ANNOTATIONS)
            ],
            "predictions": [
                {"result": regions(rand, text), "score": rand.random(), "model_version": "v7"}
            ],
        }


def filters(first: int, last: int, user: int) -> dict[str, Filter]:
    """Return a filter for each column and each kind of operator that a plan may send."""
    middle = (first + last) // 2
    found = {
        "id greater": [line("id", "greater", "Number", middle)],
        "id in_list": [line("id", "in_list", "Number", [first, middle, last])],
        "inner_id greater": [line("inner_id", "greater", "Number", 100)],
        "inner_id empty": [line("inner_id", "empty", "String", False)],
        "is_labeled equal": [line("is_labeled", "equal", "Boolean", True)],
        "updated_by contains": [line("updated_by", "contains", "List", user)],
        "draft_exists equal": [line("draft_exists", "equal", "Boolean", False)],
        "annotators contains": [line("annotators", "contains", "List", user)],
        "annotators not_contains": [line("annotators", "not_contains", "List", user + 1)],
        "annotators empty": [line("annotators", "empty", "List", False)],
        "annotations_ids empty": [line("annotations_ids", "empty", "List", False)],
        "data contains": [line("data", "contains", "String", "kettle")],
        "data.product contains": [line("data.product", "contains", "String", "kettle")],
        "data.product there": [line("data.product", "contains", "String", "")],
        "data.product in_list": [line("data.product", "in_list", "String", ["kettle", "lamp"])],
        "file_upload contains": [line("file_upload", "contains", "String", "a")],
        "storage_filename contains": [line("storage_filename", "contains", "String", "a")],
        "predictions_model_versions contains": [
            line("predictions_model_versions", "contains", "List", ["v7"])
        ],
        "annotations_results contains": [
            line("annotations_results", "contains", "String", '"Positive"')
        ],
        "predictions_results contains": [
            line("predictions_results", "contains", "String", '"Positive"')
        ],
        "annotations_ids contains": [line("annotations_ids", "contains", "String", "5,6,7")],
        "predictions empty": [line("predictions", "empty", "Number", False)],
        "predictions none": [line("predictions", "not_in", "Number", ANY_ID)],
    }
    for name in ("total_annotations", "cancelled_annotations", "total_predictions",
                 "comment_count", "unresolved_comment_count", "overlap"):  # fmt: skip
        found[f"{name} greater"] = [line(name, "greater", "Number", 0)]
    found["total_annotations in_list"] = [line("total_annotations", "in_list", "Number", [4, 5])]
    found["total_annotations not_equal"] = [line("total_annotations", "not_equal", "Number", 1)]
    for name in ("created_at", "updated_at", "completed_at", "last_comment_updated_at"):
        found[f"{name} greater"] = [line(name, "greater", "Datetime", LONG_AGO)]
    for name in ("completed_at", "last_comment_updated_at", "avg_lead_time", "predictions_score"):
        found[f"{name} empty"] = [line(name, "empty", "String", False)]
    for name in ("avg_lead_time", "predictions_score"):
        found[f"{name} greater"] = [line(name, "greater", "Number", 0.1)]
    return found


def brought(relations: Sequence[str], some: bool) -> dict[str, Any]:
    """Return how a page brings related rows: some fields of all of them, or all fields."""
    if not some:
        return {"relations": frozenset(relations)}
    inside = {name: frozenset({"id", "result"}) for name in relations}
    return {"fields": frozenset({"id"}), "relations": frozenset(inside), "related_fields": inside}


ROWS: Mapping[str, dict[str, Any]] = {
    "ids": {"fields": frozenset({"id", "data"})},
    "light": {},
    **{
        f"{extent} {name}": brought(relations, extent == "some")
        for extent in ("some", "whole")
        for name, relations in RELATIONS.items()
    },
}
"""How much of each row a page brings."""


class Bench:
    """A real server, one project on it at a time, and the CPU time that it takes."""

    def __init__(self, server: LocalLabelStudio) -> None:
        self.server, self.ls = server, server.client(timeout=(10, 3600))

    def cpu(self) -> float:
        """Return the CPU seconds of all processes of the server and its database so far."""
        database = getattr(self.server._database, "_process", None)
        return cpu_of({p.pid for p in (self.server._process, database) if p is not None})

    def page(self, project: Project, size: int, items: Filter, **params: Any) -> Any:
        """One page of tasks by id."""
        query: dict[str, Any] = {"ordering": ["tasks:id"]}
        if items:
            query["filters"] = {"conjunction": "and", "items": items}
        return self.ls.request(
            "GET",
            "/api/tasks/",
            params={
                "project": project.id, "page_size": size, "resolve_uri": "false",
                "query": json.dumps(query), **params,
            },
        )  # fmt: skip

    def measured(self, ask: Callable[[], object]) -> float:
        """Return the CPU seconds of a request: the median of rounds of many."""
        ask()
        rounds = list[float]()
        while len(rounds) < ROUNDS and max(rounds, default=0) < ENOUGH:
            before, times = self.cpu(), 0
            while (spent := self.cpu() - before) < ENOUGH:
                ask()
                times += 1
            rounds.append(spent / times)
        return statistics.median(rounds)

    def project(self, number: int) -> Project:
        """Return a project of so many tasks."""
        project = self.ls.projects.create(title=f"{number} tasks", label_config=CONFIG)
        project.tasks.bulk_create(tasks(number), batch_size=min(number, 2000))
        project.model_version = "v7"
        return project.save()

    def run(self, number: int, slow: set[str], only: tuple[str, ...]) -> dict[str, float]:
        """Return the figures of a project of so many tasks."""
        before = self.cpu()
        project = self.project(number)
        print(f"{number} tasks made in {self.cpu() - before:.0f} CPU seconds", file=sys.stderr)
        first, last = (project.tasks.order_by(key)[0].id for key in ("id", "-id"))
        user = self.ls.users.me().id
        figures = dict[str, float]()

        def note(name: str, ask: Callable[[], object]) -> None:
            if not name.startswith((*only, "one row")):
                return
            figures[name] = round(self.measured(ask), 4)
            print(f"{number:6} {name:45} {figures[name]:.4f}", file=sys.stderr, flush=True)
            if figures[name] > TOO_LONG:
                slow.add(name)

        note("one row", partial(self.page, project, 1, [], include="id"))
        rows = min(number, MOST_ROWS)
        query = query_of(project.tasks.all())
        for name, fields in ROWS.items():
            select = attrs.evolve(Select.of(query, Plan()), **fields)
            note(f"rows {name}", partial(ask, select, rows))
        for name, items in filters(first, last, user).items():
            if f"filter {name}" not in slow:
                note(f"filter {name}", partial(self.page, project, 1, items, include="id"))
        project.delete()
        return figures


def cpu_of(roots: set[int]) -> float:
    """Return the CPU seconds of processes and all their descendants, those that ended included."""
    ticks, parents = dict[int, int](), dict[int, int]()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        pid = int(stat.parent.name)
        parents[pid], ticks[pid] = int(fields[1]), sum(map(int, fields[11:15]))
    total = 0
    for pid, spent in ticks.items():
        ancestor = pid
        while ancestor not in roots and ancestor in parents:
            ancestor = parents[ancestor]
        total += spent if ancestor in roots else 0
    return total / TICKS


def measure(database: Any, sizes: list[int], only: tuple[str, ...]) -> None:
    """Measure at these sizes, and keep the figures."""
    slow = set[str]()
    with LocalLabelStudio(database=database) as server:
        bench = Bench(server)
        bench.run(20, set(), ("rows light",))  # the server's own imports and caches
        for number in sizes:
            figures = bench.run(number, slow, only)
            kept = json.loads(RAW.read_text()) if RAW.exists() else {}
            kept.setdefault(database, {}).setdefault(str(number), {}).update(figures)
            RAW.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


# -- the table ------------------------------------------------------------------------------------

TABLE = ROOT / "labelstudio_orm/_engine/plans/measured.py"
NAMES = {"sqlite": "sqlite", "postgres": "postgresql"}
WORSE = 1.5
"""How many times as much a task costs in the largest project where that is more than linear."""

HEAD = '''"""What pages of tasks cost a server, in microseconds; made by ``tests/bench/costs.py``.

CPU time, measured on {date} with release {release}; a task has {annotations} annotations and a
prediction. A ``linear`` cost is one for each task that a page is chosen from, a ``quadratic`` one
for each of these and each task of the project; "*" is the median, for what is not in the table.
``request`` is a page whatever is in it, ``rows`` are its rows.
"""

COSTS: dict[str, dict[str, dict[str, float]]] = '''


def table(raw: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Return the module with the costs that follow from figures."""
    costs = {NAMES[database]: costs_of(figures) for database, figures in raw.items()}
    head = HEAD.format(date=date.today(), release=VERSION, annotations=ANNOTATIONS)
    return head + pformat(costs, sort_dicts=False) + "\n"


def costs_of(figures: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Return the costs on one database."""
    at = {int(size): figures[size] for size in sorted(figures, key=int)}
    request = min(map(base, at.values()))
    linear, quadratic = dict[str, float](), dict[str, float]()
    for name, items in filters(1, 2, 1).items():
        found = {n: more_than_one_row(one, f"filter {name}") for n, one in at.items()}
        each = {n: seconds / n for n, seconds in found.items() if seconds is not None}
        *_, before, last = each
        kind = kind_of(items[0])
        if each[last] > WORSE * each[before] and each[last] * last > 1:
            quadratic[kind] = max(quadratic.get(kind, 0), micro(each[last] / last))
        else:
            linear[kind] = max(linear.get(kind, 0), micro(slope(each)))
    for family in ("compare", "contains", "empty", "in_list"):
        some = [cost for kind, cost in linear.items() if kind.endswith(f" {family}")]
        linear[f"* {family}"] = round(statistics.median(some))
    rows = {}
    for name in ROWS:
        pages = {n: more_than_one_row(one, f"rows {name}") for n, one in at.items()}
        of_one = [spent / min(n, MOST_ROWS) for n, spent in pages.items() if spent is not None]
        rows[name] = micro(statistics.median(of_one))
    task = micro(slope({n: (base(one) - request) / n for n, one in at.items()}))
    return {
        "base": {"request": micro(request), "task": task},
        "rows": rows,
        "linear": dict(sorted(linear.items())),
        "quadratic": quadratic,
    }


PLAIN = ("one row", "filter id greater", "filter created_at greater", "filter overlap greater")
"""Pages of one row, of which all tasks match: filters of stored numbers cost next to nothing."""


def base(figures: Mapping[str, float]) -> float:
    """Return what a page takes whatever is in it: the least of those that are alike."""
    return min(figures[name] for name in PLAIN if name in figures)


def more_than_one_row(figures: Mapping[str, float], name: str) -> float | None:
    """Return what a page takes more than one with a row and no filter."""
    return figures[name] - base(figures) if name in figures else None


def slope(each: Mapping[int, float]) -> float:
    """Return the cost of a task that is closest to what projects of several sizes take."""
    return sum(cost * n * n for n, cost in each.items()) / sum(n * n for n in each)


def micro(seconds: float) -> float:
    """Return microseconds with two digits that mean something."""
    return round(float(f"{max(0.0, seconds) * 1e6:.2g}"))


def main() -> None:
    """Measure, or make the table."""
    parser = argparse.ArgumentParser(description="Measure what filters cost a server.")
    parser.add_argument("verb", choices=["measure", "table"])
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--sizes", type=int, nargs="+", default=[250, 500, 1000, 2000])
    parser.add_argument("--only", nargs="+", default=[""], help='what begins so: "rows", "filter"')
    args = parser.parse_args()
    if args.verb == "measure":
        measure(args.database, args.sizes, tuple(args.only))
    else:
        TABLE.write_text(table(json.loads(RAW.read_text())))


if __name__ == "__main__":
    main()
