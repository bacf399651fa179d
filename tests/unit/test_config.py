from __future__ import annotations

import copy
import json
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio_orm._config.markup import without_declaration
from labelstudio_orm.config import (
    Bitmask,
    Box,
    Brush,
    Ellipse,
    Keyframe,
    KeyPoint,
    LabelConfig,
    Passage,
    Polygon,
    Region,
    Span,
    Track,
    UnknownControl,
    Vector,
    choices,
    labels,
    taxonomy,
)

XML = """<View>
  <!-- <Choices name="sentiment" toName="text"/> is this, but older -->
  <Header value="What is it about?"/>
  <Text name="text" value="$text"/>
  <View style="display: flex">
    <Choices name="sentiment" toName="text">
      <Choice value="Positive"/>
      <Choice value="Negative" alias="neg" hint="bad mood"/>
      <View><Choice value="Neutral"/></View>
    </Choices>
  </View>
  <Choices name="topics" toName="text" choice="multiple">
    <Choice value="A"/><Choice value="B"/><Choice value="C"/>
  </Choices>
  <Choices name="nested" toName="text" allowNested="true" choice="multiple">
    <Choice value="Animal" alias="an"><Choice value="Bird"/><Choice value="Cat"/></Choice>
    <Choice value="Stone"/>
  </Choices>
  <Choices name="flat" toName="text"><Choice value="X"><Choice value="Y"/></Choice></Choices>
  <Choices name="dynamic" toName="text" value="$options"/>
  <Choices name="mood" toName="text" perRegion="true"><Choice value="up"/></Choices>
  <Labels name="ner" toName="text"><Label value="Person"/><Label value="City"/></Labels>
  <Labels name="many" toName="text" choice="multiple">
    <Label value="P"/><Label value="Q"/><Label/>
  </Labels>
  <HyperText name="page" value="$html"/>
  <HyperTextLabels name="marks" toName="page"><Label value="Title"/></HyperTextLabels>
  <Image name="image" value="$image"/>
  <RectangleLabels name="box" toName="image"><Label value="Car"/></RectangleLabels>
  <Rectangle name="rect" toName="image"/>
  <EllipseLabels name="ellipse" toName="image"><Label value="Eye"/></EllipseLabels>
  <KeyPointLabels name="point" toName="image"><Label value="Nose"/></KeyPointLabels>
  <PolygonLabels name="polygon" toName="image"><Label value="Lake"/></PolygonLabels>
  <BrushLabels name="brush" toName="image"><Label value="Sky"/></BrushLabels>
  <Labels name="generic" toName="image"><Label value="Car"/></Labels>
  <Rating name="stars" toName="text" maxRating="6"/>
  <TextArea name="comment" toName="text"/>
  <Number name="age" toName="text" min="0" max="150"/>
  <DateTime name="when" toName="text"/>
  <Taxonomy name="kinds" toName="text">
    <Choice value="Animal"><Choice value="Bird"/></Choice><Choice value="Stone"/>
  </Taxonomy>
  <Text name="other" value="$other"/>
  <Pairwise name="better" toName="text,other"/>
  <Rating name="both" toName="text,other"/>
  <Nosuch name="odd" toName="text"/>
  <Repeater on="$pages" indexFlag="{{idx}}">
    <Text name="page_{{idx}}" value="$pages[{{idx}}].text"/>
    <Rating name="quality_{{idx}}" toName="page_{{idx}}"/>
  </Repeater>
  <Filter name="filter" toName="ner"/>
</View>
"""
config = LabelConfig.parse(XML)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
percent = st.floats(0, 100) | st.integers(0, 100)
pixels = st.none() | st.integers(1, 10_000)


def read(*regions: dict[str, Any]) -> Any:
    """What one control's regions say, after a trip through JSON as the server makes it."""
    (value,) = config.values(json.loads(json.dumps(regions))).values()
    return value


# -- parsing ---------------------------------------------------------------------------------


def test_is_a_collection_of_controls_in_document_order() -> None:
    assert list(config)[:3] == ["sentiment", "topics", "nested"]
    assert len(config) == len(config.controls) == 25
    assert list(config.objects) == ["text", "page", "image", "other", "page_{{idx}}"]
    assert "sentiment" in config
    assert "text" not in config
    assert "filter" not in config
    assert 5 not in config
    assert config.objects["text"].value == "$text"


def test_a_control_tells_its_tag_objects_labels_and_attributes() -> None:
    control = config["sentiment"]
    assert (control.name, control.tag, control.to_name) == ("sentiment", "Choices", ("text",))
    assert control.labels == ("Positive", "neg", "Neutral")
    assert [(tag.value, tag.alias, tag.hint) for tag in control.label_tags][1] == (
        "Negative",
        "neg",
        "bad mood",
    )
    assert config["stars"].attributes["maxRating"] == "6"
    assert config["better"].to_name == ("text", "other")
    assert [o.name for o in config["better"].objects] == ["text", "other"]
    assert config["many"].labels == ("P", "Q")
    assert config["kinds"].label_tags[1].path == ("Animal", "Bird")


def test_its_text_is_kept_and_decides_equality() -> None:
    assert str(config) == config.xml == XML
    again = LabelConfig.parse(XML)
    assert again == config
    assert hash(again) == hash(config)
    assert pickle.loads(pickle.dumps(config)) == copy.deepcopy(config) == config
    assert LabelConfig.parse("<View></View>") != LabelConfig.parse("<View/>")
    assert config != XML


def test_an_empty_config_has_no_controls() -> None:
    empty = LabelConfig.parse("<View></View>")
    assert list(empty) == []
    assert empty.values([]) == {}
    assert bool(empty)


def test_an_unknown_control_names_the_near_misses_and_the_names() -> None:
    with pytest.raises(UnknownControl) as caught:
        config["sentimant"]
    assert isinstance(caught.value, KeyError)
    assert "did you mean 'sentiment'?" in str(caught.value)
    assert "'topics'" in str(caught.value)


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        ("", "line 1, column 1"),
        ("<View>\n  <Text></View>", "mismatched tag: line 2, column 11"),
        ("<View>&nbsp;</View>", "undefined entity: line 1, column 7"),
        ("<!DOCTYPE v>\n<View/>", "not have a <!DOCTYPE>: line 1"),
        (
            '<View>\n<Text name="t" value="$t"/>\n <Image name="t" value="$i"/></View>',
            "have the name 't': <Text> at line 2, column 1 and <Image> at line 3, column 2",
        ),
        (
            '<View>\n<Text name="text" value="$t"/><Rating name="r" toName="txt"/></View>',
            "toName of <Rating> at line 2, column 31 names nothing: 'txt'; did you mean 'text'",
        ),
        (
            '<View><Text name="a" value="$a"/><Pairwise name="p" toName="a,b"/></View>',
            "names nothing: 'b'. There are: 'a'",
        ),
        (
            '<View><Text name="t" value="$t"/><Rating name="r" toName="R"/></View>',
            "names nothing: 'R'. There are: 't'",
        ),
        (
            '<View><Text name="t" value="$t"/><Labels name="ner" toName="t"/>'
            '<Filter name="f" toName="nre"/></View>',
            "names nothing: 'nre'; did you mean 'ner'? There are: 'ner'",
        ),
    ],
)
def test_a_broken_config_is_refused_with_its_place(xml: str, message: str) -> None:
    with pytest.raises(ValueError, match="line") as caught:
        LabelConfig.parse(xml)
    assert message in str(caught.value)


@given(st.text(st.sampled_from("<>/\"'= &;!-View nametoName$\n\x00é"), max_size=60))
def test_any_text_is_a_config_or_a_value_error(xml: str) -> None:
    try:
        parsed = LabelConfig.parse(xml)
    except ValueError:
        return
    assert parsed.xml == xml


def test_deep_nesting_is_no_recursion() -> None:
    xml = "<View>" * 5000 + '<Text name="t" value="$t"/>' + "</View>" * 5000
    assert list(LabelConfig.parse(xml).objects) == ["t"]


# -- building, and reading back --------------------------------------------------------------


def test_a_region_is_plain_json_with_a_fresh_id() -> None:
    region = config["sentiment"].choice("Positive")
    id_ = region.pop("id")
    assert region == {
        "from_name": "sentiment",
        "to_name": "text",
        "type": "choices",
        "value": {"choices": ["Positive"]},
    }
    assert isinstance(id_, str)
    assert len({config["sentiment"].choice("Positive")["id"] for _ in range(100)}) == 100


def test_id_score_and_to_name_can_be_given() -> None:
    region = config["both"].rating(1, id="abc", score=0.5, to_name="other")
    assert (region["id"], region["score"], region["to_name"]) == ("abc", 0.5, "other")
    with pytest.raises(ValueError, match="give to_name="):
        config["both"].rating(1)
    with pytest.raises(ValueError, match="did you mean 'other'"):
        config["both"].rating(1, to_name="othr")
    with pytest.raises(TypeError, match="unexpected argument scor"):
        config["stars"].rating(1, scor=1)  # type: ignore[call-arg]


@given(st.sampled_from(["Positive", "neg", "Neutral"]))
def test_a_choice_reads_back(value: str) -> None:
    assert read(config["sentiment"].choice(value)) == value


@given(st.lists(st.sampled_from("ABC"), min_size=1, unique=True))
def test_choices_read_back_as_a_list(values: list[str]) -> None:
    assert read(config["topics"].choices(*values)) == values
    assert read(config["topics"].choice(values[0])) == values[:1]


@given(st.text())
def test_dynamic_choices_allow_any(value: str) -> None:
    assert read(config["dynamic"].choice(value)) == value


@given(st.lists(st.text(), min_size=1))
def test_texts_read_back(texts: list[str]) -> None:
    assert read(config["comment"].text(*texts)) == (texts if len(texts) > 1 else texts[0])


@given(st.integers(0, 6), st.integers(0, 150) | st.floats(0, 150), st.text())
def test_scalars_read_back(stars: int, age: float, when: str) -> None:
    assert read(config["stars"].rating(stars)) == stars
    assert read(config["age"].number(age)) == age
    assert read(config["when"].datetime(when)) == when


@pytest.mark.parametrize("side", ["left", "right"])
def test_pairwise_reads_back_and_belongs_to_itself(side: str) -> None:
    region = config["better"].pairwise(side)
    assert region["to_name"] == "better"
    assert region["value"] == {"selected": side}
    assert config["better"].pairwise(side, to_name="other")["to_name"] == "other"
    assert read(region) == side


def test_taxonomy_and_nested_choices_are_paths() -> None:
    paths = [["Animal", "Bird"], ["Stone"]]
    assert read(config["kinds"].taxonomy(*paths)) == paths
    assert read(config["kinds"].taxonomy("Stone")) == [["Stone"]]
    assert read(config["nested"].choices(["Animal", "Cat"], "Stone")) == [["an", "Cat"], ["Stone"]]
    with pytest.raises(ValueError, match="'Animal > Bird'"):
        config["kinds"].taxonomy(["Animal", "Brid"])


@given(st.integers(0, 1000), st.integers(0, 100), st.none() | st.text())
def test_a_span_of_text_reads_back(start: int, length: int, text: str | None) -> None:
    region = config["ner"].label("City", start=start, end=start + length, text=text)
    assert read(region) == [Span(start, start + length, text, ("City",), region["id"])]


def test_a_span_has_the_keys_of_a_span_on_text() -> None:
    region = config["many"].label("P", "Q", start=3, end=9, text="Oslo!!")
    assert region["type"] == "labels"
    assert region["value"] == {"start": 3, "end": 9, "text": "Oslo!!", "labels": ["P", "Q"]}


def test_a_span_of_hypertext_is_global_offsets_or_xpaths() -> None:
    offsets = config["marks"].label("Title", start=3, end=9)
    assert offsets["value"] == {
        "start": 3,
        "end": 9,
        "globalOffsets": {"start": 3, "end": 9},
        "hypertextlabels": ["Title"],
    }
    place = "/p[1]/text()[1]"
    xpaths = config["marks"].label(
        "Title", start=place, end=place, start_offset=1, end_offset=7, global_offsets=(3, 9)
    )
    assert xpaths["value"] == {
        "start": place,
        "end": place,
        "startOffset": 1,
        "endOffset": 7,
        "globalOffsets": {"start": 3, "end": 9},
        "hypertextlabels": ["Title"],
    }
    assert read(offsets) == [Span(3, 9, None, ("Title",), offsets["id"])]
    assert read(xpaths) == [Span(3, 9, None, ("Title",), xpaths["id"])]
    alone = config["marks"].label("Title", start=place, end=place, start_offset=1, end_offset=7)
    assert read(alone) == [alone]


@given(percent, percent, percent, percent, st.floats(-360, 360), pixels, pixels)
def test_a_box_reads_back(
    x: float,
    y: float,
    width: float,
    height: float,
    rotation: float,
    original_width: int | None,
    original_height: int | None,
) -> None:
    for name, named in (("box", ("Car",)), ("rect", ())):
        region = config[name].rectangle(
            *named,
            x=x,
            y=y,
            width=width,
            height=height,
            rotation=rotation,
            original_width=original_width,
            original_height=original_height,
        )
        assert read(region) == [
            Box(
                x,
                y,
                width,
                height,
                rotation,
                labels=named,
                id=region["id"],
                original_width=original_width,
                original_height=original_height,
            )
        ]


@given(percent, percent, st.floats(0, 50), st.lists(st.tuples(percent, percent), min_size=3))
def test_ellipses_keypoints_and_polygons_read_back(
    x: float, y: float, radius: float, points: list[tuple[float, float]]
) -> None:
    ellipse = config["ellipse"].ellipse("Eye", x=x, y=y, radius_x=radius, radius_y=1, id="i")
    point = config["point"].keypoint("Nose", x=x, y=y, id="i")
    polygon = config["polygon"].polygon("Lake", points=points, id="i")
    assert read(ellipse) == [Ellipse(x, y, radius, 1, labels=("Eye",), id="i")]
    assert read(point) == [KeyPoint(x, y, 0.5, labels=("Nose",), id="i")]
    assert read(polygon) == [Polygon(tuple(points), labels=("Lake",), id="i")]


def test_a_shape_is_stored_in_the_keys_of_the_server() -> None:
    region = config["ellipse"].ellipse(
        "Eye", x=1, y=2, radius_x=3, radius_y=4, original_width=600, original_height=400
    )
    assert region["value"] == {
        "x": 1,
        "y": 2,
        "radiusX": 3,
        "radiusY": 4,
        "rotation": 0,
        "ellipselabels": ["Eye"],
    }
    assert (region["original_width"], region["original_height"]) == (600, 400)


def test_the_displayed_value_is_stored_as_its_alias() -> None:
    assert config["sentiment"].choice("Negative")["value"] == {"choices": ["neg"]}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: config["sentiment"].rating(1), r"no .rating\(\): use .choice\(\) or .choices\(\)"),
        (lambda: config["stars"].choice("A"), r"no .choice\(\): use .rating\(\)"),
        (lambda: config["brush"].rectangle("Sky", x=1, y=1, width=1, height=1), r"use .brush\(\)"),
        (lambda: config["odd"].text("x"), "write its regions as dicts"),
        (lambda: config["sentiment"].choices("Positive", "neg"), r"use .choice\(value\)"),
        (lambda: config["generic"].label("Car", start=1, end=2), "<RectangleLabels>"),
        (lambda: config["rect"].rectangle("Car", x=1, y=1, width=1, height=1), "has no labels"),
        (lambda: config["ner"].label("City", start="/p[1]", end="/p[1]"), "must be numbers"),
        (lambda: config["ner"].label("City", start=1, end=2, start_offset=1), "XPaths"),
        (lambda: config["marks"].label("Title", start="/p", end="/p"), "start_offset must be"),
        (lambda: config["stars"].rating(True), "must be an int"),
        (lambda: config["stars"].rating(2.0), "must be an int"),  # type: ignore[arg-type]
        (lambda: config["age"].number("3"), "must be a number"),  # type: ignore[arg-type]
        (lambda: config["comment"].text(3), "a str is needed"),  # type: ignore[arg-type]
    ],
)
def test_the_wrong_builder_or_type_is_a_type_error(call: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: config["sentiment"].choice("Postive"), "mean 'Positive'?.*'neg', 'Neutral'"),
        (lambda: config["flat"].choice("Y"), "no label 'Y'"),
        (lambda: config["topics"].choices("A", "A"), "given twice"),
        (lambda: config["topics"].choices(), "at least one"),
        (lambda: config["ner"].label("Persn", start=1, end=2), "did you mean 'Person'"),
        (lambda: config["ner"].label("Person", "City", start=1, end=2), "one label"),
        (lambda: config["ner"].label("City", start=9, end=3), "end must be at least 9"),
        (lambda: config["ner"].label("City", start=-1, end=3), "start must be at least 0"),
        (lambda: config["stars"].rating(7), "at most 6"),
        (lambda: config["age"].number(151), "at most 150"),
        (lambda: config["age"].number(float("nan")), "not nan"),
        (lambda: config["better"].pairwise("both"), "'left' or 'right'"),
        (
            lambda: config["box"].rectangle("Car", x=640, y=1, width=1, height=1),
            r"x \(percent\) must be at least 0 and at most 100, not 640",
        ),
        (lambda: config["polygon"].polygon("Lake", points=[(1, 2), (3, 4)]), "at least three"),
        (lambda: config["polygon"].polygon("Lake", points=[(1, 2), (3, 4), (5, 101)]), "101"),
        (lambda: config["mood"].choice("up"), "give id="),
        (lambda: config["quality_{{idx}}"].rating(1), "'quality_0'"),
    ],
)
def test_a_value_that_is_not_allowed_is_a_value_error(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


MORE = LabelConfig.parse(
    """<View>
  <Paragraphs name="talk" value="$talk"/>
  <ParagraphLabels name="said" toName="talk"><Label value="Thanks"/></ParagraphLabels>
  <TimeSeries name="series" value="$series"/>
  <TimeSeriesLabels name="phase" toName="series"><Label value="Run"/></TimeSeriesLabels>
  <Video name="video" value="$video"/>
  <TimelineLabels name="line" toName="video"><Label value="Cut"/></TimelineLabels>
  <Labels name="what" toName="video"><Label value="Ball"/></Labels>
  <VideoRectangle name="track" toName="video"/>
  <List name="list" value="$list"/>
  <Ranker name="rank" toName="list"><Bucket name="best" title="Best"/></Ranker>
  <Chat name="chat" value="$chat"/>
  <ReactCode name="react" outputs="a"/>
  <Image name="image" value="$image"/>
  <BrushLabels name="brush" toName="image"><Label value="Sky"/></BrushLabels>
  <BitmaskLabels name="mask" toName="image"><Label value="Sky"/></BitmaskLabels>
  <Vector name="line2" toName="image"/>
  <Relations><Relation value="cause"/></Relations>
</View>"""
)
KEYFRAME = Keyframe(1, 0.04, 10, 20, 30, 40)


@pytest.mark.parametrize(
    ("region", "value", "said"),
    [
        (
            MORE["said"].label("Thanks", start=0, end=1, start_offset=3, end_offset=5, id="i"),
            {"start": "0", "end": "1", "startOffset": 3, "endOffset": 5,
             "paragraphlabels": ["Thanks"]},
            [Passage(0, 1, 3, 5, None, ("Thanks",), "i")],
        ),
        (
            MORE["phase"].label("Run", start=3, end=9.5, id="i"),
            {"start": 3, "end": 9.5, "instant": False, "timeserieslabels": ["Run"]},
            [Span(3, 9.5, None, ("Run",), "i")],
        ),
        (
            MORE["line"].label("Cut", start=3, end=9, id="i"),
            {"ranges": [{"start": 3, "end": 9}], "timelinelabels": ["Cut"]},
            [Span(3, 9, None, ("Cut",), "i")],
        ),
        (
            MORE["track"].track("Ball", sequence=[KEYFRAME], frames_count=50, duration=2, id="i"),
            {"sequence": [{"frame": 1, "time": 0.04, "x": 10, "y": 20, "width": 30, "height": 40,
                           "rotation": 0, "enabled": True}],
             "framesCount": 50, "duration": 2, "labels": ["Ball"]},
            [Track((KEYFRAME,), 50, 2, labels=("Ball",), id="i")],
        ),
        (MORE["rank"].ranking(["b", "a"]), {"ranker": {"rank": ["b", "a"]}}, ["b", "a"]),
        (
            MORE["rank"].ranking({"best": ["b"], "_": []}),
            {"ranker": {"best": ["b"], "_": []}},
            {"best": ["b"], "_": []},
        ),
        (
            MORE["chat"].message("user", "Hello", created_at=5),
            {"chatmessage": {"role": "user", "content": "Hello", "createdAt": 5}},
            [{"role": "user", "content": "Hello", "createdAt": 5}],
        ),
        (MORE["react"].output({"a": 1}), {"reactcode": {"a": 1}}, {"a": 1}),
        (
            MORE["brush"].brush("Sky", rle=[0, 255], id="i"),
            {"format": "rle", "rle": [0, 255], "brushlabels": ["Sky"]},
            [Brush((0, 255), labels=("Sky",), id="i")],
        ),
        (
            MORE["mask"].bitmask("Sky", image_data_url="data:image/png;base64,", id="i"),
            {"imageDataURL": "data:image/png;base64,", "bitmasklabels": ["Sky"]},
            [Bitmask("data:image/png;base64,", labels=("Sky",), id="i")],
        ),
        (
            MORE["line2"].vector(points=[(1, 2), (3, 4)], id="i"),
            {"vertices": [
                {"id": "v1", "prevPointId": None, "x": 1, "y": 2, "isBezier": False},
                {"id": "v2", "prevPointId": "v1", "x": 3, "y": 4, "isBezier": False},
             ], "closed": False},
            [Vector(((1, 2), (3, 4)), id="i")],
        ),
    ],
    ids=lambda one: one.get("type", "") if isinstance(one, dict) else "",
)  # fmt: skip
def test_the_other_kinds_of_regions_are_built_read_and_found_right(
    region: Region, value: dict[str, Any], said: Any
) -> None:
    assert region["value"] == value
    assert MORE.values([json.loads(json.dumps(region))]) == {region["from_name"]: said}
    assert MORE.problems([region]) == []


def test_what_is_about_itself_is_an_object_and_a_control() -> None:
    assert (MORE["chat"].tag, MORE["chat"].to_name) == ("ChatMessage", ("chat",))
    assert MORE["chat"].objects == (MORE.objects["chat"],)
    assert MORE["react"].to_name == ("react",)
    assert MORE["chat"].message("user", "Hello")["to_name"] == "chat"


def test_a_time_may_be_a_text_where_the_time_column_is() -> None:
    region = MORE["phase"].label("Run", start="2026-01-31", end="2026-01-31")
    assert region["value"]["instant"] is True
    assert MORE.problems([region]) == []
    assert MORE.values([region]) == {"phase": [region]}


def test_a_relation_joins_two_regions() -> None:
    first, second = (MORE["phase"].label("Run", start=n, end=n) for n in (1, 2))
    assert MORE.relation(first, second["id"], "cause", direction="bi") == {
        "type": "relation",
        "from_id": first["id"],
        "to_id": second["id"],
        "direction": "bi",
        "labels": ["cause"],
    }
    with pytest.raises(ValueError, match=r"'effect'.* There are: 'cause'"):
        MORE.relation(first, second, "effect")
    with pytest.raises(ValueError, match="direction must be one of left, right, bi, not 'up'"):
        MORE.relation(first, second, direction="up")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: MORE["said"].label("Thanks", start=0, end=0), TypeError, "start_offset must be"),
        (lambda: MORE["line"].label("Cut", start=9, end=3), ValueError, "at least 9"),
        (
            lambda: MORE["rank"].ranking([1]),  # type: ignore[list-item]
            TypeError,
            "a str is needed",
        ),
        (lambda: MORE["brush"].brush("Sky", rle=[256]), ValueError, "from 0 to 255"),
        (lambda: MORE["line2"].vector(points=[]), ValueError, r"\(x, y\) pairs"),
        (
            lambda: MORE["track"].track(sequence=[], frames_count=1, duration=1),
            ValueError,
            "one Keyframe or more",
        ),
        (
            lambda: MORE["track"].track(
                sequence=[Keyframe(1, 0, 101, 0, 0, 0)], frames_count=1, duration=1
            ),
            ValueError,
            r"sequence\[0\]: x \(percent\) must be at least 0 and at most 100, not 101",
        ),
    ],
)
def test_the_other_builders_say_what_is_wrong(
    call: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()


def test_values_are_written_back_as_the_regions_that_say_them() -> None:
    person = config["ner"].label("Person", start=0, end=4, text="Anna")
    result = [
        config["sentiment"].choice("Positive"),
        config["topics"].choices("A", "B"),
        config["nested"].choices(["Animal", "Cat"], "Stone"),
        config["comment"].text("one", "two"),
        config["kinds"].taxonomy(["Animal", "Bird"], ["Stone"]),
        config["stars"].rating(4),
        config["age"].number(1.5),
        config["when"].datetime("2026-01-31"),
        config["better"].pairwise("left"),
        person,
        config["mood"].choice("up", id=person["id"]),
        config["box"].rectangle("Car", x=1, y=2, width=3, height=4, original_width=600),
        config["ellipse"].ellipse("Eye", x=1, y=2, radius_x=3, radius_y=4),
        config["point"].keypoint("Nose", x=1, y=2),
        config["polygon"].polygon("Lake", points=[(1, 2), (3, 4), (5, 6)]),
        config["quality_2"].rating(3),
    ]
    values = config.values(result)
    written = config.regions(values)
    assert config.values(written) == values
    assert [one["from_name"] for one in written] == [one["from_name"] for one in result]


def test_values_of_the_rarer_controls_are_written_back() -> None:
    values = {
        "said": [Passage(0, 1, 3, 5, "Hello", ("Thanks",), "p")],
        "phase": [Span(3, 9.5, None, ("Run",), "i"), Span(10, 10, None, ("Run",), "j")],
        "line": [Span(3, 9, None, ("Cut",), "k")],
        "track": [Track((KEYFRAME,), 50, 2, labels=("Ball",), id="t")],
        "rank": ["b", "a"],
        "chat": [{"role": "user", "content": "Hello"}, {"role": "bot", "content": "Hi"}],
        "react": {"a": 1},
        "brush": [Brush((0, 255), labels=("Sky",), id="b")],
        "mask": [Bitmask("data:,", labels=("Sky",), id="m")],
        "line2": [Vector(((1, 2), (3, 4)), id="v")],
    }
    assert MORE.values(MORE.regions(values)) == values


def test_a_value_may_be_a_dict_as_the_region_is_to_hold_it() -> None:
    stored = {"start": 0, "end": 4, "labels": ["Person"]}
    (region,) = config.regions({"ner": [stored]})
    assert region["value"] == stored
    with pytest.raises(ValueError, match=r"value.labels\[0\].*did you mean 'Person'"):
        config.regions({"ner": [{**stored, "labels": ["Persn"]}]})


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"sentimant": "A"}, UnknownControl, "did you mean 'sentiment'"),
        ({"sentiment": "Postive"}, ValueError, "did you mean 'Positive'"),
        ({"sentiment": ["Positive", "neg"]}, TypeError, "a str is needed"),
        ({"ner": "Person"}, TypeError, "a span, a shape or a dict is needed"),
        ({"odd": 5}, TypeError, "has no builder"),
    ],
)
def test_values_that_do_not_fit_are_not_written(
    values: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        config.regions(values)


# -- configs without XML ----------------------------------------------------------------------


def test_a_config_is_built_from_short_forms() -> None:
    made = LabelConfig.build(
        {
            "text": "Text",
            "page": ("HyperText", {"value": "$html"}),
            "mood": choices(['"good" & <b>', "bad"], choice="multiple"),
            "ner": labels(["Person"], toName="page"),
            "marks": labels(["Title"], "HyperTextLabels"),
            "tree": taxonomy([("Animal", "Bird", ("Fish", "Eel")), "Stone"]),
        },
        mapping={"marks": "page"},
        title="What is it?",
    )
    assert made.xml.splitlines()[:8] == [
        "<View>",
        '  <Header value="What is it?"/>',
        '  <Text name="text" value="$text"/>',
        '  <HyperText name="page" value="$html"/>',
        '  <Choices name="mood" choice="multiple" toName="text">',
        """    <Choice value='"good" &amp; &lt;b&gt;'/>""",
        '    <Choice value="bad"/>',
        "  </Choices>",
    ]
    assert made["mood"].labels == ('"good" & <b>', "bad")
    assert [made[name].to_name for name in ("ner", "marks", "tree")] == [
        ("page",), ("page",), ("text",)
    ]  # fmt: skip
    assert [label.path for label in made["tree"].label_tags] == [
        ("Animal",), ("Animal", "Bird"), ("Animal", "Fish"), ("Animal", "Fish", "Eel"), ("Stone",)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("tags", "error", "message"),
    [
        ({"mood": choices(["A"])}, ValueError, "about nothing: add an object tag"),
        ({"text": "Text", "mood": "Choices"}, ValueError, "has no <Choice>"),
        ({"text": "Text", "mood": choices(["A"], toName="txt")}, ValueError, "mean 'text'"),
    ],
)
def test_what_cannot_be_built_says_why(
    tags: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        LabelConfig.build(tags)
    with pytest.raises(TypeError, match="labels must be a list"):
        choices("AB")


# -- what the server asks of a config ----------------------------------------------------------


def test_a_good_config_has_no_problems() -> None:
    assert MORE.problems() == []
    MORE.validate()


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ('<Choices name="c" toName="t"/>', "has no <Choice>, nor a value that names data"),
        ('<Labels name="c" toName="t"><Choice value="A"/></Labels>', "has no <Label>"),
        ('<Choices name="c" toName="t"><Choice alias="a"/></Choices>', "has no value"),
        ('<Choices toName="t"><Choice value="a"/></Choices>', "has no name"),
        ('<TextArea name="c"/>', "has no toName"),
        ('<TextArea name="7" toName="t"/>', "does not accept name='7' as a name"),
        ('<Number name="true" toName="t"/>', "does not accept name='true' as a name"),
        ('<View><Image name="c"/></View>', "has none of value and valueList"),
        ('<Image name="c" value="$c" valueList="$d"/>', "has both of value and valueList"),
        ('<Choices name="c" toName="t"><Choice value="a"/></Choices>'
         '<Choices name="d" toName="t" value="$d"/>', "put one of the two into a <View>"),
        ('<Video name="v" value="$v" minPlaybackSpeed="x"/>', "must be a number, not 'x'"),
        ('<Video name="v" value="$v" minPlaybackSpeed="99"/>', "from 0.05 to 10, not 99"),
        ('<Video name="v" value="$v" minplaybackspeed="3" defaultPlaybackSpeed="2"/>', "exceed"),
    ],
)  # fmt: skip
def test_what_the_server_refuses_in_a_config_is_named_with_its_place(
    inside: str, said: str
) -> None:
    parsed = LabelConfig.parse(f'<View>\n<Text name="t" value="$t"/>\n{inside}</View>')
    (found,) = parsed.problems()
    assert "at line 3, column" in found
    assert said in found
    with pytest.raises(ValueError, match="at line 3"):
        parsed.validate()


@pytest.mark.parametrize(
    "inside",
    [
        '<Choices name="c" toName="t"><View><Choice value="a"/></View></Choices>',
        '<Labels name="c" toName="t" value="$labels"/>',
        '<Collapse><Panel><Choices name="c" toName="t"/></Panel></Collapse>',
        '<Video name="v" value="$v" minPlaybackSpeed="0.5" defaultPlaybackSpeed=""/>',
        '<Nosuch name="n"/>',
    ],
)
def test_what_the_server_takes_is_no_problem(inside: str) -> None:
    assert LabelConfig.parse(f'<View><Text name="t" value="$t"/>{inside}</View>').problems() == []


@pytest.mark.parametrize(
    "beginning",
    ['<?xml version="1.0"?>', '\ufeff<?xml version="1.0" encoding="UTF-8"?>\n', "\ufeff"],
)
def test_a_declaration_is_a_problem_and_no_part_of_what_is_sent(beginning: str) -> None:
    parsed = LabelConfig.parse(beginning + MORE.xml)
    assert parsed.xml == beginning + MORE.xml
    (found,) = parsed.problems()
    assert "an XML declaration" in found
    assert without_declaration(parsed.xml) == MORE.xml
    assert without_declaration(MORE.xml) == MORE.xml
    assert parsed.with_label("Sea", control="brush").xml.startswith(beginning)


@pytest.mark.parametrize("change", [str.lower, str.upper, str.title])
def test_tags_are_taken_in_any_case(change: Callable[[str], str]) -> None:
    again = LabelConfig.parse(re.sub(r"(?<=<)/?\w+", lambda found: change(found[0]), XML))
    assert [*again] == [*config]
    for name, control in config.controls.items():
        other = again[name]
        assert (other.labels, other.to_name, other.builders, other.index_flags) == (
            control.labels,
            control.to_name,
            control.builders,
            control.index_flags,
        )
        assert other.tag == change(control.tag)
    assert [*again.objects] == [*config.objects]
    result = [
        config["sentiment"].choice("Positive"),
        config["box"].rectangle("Car", x=1, y=1, width=1, height=1),
        config["better"].pairwise("left"),
    ]
    assert again.problems(result) == []
    assert again.values(result) == config.values(result)
    for edited in (again, config):
        more = edited.with_label("Mild", control="sentiment").renamed("Neutral", "Soso")
        assert more["sentiment"].labels == ("Positive", "neg", "Soso", "Mild")
        assert more.without_label("Soso")["sentiment"].labels == ("Positive", "neg", "Mild")


def test_a_bomb_of_entities_is_refused_at_once() -> None:
    entities = "".join(f'<!ENTITY e{n + 1} "&e{n};&e{n};">' for n in range(64))
    bomb = f'<!DOCTYPE View [<!ENTITY e0 "boom">{entities}]><View>&e64;</View>'
    with pytest.raises(ValueError, match="not have a <!DOCTYPE>"):
        LabelConfig.parse(bomb)


def test_comments_cdata_and_references_are_read_as_xml() -> None:
    parsed = LabelConfig.parse(
        '<!-- <Choices name="old"/> --><View><![CDATA[<Choices name="no" toName="t"/> & so on]]>'
        '<?note <Text?><Text name="t" value="$t"/><Choices name="c" toName="t">'
        '<Choice value="&#228;&#xe9;&amp;&lt;&quot;"/><Choice value="\U0001f600"/></Choices></View>'
    )
    assert {name: one.labels for name, one in parsed.controls.items()} == {
        "c": ('\xe4\xe9&<"', "\U0001f600")
    }
    assert parsed.renamed("\U0001f600", "<&").controls["c"].labels == ('\xe4\xe9&<"', "<&")


# -- reading ---------------------------------------------------------------------------------


def test_values_are_by_control_and_absent_without_a_region() -> None:
    person = config["ner"].label("Person", start=0, end=4, text="Anna")
    result = [
        config["sentiment"].choice("Positive"),
        config["topics"].choices("A", "B"),
        person,
        config["mood"].choice("up", id=person["id"]),
        config["stars"].rating(4),
    ]
    assert config.values(result) == {
        "sentiment": "Positive",
        "topics": ["A", "B"],
        "ner": [Span(0, 4, "Anna", ("Person",), person["id"])],
        "mood": {person["id"]: "up"},
        "stars": 4,
    }


def test_several_regions_of_a_single_control_are_a_list() -> None:
    stars = config["stars"]
    assert read(stars.rating(4), stars.rating(5)) == [4, 5]


def test_a_brush_is_read() -> None:
    region = {
        "id": "b",
        "from_name": "brush",
        "to_name": "image",
        "type": "brushlabels",
        "value": {"format": "rle", "rle": [0, 255], "brushlabels": ["Sky"]},
    }
    assert read(region) == [Brush((0, 255), labels=("Sky",), id="b")]


def test_what_is_not_understood_is_kept_as_it_is() -> None:
    unknown_control = {"from_name": "gone", "type": "choices", "value": {"choices": ["A"]}}
    unknown_kind = {"from_name": "odd", "type": "nosuch", "value": {"nosuch": 1}}
    other_type = {"from_name": "stars", "type": "choices", "value": {"rating": 1}}
    odd_value = {"from_name": "age", "type": "number", "value": {"number": "three"}}
    relation = {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"}
    assert config.values(
        [unknown_control, unknown_kind, other_type, odd_value, relation, 5, None]
    ) == {"gone": [unknown_control], "odd": [unknown_kind], "stars": other_type, "age": odd_value}


@given(json_values)
def test_reading_never_raises_on_odd_results(result: Any) -> None:
    assert isinstance(config.values(result), dict)


@given(json_values)
def test_holding_odd_items_against_it_never_raises(item: Any) -> None:
    assert all(isinstance(one, str) for one in config.problems(item))
    assert config.problems({"data": item, "annotations": item, "predictions": [item]})


kinds_of_value = sorted({*config} - {"odd"})
keys = st.sampled_from(
    [
        "choices",
        "rating",
        "text",
        "number",
        "labels",
        "start",
        "end",
        "globalOffsets",
        "x",
        "y",
        "width",
        "height",
        "points",
        "rle",
        "taxonomy",
        "selected",
        "rectanglelabels",
    ]
)
types = st.sampled_from(sorted({config[name].tag.lower() for name in kinds_of_value}))


@given(
    st.sampled_from(kinds_of_value),
    types | json_values,
    json_values,
    st.dictionaries(keys, json_values, max_size=8) | json_values,
)
def test_reading_never_raises_on_odd_values(name: str, type_: Any, id_: Any, value: Any) -> None:
    region = {"from_name": name, "type": type_, "id": id_, "value": value}
    assert list(config.values([region])) == [name]
    assert all(isinstance(one, str) for one in config.problems([region, {**region, "type": "box"}]))


def test_a_repeated_control_has_one_of_itself_per_item() -> None:
    region = config["quality_2"].rating(3)
    assert (region["from_name"], region["to_name"]) == ("quality_2", "page_2")
    assert read(region) == 3
    assert "quality_2" in config
    assert "quality_x" not in config


def test_importing_it_loads_no_xml_parser() -> None:
    code = "import sys, labelstudio_orm._config; print([m for m in sys.modules if 'expat' in m])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_data_keys() -> None:
    """Whatever shows them: objects, dynamic labels, several in one text."""
    config = LabelConfig.parse(
        """
        <View>
          <Header name="head" value="$title"/>
          <Image name="image" value="$photo.url"/>
          <Text name="key" value="$my-key"/>
          <Text name="both" value="$a and $b"/>
          <Text name="fixed" value="Look:"/>
          <PolygonLabels name="shape" toName="image" value="$objects"/>
        </View>
        """
    )
    assert config.data_keys == {"title", "photo", "my-key", "a", "b", "objects"}
