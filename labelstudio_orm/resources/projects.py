"""Projects."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from .. import _config
from .._engine import reading
from .._engine.fields.fields import Field
from .._engine.http.deadline import one_call
from .._engine.http.releases import EVALUATION
from .._engine.pages.sources import NUMBERED
from .._engine.records.inside import kept_with
from .._engine.values.ids import id_given
from ..errors import LabelStudioError, NotSupportedByServer
from ..orm import (
    ForeignKey,
    HasMany,
    Plain,
    QuerySet,
    Resource,
    action,
    answer,
    field,
    foreign_key,
    lazy_counter,
    readonly,
    readonly_foreign_key,
    resource,
    secret,
)
from ..progress import Progress
from . import _tasks
from ._transitions import transition_of
from .authored import CreatedBy
from .common import Dated, Enterprise, web_address

if TYPE_CHECKING:
    import os

    from typing_extensions import Self

    from .._config.labelconfig import LabelConfig
    from .._engine.conditions.q import Q
    from .._engine.values.summary import OnError, Summary
    from .._statistics.agreement import Agreement
    from .._statistics.answers import Metric
    from .._statistics.coefficients import Level
    from ..labels import Labels
    from .comments import Comments
    from .exports import Exports
    from .files import Files
    from .imports import Imports
    from .ml import MLBackend
    from .people import User
    from .states import ProjectState
    from .storages import ExportStorages, ImportStorages
    from .tasks import Annotations, Predictions, Tasks
    from .views import Action, Views
    from .webhooks import Webhooks
    from .workspaces import Workspace

__all__ = ["Pause", "Pauses", "Project", "Projects", "Sampling", "SkipQueue"]

Sampling = Literal["Sequential sampling", "Uniform sampling", "Uncertainty sampling"]
SkipQueue = Literal["REQUEUE_FOR_ME", "REQUEUE_FOR_OTHERS", "IGNORE_SKIPPED"]


class Projects(QuerySet["Project"]):
    """``ls.projects``: the projects that the current user may see."""

    @one_call
    def counts(self) -> dict[int, dict[str, int]]:
        """Read the counters of the projects by id: ``{1: {"task_number": 10, ...}}``.

        Lighter than the projects: one request for 100 of them, and one more for the ids where there
        is a condition that the server cannot express.
        """
        planned = reading.planner.plan_with_requests(self._query)
        params: dict[str, Any] = dict(planned.params)
        kept = None
        if planned.nothing:
            return {}
        if planned.here is not None or self._query.is_slice:
            kept = set(self.values_list("id", flat=True))
        found: dict[int, dict[str, int]] = {}
        doing = "reading the counters of projects"
        for number in itertools.count(1):
            page = self.client.request(
                "GET",
                "/api/projects/counts/",
                params={**params, "page": number, "page_size": 100},
                doing=doing,
                expect={"results": [{"id": int}]},
            )
            rows = {row["id"]: row for row in page["results"]}
            if not rows.keys().isdisjoint(found):
                raise LabelStudioError(f"{doing}: page {number} holds what earlier pages hold")
            found.update(rows)
            total = page.get("count")
            if type(total) is int and len(found) > total:
                raise LabelStudioError(f"{doing}: the server lists more than the {total} it counts")
            if not page.get("next") or not rows:
                break
        return {
            id: {name: row[name] for name in row if name != "id"}
            for id, row in found.items()
            if kept is None or id in kept
        }


@resource(
    "/api/projects/{id}/",
    pages=NUMBERED,
    params={
        "id__in": "ids",
        "title__icontains": "title",
        "workspace_id__exact": "workspaces",
    },
    label="title",
    queryset=Projects,
)
class Project(CreatedBy, Resource):
    """A labelling project: its settings, its labelling config, and all that belongs to it.

    >>> project = Project(title="Reviews", label_config=xml).save(using=ls)
    >>> project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
    """

    title: str | None = None
    description: str | None = None
    label_config: str | None = None
    expert_instruction: str | None = None
    show_instruction: bool = False
    show_skip_button: bool = True
    enable_empty_annotation: bool = True
    show_annotation_history: bool = False
    show_collab_predictions: bool = True
    show_ground_truth_first: bool = False
    show_overlap_first: bool = False
    reveal_preannotations_interactively: bool = False
    evaluate_predictions_automatically: bool = False
    annotator_evaluation_enabled: bool = field(default=False, since=EVALUATION)
    color: str | None = None
    control_weights: dict[str, Any] | None = None
    maximum_annotations: int = 1
    annotation_limit_count: int | None = None
    annotation_limit_percent: float | None = None
    min_annotations_to_start_training: int = 0
    overlap_cohort_percentage: int = 100
    sampling: Sampling | None = None
    skip_queue: SkipQueue | None = None
    model_version: str | None = None
    is_published: bool = False
    pinned_at: datetime | None = None
    workspace: ForeignKey[Workspace] = foreign_key(default=None)
    workspace_id = workspace.optional_id
    task_data_login: str | None = None
    task_data_password: str | None = secret(default=None)

    organization: int | None = readonly()
    is_draft: bool = readonly()
    prompts: list[dict[str, Any]] | None = readonly()
    parsed_label_config: dict[str, Any] | None = readonly()
    config_has_control_tags: bool = readonly()
    config_suitable_for_bulk_annotation: bool = readonly()
    start_training_on_annotation_update: bool = readonly()
    state: str | None = readonly()
    task_number: int = lazy_counter()
    finished_task_number: int = lazy_counter()
    num_tasks_with_annotations: int = lazy_counter()
    total_annotations_number: int = lazy_counter()
    total_predictions_number: int = lazy_counter()
    useful_annotation_number: int = lazy_counter()
    ground_truth_number: int = lazy_counter()
    skipped_annotations_number: int = lazy_counter()
    queue_total: int = lazy_counter()
    queue_done: int = lazy_counter()

    tasks: ClassVar[HasMany[Tasks]] = HasMany()
    annotations: ClassVar[HasMany[Annotations]] = HasMany()
    predictions: ClassVar[HasMany[Predictions]] = HasMany()
    views: ClassVar[HasMany[Views]] = HasMany()
    actions: ClassVar[HasMany[Action]] = HasMany()
    files: ClassVar[HasMany[Files]] = HasMany()
    imports: ClassVar[HasMany[Imports]] = HasMany()
    exports: ClassVar[HasMany[Exports]] = HasMany()
    import_storages: ClassVar[HasMany[ImportStorages]] = HasMany()
    export_storages: ClassVar[HasMany[ExportStorages]] = HasMany()
    ml_backends: ClassVar[HasMany[MLBackend]] = HasMany()
    webhooks: ClassVar[HasMany[Webhooks]] = HasMany()
    comments: ClassVar[HasMany[Comments]] = HasMany()
    pauses: ClassVar[HasMany[Pauses]] = HasMany()
    states: ClassVar[HasMany[ProjectState]] = HasMany(is_inside=False)
    transition = transition_of("project")

    def _body(self, chosen: Iterable[Field]) -> dict[str, Any]:
        body = super()._body(chosen)
        if isinstance(body.get("label_config"), str):
            body["label_config"] = _config.markup.without_declaration(body["label_config"])
        return body

    def _repr_html_(self) -> str:
        return _tasks.showing.html_of_project(self)

    @property
    def url(self) -> str:
        """The address of the project in the web interface. Costs no request.

        >>> project.url
        'http://localhost:8080/projects/1/data/'
        """
        return web_address(self, "url", "/projects/{id}/data/")

    @property
    def config(self) -> LabelConfig:
        """The labelling config as objects. Costs no request.

        Raises ValueError, which is a LabelStudioError, for XML that is broken.

        >>> project.config["sentiment"].choice("Positive")
        """
        text = self.label_config or "<View></View>"
        if not isinstance(text, str):
            raise LabelStudioError(f"{self!r}: its label_config is {text!r:.80}, not text")
        cached: tuple[str, LabelConfig] | None = kept_with(self).get("config")
        if cached is None or cached[0] != text:
            try:
                cached = (text, _config.labelconfig.LabelConfig.parse(text))
            except ValueError as error:
                raise _config.labelconfig.BrokenConfig(f"{self!r}: {error}") from error
            kept_with(self)["config"] = cached
        return cached[1]

    @property
    def labels(self) -> Labels:
        """The labels, to rename, merge, remove and add them everywhere at once.

        Costs no request.

        >>> project.labels.rename("Neutral", "Mixed", control="sentiment").ok
        True
        """
        from ..labels import Labels  # lazy: they stand above the nouns, whose objects they change

        return Labels(self)

    def agreement(
        self,
        control: str,
        *,
        metric: Metric | None = None,
        level: Level | None = None,
        threshold: float = 0.5,
        model_version: str | None = None,
    ) -> Agreement[Tasks]:
        """Return how far the annotators agree on what a control of the labelling config says.

        It is that of ``project.annotations.agreement()``, which has the arguments in full; filter
        them for some authors or tasks.

        >>> project.agreement("sentiment", model_version="v1")
        Agreement on sentiment: 1 task, 2 raters
        observed 1.000
        first  second  tasks  observed  cohen_kappa
        1      v1          1     1.000
        """
        return self.annotations.agreement(
            control, metric=metric, level=level, threshold=threshold, model_version=model_version
        )

    @one_call
    def reassign(
        self,
        author: User | int,
        *,
        to: User | int,
        where: Q | None = None,
        backup: str | os.PathLike[str] | None = None,
        workers: int | None = None,
        on_error: OnError = "raise",
        progress: Progress = None,
    ) -> Summary:
        """Make another user the author of annotations; return a summary with ``updated``.

        All annotations of the author in the project, or those that ``where`` is true of
        (``Q(was_cancelled=False)``). Their drafts are kept, as ``save`` of an annotation does.

        ``backup``: a file to which each annotation is added before anything is changed, as a line
        of JSON with its ``id``, ``task`` and ``completed_by``; ``where=Q(id__in=...)`` with these
        ids gives them back.

        The annotations are listed, and each takes two requests, and two more for each of its
        drafts, sent by ``workers`` at once (default: the client's). Errors as for ``bulk_update``.
        It may be run again: those that were changed are no longer the author's.

        >>> bob, ann = ls.users.create(email="bob@x.co"), ls.users.create(email="ann@x.co")
        >>> task.annotations.create(result=[], completed_by=bob)
        >>> project.reassign(bob, to=ann, backup="authors.jsonl")
        <Summary: 1 updated>
        """
        if id_given(author, "reassign(): the author") == id_given(to, "reassign(): to"):
            raise ValueError(f"reassign(): the annotations of {author!r} are theirs already")
        conditions = () if where is None else (where,)
        annotations = self.annotations.filter(*conditions, completed_by=author)
        path = None if backup is None else Path(backup)
        return _tasks.reassigning.reassign(annotations, to, path, workers, on_error, progress)

    @action(
        "POST",
        "/api/projects/{id}/validate/",
        "validating a labelling config for {self!r}",
        is_long=True,
        idempotent=True,
        reads=True,
        expect=dict | None,
    )
    def validate_config(self, label_config: str) -> Mapping[str, Any]:
        """Ask the server whether this project could take another labelling config. One request.

        Returns its answer (``config_essential_data_has_changed``). Raises BadRequest saying what
        is wrong.
        """
        return answer(json={"label_config": _config.markup.without_declaration(label_config)})

    @one_call
    def export(
        self,
        format: str,
        path: str | os.PathLike[str],
        *,
        only_annotated: bool = False,
        download_resources: bool | None = None,
        progress: Progress = None,
    ) -> Path:
        """Write the project to a file in one of the server's formats; return the path.

        One request, streamed. ``format``: "JSON", "JSON_MIN", "CSV", "TSV", "COCO", "YOLO" ... as
        the server lists them. "JSON" is what ``bulk_create`` and ``imports.create(file=)`` take
        again; since the server gives only the ids of predictions there, they are written into the
        file, by one more request for 300 tasks that have some.
        Tasks without an annotation are included unless ``only_annotated`` (the server's own
        default leaves them out). ``download_resources``: put the images and other media into the
        archive, where the format has one; ValueError for COCO and YOLO; COCO_WITH_IMAGES and so on
        always have the images. For formats in pixels, shapes that lack the size of their image are
        looked for first: COCO then raises ValueError, others warn with ``MissingSizeWarning``. The
        file appears under its name only when it is complete.
        ``progress``: True for a line on stderr, or a function ``(bytes so far, bytes in all or
        None)``. Waits at least 600 s: the server builds the whole file first.

        The server builds it in a file that it names after the minute and the data, so that of two
        simultaneous exports of the same data either may be truncated (seen on 1.23.2); those of one
        process go one after the other.

        Raises ValueError for a format that the server does not have (it answers 500); and before
        the first request ValueError for a suffix of another format, FileNotFoundError for a folder
        that does not exist, and IsADirectoryError for a path that is a folder.
        """
        return _tasks.exports.export_project(
            self,
            format,
            Path(path),
            only_annotated=only_annotated,
            download_resources=download_resources,
            progress=progress,
        )

    @one_call
    def annotators(self) -> list[User]:
        """List the users who annotated in this project. One request.

        Before release 1.22 of the server they are taken from listings of the tasks and of the
        users; one who is no longer a member has no name and no e-mail address then.
        """
        try:
            return self._listed_annotators()
        except NotSupportedByServer:
            return _tasks.annotating.annotators_of(self)

    @action(
        "GET", "annotators/", "listing the annotators of {self!r}", expect=[{"id": int}], of="User"
    )
    def _listed_annotators(self) -> list[User]:
        return answer()


class Pauses(QuerySet["Pause"]):
    """``project.pauses``: by user, ``project.pauses.filter(user=2)``."""

    def with_deleted(self) -> Self:
        """Include the pauses that were ended."""
        return self._but(params={**self._query.params, "include_deleted": True})


@resource(
    "/api/projects/{project}/members/{user}/pauses{/id}",
    pages=Plain(scoped_by=("project", "user")),
    label="reason",
    queryset=Pauses,
)
class Pause(Enterprise, Dated, Resource):
    """A user's break from a project: as long as it lasts, they get no tasks.

    >>> project.pauses.create(user=2, reason="manual", verbose_reason="waiting for the guide")
    """

    project: ForeignKey[Project] = foreign_key(fixed=True)
    project_id = project.id
    user: ForeignKey[User] = foreign_key(fixed=True)
    user_id = user.id
    reason: str
    verbose_reason: str | None = None
    paused_by: ForeignKey[User] = readonly_foreign_key()
    paused_by_id = paused_by.optional_id
    deleted_by: ForeignKey[User] = readonly_foreign_key()
    deleted_by_id = deleted_by.optional_id
    deleted_at: datetime | None = readonly()
