"""LocalLabelStudio with the real server."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import requests

from labelstudio_orm.testing._databases import Postgres
from labelstudio_orm.testing._local import LocalLabelStudio, LocalServerError
from tests.helpers import RELEASE, present

pytestmark = pytest.mark.live

CLI = [sys.executable, "-c", "import sys; from labelstudio_orm._cli import main; sys.exit(main())"]


@pytest.fixture(scope="module")
def development() -> Iterator[LocalLabelStudio]:
    with LocalLabelStudio(settings={"TASK_API_PAGE_SIZE_MAX": "1"}) as server:
        yield server


@pytest.fixture(scope="module")
def gunicorn() -> Iterator[LocalLabelStudio]:
    with LocalLabelStudio(workers=2) as server:
        yield server


def ask(url: str, token: str, path: str, **options: Any) -> requests.Response:
    method = "POST" if options else "GET"
    headers = {"Authorization": f"Token {token}"}
    return requests.request(method, url + path, headers=headers, timeout=60, **options)


def is_up(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=10).ok
    except requests.ConnectionError:
        return False


def test_release_and_administrator(
    development: LocalLabelStudio, gunicorn: LocalLabelStudio
) -> None:
    for server in (development, gunicorn):
        assert ask(server.url, server.api_key, "/api/version").json()["release"] == RELEASE
        me = ask(server.url, server.api_key, "/api/current-user/whoami").json()
        assert me["email"] == server.email


def test_two_servers_have_nothing_in_common(
    development: LocalLabelStudio, gunicorn: LocalLabelStudio
) -> None:
    assert development.url != gunicorn.url
    ask(development.url, development.api_key, "/api/projects/", json={"title": "Here only"})
    assert ask(gunicorn.url, gunicorn.api_key, "/api/projects/").json()["count"] == 0
    assert ask(gunicorn.url, development.api_key, "/api/projects/").status_code == 401


def test_settings_reach_the_server(development: LocalLabelStudio) -> None:
    url, token = development.url, development.api_key
    project = ask(url, token, "/api/projects/", json={"title": "Pages"}).json()["id"]
    ask(url, token, f"/api/projects/{project}/import", json=[{"text": "a"}, {"text": "b"}])
    page = ask(url, token, f"/api/tasks/?project={project}&page_size=10").json()
    assert (page["total"], len(page["tasks"])) == (2, 1)


def test_stopping_twice_and_starting_again_on_kept_data(tmp_path: Path) -> None:
    server = LocalLabelStudio(data_dir=tmp_path / "data")
    with server:
        assert server.start() is server
        ask(server.url, server.api_key, "/api/projects/", json={"title": "Kept"})
    server.stop()
    assert not is_up(server.url)
    with LocalLabelStudio(data_dir=tmp_path / "data") as again:
        assert again.api_key == server.api_key
        assert ask(again.url, again.api_key, "/api/projects/").json()["count"] == 1


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_temporary_folder_is_the_users_own_and_goes_with_the_server(
    database: Literal["sqlite", "postgres"],
) -> None:
    server = LocalLabelStudio(database=database).start()
    assert server.log.exists()
    assert server.data_dir.stat().st_mode & 0o777 == 0o700
    assert ask(server.url, server.api_key, "/api/projects/").json()["count"] == 0
    server.stop()
    assert not server.data_dir.exists()


def test_postgres_holds_the_rows_and_is_started_again_on_kept_data() -> None:
    # Not in tmp_path: the user that Postgres runs as may be shut out of it.
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        with LocalLabelStudio(database="postgres", data_dir=folder) as server:
            ask(server.url, server.api_key, "/api/projects/", json={"title": "Kept"})
            assert server._database.execute("SELECT title FROM project") == "Kept"
        assert not (folder / "postgres" / "postmaster.pid").exists()
        with LocalLabelStudio(database="postgres", data_dir=folder) as again:
            assert again.api_key == server.api_key
            assert ask(again.url, again.api_key, "/api/projects/").json()["count"] == 1
    finally:
        shutil.rmtree(folder)


def test_postgres_ends_with_the_server_that_it_was_detached_with() -> None:
    server = LocalLabelStudio(database="postgres", workers=1).start()
    assert isinstance(server._database, Postgres)
    socket = server._database._socket
    try:
        pid = server.detach()
        assert ask(server.url, server.api_key, "/api/projects/").ok
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 30
        while (server.data_dir / "postgres" / "postmaster.pid").exists():
            assert time.monotonic() < deadline, "still running"
            time.sleep(0.1)
    finally:
        shutil.rmtree(server.data_dir)
        shutil.rmtree(socket)


def test_a_server_that_fails_shows_the_end_of_its_log() -> None:
    server = LocalLabelStudio(settings={"DJANGO_DB": "no-such-database"})
    with pytest.raises(LocalServerError, match=r"while starting(.|\n)*no-such-database"):
        server.start()
    assert not server.data_dir.exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -9)])
def test_the_command_serves_until_it_is_ended(number: int, code: int) -> None:
    with subprocess.Popen([*CLI, "serve"], stdout=subprocess.PIPE, text=True) as command:
        lines = present(command.stdout)
        shown: dict[str, str] = dict(lines.readline().split() for _ in range(4))
        assert ask(shown["url"], shown["token"], "/api/current-user/whoami").ok
        command.send_signal(number)
        assert command.wait(30) == code
    deadline = time.monotonic() + 10
    while is_up(shown["url"]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_up(shown["url"])
