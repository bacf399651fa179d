"""Reading the bytes of uploaded files, and digests that identify them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from ...errors import LabelStudioError
from .exactly_once import TRIES, outcome_unknown

if TYPE_CHECKING:
    from .source import Source

PIECE: Final = 1 << 16
"""Bytes that are read at once."""


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int = ..., /) -> bytes:
        """Read at most so many bytes; none at the end."""


def fetch(source: Source, file: str, copy: BinaryIO, size: int | None = None) -> str:
    """Copy a file of a source and return its digest; begin again if the connection breaks.

    ``size``: its bytes, if the server lists them. Raises LabelStudioError for an answer of another
    size, which is not this file.
    """
    for attempt in range(TRIES):
        copy.seek(0)
        copy.truncate()
        try:
            with source.open_file(file) as stream:
                found = hashed(stream, copy)
            break
        except LabelStudioError as error:
            if attempt == TRIES - 1 or not outcome_unknown(error):
                raise
        client = getattr(source, "client", None)
        if client is not None:
            client.retries.sleep(client.retries.wait(attempt))
    if size is not None and copy.tell() != size:
        raise LabelStudioError(
            f"reading {file}: the server sent {copy.tell():,} bytes and lists {size:,}, so the "
            "answer is not this file"
        )
    return found


def hashed(stream: Readable, copy: BinaryIO | None = None) -> str:
    """Return the digest of a stream, while writing its bytes to ``copy``."""
    found = hashlib.sha256()
    while piece := stream.read(PIECE):
        found.update(piece)
        if copy is not None:
            copy.write(piece)
    return found.hexdigest()


class Counting:
    """A stream that counts the bytes read from it."""

    def __init__(self, stream: Readable) -> None:
        self._stream, self.number = stream, 0

    def read(self, size: int = -1) -> bytes:
        """Read at most so many bytes, or all."""
        piece = self._stream.read(size)
        self.number += len(piece)
        return piece
