"""The rows of the fake server: an SQLite database in memory.

The real server's answers to Data Manager queries are SQLite's answers (how it compares JSON values
of different types, what LIKE folds, where NULLs go), so the fake asks the same engine instead of
imitating it. It also gives transactions, cascades and real copies of everything for free.
"""

from __future__ import annotations

import atexit
import json
import re
import sqlite3
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any

from .schema import SCHEMA

Row = dict[str, Any]


def dumps(value: Any) -> str:
    """Return JSON text as the server stores it: ``contains`` on results searches this very text."""
    return json.dumps(value)


def loads(text: str | None) -> Any:
    """Return the value of a JSON column; None for SQL NULL."""
    return None if text is None else json.loads(text)


def iso(stored: str | None) -> str | None:
    """Return a stored time (``2026-11-23 12:00:40.919041``, UTC) as the API shows it."""
    return None if stored is None else stored.replace(" ", "T") + "Z"


def stored_time(time: datetime) -> str:
    """Return a datetime, aware or naive (then UTC), as the database stores it."""
    if time.tzinfo is not None:
        time = time.astimezone(timezone.utc).replace(tzinfo=None)
    return str(time)


def _regexp(pattern: str | None, text: Any) -> bool | None:
    if pattern is None or text is None:
        return None
    return bool(re.search(pattern, text if isinstance(text, str) else str(text)))


@cache
def _empty() -> sqlite3.Connection:
    """Return a database with the tables and without rows."""
    made = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    atexit.register(made.close)
    made.executescript(SCHEMA)
    return made


class Store:
    """One database and a clock that never shows the same time twice."""

    def __init__(self) -> None:
        self.quirks: frozenset[str] = frozenset()
        """What queries do otherwise on an older release."""
        self.db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        weakref.finalize(self, self.db.close)  # newer Pythons warn of a connection left open
        self.db.row_factory = lambda cursor, row: {
            column[0]: value for column, value in zip(cursor.description, row, strict=True)
        }
        self.db.create_function("regexp", 2, _regexp, deterministic=True)
        _empty().backup(self.db)  # a fortieth of the time that the statements take
        self.db.execute("PRAGMA foreign_keys = ON")
        self._last = datetime.min

    def now(self) -> str:
        """Return the time to store now, later than any it returned before."""
        time = datetime.now(timezone.utc).replace(tzinfo=None)
        self._last = max(time, self._last + timedelta(microseconds=1))
        if self._last.microsecond == 0:  # would be stored without a fraction, like no other time
            self._last += timedelta(microseconds=1)
        return str(self._last)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Undo what happens inside when an exception leaves the block, within a transaction."""
        self.db.execute("SAVEPOINT attempt")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK TO attempt")
            raise
        finally:
            self.db.execute("RELEASE attempt")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Undo everything that happens inside when an exception leaves the block."""
        self.db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def rows(self, sql: str, *parameters: Any) -> list[Row]:
        """Return all rows of a SELECT."""
        return list(self.db.execute(sql, parameters))

    def one(self, sql: str, *parameters: Any) -> Row | None:
        """Return the first row of a SELECT, or None."""
        row: Row | None = self.db.execute(sql, parameters).fetchone()
        return row

    def value(self, sql: str, *parameters: Any) -> Any:
        """Return the first column of the first row, or None."""
        row = self.one(sql, *parameters)
        return None if row is None else next(iter(row.values()))

    def get(self, table: str, pk: int | str | None) -> Row | None:
        """Return the row of an id, or None."""
        return self.one(f"SELECT * FROM {table} WHERE id = ?", pk)

    def insert(self, table: str, row: Mapping[str, Any]) -> int:
        """Insert a row and return its id."""
        columns = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" * len(row))
        cursor = self.db.execute(
            f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(row.values())
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def insert_many(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows with the same columns."""
        if rows:
            columns = ", ".join(f'"{name}"' for name in rows[0])
            marks = ", ".join("?" * len(rows[0]))
            self.db.executemany(
                f"INSERT INTO {table} ({columns}) VALUES ({marks})",
                [tuple(r.values()) for r in rows],
            )

    def number(self, sequence: str) -> int:
        """Return the next number of a sequence, for ids that are not the key of a table."""
        sql = "INSERT INTO sequence VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET last = last + 1"
        self.db.execute(sql, (sequence,))
        return int(self.value("SELECT last FROM sequence WHERE name = ?", sequence))

    def update(self, table: str, pk: int, changes: Mapping[str, Any]) -> None:
        """Set columns of a row."""
        if changes:
            columns = ", ".join(f'"{name}" = ?' for name in changes)
            self.db.execute(f"UPDATE {table} SET {columns} WHERE id = ?", (*changes.values(), pk))

    def execute(self, sql: str, *parameters: Any) -> int:
        """Run a statement and return the number of rows that it changed."""
        return self.db.execute(sql, parameters).rowcount


def id_list(ids: Iterable[int]) -> str:
    """Return ``(1, 2, 3)`` for an IN; written out, because the number of parameters is limited."""
    return "(" + ", ".join(str(int(pk)) for pk in ids) + ")"
