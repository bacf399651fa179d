"""Conditions on related objects: those of one conjunction are about one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from labelstudio_orm import FieldError, LabelStudio, Project, Q, User

pytestmark = pytest.mark.filterwarnings("ignore::labelstudio_orm.ClientSideFilterWarning")


@pytest.fixture
def said(project: Project, bob: User) -> Project:
    """What bob and another one say: the same in one task, the opposite in the others."""
    choice = project.config["sentiment"].choice
    yes, no = [choice("Positive")], [choice("Negative")]
    project.tasks.bulk_create(
        {
            "data": {"text": text},
            "annotations": [{"result": result, "completed_by": by} for by, result in annotations],
            "predictions": [
                {"result": result, "score": score, "model_version": version}
                for version, score, result in (("v1", 0.9, yes), ("v2", rest, no))
            ],
        }
        for text, annotations, rest in (
            ("bob yes", [(bob, yes), (None, no)], 0.1),
            ("bob no", [(bob, no), (None, yes)], 0.95),
            ("nobody", [], 0.2),
        )
    )
    return project


def texts(project: Project, *conditions: Q, **lookups: Any) -> list[str]:
    return [task.data["text"] for task in project.tasks.filter(*conditions, **lookups)]


def complement(project: Project, *conditions: Q, **lookups: Any) -> list[str]:
    return [task.data["text"] for task in project.tasks.exclude(*conditions, **lookups)]


def test_one_filter_is_about_one_object(said: Project, bob: User) -> None:
    for label in ("label", "sentiment"):
        name = f"annotations__result__{label}"
        both = {"annotations__completed_by": bob, name: "Positive"}
        assert texts(said, **both) == ["bob yes"]
        assert complement(said, **both) == ["bob no", "nobody"]
        by, yes = Q(annotations__completed_by=bob), Q(**{name: "Positive"})
        assert texts(said, by & yes) == texts(said, by, yes) == ["bob yes"]
        assert texts(said, by, yes | Q(annotations__was_cancelled=True)) == ["bob yes"]
        chained = said.tasks.filter(by).filter(yes)
        assert [task.data["text"] for task in chained] == ["bob yes", "bob no"]
        assert texts(said, by & ~yes) == []
        assert texts(said, ~(by & yes)) == ["bob no", "nobody"]
        assert texts(said, ~~(by & yes)) == ["bob yes"]


def test_one_filter_is_about_one_prediction(said: Project) -> None:
    sure = {"predictions__model_version": "v2", "predictions__score__gte": 0.8}
    assert texts(said, **sure) == ["bob no"]
    assert complement(said, **sure) == ["bob yes", "nobody"]
    assert texts(said, Q(predictions__model_version="v1") | Q(**sure)) == texts(said)
    assert texts(said, **sure, predictions__result__sentiment="Positive") == []


def test_two_relations_and_other_fields(said: Project, bob: User) -> None:
    where = Q(annotations__completed_by=bob, predictions__model_version="v2")
    more = Q(annotations__result__label="Negative") & (
        Q(predictions__score__gte=0.8) | Q(data__text="bob yes")
    )
    assert texts(said, where & more) == ["bob no"]
    assert said.tasks.filter(where & more).count() == 1
    assert said.tasks.filter(where & more).update(data__seen="yes").updated == 1


def test_a_task_without_annotations_matches_null(said: Project) -> None:
    assert texts(said, annotations__completed_by=None, annotations__lead_time=None) == ["nobody"]
    assert texts(said, annotations__result__sentiment=None) == ["nobody"]


def test_conditions_on_a_result_are_about_one_region(project: Project) -> None:
    task = project.tasks.create(data={"text": "a"})
    control = project.config["sentiment"]
    regions = [control.choice("Positive"), control.choice("Negative")]
    annotation = task.annotations.create(
        result=[{**regions[0], "score": 0.1}, {**regions[1], "score": 0.9}]
    )
    for found in (task.annotations, project.annotations):
        assert found.filter(result__label="Negative", result__score__gte=0.5).count() == 1
        assert found.filter(result__label="Positive", result__score__gte=0.5).count() == 0
        assert found.exclude(result__sentiment="Positive", result__score__gte=0.5).count() == 1
        chained = found.filter(result__sentiment="Positive").filter(result__score__gte=0.5)
        assert list(chained) == [annotation]
    one: dict[str, Any] = {
        "annotations__result__sentiment": "Positive",
        "annotations__result__score__gt": 0.5,
    }
    assert project.tasks.filter(**one).count() == 0
    assert project.tasks.filter(annotations__result__from_name="sentiment").count() == 1


KINDS = """
<View>
  <Text name="text" value="$text"/>
  <Choices name="mood" toName="text" choice="multiple"><Choice value="Calm"/><Choice value="Wild"/>
  </Choices>
  <Rating name="stars" toName="text"/><Number name="many" toName="text"/>
  <TextArea name="why" toName="text"/><DateTime name="day" toName="text" only="date"/>
  <Labels name="parts" toName="text"><Label value="Name"/><Label value="Place"/></Labels>
  <Taxonomy name="where" toName="text"><Choice value="Europe"><Choice value="Spain"/></Choice>
  </Taxonomy>
</View>
"""


@pytest.mark.parametrize("relation", ["annotations", "predictions"])
def test_conditions_on_the_value_of_a_control(ls: LabelStudio, relation: str) -> None:
    project = ls.projects.create(title="Kinds", label_config=KINDS)
    config = project.config
    task = project.tasks.create(data={"text": "Ida in Oslo"})
    getattr(task, relation).create(
        result=[
            config["mood"].choices("Calm", "Wild"),
            config["stars"].rating(4),
            config["many"].number(2.5),
            config["why"].text("it is 10% wild", "and more"),
            config["day"].datetime("2026-01-02"),
            config["parts"].label("Name", start=0, end=3),
            config["where"].taxonomy(["Europe", "Spain"]),
        ]
    )
    for fits, misses in (
        ({"mood": "Wild"}, {"mood": "wild"}),
        ({"mood__icontains": "WIL"}, {"mood__contains": "WIL"}),
        ({"stars": 4}, {"stars": "4"}),
        ({"stars__gte": 4}, {"stars__gt": 4}),
        ({"many__range": (2, 3)}, {"many__lt": 2.5}),
        ({"why__contains": "10%"}, {"why__contains": "11%"}),
        ({"why": "and more"}, {"why": "and"}),
        ({"day__startswith": "2026"}, {"day": "2027-01-02"}),
        ({"parts__in": ["Name", "x"]}, {"parts": "Place"}),
        ({"where": "Spain"}, {"where": "Spain,Europe"}),
        ({"other__isnull": True}, {"mood__isnull": True}),
    ):
        for lookups, number in ((fits, 1), (misses, 0)):
            inner = {f"result__{name}": value for name, value in lookups.items()}
            outer: dict[str, Any] = {f"{relation}__{name}": value for name, value in inner.items()}
            assert project.tasks.filter(**outer).count() == number, outer
            assert project.tasks.exclude(**outer).count() == 1 - number, outer
            assert getattr(project, relation).filter(**inner).count() == number, inner
    project.delete()


@pytest.mark.parametrize("lookup", ["icontains", "contains", "startswith", "regex", "gt", "iexact"])
def test_text_lookups_on_a_result_are_refused(project: Project, lookup: str) -> None:
    for ask, name in (
        (project.tasks.filter, "annotations__result"),
        (project.tasks.exclude, "predictions__result"),
        (project.annotations.filter, "result"),
    ):
        asked: dict[str, Any] = {f"{name}__{lookup}": "Calm"}
        with pytest.raises(FieldError, match=f"{name}__label__{lookup}=") as caught:
            ask(**asked)
        assert f"{name}__<control>__{lookup}" in str(caught.value)


def test_a_control_called_like_a_key_of_regions(ls: LabelStudio) -> None:
    project = ls.projects.create(
        title="Type",
        label_config='<View><Text name="t" value="$text"/><Choices name="type" toName="t">'
        '<Choice value="Spam"/></Choices></View>',
    )
    task = project.tasks.create(data={"text": "a"})
    task.annotations.create(result=[project.config["type"].choice("Spam")])
    with pytest.raises(FieldError, match="annotations__result__from_name='type'"):
        project.tasks.filter(annotations__result__type="Spam").count()
    way_out: dict[str, Any] = {
        "annotations__result__from_name": "type",
        "annotations__result__label": "Spam",
    }
    assert project.tasks.filter(**way_out).count() == 1
    project.delete()


def test_repr_and_explain_show_conditions_on_related_objects(
    said: Project, asked: Callable[[], list[str]]
) -> None:
    tasks = said.tasks.filter(annotations__completed_by=7, annotations__result__label="Positive")
    shown = "(annotations__completed_by=7 and annotations__result__label='Positive')"
    assert f"{shown} of the same annotation" in repr(tasks)
    text = tasks.explain()
    assert "annotations_ids empty False" in text  # to look in all results may cost more
    assert "annotators contains 7" in text
    asked()
    assert list(tasks) == []
    assert len(asked()) <= 2
