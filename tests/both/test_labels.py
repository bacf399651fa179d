"""Labels are renamed, merged, removed and added everywhere at once."""

from __future__ import annotations

import itertools
import json
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm import BadRequest, DoesNotExist, LabelStudio, Project, ServerError, Task
from labelstudio_orm._engine.http.connection import facts_of
from labelstudio_orm._engine.http.dryrun import READS
from labelstudio_orm._reports import Report
from labelstudio_orm.client import labelstudio_of
from labelstudio_orm.testing import FakeLabelStudio

CONFIG = """\
<View>
  <!-- what is to be seen -->
  <Image name="img" value="$image"/>
  <RectangleLabels name="label" toName="img" choice="multiple">
    <Label value="Car" background='red'   hotkey="c"/>
    <Label value="Bus" alias="bus"/>

    <Label value="Van"/>
  </RectangleLabels>
  <TextArea name="note" toName="img" perRegion="true" whenTagName="label" whenLabelValue="Car"/>
  <Choices name="other" toName="img" choice="multiple">
    <Choice value="Car"/><Choice value="Good"/>
  </Choices>
  <Taxonomy name="kind" toName="img">
    <Choice value="Animal"><Choice value="Dog"><Choice value="Poodle"/></Choice></Choice>
    <Choice value="Plant"/>
  </Taxonomy>
</View>"""

COUNTS = {"annotations": 4, "drafts": 2, "predictions": 3}
"""Objects that have the label Car."""


@pytest.fixture
def cars(ls: LabelStudio) -> Iterator[Project]:
    """A project of seven tasks, in which the label Car is found in all places that it can be in."""
    made = ls.projects.create(title=f"Cars {uuid.uuid4().hex[:8]}", label_config=CONFIG)
    box, other, kind = made.config["label"], made.config["other"], made.config["kind"]
    car, bus, several = (
        box.rectangle(*labels, x=1, y=2, width=3, height=4)
        for labels in (["Car"], ["Bus"], ["Bus", "Car", "Van"])
    )
    note = made.config["note"].text("Car", id=car["id"])
    relation = {"type": "relation", "from_id": car["id"], "to_id": bus["id"], "direction": "right"}
    tree = kind.taxonomy(["Animal", "Dog"], ["Animal", "Dog", "Poodle"], ["Plant"])
    rest = other.choices("Car", "Good")
    labelled = [[], [several, car], [rest, tree], [bus, car], []]
    predicted = [[{**car, "score": 0.5}]] * 3 + [[bus, rest]]
    tasks = made.tasks.bulk_create(
        [
            {
                "data": {"image": f"{n}.png", "n": n},
                "annotations": [
                    {"result": result, "was_cancelled": n == 1}
                    for result in labelled[n : n + 1]
                    if n
                ],
                "predictions": [
                    {"result": result, "score": 0.5, "model_version": "v1"}
                    for result in predicted[n : n + 1]
                ],
            }
            for n in range(7)
        ]
    )
    create = tasks[0].annotations.create
    first = create(result=[car, note, bus, relation, rest, tree], lead_time=1.5)
    create(result=[several], ground_truth=True, lead_time=2.5)
    ls.drafts.create(task=tasks[0], annotation=first, result=[car, bus], lead_time=3.5)
    ls.drafts.create(task=tasks[0], annotation=first, result=[bus])
    ls.drafts.create(task=tasks[5], result=[several, rest])
    yield made
    ls.request("DELETE", f"/api/projects/{made.id}/")


def everything(project: Project) -> dict[str, Any]:
    """The config, and all that people and models labelled."""
    ls = labelstudio_of(project)
    tasks = list(project.tasks.prefetch("annotations", "predictions"))
    found = {
        **{f"annotation {one.id}": one.raw for task in tasks for one in task.annotations},
        **{f"prediction {one.id}": one.raw for task in tasks for one in task.predictions},
        **{f"draft {one.id}": one.raw for task in tasks for one in ls.drafts.filter(task=task)},
    }
    changing = ("updated_at", "created_ago", "updated_by")
    for row in found.values():
        for name in changing:
            row.pop(name, None)
    return {**found, "config": ls.projects.get(project.id).label_config}


def relabelled(before: dict[str, Any], new: str | None = "Vehicle") -> dict[str, Any]:
    """What is to become of everything when the label Car has another name."""
    after = json.loads(json.dumps(before))
    for row in after.values():
        for region in row["result"] if isinstance(row, dict) else ():
            labels = region.get("value", {}).get("rectanglelabels", [])
            labels[:] = [new if label == "Car" else label for label in labels]
    lines = after["config"].split("\n")
    for place in (4, 9):  # the label, and what is asked of it
        lines[place] = lines[place].replace("Car", str(new))
    return {**after, "config": "\n".join(lines)}


def counts(report: Any) -> dict[str, int]:
    """How many objects were changed, by kind."""
    return {kind: done.updated for kind, done in report.counts.items()}


def writes(project: Project, do: Callable[[], object]) -> list[str]:
    """What would be written."""
    with project._client.dry_run() as plan:
        do()
    project.refresh()
    return [f"{write.method} {write.path}" for write in plan.writes]


# -- renaming -------------------------------------------------------------------------------------


def test_a_label_is_renamed_everywhere_and_nothing_else_changes(cars: Project) -> None:
    before = everything(cars)
    with cars._client.dry_run() as plan:
        said = cars.labels.rename("Car", "Vehicle", control="label")
    assert counts(said) == COUNTS
    assert len(plan.writes) == sum(COUNTS.values()) + 2 + 2 * 2  # the config, drafts kept
    cars.refresh()
    assert everything(cars) == before
    seen: list[tuple[int, int | None]] = []
    report = cars.labels.rename(
        "Car", "Vehicle", control="label", progress=lambda *at: seen.append(at)
    )
    assert counts(report) == COUNTS
    assert report.ok
    assert report.target == cars
    assert "'Car'" in report.what
    assert seen[-1] == (9, 9)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert everything(cars) == relabelled(before)
    assert cars.label_config == relabelled(before)["config"]


def test_a_second_run_writes_nothing(cars: Project) -> None:
    def rename() -> None:
        assert not any(counts(cars.labels.rename("Car", "Vehicle", control="label")).values())

    cars.labels.rename("Car", "Vehicle", control="label")
    assert writes(cars, rename) == []
    asked_again = [cars.labels.usage(label, control="label") for label in ("Vehicle", "Van")]
    assert asked_again == [COUNTS, {"annotations": 2, "drafts": 1, "predictions": 0}]


def test_the_server_agrees_that_the_label_is_gone(ls: LabelStudio, cars: Project) -> None:
    """Its settings page asks it whether the label is in use, and it miscounts those of drafts."""
    cars.labels.rename("Car", "Vehicle", control="label")
    more = cars.config.with_label("Tree", "kind").xml
    assert "config_essential_data_has_changed" in cars.validate_config(more)
    with pytest.raises(BadRequest, match="still exist"):
        cars.validate_config(str(cars.label_config).replace("Vehicle", "Auto"))


def test_what_comes_while_the_old_label_is_still_there_is_found(
    cars: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = [cars.config["label"].rectangle("Car", x=1, y=1, width=1, height=1)]
    real = Project.validate_config

    def late(self: Project, config: str) -> Any:
        cars.tasks.get(data__n=6).annotations.create(result=result)
        return real(self, config)

    monkeypatch.setattr(Project, "validate_config", late)
    report = cars.labels.rename("Car", "Vehicle", control="label")
    assert counts(report) == {**COUNTS, "annotations": 5}
    assert cars.labels.usage("Vehicle") == {**COUNTS, "annotations": 5}


def test_a_config_that_is_edited_meanwhile_is_not_overwritten(
    ls: LabelStudio, cars: Project, tmp_path: Path
) -> None:
    def edit(old: str, new: str) -> Callable[[int, object], None]:
        def meanwhile(done: int, total: object) -> None:
            if done == 1:
                other = ls.projects.get(cars.id)
                other.label_config = str(other.label_config).replace(old, new)
                other.save()

        return meanwhile

    undo = tmp_path / "undo.jsonl"
    progress = edit('"Good"', '"Fine"')
    cars.labels.rename("Car", "Vehicle", control="label", undo=undo, progress=progress)
    wanted = CONFIG.replace('"Good"', '"Fine"')
    assert ls.projects.get(cars.id).label_config == wanted.replace(
        'Label value="Car"', 'Label value="Vehicle"'
    ).replace('whenLabelValue="Car"', 'whenLabelValue="Vehicle"')
    cars.labels.undo(undo, progress=edit('"Plant"', '"Tree"'))
    assert ls.projects.get(cars.id).label_config == wanted.replace('"Plant"', '"Tree"')


def test_a_name_that_two_controls_have_needs_the_control(cars: Project) -> None:
    with pytest.raises(ValueError, match="'label' and 'other' have a label 'Car': give control="):
        cars.labels.rename("Car", "Vehicle")
    with pytest.raises(ValueError, match="already has a label 'Van'"):
        cars.labels.rename("Car", "Van", control="label")
    with pytest.raises(ValueError, match="no label 'Cra'; did you mean 'Car'"):
        cars.labels.rename("Cra", "Vehicle", control="label")
    with pytest.raises(KeyError, match="no control 'lable'"):
        cars.labels.rename("Car", "Vehicle", control="lable")
    assert cars.labels.rename("Good", "Fine").counts["annotations"].updated == 2
    assert "Fine" in cars.labels
    assert "Good" not in cars.labels


def test_a_branch_stays_beneath_its_parent(cars: Project) -> None:
    """Also when it has its new name already."""
    move = partial(cars.labels.rename, ("Animal", "Dog"), ("Plant", "Hound"), control="kind")
    for _ in range(2):
        with pytest.raises(ValueError, match="a label stays beneath its parent"):
            move()
        cars.labels.rename(("Animal", "Dog"), ("Animal", "Hound"), control="kind")
    with pytest.raises(ValueError, match="a label stays beneath its parent"):
        cars.labels.rename("Van", ("Car", "Van"), control="label")


MISSPELT = r"nothing to do: done already, or misspelt\? .*'Vna'; did you mean 'Van'\?"


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("rename", {"old": "Vna", "new": "bus"}),
        ("merge", {"labels": ["Vna", "Cra"], "into": "Bus"}),
        ("remove", {"label": "Vna"}),
        ("remove", {"label": "Vna", "regions": "drop"}),
        ("remove", {"label": "Vna", "control": None}),
    ],
)
def test_what_may_be_misspelt_is_said(
    cars: Project, tmp_path: Path, verb: str, arguments: dict[str, Any]
) -> None:
    """It may as well have been done already, so that it is no error; an undo file knows."""
    arguments = {"control": "label", "undo": tmp_path / "undo.jsonl", **arguments}
    for _ in range(2):
        report = getattr(cars.labels, verb)(**arguments)
        assert report.ok
        assert re.search(MISSPELT, report.what), report.what
    assert cars.label_config == CONFIG


def test_what_was_done_already_is_said(cars: Project, tmp_path: Path) -> None:
    cars.labels.add("Bike", control="label")
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    rename = partial(cars.labels.rename, "Van", "Lorry", undo=first)
    remove = partial(cars.labels.remove, "Bike", undo=second)
    for change in (rename, remove):
        assert "nothing to do" not in change().what
        assert change().what.endswith("(nothing to do: done already)")


def test_labels_that_only_regions_have_are_no_mistake(cars: Project) -> None:
    region = cars.config["label"].rectangle("Car", x=1, y=1, width=1, height=1)
    region["value"]["rectanglelabels"] = ["Vna"]
    cars.tasks[6].predictions.create(result=[region])
    assert cars.labels.usage("Vna", control="label")["predictions"] == 1
    report = cars.labels.rename("Vna", "Van", control="label")
    assert counts(report) == {"annotations": 0, "drafts": 0, "predictions": 1}
    assert "misspelt" not in report.what
    with pytest.raises(ValueError, match="no label 'Vna'; did you mean 'Van'"):
        cars.labels.usage("Vna", control="label")


def test_a_label_with_an_alias(cars: Project) -> None:
    """It is stored under the alias; what is shown is another matter."""
    before = everything(cars)
    shown = cars.labels.rename("Bus", "Coach", control="label")
    assert counts(shown) == {"annotations": 0, "drafts": 0, "predictions": 0}
    config = before["config"].replace('value="Bus"', 'value="Coach"')
    assert everything(cars) == {**before, "config": config}
    stored = cars.labels.rename("bus", "coach", control="label")
    assert counts(stored) == {"annotations": 4, "drafts": 3, "predictions": 1}
    assert '<Label value="Coach" alias="coach"/>' in str(cars.label_config)
    assert cars.labels.usage("coach") == counts(stored)


def test_a_branch_of_a_taxonomy(cars: Project) -> None:
    before = everything(cars)
    report = cars.labels.rename(("Animal", "Dog"), ["Animal", "Hound"])
    assert counts(report) == {"annotations": 2, "drafts": 0, "predictions": 0}
    wanted = json.loads(json.dumps(before).replace('"Dog"', '"Hound"'))
    assert everything(cars) == {**wanted, "config": before["config"].replace("Dog", "Hound")}
    made = cars.labels.add(("Animal", "Cat", "Siamese"), control="kind", hint="blue eyes")
    assert made.counts["labels"].created == 2
    assert cars.config["kind"].label_tags[-2].path == ("Animal", "Cat", "Siamese")
    with pytest.raises(ValueError, match="is refused: 2 annotations have it"):
        cars.labels.remove(("Animal", "Hound"))
    assert counts(cars.labels.remove(("Animal", "Hound"), regions="drop"))["annotations"] == 2
    for annotation in cars.annotations:
        assert annotation.values().get("kind") in (None, [["Plant"]])


def test_labels_may_have_any_characters_and_come_from_data(ls: LabelStudio) -> None:
    """Also those whose text the server cannot find, and choices that are not in the config."""
    config = """<View><Text name="t" value="$text"/>
      <Choices name="c" toName="t"><Choice value="日本"/><Choice value="B &lt;&quot;"/></Choices>
      <Choices name="d" toName="t" value="$options"/></View>"""
    project = ls.projects.create(title=f"Names {uuid.uuid4().hex[:8]}", label_config=config)
    try:
        first, second = project.config["c"].choice("日本"), project.config["c"].choice('B <"')
        third = project.config["d"].choice("x-1")
        data = {"text": "a", "options": [{"value": "x-1"}]}
        items = [{"result": [first]}, {"result": [second]}, {"result": [third]}]
        project.tasks.bulk_create([{"data": data, "annotations": items, "predictions": items}])
        for old, new, control in (
            ("日本", "-->&'Ü\\", None), ('B <"', "日本", "c"), ("x-1", "y", "d"),
        ):  # fmt: skip
            report = project.labels.rename(old, new, control=control)
            assert counts(report) == {"annotations": 1, "drafts": 0, "predictions": 1}
        assert [one.value for one in project.labels] == ["-->&'Ü\\", "日本"]
        labelled = [one.values() for one in project.annotations]
        assert labelled == [{"c": "-->&'Ü\\"}, {"c": "日本"}, {"d": "y"}]
    finally:
        ls.request("DELETE", f"/api/projects/{project.id}/")


def test_the_labels_of_a_video(ls: LabelStudio) -> None:
    """Its regions hold the labels of another control."""
    config = """<View><Video name="v" value="$video"/>
      <Labels name="l" toName="v"><Label value="Car"/></Labels>
      <VideoRectangle name="box" toName="v"/></View>"""
    project = ls.projects.create(title=f"Video {uuid.uuid4().hex[:8]}", label_config=config)
    try:
        frame = {"frame": 1, "x": 1, "y": 1, "width": 5, "height": 5, "enabled": True, "time": 0}
        value = {"sequence": [frame], "framesCount": 10, "labels": ["Car"]}
        region = {"id": "r", "from_name": "box", "to_name": "v", "type": "videorectangle"}
        task = project.tasks.create(data={"video": "a.mp4"})
        task.annotations.create(result=[{**region, "value": value}])
        assert project.annotations.filter(result__label="Car").count() == 1
        assert counts(project.labels.rename("Car", "Vehicle"))["annotations"] == 1
        (stored,) = project.annotations
        assert stored.result == [{**region, "value": {**value, "labels": ["Vehicle"]}}]
        two = project.config.xml.replace(
            "</View>", '<Labels name="k" toName="v"><Label value="Vehicle"/></Labels></View>'
        )
        project.label_config = two
        project.save()
        with pytest.raises(ValueError, match="do not say which"):
            project.labels.rename("Vehicle", "Car", control="l")
    finally:
        ls.request("DELETE", f"/api/projects/{project.id}/")


# -- interrupted ----------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is gone: nothing more is sent."""


def killed_at(
    monkeypatch: pytest.MonkeyPatch, number: int, *, sent: bool, do: Callable[[], object]
) -> bool:
    """Do it until before (or just after) the write of this number, counted from 0. False where
    there are not as many.
    """
    real, place, dead = LabelStudio.request, itertools.count(), False

    def request(self: LabelStudio, method: str, path: str, **options: Any) -> Any:
        nonlocal dead
        if dead:
            raise Killed
        mine = method not in READS and not options.get("reads") and next(place) == number
        if mine and not sent:
            dead = True
            raise Killed
        answer = real(self, method, path, **options)
        if mine:
            dead = True
            raise Killed
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(LabelStudio, "request", request)
        try:
            do()
        except Killed:
            return True
    return False


@pytest.mark.parametrize("sent", [False, True])
def test_a_run_that_was_killed_is_completed_by_the_next(
    cars: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sent: bool
) -> None:
    """Each run ends one write later than the one before it, until one has nothing left to do; what
    was written down is enough to take all of it back.
    """
    before = everything(cars)
    undo = tmp_path / "undo.jsonl"

    def rename() -> object:
        again = labelstudio_of(cars).projects.get(cars.id)
        return again.labels.rename("Car", "Vehicle", control="label", undo=undo)

    step = itertools.count(0)
    while killed_at(monkeypatch, next(step) if sent else 1, sent=sent, do=rename):
        assert next(step) < 40
    rename()
    assert everything(cars) == relabelled(before)
    assert writes(cars, rename) == []
    cars.labels.undo(undo)
    assert everything(cars) == before
    assert writes(cars, lambda: cars.labels.undo(undo)) == []


@pytest.mark.slow
def test_killed_anywhere_and_killed_again_when_it_is_taken_back(
    cars: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = everything(cars)
    undo = tmp_path / "undo.jsonl"

    def rename() -> object:
        again = labelstudio_of(cars).projects.get(cars.id)
        return again.labels.rename("Car", "Vehicle", control="label", undo=undo)

    def take_back() -> object:
        return labelstudio_of(cars).projects.get(cars.id).labels.undo(undo)

    for at in range(15) if cars._client.url == FakeLabelStudio().url else (4,):
        assert killed_at(monkeypatch, at, sent=bool(at % 2), do=rename)
        rename()
        assert everything(cars) == relabelled(before)
        assert killed_at(monkeypatch, at, sent=not at % 2, do=take_back)
        take_back()
        assert everything(cars) == before


def test_a_draft_whose_annotation_is_gone_is_one_of_its_task(
    ls: LabelStudio, cars: Project
) -> None:
    """It had been taken off the annotation when a run died, and the annotation was deleted then."""
    task = cars.tasks.get(data__n=0)
    annotation = task.annotations.filter(lead_time=1.5).get()
    draft = ls.drafts.filter(task=task)[0]
    draft.annotation_id, draft.import_id = None, -annotation.id
    draft.save()
    annotation.delete()
    report = cars.labels.rename("Car", "Vehicle", control="label")
    assert counts(report) == {**COUNTS, "annotations": 3}
    row = draft.refresh().raw
    assert (row["annotation"], row["import_id"]) == (None, None)


def test_what_cannot_be_saved_keeps_its_label_in_the_config(
    cars: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned = cars.tasks.get(data__n=3).annotations.all()[0]
    real = LabelStudio.request

    def request(self: LabelStudio, method: str, path: str, **options: Any) -> Any:
        if (method, path) == ("PATCH", f"/api/annotations/{poisoned.id}/"):
            raise ServerError("the server does not want to", status=500)
        return real(self, method, path, **options)

    def rename() -> Any:
        return cars.labels.rename("Car", "Vehicle", control="label", on_error="collect")

    with monkeypatch.context() as patch:
        patch.setattr(LabelStudio, "request", request)
        report = rename()
    assert not report.ok
    assert report.exit_code == 1
    (failure,) = report.counts["annotations"].failed
    assert failure.item.id == poisoned.id
    assert counts(report) == {**COUNTS, "annotations": 3}
    assert [label.value for label in cars.config["label"].label_tags][:2] == ["Car", "Vehicle"]
    assert counts(rename()) == {"annotations": 1, "drafts": 0, "predictions": 0}
    assert '"Car"' not in str(cars.label_config).split("</RectangleLabels>", 1)[0]


# -- undoing --------------------------------------------------------------------------------------


def test_a_change_is_taken_back_and_what_was_edited_since_stays(
    ls: LabelStudio, cars: Project, tmp_path: Path
) -> None:
    undo = tmp_path / "undo.jsonl"
    before = everything(cars)
    cars.labels.merge(["Car", "Van"], into="Vehicle", control="label", undo=undo)
    assert "token" not in undo.read_text().lower()
    moved = cars.tasks.get(data__n=3).annotations.all()[0]
    moved.result[1]["value"]["x"] = 77
    moved.save()
    other = cars.tasks.get(data__n=1).annotations.all()[0]
    other.result[1]["value"]["rectanglelabels"] = ["bus"]
    other.save()
    cars.label_config = str(cars.label_config).replace('"Good"', '"Fine"')
    cars.save()
    report = cars.labels.undo(undo)
    assert not report.ok
    assert [(one.kind, one.source) for one in report.differences] == [("annotations", other.id)]
    wanted = json.loads(json.dumps(before))
    wanted[f"annotation {moved.id}"]["result"][1]["value"]["x"] = 77
    wanted[f"annotation {other.id}"]["result"][1]["value"]["rectanglelabels"] = ["bus"]
    now = everything(cars)
    del wanted["config"], now["config"]
    assert now == wanted
    assert [(one.value, dict(one.attributes)) for one in cars.config["label"].label_tags] == [
        ("Car", {"value": "Car", "background": "red", "hotkey": "c"}),
        ("Bus", {"value": "Bus", "alias": "bus"}),
        ("Van", {"value": "Van"}),
    ]
    assert "Fine" in cars.labels


def test_a_label_that_is_in_use_again_stays(cars: Project, tmp_path: Path) -> None:
    undo = tmp_path / "undo.jsonl"
    cars.labels.rename("Car", "Vehicle", control="label", undo=undo)
    newer = [cars.config["label"].rectangle("Vehicle", x=1, y=1, width=1, height=1)]
    annotation = cars.tasks.get(data__n=6).annotations.create(result=newer)
    report = cars.labels.undo(undo)
    assert [(one.kind, one.source) for one in report.differences] == [("labels", "Vehicle")]
    assert {"Car", "Vehicle"} <= {label.value for label in cars.config["label"].label_tags}
    assert cars.labels.usage("Car", control="label") == COUNTS
    annotation.delete()
    assert cars.labels.undo(undo).ok
    assert cars.label_config == CONFIG


def test_an_undo_file_is_of_one_change(cars: Project, tmp_path: Path) -> None:
    undo = tmp_path / "undo.jsonl"
    cars.labels.rename("Car", "Vehicle", control="label", undo=undo)
    with pytest.raises(ValueError, match="belongs to another job"):
        cars.labels.rename("Van", "Lorry", undo=undo)
    assert "Van" in cars.labels
    other = labelstudio_of(cars).projects.create(title="Others", label_config=CONFIG)
    try:
        with pytest.raises(ValueError, match=f"belongs to project {cars.id}"):
            other.labels.undo(undo)
    finally:
        cars._client.request("DELETE", f"/api/projects/{other.id}/")
    with cars._client.dry_run():
        cars.labels.rename("Vehicle", "Car", control="label", undo=tmp_path / "dry.jsonl")
    assert not (tmp_path / "dry.jsonl").exists()


def test_a_dry_run_refuses_an_undo_file_as_the_real_one_does(cars: Project, tmp_path: Path) -> None:
    undo = tmp_path / "undo.jsonl"
    cars.labels.add("Bike", control="label", undo=undo)
    before, written = cars.label_config, undo.read_text()
    for context in (cars._client.dry_run, nullcontext):
        with context():
            with pytest.raises(ValueError, match="belongs to another job"):
                cars.labels.rename("Van", "Lorry", undo=undo)
            with pytest.raises(FileNotFoundError, match="nowhere"):
                cars.labels.rename("Van", "Lorry", undo=tmp_path / "nowhere" / "undo.jsonl")
    assert (cars.label_config, undo.read_text()) == (before, written)


# -- merging, removing, adding --------------------------------------------------------------------


def test_labels_are_merged_into_one(cars: Project) -> None:
    before = everything(cars)
    report = cars.labels.merge(["Car", "Van"], into="bus", control="label")
    assert counts(report) == COUNTS
    assert [label.stored for label in cars.config["label"].label_tags] == ["bus"]
    for name, row in everything(cars).items():
        for at, region in enumerate(row["result"] if isinstance(row, dict) else ()):
            old = before[name]["result"][at]
            if region["type"] == "rectanglelabels":
                assert region["value"].pop("rectanglelabels") == ["bus"]
                del old["value"]["rectanglelabels"]
            assert region == old
    assert writes(cars, lambda: cars.labels.merge(["Car", "Van"], "bus", control="label")) == []


def test_what_depends_on_a_label_depends_on_the_one_in_its_place(ls: LabelStudio) -> None:
    config = CONFIG.replace('whenLabelValue="Car"', 'whenLabelValue="Van, bus"')
    project = ls.projects.create(title=f"Merged {uuid.uuid4().hex[:8]}", label_config=config)
    try:
        project.labels.merge(["Car", "Van"], into="Vehicle", control="label")
        assert project.config["note"].attributes["whenLabelValue"] == "Vehicle, bus"
        project.labels.merge(["Vehicle"], into="Bus", control="label")
        assert project.config["note"].attributes["whenLabelValue"] == "bus"
    finally:
        ls.request("DELETE", f"/api/projects/{project.id}/")


def test_merging_into_a_new_label_and_branches(cars: Project) -> None:
    cars.labels.merge(["Car", "Van"], into="Vehicle", control="label")
    assert [dict(label.attributes) for label in cars.config["label"].label_tags] == [
        {"value": "Vehicle", "background": "red", "hotkey": "c"},
        {"value": "Bus", "alias": "bus"},
    ]
    several = cars.annotations.filter(ground_truth=True).get()
    assert several.result[0]["value"]["rectanglelabels"] == ["bus", "Vehicle"]
    with pytest.raises(ValueError, match="has a branch 'Dog'"):
        cars.labels.merge([("Animal",)], into="Plant", control="kind")
    with pytest.raises(ValueError, match="on one path"):
        cars.labels.merge([("Animal", "Dog")], into="Animal", control="kind")
    with pytest.raises(TypeError, match="a list of labels"):
        cars.labels.merge("Car", into="Bus", control="other")


def test_merging_needs_labels_that_are_there(cars: Project, tmp_path: Path) -> None:
    for into in ("Big", "bus"):
        with pytest.raises(ValueError, match="no label 'Vna'; did you mean 'Van'"):
            cars.labels.merge(["Vna", "Car"], into=into, control="label", undo=tmp_path / "undo")
    assert cars.label_config == CONFIG
    assert not (tmp_path / "undo").exists()


def test_a_label_that_is_named_twice_is_merged_once(cars: Project) -> None:
    """As it is shown, and as it is stored."""
    report = cars.labels.merge(["Bus", "bus"], into="Van", control="label")
    assert counts(report) == {"annotations": 4, "drafts": 3, "predictions": 1}
    assert [label.value for label in cars.config["label"].label_tags] == ["Car", "Van"]


def test_a_merging_that_was_begun_goes_on_without_what_is_gone(
    cars: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Somebody took the empty label away meanwhile."""
    cars.labels.add("Bike", control="label")

    def merge(**options: Any) -> Any:
        again = labelstudio_of(cars).projects.get(cars.id)
        return again.labels.merge(["Van", "Bike"], "Vehicle", control="label", **options)

    undo = tmp_path / "undo.jsonl"
    assert killed_at(monkeypatch, 1, sent=False, do=lambda: merge(undo=undo))
    cars.refresh()
    cars.label_config = cars.config.without_label("Bike").xml
    cars.save()
    with pytest.raises(ValueError, match="no label 'Bike'"):
        merge()
    assert counts(merge(undo=undo)) == {"annotations": 2, "drafts": 1, "predictions": 0}
    labels = [label.value for label in cars.refresh().config["label"].label_tags]
    assert labels == ["Car", "Bus", "Vehicle"]


def test_a_label_in_use_is_not_removed_unless_its_regions_are_dropped(cars: Project) -> None:
    before = everything(cars)
    with pytest.raises(ValueError, match="4 annotations, 2 drafts, 3 predictions have it"):
        cars.labels.remove("Car", control="label")
    assert everything(cars) == before
    report = cars.labels.remove("Car", control="label", regions="drop")
    assert counts(report) == COUNTS
    after = everything(cars)
    types = [[region["type"] for region in row["result"]] for row in after.values() if "id" in row]
    assert types == [
        ["rectanglelabels", "choices", "taxonomy"],  # without its note and the relation
        ["rectanglelabels"],
        ["rectanglelabels"],
        ["choices", "taxonomy"],
        ["rectanglelabels"],
        [],
        [], [], [],
        ["rectanglelabels", "choices"],
        ["rectanglelabels"],
        ["rectanglelabels"],
        ["rectanglelabels", "choices"],
    ]  # fmt: skip
    assert [label.value for label in cars.config["label"].label_tags] == ["Bus", "Van"]
    again = writes(cars, lambda: cars.labels.remove("Car", control="label", regions="drop"))
    assert again == []


def test_dropped_regions_come_back(cars: Project, tmp_path: Path) -> None:
    before = everything(cars)
    undo = tmp_path / "undo.jsonl"
    cars.labels.remove("Car", control="label", regions="drop", undo=undo)
    assert cars.labels.undo(undo).ok
    assert everything(cars) == before


def test_a_label_that_nothing_has_is_removed(cars: Project) -> None:
    cars.labels.add("Bike", control="label")
    cars.labels.remove("Bike")
    assert cars.label_config == CONFIG
    assert counts(cars.labels.remove("Bike")) == {"annotations": 0, "drafts": 0, "predictions": 0}


def test_adding(ls: LabelStudio, cars: Project, tmp_path: Path) -> None:
    undo = tmp_path / "undo.jsonl"

    def add() -> Report:
        return cars.labels.add("Bike", control="label", background="blue", undo=undo)

    first = add()
    assert (first.counts["labels"].created, first.counts["labels"].skipped) == (1, 0)
    assert "labels           1 created" in str(first)
    again = add()
    assert (again.counts["labels"].created, again.counts["labels"].skipped) == (0, 1)
    assert "labels           1 already there" in str(again)
    line = '    <Label value="Van"/>\n'
    more = '    <Label value="Bike" background="blue"/>\n'
    assert cars.label_config == CONFIG.replace(line, line + more)
    assert writes(cars, add) == []
    with pytest.raises(ValueError, match="background='blue'"):
        cars.labels.add("Bike", control="label", background="green")
    with pytest.raises(ValueError, match="give control="):
        cars.labels.add("Tram")
    cars.labels.undo(undo)
    assert cars.label_config == CONFIG


def test_a_branch_for_every_project_that_has_the_control(ls: LabelStudio, cars: Project) -> None:
    """Those that cannot take it are told."""
    plain = ls.projects.create(title=f"Plain {uuid.uuid4().hex[:8]}", label_config="<View></View>")
    text = CONFIG.replace("<Taxonomy", "<Ranker").replace("</Taxonomy", "</Ranker")
    odd = ls.projects.create(title=f"Odd {uuid.uuid4().hex[:8]}", label_config=text)
    more = ls.projects.create(title=f"More {uuid.uuid4().hex[:8]}", label_config=CONFIG)
    mine = [cars, plain, odd, more]
    try:
        refused = {}
        for project in ls.projects.filter(id__in=[one.id for one in mine]):
            if "kind" in project.config:
                try:
                    project.labels.add(("Animal", "Cat"), control="kind")
                    project.labels.add(("Mineral", "Gold"), control="kind")
                except (BadRequest, TypeError, ValueError) as error:
                    refused[project.id] = str(error)
        added = [one.id for one in mine if ("Animal", "Cat") in one.refresh().labels]
        assert added == [cars.id, more.id]
        assert list(refused) == [odd.id]
        assert "branch" in refused[odd.id]
        paths = [label.path for label in cars.config["kind"].label_tags]
        assert ("Animal", "Cat") in paths
        assert ("Mineral", "Gold") in paths
    finally:
        for one in (plain, odd, more):
            ls.request("DELETE", f"/api/projects/{one.id}/")


# -- looking --------------------------------------------------------------------------------------


def test_the_labels_of_a_project(cars: Project) -> None:
    assert [label.stored for label in cars.labels] == [
        "Car", "bus", "Van", "Car", "Good", "Animal", "Dog", "Poodle", "Plant",
    ]  # fmt: skip
    assert len(cars.labels) == 9
    for label in ("Car", "Bus", "bus", ("Animal", "Dog"), ["Animal", "Dog", "Poodle"]):
        assert label in cars.labels
    for strange in ("Cars", ("Dog",), "", (), None, 5):
        assert strange not in cars.labels
    assert repr(cars.labels).endswith(": 9>")


def test_only_tasks_with_the_label_are_read(
    ls: LabelStudio, project: Project, asked: Callable[[], list[str]]
) -> None:
    """Where it costs the server least to search the text of the results."""
    facts_of(ls).database = "postgresql"
    control = project.config["sentiment"]
    results = [[control.choice("Positive")] for _ in range(40)]
    results[20] = [control.choice("Negative")]
    project.tasks.bulk_create(
        {"data": {"text": "x"}, "annotations": [{"result": result}]} for result in results
    )
    asked()
    read: list[Task] = []
    load = Task._load

    def counting(rows: Any, origin: Any) -> Any:
        for task in load(rows, origin):
            read.append(task)
            yield task

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Task, "_load", counting)
        assert counts(project.labels.rename("Negative", "Bad"))["annotations"] == 1
    assert len(read) == 1
    assert len(asked()) < 20


def test_an_unsaved_config_is_not_lost(cars: Project) -> None:
    cars.label_config = CONFIG.replace("Good", "Fine")
    with pytest.raises(ValueError, match=r"unsaved label_config; save"):
        cars.labels.rename("Car", "Vehicle", control="label")
    cars.refresh()
    cars.title = "Another title"
    cars.labels.rename("Car", "Vehicle", control="label")
    assert cars.changes.keys() == {"title"}


def test_a_config_that_somebody_else_saved_is_not_overwritten(
    ls: LabelStudio, cars: Project
) -> None:
    other = ls.projects.get(cars.id)
    other.label_config = CONFIG.replace('"Good"', '"Fine"')
    other.save()
    cars.labels.rename("Car", "Vehicle", control="label")
    assert '"Fine"' in str(cars.label_config)


# -- drafts ---------------------------------------------------------------------------------------


def test_labels_are_changed_in_drafts_too(ls: LabelStudio, cars: Project) -> None:
    """A draft is somebody's, of a task or of an annotation; a saved annotation may lose its own."""
    task = cars.tasks.get(data__n=6)
    annotation = task.annotations.create(result=[])
    draft = ls.drafts.create(task=task, annotation=annotation, result=[], lead_time=2.5)
    alone = ls.drafts.create(task=task, result=[])
    assert [one.id for one in ls.drafts.filter(task=task)] == [draft.id, alone.id]
    assert [one.id for one in ls.drafts.filter(task=task, annotation=annotation)] == [draft.id]
    assert draft.user == ls.users.me().email
    alone.lead_time = 1.5
    alone.save()
    assert ls.drafts.get(alone.id).lead_time == 1.5
    draft.annotation = None
    draft.save()
    annotation.lead_time = 5.0
    annotation.save()
    assert ls.drafts.get(draft.id).annotation_id is None
    draft.annotation = annotation
    draft.save()
    annotation.lead_time = 6.0
    annotation.save(keep_drafts=False)
    with pytest.raises(DoesNotExist):
        ls.drafts.get(draft.id)
    alone.delete()
    assert not ls.drafts.filter(task=task).exists()


REPEATED = """<View><Repeater on="$pages" FLAG><Image name="page_{{idx}}" value="$pages[{{idx}}]"/>
<Choices name="kind_{{idx}}" toName="page_{{idx}}"><Choice value="Map"/><Choice value="Old"/>
</Choices></Repeater><Text name="t" value="$t"/>
<Choices name="flat" toName="t"><Choice value="A"/></Choices></View>"""


@pytest.mark.parametrize("kind", ["annotations", "drafts"])
@pytest.mark.parametrize("flag", ["", 'indexFlag="{{idx}}"'])
def test_labels_of_a_repeater(ls: LabelStudio, flag: str, kind: str) -> None:
    """Without its index flag the server accepts no change of the config once a control is used."""
    project = ls.projects.create(title="Pages", label_config=REPEATED.replace("FLAG", flag))
    (task,) = project.tasks.bulk_create([{"pages": ["/a.png"], "t": "a"}])
    project.labels.add("Plan", control="kind_{{idx}}")
    result = [project.config["kind_0"].choice("Map")]
    if kind == "annotations":
        task.annotations.create(result=result)
    else:
        ls.drafts.create(task=task.id, result=result)
    before = project.label_config
    changes: tuple[Callable[[], Any], ...] = (
        lambda: project.labels.add("B", control="flat"),
        lambda: project.labels.rename("Map", "Chart"),
        lambda: project.labels.remove("Old"),
    )
    for change in changes:
        if flag:
            assert change().ok
        else:
            with pytest.raises(ValueError, match=r"Repeater.*accepts no change"):
                change()
    project.refresh()
    found = project.annotations if kind == "annotations" else ls.drafts.filter(task=task)
    (stored,) = found
    label = "Chart" if flag else "Map"
    assert stored.result[0]["value"] == {"choices": [label]}
    assert (project.label_config == before) is not bool(flag)
    assert label in project.config["kind_0"].labels
    if not flag:  # the way out that the message names
        assert project.label_config is not None
        project.label_config = project.label_config.replace("on=", 'indexFlag="{{idx}}" on=')
        project.save()
        assert project.labels.rename("Map", "Chart").ok
    project.delete()
