"""Uploaded files of a source, brought over many in one request, and the addresses that tasks have
of them.

A batch is an intent before it is sent. What became of it is known by the answer; where that is lost
or a refusal, by what is there then.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from ..._engine.bulk.workers import each
from ..._engine.http.connection import number_of_workers
from ..._engine.values.summary import Failure
from ...errors import APIError, BadRequest, LabelStudioError, ServerError
from ...resources.common import labelstudio_of
from .contents import fetch
from .exactly_once import exactly_once
from .late import record_duration, wait_for
from .stored import Here, Stored
from .uploads import address_on, files_of, original_name

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from ...resources.projects import Project
    from .journal import Journal
    from .source import Source

T = TypeVar("T")

Wanted: TypeAlias = "tuple[int, str, int | None]"
"""A file to be fetched: its place, its path, and its bytes, where they are known."""

FILES: Final = 100
"""Files of one request, at most: a server takes no more."""

BYTES: Final = 32_000_000
"""Bytes of it, about, which is also what they take here; a larger file goes alone."""

INTENT: Final = "files"
"""How the journal calls a batch that is under way."""

_BEFORE: Final = "files after"
"""How it calls the last file that was there before any of these."""

_TABLES: Final = (".csv", ".tsv", ".json")

_OF_ONE: Final = (LabelStudioError, ValueError)
"""What makes a failure of a file, and no end of the whole."""


class Media:
    """The files of a source, in the target project. ``server``: the address of the source's.
    ``wanted``: without it nothing is brought. ``stored``: the files of the target, where several
    sources share it; ``uploaded``: what they brought there, by names and contents, so that equal
    files become one.
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
        uploaded: dict[tuple[str, str], str] | None = None,
        workers: int | None = None,
    ) -> None:
        self.source, self.project, self.server = source, project, server
        self.journal, self.wanted, self.uploaded = journal, wanted, uploaded
        self.client = labelstudio_of(project)
        self.moved, self.lost = journal.map("files"), journal.map("files lost")
        self.workers = number_of_workers(workers, getattr(source, "client", self.client))
        self.stored = stored or Stored(project, self._is_copy, self.workers)
        self.created = self.uploads = 0
        self.failed: dict[str, Failure] = {}

    def _is_copy(self, file: str) -> bool:
        return self.moved.old(file) is not None

    def address(self, file: str) -> str | None:
        """The address of a file in the target, where it is brought first; None where it cannot
        be.
        """
        if not self.wanted:
            return None
        if self._is_mine(file):
            return address_on(self.client.url, file)
        self.bring({file: None})
        new = self.moved.get(file)
        return None if new is None else address_on(self.client.url, new)

    def ahead(self, rows: list[Row]) -> list[Row]:
        """The same tasks, once the files that they speak of are there."""
        self.bring(
            dict.fromkeys(sorted(set().union(*(files_of(row, self.server) for row in rows))))
        )
        return rows

    def bring_all(self) -> None:
        """Copy all that the source lists, and what could not be copied before."""
        again: dict[str, int | None] = {file: None for file, _ in self.lost.items()}
        self.bring({**again, **{row["file"]: row["size"] for row in self.source.related("files")}})
        for file in filter(self.moved.has, again):
            self.lost.remove(file)

    def bring(self, files: Mapping[str, int | None]) -> None:
        """Copy some files, of which the sizes are told where they are known; what cannot be copied
        is among ``failed``.

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
        """Whether it is a file of the target itself."""
        return self.server == self.client.url and file.startswith(f"upload/{self.project.id}/")

    # -- here -------------------------------------------------------------------------------------

    def _fetched(self, files: Mapping[str, int | None], folder: Path) -> Iterator[list[Here]]:
        """The files as they are here, in batches. Those that a server reads as tables come last,
        since it takes no image together with them.
        """
        ordered = sorted(files.items(), key=lambda item: item[0].endswith(_TABLES))
        wanted = ((number, file, size) for number, (file, size) in enumerate(ordered))
        for lot in _lots(wanted, lambda one: one[2] or 0):
            yield from _lots(self._fetch(lot, folder), lambda one: one.size)

    def _fetch(self, lot: list[Wanted], folder: Path) -> Iterator[Here]:
        def ends(error: Exception) -> bool:
            return not isinstance(error, _OF_ONE)

        for outcome in each(lot, partial(self._copied, folder), workers=self.workers, until=ends):
            if outcome.value is not None:
                yield outcome.value
            elif outcome.error is not None:
                if ends(outcome.error):
                    raise outcome.error
                self._fail(outcome.item[1], outcome.error)

    def _copied(self, folder: Path, wanted: Wanted) -> Here:
        number, file, size = wanted
        path = folder / str(number)  # its own name may be none on this system
        with path.open("w+b") as copy:
            told = "" if self.client.is_dry else fetch(self.source, file, copy, size)
            return Here(file, original_name(file), copy.tell(), told, path)

    def _fail(self, file: str, why: object) -> None:
        self.failed[file] = Failure(len(self.failed), file, str(why))
        self.lost.put({file: str(why)})

    # -- there ------------------------------------------------------------------------------------

    def _store(self, batch: list[Here]) -> None:
        """Bring files to where they are not yet; of equal ones that become one, the first."""
        firsts = {self._key(one): one for one in reversed(batch)}
        self._note_equal(batch)
        if not self.client.is_dry and (left := self._left(firsts.values())):
            self._note(self.stored.find(left))
        if left := self._left(firsts.values()):
            self._send(left)
            self.uploads += len(left) - len(self._left(left))
        self._note_equal(batch)
        for one in self._left(batch):
            if one.file not in self.failed:
                self._fail(one.file, self.failed[firsts[self._key(one)].file].reason)

    def _key(self, one: Here) -> Any:
        return one.file if self.uploaded is None else (one.name, one.told)

    def _left(self, files: Iterable[Here]) -> list[Here]:
        return [one for one in files if not self.moved.has(one.file)]

    def _note(self, found: Mapping[Here, str]) -> None:
        self.moved.put({one.file: new for one, new in found.items()})
        self.created += len(found)
        if self.uploaded is not None and not self.client.is_dry:
            self.uploaded.update({(one.name, one.told): new for one, new in found.items()})

    def _note_equal(self, batch: Iterable[Here]) -> None:
        if self.uploaded:
            known = {one: self.uploaded.get((one.name, one.told)) for one in self._left(batch)}
            self._note({one: new for one, new in known.items() if new is not None})

    def _send(self, files: list[Here]) -> None:
        """Upload files in one request. Where it is refused, two halves are tried, down to the file
        that it was refused for.
        """
        after = self.stored.highest
        if self.journal.get(_BEFORE) is None:
            self.journal.set(_BEFORE, after)
        said = [[one.file, one.name, one.size, one.told] for one in files]
        self.journal.intent(INTENT, {"after": after, "files": said})

        def make() -> bool:
            started = time.monotonic()
            self._note(self.stored.send(self._left(files)))
            record_duration(self.journal, time.monotonic() - started)
            return True

        try:
            look = partial(self._wait_for, files, after)
            exactly_once(look, make, self.client, is_new=True)
        except _OF_ONE as error:
            try:  # some may be there now: also what is no import stays
                self._look_for(files, after, whole=isinstance(error, BadRequest))
            except LabelStudioError:  # a further run looks again
                for one in self._left(files):
                    self._fail(one.file, error)
                return
            left = self._left(files)
            if len(files) == 1 or not _is_of_some(error):
                for one in left:
                    self._fail(one.file, error)
            else:
                middle = (len(left) + 1) // 2
                for half in (left[:middle], left[middle:]):
                    if half:
                        self._send(half)
        self.journal.resolve(INTENT)

    # -- what became of a batch -------------------------------------------------------------------

    def resolve(self) -> None:
        """Find out what became of the files that were under way when the process ended."""
        intent = self.journal.open_intents().get(INTENT)
        if intent is not None and not self.client.is_dry:
            files = [
                Here(file, name, size, told, Path()) for file, name, size, told in intent["files"]
            ]
            self._wait_for(files, intent["after"])
            self.journal.resolve(INTENT)

    def _wait_for(self, files: list[Here], after: int) -> bool | None:
        """Whether all are there, by now or after a while; if not, None."""
        return wait_for(self.client, self.journal, partial(self._look_for, files, after))

    def _look_for(self, files: list[Here], after: int, *, whole: bool = False) -> bool | None:
        left = self._left(files)
        if left:
            self.stored.look()
            self._note(self.stored.find(left, after=after, whole=whole))
        return not self._left(left) or None

    def remove_duplicates(self, *, late: bool = False) -> int:
        """Delete what is there once more than it was uploaded; how many that were. ``late``: only
        what came since the first of these files did, if one did.
        """
        after = self.journal.get(_BEFORE)
        if self.client.is_dry or (late and after is None):
            return 0
        removed = self.stored.remove_duplicates(after if late else 0)
        self.journal.set(_BEFORE, None)
        return removed


def _is_of_some(error: Exception) -> bool:
    """May a request with fewer of the files succeed?"""
    if isinstance(error, APIError) and error.status == 413:
        return True
    return isinstance(error, (ServerError, ValueError))


def _lots(items: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Some at a time, as many as one request takes."""
    lot: list[T] = []
    held = 0
    for item in items:
        if lot and (len(lot) >= FILES or held + size(item) > BYTES):
            yield lot
            lot, held = [], 0
        lot.append(item)
        held += size(item)
    if lot:
        yield lot
