"""A file with the previous state, written before each change."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from ..errors import BadJournal

if TYPE_CHECKING:
    from typing_extensions import Self


_STATE = ("before", "between", "after", "note")
"""The keys of a job that differ where an interrupted run has begun its work."""


_CHANGE = frozenset({"kind", "id", "task", "changes"})
"""The keys of each line but the first."""


class UndoFile:
    """JSON lines: first the job, then a line for each change, written before the change is made.

    A file of the same job is continued; a line that was truncated when a run died is dropped, since
    its change was not made. ``path=None``: nothing is written. ``is_dry``: nothing is written
    either, but every error is raised that a real run would raise.

    Only its owner can read it (0600). Raises ValueError for a file of another job, BadJournal
    (which is one) for a damaged one or one that is no undo file, and OSError for one that cannot be
    written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        job: Mapping[str, Any],
        *,
        is_dry: bool = False,
    ) -> None:
        self._job = dict(job)
        self._path = None if path is None else Path(path)
        self._is_dry = is_dry
        self._lock = Lock()
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        path = self._path
        if path is None:
            return self
        whole = self._begun()
        is_new = not path.exists()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        file = open(os.open(path, flags, 0o600), "a", encoding="utf-8")
        if self._is_dry:
            file.close()
            if is_new:
                path.unlink()
            return self
        self._file = file
        self._file.truncate(whole)
        if not whole:
            self.write(self._job)
        return self

    @property
    def is_begun(self) -> bool:
        """Return whether an earlier run has begun to change something.

        Raises ValueError for a file of another job.
        """
        if self._path is None or not self._begun():
            return False
        job = read_job(self._path)
        return job.get("before") != job.get("after") or any(read_changes(self._path))

    def _begun(self) -> int:
        """Return the length of what an earlier run of this job has written."""
        path = self._path
        if path is None or not os.path.lexists(path):
            return 0
        must_be_file(path)
        whole = _length_of_whole_lines(path)
        if not whole:
            _must_be_cut_off(path)
        else:
            theirs = read_job(path)
            for _ in read_changes(path):
                pass  # each is a line that can be read
            for name, value in self._job.items():
                # The control of a label that is gone is no longer known.
                known = name not in _STATE and (name, value) != ("control", "")
                if known and theirs.get(name) != value:
                    raise ValueError(
                        f"{path} belongs to another job: its {name} is {theirs.get(name)!r:.80}, "
                        f"here it is {value!r:.80}; name another file, or remove this one"
                    )
        return whole

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def write(self, line: Mapping[str, Any]) -> None:
        """Write one line; once this returns, the line outlives the process."""
        if self._file is not None:
            text = json.dumps(line, ensure_ascii=False) + "\n"
            with self._lock:
                self._file.write(text)
                self._file.flush()


def read_job(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the first line. Raises BadJournal where it is not a job."""
    must_be_file(Path(path))
    with Path(path).open("rb") as file:
        job = _parsed(file.readline())
    if not isinstance(job, dict) or "job" not in job:
        raise BadJournal(f"{path} is not an undo file: it does not begin with a job")
    return job


def read_changes(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """Yield the further lines, leaving out a truncated one.

    Raises BadJournal for a line that is not a change.
    """
    with Path(path).open("rb") as file:
        file.readline()
        for number, text in enumerate(file, 2):
            if text.endswith(b"\n"):
                line = _parsed(text)
                if not isinstance(line, dict):
                    raise BadJournal(f"{path} is damaged: its line {number} is not a change")
                yield line


def check_changes(path: str | os.PathLike[str]) -> None:
    """Raise BadJournal unless each line holds a change."""
    for number, line in enumerate(read_changes(path), 2):
        if not line.keys() >= _CHANGE:
            raise BadJournal(f"{path} is damaged: its line {number} is not a change")


def must_be_file(path: Path) -> None:
    """Raise BadJournal for a folder, a link, and anything else that is not a file."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise BadJournal(f"{path} is not an undo file: it is a {_kind(path)}; name another one")


def _kind(path: Path) -> str:
    return "link" if path.is_symlink() else "folder" if path.is_dir() else "device"


def _must_be_cut_off(path: Path) -> None:
    """Raise BadJournal unless a file without a whole line may be the beginning of the first one."""
    begin = b'{"job"'
    with path.open("rb") as file:
        text = file.read(len(begin))
    if not begin.startswith(text):
        raise BadJournal(f"{path} is not an undo file: it does not begin with what it is of")


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _length_of_whole_lines(path: Path) -> int:
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - 65536)
            file.seek(start)
            at = file.read(end - start).rfind(b"\n")
            if at >= 0:
                return start + at + 1
            end = start
    return 0
