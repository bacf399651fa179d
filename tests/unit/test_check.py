"""Holding items against a labelling config: nothing that fits is refused."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from labelstudio_orm import Annotation, MissingSizeWarning, Prediction, Task
from labelstudio_orm._config.check import Check
from labelstudio_orm.config import LabelConfig
from labelstudio_orm.testing import FakeLabelStudio

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
BOX = {"y": 1, "width": 1, "height": 1, "rectanglelabels": ["Car"]}
OTHERS: list[dict[str, Any]] = [
    {"from_name": "ranks", "to_name": "text", "type": "ranker", "value": {"ranker": {"a": ["b"]}}},
    {
        "from_name": "brush",
        "to_name": "image",
        "type": "brushlabels",
        "value": {"format": "rle", "rle": [1, 2], "brushlabels": ["Car"]},
    },
    {"from_name": "note", "to_name": "text", "type": "TextArea", "value": {"text": ["any case"]}},
    {"from_name": "better", "to_name": "text,page", "type": "pairwise",
     "value": {"selected": "left"}},
]  # fmt: skip


@pytest.mark.parametrize("region", BUILT + OTHERS, ids=lambda one: one.get("from_name", "-"))
def test_what_fits_is_let_through(region: dict[str, Any]) -> None:
    assert CHECK.of_result([region]) is None
    item = {"data": DATA, "annotations": [{"result": [region]}], "predictions": [{"result": []}]}
    assert CHECK.problem(item) is None


def test_what_the_editor_splits_is_held_together_by_its_id() -> None:
    config = LabelConfig.parse(
        '<View><Image name="i" value="$i"/><Rectangle name="r" toName="i"/>'
        '<Labels name="l" toName="i"><Label value="A"/></Labels></View>'
    )
    box = config["r"].rectangle(x=1, y=1, width=5, height=5)
    label = {**box, "from_name": "l", "type": "labels", "value": {**box["value"], "labels": ["A"]}}
    merged = {
        **label,
        "type": "rectanglelabels",
        "value": {**box["value"], "rectanglelabels": ["A"]},
    }
    assert config.problems([box, label]) == []
    assert config.problems([merged]) == []
    assert config.problems([{**merged, "type": "ellipselabels"}]) == [
        "result[0].type: a region of <Labels name='l'> is 'labels', not 'ellipselabels'"
    ]
    assert config.problems([label]) == [
        "result[0].value: 'start' is missing",
        "result[0].value: 'end' is missing",
    ]
    label["value"] = {**label["value"], "labels": ["B"]}
    assert "has no label 'B'" in config.problems([label, box])[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        ({"direction": "bi", "labels": ["any"]}, None),
        ({"direction": "up"}, "result[2].direction: one of left, right, bi is needed, not 'up'"),
        ({"from_id": "gone"}, "result[2].from_id: no region of this result has the id 'gone'"),
        ({"to_id": None}, "result[2].to_id: a text is needed, not None"),
    ],
)
def test_a_relation_is_of_two_regions_and_has_a_direction(
    change: dict[str, Any], said: str | None
) -> None:
    first, second = BUILT[5], BUILT[6]
    result = [first, second, {**CONFIG.relation(first, second), **change}]
    assert CONFIG.problems(result) == ([said] if said else [])


def test_any_form_of_an_item_is_taken_and_all_that_is_wrong_is_told() -> None:
    bad = {**BUILT[0], "to_name": "image", "value": {"choices": ["A"]}}
    told = [
        "result[0].to_name: <Choices name='one'> is not about 'image'. There are: 'text'",
        "result[0].value.choices[0]: <Choices name='one'> has no label 'A'; did you mean 'a'? "
        "There are: 'a', 'B'",
    ]
    assert CONFIG.problems([bad]) == told
    assert CONFIG.problems({"result": [bad], "score": 2}) == [
        "score: a number from 0 to 1 is needed, not 2",
        *told,
    ]
    annotation = Annotation(result=[bad])  # type: ignore[call-arg]
    assert CONFIG.problems(annotation) == told
    prediction = Prediction(result=[], score=0.5)  # type: ignore[call-arg]
    assert CONFIG.problems(prediction) == []
    assert CONFIG.problems({"data": DATA, "predictions": [{"result": [bad]}, {}]}) == [
        *(f"predictions[0].{one}" for one in told),
        "predictions[1].result: it is missing in {}",
    ]
    assert CONFIG.problems((bad,)) == told
    task, bad_task = (
        Task(data=one)  # type: ignore[call-arg]
        for one in (DATA, {**DATA, "text": None})
    )
    assert CONFIG.problems(task) == CONFIG.problems(DATA) == []
    assert CONFIG.problems(bad_task) == [
        "data: the labelling config shows $text, but 'text' is not what a <Text> can show: None"
    ]
    with pytest.raises(ValueError, match=r"has no label 'A'.*\n?") as raised:
        CONFIG.validate([bad])
    assert str(raised.value).splitlines() == told
    CONFIG.validate([BUILT[0]])


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({"text": 5}, True),
        ({"text": {"a": 1}}, False),
        ({"files": {"image": ["a", "b"]}}, True),
        ({"files": "i"}, False),
        ({"rows": "no list"}, False),
        ({"options": {"a": 1}}, False),
        ({"html": None}, False),
    ],
)
def test_data_are_of_a_type_that_their_tag_can_show(change: dict[str, Any], fits: bool) -> None:
    assert (CONFIG.problems({**DATA, **change}) == []) is fits


@pytest.mark.parametrize("item", ["abc", 5, None, object()])
def test_what_is_no_item(item: object) -> None:
    forms = "a task, an annotation or prediction, a dict of one, or a list of regions"
    assert CONFIG.problems(item) == [f"{forms} is needed, not {item!r}"]


def test_data_without_a_name_are_what_is_shown_first() -> None:
    unnamed = {"$undefined$" if key == "text" else key: value for key, value in DATA.items()}
    assert CONFIG.problems(unnamed) == []


@pytest.mark.parametrize("key", ["text", "files", "html", "clips", "options", "rows"])
def test_what_the_config_shows_must_be_there(key: str) -> None:
    found = CHECK.of_data({name: value for name, value in DATA.items() if name != key})
    assert found is not None
    assert f"no key {key!r}" in found


def test_also_what_it_shows_deeper_down() -> None:
    assert CHECK.of_data({**DATA, "files": {}}) == (
        "the labelling config shows $files.image, but there is no key 'image'"
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
        (0, {"value": {}}, "'choices' is missing"),
        (1, {"value": {"choices": ["A", "C"]}}, "no label 'C'"),
        (2, {"value": {"choices": [["Animal", "Cat"]]}}, "no label 'Animal > Cat'"),
        (4, {"value": {"taxonomy": [["Bird"]]}}, "no label 'Bird'"),
        (5, {"value": {"start": 0, "end": 1, "labels": ["Persn"]}}, "mean 'Person'"),
        (8, {"value": {"x": 1, **BOX, "rectanglelabels": ["Bus"]}}, "no label 'Bus'"),
        (12, {"value": {"rating": "4"}}, "value.rating: a whole number of at least 0 is needed"),
        (12, {"value": {"rating": 6}}, "has 5 stars, not 6"),
        (0, {"value": {"choices": [["B"]]}}, "not nested"),
        (8, {"value": {"x": 101, **BOX}}, "value.x: a number of at most 100 is needed, not 101"),
        (8, {"value": {"x": "1", **BOX}}, "value.x"),
        (8, {"value": {"x": -1}}, "value: 'y' is missing"),
        (12, {"value": None}, "needs one"),
        (14, {"value": {"text": [1]}}, "value.text[0]: a text is needed, not 1"),
    ],
)
def test_what_does_not_fit_is_named(place: int, change: dict[str, Any], said: str) -> None:
    found = CHECK.of_result([BUILT[1], {**BUILT[place], **change}])
    assert found is not None
    assert found.startswith("result[1].")
    assert said in found


def test_a_config_that_shows_nothing_asks_for_nothing() -> None:
    assert Check(LabelConfig.parse("<View></View>")).problem({"data": {"any": 1}}) is None


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ({"id": 0}, "result[0].id: a text is needed, not 0; the labelling editor fails otherwise"),
        ({"parentID": 5}, "result[0].parentID: a text is needed, not 5"),
        ({"item_index": "2"}, "result[0].item_index: a whole number of at least 0 is needed"),
        ({"original_width": "640"}, "result[0].original_width: a whole number of at least 1"),
        ({"id": None, "parentID": None, "item_index": 2}, None),
    ],
)
def test_what_stands_beside_a_value_is_of_a_form(beside: dict[str, Any], said: str | None) -> None:
    found = CHECK.of_result([{**BUILT[0], **beside}])
    assert found is None if said is None else found is not None and found.startswith(said)


@pytest.mark.parametrize("is_stream", [False, True])
def test_bulk_create_names_the_shapes_without_the_size_of_their_image(is_stream: bool) -> None:
    fake = FakeLabelStudio()
    xml = (
        '<View><Image name="i" value="$image"/><RectangleLabels name="box" toName="i">'
        '<Label value="Car"/></RectangleLabels></View>'
    )
    project = fake.client().projects.create(title="Boxes", label_config=xml)
    box = project.config["box"].rectangle("Car", x=1, y=1, width=5, height=5, size=(100, 50))
    bare = {key: value for key, value in box.items() if not key.startswith("original")}

    def item(*results: Any) -> dict[str, Any]:
        return {"data": {"image": "a"}, "annotations": [{"result": list(one)} for one in results]}

    items = [item([box]), item([box], [box, bare]), item()]
    said = r"1 of .*\(item 1, annotations\[1\]\.result\[1\]\)"
    with pytest.warns(MissingSizeWarning, match=said) as told:
        project.tasks.bulk_create(iter(items) if is_stream else items, validate=True)
    assert len(told) == 1
    assert told[0].filename == __file__
    assert project.tasks.count() == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        project.tasks.bulk_create(items)
        project.tasks.bulk_create(items[:1], validate=True)
