"""Querysets as tables of pandas."""

from __future__ import annotations

import sys
from typing import Any

import pandas
import pytest

from labelstudio_orm import FieldError, LabelStudio, Project

CONFIG = '<View><Text name="text" value="$text"/><Rating name="stars" toName="text"/></View>'


@pytest.fixture
def project(ls: LabelStudio) -> Project:
    found = ls.projects.create(title="Tables", label_config=CONFIG)
    tasks = found.tasks.bulk_create([
        {"text": "a", "n": 1, "deep": {"x": [1]}},
        {"text": "b", "n": None},
        {"text": "c", "n": 2**53 + 1, "lang": "de"},
    ])  # fmt: skip
    tasks[1].annotations.create(result=[found.config["stars"].rating(4)])
    return found


def test_columns_are_those_that_were_named(project: Project) -> None:
    table = project.tasks.to_pandas("data__text", "total_annotations", "id")
    expected: list[tuple[Any, ...]] = list(
        project.tasks.values_list("data__text", "total_annotations", "id")
    )
    assert list(table.columns) == ["data__text", "total_annotations", "id"]
    assert list(table.itertuples(index=False, name=None)) == expected


def test_data_has_a_column_for_each_key(project: Project) -> None:
    table = project.tasks.to_pandas("id", "data", "meta")
    names = ["id", "data__text", "data__n", "data__deep", "data__lang", "meta"]
    assert list(table.columns) == names
    assert list(table["data__deep"].dropna()) == [{"x": [1]}]
    assert table["data__lang"].isna().tolist() == [True, True, False]


def test_values_keep_their_kinds(project: Project) -> None:
    table = project.tasks.to_pandas()
    assert table["data__n"].dtype == pandas.Int64Dtype()
    assert table["data__n"][2] == 2**53 + 1
    assert table["data__n"].isna().tolist() == [False, True, False]
    created = [task.created_at for task in project.tasks]
    assert [moment.to_pydatetime() for moment in table["created_at"]] == created
    assert str(table["created_at"].dt.tz) == "UTC"
    assert table["is_labeled"].dtype == pandas.BooleanDtype()
    assert table["is_labeled"].tolist() == [False, True, False]


def test_a_declared_field_has_one_type_whatever_is_in_it(project: Project) -> None:
    """Whole numbers, nothing but nulls, dates beside nulls, no row at all."""
    task = project.tasks[1]
    task.annotations.first().delete()  # type: ignore[union-attr]
    task.annotations.create(result=[project.config["stars"].rating(4)], lead_time=2.0)
    names = (
        "id",
        "avg_lead_time",
        "completed_at",
        "is_labeled",
        "state",
        "last_comment_updated_at",
    )
    tables = [
        tasks.to_pandas(*names)
        for tasks in (
            project.tasks,
            project.tasks.filter(id=task.id),
            project.tasks.exclude(id=task.id),
            project.tasks.filter(id=0),
        )
    ]
    assert [len(table) for table in tables] == [3, 1, 2, 0]
    date = f"{tables[1]['completed_at'].dtype}"
    for table in tables:
        assert [str(dtype) for dtype in table.dtypes] == [
            "Int64", "Float64", date, "boolean", "string", date,
        ]  # fmt: skip
    assert date.endswith("UTC]")
    assert tables[0]["avg_lead_time"].tolist() == [pandas.NA, 2.0, pandas.NA]
    assert project.annotations.filter(id=0).to_pandas("last_action").dtypes.tolist() == ["string"]


def test_what_has_no_rows_still_has_columns(project: Project) -> None:
    assert list(project.tasks.filter(id=0).to_pandas("id", "inner_id").columns) == [
        "id", "inner_id",
    ]  # fmt: skip
    empty = project.tasks.filter(id=0).to_pandas()
    assert len(empty) == 0
    assert "created_at" in empty.columns


def test_other_resources_have_tables(ls: LabelStudio, project: Project) -> None:
    table = ls.projects.filter(id=project.id).to_pandas("id", "title", "task_number")
    assert table.to_dict("records") == [{"id": project.id, "title": "Tables", "task_number": 3}]
    [row] = project.annotations.to_pandas("task_id", "result").to_dict("records")
    assert row["result"][0]["value"] == {"rating": 4}


def test_a_field_that_does_not_exist_is_refused(project: Project) -> None:
    with pytest.raises(FieldError, match="total_annotation"):
        project.tasks.to_pandas("total_anotations")


def test_a_dataframe_of_dask_has_the_same_rows(project: Project) -> None:
    names = ("id", "data", "completed_at")
    for tasks in (project.tasks, project.tasks.order_by("-id"), project.tasks.exclude(data__n=1)):
        table, frame = tasks.to_pandas(*names), tasks.to_dask(*names, npartitions=2)
        found = frame.compute(scheduler="sync")
        assert frame.npartitions == 2
        assert found.dtypes.equals(frame.dtypes)
        assert found[list(table)].dtypes.equals(table.dtypes)
        pandas.testing.assert_frame_equal(found[list(table)].reset_index(drop=True), table)


def test_without_pandas_it_says_what_to_install(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"labelstudio_orm\[pandas\]"):
        project.tasks.to_pandas("id")
