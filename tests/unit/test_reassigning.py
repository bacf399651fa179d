"""Annotations that are given to another author."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labelstudio_orm import LabelStudio, Project, Q, User
from labelstudio_orm.testing import FakeLabelStudio, Fault
from tests.conftest import CONFIG


@pytest.fixture
def ann(ls: LabelStudio) -> User:
    return ls.users.create(email="ann@example.org")


@pytest.fixture
def bob(ls: LabelStudio) -> User:
    return ls.users.create(email="bob@example.org")


@pytest.fixture
def project(ls: LabelStudio, ann: User, bob: User) -> Project:
    made = ls.projects.create(title="Authors", label_config=CONFIG)
    for n, task in enumerate(made.tasks.bulk_create([{"text": str(n), "n": n} for n in range(4)])):
        for author in (ann, bob):
            task.annotations.create(
                result=[made.config["sentiment"].choice("Positive")], completed_by=author
            )
        assert n == task.data["n"]
    return made


def authors(project: Project) -> list[int | None]:
    return [one.completed_by_id for one in project.annotations]


def test_the_annotations_of_one_author_get_another(
    project: Project, ls: LabelStudio, ann: User, bob: User, tmp_path: Path
) -> None:
    bobs = list(project.annotations.filter(completed_by=bob))
    ls.drafts.create(task=bobs[0].task_id, annotation=bobs[0], result=[])
    path = tmp_path / "authors.jsonl"
    with ls.dry_run():
        project.reassign(bob, to=ann, backup=path)
    assert not path.exists()

    some = Q(task__in=[one.task_id for one in bobs[:2]])
    assert repr(project.reassign(bob, to=ann, where=some, backup=path)) == "<Summary: 2 updated>"
    assert authors(project).count(bob.id) == 2
    assert project.reassign(bob, to=ann, backup=path).updated == 2
    assert authors(project) == [ann.id] * 8
    (draft,) = ls.drafts.filter(task=bobs[0].task_id)
    assert draft.annotation_id == bobs[0].id
    assert [one.result for one in project.annotations.filter(id=bobs[0].id)] == [bobs[0].result]

    rows = [json.loads(line) for line in path.read_text().splitlines()]
    wanted = [{"id": one.id, "task": one.task_id, "completed_by": bob.id} for one in bobs]
    assert rows == wanted
    project.reassign(ann, to=bob, where=Q(id__in=[row["id"] for row in rows]))
    assert {one.id for one in project.annotations.filter(completed_by=bob)} == {
        one.id for one in bobs
    }


def test_a_run_that_was_stopped_is_repeated(
    project: Project, fake: FakeLabelStudio, ann: User, bob: User, tmp_path: Path
) -> None:
    path = tmp_path / "authors.jsonl"
    fake.fault("PATCH", "/api/annotations/*/", Fault.answer(403, {}), times=1, after=1)
    done = project.reassign(bob, to=ann, backup=path, on_error="collect", workers=1)
    assert (done.updated, len(done.failed)) == (3, 1)
    assert project.reassign(bob, to=ann, backup=path).updated == 1
    assert authors(project) == [ann.id] * 8
    assert len({json.loads(line)["id"] for line in path.read_text().splitlines()}) == 4


def test_an_author_is_not_reassigned_to_themselves(project: Project, bob: User) -> None:
    with pytest.raises(ValueError, match="are theirs already"):
        project.reassign(bob, to=bob.id)
