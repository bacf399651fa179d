"""Uploaded files: what the server has of them, on its disk too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labelstudio_orm import DoesNotExist, FileUpload, LabelStudio, Project
from labelstudio_orm.testing import LocalLabelStudio

pytestmark = pytest.mark.live


@pytest.fixture
def files(project: Project, tmp_path: Path) -> list[FileUpload]:
    """Three files of one task each, uploaded into the project."""
    contents = {
        "a.json": '[{"text": "first"}]',
        "b.json": '[{"text": "second"}]',
        "c.csv": "text\nthird\n",
    }
    paths = [tmp_path / name for name in contents]
    for path in paths:
        path.write_text(contents[path.name])
    project.imports.create(file=paths[:2])
    project.imports.create(file=paths[2])
    return list(project.files.all())


def on_disk(server: LocalLabelStudio, file: FileUpload) -> Path:
    return server.data_dir / "media" / file.file


@pytest.mark.operation("files.list", "files.get", "projects.import_tasks")
def test_uploading_and_reading(
    files: list[FileUpload], server: LocalLabelStudio, ls: LabelStudio, project: Project
) -> None:
    assert [file.name[9:] for file in files] == ["a.json", "b.json", "c.csv"]
    chosen = project.files.filter(id__in=[files[0].id, files[2].id])
    assert list(chosen) == [files[0], files[2]]
    fresh = ls.files.get(files[2].id)
    assert fresh.file == files[2].file
    assert on_disk(server, fresh).read_text() == "text\nthird\n"
    assert [task.data["text"] for task in project.tasks.all()] == ["first", "second", "third"]


@pytest.mark.operation("files.download")
def test_downloading(files: list[FileUpload], tmp_path: Path) -> None:
    path = files[2].download(tmp_path / "copy.csv")
    assert path.read_text() == "text\nthird\n"
    with files[0].open() as stream:
        assert json.load(stream) == [{"text": "first"}]


@pytest.mark.operation("files.update")
def test_replacing(
    files: list[FileUpload], ls: LabelStudio, server: LocalLabelStudio, tmp_path: Path
) -> None:
    other = tmp_path / "other.txt"
    other.write_text("replaced")
    file = files[0].replace(other)
    fresh = ls.files.get(file.id)
    assert fresh.file == file.file
    assert fresh.name.endswith("other.txt")
    assert on_disk(server, fresh).read_text() == "replaced"


@pytest.mark.operation("files.delete", "files.delete_many")
def test_deleting(files: list[FileUpload], ls: LabelStudio, project: Project) -> None:
    fresh = ls.files.get(files[0].id)
    files[0].delete()
    with pytest.raises(DoesNotExist):
        fresh.refresh()
    assert project.files.filter(id__in=[files[1].id]).delete() == 1
    assert list(project.files.all()) == [files[2]]
    assert project.files.filter(id__in=[]).delete() == 0
    assert project.files.all().delete() == 1
    assert not list(project.files.all())
    assert [task.file_upload for task in project.tasks.all()] == [None] * 3
