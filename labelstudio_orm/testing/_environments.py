"""Virtual environments, made once in the user's cache: of a server, of a benchmark."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

Progress = Callable[[str], object]
"""What is called with each line of progress."""


class LocalServerError(RuntimeError):
    """A local server could not be installed, started or kept running; the message says why."""


def print_progress(line: str) -> None:
    """Print one line of progress to stderr."""
    print(line, file=sys.stderr, flush=True)


def cache_folder() -> Path:
    """Return the folder of what is installed once.

    It is ``LABELSTUDIO_ORM_CACHE``, else ``labelstudio_orm`` in ``XDG_CACHE_HOME`` or ``~/.cache``.
    """
    if own := os.environ.get("LABELSTUDIO_ORM_CACHE"):
        return Path(own).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "labelstudio_orm"


def environment(
    folder: Path,
    requirements: Sequence[str],
    *,
    what: str,
    constraints: Sequence[str] = (),
    progress: Progress = print_progress,
    python: str = sys.executable,
) -> Path:
    """Return the interpreter of a virtual environment, which is made when it is missing.

    An environment that was interrupted while it was made is made again; one that was made with
    other constraints gets those.

    Args:
        folder: The folder with one environment for each version of Python.
        requirements: What pip installs.
        what: A name for it in messages.
        constraints: Limits to what pip chooses where the requirements leave the choice.
        progress: Called with each line of progress.
        python: The interpreter to make it with.

    Raises:
        LocalServerError: The environment could not be made.
    """
    version = _version_of(python)
    venv = folder / f"python{version}"
    own, complete, limits = venv / "bin" / "python", venv / "complete", venv / "constraints"
    wanted, limited = "\n".join(requirements), "\n".join(constraints)

    def is_complete() -> bool:
        return own.exists() and _text(complete) == wanted and _text(limits) == limited

    if is_complete():
        return own
    with locked(folder, progress):
        if not is_complete():
            progress(f"Installing {what} into {venv} (once, about a minute) ...")
            if not own.exists() or _text(complete) != wanted:
                shutil.rmtree(venv, ignore_errors=True)
                run([python, "-m", "venv", str(venv)], "make a virtual environment")
            limits.write_text(limited)
            complete.unlink(missing_ok=True)
            pip = [str(own), "-m", "pip", "install", "--quiet", "--prefer-binary"]
            pip += ["--constraint", str(limits)] if limited else []
            run([*pip, *requirements], f"install {what} with Python {version}")
            complete.write_text(wanted)
    return own


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def packages(python: Path) -> Path:
    """Return the folder with the packages of the environment of this interpreter."""
    return next((python.parents[1] / "lib").glob("python3*")) / "site-packages"


def _version_of(python: str) -> str:
    if python == sys.executable:
        return ".".join(map(str, sys.version_info[:2]))
    show = "import sys; print('.'.join(map(str, sys.version_info[:2])))"
    return subprocess.check_output([python, "-I", "-c", show], text=True).strip()


@contextlib.contextmanager
def locked(folder: Path, progress: Progress) -> Iterator[None]:
    """Hold the lock of a folder: one process at a time fills it, the others wait."""
    import fcntl  # lazy: POSIX only: this module must be importable elsewhere

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"Waiting for another process that is filling {folder} ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(command: list[str], purpose: str, env: Mapping[str, str] | None = None) -> None:
    """Run a program to its end; raises LocalServerError with the last lines of its output."""
    if env is None:
        # With these an interpreter or pip would work on another environment than its own.
        other = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER")
        env = {name: value for name, value in os.environ.items() if name not in other}
    done = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise LocalServerError(f"could not {purpose} ({command[0]}):\n{lines}")
