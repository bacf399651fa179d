"""Areas of polygons and of what they share, in the units of their points.

Both polygons are cut into horizontal slabs at each of their vertices and crossings. Within a slab
no two edges meet, so each width is a linear function of the height, and the width in the middle
gives its area. That is exact for every polygon whose edges do not cross, convex or not, and counts
what is inside by the even-odd rule where they do. An ellipse is a polygon of 128 points.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

Point: TypeAlias = tuple[float, float]
Points: TypeAlias = Sequence[Point]

_Edge: TypeAlias = tuple[float, float, float, float]
"""An edge from its upper end to its lower one: ``(x0, y0, x1, y1)`` with ``y0 < y1``."""

_CORNERS: Final = 128
"""Points of an ellipse. What two of them share is wrong by 0.001 of the smaller one at most."""


def area(points: Points) -> float:
    """Return the area inside of a polygon."""
    return _areas(points, points)[0]


def iou(first: Points, second: Points) -> float:
    """Return the shared area of two polygons as a part of what they cover together.

    1 for two that are the same, also where they have no area.
    """
    if _apart(first, second):
        return 0.0
    one, other, both = _areas(first, second)
    return ratio(both, one + other - both, same=list(first) == list(second))


def ratio(shared: float, together: float, *, same: bool) -> float:
    """Return a part of a whole from 0 to 1; of nothing it is 1 for what is the same."""
    return min(1.0, max(0.0, shared / together)) if together > 0 else float(same)


def iou_of_ranges(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Return the shared length of two ranges as a part of what they cover together."""
    shared = max(0.0, min(first[1], second[1]) - max(first[0], second[0]))
    together = (first[1] - first[0]) + (second[1] - second[0]) - shared
    return ratio(shared, together, same=first == second)


def turned(points: Iterable[Point], about: Point, degrees: float) -> list[Point]:
    """Return points turned clockwise, as ``y`` goes down, about a point."""
    if degrees % 360 == 0:
        return list(points)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x0, y0 = about
    return [
        (x0 + (x - x0) * cos - (y - y0) * sin, y0 + (x - x0) * sin + (y - y0) * cos)
        for x, y in points
    ]


def rectangle(x: float, y: float, width: float, height: float) -> list[Point]:
    """Return the corners of a rectangle, clockwise from the one at (``x``, ``y``)."""
    return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]


def ellipse(x: float, y: float, radius_x: float, radius_y: float) -> list[Point]:
    """Return the points of an ellipse, as far out as gives the polygon the ellipse's area."""
    step = 2 * math.pi / _CORNERS
    out = math.sqrt(step / math.sin(step))
    angles = [step * n for n in range(_CORNERS)]
    return [(x + out * radius_x * math.cos(a), y + out * radius_y * math.sin(a)) for a in angles]


def _apart(first: Points, second: Points) -> bool:
    """Return whether the boxes around two polygons share nothing."""
    if not first or not second:
        return True
    return any(
        max(one[axis] for one in a) < min(one[axis] for one in b)
        for a, b in ((first, second), (second, first))
        for axis in (0, 1)
    )


def _areas(first: Points, second: Points) -> tuple[float, float, float]:
    """Return the areas of two polygons, and of what they share."""
    edges = (_edges(first), _edges(second))
    heights = sorted(
        {y for one in (first, second) for _, y in one}.union(_crossings([*edges[0], *edges[1]]))
    )
    one = other = both = 0.0
    for top, bottom in pairwise(heights):
        middle, height = (top + bottom) / 2, bottom - top
        ranges, others = (_inside(some, middle) for some in edges)
        one += height * sum(end - start for start, end in ranges)
        other += height * sum(end - start for start, end in others)
        both += height * sum(
            max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in ranges for b in others
        )
    return one, other, both


def _edges(points: Points) -> list[_Edge]:
    """Return the edges of a polygon but for the horizontal ones, which no slab has inside."""
    return [
        (*a, *b) if a[1] < b[1] else (*b, *a)
        for a, b in zip(points, [*points[1:], *points[:1]], strict=True)
        if a[1] != b[1]
    ]


def _crossings(edges: list[_Edge]) -> set[float]:
    """Return the heights at which edges cross, from top to bottom with those that are reached."""
    found = set()
    active: list[_Edge] = []
    for edge in sorted(set(edges), key=lambda one: one[1]):
        active = [one for one in active if one[3] > edge[1]]
        for other in active:
            height = _crossing(edge, other)
            if height is not None:
                found.add(height)
        active.append(edge)
    return found


def _crossing(first: _Edge, second: _Edge) -> float | None:
    """Return the height at which two edges change sides; None if they do not."""
    top, bottom = max(first[1], second[1]), min(first[3], second[3])
    above, below = (_at(first, y) - _at(second, y) for y in (top, bottom))
    if above * below >= 0:
        return None
    return top + (bottom - top) * above / (above - below)


def _at(edge: _Edge, y: float) -> float:
    """Return where an edge is at a height."""
    x0, y0, x1, y1 = edge
    return x0 + (x1 - x0) * (y - y0) / (y1 - y0)


def _inside(edges: list[_Edge], y: float) -> list[tuple[float, float]]:
    """Return the ranges inside of a polygon at a height."""
    crossed = sorted(_at(edge, y) for edge in edges if edge[1] < y < edge[3])
    return list(zip(crossed[::2], crossed[1::2], strict=False))
