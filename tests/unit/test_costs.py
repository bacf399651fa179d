"""Which of several plans is taken: the one that is expected to cost the server least."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from labelstudio_orm import LabelStudio, Project, Q, QuerySet
from labelstudio_orm._engine.conditions.tree import EVERYTHING
from labelstudio_orm._engine.http.connection import facts_of
from labelstudio_orm._engine.plans.columns import column_of, line
from labelstudio_orm._engine.plans.costs import DATABASES, Costs, Size, Stages
from labelstudio_orm._engine.plans.plan import Plan
from labelstudio_orm._engine.reading.planner import plan_without_request
from labelstudio_orm._engine.reading.selection import query_of
from labelstudio_orm.testing import FakeLabelStudio

LABEL: dict[str, Any] = {"annotations__result__label": "b"}
TASKS = 1500


def sent(planned: Plan) -> set[str]:
    """The columns that the server filters by."""
    return {column_of(item) for clause in planned.clauses for item in clause}


def plan_of(project: Project, database: str | None, *conditions: Q, **lookups: Any) -> Plan:
    facts_of(project._client).database = database
    return plan_without_request(query_of(project.tasks.filter(*conditions, **lookups)))


SITUATIONS: list[tuple[str | None, dict[str, Any], set[str]]] = [
    # The text of all results is searched for each task: the square of the project, on SQLite.
    ("sqlite", LABEL, {"annotations_ids"}),
    (None, LABEL, {"annotations_ids"}),
    ("postgresql", LABEL, {"annotations_results"}),
    ("sqlite", {**LABEL, "overlap": 2}, {"annotations_ids", "overlap"}),
    ("postgresql", {**LABEL, "overlap": 2}, {"annotations_results", "overlap"}),
    # The predictions are searched task by task, which costs little.
    ("sqlite", {"predictions__result__label": "b"}, {"predictions_results"}),
    # What the server filters exactly is always left to it.
    ("sqlite", {"annotations__completed_by": 1}, {"annotators"}),
    ("sqlite", {"predictions_score__gt": 0.5, **LABEL}, {"predictions_score", "annotations_ids"}),
]


@pytest.mark.parametrize(("database", "lookups", "columns"), SITUATIONS)
def test_what_is_sent(
    ls: LabelStudio, database: str | None, lookups: dict[str, Any], columns: set[str]
) -> None:
    project = ls.projects.create(title="Weighed", model_version="v1")
    assert sent(plan_of(project, database, **lookups)) == columns


@pytest.mark.parametrize("database", DATABASES)
def test_annotations_of_a_project_are_found_by_the_same_plan(
    ls: LabelStudio, database: str
) -> None:
    project = ls.projects.create(title="Weighed")
    facts_of(ls).database = database
    planned = plan_without_request(query_of(project.annotations.filter(result__label="b")))
    assert ("annotations_results" in sent(planned)) == (database == "postgresql")


def test_strict_sends_everything_there_is(ls: LabelStudio) -> None:
    project = ls.projects.create(title="Weighed")
    planned = plan_without_request(query_of(project.tasks.filter(**LABEL).strict()))
    assert sent(planned) == {"annotations_results"}


STAGES = Stages(EVERYTHING, narrow=0.5, wide=2.0, request=30.0)


@pytest.mark.parametrize(
    ("rows", "share", "pays"),
    [
        (1000, 0.0, True),  # 30 + 500 beside 30 + 2,000
        (1000, 0.5, True),  # 90 + 500 + 1,000
        (1000, 0.7, False),  # 120 + 500 + 1,400
        (20, 0.4, False),  # 60 + 10 + 16 beside 30 + 40: few rows are not worth another request
    ],
)
def test_two_stages_pay_where_few_of_many_rows_match(rows: int, share: float, pays: bool) -> None:
    assert STAGES.pay(rows, share) == pays


def test_what_a_plan_is_expected_to_cost() -> None:
    costs = Costs(30.0, 0.0, {"light": 2.0}, {"* compare": 0.1}, {"* contains": 0.0})
    everything, half = Plan(), Plan(clauses=((line("overlap", "greater", "Number", 1),),))
    assert everything.expected(costs, Size(100)) == 30 + 100 * 2
    assert half.expected(costs, Size(100)) == 30 + 100 * 0.1 + 50 * 2
    assert everything.expected(costs, Size(2100)) == 3 * 30 + 2100 * 2
    assert everything.expected(costs, Size(2100, limit=1)) == 30 + 1 * 2


def test_the_project_is_taken_to_have_grown(ls: LabelStudio) -> None:
    """Its counters are as old as the object; a wrong guess would cost the square of its size."""
    project = ls.projects.create(title="Grown")
    project.tasks.create(data={"n": 1})
    project.refresh()
    assert project.task_number == 1
    assert sent(plan_of(project, "sqlite", **LABEL)) == {"annotations_ids"}
    assert "for 1,000 tasks" in project.tasks.filter(**LABEL).explain()


def test_explain_shows_what_was_weighed(ls: LabelStudio) -> None:
    project = ls.projects.create(title="Weighed")
    lines = project.tasks.filter(**LABEL).explain().splitlines()
    costs = [line.removeprefix("costs:").strip() for line in lines if line.startswith("costs:")]
    assert [text.rpartition(": ")[2] for text in costs] == [
        "without annotations_results", "every task is read", "the server filters all it can",
    ]  # fmt: skip
    seconds = [float(text.split()[1]) for text in costs]
    assert seconds == sorted(seconds)
    one = project.tasks.filter(overlap=2).explain()
    assert one.count("costs:") == 1


def expected(queryset: QuerySet[Any]) -> float:
    """The seconds that the first of the plans is expected to take."""
    [text, *_] = [one for one in queryset.explain().splitlines() if one.startswith("costs:")]
    return float(text.split()[2])


def test_sorting_is_among_the_costs(ls: LabelStudio) -> None:
    project = ls.projects.create(title="Sorted")
    facts_of(ls).database = "sqlite"
    costs, tasks = DATABASES["sqlite"], project.tasks
    narrow, light = 1000 * costs.rows["ids"], 1000 * costs.rows["light"]
    requests = [n * costs.request for n in (2, 4)]
    by_key = expected(tasks.order_by("data__n"))
    assert by_key == pytest.approx(requests[0] + narrow + requests[1] + light, rel=0.1)
    assert expected(tasks.order_by("data__n")[:5]) == pytest.approx(requests[0] + narrow, rel=0.1)
    # One page in the server's order, and rows that come by id anyway.
    assert expected(tasks.order_by("-created_at")[:5]) < requests[0]
    assert expected(tasks.order_by("-id")) == expected(tasks)
    assert expected(project.annotations.order_by("-created_at")[:5]) == expected(
        project.annotations.all()
    )


@pytest.fixture(scope="module")
def fake() -> FakeLabelStudio:
    """A server with a project whose tasks have a number, and every second one an annotation."""
    fake = FakeLabelStudio()
    project = fake.client().projects.create(title="Read in stages")
    fields = {"from_name": "a", "to_name": "t", "type": "labels"}
    project.tasks.bulk_create(
        {
            "data": {"n": n},
            "annotations": [{"result": [{**fields, "value": {"labels": ["b"]}}]}] * (n % 2 == 0),
        }
        for n in range(TASKS)
    )
    return fake


def pages(fake: FakeLabelStudio, read: Callable[[Project], object]) -> list[tuple[int, str]]:
    """How many rows each request asks for, and how much of them."""
    project = fake.client().projects.get(title="Read in stages")
    fake.requests.clear()
    read(project)
    found = [request.query for request in fake.requests if request.path == "/api/tasks/"]
    return [
        (int(one["page_size"]), one.get("include") or one.get("fields") or "light") for one in found
    ]


def numbers(project: Project, **lookups: Any) -> list[int]:
    return [task.data["n"] for task in project.tasks.filter(**lookups)]


THIRD = 1 / 3
"""Numbers of so many digits are compared here."""


@pytest.mark.filterwarnings("ignore::labelstudio_orm.ClientSideFilterWarning")
def test_of_rows_that_do_not_match_only_what_decides_that_is_read(fake: FakeLabelStudio) -> None:
    found: list[int] = []
    read = pages(fake, lambda p: found.extend(numbers(p, data__n__range=(40 - THIRD, 49))))
    assert found == list(range(40, 50))
    assert read == [(100, "light"), (1000, "data,id"), (1000, "data,id")]
    read = pages(fake, lambda p: found.extend(numbers(p, data__n__gte=1400 - THIRD)))
    assert found[10:] == list(range(1400, TASKS))
    assert read == [(100, "light"), (1000, "data,id"), (1000, "data,id"), (100, "light")]


@pytest.mark.filterwarnings("ignore::labelstudio_orm.ClientSideFilterWarning")
def test_where_most_rows_match_they_are_read_at_once(fake: FakeLabelStudio) -> None:
    found: list[int] = []
    read = pages(fake, lambda p: found.extend(numbers(p, data__n__gte=10 - THIRD)))
    assert found == list(range(10, TASKS))
    assert read == [(100, "light"), (1000, "light"), (1000, "light")]


@pytest.mark.filterwarnings("ignore::labelstudio_orm.ClientSideFilterWarning")
@pytest.mark.parametrize("order", ["id", "-id"])
@pytest.mark.parametrize("workers", [1, 3])
def test_rows_in_stages_come_in_order(fake: FakeLabelStudio, order: str, workers: int) -> None:
    project = fake.client().projects.get(title="Read in stages")
    found = project.tasks.filter(data__n__range=(1000 - THIRD, 1009)).order_by(order)
    ids = [task.data["n"] for task in found.iterator(workers=workers)]
    assert ids == sorted(range(1000, 1010), reverse=order == "-id")


def test_a_disjunction_is_filtered_in_every_stage(fake: FakeLabelStudio) -> None:
    project = fake.client().projects.get(title="Read in stages")
    either = Q(annotations__result__label="c") | Q(id__lt=project.tasks[300].id)
    fake.requests.clear()
    assert project.tasks.filter(either).count() == 300
    listed = [one.query["query"] for one in fake.requests if "query" in one.query]
    assert all("annotations_ids" in query for query in listed[1:] if "in_list" not in query)
    assert len(listed) > 2


def test_what_light_rows_decide_goes_before_annotations(fake: FakeLabelStudio) -> None:
    read = pages(fake, lambda p: numbers(p, data__n__lte=50 + THIRD, **LABEL))
    assert read[0] == (1, "id")  # which database it is
    assert read[1][1] == "all"
    assert all(part == "data,id" for _, part in read[2:])


def test_the_database_is_asked_for_once(fake: FakeLabelStudio) -> None:
    ls = fake.client()
    project = ls.projects.get(title="Read in stages")
    fake.requests.clear()
    assert project.tasks.filter(**LABEL).exists()
    assert facts_of(ls).database == "sqlite"
    assert project.tasks.filter(**LABEL).exists()
    assert len(fake.requests) == 3
