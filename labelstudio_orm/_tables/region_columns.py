"""The columns of a table with a row for each region."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from attrs import frozen

from .._config.kinds import KINDS
from .._config.marks import OnImage
from .._config.parsed import ParsedConfig
from .._config.shapes import Passage, Span
from .columns import Sort
from .regions import Geometry, RegionRow


@frozen
class RegionColumn:
    """A column of regions: what it holds of a row."""

    name: str
    sort: Sort
    of: Callable[[RegionRow], Any]


def region_columns(config: ParsedConfig | None) -> tuple[RegionColumn, ...]:
    """Return the columns of the regions of a config: those of its kinds of controls.

    Without a config these are all. A region that is not as the config says has its stored value in
    ``value``, so that nothing of it is lost where a column is left out.
    """
    if config is None:
        return tuple(one for _, columns in _GROUPS for one in columns)
    tags = {control.tag.lower() for control in config.controls.values()}
    return tuple(one for is_of, columns in _GROUPS if is_of(tags) for one in columns)


def _value(row: RegionRow) -> Any:
    """Return what no other column says."""
    if row.problem is not None:
        return row.raw.get("value", row.value)
    if row.number is not None or (row.text is not None and not isinstance(row.value, list)):
        return None
    several = row.value if isinstance(row.value, list) else [row.value]
    return None if row.kind == "choices" and several == [*row.labels] else row.value


def _pairs(place: Geometry | None) -> list[list[float]] | None:
    return [[*point] for point in place.points] if place is not None and place.points else None


def _of(place: str, name: str) -> Callable[[RegionRow], Any]:
    def read(row: RegionRow) -> Any:
        found = getattr(row, place)
        return None if found is None else getattr(found, name)

    return read


def _part(pair: str, number: int) -> Callable[[RegionRow], Any]:
    def read(row: RegionRow) -> Any:
        found = getattr(row, pair)
        return None if found is None else found[number]

    return read


def _has(mark: type[Any]) -> Callable[[set[str]], bool]:
    def is_of(tags: set[str]) -> bool:
        marks = (KINDS[tag].mark for tag in tags & KINDS.keys())
        return any(one is not None and issubclass(one, mark) for one in marks)

    return is_of


def _has_any(*tags: str) -> Callable[[set[str]], bool]:
    return lambda found: not found.isdisjoint(tags)


def _always(_: set[str]) -> bool:
    return True


_COORDINATES: Final[Mapping[str, str]] = {"": "geometry", "_pixels": "pixels"}
_GROUPS: Final[tuple[tuple[Callable[[set[str]], bool], tuple[RegionColumn, ...]], ...]] = (
    (
        _always,
        (
            RegionColumn("region", Sort.TEXT, lambda row: row.region),
            RegionColumn("control", Sort.TEXT, lambda row: row.control),
            RegionColumn("object", Sort.TEXT, lambda row: row.object),
            RegionColumn("kind", Sort.TEXT, lambda row: row.kind),
            RegionColumn("labels", Sort.TEXTS, lambda row: [*row.labels]),
        ),
    ),
    (_has_any("rating", "number"), (RegionColumn("number", Sort.FLOAT, lambda row: row.number),)),
    (
        lambda tags: _has(Span)(tags) or _has(Passage)(tags),
        (
            RegionColumn("start", Sort.FLOAT, lambda row: row.start),
            RegionColumn("end", Sort.FLOAT, lambda row: row.end),
        ),
    ),
    (
        _has(Passage),
        (
            RegionColumn("start_offset", Sort.INT, _part("offsets", 0)),
            RegionColumn("end_offset", Sort.INT, _part("offsets", 1)),
        ),
    ),
    (
        lambda tags: (
            _has(Span)(tags)
            or _has(Passage)(tags)
            or _has_any("textarea", "datetime", "pairwise")(tags)
        ),
        (RegionColumn("text", Sort.TEXT, lambda row: row.text),),
    ),
    (
        _has(OnImage),
        (
            *(
                RegionColumn(f"{name}{suffix}", Sort.FLOAT, _of(place, name))
                for suffix, place in _COORDINATES.items()
                for name in ("x", "y", "width", "height")
            ),
            RegionColumn("rotation", Sort.FLOAT, _of("geometry", "rotation")),
            RegionColumn("points", Sort.JSON, lambda row: _pairs(row.geometry)),
            RegionColumn("image_width", Sort.INT, _part("size", 0)),
            RegionColumn("image_height", Sort.INT, _part("size", 1)),
        ),
    ),
    (
        _always,
        (
            RegionColumn("value", Sort.JSON, _value),
            RegionColumn("item_index", Sort.INT, lambda row: row.item_index),
            RegionColumn("parent", Sort.TEXT, lambda row: row.parent),
            RegionColumn("region_score", Sort.FLOAT, lambda row: row.score),
            RegionColumn("from_region", Sort.TEXT, _part("ends", 0)),
            RegionColumn("to_region", Sort.TEXT, _part("ends", 1)),
            RegionColumn("direction", Sort.TEXT, lambda row: row.direction),
            RegionColumn("problem", Sort.TEXT, lambda row: row.problem),
        ),
    ),
)
