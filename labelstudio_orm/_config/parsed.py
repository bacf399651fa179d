"""A parsed labelling config: its controls, objects, relations and the data it shows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from attrs import frozen

from .._engine.values.brief import brief
from .._engine.values.near import unknown
from ..errors import LabelStudioError
from .controls import Control
from .markup import Element, elements
from .tags import Label, ObjectTag

_NEVER_CONTROLS = frozenset({"filter"})
_LABELS = frozenset({"label", "choice"})
_NEVER_OBJECTS = _LABELS | {"header"}
# These are objects, and controls of this kind about themselves.
_ALWAYS_OBJECTS = {"chat": "ChatMessage", "reactcode": "ReactCode"}
_VARIABLE = re.compile(r"\$(\w+)")


@frozen
class Shown:
    """A variable that a tag shows of a task's data.

    ``name`` is the variable as written, ``path`` the keys down to the value. ``tag`` is None where
    any value is valid, ``listed`` means that there is one for each item of a ``<Repeater>``.
    """

    name: str
    path: tuple[str, ...]
    tag: str | None
    listed: bool


class UnknownControl(LabelStudioError, KeyError):
    """The config has no control of this name; the message lists the near misses and the names."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError shows the repr of its message


class ParsedConfig:
    """The parsed XML of a labelling config; ``LabelConfig`` adds the verbs."""

    __slots__ = ("controls", "objects", "relations", "shown", "xml")

    xml: str
    controls: Mapping[str, Control]
    objects: Mapping[str, ObjectTag]
    relations: tuple[str, ...]
    """The labels of relations, the values of the ``<Relation>``s."""
    shown: Mapping[str, Shown]
    """The variables that the config shows of a task's data, by name without the ``$``."""

    def __init__(self, xml: str) -> None:
        """Parse the XML, like ``parse``."""
        found = elements(xml)
        named = _named(found)
        objects = {n: ObjectTag(n, e.tag, e.attributes) for n, e in named.items() if _is_object(e)}
        control_names = [name for name, e in named.items() if _is_control(e)]
        for element in found:
            meant = control_names if element.kind in _NEVER_CONTROLS else objects
            for target in _targets(element):
                if target not in named:
                    raise ValueError(unknown(f"toName of {element} names nothing:", target, meant))
        labels: dict[str, list[Label]] = {name: [] for name in control_names}
        for element in found:
            _add_label(element, labels)
        self.xml = xml
        self.relations = tuple(v for e in found if e.kind == "relation" for v in _stored(e))
        self.shown = MappingProxyType(_shown(found))
        self.objects = MappingProxyType(objects)
        self.controls = MappingProxyType(
            {
                name: Control(
                    name,
                    _ALWAYS_OBJECTS.get(element.kind, element.tag),
                    about := tuple(_targets(element)) or (name,),
                    element.attributes,
                    tuple(labels[name]),
                    tuple(objects[target] for target in about if target in objects),
                    _index_flags(name, element),
                )
                for name, element in named.items()
                if name in labels
            }
        )

    def get(self, name: object) -> Control | None:
        """Return the control of this name, also of one item of a ``<Repeater>``; else None."""
        if not isinstance(name, str):
            return None
        if name in self.controls:
            return self.controls[name]
        return next((c for t in self.controls.values() if (c := t.at(name))), None)

    def __getitem__(self, name: str) -> Control:
        control = self.get(name)
        if control is None:
            raise UnknownControl(
                unknown("the labelling config has no control", str(name), self.controls)
            )
        return control

    def __contains__(self, name: object) -> bool:
        return self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.controls)

    def __len__(self) -> int:
        return len(self.controls)

    def __bool__(self) -> bool:
        return True  # a config without controls is still a config

    def __str__(self) -> str:
        return self.xml

    def __repr__(self) -> str:
        controls = ", ".join(map(str, self.controls.values())) or "no controls"
        return f"<{type(self).__name__}: {controls}>"

    def __eq__(self, other: object) -> bool:
        return self.xml == other.xml if isinstance(other, ParsedConfig) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.xml)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.xml,)


def _targets(element: Element) -> list[str]:
    return element.attributes["toName"].split(",") if "toName" in element.attributes else []


def _named(found: list[Element]) -> dict[str, Element]:
    named: dict[str, Element] = {}
    for element in found:
        name = element.attributes.get("name")
        if name and name in named:
            raise ValueError(f"two tags have the name {brief(name)}: {named[name]} and {element}")
        if name:
            named[name] = element
    return named


def _is_control(element: Element) -> bool:
    about = element.attributes.get("toName") or element.kind in _ALWAYS_OBJECTS
    return bool(about) and element.kind not in _NEVER_CONTROLS


def _is_object(element: Element) -> bool:
    shows = "value" in element.attributes or "valueList" in element.attributes
    plain = "toName" not in element.attributes and element.kind not in _NEVER_OBJECTS
    return element.kind in _ALWAYS_OBJECTS or (plain and shows)


def _add_label(element: Element, labels: dict[str, list[Label]]) -> None:
    value, path = element.attributes.get("value"), _stored(element)
    if element.kind not in _LABELS or not path:
        return  # <Label/> without a value is the button of an empty label
    for outer in element.ancestors():
        if outer.attributes.get("name", "") in labels:
            labels[outer.attributes["name"]].append(
                Label(path[-1] if value is None else value, path, element.attributes)
            )
            return
        if outer.kind == "choice":
            path = _stored(outer) + path


def _stored(element: Element) -> tuple[str, ...]:
    stored = element.attributes.get("alias") or element.attributes.get("value")
    return () if stored is None else (stored,)


def _shown(found: list[Element]) -> dict[str, Shown]:
    shown: dict[str, Shown] = {}
    for element in found:
        value = element.attributes.get("value")
        text = value or element.attributes.get("valueList") or ""
        inside = _VARIABLE.search(text)
        if element.attributes.get("name") and inside:
            name = text[1:] if text.startswith("$") else inside[1]
            path, _, index = name.partition("[")
            if name not in shown or shown[name].tag != "Video":  # to the server that comes first
                tag = element.tag if value else None
                shown[name] = Shown(name, tuple(path.split(".")), tag, bool(index))
    return shown


def _index_flags(name: str, element: Element) -> tuple[str, ...]:
    flags = (
        outer.attributes.get("indexFlag", "{{idx}}")
        for outer in element.ancestors()
        if outer.kind == "repeater"
    )
    return tuple(dict.fromkeys(flag for flag in flags if flag and flag in name))
