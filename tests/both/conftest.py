"""One suite on two servers, in memory and real: both must give the same answers."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from labelstudio_orm import LabelStudio, User
from labelstudio_orm.testing import FakeLabelStudio, LocalLabelStudio


@pytest.fixture(params=["fake", "real"])
def ls(request: pytest.FixtureRequest) -> Iterator[LabelStudio]:
    """A client of the server in memory, then one of the real server."""
    if request.param == "fake":
        yield FakeLabelStudio().client()
    else:
        with request.getfixturevalue("server").client() as client:
            yield client


@pytest.fixture
def bob(ls: LabelStudio) -> User:
    """A second author."""
    name = f"bob-{uuid4().hex[:8]}"
    return ls.users.create(username=name, email=f"{name}@example.org")


@pytest.fixture
def part(request: pytest.FixtureRequest) -> int:
    """What large numbers of rows are divided by: the real server needs some milliseconds for each,
    and a few hundred are pages enough there.
    """
    return 1 if request.node.callspec.params["ls"] == "fake" else 5


@pytest.fixture(scope="session")
def other_server() -> Iterator[LocalLabelStudio]:
    """A second real server, for what goes from one to another."""
    with LocalLabelStudio() as local:
        yield local


@pytest.fixture
def other(ls: LabelStudio, request: pytest.FixtureRequest) -> Iterator[LabelStudio]:
    """A client of a second server, of the same kind as that of ``ls``."""
    if request.node.callspec.params["ls"] == "fake":
        yield FakeLabelStudio("http://other.fake").client()
    else:
        with request.getfixturevalue("other_server").client() as client:
            yield client
