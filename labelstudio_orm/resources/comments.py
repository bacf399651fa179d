"""Comments on annotations."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from .._engine.fields.fields import ForeignKey, belongs_to, id_of, readonly
from .._engine.models.declaration import resource
from .._engine.models.queryset import QuerySet
from .._engine.models.resource import Resource
from .common import Authored

if TYPE_CHECKING:
    from typing_extensions import Self

    from .projects import Project
    from .tasks import Annotation, Task


class Comments(QuerySet["Comment"]):
    """``project.comments``, ``annotation.comments``, ``ls.comments.filter(project=1)``."""

    def with_created_by(self) -> Self:
        """The same comments, with their authors brought along in the same request."""
        return self._with(params={**self.params, "expand_created_by": True})


@resource(
    "/api/comments/{id}",
    collection="/api/comments/",
    params={"project_id__exact": "project", "annotation_id__exact": "annotation"},
    label="text",
    queryset=Comments,
    edition="Enterprise",
)
class Comment(Authored, Resource):
    """What somebody remarked on an annotation.

    >>> annotation.comments.create(text="Is this really positive?")
    """

    annotation_id: int | None = id_of("annotation", fixed=True)
    annotation: ForeignKey[Annotation] = belongs_to(default=None)
    project_id: int | None = id_of("project", fixed=True)
    project: ForeignKey[Project] = belongs_to(default=None)
    task_id: int | None = id_of("task", read_only=True)
    task: ForeignKey[Task] = belongs_to(init=False)
    text: str = ""
    is_resolved: bool = False
    resolved_at: datetime | None = readonly()
