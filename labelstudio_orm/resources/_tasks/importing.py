"""The import of tasks in batches, and what to do when an answer is lost on the way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..._engine.bulk.batches import Item
from ..._engine.conditions.lookups import same
from ..._engine.conditions.tree import EVERYTHING
from ..._engine.http.paths import at
from ..._engine.http.payload import EncodedList, encode
from ..._engine.reading.selection import query_of
from ..._engine.records.inside import is_saved, load
from ..._engine.records.origin import Origin
from ..._engine.values.codec import copy_json, is_flat
from ..._engine.values.collector import collector_at_rest
from ..._engine.values.ids import id_of
from ...errors import LabelStudioError, OutcomeUnknown, ServerError
from .forms import ANSWER, job_of, pretended_import

if TYPE_CHECKING:
    from ..._engine.models.queryset import QuerySet

TRIES = 5
"""Imports of one batch of which a busy server keeps only the tasks."""

LOOKS = 3
"""How often a batch whose answer was lost is looked for."""

DAY = 86_400.0
"""Seconds that a server which imports in the background may take for a batch."""


class Import:
    """Imports batches into a project, one at a time: parallel imports stall a SQLite server."""

    def __init__(self, queryset: QuerySet[Any]) -> None:
        if query_of(queryset).where != EVERYTHING or "project" not in query_of(queryset).scope:
            raise ValueError("tasks are created in a project: project.tasks.bulk_create([...])")
        self.queryset = queryset
        self.client = queryset.client
        self.project = query_of(queryset).scope["project"]
        newest = queryset.only("id").last()
        self.highest = newest.id if newest is not None else 0

    def store(self, items: list[Item], *, doing: str) -> list[Any]:
        """Store a batch, whole or not at all, in one request; return its tasks."""
        project = id_of(self.project)
        batch = EncodedList(
            (item.form for item in items),
            (item.text or encode(item.form, item.name) for item in items),
        )
        for _ in range(TRIES):
            try:
                job = self._send(batch, doing)
            except (OutcomeUnknown, ServerError) as error:
                ids = self._find_stored(batch, error)
                break
            ids = job.task_ids
            if not _is_bare(job, batch):
                break
            self.queryset.filter(id__in=ids).delete()
        else:
            raise LabelStudioError(
                f"{doing}: the server stored the tasks without their annotations or predictions, "
                f"{TRIES} times, so they were removed again; is something else writing to it?"
            )
        self.highest = max(self.highest, *ids)
        origin = Origin(
            self.client, {} if isinstance(self.project, int) else {"project": self.project}
        )
        rows = (
            {
                "id": id,
                "project": project,
                # A form has its own dict of data, but what is in it is the caller's.
                "data": form["data"] if is_flat(form["data"]) else copy_json(form["data"]),
                "meta": copy_json(form["meta"]) if "meta" in form else {},
            }
            for id, form in zip(ids, batch, strict=True)
        )
        with collector_at_rest():
            return list(load(self.queryset.model, rows, origin))

    def _send(self, batch: list[dict[str, Any]], doing: str) -> Any:
        project, client = id_of(self.project), self.client
        path = at("/api/projects/{}/import", project)
        answer = client.request(
            "POST",
            path,
            params={"return_task_ids": "true", "commit_to_project": "true"},
            json=batch,
            timeout=client.long_timeout,
            doing=doing,
            expect=ANSWER,
            dry=lambda: pretended_import(client, project, batch),
        )
        job = job_of(answer, client, self.project).wait(timeout=DAY)
        ids = job.task_ids
        if not _are_ids(ids, len(batch)):
            raise OutcomeUnknown(
                f"{doing}: the server gave {ids!r:.80} instead of {len(batch)} task ids",
                request=f"POST {path}",
            )
        return job

    def _find_stored(self, batch: list[dict[str, Any]], error: LabelStudioError) -> list[int]:
        """Return the ids of a batch whose answer was lost, if the server has it; else raise.

        An import is one transaction, so either all of it is there, in one run and newer than what
        was there before, or nothing: then it may still be under way. Other clients may have written
        the same: of several such runs it cannot be known which one is ours. A migration looks once
        more, by its journal (``Importer._find_batch``): it knows the whole content, and which tasks
        are copies already.
        """
        newer = self.queryset.only("data", "meta").filter(id__gt=self.highest)
        for attempt in range(LOOKS):
            if attempt:
                self.client.retries.pause(attempt)
            try:
                tasks = list(newer.iterator())
            except LabelStudioError as blind:
                raise error from blind
            runs = [
                run
                for start in range(len(tasks) - len(batch) + 1)
                if all(map(_is_stored, run := tasks[start : start + len(batch)], batch))
            ]
            if len(runs) == 1:
                return [task.id for task in runs[0]]
        raise error


def _are_ids(value: Any, number: int) -> bool:
    """Return whether a value is a list of this number of ids; those of a dry run are negative."""
    return (
        isinstance(value, list)
        and len(value) == number
        and all(type(one) is int for one in value)
        and len({*value}) == number
    )


def _is_bare(job: Any, batch: list[dict[str, Any]]) -> bool:
    """Return whether a server kept only the tasks, without annotations and predictions.

    A server on SQLite whose database was locked meanwhile imports the tasks anew, without the
    annotations and predictions that it took out the first time.
    """
    if is_saved(job):  # it went on in the background, so this is no such server
        return False
    counts = {"annotations": job.annotation_count, "predictions": job.prediction_count}
    return any(
        isinstance(count, int) and count < sum(len(form.get(kind) or ()) for form in batch)
        for kind, count in counts.items()
    )


def _is_stored(task: Any, form: dict[str, Any]) -> bool:
    sent = json.loads(json.dumps([form["data"], form.get("meta") or {}]))
    return same([task.data, task.meta or {}], sent)
