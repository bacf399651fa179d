"""Tasks, and their annotations by users and predictions by models."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from .._engine.bulk import BATCH_BYTES
from .._engine.conditions.query import Query
from .._engine.fields.fields import UNSET
from .._engine.http.deadline import one_call
from .._engine.http.releases import MODEL_RUNS, PREDICTIONS_OF_PROJECT, STORAGE_NAMES
from .._engine.pages.counters import Counters
from .._engine.pages.keyset import TASKS
from .._engine.pages.sources import Embedded
from .._engine.reading.by_id import in_scope
from .._engine.reading.selection import evolved, query_of
from .._engine.values.ids import id_of as id_in
from .._engine.values.misuse import check_number
from .._engine.values.registry import registry
from ..errors import LabelStudioError
from ..orm import (
    ForeignKey,
    HasMany,
    Plain,
    Resource,
    computed,
    field,
    foreign_key,
    readonly,
    readonly_foreign_key,
    resource,
)
from ..progress import Progress
from . import _tasks
from ._transitions import transition_of
from .common import Dated, valid_result, web_address
from .drafts import keeping_drafts
from .formats import InFormats
from .labelled import LabelledSet

if TYPE_CHECKING:
    from typing_extensions import Self

    from .._config.labelconfig import LabelConfig
    from .._engine.conditions.places import Place
    from .._engine.conditions.q import Q
    from .._engine.http.connection import Connection
    from .._engine.values.summary import Created, OnError, Summary
    from .._statistics.agreement import Agreement
    from .._statistics.answers import Metric
    from .._statistics.coefficients import Level
    from ._tasks.creation import OnConflict
    from ._tasks.media import MediaFile
    from ._tasks.predictions import OnKnown
    from ._tasks.tabular import Table
    from ._tasks.updating import TaskUpdate
    from ._tasks.uploading import Annotations as AnnotationsOf
    from ._tasks.uploading import Data, Paths
    from .comments import Comments
    from .people import User
    from .projects import Project
    from .states import AnnotationState, TaskState
    from .views import View

__all__ = [
    "Annotation",
    "Annotations",
    "Labelled",
    "LastAction",
    "Prediction",
    "Predictions",
    "Task",
    "Tasks",
]


class Tasks(InFormats["Task"]):
    """``project.tasks``, ``view.tasks``, ``ls.tasks.filter(project=1)``."""

    def filter(self, *conditions: Q, view: View | int = UNSET, **lookups: Any) -> Self:
        """Narrow as every queryset does; ``view``: only the tasks of a saved view, in its order."""
        found = super().filter(*conditions, **lookups)
        if view is UNSET:
            return found
        given = in_scope(Query(registry["View"], self.client), view, "tasks.filter(view=...)")
        known = query_of(found).scope.get("view")
        if known is not None and id_in(known) != id_in(given):
            raise ValueError(
                f"tasks.filter(view={id_in(given)}): these are the tasks of view {id_in(known)}; "
                "those of both: .filter(id__in=other.tasks.values_list('id', flat=True))"
            )
        return evolved(found, scope={**query_of(found).scope, "view": given})

    def _updating(self, values: Mapping[Any, Any]) -> TaskUpdate:
        return _tasks.updating.TaskUpdate(self, values)

    @one_call
    def sample(self, size: int, *, seed: int | str = 0) -> Self:
        """Return a queryset of ``size`` of the tasks, chosen at random; of all if there are fewer.

        The ids are listed at once. A hash of ``seed`` and of the id decides, so that the same seed
        gives the same tasks, and the tasks of a smaller sample are also in a larger one. Raises
        TypeError for a slice.

        >>> len(project.tasks.sample(2, seed=1))
        2
        """
        return _tasks.sampling.sample(self, size, seed)

    @one_call
    def bulk_create(
        self,
        items: Iterable[Mapping[str, Any] | Task] | str | os.PathLike[str] | Table,
        *,
        on_conflict: OnConflict = None,
        key: str | Place | None = None,
        on_error: OnError = "raise",
        validate: bool = False,
        batch_size: int | None = None,
        batch_bytes: int = BATCH_BYTES,
        returning: bool = True,
        workers: int | None = None,
        progress: Progress = None,
    ) -> Created[Task]:
        """Create many tasks; they come back with ids, in the order of the input.

        ``items``: full forms with a dict under ``data`` (and ``meta``, ``annotations``,
        ``predictions``), bare data dicts, unsaved objects, or the items of ``export("JSON")`` (see
        ``from_export`` for the authors and drafts in it). Or the path of a file, by its suffix
        ``.json``, ``.jsonl``, ``.csv``, ``.tsv`` or ``.parquet``, or a table: a dataframe of pandas
        or polars, a table of Arrow, a dataset of Hugging Face. A row is bare data, or has the
        columns of ``to_pandas`` (``data__text``; ids and counters are left out); NaN and NaT are
        null, points in time are texts (ISO 8601), the cells of CSV and TSV texts. Files are
        streamed, as an input without a length. The result has a ``summary``.

        Tasks go through the import: a batch ends at ``batch_size`` items or ``batch_bytes`` bytes
        of JSON, and each is one request that is stored whole or not at all, one after the other.
        Without a ``batch_size`` the first one has 1,000 items, and the next ones as many as that
        showed to take 4 s: 20,000 at most, or 100 where the server is slow. One that is too large
        for the server, or for a proxy, is sent in halves.
        One more request finds the newest task, by which a batch is found again when its answer is
        lost. ``progress``: True for a line on stderr, or a function ``(done, total)``.

        ``returning=False``: the result has the ``summary`` alone. What comes from a generator then
        takes no more memory than a batch, and with a ``key`` the keys.

        ``key`` and ``on_conflict``: what to do with an item whose key (``"data.image"``,
        ``data["a.b"]``) a task of the project has already, or an earlier item. ``"skip"`` leaves
        that task as it is, so that a run that was killed can be repeated; ``"update"`` gives it the
        item's data, and its meta if it has one, by one PATCH where anything changes; ``"error"``
        raises Conflict, before anything is sent where the number of items is known. The task stands
        in the place of the item in the result. The keys are looked up 300 at a time, or all tasks
        are listed once, 1,000 at a time, whichever takes fewer requests. For an input without a
        length, all tasks are always listed.

        ``workers``: the PATCH requests at once of ``on_conflict="update"`` (default: the client's);
        nothing else is sent in parallel.

        ``on_error="collect"`` goes on without the items that are refused, here or by the server:
        ``summary.failed`` names each with its place and the reason, and the result lacks them. A
        batch is sent again, without them, only where the server said that nothing of it was stored.
        ``validate``: check first whether data, annotations and predictions match the project's
        labelling config; the server itself checks the data only. Shapes that lack the size of their
        image are named by a MissingSizeWarning.

        Raises ValueError or TypeError for an item that the server would misread, BadRequest naming
        the item, and OutcomeUnknown when it cannot be known whether a batch was stored; the latter
        two have the objects so far in ``created``, and the ``summary``.

        >>> images = ls.projects.create(title="Images")
        >>> items = [{"image": "a.png"}, {"image": "b.png"}]
        >>> images.tasks.bulk_create(items, key="data.image", on_conflict="skip").summary
        <Summary: 2 created>
        >>> images.tasks.bulk_create(items, key="data.image", on_conflict="skip").summary
        <Summary: 2 skipped>
        """
        run = self._run("creating", workers, on_error, progress)
        return _tasks.creation.create_tasks(
            self,
            items,
            run,
            on_conflict=on_conflict,
            key=key,
            validate=validate,
            batch_size=batch_size,
            batch_bytes=batch_bytes,
            returning=returning,
        )

    @one_call
    def upload(
        self,
        files: Paths,
        *,
        to: str | None = None,
        data: Data = None,
        annotations: AnnotationsOf = None,
        key: str | Place | None = None,
        at_once: int | None = None,
        progress: Progress = None,
    ) -> Created[Task]:
        """Upload files, and create a task of each; they come back in the order of the files.

        ``files``: a path, several, or a pattern (``"photos/**/*.png"``). Three requests for
        ``at_once`` files (default: 50): they are sent, listed and imported.

        ``to``: the key of data that gets the address of the file; default: the one that the
        labelling config shows. Where it shows several, the server takes no files. ``data``:
        further data, a dict or a function of the file (``lambda file: {"day":
        file.path.parent.name}``). ``annotations``: a function that returns those of a file, each a
        dict as ``bulk_create`` takes it. Shapes in them that lack the size of their image get it
        from the file, which needs Pillow (the extra ``[vision]``); the function may also ask for
        ``file.size``.

        ``key``: a key in data by which files are known (``"data.name"``), set to the name of the
        file unless ``data`` has it. A file whose key a task has already is skipped and not sent, so
        that a run that was stopped can be repeated.

        Raises FileNotFoundError where there is no file, and ValueError for two files with one key
        and for ``data`` under the key of the address; errors otherwise as for ``bulk_create``.

        >>> xml = '<View><Image name="image" value="$image"/></View>'
        >>> photos = ls.projects.create(title="Photos", label_config=xml)
        >>> _ = Path("a.png").write_bytes(b"..."), Path("b.png").write_bytes(b"...")
        >>> photos.tasks.upload("*.png", key="data.name").summary
        <Summary: 2 created>
        >>> photos.tasks.upload("*.png", key="data.name").summary
        <Summary: 2 skipped>
        """
        run = self._run("uploading", None, "raise", progress)
        return _tasks.uploading.upload(
            self, files, run, to=to, data=data, annotations=annotations, key=key, at_once=at_once
        )

    @one_call
    def delete(
        self,
        *,
        workers: int | None = None,
        on_error: OnError = "raise",
        progress: Progress = None,
    ) -> Summary:
        """Delete the tasks; return a summary with ``deleted``.

        One request finds the first one and one deletes the others (10,000 at most), where the
        server can filter exactly; else they are listed first, and deleted by their ids. A
        project's views stay, also when all its tasks go (the server's own action drops them with
        the last task). Refused without a condition, unless ``all()`` confirmed it.

        Errors as for ``bulk_update``. It may be stopped, and run again.

        >>> notes = ls.projects.create(title="Notes to keep")
        >>> tasks = notes.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
        >>> notes.tasks.filter(data__text="a").delete()
        <Summary: 1 deleted>
        """
        self._query.require_confirmation("delete()")
        with self._run("deleting", workers, on_error, progress) as run:
            _tasks.deletion.delete_tasks(self, run)
        return run.summary()

    @one_call
    def perform(self, action: str, *, progress: Progress = None, **params: Any) -> dict[str, Any]:
        """Let the server perform one of its actions on the tasks; return its answer.

        ``project.actions.all()`` lists the actions. ``processed_items`` of the answer is the sum
        where it takes several requests. Refused without a condition unless ``all()`` confirmed it;
        no request when no task matches.
        ``params`` are the action's own: ``model_version=...``, ``annotator=...``. One request where
        the server can filter the tasks by itself, else the ids are listed first, and there is one
        request for 1,000 tasks. ``progress``: True for a line on stderr, or a function ``(done,
        total)``, called once a request; the total is not known.

        Raises ValueError for an action that the server does not have, and JobFailed for predictions
        in a project without an ML backend: the server itself answers 200 then.

        >>> project.tasks.filter(total_predictions=0).perform("retrieve_tasks_predictions")
        """
        return _tasks.actions.perform(self, action, params, progress)

    @one_call
    def create_annotations(
        self,
        result: list[dict[str, Any]],
        *,
        workers: int | None = None,
        on_error: OnError = "raise",
        progress: Progress = None,
        **fields: Any,
    ) -> Created[Annotation]:
        """Create the same annotation in each of the tasks; return them, with a ``summary``.

        The tasks are listed; then one request for 1,000 of them on a server of the Enterprise
        edition, else one a task, sent by ``workers`` at once (default: the client's).

        ``fields`` are those of an Annotation, ``lead_time=2.5`` for example. Refused without a
        condition unless ``all()`` confirmed it. The first error stops it and has the annotations so
        far in ``created``; with ``on_error="collect"`` the others go on, and ``summary.failed``
        lists the failures.

        >>> region = project.config["sentiment"].choice("Neutral")
        >>> project.tasks.filter(total_annotations=0).create_annotations([region]).summary
        <Summary: 3 created>
        """
        run = self._run("annotating", workers, on_error, progress)
        return _tasks.annotating.annotate(self, {"result": result, **fields}, run)

    @one_call
    def export(
        self, format: str, path: str | os.PathLike[str], *, progress: Progress = None
    ) -> Path:
        """Write the tasks to a file in one of the server's formats; return the path.

        ``format``: "JSON", "CSV", "COCO" ...

        The ids are listed first. Up to 300 tasks take one more request; JSON of more is put
        together from pieces of as many, other formats of more from a snapshot that is removed
        afterwards, as is the view that selects its tasks; a format that the server does not have is
        then refused first, by one more request. Errors otherwise as for ``Project.export``.

        A format with images (COCO_WITH_IMAGES ...) takes up to 300 tasks, or all of a project;
        others raise ValueError, since the server puts no images into a snapshot.

        >>> project.tasks.filter(data__lang="de").export("JSON", "german.json")
        """
        return _tasks.exports.export_tasks(self, format, Path(path), progress)

    @one_call
    def download(
        self,
        folder: str | os.PathLike[str],
        *,
        key: str | Place | Iterable[str | Place] | None = None,
        on_error: OnError = "raise",
        workers: int | None = None,
        progress: Progress = None,
    ) -> Created[MediaFile]:
        """Copy the files that the tasks name into a folder; return a ``MediaFile`` for each.

        ``key``: the key of the data that names a file, or a list of files (``"image"``,
        ``data["a"]["b"]``), or several keys; default: those that the labelling config shows as
        files. These are uploads and local files of the server, objects of its import storages
        (``s3://``, ``gs://``, ``azure-blob://``), which it gives the links to, addresses in the web
        and ``data:`` URLs. Only the server itself gets the credential, and other servers none, also
        where one redirects.

        A copy has the name of the file, behind a digest of its address. It appears under that name
        when it is complete, and is not requested again by a later run, so that a run that was
        stopped may be repeated; delete a copy to renew it. Files that several tasks name are copied
        once. One request for each file, by ``workers`` at once (default: the client's), and those
        for the tasks. The ``summary`` of the result counts the copies as ``created``, and as
        ``skipped`` those that were there.

        Raises ValueError, naming the task and the key, for what is no address of a file;
        ``on_error="collect"`` goes on without the files that fail.

        >>> images = ls.projects.create(title="Pictures", label_config="<View/>")
        >>> task = images.tasks.create(data={"image": "data:image/gif;base64,R0lGODlhAQABAAAAACw="})
        >>> images.tasks.download("files", key="image").summary
        <Summary: 1 created>
        """
        run = self._run("downloading files of", workers, on_error, progress)
        return _tasks.media.download_all(self, Path(folder), run, key)

    @one_call
    def show(self, most: int, path: str | os.PathLike[str]) -> Path:
        """Write pictures of the first tasks, with their results, to a file of HTML.

        A contact sheet of at most ``most`` tasks. The requests of a loop over so many, and one for
        the project where it is not loaded. Returns the path.

        >>> project.tasks.show(12, "sheet.html")
        PosixPath('sheet.html')
        """
        check_number("the number of tasks", most)
        return _tasks.showing.show_sheet(self, most, Path(path))


@resource(
    "/api/tasks/{id}/",
    pages=TASKS,
    get_params={"resolve_uri": "false", "omit": "annotations,predictions"},
    queryset=Tasks,
)
class Task(Dated, Resource):
    """One thing to label: ``data`` is what the labelling config shows, ``meta`` is free.

    URIs in ``data`` are read as they are stored, so that saving never writes a temporary link.
    ``save`` replaces ``data`` as a whole. The counters and dates are the server's.

    >>> for task in project.tasks.filter(total_annotations=0):
    ...     task.data["seen"] = True          # an edit in place is found by save()
    ...     task.save()
    """

    project: ForeignKey[Project] = foreign_key(fixed=True)
    project_id = project.id
    data: dict[str, Any]
    meta: dict[str, Any] | None = None
    overlap: int = 1

    inner_id: int | None = readonly()
    is_labeled: bool = readonly()
    total_annotations: int = readonly()
    cancelled_annotations: int = readonly()
    total_predictions: int = readonly()
    comment_count: int = readonly()
    unresolved_comment_count: int = readonly()
    comment_authors: list[int] = readonly(of="User")
    last_comment_updated_at: datetime | None = readonly()
    updated_by: ForeignKey[User] = readonly_foreign_key()
    updated_by_id = updated_by.optional_id
    state: str | None = readonly()
    file_upload: str | None = computed(trusted_type=str)
    storage_filename: str | None = computed(since=STORAGE_NAMES)
    annotators: list[int] = computed(of="User")
    completed_at: datetime | None = computed()
    avg_lead_time: float | None = computed()
    draft_exists: bool = computed()
    drafts: list[dict[str, Any]] = computed(partly="draft_exists")
    predictions_score: float | None = computed()

    annotations: ClassVar[HasMany[Annotations]] = HasMany()
    predictions: ClassVar[HasMany[Predictions]] = HasMany()
    states: ClassVar[HasMany[TaskState]] = HasMany(is_inside=False)
    transition = transition_of("task")

    @one_call
    def download(
        self,
        key: str | Place,
        *,
        to: str | os.PathLike[str] = ".",
        item_index: int | None = None,
    ) -> Path:
        """Copy a file that the task names, and return the path of the copy. One request.

        ``key`` is the key of the data that names it, ``item_index`` its place from 0 where that is
        a list. ``to``: the path of the copy, which replaces a file there; or a folder, in which the
        copy gets a name of its own and is not requested again. Which files there are, which server
        gets the credential, and errors: as for ``project.tasks.download``.

        >>> task.data["image"] = "data:image/gif;base64,R0lGODlhAQABAAAAACw="
        >>> task.download("image", to="a.gif").stat().st_size
        14
        """
        return _tasks.media.download_one(self, key, to, item_index)

    @property
    def url(self) -> str:
        """The address of the task in the web interface.

        Costs no request where the project is known, as it is of ``project.tasks``.

        >>> task.url
        'http://localhost:8080/projects/1/data/?task=4'
        """
        return web_address(self, "url", "/projects/{project}/data/?task={id}")

    @one_call
    def annotate(
        self, values: Mapping[str, Any] = MappingProxyType({}), /, **by_control: Any
    ) -> Annotation:
        """Create an annotation of values by the names of controls; return it.

        The values are those of ``LabelConfig.regions``: a text for choices, a number for a rating,
        a list of ``Span`` or ``Box`` for marks. A control whose name is no word of Python goes into
        ``values``. One request, and one more for the project where it is not loaded.

        Raises UnknownControl and ValueError, before anything is sent, for a control or a label that
        the labelling config does not have, naming what is near. For the other fields of an
        annotation: ``task.annotations.create(result=project.config.regions(...), lead_time=2)``.

        >>> moods = ls.projects.create(title="Moods", label_config=project.label_config)
        >>> task = moods.tasks.create(data={"text": "so so"})
        >>> task.annotate(sentiment="Neutral").values()
        {'sentiment': 'Neutral'}
        """
        self._saved_id("annotate()")
        project = self.project
        assert project is not None  # it is required
        result = project.config.regions({**values, **by_control})
        return self.annotations.create(result=result)

    @one_call
    def show(self, path: str | os.PathLike[str]) -> Path:
        """Write a picture of the task, with all annotations and predictions, to a file of HTML.

        It is what a notebook shows of it. One request for the annotations and one for the
        predictions, and those for what is not loaded. Returns the path.

        >>> task.show("task.html")
        PosixPath('task.html')
        """
        return _tasks.showing.show(self, Path(path))

    def _repr_html_(self) -> str:
        return _tasks.showing.html_of(self)

    def _get_row(self, doing: str) -> dict[str, Any]:
        return _tasks.stored.as_stored(self._client, super()._get_row(doing), doing)


LastAction = Literal[
    "prediction", "propagated_annotation", "imported", "submitted", "updated", "skipped",
    "accepted", "rejected", "fixed_and_accepted", "deleted_review",
]  # fmt: skip


class Labelled:
    """A result of regions that the project's labelling config explains."""

    result: list[dict[str, Any]]

    def values(self) -> dict[str, Any]:
        """Return the labels by control: ``{"sentiment": "Positive", "stars": 4}``.

        They are those of ``LabelConfig.values``. Costs no request when the object came through its
        project, else those for the task and the project.

        >>> annotation.values()["sentiment"]
        'Positive'
        """
        return self._config().values(self.result or [])

    def _config(self) -> LabelConfig:
        assert isinstance(self, (Annotation, Prediction))
        project = self.project
        if project is None and self.task is not None:
            project = self.task.project
        if project is None:
            kind = LabelStudioError if self._is_saved else ValueError
            raise kind(f"{self!r} has no project whose labelling config could explain it")
        return project.config

    def show(self, path: str | os.PathLike[str]) -> Path:
        """Write a picture of the result on its task to a file of HTML; return the path.

        It is what a notebook shows of it. Costs no request where the task and the project are
        loaded.

        >>> annotation.show("annotation.html")
        PosixPath('annotation.html')
        """
        return _tasks.showing.show(self, Path(path))

    def _repr_html_(self) -> str:
        return _tasks.showing.html_of(self)


class Annotations(LabelledSet["Annotation"]):
    """``task.annotations``, ``project.annotations``."""

    @one_call
    def agreement(
        self,
        control: str,
        *,
        metric: Metric | None = None,
        level: Level | None = None,
        threshold: float = 0.5,
        model_version: str | None = None,
    ) -> Agreement[Tasks]:
        """Return how far the authors agree on what a control of the labelling config says.

        Cancelled annotations, and those without an author, do not count; of several of one author
        in a task the newest does. An answer by choices, a rating and the like is a value, which a
        task may lack. An answer by a control that marks places is all its regions, which may be
        none. They are matched for each two raters so that what they share is the most, if their
        labels are the same.

        One pass over the annotations, and a request for the predictions of a ``model_version``.

        Args:
            control: Its name in the labelling config.
            metric: ``"iou"`` for spans, boxes, ellipses and polygons, by what two regions share;
                ``"equal"`` for answers or regions that are the same or not. Default: ``"iou"``
                where there is one.
            level: How Krippendorff's alpha measures differences: ``"nominal"``, ``"ordinal"`` or
                ``"interval"``. Default: by the control, ``"ordinal"`` for a ``Rating`` and
                ``"interval"`` for a ``Number``. Choices are ordered as in the labelling config.
            threshold: Of what two regions share, from which they count for F1.
            model_version: Its predictions are one more rater, of this name.

        Raises UnknownControl, and ValueError for what a control does not have.

        >>> project.annotations.filter(ground_truth=False).agreement("sentiment").raters
        (1,)
        """
        return _tasks.agreeing.agreement(self, control, metric, level, threshold, model_version)


@resource(
    "/api/annotations/{id}/",
    collection="/api/tasks/{task}/annotations/",
    pages=Embedded(
        "annotations",
        Counters(
            total=("total_annotations_number", "skipped_annotations_number"),
            flags={
                "was_cancelled": "skipped_annotations_number",
                "ground_truth": "ground_truth_number",
            },
        ),
    ),
    params={"was_cancelled__exact": "was_cancelled"},
    queryset=Annotations,
)
class Annotation(Dated, Labelled, Resource):
    """A user's answer to one task.

    ``completed_by`` is the author, ``result`` the regions as the server stores them;
    ``project.config`` makes and reads regions. A creation may be repeated safely (``unique_id``),
    so a lost answer does no harm.

    >>> task.annotations.create(result=[project.config["sentiment"].choice("Positive")])
    """

    task: ForeignKey[Task] = foreign_key(fixed=True)
    task_id = task.id
    project: ForeignKey[Project] = readonly_foreign_key()
    project_id = project.optional_id
    result: list[dict[str, Any]] = field(factory=list, validator=valid_result)
    completed_by: ForeignKey[User] = foreign_key(default=None)
    completed_by_id = completed_by.optional_id
    was_cancelled: bool = False
    ground_truth: bool = False
    lead_time: float | None = None
    unique_id: str | None = field(fixed=True, default=None)
    import_id: int | None = None
    draft_created_at: datetime | None = None
    last_action: LastAction | None = None
    parent_prediction: ForeignKey[Prediction] = foreign_key(default=None)
    parent_prediction_id = parent_prediction.optional_id
    parent_annotation: ForeignKey[Annotation] = foreign_key(default=None)
    parent_annotation_id = parent_annotation.optional_id
    bulk_created: bool | None = None

    updated_by: ForeignKey[User] = readonly_foreign_key()
    updated_by_id = updated_by.optional_id
    last_created_by: ForeignKey[User] = readonly_foreign_key()
    last_created_by_id = last_created_by.optional_id
    created_username: str = readonly()
    created_ago: str = readonly()
    state: str | None = readonly()

    comments: ClassVar[HasMany[Comments]] = HasMany()
    states: ClassVar[HasMany[AnnotationState]] = HasMany(is_inside=False)
    transition = transition_of("annotation")

    @one_call
    def update_values(
        self, values: Mapping[str, Any] = MappingProxyType({}), /, **by_control: Any
    ) -> Self:
        """Change what the annotation says by some controls, save it, and return it.

        Values are those of ``task.annotate``; None takes back what a control says. Regions whose
        values do not change stay as they are, and so do those of other controls. Requests are those
        of ``save``; errors those of ``task.annotate``.

        >>> moods = ls.projects.create(title="Moods", label_config=project.label_config)
        >>> annotation = moods.tasks.create(data={"text": "hm"}).annotate(sentiment="Positive")
        >>> annotation.update_values(sentiment="Neutral").values()
        {'sentiment': 'Neutral'}
        """
        config, given = self._config(), {**values, **by_control}
        for name in given:
            config[name]  # raises for one that there is not, also where it is taken back
        merged = {**config.values(self.result), **given}
        self.result = config.regions({k: v for k, v in merged.items() if v is not None})
        return self.save()

    @one_call
    def save(
        self,
        *,
        using: Connection | None = None,
        fields: Iterable[str] | None = None,
        force: bool = False,
        check: bool = False,
        keep_drafts: bool = True,
    ) -> Self:
        """Save as every object is saved, and keep the drafts of the annotation.

        The server deletes the drafts of all users whenever the annotation is saved. Keeping them
        takes one request more, and two for each draft; ``keep_drafts=False`` saves these requests,
        and loses the drafts.
        """
        names = fields if fields is None or isinstance(fields, str) else list(fields)
        if using is not None:
            self._bind(using)
        chosen = self._chosen(names, force) if keep_drafts and self._is_saved else []
        self._body(chosen)  # what is refused here, is refused before a draft is touched
        if not chosen or self.task_id is None:
            return super().save(fields=names, force=force, check=check)
        with keeping_drafts(self._client, self.task_id, self.id):
            return super().save(fields=names, force=force, check=check)

    def _post(self, client: Connection, body: dict[str, Any]) -> Any:
        return _tasks.annotation.post_once(client, self.task_id, body)


class Predictions(LabelledSet["Prediction"]):
    """``task.predictions``, ``project.predictions``, ``ls.predictions.filter(project=1)``."""

    @one_call
    def bulk_create(  # type: ignore[override]  # the server gives no objects back
        self,
        items: Iterable[Mapping[str, Any] | tuple[Task | int, list[dict[str, Any]], float | None]],
        *,
        model_version: str | None = None,
        on_conflict: OnKnown = None,
        on_error: OnError = "raise",
        batch_size: int = 5000,
        progress: Progress = None,
    ) -> Summary:
        """Create many predictions in a project; return a summary with their number.

        The server does not give their ids. One request for ``batch_size`` of them; each costs the
        server more the more predictions the project has, so that few large ones are quicker.

        ``items``: ``(task, result, score)``, or dicts with ``task``, ``result``, ``score``,
        ``model_version``. ``model_version`` is for those that name none.

        ``on_conflict="skip"`` leaves out those whose task has one of the same model version
        already, or an earlier item, so that a run that was stopped can be repeated; the tasks'
        predictions are listed first, 1,000 tasks at a time. Runs for the same tasks may also
        overlap: if the project's predictions became more than were sent, which takes one request,
        the tasks are listed again, and of several of the version the oldest stays
        (``summary.deleted``). What a process sent that was killed may be stored after that; see
        ``delete_duplicates``. Without ``"skip"`` all are created, again too.

        An input with a length is validated as a whole before the first request; of any other as
        many are held as a batch has, and ``on_conflict`` is settled for each batch.

        One more request counts the project's predictions: a batch whose answer is lost is looked
        for by that count, or with ``"skip"`` by its content, and never sent twice; OutcomeUnknown
        is raised where that does not settle it.

        With ``on_error="collect"`` those that do not match the labelling config are found here, and
        those that the server refuses by halving their batch; ``summary.failed`` lists them.

        Raises LabelStudioError when the server stored fewer than it was sent: it silently drops
        those whose result does not match the labelling config. The error's ``summary`` has the
        number stored.

        >>> region = project.config["sentiment"].choice("Positive")
        >>> project.predictions.bulk_create([(task, [region], 0.9)], model_version="v1")
        <Summary: 1 created>
        """
        run = self._run("creating", None, on_error, progress)
        return _tasks.predictions.create_predictions(
            self,
            items,
            run,
            model_version=model_version,
            on_conflict=on_conflict,
            batch_size=batch_size,
        )

    @one_call
    def delete(
        self,
        *,
        workers: int | None = None,
        on_error: OnError = "raise",
        progress: Progress = None,
    ) -> Summary:
        """Delete the predictions; return a summary with ``deleted``.

        Those of a ``model_version`` of a project, or all of a project, are listed, and one request
        deletes a version (and takes it off the project's settings) but for the further ones of a
        task that has several. Others are deleted as all objects are: one request each, sent by
        ``workers`` at once (default: the client's). Refused without a condition, unless ``all()``
        confirmed it.

        Errors as for ``bulk_update``. It may be stopped, and run again.

        >>> project.predictions.filter(model_version="v1").delete()
        <Summary: 3 deleted>
        """
        self._query.require_confirmation("delete()")
        with self._run("deleting", workers, on_error, progress) as run:
            _tasks.predictions.delete_predictions(self, run)
        return run.summary()

    @one_call
    def promote(
        self,
        *,
        author: User | int | None = None,
        workers: int | None = None,
        on_error: OnError = "raise",
        progress: Progress = None,
        **fields: Any,
    ) -> Created[Annotation]:
        """Create an annotation from each prediction; return them, with a ``summary``.

        ``author`` is the ``completed_by`` of the annotations (default: the current user);
        ``fields`` are further fields of an Annotation, such as ``ground_truth=True``. Each has the
        result of its prediction, which is its ``parent_prediction``. A prediction gets one such
        annotation, whatever its author: predictions that have one are skipped, so that a run may be
        repeated, or overlap with another one.

        The predictions are listed, and one request each creates the annotations, sent by
        ``workers`` at once (default: the client's). Refused without a condition, unless ``all()``
        confirmed it. Errors as for ``create_annotations``.

        >>> guessed = ls.projects.create(title="Guesses", label_config=project.label_config)
        >>> _ = guessed.tasks.create(data={"text": "fine"}).predictions.create(score=0.95)
        >>> guessed.predictions.filter(score__gte=0.9).promote().summary
        <Summary: 1 created>
        >>> guessed.predictions.filter(score__gte=0.9).promote().summary
        <Summary: 1 skipped>
        """
        run = self._run("promoting", workers, on_error, progress)
        if author is not None and not fields.keys().isdisjoint(("completed_by", "completed_by_id")):
            raise TypeError("promote(): author is the completed_by; give one of them")
        said = fields if author is None else {"completed_by": author, **fields}
        return _tasks.promoting.promote(self, said, run)

    @one_call
    def delete_duplicates(
        self,
        *,
        workers: int | None = None,
        on_error: OnError = "raise",
        progress: Progress = None,
    ) -> Summary:
        """Delete all but the oldest prediction of each task and model version; return a summary.

        The predictions are listed, and one request each deletes duplicates, sent by ``workers`` at
        once (default: the client's). For the end of a job on several machines: a server goes on
        with the request of a process that was killed, and may store its predictions beside those
        of the process that repeated it. Refused without a condition, unless ``all()`` confirmed it.

        Errors as for ``bulk_update``. It may be stopped, and run again.

        >>> project.predictions.filter(model_version="v1").delete_duplicates()
        <Summary: nothing to do>
        """
        self._query.require_confirmation("delete_duplicates()")
        with self._run("deleting", workers, on_error, progress) as run:
            _tasks.predictions.delete_duplicates(self, run)
        return run.summary()


@resource(
    "/api/predictions/{id}/",
    pages=Plain(
        counters=Counters(total=("total_predictions_number",), texts="model_version"),
        renamed={"project": (PREDICTIONS_OF_PROJECT, "task__project")},
    ),
    params={"task_id__exact": "task", "project_id__exact": "project"},
    queryset=Predictions,
)
class Prediction(Dated, Labelled, Resource):
    """A model's answer to one task.

    ``score`` is its confidence, ``model_version`` names the model.

    >>> region = project.config["sentiment"].choice("Positive")
    >>> task.predictions.create(result=[region], score=0.9, model_version="v1")
    <Prediction 2>
    """

    # A server that validates predictions refuses a PATCH that does not say of which task it is.
    task: ForeignKey[Task] = foreign_key(fixed=True, always_sent=True)
    task_id = task.id
    project: ForeignKey[Project] = readonly_foreign_key()
    project_id = project.optional_id
    result: list[dict[str, Any]] = field(factory=list, validator=valid_result)
    score: float | None = None
    model_version: str | None = None
    cluster: int | None = None
    neighbors: dict[str, Any] | list[Any] | None = None
    mislabeling: float = 0.0
    model: int | None = field(default=None, since=MODEL_RUNS)
    model_run: int | None = field(default=None, since=MODEL_RUNS)
    created_ago: str = readonly()

    def _post(self, client: Connection, body: dict[str, Any]) -> Any:
        body.setdefault("result", [])
        return super()._post(client, body)
