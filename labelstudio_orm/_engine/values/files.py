"""Files that are written completely or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from ...errors import LabelStudioError


@contextmanager
def whole_file(target: str | os.PathLike[str], *, shared: bool = False) -> Iterator[BinaryIO]:
    """Write a file that appears under its name, replacing another one, once the block has ended.

    Until then it has an unpredictable name beside the target, and only its owner can read it. That
    stays so, unless it is ``shared``: then it gets the permissions of the file that it replaces, or
    those of a new file. A link under the target's name is replaced and not followed. Nothing is
    left behind where the block fails.

    Raises IsADirectoryError for a folder, FileNotFoundError for a file in a folder that does not
    exist, and any other OSError (a full disk, for example) with the path of the target.

    >>> with whole_file("a.txt") as file:
    ...     _ = file.write(b"all of it")
    """
    path = Path(target)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"{path} cannot be written: the folder {path.parent} does not exist"
        )
    part: str | None = None
    try:
        with tempfile.NamedTemporaryFile(
            "w+b", prefix=".", suffix=".part", dir=path.parent, delete=False
        ) as file:
            part = file.name
            yield cast(BinaryIO, file)
            file.flush()
            os.fsync(file.fileno())
        if shared:
            os.chmod(part, _rights(path))
        os.replace(part, path)
        part = None
    except OSError as error:
        if isinstance(error, LabelStudioError) or error.filename not in (None, part):
            raise
        raise OSError(error.errno, f"{error.strerror or error}, writing", str(path)) from error
    finally:
        if part is not None:
            Path(part).unlink(missing_ok=True)


def _rights(path: Path) -> int:
    """Return the permissions of the existing file, else those of a new one."""
    with suppress(OSError):
        found = path.lstat().st_mode
        if stat.S_ISREG(found):
            return stat.S_IMODE(found) & 0o777
    return 0o666 & ~_umask()


def _umask() -> int:
    """Return the permissions that new files lack."""
    with suppress(OSError, ValueError, IndexError):  # on Linux without touching it
        status = Path("/proc/self/status").read_text("ascii", "replace")
        return int(status.partition("Umask:")[2].split()[0], 8)
    found = os.umask(0o077)
    os.umask(found)
    return found
