"""The law of requests, for what a server lists besides tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from labelstudio_orm import LabelStudio, Project, Q
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm._engine.models.queryset import QuerySet
from labelstudio_orm._engine.values.registry import registry
from labelstudio_orm.testing import FakeLabelStudio
from tests.both.test_request_law import READS, numbers, of, orders
from tests.both.test_request_law import SETS as OF_A_PROJECT
from tests.conftest import CONFIG

MODEL = "http://ml.example.com"


class World:
    """A server of the Enterprise edition, and a project on it."""

    def __init__(self) -> None:
        self.fake = FakeLabelStudio(edition="Enterprise")
        self.fake.models[MODEL] = lambda tasks: []
        self.ls = self.fake.client()
        self.project = self.ls.projects.create(title="Law", label_config=CONFIG)
        self.task = self.project.tasks.create(data={"text": "a"})
        self.annotation = self.task.annotations.create(result=[])
        self.prompt = self.ls.prompts.create(
            title="Mood", input_fields=["text"], output_classes=["a"]
        )
        self.version = self.prompt.versions.create(title="v", prompt="{text}")
        self.workspace = self.ls.workspaces.create(title="Vision")
        self.user = self.ls.users.create(email="law@example.com")

    def add(self, n: int) -> None:
        """One more of everything."""
        ls, project = self.ls, self.project
        self.fake.blobs.update({f"s3://b{n}/": b"", f"gs://b{n}/": b""})
        user = ls.users.create(email=f"law{n}@example.com")
        project.views.create(title=f"{n}", filters=Q(id=n))
        project.webhooks.create(url=f"http://example.com/{n}")
        project.exports.create(title=f"{n}")
        project.ml_backends.create(url=MODEL, title=f"{n}")
        project.import_storages.s3.create(bucket=f"b{n}")
        project.export_storages.gcs.create(bucket=f"b{n}")
        project.pauses.create(user=self.user, reason=f"{n}")
        ls.projects.create(title=f"Law {n}", workspace=self.workspace)
        ls.workspaces.create(title=f"{n}")
        ls.drafts.create(task=self.task, result=[])
        ls.model_providers.create(provider="OpenAI", api_key=f"{n}", deployment_name=f"{n}")
        ls.prompts.create(title=f"{n}", input_fields=["text"], output_classes=["a"])
        self.prompt.versions.create(title=f"{n}", prompt="{text}")
        self.annotation.comments.create(text=f"{n}")
        self.workspace.members.add(user)


SETS: dict[str, Callable[[World], QuerySet[Any]]] = {
    "views": lambda w: w.project.views,
    "webhooks": lambda w: w.project.webhooks,
    "exports": lambda w: w.project.exports,
    "ML backends": lambda w: w.project.ml_backends,
    "import storages": lambda w: w.project.import_storages,
    "storages of one type": lambda w: w.project.import_storages.s3,
    "export storages": lambda w: w.project.export_storages,
    "actions": lambda w: w.project.actions,
    "pauses": lambda w: w.project.pauses.filter(user=w.user),
    "projects": lambda w: w.ls.projects,
    "projects of a workspace": lambda w: w.workspace.projects,
    "users": lambda w: w.ls.users,
    "organizations": lambda w: w.ls.organizations,
    "members": lambda w: w.ls.organizations.ref(1).members,
    "workspaces": lambda w: w.ls.workspaces,
    "members of a workspace": lambda w: w.workspace.members,
    "drafts": lambda w: w.ls.drafts.filter(task=w.task),
    "providers": lambda w: w.ls.model_providers,
    "prompts": lambda w: w.ls.prompts,
    "versions": lambda w: w.prompt.versions,
    "comments": lambda w: w.annotation.comments,
}

FEW, MANY = 10, 100

__all__ = ["numbers"]  # a fixture


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OF_A_PROJECT)
def test_what_a_project_has(
    project: Project, numbers: Callable[[Any], list[str]], name: str
) -> None:
    reads = {**READS, **orders(OF_A_PROJECT[name](project))}
    assert numbers(of(OF_A_PROJECT[name], reads)) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_ten_rows_and_a_hundred_take_as_many_requests() -> None:
    """A hundred are a page, so that no listing has a second one."""
    world = World()
    counts: list[dict[str, int]] = []
    added = 0
    for number in (FEW, MANY - 10):
        while added < number:
            added += 1
            world.add(added)
        counts.append(_requests(world))
    few, many = counts
    assert [f"{one}: {few[one]}, {many[one]}" for one in few if many[one] > few[one]] == []


def _requests(world: World) -> dict[str, int]:
    found = {}
    for name, objects in SETS.items():
        by = {
            what: read for what, read in orders(objects(world)).items() if what.startswith("order")
        }
        for what, read in {**READS, **by}.items():
            world.fake.requests.clear()
            read(objects(world).all())
            found[f"{name}: {what}"] = len(world.fake.requests)
    return found


def test_what_a_listing_leaves_out_is_fetched_and_not_made_up(fake: FakeLabelStudio) -> None:
    ls: LabelStudio = fake.client()
    (organization,) = ls.organizations
    assert organization.users == [ls.users.me().id]
    assert organization.created_by_id is not None or "created_by" in organization.raw
    assert organization.updated_at is not None
    (member,) = organization.members
    assert member.annotations_count == 0
    assert member.created_at is not None


def test_every_listed_resource_is_here() -> None:
    """But for what is under the law of tasks, and what is listed by what it belongs to alone."""
    listed = {of(World()).model for of in SETS.values()}
    others = {"Task", "Annotation", "Prediction", "FileUpload", "ImportJob", "PromptRun"}
    others |= {"PromptIndicator", "JWTSettings", "SessionPolicy"}
    others |= {"TaskState", "AnnotationState", "ProjectState"}
    missing = {
        options_of(model).name
        for model in registry.values()
        if not any(issubclass(model, one) or issubclass(one, model) for one in listed)
    }
    assert missing <= others
