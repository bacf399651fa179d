"""A snapshot as a source: a project to read from, in a file."""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from ...resources.files import upload_path
from .fingerprints import CONTENTS, SETTINGS
from .kinds import KINDS
from .snapshot_form import FORMAT, MANIFEST, SETTINGS_FORM, TASK, USERS, VERSION, mismatch
from .zipped import LIMITS, BadSnapshot, Limits, Members

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..._engine.values.codec import Row
    from .snapshot_form import Form


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
            self._members.check()
            self.manifest: Row = self._manifest()
        except BaseException:
            self.close()
            raise
        self._chunks: list[Row] = self.manifest["tasks"]

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
        found.setdefault("unskippable", [])  # the first releases did not write them
        self._check_form("manifest.json", found, MANIFEST)
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
        return {**about, "project": project, "tasks": sum(chunk["tasks"] for chunk in self._chunks)}

    def settings(self) -> Row:
        """Return the settings without the secrets."""
        return {**dict.fromkeys(SETTINGS), **self._members.json("settings.json")}

    def tasks(self, after: int | None = None) -> Iterator[Row]:
        """Stream the tasks by id, those after an id."""
        for chunk in self._chunks:
            if after is None or chunk["last"] > after:
                rows = self._members.lines(chunk["name"])
                yield from (row for row in rows if after is None or row["id"] > after)

    def some_tasks(self, ids: Iterable[int]) -> Iterator[Row]:
        """Yield the tasks of these ids, by id; those that do not exist are left out."""
        wanted = sorted(set(ids))
        for chunk in self._chunks:
            start, end = bisect_left(wanted, chunk["first"]), bisect_right(wanted, chunk["last"])
            if some := set(wanted[start:end]):
                rows = self._members.lines(chunk["name"])
                yield from (row for row in rows if row["id"] in some)

    def task_ids(self) -> Iterator[int]:
        """Yield the ids of all tasks."""
        return (row["id"] for row in self.tasks())

    def unskippable(self) -> frozenset[int]:
        """Return the ids of the tasks that annotators may not skip."""
        return frozenset(self.manifest["unskippable"])

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
        read = {"manifest.json", "settings.json", *(chunk["name"] for chunk in self._chunks)}
        read |= {f"{name}.jsonl" for name in counts}
        for member in self._members.names:
            if member not in read:
                self._members.read_through(member)
        self._authors = authors

    def _check_form(self, place: str, row: Any, form: Form) -> None:
        if (problem := mismatch(row, form)) is not None:
            raise self._members.bad(place, problem)

    def _checked(self, member: str, form: Form) -> Iterator[tuple[str, Row]]:
        """Yield the rows of a member, each with its place, once they are checked."""
        for number, row in enumerate(self._members.lines(member), 1):
            place = f"{member}, line {number}"
            self._check_form(place, row, form)
            yield place, row

    def _check_tasks(self, counts: Counter[str], authors: set[str]) -> None:
        """Check all tasks: their form, their order and their number."""
        counts.update(dict.fromkeys(("tasks", *CONTENTS), 0))
        last, names = -1, set()
        for chunk in self._chunks:
            if chunk["name"] in names:
                raise self._members.bad("manifest.json", f"it lists {chunk['name']} twice")
            names.add(chunk["name"])
            ids = []
            for place, row in self._checked(chunk["name"], TASK):
                if row["id"] <= last:
                    raise self._members.bad(place, f"task {row['id']} comes after task {last}")
                last = row["id"]
                ids.append(last)
                authors.update(one["completed_by"] or "" for one in row["annotations"])
                for kind in CONTENTS:
                    counts[kind] += len(row[kind])
            found = {"tasks": len(ids), "first": ids[0], "last": ids[-1]} if ids else {}
            if not found or not found.items() <= chunk.items():
                raise self._members.bad(chunk["name"], "its tasks are not those of the manifest")
            counts["tasks"] += len(ids)
        authors.discard("")

    def _check_rows(self, name: str, form: Form, key: Callable[[Row], object]) -> int:
        """Check the rows of a member, which are all different; return their number."""
        member = f"{name}.jsonl"
        seen: set[object] = set()
        for place, row in self._checked(member, form):
            which = key(row)
            if which in seen:
                raise self._members.bad(place, f"{which!r:.80} is there twice")
            seen.add(which)
            if name == "files" and self._members.size(f"files/{row['file']}") != row["size"]:
                raise self._members.bad(
                    place, f"files/{row['file']} is missing, or of another size"
                )
        return len(seen)
