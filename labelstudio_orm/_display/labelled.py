"""A task with what its labelling config shows, and the regions of annotations and predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import field, frozen

from .._config.parsed import ParsedConfig
from .._config.tags import ObjectTag
from .._html.markup import Html, joined, tag, text
from .._html.tables import pairs
from .._tables.regions import RegionRow, region_rows
from . import media, texts
from .chips import Colours, chips

Address = Callable[[str], "str | None"]
"""A function that returns where a browser finds a file that a task names; None for no address."""

MOST_RESULTS: Final = 10
"""The results of a task that are shown."""


@frozen
class Answer:
    """An annotation or a prediction: its title, what is to be said of it, and its result."""

    title: str
    result: Any
    facts: Mapping[str, Any] = field(factory=dict)


@frozen
class Labelled:
    """A task as far as it is loaded: ``data`` or ``config`` may be None, ``answers`` empty."""

    title: str
    data: Mapping[str, Any] | None = None
    config: ParsedConfig | None = None
    answers: Sequence[Answer] = ()
    facts: Mapping[str, Any] = field(factory=dict)
    address: Address = str


def picture(shown: Labelled) -> Html:
    """Return a task with its results, each on the objects that it is about."""
    parts: list[Html | None] = [_title(shown.title, shown.facts)]
    for place, answer in enumerate(shown.answers[:MOST_RESULTS]):
        parts.append(_folded(shown, answer, is_open=place == 0))
    if len(shown.answers) > MOST_RESULTS:
        more = f"and {len(shown.answers) - MOST_RESULTS:,} more results"
        parts.append(tag("div", more, class_="lso-dim"))
    if not shown.answers:
        parts.append(_objects(shown, []))
    parts.append(_other_data(shown))
    return joined(parts)


def _title(title: str, facts: Mapping[str, Any]) -> Html:
    said = ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
    about = tag("span", f" {said}" if said else None, class_="lso-dim")
    return tag("div", title, about, class_="lso-title")


def _folded(shown: Labelled, answer: Answer, *, is_open: bool) -> Html:
    rows = list(region_rows(answer.result, shown.config))
    inside = joined([_objects(shown, rows), _rest(shown, rows)])
    if len(shown.answers) == 1:
        return tag("div", _title(answer.title, answer.facts), inside, class_="lso-card")
    summary = tag("summary", _title(answer.title, answer.facts))
    return tag("details", summary, inside, class_="lso-card", open="" if is_open else None)


# -- the objects of the config --------------------------------------------------------------------


def _objects(shown: Labelled, rows: Sequence[RegionRow]) -> Html:
    """Return the objects, with those regions on them that can be drawn there."""
    if shown.config is None or shown.data is None:
        return Html("")
    colours = Colours(shown.config)
    found = []
    for one in shown.config.objects.values():
        value = value_of(one, shown.config, shown.data)
        if value is not None:
            on_it = [row for row in rows if one.name in (row.object or "").split(",")]
            found.append(_object(one, value, on_it, colours, shown.address))
    return joined(found)


def _object(
    of: ObjectTag, value: Any, rows: Sequence[RegionRow], colours: Colours, address: Address
) -> Html:
    draw = _DRAWN.get(of.tag.lower(), texts.plain)
    if draw in _OF_FILES:
        several = value if isinstance(value, list) else [value]
        parts = [
            draw(
                _file(one, address),
                [row for row in rows if len(several) == 1 or (row.item_index or 0) == place],
                colours,
            )
            for place, one in enumerate(several[:_MOST_ITEMS])
        ]
        return joined(parts)
    return draw(value, rows, colours)


_MOST_ITEMS: Final = 20

_DRAWN: Final[Mapping[str, Callable[[Any, Sequence[RegionRow], Colours], Html]]] = {
    "text": texts.marked,
    "paragraphs": texts.talk,
    "hypertext": texts.sandboxed,
    "image": media.image,
    "audio": media.audio,
    "audioplus": media.audio,
    "video": media.video,
}
"""How objects are drawn, by their tag in lower case; others as their value."""

_OF_FILES: Final = (media.image, media.audio, media.video)


def _file(value: Any, address: Address) -> media.File:
    return media.File(value, address(value) if isinstance(value, str) else None)


def value_of(of: ObjectTag, config: ParsedConfig, data: Mapping[str, Any]) -> Any:
    """Return what an object shows of the data; a text that names no variable is shown itself."""
    written = of.value or ""
    if not written.startswith("$"):
        return written or None
    known = config.shown.get(written[1:])
    value: Any = data
    for key in known.path if known else (written[1:],):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


# -- the rest -------------------------------------------------------------------------------------


def _rest(shown: Labelled, rows: Sequence[RegionRow]) -> Html | None:
    """Return the regions by control, as chips: all but what is seen on an object already."""
    drawn = set[int]()
    if shown.config is not None and shown.data is not None:
        drawn = {id(row) for row in rows if _is_drawn(row, shown.config)}
    return chips([row for row in rows if id(row) not in drawn], Colours(shown.config))


def _is_drawn(row: RegionRow, config: ParsedConfig) -> bool:
    on = config.objects.get(row.object or "")
    if on is None or row.problem:
        return False
    kind = on.tag.lower()
    return (kind == "text" and row.start is not None) or (
        kind == "image" and row.geometry is not None
    )


def _other_data(shown: Labelled) -> Html | None:
    """Return the data that no object shows."""
    if not shown.data:
        return None
    config = shown.config
    seen = {one.path[0] for one in config.shown.values()} if config is not None else set[str]()
    rest = {str(key): value for key, value in shown.data.items() if key not in seen}
    return pairs(rest) if rest else None


def sheet(shown: Iterable[Labelled]) -> Html:
    """Return many tasks as cards beside each other."""
    return tag("div", *_cards(shown), class_="lso-sheet")


def _cards(shown: Iterable[Labelled]) -> Iterator[Html]:
    for one in shown:
        yield tag("div", picture(one), class_="lso-card")


def note(said: str) -> Html:
    """Return a line about what is shown."""
    return tag("div", text(said), class_="lso-dim")
