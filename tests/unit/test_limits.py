"""How long a call may take, how large its answer may be, and what is left of files that broke."""

from __future__ import annotations

import gzip
import io
import json
import os
import socket
import stat
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio_orm import (
    APIError,
    ConnectionFailed,
    LabelStudio,
    LabelStudioError,
    OutcomeUnknown,
    Project,
    Timeout,
)
from labelstudio_orm._engine.http.download import JsonEnd
from labelstudio_orm._engine.http.transport import Retry
from labelstudio_orm._engine.pages import ranges
from labelstudio_orm.testing import FakeLabelStudio, Fault
from tests.law.fuzz_answers import fuzz

TOKEN = "0" * 40
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
Serve = Callable[[socket.socket, threading.Event], None]


@contextmanager
def serving(serve: Serve) -> Iterator[str]:
    """A server that does with each connection, after the request, what a function does."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=give, args=(connection,), daemon=True).start()

        def give(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                if connection.recv(1 << 20).endswith(b"\r\n\r\n"):
                    connection.settimeout(0.05)
                    with suppress(TimeoutError):  # a body, if there is one
                        connection.recv(1 << 20)
                connection.settimeout(10)
                serve(connection, stop)

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)


def giving(content: bytes) -> Serve:
    return lambda connection, stop: connection.sendall(content)


def whole(body: bytes, *headers: str) -> bytes:
    lines = "".join(f"{line}\r\n" for line in headers).encode()
    return HEAD + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body


def trickle(content: bytes, seconds: float = 0.02) -> Serve:
    def serve(connection: socket.socket, stop: threading.Event) -> None:
        for n in range(len(content)):
            connection.sendall(content[n : n + 1])
            if stop.wait(seconds):
                return

    return serve


def endless(connection: socket.socket, stop: threading.Event) -> None:
    connection.sendall(HEAD + b"\r\n[")
    while not stop.wait(0.001):
        connection.sendall(b"1," * 5000)


def silent(connection: socket.socket, stop: threading.Event) -> None:
    stop.wait(5)


LONG = b"[" + b"1," * 200 + b"1]"
SLOW: dict[str, Serve] = {
    "the headers trickle": trickle(whole(LONG)),
    "the body trickles": lambda one, stop: (
        one.sendall(HEAD + b"Content-Length: 500\r\n\r\n"),
        trickle(LONG)(one, stop),
    )[0],
    "the chunks trickle": lambda one, stop: (
        one.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n"),
        trickle(b"1\r\n[\r\n" * 90)(one, stop),
    )[0],
    "nothing comes": silent,
    "it has no end": endless,
    "it is busy for ever": giving(
        b"HTTP/1.1 503 Busy\r\nRetry-After: 100\r\nContent-Length: 0\r\n\r\n"
    ),
    "it redirects": giving(b"HTTP/1.1 302 To\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"),
}


@pytest.mark.slow
@pytest.mark.parametrize("slow", [name for name in SLOW if name != "it redirects"])
@pytest.mark.parametrize("method", ["GET", "POST", "stream"])
def test_a_deadline_ends_a_call(slow: str, method: str) -> None:
    with serving(SLOW[slow]) as url:
        ls = LabelStudio(url, TOKEN, timeout=60, deadline=0.3)
        began = time.monotonic()
        with pytest.raises(LabelStudioError) as caught:
            ask(ls, method)
        assert time.monotonic() - began < 1.5
    kind = OutcomeUnknown if method == "POST" and "busy" not in slow else Timeout
    kind = OutcomeUnknown if method == "POST" else kind
    assert isinstance(caught.value, kind)
    assert "reading it" in str(caught.value)
    assert "deadline" in str(caught.value) or method == "POST"


def ask(ls: LabelStudio, method: str) -> None:
    if method == "stream":
        with ls.stream("GET", "/data/upload/1/a.png", doing="reading it") as response:
            for _ in response.iter_content(1 << 16):
                pass
    else:
        body = {"a": 1} if method == "POST" else None
        ls.request(method, "/api/x/", json=body, doing="reading it")


def test_a_deadline_that_is_not_reached_changes_nothing() -> None:
    with serving(giving(whole(b'{"a": 1}'))) as url, LabelStudio(url, TOKEN) as ls:
        assert ls.using(deadline=5).request("GET", "/api/x/") == {"a": 1}
        assert ls.request("GET", "/api/x/") == {"a": 1}


@pytest.mark.parametrize("deadline", [0, -1, "5", True, float("nan"), float("inf"), 10**30])
def test_impossible_deadlines_are_refused(deadline: Any) -> None:
    with pytest.raises(ValueError, match="deadline"):
        LabelStudio("http://localhost:1", TOKEN, deadline=deadline)


@pytest.mark.parametrize("size", [0, -1, "5", True, 1.5])
def test_impossible_limits_are_refused(size: Any) -> None:
    with pytest.raises(ValueError, match="max_answer"):
        LabelStudio("http://localhost:1", TOKEN, max_answer=size)


BIG = b"[" + b" " * 3_000_000 + b"]"
LARGE = {
    "as it is": giving(whole(BIG)),
    "compressed": giving(whole(gzip.compress(BIG), "Content-Encoding: gzip")),
    "twice": giving(whole(gzip.compress(gzip.compress(BIG)), "Content-Encoding: gzip, gzip")),
    "without an end": endless,
}


@pytest.mark.parametrize("large", LARGE)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_answer_that_is_too_large(large: str, method: str) -> None:
    with serving(LARGE[large]) as url:
        ls = LabelStudio(url, TOKEN, max_answer=1_000_000, deadline=20)
        kind = ConnectionFailed if method == "GET" else OutcomeUnknown
        with pytest.raises(kind, match="1,000,000 bytes"):
            ask(ls, method)
        if large != "without an end":
            assert ls.using(max_answer=4_000_000).request("GET", "/api/x/") == []


PACKED = gzip.compress(b"[" + b"1," * 5000 + b"1]", mtime=0)
PLAIN = [1] * 5001


@pytest.mark.parametrize(
    ("body", "encoding", "is_whole"),
    [
        (PACKED, "gzip", True),
        (PACKED, "GZIP", True),
        (gzip.compress(b"[1,", mtime=0) + gzip.compress(b"2]", mtime=0), "gzip", True),
        (zlib.compress(b"[1, 2]"), "deflate", True),
        (zlib.compress(b"[1, 2]")[2:-4], "deflate", True),
        (b"[1, 2]", "identity", True),
        (PACKED[:-1], "gzip", False),
        (PACKED[: len(PACKED) // 2], "gzip", False),
        (PACKED[:5], "gzip", False),
        (b"[1, 2]", "gzip", False),
        (zlib.compress(b"[1, 2]")[:-1], "deflate", False),
        (PACKED, "br", False),
        (PACKED[:-8] + b"\0" * 8, "gzip", False),
    ],
)
@pytest.mark.parametrize("method", ["GET", "stream"])
def test_compressed_answers(body: bytes, encoding: str, is_whole: bool, method: str) -> None:
    with serving(giving(whole(body, f"Content-Encoding: {encoding}"))) as url:
        ls = LabelStudio(url, TOKEN, retries=0)
        if not is_whole:
            with pytest.raises(LabelStudioError, match="reading it failed"):
                ask(ls, method)
        elif method == "GET":
            assert ls.request("GET", "/api/x/") in (PLAIN, [1, 2])
        else:
            with ls.stream("GET", "/x") as response:
                pieces = iter(lambda: response.raw.read(7), b"")
                assert json.loads(b"".join(pieces)) in (PLAIN, [1, 2])


# -- files ----------------------------------------------------------------------------------------


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "a" * 5000)
    return file.getvalue()


def typed(kind: str, body: bytes, *headers: str) -> bytes:
    return whole(body, *headers).replace(b"application/json", kind.encode(), 1)


NO_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
BROKEN = {
    "short": typed("text/csv", b"a,b\n" * 100).replace(b"Length: 400", b"Length: 900"),
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na,b,c\r\n",
    "gzip": typed("text/csv", PACKED[:-9], "Content-Encoding: gzip"),
    "zip": typed("application/zip", zipped()[:-30]),
    "zip of no type": typed("application/octet-stream", zipped()[:-30]),
    "JSON": NO_LENGTH + b'[{"a": [1, 2]',
    "JSON after a bracket": NO_LENGTH + b'[{"a": [1, 2]',
    "JSON within a text": NO_LENGTH + b'[{"a": "]',
    "a web page": typed("text/html", b"<html>"),
    "an error": b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
    "nothing": NO_LENGTH,
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_export_leaves_the_file_before(broken: str, tmp_path: Path) -> None:
    file = tmp_path / "export"
    file.write_bytes(b"the old one")
    with serving(giving(BROKEN[broken])) as url:
        project = LabelStudio(url, TOKEN, retries=0).projects.ref(1)
        with pytest.raises((ConnectionFailed, APIError)):
            project.export("YOLO", file)
        with pytest.raises((ConnectionFailed, APIError)):
            project.exports.ref(1).download(file)
    assert [one.name for one in tmp_path.iterdir()] == ["export"]
    assert file.read_bytes() == b"the old one"


@pytest.mark.parametrize("kind", ["application/zip", "application/octet-stream"])
def test_a_whole_archive(kind: str, tmp_path: Path) -> None:
    archive = zipped()
    with serving(giving(typed(kind, archive))) as url:
        LabelStudio(url, TOKEN).projects.ref(1).export("YOLO", tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == archive


def test_links_and_the_parts_of_others_are_left_alone(tmp_path: Path) -> None:
    diary, target = tmp_path / "diary", tmp_path / "a.json"
    diary.write_text("dear diary")
    for name in ("a.json", "a.json.part", ".a.json.part"):
        (tmp_path / name).symlink_to("diary")
    with serving(giving(whole(b"[]"))) as url:
        LabelStudio(url, TOKEN).projects.ref(1).export("JSON", target)
    assert diary.read_text() == "dear diary"
    assert not target.is_symlink()
    assert target.read_bytes() == b"[]"
    assert (tmp_path / "a.json.part").is_symlink()


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
def test_the_rights_of_a_file(tmp_path: Path) -> None:
    seen: list[int] = []
    file = tmp_path / "a.json"

    def note(*_: Any) -> None:
        seen.extend(stat.S_IMODE(one.stat().st_mode) for one in tmp_path.glob(".*"))

    before = os.umask(0o027)
    try:
        with serving(giving(whole(b"[]"))) as url:
            project = LabelStudio(url, TOKEN).projects.ref(1)
            project.export("JSON", file, progress=note)
            assert seen
            assert set(seen) == {0o600}
            assert stat.S_IMODE(file.stat().st_mode) == 0o640
            file.chmod(0o604)
            project.export("JSON", file)
            assert stat.S_IMODE(file.stat().st_mode) == 0o604
    finally:
        os.umask(before)


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    bodies = [b"[" + b"%d," % n * 400_000 + b"%d]" % n for n in (1, 2)]
    turn = iter(bodies * 4)
    lock = threading.Lock()

    def serve(connection: socket.socket, stop: threading.Event) -> None:
        with lock:
            body = next(turn)
        connection.sendall(whole(body))

    with serving(serve) as url:
        files = LabelStudio(url, TOKEN)
        target = tmp_path / "a.json"

        def write(number: int) -> None:
            files.projects.ref(number).export("JSON", target)

        threads = [threading.Thread(target=write, args=(n,)) for n in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert target.read_bytes() in bodies
    assert [one.name for one in tmp_path.iterdir()] == ["a.json"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('"\\[]{}a', max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text('"\\]a', max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=4), st.data())
def test_json_is_whole_at_its_end_and_not_before(value: Any, data: st.DataObject) -> None:
    text = json.dumps(value).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    end = JsonEnd()
    for start, stop in zip([0, *cuts], [*cuts, len(text)], strict=True):
        assert not end.is_whole or start == len(text)
        end.feed(text[start:stop])
    assert end.is_whole


@pytest.mark.parametrize("answers", [20, pytest.param(150, marks=pytest.mark.slow)])
def test_malformed_answers_are_errors_of_this_library(answers: int) -> None:
    assert fuzz(answers, seed=7) == []


def test_a_project_without_a_config_is_no_answer(fake: FakeLabelStudio, project: Project) -> None:
    incomplete = Fault.answer(200, {"id": project.id})
    fake.fault("GET", f"/api/projects/{project.id}/", incomplete, times=None)
    with pytest.raises(LabelStudioError, match="has no label_config"):
        fake.client().projects.ref(project.id).labels.usage("Positive")


def test_a_retry_waits_no_longer_than_the_deadline() -> None:
    slept: list[float] = []
    retries = Retry(total=5, sleep=slept.append)
    with serving(SLOW["it is busy for ever"]) as url:
        ls = LabelStudio(url, TOKEN, retries=retries, deadline=2)
        with pytest.raises(Timeout, match="deadline"):
            ask(ls, "GET")
    assert slept == []


ASK: dict[str, Callable[[LabelStudio, Path], object]] = {
    "export": lambda ls, path: ls.projects.ref(1).export("CSV", path),
    "stream": lambda ls, path: ask(ls, "stream"),
    "request": lambda ls, path: ls.request("GET", "/api/x/"),
}


@pytest.mark.parametrize("status", ["202 Later", "204 Nothing", "205 Reset", "206 A part"])
@pytest.mark.parametrize("way", ASK)
def test_a_success_without_the_whole_is_none(status: str, way: str, tmp_path: Path) -> None:
    """A part is no answer, and where a file was asked for, neither is less than one."""
    body = b"" if status[:3] in ("204", "205") else b'{"id": 1}'
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    path = tmp_path / "kept"
    path.write_bytes(b"the old one")
    with serving(giving(head + body)) as url:
        ls = LabelStudio(url, TOKEN, deadline=5)
        if way == "request" and "206" not in status:
            assert ls.request("GET", "/api/x/") == (json.loads(body) if body else None)
        else:
            with pytest.raises(APIError, match=f" failed.*{status[:3]}, but the answer is"):
                ASK[way](ls, path)
    assert path.read_bytes() == b"the old one"
    assert [one.name for one in tmp_path.iterdir()] == ["kept"]


def test_a_body_after_a_204_does_not_begin_the_next_answer() -> None:
    """As the deletion of all tasks has one on servers before 1.13.1."""

    def serve(connection: socket.socket, stop: threading.Event) -> None:
        connection.sendall(b'HTTP/1.1 204 No Content\r\nContent-Length: 11\r\n\r\n{"tasks":3}')
        if connection.recv(1 << 16):
            connection.sendall(whole(b"[1]"))

    with serving(serve) as url:
        ls = LabelStudio(url, TOKEN, retries=0)
        for method in ("DELETE", "POST", "GET"):
            assert ls.request(method, "/api/x/") is None


def test_what_a_server_says_controls_no_terminal() -> None:
    said = b'{"detail": "\\u001b[31mred\\u001b]0;title\\u0007 \\u202egnp.exe \\ud800"}'
    answer = b"HTTP/1.1 400 Bad\r\nContent-Length: %d\r\n\r\n" % len(said) + said
    with serving(giving(answer)) as url, pytest.raises(APIError) as caught:
        LabelStudio(url, TOKEN).request("GET", "/api/x/")
    assert str(caught.value).isprintable()
    assert caught.value.detail.isprintable()
    assert "red" in str(caught.value)


def test_a_view_of_no_project_is_told() -> None:
    view = b'{"id": 1, "project": null, "total": 1, "tasks": [{"id": 1}]}'
    with serving(giving(whole(view))) as url:
        tasks = LabelStudio(url, TOKEN).views.ref(1).tasks
        with pytest.raises(LabelStudioError, match="listing Tasks of view 1 failed"):
            list(tasks)


@pytest.mark.parametrize("workers", [1, 3])
def test_fewer_of_very_large_rows_are_asked_for_at_once(
    fake: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(ranges, "MOST_BYTES", 40_000)
    monkeypatch.setattr(ranges, "PAGE_BYTES", 10_000)
    ls = fake.client(max_answer=500_000)
    project = ls.projects.create(title="Large")
    project.tasks.bulk_create({"text": "x" * (100_000 if n == 20 else 5_000)} for n in range(30))
    project.tasks.bulk_create({"text": "y"} for n in range(200))
    fake.requests.clear()
    lengths = [len(task.data["text"]) for task in project.tasks.iterator(workers=workers)]
    assert lengths == [100_000 if n == 20 else 5_000 for n in range(30)] + [1] * 200
    sizes = [int(one.query["page_size"]) for one in fake.requests]
    assert sizes[:2] == [100, 10]
    assert len(sizes) < 60
    with pytest.raises(ConnectionFailed, match="exceeds the limit of 60,000 bytes"):
        list(fake.client(max_answer=60_000).tasks.filter(project=project).iterator())
