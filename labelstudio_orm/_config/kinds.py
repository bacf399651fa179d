"""The kinds of tags, as tables.

For each control: the form of its regions, and what builds, reads and validates them; for each tag
that shows data, the types of data that it shows.

Another control is one row of ``KINDS``; where its regions have a new form, a shape or a reader, and
a builder in ``Control``, go with it.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from attrs import frozen

from . import forms
from .forms import Form, fields, items, measure, number, whole
from .marks import Mark, OnImage
from .shapes import (
    VERTEX,
    Bitmask,
    Box,
    Brush,
    Ellipse,
    KeyPoint,
    Passage,
    Polygon,
    Shape,
    Span,
    Track,
    Vector,
    read_passage,
    read_shape,
    read_span,
    read_spans,
    shape_form,
    text,
)

Reader: TypeAlias = Callable[["Kind", Mapping[str, Any]], "list[Any]"]


@frozen
class Kind:
    """One kind of control: ``type`` of its regions, ``key`` in their value, builders and reader.

    ``read`` gives the values of one region as a list, and raises KeyError, TypeError, ValueError or
    AttributeError for data of another form. ``form`` are the keys of a value. ``many`` means that
    the readings of all regions stay a list however many there are. ``mark`` is the type of the
    readings where these are marks on an object, else None; ``shape`` that of shapes.
    """

    type: str
    key: str | None
    builders: tuple[str, ...]
    read: Reader
    form: Mapping[str, Form]
    many: bool = False
    shape: builtins.type[Shape] | None = None
    mark: builtins.type[Mark] | None = None


def _one(
    key: str,
    builder: str,
    check: Callable[[Any], Any],
    form: Form,
    type_: str = "",
    many: bool = False,
) -> Kind:
    """Return the row of a control whose regions hold one value."""

    def read(kind: Kind, region: Mapping[str, Any]) -> list[Any]:
        return [check(region["value"][key])]

    return Kind(type_ or key, key, (builder,), read, {key: form}, many=many)


def _items(kind: Kind, region: Mapping[str, Any]) -> list[Any]:
    found = region["value"][kind.key]
    if isinstance(found, str):  # older servers and some importers write a lone text bare
        return [found]
    if not isinstance(found, list):
        raise TypeError(f"a list was expected, not {found!r:.80}")
    return [[text(step) for step in one] if isinstance(one, list) else text(one) for one in found]


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"an object was expected, not {value!r:.80}")
    return dict(value)


def _ranking(kind: Kind, region: Mapping[str, Any]) -> list[Any]:
    ranks = _mapping(region["value"][kind.key])
    return [ranks[region["from_name"]] if [*ranks] == [region["from_name"]] else ranks]


def _labels(kind: Kind, region: Mapping[str, Any]) -> tuple[str, ...]:
    value = region["value"]
    found = None if kind.key is None else value.get(kind.key)
    if isinstance(found, list):
        return tuple(map(text, found))
    if isinstance(found, str) and found:
        return (found,)
    others = [key for key in value if key in LABEL_KEYS and key != kind.key]
    if found is not None or others:
        raise TypeError(f"labels were expected under {kind.key!r}: {value!r:.80}")
    return ()


def _raw(kind: Kind, region: Mapping[str, Any]) -> list[Any]:
    return [region]


def _shape(kind: Kind, region: Mapping[str, Any]) -> list[Any]:
    assert kind.shape is not None
    return [read_shape(kind.shape, region, _labels(kind, region))]


def _spans(
    tag: str,
    form: Mapping[str, Form],
    read: Callable[..., Any] = read_span,
    mark: type[Mark] = Span,
) -> Kind:
    """Return the row of a control that labels ranges of a text or of time."""

    def reader(kind: Kind, region: Mapping[str, Any]) -> list[Any]:
        found = read(region, _labels(kind, region))
        return found if isinstance(found, list) else [found]

    form = {**form, tag: items(forms.text)}
    return Kind(tag, tag, ("label",), reader, form, many=True, mark=mark)


def _shapes(
    tag: str,
    shape: type[Shape] | None,
    *builders: str,
    key: str | None = None,
    form: Mapping[str, Form] | None = None,
) -> dict[str, Kind]:
    """Return the rows of a shape without labels (``Rectangle``) and with (``RectangleLabels``)."""
    read = _shape if shape else _raw
    form = form if form is not None else shape_form(shape or Shape)
    labels = key or f"{tag}labels"
    rows: list[tuple[str, str | None, dict[str, Form]]] = [
        (tag, None, {}),
        (f"{tag}labels", labels, {labels: items(forms.text)}),
    ]
    return {
        type_: Kind(
            type_,
            key_,
            builders,
            read,
            {**form, **own},
            many=True,
            shape=shape,
            mark=shape or OnImage,
        )
        for type_, key_, own in rows
    }


_PLACES = {"start": forms.place, "end": forms.place}
_OFFSETS = {"startOffset?": whole(0), "endOffset?": whole(0)}
_RANGE = fields({"start": measure(), "end": measure(), "enabled?": forms.flag})
_FRAMES = {
    "framesCount?": whole(),
    "duration?": measure(),
    "sequence": items(
        fields({"frame": whole(), "time?": measure(), "closed?": forms.flag,
                "enabled?": forms.flag, "vertices": items(VERTEX)})
    ),
}  # fmt: skip
_OCR = {
    "x": measure(), "y": measure(), "width": measure(), "height": measure(),
    "rotation?": measure(), "ocrtext?": forms.text, "pageIndex?": whole(),
}  # fmt: skip
_MESSAGE = fields({"role": forms.text, "content": forms.text, "createdAt?": whole()})
_LIST_OR_PATHS = items(forms.either(forms.text, items(forms.text, least=1)))
_VIDEO = {**shape_form(Track), "labels?": items(forms.text)}

KINDS: Mapping[str, Kind] = {  # by tag in lower case, as the labelling editor takes them
    "choices": Kind("choices", "choices", ("choice", "choices"), _items,
                    {"choices": _LIST_OR_PATHS}),
    "taxonomy": Kind("taxonomy", "taxonomy", ("taxonomy",), _items,
                     {"taxonomy": items(items(forms.text))}, many=True),
    "textarea": Kind("textarea", "text", ("text",), _items, {"text": items(forms.text)}),
    "rating": _one("rating", "rating", number, whole(0)),
    "number": _one("number", "number", number, measure()),
    "datetime": _one("datetime", "datetime", text, forms.text),
    "pairwise": _one("selected", "pairwise", text, forms.text, "pairwise"),
    "chatmessage": _one("chatmessage", "message", _mapping, _MESSAGE, many=True),
    "reactcode": _one("reactcode", "output", _mapping, forms.by_name(forms.anything)),
    "ranker": Kind("ranker", "ranker", ("ranking",), _ranking,
                   {"ranker": forms.by_name(items(forms.text))}),
    "labels": _spans("labels", _PLACES),
    "hypertextlabels": _spans("hypertextlabels", {**_PLACES, **_OFFSETS}),
    "paragraphlabels": _spans("paragraphlabels", {**_PLACES, **_OFFSETS}, read_passage, Passage),
    "timeserieslabels": _spans("timeserieslabels", {**_PLACES, "instant": forms.flag}),
    "timelinelabels": _spans("timelinelabels", {"ranges": items(_RANGE, least=1)}, read_spans),
    **_shapes("rectangle", Box, "rectangle"),
    **_shapes("ellipse", Ellipse, "ellipse"),
    **_shapes("keypoint", KeyPoint, "keypoint"),
    **_shapes("polygon", Polygon, "polygon"),
    **_shapes("vector", Vector, "vector"),
    **_shapes("brush", Brush, "brush"),
    **_shapes("magicwand", Brush, "brush"),
    **_shapes("bitmask", Bitmask, "bitmask"),
    **_shapes("ocr", Box, "rectangle", form=_OCR),
    **_shapes("videovector", None, key="labels", form=_FRAMES),
    "videorectangle": Kind("videorectangle", "labels", ("track",), _shape, _VIDEO, many=True,
                           shape=Track, mark=Track),
}  # fmt: skip

LABEL_KEYS = frozenset(kind.key for kind in KINDS.values() if kind.mark and kind.key)
"""The keys that labels of a mark may stand under."""

GEOMETRY = frozenset({"rectangle", "polygon", "ellipse", "keypoint", "brush", "bitmask", "vector"})
"""The shapes whose labels may stand in a region of their own, with the same id."""

_TEXT_OR_LIST = (str, list)

DATA: Mapping[str, tuple[builtins.type[Any], ...]] = {
    "Text": (str, int, float, list),
    "Header": (str, int, float),
    **dict.fromkeys(("Table", "TimeSeries", "TimeSeriesChannel"), (dict, list, str)),
    "Taxonomy": (str, list, type(None)),
    **dict.fromkeys(
        ("Image", "Paragraphs", "Chat", "List", "Choices", "Ranker", "Labels", "BrushLabels",
         "EllipseLabels", "HyperTextLabels", "KeyPointLabels", "ParagraphLabels",
         "PolygonLabels", "RectangleLabels", "TimeSeriesLabels"), _TEXT_OR_LIST,
    ),
}  # fmt: skip
"""The types that the server accepts for a tag whose ``value`` is a variable; else a text."""
