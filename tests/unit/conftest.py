"""Unit tests run on the server in memory."""

from __future__ import annotations

import pytest

from labelstudio_orm import LabelStudio
from labelstudio_orm.testing import FakeLabelStudio


@pytest.fixture
def ls(fake: FakeLabelStudio) -> LabelStudio:
    """A client of a fresh server in memory."""
    return fake.client()
