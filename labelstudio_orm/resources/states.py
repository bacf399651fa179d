"""The states that tasks, annotations and projects have been in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..orm import (
    ForeignKey,
    Numbered,
    Resource,
    fields,
    readonly,
    readonly_foreign_key,
    resource,
)
from .common import CreatedAt

if TYPE_CHECKING:
    from .people import User
    from .projects import Project
    from .tasks import Annotation, Task

__all__ = ["AnnotationState", "ProjectState", "TaskState"]


@fields
class _State(CreatedAt):
    uuid: str = readonly(wire="id")
    state: str = readonly()
    previous_state: str | None = readonly()
    transition_name: str | None = readonly()
    triggered_by: ForeignKey[User] = readonly_foreign_key()
    triggered_by_id = triggered_by.optional_id
    reason: str | None = readonly()
    context_data: dict[str, Any] | None = readonly()


@resource(
    "",
    collection="/api/fsm/entities/task/{task}/history",
    pages=Numbered(scoped_by=("task",)),
    label="state",
    key="uuid",
)
class TaskState(_State, Resource):
    """A state that a task came into, and by which transition.

    Servers record states from 1.22 on, and only where that feature is on.

    >>> [one.state for one in task.states.all()]
    []
    """

    task: ForeignKey[Task] = readonly_foreign_key()
    task_id = task.id


@resource(
    "",
    collection="/api/fsm/entities/annotation/{annotation}/history",
    pages=Numbered(scoped_by=("annotation",)),
    label="state",
    key="uuid",
)
class AnnotationState(_State, Resource):
    """A state that an annotation came into.

    >>> [one.triggered_by_id for one in annotation.states.filter(state="SUBMITTED")]
    []
    """

    annotation: ForeignKey[Annotation] = readonly_foreign_key()
    annotation_id = annotation.id


@resource(
    "",
    collection="/api/fsm/entities/project/{project}/history",
    pages=Numbered(scoped_by=("project",)),
    label="state",
    key="uuid",
)
class ProjectState(_State, Resource):
    """A state that a project came into.

    >>> project.states.count()
    0
    """

    project: ForeignKey[Project] = readonly_foreign_key()
    project_id = project.id
