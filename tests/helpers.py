"""What the tests of all folders share beside fixtures."""

from __future__ import annotations

from typing import Any, TypeVar

from labelstudio_orm import LabelStudio, QuerySet

T = TypeVar("T")


def present(value: T | None) -> T:
    """Return ``value``, which the test knows to be there: ``present(tasks.first()).data``."""
    assert value is not None
    return value


def client_of(objects: QuerySet[Any]) -> LabelStudio:
    """Return the client of a queryset, whose engine knows of it that it is a connection."""
    client = objects.client
    assert isinstance(client, LabelStudio)
    return client
