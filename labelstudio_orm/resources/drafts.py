"""Drafts: annotations that are not submitted yet, and edits of annotations that are not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from .._engine.http.deadline import afresh
from .._engine.http.paths import at
from .._engine.models.queryset import queryset_of
from ..errors import BadRequest, NotFound
from ..orm import ForeignKey, Plain, Resource, field, foreign_key, readonly, resource
from .common import Dated, valid_result

if TYPE_CHECKING:
    from .._engine.http.connection import Connection
    from .tasks import Annotation, Task

__all__ = ["Draft", "is_parked", "keeping_drafts", "unpark"]


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
    result: list[dict[str, Any]] = field(factory=list, validator=valid_result)
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


# -- the drafts of an annotation while it is saved -------------------------------------------------


@contextmanager
def keeping_drafts(client: Connection, task: int, annotation: int) -> Iterator[None]:
    """Detach the drafts of an annotation within the block, in which it may be saved.

    One request, and two for each draft. Drafts that a killed run left detached are attached again,
    too. When an annotation is saved, the server deletes the drafts of it, those of all users. A
    field of theirs that is seldom used (``import_id``) holds the id of the annotation meanwhile,
    with a minus sign, so that they can be attached again even if the run is killed.
    """
    with ExitStack() as stack:  # which gives back the others, too, where one cannot be saved
        for draft in _drafts_of(client, task, annotation):
            before = None if is_parked(draft) else draft.import_id
            stack.callback(afresh()(_put), draft, annotation, before)
            if not is_parked(draft):
                _put(draft, None, -annotation)
        yield


def _put(draft: Draft, annotation: int | None, import_id: int | None) -> None:
    draft.annotation_id, draft.import_id = annotation, import_id
    draft.save()


def _drafts_of(client: Connection, task: int, annotation: int) -> list[Draft]:
    try:
        return [
            draft
            for draft in queryset_of(Draft, client).filter(task=task)
            if draft.annotation_id == annotation
            or (is_parked(draft) and draft.import_id == -annotation)
        ]
    except NotFound:  # the task is gone, which the save will report; or no drafts here
        return []


def is_parked(draft: Draft) -> bool:
    """Return whether a killed run left the draft detached from its annotation."""
    note = draft.import_id
    return draft.annotation_id is None and isinstance(note, int) and note < 0


def unpark(draft: Draft) -> None:
    """Attach a draft to its annotation again, if a killed run left it detached."""
    if is_parked(draft):
        assert draft.import_id is not None
        draft.annotation_id, draft.import_id = -draft.import_id, None
        try:
            draft.save()
        except BadRequest:  # the annotation has been deleted meanwhile
            draft.annotation_id = None
            draft.save()
