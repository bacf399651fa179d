"""Querysets of what has results: their figures may be about controls of the labelling config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from .. import _tables
from .._engine.models.queryset import queryset_of
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
            project = self._project() if isinstance(name, str) else None
            if project is None or not isinstance(name, str):
                raise
            config = project.config
            if config.get(name) is None:
                said = unknown("nor has the labelling config a control", name, config)
                raise FieldError(f"{error}; {said}") from None
        return Valued(name, frozenset({"result"}), lambda obj: values_of(obj.result, config, name))

    def _project(self) -> Project | None:
        """Return the project of the objects, if they are of one."""
        scope: Mapping[str, Any] = self._query.scope
        found = scope.get("project")
        if found is None and "task" in scope:
            task = scope["task"]
            tasks = queryset_of(registry["Task"], self.client)
            found = (tasks.ref(task) if isinstance(task, (int, str)) else task).project
        if isinstance(found, int):
            found = queryset_of(registry["Project"], self.client).ref(found)
        return found


def values_of(result: Any, config: LabelConfig, control: str) -> Iterator[Any]:
    """Yield what a result says by a control: each label, or the value of a region without one."""
    for row in _tables.regions.region_rows(result, config):
        if row.control == control and row.kind != "relation":
            yield from row.labels or (row.value,)
