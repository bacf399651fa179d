"""Numbers that no id can be: every lookup of every listing means what it says of them, and nothing
is sent that no server can read.
"""

from __future__ import annotations

import operator
import re
import tempfile
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy
import pytest

from labelstudio_orm import DoesNotExist, Project, Q
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm.testing import FakeLabelStudio
from tests.law.fuzz_shapes import World

BEYOND = [2**63, -(2**63) - 1, 10**30]
NUMBERS = [2**31, 2**63 - 1, *BEYOND]
"""A server finds nothing under those that are below 2**63, on SQLite and on PostgreSQL."""

OF_PROJECT = (
    "tasks", "annotations", "predictions", "views", "files", "exports", "webhooks",
    "import_storages", "export_storages", "ml_backends",
)  # fmt: skip


def of_the_project(name: str) -> Callable[[World], Any]:
    return lambda w: getattr(w.ls.projects.get(1), name)


LISTINGS: dict[str, Callable[[World], Any]] = {
    "projects": lambda w: w.ls.projects,
    "users": lambda w: w.ls.users,
    "organizations": lambda w: w.ls.organizations,
    "members": lambda w: w.ls.organizations.ref(1).members,
    "drafts": lambda w: w.ls.drafts.filter(task=1),
    "annotations of a task": lambda w: w.ls.tasks.ref(1).annotations,
    **{name: of_the_project(name) for name in OF_PROJECT},
}
HOLDS: dict[str, Callable[[int, Any], bool]] = {
    "exact": operator.eq,
    "in": lambda id, several: id in several,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "range": lambda id, ends: ends[0] <= id <= ends[1],
}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as name:
        yield World(Path(name), "Community", False)


def asked(number: int, real: int) -> list[tuple[str, Any]]:
    plain = [(lookup, number) for lookup in ("exact", "gt", "gte", "lt", "lte")]
    several = [("in", [number]), ("in", [number, real])]
    return [*plain, *several, ("range", (real, number)), ("range", (number, real))]


def of_ids(model: Any) -> list[str]:
    """The fields that are ids: its own, and those of related objects."""
    fields = options_of(model).fields.values()
    return [one.name for one in fields if one.name in ("id", "inner_id") or one.references]


@pytest.mark.slow
@pytest.mark.parametrize("name", LISTINGS)
def test_numbers_that_no_id_can_be(name: str, world: World) -> None:
    listing = LISTINGS[name](world)
    every = list(listing.all())
    assert every
    wrong = []
    for field, number in product(of_ids(listing.model), NUMBERS):
        here = [getattr(one, field) for one in every]
        real = next((one for one in here if type(one) is int), None)
        for lookup, value in asked(number, real) if real is not None else ():
            fits = [one is not None and HOLDS[lookup](one, value) for one in here]
            for verb in ("filter", "exclude"):
                wanted = [
                    one._key
                    for one, fit in zip(every, fits, strict=True)
                    if fit == (verb == "filter")
                ]
                world.meddler.requests = 0
                world.fake.requests.clear()
                found = getattr(listing, verb)(**{f"{field}__{lookup}": value})
                what = f"{verb} {field} {lookup} {value}"
                if [one._key for one in found] != wanted:
                    wrong.append(f"{what}: {found}")
                sent = " ".join(f"{one.path} {one.query}" for one in world.fake.requests)
                if any(int(digits) >= 2**63 for digits in re.findall(r"\d{18,}", sent)):
                    wrong.append(f"{what}: sent {sent:.200}")
                if sent and verb == "filter" and number in BEYOND and value in (number, [number]):
                    wrong.append(f"{what}: asked {sent:.200}" if lookup in ("exact", "in") else "")
    assert [one for one in wrong if one] == []


@pytest.mark.parametrize("name", LISTINGS)
def test_what_no_id_can_be_is_not_there(name: str, world: World) -> None:
    listing = LISTINGS[name](world)
    for number in (*NUMBERS, 0, -5, str(2**70), numpy.int64(2**62), numpy.uint64(2**64 - 1)):
        world.meddler.requests = 0
        with pytest.raises(DoesNotExist):
            listing.get(number)
        assert listing.in_bulk([number]) == {}
    with pytest.raises(DoesNotExist):
        listing.ref(2**63)


@pytest.mark.parametrize(
    "field",
    [
        "annotators",
        "annotations__id",
        "predictions__id",
        "annotations__completed_by",
        "annotations__project",
    ],
)
def test_numbers_that_no_id_of_others_can_be(field: str, world: World) -> None:
    world.meddler.requests = 0
    tasks = world.ls.projects.get(1).tasks
    every = list(tasks)
    for number in BEYOND:
        world.fake.requests.clear()
        lookups: dict[str, Any] = {"exact": number, "in": [number, *BEYOND]}
        for lookup, value in lookups.items():
            assert list(tasks.filter(**{f"{field}__{lookup}": value})) == []
            assert not world.fake.requests
            assert list(tasks.exclude(**{f"{field}__{lookup}": value})) == every
            world.fake.requests.clear()


def test_numbers_that_are_no_ids_may_be_as_large(fake: FakeLabelStudio, project: Project) -> None:
    task = project.tasks.create(data={"text": "a"})
    task.annotations.create(result=[], lead_time=1e12)
    draft = fake.client().drafts.create(task=task, result=[], import_id=2**40)
    for condition in (Q(lead_time=1e12), Q(lead_time__in=[1e12])):
        assert [one.lead_time for one in project.annotations.filter(condition)] == [1e12]
    for condition in (Q(import_id=2**40), Q(import_id__in=[2**40, 2**50])):
        assert list(fake.client().drafts.filter(condition, task=task)) == [draft]
