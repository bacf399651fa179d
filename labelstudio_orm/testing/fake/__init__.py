"""A Label Studio server in memory. Its README.md says how it is built, and how to add to it."""

from __future__ import annotations

from ._server import FakeLabelStudio, Recorded
from ._state.state import Delivery, Model
from ._wire.adapter import FakeAdapter
from ._wire.faults import ConnectionFault, Fault

__all__ = [
    "ConnectionFault",
    "Delivery",
    "FakeAdapter",
    "FakeLabelStudio",
    "Fault",
    "Model",
    "Recorded",
]
