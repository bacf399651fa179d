"""A machine learning backend: one whose model rates the word "good"."""

from __future__ import annotations

from typing import Any

from .service import Service


class MLBackendService(Service):
    """Speaks the protocol that a Label Studio server expects of an ML backend.

    The model predicts the choice "Positive" of the control ``sentiment`` for a text with the word
    "good", else "Negative".
    """

    version = "words-1"

    def __init__(self) -> None:
        super().__init__(
            {
                "/health": lambda body: {"status": "UP", "model_class": "Words"},
                "/setup": lambda body: {"model_version": self.version},
                "/predict": self.predict,
                "/versions": lambda body: {"versions": [self.version, "words-0"]},
                "/webhook": lambda body: {},
                "/train": lambda body: {},
            }
        )

    def predict(self, body: Any) -> Any:
        """One prediction for each task."""
        return {"results": [self._of(task) for task in body["tasks"]]}

    def _of(self, task: Any) -> Any:
        choice = "Positive" if "good" in task["data"]["text"] else "Negative"
        names = {"from_name": "sentiment", "to_name": "text", "type": "choices"}
        region = {**names, "value": {"choices": [choice]}}
        return {"result": [region], "score": 0.75, "model_version": self.version}
