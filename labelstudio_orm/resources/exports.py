"""Export snapshots: a project's tasks as they were at one time, in any format."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._engine.bulk.jobs import Job, last_line, wait_for
from .._engine.http.connection import pretended
from .._engine.http.deadline import one_call
from .._engine.http.download import download
from .._engine.models.queryset import queryset_of
from .._engine.reading.by_id import given_id
from .._engine.reading.selection import query_of
from ..errors import BadRequest, JobFailed
from ..orm import (
    ForeignKey,
    Plain,
    QuerySet,
    Resource,
    action,
    answer,
    field,
    foreign_key,
    readonly,
    resource,
)
from ..progress import Progress
from ._tasks.exports import check_snapshot, naming_sizes
from ._tasks.targets import check_target
from .authored import CreatedBy
from .views import View

if TYPE_CHECKING:
    from typing_extensions import Self

    from .._engine.http.connection import Connection
    from .projects import Project

__all__ = ["Export", "Exports"]


class Exports(QuerySet["Export"]):
    """``project.exports``: the snapshots of a project, and the formats of an export."""

    @action(
        "GET",
        "/api/projects/{project}/export/formats",
        "listing the export formats of Project {project}",
        expect=[{"name": str}],
    )
    def formats(self) -> list[dict[str, Any]]:
        """List the formats: ``{"name": "COCO", "title": ..., "description": ...}``. One request."""
        return answer()


@resource(
    "/api/projects/{project}/exports/{id}",
    pages=Plain(scoped_by=("project",)),
    label="title",
    queryset=Exports,
)
class Export(CreatedBy, Job, Resource):
    """A snapshot of a project's tasks, made by the server.

    ``project.export(...)`` is simpler where the snapshot need not be kept.

    ``task_filter_options``: ``view`` (a View or its id), ``finished``, ``skipped``, ``annotated``
    ("only" or "exclude"), ``only_with_annotations``. ``annotation_filter_options``: ``usual``,
    ``ground_truth``, ``skipped``. ``serialization_options``: ``drafts``, ``predictions``,
    ``annotations__completed_by`` (``{"only_id": False}`` each), ``interpolate_key_frames``.

    >>> export = project.exports.create(title="May", task_filter_options={"annotated": "only"})
    >>> export.wait().download("may.json")
    """

    project: ForeignKey[Project] = foreign_key(fixed=True)
    project_id = project.id
    title: str | None = field(default=None, fixed=True)
    task_filter_options: dict[str, Any] | None = field(default=None, fixed=True)
    annotation_filter_options: dict[str, Any] | None = field(default=None, fixed=True)
    serialization_options: dict[str, Any] | None = field(default=None, fixed=True)
    status: str = readonly()
    md5: str = readonly()
    counters: dict[str, Any] | None = readonly()
    converted_formats: list[dict[str, Any]] = readonly()
    finished_at: datetime | None = readonly()

    def _post(self, client: Connection, body: dict[str, Any]) -> Any:
        """Look at the view first: the server takes one that does not exist for all tasks."""
        options = body.get("task_filter_options") or {}
        if "view" in options:
            views = queryset_of(View, client)
            view = views.get(given_id(query_of(views), options["view"], "the view of an Export"))
            if view.project_id != self.project_id:
                raise ValueError(f"creating an Export: {view!r} belongs to another project")
            body["task_filter_options"] = {**options, "view": view.id}
        return client.request(
            "POST",
            self._url(self._options.collection),
            json=body,
            timeout=client.long_timeout,
            doing=f"creating an Export of Project {self.project_id}",
            expect={"id": int, "status": str},
            dry=lambda: pretended(client, [{**body, "status": "completed"}])[0],
        )

    @one_call
    def convert(
        self,
        format: str,
        *,
        download_resources: bool | None = None,
        wait: bool = True,
        timeout: float = 3600,
        progress: Progress = None,
    ) -> Self:
        """Let the server convert the snapshot to a format, "COCO" for example; return self.

        Two requests, and one for each poll where the server goes on in the background.

        ``download_resources``: put the images and other media into the archive. ``wait``: wait
        until it is done, ``timeout`` seconds at most. Raises JobFailed with the server's reason,
        and ValueError, before any request, for a format with images: no snapshot has any.
        """
        check_snapshot(self, format, download_resources)
        body: dict[str, Any] = {"export_type": format}
        if download_resources is not None:
            body["download_resources"] = download_resources
        with naming_sizes(self, format):
            self._convert(body, format, wait, timeout, progress)
        return self

    def _convert(
        self, body: dict[str, Any], format: str, wait: bool, timeout: float, progress: Progress
    ) -> None:
        doing = f"converting {self!r} to {format}"
        try:
            self._ask("POST", doing, "/convert", json=body, timeout=self._client.long_timeout)
        except BadRequest as error:
            if "already started" not in str(error):
                raise
        if self._client.is_dry:  # then no look would show what was not begun
            return
        self.refresh()
        if wait:
            wait_for(
                f"{self!r} as {format}",
                lambda: self._conversion(format).get("status"),
                self.refresh,
                lambda: last_line(self._conversion(format).get("traceback")),
                self._client,
                timeout=timeout,
                progress=progress,
            )

    def _conversion(self, format: str) -> dict[str, Any]:
        known = self.converted_formats
        for entry in known if isinstance(known, list) else ():
            if isinstance(entry, dict) and entry.get("export_type") == format:
                return entry
        raise JobFailed(f"{self!r}: the server has not begun the conversion to {format}")

    @one_call
    def download(
        self, path: str | os.PathLike[str], format: str | None = None, *, progress: Progress = None
    ) -> Path:
        """Write the snapshot to a file, streamed; return the path. One request.

        ``format``: as for ``convert``, which need not be called before; default: JSON. The file
        appears under its name only when it is complete. Raises ValueError, before the request, for
        a format with images: no snapshot has any.
        """
        named = "JSON" if format is None else format
        check_snapshot(self, named)
        check_target(Path(path), named)
        self._saved_id("download()")
        with naming_sizes(self, named):
            return download(
                self._client,
                self._url() + "/download",
                Path(path),
                params={} if format is None else {"exportType": format},
                doing=f"downloading {self!r} as {named}",
                progress=progress,
            )
