"""Paths and names of files: nothing that data or a server said leads to another place."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PureWindowsPath
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labelstudio_orm import LabelStudio, LabelStudioError, UnsafePath
from labelstudio_orm._engine.http.paths import at, checked_path, plain_name, safe_name, segment
from labelstudio_orm._engine.http.transport import normalize_url
from labelstudio_orm._engine.records.origin import Origin
from labelstudio_orm.resources.files import FileUpload
from labelstudio_orm.testing import FakeLabelStudio

PIECES = st.sampled_from(
    [
        "a",
        "api",
        "5",
        ".",
        "..",
        "...",
        "%2e",
        "%2E%2e",
        "%252e%252e",
        "/",
        "//",
        "\\",
        "%5c",
        "%2f",
        "%252F",
        "\n",
        "%0a",
        "%00",
        "\x7f",
        "%",
        "%zz",
        ";",
        "..;x",
        " ",
        "é",
        "%c3%a9",
        "a.png",
        "#",
    ]
)
PATHS = st.lists(PIECES, max_size=6).map(lambda parts: "/" + "".join(parts))
DOTS = [
    "..",
    ".",
    "%2e%2e",
    ".%2E",
    "%2e",
    "%252e%252e",
    "%25252e.",
    "..%2f..",
    "..;a",
    "%2e%2e%3b",
]
ODD = [
    "\\",
    "%5c",
    "%255C",
    "a%2Fb",
    "a%252fb",
    "\x00",
    "%00",
    "a\nb",
    "%0d%0a",
    "%7f",
    "%c2%85",
    "%",
]


def decoded(path: str) -> str:
    while (further := unquote(path)) != path:
        path = further
    return path


@given(PATHS)
@example("/api/%252e%252e/x")
def test_what_is_accepted_stays_where_it_is(path: str) -> None:
    try:
        checked_path(path)
    except UnsafePath:
        return
    plain = decoded(path)
    assert plain.count("/") == path.count("/")
    assert not {part.partition(";")[0].strip() for part in plain.split("/")} & {".", ".."}
    assert not re.search(r"\\|//|[\x00-\x1f\x7f]", plain)


@pytest.mark.parametrize("part", [*DOTS, *ODD, "", "x#y"])
@pytest.mark.parametrize("path", ["/api/projects/{}/", "/data/{}/1/a.png", "/{}/x", "/api/x/{}/y"])
def test_unsafe_paths_are_refused(path: str, part: str) -> None:
    with pytest.raises(UnsafePath):
        checked_path(path.format(part))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/version",
        "/api/projects/1/",
        "/data/upload/1/6d957f64-a.b.png",
        "/a/b%20c",
        "/data/upload/1/caf%C3%A9.png",
        "/api/x?next=/../y&z=%2e",
        "/data/local-files/?d=a/b.png",
    ],
)
def test_safe_paths_are_accepted(path: str) -> None:
    assert checked_path(path) == path


@pytest.mark.parametrize(
    "path", ["", "api", "//host/a", "http://host/a", "https:/a", None, b"/a", 5]
)
def test_what_is_no_path(path: Any) -> None:
    with pytest.raises(UnsafePath):
        checked_path(path)


@given(st.text(max_size=12))
@example("..%2F")
@example("a/b")
def test_a_value_in_a_template_is_one_segment(value: str) -> None:
    try:
        path = at("/api/things/{}/", value)
    except UnsafePath:
        return
    assert path.count("/") == 4
    assert unquote(path) == f"/api/things/{value}/"


@pytest.mark.parametrize(
    "value", [None, "", " ", "..", ".", "a/b", "\\", "a\n", True, 1.5, [1], {}]
)
def test_what_is_no_id(value: Any) -> None:
    with pytest.raises(UnsafePath):
        segment(value)


NAMES = ["con", "CON.txt", "aux", "nul.tar.gz", "COM1", "lpt9.x", "a.", "a ", "C:", "C:\\x", "a\\b"]
NAMES += [
    "..",
    ".",
    "",
    "../../etc/passwd",
    "a:b",
    "a\x00b",
    "x" * 500,
    "x" * 300 + ".png",
    "é" * 200,
]


@given(st.text(max_size=30) | st.sampled_from(NAMES))
def test_a_safe_name_is_one_file_everywhere(text: str) -> None:
    name = safe_name(text)
    assert plain_name(name), (text, name)
    assert safe_name(name) == name
    assert 0 < len(name.encode()) <= 201
    assert Path("folder", name).parent == Path("folder")
    windows = PureWindowsPath("folder", name)
    assert windows.parent == PureWindowsPath("folder")
    assert not windows.is_reserved() if hasattr(windows, "is_reserved") else True
    assert not re.search(r"[\x00-\x1f:/\\]|[. ]$", name)


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_not_plain(name: str) -> None:
    assert not plain_name(name)


@pytest.mark.parametrize(
    "name", ["a.png", "6d957f64-cat.png", "é.txt", "a b.csv", ".hidden", "console"]
)
def test_plain_names(name: str) -> None:
    assert plain_name(name)


def test_base_urls_with_dots_are_refused() -> None:
    with pytest.raises(ValueError, match="dot segment"):
        normalize_url("http://host/a/../b")


def asked(ls: LabelStudio, verb: str, path: str) -> None:
    if verb == "request":
        ls.request("GET", path, doing="reading it")
    else:
        with ls.stream("GET", path, doing="reading it"):
            pass


@pytest.mark.parametrize(
    "path", ["/api/%2e%2e/x", "//other/x", "http://other/x", "/api/projects//"]
)
@pytest.mark.parametrize("verb", ["request", "stream"])
def test_an_unsafe_path_sends_no_request(path: str, verb: str) -> None:
    fake = FakeLabelStudio()
    with pytest.raises(LabelStudioError):
        asked(fake.client(), verb, path)
    assert not fake.requests


# -- redirects ------------------------------------------------------------------------------------


@contextmanager
def redirecting(to: str) -> Iterator[tuple[str, list[str]]]:
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_response(302 if len(seen) == 1 else 200)
            if len(seen) == 1:
                self.send_header("Location", to)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"[]")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


BAD_TARGETS = [
    "http://[::1",
    "http://",
    "http://a:99999999/",
    "ftp://a/b",
    "javascript:1",
    "http://a b/",
]
BAD_TARGETS += [
    "/api/%2e%2e/x",
    "/a\\b",
    "file:///etc/passwd",
    "http://u:p@127.0.0.1/",
    "http:\\\\x",
]
BAD_TARGETS += ["/" + "a" * 20_000, "/\x01", "//:0", "http://127.0.0.1:x/", "", "/api//%252e./"]


@pytest.mark.parametrize(
    ("target", "verb"), list(itertools.product(BAD_TARGETS, ["request", "stream"]))
)
def test_redirects_to_no_address(target: str, verb: str) -> None:
    with redirecting(target) as (url, seen):
        ls = LabelStudio(url, "0" * 40, retries=0)
        with pytest.raises(LabelStudioError, match="reading it failed") as caught:
            asked(ls, verb, "/api/version")
    assert len(seen) == 1
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize("target", ["/api/current-user/token", "/ls/api/current-user/token"])
def test_a_file_is_no_answer_of_the_api(target: str) -> None:
    with redirecting(target) as (url, seen):
        ls = LabelStudio(f"{url}/ls", "0" * 40, retries=0)
        if target.startswith("/ls"):
            with pytest.raises(LabelStudioError), ls.stream("GET", "/data/upload/1/a.png"):
                pass
            assert len(seen) == 1
        else:  # outside of the base URL, and so without a credential
            with pytest.raises(LabelStudioError):
                ls.request("GET", "/api/version")
            assert len(seen) == 1


def test_downloaded_files_have_names_of_files() -> None:
    for said in ("upload/1/..", "upload/1/C:\\x", "upload/1/aux.txt", "upload/1/"):
        file = FileUpload._from_row({"id": 1, "file": said}, Origin())
        assert plain_name(file.name)
