"""The uploaded files of projects: how they are read, recognised, and sent to a target."""

from __future__ import annotations

import hashlib
import posixpath
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Final, TypeAlias

import attrs

from ..._engine.bulk.workers import each
from ...client import labelstudio_of
from ...errors import LabelStudioError
from ...resources._tasks.forms import Renamed
from ...resources.files import store, upload_path
from .exactly_once import TRIES, outcome_unknown
from .remap import original_name
from .source import LiveSource

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from ...resources.files import FileUpload
    from ...resources.projects import Project
    from .source import Source


# -- reading --------------------------------------------------------------------------------------

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


# -- equal files of several projects --------------------------------------------------------------


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


# -- the files of a target ------------------------------------------------------------------------

LONGEST: Final = 100
"""Characters of a path on a server, which truncates longer names."""

_ADDED: Final = (9, 8)
"""Characters that it adds before a name, ``1a2b3c4d-``, and after one that it truncated."""


@attrs.frozen(eq=False)
class Fetched:
    """A file that was fetched from a source."""

    file: str
    """Its path on the server of the source."""
    name: str
    size: int
    digest: str
    path: Path
    """Where it is on this machine."""


Found: TypeAlias = "dict[Fetched, str]"
"""The paths of files in the target."""


class Stored:
    """The uploaded files of a project, as far as the current user sees them.

    ``is_copy``: returns whether a path is that of a copy; all others are unmatched. ``unites``:
    equal files of several sources become one.
    """

    def __init__(
        self,
        project: Project,
        is_copy: Callable[[str], bool],
        workers: int,
        *,
        unites: bool = False,
    ) -> None:
        self.project, self.is_copy, self.workers = project, is_copy, workers
        self.sent: dict[tuple[str, str], str] | None = {} if unites else None
        """The paths of files that were sent, by their names and digests."""
        self.target = LiveSource(project)
        self.highest = 0
        """The greatest id so far."""
        self._unmatched: list[Row] | None = None
        self._digests: dict[str, str | None] = {}

    # -- what is there ----------------------------------------------------------------------------

    def look(self) -> list[Row]:
        """List the files again and return them, by id. One request."""
        rows = sorted(self.target.related("files"), key=lambda row: int(row["id"]))
        self._seen(row["id"] for row in rows)
        self._unmatched = [row for row in rows if not self.is_copy(row["file"])]
        return rows

    def unmatched(self) -> list[Row]:
        """Return the unmatched files of the last listing, by id. One request if there was none."""
        if self._unmatched is None:
            self.look()
        return self._unmatched or []

    def find(self, files: Sequence[Fetched], *, after: int = 0, whole: bool = False) -> Found:
        """Find files among the unmatched ones, which become matched by that.

        Only files whose name and size are those of a wanted file are read. ``after``: only files
        with higher ids. ``whole``: all files were sent together, and stored before the server
        refused them for their content, so that the same number of files with these names and sizes
        need not be read.
        """
        candidates = self._candidates(files, after)
        found = _in_order(candidates) if whole else None
        if found is None:
            self._read(row for rows in candidates.values() for row in rows)
            found = {}
            for one, rows in candidates.items():
                taken = {*found.values()}
                alike = (row["file"] for row in rows if self._digests[row["file"]] == one.digest)
                if (twin := next((file for file in alike if file not in taken), None)) is not None:
                    found[one] = twin
        taken = {*found.values()}
        self._unmatched = [row for row in self.unmatched() if row["file"] not in taken]
        return found

    def _candidates(self, files: Iterable[Fetched], after: int) -> dict[Fetched, list[Row]]:
        """Return the unmatched files that each file may be."""
        alike: defaultdict[str, list[Row]] = defaultdict(list)
        for row in self.unmatched():
            if row["id"] > after:
                alike[_family(row["file"])].append(row)
        found: dict[Fetched, list[Row]] = {}
        for one in files:
            rows = [*alike.get(one.name, ()), *alike.get(_suffixes(one.name), ())]
            found[one] = [row for row in rows if _may_be(row, one)]
        return found

    def _read(self, rows: Iterable[Row]) -> None:
        """Read files, each once, for their digests."""
        files = dict.fromkeys(row["file"] for row in rows if row["file"] not in self._digests)
        for outcome in each(files, self._content, workers=self.workers, until=lambda _: False):
            if outcome.error is not None and not isinstance(outcome.error, _UNREADABLE):
                raise outcome.error
            self._digests[outcome.item] = outcome.value

    def _content(self, file: str) -> str:
        return read(self.target, file)[0]

    def _seen(self, ids: Iterable[int]) -> None:
        self.highest = max([self.highest, *ids])

    # -- what comes -------------------------------------------------------------------------------

    def send(self, files: Sequence[Fetched]) -> Found:
        """Upload files in one request and list them in another one; return their paths.

        Raises LabelStudioError if the listing is not of these files.
        """
        uploads = self.project.files
        ids = store(self.project, [Renamed(one.path, one.name) for one in files])
        if labelstudio_of(self.project).is_dry:
            return {one: uploads.get(id).file for one, id in zip(files, ids, strict=True)}
        self._seen(ids)
        rows = {row.id: row for row in uploads.filter(id__in=ids)}
        return {one: self._path(one, rows.get(id), id) for one, id in zip(files, ids, strict=True)}

    def _path(self, one: Fetched, row: FileUpload | None, id: int) -> str:
        """Return the path of a file that was sent; raise LabelStudioError for a false listing."""
        file = None if row is None else row.file
        if row is None or not isinstance(file, str) or upload_path(file) != file:
            raise LabelStudioError(f"uploading {one.name}: the server lists {file!r:.80} as {id=}")
        is_cleaned = posixpath.splitext(one.name)[1].lower() == ".svg"  # as some servers do
        listed = {"file": file, "size": None if is_cleaned else row.size}
        if not _may_be(listed, one) and self._content(file) != one.digest:
            raise LabelStudioError(
                f"uploading {one.name} of {one.size:,} bytes: the server lists {file} of "
                f"{row.size!r:.80} as {id=}, which has other content"
            )
        return file

    # -- duplicates -------------------------------------------------------------------------------

    def remove_duplicates(self, after: int = 0) -> int:
        """Delete unmatched files that equal a copy; return their number.

        ``after``: only files with higher ids. Only files of the same name and size are read.
        """
        rows = self.look()
        unmatched = [row for row in self.unmatched() if row["id"] > after]
        names = {_alike(row) for row in unmatched}
        mine = [row for row in rows if _alike(row) in names and self.is_copy(row["file"])]
        names = {_alike(row) for row in mine}
        unmatched = [row for row in unmatched if _alike(row) in names]
        self._read([*mine, *unmatched])
        ours = {(_alike(row), digest) for row in mine if (digest := self._digests[row["file"]])}
        duplicates = [
            row["id"] for row in unmatched if (_alike(row), self._digests[row["file"]]) in ours
        ]
        if duplicates:
            self.project.files.filter(id__in=duplicates).delete()
            self._unmatched = None
        return len(duplicates)


_UNREADABLE: Final = (LabelStudioError, ValueError)


def _in_order(candidates: Mapping[Fetched, list[Row]]) -> Found | None:
    """Match files by the order in which they were sent and stored; None unless all match."""
    left = {row["file"]: None for rows in candidates.values() for row in rows}
    found: Found = {}
    for one, rows in candidates.items():
        twin = next((row["file"] for row in rows if row["file"] in left), None)
        if twin is None:
            return None
        found[one] = twin
        del left[twin]
    return None if left else found


def _alike(row: Row) -> tuple[str, int | None]:
    """Return what equal files have in common before they are read."""
    return _family(row["file"]), row["size"]


def _family(file: str) -> str:
    """Return the name of a file, or its suffixes if a server has truncated the name."""
    return original_name(file) if len(file) < LONGEST else _suffixes(file)


def _suffixes(file: str) -> str:
    return "".join(PurePosixPath(file).suffixes)


def _may_be(row: Row, one: Fetched) -> bool:
    """Return whether a file has the name and the size of one that was sent."""
    return row["size"] in (None, one.size) and _is_named(row["file"], one.name)


def _is_named(file: str, name: str) -> bool:
    """Return whether a path on a server is that of a file sent under this name."""
    if original_name(file) == name:
        return True
    end, (before, after) = _suffixes(name), _ADDED
    start = file.rpartition("/")[2].removesuffix(end)[before:-after]
    return len(file) == LONGEST and file.endswith(end) and name.startswith(start)
