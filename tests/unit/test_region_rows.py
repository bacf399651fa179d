"""Regions as flat rows: what a row has, and that nothing of a result is lost or raises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelstudio_orm._config.kinds import KINDS, LABEL_KEYS
from labelstudio_orm._tables.regions import Geometry, RegionRow, region_rows, rows_of_task
from labelstudio_orm.config import Box, LabelConfig, Region, Span

CONFIG = LabelConfig.parse("""
<View>
  <Text name="text" value="$text"/><Image name="image" value="$image"/>
  <Audio name="audio" value="$audio"/><Paragraphs name="talk" value="$talk"/>
  <Labels name="ner" toName="text"><Label value="Person"/><Label value="Place"/></Labels>
  <Choices name="mood" toName="text"><Choice value="good"/><Choice value="bad"/></Choices>
  <Choices name="tags" toName="text" choice="multiple"><Choice value="a"/><Choice value="b"/>
  </Choices>
  <Taxonomy name="kind" toName="text"><Choice value="Animal"><Choice value="Bird"/></Choice>
  </Taxonomy>
  <TextArea name="notes" toName="text"/><Rating name="stars" toName="text"/>
  <Number name="count" toName="text"/><DateTime name="when" toName="text"/>
  <RectangleLabels name="box" toName="image"><Label value="Car"/></RectangleLabels>
  <EllipseLabels name="oval" toName="image"><Label value="Car"/></EllipseLabels>
  <PolygonLabels name="poly" toName="image"><Label value="Car"/></PolygonLabels>
  <KeyPointLabels name="dot" toName="image"><Label value="Car"/></KeyPointLabels>
  <BrushLabels name="mask" toName="image"><Label value="Car"/></BrushLabels>
  <Rectangle name="bare" toName="image"/>
  <Labels name="beside" toName="image"><Label value="Car"/></Labels>
  <TimelineLabels name="scenes" toName="audio"><Label value="loud"/></TimelineLabels>
  <ParagraphLabels name="said" toName="talk"><Label value="joke"/></ParagraphLabels>
  <Relations><Relation value="owns"/></Relations>
</View>
""")


def rows(*regions: Any, config: LabelConfig | None = CONFIG) -> list[RegionRow]:
    return list(region_rows(list(regions), config, task=1, annotation=2))


def columns(row: RegionRow) -> dict[str, Any]:
    """The columns of a row that have a value, without those of every row."""
    names = ("labels", "value", "number", "text", "start", "end", "geometry", "problem")
    found = {name: getattr(row, name) for name in names}
    return {name: value for name, value in found.items() if value not in (None, ())}


SIZE: Any = {"size": (200, 400)}
READ: dict[str, tuple[Region, dict[str, Any]]] = {
    "a choice": (CONFIG["mood"].choice("good"), {"labels": ("good",), "value": "good"}),
    "several choices": (
        CONFIG["tags"].choices("a", "b"),
        {"labels": ("a", "b"), "value": ["a", "b"]},
    ),
    "one of several": (CONFIG["tags"].choices("a"), {"labels": ("a",), "value": ["a"]}),
    "a path": (
        CONFIG["kind"].taxonomy(["Animal", "Bird"]),
        {"labels": ("Animal/Bird",), "value": [["Animal", "Bird"]]},
    ),
    "a text": (CONFIG["notes"].text("x"), {"value": "x", "text": "x"}),
    "two texts": (CONFIG["notes"].text("x", "y"), {"value": ["x", "y"], "text": "x\ny"}),
    "stars": (CONFIG["stars"].rating(4), {"value": 4, "number": 4.0}),
    "a number": (CONFIG["count"].number(0.5), {"value": 0.5, "number": 0.5}),
    "a date": (
        CONFIG["when"].datetime("2026-01-31"),
        {"value": "2026-01-31", "text": "2026-01-31"},
    ),
    "a span": (
        CONFIG["ner"].label("Person", start=0, end=4, text="Anna"),
        {"labels": ("Person",), "start": 0.0, "end": 4.0, "text": "Anna"},
    ),
    "a passage": (
        CONFIG["said"].label("joke", start=1, end=2, start_offset=3, end_offset=4),
        {"labels": ("joke",), "start": 1.0, "end": 2.0},
    ),
    "a box": (
        CONFIG["box"].rectangle("Car", x=1, y=2, width=3, height=4, rotation=5, **SIZE),
        {"labels": ("Car",), "geometry": Geometry(1, 2, 3, 4, 5)},
    ),
    "an ellipse": (
        CONFIG["oval"].ellipse("Car", x=10, y=20, radius_x=5, radius_y=10, **SIZE),
        {"labels": ("Car",), "geometry": Geometry(5, 10, 10, 20)},
    ),
    "a polygon": (
        CONFIG["poly"].polygon("Car", points=[(0, 0), (10, 0), (10, 30)], **SIZE),
        {"labels": ("Car",), "geometry": Geometry(0, 0, 10, 30, 0, ((0, 0), (10, 0), (10, 30)))},
    ),
    "a point": (
        CONFIG["dot"].keypoint("Car", x=10, y=20, width=1, **SIZE),
        {"labels": ("Car",), "geometry": Geometry(10, 20, 1, None)},
    ),
    "a mask": (
        mask := CONFIG["mask"].brush("Car", rle=[1, 2], **SIZE),
        {"labels": ("Car",), "value": mask["value"]},
    ),
    "a relation": (
        CONFIG.relation("a", "b", "owns"),
        {"labels": ("owns",)},
    ),
}


@pytest.mark.parametrize("case", READ)
def test_a_row_has_the_value_and_the_place_of_its_region(case: str) -> None:
    region, expected = READ[case]
    (row,) = rows(region)
    assert columns(row) == expected
    assert (row.task, row.annotation, row.prediction) == (1, 2, None)
    assert (row.control, row.kind) == (region.get("from_name"), region["type"])
    assert row.raw is region
    assert row.region == region.get("id")


def test_pixels_are_there_where_the_size_of_the_image_is() -> None:
    place: Any = {"x": 10, "y": 20, "width": 30, "height": 40}
    sized, bare = rows(
        CONFIG["box"].rectangle("Car", **place, size=(200, 400)),
        CONFIG["box"].rectangle("Car", **place),
    )
    assert (sized.size, sized.pixels) == ((200, 400), Geometry(20, 80, 60, 160))
    assert (bare.size, bare.pixels) == (None, None)
    (point,) = rows(CONFIG["dot"].keypoint("Car", x=10, y=20, width=1, size=(200, 400)))
    assert point.pixels == Geometry(20, 80, 2, None)


def test_what_stands_beside_the_value_is_in_the_row() -> None:
    box = CONFIG["box"].rectangle(
        "Car", x=1, y=2, width=3, height=4, id="b", parent_id="a", item_index=2, score=0.5
    )
    relation = CONFIG.relation("a", "b")
    first, second = rows(box, relation)
    assert (first.parent, first.item_index, first.score, first.object) == ("a", 2, 0.5, "image")
    assert (second.ends, second.direction) == (("a", "b"), "right")
    assert isinstance(first.mark, Box)


def test_a_region_of_a_timeline_has_a_row_for_each_range() -> None:
    region = CONFIG["scenes"].label("loud", start=1, end=2)
    region["value"]["ranges"].append({"start": 5, "end": 7})
    found = rows(region)
    assert [(row.start, row.end) for row in found] == [(1, 2), (5, 7)]
    assert {row.region for row in found} == {region["id"]}


def test_a_shape_has_the_labels_of_the_region_beside_it() -> None:
    place = {"x": 1, "y": 2, "width": 3, "height": 4}
    shape = {"id": "a", "from_name": "bare", "to_name": "image", "type": "rectangle",
             "value": place}  # fmt: skip
    labels = {**shape, "from_name": "beside", "type": "labels",
              "value": {**place, "labels": ["Car"]}}  # fmt: skip
    for found in (rows(shape, labels), rows(labels, shape)[::-1]):
        assert [row.labels for row in found] == [("Car",), ("Car",)]
        assert [row.geometry for row in found] == [Geometry(1, 2, 3, 4), None]
        assert [row.problem for row in found] == [None, None]


TOLD: dict[str, tuple[Any, str, Any]] = {
    "an unknown control": (
        {"from_name": "gone", "type": "choices", "value": {"choices": ["x"]}},
        "the labelling config has no control 'gone'",
        "x",
    ),
    "an unknown type": (
        {"from_name": "mood", "type": "magic", "value": {"labels": ["x"], "magic": 1}},
        "a region of <Choices name='mood'> is 'choices', not 'magic'",
        {"labels": ["x"], "magic": 1},
    ),
    "another type": (
        {"from_name": "mood", "type": "rating", "value": {"rating": 3}},
        "a region of <Choices name='mood'> is 'choices', not 'rating'",
        3,
    ),
    "another form": (
        {"from_name": "stars", "type": "rating", "value": {"rating": "many"}},
        "its value cannot be read: the value must be a number, not 'many'",
        {"rating": "many"},
    ),
    "no value": (
        {"from_name": "stars", "type": "rating"},
        "its value cannot be read: 'value'",
        None,
    ),
    "no object": ("region", "a region must be an object", "region"),
}


@pytest.mark.parametrize("case", TOLD)
def test_what_is_not_as_its_control_says_is_told_with_what_is_stored(case: str) -> None:
    region, problem, value = TOLD[case]
    (row,) = rows(region)
    assert (row.problem, row.value) == (problem, value)


def test_a_result_that_is_no_list_is_a_row_and_none_is_nothing() -> None:
    (row,) = region_rows({"a": 1}, CONFIG)
    assert (row.value, row.problem) == ({"a": 1}, "the result is not a list of regions")
    assert list(region_rows(None, CONFIG)) == []


def test_the_rows_of_a_task_are_those_of_its_annotations_and_predictions() -> None:
    choice = CONFIG["mood"].choice("good")
    task = {
        "id": 7,
        "annotations": [{"id": 8, "result": [choice]}, "odd", {"id": 9, "result": [choice]}],
        "predictions": [{"id": 8, "result": [choice]}],
    }
    found = [(row.task, row.annotation, row.prediction) for row in rows_of_task(task, CONFIG)]
    assert found == [(7, 8, None), (7, 9, None), (7, None, 8)]
    assert [*rows_of_task({"annotations": 5}, CONFIG), *rows_of_task([], CONFIG)] == []


def test_without_a_config_values_are_read_by_the_types_of_regions() -> None:
    (row,) = rows(CONFIG["ner"].label("Person", start=0, end=4), config=None)
    assert isinstance(row.mark, Span)
    assert row.labels == ("Person",)
    assert row.problem == "the labelling config has no control 'ner'"


KEYS = sorted({key.removesuffix("?") for kind in KINDS.values() for key in kind.form} | LABEL_KEYS)
NUMBERS = st.sampled_from([0, 1, 50.5, 100, -1, 10**400, float("nan"), True])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | NUMBERS | st.sampled_from(["", "a", "5"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=5,
)
REGIONS = JSON | st.fixed_dictionaries(
    {
        "type": st.sampled_from([*KINDS, "relation", "odd", None, 5]),
        "from_name": st.sampled_from([*CONFIG, "gone", None, []]),
        "value": st.dictionaries(st.sampled_from(KEYS), JSON, max_size=8) | JSON,
    },
    optional=dict.fromkeys(
        ("id", "item_index", "parentID", "score", "original_width", "original_height", "from_id",
         "labels", "direction"), JSON,
    ),
)  # fmt: skip
PROPERTIES = [name for name, one in vars(RegionRow).items() if isinstance(one, property)]


@settings(max_examples=50)
@given(st.lists(REGIONS, max_size=3))
def test_every_region_has_a_row_whatever_is_in_it(result: list[Any]) -> None:
    found = list(region_rows(result, CONFIG))
    for row in found:
        for name in PROPERTIES:
            getattr(row, name)
    for region in result:
        if isinstance(region, dict):
            assert any(row.raw is region for row in found)
    assert sum(row.raw == {} for row in found) >= sum(not isinstance(one, dict) for one in result)
