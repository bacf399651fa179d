"""Answers that are files: streamed to disk, and visible only once complete."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ...errors import APIError, ConnectionFailed
from ...progress import Progress, reporter
from ..values.files import whole_file

if TYPE_CHECKING:
    from .connection import Connection

_TEXT = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
"""The inside of a JSON string, up to its end or that of the piece."""


def download(
    client: Connection,
    path: str,
    target: Path,
    *,
    doing: str,
    params: Mapping[str, Any] | None = None,
    progress: Progress = None,
    is_export: bool = True,
) -> Path:
    """Stream an answer into a file, which appears under its name only when it is complete.

    Completeness is judged by HTTP, its compression, and for an export its zip or JSON.

    ``is_export``: a web page is refused, and JSON must be a list that is complete; any other file
    may have any content.
    """
    with (
        reporter(progress, doing) as report,
        whole_file(target, shared=True) as file,
        client.stream(
            "GET", path, params=params, timeout=client.long_timeout, doing=doing
        ) as response,
    ):
        kind = response.headers.get("Content-Type", "").lower()
        size = response.headers.get("Content-Length", "")
        total = int(size) if size.isdecimal() and len(size) < 20 else None
        end, done, start = JsonEnd(), 0, b""
        for piece in response.raw.stream():
            file.write(piece)
            done += len(piece)
            start = start or piece.lstrip()[:4]
            if is_export and "json" in kind:
                end.feed(piece)
            report(done, total)
        if is_export:
            _check_kind(kind, start, f"GET {path}", doing, response.status_code)
            whole = end.is_whole if "json" in kind else _is_whole_zip(kind, start, file)
            if not whole:
                text = f"{doing} failed: the answer ended early"
                raise ConnectionFailed(text, request=f"GET {path}")
    return target


def _check_kind(kind: str, start: bytes, request: str, doing: str, status: int) -> None:
    if "html" in kind or ("json" in kind and start[:1] not in (b"[", b"")):
        raise APIError(
            f"{doing} failed: the answer is not an export ({kind:.100}). Check the base URL, "
            "and whether a proxy or a login page answers instead.",
            status=status,
            request=request,
        )


def _is_whole_zip(kind: str, start: bytes, file: BinaryIO) -> bool:
    """Return whether a zip file has its end, where its directory is."""
    if start != b"PK\x03\x04" and "zip" not in kind:
        return True
    file.flush()
    return zipfile.is_zipfile(file)


class JsonEnd:
    """Detects whether the pieces of a JSON text are complete, without parsing it."""

    def __init__(self) -> None:
        self._depth = 0
        self._is_text = self._is_escaped = self._is_begun = False

    @property
    def is_whole(self) -> bool:
        """Return whether every bracket and string that was opened is closed."""
        return self._is_begun and not self._is_text and self._depth == 0

    def feed(self, piece: bytes) -> None:
        """Take the next piece."""
        at, size = int(self._is_escaped and bool(piece)), len(piece)
        self._is_escaped = self._is_escaped and not piece
        while at < size:
            if self._is_text:
                found = _TEXT.match(piece, at)
                end = found.end() if found else at
                self._is_escaped = end < size and piece[end : end + 1] == b"\\"
                self._is_text = end >= size or self._is_escaped
            else:
                end = piece.find(b'"', at)
                end = size if end < 0 else end
                part = piece[at:end]
                self._is_begun = self._is_begun or bool(part.strip())
                self._depth += part.count(b"[") + part.count(b"{")
                self._depth -= part.count(b"]") + part.count(b"}")
                self._is_text = end < size
            at = end + 1
