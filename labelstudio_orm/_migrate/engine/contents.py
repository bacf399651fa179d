"""Reading the bytes of uploaded files, and recognising equal files of several projects."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, Final

import attrs

from ...errors import LabelStudioError
from .exactly_once import TRIES, outcome_unknown
from .uploads import original_name

if TYPE_CHECKING:
    from .source import Source

PIECE: Final = 1 << 16
"""Bytes that are read at once."""


def fetch(source: Source, file: str, copy: BinaryIO, size: int | None = None) -> str:
    """Copy a file of a source and return its digest.

    ``size``: its bytes, if the server lists them. Raises LabelStudioError for an answer of another
    size, which is not this file.
    """
    found, number = read(source, file, copy)
    if size is not None and number != size:
        raise LabelStudioError(
            f"reading {file}: the server sent {number:,} bytes and lists {size:,}, so the "
            "answer is not this file"
        )
    return found


def read(source: Source, file: str, copy: BinaryIO | None = None) -> tuple[str, int]:
    """Return the digest and the size of a file of a source, while writing its bytes to ``copy``.

    Where the connection breaks, it is read from the beginning again.
    """
    for attempt in range(TRIES):
        try:
            with source.open_file(file) as stream:
                return _hashed(stream, copy)
        except LabelStudioError as error:
            if attempt == TRIES - 1 or not outcome_unknown(error):
                raise
        client = getattr(source, "client", None)
        if client is not None:
            client.retries.sleep(client.retries.wait(attempt))
    raise AssertionError("unreachable")


def _hashed(stream: BinaryIO, copy: BinaryIO | None) -> tuple[str, int]:
    found, size = hashlib.sha256(), 0
    if copy is not None:
        copy.seek(0)
        copy.truncate()
    while piece := stream.read(PIECE):
        found.update(piece)
        size += len(piece)
        if copy is not None:
            copy.write(piece)
    return found.hexdigest(), size


@attrs.define(eq=False)
class _File:
    """A file of a source; ``size`` and ``content`` (a digest) are None until they are known."""

    source: Source
    path: str
    token: str
    size: int | None = None
    content: str | None = None
    error: LabelStudioError | None = None

    def read(self) -> None:
        """Read the file, once; an unreadable file equals no other one."""
        if self.content is not None:
            return
        try:
            self.content, self.size = read(self.source, self.path)
        except LabelStudioError as error:
            self.content, self.error = f"unknown: {self.token}", error


class SameFiles:
    """Names for the files of several sources, equal if and only if the files are.

    A file is read at most once, and only if another one has its name, and may have its size.
    """

    def __init__(self) -> None:
        self._tokens: dict[tuple[str, str], str] = {}
        self._numbers = Counter[str]()
        """How many different files there are of each name."""
        self._files: defaultdict[tuple[str, int | None], list[_File]] = defaultdict(list)
        """These, by name and size."""
        self._listed: dict[int, dict[str, int]] = {}

    def name(self, source: Source, server: str, path: str) -> str:
        """Return the name of a file of a source, whose project is on this server."""
        if (server, path) not in self._tokens:
            self._tokens[server, path] = self._token(source, path)
        return self._tokens[server, path]

    def _token(self, source: Source, path: str) -> str:
        """Return the name of an equal file, else a new one."""
        name = original_name(path)
        number = self._numbers[name]
        token = f"upload:{name} #{number + 1}" if number else f"upload:{name}"
        file = _File(source, path, token, self._size(source, path))
        if number:  # sizes that no listing has
            for one in [file, *self._files.pop((name, None), ())]:
                if one.size is None:
                    one.read()
                if one is not file:
                    self._files[name, one.size].append(one)
        alike = self._files[name, file.size]
        for one in [file, *alike] if alike else ():
            one.read()
        for one in alike:
            if one.content == file.content:
                return one.token
        alike.append(file)
        self._numbers[name] += 1
        return token

    def note(self, server: str, path: str, same_as: tuple[str, str]) -> None:
        """Record that a file is a copy of another one, by server and path."""
        if same_as in self._tokens:
            self._tokens.setdefault((server, path), self._tokens[same_as])

    def unreadable(self) -> Iterator[tuple[str, LabelStudioError]]:
        """Yield the files that could not be read, with the errors."""
        for file in chain.from_iterable(self._files.values()):
            if file.error is not None:
                yield file.path, file.error

    def _size(self, source: Source, path: str) -> int | None:
        """Return the listed size of a file, if any. One request for all files of a project."""
        if id(source) not in self._listed:
            rows = ((row["file"], row["size"]) for row in source.related("files"))
            self._listed[id(source)] = {file: size for file, size in rows if size is not None}
        return self._listed[id(source)].get(path)
