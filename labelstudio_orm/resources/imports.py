"""Imports: tasks from a list, from files, from an address."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .._engine.bulk.jobs import Job
from .._engine.http.deadline import one_call
from .._engine.http.paths import at
from .._engine.records.inside import row_of
from .._engine.values.ids import id_of as id_in
from ..errors import LabelStudioError
from ..orm import ForeignKey, QuerySet, Resource, readonly, readonly_foreign_key, resource
from ._tasks.forms import (
    ANSWER,
    held_by,
    import_body,
    job_of,
    pretended_import,
    refuse_unskippable,
)
from .common import Dated

if TYPE_CHECKING:
    from .projects import Project
    from .tasks import Task

__all__ = ["ImportJob", "Imports"]


class Imports(QuerySet["ImportJob"]):
    """``project.imports``: imports of one request each.

    ``project.tasks.bulk_create`` is for more tasks than one request takes, and returns the tasks.
    """

    @one_call
    def create(  # type: ignore[override]  # what is imported is not a field of the job
        self,
        tasks: Iterable[Mapping[str, Any] | Task] | None = None,
        *,
        file: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | None = None,
        url: str | None = None,
        commit_to_project: bool = True,
        preannotated_from_fields: Iterable[str] | None = None,
    ) -> ImportJob:
        """Import tasks, files, or what a URL returns. One request, stored whole or not at all.

        ``tasks``: as ``bulk_create`` takes them. ``file``: one or several (.json, .csv, .tsv, .txt,
        media). A file in JSON may be one that ``project.export("JSON")`` wrote; it is read here
        first, and compared with what the server reports as stored.

        Raises ValueError, before any request, for what the server would lose of such a file, or
        fail at: drafts, predictions of which only the ids were exported, rows of JSON_MIN; and
        LabelStudioError where it stored fewer annotations or predictions than the file has.

        ``commit_to_project=False`` only uploads. ``preannotated_from_fields`` moves these keys of
        the data into predictions. The job is done at once on a server that imports synchronously;
        ``wait()`` works for both kinds.

        >>> job = project.imports.create([{"text": "a"}, {"text": "b"}])
        >>> job.wait().task_count
        2
        """
        fields = preannotated_from_fields
        params: dict[str, Any] = {
            "commit_to_project": commit_to_project,
            "return_task_ids": True,
            **({} if fields is None else {"preannotated_from_fields": ",".join(fields)}),
        }
        project = self._query.scope["project"]
        held: Mapping[str, int] = {}
        if commit_to_project:  # what is stored as it is loses nothing
            file, held = held_by(file)
        with import_body(self.client.url, tasks, file, url) as body:
            for number, form in enumerate(body.get("json", ())):
                refuse_unskippable(self.client, form, f"item {number}")
            answer = self.client.request(
                "POST",
                at("/api/projects/{}/import", id_in(project)),
                params=params,
                timeout=self.client.long_timeout,
                doing=f"importing into Project {id_in(project)}",
                expect=ANSWER,
                dry=lambda: pretended_import(
                    self.client,
                    id_in(project),
                    body.get("json", ()),
                    [name for name, _ in body.get("files", {}).values()],
                ),
                **body,
            )
        job: ImportJob = job_of(answer, self.client, project)
        _check_kept(row_of(job), held)
        return job


@resource(
    "/api/projects/{project}/imports/{id}/",
    queryset=Imports,
)
class ImportJob(Dated, Job, Resource):
    """An import: what it stored, or its progress.

    A server that imports synchronously gives it no id; it is then done, and cannot be refreshed.

    >>> project.imports.create([{"text": "a"}]).wait().task_count
    1
    """

    project: ForeignKey[Project] = readonly_foreign_key()
    project_id = project.id
    status: str = readonly()
    error: str | None = readonly()
    traceback: str | None = readonly()
    task_count: int = readonly()
    annotation_count: int | None = readonly()
    prediction_count: int | None = readonly()
    task_ids: list[int] = readonly(of="Task")
    file_upload_ids: list[int] = readonly(of="FileUpload")
    duration: float | None = readonly()
    could_be_tasks_list: bool = readonly()
    found_formats: dict[str, Any] | list[Any] | None = readonly()
    data_columns: list[str] = readonly()
    preannotated_from_fields: list[str] | None = readonly()
    commit_to_project: bool = readonly()
    return_task_ids: bool = readonly()
    url: str | None = readonly()
    tasks: Any = readonly()
    finished_at: datetime | None = readonly()

    def __repr__(self) -> str:
        number = f" {self.id}" if self._is_saved else ""
        state = f" {self._row['status']!r}" if "status" in self._row else ""
        return f"<ImportJob{number}{state}>"


def _check_kept(row: Mapping[str, Any], held: Mapping[str, int]) -> None:
    """Raise LabelStudioError where less was stored than was sent."""
    for kind, counter in (("annotations", "annotation_count"), ("predictions", "prediction_count")):
        kept, number = row.get(counter), held.get(kind, 0)
        if isinstance(kept, int) and kept < number and row.get("task_count"):
            ids = row.get("task_ids") or []
            raise LabelStudioError(
                f"importing into Project {row['project']}: the server stored the tasks "
                f"with {kept} of {number} {kind}; their ids are {ids!r:.200}. Delete them, and "
                "import them again"
            )
