"""Batches of values become wider as they come, and no value is lost on the way."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from labelstudio_orm._engine.reading.tables import to_pandas
from labelstudio_orm._tables.arrow import rows_of, to_arrow, to_parquet
from labelstudio_orm._tables.columns import Batch, Column, Sort, joined, sort_of

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(2**52, 2**64), st.floats(),
    st.text(st.characters(), max_size=3), st.sampled_from(["\ud800", '"a"', "[1]"]),
    st.lists(st.integers(0, 3) | st.text(max_size=2), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(0, 3), max_size=2),
)  # fmt: skip
ROWS = st.lists(
    st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)
    | st.dictionaries(st.sampled_from("abc"), st.integers(0, 9), max_size=3),
    max_size=4,
)


def batch(rows: list[dict[str, Any]]) -> Batch:
    names = dict.fromkeys(name for row in rows for name in row)
    values = {name: [row.get(name) for row in rows] for name in names}
    columns = tuple(Column(name, sort_of(values[name], Sort.NOTHING)) for name in names)
    return Batch(columns, tuple(values.values()), len(rows))


def same(one: Any, other: Any) -> bool:
    """Equal as JSON; a whole number is the float of its value."""
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other) and isinstance(one, bool) is isinstance(other, bool)


def all_same(found: list[dict[str, Any]], batches: list[list[dict[str, Any]]]) -> bool:
    rows = [row for some in batches for row in some]
    return len(found) == len(rows) and all(
        same(row.get(name), one.get(name))
        for row, one in zip(rows, found, strict=True)
        for name in "abc"
    )


@settings(max_examples=30)
@given(st.lists(ROWS.filter(any), min_size=1, max_size=3))
def test_a_table_of_arrow_has_every_value(batches: list[list[dict[str, Any]]]) -> None:
    table = to_arrow(map(batch, batches), "to_arrow()")
    assert all_same(list(rows_of(table.to_batches())), batches)


@settings(max_examples=30)
@given(st.lists(ROWS.filter(any), min_size=1, max_size=3))
def test_a_dataframe_has_every_value(batches: list[list[dict[str, Any]]]) -> None:
    table = to_pandas(map(batch, batches))
    rows = [
        {name: None if _is_null(one) else one for name, one in row.items()}
        for row in table.astype(object).to_dict("records")
    ]
    assert all_same(
        rows, [[{k: None if _is_null(v) else v for k, v in row.items()} for row in some]
               for some in batches],
    )  # fmt: skip


def _is_null(value: Any) -> bool:
    return value is pandas.NA or (isinstance(value, float) and math.isnan(value))


@pytest.mark.parametrize("parts", [1, 4])
def test_a_file_has_every_value_where_later_batches_are_wider(parts: int, tmp_path: Path) -> None:
    batches: Any = [
        [{"a": 1, "b": "x"}],
        [{"a": 0.5, "b": "y"}],
        [{"a": None, "b": {"deep": [1]}}],
        [{"c": True}],
    ][:parts]
    path = tmp_path / "a.parquet"
    assert to_parquet(map(batch, batches), path) == parts
    file = parquet.ParquetFile(path)
    assert all_same(list(rows_of(file.iter_batches())), batches)
    assert [one.name for one in tmp_path.iterdir()] == ["a.parquet"]


def test_whole_numbers_that_are_no_floats_are_kept_beside_floats(tmp_path: Path) -> None:
    for values in ([2**53 + 1], [0.5]), ([0.5], [2**53 + 1]), ([1], [2**53 + 1], [0.5]):
        batches = [[{"a": value} for value in some] for some in values]
        to_parquet(map(batch, batches), tmp_path / "a.parquet")
        file = parquet.ParquetFile(tmp_path / "a.parquet")
        assert all_same(list(rows_of(file.iter_batches())), batches)
        assert [*to_pandas(map(batch, batches))["a"]] == [one for some in values for one in some]
    assert to_arrow([batch([{"a": 2**53 + 1}])], "")["a"].type == pyarrow.int64()


def test_a_file_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> Any:
        yield batch([{"a": 1}])
        raise RuntimeError("the server is away")

    with pytest.raises(RuntimeError):
        to_parquet(failing(), tmp_path / "a.parquet")
    assert list(tmp_path.iterdir()) == []


def test_new_keys_stand_beside_those_of_the_same_field() -> None:
    first = (Column("id", Sort.INT), Column("data__a", Sort.TEXT, "data"), Column("x", Sort.INT))
    second = (Column("id", Sort.INT), Column("data__b", Sort.TEXT, "data"), Column("x", Sort.INT))
    assert [one.name for one in joined(first, second)] == ["id", "data__a", "data__b", "x"]


def test_json_is_marked_in_the_schema() -> None:
    table = to_arrow([batch([{"a": [1], "b": "[1]"}])], "to_arrow()")
    assert table.schema.field("a").type == table.schema.field("b").type == pyarrow.string()
    assert json.loads(table["a"][0].as_py()) == [1]
    assert list(rows_of(table.to_batches())) == [{"a": [1], "b": "[1]"}]
