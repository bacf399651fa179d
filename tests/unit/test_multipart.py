"""Forms with files are read while they are sent."""

from __future__ import annotations

import io
import tracemalloc
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter

from labelstudio_orm import LabelStudio
from labelstudio_orm._engine.http.multipart import Multipart
from labelstudio_orm.testing import FakeLabelStudio
from labelstudio_orm.testing.fake import Fault


def parsed(body: Multipart) -> list[tuple[str | None, str | None, bytes]]:
    """The parts as the standard library reads them: name of the field, of the file, content."""
    head = f"Content-Type: {body.content_type}\r\n\r\n".encode()
    message = message_from_bytes(head + body.read())
    parts: Any = message.get_payload()
    return [
        (
            part.get_param("name", header="content-disposition"),
            part.get_filename(),
            part.get_payload(decode=True),
        )
        for part in parts
    ]


def test_what_is_sent() -> None:
    files: dict[str, Any] = {
        "one": ("a b.png", io.BytesIO(b"\x00\r\n--x")),
        "two": ("c.txt", io.BytesIO(b"")),
    }
    body = Multipart(files, {"field": "é"})
    assert len(body) == len(body.read())
    body.seek(0)
    assert parsed(body) == [
        ("field", None, "é".encode()),
        ("one", "a b.png", b"\x00\r\n--x"),
        ("two", "c.txt", b""),
    ]


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_pieces_of_any_size_make_the_whole(size: int) -> None:
    body = Multipart({"file": ("a.bin", io.BytesIO(bytes(range(256)) * 9))})
    whole = body.read()
    body.seek(0)
    pieces = []
    while piece := body.read(size):
        pieces.append(piece)
        assert body.tell() == sum(map(len, pieces))
    assert b"".join(pieces) == whole
    body.seek(100)
    assert body.read() == whole[100:]


def test_a_file_from_where_it_is_read() -> None:
    file = io.BytesIO(b"not this, but this")
    file.seek(10)
    assert parsed(Multipart({"file": ("a", file)}))[0][2] == b"but this"


def test_a_file_that_becomes_shorter(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * 1000)
    with path.open("rb") as file:
        body = Multipart({"file": ("a.bin", file)})
        path.write_bytes(b"x")
        with pytest.raises(OSError, match="shrank"):
            body.read()


class Counting(BaseAdapter):
    """Takes a body in pieces, as a connection does, and keeps none."""

    taken = 0

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        while piece := request.body.read(8192):  # type: ignore[union-attr]
            self.taken += len(piece)
        assert request.headers["Content-Length"] == str(self.taken)
        response = requests.Response()
        response.status_code, response.url = 201, request.url or ""
        response.raw = io.BytesIO(b'{"file_upload_ids": [1]}')
        return response

    def close(self) -> None:
        """Nothing is open."""


def test_a_large_file_is_not_held_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(64 << 20)
    session, adapter = requests.Session(), Counting()
    session.mount("http://", adapter)
    ls = LabelStudio("http://example.com", "token", session=session)
    tracemalloc.start()
    try:
        with path.open("rb") as file:
            ls.request("POST", "/api/projects/1/import", files={"file": (path.name, file)})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert adapter.taken > 64 << 20
    assert peak < 1 << 20


def test_a_form_is_sent_again_from_its_beginning(fake: FakeLabelStudio, tmp_path: Path) -> None:
    """A 429 was not carried out, so that it is repeated."""
    ls = fake.client()
    path = tmp_path / "photo.png"
    path.write_bytes(b"a photo" * 10_000)
    project = ls.projects.create(title="Photos")
    fake.fault("POST", "/api/projects/*/import", Fault.too_many_requests(0))
    with project.files.upload(path).open() as stream:
        assert stream.read() == path.read_bytes()
