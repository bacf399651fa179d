"""Holding items against a labelling config: nothing that fits is refused."""

from __future__ import annotations

from typing import Any

import pytest

from labelstudio_orm.config import LabelConfig
from labelstudio_orm.config.check import Check

CONFIG = LabelConfig.parse(
    """
<View>
  <Header value="$title"/>
  <Text name="text" value="$text"/>
  <Image name="image" value="$files.image"/>
  <HyperText name="page" value="Page: $html, $more"/>
  <Audio name="audio" value="$clips[0].url"/>
  <Choices name="one" toName="text"><Choice value="A" alias="a"/><Choice value="B"/></Choices>
  <Choices name="many" toName="text" choice="multiple"><Choice value="A"/><Choice value="B"/>
  </Choices>
  <Choices name="deep" toName="text" allowNested="true">
    <Choice value="Animal"><Choice value="Bird"/></Choice>
  </Choices>
  <Choices name="free" toName="text" value="$options"/>
  <Taxonomy name="tree" toName="text"><Choice value="Animal"><Choice value="Bird"/></Choice>
  </Taxonomy>
  <Labels name="span" toName="text,page,audio"><Label value="Person"/><Label value="Place"/>
  </Labels>
  <RectangleLabels name="box" toName="image"><Label value="Car"/></RectangleLabels>
  <Rectangle name="bare" toName="image"/>
  <PolygonLabels name="shape" toName="image"><Label value="Car"/></PolygonLabels>
  <BrushLabels name="brush" toName="image"><Label value="Car"/></BrushLabels>
  <KeyPointLabels name="point" toName="image"><Label value="Eye"/></KeyPointLabels>
  <Rating name="stars" toName="text"/>
  <Number name="number" toName="text"/>
  <TextArea name="note" toName="text"/>
  <DateTime name="when" toName="text"/>
  <Pairwise name="better" toName="text,page"/>
  <Ranker name="ranks" toName="text"/>
  <TextArea name="each" toName="image" perRegion="true"/>
  <Repeater on="$rows" indexFlag="{{idx}}">
    <Text name="row_{{idx}}" value="$rows[{{idx}}].text"/>
    <Rating name="score_{{idx}}" toName="row_{{idx}}"/>
  </Repeater>
</View>
"""
)
CHECK = Check(CONFIG)

DATA = {
    "text": "t",
    "files": {"image": "i"},
    "html": "h",
    "clips": [],
    "options": ["x"],
    "rows": [],
}

BUILT: list[dict[str, Any]] = [
    CONFIG["one"].choice("A"),
    CONFIG["many"].choices("A", "B"),
    CONFIG["deep"].choice(["Animal", "Bird"]),
    CONFIG["free"].choice("anything"),
    CONFIG["tree"].taxonomy(["Animal"], ["Animal", "Bird"]),
    CONFIG["span"].label("Person", start=0, end=1, to_name="text"),
    CONFIG["span"].label("Place", start=0.5, end=1.5, to_name="audio"),
    CONFIG["span"].label(
        "Place", start="/p[1]", end="/p[1]", start_offset=0, end_offset=3, to_name="page"
    ),
    CONFIG["box"].rectangle("Car", x=1, y=1, width=5, height=5),
    CONFIG["bare"].rectangle(x=1, y=1, width=5, height=5),
    CONFIG["shape"].polygon("Car", points=[(1, 1), (2, 2), (1, 2)]),
    CONFIG["point"].keypoint("Eye", x=1, y=1),
    CONFIG["stars"].rating(4),
    CONFIG["number"].number(1.5),
    CONFIG["note"].text("a", "b"),
    CONFIG["when"].datetime("2026-01-31"),
    CONFIG["better"].pairwise("left"),
    CONFIG["each"].text("a", id="abc"),
    CONFIG["score_2"].rating(3),
]
OTHERS: list[dict[str, Any]] = [
    {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"},
    {"from_name": "ranks", "to_name": "text", "type": "ranker", "value": {"ranker": ["a"]}},
    {
        "from_name": "brush",
        "to_name": "image",
        "type": "brushlabels",
        "value": {"format": "rle", "rle": [1, 2], "brushlabels": ["Car"]},
    },
    {"from_name": "box", "to_name": "image", "type": "rectanglelabels", "value": {"x": 1}},
    {"from_name": "span", "to_name": "text", "type": "labels", "value": {"start": 1, "end": 2}},
    {"from_name": "note", "to_name": "text", "type": "TextArea", "value": {"text": "bare"}},
    {"from_name": "better", "to_name": "text,page", "type": "pairwise",
     "value": {"selected": "left"}},
]  # fmt: skip


@pytest.mark.parametrize("region", BUILT + OTHERS, ids=lambda one: one.get("from_name", "-"))
def test_what_fits_is_let_through(region: dict[str, Any]) -> None:
    assert CHECK.of_result([region]) is None
    item = {"data": DATA, "annotations": [{"result": [region]}], "predictions": [{"result": []}]}
    assert CHECK.problem(item) is None


@pytest.mark.parametrize("key", ["text", "files", "html", "clips", "options", "rows"])
def test_what_the_config_shows_must_be_there(key: str) -> None:
    found = CHECK.of_data({name: value for name, value in DATA.items() if name != key})
    assert found is not None
    assert f"no key {key!r}" in found


def test_also_what_it_shows_deeper_down() -> None:
    assert CHECK.of_data({**DATA, "files": {}}) == (
        "the labelling config shows $files.image, and there is no key 'image'"
    )


@pytest.mark.parametrize(
    ("place", "change", "said"),
    [
        (0, {"from_name": "One"}, "no control 'One'; did you mean 'one'"),
        (0, {"from_name": None}, "no control 'None'"),
        (-1, {"from_name": "score_{{idx}}"}, "no control"),
        (0, {"to_name": "image"}, "not about 'image'"),
        (0, {"to_name": None}, "not about 'None'"),
        (0, {"type": "labels"}, "'choices', not 'labels'"),
        (0, {"value": {"choices": ["A"]}}, "no label 'A'"),  # its alias is what is stored
        (0, {"value": {}}, "no choices"),
        (1, {"value": {"choices": ["A", "C"]}}, "no label 'C'"),
        (2, {"value": {"choices": [["Animal", "Cat"]]}}, "no label 'Animal > Cat'"),
        (4, {"value": {"taxonomy": [["Bird"]]}}, "no label 'Bird'"),
        (5, {"value": {"start": 0, "end": 1, "labels": ["Persn"]}}, "mean 'Person'"),
        (8, {"value": {"rectanglelabels": ["Bus"]}}, "no label 'Bus'"),
        (12, {"value": {"rating": "4"}}, "no rating"),
        (12, {"value": None}, "needs one"),
        (14, {"value": {"text": [1]}}, "no textarea"),
    ],
)
def test_what_does_not_fit_is_named(place: int, change: dict[str, Any], said: str) -> None:
    found = CHECK.of_result([BUILT[1], {**BUILT[place], **change}])
    assert found is not None
    assert found.startswith("result[1]: ")
    assert said in found


def test_a_config_that_shows_nothing_asks_for_nothing() -> None:
    assert Check(LabelConfig.parse("<View></View>")).problem({"data": {"any": 1}}) is None
