"""Hold deleting tasks by each kind of condition against the server's own action.

    python tests/bench/deletes.py --database sqlite --tasks 8000 [kind ...]

A quarter of the tasks is deleted, and imported again before the next turn. The action is told the
same by the Data Manager's filters, as a program could that knows what the server answers; where
there is no filter for it, by the ids.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from costs import Bench
from harness import cell, row, table
from record import CONFIG

from labelstudio_orm import Project, Q
from labelstudio_orm._engine.plans.columns import Item, line
from labelstudio_orm.testing._local import LocalLabelStudio

BAR = 1.5

WORDS = ("alpha", "beta", "gamma", "delta")

Kind = Callable[["Turn"], "tuple[Q, list[Item]]"]


class Turn:
    """The project with a quarter of its tasks just imported, and what its conditions speak of."""

    def __init__(self, project: Project, quarter: list[dict[str, Any]]) -> None:
        self.since = datetime.now(timezone.utc)
        self.ids = [task.id for task in project.tasks.bulk_create(quarter)]


def item(number: int) -> dict[str, Any]:
    """One task; those of a quarter have an annotation, and values of their own."""
    part = number % 4
    data = {
        "text": f"{WORDS[part]} {number} " + "some words of a review " * 8,
        "group": "abcd"[part],
        "stars": part + 1,
        "score": (part + 1) / 8,
        "seen": part == 0,
    }
    annotations = [] if part else [{"result": [], "lead_time": 3.0}]
    return {"data": data, "annotations": annotations}


def data(key: str, operator: str, kind: str, value: Any) -> list[Item]:
    """The line of a key of the data."""
    return [line(f"data.{key}", operator, kind, value)]


def since(turn: Turn) -> str:
    """The time of the import, as the server takes it."""
    return turn.since.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


KINDS: dict[str, Kind] = {
    "text": lambda turn: (Q(data__group="a"), data("group", "equal", "String", "a")),
    "number": lambda turn: (Q(data__stars=1), data("stars", "equal", "Number", 1)),
    "fraction": lambda turn: (Q(data__score=0.125), data("score", "equal", "Number", 0.125)),
    "numbers": lambda turn: (Q(data__stars__in=[1, 9]), data("stars", "in_list", "String", [1, 9])),
    "flag": lambda turn: (Q(data__seen=True), data("seen", "equal", "Boolean", True)),
    "range": lambda turn: (Q(data__stars__lt=2), data("stars", "less", "Number", 2)),
    "part of a text": lambda turn: (
        Q(data__text__contains="alpha"),
        data("text", "contains", "String", "alpha"),
    ),
    "not a text": lambda turn: (
        ~Q(data__group__in=["b", "c", "d"]),
        data("group", "not_in_list", "String", ["b", "c", "d"]),
    ),
    "counter": lambda turn: (
        Q(total_annotations__gte=1),
        [line("total_annotations", "greater_or_equal", "Number", 1)],
    ),
    "annotated": lambda turn: (
        Q(annotations__id__isnull=False),
        [line("annotations_ids", "empty", "List", False)],
    ),
    "author": lambda turn: (Q(annotators=1), [line("annotators", "contains", "List", 1)]),
    "lead time": lambda turn: (
        Q(avg_lead_time__gt=2),
        [line("avg_lead_time", "greater", "Number", 2)],
    ),
    "date": lambda turn: (
        Q(created_at__gte=turn.since),
        [line("created_at", "greater_or_equal", "Datetime", since(turn))],
    ),
    "id above": lambda turn: (
        Q(id__gte=turn.ids[0]),
        [line("id", "greater_or_equal", "Number", turn.ids[0])],
    ),
    "ids": lambda turn: (Q(id__in=turn.ids), [line("id", "in_list", "Number", turn.ids)]),
    "either": lambda turn: (
        Q(data__group="a") | Q(total_annotations__gte=1),
        data("group", "equal", "String", "a"),
    ),
    "either, of numbers": lambda turn: (
        Q(data__stars=1) | Q(data__score=0.125),
        data("stars", "equal", "Number", 1),
    ),
    "both": lambda turn: (
        Q(data__group="a", total_annotations__gte=1),
        data("group", "equal", "String", "a"),
    ),
    "regions": lambda turn: (
        Q(annotations__lead_time__gt=2),
        [line("avg_lead_time", "greater", "Number", 2)],
    ),
}
"""Conditions, and filters by which the server finds the same tasks."""


def act(project: Project, items: list[Item]) -> None:
    """Let the server's action delete the tasks of a filter."""
    project._client.request(
        "POST",
        "/api/dm/actions/",
        params={"id": "delete_tasks", "project": project.id},
        json={
            "filters": {"conjunction": "and", "items": items},
            "selectedItems": {"all": True, "excluded": []},
        },
    )


def measured(bench: Bench, delete: Callable[[], object]) -> float:
    """Return the CPU seconds of client and server."""
    before = time.process_time() + bench.cpu()
    delete()
    return time.process_time() + bench.cpu() - before


def ratio(bench: Bench, project: Project, quarter: list[dict[str, Any]], kind: Kind) -> float:
    """Return what deleting takes, divided by what the action does."""
    spent = list[float]()
    left = project.tasks.count()
    for number in range(2):
        turn = Turn(project, quarter)
        condition, items = kind(turn)
        ours = project.tasks.filter(condition).delete
        spent.append(measured(bench, ours if number == 0 else lambda: act(project, items)))  # noqa: B023
        if project.tasks.count() != left:
            raise SystemExit(f"{condition} or {items}: {project.tasks.count()} tasks are left")
    return spent[0] / spent[1]


def main() -> None:
    """Measure all kinds."""
    parser = argparse.ArgumentParser(description="Hold deleting against the server's own action.")
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--tasks", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("kind", nargs="*", help=", ".join(KINDS))
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    with LocalLabelStudio(database=args.database) as server:
        bench = Bench(server)
        project = bench.ls.projects.create(title="deleted", label_config=CONFIG)
        items = [item(number) for number in range(args.tasks)]
        project.tasks.bulk_create(items[1::4] + items[2::4] + items[3::4])
        project = bench.ls.projects.get(project.id)
        table(
            f"### Deleting {len(items[::4]):,} of {len(items):,} tasks, {args.database}", "by", []
        )
        misses = []
        for name in args.kind or KINDS:
            found = [ratio(bench, project, items[::4], KINDS[name]) for _ in range(args.rounds)]
            row(name, [cell(found, ".2f")])
            misses += [name] if statistics.median(found) > BAR else []
        print(f"above {BAR}: {', '.join(misses) or 'none'}")


if __name__ == "__main__":
    main()
