"""Mistakes of the first day, and what is said to them; what is printed and shown."""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, suppress
from pathlib import Path
from typing import Any

import pytest

from labelstudio_orm import (
    FieldError,
    LabelStudio,
    LabelStudioError,
    Project,
    QuerySet,
    Task,
    progress,
)
from labelstudio_orm._cli import main
from labelstudio_orm._engine.bulk.jobs import wait_for
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm._engine.values.registry import registry
from labelstudio_orm.migrate import copy_project, merge, snapshot, verify
from labelstudio_orm.testing import FakeLabelStudio, Fault
from tests.conftest import CONFIG

BOXES = """<View><Text name="text" value="$text"/><Image name="image" value="$image"/>
<RectangleLabels name="box" toName="image"><Label value="Boat"/></RectangleLabels></View>"""


@pytest.fixture
def project(fake: FakeLabelStudio) -> Project:
    """A project of three tasks."""
    made = fake.client().projects.create(title="First", label_config=CONFIG)
    made.tasks.bulk_create([{"text": "a"}, {"text": "b"}, {"text": "c"}])
    fake.requests.clear()
    return made


def writes(fake: FakeLabelStudio) -> list[str]:
    return [f"{one.method} {one.path}" for one in fake.requests if one.method != "GET"]


# -- arguments ------------------------------------------------------------------------------------

SAID: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "a misspelt field": (lambda p: p._client.projects.create(titel="x"), TypeError, "title"),
    "another case": (lambda p: p._client.projects.create(Title="x"), TypeError, "title"),
    "of a constructor": (lambda p: Project(titel="x"), TypeError, "title"),  # type: ignore[call-arg]
    "a text": (lambda p: p._client.projects.create("x"), TypeError, "by name: title="),
    "data by name": (lambda p: p.tasks.create(text="a"), TypeError, 'data={"text"'),
    "data of a constructor": (lambda p: Task(text="a"), TypeError, "data="),  # type: ignore[call-arg]
    "data as such": (lambda p: p.tasks.create({"text": "a"}), TypeError, "data={'text'"),
    "a result": (lambda p: p.tasks[0].annotations.create([]), TypeError, r"result=\[\]"),
    "a number": (lambda p: p.tasks.create(5), TypeError, "by name, not 5"),
    "a view": (lambda p: p.views.create("Todo"), TypeError, "by name"),
    "an address": (lambda p: p.webhooks.create("http://a.example"), TypeError, "by name: url="),
    "an id": (lambda p: Project(id=5, title="x"), TypeError, "'id'.*ref"),  # type: ignore[call-arg]
    "the server's": (lambda p: p.tasks.create(data={}, inner_id=1), TypeError, "by the server"),
    "a foreign key": (lambda p: p.tasks.create(data={}, updated_by=1), TypeError, "by the server"),
    "an attribute": (lambda p: p.titel, AttributeError, "title"),
    "an assignment": (lambda p: setattr(p, "titel", 1), AttributeError, "title"),
    "a key of data": (lambda p: p.tasks[0].text, AttributeError, r'task\.data\["text"\]'),
    "a file": (lambda p: p.tasks.bulk_create("a.json"), FileNotFoundError, "no file a.json"),
    "a path": (lambda p: p.tasks.bulk_create(Path("a.json")), FileNotFoundError, "no file a.json"),
    "bytes": (lambda p: p.tasks.bulk_create(b"[]"), TypeError, r"imports.create\(file"),
    "one item": (lambda p: p.tasks.bulk_create({"text": "a"}), TypeError, r"create\(\.\.\.\)"),
    "no items": (lambda p: p.tasks.bulk_create(5), TypeError, "list"),
    "views from a file": (lambda p: p.views.bulk_create("a"), TypeError, "list of items"),
    "predictions": (lambda p: p.predictions.bulk_create({}), TypeError, "list of items"),
    "an import": (lambda p: p.imports.create("a.json"), TypeError, r"create\(file"),
    "one of a noun": (lambda p: p._client.project, AttributeError, "projects"),
    "a noun of a project": (lambda p: p.task, AttributeError, "tasks"),
    "a verb": (lambda p: p.tasks.fliter(id=1), AttributeError, "filter"),
    "a field of all": (lambda p: p.tasks.data, AttributeError, r"each Task.*first\(\)\.data"),
    "a verb of all": (lambda p: p.tasks.save(), AttributeError, r"each Task.*first\(\)\.save"),
    "a relation is set": (lambda p: setattr(p, "tasks", []), AttributeError, r"bulk_create"),
    "others are set": (lambda p: setattr(p.tasks[0], "annotations", 1), AttributeError, "create"),
    "a field to save": (lambda p: p.save(fields=["titel"]), ValueError, "title"),
    "ids as a text": (lambda p: p.tasks.in_bulk("12"), TypeError, "list of ids"),
    "ids as bytes": (lambda p: p.tasks.in_bulk(b"12"), TypeError, "list of ids"),
    "no ids": (lambda p: p.tasks.in_bulk(5), TypeError, "list of ids"),
    "lookups in a dict": (lambda p: p.tasks.get_or_create({"id": 1}), TypeError, "by its name"),
    "no lookups": (lambda p: p.tasks.update_or_create(None), TypeError, "by its name"),
    "an order": (lambda p: p.tasks.order_by("--id"), FieldError, "-id"),
    "a column": (lambda p: p.tasks.values("--id"), FieldError, "-id"),
    "no format": (lambda p: p.export(None, "a.json"), TypeError, "format must be a string"),
    "a list of formats": (lambda p: p.tasks.all().export(["JSON"], "a.json"), TypeError, "string"),
    "a file by its fields": (lambda p: p.files.create(nme="a.csv"), TypeError, "no fields"),
}  # fmt: skip


@pytest.mark.parametrize("what", SAID)
def test_a_common_mistake_raises_an_error_that_shows_the_way(
    fake: FakeLabelStudio, project: Project, what: str
) -> None:
    act, kind, said = SAID[what]
    with pytest.raises(kind, match=said) as told:
        act(project)
    assert len(str(told.value)) < 1000
    assert writes(fake) == []


MEGA: Any = "y" * 1_000_000
LONG: dict[str, Callable[[Any], Any]] = {
    "a field": lambda p: p.tasks.filter(**{MEGA: 1}),
    "a lookup": lambda p: p.tasks.filter(**{f"id__{MEGA}": 1}),
    "a value": lambda p: p.tasks.get(data__text=MEGA),
    "values": lambda p: p.tasks.get(data__text__in=[MEGA] * 5),
    "a key": lambda p: p.tasks.get(**{f"data__{MEGA}": 1}),
    "an id": lambda p: p.tasks.get(MEGA),
    "an order": lambda p: p.tasks.order_by(MEGA),
    "an index": lambda p: p.tasks[MEGA],
    "parts": lambda p: p.tasks.partitions(MEGA),
    "workers": lambda p: list(p.tasks.iterator(workers=MEGA)),
    "an action": lambda p: p.tasks.all().perform(MEGA),
    "a format": lambda p: p.export(MEGA, "a"),
    "an attribute": lambda p: getattr(p, MEGA),
    "a keyword": lambda p: p.tasks.create(**{MEGA: 1}),
    "a title": lambda p: p._client.projects.create(title=MEGA),
    "a number": lambda p: setattr(p, "maximum_annotations", MEGA),
    "a key of an item": lambda p: p.tasks.bulk_create([{"data": {"text": "a"}, MEGA: 1}]),
    "a conflict": lambda p: p.tasks.bulk_create([], on_conflict=MEGA),
    "an error": lambda p: p.tasks.bulk_create([{"text": "a"}], on_error=MEGA),
    "a key to tell by": lambda p: p.tasks.bulk_create([{}], key=f"data.{MEGA}", on_conflict="skip"),
    "a prediction": lambda p: p.predictions.bulk_create([{"task": 1, "result": [], MEGA: 1}]),
    "a label": lambda p: p.labels.add((MEGA, MEGA), control="sentiment"),
    "a field to save": lambda p: p.save(fields=[MEGA]),
    "a field to update": lambda p: p.tasks.all().update(**{MEGA: 1}),
    "a project": lambda p: copy_project(MEGA, to=p._client),
    "a client": lambda p: copy_project(p, to=MEGA),
    "a project to verify": lambda p: verify(p, MEGA),
    "projects": lambda p: merge([MEGA], into=p),
    "a target": lambda p: merge([p], into=MEGA),
    "a parameter": lambda p: p._client.request("GET", "/api/tasks/", params={MEGA: None}),
    "a header": lambda p: p._client.using(headers={MEGA: "\n"}),
    "a timeout": lambda p: p._client.using(timeout=MEGA),
    "a page": lambda p: LabelStudio("http://a.example", "key", page_size=MEGA),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::labelstudio_orm.ClientSideFilterWarning")
@pytest.mark.filterwarnings("ignore::labelstudio_orm.UnknownKeyWarning")
@pytest.mark.parametrize("what", LONG)
def test_messages_about_long_values_are_short(project: Project, what: str) -> None:
    with pytest.raises((LabelStudioError, TypeError, ValueError, AttributeError)) as told:
        LONG[what](project)
    assert len(str(told.value)) <= 2000


def test_an_address_is_shown_in_few_words() -> None:
    assert len(repr(LabelStudio(f"http://{MEGA}", "key"))) < 1000


def test_a_data_frame_of_predictions_is_refused_with_the_way_to_rows(project: Project) -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match=r'to_dict\("records"\)'):
        project.predictions.bulk_create(pandas.DataFrame({"task": [1]}))


@pytest.mark.parametrize("model", registry.values(), ids=lambda model: model.__name__)
def test_every_constructor_names_what_is_near(model: Any) -> None:
    for name in options_of(model).fields:
        with pytest.raises(TypeError) as told:
            model(**{f"{name}x": 1})
        assert options_of(model).name in str(told.value)
    with pytest.raises(TypeError, match=r"by name|takes no fields"):
        model(1)


# -- items that JSON cannot hold ------------------------------------------------------------------

BAD: list[Any] = [
    {"text": "a", "x": math.nan}, {"text": "a", "x": [math.inf]}, {"text": "a", "x": {1, 2}},
    {"text": "a", "x": object()}, {"text": "\ud800"}, {"text": b"x"}, {1: "x"}, None, 5, "x",
    {"data": {"text": "a"}, "meta": {"x": math.nan}},
    {"data": {"text": "a"}, "annotations": [{"result": [], "lead_time": math.nan}]},
    {"data": {"text": "a"}, "predictions": [{"result": [], "score": math.inf}]},
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{bad!r:.40}")
@pytest.mark.parametrize("size", [1, 2, 1000])
def test_one_item_among_others(
    fake: FakeLabelStudio, project: Project, bad: Any, size: int
) -> None:
    items = [{"text": "1"}, bad, {"text": "2"}]
    made = project.tasks.bulk_create(iter(items), batch_size=size, on_error="collect")
    assert [failure.place for failure in made.summary.failed] == [1]
    assert [task.data["text"] for task in made] == ["1", "2"]
    with pytest.raises((TypeError, ValueError), match="item 1"):
        project.tasks.bulk_create(items, batch_size=size)
    assert project.tasks.count() == 5


ODD_RESULTS: list[Any] = [
    None, "a", ["a"], {"mood": "a"}, [{}], [{"value": {}}], [{"type": "relation"}],
    [{"from_name": "mood", "to_name": "text", "type": None, "value": {}}],
    [{"from_name": "mood", "to_name": "text", "type": "choices", "value": "Calm"}],
]  # fmt: skip


@pytest.mark.parametrize("result", ODD_RESULTS)
def test_predictions_that_no_server_can_use(
    fake: FakeLabelStudio, project: Project, result: Any
) -> None:
    with pytest.raises((TypeError, ValueError), match=r"item 1.*result"):
        project.predictions.bulk_create([(1, [], 0.5), (1, result, 0.5)])
    assert writes(fake) == []


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"score": "0.5"}, "score must be a number"),
        ({"score": True}, "score must be a number"),
        ({"score": math.nan}, "score must be finite"),
        ({"model_version": 5}, "model_version must be a string"),
        ({"modelversion": "a"}, "did you mean 'model_version'"),
    ],
)
def test_fields_of_predictions(
    fake: FakeLabelStudio, project: Project, odd: dict[str, Any], said: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=f"item 0.*{said}"):
        project.predictions.bulk_create([{"task": 1, "result": [], **odd}])
    assert writes(fake) == []


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"ground_truth": "false"}, "ground_truth must be True or False"),
        ({"ground_truth": 1}, "ground_truth must be True or False"),
        ({"was_cancelled": "no"}, "was_cancelled must be True or False"),
        ({"lead_time": "2"}, "lead_time must be a number"),
        ({"lead_time": math.inf}, "lead_time must be finite"),
    ],
)
def test_fields_of_annotations_in_an_import(
    fake: FakeLabelStudio, project: Project, odd: dict[str, Any], said: str
) -> None:
    annotation = {"result": [], **odd}
    with pytest.raises((TypeError, ValueError), match=rf"item 1, annotations\[0\]: {said}"):
        project.tasks.bulk_create([{"text": "a"}, {"data": {}, "annotations": [annotation]}])
    assert writes(fake) == []


def test_numpy_in_an_import(project: Project) -> None:
    numpy = pytest.importorskip("numpy")
    annotation = {"result": [], "ground_truth": numpy.True_, "lead_time": numpy.float32(2)}
    prediction = {"result": [], "score": numpy.float32(0.5)}
    item = {"data": {"text": "a"}, "annotations": [annotation], "predictions": [prediction]}
    (task,) = project.tasks.bulk_create([item])
    (made,) = task.annotations
    assert (made.ground_truth, made.lead_time) == (True, 2)
    assert [one.score for one in task.predictions] == [0.5]


def test_scores_of_numpy(project: Project) -> None:
    numpy = pytest.importorskip("numpy")
    scores = [numpy.float32(0.5), numpy.float64(0.25), numpy.int64(1)]
    project.predictions.bulk_create([(1, [], score) for score in scores])
    assert [one.score for one in project.predictions] == [0.5, 0.25, 1]


def test_one_prediction_among_others(fake: FakeLabelStudio, project: Project) -> None:
    region = project.config["sentiment"].choice("Positive")
    items = [(1, [region], 0.5), (2, [region], math.nan), (3, [{**region, "x": {1}}], 0.5)]
    done = project.predictions.bulk_create(items, on_error="collect")
    assert (done.created, [failure.place for failure in done.failed]) == (1, [1, 2])


# -- progress -------------------------------------------------------------------------------------


def left(objects: Any) -> None:
    for _ in objects:
        break


def broken(objects: Any) -> None:
    with suppress(RuntimeError):
        for _ in objects:
            raise RuntimeError


RUNS: dict[str, Callable[[Any], Any]] = {
    "loop": lambda p: list(p.tasks.iterator(progress=True)),
    "loop that is left": lambda p: left(p.tasks.iterator(progress=True)),
    "loop that breaks": lambda p: broken(p.tasks.iterator(progress=True)),
    "checked here": lambda p: left(p.tasks.filter(meta__a=None).iterator(progress=True)),
    "bulk_create": lambda p: p.tasks.bulk_create(iter([{"text": "a"}, None]), progress=True),
    "update": lambda p: p.tasks.all().update(overlap=2, progress=True),
    "delete": lambda p: p.annotations.all().delete(progress=True),
    "perform": lambda p: p.tasks.all().perform("nothing_such", progress=True),
    "export": lambda p: p.export("JSON", "out.json", progress=True),
    "copy": lambda p: copy_project(p, to=p._client, title="Copy", progress=True),
    "verify": lambda p: verify(p, p, progress=True),
    "snapshot": lambda p: snapshot(p, "out.zip", progress=True),
    "labels": lambda p: p.labels.rename("Positive", "Good", progress=True),
    "job": lambda p: wait_for(
        "it", lambda: "created", lambda: None, str, p._client, timeout=0, progress=True
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("bars", [True, False], ids=["a bar", "a line"])
@pytest.mark.parametrize("fails", [False, True], ids=["", "refused"])
@pytest.mark.parametrize("what", RUNS)
def test_a_line_of_progress_is_ended(
    fake: FakeLabelStudio,
    project: Project,
    what: str,
    fails: bool,
    bars: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    if not bars:
        monkeypatch.setattr(progress, "_bars", lambda: None)
    project.tasks[0].annotations.create(result=[project.config["sentiment"].choice("Positive")])
    if fails:
        for method in ("POST", "PATCH", "DELETE"):
            fake.fault(method, "/api/*", Fault.answer(400, {"detail": "no"}))
        fake.fault("GET", "/api/projects/*/export", Fault.answer(400, {"detail": "no"}))
    with redirect_stderr(io.StringIO()) as shown, suppress(LabelStudioError, TypeError, ValueError):
        RUNS[what](project)
    text = shown.getvalue()
    assert not text or text.endswith("\n")
    assert "\n\n" not in text
    assert ("|" in text) <= bars


def test_a_bar_says_what_is_done_of_how_much_and_is_closed() -> None:
    made: list[Any] = []

    class Bar:
        def __init__(self, **options: Any) -> None:
            self.n, self.total, self.closed = options["initial"], options["total"], False
            self.description = options["desc"]
            made.append(self)

        def update(self, more: int) -> None:
            self.n += more

        def close(self) -> None:
            self.closed = True

    with suppress(RuntimeError), progress._Bar(Bar, "reading") as report:
        report(5, None)
        report(7, 10)
        (bar,) = made
        assert (bar.description, bar.n, bar.total, bar.closed) == ("reading", 7, 10, False)
        raise RuntimeError
    assert bar.closed
    with progress._Bar(Bar, "reading") as report:
        report(2, 2)
        assert made[1].closed


def test_without_tqdm_there_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    monkeypatch.setattr(progress, "_bars", progress._bars.__wrapped__)
    assert isinstance(progress.reporter(True, "reading"), progress._Line)
    monkeypatch.undo()
    assert isinstance(progress.reporter(True, "reading"), progress._Bar)


# -- what is shown --------------------------------------------------------------------------------


def test_what_was_created_is_shown_in_few_words(fake: FakeLabelStudio, project: Project) -> None:
    made = project.tasks.bulk_create([{"text": f"{n}"} for n in range(1000)])
    assert len(repr(made)) < 500
    assert "997 more" in repr(made)
    assert repr(made[:2]) == "[<Task 4>, <Task 5>]"
    few = project.tasks.bulk_create([{"text": "a"}])
    assert repr(few) == "[<Task 1004>]"


# -- exports --------------------------------------------------------------------------------------

EXPORTS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "project": lambda p, format, path: p.export(format, path),
    "few tasks": lambda p, format, path: p.tasks.filter(id__gt=0).export(format, path),
    "a snapshot": lambda p, format, path: p.exports.ref(1).download(path, format),
}

PATHS: list[tuple[str, str, type[Exception], str]] = [
    ("JSON", "nowhere/out.json", FileNotFoundError, "nowhere"),
    ("JSON", "file/out.json", NotADirectoryError, "file"),
    ("JSON", "folder", IsADirectoryError, "folder"),
    ("CSV", "out.json", ValueError, r"call it out\.csv.*'JSON'"),
    ("JSON", "out.CSV", ValueError, r"out\.json.*'CSV'"),
    ("JSON_MIN", "out.zip", ValueError, r"out\.json"),
    ("TSV", "out.csv", ValueError, r"out\.tsv"),
    ("COCO", "out.csv", ValueError, r"out\.zip"),
]


@pytest.mark.parametrize("how", EXPORTS)
@pytest.mark.parametrize(("format", "path", "kind", "said"), PATHS)
def test_where_an_export_cannot_go(
    fake: FakeLabelStudio,
    project: Project,
    how: str,
    format: str,
    path: str,
    kind: type[Exception],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").touch()
    with pytest.raises(kind, match=said) as told:
        EXPORTS[how](project, format, path)
    assert ".part" not in str(told.value)
    assert fake.requests == []


@pytest.mark.parametrize("number", [3, 301])
def test_a_format_that_there_is_not(
    fake: FakeLabelStudio, project: Project, number: int, tmp_path: Path
) -> None:
    project.tasks.bulk_create([{"text": f"{n}"} for n in range(number - 3)])
    fake.requests.clear()
    for tasks in (project.tasks.filter(id__gt=0), project.tasks.all()):
        with pytest.raises(ValueError, match=r"did you mean 'COCO'.*JSON_MIN"):
            tasks.export("coko", tmp_path / "out.zip")
    assert writes(fake) == []
    assert list(tmp_path.iterdir()) == []


def test_images_of_many_tasks(fake: FakeLabelStudio, project: Project, tmp_path: Path) -> None:
    """Of all the tasks of a project they come; of many of them no archive has them."""
    project.label_config = BOXES
    project.save()
    project.tasks.bulk_create([{"text": "d", "image": f"{n}.png"} for n in range(300)])
    fake.requests.clear()
    some = project.tasks.filter(id__gt=1)
    with pytest.raises(ValueError, match=r"302 tasks.*tasks\[:300\]"):
        some.export("COCO_WITH_IMAGES", tmp_path / "out.zip")
    assert writes(fake) == []
    with pytest.raises(LabelStudioError, match="COCO_WITH_IMAGES"):  # which is not in the fake
        project.tasks.filter(id__gt=0).export("COCO_WITH_IMAGES", tmp_path / "out.zip")
    (asked,) = (one for one in fake.requests if one.path.endswith("/export"))
    assert "ids[]" not in asked.query
    assert writes(fake) == []


@pytest.mark.parametrize(
    ("name", "begins"), [("out.csv", '"'), ("out.tsv", '"'), ("out.json", "["), ("out", "[")]
)
def test_the_command_takes_the_format_from_the_name(
    fake: FakeLabelStudio,
    project: Project,
    name: str,
    begins: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with fake.serve() as url:
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", fake.api_key)
        assert main(["export", "First", str(tmp_path / name), "--url", url]) == 0
        assert (tmp_path / name).read_text()[0] in (begins, "t", "i", "a")
        assert main(["export", "First", str(tmp_path / "out.zip"), "--url", url]) != 0


def test_a_queryset_has_no_other_names(fake: FakeLabelStudio, project: Project) -> None:
    queryset: QuerySet[Task] = project.tasks
    assert isinstance(fake.client(), LabelStudio)
    with pytest.raises(AttributeError):
        _ = queryset.nothing  # type: ignore[attr-defined]


def test_a_queryset_never_changes(project: Project) -> None:
    tasks: Any = project.tasks.all()
    with pytest.raises(AttributeError, match="'ordering' cannot be set"):
        tasks.ordering = ("-id",)
    with pytest.raises(AttributeError, match="'client' cannot be set"):
        del tasks.client
