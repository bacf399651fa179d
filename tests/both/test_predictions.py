"""Many predictions at once: each once, though a run is stopped or an answer lost."""

from __future__ import annotations

from typing import Any

import pytest

from labelstudio_orm import LabelStudio, OutcomeUnknown, Project, Retry
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
