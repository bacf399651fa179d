"""Work that goes on after the answer, for ``FakeLabelStudio(async_jobs=True)``.

A Community server does imports, snapshots and syncs while it answers; other editions queue them.
Here a queued job advances when a request reads it: the first one finds it in progress, the second
one finds it done. So a script that never polls never gets the result.
"""

from __future__ import annotations

from .store import Row, Store

QUEUED = ("created", "queued")
UNDER_WAY = (*QUEUED, "in_progress")


def advance(store: Store, table: str, row: Row) -> bool:
    """Advance the job in this row, and return whether it is to be done now."""
    if row["status"] in QUEUED:
        store.update(table, row["id"], {"status": "in_progress"})
        return False
    return bool(row["status"] == "in_progress")
