"""Many conditions and many ids take time in proportion: the quick form of tests/soak/proportion.py.

What is compared is the CPU time of the client at a size and at four times it. A ratio of 4 is in
proportion, one of 16 is the square; between them is room for a busy machine.
"""

from __future__ import annotations

from functools import partial

import pytest

from labelstudio_orm import FieldError, LabelStudio, Project, Q
from labelstudio_orm.resources.tasks import Tasks
from labelstudio_orm.testing import FakeLabelStudio
from tests.soak import proportion
from tests.soak.proportion import CONDITIONS, DIMENSIONS, READING, SHOWING, World

TOO_MUCH = 9.0
"""How many times as long four times as much may take on a machine that does other things."""

SIZES = (300, 1200)
MANY = 5000


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def ratio(world: World, subject: proportion.Subject, verb: proportion.Verb | None) -> float:
    """Measured again where it looks like too much, since something else may have disturbed it."""
    found = TOO_MUCH
    for _ in range(3):
        few, many = proportion.measure(world, subject, verb, SIZES)
        found = min(found, many / max(few, 0.01))
        if found < TOO_MUCH / 1.5:
            break
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shape", CONDITIONS)
def test_conditions_are_joined_in_proportion(world: World, shape: str) -> None:
    assert ratio(world, CONDITIONS[shape], None) < TOO_MUCH


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("verb", ["pickle", "explain", "all", "count"])
@pytest.mark.parametrize("shape", ["ored pairs", "filter() again"])
def test_conditions_are_planned_and_checked_in_proportion(
    world: World, shape: str, verb: str
) -> None:
    assert ratio(world, CONDITIONS[shape], {**SHOWING, **READING}[verb]) < TOO_MUCH


def test_a_long_condition_is_narrowed_as_quickly_as_a_short_one(world: World) -> None:
    tasks = world.project(proportion.TASKS).tasks
    bases = [tasks.filter(*(Q(overlap__gte=-i) for i in range(n))) for n in (2, 20_000)]

    def narrow(base: Tasks) -> None:
        for number in range(200):
            base.filter(id=number).exclude(id=-number)

    for _ in range(3):
        short, long = (
            min(proportion.seconds(partial(narrow, base)) for _ in range(3)) for base in bases
        )
        if long < 1.5 * short:
            return
    assert long < 2 * short


def test_every_verb_of_a_queryset_is_measured() -> None:
    """But for those that make one object, hand one out or describe more, for those that write or
    send files, and for those that go through the same rows as a measured one.
    """
    measured = {verb for dimension in DIMENSIONS.values() for verb in dimension.verbs}
    others = {
        "client", "create", "create_annotations", "delete", "get_or_create", "iterator", "model",
        "ref", "strict", "to_dask", "update_or_create",
        "download", "from_coco", "from_conll", "from_yolo", "to_coco", "to_conll", "to_jsonl",
        "to_masks", "to_parquet", "to_voc", "to_yolo", "upload",
        "aggregate", "per_day", "sample", "show", "to_datasets", "to_polars",
    }  # fmt: skip
    assert {name for name in dir(Tasks) if not name.startswith("_")} - measured <= others


@pytest.fixture
def project(ls: LabelStudio, fake: FakeLabelStudio) -> Project:
    made = ls.projects.create(title="Many")
    made.tasks.bulk_create([{"text": f"{number}"} for number in range(30)])
    fake.requests.clear()
    return made


def sent(fake: FakeLabelStudio) -> int:
    """The characters of the longest request."""
    return max(len(f"{one.query}{one.body}") for one in fake.requests)


@pytest.mark.filterwarnings("ignore")
def test_no_request_has_a_list_of_very_many(fake: FakeLabelStudio, project: Project) -> None:
    tasks, far = project.tasks, range(10**6, 10**6 + MANY)
    ids = list(tasks.values_list("id", flat=True))
    few = [*ids[:3], *far]
    narrowed = {
        "in": (tasks.filter(id__in=few), ids[:3]),
        "not in": (tasks.exclude(id__in=few), ids[3:]),
        "or": (tasks.filter(Q(id__in=few) | Q(id=ids[9])), [*ids[:3], ids[9]]),
        "inner": (tasks.filter(inner_id__in=[1, 2, *far]), ids[:2]),
        "not overlap": (tasks.exclude(overlap__in=far), ids),
        "two": (tasks.filter(id__in=few).filter(id__in=[*ids[2:5], *far]), [ids[2]]),
        "none": (tasks.filter(id__in=few).filter(id__in=ids[9:]), []),
    }
    for name, (queryset, wanted) in narrowed.items():
        assert [one.id for one in queryset] == wanted, name
        assert queryset.all().count() == len(wanted), name
        assert queryset.all().exists() is bool(wanted), name
    assert sent(fake) < 4000


def test_an_address_has_no_list_of_very_many(
    ls: LabelStudio, fake: FakeLabelStudio, project: Project
) -> None:
    assert list(ls.projects.in_bulk(range(1, MANY))) == [project.id]
    assert list(project.files.filter(id__in=range(1, MANY))) == []
    assert sent(fake) < 2000


def test_a_view_refuses_a_list_that_no_server_takes(project: Project) -> None:
    with pytest.raises(FieldError, match="250,000 values, and this has 300,000"):
        project.views.create(title="Many", filters=Q(id__in=range(300_000)))
    view = project.views.create(title="Many", filters=~Q(id__in=range(10**6, 10**6 + MANY)))
    assert len(view.tasks) == 30


def test_only_the_first_unknown_keys_are_looked_for(
    fake: FakeLabelStudio, project: Project
) -> None:
    unknown = Q()
    for number in range(500):
        unknown |= Q(**{f"data__k{number}": 1})
    with pytest.warns(UserWarning, match="no task"):
        assert list(project.tasks.filter(unknown)) == []
    assert len(fake.requests) < 20


def test_two_conditions_on_the_project_are_both_meant(ls: LabelStudio, project: Project) -> None:
    tasks = ls.tasks
    assert tasks.filter(Q(project=project) & Q(project=project.id + 1)).count() == 0
    assert tasks.exclude(~Q(project=project)).filter(id__gt=0).count() == 30
