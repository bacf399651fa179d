"""Creating, deleting and looping over many."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from labelstudio_orm import Annotation, BadRequest, LabelStudio, Project, Task

Asked = Callable[[], list[str]]


def test_ids_come_back_in_input_order(project: Project, asked: Asked) -> None:
    reports: list[tuple[int, int | None]] = []
    made = project.tasks.bulk_create(
        [{"text": str(n)} for n in range(25)],
        batch_size=10,
        progress=lambda done, total: reports.append((done, total)),
    )
    assert [task.data["text"] for task in made] == [str(n) for n in range(25)]
    assert reports == [(0, 25), (10, 25), (20, 25), (25, 25)]
    assert asked().count(f"POST /api/projects/{project.id}/import") == 3
    stored = {task.id: task.data for task in project.tasks}
    assert stored == {task.id: task.data for task in made}
    assert made[7].project is project
    assert made[7].total_annotations == 0
    made[7].data["x"] = 1
    made[7].save()
    assert project.tasks.get(made[7].id).data == {"text": "7", "x": 1}


def test_a_batch_is_also_limited_by_bytes(project: Project, asked: Asked) -> None:
    project.tasks.bulk_create([{"text": "x" * 1000}] * 6, batch_bytes=2100)
    assert asked().count(f"POST /api/projects/{project.id}/import") == 3


def test_what_goes_with_a_task(ls: LabelStudio, project: Project) -> None:
    other = ls.users.create(email="rater@example.com", username="rater@example.com")
    try:
        choice = project.config["sentiment"].choice
        (task,) = project.tasks.bulk_create(
            [
                {
                    "data": {"text": "a"},
                    "meta": {"source": "test"},
                    "annotations": [
                        {"result": [choice("Positive")], "completed_by": other, "lead_time": 2.5},
                        {"result": [choice("Neutral")], "completed_by": "rater@example.com"},
                        {"result": [], "was_cancelled": True, "completed_by": other.id},
                        {"result": [choice("Negative")], "ground_truth": True},
                    ],
                    "predictions": [
                        {"result": [choice("Negative")], "score": 0.9, "model_version": "m"}
                    ],
                }
            ]
        )
        assert task.meta == {"source": "test"}
        found = list(task.annotations)
        me = ls.users.me()
        assert [a.completed_by for a in found] == [other, other, other, me]
        assert [a.ground_truth for a in found] == [False, False, False, True]
        assert [a.was_cancelled for a in found] == [False, False, True, False]
        assert found[0].lead_time == 2.5
        assert [p.model_version for p in task.predictions] == ["m"]
        assert sorted(task.annotators) == sorted({me.id, other.id})
    finally:
        other.delete()


def test_unsaved_tasks_are_taken_too(project: Project) -> None:
    (task,) = project.tasks.bulk_create([Task(project=project, data={"text": "a"}, meta={"m": 1})])
    assert project.tasks.get(task.id).meta == {"m": 1}


@pytest.mark.parametrize(
    ("item", "named"),
    [
        ({"data": {"text": "a"}, "created_at": "2020-01-01"}, "created_at"),
        ({"text": "a", "annotations": []}, "annotations"),
        ({"data": {"text": "a"}, "drafts": [{}]}, "drafts"),
        ({"data": {"text": "a"}, "annotations": [{"result": "x"}]}, "result"),
        ({"data": {"text": "a"}, "annotations": [{"result": [], "unique_id": "x"}]}, "unique_id"),
        ({"data": {"text": "a"}, "annotations": [{"result": [], "completed_by": "bob"}]}, "bob"),
        ({"data": {"text": "a"}, "predictions": [{"score": 1.0}]}, "result"),
        ({"data": {"text": "a"}, "predictions": [{"result": [], "score": "high"}]}, "score"),
        ({1: "a"}, "text, not 1"),
        ("text", "dict"),
    ],
)
def test_what_an_import_would_lose_is_refused_before_it_is_sent(
    project: Project, asked: Asked, item: object, named: str
) -> None:
    asked()
    with pytest.raises((ValueError, TypeError), match=f"item 1.*{named}"):
        project.tasks.bulk_create([{"text": "fine"}, item])  # type: ignore[list-item]
    assert not [sent for sent in asked() if sent.startswith("POST")]
    assert project.tasks.count() == 0


def test_the_servers_refusal_names_the_item_of_the_caller(project: Project) -> None:
    items = [{"text": "a"}, {"text": "b"}, {"nothing": "c"}, {"text": "d"}]
    with pytest.raises(BadRequest, match="item 2") as refusal:
        project.tasks.bulk_create(items, batch_size=2)
    assert [task.data["text"] for task in refusal.value.created] == ["a", "b"]
    assert project.tasks.count() == 2


def test_delete_must_be_meant(ls: LabelStudio, project: Project) -> None:
    project.tasks.bulk_create([{"text": str(n)} for n in range(5)])
    for careless in (project.tasks, project.tasks.filter(), project.tasks.order_by("-id")):
        with pytest.raises(ValueError, match=r"\.all\(\)"):
            careless.delete()
    with pytest.raises(ValueError, match="project"):
        ls.tasks.all().delete()
    assert project.tasks.filter(id__in=[]).delete() == 0
    assert project.tasks.count() == 5
    assert project.tasks.filter(data__text__in=["1", "3"]).delete() == 2
    assert project.tasks.order_by("-id")[:1].delete() == 1
    assert [task.data["text"] for task in project.tasks] == ["0", "2"]
    assert project.tasks.all().delete() == 2
    assert project.tasks.count() == 0


def test_views_outlive_the_last_task(ls: LabelStudio, project: Project) -> None:
    view = {"project": project.id, "data": {"title": "Mine", "filters": {}, "ordering": []}}
    ls.request("POST", "/api/dm/views/", json=view)
    for delete in (lambda: project.tasks.filter(id__gt=0), lambda: project.tasks.all()):
        project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
        assert delete().delete() == 2
        assert len(ls.request("GET", "/api/dm/views/", params={"project": project.id})) == 1


def test_deleting_while_looping_visits_every_task_once(ls: LabelStudio, project: Project) -> None:
    project.tasks.bulk_create([{"text": str(n)} for n in range(23)])
    ls.page_size = 4
    seen = []
    for task in project.tasks.iterator():
        seen.append(task.data["text"])
        task.delete()
    assert seen == [str(n) for n in range(23)]
    assert project.tasks.count() == 0


def test_saving_while_looping_over_a_filter_visits_every_task_once(
    ls: LabelStudio, project: Project
) -> None:
    project.tasks.bulk_create([{"text": str(n), "state": "old"} for n in range(23)])
    ls.page_size = 4
    seen = []
    for task in project.tasks.filter(data__state="old").iterator():
        seen.append(task.data["text"])
        task.data["state"] = "new"
        task.save()
    assert seen == [str(n) for n in range(23)]
    assert project.tasks.filter(data__state="new").count() == 23


def test_export(project: Project, tmp_path: Path) -> None:
    made = project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
    made[1].annotations.create(result=[project.config["sentiment"].choice("Positive")])
    reports: list[int] = []
    path = project.export(
        "JSON", tmp_path / "all.json", progress=lambda done, total: reports.append(done)
    )
    rows = json.loads(path.read_text())
    assert sorted(row["id"] for row in rows) == [task.id for task in made]
    assert reports[-1] == path.stat().st_size
    annotated = project.export("JSON", tmp_path / "some.json", only_annotated=True)
    assert [row["id"] for row in json.loads(annotated.read_text())] == [made[1].id]
    assert {file.name for file in tmp_path.iterdir()} == {"all.json", "some.json"}


def test_saved_tasks_are_copied_with_what_was_prefetched(ls: LabelStudio, project: Project) -> None:
    choice = project.config["sentiment"].choice
    project.tasks.bulk_create(
        [
            {"data": {"text": "a"}, "meta": {"m": 1}},
            {
                "data": {"text": "b"},
                "annotations": [{"result": [choice("Positive")], "lead_time": 1.5}],
                "predictions": [{"result": [choice("Neutral")], "score": 0.5}],
            },
        ]
    )
    twin = ls.projects.create(title="Twin", label_config=project.label_config)
    try:
        with pytest.raises(ValueError, match=r"item 1.*prefetch\('annotations'\)"):
            twin.tasks.bulk_create(list(project.tasks))
        assert twin.tasks.count() == 0
        found = project.tasks.prefetch("annotations", "predictions")
        made = twin.tasks.bulk_create(found.iterator())
        assert [(task.data, task.meta) for task in made] == [(t.data, t.meta) for t in found]
        (annotation,), (prediction,) = made[1].annotations, made[1].predictions
        assert (annotation.values(), annotation.lead_time) == ({"sentiment": "Positive"}, 1.5)
        assert annotation.import_id == found[1].annotations[0].id
        assert prediction.values() == {"sentiment": "Neutral"}
    finally:
        twin.delete()


def test_a_stream_is_created_batch_by_batch(project: Project, asked: Asked) -> None:
    sent = []

    def stream() -> object:
        for number in range(25):
            sent.append(len([one for one in asked() if one.startswith("POST")]))
            yield {"text": str(number)}

    assert len(project.tasks.bulk_create(stream(), batch_size=10)) == 25  # type: ignore[arg-type]
    assert sum(sent) == 2
    assert project.tasks.count() == 25


def test_authors_are_fetched_once_for_a_listing(project: Project, asked: Asked) -> None:
    project.tasks.bulk_create(
        [{"data": {"text": str(n)}, "annotations": [{"result": []}]} for n in range(4)]
    )
    asked()
    emails = {a.completed_by.email for a in project.annotations if a.completed_by}
    assert len(emails) == 1
    assert len([one for one in asked() if "users" in one]) == 1
    tasks = project.tasks.prefetch("annotations")
    assert {t.annotations[0].completed_by.email for t in tasks} == emails  # type: ignore[union-attr]
    assert len([one for one in asked() if "users" in one]) == 1


def test_streams_report_progress(project: Project) -> None:
    project.tasks.bulk_create([{"text": str(n)} for n in range(3)])
    reports: list[tuple[int, int | None]] = []
    list(project.tasks.iterator(progress=lambda *report: reports.append(report)))
    assert reports == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_an_unknown_export_format_names_the_known_ones(project: Project, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON_MIN"):
        project.export("json", tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_items_and_objects_share_nothing(project: Project) -> None:
    item = {"text": "a", "tags": ["x"]}
    made = project.tasks.bulk_create([item, item])
    made[0].data["tags"].append("y")  # type: ignore[attr-defined]
    assert item == {"text": "a", "tags": ["x"]}
    assert made[1].data == item
    assert list(made[0].changes) == ["data"]
    assert made[1].changes == {}


def test_exports_at_once_are_all_whole(project: Project, tmp_path: Path) -> None:
    """The server writes exports of the same data to one file: two at once cut each other short."""
    project.tasks.bulk_create([{"text": str(n)} for n in range(30)])

    def export(number: int) -> int:
        path = project.export("JSON", tmp_path / f"{number}.json")
        return len(json.loads(path.read_text()))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(export, range(24))) == [30] * 24


def test_other_resources_are_created_one_by_one(project: Project) -> None:
    task = project.tasks.create(data={"text": "a"})
    region = project.config["sentiment"].choice("Positive")
    items = [{"result": [region]}, Annotation(task=task, result=[], was_cancelled=True)]
    made = task.annotations.bulk_create(items)
    assert list(task.annotations) == made
    assert [annotation.was_cancelled for annotation in made] == [False, True]
    with pytest.raises(TypeError, match="unsaved"):
        task.annotations.bulk_create(made)
