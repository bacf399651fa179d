"""Copying the uploaded files of a source, many in one request, and their addresses in tasks.

A batch is an intent in the journal before it is sent. The answer gives the outcome. If it is lost,
or refuses the batch, the files are listed again.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..._engine.bulk.batches import batches
from ..._engine.bulk.workers import each
from ..._engine.http.connection import number_of_workers
from ..._engine.values.summary import Failure
from ...client import labelstudio_of
from ...errors import APIError, BadRequest, LabelStudioError, ServerError
from .exactly_once import exactly_once, record_duration, wait_for
from .files import Fetched, Stored, fetch
from .remap import address_on, files_of, original_name

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from ...resources.projects import Project
    from .journal import Journal
    from .source import Source

Wanted: TypeAlias = "tuple[str, int | None]"
"""A file to be fetched: its path, and its size if the source lists it."""

FILES: Final = 100
"""Files in one request: a server takes no more."""

BYTES: Final = 32_000_000
"""About the bytes of a request, and of its files on this machine; a larger file goes alone."""

INTENT: Final = "files"
"""The name in the journal of a batch that is under way."""

_BEFORE: Final = "files after"
"""The name in the journal of the last file that existed before any of these."""

_TABLES: Final = (".csv", ".tsv", ".json")

_OF_ONE: Final = (LabelStudioError, ValueError)
"""The errors that are a failure of one file, and do not end the migration."""


class Media:
    """The files of a source, in the target project.

    ``server``: the address of the source's server. ``wanted``: whether files are copied at all.
    ``stored``: the files of the target, where several sources share it.
    """

    def __init__(
        self,
        source: Source,
        project: Project,
        journal: Journal,
        server: str,
        *,
        wanted: bool = True,
        stored: Stored | None = None,
    ) -> None:
        self.source, self.project, self.server = source, project, server
        self.journal, self.wanted, self.client = journal, wanted, labelstudio_of(project)
        self.moved, self.lost = journal.map("files"), journal.map("files lost")
        workers = number_of_workers(None, getattr(source, "client", self.client))
        self.stored = stored or Stored(project, self._is_copy, workers)
        self.uploaded = self.stored.sent
        self.created = self.uploads = 0
        self.failed: dict[str, Failure] = {}
        self.before_upload: Callable[[], object] = lambda: None
        """Called before files are sent to the target."""

    def _is_copy(self, file: str) -> bool:
        return self.moved.old(file) is not None

    def address(self, file: str) -> str | None:
        """Return the address of a file in the target, copying it first; None if that fails."""
        if not self.wanted:
            return None
        if self._is_mine(file):
            return address_on(self.client.url, file)
        self.bring({file: None})
        new = self.moved.get(file)
        return None if new is None else address_on(self.client.url, new)

    def ahead(self, rows: list[Row]) -> list[Row]:
        """Copy the files that tasks name, and return the tasks."""
        if self.wanted:
            named = set[str]().union(*(files_of(row, self.server) for row in rows))
            self.bring(dict.fromkeys(sorted(named)))
        return rows

    def bring_all(self) -> None:
        """Copy all files that the source lists, and those that could not be copied before."""
        again: dict[str, int | None] = {file: None for file, _ in self.lost.items()}
        self.bring({**again, **{row["file"]: row["size"] for row in self.source.related("files")}})
        for file in filter(self.moved.has, again):
            self.lost.remove(file)

    def bring(self, files: Mapping[str, int | None]) -> None:
        """Copy files, given with their sizes as far as known; ``failed`` gets those that fail.

        Requests: one for each file, by workers, and two for each ``FILES`` of them; one listing
        before the first.
        """
        new = {file: size for file, size in files.items() if self.wanted and self._is_new(file)}
        if not new:
            return
        with tempfile.TemporaryDirectory() as folder:
            for batch in self._fetched(new, Path(folder)):
                self._store(batch)
                for one in batch:
                    one.path.unlink()

    def _is_new(self, file: str) -> bool:
        return not (self._is_mine(file) or file in self.failed or self.moved.has(file))

    def _is_mine(self, file: str) -> bool:
        """Return whether a file is one of the target itself."""
        return self.server == self.client.url and file.startswith(f"upload/{self.project.id}/")

    # -- fetching ---------------------------------------------------------------------------------

    def _fetched(self, files: Mapping[str, int | None], folder: Path) -> Iterator[list[Fetched]]:
        """Yield the fetched files in batches.

        Those that a server reads as tables come last, since it takes no image together with them.
        """
        ordered = sorted(files.items(), key=lambda item: item[0].endswith(_TABLES))
        for lot in batches(ordered, number=FILES, size=BYTES, size_of=lambda one: one[1] or 0):
            fetched = self._fetch(lot, folder)
            yield from batches(fetched, number=FILES, size=BYTES, size_of=lambda one: one.size)

    def _fetch(self, lot: list[Wanted], folder: Path) -> Iterator[Fetched]:
        def ends(error: Exception) -> bool:
            return not isinstance(error, _OF_ONE)

        copy = partial(self._copied, folder)
        for outcome in each(lot, copy, workers=self.stored.workers, until=ends):
            if outcome.value is not None:
                yield outcome.value
            elif outcome.error is not None:
                if ends(outcome.error):
                    raise outcome.error
                self._fail(outcome.item[0], outcome.error)

    def _copied(self, folder: Path, wanted: Wanted) -> Fetched:
        file, size = wanted
        handle, path = tempfile.mkstemp(dir=folder)  # its own name may be invalid on this system
        with open(handle, "w+b") as copy:
            digest = "" if self.client.is_dry else fetch(self.source, file, copy, size)
            return Fetched(file, original_name(file), copy.tell(), digest, Path(path))

    def _fail(self, file: str, why: object) -> None:
        self.failed[file] = Failure(len(self.failed), file, str(why))
        self.lost.put({file: str(why)})

    def _fail_all(self, files: list[Fetched], why: Exception) -> None:
        for one in self._left(files):
            self._fail(one.file, why)

    # -- storing ----------------------------------------------------------------------------------

    def _store(self, batch: list[Fetched]) -> None:
        """Upload files that the target does not have; of equal ones only the first."""
        firsts = {self._key(one): one for one in reversed(batch)}
        self._record_equal(batch)
        if not self.client.is_dry and (left := self._left(firsts.values())):
            self._record(self.stored.find(left))
        if left := self._left(firsts.values()):
            self.before_upload()
            self._send(left)
            self.uploads += len(left) - len(self._left(left))
        self._record_equal(batch)
        for one in self._left(batch):
            if one.file not in self.failed:
                self._fail(one.file, self.failed[firsts[self._key(one)].file].reason)

    def _key(self, one: Fetched) -> Any:
        return one.file if self.uploaded is None else (one.name, one.digest)

    def _left(self, files: Iterable[Fetched]) -> list[Fetched]:
        return [one for one in files if not self.moved.has(one.file)]

    def _record(self, found: Mapping[Fetched, str]) -> None:
        self.moved.put({one.file: new for one, new in found.items()})
        self.created += len(found)
        if self.uploaded is not None and not self.client.is_dry:
            self.uploaded.update({(one.name, one.digest): new for one, new in found.items()})

    def _record_equal(self, batch: Iterable[Fetched]) -> None:
        if self.uploaded:
            equal = {one: self.uploaded.get((one.name, one.digest)) for one in self._left(batch)}
            self._record({one: new for one, new in equal.items() if new is not None})

    def _send(self, files: list[Fetched]) -> None:
        """Upload files in one request.

        If it is refused, both halves are tried in turn, down to the file that is at fault.
        """
        after = self.stored.highest
        if self.journal.get(_BEFORE) is None:
            self.journal.set(_BEFORE, after)
        facts = [[one.file, one.name, one.size, one.digest] for one in files]
        self.journal.intent(INTENT, {"after": after, "files": facts})

        def make() -> bool:
            started = time.monotonic()
            self._record(self.stored.send(self._left(files)))
            record_duration(self.journal, time.monotonic() - started)
            return True

        try:
            look = partial(self._wait_for, files, after)
            exactly_once(look, make, self.client, is_new=True)
        except _OF_ONE as error:
            try:  # some may exist now: files stay even if their import fails
                self._look_for(files, after, whole=isinstance(error, BadRequest))
            except LabelStudioError:  # a further run looks again
                self._fail_all(files, error)
                return
            left = self._left(files)
            if len(files) == 1 or not _is_of_some(error):
                self._fail_all(left, error)
            else:
                middle = (len(left) + 1) // 2
                for half in filter(None, (left[:middle], left[middle:])):
                    self._send(half)
        self.journal.resolve(INTENT)

    # -- the outcome of a batch -------------------------------------------------------------------

    def resolve(self) -> None:
        """Find the files that were under way when an earlier run ended."""
        intent = self.journal.open_intents().get(INTENT)
        if intent is not None and not self.client.is_dry:
            files = [
                Fetched(file, name, size, digest, Path())
                for file, name, size, digest in intent["files"]
            ]
            self._wait_for(files, intent["after"])
            self.journal.resolve(INTENT)

    def _wait_for(self, files: list[Fetched], after: int) -> bool | None:
        """Return True if all files exist, now or after a while, else None."""
        return wait_for(self.client, self.journal, partial(self._look_for, files, after))

    def _look_for(self, files: list[Fetched], after: int, *, whole: bool = False) -> bool | None:
        left = self._left(files)
        if left:
            self.stored.look()
            self._record(self.stored.find(left, after=after, whole=whole))
        return not self._left(left) or None

    def remove_duplicates(self, *, late: bool = False) -> int:
        """Delete duplicates of uploaded files; return their number.

        ``late``: only those that came since the first of these files, if there was one.
        """
        after = self.journal.get(_BEFORE)
        if self.client.is_dry or (late and after is None):
            return 0
        removed = self.stored.remove_duplicates(after if late else 0)
        self.journal.set(_BEFORE, None)
        return removed


def _is_of_some(error: Exception) -> bool:
    """Return whether a request with fewer of the files may succeed."""
    if isinstance(error, APIError) and error.status == 413:
        return True
    return isinstance(error, (ServerError, ValueError))
