"""Rows that other programs wrote, which this library would refuse to write, in every verb of a
migration: kept, or told of, and the others go on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from labelstudio_orm import LabelStudio, LabelStudioError, Project, Task
from labelstudio_orm._engine.models.relations import rows_inside
from labelstudio_orm._engine.records.inside import load
from labelstudio_orm._engine.records.origin import Origin
from labelstudio_orm._migrate.engine.fingerprints import canonical, digest, text_of
from labelstudio_orm._migrate.engine.remap import files_in, replace_files
from labelstudio_orm.errors import BadRequest
from labelstudio_orm.migrate import (
    Report,
    copy_project,
    dedupe,
    merge,
    restore,
    snapshot,
    split,
    sync,
    verify,
)
from labelstudio_orm.testing import FakeLabelStudio
from tests.helpers import client_of

CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="s" toName="text">'
    '<Choice value="A"/></Choices></View>'
)
REGION: dict[str, Any] = {
    "id": "r", "from_name": "s", "to_name": "text", "type": "choices", "value": {"choices": ["A"]},
}  # fmt: skip


def nested(levels: int, leaf: Any = 1.0) -> Any:
    for _ in range(levels):
        leaf = {"a": leaf}
    return leaf


BARE = {name: value for name, value in REGION.items() if name != "value"}
LARGE = {"text": "odd", "k": "odd", "n": 2**70, "x": 1e308}
ODDITIES: dict[str, tuple[str, Any]] = {
    "data that is a list": ("task.data", ["x"]),
    "data that is a text": ("task.data", "x"),
    "meta that is a list": ("task.meta", ["x"]),
    "meta that is a text": ("task.meta", "x"),
    "deep data": ("task.data", {"text": "odd", "k": "odd", "deep": nested(500)}),
    "large numbers": ("task.data", LARGE),
    "deep meta": ("task.meta", nested(500)),
    "year 1": ("task.created_at", "0001-01-01T00:00:00Z"),
    "year 9999": ("annotation.created_at", "9999-12-31T23:59:59Z"),
    "a region without a value": ("annotation.result", [BARE]),
    "a result that is an object": ("annotation.result", {"x": 1}),
    "a result of texts": ("annotation.result", ["A"]),
    "a deep result": ("annotation.result", [{**REGION, "value": nested(500)}]),
    "an annotation of numbers": ("annotation.result", [5]),
    "a value that is a text": ("annotation.result", [{**REGION, "value": "A"}]),
    "a name that is a number": ("annotation.result", [REGION, {**REGION, "from_name": 5}]),
    "a region without a type": ("annotation.result", [{"from_name": "s", "value": {}}]),
    "a prediction that is a text": ("prediction.result", "A"),
    "a prediction of texts": ("prediction.result", ["A"]),
    "a prediction without a value": ("prediction.result", [BARE]),
    "a draft that is an object": ("draft.result", {"x": 1}),
    "a draft that is a text": ("draft.result", "A"),
    "a draft of numbers": ("draft.result", [5]),
    "a draft without a value": ("draft.result", [BARE]),
    "a draft with a name that is a number": ("draft.result", [{**REGION, "from_name": 5}]),
}


def spoil(fake: FakeLabelStudio, odd: str, task: int = 2) -> None:
    """Write into the database, as the server itself would not let anybody."""
    place, value = ODDITIES[odd]
    table, column = place.split(".")
    stored = value if column == "created_at" else json.dumps(value)
    key = "id" if table == "task" else "task_id"
    fake.store.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", stored, task)


@pytest.fixture
def project(fake: FakeLabelStudio) -> Project:
    """Three tasks, with everything; the second one is to be odd."""
    client = fake.client()
    made = client.projects.create(title="Odd", label_config=CONFIG)
    said: list[Any] = [{"result": [REGION]}]
    made.tasks.bulk_create(
        [
            {"data": {"text": text, "k": text}, "annotations": said, "predictions": said}
            for text in ("a", "odd", "z")
        ]
    )
    for task in made.tasks:
        client.drafts.create(task=task.id, result=[REGION])
    return made


@pytest.fixture
def other() -> LabelStudio:
    """A client of another server."""
    return FakeLabelStudio("http://other.fake").client()


def told(report: Report) -> bool:
    """Does the report name what it could not carry over?"""
    failures = [one for summary in report.counts.values() for one in summary.failed]
    named = not failures or any("task 2" in str(one.item).lower() for one in failures)
    lost = [one for one in report.losses if one.field == "result"]
    return named and bool(failures or report.differences or lost)


def everything(project: Project) -> list[Any]:
    return [
        [task.raw["data"], task.raw["meta"], sorted(map(digest, _said(task)))]
        for task in project.tasks.prefetch("annotations", "predictions")
    ]


def _said(task: Any) -> list[Any]:
    return [one.raw["result"] for one in (*task.annotations, *task.predictions)]


def _rest(project: Project | None) -> set[Any]:
    assert project is not None
    datas = [data for data in project.tasks.values_list("data", flat=True) if type(data) is dict]
    return {data.get("text") for data in datas}


def _copied(project: Project, other: LabelStudio, folder: Path, odd: Any) -> Report:
    odd()
    return copy_project(project, to=other, journal=folder / "c.db", missing_users="create")


def _restored(project: Project, other: LabelStudio, folder: Path, odd: Any) -> Report:
    odd()
    assert snapshot(project, folder / "s.zip").ok
    return restore(folder / "s.zip", other, missing_users="create")


def _synced(project: Project, other: LabelStudio, folder: Path, odd: Any) -> Report:
    target = copy_project(project, to=other, journal=folder / "c.db", missing_users="create").target
    assert target is not None
    odd()
    first = sync(project, target, journal=folder / "c.db")
    again = sync(project, target, journal=folder / "c.db")
    assert again.ok is first.ok, "what it could not do is told each time"
    return first


def _said_more(project: Project) -> None:
    """Another annotation with a draft, another prediction and another draft of the task."""
    task = project.tasks.get(2)
    more = task.annotations.create(result=[REGION], lead_time=7)
    task.predictions.create(result=[REGION], score=0.5)
    for annotation in (more.id, None):
        client_of(project.tasks).drafts.create(
            task=2, result=[REGION], annotation=annotation, lead_time=9
        )


def _synced_with_more(project: Project, other: LabelStudio, folder: Path, odd: Any) -> Report:
    def more() -> None:
        _said_more(project)
        odd()

    return _synced(project, other, folder, more)


def _merged(project: Project, other: LabelStudio, folder: Path, odd: Any) -> Report:
    odd()
    into = other.projects.create(title="New", label_config=CONFIG)
    return merge([project], into=into, key="data.k", missing_users="create")


def _merged_into_some(project: Project, other: LabelStudio, folder: Path, odd: Any) -> Report:
    odd()
    into = other.projects.create(title="Old", label_config=CONFIG)
    into.tasks.bulk_create([{"text": text, "k": text} for text in ("a", "odd", "z")])
    return merge([project], into=into, key="data.k", missing_users="create")


def _split(project: Project, other: LabelStudio, folder: Path, odd: Any) -> Report:
    odd()
    return split(project, lambda task: "all", into="meta.split")


def _split_in_data(project: Project, other: LabelStudio, folder: Path, odd: Any) -> Report:
    odd()
    return split(project, lambda task: "all", into="data.split")


def _split_apart(project: Project, other: LabelStudio, folder: Path, odd: Any) -> Report:
    odd()
    done = split(project, lambda task: "all", into=other, missing_users="create")
    return attrs.evolve(done, target=done.projects["all"])


def _deduped(project: Project, other: LabelStudio, folder: Path, odd: Any) -> Report:
    odd()
    project.tasks.bulk_create([{"text": "odd", "k": "odd", "n": 1}])
    return dedupe(project, "data.text", keep="last")


VERBS = (
    _copied, _restored, _synced, _synced_with_more, _merged, _merged_into_some, _split,
    _split_in_data, _split_apart, _deduped,
)  # fmt: skip


def _pairs() -> list[Any]:
    """Return every verb with every oddity; those that read results no more than others with fewer.

    One of each verb is quick.
    """
    few = (_split, _split_in_data, _split_apart, _restored, _deduped)
    return [
        pytest.param(
            verb,
            odd,
            id=f"{verb.__name__.strip('_')}-{odd}",
            marks=() if number % len(VERBS) == place else pytest.mark.slow,
        )
        for place, verb in enumerate(VERBS)
        for number, odd in enumerate(ODDITIES)
        if verb not in few or not ODDITIES[odd][0].endswith(".result") or number % 3 == 0
    ]


@pytest.mark.parametrize(("verb", "odd"), _pairs())
def test_an_odd_row_is_kept_or_reported(
    fake: FakeLabelStudio,
    project: Project,
    other: LabelStudio,
    tmp_path: Path,
    verb: Callable[..., Report],
    odd: str,
) -> None:
    """And nothing but that: the other tasks are where they should be."""
    if verb in (_merged, _merged_into_some) and odd.startswith("data that"):
        with pytest.raises(ValueError, match=r"no data\.k, .*\[2\]\. Nothing was written"):
            verb(project, other, tmp_path, lambda: spoil(fake, odd))
        return
    report = verb(project, other, tmp_path, lambda: spoil(fake, odd))
    assert report.ok or told(report), str(report)
    assert {"a", "z"} <= _rest(report.target)
    is_whole = verb in (_copied, _restored, _synced, _synced_with_more)
    if report.ok and is_whole and report.target is not None:
        assert everything(report.target) == everything(project)
        assert verify(project, report.target).ok


RESULTS = [
    "a region without a value", "a result of texts", "a result that is an object",
    "a prediction without a value", "a draft that is an object", "a draft of numbers",
    "a draft without a value",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("odd", RESULTS)
@pytest.mark.parametrize("verb", [_copied, _synced], ids=["copied", "synced"])
def test_an_odd_row_mended_or_deleted_in_the_source_is_followed(
    fake: FakeLabelStudio,
    project: Project,
    other: LabelStudio,
    tmp_path: Path,
    verb: Callable[..., Report],
    odd: str,
) -> None:
    """It follows, or is told of; a server lets nobody change some odd annotations."""
    target = verb(project, other, tmp_path, lambda: spoil(fake, odd)).target
    assert target is not None
    table = ODDITIES[odd][0].split(".")[0]
    _said_more(project)
    fake.store.execute(f"DELETE FROM {table} WHERE task_id = 2 AND id = 2")
    sync(project, target, journal=tmp_path / "c.db")
    fake.store.execute(f"UPDATE {table} SET result = ? WHERE task_id = 2", json.dumps([REGION]))
    report = sync(project, target, journal=tmp_path / "c.db")
    assert report.ok or told(report), str(report)
    assert not report.ok or verify(project, target).ok
    assert {"a", "z"} <= _rest(target)


@pytest.mark.slow
@pytest.mark.parametrize("odd", RESULTS)
def test_what_is_odd_in_the_target(
    fake: FakeLabelStudio, project: Project, other: LabelStudio, tmp_path: Path, odd: str
) -> None:
    """It stays, or is told of, and what is well in the task is carried over."""
    there = FakeLabelStudio("http://third.fake")
    target = copy_project(
        project, to=there.client(), journal=tmp_path / "c.db", missing_users="create"
    ).target
    assert target is not None
    spoil(there, odd)
    _said_more(project)
    (annotation, *_) = project.tasks.get(2).annotations
    annotation.lead_time = 5.0
    annotation.save()
    report = sync(project, target, journal=tmp_path / "c.db", conflicts="source")
    assert report.ok or told(report), str(report)
    assert not report.ok or verify(project, target).ok
    assert target.tasks.get(2).total_annotations == 2


@pytest.mark.parametrize("prefer", ["first", "last"])
@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize(
    ("odd", "key"),
    [("data that is a list", "meta.k"), ("data that is a text", "meta.k"),
     ("meta that is a text", "data.k")],
)  # fmt: skip
def test_a_merge_by_what_is_not_odd(
    fake: FakeLabelStudio, other: LabelStudio, odd: str, key: str, is_there: bool, prefer: Any
) -> None:
    """A task that is there already keeps its data and meta."""
    tasks = [{"data": {"text": text, "k": text}, "meta": {"k": text}} for text in "az"]
    project = fake.client().projects.create(title="Odd", label_config=CONFIG)
    project.tasks.bulk_create(tasks)
    spoil(fake, odd, 1)
    into = other.projects.create(title="Into", label_config=CONFIG)
    into.tasks.bulk_create(tasks if is_there else [])
    report = merge([project], into=into, key=key, prefer=prefer)
    failed = [one.item for one in report.counts["tasks"].failed]
    is_refused = not is_there or prefer == "last"
    assert failed == (["task 1 of Odd (1)"] if is_refused else [])
    assert report.ok is not is_refused
    assert _rest(into) == ({"a", "z"} if is_there else {"z"})


def test_what_is_new_and_odd_is_told_of_at_once(
    fake: FakeLabelStudio, project: Project, other: LabelStudio, tmp_path: Path
) -> None:
    """A sync imports a new task without what no import takes of it."""
    target = copy_project(project, to=other, journal=tmp_path / "c.db").target
    assert target is not None
    new = project.tasks.create(data={"text": "new", "k": "new"})
    new.annotations.create(result=[REGION])
    spoil(fake, "a result that is an object", new.id)
    for _ in range(2):
        report = sync(project, target, journal=tmp_path / "c.db")
        assert [(one.kind, one.target) for one in report.differences] == [("annotations", None)]
    assert _rest(target) == {"a", "odd", "z", "new"}


@pytest.mark.parametrize("levels", [1, 400, 3000])
def test_no_depth_is_too_deep_for_content(levels: int) -> None:
    ours, theirs = nested(levels), nested(levels, 1)
    assert text_of(ours) == text_of(canonical(ours)) == text_of(theirs)
    assert text_of(ours) == '{"a":' * levels + "1" + "}" * levels
    assert digest(ours) != digest(nested(levels + 1))
    address = "/data/upload/1/1a2b3c4d-a.png"
    assert files_in(nested(levels, [address])) == {"upload/1/1a2b3c4d-a.png"}
    assert replace_files(nested(1, [address, 2]), lambda file: "new") == {"a": ["new", 2]}


def test_who_is_no_member_is_named(
    fake: FakeLabelStudio, project: Project, other: LabelStudio
) -> None:
    """An account that no list of the target shows."""
    email = "ann@example.com"
    ann = fake.client().users.create(email=email, username=email)
    project.tasks[0].annotations.create(result=[REGION], completed_by=ann)
    user = other.users.create(email=email, username=email)
    other.request("DELETE", f"/api/organizations/1/memberships/{user.id}/")
    with pytest.raises(BadRequest, match=f"{email}.*not a member.*missing_users"):
        copy_project(project, to=other, missing_users="create")
    assert not other.projects.count()


@pytest.mark.parametrize(
    "inside", [[{}], [[]], [None], "a", {"id": 1}, [{"id": "1"}], [{"id": 1}, 2]]
)
def test_rows_inside_that_are_none_are_an_error_each_time(inside: Any) -> None:
    """Also when they are touched again, and in a migration, which makes no objects of them."""
    origin = Origin(FakeLabelStudio().client(), prefetched=frozenset({"annotations"}), whole=True)
    row = {"id": 7, "project": 1, "data": {}, "annotations": inside}
    (task,) = load(Task, [row], origin)
    for _ in range(2):
        with pytest.raises(LabelStudioError, match=r"Task 7.*annotations are not objects with ids"):
            list(task.annotations)
    with pytest.raises(LabelStudioError, match="annotations are not objects with ids"):
        rows_inside(task, "annotations")
