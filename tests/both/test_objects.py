"""Objects: what is sent, what is kept, what is refused."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

import labelstudio_orm
from labelstudio_orm import (
    Annotation,
    Conflict,
    DoesNotExist,
    LabelStudio,
    Prediction,
    Project,
    Task,
    User,
)
from labelstudio_orm._engine.http import connection

Asked = Callable[[], list[str]]


def positive(project: Project) -> list[dict[str, object]]:
    return [project.config["sentiment"].choice("Positive")]


def test_saving_a_project_sends_what_was_changed_and_nothing_else(
    ls: LabelStudio, project: Project, asked: Asked
) -> None:
    loaded = ls.projects.get(project.id)
    asked()
    assert loaded.save() is loaded
    assert asked() == []
    loaded.title = "Renamed"
    assert loaded.changes == {"title": (project.title, "Renamed")}
    loaded.save()
    assert asked() == [f"PATCH /api/projects/{project.id}/"]
    assert loaded.changes == {}
    assert ls.projects.get(project.id).title == "Renamed"


def test_edits_in_place_are_found_and_sent(project: Project) -> None:
    task = project.tasks.create(data={"text": "a", "nested": {"list": [1, {"x": None}]}})
    same = project.tasks.get(task.id)
    same.data["nested"]["list"][1]["x"] = "found"
    assert list(same.changes) == ["data"]
    same.save()
    assert project.tasks.get(task.id).data == {"text": "a", "nested": {"list": [1, {"x": "found"}]}}


def test_an_edit_goes_on_after_a_save(project: Project) -> None:
    task = project.tasks.create(data={"text": "a"})
    data = task.data
    data["n"] = 1
    task.save()
    data["n"] = 2
    assert task.changes
    task.save()
    assert task.refresh().data["n"] == 2


def test_replacing_one_by_true_is_a_change(project: Project) -> None:
    task = project.tasks.create(data={"text": "a", "flag": 1})
    task.data["flag"] = True
    task.save()
    assert project.tasks.get(task.id).data["flag"] is True


def test_save_of_some_fields_keeps_the_other_edits(project: Project) -> None:
    task = project.tasks.create(data={"text": "a"})
    task.data["n"] = 1
    task.meta = {"m": 2}
    task.save(fields=["meta"])
    assert list(task.changes) == ["data"]
    assert project.tasks.get(task.id).data == {"text": "a"}
    task.save()
    assert project.tasks.get(task.id).data == {"text": "a", "n": 1}


def test_save_with_check_refuses_to_overwrite(project: Project) -> None:
    mine = project.tasks.create(data={"text": "a"})
    theirs = project.tasks.get(mine.id)
    theirs.data["who"] = "they"
    theirs.save()
    mine.data["who"] = "me"
    with pytest.raises(Conflict, match="refresh"):
        mine.save(check=True)
    mine.refresh()
    mine.data["who"] = "me"
    mine.save(check=True)
    assert project.tasks.get(mine.id).data["who"] == "me"
    (light,) = project.tasks.only("data")
    light.save(check=True)
    light.data["who"] = "nobody"
    with pytest.raises(ValueError, match="updated_at"):
        light.save(check=True)
    (light,) = project.tasks.only("data", "updated_at")
    light.data["who"] = "somebody"
    light.save(check=True)


def test_read_only_fields_refuse_at_once(ls: LabelStudio, project: Project) -> None:
    task = project.tasks.create(data={"text": "a"})
    annotation = task.annotations.create(result=positive(project))
    prediction = task.predictions.create(result=positive(project))
    refused: list[tuple[object, str]] = [
        (project, "id"),
        (project, "task_number"),
        (project, "created_at"),
        (project, "created_by"),
        (task, "project"),
        (task, "project_id"),
        (task, "total_annotations"),
        (task, "is_labeled"),
        (task, "inner_id"),
        (task, "comment_count"),
        (annotation, "task"),
        (annotation, "project"),
        (annotation, "updated_by"),
        (prediction, "task_id"),
        (ls.users.me(), "email"),
    ]
    for obj, name in refused:
        with pytest.raises(AttributeError, match=name):
            setattr(obj, name, 1)


def test_a_misspelt_field_is_refused_and_its_neighbour_named(project: Project) -> None:
    with pytest.raises(AttributeError, match="did you mean 'title'"):
        project.titel = "x"
    with pytest.raises(TypeError, match="titel"):
        Project(titel="x")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="'id'"):
        Project(id=5)  # type: ignore[call-arg]


@pytest.mark.parametrize("poison", ["text", ["list"], 5, None])
def test_data_that_would_poison_the_server_is_refused(project: Project, poison: object) -> None:
    task = project.tasks.create(data={"text": "a"})
    with pytest.raises(TypeError, match=r"Task\.data"):
        task.data = poison  # type: ignore[assignment]
    with pytest.raises(TypeError, match=r"Task\.data"):
        project.tasks.create(data=poison)
    assert project.tasks.count() == 1


def test_a_value_that_json_cannot_say_names_its_place(project: Project) -> None:
    task = project.tasks.create(data={"text": "a"})
    task.data["when"] = datetime.now(timezone.utc)
    with pytest.raises(TypeError, match="when"):
        task.save()
    task.data["when"] = float("nan")
    with pytest.raises(ValueError, match="when"):
        task.save()


def test_foreign_keys_are_ids_for_nothing_and_objects_when_touched(
    ls: LabelStudio, project: Project, asked: Asked
) -> None:
    task = project.tasks.create(data={"text": "a"})
    asked()
    assert task.project_id == project.id
    assert task.project is project
    assert asked() == []
    alone = ls.tasks.get(task.id)
    asked()
    assert alone.project_id == project.id
    assert asked() == []
    assert alone.project == project
    assert asked() == [f"GET /api/projects/{project.id}/"]
    assert alone.project == project
    assert asked() == []


def test_objects_and_ids_are_taken_alike(ls: LabelStudio, project: Project) -> None:
    other = ls.users.create(email="other@example.com", username="other@example.com")
    try:
        by_object = Task(project=project, data={"text": "a"}).save()
        by_id = Task(project=project.id, data={"text": "b"}).save(using=ls)
        assert {task.project_id for task in (by_object, by_id)} == {project.id}
        annotation = Annotation(task=by_id, result=[], completed_by=other).save(using=ls)
        assert annotation.completed_by_id == other.id
        annotation.completed_by = ls.users.me()
        annotation.save()
        assert by_id.annotations.get(annotation.id).completed_by == ls.users.me()
    finally:
        other.delete()


def test_one_field_whatever_the_shape_of_the_answer(ls: LabelStudio, project: Project) -> None:
    """The author is an int in one answer and an object in another; updated_by a list or an int."""
    me = ls.users.me().id
    task = project.tasks.create(data={"text": "a"})
    made = task.annotations.create(result=positive(project))
    listed = project.tasks.prefetch("annotations").get(id__in=[task.id]).annotations.first()
    shapes = [made, task.annotations.first(), listed, ls.annotations.get(made.id)]
    assert [shape.completed_by_id for shape in shapes if shape] == [me] * 4
    shapes_of_task = [project.tasks.first(), ls.tasks.get(task.id)]
    assert [shape.updated_by_id for shape in shapes_of_task if shape] == [me] * 2


def test_deferred_fields_are_never_shown_empty(
    ls: LabelStudio, project: Project, asked: Asked
) -> None:
    task = project.tasks.create(data={"text": "a"})
    task.annotations.create(result=positive(project), lead_time=4.0)
    me = ls.users.me().id
    listed = project.tasks.first()
    assert listed is not None
    asked()
    assert listed.annotators == [me]
    assert listed.completed_at is not None
    assert listed.avg_lead_time == 4.0
    assert listed.draft_exists is False
    assert asked() == [f"GET /api/tasks/{task.id}/"]
    for brought in (
        project.tasks.only("annotators", "completed_at", "avg_lead_time").first(),
        project.tasks.prefetch("annotations").first(),
        ls.tasks.get(task.id),
    ):
        asked()
        assert brought is not None
        assert (brought.annotators, brought.avg_lead_time) == ([me], 4.0)
        assert brought.completed_at is not None
        assert asked() == []


def test_a_deferred_load_keeps_unsaved_edits(project: Project) -> None:
    project.tasks.create(data={"text": "a"})
    task = project.tasks.only("data").first()
    assert task is not None
    task.data["x"] = 1
    assert task.meta in ({}, None)  # fetched
    assert task.data == {"text": "a", "x": 1}
    assert list(task.changes) == ["data"]


def test_the_counters_of_a_new_project_are_true(project: Project) -> None:
    assert (project.task_number, project.total_annotations_number) == (0, 0)


def test_refresh_delete_and_what_is_gone(ls: LabelStudio, project: Project) -> None:
    task = project.tasks.create(data={"text": "a"})
    other = project.tasks.get(task.id)
    task.delete()
    assert "unsaved" in repr(task)
    for gone in (other.refresh, other.delete, lambda: ls.tasks.get(other.id)):
        with pytest.raises(DoesNotExist):
            gone()
    again = task.save()
    assert again.data == {"text": "a"}
    assert project.tasks.count() == 1


def test_equality_and_hash_go_by_type_id_and_server(ls: LabelStudio, project: Project) -> None:
    same = ls.projects.get(project.id)
    assert same == project
    assert len({same, project}) == 1
    assert project != project.id
    new = Project(title="x")
    assert new != Project(title="x")
    assert new == new
    with pytest.raises(TypeError, match="hash"):
        hash(new)


def test_pickling_leaves_the_credential_behind(ls: LabelStudio, project: Project) -> None:
    project.task_data_password = "hunter2"
    task = project.tasks.create(data={"text": "a"})
    task.data["x"] = 1
    frozen = pickle.dumps([project, task])
    key = ls._transport._credential
    assert b"hunter2" not in frozen
    assert repr(key).encode() not in frozen
    back_project, back = pickle.loads(frozen)
    assert back.data == {"text": "a", "x": 1}
    assert list(back.changes) == ["data"]
    assert back.project_id == project.id
    with pytest.raises(ValueError, match="connect"):
        back.save()
    connection._default = ls
    try:
        back.save()
        assert back == task
        assert back_project.tasks.get(task.id).data["x"] == 1
    finally:
        connection._default = None


def test_unknown_fields_are_kept_and_never_sent(ls: LabelStudio, project: Project) -> None:
    row = {**project.raw, "from_the_future": {"a": [1]}}
    newer = Project._from_row(row, project._origin)
    assert newer.extra["from_the_future"] == {"a": [1]}
    newer.description = "x"
    newer.save()
    assert newer.extra["from_the_future"] == {"a": [1]}
    assert newer.raw["description"] == "x"


def test_authors_cancelled_and_ground_truth(ls: LabelStudio, project: Project) -> None:
    task = project.tasks.create(data={"text": "a"})
    kept = task.annotations.create(result=positive(project), ground_truth=True, lead_time=1.5)
    dropped = task.annotations.create(result=[], was_cancelled=True)
    assert list(task.annotations) == [kept, dropped]
    assert list(task.annotations.filter(was_cancelled=False)) == [kept]
    assert list(task.annotations.exclude(was_cancelled=False)) == [dropped]
    assert task.annotations.get(ground_truth=True).values() == {"sentiment": "Positive"}
    assert list(project.annotations.filter(lead_time__gt=1)) == [kept]
    with pytest.raises(ValueError, match=r"task\.annotations"):
        list(ls.annotations.all())


def test_predictions_are_created_edited_listed_and_deleted(
    ls: LabelStudio, project: Project
) -> None:
    task = project.tasks.create(data={"text": "a"})
    made = task.predictions.create(result=positive(project), score=0.25, model_version="v1")
    assert made.values() == {"sentiment": "Positive"}
    made.score = 0.5
    made.save()
    assert [p.score for p in ls.predictions.filter(task=task)] == [0.5]
    assert [p.score for p in project.predictions.filter(score__lt=0.75)] == [0.5]
    other = Prediction(task=task, result=positive(project), model_version="v2").save()
    assert list(task.predictions.filter(model_version="v2")) == [other]
    other.delete()
    assert list(task.predictions) == [made]


def test_users_are_found_created_edited_and_deleted(ls: LabelStudio) -> None:
    me = ls.users.me()
    assert ls.users.get(me.id) == me
    assert ls.users.get(email=me.email) == me
    user, created = ls.users.get_or_create(
        email="new@example.com", defaults={"username": "new@example.com", "first_name": "New"}
    )
    try:
        assert created
        assert ls.users.get_or_create(email="new@example.com") == (user, False)
        user.first_name = "Newer"
        user.save()
        assert isinstance(user, User)
        assert ls.users.get(user.id).first_name == "Newer"
        with pytest.raises(ValueError, match="current user"):
            user.get_token()
    finally:
        user.delete()


def test_the_server_says_what_it_is(ls: LabelStudio) -> None:
    info = ls.server()
    assert info.release == ls.version()["release"]
    assert info.release.startswith(".".join(map(str, info.version)))
    assert len(info.version) == 3
    assert info.edition == "Community"
    assert not info.is_enterprise


def test_dates_are_aware_and_written_back_as_they_were(ls: LabelStudio, project: Project) -> None:
    assert isinstance(project.created_at, datetime)
    assert abs(datetime.now(timezone.utc) - project.created_at) < timedelta(hours=1)
    moment = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=5)))
    project.pinned_at = moment
    project.save()
    assert ls.projects.get(project.id).pinned_at == moment
    with pytest.raises(TypeError, match="time zone"):
        project.pinned_at = datetime(2026, 1, 1)


def test_a_config_that_the_server_would_refuse(project: Project) -> None:
    assert "config_essential_data_has_changed" in project.validate_config(
        project.label_config or ""
    )
    with pytest.raises(labelstudio_orm.BadRequest, match="validating a labelling config"):
        project.validate_config("<View>")
    project.label_config = "<View>"
    with pytest.raises(labelstudio_orm.BadRequest, match="saving <Project"):
        project.save()


def test_raw_is_the_json_as_it_came_whatever_was_touched(project: Project) -> None:
    made = project.tasks.create(data={"text": "a", "deep": [{"x": 1}]})
    made.annotations.create(result=positive(project))
    task = project.tasks.prefetch("annotations").get(id__in=[made.id])
    before = task.raw
    task.data["deep"][0]["x"] = 2
    task.annotations[0].result.append({})
    assert task.annotations[0].changes
    assert task.raw == before
    assert task.raw["data"] == {"text": "a", "deep": [{"x": 1}]}
    assert task.annotations[0].raw["result"] == before["annotations"][0]["result"]
    assert pickle.loads(pickle.dumps(task)).raw == before
    assert task.changes["data"] == ({"text": "a", "deep": [{"x": 1}]}, task.data)
