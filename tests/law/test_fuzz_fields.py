"""A small part of what ``make fuzz`` does."""

from __future__ import annotations

import pytest

from .fuzz_fields import fuzz

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def test_reading_never_raises_anything_else() -> None:
    assert fuzz(12_000, seed=11) == []
