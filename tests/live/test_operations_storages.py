"""Storages of every type, with the place where each keeps its objects."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm import APIError, ExportStorage, ImportStorage, JobFailed, LabelStudio, Project
from tests.live.parts.places import Disk, Place

pytestmark = pytest.mark.live

Places = Callable[[str], Place]
KINDS = {"azure": "Azure", "gcs": "GCS", "local": "Local", "redis": "Redis", "s3": "S3"}
VERBS = ("list", "create", "validate", "get", "delete", "update", "sync")


def of(kind: str, *operations: str) -> Any:
    """A parameter, with the operations that its test does."""
    return pytest.param(kind, marks=pytest.mark.operation(*operations))


def each_type(family: str) -> pytest.MarkDecorator:
    """Run a test for each type of storage; it must do all operations of this type."""
    operations = {kind: [f"{family}.{kind}.{verb}" for verb in VERBS] for kind in KINDS}
    return pytest.mark.parametrize("kind", [of(kind, *operations[kind]) for kind in KINDS])


@pytest.fixture
def folder() -> str:
    """The name of a folder that no other test uses."""
    return f"folder-{uuid.uuid4().hex[:8]}"


def texts(project: Project) -> list[Any]:
    return [task.data["text"] for task in project.tasks.all()]


@each_type("import_storage")
def test_import(kind: str, place: Places, folder: str, ls: LabelStudio, project: Project) -> None:
    there = place(kind)
    there.put(folder, "1.json", {"text": "one"})
    storages = getattr(project.import_storages, kind)

    storage = storages.create(title="Incoming", **there.fields(folder))
    assert storage.sync() is storage
    assert (storage.status, storage.last_sync_count) == ("completed", 1)
    assert texts(project) == ["one"]

    (listed,) = storages.all()
    assert (listed, listed.title) == (storage, "Incoming")
    storage.title = "Renamed"
    storage.save()
    again = getattr(ls.import_storages, kind).get(storage.id)
    assert again.title == "Renamed"

    there.put(folder, "2.json", {"text": "two"})
    again.validate().sync()  # the keys are still there, although nobody has seen them since
    assert texts(project) == ["one", "two"]

    again.delete()
    assert not list(storages.all())
    assert texts(project) == ["one", "two"]


@each_type("export_storage")
def test_export(kind: str, place: Places, folder: str, ls: LabelStudio, project: Project) -> None:
    there = place(kind)
    task = project.tasks.create(data={"text": "a"})
    first = task.annotations.create(result=[project.config["stars"].rating(1)])
    storages = getattr(project.export_storages, kind)

    storage = storages.create(title="Outgoing", **there.fields(folder))
    assert there.read(folder, str(first.id))["task"]["data"] == {"text": "a"}

    (listed,) = storages.all()
    assert (listed, listed.title) == (storage, "Outgoing")
    storage.title = "Renamed"
    storage.save()
    again = getattr(ls.export_storages, kind).get(storage.id)
    assert again.title == "Renamed"

    second = task.annotations.create(result=[])
    assert there.read(folder, str(second.id))["result"] == []
    there.put(folder, str(second.id), "spoilt")
    again.validate().sync()
    assert (again.status, again.last_sync_count) == ("completed", 2)
    assert there.read(folder, str(second.id))["result"] == []

    again.delete()
    assert not list(storages.all())
    third = task.annotations.create(result=[])
    assert str(third.id) not in there.names(folder)


@pytest.mark.parametrize("kind", [of(kind) for kind in KINDS])
@pytest.mark.parametrize("family", [ImportStorage, ExportStorage])
def test_a_place_that_is_not_there_is_refused(
    family: Any, kind: str, place: Places, folder: str, project: Project
) -> None:
    there = place(kind)
    there.put(folder, "1.json", {"text": "one"})
    found = there.fields(folder)
    model = getattr(family, KINDS[kind])
    storage = model(project=project, **found).validate()
    lost = model(project=project, **{**found, **there.lost()})
    with pytest.raises(APIError) as caught:
        lost.validate()
    secrets = [value for name, value in found.items() if "key" in name]
    assert not any(secret in str(caught.value) + repr(storage) for secret in secrets)
    with pytest.raises(APIError):
        lost.save()
    assert not list(project.import_storages.all())
    assert not list(project.export_storages.all())


@pytest.mark.parametrize(
    ("family", "path"),
    [
        (ImportStorage, "/api/storages/localfiles"),
        (ExportStorage, "/api/storages/export/localfiles"),
    ],
)
def test_validating_stores_nothing(
    family: Any, path: str, disk: Disk, folder: str, ls: LabelStudio, project: Project
) -> None:
    """Given the id of a storage, the server stores what it validates, and the defaults of what it
    was not told.
    """
    storage = family.Local(project=project, **disk.fields(folder)).save()
    other = {**disk.fields(folder), "synchronizable": False}
    ls.request("PATCH", f"{path}/{storage.id}", json=other)
    storage.refresh().validate()
    assert not storage.refresh().synchronizable
    storage.title = "Not yet"
    storage.validate()
    assert storage.changes == {"title": (None, "Not yet")}
    assert storage.refresh().title is None


def test_secrets_are_needed_again_to_validate_changes(
    place: Places, folder: str, ls: LabelStudio, project: Project
) -> None:
    there = place("s3")
    there.put(folder, "1.json", {"text": "one"})
    saved = ImportStorage.S3(project=project, **there.fields(folder)).save()
    storage = ls.import_storages.s3.get(saved.id)
    storage.prefix = "nowhere"
    with pytest.raises(ValueError, match="aws_access_key_id"):
        storage.validate()
    assert storage.refresh().prefix == folder


@pytest.mark.operation("import_storage.local.sync")
def test_a_sync_that_fails_says_why(disk: Disk, folder: str, project: Project) -> None:
    storage = ImportStorage.Local(project=project, **disk.fields(folder)).save()
    (disk.root / folder / "1.json").write_text("{")
    with pytest.raises(JobFailed, match=r"1\.json"):
        storage.sync()
    assert storage.status == "failed"
    assert not project.tasks.exists()


@pytest.mark.operation("import_storage.list_types", "export_storage.list_types")
def test_types(disk: Disk, folder: str, ls: LabelStudio, project: Project) -> None:
    names = {"azure", "gcs", "localfiles", "redis", "s3"}
    assert {kind["name"] for kind in ls.import_storages.types()} == names
    assert {kind["name"] for kind in ls.export_storages.types()} == names
    source = ImportStorage.Local(project=project, **disk.fields(folder)).save()
    target = ExportStorage.Local(project=project, **disk.fields(folder)).save()
    listed: Any
    (listed,) = project.import_storages.all()
    assert (type(listed), listed.id) == (ImportStorage.Local, source.id)
    (kept,) = project.export_storages.all()
    assert (type(kept), kept.id) == (ExportStorage.Local, target.id)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("azure", {"presign": False}), ("local", {}), ("s3", {"presign": False}), ("s3", {})],
)
def test_the_files_of_tasks_are_downloaded(
    kind: str,
    options: dict[str, Any],
    place: Places,
    folder: str,
    project: Project,
    tmp_path: Path,
) -> None:
    there = place(kind)
    there.put(folder, "1 a.json", {"text": "one"})
    fields = there.fields(folder) | options
    getattr(project.import_storages, kind).create(use_blob_urls=True, **fields).sync()
    found = project.tasks.download(tmp_path, key="text")
    assert [json.loads(file.path.read_bytes()) for file in found] == [{"text": "one"}]
    assert project.tasks.download(tmp_path, key="text").summary.skipped == 1
