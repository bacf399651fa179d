"""The state of a server: its rows, its settings, and the services around it that it uses."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

from attrs import define

from .store import Store

Predict = Callable[[list[Any]], list[Any]]
"""Tasks to their predictions: for each task a dict with ``result`` and optionally ``score`` and
``model_version``, or a list of such dicts."""


@define(frozen=True)
class Model:
    """A model behind the URL of an ML backend.

    An exception that ``predict`` raises is raised where the request was sent: it is a mistake in
    the test.

    Attributes:
        predict: Takes a list of tasks and returns their predictions, one item for each task: a dict
            with ``result`` and optionally ``score`` and ``model_version``, or a list of such dicts.
        version: The version that the model reports.
        versions: All versions that it reports; default: only ``version``.
    """

    predict: Predict
    version: str = "1"
    versions: tuple[str, ...] = ()


class Delivery(NamedTuple):
    """One POST to a webhook: its URL and the JSON."""

    url: str
    payload: dict[str, Any]


class State:
    """What the operations of a server read and change; ``FakeLabelStudio`` describes it."""

    def __init__(
        self, url: str, *, version: str, edition: str, is_newest: bool, async_jobs: bool
    ) -> None:
        self.url = url.rstrip("/")
        self.version = version
        self.edition = edition
        self.is_newest = is_newest
        self.async_jobs = async_jobs
        self.delivered: list[Delivery] = []
        self.blobs: dict[str, bytes] = {}
        self.local_files_root = "/"
        self.models: dict[str, Predict | Model] = {}
        self.ssrf_protection = True
        self.access_lifetime = 300.0
        self.jwt_settings = {"api_tokens_enabled": True, "legacy_api_tokens_enabled": True}
        self.secret = secrets.token_bytes(32)
        self.store = Store()

    @property
    def is_enterprise(self) -> bool:
        """Whether the server is one of the Enterprise edition."""
        return self.edition.lower() == "enterprise"
