"""The configs of a change of labels: before it, during it and after it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen

from .._config import editing
from .._config.controls import Control
from .._config.editing import Path, find, shown
from .._config.labelconfig import LabelConfig
from .results import Relabelling


@frozen
class Plan:
    """The config before, between (with the old and the new labels) and after, and the new labels.

    ``missing`` is the message about labels that the config does not have: the change was made
    already, or they are misspelt. ``halfway``: the config has some of them, so it cannot have been
    made already.
    """

    what: str
    control: str
    before: str
    between: str
    after: str
    becomes: Mapping[Path, Path | None] = field(factory=dict)
    note: str = ""
    missing: str = ""
    halfway: bool = False

    @property
    def relabelling(self) -> Relabelling | None:
        """Return the change of results; None where nothing changes.

        Raises ValueError where regions do not say whose label they have.
        """
        if not self.becomes:
            return None
        config = LabelConfig(self.between)
        control = config[self.control]
        for other in config.controls.values():
            if _share_a_video(config, control, other) and any(
                find(config, other.name, path) for path in self.becomes
            ):
                raise ValueError(
                    f"{control} and {other} have the same labels for one video: its regions do not "
                    "say which of them they are of"
                )
        return Relabelling(control, self.becomes)


def _share_a_video(config: LabelConfig, control: Control, other: Control) -> bool:
    """Return whether regions of a video may hold labels of both controls."""
    tags = {one.tag.lower() for one in config.controls.values()}
    return (
        control.name != other.name
        and control.tag.lower() == other.tag.lower() == "labels"
        and bool(tags & {"videorectangle", "videovector"})
        and bool(set(control.to_name) & set(other.to_name))
    )


def _control(config: LabelConfig, control: str | None, *groups: Sequence[Path]) -> str:
    """Return the control: the given one, or the one with labels of the first of these groups."""
    if control is not None:
        return config[control].name
    for group in groups:
        having = [n for n in config.controls if any(find(config, n, path) for path in group)]
        if len(having) > 1:
            names = " and ".join(map(repr, having))
            labels = " or ".join(map(shown, group))
            raise ValueError(f"the controls {names} have a label {labels}: give control=")
        if having:
            return having[0]
    return editing.control_of(config, groups[0][0], None)  # raises, naming the near misses


def _note(control: str, old: Path, new: Path) -> str:
    """Return a comment that marks a renaming in progress, so the two labels count as one."""
    text = json.dumps({"control": control, "renaming": old, "to": new}, ensure_ascii=False)
    return "<!-- " + text.replace("-", "\\u002d") + " -->"  # two hyphens would end it


def renaming(config: LabelConfig, old: Path, new: Path, control: str | None) -> Plan:
    """Return the plan of ``Labels.rename``."""
    what = f"renaming the label {shown(old)} to {shown(new)}"
    name = _control(config, control, [old], [(*old[:-1], new[-1])])
    here, there = config[name], find(config, name, old)
    if there:
        old = (*there[0].stored[:-1], old[-1])
    editing.stays_in_its_branch(config, name, old, new)
    target = (*old[:-1], new[-1])
    known = find(config, name, target)
    if not there and (known or here.dynamic):
        # It has been renamed already, or comes from the tasks: what is left is what holds it.
        missing = editing.no_label(config, name, old)
        xmls = config.xml, config.xml, config.xml
        return Plan(what, name, *xmls, {old: target}, missing=missing)
    note = _note(name, old, target)
    before = LabelConfig(config.xml.replace(note, ""))
    if known and before.xml != config.xml:
        before = before.without_label(target, name)
    after = before.renamed(old, new, name).xml
    was, becomes = editing.stored_names(before, name, old, new)
    if was != becomes:
        between = editing.copied(before, old, new, name, note)
        return Plan(what, name, before.xml, between, after, {was: becomes}, note)
    others = [one.stored for one in editing.label_tags(before, name)]
    paths = {} if old in others else {old: target}
    return Plan(what, name, before.xml, after, after, paths)


def merging(config: LabelConfig, labels: Sequence[Path], into: Path, control: str | None) -> Plan:
    """Return the plan of ``Labels.merge``."""
    sources = [path for path in dict.fromkeys(labels) if path != into]
    if not sources:
        raise ValueError("merge() needs labels to merge")
    name = _control(config, control, sources, [into])
    here = config[name]
    what = f"merging the labels {', '.join(map(shown, sources))} into {shown(into)}"
    tags = {path: find(config, name, path) for path in sources}
    there = list({found[0].stored: path for path, found in tags.items() if found}.values())
    missing = "; ".join(editing.no_label(config, name, path) for path in sources if not tags[path])
    between = config
    if not find(config, name, into) and not here.dynamic:
        if missing:  # and nothing has been begun
            raise ValueError(missing)
        if there[0][:-1] == into[:-1]:
            between = LabelConfig(editing.copied(config, there[0], into, name))
        else:
            between = config.with_label(into, name)
    target = find(between, name, into)
    stored = target[0].stored if target else into
    becomes: dict[Path, Path | None] = {}
    for path in sources:
        for one in find(between, name, path):
            becomes[one.stored] = stored
            _branches_fit(between, name, one, stored)
        becomes.setdefault(path, stored)
    for path in there:
        source = find(between, name, path)[0].stored
        between = LabelConfig(editing.also_asked(between, source, stored, name))
    after = between
    for path in there:
        after = after.without_label(path, name)
    halfway = bool(missing and there) and not here.dynamic
    xmls = config.xml, between.xml, after.xml
    return Plan(what, name, *xmls, becomes, missing=missing, halfway=halfway)


def _branches_fit(config: LabelConfig, control: str, one: editing.LabelTag, into: Path) -> None:
    depth = len(one.stored)
    if one.stored == into[:depth] or into == one.stored[: len(into)]:
        raise ValueError(
            f"{shown(one.stored)} and {shown(into)} are on one path: rename or remove instead"
        )
    for other in editing.label_tags(config, control):
        if other.stored[:depth] == one.stored and not find(
            config, control, (*into, *other.stored[depth:])
        ):
            raise ValueError(
                f"{shown(one.stored)} has a branch {shown(other.stored[depth:])} that "
                f"{shown(into)} lacks: add it there, or merge it first"
            )


def removal(config: LabelConfig, path: Path, control: str | None, regions: str) -> Plan:
    """Return the plan of ``Labels.remove``; ``regions`` is "refuse" or "drop"."""
    what = f"removing the label {shown(path)}"
    if control is None and not any(find(config, name, path) for name in config.controls):
        missing = editing.no_label(config, None, path)
        return Plan(what, "", config.xml, config.xml, config.xml, missing=missing)
    name = _control(config, control, [path])
    found = find(config, name, path)
    stored = found[0].stored if found else path
    after = config.without_label(path, name).xml if found else config.xml
    missing = "" if found else editing.no_label(config, name, path)
    becomes: dict[Path, Path | None] = {stored: None} if regions == "drop" else {}
    return Plan(what, name, config.xml, config.xml, after, becomes, missing=missing)


def addition(
    config: LabelConfig, path: Path, control: str | None, attributes: Mapping[str, Any]
) -> Plan:
    """Return the plan of ``Labels.add``."""
    name = editing.control_for(config, control)
    what = f"adding the label {shown(path)}"
    if len(path) > 1 and config[name].dynamic:
        raise ValueError(
            f"{config[name]} takes its labels from the tasks: {shown(path)} must be added to "
            "their data"
        )
    found = find(config, name, path)
    for one in found:
        given = one.tag.element.attributes
        for key, value in attributes.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if given.get(key) != text:
                raise ValueError(
                    f"{config[name]} already has a label {shown(path)}, with "
                    f"{key}={given.get(key)!r:.80}"
                )
    after = config if found else config.with_label(path, name, **attributes)
    return Plan(what, name, config.xml, after.xml, after.xml)


def taken_back(config: LabelConfig, job: Mapping[str, Any]) -> tuple[str, str]:
    """Return the config with the labels of before and after a job, and the one after its undoing.

    Where the config was edited since, the labels that the job removed are put back, and those that
    it added are removed.
    """
    name, xml, note = job["control"], config.xml, job["note"]
    between = job["between"].replace(note, "")
    if not name or xml == job["before"]:
        return xml, xml
    if xml.replace(note, "") in (between, job["after"]):
        return between, job["before"]
    edited = LabelConfig(xml.replace(note, ""))
    before, after = LabelConfig(job["before"]), LabelConfig(job["after"])
    stays = [one.stored for one in editing.label_tags(before, name)]
    goes = [one.stored for one in editing.label_tags(after, name) if one.stored not in stays]
    both = _with_labels_of(before, edited, name)
    for base in (job["after"], between):
        text = editing.merged(base, job["before"], edited.xml)
        if text is not None and name in (final := LabelConfig(text)):
            there = [one.stored for one in editing.label_tags(final, name)]
            if set(stays) <= set(there) and not set(goes) & set(there):
                return both.xml, text
    final = both
    for path in goes:
        if find(final, name, path):
            final = final.without_label(path, name)
    return both.xml, final.xml


def _with_labels_of(before: LabelConfig, config: LabelConfig, control: str) -> LabelConfig:
    """Return the config with the labels that it lacks, each after the one that it followed."""
    last: dict[Path, Path] = {}
    for one in editing.label_tags(before, control):
        if not find(config, control, one.stored):
            given = dict(one.tag.element.attributes)
            path = (*one.stored[:-1], given.pop("value", one.stored[-1]))
            beside = last.get(path[:-1])
            text = editing.with_label(config, path, control, given, beside, first=beside is None)
            config = LabelConfig(text)
        last[one.stored[:-1]] = one.stored
    return config
