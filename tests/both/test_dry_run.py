"""A dry run writes nothing: every verb in a table, with the server looked at before and after."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from labelstudio_orm import (
    ImportStorage,
    LabelStudio,
    LabelStudioError,
    NotSupportedByServer,
    Project,
    Q,
    Task,
)
from labelstudio_orm.testing import FakeLabelStudio
from tests.conftest import CONFIG

Asked = Callable[[], list[str]]


def everything(ls: LabelStudio, project: Project) -> dict[str, Any]:
    """All that the server shows of a project, and of what is beside it."""
    listings: dict[str, Iterable[Any]] = {
        "projects": ls.projects,
        "tasks": project.tasks.prefetch("annotations", "predictions"),
        "predictions": project.predictions,
        "views": project.views,
        "exports": project.exports,
        "webhooks": project.webhooks,
        "storages": project.import_storages,
        "files": project.files,
        "users": ls.users,
    }
    return {name: [_still(obj.raw) for obj in found] for name, found in listings.items()}


def _still(value: Any) -> Any:
    """Without what changes by itself."""
    if isinstance(value, dict):
        gone = ("created_ago", "last_activity")
        return {key: _still(inner) for key, inner in value.items() if key not in gone}
    return [_still(one) for one in value] if isinstance(value, list) else value


@frozen
class World:
    """A project with five tasks, of which the first has one of each thing."""

    ls: LabelStudio
    project: Project
    folder: Path

    @property
    def task(self) -> Task:
        return self.project.tasks.filter(data__text="0").get()

    @property
    def region(self) -> dict[str, Any]:
        return self.project.config["sentiment"].choice("Positive")


@pytest.fixture
def world(ls: LabelStudio, project: Project, tmp_path: Path) -> World:
    return filled(ls, project, tmp_path)


@pytest.fixture(scope="module", params=["fake", "real"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """One for all verbs, since none of them may change it."""
    is_fake = request.param == "fake"
    local = FakeLabelStudio() if is_fake else request.getfixturevalue("server")
    with local.client() as ls:
        project = ls.projects.create(title="Kept", label_config=CONFIG)
        yield filled(ls, project, tmp_path_factory.mktemp("shared"))
        project.delete()


def filled(ls: LabelStudio, project: Project, folder: Path) -> World:
    found = World(ls, project, folder)
    project.tasks.bulk_create([{"text": str(n), "image": f"{n}.png"} for n in range(5)])
    task = found.task
    task.annotations.create(result=[found.region])
    for version in ("v1", "v1", "v2"):
        task.predictions.create(result=[found.region], model_version=version)
    project.views.create(title="Old")
    project.exports.create(title="May")
    (folder / "tasks.json").write_text('[{"text": "from a file"}]', encoding="utf-8")
    project.files.upload(folder / "tasks.json")
    return found


def edited(tasks: list[Task]) -> list[Task]:
    for task in tasks:
        task.data["seen"] = True
    return tasks


ITEMS = [{"text": "new", "image": f"{n}.png"} for n in range(3, 9)]

VERBS: dict[str, tuple[Callable[[World], Any], Any, list[tuple[str, str]]]] = {
    # name: (what is done, what it returns, the writes by verb and resource)
    "save": (lambda w: edited([w.task])[0].save().changes, {}, [("PATCH", "Task")]),
    "save a new one": (
        lambda w: Task(project=w.project, data={"text": "a"}).save().id < 0,
        True,
        [("POST", "Task")],
    ),
    "delete": (lambda w: w.task.delete(), None, [("DELETE", "Task")]),
    "create": (
        lambda w: w.project.tasks.create(data={"text": "a"}).data,
        {"text": "a"},
        [("POST", "Task")],
    ),
    "create an annotation": (
        lambda w: w.task.annotations.create(result=[w.region]).result[0]["value"],
        {"choices": ["Positive"]},
        [("POST", "Annotation")],
    ),
    "create a prediction": (
        lambda w: w.task.predictions.create(result=[w.region], score=0.5).score,
        0.5,
        [("POST", "Prediction")],
    ),
    "get_or_create": (
        lambda w: w.ls.projects.get_or_create(title="Brand new")[1],
        True,
        [("POST", "Project")],
    ),
    "bulk_create": (
        lambda w: [t.data["image"] for t in w.project.tasks.bulk_create(ITEMS, batch_size=4)],
        [item["image"] for item in ITEMS],
        [("POST", "Project import")] * 2,
    ),
    "bulk_create, skipping": (
        lambda w: repr(
            w.project.tasks.bulk_create(ITEMS, key="data.image", on_conflict="skip").summary
        ),
        "<Summary: 4 created, 2 skipped>",
        [("POST", "Project import")],
    ),
    "bulk_create, updating": (
        lambda w: repr(
            w.project.tasks.bulk_create(ITEMS, key="data.image", on_conflict="update").summary
        ),
        "<Summary: 4 created, 2 updated>",
        [("PATCH", "Task")] * 2 + [("POST", "Project import")],
    ),
    "bulk_create one by one": (
        lambda w: len(w.task.annotations.bulk_create([{"result": []}] * 3, workers=2)),
        3,
        [("POST", "Annotation")] * 3,
    ),
    "bulk_update": (
        lambda w: w.project.tasks.bulk_update(edited(list(w.project.tasks)), workers=3),
        5,
        [("PATCH", "Task")] * 5,
    ),
    "update": (
        lambda w: w.project.tasks.all().update(data__split="a", overlap=2),
        5,
        [("PATCH", "Task")] * 5,
    ),
    "update another resource": (
        lambda w: w.project.predictions.filter(model_version="v1").update(score=1.0),
        2,
        [("PATCH", "Prediction")] * 2,
    ),
    "delete some": (
        lambda w: w.project.tasks.filter(data__text__in=["1", "2"]).delete(),
        2,
        [("POST", "Action delete_tasks"), ("DELETE", "Task")],
    ),
    "delete all": (
        lambda w: w.project.tasks.all().delete(),
        5,
        [("DELETE", "Project tasks")],
    ),
    "delete predictions": (
        lambda w: w.project.predictions.all().delete(),
        3,
        [("DELETE", "Prediction")] * 3,
    ),
    "delete annotations": (
        lambda w: w.task.annotations.all().delete(),
        1,
        [("DELETE", "Annotation")],
    ),
    "delete files": (
        lambda w: w.project.files.all().delete(),
        1,
        [("DELETE", "FileUpload")],
    ),
    "delete views": (
        lambda w: w.project.views.all().delete(),
        1,
        [("DELETE", "View reset")],
    ),
    "perform": (
        lambda w: w.project.tasks.all().perform("delete_tasks_annotations")["processed_items"],
        5,
        [("POST", "Action delete_tasks_annotations")],
    ),
    "perform on some": (
        lambda w: w.project.tasks.filter(data__text__in=["1", "2"]).perform("remove_duplicates")[
            "processed_items"
        ],
        2,
        [("POST", "Action remove_duplicates")],
    ),
    "create_annotations": (
        lambda w: len(w.project.tasks.filter(total_annotations=0).create_annotations([w.region])),
        4,
        [("POST", "Annotation")] * 4,
    ),
    "predictions.bulk_create": (
        lambda w: w.project.predictions.bulk_create([(w.task, [w.region], 0.5)] * 3),
        3,
        [("POST", "Project import/predictions")],
    ),
    "imports.create": (
        lambda w: w.project.imports.create(ITEMS).wait().task_count,
        6,
        [("POST", "Project import")],
    ),
    "imports.create of a file": (
        lambda w: w.project.imports.create(file=w.folder / "tasks.json").wait().status,
        "completed",
        [("POST", "Project import")],
    ),
    "exports.create": (
        lambda w: w.project.exports.create(title="Now").wait().convert("CSV").status,
        "completed",
        [("POST", "Export"), ("POST", "Export convert")],
    ),
    "views.create": (
        lambda w: w.project.views.create(title="Mine", filters=Q(total_annotations=0)).data[
            "title"
        ],
        "Mine",
        [("POST", "View")],
    ),
    "views.set_order": (
        lambda w: w.project.views.set_order(w.project.views.all()),
        None,
        [("POST", "View order")],
    ),
    "a storage, and its sync": (
        lambda w: (
            ImportStorage.Local(project=w.project, path="/data/x").save(using=w.ls).sync().status
        ),
        "completed",
        [("POST", "ImportStorage.Local"), ("POST", "ImportStorage.Local sync")],
    ),
    "a webhook": (
        lambda w: w.project.webhooks.create(url="http://example.com", headers={"k": "v"}).headers,
        {"k": "v"},
        [("POST", "Webhook")],
    ),
    "the project": (
        lambda w: w.ls.projects.get(w.project.id).delete(),
        None,
        [("DELETE", "Project")],
    ),
    "a request": (
        lambda w: w.ls.request("POST", "/api/anything/", json={"a": [1]})["a"],
        [1],
        [("POST", "/api/anything")],
    ),
}


@pytest.mark.parametrize("name", VERBS)
def test_nothing_is_written_and_every_write_is_recorded(
    shared: World, asked: Asked, name: str
) -> None:
    world = shared
    act, returned, writes = VERBS[name]
    before = everything(world.ls, world.project)
    asked()
    with world.ls.dry_run() as plan:
        assert act(world) == returned
    sent = asked()
    assert {one.partition(" ")[0] for one in sent} <= {"GET"}, sent
    assert sorted((write.method, write.what) for write in plan.writes) == sorted(writes)
    assert everything(world.ls, world.ls.projects.get(world.project.id)) == before
    assert f"{len(writes)} writes" in plan.summary()


def test_recorded_writes_have_method_path_query_and_body(world: World) -> None:
    with world.ls.dry_run() as plan:
        world.project.tasks.bulk_create(ITEMS, batch_size=4)
        world.project.tasks.filter(data__text__in=["1", "2", "3"]).delete()
        world.task.data["x"] = 1
        storage = ImportStorage.S3(
            project=world.project, bucket="b", aws_secret_access_key="hush hush"
        )
        storage.save(using=world.ls)
    first, second, action, last, third = plan.writes
    assert (first.method, first.path) == ("POST", f"/api/projects/{world.project.id}/import")
    assert first.query["return_task_ids"] == "true"
    assert first.body == [{"data": item} for item in ITEMS[:4]]
    assert "importing items 0 to 3 into Project" in first.doing
    assert (second.items, action.items, last.items) == (2, 2, None)
    assert third.body == {
        "project": world.project.id,
        "bucket": "b",
        "aws_secret_access_key": "***",
    }
    assert "hush" not in repr(plan.writes) + plan.summary()
    assert plan.summary().splitlines() == [
        "5 writes, none of them sent",
        "POST    Project import            2  (6 items)",
        "POST    Action delete_tasks       1  (2 items)",
        "DELETE  Task                      1",
        "POST    ImportStorage.S3          1",
    ]


def test_what_was_created_may_be_used(world: World) -> None:
    """A script that creates a project and fills it goes through a dry run to its end."""
    ls = world.ls
    with ls.dry_run() as plan:
        project = ls.projects.create(title="Twin", label_config=world.project.label_config)
        assert project.refresh().title == "Twin"
        made = project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
        annotation = made[0].annotations.create(result=[world.region])
        assert annotation.task == made[0]
        assert annotation.values() == {"sentiment": "Positive"}
        made[1].data["x"] = 1
        made[1].save()
        assert made[0].refresh().data == {"text": "a"}
        assert made[1].refresh().data == {"text": "b", "x": 1}
        assert project.tasks.count() == len(project.tasks) == 0
        assert list(made[0].annotations) == list(project.predictions) == []
        assert made[0].total_annotations is None
        with pytest.raises(RuntimeError, match="dry run"):
            project.export("JSON", world.folder / "x.json")
        project.tasks.all().delete()
        project.delete()
    assert [write.method for write in plan.writes] == ["POST"] * 3 + ["PATCH"] + ["DELETE"] * 2
    assert len({task.id for task in made}) == 2
    assert all(task.id < 0 for task in made)


def test_copies_and_threads_take_part_and_other_clients_do_not(world: World, asked: Asked) -> None:
    ls, task = world.ls, world.task
    other = ls.using(timeout=30)
    with ls.dry_run() as plan:
        threads = [
            threading.Thread(target=client.tasks.ref(task.id).delete)
            for client in (ls, other, ls.using(headers={"X-A": "b"}), other.using(timeout=5))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(plan.writes) == 4
    assert world.project.tasks.count() == 5
    with other.dry_run() as plan:
        ls.tasks.ref(task.id).delete()
    assert len(plan.writes) == 1
    assert world.project.tasks.count() == 5


def test_a_dry_run_within_another_is_refused(world: World) -> None:
    ls = world.ls
    with ls.dry_run() as plan:
        with pytest.raises(RuntimeError, match="within a dry run"), ls.dry_run():
            pass
        world.task.delete()
    assert len(plan.writes) == 1
    with pytest.raises(ZeroDivisionError), ls.dry_run():
        raise ZeroDivisionError
    world.task.delete()
    assert world.project.tasks.count() == 4


def test_errors_of_the_client_are_raised_as_ever(world: World) -> None:
    with world.ls.dry_run() as plan:
        with pytest.raises(ValueError, match="drops drafts"):
            world.project.tasks.bulk_create([{"data": {"text": "a"}, "drafts": [{}]}])
        with pytest.raises(ValueError, match=r"\.all\(\)"):
            world.project.tasks.delete()
        with pytest.raises(TypeError, match="JSON cannot hold it"):
            world.project.tasks.create(data={"text": object()})
        with pytest.raises(NotSupportedByServer):
            world.ls.workspaces.create(title="Vision")
    assert plan.writes == []


def test_requests_that_change_nothing_are_sent(world: World, asked: Asked) -> None:
    asked()
    with world.ls.dry_run() as plan:
        assert world.project.validate_config(world.project.label_config or "") is not None
        storage = ImportStorage.Local(project=world.project, path="/nowhere/at/all")
        storage._bind(world.ls)
        with pytest.raises(LabelStudioError):
            storage.validate()
    assert plan.writes == []
    assert [one.partition(" ")[0] for one in asked()] == ["POST", "POST"]
