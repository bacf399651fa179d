"""The body of an answer in pieces: complete or an error, with bounded memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Final

import urllib3

PIECE: Final = 1 << 20
_GZIP: Final = frozenset({"gzip", "x-gzip"})
_PLAIN: Final = frozenset({"", "identity"})


class BrokenBody(Exception):
    """A body ends early, or is not compressed as its header says."""


def pieces(raw: Any, size: int = PIECE) -> Iterator[bytes]:
    """Yield a body, decompressed, in pieces of at most ``size`` bytes.

    Raises BrokenBody where its length, its chunks or its compression show that it is incomplete.
    """
    encodings: list[str] = []
    if isinstance(raw, urllib3.HTTPResponse):
        header = raw.headers.get("Content-Encoding") or ""
        encodings = [word.strip().lower() for word in header.split(",")]
    stream = _as_sent(raw, size)
    for encoding in reversed(encodings[:4]):
        if encoding not in _PLAIN:
            stream = _inflated(stream, encoding, size)
    yield from stream


def _as_sent(raw: Any, size: int) -> Iterator[bytes]:
    """Yield the bytes as they came; an adapter that is not urllib3's gives just what it has."""
    options = {"decode_content": False} if isinstance(raw, urllib3.HTTPResponse) else {}
    while piece := raw.read(size, **options):
        yield piece
    if getattr(raw, "length_remaining", None):  # urllib3 1.x does not check this by itself
        raise BrokenBody("the answer ended early")


def _inflated(stream: Iterator[bytes], encoding: str, size: int) -> Iterator[bytes]:
    if encoding not in _GZIP and encoding != "deflate":
        raise BrokenBody(f"the answer is compressed as {encoding[:20]!r}, which was not requested")
    inflate: Any = None
    for piece in stream:
        while piece:
            if inflate is None:
                inflate = zlib.decompressobj(_window(encoding, piece))
            try:
                found = inflate.decompress(piece, size)
                while found:
                    yield found
                    more = inflate.unconsumed_tail
                    found = inflate.decompress(more, size) if not inflate.eof else b""
            except zlib.error as error:
                raise BrokenBody(
                    f"the answer is not compressed as its header says ({error})"
                ) from error
            piece = inflate.unused_data
            if inflate.eof and piece[:2] == b"\x1f\x8b":  # another member
                inflate = None
            elif inflate.eof:
                piece = b""
    if inflate is not None and not inflate.eof:
        raise BrokenBody("the answer ended early")


def _window(encoding: str, start: bytes) -> int:
    if encoding in _GZIP:
        return 16 + zlib.MAX_WBITS
    # Some servers send the bare format without the header that the encoding requires.
    has_header = start[0] & 15 == 8 and (len(start) < 2 or not (start[0] << 8 | start[1]) % 31)
    return zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS
