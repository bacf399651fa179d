"""The labelling config of a project as an object."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from .controls import Control, Label, ObjectTag, unknown
from .markup import Element, elements

_NEVER_CONTROLS = frozenset({"Filter"})
_LABELS = frozenset({"Label", "Choice"})
_NEVER_OBJECTS = _LABELS | {"Header"}
_ALWAYS_OBJECTS = frozenset({"Chat", "ReactCode"})  # where toName names itself they are both


class UnknownControl(KeyError):
    """A name that no control of the config has. The message lists the near misses and the names."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError shows the repr of its message


class LabelConfig:
    """A labelling config: its controls by name, in document order.

    `config[name]` is a `Control` (else `UnknownControl`, a KeyError); `in`, `iter` and `len` are
    about the names of controls. `str(config)` is the XML as given; two configs are equal when
    their texts are.

    Of controls in a `<Repeater>` the template stands under its name (`"score_{{idx}}"`), and
    `config["score_2"]` is the control of one item.

    ```python
    config = LabelConfig.parse(xml)
    region = config["sentiment"].choice("Positive")
    config.values([region])       # {"sentiment": "Positive"}
    ```
    """

    __slots__ = ("controls", "objects", "xml")

    xml: str
    controls: Mapping[str, Control]
    objects: Mapping[str, ObjectTag]

    def __init__(self, xml: str) -> None:
        """The same as `parse`."""
        found = elements(xml)
        named = _named(found)
        for element in found:
            for target in _targets(element):
                if target not in named:
                    raise ValueError(unknown(f"toName of {element} names nothing:", target, named))
        objects = {n: ObjectTag(n, e.tag, e.attributes) for n, e in named.items() if _is_object(e)}
        control_names = {name for name, e in named.items() if _is_control(e)}
        labels: dict[str, list[Label]] = {name: [] for name in control_names}
        for element in found:
            _add_label(element, labels)
        self.xml = xml
        self.objects = MappingProxyType(objects)
        self.controls = MappingProxyType(
            {
                name: Control(
                    name,
                    element.tag,
                    tuple(_targets(element)),
                    element.attributes,
                    tuple(labels[name]),
                    tuple(objects[t] for t in _targets(element) if t in objects),
                    _index_flags(name, element),
                )
                for name, element in named.items()
                if name in control_names
            }
        )

    @classmethod
    def parse(cls, xml: str) -> LabelConfig:
        """The config that this XML says.

        Raises ValueError with line and column (counted from 1) for broken XML, for a name that
        two tags have, and for a `toName` that names nothing; the server refuses all three.
        Tags that are not known here are kept as they are.
        """
        return cls(xml)

    @property
    def data_keys(self) -> frozenset[str]:
        """The keys of a task's data that the config shows: ``{"text"}`` of ``value="$text"``."""
        values = (one.value or "" for one in self.objects.values())
        return frozenset(key for value in values for key in re.findall(r"\$(\w+)", value))

    def values(self, result: object) -> dict[str, Any]:
        """What the regions of an annotation's or a prediction's `result` say, by control.

        * `Choices`: the choice as str, a list of them with `choice="multiple"`; each is a path
          (list of str) with `allowNested`
        * `TextArea`: the text, or a list where there are several; `Rating`, `Number`: the number;
          `DateTime`, `Pairwise`: the text; `Taxonomy`: a list of paths
        * `Labels`, `HyperTextLabels`: a list of `Span`; `RectangleLabels` and the other shapes,
          with labels or without: a list of `Box`, `Ellipse`, `KeyPoint`, `Polygon`, `Brush`
        * a control with `perRegion`: a dict of these by the id of the region that they are about

        A control without a region is absent. Several regions of a control that should have one
        give a list. Regions of a control or of a form that is not known here stand as they are,
        under their `from_name`; what has no `from_name` (relations) is left out. Never raises.
        """
        regions: dict[str, list[Mapping[str, Any]]] = {}
        for region in result if isinstance(result, (list, tuple)) else ():
            if isinstance(region, Mapping) and isinstance(name := region.get("from_name"), str):
                regions.setdefault(name, []).append(region)
        read: dict[str, Any] = {}
        for name, same in regions.items():
            control = self._find(name)
            read[name] = control.read(same) if control else same
        return read

    def _find(self, name: object) -> Control | None:
        if not isinstance(name, str):
            return None
        if name in self.controls:
            return self.controls[name]
        return next((c for t in self.controls.values() if (c := t.at(name))), None)

    def __getitem__(self, name: str) -> Control:
        control = self._find(name)
        if control is None:
            raise UnknownControl(
                unknown("the labelling config has no control", str(name), self.controls)
            )
        return control

    def __contains__(self, name: object) -> bool:
        return self._find(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.controls)

    def __len__(self) -> int:
        return len(self.controls)

    def __bool__(self) -> bool:
        return True  # a config without controls is still a config

    def __str__(self) -> str:
        return self.xml

    def __repr__(self) -> str:
        return f"<LabelConfig: {', '.join(map(str, self.controls.values())) or 'no controls'}>"

    def __eq__(self, other: object) -> bool:
        return self.xml == other.xml if isinstance(other, LabelConfig) else NotImplemented

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
            raise ValueError(f"two tags have the name {name!r}: {named[name]} and {element}")
        if name:
            named[name] = element
    return named


def _is_control(element: Element) -> bool:
    return bool(element.attributes.get("toName")) and element.tag not in _NEVER_CONTROLS


def _is_object(element: Element) -> bool:
    shows = "value" in element.attributes or "valueList" in element.attributes
    plain = "toName" not in element.attributes and element.tag not in _NEVER_OBJECTS
    return element.tag in _ALWAYS_OBJECTS or (plain and shows)


def _add_label(element: Element, labels: dict[str, list[Label]]) -> None:
    value, path = element.attributes.get("value"), _stored(element)
    if element.tag not in _LABELS or not path:
        return  # <Label/> without a value is the button of an empty label
    for outer in element.ancestors():
        if outer.attributes.get("name", "") in labels:
            labels[outer.attributes["name"]].append(
                Label(path[-1] if value is None else value, path, element.attributes)
            )
            return
        if outer.tag == "Choice":
            path = _stored(outer) + path


def _stored(element: Element) -> tuple[str, ...]:
    stored = element.attributes.get("alias") or element.attributes.get("value")
    return () if stored is None else (stored,)


def _index_flags(name: str, element: Element) -> tuple[str, ...]:
    flags = (
        outer.attributes.get("indexFlag", "{{idx}}")
        for outer in element.ancestors()
        if outer.tag == "Repeater"
    )
    return tuple(dict.fromkeys(flag for flag in flags if flag and flag in name))
