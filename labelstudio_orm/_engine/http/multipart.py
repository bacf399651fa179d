"""The body of a form with files, read from them while it is sent."""

from __future__ import annotations

import io
import os
import uuid
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import BinaryIO, Final

from urllib3.fields import RequestField

PIECE: Final = 1 << 16


class Multipart:
    """A form as a stream of bytes, which can be rewound to be sent again.

    ``files`` are open ones, or their content, by the names of their fields, each with a name for
    the server; ``fields`` are texts.
    """

    def __init__(
        self,
        files: Mapping[str, tuple[str, BinaryIO | bytes]],
        fields: Mapping[str, object] | None = None,
    ) -> None:
        boundary = uuid.uuid4().hex
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._parts: list[tuple[BinaryIO, int, int]] = []  # where it begins, and its length
        for name, value in (fields or {}).items():
            self._begin(boundary, RequestField(name, b""))
            self._add(io.BytesIO(f"{value}\r\n".encode()))
        for name, (filename, file) in files.items():
            self._begin(boundary, RequestField(name, b"", filename=filename))
            self._add(io.BytesIO(file) if isinstance(file, bytes) else file)
            self._add(io.BytesIO(b"\r\n"))
        self._add(io.BytesIO(f"--{boundary}--\r\n".encode()))
        self._ends = list(accumulate(length for _, _, length in self._parts))
        self._place = 0

    def _begin(self, boundary: str, field: RequestField) -> None:
        field.make_multipart()
        self._add(io.BytesIO(f"--{boundary}\r\n{field.render_headers()}".encode()))

    def _add(self, part: BinaryIO) -> None:
        start = part.tell()
        self._parts.append((part, start, part.seek(0, os.SEEK_END) - start))

    def __len__(self) -> int:
        return self._ends[-1]

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(PIECE):
            yield piece

    def tell(self) -> int:
        """Return the number of bytes that were read."""
        return self._place

    def seek(self, place: int) -> int:
        """Continue from this position."""
        self._place = place
        return place

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, at most ``size`` of them; none at the end."""
        size = len(self) if size < 0 else size
        found = b""
        while len(found) < size and self._place < len(self):
            number = bisect_right(self._ends, self._place)
            part, start, length = self._parts[number]
            part.seek(start + self._place - (self._ends[number] - length))
            piece = part.read(min(size - len(found), self._ends[number] - self._place))
            if not piece:
                raise OSError(f"{getattr(part, 'name', 'a file')} shrank while it was sent")
            found += piece
            self._place += len(piece)
        return found
