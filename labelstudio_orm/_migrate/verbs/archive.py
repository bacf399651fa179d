"""Snapshots: a whole project as one file, and back; see ``docs/snapshot-format.md``."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
import zipfile
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timezone
from operator import itemgetter
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
from ..engine.fingerprints import CONTENTS, SECRET_SETTINGS, SETTINGS
from ..engine.kinds import KINDS
from ..engine.snapshot_form import (
    FORMAT,
    MANIFEST,
    SETTINGS_FORM,
    TASK,
    USERS,
    VERSION,
    mismatch,
)
from ..engine.source import as_source, name_of
from ..engine.uploads import files_of
from ..engine.zipped import LIMITS, BadSnapshot, Limits, Members
from .copying import copy_project

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..._engine.values.codec import Row
    from ...client import LabelStudio
    from ...resources.projects import Project
    from ..engine.kinds import Kind
    from ..engine.snapshot_form import Form
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


@attrs.frozen
class _Chunk:
    """A member with tasks: its name, their number, and the ids of the first and the last."""

    name: str
    tasks: int
    first: int
    last: int


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
        self._write_json("settings.json", self._shown_settings())
        chunks, named = self._tasks()
        self._rows("users", self.source.users())
        for kind in KINDS.values():
            if not kind.is_uploaded:
                rows = self.source.related(kind.name)
                self._rows(kind.name, (self._shown(kind, row) for row in rows))
        if self.files:
            self._media(named)
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
        """Write the tasks; return their members, and the files that they name."""
        chunks: list[_Chunk] = []
        named: set[str] = set()
        self.counts.update(dict.fromkeys(("tasks", *CONTENTS), 0))
        for rows in chunked(self.source.tasks(), CHUNK):
            name = f"tasks/{len(chunks):06}.jsonl"
            self._write_lines(name, rows)
            chunks.append(_Chunk(name, len(rows), rows[0]["id"], rows[-1]["id"]))
            for row in rows:
                named |= files_of(row, self.about["server"])
                for kind in CONTENTS:
                    self.counts[kind] += len(row[kind])
            self.counts["tasks"] += len(rows)
            self.progress(self.counts["tasks"], self.about["tasks"])
        self.progress(self.counts["tasks"], self.counts["tasks"])
        return chunks, named

    def _rows(self, name: str, rows: Iterable[Row]) -> None:
        known = list(rows)
        self._write_lines(f"{name}.jsonl", known)
        self.counts[name] = len(known)

    def _write_lines(self, name: str, rows: Iterable[Row]) -> None:
        with self.archive.open(name, "w", force_zip64=True) as member:
            for row in rows:
                member.write(json.dumps(row).encode() + b"\n")

    def _shown_settings(self) -> Row:
        settings = self.source.settings()
        for name in SECRET_SETTINGS:
            if settings.pop(name, None):
                self.lost[f"settings.{name}"].append(self.about["project"])
        return settings

    def _shown(self, kind: Kind, row: Row) -> Row:
        for name in kind.hidden:
            if row.get(name):
                self.lost[f"{kind.name}.{name}"].append(row["id"])
        return kind.shown(row)

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
        self._write_lines("files.jsonl", written)
        self.counts["files"] = len(written)


# -- reading --------------------------------------------------------------------------------------


class ArchiveSource:
    """A snapshot as a project to read from, for ``copy_project``, ``verify`` and ``merge``.

    They read all of it first, and raise BadSnapshot if anything in it is not as it was written. A
    context manager; ``close()`` closes the file. Tasks are read on demand, a thousand at once.
    ``limits``: what the file may hold; see ``Limits``. Raises BadSnapshot for a file that is not a
    snapshot, or is damaged.

    >>> report = snapshot(project, "reviews.zip")
    >>> with ArchiveSource("reviews.zip") as source:
    ...     print(source.describe()["title"], sum(1 for task in source.tasks()))
    Reviews 4
    """

    def __init__(self, path: str | os.PathLike[str], *, limits: Limits = LIMITS) -> None:
        self._members = Members(Path(path), limits)
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
        """Return the manifest, if this is a snapshot."""
        if "manifest.json" not in self._members.names:
            raise BadSnapshot(f"{self.path} is not a snapshot: it has no manifest.json")
        found = self._members.json("manifest.json")
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise BadSnapshot(f"{self.path} is not a snapshot: its manifest is of another format")
        version = found.get("version")
        if type(version) is not int or version < 1:
            raise self._members.bad("manifest.json", f"its version is {version!r:.80}")
        if version > VERSION:
            raise BadSnapshot(
                f"{self.path} is of version {version} of the format, and this version of the "
                f"library reads versions up to {VERSION}: use a newer library"
            )
        if (problem := mismatch(found, MANIFEST)) is not None:
            raise self._members.bad("manifest.json", problem)
        return found

    @property
    def path(self) -> Path:
        """The path of the file."""
        return self._members.path

    @path.setter
    def path(self, path: Path) -> None:
        self._members.path = path

    def __repr__(self) -> str:
        return f"<ArchiveSource {str(self.path)!r}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._members.close()

    def describe(self) -> Row:
        """Describe the project; its id comes with the date of the snapshot."""
        about = {"server": self.manifest["server"], "title": self.manifest["title"] or ""}
        project = f"{self.manifest['project']} as of {self.manifest['created_at']}"
        return {**about, "project": project, "tasks": sum(chunk.tasks for chunk in self._chunks)}

    def settings(self) -> Row:
        """Return the settings without the secrets."""
        return {**dict.fromkeys(SETTINGS), **self._members.json("settings.json")}

    def tasks(self, after: int | None = None) -> Iterator[Row]:
        """Stream the tasks by id, those after an id."""
        for chunk in self._chunks:
            if after is None or chunk.last > after:
                rows = self._members.lines(chunk.name)
                yield from (row for row in rows if after is None or row["id"] > after)

    def some_tasks(self, ids: Iterable[int]) -> Iterator[Row]:
        """Yield the tasks of these ids, by id; those that do not exist are left out."""
        wanted = sorted(set(ids))
        for chunk in self._chunks:
            here = set(wanted[bisect_left(wanted, chunk.first) : bisect_right(wanted, chunk.last)])
            if here:
                rows = self._members.lines(chunk.name)
                yield from (row for row in rows if row["id"] in here)

    def task_ids(self) -> Iterator[int]:
        """Yield the ids of all tasks."""
        return (row["id"] for row in self.tasks())

    def unskippable(self) -> frozenset[int]:
        """Return the ids of the tasks that annotators may not skip."""
        return frozenset(self.manifest.get("unskippable", ()))

    def related(self, kind: str) -> Iterator[Row]:
        """Yield the objects of a kind, with None for their hidden fields."""
        if not self._has(kind):
            return
        hidden = dict.fromkeys(KINDS[kind].hidden)
        for row in self._members.lines(f"{kind}.jsonl"):
            yield {**hidden, **row}

    def _has(self, kind: str) -> bool:
        """Return whether the snapshot has a kind; of files it may have been made without."""
        return kind in self.manifest["counts"]

    @property
    def has_files(self) -> bool:
        """Whether the snapshot was made with the uploaded files."""
        return self._has("files")

    def open_file(self, file: str) -> AbstractContextManager[BinaryIO]:
        """Open an uploaded file."""
        path = upload_path(file) or file
        return cast("AbstractContextManager[BinaryIO]", self._members.open(f"files/{path}"))

    def users(self) -> Iterator[Row]:
        """Yield the users who annotated, then the authors that only annotations name."""
        listed = set()
        for row in self._members.lines("users.jsonl"):
            listed.add(row["email"])
            yield row
        for email in sorted((self._authors or set()) - listed):
            yield {"email": email}

    # -- all of it --------------------------------------------------------------------------------

    def check(self) -> None:
        """Read all of it, once; raise BadSnapshot unless everything is there as it was written."""
        if self._authors is not None:
            return
        counts: Counter[str] = Counter()
        authors: set[str] = set()
        self._check_form("settings.json", self._members.json("settings.json"), SETTINGS_FORM)
        self._check_tasks(counts, authors)
        counts["users"] = self._check_rows("users", USERS, itemgetter("email"))
        for kind in KINDS.values():
            if self._has(kind.name) or (f"{kind.name}.jsonl" in self._members.names):
                counts[kind.name] = self._check_rows(kind.name, kind.form, kind.key)
        for name, number in counts.items():
            expected = self.manifest["counts"].get(name)
            if expected != number:
                raise self._members.bad(
                    "manifest.json", f"it counts {expected} {name}, and there are {number}"
                )
        read = {"manifest.json", "settings.json", *(chunk.name for chunk in self._chunks)}
        read |= {f"{name}.jsonl" for name in counts}
        for member in self._members.names:
            if member not in read:
                self._members.read_through(member)
        self._authors = authors

    def _check_form(self, place: str, row: Any, form: Form) -> None:
        if (problem := mismatch(row, form)) is not None:
            raise self._members.bad(place, problem)

    def _check_tasks(self, counts: Counter[str], authors: set[str]) -> None:
        """Check all tasks: their form, their order and their number."""
        counts.update(dict.fromkeys(("tasks", *CONTENTS), 0))
        last, names = -1, set()
        for chunk in self._chunks:
            if chunk.name in names:
                raise self._members.bad("manifest.json", f"it lists {chunk.name} twice")
            names.add(chunk.name)
            ids = []
            for number, row in enumerate(self._members.lines(chunk.name), 1):
                place = f"{chunk.name}, line {number}"
                self._check_form(place, row, TASK)
                if row["id"] <= last:
                    raise self._members.bad(place, f"task {row['id']} comes after task {last}")
                last = row["id"]
                ids.append(last)
                authors.update(one["completed_by"] or "" for one in row["annotations"])
                for kind in CONTENTS:
                    counts[kind] += len(row[kind])
            found = len(ids), *(ids[:1] + ids[-1:] or (chunk.first, chunk.last))
            if not ids or found != (chunk.tasks, chunk.first, chunk.last):
                raise self._members.bad(chunk.name, "its tasks are not those of the manifest")
            counts["tasks"] += len(ids)
        authors.discard("")

    def _check_rows(self, name: str, form: Form, key: Callable[[Row], object]) -> int:
        """Check the rows of a member, which are all different; return their number."""
        member = f"{name}.jsonl"
        seen: set[object] = set()
        for number, row in enumerate(self._members.lines(member), 1):
            place = f"{member}, line {number}"
            self._check_form(place, row, form)
            which = key(row)
            if which in seen:
                raise self._members.bad(place, f"{which!r:.80} is there twice")
            seen.add(which)
            if name == "files" and self._members.size(f"files/{row['file']}") != row["size"]:
                raise self._members.bad(
                    place, f"files/{row['file']} is missing, or of another size"
                )
        return len(seen)
