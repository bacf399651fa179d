"""Giving the annotations of one author to another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._engine.bulk.run import BulkRun
from ..._engine.reading.selection import query_of
from ..._engine.values.summary import OnError, Summary
from ...errors import DoesNotExist
from ...progress import Progress

if TYPE_CHECKING:
    from ..people import User
    from ..tasks import Annotation, Annotations


def reassign(
    annotations: Annotations,
    to: User | int,
    backup: Path | None,
    workers: int | None,
    on_error: OnError,
    progress: Progress,
) -> Summary:
    """Make ``to`` the author of annotations: ``Project.reassign``."""
    run = BulkRun(
        annotations.client,
        f"reassigning {query_of(annotations).description}",
        workers=workers,
        on_error=on_error,
        progress=progress,
    )

    def give(annotation: Annotation) -> bool:
        made: Any = annotation
        made.completed_by = to
        try:
            annotation.save(fields=["completed_by_id"])
        except DoesNotExist:  # it was deleted since it was listed
            return False
        return True

    with run:
        found = list(annotations.only("task", "completed_by").iterator())
        run.total = len(found)
        if backup is not None and not annotations.client.is_dry:
            _back_up(found, backup)
        run.update_each(found, give)
    return run.summary()


def _back_up(annotations: list[Annotation], path: Path) -> None:
    """Add the authors to the file, which may have those of a run that was stopped."""
    with path.open("a", encoding="utf-8") as file:
        for one in annotations:
            row = {"id": one.id, "task": one.task_id, "completed_by": one.completed_by_id}
            file.write(json.dumps(row) + "\n")
