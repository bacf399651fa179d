"""The bytes of uploaded files: read to their end, and told apart by what they hold."""

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
    """What bytes can be read from."""

    def read(self, size: int = ..., /) -> bytes:
        """Read so many bytes, none at the end."""


def fetch(source: Source, file: str, copy: BinaryIO, size: int | None = None) -> str:
    """Copy a file of a source, again from its beginning where a connection breaks; return what
    stands for its content.

    ``size``: its bytes, where the server lists them. Raises LabelStudioError for an answer of
    another size, which is not this file.
    """
    for attempt in range(TRIES):
        copy.seek(0)
        copy.truncate()
        try:
            with source.open_file(file) as stream:
                told = hashed(stream, copy)
            break
        except LabelStudioError as error:
            if attempt == TRIES - 1 or not outcome_unknown(error):
                raise
        client = getattr(source, "client", None)
        if client is not None:
            client.retries.sleep(client.retries.wait(attempt))
    if size is not None and copy.tell() != size:
        raise LabelStudioError(
            f"reading {file}: {copy.tell():,} bytes came, and the server lists {size:,} for it, so "
            "the answer is not this file"
        )
    return told


def hashed(stream: Readable, copy: BinaryIO | None = None) -> str:
    """Return what stands for the bytes of a stream, which are written into ``copy``."""
    found = hashlib.sha256()
    while piece := stream.read(PIECE):
        found.update(piece)
        if copy is not None:
            copy.write(piece)
    return found.hexdigest()


class Counting:
    """A stream that counts the bytes that are read of it."""

    def __init__(self, stream: Readable) -> None:
        self._stream, self.number = stream, 0

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes."""
        piece = self._stream.read(size)
        self.number += len(piece)
        return piece
