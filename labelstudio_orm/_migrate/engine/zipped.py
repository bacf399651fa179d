"""Reading an archive of unknown origin within limits; every fault of it is a BadSnapshot."""

from __future__ import annotations

import errno
import json
import math
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NoReturn

import attrs

from ...errors import LabelStudioError

if TYPE_CHECKING:
    from typing_extensions import Self

MB: Final = 1 << 20

_SMALL: Final = 256 * MB
"""Bytes that an archive may hold whatever its ratio of compression."""

_PIECE: Final = 1 << 16

_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED: Final = 0x1

_FAULTS: Final = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, EOFError, ValueError,
    RuntimeError, OverflowError, KeyError, IndexError, MemoryError,
)  # fmt: skip
"""Errors of the zip and JSON readers for malformed input; RuntimeError includes RecursionError and
NotImplementedError, for an unknown way of compression.
"""

_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_LARGE_EXPONENT: Final = re.compile(rb"[eE]\+?0*[1-9]\d\d")


class BadSnapshot(LabelStudioError, ValueError):
    """The file is not a snapshot, is damaged or edited, exceeds the limits, or is too new.

    The message names the file and the fault. Nothing was written to a server.
    """


@attrs.frozen(kw_only=True)
class Limits:
    """The limits of a snapshot; reading one that exceeds them raises BadSnapshot.

    * ``size``: bytes of its contents, unpacked (1 TiB).
    * ``ratio``: how many times as large as the file they may be (250), from 256 MiB on.
    * ``members``: the number of members (1,000,000).
    * ``row``: bytes of one task with its annotations, predictions and drafts, or of another row
      (256 MiB).
    * ``depth``: levels of nesting in the JSON of a row (600).

    >>> report = snapshot(project, "reviews.zip")
    >>> with ArchiveSource("reviews.zip", limits=Limits(size=10 << 30)) as source:
    ...     source.check()
    """

    size: int = 1 << 40
    ratio: float = 250
    members: int = 1_000_000
    row: int = 256 * MB
    depth: int = 600


LIMITS: Final = Limits()


class Members:
    """The members of an archive."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path, self.limits = path, limits
        with path.open("rb"):
            pass  # raises an OSError with the path
        try:
            self._zip = zipfile.ZipFile(path)
        except _FAULTS as error:
            raise BadSnapshot(f"{path} is not a snapshot: {error}") from error
        except OSError as error:
            self._raise_os_error(error)

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    @property
    def names(self) -> list[str]:
        """The names of all members."""
        return self._zip.namelist()

    def size(self, name: str) -> int | None:
        """Return the bytes of a member, or None if there is no such member."""
        try:
            return self._zip.getinfo(name).file_size
        except KeyError:
            return None

    def bad(self, name: str, why: object) -> BadSnapshot:
        """Return the error about a member."""
        return BadSnapshot(f"{self.path} is damaged: {name}: {why}")

    def check(self) -> None:
        """Check the directory, before any member is read."""
        infos = self._zip.infolist()
        if len(infos) > self.limits.members:
            raise self._too_much(f"{len(infos):,} members", "members", f"{self.limits.members:,}")
        seen: set[str] = set()
        for info in infos:
            if (problem := _problem(info, seen)) is not None:
                raise self.bad(f"{info.filename!r:.200}", problem)
            seen.add(info.filename)
        size, packed = sum(info.file_size for info in infos), self.path.stat().st_size
        if size > self.limits.size:
            raise self._too_much(f"{size:,} bytes", "size", f"{self.limits.size:,}")
        if size > _SMALL and size > self.limits.ratio * packed:
            times = f"{size / max(packed, 1):,.0f} times as much as the file"
            raise self._too_much(times, "ratio", self.limits.ratio)

    def _too_much(self, what: str, limit: str, bound: object) -> BadSnapshot:
        return BadSnapshot(
            f"{self.path} holds {what}, and the limit is {bound}; if you trust it, allow more: "
            f"limits=Limits({limit}=...)"
        )

    # -- reading ----------------------------------------------------------------------------------

    @contextmanager
    def faults(self, name: str) -> Iterator[None]:
        """Raise the errors of readers as BadSnapshot about a member."""
        try:
            yield
        except BadSnapshot:
            raise
        except NotImplementedError as error:
            raise self.bad(name, f"its compression is unknown ({error})") from error
        except RecursionError as error:
            raise self.bad(name, "its JSON is nested too deeply") from error
        except _FAULTS as error:
            raise self.bad(name, f"{error or type(error).__name__}") from error
        except OSError as error:
            self._raise_os_error(error, name)

    def _raise_os_error(self, error: OSError, name: str = "its directory") -> NoReturn:
        """Raise BadSnapshot for an invalid offset, which is the archive's fault, else the error."""
        if error.errno in (errno.EINVAL, None):
            raise self.bad(name, error) from error
        raise error

    def open(self, name: str) -> Stream:
        """Open a member, to be read once."""
        if self.size(name) is None:
            raise BadSnapshot(f"{self.path} has no {name}")
        with self.faults(name):
            return Stream(self, name, self._zip.open(name))

    def read_through(self, name: str) -> None:
        """Read a member to its end, for its checksum."""
        with self.open(name) as stream:
            while stream.read(_PIECE):
                pass

    def json(self, name: str) -> Any:
        """Return the value of a member that is one JSON text."""
        with self.open(name) as stream:
            return self._parsed(stream.read(self.limits.row + 1), f"a {name} of more bytes", name)

    def lines(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of a member that has one JSON object a line."""
        with self.open(name) as stream:
            for number in count(1):
                if not (line := stream.readline(self.limits.row + 1)):
                    return
                place = f"{name}, line {number}"
                row = self._parsed(line, f"a longer line, {place}", place)
                if not isinstance(row, dict):
                    raise self.bad(place, f"it is {row!r:.80}, not a JSON object")
                yield row

    def _parsed(self, text: bytes, excess: str, place: str) -> Any:
        if len(text) > self.limits.row:
            raise self._too_much(excess, "row", f"{self.limits.row:,}")
        with self.faults(place):
            return parsed(text, self.limits.depth)


class Stream:
    """An open member; a context manager. Its errors are BadSnapshot."""

    def __init__(self, members: Members, name: str, stream: IO[bytes]) -> None:
        self._members, self._name, self._stream = members, name, stream

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def read(self, size: int = -1) -> bytes:
        """Read at most so many bytes, or all."""
        with self._members.faults(self._name):
            return self._stream.read(size)

    def readline(self, size: int = -1) -> bytes:
        """Read to the end of the line, at most so many bytes."""
        with self._members.faults(self._name):
            return self._stream.readline(size)


def _problem(info: zipfile.ZipInfo, seen: set[str]) -> str | None:
    """Return what is wrong with a member according to the directory, or None."""
    name = info.orig_filename
    if info.filename in seen:
        return "there are two members of this name"
    steps = re.split(r"[/\\]", name)
    if not name.isprintable() or "\\" in name or ":" in name or not all(steps[:-1]):
        return "its name is not that of a member"
    if ".." in steps or "." in steps:
        return "its name leads out of the archive"
    if info.flag_bits & _ENCRYPTED:
        return "it is encrypted"
    if info.compress_type not in _METHODS:
        return f"its compression ({info.compress_type}) is not one that snapshots use"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "it is a link or a device, not a file"
    return None


def parsed(text: bytes, depth: int) -> Any:
    """Return the value of a JSON text that every server can store.

    Raises ValueError for half a surrogate pair, NaN, infinite numbers, and JSON that is nested more
    deeply than ``depth``.
    """
    words = text.decode("utf-8")
    if _LARGE_EXPONENT.search(text):
        value = json.loads(words, parse_constant=_no_number, parse_float=_finite)
    else:
        value = json.loads(words, parse_constant=_no_number)
    if _SURROGATE.search(text):
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    if text.count(b"[") + text.count(b"{") > depth and _depth(value, depth) > depth:
        raise ValueError(f"its JSON is nested more than {depth} levels deep")
    return value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text:.40} is not a number that a server can store")
    return number


def _depth(value: Any, enough: int) -> int:
    """Return how deeply a value is nested; at most one more than ``enough`` levels are counted."""
    level, deep = [value], 0
    while level and deep <= enough:
        level = [
            inner
            for one in level
            if isinstance(one, (dict, list))
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        deep += bool(level)
    return deep
