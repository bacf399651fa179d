"""Comparing two projects by the content of their objects, whatever their ids and their order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from ..._engine.http.connection import has
from ..._engine.pages.parallel import FutureValue
from ..._engine.pages.sources import chunked
from ..._engine.values.summary import Summary
from ..._reports import Difference, Differences, Report
from ...progress import Progress, ends_line, reporter
from .files import SameFiles
from .fingerprints import CONTENTS, digest, settings_content, task_content, task_fields, text_of
from .journal import Journal
from .kinds import KINDS, Kind, Names
from .losses import unpacked
from .pairing import pair_up
from .related import left_out
from .remap import Translation, address_on, original_name
from .settings import wanted_settings
from .source import CHUNK, LiveSource, has_files, light, name_of, number_of_tasks

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from .journal import IdMap
    from .source import Source


class Comparison:
    """A comparison of two sides.

    ``on_targets`` gets the tasks of the target that are compared.
    """

    def __init__(
        self,
        source: Source,
        target: Source,
        journal: Journal | None,
        progress: Progress = None,
        on_targets: Callable[[list[Row]], object] = lambda targets: None,
    ) -> None:
        self.on_targets = on_targets
        self.source, self.target = light(source), light(target)
        self.from_, self.to = source.describe(), target.describe()
        self.has_journal = journal is not None and journal.get("project") is not None
        self.journal = journal if journal is not None and self.has_journal else Journal()
        self.files = SameFiles()
        self.left, self.right = self._translations()
        self.found = Differences()
        self.same: Counter[str] = Counter()
        self._progress = reporter(progress, "comparing tasks")

    def _translations(self) -> tuple[Translation, Translation]:
        servers = self.from_["server"], self.to["server"]
        if self.has_journal:
            return Translation.from_journal(self.journal, *servers), Translation()
        return self._anonymous(self.source, servers[0]), self._anonymous(self.target, servers[1])

    def _anonymous(self, source: Source, server: str) -> Translation:
        """Name files so that names are equal where the files are, which reads some on both sides.

        Without the files of a side they have the names from before they were uploaded.
        """
        if has_files(self.source) and has_files(self.target):
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
            rows = self.source.tasks()
        else:
            rows = self.source.some_tasks(self.pair_by_content(pairs))
        existing = self.same["tasks"]
        existing += self.compare(rows, pairs)
        if existing != number_of_tasks(self.target) or not pairs.is_one_to_one():
            ours = set(self.source.task_ids())  # the journal may have some that were deleted since
            for id in self.target.task_ids():
                if pairs.old(id) not in ours:
                    self.found.add(Difference("tasks", None, id))
        self._skipping(pairs)

    def _skipping(self, pairs: IdMap) -> None:
        """Compare which tasks may be skipped, which is not in their rows."""
        lost = {
            id
            for _, ids in self.journal.map("lost tasks.allow_skip").items()
            for id in unpacked(ids)
        }
        ours = {pairs.get(id) for id in self.source.unskippable() - lost if pairs.has(id)}
        theirs = {id for id in self.target.unskippable() if pairs.old(id) is not None}
        apart = sorted(ours ^ theirs)
        exist = {pairs.get(row["id"]) for row in self.source.some_tasks(map(pairs.old, apart))}
        for row in self.target.some_tasks(apart):
            if (id := row["id"]) in exist:
                sides = id not in ours, id not in theirs
                self.found.add(Difference("tasks", pairs.old(id), id, "allow_skip", *sides))

    def compare(self, rows: Iterable[Row], pairs: IdMap) -> int:
        """Compare tasks of the source with those that they became; return how many exist."""
        done = existing = 0
        for chunk, theirs in self._side_by_side(rows, pairs):
            targets = []
            for row in chunk:
                other = theirs.get(pairs.get(row["id"]))
                if other is None:
                    self.found.add(Difference("tasks", row["id"], None))
                    continue
                found, number = task_differences(self.left.task(row), self.right.task(other))
                self.found.extend(found)
                self.same.update(number)
                targets.append(other)
            self.on_targets(targets)
            existing += len(targets)
            done += len(chunk)
            self._progress(done, self.from_.get("tasks"))
        return existing

    def _side_by_side(
        self, rows: Iterable[Row], pairs: IdMap
    ) -> Iterator[tuple[list[Row], dict[int, Row]]]:
        """Yield tasks of the source, and those that they became by id, reading one chunk ahead."""
        before: list[tuple[list[Row], FutureValue[dict[int, Row]]]] = []
        for chunk in chunked(iter(rows), CHUNK):
            wanted = [new for row in chunk if (new := pairs.get(row["id"])) is not None]
            before.append((chunk, FutureValue(partial(self._of_target, wanted))))
            if len(before) > 1:
                ours, theirs = before.pop(0)
                yield ours, theirs.result()
        for ours, theirs in before:
            yield ours, theirs.result()

    def _of_target(self, ids: list[int]) -> dict[int, Row]:
        return {row["id"]: row for row in self.target.some_tasks(ids)} if ids else {}

    def pair_by_content(self, pairs: IdMap) -> list[int]:
        """Pair tasks of equal content, else of equal data; return the ids of those not the same."""
        sides = ((self.source, self.left, "source"), (self.target, self.right, "target"))
        for _ in zip_longest(*(self._digests(*side) for side in sides)):
            pass  # a chunk of each in turn keeps both servers busy
        name = self.journal.map
        whole, data, sizes = name("whole source"), name("data source"), name("sizes target")
        others: list[int] = []
        for id, its_whole in name("whole target").items():
            old = whole.old(its_whole)
            if old is None:
                others.append(id)
                continue
            whole.remove(old)
            data.remove(old)
            pairs.put({old: id})
            self.same.update(tasks=1, **json.loads(sizes.get(id)))
        for id in others:
            old = data.old(name("data target").get(id))
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
        ours = wanted_settings(self.left.value(self.source.settings()), self.journal)
        theirs = self.right.value(self.target.settings())
        sides = self.from_["project"], self.to["project"]
        contents = settings_content(ours), settings_content(theirs)
        found = _field_differences("settings", *sides, *contents, lambda value: value or None)
        self.found.extend(found)
        self.same["settings"] += not found

    def _related(self, kind: Kind) -> None:
        skipped = left_out(self.journal, kind)
        rows = (row for row in self.source.related(kind.name) if kind.key(row) not in skipped)
        ours = [kind.remap(row, self._source_names)[0] for row in rows]
        theirs = [kind.remap(row, self._target_names)[0] for row in self.target.related(kind.name)]
        if "size" in kind.fields and any(row["size"] is None for row in (*ours, *theirs)):
            # Servers before 1.21 list no sizes, so that only the contents are compared.
            ours, theirs = ([{**row, "size": None} for row in rows] for rows in (ours, theirs))
        found, same = object_differences(kind.name, ours, theirs, kind.content)
        self.found.extend(found)
        self.same[kind.name] += same
        if kind.set_order is not None:
            self._order(kind, ours, theirs)

    @cached_property
    def _source_names(self) -> Names:
        users = self.journal.map("user ids").get if self.has_journal else self._target_users.get
        kept = {}
        if self.has_journal and isinstance(self.target, LiveSource):
            kept["has"] = partial(has, self.target.client)
        return Names(user=users, task=self.journal.map("tasks").get, file=self.left.file, **kept)

    @cached_property
    def _target_names(self) -> Names:
        return Names(
            file=partial(address_on, self.to["server"]) if self.has_journal else self.right.file
        )

    @cached_property
    def _target_users(self) -> dict[str, int | None]:
        return {row["email"]: row.get("id") for row in self.target.users()}

    def _order(self, kind: Kind, ours: list[Row], theirs: list[Row]) -> None:
        """Compare the order of the objects that both sides have."""
        twins = {
            id(other): row["id"]
            for row, other in pair_up(ours, theirs, kind.content)
            if row is not None and other is not None
        }
        there = [twins[id(row)] for row in theirs if id(row) in twins]
        ids = [row["id"] for row in ours if row["id"] in there]
        if ids != there:
            sides = self.from_["project"], self.to["project"]
            self.found.add(Difference(kind.name, *sides, "order", ids, there))


def task_differences(here: Row, there: Row) -> tuple[list[Difference], Counter[str]]:
    """Return the differences of two tasks, and how many objects of each kind are the same.

    Both are as the target has them.
    """
    found = _field_differences(
        "tasks", here["id"], there["id"], task_fields(here), task_fields(there)
    )
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
        contents = content_of(row), content_of(other)
        fields = _field_differences(kind, row["id"], other["id"], *contents)
        same += not fields
        found += fields
    return found, same


def _field_differences(
    kind: str,
    source: int | str,
    target: int | str,
    ours: Row,
    theirs: Row,
    form: Callable[[Any], Any] = lambda value: value,
) -> list[Difference]:
    """Return the differences of two objects, field by field, in a ``form`` of the values."""
    return [
        Difference(kind, source, target, name, ours.get(name), theirs.get(name))
        for name in {**ours, **theirs}
        if text_of(form(ours.get(name))) != text_of(form(theirs.get(name)))
    ]


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
