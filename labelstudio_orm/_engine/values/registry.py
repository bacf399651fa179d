"""Every declared resource by its name, so that declarations may name each other in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..models.resource import Resource

registry: dict[str, type[Resource]] = {}
