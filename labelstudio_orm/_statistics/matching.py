"""The best assignment of the regions of two people to each other."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TypeAlias

Weights: TypeAlias = Mapping[tuple[int, int], float]
"""How much each pair of places is worth; pairs without a worth are never matched."""


def matched(weights: Weights) -> list[tuple[int, int]]:
    """Return the pairs, each place in one at most, whose sum of worths is the greatest.

    Only those that are connected by pairs are weighed against each other.
    """
    found: list[tuple[int, int]] = []
    for part in _connected({pair: worth for pair, worth in weights.items() if worth > 0}):
        found += _assigned(part)
    return sorted(found)


def _connected(weights: Weights) -> Iterator[Weights]:
    """Yield the pairs in groups that share no place."""
    of_left, of_right = defaultdict(list), defaultdict(list)
    for left, right in weights:
        of_left[left].append(right)
        of_right[right].append(left)
    while of_left:
        pending, group = [next(iter(of_left))], {}
        while pending:
            left = pending.pop()
            for right in of_left.pop(left, ()):
                group[left, right] = weights[left, right]
                pending += of_right.pop(right, ())
        yield group


def _assigned(weights: Weights) -> list[tuple[int, int]]:
    """Return the best pairs of a group: the Hungarian method, in cubic time."""
    if len(weights) == 1:
        return list(weights)
    lefts, rights = (sorted({pair[side] for pair in weights}) for side in (0, 1))
    is_turned = len(lefts) > len(rights)
    rows, columns = (rights, lefts) if is_turned else (lefts, rights)
    costs = [
        [-weights.get((column, row) if is_turned else (row, column), 0.0) for column in columns]
        for row in rows
    ]
    pairs = [
        (column, row) if is_turned else (row, column)
        for row, column in ((rows[r], columns[c]) for r, c in enumerate(_least(costs)))
    ]
    return [pair for pair in pairs if pair in weights]


def _least(costs: list[list[float]]) -> list[int]:
    """Return the column of each row, all different, so that the sum of costs is the least.

    There are at least as many columns as rows. Rows join one by one, each by the shortest way of
    changes to a free column; ``row_price`` and ``column_price`` are the potentials that keep all
    reduced costs from falling below 0.
    """
    height, width = len(costs), len(costs[0])
    row_price, column_price = [0.0] * height, [0.0] * (width + 1)
    row_of = [-1] * (width + 1)  # the last column is where a new row stands at first
    for new in range(height):
        row_of[width] = new
        least, way, done = [math.inf] * width, [width] * width, [False] * (width + 1)
        at = width
        while row_of[at] >= 0:
            done[at] = True
            row, step, following = row_of[at], math.inf, -1
            for column in range(width):
                if done[column]:
                    continue
                reduced = costs[row][column] - row_price[row] - column_price[column]
                if reduced < least[column]:
                    least[column], way[column] = reduced, at
                if least[column] < step:
                    step, following = least[column], column
            for column in range(width + 1):
                if done[column]:
                    row_price[row_of[column]] += step
                    column_price[column] -= step
                elif column < width:
                    least[column] -= step
            at = following
        while at != width:
            row_of[at] = row_of[way[at]]
            at = way[at]
        row_of[width] = -1
    found = [0] * height
    for column, row in enumerate(row_of[:width]):
        if row >= 0:
            found[row] = column
    return found
