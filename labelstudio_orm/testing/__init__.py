"""Servers to test against: one in memory, and a real one on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .fake import ConnectionFault, FakeLabelStudio, Fault, Recorded

if TYPE_CHECKING:
    from .local import LocalLabelStudio

__all__ = ["ConnectionFault", "FakeLabelStudio", "Fault", "LocalLabelStudio", "Recorded"]


def __getattr__(name: str) -> Any:
    if name == "LocalLabelStudio":  # only who wants a real server pays for it
        from .local import LocalLabelStudio

        return LocalLabelStudio
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
