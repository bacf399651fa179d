"""Contract tests ask the real server what it says of itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labelstudio_orm import LabelStudio
from labelstudio_orm.testing import LocalLabelStudio


@pytest.fixture
def ls(server: LocalLabelStudio) -> Iterator[LabelStudio]:
    """A client of the real server."""
    with server.client() as client:
        yield client
