"""Every operation of the API is held by something, and the README's table says by what."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests" / "contract" / "coverage.py"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def printed() -> tuple[str, str]:
    """What the script prints: the table, and what is missing. It collects all tests, once."""
    run = subprocess.run(
        [sys.executable, SCRIPT], capture_output=True, text=True, check=True, cwd=ROOT
    )
    table, _, missing = run.stdout.strip().rpartition("\n\n")
    return table, missing


def test_nothing_is_missing(printed: tuple[str, str]) -> None:
    lines = printed[1].splitlines()
    assert len(lines) == 4
    assert [line for line in lines if not line.endswith(": nothing is missing")] == []


def test_the_readme_has_the_table(printed: tuple[str, str]) -> None:
    table = printed[0]
    assert table.startswith("| group |")
    assert table in (ROOT / "README.md").read_text("utf-8")
