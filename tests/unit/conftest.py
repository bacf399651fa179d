"""Unit tests run on the server in memory."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

import labelstudio_orm
from labelstudio_orm import LabelStudio, Q, migrate
from labelstudio_orm._engine.http import auth, connection, transport
from labelstudio_orm._formats.images import png
from labelstudio_orm.config import LabelConfig, labels
from labelstudio_orm.resources.tasks import Tasks
from labelstudio_orm.testing import FakeLabelStudio
from tests.conftest import CONFIG

PLACES = (
    "azure-blob://reviews/",
    "gs://reviews/",
    "localfiles:///data/reviews/",
    "redis://redis.example.com:6379/1/",
    "s3://reviews/",
)
"""Where the examples have storages; an address with a slash at its end is an empty place."""

MODEL = "http://ml.example.com"


class Boxes:
    """A project with one image and a box on it, which is made when its tasks are touched."""

    def __init__(self, ls: LabelStudio) -> None:
        self._ls = ls

    @cached_property
    def tasks(self) -> Tasks:
        config = LabelConfig.build(
            {"image": "Image", "label": labels(["Car", "Person"], "RectangleLabels")}
        )
        project = self._ls.projects.create(title="Cars", label_config=str(config))
        image = f"data:image/png;base64,{b64encode(png(2, 2, bytes(4))).decode()}"
        task = project.tasks.create(data={"image": image})
        box = config["label"].rectangle("Car", x=0, y=0, width=50, height=50, size=(2, 2))
        task.annotations.create(result=[box])
        return project.tasks


@pytest.fixture
def ls(fake: FakeLabelStudio) -> LabelStudio:
    """A client of a fresh server in memory."""
    return fake.client()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What the examples of the documentation may use: the public names of the library, and one
    object of each kind on a server of the Enterprise edition. The working directory is empty but
    for a file of tasks, ``path``.
    """
    fake = FakeLabelStudio("http://localhost:8080", edition="Enterprise")
    real = auth.Credential
    monkeypatch.setattr(transport, "new_session", fake.session)
    monkeypatch.setattr(
        connection, "Credential", lambda key: real(fake.api_key if key == "..." else key)
    )
    monkeypatch.setattr(connection, "_default", None)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tasks.json"
    path.write_text('[{"text": "from a file"}]', encoding="utf-8")
    ls = labelstudio_orm.connect("http://localhost:8080", "...")
    made = {
        **{name: getattr(labelstudio_orm, name) for name in labelstudio_orm.__all__},
        "fake": fake,
        "Path": Path,
        "transport": ls._transport,
        "xml": CONFIG,
        "path": path,
        "ls": ls,
        **_labelling(ls),
        "boxes": Boxes(ls),
    }
    made.update(_services(fake, made))
    made.update(_enterprise(made))
    made.update({name: getattr(migrate, name) for name in migrate.__all__})
    other = FakeLabelStudio("http://other:8080")
    other.models.update(fake.models)
    other.blobs.update(fake.blobs)
    made["other"] = other.client()
    fake.requests.clear()
    return made


def _labelling(ls: LabelStudio) -> dict[str, Any]:
    """A project with four tasks, of which the last is labelled."""
    user = ls.users.create(email="ann@example.com", username="ann")
    project = ls.projects.create(title="Reviews", label_config=CONFIG)
    project.tasks.bulk_create([{"text": "refund"}, {"text": "fine"}, {"text": "good"}])
    task = project.tasks.create(data={"text": "well done", "lang": "de"})
    region = project.config["sentiment"].choice("Positive")
    return {
        "user": user,
        "organization": ls.organizations.get(),
        "project": project,
        "config": project.config,
        "task": task,
        "annotation": task.annotations.create(result=[region]),
        "prediction": task.predictions.create(result=[region], score=0.7, model_version="v1"),
        "view": project.views.create(title="Todo", filters=Q(total_annotations=0)),
    }


def _services(fake: FakeLabelStudio, made: Mapping[str, Any]) -> dict[str, Any]:
    """What a project is connected with."""
    project = made["project"]
    fake.blobs.update(dict.fromkeys(PLACES, b""))
    fake.blobs["http://example.com/tasks.json"] = b'[{"text": "from an address"}]'
    fake.models[MODEL] = lambda tasks: [{"result": [], "score": 0.5} for _ in tasks]
    found = {
        "webhook": project.webhooks.create(url="http://example.com/hook"),
        "file": project.files.upload(made["path"]),
        "backend": project.ml_backends.create(url=MODEL, is_interactive=True),
        "export": project.exports.create(title="April"),
    }
    fake.async_jobs = True  # only then an import has an id
    project.imports.create([{"text": "later"}])
    fake.async_jobs = False
    return found


def _enterprise(made: Mapping[str, Any]) -> dict[str, Any]:
    """What only the Enterprise edition has. Its objects share one row of ids, from 1 on."""
    ls, project = made["ls"], made["project"]
    provider = ls.model_providers.create(provider="OpenAI", api_key="...")
    prompt = ls.prompts.create(title="Mood", input_fields=["text"], output_classes=["good", "bad"])
    version = prompt.versions.create(
        title="v1", prompt="Say good or bad: {text}", provider="OpenAI", provider_model_id="gpt"
    )
    run = version.runs.create(project=project, project_subset="All")
    workspace = ls.workspaces.create(title="Vision")
    workspace.members.add(made["user"])
    return {
        "provider": provider,
        "prompt": prompt,
        "version": version,
        "run": run,
        "workspace": workspace,
        "comment": made["annotation"].comments.create(text="Is this really positive?"),
        "pause": project.pauses.create(user=made["user"], reason="manual"),
        "refinement": version.refine(
            teacher_model_provider_connection_id=provider,
            teacher_model_name="large",
            project=project,
            async_=True,
        ),
    }
