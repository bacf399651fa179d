"""The three kinds of credentials, as a real server takes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labelstudio_orm import AuthenticationError, LabelStudio
from labelstudio_orm.testing import LocalLabelStudio


@contextmanager
def personal_token(ls: LabelStudio) -> Iterator[str]:
    """A personal access token; the server allows one at a time."""
    token = ls.request("POST", "/api/token/")["token"]
    yield token
    ls.request("POST", "/api/token/blacklist/", json={"refresh": token}, idempotent=True)


@pytest.mark.needs("PERSONAL_TOKENS")
def test_a_personal_access_token_is_exchanged_once(
    server: LocalLabelStudio, ls: LabelStudio, tmp_path: Path
) -> None:
    with personal_token(ls) as personal, LabelStudio(server.url, personal) as user:
        assert user.users.me().email == server.email
        project = user.projects.create(title="With a token")
        project.tasks.bulk_create([{"a": 1}])
        assert project.export("JSON", tmp_path / "x.json").stat().st_size > 2
        project.delete()
        assert personal not in repr(user.__dict__)


@pytest.mark.needs("PERSONAL_TOKENS")
def test_an_access_token_goes_as_it_is(server: LocalLabelStudio, ls: LabelStudio) -> None:
    with personal_token(ls) as personal:
        access = ls.request(
            "POST", "/api/token/refresh/", json={"refresh": personal}, idempotent=True
        )["access"]
        with LabelStudio(server.url, access) as bearer:
            assert bearer.users.me().email == server.email


@pytest.mark.needs("PERSONAL_TOKENS")
def test_what_is_wrong_with_a_credential_is_said(server: LocalLabelStudio, ls: LabelStudio) -> None:
    with pytest.raises(AuthenticationError, match="legacy token"):
        LabelStudio(server.url, "0" * 40).users.me()
    spent = ls.request("POST", "/api/token/")["token"]
    ls.request("POST", "/api/token/blacklist/", json={"refresh": spent})
    with pytest.raises(AuthenticationError, match="blacklisted"):
        LabelStudio(server.url, spent).users.me()


def test_tokens_of_the_current_user(server: LocalLabelStudio, ls: LabelStudio) -> None:
    me = ls.users.me()
    assert me.get_token() == server.api_key
    other = ls.users.create(email="other@example.com", username="other")
    try:
        with pytest.raises(ValueError, match="current user"):
            other.reset_token()
    finally:
        other.delete()
