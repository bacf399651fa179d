"""Webhooks: addresses that the server notifies of events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from ..errors import NotFound, NotSupportedByServer
from ..orm import (
    ForeignKey,
    QuerySet,
    Resource,
    action,
    always_sent,
    answer,
    foreign_key,
    readonly,
    resource,
    secret,
)
from .common import Dated

if TYPE_CHECKING:
    from .._engine.http.connection import Connection
    from .projects import Project

__all__ = ["Event", "Webhook", "Webhooks"]

Event = Literal[
    "PROJECT_CREATED", "PROJECT_UPDATED", "PROJECT_DELETED", "TASKS_CREATED", "TASKS_DELETED",
    "ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED",
    "LABEL_LINK_CREATED", "LABEL_LINK_UPDATED", "LABEL_LINK_DELETED",
]  # fmt: skip


class Webhooks(QuerySet["Webhook"]):
    """``ls.webhooks``, ``project.webhooks``: the webhooks, and the events that there are."""

    @action("GET", "info/", "listing the events of webhooks", expect=dict)
    def info(self, *, organization_only: bool | None = None) -> Mapping[str, Mapping[str, Any]]:
        """List the events by name, each with a description. One request.

        ``organization_only``: only the events that concern the organization, or only the others.
        """
        only = organization_only
        return answer(params={} if only is None else {"organization-only": only})


@resource(
    "/api/webhooks/{id}/",
    params={"project_id__exact": "project"},
    label="url",
    queryset=Webhooks,
)
class Webhook(Dated, Resource):
    """An address that the server POSTs to when something happens in a project.

    ``actions`` are the events, unless ``send_for_all_actions``; ``headers`` are sent with each
    delivery. The server delivers within the request that caused the event, waits a second at most
    and never repeats.

    >>> project.webhooks.create(url="http://example.com/hook", send_for_all_actions=True)
    """

    url: str
    project: ForeignKey[Project] = foreign_key(default=None, fixed=True)
    project_id = project.optional_id
    send_payload: bool = True
    send_for_all_actions: bool = True
    actions: list[Event] = always_sent(factory=list)  # a PATCH without it clears it
    headers: dict[str, str] = secret(factory=dict)
    is_active: bool = True
    organization: int | None = readonly()

    def _post(self, client: Connection, body: dict[str, Any]) -> Any:
        try:
            return super()._post(client, body)
        except NotFound as error:
            if self.project_id is not None:
                raise
            raise NotSupportedByServer(
                "creating a Webhook: this server has none for the whole organization; name a "
                "project: project.webhooks.create(...)",
                request=error.request,
            ) from error
