"""Exports with images, and of shapes that lack the size of their image."""

from __future__ import annotations

import base64
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm import LabelStudio, Project
from labelstudio_orm.errors import MissingSizeWarning, ServerError

Asked = Callable[[], list[str]]

CONFIG = """<View><Image name="image" value="$image"/>
<RectangleLabels name="box" toName="image"><Label value="Boat"/></RectangleLabels></View>"""
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5Erk"
    "Jggg=="
)
BOX: dict[str, Any] = {
    "id": "r1",
    "from_name": "box",
    "to_name": "image",
    "type": "rectanglelabels",
    "value": {
        "x": 1,
        "y": 1,
        "width": 50,
        "height": 50,
        "rotation": 0,
        "rectanglelabels": ["Boat"],
    },
}
NAMED = r"annotation \d+ of task \d+, result\[0\].*original_width"
SIZED = {**BOX, "original_width": 90, "original_height": 60}


@pytest.fixture
def boats(ls: LabelStudio, tmp_path: Path) -> Iterator[Project]:
    project = ls.projects.create(title="Boats", label_config=CONFIG)
    (tmp_path / "dot.png").write_bytes(DOT)
    project.files.upload(tmp_path / "dot.png")
    yield project
    ls.request("DELETE", f"/api/projects/{project.id}/")


def exported(export: Callable[[], Path]) -> Path | None:
    """The file, or None: the server in memory knows no formats in pixels, and says so."""
    try:
        return export()
    except ServerError as error:
        if error.status != 501:
            raise
        return None


def labelled(project: Project, number: int, region: dict[str, Any]) -> None:
    image = f"/data/{project.files.first().file}"  # type: ignore[union-attr]
    project.tasks.bulk_create(
        [
            {"data": {"image": image, "n": n}, "annotations": [{"result": [region]}]}
            for n in range(number)
        ]
    )


def test_a_shape_without_a_size_is_named_before_a_format_fails(
    boats: Project, asked: Asked, tmp_path: Path
) -> None:
    labelled(boats, 2, BOX)
    asked()
    for format in ("COCO", "COCO_WITH_IMAGES"):
        with pytest.raises(
            ValueError, match=r"annotation \d+ of task \d+, result\[0\].*original_width"
        ):
            boats.export(format, tmp_path / "boats.zip")
        with pytest.raises(ValueError, match="original_width"):
            boats.tasks.filter(id__gt=0).export(format, tmp_path / "boats.zip")
    assert not any(one.endswith("/export") for one in asked())
    for format in ("VOC", "YOLO"):
        with pytest.warns(MissingSizeWarning, match="original_width"):
            exported(lambda: boats.export(format, tmp_path / "boats.zip"))  # noqa: B023


def test_shapes_with_a_size_are_exported_without_a_word(boats: Project, tmp_path: Path) -> None:
    labelled(boats, 2, SIZED)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        boats.export("JSON", tmp_path / "boats.json")
        path = exported(lambda: boats.export("COCO", tmp_path / "boats.zip"))
    if path is not None:
        with zipfile.ZipFile(path) as archive:
            assert b'"bbox"' in archive.read("result.json")


def test_many_tasks_with_images_are_all_or_three_hundred(
    boats: Project, asked: Asked, tmp_path: Path
) -> None:
    labelled(boats, 302, SIZED)
    tasks = boats.tasks.filter(id__gt=0)
    asked()
    with pytest.raises(ValueError, match="up to 300 chosen tasks"):
        tasks[:301].export("YOLO_WITH_IMAGES", tmp_path / "boats.zip")
    with pytest.raises(ValueError, match="no export format"):
        tasks[:301].export("YOLI_WITH_IMAGES", tmp_path / "boats.zip")
    assert {one.split()[0] for one in asked()} == {"GET"}
    for some, number in ((tasks, 302), (tasks[:300], 300)):
        path = exported(lambda: some.export("YOLO_WITH_IMAGES", tmp_path / "boats.zip"))  # noqa: B023
        if path is None:
            return
        with zipfile.ZipFile(path) as archive:
            names = [one.split("/")[0] for one in archive.namelist() if one[-1] != "/"]
        assert names.count("labels") in (1, number)
        assert names.count("images") in (1, number)


def test_no_snapshot_has_images(boats: Project, asked: Asked, tmp_path: Path) -> None:
    labelled(boats, 1, SIZED)
    snapshot = boats.exports.create(title="May").wait()
    asked()
    for verb in (
        lambda: snapshot.download(tmp_path / "boats.zip", "COCO_WITH_IMAGES"),
        lambda: snapshot.convert("YOLO_WITH_IMAGES"),
        lambda: snapshot.convert("COCO", download_resources=True),
    ):
        with pytest.raises(ValueError, match=r"project\.export"):
            verb()
    assert not asked()


@pytest.mark.parametrize(("format", "wanted"), [("YOLO", True), ("COCO_WITH_IMAGES", False)])
def test_the_name_of_a_format_says_whether_it_has_images(
    boats: Project, asked: Asked, tmp_path: Path, format: str, wanted: bool
) -> None:
    asked()
    with pytest.raises(ValueError, match="by its name"):
        boats.export(format, tmp_path / "boats.zip", download_resources=wanted)
    assert not asked()
