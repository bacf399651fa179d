"""The server's rules for a labelling config, beyond being parsable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .._engine.values.brief import brief
from .forms import is_number
from .markup import Element, elements, without_declaration

# The server checks only these, from the outermost <View> inwards.
_INSIDE: Mapping[str, frozenset[str]] = {
    "View": frozenset({"View", "Choices", "Labels", "Choice", "Label", "Image", "Text", "HyperText",
                       "TextArea", "Number"}),
    "Choices": frozenset({"Choice", "View"}),
    "Labels": frozenset({"Label", "View"}),
}  # fmt: skip

_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("Choices", "Labels", "TextArea", "Number"), ("name", "toName")),
    **dict.fromkeys(("Choice", "Label"), ("value",)),
    **dict.fromkeys(("Image", "Text", "HyperText"), ("name",)),
}
_LABELS = {"Choices": "Choice", "Labels": "Label"}
_SPEEDS = ("minPlaybackSpeed", "defaultPlaybackSpeed")
_SLOWEST, _FASTEST = 0.05, 10


def problems(xml: str) -> Iterator[str]:
    """Yield the problems for which the server refuses a config that parses, each with its place."""
    if without_declaration(xml) != xml:
        yield (
            "line 1: an XML declaration or byte order mark, which belongs in a file and not in a "
            "text: the server refuses it. Saving a project removes it"
        )
    found = elements(xml)
    inside: dict[Element, list[Element]] = {element: [] for element in found}
    for element in found:
        if element.parent is not None:
            inside[element.parent].append(element)
    for element in found:
        if element.tag == "Video":
            yield from _speeds(element)
        if _is_looked_at(element):
            yield from _attributes(element)
            yield from _labels(element, inside)


def _is_looked_at(element: Element) -> bool:
    while element.parent is not None:
        if element.tag not in _INSIDE.get(element.parent.tag, ()):
            return False
        element = element.parent
    return element.tag == "View"


def _attributes(element: Element) -> Iterator[str]:
    needed = _ATTRIBUTES.get(element.tag, ())
    for name in needed:
        if name not in element.attributes:
            yield f"{element} has no {name}"
        elif "toName" in needed and not _is_name(element.attributes[name]):
            given = brief(element.attributes[name])
            yield f"{element}: the server does not accept {name}={given} as a name"
    if needed == ("name",):
        shown = [key for key in ("value", "valueList") if key in element.attributes]
        if len(shown) != 1:
            yield f"{element} has {'both' if shown else 'none'} of value and valueList"


def _is_name(text: str) -> bool:
    """Return whether the server accepts a text as a name, and not as a number, true or false."""
    if text.lower() in ("true", "false"):
        return False
    try:
        return not is_number(float(text))
    except ValueError:
        return True


def _labels(element: Element, inside: Mapping[Element, list[Element]]) -> Iterator[str]:
    label = _LABELS.get(element.tag)
    if label is None:
        return
    tags = [one.tag for one in inside[element]]
    if not {label, "View"} & {*tags} and "value" not in element.attributes:
        yield f"{element} has no <{label}>, nor a value that names data with its labels"
    if label == "Choice" and tags.count("Choice") == 1 and element.parent is not None:
        # The server accepts a lone <Choice>, but not beside a <Choices> without any.
        beside = [one for one in inside[element.parent] if one.tag == "Choices"]
        if any(not any(two.tag == "Choice" for two in inside[one]) for one in beside):
            yield (
                f"{element} has a single <Choice>, which the server refuses beside a <Choices> "
                "that has none: put one of the two into a <View>"
            )


def _speeds(element: Element) -> Iterator[str]:
    speeds: dict[str, float] = {}
    for name in _SPEEDS:
        written = element.attributes.get(name) or element.attributes.get(name.lower()) or ""
        if written.strip():
            try:
                speeds[name] = float(written)
            except ValueError:
                yield f"{element}: {name} must be a number, not {brief(written)}"
    for name, speed in speeds.items():
        if not (is_number(speed) and _SLOWEST <= speed <= _FASTEST):
            yield f"{element}: {name} must be from {_SLOWEST} to {_FASTEST}, not {speed:g}"
    if len(speeds) == 2 and speeds[_SPEEDS[0]] > speeds[_SPEEDS[1]]:
        yield f"{element}: {_SPEEDS[0]} must not exceed {_SPEEDS[1]}"
