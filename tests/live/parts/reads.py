"""The requests of ``test_fake_agrees.py`` that change nothing, in groups.

A group is a function from the ids of the corpus to its requests.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

from tests.live.parts.queries import item, listing, where
from tests.live.twins import Step

Ids = dict[str, Any]
Group = Callable[[Ids], list[Step]]

NOBODY = 999999  # the id of nothing
ID_IS_1 = item("id", "equal", "Number", 1)
ORDERED = (
    *("id", "inner_id", "data", "meta", "created_at", "updated_at", "updated_by", "is_labeled"),
    *("total_annotations", "total_predictions", "annotators", "annotations_ids"),
    *("annotations_results", "predictions_results", "predictions_score", "avg_lead_time"),
    *("predictions_model_versions", "completed_at", "draft_exists", "file_upload"),
    *("storage_filename", "data.n", "data.s", "data.nosuch", "data.d__k", "data.text"),
    *("overlap", "project"),
)
PAGES = (
    *("&page_size=2", "&page_size=2&page=2", "&page_size=2&page=3", "&page_size=2&page=4"),
    *("&page=0", "&page=x", "&page=last&page_size=2", "&page=-1", "&page_size=0"),
    *("&page_size=-1", "&page_size=x", "&page_size=100000"),
)
FIELDS = (
    *("", "&fields=all", "&fields=bogus", "&fields=all&include=id,annotations"),
    *("&fields=all&include=id,annotations,result,predictions", "&include=nosuch"),
    *("&omit=data,meta", "&resolve_uri=false&fields=all"),
    "&ordering=-id&limit=1&offset=2&search=x",
)


def get(*paths: str) -> list[Step]:
    """Return requests without a body."""
    return [("GET", path, None) for path in paths]


def small(ids: Ids) -> Any:
    """Return a query of the first five tasks."""
    return where(item("id", "less", "Number", ids["tasks"][5]))


def listings(ids: Ids, *queries: Any) -> list[Step]:
    """Return the requests for lists of the corpus by these queries."""
    return [listing(ids["main"], query) for query in queries]


def selected_items(ids: Ids) -> list[Step]:
    tasks = ids["tasks"]
    first, last = tasks[0], tasks[-1]
    selections: list[Any] = [
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
    ]
    return listings(
        ids,
        *({"selectedItems": selection} for selection in selections),
        {"selected_items": {"all": False, "included": [first]}},
        {**small(ids), "selectedItems": {"all": False, "included": [tasks[2], tasks[9]]}},
    )


def malformed_queries(ids: Ids) -> list[Step]:
    return listings(
        ids,
        {"filter": [], "order": ["-tasks:id"]},
        {"filters": None},
        {"filters": {}},
        {"filters": []},
        {"filters": {"conjunction": "AND", "items": []}},
        {"filters": {"conjunction": "and"}},
        {"filters": {"conjunction": "or", "items": []}},
        [],
        "x",
        5,
    )


def malformed_filters(ids: Ids) -> list[Step]:
    return listings(
        ids,
        where({"filter": "filter:tasks:id", "operator": "equal", "type": "Number"}),
        where({"filter": "filter:tasks:id", "operator": "equal", "value": 1}),
        where({"filter": 5, "operator": "equal", "type": "Number", "value": 1}),
        where(5),
        where(None),
        where({**ID_IS_1, "value": None}),
        where({**ID_IS_1, "value": {"max": 1}}),
        where({**ID_IS_1, "filter": "tasks:id"}),
        where({**ID_IS_1, "filter": "filter:annotations:id"}),
    )


def child_filters(ids: Ids) -> list[Step]:
    first, last = ids["tasks"][0], ids["tasks"][-1]
    child = item("id", "less", "Number", last)
    grandchild = item("id", "less", "Number", last, item("id", "equal", "Number", 0))
    return listings(
        ids,
        where({**item("id", "greater", "Number", 1), "filter": "id", "child_filter": child}),
        where(item("id", "greater", "Number", first, grandchild)),
    )


def relations(ids: Ids) -> list[Step]:
    return listings(
        ids,
        where(item("a__b", "equal", "Number", 1)),
        where(item("annotations__completed_by__email", "equal", "String", "x")),
        where(item("annotations__completed_by", "in_list", "Number", [1, ids["user"]])),
        where(item("annotations", "empty", "Number", True)),
        where(item("predictions", "in_list", "Number", [1])),
    )


def malformed_orderings(ids: Ids) -> list[Step]:
    orderings: list[Any] = ["tasks:id", {}, [5], ["+id"], ["nosuch"], ["a__b"], [], None]
    return listings(ids, *({"ordering": ordering} for ordering in orderings))


def orderings(ids: Ids) -> list[Step]:
    columns = [f"{sign}tasks:{name}" for name, sign in itertools.product(ORDERED, ("", "-"))]
    filtered = where(item("annotators", "empty", "List", False))
    return listings(
        ids,
        *({"ordering": [column, "-tasks:id"]} for column in columns),
        *({"ordering": [key]} for key in ("id", "-id", "tasks:-id", "--id")),
        {**filtered, "ordering": ["-tasks:predictions_score"]},
    )


def orderings_by_numbers(ids: Ids) -> list[Step]:
    shown = {"columnsDisplayType": {"tasks:data.n": "Number"}}
    keys = ("tasks:data.n", "-tasks:data.n", "tasks:-data.n", "data.n")
    return listings(ids, *({"ordering": [key], **shown} for key in keys))


def fields(ids: Ids) -> list[Step]:
    return [listing(ids["main"], small(ids), more) for more in FIELDS]


def pages(ids: Ids) -> list[Step]:
    return [listing(ids["main"], small(ids), more) for more in PAGES]


def malformed_hidden_columns(ids: Ids) -> list[Step]:
    hidden: list[Any] = [{"explore": []}, {}, []]
    return listings(ids, *({"hiddenColumns": columns} for columns in hidden))


def hidden_and_shown_columns(ids: Ids) -> list[Step]:
    hidden = ["tasks:annotators", "tasks:completed_at"]
    views: list[Any] = [
        {"hiddenColumns": {"explore": [], "labeling": []}},
        {"hiddenColumns": {"explore": hidden, "labeling": hidden}},
        {"hiddenColumns": {"explore": hidden, "labeling": []}},
        {"ordering": ["tasks:annotators"]},
        {"ordering": ["tasks:completed_at"]},
        {"ordering": ["tasks:draft_exists"]},
        {"ordering": ["-tasks:predictions_results"]},
    ]
    return [listing(ids["main"], {**small(ids), **view}, "") for view in views]


def lists_without_a_query(ids: Ids) -> list[Step]:
    main = ids["main"]
    return get(
        f"/api/tasks/?project={main}&fields=all",
        "/api/tasks/",
        f"/api/tasks/?project={NOBODY}",
        "/api/tasks/?project=x",
        f"/api/tasks/?view={NOBODY}",
        f"/api/tasks/?project={main}&query=",
        f"/api/tasks/?project={main}&query=notjson",
    )


def queries_in_bodies(ids: Ids) -> list[Step]:
    main = ids["main"]
    body = {"project": main, **small(ids), "ordering": ["-tasks:id"]}
    many = where(item("id", "in_list", "Number", list(range(20000))))
    return [
        ("GET", "/api/tasks/?include=id", body),
        ("GET", f"/api/tasks/?include=id&project={main}", body),
        ("GET", f"/api/tasks/?include=id&project={main}&query=%7B%7D", body),
        ("GET", "/api/tasks", body),
        ("GET", "/api/tasks/?include=id", {**body, "project": "x"}),
        ("GET", "/api/tasks/?include=id", []),
        ("GET", f"/api/tasks/?project={main}&include=id", many),
    ]


def single_tasks(ids: Ids) -> list[Step]:
    first = ids["tasks"][0]
    return get(
        *(f"/api/tasks/{task}/" for task in ids["tasks"]),
        f"/api/tasks/{first}/?include=id,annotations",
        f"/api/tasks/{first}/?omit=data",
        f"/api/tasks/{first}",
        f"/api/tasks/{NOBODY}/",
        "/api/tasks/x/",
    )


def exports(ids: Ids) -> list[Step]:
    main, tasks = ids["main"], ids["tasks"]
    return get(
        f"/api/projects/{main}/export?exportType=JSON",
        f"/api/projects/{main}/export?exportType=JSON&download_all_tasks=true",
        f"/api/projects/{main}/export?ids[]={tasks[0]}&ids[]={tasks[3]}",
        f"/api/projects/{main}/export?exportType=JSON_MIN",
        f"/api/projects/{main}/export?exportType=json",
        f"/api/projects/{NOBODY}/export",
        f"/api/projects/{main}/export/formats",
        f"/api/projects/{NOBODY}/export/formats",
        f"/api/projects/{main}/export/",
    )


def columns(ids: Ids) -> list[Step]:
    return get(
        f"/api/dm/columns/?project={ids['main']}",
        f"/api/dm/columns/?project={NOBODY}",
    )


def lists_of_predictions(ids: Ids) -> list[Step]:
    return get(
        f"/api/predictions/?project={ids['main']}",
        f"/api/predictions/?task={ids['tasks'][0]}&model_version=m1",
        f"/api/predictions/?task__project={ids['main']}",
        f"/api/predictions/?task={NOBODY}",
        "/api/predictions/?project=x",
        f"/api/predictions/{NOBODY}/",
    )


def lists_of_annotations(ids: Ids) -> list[Step]:
    return get(
        *(f"/api/tasks/{task}/annotations/" for task in ids["tasks"][:7]),
        f"/api/tasks/{NOBODY}/annotations/",
        f"/api/annotations/{NOBODY}/",
    )


def unknown_paths_and_methods(ids: Ids) -> list[Step]:
    return [
        ("GET", "/api/nosuch/", None),
        ("PATCH", "/api/tasks/", {}),
        ("DELETE", "/api/projects/", None),
        ("PATCH", f"/api/tasks/{ids['tasks'][0]}/annotations/", {}),
        ("POST", "/api/dm/columns/", {}),
    ]


GROUPS: tuple[Group, ...] = (
    *(selected_items, malformed_queries, malformed_filters, child_filters, relations),
    *(malformed_orderings, orderings, orderings_by_numbers, fields, pages),
    *(malformed_hidden_columns, hidden_and_shown_columns, lists_without_a_query),
    *(
        queries_in_bodies,
        single_tasks,
        exports,
        columns,
        lists_of_predictions,
        lists_of_annotations,
    ),
    unknown_paths_and_methods,
)
