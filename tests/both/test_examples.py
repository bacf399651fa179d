"""The scripts in examples/, run as their users do, on a project of two hundred tasks.

What they left is read with plain requests, so that the library does not testify for itself.
"""

from __future__ import annotations

import csv
import itertools
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from attrs import field, frozen

from labelstudio_orm import LabelStudio, Project, Q
from labelstudio_orm.testing import FakeLabelStudio

pytestmark = pytest.mark.slow  # each is a process or two

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LOGGED = Path(__file__).with_name("logged.py")
WRITES = ("POST", "PATCH", "PUT", "DELETE")
CONFIG = """\
<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="label" toName="image" choice="multiple">
    <Label value="Car" background="#0000ff" hotkey="c"/> <!-- also vans -->
    <Label value="Bus"/>
    <Label value="Truck"/>
  </RectangleLabels>
  <Choices name="quality" toName="image"><Choice value="ok"/><Choice value="bad"/></Choices>
  <TextArea name="note" toName="image"/>
</View>"""


# -- servers --------------------------------------------------------------------------------------


@frozen
class Server:
    """A server, and what asks it without the library."""

    url: str
    api_key: str

    def get(self, path: str, **params: Any) -> Any:
        """The JSON that is there."""
        answer = requests.get(self.url + path, params=params, headers=self.headers, timeout=300)
        answer.raise_for_status()
        return answer.json()

    def read(self, path: str) -> bytes:
        """The bytes that are there."""
        answer = requests.get(self.url + path, headers=self.headers, timeout=300)
        answer.raise_for_status()
        return answer.content

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Token {self.api_key}"}

    def tasks(self, project: Project) -> list[dict[str, Any]]:
        """All tasks with what was said of them, by id."""
        found: list[dict[str, Any]] = []
        for page in itertools.count(1):
            params = {"project": project.id, "fields": "all", "page": page, "page_size": 500}
            answer = self.get("/api/tasks/", **params)
            found += answer["tasks"]
            if len(found) >= answer["total"]:
                return sorted(found, key=lambda task: task["id"])
        raise AssertionError("unreachable")

    def drafts(self, task: int) -> list[dict[str, Any]]:
        drafts: list[dict[str, Any]] = self.get(f"/api/tasks/{task}/drafts")
        return drafts

    def emails(self) -> dict[int, str]:
        return {user["id"]: user["email"] for user in self.get("/api/users/")}


def connection(request: pytest.FixtureRequest, kind: str, fixture: str) -> Iterator[Server]:
    if kind == "fake":
        fake = FakeLabelStudio()
        with fake.serve() as url:
            yield Server(url, fake.api_key)
    else:
        local = request.getfixturevalue(fixture)
        yield Server(local.url, local.api_key)


@pytest.fixture(params=["fake", "real"])
def ls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[LabelStudio]:
    """A client of the server that the environment names: in memory behind a socket, then real."""
    for server in connection(request, request.param, "server"):
        monkeypatch.setenv("LABEL_STUDIO_URL", server.url)
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", server.api_key)
        with LabelStudio() as client:
            yield client


@pytest.fixture
def api(ls: LabelStudio) -> Server:
    """The same server without the library."""
    return Server(ls.url, os.environ["LABEL_STUDIO_API_KEY"])


@pytest.fixture
def there(
    ls: LabelStudio, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """A second server, which the environment names as that."""
    kind = request.node.callspec.params["ls"]
    for server in connection(request, kind, "other_server"):
        monkeypatch.setenv("LABEL_STUDIO_TO_URL", server.url)
        monkeypatch.setenv("LABEL_STUDIO_TO_API_KEY", server.api_key)
        yield server


# -- scripts --------------------------------------------------------------------------------------


@frozen
class Run:
    """What a script printed, its exit code, and the requests that it sent."""

    code: int
    out: str
    err: str
    requests: list[str] = field(repr=False)

    @property
    def writes(self) -> list[str]:
        return [request for request in self.requests if request.startswith(WRITES)]


Script = Callable[..., Run]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """``script("rename_label", "Cars", "Car", "Vehicle")`` runs it in an empty folder.

    ``code``: the exit code that it must have. ``stop``: a signal that it gets after so many writes.
    """
    log = tmp_path / "requests.log"
    folder = tmp_path / "work"
    folder.mkdir()

    def sent() -> list[str]:
        lines = log.read_text("utf-8").splitlines() if log.exists() else []
        return [" ".join(line.split()[:2]).rstrip(":") for line in lines]

    def run(name: str, *arguments: str, code: int = 0, stop: tuple[int, int] | None = None) -> Run:
        log.unlink(missing_ok=True)
        process = subprocess.Popen(
            [sys.executable, str(LOGGED), str(log), str(EXAMPLES / f"{name}.py"), *arguments],
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while stop and process.poll() is None:
            if sum(request.startswith(WRITES) for request in sent()) >= stop[1]:
                process.send_signal(stop[0])
                break
            time.sleep(0.01)
        out, err = process.communicate(timeout=600)
        assert process.returncode == code, (out, err)
        return Run(process.returncode, out, err, sent())

    return run


# -- the project ----------------------------------------------------------------------------------

TASKS = 200
ANNOTATED = range(120)
TWICE = range(20)
TRUE = range(20, 30)
NOTED = range(8)
CANCELLED = range(100, 108)
EVE = range(112, 116)
DRAFTED = range(120, 125)
VERSIONS = {"v1": range(60, 120), "v2": range(100, 160)}


def labels_of(number: int) -> tuple[str, ...]:
    """What is on an image."""
    if number % 10 == 0:
        return "Bus", "Car"
    return ("Car",) if number % 2 == 0 else ("Bus",) if number % 4 == 1 else ("Truck",)


def score_of(version: str, number: int) -> float:
    return (number % 10) / 10 if version == "v2" else 0.5


@frozen
class Cars:
    """The project and its people."""

    project: Project
    title: str
    emails: dict[str, str]

    def items(self) -> list[dict[str, Any]]:
        """The tasks as they are imported, by number."""
        return [self.item(number) for number in range(TASKS)]

    def item(self, number: int) -> dict[str, Any]:
        config = self.project.config
        box = config["label"].rectangle(
            *labels_of(number), x=number / 20, y=5, width=9, height=9, id=f"box {number}"
        )
        said = [box, config["quality"].choice("ok", id="quality")]
        if number in NOTED:
            said.append(config["note"].text("Car", id="note"))
        author = "eve" if number in EVE else "bob" if number % 3 == 0 else "ann"
        names = ("ann", "bob") if number in TWICE else (author,)
        annotations = [
            {
                "result": said,
                "completed_by": self.emails[name],
                "was_cancelled": number in CANCELLED,
                "ground_truth": number in TRUE,
                "lead_time": number / 4,
            }
            for name in names
        ]
        return {
            "data": {"image": f"/images/{number}.jpg", "city": f"City {number % 7}"},
            "meta": {"number": number},
            "annotations": annotations if number in ANNOTATED else [],
            "predictions": [
                {"result": [box], "model_version": name, "score": score_of(name, number)}
                for name, numbers in VERSIONS.items()
                if number in numbers
            ],
        }


@pytest.fixture
def cars(ls: LabelStudio) -> Iterator[Cars]:
    """200 tasks: 120 annotated, 20 of them by two people, 8 cancelled, 10 ground truth; 5 drafts,
    60 predictions of each of two versions, 2 views.
    """
    name = uuid.uuid4().hex[:8]
    people = {one: f"{one}-{name}@example.com" for one in ("ann", "bob", "eve")}
    users = [ls.users.create(email=email, username=email) for email in people.values()]
    title = f"Cars {name}"
    project = ls.projects.create(title=title, label_config=CONFIG)
    made = Cars(project, title, people)
    tasks = project.tasks.bulk_create(made.items())
    for task in tasks[DRAFTED.start : DRAFTED.stop]:
        box = project.config["label"].rectangle("Car", x=1, y=1, width=2, height=2)
        ls.drafts.create(task=task, result=[box])
    project.views.create(title="Todo", filters=Q(total_annotations=0))
    project.views.create(title="New", ordering="-id")
    project.refresh()
    yield made
    for one in (*ls.projects.filter(title__contains=name), *users):
        one.delete()


def said_of(server: Server, project: Project) -> dict[str, Any]:
    """What was said of each image, free of ids: to be compared between projects and servers."""
    emails = server.emails()
    return {task["data"]["image"]: _said(task, emails) for task in server.tasks(project)}


def _said(task: dict[str, Any], emails: dict[int, str]) -> Any:
    annotations = [
        [
            emails[one["completed_by"]],
            one["result"],
            one["was_cancelled"],
            one["ground_truth"],
            one["lead_time"],
        ]
        for one in sorted(task["annotations"], key=lambda one: one["id"])
    ]
    predictions = [
        [one["model_version"], one["score"], one["result"]]
        for one in sorted(task["predictions"], key=lambda one: one["id"])
    ]
    return [task["data"], task["meta"], annotations, predictions]


# -- 1: a label -----------------------------------------------------------------------------------


def renamed(value: Any) -> Any:
    """JSON in which the labels of boxes that were Car are Vehicle."""
    if isinstance(value, dict):
        return {
            key: ["Vehicle" if one == "Car" else one for one in inner]
            if key == "rectanglelabels"
            else renamed(inner)
            for key, inner in value.items()
        }
    return [renamed(inner) for inner in value] if isinstance(value, list) else value


KEPT = ("id", "completed_by", "ground_truth", "was_cancelled", "lead_time", "result", "score")


def kept(server: Server, project: Project) -> list[Any]:
    """All that a change of labels must not touch, and the results."""
    return [
        [task["id"], task["data"]]
        + [
            [{key: one.get(key) for key in KEPT} for one in sorted(task[kind], key=by_id)]
            for kind in ("annotations", "predictions")
        ]
        for task in server.tasks(project)
    ]


def by_id(row: dict[str, Any]) -> int:
    number: int = row["id"]
    return number


def test_rename_label(api: Server, cars: Cars, script: Script) -> None:
    before = kept(api, cars.project)
    drafted = [task["id"] for task in api.tasks(cars.project)][DRAFTED.start : DRAFTED.stop]
    drafts = [api.drafts(task) for task in drafted]
    annotations = sum(1 + (n in TWICE) for n in ANNOTATED if "Car" in labels_of(n))
    predictions = sum("Car" in labels_of(n) for ns in VERSIONS.values() for n in ns)
    arguments = ("rename_label", cars.title, "Car", "Vehicle")

    killed = script(*arguments, stop=(signal.SIGKILL, 40), code=-signal.SIGKILL)
    told = dict(re.findall(r"^  (\w+) +(\d+) updated$", killed.out, re.MULTILINE))
    numbers = {"annotations": annotations, "drafts": len(DRAFTED), "predictions": predictions}
    assert {kind: int(number) for kind, number in told.items()} == numbers
    script(*arguments)

    assert kept(api, cars.project) == renamed(before)
    after = [api.drafts(task) for task in drafted]
    results = [[draft["result"] for draft in found] for found in after]
    assert results == renamed([[draft["result"] for draft in found] for found in drafts])
    config = api.get(f"/api/projects/{cars.project.id}/")["label_config"]
    assert config == CONFIG.replace('value="Car"', 'value="Vehicle"')
    assert script(*arguments).writes == []


# -- 2: to another server -------------------------------------------------------------------------


def test_copy_project(
    ls: LabelStudio, api: Server, there: Server, cars: Cars, script: Script, tmp_path: Path
) -> None:
    picture = tmp_path / "a picture.png"
    picture.write_bytes(png(7))
    file = cars.project.files.upload(picture)
    (uploaded,) = cars.project.tasks.bulk_create([{"image": f"/data/{file.file}", "city": "Oslo"}])
    cars.project.tasks.filter(meta__number__in=[140, 141, 142]).delete()  # a gap in the ids
    with LabelStudio(there.url, there.api_key) as other:
        users = [
            other.users.create(email=cars.emails[one], username=one + cars.title[5:])
            for one in ("bob", "ann")
        ]
        done = script("copy_project", cars.title)
        assert "ok" in done.out.splitlines()[0]
        assert "not kept by the server" in done.out
        copy = other.projects.get(title=cars.title)
        ours, theirs = said_of(api, cars.project), said_of(there, copy)
        mine = ours.pop(uploaded.data["image"])
        (image,) = theirs.keys() - ours.keys()
        assert there.read(image) == png(7)
        assert theirs.pop(image) == [{**mine[0], "image": image}, *mine[1:]]
        assert theirs == ours
        assert sum(one[3] for said in theirs.values() for one in said[2]) == len(TRUE)
        assert api.get(f"/api/projects/{cars.project.id}/")["label_config"] == copy.label_config
        titles = [view["data"]["title"] for view in there.get("/api/dm/views/", project=copy.id)]
        assert titles == ["Todo", "New"]
        drafted = [task for task in there.tasks(copy) if task["meta"].get("number") in DRAFTED]
        assert [len(there.drafts(task["id"])) for task in drafted] == [1] * len(DRAFTED)
        assert script("copy_project", cars.title).writes == []
        made = other.users.get(email=cars.emails["eve"])
        for one in (copy, made, *users):
            one.delete()


# -- 3: predictions of a version ------------------------------------------------------------------


def test_drop_model_version(api: Server, cars: Cars, script: Script) -> None:
    cars.project.model_version = "v1"
    cars.project.save()
    expected = {
        image: [*said[:3], [one for one in said[3] if one[0] != "v1"]]
        for image, said in said_of(api, cars.project).items()
    }
    done = script("drop_model_version", cars.title, "v1")
    assert done.out == "60 predictions of 'v1' are deleted\n"
    assert len(done.requests) == 3
    assert said_of(api, cars.project) == expected
    assert api.get(f"/api/projects/{cars.project.id}/")["model_version"] in ("", None)
    again = script("drop_model_version", cars.title, "v1")
    assert (again.out, again.writes) == ("0 predictions of 'v1' are deleted\n", [])

    task, box = cars.project.tasks[0], cars.project.config["label"].rectangle
    result = [box("Car", x=1, y=1, width=2, height=2)]
    cars.project.predictions.bulk_create([(task, result, 0.5), (task, result, 0.6)])
    task.predictions.create(result=result)
    for version, number in (("undefined", 2), ("", 1)):  # where the docstring says they are
        done = script("drop_model_version", cars.title, version)
        assert done.out == f"{number} predictions of {version!r} are deleted\n"
    assert said_of(api, cars.project) == expected


# -- 6: tasks that are there twice ----------------------------------------------------------------

IN_BOTH = range(40, 46)
ONLY_LATER = range(180, 184)


def test_dedupe_tasks(api: Server, cars: Cars, script: Script) -> None:
    first = [task["id"] for task in api.tasks(cars.project)]
    again = []
    for number, item in enumerate(cars.items()):
        annotations = cars.item(number % len(ANNOTATED))["annotations"]
        if number not in IN_BOTH and number not in ONLY_LATER:
            annotations = []
        data = {"batch": 2, **dict(reversed(item["data"].items()))}
        again.append({**item, "data": data, "annotations": annotations})
    second = [task.id for task in cars.project.tasks.bulk_create(again)]
    emails = api.emails()
    before = {task["id"]: _said(task, emails) for task in api.tasks(cars.project)}
    pairs = {
        (later if number in ONLY_LATER else earlier): (earlier if number in ONLY_LATER else later)
        for number, (earlier, later) in enumerate(zip(first, second, strict=True))
    }

    done = script("dedupe_tasks", cars.title, "data.image")

    after = {task["id"]: _said(task, emails) for task in api.tasks(cars.project)}
    assert after.keys() == pairs.keys()
    for task, said in after.items():
        mine, theirs = before[task], before[pairs[task]]
        assert said == [*mine[:2], mine[2] + theirs[2], mine[3]]
    lines = [line for line in done.out.splitlines() if " stands for " in line]
    assert sorted(lines) == sorted(f"task {a} stands for {b} too" for a, b in pairs.items())
    assert len(api.get("/api/dm/views/", project=cars.project.id)) == 2
    annotated = [one for one in done.writes if one.endswith("/annotations/")]
    assert len(annotated) == len(IN_BOTH)
    assert len(done.writes) - len(annotated) <= 10  # deleted in batches
    assert script("dedupe_tasks", cars.title).writes == []


# -- 8: a step of active learning -----------------------------------------------------------------


def test_predict_unlabelled(api: Server, cars: Cars, script: Script) -> None:
    before = said_of(api, cars.project)
    done = script("predict_unlabelled", cars.title, "v3")
    unlabelled = {image for image, said in before.items() if not said[2]}
    cancelled = {f"/images/{n}.jpg" for n in CANCELLED}  # the server does not count these
    assert done.out == f"{len(unlabelled | cancelled):,} predictions of v3\n"
    for image, said in said_of(api, cars.project).items():
        new = [one for one in said[3] if one[0] == "v3"]
        assert [one for one in said[3] if one[0] != "v3"] == before[image][3]
        assert said[:3] == before[image][:3]
        if image in unlabelled | cancelled:
            ((_, score, (region,)),) = new
            size = 10 + len(image) % 50
            assert score == size / 100
            assert region["value"]["rectanglelabels"] == ["Car"]
            assert (region["value"]["width"], region["value"]["height"]) == (size, size)
        else:
            assert new == []
    assert api.get(f"/api/projects/{cars.project.id}/")["model_version"] == "v3"
    again = script("predict_unlabelled", cars.title, "v3")
    assert (again.out, again.writes) == ("0 predictions of v3\n", [])


def test_ten_thousand_predictions_in_few_requests(
    ls: LabelStudio, api: Server, script: Script, part: int
) -> None:
    config = CONFIG.replace('<Label value="Truck"/>', "")
    project = ls.projects.create(title=f"Many {uuid.uuid4().hex[:8]}", label_config=config)
    assert project.title
    images = [f"/{n}.jpg" for n in range(10_000 // part)]
    tasks = project.tasks.bulk_create([{"image": image} for image in images], batch_size=5000)
    done = script("predict_unlabelled", project.title, "v3")
    assert done.out == f"{len(images):,} predictions of v3\n"
    assert len(done.requests) <= 25
    scores = {one["task"]: one["score"] for one in api.get("/api/predictions/", project=project.id)}
    assert scores == {task.id: (10 + len(task.data["image"]) % 50) / 100 for task in tasks}

    (wrong,) = project.tasks.bulk_create([{"image": "/truck.jpg"}])
    refused = script("predict_unlabelled", project.title, "v3", code=1)
    assert f"{wrong!r}: <RectangleLabels name='label'> has no label 'Truck'" in refused.err
    assert refused.writes == []
    project.delete()


# -- 9: on several machines -----------------------------------------------------------------------


@pytest.fixture
def cluster() -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The address of a scheduler of dask, and two workers without a nanny that would start others.

    All they know of a server is their environment.
    """
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address=None) as started:
        address = started.scheduler_address
        command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads=1"]
        options = ["--no-nanny", "--no-dashboard"]
        workers = [
            subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL) for _ in range(2)
        ]
        started.wait_for_workers(2, timeout=300)
        yield address, workers
        for worker in workers:
            worker.kill()
            worker.wait()


def test_predict_with_dask(
    api: Server, cars: Cars, script: Script, cluster: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    """One of its two workers is killed half way."""
    scheduler, (victim, other) = cluster
    before = said_of(api, cars.project)
    cancelled = {f"/images/{n}.jpg" for n in CANCELLED}
    todo = {image for image, said in before.items() if not said[2]} | cancelled
    with ThreadPoolExecutor() as pool:
        running = pool.submit(script, "predict_with_dask", cars.title, "v3", scheduler)
        known, stored = sum(map(len, VERSIONS.values())), 0
        while stored < len(todo) // 4 and not running.done():
            row = api.get(f"/api/projects/{cars.project.id}/")
            stored = row["total_predictions_number"] - known
        victim.kill()
        assert stored < len(todo)
        done = running.result()
    assert victim.wait() == -signal.SIGKILL
    assert other.poll() is None
    assert done.out.startswith(f"{len(todo)} predictions of v3; ")
    for image, said in said_of(api, cars.project).items():
        new = [one for one in said[3] if one[0] == "v3"]
        assert [one for one in said[3] if one[0] != "v3"] == before[image][3]
        assert [score for _, score, _ in new] == [(10 + len(image) % 50) / 100] * (image in todo)
    assert api.get(f"/api/projects/{cars.project.id}/")["model_version"] == "v3"


# -- 10: a table ----------------------------------------------------------------------------------


def table(path: Path, *rows: tuple[str, ...]) -> str:
    """A file of the rows; its name."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return str(path)


def test_fill_metadata(api: Server, cars: Cars, script: Script, tmp_path: Path) -> None:
    """Twelve are right already; 48 are in four groups of the same values; 40 have their own."""
    right = cars.project.tasks.filter(meta__number__lt=12)
    right.update(data__split="train", data__weather="0")
    rows = [(f"/images/{n}.jpg", "train", str(n // 12 if n < 60 else n)) for n in range(100)]
    unknown = [(f"/unknown/{n}.jpg", "test", "rain") for n in range(37)]
    header = ("image", "split", "weather")
    path = table(tmp_path / "weather.csv", header, *rows, *unknown, rows[0])
    expected = said_of(api, cars.project)
    for image, split, weather in rows:
        expected[image][0].update(split=split, weather=weather)
    arguments = ("fill_metadata", cars.title, path)

    stopped = script(*arguments, stop=(signal.SIGINT, 20), code=-signal.SIGINT)
    assert stopped.writes[:8] == ["POST /api/dm/actions/"] * 8  # a group takes one for each key
    saved = len(stopped.writes) - 8
    assert 12 <= saved < 40
    done = script(*arguments)
    first, last = done.out.splitlines()
    updated, skipped = map(int, re.findall(r"\d+", first))
    assert (updated, updated + skipped) == (len(done.writes), 100)
    assert 40 <= saved + updated <= 40 + 4  # what was under way may come twice
    told = re.findall(r"(\d+)/(\d+)", done.err)
    assert (told[0], told[-1]) == (("0", f"{updated}"), (f"{updated}", f"{updated}"))
    names = ", ".join(sorted(image for image, _, _ in unknown))
    assert last == f"no task has these 37: {names}"
    assert said_of(api, cars.project) == expected
    again = script(*arguments)
    assert again.out.splitlines()[0] == "0 tasks are filled, 100 were so already"
    assert again.writes == []


ONE, TWO = ("/images/1.jpg", "train"), ("/images/2.jpg", "test")


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([("image", "split"), ONE, (*TWO, "zzz")], "line 3: it does not have as many cells"),
        ([("image", "split"), ONE[:1], TWO], "line 2: it does not have as many cells"),
        ([("image", "split"), ONE, TWO, (ONE[0], "test")], "line 4: /images/1.jpg has other"),
        ([("image", "split", "split"), (*ONE, "a")], "line 1: each column needs a name"),
        ([("image", "a__b"), ONE], "line 1: each column needs a name"),
        ([], "line 1: each column needs a name"),
    ],
)
def test_fill_metadata_refuses_a_broken_table(
    fake_cars: str, script: Script, tmp_path: Path, rows: list[tuple[str, ...]], problem: str
) -> None:
    path = table(tmp_path / "weather.csv", *rows)
    refused = script("fill_metadata", fake_cars, path, code=1)
    assert refused.err.startswith(f"error: {path}, {problem}")
    assert len(refused.err.splitlines()) == 1
    assert (refused.out, refused.writes) == ("", [])


# -- 11: a mirror ---------------------------------------------------------------------------------


def test_mirror_project(
    ls: LabelStudio, api: Server, cars: Cars, script: Script, tmp_path: Path
) -> None:
    folder = tmp_path / "mirror"
    arguments = ("mirror_project", cars.title, str(folder))

    def check() -> None:
        files = {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}
        tasks = {str(task["id"]): task for task in api.tasks(cars.project)}
        assert files.keys() == tasks.keys()
        for id, task in tasks.items():
            assert files[id]["data"] == task["data"]
            for kind in ("annotations", "predictions"):
                names = ("id", "result", "completed_by", "ground_truth", "model_version", "score")
                there, here = (
                    [[one.get(name) for name in names] for one in sorted(rows, key=by_id)]
                    for rows in (task[kind], files[id][kind])
                )
                assert here == there
            assert [one["result"] for one in files[id]["drafts"]] == [
                one["result"] for one in api.drafts(task["id"])
            ]

    first = script(*arguments)
    tasks = list(cars.project.tasks)
    assert first.out.splitlines() == [f"new {task.id}" for task in tasks]
    assert first.writes == []
    check()

    annotated, predicted, edited, drafted = tasks[150], tasks[151], tasks[152], tasks[153]
    box = cars.project.config["label"].rectangle("Bus", x=1, y=1, width=2, height=2)
    annotated.annotations.create(result=[box])
    cars.project.predictions.bulk_create([(predicted, [box], 0.3)], model_version="v9")
    edited.data["city"] = "Oslo"
    edited.save()
    ls.drafts.create(task=drafted, result=[box])
    cars.project.tasks.filter(id__in=[tasks[10].id, tasks[20].id]).delete()
    (added,) = cars.project.tasks.bulk_create([{"image": "/images/new.jpg"}])

    changed = [f"changed {task.id}" for task in (annotated, predicted, edited, drafted)]
    deleted = [f"deleted {tasks[n].id}" for n in (10, 20)]
    second = script(*arguments)
    assert second.out.splitlines() == [*changed, f"new {added.id}", *deleted]
    check()
    assert script(*arguments).out == ""

    (folder / f"{added.id}.json").unlink()
    (folder / f"{edited.id}.json").write_text("{", "utf-8")
    assert script(*arguments).out.splitlines() == [f"changed {edited.id}", f"new {added.id}"]
    check()

    other = ls.projects.create(title=f"Other than {cars.title}")
    refused = script("mirror_project", other.title or "", str(folder), code=1)
    assert refused.err.startswith(f"error: {folder} is a mirror of another project")
    check()


# -- 13: predictions that are sure ----------------------------------------------------------------


def test_promote_predictions(ls: LabelStudio, api: Server, cars: Cars, script: Script) -> None:
    email = f"bot-{uuid.uuid4().hex[:8]}@example.com"
    before = {task["id"]: task for task in api.tasks(cars.project)}
    sure = [n for n in VERSIONS["v2"] if score_of("v2", n) >= 0.9]
    done = script("promote_predictions", cars.title, "v2", email)
    assert done.out == f"{len(sure)} predictions of v2 are annotations of {email} now\n"
    assert "Warning" not in done.err
    promoted = []
    for task in api.tasks(cars.project):
        old = {one["id"] for one in before[task["id"]]["annotations"]}
        new = [one for one in task["annotations"] if one["id"] not in old]
        assert len(task["annotations"]) == len(old) + len(new)
        for one in new:
            (prediction,) = (p for p in task["predictions"] if p["model_version"] == "v2")
            assert one["parent_prediction"] == prediction["id"]
            assert one["result"] == prediction["result"]
            assert (one["ground_truth"], one["was_cancelled"]) == (False, False)
            assert api.emails()[one["completed_by"]] == email
            promoted.append(task["meta"]["number"])
    assert promoted == sure
    again = script("promote_predictions", cars.title, "v2", email)
    assert (again.out.split()[0], again.writes) == ("0", [])
    ls.users.get(email=email).delete()


# -- 14: images with boxes ------------------------------------------------------------------------


def png(number: int) -> bytes:
    """A picture of one pixel, each another one."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    pixel = zlib.compress(b"\0" + struct.pack(">I", number)[1:])
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_upload_images(ls: LabelStudio, api: Server, script: Script, tmp_path: Path) -> None:
    folder, title = tmp_path / "street", f"Street {uuid.uuid4().hex[:8]}"
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    (folder / "classes.txt").write_text('car\nbus "night" & day\n', encoding="utf-8")
    names = [f"image {n:03} ü.png" if n % 50 == 0 else f"image-{n:03}.png" for n in range(250)]
    for number, name in enumerate(names):
        (folder / "images" / name).write_bytes(png(number))
        if number % 5:
            line = f"{number % 2} 0.5 0.25 {0.1 + number / 1000} 0.3\n"
            path = folder / "labels" / f"{name[:-4]}.txt"
            path.write_text(line * (number % 3 + 1), encoding="utf-8")

    killed = script("upload_images", title, str(folder), stop=(9, 4), code=-9)
    done = script("upload_images", title, str(folder))
    assert len(killed.requests) + len(done.requests) <= 25

    tasks = api.tasks(ls.projects.get(title=title))
    assert sorted(task["data"]["name"] for task in tasks) == sorted(names)
    for task in tasks:
        number = names.index(task["data"]["name"])
        assert api.read(task["data"]["image"]) == png(number)
        boxes = [region["value"] for one in task["predictions"] for region in one["result"]]
        width = 10 + number / 10
        assert len(boxes) == (number % 3 + 1 if number % 5 else 0)
        for box in boxes:
            assert box["rectanglelabels"] == [("car", 'bus "night" & day')[number % 2]]
            sides = [box[side] for side in ("x", "y", "width", "height")]
            assert sides == pytest.approx([50 - width / 2, 10, width, 30], abs=1e-9)
    again = script("upload_images", title, str(folder))
    assert again.writes == []
    assert again.out.startswith("250 of 250 images are in ")

    (folder / "images" / "last.png").write_bytes(png(250))
    for line in ("2 0.5 0.5 0.1 0.1", "0 0.5 0.5 0.1"):  # there are two classes; a side is missing
        (folder / "labels" / "last.txt").write_text(f"0 0.5 0.5 0.1 0.1\n{line}\n", "utf-8")
        refused = script("upload_images", title, str(folder), code=1)
        assert refused.err.startswith(f"error: {folder / 'labels' / 'last.txt'}, line 2: ")
        assert refused.writes == []
    # 0.066667 / 2 is more than 0.033333: the box begins a little left of the image
    (folder / "labels" / "last.txt").write_text("0 0.033333 0.5 0.066667 1\n", "utf-8")
    script("upload_images", title, str(folder))
    last = api.tasks(ls.projects.get(title=title))[-1]
    box = last["predictions"][0]["result"][0]["value"]
    assert (box["x"], box["y"], box["height"]) == (0, 0, 100)
    assert box["width"] == pytest.approx(6.66665, abs=1e-9)
    ls.projects.get(title=title).delete()


# -- 16: a backup ---------------------------------------------------------------------------------


def test_backup_project(ls: LabelStudio, api: Server, cars: Cars, script: Script) -> None:
    saved = script("backup_project", "save", cars.title, "cars.zip")
    assert saved.writes == []
    before = said_of(api, cars.project)
    config = cars.project.label_config
    cars.project.delete()
    script("backup_project", "restore", "cars.zip")
    project = ls.projects.get(title=cars.title)
    assert said_of(api, project) == before
    assert project.label_config == config
    assert [view.data["title"] for view in project.views.all()] == ["Todo", "New"]
    drafted = [task for task in api.tasks(project) if task["meta"]["number"] in DRAFTED]
    assert [len(api.drafts(task["id"])) for task in drafted] == [1] * len(DRAFTED)
    assert script("backup_project", "restore", "cars.zip").writes == []


# -- 17: taxonomies -------------------------------------------------------------------------------


def test_grow_taxonomy(ls: LabelStudio, api: Server, script: Script) -> None:
    control = f"species{uuid.uuid4().hex[:8]}"
    text = '<View><Text name="text" value="$text"/>{}</View>'
    taxonomy = f'<Taxonomy name="{control}" toName="text">{{}}</Taxonomy>'
    animal = '<Choice value="Animal"/>'
    branch = '<Choice value="Animal"><Choice value="Dog"><Choice value="Poodle"/></Choice></Choice>'
    configs = {
        "grows": taxonomy.format(animal),
        "starts": taxonomy.format('<Choice value="Plant"/>'),
        "has": taxonomy.format(branch),
        "lacks": '<Choices name="other" toName="text"><Choice value="Animal"/></Choices>',
        "takes them from a URL": taxonomy.format("").replace(" toName", ' apiUrl="/t.json" toName'),
        "has them in another": taxonomy.format(animal)
        + f'<Taxonomy name="other{control}" toName="text">{branch}</Taxonomy>',
        "is another": f'<Choices name="{control}" toName="text"><Choice value="Animal"/></Choices>',
    }
    projects = {
        name: ls.projects.create(title=f"Project that {name}", label_config=text.format(config))
        for name, config in configs.items()
    }
    done = script("grow_taxonomy", control, "Animal", "Dog", "Poodle")
    assert sorted(done.out.splitlines()) == sorted(
        [
            f"{projects['grows']!r}: added",
            f"{projects['starts']!r}: added",
            f"{projects['has']!r}: had it already",
            f"{projects['has them in another']!r}: added",
            f"{projects['takes them from a URL']!r}: refused: its labels come from a URL or from "
            "the tasks",
        ]
    )
    assert len(done.writes) == 3
    for name in ("grows", "starts", "has", "has them in another"):
        row = api.get(f"/api/projects/{projects[name].id}/")
        labels = row["parsed_label_config"][control]["labels"]
        config = re.sub(r">\s+<", "><", row["label_config"])
        assert branch in config, (name, labels)
    for name in ("lacks", "is another", "takes them from a URL"):
        row = api.get(f"/api/projects/{projects[name].id}/")
        assert row["label_config"] == text.format(configs[name])
    again = script("grow_taxonomy", control, "Animal", "Dog", "Poodle")
    assert again.writes == []
    for project in projects.values():
        project.delete()


# -- steps of one's own ---------------------------------------------------------------------------


def test_tidy_reviews(ls: LabelStudio, api: Server, script: Script, tmp_path: Path) -> None:
    title = f"Reviews {uuid.uuid4().hex[:8]}"
    project = ls.projects.create(title=title)
    texts = ["a &amp; b", "c", "d &amp; e"]
    prediction = {"result": [], "model_version": "v1"}
    items = [{"data": {"text": text}, "predictions": [prediction]} for text in texts]
    project.tasks.bulk_create([*items, {"text": "f", "lang": "de"}])

    dry = script("tidy_reviews", title, "--dry-run")
    assert dry.writes == []
    assert "none of them sent" in dry.out
    script("tidy_reviews", title)
    tasks = api.tasks(project)
    assert [task["data"] for task in tasks] == [
        {"text": "a & b", "lang": "en"},
        {"text": "c", "lang": "en"},
        {"text": "d & e", "lang": "en"},
        {"text": "f", "lang": "de"},
    ]
    assert [task["predictions"] for task in tasks] == [[], [], [], []]
    again = script("tidy_reviews", title)
    assert again.writes == []
    assert "3 skipped" in again.out
    listed = script("tidy_reviews", title, "--list")
    assert re.findall(r"^(\w+): done ", listed.out, re.MULTILINE) == [
        "entities",
        "languages",
        "old_predictions",
    ]
    project.delete()


# -- all of them ----------------------------------------------------------------------------------


@pytest.fixture
def fake_cars(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The title of a project on a server in memory: for what no server sees."""
    fake = FakeLabelStudio()
    with fake.serve() as url, LabelStudio(url, fake.api_key) as ls:
        for name in ("LABEL_STUDIO", "LABEL_STUDIO_TO"):
            monkeypatch.setenv(f"{name}_URL", url)
            monkeypatch.setenv(f"{name}_API_KEY", fake.api_key)
        project = ls.projects.create(title="Cars", label_config=CONFIG)
        project.tasks.bulk_create([{"image": f"/images/{n}.jpg"} for n in range(9)])
        yield "Cars"


UNKNOWN = "error: no Project matches Projects where title='Bikes'\n"
MISSING = "error: [Errno 2] No such file or directory: "


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("backup_project save Bikes bikes.zip", UNKNOWN),
        ("backup_project restore bikes.zip", MISSING + "'bikes.zip'\n"),
        ("copy_project Bikes", UNKNOWN),
        ("dedupe_tasks Bikes data.image", UNKNOWN),
        ("drop_model_version Bikes v1", UNKNOWN),
        ("fill_metadata Bikes weather.csv", UNKNOWN),
        ("fill_metadata Cars weather.csv", MISSING + "'weather.csv'\n"),
        ("mirror_project Bikes mirror", UNKNOWN),
        ("predict_unlabelled Bikes v1", UNKNOWN),
        ("predict_with_dask Bikes v1", UNKNOWN),
        ("promote_predictions Bikes v1 bot@example.com", UNKNOWN),
        ("rename_label Bikes Car Vehicle", UNKNOWN),
        ("rename_label Cars Cra Vehicle", "There are: 'Car', 'Bus', 'Truck', 'ok', 'bad'\n"),
        ("upload_images Street street", MISSING + "'street/classes.txt'\n"),
    ],
)
def test_a_mistake_is_one_line(fake_cars: str, script: Script, arguments: str, said: str) -> None:
    refused = script(*arguments.split(), code=1)
    assert refused.err.startswith("error: ")
    assert refused.err.endswith(said)
    assert len(refused.err.splitlines()) == 1
    assert refused.writes == []


def test_every_example_is_here() -> None:
    known = {"demo", "quickstart", "reviews"}  # run by tests of their own
    here = Path(__file__).read_text("utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert path.stem in known or f'"{path.stem}"' in here, path.name
