"""What a report says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm._migrate.engine.losses import packed, unpacked
from labelstudio_orm._reports import Difference
from labelstudio_orm.migrate import (
    Journal,
    Report,
    copy_project,
    merge,
    restore,
    snapshot,
    split,
    sync,
    verify,
)
from labelstudio_orm.testing import FakeLabelStudio

LONG = "<View>" + "\n  <Text name='a' value='$a'/>" * 20


def test_long_values_are_shown_where_they_part() -> None:
    text = str(Difference("settings", 1, 2, "label_config", LONG + "</View>", LONG + "<!-- -->"))
    assert "</View>" in text
    assert "<!-- -->" in text
    assert len(text) < 250


def test_short_values_are_shown_whole() -> None:
    difference = Difference("tasks", 5, 1005, "data", {"text": "a"}, {"text": "b"})
    assert str(difference) == (
        "tasks 5 -> 1005: data is {'text': 'a'} in the source, {'text': 'b'} in the target"
    )


def test_a_value_that_goes_on_is_cut() -> None:
    text = str(Difference("tasks", 5, 6, "data", "x" + "a" * 500, "y" + "a" * 500))
    assert text.count("...") == 2
    assert len(text) < 250


def test_a_comparison_says_what_is_the_same(fake: FakeLabelStudio) -> None:
    projects = [fake.client().projects.create(title="Twin") for _ in range(2)]
    for project in projects:
        project.tasks.bulk_create([{"text": "one"}, {"text": "two"}])
    said = str(verify(*projects))
    assert said.splitlines()[0].endswith("project 2): ok")
    assert ["tasks", "2", "the", "same"] in [line.split() for line in said.splitlines()]
    assert "skipped" not in said


def _lost(report: Report) -> dict[str, list[Any]]:
    """What is lost of which objects; every report says of each."""
    for loss in report.losses:
        assert len(loss.ids) == loss.count, loss
        assert len(str(loss)) < 600
    told = {f"{one['kind']}.{one['field']}": one["ids"] for one in report.as_json()["losses"]}
    assert all(told.values())
    return told


def test_every_loss_names_the_objects(fake: FakeLabelStudio, tmp_path: Path) -> None:
    ls, other = fake.client(), FakeLabelStudio("http://other.fake").client()
    source = ls.projects.create(title="Source", task_data_password="hidden")
    annotated: Any = {"annotations": [{"result": []}], "predictions": [{"result": []}]}
    made = source.tasks.bulk_create([{"data": {"n": number}, **annotated} for number in range(20)])
    ids = [one.id for one in made]
    annotations = [one.id for one in source.annotations]
    ls.drafts.create(task=ids[3], result=[])
    journal = tmp_path / "copy.db"
    report = copy_project(source, to=other, journal=journal)
    lost = _lost(report)
    assert lost["tasks.created_at"] == ids
    assert lost["annotations.created_at"] == annotations
    assert lost["project.created_by"] == [source.id]
    assert f"({'; '.join(map(str, ids[:5]))}; ...)" in str(report)
    again = copy_project(source, to=other, journal=journal)
    assert _lost(again) == lost

    new = source.tasks.create(data={"n": 20})
    more = source.tasks.get(ids[0]).annotations.create(result=[], lead_time=2.0)
    assert report.target is not None
    told = _lost(sync(source, report.target, journal=journal))
    assert told["tasks.created_at"] == [new.id]
    assert told["annotations.created_at"] == [more.id]

    hidden = _lost(snapshot(source, tmp_path / "s.zip"))
    assert hidden == {"settings.task_data_password": [source.id]}
    restored = {f"{one.kind}.{one.field}": one for one in restore(tmp_path / "s.zip", other).losses}
    assert list(restored["tasks.created_at"].ids) == [*ids, new.id]
    assert restored["settings.task_data_password"].count == 1
    into = other.projects.create(title="Into")
    merged = _lost(merge([source], into=into, key="data.n"))
    first = f"{source.predictions[0].id} of task {ids[0]} of Source (1)"
    assert merged["predictions.created_at"][0] == first
    parts = split(source, lambda task: str(task.data["n"] % 2), into=other)
    assert sorted(_lost(parts)["tasks.created_at"]) == [*ids, new.id]


def test_a_journal_that_has_only_numbers(fake: FakeLabelStudio, tmp_path: Path) -> None:
    """It was written by an older version."""
    source = fake.client().projects.create(title="Old")
    source.tasks.create(data={"n": 1})
    copy_project(source, to=fake.client(), journal=tmp_path / "c.db")
    with Journal(tmp_path / "c.db") as journal:
        journal.map("lost tasks.created_at").remove(1)
    report = copy_project(source, to=fake.client(), journal=tmp_path / "c.db")
    (loss,) = (one for one in report.losses if (one.kind, one.field) == ("tasks", "created_at"))
    assert (loss.count, loss.ids) == (1, ())


@pytest.mark.parametrize("ids", [[], [1], [3, 4, 5, 9, 10, 2], ["export 1", 2, 3, "x"]])
def test_ids_are_packed(ids: list[Any]) -> None:
    assert list(unpacked(packed(ids))) == ids
    assert len(packed(range(100_000))) < 20
