"""Views of the Data Manager and the actions of the server."""

from __future__ import annotations

import pytest

from labelstudio_orm import DoesNotExist, LabelStudio, Project, Q

pytestmark = pytest.mark.live


@pytest.fixture
def filled(project: Project) -> Project:
    """Three tasks, the first with an annotation."""
    first, *_ = project.tasks.bulk_create([{"text": c, "n": n} for n, c in enumerate("abc")])
    first.annotations.create(result=[project.config["stars"].rating(3)])
    return project


@pytest.mark.operation("views.create", "views.get", "views.list", "views.update", "tasks.list")
def test_a_view_shows_its_tasks(filled: Project, ls: LabelStudio) -> None:
    view = filled.views.create(title="Todo", filters=Q(total_annotations=0), ordering="-id")
    assert [task.data["text"] for task in view.tasks.all()] == ["c", "b"]

    fresh = ls.views.get(view.id)
    assert fresh.data["title"] == "Todo"
    assert list(filled.views.all()) == [view]
    assert list(ls.views.filter(project=filled.id)) == [view]

    fresh.data["title"] = "Done"
    fresh.data["filters"]["items"][0]["operator"] = "not_equal"
    fresh.save()
    again = ls.views.get(view.id)
    assert again.data["title"] == "Done"
    assert [task.data["text"] for task in again.tasks.all()] == ["a"]
    assert [task.data["text"] for task in ls.tasks.filter(project=filled.id, view=again.id)] == [
        "a"
    ]
    again.data["filters"] = None
    again.save()
    assert ls.views.get(view.id).tasks.count() == 3


@pytest.mark.operation("views.create", "views.update_order", "views.list")
def test_the_order_of_views(filled: Project) -> None:
    one, two = (filled.views.create(data={"title": title}) for title in ("One", "Two"))
    filled.views.set_order([two, one.id])
    assert {view.id: view.order for view in filled.views.all()} == {two.id: 0, one.id: 1}


@pytest.mark.operation("views.delete", "views.delete_all")
def test_deleting_views(filled: Project, project: Project, ls: LabelStudio) -> None:
    one, two, three = (filled.views.create(data={"title": title}) for title in ("A", "B", "C"))
    fresh = ls.views.get(one.id)
    one.delete()
    with pytest.raises(DoesNotExist):
        fresh.refresh()
    assert list(filled.views.all()) == [two, three]
    assert filled.views.all().delete() == 2
    assert not list(filled.views.all())


@pytest.mark.operation("actions.list", "actions.create")
def test_actions(filled: Project) -> None:
    names = {action.id for action in filled.actions.all()}
    assert {"delete_tasks", "predictions_to_annotations", "remove_duplicates"} <= names

    first, second, _ = filled.tasks.all()
    second.predictions.create(result=[filled.config["stars"].rating(5)], model_version="m")
    filled.tasks.filter(total_annotations=0).perform(
        "predictions_to_annotations", model_version="m"
    )
    (made,) = second.refresh().annotations.all()
    assert made.values() == {"stars": 5}
    assert first.refresh().total_annotations == 1

    filled.tasks.filter(data__text="a").perform("delete_tasks_annotations")
    assert filled.tasks.filter(total_annotations=0).count() == 2

    filled.tasks.filter(Q(data__text="a") | Q(data__text="b")).perform("delete_tasks")
    assert [task.data["text"] for task in filled.tasks.all()] == ["c"]
