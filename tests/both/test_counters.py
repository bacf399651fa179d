"""Annotations and predictions are counted by the server's counters, which must be right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from labelstudio_orm import LabelStudio, Max, Project, Q, Task
from labelstudio_orm._engine.conditions.q import build

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


def test_counts_by_a_field_are_right(labelled: Project, asked: Callable[[], list[str]]) -> None:
    for objects, name, requests in (
        (labelled.annotations, "was_cancelled", 1),
        (labelled.annotations.filter(ground_truth=True), "ground_truth", 1),
        (labelled.predictions, "model_version", 2),  # of null the server says no number
        (labelled.predictions.filter(model_version__startswith="v"), "model_version", 1),
        (labelled.tasks, "is_labeled", 2),
        (labelled.tasks.filter(total_predictions__gt=1), "is_labeled", 2),
    ):
        expected = Counter(objects.values_list(name, flat=True))
        asked()
        assert objects.count_by(name) == expected
        assert len(asked()) == requests, name
    times = labelled.tasks.values_list("created_at", flat=True)
    assert labelled.tasks.aggregate(x=Max("created_at"))["x"] == max(times)


def test_a_null_is_not_counted_by_its_version(labelled: Project) -> None:
    """The server gives 0 for the number of those without a version."""
    versions = list(labelled.predictions.values_list("model_version", flat=True))
    nulls = sum(version is None for version in versions)
    assert nulls > 0
    assert labelled.predictions.filter(model_version__isnull=True).count() == nulls
    assert labelled.predictions.exclude(model_version="v1").count() == sum(
        version != "v1" for version in versions
    )


PRESENCE: dict[str, Q] = {
    "no annotation": Q(annotations__id__isnull=True),
    "some annotation": ~Q(annotations__id__isnull=True),
    "no prediction": Q(predictions__id__isnull=True),
    "some prediction": Q(predictions__id__isnull=False),
    "neither": Q(annotations__id__isnull=True, predictions__id__isnull=True),
    "either missing": Q(annotations__id__isnull=True) | Q(predictions__id__isnull=True),
    "either there": Q(annotations__id__isnull=False) | ~Q(predictions__id__isnull=True),
    "no prediction, or annotated": Q(predictions__id__isnull=True) | Q(total_annotations__gt=1),
    "some prediction, or by an author": Q(predictions__id__isnull=False) | Q(annotators=1),
}
MIXED: dict[str, Q] = {
    "no annotation, or a mean": Q(annotations__id__isnull=True) | Q(avg_lead_time__gt=1),
    "no prediction, or a mean": Q(predictions__id__isnull=True) | Q(avg_lead_time__gt=1),
    "some prediction, or a mean": Q(predictions__id__isnull=False) | Q(avg_lead_time__gt=1),
}


def test_whether_there_are_related_objects_is_filtered_by_the_server(
    labelled: Project, ls: LabelStudio, asked: Callable[[], list[str]]
) -> None:
    """The counters of a task may be wrong, and a prediction may have neither result nor version."""
    results: list[Any] = [{}, []]
    for result in results:  # the first is stored as null
        item = {"data": {"text": "a"}, "predictions": [{"result": result, "model_version": None}]}
        ls.request("POST", f"/api/projects/{labelled.id}/import", json=[item])
    some = next(iter(labelled.annotations.iterator()))
    by_id = {
        "one": Q(annotations__id=some.id),
        "two": Q(annotations__id__in=[some.id, some.id + 1]),
        "all others": ~Q(annotations__id__in=[some.id, some.id + 1]),
        "unknown": Q(annotations__id=10**9),
    }
    tasks = list(labelled.tasks.prefetch("annotations", "predictions"))
    for name, condition in {**PRESENCE, **MIXED, **by_id}.items():
        where = build(Task, (condition,), {})
        wanted = [task.id for task in tasks if where.holds(task)]
        assert [task.id for task in labelled.tasks.filter(condition)] == wanted, name
        asked()
        assert labelled.tasks.filter(condition).count() == len(wanted), name
        if name not in MIXED:
            assert len(asked()) == 1, name


def test_a_project_that_is_gone_has_none(ls: LabelStudio) -> None:
    gone = ls.projects.create(title="Gone")
    predictions = ls.predictions.filter(project=gone.id)
    gone.delete()
    assert predictions.count() == 0
