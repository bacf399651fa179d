"""Servers to test against: one in memory, and a real one on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .fake import ConnectionFault, FakeLabelStudio, Fault, Recorded

if TYPE_CHECKING:
    from ._environments import LocalServerError, cache_folder
    from ._local import LocalLabelStudio

__all__ = [
    "ConnectionFault",
    "FakeLabelStudio",
    "Fault",
    "LocalLabelStudio",
    "LocalServerError",
    "Recorded",
    "cache_folder",
]


def __getattr__(name: str) -> Any:
    # lazy: few tests need a real server, and its modules take time to load
    if name == "LocalLabelStudio":
        from . import _local

        return _local.LocalLabelStudio
    if name in ("LocalServerError", "cache_folder"):
        from . import _environments

        return getattr(_environments, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
