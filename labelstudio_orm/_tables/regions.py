"""The regions of annotations and predictions as flat rows, one a region.

Nothing is dropped, and nothing raises: a relation is a row, and so are a region of a control that
the labelling config does not have and a value of another form, with the reason in ``problem``.

A region of a timeline has a row for each of its ranges. Where the labels of a shape are a region of
their own, with the same id, the row of the shape has the labels too, and theirs has no geometry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs
from attrs import frozen

from .._config.kinds import GEOMETRY, KINDS, Kind
from .._config.marks import SIZE, Mark
from .._config.parsed import ParsedConfig
from .._config.reading import UNREADABLE
from .._config.shapes import Box, Ellipse, KeyPoint, Passage, Polygon, Span, Vector
from .._config.tags import ControlTag

Points = tuple[tuple[float, float], ...]

_WHOLLY_READ: Final = (Span, Passage, Box, Ellipse, KeyPoint, Polygon)
"""The marks whose fields have everything that their value has."""

_TEXTS: Final = frozenset({"textarea", "datetime", "pairwise"})
_NUMBERS: Final = frozenset({"rating", "number"})
_NAMES: Final = frozenset({"choices", "taxonomy"})


@frozen
class Geometry:
    """The place of a shape on its image, in percent of it or in pixels.

    The box before its rotation, in degrees clockwise: about the corner (``x``, ``y``) of a
    rectangle, about the centre of an ellipse. A key point has no ``height``, and the size of its
    dot as the ``width``. ``points`` are those of a polygon or a line, else none.
    """

    x: float
    y: float
    width: float
    height: float | None
    rotation: float = 0.0
    points: Points = ()

    def scaled(self, across: float, down: float) -> Geometry:
        """Return the place with all coordinates multiplied by these factors."""
        return Geometry(
            self.x * across,
            self.y * down,
            self.width * across,
            None if self.height is None else self.height * down,
            self.rotation,
            tuple((x * across, y * down) for x, y in self.points),
        )


@frozen
class RegionRow:
    """One region of a result, as a flat row.

    ``kind`` is its type (``"rectanglelabels"``, ``"choices"``), ``"relation"`` for a relation.
    ``labels`` are those of a mark or a relation, or the choices; the steps of a path are joined by
    ``/``. ``value`` is what ``LabelConfig.values`` gives for the region alone, None where the
    labels and the place say everything, and the stored value where it cannot be read. ``mark`` is
    the span or shape, ``raw`` the region as it is stored. ``problem`` says why the region is not
    what the labelling config says, None where it is.
    """

    task: int | None
    annotation: int | None
    prediction: int | None
    control: str | None
    kind: str | None
    labels: tuple[str, ...]
    value: Any
    mark: Mark | None
    problem: str | None
    raw: Mapping[str, Any] = attrs.field(repr=False)

    # -- beside the value --------------------------------------------------------------------------

    @property
    def region(self) -> str | None:
        """Return the id of the region, which a control with ``perRegion`` shares."""
        return _text(self.raw.get("id"))

    @property
    def object(self) -> str | None:
        """Return the name of the object that the region is on."""
        return _text(self.raw.get("to_name"))

    @property
    def parent(self) -> str | None:
        """Return the id of the region that it is a part of."""
        return _text(self.raw.get("parentID"))

    @property
    def item_index(self) -> int | None:
        """Return the item that it is on, from 0, where the object shows several."""
        return _whole(self.raw.get("item_index"))

    @property
    def score(self) -> float | None:
        """Return the confidence of a prediction in this region."""
        return _float(self.raw.get("score"))

    @property
    def ends(self) -> tuple[str | None, str | None]:
        """Return the ids of the regions that a relation joins; None for anything else."""
        return _text(self.raw.get("from_id")), _text(self.raw.get("to_id"))

    @property
    def direction(self) -> str | None:
        """Return the direction of a relation: ``"right"``, ``"left"`` or ``"bi"``."""
        return _text(self.raw.get("direction"))

    # -- the value ---------------------------------------------------------------------------------

    @property
    def number(self) -> float | None:
        """Return the value of a rating or a number."""
        return _float(self.value) if self.kind in _NUMBERS else None

    @property
    def text(self) -> str | None:
        """Return the marked text, or the value of what holds texts, with a line for each."""
        if isinstance(self.mark, (Span, Passage)):
            return self.mark.text
        if self.kind not in _TEXTS:
            return None
        several = self.value if isinstance(self.value, list) else [self.value]
        return "\n".join(several) if all(isinstance(one, str) for one in several) else None

    @property
    def start(self) -> float | None:
        """Return where a span begins, in characters or seconds; of a passage, the utterance."""
        return _float(self.mark.start) if isinstance(self.mark, (Span, Passage)) else None

    @property
    def end(self) -> float | None:
        """Return where a span ends, in characters or seconds; of a passage, the utterance."""
        return _float(self.mark.end) if isinstance(self.mark, (Span, Passage)) else None

    @property
    def offsets(self) -> tuple[int | None, int | None]:
        """Return the characters in the utterances where a passage begins and ends."""
        if not isinstance(self.mark, Passage):
            return None, None
        return _whole(self.mark.start_offset), _whole(self.mark.end_offset)

    # -- the place on an image ---------------------------------------------------------------------

    @property
    def size(self) -> tuple[int, int] | None:
        """Return the size of the image in pixels, if the region holds it."""
        width, height = (_whole(self.raw.get(key)) for key in SIZE)
        return (width, height) if width and height and width > 0 and height > 0 else None

    @property
    def geometry(self) -> Geometry | None:
        """Return the place in percent of the image; None for masks, tracks and what is no shape."""
        try:
            return _geometry(self.mark)
        except OverflowError:  # a whole number that is no float
            return None

    @property
    def pixels(self) -> Geometry | None:
        """Return the place in pixels of the image, if the region holds its size."""
        place, size = self.geometry, self.size
        if place is None or size is None:
            return None
        return place.scaled(size[0] / 100, size[1] / 100)


def region_rows(
    result: Any,
    config: ParsedConfig | None,
    *,
    task: int | None = None,
    annotation: int | None = None,
    prediction: int | None = None,
) -> Iterator[RegionRow]:
    """Yield the rows of a result, in its order. Never raises.

    Without a config every control is unknown, and values are read by the types of the regions.
    """
    about = (task, annotation, prediction)
    if not isinstance(result, (list, tuple)):
        if result is not None:
            problem = "the result is not a list of regions"
            yield RegionRow(*about, None, None, (), result, None, problem, {})
        return
    labels_beside = _labels_beside(result)
    for region in result:
        if not isinstance(region, Mapping):
            problem = "a region must be an object"
            yield RegionRow(*about, None, None, (), region, None, problem, {})
        else:
            yield from _rows(region, config, about, labels_beside)


def rows_of_task(row: Any, config: ParsedConfig | None) -> Iterator[RegionRow]:
    """Yield the rows of the annotations, then of the predictions in a task's row. Never raises."""
    for key in ("annotation", "prediction"):
        inside = row.get(f"{key}s") if isinstance(row, Mapping) else None
        for one in inside if isinstance(inside, (list, tuple)) else ():
            if isinstance(one, Mapping):
                ids = {"task": _whole(row.get("id")), key: _whole(one.get("id"))}
                yield from region_rows(one.get("result"), config, **ids)


_About = tuple[int | None, int | None, int | None]
_LabelsBeside = Mapping[str | None, tuple[str, ...]]
_Reading = tuple[tuple[str, ...], Any, Mark | None]
"""The labels, the value and the mark of a row."""


def _rows(
    region: Mapping[str, Any],
    config: ParsedConfig | None,
    about: _About,
    labels_beside: _LabelsBeside,
) -> Iterator[RegionRow]:
    name, type_ = _text(region.get("from_name")), _text(region.get("type"))
    type_ = None if type_ is None else type_.lower()
    if type_ == "relation":
        labels = _names(region.get("labels"))
        yield RegionRow(*about, name, type_, labels, None, None, None, region)
        return
    control = None if config is None else config.get(name)
    kind = KINDS.get(type_ or "")
    problem = _problem(name, type_, control, kind)
    stored: _Reading = (_labels_of(kind, region), region.get("value"), None)
    try:
        found = list(_readings(region, kind, control, stored, labels_beside)) or [stored]
    except UNREADABLE as error:
        problem = problem or f"its value cannot be read: {error!s:.200}"
        found = [stored]
    for labels, value, mark in found:
        yield RegionRow(*about, name, type_, labels, value, mark, problem, region)


def _readings(
    region: Mapping[str, Any],
    kind: Kind | None,
    control: ControlTag | None,
    as_stored: _Reading,
    labels_beside: _LabelsBeside,
) -> Iterator[_Reading]:
    labels, stored, _ = as_stored
    beside = labels_beside.get(_text(region.get("id")))
    if kind is None:
        yield labels, stored, None
    elif beside is not None and kind.type == "labels":
        yield labels, None, None
    elif kind.mark is None:
        readings = kind.read(kind, region)
        alone = len(readings) == 1 and not kind.many and not (control and control.multiple)
        names = _paths(readings) if kind.type in _NAMES else ()
        yield names, readings[0] if alone else readings, None
    else:
        for mark in kind.read(kind, region):
            says_all = isinstance(mark, _WHOLLY_READ)
            mark = mark if isinstance(mark, Mark) else None
            yield labels or beside or (), None if says_all else stored, mark


def _problem(
    name: str | None, type_: str | None, control: ControlTag | None, kind: Kind | None
) -> str | None:
    """Return why a region is not what its control says; values are not looked at."""
    if control is None:
        return f"the labelling config has no control {name!r:.80}"
    tag = control.tag.lower()
    # The tool for a shape beside a <Labels> names these, and has the type of its own labels.
    is_drawn = tag == "labels" and kind is not None and kind.mark is not None
    if type_ != tag and not is_drawn:
        return f"a region of {control} is {tag!r:.80}, not {type_!r:.80}"
    return None if kind else f"regions of {control} are not read"


def _labels_beside(result: Sequence[Any]) -> _LabelsBeside:
    """Return the labels of shapes that are regions of their own, by the id they share."""
    labels, shapes = {}, set()
    for one in result:
        if isinstance(one, Mapping) and isinstance(one.get("id"), str):
            type_ = str(one.get("type")).lower()
            if type_ in GEOMETRY:
                shapes.add(one["id"])
            elif type_ == "labels":
                labels[one["id"]] = _labels_of(KINDS["labels"], one)
    return {id: found for id, found in labels.items() if id in shapes}


def _labels_of(kind: Kind | None, region: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the labels of a mark, or of a region of an unknown type."""
    key, stored = "labels" if kind is None else kind.key, region.get("value")
    if (kind is not None and kind.mark is None) or not isinstance(stored, Mapping):
        return ()
    return _names(stored.get(key))


def _names(value: Any) -> tuple[str, ...]:
    several = value if isinstance(value, (list, tuple)) else [value]
    return tuple(one for one in several if isinstance(one, str) and one)


def _paths(readings: Sequence[Any]) -> tuple[str, ...]:
    return tuple("/".join(one) if isinstance(one, list) else one for one in readings)


def _geometry(mark: Mark | None) -> Geometry | None:
    if isinstance(mark, Box):
        x, y, width, height = map(float, (mark.x, mark.y, mark.width, mark.height))
        return Geometry(x, y, width, height, float(mark.rotation))
    if isinstance(mark, Ellipse):
        x, y, across, down = map(float, (mark.x, mark.y, mark.radius_x, mark.radius_y))
        return Geometry(x - across, y - down, 2 * across, 2 * down, float(mark.rotation))
    if isinstance(mark, KeyPoint):
        return Geometry(float(mark.x), float(mark.y), float(mark.width), None)
    if not isinstance(mark, (Polygon, Vector)) or not mark.points:
        return None
    points = tuple((float(x), float(y)) for x, y in mark.points)
    xs, ys = zip(*points, strict=True)
    return Geometry(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys), points=points)


def _text(value: Any) -> str | None:
    """Return a text, or a whole number as one, as some importers write ids; else None."""
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int and abs(value) < _MOST else None


_MOST: Final = 2**63


def _whole(value: Any) -> int | None:
    """Return a whole number of at most 64 bits, as tables hold; else None."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and -_MOST <= value < _MOST else None


def _float(value: Any) -> float | None:
    try:
        return float(value) if type(value) in (int, float) else None
    except OverflowError:
        return None
