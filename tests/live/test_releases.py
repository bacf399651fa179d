"""What an older release of the server does otherwise is done another way, or refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from labelstudio_orm import LabelStudio, NotSupportedByServer, Project, Q
from labelstudio_orm.migrate import copy_project, restore, snapshot
from labelstudio_orm.testing import LocalLabelStudio
from tests.helpers import present

pytestmark = pytest.mark.live

OLD = "1.18.0"
CONFIG = """<View><Text name="text" value="$text"/><Image name="image" value="$image"/>
<Choices name="mood" toName="text"><Choice value="Good"/><Choice value="Bad"/></Choices></View>"""
GOOD = [{"from_name": "mood", "to_name": "text", "type": "choices", "value": {"choices": ["Good"]}}]


@pytest.fixture(scope="module")
def old_server() -> Iterator[LocalLabelStudio]:
    with LocalLabelStudio(version=OLD) as local:
        yield local


@pytest.fixture(scope="module")
def old(old_server: LocalLabelStudio) -> Iterator[LabelStudio]:
    """A client that asks for the release by itself, as that of a user does."""
    with LabelStudio(old_server.url, old_server.api_key) as client:
        yield client


@pytest.fixture
def project(old: LabelStudio) -> Iterator[Project]:
    """120 tasks, more than one page; the first three are annotated, one of them by Bob."""
    made = old.projects.create(title="Old", label_config=CONFIG)
    me = old.users.me()
    bob = old.users.filter(email="bob@example.com").first() or old.users.create(
        email="bob@example.com"
    )
    authors = {0: [me], 1: [me, bob], 2: [bob]}
    made.tasks.bulk_create(
        {
            "data": {"text": str(number), "image": "s3://bucket/a.png", "n": number},
            "annotations": [
                {"result": GOOD, "completed_by": one.id} for one in authors.get(number, ())
            ],
            "predictions": [{"result": GOOD, "score": 0.5, "model_version": "m"}],
        }
        for number in range(120)
    )
    yield made
    made.delete()


def test_the_release_is_known(old: LabelStudio) -> None:
    assert old.server().release == OLD


def test_addresses_of_storages_are_kept(
    old: LabelStudio, project: Project, old_server: LocalLabelStudio
) -> None:
    """The server gives links in their place where a storage has the bucket."""
    requests.post(
        f"{old_server.url}/api/storages/s3",
        headers={"Authorization": f"Token {old_server.api_key}"},
        json={"project": project.id, "bucket": "bucket", "title": "S3", "use_blob_urls": True},
        timeout=60,
    )
    task = old.tasks.get(present(project.tasks.first()).id)
    assert task.data["image"] == "s3://bucket/a.png"
    task.data["seen"] = True
    task.save()
    assert task.refresh().data["image"] == "s3://bucket/a.png"
    stored = project.tasks.filter(id=task.id).values_list("data", flat=True)
    assert list(stored) == [{"text": "0", "image": "s3://bucket/a.png", "n": 0, "seen": True}]


def test_disjunctions_of_conjunctions(project: Project) -> None:
    """The server drops the second condition of each line, also where a page begins."""
    ids = list(project.tasks.values_list("id", flat=True))
    pairs = Q(id__lte=ids[9], total_annotations__gte=1) | Q(id__gte=ids[110], inner_id__lte=115)
    assert project.tasks.filter(pairs).count() == 3 + 5
    assert [task.data["n"] for task in project.tasks.filter(pairs)] == [0, 1, 2, *range(110, 115)]
    either = Q(total_annotations=0) | Q(id__lte=ids[1])
    assert len(list(project.tasks.filter(either).iterator(workers=2))) == 119
    assert project.tasks.exclude(inner_id__range=(3, 118)).count() == 4
    with pytest.raises(NotSupportedByServer, match=r"1\.21 or newer; the server at .* is 1\.18\.0"):
        project.views.create(title="Pairs", filters=pairs)
    view = project.views.create(title="Any", filters=Q(total_annotations=0) | Q(id=ids[0]))
    assert view.tasks.count() == 118


def test_annotations_of_others_are_not_deleted(old: LabelStudio, project: Project) -> None:
    """The server ignores whose were meant."""
    me, bob = project.annotators()
    assert [me.email, bob.email] == [old.users.me().email, "bob@example.com"]
    with pytest.raises(NotSupportedByServer, match=r"one annotator needs Label Studio 1\.20"):
        project.tasks.all().perform("delete_tasks_annotations", annotator=bob)
    assert project.annotations.count() == 4


def test_what_would_be_dropped_is_refused(old: LabelStudio, project: Project) -> None:
    project.annotator_evaluation_enabled = True
    with pytest.raises(NotSupportedByServer, match=r"1\.23 or newer"):
        project.save()
    with pytest.raises(NotSupportedByServer, match=r"hotkeys needs Label Studio 1\.21"):
        old.users.me().get_hotkeys()


def test_a_copy_to_the_newest_release_and_back(
    old: LabelStudio, project: Project, server: LocalLabelStudio, tmp_path: Path
) -> None:
    newest = server.client()
    path = tmp_path / "a.txt"
    path.write_text("one")
    file = project.files.upload(path).file
    project.tasks.create(data={"text": f"/data/{file}", "image": "", "n": 120})
    there = copy_project(project, to=newest, missing_users="create")
    assert there.ok, str(there)
    assert there.target is not None
    back = copy_project(there.target, to=old, title="Back")
    assert back.ok, str(back)
    assert back.target is not None
    assert back.target.tasks.count() == 121
    assert back.target.files.count() == 1
    assert back.target.annotations.count() == project.annotations.count() == 4
    snapshot(project, tmp_path / "old.zip")
    restored = restore(tmp_path / "old.zip", newest, missing_users="create")
    assert restored.ok, str(restored)
    for one in (there.target, back.target, restored.target):
        assert one is not None
        one.delete()
