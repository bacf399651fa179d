"""Good regions of every control, and what spoils configs, tasks and results, one thing at a time.

Each spoilt thing comes with where it was spoilt and how, which differences.py names.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from xml.etree import ElementTree

from labelstudio_orm.config import Control, Keyframe, LabelConfig, Region


class Spoilt(NamedTuple):
    """A thing, where it was spoilt (the tag of the control and the path in its value) and how."""

    where: str
    how: str
    item: Any


# -- good regions ---------------------------------------------------------------------------------

_CORNERS: dict[str, Any] = {"x": 1.5, "y": 2, "width": 30, "height": 40}
_BUILDERS: dict[str, Callable[[Control, dict[str, Any]], Region]] = {
    "choice": lambda c, own: c.choice(*_first(c), **own),
    "taxonomy": lambda c, own: c.taxonomy(c.label_tags[-1].path, **own),
    "rating": lambda c, own: c.rating(3, **own),
    "number": lambda c, own: c.number(3.5, **own),
    "text": lambda c, own: c.text("a", "b", **own),
    "datetime": lambda c, own: c.datetime("2026-01-31", **own),
    "pairwise": lambda c, own: c.pairwise("left", **own),
    "ranking": lambda c, own: c.ranking(["a", "b"], **own),
    "message": lambda c, own: c.message("user", "Hello", created_at=1, **own),
    "output": lambda c, own: c.output({"a": 1}, **own),
    "rectangle": lambda c, own: c.rectangle(*_first(c), **_CORNERS, **own),
    "ellipse": lambda c, own: c.ellipse(*_first(c), x=1, y=2, radius_x=3, radius_y=4, **own),
    "keypoint": lambda c, own: c.keypoint(*_first(c), x=1, y=2, **own),
    "polygon": lambda c, own: c.polygon(*_first(c), points=[(1, 2), (3, 4), (5, 6.5)], **own),
    "vector": lambda c, own: c.vector(*_first(c), points=[(1, 2), (3, 4)], **own),
    "brush": lambda c, own: c.brush(*_first(c), rle=[0, 255], **own),
    "bitmask": lambda c, own: c.bitmask(*_first(c), image_data_url="data:,", **own),
    "track": lambda c, own: c.track(
        *_first(c), sequence=[Keyframe(1, 0.5, **_CORNERS)], frames_count=9, duration=2.5, **own
    ),
}


def _first(control: Control) -> tuple[str, ...]:
    return ("any",) if control.dynamic else control.labels[:1]


def built(config: LabelConfig) -> list[Region]:
    """A region of each control, as this library builds it."""
    return [region for control in config.controls.values() for region in _built(control)]


def _built(control: Control) -> Iterator[Region]:
    own: dict[str, Any] = {"id": f"of {control.name}", "to_name": control.to_name[0]}
    if "label" in control.builders:
        yield from _marked(control, own)
    for name in control.builders:
        if name in _BUILDERS:
            yield _BUILDERS[name](control, own)


def _marked(control: Control, own: dict[str, Any]) -> Iterator[Region]:
    shown = control.objects[0].tag
    offsets: dict[str, Any] = {"start_offset": 0, "end_offset": 4}
    if shown == "Paragraphs":
        yield control.label(*_first(control), start="0", end="1", **offsets, **own)
    elif shown == "HyperText":
        place = "/p[1]/text()[1]"
        yield control.label(*_first(control), start=place, end=place, **offsets, **own)
    if shown not in ("Paragraphs", "Image", "Pdf"):
        yield control.label(*_first(control), start=1, end=3, **own)


BESIDE: dict[str, Any] = {
    "item_index": 1, "parentID": "p", "score": 0.5, "meta": {"text": ["note"]}, "origin": "manual",
    "readonly": False, "hidden": True, "locked": False, "original_width": 90, "original_height": 60,
    "image_rotation": 0, "ouid": 7,
}  # fmt: skip
"""What may stand beside the value of a region."""


def drawn(config: LabelConfig) -> Iterator[list[Region]]:
    """Results with what a `<Labels>` and the tool for a shape beside it make together."""
    for labels in config.controls.values():
        for tool in config.controls.values():
            if labels.tag == "Labels" and tool.tag in ("Rectangle", "Polygon"):
                (shape,) = _built(tool)
                chosen = list(_first(labels))
                apart = {**shape, "from_name": labels.name, "type": "labels"}
                merged = {**apart, "type": f"{shape['type']}labels"}
                yield [shape, {**apart, "value": {**shape["value"], "labels": chosen}}]
                yield [{**merged, "value": {**shape["value"], merged["type"]: chosen}}]


# -- values ---------------------------------------------------------------------------------------

Path = tuple[Any, ...]


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Each place in a JSON value; of a list the first item stands for all."""
    if path:
        yield path, value
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value[:1])
        if isinstance(value, list)
        else ()
    )
    for key, one in inner:
        yield from _leaves(one, (*path, key))


def _changed(value: Any, path: Path, new: Any) -> Any:
    value = copy.deepcopy(value)
    inner = value
    for step in path[:-1]:
        inner = inner[step]
    if new is Ellipsis:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return value


def _ways(value: Any) -> Iterator[tuple[str, Any]]:
    """What may stand instead of a value, and what to call it."""
    yield from {"missing": ..., "null": None, "an object": {"no": 1}, "true": True}.items()
    if not isinstance(value, list):
        yield "a list", [value]
    else:
        yield "no items", []
    if isinstance(value, str):
        yield from {"another text": "Nosuch", "a number": 5}.items()
    elif isinstance(value, list) and value:
        yield from {"its item": value[0], "a text": "Nosuch"}.items()
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from {"as text": str(value), "a text": "many", "huge": 1e6, "negative": -5}.items()
        yield "a fraction", 1.25
    elif isinstance(value, dict):
        yield from {"a text": "Nosuch", "empty": {}}.items()


def _name(tag: str, path: Path) -> str:
    return tag + "".join("[]" if isinstance(step, int) else f".{step}" for step in path)


def regions(good: Region, tag: str) -> Iterator[Spoilt]:
    """One region, spoilt in each way that it can be."""
    yield Spoilt(tag, "not spoilt", good)
    for key in ("from_name", "to_name", "type", "value"):
        for how, new in _ways(good[key]):
            yield Spoilt(f"{tag} {key}", how, _changed(good, (key,), new))
    yield Spoilt(f"{tag} type", "upper case", {**good, "type": good["type"].upper()})
    for path, value in _leaves(good["value"]):
        for how, new in _ways(value):
            yield Spoilt(_name(tag, path), how, _changed(good, ("value", *path), new))


def results(config: LabelConfig, samples: list[Region]) -> Iterator[Spoilt]:
    """Predictions for a config with something wrong, and some with nothing wrong."""
    good = built(config)
    for region in (*samples, *good):
        tag = _called(config[region["from_name"]])
        for where, how, item in regions(region, tag):
            yield Spoilt(where, how, {"result": [item]})
        for name in (*config.objects, *config.controls):
            if name != region["to_name"]:
                moved = {**region, "to_name": name}
                yield Spoilt(f"{tag} to_name", "another tag", {"result": [moved]})
    for result in drawn(config):
        for number, region in enumerate(result):
            for where, how, item in regions(region, f"drawn {region['type']}"):
                yield Spoilt(
                    where, how, {"result": [*result[:number], item, *result[number + 1 :]]}
                )
    yield from _wholes([one for one in good if one["type"] in _PLAIN][:2])


def _called(control: Control) -> str:
    if control.tag == "ChatMessage" and "toName" in control.attributes:
        return "ChatMessage with toName"
    attributes = {name.lower(): value for name, value in control.attributes.items()}
    nested = control.tag == "Choices" and attributes.get("allownested") == "true"
    return "nested Choices" if nested else control.tag


_PLAIN = ("textarea", "rating", "rectanglelabels", "labels", "taxonomy", "timeserieslabels")


def _wholes(good: list[Region]) -> Iterator[Spoilt]:
    ids = [region["id"] for region in good]
    yield Spoilt("result", "missing", {"score": 0.5})
    results: dict[str, Any] = {"null": None, "a text": "A", "an object": {}, "no items": []}
    for how, new in results.items():
        yield Spoilt("result", how, {"result": new})
    regions: dict[str, Any] = {"a text": "A", "null": None, "a list": []}
    for how, new in regions.items():
        yield Spoilt("region", how, {"result": [*good, new]})
    scores: tuple[Any, ...] = (0, 0.5, 1, None, 1.5, -0.1, "0.5", "high", True, [], {})
    for score in scores:
        yield Spoilt("score", f"{score!r}", {"result": good, "score": score})
    if len(ids) == 2:
        relation = {"type": "relation", "from_id": ids[0], "to_id": ids[1], "direction": "right"}
        for where, how, item in (
            ("relation", "not spoilt", relation),
            *(
                Spoilt(f"relation {key}", how, _changed(relation, (key,), new))
                for key in relation
                for how, new in _ways(relation[key])
            ),
            *(("relation", d, {**relation, "direction": d}) for d in ("left", "bi", "up")),
            ("relation", "labelled", {**relation, "labels": ["any"]}),
        ):
            yield Spoilt(where, how, {"result": [*good, item]})


def whole(config: LabelConfig, data: dict[str, Any]) -> dict[str, Any]:
    """Data with what the controls show too: `<Choices value="$options">`."""
    return {**{one.name: ["a"] for one in config.shown.values() if "." not in one.name}, **data}


def tasks(config: LabelConfig, sample: dict[str, Any]) -> Iterator[Spoilt]:
    """Tasks with something wrong in their data, and one with nothing wrong."""
    data = whole(config, sample)
    yield Spoilt("data", "not spoilt", {"data": data})
    yield Spoilt("data", "more than is shown", {"data": {**data, "and": {"more": 1}}})
    yield Spoilt("data", "empty", {"data": {}})
    for how, new in {"null": None, "a text": "A", "a list": [data]}.items():
        yield Spoilt("data", how, {"data": new})
    for key, value in data.items():
        tag = next((one.tag for one in config.shown.values() if one.name == key), None)
        for how, new in (*_ways(value), ("a number", 5), ("a short list", ["a"])):
            if how != "its item":
                yield Spoilt(f"data {tag}", how, {"data": _changed(data, (key,), new)})


# -- configs --------------------------------------------------------------------------------------


def configs(xml: str) -> Iterator[Spoilt]:
    """Configs with one attribute or one element missing or changed."""
    seen: set[tuple[str, str]] = set()
    for number, element in enumerate(ElementTree.fromstring(xml).iter()):
        for how, change in _CHANGES.items():
            tree = ElementTree.fromstring(xml)
            spoilt = list(tree.iter())[number]
            if (spoilt.tag, how) not in seen and change(spoilt):
                seen.add((element.tag, how))
                yield Spoilt(element.tag, how, ElementTree.tostring(tree, encoding="unicode"))
    for how, text in {"cut short": xml[:-9], "of two roots": xml + xml, "empty": ""}.items():
        yield Spoilt("config", how, text)


def _without(attribute: str) -> Callable[[ElementTree.Element], bool]:
    return lambda element: element.attrib.pop(attribute, None) is not None


def _with(attribute: str, value: str) -> Callable[[ElementTree.Element], bool]:
    def change(element: ElementTree.Element) -> bool:
        there = attribute in element.attrib
        element.attrib[attribute] = value
        return there

    return change


def _emptied(element: ElementTree.Element) -> bool:
    there = len(element) > 0
    for child in list(element):
        element.remove(child)
    return there


def _twice(element: ElementTree.Element) -> bool:
    element.append(copy.deepcopy(element))
    return "name" in element.attrib


def _alone(element: ElementTree.Element) -> bool:
    for child in list(element)[1:]:
        element.remove(child)
    return len(element) > 0


_CHANGES: dict[str, Callable[[ElementTree.Element], bool]] = {
    "without name": _without("name"),
    "without toName": _without("toName"),
    "without value": _without("value"),
    "about what is not there": _with("toName", "nosuch"),
    "about nothing": _with("toName", ""),
    "about two, one not there": _with("toName", "text,nosuch"),
    "named as a number": _with("name", "7"),
    "empty value": _with("value", ""),
    "without what is inside": _emptied,
    "with only the first inside": _alone,
    "twice": _twice,
    "slow": lambda e: not e.attrib.update(minPlaybackSpeed="0.01") and e.tag == "Video",
    "slower than slow": lambda e: (
        not e.attrib.update(minPlaybackSpeed="3", defaultPlaybackSpeed="2") and e.tag == "Video"
    ),
}
