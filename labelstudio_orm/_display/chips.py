"""Regions as chips, in the colours of their labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from .._config.parsed import ParsedConfig
from .._config.shapes import Passage, Span, Track
from .._engine.values.brief import brief
from .._html.markup import Html, colour, joined, tag
from .._tables.regions import RegionRow

MOST: Final = 300
"""The regions of a control that are shown."""


class Colours:
    """The colours of labels: those of the labelling config, and for the others one each."""

    def __init__(self, config: ParsedConfig | None) -> None:
        controls = {} if config is None else config.controls
        self._written: Mapping[str, Mapping[str, str | None]] = {
            name: {one.stored: one.attributes.get("background") for one in control.label_tags}
            for name, control in controls.items()
        }

    def of(self, row: RegionRow) -> str:
        """Return the colour of a region, which is that of its first label."""
        label = row.labels[0] if row.labels else row.control or ""
        last = label.rpartition("/")[2]
        return colour(self._written.get(row.control or "", {}).get(last), label)

    def style(self, row: RegionRow) -> str:
        """Return the colour of a region as a style."""
        return f"--lso-c:{self.of(row)}"


def name_of(row: RegionRow) -> str:
    """Return the labels of a region, or what it is without any."""
    return ", ".join(row.labels) or row.control or row.kind or "?"


def chips(rows: Sequence[RegionRow], colours: Colours) -> Html | None:
    """Return regions by their control, a line each; None without any."""
    by_control: dict[str, list[RegionRow]] = {}
    for row in rows:
        by_control.setdefault(row.control or row.kind or "?", []).append(row)
    if not by_control:
        return None
    return joined(_line(name, some, colours) for name, some in by_control.items())


def _line(name: str, rows: Sequence[RegionRow], colours: Colours) -> Html:
    more = f"and {len(rows) - MOST:,} more" if len(rows) > MOST else None
    found = joined(chip(row, colours) for row in rows[:MOST])
    return tag("div", tag("span", f"{name}: ", class_="lso-dim"), found, more)


def chip(row: RegionRow, colours: Colours) -> Html:
    """Return one region; its problem, where it has one, is said when it is pointed at."""
    extra = " lso-problem" if row.problem else ""
    score = None if row.score is None else f" {row.score:.2f}"
    about = tag("span", *_about(row), score, class_="lso-dim")
    return tag(
        "span",
        *_said(row),
        about,
        class_=f"lso-chip{extra}",
        style=colours.style(row),
        title=row.problem,
    )


def _said(row: RegionRow) -> Iterable[object]:
    if row.kind == "rating" and row.number is not None and 0 <= row.number <= _STARS:
        yield "★" * int(row.number) or "0"
    elif row.labels:
        yield ", ".join(row.labels)
    elif row.text is not None:
        yield row.text
    elif row.number is not None:
        yield f"{row.number:g}"
    elif row.value is not None:
        yield brief(row.value)
    else:
        yield row.kind or "?"


_STARS: Final = 20


def _about(row: RegionRow) -> Iterable[object]:
    mark = row.mark
    if row.kind == "relation":
        yield f" {row.ends[0]} → {row.ends[1]}"
    elif isinstance(mark, (Span, Passage)):
        yield f" {mark.start:g}-{mark.end:g}"
        if mark.text:
            yield f" “{mark.text:.100}”"
    elif isinstance(mark, Track) and mark.sequence:
        yield f" frames {mark.sequence[0].frame:g}-{mark.sequence[-1].frame:g}"
