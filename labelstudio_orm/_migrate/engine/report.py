"""The differences of one field, as a report lists them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._reports import Difference
from .fingerprints import digest


def fields_apart(
    kind: str, source: int | str, target: int | str | None, name: str, here: Any, there: Any
) -> list[Difference]:
    """Return the differences of a field that is JSON, key by key if both values are dicts.

    >>> [str(one) for one in fields_apart("tasks", 1, 2, "data", {"a": 1, "b": 2}, {"a": 1})]
    ['tasks 1 -> 2: data.b is 2 in the source, None in the target']
    """
    if digest(here) == digest(there):
        return []
    if not isinstance(here, Mapping) or not isinstance(there, Mapping):
        return [Difference(kind, source, target, name, here, there)]
    pairs = {key: (here.get(key), there.get(key)) for key in {**here, **there}}
    return [
        Difference(kind, source, target, f"{name}.{key}", *pair)
        for key, pair in pairs.items()
        if digest(pair[0]) != digest(pair[1]) or (key in here) is not (key in there)
    ]
