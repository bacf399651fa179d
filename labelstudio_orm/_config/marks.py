"""The keys of a region beside its value: the page that it is on, its parent, its score and so on.

A field names its JSON key and how it is written, in one place for builders and readers. A mark that
was read remembers its region, of which everything stays as it is stored but for changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import attrs
from attrs import field, frozen

from .._engine.values.brief import brief
from .._engine.values.codec import plain_json, same_json
from . import forms
from .forms import Form, count, number, writer


def _json(form: Form) -> Callable[[Any, str], Any]:
    return writer(form, plain_json)


def _pixels(value: Any, what: str) -> int:
    return count(value, what, 1)


def _beside(key: str, write: Callable[[Any, str], Any], hash: bool | None = None) -> Any:
    return field(default=None, hash=hash, metadata={"beside": key, "write_beside": write})


@frozen(repr=False, kw_only=True)
class Mark:
    """The base of spans and shapes: the keys of their region beside its value.

    ``item_index`` is the position, from 0, of the item that it is on, where the object shows
    several (the images of a ``valueList``, the pages of a document); ``parent_id`` the region that
    it is a part of; ``score`` the confidence of a prediction; ``meta`` notes about it; ``origin``
    its source (``"manual"``, ``"prediction"``); ``readonly``, ``hidden`` and ``locked`` its state
    in the labelling editor. None means that the region does not hold it.

    ``raw`` is the region as it was read, or None. A changed copy (``attrs.evolve``) is written with
    everything that was not changed as it stands there. It does not count in comparisons.
    """

    item_index: int | None = _beside("item_index", count)
    parent_id: str | None = _beside("parentID", _json(forms.text))
    score: float | None = _beside("score", number)
    meta: Mapping[str, Any] | None = _beside(
        "meta", _json(forms.by_name(forms.anything)), hash=False
    )
    origin: str | None = _beside("origin", _json(forms.text))
    readonly: bool | None = _beside("readonly", _json(forms.flag))
    hidden: bool | None = _beside("hidden", _json(forms.flag))
    locked: bool | None = _beside("locked", _json(forms.flag))
    raw: Mapping[str, Any] | None = field(default=None, eq=False, repr=False)

    def __repr__(self) -> str:
        shown = (
            f"{one.name}={brief(value, _SHOWN)}"
            for one in sorted(attrs.fields(type(self)), key=lambda one: one.kw_only)
            if one.repr and ((value := getattr(self, one.name)) is not None or not one.kw_only)
        )
        return f"{type(self).__name__}({', '.join(shown)})"


SIZE = ("original_width", "original_height")
"""The keys of a region that hold the size of its image in pixels."""


@frozen(repr=False, kw_only=True)
class OnImage(Mark):
    """The base of shapes on an image, with the image's size in pixels, and its rotation."""

    original_width: int | None = _beside("original_width", _pixels)
    original_height: int | None = _beside("original_height", _pixels)
    image_rotation: float | None = _beside("image_rotation", number)


_SHOWN = 200

_writers: Callable[[Any], Mapping[str, tuple[str, Callable[[Any, str], Any]]]] = cache(
    lambda mark: {
        one.name: (one.metadata["beside"], one.metadata["write_beside"])
        for one in attrs.fields(mark)
        if "beside" in one.metadata
    }
)


_keys: Callable[[Any], Mapping[str, str]] = cache(
    lambda mark: {key: name for name, (key, _) in _writers(mark).items()}
)
_options: Callable[[Any], frozenset[str]] = cache(lambda mark: frozenset(_writers(mark)))


def keys_of(mark: type[Any]) -> Mapping[str, str]:
    """Return the fields of a mark by the keys that hold them beside the value."""
    return _keys(mark)


def read_beside(mark: type[Any], region: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a region beside its value, by the fields of a mark, as they are stored."""
    names = _keys(mark)
    found = names.keys() & region.keys()
    return {names[key]: region[key] for key in found} if found else {}


def write_beside(mark: type[Mark], options: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return the keys of a region beside its value for fields of a mark that are not None.

    ``what`` is the control, for the message. Raises TypeError or ValueError naming the field.
    """
    if not options:
        return {}
    writers = _writers(mark)
    return {
        writers[name][0]: writers[name][1](value, f"{what}: {name}")
        for name, value in options.items()
        if value is not None and name in writers
    }


def options_of(mark: type[Any]) -> frozenset[str]:
    """Return the names of the fields of a mark that stand beside the value."""
    return _options(mark)


_PLACE = ("start", "end", "startOffset", "endOffset", "globalOffsets")
"""Keys that give one place together: one of them alone is meaningless."""


def patched(stored: Any, before: Any, after: Any) -> Any:
    """Return stored JSON with the differences between two forms of it applied.

    >>> patched({"x": 1, "own": 5}, {"x": 1, "rotation": 0}, {"x": 2, "rotation": 0})
    {'x': 2, 'own': 5}
    """
    if isinstance(stored, Mapping) and isinstance(before, Mapping) and isinstance(after, Mapping):
        return _patched_object(stored, before, after)
    three = (stored, before, after)
    if all(isinstance(one, list) for one in three) and len({*map(len, three)}) == 1:
        return [patched(*inner) for inner in zip(*three, strict=True)]
    if all(isinstance(one, list) for one in three) and len(stored) == len(before):
        return _patched_items(stored, before, after)
    return stored if same_json(before, after) else after


def _patched_items(stored: list[Any], before: list[Any], after: list[Any]) -> list[Any]:
    """Return ``after``, with the items that it shares with ``before`` as they are stored.

    These are the remaining ranges of a timeline. Items with ids name each other, and are new ones.
    """
    if not all(isinstance(one, Mapping) and "id" not in one for one in (*before, *after)):
        return after
    left = list(zip(stored, before, strict=True))
    made = []
    for one in after:
        same = next((pair for pair in left if same_json(pair[1], one)), (one, one))
        if same in left:
            left.remove(same)
        made.append(same[0])
    return made


def _patched_object(
    stored: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Any]:
    changed = {
        key
        for key in (*before, *after)
        if key not in before or key not in after or not same_json(before[key], after[key])
    }
    if changed & {*_PLACE}:
        changed |= {*_PLACE}
        before = {key: value for key, value in before.items() if key not in _PLACE}
    made = {key: value for key, value in stored.items() if key not in changed or key in after}
    for key in after:
        if key in changed:
            made[key] = patched(stored.get(key), before.get(key), after[key])
    return made
