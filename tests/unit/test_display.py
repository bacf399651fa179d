"""Pictures for notebooks: what is in them, what they request, and that hostile data stay data."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm import LabelStudio, Project, View
from labelstudio_orm._engine.values.summary import Failure, Summary
from labelstudio_orm._html.markup import colour, source, tag
from labelstudio_orm._reports import Difference, Loss, Report
from labelstudio_orm.config import LabelConfig, Span, UnknownControl, choices, labels
from labelstudio_orm.resources.tasks import Task
from labelstudio_orm.testing import FakeLabelStudio

CAR = (
    "RectangleLabels",
    {"toName": "image"},
    (("Label", {"value": "Car", "background": "red"}, ()),),
)
CONFIG = LabelConfig.build({
    "text": "Text", "image": "Image", "page": "HyperText", "sound": "Audio", "film": "Video",
    "talk": "Paragraphs",
    "mood": choices(["good", "bad"]), "stars": "Rating", "notes": "TextArea",
    "ner": labels(["Person", "Place"]), "car": CAR,
    "poly": ("PolygonLabels", {"toName": "image"}, (("Label", {"value": "Road"}, ()),)),
    "oval": ("EllipseLabels", {"toName": "image"}, (("Label", {"value": "Wheel"}, ()),)),
    "dot": ("KeyPointLabels", {"toName": "image"}, (("Label", {"value": "Eye"}, ()),)),
    "heard": ("Labels", {"toName": "sound"}, (("Label", {"value": "Speech"}, ()),)),
    "said": ("ParagraphLabels", {"toName": "talk"}, (("Label", {"value": "Joke"}, ()),)),
})  # fmt: skip

TEXTS = LabelConfig.build({
    "text": "Text", "mood": choices(["good", "bad"]), "ner": labels(["Person", "Place"]),
})  # fmt: skip

HOSTILE = (
    "<script>alert(1)</script>", "</td></table><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)', "'><svg onload=alert(1)>", "</style><script>alert(1)</script>",
    "javascript:alert(1)", " JaVaScRiPt:alert(1)", "\x01javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>", "vbscript:x", "//evil.example/x.png",
    "red;background:url(http://evil.example)", "}</style>", "]]><!--", "\x00\ud800&lt;",
    "https://a.example/x.png\" onerror=\"alert(1)",
)  # fmt: skip

ATTRIBUTES = {
    "alt", "class", "controls", "d", "loading", "open", "points", "preload",
    "preserveaspectratio", "referrerpolicy", "sandbox", "src", "srcdoc", "style", "title",
    "vector-effect", "viewbox",
}  # fmt: skip
ELEMENTS = {
    "audio", "b", "details", "div", "iframe", "img", "mark", "path", "polygon", "polyline", "pre",
    "span", "style", "summary", "sup", "svg", "table", "tbody", "td", "th", "thead", "title", "tr",
    "video",
}  # fmt: skip


class Parsed(HTMLParser):
    """What a browser makes of it: the elements with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, name: str, attributes: Any) -> None:
        self.found.append((name, {key: value or "" for key, value in attributes}))
        if name not in ("img", "meta"):
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def all(self, name: str) -> list[dict[str, str]]:
        return [attributes for one, attributes in self.found if one == name]


def shown(thing: Any) -> Parsed:
    html = thing._repr_html_()
    html.encode()
    parsed = Parsed(html)
    assert not parsed.open
    assert {name for name, _ in parsed.found} <= ELEMENTS
    assert {key for _, attributes in parsed.found for key in attributes} <= ATTRIBUTES
    for _, attributes in parsed.found:
        assert re.fullmatch(r"(https?://|data:(image|audio|video)/).*|", attributes.get("src", ""))
        assert re.fullmatch(
            r"((--lso-c:(#?\w+|rgb\([\d, ]+\))|(left|top|width):-?[\d.]+%);?)*",
            attributes.get("style", ""),
        )
    return parsed


@pytest.fixture
def task(ls: LabelStudio) -> Task:
    project = ls.projects.create(title="Pictures", label_config=str(CONFIG))
    task = project.tasks.create(data={
        "text": "Ann saw Oslo", "image": "/data/upload/1/a.png", "page": "<h1>Hi</h1>",
        "sound": "https://a.example/a.mp3", "film": "https://a.example/a.mp4",
        "talk": [{"author": "Bob", "text": "a joke"}], "more": 7,
    })  # fmt: skip
    task.annotations.create(result=[
        *CONFIG.regions({"mood": "good", "stars": 4, "notes": "fine"}),
        CONFIG["ner"].label("Person", start=0, end=3),
        CONFIG["ner"].label("Place", start=8, end=12),
        CONFIG["car"].rectangle(
            "Car", x=10, y=20, width=30, height=40, rotation=90, size=(200, 100)
        ),
        CONFIG["poly"].polygon("Road", points=[(1, 2), (3, 4), (5, 6)]),
        CONFIG["oval"].ellipse("Wheel", x=50, y=50, radius_x=5, radius_y=5),
        CONFIG["dot"].keypoint("Eye", x=9, y=8, width=1),
        CONFIG["heard"].label("Speech", start=2, end=4),
    ])  # fmt: skip
    found = project.tasks.prefetch("annotations", "predictions").first()
    assert found is not None
    return found


def test_a_task_is_shown_with_all_that_its_config_shows(task: Task, fake: FakeLabelStudio) -> None:
    fake.requests.clear()
    found = shown(task)
    assert not fake.requests
    assert [one["src"] for one in found.all("img")] == [f"{fake.url}/data/upload/1/a.png"]
    assert [one["src"] for one in found.all("audio")] == ["https://a.example/a.mp3"]
    assert [one["src"] for one in found.all("video")] == ["https://a.example/a.mp4"]
    (page,) = found.all("iframe")
    assert page["sandbox"] == ""
    assert page["srcdoc"].endswith("<h1>Hi</h1>")
    car, road, wheel = found.all("polygon")
    assert car["style"] == "--lso-c:red"
    # Turned by a right angle on 200 by 100 pixels: 30 % across are 60 pixels, and so 60 % down.
    assert car["points"] == "10,20 10,80 -10,80 -10,20"
    assert road["points"] == "1,2 3,4 5,6"
    assert len(wheel["points"].split()) > 20
    assert found.all("path")[0]["d"] == "M9 8h0.001"
    assert [one["title"] for one in found.all("mark")] == ["Person", "Place"]
    assert "AnnPerson saw OsloPlace" in found.text
    ranges = [one for one in found.all("div") if one.get("class") == "lso-range"]
    assert ranges[0]["style"].endswith("left:50%;width:50%")
    for text in ("mood: good", "stars: ★★★★", "notes: fine", "Bob: a joke", "more7"):
        assert text in found.text


def test_spans_that_overlap_are_marked_piece_by_piece(ls: LabelStudio) -> None:
    project = ls.projects.create(title="Spans", label_config=str(TEXTS))
    task = project.tasks.create(data={"text": "abcdef"})
    spans = [Span(0, 4, labels=("Person",)), Span(2, 99, labels=("Place",))]
    annotation = task.annotations.create(result=TEXTS.regions({"ner": spans}))
    found = shown(annotation)
    assert [one["title"] for one in found.all("mark")] == ["Person", "Person; Place", "Place"]
    assert "abcdPersonefPlace" in found.text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_texts(text: str, ls: LabelStudio) -> None:
    clean = "".join(one for one in text if one.isprintable())
    project = ls.projects.create(title=clean, label_config=str(CONFIG))
    data = dict.fromkeys(("text", "image", "page", "sound", "film", clean), clean)
    talk = [{"author": clean, "text": clean}, clean]
    task = project.tasks.create(data={**data, "talk": talk})
    place = {"start": 0, "end": 9, "text": text}
    result = [
        {
            "id": text,
            "from_name": name,
            "to_name": on,
            "type": kind,
            "value": {**place, key: [text]},
        }
        for name, on, kind, key in (
            ("ner", "text", "labels", "labels"),
            ("mood", "text", "choices", "choices"),
            ("notes", "text", "textarea", "text"),
            ("heard", "sound", "labels", "labels"),
            (text, text, text, text),
        )
    ]
    result.append({"type": "relation", "from_id": text, "to_id": text, "labels": [text]})
    annotation = task.annotations.create(result=[])
    annotation.result = result
    box = {"x": 1, "y": 1, "width": 5, "height": 5, "rectanglelabels": [text]}
    result.append({"from_name": "car", "to_name": "image", "type": "rectanglelabels", "value": box})
    for thing in (
        task,
        annotation,
        project.tasks,
        ls.projects,
        project.tasks.filter(data__text=text),
    ):
        assert shown(thing).text


@pytest.mark.parametrize("path", ["/logout", "/api/projects/1/", "/data/upload/../../logout"])
def test_a_picture_asks_the_server_for_files_alone(path: str, ls: LabelStudio) -> None:
    config = '<View><Image name="image" value="$image"/></View>'
    project = ls.projects.create(title="Pictures", label_config=config)
    for address in (path, f"{ls.url}{path}", f"{ls.url.upper()}{path}"):
        task = project.tasks.create(data={"image": address})
        assert all(ls.url not in (one.get("src") or "").lower() for one in shown(task).all("img"))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_configs_stay_texts(text: str, ls: LabelStudio) -> None:
    clean = "".join(one for one in text if one.isprintable())
    label = ("Label", {"value": clean, "background": clean}, ())
    config = LabelConfig.build(
        {"text": "Text", clean: ("Labels", {"toName": "text"}, (label,))}, title=clean
    )
    project = ls.projects.create(title="Hostile", label_config=str(config))
    task = project.tasks.create(data={"text": "abc"})
    span = Span(0, 2, labels=(clean,))
    assert clean in shown(config).text
    assert clean in shown(task.annotate({clean: [span]})).text
    assert shown(project).text


HOSTILE_COLOURS = ("red;x:url(//a)", "url(javascript:1)", "expression(1)", "</style>", "#zzz", "")


@pytest.mark.parametrize("written", HOSTILE_COLOURS)
def test_a_colour_that_is_none_is_replaced(written: str) -> None:
    assert re.fullmatch("#[0-9a-f]{6}", colour(written, "Car"))


def test_colours_of_the_config_are_kept() -> None:
    for written in ("red", "#f00", "rgb(1, 2, 3)", "hsla(10deg 5% 5% / 0.5)"):
        assert colour(written, "Car") == written


def test_only_files_and_the_web_are_loaded() -> None:
    for address in ("http://a.example/x", "HTTPS://a.example/x", "data:image/png;base64,AA=="):
        assert source(address, "image") == address
    others = ("data:image/png", "data:audio/mp3,x", "file:///etc/passwd")
    assert not [one for one in (*HOSTILE[:-1], *others) if source(one, "image")]


def test_attributes_and_texts_are_escaped() -> None:
    assert tag("b", "<", title="\"'<") == '<b title="&quot;&#x27;&lt;">&lt;</b>'


QUERIES: dict[str, Callable[[Any], Any]] = {
    "tasks": lambda project: project.tasks,
    "annotations": lambda project: project.annotations,
    "a slice": lambda project: project.tasks[5:8],
    "an order": lambda project: project.tasks.order_by("-created_at", "data__text"),
    "a condition of the server": lambda project: project.tasks.filter(data__text__contains="1"),
    "a condition that is checked here": lambda project: project.tasks.filter(
        data__text__regex="9$"
    ),
    "related objects": lambda project: project.tasks.filter(annotations__result__mood="good"),
    "those of a view": lambda project: project.views.create(title="All").tasks,
    "a table of fields": lambda project: project.tasks.only("id", "data"),
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_queryset_costs_one_request_at_most(
    name: str, ls: LabelStudio, fake: FakeLabelStudio
) -> None:
    project = ls.projects.create(title="Many", label_config=str(TEXTS))
    project.tasks.bulk_create([{"text": f"text {n}"} for n in range(300)])
    fresh = ls.projects.ref(project.id)
    query = QUERIES[name](fresh)
    fake.requests.clear()
    found = shown(query)
    assert len(fake.requests) == 1
    assert len(found.all("tr")) <= 11
    list(query)
    fake.requests.clear()
    shown(query)
    assert not fake.requests


def test_an_error_is_shown_in_place_of_the_rows(ls: LabelStudio) -> None:
    assert "NotFound" in shown(ls.projects.ref(99).tasks).text


def test_a_project_has_a_bar_of_the_counters_that_it_has(
    ls: LabelStudio, fake: FakeLabelStudio
) -> None:
    project = ls.projects.create(title="<Half>", label_config=str(TEXTS))
    first, _ = project.tasks.bulk_create([{"text": "a"}, {"text": "b"}])
    first.annotations.create(result=TEXTS.regions({"mood": "good"}))
    found = ls.projects.get(id=project.id)
    fake.requests.clear()
    parsed = shown(found)
    assert "1 of 2 tasks finished (50 %)" in parsed.text
    assert "<Half>" in parsed.text
    assert "width:50.0%" in [one.get("style") for one in parsed.all("div")]
    assert "finished" not in shown(ls.projects.ref(project.id)).text
    assert str(ls.url) in shown(ls).text
    assert not fake.requests


def test_a_config_shows_its_labels_in_their_colours() -> None:
    found = shown(CONFIG)
    chips = {one["style"] for one in found.all("span") if one.get("class") == "lso-chip"}
    assert "--lso-c:red" in chips
    assert "car" in found.text
    assert "$text" in found.text


def test_results_of_verbs_are_tables_and_one_line(ls: LabelStudio) -> None:
    project = ls.projects.create(title="<b>", label_config=str(TEXTS))
    made = project.tasks.bulk_create(
        [*({"text": f"text {n}"} for n in range(1000)), {"<i>": 1}], on_error="collect"
    )
    assert repr(made) == "[<Task 1>, <Task 2>, <Task 3>, ... 997 more]"
    found = shown(made)
    assert "created1,000failed1" in found.text
    assert "{'<i>': 1}" in found.text
    assert "and 990 more" in found.text
    assert "created1,000" in shown(made.summary).text
    assert "text 01" in (counts := shown(project.tasks.count_by("data__text"))).text
    assert "950 more rows" in counts.text


def test_reports_are_tables() -> None:
    failed = Failure(0, "<b>", "<script>")
    difference = Difference("tasks", 1, 2, "data", "<i>", "</td>")
    report = Report(
        what="copying <Project>",
        counts={"tasks": Summary(created=4, failed=[failed])},
        differences=[difference],
        losses=[Loss("tasks", "created_at", 4, "<no>")],
    )
    found = shown(report)
    for text in ("copying <Project>: NOT THE SAME", "4 created, 1 failed", "<script>", "<no>"):
        assert text in found.text
    assert str(difference) in found.text


# -- addresses and files --------------------------------------------------------------------------


def test_addresses_of_the_web_interface_cost_no_request(
    ls: LabelStudio, fake: FakeLabelStudio
) -> None:
    project = ls.projects.create(title="Moods", label_config=str(TEXTS))
    made = project.tasks.create(data={"text": "a"})
    view = project.views.create(title="All")
    fake.requests.clear()
    base = f"{fake.url}/projects/{project.id}/data/"
    for thing, address in ((project, ""), (made, f"?task={made.id}"), (view, f"?tab={view.id}")):
        assert thing.url == base + address
    assert not fake.requests
    for unsaved in (Project(title="x"), Task(project=1, data={}), View(project=1)):
        with pytest.raises(ValueError, match=r"url needs a saved"):
            _ = unsaved.url


def test_a_task_is_written_with_results_that_were_not_loaded(
    ls: LabelStudio, task: Task, tmp_path: Path
) -> None:
    path = tmp_path / "task.html"
    assert ls.tasks.get(task.id).show(path) == path
    html = path.read_text(encoding="utf-8")
    parsed = Parsed(html)
    assert "stars: ★★★★" in parsed.text
    policy = parsed.all("meta")[1]
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert policy["content"].startswith("default-src 'none'; ")
    assert not parsed.all("script")
    (annotation,) = task.annotations
    annotation.show(path)
    assert len(Parsed(path.read_text(encoding="utf-8")).all("polygon")) == 3


def test_a_contact_sheet_has_the_first_tasks_by_few_requests(
    ls: LabelStudio, fake: FakeLabelStudio, tmp_path: Path
) -> None:
    project = ls.projects.create(title="Moods", label_config=str(TEXTS))
    for made in project.tasks.bulk_create([{"text": f"text {n}"} for n in range(20)]):
        made.annotations.create(result=TEXTS.regions({"mood": "good"}))
    fake.requests.clear()
    path = project.tasks.show(12, tmp_path / "sheet.html")
    assert len(fake.requests) == 1
    parsed = Parsed(path.read_text(encoding="utf-8"))
    assert parsed.text.count("mood: good") == 12
    with pytest.raises(ValueError, match="number of tasks"):
        project.tasks.show(0, path)


# -- values by the names of controls --------------------------------------------------------------


@pytest.fixture
def note(ls: LabelStudio) -> Task:
    project = ls.projects.create(title="Notes", label_config=str(TEXTS))
    return project.tasks.create(data={"text": "Ann saw Oslo"})


def test_annotations_are_made_and_changed_by_the_names_of_controls(
    note: Task, fake: FakeLabelStudio
) -> None:
    fake.requests.clear()
    made = note.annotate(mood="good", ner=[Span(0, 3, labels=("Person",))])
    assert len(fake.requests) == 1
    person = made.result[1]
    assert made.update_values(mood="bad") is made
    stored = note.annotations.get(id=made.id)
    assert stored.values()["mood"] == "bad"
    assert stored.result[1] == person
    stored.update_values({"mood": None})
    assert [*note.annotations.get(id=made.id).values()] == ["ner"]


def test_a_task_that_is_not_saved_has_no_annotation_yet(note: Task) -> None:
    assert note.project is not None
    unsaved = Task(project=note.project, data={"text": "a"})
    with pytest.raises(ValueError, match=r"annotate\(\) needs a saved Task"):
        unsaved.annotate(mood="good")


def test_values_of_no_control_and_no_label_are_refused_before_anything_is_sent(
    note: Task, fake: FakeLabelStudio
) -> None:
    made = note.annotate(mood="good")
    fake.requests.clear()
    for write in (note.annotate, made.update_values):
        with pytest.raises(UnknownControl, match=r"'mod'.*did you mean 'mood'"):
            write(mod="good")
        with pytest.raises(ValueError, match=r"no label 'god'.*did you mean 'good'"):
            write(mood="god")
        with pytest.raises(TypeError, match="mood"):
            write(mood=5)
    with pytest.raises(UnknownControl):
        made.update_values(mod=None)
    assert made.values() == {"mood": "good"}
    assert not fake.requests
