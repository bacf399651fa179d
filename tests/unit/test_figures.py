"""Figures of querysets are those of a plain loop over the rows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta, timezone
from typing import Any

import pytest

from labelstudio_orm import (
    Avg,
    Count,
    FieldError,
    LabelStudio,
    Max,
    Min,
    Project,
    Q,
    Sum,
    User,
    data,
)
from labelstudio_orm._statistics.counts import counted
from labelstudio_orm.testing import FakeLabelStudio
from tests.helpers import present

CONFIG = """\
<View>
  <Text name="text" value="$text"/>
  <Choices name="topics" toName="text" choice="multiple">
    <Choice value="a"/><Choice value="b"/><Choice value="c"/>
  </Choices>
  <Labels name="ner" toName="text"><Label value="Person"/><Label value="Place"/></Labels>
  <Rating name="stars" toName="text"/>
</View>
"""

TASKS: dict[str, Callable[[Project], Any]] = {
    "all": lambda p: p.tasks,
    "by the server": lambda p: p.tasks.filter(total_annotations__gt=0),
    "by the server, data": lambda p: p.tasks.filter(data__lang="de"),
    "here": lambda p: p.tasks.filter(Q(data__lang="de") | Q(data__n__lt=4)),
    "a slice": lambda p: p.tasks.order_by("-id")[2:7],
    "none": lambda p: p.tasks.filter(id=0),
    "labelled": lambda p: p.tasks.filter(is_labeled=True),
}
NAMES = ("data__lang", "is_labeled", "draft_exists", "total_annotations", "data__tags", "data__n")

MARKED: dict[str, Callable[[Project], Any]] = {
    "all": lambda p: p.annotations,
    "not cancelled": lambda p: p.annotations.filter(was_cancelled=False),
    "of some tasks": lambda p: p.annotations.filter(task_id__gt=p.tasks[3].id),
    "a slice": lambda p: p.annotations[1:6],
    "of a task": lambda p: p.tasks[3].annotations,
}
MADE: dict[str, Callable[[Project], Any]] = {
    "all": lambda p: p.predictions,
    "of a version": lambda p: p.predictions.filter(model_version="v1"),
    "of versions": lambda p: p.predictions.exclude(model_version="v1"),
    "by score": lambda p: p.predictions.filter(score__gt=0.2),
}


@pytest.fixture
def labelled(ls: LabelStudio) -> Project:
    """Tasks with languages, annotations of two users and predictions of three versions."""
    chance, bob = random.Random(7), ls.users.create(email="bob@example.org")
    project = ls.projects.create(title="Figures", label_config=CONFIG)
    me = ls.users.me()
    topics, ner, stars = (project.config[name] for name in ("topics", "ner", "stars"))

    def result() -> list[Any]:
        chosen = chance.sample("abc", chance.randrange(4))
        return [
            *([topics.choices(*chosen)] if chosen else []),
            *[ner.label("Person", start=0, end=n + 1) for n in range(chance.randrange(3))],
            *([stars.rating(chance.randrange(1, 6))] if chance.random() < 0.7 else []),
        ]

    def annotation(user: User) -> dict[str, Any]:
        cancelled = chance.random() < 0.3
        return {"result": result(), "completed_by": user.id, "was_cancelled": cancelled}

    project.tasks.bulk_create(
        {
            "data": {
                "text": "text",
                "n": number / 2 if number % 3 else number,
                **({"lang": chance.choice(["de", "en", None])} if number % 4 else {}),
                **({"tags": chance.sample(["x", "y"], 2)} if number % 2 else {"tags": {"k": 1}}),
            },
            "annotations": [annotation(chance.choice([me, bob])) for _ in range(number % 3)],
            "predictions": [
                {"result": result(), "score": chance.random(), "model_version": f"v{n}"}
                for n in range(number % 4)
            ],
        }
        for number in range(12)
    )
    return ls.projects.get(project.id)


def plain(value: Any) -> Any:
    """A value as a key, by hand."""
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}": {inner}' for key, inner in value.items()) + "}"
    return tuple(value) if isinstance(value, list) else value


def check(objects: Any, name: str, by: str) -> None:
    rows = [tuple(map(plain, row)) for row in objects.values_list(name, by)]
    counts = objects.count_by(name)
    assert counts == Counter(row[0] for row in rows)
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    assert objects.count_by(name, by=by) == Counter(rows)
    assert all(value in counts for value in counts)
    assert "no such value" not in counts
    assert (counts.total, counts["no such value"]) == (len(rows), 0)


@pytest.mark.filterwarnings("ignore::labelstudio_orm.UnknownKeyWarning")
def test_counts_are_those_of_a_loop(labelled: Project) -> None:
    for get in TASKS.values():
        for name in NAMES:
            check(get(labelled), name, "data__lang")
    for get in MARKED.values():
        for name in ("completed_by", "was_cancelled", "ground_truth"):
            check(get(labelled), name, "task")
    for get in MADE.values():
        check(get(labelled), "model_version", "task")


PARTS = (
    Q(data__lang="de"), Q(data__n__lt=5), Q(total_annotations=1), Q(is_labeled=True),
    Q(data__tags__isnull=True), Q(annotations__result__topics="a"), Q(id__gt=6),
    Q(predictions__model_version="v1"), data["lang"].isnull(), Q(annotations__was_cancelled=True),
)  # fmt: skip


@pytest.mark.filterwarnings("ignore::labelstudio_orm.UnknownKeyWarning")
def test_figures_of_generated_conditions_are_those_of_a_loop(labelled: Project) -> None:
    chance = random.Random(11)
    for _ in range(40):
        one, other = (~part if chance.random() < 0.3 else part for part in chance.sample(PARTS, 2))
        tasks = labelled.tasks.filter(one & other if chance.random() < 0.5 else one | other)
        rows = list(tasks)
        name = chance.choice(["is_labeled", "draft_exists", "total_annotations"])
        assert tasks.count_by(name) == Counter(getattr(task, name) for task in rows)
        figures = tasks.aggregate(n=Count(), first=Min("created_at"), last=Max("id"))
        assert figures == {
            "n": len(rows),
            "first": min((present(task.created_at) for task in rows), default=None),
            "last": max((task.id for task in rows), default=None),
        }


def test_what_is_there_is_counted_without_a_request(
    labelled: Project, fake: FakeLabelStudio
) -> None:
    tasks = list(labelled.tasks.prefetch("annotations"))
    fake.requests.clear()
    found = [task.annotations.count_by("topics", by="completed_by") for task in tasks]
    days = [task.annotations.per_day().total for task in tasks]
    assert fake.requests == []
    assert sum(map(Counter, found), Counter()) == labelled.annotations.count_by(
        "topics", by="completed_by"
    )
    assert sum(days) == labelled.annotations.count()


def test_names_may_lie_behind_a_relation(labelled: Project, fake: FakeLabelStudio) -> None:
    rows = list(labelled.annotations)
    expected = Counter(present(one.completed_by).email for one in rows)
    fake.requests.clear()
    assert labelled.annotations.count_by("completed_by__email") == expected
    assert len(fake.requests) == 2
    mean = labelled.annotations.aggregate(n=Avg("task__total_annotations"))["n"]
    assert mean == sum(present(one.task).total_annotations for one in rows) / len(rows)
    counts = labelled.annotations.count_by("topics", by="completed_by__email")
    assert {email for _, email in counts} <= set(expected)
    assert labelled.annotations.per_day(by="completed_by__email").total == len(rows)


def test_the_tasks_of_a_view_are_counted_in_one_pass(ls: LabelStudio, labelled: Project) -> None:
    view = labelled.views.create(title="Some", filters=Q(id__gt=labelled.tasks[4].id))
    rows = list(view.tasks)
    assert view.tasks.count_by("is_labeled") == Counter(task.is_labeled for task in rows)
    figures = view.tasks.aggregate(Count(), Max("id"))
    assert figures == {"count": len(rows), "id__max": max(task.id for task in rows)}
    assert ls.annotations.filter(project=2**70).count_by("was_cancelled") == {}


def test_a_control_needs_a_project(ls: LabelStudio, labelled: Project) -> None:
    stars = labelled.predictions.count_by("stars")
    assert ls.predictions.filter(project=labelled.id).count_by("stars") == stars
    task = labelled.tasks[2]
    expected = task.annotations.count_by("stars")
    assert ls.annotations.filter(task=task.id).count_by("stars") == expected
    with pytest.raises(FieldError, match="stars"):
        ls.predictions.filter(score__gt=0).count_by("stars")
    with pytest.raises(FieldError, match="secret"):
        ls.projects.count_by("task_data_password")
    assert [repr(one) for one in (Count(), Count("id", distinct=True), Sum("id"))] == [
        "Count()", "Count('id', distinct=True)", "Sum('id')",
    ]  # fmt: skip


def test_distinct_values_are_those_of_a_loop(labelled: Project) -> None:
    assert labelled.tasks.distinct("data__lang") == ["de", "en", None]
    assert labelled.annotations.distinct("topics") == ["a", "b", "c"]
    assert labelled.tasks.distinct("total_annotations") == [0, 1, 2]


def test_counts_by_a_control_are_of_labels_and_values(labelled: Project) -> None:
    for get in (*MARKED.values(), *MADE.values()):
        found = [(one, one.values()) for one in get(labelled)]
        topics = Counter(topic for _, values in found for topic in many(values.get("topics", [])))
        stars = Counter(values["stars"] for _, values in found if "stars" in values)
        people = Counter(
            (label, one.task_id)
            for one, values in found
            for span in values.get("ner", [])
            for label in span.labels
        )
        assert get(labelled).count_by("topics") == topics
        assert get(labelled).count_by("stars") == stars
        assert get(labelled).count_by("ner", by="task_id") == people
        mean = get(labelled).aggregate(Avg("stars"))["stars__avg"]
        assert mean == (sum(stars.elements()) / stars.total() if stars else None)


def many(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [values]


FIGURES: dict[str, tuple[Any, Callable[[list[Any]], Any]]] = {
    "count": (Count, len),
    "distinct": (lambda name: Count(name, distinct=True), lambda found: len(set(found))),
    "sum": (Sum, lambda found: sum(found) if found else None),
    "avg": (Avg, lambda found: sum(found) / len(found) if found else None),
    "min": (Min, lambda found: min(found, default=None)),
    "max": (Max, lambda found: max(found, default=None)),
}


def test_aggregates_are_those_of_a_loop(labelled: Project) -> None:
    numbers = ("id", "data__n", "total_annotations", "created_at", "avg_lead_time", "is_labeled")
    for get in TASKS.values():
        rows = list(get(labelled).values(*numbers))
        for kind, (figure, of) in FIGURES.items():
            names = [n for n in numbers if n != "created_at" or kind not in ("sum", "avg")]
            expected = {n: of([row[n] for row in rows if row[n] is not None]) for n in names}
            together = get(labelled).aggregate(n=Count(), **{n: figure(n) for n in names})
            assert together == {"n": len(rows), **expected}
            if kind in ("min", "max"):  # one alone is asked of the server
                assert all(get(labelled).aggregate(x=figure(n))["x"] == expected[n] for n in names)
    assert labelled.tasks.aggregate(Sum(data["n"]))['data["n"]__sum'] is not None


def test_days_are_those_of_a_loop(labelled: Project) -> None:
    for get in (*TASKS.values(), *MARKED.values(), *MADE.values()):
        far = timezone(timedelta(hours=14))
        by = "data__lang" if get in TASKS.values() else "task_id"
        rows = list(get(labelled).values_list("created_at", by))
        days = Counter(time.astimezone(far).date() for time, _ in rows)
        assert get(labelled).per_day(tz=far) == days
        assert get(labelled).per_day(by=by) == Counter(
            (time.astimezone(timezone.utc).date(), one) for time, one in rows
        )


def test_what_the_server_counts_is_not_read(
    labelled: Project, asked: Callable[[], list[str]]
) -> None:
    pushed: list[tuple[Callable[[], Any], int]] = [
        (lambda: labelled.predictions.count_by("model_version"), 1),
        (lambda: labelled.annotations.count_by("was_cancelled"), 1),
        (lambda: labelled.annotations.distinct("ground_truth"), 1),
        (lambda: labelled.tasks.count_by("is_labeled"), 2),
        (lambda: labelled.tasks.filter(total_annotations=1).count_by("draft_exists"), 2),
        (lambda: labelled.tasks.aggregate(n=Count()), 1),
        (lambda: labelled.tasks.aggregate(n=Count(), last=Max("id"), first=Min("id")), 3),
        (lambda: labelled.annotations.aggregate(n=Count()), 1),
    ]
    for ask, requests in pushed:
        asked()
        ask()
        assert len(found := asked()) == requests
        assert not any("page_size=100" in one for one in found)


def test_counts_as_text_and_as_a_table(labelled: Project) -> None:
    counts = labelled.annotations.filter(was_cancelled=False).count_by("topics", by="completed_by")
    lines = repr(counts).splitlines()
    assert lines[0] == "topics / completed_by  1  2"
    for line in lines[1:]:
        topic, first, second = line.split()
        assert (int(first), int(second)) == (counts[topic, 1], counts[topic, 2])
    table = counts.to_pandas()
    assert list(table) == ["topics", "completed_by", "count"]
    assert {(a, b): n for a, b, n in table.itertuples(index=False)} == dict(counts)
    many = labelled.tasks.count_by("id")
    assert str(many).splitlines()[0] == "id  count"
    assert list(labelled.tasks.filter(id=0).count_by("id", by="data__lang").to_pandas()) == [
        "id", "data__lang", "count",
    ]  # fmt: skip
    assert labelled.tasks.aggregate(n=Count()).to_pandas()["n"].tolist() == [12]


def test_long_tables_are_cut(ls: LabelStudio) -> None:
    counts = counted(["a", "b"], ([[n], [m]] for n in range(25) for m in range(25)))
    lines = repr(counts).splitlines()
    assert (len(lines), lines[-2:]) == (23, ["(5 more rows)", "(5 more columns)"])
    path = repr(counted(["a"], [[[["Animal", "Dog"]]]]))
    assert path.splitlines()[1] == "Animal > Dog      1"
    assert repr(counted(["a", "b", "c"], [])) == "a  b  c  count"


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda p: p.tasks.count_by(), TypeError, "needs a name"),
        (lambda p: p.tasks.count_by("titel"), FieldError, "titel"),
        (lambda p: p.tasks.count_by("-id"), FieldError, "without the minus"),
        (lambda p: p.annotations.count_by("toppics"), FieldError, "did you mean 'topics'"),
        (lambda p: p.tasks.aggregate(), TypeError, "needs a figure"),
        (lambda p: p.tasks.aggregate(n="id"), TypeError, "takes Count, Sum, Avg"),
        (lambda p: p.tasks.aggregate(Min("id"), Min("id")), TypeError, "one name"),
        (lambda p: p.tasks.aggregate(Sum("data__text")), TypeError, "'text' is not a number"),
        (lambda p: p.tasks.per_day(field="id"), FieldError, "id is not a time"),
        (lambda p: Count(distinct=True), TypeError, "needs the name"),
    ],
)
def test_refused(ask: Callable[[Project], Any], error: Any, message: str) -> None:
    project = FakeLabelStudio().client().projects.create(title="None", label_config=CONFIG)
    project.tasks.create(data={"text": "text"})
    with pytest.raises(error, match=message):
        ask(project)
