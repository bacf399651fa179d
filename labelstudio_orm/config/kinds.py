"""The kinds of controls: for each tag, what its regions hold, what builds them and what reads them.

To teach this package another control is one row of `KINDS`; where its regions are of a new form,
a shape or a reader, and a builder in `Control`, go with it.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from attrs import frozen

from .shapes import (
    Box,
    Brush,
    Ellipse,
    KeyPoint,
    Polygon,
    Shape,
    number,
    read_shape,
    read_span,
)

Reader: TypeAlias = Callable[["Kind", Mapping[str, Any]], "list[Any]"]


@frozen
class Kind:
    """One kind of control: `type` of its regions, `key` in their value, builders and reader.

    `read` gives what one region says as a list, and raises KeyError, TypeError, ValueError or
    AttributeError for data of another form. `many` says that the readings of all regions stay a
    list however many there are.
    """

    type: str
    key: str | None
    builders: tuple[str, ...]
    read: Reader
    many: bool = False
    shape: builtins.type[Shape] | None = None


def _scalar(check: Callable[[Any], Any]) -> Reader:
    def read(kind: Kind, region: Mapping[str, Any]) -> list[Any]:
        return [check(region["value"][kind.key])]

    return read


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text was expected, not {value!r}")
    return value


def _items(kind: Kind, region: Mapping[str, Any]) -> list[Any]:
    items = region["value"][kind.key]
    if isinstance(items, str):  # older servers and some importers write a lone text bare
        return [items]
    if not isinstance(items, list):
        raise TypeError(f"a list was expected, not {items!r}")
    return [
        [_text(step) for step in item] if isinstance(item, list) else _text(item) for item in items
    ]


def _labels(kind: Kind, region: Mapping[str, Any]) -> tuple[str, ...]:
    if kind.key is None:
        return ()
    return tuple(_text(label) for label in region["value"].get(kind.key) or ())


def _span(kind: Kind, region: Mapping[str, Any]) -> list[Any]:
    return [read_span(region, _labels(kind, region))]


def _shape(kind: Kind, region: Mapping[str, Any]) -> list[Any]:
    assert kind.shape is not None
    return [read_shape(kind.shape, region, _labels(kind, region))]


def _spans(tag: str) -> dict[str, Kind]:
    return {tag: Kind(tag, tag, ("label",), _span, many=True)}


def _shapes(tag: str, shape: type[Shape], *builders: str) -> dict[str, Kind]:
    """The rows of a shape without labels (`Rectangle`) and with them (`RectangleLabels`)."""
    return {
        type_: Kind(type_, key, builders, _shape, many=True, shape=shape)
        for type_, key in ((tag, None), (f"{tag}labels", f"{tag}labels"))
    }


KINDS: Mapping[str, Kind] = {  # by tag in lower case, as the labelling editor takes them
    "choices": Kind("choices", "choices", ("choice", "choices"), _items),
    "taxonomy": Kind("taxonomy", "taxonomy", ("taxonomy",), _items, many=True),
    "rating": Kind("rating", "rating", ("rating",), _scalar(number)),
    "number": Kind("number", "number", ("number",), _scalar(number)),
    "textarea": Kind("textarea", "text", ("text",), _items),
    "datetime": Kind("datetime", "datetime", ("datetime",), _scalar(_text)),
    "pairwise": Kind("pairwise", "selected", ("pairwise",), _scalar(_text)),
    **_spans("labels"),
    **_spans("hypertextlabels"),
    **_shapes("rectangle", Box, "rectangle"),
    **_shapes("ellipse", Ellipse, "ellipse"),
    **_shapes("keypoint", KeyPoint, "keypoint"),
    **_shapes("polygon", Polygon, "polygon"),
    **_shapes("brush", Brush),
}
