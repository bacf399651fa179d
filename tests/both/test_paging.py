"""Reading tasks: with workers, a page at a time, in partitions; whole, in order, each one once."""

from __future__ import annotations

import gc
import json
import pickle
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import pytest

import labelstudio_orm
from labelstudio_orm import (
    ConnectionFailed,
    LabelStudio,
    LabelStudioError,
    Project,
    Q,
    QuerySet,
    ServerError,
    Task,
)
from labelstudio_orm._engine.http import connection
from labelstudio_orm._engine.pages import ranges as stretches
from labelstudio_orm._engine.pages.parallel import THREADS
from labelstudio_orm._engine.reading.selection import query_of
from labelstudio_orm.testing import FakeLabelStudio, Fault, LocalLabelStudio
from tests.helpers import present

Asked = Callable[[], list[str]]


@pytest.fixture(params=["fake", "real"])
def ls(request: pytest.FixtureRequest) -> Iterator[LabelStudio]:
    """A client of the server in memory, over sockets here too, then one of the real server."""
    if request.param == "fake":
        fake = FakeLabelStudio()
        with fake.serve() as url:
            fake.url = url
            yield LabelStudio(url, fake.api_key)
    else:
        server: LocalLabelStudio = request.getfixturevalue("server")
        with server.client() as found:
            yield found


@pytest.fixture
def filled(project: Project) -> Project:
    """Sixty tasks with awkward ids: two runs, and holes in them."""
    choice = project.config["sentiment"].choice
    for part in range(2):
        project.tasks.bulk_create(
            {
                "data": {"text": f"{part} {n}", "n": n % 7, "open": "yes" if n % 3 else "no"},
                "annotations": [{"result": [choice("Positive")]}] * (n % 2),
            }
            for n in range(40)
        )
    ids = list(project.tasks.values_list("id", flat=True))
    project.tasks.filter(id__in=[*ids[5:15], *ids[38:43], *ids[60:65]]).delete()
    assert project.tasks.count() == 60
    return project


def workers() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith(f"{THREADS}-worker")]


def assert_no_workers() -> None:
    """They end after the request that they are at."""
    for one in workers():
        one.join(60)
        assert not one.is_alive()


# -- workers --------------------------------------------------------------------------------------

QUERIES: dict[str, Callable[[Project], QuerySet[Any]]] = {
    "everything": lambda p: p.tasks,
    "falling": lambda p: p.tasks.order_by("-id"),
    "exact": lambda p: p.tasks.filter(total_annotations=0),
    "checked here": lambda p: p.tasks.filter(data__n__lte=3),
    "in part": lambda p: p.tasks.filter(total_annotations=1, data__n__lte=4),
    "or": lambda p: p.tasks.filter(Q(total_annotations=1) | Q(inner_id__lt=20)),
    "or of and": lambda p: p.tasks.filter(
        Q(total_annotations=1, inner_id__gt=9) | Q(inner_id__lt=20, total_predictions=0)
    ),
    "none": lambda p: p.tasks.filter(total_annotations=5),
    "slice": lambda p: p.tasks[7:48],
    "slice to the end": lambda p: p.tasks.order_by("-id")[13:],
    "slice beyond the end": lambda p: p.tasks[50:90],
    "slice of what is checked": lambda p: p.tasks.exclude(data__open__contains="no")[3:30],
    "only": lambda p: p.tasks.only("data"),
    "prefetch": lambda p: p.tasks.prefetch("annotations"),
    "related": lambda p: p.tasks.filter(annotations__was_cancelled=False),
    "another order": lambda p: p.tasks.order_by("-data__n", "data__text"),
    "slice of another order": lambda p: p.tasks.filter(total_annotations=0).order_by("data__n")[
        9:31
    ],
    "ids": lambda p: p.tasks.filter(id__in=[one.id for one in p.tasks][::2]),
    "annotations": lambda p: p.annotations,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", QUERIES)
def test_workers_give_what_one_gives(
    ls: LabelStudio, filled: Project, name: str, part: int
) -> None:
    queryset = QUERIES[name](filled)
    ls.page_size = 100
    alone = [one.raw for one in queryset.iterator(workers=1)]
    assert bool(alone) == (name != "none")
    few = 4 if part == 1 else 10
    for size, number in ((few, 3), (100, 2)):
        ls.page_size = size
        assert [one.raw for one in queryset.iterator(workers=number)] == alone
    ls.workers = 3
    assert [one.raw for one in queryset] == alone
    assert [one.raw for page in queryset.pages() for one in page] == alone
    assert_no_workers()


@pytest.mark.parametrize("falling", [False, True])
def test_with_workers_a_loop_visits_each_task_that_exists_throughout_once(
    ls: LabelStudio, project: Project, falling: bool
) -> None:
    """While another thread adds and deletes tasks, and saves some out of the filter."""
    ls.page_size = 6
    rand = random.Random(4)
    made = project.tasks.bulk_create([{"text": str(n), "open": "yes"} for n in range(120)])
    ids = [task.id for task in made]
    touched: set[int] = set()
    stop, begun = threading.Event(), threading.Event()

    def disturb() -> None:
        for task in rand.sample(made, 60):
            if stop.is_set():
                return
            touched.add(task.id)
            if rand.random() < 0.6:
                task.delete()
            else:
                task.data["open"] = "no"
                task.save()
            project.tasks.bulk_create([{"text": "new", "open": "yes"}] * rand.randint(1, 3))
            begun.set()

    other = threading.Thread(target=disturb)
    stream = project.tasks.filter(data__open="yes").order_by("-id" if falling else "id")
    seen: list[Any] = []
    for task in stream.iterator(workers=4):
        if not seen:
            other.start()
            assert begun.wait(60)
        seen.append(task.id)
    stop.set()
    other.join(60)
    assert touched
    assert seen == sorted(set(seen), reverse=falling)
    assert set(ids) - touched <= set(seen)
    assert_no_workers()


def test_the_first_page_is_asked_for_alone(ls: LabelStudio, filled: Project, asked: Asked) -> None:
    ls.page_size, ls.workers = 10, 4
    asked()
    assert filled.tasks.first() == next(filled.tasks.iterator())
    assert filled.tasks.exists()
    assert filled.tasks[4]
    assert len(filled.tasks[2:9]) == 7
    assert asked() == ["GET /api/tasks/"] * 5
    assert workers() == []


def test_whoever_leaves_a_loop_stops_the_workers(ls: LabelStudio, filled: Project) -> None:
    ls.page_size = 2
    for task in filled.tasks.iterator(workers=4):
        if task.data["n"] == 3:
            break
    stream = filled.tasks.iterator(workers=4)
    assert [next(stream) for _ in range(5)] == list(filled.tasks[:5])
    assert workers()
    del stream
    gc.collect()

    def fail() -> None:
        for task in filled.tasks.iterator(workers=4):
            task.id / (task.data["n"] - 4)

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(filled.tasks.exclude(data__open__contains="no")[:5].iterator(workers=4))
    assert_no_workers()


# -- pages ----------------------------------------------------------------------------------------


def test_pages_are_the_pages_of_the_server(ls: LabelStudio, filled: Project, asked: Asked) -> None:
    ls.page_size = 25
    everything = list(filled.tasks)
    stream = filled.tasks.pages()
    asked()
    first = next(stream)
    assert asked() == ["GET /api/tasks/"]
    assert [first, *stream] == [everything[:25], everything[25:50], everything[50:]]
    assert asked() == ["GET /api/tasks/"] * 2
    assert list(filled.tasks[20:40].pages()) == [everything[20:40]]
    assert list(filled.tasks[21:55].pages()) == [
        everything[21:25],
        everything[25:50],
        everything[50:55],
    ]
    sixths = [task for task in everything if present(task.inner_id) % 6 == 0]
    checked = filled.tasks.filter(Q(inner_id__in=[task.inner_id for task in sixths]))
    assert [task for page in checked.pages() for task in page] == sixths
    regex = filled.tasks.filter(data__text__regex="^0 .$")  # fits tasks of the first page alone
    assert list(regex.pages()) == [[task for task in everything if len(task.data["text"]) == 3][:5]]
    assert list(filled.tasks.filter(id=0).pages()) == []
    assert list(ls.projects.filter(id=filled.id).pages()) == [[filled]]
    task = filled.tasks.prefetch("annotations").filter(total_annotations=1)[0]
    assert list(task.annotations.pages()) == [list(task.annotations)]


# -- partitions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in QUERIES if "slice" not in name])
def test_partitions_are_disjoint_and_cover_all(ls: LabelStudio, filled: Project, name: str) -> None:
    queryset = QUERIES[name](filled)
    everything = list(queryset)
    for number in (1, 2, 5):
        parts = [list(part) for part in queryset.partitions(number)]
        assert len(parts) == number
        together = [one for part in parts for one in part]
        assert sorted(one.id for one in together) == sorted(one.id for one in everything)
        if not query_of(queryset).ordering or name == "falling":
            assert together == everything
        if name in ("everything", "exact", "ids"):
            assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_partitions_hold_what_comes_later_too(ls: LabelStudio, project: Project) -> None:
    parts = project.tasks.partitions(3)
    made = project.tasks.bulk_create([{"text": str(n)} for n in range(10)])
    assert sorted(task.id for part in parts for task in part) == [task.id for task in made]
    parts = project.tasks.partitions(20)
    more = project.tasks.bulk_create([{"text": str(n)} for n in range(5)])
    found = [task for part in parts for task in part]
    assert found == [*made, *more]
    highest = project.tasks.order_by("-id").partitions(4)[0]
    newest = project.tasks.create(data={"text": "new"})
    assert list(highest) == [newest, *more[:0:-1]]


def test_partitions_of_other_resources(ls: LabelStudio) -> None:
    made = [ls.projects.create(title=f"Part {n}") for n in range(5)]
    parts = ls.projects.filter(title__startswith="Part ").partitions(2)
    assert [list(part) for part in parts] == [made[:2], made[2:]]
    ls.projects.filter(title__startswith="Part ").delete()


def test_partitions_of_annotations_are_those_of_their_tasks(
    project: Project, asked: Callable[[], list[str]]
) -> None:
    """And each reads its own tasks only."""
    tasks = project.tasks.bulk_create(
        {"data": {"text": str(n)}, "annotations": [{"result": []}] * (n % 3)} for n in range(12)
    )
    whole = project.annotations.all()
    asked()
    parts = whole.partitions(4)
    assert len(asked()) == 4
    assert [one for part in parts for one in part] == list(whole)
    assert [len({one.task_id for one in part}) for part in parts] == [2] * 4
    for part in parts:
        assert "and id greater" in part.explain() or "and id less_or_equal" in part.explain()
    some = project.annotations.filter(task__in=tasks[3:6], was_cancelled=False)
    assert [one.task_id for one in some] == [tasks[4].id, tasks[5].id, tasks[5].id]
    for ordered in (
        whole.order_by("-id"),
        whole.order_by("-lead_time"),
        tasks[2].annotations.all(),
    ):
        found = [one for part in ordered.partitions(3) for one in part]
        assert sorted(one.id for one in found) == sorted(one.id for one in ordered)


def test_what_cannot_be_partitioned_is_refused(ls: LabelStudio, filled: Project) -> None:
    with pytest.raises(TypeError, match="slice"):
        filled.tasks[:5].partitions(2)
    view = filled.views.create(title="All")
    with pytest.raises(ValueError, match="view"):
        view.tasks.partitions(2)
    for number in (0, -1, True, 2.0):
        with pytest.raises(ValueError, match="positive integer"):
            filled.tasks.partitions(number)  # type: ignore[arg-type]


READ = """
import pickle, sys
from labelstudio_orm import connect

connect(*sys.argv[1:])
parts = pickle.load(sys.stdin.buffer)
print([[task.id for task in part.iterator(workers=2)] for part in parts])
print([repr(part) for part in parts] == [repr(part) for part in parts])
print({task.project.title for part in parts for task in part})
"""


def test_partitions_are_read_in_another_process(ls: LabelStudio, filled: Project) -> None:
    conditions = Q(total_annotations=0) | Q(data__text__startswith="1 ")
    queryset = filled.tasks.filter(conditions, data__n__lt=6).order_by("-id").only("data")
    parts = queryset.partitions(3)
    key = _key_of(ls)
    frozen = pickle.dumps(parts)
    assert key.encode() not in frozen
    done = subprocess.run(
        [sys.executable, "-c", READ, ls.url, key], input=frozen, capture_output=True, check=True
    )
    ids, _, titles = done.stdout.decode().splitlines()
    assert json.loads(ids) == [[task.id for task in part] for part in parts]
    assert list(chain(*json.loads(ids))) == [task.id for task in queryset]
    assert titles == repr({filled.title})


def _key_of(ls: LabelStudio) -> str:
    header: str = ls._transport._authorize().reveal()
    return header.split()[1]


# -- pickles of querysets, on the fake ------------------------------------------------------------


def test_a_pickled_queryset_asks_the_default_client(
    fake: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_default", None)
    ls = fake.client()
    project = ls.projects.create(title="Here")
    made = project.tasks.bulk_create([{"n": n} for n in range(9)])
    queryset = project.tasks.filter(Q(id__gt=2) | Q(data__n=0), data__n__lt=8).order_by("-data__n")
    expected = list(queryset)
    frozen = pickle.dumps([queryset, queryset[2:5], ls.projects.order_by("-title")])
    fake.requests.clear()
    back, cut, projects = pickle.loads(frozen)
    assert repr(back) == repr(queryset.order_by("-data__n"))
    assert type(back) is type(queryset)
    with pytest.raises(ValueError, match=r"connect.*label-studio\.fake"):
        back.count()
    labelstudio_orm.connect("http://other.fake", "key")
    with pytest.raises(ValueError, match=r"other\.fake"):
        list(back)
    labelstudio_orm.connect(fake.url, fake.api_key, session=fake.session())
    assert fake.requests == []
    assert list(back) == expected == list(pickle.loads(pickle.dumps(back)))
    assert list(cut) == expected[2:5]
    assert list(projects) == [project]
    assert back.filter(id=made[3].id).get() == made[3]
    assert back[0].project == project


def test_pickled_prefetched_rows_are_asked_for_again(
    fake: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_default", fake.client())
    project = fake.client().projects.create(title="Here")
    task = project.tasks.create(data={"n": 1})
    task.annotations.create(result=[])
    found = project.tasks.prefetch("annotations")[0].annotations
    back = pickle.loads(pickle.dumps(found))
    task.annotations.create(result=[])
    assert (len(found), len(back)) == (1, 2)


# -- what only the fake can do --------------------------------------------------------------------


@pytest.fixture
def many(fake: FakeLabelStudio) -> Project:
    """A project with 3,000 tasks on the fake."""
    project = fake.client().projects.create(title="Many")
    project.tasks.bulk_create([{"n": n} for n in range(3000)])
    fake.requests.clear()
    return project


def ids_of(fake: FakeLabelStudio) -> list[int]:
    return [row["id"] for row in fake.store.rows("SELECT id FROM task ORDER BY id")]


@pytest.mark.slow
@pytest.mark.parametrize(
    "spread",
    [
        "id + 1000000000000 WHERE id > 1500",
        "id * 1000000 WHERE id % 3 = 0",
        "id * 1000000 WHERE id % 50 = 0",
        "id * 10000000 + abs(random() % 9000000)",
        "id * id * id",
        "id + 20000000000 WHERE id > 2990",
        "id + 20000000000 WHERE id > 10",
    ],
)
@pytest.mark.parametrize("number", [2, 5])
def test_gaps_cost_few_requests(
    fake: FakeLabelStudio, many: Project, spread: str, number: int
) -> None:
    value, where, condition = spread.partition(" WHERE ")
    fake.store.execute(f"UPDATE task SET id = -({value}){where}{condition}")  # first out of the way
    fake.store.execute("UPDATE task SET id = -id WHERE id < 0")
    expected = ids_of(fake)
    assert expected[-1] > 1_000_000_000
    for falling in (False, True):
        fake.requests.clear()
        stream = many.tasks.order_by("-id" if falling else "id").iterator(workers=number)
        assert [task.id for task in stream] == (expected[::-1] if falling else expected)
        assert len(fake.requests) < 100
    parts = many.tasks.partitions(4)
    assert [part.count() for part in parts] == [750] * 4


def test_rows_that_a_filter_spreads_thinly_come_in_full_pages(
    fake: FakeLabelStudio, many: Project
) -> None:
    rand = random.Random(1)
    chosen = sorted(rand.sample(ids_of(fake), 900))
    marks = ",".join(map(str, chosen))
    fake.store.execute(f"UPDATE task SET overlap = 2 WHERE id IN ({marks})")
    many.tasks.client.page_size = 50
    fake.requests.clear()
    found = many.tasks.filter(overlap=2).iterator(workers=3)
    assert [task.id for task in found] == chosen
    assert len(fake.requests) < 2 * 900 / 50


def test_an_error_of_a_worker_comes_after_the_rows_before_it(
    fake: FakeLabelStudio, many: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    many.tasks.client.page_size = 100
    send = LabelStudio.request

    def broken(self: LabelStudio, *args: Any, **options: Any) -> Any:
        if "%22min%22:1701" in options["params"]:
            raise KeyError("1701")
        return send(self, *args, **options)

    monkeypatch.setattr(LabelStudio, "request", broken)
    seen: list[Any] = []
    with pytest.raises(KeyError, match="1701"):
        seen.extend(task.id for task in many.tasks.iterator(workers=4))  # keeps what came first
    assert seen == list(range(1, 1701))
    assert_no_workers()


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 1, 2, 5, 11])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.answer(500), ServerError),
        (Fault.reset(), ConnectionFailed),
        (Fault.truncated(), LabelStudioError),
    ],
)
def test_faults_in_a_worker(fault: Fault, error: type[Exception], after: int) -> None:
    """Any one request fails for good: the rows before it, in order, and the error. Where it is
    worth while to try again, nothing is seen of it.
    """
    for retries in (0, 4):
        fake = FakeLabelStudio()
        ls = fake.client(
            page_size=100,
            workers=3,
            retries=labelstudio_orm.Retry(total=retries, sleep=lambda seconds: None),
        )
        project = ls.projects.create(title="Faulty")
        ids = [task.id for task in project.tasks.bulk_create([{"n": n} for n in range(1200)])]
        fake.fault("GET", "/api/tasks/", fault, after=after)
        seen: list[int] = []
        if retries and error is not ServerError:
            seen.extend(task.id for task in project.tasks)
            assert seen == ids
        else:
            with pytest.raises(error):
                seen.extend(task.id for task in project.tasks.iterator())
            assert seen == ids[: len(seen)]
            assert len(seen) < 1200
        assert_no_workers()


@pytest.mark.parametrize("workers", [1, 3])
def test_a_task_that_goes_while_the_server_makes_a_page(workers: int) -> None:
    """Then the server says 500 and the id. A page that fails five times so, or otherwise, fails."""
    fake = FakeLabelStudio()
    ls = fake.client(page_size=100)
    project = ls.projects.create(title="Hasty")
    ids = [task.id for task in project.tasks.bulk_create([{"n": n} for n in range(500)])]
    view = project.views.create(title="All")
    gone = Fault.answer(500, {"status_code": 500, "detail": "39"})
    for tasks in (project.tasks.iterator(workers=workers), view.tasks.iterator(workers=workers)):
        fake.fault("GET", "/api/tasks/", gone, times=4)
        assert [task.id for task in tasks] == ids
    for fault, times in ((gone, 5), (Fault.answer(500, {"detail": "list index 39"}), 1)):
        fake.fault("GET", "/api/tasks/", fault, times=times)
        with pytest.raises(ServerError, match="39"):
            list(project.tasks.iterator(workers=workers))
    assert [task.id for task in project.tasks] == ids


@pytest.mark.slow
def test_a_page_is_no_heavier_than_it_should_be(fake: FakeLabelStudio) -> None:
    """Its rows are as many as weigh 8 MB, judging by those of the page before."""
    project = fake.client().projects.create(title="Heavy")
    for _ in range(5):
        project.tasks.bulk_create([{"text": "x" * 200_000}] * 30)
    reads: tuple[Callable[[], Iterator[Task]], ...] = (
        lambda: project.tasks.iterator(),
        lambda: project.tasks.iterator(workers=2),
        lambda: project.tasks.order_by("-inner_id").iterator(),
    )
    for read in reads:
        fake.requests.clear()
        assert sum(1 for _ in read()) == 150
        sizes = [
            int(one.query["page_size"])
            for one in fake.requests
            if "include" not in one.query  # those are ids and keys alone
        ]
        assert sizes[0] == 100
        assert all(size <= stretches.PAGE_BYTES / 200_000 for size in sizes[1:])
        assert len(sizes) == 3


def test_light_pages_are_as_large_as_the_pace_allows(fake: FakeLabelStudio, many: Project) -> None:
    fake.requests.clear()
    assert len(list(many.tasks.only("id").iterator())) == 3000
    assert [one.query["page_size"] for one in fake.requests] == ["100", "1000", "1000", "1000"]


def test_rows_that_go_between_counting_and_reading_are_no_error(
    fake: FakeLabelStudio, many: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server counts first; what it then does not find was deleted meanwhile."""
    send = LabelStudio.request
    answers: list[Any] = []

    def racing(self: LabelStudio, *args: Any, **options: Any) -> Any:
        answer = send(self, *args, **options)
        answers.append(answer)
        return {**answer, "tasks": []} if len(answers) == 2 else answer

    monkeypatch.setattr(LabelStudio, "request", racing)
    assert len(list(many.tasks)) == 3000
    monkeypatch.setattr(LabelStudio, "request", lambda *args, **options: {"tasks": [], "total": 5})
    with pytest.raises(LabelStudioError, match="5 are left"):
        list(many.tasks)


def test_a_page_size_that_was_given_is_kept(fake: FakeLabelStudio, many: Project) -> None:
    for size in (700, 1100):
        many.tasks.client.page_size = size
        for number in (1, 4):
            fake.requests.clear()
            assert len(list(many.tasks.iterator(workers=number))) == 3000
            sizes = {int(one.query["page_size"]) for one in fake.requests}
            assert sizes - {1} == {size}


def test_workers_are_a_number(fake: FakeLabelStudio, many: Project) -> None:
    for wrong in (0, -1, True, 1.5, "2"):
        with pytest.raises(ValueError, match="workers"):
            many.tasks.iterator(workers=wrong)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="workers"):
            fake.client(workers=wrong)
    assert fake.client(workers=3).using(timeout=5).workers == 3
