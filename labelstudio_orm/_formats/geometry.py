"""Shapes in pixels: the corners of boxes that are rotated, and the way back."""

from __future__ import annotations

import math

from .._config.geometry import Point, Points, rectangle, turned
from .._tables.regions import Geometry


def corners(box: Geometry) -> list[Point]:
    """Return the corners of a box, clockwise from the one that it is rotated about."""
    assert box.height is not None
    return turned(rectangle(box.x, box.y, box.width, box.height), (box.x, box.y), box.rotation)


def box_of(points: Points) -> Geometry:
    """Return the box of four corners: the reverse of ``corners``.

    Raises ValueError where they are not those of a rectangle.
    """
    first, second, third, fourth = points
    if _turn(first, second, fourth) < 0:
        second, fourth = fourth, second
    width, height = math.dist(first, second), math.dist(first, fourth)
    opposite = (second[0] + fourth[0] - first[0], second[1] + fourth[1] - first[1])
    across = (second[0] - first[0]) * (fourth[0] - first[0])
    down = (second[1] - first[1]) * (fourth[1] - first[1])
    near = 0.02 * max(width, height, 1e-9)
    if math.dist(opposite, third) > near or abs(across + down) > near * max(width, height):
        raise ValueError("its corners are not those of a rectangle")
    rotation = math.degrees(math.atan2(second[1] - first[1], second[0] - first[0])) % 360
    if min(rotation, 360 - rotation) < 1e-7:
        rotation = 0.0
    return Geometry(first[0], first[1], width, height, rotation)


def _turn(first: Point, second: Point, third: Point) -> float:
    return (second[0] - first[0]) * (third[1] - first[1]) - (second[1] - first[1]) * (
        third[0] - first[0]
    )


def around(points: Points) -> tuple[float, float, float, float]:
    """Return the upright box around points: x, y, width and height."""
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
