"""Creating an annotation exactly once, although an answer may be lost."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from ..._engine.http.paths import at
from ..._engine.models.queryset import queryset_of
from ..._engine.values.codec import same_json
from ..._engine.values.registry import registry
from ...errors import Conflict, LabelStudioError, OutcomeUnknown

if TYPE_CHECKING:
    from ..._engine.http.connection import Connection

__all__ = ["post_once"]


def post_once(client: Connection, task: int, body: dict[str, Any]) -> Any:
    """Create an annotation of a task and return its row.

    The server refuses a second one of the same ``unique_id``, so this POST may be repeated.
    """
    body.setdefault("unique_id", str(uuid.uuid4()))
    # The server answers 500 without it where it would otherwise store a null that can never be
    # saved again.
    body.setdefault("result", [])
    doing = f"creating an Annotation of Task {task}"
    try:
        return client.request(
            "POST",
            at("/api/tasks/{}/annotations/", task),
            json=body,
            idempotent=True,
            doing=doing,
            expect=("id",),
        )
    except LabelStudioError as error:
        if not error.repeated:
            raise
        failure = error
    try:
        if isinstance(failure, Conflict):
            return _stored(client, task, body, failure)
    except LabelStudioError as blind:
        failure = blind
    # A second creation has another unique_id, so this must not look harmless to repeat.
    raise OutcomeUnknown(
        f"{doing}: the answer was lost, so it may or may not have been done. Look on the "
        f"server before repeating it ({failure})",
        request=failure.request,
    ) from failure


def _stored(client: Connection, task_id: int, body: dict[str, Any], conflict: Conflict) -> Any:
    """Return the row that an earlier attempt stored. Only an export shows unique ids."""
    task = queryset_of(registry["Task"], client).get(task_id)
    params = {"exportType": "JSON", "download_all_tasks": "true", "ids[]": task.id}
    doing = f"looking for a new Annotation of {task!r}"
    path = at("/api/projects/{}/export", task.project_id)
    exported = client.request(
        "GET", path, params=params, doing=doing, expect=[{"annotations": [{"id": int}]}]
    )
    for row in exported[0]["annotations"] if exported else ():
        if row.get("unique_id") == body["unique_id"]:
            if not same_json(row.get("result"), body["result"]):
                raise conflict  # the caller's own unique_id, of another annotation
            path = at("/api/annotations/{}/", row["id"])
            return client.request("GET", path, doing=doing, expect=("id",))
    raise OutcomeUnknown(f"{doing}: the server reports it as stored, but does not show it")
