"""A file is written as a whole or not at all."""

from __future__ import annotations

import errno
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labelstudio_orm import ConnectionFailed
from labelstudio_orm._engine.values.files import whole_file


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file may be larger than so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_it_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    with whole_file(path) as file:
        file.write(b"all of it")
        assert path.read_text() == "before"
    assert path.read_text() == "all of it"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, ConnectionFailed, OSError])
def test_nothing_is_left_of_one_that_failed(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(error), whole_file(path):
        raise error("no")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_is_full_is_told_with_the_path(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with (
        pytest.raises(OSError, match=r"a\.txt") as found,
        full_disk(4096),
        whole_file(path) as file,
    ):
        file.write(b"x" * 10_000)
    assert found.value.errno == errno.EFBIG
    assert ".part" not in str(found.value)
    assert list(tmp_path.iterdir()) == []


def test_links_are_replaced_and_not_followed(tmp_path: Path) -> None:
    other, path = tmp_path / "other", tmp_path / "a.txt"
    other.write_text("theirs")
    path.symlink_to(other)
    with whole_file(path) as file:
        file.write(b"mine")
    assert (other.read_text(), path.read_text(), path.is_symlink()) == ("theirs", "mine", False)


def test_where_no_file_can_be(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="is a folder"), whole_file(tmp_path):
        pass
    with pytest.raises(FileNotFoundError, match=r"folder .*nowhere does not exist"):  # noqa: SIM117
        with whole_file(tmp_path / "nowhere" / "a.txt"):
            pass
