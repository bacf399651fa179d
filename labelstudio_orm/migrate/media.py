"""Uploaded files: brought over one by one, as streams, and the addresses that tasks have of
them.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ..bulk.summary import Failure
from ..errors import BadRequest, LabelStudioError
from .again import TRIES, exactly_once, is_lost
from .translation import files_in, original_name

if TYPE_CHECKING:
    from ..resources.files import FileUpload
    from ..resources.projects import Project
    from .journal import Journal
    from .source import Row, Source


class Media:
    """The files of a source, in the target project."""

    def __init__(self, source: Source, project: Project, journal: Journal) -> None:
        self.source, self.project = source, project
        self.client = project.tasks.client
        self.moved = journal.map("files")
        self.created = 0
        self.failed: dict[str, Failure] = {}
        self._orphans: list[FileUpload] | None = None

    def bring_all(self, rows: list[Row]) -> None:
        """Copy the files that a batch of tasks speaks of."""
        mentioned = [files_in([row["data"], row.get("meta")]) for row in rows]
        for file in sorted(set().union(*mentioned)):
            self.address(file)

    def address(self, file: str) -> str | None:
        """The address of a file in the target, where it is brought first; None where it cannot
        be.
        """
        new = self.moved.get(file)
        if new is None and file not in self.failed:
            try:
                new = self._bring(file)
            except LabelStudioError as error:
                self.failed[file] = Failure(len(self.failed), file, str(error))
        return None if new is None else f"/data/{new}"

    def _bring(self, file: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, original_name(file))
            if self.client.is_dry:
                path.touch()
            else:
                self._download(file, path)

            def make() -> str:
                try:
                    return self.project.files.upload(path).file
                except LabelStudioError as error:
                    self._orphans = None  # it may be there now: also a file that is no import stays
                    found = self._found(path) if isinstance(error, BadRequest) else None
                    if found is None:
                        raise
                    return found

            new = exactly_once(lambda: self._found(path), make, self.client)
        self.moved.put({file: new})
        self.created += 1
        return new

    def _download(self, file: str, path: Path) -> None:
        for attempt in range(TRIES):
            try:
                with self.source.open_file(file) as stream, path.open("wb") as copy:
                    shutil.copyfileobj(stream, copy)
                return
            except LabelStudioError as error:  # a connection that breaks in the middle
                if attempt == TRIES - 1 or not is_lost(error):
                    raise
            self.client.retries.sleep(self.client.retries.wait(attempt))

    def _found(self, path: Path) -> str | None:
        """The same file, where it was uploaded and nobody took note of it."""
        if self._orphans is None:
            self._orphans = self.orphans()
        for one in self._orphans:
            if self._is(one, path):
                self._orphans.remove(one)
                return one.file
        return None

    def _is(self, one: Any, path: Path) -> bool:
        if original_name(one.file) != path.name or one.size not in (None, path.stat().st_size):
            return False
        with one.open() as stream, path.open("rb") as mine:
            return _hash(stream) == _hash(mine)

    def orphans(self) -> list[FileUpload]:
        """The files of the target that are no copy of any. One request."""
        if self.client.is_dry:
            return []
        return [one for one in self.project.files.all() if self.moved.old(one.file) is None]

    def remove_doubles(self) -> int:
        """Delete what is there once more than it was uploaded; how many that were."""
        files = list(self.project.files.all())
        mine = {one.id for one in files if self.moved.old(one.file) is not None}
        ours = {(original_name(one.file), one.size) for one in files if one.id in mine}
        doubles = [
            one.id
            for one in files
            if one.id not in mine and (original_name(one.file), one.size) in ours
        ]
        if doubles:
            self.project.files.filter(id__in=doubles).delete()
        return len(doubles)


def _hash(stream: BinaryIO) -> bytes:
    found = hashlib.sha256()
    while piece := stream.read(1 << 16):
        found.update(piece)
    return found.digest()
