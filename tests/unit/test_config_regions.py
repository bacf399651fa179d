"""What is read of regions is right or the region itself, and is written back as it was."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio_orm import MissingSizeWarning
from labelstudio_orm._config.kinds import KINDS, LABEL_KEYS
from labelstudio_orm._config.marks import Mark, patched
from labelstudio_orm.config import (
    Box,
    Ellipse,
    Keyframe,
    LabelConfig,
    Passage,
    Region,
    Span,
    Vector,
)

OBJECTS = ("Text", "Image", "HyperText", "Paragraphs", "Audio", "Video", "List", "Pdf")


_LABELS = '<Label value="Boat"/><Choice value="Calm"/>'


def _control(tag: str, **attributes: str) -> str:
    own = "".join(f' {name}="{value}"' for name, value in attributes.items())
    about = "Audio" if "label" in KINDS[tag].builders else "Image"
    inside = _LABELS if tag in ("choices", "taxonomy") or KINDS[tag].mark else ""
    return f'<{tag} name="{tag}{"".join(attributes)}" toName="{about}"{own}>{inside}</{tag}>'


CONFIG = LabelConfig.parse(
    "<View>"
    + "".join(f'<{tag} name="{tag}" value="${tag}"/>' for tag in OBJECTS)
    + "".join(_control(tag) for tag in KINDS)
    + "".join(_control(tag, perRegion="true") for tag in ("choices", "rating", "textarea"))
    + "".join(_control(tag, perItem="true") for tag in ("choices", "number", "taxonomy"))
    + _control("choices", choice="multiple")
    + '<Nosuch name="odd" toName="Text"/>'
    "</View>"
)

# -- regions of all kinds, as they are and as they should not be ----------------------------------

TEXTS = st.sampled_from(["Boat", "Calm", "a", "", "7", "0.5"])
NUMBERS = st.sampled_from([0, 1, 2, 7, 3.5, 99.5, 100, -1, 101, 10**400])
ODD = st.one_of(
    st.none(), st.booleans(), TEXTS, NUMBERS, st.just([]), st.just({}), st.just([None]),
    st.lists(TEXTS | NUMBERS, max_size=3), st.dictionaries(TEXTS, NUMBERS, max_size=2),
)  # fmt: skip
PERCENT = st.sampled_from([0, 1, 2.5, 99, 100])
RANGE = st.fixed_dictionaries(
    {"start": NUMBERS, "end": NUMBERS}, optional={"enabled": st.booleans(), "own": ODD}
)
KEYFRAME = st.fixed_dictionaries(
    {
        "frame": st.integers(1, 9),
        **dict.fromkeys(("time", "x", "y", "width", "height"), PERCENT),
    },
    optional={"rotation": PERCENT, "enabled": st.booleans(), "own": ODD},
)
VERTEX = st.fixed_dictionaries(
    {"x": PERCENT, "y": PERCENT},
    optional={"id": TEXTS, "isBezier": st.booleans(), "controlPoint1": ODD},
)
PARTS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("x", "y", "width", "height", "rotation", "radiusX", "radiusY"), PERCENT),
    **dict.fromkeys(
        ("start", "end"), st.sampled_from([0, 1, 4.5, "0", "2", "/p[1]", "2026-01-31"])
    ),
    **dict.fromkeys(("startOffset", "endOffset"), st.integers(0, 9)),
    "globalOffsets": st.fixed_dictionaries({"start": st.integers(0, 9), "end": st.integers(0, 9)}),
    "instant": st.booleans(),
    "ranges": st.lists(RANGE, max_size=3),
    "sequence": st.lists(KEYFRAME, max_size=3),
    "vertices": st.lists(VERTEX, max_size=4),
    "points": st.lists(st.lists(PERCENT, min_size=2, max_size=2), max_size=4),
    "closed": st.booleans(),
    "framesCount": st.integers(1, 99),
    "duration": PERCENT,
    "rle": st.lists(st.integers(0, 255), max_size=4),
    "format": st.just("rle"),
    "imageDataURL": TEXTS,
    "text": TEXTS | st.lists(TEXTS, max_size=3),
    "choices": TEXTS | st.lists(TEXTS | st.lists(TEXTS, max_size=2), max_size=3),
    "taxonomy": st.lists(st.lists(TEXTS, min_size=1, max_size=3), max_size=3),
    "rating": st.integers(0, 5),
    "number": NUMBERS,
    "datetime": TEXTS,
    "selected": st.sampled_from(["left", "right"]),
    "chatmessage": st.fixed_dictionaries({"role": TEXTS, "content": TEXTS}, optional={"id": TEXTS}),
    "reactcode": st.dictionaries(TEXTS, ODD, max_size=2),
    "ranker": st.dictionaries(TEXTS | st.just("ranker"), st.lists(TEXTS, max_size=2), max_size=2),
    **dict.fromkeys(sorted(LABEL_KEYS), st.lists(TEXTS, max_size=2)),
}
IDS = st.sampled_from(["a", "b", "0", "", 0, 1, 1.5, None, True, ["a"]])
BESIDE = st.fixed_dictionaries(
    {},
    optional={
        "id": IDS,
        "item_index": st.sampled_from([0, 1, 2, "1", None]),
        "parentID": st.sampled_from(["a", None, 5]),
        "score": st.sampled_from([0.5, 1, None, "0.5"]),
        "meta": st.sampled_from([{"text": ["note"]}, {}, [], "note"]),
        "origin": st.sampled_from(["manual", "prediction", None]),
        **dict.fromkeys(("readonly", "hidden", "locked"), st.sampled_from([True, False, None])),
        **dict.fromkeys(("original_width", "original_height"), st.sampled_from([90, None, "90"])),
        "image_rotation": st.sampled_from([0, 90]),
        "channel": ODD,
        "ouid": ODD,
    },
)


@st.composite
def values_of(draw: st.DrawFn, tag: str) -> dict[str, Any]:
    """What a region of a kind may hold, with a key too many, too few or odd here and there."""
    form = [key.removesuffix("?") for key in KINDS[tag].form] if tag in KINDS else ["choices"]
    value = {key: draw(PARTS.get(key, ODD)) for key in form if draw(st.integers(0, 9))}
    for key in draw(st.lists(st.sampled_from(sorted({*PARTS, *form})), max_size=2)):
        value[key] = draw(ODD)
    return value


@st.composite
def regions(draw: st.DrawFn) -> Region:
    """A region of a control in CONFIG, or of one that is not in it."""
    name = draw(st.sampled_from([*CONFIG, "gone"]))
    tag = CONFIG[name].tag.lower() if name in CONFIG else "choices"
    kind = draw(st.sampled_from([tag, tag, tag, tag.upper(), "choices", None]))
    value: Any = draw(values_of(tag)) if draw(st.integers(0, 19)) else draw(ODD)
    return {"from_name": name, "to_name": "Image", "type": kind, "value": value, **draw(BESIDE)}


RELATIONS = st.fixed_dictionaries(
    {"type": st.just("relation"), "from_id": IDS, "to_id": IDS, "direction": st.just("right")}
)


def leaves(value: Any) -> Iterator[Any]:
    """All that is no object and no list in a value, marks included."""
    if isinstance(value, (Mark, Keyframe)):
        for one in attrs.fields(type(value)):
            if one.name != "raw" and getattr(value, one.name) != one.default:
                yield from leaves(getattr(value, one.name))
    elif isinstance(value, dict):
        yield from leaves(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from leaves(one)
    else:
        yield value


@given(st.lists(regions(), min_size=1, max_size=4), st.lists(RELATIONS, max_size=2))
def test_what_is_read_is_written_back_as_it_was(result: list[Region], others: list[Region]) -> None:
    given_ = copy.deepcopy([*result, *others])
    values = CONFIG.values(given_)
    assert CONFIG.regions(values) == [*result, *others] == given_
    assert CONFIG.regions({**pickle.loads(pickle.dumps(values))}) == given_


@given(regions())
def test_nothing_is_made_up(region: Region) -> None:
    (said,) = CONFIG.values([region]).values()
    there = [*leaves(region)]
    there += [int(one) for one in there if isinstance(one, str) and one.isdigit()]
    for leaf in leaves(said):
        assert any(leaf == one and (leaf is True) == (one is True) for one in there), said


@given(regions())
def test_what_is_written_is_no_part_of_what_was_read(region: Region) -> None:
    before = copy.deepcopy(region)
    (written,) = CONFIG.regions(CONFIG.values([region]))
    written["value"] = written["id"] = 5
    assert region == before


# -- what stands beside the value -----------------------------------------------------------------

PLACE = {"x": 1, "y": 1, "width": 2, "height": 2, "rotation": 0}
BUILT: dict[str, Any] = {
    "item_index": 2, "parent_id": "p", "score": 0.5, "meta": {"text": ["note"]}, "origin": "manual",
    "readonly": True, "hidden": False, "locked": True,
}  # fmt: skip
ON_IMAGE: dict[str, Any] = {"original_width": 90, "original_height": 60, "image_rotation": 90}
WIRE = {"parent_id": "parentID"}


def box(**options: Any) -> Region:
    boxes = CONFIG["rectanglelabels"]
    return boxes.rectangle("Boat", x=1, y=1, width=2, height=2, **options)


@pytest.mark.parametrize(("name", "value"), [*BUILT.items(), *ON_IMAGE.items()])
def test_what_stands_beside_the_value_is_built_and_read(name: str, value: Any) -> None:
    region = box(**{name: value})
    assert region[WIRE.get(name, name)] == value
    (read,) = CONFIG.values([region])["rectanglelabels"]
    assert getattr(read, name) == value
    assert f"{name}={value!r}" in repr(read)
    if name in BUILT:
        choice = CONFIG["choices"].choice("Calm", **{name: value})
        assert choice[WIRE.get(name, name)] == value


def test_a_mark_of_ones_own_is_written_with_what_stands_beside_its_value() -> None:
    own = Box(1, 1, 2, 2, labels=("Boat",), id="a", **BUILT, **ON_IMAGE)
    assert CONFIG.regions({"rectanglelabels": [own]}) == [box(id="a", **BUILT, **ON_IMAGE)]
    assert own != attrs.evolve(own, item_index=1)
    assert len({own, attrs.evolve(own, raw={})}) == 1


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"item_index": -1}, ValueError, "item_index must be at least 0"),
        ({"item_index": 1.5}, TypeError, "item_index must be an int"),
        ({"item_index": True}, TypeError, "item_index must be an int"),
        ({"parent_id": 5}, TypeError, "parent_id: a text is needed"),
        ({"score": True}, TypeError, "score must be a number"),
        ({"score": float("nan")}, ValueError, "score must be finite"),
        ({"meta": "note"}, TypeError, "meta: an object is needed"),
        ({"hidden": 1}, TypeError, "hidden: true or false is needed"),
        ({"original_width": 0}, ValueError, "original_width must be at least 1"),
        ({"size": 5}, TypeError, r"size must be \(width, height\) in pixels, not 5"),
        ({"size": (1,)}, TypeError, r"size must be \(width, height\)"),
        ({"size": (9, 9), "original_height": 9}, TypeError, "size= sets original_height already"),
        ({"id": ""}, ValueError, "the id of a region must not be empty"),
        ({"id": 0}, TypeError, "the id of a region must be a str, not 0"),
        ({"extra": {"value": 5}}, ValueError, "'value' has its own argument"),
        ({"extra": {"parentID": "a"}}, ValueError, "'parentID' has its own argument"),
        ({"extra": [5]}, TypeError, "extra must be a dict of further keys"),
        ({"extra": {5: 5}}, TypeError, "a str is needed"),
        ({"itemindex": 5}, TypeError, "unexpected argument itemindex"),
    ],
)
def test_what_cannot_stand_beside_the_value(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        box(**options)


def test_further_keys_and_the_size_at_once() -> None:
    region = box(extra={"ouid": 5, "own": {"a": [1]}}, size=(90, 60))
    assert (region["ouid"], region["own"]) == (5, {"a": [1]})
    assert (region["original_width"], region["original_height"]) == (90, 60)
    with pytest.raises(TypeError, match="unexpected argument size"):
        CONFIG["choices"].choice("Calm", size=(1, 1))  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "half", [np.float32(0.5), np.float64(0.5), np.float16(0.5), Decimal("0.5")]
)
def test_numbers_of_tables_and_models_are_numbers(half: Any) -> None:
    region = CONFIG["rectanglelabels"].rectangle("Boat", x=half, y=half, width=half, height=half,
                                                 rotation=half, score=half)  # fmt: skip
    again = json.loads(json.dumps(region))
    assert again == region
    assert {type(one) for one in region["value"].values()} == {float, list}
    assert (region["value"]["x"], region["score"]) == (0.5, 0.5)
    points = CONFIG["polygonlabels"].polygon("Boat", points=np.full((3, 2), half))
    assert json.loads(json.dumps(points))["value"]["points"] == [[0.5, 0.5]] * 3
    number = CONFIG["number"].number(half)
    assert json.dumps(number["value"]) == '{"number": 0.5}'


@pytest.mark.parametrize("two", [np.int64(2), np.uint8(2), Decimal(2)])
def test_whole_numbers_of_other_libraries_are_written_as_int(two: Any) -> None:
    frame = Keyframe(two, two, two, two, two, two)
    built = [
        CONFIG["rating"].rating(two, item_index=two),
        CONFIG["timeserieslabels"].label("Boat", start=two, end=two),
        CONFIG["brushlabels"].brush("Boat", rle=[two, two], original_width=two),
        CONFIG["chatmessage"].message("a", "b", created_at=two),
        CONFIG["videorectangle"].track("Boat", sequence=[frame], frames_count=two, duration=two),
    ]
    for region in built:
        assert {type(one) for one in leaves(json.loads(json.dumps(region)))} <= {str, int, bool}


@pytest.mark.parametrize(
    "odd", [True, np.True_, float("nan"), np.float32("nan"), Decimal("NaN"), np.inf, "1"]
)
def test_what_is_no_number_is_refused(odd: Any) -> None:
    builds: tuple[Callable[[], Region], ...] = (
        lambda: CONFIG["rectangle"].rectangle(x=odd, y=1, width=1, height=1),
        lambda: CONFIG["polygon"].polygon(points=[(1, 1), (1, odd), (2, 2)]),
        lambda: CONFIG["number"].number(odd),
        lambda: box(score=odd),
    )
    for build in builds:
        with pytest.raises((TypeError, ValueError), match="must be"):
            build()


# -- changes --------------------------------------------------------------------------------------


def changed(region: Region, **changes: Any) -> Region:
    """The region after one field of what it says was changed."""
    values = CONFIG.values([region])
    ((name, (mark, *_)),) = values.items()
    values[name] = [attrs.evolve(mark, **changes)]
    (written,) = CONFIG.regions(values)
    return written


OWN = {"origin": "manual", "ouid": [5], "readonly": None}


def test_of_a_changed_shape_all_the_rest_stays() -> None:
    region = {**box(id="a", size=(90, 60)), **OWN}
    region["value"].update(own=5)
    del region["value"]["rotation"]
    assert changed(region, x=7) == {**region, "value": {**region["value"], "x": 7}}
    assert changed(region, item_index=1) == {**region, "item_index": 1}
    assert changed(region, id="b") == {**region, "id": "b"}
    assert changed({**region, "id": 0}, x=1) == {**region, "id": 0}
    assert changed({**region, "score": 0.5}, score=None) == region
    with pytest.raises(ValueError, match=r"x \(percent\) must be at least 0"):
        changed(region, x=101)
    with pytest.raises(ValueError, match="has no label 'Bota'"):
        changed(region, labels=("Bota",))


def test_of_a_changed_keyframe_or_vertex_all_the_rest_stays() -> None:
    bent = {"x": 1, "y": 2, "id": "v", "isBezier": True, "controlPoint1": {"x": 5, "y": 5}}
    region = {**box(id="a"), "from_name": "vector", "type": "vector"}
    region["value"] = {"vertices": [bent, {"x": 3, "y": 4}], "closed": False}
    (moved, same) = changed(region, points=((1, 9), (3, 4)))["value"]["vertices"]
    assert (moved, same) == ({**bent, "y": 9}, {"x": 3, "y": 4})
    assert isinstance(CONFIG.values([region])["vector"][0], Vector)


def test_a_changed_place_on_a_page_is_said_in_offsets() -> None:
    page = LabelConfig.parse(
        '<View><HyperText name="page" value="$page"/><HyperTextLabels name="mark" toName="page">'
        '<Label value="Boat"/></HyperTextLabels></View>'
    )
    place = "/p[1]/text()[1]"
    region = page["mark"].label(
        "Boat", start=place, end=place, start_offset=1, end_offset=7, global_offsets=(3, 9), id="a"
    )
    values = page.values([{**region, **OWN}])
    assert page.regions(values) == [{**region, **OWN}]
    values["mark"] = [attrs.evolve(values["mark"][0], end=12)]
    assert page.regions(values) == [{**page["mark"].label("Boat", start=3, end=12, id="a"), **OWN}]


def test_of_a_changed_choice_all_the_rest_stays() -> None:
    region = {**CONFIG["choices"].choice("Calm", id="a", score=0.5), **OWN}
    values = CONFIG.values([region])
    assert values == {"choices": "Calm"}
    values["choices"] = "Boat"
    assert CONFIG.regions(values) == [{**region, "value": {"choices": ["Boat"]}}]
    values["choices"] = "Bota"
    with pytest.raises(ValueError, match="no label 'Bota'"):
        CONFIG.regions(values)
    number = {**CONFIG["number"].number(5, id="n", item_index=1), **OWN}
    values = CONFIG.values([number])
    assert values == {"number": {1: 5}}
    values["number"][1] = 6
    assert CONFIG.regions(values) == [{**number, "value": {"number": 6}}]
    values["number"][2] = 7
    one, two = CONFIG.regions(values)
    assert (one["id"], one["item_index"], two["item_index"]) == ("n", 1, 2)


def test_a_change_of_type_is_a_change() -> None:
    values = CONFIG.values([CONFIG["reactcode"].output({"a": 1})])
    values["reactcode"] = {"a": True}
    assert CONFIG.regions(values)[0]["value"]["reactcode"]["a"] is True


def test_what_was_read_with_another_config_is_judged_by_this_one() -> None:
    values = CONFIG.values([box()])
    other = LabelConfig.parse(
        '<View><Image name="Image" value="$i"/><rectanglelabels name="rectanglelabels" '
        'toName="Image"><Label value="Buoy"/></rectanglelabels></View>'
    )
    with pytest.raises(ValueError, match="has no label 'Boat'"):
        other.regions(values)


# -- several of one control -----------------------------------------------------------------------

TIMELINE = LabelConfig.parse(
    '<View><Video name="clip" value="$clip"/><TimelineLabels name="scene" toName="clip">'
    '<Label value="Storm"/><Label value="Calm"/></TimelineLabels></View>'
)


def scene(*ranges: tuple[int, int], **beside: Any) -> Region:
    stored = [{"start": start, "end": end, "enabled": False} for start, end in ranges]
    value = {"ranges": stored, "timelinelabels": ["Storm"]}
    return {"id": "a", "from_name": "scene", "to_name": "clip", "type": "timelinelabels",
            "value": value, **beside}  # fmt: skip


def test_the_ranges_of_a_timeline_stay_together() -> None:
    result = [scene((3, 8), (20, 31)), scene((4, 5), id="b"), scene((6, 7)), scene((8, 9), id=0)]
    values = TIMELINE.values(result)
    assert [(one.start, one.id) for one in values["scene"]] == [
        (3, "a"), (20, "a"), (4, "b"), (6, "a"), (8, 0),
    ]  # fmt: skip
    assert TIMELINE.regions(values) == result
    values["scene"][1] = attrs.evolve(values["scene"][1], end=40)
    assert TIMELINE.regions(values) == [scene((3, 8), (20, 40)), *result[1:]]
    del values["scene"][0]
    first, *rest = TIMELINE.regions(values)
    assert (first["value"]["ranges"], rest) == ([{"start": 20, "end": 40}], result[1:])


def test_ranges_of_ones_own_with_one_id_are_one_region() -> None:
    own = [Span(1, 2, labels=("Storm",), id="a"), Span(3, 4, labels=("Storm",), id="a")]
    (region,) = TIMELINE.regions({"scene": own})
    assert [one["start"] for one in region["value"]["ranges"]] == [1, 3]
    assert len(TIMELINE.regions({"scene": [attrs.evolve(one, id=None) for one in own]})) == 2
    with pytest.raises(ValueError, match="differ in start and end only"):
        TIMELINE.regions({"scene": [own[0], attrs.evolve(own[1], labels=("Calm",))]})


def test_values_are_told_apart_by_region_and_by_item() -> None:
    name = "choicesperRegion"
    result = [
        {**CONFIG[name].choice("Calm", id=id_), "id": raw}
        for id_, raw in (("a", "a"), ("0", "0"), ("x", 0), ("y", 1))
    ]
    assert CONFIG.values(result) == {name: {"a": "Calm", "0": "Calm", 0: "Calm", 1: "Calm"}}
    odd = [{**result[0], "id": 1.5}, {**result[0], "id": ["a"]}]
    assert CONFIG.values(odd) == {name: {None: odd}}
    pages = [CONFIG["choicesperItem"].choice("Calm", item_index=n) for n in (2, 0)]
    assert CONFIG.values(pages) == {"choicesperItem": {2: "Calm", 0: "Calm"}}
    written = CONFIG.regions({"choicesperItem": {2: "Calm", 0: "Calm"}})
    assert [one["item_index"] for one in written] == [2, 0]
    several = [CONFIG["choices"].choice("Calm", item_index=n) for n in (0, 1)]
    assert CONFIG.values(several) == {"choices": {0: "Calm", 1: "Calm"}}


def test_a_relation_goes_with_either_of_its_ends() -> None:
    first, second = box(id="a"), box(id="b")
    relation = CONFIG.relation(first, second)
    dangling = {**relation, "to_id": "gone"}
    values = CONFIG.values([relation, first, second, dangling])
    assert CONFIG.regions(values) == [relation, first, second, dangling]
    values["rectanglelabels"].pop()
    assert CONFIG.regions(values) == [first, dangling]


def test_the_three_regions_of_one_area_of_a_page() -> None:
    ocr = LabelConfig.parse(
        '<View><Image name="image" value="$ocr"/><Labels name="label" toName="image">'
        '<Label value="Text"/></Labels><Rectangle name="bbox" toName="image"/>'
        '<TextArea name="said" toName="image" perRegion="true"/></View>'
    )
    own = {"original_width": 90, "original_height": 60, "image_rotation": 0, "id": "a",
           "to_name": "image", "origin": "manual"}  # fmt: skip
    result = [
        {**own, "from_name": "bbox", "type": "rectangle", "value": PLACE},
        {**own, "from_name": "label", "type": "labels", "value": {**PLACE, "labels": ["Text"]}},
        {**own, "from_name": "said", "type": "textarea", "value": {**PLACE, "text": ["Hello"]},
         "meta": {"lead": 5}},
    ]  # fmt: skip
    values = ocr.values(result)
    assert ocr.regions(values) == result
    assert (values["label"], values["said"]) == ([result[1]], {"a": "Hello"})
    assert values["bbox"][0] == Box(
        1, 1, 2, 2, id="a", origin="manual", original_width=90, original_height=60, image_rotation=0
    )
    values["said"]["a"] = "Bye"
    assert ocr.regions(values)[2] == {**result[2], "value": {**PLACE, "text": ["Bye"]}}


# -- labels and numbers that stand in an unusual way ----------------------------------------------


@pytest.mark.parametrize("tag", sorted(t for t, kind in KINDS.items() if kind.mark and kind.key))
@pytest.mark.parametrize(
    "labels", ["Boat", ["Boat"], [], None, ..., 5, [None], [["Boat"]], {"a": 1}]
)
def test_labels_are_read_or_the_region_stays(tag: str, labels: Any) -> None:
    kind = KINDS[tag]
    good = next(_good(tag), None)
    if good is None or kind.key is None:
        return
    value = {key: one for key, one in good["value"].items() if key != kind.key}
    region = {**good, "value": value if labels is ... else {**value, kind.key: labels}}
    (found,) = CONFIG.values([region])[tag]
    wanted = {"Boat": ("Boat",), "['Boat']": ("Boat",)}.get(str(labels), ())
    known = labels in ("Boat", ["Boat"], [], None, ...)
    assert found == region or (known and found.labels == wanted), found
    assert CONFIG.regions(CONFIG.values([region])) == [region]
    elsewhere = {**good, "value": {**value, "wronglabels": ["Boat"], "labels": ["Boat"]}}
    if kind.key != "labels":
        assert CONFIG.values([elsewhere])[tag] == [elsewhere]


def _good(tag: str) -> Iterator[Region]:
    control = CONFIG[tag]
    corners = {"x": 1, "y": 1, "width": 2, "height": 2}
    frame = Keyframe(1, 1, 1, 1, 1, 1)
    arguments: dict[str, dict[str, Any]] = {
        "rectangle": corners,
        "ellipse": {"x": 1, "y": 1, "radius_x": 1, "radius_y": 1},
        "keypoint": {"x": 1, "y": 1},
        "polygon": {"points": [(1, 1), (2, 2), (3, 3)]},
        "vector": {"points": [(1, 1), (2, 2)]},
        "brush": {"rle": [1]},
        "bitmask": {"image_data_url": "data:,"},
        "track": {"sequence": [frame], "frames_count": 5, "duration": 1},
    }
    value: dict[str, dict[str, Any]] = {
        "label": {"start": 1, "end": 2},
    }
    for builder in control.builders:
        if builder in arguments:
            yield getattr(control, builder)("Boat", **arguments[builder])
        elif builder in value and tag == "paragraphlabels":
            place = {"start": "0", "end": "1", "startOffset": 0, "endOffset": 5}
            yield {"from_name": tag, "to_name": "Image", "type": tag, "value": place}
        elif builder in value:
            place = (
                {"ranges": [{"start": 1, "end": 2}]} if tag == "timelinelabels" else value["label"]
            )
            yield {"from_name": tag, "to_name": "Image", "type": tag, "value": dict(place)}


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("rectangle", {**PLACE, "x": "1"}),
        ("rectangle", {**PLACE, "x": True}),
        ("rectangle", {**PLACE, "labels": ["Boat"]}),
        ("rating", {"rating": "4"}),
        ("number", {"number": "4"}),
        ("brush", {"format": "rle", "rle": "123"}),
        ("brush", {"format": "rle", "rle": [0.5]}),
        ("brush", {"format": "rle", "rle": [True]}),
        ("videorectangle", {"framesCount": 3.5, "duration": 1, "sequence": []}),
        ("paragraphlabels", {"start": 0.7, "end": 1, "startOffset": 0, "endOffset": 1}),
        ("paragraphlabels", {"start": "x", "end": 1, "startOffset": 0, "endOffset": 1}),
        ("labels", {"start": 0, "end": 1, "startOffset": 3, "endOffset": 5}),
        ("timeserieslabels", {"start": "2026-01-31", "end": "2026-02-01", "instant": False}),
        ("hypertextlabels", {"start": 0, "end": 1, "globalOffsets": {"start": 3}}),
        ("polygon", {"points": ["12", "34", "56"]}),
        ("polygon", {"points": {"a": 1}}),
        ("choices", {"choices": None}),
        ("choices", {"choices": [3]}),
    ],
)
def test_what_cannot_be_read_rightly_stays_a_region(tag: str, value: dict[str, Any]) -> None:
    region = {"id": "a", "from_name": tag, "to_name": "Image", "type": tag, "value": value}
    said = CONFIG.values([region])[tag]
    assert said in (region, [region])
    assert CONFIG.regions(CONFIG.values([region])) == [region]


def test_a_region_as_a_whole_is_taken_too() -> None:
    region = box(id="a")
    assert (
        CONFIG.regions({"rectanglelabels": [region, Box(1, 1, 2, 2, labels=("Boat",))]})[0]
        == region
    )
    assert CONFIG.regions({"number": CONFIG["number"].number(1, id="n")})[0]["id"] == "n"
    with pytest.raises(ValueError, match="a region of 'rectanglelabels' does not belong to it"):
        CONFIG.regions({"rectangle": [region]})


def test_new_shapes_get_the_size_of_the_image_from_the_others_on_it() -> None:
    values = CONFIG.values([box(id="a", size=(90, 60)), box(id="b", size=(9, 6), item_index=1)])
    own = [Box(1, 1, 2, 2, labels=("Boat",), item_index=index) for index in (None, 1, 2)]
    values["rectanglelabels"] += own
    values["ellipselabels"] = [Ellipse(1, 1, 1, 1, labels=("Boat",))]
    widths = [one.get("original_width") for one in CONFIG.regions(values)]
    assert widths == [90, 9, 90, 9, None, 90]


def test_patched_keeps_the_keys_that_an_edit_does_not_know() -> None:
    place = {"start": "/p", "startOffset": 1, "own": 5}
    assert patched(place, {"start": 1}, {"start": 2}) == {"start": 2, "own": 5}
    assert patched([{"a": 1}, 2], [{"b": 1}, 2], [{"b": 1}, 3]) == [{"a": 1}, 3]
    assert patched([1], [1], [1, 2]) == [1, 2]
    assert patched({"a": 1, "b": 2}, {"b": 2}, {}) == {"a": 1}
    assert patched(None, None, {"a": 1}) == {"a": 1}


def test_passages_are_written_as_they_were() -> None:
    talk = LabelConfig.parse(
        '<View><Paragraphs name="talk" value="$t"/><ParagraphLabels name="tone" toName="talk">'
        '<Label value="Soft"/><Label value="Loud"/></ParagraphLabels></View>'
    )
    region = talk["tone"].label("Soft", start=0, end=1, start_offset=2, end_offset=3, id="a")
    region["value"]["text"] = "hm"
    values = talk.values([region])
    assert values["tone"] == [Passage(0, 1, 2, 3, "hm", ("Soft",), "a")]
    values["tone"] = [attrs.evolve(values["tone"][0], labels=("Loud",))]
    wanted = {**region, "value": {**region["value"], "paragraphlabels": ["Loud"]}}
    assert talk.regions(values) == [wanted]


def test_validating_names_shapes_without_the_size_of_their_image() -> None:
    good, lacking = box(size=(90, 60)), box()
    with pytest.warns(MissingSizeWarning, match=r"1 of .*original_width.*\(result\[1\]\)"):
        CONFIG.validate([good, lacking])
    data = dict.fromkeys(CONFIG.data_keys, "a")
    task = {"data": data, "annotations": [{"result": [good]}, {"result": [lacking]}]}
    with pytest.warns(MissingSizeWarning, match=r"\(annotations\[1\]\.result\[0\]\)"):
        CONFIG.validate(task)
    with pytest.warns(MissingSizeWarning, match="100 of") as told:
        CONFIG.validate({"result": [lacking] * 100})
    assert len(str(told[0].message)) < 2000
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CONFIG.validate({"result": [good]})
        CONFIG.validate([CONFIG["rating"].rating(1)])
        CONFIG.validate(data)


def test_a_path_is_for_nested_choices() -> None:
    with pytest.raises(TypeError, match=r"not \('A', 'B'\): paths need allowNested"):
        CONFIG["choices"].choice(("A", "B"))


def test_ends_of_a_relation_are_regions_marks_or_ids() -> None:
    first, second = box(id="a"), Box(1, 1, 2, 2, id="b")
    for one, two in ((first, second), ("a", "b"), (second, first)):
        relation = CONFIG.relation(one, two)
        assert {relation["from_id"], relation["to_id"]} == {"a", "b"}
    for none in ({"type": "choices"}, Box(1, 1, 2, 2), None, 5, ""):
        with pytest.raises((TypeError, ValueError), match="a relation needs two regions"):
            CONFIG.relation(first, none)  # type: ignore[arg-type]


def test_arrays_say_what_lists_say() -> None:
    name = "choiceschoice"
    found = CONFIG.regions({name: np.array(["Boat", "Calm"]), "rating": np.int64(4)})
    assert json.loads(json.dumps([one["value"] for one in found])) == [
        {"choices": ["Boat", "Calm"]},
        {"rating": 4},
    ]
    span = Span(np.int64(0), np.float32(4.5), labels=("Boat",))
    (region,) = CONFIG.regions({"labels": [span]})
    assert json.loads(json.dumps(region))["value"] == {"start": 0, "end": 4.5, "labels": ["Boat"]}


@pytest.mark.parametrize("tag", sorted(t for t, kind in KINDS.items() if kind.key in LABEL_KEYS))
def test_a_path_is_added_to_nested_labels_only(tag: str) -> None:
    for control, nested in ((tag, False), ("choices", False), ("taxonomy", True)):
        assert CONFIG[control].nested is nested
        if nested:
            more = CONFIG.with_label(("Calm", "Asleep"), control)
            assert more[control].label_tags[-1].path == ("Calm", "Asleep")
        else:
            with pytest.raises(ValueError, match="has no branches"):
                CONFIG.with_label(("Calm", "Asleep"), control)


@pytest.mark.parametrize("written", [" 1", "1 ", "+1", "-1", "1_0", "0x1", "\uff11", "", "1.0"])
def test_an_utterance_is_a_text_of_digits(written: str) -> None:
    talk = LabelConfig.parse(
        '<View><Paragraphs name="talk" value="$talk"/><ParagraphLabels name="tone" toName="talk">'
        '<Label value="Soft"/></ParagraphLabels></View>'
    )
    tone = talk["tone"]
    region = tone.label("Soft", start=0, end="1", start_offset=0, end_offset=2)
    region["value"]["start"] = written
    assert talk.values([region])["tone"] == [region]
    for start in (written, 1.9, True, None):
        with pytest.raises((TypeError, ValueError), match="an utterance must be"):
            tone.label("Soft", start=start, end=5, start_offset=0, end_offset=2)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "build",
    [
        lambda value: CONFIG["ranker"].ranking(value),
        lambda value: CONFIG["ranker"].ranking({"bucket": value}),
        lambda value: CONFIG["brushlabels"].brush("Boat", rle=value),
        lambda value: CONFIG["polygonlabels"].polygon("Boat", points=value),
        lambda value: CONFIG["vectorlabels"].vector("Boat", points=value),
        lambda value: CONFIG["polygonlabels"].polygon("Boat", points=[(1, 1), (2, 2), value]),
    ],
)
@pytest.mark.parametrize("value", ["abc", b"abc", {1, 2}, 5, None])
def test_what_has_no_order_is_no_list(build: Any, value: Any) -> None:
    with pytest.raises(TypeError, match="a list is needed"):
        build(value)


def test_a_size_is_of_two() -> None:
    for size in ((None, 5), (5, None), (None, None), (5,), "100", 5):
        with pytest.raises(TypeError, match="size must be"):
            box(size=size)


def test_ranges_that_are_left_keep_all_that_is_stored() -> None:
    ranges = [{"start": n, "end": n + 1, "own": n} for n in range(1, 5)]
    value = {"ranges": ranges, "timelinelabels": ["Boat"]}
    region = CONFIG["timelinelabels"].label("Boat", start=1, end=2) | {"id": 5, "value": value}
    values = CONFIG.values([region])
    (name,) = values
    values[name] = [values[name][3], values[name][1]]
    (found,) = CONFIG.regions(values)
    assert found == {**region, "value": {**value, "ranges": [ranges[3], ranges[1]]}}
    values[name] = []
    assert CONFIG.regions(values) == []


MEGA = "y" * 1_000_000
ANY: Any = CONFIG  # mistakes are not typed
LONG: dict[str, Any] = {
    "a choice": lambda: ANY["choices"].choice(MEGA),
    "a path": lambda: ANY["taxonomy"].taxonomy([MEGA, MEGA]),
    "a label": lambda: ANY["labels"].label(MEGA, start=0, end=1),
    "labels": lambda: ANY["labels"].label(*"ab" * 1000, start=0, end=1),
    "a place": lambda: ANY["labels"].label("Boat", start=MEGA, end=1),
    "an object": lambda: ANY["choices"].choice("Calm", to_name=MEGA),
    "an option": lambda: ANY["choices"].choice("Calm", **{MEGA: 1}),
    "further keys": lambda: ANY["choices"].choice("Calm", extra={"value": MEGA, MEGA: MEGA}),
    "an item": lambda: ANY["choices"].choice("Calm", item_index=MEGA),
    "points": lambda: ANY["polygonlabels"].polygon("Boat", points=[(1, 1, 1)] * 100_000),
    "bytes": lambda: ANY["brushlabels"].brush("Boat", rle=[500] * 100_000),
    "a side": lambda: ANY["pairwise"].pairwise(MEGA),
    "a control": lambda: ANY[MEGA],
    "values": lambda: ANY.regions({MEGA: 1}),
    "a relation": lambda: ANY.relation("a", "b", MEGA),
    "a direction": lambda: ANY.relation("a", "b", direction=MEGA),
    "a new name": lambda: ANY.renamed(MEGA, "q", "choices"),
    "an attribute": lambda: ANY.with_label("q", "choices", **{"<" + MEGA: 1}),
    "a tag": lambda: LabelConfig.parse(f'<View><{MEGA} name="a" toName="b"/></View>'),
    "a target": lambda: LabelConfig.parse(f'<View><Choices name="a" toName="{MEGA}"/></View>'),
    "two names": lambda: LabelConfig.parse(f'<View><A name="{MEGA}"/><B name="{MEGA}"/></View>'),
    "broken": lambda: LabelConfig.parse(f"<View><{MEGA}"),
    "many problems": lambda: ANY.validate([{**box(), "from_name": MEGA}] * 500),
}  # fmt: skip


@pytest.mark.parametrize("what", LONG)
def test_messages_about_long_values_are_short(what: str) -> None:
    with pytest.raises((TypeError, ValueError, KeyError)) as told:
        LONG[what]()
    assert len(str(told.value)) < 2000


def test_problems_and_reprs_of_long_values_are_short() -> None:
    odd = {"id": MEGA, "from_name": MEGA, "to_name": MEGA, "type": MEGA, "value": {MEGA: MEGA}}
    of_choices = {**CONFIG["choices"].choice("Calm"), "value": {"choices": [MEGA, MEGA]}}
    for item in ([odd], [of_choices], {"data": {MEGA: 1}, "annotations": [{"result": [odd]}]}):
        assert all(len(one) < 1000 for one in CONFIG.problems(item))
    xml = f'<View><Text name="t" value="$t"/><Choices name="{MEGA}" toName="t"/></View>'
    (control,) = LabelConfig.parse(xml).controls.values()
    assert len(repr(control)) < 1000
    assert len(str(control)) < 1000
    assert len(repr(Span(0, 1, MEGA, (MEGA,)))) < 2000


def test_labels_of_a_mark_are_no_text() -> None:
    config = LabelConfig.parse(
        '<View><Text name="t" value="$t"/><Labels name="l" toName="t" value="$labels"/></View>'
    )
    with pytest.raises(TypeError, match="labels: a list is needed, not 'Boat'"):
        config.regions({"l": [Span(0, 1, labels="Boat")]})  # type: ignore[arg-type]
    assert config.regions({"l": [Span(0, 1, labels=("Boat",))]})
