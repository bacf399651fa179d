"""The uploaded files of a target: those that are sent to it, and those that are there already."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from ..._engine.bulk.workers import each
from ...errors import LabelStudioError
from ...resources._tasks.forms import Renamed
from ...resources.common import labelstudio_of
from ...resources.files import upload_path
from .contents import hashed
from .source import LiveSource
from .uploads import original_name

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from ...resources.files import FileUpload
    from ...resources.projects import Project

LONGEST: Final = 100
"""Characters of a path on a server, which cuts names that are longer."""

_ADDED: Final = (9, 8)
"""How many it puts before a name, ``1a2b3c4d-``, and after what is left of one that it cut."""


@attrs.frozen(eq=False)
class Here:
    """A file of a source that was fetched: its path on the server that it is from, its name, how
    many bytes it has, what stands for them, and where they are now.
    """

    file: str
    name: str
    size: int
    told: str
    path: Path


Found: TypeAlias = "dict[Here, str]"
"""Where files are in the target."""


class Stored:
    """The uploaded files of a project, as far as this user sees them. ``is_copy``: whether a path
    is known as that of a copy; all others are unmatched.
    """

    def __init__(self, project: Project, is_copy: Callable[[str], bool], workers: int) -> None:
        self.project, self.is_copy, self.workers = project, is_copy, workers
        self.there = LiveSource(project)
        self.highest = 0
        """The greatest id that was seen."""
        self._unmatched: list[Row] | None = None
        self._told: dict[str, str | None] = {}

    # -- what is there ----------------------------------------------------------------------------

    def look(self) -> list[Row]:
        """List the files anew; return all of them, by id. One request."""
        rows = sorted(self.there.related("files"), key=lambda row: int(row["id"]))
        self._seen(row["id"] for row in rows)
        self._unmatched = [row for row in rows if not self.is_copy(row["file"])]
        return rows

    def unmatched(self) -> list[Row]:
        """Those of the last look, by id; one request where there was none."""
        if self._unmatched is None:
            self.look()
        return self._unmatched or []

    def find(self, files: Sequence[Here], *, after: int = 0, whole: bool = False) -> Found:
        """Which of some files are among the unmatched, and where; these are none any more. Only
        what has a name and a size in common with one is read.

        ``after``: only those with higher ids. ``whole``: all of the files were sent together, and
        stored before the server refused them for what they hold, so if just as many are there, of
        these names and sizes, they need not be read.
        """
        candidates = self._candidates(files, after)
        found = _in_order(candidates) if whole else None
        if found is None:
            self._read(row for rows in candidates.values() for row in rows)
            found = {}
            for one, rows in candidates.items():
                taken = {*found.values()}
                alike = (row["file"] for row in rows if self._told[row["file"]] == one.told)
                if (twin := next((file for file in alike if file not in taken), None)) is not None:
                    found[one] = twin
        taken = {*found.values()}
        self._unmatched = [row for row in self.unmatched() if row["file"] not in taken]
        return found

    def _candidates(self, files: Iterable[Here], after: int) -> dict[Here, list[Row]]:
        """The unmatched that each may be."""
        alike: defaultdict[str, list[Row]] = defaultdict(list)
        for row in self.unmatched():
            if row["id"] > after:
                alike[_family(row["file"])].append(row)
        found: dict[Here, list[Row]] = {}
        for one in files:
            rows = [*alike.get(one.name, ()), *alike.get(_suffixes(one.name), ())]
            found[one] = [row for row in rows if _may_be(row, one)]
        return found

    def _read(self, rows: Iterable[Row]) -> None:
        """Look into files, each once."""
        files = dict.fromkeys(row["file"] for row in rows if row["file"] not in self._told)
        for outcome in each(files, self._content, workers=self.workers, until=lambda _: False):
            if outcome.error is not None and not isinstance(outcome.error, _UNREADABLE):
                raise outcome.error
            self._told[outcome.item] = outcome.value

    def _content(self, file: str) -> str:
        with self.there.open_file(file) as stream:
            return hashed(stream)

    def _seen(self, ids: Iterable[int]) -> None:
        self.highest = max([self.highest, *ids])

    # -- what comes -------------------------------------------------------------------------------

    def send(self, files: Sequence[Here]) -> Found:
        """Upload files, in one request, and list them, in another one; what each is called now.

        Raises LabelStudioError where the listing is not of these files.
        """
        uploads = self.project.files
        ids = uploads._store([Renamed(one.path, one.name) for one in files])
        if labelstudio_of(self.project).is_dry:
            return {one: uploads.get(id).file for one, id in zip(files, ids, strict=True)}
        self._seen(ids)
        rows = {row.id: row for row in uploads.filter(id__in=ids)}
        return {one: self._path(one, rows.get(id), id) for one, id in zip(files, ids, strict=True)}

    def _path(self, one: Here, row: FileUpload | None, id: int) -> str:
        """The path of a file that was sent, if the listing can be believed."""
        file = None if row is None else row.file
        if row is None or not isinstance(file, str) or upload_path(file) != file:
            raise LabelStudioError(f"uploading {one.name}: the server lists {file!r:.80} as {id=}")
        is_cleaned = posixpath.splitext(one.name)[1].lower() == ".svg"  # as some servers do
        listed = {"file": file, "size": None if is_cleaned else row.size}
        if not _may_be(listed, one) and self._content(file) != one.told:
            raise LabelStudioError(
                f"uploading {one.name} of {one.size:,} bytes: the server lists {file} of "
                f"{row.size!r:.80} as {id=}, which holds something else"
            )
        return file

    # -- what came twice --------------------------------------------------------------------------

    def remove_duplicates(self, after: int = 0) -> int:
        """Delete unmatched that are the same as a copy; how many they were. ``after``: only those
        with higher ids. Only files of one name and size are read.
        """
        rows = self.look()
        unmatched = [row for row in self.unmatched() if row["id"] > after]
        names = {_alike(row) for row in unmatched}
        mine = [row for row in rows if _alike(row) in names and self.is_copy(row["file"])]
        names = {_alike(row) for row in mine}
        unmatched = [row for row in unmatched if _alike(row) in names]
        self._read([*mine, *unmatched])
        ours = {(_alike(row), told) for row in mine if (told := self._told[row["file"]])}
        duplicates = [
            row["id"] for row in unmatched if (_alike(row), self._told[row["file"]]) in ours
        ]
        if duplicates:
            self.project.files.filter(id__in=duplicates).delete()
            self._unmatched = None
        return len(duplicates)


_UNREADABLE: Final = (LabelStudioError, ValueError)


def _in_order(candidates: Mapping[Here, list[Row]]) -> Found | None:
    """What is what by the order in which files are sent and stored; None unless it tells all."""
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
    """What equal files have in common, before they are read."""
    return _family(row["file"]), row["size"]


def _family(file: str) -> str:
    """The name of a file, or how it ends, where a server has cut it."""
    return original_name(file) if len(file) < LONGEST else _suffixes(file)


def _suffixes(file: str) -> str:
    return "".join(PurePosixPath(file).suffixes)


def _may_be(row: Row, one: Here) -> bool:
    """Whether a file has the name and the size of one that was sent."""
    return row["size"] in (None, one.size) and _is_named(row["file"], one.name)


def _is_named(file: str, name: str) -> bool:
    """Whether a path on a server is that of a file which was sent under a name."""
    if original_name(file) == name:
        return True
    end, (before, after) = _suffixes(name), _ADDED
    start = file.rpartition("/")[2].removesuffix(end)[before:-after]
    return len(file) == LONGEST and file.endswith(end) and name.startswith(start)
