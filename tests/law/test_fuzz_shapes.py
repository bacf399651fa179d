"""A small part of what ``make fuzz`` does."""

from __future__ import annotations

import pytest

from .fuzz_shapes import ENTERPRISE, MIGRATIONS, VERBS, fuzz

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("changes", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_a_changed_answer_raises_nothing_else(changes: int) -> None:
    assert fuzz(changes, seed=5, verbs=VERBS) == []
    assert fuzz(changes // 2, seed=5, verbs=VERBS, async_jobs=True) == []
    assert fuzz(changes // 5, seed=5, verbs=ENTERPRISE, async_jobs=True, edition="Enterprise") == []


@pytest.mark.slow
def test_a_migration_reads_no_values_of_other_types() -> None:
    assert fuzz(15, seed=2, verbs=MIGRATIONS) == []
