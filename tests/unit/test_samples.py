"""Samples of tasks, and splits of exact sizes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio_orm import LabelStudio, Project
from labelstudio_orm._migrate.verbs.splitting import _turns
from labelstudio_orm.config import UnknownControl
from labelstudio_orm.migrate import JournalMismatch, split
from labelstudio_orm.testing import FakeLabelStudio
from tests.conftest import CONFIG

SHARES = {"train": 0.7, "dev": 0.2, "test": 0.1}


@pytest.fixture
def project(ls: LabelStudio) -> Project:
    made = ls.projects.create(title="Samples", label_config=CONFIG)
    rows = [{"text": str(n), "lang": "de" if n < 30 else "fr", "page": n // 4} for n in range(100)]
    made.tasks.bulk_create(rows)
    return made


# -- samples --------------------------------------------------------------------------------------


def test_a_sample_is_the_same_for_the_same_seed(project: Project, fake: FakeLabelStudio) -> None:
    before = len(fake.requests)
    sample = project.tasks.sample(50, seed=1)
    ids = list(sample.values_list("id", flat=True))
    requests = len(fake.requests) - before
    assert len(set(ids)) == 50
    assert list(project.tasks.sample(50, seed=1).values_list("id", flat=True)) == ids
    assert set(project.tasks.sample(20, seed=1).values_list("id", flat=True)) < set(ids)
    assert set(project.tasks.sample(50, seed=2).values_list("id", flat=True)) != set(ids)
    before = len(fake.requests)
    list(project.tasks.sample(5, seed=1).values_list("id", flat=True))
    assert len(fake.requests) - before == requests


def test_a_sample_is_a_queryset(project: Project) -> None:
    german = project.tasks.filter(data__lang="de").order_by("-id").sample(10)
    ids = [task.id for task in german]
    assert len(ids) == 10
    assert ids == sorted(ids, reverse=True)
    assert {task.data["lang"] for task in german} == {"de"}
    assert german.update(data__chosen=True).updated == 10
    assert project.tasks.filter(data__lang="de").sample(1000).count() == 30
    assert list(project.tasks.sample(0)) == []


def test_what_cannot_be_sampled(project: Project) -> None:
    with pytest.raises(TypeError, match="sampling a slice"):
        project.tasks.all()[:10].sample(5)
    wrong: Any = (-1, 0.5, "50")
    for size in wrong:
        with pytest.raises(ValueError, match="the size is a number of tasks"):
            project.tasks.sample(size)


# -- exact parts ----------------------------------------------------------------------------------


@given(
    weights=st.lists(st.integers(0, 50), min_size=1, max_size=5).filter(any),
    number=st.integers(0, 120),
)
def test_after_each_turn_every_part_has_its_share_within_one(
    weights: list[int], number: int
) -> None:
    shares = {str(place): weight / sum(weights) for place, weight in enumerate(weights)}
    given_to = Counter[str]()
    for turn, name in enumerate(_turns(shares, number), start=1):
        given_to[name] += 1
        assert all(abs(given_to[part] - shares[part] * turn) < 1 + 1e-9 for part in shares)
    assert given_to.total() == number


def test_exact_sizes(project: Project) -> None:
    report = split(project, SHARES, seed=3, exact=True)
    assert report.parts == {"dev": 20, "test": 10, "train": 70}
    again = split(project, SHARES, seed=3, exact=True)
    assert repr(again.counts["tasks"]) == "<Summary: 100 skipped>"
    assert split(project, SHARES, seed=4, exact=True).counts["tasks"].updated > 0


def test_exact_numbers_of_the_values_of_a_key(project: Project) -> None:
    split(project, {"a": 0.6, "b": 0.4}, key="data.page", exact=True)
    parts = {(task.data["page"], task.data["split"]) for task in project.tasks}
    assert Counter(part for _, part in parts) == {"a": 15, "b": 10}


def test_each_value_of_a_key_has_its_share(project: Project) -> None:
    report = split(project, SHARES, stratify="data.lang")
    assert report.parts == {"dev": 20, "test": 10, "train": 70}
    found = Counter((task.data["lang"], task.data["split"]) for task in project.tasks)
    assert found["de", "train"] == 21
    assert found["de", "dev"] == 6
    assert found["fr", "test"] == 7


def test_each_answer_has_its_share(project: Project) -> None:
    control = project.config["sentiment"]
    for task in project.tasks[:20]:
        task.annotations.create(result=[control.choice("Negative")])
    for task in project.tasks[:20]:  # the newest answer counts, and no skipped one
        task.annotations.create(result=[control.choice("Positive")])
        task.annotations.create(result=[control.choice("Negative")], was_cancelled=True)
    for task in project.tasks[20:40]:
        task.annotations.create(result=[control.choice("Negative")])
    split(project, {"a": 0.5, "b": 0.5}, stratify="sentiment")
    marks = [task.data["split"] for task in project.tasks]
    for some, half in ((marks[:20], 10), (marks[20:40], 10), (marks[40:], 30)):
        assert Counter(some) == {"a": half, "b": half}


def test_a_journal_is_of_the_same_parts(project: Project, ls: LabelStudio, tmp_path: Path) -> None:
    halves = {"a": 0.5, "b": 0.5}
    report = split(project, halves, exact=True, into=ls, journal=tmp_path)
    assert report.parts == {"a": 50, "b": 50}
    again = split(project, halves, exact=True, into=ls, journal=tmp_path)
    assert again.projects == report.projects
    project.tasks.create(data={"text": "new"})
    with pytest.raises(JournalMismatch, match="its parts"):
        split(project, halves, exact=True, into=ls, journal=tmp_path)


def test_exact_sizes_are_of_shares(project: Project) -> None:
    wrong: tuple[dict[str, Any], ...] = ({"exact": True}, {"stratify": "data.lang"})
    for options in wrong:
        with pytest.raises(ValueError, match="are only for shares"):
            split(project, "data.lang", **options)
    with pytest.raises(UnknownControl, match="sentimnt"):
        split(project, SHARES, stratify="sentimnt")
