"""Snapshots: a whole project as one file, and back; see ``docs/snapshot-format.md``."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
import zipfile
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
from ..engine.archived import ArchiveSource
from ..engine.files import fetch
from ..engine.fingerprints import CONTENTS, SECRET_SETTINGS
from ..engine.kinds import KINDS
from ..engine.remap import files_of
from ..engine.snapshot_form import FORMAT, VERSION
from ..engine.source import as_source, name_of
from ..engine.zipped import LIMITS, Limits
from .copying import copy_project

if TYPE_CHECKING:
    from ..._engine.values.codec import Row
    from ...client import LabelStudio
    from ...resources.projects import Project
    from ..engine.kinds import Kind
    from ..engine.source import Source

CHUNK: Final = 1000
"""Tasks in one member of the archive."""

SPOOL: Final = 8 << 20
"""Bytes of a file that are held in memory; a larger one is spooled to the disk."""


def snapshot(
    project: Project | Source,
    path: str | os.PathLike[str],
    *,
    files: bool = True,
    limits: Limits = LIMITS,
    progress: Progress = None,
) -> Report:
    """Write a whole project into one file. Nothing is written to the server.

    The file has the settings, the tasks with annotations, predictions and drafts, the views,
    webhooks, storages and ML backends, and the uploaded ``files``, also those that only a task
    names. ``restore`` makes a project of it, on any server, and ``ArchiveSource`` reads it wherever
    a project can be read from: ``verify(project, ArchiveSource(path))`` reports what has changed
    since.

    The file is a zip of JSON lines and media. It appears under its name only when it is complete
    and has been read again, replaces an earlier one, and only its owner can read it. It has no
    secrets: no keys and passwords of storages and ML backends, headers of webhooks, or password for
    task data. It has the e-mail addresses of the annotators.

    Tasks and files are streamed; of each file its name is held in memory. Each task is as of when
    it was read. ``progress``: True for a line on stderr, or a function ``(done, total)`` of tasks.
    ``limits``: what the file may hold to be read again. A file that the server does not return is
    among the failures in ``counts["files"]``.

    Raises OSError with the path, before it reads anything, if it could not write there, and for a
    disk that is full; BadSnapshot for a task that no snapshot can hold (nested more deeply than the
    limits allow, with numbers that JSON does not have). The path then has no file, or the earlier
    one.

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
            written.path = Path(path)  # which messages name
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

    ``options`` are those of ``copy_project``: ``title``, ``journal`` (with which it can be run
    again after it was killed), ``missing_users``, ``secrets`` for the keys of storages and the
    passwords of ML backends, ``progress`` ... The file is checked as a whole first; in the end the
    project is compared with it. ``limits``: what the file may hold; see ``Limits``.

    Raises BadSnapshot for a file that is not a snapshot, is damaged or edited, or exceeds the
    limits, before anything is written; and the errors of ``copy_project``.

    >>> saved = snapshot(project, "reviews.zip")
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
    why = "a snapshot has no secrets; set it again in the restored project"
    for name, number in secrets.items():
        kind, _, field = name.partition(".")
        yield Loss(kind, field, number, why, ids=ids.get(name, ()))


# -- writing --------------------------------------------------------------------------------------


class _Writing:
    """A snapshot that is being written."""

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
        settings = self.source.settings()
        settings = self._without(SECRET_SETTINGS, "settings", self.about["project"], settings)
        self._write_json("settings.json", settings)
        chunks, named = self._tasks()
        self.counts["users"] = self._write_lines("users.jsonl", self.source.users())
        for kind in KINDS.values():
            if not kind.is_uploaded:
                self.counts[kind.name] = self._write_lines(f"{kind.name}.jsonl", self._rows(kind))
        if self.files:
            self._media(named)
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "created_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            **{name: self.about[name] for name in ("server", "project", "title")},
            "counts": dict(self.counts),
            "secrets": {name: len(ids) for name, ids in self.lost.items()},
            "tasks": chunks,
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

    def _tasks(self) -> tuple[list[Row], set[str]]:
        """Write the tasks; return their members, and the files that they name."""
        chunks: list[Row] = []
        named: set[str] = set()
        self.counts.update(dict.fromkeys(("tasks", *CONTENTS), 0))
        for rows in chunked(self.source.tasks(), CHUNK):
            name = f"tasks/{len(chunks):06}.jsonl"
            self._write_lines(name, rows)
            ends = {"first": rows[0]["id"], "last": rows[-1]["id"]}
            chunks.append({"name": name, "tasks": len(rows), **ends})
            for row in rows:
                named |= files_of(row, self.about["server"])
                for kind in CONTENTS:
                    self.counts[kind] += len(row[kind])
            self.counts["tasks"] += len(rows)
            self.progress(self.counts["tasks"], self.about["tasks"])
        self.progress(self.counts["tasks"], self.counts["tasks"])
        return chunks, named

    def _write_lines(self, name: str, rows: Iterable[Row]) -> int:
        """Write rows into a member; return their number."""
        written = 0
        with self.archive.open(name, "w", force_zip64=True) as member:
            for row in rows:
                member.write(json.dumps(row).encode() + b"\n")
                written += 1
        return written

    def _rows(self, kind: Kind) -> Iterator[Row]:
        for row in self.source.related(kind.name):
            yield self._without(kind.hidden, kind.name, row["id"], row)

    def _without(self, secrets: Collection[str], kind: str, id: int, row: Row) -> Row:
        """Return a row without its secrets, and record which of them are lost by that."""
        for name in secrets:
            if row.get(name):
                self.lost[f"{kind}.{name}"].append(id)
        return {name: value for name, value in row.items() if name not in secrets}

    def _media(self, named: set[str]) -> None:
        """Write the files uncompressed, since most of them are compressed already."""
        rows = {row["file"]: row for row in self.source.related("files")}
        written = []
        for file in sorted(rows.keys() | named):
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
        self.counts["files"] = self._write_lines("files.jsonl", written)
