"""The server in memory must not lie: it and a real one give equal answers to the same requests.

LABELSTUDIO_ORM_THOROUGH=1 sends every generated query instead of a sample.
"""

from __future__ import annotations

import itertools
import json
import os
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from labelstudio_orm.testing import FakeLabelStudio, LocalLabelStudio
from tests.live.twins import Script, Step, Twins, mask, twins_of

pytestmark = pytest.mark.live

THOROUGH = bool(os.environ.get("LABELSTUDIO_ORM_THOROUGH"))
SAMPLE = 330
CONFIG = (
    '<View><Text name="t" value="$text"/>'
    '<Choices name="c" toName="t"><Choice value="A"/><Choice value="B"/></Choices></View>'
)
OTHER_CONFIG = (
    '<View><Image name="i" value="$image"/><Rating name="r" toName="i"/>'
    '<Labels name="l" toName="i"><Label value="X" alias="x"/><Label value="Y"/></Labels>'
    '<TextArea name="a" toName="i" perRegion="true"/></View>'
)
UUID = "6f2b4bc4-5d8a-4c3e-8f4e-1f0b8f4b3c%02d"


def item(column: str, operator: str, kind: str, value: Any, child: Any = None) -> dict[str, Any]:
    """One line of a filter."""
    line = {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}
    return {**line, "child_filter": child} if child else line


def where(*items: Any, conjunction: str = "and", **more: Any) -> dict[str, Any]:
    """A query with these lines."""
    return {"filters": {"conjunction": conjunction, "items": list(items)}, **more}


# --- the corpus -----------------------------------------------------------------------------------

DATA: list[Any] = [
    {"s": "x", "n": 10, "b": True, "d": {"k": 1}, "l": [1, 2], "text": "Alpha"},
    {"s": "", "n": 9, "b": False, "d": {"k": "1"}, "l": [], "text": "ärger"},
    {"s": None, "n": "10", "b": "true", "d": {}, "text": "ÄRGER"},
    {"s": "y", "n": "9.5", "b": None, "l": ["1"]},
    {"n": None, "text": "alpha beta"},
    {},
    {"n": "abc", "s": "100%", "b": 1},
    {"n": -1.5, "s": "a_b", "b": "True"},
    {"n": 100, "s": '"quoted"', "text": "a\nb"},
    {"n": 0, "s": "é", "a.b": 1, "a-b": 2, "ключ": "значение", "100%": "p"},
    {"n": 10.0, "s": "X", "with space": 1, "0": "zero"},
    {"n": True, "s": "null", "d": [1, {"k": 2}]},
    {"n": [1], "s": {"a": 1}},
    {"n": 1e20, "s": "true", "text": "10"},
]


def region(choice: str = "A", **more: Any) -> dict[str, Any]:
    """One region of a result."""
    return {
        "from_name": "c",
        "to_name": "t",
        "type": "choices",
        "value": {"choices": [choice]},
        **more,
    }


@pytest.fixture(scope="module")
def server() -> Iterator[LocalLabelStudio]:
    """Nobody else may create objects on it: that would use up ids."""
    with LocalLabelStudio() as local:
        yield local


@pytest.fixture(scope="module")
def twins(server: LocalLabelStudio) -> Iterator[Twins]:
    """The two servers with the same corpus."""
    with twins_of(server, FakeLabelStudio()) as both:
        build(both)
        yield both


def build(twins: Twins) -> None:
    """The corpus: awkward data, and annotations and predictions of every kind."""
    both = twins.both
    user = both(
        ("POST", "/api/users/", {"username": "second", "email": "second@x.yz", "password": "p"})
    )["id"]
    main = both(("POST", "/api/projects/", {"title": "main", "maximum_annotations": 2}))["id"]
    twins.ids.update(user=user, main=main)
    items = [{"data": data, "meta": {"index": index}} for index, data in enumerate(DATA)]
    items[0]["annotations"] = [
        {
            "result": [region(id="r1")],
            "completed_by": user,
            "ground_truth": False,
            "lead_time": 2.5,
        },
        {"result": [], "completed_by": {"email": "second@x.yz"}, "was_cancelled": True, "id": 77},
    ]
    items[0]["predictions"] = [
        {"result": [region("B")], "score": 0.25, "model_version": "m1"},
        {"result": [region()], "score": 0.75, "model_version": "m2"},
    ]
    items[1]["annotations"] = [
        {"result": [region("Ä")]},
        {"result": [region("B")], "completed_by": user},
    ]
    items[2]["predictions"] = [
        {"result": [], "score": "x"},
        {"result": [region("B")], "score": 0.5},
    ]
    items[7]["predictions"] = [{"result": [region()], "score": 0.9, "model_version": "m1"}]
    imported = both(("POST", f"/api/projects/{main}/import?return_task_ids=true", items))
    tasks = imported["task_ids"]
    twins.ids["tasks"] = tasks
    for index, body in (
        (3, {"result": [region("A")], "unique_id": UUID % 1, "lead_time": 1}),
        (3, {"result": [region("B")], "completed_by": user, "was_cancelled": True}),
        (4, {"result": [], "ground_truth": True}),
        (5, {"was_cancelled": True}),
        (6, {"result": [region("A"), region("B")], "lead_time": 0.5}),
        (6, {"result": [], "completed_by": user, "lead_time": 3.5}),
        (6, {"result": [], "completed_by": user}),
    ):
        both(("POST", f"/api/tasks/{tasks[index]}/annotations/", body))
    for index, body in (
        (3, {"result": [], "score": 0.1, "model_version": "m1"}),
        (8, {"result": []}),
    ):
        both(("POST", "/api/predictions/", {"task": tasks[index], **body}))
    both(("PATCH", f"/api/tasks/{tasks[9]}/", {"meta": None}))
    both(("PATCH", f"/api/projects/{main}/", {"model_version": "m1"}))
    for twin in (twins.real, twins.fake):
        rows = twin.ask(("GET", f"/api/tasks/?project={main}&include=id,created_at", None))[1][
            "tasks"
        ]
        twin.times = {index: row["created_at"] for index, row in enumerate(rows)}


# --- queries --------------------------------------------------------------------------------------

OPERATORS = [
    "equal",
    "not_equal",
    "less",
    "greater",
    "less_or_equal",
    "greater_or_equal",
    "contains",
    "not_contains",
    "regex",
    "empty",
    "bogus",
    "not_bogus",
]
NUMBERS = [0, 1, 2, 9.5, "1", "x", True]
TEXTS = ["", "x", "A", "1", "a_", "null", "(?i)X", "[", "%"]
PEOPLE = [1, "1", 2, "1,2", [1], "x"]
MOMENTS = [
    "@3@",
    "2020-01-01",
    "2020-01-01T00:00:00+02:00",
    "2020-01-01T00:00:00.000Z",
    "2026",
    "x",
]
BOOLEANS = [True, False, "true", "no", "x", 1]
COLUMNS: dict[str, tuple[list[str], list[Any]]] = {
    "id": (["Number", "String"], NUMBERS),
    "inner_id": (["Number"], NUMBERS),
    "total_annotations": (["Number", "String"], NUMBERS),
    "cancelled_annotations": (["Number"], NUMBERS),
    "total_predictions": (["Number"], NUMBERS),
    "overlap": (["Number"], NUMBERS),
    "updated_by": (["List", "Number"], PEOPLE),
    "annotators": (["List", "String"], PEOPLE),
    "annotations__completed_by": (["Number"], NUMBERS),
    "annotations_ids": (["String"], TEXTS + PEOPLE),
    "annotations_results": (
        ["String"],
        [*TEXTS, "[]", '"choices": ["A"]', '"choices":["A"]', 3, "Ä"],
    ),
    "predictions_results": (["String"], [*TEXTS, "[]", '"choices": ["B"]']),
    "predictions_score": (["Number", "String"], [0.5, 0.9, 0, "x", "0.1"]),
    "predictions_model_versions": (
        ["List", "String"],
        [["m1"], ["m1", "m2"], "m1", "m1,m2", [], 1],
    ),
    "avg_lead_time": (["Number"], [0.5, 1, 2.5, "x"]),
    "completed_at": (["Datetime", "String"], MOMENTS),
    "created_at": (["Datetime", "String"], MOMENTS),
    "updated_at": (["String"], MOMENTS),
    "is_labeled": (["Boolean", "String"], BOOLEANS),
    "allow_skip": (["Boolean"], BOOLEANS),
    "draft_exists": (["Boolean", "String"], BOOLEANS),
    "file_upload": (["String", "Number"], TEXTS),
    "storage_filename": (["String"], [";", "", "x"]),
    "meta": (["String", "Number"], [*TEXTS, {"index": 1}]),
    "data": (["String"], TEXTS),
    "project": (["Number"], [0, 1]),
    **{
        f"data.{key}": (
            ["String", "Number", "Boolean", "Unknown"],
            [*TEXTS, *NUMBERS, 10, None, False, [1]],
        )
        for key in ("s", "n", "b")
    },
    "data.text": (["String"], ["alpha", "ärger", "Ä", "^b", "b$", 10, "Z"]),
    "data.d": (["String", "Number"], [{"k": 1}, "k", 1]),
    "data.l": (["String", "Number"], [[1, 2], "1", 1]),
    "data.d__k": (["String", "Number"], [1, "1"]),
    "data.l__0": (["String"], [1, "1"]),
    "data.d.k": (["String"], [1]),
    "data.nosuch": (["String", "Number"], ["x", 0, ""]),
    "data.a.b": (["String", "Number"], [1]),
    "data.a-b": (["String", "Number"], [2]),
    "data.ключ": (["String"], ["знач", "значение"]),
    "data.100%": (["String"], ["p"]),
    "data.with space": (["String", "Number"], [1]),
    "data.0": (["String"], ["zero"]),
    "nosuch": (["String"], ["x"]),
    "agreement": (["Number"], [1]),
}


def generated() -> list[dict[str, Any]]:
    """Every column with every operator, type and value that makes any sense, and some that make
    none."""
    lines = []
    for column, (kinds, values) in COLUMNS.items():
        for kind, operator, value in itertools.product(kinds, OPERATORS, values):
            if operator != "empty" and value is not None:
                lines.append(item(column, operator, kind, value))
        for kind, value in itertools.product(
            [*kinds, "String", "Bogus"], [True, False, "False", "yes", "x"]
        ):
            lines.append(item(column, "empty", kind, value))
        plain = [value for value in values if value is not None]
        for kind, operator in itertools.product(kinds, ("in", "not_in")):
            for low, high in itertools.pairwise(
                [v for v in plain if not isinstance(v, (bool, list, dict))]
            ):
                lines.append(item(column, operator, kind, {"min": low, "max": high}))
            lines.append(item(column, operator, kind, plain[0]))
        for kind, operator in itertools.product(kinds, ("in_list", "not_in_list")):
            lines += [
                item(column, operator, kind, v) for v in ([], plain[:1], plain[:3], plain[-2:], 5)
            ]
    return lines


def combined(
    lines: list[dict[str, Any]], chance: random.Random, count: int
) -> list[dict[str, Any]]:
    """Lines under and/or, with child filters."""
    queries = []
    for _ in range(count):
        chosen = [dict(line) for line in chance.sample(lines, chance.choice((2, 2, 3)))]
        if chance.random() < 0.5:
            chosen[0]["child_filter"] = chosen.pop()
        queries.append(where(*chosen, conjunction=chance.choice(("and", "or"))))
    return queries


def listing(project: int, query: Any, more: str = "&include=id") -> Step:
    """The request for a task list."""
    return ("GET", f"/api/tasks/?project={project}{more}&query={quote(json.dumps(query))}", None)


def test_single_filters(twins: Twins) -> None:
    lines = generated()
    if not THOROUGH:
        chance = random.Random(7)
        by_column: dict[str, list[Any]] = {}
        for line in lines:
            by_column.setdefault(line["filter"], []).append(line)
        share = SAMPLE // len(by_column)
        lines = [x for one in by_column.values() for x in chance.sample(one, min(share, len(one)))]
    found = twins.differences([listing(twins.ids["main"], where(line)) for line in lines])
    assert not found, f"{len(found)} of {len(lines)}\n" + "\n".join(found[:15])


def test_combined_filters(twins: Twins) -> None:
    valid = [
        line
        for line in generated()
        if line["operator"] != "regex"
        and line["value"] not in ("x", [1], 5, "1,2")
        and "nosuch" not in line["filter"]
    ]
    queries = combined(
        valid, random.Random(11), int(os.environ.get("N", 2500)) if THOROUGH else 120
    )
    found = twins.differences([listing(twins.ids["main"], query) for query in queries])
    assert not found, f"{len(found)} of {len(queries)}\n" + "\n".join(found[:15])


def test_selection_order_and_pages(twins: Twins) -> None:
    main, tasks = twins.ids["main"], twins.ids["tasks"]
    first, last = tasks[0], tasks[-1]
    small = where(item("id", "less", "Number", tasks[5]))
    queries: list[Any] = [
        *(
            {"selectedItems": s}
            for s in (
                {"all": False, "included": [first, last, 10**9]},
                {"all": True, "excluded": [first]},
                {"all": False, "included": []},
                {"all": False},
                {"all": True, "included": [first]},
                {"all": False, "excluded": [first]},
                {},
                None,
                [],
                5,
                json.dumps({"all": False, "included": [first]}),
                "x",
                {"all": "true", "excluded": [str(first)]},
                {"all": 2},
                {"all": True, "excluded": [1.5]},
                {"all": False, "included": ["x"]},
                {"all": False, "included": [10**30]},
            )
        ),
        {"selected_items": {"all": False, "included": [first]}},
        {"filter": [], "order": ["-tasks:id"]},
        {**small, "selectedItems": {"all": False, "included": [tasks[2], tasks[9]]}},
        {"filters": None},
        {"filters": {}},
        {"filters": []},
        {"filters": {"conjunction": "AND", "items": []}},
        {"filters": {"conjunction": "and"}},
        {"filters": {"conjunction": "or", "items": []}},
        where({"filter": "filter:tasks:id", "operator": "equal", "type": "Number"}),
        where({"filter": "filter:tasks:id", "operator": "equal", "value": 1}),
        where({"filter": 5, "operator": "equal", "type": "Number", "value": 1}),
        where(5),
        where(None),
        where({**item("id", "equal", "Number", 1), "value": None}),
        where({**item("id", "equal", "Number", 1), "value": {"max": 1}}),
        where({**item("id", "equal", "Number", 1), "filter": "tasks:id"}),
        where({**item("id", "equal", "Number", 1), "filter": "filter:annotations:id"}),
        where(
            {
                **item("id", "greater", "Number", 1),
                "filter": "id",
                "child_filter": item("id", "less", "Number", last),
            }
        ),
        where(
            item(
                "id",
                "greater",
                "Number",
                first,
                item("id", "less", "Number", last, item("id", "equal", "Number", 0)),
            )
        ),
        where(item("a__b", "equal", "Number", 1)),
        where(item("annotations__completed_by__email", "equal", "String", "x")),
        where(item("annotations__completed_by", "in_list", "Number", [1, twins.ids["user"]])),
        where(item("annotations", "empty", "Number", True)),
        where(item("predictions", "in_list", "Number", [1])),
        {"ordering": "tasks:id"},
        {"ordering": {}},
        {"ordering": [5]},
        {"ordering": ["+id"]},
        {"ordering": ["nosuch"]},
        {"ordering": ["a__b"]},
        {"ordering": []},
        {"ordering": None},
        [],
        "x",
        5,
        {"hiddenColumns": {"explore": []}},
        {"hiddenColumns": {}},
        {"hiddenColumns": []},
    ]
    columns = [
        "id",
        "inner_id",
        "data",
        "meta",
        "created_at",
        "updated_at",
        "updated_by",
        "is_labeled",
        "total_annotations",
        "total_predictions",
        "annotators",
        "annotations_ids",
        "annotations_results",
        "predictions_results",
        "predictions_score",
        "avg_lead_time",
        "predictions_model_versions",
        "completed_at",
        "draft_exists",
        "file_upload",
        "storage_filename",
        "data.n",
        "data.s",
        "data.nosuch",
        "data.d__k",
        "data.text",
        "overlap",
        "project",
    ]
    for column, sign in itertools.product(columns, ("", "-")):
        queries.append({"ordering": [f"{sign}tasks:{column}", "-tasks:id"]})
    number = {"columnsDisplayType": {"tasks:data.n": "Number"}}
    queries += [
        {"ordering": [key], **number}
        for key in ("tasks:data.n", "-tasks:data.n", "tasks:-data.n", "data.n")
    ]
    queries += [{"ordering": [key]} for key in ("id", "-id", "tasks:-id", "--id")]
    queries.append(
        {
            **where(item("annotators", "empty", "List", False)),
            "ordering": ["-tasks:predictions_score"],
        }
    )
    steps = [listing(main, query) for query in queries]
    steps += [
        listing(main, small, more)
        for more in (
            "",
            "&fields=all",
            "&fields=bogus",
            "&fields=all&include=id,annotations",
            "&fields=all&include=id,annotations,result,predictions",
            "&include=nosuch",
            "&omit=data,meta",
            "&page_size=2",
            "&page_size=2&page=2",
            "&page_size=2&page=3",
            "&page_size=2&page=4",
            "&page=0",
            "&page=x",
            "&page=last&page_size=2",
            "&page=-1",
            "&page_size=0",
            "&page_size=-1",
            "&page_size=x",
            "&page_size=100000",
            "&resolve_uri=false&fields=all",
            "&ordering=-id&limit=1&offset=2&search=x",
        )
    ]
    shown = {"explore": [], "labeling": []}
    hidden = ["tasks:annotators", "tasks:completed_at"]
    steps += [
        listing(main, {**small, **more}, "")
        for more in (
            {"hiddenColumns": shown},
            {"hiddenColumns": {"explore": hidden, "labeling": hidden}},
            {"hiddenColumns": {"explore": hidden, "labeling": []}},
            {"ordering": ["tasks:annotators"]},
            {"ordering": ["tasks:completed_at"]},
            {"ordering": ["tasks:draft_exists"]},
            {"ordering": ["-tasks:predictions_results"]},
        )
    ]
    everything = ("GET", f"/api/tasks/?project={main}&fields=all", None)
    body = {"project": main, **small, "ordering": ["-tasks:id"]}
    steps += [
        everything,
        ("GET", "/api/tasks/", None),
        ("GET", "/api/tasks/?project=999999", None),
        ("GET", "/api/tasks/?project=x", None),
        ("GET", "/api/tasks/?view=999999", None),
        ("GET", f"/api/tasks/?project={main}&query=", None),
        ("GET", f"/api/tasks/?project={main}&query=notjson", None),
        ("GET", "/api/tasks/?include=id", body),
        ("GET", f"/api/tasks/?include=id&project={main}", body),
        ("GET", f"/api/tasks/?include=id&project={main}&query=%7B%7D", body),
        ("GET", "/api/tasks", body),
        ("GET", "/api/tasks/?include=id", {**body, "project": "x"}),
        ("GET", "/api/tasks/?include=id", []),
        (
            "GET",
            f"/api/tasks/?project={main}&include=id",
            where(item("id", "in_list", "Number", list(range(20000)))),
        ),
        *(("GET", f"/api/tasks/{task}/", None) for task in tasks),
        ("GET", f"/api/tasks/{first}/?include=id,annotations", None),
        ("GET", f"/api/tasks/{first}/?omit=data", None),
        ("GET", f"/api/tasks/{first}", None),
        ("GET", "/api/tasks/999999/", None),
        ("GET", "/api/tasks/x/", None),
        ("GET", f"/api/projects/{main}/export?exportType=JSON", None),
        ("GET", f"/api/projects/{main}/export?exportType=JSON&download_all_tasks=true", None),
        ("GET", f"/api/projects/{main}/export?ids[]={first}&ids[]={tasks[3]}", None),
        ("GET", f"/api/projects/{main}/export?exportType=JSON_MIN", None),
        ("GET", f"/api/projects/{main}/export?exportType=json", None),
        ("GET", "/api/projects/999999/export", None),
        ("GET", f"/api/projects/{main}/export/formats", None),
        ("GET", "/api/projects/999999/export/formats", None),
        ("GET", f"/api/projects/{main}/export/", None),
        ("GET", f"/api/dm/columns/?project={main}", None),
        ("GET", "/api/dm/columns/?project=999999", None),
        ("GET", f"/api/predictions/?project={main}", None),
        ("GET", f"/api/predictions/?task={first}&model_version=m1", None),
        ("GET", f"/api/predictions/?task__project={main}", None),
        ("GET", "/api/predictions/?task=999999", None),
        ("GET", "/api/predictions/?project=x", None),
        ("GET", "/api/predictions/999999/", None),
        *(("GET", f"/api/tasks/{task}/annotations/", None) for task in tasks[:7]),
        ("GET", "/api/tasks/999999/annotations/", None),
        ("GET", "/api/annotations/999999/", None),
        ("GET", "/api/nosuch/", None),
        ("PATCH", "/api/tasks/", {}),
        ("DELETE", "/api/projects/", None),
        ("PATCH", f"/api/tasks/{first}/annotations/", {}),
        ("POST", "/api/dm/columns/", {}),
    ]
    found = twins.differences(steps)
    assert not found, f"{len(found)} of {len(steps)}\n" + "\n".join(found[:25])


def test_writing(twins: Twins) -> None:
    run, user = Script(twins), twins.ids["user"]
    project = run("POST", "/api/projects/", {"title": "second", "label_config": CONFIG})["id"]
    twins.ids["second"] = project
    P, tasks = f"/api/projects/{project}/", f"/api/tasks/?project={project}&fields=all"
    run("GET", P)
    # tasks
    for body in (
        {"data": {"text": "a"}},
        {"project": project},
        {"project": 999999, "data": {"text": "a"}},
        {},
        {"project": project, "data": {"txt": "a"}},
        {"project": project, "data": {"text": {"a": 1}}},
        {"project": project, "data": None},
        {"project": project, "data": "x"},
        {"project": project, "data": {"text": 1.5}},
        {"project": project, "data": {"text": "a"}, "meta": "x"},
        {"project": project, "data": {"text": "a"}, "meta": None},
        {
            "project": str(project),
            "data": {"text": "n"},
            "nosuch": 1,
            "id": 5,
            "created_at": "2020-01-01T00:00:00Z",
        },
        {
            "project": project,
            "data": {"text": "a"},
            "total_annotations": 5,
            "is_labeled": True,
            "overlap": 3,
        },
        {
            "project": project,
            "data": {"text": "a"},
            "inner_id": 50,
            "updated_by": user,
            "meta": {"a": [1]},
        },
        {
            "project": project,
            "data": {"text": "after"},
            "annotations": [{"result": []}],
            "predictions": [],
        },
        {"project": project, "data": {"text": "a"}, "is_labeled": "maybe"},
        {"project": project, "data": {"text": "a"}, "overlap": "x"},
        {"project": project, "data": {"text": "a"}, "overlap": None},
        {"project": project, "data": {"text": "a"}, "updated_by": 999999},
        {"project": project, "data": {"text": "é\u0000"}},
        {
            "project": project,
            "data": {"text": "a"},
            "updated_by": "x",
            "inner_id": "y",
            "comment_count": [],
        },
    ):
        run("POST", "/api/tasks/", body)
    run("POST", "/api/tasks/", [])
    task = run("POST", "/api/tasks", {"project": project, "data": {"text": "t"}})["id"]
    T = f"/api/tasks/{task}/"
    run("GET", tasks)
    for body in (
        {},
        {"data": {"y": 2}},
        {"data": {"text": "b"}, "meta": {"k": 1}},
        {"meta": "str"},
        {"meta": None},
        {"overlap": None},
        {"overlap": "2"},
        {"id": 1, "created_at": "x", "annotations": [], "allow_skip": False, "nosuch": 1},
        {"project": project},
        {"project": 999999},
        {"is_labeled": True},
        {"total_annotations": 7},
        {"inner_id": None},
        {"data": None},
        {"updated_by": None},
    ):
        run("PATCH", T, body)
    run("PATCH", T + "?include=id,data", {"overlap": 1})
    run("PATCH", "/api/tasks/999999/", {})
    run("PUT", T, {})
    run("PUT", T, {"data": {"text": "put"}})
    run("GET", T)
    # annotations
    A = f"/api/tasks/{task}/annotations/"
    one = run("POST", A, {"result": [region()], "lead_time": "1.5", "unique_id": UUID % 2})["id"]
    for body in (
        {"result": [], "unique_id": UUID % 2},
        {"unique_id": "x"},
        {"result": None},
        {"result": {}},
        {"result": "[]"},
        {"result": "x"},
        {"result": ["x"]},
        {},
        {"completed_by": 999999},
        {"completed_by": user, "result": [region("B")]},
        {"completed_by": "x"},
        {"completed_by": None},
        {"was_cancelled": True, "result": []},
        {"was_cancelled": "maybe"},
        {"ground_truth": True, "result": [region("B", id="1"), region("A", id="1")]},
        {"lead_time": "x"},
        {"last_action": "bogus"},
        {"last_action": "submitted", "import_id": 5, "result": [], "parent_annotation": one},
        {"parent_prediction": 999999},
        {
            "task": twins.ids["tasks"][0],
            "project": twins.ids["main"],
            "id": 1,
            "updated_by": user,
            "nosuch": 1,
            "result": [],
        },
        {"task": 999999, "project": "x", "updated_by": 999999},
    ):
        run("POST", A, body)
    run("POST", A + "?was_cancelled=1", {"result": []})
    run("POST", "/api/tasks/999999/annotations/", {"result": []})
    run("GET", A)
    run("GET", T)
    one_path = f"/api/annotations/{one}/"
    for body in (
        {},
        {"result": [region("B")]},
        {"result": None},
        {"result": "[]"},
        {"was_cancelled": True},
        {"was_cancelled": False},
        {"ground_truth": True},
        {"ground_truth": False},
        {"completed_by": user},
        {"completed_by": None},
        {"lead_time": None},
        {"unique_id": UUID % 3, "created_at": "2020-01-01T00:00:00Z", "nosuch": 1},
        {"import_id": "7", "last_action": None},
        {"draft_created_at": "2020-01-01T00:00:00+02:00"},
        {"draft_created_at": "x"},
        {"bulk_created": None},
    ):
        run("PATCH", one_path, body)
        run("GET", T)
    run("GET", one_path + "?expand=completed_by")
    run("GET", one_path + "?include=id,result")
    run("GET", tasks)
    run("DELETE", one_path)
    run("DELETE", one_path)
    run("PATCH", one_path, {})
    run("GET", T)
    # predictions
    made = run(
        "POST",
        "/api/predictions/",
        {"task": task, "result": "A", "score": "0.5", "model_version": "v1"},
    )["id"]
    for body in (
        {},
        {"task": task},
        {"task": 999999, "result": []},
        {"task": task, "result": []},
        {"task": task, "result": {}},
        {"task": task, "result": None},
        {"task": task, "result": ["x"]},
        {"task": task, "result": 5},
        {"task": task, "result": {"choices": ["A"]}},
        {"task": task, "result": 1.5},
        {"task": task, "result": [], "score": "x"},
        {"task": task, "result": [region("nosuch")], "model_version": None},
        {"task": task, "result": [], "score": None},
        {
            "task": task,
            "result": [],
            "project": project,
            "cluster": 3,
            "mislabeling": 0.5,
            "neighbors": [1],
            "created_at": "x",
        },
    ):
        run("POST", "/api/predictions/", body)
    Q = f"/api/predictions/{made}/"
    for body in (
        {},
        {"score": 2},
        {"result": [region("B")]},
        {"result": "B"},
        {"model_version": ""},
        {"task": 999999},
    ):
        run("PATCH", Q, body)
    run("GET", f"/api/predictions/?task={task}")
    run("GET", T)
    run("DELETE", Q)
    run("DELETE", Q)
    run("GET", T)
    run("GET", P)
    bulk = P + "import/predictions"
    for body in (
        [{"task": task, "result": [region()]}],
        [{"task": task, "result": [region("nosuch")]}],
        [{"task": task}],
        [
            {"task": task, "result": "A"},
            {"task": task, "result": [], "score": 0.5, "model_version": "b"},
        ],
        [],
        [{"task": 999999, "result": []}],
        {},
        [{"task": task, "result": [], "score": 3}],
        [{"task": task, "result": [{}]}],
        [
            {"task": task, "result": [{**region(), "from_name": "x"}]},
            {"task": task, "result": [{**region(), "type": "x"}]},
        ],
    ):
        run("POST", bulk, body)
    run("GET", T)
    # import
    load = P + "import?return_task_ids=true"
    for body in (
        [{"data": {"text": "i"}}, {"text": "j"}],
        {"text": "k"},
        {"data": {"text": "l"}, "meta": {"m": 1}},
        [],
        None,
        "x",
        [
            {"data": {"text": "ok"}},
            {"data": {"txt": 1}},
            {"nosuch": 1},
            "x",
            {"data": "x"},
            {"data": {"text": "x"}, "meta": 5},
        ],
        [{"data": {"text": "m"}, "annotations": {}}],
        [{"data": {"text": "m"}, "annotations": [{}]}],
        [{"data": {"text": "m"}, "annotations": [{"result": {}}]}],
        [{"data": {"text": "m"}, "predictions": [{}]}],
        [{"data": {"text": "m"}, "predictions": 5}],
        [{"data": {"text": "m"}, "annotations": [5]}],
        *(
            [{"data": {"text": "m"}, "annotations": [{"result": [], "completed_by": who}]}]
            for who in (
                user,
                {"email": "second@x.yz"},
                {"email": "no@x.yz"},
                {"id": 1},
                "second@x.yz",
                "1",
                1.0,
                999999,
                None,
            )
        ),
        [
            {
                "data": {"text": "n"},
                "annotations": [
                    {"result": [region()]},
                    {
                        "result": [],
                        "was_cancelled": True,
                        "ground_truth": False,
                        "lead_time": 4,
                        "id": 5,
                        "created_at": "2020-01-01T00:00:00Z",
                        "unique_id": UUID % 4,
                    },
                ],
                "predictions": [{"result": "B"}],
                "inner_id": 500,
                "id": 1,
                "is_labeled": True,
                "overlap": 9,
                "drafts": [{}],
                "nosuch": 1,
            }
        ],
        [
            {
                "data": {"text": "o"},
                "predictions": [
                    {"result": [region("no")], "score": "0.25", "model_version": "last"}
                ],
            }
        ],
        [{"data": {"text": "p", "annotations": []}, "allow_skip": False}],
        {"text": "q", "annotations": []},
    ):
        run("POST", load, body)
    run(
        "POST",
        P + "import?preannotated_from_fields=c,nosuch&return_task_ids=1",
        [{"data": {"text": "r", "c": "A"}}],
    )
    run("POST", P + "import?commit_to_project=false&return_task_ids=true", [{"nosuch": "r"}])
    run("POST", P + "import?return_task_ids=maybe", [{"text": "r"}])
    run("POST", P + "import/", [{"text": "r"}])
    run("POST", "/api/projects/999999/import", [{"text": "r"}])
    listed = run("GET", tasks)["tasks"]
    run("GET", P)
    # ids of the newest tasks come back after an import, and not after a POST
    newest = listed[-1]["id"]
    run("DELETE", f"/api/tasks/{newest}/")
    run("DELETE", f"/api/tasks/{newest}/")
    run("POST", load, [{"text": "again"}])
    run("DELETE", f"/api/tasks/{newest}/")
    run("POST", "/api/tasks/", {"project": project, "data": {"text": "new"}})
    # settings that change tasks
    for body in (
        {"maximum_annotations": 2},
        {"maximum_annotations": 1},
        {"skip_queue": "IGNORE_SKIPPED"},
        {"skip_queue": "REQUEUE_FOR_ME"},
        {"skip_queue": "REQUEUE_FOR_OTHERS"},
        {"maximum_annotations": 3},
    ):
        run("PATCH", P, body)
        run("GET", tasks + "&include=id,is_labeled,overlap")
    # configurations that annotations forbid or allow
    run("POST", f"/api/tasks/{task}/annotations/", {"result": [region("B")]})
    for config in (
        CONFIG.replace('"c"', '"d"'),
        CONFIG.replace("$text", "$txt"),
        CONFIG.replace('"B"', '"Z"'),
        "<View></View>",
        OTHER_CONFIG,
        CONFIG,
        "<View>",
        "",
        None,
        5,
        CONFIG.replace('toName="t"', 'toName="x"'),
        CONFIG.replace('name="c"', 'name="t"'),
        '<View><Text name="t"/></View>',
        CONFIG.replace('value="$text"', ""),
        '<View><Text name="t" value="$t"/><Choices name="c" toName="t"></Choices></View>',
        '<View><Nosuch name="n" value="$x"/></View>',
        '<View><Text name="t" value="fixed $var"/></View>',
    ):
        run("POST", P + "validate/", {"label_config": config})
        run("POST", "/api/projects/validate/", {"label_config": config})
        run("PATCH", P, {"label_config": config})
    run("POST", P + "validate/", {})
    run("POST", "/api/projects/validate/", {})
    run("PATCH", P, {"label_config": CONFIG})
    # actions
    act = f"/api/dm/actions/?project={project}&id="
    some = {"selectedItems": {"all": False, "included": [task, listed[0]["id"], 10**6]}}
    run("POST", act + "predictions_to_annotations", {**some, "model_version": "b"})
    run("POST", act + "predictions_to_annotations", {**some, "model_version": ["", "undefined"]})
    run("POST", act + "predictions_to_annotations", some)
    run("GET", tasks)
    run("POST", act + "retrieve_tasks_predictions", some)
    run("POST", act + "delete_tasks_annotations", {**some, "annotator": user})
    run("POST", act + "delete_tasks_annotations", {**some, "annotator": "x"})
    run(
        "POST",
        act + "delete_tasks_predictions",
        {"selectedItems": {"all": False, "included": [task]}},
    )
    run("GET", tasks)
    for kind, value in (("String", "train"), ("String", 5), ("Number", "1.5"), ("Number", "x")):
        field = {"value_name": f"new {kind}", "value_type": kind, "value": value}
        run("POST", act + "add_data_field", {**some, **field})
        run("GET", tasks)
    run("POST", act + "delete_tasks_annotations", where(item("data.text", "equal", "String", "n")))
    run("POST", act + "delete_tasks", {"selectedItems": {"all": False, "included": [10**6]}})
    run("POST", act + "delete_tasks", where(item("data.text", "contains", "String", "i")))
    run("POST", act + "delete_tasks", {"selectedItems": 5})
    run("POST", act + "bogus", some)
    run("POST", f"/api/dm/actions/?project={project}", some)
    run("POST", "/api/dm/actions/?project=999999&id=delete_tasks", some)
    run("GET", tasks)
    # views
    lines = where(item("id", "greater", "Number", task, item("id", "less", "Number", 10**6)))
    run("POST", "/api/dm/views/", {"project": project, "data": {"title": "plain", "x": 1}})
    view = run(
        "POST",
        "/api/dm/views/",
        {"project": project, "data": {**lines, "title": "v", "ordering": ["-tasks:id"]}},
    )["id"]
    V = f"/api/dm/views/{view}/"
    for body in (
        {},
        {"project": 999999},
        {"project": project},
        {"project": project, "data": "x"},
        {"project": project, "data": where({**item("id", "equal", "Number", 1), "filter": "id"})},
        {"project": project, "data": where(item("a__b", "equal", "Number", 1))},
        {"project": project, "filters": lines["filters"]},
        {"project": project, "data": {}, "selected_items": {"all": False, "included": [task]}},
        {
            "project": project,
            "data": {"selectedItems": {"all": False, "included": [task]}, "ordering": []},
        },
    ):
        run("POST", "/api/dm/views/", body)
    shown = run("GET", f"/api/dm/views/?project={project}")
    run("GET", "/api/dm/views/?project=999999")
    for row in shown:
        run("GET", f"/api/tasks/?view={row['id']}&include=id")
    run("GET", f"/api/tasks/?view={view}&project={twins.ids['main']}")
    run(
        "GET",
        f"/api/tasks/?view={view}&include=id&query=%7B%22ordering%22%3A%5B%22tasks%3Aid%22%5D%7D",
    )
    for body in (
        {"data": {"title": "w"}},
        {"data": {"filters": {"conjunction": "or", "items": []}}},
        {"data": {"ordering": []}},
        {},
        {
            "data": {
                **lines,
                "ordering": ["tasks:inner_id"],
                "hiddenColumns": {"explore": [], "labeling": []},
            }
        },
        {"data": {"a": 1}, "order": 5, "project": 1, "user": user, "selected_items": {"all": True}},
        {"data": {"filters": {}}},
    ):
        run("PATCH", V, body)
        run("GET", V)
    run("GET", f"/api/tasks/?view={view}")
    run("POST", act + f"delete_tasks_predictions&view={view}", {})
    run("DELETE", V)
    run("GET", V)
    run("DELETE", f"/api/dm/views/reset/?project={project}")
    run("DELETE", "/api/dm/views/reset/")
    run("GET", f"/api/dm/views/?project={project}")
    run("POST", "/api/dm/views/", {"project": project, "data": lines})
    # the end
    run("POST", act + "delete_tasks", {})
    run("GET", f"/api/dm/views/?project={project}")
    run("GET", tasks)
    run(
        "GET",
        tasks
        + "&query="
        + quote(json.dumps(where(item("predictions_score", "empty", "Number", True)))),
    )
    run(
        "GET",
        tasks + "&query=" + quote(json.dumps(where(item("data.a b", "equal", "String", "1")))),
    )
    run("POST", load, [{"text": "x"}])
    run("DELETE", P + "tasks/")
    run("GET", P)
    run("DELETE", P)
    run("DELETE", P)
    run("GET", tasks)
    run.finish()


def test_predictions_of_boxes(twins: Twins) -> None:
    """The server drops those that do not fit, and says how many it stored."""
    run = Script(twins)
    config = (
        '<View><Image name="i" value="$image"/><RectangleLabels name="b" toName="i">'
        '<Label value="Car"/><Label value="Bus" alias="bus"/></RectangleLabels></View>'
    )
    project = run("POST", "/api/projects/", {"title": "boxes", "label_config": config})["id"]
    task = run("POST", "/api/tasks/", {"project": project, "data": {"image": "a.png"}})["id"]
    whole = {"x": 1, "y": 2.5, "width": 30, "height": 100, "rotation": 0}
    values: list[Any] = [
        {**whole, "rectanglelabels": labels}
        for labels in (["Car"], ["Car", "bus"], ["Bus"], ["Van"], [], "Car", None, [1])
    ]
    for name in whole:
        values += [{**whole, "rectanglelabels": ["Car"], name: value} for value in (-1, 361, 101)]
        values += [{**whole, "rectanglelabels": ["Car"], name: value} for value in (None, [], {})]
        rest = {key: value for key, value in whole.items() if key != name}
        values.append({**rest, "rectanglelabels": ["Car"]})
    values += [whole, {**whole, "labels": ["Car"]}, "x", {}]
    for value in values:
        region = {"from_name": "b", "to_name": "i", "type": "rectanglelabels", "value": value}
        predictions = [{"task": task, "result": [region], "score": 0.5}]
        run("POST", f"/api/projects/{project}/import/predictions", predictions)
    run("GET", f"/api/predictions/?project={project}")
    run("DELETE", f"/api/projects/{project}/")


ODD: list[Any] = [
    [{name: value for name, value in region().items() if name != "value"}],
    [region(from_name=5)],
    [region(), region(value="A")],
    ["A"],
    {"x": 1},
]


def test_results_that_the_server_cannot_count(twins: Twins) -> None:
    """It answers 500, and has stored some of them; it does not change those, and deletes them."""
    run = Script(twins)
    made = run("POST", "/api/projects/", {"title": "odd", "label_config": CONFIG})["id"]

    def look(task: int) -> None:
        run("GET", f"/api/tasks/{task}/annotations/")
        run("GET", f"/api/tasks/{task}/drafts")
        kept = ("total_annotations", "cancelled_annotations", "is_labeled")
        shown = [
            {name: one.ask(("GET", f"/api/tasks/{task}/", None))[1][name] for name in kept}
            for one in (twins.real, twins.fake)
        ]
        run.same("counters", *shown)
        path = f"/api/projects/{made}/summary/"
        counts = [one.ask(("GET", path, None))[1] for one in (twins.real, twins.fake)]
        named = ("created_annotations", "created_labels", "created_labels_drafts")
        run.same("summary", *({name: one[name] for name in named} for one in counts))

    task = run("POST", "/api/tasks/", {"project": made, "data": {"text": "a"}})["id"]
    run("POST", f"/api/tasks/{task}/annotations/", {"result": [region()]})
    for odd in ODD:
        task = run("POST", "/api/tasks/", {"project": made, "data": {"text": "a"}})["id"]
        run("POST", f"/api/tasks/{task}/annotations/", {"result": odd})
        one = run("POST", f"/api/tasks/{task}/annotations/", {"result": []})["id"]
        run("POST", f"/api/tasks/{task}/annotations/{one}/drafts", {"result": [region("B")]})
        for change in ({"result": odd}, {"lead_time": 2.5}, {"result": [region("B")]}):
            run("PATCH", f"/api/annotations/{one}/", change)
            look(task)
        run("DELETE", f"/api/annotations/{one}/")
        run("POST", f"/api/tasks/{task}/drafts", {"result": odd})
        look(task)
        chosen = {"selectedItems": {"all": False, "included": [task]}}
        run("POST", f"/api/dm/actions/?id=delete_tasks&project={made}", chosen)
        run("GET", f"/api/tasks/{task}/")
    run("DELETE", f"/api/projects/{made}/")
    run.finish()


REPEATED = """<View><Repeater on="$pages" FLAG><Image name="page_{{idx}}" value="$pages[{{idx}}]"/>
<Choices name="kind_{{idx}}" toName="page_{{idx}}"><Choice value="Map"/><Choice value="Old"/>
</Choices></Repeater><Text name="t" value="$text"/>
<Choices name="c" toName="t"><Choice value="A"/></Choices></View>"""


def test_configs_with_a_repeater_in_use(twins: Twins) -> None:
    run = Script(twins)
    used = region("Map", from_name="kind_0", to_name="page_0")
    says = 'indexFlag="{{idx}}"'
    for flag, way, result in (
        ("", "annotations/", used),
        ("", "drafts", used),
        ("", "drafts", region()),
        (says, "annotations/", used),
        (says, "drafts", used),
    ):
        config = REPEATED.replace("FLAG", flag)
        made = run("POST", "/api/projects/", {"title": "pages", "label_config": config})["id"]
        data = {"pages": ["/a.png"], "text": "a"}
        task = run("POST", "/api/tasks/", {"project": made, "data": data})["id"]
        run("POST", f"/api/tasks/{task}/{way}", {"result": [result]})
        for old, new in (
            ("", ""), ('<Choice value="A"/>', '<Choice value="B"/>'),
            ('<Choice value="Map"/>', ""), ("Repeater", "View"), (' name="c"', ' name="d"'),
        ):  # fmt: skip
            other = config.replace(old, new) if old else config
            run("POST", f"/api/projects/{made}/validate/", {"label_config": other})
            run("PATCH", f"/api/projects/{made}/", {"label_config": other})
            run("PATCH", f"/api/projects/{made}/", {"label_config": config})
        run("DELETE", f"/api/projects/{made}/")
    run.finish()


def test_projects(twins: Twins) -> None:
    run, main = Script(twins), twins.ids["main"]
    made = []
    for body in (
        {},
        {"title": "main"},
        {"title": "ab"},
        {"title": "x" * 51},
        {"title": ""},
        {"title": None},
        {"title": 5},
        {"title": []},
        {"title": "  trimmed  ", "nosuch": 1, "id": 5, "task_number": 9},
        {"label_config": "<View>"},
        {"label_config": OTHER_CONFIG},
        {"created_by": 2},
        {"organization": 99},
        {"color": "red"},
        {"color": "#12345G"},
        {"color": "#a0B1c2"},
        {"maximum_annotations": -1, "overlap_cohort_percentage": 100},
        {"maximum_annotations": "x"},
        {"sampling": "bogus"},
        {
            "sampling": "Uniform sampling",
            "skip_queue": "REQUEUE_FOR_ME",
            "show_instruction": "yes",
            "is_published": 1,
        },
        {"model_version": "m1"},
        {"is_draft": True, "pinned_at": "2020-01-01T00:00:00Z"},
        {"show_skip_button": "maybe"},
        {"task_data_login": "u", "task_data_password": "p", "min_annotations_to_start_training": 5},
    ):
        answer = run("POST", "/api/projects/", body)
        if "title" in answer:
            made.append(answer["id"])
    own = ",".join(map(str, made))
    run("POST", "/api/projects/", [])
    for query in (
        "",
        "&ordering=id",
        "&ordering=-id",
        "&ordering=-created_at,title",
        "&ordering=title,-id",
        "&ordering=nosuch",
        "&title=MAI",
        "&page_size=2",
        "&page_size=2&page=2",
        "&page_size=2&page=99",
        "&page_size=2&page=last",
        "&page_size=1000",
        "&page=0",
        "&include=id,title",
        "&include=id,task_number",
        "&include=",
        "&filter=pinned_only",
        "&filter=exclude_pinned&include=id",
        "&filter=bogus&include=id",
        "&search=zzz&include=id",
        "&id=1&created_by=1&include=id",
        "&ordering=task_number,id&include=id",
        "&omit=label_config,parsed_label_config",
    ):
        run("GET", f"/api/projects/?ids={own}{query}")
        if "filter" not in query:
            run("GET", f"/api/projects/counts/?ids={own}{query}")
    run("GET", f"/api/projects/?ids={main}")
    run("GET", f"/api/projects/counts/?ids={main}")
    run("GET", "/api/projects/?ids=x")
    run("GET", f"/api/projects/{main}/?include=id,title")
    run("GET", "/api/projects/999999/")
    run("GET", "/api/projects/x/")
    P = f"/api/projects/{made[0]}"
    for body in (
        {},
        {"title": "changed"},
        {"title": None},
        {"task_number": 5, "id": 1, "created_at": "x", "is_draft": True, "nosuch": 1},
        {"model_version": "nosuch"},
        {"model_version": None},
        {"model_version": ""},
        {"show_collab_predictions": False},
        {"control_weights": {"x": 1}},
        {"control_weights": None},
        {"created_by": 2},
        {"created_by": {"id": 2}},
        {"organization": 1},
        {"label_config": OTHER_CONFIG},
        {"control_weights": {"l": {"overall": 0.5, "labels": {"x": 2}}}},
        {"label_config": CONFIG},
        {"description": None, "expert_instruction": "<b>y</b>", "pinned_at": None},
        {"start_training_on_annotation_update": True},
        {"pinned_at": "x"},
        {"evaluate_predictions_automatically": None},
        {"show_ground_truth_first": True, "color": None},
        {"min_annotations_to_start_training": None},
        {"annotator_evaluation_enabled": True, "reveal_preannotations_interactively": 1},
    ):
        run("PATCH", P + "/", body)
    run("PATCH", P, {"description": "no slash"})
    run("PATCH", f"/api/projects/{main}/", {"model_version": "m2"})
    run("GET", f"/api/tasks/?project={main}&fields=all&include=id,predictions_score")
    run("PATCH", f"/api/projects/{main}/", {"show_collab_predictions": False})
    run("PATCH", f"/api/projects/{main}/", {"model_version": "m1", "show_collab_predictions": True})
    for pk in made:
        run("DELETE", f"/api/projects/{pk}/")
    run.finish()


def test_people_and_errors(twins: Twins) -> None:
    run, main, first = Script(twins), twins.ids["main"], twins.ids["tasks"][0]
    user = twins.ids["user"]
    run("GET", "/health")
    run("GET", "/api/current-user/whoami")
    run("GET", "/api/current-user/whoami/")
    run("GET", "/api/jwt/settings")
    run("GET", "/api/users/")
    run("GET", f"/api/users/{user}/")
    run("GET", "/api/users/999999/")
    for body in (
        {},
        {"username": "second", "email": "second@x.yz"},
        {"username": "x", "email": "nomail"},
        {"email": "third@x.yz"},
        {"username": "", "email": "third@x.yz"},
        {"username": None},
    ):
        answer = run("POST", "/api/users/", body)
        if "date_joined" in answer:
            run("DELETE", f"/api/users/{answer['id']}/")
    for body in (
        {},
        {"first_name": "Ada", "last_name": "L"},
        {"email": "x@y.z"},
        {"id": 7, "password": "x", "nosuch": 1},
        {"phone": "1"},
        {"first_name": None},
        {"first_name": "x" * 300},
        {"allow_newsletters": True},
        {"username": ""},
        {"last_name": ""},
    ):
        run("PATCH", f"/api/users/{user}/", body)
        run("GET", f"/api/users/{user}/")
    run("DELETE", "/api/users/1/")
    run("PUT", f"/api/users/{user}/", {})
    run("GET", f"/api/tasks/{first}/")
    for header in (
        "",
        "Token",
        "Token x",
        "Token a b",
        "token x",
        "Bearer x",
        "Basic x",
        "Bearer",
        "x",
    ):
        run("GET", "/api/projects/", headers={"Authorization": header})
    for path in (
        "/api/nosuch",
        f"/api/projects/{main}/import/",
        "/api/jwt/settings/",
        "/api/tasks/1/nosuch/",
    ):
        run("GET", path)
    for kind in ("text/plain", "application/xml", "application/json; charset=utf-8"):
        run("PATCH", f"/api/tasks/{first}/", {"meta": {}}, headers={"Content-Type": kind})
    for header in ({"If-Match": "x"}, {"Accept": "application/json"}):
        run("GET", f"/api/tasks/{first}/", headers=header)
    run("POST", "/api/token/refresh/", {})
    run("POST", "/api/token/refresh/", {"refresh": "x.y.z"})
    run("POST", "/api/token/blacklist/", {"refresh": "x.y.z"})
    run("POST", "/api/token/blacklist/", {})
    run.finish()


def test_personal_access_tokens(twins: Twins) -> None:
    """Not through `both`: the tokens differ."""
    for twin in (twins.real, twins.fake):
        for old in twin.ask(("GET", "/api/token/", None))[1]:
            assert twin.ask(("POST", "/api/token/blacklist/", {"refresh": old["token"]}))[0] == 204
    made = [twin.ask(("POST", "/api/token/", {})) for twin in (twins.real, twins.fake)]
    assert [status for status, _ in made] == [201, 201]
    script = []
    for twin, (_, body) in zip((twins.real, twins.fake), made, strict=True):
        token = body["token"]
        access = twin.ask(("POST", "/api/token/refresh/", {"refresh": token}))
        bearer = {"Authorization": f"Bearer {access[1]['access']}"}
        short = twin.ask(("GET", "/api/token/", None))[1][0]["token"]
        assert token.startswith(short)
        assert len(short.split(".")) == 2
        answers = [
            twin.ask(("GET", "/api/current-user/whoami", None), bearer),
            twin.ask(
                ("GET", "/api/current-user/whoami", None), {"Authorization": f"Bearer {token}"}
            ),
            twin.ask(
                ("GET", "/api/current-user/whoami", None),
                {"Authorization": f"bearer {access[1]['access']}"},
            ),
            twin.ask(("POST", "/api/token/", {})),
            twin.ask(("POST", "/api/token/refresh/", {"refresh": access[1]["access"]})),
            twin.ask(("POST", "/api/token/blacklist/", {"refresh": short})),
            twin.ask(("POST", "/api/token/blacklist/", {"refresh": short})),
            twin.ask(("POST", "/api/token/refresh/", {"refresh": token})),
            twin.ask(("POST", "/api/token/rotate/", {"refresh": token})),
            twin.ask(("GET", "/api/current-user/whoami", None), bearer),
            twin.ask(("GET", "/api/token/", None)),
        ]
        script.append([(status, mask(body)) for status, body in answers])
    for real, fake in zip(*script, strict=True):
        assert real == fake


def test_the_guard_against_its_own_machine(twins: Twins) -> None:
    """Addresses of the server's own networks are refused where it would call them."""
    run, project = Script(twins), twins.ids["main"]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for host in ("127.0.0.1", "localhost", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0"):
        url = f"http://{host}:9/x.json"
        run("POST", "/api/webhooks/", {"url": url, "project": project})
        run("POST", "/api/ml/", {"url": url, "project": project})
        run("POST", f"/api/projects/{project}/import", headers=form, data={"url": url})
        run("POST", "/api/storages/s3", {"bucket": "b", "s3_endpoint": url, "project": project})
        run("POST", "/api/storages/redis", {"host": host, "project": project})
        run("POST", "/api/storages/export/redis", {"host": host, "project": project})
    run("POST", "/api/storages/localfiles", {"path": "/tmp/x", "project": project})
    run.finish()
