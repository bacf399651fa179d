"""A small part of what ``make fuzz`` does."""

from __future__ import annotations

import pytest

from .fuzz_fields import fuzz

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("reads", [1000, pytest.param(12_000, marks=pytest.mark.slow)])
def test_reading_never_raises_anything_else(reads: int) -> None:
    assert fuzz(reads, seed=11) == []
