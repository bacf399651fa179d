"""Fields that several resources have."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from .._engine.records.inside import client_of
from ..orm import ForeignKey, QuerySet, Resource, fields, readonly, readonly_foreign_key

if TYPE_CHECKING:
    from ..client import LabelStudio
    from .people import User

__all__ = ["Authored", "CreatedAt", "CreatedBy", "Dated", "Enterprise", "labelstudio_of"]

NO_TOKEN = "no token: a dry run"
"""Stands for a token that a dry run cannot know."""


def labelstudio_of(owner: Resource | QuerySet[Any]) -> LabelStudio:
    """Return the client of an object or a queryset, typed as one that has the nouns."""
    client = owner.client if isinstance(owner, QuerySet) else client_of(owner)
    return cast("LabelStudio", client)


class Enterprise:
    """A resource of the Enterprise edition: others raise NotSupportedByServer for it."""

    _edition = "Enterprise"


@fields
class CreatedAt:
    """When it was created."""

    created_at: datetime | None = readonly()


@fields
class Dated(CreatedAt):
    """When it was created and last changed."""

    updated_at: datetime | None = readonly()


@fields
class CreatedBy(CreatedAt):
    """Who created it, and when."""

    created_by: ForeignKey[User] = readonly_foreign_key()
    created_by_id = created_by.optional_id


@fields
class Authored(CreatedBy, Dated):
    """Who created it, when, and when it was last changed."""
