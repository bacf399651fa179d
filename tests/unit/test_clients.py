"""Clients: the default one, several at once, secrets."""

from __future__ import annotations

import logging
import pickle
from typing import Any

import pytest

import labelstudio_orm
from labelstudio_orm import Annotation, FieldError, LabelStudio, Project, Task
from labelstudio_orm._engine.http import connection
from labelstudio_orm.testing import FakeLabelStudio


@pytest.fixture
def default(monkeypatch: pytest.MonkeyPatch, fake: FakeLabelStudio) -> LabelStudio:
    """``connect()`` to a server in memory, undone afterwards."""
    monkeypatch.setattr(connection, "_default", None)
    return labelstudio_orm.connect(fake.url, fake.api_key, session=fake.session())


def test_without_a_default_client_the_way_out_is_named() -> None:
    for use in (lambda: Project.objects, lambda: Project(title="abc").save()):
        with pytest.raises(ValueError, match="connect"):
            use()


def test_a_default_client(default: LabelStudio) -> None:
    project = Project(title="Reviews").save()
    assert Project.objects.get(title="Reviews") == project
    assert project in default.projects
    task = Task(project=project, data={"a": 1}).save()
    assert list(project.tasks) == [task]


def test_the_environment_names_a_server(
    monkeypatch: pytest.MonkeyPatch, fake: FakeLabelStudio
) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", fake.url + "/")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", fake.api_key)
    assert LabelStudio(session=fake.session()).users.me().id == 1
    monkeypatch.delenv("LABEL_STUDIO_API_KEY")
    with pytest.raises(ValueError, match="LABEL_STUDIO_API_KEY"):
        LabelStudio()
    monkeypatch.delenv("LABEL_STUDIO_URL")
    with pytest.raises(ValueError, match="LABEL_STUDIO_URL"):
        LabelStudio(api_key="x")


@pytest.fixture
def two() -> tuple[LabelStudio, LabelStudio]:
    """Two servers with the same ids on both."""
    clients = (
        FakeLabelStudio("http://one.fake").client(),
        FakeLabelStudio("http://two.fake").client(),
    )
    for ls in clients:
        ls.projects.create(title=f"On {ls.url}").tasks.create(data={"text": ls.url})
    return clients


def test_two_clients_never_mix(two: tuple[LabelStudio, LabelStudio]) -> None:
    one, other = two
    here, there = one.projects.get(1), other.projects.get(1)
    assert here != there
    assert len({here, there}) == 2
    assert here.tasks[0].data == {"text": one.url}
    assert there.tasks[0].data == {"text": other.url}
    stranger = other.users.me()
    mixtures: list[tuple[Any, type[Exception]]] = [
        (lambda: here.save(using=other), ValueError),
        (lambda: Task(project=there, data={}).save(using=one), ValueError),
        (lambda: here.tasks.filter(annotators=stranger), FieldError),
        (lambda: here.tasks.filter(annotators__in=[stranger]), FieldError),
        (lambda: here.tasks.create(project=there, data={}), ValueError),
        (lambda: here.tasks[0].annotations.create(result=[], completed_by=stranger), ValueError),
        (lambda: Annotation(task=here.tasks[0], result=[], completed_by=stranger), ValueError),
        (
            lambda: here.tasks.bulk_create(
                [{"data": {}, "annotations": [{"result": [], "completed_by": stranger}]}]
            ),
            ValueError,
        ),
        (
            lambda: here.tasks.bulk_create(
                [{"data": {}, "annotations": [there.tasks[0].annotations.create(result=[])]}]
            ),
            ValueError,
        ),
    ]
    for mix, error in mixtures:
        with pytest.raises(error, match=r"\.fake"):
            mix()
    assert (one.projects.count(), here.tasks.count()) == (1, 1)


def test_an_object_of_another_server_is_not_for_the_default_client(
    default: LabelStudio, two: tuple[LabelStudio, LabelStudio]
) -> None:
    lost = pickle.loads(pickle.dumps(two[0].projects.get(1)))
    with pytest.raises(ValueError, match=r"one\.fake"):
        lost.refresh()
    lost.title = "Found"
    lost.save(using=two[0])
    assert two[0].projects.get(1).title == "Found"


def test_using_shares_the_connections_and_changes_the_options(fake: FakeLabelStudio) -> None:
    ls = fake.client(page_size=7)
    traced = ls.using(timeout=5, headers={"X-Trace": "1"})
    assert traced.projects.count() == 0
    assert traced.url == ls.url
    assert traced.page_size == 7
    assert traced._transport._session is ls._transport._session
    assert ls._transport.timeout == (10.0, 120.0)
    assert ls.projects.create(title="abc") == traced.projects.get(title="abc")


def test_secrets_show_nowhere(fake: FakeLabelStudio, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ls = fake.client()
    project = ls.projects.create(title="abc", task_data_password="hunter2")
    project.task_data_password = "hunter3"
    shown: list[Any] = [repr(project), str(project), project.raw, project.extra, project.changes]
    shown += [list(ls.projects.values()), list(ls.projects.values_list()), repr(ls.projects)]
    with pytest.raises(TypeError) as refused:
        project.task_data_password = 5  # type: ignore[assignment]
    shown += [refused.value, repr(ls), ls.__dict__, pickle.dumps(project)]
    project.save()
    with pytest.raises(labelstudio_orm.NotFound) as missing:
        ls.request("GET", "/api/tasks/5/")
    shown += [missing.value, missing.value.__dict__, caplog.text]
    assert ls.projects.get(project.id).task_data_password == "hunter3"
    for text in map(str, shown):
        assert "hunter" not in text
        assert fake.api_key not in text
    with pytest.raises(TypeError, match="credential"):
        pickle.dumps(ls)
    for queryset in (ls.projects, project.tasks.filter(id__gt=1)):
        frozen = pickle.dumps(queryset)
        assert fake.api_key.encode() not in frozen
        assert b"hunter" not in frozen


def test_a_new_object_sends_what_was_given_and_nothing_else(fake: FakeLabelStudio) -> None:
    ls = fake.client()
    fake.requests.clear()
    ls.projects.create(title="abc")
    assert [sent.body for sent in fake.requests] == [{"title": "abc"}]
    new = Project(title="abc")
    assert new.show_skip_button is True
    assert new.control_weights is None
    assert new.changes == {"title": (None, "abc")}
    with pytest.raises(ValueError, match="needs a task"):
        Annotation(result=[]).save(using=ls)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="save"):
        _ = new.tasks


def test_a_new_token_replaces_the_old_one(fake: FakeLabelStudio) -> None:
    ls = fake.client()
    token = ls.users.me().reset_token()
    with pytest.raises(labelstudio_orm.AuthenticationError):
        ls.users.me()
    assert LabelStudio(fake.url, token, session=fake.session()).users.me().get_token() == token


def test_a_server_below_a_sub_path() -> None:
    """Every request keeps the path, the exchange of a personal access token too."""
    fake = FakeLabelStudio("http://label-studio.fake/labeling")
    key = fake.client().request("POST", "/api/token/")["token"]
    with LabelStudio(fake.url + "/", key, session=fake.session()) as ls:
        project = ls.projects.create(title="Below")
        (task,) = project.tasks.bulk_create([{"a": 1}])
        task.annotations.create(result=[])
        assert project.tasks.get(task.id).total_annotations == 1
        assert project.annotations.first() == task.annotations.first()
