"""Migrations between two real servers: killed, over a bad network, and with everything that lies
outside of a server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from labelstudio_orm import LabelStudio, Project
from labelstudio_orm.config import LabelConfig
from labelstudio_orm.migrate import Report, UnknownUsers, copy_project, sync, verify
from labelstudio_orm.resources._tasks.forms import Renamed
from labelstudio_orm.testing import LocalLabelStudio
from tests.conftest import CONFIG
from tests.live.parts.ml_backend import MLBackendService
from tests.live.parts.places import Place
from tests.live.parts.webhook_receiver import WebhookReceiver
from tests.soak import migration
from tests.unit.kills import READS, Killed
from tests.unit.test_sync_converges import EDITS, plain

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def another() -> Iterator[LocalLabelStudio]:
    """The server to migrate to; its users have other ids."""
    with LocalLabelStudio() as local:
        local.client().users.create(email="somebody@example.com")
        yield local


def test_killed_and_resumed(server: LocalLabelStudio, another: LocalLabelStudio) -> None:
    said = migration.kills(server, another, times=3, tasks=40, batch=4, seed=1, longest=4.0)
    assert "the end is the same" in said


def test_over_a_bad_network(server: LocalLabelStudio, another: LocalLabelStudio) -> None:
    said = migration.network(server, another, rate=0.02, tasks=40, batch=4, seed=3, longest=0.3)
    assert "the end is the same" in said


def test_authors_that_are_gone(
    server: LocalLabelStudio, another: LocalLabelStudio, tmp_path: Path
) -> None:
    """Of who left the organization the server says "Deleted", of each of them; of a user that was
    deleted nothing.
    """
    ls, there = server.client(), another.client()
    names = [f"{name}@gone.example.com" for name in ("ann", "bob", "eve")]
    ann, bob, eve = (ls.users.create(email=name) for name in names)
    project = ls.projects.create(title="Gone", label_config=CONFIG)
    project.tasks.bulk_create(
        {"data": {"text": user.email}, "annotations": [{"result": [], "completed_by": user.id}]}
        for user in (ann, bob, eve)
    )
    for user in (ann, bob):
        ls.organizations.first().members.ref(user.id).delete()  # type: ignore[union-attr]
    eve.delete()
    with pytest.raises(UnknownUsers) as caught:
        copy_project(project, to=there)
    assert caught.value.emails == names[:2]
    missing = {names[0]: "create", names[1]: there.users.me()}
    report = copy_project(project, to=there, missing_users=missing)
    assert report.ok, str(report)
    assert report.target is not None
    authors = [one.completed_by.email for one in report.target.annotations]  # type: ignore[union-attr]
    assert authors == [names[0], there.users.me().email, there.users.me().email]
    lost = {f"{loss.kind}.{loss.field}": loss.count for loss in report.losses}
    assert lost["annotations.completed_by"] == 1
    same_server = copy_project(project, to=ls)
    assert same_server.ok, str(same_server)


def test_every_control_of_the_templates(
    server: LocalLabelStudio, another: LocalLabelStudio, tmp_path: Path
) -> None:
    """With as few of the templates as have them all between them."""
    ls, there = server.client(), another.client()
    templates = [one["config"] for one in ls.request("GET", "/api/templates")["templates"]]
    tags = {xml: {one.tag for one in LabelConfig.parse(xml).controls.values()} for xml in templates}
    left = set().union(*tags.values())
    assert len(left) >= 20
    absent: dict[str, Any] = dict.fromkeys(("views", "webhooks", "storages", "backends"), False)
    while left:
        xml = max(templates, key=lambda xml: len(tags[xml] & left))
        left -= tags[xml]
        config = LabelConfig.parse(xml)
        regions = [
            {
                "id": f"r{number}",
                "from_name": one.name,
                "to_name": one.to_name[0],
                "type": one.tag.lower(),
                "value": {one.tag.lower(): ["one", {"x": 1.5, "points": [[0, 1e-3]]}]},
            }
            for number, one in enumerate(config.controls.values())
        ]
        project = ls.projects.create(title="A template")  # which would check the data
        project.tasks.bulk_create(
            [
                {
                    "data": dict.fromkeys(config.data_keys, "http://example.com/a") or {"a": 1},
                    "annotations": [{"result": regions}],
                    "predictions": [{"result": regions, "score": 0.1}],
                }
            ]
        )
        project.label_config = xml
        project.save()
        ls.drafts.create(task=project.tasks[0], result=regions)
        report = copy_project(project, to=there, **absent)
        assert report.ok, f"{xml}\n{report}"
        assert report.target is not None
        assert report.target.label_config == project.refresh().label_config
        assert report.target.annotations[0].result == project.annotations[0].result


# -- what lies outside of a server -----------------------------------------------------------------


@pytest.fixture
def copied(ls: LabelStudio, project: Project) -> Iterator[Callable[..., Report]]:
    """``copied()`` copies the project on the same server; the copies are deleted afterwards."""
    made: list[Project] = []

    def copy(**options: Any) -> Report:
        report = copy_project(project, to=ls, title="Copy", **options)
        assert report.target is not None
        made.append(report.target)
        return report

    yield copy
    for one in {one.id: one for one in made}.values():
        ls.request("DELETE", f"/api/projects/{one.id}/")


def test_webhooks_are_not_told_of_the_copy(
    receiver: WebhookReceiver, project: Project, copied: Callable[..., Report]
) -> None:
    project.tasks.bulk_create([{"text": "a"}])
    project.webhooks.create(url=receiver.hook, headers={"X-Key": "s3cret"})
    receiver.take()
    report = copied()
    assert report.ok, str(report)
    assert receiver.take() == []
    assert report.target is not None
    report.target.tasks[0].annotations.create(result=[])
    assert [body["action"] for body in receiver.take()] == ["ANNOTATION_CREATED"]


def test_ml_backends(
    ml_service: MLBackendService, project: Project, copied: Callable[..., Report]
) -> None:
    project.ml_backends.create(url=ml_service.url, title="words", extra_params={"depth": 2})
    try:
        report = copied()
        assert report.ok, str(report)
        assert report.target is not None
        (backend,) = report.target.ml_backends.all()
        assert (backend.title, backend.extra_params) == ("words", {"depth": 2})
        backend.delete()
    finally:
        for backend in project.ml_backends.all():
            backend.delete()


@pytest.mark.parametrize("kind", ["local", "s3"])
def test_storages(
    kind: str,
    place: Callable[[str], Place],
    project: Project,
    copied: Callable[..., Report],
    tmp_path: Path,
) -> None:
    there = place(kind)
    there.put(f"from-{kind}", "1.json", {"text": "one"})
    fields = there.fields(f"from-{kind}")
    storages = getattr(project.import_storages, kind)
    storages.create(title="Incoming", regex_filter=".*json", **fields).sync()
    there.put(f"to-{kind}", "keep.json", {})
    getattr(project.export_storages, kind).create(title="Out", **there.fields(f"to-{kind}"))
    asked: list[tuple[str, str]] = []

    def secrets(what: str, row: Any) -> dict[str, Any]:
        asked.append((what, row["title"]))
        return {key: value for key, value in fields.items() if "aws" in key}

    report = copied(secrets=secrets, journal=tmp_path / "copy.db")
    assert report.ok, str(report)
    assert asked == [("storages", "Incoming")]
    assert report.target is not None
    (storage,) = getattr(report.target.import_storages, kind).all()
    assert (storage.title, storage.regex_filter) == ("Incoming", ".*json")
    assert list(report.target.export_storages.all()) == []
    lost = {f"{loss.kind}.{loss.field}" for loss in report.losses}
    assert {"storages.export", "tasks.storage_filename"} <= lost
    storage.validate()
    for value in fields.values():
        if kind == "s3" and len(value) > 10:
            assert value.encode() not in (tmp_path / "copy.db").read_bytes()

    report = copied(secrets=secrets, storages="all")
    assert report.ok, str(report)
    assert report.target is not None
    (storage,) = report.target.export_storages.all()
    assert storage.title == "Out"


def test_an_ml_backend_that_does_not_answer(
    ml_service: MLBackendService, project: Project, copied: Callable[..., Report], tmp_path: Path
) -> None:
    """It is reported, and tried again the next time."""
    project.tasks.bulk_create([{"text": "a"}])
    project.ml_backends.create(url=ml_service.url, title="words")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(ml_service.answers, "/health", None)
            report = copied(journal=tmp_path / "copy.db")
            assert not report.ok
            assert len(report.counts["backends"].failed) == 1
            assert report.counts["tasks"].created == 1
        report = copied(journal=tmp_path / "copy.db")
        assert report.ok, str(report)
        assert report.counts["backends"].created == 1
    finally:
        for backend in project.ml_backends.all():
            backend.delete()


def test_a_copy_and_its_syncs(
    server: LocalLabelStudio, another: LocalLabelStudio, tmp_path: Path
) -> None:
    """Annotators go on while it is copied; two syncs bring what they did."""
    ls, there = server.client(), another.client()
    project = ls.projects.create(title="Going on", label_config=CONFIG)
    project.tasks.bulk_create([{"text": str(number)} for number in range(12)])
    journal = tmp_path / "copy.db"

    def annotate(done: int, total: int | None) -> None:
        project.tasks[3].annotations.create(result=[project.config["sentiment"].choice("Neutral")])

    first = copy_project(project, to=there, journal=journal, progress=annotate)
    assert first.target is not None
    assert sync(project, first.target, journal=journal).ok
    annotate(0, None)
    project.tasks[5].delete()
    report = sync(project, first.target, journal=journal)
    assert report.ok, str(report)
    assert (report.counts["annotations"].created, report.counts["tasks"].deleted) == (1, 1)
    assert verify(project, first.target).ok


class Edited(HTTPAdapter):
    """The way to a server, on which something happens before some of the writes, and the process
    ends after the last one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.writes, self.last = 0, -1
        self.before: dict[int, Callable[[], object]] = {}

    def send(self, request: Any, *args: Any, **more: Any) -> Any:
        number = self.writes
        if request.method not in READS:
            self.writes += 1
            self.before.get(number, lambda: None)()
        answer = super().send(request, *args, **more)
        if request.method not in READS and number == self.last:
            raise Killed
        return answer


def test_whatever_is_edited_meanwhile(
    server: LocalLabelStudio, another: LocalLabelStudio, tmp_path: Path
) -> None:
    """A sample of what is played on servers in memory: edits during a copy that is killed, and
    during a sync.
    """
    project = plain(server.client())
    session = requests.Session()
    session.mount(another.url, wire := Edited())
    there = another.client(session=session)
    journal = tmp_path / "copy.db"

    def during(*names: str) -> dict[int, Callable[[], object]]:
        return {1 + 2 * n: partial(EDITS[name], project) for n, name in enumerate(names)}

    edits = ("new_file", "new_annotation", "data_of_a_task", "no_annotation", "filter_of_a_view")
    wire.before, wire.last = during(*edits), 6
    with pytest.raises(Killed):
        copy_project(project, to=there, journal=journal)
    target = copy_project(project, to=there, journal=journal).target
    assert target is not None
    project.tasks[0].delete()
    wire.writes, wire.last = 0, -1
    wire.before = during("another_file_in_its_place", "new_prediction", "title")
    sync(project, target, journal=journal)
    report = sync(project, target, journal=journal)
    assert report.ok, str(report)
    said = verify(project, target, journal=journal)
    assert said.ok, str(said)
    wire.writes = 0
    assert sync(project, target, journal=journal).ok
    assert wire.writes == 0


def test_many_files(server: LocalLabelStudio, tmp_path: Path) -> None:
    """Of all kinds of names and types; many in a request, each the right one."""
    ls = server.client()
    project = ls.projects.create(title="Files", label_config=CONFIG)
    odd = ["a photo 100%.png", "\u00e9 \u732b.png", "CON.png", "x" * 90 + ".png", "t.csv", "u.csv"]
    files = []
    for number in range(40):
        (path := tmp_path / str(number)).write_bytes(b"x%d\n1\n" % number)
        files.append(Renamed(path, odd[number] if number < len(odd) else f"{number % 10}.png"))
    for some in (files[:4], files[4:5], files[5:6], files[6:]):
        project.imports.create(file=some, commit_to_project=False)
    made = list(project.files.order_by("id"))
    project.tasks.bulk_create({"text": f"/data/{file.file}"} for file in made)
    session = requests.Session()
    session.mount(server.url, wire := Edited())
    report = copy_project(project, to=server.client(session=session))
    assert (report.counts["files"].created, report.counts["files"].failed) == (40, ())
    assert {(one.kind, one.field) for one in report.differences} <= {("files", "name")}
    assert wire.writes <= 9
    target = report.target
    assert target is not None
    assert target.files.count() == 40
    for task, file in list(zip(target.tasks, made, strict=True))[::5]:
        assert task.data["text"].startswith(f"/data/upload/{target.id}/")
        with target.files.open(task.data["text"]) as copy, file.open() as content:
            assert copy.read() == content.read()
