"""The servers that the tests run on, and a project to try things in."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator

import pytest

from labelstudio_orm import LabelStudio, Project
from labelstudio_orm.testing import FakeLabelStudio, LocalLabelStudio

CONFIG = """\
<View>
  <Text name="text" value="$text"/>
  <Choices name="sentiment" toName="text">
    <Choice value="Positive"/><Choice value="Neutral"/><Choice value="Negative"/>
  </Choices>
  <Rating name="stars" toName="text"/>
</View>
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """``-m "not live"`` leaves out every test that needs the real server."""
    for item in items:
        names = getattr(item, "fixturenames", ())
        real = "real" in str(getattr(getattr(item, "callspec", None), "params", {}).get("ls", ""))
        if real or "server" in names:
            item.add_marker(pytest.mark.live)


@pytest.fixture(scope="session")
def server() -> Iterator[LocalLabelStudio]:
    """One real Label Studio for the whole run (for each worker process of it)."""
    with LocalLabelStudio() as local:
        yield local


@pytest.fixture
def fake() -> FakeLabelStudio:
    """A fresh Label Studio in memory."""
    return FakeLabelStudio()


@pytest.fixture
def project(ls: LabelStudio) -> Iterator[Project]:
    """An empty project for text classification, deleted afterwards."""
    made = ls.projects.create(title=f"Test {uuid.uuid4().hex[:8]}", label_config=CONFIG)
    yield made
    ls.request("DELETE", f"/api/projects/{made.id}/")


@pytest.fixture
def asked(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """``asked()`` gives the requests sent since it was last called: ``["GET /api/tasks/"]``."""
    caplog.set_level(logging.DEBUG, logger="labelstudio_orm")

    def since() -> list[str]:
        sent = [
            " ".join(record.getMessage().split()[:2]).rstrip(":")
            for record in caplog.records
            if record.name == "labelstudio_orm"
        ]
        caplog.clear()
        return sent

    since()
    return since
