"""Splitting the tasks of a project into reproducible parts: train and test, or by a value."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from ..._engine.bulk.run import BulkRun
from ..._engine.conditions.lookups import same
from ..._engine.conditions.places import Place, text_of
from ..._engine.pages.sources import chunked
from ..._engine.records.inside import client_of
from ..._engine.values.summary import Failure, Summary
from ..._reports import Loss, Report
from ...client import LabelStudio, labelstudio_of
from ...progress import Progress
from ...resources._tasks.existing import ItemKey
from ...resources.labelled import values_of
from ..engine.fingerprints import digest
from ..engine.journal import open_journal
from ..engine.keys import asking, fingerprint, first_rows, no_key
from ..engine.remap import files_of
from ..engine.source import CHUNK, LiveSource
from .copying import copy_project

if TYPE_CHECKING:
    import os

    from ..._engine.values.codec import Row
    from ...resources.projects import Project
    from ...resources.tasks import Task, Tasks
    from ..engine.users import MissingUsers

By: TypeAlias = "Mapping[str, float] | str | Place | Callable[[Task], str | None]"
"""How tasks are split: by shares, by a key in their data, or by a function."""

BATCH: Final = 1000
"""Tasks that are marked in one request."""

JOURNAL: Final = "split.db"
"""The file in the folder of the journals that records how the tasks are split."""


@attrs.frozen(kw_only=True)
class Split(Report):
    """The report of a split.

    ``parts`` has the number of tasks of each part, ``projects`` the project of each, if parts
    became projects.
    """

    parts: Mapping[str, int] = attrs.field(factory=dict)
    projects: Mapping[str, Project] = attrs.field(factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON, with ``parts`` and the ids of ``projects``."""
        projects = {name: project.id for name, project in self.projects.items()}
        return {**super().as_json(), "parts": dict(self.parts), "projects": projects}


def split(
    project: Project,
    by: By,
    *,
    into: str | Place | LabelStudio = "data.split",
    key: str | Place | None = None,
    seed: int | str = 0,
    exact: bool = False,
    stratify: str | Place | None = None,
    missing_users: MissingUsers = "refuse",
    journal: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    progress: Progress = None,
) -> Split:
    """Split the tasks of a project: set each one's part in its data, or copy parts into projects.

    ``by``: shares that add up to 1, ``{"train": 0.8, "test": 0.2}``; a key, ``"data.city"``, whose
    values name the parts; or a function of a task that returns the name of its part. Tasks without
    such a value (null and the empty text are none), or for which the function returns None, belong
    to no part; the report counts them, as skipped, under ``"tasks in no part"``.

    With shares, a hash of ``seed`` and of the task's id decides, or of the value of ``key``: tasks
    with the same ``"data.patient"`` are in the same part, on every server. So a further run changes
    nothing, new tasks leave the others where they are, and if the shares change, as few tasks move
    as possible. The sizes of the parts are random: within about one hundredth for 10,000 tasks.

    ``exact=True``: the sizes are the shares, but for what is less than a task (with a ``key``, they
    are numbers of its values). ``stratify``: a key, ``"data.lang"``, or a control of the labelling
    config, ``"sentiment"``; of the tasks with each value, each part has its share within two tasks,
    and the sizes are exact. The answer to a control is that of the newest annotation which is not
    skipped; reading them is one more pass. Here tasks change their parts when others come or go, or
    when answers change; the same tasks and answers have the same parts.

    ``into``: the key that is set, ``"data.split"`` or ``"meta.split"``; or a client, for new
    projects on its server, ``"Reviews: train"`` ..., made by ``copy_project`` without the storages
    (``missing_users`` is passed to it); the project itself stays as it is. ``journal``: then a
    folder with a journal for each part, so that a run that was killed can be run again, with the
    same ``by``, ``key`` and ``seed`` (of a function only the name is recorded, so you have to make
    sure that it returns the same); without it each run makes new projects. ``progress``: True for a
    line on stderr, or a function ``(done, total)`` of tasks.

    The tasks are listed with the needed fields only. A key of ``data`` is set by the server's own
    action, 1,000 tasks a request, which leaves ``updated_at`` as it is; another key, and any key if
    a server lacks the action, as by ``update``, by ``workers`` at once. Tasks that have the value
    already cost nothing. A task in which another program has left a list or a text in the place of
    the key is among the failures of ``counts["tasks"]``.

    Raises ValueError for shares that do not add up to 1, for tasks without the ``key``, for a key
    as ``by`` that no task has, and, naming the task, for a function that raises an error;
    UnknownControl for ``stratify``; JournalMismatch for a journal of another split (of exact sizes,
    also if the parts are others now). Nothing is written then.

    >>> report = split(project, {"train": 0.8, "test": 0.2}, key="data.text", seed=7)
    >>> project.tasks.filter(data__split="test").count() == report.parts["test"]
    True
    """
    tasks: Tasks = project.tasks
    own = ItemKey.of(tasks, by) if isinstance(by, (str, Place)) else None
    hashed = None if key is None else ItemKey.of(tasks, key)
    where = None if isinstance(into, LabelStudio) else ItemKey.of(tasks, into)
    stratum = None if stratify is None else _stratum(project, stratify)
    keys = {one.way.field.name for one in (own, hashed, where) if one is not None}
    if isinstance(stratum, ItemKey):
        keys.add(stratum.way.field.name)
    listed: Iterable[Task] = tasks.only(*(keys or {"id"})).iterator()
    name_part: NamePart
    if isinstance(by, Mapping):
        if not math.isclose(math.fsum(by.values()), 1) or min(by.values()) < 0:
            raise ValueError(f"split(): shares are numbers that add up to 1, not {dict(by)}")
        name_part = partial(_part_by_shares, tasks, by, hashed, seed)
        if exact or stratum is not None:
            listed = list(listed)
            name_part = _dealt(tasks, listed, by, hashed, seed, stratum)
    elif key is not None or exact or stratify is not None:
        raise ValueError("split(): key=, exact= and stratify= are only for shares")
    elif own is not None:
        name_part = partial(_part_by_value, own)
    elif callable(by):
        name_part, listed = partial(_part_by_function, by), tasks.iterator()
    else:
        raise TypeError(f"split(): by is shares, a key or a function of a task, not {by!r:.80}")
    if where is not None and journal is not None:
        raise ValueError("split(): journal= is only for parts that become projects")
    if where is not None and where == own:
        raise ValueError(f"split(): {into} has the parts already")
    parts, left = _parts(listed, name_part, where)
    if left and not parts and own is not None:
        what = f"split(): none of the {left} tasks of {project!r} has anything under"
        raise no_key(own, what, first_rows(tasks))
    if where is not None:
        done = _set_parts(project, parts, where, workers, progress)
    else:
        assert isinstance(into, LabelStudio)
        how = {"by": _description(by), "key": None if key is None else text_of(key), "seed": seed}
        if exact or stratify is not None:  # the parts depend on all tasks, which may have changed
            how["parts"] = digest({name: part.ids for name, part in parts.items()})
        done = _copy(project, parts, into, journal, how, missing_users, progress)
    counts = {**done.counts, "tasks in no part": Summary(skipped=left)} if left else done.counts
    return attrs.evolve(done, counts=counts)


# -- which part -----------------------------------------------------------------------------------

NamePart: TypeAlias = "Callable[[Task], str | None]"


def _part_by_value(key: ItemKey, task: Task) -> str | None:
    value = key.way.value(task)
    return None if fingerprint(value) is None else str(value)


def _part_by_function(by: NamePart, task: Task) -> str | None:
    with asking("split(): by", task):
        return by(task)


def _part_by_shares(
    tasks: Tasks, shares: Mapping[str, float], key: ItemKey | None, seed: int | str, task: Task
) -> str:
    return part_of(_hashed(tasks, key, task), shares, seed)


def _hashed(tasks: Tasks, key: ItemKey | None, task: Task) -> Any:
    """Return the value whose hash decides; raise ValueError for a task without one."""
    value = task.id if key is None else key.way.value(task)
    if key is not None and fingerprint(value) is None:
        raise no_key(key, f"split(): {task!r} has nothing under", first_rows(tasks))
    return value


def part_of(value: Any, shares: Mapping[str, float], seed: int | str = 0) -> str:
    """Return the part of a value: a random one, but always the same.

    >>> part_of("a.png", {"train": 0.8, "test": 0.2}, seed=7)
    'train'
    """
    place = _place(value, seed) / 2**56
    names = [name for name, share in shares.items() if share]
    ends = accumulate(shares[name] for name in names)
    return next((name for name, end in zip(names, ends, strict=True) if place < end), names[-1])


def _place(value: Any, seed: int | str) -> int:
    text = f"{seed} {fingerprint(value)}"
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest(), "big")


# -- parts of exact sizes --------------------------------------------------------------------------


def _stratum(project: Project, stratify: str | Place) -> ItemKey | Callable[[Task], Any]:
    """Return the key, or what gives the answer of a task to the control."""
    if isinstance(stratify, Place) or stratify.partition(".")[0] in ("data", "meta"):
        return ItemKey.of(project.tasks, stratify)
    control = project.config[stratify].name
    newest: dict[int | None, tuple[int, str]] = {}
    for one in project.annotations.only("task", "result", "was_cancelled").iterator():
        if not one.was_cancelled and newest.get(one.task_id, (0,))[0] < one.id:
            found = {digest(value) for value in values_of(one.result, project.config, control)}
            newest[one.task_id] = one.id, digest(sorted(found))
    return lambda task: newest.get(task.id, (0, None))[1]


def _dealt(
    tasks: Tasks,
    listed: Sequence[Task],
    shares: Mapping[str, float],
    key: ItemKey | None,
    seed: int | str,
    stratum: ItemKey | Callable[[Task], Any] | None,
) -> NamePart:
    """Deal the tasks, or the values of the key, out to the parts, one stratum after the other."""
    strata: defaultdict[str | None, dict[str | None, int]] = defaultdict(dict)
    known: set[str | None] = set()
    for task in listed:
        value = _hashed(tasks, key, task)
        name = fingerprint(value)
        if name not in known:
            known.add(name)
            of = stratum.way.value if isinstance(stratum, ItemKey) else stratum
            strata[None if of is None else fingerprint(of(task))][name] = _place(value, seed)
    order = [
        name
        for _, some in sorted(strata.items(), key=lambda pair: pair[0] or "")
        for name in sorted(some, key=lambda name: (some[name], name))
    ]
    dealt = dict(zip(order, _turns(shares, len(order)), strict=True))
    return lambda task: dealt[fingerprint(_hashed(tasks, key, task))]


def _turns(shares: Mapping[str, float], number: int) -> Iterator[str]:
    """Yield whose turn it is so that after each turn every part has its share, within one.

    This is the quota method of Balinski and Young (1974), in whole numbers.
    """
    exact = {name: Fraction(str(float(share))) for name, share in shares.items() if share}
    scale = math.lcm(*(share.denominator for share in exact.values()))
    weights = {name: int(share * scale) for name, share in exact.items()}
    total, given = sum(weights.values()), dict.fromkeys(weights, 0)
    for turn in range(1, number + 1):
        open_to = (name for name in weights if given[name] * total < weights[name] * turn)
        name = max(open_to, key=lambda name: weights[name] / (given[name] + 1))
        given[name] += 1
        yield name


@attrs.define
class _Part:
    ids: list[int] = attrs.field(factory=list)
    new: list[int] = attrs.field(factory=list)
    """Tasks that do not have its name yet."""
    refused: list[Failure] = attrs.field(factory=list)
    """Tasks that cannot have it: other programs have left a list or a text in its place."""


def _parts(
    tasks: Iterable[Task], name_part: NamePart, where: ItemKey | None
) -> tuple[dict[str, _Part], int]:
    """Return the parts, in the order of their names, and the number of tasks in no part."""
    found: dict[str, _Part] = {}
    left = 0
    for task in tasks:
        name = name_part(task)
        if name is None:
            left += 1
            continue
        if not isinstance(name, str) or not name:
            raise TypeError(f"split(): the part of {task!r} is {name!r:.80}, and names are strings")
        part = found.setdefault(name, _Part())
        part.ids.append(task.id)
        if where is not None and (problem := _no_keys(task, where)) is not None:
            part.refused.append(Failure(task.id, task, problem))
        elif where is not None and not same(where.way.value(task), name):
            part.new.append(task.id)
    return dict(sorted(found.items())), left


def _no_keys(task: Task, where: ItemKey) -> str | None:
    """Return why a key of a task cannot be set, or None."""
    name, value = where.way.field.name, getattr(task, where.way.field.name)
    for key in where.way.path:
        if value is None and name != "data":
            return None
        if not isinstance(value, dict):
            return f"{name} is {value!r:.80}, which has no keys"
        name, value = key, value.get(key)
    return None


# -- into a key -----------------------------------------------------------------------------------


def _set_parts(
    project: Project,
    parts: Mapping[str, _Part],
    where: ItemKey,
    workers: int | None,
    progress: Progress,
) -> Split:
    total = sum(len(part.ids) for part in parts.values())
    tally = BulkRun(client_of(project), f"splitting {project!r}", progress=progress, total=total)
    tally.failed = [failure for part in parts.values() for failure in part.refused]
    tally.skipped = total - len(tally.failed) - sum(len(part.new) for part in parts.values())
    with tally:
        for name, part in parts.items():
            for ids in chunked(part.new, BATCH):
                done = _mark(project, ids, where, name, workers)
                tally.updated += done
                tally.skipped += len(ids) - done  # deleted meanwhile
                tally.report()
    return Split(
        what=f"split of {project!r} into {where}",
        counts={"tasks": tally.summary()},
        target=project,
        parts={name: len(part.ids) for name, part in parts.items()},
    )


def _mark(
    project: Project, ids: Sequence[int], where: ItemKey, name: str, workers: int | None
) -> int:
    tasks = project.tasks.filter(id__in=list(ids))
    if where.way.field.name == "data" and len(where.way.path) == 1:
        try:
            tasks.perform(
                "add_data_field", value_name=where.way.path[0], value_type="String", value=name
            )
            return len(ids)
        except ValueError:  # the server has no such action
            pass
    value: dict[str, Any] = {where.lookup: name}
    return tasks.update(workers=workers, **value).updated


# -- into projects --------------------------------------------------------------------------------


class _PartSource(LiveSource):
    """Some tasks of a project, as a source."""

    def __init__(self, project: Project, ids: Sequence[int]) -> None:
        super().__init__(project)
        self.ids = sorted(ids)

    def describe(self) -> Row:
        return {**super().describe(), "tasks": len(self.ids)}

    def tasks(self, after: int | None = None) -> Iterator[Row]:
        left = self.ids if after is None else [id for id in self.ids if id > after]
        for chunk in chunked(left, CHUNK):
            yield from self.some_tasks(chunk)

    def task_ids(self) -> Iterator[int]:
        return iter(self.ids)

    def related(self, kind: str) -> Iterator[Row]:
        """Yield the objects of a kind; of the files those that these tasks name."""
        rows = super().related(kind)
        if kind != "files":
            return rows
        named = {file for row in self.tasks() for file in files_of(row, self.client.url)}
        return (row for row in rows if row["file"] in named)


def _description(by: By) -> str:
    """Return how the tasks are split, for a journal; the order of shares counts."""
    if isinstance(by, Mapping):
        return str({name: float(share) for name, share in by.items()})
    if isinstance(by, (str, Place)):
        return text_of(by)
    return f"function {getattr(by, '__qualname__', type(by))}"


def _copy(
    project: Project,
    parts: Mapping[str, _Part],
    into: LabelStudio,
    journal: str | os.PathLike[str] | None,
    how: Mapping[str, Any],
    missing_users: MissingUsers,
    progress: Progress,
) -> Split:
    """Copy the parts; the folder of the journals has also one of ``how`` the tasks are split."""
    folder = None if journal is None else Path(journal)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with open_journal(folder and folder / JOURNAL, writes=not into.is_dry) as notes:
        source = f"{labelstudio_of(project).url} project {project.id}"
        notes.identify(what="split", source=source, target=into.url, **how)
        reports = {
            name: copy_project(
                _PartSource(project, part.ids),
                into,
                title=f"{project.title}: {name}"[:50],
                journal=folder and folder / f"{_file_name(name)}.db",
                missing_users=missing_users,
                storages=False,
                progress=progress,
            )
            for name, part in parts.items()
        }
    lost: dict[tuple[str, str, str], Loss] = {}
    for one in (one for report in reports.values() for one in report.losses):
        before = lost.get((one.kind, one.field, one.why), attrs.evolve(one, count=0, ids=()))
        ids = (*before.ids, *one.ids)
        lost[one.kind, one.field, one.why] = attrs.evolve(
            before, count=before.count + one.count, ids=ids
        )
    return Split(
        what=f"split of {project!r} into projects on {into.url}",
        counts={
            f"{name}: {kind}": done
            for name, report in reports.items()
            for kind, done in report.counts.items()
        },
        differences=[one for report in reports.values() for one in report.differences],
        losses=lost.values(),
        different=sum(report.different for report in reports.values()),
        parts={name: len(part.ids) for name, part in parts.items()},
        projects={
            name: report.target for name, report in reports.items() if report.target is not None
        },
    )


def _file_name(part: str) -> str:
    """Return a file name for any text, different for different texts."""
    return f"{re.sub(r'[^a-zA-Z0-9-]', '_', part)[:40]}-{digest(part)[:8]}"
