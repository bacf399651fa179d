"""A whole project as one file, and back: the format is in ``docs/snapshot-format.md``."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
import zipfile
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import attrs

from ..._engine.pages.sources import chunked
from ..._engine.values.files import whole_file
from ..._engine.values.summary import Failure, Summary
from ..._reports import Loss, Report
from ...errors import LabelStudioError
from ...progress import Progress, ends_line, reporter
from ...resources.files import upload_path
from ..engine.contents import fetch
from ..engine.fingerprints import SECRETS, SETTINGS, without_secrets
from ..engine.snapshot_form import (
    FORMAT,
    LISTS,
    MANIFEST,
    ROWS,
    SETTINGS_FORM,
    TASK,
    TASK_PARTS,
    VERSION,
    misfit,
)
from ..engine.source import as_source
from ..engine.uploads import files_of
from ..engine.zipped import LIMITS, BadSnapshot, Limits, Members
from .copying import copy_project
from .verifying import name_of

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..._engine.values.codec import Row
    from ...client import LabelStudio
    from ...resources.projects import Project
    from ..engine.snapshot_form import Form
    from ..engine.source import Source

CHUNK: Final = 1000
"""Tasks in one member of the archive."""

SPOOL: Final = 8 << 20
"""Bytes of a file that are held in memory; larger ones are on the disk for a moment."""


def snapshot(
    project: Project | Source,
    path: str | os.PathLike[str],
    *,
    files: bool = True,
    limits: Limits = LIMITS,
    progress: Progress = None,
) -> Report:
    """Write a whole project into one file: settings, tasks with annotations, predictions and
    drafts, views, webhooks, storages, ML backends, and the uploaded ``files``, also those that only
    a task speaks of. Nothing is written to the server.

    The file is a zip of JSON lines and media; ``restore`` makes a project of it, on any server, and
    ``ArchiveSource`` reads it wherever a project can be read from: ``verify(project,
    ArchiveSource(path))`` says what has changed since. It appears under its name only when it is
    complete and was read again, in the place of another one, and only its owner can read it. No
    secrets are in it: keys and passwords of storages and ML backends, headers of webhooks, the
    password for task data. E-mail addresses of the annotators are.

    Tasks and files are streamed; of each file its name is held in memory. Each task is as of when
    it was read. ``progress``: True for a line on stderr, or a function ``(done, total)`` of tasks.
    ``limits``: what it may hold to be read again. A file that the server does not give is among the
    failures in ``counts["files"]``.

    Raises OSError with the path, before it reads anything, if it could not write there, and for a
    disk that is full; BadSnapshot for a task that no snapshot can hold (nested more deeply than the
    limits allow, with numbers that JSON does not have). Then there is no file, or the one before.

    >>> report = snapshot(project, "reviews.zip", progress=True)
    >>> print(report.counts["tasks"])
    4
    """
    source = as_source(project)
    with whole_file(path) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            report = _Writing(source, archive, files, progress).run()
        file.flush()
        with ArchiveSource(file.name, limits=limits) as written:
            written.path = written._members.path = Path(path)  # which messages name
            written.check()
    return report


def restore(
    path: str | os.PathLike[str],
    client: LabelStudio,
    *,
    limits: Limits = LIMITS,
    **options: Any,
) -> Report:
    """Make a project of a snapshot, on any server; the report's ``target`` is the project.

    ``options`` are those of ``copy_project``, of which this is one: ``title``, ``journal`` (with
    which it can be run again after it died), ``missing_users``, ``secrets`` for the keys of
    storages and the passwords of ML backends, ``progress`` ... The file is read as a whole first;
    in the end both are compared. ``limits``: what it may hold; see ``Limits``.

    Raises BadSnapshot for a file that is none, or is damaged or edited, or holds more than the
    limits allow, before anything is written; and the errors of ``copy_project``.

    >>> report = restore("reviews.zip", ls, title="Reviews again", missing_users="create")
    >>> report.target
    <Project 2 'Reviews again'>
    """
    with ArchiveSource(path, limits=limits) as source:
        report = copy_project(source, client, **options)
        lost = _losses(source.manifest["secrets"])
        what = f"restoring {os.fspath(path)} as {report.target!r} on {client.url}"
        return attrs.evolve(report, what=what, losses=(*report.losses, *lost))


def _losses(
    secrets: Mapping[str, int], ids: Mapping[str, Sequence[int]] = MappingProxyType({})
) -> Iterator[Loss]:
    why = "a snapshot has no secrets; set it anew where it is restored"
    for name, number in secrets.items():
        kind, _, field = name.partition(".")
        yield Loss(kind, field, number, why, ids=ids.get(name, ()))


# -- writing --------------------------------------------------------------------------------------


@attrs.frozen
class _Chunk:
    """A member with some tasks: its name, how many they are, and the ids of the first and last."""

    name: str
    tasks: int
    first: int
    last: int


class _Writing:
    """One snapshot."""

    def __init__(
        self, source: Source, archive: zipfile.ZipFile, files: bool, progress: Progress
    ) -> None:
        self.source, self.archive, self.files = source, archive, files
        self.about = source.describe()
        self.counts: Counter[str] = Counter()
        self.lost: defaultdict[str, list[int]] = defaultdict(list)
        self.failed: list[Failure] = []
        self.progress = reporter(progress, f"writing {name_of(self.about)}")

    @ends_line("progress")
    def run(self) -> Report:
        self._write_json("settings.json", self._without("settings", self.source.settings()))
        chunks, mentioned = self._tasks()
        for kind in LISTS:
            self._lines(kind, getattr(self.source, kind)())
        if self.files:
            self._media(mentioned)
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "created_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            **{name: self.about[name] for name in ("server", "project", "title")},
            "counts": dict(self.counts),
            "secrets": {name: len(ids) for name, ids in self.lost.items()},
            "tasks": [attrs.asdict(chunk) for chunk in chunks],
            "unskippable": sorted(self.source.unskippable()),
        }
        self._write_json("manifest.json", manifest)
        return Report(
            what=f"snapshot of {name_of(self.about)}",
            counts={
                kind: Summary(created=number, failed=self.failed if kind == "files" else ())
                for kind, number in self.counts.items()
            },
            losses=_losses(manifest["secrets"], self.lost),
        )

    def _write_json(self, name: str, value: Any) -> None:
        self.archive.writestr(name, json.dumps(value, indent=1))

    def _tasks(self) -> tuple[list[_Chunk], set[str]]:
        """The members with tasks, and the files that the tasks speak of."""
        chunks: list[_Chunk] = []
        mentioned: set[str] = set()
        self.counts.update(dict.fromkeys(("tasks", "annotations", "predictions", "drafts"), 0))
        for rows in chunked(self.source.tasks(), CHUNK):
            name = f"tasks/{len(chunks):06}.jsonl"
            self._write_lines(name, rows)
            chunks.append(_Chunk(name, len(rows), rows[0]["id"], rows[-1]["id"]))
            for row in rows:
                mentioned |= files_of(row, self.about["server"])
                for kind in ("annotations", "predictions", "drafts"):
                    self.counts[kind] += len(row[kind])
            self.counts["tasks"] += len(rows)
            self.progress(self.counts["tasks"], self.about["tasks"])
        self.progress(self.counts["tasks"], self.counts["tasks"])
        return chunks, mentioned

    def _lines(self, kind: str, rows: Iterable[Row]) -> None:
        known = [self._without(kind, row) for row in rows]
        self._write_lines(f"{kind}.jsonl", known)
        self.counts[kind] = len(known)

    def _write_lines(self, name: str, rows: Iterable[Row]) -> None:
        with self.archive.open(name, "w", force_zip64=True) as member:
            for row in rows:
                member.write(json.dumps(row).encode() + b"\n")

    def _without(self, kind: str, row: Row) -> Row:
        for name in SECRETS.get(kind, ()):
            if row.get(name):
                self.lost[f"{kind}.{name}"].append(
                    row["id"] if "id" in row else self.about["project"]
                )
        return without_secrets(kind, row)

    def _media(self, mentioned: set[str]) -> None:
        """The bytes of the files, as they are: most are compressed already."""
        rows = {row["file"]: row for row in self.source.files()}
        written = []
        for file in sorted(rows.keys() | mentioned):
            with tempfile.SpooledTemporaryFile(SPOOL) as content:
                size = rows.get(file, {}).get("size")
                try:
                    fetch(self.source, file, cast(BinaryIO, content), size)
                except (LabelStudioError, ValueError) as error:
                    self.failed.append(Failure(len(self.failed), file, str(error)))
                    continue
                size = content.tell()
                content.seek(0)
                member = zipfile.ZipInfo(f"files/{file}", time.localtime()[:6])
                with self.archive.open(member, "w", force_zip64=True) as copy:
                    shutil.copyfileobj(content, copy)
            written.append({"id": None, **rows.get(file, {}), "file": file, "size": size})
        self._write_lines("files.jsonl", written)
        self.counts["files"] = len(written)


# -- reading --------------------------------------------------------------------------------------


class ArchiveSource:
    """A snapshot, as a project to read from: for ``copy_project``, ``verify`` and ``merge``, which
    read all of it first, and raise BadSnapshot where anything in it is not as it was written.

    A context manager; ``close()`` lets go of the file. Tasks are read as they are asked for, a
    thousand at once. ``limits``: what it may hold; see ``Limits``. Raises BadSnapshot where the
    file is none, or is damaged.

    >>> report = snapshot(project, "reviews.zip")
    >>> with ArchiveSource("reviews.zip") as source:
    ...     print(source.describe()["title"], sum(1 for task in source.tasks()))
    Reviews 4
    """

    def __init__(self, path: str | os.PathLike[str], *, limits: Limits = LIMITS) -> None:
        self.path = Path(path)
        self._members = Members(self.path, limits)
        self._authors: set[str] | None = None
        try:
            self.manifest: Row = self._manifest()
        except BaseException:
            self.close()
            raise
        fields = [field.name for field in attrs.fields(_Chunk)]
        self._chunks = [
            _Chunk(**{name: chunk[name] for name in fields}) for chunk in self.manifest["tasks"]
        ]

    def _manifest(self) -> Row:
        """What says what this is, if that is a snapshot."""
        if "manifest.json" not in self._members.names:
            raise BadSnapshot(f"{self.path} is no snapshot: it has no manifest.json")
        found = self._members.json("manifest.json")
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise BadSnapshot(f"{self.path} is no snapshot: its manifest does not say so")
        version = found.get("version")
        if type(version) is not int or version < 1:
            raise self._members.bad("manifest.json", f"its version is {version!r:.80}")
        if version > VERSION:
            raise BadSnapshot(
                f"{self.path} is of version {version} of the format; this version of the library "
                f"reads up to {VERSION}: use a newer one"
            )
        if (problem := misfit(found, MANIFEST)) is not None:
            raise self._members.bad("manifest.json", problem)
        return found

    def __repr__(self) -> str:
        return f"<ArchiveSource {str(self.path)!r}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._members.close()

    def describe(self) -> Row:
        """See ``Source``; the project's id is told with the date of the snapshot."""
        about = {"server": self.manifest["server"], "title": self.manifest["title"] or ""}
        project = f"{self.manifest['project']} as of {self.manifest['created_at']}"
        return {**about, "project": project, "tasks": sum(chunk.tasks for chunk in self._chunks)}

    def settings(self) -> Row:
        """See ``Source``; without its secrets."""
        return {**dict.fromkeys(SETTINGS), **self._members.json("settings.json")}

    def tasks(self, after: int | None = None) -> Iterator[Row]:
        """See ``Source``."""
        for chunk in self._chunks:
            if after is None or chunk.last > after:
                rows = self._members.lines(chunk.name)
                yield from (row for row in rows if after is None or row["id"] > after)

    def some_tasks(self, ids: Iterable[int]) -> Iterator[Row]:
        """See ``Source``."""
        wanted = sorted(set(ids))
        for chunk in self._chunks:
            here = set(wanted[bisect_left(wanted, chunk.first) : bisect_right(wanted, chunk.last)])
            if here:
                rows = self._members.lines(chunk.name)
                yield from (row for row in rows if row["id"] in here)

    def task_ids(self) -> Iterator[int]:
        """See ``Source``."""
        return (row["id"] for row in self.tasks())

    def unskippable(self) -> frozenset[int]:
        """See ``Source``."""
        return frozenset(self.manifest.get("unskippable", ()))

    def views(self) -> Iterator[Row]:
        """See ``Source``."""
        return self._members.lines("views.jsonl")

    def webhooks(self) -> Iterator[Row]:
        """See ``Source``; without headers."""
        return (
            {**dict.fromkeys(SECRETS["webhooks"]), **row}
            for row in self._members.lines("webhooks.jsonl")
        )

    def storages(self) -> Iterator[Row]:
        """See ``Source``."""
        return self._members.lines("storages.jsonl")

    def backends(self) -> Iterator[Row]:
        """See ``Source``."""
        return self._members.lines("backends.jsonl")

    @property
    def has_files(self) -> bool:
        """Whether it was made with the uploaded files."""
        return "files" in self.manifest["counts"]

    def files(self) -> Iterator[Row]:
        """See ``Source``."""
        return self._members.lines("files.jsonl") if self.has_files else iter(())

    def open_file(self, file: str) -> AbstractContextManager[BinaryIO]:
        """See ``Source``."""
        path = upload_path(file) or file
        return cast("AbstractContextManager[BinaryIO]", self._members.open(f"files/{path}"))

    def users(self) -> Iterator[Row]:
        """See ``Source``; after those that are listed, the authors that only annotations name."""
        listed = set()
        for row in self._members.lines("users.jsonl"):
            listed.add(row["email"])
            yield row
        for email in sorted((self._authors or set()) - listed):
            yield {"email": email}

    # -- all of it --------------------------------------------------------------------------------

    def check(self) -> None:
        """Read all of it, once, and raise BadSnapshot unless everything that the manifest tells of
        is there, and as it should be.
        """
        if self._authors is not None:
            return
        counts: Counter[str] = Counter()
        authors: set[str] = set()
        self._must_fit("settings.json", self._members.json("settings.json"), SETTINGS_FORM)
        self._check_tasks(counts, authors)
        read = {"manifest.json", "settings.json", *(chunk.name for chunk in self._chunks)}
        for kind in (*LISTS, *(("files",) if self.has_files else ())):
            counts[kind] = self._check_rows(kind)
            read.add(f"{kind}.jsonl")
        for kind, number in counts.items():
            told = self.manifest["counts"].get(kind)
            if told != number:
                raise self._members.bad("manifest.json", f"it tells of {told} {kind} of {number}")
        for name in self._members.names:
            if name not in read:
                self._members.read_through(name)
        self._authors = authors

    def _must_fit(self, place: str, row: Any, form: Form) -> None:
        if (problem := misfit(row, form)) is not None:
            raise self._members.bad(place, problem)

    def _check_tasks(self, counts: Counter[str], authors: set[str]) -> None:
        """All tasks: their form, their order, and how many there are."""
        counts.update(dict.fromkeys(("tasks", *TASK_PARTS), 0))
        last, names = -1, set()
        for chunk in self._chunks:
            if chunk.name in names:
                raise self._members.bad("manifest.json", f"it tells of {chunk.name} twice")
            names.add(chunk.name)
            ids = []
            for number, row in enumerate(self._members.lines(chunk.name), 1):
                place = f"{chunk.name}, line {number}"
                self._must_fit(place, row, TASK)
                if row["id"] <= last:
                    raise self._members.bad(place, f"task {row['id']} comes after task {last}")
                last = row["id"]
                ids.append(last)
                authors.update(one["completed_by"] or "" for one in row["annotations"])
                for kind in TASK_PARTS:
                    counts[kind] += len(row[kind])
            found = len(ids), *(ids[:1] + ids[-1:] or (chunk.first, chunk.last))
            if not ids or found != (chunk.tasks, chunk.first, chunk.last):
                raise self._members.bad(chunk.name, "it lacks tasks, or has other ones")
            counts["tasks"] += len(ids)
        authors.discard("")

    def _check_rows(self, kind: str) -> int:
        """The rows of a member, each once; how many they are."""
        name, key = f"{kind}.jsonl", _KEYS.get(kind, ("id",))
        seen: set[tuple[Any, ...]] = set()
        for number, row in enumerate(self._members.lines(name), 1):
            place = f"{name}, line {number}"
            self._must_fit(place, row, ROWS[kind])
            which = tuple(row[name] for name in key)
            if which in seen:
                raise self._members.bad(place, f"{which[-1]!r:.80} is there twice")
            seen.add(which)
            if kind == "files" and self._members.size(f"files/{row['file']}") != row["size"]:
                raise self._members.bad(place, f"files/{row['file']} is not there, or not as long")
        return len(seen)


_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "users": ("email",),
    "storages": ("family", "type", "id"),
    "files": ("file",),
}
"""What tells rows of a member apart, beside ids."""
