"""Live tests run on a real server, and on the real parts that it talks to (`parts`)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

import pytest

from labelstudio_orm import LabelStudio
from labelstudio_orm.testing import LocalLabelStudio
from labelstudio_orm.testing._local import _free_port
from tests.live.parts import emulators
from tests.live.parts.ml_backend import MLBackendService
from tests.live.parts.places import GCS, Disk, Place
from tests.live.parts.webhook_receiver import WebhookReceiver


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of other releases, unless they are asked for."""
    wanted = os.environ.get("LABELSTUDIO_ORM_SERVER")
    if config.getoption("--releases"):
        return

    def is_left_out(item: pytest.Item) -> bool:
        named = [name for mark in item.iter_markers("releases") for name in mark.args]
        return bool(named) and wanted not in named

    config.hook.pytest_deselected(items=[item for item in items if is_left_out(item)])
    items[:] = [item for item in items if not is_left_out(item)]


@pytest.fixture(scope="session")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    """The folder that the server may read and write."""
    return Disk(tmp_path_factory.mktemp("files").resolve())


@pytest.fixture(scope="session")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GCS]:
    """Started before the server, which is told its address."""
    with emulators.gcs(_free_port(), tmp_path_factory.mktemp("gcs")) as started:
        yield started


@pytest.fixture(scope="session")
def open_server(disk: Disk, gcs: GCS) -> Iterator[LocalLabelStudio]:
    """A real Label Studio that talks to the parts.

    Its guards against addresses of its own machine are off, here in the tests only.
    """
    settings = {
        "SSRF_PROTECTION_ENABLED": "false",
        "ML_BLOCK_LOCAL_IP": "false",
        "LOCAL_FILES_SERVING_ENABLED": "true",
        "LOCAL_FILES_DOCUMENT_ROOT": str(disk.root),
        "STORAGE_EMULATOR_HOST": gcs.url,
        # It gives its listeners a second, which a busy machine may need for itself.
        "WEBHOOK_TIMEOUT": "20",
        "ML_CONNECTION_TIMEOUT": "20",
        "ML_TIMEOUT_HEALTH": "20",
        "ML_TIMEOUT_SETUP": "20",
    }
    with LocalLabelStudio(settings=settings) as server:
        yield server


@pytest.fixture(scope="session")
def server(open_server: LocalLabelStudio) -> LocalLabelStudio:
    """All live tests share one server."""
    return open_server


@pytest.fixture
def ls(server: LocalLabelStudio) -> Iterator[LabelStudio]:
    """A client of the real server."""
    with server.client() as client:
        yield client


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    """A receiver of webhooks."""
    with WebhookReceiver() as service:
        yield service


@pytest.fixture
def ml_service() -> Iterator[MLBackendService]:
    """A machine learning backend."""
    with MLBackendService() as service:
        yield service


@pytest.fixture(scope="session")
def place(
    disk: Disk, gcs: GCS, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Place]]:
    """``place("s3")`` is where storages of that type find their objects; started when first
    asked.
    """
    started: dict[str, Place] = {"local": disk, "gcs": gcs}
    with contextlib.ExitStack() as stack:

        def find(kind: str) -> Place:
            if kind not in started:
                begin = getattr(emulators, kind)
                folder = tmp_path_factory.mktemp(kind)
                started[kind] = stack.enter_context(begin(_free_port(), folder))
            return started[kind]

        yield find
