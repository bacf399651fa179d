"""Tables and files as tasks: what comes out of a table of tasks goes in as it was."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import datasets
import numpy
import pandas
import polars
import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import csv, dataset, parquet

from labelstudio_orm import BadRequest, LabelStudio, Project
from labelstudio_orm.testing import FakeLabelStudio

Make = Callable[[Any], Any]


@pytest.fixture
def empty(ls: LabelStudio) -> Project:
    return ls.projects.create(title="Empty")


def data_in(project: Project) -> list[dict[str, Any]]:
    return [task.data for task in project.tasks]


# -- round trips ----------------------------------------------------------------------------------

PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False,
    allow_infinity=False), st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
)  # fmt: skip
NESTED = PLAIN | st.lists(PLAIN, max_size=2) | st.dictionaries(st.sampled_from("xy"), PLAIN)
NAMES = st.sampled_from(["a", "a__b", "a.b", "id", "gt", "é", "data", "b_"])


def rows_of(*kinds: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Some rows, all of whose values are of one of the kinds."""
    return st.one_of(
        *(
            st.lists(st.dictionaries(NAMES, kind, min_size=1, max_size=4), min_size=1, max_size=3)
            for kind in kinds
        )
    )


ANY = rows_of(st.integers(0, 9), NESTED)
WAYS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Project, Path], Any]]] = {
    "pandas": (ANY, lambda project, _: project.tasks.to_pandas()),
    "arrow": (ANY, lambda project, _: project.tasks.to_arrow()),
    "datasets": (ANY, lambda project, _: project.tasks.to_datasets()),
    "parquet": (ANY, lambda project, path: project.tasks.to_parquet(path / "a.parquet")),
    # Which has no columns of JSON, and no metadata for them.
    "polars": (
        rows_of(st.integers(0, 9), st.booleans(), st.floats(0, 1), st.text("ab", max_size=3)),
        lambda project, _: project.tasks.to_polars(),
    ),
}


def same(one: Any, other: Any) -> bool:
    """Equal as JSON, but for a whole number that is the float of its value."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) and isinstance(one, bool) is isinstance(other, bool)


@pytest.mark.parametrize("way", WAYS)
def test_what_goes_out_as_a_table_comes_in_as_it_was(way: str, tmp_path: Path) -> None:
    values, out = WAYS[way]

    @settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
    @given(st.data())
    def law(draw: st.DataObject) -> None:
        rows = draw.draw(values)
        with FakeLabelStudio().client() as ls:
            first, second = (ls.projects.create(title=f"{number} one") for number in (1, 2))
            first.tasks.bulk_create({"data": one} for one in rows)
            second.tasks.bulk_create(out(first, tmp_path))
            names = {name for row in rows for name in row}
            # A table has each column in each row.
            expected = [{name: row.get(name) for name in names} for row in rows]
            assert all(map(same, data_in(second), expected))
            assert second.task_number == len(rows)

    law()


# -- values ---------------------------------------------------------------------------------------

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
FRAME = pandas.DataFrame({
    "n": [1.5, math.nan], "i": pandas.array([7, None], dtype="Int64"), "t": [NOON, pandas.NaT],
    "c": pandas.Categorical(["x", None]), "l": [numpy.array([1, 2]), None],
    "d": [Decimal("0.5"), None], "o": [{"deep": math.nan}, [pandas.NA]],
})  # fmt: skip
PLAINLY: list[dict[str, Any]] = [
    {"n": 1.5, "i": 7, "t": "2026-01-31T12:00:00+00:00", "c": "x", "l": [1, 2], "d": 0.5,
     "o": {"deep": None}},
    {"n": None, "i": None, "t": None, "c": None, "l": None, "d": None, "o": [None]},
]  # fmt: skip


def test_cells_become_json(empty: Project) -> None:
    empty.tasks.bulk_create(FRAME)
    assert data_in(empty) == PLAINLY


def test_deeply_nested_values_go_out_and_in(empty: Project, tmp_path: Path) -> None:
    deep: dict[str, Any] = {}
    for _ in range(900):
        deep = {"a": deep}
    project = empty.tasks.create(data={"deep": deep}).project
    assert project is not None
    for table in (project.tasks.to_parquet(tmp_path / "a.parquet"), project.tasks.to_pandas()):
        assert empty.tasks.bulk_create(table).summary.created >= 1
    assert len({json.dumps(one) for one in data_in(empty)}) == 1


ROWS: list[dict[str, Any]] = [{"text": "a", "n": 1}, {"text": "b", "n": None}]
TABLES: dict[str, Make] = {
    "a dataframe": pandas.DataFrame,
    "a dataframe with numbers of rows": lambda rows: pandas.DataFrame(rows, index=[7, 7]),
    "a table of Arrow": pyarrow.Table.from_pylist,
    "a batch": lambda rows: pyarrow.RecordBatch.from_pylist(rows),
    "a reader": lambda rows: pyarrow.Table.from_pylist(rows).to_reader(),
    "a dataset of Arrow": lambda rows: dataset.dataset(pyarrow.Table.from_pylist(rows)),
    "a dataframe of polars": polars.DataFrame,
    "a lazy one": lambda rows: polars.DataFrame(rows).lazy(),
    "a dataset": datasets.Dataset.from_list,
    "a stream": lambda rows: datasets.Dataset.from_list(rows).to_iterable_dataset(),
    "a generator": iter,
}


@pytest.mark.parametrize("case", TABLES)
def test_a_table_of_any_library_is_taken(case: str, empty: Project) -> None:
    made = empty.tasks.bulk_create(TABLES[case](ROWS))
    assert made.summary.created == 2
    assert data_in(empty) == ROWS


def test_a_table_with_a_key_may_be_given_again(empty: Project) -> None:
    table = pandas.DataFrame(ROWS)
    for number in (2, 0):
        made = empty.tasks.bulk_create(table, key="data.text", on_conflict="skip")
        assert (made.summary.created, made.summary.skipped) == (number, 2 - number)
    assert empty.tasks.count() == 2


def test_the_columns_of_a_table_of_tasks_are_data_and_meta(empty: Project) -> None:
    region = {"from_name": "a", "to_name": "b", "type": "rating", "value": {"rating": 1}}
    table = pandas.DataFrame({
        "id": [5], "total_annotations": [3], "data__a": [1], 'data["x.y"]': [2], "meta__b": [3],
        "annotations": [[{"result": [region]}]],
    })  # fmt: skip
    [task] = empty.tasks.bulk_create(table)
    assert (task.data, task.meta) == ({"a": 1, "x.y": 2}, {"b": 3})
    assert empty.annotations.get().result == [region]


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "a column that would be lost": (
        lambda: pandas.DataFrame({"data__a": [1], "lang": ["de"]}),
        ValueError,
        "the column 'lang' is no field of a task.*name it data__lang",
    ),
    "a column inside another one": (
        lambda: pandas.DataFrame({"data__a__b": [1], "data__a": ["x"]}),
        ValueError,
        "the column 'data__a__b' is a part of the column 'data__a'",
    ),
    "two columns of one name": (
        lambda: pandas.DataFrame([["a", "b"]], columns=["text", "text"]),
        ValueError,
        "several columns are named 'text'",
    ),
    "a value that JSON does not have": (
        lambda: pandas.DataFrame({"text": ["a", b"b"]}),
        TypeError,
        r"row 1: data\.text is a bytes",
    ),
    "several splits": (
        lambda: datasets.DatasetDict({"test": datasets.Dataset.from_list(ROWS)}),
        TypeError,
        r"dataset\['test'\]",
    ),
    "a series": (lambda: pandas.Series(["a"]), TypeError, "a task must be a dict"),
    "a file that is not there": (lambda: "no.csv", FileNotFoundError, "there is no file no.csv"),
    "a file of another kind": (lambda: Path("a.xls"), FileNotFoundError, "no file a.xls"),
    "a text": (lambda: "text", TypeError, "not a str"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_a_task_is_refused(case: str, empty: Project) -> None:
    make, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        empty.tasks.bulk_create(make())
    assert empty.tasks.count() == 0


def test_a_refused_row_is_named(ls: LabelStudio) -> None:
    config = '<View><Text name="t" value="$text"/></View>'
    project = ls.projects.create(title="Texts", label_config=config)
    table = pandas.DataFrame({"text": ["a", None, "c"]})
    with pytest.raises(BadRequest, match="row 1 was refused"):
        project.tasks.bulk_create(table)
    made = project.tasks.bulk_create(table, on_error="collect")
    assert [one.place for one in made.summary.failed] == [1]
    assert len(made) == 2


# -- files ----------------------------------------------------------------------------------------

FILES: dict[str, tuple[Callable[[Path], object], list[dict[str, Any]]]] = {
    "a.json": (lambda path: path.write_text(json.dumps(ROWS)), ROWS),
    "a.jsonl": (lambda path: path.write_text("\n".join(map(json.dumps, ROWS))), ROWS),
    "a.ndjson": (lambda path: path.write_text("\n\n".join(map(json.dumps, ROWS))), ROWS),
    "a.csv": (
        lambda path: csv.write_csv(pyarrow.Table.from_pylist(ROWS), path),
        [{"text": "a", "n": "1"}, {"text": "b", "n": ""}],
    ),
    "a.TSV": (
        lambda path: path.write_text("﻿text\tn\na\t1\n", "utf-8"),
        [{"text": "a", "n": "1"}],
    ),
    "a.parquet": (lambda path: parquet.write_table(pyarrow.Table.from_pylist(ROWS), path), ROWS),
    "of tasks.csv": (lambda path: path.write_text("id,data__a\n1,b\n"), [{"a": "b"}]),
}


@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize("name", FILES)
def test_a_file_is_taken_by_its_path(
    name: str, as_text: bool, empty: Project, tmp_path: Path
) -> None:
    write, expected = FILES[name]
    path = tmp_path / name
    write(path)
    assert len(empty.tasks.bulk_create(str(path) if as_text else path)) == len(expected)
    assert data_in(empty) == expected


BROKEN = {
    "a.jsonl": ('{"text": "a"}\n{', r"a\.jsonl: line 2: "),
    "a.csv": ("text,n\na,1\nb\n", r"a\.csv: line 3 does not have as many cells"),
    "b.csv": ("text,text\na,b\n", r"b\.csv: several columns are named 'text'"),
    "c.csv": (
        "data__text,annotations\na,\nb,[\n",
        r"c\.csv: line 3: the column 'annotations' must hold JSON, not '\['",
    ),
    "d.csv": (f"text\n{'x' * 200_000}\n", r"d\.csv: .*field_size_limit\(10\*\*8\)"),
    "a.json": ("[", r"a\.json: "),
    "a.parquet": ("PAR", r"a\.parquet: "),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named_with_the_place(name: str, empty: Project, tmp_path: Path) -> None:
    text, message = BROKEN[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        empty.tasks.bulk_create(tmp_path / name)


def test_a_file_is_read_as_it_is_sent(
    empty: Project, tmp_path: Path, fake: FakeLabelStudio
) -> None:
    """What stands behind a broken line was not read, and what stands before is there."""
    lines = [json.dumps({"text": f"{n}"}) for n in range(30)]
    (tmp_path / "a.jsonl").write_text("\n".join([*lines, "{"]))
    with pytest.raises(ValueError, match="line 31"):
        empty.tasks.bulk_create(tmp_path / "a.jsonl", batch_size=10)
    assert empty.tasks.count() in (20, 30)
