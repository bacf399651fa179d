"""Images with shapes on them, and players of audio and video with ranges of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import frozen

from .._config import geometry
from .._config.shapes import Box, Ellipse, KeyPoint, Polygon, Span, Vector
from .._html.markup import Html, Medium, joined, number, source, tag
from .._html.tables import cell
from .._tables.regions import RegionRow
from .chips import MOST, Colours, name_of

Points = list[tuple[float, float]]


@frozen
class File:
    """A file as the task names it, and where a browser finds it, if it does."""

    value: Any
    address: str | None


def _missing(file: File) -> Html:
    return tag("div", cell(file.value), class_="lso-text")


def image(file: File, rows: Sequence[RegionRow], colours: Colours) -> Html:
    """Return an image with its boxes, polygons, ellipses, lines and key points."""
    address = source(file.address, "image")
    if address is None:
        return _missing(file)
    drawn = [row for row in rows if row.geometry is not None][:MOST]
    shapes = tag(
        "svg",
        *(_shape(row, colours) for row in drawn),
        viewBox="0 0 100 100",
        preserveAspectRatio="none",
    )
    tags = joined(_tag(row, colours) for row in drawn if row.labels)
    shown = tag("img", src=address, alt="", loading="lazy", referrerpolicy="no-referrer")
    return tag("div", tag("div", shown, shapes, tags, class_="lso-image"))


def _shape(row: RegionRow, colours: Colours) -> Html:
    common = {"style": colours.style(row), "vector_effect": "non-scaling-stroke"}
    title = tag("title", name_of(row))
    if isinstance(row.mark, KeyPoint):
        dot = f"M{number(float(row.mark.x))} {number(float(row.mark.y))}h0.001"
        return tag("path", title, d=dot, class_="lso-shape lso-dot", **common)
    name = "polygon"
    if isinstance(row.mark, Vector) and not row.mark.closed:
        name = "polyline"
    points = " ".join(f"{number(x)},{number(y)}" for x, y in _outline(row))
    kind = "lso-shape lso-line" if name == "polyline" else "lso-shape"
    return tag(name, title, points=points, class_=kind, **common)


def _outline(row: RegionRow) -> Points:
    """Return the corners in percent, turned as they are in pixels, where the size is known."""
    mark = row.mark
    if isinstance(mark, (Polygon, Vector)):
        return [(float(x), float(y)) for x, y in mark.points]
    if isinstance(mark, Ellipse):
        centre = float(mark.x), float(mark.y)
        points = geometry.ellipse(*centre, float(mark.radius_x), float(mark.radius_y))
        return _turned(points, centre, float(mark.rotation), row)
    assert isinstance(mark, Box)
    corner = float(mark.x), float(mark.y)
    points = geometry.rectangle(*corner, float(mark.width), float(mark.height))
    return _turned(points, corner, float(mark.rotation), row)


def _turned(points: Points, about: tuple[float, float], degrees: float, row: RegionRow) -> Points:
    across, down = row.size or (100, 100)
    pixels = [(x * across, y * down) for x, y in points]
    turned = geometry.turned(pixels, (about[0] * across, about[1] * down), degrees)
    return [(x / across, y / down) for x, y in turned]


def _tag(row: RegionRow, colours: Colours) -> Html:
    place = row.geometry
    assert place is not None
    style = f"{colours.style(row)};left:{number(place.x)}%;top:{number(place.y)}%"
    return tag("span", name_of(row), class_="lso-tag", style=style)


def audio(file: File, rows: Sequence[RegionRow], colours: Colours) -> Html:
    """Return a player of a sound, with a strip of its ranges below."""
    return _player("audio", file, rows, colours)


def video(file: File, rows: Sequence[RegionRow], colours: Colours) -> Html:
    """Return a player of a video, with a strip of its ranges below."""
    return _player("video", file, rows, colours)


def _player(medium: Medium, file: File, rows: Sequence[RegionRow], colours: Colours) -> Html:
    address = source(file.address, medium)
    if address is None:
        player = _missing(file)
    else:
        player = tag(medium, src=address, controls="", preload="metadata")
    return tag("div", player, _strip(rows, colours))


def _strip(rows: Sequence[RegionRow], colours: Colours) -> Html | None:
    """Return the ranges on a line as long as the sound, or up to the end of the last one."""
    spans = list(_ranges(rows))[:MOST]
    if not spans:
        return None
    whole = max(_length(rows), *(end for _, end, _ in spans))
    if not 0 < whole < float("inf"):
        return None
    bars = []
    for start, end, row in spans:
        left, width = 100 * start / whole, 100 * (end - start) / whole
        style = f"{colours.style(row)};left:{number(left)}%;width:{number(width)}%"
        title = f"{name_of(row)} {start:g}-{end:g}"
        bars.append(tag("div", class_="lso-range", style=style, title=title))
    return tag("div", *bars, class_="lso-strip")


def _ranges(rows: Sequence[RegionRow]) -> Iterator[tuple[float, float, RegionRow]]:
    for row in rows:
        if isinstance(row.mark, Span):
            start, end = row.start, row.end
            if start is not None and end is not None and 0 <= start <= end:
                yield start, end, row


def _length(rows: Sequence[RegionRow]) -> float:
    """Return the length that regions say their object has, in seconds; 0 where none does."""
    found = (row.raw.get("original_length") for row in rows)
    return max((one for one in found if isinstance(one, (int, float)) and 0 < one < 1e9), default=0)
