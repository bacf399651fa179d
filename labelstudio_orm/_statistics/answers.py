"""What raters answered by one control: a value that can be compared, or regions with places."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs
from attrs import frozen

from .. import _tables
from .._config.controls import Control
from .._config.kinds import KINDS
from .._config.labelconfig import LabelConfig
from .._config.marks import Mark
from .._config.shapes import Span, Surface
from .coefficients import Level
from .counts import hashable

Metric: TypeAlias = Literal["equal", "iou"]

_LEVELS: Final[Mapping[str, Level]] = {"rating": "ordinal", "number": "interval"}


@frozen
class Item:
    """A region of an answer: what it is on, its labels and its place there.

    ``mark`` is the span or shape; what cannot be read has none, and is compared as it is stored.
    """

    on: Hashable
    labels: tuple[str, ...]
    place: Hashable
    mark: Mark | None

    def shared(self, other: Item, metric: Metric) -> float:
        """Return what two regions have in common, from 0 to 1; 0 for other labels."""
        if self.on != other.on or sorted(self.labels) != sorted(other.labels):
            return 0.0
        one, another = self.mark, other.mark
        if metric == "iou" and self.place != other.place:  # what is equal shares all, exactly
            if isinstance(one, Span) and isinstance(another, Span):
                return one.iou(another)
            if isinstance(one, Surface) and isinstance(another, Surface):
                return one.iou(another)
        return float(self.place == other.place)


def has_regions(control: Control) -> bool:
    """Return whether people mark places with a control."""
    kind = KINDS.get(control.tag.lower())
    return kind is not None and kind.mark is not None


def metric_of(control: Control, metric: Metric | None) -> Metric:
    """Return how answers are compared. Raises ValueError for what a control does not have."""
    if metric not in (None, "equal", "iou"):
        raise ValueError(f'metric must be "equal" or "iou", not {metric!r:.80}')
    if control.per_region:
        raise ValueError(
            f"{control} is about single regions, and those of one person are not those of another: "
            "ask for the agreement on the control that marks them"
        )
    kind = KINDS.get(control.tag.lower())
    has_iou = kind is not None and kind.mark is not None and issubclass(kind.mark, (Span, Surface))
    if metric == "iou" and not has_iou:
        raise ValueError(
            f'{control}: metric="iou" is for spans, boxes, ellipses and polygons; metric="equal" '
            "compares its answers as a whole"
        )
    return metric or ("iou" if has_iou else "equal")


def level_of(control: Control) -> Level:
    """Return the level of measurement of the answers by a control."""
    return _LEVELS.get(control.tag.lower(), "nominal")


def order_of(control: Control) -> tuple[str, ...]:
    """Return the choices of a control in their order in the labelling config."""
    return control.labels if control.tag.lower() == "choices" else ()


def items(result: Any, config: LabelConfig, control: Control) -> list[Item]:
    """Return the regions in a result by a control; where there are none the answer is that."""
    return [
        Item((row.object, row.item_index), row.labels, _place(row), row.mark)
        for row in _tables.regions.region_rows(result, config)
        if row.control == control.name and row.kind != "relation"
    ]


def _place(row: Any) -> Hashable:
    if row.mark is None:
        return hashable(row.raw.get("value"))
    fields = attrs.fields(type(row.mark))
    return tuple(
        hashable(getattr(row.mark, one.name))
        for one in fields
        if "beside" not in one.metadata and one.name not in ("labels", "id", "text", "raw")
    )


def value(result: Any, config: LabelConfig, control: Control) -> Hashable | None:
    """Return what a result answers by a control without places; None where it has no answer.

    Several choices are a set, since their order means nothing.
    """
    found = config.values(result).get(control.name)
    if isinstance(found, list) and control.tag.lower() in ("choices", "taxonomy"):
        chosen = frozenset(map(hashable, found))
        return chosen or None
    return hashable(found)
