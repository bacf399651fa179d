"""One suite on two servers, in memory and real: both must give the same answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labelstudio_orm import LabelStudio
from labelstudio_orm.testing import FakeLabelStudio


@pytest.fixture(params=["fake", "real"])
def ls(request: pytest.FixtureRequest) -> Iterator[LabelStudio]:
    """A client of the server in memory, then one of the real server."""
    if request.param == "fake":
        yield FakeLabelStudio().client()
    else:
        with request.getfixturevalue("server").client() as client:
            yield client
