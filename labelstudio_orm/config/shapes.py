"""Regions on a text or an image, as typed values, and how each is written in JSON.

A field says its JSON key, how it is checked when written and how it is read; writing and reading
both follow from that. Reading does not check ranges: what is stored is shown as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import attrs
from attrs import NOTHING, field, frozen


def number(
    value: Any, what: str = "the value", low: float | None = None, high: float | None = None
) -> float:
    """`value` if it is a finite number (not a bool) from `low` to `high`, else an error.

    Raises TypeError for anything but a number, ValueError outside of the range.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{what} must be a number, not {value!r}")
    if (
        not math.isfinite(value)
        or (low is not None and value < low)
        or (high is not None and value > high)
    ):
        limits = [
            f"at least {low:g}" if low is not None else "",
            f"at most {high:g}" if high is not None else "",
        ]
        range_ = " and ".join(filter(None, limits)) or "finite"
        raise ValueError(f"{what} must be {range_}, not {value!r}")
    return value


def _points(value: Any, what: str) -> list[list[float]]:
    points = [[number(n, f"a coordinate of {what} (percent)", 0, 100) for n in p] for p in value]
    if len(points) < 3 or any(len(point) != 2 for point in points):
        raise ValueError(f"{what} must be at least three (x, y) pairs, not {value!r}")
    return points


def _flag(value: Any, what: str = "the value") -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{what} must be True or False, not {value!r}")
    return value


def _stored(
    key: str,
    read: Callable[[Any], Any],
    check: Callable[[Any, str], Any] | None = None,
    default: Any = NOTHING,
) -> Any:
    return field(default=default, metadata={"key": key, "read": read, "check": check})


def _measure(key: str, low: float, high: float, unit: str, default: Any = NOTHING) -> Any:
    def check(value: Any, what: str) -> float:
        return number(value, f"{what} ({unit})", low, high)

    return _stored(key, number, check, default)


@frozen
class Span:
    """A labelled stretch of a text (or of time, in seconds, where the object is audio or video).

    `start` is included, `end` is not; on a text both count characters as Python does, so
    `task_text[span.start:span.end]` is what was marked. On a HyperText they are the global
    offsets in the text that the page shows. `text` is the marked text where it was stored.
    """

    start: float
    end: float
    text: str | None = None
    labels: tuple[str, ...] = ()
    id: str | None = None


@frozen
class Shape:
    """What all regions of an image have: labels, the region's id, the image's size in pixels."""

    labels: tuple[str, ...] = field(default=(), kw_only=True)
    id: str | None = field(default=None, kw_only=True)
    original_width: int | None = field(default=None, kw_only=True)
    original_height: int | None = field(default=None, kw_only=True)


@frozen
class Box(Shape):
    """A rectangle in percent of the image, `rotation` in degrees clockwise about its corner.

    `x` and `y` are the top left corner.
    """

    x: float = _measure("x", 0, 100, "percent")
    y: float = _measure("y", 0, 100, "percent")
    width: float = _measure("width", 0, 100, "percent")
    height: float = _measure("height", 0, 100, "percent")
    rotation: float = _measure("rotation", -360, 360, "degrees", default=0)


@frozen
class Ellipse(Shape):
    """An ellipse about (`x`, `y`), in percent of the image, `rotation` in degrees clockwise."""

    x: float = _measure("x", 0, 100, "percent")
    y: float = _measure("y", 0, 100, "percent")
    radius_x: float = _measure("radiusX", 0, 50, "percent")
    radius_y: float = _measure("radiusY", 0, 50, "percent")
    rotation: float = _measure("rotation", -360, 360, "degrees", default=0)


@frozen
class KeyPoint(Shape):
    """A point in percent of the image; `width` is the size of its dot, in percent of the width."""

    x: float = _measure("x", 0, 100, "percent")
    y: float = _measure("y", 0, 100, "percent")
    width: float = _measure("width", 0, 100, "percent", default=0)


@frozen
class Polygon(Shape):
    """A polygon of (x, y) points in percent of the image."""

    points: tuple[tuple[float, float], ...] = _stored(
        "points", lambda points: tuple((number(x), number(y)) for x, y in points), _points
    )
    closed: bool = _stored("closed", _flag, _flag, default=True)


@frozen
class Brush(Shape):
    """A painted mask, as the run-length encoded bytes that the server stores (read only)."""

    rle: tuple[int, ...] = _stored("rle", lambda rle: tuple(map(int, rle)))


def write_shape(shape: type[Shape], what: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON keys of a shape with these fields. Raises TypeError or ValueError naming the field.

    `what` is the control, for the message.
    """
    return {
        a.metadata["key"]: a.metadata["check"](values[a.name], f"{what}: {a.name}")
        for a in attrs.fields(shape)
        if "key" in a.metadata
    }


def read_shape(shape: type[Shape], region: Mapping[str, Any], labels: tuple[str, ...]) -> Shape:
    """The shape that a region holds. Raises TypeError, KeyError or ValueError for odd data."""
    value = region["value"]
    fields = {
        a.name: a.metadata["read"](value[a.metadata["key"]])
        for a in attrs.fields(shape)
        if a.metadata.get("key") in value
    }
    size = {key: region.get(key) for key in ("original_width", "original_height")}
    return shape(**fields, **size, labels=labels, id=region.get("id"))


def read_span(region: Mapping[str, Any], labels: tuple[str, ...]) -> Span:
    """The span that a region holds. Raises TypeError, KeyError or ValueError for odd data.

    XPaths without global offsets are such odd data: the place in the text is not known here.
    """
    value = region["value"]
    place = value.get("globalOffsets") or value
    text = value.get("text")
    return Span(
        number(place["start"]),
        number(place["end"]),
        text if isinstance(text, str) else None,
        labels,
        region.get("id"),
    )
