"""Images are downloaded, and come back with their regions, in memory and on a real server."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from labelstudio_orm import LabelStudio
from labelstudio_orm.config import LabelConfig, labels

CONFIG = LabelConfig.build({"image": "Image", "box": labels(["Car", "Bus"], "RectangleLabels")})


def test_images_with_boxes(ls: LabelStudio, other: LabelStudio, tmp_path: Path) -> None:
    project = ls.projects.create(title="Streets", label_config=str(CONFIG))
    local = tmp_path / "a street.png"
    Image.new("RGB", (40, 20), "red").save(local)
    file = project.files.upload(local)
    (task, _) = project.tasks.bulk_create([{"image": f"/data/{file.file}"}] * 2)
    box = CONFIG["box"].rectangle("Bus", x=10, y=20, width=30, height=40, rotation=15)
    task.annotations.create(result=[box])
    task.predictions.create(result=[box], score=0.5, model_version="v1")

    made = project.tasks.download(tmp_path / "copies")
    assert {one.path.read_bytes() for one in made} == {local.read_bytes()}
    report = project.tasks.to_coco(tmp_path / "coco", images=True)
    assert (report.tasks, report.images, report.regions, report.left_out) == (2, 2, 1, ())

    for copies in (ls, other):
        target = copies.projects.create(title="Copies")
        first, second = target.tasks.from_coco(tmp_path / "coco" / "result.json", labels="add")
        assert (first.total_annotations, second.total_annotations) == (1, 0)
        ((read,),) = (annotation.values().values() for annotation in first.annotations)
        (shape,) = read
        assert (shape.labels, shape.original_width) == (("Bus",), 40)
        assert [round(n, 6) for n in (shape.x, shape.y, shape.width, shape.height)] == [
            10, 20, 30, 40,
        ]  # fmt: skip
        assert round(shape.rotation, 6) == 15
        copy = second.download("image", to=tmp_path / "copy.png")
        assert copy.read_bytes() == local.read_bytes()


def test_files_that_the_server_does_not_have(ls: LabelStudio, tmp_path: Path) -> None:
    project = ls.projects.create(title="Nothing", label_config="<View/>")
    addresses = ["s3://nowhere/a.png", "gs://nowhere/a.png"]
    project.tasks.bulk_create([{"image": address} for address in addresses])
    found = project.tasks.download(tmp_path, key="image", on_error="collect").summary
    assert [failure.item.address for failure in found.failed] == addresses
    assert all("404 Not Found" in failure.reason for failure in found.failed)
    assert list(tmp_path.iterdir()) == []
