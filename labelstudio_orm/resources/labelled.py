"""Querysets of what has results: their figures may be about controls of the labelling config."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .. import _tables
from .._engine.conditions.tree import exactly
from .._engine.models.queryset import queryset_of
from .._engine.reading.selection import query_of
from .._engine.reading.summaries import Valued
from .._engine.values.near import unknown
from .._engine.values.registry import registry
from ..errors import FieldError
from ..orm import QuerySet

if TYPE_CHECKING:
    from .._config.labelconfig import LabelConfig
    from .._engine.conditions.places import Place
    from .projects import Project

__all__ = ["LabelledSet"]

R = TypeVar("R")


class LabelledSet(QuerySet[R]):
    """Annotations or predictions."""

    def _valued(self, name: str | Place) -> Valued:
        try:
            return super()._valued(name)
        except FieldError as error:
            if not isinstance(name, str) or _owners(self) == [None, None]:
                raise
            config = project_of(self).config
            if config.get(name) is None:
                said = unknown("nor has the labelling config a control", name, config)
                raise FieldError(f"{error}; {said}") from None
        return Valued(name, frozenset({"result"}), lambda obj: values_of(obj.result, config, name))


def project_of(objects: QuerySet[Any]) -> Project:
    """Return the project of annotations or predictions. Raises ValueError if they are not of one.

    No request where they came through it, else those for the task.
    """
    found, task = _owners(objects)
    if found is None and task is not None:
        tasks = queryset_of(registry["Task"], objects.client)
        found = (tasks.ref(task) if isinstance(task, int) else task).project
    if found is None:
        raise ValueError(
            f"{query_of(objects).description} are not of one project, whose labelling config "
            "explains them: go through project.annotations or project.predictions"
        )
    if isinstance(found, int):
        found = queryset_of(registry["Project"], objects.client).ref(found)
    return cast("Project", found)


def _owners(objects: QuerySet[Any]) -> list[Any]:
    """Return the project and the task that all objects are of, or their ids, as far as known."""
    query, names = query_of(objects), ("project", "task")
    return [query.scope.get(name) or exactly(query.where, f"{name}_id") for name in names]


def values_of(result: Any, config: LabelConfig, control: str) -> Iterator[Any]:
    """Yield what a result says by a control: each label, or the value of a region without one."""
    for row in _tables.regions.region_rows(result, config):
        if row.control == control and row.kind != "relation":
            yield from row.labels or (row.value,)
