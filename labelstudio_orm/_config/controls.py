"""The controls of a labelling config, and the builders of their regions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
from attrs import frozen

from .._engine.values.brief import brief
from .._engine.values.codec import plain_json
from .._engine.values.near import unknown
from . import reading
from .forms import as_list, count, number, plain, utterance
from .kinds import KINDS, Kind
from .marks import SIZE
from .regions import (
    ImageOptions,
    Region,
    RegionOptions,
    checked_text,
    new_region,
    to_name_of,
)
from .shapes import Keyframe, write_shape
from .tags import ControlTag, Label, as_float, most_stars

if TYPE_CHECKING:
    from typing_extensions import Unpack

# A HyperText shows a page of elements, a Paragraphs a list of utterances: a place there is a path.
_OBJECTS_WITH_PATHS = frozenset({"hypertext", "paragraphs"})
# What a generic <Labels> marks here has a form of its own, which no start and end can say.
_OBJECTS_WITH_SHAPES = frozenset({"image", "pdf"})


@frozen
class Control(ControlTag):
    """A tag to label with (``<Choices name="sentiment" toName="text">``).

    ``to_name`` are the names of the objects that it is about, ``attributes`` all attributes as
    written, ``label_tags`` its ``<Choice>``s or ``<Label>``s in document order.

    Each builder (``choice``, ``label``, ``rectangle``, ...) returns a new region as a plain JSON
    dict and takes ``id=``, ``to_name=``, ``score=`` and more (``RegionOptions``). A builder of
    another kind of control raises TypeError and names the right one; a value that the control does
    not allow raises ValueError. Choices that come from the task or from a URL
    (``value="$options"``, ``apiUrl``) are not known here, so any value is allowed.

    ```python
    task.annotations.create(result=[config["sentiment"].choice("Positive")])
    ```
    """

    # -- classifications ---------------------------------------------------------------------

    def choice(self, value: str | Sequence[str], **options: Unpack[RegionOptions]) -> Region:
        """Build one choice of a ``Choices``: its value or alias, or a path with ``allowNested``."""
        kind = self._kind("choice")
        return new_region(self, kind, [self._choice(value)], options)

    def choices(self, *values: str | Sequence[str], **options: Unpack[RegionOptions]) -> Region:
        """Build several choices of a ``Choices``. Raises TypeError unless it is ``multiple``."""
        kind = self._kind("choices")
        if not self.multiple:
            raise TypeError(
                f'{self} takes one choice: use .choice(value), or give it choice="multiple"'
            )
        return new_region(self, kind, self._several(values, self._choice), options)

    def taxonomy(self, *paths: str | Sequence[str], **options: Unpack[RegionOptions]) -> Region:
        """Build nodes of a ``Taxonomy``, each the path from the root down: ``["Animal", "Bird"]``.

        A str is a path of one step.
        """
        kind = self._kind("taxonomy")
        return new_region(self, kind, self._several(paths, self._path), options)

    def rating(self, stars: int, **options: Unpack[RegionOptions]) -> Region:
        """Build the stars of a ``Rating``: an int from 0 (none) to ``maxRating``, by default 5."""
        kind = self._kind("rating")
        stars = self._count("the rating", stars, most=most_stars(self))
        return new_region(self, kind, stars, options)

    def number(self, value: float, **options: Unpack[RegionOptions]) -> Region:
        """Build the number of a ``Number``, within its ``min`` and ``max``."""
        kind = self._kind("number")
        low, high = as_float(self.attribute("min")), as_float(self.attribute("max"))
        return new_region(self, kind, number(value, f"{self}: the number", low, high), options)

    def text(self, *texts: str, **options: Unpack[RegionOptions]) -> Region:
        """Build the text of a ``TextArea``, or several texts, as annotators may submit them."""
        kind = self._kind("text")
        return new_region(self, kind, self._several(texts, self._string, unique=False), options)

    def datetime(self, value: str, **options: Unpack[RegionOptions]) -> Region:
        """Build the date or time of a ``DateTime`` as text, in the form that the control stores.

        That is its ``format``, else ``2026-01-31T23:59``, ``2026-01-31`` with ``only="date"`` or
        ``23:59`` with ``only="time"``.
        """
        kind = self._kind("datetime")
        return new_region(self, kind, self._string(value), options)

    def pairwise(self, selected: str, **options: Unpack[RegionOptions]) -> Region:
        """Build the better side of a ``Pairwise``: ``"left"`` or ``"right"``.

        The region is filed under the control's own name, as the labelling editor does. A server
        that validates predictions may want an object there instead: give ``to_name=``.
        """
        kind = self._kind("pairwise")
        if selected not in ("left", "right"):
            raise ValueError(f"{self}: selected must be 'left' or 'right', not {brief(selected)}")
        return new_region(self, kind, selected, options)

    def ranking(
        self,
        ranks: Sequence[str] | Mapping[str, Sequence[str]],
        **options: Unpack[RegionOptions],
    ) -> Region:
        """Build the order of a ``Ranker``: ids of items, best first, or such lists by bucket."""
        kind = self._kind("ranking")
        buckets = ranks if isinstance(ranks, Mapping) else {self.name: ranks}
        lists = {
            self._string(name): [self._string(one) for one in as_list(ids, f"{self}: ids")]
            for name, ids in buckets.items()
        }
        return new_region(self, kind, lists, options)

    def message(
        self,
        role: str,
        content: str,
        *,
        created_at: int | None = None,
        **options: Unpack[RegionOptions],
    ) -> Region:
        """Build a message of a ``Chat``; ``created_at`` in milliseconds since 1970."""
        kind = self._kind("message")
        message: dict[str, Any] = {"role": self._string(role), "content": self._string(content)}
        if created_at is not None:
            message["createdAt"] = self._count("created_at", created_at)
        return new_region(self, kind, message, options)

    def output(self, values: Mapping[str, Any], **options: Unpack[RegionOptions]) -> Region:
        """Build the output of a ``ReactCode``: its values by name."""
        kind = self._kind("output")
        return new_region(self, kind, plain_json(dict(values)), options)

    # -- regions -----------------------------------------------------------------------------

    def label(
        self,
        *labels: str,
        start: float | str,
        end: float | str,
        text: str | None = None,
        start_offset: int | None = None,
        end_offset: int | None = None,
        global_offsets: tuple[int, int] | None = None,
        **options: Unpack[RegionOptions],
    ) -> Region:
        """Build a labelled span, of a ``Labels`` or one of the other controls that label spans.

        On a Text, ``start`` and ``end`` count its characters as Python does (``end`` excluded); on
        audio and video they are seconds, of ``TimelineLabels`` frames, of ``TimeSeriesLabels`` what
        the time column holds. On a HyperText they count the characters of the text that the page
        shows (its global offsets), or are XPaths, which need ``start_offset`` and ``end_offset``
        beside them and should have ``global_offsets``: without these, reading gives the raw region.
        On Paragraphs they are utterances, counted from 0, and the offsets characters within them.
        ``text`` is the marked text, stored as given.

        ```python
        config["ner"].label("Person", start=0, end=4, text="Anna")
        ```
        """
        kind, start, end = self._kind("label"), plain(start), plain(end)
        to_name = to_name_of(self, options)
        tag = next((o.tag.lower() for o in self.objects if o.name == to_name), "")
        if tag in _OBJECTS_WITH_SHAPES:
            raise TypeError(
                f"{self} labels an image, where a span means nothing: "
                "use a control such as <RectangleLabels>, or write the region as a dict"
            )
        has_paths = tag in _OBJECTS_WITH_PATHS
        if kind.type == "paragraphlabels":
            start, end = (str(utterance(n, f"{self}: an utterance")) for n in (start, end))
        value: dict[str, Any] = {"start": start, "end": end}
        if isinstance(start, str) or isinstance(end, str):
            is_time = kind.type == "timeserieslabels"
            self._check_paths(start, end, allowed=has_paths or is_time)
            if not is_time:
                value["startOffset"] = self._count("start_offset", start_offset)
                value["endOffset"] = self._count("end_offset", end_offset)
        else:
            self._check_no_offsets(start_offset, end_offset, global_offsets)
            self._order(start, end)
            if has_paths:
                global_offsets = (self._count("start", start), self._count("end", end))
        if kind.type == "timeserieslabels":
            value["instant"] = start == end
        if kind.type == "timelinelabels":
            value = {"ranges": [value]}
        if global_offsets is not None:
            first, last = (self._count("global_offsets", n) for n in global_offsets)
            self._order(first, last)
            value["globalOffsets"] = {"start": first, "end": last}
        if text is not None:
            value["text"] = self._string(text)
        return new_region(self, kind, self._labels(labels), options, value)

    def _check_paths(self, start: Any, end: Any, *, allowed: bool) -> None:
        if not (allowed and isinstance(start, str) and isinstance(end, str)):
            raise TypeError(
                f"{self}: start and end must be numbers, not {brief(start)} and {brief(end)}"
            )

    def _check_no_offsets(self, *offsets: Any) -> None:
        if any(one is not None for one in offsets):
            raise TypeError(
                f"{self}: start_offset, end_offset and global_offsets go with start and end "
                "that are XPaths, not numbers"
            )

    def rectangle(
        self,
        *labels: str,
        x: float,
        y: float,
        width: float,
        height: float,
        rotation: float = 0,
        **options: Unpack[ImageOptions],
    ) -> Region:
        """Build a box of a ``RectangleLabels`` or ``Rectangle``, in percent of the image.

        Values are from 0 to 100. (``x``, ``y``) is the top left corner, ``rotation`` in degrees.
        Raises ValueError outside of the ranges: divide pixels by the image's size first.
        """
        where = {"x": x, "y": y, "width": width, "height": height, "rotation": rotation}
        return self._draw("rectangle", labels, where, options)

    def ellipse(
        self,
        *labels: str,
        x: float,
        y: float,
        radius_x: float,
        radius_y: float,
        rotation: float = 0,
        **options: Unpack[ImageOptions],
    ) -> Region:
        """Build an ellipse of an ``EllipseLabels`` or ``Ellipse``, in percent of the image.

        The centre is from 0 to 100, the radii from 0 to 50, ``rotation`` in degrees.
        """
        where = {"x": x, "y": y, "radius_x": radius_x, "radius_y": radius_y, "rotation": rotation}
        return self._draw("ellipse", labels, where, options)

    def keypoint(
        self,
        *labels: str,
        x: float,
        y: float,
        width: float = 0.5,
        **options: Unpack[ImageOptions],
    ) -> Region:
        """Build a point of a ``KeyPointLabels`` or ``KeyPoint``, in percent of the image.

        ``width`` is the size of its dot.
        """
        return self._draw("keypoint", labels, {"x": x, "y": y, "width": width}, options)

    def polygon(
        self,
        *labels: str,
        points: Iterable[Sequence[float]],
        closed: bool = True,
        **options: Unpack[ImageOptions],
    ) -> Region:
        """Build a polygon of a ``PolygonLabels`` or ``Polygon`` of three or more (x, y) points.

        They are in percent of the image.
        """
        return self._draw("polygon", labels, {"points": points, "closed": closed}, options)

    def vector(
        self,
        *labels: str,
        points: Iterable[Sequence[float]],
        closed: bool = False,
        **options: Unpack[ImageOptions],
    ) -> Region:
        """Build a line of a ``VectorLabels`` or ``Vector`` through (x, y) points in percent."""
        return self._draw("vector", labels, {"points": points, "closed": closed}, options)

    def brush(self, *labels: str, rle: Iterable[int], **options: Unpack[ImageOptions]) -> Region:
        """Build a mask of a ``BrushLabels``, ``Brush`` or ``MagicWand``, as the bytes in storage.

        ``rle`` is the run-length encoding as ``Brush.rle`` reads it: numbers from 0 to 255.
        """
        return self._draw("brush", labels, {"rle": rle}, options)

    def bitmask(self, *labels: str, image_data_url: str, **options: Unpack[ImageOptions]) -> Region:
        """Build a mask of a ``BitmaskLabels`` or ``Bitmask`` from a PNG as a ``data:`` URL.

        The URL is ``data:image/png;base64,...``.
        """
        return self._draw("bitmask", labels, {"image_data_url": image_data_url}, options)

    def track(
        self,
        *labels: str,
        sequence: Iterable[Keyframe],
        frames_count: int,
        duration: float,
        **options: Unpack[ImageOptions],
    ) -> Region:
        """Build a box of a ``VideoRectangle`` that moves from ``Keyframe`` to ``Keyframe``.

        ``frames_count`` and ``duration`` (seconds) are those of the video. The labels are those of
        the ``Labels`` beside it, or its own.
        """
        track = {"sequence": sequence, "frames_count": frames_count, "duration": duration}
        return self._draw("track", labels, track, options)

    # -- reading -----------------------------------------------------------------------------

    def read(self, regions: Iterable[Mapping[str, Any]]) -> Any:
        """Return the values of regions of this control, like ``LabelConfig.values``."""
        return reading.read(self, [*regions])

    def write(self, value: Any, **options: Unpack[RegionOptions]) -> list[Region]:
        """Return the regions for a value, the reverse of ``read``: see ``LabelConfig.regions``."""
        return reading.write(self, value, options=options)

    # -- what the builders share ---------------------------------------------------------------

    def _kind(self, builder: str) -> Kind:
        kind = KINDS.get(self.tag.lower())
        if kind and builder in kind.builders:
            return kind
        usable = " or ".join(f".{b}()" for b in self.builders)
        way_out = f"use {usable}" if usable else "write its regions as dicts"
        raise TypeError(f"{self} has no .{builder}(): {way_out}")

    def _draw(
        self,
        builder: str,
        labels: Sequence[str],
        where: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> Region:
        kind = self._kind(builder)
        assert kind.shape is not None
        if kind.key is None and labels:
            raise TypeError(f"{self} has no labels: {self.tag}Labels would; got {brief(labels)}")
        value = write_shape(kind.shape, str(self), where)
        if kind.type == "videorectangle" and not self.label_tags:  # those of a <Labels> beside it
            value.update({"labels": [self._string(label) for label in labels]} if labels else {})
            kind = attrs.evolve(kind, key=None)
        chosen = self._labels(labels) if kind.key else None
        return new_region(self, kind, chosen, self._sized(options), value)

    def _sized(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the options with ``size`` replaced by the width and the height."""
        if "size" not in options:
            return options
        rest = {name: option for name, option in options.items() if name != "size"}
        if options["size"] is None:
            return rest
        twice = [name for name in SIZE if rest.get(name) is not None]
        if twice:
            raise TypeError(f"{self}: size= sets {twice[0]} already")
        try:
            width, height = options["size"]
            if None in (width, height):
                raise TypeError
        except (TypeError, ValueError):
            raise TypeError(
                f"{self}: size must be (width, height) in pixels, not {options['size']!r:.80}"
            ) from None
        return {**rest, **dict(zip(SIZE, (width, height), strict=True))}

    def _several(
        self, values: Sequence[Any], check: Callable[[Any], Any], unique: bool = True
    ) -> list[Any]:
        if not values:
            raise ValueError(f"{self}: at least one value is needed; leave the region out instead")
        checked = [check(value) for value in values]
        if unique and any(value in checked[:n] for n, value in enumerate(checked)):
            raise ValueError(f"{self}: a value is given twice: {brief(checked)}")
        return checked

    def _labels(self, labels: Sequence[str]) -> list[str]:
        if not labels and self.attribute("allowEmpty") == "true":
            return []
        if len(labels) > 1 and not self.multiple:
            raise ValueError(
                f"{self} takes one label for a region, not {brief(labels)}, "
                'unless choice="multiple"'
            )
        return [path[0] for path in self._several(labels, self._flat)]

    def _choice(self, value: str | Sequence[str]) -> str | list[str]:
        if self.nested:
            return self._path(value)
        # Without allowNested the editor ignores a <Choice> within a <Choice>.
        if isinstance(value, (list, tuple)):
            raise TypeError(
                f'{self}: a str is needed, not {value!r:.80}: paths need allowNested="true"'
            )
        return self._flat(value)[0]

    def _flat(self, value: Any) -> list[str]:
        is_label = self.tag.lower() != "choices"
        allowed = [label for label in self.label_tags if is_label or len(label.path) == 1]
        return self._stored((self._string(value),), {(label.stored,): label for label in allowed})

    def _path(self, value: str | Sequence[str]) -> list[str]:
        steps = (value,) if isinstance(value, str) else tuple(map(self._string, value))
        return self._stored(steps, {label.path: label for label in self.label_tags})

    def _stored(
        self, steps: tuple[str, ...], allowed: Mapping[tuple[str, ...], Label]
    ) -> list[str]:
        if steps in allowed:
            return list(steps)
        for path in allowed:
            shown = tuple(allowed[path[: n + 1]].value for n in range(len(path)))
            if steps == shown:
                return list(path)
        if self.dynamic:
            return list(steps)
        known = [" > ".join(path) for path in allowed]
        raise ValueError(unknown(f"{self} has no label", " > ".join(steps), known))

    def _string(self, value: Any) -> str:
        return checked_text(self, value)

    def _count(self, what: str, value: Any, least: int = 0, most: float | None = None) -> int:
        return count(value, f"{self}: {what}", least, most)

    def _order(self, start: float, end: float) -> None:
        number(start, f"{self}: start", 0)
        number(end, f"{self}: end", start)
