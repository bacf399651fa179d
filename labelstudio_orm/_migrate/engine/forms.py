"""Annotations, predictions and drafts as rows: how they are sent, and when two are equal."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from .fingerprints import CONTENTS, TASK_KINDS, digest, fields_of

if TYPE_CHECKING:
    from ..._engine.values.codec import Row

KEPT: Final = (
    "result", "was_cancelled", "ground_truth", "lead_time", "last_action", "draft_created_at",
    "bulk_created", "import_id",
)  # fmt: skip
"""The fields of an annotation, beside its author, that its own server takes again."""

_NAMESPACE: Final = uuid.UUID("6d2f7f0a-5a0e-5d52-9d5a-0d0b8e3a6c11")


def fields_again(row: Row, server: str) -> dict[str, Any]:
    """Return the fields with which an annotation is created again on its own server.

    Their ``unique_id`` follows from the annotation and its content: the server refuses to create
    the same one a second time, by whatever run, but takes it once its content is another one.
    """
    fields = {name: value for name in KEPT if (value := row[name]) is not None}
    author = None if row["stand_in"] else row["completed_by"]
    if author is not None:
        fields["completed_by"] = author
    content = digest(CONTENTS["annotations"]({**fields, "completed_by": author}))
    origin = f"{server} {row['id']} {row['created_at']} {content}"
    return {**fields, "unique_id": str(uuid.uuid5(_NAMESPACE, origin))}


def import_form(task: Row, *, allow_skip: bool) -> Row:
    """Return a task as an import takes it, with its annotations and predictions."""
    form: Row = {
        "data": task["data"],
        "meta": task["meta"],
        "annotations": [
            {**fields_of("annotations", one), "id": one["id"]} for one in task["annotations"]
        ],
        "predictions": [fields_of("predictions", one) for one in task["predictions"]],
    }
    return form if allow_skip else {**form, "allow_skip": False}


def content_key(kind: str, row: Row) -> str:
    """Return a digest of the content of an object, which is equal for equal ones of any task.

    Which annotation is the ground truth is left out, as a server may change that by itself. A
    draft includes the annotation that it edits, see ``link``.
    """
    content = CONTENTS[kind](row)
    content.pop("ground_truth", None)
    return digest({**content, "is_edit": row["edits"]} if kind == "drafts" else content)


def link(task: Row, annotations: Iterable[Row], project: str = "") -> None:
    """Let the objects of a task name it and themselves, and drafts the annotation that they edit.

    ``project`` is in the names where these are of several projects. What a draft ``edits`` is the
    content key of one of these annotations, or None: an id means nothing at another task.
    """
    which = f"{task['id']} of {project}" if project else task["id"]
    for one in (one for kind in TASK_KINDS for one in task[kind]):
        one["task"], one["name"] = which, f"{one['id']} of task {which}" if project else one["id"]
    if task["drafts"]:
        known = {one["id"]: content_key("annotations", one) for one in annotations}
        for draft in task["drafts"]:
            draft["edits"] = known.get(draft["annotation"])


def lacking(
    sources: Iterable[Iterable[Row]], there: Iterable[Row], kind: str, *, once: bool = False
) -> list[Row]:
    """Return what a target lacks of the objects of several sources.

    The target is to have an object as often as any one of the sources has it; ``once``: only once.
    """
    have = Counter(content_key(kind, one) for one in there)
    found: list[Row] = []
    for source in sources:
        times: Counter[str] = Counter()
        for one in source:
            key = content_key(kind, one)
            times[key] = 1 if once else times[key] + 1
            if times[key] > have[key]:
                have[key] += 1
                found.append(one)
    return found


def edited_by(draft: Row, annotations: Sequence[tuple[int, str]], drafts: Counter[Any]) -> Any:
    """Return the id of the annotation that a draft is to edit; None for a draft of its own.

    Of the ``annotations`` (ids and content keys) that match what it edits, it is the newest of
    those with the fewest ``drafts``.
    """
    same = [id for id, key in annotations if key == draft["edits"]]
    return min(same, key=lambda id: (drafts[id], -id), default=None)
