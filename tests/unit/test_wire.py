"""What is sent for what was said."""

from __future__ import annotations

import json
import time
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

import pytest

from labelstudio_orm import LabelStudio, LabelStudioError, Project, Q, QuerySet, Task, data
from labelstudio_orm._engine.http.connection import facts_of
from labelstudio_orm.testing import FakeLabelStudio
from tests.helpers import client_of


@pytest.fixture
def project(fake: FakeLabelStudio) -> Project:
    """A project with five tasks."""
    made = fake.client().projects.create(title="Wire")
    made.tasks.bulk_create([{"text": str(n)} for n in range(5)])
    return made


def sent(fake: FakeLabelStudio, queryset: QuerySet[Any]) -> tuple[dict[str, str], Any]:
    """The parameters and the ``query`` of the only request that a queryset makes, once it is known
    which keys the data have.
    """
    list(queryset.iterator())
    fake.requests.clear()
    list(queryset.iterator())
    (request,) = fake.requests
    params = dict(request.query)
    # the server decodes the text of a query once more than other parameters
    return params, json.loads(unquote(params.pop("query", "null"))) or request.body


def line(column: str, operator: str, type_: str, value: Any) -> dict[str, Any]:
    return {
        "filter": f"filter:tasks:{column}", "operator": operator, "type": type_, "value": value,
    }  # fmt: skip


def test_tasks_are_listed_light_unresolved_and_by_id(
    fake: FakeLabelStudio, project: Project
) -> None:
    params, query = sent(fake, project.tasks)
    omitted = {"omit": "annotations,predictions"}
    assert params == {"project": "1", "page_size": "100", "resolve_uri": "false", **omitted}
    assert query == {"ordering": ["tasks:id"]}


@pytest.mark.parametrize(
    ("relations", "omitted"),
    [
        (["annotations"], {"predictions", "drafts"}),
        (["predictions"], {"annotations", "drafts"}),
        (["annotations", "predictions"], {"drafts"}),
    ],
)
def test_a_prefetch_omits_what_it_does_not_name(
    fake: FakeLabelStudio, project: Project, relations: list[str], omitted: set[str]
) -> None:
    params, _ = sent(fake, project.tasks.prefetch(*relations))
    texts = {"annotations_results", "predictions_results", "annotations_ids"}
    assert {*params["omit"].split(",")} == {*omitted, *texts, "predictions_model_versions"}


@pytest.mark.parametrize(
    ("condition", "conjunction", "items"),
    [
        (Q(total_annotations=0), "and", [line("total_annotations", "equal", "Number", 0)]),
        (Q(id__range=(2, 4)), "and", [line("id", "in", "Number", {"min": 2, "max": 4})]),
        (Q(annotators=7), "and", [line("annotators", "contains", "List", 7)]),
        (Q(is_labeled=False), "and", [line("is_labeled", "equal", "Boolean", False)]),
        (
            Q(data__text__contains="50% off"),
            "and",
            [line("data.text", "contains", "String", "50% off")],
        ),
        # The Kelvin sign is a k in lower case, a dotted capital I is an i.
        (
            Q(data__text__icontains="thick paint"),
            "and",
            [line("data.text", "contains", "String", " pa")],
        ),
        (
            Q(id=1) | Q(total_predictions__gte=3),
            "or",
            [
                line("id", "equal", "Number", 1),
                line("total_predictions", "greater_or_equal", "Number", 3),
            ],
        ),
        (~Q(total_annotations=0), "and", [line("total_annotations", "not_equal", "Number", 0)]),
        (~Q(id__lt=5), "and", [line("id", "greater_or_equal", "Number", 5)]),
        (Q(id__gt=1.5), "and", [line("id", "greater", "Number", 1)]),
        (Q(id__lte=2.5), "and", [line("id", "less", "Number", 3)]),
        (Q(data__n=10), "and", [line("data.n", "in_list", "String", [10])]),
        (Q(data__n__in=[1.5, "a"]), "and", [line("data.n", "in_list", "String", [1.5, "a"])]),
        (
            ~Q(data__lang__in=["de", 1]),
            "or",
            [
                line("data.lang", "not_in_list", "String", ["de", 1]),
                line("data.lang", "empty", "List", True),
            ],
        ),
        (Q(data__n=1 / 3), "and", [line("data.n", "contains", "String", "")]),
        (Q(data__n=True), "and", [line("data.n", "in_list", "String", [True])]),
        (Q(data__n__gt=3), "and", [line("data.n", "greater", "String", 3)]),
        (Q(data__n__lt=0.5), "and", [line("data.n", "less", "String", 0.5)]),
        (
            Q(data__n__range=(1, 2)),
            "and",
            [
                line("data.n", "greater", "String", 0.9999999999999999),
                line("data.n", "less", "String", 2.0000000000000004),
            ],
        ),
        (Q(data__n__gt="3"), "and", [line("data.n", "contains", "String", "")]),
        (data["a"]["b"] == "x", "and", [line("data.a__b", "in_list", "String", ["x"])]),
        (Q(data__exact__contains="a"), "and", [line("data", "contains", "String", "a")]),
        (Q(data__has_key="lang"), "and", [line("data", "contains", "String", "lang")]),
        (Q(annotators__isnull=True), "and", [line("annotators", "empty", "List", True)]),
        (~Q(annotators=7), "and", [line("annotators", "not_contains", "List", 7)]),
        (
            ~Q(inner_id__gt=3),
            "or",
            [
                line("inner_id", "less_or_equal", "Number", 3),
                line("inner_id", "empty", "String", True),
            ],
        ),
        (
            ~Q(completed_at__lt=datetime(2026, 1, 1, tzinfo=timezone.utc)),
            "or",
            [
                line("completed_at", "greater_or_equal", "Datetime", "2026-01-01T00:00:00.000000Z"),
                line("completed_at", "empty", "String", True),
            ],
        ),
        (Q(annotations__completed_by=7), "and", [line("annotators", "contains", "List", 7)]),
        (
            Q(annotations__ground_truth=True),
            "and",
            [line("annotations_ids", "empty", "List", False)],
        ),
        (
            Q(annotations__result__label="Car"),
            "and",
            [line("annotations_results", "contains", "String", '"Car"')],
        ),
        (
            Q(annotations__result__label__icontains="car"),
            "and",
            [line("annotations_ids", "empty", "List", False)],
        ),
        (
            Q(predictions__model_version__in=["a", "b"]),
            "and",
            [line("predictions_model_versions", "contains", "List", ["a", "b"])],
        ),
        (
            (Q(id=1) | Q(annotators=7)) & Q(is_labeled=True),
            "or",
            [
                {
                    **line("id", "equal", "Number", 1),
                    "child_filter": line("is_labeled", "equal", "Boolean", True),
                },
                {
                    **line("annotators", "contains", "List", 7),
                    "child_filter": line("is_labeled", "equal", "Boolean", True),
                },
            ],
        ),
        (
            (Q(annotators=1) | Q(id=1)) & Q(annotators=7),
            "and",
            [line("annotators", "contains", "List", 7)],
        ),
        (Q(id__in=[1, 2**70]), "and", [line("id", "in_list", "Number", [1])]),
        (
            Q(annotators__in=[1, 2]),
            "or",
            [line("annotators", "contains", "List", 1), line("annotators", "contains", "List", 2)],
        ),
        (
            Q(annotations__id__in=[5, 7]),
            "and",
            [line("annotations_ids", "contains", "String", "5,7")],
        ),
        (
            Q(predictions__id__isnull=True),
            "and",
            [line("predictions", "not_in", "Number", {"min": 0, "max": 2**62})],
        ),
        *(
            (condition, "and", [line("predictions", "empty", "Number", False)])
            for condition in (
                Q(predictions__id__isnull=False),
                Q(predictions__score__gte=0.5),
                Q(predictions__result__label="Ä"),
                Q(predictions__result__label__icontains="car"),
            )
        ),
    ],
)  # fmt: skip
def test_filters(
    fake: FakeLabelStudio, project: Project, condition: Q, conjunction: str, items: list[Any]
) -> None:
    facts_of(project._client).database = "postgresql"  # SQLite has dear filters
    _, query = sent(fake, project.tasks.filter(condition))
    assert query["filters"] == {"conjunction": conjunction, "items": items}


@pytest.mark.parametrize(
    "condition",
    [
        Q(meta__source="x"),
        Q(total_annotations=0) | Q(meta__source="x"),
        Q(data__n=None),
        Q(data__n__isnull=True),
        Q(data__n__in=["a", None]),
        ~Q(data__text__contains="a"),
        ~Q(avg_lead_time=2.5),
        ~Q(annotations__ground_truth=True),
    ],
)
def test_what_the_server_would_misread_is_not_sent(
    fake: FakeLabelStudio, project: Project, condition: Q
) -> None:
    _, query = sent(fake, project.tasks.filter(condition))
    assert "filters" not in query


def test_a_keyset_page_of_an_or_has_the_id_in_each_line(
    fake: FakeLabelStudio, project: Project
) -> None:
    ls = client_of(project.tasks)
    ls.page_size = 2
    fake.requests.clear()
    found = list(project.tasks.filter(Q(id__lt=3) | Q(id__gt=3)).iterator())
    assert [task.id for task in found] == [1, 2, 4, 5]
    second = json.loads(unquote(fake.requests[1].query["query"]))
    after = line("id", "greater", "Number", 2)
    assert [item["child_filter"] for item in second["filters"]["items"]] == [after, after]


def test_only_asks_for_the_fields_and_computes_what_is_named(
    fake: FakeLabelStudio, project: Project
) -> None:
    params, query = sent(fake, project.tasks.only("data", "annotators"))
    assert params["include"] == "annotators,data,id"
    assert "tasks:annotators" not in query["hiddenColumns"]["explore"]
    assert "tasks:completed_at" in query["hiddenColumns"]["explore"]


def test_prefetched_rows_are_not_trimmed(fake: FakeLabelStudio, project: Project) -> None:
    params, _ = sent(fake, project.tasks.prefetch("annotations"))
    assert (params["fields"], params["expand"]) == ("all", "annotations")
    assert "include" not in params
    params, _ = sent(fake, project.tasks.only("data").prefetch("annotations"))
    names = set(params["include"].split(","))
    assert {"id", "data", "annotations", "result", "completed_by", "was_cancelled"} <= names


def test_prefetched_rows_are_trimmed_where_it_is_said(
    fake: FakeLabelStudio, project: Project
) -> None:
    tasks = project.tasks.only("data", "annotations__result", "annotations__completed_by")
    params, _ = sent(fake, tasks.prefetch("annotations"))
    assert params["expand"] == "annotations"
    asked = {name for name in params["include"].split(",") if name.startswith("annotations.")}
    assert asked == {"annotations.id", "annotations.completed_by", "annotations.result"}
    assert {"annotations", "data", "id", "result"} <= {*params["include"].split(",")}
    params, _ = sent(fake, tasks.prefetch("annotations").filter(annotations__lead_time__gt=1))
    assert "lead_time" in params["include"].split(",")  # which is looked at here


def test_a_long_query_goes_into_the_body_with_its_project(
    fake: FakeLabelStudio, project: Project
) -> None:
    long = Q(id=1)
    for number in range(100):
        long |= Q(total_annotations__gte=number)
    params, body = sent(fake, project.tasks.filter(long))
    assert "project" not in params
    assert body["project"] == project.id
    assert len(body["filters"]["items"]) == 101


@pytest.mark.parametrize("number", range(5, 60, 5))
def test_an_address_is_short_whatever_its_quotes_become_in_it(
    fake: FakeLabelStudio, project: Project, number: int
) -> None:
    query = Q(id=1)
    for count in range(number):
        query |= Q(total_annotations__gte=count)
    params, _ = sent(fake, project.tasks.filter(query))
    assert len(urlencode(fake.requests[0].query, safe=",:[]")) <= 3500
    assert ("project" in params) == ("query" in fake.requests[0].query)


def test_many_ids_go_in_pieces_that_fit_into_an_address(
    fake: FakeLabelStudio, project: Project
) -> None:
    fake.requests.clear()
    found = list(project.tasks.filter(id__in=range(1, 901)).iterator())
    assert [task.id for task in found] == [1, 2, 3, 4, 5]
    assert len(fake.requests) == 3
    assert all("query" in request.query for request in fake.requests)


def test_more_ids_than_a_project_has_tasks_are_its_pages(
    fake: FakeLabelStudio, project: Project
) -> None:
    fake.requests.clear()
    found = list(project.tasks.filter(id__in=range(1, 100_001)).iterator())
    assert [task.id for task in found] == [1, 2, 3, 4, 5]
    assert len(fake.requests) == 1


def test_changes_alone_are_sent(fake: FakeLabelStudio, project: Project) -> None:
    task = project.tasks.get(1)
    task.data["x"] = 1
    fake.requests.clear()
    task.save()
    assert [(one.method, one.path, one.body) for one in fake.requests] == [
        ("PATCH", "/api/tasks/1/", {"data": {"text": "0", "x": 1}})
    ]
    annotation = task.annotations.create(result=[])
    body = fake.requests[-1].body
    assert set(body) == {"result", "unique_id"}
    annotation.lead_time = 2.0
    annotation.save()
    assert fake.requests[-1].body == {"lead_time": 2.0}


def test_imports_say_what_the_server_would_guess(fake: FakeLabelStudio, project: Project) -> None:
    fake.requests.clear()
    project.tasks.bulk_create(
        [{"data": {"text": "a"}, "annotations": [{"result": []}]}, Task(project=1, data={"b": 1})]
    )
    request = next(one for one in fake.requests if one.method == "POST")
    assert request.query == {"return_task_ids": "true", "commit_to_project": "true"}
    assert request.body == [
        {"data": {"text": "a"}, "annotations": [{"result": [], "ground_truth": False}]},
        {"data": {"b": 1}},
    ]


def test_pages_grow_with_the_pace_of_the_server(
    fake: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = fake.client().projects.create(title="Pace")
    project.tasks.bulk_create([{"n": n} for n in range(400)])
    clock = iter(range(10_000))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    fake.requests.clear()
    assert len(list(project.tasks.iterator())) == 400
    assert [one.query["page_size"] for one in fake.requests] == ["100", "400"]
    slow = iter(range(0, 100_000, 20))
    monkeypatch.setattr(time, "monotonic", lambda: next(slow))
    fake.requests.clear()
    assert len(list(project.tasks.filter(id__lte=155).iterator())) == 155
    sizes = [int(one.query["page_size"]) for one in fake.requests]
    assert sizes == [100, 20, 10, 10, 10, 10]


def test_a_server_that_drops_the_query_is_noticed(
    fake: FakeLabelStudio, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    ls = client_of(project.tasks)
    ls.page_size = 2
    send = type(ls).request

    def without_query(self: LabelStudio, method: str, path: str, **options: Any) -> Any:
        kept = [p for p in options["params"].split("&") if not p.startswith("query=")]
        return send(self, method, path, **{**options, "params": "&".join(kept)})

    monkeypatch.setattr(type(ls), "request", without_query)
    with pytest.raises(LabelStudioError, match="drop the query"):
        list(project.tasks)


def test_predictions_of_what_does_not_exist_are_none(fake: FakeLabelStudio) -> None:
    assert list(fake.client().predictions.filter(task=99)) == []


def test_a_slice_asks_for_its_own_rows(fake: FakeLabelStudio) -> None:
    """Where it is a page as the server counts them, at once; elsewhere its first row is asked for,
    and the others by keyset. A few rows before it are read along.
    """
    project = fake.client().projects.create(title="Far")
    made = project.tasks.bulk_create([{"n": n} for n in range(700)])

    def sizes(start: int, stop: int | None) -> list[tuple[int, int]]:
        fake.requests.clear()
        assert list(project.tasks[start:stop]) == made[start:stop]
        queries = [one.query for one in fake.requests]
        return [(int(query["page_size"]), int(query.get("page", 1))) for query in queries]

    assert sizes(650, 655) == [(5, 131)]
    assert sizes(651, 655) == [(1, 652), (3, 1)]
    assert sizes(2, 5) == [(5, 1)]
    assert sizes(2, 4) == [(2, 2)]
    assert sizes(699, 700) == [(1, 700)]
    assert sizes(600, 800) == [(200, 4)]
    assert sizes(699, None) == [(1, 700)]
    assert sizes(401, 800) == [(1, 402), (300, 1)]
    assert sizes(700, 710) == [(10, 71)]
    assert sizes(701, 710) == [(1, 702)]
    assert sizes(5, 5) == []


def test_a_server_that_caps_its_pages_gives_the_right_slice(
    fake: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = fake.client().projects.create(title="Far")
    made = project.tasks.bulk_create([{"n": n} for n in range(700)])
    send = LabelStudio.request

    def capped(self: LabelStudio, method: str, path: str, **options: Any) -> Any:
        params = dict(parse_qsl(options["params"]))
        params["page_size"] = str(min(50, int(params["page_size"])))
        return send(self, method, path, **{**options, "params": params})

    monkeypatch.setattr(LabelStudio, "request", capped)
    assert list(project.tasks[200:300]) == made[200:300]
    assert list(project.tasks) == made
