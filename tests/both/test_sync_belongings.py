"""Carrying over what changed in views, webhooks, storages and ML backends since a copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from labelstudio_orm import LabelStudio, Project, Q
from labelstudio_orm._engine.http.connection import has
from labelstudio_orm._engine.http.releases import LAST_VIEWS
from labelstudio_orm._migrate.verbs import copying
from labelstudio_orm.migrate import Journal, copy_project, sync
from labelstudio_orm.testing import FakeLabelStudio, LocalLabelStudio
from tests.both.test_sync import Asked, Pair, by_policy, whys, writes
from tests.helpers import client_of
from tests.live.parts.ml_backend import MLBackendService

pytestmark = pytest.mark.slow  # a copy and a sync each

HOOK = "http://127.0.0.1:9/"


@pytest.fixture(scope="module")
def service() -> Iterator[MLBackendService]:
    """What the real server asks for predictions."""
    with MLBackendService() as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What storages of local files are in."""
    return tmp_path_factory.mktemp("files").resolve()


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[LocalLabelStudio]:
    """A real server that speaks to addresses of this machine, and to its disk."""
    settings = {
        "SSRF_PROTECTION_ENABLED": "false",
        "ML_BLOCK_LOCAL_IP": "false",
        "LOCAL_FILES_SERVING_ENABLED": "true",
        "LOCAL_FILES_DOCUMENT_ROOT": str(folder),
    }
    with LocalLabelStudio(settings=settings) as local:
        yield local


@pytest.fixture(params=["fake", "real"])
def ls(request: pytest.FixtureRequest) -> Iterator[LabelStudio]:
    """A client of one server or the other; here both sides are on the same one."""
    if request.param == "real":
        with request.getfixturevalue("server").client() as client:
            yield client
        return
    fake = FakeLabelStudio()
    fake.ssrf_protection = False
    fake.models[request.getfixturevalue("service").url] = lambda tasks: []
    fake.blobs[f"localfiles://{request.getfixturevalue('folder')}/out/"] = b""
    yield fake.client()


@pytest.fixture
def copied(project: Project, ls: LabelStudio, tmp_path: Path) -> Iterator[Callable[..., Pair]]:
    """``copied()`` gives the project and its copy."""
    made: list[Project] = []

    def copy(**options: Any) -> Pair:
        report = copy_project(project, to=ls, journal=tmp_path / "copy.db", **options)
        assert report.ok, str(report)
        assert report.target is not None
        made.append(report.target)
        return Pair(project, report.target, tmp_path / "copy.db")

    yield copy
    for target in made:
        ls.request("DELETE", f"/api/projects/{target.id}/")


@attrs.frozen
class Kind:
    """How a test makes, finds and changes objects that say a text."""

    name: str
    of: Callable[[Project], Any]
    make: Callable[[Project, str], Any]
    text: Callable[[Any], str] = lambda obj: obj.title
    say: Callable[[Any, str], Any] = lambda obj, text: setattr(obj, "title", text)

    def find(self, project: Project, text: str) -> Any:
        """The one that says it."""
        (found,) = [one for one in self.of(project).all() if self.text(one) == text]
        return found

    def change(self, project: Project, text: str, new: str) -> None:
        """It says something else."""
        found = self.find(project, text)
        found = self.of(project).get(found.id) if self.name != "storages" else found
        self.say(found, new)
        found.save()

    def texts(self, project: Project) -> dict[str, int]:
        """What they say, and their ids."""
        return {self.text(one): one.id for one in self.of(project).all()}


def secrets(kind: str, row: Any) -> dict[str, str]:
    """The storages of these tests have no bucket, so that no server looks for it."""
    return {}


KINDS = [
    Kind(
        "views",
        lambda project: project.views,
        lambda project, text: project.views.create(title=text, filters=Q(total_annotations=0)),
        lambda view: str(view.data["title"]),
        lambda view, text: view.data.update(title=text),
    ),
    Kind(
        "webhooks",
        lambda project: project.webhooks,
        lambda project, text: project.webhooks.create(
            url=HOOK + text,
            send_for_all_actions=False,
            actions=["TASKS_CREATED"],
            is_active=False,
            headers={"X-Key": "s3cret"},
        ),
        lambda webhook: str(webhook.url.removeprefix(HOOK)),
        lambda webhook, text: setattr(webhook, "url", HOOK + text),
    ),
    Kind(
        "storages",
        lambda project: project.import_storages,
        lambda project, text: project.import_storages.s3.create(title=text, prefix="p"),
    ),
    Kind("backends", lambda project: project.ml_backends, lambda project, text: None),
]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest, service: MLBackendService) -> Kind:
    """Each of them in turn."""
    found: Kind = request.param
    if found.name != "backends":
        return found
    return attrs.evolve(
        found,
        make=lambda project, text: project.ml_backends.create(url=service.url, title=text),
    )


@pytest.fixture
def pair(project: Project, kind: Kind, copied: Callable[..., Pair]) -> Pair:
    """A project with three objects of the kind, and its copy."""
    project.tasks.bulk_create([{"text": "a"}])
    for text in ("one", "two", "three"):
        kind.make(project, text)
    return copied(secrets=secrets)


def done(report: Any, kind: Kind) -> tuple[int, int, int]:
    found = report.counts[kind.name]
    return found.created, found.updated, found.deleted


def whys_of(report: Any, kind: Kind) -> list[tuple[str, str, str]]:
    """Without the model's name, which the server changes with its ML backends."""
    return [why for why in whys(report) if why[0] == kind.name]


# -- each kind -------------------------------------------------------------------------------------


def test_what_changed_in_the_source_is_carried_over(pair: Pair, kind: Kind, asked: Asked) -> None:
    asked()
    assert pair.sync().ok
    assert writes(asked) == []
    before = kind.texts(pair.target)
    kind.change(pair.source, "one", "changed")
    kind.find(pair.source, "two").delete()
    kind.make(pair.source, "new")

    report = pair.sync(secrets=secrets)
    assert report.ok, str(report)
    assert done(report, kind) == (1, 1, 1)
    after = kind.texts(pair.target)
    assert set(after) == {"changed", "three", "new"}
    assert after["changed"] == before["one"], "it is the same one"
    assert after["three"] == before["three"]
    assert pair.same()
    asked()
    assert pair.sync().ok
    assert writes(asked) == []


def test_what_changed_in_the_target_is_told(pair: Pair, kind: Kind, asked: Asked) -> None:
    kind.change(pair.target, "one", "changed")
    kind.find(pair.target, "two").delete()
    kind.make(pair.target, "new")
    for _ in range(2):
        asked()
        report = pair.sync()
        assert writes(asked) == []
        assert whys_of(report, kind) == [
            (kind.name, "", "changed in the target"),
            (kind.name, "", "created in the target"),
            (kind.name, "", "deleted in the target"),
        ]
    assert set(kind.texts(pair.target)) == {"changed", "three", "new"}
    kind.change(pair.source, "three", "3")
    assert done(pair.sync(), kind) == (0, 1, 0), "the others go on"


@by_policy
def test_belongings_changed_on_both_sides_are_conflicts(
    pair: Pair, kind: Kind, policy: Any, asked: Asked
) -> None:
    kind.change(pair.source, "one", "here")
    kind.change(pair.target, "one", "there")
    kind.find(pair.source, "two").delete()
    kind.change(pair.target, "two", "needed")
    kind.change(pair.source, "three", "more")
    kind.find(pair.target, "three").delete()

    report = pair.sync(conflicts=policy, secrets=secrets)
    told = [
        (kind.name, "", "changed in the source, deleted in the target"),
        (kind.name, "", "changed on both sides"),
        (kind.name, "", "deleted in the source, changed in the target"),
    ]
    assert whys_of(report, kind) == (told if policy == "report" else [])
    kept, carried = {"there", "needed"}, {"here", "more"}
    assert set(kind.texts(pair.target)) == (carried if policy == "source" else kept)
    asked()
    assert whys_of(pair.sync(secrets=secrets), kind) == (told if policy == "report" else [])
    assert writes(asked) == []


@pytest.mark.parametrize("ls", ["fake"], indirect=True)
def test_a_sync_of_belongings_in_a_dry_run_writes_nothing(
    pair: Pair, kind: Kind, ls: LabelStudio, asked: Asked
) -> None:
    kind.change(pair.source, "one", "changed")
    kind.find(pair.source, "two").delete()
    kind.make(pair.source, "new")
    asked()
    with ls.dry_run() as plan:
        report = pair.sync(secrets=secrets)
    assert done(report, kind) == (1, 1, 1)
    assert writes(asked) == []
    assert {one.method for one in plan.writes} >= {"POST", "PATCH", "DELETE"}
    assert set(kind.texts(pair.target)) == {"one", "two", "three"}
    assert done(pair.sync(secrets=secrets), kind) == (1, 1, 1)


def test_what_changed_while_it_was_copied(
    project: Project,
    kind: Kind,
    copied: Callable[..., Pair],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is known what was made, so it is a change of the source only."""
    kind.make(project, "one")
    finish = copying.Copy.finish

    def late(copy: copying.Copy) -> None:
        kind.change(project, "one", "late")
        finish(copy)

    monkeypatch.setattr(copying.Copy, "finish", late)
    pair = copied(secrets=secrets)
    assert set(kind.texts(pair.target)) == {"one"}
    report = pair.sync()
    assert report.ok, str(report)
    assert set(kind.texts(pair.target)) == {"late"}


@pytest.mark.parametrize("ls", ["fake"], indirect=True)
def test_a_journal_without_bases(pair: Pair, kind: Kind) -> None:
    """What is the same is taken note of; who changed the rest cannot be told."""
    kind.change(pair.source, "one", "changed")
    with Journal(pair.journal) as journal:
        bases = journal.map(f"{kind.name} bases")
        old = [old for old, _ in bases.items()]
        assert len(old) == 3
        for one in old:
            bases.remove(one)
    assert whys_of(pair.sync(), kind) == [(kind.name, "", "changed on both sides")]
    kind.change(pair.source, "two", "2")
    report = pair.sync(conflicts="source")
    assert report.ok, str(report)
    assert set(kind.texts(pair.target)) == {"changed", "2", "three"}


def test_what_was_not_copied_is_not_looked_at(
    project: Project, kind: Kind, copied: Callable[..., Pair]
) -> None:
    project.show_collab_predictions = False  # else the server makes an ML backend the project's
    project.save()
    kind.make(project, "one")
    pair = copied(**{kind.name: False})
    kind.make(project, "two")
    assert pair.sync(secrets=secrets).ok
    assert kind.texts(pair.target) == {}


# -- views -----------------------------------------------------------------------------------------


def titles(project: Project) -> list[str]:
    views = sorted(project.views.all(), key=lambda view: (view.order or 0, view.id))
    return [view.data["title"] for view in views]


@pytest.fixture
def tabs(project: Project, copied: Callable[..., Pair]) -> Pair:
    """A project with three tasks and four views in another order than that of their ids."""
    tasks = project.tasks.bulk_create([{"text": "a"}, {"text": "b"}, {"text": "c"}])
    project.views.create(title="one", filters=Q(id=tasks[1].id))
    project.views.create(title="two", filters=Q(total_annotations=0), ordering="-id")
    chosen = {"all": False, "included": [tasks[0].id]}
    project.views.create(title="three", selected_items=chosen)
    project.views.create(title="four", filters=Q(total_annotations=0))
    reorder(project, "four", "three", "two", "one")
    pair = copied()
    assert titles(pair.target) == ["four", "three", "two", "one"]
    return pair


def reorder(project: Project, *names: str) -> None:
    ids = {view.data["title"]: view.id for view in project.views.all()}
    project.views.set_order([ids[name] for name in names])


def test_the_order_of_views(tabs: Pair, asked: Asked) -> None:
    """The target's own view stays where it is."""
    tabs.target.views.create(title="theirs", filters=Q(total_annotations=0))
    reorder(tabs.target, "four", "theirs", "three", "two", "one")
    reorder(tabs.source, "one", "two", "three", "four")
    report = tabs.sync()
    assert whys(report) == [("views", "", "created in the target")]
    assert report.counts["views"].updated == 1
    assert titles(tabs.target) == ["one", "theirs", "two", "three", "four"]
    asked()
    tabs.sync()
    assert writes(asked) == []


def test_a_new_view_has_its_place(tabs: Pair, asked: Asked) -> None:
    tabs.source.views.create(title="new", filters=Q(total_annotations=0))
    reorder(tabs.source, "four", "new", "three", "two", "one")
    assert tabs.sync().ok
    assert titles(tabs.target) == ["four", "new", "three", "two", "one"]
    asked()
    tabs.sync()
    assert writes(asked) == []


@by_policy
def test_the_order_of_views_that_the_target_changed(tabs: Pair, policy: Any, asked: Asked) -> None:
    reorder(tabs.target, "one", "two", "three", "four")
    assert whys(tabs.sync(conflicts="source")) == [("views", "order", "changed in the target")]
    assert titles(tabs.target) == ["one", "two", "three", "four"]
    reorder(tabs.source, "two", "four", "one", "three")
    told = [("views", "order", "changed on both sides")] if policy == "report" else []
    assert whys(tabs.sync(conflicts=policy)) == told
    asked()
    assert whys(tabs.sync()) == told
    assert writes(asked) == []
    ours = policy == "source"
    assert titles(tabs.target) == (
        ["two", "four", "one", "three"] if ours else ["one", "two", "three", "four"]
    )


def test_what_cannot_be_changed_in_a_view_is_made_anew(tabs: Pair, asked: Asked) -> None:
    """An order that the target's has, and which the server does not take away again. Its place
    stays.
    """
    here, there = (
        next(view for view in project.views.all() if view.data["title"] == "four")
        for project in (tabs.source, tabs.target)
    )
    here.data["title"] = "first"
    here.save()
    there.data["ordering"] = ["-tasks:id"]
    there.save()
    assert whys(tabs.sync()) == [("views", "", "changed on both sides")]
    report = tabs.sync(conflicts="source")
    assert report.ok, str(report)
    assert report.counts["views"].created == report.counts["views"].deleted == 0
    assert titles(tabs.target) == ["first", "three", "two", "one"]
    first = next(view for view in tabs.target.views.all() if view.data["title"] == "first")
    assert not first.data.get("ordering")
    assert first.id != there.id
    asked()
    assert tabs.sync().ok
    assert writes(asked) == []


def test_views_of_tasks_that_are_deleted_and_new(tabs: Pair, asked: Asked) -> None:
    """That a task goes is no change of the views that name it."""
    for task in list(tabs.source.tasks.all())[:2]:
        task.delete()
    (new,) = tabs.source.tasks.bulk_create([{"text": "new"}])
    tabs.source.views.create(title="new", filters=Q(id=new.id))
    report = tabs.sync()
    assert report.ok, str(report)
    placed = not has(client_of(tabs.target.tasks), LAST_VIEWS)
    assert (report.counts["views"].created, report.counts["views"].updated) == (1, placed)
    views = {view.data["title"]: view for view in tabs.target.views.all()}
    assert [task.data["text"] for task in views["new"].tasks] == ["new"]
    asked()
    assert tabs.sync().ok
    assert writes(asked) == []


def test_views_of_a_project_without_tasks_any_more(tabs: Pair, asked: Asked) -> None:
    """The server deletes them with the tasks, if those go all at once."""
    for task in tabs.source.tasks.all():
        task.delete()
    assert len(titles(tabs.source)) == 4
    report = tabs.sync()
    assert report.ok, str(report)
    assert tabs.target.tasks.count() == 0
    assert titles(tabs.target) == ["four", "three", "two", "one"]
    asked()
    assert tabs.sync().ok
    assert writes(asked) == []


# -- webhooks --------------------------------------------------------------------------------------


def test_headers_are_carried_over_and_not_written_down(
    project: Project, copied: Callable[..., Pair], asked: Asked
) -> None:
    webhook = project.webhooks.create(
        url=HOOK + "one", is_active=False, headers={"X-Key": "old s3cret"}
    )
    pair = copied()
    webhook.headers = {"X-Key": "new s3cret"}
    webhook.save()
    report = pair.sync()
    assert report.ok, str(report)
    (there,) = pair.target.webhooks.all()
    assert there.headers == {"X-Key": "new s3cret"}
    asked()
    assert pair.sync().ok
    assert writes(asked) == []
    there.headers = {"X-Key": "their s3cret"}
    there.save()
    report = pair.sync()
    assert whys(report) == [("webhooks", "", "changed in the target")]
    assert "s3cret" not in str(report) + str(report.as_json())
    assert b"s3cret" not in pair.journal.read_bytes()


def test_webhooks_are_not_told_of_what_is_not_for_them(tmp_path: Path) -> None:
    """One that comes is made last; one that goes or is switched off goes first."""
    fake = FakeLabelStudio()
    fake.ssrf_protection = False
    ls = fake.client()
    project = ls.projects.create(title="Source")
    gone, off = (project.webhooks.create(url=HOOK + name) for name in ("gone", "off"))
    target = copy_project(project, to=ls, journal=tmp_path / "copy.db").target
    assert target is not None
    project.tasks.bulk_create([{"text": "new"}])
    gone.delete()
    off.is_active = False
    off.save()
    project.webhooks.create(url=HOOK + "new")
    fake.delivered.clear()
    assert sync(project, target, journal=tmp_path / "copy.db").ok
    assert fake.delivered == []
    target.tasks.bulk_create([{"text": "newer"}])
    assert [one.url for one in fake.delivered] == [HOOK + "new"]


# -- storages and ML backends ----------------------------------------------------------------------


def test_nothing_is_made_without_its_secrets(
    project: Project, copied: Callable[..., Pair], asked: Asked
) -> None:
    pair = copied()
    project.import_storages.s3.create(title="Incoming")
    asked()
    for _ in range(2):
        report = pair.sync()
        why = "created in the source, and its secrets are not known"
        assert whys(report) == [("storages", "", why)]
        assert writes(asked) == []
    assert pair.sync(secrets=lambda kind, row: None).ok
    assert pair.sync().ok, "it was left out"
    assert pair.same()
    given = {"aws_access_key_id": "a", "aws_secret_access_key": "s3cret"}
    assert pair.sync(secrets=lambda kind, row: given).ok
    (storage,) = pair.target.import_storages.all()
    assert storage.title == "Incoming"
    assert pair.same()
    assert b"s3cret" not in pair.journal.read_bytes()


@pytest.mark.parametrize("which", [True, "all"])
def test_export_storages_only_if_they_were_copied(
    project: Project, copied: Callable[..., Pair], which: Any, folder: Path
) -> None:
    """And those of local files need no secrets."""
    (folder / "out").mkdir(exist_ok=True)
    path = str(folder / "out")
    storage = project.export_storages.local.create(title="Out", path=path)
    pair = copied(storages=which)
    storage.title = "Elsewhere"
    storage.save()
    project.export_storages.local.create(title="Another", path=path)
    report = pair.sync()
    assert report.ok, str(report)
    found = {storage.title for storage in pair.target.export_storages.all()}
    assert found == ({"Elsewhere", "Another"} if which == "all" else set())
    assert pair.same()


def test_backends_that_do_not_answer_are_tried_again(tmp_path: Path) -> None:
    """And one that got a password needs it here too."""
    fake = FakeLabelStudio()
    fake.ssrf_protection = False
    fake.models = {HOOK: lambda tasks: []}
    ls = fake.client()
    project = ls.projects.create(title="Source")
    backend = project.ml_backends.create(url=HOOK, title="words")
    target = copy_project(project, to=ls, journal=tmp_path / "copy.db").target
    assert target is not None
    left_out = copy_project(project, to=ls, secrets=lambda kind, row: None).target
    assert left_out is not None
    assert left_out.ml_backends.count() == 0
    backend.title = "more words"
    backend.save()
    model = fake.models.pop(HOOK)
    report = sync(project, target, journal=tmp_path / "copy.db")
    assert [one.item for one in report.counts["backends"].failed] == [backend.id]
    assert report.exit_code == 1
    fake.models[HOOK] = model
    report = sync(project, target, journal=tmp_path / "copy.db")
    assert report.counts["backends"].updated == 1

    backend.auth_method, backend.basic_auth_user = "BASIC_AUTH", "me"
    backend.basic_auth_pass = "s3cret"
    backend.save()
    report = sync(project, target, journal=tmp_path / "copy.db")
    assert whys(report) == [
        ("backends", "", "changed in the source, and its secrets are not known")
    ]
    given = {"basic_auth_pass": "s3cret"}
    report = sync(project, target, journal=tmp_path / "copy.db", secrets=lambda kind, row: given)
    assert report.ok, str(report)
    (there,) = target.ml_backends.all()
    assert (there.auth_method, there.basic_auth_pass_is_set) == ("BASIC_AUTH", True)
    assert sync(project, target, journal=tmp_path / "copy.db").ok
    assert b"s3cret" not in (tmp_path / "copy.db").read_bytes()


# -- files -----------------------------------------------------------------------------------------


def test_files_that_are_new_and_gone(
    project: Project, copied: Callable[..., Pair], tmp_path: Path, asked: Asked
) -> None:
    """Also those that no task speaks of; one that is gone in the source stays in the target."""
    for name in ("first", "second"):
        (tmp_path / f"{name}.txt").write_text(name)
    first = project.files.upload(tmp_path / "first.txt")
    pair = copied()
    project.files.upload(tmp_path / "second.txt")
    first.delete()
    report = pair.sync()
    assert report.ok, str(report)
    assert report.counts["files"].created == 1
    names = sorted(file.name.split("-", 1)[1] for file in pair.target.files.all())
    assert names == ["first.txt", "second.txt"]
    asked()
    assert pair.sync().ok
    assert writes(asked) == []
