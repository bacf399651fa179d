"""What a script did wrong on an older release of the server, each on the newest one that has it.

They run by ``--releases``, or one release by ``LABELSTUDIO_ORM_SERVER``, as each installs a server.
"""

from __future__ import annotations

import contextlib
import runpy
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from labelstudio_orm import LabelStudio, NotSupportedByServer, OldServerWarning, Project, Q
from labelstudio_orm.migrate import copy_project, merge, restore, snapshot, sync
from labelstudio_orm.testing import FakeLabelStudio, LocalLabelStudio
from tests.helpers import present
from tests.live.parts.places import Disk, Place

CONFIG = """<View><Text name="text" value="$text"/><Image name="image" value="$image"/>
<Choices name="mood" toName="text"><Choice value="Good"/><Choice value="Bad"/></Choices></View>"""
IMAGE = "s3://tests/a.png"
GOOD = [{"from_name": "mood", "to_name": "text", "type": "choices", "value": {"choices": ["Good"]}}]

pytestmark = [
    pytest.mark.live,
    pytest.mark.filterwarnings("ignore::labelstudio_orm.OldServerWarning"),
]


def on_releases(*releases: str) -> Callable[[Any], Any]:
    """Run a test on each of these releases."""
    cases = [pytest.param(one, marks=pytest.mark.releases(one)) for one in releases]
    return pytest.mark.parametrize("local", cases, indirect=True)


@pytest.fixture(scope="module")
def local(request: pytest.FixtureRequest, disk: Disk) -> Iterator[LocalLabelStudio]:
    """A server of a release, for all tests on it."""
    files = {
        "LOCAL_FILES_SERVING_ENABLED": "true",
        "LOCAL_FILES_DOCUMENT_ROOT": str(disk.root),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OldServerWarning)
        server = LocalLabelStudio(version=request.param, settings=files)
        try:
            yield server.start(timeout=600)
        finally:
            server.stop()


@pytest.fixture
def old(local: LocalLabelStudio) -> Iterator[LabelStudio]:
    """A client that asks for the release by itself, as that of a user does."""
    with LabelStudio(local.url, local.api_key, allow_old_server=True, retries=0) as client:
        yield client


@pytest.fixture
def project(old: LabelStudio) -> Iterator[Project]:
    """12 tasks, of which three have annotations: by me, by both, by Bob."""
    made = old.projects.create(title="Old", label_config=CONFIG)
    me = old.users.me()
    bob = old.users.filter(email="bob@example.com").first() or old.users.create(
        email="bob@example.com"
    )
    authors = {0: [me], 1: [me, bob], 2: [bob]}
    made.tasks.bulk_create(
        {
            "data": {
                "text": str(number),
                "image": IMAGE,
                "n": number,
                "even": not number % 2,
            },
            "annotations": [
                {"result": GOOD, "completed_by": one.id} for one in authors.get(number, ())
            ],
            "predictions": [{"result": GOOD, "score": 0.5, "model_version": "m"}],
        }
        for number in range(12)
    )
    yield made
    with contextlib.suppress(Exception):
        made.delete()


def raw(local: LocalLabelStudio, method: str, path: str, json: Any = None) -> Any:
    """Return the server's answer to a request of another client."""
    headers = {"Authorization": f"Token {local.api_key}"}
    answer = requests.request(method, local.url + path, headers=headers, json=json, timeout=60)
    answer.raise_for_status()
    return answer.json() if answer.content else None


# -- below 1.23 ------------------------------------------------------------------------------------


@on_releases("1.22.0", "1.15.0", "1.12.1", "1.8.2.post1")
def test_addresses_of_storages_are_kept(
    old: LabelStudio, project: Project, place: Callable[[str], Place]
) -> None:
    """In their place the server gives links that soon end, which were saved."""
    place("s3").put("a", "a.json", {})
    project.import_storages.s3.create(**place("s3").fields("a"), use_blob_urls=True)
    task = old.tasks.get(present(project.tasks.first()).id)
    for number, one in enumerate((task, task.refresh(), old.tasks.get(task.id))):
        one.data["seen"] = number
        one.save()
        assert one.refresh().data["image"] == IMAGE
    assert project.tasks.filter(id=task.id).update(overlap=2).updated == 1
    assert project.tasks.filter(id=task.id).update(data__seen="yes").updated == 1
    stored = project.tasks.filter(id=task.id).values_list("data", flat=True)[0]
    assert stored == {**task.data, "image": IMAGE, "seen": "yes"}


@on_releases("1.22.0")
def test_a_setting_that_the_server_lacks(old: LabelStudio, project: Project) -> None:
    project.annotator_evaluation_enabled = True
    with pytest.raises(NotSupportedByServer, match=r"evaluation_enabled: .* needs .* 1\.23 or"):
        project.save()
    project.annotator_evaluation_enabled = False
    project.annotation_limit_count = 5
    project.description = "stored"
    with pytest.raises(NotSupportedByServer, match=r"1\.22\.0\) does not have annotation_limit"):
        project.save()
    assert project.refresh().description == "stored"


# -- below 1.22 ------------------------------------------------------------------------------------


@on_releases("1.20.0", "1.15.0", "1.13.1", "1.12.1", "1.8.2.post1")
def test_copies_from_and_to(old: LabelStudio, project: Project, tmp_path: Path, disk: Disk) -> None:
    """The annotators are found without their listing, and sizes that are unknown do not differ."""
    folder = disk.root / "copied"
    folder.mkdir(exist_ok=True)
    path = tmp_path / "a.txt"
    path.write_text("one")
    file = project.files.upload(path).file
    project.tasks.create(data={"text": f"/data/{file}", "image": "", "n": 12})
    project.views.create(title="First", filters=Q(total_annotations=0))
    project.views.create(title="Second", filters=Q(id__gt=1) | Q(total_annotations=1))
    project.import_storages.local.create(path=str(folder), use_blob_urls=True)
    memory = FakeLabelStudio()
    memory.blobs[f"localfiles://{folder}/"] = b""
    fake = memory.client()
    there = copy_project(project, to=fake, missing_users="create")
    assert there.ok, str(there)
    back = copy_project(present(there.target), to=old, title="Back", missing_users="create")
    assert back.ok, str(back)
    twin = present(back.target)
    assert (twin.tasks.count(), twin.files.count(), twin.annotations.count()) == (13, 1, 4)
    assert [view.data["title"] for view in twin.views] == ["First", "Second"]
    snapshot(project, tmp_path / "old.zip")
    restored = restore(tmp_path / "old.zip", fake, missing_users="create")
    assert restored.ok, str(restored)
    twin.delete()


@on_releases("1.20.0", "1.13.1")
def test_losses_of_a_copy_are_named(old: LabelStudio, tmp_path: Path, disk: Disk) -> None:
    """They are the tasks that may not be skipped, flat scans, and the evaluation of annotators."""
    folder = disk.root / "flat"
    folder.mkdir(exist_ok=True)
    fake = FakeLabelStudio()
    fake.blobs[f"localfiles://{folder}/"] = b""
    source = fake.client().projects.create(
        title="New", label_config=CONFIG, annotator_evaluation_enabled=True
    )
    source.tasks.bulk_create(
        {"data": {"text": text, "image": ""}, "allow_skip": text != "b"} for text in "abc"
    )
    source.import_storages.local.create(path=str(folder), recursive_scan=False)
    journal = tmp_path / "copy.db"
    report = copy_project(source, to=old, journal=journal)
    assert report.ok, str(report)
    lost = {f"{one.kind}.{one.field}": one.count for one in report.losses}
    assert lost["tasks.allow_skip"] == 1
    assert lost["settings.annotator_evaluation_enabled"] == 1
    assert lost["storages.recursive_scan"] == 1
    assert sync(source, present(report.target), journal=journal).ok
    into = old.projects.create(title="Into", label_config=CONFIG)
    merged = merge([source], into=into, key="data.text")
    assert [one.count for one in merged.losses if one.field == "allow_skip"] == [1], str(merged)
    for one in (into, present(report.target)):
        one.delete()


@on_releases("1.20.0")
def test_tasks_that_may_not_be_skipped_are_refused(project: Project) -> None:
    with pytest.raises(NotSupportedByServer, match=r"allow_skip: .* needs Label Studio 1\.22"):
        project.tasks.bulk_create([{"data": {"text": "a", "image": ""}, "allow_skip": False}])


# -- below 1.21 ------------------------------------------------------------------------------------


@on_releases("1.20.0", "1.15.0", "1.13.1")
def test_disjunctions_of_conjunctions(local: LocalLabelStudio, project: Project) -> None:
    """The server drops the second condition of each line: of counts, pages and views."""
    first = present(project.tasks.first()).id
    project.tasks.bulk_create({"text": str(n), "image": "", "n": n} for n in range(12, 250))
    pairs = Q(id__lte=first + 1, total_annotations__gte=1) | Q(
        id__gte=first + 240, inner_id__lte=245
    )
    assert project.tasks.filter(pairs).count() == 2 + 5
    assert [task.data["n"] for task in project.tasks.filter(pairs)] == [0, 1, *range(240, 245)]
    either = Q(total_annotations=0) | Q(id=first)
    assert len(list(project.tasks.filter(either).iterator(workers=2))) == 248
    assert project.tasks.exclude(inner_id__range=(3, 240)).count() == 12
    assert sum(part.count() for part in project.tasks.filter(either).partitions(3)) == 248
    with pytest.raises(NotSupportedByServer, match=r"conditions needs Label Studio 1\.21 or newer"):
        project.views.create(title="Pairs", filters=pairs)
    view = project.views.create(title="Any", filters=either)
    assert view.tasks.count() == 248
    view.filters = pairs
    with pytest.raises(NotSupportedByServer, match=r"conditions needs Label Studio 1\.21 or newer"):
        view.save()
    project.tasks.filter(pairs).perform("delete_tasks_annotations")
    assert project.annotations.count() == 1
    assert raw(local, "GET", f"/api/projects/{project.id}/")["total_annotations_number"] == 1


@on_releases("1.20.0", "1.13.1")
def test_the_quickstart(local: LocalLabelStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", local.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", local.api_key)
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "examples")
    runpy.run_path(
        str(Path(__file__).parents[2] / "examples" / "quickstart.py"), run_name="__main__"
    )


@on_releases("1.20.0")
def test_storages_without_their_folders_are_refused(project: Project) -> None:
    with pytest.raises(NotSupportedByServer, match=r"recursive_scan: .* needs Label Studio 1\.21"):
        project.import_storages.local.create(path="/data/a", recursive_scan=False)


# -- below 1.20 ------------------------------------------------------------------------------------


@on_releases("1.18.0", "1.13.1")
def test_annotations_of_others_are_not_deleted(project: Project) -> None:
    _, bob = project.annotators()
    with pytest.raises(NotSupportedByServer, match=r"annotator needs Label Studio 1\.20 or newer"):
        project.tasks.all().perform("delete_tasks_annotations", annotator=bob)
    assert project.annotations.count() == 4


# -- below 1.15 ------------------------------------------------------------------------------------


@on_releases("1.14.0.post0", "1.13.1")
def test_keys_of_data_beside_undefined_data(old: LabelStudio, tmp_path: Path) -> None:
    """The server compares each key with what is stored as $undefined$, which is nothing."""
    project = old.projects.create(title="Undefined")
    path = tmp_path / "a.txt"
    path.write_text("one\ntwo\n")
    project.imports.create(file=path)
    project.label_config = '<View><Text name="text" value="$text"/></View>'
    project.save()
    project.tasks.bulk_create([{"text": "three"}, {"text": "four"}])
    present(project.tasks.first()).annotations.create(result=[])
    for text in ("one", "three", "four"):
        assert [task.data["text"] for task in project.tasks.filter(data__text=text)] == [text]
    assert project.tasks.filter(data__text="three").update(overlap=2).updated == 1
    done = project.tasks.bulk_create([{"text": "three"}], on_conflict="skip", key="data.text")
    assert (done.summary.created, project.tasks.count()) == (0, 4)
    project.delete()


# -- below 1.14, on SQLite -------------------------------------------------------------------------


@on_releases("1.13.1", "1.12.1")
def test_booleans_in_data(project: Project) -> None:
    """The server shows true as 1, which contains no "true"."""
    project.tasks.bulk_create(
        [{"text": "1", "image": "", "even": 1}, {"text": "t", "image": "", "even": "true"}]
    )
    yes = project.tasks.filter(data__even=True)
    assert [task.data["n"] for task in yes] == [0, 2, 4, 6, 8, 10]
    assert project.tasks.filter(data__even__in=[False]).count() == 6
    assert project.tasks.exclude(data__even=True).count() == 8
    assert yes.update(overlap=3).updated == 6
    done = project.tasks.bulk_create(
        [{"text": "x", "image": "", "even": False}], on_conflict="skip", key="data.even"
    )
    assert (done.summary.created, project.tasks.count()) == (0, 14)
    assert project.tasks.filter(data__even=False).delete().deleted == 6
    assert project.tasks.count() == 8


# -- below 1.13.1 ----------------------------------------------------------------------------------


@on_releases("1.12.1", "1.8.2.post1")
def test_an_answer_without_content_that_has_a_body(old: LabelStudio) -> None:
    """It would begin the answer to the next request on the connection."""
    for _ in range(3):
        project = old.projects.create(title="Emptied", label_config=CONFIG)
        project.tasks.bulk_create([{"text": "a", "image": ""}])
        old.request("DELETE", f"/api/projects/{project.id}/tasks/")
        made = project.tasks.create(data={"text": "b", "image": ""})
        assert project.tasks.count() == 1
        assert made.refresh().data == {"text": "b", "image": ""}
        project.tasks.all().delete()
        project.delete()


@on_releases("1.12.1", "1.8.2.post1")
def test_tabs_cannot_be_ordered(project: Project) -> None:
    views = [project.views.create(title=title) for title in "ab"]
    with pytest.raises(
        NotSupportedByServer, match=r"views .* needs Label Studio 1\.13\.1 or newer"
    ):
        project.views.set_order(reversed(views))


# -- below 1.12, 1.11 and 1.10 ---------------------------------------------------------------------


@on_releases("1.10.1", "1.8.2.post1")
def test_predictions_of_a_version_are_deleted_one_by_one(project: Project) -> None:
    present(project.tasks.first()).predictions.create(result=GOOD, model_version="other")
    assert project.predictions.filter(model_version="m").delete().deleted == 12
    assert [one.model_version for one in project.predictions] == ["other"]


@on_releases("1.10.1")
def test_what_names_the_release_that_has_it(old: LabelStudio, project: Project) -> None:
    task = present(project.tasks.first())
    refused: dict[str, Callable[[], Any]] = {
        r"storage_filename: .* needs Label Studio 1\.11": project.tasks.filter(
            storage_filename__contains="a"
        ).count,
        r"model_run: .* needs Label Studio 1\.12": lambda: task.predictions.create(
            result=GOOD, model_run=1
        ),
        r"personal access tokens needs Label Studio 1\.17": lambda: old.tokens.all(),
        r"hotkeys needs Label Studio 1\.21": old.users.me().get_hotkeys,
        r"custom_hotkeys: hotkeys needs Label Studio 1\.21": old.users.filter(
            custom_hotkeys={}
        ).count,
        r"session policy needs Label Studio 1\.20": old.session_policy,
        r"counters of projects .* needs Label Studio 1\.16": old.projects.counts,
    }
    for says, act in refused.items():
        with pytest.raises(NotSupportedByServer, match=says):
            act()


@on_releases("1.8.2.post1")
def test_predictions_of_one_project(old: LabelStudio, project: Project) -> None:
    other = old.projects.create(title="Other", label_config=CONFIG)
    task = other.tasks.create(data={"text": "a", "image": ""})
    task.predictions.create(result=GOOD, model_version="m")
    assert [one.task_id for one in other.predictions] == [task.id]
    assert old.predictions.filter(project=other).count() == 1
    assert other.predictions.filter(model_version="m").delete().deleted == 1
    assert project.predictions.count() == 12
    assert project.predictions.all().delete().deleted == 12
    other.delete()


@on_releases("1.8.2.post1")
def test_a_release_that_is_not_supported_is_refused(local: LocalLabelStudio) -> None:
    with (
        LabelStudio(local.url, local.api_key) as strict,
        pytest.raises(NotSupportedByServer, match=r"1\.8\.2.*allow_old_server=True"),
    ):
        strict.projects.create(title="No", annotator_evaluation_enabled=True)
