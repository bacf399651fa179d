"""New regions as plain JSON: the part that every builder of a control shares."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, TypeAlias, TypedDict

from .._engine.values.brief import brief, joined
from .._engine.values.codec import plain_json
from .._engine.values.near import unknown
from .forms import plain
from .kinds import Kind
from .marks import Mark, keys_of, options_of, write_beside
from .tags import ControlTag

Region: TypeAlias = dict[str, Any]
"""A region as plain JSON, an item of ``Annotation.result``."""


class RegionOptions(TypedDict, total=False):
    """The options of every builder.

    ``id``: the region's id, by default a fresh random one; of a control with ``perRegion="true"``
    it is the id of the region that the value is about, and required. ``to_name``: the object, where
    the control serves several. ``score``: the confidence of a prediction, a number. ``item_index``:
    the item that it is about, from 0, where the object shows several: the images of a
    ``valueList``, the pages of a document. ``parent_id``: the id of the region that it is a part
    of. ``meta``: notes about it. ``origin``: its source, ``"manual"`` or ``"prediction"``.
    ``readonly``, ``hidden``, ``locked``: its state in the labelling editor. ``extra``: further keys
    of the region, as they are to be stored.
    """

    id: str | None
    to_name: str | None
    score: float | None
    item_index: int | None
    parent_id: str | None
    meta: Mapping[str, Any] | None
    origin: str | None
    readonly: bool | None
    hidden: bool | None
    locked: bool | None
    extra: Mapping[str, Any] | None


class ImageOptions(RegionOptions, total=False):
    """The further options of builders on an image: its size in pixels, and its rotation.

    ``size`` is ``(original_width, original_height)``. The server needs neither, but exports to
    formats in pixels (COCO, YOLO) leave out regions without them.
    """

    original_width: int | None
    original_height: int | None
    size: tuple[int, int] | None
    image_rotation: float | None


_OPTIONS = frozenset(RegionOptions.__annotations__)


def new_region(
    control: ControlTag,
    kind: Kind,
    main: Any,
    options: Mapping[str, Any],
    value: Mapping[str, Any] | None = None,
) -> Region:
    """Return a region of a control as plain JSON, with an id and its options.

    ``main`` is stored in its value under the kind's key, ``value`` beside it.
    """
    if control.index_flags:
        raise ValueError(
            f"{control} is in a <Repeater>: use one of its items, "
            f"config[{brief(_example(control))}]"
        )
    mark = kind.mark or Mark
    strange = sorted(options.keys() - _OPTIONS - options_of(mark)) if options else None
    if strange:
        raise TypeError(f"{control}: unexpected argument {joined(strange, ', ')}")
    id_ = options.get("id")
    if id_ is None and control.per_region:
        raise ValueError(
            f"{control} is about single regions (perRegion): give id= of the region it is about"
        )
    region = {
        "id": secrets.token_hex(5) if id_ is None else _id(control, id_),
        "from_name": control.name,
        "to_name": to_name_of(control, options),
        "type": kind.type,
        "value": {**(value or {}), **({kind.key: main} if kind.key else {})},
        **write_beside(mark, options, str(control)),
    }
    if options.get("extra") is not None:
        region.update(_extra(control, options["extra"], {*region, *keys_of(mark)}))
    return region


def _id(control: ControlTag, value: Any) -> str:
    value = plain(value)
    if not isinstance(value, str):
        raise TypeError(f"{control}: the id of a region must be a str, not {value!r:.80}")
    if not value:
        raise ValueError(f"{control}: the id of a region must not be empty; None makes a fresh one")
    return value


def _extra(control: ControlTag, extra: Any, known: set[str]) -> dict[str, Any]:
    if not isinstance(extra, Mapping):
        raise TypeError(f"{control}: extra must be a dict of further keys, not {extra!r:.80}")
    clashing = sorted(known & {*extra})
    if clashing:
        raise ValueError(f"{control}: {brief(clashing[0])} has its own argument, or is the value")
    return {checked_text(control, key): plain_json(one) for key, one in extra.items()}


def to_name_of(control: ControlTag, options: Mapping[str, Any]) -> str:
    """Return the name of a new region's object. Raises ValueError for an invalid one."""
    given = options.get("to_name")
    # A pairwise is about two objects at once, and its regions belong to itself.
    allowed = (
        (control.name, *control.to_name) if control.tag.lower() == "pairwise" else control.to_name
    )
    if given is None:
        if len(control.to_name) == 1 or allowed is not control.to_name:
            return allowed[0]
        raise ValueError(
            f"{control} is about several objects ({', '.join(control.to_name)}): give to_name="
        )
    if given not in allowed:
        raise ValueError(unknown(f"{control} is not about an object", str(given), allowed))
    return str(given)


def _example(control: ControlTag) -> str:
    name = control.name
    for flag in control.index_flags:
        name = name.replace(flag, "0")
    return name


def checked_text(control: ControlTag, value: Any) -> str:
    """Return a value as a str. Raises TypeError naming the control for another type."""
    value = plain(value)
    if not isinstance(value, str):
        raise TypeError(f"{control}: a str is needed, not {value!r:.80}")
    return value
