"""Drafts of other people: no save of an annotation loses them, and no condition passes them by."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import requests

from labelstudio_orm import Annotation, BadRequest, Draft, FieldError, LabelStudio, Q
from labelstudio_orm.testing import FakeLabelStudio, LocalLabelStudio
from tests.helpers import client_of, present


def colleague(server: FakeLabelStudio | LocalLabelStudio, ls: LabelStudio) -> LabelStudio | None:
    """A client of somebody else on the real server."""
    if isinstance(server, FakeLabelStudio):
        return None
    invited = ls.request("GET", "/api/invite", doing="inviting")["token"]
    address = f"{server.url}/user/signup/?token={invited}"
    with requests.Session() as browser:
        page = browser.get(address, timeout=60).text
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert found is not None
        form = {
            "csrfmiddlewaretoken": found[1],
            "email": f"{uuid4().hex[:8]}@example.org",
            "password": "secret words",
            "allow_newsletters": "false",
            "how_find_us": "",
        }
        browser.post(address, data=form, headers={"Referer": address}, timeout=60)
        token = browser.get(f"{server.url}/api/current-user/token", timeout=60).json()["token"]
    return LabelStudio(server.url, token)


@pytest.fixture(params=["fake", "real"])
def server(request: pytest.FixtureRequest) -> Any:
    """A server in memory, then the real one."""
    return FakeLabelStudio() if request.param == "fake" else request.getfixturevalue("local")


@pytest.fixture
def ls(server: Any) -> LabelStudio:
    """The client who saves."""
    made: LabelStudio = server.client()
    return made


@pytest.fixture(scope="module")
def local() -> Any:
    """A real server; its own, since somebody joins it."""
    with LocalLabelStudio() as made:
        yield made


@pytest.fixture
def drafted(server: Any, ls: LabelStudio) -> Any:
    """A project whose only annotation has a draft of somebody else's, and the task another one."""
    project = ls.projects.create(
        title="Drafts",
        label_config='<View><Text name="text" value="$text"/><Choices name="sentiment" '
        'toName="text"><Choice value="Positive"/><Choice value="Negative"/></Choices></View>',
    )
    task = project.tasks.create(data={"text": "a"})
    project.tasks.create(data={"text": "b"})
    region = project.config["sentiment"].choice("Positive")
    annotation = task.annotations.create(result=[region])
    other = colleague(server, ls)
    drafts = (other or ls).drafts
    edit = drafts.create(task=task.id, annotation=annotation.id, result=[region], lead_time=2.5)
    alone = drafts.create(task=task.id, result=[region])
    if other is None:  # the server in memory knows one user: let another one own them
        bob = ls.users.create(username="bob", email="bob@example.org")
        for one in (edit, alone):
            server.store.update("draft", one.id, {"user_id": bob.id})
    else:
        other.close()
    yield project, annotation, edit, alone
    project.delete()


def rows(ls: LabelStudio, annotation: Annotation) -> list[dict[str, Any]]:
    found = []
    for draft in ls.drafts.filter(task=annotation.task_id):
        row = dict(draft.raw)
        for name in ("updated_at", "created_ago"):
            row.pop(name)
        found.append(row)
    return found


def save(annotation: Annotation) -> None:
    annotation.lead_time = 7.0
    annotation.save()


def save_all(annotation: Annotation) -> None:
    annotation.lead_time = 8.0
    present(annotation.project).annotations.bulk_update([annotation])


def update(annotation: Annotation) -> None:
    annotations = present(annotation.project).annotations
    annotations.all().update(completed_by=client_of(annotations).users.me(), ground_truth=True)


def relabel(annotation: Annotation) -> None:
    project = present(annotation.project)
    project.labels.rename("Negative", "Bad", control="sentiment")
    annotation.result[0]["value"]["choices"] = ["Bad"]
    annotation.save(fields=["result"])


SAVES: dict[str, Callable[[Annotation], Any]] = {
    "save": save,
    "save(force)": lambda one: one.save(force=True),
    "save(check)": lambda one: (setattr(one, "lead_time", 9.0), one.refresh(), save(one)),
    "bulk_update": save_all,
    "update": update,
    "update of a relation": lambda one: present(one.task).annotations.all().update(lead_time=3.0),
    "relabel": relabel,
}


def test_every_save_keeps_the_drafts_of_others(ls: LabelStudio, drafted: Any) -> None:
    _, annotation, edit, _ = drafted
    before = rows(ls, annotation)
    assert [row["annotation"] for row in before] == [annotation.id, None]
    assert before[0]["user"] != ls.users.me().email
    for name, saving in SAVES.items():
        saving(annotation.refresh())
        assert rows(ls, annotation) == before, name
    annotation.refresh().lead_time = 1.0
    annotation.save(keep_drafts=False)
    assert [row["id"] for row in rows(ls, annotation)] != [row["id"] for row in before]
    assert edit.id not in {row["id"] for row in rows(ls, annotation)}


def test_a_save_that_is_refused_keeps_them_too(ls: LabelStudio, drafted: Any) -> None:
    _, annotation, *_ = drafted
    before = rows(ls, annotation)
    annotation.result.append("Positive")
    with pytest.raises((TypeError, ValueError)):
        annotation.save()
    annotation.refresh().completed_by = 10**6
    with pytest.raises(BadRequest):
        annotation.save()
    assert rows(ls, annotation) == before


def test_a_save_that_died_gives_them_back_the_next_time(ls: LabelStudio, drafted: Any) -> None:
    _, annotation, edit, _ = drafted
    before = rows(ls, annotation)
    draft = ls.drafts.get(edit.id)
    draft.annotation, draft.import_id = None, -annotation.id  # as it is while one is saved
    draft.save()
    save(annotation)
    assert rows(ls, annotation) == before


def test_conditions_on_drafts_name_what_is_about_everybody(ls: LabelStudio, drafted: Any) -> None:
    project, annotation, *_ = drafted
    for ask in (
        lambda: project.tasks.filter(drafts__isnull=False),
        lambda: project.tasks.filter(drafts=[]),
        lambda: project.tasks.exclude(Q(drafts__result__label="Positive") | Q(id=1)),
        lambda: project.tasks.filter(drafts__user="bob@example.org"),
        lambda: project.tasks.order_by("-drafts"),
        lambda: project.tasks.get_or_create(drafts=None),
        lambda: ls.projects.filter(tasks__drafts__isnull=True),
    ):
        with pytest.raises(FieldError, match="draft_exists"):
            ask()
    assert [task.id for task in project.tasks.filter(draft_exists=True)] == [annotation.task_id]
    assert all(isinstance(one, Draft) for one in ls.drafts.filter(task=annotation.task_id))
