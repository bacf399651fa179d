"""Configs, queries of the Data Manager, and a generator of them."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any
from urllib.parse import quote

from tests.live.twins import Step

CONFIG = (
    '<View><Text name="t" value="$text"/>'
    '<Choices name="c" toName="t"><Choice value="A"/><Choice value="B"/></Choices></View>'
)
OTHER_CONFIG = (
    '<View><Image name="i" value="$image"/><Rating name="r" toName="i"/>'
    '<Labels name="l" toName="i"><Label value="X" alias="x"/><Label value="Y"/></Labels>'
    '<TextArea name="a" toName="i" perRegion="true"/></View>'
)


def item(column: str, operator: str, kind: str, value: Any, child: Any = None) -> dict[str, Any]:
    """Return an item of the filters."""
    line = {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}
    return {**line, "child_filter": child} if child else line


def where(*items: Any, conjunction: str = "and", **more: Any) -> dict[str, Any]:
    """Return a query with these filters."""
    return {"filters": {"conjunction": conjunction, "items": list(items)}, **more}


def region(choice: str = "A", **more: Any) -> dict[str, Any]:
    """Return a region of a result."""
    return {
        "from_name": "c",
        "to_name": "t",
        "type": "choices",
        "value": {"choices": [choice]},
        **more,
    }


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
    """Return every column with every operator, type and value that makes any sense.

    Some make none.
    """
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
    """Return filters joined by and/or, with child filters."""
    queries = []
    for _ in range(count):
        chosen = [dict(line) for line in chance.sample(lines, chance.choice((2, 2, 3)))]
        if chance.random() < 0.5:
            chosen[0]["child_filter"] = chosen.pop()
        queries.append(where(*chosen, conjunction=chance.choice(("and", "or"))))
    return queries


def listing(project: int, query: Any, more: str = "&include=id") -> Step:
    """Return the request for a list of tasks."""
    return ("GET", f"/api/tasks/?project={project}{more}&query={quote(json.dumps(query))}", None)
