"""The union of labelling configs: controls and labels of others, with all their attributes."""

from __future__ import annotations

from collections import defaultdict

from attrs import field, frozen

from .._engine.values.brief import brief
from .editing import (
    Edit,
    LabelTag,
    Path,
    Tag,
    edited,
    label_tags,
    margin,
    put_inside,
    removed,
    shown,
    tags,
    with_attributes,
)
from .parsed import ParsedConfig
from .tags import ControlTag


@frozen
class _Joined:
    """The result of comparing two configs: edits of the first, whole controls of the second.

    ``conflicts`` are different statements about a label; ``given_up``: edits of the second config
    after which the first one's statement holds. ``mismatches`` cannot be resolved.
    """

    edits: list[Edit] = field(factory=list)
    whole: list[str] = field(factory=list)
    conflicts: list[str] = field(factory=list)
    given_up: list[Edit] = field(factory=list)
    mismatches: list[str] = field(factory=list)


def joined(config: ParsedConfig, other: ParsedConfig, *, keeps_own: bool) -> str:
    """Return the XML of ``LabelConfig.union`` for one other config."""
    found = _compare(config, other)
    if found.given_up and keeps_own:
        found = _compare(config, ParsedConfig(edited(other.xml, dict.fromkeys(found.given_up))))
    problems = [*found.mismatches, *([] if keeps_own else found.conflicts)]
    if problems:
        hint = "" if found.mismatches else '; conflicts="first" keeps the version of this one'
        raise ValueError(f"the labelling configs conflict: {'; '.join(problems)}{hint}")
    if found.whole:
        root = tags(config.xml)[0]
        text = ("\n  " if "\n" in config.xml else "").join(found.whole)
        found.edits.append(put_inside(config.xml, root, text))
    return edited(config.xml, found.edits)


def _compare(config: ParsedConfig, other: ParsedConfig) -> _Joined:
    found = _Joined()
    keys = {
        key: tag.element.attributes.get("value", "")
        for tag in tags(config.xml)
        if (key := tag.element.attributes.get("hotkey"))
    }
    for name, theirs in other.controls.items():
        ours = config.controls.get(name)
        if ours is None:
            _whole(config, other, theirs, found)
        elif ours.tag.lower() != theirs.tag.lower():
            found.mismatches.append(f"{ours} is a {theirs.tag} in the other one")
        elif lacks := set(theirs.to_name) - set(ours.to_name):
            found.mismatches.append(f"{ours} is about {', '.join(sorted(lacks))} in the other one")
        else:
            _labels(config, other, ours, keys, found)
    return found


def _whole(config: ParsedConfig, other: ParsedConfig, control: ControlTag, found: _Joined) -> None:
    """Add a missing control as it is written, after everything else."""
    missing = [name for name in control.to_name if name not in config.objects]
    if missing:
        found.mismatches.append(f"{control} is about {', '.join(missing)}, which this one lacks")
        return
    tag = next(t for t in tags(other.xml) if t.element.attributes.get("name") == control.name)
    found.whole.append(_text(other, tag))


def _labels(
    config: ParsedConfig,
    other: ParsedConfig,
    control: ControlTag,
    keys: dict[str, str],
    found: _Joined,
) -> None:
    mine = label_tags(config, control.name)
    here = {one.stored: one for one in mine}
    new: defaultdict[Path, list[str]] = defaultdict(list)
    for one in label_tags(other, control.name):
        known = here.get(one.stored)
        if known is not None:
            _attributes(config, other, known, one, keys, found)
            continue
        taken = [
            label
            for label in mine
            if label.stored[:-1] == one.stored[:-1]
            and {label.stored[-1], label.shown[-1]} & {one.stored[-1], one.shown[-1]}
        ]
        if taken:
            found.mismatches.append(
                f"{control} shows {shown(taken[0].shown)} and stores {shown(taken[0].stored)}, the "
                f"other one stores {shown(one.stored)}"
            )
            continue
        if _is_taken(one, keys, found):
            found.given_up.append(removed(other.xml, one.tag, "hotkey"))
        if one.stored[:-1] in here or len(one.stored) == 1:  # else it comes with its branch
            new[one.stored[:-1]].append(_text(other, one.tag))
    for branch, texts in new.items():
        found.edits.append(_put(config, control, mine, branch, texts))


def _put(
    config: ParsedConfig, control: ControlTag, mine: list[LabelTag], branch: Path, texts: list[str]
) -> Edit:
    """Return the edit that adds new labels after those of their branch."""
    beside = [one for one in mine if one.stored[:-1] == branch]
    if beside:
        last = beside[-1].tag
        space = margin(config.xml, last)
        return last.end, last.end, "".join(f"{space}{text}" for text in texts)
    outer = next((one.tag for one in mine if one.stored == branch), None)
    if outer is None:
        named = (t for t in tags(config.xml) if t.element.attributes.get("name") == control.name)
        outer = next(named)
    return put_inside(config.xml, outer, "".join(texts))


def _is_taken(one: LabelTag, keys: dict[str, str], found: _Joined) -> bool:
    """Return whether another label has the hotkey of a new one."""
    key = one.tag.element.attributes.get("hotkey", "")
    if key in keys:
        found.conflicts.append(
            f"the hotkey {brief(key)} of {shown(one.stored)} is that of {brief(keys[key])}"
        )
    return key in keys


def _attributes(
    config: ParsedConfig,
    other: ParsedConfig,
    ours: LabelTag,
    theirs: LabelTag,
    keys: dict[str, str],
    found: _Joined,
) -> None:
    """Add the attributes that only the other config has for a label."""
    mine = ours.tag.element.attributes
    more = {}
    for name, value in theirs.tag.element.attributes.items():
        if name not in mine:
            if name == "hotkey" and _is_taken(theirs, keys, found):
                found.given_up.append(removed(other.xml, theirs.tag, name))
            else:
                more[name] = value
        elif mine[name] != value:
            found.conflicts.append(
                f"the {name} of {shown(ours.stored)} is {brief(mine[name])}, "
                f"in the other one {brief(value)}"
            )
            found.given_up.append(removed(other.xml, theirs.tag, name))
    if more:
        found.edits.append(with_attributes(config.xml, ours.tag, more))


def _text(config: ParsedConfig, tag: Tag) -> str:
    return config.xml[tag.start : tag.end]
