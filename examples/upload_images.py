"""Create a project from a folder of images, with the boxes that YOLO found as predictions.

    python examples/upload_images.py Street street/

    street/classes.txt        a label on each line
    street/images/a.jpg ...   the images
    street/labels/a.txt ...   their boxes: "<class> <x> <y> <width> <height>", of the centre, 0 to 1

Images that the project already has are skipped, so an interrupted run can be repeated.

The boxes lack ``original_width`` and ``original_height``, which only an image library could find
out. Label Studio's editor adds them when a user submits the boxes; COCO exports need them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from labelstudio_orm import LabelStudio, LabelStudioError
from labelstudio_orm.config import Control

AT_ONCE = 100
"""The most files that the server takes in a request."""


def config(labels: list[str]) -> str:
    tags = "".join(f"<Label value={quoteattr(label)}/>" for label in labels)
    boxes = f'<RectangleLabels name="label" toName="image">{tags}</RectangleLabels>'
    return f'<View><Image name="image" value="$image"/>{boxes}</View>'


def boxes(control: Control, labels: list[str], path: Path) -> list[dict[str, Any]]:
    found = []
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    for place, line in enumerate(lines, start=1):
        try:
            number, *sides = line.split()
            x, y, width, height = map(float, sides)
            label = labels[int(number)]
        except (IndexError, ValueError) as error:
            raise ValueError(f"{path}, line {place}: {error}") from error
        # Rounded numbers may lie a little beyond the edge, where no region may be.
        left, right = (min(100, max(0, 100 * x + side * width)) for side in (-50, 50))
        top, bottom = (min(100, max(0, 100 * y + side * height)) for side in (-50, 50))
        found.append(
            control.rectangle(label, x=left, y=top, width=right - left, height=bottom - top)
        )
    return found


def main(ls: LabelStudio, title: str, name: str) -> None:
    folder = Path(name)
    labels = (folder / "classes.txt").read_text("utf-8").splitlines()
    images = sorted((folder / "images").iterdir())
    project, _ = ls.projects.get_or_create(title=title, defaults={"label_config": config(labels)})
    known = set(project.tasks.values_list("data__name", flat=True).iterator())
    todo = [path for path in images if path.name not in known]
    print(f"{len(images) - len(todo):,} of {len(images):,} images are in {project} already")
    for start in range(0, len(todo), AT_ONCE):
        paths = todo[start : start + AT_ONCE]
        items: list[dict[str, Any]] = []
        for path in paths:
            found = boxes(project.config["label"], labels, folder / "labels" / f"{path.stem}.txt")
            predictions = [{"result": found, "model_version": "yolo"}] if found else []
            items.append({"data": {"name": path.name}, "predictions": predictions})
        job = project.imports.create(file=paths, commit_to_project=False)
        files = project.files.in_bulk(job.file_upload_ids)
        for item, id in zip(items, job.file_upload_ids, strict=True):
            item["data"]["image"] = f"/data/{files[id].file}"
        project.tasks.bulk_create(items)
        print(f"{start + len(paths):,} of {len(todo):,} new ones are in it")


if __name__ == "__main__":
    try:
        with LabelStudio() as ls:
            main(ls, *sys.argv[1:])
    except (LabelStudioError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")
