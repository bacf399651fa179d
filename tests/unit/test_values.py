"""Values in lookups: what a field never has is refused, what converts exactly is converted, for
every field of every resource and every lookup.
"""

from __future__ import annotations

import enum
import math
import pickle
import warnings
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import product
from typing import Any

import numpy
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio_orm import (
    BadRequest,
    DoesNotExist,
    FieldError,
    LabelStudio,
    MLBackend,
    Project,
    Q,
    Task,
    UnknownKeyWarning,
    data,
)
from labelstudio_orm._engine.conditions.lookups import LOOKUPS, same
from labelstudio_orm._engine.conditions.operands import ORDER, kind_of
from labelstudio_orm._engine.conditions.ordering import Key
from labelstudio_orm._engine.conditions.q import leaf
from labelstudio_orm._engine.conditions.tree import Leaf
from labelstudio_orm._engine.fields.fields import Field
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm._engine.pages import keyset
from labelstudio_orm._engine.reading.selection import query_of
from labelstudio_orm._engine.values.codec import plain, plain_json
from labelstudio_orm._engine.values.registry import registry
from labelstudio_orm.testing import FakeLabelStudio, Fault

MOMENT = datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))
VALUES: list[Any] = [
    True, 0, 3, -7, 2.0, 0.5, 2**63, 1e300, "", "text", "12", "2026-01-31", MOMENT, "a@b.co",
    {"a": 1}, ["a"], None, math.inf, Decimal(2),
]  # fmt: skip
"""Of each kind some, of which a field takes one or two."""

LISTED = {"in", "range"}

each_resource = pytest.mark.parametrize("name", list(registry))


def fields(name: str) -> Iterable[Field]:
    return options_of(registry[name]).fields.values()


def asked(field: Field, lookup: str, value: Any) -> Leaf:
    """A lookup of a field; of two values for those that take several."""
    listed = {"in": (value,), "range": (value, value)}
    return leaf(field.owner, f"{field.name}__{lookup}", listed.get(lookup, value))


@pytest.mark.slow
@each_resource
def test_a_lookup_takes_what_the_field_may_have(name: str) -> None:
    for field, lookup, value in product(fields(name), LOOKUPS, VALUES):
        sort, made = kind_of(field), attempt(field, lookup, value)
        if isinstance(made, FieldError):
            assert field.name in str(made) or "regular expression" in str(made)
            assert len(str(made)) < 1000
            continue
        assert lookup in sort.lookups
        kept = made.value[0] if lookup in LISTED else made.value
        assert taken(sort.name, lookup, value, kept), (field, lookup, value, kept)


def attempt(field: Field, lookup: str, value: Any) -> Leaf | FieldError:
    try:
        return asked(field, lookup, value)
    except FieldError as error:
        return error


def taken(sort: str, lookup: str, value: Any, kept: Any) -> bool:
    """May a field of this sort be asked for this value?"""
    if lookup == "isnull":
        return isinstance(value, bool)
    if value is None:
        return lookup not in ORDER or sort == "JSON"
    if sort == "an integer":
        exact = type(kept) is int and kept == (int(value) if value == "12" else value)
        return not isinstance(value, bool) and (exact or (lookup in ORDER and kept == value))
    if sort == "a number":
        return not isinstance(value, bool) and isinstance(kept, (int, float)) and kept == value
    if sort == "True or False":
        return isinstance(value, bool)
    if sort == "a datetime":
        return isinstance(kept, datetime) and value is MOMENT
    if sort in ("a list", "a dict", "a dict or a list"):
        return lookup == "has_key" or isinstance(value, (dict, list))
    return isinstance(value, str) or sort == "JSON"


@each_resource
def test_a_lookup_that_could_never_be_true_is_refused(name: str) -> None:
    for field in fields(name):
        sort = kind_of(field)
        for lookup in LOOKUPS.keys() - sort.lookups:
            with pytest.raises(FieldError, match=f"{field.name}.*{lookup}"):
                asked(field, lookup, "x")
        if sort.name.startswith("one of "):
            for lookup in ("exact", "iexact", "in", "startswith", "regex"):
                with pytest.raises(FieldError, match="one of"):
                    asked(field, lookup, "no such value")


@each_resource
def test_plain_values_have_no_keys(name: str) -> None:
    for field in fields(name):
        if not field.has_keys:
            with pytest.raises(FieldError, match=r"email|inside"):
                asked(field, "email", "a@example.com")
            with pytest.raises(FieldError, match="inside"):
                Key.of(registry[name], f"{field.name}__email")


@each_resource
def test_lists_have_not_one_value_of_a_key(name: str) -> None:
    """Columns and orders by such a name would be null for every object."""
    for field in fields(name):
        if field.holds_regions and not field.partly:
            with pytest.raises(FieldError, match="is a list"):
                Key.of(registry[name], f"{field.name}__label")


@each_resource
def test_a_scalar_of_numpy_is_what_python_has(name: str) -> None:
    lookups = ("exact", "in", "gte", "range")
    for field, lookup, value in product(fields(name), lookups, (3, 0.5, True, "12")):
        for made in made_of(value):
            assert result(field, lookup, made) == result(field, lookup, value)


def made_of(value: Any) -> list[Any]:
    kinds: dict[type, tuple[Callable[[Any], Any], ...]] = {
        int: (numpy.int64, numpy.int8, numpy.uint16, numpy.array),
        float: (numpy.float64, numpy.float32, numpy.float16, numpy.longdouble),
        bool: (numpy.bool_,),
        str: (numpy.str_,),
    }
    return [kind(value) for kind in kinds[type(value)]]


def result(field: Field, lookup: str, value: Any) -> Any:
    made = attempt(field, lookup, value)
    if isinstance(made, FieldError):
        return FieldError
    return made.value, type(made.value[0] if lookup in LISTED else made.value)


WAYS: list[tuple[str, Any, str]] = [
    ("created_at__gte", date(2026, 1, 31), r"datetime\(2026, 1, 31, tzinfo=timezone.utc\)"),
    ("created_at__gte", datetime(2026, 1, 31), "time zone"),
    ("created_at", pandas.Timestamp("2026-01-31"), "time zone"),
    ("created_at__lt", pandas.NaT, "time zone|isnull"),
    ("created_at__lt", numpy.datetime64("2026-01-31"), "time zone"),
    ("created_at__lt", numpy.datetime64("2026-01-31", "ns"), "time zone"),
    ("created_at__lt", pandas.Timestamp("2026-01-31T00:00:00.000000001Z"), "microseconds"),
    ("created_at__range", (date(2026, 1, 1), date(2026, 2, 1)), "zone"),
    ("created_at__in", ["2026-01-31T00:00:00"], "offset"),
    ("created_at__in", ["2026-01-31"], "ISO 8601"),
    ("created_at__in", ["2026-13-31T00:00:00Z"], "no such date or time"),
    ("created_at__lte", "2026-01-31T00:00:00.1234567Z", "microseconds"),
    ("created_at__lte", 1769817600, "fromtimestamp"),
    ("created_at__lte", None, "isnull"),
    ("created_at__icontains", "2026", "datetime"),
    ("total_annotations__gte", "many", "number"),
    ("total_annotations__gte", "1.5", "number"),
    ("total_annotations", 1.5, "fraction"),
    ("total_annotations__in", [1, numpy.float64(1.5)], "fraction"),
    ("total_annotations", Decimal("1.5"), "fraction"),
    ("total_annotations__gt", math.nan, "NaN"),
    ("total_annotations__in", [math.nan], "NaN"),
    ("total_annotations", math.inf, "infinite|fraction"),
    ("total_annotations", True, "number"),
    ("total_annotations__contains", "1", "integer"),
    ("avg_lead_time__gt", "1.5", "float"),
    ("avg_lead_time", Decimal("0.1234567890123456789"), "round"),
    ("is_labeled", 1, "True or False"),
    ("is_labeled__in", [0], "True or False"),
    ("is_labeled", "true", "True or False"),
    ("is_labeled__gt", False, "it has exact"),
    ("is_labeled__isnull", 1, "True or False"),
    ("annotators", "a@b.co", r"ls\.users\.get\(email='a@b\.co'\)"),
    ("annotators", [1, 2], "annotators__in"),
    ("annotations__completed_by", "a@b.co", r"ls\.users\.get\(email="),
    ("annotations__ground_truth__in", [1], "True or False"),
    ("annotations__last_action", "submited", "submitted"),
    ("annotations__last_action__in", ["submited"], "submitted"),
    ("annotations__last_action__iexact", "nothing", "one of"),
    ("annotations__result__icontains", "calm", "result__label__icontains"),
    ("data__icontains", "calm", "data__<key>__icontains"),
    ("data", "text", "key"),
    ("id__in", "12", "list"),
    ("id__in", 12, "list"),
    ("id__in", numpy.array([[1, 2]]), "list"),
    ("id__in", pandas.DataFrame({"id": [1]}), "list"),
    ("file_upload", 5, "text"),
    ("annotators__email", "a@example.com", "ls.users.get"),
    ("annotations__completed_by__email__in", ["a@example.com"], "ls.users.get"),
    ("updated_by__email", "a@example.com", "ls.users.get"),
    ("annotations__isnull", True, "total_annotations"),
    ("data__n", numpy.float32("nan"), "NaN"),
    ("data__when__gte", date(2026, 1, 31), "no dates"),
    ("data__n", Decimal(1), "float"),
    ("data__n", {1, 2}, "JSON"),
    ("data__n", b"a", "JSON"),
]


@pytest.mark.parametrize(("key", "value", "way"), WAYS)
def test_the_error_names_the_way_out(key: str, value: Any, way: str) -> None:
    with pytest.raises(FieldError, match=way) as caught:
        leaf(Task, key, value)
    assert key in str(caught.value)


SAME: list[tuple[str, Any, Any]] = [
    ("created_at__gte", "2026-01-31T12:00:00+02:00", MOMENT),
    ("created_at__gte", "2026-01-31 10:00Z", MOMENT),
    ("created_at__gte", "2026-01-31T10:00:00.000000000z", MOMENT),
    ("created_at__gte", "2026-01-31T05:30:00.0-0430", MOMENT),
    ("created_at", pandas.Timestamp(MOMENT), MOMENT),
    ("created_at__in", pandas.Series([pandas.Timestamp(MOMENT)]), (MOMENT,)),
    ("created_at__range", ["2026-01-31T10:00:00Z", MOMENT], (MOMENT, MOMENT)),
    ("id", "19", 19),
    ("id", 19.0, 19),
    ("id__in", ["19", " 19".strip(), 19.0, Decimal("19.0")], (19, 19, 19, 19)),
    ("id__in", numpy.array([1, 2]), (1, 2)),
    ("id__in", numpy.array([1.0, 2.0]), (1, 2)),
    ("id__in", pandas.Series([1, 2], dtype="Int64"), (1, 2)),
    ("id__in", pandas.Index([1, 2]), (1, 2)),
    ("id__in", (number for number in (1, 2)), (1, 2)),
    ("id__in", range(1, 3), (1, 2)),
    ("id__in", {1: "a", 2: "b"}.keys(), (1, 2)),
    ("id__gt", "-3", -3),
    ("id__gt", 1.5, 1.5),
    ("id__gt", Decimal("1.5"), 1.5),
    ("id__lt", math.inf, math.inf),
    ("id__lt", Decimal("Infinity"), math.inf),
    ("id__lt", 10**400, 10**400),
    ("avg_lead_time__gte", Decimal("0.1"), 0.1),
    ("annotations__last_action", "submitted", "submitted"),
    ("annotations__last_action__iexact", "SUBMITTED", "SUBMITTED"),
    ("annotations__completed_by__id", "7", 7),
    ("data__n", numpy.float32(0.5), 0.5),
    ("data__n__in", numpy.array([1, 2]), (1, 2)),
    ("data", {"n": [numpy.int64(1)]}, {"n": [1]}),
    ("data__text__contains", numpy.str_("a"), "a"),
    ("data__n__gt", None, None),
]


@pytest.mark.parametrize(("key", "value", "kept"), SAME)
def test_what_converts_exactly_is_converted(key: str, value: Any, kept: Any) -> None:
    found = leaf(Task, key, value).value
    assert found == kept
    for one in found if isinstance(kept, tuple) else (found,):
        assert type(one).__module__ in ("builtins", "datetime")


def test_members_of_enumerations_are_their_values() -> None:
    class State(str, enum.Enum):
        CONNECTED = "CO"

    class Number(enum.IntEnum):
        ONE = 1

    assert type(leaf(MLBackend, "state", State.CONNECTED).value) is str
    assert leaf(Task, "id", Number.ONE).value == 1
    assert type(leaf(Task, "id", Number.ONE).value) is int


def test_an_object_stands_for_an_id_of_its_kind_alone(ls: LabelStudio) -> None:
    project = ls.projects.create(title="Pond")
    task = project.tasks.create(data={"text": "a"})
    assert list(ls.tasks.filter(project=project, id=task)) == [task]
    me = ls.users.me()
    assert project.tasks.filter(annotators=me).count() == 0
    for wrong in ({"id": project}, {"project": task}, {"total_annotations": task},
                  {"created_at": task}, {"annotations__completed_by": project},
                  {"id__in": [task, project]}, {"annotators": project}):  # fmt: skip
        with pytest.raises(FieldError, match="never <"):
            project.tasks.filter(**wrong)


ONCE: list[Any] = [iter, lambda ids: (id for id in ids), lambda ids: map(int, ids)]


@pytest.mark.parametrize("once", ONCE)
def test_what_an_iterator_gives_is_kept(ls: LabelStudio, once: Any) -> None:
    """Of a condition that is used twice, it would be empty the second time."""
    tasks = ls.projects.create(title="Twice").tasks
    tasks.bulk_create([{"n": 1}, {"n": 2}, {"n": 3}])
    for condition in (
        Q(id__in=once([1, 2])),
        Q(id__range=once([1, 2])),
        data["n"].isin(once([1, 2])),
    ):
        assert repr(condition)
        for said in (condition, condition, pickle.loads(pickle.dumps(condition))):
            assert (tasks.filter(said).count(), tasks.exclude(said).count()) == (2, 1)
    defaults = {"data": {"n": 5}}
    for created in (True, False):
        assert tasks.get_or_create(data__n__in=once([5, 6]), defaults=defaults)[1] is created


def test_a_queryset_keeps_its_values(ls: LabelStudio) -> None:
    tasks = ls.projects.create(title="Frozen").tasks
    tasks.bulk_create([{"n": {"a": [1]}}])
    wanted = {"a": [1]}
    found = tasks.filter(data__n=wanted)
    wanted["a"].append(2)
    assert found.count() == 1


@given(st.integers() | st.floats() | st.booleans() | st.text() | st.none())
def test_plain_leaves_what_python_has(value: Any) -> None:
    assert plain(value) is value
    assert plain_json({"a": [value]})["a"][0] is value


@given(st.integers(-(2**63), 2**64 - 1) | st.floats(width=32) | st.booleans())
def test_plain_loses_nothing(value: Any) -> None:
    found = plain(numpy.array(value)[()])
    assert type(found) is type(value)
    assert found == value or (found != found and value != value)


def test_data_with_numbers_of_numpy_is_stored(ls: LabelStudio) -> None:
    project = ls.projects.create(title="Pond")
    array = numpy.arange(3)
    data = {"n": array[1], "deep": [{"x": numpy.float32(0.5)}], "b": numpy.True_}
    wanted = {"n": 1, "deep": [{"x": 0.5}], "b": True}
    one = project.tasks.create(data=data)
    [two] = project.tasks.bulk_create([data])
    [three] = project.tasks.bulk_create([{"data": data, "meta": {"m": array[2]}}])
    assert three.meta == {"m": 2}
    four = project.tasks.create(data={"n": 5})
    four.data.update(data)
    four.save()
    five = project.tasks.create(data={"n": 5})
    five.data = data
    project.tasks.bulk_update([five])
    six = project.tasks.create(data={"n": 5})
    project.tasks.filter(id=six.id).update(data__n=array[1], data__deep=data["deep"], data__b=True)
    for task in (one, two, three, four, five, six):
        found = task.refresh().data
        assert found == wanted
        assert [type(one) for one in found.values()] == [int, list, bool]
    four.data["n"] = array[1]
    assert four.changes == {}
    again = project.tasks.bulk_create([{"n": array[1], "new": 1}], key="data.n", on_conflict="skip")
    assert again.summary.skipped == 1


def test_typed_fields_take_numbers_of_numpy(ls: LabelStudio) -> None:
    values: dict[str, Any] = {
        "title": numpy.str_("Pond"),
        "maximum_annotations": numpy.int64(2),
        "is_published": numpy.True_,
    }
    project = Project(**values).save(using=ls)
    assert (project.maximum_annotations, project.is_published) == (2, True)
    project.maximum_annotations = numpy.int32(3)
    assert type(project.maximum_annotations) is int
    task = Task(project=numpy.int64(project.id), data={"text": "a"}).save(using=ls)
    assert task.project == project
    with pytest.raises(TypeError, match="maximum_annotations"):
        project.maximum_annotations = numpy.float32(2.5)
    prediction = task.predictions.create(result=[], score=numpy.float32(0.5))
    assert prediction.refresh().score == 0.5


NUMBERS: list[Any] = [-math.inf, -1e300, -(2**63), -(2**31), -1, 0, 1, 1.5, 2**31, 2**53 + 1,
                      2**62, 2**63, 10**400, 1e300, math.inf]  # fmt: skip


@pytest.mark.parametrize("name", ["id", "inner_id", "total_annotations", "avg_lead_time"])
@pytest.mark.parametrize("lookup", ["gt", "gte", "lt", "lte", "exact", "in", "range"])
def test_numbers_of_any_size_mean_what_they_are(ls: LabelStudio, name: str, lookup: str) -> None:
    project = ls.projects.create(title="Pond")
    project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
    tasks = list(project.tasks.only(name))
    for number in NUMBERS:
        others: Iterable[Any] = [0, -math.inf, 2**63] if lookup == "range" else [None]
        for other in others:
            value = {"in": (number, 1), "range": (other, number)}.get(lookup, number)
            try:
                condition = Q(**{f"{name}__{lookup}": value})
                wanted = [leaf(Task, f"{name}__{lookup}", value).holds(task) for task in tasks]
            except FieldError:
                assert lookup in ("exact", "in")
                continue
            fits = [task for task, fit in zip(tasks, wanted, strict=True) if fit]
            rest = [task for task in tasks if task not in fits]
            assert list(project.tasks.filter(condition)) == fits
            assert list(project.tasks.exclude(condition)) == rest


@pytest.mark.parametrize("year", [1, 9999])
@pytest.mark.parametrize("hours", [-12, 0, 14])
def test_moments_at_the_ends_of_time(ls: LabelStudio, year: int, hours: int) -> None:
    project = ls.projects.create(title="Pond")
    task = project.tasks.create(data={"text": "a"})
    zone = timezone(timedelta(hours=hours))
    end = datetime.min if year == 1 else datetime.max
    moment = end.replace(tzinfo=zone)
    for name in ("created_at", "completed_at"):
        later = [task] if (year == 1 and name == "created_at") else []
        sooner = [task] if (year != 1 and name == "created_at") else []
        for lookup, wanted in (("gt", later), ("gte", later), ("lt", sooner), ("lte", sooner),
                               ("exact", [])):  # fmt: skip
            asked: dict[str, Any] = {f"{name}__{lookup}": moment}
            assert list(project.tasks.filter(**asked)) == wanted
            assert list(project.tasks.exclude(**asked)) == ([] if wanted else [task])
        asked = {f"{name}__range": (moment, moment)}
        assert list(project.tasks.filter(**asked)) == []
    assert ls.projects.filter(created_at__gte=moment).count() == (1 if year == 1 else 0)


def of_python(value: Any) -> bool:
    """Is it JSON of Python's own types at any depth?"""
    inner = value.values() if type(value) is dict else value if type(value) is list else ()
    return type(value) in (dict, list, str, int, float, bool, type(None)) and all(
        map(of_python, inner)
    )


def test_numbers_of_numpy_are_in_memory_what_was_sent(ls: LabelStudio) -> None:
    project = ls.projects.create(title="Pond")
    task = project.tasks.create(
        data={"n": numpy.int64(3), "deep": [{"x": numpy.float32(0.5)}], "b": numpy.True_},
        meta={"m": {"n": numpy.int64(1)}},
    )
    held = task.data
    assert (task.data, task.meta) == ({"n": 3, "deep": [{"x": 0.5}], "b": True}, {"m": {"n": 1}})
    assert of_python([task.data, task.meta])
    task.data["deep"].append({"y": numpy.int8(4)})
    task.save()
    assert held is task.data
    assert of_python(task.data)
    assert task.changes == {}
    [made] = project.tasks.bulk_create([{"n": [numpy.int64(3)]}])
    assert of_python(made.data)
    region = {"value": {"x": numpy.float64(1.5), "s": numpy.str_("a")}, "from_name": "a"}
    region |= {"to_name": "b", "type": "labels"}
    for one in project.tasks.all().create_annotations([region]):
        assert one.refresh().result[0]["value"] == {"x": 1.5, "s": "a"}


def test_what_a_verb_takes_back_is_as_it_was(ls: LabelStudio, fake: FakeLabelStudio) -> None:
    project = ls.projects.create(title="Pond")
    task = project.tasks.create(data={"text": "a"})
    task.data["deep"] = [{"n": numpy.int64(3)}]
    fake.fault("PATCH", "*", Fault.answer(400))

    def fails() -> None:
        with task._restored_on_failure():
            task.data["deep"] = None
            task.save()

    with pytest.raises(BadRequest):
        fails()
    assert task.data == {"text": "a", "deep": [{"n": 3}]}


def test_values_are_compared_at_any_depth() -> None:
    def nested(depth: int, inner: Any) -> Any:
        for _ in range(depth):
            inner = {"a": [inner], "b": (True,)}
        return inner

    assert same(nested(5000, 1), nested(5000, 1.0))
    assert not same(nested(5000, 1), nested(5000, True))
    assert not same(nested(5000, 1), nested(4999, 1))
    assert not same({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]})
    different: list[Any] = [[[], {}], [[[]], [{}]], [[1], 1], [{}, None]]
    assert not any(same(*pair) for pair in different)


@pytest.mark.parametrize(
    "written", ["contain", "icontain", "startwith", "regexp", "is_null", "gt_", "eq", "ne", "ilike"]
)
@pytest.mark.parametrize("way", ["data__text", "meta__a", "annotations__result__kind"])
def test_a_key_that_looks_like_a_lookup_is_told(way: str, written: str) -> None:
    with pytest.warns(UnknownKeyWarning, match="did you mean"):
        leaf(Task, f"{way}__{written}", "a")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "name",
    ["data__contain", "data__a__content", "data__box__width", "data__house__gate", "data__a__int",
     "data__fruit__orange", "data__text__extract"],
)  # fmt: skip
def test_other_keys_are_keys(name: str) -> None:
    assert leaf(Task, name, "a").lookup == "exact"


ASKED: dict[str, Any] = {
    "filter": lambda tasks, key: tasks.filter(**{key: "a"}).count(),
    "an expression": lambda tasks, key: list(tasks.filter(data[key[6:]] == "a")),
    "exclude": lambda tasks, key: tasks.exclude(**{key: "a"}).exists(),
    "either": lambda tasks, key: list(tasks.filter(Q(**{key: "a"}) | Q(id=1))),
    "has_key": lambda tasks, key: list(tasks.filter(data__has_key=key[6:])),
    "get": lambda tasks, key: tasks.filter(**{key: "a"}).first(),
    "delete": lambda tasks, key: tasks.filter(**{key: "a"}).delete(),
    "update": lambda tasks, key: tasks.filter(**{key: "a"}).update(data__new=1),
    "order_by": lambda tasks, key: list(tasks.order_by(f"-{key}")),
    "last": lambda tasks, key: tasks.order_by(key).last(),
    "values": lambda tasks, key: list(tasks.values("id", key)),
    "values_list": lambda tasks, key: list(tasks.values_list(data[key[6:]], flat=True)),
    "values, streamed": lambda tasks, key: list(tasks.values(key).iterator()),
    "to_pandas": lambda tasks, key: tasks.to_pandas("id", key),
}


@pytest.mark.filterwarnings("ignore::labelstudio_orm.ClientSideFilterWarning")
@pytest.mark.parametrize("asked", ASKED)
def test_a_key_that_no_task_has_is_told(asked: str, ls: LabelStudio, fake: FakeLabelStudio) -> None:
    """Once, whether it is like a key of the config or not; by a request for the summary, and one
    more that looks among the tasks.
    """
    config = '<View><Text name="t" value="$headline"/></View>'
    project = ls.projects.create(title="Pond", label_config=config)
    project.tasks.bulk_create([{"headline": "a", "headlines": "b", "lang": "de"}])
    do = ASKED[asked]

    before = 0
    for key in ("headline", "lang", "headlines") if asked not in ("delete", "update") else ():
        with warnings.catch_warnings():
            warnings.simplefilter("error", UnknownKeyWarning)
            do(project.tasks, f"data__{key}")
        if key == "headline":  # what is shown may be stored under another key, which is asked for
            before = summaries(fake)
        assert summaries(fake) - before == (key != "headline")
    for key, near in (("headlin", "'headline"), ("colour", "")):
        with pytest.warns(UnknownKeyWarning, match=f"no task of .* has '{key}'.*{near}") as told:
            do(project.tasks, f"data__{key}")
        assert sum(one.category is UnknownKeyWarning for one in told) == 1
        with warnings.catch_warnings():
            warnings.simplefilter("error", UnknownKeyWarning)
            do(project.tasks, f"data__{key}")  # it is told once
    assert summaries(fake) - before == 1


def summaries(fake: FakeLabelStudio) -> int:
    return sum(one.path.endswith("/summary/") for one in fake.requests)


@pytest.mark.filterwarnings("error::labelstudio_orm.UnknownKeyWarning")
def test_a_key_that_may_be_new_is_not_told(ls: LabelStudio) -> None:
    config = '<View><Text name="t" value="$headline"/></View>'
    project = ls.projects.create(title="Pond", label_config=config)
    project.tasks.bulk_create([{"headline": "a"}])
    project.tasks.filter(data__headline="a").update(data__colour="red", data__headlines=1)
    project.tasks.get_or_create(data__headline="b", data__tone="low")
    project.tasks.update_or_create({"data": {"n": 1}}, data__headline="c", data__pitch="low")
    items = [{"headline": "d", "number": n} for n in range(3)]
    project.tasks.bulk_create(items, key="data.number", on_conflict="skip")
    for key in ("colour", "headlines", "tone", "pitch", "n", "number"):  # by who asked before, too
        list(project.tasks.filter(data__has_key=key))
    assert ls.projects.create(title="Empty").tasks.filter(data__any="a").count() == 0


@pytest.mark.parametrize(
    "asked",
    [
        lambda project, **said: project.annotations.filter(**said),
        lambda project, **said: project.predictions.filter(**said),
        lambda project, **said: project.tasks.filter(
            **{f"annotations__{name}": value for name, value in said.items()}
        ),
        lambda project, **said: project.tasks.exclude(
            **{f"predictions__{name}": value for name, value in said.items()}
        ),
    ],
    ids=["annotations", "predictions", "filter", "exclude"],
)
@pytest.mark.filterwarnings("ignore::labelstudio_orm.ClientSideFilterWarning")
def test_a_control_that_the_config_has_not_is_told(ls: LabelStudio, asked: Any) -> None:
    config = (
        '<View><Text name="t" value="$text"/><Choices name="mood" toName="t"><Choice value="a"/>'
        '</Choices><Repeater on="$pages"><Rating name="score_{{idx}}" toName="t"/></Repeater>'
        "</View>"
    )
    project = ls.projects.create(title="Pond", label_config=config)
    for name in ("mod", "mood__icontain", "scores_1"):
        with pytest.warns(UnknownKeyWarning, match=f"no control '{name}'"):
            asked(project, **{f"result__{name}": "a"}).count()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnknownKeyWarning)
        for name in ("mood", "mood__icontains", "score_3__gt", "label", "from_name", "mod"):
            asked(project, **{f"result__{name}": 1 if "score" in name else "a"}).count()


@pytest.mark.parametrize("page", [1, 7, 1000])
def test_many_ids_are_found_however_many_tasks_there_are(
    ls: LabelStudio, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(keyset, "MANY", 5)
    monkeypatch.setattr(keyset, "PAGE", page)
    monkeypatch.setattr(keyset, "IDS", 3)
    project = ls.projects.create(title="Pond")
    project.tasks.bulk_create({"text": str(number)} for number in range(250))
    ids = [task.id for task in project.tasks]
    some = ids[3:240:9]
    tasks = project.tasks.filter(id__in=[*some, 10**7])
    assert [task.id for task in tasks] == some
    assert [task.id for task in tasks.reverse()] == some[::-1]
    assert [task.id for task in tasks[4:9]] == some[4:9]
    assert tasks.count() == len(some)
    assert [task.id for task in tasks.order_by("-created_at", "-id")] == some[::-1]
    assert [task.id for task in tasks.order_by("data__text")[2:9]] == [
        task.id for task in list(tasks.order_by("data__text"))[2:9]
    ]
    assert [task.id for task in tasks.iterator(workers=4)] == some


BEYOND = (2**63, -(2**63) - 1, 10**30)


@pytest.mark.parametrize("id", BEYOND)
@pytest.mark.parametrize(
    "name", ["projects", "tasks", "annotations", "predictions", "views", "files", "users",
             "webhooks", "ml_backends", "organizations"],
)  # fmt: skip
def test_no_server_is_asked_for_ids_that_it_cannot_have(
    ls: LabelStudio, fake: FakeLabelStudio, name: str, id: int
) -> None:
    before = len(fake.requests)
    objects = getattr(ls, name)
    for ask in (objects.get, lambda id: objects.get(id=id), objects.ref):
        with pytest.raises(DoesNotExist, match=str(id)):
            ask(id)
    for owner in {"project_id", "task_id"} & {*options_of(objects.model).fields}:
        owned = objects.filter(**{owner: id})
        if owner.removesuffix("_id") in query_of(owned).scope:
            assert (owned.count(), list(owned), owned.first()) == (0, [], None)
    assert len(fake.requests) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "ask",
    [list, lambda tasks: list(tasks.order_by("-created_at")), lambda tasks: tasks.count(),
     lambda tasks: list(tasks.order_by("data__text")), lambda tasks: tasks.order_by("-id").first(),
     lambda tasks: list(tasks.iterator(workers=4))],
    ids=["by id", "ordered", "count", "by a key", "last", "workers"],
)  # fmt: skip
def test_many_ids_take_no_more_requests_than_there_are_pages(
    ls: LabelStudio, fake: FakeLabelStudio, ask: Any
) -> None:
    project = ls.projects.create(title="Pond")
    project.tasks.bulk_create({"text": str(number)} for number in range(50))
    tasks = project.tasks.filter(id__in=range(1, 100_001))
    before = len(fake.requests)
    ask(tasks)
    assert len(fake.requests) - before <= 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "act",
    [
        lambda tasks: len(list(tasks.order_by("-data__n")[:900])),
        lambda tasks: len(list(tasks.only("overlap").order_by("-data__n"))),
        lambda tasks: len(list(tasks.order_by("-data__n").values_list("id", flat=True)[200:900])),
        lambda tasks: tasks.order_by("-data__n")[:900].update(overlap=2),
        lambda tasks: tasks[:900].perform("delete_tasks_annotations")["processed_items"] or 900,
        lambda tasks: tasks.order_by("data__n")[:900].delete(),
        lambda tasks: tasks.delete(),
    ],
    ids=[
        "slice",
        "only",
        "values",
        "update a slice",
        "perform",
        "delete a slice",
        "delete",
    ],
)
def test_verbs_on_many_ids_list_no_more_than_the_pages(
    ls: LabelStudio, fake: FakeLabelStudio, act: Any
) -> None:
    """Of 1,000 tasks there are two pages: one of 300, and one with the others."""
    project = ls.projects.create(title="Pond", label_config="<View/>")
    project.tasks.bulk_create({"text": "a", "n": number % 7} for number in range(1000))
    list(project.tasks.order_by("data__n")[:1])  # which keys there are
    fake.requests.clear()
    assert act(project.tasks.filter(id__in=range(1, 100_001))) in (700, 900, 1000)
    assert sum(one.method == "GET" for one in fake.requests) <= 2
