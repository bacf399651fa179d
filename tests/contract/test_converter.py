"""What is written of tasks, held to what the official converter writes of the same ones.

Where they differ on purpose: we number labels as the config has them, and annotations from 1; we
turn boxes of COCO in pixels, and it in percent, which is the same in a square alone; we round
those of VOC; of COCO it has no masks; and it cuts texts into tokens by other rules, which agree on
words and points.
"""

from __future__ import annotations

import json
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from attrs import frozen
from PIL import Image

from labelstudio_orm import LeftOutWarning
from labelstudio_orm._formats import coco, conll, masks, rle, voc, yolo
from labelstudio_orm._formats.walk import Walk
from labelstudio_orm.config import LabelConfig, labels
from labelstudio_orm.testing import _environments as environments
from tests.contract.test_label_interface import OFFICIAL
from tests.unit.test_formats import tasks_of

HERE = Path(__file__).parent / "converter"
LABELS = ["Ant", "Bee", "Cat"]  # in the order in which it numbers them, too
SIZE, SQUARE = (200, 120), (200, 200)
SHAPES = LabelConfig.build(
    {
        "image": "Image",
        "box": labels(LABELS, "RectangleLabels"),
        "outline": labels(LABELS, "PolygonLabels"),
    }
)
BRUSHES = LabelConfig.build({"image": "Image", "brush": labels(LABELS, "BrushLabels")})
TEXTS = LabelConfig.build({"text": "Text", "ner": labels(["PER", "LOC"])})
TEXT = "Ann Lee met Bob Ray in Rio de Janeiro ."


def _box(
    label: str, x: float, y: float, rotation: float = 0, size: tuple[int, int] = SIZE
) -> dict[str, Any]:
    return SHAPES["box"].rectangle(
        label, x=x, y=y, width=22.5, height=11.25, rotation=rotation, size=size
    )


def _polygon(label: str) -> dict[str, Any]:
    return SHAPES["outline"].polygon(label, points=[(5, 5), (50.5, 5), (30, 60.25)], size=SIZE)


BOXES = [[_box("Bee", 1.5, 2), _box("Ant", 50, 50), _polygon("Cat")], [_box("Cat", 7, 8)]]
TURNED = [[_box("Bee", 30, 30, 25), _box("Ant", 50, 50, 190)]]
TURNED_IN_A_SQUARE = [[_box("Bee", 30, 30, 25, SQUARE), _box("Ant", 50, 50, 190, SQUARE)]]
PIXELS = bytes(255 * (n % 7 < 3) for n in range(SIZE[0] * SIZE[1]))
PAINTED = [[BRUSHES["brush"].brush("Bee", rle=rle.encode(PIXELS), size=SIZE)]]
SPANS = [[TEXTS["ner"].label(label, start=start, end=end, text=TEXT[start:end])
          for label, start, end in (("PER", 0, 7), ("PER", 12, 19), ("LOC", 23, 37))]]  # fmt: skip


CASES: dict[str, tuple[LabelConfig, list[list[dict[str, Any]]]]] = {
    "COCO": (SHAPES, BOXES + TURNED_IN_A_SQUARE),
    "YOLO": (SHAPES, BOXES),
    "YOLO_OBB": (SHAPES, TURNED),
    "VOC": (SHAPES, BOXES),
    "CONLL2003": (TEXTS, SPANS),
    "BRUSH_TO_PNG": (BRUSHES, PAINTED),
}


@frozen
class Case:
    """Tasks for both converters: ``walk`` is what ours takes, ``theirs`` the folder it wrote."""

    walk: Walk
    folder: Path

    @property
    def theirs(self) -> Path:
        return self.folder / "theirs"

    @property
    def ours(self) -> Path:
        return self.folder / "ours"


def _case(folder: Path, config: LabelConfig, results: list[list[dict[str, Any]]]) -> Case:
    folder.mkdir()
    tasks = tasks_of(*results, text=TEXT)
    rows = []
    for task in tasks.iterator():
        task.data["image"] = str(folder / f"{task.id}.png")
        first = task.annotations[0].result[0]
        size = (first.get("original_width", 1), first.get("original_height", 1))
        Image.new("RGB", size).save(task.data["image"])
        annotations = [
            {"id": one.id, "result": one.result, "completed_by": 1, "created_at": "2026"}
            for one in task.annotations
        ]
        rows.append({"id": task.id, "data": task.data, "annotations": annotations})
    (folder / "config.xml").write_text(str(config), "utf-8")
    (folder / "tasks.json").write_text(json.dumps(rows), "utf-8")
    return Case(Walk(tasks, config, "annotations", None, None), folder)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """Each case, converted by the official client in an environment of its own."""
    root = tmp_path_factory.mktemp("converter")
    made = {name: _case(root / name, *case) for name, case in CASES.items()}
    jobs = root / "jobs.json"
    jobs.write_text(json.dumps([(name, str(case.folder)) for name, case in made.items()]))
    folder = environments.cache_folder() / OFFICIAL.replace("==", "-")
    python = environments.environment(folder, [OFFICIAL], what=OFFICIAL)
    command = [str(python), str(HERE / "official.py"), str(jobs)]
    subprocess.run(command, check=True, capture_output=True)
    return made


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOutWarning)
        yield


def name_of(address: str, task: int) -> str:
    return address.rpartition("/")[2]


def test_coco(cases: dict[str, Case]) -> None:
    case = cases["COCO"]
    coco.write(case.walk, case.ours, None, name_of)
    ours = json.loads((case.ours / "result.json").read_text())
    theirs = json.loads((case.theirs / "result.json").read_text())
    assert ours["categories"] == theirs["categories"]
    assert [(one["width"], one["height"]) for one in theirs["images"]] == [
        (one["width"], one["height"]) for one in ours["images"]
    ]
    numbers = {one["id"]: place for place, one in enumerate(ours["images"])}
    assert len(ours["annotations"]) == len(theirs["annotations"]) == 6
    for our, their in zip(ours["annotations"], theirs["annotations"], strict=True):
        assert (our["id"], numbers[our["image_id"]]) == (their["id"] + 1, their["image_id"])
        assert (our["category_id"], our["iscrowd"]) == (their["category_id"], their["iscrowd"])
        assert our["bbox"] == pytest.approx(their["bbox"])
        if "attributes" in our:  # the area is that of the box, and not of the one around it
            assert our["area"] == pytest.approx(0.225 * 0.1125 * SQUARE[0] * SQUARE[1])
        else:
            assert our["area"] == pytest.approx(their["area"])
            assert [pytest.approx(one) for one in their["segmentation"]] == our["segmentation"]


FORMS: dict[str, yolo.Form] = {"YOLO": "detect", "YOLO_OBB": "obb"}


@pytest.mark.parametrize("format", FORMS)
def test_yolo(format: str, cases: dict[str, Case]) -> None:
    form = FORMS[format]
    case = cases[format]
    yolo.write(case.walk, case.ours, None, name_of, form)
    assert (case.theirs / "classes.txt").read_text() == (case.ours / "classes.txt").read_text()
    for theirs in (case.theirs / "labels").iterdir():
        ours = next((case.ours / "labels").glob(f"*-{theirs.name}"))
        rows = [[*map(float, line.split())] for line in theirs.read_text().splitlines()]
        if form == "detect":  # it puts polygons beside boxes, which is no data set of either
            rows = [row for row in rows if len(row) == 5]
        found = [[*map(float, line.split())] for line in ours.read_text().splitlines()]
        assert [pytest.approx(row, abs=1e-6) for row in rows] == found


def test_voc(cases: dict[str, Case]) -> None:
    case = cases["VOC"]
    voc.write(case.walk, case.ours, None, name_of)
    for theirs in (case.theirs / "Annotations").iterdir():
        ours = next((case.ours / "Annotations").glob(f"*-{theirs.name}"))
        pair = [ElementTree.parse(path) for path in (ours, theirs)]
        for tag in ("size/width", "size/height", "size/depth", "segmented", "object/name"):
            our, their = ([one.text for one in tree.findall(tag)] for tree in pair)
            assert our == their
        for tag in ("xmin", "ymin", "xmax", "ymax"):
            ends = (tree.findall(f"object/bndbox/{tag}") for tree in pair)
            ours_at, theirs_at = ([int(one.text or "") for one in several] for several in ends)
            assert [pytest.approx(one, abs=2) for one in theirs_at] == ours_at


def test_conll(cases: dict[str, Case]) -> None:
    case = cases["CONLL2003"]
    conll.write(case.walk, case.ours, {"text": "text"})
    theirs = (case.theirs / "result.conll").read_text().splitlines()
    assert [line for line in case.ours.read_text().splitlines() if line] == [
        line for line in theirs if line
    ]


def test_masks(cases: dict[str, Case]) -> None:
    case = cases["BRUSH_TO_PNG"]
    masks.write(case.walk, case.ours)
    (ours,), (theirs,) = case.ours.iterdir(), case.theirs.glob("*.png")
    with Image.open(ours) as our, Image.open(theirs) as their:
        assert (our.size, our.mode, our.tobytes()) == (their.size, their.mode, their.tobytes())
        assert our.tobytes() == PIXELS
