"""Saved views, actions and exports: what a selection of tasks means, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm import FieldError, JobFailed, Project, Q, View
from labelstudio_orm._engine.models.queryset import QuerySet
from labelstudio_orm.errors import DoesNotExist
from labelstudio_orm.resources.tasks import Tasks
from tests.helpers import client_of, present


@pytest.fixture
def tasks(project: Project) -> Tasks:
    """Six tasks of two languages, the first of them annotated."""
    made = project.tasks.bulk_create(
        [{"text": f"t{n}", "lang": "de" if n % 2 else "en", "n": n} for n in range(6)]
    )
    made[0].annotations.create(result=[])
    return project.tasks


def numbers(found: QuerySet) -> list[int]:  # type: ignore[type-arg]
    """Which of the six."""
    return [task.data["n"] for task in found]


@pytest.fixture
def view(project: Project, tasks: Tasks) -> View:
    """All but the annotated one, the newest first."""
    return project.views.create(title="Todo", filters=Q(total_annotations=0), ordering="-inner_id")


def test_a_view_has_its_tasks_in_its_order(view: View, project: Project) -> None:
    assert numbers(view.tasks) == [5, 4, 3, 2, 1]
    assert view.tasks.count() == 5
    assert numbers(view.tasks[1:3]) == [4, 3]
    assert view.tasks[0].data["n"] == 5
    first = view.tasks.first()
    assert first is not None
    assert first.project == project
    assert numbers(client_of(project.tasks).tasks.filter(view=view.id)) == [5, 4, 3, 2, 1]
    assert numbers(project.tasks.filter(view=view)) == [5, 4, 3, 2, 1]


def test_a_view_may_be_filtered_and_ordered_further(view: View) -> None:
    odd = view.tasks.filter(data__lang="de")
    assert numbers(odd) == [5, 3, 1]
    assert odd.count() == 3
    assert numbers(odd.exclude(data__n=3)) == [5, 1]
    assert numbers(odd.order_by("id")) == [1, 3, 5]
    assert numbers(odd.order_by("-id")) == [5, 3, 1]
    assert numbers(odd.order_by("data__n")) == [1, 3, 5]
    assert numbers(view.tasks.filter(id__in=[])) == []
    assert not view.tasks.filter(data__lang="fr").exists()


def test_more_than_one_page_of_a_view(project: Project) -> None:
    project.tasks.bulk_create([{"text": "a", "n": n} for n in range(320)])
    view = project.views.create(title="All", ordering="-id")
    assert numbers(view.tasks) == list(reversed(range(320)))


def test_a_view_follows_its_data(view: View) -> None:
    view.data["filters"] = {"conjunction": "and", "items": []}
    view.save()
    assert view.tasks.count() == 6
    del view.data["filters"]
    view.save()
    assert view.refresh().tasks.count() == 6
    view.data["ordering"] = []
    with pytest.raises(ValueError, match="cannot clear"):
        view.save()


def test_a_view_says_only_what_the_server_says_exactly(project: Project) -> None:
    with pytest.raises(FieldError, match="cannot say"):
        project.views.create(title="x", filters=Q(data__lang="de"))
    with pytest.raises(FieldError, match="one field"):
        project.views.create(title="x", ordering=["id", "-created_at"])  # type: ignore[arg-type]
    with pytest.raises(FieldError, match="compares texts"):
        project.views.create(title="x", ordering="data__n")
    assert list(project.views) == []


@pytest.mark.needs("PAIRED_FILTERS")
def test_a_view_gives_its_condition_back(project: Project, tasks: Tasks) -> None:
    condition = (Q(total_annotations=0) & ~Q(annotators=7)) | Q(id__in=[tasks[0].id])
    view = project.views.create(title="x", filters=condition)
    assert numbers(view.tasks) == numbers(project.tasks.filter(view.filters)) == list(range(6))
    view.filters = Q(total_annotations__gt=0)
    assert repr(view.save().refresh().filters) == "Q(total_annotations__gt=0)"
    assert numbers(view.tasks) == [0]
    with pytest.raises(FieldError, match="cannot say"):
        view.filters = Q(meta__x=1)


def test_what_only_the_server_evaluates_stays_a_condition(project: Project, tasks: Tasks) -> None:
    """The server's ``contains`` is not ours: it ignores the case of ASCII letters."""
    line = {
        "filter": "filter:tasks:data.lang",
        "operator": "contains",
        "type": "String",
        "value": "D",
    }
    filters = {"conjunction": "and", "items": [line]}
    view = project.views.create(data={"title": "x", "filters": filters})
    assert numbers(project.tasks.filter(view.filters)) == [1, 3, 5]
    assert numbers(project.tasks.filter(view.filters, id__gt=tasks[1].id)) == [3, 5]
    assert numbers(project.tasks.filter(view.filters, data__n=3)) == [3]
    view.filters = view.filters & Q(total_annotations=0)
    assert numbers(view.save().tasks) == [1, 3, 5]
    for impossible in (~view.filters, view.filters | Q(data__n=2)):
        with pytest.raises(FieldError, match="server"):
            list(project.tasks.filter(impossible))


@pytest.mark.needs("PAIRED_FILTERS")
def test_two_comparisons_of_one_line_are_about_one_prediction(
    project: Project, tasks: Tasks
) -> None:
    for version in ("old", "new"):
        present(tasks.first()).predictions.create(result=[], model_version=version)

    def line(version: str, **child: Any) -> dict[str, Any]:
        column = {"filter": "filter:tasks:predictions_model_versions", "type": "List"}
        return {**column, "operator": "contains", "value": [version], **child}

    def conditions(*lines: dict[str, Any], conjunction: str = "and") -> Q:
        filters = {"conjunction": conjunction, "items": list(lines)}
        view = project.views.create(data={"title": "x", "filters": filters})
        assert numbers(project.tasks.filter(view.filters)) == numbers(view.tasks)
        return view.filters

    assert numbers(project.tasks.filter(conditions(line("old"), line("new")))) == [0]
    both = conditions(line("old", child_filter=line("new")))
    assert numbers(project.tasks.filter(both)) == []
    assert "predictions_model_versions contains ['new']" in repr(both)
    one = conditions(line("old", child_filter=line("old")))
    assert numbers(project.tasks.filter(one)) == [0]
    assert numbers(project.tasks.filter(one, id__gt=present(tasks.first()).id)) == []
    with pytest.raises(FieldError, match="server"):
        list(project.tasks.filter(one | Q(id=0)))


def test_views_go_together_only_when_that_is_said(project: Project, view: View) -> None:
    project.views.create(title="two")
    with pytest.raises(ValueError, match="all"):
        project.views.delete()
    assert project.views.filter(id=view.id).delete() == 1
    assert len(project.views.all()) == 1
    assert project.views.all().delete() == 1
    assert not project.views.exists()


def test_the_order_of_views(project: Project) -> None:
    one, two, three = (project.views.create(title=title) for title in "abc")
    project.views.set_order([three, one.id, two])
    placed = sorted(project.views.all(), key=lambda view: view.order or 0)
    assert [view.data["title"] for view in placed] == ["c", "a", "b"]


@pytest.mark.parametrize("verb", ["perform", "create_annotations", "delete"])
def test_an_action_on_everything_needs_all(tasks: Tasks, verb: str) -> None:
    calls: dict[str, Callable[[Tasks], object]] = {
        "perform": lambda tasks: tasks.perform("delete_tasks_predictions"),
        "create_annotations": lambda tasks: tasks.create_annotations(result=[]),
        "delete": lambda tasks: tasks.delete(),
    }
    for everything in (tasks, tasks.filter(), tasks.filter(Q()), tasks.exclude(Q())):
        with pytest.raises(ValueError, match="say so"):
            calls[verb](everything)
    assert tasks.count() == 6


def test_an_action_with_a_selection(tasks: Tasks, project: Project) -> None:
    for task in tasks:
        task.predictions.create(result=[])
    exact = tasks.filter(total_annotations=0).perform("delete_tasks_predictions")
    assert exact["processed_items"] == 5
    assert [p.task_id for p in project.predictions] == [tasks[0].id]
    for task in tasks:
        task.predictions.create(result=[])
    told: list[tuple[int, int | None]] = []
    checked_here = tasks.filter(data__lang__startswith="de").perform(
        "delete_tasks_predictions", progress=lambda done, total: told.append((done, total))
    )
    assert checked_here["processed_items"] == 3
    assert told[-1] == (3, 3)
    assert tasks.filter(data__lang__startswith="fr").perform("delete_tasks_predictions") == {
        "processed_items": 0
    }
    assert tasks.filter(id__in=[]).perform("delete_tasks_predictions") == {"processed_items": 0}
    assert project.predictions.count() == 4


def test_the_action_that_deletes_keeps_the_views(tasks: Tasks, project: Project) -> None:
    view = project.views.create(title="kept")
    assert tasks.all().perform("delete_tasks") == {"processed_items": 6}
    assert tasks.count() == 0
    assert list(project.views) == [view]


def test_an_action_that_the_server_does_not_have(tasks: Tasks) -> None:
    with pytest.raises(ValueError, match="delete_tasks_annotations"):
        tasks.all().perform("delete_everything")


def test_predictions_without_a_backend(tasks: Tasks) -> None:
    with pytest.raises(JobFailed, match="no ML backend"):
        tasks.all().perform("retrieve_tasks_predictions")


def test_annotations_of_a_selection(tasks: Tasks, project: Project) -> None:
    region = project.config["sentiment"].choice("Positive")
    made = tasks.filter(data__lang="de").create_annotations(result=[region], lead_time=2.5)
    assert [one.task_id for one in made] == [tasks[1].id, tasks[3].id, tasks[5].id]
    stored = [one for one in project.annotations if one.lead_time == 2.5]
    assert stored == made
    assert tasks.filter(data__lang="fr").create_annotations(result=[]) == []


def test_predictions_of_a_project(tasks: Tasks, project: Project) -> None:
    region = project.config["sentiment"].choice("Positive")
    items = [(task, [region], 0.5) for task in tasks[:3]]
    assert project.predictions.bulk_create(items, model_version="v1", batch_size=2) == 3
    found = list(project.predictions)
    assert [(one.task_id, one.score, one.model_version) for one in found] == [
        (task.id, 0.5, "v1") for task in tasks[:3]
    ]
    with pytest.raises(TypeError, match="item 0"):
        project.predictions.bulk_create([(tasks[0], "Positive", 0.5)])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="needs its task"):
        project.predictions.bulk_create([{"result": []}])
    assert project.predictions.count() == 3


@pytest.mark.parametrize("format", ["JSON", "CSV"])
def test_an_export_of_a_selection(tasks: Tasks, tmp_path: Path, format: str) -> None:
    path = tasks.filter(data__lang="de").export(format, tmp_path / "out")
    assert path == tmp_path / "out"
    lines = path.read_text().splitlines()
    if format == "JSON":
        assert [row["data"]["n"] for row in json.loads(path.read_text())] == [1, 3, 5]
    else:
        assert "lang" in lines[0]
    with pytest.raises(DoesNotExist, match="nothing to export"):
        tasks.filter(data__lang="fr").export(format, tmp_path / "none")
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


def test_an_export_of_more_than_an_address_holds(project: Project, tmp_path: Path) -> None:
    made = project.tasks.bulk_create(
        [
            {
                "data": {"text": f"t{n}"},
                "annotations": [{"result": [project.config["sentiment"].choice("Positive")]}],
            }
            for n in range(320)
        ]
    )
    some = project.tasks.filter(id__gt=made[4].id)
    wanted = [task.id for task in made[5:]]
    exported = json.loads(some.export("JSON", tmp_path / "all.json").read_text())
    assert sorted(row["id"] for row in exported) == wanted
    rows = json.loads(some.export("JSON_MIN", tmp_path / "min.json").read_text())
    assert sorted(row["id"] for row in rows) == wanted
    assert list(project.views) == []
    assert list(project.exports) == []
    assert sorted(one.name for one in tmp_path.iterdir()) == ["all.json", "min.json"]


def test_tasks_from_before_the_labelling_config(project: Project, tmp_path: Path) -> None:
    """They are stored under another key than they are shown with."""
    ls = client_of(project.tasks)
    early = ls.projects.create(title="Early")
    lines = tmp_path / "lines.txt"
    lines.write_text("hello world\nhello you\nbye\n")
    early.imports.create(file=lines).wait()
    early.label_config = project.label_config
    early.save()
    early.tasks.bulk_create([{"text": "hello again"}])
    assert [task.data["text"] for task in early.tasks][:2] == ["hello world", "hello you"]
    for tasks in (early.tasks, ls.tasks.filter(project=early.id)):
        assert tasks.filter(data__text__startswith="hello").count() == 3
        assert tasks.filter(data__text__in=["bye", "hello again"]).count() == 2
        assert tasks.filter(data__text__gt="hello").count() == 3
        assert tasks.filter(data__has_key="text").count() == 4
        assert tasks.exclude(data__text__contains="hello").count() == 1
    early.delete()
