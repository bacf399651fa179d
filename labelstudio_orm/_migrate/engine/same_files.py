"""Recognising equal uploaded files of several projects, by their names and their contents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from ...errors import LabelStudioError
from .contents import Counting, hashed
from .uploads import original_name

if TYPE_CHECKING:
    from .source import Source


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
            with self.source.open_file(self.path) as stream:
                counted = Counting(stream)
                self.content = hashed(counted)
            self.size = counted.number
        except LabelStudioError as error:
            self.content, self.error = f"unknown: {self.token}", error


class SameFiles:
    """Names for the files of several sources, equal if and only if the files are.

    A file is read at most once, and only if another one has its name, and may have its size.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}
        self._alike: defaultdict[str, _Alike] = defaultdict(_Alike)
        self._listed: dict[int, dict[str, int]] = {}

    def name(self, source: Source, server: str, path: str) -> str:
        """Return the name of a file of a source, whose project is on this server."""
        known = self._known.get((server, path))
        if known is None:
            alike = self._alike[original_name(path)]
            token = f"upload:{original_name(path)}{f' #{alike.number + 1}' if alike.number else ''}"
            file = _File(source, path, token, self._size(source, path))
            known = self._known[server, path] = alike.twin_or_itself(file).token
        return known

    def note(self, server: str, path: str, same_as: tuple[str, str]) -> None:
        """Record that a file is a copy of another one, by server and path."""
        if same_as in self._known:
            self._known.setdefault((server, path), self._known[same_as])

    def unreadable(self) -> Iterator[tuple[str, LabelStudioError]]:
        """Yield the files that could not be read, with the errors."""
        for alike in self._alike.values():
            for file in alike.files():
                if file.error is not None:
                    yield file.path, file.error

    def _size(self, source: Source, path: str) -> int | None:
        """Return the listed size of a file, if any. One request for all files of a project."""
        if id(source) not in self._listed:
            rows = ((row["file"], row["size"]) for row in source.related("files"))
            self._listed[id(source)] = {file: size for file, size in rows if size is not None}
        return self._listed[id(source)].get(path)


class _Alike:
    """Different files of one name, by their sizes."""

    def __init__(self) -> None:
        self.number = 0
        self._sizes: defaultdict[int | None, list[_File]] = defaultdict(list)

    def files(self) -> Iterator[_File]:
        """Yield the files."""
        for files in self._sizes.values():
            yield from files

    def twin_or_itself(self, file: _File) -> _File:
        """Return the equal file, else the file itself, which is one of them from now on."""
        if self.number:
            for one in [file, *self._sizes.pop(None, ())]:
                if one.size is None:
                    one.read()
                if one is not file:
                    self._sizes[one.size].append(one)
        same_size = self._sizes[file.size]
        for one in [file, *same_size] if same_size else ():
            one.read()
        twin = next((one for one in same_size if one.content == file.content), None)
        if twin is None:
            self.number += 1
            same_size.append(file)
        return twin or file
