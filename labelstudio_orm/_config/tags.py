"""The tags of a labelling config, and what can be read from them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs
from attrs import field, frozen

from .._engine.values.brief import brief, cut
from .kinds import KINDS

if TYPE_CHECKING:
    from typing_extensions import Self


@frozen
class ObjectTag:
    """A tag that shows a part of the task (``<Text name="text" value="$text"/>``).

    ``attributes`` are all attributes as written.
    """

    name: str
    tag: str
    attributes: Mapping[str, str] = field(hash=False, repr=False)

    @property
    def value(self) -> str | None:
        """Return the ``value`` or ``valueList`` attribute as written, or None."""
        return self.attributes.get("value", self.attributes.get("valueList"))


@frozen
class Label:
    """A ``<Choice>`` or ``<Label>``.

    ``value`` is what annotators see, ``path`` the stored names from the outermost choice down to
    this one.
    """

    value: str
    path: tuple[str, ...]
    attributes: Mapping[str, str] = field(hash=False, repr=False)

    @property
    def stored(self) -> str:
        """Return the name that regions hold: the alias, else the value."""
        return self.path[-1]

    @property
    def alias(self) -> str | None:
        """Return the ``alias`` attribute or None."""
        return self.attributes.get("alias")

    @property
    def hint(self) -> str | None:
        """Return the ``hint`` attribute or None."""
        return self.attributes.get("hint")


@frozen
class ControlTag:
    """A tag to label with, as written in the config; ``Control`` adds the builders."""

    name: str = field(repr=brief)
    tag: str = field(repr=brief)
    to_name: tuple[str, ...] = field(repr=brief)
    attributes: Mapping[str, str] = field(hash=False, repr=False)
    label_tags: tuple[Label, ...] = field(default=(), repr=False)
    objects: tuple[ObjectTag, ...] = field(default=(), repr=False)
    index_flags: tuple[str, ...] = field(default=(), repr=False)
    _by_kind: Mapping[str, str] = field(
        init=False,
        eq=False,
        repr=False,
        default=attrs.Factory(lambda self: _lowered(self.attributes), takes_self=True),
    )

    def __str__(self) -> str:
        return f"<{cut(self.tag, 40)} name={brief(self.name)}>"

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the values that regions may hold, in document order: aliases where there are."""
        return tuple(dict.fromkeys(label.stored for label in self.label_tags))

    @property
    def multiple(self) -> bool:
        """Return whether one region may hold several labels (``choice="multiple"``)."""
        return self.attribute("choice") == "multiple"

    @property
    def nested(self) -> bool:
        """Return whether labels are paths: in a ``Taxonomy``, and with ``allowNested="true"``."""
        tag = self.tag.lower()
        allowed = tag == "choices" and self.attribute("allowNested") == "true"
        return allowed or tag == "taxonomy"

    @property
    def per_region(self) -> bool:
        """Return whether its values are about single regions (``perRegion="true"``)."""
        return self.attribute("perRegion") == "true"

    @property
    def per_item(self) -> bool:
        """Return whether its values are about single items of the object (``perItem="true"``)."""
        return self.attribute("perItem") == "true"

    @property
    def dynamic(self) -> bool:
        """Return whether choices come from the task or from a URL, so any value is allowed."""
        sources = [self.attribute("value"), *(label.value for label in self.label_tags)]
        return bool(self.attribute("apiUrl")) or any(s.startswith("$") for s in sources)

    @property
    def builders(self) -> tuple[str, ...]:
        """Return the names of the methods that build its regions: none for an unknown tag."""
        kind = KINDS.get(self.tag.lower())
        return kind.builders if kind else ()

    def attribute(self, name: str) -> str:
        """Return an attribute as written, or an empty text; the case of its name does not count."""
        return self._by_kind.get(name.lower(), "")

    def at(self, name: str) -> Self | None:
        """Return this control of a ``<Repeater>`` for one index; None for another name.

        ``"score_{{idx}}"`` at ``"score_2"`` is the control of the third item.
        """
        if not self.index_flags:
            return None
        groups = {flag: f"index{n}" for n, flag in enumerate(self.index_flags)}
        pattern = re.escape(self.name)
        for flag, group in groups.items():
            first, again = f"(?P<{group}>[0-9]+)", f"(?P={group})"
            pattern = pattern.replace(re.escape(flag), first, 1).replace(re.escape(flag), again)
        match = re.fullmatch(pattern, name)
        if match is None:
            return None

        def indexed(template: str) -> str:
            for flag, group in groups.items():
                template = template.replace(flag, match[group])
            return template

        return attrs.evolve(
            self,
            name=name,
            to_name=tuple(map(indexed, self.to_name)),
            objects=tuple(attrs.evolve(o, name=indexed(o.name)) for o in self.objects),
            index_flags=(),
        )


def most_stars(control: ControlTag) -> float | None:
    """Return the most stars of a ``Rating``; None where ``maxRating`` is not a number."""
    return as_float(control.attribute("maxRating") or "5")


def _lowered(attributes: Mapping[str, str]) -> Mapping[str, str]:
    return {name.lower(): value for name, value in attributes.items()}


def as_float(text: str) -> float | None:
    """Return the number that a text says; None where it says none."""
    try:
        return float(text) if text else None
    except ValueError:
        return None
