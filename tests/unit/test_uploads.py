"""Where a text names an uploaded file: what may be fetched, and what is a text and stays one."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labelstudio_orm import APIError, LabelStudioError, Project
from labelstudio_orm._migrate.engine.remap import files_in, files_of, replace_files
from labelstudio_orm.migrate import ArchiveSource, copy_project, merge, restore, snapshot, split
from labelstudio_orm.resources.files import upload_path
from labelstudio_orm.testing import FakeLabelStudio
from labelstudio_orm.testing.fake import Fault

SERVER = "http://a.example:8080/x"
FILE = "upload/5/1a2b3c4d-a.png"
TOKEN = "../../../api/current-user/token"

CONFIG = """\
<View>
  <Image name="image" value="$image"/>
  <Choices name="mood" toName="image"><Choice value="Calm"/></Choices>
</View>
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/data/upload/5/1a-a.png", "NEW"),
        ("/x/data/upload/5/1a-a.png", "NEW"),
        ("http://a.example:8080/x/data/upload/5/1a-a.png", "NEW"),
        ("HTTP://A.Example:8080/x/data/upload/5/1a-a.png", "NEW"),
        ("/data/upload/5/1a-%C3%A9.png", "NEW"),
        ("/data/upload/5/1a-a.png?t=1#x", "NEW?t=1#x"),
        ("See /data/upload/5/1a-a.png.", "See NEW."),
        ("<img src='/data/upload/5/1a-a.png'/>", "<img src='NEW'/>"),
        ("<img src=/data/upload/5/1a-a.png>", "<img src=NEW>"),
        ("<img src=http://a.example:8080/x/data/upload/5/1a-a.png>", "<img src=NEW>"),
        ("![](/data/upload/5/1a-a.png)", "![](NEW)"),
        ('{"a":"/data/upload/5/1a-a.png"}', '{"a":"NEW"}'),
        ("見/data/upload/5/1a-a.png", "見NEW"),
        ("/data/upload/5/1a-a.png,/data/upload/5/1a-a.png", "NEW,NEW"),
    ],
)
def test_what_names_a_file(text: str, expected: str) -> None:
    assert replace_files(text, lambda file: "NEW", SERVER) == expected


@pytest.mark.parametrize(
    "text",
    [
        f"/data/upload/1/{quote(TOKEN, safe='')}",
        f"/data/upload/1/{quote(quote(TOKEN, safe=''), safe='')}",
        f"/data/upload/1/{quote(TOKEN, safe='')}?a.png",
        f"/data/upload/1/{TOKEN}",
        "/data/upload/1/a.png/../../../../api/current-user/token",
        "/data/upload/1/a.png/..%2F..%2Fapi",
        "/data/upload/../upload/1/a.png",
        "/data/upload/1/..",
        "/data/upload/1/%2e%2e",
        "/data/upload/1/.",
        "/data/upload/1/..%5C..%5Capi",
        "/data/upload/1/a.png\\..\\..\\api",
        "/data/upload/1/a%00.png",
        "/data/upload/1/a%0D%0AHost:%20b",
        "/data/upload/1/a%3Fb.png",
        "/data/upload/1/a%23b.png",
        "/data/upload/1/a%25.png",
        "/data/upload/1/a~b.png",
        "/data/upload/1/%FF.png",
        "/data/upload/\uff11/a.png",
        "/data/upload/-1/a.png",
        "/data/upload/x/a.png",
        "http://b.example/data/upload/1/a.png",
        "http://a.example:8080/data/upload/1/a.png",  # beside the server's path
        "http://a.example/x/data/upload/1/a.png",  # another port
        "https://a.example:8080/x/data/upload/1/a.png",
        "http://a.example:8080@b.example/x/data/upload/1/a.png",
        "http://me@a.example:8080/x/data/upload/1/a.png",
        "http://b.example/?u=/data/upload/1/a.png",
        "//b.example/data/upload/1/a.png",
        "b.example/data/upload/1/a.png",
        "s3://bucket/data/upload/1/a.png",
        "file:/data/upload/1/a.png",
        "/home/me/data/upload/1/a.png",
        "../data/upload/1/a.png",
    ],
)
def test_what_is_a_text(text: str) -> None:
    for said in (text, f"see {text} there", f"<a href='{text}'>"):
        assert files_in(said, SERVER) == set()
        assert replace_files(said, lambda file: "NEW", SERVER) == said


@given(
    st.lists(
        st.sampled_from(
            ["/data", "/upload", "/1", "/", "%2F", "%252F", "..", "%2e%2e", ".", "a", "a.png", "\\",
             "%5C", "é", "%C3%A9", "?", "#", "@", ":", "http:/", "http://a.example:8080", "/x", " ",
             "b.example", "=", "%", "\n", "'"]
        ),
        max_size=12,
    ).map(lambda parts: "/data/upload/1/".join(["", *parts][:2]) + "".join(parts[1:]))
)  # fmt: skip
@example(f"/data/upload/1/{quote(quote(TOKEN, safe=''), safe='')}")
def test_whatever_is_found_is_one_plain_name(text: str) -> None:
    for file in files_in(text, SERVER):
        whole = file
        while (decoded := unquote(whole)) != whole:
            whole = decoded
        assert whole == file
        assert re.fullmatch(r"upload/[0-9]+/[\w.\-]+", file)
        assert file.rpartition("/")[2].strip(".")
        assert upload_path(f"/data/{quote(file)}") == file


def test_files_are_also_named_by_what_was_said_of_a_task() -> None:
    names = [f"upload/5/{n}-a.png" for n in range(5)]
    texts = iter([{"text": f"/data/{name}"} for name in names])
    row: dict[str, Any] = {"id": 1, "data": next(texts), "meta": next(texts)}
    for kind in ("annotations", "predictions", "drafts"):
        row[kind] = [{"result": [{"value": next(texts)}]}]
    assert files_of(row) == set(names)


def test_a_long_text_takes_no_long_time() -> None:
    text = "a" * 300_000 + "/data/upload/1/a.png " * 3000 + "=" * 300_000
    assert files_in(text, SERVER) == {"upload/1/a.png"}


# -- in migrations --------------------------------------------------------------------------------

HOSTILE = [
    f"see /data/upload/1/{quote(TOKEN, safe='')}",
    f"/data/upload/1/{quote(quote(TOKEN, safe=''), safe='')}.png",
    f"/data/upload/1/{TOKEN}",
    "http://b.example/data/upload/1/a.png",
    "/data/upload/1/a.png/../../../api/projects",
]


def hostile(fake: FakeLabelStudio) -> Project:
    """A project that has such texts everywhere."""
    project = fake.client().projects.create(title="Pond", label_config=CONFIG)
    project.description = HOSTILE[0]
    project.save()
    said = {"from_name": "mood", "to_name": "image", "type": "choices"}
    for text in HOSTILE:
        result = [{"id": "r", **said, "value": {"choices": ["Calm"], "note": text}}]
        task = project.tasks.create(data={"image": text, "deep": [{"a": text}]}, meta={"a": text})
        task.annotations.create(result=result)
        task.predictions.create(result=result)
        fake.client().drafts.create(task=task.id, result=result)
    return project


def strays(fake: FakeLabelStudio) -> list[str]:
    """What was asked for that is neither the API nor one file."""
    api = r"/api/(?!current-user/token)[\w/\-.]+"
    one = r"/data/upload/\d+/[\w.\-%]+"
    return [r.path for r in fake.requests if not re.fullmatch(f"{api}|{one}", r.path)]


def texts_of(project: Project) -> list[Any]:
    names = ("annotations", "predictions")
    return [
        [task.data, task.meta, *([one.result for one in getattr(task, name)] for name in names)]
        for task in project.tasks.prefetch(*names)
    ]


def test_migrations_ask_for_no_other_path(fake: FakeLabelStudio, tmp_path: Path) -> None:
    project, other = hostile(fake), FakeLabelStudio("http://other.fake")
    before = texts_of(project)
    fake.requests.clear()
    for to in (fake, other):
        report = copy_project(project, to=to.client(), missing_users="create")
        assert report.ok, str(report)
        assert report.target is not None
        assert texts_of(report.target) == before
        assert report.target.description == HOSTILE[0]
    assert snapshot(project, tmp_path / "pond.zip").ok
    report = restore(tmp_path / "pond.zip", other.client(), missing_users="create")
    assert report.target is not None
    assert texts_of(report.target) == before
    into = fake.client().projects.create(title="Both", label_config=CONFIG)
    merge([project], into=into, key="data.image")
    assert [one[:2] for one in texts_of(into)] == [one[:2] for one in before]
    split(project, lambda task: "part", into=fake.client())
    assert strays(fake) == strays(other) == []
    assert not [r for r in (*fake.requests, *other.requests) if r.path.startswith("/data")]
    everything = (tmp_path / "pond.zip").read_bytes()
    assert fake.api_key.encode() not in everything


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("a.png", Fault.answer(200, "<html><form action='/user/login'></form></html>")),
        ("a.png", Fault.answer(200, {"detail": "Not found."})),
        ("a.html", Fault.answer(200, "<html><form action='/user/login'></form></html>")),
        ("a.json", Fault.answer(200, {"detail": "Not found."})),
    ],
)
def test_an_answer_that_is_not_the_file_is_not_published(
    fake: FakeLabelStudio, tmp_path: Path, name: str, answer: Fault
) -> None:
    """A page of a proxy tells itself by its type, else by its size."""
    ls = fake.client()
    project = ls.projects.create(title="Pond", label_config=CONFIG)
    (tmp_path / name).write_text('[{"image": "b.png"}]')
    file = project.files.upload(tmp_path / name)
    project.tasks.create(data={"image": f"/data/{file.file}"})
    fake.fault("GET", f"/data/{file.file}", answer, times=None)
    report = copy_project(project, to=ls)
    assert report.target is not None
    assert [failure.item for failure in report.counts["files"].failed] == [file.file]
    assert report.target.tasks[0].data["image"] == f"/data/{file.file}"
    assert not report.target.files.exists()
    report = snapshot(project, tmp_path / "pond.zip")
    assert [failure.item for failure in report.counts["files"].failed] == [file.file]
    with ArchiveSource(tmp_path / "pond.zip") as source:
        assert list(source.related("files")) == []
    if name == "a.png":
        with pytest.raises(APIError, match="not this file"), file.open():
            pass


def test_a_path_that_a_server_gives_is_looked_at(fake: FakeLabelStudio, tmp_path: Path) -> None:
    """``file`` of a listing is the server's word, and no reason to ask for anything."""
    project = fake.client().projects.create(title="Pond", label_config=CONFIG)
    (tmp_path / "a.csv").write_text("image\na.png")
    project.files.upload(tmp_path / "a.csv")
    fake.store.execute("UPDATE file_upload SET file = ?", f"upload/1/{TOKEN}")
    (file,) = project.files.all()
    fake.requests.clear()
    for act in (lambda: file.download(tmp_path / "b"), lambda: file.open().__enter__()):
        with pytest.raises(LabelStudioError, match=r"not (the path|that) of an uploaded file"):
            act()
    with pytest.raises(ValueError, match=r"not (the path|that) of an uploaded file"):
        project.files.open(f"/data/{file.file}").__enter__()
    report = snapshot(project, tmp_path / "pond.zip")
    assert [failure.item for failure in report.counts["files"].failed] == [file.file]
    assert strays(fake) == []


def test_a_server_below_a_path(tmp_path: Path) -> None:
    """Addresses have the path of the server before them, as it gives them itself."""
    fake = FakeLabelStudio("http://a.fake/label-studio")
    ls = fake.client()
    project = ls.projects.create(title="Pond", label_config=CONFIG)
    (tmp_path / "a.png").write_bytes(b"PNG")
    file = project.files.upload(tmp_path / "a.png").file
    for base in ("", "/label-studio", ls.url):
        project.tasks.create(data={"image": f"{base}/data/{file}"})
    report = copy_project(project, to=ls)
    assert report.ok, str(report)
    assert report.target is not None
    (copy,) = report.target.files.all()
    assert {task.data["image"] for task in report.target.tasks} == {
        f"/label-studio/data/{copy.file}"
    }


@pytest.mark.parametrize("name", ["CON.png", "a.png.", "aux.html", "é" * 30 + ".png"])
def test_names_that_are_none_on_some_systems(
    fake: FakeLabelStudio, tmp_path: Path, name: str
) -> None:
    """They are the server's, and no file of that name is made here."""
    ls = fake.client()
    project = ls.projects.create(title="Pond", label_config=CONFIG)
    (tmp_path / "a").write_bytes(b"PNG")
    suffixed = name if name.rpartition(".")[2] else f"{name}png"
    file = project.files.upload(tmp_path / "a", name=suffixed)
    assert file.name.endswith(f"-{suffixed}")
    report = copy_project(project, to=ls)
    assert report.ok, str(report)
    assert report.target is not None
    assert [one.name.partition("-")[2] for one in report.target.files.all()] == [suffixed]


def test_every_path_below_data_is_asked_for_in_one_place() -> None:
    """So that none can be asked for which was not looked at."""
    root = Path(__file__).parents[2] / "labelstudio_orm"
    places = itertools.chain((root / "migrate").glob("*.py"), (root / "resources").glob("*.py"))
    found = [p.name for p in places if re.search(r'stream\(\s*"GET",\s*f?"/data/', p.read_text())]
    assert found == []
