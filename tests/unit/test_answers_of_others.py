"""Answers with which a call cannot go on: an error says what was being done, and what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm import Annotation, LabelStudio, Project, Q, Retry, Task
from labelstudio_orm.errors import (
    BadRequest,
    Conflict,
    JobFailed,
    LabelStudioError,
    NotSupportedByServer,
    OutcomeUnknown,
    ServerError,
)
from labelstudio_orm.testing import FakeLabelStudio, Fault
from tests.helpers import present

MODEL = "http://model.example"


@pytest.fixture
def patient(fake: FakeLabelStudio) -> LabelStudio:
    """A client that repeats what may be repeated, without waiting."""
    return fake.client(retries=Retry(total=3, sleep=lambda seconds: None))


@pytest.fixture
def task(patient: LabelStudio, project: Project) -> Task:
    project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
    return present(patient.projects.get(project.id).tasks.first())


# -- an annotation is created once ----------------------------------------------------------------


def stored(fake: FakeLabelStudio) -> int:
    return int(fake.store.value("SELECT count(*) FROM annotation"))


def test_an_annotation_whose_answer_is_lost_is_created_once(
    fake: FakeLabelStudio, project: Project, task: Task
) -> None:
    """The server refuses the second request, and its export shows what the first one stored."""
    region = project.config["sentiment"].choice("Positive")
    path = f"/api/tasks/{task.id}/annotations/"
    fake.fault("POST", path, Fault.reset(committed=True))
    made = task.annotations.create(result=[region], lead_time=2.5)
    assert stored(fake) == 1
    assert (made.result, made.lead_time) == ([region], 2.5)
    assert made.id == present(project.annotations.first()).id


def test_the_unique_id_of_another_annotation(fake: FakeLabelStudio, task: Task) -> None:
    """It is refused, also when it was the repetition that the server refused."""
    unique: Any = {"unique_id": "0b9a2d5e-3a52-4a37-8f5b-0a9f1c3f5d11"}
    path = f"/api/tasks/{task.id}/annotations/"
    body = {"result": [], **unique}
    task.annotations.create(**body)
    fake.fault("POST", path, Fault.bad_gateway())
    region = {"id": "r", "from_name": "stars", "to_name": "text", "type": "rating"}
    with pytest.raises((Conflict, OutcomeUnknown), match="unique id"):
        task.annotations.create(result=[{**region, "value": {"rating": 1}}], **unique)
    assert stored(fake) == 1


@pytest.mark.parametrize("rows", [[], [{"annotations": []}]])
def test_an_annotation_that_no_export_shows(
    fake: FakeLabelStudio, project: Project, task: Task, rows: Any
) -> None:
    fake.fault("POST", f"/api/tasks/{task.id}/annotations/", Fault.reset(committed=True))
    fake.fault("GET", f"/api/projects/{project.id}/export", Fault.answer(200, rows))
    with pytest.raises(OutcomeUnknown, match=r"may or may not .*does not show it"):
        task.annotations.create(result=[])
    assert stored(fake) == 1


# -- one call, one answer -------------------------------------------------------------------------


class World:
    """A project with what the calls are about."""

    def __init__(self, fake: FakeLabelStudio, project: Project, path: Path) -> None:
        fake.models[MODEL] = lambda tasks: []
        fake.blobs["s3://reviews/"] = b""
        self.project, self.ls = project, fake.client()
        path.write_bytes(b"a photo")
        self.path = path
        self.task = project.tasks.create(data={"text": "a"})
        self.file = project.files.upload(path)
        self.backend = project.ml_backends.create(url=MODEL, is_interactive=True)
        self.export = project.exports.create(title="April")
        self.view = project.views.create(title="Todo")
        self.storage = project.import_storages.s3.create(bucket="reviews")
        self.webhook = project.webhooks.create(url="http://example.com/hook")


Answer = tuple[str, Callable[[World], str], Any, Callable[[World], Any], type[Exception], str]

ANSWERS: dict[str, Answer] = {
    "ids of an upload": (
        "POST", lambda w: f"/api/projects/{w.project.id}/import", {"file_upload_ids": ["a"]},
        lambda w: w.project.files.upload(w.path), OutcomeUnknown, "1 file: .*'a'.* as the ids",
    ),
    "a path that is a number": (
        "GET", lambda w: f"/api/import/file-upload/{w.file.id}", {"id": 1, "file": 5},
        lambda w: w.project.files.get(w.file.id).name, LabelStudioError, "gave 5 as its path",
    ),
    "a prediction that fails": (
        "POST", lambda w: f"/api/ml/{w.backend.id}/interactive-annotating", {"errors": ["no GPU"]},
        lambda w: w.backend.predict_interactive(w.task),
        JobFailed, "asking <MLBackend .*Task 1: no GPU",
    ),
    "a service that is down": (
        "GET", lambda w: f"/api/ml/{w.backend.id}", {"id": 1, "url": MODEL, "state": "DI"},
        lambda w: w.backend.train(), JobFailed, "the service at .* does not answer",
    ),
    "a conversion that was not begun": (
        "GET", lambda w: f"/api/projects/{w.project.id}/exports/{w.export.id}",
        {"id": 1, "status": "completed", "converted_formats": [{"export_type": "CSV"}]},
        lambda w: w.export.convert("TSV"), JobFailed, "not begun the conversion to TSV",
    ),
    "a number of predictions": (
        "GET", lambda w: f"/api/projects/{w.project.id}/",
        {"id": 1, "label_config": "<View/>", "total_predictions_number": "many"},
        lambda w: w.project.predictions.bulk_create([{"task": w.task, "result": []}]),
        LabelStudioError, "the server says 'many'",
    ),
    "a config that is a number": (
        "GET", lambda w: f"/api/projects/{w.project.id}/", {"id": 1, "label_config": 5},
        lambda w: w.ls.projects.get(w.project.id).config,
        LabelStudioError, "its label_config is 5, not text",
    ),
    "a config that is broken": (
        "GET", lambda w: f"/api/projects/{w.project.id}/", {"id": 1, "label_config": "<View>"},
        lambda w: w.ls.projects.get(w.project.id).config,
        LabelStudioError, "<Project 1>: .*line 1",
    ),
    "a view without an object": (
        "GET", lambda w: f"/api/dm/views/{w.view.id}/", {"id": 1, "project": 1, "data": [5]},
        lambda w: saved(w.ls.views.get(w.view.id), filters=Q(id=1)),
        LabelStudioError, r"its data is \[5\], not a JSON object",
    ),
    "filters of another form": (
        "GET", lambda w: f"/api/dm/views/{w.view.id}/",
        {"id": 1, "project": 1, "data": {"filters": {"items": [{"filter": "filter:tasks:id"}]}}},
        lambda w: w.ls.views.get(w.view.id).filters,
        LabelStudioError, "its filters do not have the form",
    ),
    "settings without a lifetime": (
        "GET", lambda w: "/api/jwt/settings",
        {"api_tokens_enabled": True, "legacy_api_tokens_enabled": True},
        lambda w: saved(w.ls.jwt_settings(), api_token_ttl_days=5),
        NotSupportedByServer, "api_token_ttl_days",
    ),
    "a storage of a new type": (
        "GET", lambda w: "/api/storages/", [{"id": 1, "type": "ftp", "project": 1}],
        lambda w: w.project.import_storages.all()[0].sync(),
        NotSupportedByServer, "no address for storages of type 'ftp', only for .*s3",
    ),
    "a deletion that was not done": (
        "DELETE", lambda w: f"/api/webhooks/{w.webhook.id}/", None,
        lambda w: w.webhook.delete(), ServerError, "deleting <Webhook",
    ),
}  # fmt: skip


def saved(obj: Any, **values: Any) -> None:
    for name, value in values.items():
        setattr(obj, name, value)
    obj.save()


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_with_which_a_call_cannot_go_on(
    fake: FakeLabelStudio, project: Project, tmp_path: Path, name: str
) -> None:
    world = World(fake, project, tmp_path / "photo.png")
    method, path, answer, call, kind, text = ANSWERS[name]
    status = 500 if answer is None else 200
    fake.fault(method, path(world), Fault.answer(status, answer), times=None)
    with pytest.raises(kind, match=re.compile(text, re.DOTALL)):
        call(world)


def test_an_export_of_a_view_of_another_project(ls: LabelStudio, project: Project) -> None:
    """The server would take it for all tasks."""
    view = ls.projects.create(title="Another").views.create(title="Todo")
    with pytest.raises(ValueError, match=r"<View .*> belongs to another project"):
        project.exports.create(task_filter_options={"view": view.id})


def test_what_another_client_deleted_is_skipped(ls: LabelStudio, project: Project) -> None:
    hooks = [project.webhooks.create(url=f"http://example.com/{name}") for name in "abc"]
    found = project.webhooks.all()
    assert len(found) == 3
    ls.webhooks.get(hooks[1].id).delete()
    done = found.delete()
    assert (done.deleted, done.skipped) == (2, 1)
    assert not project.webhooks.all()


def test_annotations_of_another_server(project: Project, task: Task) -> None:
    other = FakeLabelStudio("http://other.fake").client()
    theirs = other.projects.create(title="There")
    theirs.tasks.bulk_create([{"data": {"text": "a"}, "annotations": [{"result": []}]}])
    annotation: Annotation = present(theirs.annotations.first())
    annotation.lead_time = 5.0
    with pytest.raises(ValueError, match=r"is on http://other\.fake, the queryset on http://label"):
        project.annotations.bulk_update([annotation])


LISTINGS: dict[str, tuple[str, Callable[[LabelStudio], Any], Any, str]] = {
    "a page again": (
        "/api/projects/counts/", lambda ls: ls.projects.counts(),
        {"results": [{"id": 1, "task_number": 1}], "next": "there", "count": 9},
        "page 2 holds what earlier pages hold",
    ),
    "more than are counted": (
        "/api/projects/counts/", lambda ls: ls.projects.counts(),
        {"results": [{"id": 1}, {"id": 2}], "next": None, "count": 1},
        "lists more than the 1 it counts",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LISTINGS)
def test_counters_that_cannot_be(fake: FakeLabelStudio, name: str) -> None:
    path, call, answer, text = LISTINGS[name]
    fake.fault("GET", path, Fault.answer(200, answer), times=None)
    with pytest.raises(LabelStudioError, match=text):
        call(fake.client())


def test_counters_of_nothing_take_no_request(fake: FakeLabelStudio, ls: LabelStudio) -> None:
    before = len(fake.requests)
    assert ls.projects.filter(id__in=[]).counts() == {}
    assert len(fake.requests) == before


def test_a_server_without_webhooks_of_the_organization(fake: FakeLabelStudio) -> None:
    fake.fault("POST", "/api/webhooks/", Fault.answer(404))
    with pytest.raises(
        NotSupportedByServer, match="none for the whole organization; name a project"
    ):
        fake.client().webhooks.create(url="http://example.com/hook")


def test_a_conversion_that_runs_already_is_waited_for(
    fake: FakeLabelStudio, project: Project
) -> None:
    export = project.exports.create(title="April")
    assert export.convert("CSV").converted_formats
    refused = Fault.answer(400, {"detail": "CSV conversion already started"})
    fake.fault("POST", f"/api/projects/{project.id}/exports/{export.id}/convert", refused)
    assert present(export.convert("CSV")).id == export.id
    fake.fault("POST", "*/convert", Fault.answer(400, {"detail": "the disk is full"}))
    with pytest.raises(BadRequest, match="the disk is full"):
        export.convert("CSV")
