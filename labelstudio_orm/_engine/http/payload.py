"""JSON bodies: by orjson where it is exact, written compactly, errors naming the place."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any

from ..values.codec import is_plain, plain
from ..values.collector import collector_at_rest
from ..values.secret import Secret, reveal

_DIGITS = bytes(48 if 48 <= byte <= 57 else 46 if byte == 46 else 32 for byte in range(256))
_LONG_INTEGER = b" " + b"0" * 19  # after a point it would be a fraction, which may be as long


@cache
def _accelerator() -> Any:
    """Return orjson, which is optional; None where it is missing."""
    try:
        return import_module("orjson")
    except ImportError:
        return None


def decode(body: bytes) -> Any:
    """Return the value of a JSON text. Raises ValueError for anything else."""
    # orjson turns an integer beyond 64 bits into a float, and refuses some escapes that Python
    # and the server take; both are rare, and then the standard library reads the body.
    with collector_at_rest():
        orjson = _accelerator()
        if orjson is not None and _LONG_INTEGER not in b" " + body.translate(_DIGITS):
            with suppress(ValueError):
                return orjson.loads(body)
        try:
            return json.loads(body)
        except (RecursionError, MemoryError):
            raise ValueError("nested too deeply") from None


class EncodedList(list[Any]):
    """A list whose items are encoded already: ``texts`` has the JSON of each."""

    def __init__(self, items: Iterable[Any], texts: Iterable[bytes]) -> None:
        super().__init__(items)
        self.text = b"[%b]" % b",".join(texts)


def encode(value: object, doing: str) -> bytes:
    """Return the JSON text of a value.

    Raises TypeError or ValueError naming what JSON cannot hold, and where.
    """
    if isinstance(value, EncodedList):
        return value.text
    # Of Python's own types orjson writes all but NaN as the standard library does: that is a null.
    orjson = _accelerator()
    if orjson is not None and is_plain(value):
        with suppress(TypeError):
            text: bytes = orjson.dumps(value)
            if b"null" not in text:
                return text
    try:
        return _ENCODER.encode(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        found = _unencodable(value, "", ())
        path, why = found or ("the value", str(error) or "nested too deeply")
        kind = TypeError if isinstance(error, TypeError) else ValueError
    prefix = f"{doing}: " if doing else ""
    raise kind(f"{prefix}{path or 'the value'} {why}; JSON cannot hold it, so nothing was sent")


def _plainly(value: object) -> object:
    """Return a scalar of numpy as Python's own, and a secret opened: this is the only place for it.

    Raises TypeError for anything else that is not JSON.
    """
    found = value.reveal() if isinstance(value, Secret) else plain(value)
    if found is value:
        raise TypeError(f"{type(value).__name__} is not JSON")
    return found


_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plainly
)


def _unencodable(value: object, path: str, parents: tuple[int, ...]) -> tuple[str, str] | None:
    """Return the path to a value that JSON cannot hold, and what it is; None if there is none."""
    value = plain(reveal(value))
    if not isinstance(value, (dict, list, tuple)):
        why = _scalar_problem(value)
        return (path, why) if why else None
    if id(value) in parents:
        return path, "contains itself"
    if len(parents) > 500:
        return path[:100] + "...", "is nested too deeply"
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(value, dict) and not isinstance(key, (str, int, float, bool, type(None))):
            return path, f"has a key of type {type(key).__name__}"
        step = f"[{key}]" if not isinstance(value, dict) else f".{key}" if path else str(key)
        for part, where in ((key, f"the key {step!r:.80}"), (inner, path + step)):
            found = _unencodable(part, where, (*parents, id(value)))
            if found:
                return found
    return None


def _scalar_problem(value: object) -> str | None:
    if isinstance(value, str):
        return (
            "has half a surrogate pair" if any("\ud800" <= c <= "\udfff" for c in value) else None
        )
    if isinstance(value, float):
        return None if math.isfinite(value) else f"is {value}"
    return None if isinstance(value, (int, type(None))) else f"is a {type(value).__name__}"
