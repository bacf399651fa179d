"""The drafts of an annotation while it is saved.

The server deletes the drafts of an annotation that is saved, everybody's, so they are taken off it
meanwhile. That they belong to it is written in a field of theirs that few use, and so survives the
end of a run at any moment.
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


@contextmanager
def keeping_drafts(client: LabelStudio, task: int, annotation: int) -> Iterator[None]:
    """Within the block the annotation may be saved. One request, and two for each of its drafts;
    those that a run which died has left off it are given back as well.
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
    """Return whether a run that died has taken it off its annotation."""
    note = draft.import_id
    return draft.annotation_id is None and isinstance(note, int) and note < 0


def unpark(draft: Draft) -> None:
    """Give a draft back to its annotation, from which a run that died had taken it off."""
    if is_parked(draft):
        assert draft.import_id is not None
        draft.annotation_id, draft.import_id = -draft.import_id, None
        try:
            draft.save()
        except BadRequest:  # the annotation has been deleted meanwhile
            draft.annotation_id = None
            draft.save()
