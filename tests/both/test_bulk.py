"""Creating, deleting and looping over many."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm import (
    Annotation,
    BadRequest,
    Conflict,
    DoesNotExist,
    LabelStudio,
    LabelStudioError,
    MultipleObjectsReturned,
    Project,
    Q,
    Task,
)
from labelstudio_orm._engine.bulk import updating
from labelstudio_orm._engine.http.connection import has
from labelstudio_orm._engine.http.releases import CHECKED_PREDICTIONS, PAIRED_FILTERS
from labelstudio_orm._engine.pages import task_page
from labelstudio_orm.resources._tasks import deletion
from tests.helpers import client_of

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


def test_annotations_predictions_and_meta_are_imported_with_a_task(
    ls: LabelStudio, project: Project
) -> None:
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
        ({1: "a"}, "string, not 1"),
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


def test_delete_without_a_filter_needs_all(ls: LabelStudio, project: Project) -> None:
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
    sets: tuple[Callable[[], Any], ...] = (
        lambda: project.tasks.filter(id__gt=0),
        lambda: project.tasks.all(),
    )
    for tasks in sets:
        project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
        assert tasks().delete() == 2
        assert len(ls.request("GET", "/api/dm/views/", params={"project": project.id})) == 1


def test_what_the_server_finds_is_deleted_in_pieces(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "PIECE", 5)
    tasks = project.tasks.bulk_create([{"text": str(n)} for n in range(23)])
    project.tasks.filter(id__in=[tasks[4].id, tasks[5].id]).delete()
    told: list[tuple[int, int | None]] = []
    condition = Q(id__lt=tasks[9].id) | Q(id__gt=tasks[13].id)
    done = project.tasks.filter(condition).delete(
        progress=lambda done, total: told.append((done, total))
    )
    assert (done, done.deleted, done.skipped) == (16, 16, 0)
    assert list(project.tasks) == tasks[9:14]
    # Where the server cannot find them behind a place, their ids are listed first.
    ends = [3, 7, 11, 15, 16] if has(client_of(project.tasks), PAIRED_FILTERS) else [5, 10, 15, 16]
    assert told[1:] == [(end, 16) for end in ends]


TEXTS = ["alpha", "Alpha", "al.pha", "beta\nalpha", "alpha\n", "alphabet", "12 alphas", "ÄLPHA"]
NO_TEXTS = [12, True, None, ["alpha"], {"alpha": 1}]

PARTS: dict[str, tuple[str, list[int]]] = {  # a piece, and the places of the texts with it
    "contains": ("alpha", [0, 3, 4, 5, 6]),
    "icontains": ("LPHA", [0, 1, 3, 4, 5, 6, 7]),
    "startswith": ("al.", [2]),
    "endswith": ("alpha", [0, 3]),
}


@pytest.mark.parametrize("others", [[], NO_TEXTS], ids=["texts", "anything"])
def test_the_tasks_with_a_part_of_a_text_are_deleted_and_no_others(
    project: Project, others: list[Any]
) -> None:
    values = [*TEXTS, *others]
    for lookup, (piece, places) in PARTS.items():
        made = project.tasks.bulk_create([{"text": "t", "key": value} for value in values])
        gone = [made[place] for place in places]
        done = project.tasks.filter(Q(**{f"data__key__{lookup}": piece})).delete()
        assert done == len(gone), lookup
        assert list(project.tasks) == [task for task in made if task not in gone], lookup
        project.tasks.all().delete()


def test_ids_are_deleted_in_pieces_and_only_those_of_the_project(
    ls: LabelStudio, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "PIECE", 5)
    monkeypatch.setattr(task_page, "IDS", 3)
    tasks = project.tasks.bulk_create([{"text": str(n)} for n in range(14)])
    twin = ls.projects.create(title="Twin", label_config=project.label_config)
    try:
        (other,) = twin.tasks.bulk_create([{"text": "a"}])
        told: list[tuple[int, int | None]] = []
        ids = [other.id, *(task.id for task in tasks[2:13]), other.id + 1000]
        done = project.tasks.filter(id__in=ids).delete(
            progress=lambda done, total: told.append((done, total))
        )
        assert (done, told[-1]) == (11, (11, 11))
        assert [*project.tasks, *twin.tasks] == [*tasks[:2], tasks[13], other]
    finally:
        twin.delete()


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


def test_an_export_writes_the_rows_of_the_project(project: Project, tmp_path: Path) -> None:
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
    made[0].data["tags"].append("y")
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
    items: list[dict[str, Any] | Annotation] = [
        {"result": [region]},
        Annotation(task=task, result=[], was_cancelled=True),
    ]
    made = task.annotations.bulk_create(items)
    assert list(task.annotations) == made
    assert [annotation.was_cancelled for annotation in made] == [False, True]
    with pytest.raises(TypeError, match="unsaved"):
        task.annotations.bulk_create(made)


# -- what is there already ------------------------------------------------------------------------


def texts(project: Project) -> list[str]:
    return [task.data["text"] for task in project.tasks]


def items(*names: str, **more: object) -> list[dict[str, object]]:
    return [{"text": name, "image": f"{name}.png", **more} for name in names]


class Died(Exception):
    """The script, somewhere in the middle."""


@pytest.mark.parametrize("workers", [1, 3])
def test_a_run_that_died_can_be_run_again(project: Project, workers: int) -> None:
    names = [str(n) for n in range(25)]

    def stream() -> Iterator[dict[str, object]]:
        yield from items(*names[:17])
        raise Died

    with pytest.raises(Died):
        project.tasks.bulk_create(stream(), batch_size=5)
    assert texts(project) == names[:15]
    made = project.tasks.bulk_create(
        items(*names), key="data.image", on_conflict="skip", batch_size=5, workers=workers
    )
    assert [task.data["text"] for task in made] == names
    assert (made.summary, made.summary.created, made.summary.skipped) == (10, 10, 15)
    assert texts(project) == names
    again = project.tasks.bulk_create(iter(items(*names)), key="data__image", on_conflict="skip")
    assert (again, again.summary.skipped) == (made, 25)
    assert again[3].data == {"text": "3", "image": "3.png"}


def test_few_items_are_looked_up_and_not_all_tasks_listed(project: Project) -> None:
    made = project.tasks.bulk_create(items("a", "b", "ä") + items("x", image="A.PNG"))
    found = project.tasks.bulk_create(
        [*items("b"), *items("c"), *items("e", image="ä.png"), *items("f", image="a.PNG")],
        key="data.image",
        on_conflict="skip",
    )
    assert (found[0], found[2]) == (made[1], made[2])
    assert (found.summary.created, found.summary.skipped) == (2, 2)


VALUES = [
    True, 1, "1", 1.5, [1, "a"], {"a": {"b": None}}, "true", "null", "", " ", "a b%_\\", '"q"',
    "a\nb", "é", "É", "İ", "\U0001f600", "x" * 300,
]  # fmt: skip


@pytest.mark.parametrize("together", [True, False])
def test_keys_are_told_apart_by_their_type(project: Project, together: bool) -> None:
    old = project.tasks.bulk_create([{"text": "old", "k": {"v": value}} for value in VALUES])
    new = [{"text": "new", "k": {"v": value}} for value in VALUES]
    found = [
        task
        for some in ([new] if together else [[item] for item in new])
        for task in project.tasks.bulk_create(some, key="data.k.v", on_conflict="skip")
    ]
    assert found == old
    texts = [{"text": "new", "k": {"v": value}} for value in VALUES if isinstance(value, str)]
    made = project.tasks.bulk_create(texts, key="data.k.v", on_conflict="error", on_error="collect")
    assert (made, len(made.summary.failed)) == ([], len(texts))
    others = [{"text": "new", "k": {"v": value}} for value in ("X" * 300, "é\u0301", 2, False)]
    assert project.tasks.bulk_create(others, key="data.k.v", on_conflict="skip").summary == 4


def test_an_item_may_change_what_is_there(project: Project, asked: Asked) -> None:
    old = project.tasks.bulk_create(
        [{"data": item, "meta": {"m": 1}} for item in items("a", "b", "c")]
    )
    asked()
    made = project.tasks.bulk_create(
        [
            *items("a", new=1),
            *items("b"),
            {"data": items("c")[0], "meta": {"m": 2}},
            *items("d"),
            *items("d", new=2),
            *items("d", new=3),
        ],
        key="data.image",
        on_conflict="update",
        workers=2,
    )
    assert made[:3] == old
    assert (made.summary.created, made.summary.updated, made.summary.skipped) == (1, 3, 2)
    assert made[3] == made[4] == made[5]
    stored = [(task.data.get("new"), task.meta) for task in project.tasks]
    assert stored == [(1, {"m": 1}), (None, {"m": 1}), (None, {"m": 2}), (3, {})]
    assert [task.data for task in made] == [
        task.data for task in project.tasks.in_bulk([task.id for task in old]).values()
    ] + [made[3].data] * 3
    assert len([one for one in asked() if one.startswith("PATCH")]) == 3


def test_what_cannot_be_changed_by_an_item_fails_and_is_told(project: Project) -> None:
    project.tasks.bulk_create([*items("a", "b"), *items("b")])
    made = project.tasks.bulk_create(
        [{"data": items("a")[0], "predictions": [{"result": []}]}, *items("b"), {"text": "no key"}],
        key="data.image",
        on_conflict="update",
        on_error="collect",
    )
    assert made == []
    reasons = [(failure.place, failure.reason) for failure in made.summary.failed]
    assert [place for place, _ in reasons] == [0, 1, 2]
    for (_, reason), word in zip(
        reasons, ["predictions", "several tasks", "no data.image"], strict=True
    ):
        assert word in reason
    with pytest.raises(MultipleObjectsReturned):
        project.tasks.bulk_create(items("b"), key="data.image", on_conflict="update")


def test_a_conflict_is_an_error_before_anything_is_sent(project: Project, asked: Asked) -> None:
    project.tasks.bulk_create(items("b"))
    asked()
    for given, named in ((items("a", "b"), "item 1.*'b.png'.*Task"), (items("a", "a"), "item 0")):
        with pytest.raises(Conflict, match=named):
            project.tasks.bulk_create(given, key="data.image", on_conflict="error")
    assert not [one for one in asked() if one.startswith("POST")]
    made = project.tasks.bulk_create(
        items("a", "b", "c", "a"), key="data.image", on_conflict="error", on_error="collect"
    )
    assert [task.data["text"] for task in made] == ["a", "c"]
    assert [failure.place for failure in made.summary.failed] == [1, 3]
    assert texts(project) == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"key": "data.image"}, "go together"),
        ({"on_conflict": "skip"}, "go together"),
        ({"on_conflict": "ignore", "key": "data.image"}, "on_conflict must be"),
        ({"on_conflict": "skip", "key": "overlap"}, "in their data"),
        ({"on_conflict": "skip", "key": "data"}, "in their data"),
        ({"on_error": "log"}, "on_error must be"),
        ({"workers": 0}, "workers"),
        ({"on_conflict": "skip", "key": "data.image"}, "item 0 has no data.image"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    project: Project, asked: Asked, options: dict[str, Any], said: str
) -> None:
    asked()
    with pytest.raises(ValueError, match=said):
        project.tasks.bulk_create([{"text": "a"}], **options)
    assert asked() == []


# -- what is refused ------------------------------------------------------------------------------


def test_refused_items_are_collected_with_place_and_reason(project: Project) -> None:
    given: list[Any] = [{"text": str(n)} for n in range(8)]
    given[2] = {"nothing": "here"}
    given[4] = {"data": {"text": "x"}, "annotations": [{"result": [], "completed_by": 10**6}]}
    given[5] = "no item"
    reports: list[tuple[int, int | None]] = []
    made = project.tasks.bulk_create(
        iter(given), on_error="collect", progress=lambda *report: reports.append(report)
    )
    assert [task.data["text"] for task in made] == ["0", "1", "3", "6", "7"]
    assert texts(project) == ["0", "1", "3", "6", "7"]
    failed = made.summary.failed
    assert [(one.place, one.item) for one in failed] == [(n, given[n]) for n in (2, 4, 5)]
    for failure, word in zip(failed, ['"text" key', "1000000", "dict"], strict=True):
        assert word in failure.reason
    assert (made.summary.created, int(made.summary)) == (5, 5)
    assert reports[-1] == (8, 8)


def test_many_refused_items_are_found_in_few_requests(project: Project, asked: Asked) -> None:
    """The server's list of what it refuses ends with the first one after a hundred items."""
    given = [{"text": str(n)} if n % 50 else {"nothing": n} for n in range(400)]
    asked()
    made = project.tasks.bulk_create(given, on_error="collect")
    assert [failure.place for failure in made.summary.failed] == list(range(0, 400, 50))
    assert [task.data["text"] for task in made] == [str(n) for n in range(400) if n % 50]
    assert asked().count(f"POST /api/projects/{project.id}/import") <= 12


def test_the_place_is_right_also_after_a_hundred_items(project: Project) -> None:
    given = [{"text": str(n)} for n in range(150)]
    given[120] = {"nothing": "here"}
    with pytest.raises(BadRequest, match=r"item 120 .*text"):
        project.tasks.bulk_create(given)
    assert project.tasks.count() == 0


def test_items_can_be_held_against_the_labelling_config_first(
    project: Project, asked: Asked
) -> None:
    good = project.config["sentiment"].choice("Positive")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"from_name": "mood"}, "from_name.*'mood'"),
        ({"to_name": "txt"}, "to_name.*'txt'"),
        ({"type": "rating"}, "type.*'choices'"),
        ({"value": {"choices": ["Positiv"]}}, "no label 'Positiv'.*'Positive'"),
        ({"value": {"choices": 1}}, "choices.*a list is needed"),
        ({"value": None}, "needs one"),
    ]
    given: list[Any] = [
        {"data": {"text": "a"}, "predictions": [{"result": [good, {**good, **change}]}]}
        for change, _ in wrong
    ]
    given += [{"txt": "a"}, {"data": {"text": "fine"}, "annotations": [{"result": [good]}]}]
    asked()
    for number, (_, said) in enumerate(wrong):
        with pytest.raises(ValueError, match=rf"item 0, predictions\[0\]\.result\[1\].*{said}"):
            project.tasks.bulk_create(given[number:], validate=True)
    with pytest.raises(ValueError, match=r"item 0, data.*text"):
        project.tasks.bulk_create(given[-2:], validate=True)
    assert asked() == []
    made = project.tasks.bulk_create(given, validate=True, on_error="collect")
    assert texts(project) == ["fine"]
    assert [one.place for one in made.summary.failed] == list(range(7))


def test_predictions_that_do_not_fit_are_collected(project: Project) -> None:
    tasks = project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
    good = project.config["sentiment"].choice("Positive")
    bad = {**good, "value": {"choices": ["Nothing"]}}
    given = [
        (tasks[0], [good], 0.5), (tasks[1], [bad], 0.5), (10**6, [good], 0.5), "x",
        (tasks[1], [good], 1.5),
    ]  # fmt: skip
    done = project.predictions.bulk_create(given, on_error="collect")  # type: ignore[arg-type]
    assert (done, done.created) == (1, 1)
    assert [failure.place for failure in done.failed] == [1, 2, 3, 4]
    assert "score: a number from 0 to 1 is needed, not 1.5" in str(done.failed[-1].reason)
    assert "Nothing" in done.failed[0].reason
    assert [one.task_id for one in project.predictions] == [tasks[0].id]
    if not has(client_of(project.tasks), CHECKED_PREDICTIONS):
        with pytest.raises(ValueError, match="Nothing"):
            project.predictions.bulk_create(given[:2])  # type: ignore[arg-type]
        assert project.predictions.count() == 1
        return
    with pytest.raises(LabelStudioError, match="stored 1 of 2") as raised:
        project.predictions.bulk_create(given[:2])  # type: ignore[arg-type]
    assert raised.value.summary == 1


# -- saving and updating --------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 4])
def test_changed_objects_are_saved_by_workers(project: Project, asked: Asked, workers: int) -> None:
    tasks = project.tasks.bulk_create([{"text": str(n)} for n in range(9)])
    for task in tasks[::2]:
        task.data["seen"] = True
        task.meta = {"m": 1}
    asked()
    reports: list[tuple[int, int | None]] = []
    done = project.tasks.bulk_update(
        tasks, ["data"], workers=workers, progress=lambda *report: reports.append(report)
    )
    assert (done, done.updated, done.skipped) == (5, 5, 4)
    assert sorted(asked()) == [f"PATCH /api/tasks/{task.id}/" for task in tasks[::2]]
    assert reports == [(n, 9) for n in range(10)]
    assert [(task.data.get("seen"), task.meta) for task in project.tasks] == [
        (None if n % 2 else True, {}) for n in range(9)
    ]
    assert [task.changes.keys() for task in tasks] == [
        set() if n % 2 else {"meta"} for n in range(9)
    ]
    assert project.tasks.bulk_update(task for task in tasks).updated == 5


def test_an_object_that_cannot_be_saved_does_not_stop_the_others(project: Project) -> None:
    tasks = project.tasks.bulk_create([{"text": str(n)} for n in range(12)])
    project.tasks.filter(id=tasks[2].id).delete()
    for task in tasks:
        task.data["seen"] = True
    done = project.tasks.bulk_update(tasks, workers=2, on_error="collect")
    assert (done.updated, [(one.place, one.item) for one in done.failed]) == (11, [(2, tasks[2])])
    assert project.tasks.filter(data__seen=True).count() == 11
    for task in tasks:
        task.data["seen"] = False
    with pytest.raises(DoesNotExist) as raised:
        project.tasks.bulk_update(tasks, workers=2)
    saved = project.tasks.filter(data__seen=False).count()
    assert raised.value.summary is not None
    assert raised.value.summary.updated == saved
    assert 2 <= saved < 11
    with pytest.raises(TypeError, match="unsaved"):
        project.tasks.bulk_update([Task(project=project, data={})])
    with pytest.raises(ValueError, match="inner_id"):
        project.tasks.bulk_update([], ["inner_id"])


def test_update_of_a_key_in_data_leaves_the_other_keys(project: Project) -> None:
    project.tasks.bulk_create(
        [
            {"data": {"text": "a", "n": 1}, "meta": {"m": 1}},
            {"data": {"text": "b", "n": 1, "deep": {"x": 1}}},
            {"data": {"text": "c", "n": 1, "split": "train", "deep": {"y": 2}}, "meta": {"k": 0}},
            {"data": {"text": "d", "n": 2}},
        ]
    )
    chosen = project.tasks.filter(data__n=1)
    done = chosen.update(data__split="train", data__deep__y=2, meta__k=0, overlap=2)
    assert (done, done.updated, done.skipped) == (3, 3, 0)
    rows = [(task.data, task.meta, task.overlap) for task in project.tasks]
    assert rows == [
        ({"text": "a", "n": 1, "split": "train", "deep": {"y": 2}}, {"m": 1, "k": 0}, 2),
        ({"text": "b", "n": 1, "deep": {"x": 1, "y": 2}, "split": "train"}, {"k": 0}, 2),
        ({"text": "c", "n": 1, "split": "train", "deep": {"y": 2}}, {"k": 0}, 2),
        ({"text": "d", "n": 2}, {}, 1),
    ]
    assert chosen.update(data__split="train", data__deep__y=2, meta__k=0).skipped == 3
    assert chosen[1:2].update(meta={}) == 1
    assert [task.meta for task in project.tasks][:3] == [{"m": 1, "k": 0}, {}, {"k": 0}]
    assert chosen.update(data__n=True, workers=3) == 3
    assert chosen.update(data__n=5) == 0


class Clock:
    """A clock that tests turn on."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_update_keeps_what_others_save_meanwhile(
    ls: LabelStudio,
    project: Project,
    asked: Asked,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It reads again what it read longer ago than is relied on."""
    monkeypatch.setattr(updating, "time", clock := Clock())
    tasks = project.tasks.bulk_create([{"text": str(n), "state": "old"} for n in range(6)])
    asked()

    def others(done: int, total: int | None) -> None:
        """After the listing and the first PATCH: another person at work, for a while."""
        if done == 1:
            clock.now += updating.FRESH
            ls.tasks.get(tasks[2].id).delete()
            for place, key in ((3, "note"), (4, "state")):
                task = ls.tasks.get(tasks[place].id)
                task.data[key] = "mine"
                task.save()

    done = project.tasks.filter(data__state="old").update(data__split=7, progress=others)
    assert (done.updated, done.skipped) == (4, 2)
    # Counted, listed, read again before the first; afterwards in lots of one, two and two.
    assert asked().count("GET /api/tasks/") == 6
    rows = [
        tuple(task.data.get(key) for key in ("text", "split", "state", "note"))
        for task in project.tasks
    ]
    assert rows == [
        ("0", 7, "old", None),
        ("1", 7, "old", None),
        ("3", 7, "old", "mine"),
        ("4", None, "mine", None),
        ("5", 7, "old", None),
    ]


def test_a_task_that_goes_before_its_patch_is_skipped(ls: LabelStudio, project: Project) -> None:
    tasks = project.tasks.bulk_create([{"text": str(n)} for n in range(4)])

    def others(done: int, total: int | None) -> None:
        if done == 1:
            ls.tasks.get(tasks[2].id).delete()

    done = project.tasks.all().update(data__split=7, progress=others)
    assert (done.updated, done.skipped) == (3, 1)
    assert [task.data["split"] for task in project.tasks] == [7, 7, 7]


def test_a_text_under_a_key_is_set_by_the_servers_action(
    ls: LabelStudio, project: Project, asked: Asked
) -> None:
    old: list[dict[str, Any]] = [
        {"text": "a", "n": 1},
        {"text": "b", "split": 5},
        {"text": "c", "split": "tö'st"},
    ]
    tasks = project.tasks.bulk_create(old)
    asked()
    new: dict[str, Any] = {"data__split": "tö'st", "data__a b.c": "x"}
    done = project.tasks.all().update(**new)
    assert (done.updated, done.skipped) == (3, 0)
    assert [one for one in asked() if not one.startswith("GET")] == ["POST /api/dm/actions/"] * 2
    assert [ls.tasks.get(task.id).data for task in tasks] == [
        {**data, "split": "tö'st", "a b.c": "x"} for data in old
    ]
    assert project.tasks.all().update(data__split="tö'st").skipped == 3
    assert project.tasks.filter(data__split="tö'st").count() == 3


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "needs a value"),
        ({"data__a": 1, "data": {"text": "a"}}, "as a whole and in part"),
        ({"data__a": 1, "data__a__b": 1}, "as a whole and in part"),
        ({"colour": 1}, "colour"),
        ({"inner_id": 1}, "inner_id"),
        ({"project": 1}, "project"),
        ({"overlap__x": 1}, "overlap"),
        ({"overlap": "two"}, "overlap"),
        ({"data": "text"}, "data"),
        ({"data__when": datetime(2026, 1, 1)}, "datetime"),
    ],
)
def test_an_update_that_cannot_be_is_refused_before_it_is_sent(
    project: Project, asked: Asked, values: dict[str, Any], said: str
) -> None:
    asked()
    with pytest.raises((ValueError, TypeError), match=said):
        project.tasks.all().update(**values)
    assert asked() == []


def test_update_without_a_filter_needs_all(project: Project) -> None:
    project.tasks.bulk_create([{"text": "a"}])
    with pytest.raises(ValueError, match=r"\.all\(\)\.update"):
        project.tasks.update(data__x=1)
    assert project.tasks.all().update(data__x=1) == 1
    assert project.tasks.filter(id__in=[]).update(data__x=2) == 0
    assert project.tasks.get().data == {"text": "a", "x": 1}


def test_a_row_that_has_no_place_for_a_key_fails_alone(project: Project) -> None:
    project.tasks.bulk_create([{"text": "a", "deep": "x"}, {"text": "b", "deep": None}])
    with pytest.raises(ValueError, match="data__deep is 'x'"):
        project.tasks.all().update(data__deep__y=1)
    done = project.tasks.all().update(data__deep__y=1, on_error="collect")
    assert (done.updated, [failure.place for failure in done.failed]) == (1, [0])
    assert [task.data["deep"] for task in project.tasks] == ["x", {"y": 1}]


def test_other_resources_are_updated_too(ls: LabelStudio, project: Project) -> None:
    task = project.tasks.create(data={"text": "a"})
    choice = project.config["sentiment"].choice
    for label in ("Positive", "Neutral"):
        task.predictions.create(result=[choice(label)], score=0.5, model_version=label)
    assert project.predictions.filter(model_version="Neutral").update(score=0.25) == 1
    assert [one.score for one in project.predictions] == [0.5, 0.25]
    task.annotations.create(result=[choice("Positive")])
    assert task.annotations.all().update(lead_time=2.5, result=[]) == 1
    assert [(one.lead_time, one.result) for one in task.annotations] == [(2.5, [])]
    weights = ls.projects.filter(id=project.id).update(control_weights__stars__overall=0.5)
    assert weights == 1
    stored = ls.projects.get(project.id).control_weights
    assert stored is not None
    assert (stored["stars"]["overall"], "sentiment" in stored) == (0.5, True)


# -- deleting and annotating ----------------------------------------------------------------------


def test_predictions_of_a_version_go_and_the_counters_stay_right(project: Project) -> None:
    tasks = project.tasks.bulk_create([{"text": str(n)} for n in range(7)])
    # A project that is deleted makes a server forget to count, until some tasks are deleted.
    assert project.tasks.filter(id__gt=tasks[3].id).delete() == 3
    region = [project.config["sentiment"].choice("Positive")]
    given = [(tasks[0], "v1"), (tasks[1], "v1"), (tasks[1], "v1"), (tasks[2], "v1"),
             (tasks[2], "v2"), (tasks[3], "v2"), (tasks[1], "v1")]  # fmt: skip
    for task, version in given:
        task.predictions.create(result=region, model_version=version)
    done = project.predictions.filter(model_version="v1").delete()
    assert (done, done.deleted) == (5, 5)
    assert [(one.task, one.model_version) for one in project.predictions] == [
        (tasks[2], "v2"), (tasks[3], "v2"),
    ]  # fmt: skip
    assert [task.total_predictions for task in project.tasks] == [0, 0, 1, 1]
    assert project.predictions.filter(model_version="v1").delete() == 0
    assert project.predictions[:1].delete() == 1
    with pytest.raises(ValueError, match=r"\.all\(\)"):
        project.predictions.delete()
    for task, version in given:
        task.predictions.create(result=region, model_version=version)
    assert project.predictions.all().delete() == 8
    assert list(project.predictions) == []
    assert [task.total_predictions for task in project.tasks] == [0] * 4


def test_annotations_and_predictions_of_a_task_are_deleted_by_workers(project: Project) -> None:
    task = project.tasks.create(data={"text": "a"})
    region = [project.config["sentiment"].choice("Positive")]
    made = task.annotations.bulk_create([{"result": region}] * 5, workers=3)
    assert made.summary.created == 5
    assert list(task.annotations) == sorted(made, key=lambda one: one.id)
    task = project.tasks.prefetch("annotations").get(id=task.id)
    gone = list(task.annotations)
    assert task.annotations[1:3].delete(workers=2) == 2
    assert task.annotations.filter(id__gt=0).delete(workers=2).deleted == 3
    assert list(task.annotations) == []
    assert project.annotations.filter(id=gone[0].id).delete() == 0


def test_the_tasks_of_a_view_are_deleted_and_no_others(project: Project) -> None:
    project.tasks.bulk_create([{"text": str(n)} for n in range(4)])
    first = project.tasks.first()
    assert first is not None
    view = project.views.create(title="First", filters=Q(id=first.id))
    assert view.tasks.delete() == 1
    assert texts(project) == ["1", "2", "3"]


def test_annotations_of_many_tasks_by_workers(ls: LabelStudio, project: Project) -> None:
    tasks = project.tasks.bulk_create([{"text": str(n)} for n in range(6)])
    region = project.config["sentiment"].choice("Positive")
    ls.projects.get(project.id)
    made = project.tasks.filter(total_annotations=0).create_annotations([region], workers=3)
    assert [annotation.task for annotation in made] == list(tasks)
    assert made.summary.created == 6
    assert project.tasks.filter(total_annotations=1).count() == 6


class Interrupt:
    """Somebody presses Ctrl-C once so much is done."""

    def __init__(self, after: int) -> None:
        self.after = after

    def __call__(self, done: int, total: int | None) -> None:
        if done >= self.after:
            raise KeyboardInterrupt


@pytest.mark.parametrize("workers", [1, 3])
def test_what_was_interrupted_can_be_run_again(project: Project, workers: int) -> None:
    names = [str(n) for n in range(12)]
    with pytest.raises(KeyboardInterrupt):
        project.tasks.bulk_create(
            items(*names),
            key="data.image",
            on_conflict="skip",
            batch_size=4,
            progress=Interrupt(4),
        )
    assert texts(project) == names[:4]
    again = project.tasks.bulk_create(items(*names), key="data.image", on_conflict="skip")
    assert (again.summary.created, texts(project)) == (8, names)

    with pytest.raises(KeyboardInterrupt):
        project.tasks.all().update(data__split=1, workers=workers, progress=Interrupt(3))
    done = project.tasks.filter(data__split=1).count()
    assert 3 <= done < 12
    assert project.tasks.all().update(data__split=1, workers=workers) == 12 - done

    region = [project.config["sentiment"].choice("Positive")]
    task = project.tasks.first()
    assert task is not None
    task.annotations.bulk_create([{"result": region}] * 12, workers=2)
    with pytest.raises(KeyboardInterrupt):
        task.annotations.all().delete(workers=workers, progress=Interrupt(3))
    left = len(task.annotations)
    assert 0 < left <= 9
    assert task.annotations.all().delete(workers=workers) == left
