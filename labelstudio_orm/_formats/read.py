"""Items for an import from the regions of other programs, fitted to a labelling config."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from .._config.controls import Control
from .._config.geometry import Points
from .._config.labelconfig import LabelConfig
from .._tables.regions import Geometry
from . import rle
from .report import Tally


@attrs.frozen
class Reading:
    """How regions are read: the report, and the control that they get, if it was named."""

    tally: Tally
    control: str | None = None


@attrs.frozen
class Item:
    """What was read of one image or document: its file or its address, and the regions."""

    name: str
    regions: list[dict[str, Any]]
    address: str | None = None
    text: str | None = None


def control_for(config: LabelConfig, tag: str, name: str | None = None) -> Control:
    """Return the control of a type, the first one of the config or the one of a name.

    Raises ValueError where there is none.
    """
    for control in config.controls.values():
        if control.tag.lower() == tag and name in (None, control.name):
            return control
    raise ValueError(
        f"the labelling config has no <{tag}>{f' {name!r:.80}' if name else ''} for these "
        'regions; labels="add" adds what is missing to the config'
    )


def number_in(value: Any) -> float | None:
    """Return a finite number, else None."""
    fine = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return value if fine else None


_NEAR: Final = 1e-6
"""Percent by which rounding may leave the image."""


@attrs.frozen
class Drawing:
    """The regions of one image while they are read; places are in pixels."""

    config: LabelConfig
    reading: Reading
    size: tuple[int, int] | None
    name: str
    scale: tuple[int, int] | None = None
    """What the places are in, where that is not pixels."""
    regions: list[dict[str, Any]] = attrs.Factory(list)

    def item(self, address: object = None) -> Item:
        """Return the image with its regions."""
        self.reading.tally.images += 1
        found = address if isinstance(address, str) and address else None
        return Item(self.name, self.regions, found)

    def upright(
        self, label: str, box: Sequence[float], where: str, options: Mapping[str, Any]
    ) -> None:
        """Add a box, of x, y, width and height."""
        x, y, width, height = box
        self.box(label, Geometry(x, y, width, height), where, options)

    def box(self, label: str, box: Geometry | None, where: str, options: Mapping[str, Any]) -> None:
        """Add a box; the parts of an upright one beyond the image are cut off."""
        if box is None or box.height is None:
            raise ValueError("a box has four corners")
        across, down = self._percent()
        place = box.scaled(across, down)
        assert place.height is not None
        if place.rotation:
            numbers = (place.x, place.y, place.width, place.height)
            if not all(-_NEAR <= number <= 100 + _NEAR for number in numbers):
                raise ValueError("it is rotated, and its corner is beyond the image")
            x, y, width, height = (min(max(number, 0.0), 100.0) for number in numbers)
        else:
            x, right = self._within((place.x, place.x + place.width), where)
            y, bottom = self._within((place.y, place.y + place.height), where)
            width, height = right - x, bottom - y
        self._add("rectanglelabels", "rectangle", label, options, x=x, y=y, width=width,
                  height=height, rotation=place.rotation)  # fmt: skip

    def polygon(self, label: str, points: Points, where: str, options: Mapping[str, Any]) -> None:
        """Add a polygon."""
        across, down = self._percent()
        xs = self._within([x * across for x, _ in points], where)
        ys = self._within([y * down for _, y in points], where)
        self._add("polygonlabels", "polygon", label, options, points=[*zip(xs, ys, strict=True)])

    def mask(
        self, label: str, mask: tuple[bytes, int, int], where: str, options: Mapping[str, Any]
    ) -> None:
        """Add a mask, with its width and height."""
        pixels, width, height = mask
        if self.size not in (None, (width, height)):
            raise ValueError(f"its mask is of {width} x {height} pixels, and not of the image's")
        size = {"original_width": width, "original_height": height}
        self._add("brushlabels", "brush", label, {**options, **size}, rle=rle.encode(pixels))

    def _percent(self) -> tuple[float, float]:
        scale = self.scale or self.size
        if scale is None:
            raise ValueError("the size of its image is not known")
        return 100 / scale[0], 100 / scale[1]

    def _within(self, numbers: Sequence[float], where: str) -> list[float]:
        if not all(map(math.isfinite, numbers)):
            raise ValueError("its place is not a number")
        if any(not -_NEAR <= number <= 100 + _NEAR for number in numbers):
            self.reading.tally.skip(where, "it was cut off at the edge of the image")
        return [min(max(number, 0.0), 100.0) for number in numbers]

    def _add(
        self, tag: str, builder: str, label: str, options: Mapping[str, Any], **place: Any
    ) -> None:
        control = control_for(self.config, tag, self.reading.control)
        sizes = {} if self.size is None else {"size": self.size}
        if "original_width" in options:
            sizes = {}
        given = {key: value for key, value in options.items() if value is not None}
        self.regions.append(getattr(control, builder)(label, **place, **given, **sizes))
        self.reading.tally.regions += 1
