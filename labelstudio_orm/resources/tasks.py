"""Tasks, and what people and models say of them: annotations and predictions."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..codec import same_json
from ..declaration import resource
from ..errors import Conflict, LabelStudioError, OutcomeUnknown
from ..fields import ForeignKey, HasMany, belongs_to, computed, field, id_of, readonly
from ..pages import TASKS, Embedded
from ..resource import Resource

if TYPE_CHECKING:
    from ..client import LabelStudio
    from .people import User
    from .projects import Project


@resource(
    "/api/tasks/{id}/",
    pages=TASKS,
    get_params={"resolve_uri": "false", "omit": "annotations,predictions"},
)
class Task(Resource):
    """One thing to label: ``data`` is what the labelling config shows, ``meta`` is free.

    URIs in ``data`` are read as they are stored, so that saving never writes a temporary link.
    ``save`` replaces ``data`` as a whole. The counters and dates are the server's.

    >>> for task in project.tasks.filter(total_annotations=0):
    ...     task.data["seen"] = True          # an edit in place is found by save()
    ...     task.save()
    """

    project_id: int = id_of("project", fixed=True)
    project: ForeignKey[Project] = belongs_to()
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
    comment_authors: list[int] = readonly()
    last_comment_updated_at: datetime | None = readonly()
    created_at: datetime | None = readonly()
    updated_at: datetime | None = readonly()
    updated_by_id: int | None = id_of("updated_by", read_only=True)
    updated_by: ForeignKey[User] = belongs_to(init=False)
    file_upload: str | None = readonly(only=str)
    state: str | None = readonly()
    storage_filename: str | None = computed()
    annotators: list[int] = computed()
    completed_at: datetime | None = computed()
    avg_lead_time: float | None = computed()
    draft_exists: bool = computed()
    drafts: list[dict[str, Any]] = computed()
    predictions_score: float | None = computed()

    annotations: ClassVar[HasMany[Annotation]] = HasMany()
    predictions: ClassVar[HasMany[Prediction]] = HasMany()


LastAction = Literal[
    "prediction", "propagated_annotation", "imported", "submitted", "updated", "skipped",
    "accepted", "rejected", "fixed_and_accepted", "deleted_review",
]  # fmt: skip


class Labelled:
    """What annotations and predictions share: a result of regions that the project's labelling
    config explains.
    """

    result: list[dict[str, Any]]

    def values(self) -> dict[str, Any]:
        """The labels by control: ``{"sentiment": "Positive", "stars": 4}``; see
        ``LabelConfig.values``.

        Costs no request when the object came through its project, else those for the task and the
        project.

        >>> annotation.values()["sentiment"]
        'Positive'
        """
        assert isinstance(self, (Annotation, Prediction))
        project = self.project
        if project is None and self.task is not None:
            project = self.task.project
        if project is None:
            raise ValueError(f"{self!r} has no project whose labelling config could explain it")
        return project.config.values(self.result or [])


@resource(
    "/api/annotations/{id}/",
    collection="/api/tasks/{task}/annotations/",
    pages=Embedded("annotations"),
    params={"was_cancelled__exact": "was_cancelled"},
)
class Annotation(Labelled, Resource):
    """What one person said of one task.

    ``completed_by`` is the author, ``result`` the regions as the server stores them;
    ``project.config`` makes and reads regions. A creation may be repeated safely (``unique_id``),
    so a lost answer does no harm.

    >>> task.annotations.create(result=[project.config["sentiment"].choice("Positive")])
    """

    task_id: int = id_of("task", fixed=True)
    task: ForeignKey[Task] = belongs_to()
    project_id: int | None = id_of("project", read_only=True)
    project: ForeignKey[Project] = belongs_to(init=False)
    result: list[dict[str, Any]] = field(factory=list)
    completed_by_id: int | None = id_of("completed_by")
    completed_by: ForeignKey[User] = belongs_to(default=None)
    was_cancelled: bool = False
    ground_truth: bool = False
    lead_time: float | None = None
    unique_id: str | None = field(fixed=True, default=None)
    import_id: int | None = None
    draft_created_at: datetime | None = None
    last_action: LastAction | None = None
    parent_prediction_id: int | None = id_of("parent_prediction")
    parent_prediction: ForeignKey[Prediction] = belongs_to(default=None)
    parent_annotation_id: int | None = id_of("parent_annotation")
    parent_annotation: ForeignKey[Annotation] = belongs_to(default=None)
    bulk_created: bool | None = None

    updated_by_id: int | None = id_of("updated_by", read_only=True)
    updated_by: ForeignKey[User] = belongs_to(init=False)
    last_created_by_id: int | None = id_of("last_created_by", read_only=True)
    last_created_by: ForeignKey[User] = belongs_to(init=False)
    created_at: datetime | None = readonly()
    updated_at: datetime | None = readonly()
    created_username: str = readonly()
    created_ago: str = readonly()
    state: str | None = readonly()

    def _post(self, client: LabelStudio, body: dict[str, Any]) -> Any:
        """The server refuses a second annotation of the same unique_id, so this POST may be
        repeated.
        """
        body.setdefault("unique_id", str(uuid.uuid4()))
        # The server answers 500 without it where it would otherwise store a null that can never be
        # saved again.
        body.setdefault("result", [])
        doing = f"creating an Annotation of Task {self.task_id}"
        try:
            return client.request(
                "POST",
                self._url(self._options.collection),
                json=body,
                idempotent=True,
                doing=doing,
                expect=("id",),
            )
        except LabelStudioError as error:
            if not error.repeated:
                raise
            failure = error
        try:
            if isinstance(failure, Conflict):
                return self._stored(client, body, failure)
        except LabelStudioError as blind:
            failure = blind
        # Whoever creates it anew sends another unique_id, so this must not look harmless to repeat.
        raise OutcomeUnknown(
            f"{doing}: the answer was lost, so it may or may not have been done. Look on the "
            f"server before repeating it ({failure})",
            request=failure.request,
        ) from failure

    def _stored(self, client: LabelStudio, body: dict[str, Any], conflict: Conflict) -> Any:
        """The row that an earlier try stored. Only an export shows unique ids."""
        task = client.tasks.get(self.task_id)
        params = {"exportType": "JSON", "download_all_tasks": "true", "ids[]": task.id}
        doing = f"looking for a new Annotation of {task!r}"
        exported = client.request(
            "GET",
            f"/api/projects/{task.project_id}/export",
            params=params,
            doing=doing,
            expect=list,
        )
        for row in exported[0]["annotations"] if exported else ():
            if row["unique_id"] == body["unique_id"]:
                if not same_json(row["result"], body["result"]):
                    raise conflict  # the caller's own unique_id, of another annotation
                path = f"/api/annotations/{row['id']}/"
                return client.request("GET", path, doing=doing, expect=("id",))
        raise OutcomeUnknown(f"{doing}: the server says that it has it, and does not show it")


@resource(
    "/api/predictions/{id}/", params={"task_id__exact": "task", "project_id__exact": "project"}
)
class Prediction(Labelled, Resource):
    """What a model said of one task; ``score`` is its confidence, ``model_version`` names the
    model.

    >>> region = project.config["sentiment"].choice("Positive")
    >>> task.predictions.create(result=[region], score=0.9, model_version="v1")
    <Prediction 1>
    """

    task_id: int = id_of("task", fixed=True)
    task: ForeignKey[Task] = belongs_to()
    project_id: int | None = id_of("project", read_only=True)
    project: ForeignKey[Project] = belongs_to(init=False)
    result: list[dict[str, Any]] = field(factory=list)
    score: float | None = None
    model_version: str | None = None
    cluster: int | None = None
    neighbors: dict[str, Any] | list[Any] | None = None
    mislabeling: float = 0.0
    model: int | None = None
    model_run: int | None = None
    created_at: datetime | None = readonly()
    updated_at: datetime | None = readonly()
    created_ago: str = readonly()

    def _post(self, client: LabelStudio, body: dict[str, Any]) -> Any:
        body.setdefault("result", [])
        return super()._post(client, body)
