"""What the tests of all folders share beside fixtures."""

from __future__ import annotations

from typing import Any, TypeVar

from labelstudio_orm import LabelStudio, QuerySet
from labelstudio_orm._engine.http.releases import Feature
from labelstudio_orm._engine.http.server import ServerVersion
from labelstudio_orm.testing._releases import check_release

T = TypeVar("T")

RELEASE = check_release(None)
"""The release of the real server (``make test SERVER=1.18.0``)."""


def present(value: T | None) -> T:
    """Return ``value``, which the test knows to be there: ``present(tasks.first()).data``."""
    assert value is not None
    return value


def client_of(objects: QuerySet[Any]) -> LabelStudio:
    """Return the client of a queryset, whose engine knows of it that it is a connection."""
    client = objects.client
    assert isinstance(client, LabelStudio)
    return client


def is_on_tested_release(feature: Feature) -> bool:
    """Return whether the real server of the tests has a feature."""
    return feature.is_on(ServerVersion(RELEASE, "Community", {}))
