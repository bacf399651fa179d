"""Edits of a labelling config's XML as text, which leave everything else as it is.

Comments, order, whitespace and quoting stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, TypeAlias

from attrs import frozen

from .._engine.values.brief import brief
from .._engine.values.near import unknown
from .markup import Element, elements
from .parsed import ParsedConfig
from .tags import ControlTag

Path: TypeAlias = tuple[str, ...]
"""The names from the outermost label down; for a label without branches just its own."""

Edit: TypeAlias = tuple[int, int, str]
"""The start and end of a range in a text, and its replacement."""

# Well-formed XML is taken apart by this exactly, and elements() refuses any other.
_TOKEN = re.compile(
    r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>"
    r"|<(?P<closes>/)?[^\s/>]+(?:[^\"'>]|\"[^\"]*\"|'[^']*')*>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r"([^\s=/<>\"']+)\s*=\s*(\"[^\"]*\"|'[^']*')")
_TAGS = re.compile(f"({_TOKEN.pattern.replace('(?P<closes>/)?', '/?')})", re.DOTALL)
_NAME = re.compile(r"[^\W\d][\w.-]*\Z")

_CONDITIONS = ("whenLabelValue", "whenChoiceValue")
"""Attributes that list labels, separated by commas, of the control that ``whenTagName`` names."""


def path_of(label: str | Sequence[str]) -> Path:
    """Return a label as a path; a str is a path of one step.

    Raises TypeError for anything else, ValueError for an empty one.
    """
    steps = tuple(label) if isinstance(label, (tuple, list)) else (label,)
    for step in steps:
        if not isinstance(step, str):
            raise TypeError(
                f"a label must be a str, or a tuple or list of them, not {brief(label)}"
            )
    if not steps or not all(step.strip() for step in steps):
        raise ValueError(f"a label must have a name: {brief(label)}")
    return steps


def shown(path: Path) -> str:
    """Return a path for messages: ``'Car'``, ``'Animal > Dog'``."""
    return brief(" > ".join(path))


# -- where the tags stand -------------------------------------------------------------------------


@frozen(eq=False)
class Tag:
    """An element and its place in the text, from ``start`` to ``end``.

    Its start tag ends at ``opened``, its end tag begins at ``closing`` (for ``<a/>`` that is the
    same place).
    """

    element: Element
    start: int
    opened: int
    closing: int
    end: int

    @property
    def is_empty(self) -> bool:
        """Return whether it is written as ``<a/>``."""
        return self.opened == self.end

    def attribute(self, xml: str, name: str) -> tuple[int, int] | None:
        """Return the range of an attribute's value, with its quotes; None without the attribute."""
        for found in _ATTRIBUTE.finditer(xml, self.start, self.opened):
            if found[1] == name:
                return found.span(2)
        return None


def tags(xml: str) -> list[Tag]:
    """Return the elements of a config with their places, in document order.

    Raises ValueError for broken XML.
    """
    all_ = elements(xml)
    found: list[tuple[int, int, int, int]] = []
    open_: list[int] = []
    for token in _TOKEN.finditer(xml):
        start, end = token.span()
        if token["closes"]:
            mine = open_.pop()
            found[mine] = (*found[mine][:2], start, end)
        elif xml[start + 1] not in "!?":
            if xml[end - 2] != "/":
                open_.append(len(found))
            found.append((start, end, end, end))
    return [Tag(one, *places) for one, places in zip(all_, found, strict=True)]


@frozen(eq=False)
class LabelTag:
    """The tag of a label, with its path by stored names and by shown names."""

    tag: Tag
    stored: Path
    shown: Path

    def is_at(self, path: Path) -> bool:
        """Return whether a path names it, or one of the branches around it."""
        return path in (self.stored[: len(path)], self.shown[: len(path)])


def label_tags(config: ParsedConfig, control: str) -> list[LabelTag]:
    """Return the tags of a control's labels, in document order."""
    found = []
    for tag in tags(config.xml):
        element = tag.element
        stored, shown_ = _names(element)
        if element.kind not in ("label", "choice") or not stored:
            continue
        for outer in element.ancestors():
            name = outer.attributes.get("name")
            if name in config.controls:
                if name == control:
                    found.append(LabelTag(tag, stored, shown_))
                break
            if outer.kind == "choice":
                more_stored, more_shown = _names(outer)
                stored, shown_ = more_stored + stored, more_shown + shown_
    return found


def _names(element: Element) -> tuple[Path, Path]:
    value, alias = (element.attributes.get(name) for name in ("value", "alias"))
    stored = alias or value
    if stored is None:
        return (), ()
    return (stored,), (stored if value is None else value,)


def find(config: ParsedConfig, control: str, path: Path) -> list[LabelTag]:
    """Return the tags of a label by its stored path, or else by its shown path; usually one."""
    all_ = label_tags(config, control)
    return [one for one in all_ if one.stored == path] or [one for one in all_ if one.shown == path]


def found(config: ParsedConfig, control: str, path: Path) -> list[LabelTag]:
    """Return the tags of a label. Raises ValueError for an unknown label."""
    tags_ = find(config, control, path)
    if not tags_:
        raise ValueError(no_label(config, control, path))
    return tags_


def no_label(config: ParsedConfig, control: str | None, path: Path) -> str:
    """Return the message that a control, or no control at all, has a label."""
    names = config.controls if control is None else [control]
    known = [" > ".join(one.stored) for name in names for one in label_tags(config, name)]
    what = "no control has the label" if control is None else f"{config[control]} has no label"
    return unknown(what, " > ".join(path), known)


def control_of(config: ParsedConfig, label: str | Sequence[str], control: str | None) -> str:
    """Return the name of a control: the given one, or else the only one that has the label.

    Raises UnknownControl (a KeyError) for an unknown name, and ValueError where no control has the
    label, or several have it.
    """
    if control is not None:
        return _written_name(config, control)
    path = path_of(label)
    having = [name for name in config.controls if find(config, name, path)]
    if len(having) > 1:
        both = " and ".join(map(repr, having))
        raise ValueError(f"the controls {both} have a label {shown(path)}: give control=")
    if not having:
        raise ValueError(no_label(config, None, path))
    return having[0]


# -- the edits ------------------------------------------------------------------------------------


def edited(xml: str, edits: Iterable[Edit]) -> str:
    """Return the text with all these edits, of which no two overlap."""
    for start, end, text in sorted(edits, reverse=True):
        xml = xml[:start] + text + xml[end:]
    return xml


def with_label(
    config: ParsedConfig,
    label: str | Sequence[str],
    control: str | None,
    attributes: Mapping[str, Any],
    after: str | Sequence[str] | None = None,
    *,
    first: bool = False,
) -> str:
    """Return the XML of ``LabelConfig.with_label``; ``first``: before the others of its branch."""
    path = path_of(label)
    here = config[control_for(config, control)]
    if len(path) > 1 and not here.nested:
        way = ' unless allowNested="true"' if here.tag.lower() == "choices" else ""
        raise ValueError(f"{here} has no branches{way}: its labels are texts, not {shown(path)}")
    own = {path[-1], str(attributes.get("alias") or path[-1])}
    taken = [name for name in own if find(config, here.name, (*path[:-1], name))]
    if taken:
        raise ValueError(f"{here} already has a label {shown((*path[:-1], taken[0]))}")
    beside = found(config, here.name, path_of(after))[-1] if after is not None else None
    if beside is not None and not _same_parent(beside, path):
        raise ValueError(f"{shown(beside.stored)} and {shown(path)} are not in the same branch")
    known = label_tags(config, here.name)
    branch: LabelTag | None = None
    depth = 0
    while depth < len(path) - 1 and (at := find(config, here.name, path[: depth + 1])):
        branch, depth = at[-1], depth + 1
    kind = _tag_of_labels(here, known)
    text = _written(kind, path[-1], attributes)
    for step in reversed(path[depth:-1]):
        text = f'<{kind} value="{_escaped(step)}">{text}</{kind}>'
    above = branch.stored if branch is not None else ()
    siblings = [one for one in known if one.stored[:-1] == above]
    if first and siblings:
        start = siblings[0].tag.start
        return edited(config.xml, [(start, start, text + margin(config.xml, siblings[0].tag))])
    if beside is not None or siblings:
        tag = (beside or siblings[-1]).tag
        return edited(config.xml, [(tag.end, tag.end, margin(config.xml, tag) + text)])
    outer = branch.tag if branch is not None else _control_tag(config, here)
    return edited(config.xml, [put_inside(config.xml, outer, text)])


def renamed(
    config: ParsedConfig, old: str | Sequence[str], new: str | Sequence[str], control: str | None
) -> str:
    """Return the XML of ``LabelConfig.renamed``."""
    here = config[control_of(config, old, control)]
    changes = renaming(config, here.name, path_of(old), path_of(new))
    edits: list[Edit] = []
    for one, attributes in changes:
        edits += _set(config.xml, one.tag, attributes)
    before, after = stored_names(config, here.name, path_of(old), path_of(new))
    if before != after:
        edits += _conditions(config, here, before, lambda name: [after[-1]])
    return edited(config.xml, edits)


def copied(
    config: ParsedConfig,
    old: str | Sequence[str],
    new: str | Sequence[str],
    control: str,
    note: str = "",
) -> str:
    """Return the config with a label beside another, with the same attributes and branches.

    Removing the other one gives the same as renaming it. ``note``: a comment before the new label.
    """
    here = config[control]
    edits: list[Edit] = []
    for one, attributes in renaming(config, here.name, path_of(old), path_of(new)):
        tag, xml = one.tag, config.xml
        text = edited(xml[: tag.end], _set(xml, tag, attributes))[tag.start :]
        edits.append((tag.end, tag.end, margin(xml, tag) + note + text))
    before, after = stored_names(config, here.name, path_of(old), path_of(new))
    edits += _conditions(config, here, before, lambda name: [name, after[-1]])
    return edited(config.xml, edits)


def also_asked(config: ParsedConfig, label: Path, other: Path, control: str) -> str:
    """Return the config in which tags that depend on one label depend on another one as well."""
    here = config[control]
    return edited(config.xml, _conditions(config, here, label, lambda name: [name, other[-1]]))


def without_label(config: ParsedConfig, label: str | Sequence[str], control: str | None) -> str:
    """Return the XML of ``LabelConfig.without_label``."""
    here, xml = config[control_of(config, label, control)], config.xml
    edits: list[Edit] = []
    for one in found(config, here.name, path_of(label)):
        space = margin(xml, one.tag)
        edits.append((one.tag.start - len(space), one.tag.end, ""))
        edits += _conditions(config, here, one.stored, lambda name: [])
    return edited(xml, dict.fromkeys(edits))


def merged(base: str, ours: str, theirs: str) -> str | None:
    """Return the combination of two edits of one text, tag by tag; None where they overlap."""
    split = [_TAGS.split(text) for text in (base, ours, theirs)]
    edits: list[tuple[int, int, list[str]]] = []
    for tokens in split[1:]:
        matcher = SequenceMatcher(None, split[0], tokens, autojunk=False)
        edits += [
            (start, end, tokens[at:to])
            for kind, start, end, at, to in matcher.get_opcodes()
            if kind != "equal"
        ]
    made: list[str] = []
    last = 0
    for start, end, tokens in sorted(edits):
        if start < last or (start == last and made):
            return None
        made += [*split[0][last:start], *tokens]
        last = end
    return "".join([*made, *split[0][last:]])


def renaming(
    config: ParsedConfig, control: str, old: Path, new: Path
) -> list[tuple[LabelTag, dict[str, str]]]:
    """Return the tags of a label to rename, each with the attributes to set.

    A label with an alias is renamed where it is shown if it was named so, and where it is stored if
    it was named by its alias. Raises ValueError for an unknown label, for a name that is taken, and
    for a path into another branch.
    """
    tags_ = found(config, control, old)
    stays_in_its_branch(config, control, old, new)
    name = new[-1]
    changes = []
    for one in tags_:
        given = one.tag.element.attributes
        names = [key for key in ("value", "alias") if given.get(key) == old[-1]]
        changes.append((one, dict.fromkeys(names, name)))
    taken = [one for one in find(config, control, (*old[:-1], name)) if one not in tags_]
    if taken:
        raise ValueError(
            f"{config[control]} already has a label {shown((*old[:-1], name))}; "
            "merge the labels to join them"
        )
    return changes


def stored_names(config: ParsedConfig, control: str, old: Path, new: Path) -> tuple[Path, Path]:
    """Return the path that regions hold for a label, before and after its renaming."""
    one, attributes = renaming(config, control, old, new)[0]
    given = {**one.tag.element.attributes, **attributes}
    return one.stored, (*one.stored[:-1], given.get("alias") or given["value"])


def stays_in_its_branch(config: ParsedConfig, control: str, old: Path, new: Path) -> None:
    """Raise ValueError for a new name that is a path into another branch."""
    parents = {old[:-1]}
    for one in find(config, control, old[:-1]):
        parents |= {one.stored, one.shown}
    if len(new) > 1 and new[:-1] not in parents:
        raise ValueError(
            f"{shown(old)} cannot be renamed to {shown(new)}, which is in another branch: a label "
            "stays beneath its parent; merge it into the other one to move it"
        )


def _written_name(config: ParsedConfig, control: str) -> str:
    """Return the name of a control in the text: in a ``<Repeater>`` that of all its items."""
    name = config[control].name
    known = config.controls
    return name if name in known else next(n for n, one in known.items() if one.at(name))


def _same_parent(one: LabelTag, path: Path) -> bool:
    return path[:-1] in (one.stored[:-1], one.shown[:-1])


def control_for(config: ParsedConfig, control: str | None) -> str:
    """Return the control for a new label: the given one, or else the only one with labels.

    Raises ValueError where there are none or several.
    """
    if control is not None:
        return _written_name(config, control)
    having = [name for name, one in config.controls.items() if one.label_tags]
    if len(having) == 1:
        return having[0]
    which = f"the controls {', '.join(map(repr, having))} have" if having else "no control has"
    raise ValueError(f"{which} labels: give control=")


def _tag_of_labels(control: ControlTag, known: list[LabelTag]) -> str:
    """Return the tag of this control's labels. Raises ValueError for a control without labels."""
    if known:
        return known[0].tag.element.tag
    kind = control.tag.lower()
    if kind in ("choices", "taxonomy"):
        return "Choice"
    if kind.endswith("labels"):
        return "Label"
    raise ValueError(f"{control} is not a control with labels")


def _control_tag(config: ParsedConfig, control: ControlTag) -> Tag:
    return next(t for t in tags(config.xml) if t.element.attributes.get("name") == control.name)


def _written(kind: str, value: str, attributes: Mapping[str, Any]) -> str:
    parts = [f'<{kind} value="{_escaped(value)}"']
    for name, given in attributes.items():
        if name == "value" or not _NAME.match(name):
            raise ValueError(f"the label {brief(value)} cannot have an attribute {brief(name)}")
        if not isinstance(given, (str, int, float)):
            raise TypeError(f"the attribute {name} of a label must be a text, not {brief(given)}")
        text = str(given).lower() if isinstance(given, bool) else str(given)
        parts.append(f'{name}="{_escaped(text)}"')
    return " ".join(parts) + "/>"


_ESCAPES = {
    "&": "&amp;", "<": "&lt;", ">": "&gt;",
    "\t": "&#9;", "\n": "&#10;", "\r": "&#13;",  # bare, a parser would read spaces
}  # fmt: skip


def _escaped(text: str, quote: str = '"') -> str:
    escapes = {**_ESCAPES, quote: "&quot;" if quote == '"' else "&apos;"}
    return "".join(escapes.get(letter, letter) for letter in text)


def _set(xml: str, tag: Tag, attributes: Mapping[str, str]) -> Iterator[Edit]:
    """Yield edits that change existing attributes of a tag, in the quotes that they have."""
    for name, value in attributes.items():
        place = tag.attribute(xml, name)
        assert place is not None
        start, end = place
        yield start + 1, end - 1, _escaped(value, xml[start])


def with_attributes(xml: str, tag: Tag, attributes: Mapping[str, str]) -> Edit:
    """Return the edit that adds attributes to a tag, after its name."""
    at = tag.start + 1 + len(tag.element.tag)
    return at, at, "".join(f' {name}="{_escaped(text)}"' for name, text in attributes.items())


def removed(xml: str, tag: Tag, name: str) -> Edit:
    """Return the edit that removes an attribute of a tag."""
    place = tag.attribute(xml, name)
    assert place is not None
    return len(xml[: xml.rindex(name, tag.start, place[0])].rstrip()), place[1], ""


def margin(xml: str, tag: Tag) -> str:
    """Return the whitespace before a tag on its line.

    Where nothing else is on the line, that includes the end of the previous line.
    """
    start = tag.start
    while xml[start - 1 : start] in (" ", "\t"):
        start -= 1
    for newline in ("\r\n", "\n", "\r"):
        if xml.endswith(newline, 0, start):
            return xml[start - len(newline) : tag.start]
    return xml[start : tag.start]


def put_inside(xml: str, outer: Tag, text: str) -> Edit:
    """Return the edit that adds text at the end of a tag's content.

    It is on a line of its own where the tag itself is.
    """
    space = margin(xml, outer)
    on_lines = space[:1] in ("\r", "\n")
    before = f"{space}  " if on_lines else ""
    if outer.is_empty:
        name = outer.element.tag
        after = space if on_lines else ""
        return outer.opened - 2, outer.opened, f">{before}{text}{after}</{name}>"
    inside = xml[outer.opened : outer.closing]
    at = outer.opened + len(inside.rstrip())
    return at, at, before + text


def _conditions(
    config: ParsedConfig, control: ControlTag, path: Path, become: Callable[[str], list[str]]
) -> list[Edit]:
    """Return the edits of the attributes by which other tags depend on a label.

    An attribute that would become empty is kept: without it the tag would depend on nothing.
    """
    edits: list[Edit] = []
    for tag in tags(config.xml) if len(path) == 1 else ():
        attributes = tag.element.attributes
        if attributes.get("whenTagName") != control.name:
            continue
        for name in _CONDITIONS:
            listed = attributes.get(name, "").split(",")
            if path[0] not in map(str.strip, listed):
                continue
            wanted: list[str] = []
            for one in listed:
                same = one.strip() == path[0]
                wanted += [one.replace(path[0], to) for to in become(path[0])] if same else [one]
            distinct = {one.strip(): one for one in reversed(wanted)}
            if distinct:
                edits += _set(config.xml, tag, {name: ",".join(reversed(distinct.values()))})
    return edits
