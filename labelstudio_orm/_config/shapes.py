"""Regions on a text, an image or a video as typed values, and their JSON.

A field names its JSON key, how it is written, how it is read and which form it may have; writing,
reading and validating follow from that. Keys that only affect the looks of a region may have any
form. Reading does not check ranges: stored values are shown as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, TypeAlias

import attrs
from attrs import NOTHING, field, frozen

from .._engine.values.brief import brief
from . import forms, geometry
from .forms import Form, as_list, number, plain, utterance, writer
from .marks import Mark, OnImage, read_beside


def text(value: Any) -> str:
    """Return ``value`` if it is a str, else raise TypeError."""
    if not isinstance(value, str):
        raise TypeError(f"a text was expected, not {value!r:.80}")
    return value


def whole(value: Any) -> int:
    """Return ``value`` if it is a whole number, ``3`` or ``3.0``, else raise TypeError."""
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    raise TypeError(f"a whole number was expected, not {value!r:.80}")


def _pairs(value: Any, what: str) -> list[list[float]]:
    coordinate = f"a coordinate of {what} (percent)"
    return [
        [number(n, coordinate, 0, 100) for n in as_list(pair, what)]
        for pair in as_list(value, what)
    ]


def _points(value: Any, what: str) -> list[list[float]]:
    points = _pairs(value, what)
    if len(points) < 3 or any(len(point) != 2 for point in points):
        raise ValueError(f"{what} must be at least three (x, y) pairs, not {brief(value)}")
    return points


def _flag(value: Any, what: str = "the value") -> bool:
    value = plain(value)
    if not isinstance(value, bool):
        raise TypeError(f"{what} must be True or False, not {brief(value)}")
    return value


def _vertices(value: Any, what: str) -> list[dict[str, Any]]:
    points = _pairs(value, what)
    if not points or any(len(point) != 2 for point in points):
        raise ValueError(f"{what} must be (x, y) pairs, not {brief(value)}")
    ids: list[str | None] = [None, *(f"v{n}" for n in range(1, len(points) + 1))]
    return [
        {"id": id_, "prevPointId": last, "x": x, "y": y, "isBezier": False}
        for last, id_, (x, y) in zip(ids, ids[1:], points, strict=False)
    ]


def _bytes(value: Any, what: str) -> list[int]:
    rle = [plain(one) for one in as_list(value, what)]
    if any(_RLE(rle, what)):
        raise ValueError(f"{what} must be bytes, whole numbers from 0 to 255, not {rle!r:.80}")
    return rle


_RLE = forms.items(forms.whole(0, 255), least=1)
VERTEX = forms.fields({"x": forms.measure(), "y": forms.measure(), "id?": forms.text,
                       "isBezier?": forms.flag, "prevPointId?": forms.text})  # fmt: skip


def _stored(
    key: str,
    read: Callable[[Any], Any],
    form: Form,
    write: Callable[[Any, str], Any] | None = None,
    default: Any = NOTHING,
) -> Any:
    metadata = {"key": key, "read": read, "write": write or writer(form), "form": form}
    return field(default=default, metadata=metadata)


def _measure(
    key: str, low: float, high: float, unit: str, default: Any = NOTHING, form: Form | None = None
) -> Any:
    def write(value: Any, what: str) -> float:
        return number(value, f"{what} ({unit})", low, high)

    return _stored(key, number, form or forms.measure(high), write, default)


def _point(pair: Any) -> tuple[float, float]:
    x, y = pair
    return number(x), number(y)


def _read_rle(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not {*map(type, value)} <= {int}:
        raise TypeError(f"a list of whole numbers was expected, not {value!r:.80}")
    return tuple(value)


@frozen(repr=False)
class Span(Mark):
    """A labelled stretch of a text (or of time, in seconds, where the object is audio or video).

    ``start`` is included, ``end`` is not; on a text both count characters as Python does, so
    ``task_text[span.start:span.end]`` is what was marked. On a HyperText they are the global
    offsets in the text that the page shows. ``text`` is the marked text where it was stored.
    """

    start: float
    end: float
    text: str | None = None
    labels: tuple[str, ...] = ()
    id: str | None = None

    @property
    def length(self) -> float:
        """The characters or seconds from the start to the end."""
        return self.end - self.start

    def iou(self, other: Span) -> float:
        """Return what both have in common as a part of what they cover together, from 0 to 1.

        Two equal ones of no length have 1.

        >>> Span(0, 6).iou(Span(4, 8))
        0.25
        """
        if not isinstance(other, Span):
            raise TypeError(f"the iou of a Span is that with a Span, not {brief(other)}")
        return geometry.iou_of_ranges((self.start, self.end), (other.start, other.end))


@frozen(repr=False)
class Passage(Mark):
    """A labelled stretch of a Paragraphs, the first and the last utterance counted from 0.

    It begins before character ``start_offset`` of utterance ``start``, and ends before character
    ``end_offset`` of utterance ``end``. ``text`` is the marked text where it was stored.
    """

    start: int
    end: int
    start_offset: int
    end_offset: int
    text: str | None = None
    labels: tuple[str, ...] = ()
    id: str | None = None


@frozen(repr=False)
class Shape(OnImage):
    """The base of all regions of an image: labels, the region's id, the image's size in pixels."""

    labels: tuple[str, ...] = field(default=(), kw_only=True)
    id: str | None = field(default=None, kw_only=True)


def _scale(shape: Shape, width: float | None, height: float | None) -> tuple[float, float]:
    """Return the pixels of one percent. Raises ValueError where the size is not known."""
    across = shape.original_width if width is None else width
    down = shape.original_height if height is None else height
    if not across or not down:
        raise ValueError(
            f"{brief(shape, 200)} holds no size of its image: give the width and the height "
            "in pixels, or set original_width and original_height"
        )
    return across / 100, down / 100


@frozen(repr=False)
class Surface(Shape):
    """The base of the shapes that cover an area: boxes, ellipses and polygons."""

    @property
    def area(self) -> float:
        """The area in percent of the image, with what may lie outside of it."""
        raise NotImplementedError

    def iou(self, other: Surface) -> float:
        """Return what both cover in common as a part of what they cover together, from 0 to 1.

        It is exact but for rounding, and within 0.001 for ellipses. Boxes, ellipses and polygons
        may be compared with each other; of a polygon whose edges cross, the area is that of the
        even-odd rule. Two equal ones without an area have 1. Labels do not count. Raises ValueError
        for a turned one where neither holds the size of the image, since turning depends on it.

        >>> Box(0, 0, 20, 10).iou(Box(10, 0, 20, 10))
        0.3333333333333333
        """
        if not isinstance(other, Surface):
            raise TypeError(
                f"the iou of a {type(self).__name__} is that with a Box, an Ellipse or a Polygon, "
                f"not {brief(other)}"
            )
        return self._iou(other)

    def _iou(self, other: Surface) -> float:
        return geometry.iou(self._outline(other), other._outline(self))

    def _outline(self, beside: Surface) -> list[geometry.Point]:
        """Return the corners in percent; ``beside`` may hold the size of the image."""
        raise NotImplementedError

    def _turned(
        self,
        points: list[geometry.Point],
        about: geometry.Point,
        rotation: float,
        beside: Surface,
    ) -> list[geometry.Point]:
        """Return points in percent after a rotation, which is one in pixels."""
        if not rotation:
            return points
        holds = self.original_width and self.original_height
        across, down = _scale(self if holds else beside, None, None)
        pixels = [(x * across, y * down) for x, y in points]
        found = geometry.turned(pixels, (about[0] * across, about[1] * down), rotation)
        return [(x / across, y / down) for x, y in found]


@frozen(repr=False)
class Box(Surface):
    """A rectangle in percent of the image, ``rotation`` in degrees clockwise about its corner.

    ``x`` and ``y`` are the top left corner.
    """

    x: float = _measure("x", 0, 100, "percent")
    y: float = _measure("y", 0, 100, "percent")
    width: float = _measure("width", 0, 100, "percent")
    height: float = _measure("height", 0, 100, "percent")
    rotation: float = _measure("rotation", -360, 360, "degrees", default=0)

    @property
    def area(self) -> float:
        """The area in percent of the image, with what may lie outside of it."""
        return self.width * self.height / 100

    def pixels(
        self, width: float | None = None, height: float | None = None
    ) -> tuple[float, float, float, float]:
        """Return ``(x, y, width, height)`` in pixels of an image, before the rotation.

        Args:
            width: Of the image; default: the one that the region holds.
            height: Of the image; default: the one that the region holds.

        Raises ValueError where no size is known.

        >>> Box(25, 50, 10, 10).pixels(1920, 1080)
        (480.0, 540.0, 192.0, 108.0)
        """
        across, down = _scale(self, width, height)
        return self.x * across, self.y * down, self.width * across, self.height * down

    def corners(
        self, width: float | None = None, height: float | None = None
    ) -> tuple[tuple[float, float], ...]:
        """Return the four corners in pixels after the rotation, the one at (x, y) first.

        They go on clockwise. Arguments and errors as for ``pixels``.

        >>> Box(25, 50, 10, 10, 90).corners(100, 100)[1]
        (25.0, 60.0)
        """
        x, y, across, down = self.pixels(width, height)
        return tuple(geometry.turned(geometry.rectangle(x, y, across, down), (x, y), self.rotation))

    def _iou(self, other: Surface) -> float:
        if not isinstance(other, Box) or self.rotation or other.rotation:
            return super()._iou(other)
        shared = 1.0
        for start, length in (("x", "width"), ("y", "height")):
            low = max(getattr(self, start), getattr(other, start))
            high = min(*(getattr(one, start) + getattr(one, length) for one in (self, other)))
            shared *= max(0.0, high - low)
        together = 100 * (self.area + other.area) - shared
        return geometry.ratio(shared, together, same=_place(self) == _place(other))

    def _outline(self, beside: Surface) -> list[geometry.Point]:
        return self._turned(
            geometry.rectangle(*_place(self)), (self.x, self.y), self.rotation, beside
        )


def _place(box: Box) -> tuple[float, float, float, float]:
    return box.x, box.y, box.width, box.height


@frozen(repr=False)
class Ellipse(Surface):
    """An ellipse about (``x``, ``y``), in percent of the image, ``rotation`` in degrees."""

    x: float = _measure("x", 0, 100, "percent")
    y: float = _measure("y", 0, 100, "percent")
    radius_x: float = _measure("radiusX", 0, 50, "percent")
    radius_y: float = _measure("radiusY", 0, 50, "percent")
    rotation: float = _measure("rotation", -360, 360, "degrees", default=0)

    @property
    def area(self) -> float:
        """The area in percent of the image, with what may lie outside of it."""
        return math.pi * self.radius_x * self.radius_y / 100

    def pixels(
        self, width: float | None = None, height: float | None = None
    ) -> tuple[float, float, float, float]:
        """Return ``(x, y, radius_x, radius_y)`` in pixels; see ``Box.pixels``."""
        across, down = _scale(self, width, height)
        return self.x * across, self.y * down, self.radius_x * across, self.radius_y * down

    def _outline(self, beside: Surface) -> list[geometry.Point]:
        points = geometry.ellipse(self.x, self.y, self.radius_x, self.radius_y)
        return self._turned(points, (self.x, self.y), self.rotation, beside)


@frozen(repr=False)
class KeyPoint(Shape):
    """A point in percent of the image; ``width`` is the size of its dot."""

    x: float = _measure("x", 0, 100, "percent")
    y: float = _measure("y", 0, 100, "percent")
    width: float = _measure("width", 0, 100, "percent", default=0, form=forms.anything)

    def pixels(
        self, width: float | None = None, height: float | None = None
    ) -> tuple[float, float]:
        """Return ``(x, y)`` in pixels; see ``Box.pixels``."""
        across, down = _scale(self, width, height)
        return self.x * across, self.y * down


@frozen(repr=False)
class Polygon(Surface):
    """A polygon of (x, y) points in percent of the image."""

    points: tuple[tuple[float, float], ...] = _stored(
        "points",
        lambda points: tuple(map(_point, points)),
        forms.items(forms.pair(forms.measure(100))),
        _points,
    )
    closed: bool = _stored("closed", _flag, forms.anything, _flag, default=True)

    @property
    def area(self) -> float:
        """The area in percent of the image; where edges cross, by the even-odd rule."""
        return geometry.area(self.points) / 100

    def pixels(
        self, width: float | None = None, height: float | None = None
    ) -> tuple[tuple[float, float], ...]:
        """Return the points in pixels; see ``Box.pixels``."""
        across, down = _scale(self, width, height)
        return tuple((x * across, y * down) for x, y in self.points)

    def _outline(self, beside: Surface) -> list[geometry.Point]:
        return list(self.points)


@frozen(repr=False)
class Vector(Shape):
    """A line of (x, y) points in percent of the image; how its curves bend is not read."""

    points: tuple[tuple[float, float], ...] = _stored(
        "vertices",
        lambda vertices: tuple(_point((v["x"], v["y"])) for v in vertices),
        forms.items(VERTEX),
        _vertices,
    )
    closed: bool = _stored("closed", _flag, forms.flag, _flag, default=False)

    def pixels(
        self, width: float | None = None, height: float | None = None
    ) -> tuple[tuple[float, float], ...]:
        """Return the points in pixels; see ``Box.pixels``."""
        across, down = _scale(self, width, height)
        return tuple((x * across, y * down) for x, y in self.points)


@frozen(repr=False)
class Brush(Shape):
    """A painted mask, as the run-length encoded bytes that the server stores."""

    rle: tuple[int, ...] = _stored("rle", _read_rle, _RLE, _bytes)
    format: str = _stored("format", text, forms.text, default="rle")


@frozen(repr=False)
class Bitmask(Shape):
    """A painted mask as an image: a ``data:image/png;base64,...`` URL."""

    image_data_url: str = _stored("imageDataURL", text, forms.text)


@frozen
class Keyframe:
    """The place of a tracked box in one frame of a video (from 1), in percent of the picture.

    ``time`` is in seconds from the start, ``rotation`` in degrees, also of more than one turn.
    ``enabled``: whether the box is visible until the next keyframe.
    """

    frame: int = _stored("frame", whole, forms.whole())
    time: float = _stored("time", number, forms.measure())
    x: float = _measure("x", 0, 100, "percent")
    y: float = _measure("y", 0, 100, "percent")
    width: float = _measure("width", 0, 100, "percent")
    height: float = _measure("height", 0, 100, "percent")
    rotation: float = _stored("rotation", number, forms.measure(), default=0)
    enabled: bool = _stored("enabled", _flag, forms.anything, _flag, default=True)


def shape_form(shape: type[Any]) -> Mapping[str, Form]:
    """Return the keys that hold a shape, for ``forms.fields``."""
    stored = [a for a in attrs.fields(shape) if "key" in a.metadata]
    return {
        a.metadata["key"] + ("" if a.default is NOTHING else "?"): a.metadata["form"]
        for a in stored
    }


def _sequence(keyframes: Iterable[Keyframe], what: str) -> list[dict[str, Any]]:
    written = [
        write_shape(Keyframe, f"{what}[{n}]", attrs.asdict(one)) for n, one in enumerate(keyframes)
    ]
    if not written:
        raise ValueError(f"{what} must be one Keyframe or more")
    return written


@frozen(repr=False)
class Track(Shape):
    """A box that moves through a video, from keyframe to keyframe; ``duration`` is in seconds."""

    sequence: tuple[Keyframe, ...] = _stored(
        "sequence",
        lambda sequence: tuple(Keyframe(**_fields(Keyframe, one)) for one in sequence),
        forms.items(forms.fields(shape_form(Keyframe))),
        _sequence,
    )
    frames_count: int = _stored("framesCount", whole, forms.whole())
    duration: float = _stored("duration", number, forms.measure())


def write_shape(shape: type[Any], what: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON keys of a shape with these fields; a missing field has its default.

    ``what`` is the control, for the message. Raises TypeError or ValueError naming the field.
    """
    return {
        a.metadata["key"]: a.metadata["write"](values.get(a.name, a.default), f"{what}: {a.name}")
        for a in attrs.fields(shape)
        if "key" in a.metadata
    }


def read_shape(shape: type[Shape], region: Mapping[str, Any], labels: tuple[str, ...]) -> Shape:
    """Return the shape in a region. Raises TypeError, KeyError or ValueError for malformed data."""
    return shape(
        **_fields(shape, region["value"]),
        **read_beside(shape, region),
        labels=labels,
        id=region.get("id"),
        raw=region,
    )


_Readers: TypeAlias = tuple[tuple[str, str, Callable[[Any], Any]], ...]


def _readers_of(shape: type[Any]) -> _Readers:
    return tuple(
        (a.metadata["key"], a.name, a.metadata["read"])
        for a in attrs.fields(shape)
        if "key" in a.metadata
    )


_readers: Callable[[Any], _Readers] = cache(_readers_of)


def _fields(shape: type[Any], value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: read(value[key]) for key, name, read in _readers(shape) if key in value}


def read_span(region: Mapping[str, Any], labels: tuple[str, ...]) -> Span:
    """Return the span in a region. Raises TypeError, KeyError or ValueError for malformed data.

    Offsets within elements without global ones count as malformed: the place in the text is not
    known here.
    """
    value = region["value"]
    place = value.get("globalOffsets")
    if place is None:
        place = value
        if "startOffset" in value or "endOffset" in value:
            raise ValueError(f"the place in the whole text is not known: {value!r:.80}")
    return _span(region, place, _marked(value), labels)


def read_spans(region: Mapping[str, Any], labels: tuple[str, ...]) -> list[Span]:
    """Return the spans in a region that holds several. Raises like ``read_span``."""
    return [_span(region, one, None, labels) for one in region["value"]["ranges"]]


def _span(
    region: Mapping[str, Any], place: Mapping[str, Any], marked: str | None, labels: tuple[str, ...]
) -> Span:
    start, end, id_ = number(place["start"]), number(place["end"]), region.get("id")
    beside = read_beside(Span, region)
    if not beside:
        return Span(start, end, marked, labels, id_, raw=region)
    return Span(start, end, marked, labels, id_, raw=region, **beside)


def read_passage(region: Mapping[str, Any], labels: tuple[str, ...]) -> Passage:
    """Return the passage in a region. Raises like ``read_span``."""
    value = region["value"]
    return Passage(
        _utterance(value["start"]),
        _utterance(value["end"]),
        whole(value["startOffset"]),
        whole(value["endOffset"]),
        _marked(value),
        labels,
        region.get("id"),
        **read_beside(Passage, region),
        raw=region,
    )


def _utterance(value: Any) -> int:
    return utterance(value) if isinstance(value, str) else whole(value)


def _marked(value: Mapping[str, Any]) -> str | None:
    marked = value.get("text")
    return marked if isinstance(marked, str) else None
