"""Texts with coloured spans, dialogues, and HTML in a box from which nothing gets out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from .._config.shapes import Passage, Span
from .._html.markup import Html, joined, tag, text
from .._html.tables import cell
from .._tables.regions import RegionRow
from .chips import MOST, Colours, name_of

LONGEST: Final = 20_000
"""The most characters of a text that are shown."""

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:"

Drawn = tuple[int, int, RegionRow]


def plain(value: Any, rows: Sequence[RegionRow], colours: Colours) -> Html:
    """Return a value as it is, in short where it is long."""
    return tag("div", cell(value), class_="lso-text")


def marked(value: Any, rows: Sequence[RegionRow], colours: Colours) -> Html:
    """Return a text with the spans on it, each with its label behind it."""
    if not isinstance(value, str):
        return plain(value, rows, colours)
    spans = [
        (int(row.mark.start), int(row.mark.end), row)
        for row in rows
        if isinstance(row.mark, Span) and 0 <= row.mark.start <= row.mark.end <= _FAR
    ]
    return tag("div", _spans(value, spans, colours), class_="lso-text")


_FAR: Final = 2**53


def _spans(value: str, spans: Sequence[Drawn], colours: Colours) -> Html:
    """Return a text in pieces, between all the places where a span begins or ends."""
    shown, spans = value[:LONGEST], spans[:MOST]
    cuts = {0, len(shown), *(min(at, len(shown)) for one in spans for at in one[:2])}
    places = sorted(cuts)
    parts: list[object] = []
    for start, end in zip(places, [*places[1:], len(shown)], strict=True):
        parts += [_label(row, colours) for _, last, row in spans if min(last, len(shown)) == start]
        over = [row for first, last, row in spans if first <= start < last]
        piece = text(shown[start:end], LONGEST)
        if over and piece:
            names = "; ".join(map(name_of, over))
            style = colours.style(over[-1])
            piece = tag("mark", piece, class_="lso-mark", style=style, title=names)
        parts.append(piece)
    if len(value) > len(shown):
        parts.append(f"… {len(value) - len(shown):,} more characters")
    return joined(parts)


def _label(row: RegionRow, colours: Colours) -> Html:
    return tag("sup", name_of(row), class_="lso-label", style=colours.style(row))


def talk(value: Any, rows: Sequence[RegionRow], colours: Colours) -> Html:
    """Return a dialogue, an utterance a line, with the passages on it."""
    if not isinstance(value, list):
        return plain(value, rows, colours)
    lines = []
    for place, one in enumerate(value[:_UTTERANCES]):
        author, said = _utterance(one)
        spans = [
            (
                row.mark.start_offset if row.mark.start == place else 0,
                row.mark.end_offset if row.mark.end == place else len(said),
                row,
            )
            for row in rows
            if isinstance(row.mark, Passage) and row.mark.start <= place <= row.mark.end
        ]
        who = tag("b", f"{author}: ") if author else None
        lines.append(tag("div", who, _spans(said, spans, colours), class_="lso-text"))
    return joined(lines)


_UTTERANCES: Final = 200


def _utterance(one: Any) -> tuple[str, str]:
    if not isinstance(one, Mapping):
        return "", str(one)
    said = next((one[key] for key in ("text", "dialogue", "content", "message") if key in one), "")
    author = next((one[key] for key in ("author", "speaker", "role", "name") if key in one), "")
    return str(author), str(said)


def sandboxed(value: Any, rows: Sequence[RegionRow], colours: Colours) -> Html:
    """Return HTML in a frame without scripts, forms, links to this page, and loads of its own."""
    if not isinstance(value, str):
        return plain(value, rows, colours)
    policy = tag("meta", http_equiv="Content-Security-Policy", content=_POLICY)
    return tag("iframe", sandbox="", srcdoc=f"{policy}{value}", class_="lso-html", loading="lazy")
