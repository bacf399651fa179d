"""A kind of objects that belong to a project is a row of one table, which all verbs work from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from labelstudio_orm import LabelStudio, Project
from labelstudio_orm._migrate.engine.kinds import KINDS, Kind
from labelstudio_orm._migrate.engine.snapshot_form import FLAG, ID, TEXT, or_null
from labelstudio_orm.errors import DoesNotExist
from labelstudio_orm.migrate import (
    ArchiveSource,
    BadSnapshot,
    copy_project,
    restore,
    snapshot,
    sync,
    verify,
)
from labelstudio_orm.testing import FakeLabelStudio


@attrs.define
class Note:
    """A note on a project."""

    notes: Notes
    id: int
    project: int
    text: str
    pinned: bool = False

    def save(self, **options: Any) -> None:
        self.notes.asked.append("save")

    def delete(self) -> None:
        if self.notes.saved.pop(self.id, None) is None:
            raise DoesNotExist(f"there is no note {self.id}")


class Notes:
    """The notes of a server, in place of a queryset of a noun."""

    def __init__(self) -> None:
        self.saved: dict[int, Note] = {}
        self.ids = itertools.count(1)
        self.asked: list[str] = []
        self.owner: Any = None

    def of(self, owner: Any) -> Notes:
        self.owner = owner
        return self

    def all(self) -> Iterator[Note]:
        return iter([one for one in self.saved.values() if one.project == self.owner.id])

    def create(self, **fields: Any) -> Note:
        self.asked.append("create")
        made = Note(self, next(self.ids), self.owner.id, **fields)
        self.saved[made.id] = made
        return made

    def get(self, id: int) -> Note:
        return self.saved[id]

    ref = get


class Wall:
    """The notes of all servers, by address."""

    def __init__(self) -> None:
        self.servers: dict[str, Notes] = {}

    def notes(self, owner: Project | LabelStudio, row: Any = None) -> Notes:
        client = owner if isinstance(owner, LabelStudio) else owner.tasks.client
        return self.servers.setdefault(client.url, Notes()).of(owner)

    def texts(self, project: Project | None) -> list[tuple[str, bool]]:
        assert project is not None
        return sorted((one.text, one.pinned) for one in self.notes(project).all())


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    """Notes as a further kind, by a row of the table only."""
    wall = Wall()
    row = Kind(
        name="notes",
        title="notes",
        fields=("text", "pinned"),
        objects=wall.notes,  # type: ignore[arg-type]
        form={"id": ID, "text": TEXT, "pinned": or_null(FLAG)},
    )
    monkeypatch.setitem(KINDS, "notes", row)
    return wall


@pytest.fixture
def noted(wall: Wall, project: Project) -> Project:
    """A project with two notes."""
    project.tasks.create(data={"text": "a"})
    wall.notes(project).create(text="buy milk", pinned=True)
    wall.notes(project).create(text="call Ann")
    return project


TEXTS = [("buy milk", True), ("call Ann", False)]


def test_a_new_kind_is_copied_and_verified(wall: Wall, noted: Project) -> None:
    other = FakeLabelStudio("http://other.fake").client()
    report = copy_project(noted, to=other)
    assert report.ok
    assert report.counts["notes"].created == 2
    assert wall.texts(report.target) == TEXTS
    assert report.target is not None
    found = verify(noted, report.target)
    assert found.ok
    assert found.counts["notes"].skipped == 2
    next(wall.notes(report.target).all()).text = "buy bread"
    (difference,) = verify(noted, report.target, parts=["notes"]).differences
    assert (difference.kind, difference.field) == ("notes", "text")
    assert (difference.here, difference.there) == ("buy milk", "buy bread")


def test_a_new_kind_is_in_a_snapshot_and_restored(
    wall: Wall, noted: Project, tmp_path: Path
) -> None:
    path = tmp_path / "noted.zip"
    assert snapshot(noted, path).counts["notes"].created == 2
    with ArchiveSource(path) as source:
        assert [row["text"] for row in source.related("notes")] == ["buy milk", "call Ann"]
    restored = restore(path, FakeLabelStudio("http://other.fake").client())
    assert restored.ok
    assert wall.texts(restored.target) == TEXTS


def test_a_snapshot_of_before_a_kind_was_known_has_none(
    wall: Wall, noted: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, path = KINDS["notes"], tmp_path / "before.zip"
    monkeypatch.delitem(KINDS, "notes")
    snapshot(noted, path)
    monkeypatch.setitem(KINDS, "notes", row)
    restored = restore(path, FakeLabelStudio("http://other.fake").client())
    assert restored.ok
    assert wall.texts(restored.target) == []


def test_rows_of_a_new_kind_are_checked(wall: Wall, noted: Project, tmp_path: Path) -> None:
    wall.notes(noted).create(text="x", pinned=None)
    snapshot(noted, tmp_path / "good.zip")
    wall.notes(noted).create(text=["x"])
    with pytest.raises(Exception, match=r"notes of .*: 4: text is \['x'\], not a string"):
        snapshot(noted, tmp_path / "odd.zip")
    with pytest.raises((BadSnapshot, FileNotFoundError)):
        ArchiveSource(tmp_path / "odd.zip")


def test_a_new_kind_is_synchronised(wall: Wall, noted: Project, tmp_path: Path) -> None:
    other = FakeLabelStudio("http://other.fake").client()
    copy = copy_project(noted, to=other, journal=tmp_path / "notes.db").target
    assert copy is not None
    mine = wall.notes(noted)
    first, second = mine.all()
    first.text = "buy bread"
    second.delete()
    mine.create(text="sleep")
    report = sync(noted, copy, journal=tmp_path / "notes.db")
    assert report.ok
    done = report.counts["notes"]
    assert (done.created, done.updated, done.deleted) == (1, 1, 1)
    assert wall.texts(copy) == [("buy bread", True), ("sleep", False)]
    assert wall.notes(copy).asked == ["create", "create", "save", "create"]
    assert "notes" not in sync(noted, copy, journal=tmp_path / "notes.db").counts


def test_every_kind_has_its_own_name_and_words() -> None:
    assert list(KINDS) == [kind.name for kind in KINDS.values()]
    assert list(KINDS) == ["views", "webhooks", "storages", "backends", "files"]
    for kind in KINDS.values():
        assert set(kind.form) <= {"id", "users", *kind.fields}
        assert kind.title
