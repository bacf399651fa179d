"""Checks of a result without its labelling config.

It must be a list of regions, or no server can use it; and shapes may lack the size of their image.
``check.py`` checks regions against a config.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._engine.values.codec import same_json
from .kinds import KINDS
from .marks import SIZE
from .shapes import Track

_ENDS = ("from_id", "to_id")
_NAMES = ("from_name", "to_name", "type")
_WAY_OUT = (
    'make regions with project.config["name"].choice(...), .rectangle(...) and so on, '
    "or with project.config.regions({name: value})"
)


def check_result(result: Any, where: str = "result", known: Any = None) -> None:
    """Raise unless this is a list of regions that a server can use; nothing is sent.

    A region is a dict with the texts ``from_name``, ``to_name`` and ``type`` and the dict
    ``value``; a relation one with ``from_id`` and ``to_id``. Raises TypeError for anything of
    another type, and ValueError for a key that is missing. The message begins with the place,
    ``where``, and names the key and how to make regions. ``known`` are regions that a server has
    already: they may stay, even if they are invalid.

    >>> check_result([{"from_name": "a", "to_name": "b", "type": "rating", "value": {"rating": 1}}])
    >>> check_result([{"from_name": "a", "to_name": "b", "type": "rating"}])
    Traceback (most recent call last):
    ...
    ValueError: result[0]: a region without 'value', which no server can use; make regions ...
    """
    if not isinstance(result, (list, tuple)):
        raise TypeError(f"{where}: a list of regions is needed, not {result!r:.80}; {_WAY_OUT}")
    for number, region in enumerate(result):
        _check_new(region, f"{where}[{number}]", known)


def _check_new(region: Any, where: str, known: Any) -> None:
    try:
        _check_region(region, where)
    except (TypeError, ValueError):
        if not isinstance(known, list) or not any(same_json(region, one) for one in known):
            raise


def _check_region(region: Any, where: str) -> None:
    if not isinstance(region, dict):
        raise TypeError(f"{where}: a region is a dict, not {region!r:.80}; {_WAY_OUT}")
    if region.get("type") == "relation":
        _check_keys(region, _ENDS, where, "relation")
        return
    _check_keys(region, (*_NAMES, "value"), where, "region")
    for name in _NAMES:
        if not isinstance(region[name], str):
            raise TypeError(f"{where}.{name}: a text is needed, not {region[name]!r:.80}")
    if not isinstance(region["value"], dict):
        raise TypeError(f"{where}.value: a dict is needed, not {region['value']!r:.80}; {_WAY_OUT}")


def _check_keys(region: Mapping[str, Any], keys: tuple[str, ...], where: str, what: str) -> None:
    for key in keys:
        if key not in region:
            raise ValueError(
                f"{where}: a {what} without {key!r}, which no server can use; {_WAY_OUT}"
            )


def regions_without_size(result: Any) -> list[int]:
    """Return the places in a result of shapes on an image that lack the image's size in pixels.

    Exports in pixels (COCO, YOLO, VOC) leave such regions out, or fail; ``original_width`` and
    ``original_height`` of a builder, or ``size=``, set it. Never raises.

    >>> box = {"from_name": "box", "to_name": "image", "type": "rectangle", "value": {"x": 1}}
    >>> regions_without_size([box, {**box, "original_width": 640, "original_height": 480}])
    [0]
    """
    found = result if isinstance(result, (list, tuple)) else ()
    return [place for place, region in enumerate(found) if _lacks_size(region)]


def _lacks_size(region: Any) -> bool:
    if not isinstance(region, Mapping) or not isinstance(region.get("value"), Mapping):
        return False
    kind = KINDS.get(str(region.get("type")).lower())
    on_an_image = kind is not None and kind.shape not in (None, Track) and kind.type[:3] != "ocr"
    return on_an_image and not all(region.get(key) for key in SIZE)


def with_sizes(result: list[Any], places: Iterable[int]) -> list[Any]:
    """Return the result with the size of the image in the shapes at these places that lack it.

    It is taken from other shapes on the same image (by ``to_name`` and ``item_index``).
    """
    lacking = {*places} & {*regions_without_size(result)}
    if not lacking:
        return result
    sizes = {
        _image_of(one): {key: one[key] for key in SIZE}
        for one in result
        if isinstance(one, Mapping) and all(one.get(key) for key in SIZE)
    }
    return [
        {**one, **sizes.get(_image_of(one), {})} if place in lacking else one
        for place, one in enumerate(result)
    ]


def _image_of(region: Mapping[str, Any]) -> tuple[str, str]:
    return str(region.get("to_name")), str(region.get("item_index"))
