"""Prompts: large language models that label, with versions, runs, indicators and refinement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from .._engine.bulk.jobs import Job
from .._engine.http.deadline import one_call
from .._engine.models.actions import id_for
from .._engine.models.queryset import queryset_of
from .._engine.records.inside import ask, client_of, row_of
from .._engine.values.ids import as_id
from ..errors import APIError, DoesNotExist
from ..orm import (
    ForeignKey,
    HasMany,
    Numbered,
    Plain,
    Resource,
    action,
    answer,
    computed,
    field,
    foreign_key,
    readonly,
    readonly_foreign_key,
    resource,
)
from .authored import Authored, CreatedBy
from .common import Enterprise
from .ml import ModelProvider, Provider

if TYPE_CHECKING:
    from typing_extensions import Self

    from .._engine.http.connection import Connection
    from .._engine.records.origin import Origin
    from .projects import Project

__all__ = ["Prompt", "PromptIndicator", "PromptRun", "PromptVersion", "Refinement", "Subset"]

Subset = Literal["All", "HasGT", "Sample", "Custom"]
"""The tasks that a run takes: all, those with a ground truth, a sample, or those of a filter."""

_NOT_SUBMITTED = {"detail": "nothing was submitted: a dry run"}


def _detail(row: Mapping[str, Any] | None) -> str:
    return str((row or {}).get("detail", ""))


def _with_ids(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a prompt with the ids of its projects, which newer servers give whole."""
    projects = row.get("associated_projects")
    if isinstance(projects, list):
        row["associated_projects"] = [as_id(project) for project in projects]
    return row


@resource("/api/prompts/{id}", pages=Numbered(ordered=False, or_plain=True), label="title")
class Prompt(Enterprise, Authored, Resource):
    """An assignment for a large language model: from ``input_fields`` to one of ``output_classes``.

    >>> ls.prompts.create(title="Mood", input_fields=["text"], output_classes=["good", "bad"])
    """

    title: str
    input_fields: list[str]
    output_classes: list[str]
    description: str | None = None
    associated_projects: list[int] = field(factory=list)
    skill_name: str | None = None
    versions_count: int | None = readonly()
    runs_count: int | None = readonly()
    best_score: float | None = readonly()
    organization: int | None = readonly()

    versions: ClassVar[HasMany[PromptVersion]] = HasMany()

    @classmethod
    def _load(cls, rows: Iterable[dict[str, Any]], origin: Origin) -> Iterator[Self]:
        yield from super()._load(map(_with_ids, rows), origin)

    @classmethod
    def _accept(cls, row: Any) -> dict[str, Any]:
        return _with_ids(super()._accept(row))


@resource(
    "/api/prompts/{parent_model}/versions{/id}",
    pages=Plain(scoped_by=("parent_model",)),
    label="title",
)
class PromptVersion(Enterprise, Authored, Resource):
    """One wording of a prompt, for one model of one provider.

    >>> version = prompt.versions.create(title="v1", prompt="Say good or bad: {text}")
    >>> version.runs.create(project=project, project_subset="All").wait()
    """

    parent_model: ForeignKey[Prompt] = foreign_key(fixed=True)
    parent_model_id = parent_model.id
    title: str | None = None
    prompt: str | None = None
    provider: Provider | None = None
    provider_model_id: str | None = None
    model_provider_connection: ForeignKey[ModelProvider] = foreign_key(default=None)
    model_provider_connection_id = model_provider_connection.optional_id
    max_few_shot_examples: int | None = None
    model_display_name: str | None = readonly()
    score: float | None = readonly()
    organization: int | None = readonly()

    runs: ClassVar[HasMany[PromptRun]] = HasMany()

    @one_call
    def cost_estimate(
        self, project: Project | int, project_subset: Subset = "All"
    ) -> dict[str, Any]:
        """Estimate the cost of a run, in US dollars as text: ``total_cost_usd`` and its parts.

        One request, or two: newer servers answer GET, and older ones POST.
        """
        self._saved_id("cost_estimate()")
        project_id = id_for(self._client, "Project", project, "the project")
        params = {"project_id": project_id, "project_subset": project_subset}
        doing = f"estimating the cost of {self!r}"
        options: dict[str, Any] = {"params": params, "expect": (), "idempotent": True}
        try:
            return cast("dict[str, Any]", ask(self, "GET", doing, "/cost-estimate", **options))
        except APIError as error:
            if error.status != HTTPStatus.METHOD_NOT_ALLOWED:
                raise
        found = ask(self, "POST", doing, "/cost-estimate", reads=True, **options)
        return cast("dict[str, Any]", found)

    @action(
        "POST",
        "refine",
        "refining {self!r}",
        expect=(),
        is_long=True,
        dry={"refinement_status": "Completed"},
    )
    def refine(
        self,
        *,
        teacher_model_provider_connection_id: ModelProvider | int,
        teacher_model_name: str,
        project: Project | int,
        async_: bool | None = None,
    ) -> Refinement:
        """Let a stronger model rewrite the prompt. One request.

        With ``async_`` it goes on in the background: ``refine(...).wait().prompt``.
        """
        teacher, client = teacher_model_provider_connection_id, self._client
        return answer(
            params={} if async_ is None else {"async": async_},
            json={
                "teacher_model_provider_connection_id": id_for(
                    client, "ModelProvider", teacher, "the teacher's provider"
                ),
                "teacher_model_name": teacher_model_name,
                "project_id": id_for(client, "Project", project, "the project"),
            },
            take=lambda row: Refinement(self, row),
        )

    @one_call
    def get_refined_prompt(self, refinement_job_id: str) -> Refinement:
        """Read a refinement that was begun before, by its job's id. One request."""
        return Refinement(self, {"refinement_job_id": refinement_job_id}).refresh()


class Refinement(Job):
    """A rewritten prompt, or its progress.

    It has ``prompt``, ``reasoning``, ``title``, ``total_cost`` (US dollars, as text); ``version``
    is the version that it started from.

    >>> job = version.refine(
    ...     teacher_model_provider_connection_id=provider,
    ...     teacher_model_name="large",
    ...     project=project,
    ...     async_=True,
    ... )
    >>> job.wait().refinement_status
    'Completed'
    """

    _state_field = "refinement_status"

    def __init__(self, version: PromptVersion, row: Mapping[str, Any]) -> None:
        self.version = version
        self._take(row)

    def _take(self, row: Mapping[str, Any]) -> None:
        self.refinement_job_id: str | None = row.get("refinement_job_id")
        self.refinement_status: str | None = row.get("refinement_status")
        self.title: str | None = row.get("title")
        self.prompt: str | None = row.get("prompt")
        self.reasoning: str | None = row.get("reasoning")
        self.total_cost: str | None = row.get("total_cost")
        self.previous_version: dict[str, Any] | None = row.get("previous_version")

    def __repr__(self) -> str:
        return f"<Refinement {self.refinement_job_id} of {self.version!r}>"

    @property
    def _client(self) -> Connection:
        return client_of(self.version)

    @one_call
    def refresh(self) -> Self:
        """Read the state again; return self. One request."""
        job = self.refinement_job_id
        row = ask(
            self.version,
            "GET",
            f"reading {self!r}",
            "/refine",
            params={"refinement_job_id": job},
            expect=(),
        )
        self._take({"refinement_job_id": job, **row})
        return self


@resource(
    "",
    collection="/api/prompts/{version.parent_model}/versions/{version}/inference-runs",
    pages=Plain(scoped_by=("version",), single=True),
    params={"project_id__exact": "project", "project_subset__exact": "project_subset"},
)
class PromptRun(Enterprise, CreatedBy, Job, Resource):
    """One run of a prompt's version over the tasks of a project.

    Listed by project and subset: ``version.runs.filter(project=1, project_subset="All")``.

    >>> version.runs.create(project=project, project_subset="HasGT").wait().status
    'Completed'
    """

    version: ForeignKey[PromptVersion] = foreign_key(wire="model_version", fixed=True)
    version_id = version.id
    project: ForeignKey[Project] = foreign_key(fixed=True)
    project_id = project.id
    project_subset: Subset = field(default="All", fixed=True)
    filters_json: Any = field(default=None, fixed=True)
    sample_subset_size: int | None = field(default=None, fixed=True)
    status: str = readonly()
    job_id: str | None = readonly()
    total_tasks: int | None = readonly()
    total_predictions: int | None = readonly()
    total_correct_predictions: int | None = readonly()
    organization: int | None = readonly()
    triggered_at: datetime | None = readonly()
    predictions_updated_at: datetime | None = readonly()
    completed_at: datetime | None = readonly()

    indicators: ClassVar[HasMany[PromptIndicator]] = HasMany()

    def _post(self, client: Connection, body: dict[str, Any]) -> Any:
        return super()._post(client, {"project_subset": "All", **body})

    def _get_row(self, doing: str) -> dict[str, Any]:
        """Look for the run in the listing: a single one has no address."""
        runs = queryset_of(PromptRun, self._client, scope={"version": self.version})
        for run in runs.filter(project=self.project_id, project_subset=self.project_subset):
            if run == self:
                return {**self._row, **row_of(run)}
        raise DoesNotExist(f"{doing}: it is not on the server")

    @action("POST", "/api/model-run/batch-predictions", take=_detail, dry=_NOT_SUBMITTED)
    def submit_predictions(self, results: Iterable[Mapping[str, Any]]) -> str:
        """Submit what the model predicted, and return the server's message. One request.

        ``results``: ``{"task": task, "output": {...}, "total_cost_usd": 0.01}`` each.
        """
        return answer(**self._submitted("results", results))

    @action("POST", "/api/model-run/batch-failed-predictions", take=_detail, dry=_NOT_SUBMITTED)
    def submit_failed_predictions(self, failures: Iterable[Mapping[str, Any]]) -> str:
        """Submit the tasks for which the model failed, and return the server's message.

        One request. ``failures``: ``{"task": task, "error_type": ..., "message": ...}`` each.
        """
        return answer(**self._submitted("failed_predictions", failures))

    def _submitted(self, key: str, items: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        rows = []
        for item in items:
            row = dict(item)
            task = row.pop("task", row.pop("task_id", None))
            if task is None:
                raise ValueError(f"{key}: each item needs its task: {item!r:.80}")
            task_id = id_for(self._client, "Task", task, f"{key}: the task")
            rows.append({"task_id": task_id, **row})
        return {
            "json": {"modelrun_id": self.id, key: rows},
            "doing": f"submitting {len(rows)} {key.replace('_', ' ')} of {self!r}",
        }


@resource(
    "/api/inference-runs/{run}/indicators{/key}",
    pages=Plain(scoped_by=("run",), key_from="title"),
    label="title",
    key="key",
)
class PromptIndicator(Enterprise, Resource):
    """A measure of a run, its cost or its accuracy for example.

    ``values`` are fetched on first access.

    >>> [indicator.title for indicator in run.indicators.all()]
    """

    key: str = readonly()
    run: ForeignKey[PromptRun] = readonly_foreign_key()
    run_id = run.id
    title: str | None = readonly()
    main_kpi: str | None = readonly()
    secondary_kpi: str | None = readonly()
    additional_kpis: list[dict[str, Any]] | None = readonly()
    extra_kpis: list[dict[str, Any]] | None = readonly()
    values: dict[str, Any] | None = computed()
