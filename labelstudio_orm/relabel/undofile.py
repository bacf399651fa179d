"""A file in which is written what was there, before each change."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


_STATE = ("before", "between", "after", "note")
"""What is another where a run that was interrupted has begun its work."""


class UndoFile:
    """JSON lines: first what the job is, then a line for each change, written before that is made.

    A file of the same job is continued; a line that was cut off by the end of a run is dropped,
    since its change was not made. ``path=None``: nothing is written. ``is_dry``: nor is it then,
    but all is refused that would be else.

    Raises ValueError for a file of another job, OSError for one that cannot be written.
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
        file = path.open("a", encoding="utf-8")
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
        """Has an earlier run begun to change something? Raises ValueError for a file of another
        job.
        """
        if self._path is None or not self._begun():
            return False
        job = read_job(self._path)
        return job.get("before") != job.get("after") or any(read_changes(self._path))

    def _begun(self) -> int:
        """The length of what an earlier run of this job has written."""
        path = self._path
        whole = _length_of_whole_lines(path) if path is not None and path.exists() else 0
        if path is not None and whole:
            theirs = read_job(path)
            for name, value in self._job.items():
                # Of a label that is gone nobody can say any more whose it was.
                known = name not in _STATE and (name, value) != ("control", "")
                if known and theirs.get(name) != value:
                    raise ValueError(
                        f"{path} is of another job: its {name} is {theirs.get(name)!r}, "
                        f"here it is {value!r}; take another file, or remove this one"
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
        """One line; when this returns it outlives the process."""
        if self._file is not None:
            text = json.dumps(line, ensure_ascii=False) + "\n"
            with self._lock:
                self._file.write(text)
                self._file.flush()


def read_job(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The first line. Raises ValueError where it is none."""
    with Path(path).open(encoding="utf-8") as file:
        text = file.readline()
    try:
        job = json.loads(text)
    except ValueError:
        job = None
    if not isinstance(job, dict) or "job" not in job:
        raise ValueError(f"{path} is no undo file: it does not begin with what it is of")
    return job


def read_changes(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """The further lines, one by one; one that was cut off is left out."""
    with Path(path).open(encoding="utf-8") as file:
        file.readline()
        for text in file:
            if text.endswith("\n"):
                yield json.loads(text)


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
