"""The labelling config: controls, labels, and regions without writing their JSON by hand."""

from __future__ import annotations

from .controls import Control, Label, ObjectTag, Region
from .labelconfig import LabelConfig, UnknownControl
from .shapes import Box, Brush, Ellipse, KeyPoint, Polygon, Shape, Span

__all__ = [
    "Box",
    "Brush",
    "Control",
    "Ellipse",
    "KeyPoint",
    "Label",
    "LabelConfig",
    "ObjectTag",
    "Polygon",
    "Region",
    "Shape",
    "Span",
    "UnknownControl",
]
