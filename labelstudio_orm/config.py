"""The labelling config: controls, labels, and regions without writing their JSON by hand."""

from __future__ import annotations

from ._config.building import choices, labels, taxonomy
from ._config.controls import Control
from ._config.labelconfig import LabelConfig
from ._config.parsed import UnknownControl
from ._config.regions import Region
from ._config.results import check_result, regions_without_size
from ._config.shapes import (
    Bitmask,
    Box,
    Brush,
    Ellipse,
    Keyframe,
    KeyPoint,
    Passage,
    Polygon,
    Shape,
    Span,
    Surface,
    Track,
    Vector,
)
from ._config.tags import Label, ObjectTag

__all__ = [
    "Bitmask",
    "Box",
    "Brush",
    "Control",
    "Ellipse",
    "KeyPoint",
    "Keyframe",
    "Label",
    "LabelConfig",
    "ObjectTag",
    "Passage",
    "Polygon",
    "Region",
    "Shape",
    "Span",
    "Surface",
    "Track",
    "UnknownControl",
    "Vector",
    "check_result",
    "choices",
    "labels",
    "regions_without_size",
    "taxonomy",
]
