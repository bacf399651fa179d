"""Uploaded files: brought over one by one, as streams, and the addresses that tasks have of
them.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..bulk.summary import Failure
from ..errors import BadRequest, LabelStudioError
from .again import exactly_once
from .contents import fetch, hashed
from .uploads import address_on, files_of, original_name

if TYPE_CHECKING:
    from ..resources.files import FileUpload
    from ..resources.projects import Project
    from .journal import Journal
    from .source import Row, Source


class Media:
    """The files of a source, in the target project. ``server``: the address of the source's.
    ``uploaded``: what stands in the target already, by names and contents, so that equal files of
    several sources become one.
    """

    def __init__(
        self,
        source: Source,
        project: Project,
        journal: Journal,
        server: str,
        uploaded: dict[tuple[str, str], str] | None = None,
    ) -> None:
        self.source, self.project, self.server = source, project, server
        self.client = project.tasks.client
        self.moved = journal.map("files")
        self.uploaded = uploaded
        self.created = self.uploads = 0
        self.failed: dict[str, Failure] = {}
        self._orphans: list[FileUpload] | None = None

    def bring_all(self, rows: list[Row]) -> None:
        """Copy the files that a batch of tasks speaks of."""
        for file in sorted(set().union(*(files_of(row, self.server) for row in rows))):
            self.address(file)

    def address(self, file: str, size: int | None = None) -> str | None:
        """The address of a file in the target, where it is brought first; None where it cannot
        be. ``size``: its bytes, where they are known.
        """
        new = file if self._is_mine(file) else self.moved.get(file)
        if new is None and file not in self.failed:
            try:
                new = self._bring(file, size)
            except (LabelStudioError, ValueError) as error:
                self.failed[file] = Failure(len(self.failed), file, str(error))
        return None if new is None else address_on(self.client.url, new)

    def _is_mine(self, file: str) -> bool:
        """Whether it is a file of the target itself."""
        return self.server == self.client.url and file.startswith(f"upload/{self.project.id}/")

    def _bring(self, file: str, size: int | None) -> str:
        name = original_name(file)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "content")  # the name may be none on this system
            with path.open("w+b") as copy:
                told = "" if self.client.is_dry else fetch(self.source, file, copy, size)
                size = copy.tell()

            def make() -> str:
                self.uploads += 1
                try:
                    return self.project.files.upload(path, name=name).file
                except LabelStudioError as error:
                    self._orphans = None  # it may be there now: also a file that is no import stays
                    found = self._found(name, size, told) if isinstance(error, BadRequest) else None
                    if found is None:
                        raise
                    return found

            new = (self.uploaded or {}).get((name, told))
            if new is None:
                new = exactly_once(lambda: self._found(name, size, told), make, self.client)
        if self.uploaded is not None and not self.client.is_dry:
            self.uploaded[name, told] = new
        self.moved.put({file: new})
        self.created += 1
        return new

    def _found(self, name: str, size: int | None, told: str) -> str | None:
        """The same file, where it was uploaded and nobody took note of it."""
        if self._orphans is None:
            self._orphans = self.orphans()
        for one in self._orphans:
            if original_name(one.file) != name or one.size not in (None, size):
                continue
            if _told(one) == told:
                self._orphans.remove(one)
                return one.file
        return None

    def orphans(self) -> list[FileUpload]:
        """The files of the target that are no copy of any. One request."""
        if self.client.is_dry:
            return []
        return [one for one in self.project.files.all() if self.moved.old(one.file) is None]

    def remove_doubles(self) -> int:
        """Delete what is there once more than it was uploaded; how many that were. Only files of
        one name and size are read.
        """
        alike: defaultdict[tuple[str, int | None], list[FileUpload]] = defaultdict(list)
        for one in self.project.files.all():
            alike[original_name(one.file), one.size].append(one)
        doubles: list[int] = []
        for files in alike.values():
            mine = [one for one in files if self.moved.old(one.file) is not None]
            others = [one for one in files if one not in mine]
            ours = {_told(one) for one in mine} if others else set()
            doubles += [one.id for one in others if ours and _told(one) in ours]
        if doubles:
            self.project.files.filter(id__in=doubles).delete()
        return len(doubles)


def _told(file: FileUpload) -> str:
    with file.open() as stream:
        return hashed(stream)
