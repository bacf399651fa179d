"""The drafts of an annotation while it is saved.

When an annotation is saved, the server deletes the drafts of it, those of all users. So they are
detached from it meanwhile. A field of theirs that is seldom used (``import_id``) holds the id of
the annotation, with a minus sign, so that they can be attached again even if the run is killed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from .._engine.http.deadline import afresh
from ..errors import BadRequest, NotFound

if TYPE_CHECKING:
    from ..client import LabelStudio
    from .drafts import Draft

__all__ = ["is_parked", "keeping_drafts", "unpark"]


@contextmanager
def keeping_drafts(client: LabelStudio, task: int, annotation: int) -> Iterator[None]:
    """Detach the drafts of an annotation within the block, in which it may be saved.

    One request, and two for each draft. Drafts that a killed run left detached are attached again,
    too.
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


def _drafts_of(client: LabelStudio, task: int, annotation: int) -> list[Draft]:
    try:
        return [
            draft
            for draft in client.drafts.filter(task=task)
            if draft.annotation_id == annotation
            or (is_parked(draft) and draft.import_id == -annotation)
        ]
    except NotFound:  # the task is gone, which the save will tell; or a server without drafts
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
