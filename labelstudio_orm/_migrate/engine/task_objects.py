"""Annotations, predictions and drafts: when two are equal, and how they are written unchanged.

Also ones that the public API rejects. A server counts the labels of an annotation once it has
stored it, and answers 500 where it cannot count them; so after a 500 the object itself shows what
was done.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

from ..._config.results import check_result
from ..._engine.http.paths import at
from ...errors import DoesNotExist, LabelStudioError, ServerError
from .exactly_once import outcome_unknown
from .fingerprints import CONTENTS, TASK_KINDS, digest, fields_of
from .losses import is_regions

if TYPE_CHECKING:
    from ..._engine.http.connection import Connection
    from ..._engine.values.codec import Row
    from ...client import LabelStudio


# -- rows -----------------------------------------------------------------------------------------

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


# -- writing --------------------------------------------------------------------------------------

REFUSED: Final = (TypeError, ValueError, ServerError)
"""Errors for an object that no server takes (a BadRequest is a ValueError).

``is_refused`` leaves out the answers that were lost.
"""


def is_refused(error: Exception) -> bool:
    """Return whether an error is about the object, so that the others may still succeed."""
    return isinstance(error, REFUSED) and not outcome_unknown(error)


def is_malformed(result: Any) -> bool:
    """Return whether this library would refuse to write a result."""
    try:
        check_result(result)
    except (TypeError, ValueError):
        return True
    return False


def check_storable(kind: str, result: Any) -> None:
    """Raise TypeError for a result that a server would refuse, or store as something else.

    It makes regions of its own from a string, and null from an object. A draft may be anything.
    """
    if kind != "drafts" and not is_regions(result):
        check_result(result)


def create(client: LabelStudio, kind: str, task: int, fields: Mapping[str, Any]) -> int:
    """Create an annotation, a prediction or a draft of a task; return its id.

    One request; three for an annotation with a region that the server fails to count: made without
    regions, so that the counters of its task are right, it then gets its result.

    Raises TypeError for a result that no server stores, and what the server answers.
    """
    result = fields["result"]
    check_storable(kind, result)
    if kind == "annotations" and is_malformed(result):
        made: int = client.annotations.create(task=task, **{**fields, "result": []}).id
        fill(client, made, result)
        return made
    if kind == "annotations":
        return int(client.annotations.create(task=task, **fields).id)
    body = {name: value for name, value in fields.items() if value is not None}
    annotation = body.pop("annotation", None)
    if kind == "predictions":
        path, body = "/api/predictions/", {**body, "task": task}
    elif annotation is None:
        path = at("/api/tasks/{}/drafts", task)
    else:
        path = at("/api/tasks/{}/annotations/{}/drafts", task, annotation)
    doing = f"creating a {kind.removesuffix('s')} in task {task}"
    return int(client.request("POST", path, json=body, doing=doing, expect=("id",))["id"])


def annotate(client: LabelStudio, task: Row, fields: Mapping[str, Any]) -> int:
    """Create an annotation of a task as ``create`` does.

    One that an earlier run began, and left without its regions, is completed.
    """
    blank = {**fields, "result": []}
    if is_malformed(fields["result"]):
        for one in task["annotations"]:
            if all(digest(one.get(name)) == digest(blank[name]) for name in _BEGUN):
                fill(client, one["id"], fields["result"])
                return int(one["id"])
    return create(client, "annotations", task["id"], fields)


_BEGUN: Final = ("import_id", "result", "lead_time", "was_cancelled")


def fill(client: LabelStudio, annotation: int, result: Any) -> None:
    """Give an annotation that was made without regions its result.

    If the server refuses that, the annotation is deleted.
    """
    try:
        change(client, "annotations", annotation, {"result": result})
    except Exception as error:
        if is_refused(error):
            delete(client.annotations.ref(annotation))
        raise


def change(
    client: Connection, kind: str, id: int, fields: Mapping[str, Any], *, task: int | None = None
) -> None:
    """Change fields of an annotation, a prediction or a draft.

    One request, and one more after an answer 500, which is not raised if the server holds these
    values. The drafts of an annotation are deleted, as with every change of it.
    """
    if "result" in fields:
        check_storable(kind, fields["result"])
    path = at(f"/api/{kind}/{{}}/", id)
    # A server that validates predictions refuses a PATCH that does not say of which task it is.
    body = {**fields, "task": task} if kind == "predictions" else dict(fields)
    doing = f"changing {kind.removesuffix('s')} {id}"
    try:
        client.request("PATCH", path, json=body, idempotent=True, doing=doing)
    except ServerError as error:
        if outcome_unknown(error) or not _holds(client, path, fields):
            raise


def _holds(client: Connection, path: str, fields: Mapping[str, Any]) -> bool:
    try:
        row = client.request("GET", path, doing="looking what was stored")
    except LabelStudioError:
        return False
    return all(digest(row.get(name)) == digest(value) for name, value in fields.items())


def delete(obj: Any) -> None:
    """Delete an object, if it still exists."""
    with suppress(DoesNotExist):  # a proxy may have repeated a request
        obj.delete()


def import_problem(row: Row) -> str | None:
    """Return what another program has left in a task that no import takes; None for most."""
    if (problem := data_problem(row)) is not None:
        return problem
    if not isinstance(meta := row.get("meta"), (dict, list, NoneType)):
        return f"its meta is {meta!r:.80}, and an import takes a JSON object or a list"
    return None


def data_problem(row: Row) -> str | None:
    """Return what is wrong with the data of a task; None for most."""
    if isinstance(row["data"], dict):
        return None
    return f"its data is {row['data']!r:.80}, and a server takes a JSON object only"
