"""A project of the images in a folder, with the boxes that YOLO found in them as predictions.

    python examples/upload_images.py Street street/

    street/classes.txt        a label on each line
    street/images/a.jpg ...   the images
    street/labels/a.txt ...   their boxes: "<class> <x> <y> <width> <height>", of the centre, 0 to 1

Images that the project has already are left out, so it may be interrupted, and run again.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from labelstudio_orm import LabelStudio
from labelstudio_orm.config import Control

AT_ONCE = 100
"""Files that the server takes in a request."""


def config(labels: list[str]) -> str:
    tags = "".join(f"<Label value={quoteattr(label)}/>" for label in labels)
    boxes = f'<RectangleLabels name="label" toName="image">{tags}</RectangleLabels>'
    return f'<View><Image name="image" value="$image"/>{boxes}</View>'


def boxes(control: Control, labels: list[str], path: Path) -> list[dict[str, Any]]:
    found = []
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        number, x, y, width, height = line.split()
        w, h = 100 * float(width), 100 * float(height)
        left, top = 100 * float(x) - w / 2, 100 * float(y) - h / 2
        found.append(control.rectangle(labels[int(number)], x=left, y=top, width=w, height=h))
    return found


def main(ls: LabelStudio, title: str, name: str) -> None:
    folder = Path(name)
    labels = (folder / "classes.txt").read_text("utf-8").splitlines()
    project, _ = ls.projects.get_or_create(title=title, defaults={"label_config": config(labels)})
    known = set(project.tasks.values_list("data__name", flat=True).iterator())
    todo = [path for path in sorted((folder / "images").iterdir()) if path.name not in known]
    for start in range(0, len(todo), AT_ONCE):
        paths = todo[start : start + AT_ONCE]
        job = project.imports.create(file=paths, commit_to_project=False)
        files = project.files.in_bulk(job.file_upload_ids)
        items = []
        for path, id in zip(paths, job.file_upload_ids, strict=True):
            found = boxes(project.config["label"], labels, folder / "labels" / f"{path.stem}.txt")
            predictions = [{"result": found, "model_version": "yolo"}] if found else []
            data = {"image": f"/data/{files[id].file}", "name": path.name}
            items.append({"data": data, "predictions": predictions})
        project.tasks.bulk_create(items)
        print(f"{start + len(paths):,} of {len(todo):,} images are in {project}")


if __name__ == "__main__":
    with LabelStudio() as ls:
        main(ls, *sys.argv[1:])
