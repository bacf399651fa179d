"""Figures of matplotlib, which is imported only then: bars of counts, a matrix of agreement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from .._engine.values.extras import extra
from .counts import Counts, shown

if TYPE_CHECKING:
    import os


MOST: Final = 100
"""Values that are drawn; of counts by value these are the most frequent ones."""


def bars(counts: Counts, path: str | os.PathLike[str] | None, title: str | None) -> Any:
    """Return a figure of counts by one name or two; see ``Counts.plot``."""
    if len(counts.names) > 2:
        raise ValueError(
            f"plot() draws counts by one name or two, not by {len(counts.names)}: "
            f"{', '.join(counts.names)}"
        )
    every, across = counts.cross()
    values = every[:MOST]
    series = {
        one: [counts[(value, one) if len(counts.names) == 2 else value] for value in values]
        for one in across
    }
    figure = _figure()
    axes = figure.add_subplot()
    if values and all(type(value) is date for value in values):
        _lines(axes, values, series)
        figure.autofmt_xdate()
    else:
        _bars(axes, values, series)
    more = len(every) - len(values)
    axes.set_xlabel(counts.names[0] + (f" (and {more:,} more)" if more else ""))
    axes.set_ylabel("count")
    if len(counts.names) == 2 and across:
        axes.legend(title=counts.names[1])
    return _finished(figure, axes, path, title)


def matrix(
    names: Sequence[Any],
    cells: Mapping[tuple[Any, Any], float | None],
    label: str,
    path: str | os.PathLike[str] | None,
    title: str | None,
) -> Any:
    """Return a figure of a figure for each pair of names, grey where there is none."""
    figure = _figure()
    axes = figure.add_subplot()
    values = [[cells.get((one, other)) for other in names] for one in names]
    numbers = [[float("nan") if cell is None else cell for cell in row] for row in values]
    axes.set_facecolor("lightgrey")
    image = axes.imshow(numbers or [[float("nan")]], vmin=0, vmax=1, cmap="viridis")
    figure.colorbar(image, label=label)
    texts = [shown(name) for name in names]
    axes.set_xticks(range(len(names)), texts, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), texts)
    for row, some in enumerate(values):
        for column, cell in enumerate(some):
            if cell is not None:
                color = "black" if cell > 0.6 else "white"
                axes.text(column, row, f"{cell:.2f}", ha="center", va="center", color=color)
    return _finished(figure, axes, path, title)


def _figure() -> Any:
    """Return an empty figure that no window shows. Raises ImportError without matplotlib."""
    return extra("matplotlib.figure", "plot", "plot()").Figure(layout="constrained")


def _finished(
    figure: Any, axes: Any, path: str | os.PathLike[str] | None, title: str | None
) -> Any:
    if title:
        axes.set_title(title)
    if path is not None:
        figure.savefig(path)
    return figure


def _bars(axes: Any, values: Sequence[Any], series: Mapping[Any, Sequence[int]]) -> None:
    """Draw bars side by side, those of a series in one colour."""
    width = 0.8 / max(1, len(series))
    for n, (one, numbers) in enumerate(series.items()):
        left = [place - 0.4 + width * (n + 0.5) for place in range(len(values))]
        axes.bar(left, numbers, width, label=shown(one))
    axes.set_xticks(range(len(values)), [shown(one) for one in values], rotation=45, ha="right")
    axes.yaxis.get_major_locator().set_params(integer=True)


def _lines(axes: Any, days: Sequence[date], series: Mapping[Any, Sequence[int]]) -> None:
    """Draw a bar for each day on a line of time, those of a day on top of each other."""
    below = [0] * len(days)
    for one, numbers in series.items():
        axes.bar(days, numbers, 0.8, bottom=below, label=shown(one))
        below = [sum(pair) for pair in zip(below, numbers, strict=True)]
