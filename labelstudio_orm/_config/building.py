"""A labelling config built from short forms instead of XML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias
from xml.sax.saxutils import quoteattr

from .._engine.values.brief import brief
from .kinds import KINDS

TagForm: TypeAlias = "str | Sequence[Any]"
"""``"Text"``, ``("Text", {"value": "$text"})``, or with tags inside as a third."""

_OBJECTS = frozenset({
    "audio", "chat", "hypertext", "image", "list", "paragraphs", "pdf", "table", "text",
    "timeseries", "video",
})  # fmt: skip


def choices(values: Sequence[str], **attributes: str) -> TagForm:
    """Return a ``<Choices>`` for ``LabelConfig.build``.

    >>> choices(["Positive"], choice="multiple")
    ('Choices', {'choice': 'multiple'}, (('Choice', {'value': 'Positive'}, ()),))
    """
    return "Choices", attributes, tuple(_tags("Choice", values))


def labels(values: Sequence[str], tag_type: str = "Labels", **attributes: str) -> TagForm:
    """Return a ``<Labels>``, or another control with labels, for ``LabelConfig.build``.

    >>> labels(["Car"], "RectangleLabels")
    ('RectangleLabels', {}, (('Label', {'value': 'Car'}, ()),))
    """
    return tag_type, attributes, tuple(_tags("Label", values))


def taxonomy(values: Sequence[str | Sequence[Any]], **attributes: str) -> TagForm:
    """Return a ``<Taxonomy>`` for ``LabelConfig.build``; a tuple is a branch and its labels.

    >>> taxonomy([("Animal", "Bird")])
    ('Taxonomy', {}, (('Choice', {'value': 'Animal'}, (('Choice', {'value': 'Bird'}, ()),)),))
    """
    return "Taxonomy", attributes, tuple(_tags("Choice", values))


def _tags(tag: str, values: Sequence[Any]) -> Iterator[tuple[str, dict[str, str], Any]]:
    if isinstance(values, str):
        raise TypeError(f"labels must be a list, not {brief(values)}")
    for value in values:
        first, *rest = (value,) if isinstance(value, str) else value
        yield tag, {"value": first}, tuple(_tags(tag, rest))


def build(tags: Mapping[str, TagForm], mapping: Mapping[str, str], title: str | None) -> str:
    """Return the XML of a config: see ``LabelConfig.build``."""
    named = [_named(name, form) for name, form in tags.items()]
    first = next((own["name"] for tag, own, _ in named if tag.lower() in _OBJECTS), None)
    for tag, own, _ in named:
        if tag.lower() in KINDS and not own.get("toName"):
            about = mapping.get(own["name"], first)
            if about is None:
                raise ValueError(
                    f"<{tag} name={brief(own['name'])}> is about nothing: add an object tag"
                )
            own["toName"] = about
    header = [] if title is None else [("Header", {"value": title}, ())]
    return "\n".join(_lines(("View", {}, [*header, *named]), "")) + "\n"


def _named(name: str, form: TagForm) -> tuple[str, dict[str, str], Any]:
    parts: list[Any] = [form] if isinstance(form, str) else list(form)
    rest: list[Any] = [{}, ()]
    tag, attributes, inside = [*parts, *rest[len(parts) - 1 :]]
    own = {"name": name, **attributes}
    if tag.lower() in _OBJECTS and not own.get("value") and not own.get("valueList"):
        own["value"] = f"${name}"
    return tag, own, inside


def _lines(form: Any, indent: str) -> Iterator[str]:
    tag, own, inside = form
    start = " ".join([f"{indent}<{tag}", *(f"{key}={quoteattr(own[key])}" for key in own)])
    if not inside:
        yield f"{start}/>"
        return
    yield f"{start}>"
    for one in inside:
        yield from _lines(one, f"{indent}  ")
    yield f"{indent}</{tag}>"
