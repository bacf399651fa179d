"""The journal of a migration: which object became which, what is done, and what is under way.

A SQLite file. Every method commits before it returns, so a process that is killed at any moment
loses at most the request that was under way; and of that the journal has the intent.

What migrations keep in it, where a KIND is a row of ``kinds.KINDS``:

Maps, old to new:

* ``tasks``, ``files``, KIND: ids, or paths, in the source and in the target.
* ``users``, ``user ids``: addresses of users, to their addresses and ids in the target.
* ``contents``: tasks to the digest of what was imported.
* ``bases``, ``KIND bases``: objects to digests of what both sides held.
* ``KIND expected``: objects to the digests that they have if a write under way is done.
* ``mends``: tasks that an import leaves incomplete, to 1 once they are completed, else 0.
* ``files lost``: files to the reason why they could not be copied.
* ``lost KIND.FIELD``, also of tasks: losses, the first id of a group to all its ids.
* ``kept``: tasks that stay in the target although they were deleted in the source.
* ``chosen``, ``removed``: of a dedupe, tasks to the one that is kept in their favour.
* ``whole``, ``data`` and ``sizes``, each with a side: of a comparison, in memory only.

Facts:

* ``job``, ``parts``, ``settings`` (those that the caller chose): what the job is.
* ``project``, ``marker``: the id of the target, and its description until it is finished.
* ``done``, ``done:files``, ``done:tasks``, ``done:KIND``: what is finished; of steps, ``done``
  lists the steps.
* ``counts``, ``losses``: numbers by kind, and by kind and field.
* ``settings base``, ``settings expected``: as the maps, for the settings of the project.
* ``order of KIND``, ``order of KIND expected``: the order that both sides had, or will have.
* ``KIND left out``: keys of objects that were left out on purpose.
* ``salt``: for the digests of secrets.
* ``slowest``, ``unsure``: seconds of the longest import, and when a write was given up.
* ``files after``, ``imports after``: the last file, and task, from before the first new one.
* ``emptied``: the target has lost its last task, and with it what goes with tasks.

Intents: ``tasks`` and ``files`` (a batch), ``overlaps``, ``parked`` (drafts that are off their
annotation), ``made KIND``, ``replaced KIND KEY``, and of steps their names.
"""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..._engine.values.brief import cut
from ..._engine.values.files import whole_file
from ...errors import BadJournal, LabelStudioError

if TYPE_CHECKING:
    from typing_extensions import Self


# -- the file -------------------------------------------------------------------------------------

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
            raise _bad(self.path, f"it is damaged ({error})") from error


def _open_file(path: Path) -> Database:
    """Open the file of a journal, or make one, readable only by its owner.

    Raises BadJournal for any other file, and OSError for one that cannot be opened.
    """
    try:
        if not os.path.lexists(path):
            _make(path)
        _must_be_file(path)
    except OSError as error:
        why = error.strerror or error
        failure = type(error)(f"the journal {cut(str(path), 500)} cannot be opened: {why}")
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


def _bad(path: object, why: str) -> BadJournal:
    """Return the error for a file that is damaged or no journal."""
    return BadJournal(
        f"{path} is not a journal: {why}; name another file, or restore the right one"
    )


def _make(path: Path) -> None:
    """Make an empty journal under this name; a process that is killed meanwhile leaves none."""
    with whole_file(path) as file, closing(Database(Path(file.name))) as database:
        database.make_tables()


def _must_be_file(path: Path) -> None:
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        raise _bad(path, "it is a link")
    if not stat.S_ISREG(mode):
        raise _bad(path, "it is a folder" if stat.S_ISDIR(mode) else "it is not a file")
    with path.open("rb") as file:
        begin = file.read(16)
    if not begin:
        raise _bad(path, "it is empty")
    if begin != b"SQLite format 3\0":
        raise _bad(path, "it is not an SQLite file")


def _check_tables(path: Path) -> None:
    """Check the tables without touching the file or those that SQLite keeps beside it."""
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as raw:
            names = [name for (name,) in raw.execute("SELECT name FROM sqlite_master")]
    except sqlite3.DatabaseError as error:
        if Path(f"{path}-wal").exists():
            return  # it is whole with that alone
        raise _bad(path, f"it is damaged ({error})") from error
    if names and not _COLUMNS.keys() <= set(names):
        raise _bad(path, f"it is a database with other tables ({', '.join(names[:5])})")
    if not names and not Path(f"{path}-wal").exists():
        raise _bad(path, "it is a database without tables")


def _check(path: Path, rows: Callable[[str], list[Any]]) -> None:
    """Raise BadJournal unless the file is a whole journal; write nothing."""
    ((version,),) = rows("PRAGMA user_version")
    if version > VERSION:
        raise BadJournal(f"{path} was written by a newer version of this library")
    for table, columns in _COLUMNS.items():
        if [row[1] for row in rows(f"PRAGMA table_info({table})")] != columns:
            raise _bad(path, f"it has no table {table} with {', '.join(columns)}")
    ((checked,),) = rows("PRAGMA quick_check(1)")
    if checked != "ok":
        raise _bad(path, f"it is damaged ({checked})")
    for fault in _FAULTS:
        for (what,) in rows(f"SELECT {fault} LIMIT 1"):
            raise _bad(path, f"its {what} is not as in a journal")


# -- the journal ----------------------------------------------------------------------------------

Key: TypeAlias = "int | str"


class JournalMismatch(LabelStudioError, ValueError):
    """The journal belongs to another job: other servers, another project, other arguments.

    >>> with Journal("first.db") as journal:
    ...     journal.identify(what="copy", source="http://a:8080 1")
    ...     try:
    ...         journal.identify(what="copy", source="http://a:8080 2")
    ...     except JournalMismatch as error:
    ...         print(error)
    first.db is of another job: its source is 'http://a:8080 1', ...
    """


class Journal:
    """What a job has done so far, on disk: ``Journal("copy.db")``.

    Without a path it lasts as long as the process. A file belongs to one job, and only its owner
    can read it (0600). Two processes cannot use a file at once: the second raises LabelStudioError.
    No secrets are written into it.

    Raises BadJournal for a file that is damaged or not a journal, which is left as it is, and
    OSError for one that cannot be opened or written.

    >>> with Journal("copy.db") as journal:
    ...     journal.identify(what="copy", source="http://a:8080 1", target="http://b:8080")
    ...     tasks = journal.map("tasks")
    ...     tasks.put({1: 1001, 2: 1002})
    ...     tasks.get(2), len(tasks)
    (1002, 2)
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = None if path is None else Path(path)
        if self.path is not None:
            self._db = _open_file(self.path)
            return
        self._db = Database(None)
        self._db.make_tables()

    def __str__(self) -> str:
        return self.path.name if self.path else "the journal"

    def __repr__(self) -> str:
        return f"<Journal {str(self.path) if self.path else 'in memory'}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def copy(self) -> Journal:
        """Return a copy in memory, for dry runs: what is written to it is not kept."""
        other = Journal()
        self._db.backup(other._db)
        return other

    def transaction(self) -> AbstractContextManager[None]:
        """Keep what is written in the block as a whole, or not at all."""
        return self._db.transaction()

    # -- the job ----------------------------------------------------------------------------------

    def identify(self, **facts: Any) -> None:
        """Set which job the journal belongs to, or check that it is this one.

        Raises JournalMismatch, which names the difference, if it belongs to another job.
        """
        job = self.get("job")
        if job is None:
            self.set("job", facts)
            return
        for name in {**job, **facts}:
            if job.get(name) != _as_json(facts.get(name)):
                raise JournalMismatch(
                    f"{self} is of another job: its {name} is {job.get(name)!r}, not "
                    f"{facts.get(name)!r}; use another file for another job"
                )

    # -- facts ------------------------------------------------------------------------------------

    def set(self, name: str, value: Any = True) -> None:
        """Set a small fact, kept as JSON: ``journal.set("done:views")``."""
        self._db.execute("REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))

    def get(self, name: str, default: Any = None) -> Any:
        """Return a fact that was set, else ``default``."""
        found = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,))
        return json.loads(found[0][0]) if found else default

    # -- ids --------------------------------------------------------------------------------------

    def map(self, kind: str) -> IdMap:
        """Return what the objects of a kind became: "tasks", "users" ..."""
        return IdMap(self._db, kind)

    # -- intents ----------------------------------------------------------------------------------

    def intent(self, name: str, value: Any = None) -> None:
        """Record what is about to be written, before the request whose answer may be lost."""
        self._db.execute(
            "INSERT INTO intents (name, value) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, json.dumps(value)),
        )

    def open_intents(self) -> dict[str, Any]:
        """Return what was about to be written and may or may not have been, oldest first."""
        rows = self._db.execute("SELECT name, value FROM intents ORDER BY number")
        return {name: json.loads(value) for name, value in rows}

    def resolve(self, name: str) -> None:
        """Remove an intent, as its outcome is known."""
        self._db.execute("DELETE FROM intents WHERE name = ?", (name,))


@contextmanager
def open_journal(
    journal: str | os.PathLike[str] | Journal | None, *, writes: bool, may_create: bool = True
) -> Iterator[Journal]:
    """Open a journal for the block, or make one; an open one stays open.

    It is a copy in memory unless the migration ``writes``. Raises FileNotFoundError where there is
    none, unless it may be created (``may_create``).
    """
    is_missing = isinstance(journal, (str, os.PathLike)) and not os.path.exists(journal)
    if is_missing and not may_create:
        raise FileNotFoundError(
            f"there is no journal {cut(str(journal), 500)}: a copy keeps one; sync() begins one "
            "with pair=True, which pairs the tasks by their content"
        )
    if journal is None or (is_missing and not writes):
        journal = Journal()
    with nullcontext(journal) if isinstance(journal, Journal) else Journal(journal) as opened:
        yield opened if writes else opened.copy()


class IdMap:
    """A table on disk from old keys to new values, of any size; both are integers or strings."""

    def __init__(self, database: Database, kind: str) -> None:
        self._db, self.kind = database, kind

    def __repr__(self) -> str:
        try:
            return f"<IdMap of {self.kind}: {len(self)}>"
        except LabelStudioError:  # the journal is closed, or damaged
            return f"<IdMap of {self.kind}>"

    def __len__(self) -> int:
        return int(self._one("count(*)"))

    def get(self, old: Key, default: Any = None) -> Any:
        """Return what an old id became, else ``default``."""
        return self._one("new", "AND old = ?", old, default=default)

    def has(self, old: Key) -> bool:
        """Return whether an old id became anything."""
        return bool(self._one("1", "AND old = ?", old))

    def old(self, new: Key, default: Any = None) -> Any:
        """Return the old id of a new one, else ``default``."""
        return self._one("old", "AND new = ?", new, default=default)

    def last(self) -> Any:
        """Return the greatest old id; None if there is none."""
        return self._one("max(old)")

    def highest(self) -> Any:
        """Return the greatest new id; None if there is none."""
        return self._one("max(new)")

    def is_one_to_one(self) -> bool:
        """Return whether no two old ids became the same."""
        return bool(self._one("count(*) = count(DISTINCT new)"))

    def put(self, pairs: Mapping[Any, Any]) -> None:
        """Set what some old ids became: all of them, or none if that fails."""
        rows = ((self.kind, old, new) for old, new in pairs.items())
        with self._db.transaction():
            self._db.executemany("REPLACE INTO pairs VALUES (?, ?, ?)", rows)

    def remove(self, old: Key) -> None:
        """Forget what an old id became."""
        self._db.execute("DELETE FROM pairs WHERE kind = ? AND old = ?", (self.kind, old))

    def items(self) -> Iterator[tuple[Any, Any]]:
        """Yield all pairs by old id, streamed; writes in between are safe."""
        query = "SELECT old, new FROM pairs WHERE kind = ? ORDER BY old LIMIT 1000"
        rows = self._db.execute(query, (self.kind,))
        while rows:
            yield from rows
            further = query.replace("ORDER", "AND old > ? ORDER")
            rows = self._db.execute(further, (self.kind, rows[-1][0]))

    def _one(self, value: str, condition: str = "", *keys: Key, default: Any = None) -> Any:
        query = f"SELECT {value} FROM pairs WHERE kind = ? {condition} LIMIT 1"
        found = self._db.execute(query, (self.kind, *keys))
        return found[0][0] if found else default


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))
