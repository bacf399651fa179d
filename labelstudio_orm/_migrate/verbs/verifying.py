"""Comparing two projects, object by object, by what they hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from ..._engine.pages.parallel import Coming
from ..._engine.pages.sources import chunked
from ..._engine.values.brief import cut
from ..._engine.values.summary import Summary
from ..._reports import Difference, Differences, Report
from ...progress import Progress, ends_line, reporter
from ..engine import fingerprints as content
from ..engine.fingerprints import digest, text_of
from ..engine.journal import Journal, JournalMismatch, is_missing, opened
from ..engine.pairing import pair_up
from ..engine.remap import Translation, translate_view
from ..engine.same_files import SameFiles
from ..engine.settings import wanted_settings
from ..engine.source import CHUNK, as_source, has_files, light, number_of_tasks, storage_key
from ..engine.uploads import address_on, original_name

if TYPE_CHECKING:
    import os

    from ..._engine.values.codec import Row
    from ...resources.projects import Project
    from ..engine.journal import IdMap
    from ..engine.source import Source

PARTS: Final = ("settings", "tasks", "views", "webhooks", "storages", "backends", "files")

_OF_TASKS: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "annotations": content.annotation_content,
    "predictions": content.prediction_content,
    "drafts": content.draft_content,
}


def verify(
    source: Project | Source,
    target: Project | Source,
    *,
    journal: str | os.PathLike[str] | Journal | None = None,
    parts: Sequence[str] = PARTS,
    progress: Progress = None,
) -> Report:
    """Compare two projects by what they hold: settings, tasks with all annotations, predictions
    and drafts, views, webhooks, storages, ML backends, uploaded files. Nothing is written.

    ``journal``: that of the copy, which says which task became which, who stands for whom, and what
    became of each file. Without one, tasks are paired by their content, users are told by their
    e-mail addresses, and files by their names and contents, for which each is read once on both
    sides; by their names alone, where a side is a snapshot without files. ``parts``: only these of
    ``settings tasks views webhooks storages backends files``. ``progress``: True for a line on
    stderr, or a function ``(done, total)``.

    Both sides are streamed. Ids, dates and what else no server keeps are not compared; nor are
    secrets, and, with a journal, the bytes of the files. The order of the views counts. The
    report's ``counts`` says of how many objects each kind was found the same (``skipped``), its
    ``differences`` what is not. A target may hold more tasks than the source: these are differences
    too.

    Raises JournalMismatch for the journal of another copy.

    >>> copy = copy_project(project, to=other, missing_users="create", verify=False).target
    >>> verify(project, copy).ok
    True
    """
    for part in parts:
        if part not in PARTS:
            raise ValueError(f"verify() knows the parts {', '.join(PARTS)}, not {part!r:.80}")
    here, there = as_source(source), as_source(target)
    if is_missing(journal):
        raise FileNotFoundError(f"there is no journal {cut(str(journal), 500)}")
    with opened(journal) as notes:
        comparison = Comparison(here, there, notes, progress)
        if notes is not None:
            _must_be_theirs(notes, comparison.from_, comparison.to)
        return comparison.report(parts)


def _must_be_theirs(journal: Journal, source: Row, target: Row) -> None:
    """Raises JournalMismatch for the journal of another copy."""
    known = journal.get("job", {}).get("source"), journal.get("project")
    wanted = f"{source['server']} project {source['project']}", target["project"]
    if known != wanted:
        raise JournalMismatch(
            f"{journal} is of a copy of {known[0]} to project {known[1]}, not of {wanted[0]} to "
            f"project {wanted[1]}"
        )


class Comparison:
    """Two sides, and what is found; ``seen`` is told of each pair of tasks, both as the target has
    them, and whether they are the same.
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
            return Translation.noted(self.journal, *servers), Translation()
        here, there = servers
        return self._anonymous(self.here, here), self._anonymous(self.there, there)

    def _anonymous(self, source: Source, server: str) -> Translation:
        """Files under names that are equal where the files are, for which both sides have to have
        their contents; else under the names that they had before they were uploaded.
        """
        if has_files(self.here) and has_files(self.there):
            return Translation(file=partial(self.files.name, source, server), server=server)
        return Translation(file=lambda path: f"upload:{original_name(path)}", server=server)

    @ends_line("_progress")
    def report(self, parts: Sequence[str]) -> Report:
        """Compare these parts."""
        for part in parts:
            getattr(self, f"_{part}")()
        for path, error in self.files.unreadable():
            self.found.add(Difference("files", path, None, why=f"not to be read: {error}"))
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
            ours = set(self.here.task_ids())  # the journal may know of some that were deleted since
            for id in self.there.task_ids():
                if pairs.old(id) not in ours:
                    self.found.add(Difference("tasks", None, id))
        self._skipping(pairs)

    def _skipping(self, pairs: IdMap) -> None:
        """Which of the tasks that both sides have may be skipped; their rows do not say it."""
        ours = {pairs.get(id) for id in self.here.unskippable() if pairs.has(id)}
        theirs = {id for id in self.there.unskippable() if pairs.old(id) is not None}
        apart = sorted(ours ^ theirs)
        here = {pairs.get(row["id"]) for row in self.here.some_tasks(map(pairs.old, apart))}
        for row in self.there.some_tasks(apart):
            if (id := row["id"]) in here:
                sides = id not in ours, id not in theirs
                self.found.add(Difference("tasks", pairs.old(id), id, "allow_skip", *sides))

    def compare(self, rows: Iterable[Row], pairs: IdMap) -> int:
        """Compare these tasks of the source with those that they became; how many of them are
        there.
        """
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
        """Some tasks of the source, and those that they became by id; the next ones are on their
        way while these are in use.
        """
        before: tuple[list[Row], Coming[dict[int, Row]]] | None = None
        for chunk in chunked(iter(rows), CHUNK):
            wanted = [new for row in chunk if (new := pairs.get(row["id"])) is not None]
            coming = Coming(partial(self._of_target, wanted))
            if before is not None:
                yield before[0], before[1].result()
            before = chunk, coming
        if before is not None:
            yield before[0], before[1].result()

    def _of_target(self, ids: list[int]) -> dict[int, Row]:
        return {row["id"]: row for row in self.there.some_tasks(ids)} if ids else {}

    def pair_by_content(self, pairs: IdMap) -> list[int]:
        """Which task stands for which, by all that they hold, else by their data; the ids of those
        that are not the same.
        """
        sides = ((self.here, self.left, "here"), (self.there, self.right, "there"))
        for _ in zip_longest(*(self._digests(*side) for side in sides)):
            pass  # a chunk of each in turn, so that both servers are at work
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
        """Note what the tasks of a side hold, a chunk at a time."""
        kinds = ("whole", "data", "sizes")
        whole, data, sizes = (self.journal.map(f"{kind} {side}") for kind in kinds)
        for chunk in chunked(source.tasks(), CHUNK):
            rows = [translation.task(row) for row in chunk]
            whole.put({row["id"]: digest(content.task_content(row)) for row in rows})
            data.put({row["id"]: digest(row["data"]) for row in rows})
            said = {row["id"]: {kind: len(row[kind]) for kind in _OF_TASKS} for row in rows}
            sizes.put({id: json.dumps(numbers) for id, numbers in said.items()})
            yield

    # -- the rest ---------------------------------------------------------------------------------

    def _settings(self) -> None:
        here = wanted_settings(self.left.value(self.here.settings()), self.journal)
        there = self.right.value(self.there.settings())
        here, there = content.settings_content(here), content.settings_content(there)
        before = self.found.number
        for name, value in here.items():
            if (value or None) != (there[name] or None):
                self.found.add(
                    Difference(
                        "settings", self.from_["project"], self.to["project"], name, value,
                        there[name],
                    )
                )  # fmt: skip
        self.same["settings"] += self.found.number == before

    def _views(self) -> None:
        tasks = self.journal.map("tasks")
        users = self.journal.map("user ids")
        if not self.noted:
            ids = {row["email"]: row.get("id") for row in self.there.users()}
            translated = (translate_view(one, ids.get, tasks.get)[0] for one in self.here.views())
        else:
            translated = (translate_view(one, users.get, tasks.get)[0] for one in self.here.views())
        there = [translate_view(one, _same_user(one), _itself)[0] for one in self.there.views()]
        here = list(translated)
        self._objects("views", here, there, content.view_content)
        self._order(here, there)

    def _order(self, here: list[Row], there: list[Row]) -> None:
        """The order of the views that both sides have."""
        places = {id(row): place for place, row in enumerate(there)}
        pairs = [
            (row, other)
            for row, other in pair_up(here, there, content.view_content)
            if row is not None and other is not None
        ]
        ours = [row["id"] for row in here if any(row is one for one, _ in pairs)]
        theirs = [row["id"] for row, _ in sorted(pairs, key=lambda pair: places[id(pair[1])])]
        if ours != theirs:
            sides = self.from_["project"], self.to["project"]
            self.found.add(Difference("views", *sides, "order", ours, theirs))

    def _webhooks(self) -> None:
        self._objects(
            "webhooks", self.here.webhooks(), self.there.webhooks(), content.webhook_content
        )

    def _storages(self) -> None:
        skipped = self.journal.get("storages left out", [])
        here = (one for one in self.here.storages() if storage_key(one) not in skipped)
        self._objects("storages", here, self.there.storages(), content.storage_content)

    def _backends(self) -> None:
        skipped = self.journal.get("backends left out", [])
        here = (one for one in self.here.backends() if one["id"] not in skipped)
        self._objects("backends", here, self.there.backends(), content.backend_content)

    def _files(self) -> None:
        def named(file: Row) -> dict[str, Any]:
            said = {"name": original_name(file["file"]), "size": file["size"]}
            return {**said, "content": file["content"]}

        theirs = partial(address_on, self.to["server"]) if self.noted else self.right.file
        here = [{**one, "content": self.left.file(one["file"])} for one in self.here.files()]
        there = [{**one, "content": theirs(one["file"])} for one in self.there.files()]
        self._objects("files", here, there, named)

    def _objects(
        self,
        kind: str,
        here: Iterable[Row],
        there: Iterable[Row],
        content_of: Callable[[Row], dict[str, Any]],
    ) -> None:
        found, same = object_differences(kind, here, there, content_of)
        self.found.extend(found)
        self.same[kind] += same


def task_differences(here: Row, there: Row) -> tuple[list[Difference], Counter[str]]:
    """What is not the same in two tasks, both as the target has them; and how many of the objects
    of each kind are.
    """
    ours, theirs = content.task_fields(here), content.task_fields(there)
    found = [
        Difference("tasks", here["id"], there["id"], name, value, theirs[name])
        for name, value in ours.items()
        if text_of(value) != text_of(theirs[name])
    ]
    same: Counter[str] = Counter()
    for kind, content_of in _OF_TASKS.items():
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
    """What is not the same in two lists of objects, whose order does not count; and how many are
    the same.
    """
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


def name_of(project: Row) -> str:
    """A project in words: ``'Reviews' (http://localhost:8080, project 3)``."""
    return f"{project['title']!r} ({project['server']}, project {project['project']})"


def _same_user(view: Row) -> Callable[[str], int | None]:
    ids = {email: int(id) for id, email in (view.get("users") or {}).items()}
    return ids.get


def _itself(id: int) -> int:
    return id
