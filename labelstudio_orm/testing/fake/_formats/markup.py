"""The labelling config as the server reads it: its checks, its controls, and the data it needs."""

from __future__ import annotations

import contextlib
import re
from typing import Any
from xml.etree import ElementTree

from .._wire.answers import crash, invalid

_LABELS = {"Label", "Choice", "Relation"}
_NAMED_AND_VALUED = {"Text", "Image", "HyperText"}
_EXPECTED_TYPES: dict[str, tuple[type, ...]] = {
    "Text": (str, int, float, list),
    "Header": (str, int, float),
    "Image": (str, list),
    "Paragraphs": (list, str),
    "Chat": (list, str),
    "Table": (dict, list, str),
    "TimeSeries": (dict, list, str),
    "TimeSeriesChannel": (dict, list, str),
    "List": (list, str),
    "Taxonomy": (str, list, type(None)),
    "Ranker": (list, str),
    **dict.fromkeys(
        [
            *("Choices", "Labels", "PolygonLabels", "BrushLabels", "EllipseLabels"),
            *("HyperTextLabels", "KeyPointLabels", "ParagraphLabels", "RectangleLabels"),
            "TimeSeriesLabels",
        ],
        (str, list),
    ),
}
_REGION_TAGS = {
    "Labels",
    "Brush",
    "BrushLabels",
    "Ellipse",
    "EllipseLabels",
    "KeyPoint",
    "KeyPointLabels",
    "Polygon",
    "PolygonLabels",
    "Rectangle",
    "RectangleLabels",
    "HyperTextLabels",
    "ParagraphLabels",
    "TimeSeriesLabels",
    "VideoRectangle",
}
# The result that a bare value becomes, by the type of the control.
SINGLE_VALUED: dict[str, type] = {"choices": str, "rating": int, "number": float, "textarea": str}


_ENCODING = re.compile(r"\s*<\?xml[^>]+\sencoding\s*=")
_DOCTYPE = re.compile(r"<!DOCTYPE\s+([^\s>\[]+)")
_COMMENT = re.compile(r"<!--.*?-->|<!\[CDATA\[.*?\]\]>", re.DOTALL)


def parse_xml(config: Any) -> ElementTree.Element:
    """Return the tree of a config; 400 with the parser's message."""
    if not isinstance(config, str):
        raise invalid({"label_config": ["can only parse strings"]})
    if _ENCODING.match(config):
        raise crash(
            "Unicode strings with encoding declaration are not supported. "
            "Please use bytes input or XML fragments without declaration."
        )
    if doctype := _DOCTYPE.search(_COMMENT.sub("", config)):
        problem = f"DTDForbidden(name={doctype[1]!r}, system_id=None, public_id=None)"
        raise invalid({"label_config": [problem]})
    try:
        return ElementTree.fromstring(config.strip())
    except ElementTree.ParseError as error:
        raise invalid({"label_config": [str(error)]}) from None


def check(config: Any) -> None:
    """Check a new config; 400 with errors of ``label_config``."""
    root = parse_xml(config)
    _check_schema(root)
    source = ElementTree.tostring(root, encoding="unicode")
    names = re.findall(r'name="([^"]*)"', source)
    if len(set(names)) != len(names):
        raise invalid({"label_config": ["Label config contains non-unique names"]})
    for targets in re.findall(r'toName="([^"]*)"', source):
        for target in targets.split(","):
            if target not in names:
                text = f'toName="{target}" not found in names: {sorted(set(names))}'
                raise invalid({"label_config": [text]})
    for video in root.iter("Video"):
        _check_speeds(video)


_SLOWEST, _FASTEST = 0.05, 10


def _check_speeds(video: ElementTree.Element) -> None:
    found: dict[str, float] = {}
    problem = ""
    for name in ("defaultPlaybackSpeed", "minPlaybackSpeed"):
        written = (video.get(name) or video.get(name.lower()) or "").strip()
        try:
            if written:
                found[name] = float(written)
        except ValueError:
            problem = f'{name} must be a number, got "{written}"'
    for name, speed in found.items():
        if not _SLOWEST <= speed <= _FASTEST:
            problem = f"{name} must be between {_SLOWEST} and {_FASTEST}, got {speed}"
    default, least = (found.get(name) for name in ("defaultPlaybackSpeed", "minPlaybackSpeed"))
    if default is not None and least is not None and least > default:
        problem = f"minPlaybackSpeed ({least}) must not exceed defaultPlaybackSpeed ({default})"
    if problem:
        raise invalid({"label_config": [f'Video tag "{video.get("name")}": {problem}']})


_LABELS_OF = {"Choices": "Choice", "Labels": "Label"}


def _check_schema(root: ElementTree.Element) -> None:
    def missing(element: ElementTree.Element) -> str | None:
        have = set(element.attrib)
        if element.tag in _NAMED_AND_VALUED:
            needed = [] if {"name", "valueList"} <= have else ["name", "value"]
        elif element.tag in _LABELS_OF:
            child = _LABELS_OF[element.tag]
            inside = {c.tag for c in element}
            filled = inside & {child, "View"} or "value" in have
            needed = ["name", "toName", *([] if filled else [child])]
            have = have | inside if filled else have
        elif element.tag in ("TextArea", "Number"):
            needed = ["name", "toName"]
        elif element.tag in _LABELS_OF.values():
            needed = ["value"]
        else:
            needed = []
        return next((name for name in needed if name not in have), None)

    def walk(element: ElementTree.Element, path: str) -> None:
        for child in element:
            if element.tag in _LABELS_OF and child.tag not in ("View", _LABELS_OF[element.tag]):
                continue
            here = f"{path}/{child.tag}" if path else child.tag
            name = missing(child)
            if name:
                text = f"Validation failed on {path}: '{name}' is a required property"
                raise invalid({"label_config": [text]})
            if child.tag in ("TextArea", "Number", *_LABELS_OF):
                for name in ("name", "toName"):
                    _check_text(name, child.attrib[name])
            if child.tag == "View" or child.tag in _LABELS_OF:
                walk(child, here)

    if root.tag == "View":
        walk(root, "")


def _check_text(name: str, value: str) -> None:
    """Check a text; the server reads numbers and booleans out of it first."""
    read: Any = {"true": True, "false": False}.get(value.lower(), value)
    for kind in (int, float):
        if isinstance(read, str):
            with contextlib.suppress(ValueError):
                read = kind(read)
    if not isinstance(read, str):
        text = f"Validation failed on @{name}: {read!r} is not of type 'string'"
        raise invalid({"label_config": [text]})


UNDEFINED = "$undefined$"
"""The data key of files that are a task each, until the configuration has a name for it."""


def name_undefined(data: Any, config: str | None) -> Any:
    """Return data with the first variable of the config in place of ``UNDEFINED``."""
    if not isinstance(data, dict) or UNDEFINED not in data:
        return data
    name = next(iter(data_types(config)), UNDEFINED)
    kept = {key: value for key, value in data.items() if key != UNDEFINED}
    return {**kept, name: data[UNDEFINED]}


def data_types(config: str | None) -> dict[str, str]:
    """Return the tag that shows each variable of a config: the keys that task data must have."""
    found: dict[str, str] = {}
    if config is None:
        return found
    for element in parse_xml(config).iterfind(".//*[@value]"):
        value = element.get("value", "")
        if not element.get("name"):
            continue
        if len(value) > 1 and value[0] == "$":
            key = value[1:]
        else:
            inner = re.search(r"\$(\w+)", value)
            key = inner[1] if inner else ""
        if key and found.get(key) != "Video":
            found[key] = element.tag
    return found


def controls(config: str | None) -> dict[str, dict[str, Any]]:
    """Return the ``parsed_label_config`` of a project: each control by name."""
    if not config:
        return {}
    root = parse_xml(config)
    parents = {child: parent for parent in root.iter() for child in parent}
    inputs: dict[str, dict[str, Any]] = {}
    outputs: dict[str, dict[str, Any]] = {}
    labels: dict[str, dict[str, dict[str, str]]] = {}
    flags: list[str] = []
    for tag in root.iter():
        attributes = tag.attrib
        if "indexFlag" in attributes:
            flags.append(attributes["indexFlag"])
        name = attributes.get("name")
        if name and attributes.get("toName") and tag.tag != "Filter":
            outputs[name] = _control(tag, flags)
        elif name and (attributes.get("value") or attributes.get("valueList")):
            key = "value" if "value" in attributes else "valueList"
            inputs[name] = {
                "type": tag.tag,
                "valueType": attributes.get("valueType"),
                key: attributes[key].lstrip("$"),
            }
        if tag.tag not in _LABELS:
            continue
        parent = parents.get(tag)
        while parent is not None and parent.get("name") not in outputs:
            parent = parents.get(parent)
        shown = attributes.get("alias") or attributes.get("value") or attributes.get("valueList")
        if parent is not None and shown:
            labels.setdefault(parent.attrib["name"], {})[shown] = dict(attributes)
    for name, control in outputs.items():
        control["inputs"] = [inputs[target] for target in control["to_name"] if target in inputs]
        control["labels"] = list(labels.get(name, {}))
        control["labels_attrs"] = labels.get(name, {})
    return outputs


def _control(tag: ElementTree.Element, flags: list[str]) -> dict[str, Any]:
    attributes = tag.attrib
    control: dict[str, Any] = {"type": tag.tag, "to_name": attributes["toName"].split(",")}
    for flag in flags:
        if any(flag in target for target in control["to_name"]):
            control.setdefault("regex", {})[flag] = ".*"
    if attributes.get("perRegion") == "true":
        for key, kind in (("TagName", "tag"), ("LabelValue", "label"), ("ChoiceValue", "choice")):
            if attributes.get("when" + key):
                control["conditionals"] = {"type": kind, "name": attributes["when" + key]}
                break
    if re.fullmatch(r"\$[A-Za-z_]+", attributes.get("value", "")) or attributes.get("apiUrl"):
        control["dynamic_labels"] = True
    return control


def weights(config: str | None, old: dict[str, Any]) -> dict[str, Any]:
    """Return the ``control_weights`` that follow from a config, with the numbers already set."""
    result = {}
    for name, control in controls(config).items():
        before = old.get(name) or {}
        overall = before.get("overall")
        known = before.get("labels", {})
        result[name] = {
            "overall": 1.0 if overall is None else overall,
            "type": control["type"],
            "labels": {k: 1.0 if known.get(k) is None else known[k] for k in control["labels"]},
        }
    return result


def suits_bulk_annotation(config: str | None) -> bool:
    """Return the server's ``config_suitable_for_bulk_annotation``: only controls of whole tasks."""
    if not config:
        return True
    for tag in parse_xml(config).iter():
        if tag.tag in _REGION_TAGS:
            return False
        if tag.tag in ("Choices", "Taxonomy", "DateTime", "Number", "Rating", "TextArea"):
            if "true" in (tag.get("perRegion", "").lower(), tag.get("perItem", "").lower()):
                return False
            if tag.tag in ("Choices", "Taxonomy") and "value" in tag.attrib:
                return False
        if tag.tag == "Taxonomy" and (
            tag.get("labeling", "").lower() == "true" or "apiUrl" in tag.attrib
        ):
            return False
    return True


def essentially_changed(new: str, old: str | None) -> bool | None:
    """Return the server's ``config_essential_data_has_changed``: true, or null (never false)."""
    before = controls(old)
    for name, control in controls(new).items():
        known = before.get(name)
        if (
            known is None
            or known["type"] != control["type"]
            or known["inputs"] != control["inputs"]
        ):
            return True
        if not set(known["labels"]) <= set(control["labels"]):
            return True
    return None


def data_error(config_types: dict[str, str], data: Any, *, root: bool) -> str | None:
    """Return why the server refuses task data, or None; ``root``: the item itself is the data."""
    problem = None
    for key, tag in config_types.items():
        array = "[" in key
        key = key.split("[")[0]
        value: Any = data
        for part in key.split(".") if "." in key else [key]:
            if part not in value:
                problem = f'"{key}" key is expected in task data'
                break
            value = value[part]
        if problem:
            break
        expected = (list,) if array else _EXPECTED_TYPES.get(tag, (str,))
        if not isinstance(value, expected):
            names = [kind.__name__ for kind in expected]
            problem = (
                f"data['{key}']={value} is of type '{type(value).__name__}', "
                f"but the object tag {tag} expects the following types: {names}"
            )
            break
    if problem is None:
        return None
    if root:
        return f"{problem} [assume: item as is = task root with values] "
    return f'{problem} [assume: item["data"] = task root with values]'


def prediction_result(result: Any, config: str | None) -> Any:
    """Return the stored result of a prediction: a bare value is one of the first matching control.

    400 for a value without any meaning; None when no control matches.
    """
    if isinstance(result, list):
        if not all(isinstance(item, dict) for item in result):
            raise invalid("Each item in prediction result should be dict")
        return result
    if isinstance(result, (dict, str, int)):
        for name, control in controls(config).items():
            kind = control["type"].lower()
            value: Any = None
            if isinstance(result, dict):
                value = result if kind in result else None
            elif kind in SINGLE_VALUED and isinstance(result, SINGLE_VALUED[kind]):
                value = {kind: [result]}
            if value is not None:
                target = ",".join(control["to_name"])
                return [{"from_name": name, "to_name": target, "type": kind, "value": value}]
        return None
    raise invalid(f"Incorrect format {type(result)} for prediction result {result}")
