"""Agreement is what other libraries compute of the same answers."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import krippendorff
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import cohen_kappa_score

from labelstudio_orm import LabelStudio, Project, Q
from labelstudio_orm._statistics import coefficients
from labelstudio_orm._statistics.counts import counted
from labelstudio_orm._statistics.matching import matched
from labelstudio_orm.config import UnknownControl
from labelstudio_orm.statistics import Agreement
from labelstudio_orm.testing import FakeLabelStudio

# -- coefficients ----------------------------------------------------------------------------------

ANSWERS = st.none() | st.integers(1, 5)
TABLES = st.integers(2, 4).flatmap(
    lambda raters: st.lists(
        st.lists(ANSWERS, min_size=raters, max_size=raters), min_size=1, max_size=12
    )
)
"""For each unit the answer of each rater, None where it is missing."""


def rated(table: list[list[Any]]) -> dict[int, dict[int, Any]]:
    return {
        unit: {rater: one for rater, one in enumerate(row) if one is not None}
        for unit, row in enumerate(table)
    }


@settings(max_examples=30, deadline=None)
@given(TABLES, st.sampled_from(["nominal", "ordinal", "interval"]))
def test_alpha_is_that_of_krippendorff(table: list[list[Any]], level: Any) -> None:
    found = coefficients.krippendorff_alpha(rated(table), level)
    paired = [one for row in table if sum(x is not None for x in row) > 1 for one in row]
    if len({one for one in paired if one is not None}) < 2:
        assert found is None  # it raises there
        return
    data = numpy.array([[numpy.nan if x is None else x for x in row] for row in table]).T
    expected = krippendorff.alpha(reliability_data=data, level_of_measurement=level)
    assert found == pytest.approx(expected, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=15))
def test_kappa_of_two_is_that_of_sklearn(pairs: list[tuple[int, int]]) -> None:
    first, second = zip(*pairs, strict=True)
    found = coefficients.cohen_kappa(rated([list(pair) for pair in pairs]), 0, 1)
    if len({*first, *second}) == 1:
        assert found is None  # it is not a number there
    else:
        assert found == pytest.approx(cohen_kappa_score(first, second), abs=1e-9)


def from_counts(table: list[list[int]]) -> dict[int, dict[int, int]]:
    """The ratings of a table that has for each unit the number of raters for each category."""
    answers = [[kind for kind, n in enumerate(row) for _ in range(n)] for row in table]
    return {unit: dict(enumerate(row)) for unit, row in enumerate(answers)}


FLEISS: list[tuple[list[list[int]], float]] = [
    (  # the example of Fleiss, in many textbooks
        [
            [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
            [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
        ],
        0.20993070442195522,
    ),
    (
        [
            [1, 0, 0, 1], [0, 1, 0, 1], [0, 2, 0, 0], [0, 0, 1, 1], [2, 0, 0, 0], [0, 1, 0, 1],
        ],
        0.058823529411764726,
    ),
    (
        [
            [1, 0, 0, 2], [1, 0, 1, 1], [0, 1, 2, 0], [1, 0, 2, 0], [0, 2, 1, 0], [0, 0, 1, 2],
        ],
        -0.00862068965517253,
    ),
    (
        [
            [3, 1, 3, 0], [1, 3, 0, 3], [1, 0, 5, 1], [2, 2, 1, 2], [0, 2, 2, 3], [3, 1, 0, 3],
        ],
        0.04400606980273136,
    ),
]  # fmt: skip
"""Tables and what ``statsmodels.stats.inter_rater.fleiss_kappa(table)`` says of them. It is not
installed for the tests, since it is large; ``python -m tests.unit.fleiss`` prints all but one.
"""


@pytest.mark.parametrize(("table", "expected"), FLEISS)
def test_kappa_of_many_is_that_of_statsmodels(table: list[list[int]], expected: float) -> None:
    assert coefficients.fleiss_kappa(from_counts(table)) == pytest.approx(expected, abs=1e-12)


def test_what_is_not_defined_is_none() -> None:
    for table in ([], [[1, None]], [[1, 1], [1, 1]]):
        ratings = rated(table)
        assert coefficients.fleiss_kappa(ratings) is None
        assert coefficients.krippendorff_alpha(ratings) is None
        assert coefficients.cohen_kappa(ratings, 0, 1) is None
    assert coefficients.mean([]) is None
    with pytest.raises(TypeError, match="ordinal agreement is of numbers"):
        coefficients.krippendorff_alpha(rated([["a", "b"]]), "ordinal")


WORTHS = st.dictionaries(
    st.tuples(st.integers(0, 6), st.integers(0, 5)), st.integers(0, 9).map(lambda n: n / 9)
)


@settings(max_examples=40, deadline=None)
@given(WORTHS)
def test_matching_is_that_of_scipy(worths: dict[tuple[int, int], float]) -> None:
    found = matched(worths)
    assert len({a for a, _ in found}) == len({b for _, b in found}) == len(found)
    assert all(worths[pair] > 0 for pair in found)
    table = numpy.zeros((7, 6))
    for pair, worth in worths.items():
        table[pair] = worth
    rows, columns = linear_sum_assignment(table, maximize=True)
    assert sum(worths[pair] for pair in found) == pytest.approx(table[rows, columns].sum())


# -- of a project ----------------------------------------------------------------------------------

CONFIG = """\
<View>
  <Text name="text" value="$text"/><Image name="image" value="$image"/>
  <Choices name="mood" toName="text">
    <Choice value="bad"/><Choice value="fair"/><Choice value="good"/>
  </Choices>
  <Choices name="topics" toName="text" choice="multiple">
    <Choice value="a"/><Choice value="b"/><Choice value="c"/>
  </Choices>
  <Rating name="stars" toName="text"/>
  <Labels name="ner" toName="text"><Label value="Person"/><Label value="Place"/></Labels>
  <RectangleLabels name="box" toName="image">
    <Label value="Car"/><Label value="Dog"/>
  </RectangleLabels>
  <PolygonLabels name="shape" toName="image"><Label value="Car"/></PolygonLabels>
  <KeyPointLabels name="point" toName="image"><Label value="Eye"/></KeyPointLabels>
  <Rating name="sure" toName="image" perRegion="true"/>
</View>
"""


class World:
    """A project of three annotators."""

    def __init__(self) -> None:
        self.fake = FakeLabelStudio()
        self.ls = self.fake.client()
        self.people = [
            self.ls.users.me().id,
            *(self.ls.users.create(email=f"{name}@example.org").id for name in ("bob", "cy")),
        ]
        self.project = self.ls.projects.create(title="Agreement", label_config=CONFIG)

    def label(self, *tasks: dict[Any, Any]) -> Project:
        """Create tasks with the values that people (by number) and versions (by name) gave each.

        Several annotations of one person are a list.
        """
        regions = self.project.config.regions

        def made(task: dict[Any, Any], kind: type) -> list[tuple[Any, Any]]:
            return [
                (rater, one)
                for rater, given in task.items()
                if isinstance(rater, kind)
                for one in (given if isinstance(given, list) else [given])
            ]

        self.project.tasks.bulk_create(
            {
                "data": {"text": "some text to read", "image": "a.png"},
                "annotations": [
                    {
                        "result": regions({k: v for k, v in one.items() if k != "cancelled"}),
                        "completed_by": self.people[rater],
                        "was_cancelled": "cancelled" in one,
                    }
                    for rater, one in made(task, int)
                ],
                "predictions": [
                    {"result": regions(one), "model_version": version}
                    for version, one in made(task, str)
                ],
            }
            for task in tasks
        )
        return self.ls.projects.get(self.project.id)


@pytest.fixture
def world() -> World:
    return World()


def test_of_choices_all_figures_are_those_of_others(world: World) -> None:
    chance = random.Random(3)
    moods = ["bad", "fair", "good"]
    table = [
        [chance.choice(moods) if chance.random() < 0.8 else None for _ in range(3)]
        for _ in range(30)
    ]
    project = world.label(
        *({n: {"mood": one} if one else {"stars": 3} for n, one in enumerate(row)} for row in table)
    )
    world.fake.requests.clear()
    found = project.agreement("mood")
    assert len(world.fake.requests) == 1

    numbers = [[numpy.nan if x is None else moods.index(x) for x in row] for row in table]
    for level in ("nominal", "ordinal", "interval"):
        alpha = krippendorff.alpha(
            reliability_data=numpy.array(numbers).T, level_of_measurement=level
        )
        ours = project.agreement("mood", level=level)
        assert ours.krippendorff_alpha == pytest.approx(alpha)
        assert ours.observed == found.observed
    assert found.raters == tuple(world.people)
    tasks = [task.id for task in project.tasks]
    for a, b in combinations(range(3), 2):
        both = [(row[a], row[b]) for row in table if None not in (row[a], row[b])]
        pair = found.between(world.people[b], world.people[a])
        assert pair == found.pairs[world.people[a], world.people[b]]
        assert (pair.tasks, pair.f1) == (len(both), None)
        assert pair.observed == pytest.approx(sum(x == y for x, y in both) / len(both))
        assert pair.cohen_kappa == pytest.approx(cohen_kappa_score(*zip(*both, strict=True)))
    by_task = {
        task: [x == y for x, y in combinations(given, 2)]
        for task, row in zip(tasks, table, strict=True)
        if len(given := [x for x in row if x]) > 1
    }
    assert found.per_task == pytest.approx({t: sum(s) / len(s) for t, s in by_task.items()})
    assert found.observed == pytest.approx(sum(found.per_task.values()) / len(by_task))
    for n, rater in enumerate(world.people):
        others = [
            row[n] == row[m]
            for row in table
            for m in range(3)
            if m != n and None not in (row[n], row[m])
        ]
        assert found.by_rater[rater] == pytest.approx(sum(others) / len(others))
    wrong = {task for task, same in by_task.items() if not all(same)}
    assert {task.id for task in found.disagreements()} == wrong
    assert {t.id for t in found.disagreements(below=0.3)} == {
        task for task, same in by_task.items() if not any(same)
    }
    view = project.views.create(title="To discuss", filters=Q(id__in=sorted(wrong)))
    assert {task.id for task in view.tasks} == wrong


def test_of_two_the_agreement_of_a_label_is_their_f1(world: World) -> None:
    project = world.label(
        {0: {"mood": "good"}, 1: {"mood": "good"}},
        {0: {"mood": "good"}, 1: {"mood": "bad"}},
        {0: {"mood": "fair"}, 1: {"mood": "bad"}},
    )
    assert project.agreement("mood").labels == pytest.approx({"good": 2 / 3, "fair": 0, "bad": 0})


def test_several_choices_are_a_set(world: World) -> None:
    project = world.label(
        {0: {"topics": ["a", "b"]}, 1: {"topics": ["b", "a"]}},
        {0: {"topics": ["a", "b"]}, 1: {"topics": ["b"]}},
    )
    found = project.agreement("topics")
    assert list(found.per_task.values()) == [1.0, 0.0]
    assert found.labels == pytest.approx({"a": 2 / 3, "b": 1})


def test_a_rating_is_ordinal(world: World) -> None:
    table = [[1, 2], [5, 4], [3, 3], [2, 5]]
    project = world.label(*({n: {"stars": one} for n, one in enumerate(row)} for row in table))
    expected = krippendorff.alpha(
        reliability_data=numpy.array(table).T, level_of_measurement="ordinal"
    )
    found = project.agreement("stars")
    assert found.level == "ordinal"
    assert found.krippendorff_alpha == pytest.approx(expected)


def test_what_does_not_count(world: World) -> None:
    project = world.label(
        {0: {"mood": "good"}, 1: {"mood": "bad", "cancelled": True}, 2: {"mood": "good"}},
        {0: [{"mood": "bad"}, {"mood": "fair"}], 1: {"mood": "fair"}},  # the newest counts
        {0: {"mood": "good"}, 1: {"stars": 1}},  # one did not answer
        {0: [{"mood": "good"}, {"mood": "bad"}]},  # one person alone
        {},
    )
    found = project.agreement("mood")
    assert list(found.per_task.values()) == [1.0, 1.0]
    assert found.krippendorff_alpha == 1
    one = project.annotations.filter(completed_by=world.people[0]).agreement("mood")
    assert (one.raters, one.observed, one.fleiss_kappa) == ((world.people[0],), None, None)
    with pytest.raises(ValueError, match="no prediction of model_version 'v9'"):
        project.agreement("mood", model_version="v9")
    with pytest.raises(KeyError, match="answered no task together"):
        one.between(world.people[0], world.people[1])
    world.fake.store.execute(
        f"UPDATE annotation SET completed_by_id = NULL WHERE completed_by_id = {world.people[2]}"
    )
    assert len(project.agreement("mood").per_task) == 1  # those of a deleted account do not


def test_a_version_of_a_model_is_one_more_rater(world: World) -> None:
    project = world.label(
        {0: {"mood": "good"}, 1: {"mood": "good"}, "v1": {"mood": "bad"}, "v2": {"mood": "good"}},
        {0: {"mood": "bad"}, "v1": {"mood": "bad"}},
        {"v1": {"mood": "bad"}},
    )
    world.fake.requests.clear()
    found = project.agreement("mood", model_version="v1")
    assert len(world.fake.requests) == 2
    me, bob, _ = world.people
    assert found.raters == (me, bob, "v1")
    assert found.between(me, "v1").observed == 0.5
    assert list(found.per_task.values()) == [pytest.approx(1 / 3), 1]
    assert project.tasks[0].annotations.agreement("mood").observed == 1


def test_spans_are_matched_and_share_characters(world: World) -> None:
    ner = world.project.config["ner"]

    def spans(*places: tuple[int, int, str]) -> dict[str, Any]:
        return {"ner": [ner.label(name, start=a, end=b) for a, b, name in places]}

    project = world.label(
        {0: spans((0, 4, "Person"), (5, 9, "Place")), 1: spans((0, 4, "Person"), (6, 9, "Place"))},
        {0: spans((0, 4, "Person")), 1: spans((0, 4, "Place"))},  # another label
        {0: spans(), 1: spans()},  # both say that there is nothing
        {0: spans((0, 4, "Person")), 1: spans()},
        {0: spans((0, 6, "Person"), (4, 10, "Person")), 1: spans((3, 9, "Person"))},
    )
    found = project.agreement("ner")
    assert found.metric == "iou"
    assert list(found.per_task.values()) == pytest.approx([2 * 1.75 / 4, 0, 1, 0, 2 * (5 / 7) / 3])
    assert found.f1 == pytest.approx(0.6)
    assert found.labels == pytest.approx({"Person": 4 / 7, "Place": 2 / 3})
    assert project.agreement("ner", threshold=0.8).f1 == pytest.approx(0.2)
    strict = project.agreement("ner", metric="equal")
    assert list(strict.per_task.values()) == [0.5, 0, 1, 0, 0]
    assert (strict.fleiss_kappa, strict.krippendorff_alpha) == (None, None)
    assert strict.between(*world.people[:2]).f1 == strict.f1 == pytest.approx(0.2)


def test_boxes_are_matched_so_that_they_share_most(world: World) -> None:
    chance, box = random.Random(5), world.project.config["box"]

    def drawn() -> list[Any]:
        return [
            box.rectangle(
                chance.choice(["Car", "Dog"]), x=chance.randrange(60), y=chance.randrange(60),
                width=chance.randrange(5, 40), height=chance.randrange(5, 40),
            )
            for _ in range(chance.randrange(6))
        ]  # fmt: skip

    given = [(drawn(), drawn()) for _ in range(12)]
    project = world.label(*({n: {"box": one} for n, one in enumerate(both)} for both in given))
    found = project.agreement("box", threshold=0.1)
    pairs = regions = 0
    for score, both in zip(found.per_task.values(), given, strict=True):
        first, second = map(box.read, both)
        shares = numpy.array(
            [[(a.labels == b.labels) * a.iou(b) for b in second] for a in first]
        ).reshape(len(first), len(second))
        rows, columns = linear_sum_assignment(shares, maximize=True)
        number = len(first) + len(second)
        assert score == pytest.approx(2 * shares[rows, columns].sum() / number if number else 1)
        enough = shares >= 0.1
        rows, columns = linear_sum_assignment(enough, maximize=True)
        pairs, regions = pairs + int(enough[rows, columns].sum()), regions + number
    assert found.f1 == pytest.approx(2 * pairs / regions)
    assert project.agreement("box", metric="equal").f1 == 0


def test_regions_without_a_common_area_are_equal_or_not(world: World) -> None:
    point, shape = (world.project.config[name] for name in ("point", "shape"))
    triangle = [(0, 0), (10, 0), (0, 10)]

    def drawn(x: int, points: list[tuple[int, int]]) -> dict[str, Any]:
        return {
            "point": [point.keypoint("Eye", x=x, y=2)],
            "shape": [shape.polygon("Car", points=points)],
        }

    project = world.label(
        {0: drawn(1, triangle), 1: drawn(1, triangle[::-1]), 2: drawn(2, [(0, 0), (1, 0), (1, 1)])}
    )
    assert project.agreement("point").metric == "equal"
    assert project.agreement("point").observed == pytest.approx(1 / 3)
    assert project.agreement("shape").between(*world.people[:2]).observed == pytest.approx(1)


def test_what_cannot_be_read_is_equal_or_not(world: World) -> None:
    def stored(x: Any) -> dict[str, Any]:
        value = {"x": x, "y": 1, "width": 5, "height": 5, "rectanglelabels": ["Car"]}
        return {"from_name": "box", "to_name": "image", "type": "rectanglelabels", "value": value}

    results = [[stored("a")], [stored("a")], [stored("b")]]
    world.project.tasks.create(data={"text": "a", "image": "a.png"})
    task = world.project.tasks[0]
    for user, result in zip(world.people, results, strict=True):
        task.annotations.create(result=result, completed_by=user)
    assert task.annotations.agreement("box").observed == pytest.approx(1 / 3)


def test_refused(world: World) -> None:
    def turned(x: int) -> list[Any]:
        box = world.project.config["box"].rectangle
        return [box("Car", x=x, y=1, width=9, height=9, rotation=45)]

    project = world.label(
        {0: {"box": turned(1), "topics": ["a"]}, 1: {"box": turned(2), "topics": ["b"]}}
    )
    refused: list[tuple[Callable[[], Any], type[Exception], str]] = [
        (lambda: project.agreement("moood"), UnknownControl, "did you mean 'mood'"),
        (lambda: project.agreement("mood", metric="iou"), ValueError, 'metric="equal"'),
        (lambda: project.agreement("point", metric="iou"), ValueError, 'metric="equal"'),
        (lambda: project.agreement("sure"), ValueError, "is about single regions"),
        (lambda: project.agreement("mood", metric="dice"), ValueError, '"equal" or "iou"'),  # type: ignore[arg-type]
        (lambda: project.agreement("mood", level="ratio"), ValueError, "nominal, ordinal"),  # type: ignore[arg-type]
        (lambda: project.agreement("topics", level="ordinal"), TypeError, 'level="nominal"'),
        (lambda: project.agreement("box"), ValueError, r"box of Task \d+: .* holds no size"),
        (lambda: project.agreement("box", threshold=50), ValueError, "at most 1, not 50"),
        (lambda: world.ls.annotations.agreement("mood"), ValueError, "not of one project"),
    ]
    for ask, error, message in refused:
        with pytest.raises(error, match=message):
            ask()


SHOWN = """\
Agreement on mood: 2 tasks, 3 raters
observed 0.667, Fleiss' kappa 0.250, Krippendorff's alpha (nominal) 0.333
first  second  tasks  observed  cohen_kappa
1      2           1     1.000
1      v1          2     0.500        0.000
2      v1          1     0.000        0.000"""


def test_agreement_as_text_and_as_a_table(world: World) -> None:
    project = world.label(
        {0: {"mood": "good"}, 1: {"mood": "good"}, "v1": {"mood": "bad"}},
        {0: {"mood": "bad"}, "v1": {"mood": "bad"}},
    )
    found = project.agreement("mood", model_version="v1")
    assert repr(found) == SHOWN
    table = found.to_pandas()
    assert list(table) == ["first", "second", "tasks", "observed", "cohen_kappa"]
    assert table["observed"].tolist() == [1, 0.5, 0]
    assert found.labels == {"good": 0.5, "bad": pytest.approx(2 / 3)}
    empty: Agreement[Any] = project.agreement("stars")
    assert repr(empty) == "Agreement on stars: 0 tasks, 0 raters"
    assert list(empty.to_pandas()) == list(table)
    alone = project.annotations.filter(completed_by__gt=1).agreement("mood")
    assert repr(alone) == "Agreement on mood: 0 tasks, 1 rater"


# -- pictures --------------------------------------------------------------------------------------


def test_plots_are_files(world: World, tmp_path: Path, ls: LabelStudio) -> None:
    project = world.label(
        {0: {"mood": "good"}, 1: {"mood": "good"}, "v1": {"mood": "bad"}},
        {0: {"mood": "bad"}, "v1": {"mood": "bad"}},
    )
    agreement = project.agreement("mood", model_version="v1")
    counts = project.annotations.count_by("mood", by="completed_by")
    plots: dict[str, Callable[[Path], Any]] = {
        "bars.png": lambda path: counts.plot(path, title="Moods"),
        "days.svg": lambda path: project.annotations.per_day(by="completed_by").plot(path),
        "matrix.png": agreement.plot,
        "empty.svg": project.tasks.filter(id=0).count_by("id").plot,
        "nothing.svg": project.agreement("stars").plot,
    }
    for name, plot in plots.items():
        plot(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000, name
    many = counted(["n"], ([[n]] for n in range(150))).plot().axes[0]
    assert (len(many.patches), many.get_xlabel()) == (100, "n (and 50 more)")
    figure = counts.plot()
    assert [bar.get_height() for bar in figure.axes[0].patches] == [
        counts[mood, user] for user in world.people[:2] for mood in counts.cross()[0]
    ]
    with pytest.raises(ValueError, match="by one name or two"):
        project.tasks.count_by("id", "is_labeled", "overlap").plot()
    with pytest.raises(ValueError, match="observed, cohen_kappa"):
        agreement.plot(figure="f1")


def test_without_matplotlib_the_extra_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"labelstudio_orm\[plot\]"):
        world.project.tasks.count_by("id").plot()
