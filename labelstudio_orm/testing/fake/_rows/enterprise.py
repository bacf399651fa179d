"""The rows of the Enterprise edition: their table, and the fields it adds to projects."""

from __future__ import annotations

import json
from typing import Any

from .._checks.fields import Field, FieldError
from .._state.state import State
from .._state.store import Row, Store

# Rows of all kinds are in one table. Its columns are computed from the bodies; with the rows that
# they refer to, rows are deleted.
_SCHEMA = """
CREATE TABLE enterprise (id integer PRIMARY KEY AUTOINCREMENT, kind text NOT NULL, body text NOT
  NULL,
  project integer AS (json_extract(body, '$.project')) REFERENCES project ON DELETE CASCADE,
  task integer AS (json_extract(body, '$.task')) REFERENCES task ON DELETE CASCADE,
  annotation integer AS (json_extract(body, '$.annotation')) REFERENCES annotation ON DELETE
    CASCADE,
  user integer AS (json_extract(body, '$.user')) REFERENCES user ON DELETE CASCADE,
  parent integer AS (COALESCE(json_extract(body, '$.parent_model'), json_extract(body,
    '$.model_version'), json_extract(body, '$.workspace'))) REFERENCES enterprise ON DELETE
    CASCADE);
CREATE INDEX enterprise_task ON enterprise (task);
ALTER TABLE project ADD COLUMN workspace integer REFERENCES enterprise ON DELETE SET NULL;
"""
_COMMENTS_COUNTED = """
CREATE TRIGGER comment_{event}_{row} AFTER {event} ON enterprise WHEN {row}.kind = 'Comment' BEGIN
  UPDATE task SET (comment_count, unresolved_comment_count, last_comment_updated_at) = (
    SELECT COUNT(*), COUNT(*) FILTER (WHERE NOT json_extract(body, '$.is_resolved')),
      REPLACE(REPLACE(MAX(json_extract(body, '$.updated_at')), 'T', ' '), 'Z', '')
    FROM enterprise WHERE task = {row}.task AND kind = 'Comment') WHERE id = {row}.task;
END;
"""


def prepare(store: Store) -> None:
    """Add the table of this edition."""
    store.db.executescript(_SCHEMA)
    for event, rows in (("INSERT", ["NEW"]), ("UPDATE", ["OLD", "NEW"]), ("DELETE", ["OLD"])):
        for row in rows:
            store.db.executescript(_COMMENTS_COUNTED.format(event=event, row=row))


def get_row(store: Store, what: str, pk: Any) -> Row | None:
    """Return a row by its id, of a table, or of a kind when ``what`` begins with a capital."""
    if not isinstance(pk, int) or abs(pk) >= 2**63:
        return None
    if what.islower():
        return store.get(what, pk)
    row = store.one("SELECT * FROM enterprise WHERE id = ? AND kind = ?", pk, what)
    return None if row is None else {"id": row["id"], **json.loads(row["body"])}


def project_fields(fake: State) -> dict[str, Field]:
    """Return the fields that this edition adds to the body of a project."""
    if not fake.is_enterprise:
        return {}

    def workspace(value: Any) -> int:
        if get_row(fake.store, "Workspace", value) is None:
            raise FieldError(f'Invalid pk "{value}" - object does not exist.')
        return int(value)

    return {"workspace": Field(workspace, null=True)}
