"""FakeLabelStudio beyond the comparison with a real server: faults, the log, isolation."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import labelstudio_orm.testing.fake as fake_module
from labelstudio_orm.testing import FakeLabelStudio, Fault
from labelstudio_orm.testing.fake import Model

pytest_plugins = ["pytester"]

Ask = Callable[..., requests.Response]


@pytest.fixture
def fake() -> FakeLabelStudio:
    return FakeLabelStudio()


@pytest.fixture(params=["in memory", "over a socket"])
def ask(fake: FakeLabelStudio, request: pytest.FixtureRequest) -> Iterator[Ask]:
    """Send requests as user 1, with and without a network."""
    headers = {"Authorization": f"Token {fake.api_key}"}
    if request.param == "in memory":
        with fake.session() as session:
            session.headers.update(headers)
            yield lambda method, path, body=None, **options: session.request(
                method, fake.url + path, json=body, **options
            )
        return
    with fake.serve() as url, requests.Session() as session:
        session.trust_env = False
        session.headers.update(headers)
        yield lambda method, path, body=None, **options: session.request(
            method, url + path, json=body, **options
        )


def make_project(ask: Ask, tasks: int = 0, **fields: Any) -> int:
    project = int(ask("POST", "/api/projects/", {"title": "project", **fields}).json()["id"])
    if tasks:
        items = [{"data": {"n": n}} for n in range(tasks)]
        assert ask("POST", f"/api/projects/{project}/import", items).status_code == 201
    return project


def count(ask: Ask) -> int:
    return int(ask("GET", "/api/projects/").json()["count"])


def test_both_ways_give_the_same(ask: Ask) -> None:
    project = make_project(ask, tasks=3)
    answer = ask("GET", f"/api/tasks/?project={project}&page_size=2")
    assert answer.headers["Content-Type"] == "application/json"
    assert [task["data"] for task in answer.json()["tasks"]] == [{"n": 0}, {"n": 1}]
    assert ask("DELETE", f"/api/projects/{project}/").content == b""
    assert ask("GET", "/api/nosuch/").headers["Content-Type"] == "text/html; charset=utf-8"


def test_what_is_not_known_is_a_loud_501(ask: Ask) -> None:
    for method, path in (
        ("GET", "/api/labels/"),
        ("PUT", "/api/projects/1/"),
        ("GET", "/api/templates?project=1"),
    ):
        answer = ask(method, path, {} if method == "PUT" else None)
        assert answer.status_code == 501
        assert path.partition("?")[0].replace("/1/", "/")[:9] in answer.json()["detail"]
    project = make_project(ask, tasks=1)
    action = f"/api/dm/actions/?project={project}&id=remove_duplicates"
    assert ask("POST", action, {}).json()["not_implemented"] == "the action remove_duplicates"
    export = f"/api/projects/{project}/export?exportType=COCO"
    assert ask("GET", export).json()["not_implemented"] == "the export format COCO"


def test_requests_are_recorded(fake: FakeLabelStudio, ask: Ask) -> None:
    make_project(ask)
    ask("GET", "/api/projects/?title=a%20b&page=1")
    first, second = fake.requests
    assert (first.method, first.path, first.body) == (
        "POST",
        "/api/projects/",
        {"title": "project"},
    )
    assert (second.query, second.body) == ({"title": "a b", "page": "1"}, None)
    fake.requests.clear()
    assert count(ask) == 1
    assert len(fake.requests) == 1


def test_state_is_a_copy(fake: FakeLabelStudio, ask: Ask) -> None:
    data = {"list": [1, {"deep": True}]}
    project = make_project(ask)
    task = ask("POST", "/api/tasks/", {"project": project, "data": data}).json()
    data["list"].append(2)
    task["data"]["list"].clear()
    assert ask("GET", f"/api/tasks/{task['id']}/").json()["data"] == {"list": [1, {"deep": True}]}
    assert fake.requests[1].body["data"] == {"list": [1, {"deep": True}]}


def test_a_failed_write_changes_nothing(ask: Ask) -> None:
    project = make_project(ask, label_config='<View><Text name="t" value="$text"/></View>')
    items = [{"text": "good"}, {"txt": "bad"}]
    answer = ask("POST", f"/api/projects/{project}/import", items)
    assert answer.status_code == 400
    errors = answer.json()["validation_errors"]["non_field_errors"]
    assert errors[0] == {}
    assert errors[1].startswith('Error at item 1: "text" key is expected in task data')
    assert ask("GET", f"/api/tasks/?project={project}").json()["total"] == 0


# --- faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.answer(500), 500),
        (Fault.answer(504), 504),
        (Fault.bad_gateway(), 502),
        (Fault.too_many_requests(7), 429),
        (Fault.unauthorized(), 401),
    ],
)
def test_an_answer_instead_of_the_deed(
    fake: FakeLabelStudio, ask: Ask, fault: Fault, status: int
) -> None:
    fake.fault("POST", "/api/projects/", fault)
    answer = ask("POST", "/api/projects/", {"title": "lost"})
    assert answer.status_code == status
    assert count(ask) == 0
    assert answer.headers.get("Retry-After") == ("7" if status == 429 else None)
    assert answer.headers["Content-Type"].startswith(
        "text/html" if status == 502 else "application"
    )
    assert make_project(ask) == 1  # once only


@pytest.mark.parametrize(
    "fault", [Fault.answer(500, committed=True), Fault.answer(504, committed=True)]
)
def test_an_answer_after_the_deed(fake: FakeLabelStudio, ask: Ask, fault: Fault) -> None:
    fake.fault("POST", "/api/*", fault)
    assert ask("POST", "/api/projects/", {"title": "kept"}).status_code == fault.status
    assert count(ask) == 1


@pytest.mark.parametrize(
    ("fault", "error", "projects"),
    [
        (Fault.refused(), requests.ConnectionError, 0),
        (Fault.reset(), requests.ConnectionError, 0),
        (Fault.reset(committed=True), requests.ConnectionError, 1),
        (
            Fault.reset_in_body(),
            (requests.ConnectionError, requests.exceptions.ChunkedEncodingError),
            1,
        ),
        (Fault.stall(), requests.exceptions.ReadTimeout, 0),
        (Fault.stall(committed=True), requests.exceptions.ReadTimeout, 1),
        (Fault.truncated(keep_length=True), requests.exceptions.ChunkedEncodingError, 1),
    ],
)
def test_connections_that_fail(
    fake: FakeLabelStudio, ask: Ask, fault: Fault, error: Any, projects: int
) -> None:
    fake.fault("POST", "*", fault)
    with pytest.raises(error):
        ask("POST", "/api/projects/", {"title": "project"}, timeout=0.2)
    assert count(ask) == projects


def test_half_an_answer_that_claims_to_be_whole(fake: FakeLabelStudio, ask: Ask) -> None:
    fake.fault("GET", "/api/users/", Fault.truncated())
    answer = ask("GET", "/api/users/")
    assert int(answer.headers["Content-Length"]) == len(answer.content) > 0
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


def test_refused_looks_like_a_refused_connection(fake: FakeLabelStudio) -> None:
    fake.fault("*", "*", Fault.refused())
    with pytest.raises(requests.ConnectionError) as caught:
        fake.session().get(fake.url + "/health")
    reason = caught.value.args[0].reason
    assert type(reason).__name__ == "NewConnectionError"


def test_a_fault_spares_some_and_strikes_some(fake: FakeLabelStudio, ask: Ask) -> None:
    fake.fault("GET", "/health", Fault.answer(503), after=1, times=2)
    assert [ask("GET", "/health").status_code for _ in range(4)] == [200, 503, 503, 200]
    fake.fault("GET", "/health", Fault.answer(503), times=None)
    assert [ask("GET", "/health").status_code for _ in range(3)] == [503] * 3
    assert ask("GET", "/api/version").status_code == 200


def test_a_short_stall_is_only_slow(fake: FakeLabelStudio, ask: Ask) -> None:
    fake.fault("GET", "/health", Fault.stall(0.05))
    started = time.monotonic()
    assert ask("GET", "/health", timeout=5).status_code == 200
    assert time.monotonic() - started >= 0.05


# --- work that goes on after the answer -----------------------------------------------------------


@pytest.fixture
def later() -> FakeLabelStudio:
    return FakeLabelStudio(async_jobs=True)


@pytest.fixture
def ask_later(later: FakeLabelStudio) -> Ask:
    session = later.session()
    session.headers["Authorization"] = f"Token {later.api_key}"
    return lambda method, path, body=None, **options: session.request(
        method, later.url + path, json=body, **options
    )


def looks(ask: Ask, path: str, number: int = 3) -> list[str]:
    """Return the status of each of several requests that read a job."""
    return [ask("GET", path).json()["status"] for _ in range(number)]


def total(ask: Ask, project: int) -> int:
    return int(ask("GET", f"/api/tasks/?project={project}").json()["total"])


def test_imports_are_done_at_the_second_look(ask_later: Ask) -> None:
    project = make_project(ask_later)
    tasks = [{"text": "a", "n": 1}, {"text": "b", "n": 2}]
    path = f"/api/projects/{project}/import?return_task_ids=true"
    answer = ask_later("POST", path, tasks)
    assert (answer.status_code, answer.json()) == (201, {"import": 1})
    status = f"/api/projects/{project}/imports/1/"
    first = ask_later("GET", status).json()
    assert (first["status"], first["task_count"], first["tasks"]) == ("in_progress", 0, tasks)
    assert total(ask_later, project) == 0
    second = ask_later("GET", status).json()
    assert (second["status"], second["task_count"], second["task_ids"]) == ("completed", 2, [1, 2])
    assert total(ask_later, project) == 2
    assert ask_later("GET", status).json() == second
    assert total(ask_later, project) == 2


def test_an_import_fails_later(ask_later: Ask) -> None:
    config = '<View><Text name="t" value="$text"/></View>'
    project = make_project(ask_later, label_config=config)
    ask_later("POST", f"/api/projects/{project}/import", [{"text": "a"}, {"no": "text"}])
    status = f"/api/projects/{project}/imports/1/"
    assert looks(ask_later, status) == ["in_progress", "failed", "failed"]
    assert "key is expected in task data" in ask_later("GET", status).json()["error"]
    assert total(ask_later, project) == 0


def test_files_are_imported_later(ask_later: Ask) -> None:
    project = make_project(ask_later)
    files = {"file": ("a.csv", b"text,n\na,1\nb,2\n")}
    ask_later("POST", f"/api/projects/{project}/import", files=files)
    status = f"/api/projects/{project}/imports/1/"
    assert looks(ask_later, status, 2) == ["in_progress", "completed"]
    done = ask_later("GET", status).json()
    assert done["found_formats"] == {".csv": 1}
    assert sorted(done["data_columns"]) == ["n", "text"]
    assert done["file_upload_ids"] == [1]


def test_what_is_not_known_is_a_501_later_too(ask_later: Ask) -> None:
    project = make_project(ask_later)
    ask_later("POST", f"/api/projects/{project}/import", [{"data": [1]}])
    status = f"/api/projects/{project}/imports/1/"
    assert [ask_later("GET", status).status_code for _ in range(2)] == [200, 501]


def test_snapshots_are_taken_later(ask_later: Ask) -> None:
    project = make_project(ask_later)
    task = ask_later("POST", "/api/tasks/", {"project": project, "data": {"n": 1}}).json()["id"]
    exports = f"/api/projects/{project}/exports/"
    made = ask_later("POST", exports, {}).json()
    one = f"{exports}{made['id']}"
    assert (made["status"], made["counters"]) == ("in_progress", {})
    assert ask_later("GET", f"{one}/download").status_code == 404
    assert looks(ask_later, one) == ["in_progress", "completed", "completed"]
    assert [row["id"] for row in ask_later("GET", f"{one}/download").json()] == [task]
    ask_later("POST", f"{one}/convert", {"export_type": "CSV"})

    def conversion() -> str:
        (made,) = ask_later("GET", one).json()["converted_formats"]
        return str(made["status"])

    assert [conversion() for _ in range(3)] == ["in_progress", "completed", "completed"]


def test_a_conversion_of_what_is_not_there_yet_fails(ask_later: Ask) -> None:
    project = make_project(ask_later)
    exports = f"/api/projects/{project}/exports/"
    one = f"{exports}{ask_later('POST', exports, {}).json()['id']}"
    ask_later("POST", f"{one}/convert", {"export_type": "CSV"})
    assert looks(ask_later, one, 2) == ["in_progress", "completed"]
    assert ask_later("GET", one).json()["converted_formats"][0]["status"] == "failed"


def test_storages_are_read_later(later: FakeLabelStudio, ask_later: Ask) -> None:
    project = make_project(ask_later)
    later.blobs["s3://bucket/a.json"] = b'{"text": "a"}'
    body = {"project": project, "bucket": "bucket"}
    one = f"/api/storages/s3/{ask_later('POST', '/api/storages/s3/', body).json()['id']}"
    assert ask_later("POST", f"{one}/sync").json()["status"] == "queued"
    assert looks(ask_later, one) == ["in_progress", "completed", "completed"]
    assert ask_later("GET", one).json()["last_sync_count"] == total(ask_later, project) == 1
    later.blobs["s3://bucket/b.json"] = b"not JSON"
    ask_later("POST", f"{one}/sync")
    assert looks(ask_later, one) == ["in_progress", "failed", "failed"]
    assert "b.json" in ask_later("GET", one).json()["traceback"]
    assert total(ask_later, project) == 1


# --- what is beside the server --------------------------------------------------------------------


def test_the_files_of_requests_are_recorded(fake: FakeLabelStudio, ask: Ask) -> None:
    project = make_project(ask)
    files = {"file": ("a.txt", b"one\ntwo\n")}
    ask("POST", f"/api/projects/{project}/import", data={"title": "x"}, files=files)
    ask("POST", f"/api/projects/{project}/import", data={"url": "https://example.com/a.json"})
    assert [recorded.body for recorded in fake.requests[1:]] == [
        {"title": "x", "file": "a.txt"},
        {"url": "https://example.com/a.json"},
    ]


def test_files_come_back(ask: Ask) -> None:
    project = make_project(ask)
    files = {"file": ("a b.png", b"\x89PNG")}
    ask("POST", f"/api/projects/{project}/import", files=files)
    (task,) = ask("GET", f"/api/tasks/?project={project}").json()["tasks"]
    (path,) = task["data"].values()
    answer = ask("GET", path)
    assert (answer.content, answer.headers["Content-Type"]) == (b"\x89PNG", "image/png")
    assert ask("GET", path, headers={"Range": "bytes=0-1"}).status_code == 501


def test_imports_by_url_are_from_the_blobs(fake: FakeLabelStudio, ask: Ask) -> None:
    project = make_project(ask)
    url = "https://example.com/tasks.csv"

    def bring() -> requests.Response:
        return ask("POST", f"/api/projects/{project}/import", data={"url": url})

    answer = bring()
    assert answer.status_code == 501
    assert f"FakeLabelStudio.blobs['{url}']" in answer.json()["detail"]
    fake.blobs[url] = b"text,n\na,1\n"
    assert bring().json()["task_count"] == 1
    (task,) = ask("GET", f"/api/tasks/?project={project}").json()["tasks"]
    assert task["data"] == {"text": "a", "n": 1}


def test_export_storages_write_into_the_blobs(fake: FakeLabelStudio, ask: Ask) -> None:
    project = make_project(ask)
    task = ask("POST", "/api/tasks/", {"project": project, "data": {"n": 1}}).json()["id"]
    fake.blobs["gs://bucket/"] = b""
    body = {"project": project, "bucket": "bucket", "prefix": "out"}
    made = ask("POST", "/api/storages/export/gcs", body).json()
    annotation = ask("POST", f"/api/tasks/{task}/annotations/", {"result": []}).json()["id"]
    written = f"gs://bucket/out/{annotation}"
    assert json.loads(fake.blobs.pop(written))["id"] == annotation
    assert ask("POST", f"/api/storages/export/gcs/{made['id']}/sync").json()["last_sync_count"] == 1
    assert json.loads(fake.blobs[written])["task"]["data"] == {"n": 1}


def test_places_that_are_not_there(ask: Ask) -> None:
    project = make_project(ask)
    answer = ask("POST", "/api/storages/s3/", {"project": project, "bucket": "nosuch"})
    assert answer.status_code == 400
    assert "Cannot find bucket nosuch in S3" in answer.text


def test_webhooks_are_told(fake: FakeLabelStudio, ask: Ask) -> None:
    project = make_project(ask)
    ask("POST", "/api/webhooks/", {"url": "https://example.com/hook", "project": project})
    task = ask("POST", "/api/tasks/", {"project": project, "data": {"n": 1}}).json()["id"]
    ask("DELETE", f"/api/tasks/{task}/")
    (url, created), (_, deleted) = fake.delivered
    assert url == "https://example.com/hook"
    assert (created["action"], created["tasks"][0]["data"]) == ("TASKS_CREATED", {"n": 1})
    assert (deleted["action"], deleted["tasks"]) == ("TASKS_DELETED", [{"id": task}])
    assert deleted["project"]["id"] == project


def test_models(fake: FakeLabelStudio, ask: Ask) -> None:
    project, url = make_project(ask, tasks=2), "http://model.example.com:9090"
    body = {"project": project, "url": url, "title": "counts"}
    answer = ask("POST", "/api/ml/", body)
    assert answer.status_code == 400
    assert f"Can't connect to ML backend {url}, health check failed" in answer.text
    fake.models[url] = lambda tasks: [{"result": [], "score": task["data"]["n"]} for task in tasks]
    made = ask("POST", "/api/ml/", body).json()
    assert (made["state"], made["model_version"]) == ("CO", "1")
    ask("POST", f"/api/dm/actions/?project={project}&id=retrieve_tasks_predictions", {})
    found = ask("GET", f"/api/predictions/?project={project}").json()
    assert [(one["score"], one["model_version"]) for one in found] == [(0, "1"), (1, "1")]
    fake.models[url] = Model(lambda tasks: [], version="b", versions=("a", "b"))
    assert ask("GET", f"/api/ml/{made['id']}").json()["model_version"] == "b"
    assert ask("GET", f"/api/ml/{made['id']}/versions").json() == {"versions": ["a", "b"]}
    del fake.models[url]
    assert ask("GET", f"/api/ml/{made['id']}").json()["state"] == "DI"


def test_a_mistake_in_a_model_is_a_mistake_in_the_test(fake: FakeLabelStudio) -> None:
    url = "http://model.example.com"
    fake.models[url] = lambda tasks: [{"result": [], "score": task["nosuch"]} for task in tasks]
    with fake.session() as session:
        session.headers["Authorization"] = f"Token {fake.api_key}"

        def ask(method: str, path: str, body: Any = None) -> requests.Response:
            return session.request(method, fake.url + path, json=body)

        project = make_project(ask, tasks=1)
        ask("POST", "/api/ml/", {"project": project, "url": url})
        with pytest.raises(KeyError, match="nosuch"):
            ask("GET", "/api/tasks/1/")
        assert ask("GET", "/api/predictions/").json() == []


def test_its_own_machine_is_out_of_bounds_unless_allowed(fake: FakeLabelStudio, ask: Ask) -> None:
    project, url = make_project(ask), "http://localhost:9090"
    fake.models[url] = lambda tasks: [{"result": []} for _ in tasks]
    for path in ("/api/ml/", "/api/webhooks/"):
        assert ask("POST", path, {"project": project, "url": url}).status_code == 403
    fake.ssrf_protection = False
    for path in ("/api/ml/", "/api/webhooks/"):
        assert ask("POST", path, {"project": project, "url": url}).status_code == 201


# --- the rest ------------------------------------------------------------------------------------


def test_access_tokens_expire(fake: FakeLabelStudio, ask: Ask) -> None:
    token = ask("POST", "/api/token/").json()["token"]
    fake.access_lifetime = 0.2
    access = ask("POST", "/api/token/refresh/", {"refresh": token}).json()["access"]
    bearer = {"Authorization": f"Bearer {access}"}
    assert ask("GET", "/api/current-user/whoami", headers=bearer).status_code == 200
    time.sleep(0.25)
    answer = ask("GET", "/api/current-user/whoami", headers=bearer)
    assert answer.status_code == 401
    assert answer.json()["detail"] == "Authentication credentials were not provided."


def test_resetting_the_token_makes_a_new_api_key(fake: FakeLabelStudio, ask: Ask) -> None:
    old = fake.api_key
    assert ask("POST", "/api/current-user/reset-token/").json() == {"token": fake.api_key}
    assert fake.api_key != old
    assert ask("GET", "/api/users/").json()["detail"] == "Invalid token."


def test_no_secret_in_the_repr(fake: FakeLabelStudio) -> None:
    assert fake.api_key not in repr(fake)


def test_a_url_with_a_path_and_an_edition() -> None:
    fake = FakeLabelStudio("http://example.test/label/", edition="Enterprise")
    answer = fake.session().get("http://example.test/label/api/version")
    assert answer.json()["edition"] == "Enterprise"


def test_two_fakes_share_nothing() -> None:
    one, two = FakeLabelStudio(), FakeLabelStudio()
    assert one.api_key != two.api_key
    session = one.session()
    session.headers["Authorization"] = f"Token {one.api_key}"
    session.post(one.url + "/api/projects/", json={})
    assert two.store.value("SELECT COUNT(*) FROM project") == 0


def test_threads(fake: FakeLabelStudio, ask: Ask) -> None:
    project = make_project(ask)
    statuses: list[int] = []

    def work() -> None:
        session = fake.session()
        session.headers["Authorization"] = f"Token {fake.api_key}"
        for n in range(20):
            body = {"project": project, "data": {"n": n}}
            statuses.append(session.post(fake.url + "/api/tasks/", json=body).status_code)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [201] * 80
    listed = ask("GET", f"/api/tasks/?project={project}").json()
    assert len({task["inner_id"] for task in listed["tasks"]}) == listed["total"] == 80


@pytest.mark.slow
def test_many_tasks_in_pages(fake: FakeLabelStudio) -> None:
    session = fake.session()
    session.headers["Authorization"] = f"Token {fake.api_key}"
    project = make_project(
        lambda m, p, b=None: session.request(m, fake.url + p, json=b), tasks=20_000
    )
    last, seen = 0, 0
    while True:
        line = {"filter": "filter:tasks:id", "operator": "greater", "type": "Number", "value": last}
        query = {"filters": {"conjunction": "and", "items": [line]}, "ordering": ["tasks:id"]}
        page = session.get(
            f"{fake.url}/api/tasks/?page_size=1000", json={"project": project, **query}
        ).json()
        seen += len(page["tasks"])
        last = page["tasks"][-1]["id"]
        if page["total"] == len(page["tasks"]):
            break
    assert seen == 20_000


def test_the_plugin_gives_a_fresh_fake(pytester: pytest.Pytester) -> None:
    pytester.makeconftest('pytest_plugins = ["labelstudio_orm.testing.pytest_plugin"]')
    pytester.makepyfile(
        """
        def test_one(fake_label_studio):
            session = fake_label_studio.session()
            assert session.get(fake_label_studio.url + "/health").json() == {"status": "UP"}
        """
    )
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_the_examples_of_its_readme() -> None:
    text = (Path(fake_module.__file__).parent / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    table = re.findall(r"^\| `(_\w+)", text, re.MULTILINE)
    rooms = {path.stem for path in Path(fake_module.__file__).parent.glob("_[a-z]*")}
    assert set(table) == rooms
