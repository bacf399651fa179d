"""Paths on the server and names of files: what data or a server may turn into one."""

from __future__ import annotations

import re
from operator import index
from typing import Final
from urllib.parse import quote, unquote

from ...errors import UnsafePath, shorten

_LAYERS: Final = 8
"""The most layers of percent-encoding."""

# Compiled when they are first used, as the others in what a client imports: it takes a while.
_CONTROL = r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"
_PERCENT = r"%(?![0-9A-Fa-f]{2})"
_DEVICES: Final = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³"]
)
_NOT_IN_NAMES = r'[\x00-\x1f\x7f-\x9f\u2028\u2029/\\:*?"<>|]'
_NAME_BYTES: Final = 200


def checked_path(path: str) -> str:
    """Return a path on the server, perhaps with a query, that cannot be taken for another one.

    Raises UnsafePath for anything that a server, a proxy or the HTTP library could take for another
    path or another host: dot segments, backslashes, encoded slashes and control characters, however
    often they are quoted; empty segments, ``//host``, whole URLs and fragments.

    >>> checked_path("/api/projects/1/")
    '/api/projects/1/'
    """
    if not isinstance(path, str) or not path.startswith("/"):
        raise UnsafePath(f"a path starts with '/': {_shown(path)}")
    way, _, query = path.partition("?")
    if "#" in path:
        raise _refused(path, "a '#', after which nothing is sent to a server: write %23")
    if re.search(_CONTROL, query):
        raise _refused(path, "a control character")
    first, *further = way.split("/")[1:]
    if any(not part for part in (first, *further[:-1])) and way != "/":
        raise _refused(path, "an empty segment; is an id missing?")
    if "%" in way or "\\" in way or "." in way or re.search(_CONTROL, way):
        for part in (first, *further):
            _check_segment(part, path)
    return path


def _check_segment(part: str, path: str) -> None:
    plain = _plain(part)
    if plain is None:
        raise _refused(path, "an invalid '%' escape, or too many nested ones")
    if re.search(_CONTROL, plain):
        raise _refused(path, "a control character")
    if "\\" in plain:
        raise _refused(path, "a backslash")
    if "/" in plain:
        raise _refused(path, "an encoded slash")
    if plain.partition(";")[0].strip() in (".", ".."):
        raise _refused(path, "a dot segment")


def _plain(text: str) -> str | None:
    """Return a quoted text, unquoted as often as possible; None for an invalid one."""
    if re.search(_PERCENT, text):
        return None
    for _ in range(_LAYERS):
        plain = unquote(text, errors="replace")
        if plain == text:
            return text
        text = plain
    return None


def _refused(path: str, what: str) -> UnsafePath:
    return UnsafePath(f"refused before sending: the path {_shown(path)} has {what}")


def _shown(value: object) -> str:
    return shorten(repr(value), 200)


def segment(value: object) -> str:
    """Return one value, quoted, for the place between two slashes: an id, or a name.

    Raises UnsafePath for a value that cannot be one: None, an empty text, dots, a slash, a control
    character, a bool, a fraction.

    >>> segment("a b?")
    'a%20b%3F'
    """
    if type(value) is int:
        return str(value)
    if isinstance(value, str):
        odd = not value.strip() or re.search(_CONTROL, value) or "/" in value or "\\" in value
        if odd or value.strip() in (".", "..") or value.partition(";")[0].strip() in (".", ".."):
            raise UnsafePath(f"{_shown(value)} is not an id, so no path can be made of it")
        return quote(value, safe="")
    try:
        if isinstance(value, bool) or value is None:
            raise TypeError
        return str(index(value))  # type: ignore[arg-type]
    except TypeError:
        raise UnsafePath(f"{_shown(value)} is not an id, so it makes no path") from None


def at(template: str, *values: object) -> str:
    """Return a path with each ``{}`` filled in, quoted. Raises UnsafePath: see ``segment``.

    >>> at("/api/projects/{}/import", 5)
    '/api/projects/5/import'
    """
    return template.format(*map(segment, values))


def plain_name(text: object) -> bool:
    """Return whether a text is the name of one file on every system: no path, device or stream.

    >>> [plain_name(name) for name in ("a.png", "..", "C:a", "aux.txt", "a.", "b/c")]
    [True, False, False, False, False, False]
    """
    return isinstance(text, str) and safe_name(text) == text


def safe_name(text: str) -> str:
    """Return the closest valid name of one file, on every system, to a text.

    >>> safe_name("../up:load/con.txt"), safe_name("a.png"), safe_name("")
    ('up_load_con.txt', 'a.png', 'file')
    """
    name = re.sub(_NOT_IN_NAMES, "_", text).rstrip(". ").lstrip(" ")
    name = re.sub(r"^(\.+_+)+|^\.+$", "", name)
    while len(name.encode("utf-8", "surrogatepass")) > _NAME_BYTES:
        stem, dot, suffix = name.rpartition(".")
        name = f"{stem[:-1]}{dot}{suffix}" if len(stem) > 1 and len(suffix) < 20 else name[:-1]
    name = "".join("_" if "\ud800" <= sign <= "\udfff" else sign for sign in name)
    if name.partition(".")[0].rstrip().lower() in _DEVICES:
        name = f"_{name}"
    return name or "file"
