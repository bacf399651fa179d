"""Labels within results: what becomes of them, and how that is taken back."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelstudio_orm._relabel.results import Relabelling, restored
from labelstudio_orm._relabel.undofile import UndoFile, read_changes, read_job
from labelstudio_orm.config import LabelConfig
from labelstudio_orm.testing import FakeLabelStudio

CONFIG = LabelConfig.parse("""<View>
  <Image name="img" value="$image"/> <Video name="film" value="$film"/>
  <RectangleLabels name="box" toName="img" choice="multiple">
    <Label value="Car"/><Label value="Van"/><Label value="Bus"/></RectangleLabels>
  <Rectangle name="bare" toName="img"/>
  <Labels name="kind" toName="img"><Label value="Car"/><Label value="Red"/></Labels>
  <Labels name="actor" toName="film"><Label value="Car"/></Labels>
  <VideoRectangle name="track" toName="film"/>
  <TextArea name="why" toName="img" perRegion="true"/>
  <Choices name="look" toName="img" perRegion="true"><Choice value="Car"/></Choices>
  <Taxonomy name="tree" toName="img"><Choice value="A"><Choice value="B"/></Choice></Taxonomy>
  <Repeater on="$pages" indexFlag="{{idx}}">
    <Image name="page_{{idx}}" value="$pages[{{idx}}]"/>
    <Choices name="q_{{idx}}" toName="page_{{idx}}"><Choice value="Car"/></Choices></Repeater>
</View>""")


def change(control: str, becomes: dict[Any, Any]) -> Relabelling:
    """With labels as texts or tuples."""

    def path(label: Any) -> Any:
        return (label,) if isinstance(label, str) else label

    return Relabelling(CONFIG[control], {path(a): path(b) for a, b in becomes.items()})


def region(name: str, type_: str, labels: Any, id_: str | None = "r", **more: Any) -> Any:
    """A region as the server stores it."""
    value = {"x": 1, "labels" if type_ == "videorectangle" else type_: labels}
    return {"id": id_, "from_name": name, "to_name": "img", "type": type_, "value": value, **more}


def box(*labels: str, id_: str | None = "r") -> Any:
    """A rectangle."""
    return region("box", "rectanglelabels", list(labels), id_)


WHY = {
    "id": "r",
    "from_name": "why",
    "to_name": "img",
    "type": "textarea",
    "value": {"text": ["Car"]},
}
RELATION = {"type": "relation", "from_id": "r", "to_id": "s", "labels": ["Car"]}


@pytest.mark.parametrize(
    ("given_", "becomes", "wanted"),
    [
        (["Car", "Bus"], {"Car": "Vehicle"}, ["Vehicle", "Bus"]),
        (["Bus", "Car"], {"Car": "Vehicle"}, ["Bus", "Vehicle"]),
        (["Car", "Bus", "Vehicle"], {"Car": "Vehicle"}, ["Vehicle", "Bus"]),
        (["Vehicle", "Bus", "Car"], {"Car": "Vehicle"}, ["Vehicle", "Bus"]),
        (["Van", "Bus", "Car"], {"Car": "V", "Van": "V"}, ["V", "Bus"]),
        (["Bus", "Bus", "Car"], {"Car": "V"}, ["Bus", "Bus", "V"]),
        (["Car", "Bus"], {"Car": "Bus", "Bus": "Car"}, ["Bus", "Car"]),
        (["Car", "Bus"], {"Car": None}, ["Bus"]),
        (["car", "Cars", "", "Bus"], {"Car": "V"}, ["car", "Cars", "", "Bus"]),
    ],
)
def test_labels_keep_their_order_and_none_comes_twice(
    given_: list[str], becomes: dict[str, str], wanted: list[str]
) -> None:
    before = [box(*given_)]
    result, traces = change("box", becomes).apply(before)
    assert result == [box(*wanted)]
    assert before == [box(*given_)]
    assert restored(result, traces) == ([box(*given_)], [])
    assert bool(traces) is (given_ != wanted)


def test_only_regions_of_the_control_are_changed() -> None:
    others = [
        WHY,
        RELATION,
        region("kind", "labels", ["Car"]),
        region("look", "choices", ["Car"]),
        {"from_name": "box"},
        "Car",
        None,
        {"from_name": ["box"], "type": {}, "value": {"rectanglelabels": ["Car"]}},
        {"from_name": "box", "type": "rectanglelabels", "value": {"rectanglelabels": {"Car": 1}}},
        {"from_name": "box", "type": "rectangle", "value": {"x": 1}},
    ]
    result, _ = change("box", {"Car": "V"}).apply([*others, box("Car")])
    assert result == [*others, box("V")]
    nothings: list[Any] = [None, {}, "Car", []]
    for nothing in nothings:
        assert change("box", {"Car": "V"}).apply(nothing) == (nothing, [])


def test_all_paths_through_a_branch_are_changed() -> None:
    paths = [["A"], ["A", "B"], ["A", "B", "C"], ["B", "A"], "A", ["A", 1]]
    wanted = [["A"], ["A", "X"], ["A", "X", "C"], ["B", "A"], "A", ["A", 1]]
    before = region("tree", "taxonomy", paths)
    result, traces = change("tree", {("A", "B"): ("A", "X")}).apply([before])
    assert result == [region("tree", "taxonomy", wanted)]
    assert restored(result, traces) == ([before], [])
    dropped, _ = change("tree", {("A", "B"): None}).apply([before])
    assert dropped[0]["value"]["taxonomy"] == [["A"], ["B", "A"], "A", ["A", 1]]
    moved, _ = change("tree", {"A": ("Z", "A")}).apply([region("tree", "taxonomy", ["A"])])
    assert moved[0]["value"]["taxonomy"] == [["Z", "A"]]


def test_a_lone_text_and_the_items_of_a_repeater() -> None:
    assert change("look", {"Car": "V"}).apply([region("look", "choices", "Car")])[0] == [
        region("look", "choices", "V")
    ]
    paged = change("q_{{idx}}", {"Car": "V"})
    assert paged.apply([region("q_12", "choices", ["Car"])])[0] == [
        region("q_12", "choices", ["V"])
    ]


def test_the_labels_of_a_video_stand_in_its_shapes() -> None:
    track = {**region("track", "videorectangle", ["Car"]), "to_name": "film"}
    (after,), _ = change("actor", {"Car": "V"}).apply([track])
    assert after["value"] == {"x": 1, "labels": ["V"]}
    assert change("kind", {"Car": "V"}).apply([track])[1] == []


DROP = change("box", {"Car": None})


def test_a_region_without_labels_leaves_with_all_that_is_said_of_it() -> None:
    other = box("Bus", id_="s")
    before = [WHY, box("Car"), region("look", "choices", ["Car"]), other, RELATION]
    result, traces = DROP.apply(before)
    assert result == [other]
    assert restored(result, traces) == (before, [])
    assert restored(before, traces) == (before, [])


def test_a_shape_with_another_label_stays() -> None:
    kept = [region("bare", "rectangle", None), region("kind", "labels", ["Red"]), WHY, RELATION]
    assert DROP.apply([box("Car"), *kept])[0] == kept
    choice = region("look", "choices", ["Car"])
    assert change("look", {"Car": None}).apply([box("Bus"), choice])[0] == [box("Bus")]
    assert DROP.apply([box("Car", id_=None), box("Bus", id_=None)])[0] == [box("Bus", id_=None)]


def test_what_was_edited_since_stays() -> None:
    result, traces = change("box", {"Car": "V"}).apply([box("Car"), box("Car", id_="s")])
    moved = [box("Bus", id_="new"), copy.deepcopy(result[1]), copy.deepcopy(result[0])]
    moved[1]["value"]["x"] = 50
    moved[2]["value"]["rectanglelabels"] = ["V", "Bus"]
    back, changed = restored(moved, traces)
    assert back[0] == moved[0]
    assert back[1] == {
        **box("Car", id_="s"),
        "value": {**moved[1]["value"], **box("Car")["value"], "x": 50},
    }
    assert back[2] == moved[2]
    assert [one["id"] for one in changed] == ["r"]


LABEL = st.sampled_from(["Car", "Van", "Bus", "Vehicle"])
REGIONS = st.lists(
    st.one_of(
        st.builds(
            lambda labels, id_: box(*labels, id_=id_),
            st.lists(LABEL, max_size=3, unique=True),
            st.sampled_from(["r", "s", "t", None]),
        ),
        st.sampled_from([WHY, RELATION, region("kind", "labels", ["Car"])]),
    ),
    max_size=6,
    unique_by=lambda one: (one.get("id"), one.get("from_name"), one["type"]),
)
BECOMES = st.dictionaries(LABEL, LABEL | st.just("New") | st.none(), max_size=3)


@given(REGIONS, BECOMES)
def test_what_was_changed_can_be_taken_back(regions: list[Any], becomes: Any) -> None:
    before = copy.deepcopy(regions)
    result, traces = change("box", becomes).apply(regions)
    assert regions == before
    assert json.loads(json.dumps(traces)) == traces
    assert bool(traces) is (result != before)
    assert restored(result, traces) == (before, [])
    assert restored(before, traces) == (before, [])


@given(REGIONS, BECOMES)
def test_once_more_changes_nothing(regions: list[Any], becomes: Any) -> None:
    done = {old: new for old, new in becomes.items() if new not in becomes or new == old}
    result, _ = change("box", done).apply(regions)
    assert change("box", done).apply(result) == (result, [])


# -- the file -------------------------------------------------------------------------------------

JOB = {"job": "renaming", "project": 1, "before": "a", "after": "b"}


def test_a_file_is_continued_and_what_was_cut_off_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "undo.jsonl"
    with UndoFile(path, JOB) as file:
        file.write({"id": 1})
    with path.open("a") as half:
        half.write('{"id": 2, "cha')
    assert list(read_changes(path)) == [{"id": 1}]
    with UndoFile(path, {**JOB, "before": "meanwhile"}) as file:
        file.write({"id": "ü"})
    assert read_job(path) == JOB
    assert list(read_changes(path)) == [{"id": 1}, {"id": "ü"}]
    path.write_text('{"job": "renam')
    with UndoFile(path, JOB):
        assert read_job(path) == JOB


def test_a_file_of_another_job_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "undo.jsonl"
    with UndoFile(path, JOB):
        pass
    with (
        pytest.raises(ValueError, match="its project is 1, here it is 2"),
        UndoFile(path, {**JOB, "project": 2}),
    ):
        pass
    path.write_text("[1]\n")
    with pytest.raises(ValueError, match="not an undo file"):
        read_job(path)
    with UndoFile(None, JOB) as nowhere:
        nowhere.write({"id": 1})


REPEATED = """<View><Repeater on="$pages"><Image name="page_{{idx}}" value="$pages[{{idx}}].url"/>
<Choices name="kind_{{idx}}" toName="page_{{idx}}"><Choice value="Map"/></Choices></Repeater>
</View>"""
DYNAMIC = """<View><Text name="text" value="$text"/>
<Taxonomy name="kind" toName="text" value="$kinds"/></View>"""


@pytest.mark.parametrize("flag", ["{{idx}}", "##"])
def test_labels_of_a_repeater_that_says_its_index_flag(flag: str) -> None:
    """The server knows the controls of its items."""
    xml = REPEATED.replace('on="$pages"', f'on="$pages" indexFlag="{flag}"')
    ls = FakeLabelStudio().client()
    project = ls.projects.create(title="Pages", label_config=xml.replace("{{idx}}", flag))
    (task,) = project.tasks.bulk_create([{"pages": [{"url": "a.png"}, {"url": "b.png"}]}])
    annotation = task.annotations.create(result=[project.config["kind_1"].choice("Map")])
    assert project.labels.rename("Map", "Chart").ok
    assert project.labels.add("Plan", control="kind_1").ok
    assert annotation.refresh().result[0]["value"] == {"choices": ["Chart"]}
    assert project.config["kind_0"].labels == ("Chart", "Plan")


def test_labels_that_cannot_be_changed_are_refused_before_anything_is_written() -> None:
    ls = FakeLabelStudio().client()
    project = ls.projects.create(title="Pages", label_config=REPEATED)
    (task,) = project.tasks.bulk_create([{"pages": [{"url": "a.png"}, {"url": "b.png"}]}])
    project.labels.add("Plan")
    task.annotations.create(result=[project.config["kind_1"].choice("Map")])
    before = project.label_config
    changes: tuple[Callable[[], object], ...] = (
        lambda: project.labels.rename("Map", "Chart"),
        lambda: project.labels.add("Chart"),
        lambda: project.labels.add("Chart", control="kind_1"),
        lambda: project.labels.remove("Plan"),
    )
    for change in changes:
        with pytest.raises(ValueError, match="Repeater"):
            change()
        assert project.changes == {}
    project.refresh()
    assert project.label_config == before
    other = ls.projects.create(title="Kinds", label_config=DYNAMIC)
    with pytest.raises(ValueError, match="from the tasks"):
        other.labels.add(("Animal", "Dog"), control="kind")


def test_a_control_of_a_repeater_is_named_as_that_of_all_items_or_of_one() -> None:
    config = LabelConfig.parse(REPEATED)
    for name in ("kind_{{idx}}", "kind_0", "kind_12", None):
        assert config.with_label("Chart", name)["kind_1"].labels == ("Map", "Chart")
        assert config.renamed("Map", "Plan", name)["kind_1"].labels == ("Plan",)
        assert config.without_label("Map", name)["kind_1"].labels == ()


def test_labels_are_merged_into_a_new_one_of_another_branch(fake: FakeLabelStudio) -> None:
    config = """<View><Text name="t" value="$text"/><Taxonomy name="kind" toName="t">
      <Choice value="Animal"><Choice value="Dog"/><Choice value="Cat"/></Choice>
      <Choice value="Plant"/></Taxonomy></View>"""
    project = fake.client().projects.create(title="Kinds", label_config=config)
    kind = project.config["kind"]
    results = [[kind.taxonomy(["Animal", name])] for name in ("Dog", "Cat")]
    project.tasks.bulk_create(
        [{"data": {"text": "a"}, "annotations": [{"result": one} for one in results]}]
    )
    pets = [("Animal", "Dog"), ("Animal", "Cat")]
    report = project.labels.merge(pets, ("Plant", "Coral"), control="kind")
    assert report.ok, str(report)
    assert [one.values() for one in project.annotations] == [{"kind": [["Plant", "Coral"]]}] * 2
    paths = [one.path for one in project.refresh().config["kind"].label_tags]
    assert paths == [("Animal",), ("Plant",), ("Plant", "Coral")]


def test_the_labels_of_a_result_and_their_branches() -> None:
    tree = region("tree", "taxonomy", [["A", "B"], ["C"]])
    assert change("tree", {}).paths([tree]) == {("A",), ("A", "B"), ("C",)}
    assert change("box", {}).paths([box("Car", "Van"), tree, 5]) == {("Car",), ("Van",)}
    assert change("box", {}).paths(None) == set()


def test_counts_are_the_usage_of_each_label() -> None:
    fake = FakeLabelStudio()
    ls = fake.client()
    project = ls.projects.create(title="Counts", label_config=CONFIG.xml)
    tree = region("tree", "taxonomy", [["A", "B"]])
    q = {**region("q_1", "choices", ["Car"]), "to_name": "page_1"}
    said: list[list[Any]] = [[box("Car", "Van"), box("Car")], [tree, q], [WHY], []]
    project.tasks.bulk_create(
        {
            "data": {"image": "a.png", "film": "a.mp4", "pages": ["a", "b"]},
            "annotations": [{"result": one} for one in said[: n + 1]],
            "predictions": [{"result": one} for one in said[n:]],
        }
        for n in range(3)
    )
    ls.drafts.create(task=project.tasks[1], result=[box("Bus")])
    fake.requests.clear()
    counts = project.labels.counts()
    assert len(fake.requests) == 3  # the config, the tasks, the drafts of one
    labels = {(control, label) for control, label, _ in counts}
    assert {("box", "Bus"), ("tree", ("A", "B")), ("actor", "Car"), ("q_{{idx}}", "Car")} <= labels
    for control, label in labels:
        usage = project.labels.usage(label, control=control)
        assert {kind: counts[control, label, kind] for kind in usage} == usage, (control, label)
    assert (counts["box", "Bus", "drafts"], counts["q_{{idx}}", "Car", "predictions"]) == (1, 2)
