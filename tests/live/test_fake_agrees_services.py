"""The server in memory must not lie, second part: what surrounds the tasks.

Webhooks, the organization, files, snapshots, storages, ML backends, drafts. The real server runs
without its guards against addresses of its own machine, and so does the fake.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from labelstudio_orm.testing import FakeLabelStudio, LocalLabelStudio
from labelstudio_orm.testing._releases import VERSION
from labelstudio_orm.testing.fake import Model
from tests.live.parts.ml_backend import MLBackendService
from tests.live.parts.places import GCS, S3, Azure, Disk, Place, Redis
from tests.live.parts.webhook_receiver import WebhookReceiver
from tests.live.twins import Script, Twins, twins_of

pytestmark = pytest.mark.live

CONFIG = (
    '<View><Text name="t" value="$text"/>'
    '<Choices name="c" toName="t"><Choice value="A"/><Choice value="B"/></Choices></View>'
)


@pytest.fixture(scope="module")
def twins(disk: Disk, gcs: GCS) -> Iterator[Twins]:
    """Start a new real server of the release in memory, and a fake one that continues its ids."""
    settings = {
        "SSRF_PROTECTION_ENABLED": "false",
        "ML_BLOCK_LOCAL_IP": "false",
        "LOCAL_FILES_SERVING_ENABLED": "true",
        "LOCAL_FILES_DOCUMENT_ROOT": str(disk.root),
        "STORAGE_EMULATOR_HOST": gcs.url,
        "WEBHOOK_TIMEOUT": "20",
    }
    fake = FakeLabelStudio()
    fake.ssrf_protection = False
    real = LocalLabelStudio(version=VERSION, settings=settings)
    with real as server, twins_of(server, fake) as both:
        both.ids["fake"] = fake
        yield both


@pytest.fixture
def run(twins: Twins) -> Iterator[Script]:
    """Send requests to both; the test fails at its end if answers differ."""
    script = Script(twins)
    yield script
    script.finish()


@pytest.fixture
def fake(twins: Twins) -> FakeLabelStudio:
    """Return the server in memory."""
    found: FakeLabelStudio = twins.ids["fake"]
    return found


@pytest.fixture
def project(run: Script) -> int:
    """Make a project on both, which stays.

    A real server that deletes a project no longer does what belongs to deletions (it forgets the
    receivers of Django's signals) until it deletes tasks by an action.
    """
    made = run("POST", "/api/projects/", {"title": "services", "label_config": CONFIG})
    return int(made["id"])


def region(choice: str = "A") -> dict[str, Any]:
    """Return a region of a result."""
    value = {"choices": [choice]}
    return {"from_name": "c", "to_name": "t", "type": "choices", "value": value}


# --- webhooks -------------------------------------------------------------------------------------


def test_webhooks(run: Script, project: int) -> None:
    url = "http://127.0.0.1:1/hook"
    run("GET", "/api/webhooks/")
    for query in ("", "?organization-only=true", "?organization-only=yes"):
        run("GET", f"/api/webhooks/info/{query}")
        run("GET", f"/api/webhooks/info/{query}", headers={"Authorization": ""})
    actions = ["TASKS_DELETED", "TASKS_CREATED", "TASKS_CREATED"]
    off = {"send_payload": False, "is_active": False, "send_for_all_actions": False}
    made = []
    more: Any
    for more in (
        {},
        {"actions": actions, "headers": {"a": "b"}, **off},
        {"project": None},
        {"project": 999999},
        {"project": "x"},
        {"project": str(project)},
        {"actions": ["BOGUS", "TASKS_CREATED"]},
        {"actions": ["PROJECT_CREATED"]},
        {"actions": "TASKS_CREATED"},
        {"actions": None},
        {"actions": []},
        {"headers": {"a": 1}},
        {"headers": []},
        {"headers": "x"},
        {"headers": None},
        {"headers": {"a b": "c"}},
        {"headers": {str(n): "" for n in range(11)}},
        {"is_active": "maybe"},
        {"id": 99, "organization": 7, "nosuch": 1},
        *(
            {"url": other}
            for other in (
                *(
                    None,
                    "",
                    5,
                    "x",
                    "ftp://h/x",
                    "http://a",
                    "javascript:x",
                    "http://h/" + "x" * 2048,
                ),
                *(
                    "http://localhost",
                    "https://nosuch.invalid:99/x?y#z",
                    "http://[::1]/",
                    "ftp://a.bc",
                ),
                *(
                    "http://a.b",
                    "http://1.2.3",
                    "http://a_b.cd/é",
                    "http://u:p@a.bc/",
                    "http://a.bc/ d",
                ),
            )
        ),
    ):
        answer = run("POST", "/api/webhooks/", {"url": url, "project": project, **more})
        made += [answer["id"]] if "url" in answer else []
    body: Any
    for body in ({}, {"url": url}, []):
        run("POST", "/api/webhooks/", body)
    for query in (
        f"?project={project}",
        "?project=999999",
        "?project=isnull",
        "?project=x",
        "?project=",
    ):
        run("GET", f"/api/webhooks/{query}")
    W = f"/api/webhooks/{made[1]}/"
    for body in (
        {"actions": ["TASKS_CREATED", "PROJECT_UPDATED"]},
        {"is_active": True},  # which takes the actions away
        {},
        {"actions": ["BOGUS"]},
        {"project": 1, "headers": {"c": "d"}},
        {"url": "x"},
        {"actions": ["PROJECT_CREATED"]},
        {"actions": None},
        {"url": "http://localhost/new", "send_payload": True},
    ):
        run("PATCH", W, body)
        run("GET", W)
    run("PUT", W, {})
    run("PUT", W, {"url": url})
    run("GET", W[:-1])
    for pk in made:
        run("DELETE", f"/api/webhooks/{pk}/")
    run("DELETE", W)
    run("GET", W)
    run("PATCH", W, {})


def test_deliveries(
    run: Script, project: int, fake: FakeLabelStudio, receiver: WebhookReceiver
) -> None:
    hook = {"url": receiver.hook, "project": project}
    some = {"send_for_all_actions": False, "send_payload": False, "actions": ["TASKS_CREATED"]}
    for more in ({}, some, {"is_active": False}):
        run("POST", "/api/webhooks/", {**hook, **more})

    def told(*step: Any) -> Any:
        answer = run(*step)
        run.same(
            f"deliveries of {step}", receiver.take(), [payload for _, payload in fake.delivered]
        )
        assert {url for url, _ in fake.delivered} <= {receiver.hook}
        fake.delivered.clear()
        return answer

    task = told("POST", "/api/tasks/", {"project": project, "data": {"text": "a"}})["id"]
    items = [
        {"data": {"text": "b"}, "annotations": [{"result": []}], "predictions": [{"result": []}]},
        {"data": {"text": "c"}},
    ]
    more = told("POST", f"/api/projects/{project}/import?return_task_ids=true", items)["task_ids"]
    one = told("POST", f"/api/tasks/{task}/annotations/", {"result": [region()]})["id"]
    told("PATCH", f"/api/annotations/{one}/", {"lead_time": 3})
    told("PATCH", f"/api/tasks/{task}/", {"data": {"text": "z"}})
    told("PATCH", f"/api/projects/{project}/", {"description": "x", "show_instruction": True})
    # without an id in its own answer the server cannot tell, and fails
    told("PATCH", f"/api/projects/{project}/?include=title", {"description": "y"})
    told("PATCH", f"/api/annotations/{one}/?omit=id", {"lead_time": 4})
    told("POST", f"/api/tasks/{task}/annotations/?include=result", {"result": []})
    run("GET", f"/api/tasks/{task}/annotations/")
    run("POST", "/api/projects/?include=title", {"title": "nameless"})
    run("GET", f"/api/projects/{project}/?include=description")
    told("POST", "/api/predictions/", {"task": task, "result": [region()], "score": 0.5})
    told("POST", f"/api/projects/{project}/import/predictions", [{"task": task, "result": []}])
    act = f"/api/dm/actions/?project={project}&id="
    chosen = {"selectedItems": {"all": False, "included": [task, more[0]]}}
    told("POST", act + "predictions_to_annotations", chosen)
    told("POST", act + "predictions_to_annotations", chosen)
    told("DELETE", f"/api/annotations/{one}/")
    told("POST", act + "delete_tasks_annotations", chosen)
    told("POST", act + "delete_tasks_annotations", chosen)
    told("DELETE", f"/api/tasks/{task}/")
    told("POST", act + "delete_tasks", chosen)
    told("POST", act + "delete_tasks", chosen)
    told("POST", f"/api/projects/{project}/import?commit_to_project=false", items)
    told("POST", "/api/tasks/", {"project": project, "data": {"text": "a"}})
    told("DELETE", f"/api/projects/{project}/tasks/")


# --- actions and the order of views ---------------------------------------------------------------


def test_actions_and_the_order_of_views(run: Script, project: int) -> None:
    for query in (f"?project={project}", "", "?project=999999", "?project=x"):
        run("GET", f"/api/dm/actions/{query}")
    views = [
        run("POST", "/api/dm/views/", {"project": project, "data": {"title": title}})["id"]
        for title in "abc"
    ]
    for body in (
        {},
        [],
        {"project": project},
        {"ids": views},
        *(
            {"project": project, "ids": ids}
            for ids in (
                views[::-1],
                views[:1],
                [999999],
                [],
                "x",
                ["x", 1, "y"],
                [str(views[2])],
                None,
            )
        ),
        {"project": 999999, "ids": views},
        {"project": "x", "ids": views},
    ):
        run("POST", "/api/dm/views/order/", body)
        run("GET", f"/api/dm/views/?project={project}")


# --- people ---------------------------------------------------------------------------------------


def test_the_organization(run: Script, project: int) -> None:
    run("GET", "/api/organizations/")
    run("POST", "/api/organizations/", {"title": "x"})
    for path in ("1", "1/", "2", "x"):
        run("GET", f"/api/organizations/{path}")
    for body in (
        {},
        *({"title": title} for title in ("New", "", None, "x" * 1001, 5)),
        *({"contact_info": mail} for mail in ("a@b.co", "x", "", None)),
        {"created_by": 5, "users": [], "id": 7, "nosuch": 1},
        {"token": None},
        [],
    ):
        run("PATCH", "/api/organizations/1", body)
    run("GET", "/api/invite")
    run("PUT", "/api/organizations/1", {})
    run("PUT", "/api/organizations/1", {"title": "Label Studio"})
    run("DELETE", "/api/organizations/1")
    run("POST", "/api/invite/reset-token", {})
    run("GET", "/api/invite")
    run("GET", "/api/invite/")
    run("POST", "/api/invite/reset-token/", {})
    run("GET", "/api/current-user/whoami")

    people = [
        run("POST", "/api/users/", {"username": name, "email": f"{name}@x.yz", "first_name": name})[
            "id"
        ]
        for name in ("zoe", "ann", "bob")
    ]
    M = "/api/organizations/1/memberships"
    task = run("POST", "/api/tasks/", {"project": project, "data": {"text": "a"}})["id"]
    for who in (people[0], people[1], 1, people[0]):
        run("POST", f"/api/tasks/{task}/annotations/", {"result": [], "completed_by": who})
    for query in (
        *(
            "",
            "?page_size=1",
            "?page_size=1&page=2",
            "?page_size=1&page=last",
            "?page=9",
            "?page=0",
        ),
        *("?page_size=-1", "?page_size=0", "?page_size=x", "?page_size=-1&page=2", "?active=true"),
        *(
            "?contributed_to_projects=1",
            "?contributed_to_projects=maybe",
            "?search=zoe&ordering=-user",
        ),
    ):
        run("GET", M + query)
    run("GET", "/api/organizations/2/memberships")
    run("GET", f"{M}/")
    run("GET", f"/api/projects/{project}/annotators/")
    run("GET", "/api/projects/999999/annotators/")
    for pk in (people[0], 1, 999999):
        run("GET", f"{M}/{pk}/")
        run("GET", f"{M}/{pk}/?contributed_to_projects=true")
    run("GET", f"/api/organizations/2/memberships/{people[0]}/")
    run("PATCH", f"{M}/{people[0]}/", {"user": 1})
    for pk in (1, people[0], people[0], 999999):
        run("DELETE", f"{M}/{pk}/")
    run("DELETE", f"/api/organizations/2/memberships/{people[1]}/")
    # who was removed is shown without a name, and can be named all the same
    for path in (
        *(
            M,
            f"{M}/{people[0]}/",
            "/api/organizations/1",
            "/api/users/",
            f"/api/users/{people[0]}/",
        ),
        *(f"/api/tasks/{task}/", f"/api/tasks/{task}/annotations/"),
        f"/api/projects/{project}/annotators/",
    ):
        run("GET", path)
    run("PATCH", f"/api/users/{people[0]}/", {"last_name": "New"})
    run("POST", f"/api/tasks/{task}/annotations/", {"result": [], "completed_by": people[0]})
    for pk in people:
        run("DELETE", f"/api/users/{pk}/")


def test_states(run: Script) -> None:
    project = run("POST", "/api/projects/", {"title": "States"})["id"]
    task = run("POST", "/api/tasks/", {"data": {"text": "a"}, "project": project})["id"]
    for entity, id in (("project", project), ("task", task), ("task", 9999), ("draft", 1)):
        run("GET", f"/api/fsm/entities/{entity}/{id}/history")
    for name in ("task_completed", "task_created", "nosuch", ""):
        path = f"/api/fsm/entities/task/{task}/transition/"
        run("POST", path, {"transition_name": name})
    run("POST", path, {})


def test_hotkeys_and_sessions(run: Script) -> None:
    run("GET", "/api/current-user/hotkeys/")
    good = {"key": "shift+s"}
    keys: Any
    for keys in (
        *({}, {"annotation:submit": good}, {"a:b": {**good, "active": True, "more": 1}}),
        *({"annotation:submit": "x"}, {"a": good}, {"": good}, {"a:b:c": good}, [], None, "x"),
        *({"a:b": {"key": key}} for key in ("", 5, None)),
        *({"a:b": {}}, {"a:b": {**good, "active": "y"}}, {"a:b": good, "c": good}),
    ):
        run("PATCH", "/api/current-user/hotkeys/", {"custom_hotkeys": keys})
        run("GET", "/api/current-user/whoami")
    run("PATCH", "/api/current-user/hotkeys/", {})
    run("PATCH", "/api/current-user/hotkeys/", {"custom_hotkeys": {}})
    run("PUT", "/api/current-user/hotkeys/", {"custom_hotkeys": {}})
    run("GET", "/api/session-policy/")
    for body in (
        *({}, {"max_session_age": 10, "max_time_between_activity": 500}, {"organization": 5}),
        *({"max_session_age": age} for age in (100, None, "x", 0, -1, "5", 1.5, 999999999, True)),
    ):
        run("PATCH", "/api/session-policy/", body)
    run("PUT", "/api/session-policy/", {})


# --- files ----------------------------------------------------------------------------------------

TEXT = '<View><Text name="t" value="$text"/></View>'
TABLE = "text,i,f,b,m,e,x,neg,z,ex\na,1,1.5,True,1,,NA,-3,007,1e3\n"
TABLE += 'b,,2,false,x,,null,+4,010,2\n"c,d",3,3.0,TRUE,2.5,,n/a,5,1,nan\n'
BUNDLES: list[dict[str, tuple[str, str | bytes]]] = [
    {"file": file}
    for file in (
        ("a.csv", "text,n\nhello,1\nworld,2\n"),
        ("a.csv", "text;n;m\nhello;1;2,5\nworld;;3\n"),
        ("a.csv", TABLE),
        ("a.csv", "text,text,\na,b,c\n"),
        ("a.csv", "text,n\na,1,2\nb,3,4\n"),
        ("a.csv", "text,n\na,1\nb,3,4\n"),
        ("a.csv", "text,n\na,1,2\nb,3,4,5\n"),
        ("a.csv", "text,n\na\n\n  \nb,3\n"),
        ("a.csv", "text\n\na\nb,c\n"),
        ("a.csv", ""),
        ("a.csv", "\n\n"),
        ("a.csv", "text,n\n"),
        ("a.csv", "\ufefftext,n\n1,2\n".encode()),
        ("a.csv", b"text\n\xff\xfe\n"),
        ("a.csv", "nottext,n\na,1\n"),
        ("a.csv", "text,b\nx,True\ny,\n"),
        ("a.csv", 'text,b\n"x\ny", 12 \nz,13\n'),
        ("a.csv", "text,b\nx,inf\nz,2\n"),
        ("a.csv", "text,b\nx,1_000\nz,2\n"),
        ("a.csv", "text,b\nx,0x10\nz,2\n"),
        ("a.csv", "text,b,c,d\nx,-.5,5.,+1.5E-3\nz,2,3,4\n"),
        ("a.csv", "text,b\nx,-7\nz,null\n"),
        ("a.csv", 'text,b\n"he said ""hi""",t\r\nz,2\r\n'),
        ("a.csv", 'text,b\n"",x\n"1",y'),
        ("a.csv", "text,b\na, x \n b,yes\n"),
        ("a.tsv", "text\tn\na,b\t1\n"),
        ("a.txt", "one\n\ntwo\r\nthree"),
        ("a.txt", ""),
        ("a.txt", b"\xff"),
        ("a.json", '[{"text": "a"}, {"data": {"text": "b"}, "predictions": [{"result": []}]}]'),
        ("a.json", '{"text": "a"}'),
        ("a.json", '{"text":'),
        ("a.json", ""),
        ("a.json", "[]"),
        ("a.json", "[1]"),
        ("a.json", '"x"'),
        ("a.json", "5"),
        ("a.json", '[{"data": [1]}]'),
        ("a.json", '[{"data": {}}]'),
        ("a.json", '[{"text": "a"}, {"x": "a"}]'),
        ("a.png", b"\x89PNG"),
        ("a.html", "<b>x</b>"),
        ("a.xml", "<b>x</b>"),
        ("a.jsonl", "{}"),
        ("noext", "x"),
        ("A.CSV", "text\na\n"),
        ("dir/we ird  näme (1).csv", "text\na\n"),
    )
]
BUNDLES += [
    {"one": ("a.csv", "text\na\n"), "two": other}
    for other in (
        ("b.csv", "text\nb\n"),
        ("b.csv", "text,x\nb,1\n"),
        ("b.csv", "other\nb\n"),
        ("b.png", "x"),
        ("b.csv", "text\n"),
        ("b.jsonl", "x"),
    )
]


@pytest.mark.parametrize(
    "config",
    [TEXT, "<View></View>", CONFIG.replace("</View>", '<Text name="u" value="$other"/></View>')],
    ids=["one variable", "none", "two"],
)
def test_files_bring_tasks(run: Script, project: int, config: str) -> None:
    run("PATCH", f"/api/projects/{project}/", {"label_config": config})
    bundles = BUNDLES if config == TEXT else BUNDLES[:2] + BUNDLES[26:32] + BUNDLES[40:44]
    for files in bundles:
        run("POST", f"/api/projects/{project}/import?return_task_ids=true", files=files)
        run("GET", f"/api/tasks/?project={project}&fields=all")
        run("POST", f"/api/dm/actions/?project={project}&id=delete_tasks", {})
    run("GET", f"/api/projects/{project}/file-uploads?all=true")


def test_files(run: Script, project: int) -> None:
    load, table = f"/api/projects/{project}/import", {"file": ("a.csv", "text,c\na,A\nb,B\n")}
    query: Any
    for query in (
        *("commit_to_project=false&return_task_ids=true", "commit_to_project=maybe"),
        "preannotated_from_fields=c&return_task_ids=true",
    ):
        run("POST", f"{load}?{query}", files=table)
    run("POST", "/api/projects/999999/import", files=table)
    run("POST", load, files={"x": (None, "y")})
    for url in ('[{"text": "in place"}]', "{'text':'sq'}", '"x"', "", "nonsense", "ftp://x/y.csv"):
        run("POST", load, data={"url": url})
    run("POST", load, data={"x": "y"})
    made = run("POST", f"{load}?return_task_ids=true", files=table)
    task, file = made["task_ids"][0], made["file_upload_ids"][0]
    F, L = f"/api/import/file-upload/{file}", f"/api/projects/{project}/file-uploads"
    run("PATCH", f"/api/tasks/{task}/", {"meta": {}})
    line = {"operator": "contains", "type": "String", "value": "a.csv"}
    chosen = [{"filter": "filter:tasks:file_upload", **line}]
    for query in (
        *({}, {"ordering": ["-tasks:file_upload"]}),
        {"filters": {"conjunction": "and", "items": chosen}},
        {"filters": {"conjunction": "and", "items": [{**chosen[0], "operator": "not_contains"}]}},
    ):
        run("GET", f"/api/tasks/?project={project}&query={json.dumps(query)}")
    run("GET", f"/api/tasks/?project={project}&fields=all")
    run("GET", f"/api/tasks/{task}/")
    run("GET", f"/api/projects/{project}/export?download_all_tasks=true")
    for query in (
        *(
            "",
            "?all=1",
            "?all=maybe",
            f"?ids=[{file}]",
            "?ids=1",
            "?ids=[]",
            '?ids=["x"]',
            "?ids=x",
        ),
        *("?ids=", f"?ids=[{file}]&all=false", f'?ids=["{file}", 5]', f"?ids={file}&ids={file}"),
    ):
        run("GET", L + query)
    run("GET", L + "/")
    run("GET", "/api/projects/999999/file-uploads")
    for path in (F + "/", "/api/import/file-upload/999999", F):
        run("GET", path)
    run("GET", lambda mine: f"/data/{mine['file']}")
    run("GET", "/data/upload/1/nosuch.csv")
    run("PATCH", F, {"file": "x"})
    run("PATCH", F, {})
    files: Any
    for files in (
        *({"file": ("b b.txt", "new")}, {"other": ("b.txt", "new")}, {"file": ("b.jsonl", "")}),
        *({"file": ("c.bin", b"\x00\r\n\xff--\r\n")}, {"file": (None, "text")}),
    ):
        run("PATCH", F, files=files)
        run("GET", F)
        run("GET", lambda mine: f"/data/{mine['file']}")
    run("PUT", F, files={"file": ("d.csv", "x")})
    run("PUT", F, {})
    run("PATCH", "/api/import/file-upload/999999", {})
    run("GET", f"/api/tasks/{task}/")
    run("DELETE", F)
    run("DELETE", F)
    run("GET", f"/api/tasks/{task}/")
    files = [
        run("POST", f"{load}?commit_to_project=false", files=table)["file_upload_ids"][0]
        for _ in range(4)
    ]
    body: Any
    for body in (
        *(
            {"file_upload_ids": []},
            {"file_upload_ids": [files[0], 999999]},
            {"file_upload_ids": "x"},
        ),
        *({"file_upload_ids": ["x"]}, {"file_upload_ids": [str(files[1])]}, {"ids": [1]}, None),
    ):
        run("DELETE", L, body)
        run("GET", L + "?all=true")
    run("DELETE", "/api/projects/999999/file-uploads")


NAMES = (
    *("we%20ird 100%.png", "é.png", "e\u0301.png", "猫 ☃.png", "CON.png", "nul.png", "a..png"),
    *("-a.png", "a&amp;b.png", "a\u200bb.png", 'a"b;c.png', "x" * 120 + ".png"),
    *("../a.png", "dir\\a.png", "%2F%2e.png", "ß" * 70 + ".webp", "y" * 77 + ".png"),
)


def test_many_files_in_one_request(run: Script, project: int) -> None:
    """Of different fields; what is stored of those that are refused."""
    load = f"/api/projects/{project}/import?commit_to_project=false"
    listed = f"/api/projects/{project}/file-uploads"

    def send(*files: tuple[str, Any]) -> Any:
        named = [(f"file{number}", file) for number, file in enumerate(files)]
        made = run("POST", load, files=named)
        run("GET", f"{listed}?all=true")
        return made

    many = [(f"{number}.png", b"%d" % number) for number in range(101)]
    ids = send(*many[:100])["file_upload_ids"]
    run("GET", f"{listed}?ids={json.dumps(ids)}")
    run("GET", f"{listed}?ids={json.dumps([*reversed(ids[:5]), 999999])}")
    run("DELETE", listed, {"file_upload_ids": ids})
    send(*many)
    send(("a.png", b"a"), ("b.xyz", b"b"), ("c.png", b"c"))
    send(("a.png", b"a"), ("b.csv", "text\nb\n"), ("c.png", b"c"))
    send(("a.csv", "x\na\n"), ("b.csv", "text\nb\n"))
    send(("a.png", b"a"), ("b.txt", "one\ntwo"), ("c.html", "<b>c</b>"), ("d.png", b""))
    send(("a.json", '[{"data": {"text": "a"}, "predictions": 5}]'), ("b.json", '{"text": "b"}'))
    send(("a.json", "[]"), ("b.txt", ""))
    run("POST", load, files=[("one", ("a.png", b"1")), ("one", ("b.png", b"2"))])
    run("GET", f"{listed}?all=true")
    run("DELETE", listed, None)
    send(*((name, content) for name in NAMES for content in (b"a", b"b")))
    send(("a.png.", b"a"))
    run("DELETE", listed, None)
    two = CONFIG.replace("</View>", '<Text name="u" value="$other"/></View>')
    run("PATCH", f"/api/projects/{project}/", {"label_config": two})
    send(("a.png", b"a"), ("b.png", b"b"))


def test_what_has_no_name_yet(run: Script, project: int) -> None:
    P, tasks = f"/api/projects/{project}/", f"/api/tasks/?project={project}&include=id,data"
    line = {"operator": "contains", "type": "String", "value": "o"}

    def look() -> None:
        run("GET", tasks)
        for name in ("text", "data", "$undefined$"):
            items = [{"filter": f"filter:tasks:data.{name}", **line}]
            query = {"filters": {"conjunction": "and", "items": items}}
            run("GET", f"{tasks}&query={json.dumps(query)}")
            run("GET", f"{tasks}&query={json.dumps({'ordering': [f'-tasks:data.{name}']})}")
        run("GET", f"/api/dm/columns/?project={project}")
        run("GET", f"{P}export?download_all_tasks=true")

    run("PATCH", P, {"label_config": "<View></View>"})
    ids = run("POST", P + "import?return_task_ids=1", files={"file": ("a.txt", "one\ntwo\nsix")})
    look()
    run("PATCH", P, {"label_config": TEXT})
    look()
    run("GET", f"/api/tasks/{ids['task_ids'][0]}/")
    run("PATCH", f"/api/tasks/{ids['task_ids'][0]}/", {"meta": {}})
    run("POST", "/api/tasks/", {"project": project, "data": {"text": "own"}})
    look()


# --- exports --------------------------------------------------------------------------------------


@pytest.fixture
def labelled(run: Script, project: int) -> list[int]:
    """Tasks with annotations of every kind, without any, and with awkward data."""
    usual, other = {"ground_truth": False}, {"result": [region(), region("B")], "lead_time": 2}
    data = {"text": "plain", "n": 1, "l": [1, {"a": "é/"}], "d": {"k": 1}, "b": True, "x": 0.5}
    items = [
        {
            "data": data,
            "meta": {"a": 1},
            "annotations": [
                {"result": [region()], **usual},
                {"result": [], "was_cancelled": True},
                other,
            ],
            "predictions": [{"result": [region("B")], "score": 0.5, "model_version": "m"}],
        },
        {"data": {"text": "no"}},
        {
            "data": {"text": "skipped"},
            "annotations": [{"result": [region("B")], "was_cancelled": True, **usual}],
        },
        {
            "data": {"text": 'gt, "q"\nline', "n": None, "c": "clash"},
            "annotations": [{"result": [region("B")]}],
        },
        {"data": {"text": "empty"}, "annotations": [{"result": [], **usual}]},
    ]
    ids: list[int] = run("POST", f"/api/projects/{project}/import?return_task_ids=1", items)[
        "task_ids"
    ]
    run("PATCH", f"/api/tasks/{ids[0]}/", {"meta": {}})
    run("POST", f"/api/tasks/{ids[1]}/drafts", {"result": [region()], "lead_time": 1.5})
    run("POST", f"/api/projects/{project}/import", files={"file": ("a.csv", "text\nx\n")})
    return ids


FORMATS = ("JSON", "JSON_MIN", "CSV", "TSV")


def test_export_formats(run: Script, project: int, labelled: list[int]) -> None:
    for kind in (*FORMATS, "csv", "BOGUS"):
        for query in ("", "&download_all_tasks=true", f"&ids[]={labelled[1]}&download_all_tasks=1"):
            run("GET", f"/api/projects/{project}/export?exportType={kind}{query}")
    run("PATCH", f"/api/projects/{project}/", {"label_config": "<View></View>"})
    for kind in FORMATS:
        run("GET", f"/api/projects/{project}/export?exportType={kind}")
        run("GET", f"/api/projects/{project}/export?exportType={kind}&ids[]=999999")


TAGS = {
    "text": '<Text name="o" value="$v"/>',
    "url": '<Text name="o" value="$v" valueType="url"/>',
    "image": '<Image name="o" value="$v"/>',
    "images": '<Image name="o" valueList="$v"/>',
    "audio": '<Audio name="o" value="$v"/>',
    "video": '<Video name="o" value="$v"/>',
    "other": '<Text name="p" value="$w"/>',
    "choices": '<Choices name="c" toName="o"><Choice value="A"/><Choice value="B"/></Choices>',
    "area": '<TextArea name="a" toName="o"/>',
    **{
        tag: f'<{tag} name="{tag}" toName="o"><Label value="A"/><Label value="B"/></{tag}>'
        for tag in (
            *("Labels", "RectangleLabels", "PolygonLabels", "KeyPointLabels", "BrushLabels"),
            *("TimelineLabels", "EllipseLabels"),
        )
    },
    **{tag: f'<{tag} name="{tag}" toName="o"/>' for tag in ("Rectangle", "Brush", "Polygon")},
}
CONFIGURATIONS = (
    *("", "text choices", "text area", "text Labels", "url Labels", "text other choices"),
    *("image choices", "image RectangleLabels", "image PolygonLabels", "image KeyPointLabels"),
    *("image KeyPointLabels RectangleLabels", "image BrushLabels", "image Rectangle Labels"),
    *("image Brush Labels", "image Polygon Labels", "image Rectangle", "image EllipseLabels"),
    *("image PolygonLabels KeyPointLabels", "images RectangleLabels", "images choices"),
    *("audio area", "audio Labels", "video TimelineLabels", "video TimelineLabels Labels"),
    *("images BrushLabels", "text image RectangleLabels", "images KeyPointLabels"),
)


@pytest.mark.parametrize("tags", CONFIGURATIONS)
def test_the_formats_of_a_configuration(run: Script, project: int, tags: str) -> None:
    config = "".join(TAGS[tag] for tag in tags.split())
    run("PATCH", f"/api/projects/{project}/", {"label_config": f"<View>{config}</View>"})
    run("GET", f"/api/projects/{project}/export/formats")
    run("GET", f"/api/projects/{project}/export?exportType=JSON")


def test_snapshots(run: Script, project: int, labelled: list[int]) -> None:
    E = f"/api/projects/{project}/exports/"
    run("GET", E)
    for body in (
        {},
        *({"title": title} for title in ("T x", "", None, "x" * 2049, 5)),
        {"id": 5, "status": "failed", "nosuch": 1, "md5": "x", "counters": {}},
        *({"created_by": who} for who in (5, {"id": 1}, {})),
        *({"converted_formats": formats} for formats in ([], "x", [{"export_type": "CSV"}])),
        [],
        *(
            {name: value}
            for name in ("task_filter_options", "serialization_options")
            for value in (5, None)
        ),
        *(
            {"task_filter_options": o}
            for o in ({"finished": "bogus"}, {"view": "x"}, {"view": None})
        ),
        {"task_filter_options": {"only_with_annotations": None, "finished": 1, "skipped": ""}},
        {"annotation_filter_options": {"usual": "x", "nosuch": 1}},
        {"serialization_options": {"drafts": 5, "predictions": {"only_id": "x"}}},
    ):
        run("POST", E, body)
    run("GET", E)
    run("GET", E[:-1])
    run("POST", "/api/projects/999999/exports/", {})
    run("GET", "/api/projects/999999/exports/")

    line = {
        "filter": "filter:tasks:data.text",
        "operator": "contains",
        "type": "String",
        "value": "p",
    }
    view = {"filters": {"conjunction": "and", "items": [line]}}
    broken = {
        "filters": {"conjunction": "and", "items": [{**line, "filter": "filter:tasks:nosuch"}]}
    }
    views = [
        run("POST", "/api/dm/views/", {"project": project, "data": data})["id"]
        for data in (view, broken)
    ]
    tasks: list[dict[str, Any]] = [
        {"only_with_annotations": True},
        {"only_with_annotations": False},
        {},
    ]
    tasks += [
        {name: value}
        for name in ("finished", "skipped", "annotated")
        for value in ("only", "exclude", None)
    ]
    tasks += [{"view": pk} for pk in (*views, 999999)]
    tasks.append({"finished": "only", "skipped": "exclude"})
    annotations = [
        *({}, {"usual": True}, {"usual": False}, {"usual": None}, {"ground_truth": True}),
        *({"usual": False, "ground_truth": True}, {"usual": False, "skipped": True}),
        {"usual": True, "ground_truth": True, "skipped": True},
    ]
    shown: list[dict[str, Any]] = [
        {name: value}
        for name in ("drafts", "predictions", "annotations__completed_by")
        for value in ({"only_id": True}, {"only_id": False}, {})
    ]
    shown.append({"interpolate_key_frames": True, "include_annotation_history": True})
    bodies = [
        *({"task_filter_options": options} for options in tasks),
        *({"annotation_filter_options": options} for options in annotations),
        *({"serialization_options": options} for options in shown),
        {
            "task_filter_options": {"only_with_annotations": True},
            "annotation_filter_options": {"usual": False, "ground_truth": True},
        },
    ]
    for body in bodies:
        made = run("POST", E, body)["id"]
        run("GET", f"{E}{made}/download")
    failed = f"{E}{run('POST', E, {'task_filter_options': {'view': views[1]}})['id']}"
    for step in (
        *(("GET", failed, None), ("POST", f"{failed}/convert", {"export_type": "CSV"})),
        *(("POST", f"{failed}/convert", {"export_type": "CSV"}), ("GET", failed, None)),
        ("GET", f"{failed}/download?exportType=CSV", None),
    ):
        run(*step)


def test_conversions_of_snapshots(run: Script, project: int, labelled: list[int]) -> None:
    E = f"/api/projects/{project}/exports/"
    everything: dict[str, Any] = {"predictions": {}, "annotations__completed_by": {}, "drafts": {}}
    made = run("POST", E, {"title": "one", "serialization_options": everything})["id"]
    one = f"{E}{made}"
    for kind in (*FORMATS, "csv", "", "BOGUS"):
        run("GET", f"{one}/download?exportType={kind}")
    run("GET", f"{one}/download?export_type=CSV")
    for body in (
        *({}, {"export_type": "CSV"}, {"export_type": "CSV"}, {"export_type": "BOGUS"}),
        *({"export_type": None}, {"export_type": "JSON"}, {"export_type": "JSON_MIN"}),
        {"export_type": "TSV", "download_resources": "x"},
        {"export_type": "TSV", "download_resources": True},
    ):
        run("POST", f"{one}/convert", body)
    for path in (one, f"{one}/", f"{E}999999", f"/api/projects/999999/exports/{made}"):
        run("GET", path)
    for path in (
        f"{one}/download/",
        f"{E}999999/download",
        f"/api/projects/1/exports/{made}/download",
    ):
        run("GET", path)
    run("POST", f"{one}/convert/", {"export_type": "TSV"})
    run("POST", f"{E}999999/convert", {"export_type": "TSV"})
    run("PATCH", one, {"title": "x"})
    run("DELETE", one)
    run("DELETE", one)
    run("GET", E)
    run("POST", f"/api/dm/actions/?project={project}&id=delete_tasks", {})
    made = run("POST", E, {})["id"]
    for kind in FORMATS:
        run("GET", f"{E}{made}/download?exportType={kind}")


# --- drafts ---------------------------------------------------------------------------------------


def test_drafts(run: Script, project: int) -> None:
    task, other = (
        run("POST", "/api/tasks/", {"project": project, "data": {"text": text}})["id"]
        for text in "ab"
    )
    D, A = f"/api/tasks/{task}/drafts", f"/api/tasks/{task}/annotations/"

    def look() -> None:
        run("GET", D)
        run("GET", f"/api/tasks/{task}/")

    for path in (D, f"{D}/", "/api/tasks/999999/drafts"):
        run("GET", path)
    more = {"user": "x", "task": other, "was_postponed": True, "import_id": 7, "nosuch": 1}
    for body in (
        *({}, [], {"result": [region()]}, {"result": None}, {"result": "[]"}, {"result": "x"}),
        *({"result": {}}, {"result": ["x"]}, {"result": [region()], "lead_time": "1.5", **more}),
        *(
            {"result": [], name: "x"}
            for name in ("lead_time", "was_postponed", "import_id", "task", "annotation")
        ),
        *({"result": [], name: 999999} for name in ("task", "annotation")),
        {"result": [], "task": None, "annotation": None},
    ):
        run("POST", D, body)
    run("POST", "/api/tasks/999999/drafts", {"result": []})
    drafts = [row["id"] for row in run("GET", D)]
    one = f"/api/drafts/{drafts[0]}/"
    for path in (one, one[:-1], "/api/drafts/999999/"):
        run("GET", path)
    for body in (
        *({}, {"result": [region("B")]}, {"lead_time": 3}, {"user": "me"}, {"task": other}),
        *({"was_postponed": True}, {"result": None}, {"import_id": 5}, {"task": task}),
    ):
        run("PATCH", one, body)
        look()
    run("PUT", one, {})
    run("PUT", one, {"result": []})
    for query in ("&fields=all", ""):
        run("GET", f"/api/tasks/?project={project}{query}")
    run("GET", f"/api/projects/{project}/export?download_all_tasks=true")
    annotation = run("POST", A, {"result": [region()], "draft_id": drafts[0]})["id"]
    run("GET", one)
    for path in (f"{A}{annotation}/drafts", f"{A}{annotation}/drafts/", f"{A}999999/drafts"):
        run("POST", path, {"result": [region("B")]})
    run("GET", f"{A}{annotation}/drafts")
    look()
    for draft in (999999, "x", None, drafts[-1]):
        run("POST", A, {"result": [], "draft_id": draft})
        look()
    run("POST", f"/api/tasks/{other}/annotations/", {"result": [], "draft_id": drafts[1]})
    run("PATCH", f"/api/annotations/{annotation}/", {"lead_time": 2})
    look()
    run("POST", f"{A}{annotation}/drafts", {"result": [region("B")]})
    run("POST", f"/api/annotations/{annotation}/convert-to-draft", {})
    run("POST", f"/api/annotations/{annotation}/convert-to-draft", {})
    look()
    chosen = {"selectedItems": {"all": False, "included": [task]}}
    run("POST", f"/api/dm/actions/?project={project}&id=delete_tasks_annotations", chosen)
    look()
    pk = run("POST", D, {"result": []})["id"]
    run("DELETE", f"/api/drafts/{pk}/")
    run("DELETE", f"/api/drafts/{pk}/")


# --- storages -------------------------------------------------------------------------------------

WIRE = {"local": "localfiles", "s3": "s3", "gcs": "gcs", "azure": "azure", "redis": "redis"}


class Both:
    """The same objects in a real place and in the fake's dict."""

    def __init__(self, kind: str, place: Place, fake: FakeLabelStudio) -> None:
        self.wire, self.place, self.fake = WIRE[kind], place, fake
        self.folder = f"f{uuid.uuid4().hex[:6]}"
        self.fields = place.fields(self.folder)
        fake.blobs.clear()
        fake.blobs[self._address("", 1)] = b""
        fake.blobs[self._address(f"{self.folder}/", 1)] = b""

    def _address(self, key: str, database: int) -> str:
        match self.place:
            case Disk(root):
                return f"localfiles://{root}/{key}"
            case S3():
                return f"s3://tests/{key}"
            case GCS():
                return f"gs://tests/{key}"
            case Azure():
                return f"azure-blob://tests/{key}"
            case Redis(port):
                return f"redis://127.0.0.1:{port}/{database}/{key}"
            case _:
                raise AssertionError(self.place)

    def put(self, name: str, content: Any, folder: str = "") -> None:
        self.place.put(f"{self.folder}{folder}", name, content)
        address = self._address(f"{self.folder}{folder}/{name}", 1)
        self.fake.blobs[address] = json.dumps(content).encode()

    def exported(self) -> list[dict[str, Any]]:
        """Return the objects on both, by name."""
        known = isinstance(self.place, Redis)
        start = self._address("" if known else f"{self.folder}/", 2)
        fake = {
            address.removeprefix(start): json.loads(content)
            for address, content in self.fake.blobs.items()
            if address.startswith(start) and content
        }
        names = set(self.place.names(self.folder)) if not known else fake
        return [{name: self.place.read(self.folder, name) for name in sorted(names)}, fake]


@pytest.fixture(params=[*WIRE])
def both(
    request: pytest.FixtureRequest, place: Callable[[str], Place], fake: FakeLabelStudio, disk: Disk
) -> Both:
    """Make a folder in a place of each type."""
    fake.local_files_root = str(disk.root)
    return Both(request.param, place(request.param), fake)


def test_storages(run: Script, project: int, both: Both) -> None:
    both.put("a.json", {"text": "a"})
    for base in ("/api/storages", "/api/storages/export"):
        export, S = base.endswith("export"), f"{base}/{both.wire}"
        for path in (
            S,
            f"{S}/",
            f"{S}?project=999999",
            f"{S}?project=x",
            f"{base}?project={project}",
        ):
            run("GET", path)
        run("GET", f"{base}/types")
        fields = {**both.fields, "project": project}
        made = []
        more: Any
        for more in (
            {},
            {
                "title": None,
                "description": "d",
                "regex_filter": ".*json",
                "nosuch": 1,
                "use_blob_urls": True,
                "recursive_scan": True,
                "synchronizable": False,
                "presign": False,
                "presign_ttl": 5,
                "last_sync_count": 7,
                "status": "failed",
                "traceback": "t",
                "meta": {"a": 1},
                "type": "zzz",
                "last_sync_job": "j",
                "created_at": "2020-01-01T00:00:00Z",
                "last_sync": "2020-01-01T00:00:00.5Z",
                "can_delete_objects": True,
            },
            *({"title": title} for title in ("x" * 257, 5)),
            *({"presign_ttl": n} for n in ("x", -1, 99999)),
            *({"last_sync_count": n} for n in ("x", -1)),
            *({name: None} for name in ("use_blob_urls", "recursive_scan", "project", "status")),
            *({"use_blob_urls": "maybe"}, {"status": "bogus"}, {"project": 999999}, {"db": "x"}),
            *({"regex_filter": "["}, {"id": 999999}),
            both.place.lost(),
            {"prefix": "nothing-here"},
        ):
            if export and more.get("regex_filter") == ".*json" and "meta" in more:
                more = {**more, "meta": {}}
            answer = run("POST", f"{S}{'' if export else '/'}", {**fields, **more})
            made += [answer["id"]] if "type" in answer else []
        body: Any
        for body in ({}, {"project": project}, []):
            run("POST", S, body)
        run("GET", f"{S}?project={project}")
        one = f"{S}/{made[0]}"
        for body in (
            *({}, {"title": "T"}, {**both.fields, "title": "T2"}, {"prefix": None}),
            {**both.fields, **both.place.lost()},
            {**both.fields, "project": 999999},
            {**both.fields, "project": None},
            {**both.fields, "status": "completed", "last_sync_count": 3, "traceback": "x"},
        ):
            run("PATCH", one, body)
            run("GET", one)
        run("PUT", one, {**fields, "title": "put"})
        run("PUT", one, {"title": "put"})
        for body in (
            *(fields, {"project": project}, {}, {"id": made[0]}, {**fields, "id": 999999}),
            {**fields, "id": made[0], "title": "validated"},
            {**fields, **both.place.lost()},
            {**fields, "prefix": "nothing-here"},
        ):
            run("POST", f"{S}/validate", body)
        run("GET", one)
        run("GET", f"{base}?project={project}")
        run("GET", f"{base}?project=x")
        run("GET", f"{one}/")
        run("POST", f"{S}/999999/sync")
        run("DELETE", one)
        for method in ("DELETE", "GET", "PATCH"):
            run(method, one, {} if method == "PATCH" else None)


def test_import_storages(run: Script, project: int, both: Both) -> None:
    S, tasks = f"/api/storages/{both.wire}", f"/api/tasks/?project={project}"
    inside = {
        "annotations": [{"result": [region()]}],
        "predictions": [{"result": [], "score": 0.5}],
    }
    both.put("a.json", [{"text": "x"}, {"data": {"text": "y"}, "meta": {"a": 1}, **inside}])
    if both.wire != "redis":  # which has its keys in no order
        both.put("b.json", {"text": "b"})
        both.put("z.txt", "plain")
        both.put("s.json", {"text": "sub"}, "/sub")

    def look() -> None:
        run("GET", f"{tasks}&fields=all")
        run("GET", f"{tasks}&include=id,data,storage_filename&resolve_uri=false")

    def read(again: bool = False, **more: Any) -> int:
        made = run("POST", S, {**both.fields, "project": project, **more})["id"]
        for _ in range(1 + again):
            run("POST", f"{S}/{made}/sync", {})
            run("GET", f"{S}/{made}")
        look()
        return int(made)

    first = read(regex_filter=r".*\.json", again=True)
    for regex in ("a.json", ".*a.json", "["):
        read(regex_filter=regex)
    read(regex_filter=r".*\.json", recursive_scan=True)
    read(use_blob_urls=True)
    read()
    read(synchronizable=False)
    line = {"filter": "filter:tasks:storage_filename", "operator": "contains", "type": "String"}
    items = {"conjunction": "and", "items": [{**line, "value": "a.json"}]}
    run("GET", f"{tasks}&query={json.dumps({'filters': items})}")
    for task in run("GET", f"{tasks}&include=id")["tasks"]:
        run("GET", f"/api/tasks/{task['id']}/")
    run("GET", f"/api/projects/{project}/")
    run("GET", f"/api/dm/columns/?project={project}")
    run("GET", f"/api/projects/{project}/export?download_all_tasks=true")
    run("DELETE", f"{S}/{first}")
    look()


def test_what_import_storages_read(run: Script, project: int, both: Both) -> None:
    S = f"/api/storages/{both.wire}"
    good = {"data": {"text": "q"}}
    for content in (
        *({"nottext": 1}, [], [1], 5, "text", {"data": [1]}, {"data": None}, {"$undefined$": "u"}),
        *([{"text": "before"}, 1], {"text": "q", "annotations": [{"result": []}]}),
        {**good, "annotations": [{"nores": 1}]},
        {**good, "annotations": [{"result": [], "completed_by": 1, "ground_truth": True}]},
        {**good, "annotations": [{"result": [], "was_cancelled": True}]},
        {**good, "annotations": [{"result": []}, {"result": [], "completed_by": 999}]},
        {**good, "predictions": [{"nores": 1}, {"result": []}]},
        {**good, "predictions": [{"result": [region()], "score": 0.5, "model_version": "m"}]},
        {**good, "allow_skip": False, "meta": {"a": 1}, "inner_id": 99},
    ):
        both.put("1.json", content)
        made = run("POST", S, {**both.fields, "project": project})["id"]
        run("POST", f"{S}/{made}/sync", {})
        run("GET", f"/api/tasks/?project={project}&fields=all")
        run("GET", f"/api/projects/{project}/export?download_all_tasks=true")
        run("POST", f"/api/dm/actions/?project={project}&id=delete_tasks", {})


def test_export_storages(run: Script, project: int, both: Both) -> None:
    S = f"/api/storages/export/{both.wire}"
    # A real server that has deleted a project may no longer notice that an annotation is deleted
    # (it caches that nobody listens, while it lets nobody listen); this action wakes it up.
    run("POST", f"/api/dm/actions/?project={project}&id=delete_tasks", {})
    task = run("POST", "/api/tasks/", {"project": project, "data": {"text": "a"}})["id"]
    A = f"/api/tasks/{task}/annotations/"
    first = run("POST", A, {"result": [region()]})["id"]

    def look(what: str) -> None:
        run.same(f"objects after {what}", *both.exported())

    made = run("POST", S, {**both.fields, "project": project, "title": "E"})["id"]
    one = f"{S}/{made}"
    run("GET", one)
    look("the storage was created")
    second = run("POST", A, {"result": []})["id"]
    look("an annotation was created")
    run("PATCH", f"/api/annotations/{second}/", {"lead_time": 5})
    look("an annotation was changed")
    item = {"data": {"text": "i"}, "annotations": [{"result": []}]}
    run("POST", f"/api/projects/{project}/import", [item])
    look("an import")
    run("DELETE", f"/api/annotations/{second}/")
    look("an annotation was deleted")
    run("POST", f"{one}/sync", {})
    run("GET", one)
    look("a sync")
    run("PATCH", one, {**both.fields, "can_delete_objects": True})
    run("DELETE", f"/api/annotations/{first}/")
    look("an annotation was deleted with its object")
    third = run("POST", A, {"result": []})["id"]
    run("POST", f"/api/annotations/{third}/convert-to-draft")
    look("an annotation became a draft")
    run("POST", A, {"result": []})
    run("POST", f"/api/dm/actions/?project={project}&id=delete_tasks_annotations", {})
    look("the action delete_tasks_annotations")
    run("POST", A, {"result": []})
    run("DELETE", f"/api/tasks/{task}/")
    look("a task was deleted")
    run("GET", f"/api/storages/export?project={project}")


# --- ML backends ----------------------------------------------------------------------------------

SENTIMENT = (
    '<View><Text name="text" value="$text"/><Choices name="sentiment" toName="text">'
    '<Choice value="Positive"/><Choice value="Negative"/></Choices></View>'
)


@pytest.fixture
def model(ml_service: MLBackendService, fake: FakeLabelStudio) -> MLBackendService:
    """Start a backend that both servers reach."""

    def predict(tasks: list[Any]) -> list[Any]:
        found: list[Any] = ml_service.predict({"tasks": tasks})["results"]
        return found

    versions = (ml_service.version, "words-0")
    fake.models = {ml_service.url: Model(predict, ml_service.version, versions)}
    return ml_service


def test_ml_backends(run: Script, project: int, model: MLBackendService) -> None:
    url, P = model.url, f"/api/projects/{project}/"
    run("PATCH", P, {"label_config": SENTIMENT})
    for path in (
        "/api/ml/",
        "/api/ml?project=999999",
        "/api/ml/?project=x",
        f"/api/ml?project={project}",
    ):
        run("GET", path)
    body: Any
    for body in ({}, {"url": url}, {"project": project}, []):
        run("POST", "/api/ml/", body)
    basic = {"auth_method": "BASIC_AUTH", "basic_auth_user": "u", "basic_auth_pass": "p"}
    made = []
    more: Any
    for more in (
        *(
            {"url": other}
            for other in ("http://127.0.0.1:1", "http://127.0.0.1:1/x/", "x", "", None)
        ),
        *({"project": 999999}, {"auth_method": "BASIC_AUTH"}, {"auth_method": "zzz"}),
        *({"basic_auth_pass": ""}, {"timeout": "x"}, {"timeout": None}, {"is_interactive": None}),
        {"title": "M", "is_interactive": True, "extra_params": {"a": 1}, "timeout": 5, **basic},
        {
            "description": "d",
            "model_version": "zz",
            "state": "ER",
            "error_message": "e",
            "nosuch": 1,
        },
        {"extra_params": '{"a": 1}', "title": None},
        {"auto_update": False, "model_version": "mine"},
    ):
        answer = run("POST", "/api/ml/", {"url": url, "project": project, **more})
        made += [answer["id"]] if "state" in answer else []
        run("GET", P)
    run("GET", f"/api/webhooks/?project={project}")
    for query in ("", *(f"&is_interactive={value}" for value in ("true", "True", "0", "no", ""))):
        run("GET", f"/api/ml/?project={project}{query}")
    one = f"/api/ml/{made[0]}"
    for path in (one, f"{one}/", "/api/ml/999999", f"{one}/versions", f"{one}/versions/"):
        run("GET", path)
    run("GET", "/api/ml/999999/versions")
    whole = {"url": url, "project": project}
    for body in (
        *({}, {"title": "T"}, {"url": url}, whole, {**whole, "title": "T2"}, {**whole, "url": "x"}),
        *({**whole, "url": "http://127.0.0.1:1"}, {**whole, "basic_auth_pass": ""}),
        *(
            {**whole, "auth_method": "BASIC_AUTH"},
            {**whole, **basic},
            {**whole, "description": None},
        ),
        *({**whole, "auto_update": False, "model_version": "my"}, {**whole, "auto_update": True}),
    ):
        run("PATCH", one, body)
        run("GET", P)
    run("PUT", one, {"title": "x"})
    run("PUT", one, whole)
    for version in ("T2", "nosuch", ""):
        run("PATCH", P, {"model_version": version})
    run("PATCH", P, {"model_version": "T2"})
    run("POST", f"{one}/train", {})
    run("POST", f"{one}/train", {"use_ground_truth": True})
    run("POST", f"{one}/train/")
    run("POST", "/api/ml/999999/train")
    run("DELETE", one)
    run("DELETE", one)
    run("GET", P)
    run("PATCH", one, whole)


def test_predictions_of_ml_backends(
    run: Script, project: int, model: MLBackendService, fake: FakeLabelStudio
) -> None:
    run("PATCH", f"/api/projects/{project}/", {"label_config": SENTIMENT})
    items = [{"text": text} for text in ("good", "bad", "so good")]
    tasks = run("POST", f"/api/projects/{project}/import?return_task_ids=1", items)["task_ids"]
    act = f"/api/dm/actions/?project={project}&id=retrieve_tasks_predictions"
    some = {"selectedItems": {"all": False, "included": tasks[:1]}}

    def look() -> None:
        run("GET", f"/api/predictions/?project={project}")
        run("GET", f"/api/tasks/?project={project}&fields=all")
        run("GET", f"/api/projects/{project}/")

    run("POST", act, some)  # without a backend
    look()
    body: Any = {"url": model.url, "project": project, "title": "words", "is_interactive": True}
    one = f"/api/ml/{run('POST', '/api/ml/', body)['id']}"
    for selection in (some, {}, {}):
        run("POST", act, selection)
        look()
    # who looks at a task without predictions gets some
    items = [{"text": "so so"}, {"text": "bad, bad"}]
    late = run("POST", f"/api/projects/{project}/import?return_task_ids=1", items)["task_ids"]
    run("GET", f"/api/tasks/{late[0]}/")
    run("GET", f"/api/tasks/{late[0]}/")
    run("PATCH", f"/api/projects/{project}/", {"show_collab_predictions": False})
    run("GET", f"/api/tasks/{late[1]}/")
    run("PATCH", f"/api/projects/{project}/", {"show_collab_predictions": True})
    look()
    for body in (
        *({}, {"task": tasks[0]}, {"task": tasks[0], "context": {"a": 1}}, {"task": 999999}),
        *({"task": "x"}, {"task": tasks[1], "context": None}),
    ):
        run("POST", f"{one}/interactive-annotating", body)
    run("POST", f"{one}/predict/test")
    run("PATCH", one, {"url": model.url, "project": project, "is_interactive": False})
    run("POST", f"{one}/interactive-annotating", {"task": tasks[0]})
    run("PATCH", one, {"url": model.url, "project": project, "is_interactive": True})
    # and now it is down
    model.__exit__()
    fake.models.clear()
    for path in (one, f"/api/ml/?project={project}", f"{one}/versions"):
        run("GET", path)
    run("POST", f"{one}/train", {})
    run("GET", one)
    run("POST", f"{one}/interactive-annotating", {"task": tasks[0]})
    run("POST", act, {})
    run("GET", f"/api/tasks/{late[1]}/")
    look()
    model.__enter__()
