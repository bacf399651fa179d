"""Labelling configs joined: controls and labels of others, with all attributes of their tags."""

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
    """What joining two configs takes: edits of the first, whole controls of the second, and where
    they say different things. ``given_up``: edits of the second after which the first one's word
    stands.
    """

    edits: list[Edit] = field(factory=list)
    whole: list[str] = field(factory=list)
    conflicts: list[str] = field(factory=list)
    given_up: list[Edit] = field(factory=list)
    misfits: list[str] = field(factory=list)


def joined(config: ParsedConfig, other: ParsedConfig, *, keeps_own: bool) -> str:
    """See ``LabelConfig.union``."""
    found = _compare(config, other)
    if found.given_up and keeps_own:
        found = _compare(config, ParsedConfig(edited(other.xml, dict.fromkeys(found.given_up))))
    problems = [*found.misfits, *([] if keeps_own else found.conflicts)]
    if problems:
        hint = "" if found.misfits else '; conflicts="first" keeps what this one says'
        raise ValueError(f"two labelling configs say different things: {'; '.join(problems)}{hint}")
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
            found.misfits.append(f"{ours} is a {theirs.tag} in the other one")
        elif lacks := set(theirs.to_name) - set(ours.to_name):
            found.misfits.append(f"{ours} is about {', '.join(sorted(lacks))} in the other one")
        else:
            _labels(config, other, ours, keys, found)
    return found


def _whole(config: ParsedConfig, other: ParsedConfig, control: ControlTag, found: _Joined) -> None:
    """A control that is not here comes as it is written, behind all the rest."""
    missing = [name for name in control.to_name if name not in config.objects]
    if missing:
        found.misfits.append(f"{control} is about {', '.join(missing)}, which is not here")
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
            found.misfits.append(
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
    """New labels stand behind those of their branch."""
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
    """Whether a new label has the hotkey of another one here."""
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
    """What only the other one says of a label is said here too."""
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
