"""ML backends, with a real service behind them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labelstudio_orm import BadRequest, JobFailed, LabelStudio, MLBackend, Project
from tests.live.parts.ml_backend import MLBackendService

pytestmark = pytest.mark.live


@pytest.fixture
def backend(ml_service: MLBackendService, project: Project) -> Iterator[MLBackend]:
    """The service as an ML backend of the project."""
    made = project.ml_backends.create(
        url=ml_service.url, title="words", is_interactive=True, extra_params={"depth": 2}
    )
    yield made
    for left in project.ml_backends.all():
        left.delete()


@pytest.mark.operation("ml.create", "ml.get", "ml.list", "ml.list_model_versions")
def test_connecting(
    ml_service: MLBackendService, backend: MLBackend, ls: LabelStudio, project: Project
) -> None:
    setup = ml_service.bodies("/setup")[-1]
    assert (setup["schema"], setup["extra_params"]) == (project.label_config, {"depth": 2})
    assert backend.readable_state == "Connected"
    assert list(project.ml_backends.all()) == [backend]
    fresh = ls.ml_backends.get(backend.id)
    assert (fresh.url, fresh.model_version) == (ml_service.url, ml_service.version)
    assert fresh.model_versions() == [ml_service.version, "words-0"]


@pytest.mark.operation("ml.update")
def test_updating(backend: MLBackend, ls: LabelStudio) -> None:
    backend.description = "Counts words"
    backend.save()
    fresh = ls.ml_backends.get(backend.id)
    assert (fresh.title, fresh.description) == ("words", "Counts words")


@pytest.mark.operation("ml.update")
def test_a_password_is_kept_and_never_shown(
    ml_service: MLBackendService, ls: LabelStudio, project: Project
) -> None:
    ml_service.login = "Basic YW5uOmEtc2VjcmV0LXdvcmQ="
    login = {"basic_auth_user": "ann", "basic_auth_pass": "a-secret-word"}
    made = project.ml_backends.create(url=ml_service.url, auth_method="BASIC_AUTH", **login)
    fresh = ls.ml_backends.get(made.id)
    assert fresh.basic_auth_pass_is_set
    fresh.description = "With a password"
    fresh.save()
    assert ls.ml_backends.get(made.id).readable_state == "Connected"
    assert "a-secret-word" not in repr(made) + repr(fresh)


@pytest.mark.operation("ml.predict_interactive")
def test_an_interactive_prediction_is_not_stored(
    ml_service: MLBackendService, backend: MLBackend, project: Project
) -> None:
    task = project.tasks.create(data={"text": "good"})
    answer = backend.predict_interactive(task, context={"result": []})
    assert answer["result"][0]["value"] == {"choices": ["Positive"]}
    asked = ml_service.bodies("/predict")[-1]
    assert [row["id"] for row in asked["tasks"]] == [task.id]
    assert asked["params"]["context"]["result"] == []
    assert not list(task.predictions.all())


@pytest.mark.operation("actions.create")
def test_retrieved_predictions_are_stored(
    ml_service: MLBackendService, backend: MLBackend, project: Project
) -> None:
    good, _, bad = project.tasks.bulk_create([{"text": "good"}, {"text": "none"}, {"text": "bad"}])
    project.tasks.filter(id__in=[good.id, bad.id]).perform("retrieve_tasks_predictions")
    found = {one.task_id: one for one in project.predictions.all()}
    assert found.keys() == {good.id, bad.id}
    assert [found[task.id].result[0]["value"]["choices"] for task in (good, bad)] == [
        ["Positive"],
        ["Negative"],
    ]
    assert {(one.model_version, one.score) for one in found.values()} == {
        (ml_service.version, 0.75)
    }


@pytest.mark.operation("ml.train")
def test_training(ml_service: MLBackendService, backend: MLBackend, project: Project) -> None:
    ml_service.asked.clear()
    backend.train(use_ground_truth=True)
    (told,) = ml_service.bodies("/webhook")
    assert (told["action"], told["project"]["id"]) == ("START_TRAINING", project.id)


@pytest.mark.operation("ml.delete")
def test_deleting(ml_service: MLBackendService, backend: MLBackend, project: Project) -> None:
    task = project.tasks.create(data={"text": "good"})
    backend.delete()
    assert not list(project.ml_backends.all())
    with pytest.raises(JobFailed, match="no ML backend"):
        project.tasks.filter(id=task.id).perform("retrieve_tasks_predictions")
    assert ml_service.bodies("/predict") == []


def test_a_service_that_is_down_is_said_to_be_down(
    ml_service: MLBackendService, backend: MLBackend, project: Project
) -> None:
    task = project.tasks.create(data={"text": "good"})
    ml_service.answers.clear()
    with pytest.raises(JobFailed, match="404"):
        backend.predict_interactive(task)
    with pytest.raises(JobFailed, match="does not answer"):
        backend.train()
    with pytest.raises(BadRequest, match="health check failed"):
        project.ml_backends.create(url=ml_service.url, title="other")
