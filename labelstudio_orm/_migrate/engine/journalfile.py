"""The file of a journal: made whole or not at all, and checked before it is written to."""

from __future__ import annotations

import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from ..._engine.values.brief import cut
from ...errors import BadJournal, LabelStudioError

VERSION: Final = 1
"""Version of the layout of the file."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS intents (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE NOT NULL, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pairs (
    kind TEXT NOT NULL, old NOT NULL, new, PRIMARY KEY (kind, old)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS backwards ON pairs (kind, new);
"""

_COLUMNS: Final = {
    "facts": ["name", "value"],
    "intents": ["number", "name", "value"],
    "pairs": ["kind", "old", "new"],
}

_FACTS: Final = {
    "job": "object", "project": "integer", "marker": "text", "parts": "array", "counts": "object",
    "losses": "object", "settings": "object", "settings base": "object",
    "settings expected": "object", "files after": "integer null",
}  # fmt: skip
"""JSON types of a few facts, as SQLite calls them."""

_PAIRS: Final = {"tasks": "integer", "files": "text", "files lost": "text"}
"""Types of both values of a few maps."""

_FAULTS: Final = (
    "'fact ' || name FROM facts WHERE NOT json_valid(value)",
    "'intent ' || name FROM intents WHERE NOT json_valid(value)",
    *(
        f"'fact ' || name FROM facts WHERE name = '{name}' "
        f"AND NOT instr('{types}', json_type(value))"
        for name, types in _FACTS.items()
    ),
    *(
        f"'pair of ' || kind FROM pairs WHERE kind = '{kind}' AND NOT (typeof(old) = '{of}' AND "
        f"typeof(new) = '{of}')"
        for kind, of in _PAIRS.items()
    ),
    "'base of task ' || old FROM pairs WHERE kind = 'bases' AND "
    "CASE WHEN json_valid(new) THEN json_type(new, '$.fields') IS NOT 'object' ELSE 1 END",
    "'job' WHERE EXISTS (SELECT 1 FROM pairs WHERE kind = 'bases') "
    "AND NOT EXISTS (SELECT 1 FROM facts WHERE name = 'job')",
    "'fact ' || facts.name FROM facts, json_each(facts.value) AS inner "
    "WHERE facts.name IN ('settings base', 'settings expected') AND inner.type <> 'array'",
    "'intent ' || name FROM intents WHERE name = 'files' AND "
    "(json_type(value, '$.after') IS NOT 'integer' OR json_type(value, '$.files') IS NOT 'array')",
    "'intent ' || name FROM intents, json_each(intents.value, '$.files') AS inner "
    "WHERE name = 'files' AND CASE inner.type WHEN 'array' THEN "
    "json_type(inner.value, '$[0]') IS NOT 'text' OR json_type(inner.value, '$[1]') IS NOT 'text' "
    "OR json_type(inner.value, '$[2]') IS NOT 'integer' OR json_array_length(inner.value) <> 4 "
    "ELSE 1 END",
)
"""Queries for what is not as in a journal; each relies on those before it."""


class Database:
    """A connection whose errors name their file.

    They are BadJournal, or an OSError for a disk that is full or cannot be written to.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        # Without a name it is a temporary file, which SQLite keeps in memory while it is small.
        self._raw = sqlite3.connect(path or "", isolation_level=None, check_same_thread=False)

    def execute(self, query: str, values: Any = ()) -> list[Any]:
        """Execute one statement and return its rows."""
        with self._named_errors():
            return self._raw.execute(query, values).fetchall()

    def executemany(self, query: str, rows: Any) -> None:
        """Execute a statement for each of some rows."""
        with self._named_errors():
            self._raw.executemany(query, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep what is written in the block as a whole, or not at all.

        Within another transaction it is a part of that.
        """
        if self._raw.in_transaction:
            yield
            return
        self.execute("BEGIN")
        try:
            yield
        except BaseException:
            if self._raw.in_transaction:  # a disk that is full has ended it
                self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    def make_tables(self) -> None:
        """Make the tables of a journal."""
        with self._named_errors():
            self._raw.executescript(f"{_TABLES}PRAGMA user_version = {VERSION};")

    def backup(self, other: Database) -> None:
        """Copy everything into another database."""
        with self._named_errors():
            self._raw.backup(other._raw)

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):
            self._raw.close()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise LabelStudioError(
                    f"{self.path}: {error}; another process may be using it, which would do the "
                    "work twice"
                ) from error
            raise OSError(
                f"the journal {cut(str(self.path), 500)} cannot be used: {error}"
            ) from error
        except sqlite3.DatabaseError as error:
            raise bad(self.path, f"it is damaged ({error})") from error


def open_file(path: Path) -> Database:
    """Open the file of a journal, or make one, readable only by its owner.

    Raises BadJournal for any other file, and OSError for one that cannot be opened.
    """
    try:
        if not os.path.lexists(path):
            _make(path)
        _must_be_file(path)
    except OSError as error:
        failure = type(error)(
            f"the journal {cut(str(path), 500)} cannot be opened: {error.strerror}"
        )
        failure.errno = error.errno
        raise failure from error
    _check_tables(path)
    database = Database(path)
    try:
        database.execute("PRAGMA busy_timeout = 1000")
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        _check(path, database.execute)
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("BEGIN IMMEDIATE")  # takes the lock, to keep it
        database.execute(f"PRAGMA user_version = {VERSION}")
        database.execute("COMMIT")
    except BaseException:
        database.close()
        raise
    with suppress(OSError):
        os.chmod(path, 0o600)
    return database


def bad(path: object, why: str) -> BadJournal:
    """Return the error for a file that is damaged or no journal."""
    return BadJournal(
        f"{path} is not a journal: {why}; name another file, or restore the right one"
    )


def _make(path: Path) -> None:
    """Make an empty journal under this name; a process that is killed meanwhile leaves none."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # with 0600
    os.close(handle)
    try:
        with closing(Database(Path(name))) as database:
            database.make_tables()
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def _must_be_file(path: Path) -> None:
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        raise bad(path, "it is a link")
    if not stat.S_ISREG(mode):
        raise bad(path, "it is a folder" if stat.S_ISDIR(mode) else "it is not a file")
    with path.open("rb") as file:
        begin = file.read(16)
    if not begin:
        raise bad(path, "it is empty")
    if begin != b"SQLite format 3\0":
        raise bad(path, "it is not an SQLite file")


def _check_tables(path: Path) -> None:
    """Check the tables without touching the file or those that SQLite keeps beside it."""
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as raw:
            names = [name for (name,) in raw.execute("SELECT name FROM sqlite_master")]
    except sqlite3.DatabaseError as error:
        if Path(f"{path}-wal").exists():
            return  # it is whole with that alone
        raise bad(path, f"it is damaged ({error})") from error
    if names and not _COLUMNS.keys() <= set(names):
        raise bad(path, f"it is a database with other tables ({', '.join(names[:5])})")
    if not names and not Path(f"{path}-wal").exists():
        raise bad(path, "it is a database without tables")


def _check(path: Path, rows: Callable[[str], list[Any]]) -> None:
    """Raise BadJournal unless the file is a whole journal; write nothing."""
    ((version,),) = rows("PRAGMA user_version")
    if version > VERSION:
        raise BadJournal(f"{path} was written by a newer version of this library")
    for table, columns in _COLUMNS.items():
        if [row[1] for row in rows(f"PRAGMA table_info({table})")] != columns:
            raise bad(path, f"it has no table {table} with {', '.join(columns)}")
    ((checked,),) = rows("PRAGMA quick_check(1)")
    if checked != "ok":
        raise bad(path, f"it is damaged ({checked})")
    for fault in _FAULTS:
        for (what,) in rows(f"SELECT {fault} LIMIT 1"):
            raise bad(path, f"its {what} is not as in a journal")
