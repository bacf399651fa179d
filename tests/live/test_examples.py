"""The quickstart on the real server, and what the server says of it afterwards.

The server is asked with plain requests, so that the library does not testify for itself.
"""

from __future__ import annotations

import html
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import requests
from attrs import frozen

from labelstudio_orm.testing import LocalLabelStudio, cache_folder

pytestmark = pytest.mark.live

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LIMIT = 900  # two of the first 900 sentences are spoilt by "&amp;"
GROUND_TRUTH = 25
RATERS = ["ann@example.com", "ben@example.com", "cleo@example.com"]


@frozen
class Run:
    """What a run of the quickstart left: the ids of its projects, their tasks, and its export."""

    server: LocalLabelStudio
    original: int
    copy: int
    tasks: dict[int, list[dict[str, Any]]]
    exported: list[dict[str, Any]]
    snippets: list[Any]

    def get(self, path: str, **params: Any) -> Any:
        return get(self.server, path, **params)

    def raters(self) -> dict[str, int]:
        return {user["email"]: user["id"] for user in self.get("/api/users/")}


def get(server: LocalLabelStudio, path: str, **params: Any) -> Any:
    headers = {"Authorization": f"Token {server.api_key}"}
    answer = requests.get(server.url + path, params=params, headers=headers, timeout=300)
    answer.raise_for_status()
    return answer.json()


def tasks_of(server: LocalLabelStudio, project: int) -> list[dict[str, Any]]:
    params = {"project": project, "fields": "all", "page_size": LIMIT + 1}
    return sorted(get(server, "/api/tasks/", **params)["tasks"], key=lambda task: task["id"])


def projects(server: LocalLabelStudio) -> set[int]:
    return {row["id"] for row in get(server, "/api/projects/", page_size=1000)["results"]}


@pytest.fixture(scope="module")
def run(server: LocalLabelStudio, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The second of two runs on one server, since the first one must not be in its way."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch, server.client() as client:
        patch.syspath_prepend(str(EXAMPLES))
        import quickstart
        import reviews

        data = reviews.fetch(cache_folder())
        (cache / data.name).symlink_to(data)
        quickstart.main(client, cache=cache, limit=20)
        before = projects(server)
        quickstart.main(client, cache=cache, limit=LIMIT)
    original, copy = sorted(projects(server) - before)
    exported = json.loads((cache / "reviews.json").read_text("utf-8"))
    tasks = {project: tasks_of(server, project) for project in (original, copy)}
    snippets = reviews.load_snippets(cache)[:LIMIT]
    return Run(server, original, copy, tasks, exported, snippets)


def results(task: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Of each annotation or prediction: its values by the control's name."""
    return [
        {region["from_name"]: region["value"] for region in one["result"]}
        for one in sorted(task[kind], key=lambda one: one["id"])
    ]


def test_counts(run: Run) -> None:
    for project in (run.original, run.copy):
        row = run.get(f"/api/projects/{project}/")
        assert row["task_number"] == LIMIT
        assert row["total_annotations_number"] == 3 * LIMIT
        assert row["total_predictions_number"] == LIMIT
        assert row["ground_truth_number"] == GROUND_TRUTH


def test_each_rater_is_the_author_of_his_annotations(run: Run) -> None:
    ids = run.raters()
    for project in (run.original, run.copy):
        annotations = [one for task in run.tasks[project] for one in task["annotations"]]
        assert Counter(one["completed_by"] for one in annotations) == {
            ids[email]: LIMIT for email in RATERS
        }


def test_tasks_hold_the_sentences_and_their_ratings(run: Run) -> None:
    tasks = run.tasks[run.original]
    spoilt = [snippet for snippet in run.snippets if "&amp;" in snippet.text]
    assert len(spoilt) == 2
    for task, snippet in zip(tasks, run.snippets, strict=True):
        assert task["data"] == {"text": html.unescape(html.unescape(snippet.text))}
        ratings = [values["rating"]["number"] for values in results(task, "annotations")]
        assert ratings == snippet.ratings[: len(RATERS)]
        signs = [values["sentiment"]["choices"] for values in results(task, "annotations")]
        names = {1: ["Positive"], 0: ["Neutral"], -1: ["Negative"]}
        assert signs == [names[(rating > 0) - (rating < 0)] for rating in ratings]


def test_predictions_are_those_of_the_model(run: Run) -> None:
    for task in run.tasks[run.original]:
        (prediction,) = task["predictions"]
        (values,) = results(task, "predictions")
        assert prediction["model_version"] == "vader-3.3.2"
        assert prediction["score"] == pytest.approx(abs(values["rating"]["number"]) / 4)


def test_ground_truth_is_where_all_raters_contradict_the_model(run: Run) -> None:
    marked = [
        task
        for task in run.tasks[run.original]
        if any(one["ground_truth"] for one in task["annotations"])
    ]
    assert len(marked) == GROUND_TRUTH
    for task in marked:
        (model,) = (values["sentiment"] for values in results(task, "predictions"))
        first, *others = (values["sentiment"] for values in results(task, "annotations"))
        assert all(other == first for other in others)
        assert first != model


def test_the_copy_is_equal(run: Run) -> None:
    def contents(project: int) -> list[Any]:
        said = ("completed_by", "result", "ground_truth", "was_cancelled", "score", "model_version")
        return [
            (
                task["data"],
                task["meta"],
                [
                    {key: one[key] for key in said if key in one}
                    for kind in ("annotations", "predictions")
                    for one in sorted(task[kind], key=lambda one: one["id"])
                ],
            )
            for task in run.tasks[project]
        ]

    assert contents(run.original) == contents(run.copy)
    one, other = (run.get(f"/api/projects/{project}/") for project in (run.original, run.copy))
    assert other["label_config"] == one["label_config"]
    assert other["title"] == f"{one['title']} (copy)"


def test_the_export_holds_the_project(run: Run) -> None:
    tasks = run.tasks[run.original]
    exported = sorted(run.exported, key=lambda task: task["id"])
    assert [task["id"] for task in exported] == [task["id"] for task in tasks]
    for theirs, ours in zip(exported, tasks, strict=True):
        assert theirs["data"] == ours["data"]
        assert results(theirs, "annotations") == results(ours, "annotations")
    truths = [one["ground_truth"] for task in exported for one in task["annotations"]]
    assert sum(truths) == GROUND_TRUTH
