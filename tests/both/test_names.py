"""Keys of data by their very names, wherever a field is named, on both servers."""

from __future__ import annotations

from typing import Any

import pytest

from labelstudio_orm import FieldError, LabelStudio, Project, data, meta
from labelstudio_orm.migrate import dedupe, merge, split

ODD = [
    "src__id",
    "a.b",
    "a b",
    "ä%41",
    "100%",
    "it's",
    'say "x"',
    "in",
    "x__gte",
    "a[0]",
    "#;",
    "__",
]


@pytest.fixture
def odd(project: Project) -> Project:
    """Three tasks with odd keys: 1, 2 and a text; the last one has nothing."""
    project.tasks.bulk_create(
        [{"data": {"text": str(n), **dict.fromkeys(ODD, n)}, "meta": {"m.n": n}} for n in (1, 2)]
        + [{"data": {"text": "x", **dict.fromkeys(ODD, "Ten %")}}, {"data": {"text": "none"}}]
    )
    return project


def test_conditions_on_keys_with_odd_names(odd: Project) -> None:
    for key in ODD:
        said = data[key]
        found = [
            [task.data["text"] for task in odd.tasks.filter(condition)]
            for condition in (
                said == 1,
                said >= 2,
                said.icontains("ten %"),
                said.isin([1, "Ten %"]),
                said.isnull(),
                ~(said == 1),
                said != 1,
            )
        ]
        rest = ["2", "x", "none"]
        assert found == [["1"], ["2"], ["x"], ["1", "x"], ["none"], rest, rest], key
        assert odd.tasks.exclude(said == 1).count() == 3
    assert odd.tasks.get(meta["m.n"] == 2).data["text"] == "2"


def test_orders_and_rows_by_keys_with_odd_names(odd: Project) -> None:
    for key in ODD:
        falling = odd.tasks.order_by(-data[key])
        assert [task.data["text"] for task in falling] == ["x", "2", "1", "none"]
        assert list(odd.tasks.values_list(data[key], flat=True)) == [1, 2, "Ten %", None]
        assert odd.tasks.values("id", data[key]).first() == {
            "id": odd.tasks.first().id,  # type: ignore[union-attr]
            str(data[key]): 1,
        }
    assert odd.tasks.only(data["a.b"]).first().data["a.b"] == 1  # type: ignore[union-attr]


def test_columns_of_a_table_can_be_asked_for(odd: Project) -> None:
    pytest.importorskip("pandas")
    table = odd.tasks.to_pandas("data")
    for column in table.columns:
        again = odd.tasks.to_pandas(column)
        assert list(again.columns) == [column]
        assert again[column].equals(table[column]) or list(map(str, again[column])) == list(
            map(str, table[column])
        )
    assert set(table.columns) >= {'data["src__id"]', 'data["a.b"]', "data__a b", "data__text"}


def test_updates_of_keys_with_odd_names(odd: Project) -> None:
    for number, key in enumerate(ODD, start=10):
        odd.tasks.filter(data__text="1").update({data[key]: number})
        odd.tasks.filter(data__text="2").update({data[key]: f"{number}"})
    first, second, *_ = odd.tasks
    assert first.data == {"text": "1", **{key: n for n, key in enumerate(ODD, start=10)}}
    assert second.data == {"text": "2", **{key: str(n) for n, key in enumerate(ODD, start=10)}}


def test_creating_by_keys_with_odd_names(odd: Project) -> None:
    said = data["src__id"]
    assert odd.tasks.get_or_create(said == 1) == (odd.tasks.first(), False)
    made, created = odd.tasks.get_or_create(said == 7, data["a.b"] == 8, data__text="new")
    assert created
    assert made.data == {"src__id": 7, "a.b": 8, "text": "new"}
    items = [{"text": "1", "src__id": 1}, {"text": "new", "src__id": 9}]
    for key in (said, 'data["src__id"]'):
        done = odd.tasks.bulk_create(items, key=key, on_conflict="skip")
        assert [task.data["src__id"] for task in odd.tasks.filter(id__in=[t.id for t in done])] == [
            1,
            9,
        ]
    assert odd.tasks.count() == 6


def test_migrations_by_keys_with_odd_names(odd: Project, ls: LabelStudio) -> None:
    said = data["src__id"]
    odd.tasks.create(data={"text": "again", "src__id": 1})
    assert dedupe(odd, key=said).counts["tasks"].deleted == 1
    assert odd.tasks.filter(said == 1).count() == 1
    other = ls.projects.create(title="Other", label_config=odd.label_config)
    other.tasks.bulk_create([{"text": "2", "src__id": 2}, {"text": "3", "src__id": 3}])
    odd.tasks.filter(data__text="none").delete()
    into = ls.projects.create(title="Both", label_config=odd.label_config)
    merge([odd, other], into=into, key=said)
    assert sorted(map(str, into.tasks.values_list(said, flat=True))) == ["1", "2", "3", "Ten %"]
    split(into, by=said, into=data["part.no"])
    assert into.tasks.get(said == 3).data["part.no"] == "3"
    for one in (other, into):
        one.delete()


# -- names that could mean two things -------------------------------------------------------------


def refused(verb: Any) -> None:
    with pytest.raises(FieldError, match=r'data\["src__id"\]') as caught:
        verb()
    assert "'src__id'" in str(caught.value)


def test_a_name_that_may_mean_a_key_of_its_own_is_refused(odd: Project) -> None:
    tasks = odd.tasks
    for ask in (
        lambda: tasks.filter(data__src__id=1).count(),
        lambda: tasks.filter(data__text="none", data__src__id__gte=1).delete(),
        lambda: tasks.exclude(data__src__id=1).delete(),
        lambda: tasks.exclude(data__src__id__in=[1]).exists(),
        lambda: list(tasks.order_by("-data__src__id")),
        lambda: list(tasks.values("data__src__id")),
        lambda: tasks.get_or_create(data__src__id=1),
        lambda: tasks.bulk_create(
            [{"text": "1", "src__id": 1}], key="data.src__id", on_conflict="skip"
        ),
        lambda: dedupe(odd, key="data.src__id"),
        lambda: tasks.get(data__src__id=1),
        lambda: split(odd, by="data.src__id"),
    ):
        refused(ask)
    assert tasks.count() == 4


@pytest.mark.parametrize("text", ["1", "none", "nothing at all"])
def test_an_ambiguous_update_never_writes_another_key(odd: Project, text: str) -> None:
    """Also in tasks that lack the key: others of the project have it."""
    refused(lambda: odd.tasks.filter(data__text=text).update(data__src__id=7))
    assert not any("src" in task.data for task in odd.tasks)


def test_a_key_with_a_dot_is_no_path(odd: Project) -> None:
    with pytest.raises(FieldError, match=r"'a\.b'"):
        dedupe(odd, key="data.a.b")


def test_keys_inside_of_each_other_are_named_as_ever(project: Project) -> None:
    project.tasks.create(data={"text": "a", "d": {"k": 1}})
    assert project.tasks.filter(data__d__k=1).update(data__d__k=2).updated == 1
    assert project.tasks.get(data["d"]["k"] == 2).data["d"] == {"k": 2}
