"""Requests never grow with the rows where a listing could have brought what is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from labelstudio_orm import DoesNotExist, LabelStudio, Max, Project
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm._engine.models.queryset import QuerySet
from tests.helpers import present

Asked = Callable[[], list[str]]
Read = Callable[[QuerySet[Any]], Any]

FEW, MANY = 3, 30


def shown(obj: Any) -> None:
    """All that a listing brings of an object."""
    for field in options_of(obj).fields.values():
        if not field.deferred:
            getattr(obj, field.name)


def names_of(queryset: QuerySet[Any]) -> list[str]:
    """The names of the fields that a listing has."""
    fields = options_of(queryset.model).fields.values()
    return [one.name for one in fields if not one.secret and not one.left_out]


READS: dict[str, Read] = {
    "values": lambda queryset: list(queryset.values()),
    "values_list": lambda queryset: list(queryset.values_list()),
    "to_pandas": lambda queryset: queryset.to_pandas(),
    "count_by": lambda queryset: queryset.count_by(*names_of(queryset)[:3]),
    "aggregate": lambda queryset: queryset.aggregate(*map(Max, names_of(queryset))),
    "repr": lambda queryset: [repr(obj) for obj in queryset],
    "raw": lambda queryset: [obj.raw for obj in queryset],
    "fields": lambda queryset: [shown(obj) for obj in queryset],
    "relations": lambda queryset: [
        getattr(obj, name) for obj in queryset for name in options_of(obj).relations
    ],
}


def orders(queryset: QuerySet[Any]) -> dict[str, Read]:
    """One for each field of the resource."""
    fields = options_of(queryset.model).fields.values()
    return {
        f"{verb} {field.name}": read
        for field in fields
        if not field.secret and not field.deferred
        for verb, read in {
            "order by": lambda queryset, name=field.name: list(queryset.order_by(name)),
            "values of": lambda queryset, name=field.name: list(queryset.values(name)),
            "only": lambda queryset, name=field.name: [
                getattr(obj, name) for obj in queryset.only(name)
            ],
        }.items()
    }


def labelled(project: Project, number: int) -> None:
    """So many tasks, each with an annotation, a prediction and a view of its own."""
    region = project.config["sentiment"].choice("Positive")
    said = [{"result": [region]}]
    data = ({"text": f"{n}"} for n in range(number))
    project.tasks.bulk_create(
        [{"data": one, "annotations": said, "predictions": said} for one in data]
    )


SETS: dict[str, Callable[[Project], QuerySet[Any]]] = {
    "tasks": lambda project: project.tasks.all(),
    "annotations": lambda project: project.annotations.all(),
    "predictions": lambda project: project.predictions.all(),
    "cancelled": lambda project: project.annotations.filter(was_cancelled=False),
}

INSIDE: dict[str, Callable[[Project], Any]] = {
    "annotations of a task": lambda project: [
        list(task.annotations.values()) for task in project.tasks.prefetch("annotations")
    ],
    "labels": lambda project: [
        one.values()
        for task in project.tasks.only("data", "annotations__result").prefetch("annotations")
        for one in task.annotations
    ],
    "labels of predictions": lambda project: [
        one.values() for task in project.tasks.prefetch("predictions") for one in task.predictions
    ],
    "labels of a project": lambda project: [one.values() for one in project.annotations],
    "tables inside": lambda project: [
        task.annotations.order_by("state").values_list("state", "created_at")[:1]
        for task in project.tasks.prefetch("annotations")
    ],
}


def of(
    objects: Callable[[Project], QuerySet[Any]], reads: dict[str, Read]
) -> dict[str, Callable[[Project], Any]]:
    """The same readings, of some objects of a project."""

    def of_these(read: Callable[[Any], object]) -> Callable[[Project], object]:
        return lambda project: read(objects(project))

    return {what: of_these(read) for what, read in reads.items()}


@pytest.fixture
def numbers(ls: LabelStudio, project: Project, asked: Asked) -> Callable[[Any], list[str]]:
    """What fits a reading at few tasks and does not at many, whose requests are then more."""

    def compare(reads: dict[str, Callable[[Project], Any]]) -> list[str]:
        found: list[dict[str, int]] = []
        for number in (FEW, MANY):
            labelled(project, number - project.tasks.count())
            counts = {}
            for name, read in reads.items():
                fresh = ls.projects.get(project.id)
                asked()
                read(fresh)
                counts[name] = len(asked())
            found.append(counts)
        few, many = found
        return [f"{name}: {few[name]}, {many[name]}" for name in few if many[name] > few[name]]

    return compare


@pytest.mark.filterwarnings("ignore")
def test_annotations_of_a_project(project: Project, numbers: Callable[[Any], list[str]]) -> None:
    reads = {**READS, "state": lambda queryset: list(queryset.order_by("state").values("state"))}
    assert numbers(of(SETS["annotations"], reads)) == []


def test_the_tasks_of_rows_come_together(project: Project, asked: Asked) -> None:
    labelled(project, 30)
    related: tuple[QuerySet[Any], ...] = (project.annotations, project.predictions)
    for objects in related:
        asked()
        assert [present(one.task).data["text"] for one in objects] == [f"{n}" for n in range(30)]
        assert len(asked()) <= 4
        found = list(objects.all())
        asked()
        for place in (20, 5, 11):
            assert found[place].task.id == found[place].task_id
        assert asked() == [f"GET /api/tasks/{found[place].task_id}/" for place in (20, 5, 11)]
    project.tasks.get(found[13].task_id).delete()
    with pytest.raises(DoesNotExist):
        [one.task for one in found]


def test_more_tasks_take_no_more_requests_for_prefetched_rows(
    numbers: Callable[[Any], list[str]],
) -> None:
    assert numbers(INSIDE) == []
