"""The areas of shapes and what they share, held against shapely."""

from __future__ import annotations

import math
from typing import Any

import pytest
import shapely
import shapely.affinity
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from labelstudio_orm.config import Box, Ellipse, KeyPoint, Polygon, Span, Vector

SIZE = (1600, 900)


def around_their_middle(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points in an order in which no two edges cross; the polygon may be concave."""
    x, y = (sum(some) / len(points) for some in zip(*points, strict=True))
    return sorted(points, key=lambda one: math.atan2(one[1] - y, one[0] - x))


SIZED: dict[str, Any] = {"original_width": SIZE[0], "original_height": SIZE[1]}

PLACES = st.integers(0, 100) | st.floats(0, 100, allow_subnormal=False).map(lambda n: round(n, 3))
SIDES = st.integers(1, 60) | st.floats(0.5, 60).map(lambda n: round(n, 3))
BOXES = st.builds(
    lambda *place: Box(*place, **SIZED), PLACES, PLACES, SIDES, SIDES,
    st.just(0) | st.integers(-360, 360),
)  # fmt: skip
ELLIPSES = st.builds(
    lambda *place: Ellipse(*place, **SIZED), PLACES, PLACES, SIDES, SIDES, st.integers(-360, 360)
)
POLYGONS = st.lists(st.tuples(PLACES, PLACES), min_size=3, max_size=9, unique=True).map(
    lambda points: Polygon(tuple(around_their_middle(points)), **SIZED)
)
EXACT = BOXES | POLYGONS
"""Shapes that are polygons themselves."""


def drawn(shape: Any) -> Any:
    """The same shape in pixels, by shapely."""
    if isinstance(shape, Polygon):
        return shapely.Polygon(shape.pixels())
    if isinstance(shape, Box):
        x, y, width, height = shape.pixels()
        flat = shapely.box(x, y, x + width, y + height)
        return shapely.affinity.rotate(flat, shape.rotation, origin=(x, y))
    x, y, across, down = shape.pixels()
    circle = shapely.Point(0, 0).buffer(1, quad_segs=256)
    flat = shapely.affinity.scale(circle, across, down, origin=(0, 0))
    turned = shapely.affinity.rotate(flat, shape.rotation, origin=(0, 0))
    return shapely.affinity.translate(turned, x, y)


def percent(area: float) -> float:
    return area / (SIZE[0] * SIZE[1]) * 100


def expected_iou(first: Any, second: Any) -> float:
    one, other = drawn(first), drawn(second)
    assume(one.is_valid and other.is_valid and one.area > 1 and other.area > 1)
    return float(one.intersection(other).area / one.union(other).area)


@settings(max_examples=60, deadline=None)
@given(EXACT, EXACT)
def test_what_two_shapes_share(first: Any, second: Any) -> None:
    expected = expected_iou(first, second)
    assert first.iou(second) == pytest.approx(expected, abs=1e-9)
    assert second.iou(first) == pytest.approx(expected, abs=1e-9)
    assert first.area == pytest.approx(percent(drawn(first).area), rel=1e-9)


@settings(max_examples=15, deadline=None)
@given(ELLIPSES, ELLIPSES | EXACT)
def test_what_ellipses_share_is_within_a_thousandth(first: Any, second: Any) -> None:
    assert first.iou(second) == pytest.approx(expected_iou(first, second), abs=1e-3)
    assert first.area == pytest.approx(percent(drawn(first).area), rel=1e-3)


@settings(max_examples=15, deadline=None)
@given(EXACT | ELLIPSES, st.data())
def test_a_shape_is_itself_whatever_its_corners(shape: Any, data: st.DataObject) -> None:
    assert shape.iou(shape) == pytest.approx(1, abs=1e-9)
    other = data.draw(EXACT | ELLIPSES)
    assert 0 <= shape.iou(other) <= 1


def test_edges_that_cross_count_by_the_even_odd_rule() -> None:
    tie = Polygon(((0, 0), (10, 10), (10, 0), (0, 10)))
    assert tie.area == pytest.approx(0.5)
    assert tie.iou(Box(0, 0, 10, 10)) == pytest.approx(0.5)


def test_corners_follow_the_rotation() -> None:
    box = Box(30, 40, 20, 10, 33, **SIZED)
    expected = shapely.get_coordinates(drawn(box))
    found = shapely.Polygon(box.corners())
    assert found.symmetric_difference(shapely.Polygon(expected)).area < 1e-6
    assert box.corners()[0] == pytest.approx(box.pixels()[:2])
    assert box.corners(100, 100) != box.corners()


def test_pixels() -> None:
    assert Ellipse(50, 50, 10, 20).pixels(200, 100) == (100, 50, 20, 20)
    assert KeyPoint(50, 25).pixels(200, 100) == (100, 25)
    line = ((0, 0), (50, 50), (0, 50))
    assert Vector(line).pixels(200, 100) == Polygon(line).pixels(200, 100)
    assert Polygon(line).pixels(200, 100) == ((0, 0), (100, 50), (0, 50))
    assert Box(1, 2, 3, 4, **SIZED).pixels(height=100)[1] == 2


def test_a_size_that_is_not_known() -> None:
    flat, turned = Box(10, 10, 20, 20), Box(10, 10, 20, 20, 45)
    for ask in (flat.pixels, flat.corners, turned.corners):
        with pytest.raises(ValueError, match="holds no size of its image"):
            ask()
    with pytest.raises(ValueError, match="original_width"):
        turned.iou(flat)
    known = Box(10, 10, 20, 20, **SIZED)
    assert (
        turned.iou(known)
        == known.iou(turned)
        == pytest.approx(Box(10, 10, 20, 20, 45, **SIZED).iou(known))
    )
    assert flat.iou(known) == 1


def test_spans() -> None:
    assert Span(0, 6).length == 6
    assert Span(0, 6).iou(Span(4, 8)) == 0.25
    assert Span(0, 6).iou(Span(6, 8)) == 0
    assert Span(3, 3).iou(Span(3, 3)) == 1
    assert Span(3, 3).iou(Span(4, 4)) == 0
    assert Span(0.5, 2.5).iou(Span(0, 4)) == 0.5


@settings(max_examples=50, deadline=None)
@given(*[st.tuples(st.integers(0, 30), st.integers(1, 9)).map(lambda p: Span(p[0], sum(p)))] * 2)
def test_spans_are_sets_of_characters(first: Span, second: Span) -> None:
    one, other = ({*range(int(span.start), int(span.end))} for span in (first, second))
    assert first.iou(second) == len(one & other) / len(one | other)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (Box(0, 0, 1, 1), Span(0, 1), "the iou of a Box is that with a Box, an Ellipse or"),
        (Ellipse(0, 0, 1, 1), KeyPoint(0, 0), "the iou of a Ellipse"),
        (Span(0, 1), Box(0, 0, 1, 1), "the iou of a Span is that with a Span"),
    ],
)
def test_what_has_nothing_in_common(first: Any, second: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        first.iou(second)


def test_what_has_no_area() -> None:
    assert Polygon(()).area == Polygon(()).iou(Polygon(())) == 0
    assert Box(1, 1, 0, 5).iou(Box(1, 1, 0, 5)) == 1
    assert Box(1, 1, 0, 5).iou(Box(2, 1, 0, 5)) == 0
    flat = Polygon(((0, 0), (5, 5), (9, 9)))
    assert flat.area == pytest.approx(0, abs=1e-12)
    assert flat.iou(flat) == 1
    assert math.isclose(Ellipse(5, 5, 2, 3).area, math.pi * 6 / 100)
