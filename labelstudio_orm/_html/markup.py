"""Markup that is safe by its making: whatever is not ``Html`` already is escaped.

The data are of strangers. No text becomes markup, no address a script, and no text a style.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Any, Final, Literal
from zlib import crc32

from .style import STYLE

Medium = Literal["image", "audio", "video"]


class Html(str):
    """Markup, which is put in as it is."""

    __slots__ = ()


_UNSHOWN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""Characters that documents must not have, or that no file can hold."""

_EMPTY: Final = frozenset({"img", "br", "meta"})


def text(value: object, most: int = 2_000) -> Html:
    """Return a text, escaped, and cut where it is longer than ``most`` characters."""
    if isinstance(value, Html):
        return value
    found = str(value)
    cut = found if len(found) <= most else f"{found[: most - 1]}…"
    return Html(escape(_UNSHOWN.sub("\ufffd", cut)))


def tag(name: str, /, *inside: object, **attributes: Any) -> Html:
    """Return an element; None inside and attributes of None are left out.

    >>> tag("a", "1 < 2", class_="x", title='"')
    '<a class="x" title="&quot;">1 &lt; 2</a>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value, _LONGEST)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _EMPTY:
        return Html(f"<{name}{written}>")
    held = "".join(text(one, _LONGEST) for one in inside if one is not None)
    return Html(f"<{name}{written}>{held}</{name}>")


_LONGEST: Final = 50_000_000


def joined(parts: Iterable[object], between: str = "") -> Html:
    """Return parts one after the other."""
    return Html(text(between).join(text(one, _LONGEST) for one in parts if one is not None))


def framed(*inside: object) -> Html:
    """Return a piece for a notebook, with the style that it needs."""
    return tag("div", tag("style", Html(STYLE)), *inside, class_="lso")


def written(said: object) -> Html:
    """Return a text of several lines for a notebook."""
    return framed(tag("pre", text(said, 50_000)))


def page(title: str, *inside: object) -> Html:
    """Return a whole document, which runs no script and loads nothing but media."""
    policy = "; ".join(
        (
            "default-src 'none'",
            "style-src 'unsafe-inline'",
            *(f"{kind}-src http: https: data:" for kind in ("img", "media")),
        )
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
    )
    return Html(f"<!DOCTYPE html>\n{tag('html', head, tag('body', framed(*inside)))}\n")


# -- what may stand in an address or a style ------------------------------------------------------


def source(address: object, medium: Medium) -> str | None:
    """Return an address that a medium may be loaded from, else None.

    It is one of the web, or the file itself as a ``data:`` URL of this type.
    """
    if not isinstance(address, str):
        return None
    web = re.match(r"https?://[^\s/]", address, re.IGNORECASE)
    held = re.match(rf"data:{medium}/[\w.+-]+[;,]", address, re.IGNORECASE)
    return address if web or held else None


_COLOUR: Final = re.compile(
    r"#[0-9a-f]{3,8}|[a-z]{3,20}|(?:rgb|hsl)a?\([0-9.,%\s/deg]{3,40}\)", re.IGNORECASE
)
_PALETTE: Final = (
    "#4363d8", "#e6194b", "#3cb44b", "#f58231", "#911eb4", "#008b8b", "#d81b9a", "#9a6324",
    "#808000", "#607d8b",
)  # fmt: skip


def colour(written: str | None, label: str = "") -> str:
    """Return a colour as the labelling config has it, else one that is always the label's."""
    if written is not None and _COLOUR.fullmatch(written.strip()):
        return written.strip()
    return _PALETTE[crc32(label.encode("utf-8", "replace")) % len(_PALETTE)]


def number(value: float) -> str:
    """Return a number as styles and pictures take it."""
    return f"{value:.5f}".rstrip("0").rstrip(".") if abs(value) < _FAR else "0"


_FAR: Final = 1e9
