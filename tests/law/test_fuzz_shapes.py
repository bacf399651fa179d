"""A small part of what ``make fuzz`` does."""

from __future__ import annotations

import pytest

from .fuzz_shapes import ENTERPRISE, MIGRATIONS, VERBS, fuzz

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def test_a_changed_answer_raises_nothing_else() -> None:
    assert fuzz(200, seed=5, verbs=VERBS) == []
    assert fuzz(90, seed=5, verbs=VERBS, async_jobs=True) == []
    assert fuzz(40, seed=5, verbs=ENTERPRISE, async_jobs=True, edition="Enterprise") == []


def test_a_migration_reads_no_values_of_other_types() -> None:
    assert fuzz(15, seed=2, verbs=MIGRATIONS) == []
