"""A dedupe or a merge that is killed at any of its requests and begun again ends like one that was
not killed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from labelstudio_orm import LabelStudio, LabelStudioError, Project
from labelstudio_orm.migrate import Report, dedupe, merge
from labelstudio_orm.testing import FakeLabelStudio
from tests.conftest import CONFIG
from tests.unit.kills import WAITS, Killed, Wire


class World:
    """Two projects with annotations of the same texts; the first has some texts several times."""

    def __init__(self) -> None:
        self.fake = FakeLabelStudio()
        self.wire = Wire(self.fake)
        ls = self.fake.client()
        region = {"from_name": "sentiment", "to_name": "text", "type": "choices"}

        def said(author: int, seconds: float) -> dict[str, Any]:
            result = [{"id": "r", **region, "value": {"choices": ["Positive"]}}]
            return {"result": result, "completed_by": author, "lead_time": seconds}

        for email in ("ann@example.com", "bob@example.com"):
            ls.users.create(email=email)
        for number, texts in enumerate(("abacbaa", "bcde")):
            project = ls.projects.create(title=f"Project {number}", label_config=CONFIG)
            project.tasks.bulk_create(
                {
                    "data": {"text": text},
                    "annotations": [said(2, place), said(3, number)],
                    "predictions": [{"result": said(2, 0)["result"], "model_version": text}],
                }
                for place, text in enumerate(texts)
            )
            task = project.tasks[1]
            ls.drafts.create(task=task, result=[], lead_time=float(number))

    def client(self) -> LabelStudio:
        """A client as a new process would make it."""
        session = self.fake.session()
        session.mount(self.fake.url, self.wire)
        return self.fake.client(session=session, retries=WAITS)

    def dedupe(self) -> Report:
        return dedupe(self.client().projects.get(1), "data.text")

    def merge(self) -> Report:
        ls = self.client()
        one, two = ls.projects.get(1), ls.projects.get(2)
        return merge([one, two], into=one, key="data.text", prefer="last")

    def merge_into_a_new_one(self) -> Report:
        ls = self.client()
        into = ls.projects.filter(title="Both").first()
        if into is None:
            into = self.fake.client().projects.create(title="Both", label_config=CONFIG)
            into = ls.projects.get(into.id)
        return merge([ls.projects.get(1), ls.projects.get(2)], into=into, key="data.text")

    def state(self) -> dict[str, Any]:
        """What each project has of each text."""
        ls = self.fake.client()
        found: dict[str, Any] = {}
        for project in ls.projects.order_by("id"):
            found[str(project.title)] = sorted(_content(ls, project))
        return found


def _content(ls: LabelStudio, project: Project) -> list[Any]:
    return [
        (
            task.data["text"],
            sorted((one.completed_by_id, one.lead_time) for one in task.annotations),
            sorted(str(one.model_version) for one in task.predictions),
            sorted(str(one.lead_time) for one in ls.drafts.filter(task=task)),
        )
        for task in project.tasks.prefetch("annotations", "predictions")
    ]


JOBS: dict[str, Callable[[World], Report]] = {
    "dedupe": World.dedupe,
    "merge": World.merge,
    "merge into a new one": World.merge_into_a_new_one,
}


def undisturbed(job: Callable[[World], Report]) -> tuple[int, dict[str, Any]]:
    world = World()
    assert job(world).ok
    return world.wire.writes, world.state()


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["before", "after", "lost"])
@pytest.mark.parametrize("name", JOBS)
def test_killed_at_each_write_and_begun_again(name: str, trouble: str) -> None:
    job = JOBS[name]
    writes, state = undisturbed(job)
    assert writes > 2
    for number in range(writes):
        world = World()
        world.wire.strike(number, trouble)
        with suppress(Killed, LabelStudioError):
            job(world)
        world.wire.trouble = lambda place: ""
        report = job(world)
        assert report.ok, f"at write {number}: {report}"
        assert world.state() == state, f"at write {number}"


@pytest.mark.parametrize("name", JOBS)
def test_killed_later_each_time(name: str) -> None:
    job = JOBS[name]
    _, state = undisturbed(job)
    world = World()
    report = world.wire.killed_later_each_time(lambda: job(world))
    assert report.ok, str(report)
    assert world.state() == state


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["twice", "twice, first answer"])
def test_an_import_that_the_network_repeats_is_merged_once(trouble: str) -> None:
    job = JOBS["merge into a new one"]
    writes, state = undisturbed(job)
    for number in range(writes):
        world = World()
        world.wire.strike(number, trouble)
        report = job(world)
        assert report.ok, f"at write {number}: {report}"
        found = world.state()
        for *_, drafts in found["Both"]:
            drafts[:] = sorted(set(drafts))  # nothing tells a draft from its duplicate
        assert found == state, f"at write {number}"


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["twice", "twice, first answer"])
def test_an_annotation_that_the_network_repeats_is_moved_once(trouble: str) -> None:
    job = JOBS["dedupe"]
    writes, state = undisturbed(job)
    for number in range(writes):
        world = World()
        world.wire.strike(number, trouble)
        assert job(world).ok
        assert [task[:2] for task in world.state()["Project 0"]] == [
            task[:2] for task in state["Project 0"]
        ]
