"""Fixtures for pytest.

Enable them with `pytest_plugins = ["labelstudio_orm.testing.pytest_plugin"]` in a conftest.py.
"""

from __future__ import annotations

import pytest

from .fake import FakeLabelStudio


@pytest.fixture
def fake_label_studio() -> FakeLabelStudio:
    """A fresh in-memory server, empty but for its first user."""
    return FakeLabelStudio()
