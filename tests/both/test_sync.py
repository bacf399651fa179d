"""Carrying over what changed since a copy: who changed what, and conflicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import attrs
import pytest

from labelstudio_orm import LabelStudio, Project, Q, Task
from labelstudio_orm.errors import ServerError
from labelstudio_orm.migrate import (
    Journal,
    JournalMismatch,
    Report,
    copy_project,
    merge,
    sync,
    verify,
)
from tests.helpers import client_of, present

Asked = Callable[[], list[str]]


by_policy = pytest.mark.parametrize(
    ("ls", "policy"),
    [("fake", "report"), ("fake", "source"), ("fake", "target"), ("real", "source")],
    indirect=["ls"],
)
"""A policy decides on this side what is sent; that of most writes is tried on a real server too."""


@attrs.define
class Pair:
    """A project and its copy."""

    source: Project
    target: Project
    journal: Path

    def sync(self, **options: Any) -> Report:
        """Once more."""
        return sync(self.source, self.target, journal=self.journal, **options)

    def tasks(self) -> list[tuple[Task, Task]]:
        """The tasks of both, side by side."""
        here, there = (
            list(one.tasks.prefetch("annotations", "predictions"))
            for one in (self.source, self.target)
        )
        return list(zip(here, there, strict=True))

    def same(self) -> bool:
        """Do both hold the same?"""
        return verify(self.source, self.target, journal=self.journal).ok


@pytest.fixture
def pair(project: Project, other: LabelStudio, tmp_path: Path) -> Iterator[Pair]:
    """Six tasks with an annotation and a prediction each, copied."""
    region = project.config["sentiment"].choice("Positive")
    project.tasks.bulk_create(
        {
            "data": {"text": str(number)},
            "annotations": [{"result": [region], "lead_time": 1.5}],
            "predictions": [{"result": [region], "score": 0.5, "model_version": "v1"}],
        }
        for number in range(6)
    )
    report = copy_project(project, to=other, journal=tmp_path / "copy.db")
    assert report.ok
    assert report.target is not None
    yield Pair(project, report.target, tmp_path / "copy.db")
    other.request("DELETE", f"/api/projects/{report.target.id}/")


def negative(project: Project) -> list[dict[str, Any]]:
    return [project.config["sentiment"].choice("Negative").copy()]


def writes(asked: Asked) -> list[str]:
    return [request for request in asked() if not request.startswith(("GET", "Starting"))]


def whys(report: Report) -> list[tuple[str, str, str]]:
    return sorted((one.kind, one.field, one.why) for one in report.differences)


def test_a_sync_without_changes_writes_nothing(pair: Pair, asked: Asked) -> None:
    asked()
    report = pair.sync()
    assert report.ok
    assert writes(asked) == []


def test_what_changed_in_the_source_is_carried_over(
    ls: LabelStudio, pair: Pair, asked: Asked
) -> None:
    (data, _), (annotated, _), (more, _), (fewer, _), (gone, _), (drafted, _) = pair.tasks()
    data.data["text"] = "changed"
    data.save()
    annotation = annotated.annotations[0]
    annotation.result = negative(pair.source)
    annotation.was_cancelled = True
    annotation.save()
    prediction = annotated.predictions[0]
    prediction.score = 0.75
    prediction.save()
    more.annotations.create(result=negative(pair.source), lead_time=2.5)
    more.predictions.create(result=negative(pair.source), score=0.25, model_version="v2")
    fewer.annotations[0].delete()
    fewer.predictions[0].delete()
    gone.delete()
    ls.drafts.create(task=drafted, result=negative(pair.source))
    pair.source.tasks.bulk_create(
        [{"data": {"text": "new"}, "annotations": [{"result": negative(pair.source)}]}]
    )
    pair.source.description = "Another one"
    pair.source.save()
    pair.source.views.create(title="Todo", filters=Q(total_annotations=0))

    report = pair.sync()
    assert report.ok, str(report)
    done = {kind: (one.created, one.updated, one.deleted) for kind, one in report.counts.items()}
    assert done["tasks"] == (1, 1, 1)
    assert done["annotations"] == (2, 1, 1)  # one of them with the new task
    assert done["predictions"] == (1, 1, 1)
    assert done["drafts"] == (1, 0, 0)
    assert done["settings"] == (0, 1, 0)
    assert done["views"] == (1, 0, 0)
    assert pair.same()
    asked()
    assert pair.sync().ok
    assert writes(asked) == []


def test_what_changed_in_the_target_is_told(pair: Pair, asked: Asked) -> None:
    (_, data), (_, annotated), (_, more), (_, gone), *_ = pair.tasks()
    data.data["text"] = "changed there"
    data.save()
    annotation = annotated.annotations[0]
    annotation.ground_truth = True
    annotation.save()
    more.annotations.create(result=[])
    gone.delete()
    pair.target.tasks.bulk_create([{"text": "new there"}])
    asked()
    report = pair.sync()
    assert writes(asked) == []
    assert report.exit_code == 1
    assert whys(report) == [
        ("annotations", "", "changed in the target"),
        ("annotations", "", "created in the target"),
        ("tasks", "", "created in the target"),
        ("tasks", "", "deleted in the target"),
        ("tasks", "data", "changed in the target"),
    ]
    assert "changed in the target" in str(report)


def test_changes_of_both_sides_to_different_things(pair: Pair) -> None:
    """One annotates there while the data change here: both stay."""
    here, there = pair.tasks()[0]
    here.data["text"] = "changed here"
    here.save()
    there.annotations.create(result=negative(pair.target))
    report = pair.sync()
    assert whys(report) == [("annotations", "", "created in the target")]
    _, there = pair.tasks()[0]
    assert there.data == {"text": "changed here"}
    assert len(there.annotations) == 2


@by_policy
def test_a_change_on_both_sides_is_a_conflict(pair: Pair, policy: Any) -> None:
    (here, there), (annotated, annotated_there), (gone, gone_there), *_ = pair.tasks()
    for task, text in ((here, "here"), (there, "there")):
        task.data["text"] = text
        task.save()
    for task, result in ((annotated, negative(pair.source)), (annotated_there, [])):
        annotation = task.annotations[0]
        annotation.result = result
        annotation.save()
    gone.delete()
    gone_there.data["text"] = "still needed"
    gone_there.save()

    report = pair.sync(conflicts=policy)
    told = [
        ("annotations", "", "changed on both sides"),
        ("tasks", "", "deleted in the source, changed in the target"),
        ("tasks", "data", "changed on both sides"),
    ]
    assert whys(report) == (told if policy == "report" else [])
    assert whys(pair.sync()) == (told if policy == "report" else []), "the same again"
    tasks = list(pair.target.tasks.prefetch("annotations"))
    ours = policy == "source"
    assert tasks[0].data == {"text": "here" if ours else "there"}
    said = [region["value"] for region in tasks[1].annotations[0].result]
    assert said == ([{"choices": ["Negative"]}] if ours else [])
    assert len(tasks) == (5 if ours else 6)


@by_policy
def test_an_annotation_that_one_side_deleted(pair: Pair, policy: Any, asked: Asked) -> None:
    (gone, changed), (changed_here, gone_there), *_ = pair.tasks()
    for task in (gone, gone_there):
        task.annotations[0].delete()
    for task in (changed, changed_here):
        annotation = task.annotations[0]
        annotation.result = negative(pair.source)
        annotation.save()
    told = [
        ("annotations", "", "changed in the source, deleted in the target"),
        ("annotations", "", "deleted in the source, changed in the target"),
    ]
    assert whys(pair.sync(conflicts=policy)) == (told if policy == "report" else [])
    there = list(pair.target.tasks.prefetch("annotations"))[:2]
    ours = policy == "source"
    assert [len(task.annotations) for task in there] == ([0, 1] if ours else [1, 0])
    asked()
    assert whys(pair.sync()) == (told if policy == "report" else []), "the same again"
    assert writes(asked) == []


def test_a_sync_without_a_copy_pairs_equal_tasks(
    ls: LabelStudio, other: LabelStudio, project: Project, tmp_path: Path
) -> None:
    """Tasks that somebody else brought over are paired by what they hold."""
    items = [
        {"data": {"text": str(number)}, "annotations": [{"result": []}]} for number in range(3)
    ]
    project.tasks.bulk_create(items)
    target = other.projects.create(title="There", label_config=project.label_config)
    try:
        target.tasks.bulk_create(items[::-1][:2])
        journal = tmp_path / "sync.db"
        for how in (other.dry_run(), nullcontext()):
            missing = pytest.raises(FileNotFoundError, match=r"no journal .*sync\.db.*pair=True")
            with how, missing:
                sync(project, target, journal=journal)
        with Journal() as empty, pytest.raises(ValueError, match="is of no copy; pair=True"):
            sync(project, target, journal=empty)
        with other.dry_run():
            assert sync(project, target, journal=journal, pair=True).counts["tasks"].created == 1
        assert not journal.exists()
        report = sync(project, target, journal=journal, pair=True, conflicts="source")
        assert report.counts["tasks"].created == 1
        texts = sorted(data["text"] for data in target.tasks.values_list("data", flat=True))
        assert texts == ["0", "1", "2"]
        project.tasks[0].delete()
        report = sync(project, target, journal=tmp_path / "sync.db", conflicts="source")
        assert report.counts["tasks"].deleted == 1
        assert target.tasks.count() == 2
    finally:
        target.delete()


def test_a_sync_in_a_dry_run_writes_nothing(pair: Pair, other: LabelStudio) -> None:
    here, _ = pair.tasks()[0]
    here.data["text"] = "changed"
    here.save()
    pair.source.tasks.bulk_create([{"text": "new"}])
    with other.dry_run() as plan:
        report = pair.sync()
    assert (report.counts["tasks"].updated, report.counts["tasks"].created) == (1, 1)
    assert {(one.method, one.what) for one in plan.writes} == {
        ("PATCH", "Task"),
        ("POST", "Project import"),
    }
    assert pair.target.tasks.count() == 6
    assert pair.sync().ok
    assert pair.same()


def test_another_projects_journal(pair: Pair, other: LabelStudio) -> None:
    another = other.projects.create(title="Another")
    try:
        with pytest.raises(JournalMismatch, match="is of a copy to Project"):
            sync(pair.source, another, journal=pair.journal)
    finally:
        another.delete()


def test_a_mark_that_the_target_has_set_is_not_taken_off(pair: Pair, asked: Asked) -> None:
    """The server keeps one ground truth of a task, and takes it off the others at a save."""
    here, there = pair.tasks()[0]
    own = there.annotations.create(result=negative(pair.target), ground_truth=True)
    annotation = here.annotations[0]
    annotation.ground_truth = True
    annotation.save()
    other = pair.tasks()[1][0].annotations[0]
    other.ground_truth = True
    other.save()
    told = [
        ("annotations", "", f"ground truth in the source, while {own.id} is that in the target"),
        ("annotations", "", "created in the target"),
    ]
    for _ in range(2):
        report = pair.sync()
        assert sorted(whys(report)) == sorted(told)
        own.refresh()
        assert own.ground_truth
        assert pair.tasks()[1][1].annotations[0].ground_truth
        asked()
    assert writes(asked) == []
    assert whys(pair.sync(conflicts="source")) == [("annotations", "", "created in the target")]
    own.refresh()
    assert not own.ground_truth
    assert whys(pair.sync()) == [("annotations", "", "created in the target")]


def test_a_change_of_an_annotation_with_a_mark_leaves_the_others(pair: Pair) -> None:
    """An import may bring several marks; what is not changed is not sent."""
    marked = {"result": negative(pair.source), "ground_truth": True}
    pair.source.tasks.bulk_create([{"data": {"text": "two"}, "annotations": [marked, marked]}])
    assert pair.sync().ok
    pair.source.tasks.client.request(
        "PATCH",
        f"/api/annotations/{pair.tasks()[-1][0].annotations[0].id}/",
        json={"lead_time": 9.5},
    )
    report = pair.sync()
    assert report.ok, str(report)
    assert [one.ground_truth for one in pair.tasks()[-1][1].annotations] == [True, True]


def test_drafts_in_the_target_outlive_a_sync(ls: LabelStudio, pair: Pair) -> None:
    """The server deletes the drafts of an annotation that is saved, or deleted."""
    (changed, kept), (gone, kept_too), *_ = pair.tasks()
    drafts = client_of(pair.target.tasks).drafts
    made = [
        drafts.create(task=one, annotation=one.annotations[0], result=negative(pair.target))
        for one in (kept, kept_too)
    ]
    annotation = changed.annotations[0]
    annotation.lead_time = 9.5
    annotation.save()
    gone.annotations[0].delete()
    for _ in range(2):
        assert sorted(whys(pair.sync())) == [
            ("annotations", "", "deleted in the source, changed in the target"),
            ("drafts", "", "created in the target"),
            ("drafts", "", "created in the target"),
        ]
    _, kept = pair.tasks()[0]
    assert kept.annotations[0].lead_time == 9.5
    for draft in made:
        draft.refresh()
        assert draft.annotation_id is not None


def test_an_older_copy_of_the_journal(pair: Pair, asked: Asked) -> None:
    """What the target has already is known by what it holds."""
    before = pair.journal.read_bytes()
    region = negative(pair.source)
    pair.source.tasks.bulk_create(
        [{"data": {"text": "new"}, "annotations": [{"result": region}]}, {"text": "new too"}]
    )
    new = pair.source.tasks.last()
    assert new is not None
    new.overlap = 3
    new.save()
    here = present(pair.source.tasks.first())
    here.annotations.create(result=region)
    here.predictions.create(result=region, model_version="v2")
    pair.source.views.create(title="New", filters=Q(total_annotations=0))
    assert pair.sync().ok
    pair.journal.write_bytes(before)
    asked()
    assert pair.sync().ok
    assert writes(asked) == []
    assert pair.same()


def test_regions_that_a_server_cannot_count(ls: LabelStudio, pair: Pair, asked: Asked) -> None:
    """It stores them, and answers 500: they are carried over, and the counters stay right."""
    region = pair.source.config["sentiment"].choice("Positive").copy()
    bare = {name: value for name, value in region.items() if name != "value"}
    odd = {**region, "from_name": 5}
    (old, _), (new, _), (gone, _), *_ = pair.tasks()
    more = new.annotations.create(result=[])
    doomed = gone.annotations[0]
    for annotation in (old.annotations[0], more, doomed):
        with pytest.raises(ServerError):
            ls.request("PATCH", f"/api/annotations/{annotation.id}/", json={"result": [bare]})
    prediction = {"task": old.id, "result": [odd], "model_version": "odd"}
    ls.request("POST", "/api/predictions/", json=prediction)
    ls.request("POST", f"/api/tasks/{new.id}/drafts", json={"result": {"an": "object"}})
    report = pair.sync()
    assert report.ok, str(report)
    assert pair.same()
    assert [there.total_annotations for _, there in pair.tasks()] == [1, 2, 1, 1, 1, 1]
    doomed.delete()
    old.delete()
    asked()
    report = pair.sync()
    assert report.ok, str(report)
    assert pair.same()
    into = client_of(pair.target.tasks).projects.create(
        title="Merged", label_config=pair.source.label_config
    )
    into.tasks.bulk_create([{"text": text} for text in "1345"])
    for made in (5, 0):
        report = merge([pair.source], into=into, key="data.text", prefer="last")
        assert report.ok, str(report)
        counted = report.counts.get("annotations")
        assert (counted.created if counted else 0) == made
    assert into.tasks.get(data__text="1").total_annotations == 2
    into.delete()
