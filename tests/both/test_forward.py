"""``prefetch()`` of what single objects point to: as few requests for a hundred as for two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from labelstudio_orm import FieldError, Project, Task, User
from tests.helpers import present

Asked = Callable[[], list[str]]


@pytest.fixture
def labelled(project: Project, bob: User) -> Project:
    """Twelve tasks, each with two annotations, by bob and by the caller, and a prediction."""
    region = project.config["sentiment"].choice("Positive")
    project.tasks.bulk_create(
        {
            "data": {"text": str(number)},
            "annotations": [{"result": [region], "completed_by": by} for by in (bob, None)],
            "predictions": [{"result": [region], "model_version": "v1"}],
        }
        for number in range(12)
    )
    return project


LISTINGS: dict[str, tuple[Callable[[Project], Any], int]] = {
    "predictions": (lambda p: p.predictions, 1),
    "a few": (lambda p: p.predictions[2:5], 1),
    "of a condition": (lambda p: p.predictions.filter(model_version="v1"), 1),
    "in another order": (lambda p: p.predictions.order_by("-task_id"), 1),
    "with few fields": (lambda p: p.annotations.only("result"), 1),
    "annotations": (lambda p: p.annotations, 1),
}


@pytest.mark.parametrize("listing", LISTINGS)
def test_tasks_come_along(labelled: Project, asked: Asked, listing: str) -> None:
    objects, requests = LISTINGS[listing]
    asked()
    found = list(objects(labelled).prefetch("task"))
    assert len(asked()) == requests + 1
    texts = {task.id: task.data["text"] for task in labelled.tasks}
    asked()
    assert [one.task.data["text"] for one in found] == [texts[one.task_id] for one in found]
    assert {type(one.task) for one in found} == {Task}
    assert asked() == []


def test_authors_come_along(labelled: Project, asked: Asked, bob: User) -> None:
    annotations = labelled.annotations.prefetch("completed_by", "task", "project")
    assert "the completed_by and project and task of many of them at once" in annotations.explain()
    asked()
    found = [
        (present(one.completed_by).email, present(one.task).data["text"], one.project)
        for one in annotations
    ]
    assert sorted({path.split()[1] for path in asked()}) == ["/api/tasks/", "/api/users/"]
    assert [email for email, _, _ in found].count(bob.email) == 12
    assert {project for _, _, project in found} == {labelled}


def test_each_page_brings_its_own(labelled: Project, asked: Asked) -> None:
    for page in labelled.predictions.prefetch("task").pages():
        asked()
        assert [present(one.task).data["text"] for one in page] == [
            str(number) for number in range(12)
        ]
        assert asked() == []


def test_what_came_inside_of_tasks_brings_its_own_too(labelled: Project, asked: Asked) -> None:
    task = labelled.tasks.prefetch("annotations")[0]
    asked()
    authors = [present(one.completed_by).id for one in task.annotations.prefetch("completed_by")]
    assert asked() == ["GET /api/users/"]
    assert authors == [one.completed_by_id for one in task.annotations]


def test_what_is_null_or_gone_is_read_as_before(labelled: Project, asked: Asked) -> None:
    asked()
    found = list(labelled.annotations.prefetch("parent_prediction", "parent_annotation"))
    assert len(asked()) <= 2
    assert {one.parent_prediction for one in found} == {None}


def test_a_relation_that_cannot_be_listed_is_refused(labelled: Project) -> None:
    with pytest.raises(FieldError, match=r"cannot prefetch 'tasks'; it can prefetch .*task"):
        labelled.predictions.prefetch("tasks")
    with pytest.raises(FieldError, match="can prefetch annotations, predictions, project"):
        labelled.tasks.prefetch("data")
