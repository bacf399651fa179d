"""Comparing two projects by the content of their objects, whatever their ids and their order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from ..._engine.pages.parallel import FutureValue
from ..._engine.pages.sources import chunked
from ..._engine.values.summary import Summary
from ..._reports import Difference, Differences, Report
from ...progress import Progress, ends_line, reporter
from .fingerprints import CONTENTS, digest, settings_content, task_content, task_fields, text_of
from .journal import Journal
from .kinds import KINDS, Kind, Names
from .pairing import pair_up
from .related import left_out
from .remap import Translation
from .same_files import SameFiles
from .settings import wanted_settings
from .source import CHUNK, has_files, light, name_of, number_of_tasks
from .uploads import address_on, original_name

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from .journal import IdMap
    from .source import Source


class Comparison:
    """A comparison of two sides.

    ``on_pairs`` gets pairs of tasks: the source's, translated for the target, and the target's.
    """

    def __init__(
        self,
        here: Source,
        there: Source,
        journal: Journal | None,
        progress: Progress = None,
        on_pairs: Callable[[list[tuple[Row, Row]]], object] = lambda pairs: None,
    ) -> None:
        self.on_pairs = on_pairs
        self.here, self.there = light(here), light(there)
        self.from_, self.to = here.describe(), there.describe()
        self.has_journal = journal is not None and journal.get("project") is not None
        self.journal = journal if journal is not None and self.has_journal else Journal()
        self.files = SameFiles()
        self.left, self.right = self._translations()
        self.found = Differences()
        self.same: Counter[str] = Counter()
        total = self.from_.get("tasks")
        self._progress, self._total = reporter(progress, "comparing tasks"), total

    def _translations(self) -> tuple[Translation, Translation]:
        servers = self.from_["server"], self.to["server"]
        if self.has_journal:
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
        if self.has_journal:
            rows = self.here.tasks()
        else:
            rows = self.here.some_tasks(self.pair_by_content(pairs))
        existing = self.same["tasks"]
        existing += self.compare(rows, pairs)
        if existing != number_of_tasks(self.there) or not pairs.is_one_to_one():
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
        done = existing = 0
        for chunk, there in self._side_by_side(rows, pairs):
            tasks = []
            for row in chunk:
                other = there.get(pairs.get(row["id"]))
                if other is None:
                    self.found.add(Difference("tasks", row["id"], None))
                    continue
                existing += 1
                pair = self.left.task(row), self.right.task(other)
                found, number = task_differences(*pair)
                self.found.extend(found)
                self.same.update(number)
                tasks.append(pair)
            self.on_pairs(tasks)
            done += len(chunk)
            self._progress(done, self._total)
        return existing

    def _side_by_side(
        self, rows: Iterable[Row], pairs: IdMap
    ) -> Iterator[tuple[list[Row], dict[int, Row]]]:
        """Yield tasks of the source, and those that they became by id, reading one chunk ahead."""
        before: tuple[list[Row], FutureValue[dict[int, Row]]] | None = None
        for chunk in chunked(iter(rows), CHUNK):
            wanted = [new for row in chunk if (new := pairs.get(row["id"])) is not None]
            coming = FutureValue(partial(self._of_target, wanted))
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
        users = self.journal.map("user ids").get if self.has_journal else self._users_there.get
        return Names(user=users, task=self.journal.map("tasks").get, file=self.left.file)

    @cached_property
    def _names_there(self) -> Names:
        return Names(
            file=partial(address_on, self.to["server"]) if self.has_journal else self.right.file
        )

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


def task_differences(here: Row, there: Row) -> tuple[list[Difference], Counter[str]]:
    """Return the differences of two tasks, and how many objects of each kind are the same.

    Both are as the target has them.
    """
    ours, theirs = task_fields(here), task_fields(there)
    found = [
        Difference("tasks", here["id"], there["id"], name, value, theirs[name])
        for name, value in ours.items()
        if text_of(value) != text_of(theirs[name])
    ]
    same: Counter[str] = Counter()
    for kind, content_of in CONTENTS.items():
        more, same[kind] = object_differences(kind, here[kind], there[kind], content_of)
        found += more
    same["tasks"] += not found
    return found, same


def object_differences(
    kind: str,
    here: Iterable[Row],
    there: Iterable[Row],
    content_of: Callable[[Row], dict[str, Any]],
) -> tuple[list[Difference], int]:
    """Return the differences of two lists of objects, and how many objects are the same."""
    here, there = list(here), list(there)
    texts = [[text_of(content_of(row)) for row in rows] for rows in (here, there)]
    if texts[0] == texts[1]:
        return [], len(here)
    found: list[Difference] = []
    same = 0
    for row, other in pair_up(here, there, content_of):
        if row is None or other is None:
            left, right = (None if one is None else one["id"] for one in (row, other))
            found.append(Difference(kind, left, right))
            continue
        ours, its = content_of(row), content_of(other)
        fields = [
            name for name in {**ours, **its} if text_of(ours.get(name)) != text_of(its.get(name))
        ]
        same += not fields
        found += [
            Difference(kind, row["id"], other["id"], name, ours.get(name), its.get(name))
            for name in fields
        ]
    return found, same


def fields_apart(
    kind: str, source: int | str, target: int | str | None, name: str, here: Any, there: Any
) -> list[Difference]:
    """Return the differences of a field that is JSON, key by key if both values are dicts.

    >>> [str(one) for one in fields_apart("tasks", 1, 2, "data", {"a": 1, "b": 2}, {"a": 1})]
    ['tasks 1 -> 2: data.b is 2 in the source, None in the target']
    """
    if digest(here) == digest(there):
        return []
    if not isinstance(here, Mapping) or not isinstance(there, Mapping):
        return [Difference(kind, source, target, name, here, there)]
    pairs = {key: (here.get(key), there.get(key)) for key in {**here, **there}}
    return [
        Difference(kind, source, target, f"{name}.{key}", *pair)
        for key, pair in pairs.items()
        if digest(pair[0]) != digest(pair[1]) or (key in here) is not (key in there)
    ]
