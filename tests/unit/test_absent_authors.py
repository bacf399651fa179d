"""Authors of annotations who left the organization, or whose account was deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm import LabelStudio, Project, User
from labelstudio_orm.migrate import UnknownUsers, copy_project, restore, snapshot
from labelstudio_orm.testing import FakeLabelStudio

EMAIL = "ann@example.com"


@pytest.fixture
def other() -> LabelStudio:
    """A client of another server."""
    return FakeLabelStudio("http://other.fake").client()


@pytest.fixture
def ann(ls: LabelStudio) -> User:
    return ls.users.create(email=EMAIL, username=EMAIL, first_name="Ann", last_name="Lee")


@pytest.fixture
def left(ls: LabelStudio, ann: User) -> Project:
    """A project with an annotation of a user who is not a member any more."""
    project = ls.projects.create(title="Left")
    project.tasks.bulk_create(
        [{"data": {"text": "a"}, "annotations": [{"result": [], "completed_by": ann.id}]}]
    )
    ls.request("DELETE", f"/api/organizations/1/memberships/{ann.id}/")
    assert EMAIL not in {user.email for user in ls.users}
    return project


def authors(project: Project) -> list[str]:
    """Return the addresses of the authors, as the annotations have them."""
    names = [one.created_username for one in project.annotations.iterator()]
    return [str(name).split(",")[0].split()[-1] for name in names]


def test_a_former_member_is_known_by_the_address(left: Project, other: LabelStudio) -> None:
    with pytest.raises(UnknownUsers) as caught:
        copy_project(left, to=other)
    assert caught.value.emails == [EMAIL]
    target = copy_project(left, to=other, missing_users="create").target
    assert target is not None
    assert authors(target) == [EMAIL]


def test_a_former_member_stays_the_author_on_the_same_server(
    left: Project, ls: LabelStudio
) -> None:
    target = copy_project(left, to=ls, title="Again").target
    assert target is not None
    assert authors(target) == authors(left)


def test_a_snapshot_has_the_address_of_a_former_member(
    left: Project, other: LabelStudio, tmp_path: Path
) -> None:
    assert snapshot(left, tmp_path / "left.zip").ok
    target = restore(tmp_path / "left.zip", other, missing_users={EMAIL: "create"}).target
    assert target is not None
    assert authors(target) == [EMAIL]


BOB = "bob@example.com"


@pytest.mark.parametrize(
    ("choice", "author"), [("refuse", None), ("create", None), ({}, None), ({None: BOB}, BOB)]
)
def test_another_user_stands_for_a_deleted_author(
    fake: FakeLabelStudio, ls: LabelStudio, other: LabelStudio, choice: Any, author: str | None
) -> None:
    """By default the current user."""
    other.users.create(email=BOB, username="bob")
    project = ls.projects.create(title="Deleted")
    project.tasks.bulk_create([{"data": {"text": "a"}, "annotations": [{"result": []}]}])
    fake.store.execute("UPDATE annotation SET completed_by_id = NULL")
    report = copy_project(project, to=other, missing_users=choice)
    assert report.target is not None
    (annotation,) = report.target.annotations
    assert annotation.completed_by is not None
    assert annotation.completed_by.email == (author or other.users.me().email)
    lost = {f"{loss.kind}.{loss.field}" for loss in report.losses}
    assert "annotations.completed_by" in lost
