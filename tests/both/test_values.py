"""Values that servers are asked for, as people have them: with ``%``, of numpy, of any size."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy
import pytest

from labelstudio_orm import FieldError, LabelStudio, Project, Q

SIGNS = [
    "gs://pond/red%20frog.png", "/data/local-files/?d=caf%C3%A9.png", "set%5Cone", "100%", "%",
    "%25", "%2525", "%22", "%7B%22a%22%3A1%7D", "a%20b%", "%zz", "ä%20ö", "50% off", "a+b c",
]  # fmt: skip
"""Texts that another decoding of an address would change, or break the query with."""


@pytest.fixture
def signs(project: Project) -> Project:
    """A project with each of these texts, also as a key of data, and as a version of a model."""
    project.tasks.bulk_create(
        {
            "data": {"text": text, text: "there"},
            "predictions": [{"result": [], "model_version": text}],
        }
        for text in SIGNS
    )
    return project


def texts(project: Project, *conditions: Q, **lookups: Any) -> list[str]:
    return [task.data["text"] for task in project.tasks.filter(*conditions, **lookups)]


def test_a_text_with_percent_signs_is_found(signs: Project) -> None:
    for text in SIGNS:
        whole = {"data__text": text, "data__text__in": [text], f"data__{text}": "there"}
        for key, value in {**whole, "predictions__model_version": text}.items():
            assert texts(signs, **{key: value}) == [text], (key, text)
        assert text in texts(signs, data__text__contains=text)
        assert text not in texts(signs, ~Q(data__text=text))
        task, created = signs.tasks.get_or_create(data__text=text)
        assert (task.data["text"], created) == (text, False)
    again = signs.tasks.bulk_create(
        [{"text": text} for text in SIGNS], key="data.text", on_conflict="skip"
    )
    assert again.summary.skipped == len(SIGNS)


def test_a_query_in_a_body_is_not_decoded_again(signs: Project) -> None:
    many = [f"{text} {number}" for text in SIGNS for number in range(40)]
    assert texts(signs, data__text__in=SIGNS) == SIGNS
    assert texts(signs, data__text__in=[*SIGNS, *many]) == SIGNS


def test_a_file_whose_name_has_percent_signs_is_found(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "red%20frog%25.csv"
    path.write_text("text\nfrog\n")
    project.imports.create(file=path)
    [task] = project.tasks
    assert task.file_upload is not None
    assert project.tasks.filter(file_upload=task.file_upload).count() == 1
    assert project.tasks.filter(file_upload__icontains="frog%25").count() == (
        "%" in task.file_upload
    )


def test_values_of_numpy_and_of_other_types(project: Project) -> None:
    project.tasks.bulk_create([{"text": "a", "n": numpy.int64(1)}, {"text": "b"}])
    tasks = project.tasks
    one, two = (task.id for task in tasks)
    assert [task.id for task in tasks.filter(id__in=numpy.array([one, two]))] == [one, two]
    assert tasks.filter(id__gt=numpy.int32(one), is_labeled=numpy.False_).count() == 1
    assert tasks.filter(data__n=numpy.float32(1)).get().data["n"] == 1
    assert tasks.filter(id=str(one), total_annotations__lte="0").count() == 1
    since = (datetime.now(timezone.utc) - timedelta(days=1)).isoformat()
    assert tasks.filter(created_at__gte=since).count() == 2
    with pytest.raises(FieldError):
        tasks.exclude(created_at__gte="2020-01-01").delete()
    assert tasks.count() == 2


NUMBERS = [-(2**63) - 1, -(2**63), -(2**31) - 1, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63,
           10**30, 1e300, float("inf"), float("-inf")]  # fmt: skip
NAMES = ["id", "inner_id", "total_annotations", "overlap", "avg_lead_time", "comment_count"]


def test_numbers_beyond_all_integers(project: Project, ls: LabelStudio) -> None:
    project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
    tasks = project.tasks
    for name in NAMES:
        for number in NUMBERS:
            nothing = 0 if name == "avg_lead_time" else 2
            above = 0 if number > 0 else nothing
            below = nothing - above
            wanted = {"gt": above, "gte": above, "lt": below, "lte": below}
            for lookup, count in wanted.items():
                asked: dict[str, Any] = {f"{name}__{lookup}": number}
                assert tasks.filter(**asked).count() == count
                assert tasks.exclude(**asked).count() == 2 - count
            if abs(number) < float("inf"):
                asked = {f"{name}__in": [number, -5]}
                assert tasks.filter(**asked).count() == 0
                assert tasks.exclude(**{name: number}).count() == 2
    for number in (2**31, 2**63, 10**30):
        assert tasks.filter(annotators=number).count() == 0
        assert tasks.filter(annotations__completed_by=number).count() == 0
        assert tasks.exclude(updated_by=number).count() == 2
        assert ls.projects.filter(id__in=[number, project.id]).count() == 1
        assert list(project.files.filter(id__in=[number])) == []
    for lookup, wrong in (("id__in", ["x"]), ("id__in", [1.5]), ("id", 1.5)):
        with pytest.raises(FieldError):
            ls.projects.filter(**{lookup: wrong})
        with pytest.raises(FieldError):
            project.files.filter(**{lookup: wrong})


@pytest.mark.parametrize("hours", [-12, 0, 14])
def test_the_first_and_the_last_moment(project: Project, hours: int) -> None:
    project.tasks.create(data={"text": "a"})
    zone = timezone(timedelta(hours=hours))
    first, last = (one.replace(tzinfo=zone) for one in (datetime.min, datetime.max))
    assert project.tasks.filter(created_at__gte=first).count() == 1
    assert project.tasks.filter(created_at__range=(first, last)).count() == 1
    assert project.tasks.filter(created_at__lte=first).count() == 0
    assert project.tasks.filter(completed_at__lte=last).count() == 0
    assert project.tasks.exclude(completed_at__gt=first).count() == 1


def test_get_or_create_keeps_all_keys_of_data(project: Project) -> None:
    tasks = project.tasks
    for wanted in (True, False):
        task, created = tasks.get_or_create(defaults={"data": {"n": 1}}, data__text="a")
        assert (task.data, created) == ({"n": 1, "text": "a"}, wanted)
    task, created = tasks.update_or_create(
        defaults={"data": {"lang": "de", "n": 2}, "meta": {"by": "me"}}, data__text="a"
    )
    assert (task.data, task.meta, created) == (
        {"n": 2, "text": "a", "lang": "de"}, {"by": "me"}, False,
    )  # fmt: skip
    task, _ = tasks.update_or_create(defaults={"meta": {"when": "now"}}, data__text="a")
    assert task.refresh().meta == {"by": "me", "when": "now"}
    deep = {"data": {"a": {"c": 2}, "text": "deep"}}
    for wanted in (True, False):
        task, created = tasks.update_or_create(defaults=deep, data__a__b=1)
        assert (task.refresh().data, created) == ({"a": {"b": 1, "c": 2}, "text": "deep"}, wanted)
    with pytest.raises(ValueError, match=r"data__text='b'.*'c'"):
        tasks.get_or_create(defaults={"data": {"text": "c"}}, data__text="b")
    with pytest.raises(ValueError, match=r"data__n__x=1.*5"):
        tasks.get_or_create(defaults={"data": {"n": 5}}, data__n__x=1)
    assert tasks.count() == 2


def test_very_many_ids_take_no_more_requests_than_there_are_pages(
    project: Project, asked: Callable[[], list[str]]
) -> None:
    project.tasks.bulk_create({"text": str(number)} for number in range(250))
    ids = [task.id for task in project.tasks]
    asked()
    assert len(list(project.tasks)) == 250
    pages = len(asked())
    some = ids[10:200:3]
    tasks = project.tasks.filter(id__in=[*some, *range(10**6, 10**6 + 20_000)])
    assert [task.id for task in tasks.iterator()] == some
    assert len(asked()) <= pages
    assert tasks.count() == len(some)
    assert len(asked()) <= pages
    assert [task.id for task in tasks.reverse()] == some[::-1]
    assert [task.id for task in tasks[5:20]] == some[5:20]
    assert (tasks.first().id, tasks.last().id) == (some[0], some[-1])  # type: ignore[union-attr]
    assert [task.id for task in tasks.iterator(workers=2)] == some
    assert tasks.exclude(id__gt=some[3]).count() == 4
