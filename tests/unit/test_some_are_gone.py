"""What verbs of many objects do where some are gone, were changed since, or have failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm import Annotation, LabelStudio, Project
from labelstudio_orm.testing import FakeLabelStudio, Fault


@pytest.fixture
def labelled(project: Project) -> Project:
    """A project with two annotations."""
    region = project.config["sentiment"].choice("Positive")
    project.tasks.bulk_create(
        [{"data": {"text": text}, "annotations": [{"result": [region]}]} for text in "ab"]
    )
    return project


def choices(project: Project) -> list[Any]:
    return [one.values().get("sentiment") for one in project.annotations]


def test_an_annotation_that_goes_while_its_label_is_renamed(
    ls: LabelStudio, labelled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh = Annotation.refresh
    gone: list[int] = []

    def refreshed(self: Annotation, *names: Any) -> Any:
        if not gone:
            gone.append(self.id)
            ls.annotations.get(self.id).delete()
        return refresh(self, *names)

    monkeypatch.setattr(Annotation, "refresh", refreshed)
    report = labelled.labels.rename("Positive", "Good")
    assert report.ok, str(report)
    assert choices(labelled) == ["Good"]


@pytest.mark.parametrize("is_replaced", [False, True])
def test_what_is_gone_is_not_restored(
    fake: FakeLabelStudio, labelled: Project, tmp_path: Path, is_replaced: bool
) -> None:
    """A server may give the id of a deleted annotation to one of another task."""
    undo = tmp_path / "good.undo"
    labelled.labels.rename("Positive", "Good", undo=undo)
    first, second = labelled.annotations
    if is_replaced:
        fake.store.execute(
            "UPDATE annotation SET task_id = ? WHERE id = ?", second.task_id, first.id
        )
    else:
        first.delete()
    report = labelled.labels.undo(undo)
    left = {one.id: one.values().get("sentiment") for one in labelled.refresh().annotations}
    assert left.pop(second.id) == "Positive"
    assert list(left.values()) == (["Good"] if is_replaced else [])
    assert ("Good" in labelled.config["sentiment"].labels) is is_replaced, str(report)


def test_labels_that_were_edited_since_are_kept_by_an_undo(
    labelled: Project, tmp_path: Path
) -> None:
    """Only what the change added goes, and only what it removed comes back."""
    undo = tmp_path / "neutral.undo"
    assert labelled.labels.merge(["Neutral", "Negative"], "Other", undo=undo).ok
    xml = labelled.refresh().label_config
    choices = '<Choice value="New"/><Choice value="Other"/><Choice value="Positive"/>'
    head, _, rest = str(xml).partition("<Choice ")
    _, _, tail = rest.rpartition("/>\n  </Choices>")
    labelled.label_config = f"{head}{choices}\n  </Choices>{tail}"
    labelled.save()
    assert labelled.labels.undo(undo).ok
    labels = labelled.refresh().config["sentiment"].labels
    assert set(labels) == {"New", "Positive", "Neutral", "Negative"}


def test_a_project_without_labels_still_has_its_verbs(ls: LabelStudio) -> None:
    labels = ls.projects.create(title="Empty").labels
    assert len(labels) == 0
    assert labels


def test_a_condition_that_no_file_meets_deletes_none(
    fake: FakeLabelStudio, project: Project, tmp_path: Path
) -> None:
    """The server takes an empty list of ids for all files."""
    (tmp_path / "a.txt").write_text("a")
    project.files.upload(tmp_path / "a.txt")
    assert project.files.filter(id=99).delete().deleted == 0
    assert len(project.files.all()) == 1


def test_an_item_that_repeats_a_failed_one_fails_too(project: Project) -> None:
    refused, repeats = {"data": {"other": "a"}, "meta": {"k": 1}}, {"text": "b"}
    done = project.tasks.bulk_create(
        [refused, {"data": repeats, "meta": {"k": 1}}, {"data": {"text": "c"}, "meta": {"k": 2}}],
        key="meta.k",
        on_conflict="skip",
        on_error="collect",
    )
    assert [task.data for task in project.tasks] == [{"text": "c"}]
    first, second = done.summary.failed
    assert '"text" key is expected' in first.reason
    assert second.reason == "item 1 has the meta.k of item 0, which failed"


@pytest.mark.parametrize("fault", [Fault.reset(committed=True), Fault.truncated()])
def test_an_import_whose_answer_is_lost_is_found(
    fake: FakeLabelStudio, project: Project, fault: Fault
) -> None:
    project.tasks.bulk_create([{"text": "old"}])
    fake.fault("POST", f"/api/projects/{project.id}/import", fault)
    made = project.tasks.bulk_create([{"text": "a"}, {"text": "b"}, {"text": "a"}])
    assert made.summary.created == 3
    assert [task.data["text"] for task in project.tasks] == ["old", "a", "b", "a"]
