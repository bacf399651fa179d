"""Exports to a file: of a project, of a selection of its tasks."""

from __future__ import annotations

import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._engine.http.deadline import afresh
from ..._engine.http.download import download
from ..._engine.http.page_sizes import IDS
from ..._engine.pages.sources import chunked
from ..._engine.plans.columns import line as condition
from ..._engine.reading.selection import query_of
from ..._engine.records.inside import client_of, saved_id, url_of
from ..._engine.values.files import whole_file
from ..._engine.values.near import did_you_mean
from ...errors import DoesNotExist, JobFailed, ServerError
from ...progress import Progress, reporter
from .exported import with_whole_predictions
from .nouns import Export, Project, project_of
from .pixels import check_sizes
from .targets import check_target

if TYPE_CHECKING:
    from ..._engine.models.queryset import QuerySet

_turns: dict[tuple[str, int], AbstractContextManager[Any]] = {}
"""One lock for each project: the server builds an export in a file that it names after the minute
and the data, so of two exports of the same at once either may be cut short (seen on 1.23.2).
"""


WITH_IMAGES = "_WITH_IMAGES"
"""The end of the names of formats whose archives hold the images, too."""

_BY_NAME = ("COCO", "YOLO")
"""The beginnings of formats of which only the name decides whether images are in the archive."""


def export_project(
    project: Project,
    format: str,
    path: Path,
    *,
    only_annotated: bool = False,
    download_resources: bool | None = None,
    ids: list[int] | None = None,
    progress: Progress = None,
) -> Path:
    """Export a project: ``Project.export``. ``ids``: only these tasks, as many as a URL holds."""
    saved_id(project, "export()")
    _check_name(format)
    check_target(path, format)
    check_resources(format, download_resources)
    check_sizes(project, format, ids)
    client = client_of(project)
    params: dict[str, Any] = {"exportType": format, "download_all_tasks": not only_annotated}
    if download_resources is not None:
        params["download_resources"] = download_resources
    if ids is not None:
        params["ids[]"] = ids
    try:
        with _turns.setdefault((client.url, project.id), threading.RLock()):
            made = download(
                client,
                f"{url_of(project)}export",
                path,
                params=params,
                doing=f"exporting {project!r} as {format}",
                progress=progress,
            )
        return with_whole_predictions(project, made) if format == "JSON" else made
    except ServerError as error:
        check_format(project, format, error)
        raise


def _check_name(format: Any) -> None:
    if not isinstance(format, str) or not format:
        raise TypeError(f'exporting: the format must be a string like "JSON", not {format!r:.80}')


def check_resources(format: str, wanted: bool | None) -> None:
    """Raise ValueError where the server goes by the name of a format, not by ``wanted``."""
    has = format.endswith(WITH_IMAGES)
    if wanted is not None and wanted is not has and format.startswith(_BY_NAME):
        other = format.removesuffix(WITH_IMAGES) if has else format + WITH_IMAGES
        raise ValueError(
            f"{format} with download_resources={wanted}: for this format the server decides by "
            f"its name alone whether the archive has images; use {other}"
        )


def check_snapshot(export: Export, format: Any, download_resources: bool | None = None) -> None:
    """Raise TypeError for anything but a format, and ValueError for images: no snapshot has any."""
    _check_name(format)
    named = format.removesuffix(WITH_IMAGES) + WITH_IMAGES
    if format == named or (download_resources and format.startswith(_BY_NAME)):
        raise ValueError(
            f"{export!r} as {format}: the server puts no images into a snapshot; "
            f"project.export({named!r}, path) has them all, and tasks[:{IDS}].export(...) those "
            f"of up to {IDS} tasks"
        )


@contextmanager
def naming_sizes(export: Export, format: str) -> Iterator[None]:
    """Name shapes without the size of their image as the reason of a conversion that fails."""
    try:
        yield
    except (ServerError, JobFailed) as error:
        project = export.project
        if format.startswith("COCO") and project is not None:
            try:
                check_sizes(project, format, None)
            except ValueError as sizes:
                raise sizes from error
        raise


def check_format(project: Project, format: str, cause: Exception | None = None) -> None:
    """Raise ValueError, naming the known ones, for a format that the server does not have.

    One request.
    """
    known = [str(one.get("name")) for one in project.exports.formats()]
    if format not in known:
        shown = f"{format!r:.80}{did_you_mean(str(format), known)}"
        raise ValueError(
            f"the server has no export format {shown}; it has {', '.join(known)}"
        ) from cause


def export_tasks(tasks: QuerySet[Any], format: str, path: Path, progress: Progress) -> Path:
    """Export some tasks: ``Tasks.export``."""
    _check_name(format)
    check_target(path, format)
    project = project_of(tasks)
    ids = list(tasks.values_list("id", flat=True).iterator())
    if not ids:  # the server would take that for all
        raise DoesNotExist(
            f"no task matches {query_of(tasks).description}, so there is nothing to export"
        )
    if len(ids) <= IDS:
        return export_project(project, format, path, ids=ids, progress=progress)
    if format == "JSON":
        return _in_pieces(project, ids, path, progress)
    if format.endswith(WITH_IMAGES):
        return _with_images(project, ids, format, path, progress)
    return _by_snapshot(project, ids, format, path, progress)


def _with_images(
    project: Project, ids: list[int], format: str, path: Path, progress: Progress
) -> Path:
    """Export with images, which the server gives of a project itself, and never of a snapshot."""
    check_format(project, format)
    if len(ids) != project.tasks.count():
        raise ValueError(
            f"{len(ids):,} tasks of {project!r} as {format}: the server gives images for up to "
            f"{IDS} chosen tasks, or for all of a project; export tasks[:{IDS}] and so on into "
            "archives of their own, or project.export(...)"
        )
    return export_project(project, format, path, progress=progress)


def _in_pieces(project: Project, ids: list[int], path: Path, progress: Progress) -> Path:
    """Join JSON lists of a few hundred tasks each."""
    with (
        reporter(progress, f"exporting {len(ids)} tasks of {project!r}") as report,
        tempfile.TemporaryDirectory() as folder,
        whole_file(path, shared=True) as out,
    ):
        piece = Path(folder, "piece.json")
        for number, chunk in enumerate(chunked(ids, IDS)):
            export_project(project, "JSON", piece, ids=chunk)
            text = piece.read_bytes().strip()
            if text[1:-1].strip():
                out.write((b"," if out.tell() else b"[") + text[1:-1])
            report(min(len(ids), (number + 1) * IDS), len(ids))
        out.write(b"]" if out.tell() else b"[]")
    return path


def _by_snapshot(
    project: Project, ids: list[int], format: str, path: Path, progress: Progress
) -> Path:
    """Export by a view of just these tasks and a snapshot of it, both removed afterwards."""
    check_format(project, format)
    check_sizes(project, format, ids)
    filters = {"conjunction": "and", "items": [condition("id", "in_list", "Number", ids)]}
    name = f"export {uuid.uuid4().hex[:8]}"
    view = project.views.create(data={"title": name, "filters": filters})
    try:
        snapshot = project.exports.create(title=name, task_filter_options={"view": view.id})
        try:
            written: Path = snapshot.wait().download(path, format, progress=progress)
            return written
        finally:
            with afresh():
                snapshot.delete()
    finally:
        with afresh():
            view.delete()
