"""Files are the same where their names and contents are: in merged projects and in comparisons."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio_orm import LabelStudio, LabelStudioError, Project
from labelstudio_orm._migrate.engine.archived import ArchiveSource
from labelstudio_orm._migrate.engine.files import SameFiles
from labelstudio_orm._migrate.engine.journal import Journal
from labelstudio_orm._migrate.engine.media import Media
from labelstudio_orm._migrate.engine.source import LiveSource
from labelstudio_orm.migrate import copy_project, dedupe, merge, snapshot, verify
from labelstudio_orm.testing import FakeLabelStudio
from labelstudio_orm.testing.fake import Fault

CONFIG = """\
<View>
  <Image name="image" value="$image"/>
  <Choices name="mood" toName="image"><Choice value="calm"/><Choice value="wild"/></Choices>
</View>
"""


class _Files:
    """A source that has files, and counts how often each is read; those of None cannot be."""

    def __init__(self, files: list[tuple[str, bytes | None, bool]]) -> None:
        self.contents = {
            f"upload/1/{place:08x}-{name}": (content, listed)
            for place, (name, content, listed) in enumerate(files)
        }
        self.read: Counter[str] = Counter()

    def related(self, kind: str) -> Iterator[dict[str, Any]]:
        assert kind == "files"
        for path, (content, listed) in self.contents.items():
            if listed:
                yield {"file": path, "size": None if content is None else len(content)}

    @contextmanager
    def open_file(self, file: str) -> Iterator[BinaryIO]:
        self.read[file] += 1
        content = self.contents[file][0]
        if content is None:
            raise LabelStudioError("gone")
        yield io.BytesIO(content)


contents = st.none() | st.sampled_from([b"", b"a", b"b", b"aa", b"ab"])
files = st.lists(st.tuples(st.sampled_from(["a.png", "b.png"]), contents, st.booleans()))


@given(st.lists(files, min_size=1, max_size=3))
def test_names_are_equal_where_files_are(sides: list[Any]) -> None:
    same = SameFiles()
    sources = [_Files(side) for side in sides]
    found: dict[tuple[int, str], str] = {}
    for _ in range(2):
        for number, source in enumerate(sources):
            for path in source.contents:
                name = same.name(source, f"http://{number}", path)  # type: ignore[arg-type]
                assert found.setdefault((number, path), name) == name
    told: dict[Any, set[str]] = {}
    for (number, path), name in found.items():
        content = sources[number].contents[path][0]
        what = (number, path) if content is None else content
        told.setdefault((path.rpartition("-")[2], what), set()).add(name)
    assert all(len(names) == 1 for names in told.values())
    assert len(set(found.values())) == len(told)
    assert all(times == 1 for source in sources for times in source.read.values())


def test_what_has_a_name_of_its_own_is_not_read() -> None:
    source = _Files([("a.png", b"a", True), ("b.png", b"b", False), ("a.png", b"aa", True)])
    same = SameFiles()
    for path in source.contents:
        same.name(source, "http://a", path)  # type: ignore[arg-type]
    assert not source.read


# -- merging --------------------------------------------------------------------------------------

Make = Callable[..., Project]


@pytest.fixture
def ls(fake: FakeLabelStudio) -> LabelStudio:
    return fake.client()


@pytest.fixture
def make(tmp_path: Path, ls: LabelStudio) -> Make:
    def project(*pictures: tuple[str, bytes, str], client: LabelStudio = ls) -> Project:
        """A project with pictures, each of a name and a content, and of what was said of it."""
        made = client.projects.create(title="Pictures", label_config=CONFIG)
        for name, content, said in pictures:
            (tmp_path / name).write_bytes(content)
            file = made.files.upload(tmp_path / name).file
            task = made.tasks.create(data={"image": f"/data/{file}", "said": said})
            if said:
                task.annotations.create(result=[made.config["mood"].choice(said)])
        return made

    return project


def said(project: Project) -> list[tuple[bytes, list[str]]]:
    """What was said of which picture."""
    found = []
    for task in project.tasks.prefetch("annotations"):
        with project.files.open(task.data["image"]) as stream:
            content = stream.read()
        moods = [one.result[0]["value"]["choices"][0] for one in task.annotations]
        found.append((content, sorted(moods)))
    return sorted(found)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_pictures_of_one_name_and_size_are_two(make: Make, elsewhere: bool) -> None:
    far = FakeLabelStudio("http://far.fake").client()
    one = make(("a.png", b"calm", "calm"))
    two = make(("a.png", b"wild", "wild"), **({"client": far} if elsewhere else {}))
    both = make()
    wanted = [(b"calm", ["calm"]), (b"wild", ["wild"])]
    for _ in range(2):
        report = merge([one, two], into=both, key="data.image")
        assert report.ok, str(report)
        assert said(both) == wanted
        assert both.files.count() == 2


def test_a_picture_of_a_target_is_another_one(make: Make) -> None:
    both = make(("a.png", b"calm", "calm"))
    other = make(("a.png", b"wild", "wild"), ("a.png", b"calm", "wild"))
    assert merge([other], into=both, key="data.image").ok
    assert said(both) == [(b"calm", ["calm", "wild"]), (b"wild", ["wild"])]
    assert both.files.count() == 2


def test_equal_pictures_are_one_and_are_uploaded_once(
    make: Make, ls: LabelStudio, fake: FakeLabelStudio
) -> None:
    far = FakeLabelStudio("http://far.fake").client()
    one = make(("a.png", b"pond", "calm"))
    two = make(("a.png", b"pond", "wild"), client=far)
    three = make()
    image = one.tasks[0].data["image"]
    three.tasks.create(data={"image": image})
    three.tasks.create(data={"image": f"{ls.url}{image}"})  # the same, said otherwise
    both = make()
    fake.requests.clear()
    report = merge([one, two, three], into=both, key="data.image")
    assert report.ok, str(report)
    assert said(both) == [(b"pond", ["calm", "wild"])]
    assert both.files.count() == 1
    assert report.counts["files"].created == 1
    reads = [r.path for r in fake.requests if r.path == image]
    assert len(reads) == 2  # to compare it, and to copy it
    again = merge([one, two, three], into=both, key="data.image")
    assert repr(again.counts) == "{'tasks': <Summary: 1 skipped>}"


def test_a_file_of_the_target_stays_where_it_is(make: Make) -> None:
    both = make(("a.png", b"pond", "calm"))
    other = make()
    other.tasks.create(data={"image": both.tasks[0].data["image"]})
    assert merge([other], into=both, key="data.image").ok
    assert both.files.count() == 1
    assert both.tasks.count() == 1


def test_a_file_that_cannot_be_read_is_like_no_other(make: Make, fake: FakeLabelStudio) -> None:
    """It is a failure of the report, and no reason to put one's boxes on another's picture."""
    one, two = make(("a.png", b"pond", "calm")), make(("a.png", b"pond", "wild"))
    gone = one.tasks[0].data["image"]
    fake.fault("GET", gone, Fault.answer(500), times=None)
    both = make()
    report = merge([one, two], into=both, key="data.image")
    assert not report.ok
    assert [f"/data/{one.item}" for one in report.counts["files"].failed] == [gone]
    assert both.tasks.count() == 2


def test_what_is_lost_is_told_with_ids_fields_and_values(make: Make) -> None:
    one, two = make(("a.png", b"pond", "calm")), make(("a.png", b"pond", "wild"))
    both = make()
    report = merge([one, two], into=both, key="data.image")
    (lost,) = (loss for loss in report.losses if (loss.kind, loss.field) == ("tasks", "data"))
    assert lost.count == 1
    ids = [f"{p.tasks[0].id} of Pictures ({p.id})" for p in (two, one)]
    (apart,) = lost.differences
    assert (apart.source, apart.target) == tuple(ids)
    assert (apart.field, apart.here, apart.there) == ("data.said", "wild", "calm")
    assert f"{ids[0]} -> {ids[1]}: data.said" in str(report)
    assert report.as_json()["losses"][0]["differences"][0]["field"] == "data.said"


def test_dedupe_tells_them_too(make: Make) -> None:
    project = make(("a.png", b"pond", "calm"))
    first = project.tasks[0]
    second = project.tasks.create(data={**first.data, "said": "wild"}, meta={"n": 1})
    report = dedupe(project, "data.image")
    found = {
        (one.source, one.target, one.field, one.here, one.there)
        for loss in report.losses
        for one in loss.differences
    }
    assert found == {
        (second.id, first.id, "data.said", "wild", "calm"),
        (second.id, first.id, "meta.n", 1, None),
    }


# -- comparing ------------------------------------------------------------------------------------


def swap(project: Project) -> None:
    first, second = project.tasks
    first.data["image"], second.data["image"] = second.data["image"], first.data["image"]
    first.save()
    second.save()


def test_swapped_pictures_of_one_name_are_found(
    make: Make, ls: LabelStudio, tmp_path: Path
) -> None:
    project = make(("a.png", b"calm", "calm"), ("a.png", b"wild", "wild"))
    copy = copy_project(project, to=ls, journal=tmp_path / "copy.db").target
    snapshot(project, tmp_path / "files.zip")
    snapshot(project, tmp_path / "plain.zip", files=False)
    assert copy is not None
    assert verify(project, copy).ok
    with ArchiveSource(tmp_path / "files.zip") as source:
        assert verify(source, copy).ok
        swap(copy)
        for here in (project, source):
            report = verify(here, copy)
            assert {(one.kind, one.field) for one in report.differences} == {("tasks", "")}
    assert not verify(project, copy, journal=tmp_path / "copy.db").ok
    with ArchiveSource(tmp_path / "plain.zip") as source:
        assert verify(source, copy, parts=["tasks"]).ok  # it has names and no contents


def test_a_picture_of_other_content_is_found(make: Make) -> None:
    project, other = make(("a.png", b"calm", "calm")), make(("a.png", b"wild", "calm"))
    kinds = {(one.kind, one.field) for one in verify(project, other).differences}
    assert kinds == {("tasks", ""), ("files", "content")}


def test_a_picture_that_is_not_to_be_read_is_told(
    make: Make, ls: LabelStudio, fake: FakeLabelStudio
) -> None:
    project = make(("a.png", b"calm", "calm"))
    copy = copy_project(project, to=ls).target
    assert copy is not None
    fake.fault("GET", project.tasks[0].data["image"], Fault.answer(500), times=None)
    report = verify(project, copy)
    assert any(one.kind == "files" and "cannot be read" in one.why for one in report.differences)


def test_with_a_journal_each_file_is_the_one_it_became(
    make: Make, ls: LabelStudio, tmp_path: Path
) -> None:
    project = make(("a.png", b"calm", "calm"))
    copy = copy_project(project, to=ls, journal=tmp_path / "copy.db").target
    assert copy is not None
    copy.files[0].delete()
    (tmp_path / "a.png").write_bytes(b"wild")
    copy.files.upload(tmp_path / "a.png")
    report = verify(project, copy, journal=tmp_path / "copy.db", parts=["files"])
    assert [(one.kind, one.field) for one in report.differences] == [("files", "content")]


def test_a_file_of_anothers_content_is_no_double(make: Make, tmp_path: Path) -> None:
    """What is there once more than it was copied is removed, and nothing that looks like it."""
    project, other = make(("a.png", b"calm", "")), make()
    with Journal() as journal:
        media = Media(LiveSource(project), other, journal, project.tasks.client.url)
        media.address(project.files[0].file)
        for content in (b"wild", b"calm"):
            (tmp_path / "a.png").write_bytes(content)
            other.files.upload(tmp_path / "a.png")
        assert media.remove_duplicates() == 1
    found = []
    for file in other.files:
        with file.open() as stream:
            found.append(stream.read())
    assert sorted(found) == [b"calm", b"wild"]


@pytest.mark.parametrize("with_journal", [False, True])
def test_the_order_of_views_counts(
    make: Make, ls: LabelStudio, tmp_path: Path, with_journal: bool
) -> None:
    project = make()
    for title in ("One", "Two", "Two", "Three"):
        project.views.create(title=title)
    journal = tmp_path / "copy.db"
    copy = copy_project(project, to=ls, journal=journal).target
    assert copy is not None
    options: dict[str, Any] = {"journal": journal} if with_journal else {}
    assert verify(project, copy, **options).ok
    ids = [view.id for view in copy.views]
    copy.views.set_order([ids[0], ids[2], ids[1], ids[3]])  # of two that are the same
    assert verify(project, copy, **options).ok
    copy.views.set_order([ids[1], ids[0], *ids[2:]])
    report = verify(project, copy, **options)
    assert [(one.kind, one.field) for one in report.differences] == [("views", "order")]


# -- what is refused is told ----------------------------------------------------------------------


def with_odd_drafts(project: Project) -> None:
    """Drafts that another client wrote: one of them with a region that the library refuses."""
    task = project.tasks[0]
    good = [project.config["mood"].choice("calm")]
    for result in ([{**good[0], "from_name": 7}], good):
        path = f"/api/tasks/{task.id}/drafts?project={project.id}"
        project.tasks.client.request("POST", path, json={"result": result, "lead_time": 1.0})


def test_merge_keeps_drafts_that_a_server_takes(make: Make) -> None:
    project, both = make(("a.png", b"calm", "")), make()
    with_odd_drafts(project)
    report = merge([project], into=both, key="data.image")
    assert report.ok, str(report)
    assert report.counts["drafts"].created == 2


def test_dedupe_keeps_a_task_whose_draft_cannot_be_made(make: Make) -> None:
    project = make(("a.png", b"calm", ""))
    with_odd_drafts(project)
    first = project.tasks[0]
    second = project.tasks.create(data=first.data)
    report = dedupe(project, "data.image", keep="last")
    drafts = report.counts["drafts"]
    assert (drafts.created, len(drafts.failed)) == (1, 1)
    assert report.kept == {}
    assert {task.id for task in project.tasks} == {first.id, second.id}
