"""Annotations made from predictions."""

from __future__ import annotations

from typing import Any, cast

import pytest

from labelstudio_orm import BadRequest, LabelStudio, Project
from labelstudio_orm.testing import FakeLabelStudio
from labelstudio_orm.testing.fake import Fault
from tests.conftest import CONFIG


@pytest.fixture
def project(ls: LabelStudio) -> Project:
    made = ls.projects.create(title="Promoted", label_config=CONFIG)
    tasks = made.tasks.bulk_create([{"text": str(n)} for n in range(10)])
    region = made.config["sentiment"].choice("Positive")
    made.predictions.bulk_create([(task, [region], n / 10) for n, task in enumerate(tasks)])
    return made


def test_each_prediction_becomes_one_annotation(project: Project, ls: LabelStudio) -> None:
    bot = ls.users.create(email="bot@example.org")
    sure = project.predictions.filter(score__gte=0.6)
    made = sure.promote(author=bot, ground_truth=True)
    assert repr(made.summary) == "<Summary: 4 created>"
    by_id = {one.id: one for one in sure}
    for one in project.annotations:
        assert one.parent_prediction_id is not None
        before = by_id.pop(one.parent_prediction_id)
        assert (one.task_id, one.result) == (before.task_id, before.result)
        assert (one.completed_by_id, one.ground_truth) == (bot.id, True)
    assert by_id == {}

    again = project.predictions.filter(score__gte=0.4).promote()
    assert repr(again.summary) == "<Summary: 2 created, 4 skipped>"
    assert len(again) == 2
    assert project.annotations.count() == 6


def test_a_lost_answer_makes_no_second_annotation(fake: FakeLabelStudio, project: Project) -> None:
    fake.fault("POST", "/api/tasks/*/annotations/", Fault.reset(committed=True), times=1)
    assert project.predictions.all().promote(workers=1).summary.created == 10
    assert project.annotations.count() == 10


def test_all_of_them_and_those_of_no_author(project: Project) -> None:
    with pytest.raises(ValueError, match=r"all\(\)\.promote"):
        project.predictions.promote()
    nobody: Any = 10**6
    with pytest.raises(BadRequest, match="completed_by"):
        project.predictions.all().promote(author=nobody)
    assert project.annotations.count() == 0


def test_what_follows_from_the_prediction_is_not_given(
    project: Project, fake: FakeLabelStudio
) -> None:
    before, promote = len(fake.requests), cast("Any", project.predictions.all().promote)
    for name in ("result", "task", "parent_prediction_id", "unique_id"):
        with pytest.raises(TypeError, match=f"takes no {name}: "):
            promote(**{name: None})
    for name in ("completed_by", "completed_by_id"):
        with pytest.raises(TypeError, match="author is the completed_by"):
            promote(author=1, **{name: 1})
    assert len(fake.requests) == before
