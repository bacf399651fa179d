"""The operations of the Enterprise edition through the objects, on a server in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from labelstudio_orm import (
    Annotation,
    BadRequest,
    DoesNotExist,
    ExportStorage,
    ImportStorage,
    LabelStudio,
    LabelStudioError,
    NotSupportedByServer,
    Pause,
    Project,
    Prompt,
    PromptRun,
    PromptVersion,
    Task,
    User,
    Workspace,
)
from labelstudio_orm.client import labelstudio_of
from labelstudio_orm.testing import FakeLabelStudio, Fault

operation = pytest.mark.operation
_JSON = {"Content-Type": "application/json"}


@pytest.fixture(params=[False, True], ids=["reference", "newest"])
def fake(request: pytest.FixtureRequest) -> FakeLabelStudio:
    """A server of the published reference, and one as the newest official client declares it."""
    return FakeLabelStudio(edition="Enterprise", is_newest=request.param)


@pytest.fixture
def task(project: Project) -> Task:
    return project.tasks.create(data={"text": "fine"})


@pytest.fixture
def annotation(task: Task) -> Annotation:
    return task.annotations.create(result=[])


@pytest.fixture
def user(ls: LabelStudio) -> User:
    return ls.users.create(email="two@example.com")


@pytest.fixture
def prompt(ls: LabelStudio) -> Prompt:
    return ls.prompts.create(title="Mood", input_fields=["text"], output_classes=["good", "bad"])


@pytest.fixture
def version(prompt: Prompt) -> PromptVersion:
    return prompt.versions.create(
        title="v1", prompt="Say good or bad", provider="OpenAI", provider_model_id="gpt"
    )


@pytest.fixture
def run(version: PromptVersion, project: Project, task: Task) -> PromptRun:
    return version.runs.create(project=project, project_subset="All")


# --- annotations in bulk --------------------------------------------------------------------------


@operation("annotations.create_bulk")
def test_the_same_annotation_for_many_tasks(
    project: Project, asked: Callable[[], list[str]]
) -> None:
    tasks = project.tasks.bulk_create([{"text": str(n)} for n in range(3)])
    region = project.config["sentiment"].choice("Positive")
    asked()
    made = project.tasks.filter(id__in=tasks[:2]).create_annotations(result=[region], lead_time=2.5)
    assert asked().count("POST /api/annotations/bulk") == 1
    assert [each.task_id for each in made] == [each.id for each in tasks[:2]]
    for each in made:
        stored = labelstudio_of(project).annotations.get(each.id)
        assert (stored.result, stored.lead_time, stored.task_id) == ([region], 2.5, each.task_id)
    assert not tasks[2].annotations.all()


def test_what_bulk_does_not_take_is_sent_one_by_one(project: Project) -> None:
    tasks = project.tasks.bulk_create([{"text": str(n)} for n in range(2)])
    made = project.tasks.all().create_annotations(result=[], ground_truth=True)
    assert [each.task_id for each in made] == [each.id for each in tasks]
    assert all(labelstudio_of(project).annotations.get(each.id).ground_truth for each in made)


# --- prompts --------------------------------------------------------------------------------------


@operation("prompts.list", "prompts.create", "prompts.get", "prompts.update", "prompts.delete")
def test_prompts(ls: LabelStudio, project: Project) -> None:
    prompt = ls.prompts.create(title="Mood", input_fields=["text"], output_classes=["good", "bad"])
    assert prompt.created_by == ls.users.me()
    assert list(ls.prompts.all()) == [prompt]
    assert ls.prompts.get(title="Mood") == prompt
    prompt.title = "Temper"
    prompt.output_classes.append("unclear")
    prompt.associated_projects = [project.id]
    prompt.save()
    again = ls.prompts.get(prompt.id)
    assert (again.title, again.input_fields) == ("Temper", ["text"])
    assert again.output_classes == ["good", "bad", "unclear"]
    assert again.associated_projects == [project.id]
    prompt.delete()
    assert not ls.prompts.all()
    with pytest.raises(DoesNotExist):
        ls.prompts.get(again.id)


@operation(
    "prompts.versions.list",
    "prompts.versions.create",
    "prompts.versions.get",
    "prompts.versions.update",
    "prompts.versions.delete",
)
def test_versions_of_a_prompt(ls: LabelStudio, prompt: Prompt) -> None:
    provider = ls.model_providers.create(provider="OpenAI", api_key="sk-1")
    version = prompt.versions.create(
        title="v1", prompt="Say good or bad", provider="OpenAI", provider_model_id="gpt"
    )
    assert version.parent_model == prompt
    assert list(prompt.versions.all()) == [version]
    version.prompt = "Good or bad?"
    version.model_provider_connection = provider
    version.save()
    again = prompt.versions.get(version.id)
    assert again.prompt == "Good or bad?"
    assert again.model_provider_connection == provider
    assert (again.title, again.provider, again.provider_model_id) == ("v1", "OpenAI", "gpt")
    assert again.refresh() == version
    other = ls.prompts.create(title="Other", input_fields=["text"], output_classes=["x"])
    assert not other.versions.all()
    with pytest.raises(DoesNotExist):
        other.versions.get(version.id)
    version.delete()
    assert not prompt.versions.all()


@operation("prompts.versions.cost_estimate")
def test_what_a_run_would_cost(version: PromptVersion, project: Project) -> None:
    project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
    some = version.cost_estimate(project=project.id, project_subset="All")
    assert float(some["total_cost_usd"]) > 0
    assert some["is_error"] is False
    none = version.cost_estimate(project=project, project_subset="HasGT")
    assert float(none["total_cost_usd"]) == 0


@operation("prompts.versions.refine_prompt", "prompts.versions.get_refined_prompt")
def test_a_prompt_is_refined(ls: LabelStudio, version: PromptVersion, project: Project) -> None:
    teacher = ls.model_providers.create(provider="Anthropic", api_key="sk-1")
    request: dict[str, Any] = {
        "teacher_model_provider_connection_id": teacher,
        "teacher_model_name": "large",
        "project": project,
    }
    at_once = version.refine(**request)
    assert at_once.refinement_status == "Completed"
    assert at_once.prompt
    assert at_once.prompt != version.prompt
    job = version.refine(**request, async_=True)
    assert (job.refinement_status, job.prompt) == ("InProgress", "")
    found = version.get_refined_prompt(str(job.refinement_job_id))
    assert found.refinement_status == "InProgress"
    assert job.wait().refinement_status == "Completed"
    assert job.prompt == at_once.prompt
    assert job.previous_version is not None
    assert job.previous_version["id"] == version.id
    with pytest.raises(DoesNotExist):
        version.get_refined_prompt("nosuch")


@operation("prompts.runs.create", "prompts.runs.list")
def test_runs_of_a_version(version: PromptVersion, project: Project, task: Task) -> None:
    assert not version.runs.filter(project=project, project_subset="All")
    run = version.runs.create(project=project, project_subset="All")
    assert (run.status, run.project, run.version) == ("Pending", project, version)
    (found,) = version.runs.filter(project=project.id, project_subset="All")
    assert (found, found.status) == (run, "InProgress")
    assert run.wait().status == "Completed"
    assert run.completed_at is not None
    assert not version.runs.filter(project=project, project_subset="Sample")


@operation("prompts.batch_predictions", "prompts.batch_failed_predictions")
def test_results_are_handed_in(fake: FakeLabelStudio, run: PromptRun, task: Task) -> None:
    said = run.submit_predictions([{"task": task, "output": {"label": "good"}}])
    assert said == ("" if fake.is_newest else "1 predictions created.")
    (prediction,) = task.predictions.all()
    assert prediction.result == [{"value": {"label": "good"}}]
    assert (prediction.model_run, prediction.model_version) == (run.id, "v1")
    run.submit_failed_predictions([{"task": task.id, "error_type": "timeout", "message": "late"}])
    assert run.indicators.get("predictions").values == {"submitted": 1, "failed": 1}
    with pytest.raises(BadRequest, match="task_id"):
        run.submit_predictions([{"task": task.id + 1, "output": {}}])


@operation("prompts.indicators.list", "prompts.indicators.get")
def test_indicators_of_a_run(fake: FakeLabelStudio, run: PromptRun, task: Task) -> None:
    run.submit_predictions([{"task": task, "output": {}, "total_cost_usd": 0.5}])
    indicators = {each.title: each for each in run.indicators.all()}
    cost = indicators["Cost in USD"]
    assert (cost.key, cost.main_kpi) == (
        ("Cost in USD", None) if fake.is_newest else ("cost", "0.5")
    )
    one = run.indicators.get("cost")
    assert one.values is not None
    assert one.values["total_cost_usd"] == 0.5
    assert cost.values == one.values
    assert indicators["Predictions"].values == {"submitted": 1, "failed": 0}
    with pytest.raises(DoesNotExist):
        run.indicators.get("nosuch")


# --- model providers ------------------------------------------------------------------------------


@operation(
    "model_providers.list",
    "model_providers.create",
    "model_providers.get",
    "model_providers.update",
    "model_providers.delete",
)
def test_model_providers(fake: FakeLabelStudio, ls: LabelStudio) -> None:
    provider = ls.model_providers.create(provider="OpenAI", api_key="sk-1")
    assert "sk-1" not in f"{provider!r} {provider.raw} {provider.changes}"
    assert provider.created_by == ls.users.me()
    assert list(ls.model_providers.all()) == [provider]
    provider.budget_limit = 5.0
    provider.budget_alert_threshold = 4.0
    if fake.is_newest:  # which has no budgets to set, and would drop it in silence
        with pytest.raises(NotSupportedByServer, match="does not have budget_limit"):
            provider.save()
    else:
        provider.save()
    again = ls.model_providers.get(provider.id)
    assert (again.provider, again.scope) == ("OpenAI", "Organization")
    assert again.budget_limit == (None if fake.is_newest else 5.0)
    assert again.budget_alert_threshold == 4.0
    assert again.is_internal is False
    provider.delete()
    assert not ls.model_providers.all()


# --- comments -------------------------------------------------------------------------------------


@operation("comments.list", "comments.create", "comments.get", "comments.update", "comments.delete")
def test_comments(ls: LabelStudio, project: Project, task: Task, annotation: Annotation) -> None:
    comment = annotation.comments.create(text="Really?")
    assert (comment.annotation, comment.task, comment.project) == (annotation, task, project)
    other = task.annotations.create(result=[])
    ls.comments.create(annotation=other, text="Another")
    assert list(annotation.comments.all()) == [comment]
    assert len(project.comments.all()) == len(ls.comments.all()) == 2
    assert list(ls.comments.filter(project=project.id, annotation=annotation.id)) == [comment]
    assert task.refresh().unresolved_comment_count == 2
    comment.is_resolved = True
    comment.save()
    again = ls.comments.get(comment.id)
    assert (again.is_resolved, again.text) == (True, "Really?")
    assert again.resolved_at is not None
    assert (task.refresh().comment_count, task.unresolved_comment_count) == (2, 1)
    comment.delete()
    assert not annotation.comments.all()
    assert task.refresh().comment_count == 1


@operation("comments.list")
def test_comments_with_their_authors(
    project: Project, annotation: Annotation, asked: Callable[[], list[str]]
) -> None:
    annotation.comments.create(text="Really?")
    asked()
    (comment,) = project.comments.with_created_by()
    assert comment.created_by is not None
    assert comment.created_by.email == "user@example.com"
    assert comment.created_by_id == 1
    assert asked() == ["GET /api/comments/"]


# --- workspaces -----------------------------------------------------------------------------------


@operation(
    "workspaces.list",
    "workspaces.create",
    "workspaces.get",
    "workspaces.update",
    "workspaces.delete",
)
def test_workspaces(ls: LabelStudio) -> None:
    workspace = ls.workspaces.create(title="Vision")
    assert list(ls.workspaces.all()) == [workspace]
    assert workspace.created_by == ls.users.me()
    workspace.title = "Sight"
    workspace.is_archived = True
    workspace.color = "#112233"
    workspace.save()
    again = ls.workspaces.get(workspace.id)
    assert (again.title, again.is_archived, again.color) == ("Sight", True, "#112233")
    assert ls.workspaces.get(title="Sight") == workspace
    workspace.delete()
    assert not ls.workspaces.all()


@operation("workspaces.members.list", "workspaces.members.create", "workspaces.members.delete")
def test_members_of_a_workspace(ls: LabelStudio, user: User) -> None:
    workspace = ls.workspaces.create(title="Vision")
    me = ls.users.me()
    workspace.members.add(user)
    added = workspace.members.add(me.id)
    assert added.user == me
    assert [member.user for member in workspace.members.all()] == [me, user]  # by id
    workspace.members.remove(user)
    assert [member.user_id for member in workspace.members.all()] == [me.id]
    (last,) = workspace.members.all()
    last.delete()
    assert not workspace.members.all()


@operation("projects.list", "projects.create", "projects.update")
def test_projects_of_a_workspace(ls: LabelStudio, project: Project) -> None:
    workspace = ls.workspaces.create(title="Vision")
    inside = ls.projects.create(title="inside", workspace=workspace)
    assert inside.workspace == workspace
    assert [each.title for each in ls.projects.filter(workspace=workspace)] == ["inside"]
    assert list(workspace.projects.all()) == [inside]
    project.workspace = workspace
    project.save()
    assert ls.projects.get(project.id).workspace_id == workspace.id
    assert ls.projects.filter(workspace=workspace.id).count() == 2
    project.workspace = None
    project.save()
    assert ls.projects.get(project.id).workspace is None
    workspace.delete()
    assert ls.projects.get(inside.id).workspace is None


# --- pauses ---------------------------------------------------------------------------------------


@operation(
    "projects.pauses.list",
    "projects.pauses.create",
    "projects.pauses.get",
    "projects.pauses.update",
    "projects.pauses.delete",
)
def test_pauses(ls: LabelStudio, project: Project, user: User) -> None:
    pause = project.pauses.create(user=user, reason="MANUAL")
    assert (pause.project, pause.user, pause.paused_by) == (project, user, ls.users.me())
    assert list(project.pauses.filter(user=user.id)) == [pause]
    assert not project.pauses.filter(user=1)
    pause.verbose_reason = "waiting for the guide"
    pause.reason = "CUSTOM_SCRIPT"
    pause.save()
    again = project.pauses.get(pause.id, user=user)
    assert (again.reason, again.verbose_reason) == ("CUSTOM_SCRIPT", "waiting for the guide")
    pause.delete()
    assert not project.pauses.filter(user=user)
    with pytest.raises(DoesNotExist):
        project.pauses.get(again.id, user=user)
    (kept,) = project.pauses.filter(user=user).with_deleted()
    assert kept == again
    assert kept.deleted_at is not None
    assert kept.deleted_by == ls.users.me()
    assert isinstance(kept, Pause)


# --- storages -------------------------------------------------------------------------------------


@operation(
    "import_storage.s3s.list",
    "import_storage.s3s.create",
    "import_storage.s3s.get",
    "import_storage.s3s.update",
    "import_storage.s3s.validate",
    "import_storage.s3s.sync",
    "import_storage.s3s.delete",
)
def test_import_from_s3_by_a_role(ls: LabelStudio, project: Project) -> None:
    unsaved = ImportStorage.S3S(project=project, bucket="b", role_arn="arn:1")
    assert unsaved.validate() is unsaved
    storage = project.import_storages.s3s.create(
        bucket="b", role_arn="arn:1", external_id="x-1", regex_filter=".*json", presign=False
    )
    other = unsaved.save(using=ls)
    assert list(project.import_storages.s3s.all()) == [storage, other]
    assert "x-1" not in f"{storage!r} {storage.raw}"
    storage.title = "mine"
    storage.save()
    assert storage.validate() is storage
    again = ls.import_storages.s3s.get(storage.id)
    assert (again.title, again.bucket, again.role_arn) == ("mine", "b", "arn:1")
    assert (again.regex_filter, again.presign, again.status) == (".*json", False, "initialized")
    assert storage.sync().status == "completed"
    assert again.refresh().last_sync_count == 0
    storage.delete()
    other.delete()
    assert not project.import_storages.s3s.all()


@operation(
    "export_storage.s3s.list",
    "export_storage.s3s.create",
    "export_storage.s3s.get",
    "export_storage.s3s.update",
    "export_storage.s3s.validate",
    "export_storage.s3s.delete",
)
def test_export_to_s3_by_a_role(ls: LabelStudio, project: Project) -> None:
    unsaved = ExportStorage.S3S(project=project, bucket="b", role_arn="arn:1")
    assert unsaved.validate() is unsaved
    storage = project.export_storages.s3s.create(
        bucket="b", role_arn="arn:1", can_delete_objects=True
    )
    other = unsaved.save(using=ls)
    assert list(project.export_storages.s3s.all()) == [storage, other]
    storage.prefix = "out"
    storage.save()
    assert storage.validate() is storage
    again = ls.export_storages.s3s.get(storage.id)
    assert (again.prefix, again.bucket, again.can_delete_objects) == ("out", "b", True)
    storage.delete()
    other.delete()
    assert not project.export_storages.s3s.all()


@operation("export_storage.s3s.sync")
def test_newer_servers_export_to_s3_by_a_role_at_once() -> None:
    def made(fake: FakeLabelStudio) -> ExportStorage.S3S:
        project = fake.client().projects.create(title="project")
        return project.export_storages.s3s.create(bucket="b", role_arn="arn:1")

    newer = made(FakeLabelStudio(edition="Enterprise", is_newest=True))
    assert newer.sync().status == "completed"
    older = made(FakeLabelStudio(edition="Enterprise"))
    with pytest.raises(NotSupportedByServer, match="no sync"):
        older.sync()
    gone = labelstudio_of(older).export_storages.s3s.ref(older.id)
    older.delete()
    with pytest.raises(DoesNotExist):
        gone.sync()


# --- what releases of this edition differ in ------------------------------------------------------


def test_a_server_that_does_not_filter_is_noticed(
    fake: FakeLabelStudio, ls: LabelStudio, project: Project, annotation: Annotation
) -> None:
    mine = annotation.comments.create(text="Mine")
    row = {**mine.raw, "id": mine.id + 1, "project": project.id + 1}

    def answer(*rows: object) -> None:
        text = json.dumps(rows)
        fake.fault("GET", "/api/comments/", Fault.answer(200, text, headers=_JSON))

    answer(mine.raw, row)
    with pytest.raises(LabelStudioError, match=f"Comment {row['id']}, of project {row['project']}"):
        list(project.comments.all())
    answer(mine.raw, row)
    with pytest.raises(LabelStudioError, match="of project"):
        project.comments.all().delete()
    answer(mine.raw, {**row, "project": None})
    with pytest.raises(LabelStudioError, match="without its project"):
        list(project.comments.all())
    answer(mine.raw, {**row, "annotation": annotation.id + 1})
    with pytest.raises(LabelStudioError, match="of annotation"):
        list(annotation.comments.all())
    answer(mine.raw, row)  # a condition is checked in each row in any case
    assert list(ls.comments.filter(project=project)) == [mine]
    assert not [one for one in fake.requests if one.method == "DELETE"]


SCOPED: dict[str, tuple[str, str, Callable[[Any, Any], Any]]] = {
    "comments of an annotation": (
        *("/api/comments/", "annotation"),
        lambda run, comment: comment.annotation.comments,
    ),
    "comments of a project": ("/api/comments/", "project", lambda run, _: run.project.comments),
    "export storages": (
        *("*/export/s3s*", "project"),
        lambda run, _: run.project.export_storages.s3s,
    ),
    "import storages": (
        *("*/storages/s3s*", "project"),
        lambda run, _: run.project.import_storages.s3s,
    ),
    "pauses of a project": ("*/pauses*", "project", lambda run, _: run.project.pauses),
    "pauses of a user": ("*/pauses*", "user", lambda run, _: run.project.pauses),
    "projects": ("/api/projects/", "workspace", lambda run, _: run.project.workspace.projects),
    "runs": (
        *("*/inference-runs", "model_version"),
        lambda run, _: run.version.runs.filter(project=run.project, project_subset="All"),
    ),
    "versions": (
        *("*/versions", "parent_model"),
        lambda run, _: run.version.parent_model.versions,
    ),
}
"""Listings of the edition that are of something: their paths, and the field that says of what."""


@pytest.mark.parametrize("listing", SCOPED)
def test_rows_of_something_else_are_an_error(
    listing: str,
    fake: FakeLabelStudio,
    ls: LabelStudio,
    run: PromptRun,
    annotation: Annotation,
    user: User,
) -> None:
    project: Any = run.project
    project.workspace = ls.workspaces.create(title="Vision")
    project.save()
    for family in (project.import_storages, project.export_storages):
        family.s3s.create(bucket="b", role_arn="arn:1")
    project.pauses.create(user=user, reason="MANUAL")
    comment = annotation.comments.create(text="Mine")
    path, wire, of = SCOPED[listing]
    queryset = of(run, comment)
    if "pauses" in path:
        queryset = queryset.filter(user=user)
    (row,) = [one.raw for one in queryset.all()]
    body = json.dumps([{**row, wire: row[wire] + 7}])
    if listing == "projects":
        body = f'{{"count": 1, "next": null, "results": {body}}}'
    fake.fault("GET", path, Fault.answer(200, body, headers=_JSON))
    with pytest.raises(LabelStudioError, match=f"the server gave .* {row[wire] + 7}"):
        list(queryset.all())


def test_a_count_of_another_workspace_is_noticed(fake: FakeLabelStudio, ls: LabelStudio) -> None:
    workspace = ls.workspaces.create(title="Vision")
    inside = ls.projects.create(title="inside", workspace=workspace)
    assert workspace.projects.count() == 1
    for more in ({"workspace": workspace.id + 1}, {}):
        row = {"id": inside.id, **more}
        page: dict[str, object] = {"count": 2, "next": None, "results": [row]}
        fake.fault("GET", "/api/projects/", Fault.answer(200, page))
        with pytest.raises(LabelStudioError, match="workspace"):
            workspace.projects.count()


def test_users_of_a_task_are_read_as_ids_and_as_objects(
    fake: FakeLabelStudio, ls: LabelStudio, task: Task
) -> None:
    row = {
        **task.raw,
        "annotators": [{"user_id": 4, "review": None}, 5],
        "comment_authors": [{"id": 6, "email": "six@example.com"}],
        "updated_by": [{"user_id": 7}],
    }
    fake.fault("GET", f"/api/tasks/{task.id}/", Fault.answer(200, row))
    found = ls.tasks.get(task.id)
    assert (found.annotators, found.comment_authors, found.updated_by_id) == ([4, 5], [6], 7)


def test_more_prompts_than_a_page_holds(fake: FakeLabelStudio, ls: LabelStudio) -> None:
    made = [
        ls.prompts.create(title=f"Mood {n}", input_fields=["text"], output_classes=["good"])
        for n in range(101)
    ]
    fake.requests.clear()
    assert [prompt.id for prompt in ls.prompts.all()] == [prompt.id for prompt in made]
    assert len(fake.requests) == (2 if fake.is_newest else 1)
    assert ls.prompts.count() == 101
    assert [prompt.id for prompt in ls.prompts.order_by("-id")[:2]] == [made[-1].id, made[-2].id]


def test_what_a_server_drops_is_an_error(fake: FakeLabelStudio, ls: LabelStudio) -> None:
    if not fake.is_newest:
        assert ls.workspaces.create(title="Vision", is_public=True).is_public
        return
    with pytest.raises(NotSupportedByServer, match="does not have is_public"):
        ls.workspaces.create(title="Vision", is_public=True)
    (workspace,) = ls.workspaces.all()  # the rest is saved
    workspace.title, workspace.is_public = "Sight", True
    with pytest.raises(NotSupportedByServer, match="does not have is_public"):
        workspace.save()
    assert workspace.changes == {"is_public": (False, True)}
    assert ls.workspaces.get(workspace.id).title == "Sight"


# --- the other edition ----------------------------------------------------------------------------

NOUNS: dict[str, Callable[[LabelStudio, Project], object]] = {
    "prompts": lambda ls, project: list(ls.prompts.all()),
    "a prompt": lambda ls, project: ls.prompts.get(1),
    "a new prompt": lambda ls, project: ls.prompts.create(
        title="Mood", input_fields=["text"], output_classes=["good"]
    ),
    "versions": lambda ls, project: list(ls.prompts.ref(1).versions.all()),
    "a refinement": lambda ls, project: ls.prompts.ref(1).versions.ref(1).get_refined_prompt("job"),
    "a cost estimate": lambda ls, project: (
        ls.prompts.ref(1).versions.ref(1).cost_estimate(project, "All")
    ),
    "runs": lambda ls, project: list(
        ls.prompts.ref(1).versions.ref(1).runs.filter(project=project, project_subset="All")
    ),
    "model providers": lambda ls, project: list(ls.model_providers.all()),
    "a new model provider": lambda ls, project: ls.model_providers.create(provider="OpenAI"),
    "comments": lambda ls, project: list(project.comments.all()),
    "a comment": lambda ls, project: ls.comments.get(1),
    "a new comment": lambda ls, project: ls.comments.create(annotation=1, text="Really?"),
    "workspaces": lambda ls, project: list(ls.workspaces.all()),
    "a new workspace": lambda ls, project: ls.workspaces.create(title="Vision"),
    "a workspace deleted": lambda ls, project: ls.workspaces.ref(1).delete(),
    "a workspace's projects": lambda ls, project: list(ls.workspaces.get(1).projects.all()),
    "members": lambda ls, project: list(ls.workspaces.ref(1).members.all()),
    "a member": lambda ls, project: ls.workspaces.ref(1).members.add(1),
    "no member": lambda ls, project: ls.workspaces.ref(1).members.remove(1),
    "pauses": lambda ls, project: list(project.pauses.filter(user=1)),
    "a new pause": lambda ls, project: project.pauses.create(user=1, reason="manual"),
    "an import storage": lambda ls, project: project.import_storages.s3s.create(bucket="b"),
    "import storages": lambda ls, project: list(project.import_storages.s3s.all()),
    "an import storage validated": lambda ls, project: ImportStorage.S3S(
        project=project, bucket="b"
    ).validate(),
    "an export storage": lambda ls, project: project.export_storages.s3s.create(bucket="b"),
    "export storages": lambda ls, project: list(project.export_storages.s3s.all()),
}


@pytest.mark.parametrize("noun", NOUNS)
def test_a_community_server_says_what_it_lacks(noun: str) -> None:
    ls = FakeLabelStudio().client()
    project = ls.projects.create(title="project")
    with pytest.raises(NotSupportedByServer, match=r"needs Label Studio Enterprise.*Community"):
        NOUNS[noun](ls, project)


def test_what_is_not_there_on_enterprise_does_not_exist(ls: LabelStudio) -> None:
    with pytest.raises(DoesNotExist):
        ls.workspaces.get(99)


def test_annotations_for_many_tasks_are_made_one_by_one_on_community(
    asked: Callable[[], list[str]],
) -> None:
    ls = FakeLabelStudio().client()
    project = ls.projects.create(title="project")
    tasks = project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
    made = project.tasks.all().create_annotations(result=[], lead_time=2.5)
    assert [each.task_id for each in made] == [each.id for each in tasks]
    assert [each.lead_time for each in made] == [2.5, 2.5]
    assert len(tasks[0].annotations.all()) == 1


def test_workspaces_are_kept_apart(ls: LabelStudio) -> None:
    first, second = (ls.workspaces.create(title=title) for title in ("a", "b"))
    ls.projects.create(title="inside", workspace=first)
    assert isinstance(first, Workspace)
    assert not second.projects.all()
    with pytest.raises(BadRequest, match="workspace"):
        ls.projects.create(title="nowhere", workspace=99)
