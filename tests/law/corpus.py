"""A project with awkward data, made and read with plain requests: nothing of the library is used.

``build`` fills a project through the API, ``read`` gives what the server says of it, each row from
all the places that show it. The same seed makes the same project on every server.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
Ask = Callable[..., Any]
"""``ask("GET", "/api/...", params=..., json=...)`` gives the JSON of the answer, or raises."""

CONFIG = """\
<View>
  <Text name="t" value="$s"/>
  <Choices name="c" toName="t"><Choice value="A"/></Choices>
</View>
"""

LONG = "An unusually long text, " * 15

# What each key of the tasks' data holds, one value a task; every one of them occurs.
DATA: dict[str, list[Any]] = {
    "s": [
        "", "x", "X", " x", "x ", "ä", "Ä", "ärger", "ÄRGER", "ß", "\u1e9e", "ss", "SS", "İ", "i",
        "I", "\u0131", "K", "k", "\u212aelvin", "Kelvin", "\u00e9", "e\u0301", "É", "\u017f",
        "\u03a3\u0391\u03a3", "\u03c3\u03b1\u03c2", "\u03c3\u03b1\u03c3", "\ufb01n", "\uff2b",
        "it's", '"q"', "100%", "1000", "a_b", "aXb", "\\", "a\\b", "a/b", "line\nbreak", "tab\t",
        "null", "true", "10", "😀", "日本", "%", "_", "a%20b", "%25", "%5C", "%22",
        "{}", "\u2028", "a b", None, 10, "$", "^a",
        ".*", LONG, LONG + "z", "refund", "Refund!", "<b>&amp;</b>",
    ],
    "n": [
        10, "10", 10.0, 9, 11, -0.5, "-0.5", 0, 1, 2, True, False, None, "", "abc", "9.5", " 10",
        "1e1", 2**53, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**30, 1e300, 1e-7, 0.1, 100,
        [10], {"a": 10}, "٣", "NaN", "Infinity", 10.5, -10, 3.0, 1e22,
        0.30000000000000004, 1 / 3, 123456789.12345679, 1e15, 1e-4, 1e-5, 999999999999999, 1.5e10,
    ],
    "m": [0, 1, 2, 3, 4.5, 10, -1, 7, 100, 9, 0.1],  # nothing but numbers, where it is there
    "d": [
        {"k": 1}, {"k": "1"}, {"k": None}, {}, {"k": {"z": 1}}, {"k": {"z": "x", "y": [1]}},
        {"k": [1, 2]}, None, "text", 5, [], [{"k": 1}], {"K": 1}, {"a b": 1, "k": "ä"}, {"k": True},
        {"k": ""}, {"k": 1.0}, {"k": {"z": None}}, {"exact": 1, "k": 0},
    ],
    "l": [
        [], [1], [1, "1"], ["x"], [[1]], None, "x", {"0": 1}, [None], [1, 2], [True], [1.0], ["ä"],
        "[1]", {}, [{"k": 1}], ["a, b"], ['"'], ["\\"],
    ],
    "b": [True, False, 0, 1, "true", "false", "True", None, 1.0, "", [], "yes"],
    "w": [
        "2026-01-02T03:04:05Z", "2026-01-02T05:04:05+02:00", "2026-01-02T03:04:05.000000Z",
        "2026-01-02", "2025-12-31T23:59:59-11:00", "", None, 20260102,
    ],
    "file": ["s3://b/a.png", "s3://b/ä.png", "/data/upload/1/a.png", "http://h/a?x=1&y=2", None],
}  # fmt: skip

ODD_KEYS = [
    "a b", "a.b", "a-b", "ä", "Ä", "日本", "😀", "exact", "in", "gt", "contains", "isnull", "regex",
    "id", "data", "0", "7", "$x", "100%", "a%20b", "a'b", 'a"b', "a[0]", "#", ";", "has_key",
    "s__icontains",
    "_x", "x_", "date", "year", "k\\", "annotations", "pk", "SELECT", "--", "total_annotations",
    "inner_id", "length", "count", "undefined", "S", "nULL", "true", " lead", "(", "a,b",
    "a:b", "lower", "upper", "lamp__id", "__", "x__y.z", "a__", "__in", "a__b c", "b\nc",
]  # fmt: skip
ODD_VALUES: list[Any] = [1, "x", "X", "", None, 0, "1", [1], {"k": 1}, True, "ä", 2.5]

METAS: list[Any] = [
    {}, {"m": 1}, {"m": "1"}, {"m": None}, {"m": {"z": "ä"}}, {"n": 1, "m": 0}, {"m": 1.5}, None,
    {"a b": "x"}, {"m": "Ä"}, {"m": [1]}, {"m": True}, "text",
]  # fmt: skip


def _region(kind: str, values: Any, **more: Any) -> Row:
    return {"from_name": "c", "to_name": "t", "type": kind, "value": {kind: values}, **more}


RESULTS: list[list[Row]] = [
    [],
    [_region("choices", ["A"])],
    [_region("choices", ["A", "B"], id="r1")],
    [_region("choices", ["ä"])],
    [_region("choices", ["Ä"]), _region("choices", ["A"])],
    [_region("rectanglelabels", ["Car"], id="r2", score=0.5)],
    [_region("rectanglelabels", ["car"]), _region("textarea", ['it\'s a "car"'])],
    [_region("rectanglelabels", ["Car", "Truck"]), _region("rectanglelabels", [])],
    [_region("taxonomy", [["A", "B"], ["A"]])],
    [_region("rating", 4)],
    [_region("textarea", ["100% \\ a_b", ""])],
    [_region("labels", ["Car"], value={"start": 0, "end": 3, "labels": ["Car"]})],
    [{"type": "relation", "from_id": "r1", "to_id": "r2", "direction": "right", "labels": ["x"]}],
    [_region("choices", ["10"]), {"type": "relation", "from_id": "r1", "to_id": "r2"}],
    [_region("number", 10)],
    [{}],
    [_region("choices", ["Kelvin"]), _region("choices", ["\u212aelvin"])],
    [_region("choices", ["A"]), _region("rating", 4, from_name="stars")],
    [_region("choices", ["B"], score=0.5), _region("rating", 5, from_name="stars", score=0.9)],
    [_region("choices", ["A"], score=0.9), _region("choices", ["B"], from_name="e__f")],
    [_region("textarea", [], from_name="note", value={"text": ["A", "10"]}), _region("rating", 4)],
]

VERSIONS = [
    "v1", "v1", "v1", "v2", "V1", "", "v10", "v1,v2", "it's", "100%", "ä", "undefined", "v%201",
]  # fmt: skip
SCORES = [None, 0.0, 0.5, 0.5, 0.75, 0.25, 1.0, -1.0, 2.0, 1e-9]
LEAD_TIMES = [None, None, 0.0, 0.5, 1.0, 3.25, 10.0, 1e6]
SEVERAL = [0, 0, 1, 1, 2, 3]
COUNTERS = ["total_annotations", "cancelled_annotations", "total_predictions", "comment_count"]
MOMENTS = [
    "2026-01-02T03:04:05.000006Z", "2026-01-02T05:04:05.000006+02:00", "2024-02-29T00:00:00Z",
    "1999-12-31T23:59:59.999999Z",
]  # fmt: skip


GOING = "going@example.com"


STORED = {"a b.json": {"s": "stored", "m": 3}, "Ä%_.json": {"s": "STORED", "n": 10}}
"""The files of a folder that tasks are made of."""

UPLOADED = {"a b.csv": "s,m\nuploaded,1\nUploaded,2\n", "B.json": '[{"s": "x"}]'}


def build(
    ask: Ask,
    *,
    seed: int,
    tasks: int,
    model_version: str,
    folder: str,
    configured: bool = True,
    commented: bool = True,
) -> int:
    """Make the project; returns its id.

    ``folder``: where the server finds the files of `STORED`; ``configured``: whether it has its
    labelling config from the beginning, since what is uploaded before lies under another key;
    ``commented``: whether the server takes the authors of comments, to which the one in memory says
    501.
    """
    draw = random.Random(f"corpus {seed}")
    people, leaving = _people(ask)
    config = CONFIG if configured else "<View/>"
    project = ask("POST", "/api/projects/", json={"title": f"Law {seed}", "label_config": config})
    id = int(project["id"])
    if not configured:
        lines = "\n".join(["before", "BEFORE K", "10", "x"])
        ask("POST", f"/api/projects/{id}/import", files={"file": ("a.txt", lines.encode())})
        ask("PATCH", f"/api/projects/{id}/", json={"label_config": CONFIG})
    datas = _datas(draw, tasks)
    # The type of a key's value in the first task decides what the server does with the key.
    draw.shuffle(datas)
    posted = len(datas) // 4
    _import(ask, id, draw, datas[posted:], people)
    for data in datas[:posted]:
        _post_task(ask, id, draw, data, people, commented)
    _add_files(ask, id, folder)
    ids = [row["id"] for row in _pages(ask, id, {})]
    for place in draw.sample(ids, 4):  # the work of somebody who is deleted has no author
        body = {**_annotation(draw, people), "completed_by": leaving}
        ask("POST", f"/api/tasks/{place}/annotations/", json=body)
    for _ in range(tasks // 4):
        _touch(ask, draw, draw.choice(ids), people)
    ask("DELETE", f"/api/users/{leaving}/")
    if model_version:  # the server takes only one that a prediction has
        body = {**_prediction(draw), "task": draw.choice(ids), "model_version": model_version}
        ask("POST", "/api/predictions/", json=body)
    ask("PATCH", f"/api/projects/{id}/", json={"model_version": model_version})
    return id


def _add_files(ask: Ask, project: int, folder: str) -> None:
    """Tasks of uploaded files, and of files in a folder."""
    for name, text in UPLOADED.items():
        ask("POST", f"/api/projects/{project}/import", files={"file": (name, text.encode())})
    storage = ask("POST", "/api/storages/localfiles", json={"project": project, "path": folder})
    ask("POST", f"/api/storages/localfiles/{storage['id']}/sync", json={})


def _people(ask: Ask) -> tuple[list[int], int]:
    """Those who stay, and one who will go."""
    known = {user["email"]: user["id"] for user in ask("GET", "/api/users/")}
    for email in (*(f"law{number}@example.com" for number in range(3)), GOING):
        if email not in known:
            body = {"email": email, "username": email}
            known[email] = ask("POST", "/api/users/", json=body)["id"]
    leaving = known.pop(GOING)
    return sorted(known.values()), leaving


def _datas(draw: random.Random, tasks: int) -> list[Row]:
    """Every value of `DATA` in one of the tasks at least, some keys missing in each."""
    datas: list[Row] = [{} for _ in range(tasks)]
    for key, values in DATA.items():
        often = key in ("s", "n")
        places = draw.sample(range(tasks), min(tasks, len(values) if often else tasks * 2 // 3))
        pool = draw.sample(values, len(values))
        for number, place in enumerate(places):
            datas[place][key] = pool[number % len(pool)]
    for key in ODD_KEYS:
        for place in draw.sample(range(tasks), min(tasks, 5)):
            datas[place][key] = draw.choice(ODD_VALUES)
    return datas


def _import(
    ask: Ask, project: int, draw: random.Random, datas: list[Row], people: list[int]
) -> None:
    items = [
        {
            "data": _allowed(data),
            "meta": draw.choice([meta for meta in METAS if isinstance(meta, dict)]),
            "annotations": [
                _annotation(draw, people) for _ in range(draw.choice([0, 0, 1, 1, 2, 3]))
            ],
            "predictions": [_prediction(draw) for _ in range(draw.choice([0, 0, 1, 2, 3]))],
        }
        for data in datas
    ]
    path, params = f"/api/projects/{project}/import", {"return_task_ids": "true"}
    ids = ask("POST", path, json=items, params=params)["task_ids"]
    for id, data in zip(ids, datas, strict=True):
        if data != _allowed(data):
            ask("PATCH", f"/api/tasks/{id}/", json={"data": data})


def _allowed(data: Row) -> Row:
    """Creation checks what the labelling config shows, an update does not."""
    return data if isinstance(data.get("s"), str) else {**data, "s": "x"}


def _annotation(draw: random.Random, people: list[int]) -> Row:
    return {
        "result": draw.choice(RESULTS),
        "completed_by": draw.choice(people),
        "was_cancelled": draw.random() < 0.25,
        "ground_truth": draw.random() < 0.25,
        "lead_time": draw.choice(LEAD_TIMES),
    }


def _prediction(draw: random.Random) -> Row:
    return {
        "result": draw.choice(RESULTS),
        "score": draw.choice(SCORES),
        "model_version": draw.choice(VERSIONS),
    }


def _post_task(
    ask: Ask, project: int, draw: random.Random, data: Row, people: list[int], commented: bool
) -> None:
    """A task made by itself: the server lets even its counters be written."""
    body: Row = {"project": project, "data": _allowed(data)}
    if draw.random() < 0.5:
        body[draw.choice(COUNTERS)] = draw.choice([0, 1, 2, 5])
        body["is_labeled"] = draw.random() < 0.5
        body["overlap"] = draw.choice([1, 2, 3])
        body["unresolved_comment_count"] = draw.choice([0, 1, 2])
        body["last_comment_updated_at"] = draw.choice(MOMENTS)
        body["inner_id"] = draw.choice([3, 5, 1000])
        body["updated_by"] = draw.choice(people)
        body["comment_authors"] = draw.sample(people, 2)
        if not commented:
            del body["comment_authors"]
    id = ask("POST", "/api/tasks/", json=body)["id"]
    ask("PATCH", f"/api/tasks/{id}/", json={"data": data, "meta": draw.choice(METAS)})


def _touch(ask: Ask, draw: random.Random, id: int, people: list[int]) -> None:
    """What happens to a task in its life."""
    verb = draw.choice(["annotate", "annotate", "predict", "draft", "edit", "null", "truth"])
    if verb == "draft":
        ask(
            "POST",
            f"/api/tasks/{id}/drafts",
            json={"result": draw.choice(RESULTS), "lead_time": 1.5},
        )
    elif verb == "predict":
        body = {**_prediction(draw), "task": id, "cluster": draw.choice([None, 1, 2])}
        ask("POST", "/api/predictions/", json={**body, "mislabeling": draw.choice([0.0, 0.5])})
    elif verb == "null":  # stored with a result that is null
        ask("POST", f"/api/tasks/{id}/annotations/", json={})
    else:
        body = {**_annotation(draw, people), "ground_truth": verb == "truth"}
        body["last_action"] = draw.choice(["submitted", "updated", "skipped", None])
        body["import_id"] = draw.choice([None, 1, 2**40])
        body["draft_created_at"] = draw.choice([None, *MOMENTS])
        made = ask("POST", f"/api/tasks/{id}/annotations/", json=body)["id"]
        if verb == "edit":
            later = {"result": draw.choice(RESULTS), "parent_annotation": made}
            ask("PATCH", f"/api/annotations/{made}/", json=later)


# -- reading ---------------------------------------------------------------------------------------


def read(ask: Ask, project: int) -> list[Row]:
    """All tasks by id, their annotations and predictions whole.

    What two places say of the same object must agree: the list of tasks, the export, the list of
    predictions.
    """
    rows = _pages(ask, project, {"fields": "all"})
    exported = ask(
        "GET",
        f"/api/projects/{project}/export",
        params={"exportType": "JSON", "download_all_tasks": "true"},
    )
    by_id = {row["id"]: row for row in exported}
    assert by_id.keys() == {row["id"] for row in rows}
    predictions = ask("GET", "/api/predictions/", params={"project": project})
    for row in rows:
        other = by_id[row["id"]]
        for name in ("data", "inner_id", "created_at", "total_annotations", "comment_count"):
            assert row[name] == other[name], (name, row[name], other[name])
        row["annotations"] = [
            _merged(one, other["annotations"]) for one in sorted(row["annotations"], key=_id)
        ]
        row["predictions"] = [
            _merged(one, predictions) for one in sorted(row["predictions"], key=_id)
        ]
        assert len(row["annotations"]) == len(other["annotations"])
        assert len(row["predictions"]) == sum(one["task"] == row["id"] for one in predictions)
    return sorted(rows, key=_id)


def _id(row: Row) -> int:
    return int(row["id"])


def _merged(row: Row, others: list[Row]) -> Row:
    (other,) = [one for one in others if one["id"] == row["id"]]
    for name in row.keys() & other.keys() - {"created_ago"}:
        assert row[name] == other[name], (name, row[name], other[name])
    return {**other, **row}


def _pages(ask: Ask, project: int, params: Row) -> list[Row]:
    rows: list[Row] = []
    while True:
        last = rows[-1]["id"] if rows else 0
        item = {"filter": "filter:tasks:id", "operator": "greater", "type": "Number", "value": last}
        filters = {"conjunction": "and", "items": [item]}
        more = {"project": project, "page_size": 50, "resolve_uri": "false", **params}
        body = ask("GET", "/api/tasks/", params=more, json={"filters": filters, "project": project})
        rows.extend(body["tasks"])
        if len(body["tasks"]) == body["total"]:
            return rows
