"""The server in memory must not lie: it and a real one give equal answers to the same requests.

What is asked is in tables: ``parts/corpus.py``, ``queries.py``, ``reads.py`` and ``writes.py``.
LABELSTUDIO_ORM_THOROUGH=1 sends every generated query instead of a sample.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from labelstudio_orm.testing import FakeLabelStudio, LocalLabelStudio
from labelstudio_orm.testing._releases import VERSION
from tests.live.parts import reads, writes
from tests.live.parts.corpus import build
from tests.live.parts.queries import (
    CONFIG,
    OTHER_CONFIG,
    combined,
    generated,
    item,
    listing,
    region,
    where,
)
from tests.live.parts.writes import cases
from tests.live.twins import Script, Twins, mask, twins_of

pytestmark = pytest.mark.live

THOROUGH = bool(os.environ.get("LABELSTUDIO_ORM_THOROUGH"))
SAMPLE = 330


@pytest.fixture(scope="module")
def server() -> Iterator[LocalLabelStudio]:
    """Start a server of its own: other tests would use up ids. In memory is this release."""
    with LocalLabelStudio(version=VERSION) as local:
        yield local


@pytest.fixture(scope="module")
def twins(server: LocalLabelStudio) -> Iterator[Twins]:
    """Make the two servers with the same corpus."""
    with twins_of(server, FakeLabelStudio()) as both:
        build(both)
        yield both


def test_single_filters(twins: Twins) -> None:
    lines = generated()
    if not THOROUGH:
        chance = random.Random(7)
        by_column: dict[str, list[Any]] = {}
        for line in lines:
            by_column.setdefault(line["filter"], []).append(line)
        share = SAMPLE // len(by_column)
        lines = [x for one in by_column.values() for x in chance.sample(one, min(share, len(one)))]
    found = twins.differences([listing(twins.ids["main"], where(line)) for line in lines])
    assert not found, f"{len(found)} of {len(lines)}\n" + "\n".join(found[:15])


def test_combined_filters(twins: Twins) -> None:
    valid = [
        line
        for line in generated()
        if line["operator"] != "regex"
        and line["value"] not in ("x", [1], 5, "1,2")
        and "nosuch" not in line["filter"]
    ]
    queries = combined(
        valid, random.Random(11), int(os.environ.get("N", 2500)) if THOROUGH else 120
    )
    found = twins.differences([listing(twins.ids["main"], query) for query in queries])
    assert not found, f"{len(found)} of {len(queries)}\n" + "\n".join(found[:15])


@pytest.mark.parametrize("group", [pytest.param(one, id=one.__name__) for one in reads.GROUPS])
def test_reading(twins: Twins, group: reads.Group) -> None:
    steps = group(twins.ids)
    found = twins.differences(steps)
    assert not found, f"{len(found)} of {len(steps)}\n" + "\n".join(found[:25])


# --- writing --------------------------------------------------------------------------------------
# All these cases write into one project, one after the other, as a user would; each of them can run
# alone too, on what there is then.


class Write(Script):
    """Requests whose paths and bodies name ids: ``/api/tasks/{task}/`` and ``"$task"``."""

    def __call__(
        self,
        method: str,
        path: Any,
        body: Any = None,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> Any:
        """Return the answer of the real server."""
        ids = self.twins.ids
        return super().__call__(
            method, path.format_map(ids), writes.filled(body, ids), headers, **options
        )

    def name(self, name: str, answer: Any) -> None:
        """Name the id of an object that was just made."""
        self.twins.ids[name] = answer["id"]


@pytest.fixture(scope="module")
def second(twins: Twins) -> Twins:
    """Make the project to write into, ``project``, with two tasks: ``listed`` and ``task``."""
    run = Write(twins)
    run.name("project", run("POST", "/api/projects/", {"title": "second", "label_config": CONFIG}))
    twins.ids["first"] = twins.ids["tasks"][0]
    run.name("listed", run("POST", "/api/tasks/", writes.task(data={"text": "first"})))
    run.name("task", run("POST", "/api/tasks", writes.task(data={"text": "t"})))
    run.finish()
    return twins


@pytest.fixture
def write(second: Twins) -> Iterator[Write]:
    """Send requests to both; the test fails at its end if answers differ."""
    run = Write(second)
    yield run
    run.finish()


@pytest.fixture
def annotation(write: Write) -> None:
    """Make an annotation of the task, ``annotation``."""
    if "annotation" not in write.twins.ids:
        body = {"result": [region()], "lead_time": "1.5", "unique_id": writes.UUID % 2}
        write.name("annotation", write("POST", "/api/tasks/{task}/annotations/", body))


@pytest.fixture
def prediction(write: Write) -> None:
    """Make a prediction for the task, ``prediction``."""
    if "prediction" not in write.twins.ids:
        body = writes.prediction("A", score="0.5", model_version="v1")
        write.name("prediction", write("POST", "/api/predictions/", body))


@pytest.fixture
def view(write: Write) -> None:
    """Make a view of the project, ``view``."""
    if "view" not in write.twins.ids:
        data = {**writes.LINES, "title": "v", "ordering": ["-tasks:id"]}
        write.name("view", write("POST", "/api/dm/views/", writes.view(data)))


TASK = "/api/tasks/{task}/"
TASKS = "/api/tasks/?project={project}&fields=all"
PROJECT = "/api/projects/{project}/"
IMPORT = PROJECT + "import?return_task_ids=true"
VIEWS = "/api/dm/views/?project={project}"
ACTION = "/api/dm/actions/?project={project}&id="


def test_the_project_and_its_tasks(write: Write) -> None:
    write("GET", PROJECT)
    write("GET", TASKS)


@pytest.mark.parametrize("body", cases(writes.NEW_TASKS))
def test_new_tasks(write: Write, body: Any) -> None:
    write("POST", "/api/tasks/", body)


def test_all_new_tasks(write: Write) -> None:
    write("GET", TASKS)


@pytest.mark.parametrize("body", cases(writes.CHANGES_OF_TASKS))
def test_changes_of_tasks(write: Write, body: Any) -> None:
    write("PATCH", TASK, body)


def test_other_changes_of_tasks(write: Write) -> None:
    write("PATCH", TASK + "?include=id,data", {"overlap": 1})
    write("PATCH", "/api/tasks/999999/", {})
    write("PUT", TASK, {})
    write("PUT", TASK, {"data": {"text": "put"}})
    write("GET", TASK)


@pytest.mark.parametrize("body", cases(writes.NEW_ANNOTATIONS))
@pytest.mark.usefixtures("annotation")
def test_new_annotations(write: Write, body: Any) -> None:
    write("POST", TASK + "annotations/", body)


def test_other_new_annotations(write: Write) -> None:
    write("POST", TASK + "annotations/?was_cancelled=1", {"result": []})
    write("POST", "/api/tasks/999999/annotations/", {"result": []})
    write("GET", TASK + "annotations/")
    write("GET", TASK)


@pytest.mark.parametrize("body", cases(writes.CHANGES_OF_ANNOTATIONS))
@pytest.mark.usefixtures("annotation")
def test_changes_of_annotations(write: Write, body: Any) -> None:
    write("PATCH", "/api/annotations/{annotation}/", body)
    write("GET", TASK)


@pytest.mark.usefixtures("annotation")
def test_reading_and_deleting_an_annotation(write: Write) -> None:
    one = "/api/annotations/{annotation}/"
    write("GET", one + "?expand=completed_by")
    write("GET", one + "?include=id,result")
    write("GET", TASKS)
    write("GET", TASKS + "&expand=annotations")
    write("GET", TASKS + "&expand=annotations&include=id,annotations.id,annotations.result,data")
    write("GET", TASKS + "&expand=annotations&include=id,annotations,lead_time")
    write("GET", TASKS + "&include=id,annotations.id,lead_time")
    write("GET", TASKS.removesuffix("&fields=all") + "&expand=annotations")
    write("DELETE", one)
    write("DELETE", one)
    write("PATCH", one, {})
    write("GET", TASK)
    del write.twins.ids["annotation"]


@pytest.mark.parametrize("body", cases(writes.NEW_PREDICTIONS))
@pytest.mark.usefixtures("prediction")
def test_new_predictions(write: Write, body: Any) -> None:
    write("POST", "/api/predictions/", body)


@pytest.mark.parametrize("body", cases(writes.CHANGES_OF_PREDICTIONS))
@pytest.mark.usefixtures("prediction")
def test_changes_of_predictions(write: Write, body: Any) -> None:
    write("PATCH", "/api/predictions/{prediction}/", body)


@pytest.mark.usefixtures("prediction")
def test_reading_and_deleting_a_prediction(write: Write) -> None:
    one = "/api/predictions/{prediction}/"
    write("GET", "/api/predictions/?task={task}")
    write("GET", TASK)
    write("DELETE", one)
    write("DELETE", one)
    write("GET", TASK)
    write("GET", PROJECT)
    del write.twins.ids["prediction"]


@pytest.mark.parametrize("body", cases(writes.PREDICTIONS_TO_IMPORT))
def test_imports_of_predictions(write: Write, body: Any) -> None:
    write("POST", PROJECT + "import/predictions", body)


def test_imported_predictions(write: Write) -> None:
    write("GET", TASK)


@pytest.mark.parametrize("body", cases(writes.TASKS_TO_IMPORT))
def test_imports(write: Write, body: Any) -> None:
    write("POST", IMPORT, body)


def test_other_imports(write: Write) -> None:
    fields = "?preannotated_from_fields=c,nosuch&return_task_ids=1"
    write("POST", PROJECT + "import" + fields, [{"data": {"text": "r", "c": "A"}}])
    uncommitted = "?commit_to_project=false&return_task_ids=true"
    write("POST", PROJECT + "import" + uncommitted, [{"nosuch": "r"}])
    write("POST", PROJECT + "import?return_task_ids=maybe", [{"text": "r"}])
    write("POST", PROJECT + "import/", [{"text": "r"}])
    write("POST", "/api/projects/999999/import", [{"text": "r"}])
    write("GET", TASKS)
    write("GET", PROJECT)


def test_ids_of_the_newest_tasks_come_back_after_an_import_only(write: Write) -> None:
    newest = write("GET", TASKS)["tasks"][-1]["id"]
    write("DELETE", f"/api/tasks/{newest}/")
    write("DELETE", f"/api/tasks/{newest}/")
    write("POST", IMPORT, [{"text": "again"}])
    write("DELETE", f"/api/tasks/{newest}/")
    write("POST", "/api/tasks/", writes.task(data={"text": "new"}))


@pytest.mark.parametrize("body", cases(writes.SETTINGS_OF_TASKS))
def test_settings_that_change_tasks(write: Write, body: Any) -> None:
    write("PATCH", PROJECT, body)
    write("GET", TASKS + "&include=id,is_labeled,overlap")


@pytest.fixture
def used(write: Write) -> None:
    """Use a choice of the config, once for all tests."""
    if "used" not in write.twins.ids:
        path = TASK + "annotations/"
        write.name("used", write("POST", path, {"result": [region("B")]}))


@pytest.mark.parametrize("config", cases(writes.CONFIGS))
@pytest.mark.usefixtures("used")
def test_configs_of_a_project_in_use(write: Write, config: Any) -> None:
    write("POST", PROJECT + "validate/", {"label_config": config})
    write("POST", "/api/projects/validate/", {"label_config": config})
    write("PATCH", PROJECT, {"label_config": config})


def test_configs_that_are_missing(write: Write) -> None:
    write("POST", PROJECT + "validate/", {})
    write("POST", "/api/projects/validate/", {})
    write("PATCH", PROJECT, {"label_config": CONFIG})


@pytest.mark.parametrize(
    ("action", "body"),
    [
        pytest.param(action, body, id=f"{action} {name}")
        for action, bodies in writes.ACTIONS.items()
        for name, body in bodies.items()
    ],
)
def test_actions(write: Write, action: str, body: Any) -> None:
    write("POST", ACTION + action, body)
    write("GET", TASKS)


def test_actions_that_are_missing(write: Write) -> None:
    write("POST", "/api/dm/actions/?project={project}", writes.SOME)
    write("POST", "/api/dm/actions/?project=999999&id=delete_tasks", writes.SOME)
    write("GET", TASKS)


@pytest.mark.usefixtures("view")
def test_a_plain_view(write: Write) -> None:
    write("POST", "/api/dm/views/", writes.view({"title": "plain", "x": 1}))


@pytest.mark.parametrize("body", cases(writes.NEW_VIEWS))
@pytest.mark.usefixtures("view")
def test_new_views(write: Write, body: Any) -> None:
    write("POST", "/api/dm/views/", body)


@pytest.mark.usefixtures("view")
def test_tasks_of_views(write: Write) -> None:
    shown = write("GET", VIEWS)
    write("GET", "/api/dm/views/?project=999999")
    for row in shown:
        write("GET", f"/api/tasks/?view={row['id']}&include=id")
    write("GET", "/api/tasks/?view={view}&project={main}")
    query = "%7B%22ordering%22%3A%5B%22tasks%3Aid%22%5D%7D"
    write("GET", "/api/tasks/?view={view}&include=id&query=" + query)


@pytest.mark.parametrize("body", cases(writes.CHANGES_OF_VIEWS))
@pytest.mark.usefixtures("view")
def test_changes_of_views(write: Write, body: Any) -> None:
    write("PATCH", "/api/dm/views/{view}/", body)
    write("GET", "/api/dm/views/{view}/")


@pytest.mark.usefixtures("view")
def test_an_action_on_a_view_and_its_end(write: Write) -> None:
    write("GET", "/api/tasks/?view={view}")
    write("POST", ACTION + "delete_tasks_predictions&view={view}", {})
    write("DELETE", "/api/dm/views/{view}/")
    write("GET", "/api/dm/views/{view}/")
    write("DELETE", "/api/dm/views/reset/?project={project}")
    write("DELETE", "/api/dm/views/reset/")
    write("GET", VIEWS)
    write("POST", "/api/dm/views/", writes.view(writes.LINES))
    del write.twins.ids["view"]


def test_a_project_whose_tasks_are_deleted(write: Write) -> None:
    write("POST", ACTION + "delete_tasks", {})
    write("GET", VIEWS)
    write("GET", TASKS)
    for line in (
        item("predictions_score", "empty", "Number", True),
        item("data.a b", "equal", "String", "1"),
    ):
        write(*listing(write.twins.ids["project"], where(line), "&fields=all"))


def test_the_end_of_a_project(write: Write) -> None:
    write("POST", IMPORT, [{"text": "x"}])
    write("DELETE", PROJECT + "tasks/")
    write("GET", PROJECT)
    write("DELETE", PROJECT)
    write("DELETE", PROJECT)
    write("GET", TASKS)


# --- other scripts --------------------------------------------------------------------------------


def test_predictions_of_boxes(twins: Twins) -> None:
    """The server drops those that do not match the config, and answers how many it stored."""
    run = Script(twins)
    config = (
        '<View><Image name="i" value="$image"/><RectangleLabels name="b" toName="i">'
        '<Label value="Car"/><Label value="Bus" alias="bus"/></RectangleLabels></View>'
    )
    project = run("POST", "/api/projects/", {"title": "boxes", "label_config": config})["id"]
    task = run("POST", "/api/tasks/", {"project": project, "data": {"image": "a.png"}})["id"]
    whole = {"x": 1, "y": 2.5, "width": 30, "height": 100, "rotation": 0}
    values: list[Any] = [
        {**whole, "rectanglelabels": labels}
        for labels in (["Car"], ["Car", "bus"], ["Bus"], ["Van"], [], "Car", None, [1])
    ]
    odd: tuple[Any, ...] = (None, [], {})
    for name in whole:
        values += [{**whole, "rectanglelabels": ["Car"], name: value} for value in (-1, 361, 101)]
        values += [{**whole, "rectanglelabels": ["Car"], name: value} for value in odd]
        rest = {key: value for key, value in whole.items() if key != name}
        values.append({**rest, "rectanglelabels": ["Car"]})
    values += [whole, {**whole, "labels": ["Car"]}, "x", {}]
    for value in values:
        region = {"from_name": "b", "to_name": "i", "type": "rectanglelabels", "value": value}
        predictions = [{"task": task, "result": [region], "score": 0.5}]
        run("POST", f"/api/projects/{project}/import/predictions", predictions)
    run("GET", f"/api/predictions/?project={project}")
    run("DELETE", f"/api/projects/{project}/")


ODD: list[Any] = [
    [{name: value for name, value in region().items() if name != "value"}],
    [region(from_name=5)],
    [region(), region(value="A")],
    ["A"],
    {"x": 1},
]


def test_results_that_the_server_cannot_count(twins: Twins) -> None:
    """It answers 500 and has stored some of them, which it does not change, and deletes."""
    run = Script(twins)
    made = run("POST", "/api/projects/", {"title": "odd", "label_config": CONFIG})["id"]

    def look(task: int) -> None:
        run("GET", f"/api/tasks/{task}/annotations/")
        run("GET", f"/api/tasks/{task}/drafts")
        kept = ("total_annotations", "cancelled_annotations", "is_labeled")
        shown = [
            {name: one.ask(("GET", f"/api/tasks/{task}/", None))[1][name] for name in kept}
            for one in (twins.real, twins.fake)
        ]
        run.same("counters", *shown)
        path = f"/api/projects/{made}/summary/"
        counts = [one.ask(("GET", path, None))[1] for one in (twins.real, twins.fake)]
        named = ("created_annotations", "created_labels", "created_labels_drafts")
        run.same("summary", *({name: one[name] for name in named} for one in counts))

    task = run("POST", "/api/tasks/", {"project": made, "data": {"text": "a"}})["id"]
    run("POST", f"/api/tasks/{task}/annotations/", {"result": [region()]})
    for odd in ODD:
        task = run("POST", "/api/tasks/", {"project": made, "data": {"text": "a"}})["id"]
        run("POST", f"/api/tasks/{task}/annotations/", {"result": odd})
        one = run("POST", f"/api/tasks/{task}/annotations/", {"result": []})["id"]
        run("POST", f"/api/tasks/{task}/annotations/{one}/drafts", {"result": [region("B")]})
        for change in ({"result": odd}, {"lead_time": 2.5}, {"result": [region("B")]}):
            run("PATCH", f"/api/annotations/{one}/", change)
            look(task)
        run("DELETE", f"/api/annotations/{one}/")
        run("POST", f"/api/tasks/{task}/drafts", {"result": odd})
        look(task)
        chosen = {"selectedItems": {"all": False, "included": [task]}}
        run("POST", f"/api/dm/actions/?id=delete_tasks&project={made}", chosen)
        run("GET", f"/api/tasks/{task}/")
    run("DELETE", f"/api/projects/{made}/")
    run.finish()


REPEATED = """<View><Repeater on="$pages" FLAG><Image name="page_{{idx}}" value="$pages[{{idx}}]"/>
<Choices name="kind_{{idx}}" toName="page_{{idx}}"><Choice value="Map"/><Choice value="Old"/>
</Choices></Repeater><Text name="t" value="$text"/>
<Choices name="c" toName="t"><Choice value="A"/></Choices></View>"""


def test_configs_with_a_repeater_in_use(twins: Twins) -> None:
    run = Script(twins)
    used = region("Map", from_name="kind_0", to_name="page_0")
    says = 'indexFlag="{{idx}}"'
    for flag, way, result in (
        ("", "annotations/", used),
        ("", "drafts", used),
        ("", "drafts", region()),
        (says, "annotations/", used),
        (says, "drafts", used),
    ):
        config = REPEATED.replace("FLAG", flag)
        made = run("POST", "/api/projects/", {"title": "pages", "label_config": config})["id"]
        data = {"pages": ["/a.png"], "text": "a"}
        task = run("POST", "/api/tasks/", {"project": made, "data": data})["id"]
        run("POST", f"/api/tasks/{task}/{way}", {"result": [result]})
        for old, new in (
            ("", ""), ('<Choice value="A"/>', '<Choice value="B"/>'),
            ('<Choice value="Map"/>', ""), ("Repeater", "View"), (' name="c"', ' name="d"'),
        ):  # fmt: skip
            other = config.replace(old, new) if old else config
            run("POST", f"/api/projects/{made}/validate/", {"label_config": other})
            run("PATCH", f"/api/projects/{made}/", {"label_config": other})
            run("PATCH", f"/api/projects/{made}/", {"label_config": config})
        run("DELETE", f"/api/projects/{made}/")
    run.finish()


def test_projects(twins: Twins) -> None:
    run, main = Script(twins), twins.ids["main"]
    made = []
    body: Any
    for body in (
        {},
        {"title": "main"},
        {"title": "ab"},
        {"title": "x" * 51},
        {"title": ""},
        {"title": None},
        {"title": 5},
        {"title": []},
        {"title": "  trimmed  ", "nosuch": 1, "id": 5, "task_number": 9},
        {"label_config": "<View>"},
        {"label_config": OTHER_CONFIG},
        {"created_by": 2},
        {"organization": 99},
        {"color": "red"},
        {"color": "#12345G"},
        {"color": "#a0B1c2"},
        {"maximum_annotations": -1, "overlap_cohort_percentage": 100},
        {"maximum_annotations": "x"},
        {"sampling": "bogus"},
        {
            "sampling": "Uniform sampling",
            "skip_queue": "REQUEUE_FOR_ME",
            "show_instruction": "yes",
            "is_published": 1,
        },
        {"model_version": "m1"},
        {"is_draft": True, "pinned_at": "2020-01-01T00:00:00Z"},
        {"show_skip_button": "maybe"},
        {"task_data_login": "u", "task_data_password": "p", "min_annotations_to_start_training": 5},
    ):
        answer = run("POST", "/api/projects/", body)
        if "title" in answer:
            made.append(answer["id"])
    own = ",".join(map(str, made))
    run("POST", "/api/projects/", [])
    for query in (
        "",
        "&ordering=id",
        "&ordering=-id",
        "&ordering=-created_at,title",
        "&ordering=title,-id",
        "&ordering=nosuch",
        "&title=MAI",
        "&page_size=2",
        "&page_size=2&page=2",
        "&page_size=2&page=99",
        "&page_size=2&page=last",
        "&page_size=1000",
        "&page=0",
        "&include=id,title",
        "&include=id,task_number",
        "&include=",
        "&filter=pinned_only",
        "&filter=exclude_pinned&include=id",
        "&filter=bogus&include=id",
        "&search=zzz&include=id",
        "&id=1&created_by=1&include=id",
        "&ordering=task_number,id&include=id",
        "&omit=label_config,parsed_label_config",
    ):
        run("GET", f"/api/projects/?ids={own}{query}")
        if "filter" not in query:
            run("GET", f"/api/projects/counts/?ids={own}{query}")
    run("GET", f"/api/projects/?ids={main}")
    run("GET", f"/api/projects/counts/?ids={main}")
    run("GET", "/api/projects/?ids=x")
    run("GET", f"/api/projects/{main}/?include=id,title")
    run("GET", "/api/projects/999999/")
    run("GET", "/api/projects/x/")
    P = f"/api/projects/{made[0]}"
    for body in (
        {},
        {"title": "changed"},
        {"title": None},
        {"task_number": 5, "id": 1, "created_at": "x", "is_draft": True, "nosuch": 1},
        {"model_version": "nosuch"},
        {"model_version": None},
        {"model_version": ""},
        {"show_collab_predictions": False},
        {"control_weights": {"x": 1}},
        {"control_weights": None},
        {"created_by": 2},
        {"created_by": {"id": 2}},
        {"organization": 1},
        {"label_config": OTHER_CONFIG},
        {"control_weights": {"l": {"overall": 0.5, "labels": {"x": 2}}}},
        {"label_config": CONFIG},
        {"description": None, "expert_instruction": "<b>y</b>", "pinned_at": None},
        {"start_training_on_annotation_update": True},
        {"pinned_at": "x"},
        {"evaluate_predictions_automatically": None},
        {"show_ground_truth_first": True, "color": None},
        {"min_annotations_to_start_training": None},
        {"annotator_evaluation_enabled": True, "reveal_preannotations_interactively": 1},
    ):
        run("PATCH", P + "/", body)
    run("PATCH", P, {"description": "no slash"})
    run("PATCH", f"/api/projects/{main}/", {"model_version": "m2"})
    run("GET", f"/api/tasks/?project={main}&fields=all&include=id,predictions_score")
    run("PATCH", f"/api/projects/{main}/", {"show_collab_predictions": False})
    run("PATCH", f"/api/projects/{main}/", {"model_version": "m1", "show_collab_predictions": True})
    for pk in made:
        run("DELETE", f"/api/projects/{pk}/")
    run.finish()


def test_people_and_errors(twins: Twins) -> None:
    run, main, first = Script(twins), twins.ids["main"], twins.ids["tasks"][0]
    user = twins.ids["user"]
    run("GET", "/health")
    run("GET", "/api/current-user/whoami")
    run("GET", "/api/current-user/whoami/")
    run("GET", "/api/jwt/settings")
    run("GET", "/api/users/")
    run("GET", f"/api/users/{user}/")
    run("GET", "/api/users/999999/")
    body: Any
    for body in (
        {},
        {"username": "second", "email": "second@x.yz"},
        {"username": "x", "email": "nomail"},
        {"email": "third@x.yz"},
        {"username": "", "email": "third@x.yz"},
        {"username": None},
    ):
        answer = run("POST", "/api/users/", body)
        if "date_joined" in answer:
            run("DELETE", f"/api/users/{answer['id']}/")
    for body in (
        {},
        {"first_name": "Ada", "last_name": "L"},
        {"email": "x@y.z"},
        {"id": 7, "password": "x", "nosuch": 1},
        {"phone": "1"},
        {"first_name": None},
        {"first_name": "x" * 300},
        {"allow_newsletters": True},
        {"username": ""},
        {"last_name": ""},
    ):
        run("PATCH", f"/api/users/{user}/", body)
        run("GET", f"/api/users/{user}/")
    run("DELETE", "/api/users/1/")
    run("PUT", f"/api/users/{user}/", {})
    run("GET", f"/api/tasks/{first}/")
    for header in (
        "",
        "Token",
        "Token x",
        "Token a b",
        "token x",
        "Bearer x",
        "Basic x",
        "Bearer",
        "x",
    ):
        run("GET", "/api/projects/", headers={"Authorization": header})
    for path in (
        "/api/nosuch",
        f"/api/projects/{main}/import/",
        "/api/jwt/settings/",
        "/api/tasks/1/nosuch/",
    ):
        run("GET", path)
    for kind in ("text/plain", "application/xml", "application/json; charset=utf-8"):
        run("PATCH", f"/api/tasks/{first}/", {"meta": {}}, headers={"Content-Type": kind})
    for headers in ({"If-Match": "x"}, {"Accept": "application/json"}):
        run("GET", f"/api/tasks/{first}/", headers=headers)
    run("POST", "/api/token/refresh/", {})
    run("POST", "/api/token/refresh/", {"refresh": "x.y.z"})
    run("POST", "/api/token/blacklist/", {"refresh": "x.y.z"})
    run("POST", "/api/token/blacklist/", {})
    run.finish()


def test_personal_access_tokens(twins: Twins) -> None:
    """Compared by hand, since the tokens differ."""
    for twin in (twins.real, twins.fake):
        for old in twin.ask(("GET", "/api/token/", None))[1]:
            assert twin.ask(("POST", "/api/token/blacklist/", {"refresh": old["token"]}))[0] == 204
    made = [twin.ask(("POST", "/api/token/", {})) for twin in (twins.real, twins.fake)]
    assert [status for status, _ in made] == [201, 201]
    script = []
    for twin, (_, body) in zip((twins.real, twins.fake), made, strict=True):
        token = body["token"]
        access = twin.ask(("POST", "/api/token/refresh/", {"refresh": token}))
        bearer = {"Authorization": f"Bearer {access[1]['access']}"}
        short = twin.ask(("GET", "/api/token/", None))[1][0]["token"]
        assert token.startswith(short)
        assert len(short.split(".")) == 2
        answers = [
            twin.ask(("GET", "/api/current-user/whoami", None), bearer),
            twin.ask(
                ("GET", "/api/current-user/whoami", None), {"Authorization": f"Bearer {token}"}
            ),
            twin.ask(
                ("GET", "/api/current-user/whoami", None),
                {"Authorization": f"bearer {access[1]['access']}"},
            ),
            twin.ask(("POST", "/api/token/", {})),
            twin.ask(("POST", "/api/token/refresh/", {"refresh": access[1]["access"]})),
            twin.ask(("POST", "/api/token/blacklist/", {"refresh": short})),
            twin.ask(("POST", "/api/token/blacklist/", {"refresh": short})),
            twin.ask(("POST", "/api/token/refresh/", {"refresh": token})),
            twin.ask(("POST", "/api/token/rotate/", {"refresh": token})),
            twin.ask(("GET", "/api/current-user/whoami", None), bearer),
            twin.ask(("GET", "/api/token/", None)),
        ]
        script.append([(status, mask(body)) for status, body in answers])
    for real, fake in zip(*script, strict=True):
        assert real == fake


def test_the_guard_against_its_own_machine(twins: Twins) -> None:
    """The server refuses URLs of its own networks wherever it would call them."""
    run, project = Script(twins), twins.ids["main"]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for host in ("127.0.0.1", "localhost", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0"):
        url = f"http://{host}:9/x.json"
        run("POST", "/api/webhooks/", {"url": url, "project": project})
        run("POST", "/api/ml/", {"url": url, "project": project})
        run("POST", f"/api/projects/{project}/import", headers=form, data={"url": url})
        run("POST", "/api/storages/s3", {"bucket": "b", "s3_endpoint": url, "project": project})
        run("POST", "/api/storages/redis", {"host": host, "project": project})
        run("POST", "/api/storages/export/redis", {"host": host, "project": project})
    run("POST", "/api/storages/localfiles", {"path": "/nowhere/x", "project": project})
    run.finish()
