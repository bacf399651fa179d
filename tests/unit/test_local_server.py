"""The parts of LocalLabelStudio that need no server."""

from __future__ import annotations

import http.server
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm.testing import LocalLabelStudio, LocalServerError
from labelstudio_orm.testing import _environments as environments
from labelstudio_orm.testing import _local as local
from labelstudio_orm.testing import _releases as releases
from labelstudio_orm.testing._databases import SQLite
from tests.helpers import present


def ignore(line: str) -> None:
    pass


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server((local.HOST, 0)) as other:
        yield other.getsockname()[1]


def test_cache_folder_is_the_first_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("LABELSTUDIO_ORM_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert environments.cache_folder() == tmp_path / ".cache" / "labelstudio_orm"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert environments.cache_folder() == tmp_path / "xdg" / "labelstudio_orm"
    monkeypatch.setenv("LABELSTUDIO_ORM_CACHE", str(tmp_path / "own"))
    assert environments.cache_folder() == tmp_path / "own"


@pytest.mark.parametrize("name", ["LABEL_STUDIO_HOST", "HEARTEX_DEBUG", "CI", "PYTHONPATH"])
def test_nothing_leaks_into_the_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setenv(name, "leaked")
    environ = local._environ(tmp_path, {"DEBUG": "true"})
    assert name not in environ
    assert environ["DEBUG"] == "true"
    assert environ["LABEL_STUDIO_BASE_DATA_DIR"] == environ["HOME"] == str(tmp_path)
    assert environ["SENTRY_DSN"] == ""


def test_a_setting_may_replace_a_default_but_not_the_data_folder(tmp_path: Path) -> None:
    environ = local._environ(tmp_path, {"LOG_LEVEL": "DEBUG", "LABEL_STUDIO_BASE_DATA_DIR": "/x"})
    assert environ["LOG_LEVEL"] == "DEBUG"
    assert environ["LABEL_STUDIO_BASE_DATA_DIR"] == str(tmp_path)


def test_settings_are_text() -> None:
    with pytest.raises(TypeError, match=r"settings\['DEBUG'\] must be text, not bool"):
        LocalLabelStudio(settings={"DEBUG": True})  # type: ignore[dict-item]


def test_a_busy_port_is_refused_before_anything_is_installed(
    busy_port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LABELSTUDIO_ORM_CACHE", str(tmp_path))
    with pytest.raises(LocalServerError, match=f"{busy_port}.*leave `port` out"):
        LocalLabelStudio(port=busy_port).start()
    assert not list(tmp_path.iterdir())


def test_free_ports_lie_below_those_of_outgoing_connections() -> None:
    server = LocalLabelStudio()
    assert server.port in local.PORTS
    assert server.url == f"http://127.0.0.1:{server.port}"


def test_a_server_that_was_not_started() -> None:
    server = LocalLabelStudio()
    assert not server.running
    assert repr(server) == f"<LocalLabelStudio {server.url} stopped>"
    server.stop()
    server.wait()
    with pytest.raises(LocalServerError, match="not running"):
        server.detach()


def test_a_copy_gets_a_token_and_a_signing_key_of_its_own(tmp_path: Path) -> None:
    seed = make_data(tmp_path / "seed", local.EMAIL)
    servers = [LocalLabelStudio(data_dir=tmp_path / name) for name in "ab"]
    for server in servers:
        server._fill_data_dir(seed)
    assert [token_in(server.data_dir) for server in servers] == [s.api_key for s in servers]
    keys = {(folder / ".env").read_text() for folder in (seed, tmp_path / "a", tmp_path / "b")}
    assert len(keys) == 3
    assert token_in(seed) == "seed-token"


def test_an_existing_data_folder_keeps_its_token(tmp_path: Path) -> None:
    data = make_data(tmp_path / "data", local.EMAIL)
    server = LocalLabelStudio(data_dir=data)
    server._fill_data_dir(tmp_path / "unused")
    assert server.api_key == "seed-token"


def test_a_data_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    foreign = make_data(tmp_path / "foreign", "someone@example.com")
    with pytest.raises(LocalServerError, match=f"no user {local.EMAIL}"):
        LocalLabelStudio(data_dir=foreign)._fill_data_dir(tmp_path / "unused")
    notes = tmp_path / "notes.txt"
    notes.touch()
    for path in (tmp_path, notes):
        with pytest.raises(LocalServerError, match="not a data folder"):
            LocalLabelStudio(data_dir=path)._fill_data_dir(tmp_path / "unused")


def make_data(folder: Path, email: str) -> Path:
    folder.mkdir()
    (folder / ".env").write_text("SECRET_KEY=seed\n")
    database = SQLite()
    database.start(folder)
    database.execute("CREATE TABLE htx_user (id INTEGER, email TEXT)")
    database.execute("CREATE TABLE authtoken_token (key TEXT, user_id INTEGER)")
    database.execute(f"INSERT INTO htx_user VALUES (1, '{email}')")
    database.execute("INSERT INTO authtoken_token VALUES ('seed-token', 1)")
    return folder


def token_in(folder: Path) -> str | None:
    database = SQLite()
    database.start(folder)
    return database.execute("SELECT key FROM authtoken_token")


def test_a_data_folder_of_the_other_database_is_refused(tmp_path: Path) -> None:
    data = make_data(tmp_path / "data", local.EMAIL)
    with pytest.raises(LocalServerError, match=r"on the same database \(postgres\)"):
        LocalLabelStudio(data_dir=data, database="postgres")._fill_data_dir(tmp_path / "unused")


def test_a_data_folder_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    data = make_data(tmp_path / "data", local.EMAIL)
    old = LocalLabelStudio(version="1.18.0", data_dir=data)
    with pytest.raises(LocalServerError, match=r"left by Label Studio 1\.23\.2.*give version="):
        old._fill_data_dir(tmp_path / "unused")
    (data / local.RELEASE_FILE).write_text("1.15.0")
    old._fill_data_dir(tmp_path / "unused")
    assert (data / local.RELEASE_FILE).read_text() == "1.18.0"


@pytest.mark.parametrize("version", ["", "latest", "1", "1.18.x", "==1.18.0", "1.18.0 --pre", 1.18])
def test_a_version_is_the_number_of_a_release(version: Any) -> None:
    with pytest.raises(ValueError, match=r"the number of a release, such as '1\.23\.2', not"):
        LocalLabelStudio(version=version)


def test_a_release_that_is_too_old_is_refused() -> None:
    with pytest.raises(ValueError, match=r"1\.8 or newer, not '1\.7\.3'"):
        LocalLabelStudio(version="1.7.3")


def test_an_interpreter_that_the_machine_lacks_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A shim that is on the PATH, but is of no version of Python, is none."""
    monkeypatch.setattr(sys, "version_info", (3, 14, 0, "final", 0))
    shim = tmp_path / "python3.11"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    with pytest.raises(LocalServerError, match=r"1\.18\.0 runs with python3\.10 or python3\.11, w"):
        releases.python_for("1.18.0")
    with pytest.raises(LocalServerError, match=r"1\.13\.1 runs with python3\.10, which"):
        releases.python_for("1.13.1")
    assert releases.python_for(releases.VERSION) == sys.executable
    own = tmp_path / "versions" / "3.10.99" / "bin"
    own.mkdir(parents=True)
    (own / "python").write_text("#!/bin/sh\necho 3 10\n")
    (own / "python").chmod(0o755)
    assert releases.python_for("1.18.0") == str(own / "python")


def test_an_unknown_database_is_refused() -> None:
    with pytest.raises(ValueError, match="'sqlite' or 'postgres', not 'mysql'"):
        LocalLabelStudio(database="mysql")  # type: ignore[arg-type]


def test_an_interrupted_installation_is_never_taken_for_a_finished_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LABELSTUDIO_ORM_CACHE", str(tmp_path))
    ran: list[str] = []

    def run(command: list[str], purpose: str) -> None:
        ran.append(purpose.split()[0])
        if "venv" in command:
            python = Path(command[-1], "bin", "python")
            python.parent.mkdir(parents=True)
            python.touch()
        elif len(ran) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(environments, "run", run)
    with pytest.raises(KeyboardInterrupt):
        releases.installed(releases.VERSION, ignore)
    python = releases.installed(releases.VERSION, ignore)
    assert releases.installed(releases.VERSION, ignore) == python
    assert ran == ["make", "install", "make", "install"]


def test_other_requirements_are_installed_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    test_an_interrupted_installation_is_never_taken_for_a_finished_one(monkeypatch, tmp_path)
    monkeypatch.setattr(releases, "GUNICORN", "gunicorn==0")
    ran: list[str] = []
    monkeypatch.setattr(environments, "run", lambda command, purpose: ran.append(purpose))
    monkeypatch.setattr(shutil, "rmtree", ignore_tree)
    releases.installed(releases.VERSION, ignore)
    assert len(ran) == 2


def test_an_environment_gets_new_constraints(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    test_an_interrupted_installation_is_never_taken_for_a_finished_one(monkeypatch, tmp_path)
    monkeypatch.setattr(releases, "PINS", (((1, 8), ("PyJWT<2", "six<9")),))
    ran: list[list[str]] = []
    monkeypatch.setattr(environments, "run", lambda command, purpose: ran.append(command))
    for _ in range(2):
        python = releases.installed(releases.VERSION, ignore)
    (command,) = ran
    limits = Path(command[command.index("--constraint") + 1])
    assert command[0] == str(python)
    assert limits.read_text().split() == ["PyJWT<2", "six<9"]


def ignore_tree(path: Path, ignore_errors: bool) -> None:
    pass


def test_a_failed_installation_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('no such release'); sys.exit(1)"]
    with pytest.raises(LocalServerError, match=r"could not install it(.|\n)*no such release"):
        environments.run(command, "install it")


def test_one_process_at_a_time_fills_the_cache(tmp_path: Path) -> None:
    lines: list[str] = []
    second_waits, order = threading.Event(), []

    def second() -> None:
        def progress(line: str) -> None:
            lines.append(line)
            second_waits.set()

        with environments.locked(tmp_path, progress):
            order.append("second")

    thread = threading.Thread(target=second)
    with environments.locked(tmp_path, ignore):
        thread.start()
        assert second_waits.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert "Waiting for another process" in lines[0]


@pytest.fixture
def runner() -> Iterator[subprocess.Popen[bytes]]:
    """Some other server under the runner, which needs no Label Studio."""
    command = [sys.executable, "-u", "-c", local.RUNNER, "http.server", "--bind", local.HOST, "0"]
    with subprocess.Popen(
        command,
        bufsize=0,
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert b"Serving HTTP" in present(process.stdout).readline()
        yield process
        process.kill()


def test_a_server_ends_with_the_process_that_started_it(runner: subprocess.Popen[bytes]) -> None:
    present(runner.stdin).close()
    assert runner.wait(10) == -signal.SIGTERM


def test_a_detached_server_outlives_it(runner: subprocess.Popen[bytes]) -> None:
    server = LocalLabelStudio(keep=True)
    server._process = runner
    pid = server.detach()
    with pytest.raises(subprocess.TimeoutExpired):
        runner.wait(0.5)
    os.kill(pid, signal.SIGTERM)
    assert runner.wait(10) == -signal.SIGTERM


def test_a_server_that_ignores_the_request_to_end_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local, "GRACE", 0.2)
    stubborn = "import signal; signal.signal(15, signal.SIG_IGN); print(flush=True); signal.pause()"
    command = [sys.executable, "-c", stubborn]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        present(process.stdout).readline()
        local._end(process)
        assert process.returncode == -signal.SIGKILL


class Impostor(http.server.BaseHTTPRequestHandler):
    """Another program on the port: healthy, but without our token."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 401)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


def test_another_server_on_the_port_is_not_taken_for_ours(
    tmp_path: Path, runner: subprocess.Popen[bytes]
) -> None:
    with http.server.ThreadingHTTPServer((local.HOST, 0), Impostor) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        server = LocalLabelStudio(port=other.server_port, data_dir=tmp_path)
        server.log.write_text("the log")
        server._process = runner
        with pytest.raises(LocalServerError, match=r"another program has that port(.|\n)*the log"):
            server._wait_until_ready(deadline=float("inf"))
        other.shutdown()
