"""What a row costs at most, in calls of Python functions, which no other program disturbs."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable
from typing import Any, cast

import pytest

from labelstudio_orm import LabelStudio, Task
from labelstudio_orm._engine.http import payload
from labelstudio_orm._engine.http.outcome import matches
from labelstudio_orm._engine.pages.checks import checked_rows
from labelstudio_orm._engine.pages.select import Select
from labelstudio_orm._engine.pages.task_page import ANSWER
from labelstudio_orm._engine.plans.plan import Plan
from labelstudio_orm._engine.reading.selection import query_of
from labelstudio_orm._engine.records.inside import load
from labelstudio_orm._engine.records.origin import Origin

ROWS = 50


def row(id: int) -> dict[str, Any]:
    inside = {"id": id, "result": [{"id": "a", "value": {"choices": ["b"]}}], "task": id}
    return {"id": id, "project": 1, "data": {"text": "a"}, "annotations": [inside]}


def calls(work: Callable[[list[dict[str, Any]]], object], rows: int) -> int:
    """The calls of Python functions, and the steps of generators, that a work takes."""
    made, found = [row(id) for id in range(1, rows + 1)], 0

    def see(frame: object, event: str, argument: object) -> None:
        nonlocal found
        found += event == "call"

    sys.setprofile(see)
    try:
        work(made)
    finally:
        sys.setprofile(None)
    return found


def objects(rows: list[dict[str, Any]]) -> Any:
    return load(Task, rows, Origin(prefetched=frozenset({"annotations"}), whole=True))


def check(rows: list[dict[str, Any]]) -> None:
    client = LabelStudio("http://localhost:1", api_key="token")
    assert matches({"tasks": rows, "total": len(rows)}, cast(Any, ANSWER))
    tasks = client.projects.ref(1).tasks.prefetch("annotations")
    assert checked_rows(rows, Select.of(query_of(tasks), Plan())) == rows


def plain(rows: list[dict[str, Any]]) -> None:
    for task in objects(rows):
        assert task.id


def nested(rows: list[dict[str, Any]]) -> None:
    for task in objects(rows):
        assert task.data["text"]


def related(rows: list[dict[str, Any]]) -> None:
    for task in objects(rows):
        for annotation in task.annotations:
            assert annotation.result


@pytest.mark.parametrize(("work", "most"), [(check, 0), (plain, 2), (nested, 3), (related, 12)])
def test_a_row_takes_few_calls(work: Any, most: int) -> None:
    work([row(1)])  # what the first row alone takes
    assert (calls(work, 2 * ROWS) - calls(work, ROWS)) / ROWS <= most


@pytest.mark.parametrize("is_enabled", [True, False])
@pytest.mark.parametrize("is_fast", [True, False])
def test_the_garbage_collector_rests_while_an_answer_is_parsed(
    is_enabled: bool, is_fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_fast:
        monkeypatch.setattr(payload, "_accelerator", lambda: None)
    text, collections = json.dumps([[[]]] * 20_000).encode(), 0

    def count(phase: str, info: object) -> None:
        nonlocal collections
        collections += phase == "start"

    was_enabled = gc.isenabled()
    gc.callbacks.append(count)
    try:
        gc.enable() if is_enabled else gc.disable()
        before = collections
        found = payload.decode(text)
        during, after = collections - before, gc.isenabled()
    finally:
        gc.enable() if was_enabled else gc.disable()
        gc.callbacks.remove(count)
    assert len(found) == 20_000
    assert during <= 1  # a due one may begin once it is enabled again
    assert after is is_enabled
