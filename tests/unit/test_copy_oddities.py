"""What old servers and direct writes to a database have left in projects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm import LabelStudio, Project
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm._migrate.engine.fingerprints import SETTINGS, canonical, digest
from labelstudio_orm._migrate.engine.remap import files_in, replace_files, translate_view
from labelstudio_orm.migrate import copy_project, verify
from labelstudio_orm.testing import FakeLabelStudio


@pytest.fixture
def other() -> LabelStudio:
    """A client of another server."""
    return FakeLabelStudio("http://other.fake").client()


@pytest.mark.parametrize("result", ['{"x": 1}', '"Positive"', '["Positive"]'])
def test_a_result_that_no_import_takes(
    fake: FakeLabelStudio, other: LabelStudio, result: str
) -> None:
    """The rest of such a task is copied, and the report is not ok."""
    project = fake.client().projects.create(title="Odd")
    nothing: list[Any] = [{"result": []}]
    item = {"data": {"text": "a"}, "annotations": nothing, "predictions": nothing * 2}
    project.tasks.bulk_create([item])
    fake.store.execute("UPDATE prediction SET result = ? WHERE id = 1", result)
    fake.store.execute("UPDATE annotation SET result = 'null'")
    report = copy_project(project, to=other)
    assert [(one.kind, one.target) for one in report.differences] == [("predictions", None)]
    lost = {f"{loss.kind}.{loss.field}": loss.count for loss in report.losses}
    assert lost["predictions.result"] == 1
    assert report.target is not None
    (annotation,) = report.target.annotations
    assert annotation.result == []


def test_every_setting_is_copied_or_left_out_on_purpose() -> None:
    """A field that is new in the declaration must not be forgotten here."""
    writable = {name for name, field in options_of(Project).fields.items() if not field.read_only}
    assert writable - set(SETTINGS) == {"pinned_at", "workspace_id"}
    assert set(SETTINGS) <= writable


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/data/upload/5/1a2b3c4d-a.png", "/NEW/upload/5/1a2b3c4d-a.png"),
        ("http://a/x/data/upload/5/1a-a.png?t=1", "/NEW/upload/5/1a-a.png?t=1"),
        ("http://b/data/upload/5/1a-a.png", "http://b/data/upload/5/1a-a.png"),
        ('<img src="/data/upload/5/1a-a.png">', '<img src="/NEW/upload/5/1a-a.png">'),
        ("See /data/upload/5/1a-a.png.", "See /NEW/upload/5/1a-a.png."),
        ("/data/upload/5/1a-%C3%A9.png", "/NEW/upload/5/1a-é.png"),
        ({"a": ["/data/upload/5/1a-a.png", 1, None]}, {"a": ["/NEW/upload/5/1a-a.png", 1, None]}),
        ("/data/local-files/?d=a.png", "/data/local-files/?d=a.png"),
    ],
)
def test_addresses_of_files_lead_to_the_copies(value: Any, expected: Any) -> None:
    assert replace_files(value, lambda file: f"/NEW/{file}", "http://a/x") == expected
    if "%" in str(value):
        assert files_in(value) == {"upload/5/1a-é.png"}


def test_contents_are_equal_as_json_is() -> None:
    same = [{"a": 1, "b": [1.0, {"c": None}]}, {"b": [1, {"c": None}], "a": 1.0}]
    assert digest(same[0]) == digest(same[1])
    different: list[Any] = [0, False, None, "", "0", [], {}, [0], {"a": None}, 0.5]
    assert len({digest(value) for value in different}) == len(different)
    assert canonical({"a": (1.0, 2.5)}) == {"a": [1, 2.5]}
    assert digest(2**70) != digest(2**70 + 1)


def test_a_comparison_tells_true_from_one(
    fake: FakeLabelStudio, other: LabelStudio, tmp_path: Path
) -> None:
    project = fake.client().projects.create(title="Flags")
    project.tasks.bulk_create([{"new": True}])
    target = copy_project(project, to=other, journal=tmp_path / "copy.db").target
    assert target is not None
    task = target.tasks[0]
    task.data = {"new": 1}
    task.save()
    report = verify(project, target, journal=tmp_path / "copy.db")
    assert [(one.field, one.here, one.there) for one in report.differences] == [
        ("data", {"new": True}, {"new": 1})
    ]


def test_a_task_that_is_missing_does_not_hide_a_double(
    fake: FakeLabelStudio, other: LabelStudio, tmp_path: Path
) -> None:
    """There are as many tasks as were copied."""
    project = fake.client().projects.create(title="As many")
    project.tasks.bulk_create([{"n": number} for number in range(3)])

    def meddle(done: int, total: int | None) -> None:
        if done == 3:
            (target,) = other.projects.all()
            first, *_ = target.tasks
            first.delete()
            target.tasks.create(data={"n": 2})

    report = copy_project(project, to=other, journal=tmp_path / "copy.db", progress=meddle)
    assert [(one.kind, one.source, one.target) for one in report.differences] == [
        ("tasks", project.tasks[0].id, None)
    ]
    target = report.target
    assert target is not None
    assert [task.data["n"] for task in target.tasks] == [1, 2]
    target.tasks.create(data={"n": 0})
    found = verify(project, target, journal=tmp_path / "copy.db").differences
    assert [(one.source is None, one.target is None) for one in found] == [
        (False, True),
        (True, False),
    ]


def _line(column: str, operator: str, value: Any, **more: Any) -> dict[str, Any]:
    name = f"filter:tasks:{column}"
    return {"filter": name, "operator": operator, "type": "Number", "value": value, **more}


@pytest.mark.parametrize(
    ("line", "expected", "lost"),
    [
        (_line("annotators", "contains", 1), _line("annotators", "contains", 101), []),
        (_line("annotators", "contains", "1"), _line("annotators", "contains", "101"), []),
        (_line("updated_by", "contains", 9), _line("updated_by", "contains", 9), ["updated_by"]),
        (_line("annotators", "empty", True), _line("annotators", "empty", True), []),
        (_line("id", "in_list", [5, 6]), _line("id", "in_list", [1005, 1006]), []),
        (_line("id", "greater", 5), _line("id", "greater", 5), ["id"]),
        (_line("id", "in_list", [5, 7]), _line("id", "in_list", [5, 7]), ["id"]),
        (_line("data.id", "equal", 5), _line("data.id", "equal", 5), []),
        (_line("inner_id", "less", 3), _line("inner_id", "less", 3), ["inner_id"]),
        (
            _line("data.a", "equal", 1, child_filter=_line("annotators", "contains", 1)),
            _line("data.a", "equal", 1, child_filter=_line("annotators", "contains", 101)),
            [],
        ),
    ],
)
def test_filters_of_views_name_the_copied_users_and_tasks(
    line: Any, expected: Any, lost: list[str]
) -> None:
    view = {
        "id": 1,
        "data": {"title": "A", "filters": {"conjunction": "and", "items": [line]}},
        "selected_items": {"all": False, "included": [5, 7, 6]},
        "users": {"1": "ann@example.com", "9": "eve@example.com"},
    }
    users, tasks = {"ann@example.com": 101}, {5: 1005, 6: 1006}
    translated, columns = translate_view(view, users.get, tasks.get)
    assert translated["data"]["filters"]["items"] == [expected]
    assert translated["selected_items"] == {"all": False, "included": [1005, 1006]}
    assert columns == lost
