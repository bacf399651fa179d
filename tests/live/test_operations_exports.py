"""Imports and exports, as a server does them."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm import BadRequest, JobFailed, LabelStudio, NotFound, Project
from labelstudio_orm.testing import LocalLabelStudio
from tests.live.parts.service import Service

pytestmark = pytest.mark.live


@pytest.fixture
def labelled(project: Project) -> Project:
    """Two tasks with an annotation, one without."""
    first, second, _ = project.tasks.bulk_create([{"text": letter} for letter in "abc"])
    first.annotations.create(result=[project.config["stars"].rating(1)])
    second.annotations.create(result=[project.config["stars"].rating(5)])
    return project


def data_of(path: Path) -> list[Any]:
    return [row["data"]["text"] for row in json.loads(path.read_text("utf-8"))]


# -- exports --------------------------------------------------------------------------------------


@pytest.mark.operation(
    "projects.exports.create",
    "projects.exports.get",
    "projects.exports.list",
    "projects.exports.download",
    "projects.exports.delete",
)
def test_a_snapshot_keeps_what_was(labelled: Project, tmp_path: Path) -> None:
    export = labelled.exports.create(title="All").wait()
    only = {"only_with_annotations": True}
    some = labelled.exports.create(title="Some", task_filter_options=only).wait()
    labelled.tasks.create(data={"text": "d"})

    assert {one.title for one in labelled.exports.all()} == {"All", "Some"}
    fresh = labelled.exports.get(export.id)
    assert (fresh.title, fresh.status) == ("All", "completed")
    assert data_of(fresh.download(tmp_path / "all.json")) == ["a", "b", "c"]
    assert data_of(some.download(tmp_path / "some.json")) == ["a", "b"]

    export.delete()
    assert list(labelled.exports.all()) == [some]
    with pytest.raises(NotFound):
        fresh.download(tmp_path / "gone.json")


@pytest.mark.operation("projects.exports.create", "projects.exports.download")
def test_a_snapshot_of_a_view(labelled: Project, tmp_path: Path) -> None:
    (first, *_) = labelled.tasks.all()
    view = labelled.views.create(data={"title": "One", "filters": filters_by_id(first.id)})
    export = labelled.exports.create(task_filter_options={"view": view}).wait()
    assert data_of(export.download(tmp_path / "one.json")) == ["a"]


def filters_by_id(number: int) -> dict[str, Any]:
    line = {"filter": "filter:tasks:id", "operator": "equal", "type": "Number", "value": number}
    return {"conjunction": "and", "items": [line]}


@pytest.mark.operation(
    "projects.exports.convert", "projects.exports.list_formats", "projects.exports.download"
)
def test_formats(labelled: Project, tmp_path: Path) -> None:
    names = {one["name"] for one in labelled.exports.formats()}
    assert {"JSON", "JSON_MIN", "CSV", "COCO"} <= names
    export = labelled.exports.create(title="All").wait()
    assert export.convert("CSV") is export
    (entry,) = labelled.exports.get(export.id).converted_formats
    assert (entry["export_type"], entry["status"]) == ("CSV", "completed")
    assert export.convert("CSV").converted_formats == [entry]
    path = export.download(tmp_path / "all.csv", "CSV")
    with path.open(newline="") as lines:
        assert [row["text"] for row in csv.DictReader(lines)] == ["a", "b", "c"]
    with pytest.raises(BadRequest, match="NOSUCH"):
        export.convert("NOSUCH")


@pytest.mark.operation("projects.exports.download_sync")
def test_exporting_at_once(labelled: Project, tmp_path: Path) -> None:
    assert data_of(labelled.export("JSON", tmp_path / "all.json")) == ["a", "b", "c"]
    path = labelled.export("JSON", tmp_path / "some.json", only_annotated=True)
    assert data_of(path) == ["a", "b"]


# -- imports --------------------------------------------------------------------------------------


@pytest.mark.operation("projects.import_tasks")
def test_importing_tasks(project: Project) -> None:
    job = project.imports.create([{"text": "a"}, {"data": {"text": "b"}, "meta": {"n": 1}}])
    assert (job.wait().task_count, job.annotation_count) == (2, 0)
    first, second = project.tasks.all()
    assert job.task_ids == [first.id, second.id]
    assert (first.data, second.meta) == ({"text": "a"}, {"n": 1})


@pytest.mark.operation("projects.import_tasks", "files.list")
def test_uploading_without_tasks(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"text": "a"}]')
    job = project.imports.create(file=path, commit_to_project=False)
    assert [file.id for file in project.files.all()] == job.file_upload_ids
    assert not project.tasks.exists()


@pytest.mark.operation("projects.import_tasks")
def test_importing_from_an_address(project: Project) -> None:
    with Service({"/tasks.json": lambda body: [{"text": "from afar"}]}) as service:
        job = project.imports.create(url=f"{service.url}/tasks.json")
    assert job.wait().task_count == 1
    assert [task.data for task in project.tasks.all()] == [{"text": "from afar"}]


@pytest.mark.operation("projects.import_tasks")
def test_importing_predictions_from_the_data(project: Project) -> None:
    tasks = [{"text": "a", "sentiment": "Positive"}, {"text": "b", "sentiment": "Negative"}]
    job = project.imports.create(tasks, preannotated_from_fields=["sentiment"])
    assert job.wait().prediction_count == 2
    assert [one.values() for one in project.predictions.all()] == [
        {"sentiment": "Positive"},
        {"sentiment": "Negative"},
    ]


@pytest.fixture
def background_import(server: LocalLabelStudio, project: Project) -> Callable[..., int]:
    """Stores an import as a server leaves it that imports in the background; gives its id.

    This edition never does that itself, yet shows and reports on what it finds in its database.
    """

    def store(id: int | None = None, **columns: Any) -> int:
        row = {
            "id": id,
            "project_id": project.id,
            "commit_to_project": True,
            "return_task_ids": True,
            "created_at": "2026-01-01 00:00:00",
            "updated_at": "2026-01-01 00:00:00",
            "annotation_count": 0,
            "prediction_count": 0,
            "duration": 0,
            "could_be_tasks_list": False,
            "task_count": 0,
            **dict.fromkeys(("file_upload_ids", "found_formats", "data_columns", "task_ids"), "[]"),
            **columns,
        }
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        statement = f"REPLACE INTO projects_projectimport ({names}) VALUES ({marks})"
        path = server.data_dir / "label_studio.sqlite3"
        with closing(sqlite3.connect(path, timeout=30)) as database, database:
            return int(database.execute(statement, list(row.values())).lastrowid or 0)

    return store


@pytest.mark.operation("tasks.create_many_status")
def test_waiting_for_an_import(
    background_import: Callable[..., int], ls: LabelStudio, project: Project
) -> None:
    id = background_import(status="in_progress")
    job = project.imports.get(id)
    assert job.status == "in_progress"
    done = {"status": "completed", "task_count": 2, "task_ids": "[7, 8]"}
    job.wait(progress=lambda *_: background_import(id, **done), timeout=30)
    assert (job.status, job.task_count, job.task_ids) == ("completed", 2, [7, 8])

    failed = background_import(status="failed", error="no such column")
    with pytest.raises(JobFailed, match="no such column"):
        project.imports.get(failed).wait()
