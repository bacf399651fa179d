"""Projects, tasks, annotations and predictions: the effect of each operation, by a second look."""

from __future__ import annotations

from typing import Any

import pytest

from labelstudio_orm import Annotation, BadRequest, DoesNotExist, LabelStudio, Project, Task
from tests.helpers import RELEASE

pytestmark = pytest.mark.live


@pytest.mark.operation(
    "projects.create", "projects.get", "projects.list", "projects.update", "projects.delete"
)
def test_a_project(ls: LabelStudio) -> None:
    project = Project(title="A project of its own").save(using=ls)
    assert ls.projects.get(project.id).title == "A project of its own"
    project.description = "Described"
    project.save()
    (listed,) = ls.projects.filter(title="A project of its own", id__in=[project.id])
    assert listed.description == "Described"
    project.delete()
    assert not ls.projects.filter(id__in=[listed.id])
    with pytest.raises(DoesNotExist):
        listed.refresh()


@pytest.mark.operation("projects.validate_config")
def test_validating_a_config(project: Project) -> None:
    before = project.label_config
    assert "config_essential_data_has_changed" in project.validate_config("<View/>")
    with pytest.raises(BadRequest, match="toName"):
        project.validate_config('<View><Rating name="stars" toName="nowhere"/></View>')
    assert project.refresh().label_config == before


@pytest.mark.operation(
    "tasks.create",
    "tasks.get",
    "tasks.list",
    "tasks.update",
    "tasks.delete",
    "tasks.delete_all_tasks",
)
def test_tasks(ls: LabelStudio, project: Project) -> None:
    task = project.tasks.create(data={"text": "a"})
    other = Task(project=project, data={"text": "b"}).save()
    fresh = ls.tasks.get(task.id)
    fresh.data["seen"] = True
    fresh.save()
    assert task.refresh().data == {"text": "a", "seen": True}
    assert list(project.tasks.filter(data__text="b")) == [other]
    assert list(ls.tasks.filter(project=project.id).order_by("-id")) == [other, task]
    task.delete()
    assert list(project.tasks.all()) == [other]
    view = project.views.create(data={"title": "Kept"})
    project.tasks.all().delete()
    assert not project.tasks.exists()
    assert list(project.views.all()) == [view]


@pytest.mark.operation(
    "annotations.create",
    "annotations.get",
    "annotations.list",
    "annotations.update",
    "annotations.delete",
)
def test_annotations(ls: LabelStudio, project: Project) -> None:
    task = project.tasks.create(data={"text": "a"})
    stars = project.config["stars"]
    annotation = task.annotations.create(result=[stars.rating(1)], lead_time=2.5)
    cancelled = Annotation(task=task, result=[], was_cancelled=True).save()
    fresh = ls.annotations.get(annotation.id)
    assert (fresh.values(), fresh.lead_time) == ({"stars": 1}, 2.5)
    assert list(task.annotations.filter(was_cancelled=False)) == [annotation]
    assert list(ls.tasks.get(task.id).annotations.all()) == [annotation, cancelled]
    annotation.result = [stars.rating(4)]
    annotation.save()
    assert fresh.refresh().values() == {"stars": 4}
    annotation.delete()
    assert list(ls.tasks.get(task.id).annotations.all()) == [cancelled]


@pytest.mark.operation(
    "predictions.create",
    "predictions.get",
    "predictions.list",
    "predictions.update",
    "predictions.delete",
)
def test_predictions(ls: LabelStudio, project: Project) -> None:
    task = project.tasks.create(data={"text": "a"})
    region = project.config["sentiment"].choice("Positive")
    prediction = task.predictions.create(result=[region], score=0.9, model_version="v1")
    fresh = ls.predictions.get(prediction.id)
    assert (fresh.values(), fresh.score) == ({"sentiment": "Positive"}, 0.9)
    assert list(ls.predictions.filter(task=task.id)) == [prediction]
    assert list(ls.predictions.filter(project=project.id)) == [prediction]
    prediction.score = 0.5
    prediction.save()
    assert fresh.refresh().score == 0.5
    prediction.delete()
    assert not list(ls.tasks.get(task.id).predictions.all())


@pytest.mark.operation("projects.import_predictions")
def test_importing_predictions(project: Project) -> None:
    first, second = project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
    region = project.config["sentiment"].choice("Positive")
    items: list[Any] = [
        (first, [region], 0.5),
        {"task": second.id, "result": [region], "model_version": "w"},
    ]
    assert project.predictions.bulk_create(items, model_version="v") == 2
    one, two = project.predictions.all()
    assert (one.task_id, one.values(), one.score) == (first.id, {"sentiment": "Positive"}, 0.5)
    assert (one.model_version, two.model_version) == ("v", "w")


@pytest.mark.operation("projects.list_unique_annotators")
def test_annotators_of_a_project(ls: LabelStudio, project: Project) -> None:
    task = project.tasks.create(data={"text": "a"})
    assert project.annotators() == []
    task.annotations.create(result=[])
    assert project.annotators() == [ls.users.me()]


@pytest.mark.needs("PROJECT_COUNTS")
@pytest.mark.operation("projects.list_counts")
def test_numbers_of_a_project(ls: LabelStudio, project: Project) -> None:
    task = project.tasks.create(data={"text": "a"})
    task.annotations.create(result=[])
    counts = ls.projects.filter(id__in=[project.id]).counts()[project.id]
    assert counts["task_number"] == counts["total_annotations_number"] == 1


@pytest.mark.operation("versions.get")
def test_version(ls: LabelStudio) -> None:
    assert ls.version()["release"] == ls.server().release == RELEASE
