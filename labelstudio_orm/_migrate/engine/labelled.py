"""What was said of a task, to be said again of another one."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from ..._engine.records.inside import server_of
from ..._engine.values.codec import copy_json
from ...errors import Conflict
from ...resources.common import labelstudio_of
from .fingerprints import annotation_content, digest, draft_content, prediction_content
from .odd import create

if TYPE_CHECKING:
    from collections import Counter

    from ..._engine.bulk.run import BulkRun
    from ...resources.projects import Project
    from ...resources.tasks import Annotation, Prediction, Task

KEPT: Final = (
    "result", "was_cancelled", "ground_truth", "lead_time", "last_action", "draft_created_at",
    "bulk_created",
)  # fmt: skip
"""What an annotation keeps beside its author when it is created again."""

_SAME: Final = uuid.UUID("6d2f7f0a-5a0e-5d52-9d5a-0d0b8e3a6c11")


def again(annotation: Annotation) -> dict[str, Any]:
    """The fields of an annotation to be created again on the same server.

    The ``unique_id`` follows from the annotation and from what it says: the server refuses to
    create it a second time, whoever tries; but not once it says something else.
    """
    fields = {
        name: copy_json(value)
        for name in (*KEPT, "import_id")
        if (value := getattr(annotation, name)) is not None
    }
    if annotation.completed_by_id is not None:
        fields["completed_by"] = annotation.completed_by_id
    content = digest(annotation_content({**fields, "completed_by": annotation.completed_by_id}))
    origin = f"{server_of(annotation)} {annotation.id} {annotation.created_at} {content}"
    return {**fields, "unique_id": str(uuid.uuid5(_SAME, origin))}


def create_once(task: Task, fields: Mapping[str, Any]) -> bool:
    """Create an annotation with a ``unique_id``; False if it is there already."""
    try:
        labelstudio_of(task).annotations.create(task=task.id, **fields)
    except Conflict as error:
        if "unique id" not in error.detail:
            raise
        return False
    return True


def annotation_said(row: Mapping[str, Any]) -> dict[str, Any]:
    """What an annotation says; which one is the ground truth, a server may change by itself."""
    content = annotation_content(row)
    del content["ground_truth"]
    return content


def draft_said(row: Mapping[str, Any], edits: str | None) -> dict[str, Any]:
    """What a draft says, and of which annotation it is an edit, by what stands for the content of
    that, as its id is another one at another task.
    """
    return {**draft_content(row), "is_edit": edits}


def to_edit(
    edits: str | None, annotations: Iterable[tuple[int, str]], drafts: Counter[int | None]
) -> int | None:
    """The annotation that a draft is to be attached to: of those that say what it edits, one with
    the fewest ``drafts``, the newest of these. None if there is none, and for a draft of its own.
    """
    same = [id for id, said in annotations if said == edits]
    return min(same, key=lambda id: (drafts[id], -id), default=None)


def prediction_said(prediction: Prediction) -> str:
    """What stands for the content of a prediction."""
    fields = {name: getattr(prediction, name) for name in ("result", "score", "model_version")}
    return digest(prediction_content(fields))


def predict(
    project: Project,
    predictions: Sequence[tuple[Any, int, Mapping[str, Any]]],
    run: BulkRun,
) -> None:
    """Create predictions: each something that a failure names, the id of a task, and what to say of
    it. One request for 1,000; what does not fit the labelling config, a server takes one by one.
    """
    forms = [_form(task, said) for _, task, said in predictions]
    if not forms:
        return
    made = project.predictions.bulk_create(forms, on_error="collect")
    run.created += made.created
    client = labelstudio_of(project)
    for _ in run.each(
        [failure.place for failure in made.failed],
        lambda place: create(client, "predictions", forms[place]["task"], forms[place]),
        label=lambda place: (place, predictions[place][0]),
    ):
        run.created += 1


def _form(task: int, said: Mapping[str, Any]) -> dict[str, Any]:
    form = {
        "task": task,
        "result": said["result"] or [],
        "score": said["score"],
        "model_version": said["model_version"] or "",
    }
    return {name: value for name, value in form.items() if value is not None}
