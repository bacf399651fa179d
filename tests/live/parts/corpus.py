"""The corpus that both servers hold."""

from __future__ import annotations

from typing import Any

from tests.live.parts.queries import region
from tests.live.parts.writes import UUID
from tests.live.twins import Twins

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


def build(twins: Twins) -> None:
    """Make the corpus: awkward data, and annotations and predictions of every kind."""
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
