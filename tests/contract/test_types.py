"""What a type checker, and so a user's editor, infers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

USER_CODE = """
from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar

from typing_extensions import assert_type

from labelstudio_orm import (
    Annotation, Draft, Export, ExportStorage, ImportJob, ImportStorage, JWTSettings, LabelStudio,
    MLBackend, Prediction, Project, PromptRun, Q, QuerySet, Refinement, ServerInfo, Task, User,
    View, Workspace,
    Webhook as RealWebhook,
)
from labelstudio_orm._engine.models.declaration import resource
from labelstudio_orm._engine.fields.fields import Field
from labelstudio_orm.orm import (
    ForeignKey, HasMany, Resource, always_sent, foreign_key, readonly, resource, secret,
)
from labelstudio_orm.resources.projects import Projects
from labelstudio_orm.resources.tasks import Tasks


@resource("/api/webhooks/{id}/")
class Webhook(Resource):
    url: str
    is_active: bool = True
    headers: dict[str, str] = secret(factory=dict)
    actions: list[str] = always_sent(factory=list)
    project: ForeignKey[Project] = foreign_key(default=None)
    project_id = project.optional_id
    created_at: datetime | None = readonly()


@resource("/api/boards/{id}/")
class Board(Resource):
    title: str = ""
    webhooks: ClassVar[HasMany[Webhook]] = HasMany()


def check(ls: LabelStudio, webhook: Webhook, board: Board) -> None:
    project = ls.projects.get(1)
    assert_type(project, Project)
    assert_type(project.title, str | None)
    assert_type(project.created_at, datetime | None)
    assert_type(project.created_by, User | None)
    assert_type(project.save(), Project)
    assert_type(project.tasks, Tasks)
    assert_type(project.tasks.filter(Q(id=1) | Q(id=2), total_annotations=0), Tasks)
    assert_type(project.tasks.exclude(id=1).order_by("-id").only("data").all(), Tasks)
    assert_type(project.tasks.prefetch("annotations")[1:5], Tasks)
    assert_type(project.tasks[0], Task)
    assert_type(project.tasks.first(), Task | None)
    assert_type(project.tasks.last(), Task | None)
    assert_type(project.tasks.iterator(), Iterator[Task])
    assert_type(project.tasks.count(), int)
    assert_type(project.tasks.bulk_create([{"text": "a"}])[0], Task)
    assert_type(project.tasks.get_or_create(id=1), tuple[Task, bool])
    assert_type(project.tasks.in_bulk([1]), dict[int, Task])
    assert_type(list(project.tasks.values("id")), list[dict[str, Any]])
    assert_type(list(project.tasks.values_list("id", "data")), list[tuple[Any, ...]])
    assert_type(Project.objects.filter(title="x"), QuerySet[Project])
    assert_type(ls.users.me(), User)
    assert_type(ls.projects, Projects)
    assert_type(ls.drafts, QuerySet[Draft])
    assert_type(ls.server(), ServerInfo)
    assert_type(ls.jwt_settings(), JWTSettings)
    assert_type(project.annotators(), list[User])
    assert_type(project.exports.formats(), list[dict[str, Any]])
    assert_type(project.validate_config("<View/>"), Mapping[str, Any])
    assert_type(ls.prompts.get(1).versions.get(1).refine(
        teacher_model_provider_connection_id=1, teacher_model_name="m", project=project,
    ), Refinement)
    project.views.set_order([1, ls.views.get(2)])
    task = project.tasks[0]
    assert_type(task.project_id, int)
    assert_type(task.project, Project | None)
    assert_type(task.updated_by_id, int | None)
    assert_type(Task.project_id, Field)
    assert_type(task.data, dict[str, Any])
    assert_type(task.annotations.create(result=[]), Annotation)
    assert_type(task.predictions.first(), Prediction | None)
    assert_type(task.annotations[0].completed_by, User | None)
    assert_type(project.views.create(title="x").tasks, Tasks)
    assert_type(project.views.create(title="x").filters, Q)
    assert_type(project.import_storages.s3.get(1), ImportStorage.S3)
    assert_type(project.import_storages.s3.get(1).sync(), ImportStorage.S3)
    assert_type(project.import_storages[0], ImportStorage.Any)
    assert_type(ls.export_storages.local.create(project=1, path="/x"), ExportStorage.Local)
    assert_type(project.exports.create(title="x").wait(), Export)
    assert_type(project.imports.create([{"text": "a"}]).wait(), ImportJob)
    assert_type(project.ml_backends.first(), MLBackend | None)
    assert_type(project.webhooks.filter(is_active=True)[0], RealWebhook)
    assert_type(ls.workspaces.get(1).projects, QuerySet[Project])
    assert_type(project.workspace, Workspace | None)
    assert_type(ls.views.get(1), View)
    version = ls.prompts.get(1).versions[0]
    assert_type(version.runs.create(project=1).wait(), PromptRun)
    assert_type(version.get_refined_prompt("x").wait(), Refinement)
    ImportStorage.S3(project=project, bucket="b", regex_filter=".*", aws_access_key_id="x")
    ImportStorage.S3(bucket="b")  # error: call-arg
    ImportStorage.S3(project=1, buckett="b")  # error: call-arg
    ExportStorage.Local(project=1, recursive_scan=True)  # error: call-arg
    assert_type(webhook.project, Project | None)
    assert_type(webhook.project_id, int | None)
    assert_type(board.webhooks.filter(is_active=True), QuerySet[Webhook])
    webhook.project = project
    webhook.project = 5
    webhook.project = None
    webhook.project_id = None
    webhook.project_id = 5
    Webhook(url="x", project=project).save(using=ls)
    Annotation(task=task, result=[], completed_by=ls.users.me())
    Project(title="x", id=5)  # error: call-arg
    Webhook()  # error: call-arg
    Webhook(url="x", project_id=1)  # error: call-arg
    Task(data={})  # error: call-arg
    Task(project=1, data={}, updated_by=1)  # error: call-arg
    Webhook(url="x", created_at=None)  # error: call-arg
    project.titel  # error: attr-defined
    project.validate_config()  # error: call-arg
    project.exports.formats().name  # error: attr-defined
    ls.projects = ls.projects  # error: assignment
    webhook.project = task  # error: assignment
    webhook.project_id = "5"  # error: assignment
    task.project_id = None  # error: assignment
    task.data = "x"  # error: assignment
"""


@pytest.mark.slow
def test_what_mypy_infers(tmp_path: Path) -> None:
    """Every ``assert_type`` holds, and each line marked as an error is one, and no other."""
    code = tmp_path / "user_code.py"
    code.write_text(USER_CODE)
    settings = tmp_path / "mypy.ini"  # an installed package's own imports are not looked at
    settings.write_text(
        "[mypy]\n[mypy-dask.*,datasets,pandas,pyarrow.*]\n"
        "follow_imports = skip\nignore_missing_imports = true\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--no-incremental", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        check=False,
    )
    found = {
        (int(line.split(":")[1]), line.rsplit("[", 1)[1].rstrip("]"))
        for line in run.stdout.splitlines()
        if ": error:" in line
    }
    wanted = {
        (number, line.rsplit("# error: ", 1)[1])
        for number, line in enumerate(USER_CODE.splitlines(), start=1)
        if "# error: " in line
    }
    assert found == wanted, run.stdout + run.stderr
