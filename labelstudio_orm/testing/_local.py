"""A real Label Studio server for tests, in an environment of its own."""

from __future__ import annotations

import atexit
import contextlib
import http.client
import json
import os
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from .._engine.http.connection import check_supported, facts_of
from .._engine.http.server import ServerVersion, numbers_of
from .._engine.values.secret import Secret, redact, reveal, unseen
from ..client import LabelStudio
from ._databases import PRIVATE, Database, Postgres, SQLite
from ._environments import (
    LocalServerError,
    Progress,
    locked,
    packages,
    print_progress,
    run,
)
from ._releases import VERSION, check_release, folder_of, installed

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["VERSION", "LocalLabelStudio", "LocalServerError"]

EMAIL = "admin@example.com"
PASSWORD = "labelstudio"
RELEASE_FILE = "release"
"""The file of a data folder with the release that used it last."""

SEED = "seed-1"  # raise the number when _seed changes
HOST = "127.0.0.1"
DATABASES: dict[str, Callable[[], Database]] = {"sqlite": SQLite, "postgres": Postgres}
GRACE = 10.0  # seconds to end by itself

# Below the range of local ports for outgoing connections: otherwise one of those could take the
# port between the check here and the server's bind.
PORTS = range(20_000, 32_000)

# The server reads a setting X from LABEL_STUDIO_X, HEARTEX_X and plain X (HOST, DEBUG, CI ...), so
# only a list of the variables that may pass keeps this process's environment out of it.
INHERITED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH")

# The server would call three addresses by itself: usage statistics, newer releases, crash reports.
QUIET = {
    "COLLECT_ANALYTICS": "false",
    "LATEST_VERSION_CHECK": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    "LOG_LEVEL": "ERROR",
}

# Run by the server's interpreter: runs the other arguments as ``python -m`` would, and ends when
# this process closes the other end of stdin, which happens however it ends. A byte detaches it.
RUNNER = """
import os, runpy, signal, sys, threading

def follow():
    if not os.read(0, 1):
        os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=follow, daemon=True).start()
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


_MAY_BE_SECRET = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL|DSN|URL", re.IGNORECASE)
"""Names of settings whose values are not shown with the log."""


class LocalLabelStudio:
    """A real Label Studio server (Community) on this machine, for tests.

    The first use on a machine installs the server into the cache folder and makes its database,
    which takes about two minutes; every later start takes some seconds. The cache folder is
    ``LABELSTUDIO_ORM_CACHE``, else ``labelstudio_orm`` in ``XDG_CACHE_HOME`` or ``~/.cache``. The
    server never shares an environment with this library: it requires a package ``attr`` that
    overwrites parts of ``attrs``. It listens on the loopback address only, makes no calls by
    itself, sees nothing of this process's environment, and ends with this process at the latest.
    POSIX only.

    Each server starts empty, with one administrator (``email``, ``password``), whose token
    (``api_key``) and signing key are its own, so that no other server accepts them.

    Args:
        version: The release of Label Studio; default: ``LABELSTUDIO_ORM_SERVER`` of the
            environment, else 1.23.2. Releases have environments of their own; those before 1.23
            need Python 3.10 or 3.11, those before 1.14 need 3.10, which may be another interpreter
            of this machine (on the PATH or of pyenv).
        port: The port to listen on; default: a free one.
        workers: Serve with so many gunicorn processes; default: the development server, as
            ``label-studio start`` does (one process, threaded).
        database: "sqlite", or "postgres": a PostgreSQL of its own, whose programs are installed
            into the cache folder as well. It starts and ends with the server.
        settings: More environment variables for the server, text to text.
        data_dir: Keep the data here. An empty or missing folder is filled, one that an earlier
            server left is used again with its user and token, by the same release or a newer one,
            which brings its database up to date. Default: a temporary folder.
        keep: Do not remove the temporary folder at the end.
        progress: Called with one line of text at each long step; default: prints to stderr.

    Attributes:
        url: The address, known from the start on.
        api_key: The token of the administrator. In an existing ``data_dir`` known after ``start``.
        email: The administrator's e-mail.
        password: The administrator's password.
        version: The release.
        data_dir: The folder with the database and the files.
        log: The file with what the server printed.

    Raises:
        LocalServerError: From ``start``: the installation failed, the port is in use, or the server
            did not become ready; the message holds the end of its log.
        TypeError: A setting is not text.
        ValueError: There is no such database, or ``version`` is not the number of a release.

    Example::

        with LocalLabelStudio(settings={"SSRF_PROTECTION_ENABLED": "false"}) as server:
            ls = server.client()
            ls.projects.create(title="Try")
    """

    email = EMAIL
    password = PASSWORD

    def __init__(
        self,
        *,
        version: str | None = None,
        port: int | None = None,
        workers: int | None = None,
        database: Literal["sqlite", "postgres"] = "sqlite",
        settings: Mapping[str, str] | None = None,
        data_dir: str | os.PathLike[str] | None = None,
        keep: bool = False,
        progress: Progress = print_progress,
    ) -> None:
        sealed = {name: Secret(value) for name, value in (settings or {}).items()}
        del settings  # the frames of a traceback would show it
        for name, value in sealed.items():
            if not isinstance(value.reveal(), str):
                kind = type(value.reveal()).__name__
                raise TypeError(f"settings[{name!r}] must be text, not {kind}")
        if database not in DATABASES:
            raise ValueError(f"database is {' or '.join(map(repr, DATABASES))}, not {database!r}")
        self.version = check_release(version)
        self.port = _free_port() if port is None else port
        self.url = f"http://{HOST}:{self.port}"
        self._api_key = Secret(secrets.token_hex(20))
        self.workers = workers
        self.database = database
        self._settings = sealed
        self.data_dir = Path(data_dir or _temporary_name()).absolute()
        self.log = self.data_dir / "server.log"
        self._temporary = data_dir is None and not keep
        self._progress = progress
        self._database = DATABASES[database]()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def api_key(self) -> str:
        """The administrator's token."""
        return str(self._api_key.reveal())

    @property
    def settings(self) -> dict[str, str]:
        """The environment variables that the server was given."""
        return {name: value.reveal() for name, value in self._settings.items()}

    def __repr__(self) -> str:
        return f"<LocalLabelStudio {self.url} {'running' if self.running else 'stopped'}>"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the server's process, started by this object, is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self, *, timeout: float = 180) -> Self:
        """Start the server and wait until it answers; nothing happens when it is running.

        Args:
            timeout: Seconds that the server may take until it is ready, installation not counted.
        """
        if self.running:
            return self
        self.stop()
        _check_port(self.port)
        python = installed(self.version, self._progress)
        try:
            self._fill_data_dir(_seed(self.version, python, self._database, self._progress))
            self._process = self._launch(python)
            atexit.register(self.stop)
            self._wait_until_ready(time.monotonic() + timeout)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the server and remove its temporary folder; nothing happens when it is stopped."""
        process, self._process = self._process, None
        if process is not None:
            atexit.unregister(self.stop)
            _end(process)
        self._database.stop()
        if self._temporary:
            shutil.rmtree(self.data_dir, ignore_errors=True)

    def wait(self) -> None:
        """Block while the server runs.

        Raises:
            LocalServerError: It ended by itself.
        """
        if self._process is not None:
            self._process.wait()
            raise self._failure("ended by itself")

    def detach(self) -> int:
        """Let the server outlive this process; ``stop`` no longer ends it, nor removes its data.

        Returns:
            The id of the process to end it with, by SIGTERM.
        """
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            raise LocalServerError("this Label Studio is not running; start() it before detach()")
        atexit.unregister(self.stop)
        self._temporary = False
        self._database.release()
        process.stdin.write(b".")
        process.stdin.close()
        return process.pid

    def client(self, **options: Any) -> LabelStudio:
        """Return a new ``LabelStudio`` for this server, as its administrator, with ``options``.

        It knows the release, for which others ask once.
        """
        client = LabelStudio(self.url, self.api_key, **options)
        facts_of(client).server = check_supported(
            client, ServerVersion(self.version, "Community", {})
        )
        return client

    def _fill_data_dir(self, seed: Path) -> None:
        kept = self.data_dir / RELEASE_FILE
        if self._database.exists(self.data_dir):
            left = kept.read_text() if kept.exists() else VERSION
            if numbers_of(left) > numbers_of(self.version):
                raise LocalServerError(
                    f"{self.data_dir} was left by Label Studio {left}, whose database "
                    f"{self.version} does not understand; give version={left!r} or a newer one"
                )
            kept.write_text(self.version)
            self._database.start(self.data_dir)
            self._api_key = Secret(self._token())
            return
        is_empty_folder = self.data_dir.is_dir() and not any(self.data_dir.iterdir())
        if self.data_dir.exists() and not is_empty_folder:
            raise LocalServerError(
                f"{self.data_dir} is not a data folder: "
                "data_dir must be empty, missing, or left by an earlier LocalLabelStudio "
                f"on the same database ({self.database})"
            )
        shutil.copytree(seed, self.data_dir, dirs_exist_ok=True)
        self.data_dir.chmod(PRIVATE)  # its database and its log hold tokens
        self._database.start(self.data_dir)
        admin = f"(SELECT id FROM htx_user WHERE email = '{EMAIL}')"
        change = "UPDATE authtoken_token SET key = '{}' WHERE user_id = {}"
        self._database.execute(Secret(change.format(self.api_key, admin)))
        kept.write_text(self.version)
        (self.data_dir / ".env").write_text(f"SECRET_KEY={secrets.token_urlsafe(50)}\n")

    def _token(self) -> str:
        tokens = "SELECT key FROM authtoken_token t JOIN htx_user u ON u.id = t.user_id"
        found = self._database.execute(f"{tokens} WHERE u.email = '{EMAIL}'")
        if found is None:
            raise LocalServerError(
                f"{self.data_dir} has no user {EMAIL}: it was not left by a LocalLabelStudio; "
                "give an empty or missing folder as data_dir"
            )
        return found

    @unseen
    def _launch(self, python: Path) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*_isolated(python), "-c", RUNNER, *self._arguments(python)],
                env=_environ(self.data_dir, {**self._database.settings(), **self.settings}),
                pass_fds=self._database.held,
                cwd=self.data_dir,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                bufsize=0,
                start_new_session=True,
            )

    def _arguments(self, python: Path) -> list[str]:
        if self.workers is None:
            # --debug only fixes the port: without it a busy one is silently replaced by another.
            start = ["label_studio.server", "start", "--no-browser", "--debug"]
            return [*start, "--internal-host", HOST, "--port", str(self.port)]
        # The timeout is for one request: imports and exports exceed gunicorn's 30 s.
        serve = ["gunicorn", "core.wsgi:application", "--timeout", "600", "--graceful-timeout", "5"]
        django = ["--env", "DJANGO_SETTINGS_MODULE=label_studio.core.settings.label_studio"]
        path = ["--pythonpath", str(packages(python) / "label_studio")]
        address = ["--bind", f"{HOST}:{self.port}", "--workers", str(self.workers)]
        return [*serve, *django, *path, *address]

    def _wait_until_ready(self, deadline: float) -> None:
        while (health := _get(self.port, "/health", {})) is None or health[0] != 200:
            if not self.running:
                raise self._failure("ended while starting")
            if time.monotonic() > deadline:
                raise self._failure("did not become ready in time")
            time.sleep(0.1)
        headers = Secret({"Authorization": f"Token {self.api_key}"})
        answer = _get(self.port, "/api/current-user/whoami", headers)
        if answer is None or answer[0] != 200 or json.loads(answer[1]).get("email") != EMAIL:
            raise self._failure(f"is not what answers at {self.url}: another program has that port")

    def _failure(self, what: str) -> LocalServerError:
        lines = self.log.read_text(errors="replace").splitlines()[-30:]
        secret = [value for name, value in self._settings.items() if _MAY_BE_SECRET.search(name)]
        hidden = [self._api_key, *secret]
        lines = [redact(line, [one for one in hidden if len(one.reveal()) > 7]) for line in lines]
        log = "\n".join(f"  {line}" for line in lines) or "  (empty)"
        return LocalServerError(f"Label Studio {self.version} {what}. The end of its log:\n{log}")


def _seed(version: str, python: Path, database: Database, progress: Progress) -> Path:
    """Return the folder with a new server's data, to copy for each start; it is made if missing."""
    name = SEED if database.kind == "sqlite" else f"{SEED}-{database.kind}"
    seed = folder_of(version) / name
    if seed.exists():
        return seed
    with locked(seed.parent, progress):
        if not seed.exists():
            progress("Making Label Studio's database (once, about a minute) ...")
            # Not in the cache yet: the user that PostgreSQL runs as may be shut out of it.
            draft, copy = _temporary_name(), seed.with_name(f"{name}.draft")
            draft.mkdir(PRIVATE)
            try:
                database.start(draft)
                user = {"LABEL_STUDIO_USERNAME": EMAIL, "LABEL_STUDIO_PASSWORD": PASSWORD}
                init = ["-m", "label_studio.server", "init", "--quiet", *_legacy_tokens(python)]
                env = _environ(draft, {**user, **database.settings()})
                run([*_isolated(python), *init], "make the database", env=env)
                database.stop()
                shutil.rmtree(copy, ignore_errors=True)
                shutil.copytree(draft, copy)
                copy.rename(seed)
            finally:
                database.stop()
                shutil.rmtree(draft, ignore_errors=True)
    return seed


def _legacy_tokens(python: Path) -> list[str]:
    """Return the option that lets a server take its old tokens, which releases before 1.17 do."""
    option = "--enable-legacy-api-token"
    arguments = packages(python) / "label_studio" / "core" / "argparser.py"
    return [option] if option in arguments.read_text() else []


def _isolated(python: Path) -> list[str]:
    return [str(python), "-I", "-X", "utf8"]


def _environ(data_dir: Path, settings: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    own = {"HOME": str(data_dir), "LABEL_STUDIO_BASE_DATA_DIR": str(data_dir)}
    return {**inherited, **QUIET, **settings, **own}


def _temporary_name() -> Path:
    return Path(tempfile.gettempdir()) / f"labelstudio_orm-{secrets.token_hex(8)}"


def _free_port() -> int:
    for port in random.sample(PORTS, 100):
        with contextlib.suppress(LocalServerError):
            _check_port(port)
            return port
    raise LocalServerError(f"no free port found between {PORTS.start} and {PORTS.stop}")


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        # As servers do: otherwise a port that was used a minute ago counts as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise LocalServerError(
                f"cannot listen on {HOST}:{port} ({error.strerror}): "
                "stop the program that has this port, or leave `port` out to have a free one chosen"
            ) from error


def _get(port: int, path: str, headers: Mapping[str, str] | Secret) -> tuple[int, bytes] | None:
    """Return status and body of a GET without proxies; None when nothing answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", path, headers=dict(reveal(headers)))
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
