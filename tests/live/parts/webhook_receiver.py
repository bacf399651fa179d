"""A receiver of webhooks. The server delivers while it answers, so nobody has to wait here."""

from __future__ import annotations

from typing import Any

from .service import Service


class WebhookReceiver(Service):
    """Takes what is posted to ``/hook``."""

    def __init__(self) -> None:
        super().__init__({"/hook": lambda body: {}})

    @property
    def hook(self) -> str:
        """The URL for a webhook."""
        return f"{self.url}/hook"

    def take(self) -> list[Any]:
        """What was delivered since the last call."""
        taken, self.asked[:] = self.bodies("/hook"), []
        return taken
