"""The losses of a migration: fields that a server does not keep, of which objects, and why."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..._engine.http.releases import EVALUATION, UNSKIPPABLE, without
from ..._reports import Loss
from .fingerprints import ANNOTATION_ORIGIN, CONTENTS, ORIGIN, TASK_ORIGIN
from .kinds import KINDS

if TYPE_CHECKING:
    from ..._engine.values.codec import Row

_DATES: Final = "the server sets its own dates"
_LINKS: Final = "an import takes no links between annotations and predictions"

WHY: Final[Mapping[str, str]] = {
    "created_at": _DATES,
    "updated_at": _DATES,
    "draft_created_at": _DATES,
    "created_by": "the creator of a project is the user who creates it",
    "inner_id": "the server numbers the tasks of a project itself",
    "file_upload": "an import takes no link to the file that a task came from",
    "storage_filename": (
        "an import takes no link to a storage, so that syncing a storage there would import this "
        "again"
    ),
    "completed_by": "the authors are gone; the importing user stands for them",
    "updated_by": "an import sets none",
    "import_id": "it has the id of the annotation in the source now",
    "last_action": "an import sets none",
    "parent_annotation": _LINKS,
    "parent_prediction": _LINKS,
    "annotations.result": "an import takes only lists",
    "predictions.result": "an import takes only lists of regions",
    "user": "a draft belongs to the user who creates it",
    "allow_skip": f"{without(UNSKIPPABLE)} lets annotators skip every task",
    "annotator_evaluation_enabled": f"{without(EVALUATION)} does not evaluate annotators",
    "secrets": "left out, since `secrets` returned None; sync() with their secrets creates them",
}
"""Why a field is lost, also by kind where that decides it; of ``KINDS`` their table says it."""

_TASK: Final = tuple(name for name in TASK_ORIGIN if name != "inner_id")
_ANNOTATION: Final = tuple(name for name in ANNOTATION_ORIGIN if name != "bulk_created")

Id: TypeAlias = "int | str"


def lost_of_task(row: Row, place: int, me: str) -> dict[str, list[Id]]:
    """Return the losses of a task and its objects: their ids, by kind and field.

    ``place``: the task's inner id in the target; ``me``: the current user's e-mail address.
    """
    found: defaultdict[str, list[Id]] = defaultdict(list)
    for name in _TASK:
        if row.get(name) is not None:
            found[f"tasks.{name}"].append(row["id"])
    if row.get("inner_id") not in (None, place):
        found["tasks.inner_id"].append(row["id"])
    for kind in CONTENTS:
        for one in row.get(kind) or ():
            for name in lost_of(kind, one, me):
                found[f"{kind}.{name}"].append(one["id"])
    return dict(found)


def lost_of(kind: str, row: Row, me: str) -> Iterator[str]:
    """Yield the fields that are lost of an annotation, a prediction or a draft."""
    if kind == "annotations":
        yield from (name for name in _ANNOTATION if row.get(name) is not None)
        if row.get("completed_by") is None:
            yield "completed_by"
    elif row.get("created_at") is not None:
        yield "created_at"
    if kind == "drafts":
        if row.get("user") not in (None, me):
            yield "user"
    elif not is_importable(kind, row.get("result")):
        yield "result"


def packed(ids: Iterable[Id]) -> str:
    """Return ids as JSON, consecutive ones as their first and last.

    >>> packed([1, 2, 3, 7, "export 5"])
    '[[1,3],[7,7],"export 5"]'
    """
    found: list[Any] = []
    for id in ids:
        if isinstance(id, str):
            found.append(id)
        elif found and isinstance(found[-1], list) and found[-1][1] == id - 1:
            found[-1][1] = id
        else:
            found.append([id, id])
    return json.dumps(found, separators=(",", ":"))


def unpacked(text: str) -> Iterator[Id]:
    """Yield the ids that were packed.

    >>> list(unpacked('[[1,3],"export 5"]'))
    [1, 2, 3, 'export 5']
    """
    for one in json.loads(text):
        if isinstance(one, str):
            yield one
        else:
            yield from range(one[0], one[1] + 1)


def is_importable(kind: str, result: Any) -> bool:
    """Return whether an import stores a result as it is: regions; of an annotation any list."""
    return (kind == "annotations" and isinstance(result, list)) or is_regions(result)


def is_regions(result: Any) -> bool:
    """Return whether a result is a list of regions; None stands for an empty one."""
    if result is None:
        return True
    return isinstance(result, list) and all(isinstance(region, dict) for region in result)


def losses(
    ids: Mapping[str, Sequence[Id]], *, kept: bool, numbers: Mapping[str, int] | None = None
) -> Iterator[Loss]:
    """Yield losses for a report, from the ids by kind and field.

    ``numbers``: of how many objects, where the ids are not all known. ``kept``: the tasks' meta
    keeps dates and ids.
    """
    for name, some in ids.items():
        if count := len(some) if numbers is None else numbers[name]:
            kind, _, field = name.partition(".")
            why = WHY.get(name) or WHY.get(field) or KINDS[kind].losses[field]
            if kept and kind in ("tasks", "annotations", "predictions") and field != "result":
                why += f"; kept in meta[{ORIGIN!r}]"
            yield Loss(kind, field, count, why, ids=some)


def origin(row: Row, project: Mapping[str, Any]) -> Row:
    """Return what a copy keeps of a task in its meta, since the server does not keep it."""
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
