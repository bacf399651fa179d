"""A labelling config as HTML: its objects, and its controls with their labels in their colours."""

from __future__ import annotations

from .._html.markup import Html, colour, framed, joined, tag
from .._html.tables import table
from .parsed import ParsedConfig
from .tags import ControlTag, Label

_MOST = 100
"""The labels of a control that are shown."""


def picture(config: ParsedConfig) -> Html:
    """Return a table of the objects and one of the controls."""
    objects = [(one.name, one.tag, one.value) for one in config.objects.values()]
    controls = [
        (one.name, one.tag, ", ".join(one.to_name), _labels(one))
        for one in config.controls.values()
    ]
    return framed(
        table(("object", "tag", "shows"), objects) if objects else None,
        table(("control", "tag", "about", "labels"), controls) if controls else None,
        None if objects or controls else "an empty labelling config",
    )


def _labels(control: ControlTag) -> Html:
    some = control.label_tags[:_MOST]
    more = len(control.label_tags) - len(some)
    return joined([*map(_label, some), f"and {more:,} more" if more else None])


def _label(label: Label) -> Html:
    style = f"--lso-c:{colour(label.attributes.get('background'), '/'.join(label.path))}"
    said = " / ".join([*label.path[:-1], label.value])
    alias = None if label.alias is None else f"stored as {label.alias}"
    return tag("span", said, class_="lso-chip", style=style, title=alias)
