"""What is no journal, or a damaged one, is refused as it is, before anything is written."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from labelstudio_orm import LabelStudio, Project
from labelstudio_orm.migrate import BadJournal, Journal, copy_project, sync, verify
from labelstudio_orm.testing import FakeLabelStudio
from tests.conftest import CONFIG
from tests.helpers import present


@pytest.fixture
def ls() -> LabelStudio:
    return FakeLabelStudio().client()


@pytest.fixture
def project(ls: LabelStudio) -> Project:
    made = ls.projects.create(title="Reviews", label_config=CONFIG)
    made.tasks.bulk_create({"text": str(number)} for number in range(300))
    return made


def sql(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_link(path: Path) -> None:
    path.rename(path.with_name("real.db"))
    path.symlink_to("real.db")


def a_link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nothing.db")


def a_text(path: Path) -> None:
    path.write_text("the journal of my holidays")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def another_database(path: Path) -> None:
    path.unlink()
    sql(path, "CREATE TABLE mine (a)")


def another_database_of_such_names(path: Path) -> None:
    path.unlink()
    sql(path, *(f"CREATE TABLE {name} (a)" for name in ("facts", "intents", "pairs")))


def a_database_without_tables(path: Path) -> None:
    path.unlink()
    sql(path, "PRAGMA user_version = 1", "CREATE TABLE a (b)", "DROP TABLE a")


def a_later_version(path: Path) -> None:
    sql(path, "PRAGMA user_version = 99")


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_off_early(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def overwritten(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"x" * 8192 + whole[12288:])


def without_a_table(path: Path) -> None:
    sql(path, "DROP TABLE intents")


def with_a_fact_that_is_no_json(path: Path) -> None:
    sql(path, "UPDATE facts SET value = '{' WHERE name = 'job'")


def with_a_fact_of_another_kind(path: Path) -> None:
    sql(path, "UPDATE facts SET value = '\"seven\"' WHERE name = 'project'")


def with_an_intent_that_is_no_json(path: Path) -> None:
    sql(path, "INSERT INTO intents (name, value) VALUES ('tasks', 'x')")


def with_a_task_that_is_a_text(path: Path) -> None:
    sql(path, "UPDATE pairs SET new = 'x' WHERE kind = 'tasks' AND old = 3")


def with_a_base_that_is_none(path: Path) -> None:
    sql(path, "UPDATE pairs SET new = '[]' WHERE kind = 'bases' AND old = 3")


def without_facts(path: Path) -> None:
    sql(path, "DELETE FROM facts")


def with_counts_that_are_none(path: Path) -> None:
    sql(path, "UPDATE facts SET value = 'null' WHERE name = 'counts'")


def with_settings_that_are_a_number(path: Path) -> None:
    sql(path, "UPDATE facts SET value = '5' WHERE name = 'settings expected'")


def with_a_setting_that_is_none(path: Path) -> None:
    sql(path, "UPDATE facts SET value = '{\"title\": null}' WHERE name = 'settings base'")


def with_a_file_that_is_a_number(path: Path) -> None:
    sql(path, "INSERT INTO pairs VALUES ('files', 'upload/1/1a2b3c4d-a.png', 5)")


def with_files_under_way_that_are_none(path: Path) -> None:
    sql(path, "INSERT INTO intents (name, value) VALUES ('files', '{\"after\": 1}')")


def with_a_file_under_way_that_is_a_name(path: Path) -> None:
    said = '{"after": 1, "files": ["a.png"]}'
    sql(path, f"INSERT INTO intents (name, value) VALUES ('files', '{said}')")


def with_a_last_file_that_is_a_name(path: Path) -> None:
    sql(path, "REPLACE INTO facts VALUES ('files after', '\"a.png\"')")


DAMAGES = [
    a_folder, a_link, a_link_to_nothing, a_text, empty, another_database,
    another_database_of_such_names, a_database_without_tables, a_later_version, cut_off,
    cut_off_early, overwritten, without_a_table, with_a_fact_that_is_no_json,
    with_a_fact_of_another_kind, with_an_intent_that_is_no_json, with_a_task_that_is_a_text,
    with_a_base_that_is_none, with_counts_that_are_none, with_settings_that_are_a_number,
    with_a_setting_that_is_none, with_a_file_that_is_a_number, with_files_under_way_that_are_none,
    with_a_file_under_way_that_is_a_name, with_a_last_file_that_is_a_name,
    without_facts,
]  # fmt: skip


def files(folder: Path) -> dict[str, bytes | str]:
    return {
        path.name: os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in folder.iterdir()
        if path.is_symlink() or path.is_file()
    }


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_what_is_no_journal(
    project: Project, ls: LabelStudio, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "copy.db"
    target = copy_project(project, to=ls, title="Copy", journal=path).target
    assert target is not None
    damage(path)
    before, projects = files(tmp_path), ls.projects.count()
    for use in (
        lambda: copy_project(project, to=ls, title="Copy", journal=path),
        lambda: sync(project, target, journal=path),
        lambda: verify(project, target, journal=path),
        lambda: Journal(path),
    ):
        with pytest.raises((BadJournal, FileNotFoundError), match=r"copy\.db"):
            use()
    assert files(tmp_path) == before
    assert ls.projects.count() == projects
    assert target.tasks.count() == 300


def test_a_journal_is_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "copy.db"
    with Journal(path) as journal:
        journal.set("a")
        modes = {one.name: one.stat().st_mode & 0o777 for one in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}
    path.chmod(0o644)  # one of an earlier version
    Journal(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_is_not_there(project: Project, ls: LabelStudio, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"copy\.db"):
        copy_project(project, to=ls, title="Copy", journal=tmp_path / "nowhere" / "copy.db")
    assert ls.projects.count() == 1


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """The error is the disk's, and says which file it is about."""
    with Journal(tmp_path / "copy.db") as journal:
        journal._db.execute("PRAGMA max_page_count = 10")
        with pytest.raises(OSError, match=r"copy\.db.*full"):
            journal.map("tasks").put({number: number for number in range(100_000)})
        assert len(journal.map("tasks")) == 0


@pytest.mark.parametrize(
    "content",
    [b"my holidays", b"my holidays\n", b"\xff\xfe\n", b'{"a": 1}\n', b"SQLite format 3\0"],
)
def test_what_is_no_undo_file(project: Project, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "undo.jsonl"
    path.write_bytes(content)
    uses: tuple[Callable[[], object], ...] = (
        lambda: project.labels.rename("Neutral", "Mixed", undo=path),
        lambda: project.labels.undo(path),
    )
    for use in uses:
        with pytest.raises(BadJournal, match=r"undo\.jsonl"):
            use()
    assert path.read_bytes() == content
    project.refresh()
    assert "Mixed" not in present(project.label_config)


@pytest.mark.parametrize("line", [b"{\n", b"[]\n", b'{"kind": "annotations"}\n', b"\xff\n"])
def test_an_undo_file_with_a_line_that_is_none(
    project: Project, tmp_path: Path, line: bytes
) -> None:
    path = tmp_path / "undo.jsonl"
    region = project.config["sentiment"].choice("Neutral")
    for task in project.tasks[:3]:
        task.annotations.create(result=[region])
    project.labels.rename("Neutral", "Mixed", undo=path)
    assert path.stat().st_mode & 0o777 == 0o600
    first, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + line + b"".join(rest))
    with pytest.raises(BadJournal, match=r"undo\.jsonl"):
        project.labels.undo(path)
    project.refresh()
    assert "Mixed" in present(project.label_config)


def test_an_undo_file_that_is_a_folder_or_a_link(project: Project, tmp_path: Path) -> None:
    (tmp_path / "real.jsonl").write_text("")
    (tmp_path / "link.jsonl").symlink_to("real.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    for name in ("link", "folder"):
        with pytest.raises(BadJournal, match=name):
            project.labels.rename("Neutral", "Mixed", undo=tmp_path / f"{name}.jsonl")
    assert (tmp_path / "real.jsonl").read_text() == ""
