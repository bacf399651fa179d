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
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ...errors import LabelStudioError
from .journalfile import Database, open_file

if TYPE_CHECKING:
    from typing_extensions import Self

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
            self._db = open_file(self.path)
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
def opened(journal: str | os.PathLike[str] | Journal | None) -> Iterator[Journal | None]:
    """Open the journal of a path for the block; leave one that is open already open."""
    if journal is None or isinstance(journal, Journal):
        yield journal
    else:
        with Journal(journal) as made:
            yield made


def is_missing(journal: str | os.PathLike[str] | Journal | None) -> bool:
    """Return whether this is the path of a file that does not exist."""
    return isinstance(journal, (str, os.PathLike)) and not os.path.exists(journal)


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
        return int(self._one("SELECT count(*) FROM pairs WHERE kind = ?", self.kind))

    def get(self, old: Key, default: Any = None) -> Any:
        """Return what an old id became, else ``default``."""
        query = "SELECT new FROM pairs WHERE kind = ? AND old = ?"
        return self._one(query, self.kind, old, default=default)

    def has(self, old: Key) -> bool:
        """Return whether an old id became anything."""
        query = "SELECT 1 FROM pairs WHERE kind = ? AND old = ?"
        return bool(self._one(query, self.kind, old, default=0))

    def old(self, new: Key, default: Any = None) -> Any:
        """Return the old id of a new one, else ``default``."""
        query = "SELECT old FROM pairs WHERE kind = ? AND new = ? LIMIT 1"
        return self._one(query, self.kind, new, default=default)

    def last(self) -> Any:
        """Return the greatest old id; None if there is none."""
        return self._one("SELECT max(old) FROM pairs WHERE kind = ?", self.kind)

    def highest(self) -> Any:
        """Return the greatest new id; None if there is none."""
        return self._one("SELECT max(new) FROM pairs WHERE kind = ?", self.kind)

    def is_one_to_one(self) -> bool:
        """Return whether no two old ids became the same."""
        query = "SELECT count(*) = count(DISTINCT new) FROM pairs WHERE kind = ?"
        return bool(self._one(query, self.kind))

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

    def _one(self, query: str, *values: Any, default: Any = None) -> Any:
        found = self._db.execute(query, values)
        return found[0][0] if found else default


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))
