"""COCO: boxes, polygons and masks of images in one JSON file, in pixels.

A box that is rotated has its corners as the segmentation, and its rotation under ``attributes``, as
CVAT writes it. Ids of images are those of the tasks; annotations are counted from 1, since
pycocotools takes 0 for none.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

from .._config.geometry import area
from .._config.labelconfig import LabelConfig
from .._config.shapes import Box, Brush, Polygon
from .._engine.values.files import whole_file
from .._tables.regions import Geometry, RegionRow
from . import rle
from .geometry import around, box_of, corners
from .read import Drawing, Item, Reading, number_in
from .report import FormatReport, Tally
from .walk import Categories, Fetch, Picture, Walk, label_of, pictures

FILE: Final = "result.json"
"""The file in a folder."""

IMAGES: Final = "images"


def write(
    walk: Walk, path: Path, fetch: Fetch | None, name_of: Callable[[str, int], str]
) -> FormatReport:
    """Write the tasks: ``Tasks.to_coco``."""
    is_file = path.suffix.lower() == ".json"
    target = path if is_file else path / FILE
    folder = target.parent / IMAGES
    (folder if fetch else target.parent).mkdir(parents=True, exist_ok=True)
    tally, categories = Tally(target), _categories(walk)
    with tempfile.TemporaryFile("w+b") as annotations, whole_file(target, shared=True) as out:
        out.write(b'{"info": {"version": "1.0", "contributor": "Label Studio"}, "images": [')
        for number, picture in enumerate(pictures(walk, tally, folder, fetch, name_of)):
            width, height = picture.size or (None, None)
            size = {"width": width, "height": height}
            named = {"file_name": f"{IMAGES}/{picture.name}", "address": picture.address}
            _add(out, {"id": picture.number, **size, **named}, number)
            for one in _annotations(picture, categories, tally):
                tally.regions += 1
                _add(annotations, {"id": tally.regions, **one}, tally.regions - 1)
        listed = [{"id": id, "name": name} for name, id in categories.ids.items()]
        out.write(b'],\n"categories": ' + json.dumps(listed).encode() + b',\n"annotations": [')
        annotations.seek(0)
        while piece := annotations.read(1 << 20):
            out.write(piece)
        out.write(b"]}\n")
    return tally.report()


def _add(out: IO[bytes], row: Mapping[str, Any], number: int) -> None:
    out.write((b",\n" if number else b"\n") + json.dumps(row).encode())


def _categories(walk: Walk) -> Categories:
    fixed: dict[str, int] = {}
    for control in walk.config.controls.values():
        for label in control.label_tags:
            number = label.attributes.get("category", "")
            if number.isdecimal() and int(number) not in fixed.values():
                fixed.setdefault(label.stored, int(number))
    return Categories(walk.labels(), fixed)


def _annotations(
    picture: Picture, categories: Categories, tally: Tally
) -> Iterator[dict[str, Any]]:
    for row in picture.rows:
        shape = _shape(row, picture, tally)
        label = None if shape is None else label_of(row, tally)
        if shape is None or label is None:
            continue
        ids = {"annotation": row.annotation, "prediction": row.prediction, "region": row.region}
        score = picture.score(row)
        yield {
            "image_id": picture.number,
            "category_id": categories.id(label),
            **shape,
            "iscrowd": 0,
            **({} if score is None else {"score": score}),
            **{key: value for key, value in ids.items() if value is not None},
        }


def _shape(row: RegionRow, picture: Picture, tally: Tally) -> dict[str, Any] | None:
    """Return the place of a shape; None for what COCO cannot express."""
    place, size = row.geometry, picture.size
    if isinstance(row.mark, Brush) and size is not None:
        return _mask(row, row.mark, size, tally)
    if not isinstance(row.mark, (Box, Brush)) and not (isinstance(row.mark, Polygon) and place):
        tally.leave_out(row, f"COCO has no {row.kind}")
    elif size is None or place is None:
        tally.leave_out(row, "the size of its image is not known")
    elif isinstance(row.mark, Polygon) and len(place.points) < 3:
        tally.leave_out(row, "it has fewer than three points")
    else:
        return _outline(place.scaled(size[0] / 100, size[1] / 100))
    return None


def _outline(place: Geometry) -> dict[str, Any]:
    if not place.points and not place.rotation:
        box = [place.x, place.y, place.width, place.height or 0.0]
        return {"segmentation": [], "bbox": box, "area": box[2] * box[3]}
    points = place.points or corners(place)
    return {
        "segmentation": [[number for point in points for number in point]],
        "bbox": [*around(points)],
        "area": area(points),
        **({"attributes": {"rotation": place.rotation}} if place.rotation else {}),
    }


def _mask(
    row: RegionRow, mark: Brush, size: tuple[int, int], tally: Tally
) -> dict[str, Any] | None:
    try:
        mask = rle.mask_of(mark.rle, *size)
    except ValueError as error:
        tally.leave_out(row, f"its mask cannot be read: {error}")
        return None
    width, height = size
    return {
        "segmentation": {"size": [height, width], "counts": rle.counts_of(mask, width, height)},
        "bbox": [*map(float, rle.extent(mask, width))],
        "area": float(len(mask) - mask.count(0)),
    }


# -- reading --------------------------------------------------------------------------------------


def read(path: Path, config: LabelConfig, reading: Reading, *, keeps: bool) -> Iterator[Item]:
    """Yield the images of a file: ``Tasks.from_coco``.

    ``keeps`` the addresses of images, where the file has them. Raises ValueError for a file that is
    no COCO.
    """
    content = load(path)
    names = {row["id"]: row["name"] for row in content["categories"]}
    shapes: dict[Any, list[Mapping[str, Any]]] = {}
    for one in content["annotations"]:
        shapes.setdefault(_id(one.get("image_id")), []).append(one)
    for image in content["images"]:
        drawing = Drawing(config, reading, _size(image), str(image["file_name"]))
        for one in shapes.pop(image["id"], ()):
            _draw(drawing, one, str(names.get(_id(one.get("category_id")), "")))
        yield drawing.item(image.get("address") if keeps else None)
    for one in (one for several in shapes.values() for one in several):
        reading.tally.skip(f"annotation {one.get('id')}", "its image is not in the file")


def load(path: Path) -> dict[str, Any]:
    """Return the content of a file. Raises ValueError for one that is no COCO."""
    try:
        content = json.loads(path.read_bytes())
        lists = [content[key] for key in ("images", "annotations", "categories")]
        fine = all(isinstance(row, dict) for rows in lists for row in rows)
        fine = fine and all({"id", "file_name"} <= row.keys() for row in content["images"])
        fine = fine and all({"id", "name"} <= row.keys() for row in content["categories"])
        fine = fine and all(type(row["id"]) in (int, str) for row in content["images"])
        fine = fine and all(type(row["id"]) is int for row in content["categories"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not COCO: {type(error).__name__}: {error}") from None
    if not fine:
        raise ValueError(
            f"{path} is not COCO: an image needs an id and a file_name, a category an id and a name"
        )
    found: dict[str, Any] = content
    return found


def labels_in(path: Path) -> list[str]:
    """Return the labels of a file, in the order of their ids."""
    return [str(row["name"]) for row in sorted(load(path)["categories"], key=lambda row: row["id"])]


def controls_in(path: Path) -> list[str]:
    """Return the types of controls that a file needs: boxes first."""
    found = {_kind(one) for one in load(path)["annotations"]}
    kinds = ("rectanglelabels", "polygonlabels", "brushlabels")
    return [kind for kind in kinds if kind in found] or ["rectanglelabels"]


def _kind(one: Mapping[str, Any]) -> str:
    segmentation, rotation = one.get("segmentation"), _rotation(one)
    if isinstance(segmentation, dict):
        return "brushlabels"
    return "polygonlabels" if segmentation and rotation is None else "rectanglelabels"


def _rotation(one: Mapping[str, Any]) -> float | None:
    attributes = one.get("attributes")
    return number_in(attributes.get("rotation")) if isinstance(attributes, dict) else None


def _id(value: Any) -> int | str | None:
    return value if isinstance(value, (int, str)) else None


def _size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = image.get("width"), image.get("height")
    fine = type(width) is int and type(height) is int and width > 0 and height > 0
    return (width, height) if fine else None  # type: ignore[return-value]


def _draw(drawing: Drawing, one: Mapping[str, Any], label: str) -> None:
    place = f"annotation {one.get('id')}"
    options = {"id": one.get("region"), "score": number_in(one.get("score"))}
    segmentation, box = one.get("segmentation"), one.get("bbox")
    try:
        if isinstance(segmentation, dict):
            drawing.mask(label, _mask_in(segmentation), place, options)
        elif segmentation and _rotation(one):
            points = [*_pairs(segmentation[0])]
            drawing.box(label, box_of(points) if len(points) == 4 else None, place, options)
        elif segmentation:
            for part in segmentation:
                drawing.polygon(label, [*_pairs(part)], place, options)
                options = {**options, "id": None}
        elif isinstance(box, list) and len(box) == 4:
            drawing.upright(label, [*map(float, box)], place, options)
        else:
            raise ValueError("it has neither a box nor a segmentation")
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        drawing.reading.tally.skip(place, str(error))


def _pairs(numbers: Iterable[Any]) -> Iterator[tuple[float, float]]:
    several = [*map(float, numbers)]
    if len(several) < 6 or len(several) % 2:
        raise ValueError("a polygon has three points or more")
    yield from zip(several[::2], several[1::2], strict=True)


def _mask_in(segmentation: Mapping[str, Any]) -> tuple[bytes, int, int]:
    height, width = segmentation["size"]
    counts = segmentation["counts"]
    runs = rle.counts_in(counts) if isinstance(counts, str) else list(counts)
    return rle.mask_from(runs, width, height), width, height
