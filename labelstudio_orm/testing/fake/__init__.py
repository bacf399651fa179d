"""A Label Studio server in memory."""

from __future__ import annotations

from .faults import ConnectionFault, Fault
from .server import FakeLabelStudio, Recorded

__all__ = ["ConnectionFault", "FakeLabelStudio", "Fault", "Recorded"]
