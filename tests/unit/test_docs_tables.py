"""The code of docs/tables.md runs, one block after the other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs/tables.md"


def test_the_code_of_the_page_runs(names: dict[str, Any]) -> None:
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        exec(block, names)
    assert names["photos"].tasks.count() == 1
    assert names["reviews"].tasks.count() == 2 + names["project"].tasks.count()
