"""Comparing two projects, object by object, by their content."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from ..._engine.pages.parallel import Prefetched
from ..._engine.pages.sources import chunked
from ..._engine.values.brief import cut
from ..._engine.values.summary import Summary
from ..._reports import Difference, Differences, Report
from ...progress import Progress, ends_line, reporter
from ..engine.comparing import object_differences, task_differences
from ..engine.fingerprints import CONTENTS, digest, settings_content, task_content
from ..engine.journal import Journal, JournalMismatch, is_missing, opened
from ..engine.kinds import KINDS, Kind, Names
from ..engine.pairing import pair_up
from ..engine.related import left_out
from ..engine.remap import Translation
from ..engine.same_files import SameFiles
from ..engine.settings import wanted_settings
from ..engine.source import CHUNK, as_source, has_files, light, name_of, number_of_tasks
from ..engine.uploads import address_on, original_name

if TYPE_CHECKING:
    import os

    from ..._engine.values.codec import Row
    from ...resources.projects import Project
    from ..engine.journal import IdMap
    from ..engine.source import Source

PARTS: Final = ("settings", "tasks")
"""What is compared beside the kinds of ``KINDS``."""


def verify(
    source: Project | Source,
    target: Project | Source,
    *,
    journal: str | os.PathLike[str] | Journal | None = None,
    parts: Sequence[str] | None = None,
    progress: Progress = None,
) -> Report:
    """Compare two projects by their content. Nothing is written.

    Compared are the settings, the tasks with all annotations, predictions and drafts, the views
    with their order, the webhooks, the storages, the ML backends and the uploaded files.

    ``journal``: that of the copy, which has the task that each task became, the user that stands
    for each user, and the copy of each file. Without one, tasks are paired by their content, users
    are matched by their e-mail addresses, and files by their names and contents, for which each is
    read once on both sides; by their names alone, if a side is a snapshot without files.
    ``parts``: compare only these, of ``settings tasks views webhooks storages backends files``.
    ``progress``: True for a line on stderr, or a function ``(done, total)``.

    Both sides are streamed. Ids, dates and all else that no server keeps are not compared, nor are
    secrets, and, with a journal, the bytes of the files. The report's ``counts`` have the number of
    objects of each kind that are the same (``skipped``), its ``differences`` those that are not. A
    target may hold more tasks than the source: these are differences too.

    Raises JournalMismatch for the journal of another copy.

    >>> copy = copy_project(project, to=other, missing_users="create", verify=False).target
    >>> verify(project, copy).ok
    True
    """
    known = (*PARTS, *KINDS)
    for part in parts or ():
        if part not in known:
            raise ValueError(f"verify() knows the parts {', '.join(known)}, not {part!r:.80}")
    here, there = as_source(source), as_source(target)
    if is_missing(journal):
        raise FileNotFoundError(f"there is no journal {cut(str(journal), 500)}")
    with opened(journal) as notes:
        comparison = Comparison(here, there, notes, progress)
        if notes is not None:
            _check_journal(notes, comparison.from_, comparison.to)
        return comparison.report(known if parts is None else parts)


def _check_journal(journal: Journal, source: Row, target: Row) -> None:
    """Raise JournalMismatch for the journal of another copy."""
    known = journal.get("job", {}).get("source"), journal.get("project")
    wanted = f"{source['server']} project {source['project']}", target["project"]
    if known != wanted:
        raise JournalMismatch(
            f"{journal} is of a copy of {known[0]} to project {known[1]}, not of {wanted[0]} to "
            f"project {wanted[1]}"
        )


class Comparison:
    """A comparison of two sides.

    ``seen`` is called with pairs of tasks, both as the target has them, and whether they are the
    same.
    """

    def __init__(
        self,
        here: Source,
        there: Source,
        journal: Journal | None,
        progress: Progress = None,
        seen: Callable[[list[tuple[Row, Row, bool]]], object] = lambda pairs: None,
    ) -> None:
        self.seen = seen
        self.here, self.there = light(here), light(there)
        self.from_, self.to = here.describe(), there.describe()
        self.noted = journal is not None and journal.get("project") is not None
        self.journal = journal if journal is not None and self.noted else Journal()
        self.files = SameFiles()
        self.left, self.right = self._translations()
        self.found = Differences()
        self.same: Counter[str] = Counter()
        total = self.from_.get("tasks")
        self._progress, self._total = reporter(progress, "comparing tasks"), total

    def _translations(self) -> tuple[Translation, Translation]:
        servers = self.from_["server"], self.to["server"]
        if self.noted:
            return Translation.from_journal(self.journal, *servers), Translation()
        here, there = servers
        return self._anonymous(self.here, here), self._anonymous(self.there, there)

    def _anonymous(self, source: Source, server: str) -> Translation:
        """Name files so that names are equal where the files are, which reads some on both sides.

        Without the files of a side they have the names from before they were uploaded.
        """
        if has_files(self.here) and has_files(self.there):
            return Translation(file=partial(self.files.name, source, server), server=server)
        return Translation(file=lambda path: f"upload:{original_name(path)}", server=server)

    @ends_line("_progress")
    def report(self, parts: Sequence[str]) -> Report:
        """Compare these parts."""
        compare: dict[str, Callable[[], None]] = {
            "settings": self._settings,
            "tasks": self._tasks,
            **{kind.name: partial(self._related, kind) for kind in KINDS.values()},
        }
        for part in parts:
            compare[part]()
        for path, error in self.files.unreadable():
            self.found.add(Difference("files", path, None, why=f"cannot be read: {error}"))
        return Report(
            what=f"comparison of {name_of(self.from_)} with {name_of(self.to)}",
            counts={kind: Summary(skipped=number) for kind, number in self.same.items()},
            differences=tuple(self.found.listed),
            different=self.found.number,
            unchanged="the same",
        )

    # -- tasks ------------------------------------------------------------------------------------

    def _tasks(self) -> None:
        pairs = self.journal.map("tasks")
        if self.noted:
            rows = self.here.tasks()
        else:
            rows = self.here.some_tasks(self.pair_by_content(pairs))
        known = self.same["tasks"]
        known += self.compare(rows, pairs)
        if known != number_of_tasks(self.there) or not pairs.is_one_to_one():
            ours = set(self.here.task_ids())  # the journal may have some that were deleted since
            for id in self.there.task_ids():
                if pairs.old(id) not in ours:
                    self.found.add(Difference("tasks", None, id))
        self._skipping(pairs)

    def _skipping(self, pairs: IdMap) -> None:
        """Compare which tasks may be skipped, which is not in their rows."""
        ours = {pairs.get(id) for id in self.here.unskippable() if pairs.has(id)}
        theirs = {id for id in self.there.unskippable() if pairs.old(id) is not None}
        apart = sorted(ours ^ theirs)
        here = {pairs.get(row["id"]) for row in self.here.some_tasks(map(pairs.old, apart))}
        for row in self.there.some_tasks(apart):
            if (id := row["id"]) in here:
                sides = id not in ours, id not in theirs
                self.found.add(Difference("tasks", pairs.old(id), id, "allow_skip", *sides))

    def compare(self, rows: Iterable[Row], pairs: IdMap) -> int:
        """Compare tasks of the source with those that they became; return how many exist."""
        done = known = 0
        for chunk, there in self._side_by_side(rows, pairs):
            pairs_seen = []
            for row in chunk:
                other = there.get(pairs.get(row["id"]))
                if other is None:
                    self.found.add(Difference("tasks", row["id"], None))
                    continue
                known += 1
                pair = self.left.task(row), self.right.task(other)
                found, number = task_differences(*pair)
                self.found.extend(found)
                self.same.update(number)
                pairs_seen.append((*pair, not found))
            self.seen(pairs_seen)
            done += len(chunk)
            self._progress(done, self._total)
        return known

    def _side_by_side(
        self, rows: Iterable[Row], pairs: IdMap
    ) -> Iterator[tuple[list[Row], dict[int, Row]]]:
        """Yield tasks of the source, and those that they became by id, reading one chunk ahead."""
        before: tuple[list[Row], Prefetched[dict[int, Row]]] | None = None
        for chunk in chunked(iter(rows), CHUNK):
            wanted = [new for row in chunk if (new := pairs.get(row["id"])) is not None]
            coming = Prefetched(partial(self._of_target, wanted))
            if before is not None:
                yield before[0], before[1].result()
            before = chunk, coming
        if before is not None:
            yield before[0], before[1].result()

    def _of_target(self, ids: list[int]) -> dict[int, Row]:
        return {row["id"]: row for row in self.there.some_tasks(ids)} if ids else {}

    def pair_by_content(self, pairs: IdMap) -> list[int]:
        """Pair tasks of equal content, else of equal data; return the ids of those not the same."""
        sides = ((self.here, self.left, "here"), (self.there, self.right, "there"))
        for _ in zip_longest(*(self._digests(*side) for side in sides)):
            pass  # a chunk of each in turn keeps both servers busy
        name = self.journal.map
        whole, data, sizes = name("whole here"), name("data here"), name("sizes there")
        others: list[int] = []
        for id, its_whole in name("whole there").items():
            old = whole.old(its_whole)
            if old is None:
                others.append(id)
                continue
            whole.remove(old)
            data.remove(old)
            pairs.put({old: id})
            self.same.update(tasks=1, **json.loads(sizes.get(id)))
        for id in others:
            old = data.old(name("data there").get(id))
            if old is not None:
                data.remove(old)
                pairs.put({old: id})
        return [old for old, _ in whole.items()]

    def _digests(self, source: Source, translation: Translation, side: str) -> Iterator[None]:
        """Write digests of the tasks of a side into the journal, a chunk at a time."""
        kinds = ("whole", "data", "sizes")
        whole, data, sizes = (self.journal.map(f"{kind} {side}") for kind in kinds)
        for chunk in chunked(source.tasks(), CHUNK):
            rows = [translation.task(row) for row in chunk]
            whole.put({row["id"]: digest(task_content(row)) for row in rows})
            data.put({row["id"]: digest(row["data"]) for row in rows})
            numbers = ((row["id"], {kind: len(row[kind]) for kind in CONTENTS}) for row in rows)
            sizes.put({id: json.dumps(number) for id, number in numbers})
            yield

    # -- the rest ---------------------------------------------------------------------------------

    def _settings(self) -> None:
        here = wanted_settings(self.left.value(self.here.settings()), self.journal)
        there = self.right.value(self.there.settings())
        here, there = settings_content(here), settings_content(there)
        sides = self.from_["project"], self.to["project"]
        found = [
            Difference("settings", *sides, name, value, there[name])
            for name, value in here.items()
            if (value or None) != (there[name] or None)
        ]
        self.found.extend(found)
        self.same["settings"] += not found

    def _related(self, kind: Kind) -> None:
        skipped = left_out(self.journal, kind)
        rows = (row for row in self.here.related(kind.name) if kind.key(row) not in skipped)
        here = [kind.remap(row, self._names_here)[0] for row in rows]
        there = [kind.remap(row, self._names_there)[0] for row in self.there.related(kind.name)]
        found, same = object_differences(kind.name, here, there, kind.content)
        self.found.extend(found)
        self.same[kind.name] += same
        if kind.set_order is not None:
            self._order(kind, here, there)

    @cached_property
    def _names_here(self) -> Names:
        users = self.journal.map("user ids").get if self.noted else self._users_there.get
        return Names(user=users, task=self.journal.map("tasks").get, file=self.left.file)

    @cached_property
    def _names_there(self) -> Names:
        return Names(file=partial(address_on, self.to["server"]) if self.noted else self.right.file)

    @cached_property
    def _users_there(self) -> dict[str, int | None]:
        return {row["email"]: row.get("id") for row in self.there.users()}

    def _order(self, kind: Kind, here: list[Row], there: list[Row]) -> None:
        """Compare the order of the objects that both sides have."""
        places = {id(row): place for place, row in enumerate(there)}
        twins = {
            id(row): places[id(other)]
            for row, other in pair_up(here, there, kind.content)
            if row is not None and other is not None
        }
        ours = [row for row in here if id(row) in twins]
        theirs = sorted(ours, key=lambda row: twins[id(row)])
        if ours != theirs:
            ids, there_ids = ([row["id"] for row in side] for side in (ours, theirs))
            sides = self.from_["project"], self.to["project"]
            self.found.add(Difference(kind.name, *sides, "order", ids, there_ids))
