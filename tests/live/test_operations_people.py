"""Users, their tokens, and the organization's rules; what locks people out is done to a guest."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from labelstudio_orm import (
    AuthenticationError,
    BadRequest,
    Conflict,
    DoesNotExist,
    LabelStudio,
    NotSupportedByServer,
    Project,
)
from labelstudio_orm.testing import LocalLabelStudio
from tests.helpers import present
from tests.live.parts.people import sign_up

pytestmark = pytest.mark.live


@pytest.fixture
def guest(server: LocalLabelStudio, ls: LabelStudio) -> Iterator[LabelStudio]:
    """A client of another person than the administrator."""
    email = f"{uuid.uuid4().hex[:8]}@example.com"
    with LabelStudio(server.url, sign_up(server, email)) as client:
        user = client.users.me()
        yield client
    ls.users.ref(user.id).delete()


# -- users ----------------------------------------------------------------------------------------


@pytest.mark.operation(
    "users.whoami", "users.create", "users.get", "users.list", "users.update", "users.delete"
)
def test_users(server: LocalLabelStudio, ls: LabelStudio) -> None:
    assert ls.users.me().email == server.email
    user = ls.users.create(email="Ann@Example.com", username="ann")
    user.first_name = "Ann"
    user.save()
    fresh = ls.users.get(user.id)
    assert (fresh.username, fresh.first_name) == ("ann", "Ann")
    assert user in list(ls.users.all())
    user.delete()
    with pytest.raises(DoesNotExist):
        fresh.refresh()


@pytest.mark.operation("users.get_token", "users.reset_token")
def test_resetting_ones_token(guest: LabelStudio) -> None:
    old = guest.users.me().get_token()
    new = guest.users.me().reset_token()
    assert new != old
    with LabelStudio(guest.url, new) as renewed:
        assert renewed.users.me().get_token() == new
    with LabelStudio(guest.url, old) as outdated, pytest.raises(AuthenticationError):
        outdated.users.me()


@pytest.mark.needs("STATES")
@pytest.mark.operation("states.state_history", "states.execute_transition")
def test_states(ls: LabelStudio) -> None:
    """This server records none, and still knows which transitions there are."""
    project = ls.projects.create(title="States")
    task = project.tasks.create(data={"text": "a"})
    annotation = task.annotations.create(result=[])
    for one in (project, task, annotation):
        assert (list(one.states.all()), one.states.count()) == ([], 0)
    assert task.transition("task_completed") is None
    with pytest.raises(BadRequest, match="Unknown transition"):
        annotation.transition("task_completed")
    with pytest.raises(BadRequest, match="auto-triggered"):
        task.transition("task_created", {"reason": "none"})
    project.delete()


@pytest.mark.needs("HOTKEYS")
@pytest.mark.operation("users.get_hotkeys", "users.update_hotkeys")
def test_hotkeys(guest: LabelStudio) -> None:
    keys = {"annotation:submit": {"key": "alt+z", "active": True}}
    assert guest.users.me().get_hotkeys() == {}
    assert guest.users.me().update_hotkeys(keys) == keys
    assert guest.users.me().get_hotkeys() == keys


# -- tokens ---------------------------------------------------------------------------------------


@pytest.mark.needs("PERSONAL_TOKENS")
@pytest.mark.operation(
    "tokens.create", "tokens.get", "tokens.refresh", "tokens.rotate", "tokens.blacklist"
)
def test_personal_access_tokens(guest: LabelStudio) -> None:
    first = guest.tokens.create()
    assert first.token not in repr(first)
    with pytest.raises(Conflict):
        guest.tokens.create()
    (listed,) = guest.tokens.all()
    assert first.token.startswith(listed.token)
    with LabelStudio(guest.url, first.refresh_access()) as bearer:
        assert bearer.users.me() == guest.users.me()

    second = first.rotate()
    with pytest.raises(AuthenticationError):
        guest.tokens.refresh(refresh=first.token)
    assert guest.tokens.refresh(refresh=second.token)
    (listed,) = guest.tokens.all()
    listed.blacklist()
    assert guest.tokens.all() == []
    with pytest.raises(AuthenticationError):
        second.refresh_access()


@pytest.mark.needs("PERSONAL_TOKENS")
@pytest.mark.operation("jwt_settings.get", "jwt_settings.create")
def test_which_tokens_are_accepted(guest: LabelStudio, ls: LabelStudio) -> None:
    settings = ls.jwt_settings()
    assert (settings.api_tokens_enabled, settings.legacy_api_tokens_enabled) == (True, True)
    with LabelStudio(guest.url, guest.tokens.create().refresh_access()) as bearer:
        assert bearer.users.me() == guest.users.me()
        settings.api_tokens_enabled = False
        settings.save()
        try:
            assert not ls.jwt_settings().api_tokens_enabled
            with pytest.raises(AuthenticationError):
                bearer.users.me()
        finally:
            settings.api_tokens_enabled = True
            settings.save()
        assert bearer.users.me() == guest.users.me()


@pytest.mark.needs("PERSONAL_TOKENS")
def test_how_long_tokens_live_cannot_be_set(ls: LabelStudio) -> None:
    settings = ls.jwt_settings()
    settings.api_token_ttl_days = 10
    with pytest.raises(NotSupportedByServer, match="api_token_ttl_days"):
        settings.save()


# -- the organization -----------------------------------------------------------------------------


@pytest.mark.needs("SESSION_POLICY")
@pytest.mark.operation("session_policy.get", "session_policy.update")
def test_how_long_sessions_last(ls: LabelStudio) -> None:
    policy = ls.session_policy()
    before = policy.max_session_age
    policy.max_session_age = 90
    policy.save()
    try:
        fresh = ls.session_policy()
        assert (fresh.max_session_age, fresh.max_time_between_activity) == (
            90,
            policy.max_time_between_activity,
        )
    finally:
        policy.max_session_age = before
        policy.save()


@pytest.mark.operation("organizations.list", "organizations.get", "organizations.update")
def test_the_organization(ls: LabelStudio) -> None:
    (listed,) = ls.organizations.all()
    organization = ls.organizations.get(listed.id)
    assert organization.title == listed.title
    organization.title = "Renamed"
    organization.save()
    try:
        assert ls.organizations.get(listed.id).title == "Renamed"
    finally:
        organization.title = listed.title
        organization.save()


@pytest.mark.operation("organizations.get_invite", "organizations.reset_token")
def test_invitations(ls: LabelStudio) -> None:
    before = ls.organizations.get_invite()
    after = ls.organizations.reset_token()
    assert after["token"] != before["token"]
    assert ls.organizations.get_invite() == after


@pytest.mark.needs("ONE_MEMBER")
@pytest.mark.operation("organizations.members.get")
def test_one_member(guest: LabelStudio, ls: LabelStudio, project: Project) -> None:
    (organization,) = ls.organizations.all()
    user = guest.users.me()
    project.tasks.create(data={"text": "a"}).annotations.create(result=[], completed_by=user)
    member = organization.members.get(user.id)
    assert (present(member.user).email, member.annotations_count) == (user.email, 1)


@pytest.mark.operation("organizations.members.list", "organizations.members.delete")
def test_members(guest: LabelStudio, ls: LabelStudio, project: Project) -> None:
    (organization,) = ls.organizations.all()
    user = guest.users.me()
    assert user.id in [member.user_id for member in organization.members.all()]
    assert guest.projects.get(project.id) == project
    organization.members.ref(user.id).delete()
    assert not list(guest.projects.all())
    assert user.email not in [other.email for other in ls.users.all()]
