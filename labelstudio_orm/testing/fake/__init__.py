"""A Label Studio server in memory."""

from __future__ import annotations

from .events import Delivery
from .faults import ConnectionFault, Fault
from .ml import Model
from .server import FakeLabelStudio, Recorded

__all__ = ["ConnectionFault", "Delivery", "FakeLabelStudio", "Fault", "Model", "Recorded"]
