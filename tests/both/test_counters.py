"""Annotations and predictions are counted by the server's counters, which must be right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from labelstudio_orm import LabelStudio, Project, Q

COUNTED: dict[str, tuple[Callable[[Project], Any], bool]] = {
    "annotations": (lambda p: p.annotations, True),
    "a slice": (lambda p: p.annotations[2:4], True),
    "a slice beyond the end": (lambda p: p.annotations[50:], True),
    "cancelled": (lambda p: p.annotations.filter(was_cancelled=True), True),
    "not cancelled": (lambda p: p.annotations.filter(was_cancelled=False), True),
    "ground truth": (lambda p: p.annotations.filter(ground_truth=True), True),
    "no ground truth": (lambda p: p.annotations.exclude(ground_truth=True), True),
    "either": (lambda p: p.annotations.filter(ground_truth__in=[True, False]), True),
    "never null": (lambda p: p.annotations.filter(ground_truth__isnull=True), True),
    "by two fields": (
        lambda p: p.annotations.filter(ground_truth=True, was_cancelled=True),
        False,
    ),
    "by another field": (lambda p: p.annotations.filter(lead_time__gt=1), False),
    "of one task": (lambda p: p.tasks[0].annotations, False),
    "predictions": (lambda p: p.predictions, True),
    "with a version": (lambda p: p.predictions.exclude(model_version=None), True),
    "of a version": (lambda p: p.predictions.filter(model_version="v1"), True),
    "of some versions": (
        lambda p: p.predictions.filter(Q(model_version__startswith="v") & ~Q(model_version="v1")),
        True,
    ),
    "of no version": (lambda p: p.predictions.filter(model_version="v9"), True),
    "by score": (lambda p: p.predictions.filter(score__gt=0.3), False),
}


@pytest.fixture
def labelled(project: Project) -> Project:
    """Tasks with none, one and several of each, after everything that changes their number."""
    region = project.config["sentiment"].choice("Positive")
    flags = [(False, False), (True, False), (False, True), (True, True), (False, False)]
    project.tasks.bulk_create(
        {
            "data": {"text": str(number)},
            "annotations": [
                {"result": [region], "was_cancelled": cancelled, "ground_truth": truth}
                for cancelled, truth in flags[: number % 6]
            ],
            "predictions": [
                {"result": [region], "score": 0.1 * number, "model_version": version}
                for version in ("v1", "v2", "w", None)[: number % 5]
            ],
        }
        for number in range(8)
    )
    first, second, third, *_ = project.tasks
    third.annotations.all().delete()
    first.annotations.create(result=[region], was_cancelled=True, lead_time=2.0)
    second.predictions.create(result=[region], score=0.5, model_version="")
    project.tasks.filter(id=second.id).perform("predictions_to_annotations", model_version="v1")
    project.tasks.filter(id=project.tasks.reverse()[0].id).delete()
    return project


def test_counters_are_right(labelled: Project, asked: Callable[[], list[str]]) -> None:
    for name, (objects, is_counted) in COUNTED.items():
        expected = len(list(objects(labelled).iterator()))
        asked()
        assert objects(labelled).count() == expected, name
        assert ("for its counters" in objects(labelled).explain()) == is_counted, name
        if is_counted:
            [request] = asked()
            assert request.startswith(f"GET /api/projects/{labelled.id}/"), name
        assert objects(labelled).exists() == (expected > 0), name


def test_a_null_is_not_counted_by_its_version(labelled: Project) -> None:
    """The server gives 0 for the number of those without a version."""
    versions = list(labelled.predictions.values_list("model_version", flat=True))
    nulls = sum(version is None for version in versions)
    assert nulls > 0
    assert labelled.predictions.filter(model_version__isnull=True).count() == nulls
    assert labelled.predictions.exclude(model_version="v1").count() == sum(
        version != "v1" for version in versions
    )


def test_a_project_that_is_gone_has_none(ls: LabelStudio) -> None:
    gone = ls.projects.create(title="Gone")
    predictions = ls.predictions.filter(project=gone.id)
    gone.delete()
    assert predictions.count() == 0
