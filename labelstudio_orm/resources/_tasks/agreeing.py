"""Reads what annotators and models answered, for their agreement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, get_args

from ... import _statistics
from ..._statistics.coefficients import Level
from ..labelled import project_of

if TYPE_CHECKING:
    from ..._statistics.agreement import Agreement
    from ..._statistics.answers import Metric
    from ..tasks import Annotations, Tasks


def agreement(
    annotations: Annotations,
    control: str,
    metric: Metric | None,
    level: Level | None,
    threshold: float,
    model_version: str | None,
) -> Agreement[Tasks]:
    """Return the agreement of the authors of annotations; see ``Annotations.agreement``."""
    if level is not None and level not in get_args(Level):
        raise ValueError(f"level must be one of {', '.join(get_args(Level))}, not {level!r:.80}")
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be above 0 and at most 1, not {threshold!r:.80}")
    project = project_of(annotations)
    tag = project.config[control]
    answers = _statistics.answers
    chosen = answers.metric_of(tag, metric)
    read: Callable[..., Any] = answers.items if answers.has_regions(tag) else answers.value

    def answer(obj: Any) -> Any:
        return read(obj.result, project.config, tag)

    narrow = annotations.only("task", "completed_by", "was_cancelled", "result").iterator()
    made = ((one.task_id, one.completed_by_id, one) for one in narrow if not one.was_cancelled)
    ratings = _newest(made, answer)
    if model_version is not None:
        predictions = project.predictions.filter(model_version=model_version).iterator()
        rated = _newest(((one.task_id, model_version, one) for one in predictions), answer)
        if not rated:
            what = f"prediction of model_version {model_version!r:.80}"
            raise ValueError(f"{project!r} has no {what}")
        for task, of in rated.items():
            if task in ratings:
                ratings[task].update(of)

    def select(tasks: list[int]) -> Tasks:
        return project.tasks.filter(id__in=tasks)

    if answers.has_regions(tag):
        return _statistics.agreement.of_regions(
            ratings, control=control, metric=chosen, threshold=threshold, select=select
        )
    return _statistics.agreement.of_values(
        ratings,
        control=control,
        level=level or answers.level_of(tag),
        choices=answers.order_of(tag),
        select=select,
    )


def _newest(
    made: Iterable[tuple[int | None, Any, Any]], answer: Callable[[Any], Any]
) -> dict[int, dict[Any, Any]]:
    """Return what each rater answered of each task, by the newest of several answers."""
    ids: defaultdict[int, dict[Any, int]] = defaultdict(dict)
    found: defaultdict[int, dict[Any, Any]] = defaultdict(dict)
    for task, rater, obj in made:
        if task is None or rater is None or ids[task].get(rater, 0) > obj.id:
            continue
        ids[task][rater] = obj.id
        found[task][rater] = answer(obj)
    return {
        task: {rater: one for rater, one in of.items() if one is not None}
        for task, of in found.items()
    }
