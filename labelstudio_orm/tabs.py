"""Conditions and orders as the Data Manager's saved views keep them."""

from __future__ import annotations

from typing import Any

from .declaration import registry
from .errors import FieldError
from .ordering import Key
from .plan import plan
from .query import Q, build


def view_filters(condition: Q, server: str | None = None) -> dict[str, Any]:
    """A condition as a view keeps it. Raises FieldError for what the server does not say exactly.

    >>> view_filters(Q(total_annotations=0))["items"][0]["operator"]
    'equal'
    """
    planned = plan(registry["Task"], build(registry["Task"], (condition,), {}, server))
    if planned.here is not None or planned.nothing:
        raise FieldError(
            f"a view cannot say {condition!r} exactly as it is meant here; filter instead: "
            "project.tasks.filter(...)"
        )
    return planned.filters() or {"conjunction": "and", "items": []}


def view_ordering(key: str) -> str:
    """An order as a view keeps it: ``-created_at`` is ``-tasks:created_at``; one key only.

    >>> view_ordering("-created_at")
    '-tasks:created_at'
    """
    if not isinstance(key, str):
        raise FieldError(f"a view is ordered by one field, since the server ignores more: {key!r}")
    parsed = Key.of(registry["Task"], key)
    column = ".".join((parsed.field.wire, *parsed.path))
    return f"{'-' if parsed.falling else ''}tasks:{column}"
