"""The formats that projects can be exported in, and which of them match a config."""

from __future__ import annotations

from typing import Any

from attrs import define

from .._state.store import Row
from .._wire.answers import crash
from . import markup

_DETECTION = ("image segmentation", "object detection")
_KEYPOINTS = (*_DETECTION, "keypoints")


@define(frozen=True)
class Format:
    """An export format; ``anchor`` is its section in the manual of exports."""

    title: str
    anchor: str
    tags: tuple[str, ...] = ()


FORMATS = {
    "JSON": Format("JSON", "JSON"),
    "JSON_MIN": Format("JSON-MIN", "JSON-MIN"),
    "CSV": Format("CSV", "CSV"),
    "TSV": Format("TSV", "TSV"),
    "CONLL2003": Format(
        "CONLL2003",
        "CONLL2003",
        ("sequence labeling", "text tagging", "named entity recognition"),
    ),
    "COCO": Format("COCO", "COCO", _KEYPOINTS),
    "COCO_WITH_IMAGES": Format("COCO with Images", "COCO", _KEYPOINTS),
    "VOC": Format("Pascal VOC XML", "Pascal-VOC-XML", _DETECTION),
    "YOLO": Format("YOLO", "YOLO", _KEYPOINTS),
    "YOLO_WITH_IMAGES": Format("YOLO with Images", "YOLO", _KEYPOINTS),
    "YOLO_OBB": Format("YOLOv8 OBB", "YOLO", _DETECTION),
    "YOLO_OBB_WITH_IMAGES": Format("YOLOv8 OBB with Images", "YOLO", _DETECTION),
    "BRUSH_TO_NUMPY": Format(
        "Brush labels to NumPy", "Brush-labels-to-NumPy-amp-PNG", ("image segmentation",)
    ),
    "BRUSH_TO_PNG": Format(
        "Brush labels to PNG", "Brush-labels-to-NumPy-amp-PNG", ("image segmentation",)
    ),
    "ASR_MANIFEST": Format("ASR Manifest", "ASR-MANIFEST", ("speech recognition",)),
    "BRUSH_TO_COCO": Format(
        "Brush labels to COCO", "COCO", ("image segmentation", "brush annotations")
    ),
    "DOCLANG": Format("DocLang (.dclx)", "", ("document", "doclang")),
}
_WHOLE = ("JSON", "JSON_MIN", "CSV", "TSV")


def list_formats(config: str | None) -> list[Row]:
    """Return all formats as the server lists them, those that match the config first.

    The descriptions are the fake's own.
    """
    suiting = suitable_formats(config)
    rows: list[Row] = []
    for name, found in FORMATS.items():
        row: Row = {"name": name, "title": found.title, "description": found.title}
        row["link"] = f"https://labelstud.io/guide/export.html#{found.anchor}"
        if found.tags:
            row["tags"] = list(found.tags)
        if name not in suiting:
            row["disabled"] = True
        rows.append(row)
    return sorted(rows, key=lambda row: bool(row.get("disabled")))


def suitable_formats(config: str | None) -> set[str]:
    """Return the names of the formats that match a config; 500 if the config breaks the server."""
    controls = list(markup.controls(config).values())
    made = {control["type"] for control in controls}
    inputs = [shown for control in controls for shown in control["inputs"]]
    keys = {shown[name] for shown in inputs for name in ("value", "valueList") if name in shown}
    names = set(_WHOLE)
    if made & {"TextArea", "ReactCode", "CustomInterface"}:
        names.add("DOCLANG")
    if len(keys) > 1:
        return names
    several = any(shown.get("valueList") for shown in inputs)
    seen = {shown["type"] for shown in inputs if not _is_text_by_url(shown)}
    names |= _of_regions(made, seen, several)
    if "Labels" in made and "Text" in seen:
        names.add("CONLL2003")
    if "TextArea" in made and seen & {"Audio", "AudioPlus"}:
        names.add("ASR_MANIFEST")
    return names


def _is_text_by_url(shown: dict[str, Any]) -> bool:
    return bool(shown["type"] == "Text" and shown["valueType"] == "url")


def _of_regions(made: set[str], seen: set[str], several: bool) -> set[str]:
    """Return the formats of images, from the controls that make regions and the tags they label."""
    names: set[str] = set()
    image, labels = "Image" in seen, "Labels" in made
    drawn = made & {"PolygonLabels", "KeyPointLabels"}
    boxes = bool(image and (drawn or "RectangleLabels" in made))
    boxes = boxes or bool(labels and (drawn or "Rectangle" in made))
    boxes = boxes and not several
    points_only = "KeyPointLabels" in made and "RectangleLabels" not in made
    if boxes and not points_only:
        names |= {"COCO", "COCO_WITH_IMAGES", "YOLO", "YOLO_WITH_IMAGES"}
    if points_only and not boxes:
        raise crash("list.remove(x): x not in list")
    if boxes and not ("Video" in seen and "TimelineLabels" in made):
        names |= {"YOLO_OBB", "YOLO_OBB_WITH_IMAGES"}
    rectangles = "RectangleLabels" in made or ("Rectangle" in made and labels)
    if image and rectangles and not several:
        names.add("VOC")
    if image and ("BrushLabels" in made or ("Brush" in made and labels)):
        names |= {"BRUSH_TO_NUMPY", "BRUSH_TO_PNG", "BRUSH_TO_COCO"}
    return names
