"""Conditions as values: how they are joined, written, kept and asked, however many there are."""

from __future__ import annotations

import copy
import operator
import pickle
import time
from functools import reduce
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio_orm import DoesNotExist, Q, Task
from labelstudio_orm._engine.conditions.lookups import LOOKUPS, Members, same
from labelstudio_orm._engine.conditions.q import build
from labelstudio_orm._engine.conditions.tree import (
    And,
    Chosen,
    Leaf,
    Node,
    Not,
    Or,
    Related,
    describe,
    predicate,
)
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm._engine.plans.plan import plan
from labelstudio_orm._engine.reading.selection import query_of
from labelstudio_orm._engine.values.brief import brief
from labelstudio_orm.testing import FakeLabelStudio

NUMBERS = range(4)

conditions = st.recursive(
    st.sampled_from(NUMBERS).map(lambda number: Q(total_annotations=number)),
    lambda inner: (
        st.builds(operator.and_, inner, inner)
        | st.builds(operator.or_, inner, inner)
        | inner.map(operator.invert)
        | st.builds(Q, inner, total_predictions=st.sampled_from(NUMBERS))
    ),
    max_leaves=12,
)


def asked(condition: Q) -> list[bool]:
    """What a condition says of all tasks that it may be about."""
    holds = predicate(build(Task, (condition,), {}))
    return [holds(task(one, other)) for one in NUMBERS for other in NUMBERS]


def task(annotations: int, predictions: int) -> Any:
    row = {"id": 1, "total_annotations": annotations, "total_predictions": predictions}
    from labelstudio_orm._engine.records.origin import Origin

    return Task._from_row(row, Origin(whole=True, fetched=True))


@given(conditions)
def test_what_is_written_reads_as_the_same_condition(condition: Q) -> None:
    assert asked(eval(repr(condition))) == asked(condition)


@given(conditions)
def test_a_pickle_and_a_copy_are_the_same_condition(condition: Q) -> None:
    for kept in (pickle.loads(pickle.dumps(condition)), copy.deepcopy(condition)):
        assert repr(kept) == repr(condition)
        assert asked(kept) == asked(condition)
    node = build(Task, (condition,), {})
    assert pickle.loads(pickle.dumps(node)) == node


@given(conditions, conditions)
def test_conditions_are_joined_as_python_joins(one: Q, other: Q) -> None:
    left, right = asked(one), asked(other)
    assert asked(one & other) == list(map(operator.and_, left, right))
    assert asked(one | other) == list(map(operator.or_, left, right))
    assert asked(~one) == list(map(operator.not_, left))


def test_brackets_stand_where_python_needs_them() -> None:
    one, two, three = Q(id=1), Q(id=2), Q(id=3)
    assert repr((one | two) & three) == "(Q(id=1) | Q(id=2)) & Q(id=3)"
    assert repr(one | two & three) == "Q(id=1) | Q(id=2) & Q(id=3)"
    assert repr(~(one | two)) == "~(Q(id=1) | Q(id=2))"
    assert repr(~one & two) == "~Q(id=1) & Q(id=2)"


@pytest.mark.parametrize(
    "act",
    [
        lambda: Q(id=1) and Q(id=2),
        lambda: Q(id=1) or Q(id=2),
        lambda: not Q(id=1),
        lambda: 1 if Q(id=1) else 2,
    ],
)
def test_a_condition_is_neither_true_nor_false(act: Any) -> None:
    with pytest.raises(TypeError, match=r"& and \|, and negate"):
        act()


@pytest.mark.slow
@pytest.mark.parametrize("depth", [300, 5000])
def test_conditions_may_be_nested_as_deep_as_a_loop_nests_them(depth: int) -> None:
    condition = Q(id=0)
    for number in range(depth):
        condition = (condition | Q(id=number)) if number % 2 else ~(condition & ~Q(inner_id=3))
    tasks = FakeLabelStudio().client().projects.ref(1).tasks.filter(condition)
    assert "GET /api/tasks/" in tasks.explain()
    for text in (
        repr(condition),
        repr(tasks),
        repr(query_of(tasks).where),
        describe(query_of(tasks).where),
    ):
        assert len(text) < 1000
    assert query_of(pickle.loads(pickle.dumps(tasks))).where == query_of(tasks).where
    assert repr(pickle.loads(pickle.dumps(condition))) == repr(condition)
    assert repr(copy.deepcopy(condition)) == repr(condition)
    assert predicate(query_of(tasks).where)(task(0, 0)) in (True, False)


# -- conditions on related objects ----------------------------------------------------------------


@attrs.define(slots=False)
class Object:
    """What conditions look at: fields, and related objects."""

    fields: dict[str, Any]
    annotations: list[Object] = attrs.field(factory=list)
    predictions: list[Object] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.__dict__.update(self.fields)


def annotation(time: int, *labels: str) -> Object:
    regions = [
        {"from_name": "kind", "type": "choices", "score": number, "value": {"choices": [label]}}
        for number, label in enumerate(labels)
    ]
    return Object({"lead_time": time, "result": regions})


said_of_related = st.recursive(
    st.one_of(
        st.builds(lambda one: Q(annotations__lead_time=one), st.sampled_from([1, 2])),
        st.builds(lambda one: Q(annotations__result__kind=one), st.sampled_from("ab")),
        st.builds(lambda one: Q(annotations__result__score=one), st.sampled_from([0, 1])),
        st.builds(lambda one: Q(predictions__score=one), st.sampled_from([1, 2])),
        st.just(Q(predictions__model_version="v1")),
        st.just(Q(annotations__lead_time__isnull=True)),
        st.just(Q(total_annotations=1)),
    ),
    lambda inner: (
        st.builds(operator.and_, inner, inner)
        | st.builds(operator.or_, inner, inner)
        | inner.map(operator.invert)
    ),
    max_leaves=10,
)
objects = st.builds(
    lambda total, annotations, predictions: Object(
        {"total_annotations": total}, annotations, predictions
    ),
    st.sampled_from([0, 1]),
    st.lists(
        st.builds(
            lambda time, labels: annotation(time, *labels),
            st.sampled_from([1, 2]),
            st.text("ab", max_size=2),
        ),
        max_size=2,
    ),
    st.lists(
        st.builds(
            lambda score, version: Object({"score": score, "model_version": version}),
            st.sampled_from([1, 2]),
            st.sampled_from(["v1", "v2"]),
        ),
        max_size=2,
    ),
)


def meant(node: Node, chosen: Chosen) -> bool:
    """What a tree says, word by word."""
    if isinstance(node, Leaf):
        return node.holds_among(chosen)
    if isinstance(node, Not):
        return not meant(node.part, Chosen(chosen.obj))
    if isinstance(node, Related):
        return (
            meant(node.part, chosen)
            if node.of in chosen.of
            else any(
                meant(node.part, Chosen(chosen.obj, {**chosen.of, node.of: one}))
                for one in node.of.among(chosen)
            )
        )
    assert isinstance(node, (And, Or))
    return (all if isinstance(node, And) else any)(meant(part, chosen) for part in node.parts)


@given(said_of_related, st.lists(objects, min_size=3, max_size=5))
def test_the_steps_of_a_condition_on_related_objects_say_what_it_means(
    condition: Q, found: list[Any]
) -> None:
    tree = build(Task, (condition,), {})
    holds = predicate(tree)
    assert [holds(one) for one in found] == [meant(tree, Chosen(one)) for one in found]


@pytest.mark.slow
@pytest.mark.parametrize(("time", "label"), [(1, "a"), (3, "c")], ids=["some", "none"])
def test_conditions_on_related_objects_may_be_nested_as_deep(time: int, label: str) -> None:
    inner, outer = Q(annotations__lead_time=time), Q(annotations__result__kind=label)
    two = Object({}, [annotation(1, "b", "a"), annotation(2, "b")])
    said, known = Q(), []
    for number in range(3000):
        said = inner if not number else (~said | inner) & outer
        if number in (7, 8):
            tree = build(Task, (said,), {})
            known.append(meant(tree, Chosen(two)))  # type: ignore[arg-type]
    tree = build(Task, (said,), {})
    assert predicate(tree)(two) in known
    tasks = FakeLabelStudio().client().projects.ref(1).tasks.filter(said)
    for text in (repr(said), repr(tasks), tasks.explain(), describe(tree)):
        assert len(text) < 2000
    assert query_of(pickle.loads(pickle.dumps(tasks))).where == query_of(tasks).where == tree


@pytest.mark.parametrize("join", [operator.or_, operator.and_], ids=["or", "and"])
def test_the_time_that_conditions_take_grows_with_their_number(join: Any) -> None:
    def seconds(number: int) -> float:
        begun = time.process_time()
        condition = reduce(join, (Q(total_annotations=one) for one in range(number)), Q())
        plan(options_of(Task), build(Task, (condition,), {}))
        return time.process_time() - begun

    seconds(100)
    took = min(seconds(1000) for _ in range(3))
    assert took < 0.5  # under coverage, too
    assert min(seconds(4000) for _ in range(3)) < 12 * took


def test_many_alternatives_for_one_value_are_one_line() -> None:
    condition = reduce(operator.or_, (Q(id=number) for number in range(1000)))
    [[line]] = plan(options_of(Task), build(Task, (condition,), {})).clauses
    assert line["operator"] == "in_list"
    assert line["value"] == list(range(1000))
    others = condition | Q(total_annotations__gt=7)
    assert len(plan(options_of(Task), build(Task, (others,), {})).clauses) == 2


values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)


@given(st.lists(values, max_size=6), values)
def test_a_value_is_in_others_when_it_is_the_same_as_one(those: list[Any], value: Any) -> None:
    members = pickle.loads(pickle.dumps(Members(those)))
    assert LOOKUPS["in"](value, members) == any(same(value, one) for one in members)


@given(values)
def test_a_value_is_shown_briefly(value: Any) -> None:
    assert len(brief(value)) <= 120
    assert len(brief([value] * 1000)) <= 120


def test_what_cannot_be_shown_is_named_by_its_type() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError

    assert "Odd" in brief(Odd())
    assert "int" in brief(10**5000)
    assert len(brief("x" * 10_000)) <= 120


LONG: dict[str, Q] = {
    "values": Q(data__text__in=[f"{number:050}" for number in range(3000)]),
    "alternatives": reduce(operator.or_, (Q(annotators=n) | Q(overlap=n) for n in range(70))),
    "conditions": reduce(operator.and_, (Q(data__a__contains=f"{n:090}") for n in range(300))),
    "here": reduce(operator.and_, (Q(meta__a=f"{n:090}") for n in range(300))),
    "key": Q(**{f"data__{'k' * 5000}": "a"}),
    "ids": Q(id__in=range(100_000)),
}


@pytest.mark.filterwarnings("ignore::labelstudio_orm.ClientSideFilterWarning")
@pytest.mark.parametrize("name", list(LONG))
def test_what_is_said_of_long_conditions_is_short(name: str) -> None:
    tasks = FakeLabelStudio().client().projects.create(title="Pond").tasks
    found = tasks.filter(LONG[name])
    texts = [repr(LONG[name]), repr(found), found.explain(), tasks.exclude(LONG[name]).explain()]
    with pytest.raises(DoesNotExist) as caught:
        found.get()
    assert max(map(len, [*texts, str(caught.value)])) <= 2000


@pytest.mark.filterwarnings("ignore::labelstudio_orm.ClientSideFilterWarning")
@pytest.mark.parametrize("number", [500, 501, 1500])
def test_a_server_is_not_asked_for_more_than_its_database_takes(number: int) -> None:
    tasks = FakeLabelStudio().client().projects.create(title="Pond").tasks
    words = [f"w{n}" for n in range(number)]
    tasks.bulk_create([{"text": " ".join(words)}, {"text": " ".join(words[1:])}, {"text": "w0"}])
    all_of_them = reduce(operator.and_, (Q(data__text__contains=word) for word in words))
    none_of_them = reduce(operator.and_, (~Q(data__text=word) for word in words))
    assert [task.id for task in tasks.filter(all_of_them)] == [1]
    assert tasks.exclude(all_of_them).count() == 2
    assert tasks.filter(none_of_them).count() == 2
