"""Pascal VOC: an XML file of upright boxes beside each image, in whole pixels."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from .._config.shapes import Box
from .._engine.values.files import whole_file
from .._tables.regions import RegionRow
from .report import FormatReport, Tally
from .walk import Fetch, Picture, Walk, label_of, pictures, stem

_DEPTH: Final = "3"
_NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(
    walk: Walk, path: Path, fetch: Fetch | None, name_of: Callable[[str, int], str]
) -> FormatReport:
    """Write the tasks: ``Tasks.to_voc``."""
    annotations, images = path / "Annotations", path / "images"
    annotations.mkdir(parents=True, exist_ok=True)
    images.mkdir(exist_ok=True)
    tally = Tally(path)
    for picture in pictures(walk, tally, images, fetch, name_of):
        content = _described(picture, tally)
        if content is not None:
            indent(content)
            with whole_file(annotations / f"{stem(picture.name)}.xml", shared=True) as out:
                out.write(tostring(content, "utf-8", xml_declaration=True) + b"\n")
    return tally.report()


def _described(picture: Picture, tally: Tally) -> Element | None:
    """Return the description of an image; None for one whose size is not known."""
    if picture.size is None:
        for row in picture.rows:
            tally.leave_out(row, "the size of its image is not known")
        return None
    root = Element("annotation")
    _add(root, folder="images", filename=picture.name)
    _add(SubElement(root, "source"), database="Label Studio", annotation=str(picture.task))
    width, height = picture.size
    _add(SubElement(root, "size"), width=str(width), height=str(height), depth=_DEPTH)
    _add(root, segmented="0")
    for row in picture.rows:
        _add_object(root, row, picture.size, tally)
    return root


def _add(parent: Element, **texts: str) -> None:
    for name, text in texts.items():
        SubElement(parent, name).text = text


def _add_object(root: Element, row: RegionRow, size: tuple[int, int], tally: Tally) -> None:
    place = row.geometry
    if not isinstance(row.mark, Box) or place is None or place.height is None:
        tally.leave_out(row, f"VOC has no {row.kind}")
        return
    if place.rotation:
        tally.leave_out(row, "VOC has no rotated boxes")
        return
    label = label_of(row, tally)
    if label is None:
        return
    if _NOT_IN_XML.search(label):
        tally.leave_out(row, "its label has characters that XML cannot have")
        return
    box = place.scaled(size[0] / 100, size[1] / 100)
    ends = (box.x, box.y, box.x + box.width, box.y + (box.height or 0))
    names = ("xmin", "ymin", "xmax", "ymax")
    one = SubElement(root, "object")
    _add(one, name=label, pose="Unspecified", truncated="0", difficult="0")
    corners = {name: str(round(end)) for name, end in zip(names, ends, strict=True)}
    _add(SubElement(one, "bndbox"), **corners)
    tally.regions += 1
