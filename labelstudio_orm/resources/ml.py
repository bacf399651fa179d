"""What labels automatically: ML backends, and the providers of large language models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from .._engine.bulk.jobs import secrets_of
from .._engine.fields.fields import Field
from .._engine.http.connection import redacted
from .._engine.http.deadline import one_call
from .._engine.models.actions import id_for
from ..errors import JobFailed
from ..orm import (
    ForeignKey,
    Plain,
    Resource,
    action,
    always_sent,
    answer,
    foreign_key,
    readonly,
    resource,
    secret,
)
from .authored import Authored
from .common import Dated, Enterprise

if TYPE_CHECKING:
    from typing_extensions import Self

    from .projects import Project
    from .tasks import Task

__all__ = ["MLBackend", "ModelProvider", "Provider"]

Provider = Literal[
    "OpenAI", "AzureOpenAI", "AzureAIFoundry", "VertexAI", "Gemini", "Anthropic", "Custom",
]  # fmt: skip


@resource("/api/ml/{id}", pages=Plain(scoped_by=("project",)), label="title")
class MLBackend(Dated, Resource):
    """A service that predicts, which the server calls at its ``url``.

    The server calls the service when the backend is saved, listed or read, and passes it the API
    token of the user. ``timeout`` is in seconds.

    >>> project.ml_backends.create(url="http://ml.example.com", title="sentiment")
    """

    url: str = always_sent()  # a PATCH without it and the project answers 500
    project: ForeignKey[Project] = foreign_key(fixed=True, always_sent=True)
    project_id = project.id
    title: str | None = None
    description: str | None = None
    is_interactive: bool = False
    auth_method: Literal["NONE", "BASIC_AUTH"] = "NONE"
    basic_auth_user: str | None = None
    basic_auth_pass: str | None = secret(default=None)
    extra_params: dict[str, Any] | None = None
    timeout: float = 100.0
    state: Literal["CO", "DI", "ER", "TR", "PR"] = readonly()
    readable_state: str = readonly()
    error_message: str | None = readonly()
    model_version: str | None = readonly()
    auto_update: bool = readonly()
    basic_auth_pass_is_set: bool = readonly()

    def _body(self, chosen: Iterable[Field]) -> dict[str, Any]:
        """Add the login: the server tries the service with what a PATCH holds, and no more.

        An empty password stands for the stored one.
        """
        body = super()._body(chosen)
        if self._is_saved and self.auth_method == "BASIC_AUTH":
            login = {"auth_method": "BASIC_AUTH", "basic_auth_user": self.basic_auth_user}
            body = {**login, "basic_auth_pass": "", **body}
        return body

    @one_call
    def predict_interactive(
        self, task: Task | int, context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Ask the service for a prediction: ``{"result": [...], "score": ...}``. One request.

        ``context``: the regions that a user has drawn in the task so far. Nothing is stored. Raises
        JobFailed when the service does not answer: the server itself answers 200 then.
        """
        body: dict[str, Any] = {"task": id_for(self._client, "Task", task, "the task")}
        if context is not None:
            body["context"] = context
        doing = f"asking {self!r} about Task {body['task']}"
        row = self._ask(
            "POST",
            doing,
            "/interactive-annotating",
            json=body,
            idempotent=True,
            timeout=self._client.long_timeout,
            expect={"errors?": list | None, "data?": dict},
            reads=True,
        )
        if row.get("errors"):
            said = "; ".join(map(str, row["errors"]))
            raise JobFailed(f"{doing}: {redacted(self._client, said, secrets_of(self))}")
        found: dict[str, Any] = row.get("data", row)
        return found

    @one_call
    def train(self, *, use_ground_truth: bool | None = None) -> Self:
        """Start a training at the service; return self.

        Two requests: the server answers 200 also when the service is down, so its state is read
        first.

        Raises JobFailed when the service is down.
        """
        doing = f"training {self!r}"
        self.refresh()
        if self.state == "DI":
            raise JobFailed(f"{doing}: the service at {self.url} does not answer")
        body = {} if use_ground_truth is None else {"use_ground_truth": use_ground_truth}
        self._ask("POST", doing, "/train", json=body, timeout=self._client.long_timeout)
        return self

    @action(
        "GET",
        "versions",
        "listing the versions of {self!r}",
        expect={"versions?": [str]},
        take=lambda found: found.get("versions", []),
    )
    def model_versions(self) -> list[str]:
        """List the versions that the service has. One request; ServerError when it is down."""
        return answer()


@resource("/api/model-provider-connections/{id}", label="provider")
class ModelProvider(Enterprise, Authored, Resource):
    """Access to a provider of large language models, with a budget in US dollars.

    >>> ls.model_providers.create(provider="OpenAI", api_key="...", budget_limit=50.0)
    """

    provider: Provider
    api_key: str | None = secret(default=None)
    auth_token: str | None = secret(default=None)
    google_application_credentials: str | None = secret(default=None)
    google_location: str | None = None
    google_project_id: str | None = None
    deployment_name: str | None = None
    endpoint: str | None = None
    scope: Literal["Organization", "User", "Model"] = "Organization"
    budget_limit: float | None = None
    budget_reset_period: Literal["Monthly", "Yearly", "None"] | None = None
    budget_alert_threshold: float | None = None
    budget_last_reset_date: datetime | None = readonly()
    budget_total_spent: float | None = readonly()
    cached_available_models: str | None = readonly()
    model_params: dict[str, Any] | None = readonly()
    is_internal: bool = readonly()
    organization: int | None = readonly()
