"""A copy that is killed at any of its requests and resumed ends like one that was not killed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm import Project, Q
from labelstudio_orm._migrate.engine import importing
from labelstudio_orm._migrate.engine.journal import Journal
from labelstudio_orm.errors import ConnectionFailed
from labelstudio_orm.migrate import Report, sync, verify
from tests.helpers import present
from tests.unit.kills import Killed, Servers


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Servers]:
    monkeypatch.setattr(importing, "BATCH", 2)
    made = 0

    def make() -> Servers:
        nonlocal made
        made += 1
        folder = tmp_path / str(made)
        folder.mkdir()
        return Servers(folder)

    return make


def undisturbed(servers: Callable[[], Servers]) -> tuple[dict[str, Any], int]:
    one = servers()
    assert one.copy().ok
    return one.state(), one.wire.writes


def told(report: Report) -> dict[str, int]:
    """Return how many objects there are by now, created in this run or in an earlier one."""
    kinds = ("tasks", "annotations", "predictions", "drafts")
    return {kind: report.counts[kind].created + report.counts[kind].skipped for kind in kinds}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["before", "after", "late"])
def test_killed_at_each_write(servers: Callable[[], Servers], how: str) -> None:
    expected, writes = undisturbed(servers)
    assert writes > 14
    for place in range(writes):
        one = servers()
        one.wire.strike(place, how)
        one.wire.reads_until_late = 30  # after the resumed process has looked for a while
        with pytest.raises(Killed):
            one.copy()
        report = one.copy()
        assert one.state() == expected, f"killed {how} write {place}"
        assert report.ok, f"killed {how} write {place}: {report}"
        assert told(report) == {"tasks": 7, "annotations": 7, "predictions": 7, "drafts": 2}
        sent = one.wire.writes
        assert one.copy().ok
        assert one.wire.writes == sent, "a further run writes nothing"


@pytest.mark.slow
@pytest.mark.parametrize("what", ["lost", "twice", "twice, first answer"])
def test_each_write_goes_wrong_on_the_way(servers: Callable[[], Servers], what: str) -> None:
    expected, writes = undisturbed(servers)
    for place in range(writes):
        one = servers()
        one.wire.strike(place, what)
        report = one.copy()
        assert one.state() == expected, f"write {place} {what}"
        assert report.ok, f"write {place} {what}: {report}"


def test_killed_at_every_other_write(servers: Callable[[], Servers]) -> None:
    """Each run comes one or two writes further."""
    expected, _ = undisturbed(servers)
    one = servers()
    one.wire.trouble = lambda number: ("", "after", "", "before")[number % 4]
    for _ in range(100):
        try:
            report = one.copy()
        except Killed:
            continue
        break
    assert report.ok, str(report)
    assert told(report) == {"tasks": 7, "annotations": 7, "predictions": 7, "drafts": 2}
    assert one.state() == expected
    assert verify(one.project, present(report.target)).ok


# -- a sync ----------------------------------------------------------------------------------------


def changed(project: Project, folder: Path) -> None:
    """Something of each kind is new, changed and gone."""
    region = project.config["sentiment"].choice("Negative")
    first, second, third, fourth, fifth, *_ = project.tasks.prefetch("annotations", "predictions")
    first.data["text"] = "changed"
    first.save()
    second.annotations[0].delete()
    second.predictions[0].delete()
    third.annotations.create(result=[region], lead_time=1.5)
    third.predictions.create(result=[region], score=0.75)
    annotation, prediction = fourth.annotations[0], fourth.predictions[0]
    annotation.result, prediction.result = [region], [region]
    annotation.save()
    prediction.save()
    fifth.delete()
    project.tasks.bulk_create([{"text": "new"}, {"text": "newer"}, {"text": "newest"}])
    path = folder / "another.png"
    path.write_bytes(b"another photo")
    *_, newest = project.tasks
    newest.data["image"] = f"/data/{project.files.upload(path).file}"
    newest.save()
    project.description = "Another one"
    project.save()
    project.views.create(title="New", filters=Q(total_annotations=0))


def synced(one: Servers) -> Report:
    target = one.client().projects.all()[0]
    return sync(one.project, target, journal=one.journal)


@pytest.fixture
def copied(servers: Callable[[], Servers], tmp_path: Path) -> Callable[[], Servers]:
    """``copied()`` gives a copy, and changes of each kind since."""

    def make() -> Servers:
        one = servers()
        assert one.copy().ok
        one.wire.writes = 0
        changed(one.project, tmp_path)
        return one

    return make


@pytest.mark.slow
@pytest.mark.parametrize("how", ["before", "after"])
def test_a_sync_that_is_killed(copied: Callable[[], Servers], how: str) -> None:
    calm = copied()
    assert synced(calm).ok
    expected, writes = calm.state(), calm.wire.writes
    assert writes > 10
    for place in range(writes):
        one = copied()
        one.wire.strike(place, how)
        with pytest.raises(Killed):
            synced(one)
        report = synced(one)
        assert one.state() == expected, f"killed {how} write {place}"
        assert report.ok, f"killed {how} write {place}: {report}"
        sent = one.wire.writes
        assert synced(one).ok
        assert one.wire.writes == sent, "a further run writes nothing"


def test_a_sync_that_is_killed_later_each_time(copied: Callable[[], Servers]) -> None:
    calm = copied()
    assert synced(calm).ok
    one = copied()
    report = one.wire.killed_later_each_time(lambda: synced(one))
    assert report.ok, str(report)
    assert one.state() == calm.state()
    sent = one.wire.writes
    assert synced(one).ok
    assert one.wire.writes == sent, "a further run writes nothing"


def test_a_sync_whose_import_arrives_twice(servers: Callable[[], Servers], tmp_path: Path) -> None:
    one = servers()
    assert one.copy().ok
    one.project.tasks.bulk_create([{"text": "new"}, {"text": "new"}])
    one.wire.trouble = lambda number: "twice"
    assert synced(one).ok
    assert one.there.store.value("SELECT count(*) FROM task") == 9


def test_a_batch_is_made_ready_while_one_is_imported(
    servers: Callable[[], Servers], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, _ = undisturbed(servers)
    ready, seen = threading.Event(), list[bool]()
    sent, create = importing.Importer._sent, vars(importing)["create_from_server"]

    def preparing(self: importing.Importer, row: dict[str, Any]) -> importing.Sent:
        if row["id"] == 5:  # the first of the batch after the next one
            ready.set()
        return sent(self, row)

    def importing_slowly(*args: Any, **kwargs: Any) -> Any:
        seen.append(ready.wait(10))
        return create(*args, **kwargs)

    monkeypatch.setattr(importing.Importer, "_sent", preparing)
    monkeypatch.setattr(importing, "create_from_server", importing_slowly)
    one = servers()
    assert one.copy().ok
    assert one.state() == expected
    assert seen == [True] * 4


def test_what_is_imported_while_the_source_fails_is_recorded(
    servers: Callable[[], Servers], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, _ = undisturbed(servers)
    sent = importing.Importer._sent

    def failing(self: importing.Importer, row: dict[str, Any]) -> importing.Sent:
        if row["id"] == 4:
            raise ConnectionFailed("the source is gone")
        return sent(self, row)

    one = servers()
    with monkeypatch.context() as patch:
        patch.setattr(importing.Importer, "_sent", failing)
        with pytest.raises(ConnectionFailed):
            one.copy()
    with Journal(one.journal) as journal:
        assert [old for old, _ in journal.map("tasks").items()] == [1, 2]
        assert "tasks" not in journal.open_intents()
    assert one.copy().ok
    assert one.state() == expected
