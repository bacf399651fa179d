"""Every operation of the API is held by something, and the README's table says by what."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests" / "contract" / "coverage.py"


def printed(*arguments: str) -> str:
    """What the script prints."""
    run = subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return run.stdout.strip()


def test_nothing_is_missing() -> None:
    lines = printed("--missing").splitlines()
    assert len(lines) == 4
    assert [line for line in lines if not line.endswith(": nothing is missing")] == []


def test_the_readme_has_the_table() -> None:
    assert printed() in (ROOT / "README.md").read_text("utf-8")
