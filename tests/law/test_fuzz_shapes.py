"""A small part of what ``make fuzz`` does."""

from __future__ import annotations

import pytest

from .fuzz_shapes import ENTERPRISE, MIGRATIONS, VERBS, fuzz

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]


def test_a_changed_answer_raises_nothing_else() -> None:
    assert fuzz(330, seed=5, verbs=VERBS) == []
    assert fuzz(150, seed=5, verbs=VERBS, async_jobs=True) == []
    assert fuzz(60, seed=5, verbs=ENTERPRISE, async_jobs=True, edition="Enterprise") == []


def test_a_migration_reads_no_values_of_other_types() -> None:
    assert fuzz(25, seed=2, verbs=MIGRATIONS) == []
