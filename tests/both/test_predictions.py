"""Many predictions at once: each once, though a run is stopped or an answer lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from labelstudio_orm import LabelStudio, OutcomeUnknown, Project, Retry
from labelstudio_orm.resources._tasks.predictions import _Sending
from labelstudio_orm.testing import FakeLabelStudio, Fault
from tests.conftest import CONFIG


@pytest.fixture
def guesses(project: Project) -> list[tuple[int, list[dict[str, Any]], float]]:
    """One of each of six tasks."""
    project.tasks.bulk_create({"text": str(number)} for number in range(6))
    region = project.config["sentiment"].choice("Positive")
    return [(task.id, [region], 0.5) for task in project.tasks]


def versions(project: Project) -> list[list[str]]:
    tasks = project.tasks.prefetch("predictions")
    return [sorted(str(one.model_version) for one in task.predictions) for task in tasks]


def test_what_is_there_is_skipped(project: Project, guesses: list[Any]) -> None:
    """By task and model version; the server has a name for none."""
    create = project.predictions.bulk_create
    assert create(guesses[:4], model_version="v1").created == 4
    again = create([*guesses, guesses[5]], model_version="v1", on_conflict="skip", batch_size=1)
    assert (again.created, again.skipped) == (2, 5)
    for created in (6, 0):
        assert create(guesses, model_version="v2", on_conflict="skip").created == created
        assert create(guesses, on_conflict="skip").created == created
    assert versions(project) == [["undefined", "v1", "v2"]] * 6
    assert create(guesses[:1], model_version="v1").created == 1, "it is said"


def test_an_unknown_policy(project: Project, guesses: list[Any]) -> None:
    with pytest.raises(ValueError, match="on_conflict"):
        project.predictions.bulk_create(guesses, on_conflict="update")  # type: ignore[arg-type]


# -- at the same time -----------------------------------------------------------------------------


Patch = Callable[[Any, Callable[..., Any]], Any]


def wrapped(monkeypatch: pytest.MonkeyPatch, name: str, patch: Patch) -> None:
    """Let a step of each run be done by ``patch``, which is given the step."""
    real = getattr(_Sending, name)
    monkeypatch.setattr(_Sending, name, lambda run, *given: patch(given, lambda: real(run, *given)))


def test_runs_that_race_leave_one_prediction_of_each_task(
    project: Project, guesses: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has looked, and found nothing, before any of them sends."""
    runs = 3
    looked = threading.Barrier(runs)

    def look(_: Any, real: Callable[..., Any]) -> Any:
        found = real()
        looked.wait(60)
        return found

    wrapped(monkeypatch, "unknown", look)

    def run(number: int) -> Any:
        score = 0.1 * number  # a model that is not quite deterministic
        items = [(task, result, score) for task, result, _ in guesses]
        return project.predictions.bulk_create(items, model_version="v1", on_conflict="skip")

    with ThreadPoolExecutor(runs) as pool:
        done = list(pool.map(run, range(runs)))
    assert [(one.created, one.skipped) for one in done] == [(6, 0)] * runs
    assert versions(project) == [["v1"]] * 6
    assert sum(one.deleted for one in done) >= 6 * (runs - 1), "a server may confirm one twice"


@pytest.mark.parametrize("place", ["before", "after"])
def test_of_duplicates_that_others_made_meanwhile_the_oldest_stays(
    project: Project, guesses: list[Any], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Whichever request was the first. Predictions of before, and of other versions, are kept."""
    create = project.predictions.bulk_create
    create([*guesses[:2], *guesses[:2]], model_version="v1")  # duplicates that are meant
    create(guesses, model_version="v2")
    others = [(task, result, 0.9) for task, result, _ in guesses]

    def send(_: Any, real: Callable[..., Any]) -> None:
        monkeypatch.undo()
        if place == "after":
            real()
        create(others, model_version="v1")
        if place == "before":
            real()

    wrapped(monkeypatch, "send", send)
    done = create(guesses, model_version="v1", on_conflict="skip")
    assert (done.created, done.skipped, done.deleted) == (4, 2, 4)
    assert versions(project) == [["v1", "v1", "v1", "v2"]] * 2 + [["v1", "v2"]] * 4
    those = project.predictions.filter(
        model_version="v1", task__in=[item[0] for item in guesses[2:]]
    )
    assert [one.score for one in those] == [0.9 if place == "before" else 0.5] * 4


def test_duplicates_are_deleted_but_for_the_oldest(project: Project, guesses: list[Any]) -> None:
    create = project.predictions.bulk_create
    for version, number in (("v1", 3), ("v2", 2), ("v3", 1)):
        for run in range(number):
            items = [(task, result, run / 10) for task, result, _ in guesses[run:]]
            create(items, model_version=version)
    with pytest.raises(ValueError, match=r"all\(\)\.delete_duplicates\(\)"):
        project.predictions.delete_duplicates()
    assert project.predictions.filter(model_version="v1").delete_duplicates().deleted == 9
    assert project.predictions.filter(model_version="v1").delete_duplicates() == 0
    assert project.tasks[0].predictions.all().delete_duplicates() == 0
    assert project.predictions.all().delete_duplicates().deleted == 5
    assert versions(project) == [["v1", "v2", "v3"]] * 6
    assert {one.score for one in project.predictions} == {0.0}


PREDICTIONS = "/api/projects/*/import/predictions"


@pytest.mark.parametrize("on_conflict", [None, "skip"])
@pytest.mark.parametrize("place", range(3))
def test_a_lost_answer_is_looked_for(on_conflict: Any, place: int) -> None:
    """In memory only: the server has it, and the network loses its answer."""
    fake = FakeLabelStudio()
    ls = fake.client(retries=Retry(sleep=lambda seconds: None))
    project = filled(ls)
    items: list[Any] = [(task, [], 0.5) for task in project.tasks]
    fake.fault("POST", PREDICTIONS, Fault.reset(committed=True), after=place)
    done = project.predictions.bulk_create(items, on_conflict=on_conflict, batch_size=2)
    assert done.created == 6
    assert versions(project) == [["undefined"]] * 6


def test_a_lost_answer_is_looked_for_though_others_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of the project's predictions says nothing then."""
    fake = FakeLabelStudio()
    project = filled(fake.client(retries=Retry(sleep=lambda seconds: None)))
    items: list[Any] = [(task, [], 0.5) for task in project.tasks]

    def send(_: Any, real: Callable[..., Any]) -> None:
        monkeypatch.undo()
        project.predictions.bulk_create(items, model_version="other")
        fake.fault("POST", PREDICTIONS, Fault.reset(committed=True))
        real()

    wrapped(monkeypatch, "send", send)
    done = project.predictions.bulk_create(items, model_version="v1", on_conflict="skip")
    assert (done.created, done.deleted) == (6, 0)
    assert versions(project) == [["other", "v1"]] * 6


def test_what_never_arrived_is_not_sent_again() -> None:
    """It may still be on its way; whoever runs it again makes no doubles."""
    fake = FakeLabelStudio()
    ls = fake.client(retries=Retry(sleep=lambda seconds: None))
    project = filled(ls)
    items: list[Any] = [(task, [], 0.5) for task in project.tasks]
    fake.fault("POST", PREDICTIONS, Fault.reset(), after=1)
    with pytest.raises(OutcomeUnknown) as caught:
        project.predictions.bulk_create(items, on_conflict="skip", batch_size=2)
    assert caught.value.summary is not None
    assert caught.value.summary.created == 2
    again = project.predictions.bulk_create(items, on_conflict="skip", batch_size=2)
    assert (again.created, again.skipped) == (4, 2)
    assert versions(project) == [["undefined"]] * 6


def filled(ls: LabelStudio) -> Project:
    project = ls.projects.create(title="Reviews", label_config=CONFIG)
    project.tasks.bulk_create({"text": str(number)} for number in range(6))
    return project
