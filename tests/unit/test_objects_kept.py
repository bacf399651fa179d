"""What an object holds: rows of other clients, holds that outlive saves, verbs that fail."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labelstudio_orm
from labelstudio_orm import (
    Annotation,
    Conflict,
    LabelStudio,
    LabelStudioError,
    Prediction,
    Project,
    Q,
    Task,
)
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm._engine.http import connection
from labelstudio_orm._engine.models.resource import Resource
from labelstudio_orm._engine.records.origin import Origin
from labelstudio_orm._engine.values.codec import (
    baseline,
    copy_json,
    portable,
    renew,
    same_json,
    write_datetime,
)
from labelstudio_orm._engine.values.registry import registry
from labelstudio_orm.client import labelstudio_of
from labelstudio_orm.testing import FakeLabelStudio, Fault
from tests.conftest import CONFIG
from tests.helpers import present

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=10,
)
DATA = st.dictionaries(st.sampled_from(["text", "a", "b", "c"]), JSON, max_size=4)


def nested(depth: int, value: Any = None) -> Any:
    """A value in so many others."""
    for level in range(depth):
        value = [value] if level % 2 else {"in": value}
    return value


@pytest.fixture
def task(fake: FakeLabelStudio) -> Task:
    """A task with an annotation and a prediction."""
    project = fake.client().projects.create(title="Kept", label_config=CONFIG)
    made = project.tasks.create(data={"text": "a"})
    region = project.config["sentiment"].choice("Positive")
    made.annotations.create(result=[region], lead_time=2.0)
    made.predictions.create(result=[region], score=0.5)
    fake.requests.clear()
    return project.tasks.get(made.id)


def writes(fake: FakeLabelStudio) -> list[str]:
    return [one.method for one in fake.requests if one.method != "GET"]


# -- the codec ------------------------------------------------------------------------------------


@given(JSON)
def test_copies_are_the_same_and_apart(value: Any) -> None:
    made = copy_json(value)
    assert same_json(made, value)
    assert same_json(copy_json(baseline(value)), value)
    assert same_json(copy_json(portable(value)), value)
    if isinstance(value, (dict, list)):
        assert made is not value


@given(JSON, JSON)
def test_a_held_value_shows_what_is_there_now(held: Any, now: Any) -> None:
    before = copy.deepcopy(now)
    found = renew(held, copy.deepcopy(now))
    assert same_json(found, before)
    if type(held) is type(now) and isinstance(now, (dict, list)):
        assert found is held


@pytest.mark.parametrize("depth", [60, 450, 900, 5_000])
def test_nothing_recurses(depth: int) -> None:
    value, other = nested(depth, 1), nested(depth, 2)
    assert same_json(copy_json(value), value)
    assert same_json(copy_json(baseline(value)), value)
    assert not same_json(value, other)
    assert same_json(renew(value, other), nested(depth, 2))
    itself: list[Any] = []
    itself.append(itself)
    with pytest.raises(ValueError, match="contains itself"):
        copy_json(itself)


def test_a_shared_value_is_copied_for_each_place() -> None:
    shared = [1]
    made = copy_json({"a": shared, "b": shared})
    made["a"].append(2)
    assert made["b"] == [1]


def test_moments_at_the_ends_of_time() -> None:
    first = datetime(1, 1, 1, tzinfo=timezone.utc)
    assert write_datetime(first) == "0001-01-01T00:00:00.000000Z"
    with pytest.raises(ValueError, match="before the year 1"):
        write_datetime(datetime.fromisoformat("0001-01-01T00:00:00+14:00"))
    with pytest.raises(ValueError, match="after the year 9999"):
        write_datetime(datetime.fromisoformat("9999-12-31T23:59:59-12:00"))


# -- holds ----------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.lists(DATA, min_size=1, max_size=4))
def test_a_hold_on_data_outlives_saves(edits: list[dict[str, Any]]) -> None:
    project = FakeLabelStudio().client().projects.create(title="Held")
    task = project.tasks.create(data={"text": "a"})
    data = task.data
    for number, edit in enumerate(edits):
        data.update(edit)
        data["n"] = number
        task.save()
        assert task.data is data
        stored = project.tasks.get(task.id)
        assert same_json(stored.data, data)
        assert task.changes == {}


def test_an_inner_hold_outlives_what_the_server_changed(fake: FakeLabelStudio, task: Task) -> None:
    data, inner = task.data, {"a": 1}
    data["inner"] = inner
    answer = {"text": "a", "inner": {"a": 1, "more": 2}}
    task._absorb({**task._row, "data": answer}, sent=[options_of(Task).fields["data"]])
    assert data is task.data
    assert inner == {"a": 1, "more": 2}
    inner["b"] = 3
    task.save()
    assert task.refresh().data["inner"] == {"a": 1, "more": 2, "b": 3}


@pytest.mark.parametrize("model", [Task, Annotation, Prediction, Project])
def test_one_and_one_point_null_are_one_number(model: type[Resource]) -> None:
    for field in options_of(model).fields.values():
        if field.annotation in (int, float, int | None, float | None):
            assert field.same(1, 1.0)
            assert not field.same(1, True)


def test_a_score_that_is_there_is_nothing_to_do(fake: FakeLabelStudio, task: Task) -> None:
    predictions, annotation = present(task.project).predictions, task.annotations[0]
    predictions.all().update(score=1)
    assert predictions.all().update(score=1).skipped == 1
    assert predictions.all().update(score=1.0).skipped == 1
    annotation.lead_time = 2
    assert annotation.changes == {}


# -- somebody else --------------------------------------------------------------------------------


def test_a_change_that_leaves_updated_at_is_a_conflict(fake: FakeLabelStudio, task: Task) -> None:
    present(task.project).tasks.filter(id=task.id).update(data__split="train")
    assert present(task.project).tasks.get(task.id).updated_at == task.updated_at
    task.data["mine"] = 1
    with pytest.raises(Conflict, match="data"):
        task.save(check=True)
    task.refresh().data["mine"] = 1
    task.save(check=True)
    assert task.refresh().data == {"text": "a", "split": "train", "mine": 1}


def test_a_change_of_another_field_is_none(fake: FakeLabelStudio, task: Task) -> None:
    present(task.project).tasks.filter(id=task.id).update(data__split="train")
    task.meta = {"mine": 1}
    task.save(check=True)
    assert task.refresh().data["split"] == "train"


# -- rows of other clients ------------------------------------------------------------------------

ODD = [["a"], "text", 5, True, nested(500), 2**70, float("inf"), "0001-01-01T00:00:00+14:00"]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: f"{str(odd)[:12]}")
@pytest.mark.parametrize("wire", ["data", "meta", "result", "created_at", "overlap", "score"])
def test_odd_rows(fake: FakeLabelStudio, task: Task, wire: str, odd: Any) -> None:
    for one in (task, task.annotations[0], task.predictions[0]):
        if wire not in options_of(one).wires:
            continue
        row = {**one.raw, wire: odd}
        obj = type(one)._from_row(row, one._origin)
        value = getattr(obj, wire)
        assert isinstance(value, datetime) or same_json(value, odd)
        assert same_json(pickle.loads(pickle.dumps(obj)).raw, obj.raw)
        assert copy.deepcopy(obj).raw.keys() == obj.raw.keys()
        assert obj.changes == {}
        assert repr(obj)


def test_a_table_of_odd_data(fake: FakeLabelStudio, task: Task) -> None:
    pytest.importorskip("pandas")
    for data in (["a"], None, 5):
        obj = Task._from_row({**task.raw, "data": data}, task._origin)
        table = labelstudio_orm.QuerySet(Task, fake.client(), loaded=[task, obj]).to_pandas()
        assert table["data__text"][0] == "a"
        assert ("data" in table) == (data is not None)


def test_what_the_server_has_may_stay_odd(fake: FakeLabelStudio, task: Task) -> None:
    """A region without a value, which somebody else wrote, is saved with what was edited."""
    odd = {"from_name": "sentiment", "to_name": "text"}
    annotation = task.annotations[0]
    annotation._row["result"] = [*annotation.raw["result"], odd]
    annotation.result[0]["meta"] = {"text": ["seen"]}
    annotation.save()
    assert annotation.refresh().result[1] == odd
    annotation.result.append({"from_name": "sentiment"})
    with pytest.raises(ValueError, match=r"result\[2\]"):
        annotation.save()


def test_rows_inside_that_are_none(fake: FakeLabelStudio, task: Task) -> None:
    odd_rows: tuple[Any, ...] = ("x", [1], [{}], [{"id": 1}, {"id": "a"}], {"a": 1})
    for odd in odd_rows:
        obj = Task._from_row(
            {**task.raw, "annotations": odd},
            Origin(fake.client(), prefetched=frozenset({"annotations"}), fetched=True),
        )
        with pytest.raises(LabelStudioError, match="annotations are not objects"):
            list(obj.annotations)


NO_VALUE = {"from_name": "sentiment", "to_name": "text", "type": "choices"}
UNUSABLE = [[NO_VALUE], ["Positive"], "Positive", {"sentiment": "Positive"}, [None], [{}]]
MAKE: dict[str, Callable[[Task, Any], Any]] = {
    "annotation": lambda task, result: task.annotations.create(result=result),
    "prediction": lambda task, result: task.predictions.create(result=result),
    "draft": lambda task, result: labelstudio_of(task).drafts.create(task=task, result=result),
    "save": lambda task, result: (
        setattr(task.annotations[0], "result", result) or task.annotations[0].save()
    ),
    "update": lambda task, result: task.annotations.all().update(result=result),
    "of all": lambda task, result: present(task.project).tasks.all().create_annotations(result),
    "import": lambda task, result: present(task.project).tasks.bulk_create(
        [{"data": {"text": "a"}, "annotations": [{"result": result}]}]
    ),
    "predictions": lambda task, result: present(task.project).predictions.bulk_create(
        [{"task": task, "result": result}]
    ),
}


@pytest.mark.parametrize("how", [name for name in MAKE if name not in ("save", "predictions")])
@pytest.mark.parametrize("result", UNUSABLE, ids=str)
def test_results_that_no_server_can_use(
    fake: FakeLabelStudio, task: Task, how: str, result: Any
) -> None:
    with pytest.raises((TypeError, ValueError), match="result"):
        MAKE[how](task, result)
    assert writes(fake) == []


# -- verbs that fail ------------------------------------------------------------------------------

VERBS: dict[str, Callable[[Project], Any]] = {
    "rename": lambda project: project.labels.rename("Positive", "Good"),
    "add": lambda project: project.labels.add("New", control="sentiment"),
    "remove": lambda project: project.labels.remove("Neutral"),
    "merge": lambda project: project.labels.merge(["Neutral"], into="Positive"),
    "new label": lambda project: project.labels.merge(["Neutral"], into="Other"),
    "refresh": lambda project: project.refresh(),
    "delete": lambda project: project.delete(),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_that_failed_leaves_the_object(fake: FakeLabelStudio, task: Task, verb: str) -> None:
    project = fake.client().projects.get(task.project_id)
    before = project.raw
    method = {"refresh": "GET", "delete": "DELETE"}.get(verb, "PATCH")
    fake.fault(method, "/api/projects/*", Fault.answer(400, {"detail": "no"}))
    with pytest.raises(LabelStudioError):
        VERBS[verb](project)
    assert project.changes == {}
    assert project.label_config == before["label_config"]
    project.description = "still mine"
    project.save()


def test_a_failed_update_leaves_what_is_here(fake: FakeLabelStudio, task: Task) -> None:
    here = present(task.project).tasks.prefetch("annotations").get(id__in=[task.id])
    before = here.annotations[0].lead_time
    fake.fault("PATCH", "/api/annotations/*", Fault.answer(400, {"detail": "no"}))
    with pytest.raises(LabelStudioError):
        here.annotations.all().update(lead_time=9.0)
    assert here.annotations[0].lead_time == before
    assert here.annotations[0].changes == {}
    fake.fault("PATCH", "/api/annotations/*", Fault.answer(400, {"detail": "no"}))
    with pytest.raises(LabelStudioError):
        here.annotations.update_or_create({"lead_time": 9.0}, ground_truth=False)
    assert here.annotations[0].changes == {}


def test_a_failed_save_does_not_bind_an_object_to_the_server(fake: FakeLabelStudio) -> None:
    other = FakeLabelStudio("http://other.fake").client()
    project = Project(title="Somewhere")
    fake.fault("POST", "/api/projects/", Fault.answer(400, {"detail": "no"}))
    with pytest.raises(LabelStudioError):
        project.save(using=fake.client())
    assert project.save(using=other)._server == other.url


def test_a_failed_save_of_a_view_leaves_its_data(fake: FakeLabelStudio, task: Task) -> None:
    view = present(task.project).views.create(title="One", filters=Q(id=1))
    del view.data["filters"]
    fake.fault("PATCH", "/api/dm/views/*", Fault.answer(400, {"detail": "no"}))
    with pytest.raises(LabelStudioError):
        view.save()
    assert "filters" not in view.data


# -- what tools look at ---------------------------------------------------------------------------


@pytest.mark.parametrize("model", registry.values(), ids=lambda model: model.__name__)
def test_tools_look_without_a_client(
    model: type[Resource], fake: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_default", None)
    assert inspect.getmembers(model)
    assert mock.create_autospec(model)
    assert mock.Mock(spec=model)
    assert dir(model)
    ls: LabelStudio = fake.client()
    row = {options_of(model).key_wire or "x": 1}
    saved = model._from_row(row, Origin(ls, whole=True, fetched=True))
    new = model._from_row({}, Origin())
    for obj in (saved, new):
        assert not hasattr(obj, "objects")
        assert mock.Mock(spec=obj)
        assert not hasattr(obj, "nothing_of_the_kind")
    assert inspect.getmembers(new)
    with pytest.raises((ValueError, AttributeError), match="connect"):
        _ = model.objects
