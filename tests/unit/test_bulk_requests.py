"""How many requests each bulk verb takes: the whole bill, in the order of the table's words."""

from __future__ import annotations

import gc
import json
import pickle
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from labelstudio_orm import (
    Conflict,
    Created,
    Failure,
    LabelStudio,
    LabelStudioError,
    Project,
    Summary,
    Task,
)
from labelstudio_orm._engine.bulk.workers import AHEAD, each
from labelstudio_orm.testing import FakeLabelStudio

IMPORT = "POST /api/projects/1/import"
LIST, PATCH, GET = "GET /api/tasks/", "PATCH /api/tasks/*", "GET /api/tasks/*"
KEYS = "GET /api/projects/*/summary/"  # asked once a project, for a key that its config has not

N = 60
"""Tasks in the project, "0.png" to "59.png"; the first ten of them in German."""


def items(start: int, stop: int) -> list[dict[str, Any]]:
    return [
        {
            "text": str(n),
            "image": f"{n}.png",
            "lang": "de" if n < 10 else "en",
            "n": n,
            "flag": n < 10,
        }
        for n in range(start, stop)
    ]


@pytest.fixture
def filled(project: Project, fake: FakeLabelStudio) -> Project:
    tasks = project.tasks.bulk_create(items(0, N))
    region = [project.config["sentiment"].choice("Positive")]
    project.predictions.bulk_create([(task, region, 0.5) for task in tasks], model_version="v1")
    project.predictions.bulk_create([(task, region, 0.5) for task in tasks[:3]] * 2)
    for _ in range(4):
        tasks[0].annotations.create(result=region)
    fake.requests.clear()
    return project


def region(project: Project) -> list[dict[str, Any]]:
    return [project.config["sentiment"].choice("Positive")]


def edited(tasks: list[Task]) -> list[Task]:
    for task in tasks:
        task.data["seen"] = True
    return tasks


def conflicting(project: Project, given: list[dict[str, Any]]) -> None:
    with pytest.raises(Conflict):
        project.tasks.bulk_create(given, key="data.image", on_conflict="error")


Verb = Callable[[Project], Any]
BILLS: dict[str, tuple[Verb, dict[str, int]]] = {
    "bulk_create": (
        lambda p: p.tasks.bulk_create(items(60, 160), batch_size=30),
        {LIST: 1, IMPORT: 4},
    ),
    "bulk_create: a stream": (
        lambda p: p.tasks.bulk_create(iter(items(60, 160)), batch_size=30),
        {LIST: 1, IMPORT: 4},
    ),
    "bulk_create: validated": (
        lambda p: p.tasks.bulk_create(items(60, 160), validate=True),
        {LIST: 1, IMPORT: 1},
    ),
    "skip: few items, looked up": (
        lambda p: p.tasks.bulk_create(items(50, 70), key="data.image", on_conflict="skip"),
        {LIST: 2, IMPORT: 1},
    ),
    "skip: more items, all tasks counted and listed": (
        lambda p: p.tasks.bulk_create(items(0, 400), key="data.image", on_conflict="skip"),
        {LIST: 3, IMPORT: 1},
    ),
    "skip: by what the server does not look for, all tasks listed": (
        lambda p: p.tasks.bulk_create(
            [{**item, "third": n + 1 / 3} for n, item in enumerate(items(50, 70))],
            key="data.third",
            on_conflict="skip",
        ),
        {LIST: 2, IMPORT: 1},
    ),
    "skip: by a number, looked up": (
        lambda p: p.tasks.bulk_create(items(50, 70), key="data.n", on_conflict="skip"),
        {LIST: 2, IMPORT: 1},
    ),
    "skip: a stream, all tasks listed": (
        lambda p: p.tasks.bulk_create(iter(items(0, 100)), key="data.image", on_conflict="skip"),
        {LIST: 2, IMPORT: 1},
    ),
    "skip: nothing is new": (
        lambda p: p.tasks.bulk_create(items(0, N), key="data.image", on_conflict="skip"),
        {LIST: 2},
    ),
    "skip: what is new comes in full batches": (
        lambda p: p.tasks.bulk_create(
            [item for pair in zip(items(0, 60), items(60, 120), strict=True) for item in pair],
            key="data.image",
            on_conflict="skip",
            batch_size=30,
        ),
        {LIST: 2, IMPORT: 2},
    ),
    "skip: into an empty project": (
        lambda p: (
            p.tasks.all().delete(),
            p.tasks.bulk_create(items(0, 100), key="data.image", on_conflict="skip"),
        ),
        {LIST: 2, IMPORT: 1, "DELETE /api/projects/*/tasks/": 1},
    ),
    "update: only what differs": (
        lambda p: p.tasks.bulk_create(
            [*items(0, 10), *({**item, "n": 1} for item in items(10, 15))],
            key="data.image",
            on_conflict="update",
        ),
        {LIST: 2, PATCH: 5},
    ),
    "error: nothing is sent": (
        lambda p: conflicting(p, items(59, 62)),
        {LIST: 2},
    ),
    "collect: one bad item of a thousand": (
        lambda p: p.tasks.bulk_create(
            [*items(0, 500), {"x": 1}, *items(501, 1000)], on_error="collect"
        ),
        {LIST: 1, IMPORT: 12},
    ),
    "collect: one that the server does not name, of 64": (
        lambda p: p.tasks.bulk_create(
            [
                {"data": item, "annotations": [{"result": [], "completed_by": 99}]}
                if n == 40
                else item
                for n, item in enumerate(items(0, 64))
            ],
            on_error="collect",
        ),
        {LIST: 1, IMPORT: 1 + 2 * 6},
    ),
    "bulk_create: others one by one": (
        lambda p: p.tasks[0].annotations.bulk_create([{"result": []}] * 7, workers=3),
        {LIST: 1, "POST /api/tasks/*/annotations/": 7},
    ),
    "bulk_update": (
        lambda p: p.tasks.bulk_update(edited(list(p.tasks))[:7] + list(p.tasks), workers=3),
        {LIST: 2, PATCH: 7},
    ),
    "update: a key is read again first": (
        lambda p: p.tasks.filter(data__lang="de").update(data__split=1),
        {KEYS: 1, LIST: 1 + 1, PATCH: 10},
    ),
    "update: a text under a key of data": (
        lambda p: p.tasks.filter(data__lang="de").update(data__split="a", data__seen="b"),
        {KEYS: 1, LIST: 1, "POST /api/dm/actions/": 2},
    ),
    "update: a text under a key that the labelling config shows": (
        lambda p: p.tasks.filter(data__lang="de").update(data__text="a"),
        {KEYS: 1, LIST: 1 + 1, PATCH: 10},
    ),
    "update: by workers": (
        lambda p: p.tasks.filter(data__lang="de").update(data__split=1, workers=4),
        {KEYS: 1, LIST: 1 + 1, PATCH: 10},
    ),
    "update: more than are read again at once, at first": (
        lambda p: p.tasks.all().update(data__split=1),
        {LIST: 1 + 2, PATCH: N},
    ),
    "update: a whole field is not": (
        lambda p: p.tasks.filter(data__lang="de").update(overlap=2, workers=4),
        {KEYS: 1, LIST: 1, PATCH: 10},
    ),
    "update: what has the value already": (
        lambda p: p.tasks.all().update(data__lang="de"),
        {LIST: 1, "POST /api/dm/actions/": 1},
    ),
    "update: a slice": (
        lambda p: p.tasks.all()[:3].update(data__split=["a"]),
        {LIST: 1 + 1, PATCH: 3},
    ),
    "update: another resource": (
        lambda p: p.predictions.filter(model_version="v1").update(score=1.0),
        {"GET /api/predictions/": 1, "PATCH /api/predictions/*": N},
    ),
    "delete: all tasks": (
        lambda p: p.tasks.all().delete(),
        {LIST: 1, "DELETE /api/projects/*/tasks/": 1},
    ),
    "delete: some tasks": (
        lambda p: p.tasks.filter(data__lang="de").delete(),
        {KEYS: 1, LIST: 1, "POST /api/dm/actions/": 1, "DELETE /api/tasks/*": 1},
    ),
    "delete: tasks that the server finds": (
        lambda p: p.tasks.filter(total_annotations=0).delete(),
        {LIST: 1, "POST /api/dm/actions/": 1, "DELETE /api/tasks/*": 1},
    ),
    "delete: by numbers in data": (
        lambda p: p.tasks.filter(data__n__in=[1, 2, 3]).delete(),
        {KEYS: 1, LIST: 1, "POST /api/dm/actions/": 1, "DELETE /api/tasks/*": 1},
    ),
    "delete: by a flag in data, which no text is": (
        lambda p: p.tasks.filter(data__flag=True).delete(),
        {KEYS: 1, LIST: 2, "POST /api/dm/actions/": 1, "DELETE /api/tasks/*": 1},
    ),
    "delete: by numbers below another, where all are numbers": (
        lambda p: p.tasks.filter(data__n__lt=10).delete(),
        {KEYS: 1, LIST: 2, "POST /api/dm/actions/": 1, "DELETE /api/tasks/*": 1},
    ),
    "delete: by a part of a text, where all are texts": (
        lambda p: p.tasks.filter(data__lang__contains="e").delete(),
        {KEYS: 1, LIST: 2, "POST /api/dm/actions/": 1, "DELETE /api/tasks/*": 1},
    ),
    "delete: by ids": (
        lambda p: p.tasks.filter(id__in=range(1, 400)).delete(),
        {LIST: 2, "POST /api/dm/actions/": 1, "DELETE /api/tasks/*": 1},
    ),
    "delete: what is checked here": (
        lambda p: p.tasks.filter(data__text__regex="1").delete(),
        {KEYS: 2, LIST: 1, "POST /api/dm/actions/": 1, "DELETE /api/tasks/*": 1},
    ),
    "delete: one task": (
        lambda p: p.tasks.filter(data__text="7").delete(),
        {KEYS: 1, LIST: 1, "DELETE /api/tasks/*": 1},
    ),
    "delete: no task": (lambda p: p.tasks.filter(id__in=[]).delete(), {}),
    "delete: a version of predictions": (
        lambda p: p.predictions.filter(model_version="v1").delete(),
        {"GET /api/predictions/": 1, "DELETE /api/projects/*/model-versions/": 1},
    ),
    "delete: all predictions": (
        lambda p: p.predictions.all().delete(workers=2),
        {
            "GET /api/predictions/": 1,
            "DELETE /api/predictions/*": 3,
            "DELETE /api/projects/*/model-versions/": 2,
        },
    ),
    "delete: some predictions": (
        lambda p: p.predictions.filter(score=0.5, model_version="undefined").delete(),
        {"GET /api/predictions/": 1, "DELETE /api/predictions/*": 6},
    ),
    "delete: annotations": (
        lambda p: p.annotations.all().delete(workers=2),
        {LIST: 1, "DELETE /api/annotations/*": 4},
    ),
    "perform": (
        lambda p: p.tasks.all().perform("delete_tasks_predictions"),
        {"POST /api/dm/actions/": 1},
    ),
    "create_annotations": (
        lambda p: p.tasks.filter(data__lang="de").create_annotations(region(p), workers=3),
        {
            KEYS: 1,
            LIST: 1,
            "POST /api/annotations/bulk": 1,
            "POST /api/tasks/*/annotations/": 10,
        },
    ),
    "predictions.bulk_create": (
        lambda p: p.predictions.bulk_create(
            [(n, region(p), 0.5) for n in range(1, N + 1)], batch_size=25
        ),
        {"GET /api/projects/*/": 1, "POST /api/projects/*/import/predictions": 3},
    ),
    "predictions.bulk_create: what is not there": (
        lambda p: [
            p.predictions.bulk_create(
                [(n, region(p), 0.5) for n in range(1, N + 1)], on_conflict="skip"
            )
            for _ in range(2)
        ],
        {LIST: 2, "GET /api/projects/*/": 3, "POST /api/projects/*/import/predictions": 1},
    ),
    "delete_duplicates": (
        lambda p: p.predictions.all().delete_duplicates(),
        {"GET /api/predictions/": 1, "DELETE /api/predictions/*": 3},
    ),
    "predictions.bulk_create: one of another project": (
        lambda p: p.predictions.bulk_create(
            [(n, region(p), 0.5) for n in (*range(1, 8), 999)], on_error="collect"
        ),
        {"GET /api/projects/*/": 1, "POST /api/projects/*/import/predictions": 7},
    ),
}


@pytest.mark.parametrize("name", BILLS)
def test_each_verb_sends_the_requests_of_its_bill(
    filled: Project, fake: FakeLabelStudio, name: str
) -> None:
    act, bill = BILLS[name]
    act(filled)
    asked = Counter(_kind(one.method, one.path) for one in fake.requests)
    assert asked == {_plain(kind): number for kind, number in bill.items()}


def _kind(method: str, path: str) -> str:
    return f"{method} " + "/".join("*" if part.isdigit() else part for part in path.split("/"))


def _plain(kind: str) -> str:
    method, path = kind.split(" ")
    path = "/".join("*" if part.isdigit() else part for part in path.split("/"))
    return f"{method} {path}" + "/" * path.endswith("/*")


# -- imports go one after the other, the others by workers ----------------------------------------


class Busy:
    """How many requests were under way at once, by their methods."""

    def __init__(self, fake: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch) -> None:
        self.most: Counter[str] = Counter()
        self._now: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._meet = threading.Condition(self._lock)
        self._handle = fake.handle
        monkeypatch.setattr(fake, "handle", self.handle)

    def handle(self, method: str, *rest: Any) -> Any:
        with self._meet:
            self._now[method] += 1
            self.most[method] = max(self.most[method], self._now[method])
            self._meet.notify_all()
            # Whoever could have company waits for it a moment.
            self._meet.wait_for(lambda: self.most[method] > 1, timeout=0.05)
        try:
            return self._handle(method, *rest)
        finally:
            with self._lock:
                self._now[method] -= 1


def test_imports_go_one_after_the_other_and_the_rest_by_workers(
    filled: Project, fake: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = Busy(fake, monkeypatch)
    filled.tasks.bulk_create(items(100, 120), batch_size=5, workers=4)
    assert busy.most["POST"] == 1
    filled.tasks.filter(data__lang="de").update(data__split=1, workers=4)
    assert 2 <= busy.most["PATCH"] <= 4
    filled.annotations.all().delete(workers=2)
    assert busy.most["DELETE"] == 2
    with pytest.raises(ValueError, match="workers must be a positive integer"):
        filled.tasks.all().update(data__split="b", workers=0)
    for size in ("batch_size", "batch_bytes"):
        none: dict[str, Any] = {size: 0}
        with pytest.raises(ValueError, match=f"{size} must be a positive integer, not 0"):
            filled.tasks.bulk_create(items(1, 2), **none)
    with pytest.raises(ValueError, match="batch_size must be a positive integer"):
        filled.predictions.bulk_create([], batch_size=1.5)  # type: ignore[arg-type]


def test_the_workers_of_the_client_are_the_default(
    fake: FakeLabelStudio, filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = Busy(fake, monkeypatch)
    ls = fake.client(workers=3)
    ls.tasks.filter(project=filled.id).all().update(overlap=2)
    assert busy.most["PATCH"] == 3


# -- the workers themselves -----------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_no_more_is_taken_than_is_about_to_be_done(workers: int) -> None:
    taken = 0

    def source() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    seen = []
    for outcome in each(source(), lambda n: n * n, workers=workers):
        seen.append(outcome.value)
        assert taken - len(seen) <= AHEAD * workers
        if len(seen) == 50:
            break
    assert seen == [n * n for n in range(1, 51)]


@pytest.mark.parametrize("workers", [1, 4])
def test_what_was_done_is_told_also_when_something_fails(workers: int) -> None:
    done = []

    def do(n: int) -> int:
        if n == 10:
            raise ValueError(n)
        done.append(n)
        return n

    outcomes = list(each(range(100), do, workers=workers))
    assert sorted(done) == [one.value for one in outcomes if one.error is None]
    assert [one.place for one in outcomes if one.error] == [10]
    assert len(outcomes) <= 11 + AHEAD * workers

    def source() -> Iterator[int]:
        yield from range(5)
        raise KeyError("the source")

    done.clear()
    told: list[Any] = []
    with pytest.raises(KeyError):
        told.extend(one.value for one in each(source(), do, workers=workers))
    assert sorted(done) == sorted(range(len(done)))
    every = list(each(range(100), do, workers=workers, until=lambda error: False))
    assert [one.place for one in every] == list(range(100))


def test_the_same_object_is_never_saved_twice_at_once(
    filled: Project, fake: FakeLabelStudio
) -> None:
    task = filled.tasks[0]
    task.data["n"] = 1
    done = filled.tasks.bulk_update([task] * 9, workers=4)
    assert (done.updated, done.skipped) == (1, 8)


# -- what a summary is ----------------------------------------------------------------------------


def test_a_summary_is_a_number_and_tells() -> None:
    failed = (Failure(3, {"a": 1}, "too long"),)
    found = Summary(created=2, updated=1, deleted=1, skipped=5, failed=failed)
    assert (found, found + 1, f"{found} tasks", str(found)) == (4, 5, "4 tasks", "4")
    assert repr(found) == "<Summary: 2 created, 1 updated, 1 deleted, 5 skipped, 1 failed>"
    assert repr(Summary()) == "<Summary: nothing to do>"
    assert not Summary(skipped=3)
    again = pickle.loads(pickle.dumps(found))
    assert (again, vars(again)) == (found, vars(found))
    assert "too long" in repr(again.failed)
    made: Created[Task] = Created([], found)
    assert pickle.loads(pickle.dumps(made)).summary == 4


def test_an_error_tells_what_was_done_before_it(
    ls: LabelStudio, filled: Project, fake: FakeLabelStudio
) -> None:
    tasks = edited(list(filled.tasks))
    ls.tasks.ref(tasks[5].id).delete()
    with pytest.raises(LabelStudioError) as raised:
        filled.tasks.bulk_update(tasks)
    assert raised.value.summary == Summary(updated=5)
    assert repr(raised.value.summary) == "<Summary: 5 updated>"


# -- a dry run ------------------------------------------------------------------------------------


def test_the_exchange_of_a_token_is_no_write(
    ls: LabelStudio, filled: Project, fake: FakeLabelStudio
) -> None:
    token = ls.tokens.create().token
    mine = LabelStudio(fake.url, token, session=fake.session())
    fake.requests.clear()
    with mine.dry_run() as plan:
        assert mine.tokens.refresh(token)
        assert mine.projects.count() == 1
        mine.tokens.blacklist(token)
        assert mine.tokens.rotate(token).token != token
    paths = [(one.method, one.path) for one in fake.requests]
    assert paths == [("POST", "/api/token/refresh/")] * 2 + [("GET", "/api/projects/")]
    assert [write.path for write in plan.writes] == ["/api/token/blacklist/", "/api/token/rotate/"]
    assert token not in repr(plan.writes)
    assert ls.tokens.all() != []


# -- a server that is busy -------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 5])
def test_an_import_that_lost_annotations_is_done_again(
    fake: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """A real server answers 201 then, with annotation_count 0: its database was locked, and it
    began anew after it had taken the annotations out of the tasks.
    """
    handle, left = fake.handle, [None] * times

    def busy(method: str, path: str, query: str, headers: Any, body: bytes) -> Any:
        if path.endswith("/import") and left:
            left.pop()
            body = json.dumps([{"data": task["data"]} for task in json.loads(body)]).encode()
        return handle(method, path, query, headers, body)

    monkeypatch.setattr(fake, "handle", busy)
    project = fake.client().projects.create(title="Busy")
    items = [{"data": {"n": n}, "annotations": [{"result": []}]} for n in range(3)]
    if times == 1:
        made = project.tasks.bulk_create(items)
        assert [task.id for task in project.tasks] == [task.id for task in made]
        assert [len(task.annotations) for task in project.tasks] == [1, 1, 1]
    else:
        with pytest.raises(LabelStudioError, match="without their annotations"):
            project.tasks.bulk_create(items)
        assert project.tasks.count() == 0


@pytest.mark.parametrize("returning", [True, False])
def test_an_import_keeps_its_objects_where_they_are_wanted(
    project: Project, returning: bool
) -> None:
    held = []

    def count(done: int, total: int | None) -> None:
        held.append(sum(isinstance(one, Task) for one in gc.get_objects()))

    made = project.tasks.bulk_create(
        iter(items(0, 300)), returning=returning, batch_size=50, progress=count
    )
    assert len(made) == (300 if returning else 0)
    assert made.summary.created == project.tasks.count() == 300
    assert (held[-1] - held[0] < 100) is not returning
    again = project.tasks.bulk_create(
        [*items(0, 300), *items(300, 302), *items(301, 302)],
        returning=returning, key="data.image", on_conflict="skip",
    )  # fmt: skip
    assert (again.summary.created, again.summary.skipped) == (2, 301)
    assert len(again) == (303 if returning else 0)


@pytest.mark.parametrize("on_conflict", [None, "skip"])
def test_predictions_of_a_generator_are_sent_as_they_come(
    filled: Project, fake: FakeLabelStudio, on_conflict: Any
) -> None:
    tasks = list(filled.tasks)
    sent = []

    def guesses() -> Iterator[Any]:
        for task in [*tasks[:25], *tasks[:5]]:
            sent.append(sum("import/predictions" in one.path for one in fake.requests))
            yield task, region(filled), 0.5

    done = filled.predictions.bulk_create(
        guesses(), model_version="v9", on_conflict=on_conflict, batch_size=10
    )
    assert sent == [0] * 10 + [1] * 10 + [2] * 10
    repeated = 0 if on_conflict is None else 5
    assert (done.created, done.skipped) == (30 - repeated, repeated)
    assert filled.predictions.filter(model_version="v9").count() == 30 - repeated


def test_annotations_that_are_deleted_are_listed_by_their_ids(
    filled: Project, fake: FakeLabelStudio
) -> None:
    assert filled.annotations.all().delete() == 4
    [listing] = [one for one in fake.requests if one.path == "/api/tasks/"]
    assert set(listing.query["include"].split(",")) == {"annotations", "annotations.id", "id"}
