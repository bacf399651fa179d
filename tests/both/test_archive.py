"""A whole project as one file, and back."""

from __future__ import annotations

import io
import json
import re
import tracemalloc
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelstudio_orm import LabelStudio, LabelStudioError, Project, Q, Retry, User
from labelstudio_orm._migrate.engine.fingerprints import (
    ANNOTATION_ORIGIN,
    SETTINGS,
    TASK_KINDS,
    TASK_ORIGIN,
)
from labelstudio_orm.migrate import (
    ArchiveSource,
    BadSnapshot,
    UnknownUsers,
    merge,
    restore,
    snapshot,
    verify,
)
from labelstudio_orm.testing import FakeLabelStudio
from labelstudio_orm.testing.fake import Fault

Asked = Callable[[], list[str]]

CONFIG = """\
<View>
  <Image name="image" value="$image"/>
  <Choices name="quality" toName="image"><Choice value="ok"/><Choice value="bad"/></Choices>
</View>
"""
SECRETS = ("hush hush", "psst")


def choice(value: str = "ok") -> dict[str, Any]:
    kind = {"from_name": "quality", "to_name": "image", "type": "choices"}
    return {"id": "r1", **kind, "value": {"choices": [value]}}


@pytest.fixture
def ann(ls: LabelStudio) -> Iterator[User]:
    made = ls.users.create(email=f"ann-{uuid.uuid4().hex[:6]}@example.com", first_name="Ann")
    yield made
    made.delete()


@pytest.fixture
def cars(ls: LabelStudio, project: Project, ann: User, tmp_path: Path) -> Project:
    """A project with one of each thing, and with secrets."""
    project.label_config = CONFIG
    project.description = "Cars, Автомобили, 車"
    project.task_data_login, project.task_data_password = "me", SECRETS[0]
    project.save()
    (tmp_path / "a car.png").write_bytes(bytes(range(256)) * 1000)
    file = project.files.upload(tmp_path / "a car.png")
    mine = {"result": [choice()], "completed_by": ann, "lead_time": 1.5, "ground_truth": True}
    skipped = {"result": [choice("bad")], "was_cancelled": True}
    model = {"result": [choice()], "score": 0.25, "model_version": "v1"}
    made = project.tasks.bulk_create(
        [
            {
                "data": {"image": f"/data/{file.file}", "n": 1.5, "deep": {"a": [None, "\\n\n"]}},
                "meta": {"source": "é\u2028"},
                "annotations": [mine, skipped],
                "predictions": [model],
            },
            *({"image": f"{n}.png"} for n in range(20)),
        ]
    )
    project.tasks.filter(id__in=[task.id for task in made[5:9]]).delete()
    ls.drafts.create(task=made[1], result=[choice("bad")], lead_time=3.0)
    project.views.create(title="Mine", filters=Q(annotators=ann) & Q(id=made[0].id))
    hook = {"url": "http://8.8.8.8/hook", "is_active": False}
    project.webhooks.create(**hook, headers={"X-Key": SECRETS[1]})
    return project


@pytest.fixture
def restored(other: LabelStudio) -> Iterator[Callable[..., Any]]:
    """``restored(path)`` restores on the other server; the projects are deleted afterwards."""
    made: dict[int, Project] = {}

    def run(path: Path, **options: Any) -> Any:
        report = restore(path, other, **options)
        if report.target is not None and report.target.id > 0:
            made[report.target.id] = report.target
        return report

    yield run
    for project in made.values():
        project.delete()


def test_a_restored_snapshot_equals_the_project(
    cars: Project, ann: User, tmp_path: Path, restored: Callable[..., Any], asked: Asked
) -> None:
    path = tmp_path / "cars.zip"
    reports: list[tuple[int, int | None]] = []
    asked()
    written = snapshot(cars, path, progress=lambda done, total: reports.append((done, total)))
    assert {request.partition(" ")[0] for request in asked()} == {"GET"}
    assert written.ok, str(written)
    assert {kind: done.created for kind, done in written.counts.items()} == {
        "tasks": 17, "annotations": 2, "predictions": 1, "drafts": 1, "users": 2,
        "views": 1, "webhooks": 1, "storages": 0, "backends": 0, "files": 1,
    }  # fmt: skip
    assert reports[-1] == (17, 17)
    lost = {f"{loss.kind}.{loss.field}": loss.count for loss in written.losses}
    assert lost == {"settings.task_data_password": 1, "webhooks.headers": 1}
    assert [one.name for one in tmp_path.iterdir() if "cars" in one.name] == ["cars.zip"]

    with ArchiveSource(path) as source:
        assert verify(cars, source).ok
        report = restored(path, title="Cars again", missing_users="create")
        assert report.ok, str(report)
        target = report.target
        assert target.title == "Cars again"
        assert target.description == "Cars, Автомобили, 車"
        assert {f"{loss.kind}.{loss.field}" for loss in report.losses} > lost.keys()
        found = verify(source, target)
        assert [one.field for one in found.differences] == ["title"]
    first = target.tasks.prefetch("annotations")[0]
    assert next(one.completed_by.email for one in first.annotations) == ann.email
    with target.files.open(first.data["image"]) as stream:
        assert stream.read() == bytes(range(256)) * 1000


def test_a_snapshot_holds_no_secret(cars: Project, tmp_path: Path) -> None:
    snapshot(cars, tmp_path / "cars.zip")
    with zipfile.ZipFile(tmp_path / "cars.zip") as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    assert b"8.8.8.8/hook" in content
    for secret in SECRETS:
        assert secret.encode() not in content


def test_a_snapshot_has_the_documented_format(cars: Project, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "snapshot-format.md").read_text(encoding="utf-8")
    snapshot(cars, tmp_path / "cars.zip")
    with zipfile.ZipFile(tmp_path / "cars.zip") as archive:
        members = {re.sub(r"^files/.*", "files/upload/...", name) for name in archive.namelist()}
        manifest = json.loads(archive.read("manifest.json"))
        task = json.loads(archive.read("tasks/000000.jsonl").splitlines()[0])
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([^`]+)`", row[0])}
    assert members <= named
    assert {name for name in named if "." in name} == members
    assert manifest.keys() | task.keys() == {name for name in named if "." not in name}
    for kind in ("annotations", "predictions"):
        [said] = [row[1] for row in rows if row[0].strip() == f"`{kind}`"]
        assert task[kind][0].keys() == set(" ".join(re.findall(r"`([^`]+)`", said)).split())
    assert manifest["version"] == 1


def test_restoring_again_writes_nothing(
    cars: Project, tmp_path: Path, restored: Callable[..., Any], asked: Asked, other: LabelStudio
) -> None:
    path = tmp_path / "cars.zip"
    snapshot(cars, path)
    options: dict[str, Any] = {"journal": tmp_path / "restore.db", "missing_users": "create"}
    before = other.projects.count()
    with other.dry_run() as plan:
        restored(path, **options)
    assert len(plan.writes) > 3
    assert other.projects.count() == before
    with pytest.raises(UnknownUsers):
        restored(path, journal=tmp_path / "restore.db")
    report = restored(path, **options)
    assert report.ok, str(report)
    asked()
    again = restored(path, **options)
    assert again.ok
    assert again.target == report.target
    assert {request.partition(" ")[0] for request in asked()} == {"GET"}
    assert other.projects.count() == before + 1


def test_an_archive_is_a_project_to_merge(ls: LabelStudio, cars: Project, tmp_path: Path) -> None:
    snapshot(cars, tmp_path / "cars.zip")
    images = {task.data["image"] for task in cars.tasks}
    cars.tasks.filter(id__in=list(cars.tasks.values_list("id", flat=True))[:9]).delete()
    with ArchiveSource(tmp_path / "cars.zip") as source:
        report = merge([source], into=cars, key="data.image")
    assert report.ok, str(report)
    assert report.counts["tasks"].created == 9
    assert len({task.data["image"] for task in cars.tasks} & images) == 17
    assert cars.tasks.count() == 17
    assert cars.files.count() == 1


# -- what goes wrong ------------------------------------------------------------------------------


def small(fake: FakeLabelStudio) -> Project:
    cars = fake.client(retries=0).projects.create(title="Cars", label_config=CONFIG)
    said = [{"result": [choice()], "lead_time": 1.0}]
    items = [{"data": {"image": f"{n}.png"}, "annotations": said} for n in range(30)]
    cars.tasks.bulk_create(items)
    cars.views.create(title="Mine")
    return cars


def test_an_unfinished_snapshot_leaves_the_old_one(fake: FakeLabelStudio, tmp_path: Path) -> None:
    cars = small(fake)
    path = tmp_path / "cars.zip"
    snapshot(cars, path)
    before = path.read_bytes()
    fake.fault("GET", "/api/dm/views/", Fault.answer(500))
    with pytest.raises(LabelStudioError):
        snapshot(cars, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_snapshot_is_no_folder(fake: FakeLabelStudio, tmp_path: Path) -> None:
    """It is raised before anything is read."""
    cars = small(fake)
    fake.requests.clear()
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        snapshot(cars, tmp_path)
    assert not fake.requests


def test_a_file_that_the_server_does_not_give(fake: FakeLabelStudio, tmp_path: Path) -> None:
    cars = small(fake)
    (tmp_path / "a.png").write_bytes(b"abc" * 9000)
    file = cars.files.upload(tmp_path / "a.png").file
    gone = "upload/9/0a1b2c3d-gone.png"
    cars.tasks.create(data={"image": f"/data/{gone}"})
    fake.fault("GET", f"/data/{file}", Fault.truncated(keep_length=True), times=2)
    report = snapshot(cars, tmp_path / "cars.zip")
    assert not report.ok
    assert [failure.item for failure in report.counts["files"].failed] == [gone]
    with ArchiveSource(tmp_path / "cars.zip") as source:
        assert [(row["file"], row["size"]) for row in source.related("files")] == [(file, 27000)]
        with source.open_file(f"/data/{file}") as stream:
            assert stream.read() == b"abc" * 9000
        with pytest.raises(BadSnapshot, match="has no files/upload/9"):
            source.open_file(gone)
    assert snapshot(cars, tmp_path / "cars.zip", files=False).ok
    with ArchiveSource(tmp_path / "cars.zip") as source:
        assert list(source.related("files")) == []


def rewritten(path: Path, **members: bytes | None) -> Path:
    """A snapshot with other members; None for one that is missing."""
    target = path.with_name("other.zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = members.get(name.partition(".")[0], old.read(name))
            if content is not None:
                new.writestr(name, content)
    return target


def test_files_that_are_no_snapshots_are_refused(fake: FakeLabelStudio, tmp_path: Path) -> None:
    cars, ls = small(fake), fake.client()
    path = tmp_path / "cars.zip"
    snapshot(cars, path)
    whole = path.read_bytes()
    fake.requests.clear()

    def refused(path: Path, why: str) -> None:
        with pytest.raises(BadSnapshot, match=why):
            restore(path, ls)

    with pytest.raises(FileNotFoundError):
        restore(tmp_path / "nothing.zip", ls)
    text = tmp_path / "text.zip"
    text.write_text("no zip")
    refused(text, "is not a snapshot")
    text.write_bytes(whole[:-100])
    refused(text, "is not a snapshot")
    at = whole.index(b"tasks/000000.jsonl") + 60
    text.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    refused(text, "is damaged")
    refused(rewritten(path, manifest=None), "is not a snapshot: it has no manifest.json")
    refused(rewritten(path, manifest=b"[]"), "of another format")
    refused(rewritten(path, manifest=b"{"), "is damaged")
    manifest = json.loads(zipfile.ZipFile(path).read("manifest.json"))
    newer = json.dumps({**manifest, "version": 2}).encode()
    refused(rewritten(path, manifest=newer), "use a newer library")
    other = json.dumps({**manifest, "format": "coco"}).encode()
    refused(rewritten(path, manifest=other), "of another format")
    more = json.dumps({**manifest, "tasks": [{**manifest["tasks"][0], "tasks": 31}]}).encode()
    refused(rewritten(path, manifest=more), "its tasks are not those")
    assert fake.requests == []


FAULTS = {
    "lost": Fault.reset(committed=True),
    "broken": Fault.reset(),
    "502": Fault.bad_gateway(),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("after", range(5))
def test_an_interrupted_restore_is_finished_by_the_next(
    fake: FakeLabelStudio, tmp_path: Path, name: str, after: int
) -> None:
    cars = small(fake)
    path, journal = tmp_path / "cars.zip", tmp_path / "restore.db"
    snapshot(cars, path)
    target = FakeLabelStudio("http://other.fake")
    ls = target.client(retries=Retry(total=0, sleep=lambda seconds: None))
    target.client().users.create(email="someone@example.com")
    for method in ("POST", "PATCH"):
        target.fault(method, "*", FAULTS[name], times=8, after=after)
    options: dict[str, Any] = {"journal": journal, "missing_users": "create"}
    for _ in range(12):
        try:
            report = restore(path, ls, **options)
            if report.ok:
                break
        except LabelStudioError:
            pass
    assert report.ok, str(report)
    assert ls.projects.count() == 1
    assert report.target is not None
    assert verify(cars, report.target).ok


class Many:
    """A source of very many tasks."""

    def __init__(self, number: int) -> None:
        self.number = number

    def describe(self) -> dict[str, Any]:
        return {"server": "http://a", "project": 1, "title": "Many", "tasks": self.number}

    def settings(self) -> dict[str, Any]:
        return {**dict.fromkeys(SETTINGS), "title": "Many"}

    def tasks(self, after: int | None = None) -> Iterator[dict[str, Any]]:
        for n in range(1, self.number + 1):
            names = (*TASK_KINDS["annotations"], *ANNOTATION_ORIGIN)
            said = {**dict.fromkeys(names), "id": n, "result": [choice()], "completed_by": "a@b.co"}
            data = {"image": f"{n}.png", "text": f"{n} " * 400}
            more = {"annotations": [said], "predictions": [], "drafts": []}
            yield {
                **dict.fromkeys(TASK_ORIGIN),
                "id": n,
                "data": data,
                "meta": {},
                "overlap": 1,
                **more,
            }

    def users(self) -> Iterator[dict[str, Any]]:
        return iter(())

    def related(self, kind: str) -> Iterator[dict[str, Any]]:
        return iter(())

    def some_tasks(self, ids: Iterable[int]) -> Iterator[dict[str, Any]]:
        return (task for task in self.tasks() if task["id"] in set(ids))

    def task_ids(self) -> Iterator[int]:
        return iter(range(1, self.number + 1))

    def unskippable(self) -> frozenset[int]:
        return frozenset({1})

    def open_file(self, file: str) -> AbstractContextManager[BinaryIO]:
        return io.BytesIO(b"")


@pytest.mark.slow
def test_memory_stays_flat(tmp_path: Path) -> None:
    def peak(number: int) -> float:
        path = tmp_path / f"{number}.zip"
        tracemalloc.start()
        try:
            snapshot(Many(number), path)
            with ArchiveSource(path) as source:
                assert sum(1 for _ in source.tasks()) == number
                assert source.unskippable() == {1}
                assert [row["id"] for row in source.some_tasks([number, 1, 10**9])] == [1, number]
                assert [row["id"] for row in source.tasks(after=number - 2)] == [number - 1, number]
            return tracemalloc.get_traced_memory()[1] / 1e6
        finally:
            tracemalloc.stop()

    few, many = peak(2000), peak(6000)
    assert many < few + 1.5, f"{few:.1f} MB, then {many:.1f} MB"


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=5,
)


@settings(max_examples=30)
@given(
    datas=st.lists(st.dictionaries(st.text(max_size=3), values, max_size=3), max_size=5),
    cut=st.integers(0, 6),
)
def test_any_rows_of_tasks_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, datas: list[dict[str, Any]], cut: int
) -> None:
    said: dict[str, Any] = {"annotations": [], "predictions": [], "drafts": [], "meta": {}}
    said |= {**dict.fromkeys(TASK_ORIGIN), "overlap": 1}
    rows: list[dict[str, Any]] = [
        {"id": 2 * n, "data": data, **said} for n, data in enumerate(datas)
    ]

    class Some(Many):
        def tasks(self, after: int | None = None) -> Iterator[dict[str, Any]]:
            return iter(rows)

    path = tmp_path_factory.mktemp("snapshot") / "some.zip"
    snapshot(Some(len(rows)), path)
    with ArchiveSource(path) as source:
        assert list(source.tasks()) == rows
        assert list(source.tasks(after=cut)) == [row for row in rows if row["id"] > cut]
        assert list(source.some_tasks([cut, 2])) == [row for row in rows if row["id"] in (cut, 2)]
