"""Shapes that lack the size of their image, found before an export in pixels."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import islice
from typing import Final

from ..._config.results import regions_without_size
from ..._engine.pages.sources import chunked
from ...errors import LabelStudioError, MissingSizeWarning
from .nouns import Project

_FAILING: Final = ("COCO",)
_LEAVING_OUT: Final = ("VOC", "YOLO")
_SHOWN: Final = 10
_WITHOUT: Final = "have no original_width and original_height"


def check_sizes(project: Project, format: str, ids: list[int] | None) -> None:
    """Check the shapes that an export in pixels covers: those of these tasks, or of all.

    Raises ValueError for a format that fails as a whole where one lacks the size of its image, and
    warns with MissingSizeWarning for one that leaves such shapes out. No request for any other
    format or for a project without images, else as many as reading the annotations takes.
    """
    if not format.startswith((*_FAILING, *_LEAVING_OUT)) or not _has_images(project):
        return
    found = list(islice(_lacking(project, ids), _SHOWN + 1))
    if not found:
        return
    shown = ", ".join(found[:_SHOWN]) + (", ..." if len(found) > _SHOWN else "")
    if format.startswith(_FAILING):
        raise ValueError(
            f"exporting {project!r} as {format}: {shown} {_WITHOUT}, without which the server "
            "fails for the whole project; nothing was asked for. Set them (in pixels) and save, or "
            "leave these tasks out"
        )
    warnings.warn(
        f"exporting {project!r} as {format}: {shown} {_WITHOUT}, so the server leaves them out",
        MissingSizeWarning,
        stacklevel=5,
    )


def _has_images(project: Project) -> bool:
    try:
        return "<image" in (project.label_config or "").lower()
    except LabelStudioError:  # the export itself says better what is wrong
        return False


def _lacking(project: Project, ids: list[int] | None) -> Iterator[str]:
    rows = project.annotations.only("result")
    parts = [rows] if ids is None else [rows.filter(task__in=some) for some in chunked(ids, 1000)]
    for part in parts:
        for annotation in part.iterator():
            for place in regions_without_size(annotation.result):
                yield f"annotation {annotation.id} of task {annotation.task_id}, result[{place}]"
