"""The files that tasks name are copied whole, under safe names, and without a credential abroad."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm import (
    APIError,
    ConnectionFailed,
    ImportStorage,
    LabelStudio,
    LabelStudioError,
    NotFound,
    Project,
    Retry,
    data,
)
from labelstudio_orm._engine.http.paths import plain_name
from labelstudio_orm.resources._tasks.media import address_of
from labelstudio_orm.testing import FakeLabelStudio
from labelstudio_orm.testing.fake import Fault

GIF = "data:image/gif;base64,R0lGODlhAQABAAAAACw="
CONFIG = '<View><Image name="i" value="$image"/></View>'


class Web(ThreadingHTTPServer):
    """Another server: paths with their answers; ``asked`` are the requests with their headers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Web

    def do_GET(self) -> None:
        self.server.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        status, headers, body = self.server.answers.get(self.path, (404, {}, b"no"))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def ls(fake: FakeLabelStudio) -> LabelStudio:
    return fake.client(retries=Retry(total=0), headers={"X-Proxy-Key": "private"})


@pytest.fixture
def project(ls: LabelStudio) -> Project:
    return ls.projects.create(title="Images", label_config=CONFIG)


def names_in(folder: Path) -> list[str]:
    """The names of the files in a folder, without the digests before them."""
    return sorted(path.name[17:] for path in folder.iterdir())


def test_files_of_each_kind(
    fake: FakeLabelStudio, project: Project, web: Web, tmp_path: Path
) -> None:
    local = tmp_path / "up load.png"
    local.write_bytes(b"uploaded")
    uploaded = project.files.upload(local).file
    fake.blobs.update({"s3://b/x/cat.png": b"cloud", "localfiles:///data/x/dog.png": b"disk"})
    ImportStorage.S3(project=project, bucket="b").save()
    ImportStorage.Local(project=project, path="/data/x").save()
    web.answers["/bird.png?size=1"] = (200, {"Content-Type": "image/png"}, b"web")
    expected = {
        f"/data/{uploaded}": b"uploaded",
        f"{fake.url}/data/{uploaded}": b"uploaded",
        "/data/local-files/?d=data/x/dog.png": b"disk",
        "s3://b/x/cat.png": b"cloud",
        f"{web.url}/bird.png?size=1": b"web",
        GIF: b"GIF89a\x01\x00\x01\x00\x00\x00\x00,",
        "data:text/plain,a%20b": b"a b",
    }
    project.tasks.bulk_create([{"image": one} for one in expected])
    files = project.tasks.download(tmp_path / "copies", workers=2)
    assert [file.path.read_bytes() for file in files] == list(expected.values())
    assert {file.path.name[17:].partition("-")[2] or file.path.name[17:] for file in files} == {
        "up_load.png", "dog.png", "cat.png", "bird.png", "data.gif", "data.txt",
    }  # fmt: skip
    ((path, headers),) = web.asked
    assert path == "/bird.png?size=1"
    assert not {"authorization", "cookie", "x-proxy-key"} & headers.keys()


def test_a_second_run_requests_what_is_missing_alone(
    fake: FakeLabelStudio, project: Project, web: Web, tmp_path: Path
) -> None:
    web.answers["/a.png"] = (200, {}, b"a")
    project.tasks.bulk_create([{"image": f"{web.url}/{name}.png"} for name in "aba"])
    with pytest.raises(NotFound, match=r"downloading data\['image'\] of task 2, http://127"):
        project.tasks.download(tmp_path, key="image")
    assert names_in(tmp_path) == ["a.png"]
    found = project.tasks.download(tmp_path, key="image", on_error="collect").summary
    assert (found.skipped, [failure.item.task_id for failure in found.failed]) == (2, [2])
    web.answers["/b.png"] = (200, {}, b"b")
    web.asked.clear()
    assert project.tasks.download(tmp_path, key="image").summary.created == 1
    assert [path for path, _ in web.asked] == ["/b.png"]


def test_a_copy_that_is_cut_short_never_looks_whole(
    fake: FakeLabelStudio, project: Project, web: Web, tmp_path: Path
) -> None:
    local = tmp_path / "a.png"
    local.write_bytes(b"whole")
    file = project.files.upload(local)
    web.answers["/a.png"] = (200, {"Content-Length": "9"}, b"short")
    task = project.tasks.create(data={"image": f"{web.url}/a.png", "other": f"/data/{file.file}"})
    fake.fault("GET", "/data/upload/*", Fault.truncated(keep_length=True))
    for key, error in (("image", LabelStudioError), ("other", ConnectionFailed)):
        with pytest.raises(error, match=f"of task {task.id}"):
            task.download(key, to=f"{tmp_path}/copies/")
    assert list((tmp_path / "copies").iterdir()) == []


def test_the_credential_stays_with_the_server(
    fake: FakeLabelStudio, project: Project, web: Web, tmp_path: Path
) -> None:
    web.answers["/b.png"] = (200, {}, b"b")
    fake.blobs["s3://b/a.png"] = b"a"
    ImportStorage.S3(project=project, bucket="b").save()
    task = project.tasks.create(data={"image": "s3://b/a.png"})
    away = Fault.answer(303, "", headers={"Location": f"{web.url}/b.png"})
    fake.fault("GET", "/tasks/*/presign/", away)
    assert task.download("image", to=tmp_path / "b.png").read_bytes() == b"b"
    ((_, headers),) = web.asked
    assert not {"authorization", "cookie", "x-proxy-key"} & headers.keys()
    for path in ("/api/current-user/token", "/api/projects/"):
        inside = Fault.answer(303, "", headers={"Location": f"{fake.url}{path}"})
        fake.fault("GET", "/tasks/*/presign/", inside)
        with pytest.raises(APIError, match="not a file"):
            task.download("image", to=tmp_path / "c.png")


@pytest.mark.parametrize(
    "address",
    [
        "/api/current-user/token", "/data/../api/current-user/token", "/static/a.png",
        "/data/upload/1/..%2F..%2Fapi", "/tasks/1/resolve", "/user/login", "//other.com/data/a.png",
        "http://other.com/data/upload/1/a.png", "https://label-studio.fake/data/upload/1/a.png",
        "http://label-studio.fake:81/data/upload/1/a.png",
        "/projects/1/file-proxy/?url=aHR0cDovL2E=", "/tasks/1/resolve/", "/tasks/1/presign/",
    ],
)  # fmt: skip
def test_only_files_are_read_with_the_credential(address: str) -> None:
    assert address_of(address, "http://label-studio.fake", 1).path is None


def test_a_server_below_a_path_has_its_files_there() -> None:
    server = "http://example.com/studio"
    found = address_of("/studio/data/upload/1/a b.png".replace(" ", "_"), server, 1)
    assert found.path == "/data/upload/1/a_b.png"
    assert address_of("/data/upload/1/a.png", server, 1).path is None
    assert address_of("http://example.com:80/studio/data/upload/1/a.png", server, 1).path


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("a picture", "not the address of a file"), (5, "not the address"), ("", "nothing there"),
        (None, "nothing there"), ("file:///etc/passwd", "cannot be downloaded"),
        ("http://u:secret@a.com/b", "holds credentials"), ("data:image/png;base64,%", "base64"),
        ("data:image/png", "without content"), ("http://[a/b", "not the address"),
        ("mailto:a@b.c", "cannot be downloaded"),
    ],
)  # fmt: skip
def test_what_is_no_file_is_named(
    ls: LabelStudio, value: Any, message: str, tmp_path: Path
) -> None:
    project = ls.projects.create(title="Anything", label_config="<View/>")
    task = project.tasks.create(data={"image": value, "text": "a"})
    with pytest.raises(ValueError, match=rf"data\['image'\] of task {task.id}.*{message}") as found:
        project.tasks.download(tmp_path, key="image")
    assert "secret" not in str(found.value)
    assert list(tmp_path.iterdir()) == []


def test_a_page_is_no_picture(project: Project, web: Web, tmp_path: Path) -> None:
    web.answers["/a.png"] = (200, {"Content-Type": "text/html"}, b"<p>Log in</p>")
    web.answers["/page"] = (200, {"Content-Type": "text/html"}, b"<p>Hello</p>")
    task = project.tasks.create(data={"image": f"{web.url}/a.png", "page": f"{web.url}/page"})
    with pytest.raises(APIError, match="the answer is a web page"):
        task.download("image", to=tmp_path / "a.png")
    assert task.download("page", to=tmp_path / "a.html").read_bytes() == b"<p>Hello</p>"


def test_names_are_plain_and_differ(project: Project, web: Web, tmp_path: Path) -> None:
    paths = ["/a/x.png", "/b/x.png", "/..%2F..%2Fx.png", "/con", "/", "/" + "n" * 300 + ".png",
             "/C%3A%5Cx.png", "/X.png", "/%00.png", "/x.png?a=1"]  # fmt: skip
    for path in paths:
        web.answers[path] = (200, {}, path.encode())
    task = project.tasks.create(data={"image": [web.url + path for path in paths], "text": ""})
    files = project.tasks.download(tmp_path, key=data["image"])
    assert [file.path.read_bytes().decode() for file in files] == paths
    assert [file.item_index for file in files] == list(range(len(paths)))
    assert len({file.path.name.lower() for file in files}) == len(paths)
    assert all(file.path.parent == tmp_path and plain_name(file.path.name) for file in files)
    assert task.download("image", to=tmp_path, item_index=1) == files[1].path
    with pytest.raises(ValueError, match="holds 10 files; choose one by item_index="):
        task.download("image", to=tmp_path)


def test_the_config_names_the_keys(ls: LabelStudio, project: Project, tmp_path: Path) -> None:
    project.tasks.bulk_create([{"image": GIF, "text": "a"}, {"text": "b", "image": ""}])
    assert len(project.tasks.download(tmp_path)) == 1
    texts = ls.projects.create(
        title="Texts", label_config='<View><Text name="t" value="$t"/></View>'
    )
    with pytest.raises(ValueError, match="shows no files; name a key"):
        texts.tasks.download(tmp_path)
    with pytest.raises(ValueError, match="no key of the data"):
        project.tasks.download(tmp_path, key=-data["image"])


def test_memory_stays_flat(project: Project, web: Web, tmp_path: Path) -> None:
    import tracemalloc

    size = 40_000_000
    web.answers["/large.bin"] = (200, {}, bytes(size))
    task = project.tasks.create(data={"image": f"{web.url}/large.bin"})
    tracemalloc.start()
    copy = task.download("image", to=tmp_path / "large.bin")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert copy.stat().st_size == size
    assert peak < 8_000_000
