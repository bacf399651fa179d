"""What the tests of all folders share beside fixtures."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def present(value: T | None) -> T:
    """Return ``value``, which the test knows to be there: ``present(tasks.first()).data``."""
    assert value is not None
    return value
