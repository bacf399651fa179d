"""Drafts of somebody else, and a server that looks at predictions, while a label is renamed."""

from __future__ import annotations

import pytest

from labelstudio_orm import BadRequest, LabelStudio
from labelstudio_orm._engine.http.releases import CHECKED_PREDICTIONS
from labelstudio_orm.testing import LocalLabelStudio
from tests.conftest import CONFIG
from tests.helpers import is_on_tested_release
from tests.live.parts.people import sign_up


def test_drafts_of_another_user_stay_hers(server: LocalLabelStudio) -> None:
    """Also the one of an annotation, which the server deletes whenever that is saved."""
    token = sign_up(server, "drafting@example.com")
    with server.client() as ls, LabelStudio(server.url, token) as ann:
        project = ls.projects.create(title="Drafts of others", label_config=CONFIG)
        try:
            region = project.config["sentiment"].choice("Neutral")
            task = project.tasks.create(data={"text": "a"})
            annotation = task.annotations.create(result=[region])
            hers = [
                ann.drafts.create(task=task.id, annotation=annotation.id, result=[region]),
                ann.drafts.create(task=task.id, result=[region]),
            ]
            report = project.labels.rename("Neutral", "Mixed")
            assert {kind: done.updated for kind, done in report.counts.items()} == {
                "annotations": 1,
                "drafts": 2,
                "predictions": 0,
            }
            for before in hers:
                after = ls.drafts.get(before.id)
                assert after.user == before.user == "drafting@example.com"
                assert (after.annotation_id, after.import_id) == (before.annotation_id, None)
                assert after.result == [{**region, "value": {"choices": ["Mixed"]}}]
            assert annotation.refresh().completed_by == ls.users.me()
        finally:
            ls.request("DELETE", f"/api/projects/{project.id}/")


@pytest.mark.live
def test_a_server_that_looks_at_predictions() -> None:
    """It refuses a label that is not in the config, and a change that does not name its task."""
    looks = {"fflag_feat_utc_210_prediction_validation_15082025": "true"}
    with LocalLabelStudio(settings=looks) as server, server.client() as ls:
        project = ls.projects.create(title="Predictions", label_config=CONFIG)
        region = project.config["sentiment"].choice("Neutral")
        task = project.tasks.create(data={"text": "a"})
        prediction = task.predictions.create(result=[region])
        strange = {**region, "value": {"choices": ["Mixed"]}}
        if is_on_tested_release(CHECKED_PREDICTIONS):
            with pytest.raises(BadRequest, match="Mixed"):
                task.predictions.create(result=[strange])
        project.labels.rename("Neutral", "Mixed")
        assert prediction.refresh().result == [strange]
