"""Deleting objects one by one; a resource for which the server does more overrides ``delete``."""

from __future__ import annotations

from typing import Any

from ...errors import DoesNotExist
from .run import BulkRun


def delete_each(objects: list[Any], run: BulkRun) -> None:
    """Delete objects, one request each; skip those that are gone already."""

    def delete(obj: Any) -> bool:
        try:
            obj.delete()
        except DoesNotExist:  # another client was quicker
            return False
        return True

    run.total = len(objects) if run.total is None else run.total
    for outcome in run.each(objects, delete):
        if outcome.value:
            run.deleted += 1
        else:
            run.skipped += 1
