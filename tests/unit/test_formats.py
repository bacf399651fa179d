"""Files of other programs: what is written is read back as it was, and what is not is listed."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as masks_of_coco
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from labelstudio_orm import LabelStudio, LeftOutWarning, Project
from labelstudio_orm._formats import coco, conll, geometry, images, rle, voc, yolo
from labelstudio_orm._formats import masks as masks_of
from labelstudio_orm._formats.read import Item, Reading
from labelstudio_orm._formats.report import Tally
from labelstudio_orm._formats.walk import Walk
from labelstudio_orm._tables.regions import Geometry
from labelstudio_orm.config import LabelConfig, choices, labels
from labelstudio_orm.testing import FakeLabelStudio

LABELS = ["Person", "Car", "Traffic light"]
CONFIG = LabelConfig.build(
    {
        "image": "Image",
        "box": labels(LABELS, "RectangleLabels"),
        "outline": labels(LABELS, "PolygonLabels"),
        "brush": labels(LABELS, "BrushLabels"),
        "dot": labels(LABELS, "KeyPointLabels"),
        "mood": choices(["good"]),
    }
)
TEXTS = LabelConfig.build({"text": "Text", "ner": labels(["PER", "LOC", "Work of art"])})
SIZE = (64, 48)
NAMED: Callable[[str, int], str] = lambda address, task: address.rpartition("/")[2]  # noqa: E731

percents = st.floats(0, 100).map(lambda number: round(number, 6))
names = st.sampled_from(LABELS)


upright = st.just(0.0)


@st.composite
def boxes(draw: st.DrawFn, rotation: st.SearchStrategy[float] = upright) -> dict[str, Any]:
    x, y = draw(st.floats(0, 90)), draw(st.floats(0, 90))
    width, height = draw(st.floats(0.5, 100 - x)), draw(st.floats(0.5, 100 - y))
    angle = draw(rotation)
    return CONFIG["box"].rectangle(
        draw(names), x=x, y=y, width=width, height=height, rotation=angle, size=SIZE
    )


polygons = st.builds(
    lambda label, points: CONFIG["outline"].polygon(label, points=points, size=SIZE),
    names,
    st.lists(st.tuples(percents, percents), min_size=3, max_size=6),
)
masks = st.builds(
    lambda label, pixels: CONFIG["brush"].brush(label, rle=rle.encode(bytes(pixels)), size=(5, 4)),
    names,
    st.lists(st.sampled_from([0, 255]), min_size=20, max_size=20).filter(any),
)
turned = boxes(st.floats(0.1, 359.9))


def tasks_of(*results: list[dict[str, Any]], **data: Any) -> Any:
    """What a queryset of tasks gives, each with an annotation of one of the results."""
    tasks = [
        SimpleNamespace(
            id=number,
            data={"image": f"/data/upload/1/{number}.png", **data},
            annotations=[SimpleNamespace(id=100 + number, result=result, was_cancelled=False)],
        )
        for number, result in enumerate(results, start=1)
    ]
    found = SimpleNamespace(iterator=lambda: iter(tasks))
    found.only = found.prefetch = lambda *_: found
    return found


def walk(*results: list[dict[str, Any]], config: LabelConfig = CONFIG, **data: Any) -> Walk:
    return Walk(tasks_of(*results, **data), config, "annotations", None, None)


def same(read: list[dict[str, Any]], written: list[dict[str, Any]], near: float = 1e-6) -> bool:
    """Whether regions are the same, but for their ids and the rounding of numbers."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            value = {"rotation": 0, **value} if "width" in value and "height" in value else value
            return {key: plain(one) for key, one in sorted(value.items()) if key != "id"}
        return [plain(one) for one in value] if isinstance(value, (list, tuple)) else value

    def alike(one: Any, other: Any) -> bool:
        if isinstance(one, dict) and isinstance(other, dict):
            return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
        if isinstance(one, list) and isinstance(other, list):
            return len(one) == len(other) and all(map(alike, one, other))
        if isinstance(one, (int, float)) and isinstance(other, (int, float)):
            return abs(one - other) <= near
        return bool(one == other)

    return alike(plain(read), plain(written))


def read_back(read: Callable[[Reading], Iterator[Item]]) -> list[Item]:
    tally = Tally(Path("there"))
    found = [*read(Reading(tally))]
    assert tally.left_out == []
    return found


# -- round trips ----------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.one_of(boxes(), turned, polygons), max_size=4), max_size=3))
def test_coco_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, results: list[list[dict[str, Any]]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "coco.json"
    report = coco.write(walk(*results), path, None, NAMED)
    assert (report.regions, report.left_out) == (sum(map(len, results)), ())
    items = read_back(lambda reading: coco.read(path, CONFIG, reading, keeps=True))
    assert [item.address for item in items] == [
        f"/data/upload/1/{n}.png" for n in range(1, len(results) + 1)
    ]
    assert all(same(item.regions, result) for item, result in zip(items, results, strict=True)), (
        results
    )


@settings(max_examples=25, deadline=None)
@given(st.lists(masks, max_size=3))
def test_masks_are_read_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, result: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "masks.json"
    coco.write(walk(result), path, None, NAMED)
    (item,) = read_back(lambda reading: coco.read(path, CONFIG, reading, keeps=True))
    assert same(item.regions, result)


FORMS: dict[yolo.Form, Any] = {
    "detect": boxes(),
    "obb": st.one_of(boxes(), turned),
    "segment": polygons,
}


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_yolo_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, form: yolo.Form, data: st.DataObject
) -> None:
    result = data.draw(st.lists(FORMS[form], max_size=4))
    path = tmp_path_factory.getbasetemp() / f"yolo-{form}"
    image = path / "images" / "1-1.png"
    if not image.exists():
        image.parent.mkdir(parents=True)
        Image.new("L", SIZE).save(image)
    report = yolo.write(walk(result), path, None, NAMED, form)
    assert (report.regions, report.left_out) == (len(result), ())
    (item,) = read_back(lambda reading: yolo.read(path, CONFIG, reading, form, path / "images"))
    assert item.name == "1-1.png"
    assert same(item.regions, result, 1e-5)
    assert yolo.labels_in(path) == LABELS == yolo._names((path / "data.yaml").read_text())


words = st.lists(
    st.sampled_from(["Ann", "Rio", "sings", ",", "Łódź", "it's", "#", "."]), min_size=1
)


@settings(max_examples=25, deadline=None)
@given(words, st.data())
def test_conll_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, tokens: list[str], data: st.DataObject
) -> None:
    starts = [len(" ".join(tokens[:n])) + (n > 0) for n in range(len(tokens))]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(tokens)), max_size=6)))
    text = " ".join(tokens)
    result = []
    for first, end in zip(cuts[::2], cuts[1::2], strict=False):
        start, stop = starts[first], starts[end - 1] + len(tokens[end - 1])
        label = data.draw(st.sampled_from(["PER", "LOC", "Work of art"]))
        result.append(TEXTS["ner"].label(label, start=start, end=stop, text=text[start:stop]))
    path = tmp_path_factory.getbasetemp() / "a.conll"
    report = conll.write(walk(result, config=TEXTS, text=text), path, {"text": "text"})
    assert (report.regions, report.left_out) == (len(result), ())
    (item,) = read_back(lambda reading: conll.read(path, TEXTS, reading))
    assert item.text == text
    assert same(item.regions, result)


def test_json_lines_are_imported_as_they_were(ls: LabelStudio, tmp_path: Path) -> None:
    first = ls.projects.create(title="First", label_config=str(CONFIG))
    box = CONFIG["box"].rectangle("Car", x=1, y=2, width=3, height=4, size=SIZE)
    (task,) = first.tasks.bulk_create([{"data": {"image": "/a.png"}, "meta": {"n": 1}}])
    task.annotations.create(result=[box], ground_truth=True, lead_time=2.5)
    task.predictions.create(result=[box], score=0.5, model_version="v1")
    report = first.tasks.to_jsonl(tmp_path / "tasks.jsonl")
    assert (report.tasks, report.regions) == (1, 2)
    (line,) = (tmp_path / "tasks.jsonl").read_text().splitlines()
    second = ls.projects.create(title="Second", label_config=str(CONFIG))
    (copy,) = second.tasks.bulk_create([json.loads(line)])
    ((annotation,), (prediction,)) = copy.annotations, copy.predictions
    assert (copy.data, copy.meta) == (task.data, {"n": 1})
    assert (annotation.result, annotation.ground_truth, annotation.lead_time) == ([box], True, 2.5)
    assert (prediction.result, prediction.score, prediction.model_version) == ([box], 0.5, "v1")


# -- what others say ------------------------------------------------------------------------------


def test_pycocotools_loads_and_scores(tmp_path: Path) -> None:
    generator = random.Random(1)
    results = []
    for _ in range(5):
        pixels = bytes(generator.choice([0, 0, 255]) for _ in range(64)) * 48
        results.append(
            [
                CONFIG["box"].rectangle("Car", x=10, y=20, width=30, height=40, size=SIZE),
                CONFIG["box"].rectangle("Person", x=40, y=20, width=30, height=20, rotation=30,
                                        size=SIZE),
                CONFIG["outline"].polygon("Car", points=[(5, 5), (50, 5), (5, 60)], size=SIZE),
                CONFIG["brush"].brush("Traffic light", rle=rle.encode(pixels), size=SIZE),
            ]
        )  # fmt: skip
    coco.write(walk(*results), tmp_path / "a.json", None, NAMED)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(tmp_path / "a.json"))
        for one in truth.anns.values():
            if one["segmentation"]:
                area = masks_of_coco.area(truth.annToRLE(one))
                assert abs(area - one["area"]) <= 0.02 * one["area"] + 60
        found = truth.loadRes([{**one, "score": 0.9} for one in truth.anns.values()])
        for kind in ("bbox", "segm"):
            scored = COCOeval(truth, found, kind)
            if kind == "segm":
                scored.params.catIds = [2]
            scored.evaluate()
            scored.accumulate()
            scored.summarize()
            assert scored.stats[0] == pytest.approx(1)
    assert [truth.cats[number]["name"] for number in sorted(truth.cats)] == LABELS


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_runs_are_those_of_pycocotools(width: int, height: int, data: st.DataObject) -> None:
    pixels = data.draw(st.binary(min_size=width * height, max_size=width * height).map(
        lambda some: bytes(255 * (one % 2) for one in some)))  # fmt: skip
    array = numpy.frombuffer(pixels, numpy.uint8).reshape(height, width) // 255
    theirs = masks_of_coco.encode(numpy.asfortranarray(array))
    ours = rle.counts_of(pixels, width, height)
    assert rle.counts_in(theirs["counts"].decode()) == (ours if array.any() else [width * height])
    assert rle.mask_from(ours, width, height) == pixels
    assert rle.mask_of(rle.encode(pixels), width, height) == pixels
    x, y, across, down = masks_of_coco.toBbox(theirs)
    assert rle.extent(pixels, width) == (x, y, across, down) or not array.any()


def test_a_png_is_what_pillow_reads(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(images.png(3, 2, bytes(range(6))))
    with Image.open(path) as image:
        assert (image.mode, image.size, image.tobytes()) == ("L", (3, 2), bytes(range(6)))
    assert images.size_of(path) == (3, 2)
    (tmp_path / "b.png").write_bytes(b"no")
    with pytest.raises(ValueError, match=r"b\.png is not an image"):
        images.size_of(tmp_path / "b.png")


@given(st.floats(0, 1000), st.floats(0, 1000), st.floats(1, 1000), st.floats(1, 1000),
       st.floats(0, 359))  # fmt: skip
def test_corners_give_the_box(
    x: float, y: float, width: float, height: float, rotation: float
) -> None:
    box = geometry.box_of(geometry.corners(Geometry(x, y, width, height, rotation)))
    assert (box.x, box.y, box.width, box.height) == pytest.approx((x, y, width, height))
    assert min(abs(box.rotation - rotation), 360 - abs(box.rotation - rotation)) < 1e-6


# -- what cannot be said --------------------------------------------------------------------------


def box(label: str = "Car", **options: Any) -> dict[str, Any]:
    where = {"x": 10, "y": 10, "width": 10, "height": 10, "size": SIZE}
    return CONFIG["box"].rectangle(label, **{**where, **options})


LEFT_OUT = {
    "keypoint": (CONFIG["dot"].keypoint("Car", x=1, y=1, size=SIZE), "no keypointlabels"),
    "choice": (CONFIG["mood"].choice("good", to_name="image"), "no choices"),
    "relation": ({"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"},
                 "on no image"),
    "no size": ({key: value for key, value in box().items() if "original" not in key},
                "size of its image is not known"),
    "other image": ({**box(), "item_index": 3}, "no such image"),
    "other object": ({**box(), "to_name": "text"}, "on no image"),
    "no value": ({**box(), "value": {"x": "a"}}, "no rectanglelabels"),
    "no label": ({**box(), "value": {**box()["value"], "rectanglelabels": []}}, "no label"),
    "mask": (CONFIG["brush"].brush("Car", rle=[1, 2, 3], size=SIZE), "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_coco_cannot_say_is_listed(case: str, tmp_path: Path) -> None:
    region, reason = LEFT_OUT[case]
    path = tmp_path / "a.json"
    with pytest.warns(LeftOutWarning, match="report.left_out lists"):
        report = coco.write(walk([box()], [region]), path, None, NAMED)
    (one,) = report.left_out
    assert reason in one.reason
    assert (one.task, one.annotation, one.region) == (2, 102, region.get("id"))
    assert report.regions == 1 == len(json.loads(path.read_text())["annotations"])


def test_what_forms_of_yolo_cannot_say_is_listed(tmp_path: Path) -> None:
    polygon = CONFIG["outline"].polygon("Car", points=[(1, 1), (2, 2), (1, 2)], size=SIZE)
    result = [box(), box(rotation=20), polygon]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOutWarning)
        left = {
            form: [one.region for one in yolo.write(
                walk(result), tmp_path / form, None, NAMED, form).left_out]
            for form in ("detect", "obb", "segment")
        }  # fmt: skip
    ids = [one["id"] for one in result]
    assert left == {"detect": ids[1:], "obb": ids[2:], "segment": []}


def test_spans_that_overlap_are_listed(tmp_path: Path) -> None:
    spans = [TEXTS["ner"].label("PER", start=start, end=end) for start, end in
             ((0, 3), (2, 6), (3, 4), (7, 12))]  # fmt: skip
    with pytest.warns(LeftOutWarning):
        report = conll.write(
            walk(spans, config=TEXTS, text="Ann Smith ran"), tmp_path / "a", {"text": "text"}
        )
    assert [(one.region, one.reason) for one in report.left_out] == [
        (spans[2]["id"], "it marks no token of the text"),
        (spans[1]["id"], "it overlaps with another span"),
    ]


def test_what_a_file_has_that_cannot_be_read_is_listed(tmp_path: Path) -> None:
    image = {"id": 1, "width": 10, "height": 10, "file_name": "a.png"}
    odd: list[dict[str, Any]] = [
        {"bbox": [1, 1, 1]}, {"bbox": ["a", 1, 1, 1]}, {}, {"segmentation": [[1, 2]]},
        {"segmentation": {"size": [2, 2], "counts": [3]}}, {"bbox": [1, 1, 2, 2], "image_id": 5},
        {"bbox": [1, 1, 2, 2], "image_id": []}, {"bbox": [1, 1, 2, 2], "category_id": {}},
        {"bbox": [1, 1, 2, 10**400]}, {"segmentation": 5}, {"segmentation": [["a"] * 6]},
        {"segmentation": {"size": [2]}}, {"bbox": [1, 1, 2, 2], "region": 5},
        {"segmentation": [[1, 1, 2, 2, 3, 3, 4, 4]], "attributes": {"rotation": 5}},
    ]  # fmt: skip
    rows: list[dict[str, Any]] = [
        {"id": n, "image_id": 1, "category_id": 1, **one} for n, one in enumerate(odd)
    ]
    rows.append({"id": 99, "image_id": 1, "category_id": 1, "bbox": [-5, 1, 10, 20]})
    content = {"images": [image], "annotations": rows, "categories": [{"id": 1, "name": "Car"}]}
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    tally = Tally(path)
    (item,) = coco.read(path, CONFIG, Reading(tally), keeps=True)
    assert {one.place for one in tally.left_out} == {f"annotation {n}" for n in (*range(14), 99)}
    (region,) = item.regions
    assert (region["value"]["x"], region["value"]["width"]) == (0, 50)
    for text in (
        "[]",
        "{}",
        "no",
        '{"images": [{}], "annotations": [], "categories": []}',
        '{"images": [], "annotations": [], "categories": [{"id": [], "name": 1}]}',
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match="is not COCO"):
            coco.load(path)


# -- on a server ----------------------------------------------------------------------------------


@pytest.fixture
def project(ls: LabelStudio, tmp_path: Path) -> Project:
    made = ls.projects.create(title="Streets", label_config=str(CONFIG))
    local = tmp_path / "street.png"
    Image.new("RGB", SIZE, "red").save(local)
    file = made.files.upload(local)
    task = made.tasks.create(data={"image": f"/data/{file.file}"})
    region = {key: value for key, value in box().items() if "original" not in key}
    task.annotations.create(result=[region])
    task.annotations.create(result=[box("Person")], was_cancelled=True)
    task.predictions.create(result=[box("Traffic light")], score=0.25, model_version="v1")
    made.tasks.create(data={"image": f"/data/{file.file}"})
    return made


def test_images_are_copied_and_give_sizes(project: Project, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    report = project.tasks.to_coco(
        tmp_path / "coco", images=True, workers=2, progress=lambda *now: seen.append(now)
    )
    assert (report.tasks, report.images, report.regions, report.left_out) == (2, 2, 1, ())
    assert seen[-1] == (2, None)
    content = json.loads((tmp_path / "coco" / "result.json").read_text())
    assert [(one["width"], one["height"]) for one in content["images"]] == [SIZE, SIZE]
    assert all((tmp_path / "coco" / one["file_name"]).is_file() for one in content["images"])
    assert content["annotations"][0]["bbox"] == pytest.approx([6.4, 4.8, 6.4, 4.8])
    assert [one["name"] for one in content["categories"]] == LABELS
    voc = project.tasks.to_voc(tmp_path / "voc", images=True)
    (described, *_) = sorted((tmp_path / "voc" / "Annotations").iterdir())
    ends = ElementTree.parse(described).find("object/bndbox")
    assert voc.regions == 1
    assert ends is not None
    assert [end.text for end in ends] == ["6", "5", "13", "10"]


def test_predictions_are_chosen(project: Project, tmp_path: Path) -> None:
    project.tasks.to_coco(tmp_path / "a.json", of="predictions")
    (one,) = json.loads((tmp_path / "a.json").read_text())["annotations"]
    assert (one["category_id"], one["score"]) == (2, 0.25)
    kept = project.tasks.to_coco(tmp_path / "b.json", of="predictions", keep=lambda one: False)
    assert (kept.images, kept.regions) == (2, 0)
    other = project.tasks.to_coco(tmp_path / "b.json", control="outline")
    assert (other.regions, other.left_out) == (0, ())
    with pytest.raises(KeyError, match="no control 'boxes'"):
        project.tasks.to_coco(tmp_path / "c.json", control="boxes")
    with pytest.raises(ValueError, match='of must be "annotations"'):
        project.tasks.to_coco(tmp_path / "c.json", of="drafts")  # type: ignore[arg-type]


def test_files_become_tasks(ls: LabelStudio, project: Project, tmp_path: Path) -> None:
    project.tasks.to_coco(tmp_path / "coco", images=True)
    project.tasks.to_yolo(tmp_path / "yolo", images=True)
    other = ls.projects.create(title="Copies")
    with pytest.raises(ValueError, match=r'lacks a <RectangleLabels>; labels="add" adds'):
        other.tasks.from_coco(tmp_path / "coco")
    made = other.tasks.from_coco(
        tmp_path / "coco" / "result.json", images=tmp_path / "coco", labels="add"
    )
    assert (made.report.regions, [task.total_annotations for task in made]) == (1, [1, 0])
    (annotation,) = made[0].annotations
    assert same(annotation.result, [{**box(), "from_name": "rectanglelabels"}])
    copy = made[0].download("image", to=tmp_path / "copy.png")
    assert images.size_of(copy) == SIZE
    again = other.tasks.from_yolo(tmp_path / "yolo", of="predictions", model_version="v2")
    assert [one.model_version for task in again for one in task.predictions] == ["v2"]
    clouds = other.tasks.from_coco(tmp_path / "coco" / "result.json", images="s3://b/c/")
    assert all(task.data["image"].startswith("s3://b/c/images/") for task in clouds)


def test_labels_are_added_to_a_config(ls: LabelStudio, tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text("-DOCSTART- -X- O\n\nAnn NNP B-PER\nLee NNP I-PER\n\nRio B-PLACE\n")
    project = ls.projects.create(title="Names", label_config=str(TEXTS))
    with pytest.raises(ValueError, match=r"lacks the label 'PLACE'; labels=\"add\""):
        project.tasks.from_conll(path)
    made = project.tasks.from_conll(path, labels="add")
    assert [task.data["text"] for task in made] == ["Ann Lee", "Rio"]
    assert [label.stored for label in project.config["ner"].label_tags][-1] == "PLACE"
    (one,) = made[0].annotations
    assert one.values()["ner"][0].text == "Ann Lee"


@pytest.mark.parametrize(
    ("shown", "data"),
    [
        ('value="$a.image"', {"a": {"image": "s3://b/a.png"}}),
        ('valueList="$pages"', {"pages": ["s3://b/a.png"]}),
    ],
)
def test_images_are_where_the_config_shows_them(
    shown: str, data: dict[str, Any], ls: LabelStudio, tmp_path: Path
) -> None:
    config = f'<View><Image name="image" {shown}/></View>'
    project = ls.projects.create(title="Images", label_config=config)
    image = {"id": 1, "file_name": "a.png", "width": 9, "height": 9}
    content = {"images": [image], "annotations": [], "categories": []}
    (tmp_path / "a.json").write_text(json.dumps(content))
    project.tasks.from_coco(tmp_path / "a.json", images="s3://b", labels="add")
    assert project.tasks.get().data == data


def test_files_name_no_other_folder(ls: LabelStudio, tmp_path: Path) -> None:
    image = {"id": 1, "width": 10, "height": 10, "file_name": "../secret.png"}
    content = {"images": [image], "annotations": [], "categories": []}
    (tmp_path / "secret.png").write_bytes(b"a")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_text(json.dumps(content))
    project = ls.projects.create(title="Streets", label_config=str(CONFIG))
    with pytest.raises(ValueError, match="is not in the folder"):
        project.tasks.from_coco(tmp_path / "in" / "a.json")


def test_texts_are_found_as_the_config_names_them(ls: LabelStudio, tmp_path: Path) -> None:
    config = '<View><Text name="text" value="$a.text"/></View>'
    project = ls.projects.create(title="Nested", label_config=config)
    project.tasks.create(data={"a": {"text": "Ann ran"}})
    project.tasks.to_conll(tmp_path / "a.conll")
    assert "Ann -X- _ O\nran -X- _ O\n" in (tmp_path / "a.conll").read_text()
    project.label_config = config.replace("/>", ' valueType="url"/>')
    project.save()
    with pytest.raises(ValueError, match="shows no text of the data"):
        project.tasks.to_conll(tmp_path / "b.conll")


def test_labels_that_xml_cannot_have_are_listed(tmp_path: Path) -> None:
    regions = [box(), box()]
    regions[0]["value"]["rectanglelabels"] = ["a\x0bb"]
    with pytest.warns(LeftOutWarning, match="1 region is not in it as it is"):
        report = voc.write(walk(regions), tmp_path, None, NAMED)
    assert (report.regions, [one.reason for one in report.left_out]) == (
        1, ["its label has characters that XML cannot have"],
    )  # fmt: skip
    (path,) = (tmp_path / "Annotations").iterdir()
    assert [one.text for one in ElementTree.parse(path).iter("name")] == ["Car"]


def test_masks_of_labels_that_differ_by_signs_are_all_kept(tmp_path: Path) -> None:
    pixels = bytes([0, 255])
    several = [
        CONFIG["brush"].brush("Car", rle=rle.encode(pixels), size=(2, 1), id=f"m{number}")
        for number in range(2)
    ]
    for region, label in zip(several, ("a/b", "a:b"), strict=True):
        region["value"]["brushlabels"] = [label]
    report = masks_of.write(walk(several), tmp_path)
    assert report.regions == len([*tmp_path.iterdir()]) == 2


def test_masks_become_images(ls: LabelStudio, tmp_path: Path) -> None:
    project = ls.projects.create(title="Masks", label_config=str(CONFIG))
    pixels = bytes([0, 255, 255, 0, 0, 255])
    task = project.tasks.create(data={"image": "/a.png"})
    mask = CONFIG["brush"].brush("Car", rle=rle.encode(pixels), size=(3, 2))
    task.annotations.create(result=[mask, mask])
    assert project.tasks.to_masks(tmp_path / "masks").regions == 2
    for path in (tmp_path / "masks").iterdir():
        with Image.open(path) as image:
            assert (image.size, image.tobytes()) == ((3, 2), pixels)


# -- encodings ------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_masks_are_read_in_any_blocks(data: st.DataObject) -> None:
    """As the labelling editor writes them: values repeated, or one after the other."""
    sizes = data.draw(st.lists(st.integers(1, 16), min_size=4, max_size=4))
    values: list[int] = []
    blocks = ""
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, 3))
        length = data.draw(st.integers(1, min(40, 1 << sizes[place])))
        repeats = data.draw(st.booleans())
        own = data.draw(st.lists(st.integers(0, 255), min_size=1 if repeats else length,
                                 max_size=1 if repeats else length))  # fmt: skip
        blocks += f"{repeats:d}{place:02b}{length - 1:0{sizes[place]}b}"
        blocks += "".join(f"{value:08b}" for value in own)
        values += own * length if repeats else own
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in sizes) + blocks
    bits += "0" * (-len(bits) % 8)
    content = [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]
    assert [*rle.decode(content)] == values
    with pytest.raises(ValueError, match="ends early"):
        rle.decode(content[: len(content) // 2])


def test_what_cannot_be_a_mask_is_refused() -> None:
    for content in ([], [1, 2], [300] * 9, ["a"], [255] * 20):
        with pytest.raises(ValueError, match="mask"):
            rle.decode(content)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="too large"):
        rle.mask_from([10**12], 10**6, 10**6)
    with pytest.raises(ValueError, match="not of 2 x 2"):
        rle.mask_from([3], 2, 2)


def test_pillow_is_named_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match=r"pip install 'labelstudio_orm\[vision\]'"):
        images.size_of(tmp_path)


YAML = {
    'names:\n  0: Car\n  1: "a: b"\n': ["Car", "a: b"],
    "nc: 2\nnames: ['Car', \"Person\"]\nval: x\n": ["Car", "Person"],
    "names: ['a, b',\n  'it''s'] # all\nval: [x]\n": ["a, b", "it's"],
    "names: {1: Bus, 0: Car}\n": ["Car", "Bus"],
    "names:\n  # vehicles\n  1: Bus # long\n\n  0: C#, D [x]\ntrain: x\n": ["C#, D [x]", "Bus"],
    "names:\n- Car\n- Traffic light\ntrain: x\n": ["Car", "Traffic light"],
    "train: x\n": [],
}


@pytest.mark.parametrize("text", YAML)
def test_labels_of_a_data_set(text: str, tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text(text)
    if YAML[text]:
        assert yolo.labels_in(tmp_path) == YAML[text]
        return
    with pytest.raises(ValueError, match="name its labels"):
        yolo.labels_in(tmp_path)
    (tmp_path / "classes.txt").write_text("Car\nBus\n\n")
    assert yolo.labels_in(tmp_path) == ["Car", "Bus"]


def test_labels_of_a_data_set_have_no_gaps(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("names:\n  0: Car\n  2: Bus\n")
    with pytest.raises(ValueError, match="not numbered from 0 without gaps"):
        yolo.labels_in(tmp_path)


def test_images_of_a_data_set_have_the_labels_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("Car\n")
    for name in ("a.png", "a.bmp", "train/a.png", "two  words .png"):
        for path in (tmp_path / "images" / name, (tmp_path / "labels" / name).with_suffix(".txt")):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(images.png(9, 9, bytes(81)))
            if path.suffix == ".txt":
                path.write_text("0 .5 .5 .1 .1\n")
    (tmp_path / "labels" / "classes.txt").write_text("Car\n")
    reading = Reading(Tally(tmp_path))
    found = [*yolo.read(tmp_path, CONFIG, reading, "detect", tmp_path / "images")]
    assert [(one.name, len(one.regions)) for one in found] == [
        ("a.bmp", 1), ("a.png", 1), ("train/a.png", 1), ("two  words .png", 1),
    ]  # fmt: skip


def test_images_of_two_tags_have_ids_of_their_own(tmp_path: Path) -> None:
    config = LabelConfig.build({"left": ("Image", {"value": "$a"}), "right": "Image"})
    found = walk([], [], config=config, a="/data/a.png", right="/data/b.png")
    coco.write(found, tmp_path / "a.json", None, NAMED)
    content = json.loads((tmp_path / "a.json").read_text())
    assert len({one["id"] for one in content["images"]}) == len(content["images"]) == 4


def test_tags_of_other_schemes_are_read_or_listed(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text("\ufeffAnn U-PER\nin O\nNew B-LOC\nYork L-LOC\nBob PER\n")
    assert conll.labels_in(path) == ["PER", "LOC"]
    tally = Tally(path)
    (item,) = conll.read(path, TEXTS, Reading(tally))
    assert [one["value"]["text"] for one in item.regions] == ["Ann", "New York"]
    assert [(one.place, one.reason) for one in tally.left_out] == [
        ("Bob", "'PER' is not a tag of a span")
    ]


def test_each_image_of_a_list_has_its_regions(tmp_path: Path) -> None:
    config = LabelConfig.parse(
        '<View><Image name="image" valueList="$pages"/>'
        '<RectangleLabels name="box" toName="image"><Label value="Car"/></RectangleLabels></View>'
    )
    result = [{**box(), "item_index": 1}, {**box(x=20), "item_index": 0}, box(x=30)]
    pages = ["/data/a.png", "/data/b.png", "/data/a.png"]
    found = walk(result, config=config, pages=pages)
    report = coco.write(found, tmp_path / "a.json", None, NAMED)
    assert (report.images, report.regions, report.left_out) == (3, 3, ())
    content = json.loads((tmp_path / "a.json").read_text())
    assert [one["id"] for one in content["images"]] == [1, 1_000_000_001, 2_000_000_001]
    assert len({one["file_name"] for one in content["images"]}) == 3
    on = {one["region"]: one["image_id"] for one in content["annotations"]}
    assert [on[one["id"]] for one in result] == [1_000_000_001, 1, 1]


def _odd(region: dict[str, Any], **value: Any) -> dict[str, Any]:
    return {**region, "value": {**region["value"], **value}}


ODD = [
    *(region for region, _ in LEFT_OUT.values()), box(), box(rotation=5),
    _odd(box(), x=10**400), _odd(box(), width="wide"), {**box(), "from_name": "gone"},
    _odd(box(), rectanglelabels=["a label of others"]), _odd(box(), x=-50, width=300),
    _odd(box(), rectanglelabels=["Car", "Person"]), {**box(), "original_width": 0},
    {**box(), "original_width": "64"},
    CONFIG["outline"].polygon("Car", points=[(1, 1), (2, 2), (1, 2)], size=SIZE),
    _odd(CONFIG["outline"].polygon("Car", points=[(1, 1), (2, 2), (1, 2)]), points=[[1, 1]]),
    _odd(CONFIG["outline"].polygon("Car", points=[(1, 1), (2, 2), (1, 2)]), points=[]),
    CONFIG["brush"].brush("Car", rle=rle.encode(bytes(4)), size=(2, 2)), {"type": "labels"}, {},
    {"id": "x", "from_name": 5, "to_name": [], "type": None, "value": "no"},
]  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(ODD), max_size=6))
def test_every_region_is_written_or_listed(
    tmp_path_factory: pytest.TempPathFactory, result: list[dict[str, Any]]
) -> None:
    base = tmp_path_factory.getbasetemp() / "odd"
    found = walk(result)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOutWarning)
        reports = [
            coco.write(found, base, None, NAMED),
            *(yolo.write(found, base / form, None, NAMED, form) for form in FORMS),
            voc.write(found, base, None, NAMED),
            masks_of.write(found, base),
            conll.write(found, base / "a.conll", {"image": "image"}),
        ]
    for report in reports:
        left = [one for one in report.left_out if not one.reason.startswith("only the first")]
        assert report.regions + len(left) == len(result), report
    json.loads((base / "result.json").read_text())


def test_lines_that_cannot_be_read_are_listed(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "classes.txt").write_text("Car\n")
    lines = ["x 1 1 1 1", "-1 .5 .5 .1 .1", "1 .5 .5 .1 .1", "0 .5 .5", "0 nan .5 .1 .1", "",
             "0 .5 .5 .1 .1 .25", "0 .5 .5 .1 .1", "0"]  # fmt: skip
    (tmp_path / "labels" / "a.txt").write_text("\n".join(lines))
    tally = Tally(tmp_path)
    (item,) = yolo.read(tmp_path, CONFIG, Reading(tally), "detect", None)
    assert {one.place for one in tally.left_out} == {
        f"a.txt, line {number}" for number in (1, 2, 3, 4, 5, 9)
    }
    assert [(one.get("score"), one["value"]["x"]) for one in item.regions] == [
        (0.25, pytest.approx(45)), (None, pytest.approx(45)),
    ]  # fmt: skip
    assert all("original_width" not in one for one in item.regions)
    for form in ("obb", "segment"):
        bad = Tally(tmp_path)
        ((), *_) = (one.regions for one in yolo.read(tmp_path, CONFIG, Reading(bad), form, None))
        assert len(bad.left_out) == 8


# -- configs, and what is refused ------------------------------------------------------------------


def test_categories_of_the_config_are_kept(tmp_path: Path) -> None:
    config = LabelConfig.parse(
        '<View><Image name="image" value="$image"/><RectangleLabels name="box" toName="image">'
        '<Label value="Car" category="7"/><Label value="Bus"/><Label value="Van" category="0"/>'
        "</RectangleLabels></View>"
    )
    coco.write(walk([box()], config=config), tmp_path / "a.json", None, NAMED)
    content = json.loads((tmp_path / "a.json").read_text())
    assert {one["name"]: one["id"] for one in content["categories"]} == {
        "Car": 7, "Van": 0, "Bus": 1,
    }  # fmt: skip
    assert content["annotations"][0]["category_id"] == 7


def test_bitmasks_are_written_as_they_are(tmp_path: Path) -> None:
    config = LabelConfig.build({"image": "Image", "mask": labels(LABELS, "BitmaskLabels")})
    content = images.png(2, 2, bytes(4))
    url = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    good = config["mask"].bitmask("Car", image_data_url=url)
    bad = [_odd(good, imageDataURL=other) for other in ("data:image/png;base64,%", "no", "")]
    unsized = CONFIG["brush"].brush("Car", rle=[0] * 9)
    with pytest.warns(LeftOutWarning):
        report = masks_of.write(walk([good, *bad, unsized], config=config), tmp_path)
    assert [one.reason for one in report.left_out] == ["its image is not a PNG"] * 3 + [
        "the size of its image is not known"
    ]
    (path,) = tmp_path.iterdir()
    assert path.read_bytes() == content


def test_configs_without_what_a_format_shows(ls: LabelStudio, tmp_path: Path) -> None:
    texts = ls.projects.create(title="Texts", label_config=str(TEXTS))
    pictures = ls.projects.create(title="Pictures", label_config=str(CONFIG))
    with pytest.raises(ValueError, match="shows no image"):
        texts.tasks.to_coco(tmp_path / "a.json")
    with pytest.raises(ValueError, match="shows no text"):
        pictures.tasks.to_conll(tmp_path / "a")
    with pytest.raises(ValueError, match='form must be "detect"'):
        pictures.tasks.to_yolo(tmp_path / "b", form="pose")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a.conll").write_text("Ann B-PER\n")
    with pytest.raises(ValueError, match="shows no <Text>"):
        pictures.tasks.from_conll(tmp_path / "a.conll", labels="add")
    with pytest.raises(ValueError, match='labels must be "check" or "add"'):
        texts.tasks.from_conll(tmp_path / "a.conll", labels="no")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match='of must be "annotations"'):
        texts.tasks.from_conll(tmp_path / "a.conll", of="no")  # type: ignore[arg-type]
    (tmp_path / "classes.txt").write_text("Car")
    with pytest.raises(FileNotFoundError, match=r"no folder .*images; images= names"):
        pictures.tasks.from_yolo(tmp_path)
    with pytest.raises(ValueError, match="no folder labels"):
        pictures.tasks.from_yolo(tmp_path, images="s3://a/")
    coco.write(walk([box()]), tmp_path / "a.json", None, lambda address, task: "gone.png")
    with pytest.raises(FileNotFoundError, match=r"images= names the folder"):
        pictures.tasks.from_coco(tmp_path / "a.json", images=tmp_path / "nowhere")


def test_a_control_is_added_beside_others(ls: LabelStudio, tmp_path: Path) -> None:
    config = LabelConfig.build({"photo": "Image", "mood": choices(["good"])})
    project = ls.projects.create(title="Moods", label_config=str(config))
    coco.write(walk([box(score=0.5), box(score=0.75)]), tmp_path / "a.json", None, NAMED)
    (task,) = project.tasks.from_coco(
        tmp_path / "a.json", of="predictions", labels="add", control="where"
    )
    assert [*project.config.controls] == ["mood", "where"]
    assert task.data == {"photo": "/data/upload/1/1.png"}
    ((prediction,),) = (task.predictions,)
    assert (prediction.score, len(prediction.result)) == (0.625, 2)
    again = project.tasks.from_coco(tmp_path / "a.json", control="where", returning=False)
    assert (len(again), again.report.tasks, again.summary.created) == (0, 1, 1)


def test_boxes_that_are_turned_need_a_size(tmp_path: Path) -> None:
    turned_box = {key: one for key, one in box(rotation=9).items() if "original" not in key}
    with pytest.warns(LeftOutWarning, match="size of its image is not known"):
        assert yolo.write(walk([turned_box]), tmp_path, None, NAMED, "obb").regions == 0
    yolo.write(walk([box(rotation=9)]), tmp_path, None, NAMED, "obb")
    tally = Tally(tmp_path)
    (item,) = yolo.read(tmp_path, CONFIG, Reading(tally), "obb", None)
    assert (item.regions, len(tally.left_out)) == ([], 1)


def test_a_server_below_a_path_has_its_images_there(project: Project, tmp_path: Path) -> None:
    project.tasks.to_yolo(tmp_path, images=True)
    below = FakeLabelStudio("http://example.com/studio").client()
    made = below.projects.create(title="Copies").tasks.from_yolo(tmp_path, labels="add")
    assert all(task.data["image"].startswith("/studio/data/upload/1/") for task in made)
    assert images.size_of(made[0].download("image", to=f"{tmp_path}/copies/")) == SIZE
