"""Fields that several resources have."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .. import _config
from .._engine.records.inside import client_of, saved_id, url_of
from .._engine.records.record import Record
from ..orm import fields, readonly

__all__ = ["NO_TOKEN", "CreatedAt", "Dated", "Enterprise", "valid_result", "web_address"]

NO_TOKEN = "no token: a dry run"
"""Stands for a token that a dry run cannot know."""


def valid_result(value: Any, what: str, before: Any) -> None:
    """Raise for a result that no server can use, as a field's ``validator``."""
    _config.results.check_result(value, what, before)


def web_address(obj: Record, name: str, template: str) -> str:
    """Return an address in the web interface, with the ids of an object filled in.

    Raises ValueError for an object that is not saved, and NoParent for one whose row does not say
    what it belongs to.
    """
    saved_id(obj, name)
    return f"{client_of(obj).url}{url_of(obj, template)}"


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
