"""A whole project as one file, and back: the format is in ``docs/snapshot-format.md``."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
import zipfile
import zlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final, cast

import attrs

from ..bulk.summary import Failure, Summary
from ..errors import LabelStudioError
from ..paging.pages import chunked
from ..progress import Progress, ends_line, reporter
from .content import SECRETS, without_secrets
from .contents import fetch
from .copying import copy_project
from .report import Loss, Report
from .source import as_source
from .uploads import files_of
from .verifying import name_of

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..client import LabelStudio
    from ..resources.projects import Project
    from .source import Row, Source

FORMAT: Final = "labelstudio_orm snapshot"
VERSION: Final = 1
"""Of the format; what only a newer version of this library can read has a higher one."""

CHUNK: Final = 1000
"""Tasks in one member of the archive."""

SPOOL: Final = 8 << 20
"""Bytes of a file that are held in memory; larger ones are on the disk for a moment."""

LISTS: Final = ("users", "views", "webhooks", "storages", "backends")
"""What a project has beside tasks and files, each in a member of its own."""


class BadSnapshot(LabelStudioError, ValueError):
    """The file is no snapshot, or a damaged one, or of a version that is not known here."""


def snapshot(
    project: Project | Source,
    path: str | os.PathLike[str],
    *,
    files: bool = True,
    progress: Progress = None,
) -> Report:
    """Write a whole project into one file: settings, tasks with annotations, predictions and
    drafts, views, webhooks, storages, ML backends, and the uploaded ``files``, also those that only
    a task speaks of. Nothing is written to the server.

    The file is a zip of JSON lines and media; ``restore`` makes a project of it, on any server, and
    ``ArchiveSource`` reads it wherever a project can be read from: ``verify(project,
    ArchiveSource(path))`` says what has changed since. It appears under its name only when it is
    complete, in the place of another one; meanwhile it is ``<name>.part``. No secrets are in it:
    keys and passwords of storages and ML backends, headers of webhooks, the password for task data.
    E-mail addresses of the annotators are.

    Tasks and files are streamed; of each file its name is held in memory. Each task is as of when
    it was read. ``progress``: True for a line on stderr, or a function ``(done, total)`` of tasks.
    A file that the server does not give is among the failures in ``counts["files"]``. Raises
    OSError before it reads anything, if it could not write there.

    >>> report = snapshot(project, "reviews.zip", progress=True)
    >>> print(report.counts["tasks"])
    4
    """
    source, target = as_source(project), Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"a snapshot is one file, and {target} is a folder")
    part = target.with_name(target.name + ".part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            report = _Writing(source, archive, files, progress).run()
        with ArchiveSource(part) as written:
            written.check()
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return report


def restore(path: str | os.PathLike[str], client: LabelStudio, **options: Any) -> Report:
    """Make a project of a snapshot, on any server; the report's ``target`` is the project.

    ``options`` are those of ``copy_project``, of which this is one: ``title``, ``journal`` (with
    which it can be run again after it died), ``missing_users``, ``secrets`` for the keys of
    storages and the passwords of ML backends, ``progress`` ... The file is read as a whole first;
    in the end both are compared.

    Raises BadSnapshot for a file that is none, or is damaged, before anything is written; and the
    errors of ``copy_project``.

    >>> report = restore("reviews.zip", ls, title="Reviews again", missing_users="create")
    >>> report.target
    <Project 2 'Reviews again'>
    """
    with ArchiveSource(path) as source:
        source.check()
        report = copy_project(source, client, **options)
        lost = _losses(source.manifest["secrets"])
        what = f"restoring {os.fspath(path)} as {report.target!r} on {client.url}"
        return attrs.evolve(report, what=what, losses=(*report.losses, *lost))


def _losses(secrets: Mapping[str, int]) -> Iterator[Loss]:
    for name, number in secrets.items():
        kind, _, field = name.partition(".")
        yield Loss(
            kind, field, number, "a snapshot has no secrets; set it anew where it is restored"
        )


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
        self.lost: dict[str, int] = {}
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
            "secrets": self.lost,
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
            losses=_losses(self.lost),
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
                self.lost[f"{kind}.{name}"] = self.lost.get(f"{kind}.{name}", 0) + 1
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
    """A snapshot, as a project to read from: for ``copy_project``, ``verify`` and ``merge``.

    A context manager; ``close()`` lets go of the file. Tasks are read as they are asked for, a
    thousand at once. Raises BadSnapshot where the file is none, or is damaged.

    >>> report = snapshot(project, "reviews.zip")
    >>> with ArchiveSource("reviews.zip") as source:
    ...     print(source.describe()["title"], sum(1 for task in source.tasks()))
    Reviews 4
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            self._zip = zipfile.ZipFile(self.path)
            try:
                if "manifest.json" not in self._zip.namelist():
                    raise BadSnapshot(f"{self.path} is no snapshot: it has no manifest.json")
                self.manifest: Row = self._json("manifest.json")
                self._check_version()
            except BaseException:
                self._zip.close()
                raise
        except zipfile.BadZipFile as error:
            raise BadSnapshot(f"{self.path} is no snapshot: {error}") from error
        self._chunks = [_Chunk(**chunk) for chunk in self.manifest["tasks"]]

    def _check_version(self) -> None:
        if not isinstance(self.manifest, dict) or self.manifest.get("format") != FORMAT:
            raise BadSnapshot(f"{self.path} is no snapshot: its manifest does not say so")
        if self.manifest["version"] > VERSION:
            raise BadSnapshot(
                f"{self.path} is of version {self.manifest['version']} of the format; this version "
                f"of the library reads up to {VERSION}: use a newer one"
            )

    def __repr__(self) -> str:
        return f"<ArchiveSource {str(self.path)!r}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._zip.close()

    def describe(self) -> Row:
        """See ``Source``; the project's id is told with the date of the snapshot."""
        about = {name: self.manifest[name] for name in ("server", "title")}
        project = f"{self.manifest['project']} as of {self.manifest['created_at']}"
        return {**about, "project": project, "tasks": self.manifest["counts"]["tasks"]}

    def settings(self) -> Row:
        """See ``Source``; without its secrets."""
        return {**dict.fromkeys(SECRETS["settings"]), **self._json("settings.json")}

    def tasks(self, after: int | None = None) -> Iterator[Row]:
        """See ``Source``."""
        for chunk in self._chunks:
            if after is None or chunk.last > after:
                rows = self._lines(chunk.name)
                yield from (row for row in rows if after is None or row["id"] > after)

    def some_tasks(self, ids: Iterable[int]) -> Iterator[Row]:
        """See ``Source``."""
        wanted = sorted(set(ids))
        for chunk in self._chunks:
            here = set(wanted[bisect_left(wanted, chunk.first) : bisect_right(wanted, chunk.last)])
            if here:
                yield from (row for row in self._lines(chunk.name) if row["id"] in here)

    def task_ids(self) -> Iterator[int]:
        """See ``Source``."""
        return (row["id"] for row in self.tasks())

    def unskippable(self) -> frozenset[int]:
        """See ``Source``."""
        return frozenset(self.manifest.get("unskippable", ()))

    def views(self) -> Iterator[Row]:
        """See ``Source``."""
        return self._lines("views.jsonl")

    def webhooks(self) -> Iterator[Row]:
        """See ``Source``; without headers."""
        return (
            {**dict.fromkeys(SECRETS["webhooks"]), **row} for row in self._lines("webhooks.jsonl")
        )

    def storages(self) -> Iterator[Row]:
        """See ``Source``."""
        return self._lines("storages.jsonl")

    def backends(self) -> Iterator[Row]:
        """See ``Source``."""
        return self._lines("backends.jsonl")

    @property
    def has_files(self) -> bool:
        """Whether it was made with the uploaded files."""
        return "files" in self.manifest["counts"]

    def files(self) -> Iterator[Row]:
        """See ``Source``."""
        return self._lines("files.jsonl") if self.has_files else iter(())

    def open_file(self, file: str) -> AbstractContextManager[BinaryIO]:
        """See ``Source``."""
        path = file.removeprefix("/").removeprefix("data/")
        return cast("AbstractContextManager[BinaryIO]", self._open(f"files/{path}"))

    def users(self) -> Iterator[Row]:
        """See ``Source``."""
        return self._lines("users.jsonl")

    def check(self) -> None:
        """Read all of it, and raise BadSnapshot unless everything that the manifest tells of is
        there, undamaged.
        """
        with self._damage():
            broken = self._zip.testzip()
        if broken is not None:
            raise BadSnapshot(f"{self.path} is damaged: {broken} is not as it was written")
        for chunk in self._chunks:
            found = [row["id"] for row in self._lines(chunk.name)]
            if (len(found), found[0], found[-1]) != (chunk.tasks, chunk.first, chunk.last):
                raise BadSnapshot(f"{self.path} is damaged: {chunk.name} lacks tasks")

    # -- members ----------------------------------------------------------------------------------

    @contextmanager
    def _damage(self) -> Iterator[None]:
        try:
            yield
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
            raise BadSnapshot(f"{self.path} is damaged: {error}") from error

    def _open(self, name: str) -> IO[bytes]:
        try:
            return self._zip.open(name)
        except KeyError:
            raise BadSnapshot(f"{self.path} has no {name}") from None

    def _json(self, name: str) -> Row:
        with self._damage(), self._open(name) as member:
            found: Row = json.load(member)
        return found

    def _lines(self, name: str) -> Iterator[Row]:
        with self._open(name) as member:
            lines = iter(member)
            while True:
                with self._damage():
                    line = next(lines, None)
                    row: Row | None = None if line is None else json.loads(line)
                if row is None:
                    return
                yield row
