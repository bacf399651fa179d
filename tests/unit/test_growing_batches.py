"""Batches grow while the server answers quickly, and shrink where it is slow or refuses them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from labelstudio_orm import BadRequest, LabelStudio, OutcomeUnknown, Project
from labelstudio_orm._engine.bulk import batches
from labelstudio_orm._engine.bulk.batches import BatchSizer
from labelstudio_orm.resources._tasks import creation
from labelstudio_orm.testing import FakeLabelStudio, Fault

IMPORT = "/api/projects/*/import"
GROWTH = batches.GROWTH


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of 10 items that grow to 80, twice as many at a time."""
    sizes = {"BATCH_SIZE": 10, "LARGEST_BATCH": 80, "SMALLEST_BATCH": 4, "GROWTH": 2}
    for name, number in sizes.items():
        monkeypatch.setattr(batches, name, number)
    monkeypatch.setattr(creation, "BATCH_SIZE", 10)


def texts(number: int) -> list[dict[str, Any]]:
    return [{"text": str(n)} for n in range(number)]


def sizes(fake: FakeLabelStudio) -> list[int]:
    """How many items each import was sent."""
    sent = [len(one.body) for one in fake.requests if one.path.endswith("/import")]
    fake.requests.clear()
    return sent


def stored(project: Project) -> list[str]:
    return [task.data["text"] for task in project.tasks]


@pytest.mark.parametrize(
    ("seconds", "then"),
    [
        (0.0, [20, 40, 80, 80]),  # quick: twice as many, up to the largest
        (4.0, [10, 10, 10, 10]),
        (3.0, [13, 17, 22, 29]),  # as many as come in four seconds
        (8.0, [5, 4, 4, 4]),  # slow: fewer, down to the smallest
    ],
)
def test_the_next_batch_is_as_large_as_the_server_is_quick(seconds: float, then: list[int]) -> None:
    sizer = BatchSizer()
    found = []
    for _ in then:
        sizer.saw(sizer.size, seconds)
        found.append(sizer.size)
    assert found == then


def test_a_size_that_was_given_stays_and_a_remainder_says_nothing() -> None:
    fixed = BatchSizer(30)
    fixed.saw(30, 0.1)
    fixed.saw(30, 60.0)
    assert fixed.size == 30
    sizer = BatchSizer()
    sizer.saw(3, 9.0)
    assert sizer.size == 10


def test_a_quick_server_gets_the_largest_batches_at_once(
    project: Project, fake: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "GROWTH", GROWTH)
    project.tasks.bulk_create(texts(200))
    assert sizes(fake) == [10, 80, 80, 30]


@pytest.mark.parametrize("is_stream", [False, True])
def test_all_items_come_back_in_order(
    project: Project, fake: FakeLabelStudio, is_stream: bool
) -> None:
    given = texts(300)
    made = project.tasks.bulk_create(iter(given) if is_stream else given)
    assert sizes(fake) == [10, 20, 40, 80, 80, 70]
    assert [task.data["text"] for task in made] == stored(project) == [str(n) for n in range(300)]
    assert [task.id for task in made] == [task.id for task in project.tasks]


def test_a_stream_is_taken_a_batch_at_a_time(project: Project, fake: FakeLabelStudio) -> None:
    ahead: list[int] = []

    def stream() -> Iterator[dict[str, Any]]:
        for taken, item in enumerate(texts(400), 1):
            sent = sum(len(one.body) for one in fake.requests if one.path.endswith("/import"))
            ahead.append(taken - sent)
            yield item

    assert len(project.tasks.bulk_create(stream())) == 400
    assert max(ahead) <= 81


def test_a_batch_that_is_too_large_goes_in_halves(project: Project, fake: FakeLabelStudio) -> None:
    """Also where a proxy says so, whose answer is a page; then none is as large again."""
    page = Fault.answer(413, "<html>413 Request Entity Too Large</html>")
    fake.fault("POST", IMPORT, page, after=2)  # the one of forty
    made = project.tasks.bulk_create(texts(200))
    assert sizes(fake) == [10, 20, 40, 20, 20, 20, 20, 20, 20, 20, 20, 10]
    assert [task.data["text"] for task in made] == stored(project) == [str(n) for n in range(200)]


def test_halves_that_are_too_large_go_in_halves_again(
    project: Project, fake: FakeLabelStudio
) -> None:
    fake.fault("POST", IMPORT, Fault.answer(413, "{}"), after=2, times=2)
    made = project.tasks.bulk_create(texts(70), on_error="collect")
    assert sizes(fake) == [10, 20, 40, 20, 10, 10, 20]
    assert (len(made), made.summary.failed) == (70, ())
    assert stored(project) == [str(n) for n in range(70)]


def test_one_item_that_is_too_large_is_refused(project: Project, fake: FakeLabelStudio) -> None:
    fake.fault("POST", IMPORT, Fault.answer(413, "{}"), times=None)
    with pytest.raises(BadRequest, match="too large"):
        project.tasks.bulk_create(texts(1))
    collected = project.tasks.bulk_create(texts(2), on_error="collect").summary
    assert [one.place for one in collected.failed] == [0, 1]


def test_items_that_are_refused_stop_the_growth(project: Project, fake: FakeLabelStudio) -> None:
    given: list[dict[str, Any]] = texts(100)
    given[45] = {"nothing": "x"}
    made = project.tasks.bulk_create(given, on_error="collect")
    assert [one.place for one in made.summary.failed] == [45]
    assert sizes(fake) == [10, 20, 40, 39, 10, 10, 10]
    assert stored(project) == [str(n) for n in range(100) if n != 45]


def test_many_refused_items_of_a_large_batch(project: Project, fake: FakeLabelStudio) -> None:
    """More than the server names are found by halves, and not by a hundred small requests."""
    given = [{"text": str(n)} if n % 2 else {"nothing": "x"} for n in range(600)]
    made = project.tasks.bulk_create(given, on_error="collect", batch_size=600)
    assert len(made.summary.failed) == 300
    assert len(sizes(fake)) < 20
    assert stored(project) == [str(n) for n in range(600) if n % 2]


@pytest.mark.parametrize("committed", [True, False])
def test_a_large_batch_whose_answer_was_lost_is_stored_once(
    project: Project, fake: FakeLabelStudio, committed: bool
) -> None:
    fake.fault("POST", IMPORT, Fault.reset(committed=committed), after=2)
    if committed:
        assert len(project.tasks.bulk_create(texts(100))) == 100
        assert sizes(fake) == [10, 20, 40, 30]
        assert stored(project) == [str(n) for n in range(100)]
        return
    with pytest.raises(OutcomeUnknown) as lost:
        project.tasks.bulk_create(texts(100))
    assert [task.data["text"] for task in lost.value.created] == stored(project)
    assert len(stored(project)) == 30


def test_a_dry_run_has_the_batches_too(ls: LabelStudio, project: Project) -> None:
    with ls.dry_run() as plan:
        assert len(project.tasks.bulk_create(texts(70))) == 70
    assert [len(one.body) for one in plan.writes] == [10, 20, 40]
