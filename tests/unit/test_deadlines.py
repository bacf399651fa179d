"""A deadline bounds what was called as a whole, however many requests it sends."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from labelstudio_orm import LabelStudio, LabelStudioError, OutcomeUnknown, Timeout
from labelstudio_orm._engine.http import deadline
from labelstudio_orm._engine.http.transport import Retry, Transport
from labelstudio_orm._engine.reading.queryset import loaded
from labelstudio_orm.testing import FakeLabelStudio
from labelstudio_orm.testing.fake import FakeAdapter
from tests.law import fuzz_shapes
from tests.law.fuzz_shapes import ENTERPRISE, VERBS, World
from tests.unit.test_limits import SLOW, serving

CONFIG = """<View><Text name="text" value="$text"/>
<Choices name="mood" toName="text"><Choice value="Good"/><Choice value="Bad"/></Choices></View>"""


class Clock:
    """The time that deadlines are measured by; it goes on where it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(deadline, "time", found)
    return found


class Slow(FakeAdapter):
    """A server in memory that takes a second for each request."""

    clock: Clock
    seconds = 1.0

    def send(self, *args: Any, **options: Any) -> requests.Response:
        self.clock.sleep(self.seconds)
        return super().send(*args, **options)


class Slower:
    """A fake server with some tasks, and clients for which each of its answers takes a second."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.fake = clock, FakeLabelStudio()
        ls = self.fake.client()
        self.project = ls.projects.create(title="Slow", label_config=CONFIG).id
        tasks = ls.projects.ref(self.project).tasks
        self.tasks = tasks.bulk_create([{"text": f"t{n}"} for n in range(12)])

    def client(self, seconds: float | None, **options: Any) -> LabelStudio:
        session = requests.Session()
        session.trust_env = False
        adapter = Slow(self.fake)
        adapter.clock = self.clock
        session.mount(self.fake.url, adapter)
        retries = Retry(total=2, sleep=self.clock.sleep, random=lambda: 1.0)
        return LabelStudio(
            self.fake.url,
            self.fake.api_key,
            session=session,
            retries=retries,
            deadline=seconds,
            **options,
        )

    def settle(self) -> None:
        """Wait until no page is being read ahead, which a leap of the clock would strike."""
        asked = -1
        while asked != len(self.fake.requests):
            asked = len(self.fake.requests)
            time.sleep(0.05)

    def of(self, seconds: float | None, **options: Any) -> Any:
        return self.client(seconds, **options).projects.ref(self.project)


@pytest.fixture
def slower(clock: Clock) -> Slower:
    return Slower(clock)


# -- every verb -----------------------------------------------------------------------------------

SEVERAL_CALLS = {
    "server", "storage types", "annotations", "hotkeys", "set hotkeys", "token of me",
    "reset token", "invitation", "create token",
}  # fmt: skip
"""Rows of the table that call several verbs of one request, one after the other."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("edition", "async_jobs", "verbs"),
    [("Community", False, VERBS), ("Community", True, VERBS), ("Enterprise", True, ENTERPRISE)],
    ids=["Community", "with jobs", "Enterprise"],
)
def test_no_verb_goes_on_beyond_its_deadline(
    edition: str, async_jobs: bool, verbs: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer takes a second; after a second and a half no verb begins another request, but to
    put back what it has changed.
    """
    begun: list[Any] = []
    perform = Transport._perform

    def noted(self: Transport, call: Any, authorize: Any) -> Any:
        begun.append(deadline._allowance.get())
        if deadline.late():
            begun.pop()
        else:
            clock.sleep(1)
        return perform(self, call, authorize)

    monkeypatch.setattr(Transport, "_perform", noted)
    wrong = []
    with tempfile.TemporaryDirectory() as name:
        world = World(Path(name), edition, async_jobs)
        client = world.client
        monkeypatch.setattr(world, "client", lambda: client().using(deadline=1.5))
        for told, verb in verbs.items():
            world.ls = world.client()
            world.meddler.begin(random.Random(0), -1, False)
            begun.clear()
            try:
                verb(world)
            except (Timeout, OutcomeUnknown) as error:
                if "1.5 s, the deadline of " not in str(error):
                    wrong.append(f"{told}: {error}")
            except LabelStudioError as error:
                wrong.append(f"{told}: {error!r}")
            alone = begun.count(None)
            most = max(Counter(one for one in begun if one is not None).values(), default=0)
            if most > 2 or (alone > 1 and told not in SEVERAL_CALLS):
                wrong.append(f"{told}: {most} requests in one call, {alone} in none")
            if world.meddler.wrote or {*world.folder.iterdir()} != {*world.files}:
                world.restore()
    assert wrong == []


# -- loops ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 3])
def test_time_spent_in_the_body_of_a_loop_does_not_count(
    workers: int, slower: Slower, clock: Clock
) -> None:
    tasks = slower.of(8, page_size=3).tasks
    seen = []
    for task in tasks.iterator(workers=workers):
        slower.settle()
        clock.sleep(100)
        seen.append(task.id)
    assert seen == [task.id for task in slower.tasks]
    assert len(list(tasks.values_list("id", flat=True))) == 12


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("way", ["iterator", "pages", "list"])
def test_the_waits_of_a_loop_count_together(way: str, workers: int, slower: Slower) -> None:
    tasks = slower.of(1.5, page_size=2, workers=workers).tasks
    found = tasks.all() if way == "list" else getattr(tasks, way)()
    with pytest.raises(
        Timeout, match=r"listing Tasks of project 1 .*1.5 s, the deadline of a loop"
    ):
        list(found)


def test_calls_in_a_loop_have_their_own_time(slower: Slower) -> None:
    project = slower.of(1.5)
    for task in project.tasks.iterator():
        task.data["seen"] = True
        task.save()
    assert slower.fake.client().tasks.get(slower.tasks[-1].id).data["seen"] is True


def test_a_loop_that_is_left_lets_go_of_its_pages(slower: Slower) -> None:
    found = slower.of(100, page_size=3).tasks.iterator(workers=3)
    next(found)
    found.close()
    ends = time.monotonic() + 5
    while any("worker" in one.name for one in threading.enumerate()) and time.monotonic() < ends:
        time.sleep(0.01)
    assert not any("worker" in one.name for one in threading.enumerate())


def test_a_nested_call_may_have_less(slower: Slower) -> None:
    project = slower.of(100)
    less = project._client.using(deadline=0.5).projects.ref(project.id).tasks

    def items() -> Iterator[dict[str, Any]]:
        yield {"text": "a"}
        with pytest.raises(Timeout, match=r"0.5 s, the deadline of get_or_create\(\)"):
            less.get_or_create(data__text="nothing")
        yield {"text": "b"}

    assert project.tasks.bulk_create(items()).summary.created == 2


# -- bulk verbs tell what they did ----------------------------------------------------------------

BULK: dict[str, Any] = {
    "bulk_create": lambda p: p.tasks.bulk_create([{"text": "a"}] * 12, batch_size=1),
    "bulk_update": lambda p: p.tasks.bulk_update(edited(p)),
    "bulk_update by workers": lambda p: p.tasks.bulk_update(edited(p), workers=3),
    "update": lambda p: p.tasks.all().update(overlap=2),
    "update, collecting": lambda p: p.tasks.all().update(overlap=2, on_error="collect"),
    "create_annotations": lambda p: p.tasks.all().create_annotations([good()]),
    "delete annotations": lambda p: p.annotations.all().delete(),
    "bulk_create annotations": lambda p: p._client.tasks.ref(1).annotations.bulk_create(
        [{"result": [good()]} for _ in range(9)]
    ),
    "bulk_create predictions": lambda p: p.predictions.bulk_create(
        [(n, [good()], 0.5) for n in range(1, 10)], batch_size=1
    ),
}


def good() -> dict[str, Any]:
    return fuzz_shapes.good() | {"from_name": "mood"}


def edited(project: Any) -> list[Any]:
    tasks = [project._client.tasks.ref(n) for n in range(1, 10)]
    for task in tasks:
        task.overlap = 2
    return tasks


@pytest.mark.parametrize("verb", BULK)
def test_a_bulk_verb_tells_what_it_did(verb: str, slower: Slower) -> None:
    for task in slower.tasks:
        task.annotations.create(result=[good()])
    done = []
    for seconds in (4.5, 6.5):
        with pytest.raises((Timeout, OutcomeUnknown)) as caught:
            BULK[verb](slower.of(seconds))
        assert f"{seconds} s, the deadline of " in str(caught.value)
        assert caught.value.summary is not None
        done.append(int(caught.value.summary))
    assert all(done)


# -- waits, and what is put back ------------------------------------------------------------------


def test_a_wait_for_a_job_ends_at_the_deadline(
    slower: Slower, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = slower.of(5).exports.create(title="for ever")
    job._row["status"] = "in_progress"
    monkeypatch.setattr(type(job), "refresh", lambda _: clock.sleep(1))
    began = clock.now
    with pytest.raises(Timeout, match=r"is still in_progress: .*5 s, the deadline of wait\(\)"):
        job.wait()
    assert clock.now - began < 7  # a look that was begun before takes a second


def test_a_deadline_leaves_no_draft_off_its_annotation(slower: Slower) -> None:
    ls = slower.fake.client()
    annotation = slower.tasks[0].annotations.create(result=[good()])
    drafts = [
        ls.drafts.create(task=slower.tasks[0], annotation=annotation, result=[good()])
        for _ in range(3)
    ]
    for seconds in (0.5, 1.5, 2.5, 3.5):
        [mine] = loaded(slower.client(seconds).annotations, [annotation.raw])
        mine.result = []
        with pytest.raises(Timeout, match="the deadline of save"):
            mine.save()
        assert {one.refresh().annotation_id for one in drafts} == {annotation.id}
    mine = slower.client(100).annotations.get(annotation.id)
    mine.result = []
    mine.save()
    assert {one.refresh().annotation_id for one in drafts} == {annotation.id}


@pytest.mark.parametrize("slow", ["the body trickles", "nothing comes", "it is busy for ever"])
def test_a_verb_does_not_wait_for_what_trickles(slow: str) -> None:
    with serving(SLOW[slow]) as url:
        ls = LabelStudio(url, "0" * 40, timeout=60, deadline=0.3)
        began = time.monotonic()
        with pytest.raises(Timeout, match=r"refreshing <Project 1> .*the deadline of refresh\(\)"):
            ls.projects.ref(1).refresh()
        assert time.monotonic() - began < 1.5


def test_the_arguments_of_a_call_stay_in_no_frame_of_it() -> None:
    @deadline.one_call
    def fails(secret: str) -> None:
        del secret
        raise ValueError("no")

    with pytest.raises(ValueError, match="no") as caught:
        fails("canary")
    frame = caught.tb.tb_next
    assert frame is not None
    assert frame.tb_frame.f_code.co_name == "run"
    assert "canary" not in repr(frame.tb_frame.f_locals)
