"""The verbs of tasks that write and read files in the formats of other programs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from .._engine.http.deadline import one_call
from ..orm import QuerySet
from . import _tasks

if TYPE_CHECKING:
    from .._formats.report import FormatReport, Imported
    from .._formats.walk import Of
    from .._formats.yolo import Form
    from ..progress import Progress

__all__ = ["InFormats"]

R = TypeVar("R")

PathLike = str | os.PathLike[str]


class InFormats(QuerySet[R]):
    """Tasks as files of other programs.

    The files are written here, without the server's export, from the annotations of any tasks, or
    from their predictions. Each verb returns a ``FormatReport``, and warns by ``LeftOutWarning`` if
    the format cannot express a region: ``report.left_out`` has the ids and the reason.

    What these verbs take:

    * ``of``: ``"annotations"``, without those that were cancelled, or ``"predictions"``.
    * ``keep``: a function which says whether one of these is written:
      ``keep=lambda one: one.ground_truth``. Default: all of a task, beside each other.
    * ``control``: the name of a control, or several; the regions of others are not written, and not
      listed as left out.
    * ``images``: copy the images, as ``download()`` does, which gives their sizes too (extra
      ``[vision]``), ``workers`` at once (default: the client's). Without it sizes are those that
      the regions hold. ``progress`` is about these copies: True for a line on stderr, or a function
      ``(done, None)``.

    The numbers of labels are their places in the labelling config, from 0; labels that it does not
    have follow. Requests: those for the tasks, 1,000 a page, and one for each image.
    """

    @one_call
    def to_coco(
        self,
        path: PathLike,
        *,
        images: bool = False,
        of: Of = "annotations",
        keep: Callable[[Any], bool] | None = None,
        control: str | Iterable[str] | None = None,
        workers: int | None = None,
        progress: Progress = None,
    ) -> FormatReport:
        """Write boxes, polygons and brush masks as COCO: a ``.json`` file, or one in a folder.

        The id of the first image of a task is that of the task. A box that is rotated has its
        corners as segmentation and its rotation under ``attributes``. Predictions have their
        ``score``. A label's attribute ``category`` in the config is its id. Arguments and report:
        as ``InFormats`` says.

        >>> report = boxes.tasks.to_coco("coco", images=True)
        >>> report.regions, report.left_out
        (1, ())
        """
        walk = _tasks.formats.walk(self, of, keep, control)
        return _tasks.formats.to_pictures("coco", self, walk, Path(path), images, workers, progress)

    @one_call
    def to_yolo(
        self,
        path: PathLike,
        *,
        form: Form = "detect",
        images: bool = False,
        of: Of = "annotations",
        keep: Callable[[Any], bool] | None = None,
        control: str | Iterable[str] | None = None,
        workers: int | None = None,
        progress: Progress = None,
    ) -> FormatReport:
        """Write a folder for YOLO: ``labels``, ``images``, ``classes.txt`` and ``data.yaml``.

        ``form``: ``"detect"`` has upright boxes, ``"obb"`` boxes by their corners, ``"segment"``
        polygons, also those of boxes. Arguments and report: as ``InFormats`` says.

        >>> boxes.tasks.to_yolo("yolo", images=True).regions
        1
        """
        walk = _tasks.formats.walk(self, of, keep, control)
        return _tasks.formats.to_pictures(
            "yolo", self, walk, Path(path), images, workers, progress, form
        )

    @one_call
    def to_voc(
        self,
        path: PathLike,
        *,
        images: bool = False,
        of: Of = "annotations",
        keep: Callable[[Any], bool] | None = None,
        control: str | Iterable[str] | None = None,
        workers: int | None = None,
        progress: Progress = None,
    ) -> FormatReport:
        """Write upright boxes as Pascal VOC: a folder with ``Annotations`` and ``images``.

        Arguments and report: as ``InFormats`` says.

        >>> boxes.tasks.to_voc("voc").regions
        1
        """
        walk = _tasks.formats.walk(self, of, keep, control)
        return _tasks.formats.to_pictures("voc", self, walk, Path(path), images, workers, progress)

    @one_call
    def to_conll(
        self,
        path: PathLike,
        *,
        of: Of = "annotations",
        keep: Callable[[Any], bool] | None = None,
        control: str | Iterable[str] | None = None,
    ) -> FormatReport:
        """Write labelled spans of texts as a file in the form of CoNLL 2003, in tags of IOB2.

        Tokens are words and single other characters, cut where a span begins or ends. Of spans
        that overlap the first is written. Arguments and report: as ``InFormats`` says.

        >>> project.tasks.to_conll("reviews.conll", control=[]).tasks
        4
        """
        walk = _tasks.formats.walk(self, of, keep, control)
        return _tasks.formats.to_conll(walk, Path(path))

    @one_call
    def to_masks(
        self,
        path: PathLike,
        *,
        of: Of = "annotations",
        keep: Callable[[Any], bool] | None = None,
        control: str | Iterable[str] | None = None,
    ) -> FormatReport:
        """Write each painted mask as a PNG in a folder, in grey and as large as its image.

        The name says the task, the annotation, the control and the labels. Arguments and report: as
        ``InFormats`` says.

        >>> boxes.tasks.to_masks("masks", control=[]).regions
        0
        """
        walk = _tasks.formats.walk(self, of, keep, control)
        return _tasks.formats.to_masks(walk, Path(path))

    @one_call
    def to_jsonl(self, path: PathLike) -> FormatReport:
        """Write the tasks as JSON Lines, with everything in them that ``bulk_create`` takes.

        But for ``allow_skip``, which no listing has. Authors of annotations are written as their
        ids.

        >>> project.tasks.to_jsonl("tasks.jsonl").tasks
        4
        """
        return _tasks.formats.to_jsonl(self, Path(path))

    # -- reading ----------------------------------------------------------------------------------

    @one_call
    def from_coco(
        self,
        path: PathLike,
        *,
        images: PathLike | None = None,
        of: Of = "annotations",
        model_version: str | None = None,
        labels: Literal["check", "add"] = "check",
        control: str | None = None,
        **options: Any,
    ) -> Imported[R]:
        """Create a task for each image of a COCO file, with its boxes, polygons and masks.

        ``path``: the file, or a folder that ``to_coco`` wrote.
        ``images``: what the addresses of the images begin with (``"s3://bucket/cats/"``), or the
        folder they are in, to be uploaded; default: the folder of the file, and for images that are
        not there the address that ``to_coco`` has written. ``of="predictions"``: the regions are
        those of a model, ``model_version``.

        The regions get the controls of the labelling config that are of their type, or ``control``.
        If the config lacks a label or a control ValueError is raised, and shows the config that
        has them; ``labels="add"`` sets it. ``options`` are those of ``bulk_create``. The
        ``report`` of the result lists what could not be read, as ``FormatReport`` says.

        >>> _ = boxes.tasks.to_coco("boxes.json")
        >>> pictures = ls.projects.create(title="Pictures")
        >>> len(pictures.tasks.from_coco("boxes.json", labels="add"))
        1
        """
        return _tasks.formats.from_coco(
            self, Path(path), images, control=control, of=of, model_version=model_version,
            labels=labels, options=options,
        )  # fmt: skip

    @one_call
    def from_yolo(
        self,
        path: PathLike,
        *,
        form: Form = "detect",
        images: PathLike | None = None,
        of: Of = "annotations",
        model_version: str | None = None,
        labels: Literal["check", "add"] = "check",
        control: str | None = None,
        **options: Any,
    ) -> Imported[R]:
        """Create a task for each image of a folder of YOLO, with its boxes or polygons.

        ``form``: as for ``to_yolo``. ``images``: the folder of the images, to be uploaded (default:
        ``images`` beside the labels), or what their addresses begin with; then the names are those
        of the files of labels without a suffix. Folders inside them (``images/train``) are read,
        too. Everything else: as for ``from_coco``.

        >>> _ = boxes.tasks.to_yolo("yolo", images=True)
        >>> pictures = ls.projects.create(title="Pictures")
        >>> len(pictures.tasks.from_yolo("yolo", labels="add"))
        1
        """
        return _tasks.formats.from_yolo(
            self, Path(path), images, form, control=control, of=of, model_version=model_version,
            labels=labels, options=options,
        )  # fmt: skip

    @one_call
    def from_conll(
        self,
        path: PathLike,
        *,
        of: Of = "annotations",
        model_version: str | None = None,
        labels: Literal["check", "add"] = "check",
        control: str | None = None,
        **options: Any,
    ) -> Imported[R]:
        r"""Create a task for each sentence of a file in the form of CoNLL, with its spans.

        The first column is the token, the last one its tag. Tokens are joined by a space.
        Everything else: as for ``from_coco``.

        >>> _ = Path("names.conll").write_text("Ann B-PER\nsings O\n")
        >>> names = ls.projects.create(title="Names")
        >>> [task.data for task in names.tasks.from_conll("names.conll", labels="add")]
        [{'text': 'Ann sings'}]
        """
        return _tasks.formats.from_conll(
            self, Path(path), control=control, of=of, model_version=model_version, labels=labels,
            options=options,
        )  # fmt: skip
