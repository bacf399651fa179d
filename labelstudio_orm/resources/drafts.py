"""Drafts: annotations that are not submitted yet, and edits of annotations that are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._config.results import check_result
from .._engine.http.paths import at
from ..orm import ForeignKey, Plain, Resource, field, foreign_key, readonly, resource
from .common import Dated

if TYPE_CHECKING:
    from .._engine.http.connection import Connection
    from .tasks import Annotation, Task

__all__ = ["Draft"]


@resource(
    "/api/drafts/{id}/",
    collection="/api/tasks/{task}/drafts",
    pages=Plain(scoped_by=("task",)),
    label="user",
)
class Draft(Dated, Resource):
    """A result in a task that is not submitted yet; with ``annotation``, an edit of that one.

    ``user`` is the e-mail address of its owner: always the user who creates it.
    ``ls.drafts.filter(task=1)`` lists the drafts of all users, ``task.drafts`` only those of the
    current user, as JSON. Whenever an annotation is saved, the server deletes the drafts of it;
    ``save`` of an annotation keeps them.

    >>> region = project.config["sentiment"].choice("Positive")
    >>> draft = ls.drafts.create(task=task, result=[region])
    >>> ls.drafts.filter(task=task).count()
    1
    """

    task: ForeignKey[Task] = foreign_key(fixed=True)
    task_id = task.id
    annotation: ForeignKey[Annotation] = foreign_key(default=None)
    annotation_id = annotation.optional_id
    result: list[dict[str, Any]] = field(factory=list, validator=check_result)
    lead_time: float | None = None
    was_postponed: bool = False
    import_id: int | None = None
    user: str | None = readonly()
    created_username: str = readonly()
    created_ago: str = readonly()

    def _post(self, client: Connection, body: dict[str, Any]) -> Any:
        body.setdefault("result", [])
        annotation = body.pop("annotation", None)  # which only the address says to the server
        task = self.task_id
        path = (
            at("/api/tasks/{}/drafts", task)
            if annotation is None
            else at("/api/tasks/{}/annotations/{}/drafts", task, annotation)
        )
        return client.request(
            "POST",
            path,
            json=body,
            doing=f"creating a draft in task {self.task_id}",
            expect=("id",),
        )
