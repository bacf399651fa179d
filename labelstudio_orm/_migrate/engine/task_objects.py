"""Writes annotations, predictions and drafts unchanged, even ones that the public API rejects.

A server counts the labels of an annotation once it has stored it, and answers 500 where it cannot
count them; so after a 500 the object itself shows what was done.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

from ..._config.results import check_result
from ..._engine.http.paths import at
from ...errors import DoesNotExist, LabelStudioError, ServerError
from .exactly_once import outcome_unknown
from .fingerprints import digest
from .losses import is_regions

if TYPE_CHECKING:
    from ..._engine.http.connection import Connection
    from ..._engine.values.codec import Row
    from ...client import LabelStudio

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
