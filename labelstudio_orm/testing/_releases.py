"""The releases of Label Studio that can be installed, and the Python that each of them needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from .._engine.http.server import numbers_of
from ._environments import LocalServerError, Progress, cache_folder, environment, print_progress

T = TypeVar("T")

VERSION: Final = "1.23.2"
"""The release of Label Studio that is installed by default."""

GUNICORN: Final = "gunicorn==23.0.0"

OLDEST: Final = (1, 8)
"""The oldest release that was seen to install and to start."""

PYTHONS: Final = (
    ((1, 23), range(10, 15)),
    ((1, 14), range(10, 12)),
    (OLDEST, range(10, 11)),
)
"""The minor versions of Python 3 that releases from each one on were seen to start with."""

PINS: Final = (
    ((1, 23, 2), ()),
    ((1, 17), ("PyJWT<2.14",)),  # a newer one does not read the tokens without their signatures
    (OLDEST, ()),
)
"""What must not be newer than when releases from each one on were made, which they do not say."""

_RELEASE: Final = re.compile(r"[0-9]+\.[0-9]+(\.[0-9]+)?((\.?post|rc|\.?dev)[0-9]+)?", re.ASCII)


def check_release(version: str | None) -> str:
    """Return the number of a release, if it is one that can be installed.

    Default: ``LABELSTUDIO_ORM_SERVER`` of the environment, else ``VERSION``.

    Raises:
        ValueError: It is none, or too old.
    """
    if version is None:
        version = os.environ.get("LABELSTUDIO_ORM_SERVER") or VERSION
    if not isinstance(version, str) or not _RELEASE.fullmatch(version):
        raise ValueError(
            f"version is the number of a release, such as {VERSION!r}, not {version!r}"
        )
    if numbers_of(version) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise ValueError(f"version is {oldest} or newer, not {version!r}")
    return version


def folder_of(version: str) -> Path:
    """Return the folder with the environments and the new databases of a release."""
    return cache_folder() / f"label-studio-{version}"


def installed(version: str, progress: Progress = print_progress) -> Path:
    """Return the interpreter of a release's environment, which is made when it is missing.

    Raises:
        LocalServerError: This machine has no Python that the release runs with, or the installation
            failed.
    """
    return environment(
        folder_of(version),
        [f"label-studio=={version}", GUNICORN],
        what=f"Label Studio {version}",
        constraints=_from(PINS, version),
        progress=progress,
        python=python_for(version),
    )


def python_for(version: str) -> str:
    """Return an interpreter of this machine that a release runs with: this one if it does.

    Raises:
        LocalServerError: There is none; the message names those that would do.
    """
    minors = _from(PYTHONS, version)
    if sys.version_info[0] == 3 and sys.version_info[1] in minors:
        return sys.executable
    for minor in reversed(minors):
        for python in _candidates(f"3.{minor}"):
            if _runs(python, (3, minor)):
                return python
    wanted = " or ".join(f"python3.{minor}" for minor in minors)
    raise LocalServerError(
        f"Label Studio {version} runs with {wanted}, which this machine does not have on the PATH "
        "or in pyenv; install one, or choose another release by version="
    )


def _from(table: Iterable[tuple[tuple[int, ...], T]], version: str) -> T:
    """Return what a table that begins with the newest releases has for one."""
    return next(found for since, found in table if numbers_of(version) >= since)


def _candidates(version: str) -> Iterator[str]:
    """Yield the interpreters of this version of Python that the machine may have."""
    found = shutil.which(f"python{version}")
    if found is not None:
        yield found
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for folder in sorted(pyenv.glob(f"versions/{version}.*"), reverse=True):
        yield str(folder / "bin" / "python")


def _runs(python: str, version: tuple[int, int]) -> bool:
    """Return whether an interpreter is of this version; a shim may be of none."""
    show = "import sys, venv, ensurepip; print(*sys.version_info[:2])"
    try:
        done = subprocess.run(
            [python, "-I", "-c", show],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0 and done.stdout.split() == [str(part) for part in version]
