"""The bulk verbs: many objects in few requests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .errors import DoesNotExist, LabelStudioError, NotFound
from .imports import Import, import_form
from .pages import TASKS, chunked, id_of
from .progress import Progress, reporter
from .query import EVERYTHING
from .resource import Resource

if TYPE_CHECKING:
    from .queryset import QuerySet

DELETE_BATCH = 1000
"""Tasks that one request deletes."""


def create_many(
    queryset: QuerySet[Any],
    items: Iterable[Any],
    *,
    batch_size: int,
    batch_bytes: int,
    progress: Progress,
) -> list[Any]:
    """See ``QuerySet.bulk_create``."""
    total = len(items) if isinstance(items, Sized) else None
    report = reporter(progress, f"creating {queryset._what}")
    report(0, total)
    created: list[Any] = []
    try:
        for stored in _stored(queryset, items, batch_size, batch_bytes):
            created.extend(stored)
            report(len(created), total)
    except LabelStudioError as error:
        error.created = created
        raise
    if total is None:
        report(len(created), len(created))
    return created


def _stored(
    queryset: QuerySet[Any], items: Iterable[Any], batch_size: int, batch_bytes: int
) -> Iterator[list[Any]]:
    """The objects of each request. What can be measured is checked as a whole before the first."""
    if queryset.model._options.pages is not TASKS:
        yield from ([queryset.create(**_fields(item))] for item in items)
        return
    server = queryset.client.url
    forms: Iterable[dict[str, Any]] = (
        import_form(item, f"item {number}", server=server) for number, item in enumerate(items)
    )
    if isinstance(items, Sized):
        forms = list(forms)
    importer = Import(queryset)
    done = 0
    for batch in _batches(forms, batch_size, batch_bytes):
        yield importer.store(batch, offset=done)
        done += len(batch)


def _fields(item: Any) -> Mapping[str, Any]:
    if isinstance(item, Mapping):
        return item
    if not isinstance(item, Resource) or item._is_saved:
        raise TypeError(f"bulk_create takes dicts of fields and unsaved objects, not {item!r:.80}")
    fields = item._options.fields
    return {fields[name].references or name: getattr(item, name) for name in item.changes}


def _batches(
    forms: Iterable[dict[str, Any]], size: int, limit: int
) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    held = 0
    for form in forms:
        length = len(json.dumps(form, default=str))
        if batch and (len(batch) >= size or held + length > limit):
            yield batch
            batch, held = [], 0
        batch.append(form)
        held += length
    if batch:
        yield batch


def delete_many(queryset: QuerySet[Any]) -> int:
    """See ``QuerySet.delete``."""
    if queryset.model._options.pages is not TASKS:
        objects = list(queryset)
        for obj in objects:
            with suppress(DoesNotExist):  # somebody else was quicker
                obj.delete()
        return len(objects)
    client, project = queryset.client, id_of(queryset.scope.get("project"))
    if project is None:
        raise ValueError(
            "tasks are deleted in a project: ls.tasks.filter(project=...), project.tasks"
        )
    if queryset.where == EVERYTHING and not queryset._is_slice:
        number = queryset.count()
        client.request(
            "DELETE",
            f"/api/projects/{project}/tasks/",
            timeout=client.long_timeout,
            doing=f"deleting all tasks of Project {project}",
        )
        return number
    ids = list(queryset.values_list("id", flat=True))
    # The action drops a project's views with its last task; the last one of ours therefore goes by
    # itself.
    for chunk in chunked(ids[:-1], DELETE_BATCH):
        client.request(
            "POST",
            "/api/dm/actions/",
            params={"id": "delete_tasks", "project": project},
            json={"selectedItems": {"all": False, "included": chunk}},
            timeout=client.long_timeout,
            idempotent=True,
            expect=("processed_items",),
            doing=f"deleting {len(chunk)} tasks of Project {project}",
        )
    if ids:
        with suppress(NotFound):
            client.request("DELETE", f"/api/tasks/{ids[-1]}/", doing=f"deleting Task {ids[-1]}")
    return len(ids)
