"""YOLO: a text file of labels beside each image, in fractions of it, in Ultralytics' folders.

A data set has one form: ``detect`` (upright boxes), ``obb`` (boxes by their corners) or ``segment``
(polygons, also those of boxes).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from .._config.labelconfig import LabelConfig
from .._config.shapes import Box, Polygon
from .._engine.values.files import whole_file
from .._tables.regions import Geometry, RegionRow
from .geometry import box_of, corners
from .images import size_of
from .read import Drawing, Item, Reading
from .report import FormatReport, Tally
from .walk import Categories, Fetch, Picture, Walk, label_of, pictures, stem

Form: TypeAlias = Literal["detect", "obb", "segment"]

_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".avif")
_CLASSES: Final = "classes.txt"
"""The names of labels, which some programs put beside the labels."""


def write(
    walk: Walk, path: Path, fetch: Fetch | None, name_of: Callable[[str, int], str], form: Form
) -> FormatReport:
    """Write the tasks: ``Tasks.to_yolo``."""
    check_form(form)
    labels, images = path / "labels", path / "images"
    labels.mkdir(parents=True, exist_ok=True)
    images.mkdir(exist_ok=True)
    tally, categories = Tally(path), Categories(walk.labels())
    for picture in pictures(walk, tally, images, fetch, name_of):
        lines = [*_lines(picture, categories, tally, form)]
        with whole_file(labels / f"{stem(picture.name)}.txt", shared=True) as out:
            out.write("".join(f"{line}\n" for line in lines).encode())
        tally.regions += len(lines)
    names = [*categories.ids]
    _write(path / _CLASSES, "".join(f"{' '.join(name.split())}\n" for name in names))
    quoted = {id: json.dumps(name, ensure_ascii=False) for name, id in categories.ids.items()}
    listed = "".join(f"  {id}: {name}\n" for id, name in quoted.items())
    _write(path / "data.yaml", f"path: .\ntrain: images\nval: images\nnames:\n{listed}")
    return tally.report()


def check_form(form: str) -> None:
    """Raise ValueError for anything but a form of data sets."""
    if form not in get_args(Form):
        raise ValueError(f'form must be "detect", "obb" or "segment", not {form!r:.80}')


def _write(path: Path, text: str) -> None:
    with whole_file(path, shared=True) as out:
        out.write(text.encode())


def _lines(picture: Picture, categories: Categories, tally: Tally, form: Form) -> Iterator[str]:
    for row in picture.rows:
        numbers = _numbers(row, picture, tally, form)
        label = label_of(row, tally) if numbers else None
        if numbers and label is not None:
            shown = " ".join(f"{number:.12g}" for number in numbers)
            yield f"{categories.id(label)} {shown}"


def _numbers(row: RegionRow, picture: Picture, tally: Tally, form: Form) -> list[float]:
    """Return the fractions of the image that a line has; none for what it cannot express."""
    place, mark = row.geometry, row.mark
    if not isinstance(mark, (Box, Polygon)) or place is None:
        tally.leave_out(row, f"YOLO has no {row.kind}")
    elif isinstance(mark, Polygon) and form != "segment":
        tally.leave_out(row, f'a polygon is of the form "segment", and not "{form}"')
    elif isinstance(mark, Polygon) and len(place.points) < 3:
        tally.leave_out(row, "it has fewer than three points")
    elif isinstance(mark, Polygon):
        return [number / 100 for point in place.points for number in point]
    elif form == "detect" and place.rotation:
        tally.leave_out(row, 'a rotated box is of the form "obb" or "segment", not "detect"')
    elif form == "detect":
        assert place.height is not None
        middle = (place.x + place.width / 2, place.y + place.height / 2)
        return [number / 100 for number in (*middle, place.width, place.height)]
    else:
        size = picture.size or (None if place.rotation else (100, 100))
        if size is not None:
            points = corners(place.scaled(size[0] / 100, size[1] / 100))
            return [number for x, y in points for number in (x / size[0], y / size[1])]
        tally.leave_out(row, "it is rotated, and the size of its image is not known")
    return []


# -- reading --------------------------------------------------------------------------------------


def labels_in(path: Path) -> list[str]:
    """Return the labels of a data set, by their numbers: of ``data.yaml``, else ``classes.txt``."""
    classes, described = path / _CLASSES, path / "data.yaml"
    names = _names(described.read_text("utf-8-sig")) if described.is_file() else []
    if not names and classes.is_file():
        lines = classes.read_text("utf-8-sig").splitlines()
        names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise ValueError(f"{path} has neither data.yaml nor classes.txt that name its labels")
    return names


_NAME: Final = re.compile(
    r"""(?:(\d+)\s*:\s+|-\s+)?("(?:\\.|[^"\\])*"|'(?:''|[^'])*'|[^\s"'#][^\n]*?)\s*(?:\s\#.*)?$"""
)
"""A line of a description: a number or a dash, perhaps, then a name, and a comment."""

_INLINE: Final = re.compile(
    r"""(?:(\d+)\s*:\s+)?("(?:\\.|[^"\\])*"|'(?:''|[^'])*'|[^\s"',\[\]{}][^,\[\]{}]*?)\s*(?=[,\]}])"""
)
"""The same between commas in brackets."""


def _names(text: str) -> list[str]:
    """Return the names in a description, as Ultralytics and other programs write them.

    Raises ValueError for names that are not numbered from 0.
    """
    begin = re.search(r"^names:[ \t]*", text, re.MULTILINE)
    if begin is None:
        return []
    rest = text[begin.end() :]
    if rest[:1] in ("[", "{"):
        found = [one.groups() for one in _INLINE.finditer(rest, 1, _end_of(rest))]
    else:
        lines = takewhile(lambda line: line[:1] in ("", " ", "-", "#"), rest.splitlines()[1:])
        matches = (_NAME.match(line.strip()) for line in lines if line.strip()[:1] not in ("", "#"))
        found = [one.groups() for one in matches if one]
    numbers = [place if number is None else int(number) for place, (number, _) in enumerate(found)]
    if sorted(numbers) != [*range(len(numbers))]:
        raise ValueError("the names in data.yaml are not numbered from 0 without gaps")
    names = dict(zip(numbers, (_plain(name) for _, name in found), strict=True))
    return [names[number] for number in range(len(names))]


def _end_of(text: str) -> int:
    """Return where a list or an object in brackets ends, behind its last bracket."""
    inside = re.compile(r"""[^"'\]}]|"(?:\\.|[^"\\])*"|'(?:''|[^'])*'|['"]""")
    at = 0
    while (one := inside.match(text, at)) is not None:
        at = one.end()
    return at + 1


def _plain(text: str) -> str:
    with suppress(ValueError):
        if text.startswith('"'):
            return str(json.loads(text))
    is_quoted = len(text) > 1 and text[0] == text[-1] == "'"
    return text[1:-1].replace("''", "'") if is_quoted else text


def read(
    path: Path, config: LabelConfig, reading: Reading, form: Form, images: Path | None
) -> Iterator[Item]:
    """Yield the images of a data set: ``Tasks.from_yolo``.

    Images of a name have the labels of that name, also in folders (``train``, ``val``). Without
    ``images`` the files of labels are taken, whose images have the same names.
    """
    check_form(form)
    names = labels_in(path)
    folder = path / "labels"
    if not folder.is_dir():
        raise ValueError(f"{path} has no folder labels")
    local: dict[str, list[str | None]] = {}
    for name in [] if images is None else _files(images, _SUFFIXES):
        local.setdefault(stem(name), []).append(name)
    for name in _files(folder, (".txt",)):
        if name != _CLASSES:
            local.setdefault(stem(name), [None])
    for name, image in sorted((name, one) for name, several in local.items() for one in several):
        lines = folder / f"{name}.txt"
        size = None if image is None or images is None else size_of(images / image)
        drawing = Drawing(config, reading, size, image or name, scale=size or (100, 100))
        text = lines.read_text("utf-8-sig") if lines.is_file() else ""
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                _draw(drawing, line.split(), names, f"{name}.txt, line {number}", form)
        yield drawing.item()


def _files(folder: Path, suffixes: Sequence[str]) -> list[str]:
    """Return the files in a folder and those in it, below it: ``train/a.png``."""
    found = (one for one in folder.rglob("*") if one.suffix.lower() in suffixes and one.is_file())
    return sorted(one.relative_to(folder).as_posix() for one in found)


def _draw(
    drawing: Drawing, parts: Sequence[str], names: Sequence[str], where: str, form: Form
) -> None:
    try:
        if not 0 <= (number := int(parts[0])) < len(names):
            raise ValueError(f"the data set has no label {number}")
        label = names[number]
        width, height = drawing.scale or (1, 1)
        numbers = [*map(float, parts[1:])]
        score = numbers.pop() if len(numbers) % 2 else None
        points = [(x * width, y * height) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
        options = {"score": score}
        if form == "detect":
            (x, y), (across, down) = points
            place = Geometry(x - across / 2, y - down / 2, across, down)
            drawing.box(label, place, where, options)
        elif form == "obb":
            box = box_of(points)
            if box.rotation and drawing.size is None:
                raise ValueError("it is rotated, and the size of its image is not known")
            drawing.box(label, box, where, options)
        else:
            drawing.polygon(label, points, where, options)
    except ValueError as error:
        drawing.reading.tally.skip(where, str(error) or "it has other numbers than this form")
