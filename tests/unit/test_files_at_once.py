"""Uploaded files are brought over many in one request, each exactly once, whatever happens."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelstudio_orm import LabelStudio, LabelStudioError, Project
from labelstudio_orm._migrate.engine import media
from labelstudio_orm._migrate.engine.files import Stored
from labelstudio_orm._migrate.engine.journal import Journal
from labelstudio_orm._migrate.engine.media import Media
from labelstudio_orm._migrate.engine.source import LiveSource
from labelstudio_orm.migrate import Report, copy_project, merge, restore, snapshot, split, sync
from labelstudio_orm.testing import FakeLabelStudio
from labelstudio_orm.testing.fake import FakeAdapter, Fault
from tests.unit.kills import WAITS, Killed, Wire

pytestmark = pytest.mark.slow  # whole migrations, with files

CONFIG = '<View><Image name="image" value="$image"/></View>'
PAIRS = '<View><Image name="image" value="$image"/><Image name="two" value="$two"/></View>'

Files = list[tuple[str, bytes]]


class World:
    """A project with files on one server, each in a task, and another server."""

    def __init__(self, folder: Path, files: Files, *, apart: bool = True) -> None:
        self.here = FakeLabelStudio("http://a.fake")
        self.there = FakeLabelStudio("http://b.fake") if apart else self.here
        self.wire, self.folder = Wire(self.there), folder
        self.project = self.here.client().projects.create(title="Pond", label_config=CONFIG)
        self.add(files)
        self.forget()

    def add(self, files: Files) -> None:
        made = [self.upload(self.project, *file) for file in files]
        self.project.tasks.bulk_create({"image": f"/data/{file}", "part": "all"} for file in made)

    def upload(self, project: Project, name: str, content: bytes) -> str:
        """Also what a server stores and refuses then, as no import of tasks."""
        fake = self.here if project is self.project else self.there
        file = f"upload/{project.id}/{uuid.uuid4().hex[:8]}-{name}"
        fake.store.insert(
            "file_upload",
            {"user_id": 1, "project_id": project.id, "file": file, "content": content},
        )
        return file

    def forget(self) -> None:
        self.here.requests.clear()
        self.there.requests.clear()
        self.wire.writes = 0

    def client(self) -> LabelStudio:
        session = self.there.session()
        session.mount(self.there.url, self.wire)
        return self.there.client(session=session, retries=WAITS)

    @property
    def journal(self) -> Path:
        return self.folder / "journal.db"

    # -- the verbs, each of which may be run again -------------------------------------------------

    def copy(self) -> Report:
        return copy_project(self.project, to=self.client(), journal=self.journal)

    def restore(self) -> Report:
        path = self.folder / "pond.zip"
        if not path.exists():
            snapshot(self.project, path)
            self.forget()
        return restore(path, self.client(), journal=self.journal)

    def split(self) -> Report:
        return split(
            self.project, "data.part", into=self.client(), journal=self.folder / "journals"
        )

    def merge(self) -> Report:
        return merge([self.project], into=self.into(CONFIG), key="data.image")

    def into(self, config: str) -> Project:
        projects = self.there.client().projects
        title = "Both"
        if not projects.filter(title=title).exists():
            projects.create(title=title, label_config=config)
        return self.client().projects.get(title=title)

    def sync(self) -> Report:
        return sync(self.project, self.target, journal=self.journal)

    @property
    def target(self) -> Project:
        *_, newest = self.client().projects.order_by("id")
        return newest

    # -- what there is -----------------------------------------------------------------------------

    def files(self, project: Project) -> list[tuple[str, bytes]]:
        """The names and contents of its files."""
        fake = self.here if project.tasks.client.url == self.here.url else self.there
        sql = "SELECT file, content FROM file_upload WHERE project_id = ?"
        rows = fake.store.rows(sql, project.id)
        return sorted((row["file"].rpartition("/")[2][9:], row["content"]) for row in rows)

    def pictures(self, project: Project) -> list[bytes]:
        """What the tasks show, in order."""
        found = []
        for task in project.tasks:
            with project.files.open(task.data["image"]) as stream:
                found.append(stream.read())
        return found

    def is_same(self) -> None:
        """The target has the files of the source, each once, and each task its own one."""
        target = self.there.client().projects.get(self.target.id)
        assert self.files(target) == self.files(self.project)
        assert self.pictures(target) == self.pictures(self.project)
        mine = f"/data/upload/{target.id}/"
        assert all(task.data["image"].startswith(mine) for task in target.tasks)

    def asked(self, fake: FakeLabelStudio | None = None) -> Counter[str]:
        """The requests about files by what they do."""
        found: Counter[str] = Counter()
        for request in (fake or self.there).requests:
            if is_upload(request):
                found["uploads"] += 1
            elif request.path.endswith("/file-uploads"):
                found["listings" if request.method == "GET" else "deletions"] += 1
            elif "/file-upload/" in request.path:
                found["one by one"] += 1
            elif request.path.startswith("/data/upload/"):
                found["reads"] += 1
        return found


def is_upload(request: Any) -> bool:
    commits = str(request.query.get("commit_to_project", "true")).lower()
    return str(request.path).endswith("/import") and commits == "false"


@pytest.fixture
def world(tmp_path: Path) -> Callable[..., World]:
    number = iter(range(1000))

    def make(files: Files, **options: Any) -> World:
        folder = tmp_path / str(next(number))
        folder.mkdir()
        return World(folder, files, **options)

    return make


def pictures(number: int) -> Files:
    return [(f"{n}.png", b"picture %d" % n) for n in range(number)]


# -- how many requests -----------------------------------------------------------------------------

VERBS = ("copy", "restore", "split", "merge")


@pytest.mark.parametrize(("verb", "number"), [*((verb, 100) for verb in VERBS), ("copy", 101)])
def test_a_hundred_files_are_one_request(
    world: Callable[..., World], verb: str, number: int
) -> None:
    one = world(pictures(number))
    report = getattr(one, verb)()
    assert report.ok, str(report)
    asked = one.asked()
    assert asked["uploads"] == 1 + number // 101
    assert asked["listings"] <= 5 + number // 101
    assert asked["one by one"] == 0
    if verb != "restore":
        assert one.asked(one.here)["reads"] == number
    one.is_same()


def test_a_sync_brings_new_files_together(world: Callable[..., World]) -> None:
    one = world(pictures(3))
    assert one.copy().ok
    one.add(pictures(100))
    one.forget()
    report = one.sync()
    assert report.ok, str(report)
    assert report.counts["files"].created == 100
    assert one.asked()["uploads"] == 1
    one.is_same()
    one.forget()
    assert one.sync().ok
    assert one.asked()["uploads"] == 0
    assert one.wire.writes == 0


def test_files_of_others_come_together_too(world: Callable[..., World]) -> None:
    """No listing shows them, and tasks speak of them."""
    one = world(pictures(40))
    bob = one.here.client().users.create(email="bob@example.com")
    one.here.store.execute("UPDATE file_upload SET user_id = ?", bob.id)
    assert one.project.files.count() == 0
    one.forget()
    report = one.copy()
    assert [one.item for one in report.counts["files"].failed] == []
    assert one.asked()["uploads"] == 1
    assert one.pictures(one.target) == one.pictures(one.project)


def test_by_workers(world: Callable[..., World]) -> None:
    one = world(pictures(30))
    with_workers = one.here.client(workers=4).projects.get(one.project.id)
    assert copy_project(with_workers, to=one.client()).ok
    one.is_same()
    report = merge([one.project], into=one.into(CONFIG), key="data.image", workers=4)
    assert report.ok, str(report)
    one.is_same()


def test_a_dry_run_counts_them(world: Callable[..., World]) -> None:
    one = world(pictures(3))
    client = one.client()
    with client.dry_run() as plan:
        report = copy_project(one.project, to=client)
    assert (report.counts["files"].created, report.counts["files"].failed) == (3, ())
    assert [str(write.path) for write in plan.writes if "import" in write.path][:1]
    assert sum("import" in write.path for write in plan.writes) == 2
    assert one.asked(one.here)["reads"] == 0
    assert one.wire.writes == 0


def test_what_is_held_here_at_once_is_bounded(
    world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = world([(f"{n}.png", b"%02d" % n * 50) for n in range(25)])
    monkeypatch.setattr(media, "BYTES", 500)
    held: list[int] = []
    send = Stored.send

    def watched(stored: Any, files: Any) -> Any:
        held.append(sum(path.stat().st_size for path in files[0].path.parent.iterdir()))
        return send(stored, files)

    monkeypatch.setattr(Stored, "send", watched)
    assert one.copy().ok
    assert len(held) == 5
    assert max(held) <= 500
    one.is_same()


# -- what is refused -------------------------------------------------------------------------------


def rename(one: World, place: int, suffix: str) -> str:
    """Give a file of the source a type that no server takes."""
    file = list(one.project.files)[place].file
    other = file.rpartition(".")[0] + suffix
    one.here.store.execute("UPDATE file_upload SET file = ? WHERE file = ?", other, file)
    task = one.project.tasks[place]
    task.data["image"] = f"/data/{other}"
    task.save()
    return other


@pytest.mark.parametrize("verb", ["copy", "merge"])
def test_one_of_an_unknown_type_is_told_and_the_others_come(
    world: Callable[..., World], verb: str
) -> None:
    one = world(pictures(64))
    odd = rename(one, 20, ".xyz")
    one.forget()
    report = getattr(one, verb)()
    failed = [failure for done in report.counts.values() for failure in done.failed]
    assert [failure.item for failure in failed] == [odd]
    assert ".xyz extension is not supported" in failed[0].reason
    assert one.asked()["uploads"] <= 14
    assert one.target.files.count() == 63
    again = getattr(one, verb)()
    if verb != "merge":  # of which nothing is noted
        assert [failure.item for done in again.counts.values() for failure in done.failed] == [odd]
    assert one.target.files.count() == 63


def test_what_is_refused_and_stays_is_not_sent_again(world: Callable[..., World]) -> None:
    """A server with two images in a task takes none as an import, and keeps it as a file."""
    one = world([("a.png", b"1"), ("a.png", b"2"), *pictures(20)])
    report = merge([one.project], into=one.into(PAIRS), key="data.image")
    assert report.counts["files"].failed == ()
    asked = one.asked()
    assert (asked["uploads"], asked["reads"]) == (1, 0)
    assert one.files(one.target) == one.files(one.project)


@pytest.mark.parametrize("verb", VERBS)
def test_tables_and_images(world: Callable[..., World], verb: str) -> None:
    """A server that looks into them finds that they do not fit together, and stores them."""
    one = world(
        [
            ("a.png", b"PNG"),
            ("a.csv", b"x,y\n1,2\n"),
            ("b.csv", b"text\na\n"),
            ("a.json", b'[{"data": {"text": "a"}, "predictions": 5}]'),
            ("b.json", b'[{"id": 1, "data": {}, "annotations": [], "drafts": [{}]}]'),
            ("a.txt", b""),
            ("empty.png", b""),
        ]
    )
    report = getattr(one, verb)()
    assert report.ok, str(report)
    one.is_same()


def test_a_server_that_takes_fewer(world: Callable[..., World]) -> None:
    one = world(pictures(20))
    fake = one.there
    one.copy()
    project = one.target.id
    one.add(pictures(16))
    fake.fault("POST", f"/api/projects/{project}/import", Fault.answer(413), times=2)
    assert one.sync().counts["files"].failed == ()
    one.is_same()


# -- answers that are lost, and processes that are killed ------------------------------------------

SAME: Files = [("a.png", b"one"), ("a.png", b"two"), ("b.png", b"one"), ("a.png", b"one")]
"""Of one name and size with other contents; equal ones."""


def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "FILES", 3)


def uploads_of(one: World, verb: str) -> list[int]:
    """The writes of a verb that upload files, by their numbers."""
    getattr(one, verb)()
    writes = [request for request in one.there.requests if request.method not in ("GET", "HEAD")]
    return [place for place, request in enumerate(writes) if is_upload(request)]


def prepared(make: Callable[..., World], verb: str) -> World:
    one = make([*SAME, *pictures(4)])
    if verb == "sync":
        one.copy()
        one.add([*SAME, ("c.png", b"three")])
        one.forget()
    return one


def ends_right(one: World, verb: str, how: str) -> None:
    report = getattr(one, verb)()
    assert report.ok, f"{how}: {report}"
    if verb == "merge":
        assert len(one.files(one.target)) == len({*one.files(one.project)})
        assert {*one.pictures(one.target)} == {*one.pictures(one.project)}
    else:
        one.is_same()
    one.forget()
    getattr(one, verb)()
    assert one.asked()["uploads"] == 0, how


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "how"),
    [*(("copy", how) for how in ("before", "after", "late")), ("merge", "after"), ("sync", "late")],
)
def test_killed_at_each_upload(
    world: Callable[..., World], monkeypatch: pytest.MonkeyPatch, verb: str, how: str
) -> None:
    small(monkeypatch)
    places = uploads_of(prepared(world, verb), verb)
    assert len(places) >= 2
    for place in places:
        one = prepared(world, verb)
        one.wire.strike(place, how)
        one.wire.reads_until_late = 5
        with pytest.raises(Killed):
            getattr(one, verb)()
        one.wire.trouble = lambda number: ""
        ends_right(one, verb, f"killed {how} write {place}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "what"),
    [("copy", "lost"), ("copy", "twice"), ("merge", "lost"), ("merge", "twice"), ("sync", "twice")],
)
def test_an_upload_goes_wrong_on_the_way(
    world: Callable[..., World], monkeypatch: pytest.MonkeyPatch, verb: str, what: str
) -> None:
    small(monkeypatch)
    for place in uploads_of(prepared(world, verb), verb):
        one = prepared(world, verb)
        one.wire.strike(place, what)
        ends_right(one, verb, f"{what} write {place}")


def test_a_lost_answer_and_another_file_of_the_name(world: Callable[..., World]) -> None:
    """What somebody else uploads meanwhile, of one name and size, is not taken for ours."""
    one = world([("a.png", b"ours")])
    into = one.into(CONFIG)
    place = 0

    def trouble(number: int) -> str:
        if number == place:
            one.upload(one.there.client().projects.get(into.id), "a.png", b"them")
        return ""

    one.wire.trouble = trouble
    one.there.fault("POST", f"/api/projects/{into.id}/import", Fault.reset(), times=1)
    report = merge([one.project], into=into, key="data.image")
    assert report.ok, str(report)
    assert one.pictures(into) == [b"ours"]
    assert one.files(into) == [("a.png", b"ours"), ("a.png", b"them")]


# -- a source that changes meanwhile ---------------------------------------------------------------


def meanwhile(one: World, place: int, change: Callable[[], object]) -> None:
    """Let something happen as the so-manieth file of the source is read."""
    plain, reads = one.here.session, iter(range(1000))

    class Changing(FakeAdapter):
        def send(self, request: Any, *args: Any, **more: Any) -> Any:
            if "/data/upload/" in request.url and next(reads) == place:
                change()
            return super().send(request, *args, **more)

    session = plain()
    session.mount(one.here.url, Changing(one.here))
    one.project = one.here.client(session=session, retries=WAITS).projects.get(one.project.id)


@pytest.mark.parametrize("what", ["gone", "replaced", "renamed"])
def test_a_file_goes_while_the_others_are_copied(world: Callable[..., World], what: str) -> None:
    one = world(pictures(12))
    files = list(one.project.files)
    lost = files[7]

    def change() -> None:
        if what == "gone":
            lost.delete()
        else:
            path = one.folder / ("7.png" if what == "replaced" else "other.png")
            path.write_bytes(b"another picture")
            lost.replace(path)

    before = lost.file
    meanwhile(one, 3, change)
    report = one.copy()
    assert [failure.item for failure in report.counts["files"].failed] == [before]
    target = one.target
    assert one.files(target) == [
        file for file in one.files(one.project) if file[1] != b"another picture"
    ]
    shown = [task.data["image"] for task in target.tasks]
    assert [n for n, image in enumerate(shown) if image == f"/data/{before}"] == [7]
    for _ in range(2):  # it is told each time, and the copy is done
        again = one.copy()
        assert [failure.item for failure in again.counts["files"].failed] == [before]
    assert [failure.item for failure in one.sync().counts["files"].failed] == [before]


def test_a_file_that_comes_while_the_others_are_copied(world: Callable[..., World]) -> None:
    one = world(pictures(5))
    meanwhile(one, 3, lambda: one.add([("3.png", b"new"), ("new.png", b"newer")]))
    report = one.copy()
    assert report.counts["files"].failed == ()
    one.is_same()


def test_a_content_that_changes_is_that_of_one_moment(world: Callable[..., World]) -> None:
    """A file of the listed size is the file; another size is told."""
    one = world(pictures(5))
    files = [file.file for file in one.project.files]

    def change() -> None:
        sql = "UPDATE file_upload SET content = ? WHERE file = ?"
        one.here.store.execute(sql, b"PICTURE 3", files[3])
        one.here.store.execute(sql, b"a longer one", files[4])

    meanwhile(one, 0, change)
    report = one.copy()
    assert [failure.item for failure in report.counts["files"].failed] == [files[4]]
    assert "the server sent 12 bytes and lists 9" in report.counts["files"].failed[0].reason
    assert [content for _, content in one.files(one.target)] == [
        b"picture 0", b"picture 1", b"picture 2", b"PICTURE 3",
    ]  # fmt: skip


def test_a_file_that_failed_is_tried_again(world: Callable[..., World]) -> None:
    one = world(pictures(4))
    file = one.project.files[2].file
    one.here.fault("GET", f"/data/{file}", Fault.answer(500), times=1)
    report = one.copy()
    assert [failure.item for failure in report.counts["files"].failed] == [file]
    again = one.copy()
    assert again.counts["files"].failed == ()
    assert again.counts["files"].created == 1
    assert [(one.kind, one.field) for one in again.differences] == [("tasks", "data")]
    assert one.sync().ok
    one.is_same()


# -- names -----------------------------------------------------------------------------------------

ODD = ("CON.png", "nul.png", "aux", "é.png", "猫.png", "a..png", "-.png", "_.png", "deadbeef-a.png",
       "ß" * 60 + ".png", "1.PNG", ".png")  # fmt: skip


def test_odd_names_come_as_they_are_or_are_told(world: Callable[..., World]) -> None:
    one = world([(name, name.encode()) for name in ODD])
    untyped = {file.file for file in one.project.files if file.file.endswith(("-aux", "-.png"))}
    report = one.copy()
    failed = report.counts["files"].failed
    assert {failure.item for failure in failed} == {
        file for file in untyped if not file.endswith("--.png")
    }
    assert all("extension is not supported" in failure.reason for failure in failed)
    kept = [
        (name, content) for name, content in one.files(one.project) if name not in ("aux", ".png")
    ]
    assert one.files(one.target) == kept


def test_a_path_that_is_no_uploads_is_told(world: Callable[..., World]) -> None:
    one = world(pictures(3))
    odd = f"upload/{one.project.id}/1a2b3c4d-a%20b.png"
    sql = "UPDATE file_upload SET file = ? WHERE file = ?"
    gone = one.project.files[1].file
    one.here.store.execute(sql, odd, gone)
    report = one.copy()
    assert {failure.item for failure in report.counts["files"].failed} == {odd, gone}
    assert len(one.files(one.target)) == 2


# -- listings that lie -----------------------------------------------------------------------------

Rows = list[dict[str, Any]]


def others(rows: Rows) -> Rows:
    return [{**row, "file": row["file"].replace("upload/", "upload/9")} for row in rows]


LIES: dict[str, Callable[[Rows], Any]] = {
    "none": lambda rows: [],
    "no list": lambda rows: {"results": rows},
    "names that go round": lambda rows: [
        {**row, "file": rows[n - 1]["file"]} for n, row in enumerate(rows)
    ],
    "rows of another project": others,
    "paths that lead elsewhere": lambda rows: [{**row, "file": "../../api"} for row in rows],
    "paths that are numbers": lambda rows: [{**row, "file": 7} for row in rows],
    "other sizes": lambda rows: [{**row, "size": 1} for row in rows],
    "ids that are texts": lambda rows: [{**row, "id": "x"} for row in rows],
    "the first one only": lambda rows: rows[:1] * len(rows),
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("about", ["ids", "all"])
def test_a_listing_of_the_target_that_lies(
    world: Callable[..., World], lie: str, about: str
) -> None:
    """A picture is the right one, or the source's address stays, and it is told."""
    one = world(pictures(4))
    into = one.into(CONFIG)
    one.add([("a.png", b"again")])

    class Lying(Wire):
        def send(self, request: Any, *args: Any, **more: Any) -> Any:
            answer = super().send(request, *args, **more)
            if request.method == "GET" and f"/file-uploads?{about}=" in request.url:
                answer._content = json.dumps(LIES[lie](answer.json())).encode()
            return answer

    one.wire = Lying(one.there)
    try:
        report = merge([one.project], into=one.into(CONFIG), key="data.image")
    except LabelStudioError:
        assert about == "all"
        return
    told = {failure.item for failure in report.counts["files"].failed}
    target = one.there.client().projects.get(into.id)
    contents = {f"/data/{file}": content for file, content in stored(one.here)}
    mine = {f"/data/{file}": content for file, content in stored(one.there)}
    images = [task.data["image"] for task in one.project.tasks]
    for said, image in zip(images, [task.data["image"] for task in target.tasks], strict=True):
        if image == said:
            assert said.removeprefix("/data/") in told
        else:
            assert mine[image] == contents[said]


def stored(fake: FakeLabelStudio) -> list[tuple[str, bytes]]:
    return [(row["file"], row["content"]) for row in fake.store.rows("SELECT * FROM file_upload")]


@pytest.mark.slow
@pytest.mark.parametrize("lie", LIES)
def test_doubles_that_a_listing_lies_about_stay(world: Callable[..., World], lie: str) -> None:
    """Nothing is deleted that is no double."""
    one = world([*pictures(3), ("0.png", b"PICTURE 0")])
    assert one.copy().ok
    target = one.target
    for _ in range(2):
        one.upload(target, "1.png", b"picture 1")
        one.upload(target, "0.png", b"Picture 0")

    class Lying(Wire):
        def send(self, request: Any, *args: Any, **more: Any) -> Any:
            answer = super().send(request, *args, **more)
            if request.method == "GET" and "/file-uploads?" in request.url:
                answer._content = json.dumps(LIES[lie](answer.json())).encode()
            return answer

    def removed() -> int:
        with Journal(one.journal) as journal:
            into = one.client().projects.get(target.id)
            return Media(LiveSource(one.project), into, journal, one.here.url).remove_duplicates()

    honest, one.wire = one.wire, Lying(one.there)
    before = {content for _, content in one.files(target)}
    with suppress(LabelStudioError):
        removed()
    assert {content for _, content in one.files(target)} == before
    one.wire = honest
    removed()
    assert Counter(content for _, content in one.files(target)) == {
        b"picture 0": 1, b"picture 1": 1, b"picture 2": 1, b"PICTURE 0": 1, b"Picture 0": 2,
    }  # fmt: skip


def test_duplicates_are_found_over_a_connection_that_breaks(world: Callable[..., World]) -> None:
    """A file that cannot be read at once is read again, and not taken for another one."""
    one = world(pictures(3))
    assert one.copy().ok
    target = one.target
    late = one.upload(target, "1.png", b"picture 1")
    with Journal(one.journal) as journal:
        into = one.client().projects.get(target.id)
        brought = Media(LiveSource(one.project), into, journal, one.here.url)
        one.there.fault("GET", f"/data/{late}", Fault.truncated(keep_length=True), times=2)
        assert brought.remove_duplicates() == 1
    assert one.files(target) == pictures(3)


# -- a law -----------------------------------------------------------------------------------------

a_file = st.tuples(
    st.sampled_from(["a.png", "b.png", "a.csv", "a.txt", "z" * 74 + ".png"]),
    st.sampled_from([b"x\n1\n", b"x\n2\n", b"y\n1\n", b""]),
)
TROUBLES = ["before", "after", "late", "lost", "twice", "twice, first answer"]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The paths of the target are longer than those of the source."""
    one = World(tmp_path_factory.mktemp("law"), [])
    one.there.store.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('project', 123456)")
    return one


@pytest.mark.slow
@settings(max_examples=25)
@given(
    files=st.lists(a_file, max_size=9),
    more=st.lists(a_file, max_size=5),
    wrong=st.dictionaries(st.integers(0, 9), st.sampled_from(TROUBLES), max_size=3),
    most=st.integers(1, 4),
)
def test_each_file_comes_once(
    servers: World, files: Files, more: Files, wrong: dict[int, str], most: int
) -> None:
    one = servers
    one.project = one.here.client().projects.create(title="Pond")
    target = one.there.client().projects.create(title="Copy")
    one.journal.unlink(missing_ok=True)
    one.wire.writes, one.wire.trouble = 0, lambda number: wrong.get(number, "")

    def run() -> Media:
        with Journal(one.journal) as journal:
            into = one.client().projects.get(target.id)
            found = Media(LiveSource(one.project), into, journal, one.here.url)
            found.resolve()
            found.bring_all()
            found.remove_duplicates()
            return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(media, "FILES", most)
        for some in (files, more):
            for name, content in some:
                one.upload(one.project, name, content)
            for _ in range(9):
                with suppress(Killed):
                    assert run().failed == {}
                    break
            one.wire.late.clear()
            said = [
                sorted((name[:40], content) for name, content in one.files(project))
                for project in (target, one.project)
            ]
            assert said[0] == said[1]
