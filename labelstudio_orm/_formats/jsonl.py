"""JSON Lines: a task a line, in the form that an import takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .._engine.values.codec import plain_json
from .._engine.values.files import whole_file
from .report import FormatReport, Tally


def write(tasks: Any, path: Path, form: Callable[[Any], dict[str, Any]]) -> FormatReport:
    """Write the tasks: ``Tasks.to_jsonl``. ``form`` gives what an import takes of one."""
    tally = Tally(path)
    with whole_file(path, shared=True) as out:
        for task in tasks.iterator():
            item = form(task)
            out.write(json.dumps(plain_json(item), ensure_ascii=False).encode() + b"\n")
            tally.tasks += 1
            several = (*item.get("annotations", ()), *item.get("predictions", ()))
            tally.regions += sum(len(one.get("result") or ()) for one in several)
    return tally.report()
