"""The nouns, for the functions beside them: without their types, since they import this package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from ..._engine.reading.selection import query_of

if TYPE_CHECKING:
    from ..._engine.reading.selection import Selection

Export: TypeAlias = Any
Project: TypeAlias = Any


def client_with_nouns(selection: Selection[Any]) -> Any:
    """Return the client of a queryset, which knows the nouns."""
    return selection.client


def project_of(tasks: Selection[Any]) -> Project:
    """Return the project that the tasks are of. One request for a view that is given by its id."""
    scope = query_of(tasks).scope
    project, view = scope.get("project"), scope.get("view")
    if project is None and view is not None:
        found = view if not isinstance(view, int) else client_with_nouns(tasks).views.get(view)
        project = found.project_id
    if project is None:
        raise ValueError("this needs the tasks of one project: project.tasks, view.tasks")
    return client_with_nouns(tasks).projects.ref(project) if isinstance(project, int) else project
