"""Tasks that are there twice become one, and nothing that was said of them is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelstudio_orm import (
    FieldError,
    LabelStudio,
    LabelStudioError,
    Project,
    Q,
    Retry,
    Task,
    User,
)
from labelstudio_orm._migrate.engine.journal import JournalMismatch
from labelstudio_orm._migrate.verbs import deduping
from labelstudio_orm._migrate.verbs.deduping import dedupe
from labelstudio_orm.testing import FakeLabelStudio
from labelstudio_orm.testing.fake import Fault
from tests.helpers import client_of

Asked = Callable[[], list[str]]
AT_ONCE = Retry(total=0, sleep=lambda seconds: None)

CONFIG = """\
<View>
  <Image name="image" value="$image"/>
  <Choices name="quality" toName="image"><Choice value="ok"/><Choice value="bad"/></Choices>
  <RectangleLabels name="label" toName="image">
    <Label value="Car"/><Label value="Bus"/>
  </RectangleLabels>
</View>
"""


def box(n: int, label: str = "Car") -> dict[str, Any]:
    value = {"x": n % 90, "y": 1, "width": 5, "height": 5, "rectanglelabels": [label]}
    kind = {"from_name": "label", "to_name": "image", "type": "rectanglelabels"}
    return {"id": f"box{n}", **kind, "value": value}


def choice(n: int, value: str = "ok") -> dict[str, Any]:
    kind = {"from_name": "quality", "to_name": "image", "type": "choices"}
    return {"id": f"choice{n}", **kind, "value": {"choices": [value]}}


@pytest.fixture
def cars(project: Project) -> Project:
    project.label_config = CONFIG
    return project.save()


@pytest.fixture
def ann(ls: LabelStudio) -> Iterator[User]:
    made = ls.users.create(email="ann@example.com")
    yield made
    made.delete()


def said(project: Project, key: str = "image") -> dict[Any, Counter[tuple[Any, ...]]]:
    """What was said of each key, as often as it was said."""
    found: dict[Any, Counter[tuple[Any, ...]]] = {}
    for task in project.tasks.prefetch("annotations"):
        annotations = found.setdefault(task.data.get(key), Counter())
        for one in task.annotations:
            content = (repr(one.result), one.completed_by_id, one.was_cancelled, one.lead_time)
            annotations[content] += 1
    return found


def foretold(project: Project, key: str = "image") -> dict[Any, list[tuple[Any, ...]]]:
    found: dict[Any, list[tuple[Any, ...]]] = {}
    for task in project.tasks.prefetch("predictions"):
        found.setdefault(task.data.get(key), []).extend(
            sorted((one.model_version, one.score, repr(one.result)) for one in task.predictions)
        )
    return found


def has_ground_truth(project: Project) -> set[Any]:
    return {
        task.data["key"]
        for task in project.tasks.prefetch("annotations")
        if any(one.ground_truth for one in task.annotations)
    }


def twice(ann: User, number: int, both: int) -> tuple[list[Any], list[Any]]:
    """The same CSV imported a second time: other order of the keys, and one more of them."""
    first, second = [], []
    for n in range(number):
        mine = {"result": [box(n)], "completed_by": ann, "lead_time": 1.5, "ground_truth": n == 0}
        later = {"result": [box(n, "Bus")], "was_cancelled": n % 3 == 2, "ground_truth": n < 2}
        model = {"result": [choice(n)], "model_version": "v1", "score": 0.5}
        other = {"result": [box(n)], "model_version": "v2", "score": 0.25}
        first.append(
            {
                "data": {"image": f"{n}.png", "city": "Oslo"},
                "annotations": [mine] if n < both else [],
                "predictions": [model] if n < 2 * both else [],
            }
        )
        second.append(
            {
                "data": {"city": "Oslo", "image": f"{n}.png", "row": n},
                "annotations": [later] if n < both else [],
                "predictions": [model, other] if n < both else [],
            }
        )
    return first, second


@pytest.mark.slow
def test_the_same_file_imported_twice(
    ls: LabelStudio, cars: Project, ann: User, asked: Asked, part: int
) -> None:
    number = 1000 // part
    first, second = twice(ann, number, 30)
    kept = [task.id for task in cars.tasks.bulk_create(first)]
    copies = [task.id for task in cars.tasks.bulk_create(second)]
    cars.views.create(title="Todo", filters=Q(total_annotations=0))
    before, models = said(cars), foretold(cars)
    reports: list[tuple[int, int | None]] = []
    asked()
    report = dedupe(
        cars, "data.image", workers=2, progress=lambda done, total: reports.append((done, total))
    )
    sent = asked()
    assert sum(one.startswith("GET") for one in sent) <= 30
    writes = [one for one in sent if not one.startswith("GET")]
    assert sum(one.endswith("/annotations/") for one in writes) == 30
    assert [one for one in writes if not one.endswith("/annotations/")] == [
        f"POST /api/projects/{cars.id}/import/predictions",
        "POST /api/dm/actions/",
        f"DELETE /api/tasks/{copies[0]}/",
    ]

    assert report.ok, str(report)
    assert list(cars.tasks.values_list("id", flat=True)) == kept
    assert report.kept == {old: (new,) for old, new in zip(kept, copies, strict=True)}
    assert report.removed == copies
    assert report.as_json()["kept"][kept[0]] == [copies[0]]
    assert said(cars) == before
    assert foretold(cars) == {image: sorted(set(said)) for image, said in models.items()}
    assert [view.data["title"] for view in cars.views] == ["Todo"]
    assert {name: repr(done) for name, done in report.counts.items()} == {
        "tasks": f"<Summary: {number} deleted>",
        "annotations": "<Summary: 30 created>",
        "predictions": "<Summary: 30 created, 30 skipped>",
    }
    lost = {f"{loss.kind}.{loss.field}": loss.count for loss in report.losses}
    assert lost == {
        "annotations.created_at": 30,
        "annotations.ground_truth": 1,
        "predictions.created_at": 30,
        "tasks.data": number,
    }
    task = cars.tasks.prefetch("annotations").get(data__image="0.png")
    assert [one.ground_truth for one in task.annotations] == [True, False]
    task = cars.tasks.prefetch("annotations").get(data__image="1.png")
    assert [one.ground_truth for one in task.annotations] == [False, True]
    assert reports[0] == (0, number)
    assert reports[-1] == (number, number)

    again = dedupe(cars, "data.image")
    assert {one.partition(" ")[0] for one in asked()} == {"GET"}
    assert again.ok
    assert again.kept == {}


def test_a_dry_run_says_the_same_and_writes_nothing(
    ls: LabelStudio, cars: Project, ann: User, asked: Asked, tmp_path: Path
) -> None:
    for items in twice(ann, 12, 5):
        cars.tasks.bulk_create(items)
    before = said(cars)
    asked()
    with ls.dry_run() as plan:
        dry = dedupe(cars, journal=tmp_path / "dedupe.db")
    assert {one.partition(" ")[0] for one in asked()} == {"GET"}
    assert "12 items" not in plan.summary()
    assert "(11 items)" in plan.summary()
    assert said(cars) == before
    report = dedupe(cars, journal=tmp_path / "dedupe.db")
    assert str(report) == str(dry)
    assert report.kept == dry.kept
    assert cars.tasks.count() == 12


def last_seen(tasks: Sequence[Task]) -> Task:
    return max(tasks, key=lambda task: (task.data["seen"], -task.id))


@pytest.mark.parametrize(
    ("keep", "stays"),
    [("most annotations", 2), ("first", 0), ("last", 3), (last_seen, 1)],
)
def test_keep_decides_which_duplicate_stays(cars: Project, keep: Any, stays: int) -> None:
    one: list[dict[str, Any]] = [{"result": []}]
    skipped: list[dict[str, Any]] = [{"result": [], "was_cancelled": True}]
    made = cars.tasks.bulk_create(
        [
            {"data": {"image": "a", "seen": 1}, "annotations": skipped},
            {"data": {"image": "a", "seen": 9}, "annotations": one},
            {"data": {"image": "a", "seen": 3}, "annotations": one + skipped},
            {"data": {"image": "a", "seen": 9}, "annotations": one + skipped},
            {"image": "b", "seen": 9},
        ]
    )
    before = said(cars)
    report = dedupe(cars, keep=keep)
    assert list(report.kept) == [made[stays].id]
    assert len(report.removed) == 3
    assert said(cars) == before
    assert cars.tasks.get(made[stays].id).total_annotations == 3
    assert cars.tasks.get(made[stays].id).cancelled_annotations == 3


def test_keys_are_the_same_when_their_json_is_equal(cars: Project) -> None:
    keys: list[Any] = [1, "1", 1.0, True, None, [1, 2], [1.0, 2], {"a": 1, "b": 2}]
    keys += [{"b": 2.0, "a": 1}, None, "", ""]
    made = cars.tasks.bulk_create([{"image": "a", "key": key} for key in keys])
    made += cars.tasks.bulk_create([{"image": "a"}, {"image": "b"}])
    ids = [task.id for task in made]
    report = dedupe(cars, "data.key")
    assert report.kept == {ids[0]: (ids[2],), ids[5]: (ids[6],), ids[7]: (ids[8],)}
    assert report.counts["tasks"].deleted == 3
    assert repr(report.counts["tasks without data.key"]) == "<Summary: 6 skipped>"
    assert cars.tasks.count() == 11


def test_a_key_may_be_in_meta(cars: Project) -> None:
    metas = [{"source": {"row": 1}}, {"source": {"row": 2}}, {"source": {"row": 1}}, {}]
    made = cars.tasks.bulk_create([{"data": {"image": "a"}, "meta": meta} for meta in metas])
    assert dedupe(cars, "meta.source.row").kept == {made[0].id: (made[2].id,)}


def test_unusable_keys_and_choices_are_refused(cars: Project, asked: Asked) -> None:
    cars.tasks.bulk_create([{"image": "a"}, {"image": "a"}])
    asked()
    with pytest.raises(FieldError, match=r"data\.image"):
        dedupe(cars, "image")
    with pytest.raises(FieldError, match=r"data\.image"):
        dedupe(cars, "data")
    with pytest.raises(ValueError, match="'first', 'last', or a function"):
        dedupe(cars, keep="newest")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="none of the tasks"):
        dedupe(cars, keep=lambda tasks: None)  # type: ignore[arg-type,return-value]
    with pytest.raises(ValueError, match=r"keep raised KeyError\('seen'\) for \[<Task"):
        dedupe(cars, keep=last_seen)
    with pytest.raises(ValueError, match=r"none of the 2 .*'data\.img'; did .*'data\.image'"):
        dedupe(cars, "data.img")
    assert {one.partition(" ")[0] for one in asked()} == {"GET"}


def test_a_wrong_counter_loses_nothing(fake: FakeLabelStudio) -> None:
    """A server does not count anew when an annotation or a prediction is given another task."""
    cars = fake.client().projects.create(title="Cars", label_config=CONFIG)
    for items in twice(fake.client().users.create(email="ann@example.com"), 3, 3):
        cars.tasks.bulk_create(items)
    before, models = said(cars), foretold(cars)
    fake.store.execute("UPDATE task SET total_annotations = 0, total_predictions = 0")
    assert dedupe(cars).ok
    assert said(cars) == before
    assert foretold(cars) == {image: sorted(set(found)) for image, found in models.items()}


def test_drafts_come_along(ls: LabelStudio, cars: Project) -> None:
    kept, copy = cars.tasks.bulk_create([{"image": "a"}, {"image": "a"}])
    ls.drafts.create(task=kept, result=[box(1)])
    for result in ([box(1)], [box(2)]):
        ls.drafts.create(task=copy, result=result, lead_time=2.0)
    report = dedupe(cars)
    drafts = [draft.result for draft in ls.drafts.filter(task=kept)]
    assert [draft[0]["id"] for draft in drafts] == ["box1", "box1", "box2"]
    assert report.counts["drafts"].created == 2
    assert [loss for loss in report.losses if loss.kind == "drafts"] == []


def edited(cars: Project) -> Counter[tuple[Any, ...]]:
    """The seconds of drafts, and of the annotations that they edit."""
    found: Counter[tuple[Any, ...]] = Counter()
    for task in cars.tasks.prefetch("annotations"):
        seconds = {one.id: one.lead_time for one in task.annotations}
        for draft in client_of(cars.tasks).drafts.filter(task=task):
            found[draft.lead_time, seconds.get(draft.annotation_id or 0)] += 1
    return found


def drafted(cars: Project, ann: User) -> list[Task]:
    """Two tasks of the same image, with edits of annotations: of one that both have, of one that is
    ground truth, and of one that just the copy has.
    """
    both = {"result": [box(1)], "completed_by": ann, "lead_time": 10.0}
    mine = {"result": [box(2)], "completed_by": ann, "lead_time": 20.0, "ground_truth": True}
    theirs = {"result": [box(3)], "lead_time": 30.0, "ground_truth": True}
    data = {"image": "a"}
    cars.tasks.bulk_create([{"data": data, "annotations": [both, mine]}])
    cars.tasks.bulk_create([{"data": data, "annotations": [both, theirs]}])
    tasks = list(cars.tasks.prefetch("annotations"))
    for task, place, seconds in ((0, 0, 1.0), (0, 1, 2.0), (1, 0, 1.0), (1, 0, 3.0), (1, 1, 4.0)):
        annotation = tasks[task].annotations[place]
        client_of(cars.tasks).drafts.create(
            task=tasks[task], annotation=annotation, result=[box(9)], lead_time=seconds
        )
    return tasks


def test_a_draft_edits_the_annotation_that_is_created_again(
    ls: LabelStudio, cars: Project, ann: User
) -> None:
    kept, _ = drafted(cars, ann)
    wanted = set(edited(cars))
    with ls.dry_run():
        dry = dedupe(cars, keep="first")
    report = dedupe(cars, keep="first")
    assert report.ok, str(report)
    assert repr(report.counts["drafts"]) == repr(dry.counts["drafts"])
    assert repr(report.counts["drafts"]) == "<Summary: 2 created, 1 skipped>"
    assert edited(cars) == Counter(wanted)
    assert {loss.kind for loss in report.losses} == {"annotations"}
    first = kept.annotations[0]
    of = {draft.lead_time: draft.annotation_id for draft in ls.drafts.filter(task=kept)}
    assert of[1.0] == first.id
    assert of[3.0] not in (None, first.id)


@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("path", ["*/drafts", "*/annotations/"])
def test_drafts_after_an_interruption(path: str, after: int, fake: FakeLabelStudio) -> None:
    ls = fake.client(retries=AT_ONCE)
    cars = ls.projects.create(title="Cars", label_config=CONFIG)
    drafted(cars, ls.users.create(email="ann@example.com"))
    fake.store.execute("UPDATE annotation SET completed_by_id = NULL WHERE lead_time = 30")
    fake.store.execute("UPDATE draft SET user_id = 2 WHERE lead_time = 3")
    wanted = set(edited(cars))
    fake.fault("POST", path, Fault.reset(committed=True), times=None, after=after)
    with suppress(LabelStudioError):
        dedupe(cars, keep="first")
    fake._plans.clear()
    assert dedupe(cars, keep="first").ok
    assert cars.tasks.count() == 1
    assert edited(cars) == Counter(wanted)


def test_a_draft_whose_annotation_is_refused_stays(fake: FakeLabelStudio) -> None:
    ls = fake.client(retries=AT_ONCE)
    cars = ls.projects.create(title="Cars", label_config=CONFIG)
    drafted(cars, ls.users.create(email="ann@example.com"))
    wanted = set(edited(cars))
    fake.fault("POST", "*/annotations/", Fault.answer(400), after=1)
    assert not dedupe(cars, keep="first").ok
    assert cars.tasks.count() == 2
    assert set(edited(cars)) == wanted
    assert dedupe(cars, keep="first").ok
    assert cars.tasks.count() == 1
    assert edited(cars) == Counter(wanted)


def test_predictions_that_do_not_fit_the_config_come_along(cars: Project) -> None:
    cars.tasks.bulk_create([{"image": "a"}])
    odd = {"result": [{**box(1), "from_name": "gone"}], "model_version": "v0", "score": 0.5}
    cars.tasks.bulk_create([{"data": {"image": "a"}, "predictions": [odd]}])
    before = foretold(cars)
    assert dedupe(cars).counts["predictions"].created == 1
    assert foretold(cars) == before


def test_what_is_changed_meanwhile_stays(cars: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    one = [{"result": [box(1)]}]
    items = [{"data": {"image": image}, "annotations": one} for image in ("a", "a", "b", "b")]
    made = cars.tasks.bulk_create(items)
    create = deduping.create_once

    def meanwhile(client: LabelStudio, task: int, fields: Any) -> bool:
        if task == made[0].id:
            made[1].annotations.create(result=[box(2)])
        return create(client, task, fields)

    monkeypatch.setattr(deduping, "create_once", meanwhile)
    report = dedupe(cars)
    assert not report.ok
    assert [failure.item.id for failure in report.counts["tasks"].failed] == [made[1].id]
    assert report.removed == [made[3].id]
    monkeypatch.undo()
    report = dedupe(cars)
    assert report.removed == [made[1].id]
    assert repr(report.counts["annotations"]) == "<Summary: 1 created, 1 skipped>"
    assert sum(said(cars)["a"].values()) == 3


# -- interrupted ----------------------------------------------------------------------------------


def small_world() -> tuple[FakeLabelStudio, Project]:
    fake = FakeLabelStudio()
    ls = fake.client(retries=AT_ONCE)
    cars = ls.projects.create(title="Cars", label_config=CONFIG)
    for items in twice(ls.users.create(email="ann@example.com"), 6, 4):
        cars.tasks.bulk_create(items)
    return fake, cars


FAULTS = {
    "lost": Fault.reset(committed=True),
    "broken": Fault.reset(),
    "502": Fault.bad_gateway(),
    "500": Fault.answer(500),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("after", [0, 1, 3, 4, 5])
@pytest.mark.parametrize("keep", ["most annotations", "last"])
def test_an_interrupted_run_is_finished_by_the_next(name: str, after: int, keep: Any) -> None:
    fake, cars = small_world()
    before, models = said(cars), foretold(cars)
    for method in ("POST", "DELETE"):
        fake.fault(method, "*", FAULTS[name], times=None, after=after if method == "POST" else 0)
    with suppress(LabelStudioError):
        assert not dedupe(cars, keep=keep).ok
    assert said(cars).keys() == before.keys()
    fake._plans.clear()
    report = dedupe(cars, keep=keep)
    assert report.ok, str(report)
    assert said(cars) == before
    assert foretold(cars) == {image: sorted(set(found)) for image, found in models.items()}
    assert cars.tasks.count() == 6


def test_with_a_journal_the_choice_stands_and_the_report_is_of_all_runs(tmp_path: Path) -> None:
    fake, cars = small_world()
    before, ids = said(cars), list(cars.tasks.values_list("id", flat=True))
    path = tmp_path / "dedupe.db"
    fake.fault("DELETE", "*", FAULTS["502"])
    with pytest.raises(LabelStudioError):
        dedupe(cars, keep=lambda tasks: tasks[0], journal=path)
    fake._plans.clear()
    assert cars.tasks.count() == 7
    report = dedupe(cars, keep=lambda tasks: tasks[-1], journal=path)
    assert report.kept == {old: (old + 6,) for old in ids[:6]}
    assert said(cars) == before
    with pytest.raises(JournalMismatch, match=r"its key is 'data\.image', not 'data\.city'"):
        dedupe(cars, "data.city", keep=lambda tasks: tasks[-1], journal=path)


# -- laws -----------------------------------------------------------------------------------------

annotation = st.fixed_dictionaries(
    {
        "result": st.lists(st.builds(box, st.integers(0, 3)), max_size=1),
        "was_cancelled": st.booleans(),
        "ground_truth": st.booleans(),
        "completed_by": st.sampled_from([1, 2]),
    }
)
prediction = st.fixed_dictionaries(
    {
        "result": st.lists(st.builds(choice, st.integers(0, 1)), max_size=1),
        "model_version": st.sampled_from(["a", "b"]),
        "score": st.sampled_from([0.25, 0.5]),
    }
)
task = st.fixed_dictionaries(
    {
        "data": st.fixed_dictionaries(
            {"image": st.just("a"), "key": st.sampled_from(["a", "b", 1, 1.0, None])}
        ),
        "annotations": st.lists(annotation, max_size=3),
        "predictions": st.lists(prediction, max_size=2),
    }
)


def has_keys(items: list[Any]) -> bool:
    return any(one["data"]["key"] is not None for one in items)


@pytest.mark.slow
@settings(max_examples=60)
@given(
    items=st.lists(task, min_size=1, max_size=8).filter(has_keys),
    keep=st.sampled_from(["most annotations", "first", "last", last_seen]),
    after=st.none() | st.integers(0, 12),
    fault=st.sampled_from(sorted(FAULTS)),
    workers=st.sampled_from([1, 3]),
)
def test_nothing_that_was_said_is_lost_or_doubled(
    items: list[Any], keep: Any, after: int | None, fault: str, workers: int
) -> None:
    for n, item in enumerate(items):
        item["data"]["seen"] = n % 3
    fake = FakeLabelStudio()
    ls = fake.client(retries=AT_ONCE)
    ls.users.create(email="bob@example.com")
    cars = ls.projects.create(title="Cars", label_config=CONFIG)
    cars.tasks.bulk_create(items)
    before, models, tasks = said(cars, "key"), foretold(cars, "key"), list(cars.tasks)
    true = has_ground_truth(cars)
    unkeyed = [one for one in tasks if one.data["key"] is None]
    if after is not None:
        for method in ("POST", "DELETE"):
            fake.fault(method, "*", FAULTS[fault], times=None, after=after)
        with suppress(LabelStudioError):
            dedupe(cars, "data.key", keep=keep, workers=workers)
        fake._plans.clear()
    assert dedupe(cars, "data.key", keep=keep, workers=workers).ok
    fake.requests.clear()
    assert dedupe(cars, "data.key", keep=keep).kept == {}
    assert {one.method for one in fake.requests} == {"GET"}
    assert cars.tasks.count() == len(before) - bool(unkeyed) + len(unkeyed)
    assert said(cars, "key") == before
    assert has_ground_truth(cars) == true
    expected = {key: sorted(found if key is None else set(found)) for key, found in models.items()}
    assert {key: sorted(set(found)) for key, found in foretold(cars, "key").items()} == {
        key: sorted(set(found)) for key, found in expected.items()
    }
    assert [one for one in cars.tasks if one.data["key"] is None] == unkeyed
