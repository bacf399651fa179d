"""What was exported is imported again, with all that an import takes; the rest is refused."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelstudio_orm import BadRequest, LabelStudio, LabelStudioError, Project, User, from_export
from labelstudio_orm._engine.http.releases import UNSKIPPABLE
from labelstudio_orm.resources._tasks.exported import items_of
from labelstudio_orm.testing import FakeLabelStudio
from labelstudio_orm.testing.fake import Fault
from tests.helpers import is_on_tested_release

CONFIG = """\
<View>
  <Text name="text" value="$text"/>
  <Choices name="mood" toName="text"><Choice value="Calm"/><Choice value="Wild"/></Choices>
</View>
"""


@pytest.fixture
def bob(ls: LabelStudio) -> Iterator[User]:
    made = ls.users.create(email=f"bob-{uuid.uuid4().hex[:6]}@example.com")
    yield made
    made.delete()


@pytest.fixture
def pond(project: Project, bob: User) -> Project:
    project.label_config = CONFIG
    project.save()
    mood = project.config["mood"]
    said: list[Any] = [
        {
            "result": [mood.choice("Wild")],
            "completed_by": bob,
            "lead_time": 1.5,
            "ground_truth": True,
        },
        {"result": [], "was_cancelled": True},
    ]
    model = {"result": [mood.choice("Calm")], "score": 0.5, "model_version": "v1"}
    project.tasks.bulk_create(
        [
            {"data": {"text": "é \u2028 & <"}, "meta": {"m": [1]}, "annotations": said,
             "predictions": [model, {**model, "model_version": "v2"}]},
            {"data": {"text": "b"}, "allow_skip": not is_on_tested_release(UNSKIPPABLE)},
            *({"text": str(n)} for n in range(20)),
        ]
    )  # fmt: skip
    return project


@pytest.fixture
def again(ls: LabelStudio) -> Iterator[Project]:
    made = ls.projects.create(title="Again", label_config=CONFIG)
    yield made
    made.delete()


def said(project: Project) -> list[Any]:
    annotation = ("result", "completed_by_id", "was_cancelled", "ground_truth", "lead_time")
    prediction = ("result", "score", "model_version")
    return [
        [
            task.data,
            task.meta,
            sorted(repr([getattr(one, name) for name in annotation]) for one in task.annotations),
            sorted(repr([getattr(one, name) for name in prediction]) for one in task.predictions),
        ]
        for task in project.tasks.prefetch("annotations", "predictions")
    ]


def test_an_imported_export_equals_the_project(
    pond: Project, again: Project, tmp_path: Path
) -> None:
    """By rows, by the file, and of a selection."""
    before = said(pond)
    path = pond.export("JSON", tmp_path / "pond.json")
    rows = json.loads(path.read_text())
    whole = [one for row in rows for one in row["predictions"]]
    assert {one["model_version"] for one in whole} == {"v1", "v2"}
    ids = [one.id for one in pond.tasks[0].annotations]
    again.tasks.bulk_create(rows)
    assert said(again) == before
    assert sorted(one.import_id or 0 for one in again.tasks[0].annotations) == sorted(ids)
    again.tasks.all().delete()
    job = again.imports.create(file=path).wait()
    assert (job.task_count, job.annotation_count, job.prediction_count) == (22, 2, 2)
    assert said(again) == before
    again.tasks.all().delete()
    few = pond.tasks.filter(data__text="é \u2028 & <").export("JSON", tmp_path / "few.json")
    again.imports.create(json.loads(few.read_text()))
    assert said(again) == before[:1]


def test_authors_are_kept_mapped_or_dropped_by_policy(
    ls: LabelStudio, pond: Project, again: Project, bob: User, tmp_path: Path
) -> None:
    rows = json.loads(pond.export("JSON", tmp_path / "pond.json").read_text())
    me = ls.users.me()
    for authors, wanted in (
        ({bob.id: me, me.id: bob.email}, {me.id, bob.id}),
        (me, {me.id}),
        (bob.email, {bob.id}),
        (bob.id, {bob.id}),
    ):
        again.tasks.all().delete()
        again.tasks.bulk_create(from_export(rows, authors=authors))
        found = {one.completed_by_id for one in again.tasks[0].annotations}
        assert found == wanted
    again.tasks.all().delete()
    with pytest.raises(ValueError, match=rf"item 0, annotations\[\d\]: authors= has.*{bob.id}"):
        again.tasks.bulk_create(from_export(rows, authors={me.id: me}))
    with pytest.raises(BadRequest, match="99999"):  # nobody is of that number there
        again.tasks.bulk_create(from_export(rows, authors=99_999))
    assert again.tasks.count() == 0


def test_drafts_are_refused_or_left_out(
    ls: LabelStudio, pond: Project, again: Project, tmp_path: Path
) -> None:
    task, before = pond.tasks[0], said(pond)
    ls.drafts.create(task=task.id, result=[pond.config["mood"].choice("Calm")])
    path = pond.export("JSON", tmp_path / "pond.json")
    rows = json.loads(path.read_text())
    with pytest.raises(ValueError, match=r"item 0: it has 1 drafts.*leave_out=\[\"drafts\"\]"):
        again.tasks.bulk_create(rows)
    with pytest.raises(ValueError, match=r"pond\.json: task 1: it has 1 drafts"):
        again.imports.create(file=path)
    assert again.tasks.count() == 0
    again.tasks.bulk_create(from_export(rows, leave_out=["drafts"]))
    assert said(again) == before


def test_ids_of_predictions_are_refused_or_left_out(
    pond: Project, again: Project, tmp_path: Path
) -> None:
    """As the server itself exports them, and a file that was exported otherwise has them."""
    path = pond.export("JSON", tmp_path / "pond.json")
    rows = json.loads(path.read_text())
    rows[0]["predictions"] = [one["id"] for one in rows[0]["predictions"]]
    path.write_text(json.dumps(rows))
    with pytest.raises(ValueError, match="item 0: only the ids of its 2 predictions"):
        again.tasks.bulk_create(rows)
    with pytest.raises(ValueError, match=r"pond\.json: task 1: only the ids of its 2 predictions"):
        again.imports.create(file=path)
    assert again.tasks.count() == 0
    again.tasks.bulk_create(from_export(rows, leave_out=["predictions"]))
    assert again.annotations.count() == 2


@pytest.mark.parametrize("format", ["JSON_MIN", "CSV", "TSV"])
def test_flat_rows_are_refused(pond: Project, again: Project, tmp_path: Path, format: str) -> None:
    import csv

    suffix = {"JSON_MIN": "json"}.get(format, format.lower())
    path = pond.export(format, tmp_path / f"pond.{suffix}")
    text = path.read_text()
    rows = (
        json.loads(text)
        if suffix == "json"
        else list(csv.DictReader(io.StringIO(text), delimiter="\t" if suffix == "tsv" else ","))
    )
    with pytest.raises(ValueError, match=r"item 0: .*JSON_MIN, CSV or TSV.*export\(.JSON"):
        again.tasks.bulk_create(rows)
    if suffix == "json":
        with pytest.raises(ValueError, match=r"pond\.json: task 1: .*JSON_MIN"):
            again.imports.create(file=path)
    assert again.tasks.count() == 0


def test_without_predictions_the_file_is_as_the_server_wrote_it(
    project: Project, tmp_path: Path, asked: Callable[[], list[str]]
) -> None:
    project.tasks.bulk_create([{"text": "a"}])
    project.refresh()
    asked()
    project.export("JSON", tmp_path / "a.json")
    assert asked() == [f"GET /api/projects/{project.id}/export"]


def test_rows_of_another_shape_are_told(pond: Project, again: Project, tmp_path: Path) -> None:
    (row, *_) = json.loads(pond.export("JSON", tmp_path / "pond.json").read_text())
    for key in ("annotations", "predictions"):
        for odd in (None, 5, [1], "a"):
            with pytest.raises((TypeError, ValueError), match=f"item 0.*{key}"):
                again.tasks.bulk_create([{**row, key: [odd]}])
    assert again.tasks.count() == 0


# -- in memory ------------------------------------------------------------------------------------


def exported(fake: FakeLabelStudio, folder: Path) -> tuple[LabelStudio, list[Any]]:
    ls = fake.client()
    project = ls.projects.create(title="Pond", label_config=CONFIG)
    mood = project.config["mood"]
    project.tasks.bulk_create(
        [{"data": {"text": "a"}, "annotations": [{"result": [mood.choice("Calm")]}]}]
    )
    return ls, json.loads(project.export("JSON", folder / "a.json").read_text())  # fmt: skip


def test_what_is_not_known_is_refused(fake: FakeLabelStudio, tmp_path: Path) -> None:
    ls, rows = exported(fake, tmp_path)
    again = ls.projects.create(title="Again", label_config=CONFIG)
    changes: tuple[Callable[[dict[str, Any]], None], ...] = (
        lambda row: row.update(reviews=[1]),
        lambda row: row["annotations"][0].update(reviews=[1]),
        lambda row: row["predictions"].append({"result": [], "reviews": 1}),
    )
    for change in changes:
        odd = json.loads(json.dumps(rows))
        change(odd[0])
        with pytest.raises(ValueError, match=r"item 0.*'reviews' is not kept by an import"):
            again.tasks.bulk_create(odd)
    with pytest.raises(ValueError, match="'id' is not kept"):  # which nobody exported so
        again.tasks.bulk_create([{"id": 1, "data": {"text": "a"}}])
    with pytest.raises(ValueError, match="leave_out must be a list"):
        list(from_export(rows, leave_out=["annotations"]))  # type: ignore[list-item]
    assert again.tasks.count() == 0


def test_a_server_that_stored_less_is_told(fake: FakeLabelStudio, tmp_path: Path) -> None:
    ls, _ = exported(fake, tmp_path)
    again = ls.projects.create(title="Again", label_config=CONFIG)
    body = {"task_count": 1, "annotation_count": 0, "prediction_count": 0, "task_ids": [7]}
    fake.fault("POST", "/api/projects/*/import", Fault.answer(201, body))
    with pytest.raises(LabelStudioError, match=r"0 of 1 annotations; their ids are \[7\]"):
        again.imports.create(file=tmp_path / "a.json")


@settings(max_examples=40)
@given(
    st.lists(st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=6), max_size=4),
    st.sampled_from([None, 1]),
    st.integers(1, 40),
)  # fmt: skip
def test_items_are_read_one_by_one(items: list[Any], indent: int | None, step: int) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(step)

    for ascii in (True, False):
        text = json.dumps(items, indent=indent, ensure_ascii=ascii).encode("utf-8", "replace")
        try:
            text.decode()
            wanted = json.loads(text)
        except ValueError:
            continue
        assert list(items_of(Slow(text))) == wanted
        for cut in range(0, len(text) - 1, 17):
            with pytest.raises(json.JSONDecodeError):
                list(items_of(Slow(text[:cut])))
