"""The data of a task as it is stored: before 1.23 its own address gives temporary links instead."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..._engine.http.connection import has
from ..._engine.http.releases import STORED_ADDRESSES
from ..._engine.pages.task_page import ANSWER, PATH, among
from ..._engine.values.codec import with_leaves
from ...errors import DoesNotExist

if TYPE_CHECKING:
    from ..._engine.http.connection import Connection
    from ..._engine.values.codec import Row


def as_stored(client: Connection, row: Row, doing: str) -> Row:
    """Return a task that was read by its own address, with its data as it is stored.

    One request more where the data names an address and the server is older than 1.23, and one for
    its release where that is not known.
    """
    if not _names_an_address(row.get("data")) or has(client, STORED_ADDRESSES):
        return row
    query = {"filters": {"conjunction": "and", "items": [among([row["id"]])]}}
    answer = client.request(
        "GET",
        PATH,
        params={
            "project": row["project"],
            "resolve_uri": "false",
            "include": "id,data",
            "query": json.dumps(query),
        },
        doing=doing,
        expect=ANSWER,
    )
    stored = [one["data"] for one in answer["tasks"] if one.get("id") == row["id"]]
    if len(stored) != 1:
        raise DoesNotExist(f"{doing}: Task {row['id']} was deleted meanwhile")
    return {**row, "data": stored[0]}


def _names_an_address(data: Any) -> bool:
    """Return whether some text may be a link that the server made of the address of a storage."""
    found: list[str] = []

    def look(leaf: Any) -> Any:
        if isinstance(leaf, str) and ("://" in leaf or "fileuri=" in leaf):
            found.append(leaf)
        return leaf

    with_leaves(data, look)
    return bool(found)
