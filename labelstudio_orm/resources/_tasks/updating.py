"""Updating tasks: texts in their data many in one request, the others one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from ..._engine.bulk.run import BulkRun
from ..._engine.bulk.updating import Update
from ..._engine.conditions.tree import Node, conjunction, leaves, parts_of
from ..._engine.pages.sources import chunked
from ..._engine.reading.selection import evolved, query_of
from ..._engine.records.inside import changed
from .actions import BATCH, act
from .nouns import project_of


class TaskUpdate(Update):
    """An ``update`` of tasks."""

    def set_many(self, objects: Iterator[Any], run: BulkRun) -> Iterator[Any]:
        """Set texts under keys of ``data`` by the server's own action; yield the other tasks.

        The action leaves other keys as they are. Where it cannot be used, all tasks are yielded.
        """
        if not self._are_texts_in_data():
            yield from objects
            return
        project = project_of(self.listed).id
        for tasks in chunked(objects, BATCH):
            ids = []
            for task in tasks:
                self.assign(task)
                if changed(task):
                    ids.append(task.id)
            chosen = {"selectedItems": {"all": False, "included": ids}}
            try:
                for one in self.assignments if ids else ():
                    name = one.key.path[0]
                    field = {"value_name": name, "value_type": "String", "value": one.value}
                    act(self.listed, project, ADD_FIELD, {**chosen, **field}, idempotent=True)
            except ValueError:  # there is no such action, or one of the tasks is refused
                yield from tasks
                yield from objects
                return
            run.updated += len(ids)
            run.skipped += len(tasks) - len(ids)
            run.report()

    def _are_texts_in_data(self) -> bool:
        if not all(one.is_text_in_data for one in self.assignments):
            return False
        try:  # what is shown under a key of the labelling config may be stored under another one
            shown = project_of(self.listed).config.data_keys
        except ValueError:  # a config that is broken
            return False
        return not any(one.key.path[0] in shown for one in self.assignments)

    def reread(self, obj: Any) -> Any:
        """Read a task again by a filter, in one request; return None if it no longer matches."""
        if "project" not in query_of(self.queryset).scope:
            return super().reread(obj)
        return self._matching.filter(id=obj.id).first()

    def reread_many(self, objects: Sequence[Any]) -> Mapping[Any, Any] | None:
        """Read tasks again by a filter, in one request."""
        if "project" not in query_of(self.queryset).scope:
            return None
        found = self._matching.filter(id__in=[obj.id for obj in objects])
        return {task.id: task for task in found.iterator()}

    @cached_property
    def _matching(self) -> Any:
        tasks = self.queryset
        scope = {"project": query_of(tasks).scope["project"]}
        fields = None if self.is_computed else frozenset({"id", *self.names})
        found = type(tasks)(tasks.model, tasks.client, scope=scope, fields=fields)
        parts = parts_of(self.where)
        return evolved(found, where=conjunction(*(one for one in parts if not _is_about_id(one))))


def _is_about_id(node: Node) -> bool:
    """Return whether a condition is about the id alone, which no change of a task touches."""
    found = list(leaves(node))
    return bool(found) and all(one.field.name == "id" and one.relation is None for one in found)


ADD_FIELD = "add_data_field"
"""The server's action that sets a key of ``data``."""
