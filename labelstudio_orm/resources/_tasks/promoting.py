"""Annotations made from predictions, one of each however often that is repeated."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from ..._engine.bulk.run import BulkRun
from ..._engine.reading.selection import query_of
from ..._engine.values.codec import copy_given
from ..._engine.values.summary import Created
from ...errors import Conflict
from .nouns import client_with_nouns

if TYPE_CHECKING:
    from ..._engine.models.queryset import QuerySet

PROMOTED: Final = uuid.UUID("6f0d1c1e-3c55-4b8f-9d3e-2f4a7f1f5b11")
"""The namespace of the unique ids of these annotations: a server stores no second one of an id."""

_GIVEN: Final = frozenset({
    "parent_prediction", "parent_prediction_id", "result", "task", "task_id", "unique_id",
})  # fmt: skip
"""The fields that follow from the prediction."""


def promote(predictions: QuerySet[Any], fields: dict[str, Any], run: BulkRun) -> Created[Any]:
    """Create an annotation from each prediction: ``Predictions.promote``."""
    query_of(predictions).require_confirmation("promote()")
    for name in _GIVEN & fields.keys():
        raise TypeError(f"promote() takes no {name}: it is set from the prediction")
    annotations = client_with_nouns(predictions).annotations

    def create(prediction: Any) -> Any:
        try:
            return annotations.create(
                task=prediction.task_id,
                result=copy_given(prediction.result),
                parent_prediction=prediction.id,
                unique_id=str(uuid.uuid5(PROMOTED, str(prediction.id))),
                **{name: copy_given(value) for name, value in fields.items()},
            )
        except Conflict:
            return None

    with run:
        found = list(predictions.iterator())
        run.total = len(found)
        for outcome in run.each(found, create):
            if outcome.value is None:
                run.skipped += 1
            else:
                run.made[outcome.place] = outcome.value
                run.created += 1
    return run.result()
