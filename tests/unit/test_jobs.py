"""What takes a while: waiting for it, and being told why it failed, on a server with a queue."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelstudio_orm import ImportStorage, JobFailed, LabelStudio, Project, Retry, Timeout
from labelstudio_orm.testing import FakeLabelStudio, Fault
from tests.conftest import CONFIG


@pytest.fixture
def fake() -> FakeLabelStudio:
    """A server that does imports, exports and syncs in the background."""
    return FakeLabelStudio(async_jobs=True)


@pytest.fixture
def pauses() -> list[float]:
    """The seconds that were waited."""
    return []


@pytest.fixture
def ls(fake: FakeLabelStudio, pauses: list[float]) -> LabelStudio:
    """A client that does not really wait."""
    retries = Retry(sleep=pauses.append)
    return LabelStudio(fake.url, fake.api_key, retries=retries, session=fake.session())


@pytest.fixture
def project(ls: LabelStudio) -> Project:
    """Three tasks."""
    made = ls.projects.create(title="Jobs", label_config=CONFIG)
    made.tasks.bulk_create([{"text": "a"}, {"text": "b"}, {"text": "c"}])
    return made


def test_an_import_is_waited_for(project: Project, pauses: list[float]) -> None:
    pauses.clear()
    job = project.imports.create([{"text": "d"}, {"text": "e"}])
    assert job.status == "created"
    looks: list[tuple[int, int | None]] = []
    assert job.wait(progress=lambda done, total: looks.append((done, total))) is job
    assert (job.status, job.task_count) == ("completed", 2)
    assert pauses == sorted(pauses)
    assert len(pauses) >= 1
    assert looks[0] == (0, None)
    assert looks[-1][0] == looks[-1][1]
    assert project.imports.get(job.id).task_ids == job.task_ids
    assert project.tasks.count() == 5


def test_bulk_create_gives_the_tasks_of_an_import_in_the_background(project: Project) -> None:
    made = project.tasks.bulk_create([{"text": "x"}, {"text": "y"}])
    assert [task.data["text"] for task in made] == ["x", "y"]
    assert [task.refresh().data["text"] for task in made] == ["x", "y"]


def test_an_import_that_fails_says_why(project: Project) -> None:
    job = project.imports.create([{"nothing": "that the config needs"}])
    with pytest.raises(JobFailed, match="text"):
        job.wait()
    assert project.tasks.count() == 3


def test_an_export_and_its_conversion(project: Project, tmp_path: Path) -> None:
    export = project.exports.create(title="e")
    assert export.status in ("created", "in_progress")
    assert export.wait().status == "completed"
    converted = export.convert("CSV")
    assert [one["status"] for one in converted.converted_formats] == ["completed"]
    assert export.convert("CSV") is export  # once more is no error
    assert "text" in export.download(tmp_path / "e.csv", "CSV").read_text().splitlines()[0]


def test_a_sync_is_waited_for_or_not(fake: FakeLabelStudio, project: Project) -> None:
    fake.blobs["s3://bucket/one.json"] = b'{"text": "from s3"}'
    storage = ImportStorage.S3(project=project, bucket="bucket").save()
    assert storage.sync(wait=False).status in ("queued", "in_progress")
    assert storage.wait().status == "completed"
    assert storage.last_sync_count == 1
    assert project.tasks.last().data["text"] == "from s3"  # type: ignore[union-attr]


def test_a_sync_that_fails_says_why(fake: FakeLabelStudio, project: Project) -> None:
    fake.blobs["s3://bucket/bad.json"] = b"no JSON at all"
    storage = ImportStorage.S3(project=project, bucket="bucket").save()
    with pytest.raises(JobFailed, match=r"ImportStorage.S3 .* failed: .+"):
        storage.sync()


def test_patience_ends(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    job = project.imports.create([{"text": "d"}])
    monkeypatch.setattr(job, "refresh", lambda: job)
    with pytest.raises(Timeout, match=r"still created after 0\.5 s"):
        job.wait(timeout=0.5)


def test_a_snapshot_whose_shapes_lack_a_size_says_so(
    fake: FakeLabelStudio, ls: LabelStudio, tmp_path: Path
) -> None:
    config = """<View><Image name="image" value="$image"/>
    <RectangleLabels name="box" toName="image"><Label value="Boat"/></RectangleLabels></View>"""
    project = ls.projects.create(title="Boats", label_config=config)
    box = project.config["box"].rectangle("Boat", x=1, y=1, width=5, height=5)
    project.tasks.create(data={"image": "a.png"}).annotations.create(result=[box])
    snapshot = project.exports.create(title="May").wait()
    for method, verb in (
        ("GET", lambda: snapshot.download(tmp_path / "boats.zip", "COCO")),
        ("POST", lambda: snapshot.convert("COCO")),
    ):
        fake.fault(method, f"/api/projects/{project.id}/exports/*", Fault.answer(500, {}))
        with pytest.raises(ValueError, match=r"annotation \d+ of task \d+, result\[0\]"):
            verb()
