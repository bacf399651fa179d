"""What a report says."""

from __future__ import annotations

from labelstudio_orm.migrate import verify
from labelstudio_orm.migrate.report import Difference
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
