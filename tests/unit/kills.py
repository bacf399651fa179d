"""Processes that are killed at one of their requests, and networks that lose or repeat one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from labelstudio_orm import LabelStudio, Project, Q, Retry
from labelstudio_orm.migrate import Report, copy_project
from labelstudio_orm.testing import FakeLabelStudio
from labelstudio_orm.testing.fake import FakeAdapter
from tests.conftest import CONFIG

WAITS = Retry(sleep=lambda seconds: None)
READS = ("GET", "HEAD")


class Killed(BaseException):
    """SIGKILL: nothing of the library may catch it."""


class Wire(FakeAdapter):
    """The way to a server. ``trouble(number)`` is called at each write, counted from 0."""

    def __init__(self, fake: FakeLabelStudio) -> None:
        super().__init__(fake)
        self.writes = 0
        self.trouble: Callable[[int], str] = lambda number: ""
        self.late: list[requests.PreparedRequest] = []
        self.reads_until_late = 0

    def strike(self, place: int, what: str) -> None:
        """Let one write go wrong.

        ``"before"`` and ``"after"`` kill the process there; so does ``"late"``, and the request
        arrives much later. ``"lost"`` loses the answer, ``"twice"`` repeats the request.
        """
        self.trouble = lambda number: what if number == place else ""

    def killed_later_each_time(self, run: Callable[[], Report]) -> Report:
        """Run again and again, each time killed one write later, until a run ends."""
        for place in range(100):
            how = ("before", "after")[place % 2]
            self.strike(self.writes + place, how)
            try:
                return run()
            except Killed:
                continue
        raise AssertionError("a hundred runs do not end")

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> Any:
        if self.late and request.method in READS:
            self.reads_until_late -= 1
            if self.reads_until_late <= 0:
                super().send(self.late.pop(0))
        if request.method in READS:
            return super().send(request, *args, **more)
        request = request.copy()
        if hasattr(request.body, "read"):  # a stream can be sent but once
            stream: Any = request.body
            request.body = stream.read()
        number, self.writes = self.writes, self.writes + 1
        what = self.trouble(number)
        if what == "before":
            raise Killed
        if what == "late":
            self.late.append(request)
            raise Killed
        answer = super().send(request, *args, **more)
        if what == "after":
            raise Killed
        if what == "lost":
            raise requests.exceptions.ConnectionError("the answer was lost", request=request)
        if what == "twice":
            return super().send(request, *args, **more)
        if what == "twice, first answer":
            super().send(request, *args, **more)
        return answer


class Servers:
    """A project with a bit of everything on one server, and an empty other one."""

    def __init__(self, tmp_path: Path) -> None:
        here, self.there = FakeLabelStudio("http://a.fake"), FakeLabelStudio("http://b.fake")
        self.there.ssrf_protection = False
        self.journal = tmp_path / "journal.db"
        self.wire = Wire(self.there)
        self.project = filled(here.client(), tmp_path)

    def client(self) -> LabelStudio:
        """A client as a new process would make it."""
        session = self.there.session()
        session.mount(self.there.url, self.wire)
        return self.there.client(session=session, retries=WAITS)

    def copy(self) -> Report:
        return copy_project(
            self.project, to=self.client(), journal=self.journal, missing_users="create"
        )

    def state(self) -> dict[str, Any]:
        """Return how much of what is on the other server, without ids."""
        ls = self.there.client()
        tables = ("project", "task", "annotation", "prediction", "draft", "view", "webhook")
        counts = {name: self.there.store.value(f"SELECT count(*) FROM {name}") for name in tables}
        files = [file.name.split("-", 1)[1] for one in ls.projects.all() for file in one.files]
        return {**counts, "files": files, "users": sorted(user.email for user in ls.users.all())}


def filled(ls: LabelStudio, folder: Path) -> Project:
    ann = ls.users.create(email="ann@example.com")
    project = ls.projects.create(title="Reviews", label_config=CONFIG, description="All of them")
    region = project.config["sentiment"].choice("Positive")
    project.tasks.bulk_create(
        {
            "data": {"text": f"review {number}"},
            "annotations": [{"result": [region], "completed_by": ann.id, "lead_time": 2.5}],
            "predictions": [{"result": [region], "score": 0.5, "model_version": "v1"}],
        }
        for number in range(7)
    )
    first, second, third, *_ = project.tasks.all()
    ls.drafts.create(task=first, result=[region])
    ls.drafts.create(task=first, result=[region])
    third.overlap = 3
    third.save()
    path = folder / "photo.png"
    path.write_bytes(b"a photo")
    second.data["image"] = f"/data/{project.files.upload(path).file}"
    second.save()
    project.views.create(title="Todo", filters=Q(annotators=ann.id))
    project.views.create(title="Todo", filters=Q(annotators=ann.id))
    project.webhooks.create(url="http://example.com/hook")
    return project
