"""Every declared resource by its name, so that declarations may name each other in any order."""

from __future__ import annotations

from typing import Any

registry: dict[str, type[Any]] = {}
"""The classes of all resources by name: "Task", "ImportStorage.S3"."""
