"""Updates by a function of each object, and views by their titles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from labelstudio_orm import LabelStudio, Project, Q
from labelstudio_orm.resources._tasks.updating import TaskUpdate
from labelstudio_orm.testing import FakeLabelStudio
from tests.conftest import CONFIG


@pytest.fixture
def project(ls: LabelStudio) -> Project:
    made = ls.projects.create(title="Computed", label_config=CONFIG)
    made.tasks.bulk_create([{"text": f"text {n}", "n": n} for n in range(5)])
    return made


def data_of(project: Project, key: str) -> list[Any]:
    return [task.data.get(key) for task in project.tasks]


def test_a_function_gives_the_value_of_each_task(project: Project, fake: FakeLabelStudio) -> None:
    done = project.tasks.all().update(data__size=lambda task: task.total_annotations + task.id)
    assert done.updated == 5
    assert data_of(project, "size") == [task.id for task in project.tasks]
    before = len(fake.requests)
    done = project.tasks.all().update(data__size=lambda task: task.id)
    assert done.skipped == 5
    assert {request.method for request in fake.requests[before:]} == {"GET"}
    assert project.tasks.all().update(overlap=lambda task: task.data["n"] + 2).updated == 5
    assert [task.overlap for task in project.tasks] == [2, 3, 4, 5, 6]


def test_a_function_is_asked_once_about_each_state(project: Project) -> None:
    """One that counts, or turns a value over, would do it twice otherwise."""
    assert project.tasks.all().update(data__n=lambda task: task.data["n"] + 1).updated == 5
    assert data_of(project, "n") == [1, 2, 3, 4, 5]
    for expected in (True, None):
        done = project.tasks.all().update(
            data__seen=lambda task: None if task.data.get("seen") else True
        )
        assert done.updated == 5
        assert data_of(project, "seen") == [expected] * 5
    loaded = next(iter(project.tasks.all()))
    project.tasks.filter(id=loaded.id).update(data__n=lambda task: task.data["n"] + 1)
    assert data_of(project, "n")[0] == 2


def test_a_function_of_a_whole_field_gets_what_was_saved_since(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = TaskUpdate.reread_many

    def later(update: TaskUpdate, objects: Sequence[Any]) -> Mapping[Any, Any] | None:
        for task in project.tasks.all():
            task.data["late"] = True
            task.save()
        return read(update, objects)

    monkeypatch.setattr(TaskUpdate, "reread_many", later)
    done = project.tasks.all().update(data=lambda task: {**task.data, "n": 9})
    assert done.updated == 5
    assert (data_of(project, "late"), data_of(project, "n")) == ([True] * 5, [9] * 5)


def test_functions_see_the_task_before_the_update(project: Project) -> None:
    project.tasks.all().update(data__a=1, data__b=2)
    project.tasks.all().update(
        data__a=lambda task: task.data["b"], data__b=lambda task: task.data["a"]
    )
    assert (data_of(project, "a"), data_of(project, "b")) == ([2] * 5, [1] * 5)


def test_a_function_that_fails_is_named_with_its_task(project: Project) -> None:
    with pytest.raises(ValueError, match=r"data__x=.* raised KeyError\('missing'\) for <Task"):
        project.tasks.all().update(data__x=lambda task: task.data["missing"])
    with pytest.raises(ValueError, match=r"^<Task \d+>: update\(data__x=...\): data__x"):
        project.tasks.all().update(data__x=lambda task: float("nan"))
    assert data_of(project, "x") == [None] * 5
    done = project.tasks.all().update(
        data__half=lambda task: 1 / task.data["n"], on_error="collect"
    )
    assert (done.updated, [one.place for one in done.failed]) == (4, [0])


def test_views_by_their_titles(project: Project) -> None:
    view, created = project.views.get_or_create(
        title="Todo", filters=Q(total_annotations=0), ordering="-id"
    )
    assert created
    assert view.title == "Todo"
    assert view.tasks.count() == 5
    again, created = project.views.get_or_create(title="Todo", filters=Q(id=1))
    assert (again.id, created) == (view.id, False)
    assert repr(again.filters) == "Q(total_annotations=0)"
    again.title = "Done"
    again.save()
    assert project.views.get(view.id).title == "Done"
    assert project.views.create().title is None
    refused: tuple[dict[str, Any], ...] = ({"filters": Q(id=1)}, {"title": "a", "id": 1})
    for wrong in refused:
        with pytest.raises(TypeError, match="the title says which"):
            project.views.get_or_create(**wrong)
