"""Webhooks, with a receiver for their deliveries."""

from __future__ import annotations

import pytest

from labelstudio_orm import DoesNotExist, LabelStudio, NotSupportedByServer, Project
from labelstudio_orm._engine.http.releases import PROJECT_WEBHOOKS
from tests.helpers import is_on_tested_release
from tests.live.parts.webhook_receiver import WebhookReceiver

pytestmark = pytest.mark.live


@pytest.mark.operation("webhooks.create", "webhooks.get", "webhooks.list", "webhooks.delete")
def test_deliveries_begin_and_end_with_the_webhook(
    receiver: WebhookReceiver, ls: LabelStudio, project: Project
) -> None:
    webhook = project.webhooks.create(url=receiver.hook, headers={"X-Key": "a-secret-word"})
    (task,) = project.tasks.bulk_create([{"text": "a"}])
    assert receiver.asked[0].headers["X-Key"] == "a-secret-word"
    (delivery,) = receiver.take()
    assert delivery["action"] == "TASKS_CREATED"
    assert [row["id"] for row in delivery["tasks"]] == [task.id]
    assert delivery["project"]["id"] == project.id

    fresh = ls.webhooks.get(webhook.id)
    assert (fresh.url, fresh.project_id) == (receiver.hook, project.id)
    assert "a-secret-word" not in repr(fresh)
    assert list(project.webhooks.all()) == [webhook]
    assert webhook in list(ls.webhooks.all())

    webhook.delete()
    task.annotations.create(result=[])
    assert receiver.take() == []
    assert not list(project.webhooks.all())
    with pytest.raises(DoesNotExist):
        fresh.refresh()


@pytest.mark.operation("webhooks.update")
def test_saving_keeps_what_was_not_changed(
    receiver: WebhookReceiver, ls: LabelStudio, project: Project
) -> None:
    webhook = ls.webhooks.create(
        url=receiver.hook,
        project=project.id,
        send_for_all_actions=False,
        send_payload=False,
        actions=["ANNOTATION_CREATED"],
        headers={"X-Key": "a-secret-word"},
    )
    webhook.is_active = False
    webhook.save()
    task = project.tasks.create(data={"text": "a"})
    task.annotations.create(result=[])
    assert receiver.take() == []

    webhook = ls.webhooks.get(webhook.id)
    webhook.is_active = True
    webhook.save()
    task.annotations.create(result=[])
    project.tasks.create(data={"text": "b"})
    assert receiver.asked[0].headers["X-Key"] == "a-secret-word"
    assert receiver.take() == [{"action": "ANNOTATION_CREATED"}]


@pytest.mark.operation("webhooks.info")
def test_what_webhooks_can_be_told(ls: LabelStudio) -> None:
    events = ls.webhooks.info()
    assert events["TASKS_CREATED"]["key"] == "tasks"
    of_organization = {"PROJECT_CREATED", "PROJECT_DELETED"}
    assert set(ls.webhooks.info(organization_only=True)) == of_organization
    assert set(ls.webhooks.info(organization_only=False)) == set(events) - of_organization


def test_there_are_none_for_the_organization(receiver: WebhookReceiver, ls: LabelStudio) -> None:
    if not is_on_tested_release(PROJECT_WEBHOOKS):
        webhook = ls.webhooks.create(url=receiver.hook)
        assert ls.webhooks.get(webhook.id).project_id is None
        webhook.delete()
        return
    with pytest.raises(NotSupportedByServer, match="project"):
        ls.webhooks.create(url=receiver.hook)
