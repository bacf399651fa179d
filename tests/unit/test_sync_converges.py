"""Whatever is edited in the source, and whenever: as long as the target is left alone, a sync
applies it without a conflict, and a further one has nothing to do.

An edit may fall on each write of a copy or of a sync, also between its end by a kill and its
resumption. ``SYNC_LAW=5000`` plays so many of all combinations.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from labelstudio_orm import LabelStudio, Project, Q
from labelstudio_orm._migrate.engine import importing
from labelstudio_orm.migrate import Report, copy_project, sync, verify
from labelstudio_orm.testing import FakeLabelStudio
from tests.conftest import CONFIG
from tests.helpers import client_of
from tests.unit.kills import WAITS, Killed, Wire

Edit = Callable[[Project], Any]

EDITS: dict[str, Edit] = {}


def edit(function: Edit) -> Edit:
    EDITS[function.__name__] = function
    return function


def negative(project: Project) -> list[dict[str, Any]]:
    return [project.config["sentiment"].choice("Negative").copy()]


def task(project: Project, place: int) -> Any:
    return list(project.tasks.prefetch("annotations", "predictions"))[place]


def changed(obj: Any, **values: Any) -> None:
    for name, value in values.items():
        setattr(obj, name, value)
    obj.save()


def deleted(obj: Any) -> None:
    obj.delete()


# -- tasks ----------------------------------------------------------------------------------------


@edit
def data_of_a_task(project: Project) -> None:
    changed(task(project, 1), data={"text": "changed"})


@edit
def meta_of_a_task(project: Project) -> None:
    changed(task(project, 2), meta={"checked": True})


@edit
def meta_that_is_a_list(project: Project) -> None:
    path = f"/api/tasks/{task(project, 2).id}/"
    project.tasks.client.request("PATCH", path, json={"meta": ["checked"]})


@edit
def overlap_of_a_task(project: Project) -> None:
    changed(task(project, 3), overlap=4)


@edit
def new_task(project: Project) -> None:
    region = negative(project)
    project.tasks.bulk_create([{"data": {"text": "new"}, "annotations": [{"result": region}]}])


@edit
def no_task_0(project: Project) -> None:
    deleted(task(project, 0))


@edit
def no_last_task(project: Project) -> None:
    deleted(task(project, -1))


@edit
def all_tasks_go(project: Project) -> None:
    project.tasks.all().delete()


# -- annotations, predictions, drafts -------------------------------------------------------------


@edit
def new_annotation(project: Project) -> None:
    task(project, 1).annotations.create(result=negative(project), lead_time=3.5)


@edit
def annotation_says_something_else(project: Project) -> None:
    changed(task(project, 1).annotations[0], result=negative(project))


@edit
def annotation_is_cancelled(project: Project) -> None:
    changed(task(project, 2).annotations[0], was_cancelled=True)


@edit
def annotation_becomes_ground_truth(project: Project) -> None:
    changed(task(project, 0).annotations[1], ground_truth=True)


@edit
def annotation_loses_its_mark(project: Project) -> None:
    changed(task(project, 0).annotations[0], ground_truth=False)


@edit
def no_annotation(project: Project) -> None:
    deleted(task(project, 1).annotations[0])


@edit
def another_annotation_in_its_place(project: Project) -> None:
    found = task(project, 2).annotations[0]
    result = found.result
    found.delete()
    task(project, 2).annotations.create(result=result)


@edit
def new_prediction(project: Project) -> None:
    task(project, 1).predictions.create(result=negative(project), score=0.25, model_version="v2")


@edit
def score_of_a_prediction(project: Project) -> None:
    changed(task(project, 1).predictions[0], score=0.75)


@edit
def no_prediction(project: Project) -> None:
    deleted(task(project, 2).predictions[0])


@edit
def new_draft(project: Project) -> None:
    client_of(project.tasks).drafts.create(task=task(project, 1), result=negative(project))


@edit
def draft_says_something_else(project: Project) -> None:
    draft = client_of(project.tasks).drafts.filter(task=task(project, 0))[0]
    changed(draft, result=negative(project))


@edit
def no_draft(project: Project) -> None:
    deleted(client_of(project.tasks).drafts.filter(task=task(project, 0))[0])


@edit
def annotation_with_a_draft_is_saved(project: Project) -> None:
    changed(task(project, 0).annotations[0], lead_time=9.5)


# -- files ----------------------------------------------------------------------------------------


def uploaded(project: Project, name: str, content: bytes) -> str:
    with tempfile.TemporaryDirectory() as folder:
        (path := Path(folder, "content")).write_bytes(content)
        return f"/data/{project.files.upload(path, name=name).file}"


@edit
def new_file(project: Project) -> None:
    address = uploaded(project, "photo.png", b"another photo")
    project.tasks.bulk_create([{"text": "a photo", "image": address}])


@edit
def another_file_in_its_place(project: Project) -> None:
    address = uploaded(project, "photo.png", b"A PHOTO")
    changed(task(project, 1), data={"text": "a photo", "image": address})


# -- settings -------------------------------------------------------------------------------------


@edit
def overlap_of_all(project: Project) -> None:
    changed(project, maximum_annotations=3)


@edit
def overlap_of_all_and_a_task_goes(project: Project) -> None:
    changed(project, maximum_annotations=3)
    deleted(task(project, 0))


@edit
def overlap_of_all_and_of_one(project: Project) -> None:
    changed(project, maximum_annotations=3)
    changed(task(project, 2), overlap=5)


@edit
def title(project: Project) -> None:
    changed(project, title="Reviews of 2026")


@edit
def description(project: Project) -> None:
    changed(project, description="Another one")


@edit
def config(project: Project) -> None:
    changed(project, label_config=CONFIG.replace('value="Neutral"', 'value="Mixed"'))


@edit
def instruction(project: Project) -> None:
    changed(project, expert_instruction="Read it twice", show_instruction=True)


@edit
def version_that_is_shown(project: Project) -> None:
    changed(project, model_version="v1")


# -- what belongs to the project ------------------------------------------------------------------


def views(project: Project) -> list[Any]:
    return sorted(project.views.all(), key=lambda view: (view.order or 0, view.id))


@edit
def new_view(project: Project) -> None:
    project.views.create(title="New", filters=Q(total_annotations=0))


@edit
def filter_of_a_view(project: Project) -> None:
    view = views(project)[0]
    view.data["title"] += ", changed"
    view.save()


@edit
def view_without_its_filter(project: Project) -> None:
    view = views(project)[1]
    view.data["filters"] = {"conjunction": "and", "items": []}
    view.save()


@edit
def no_view(project: Project) -> None:
    deleted(views(project)[0])


@edit
def order_of_views(project: Project) -> None:
    project.views.set_order([view.id for view in reversed(views(project))])


@edit
def new_webhook(project: Project) -> None:
    project.webhooks.create(url="http://example.com/new", is_active=False)


@edit
def address_of_a_webhook(project: Project) -> None:
    changed(project.webhooks.all()[0], url="http://example.com/changed")


@edit
def headers_of_a_webhook(project: Project) -> None:
    changed(project.webhooks.all()[0], headers={"X-Key": "new"})


@edit
def no_webhook(project: Project) -> None:
    deleted(project.webhooks.all()[0])


@edit
def new_storage(project: Project) -> None:
    project.import_storages.s3.create(title="new", prefix="p")


@edit
def title_of_a_storage(project: Project) -> None:
    changed(project.import_storages.s3.all()[0], title="changed")


@edit
def no_storage(project: Project) -> None:
    deleted(project.import_storages.all()[0])


@edit
def title_of_a_backend(project: Project) -> None:
    backend = project.ml_backends.get(project.ml_backends.all()[0].id)
    changed(backend, title="changed")


@edit
def no_backend(project: Project) -> None:
    deleted(project.ml_backends.all()[0])


@edit
def new_backend(project: Project) -> None:
    project.ml_backends.create(url=MODEL, title="new")


# -- the two servers ------------------------------------------------------------------------------

MODEL = "http://model.example"


class World:
    """A project with some of everything, and an empty server."""

    def __init__(self, folder: Path) -> None:
        here, there = FakeLabelStudio("http://a.fake"), FakeLabelStudio("http://b.fake")
        for fake in (here, there):
            fake.ssrf_protection = False
            fake.models[MODEL] = lambda tasks: []
        self.there, self.wire = there, Wire(there)
        self.project = filled(here.client())
        self.journal = folder / "journal.db"

    def client(self) -> LabelStudio:
        session = self.there.session()
        session.mount(self.there.url, self.wire)
        return self.there.client(session=session, retries=WAITS)

    def copy(self) -> Report:
        return copy_project(self.project, to=self.client(), journal=self.journal, secrets=secrets)

    def sync(self) -> Report:
        (target,) = self.client().projects.all()
        return sync(self.project, target, journal=self.journal, secrets=secrets)

    def has_converged(self) -> None:
        """After one sync all is the same, and a further one writes nothing."""
        report = self.sync()
        assert report.ok, str(report)
        (target,) = self.client().projects.all()
        said = verify(self.project, target, journal=self.journal)
        assert said.ok, str(said)
        before = self.wire.writes
        report = self.sync()
        assert report.ok, str(report)
        assert self.wire.writes == before, "a further sync writes"


def secrets(kind: str, row: Any) -> dict[str, str]:
    return {}


def filled(ls: LabelStudio) -> Project:
    project = plain(ls)
    for name in ("one", "two"):
        project.webhooks.create(url=f"http://example.com/{name}", headers={"X-Key": "old"})
    for name in ("one", "two"):
        project.import_storages.s3.create(title=name, prefix="p")
    project.ml_backends.create(url=MODEL, title="one")
    return project


def plain(ls: LabelStudio) -> Project:
    """What needs nothing but the server."""
    project = ls.projects.create(title="Reviews", label_config=CONFIG, description="All of them")
    region = project.config["sentiment"].choice("Positive")
    project.tasks.bulk_create(
        {
            "data": {"text": f"review {number}"},
            "annotations": [
                {"result": [region], "lead_time": 2.5, "ground_truth": number == 0},
                {"result": [region, region], "lead_time": 1.5},
            ],
            "predictions": [{"result": [region], "score": 0.5, "model_version": "v1"}],
        }
        for number in range(5)
    )
    first = task(project, 0)
    ls.drafts.create(task=first, result=[region])
    ls.drafts.create(task=first, result=[region, region], annotation=first.annotations[0])
    changed(task(project, 4), overlap=2)
    for name in ("Todo", "Done", "Odd"):
        project.views.create(title=name, filters=Q(total_annotations=0))
    address = uploaded(project, "photo.png", b"a photo")
    changed(task(project, 3), data={"text": "review 3", "image": address})
    return project


@attrs.frozen
class Time:
    """When something is edited: at which write to the target, of which verb.

    ``kill``: the process ends there, before or after the write.
    """

    verb: str
    place: int
    kill: str = ""


def play(world: World, change: Edit, time: Time) -> None:
    """Let the edit happen at that time."""
    if time.verb == "before":
        change(world.project)
    if time.verb == "sync":
        world.copy()
        annotation_says_something_else(world.project)
        new_task(world.project)
        filter_of_a_view(world.project)
        overlap_of_all(world.project)
        title(world.project)
    run = world.sync if time.verb == "sync" else world.copy
    world.wire.writes = 0

    def trouble(number: int) -> str:
        if number != time.place:
            return ""
        if not time.kill:
            change(world.project)
        return time.kill

    world.wire.trouble = trouble
    try:
        run()
    except Killed:
        change(world.project)
        run()
    if time.verb == "between":
        change(world.project)
    world.wire.trouble = lambda number: ""


def writes(folder: Path, verb: str) -> int:
    world = World(folder)
    play(world, lambda project: None, Time(verb, -1))
    return world.wire.writes


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH", 2)


def times(folder: Path) -> list[Time]:
    found = [Time("before", -1), Time("between", -1)]
    for verb in ("copy", "sync"):
        (folder / verb).mkdir()
        for place in range(writes(folder / verb, verb)):
            found += [Time(verb, place, kill) for kill in ("", "before", "after")]
    return found


def chosen(all_times: list[Time]) -> Iterator[tuple[str, Time]]:
    """Yield random pairs of an edit and a time, each edit about as often as any other."""
    rounds = int(os.environ.get("SYNC_LAW", "30"))
    some = random.Random(int(os.environ.get("SYNC_SEED", "7")))
    names: list[str] = []
    for _ in range(rounds):
        names = names or some.sample(list(EDITS), len(EDITS))
        yield names.pop(), some.choice(all_times)


ENDS = ("no_", "overlap_of_all_and_a_task_goes")


@pytest.mark.parametrize(
    "time", [Time("between", -1), Time("copy", 9, "after"), Time("sync", 3, "before")], ids=str
)
def test_everything_is_edited_at_once(tmp_path: Path, small_batches: None, time: Time) -> None:
    """What deletes an object, which others change, comes last."""
    names = sorted(EDITS.keys() - {"all_tasks_go"}, key=lambda name: (name.startswith(ENDS), name))

    def edit_all(project: Project) -> None:
        for name in names:
            EDITS[name](project)

    world = World(tmp_path)
    play(world, edit_all, time)
    world.has_converged()


def test_all_tasks_go_after_a_copy(tmp_path: Path, small_batches: None) -> None:
    world = World(tmp_path)
    play(world, EDITS["all_tasks_go"], Time("between", -1))
    world.has_converged()


@pytest.mark.slow
def test_whatever_is_edited_whenever(tmp_path: Path, small_batches: None) -> None:
    broken = []
    for number, (name, time) in enumerate(chosen(times(tmp_path))):
        folder = tmp_path / str(number)
        folder.mkdir()
        world = World(folder)
        try:
            play(world, EDITS[name], time)
            world.has_converged()
        except Exception as error:
            broken.append(f"{name}, {time}: {type(error).__name__}: {str(error)[:700]}")
    assert not broken, f"{len(broken)} broken\n" + "\n".join(broken)
