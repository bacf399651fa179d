"""Comments on annotations."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..orm import (
    ForeignKey,
    QuerySet,
    Resource,
    foreign_key,
    readonly,
    readonly_foreign_key,
    resource,
)
from .authored import Authored
from .common import Enterprise

if TYPE_CHECKING:
    from typing_extensions import Self

    from .drafts import Draft
    from .projects import Project
    from .tasks import Annotation, Task

__all__ = ["Comment", "Comments"]


class Comments(QuerySet["Comment"]):
    """``project.comments``, ``annotation.comments``, ``ls.comments.filter(project=1)``."""

    def with_created_by(self) -> Self:
        """Return the same comments, with their authors loaded in the same request."""
        return self._but(params={**self._query.params, "expand_created_by": True})


@resource(
    "/api/comments/{id}",
    params={
        "project_id__exact": ("project", "projects"),
        "annotation_id__exact": "annotation",
        "draft_id__exact": "draft",
    },
    label="text",
    queryset=Comments,
)
class Comment(Enterprise, Authored, Resource):
    """A remark on an annotation or a draft.

    ``region_ref`` is the region that it is about: ``{"regionId": "a1", "controlName": "label"}``.

    >>> annotation.comments.create(text="Is this really positive?")
    """

    annotation: ForeignKey[Annotation] = foreign_key(default=None, fixed=True)
    annotation_id = annotation.optional_id
    draft: ForeignKey[Draft] = foreign_key(default=None, fixed=True)
    draft_id = draft.optional_id
    project: ForeignKey[Project] = foreign_key(default=None, fixed=True)
    project_id = project.optional_id
    task: ForeignKey[Task] = readonly_foreign_key()
    task_id = task.optional_id
    text: str = ""
    is_resolved: bool = False
    classifications: Any = None
    region_ref: dict[str, Any] | None = None
    state: str | None = readonly()
    resolved_at: datetime | None = readonly()
