"""What a server cannot keep of an object that it is given: counted, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from .content import ORIGIN
from .report import Loss

if TYPE_CHECKING:
    from .source import Row

_DATES: Final = "the server gives its own dates"
_LINKS: Final = "an import takes no links between annotations and predictions"

_SECRETS: Final = "`secrets` gave None for them, so they were left out; sync() with them makes them"

WHY: Final[Mapping[str, str]] = {
    "project.created_at": _DATES,
    "project.created_by": "a project is of whoever makes it",
    "tasks.created_at": _DATES,
    "tasks.updated_at": _DATES,
    "tasks.inner_id": "the server counts the tasks of a project anew",
    "tasks.file_upload": "an import takes no link to the file that a task came from",
    "tasks.storage_filename": (
        "an import takes no link to a storage, so a sync of a storage there would bring this in "
        "once more"
    ),
    "annotations.completed_by": "their authors are gone; the user who imports stands for them",
    "annotations.created_at": _DATES,
    "annotations.updated_at": _DATES,
    "annotations.updated_by": "an import sets nobody",
    "annotations.import_id": "it now has the id of the annotation in the source",
    "annotations.last_action": "an import sets none",
    "annotations.draft_created_at": _DATES,
    "annotations.parent_annotation": _LINKS,
    "annotations.parent_prediction": _LINKS,
    "annotations.result": "it is no list, which is all that an import takes",
    "predictions.created_at": _DATES,
    "predictions.result": "it is no list of regions, which is all that an import takes",
    "drafts.created_at": _DATES,
    "drafts.user": "a server gives a draft to whoever makes it",
    "views.filters": "they ask for ids, or for users, that the target does not have",
    "storages.secrets": _SECRETS,
    "backends.secrets": _SECRETS,
    "storages.export": (
        "it would write into the same place, where files are named after the ids of annotations; "
        'storages="all" copies it'
    ),
}

_TASK: Final = ("created_at", "updated_at", "file_upload", "storage_filename")
_ANNOTATION: Final = (
    "created_at", "updated_at", "updated_by", "import_id", "last_action", "draft_created_at",
    "parent_annotation", "parent_prediction",
)  # fmt: skip


def lost_of_task(row: Row, place: int, me: str) -> Counter[str]:
    """What is lost of a task and of what belongs to it; ``place``: its inner id in the target;
    ``me``: who copies.
    """
    found: Counter[str] = Counter()
    for name in _TASK:
        found[f"tasks.{name}"] += row.get(name) is not None
    found["tasks.inner_id"] += row.get("inner_id") not in (None, place)
    for annotation in row.get("annotations") or ():
        for name in _ANNOTATION:
            found[f"annotations.{name}"] += annotation.get(name) is not None
        found["annotations.completed_by"] += annotation.get("completed_by") is None
        found["annotations.result"] += not is_importable("annotations", annotation.get("result"))
    for prediction in row.get("predictions") or ():
        found["predictions.created_at"] += prediction.get("created_at") is not None
        found["predictions.result"] += not is_regions(prediction.get("result"))
    for draft in row.get("drafts") or ():
        found["drafts.created_at"] += draft.get("created_at") is not None
        found["drafts.user"] += draft.get("user") not in (None, me)
    return +found


def is_importable(kind: str, result: Any) -> bool:
    """Return whether an import stores a result as it is; of an annotation any list."""
    return (kind == "annotations" and isinstance(result, list)) or is_regions(result)


def is_regions(result: Any) -> bool:
    """Return whether it is a list of regions; None stands for one without regions."""
    if result is None:
        return True
    return isinstance(result, list) and all(isinstance(region, dict) for region in result)


def losses(found: Mapping[str, int], *, kept: bool) -> Iterator[Loss]:
    """As a report lists them; ``kept``: dates and ids are kept in the meta of the tasks."""
    for name, count in found.items():
        if count:
            kind, _, field = name.partition(".")
            why = WHY[name]
            if kept and kind in ("tasks", "annotations", "predictions") and field != "result":
                why += f"; kept in meta[{ORIGIN!r}]"
            yield Loss(kind, field, count, why)


def origin(row: Row, project: Mapping[str, Any]) -> Row:
    """What a copy keeps of a task that the server cannot, for its meta."""
    return {
        **{name: project[name] for name in ("server", "project")},
        "task": row["id"],
        **{name: row.get(name) for name in ("inner_id", *_TASK)},
        "annotations": [
            {name: one.get(name) for name in ("id", "completed_by", *_ANNOTATION)}
            for one in row.get("annotations") or ()
        ],
        "predictions": [
            {name: one.get(name) for name in ("id", "created_at")}
            for one in row.get("predictions") or ()
        ],
    }
