"""Names of fields and keys, as texts and as expressions."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio_orm import FieldError, LabelStudio, Project, Q, Task, data, meta
from labelstudio_orm._engine.conditions.lookups import LOOKUPS
from labelstudio_orm._engine.conditions.ordering import Key
from labelstudio_orm._engine.conditions.places import Place, name_of
from labelstudio_orm._engine.conditions.q import build, leaf
from labelstudio_orm._engine.conditions.tree import Leaf

KEYS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    [
        "a__b",
        "__",
        "a.b",
        'a"b',
        "a'b",
        "a]b",
        '"]["',
        "\\",
        "\\\\",
        "\n",
        "in",
        "x__gte",
        "%",
        "_",
        "a_",
    ]
)
WAYS = st.lists(KEYS, min_size=1, max_size=3)
VALUES: dict[str, Any] = {"isnull": False, "range": (1, 5), "in": [1, 2]}


def expression(keys: list[str]) -> Any:
    found: Any = data
    for key in keys:
        found = found[key]
    return found


@given(WAYS)
def test_an_expression_and_its_text_name_the_same_key(keys: list[str]) -> None:
    said = expression(keys)
    assert eval(repr(said), {"data": data}).keys == tuple(keys)
    assert Place.of(str(said)).keys == Key.of(Task, str(-said)).path == tuple(keys)
    assert pickle.loads(pickle.dumps(said)).keys == tuple(keys)
    for lookup in ("gte", "exact"):
        by_text = leaf(Task, f"{said}__{lookup}", 5)
        (by_expression,) = [build(Task, [getattr(said, lookup)(5)], {})]
        assert isinstance(by_text, Leaf)
        assert isinstance(by_expression, Leaf)
        assert (by_text.path, by_text.lookup) == (by_expression.path, by_expression.lookup)


@given(WAYS)
def test_the_short_name_of_a_key_means_it_everywhere(keys: list[str]) -> None:
    name = name_of("data", keys)
    assert Key.of(Task, name).path == tuple(keys)
    assert leaf(Task, name, 5).path == tuple(keys)
    behind = leaf(Task, f"{name}__in", [5])
    assert (behind.path, behind.lookup) == (tuple(keys), "in")


def test_a_control_whose_name_ends_with_an_underscore() -> None:
    for name in ("a_", "a__", "my__mood_"):
        asked = leaf(Task, f"annotations__result__{name}__in", ["A"])
        assert ("__".join(asked.path), asked.lookup) == (name, "in")


@pytest.mark.parametrize("lookup", LOOKUPS)
def test_every_lookup_is_a_method(lookup: str) -> None:
    value = VALUES.get(lookup, "x")
    method = getattr(data["a__b"], "isin" if lookup == "in" else lookup)
    condition = method(*value) if lookup == "range" else method(value)
    assert build(Task, [condition], {}) == leaf(Task, f'data["a__b"]__{lookup}', value)
    again = eval(repr(condition), {"data": data, "Q": Q})
    assert build(Task, [again], {}) == build(Task, [condition], {})


def test_operators_are_lookups() -> None:
    key = data["n.x"]
    assert repr((key == 1) | (key != 2) & ~(key < 3) & (key <= 4) & (key > 5) & (key >= 6)) == (
        'Q(data["n.x"] == 1) | ~Q(data["n.x"] == 2) & ~Q(data["n.x"] < 3) & Q(data["n.x"] <= 4)'
        ' & Q(data["n.x"] > 5) & Q(data["n.x"] >= 6)'
    )
    assert repr(key.in_(["a"]) & key.isnull()) == (
        'Q(data["n.x"].isin([\'a\'])) & Q(data["n.x"].isnull(True))'
    )


def test_an_expression_is_no_value() -> None:
    with pytest.raises(TypeError, match=r'data\["a"\] is not a value'):
        assert data["a"]
    with pytest.raises(TypeError, match="a key is a str"):
        data[0]  # type: ignore[index]
    with pytest.raises(TypeError):
        assert 5 in data["a"]  # type: ignore[misc]
    with pytest.raises(TypeError, match="an order"):
        assert -data["a"] == 5


@pytest.mark.parametrize(
    "verb",
    [
        lambda ls: ls.projects.filter(data["a"] == 1),
        lambda ls: ls.projects.order_by(data["a"]),
        lambda ls: ls.projects.values(meta["a"]),
        lambda ls: ls.users.filter(**{'email["a"]__gte': 5}),
        lambda ls: ls.tasks.order_by('data["a"]__gte'),
        lambda ls: ls.tasks.filter(**{'data["a"]__icontain': "x"}),
    ],
)
def test_keys_of_fields_without_keys_are_refused(ls: LabelStudio, verb: Any) -> None:
    with pytest.raises(FieldError):
        verb(ls)


def test_a_condition_compares_with_values(project: Project) -> None:
    questions: tuple[Callable[[], object], ...] = (
        lambda: project.tasks.filter(data__text=data["b"]),
        lambda: project.tasks.exclude(data["a"] >= data["b"]),
        lambda: project.tasks.filter(id=data["b"]),
    )
    for ask in questions:
        with pytest.raises(FieldError, match=r'not with data\["b"\]'):
            ask()


def test_a_name_is_a_text_or_an_expression(project: Project) -> None:
    for verb in (project.tasks.order_by, project.tasks.values, project.tasks.only):
        with pytest.raises(TypeError, match="a field is named by"):
            verb(5)  # type: ignore[arg-type]


def test_the_summary_is_asked_for_once(project: Project, asked: Any) -> None:
    project.tasks.create(data={"text": "a", "d": {"k": 1}})
    asked()
    assert project.tasks.filter(data__d__k=1).count() == 1
    assert project.tasks.filter(data__d__k=2).count() == 0
    assert project.tasks.filter(data["d"]["k"] == 1).count() == 1
    summary = f"GET /api/projects/{project.id}/summary/"
    assert asked().count(summary) == 1
