"""What is asked of a project before its tasks are read, and what is shown of a queryset."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import pytest

from labelstudio_orm import FieldError, LabelStudio, Project, Q
from labelstudio_orm.errors import UnknownKeyWarning
from labelstudio_orm.testing import FakeLabelStudio, Fault
from tests.conftest import CONFIG


@pytest.fixture
def merged(project: Project) -> Project:
    """A project whose tasks have a key with two underscores."""
    project.tasks.bulk_create([{"text": "a", "a__b": 1}, {"text": "b", "a__b": 2}])
    return project


@pytest.mark.parametrize("is_id", [True, False])
def test_a_name_with_two_meanings_is_refused_in_a_view_too(
    ls: LabelStudio, merged: Project, is_id: bool
) -> None:
    """Of a view that is given by its id, the project is asked for."""
    view = merged.views.create(title="Todo")
    tasks = ls.tasks.filter(view=view.id if is_id else view)
    with pytest.raises(FieldError, match=rf"a__b.*the data of Project {merged.id}"):
        list(tasks.filter(data__a__b=1))


def test_a_server_without_summaries_knows_no_keys(fake: FakeLabelStudio, merged: Project) -> None:
    """Then a name is what it is without a project: keys inside of keys."""
    summary = f"/api/projects/{merged.id}/summary/"
    for status in (403, 404):
        fake.fault("GET", summary, Fault.answer(status), times=None)
        assert list(fake.client().projects.get(merged.id).tasks.filter(data__a__b=1)) == []


@pytest.mark.filterwarnings("error")
def test_a_config_that_is_broken_says_nothing_of_keys_and_controls(merged: Project) -> None:
    """As one that is edited, and not saved yet."""
    project, control = merged.refresh(), merged.config["sentiment"]
    project.label_config = "<View"
    task = project.tasks.get(data__text="a")
    task.annotations.create(result=[control.choice("Positive")])
    found = project.annotations.filter(result__from_name="sentiment")
    assert [one.task_id for one in found] == [task.id]
    assert project.annotations.filter(result__label="Positive").count() == 1
    assert project.annotations.filter(result__mood="Positive").count() == 0


def test_a_control_that_the_config_lacks_is_warned_of_once(ls: LabelStudio) -> None:
    project = ls.projects.create(title="Controls", label_config=CONFIG)
    with pytest.warns(UnknownKeyWarning, match="no control 'sentimnt'.*did you mean 'sentiment'"):
        assert not project.annotations.filter(result__sentimnt="Positive").exists()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not project.annotations.filter(result__sentimnt="Positive").exists()


def test_a_key_of_regions_that_is_a_control_too_is_refused(ls: LabelStudio) -> None:
    config = CONFIG.replace('name="sentiment"', 'name="origin"')
    project = ls.projects.create(title="Origin", label_config=config)
    with pytest.raises(FieldError, match=r"result__from_name='origin'"):
        list(project.annotations.filter(result__origin="manual"))


# -- what is shown --------------------------------------------------------------------------------


def explained(queryset: Any) -> list[str]:
    """Return the requests of an explanation."""
    return [line for line in str(queryset.explain()).splitlines() if "GET " in line]


def test_an_explanation_names_the_requests(ls: LabelStudio, merged: Project) -> None:
    view = merged.views.create(title="Todo", filters=Q(total_annotations=0))
    task = merged.tasks[0]
    (first, second) = explained(view.tasks)
    assert "?view=: the ids of the view" in first
    assert "the rows by id, 300 a request" in second
    assert "every row is read" not in "".join(explained(view.tasks.filter(inner_id=1)))
    assert "the server drops a query beside a view" in str(view.tasks.filter(inner_id=1).explain())
    (line,) = explained(task.annotations.filter(was_cancelled=False))
    assert f"/api/tasks/{task.id}/annotations/" in line
    (line,) = explained(task.annotations.order_by("-id"))
    assert f"GET /api/tasks/{task.id}/: its annotations, sorted here" in line
    (line,) = explained(merged.webhooks.order_by("url"))
    assert "all rows, sorted here" in line


def test_objects_that_are_loaded_take_no_request(fake: FakeLabelStudio, merged: Project) -> None:
    merged.tasks[0].annotations.create(result=[])
    (task, _) = merged.tasks.prefetch("annotations")
    before = len(fake.requests)
    assert "the objects are here already" in str(
        task.annotations.filter(ground_truth=False).explain()
    )
    assert [one.ground_truth for one in task.annotations.filter(ground_truth=False)] == [False]
    assert task.annotations.count() == 1
    assert len(fake.requests) == before


def test_what_a_queryset_shows_of_itself(ls: LabelStudio, project: Project) -> None:
    project.tasks.bulk_create([{"text": str(n)} for n in range(30)])
    tasks = project.tasks.order_by("-id")
    name = f"<QuerySet of Tasks of project {project.id} by -id"
    assert repr(tasks) == f"{name}>"
    assert repr(tasks[5:9]) == f"{name} [5:9]>"
    assert repr(tasks[5:]) == f"{name} [5:]>"
    rows = tasks.values("id")
    assert repr(rows) == f"<Rows of {tasks!r}>"
    assert rows.count() == 30
    assert len(tasks) == 30
    assert repr(tasks).startswith("<QuerySet [<Task ")
    assert repr(tasks).endswith(", ...]>")
    assert repr(type(ls).__dict__["projects"]).startswith("<Root projects of Project")


def note(seen: list[Any], done: int, total: int | None) -> None:
    seen.append((done, total))


def test_progress_of_a_loop_counts_what_is_found(project: Project) -> None:
    """How many there will be is unknown where rows are checked in the client."""
    project.tasks.bulk_create([{"data": {"text": "a"}, "meta": {"x": n % 2}} for n in range(6)])
    for condition, last in ((Q(meta__x=1), (3, 3)), (Q(id__gt=0), (6, 6))):
        seen: list[Any] = []
        found = project.tasks.filter(condition)
        list(found.iterator(progress=partial(note, seen)))
        assert seen[-1] == last


def test_what_has_no_numbers_as_ids_has_no_partitions(project: Project) -> None:
    with pytest.raises(TypeError, match="Actions have no numbers as ids to be partitioned by"):
        project.actions.partitions(2)


def test_an_update_makes_the_object_that_a_key_needs(
    fake: FakeLabelStudio, project: Project
) -> None:
    project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
    fake.store.execute("UPDATE task SET meta = NULL")
    assert project.tasks.all().update(meta__checked__by="ann").updated == 2
    assert [task.meta for task in project.tasks] == [{"checked": {"by": "ann"}}] * 2
