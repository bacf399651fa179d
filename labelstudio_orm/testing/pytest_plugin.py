"""Fixtures for pytest.

``pytest_plugins = ["labelstudio_orm.testing.pytest_plugin"]`` in a ``conftest.py`` enables them.
"""

from __future__ import annotations

import pytest

from .fake import FakeLabelStudio

__all__ = ["fake_label_studio"]


@pytest.fixture
def fake_label_studio() -> FakeLabelStudio:
    """Return a new in-memory server, empty except for its first user."""
    return FakeLabelStudio()
