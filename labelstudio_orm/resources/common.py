"""Fields that several resources have."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from .._engine.fields.fields import ForeignKey, readonly, readonly_foreign_key
from .._engine.models.declaration import fields

if TYPE_CHECKING:
    from .people import User


@fields
class Dated:
    """When it was made and last changed."""

    created_at: datetime | None = readonly()
    updated_at: datetime | None = readonly()


@fields
class Authored(Dated):
    """Who made it, and when."""

    created_by: ForeignKey[User] = readonly_foreign_key()
    created_by_id = created_by.optional_id
