"""What a task or a region must be like to fit a labelling config."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .controls import Control, unknown
from .kinds import KINDS
from .labelconfig import LabelConfig
from .markup import elements

_VARIABLE = re.compile(r"\$(\w+)")


class Check:
    """A config, ready to look at many items.

    It says no to data without a key that the config shows, and to regions of a control, an object,
    a type or a label that the config does not have; the rest is the server's business.

    >>> check = Check(config)
    >>> check.problem({"data": {"txt": "a"}})
    "data: the labelling config shows $text, and there is no key 'text'"
    """

    def __init__(self, config: LabelConfig) -> None:
        self.config = config
        self._needed = dict(_needed(config))

    def problem(self, item: Mapping[str, Any]) -> str | None:
        """What is wrong with a task in its full form, and where; None when nothing is."""
        found = self.of_data(item.get("data") or {})
        if found:
            return f"data: {found}"
        for key in ("annotations", "predictions"):
            labelled: Iterable[Mapping[str, Any]] = item.get(key) or ()
            for number, one in enumerate(labelled):
                found = self.of_result(one.get("result") or ())
                if found:
                    return f"{key}[{number}].{found}"
        return None

    def of_data(self, data: Mapping[str, Any]) -> str | None:
        """What is wrong with the data of a task."""
        for name, path in self._needed.items():
            inner: Any = data
            for step in path:
                if not isinstance(inner, Mapping) or step not in inner:
                    return f"the labelling config shows ${name}, and there is no key {step!r}"
                inner = inner[step]
        return None

    def of_result(self, result: Iterable[Mapping[str, Any]]) -> str | None:
        """What is wrong with the regions of a result, and with which."""
        for number, region in enumerate(result):
            found = self._of_region(region)
            if found:
                return f"result[{number}]: {found}"
        return None

    def _of_region(self, region: Mapping[str, Any]) -> str | None:
        if region.get("type") == "relation":
            return None
        name = region.get("from_name")
        control = self.config._find(name)
        if control is None or control.index_flags:
            what = "from_name: the labelling config has no control"
            return unknown(what, str(name), self.config.controls)
        # What is about several objects at once names them all, a pairwise itself.
        objects = (*control.to_name, ",".join(control.to_name), control.name)
        if region.get("to_name") not in objects:
            what = f"to_name: {control} is not about"
            return unknown(what, str(region.get("to_name")), control.to_name)
        return _problem_of_value(control, region)


def _needed(config: LabelConfig) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What the config shows of a task's data: a name as it stands there, and the way to it."""
    for element in elements(config.xml):
        value = element.attributes.get("value", "")
        inside = _VARIABLE.search(value)
        if element.attributes.get("name") and inside:
            name = value[1:] if value.startswith("$") else inside[1]
            yield name, tuple(name.partition("[")[0].split("."))


def _problem_of_value(control: Control, region: Mapping[str, Any]) -> str | None:
    kind = KINDS.get(control.tag.lower())
    if kind is None:  # a control that is not known here
        return None
    if str(region.get("type")).lower() != kind.type:
        return f"type: a region of {control} is {kind.type!r}, not {region.get('type')!r}"
    value = region.get("value")
    if not isinstance(value, Mapping):
        return f"value: a region of {control} needs one"
    if kind.shape is None and "label" not in kind.builders:  # places have more forms than are known
        try:
            kind.read(kind, region)
        except (KeyError, TypeError, ValueError) as error:
            return f"value: this is no {kind.type}: {type(error).__name__} {error}"
    known = control.label_tags and not control.dynamic
    labels = (value.get(kind.key or "") if known else None) or ()
    for label in [labels] if isinstance(labels, str) else labels:
        if not _has_label(control, label):
            shown = label if isinstance(label, str) else " > ".join(map(str, label))
            return unknown(f"value: {control} has no label", shown, control.labels)
    return None


def _has_label(control: Control, label: Any) -> bool:
    if isinstance(label, str):
        return label in control.labels
    return any(one.path == tuple(label) for one in control.label_tags)
