"""Fields of what a user created."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..orm import ForeignKey, fields, readonly_foreign_key
from .common import CreatedAt, Dated

if TYPE_CHECKING:
    from .people import User

__all__ = ["Authored", "CreatedBy"]


@fields
class CreatedBy(CreatedAt):
    """Who created it, and when."""

    created_by: ForeignKey[User] = readonly_foreign_key()
    created_by_id = created_by.optional_id


@fields
class Authored(CreatedBy, Dated):
    """Who created it, when, and when it was last changed."""
