"""How many requests the documented loops cost, and how many rows and fields those ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from labelstudio_orm import Project, Q
from labelstudio_orm._engine.pages import ranges
from labelstudio_orm.testing import FakeLabelStudio


@pytest.fixture(scope="module")
def fake() -> FakeLabelStudio:
    """A server with a project of 2,500 tasks, which these tests only read."""
    fake = FakeLabelStudio()
    project = fake.client().projects.create(title="Counted")
    project.tasks.bulk_create([{"n": n % 10, "text": f"text {n}"} for n in range(2500)])
    project.tasks[0].annotations.create(result=[])
    return fake


@pytest.fixture
def project(fake: FakeLabelStudio) -> Project:
    """The project, and nothing asked yet."""
    found = fake.client().projects.get(title="Counted")
    fake.requests.clear()
    return found


def listings(fake: FakeLabelStudio) -> list[Any]:
    """The requests for tasks. The first one that names a key of data is preceded by one for the
    project's summary.
    """
    found = [one for one in fake.requests if not one.path.endswith("/summary/")]
    assert len(fake.requests) - len(found) <= 1
    return found


def loop(objects: Any) -> int:
    return sum(1 for _ in objects)


# What is done, and the page sizes of the requests that it costs.
COSTS: dict[str, tuple[Callable[[Project], Any], list[int]]] = {
    # Nothing is asked before rows are needed.
    "build": (lambda p: p.tasks.filter(id__gt=3).order_by("-id")[:5], []),
    "repr": (lambda p: repr(p.tasks.filter(id__gt=3)), []),
    "nothing can fit": (lambda p: loop(p.tasks.filter(id__in=[])), []),
    "an empty slice": (lambda p: loop(p.tasks[7:7]), []),
    # A few rows.
    "first": (lambda p: p.tasks.first(), [1]),
    "first of a filter": (lambda p: p.tasks.filter(total_annotations=0).first(), [1]),
    "last": (lambda p: p.tasks.last(), [1]),
    "exists": (lambda p: p.tasks.filter(total_annotations=1).exists(), [1]),
    "exists not": (lambda p: p.tasks.filter(total_annotations=9).exists(), [1]),
    "count": (lambda p: p.tasks.filter(total_annotations=0).count(), [1]),
    "count of either": (lambda p: p.tasks.filter(Q(id=1) | Q(total_annotations=1)).count(), [1]),
    "count of a slice": (lambda p: p.tasks[100:300].count(), [1]),
    "[0]": (lambda p: p.tasks[0], [1]),
    "[7]": (lambda p: p.tasks[7], [1]),
    "[2400]": (lambda p: p.tasks[2400], [1]),
    "[i] of a filter": (lambda p: p.tasks.filter(total_annotations=0)[2400], [1]),
    "[:20]": (lambda p: loop(p.tasks[:20]), [20]),
    "[40:60]": (lambda p: loop(p.tasks[40:60]), [20]),
    "[50:60] beside the pages": (lambda p: loop(p.tasks[55:75]), [75]),
    "[2000:2020]": (lambda p: loop(p.tasks[2000:2020]), [20]),
    "[2011:2020]": (lambda p: loop(p.tasks[2011:2020]), [1, 8]),
    "[9000]": (lambda p: loop(p.tasks[9000:9001]), [1]),
    "get by id": (lambda p: p.tasks.get(5), [0]),
    "get": (lambda p: p.tasks.get(inner_id=5), [2]),
    "in_bulk": (lambda p: p.tasks.in_bulk(range(1, 201)), [200]),
    # Many rows: 100, and then as many as come in four seconds.
    "loop": (lambda p: loop(p.tasks), [100, 1000, 1000, 1000]),
    "loop by falling id": (lambda p: loop(p.tasks.order_by("-id")), [100, 1000, 1000, 1000]),
    "loop twice": (lambda p: [(loop(t), loop(t)) for t in [p.tasks]], [100, 1000, 1000, 1000]),
    "stream": (lambda p: loop(p.tasks.iterator()), [100, 1000, 1000, 1000]),
    "len": (lambda p: len(p.tasks), [100, 1000, 1000, 1000]),
    "pages": (lambda p: loop(p.tasks.pages()), [100, 1000, 1000, 1000]),
    "the first page": (lambda p: next(p.tasks.pages()), [100]),
    "half of the first page": (lambda p: loop(zip(range(51), p.tasks, strict=False)), [100]),
    "values_list": (
        lambda p: loop(p.tasks.values_list("id", flat=True)),
        [100, 1000, 1000, 1000],
    ),
    "prefetch": (lambda p: loop(p.tasks.prefetch("annotations")), [100, 1000, 1000, 1000]),
    "a filter checked here": (
        lambda p: loop(p.tasks.exclude(data__text="text 7")),
        [100, 1000, 1000, 1000],
    ),
    "annotations of the project": (lambda p: loop(p.annotations), [100]),
    "first annotation": (lambda p: p.annotations.first(), [1]),
    # Another order: the server's, as far as it is ours.
    "first of another order": (lambda p: p.tasks.order_by("-inner_id").first(), [2]),
    "first ones of another order": (lambda p: loop(p.tasks.order_by("-inner_id")[10:20]), [21]),
    "first ones of a filter": (
        lambda p: loop(p.tasks.filter(total_annotations=0).order_by("-inner_id")[:20]),
        [21],
    ),
    "first ones, which tie": (lambda p: loop(p.tasks.order_by("total_annotations")[:20]), [21, 20]),
    "first ones, which tie by the first key": (
        lambda p: loop(p.tasks.order_by("total_annotations", "-inner_id")[:20]),
        [21, 21],
    ),
    "first ones, by a key that ties go by anyway": (
        lambda p: loop(p.tasks.order_by("-total_annotations", "id")[:3]),
        [4, 2],
    ),
    "first ones, which tie by the two first keys": (
        lambda p: loop(p.tasks.order_by("total_annotations", "overlap", "-id")[:3]),
        [4, 4, 3],
    ),
    "more than a page of it": (
        lambda p: loop(p.tasks.order_by("-inner_id")[:101]),
        [100, 1000, 1000, 1000, 100, 1],
    ),
    # ... and ours: ids and keys first, then the rows by id.
    "other order": (
        lambda p: loop(p.tasks.order_by("data__n", "-data__text")),
        [100, 1000, 1000, 1000, 100, *[300] * 8],
    ),
    "slice of another order": (
        lambda p: loop(p.tasks.order_by("data__n", "-data__text")[1000:1050]),
        [100, 1000, 1000, 1000, 50],
    ),
    "last of another order": (
        lambda p: p.tasks.order_by("data__n", "-data__text").last(),
        [100, 1000, 1000, 1000, 1],
    ),
    # Workers: the first page, the end, and ranges of ids.
    "workers": (
        lambda p: loop(p.tasks.iterator(workers=2)),
        [100, 1, 1000, 1000, 1000],
    ),
    "more workers": (
        lambda p: loop(p.tasks.iterator(workers=8)),
        [100, 1, *[300] * 8],
    ),
    "workers for few": (
        lambda p: loop(p.tasks.filter(id__lt=900).iterator(workers=4)),
        [100, 1000],
    ),
    "workers, a slice": (
        lambda p: loop(p.tasks[:2450].iterator(workers=4)),
        [300, 1, *[538] * 4],
    ),
    "partitions": (lambda p: p.tasks.partitions(4), [1, 1, 1, 1]),
}  # fmt: skip


@pytest.mark.parametrize("name", COSTS)
def test_each_verb_asks_for_pages_of_these_sizes(
    fake: FakeLabelStudio, project: Project, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "PAGE_SECONDS", 1e6)  # pages of a busy machine are smaller
    do, sizes = COSTS[name]
    do(project)
    assert [int(one.query.get("page_size", 0)) for one in listings(fake)] == sizes


# What is done, and the fields that the requests ask for ("": all that a listing has).
FIELDS: dict[str, tuple[Callable[[Project], Any], str]] = {
    "loop": (lambda p: p.tasks[:9], ""),
    "only": (lambda p: p.tasks.only("data")[:9], "data,id"),
    "only computed": (lambda p: p.tasks.only("annotators")[:9], "annotators,id"),
    "only, checked here": (
        lambda p: p.tasks.only("inner_id").exclude(meta__a=1)[:9],
        "id,inner_id,meta",
    ),
    "values_list": (lambda p: p.tasks[:9].values_list("inner_id"), "id,inner_id"),
    "values_list of data": (lambda p: p.tasks[:9].values_list("data__n", flat=True), "data,id"),
    "values": (lambda p: p.tasks[:9].values("id"), "id"),
    "ids": (lambda p: p.tasks[:9].values_list("id", flat=True), "id"),
    "exists": (lambda p: [p.tasks.exists()], "id"),
    "exists, checked here": (lambda p: [p.tasks.exclude(meta__a=1).exists()], "id,meta"),
    "count": (lambda p: [p.tasks.only("data").prefetch("annotations").count()], "id"),
    "count, checked here": (lambda p: [p.tasks.exclude(meta__a=1).count()], "id,meta"),
    "count of a computed column": (lambda p: [p.tasks.filter(annotators=1).count()], "id"),
    "partitions": (lambda p: p.tasks.filter(annotators=1).partitions(2), "id"),
}  # fmt: skip


@pytest.mark.parametrize("name", FIELDS)
def test_each_reading_asks_for_these_fields(
    fake: FakeLabelStudio, project: Project, name: str
) -> None:
    """And nothing is computed or embedded that nobody wants."""
    do, fields = FIELDS[name]
    assert list(do(project))
    assert fake.requests
    for request in listings(fake):
        assert request.query.get("include", "") == fields
        assert "fields" not in request.query
        assert ("hiddenColumns" in request.query["query"]) == (name == "only computed")


NESTED: dict[str, tuple[Callable[[Project], Any], str]] = {
    "count": (
        lambda p: p.tasks.filter(annotations__lead_time=None).count(),
        "lead_time",
    ),
    "ids": (
        lambda p: loop(p.tasks.filter(annotations__lead_time=None).values_list("id", flat=True)),
        "lead_time",
    ),
    "of one region": (
        lambda p: p.tasks.filter(annotations__result__a=1, annotations__import_id=2).exists(),
        "import_id,result",
    ),
    "beside what is wanted": (
        lambda p: loop(
            p.tasks.filter(annotations__lead_time=None)
            .only("annotations__result")
            .prefetch("annotations")
        ),
        "lead_time,result",
    ),
}


@pytest.mark.parametrize("name", NESTED)
def test_of_annotations_only_what_is_checked_is_asked_for(
    fake: FakeLabelStudio, project: Project, name: str
) -> None:
    do, names = NESTED[name]
    do(project)
    inside = {"id", *names.split(",")}
    asked = {"annotations", *inside, *(f"annotations.{one}" for one in inside)}
    fields = ",".join(sorted(asked))
    found = [one.query.get("include") for one in listings(fake)]
    assert set(found) <= {fields, "id"}
    assert fields in found


def test_another_order_asks_for_its_keys_and_then_for_the_rows(
    fake: FakeLabelStudio, project: Project
) -> None:
    """What was checked here is not brought along with the rows again."""
    tasks = project.tasks.exclude(meta__a=1).only("inner_id").order_by("data__n", "data__text")
    assert len(tasks) == 2500
    asked = [one.query["include"] for one in listings(fake)]
    assert set(asked[:4]) == {"data,id,meta"}
    assert set(asked[4:]) == {"id,inner_id"}


def test_the_end_of_a_reading_with_workers_is_one_id(
    fake: FakeLabelStudio, project: Project
) -> None:
    assert loop(project.tasks.prefetch("annotations").iterator(workers=4)) == 2500
    assert [one.query.get("include") for one in fake.requests].count("id") == 1
    assert len(fake.requests) == 6
