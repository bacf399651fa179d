"""FakeLabelStudio of the Enterprise edition, without the ORM: it keeps to the contract."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest
import requests
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from labelstudio_orm.testing import FakeLabelStudio
from labelstudio_orm.testing.fake._checks import contract
from labelstudio_orm.testing.fake._checks.contract import Operation

ENTERPRISE = [
    each
    for each in contract.operations().values()
    if each.edition == "enterprise" and each.reference
]
TEXT = "a text"

# What the contract's types lack though there are paths with it, or bodies.
UNTYPED = {"id", "can_delete_objects"}


def wrong(kind: str, value: Any) -> str | None:
    """Return why a value is not of a type of the contract; None when it is."""
    bad = f"{value!r} is not {kind}"
    if kind == "unknown":
        return None
    if kind == "datetime":
        try:
            datetime.fromisoformat(value.replace("Z", "+00:00"))
        except (AttributeError, ValueError):
            return bad
        return None
    if kind.startswith(("list<", "map<")):
        python, inner = (list, kind[5:-1]) if kind[0] == "l" else (dict, kind.split(", ")[1][:-1])
        if not isinstance(value, python):
            return bad
        items = value.values() if isinstance(value, dict) else value
        return next((problem for item in items if (problem := wrong(inner, item))), None)
    scalars: dict[str, Any] = {
        "string": str, "integer": int, "double": (int, float), "boolean": bool,
    }  # fmt: skip
    if kind in scalars:
        fine = isinstance(value, scalars[kind]) and isinstance(value, bool) == (kind == "boolean")
        return None if fine else bad
    named = contract.types()[kind]
    if named.enum:
        return None if value in named.enum else bad
    if named.union:
        return bad if all(wrong(member, value) for member in named.union) else None
    if named.alias:
        return wrong(named.alias, value)
    if not isinstance(value, dict):
        return bad
    members = named.fields or {}
    if unknown := value.keys() - members.keys() - UNTYPED:
        return f"{kind} has no {unknown}"
    for name, member in members.items():
        if value.get(name) is None:
            if member.required:
                return f"{kind} lacks {name}"
        elif problem := wrong(member.type, value[name]):
            return f"{kind}.{name}: {problem}"
    return None


@define
class Server:
    """An Enterprise server with a row of every kind, the ids of the rows, and valid bodies."""

    is_newest: bool = False
    fake: FakeLabelStudio = field(init=False)
    session: requests.Session = field(init=False)
    places: dict[str, dict[str, Any]] = field(init=False)
    bodies: dict[str, dict[str, Any]] = field(init=False)
    queries: dict[str, dict[str, Any]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.fake = FakeLabelStudio(edition="Enterprise", is_newest=self.is_newest)
        self.session = self.fake.session()
        self.session.headers["Authorization"] = f"Token {self.fake.api_key}"
        project = self.make("/api/projects/", title="project")
        task = self.make("/api/tasks/", project=project, data={"text": TEXT})
        annotation = self.make(f"/api/tasks/{task}/annotations/", result=[])
        user = self.make("/api/users/", username="two", email="two@example.com")
        provider = {"provider": "OpenAI", "api_key": "sk-1"}
        prompt = {"title": TEXT, "input_fields": ["text"], "output_classes": ["good", "bad"]}
        version = {"title": TEXT, "prompt": "Say good or bad", "provider": "OpenAI"}
        version["provider_model_id"] = "gpt"
        run = {"project": project, "project_subset": "All"}
        pause = {"reason": "MANUAL"}
        bucket = {"project": project, "bucket": "b", "role_arn": "arn:1"}
        comment = {"annotation": annotation, "text": TEXT}
        prompts = self.make("/api/prompts/", **prompt)
        versions = self.make(f"/api/prompts/{prompts}/versions", **version)
        at_version = f"/api/prompts/{prompts}/versions/{versions}"
        providers = self.make("/api/model-provider-connections/", **provider)
        refining: dict[str, Any] = {
            "teacher_model_provider_connection_id": providers,
            "project_id": project,
        }
        refining["teacher_model_name"] = "large"
        runs = self.make(f"{at_version}/inference-runs", **run)
        job = self.session.post(f"{self.fake.url}{at_version}/refine?async=true", json=refining)
        workspace = self.make("/api/workspaces", title=TEXT)
        self.ask("POST", f"/api/workspaces/{workspace}/memberships", {"user": user})
        pauses = f"/api/projects/{project}/members/{user}/pauses"
        self.places = {
            "annotations": {},
            "comments": {"id": self.make("/api/comments/", **comment)},
            "prompts": {"id": prompts},
            "prompts.versions": {"id": prompts, "prompt_id": prompts, "version_id": versions},
            "prompts.runs": {"id": prompts, "prompt_id": prompts, "version_id": versions},
            "prompts.indicators": {"pk": runs, "id": runs, "indicator_key": "cost"},
            "model_providers": {"pk": providers, "id": providers},
            "workspaces": {"id": workspace},
            "workspaces.members": {"id": workspace},
            "projects.pauses": {
                "project_pk": project, "user_pk": user, "id": self.make(pauses, **pause),
            },
            "import_storage.s3s": {"id": self.make("/api/storages/s3s", **bucket)},
            "export_storage.s3s": {"id": self.make("/api/storages/export/s3s", **bucket)},
        }  # fmt: skip
        result = {"task_id": task, "output": {"label": "good"}, "total_cost_usd": 0.5}
        failure = {"task_id": task, "error_type": "timeout", "message": TEXT}
        self.bodies = {
            "annotations.create_bulk": {"tasks": [task], "result": [], "lead_time": 1.5},
            "comments.create": comment,
            "comments.update": {"is_resolved": True},
            "prompts.create": prompt,
            "prompts.update": {"title": "other", "associated_projects": [project]},
            "prompts.batch_predictions": {"modelrun_id": runs, "results": [result]},
            "prompts.batch_failed_predictions": {
                "modelrun_id": runs, "failed_predictions": [failure],
            },
            "prompts.versions.create": version,
            "prompts.versions.update": {"model_provider_connection": providers},
            "prompts.versions.refine_prompt": refining,
            "prompts.runs.create": run,
            "model_providers.create": provider,
            "model_providers.update": {"budget_alert_threshold": 5},
            "workspaces.create": {"title": TEXT},
            "workspaces.update": {"is_archived": True},
            "workspaces.members.create": {"user": 1},
            "workspaces.members.delete": {"user": user},
            "projects.pauses.create": pause,
            "projects.pauses.update": {"verbose_reason": TEXT},
            **{
                f"{family}.s3s.{method}": bucket
                for family in ("import_storage", "export_storage")
                for method in ("create", "update", "validate")
            },
        }  # fmt: skip
        self.queries = {
            "comments.list": {"project": project, "annotation": annotation},
            "projects.pauses.list": {"include_deleted": "true"},
            "prompts.runs.list": run,
            "prompts.versions.cost_estimate": {"project_id": project, "project_subset": "All"},
            "prompts.versions.get_refined_prompt": {
                "refinement_job_id": job.json()["refinement_job_id"]
            },
            "import_storage.s3s.list": {"project": project},
            "export_storage.s3s.list": {"project": project},
        }
        if self.is_newest:
            self.queries["comments.list"] = {"projects": str(project), "annotation": annotation}
            self.queries["workspaces.members.delete"] = {"user_id": user}
            del self.bodies["workspaces.members.delete"]

    def ask(
        self, verb: str, path: str, body: Any = None, query: dict[str, Any] | None = None
    ) -> requests.Response:
        """Send a request."""
        return self.session.request(verb, self.fake.url + path, json=body, params=query)

    def make(self, path: str, **body: Any) -> int:
        """Make a row and return its id."""
        answer = self.ask("POST", path, body)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def path(self, operation: Operation) -> str:
        """Return the path of an operation on the rows of this server."""
        return operation.path.format(**self.places[operation.name.rpartition(".")[0]])

    def run(self, operation: Operation, **changes: Any) -> requests.Response:
        """Send a valid request of an operation, with another ``body`` or ``query`` if given."""
        sent = {
            "body": self.bodies.get(operation.name),
            "query": self.queries.get(operation.name),
            **changes,
        }
        return self.ask(operation.verb, self.path(operation), **sent)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture(scope="module")
def shared() -> Server:
    """One server for all requests that it refuses, which change nothing."""
    return Server()


def refused(answer: requests.Response) -> Any:
    """Return the errors by field in the server's usual envelope."""
    assert answer.status_code == 400, answer.text
    envelope = answer.json()
    assert (envelope["status_code"], envelope["detail"]) == (400, "Validation error")
    return envelope["validation_errors"]


def each(operations: list[Operation]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("operation", operations, ids=lambda each: each.name)


def parts(place: str, operations: list[Operation] = ENTERPRISE) -> pytest.MarkDecorator:
    """Return a parameter for each field of a body, or for each name of a query."""
    chosen = [
        pytest.param(each, name, id=f"{each.name} {name}")
        for each in operations
        for name in getattr(each, place) or ()
    ]
    return pytest.mark.parametrize(("operation", "name"), chosen)


# --- the contract ---------------------------------------------------------------------------------


def test_the_contract_finds_the_operation_of_a_request() -> None:
    for each in contract.operations().values():
        path = re.sub(r"\{(filename|indicator_key)\}", "a-b.csv", each.path)
        path = path.replace("{entity_name}", "task")
        path = re.sub(r"\{\w+\}", "7", path)
        assert contract.match(each.verb, path) == each.name
        if path.endswith("/"):
            assert contract.match(each.verb, path[:-1]) is not None
        elif not path.endswith("a-b.csv"):
            assert contract.match(each.verb, path + "/") != each.name
    assert contract.match("GET", "/api/storages/types") == "import_storage.list_types"
    assert contract.match("GET", "/data/upload/3/a-b.csv") == "files.download"
    assert contract.match("GET", "/api/tasks/x/") is None
    assert len(contract.operations()) == 223


def test_every_type_that_the_contract_names_is_there() -> None:
    texts = [each.answer for each in contract.operations().values()]
    for operation in contract.operations().values():
        texts += [p.type for p in [*operation.query.values(), *(operation.body or {}).values()]]
    for named in contract.types().values():
        texts += [member.type for member in (named.fields or {}).values()]
        texts += [*(named.union or ()), named.alias]
    plain = {"string", "integer", "double", "boolean", "datetime", "unknown", "file", "list", "map"}
    used = {word for text in texts if text for word in re.findall(r"[\w.]+", text)}
    assert used - plain == contract.types().keys() & used


# --- what is accepted -----------------------------------------------------------------------------


@each(ENTERPRISE)
def test_every_operation_answers_what_the_contract_says(
    server: Server, operation: Operation
) -> None:
    answer = server.run(operation)
    assert answer.status_code == operation.status, answer.text
    if operation.answer is None:
        assert answer.content == b""
        return
    kind = f"list<{operation.answer}>" if operation.answer_is_list else operation.answer
    assert wrong(kind, answer.json()) is None
    assert not operation.answer_is_list or answer.json()


@each(list(contract.newest().values()))
def test_every_operation_answers_what_the_newest_client_expects(operation: Operation) -> None:
    server = Server(is_newest=True)
    answer = server.run(operation)
    assert answer.status_code == operation.status, answer.text
    if operation.answer is None:
        assert answer.content == b""
        return
    rows = answer.json()
    if operation.items:
        assert rows["count"] == len(rows[operation.items])
        rows = rows[operation.items]
    is_list = operation.answer_is_list or operation.items
    assert wrong(f"list<{operation.answer}>" if is_list else operation.answer, rows) is None
    assert rows or not is_list


def test_what_only_the_other_form_has_is_ignored() -> None:
    """As a server ignores it; what neither has is refused."""
    old, new = Server(), Server(is_newest=True)
    assert len(old.ask("GET", "/api/comments/", query={"projects": "99"}).json()) == 1
    assert len(new.ask("GET", "/api/comments/", query={"project": "99"}).json()) == 1
    made = new.ask("POST", "/api/workspaces/", {"title": TEXT, "is_public": True})
    assert (made.status_code, "is_public" in made.json()) == (201, False)
    comment = f"/api/comments/{new.places['comments']['id']}"
    assert old.ask("GET", f"{comment}/").status_code == 404  # it has no slash at its end
    assert new.ask("GET", comment).status_code == 200


def test_every_kind_of_rows_has_an_id(server: Server) -> None:
    gets = [each for each in ENTERPRISE if each.name.endswith(".get") and "_key" not in each.path]
    for operation in gets:
        group = operation.name.rpartition(".")[0]
        own = re.findall(r"\{(\w+)\}", operation.path)[-1]
        assert server.run(operation).json()["id"] == server.places[group][own]
    assert len(gets) == 8


@each([each for each in ENTERPRISE if each.verb == "PATCH"])
def test_what_is_written_is_read(server: Server, operation: Operation) -> None:
    sent = server.bodies[operation.name]
    written = server.run(operation).json()
    read = server.ask("GET", server.path(operation)).json()
    assert read == written
    assert {name: read[name] for name in sent} == sent


def test_what_the_server_gives_is_not_taken_from_others(server: Server) -> None:
    body = {**server.bodies["prompts.create"], "created_by": 77, "organization": 9}
    body["created_at"] = "2001-01-01T00:00:00Z"
    prompt = server.ask("POST", "/api/prompts/", body).json()
    assert (prompt["created_by"], prompt["organization"]) == (1, 1)
    assert prompt["created_at"] == prompt["updated_at"] > "2002"
    assert refused(server.ask("POST", "/api/prompts/", {**body, "id": 5})) == {
        "id": ["Unknown field."]
    }


# --- what is refused ------------------------------------------------------------------------------

WRITING = [each for each in ENTERPRISE if each.verb != "GET"]
JSON = st.one_of(
    st.text(max_size=5),
    st.integers(-9, 9),
    st.floats(allow_nan=False, allow_infinity=False, width=16),
    st.booleans(),
    st.lists(st.integers(0, 9) | st.text(max_size=2), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2),
)


@each(WRITING)
def test_an_unknown_field_is_refused(shared: Server, operation: Operation) -> None:
    body = {**shared.bodies.get(operation.name, {}), "nosuch": 1}
    assert refused(shared.run(operation, body=body)) == {"nosuch": ["Unknown field."]}


@each(WRITING)
def test_a_body_that_is_no_object_is_refused(shared: Server, operation: Operation) -> None:
    text = "Invalid data. Expected a dictionary, but got list."
    assert refused(shared.run(operation, body=[1])) == {"non_field_errors": [text]}


@each(ENTERPRISE)
def test_an_unknown_parameter_is_refused(shared: Server, operation: Operation) -> None:
    query = {**shared.queries.get(operation.name, {}), "nosuch": 1}
    assert refused(shared.run(operation, query=query)) == {"nosuch": ["Unknown field."]}


@pytest.mark.slow
@parts("body")
@settings(max_examples=10)
@given(data=st.data())
def test_a_value_of_a_wrong_type_is_refused(
    shared: Server, operation: Operation, name: str, data: st.DataObject
) -> None:
    assert operation.body is not None
    kind = operation.body[name].type
    value = data.draw(JSON.filter(lambda value: wrong(kind, value) is not None))
    body = {**shared.bodies[operation.name], name: value}
    assert list(refused(shared.run(operation, body=body))) == [name]


@parts("query")
def test_a_wrong_parameter_is_refused(shared: Server, operation: Operation, name: str) -> None:
    if operation.query[name].type == "string":
        answer = shared.run(operation, query={name: "nosuch"})
        assert answer.status_code == 404
        return
    query = {**shared.queries.get(operation.name, {}), name: "x"}
    assert list(refused(shared.run(operation, query=query))) == [name]


def test_what_is_required_is_required(server: Server) -> None:
    """By the contract's bodies, and where an answer needs what only the body can give."""
    found = set()
    for operation in WRITING:
        if operation.name == "annotations.create_bulk":
            continue  # needs tasks or a selection of them
        body = server.bodies.get(operation.name, {})
        for name in body:
            without = {key: value for key, value in body.items() if key != name}
            answer = server.run(operation, body=without)
            if answer.status_code != operation.status:
                assert refused(answer) == {name: ["This field is required."]}
                null = server.run(operation, body={**body, name: None})
                assert refused(null) == {name: ["This field may not be null."]}
                found.add(f"{operation.name} {name}")
            server = Server()
    said = {
        f"{operation.name} {name}"
        for operation in ENTERPRISE
        for name, parameter in (operation.body or {}).items()
        if parameter.required and operation.verb != "PATCH"
    }
    assert said <= found
    assert found - said == {
        "comments.create annotation",
        "comments.create text",
        "prompts.batch_failed_predictions failed_predictions",
        "prompts.batch_failed_predictions modelrun_id",
        "prompts.batch_predictions modelrun_id",
        "prompts.batch_predictions results",
        "workspaces.members.create user",
        "workspaces.members.delete user",
        *(
            f"{family}.s3s.{method} project"
            for family in ("import_storage", "export_storage")
            for method in ("create", "validate")
        ),
    }


@parts("query", [each for each in ENTERPRISE if any(p.required for p in each.query.values())])
def test_a_required_parameter_is_required(server: Server, operation: Operation, name: str) -> None:
    query = {k: v for k, v in server.queries.get(operation.name, {}).items() if k != name}
    answer = server.run(operation, query=query)
    if operation.query[name].required:
        assert refused(answer) == {name: ["This field is required."]}
    else:
        assert answer.status_code == operation.status


@pytest.mark.parametrize(
    ("operation", "body", "errors"),
    [
        ("comments.create", {"annotation": 99}, "annotation"),
        ("comments.create", {"project": 99}, "project"),
        ("prompts.create", {"associated_projects": [99]}, "associated_projects"),
        ("prompts.create", {"associated_projects": [{"id": 99}]}, "associated_projects"),
        ("prompts.versions.create", {"parent_model": 99}, "parent_model"),
        ("prompts.versions.update", {"model_provider_connection": 99}, "model_provider_connection"),
        ("prompts.runs.create", {"project": 99}, "project"),
        ("prompts.batch_predictions", {"modelrun_id": 99}, "modelrun_id"),
        ("prompts.batch_predictions", {"results": [{"task_id": 99}]}, "results"),
        ("prompts.versions.refine_prompt", {"project_id": 99}, "project_id"),
        ("workspaces.members.create", {"user": 99}, "user"),
        ("import_storage.s3s.create", {"project": 99}, "project"),
        ("export_storage.s3s.validate", {"project": 99}, "project"),
        ("annotations.create_bulk", {"tasks": [99]}, "tasks"),
        ("annotations.create_bulk", {"project": 99}, "project"),
    ],
)
def test_what_a_body_refers_to_exists(
    shared: Server, operation: str, body: dict[str, Any], errors: str
) -> None:
    row = contract.operation(operation)
    answer = shared.run(row, body={**shared.bodies[operation], **body})
    assert list(refused(answer)) == [errors]


def test_errors_inside_of_lists_say_where(shared: Server) -> None:
    row = contract.operation("prompts.batch_predictions")
    items = [*shared.bodies[row.name]["results"], {"task_id": "x", "nosuch": 1}]
    errors = refused(shared.run(row, body={"modelrun_id": 1, "results": items}))
    unknown, integer = ["Unknown field."], ["A valid integer is required."]
    assert errors == {"results": {"1": {"task_id": integer, "nosuch": unknown}}}


@each([each for each in ENTERPRISE if "{" in each.path])
def test_what_a_path_names_exists(server: Server, operation: Operation) -> None:
    for name in re.findall(r"\{(\w+)\}", operation.path):
        group = operation.name.rpartition(".")[0]
        before = server.places[group]
        server.places[group] = {**before, name: "nosuch" if name.endswith("_key") else 99}
        answer = server.run(operation)
        server.places[group] = before
        assert answer.status_code == 404
        assert answer.json()["detail"].endswith("matches the given query.")


def test_a_row_is_found_below_its_own_owners_only(server: Server) -> None:
    version = server.places["prompts.versions"]["version_id"]
    other = server.make("/api/prompts/", **server.bodies["prompts.create"])
    assert server.ask("GET", f"/api/prompts/{other}/versions/{version}").status_code == 404
    assert server.ask("GET", f"/api/prompts/{other}/versions").json() == []


# --- life cycles ----------------------------------------------------------------------------------


def counters(server: Server) -> tuple[int, int]:
    task = server.ask("GET", "/api/tasks/1/").json()
    return task["comment_count"], task["unresolved_comment_count"]


def test_tasks_count_their_comments(server: Server) -> None:
    assert counters(server) == (1, 1)
    second = server.make("/api/comments/", annotation=1, text="two")
    assert counters(server) == (2, 2)
    solved = server.ask("PATCH", f"/api/comments/{second}", {"is_resolved": True}).json()
    assert solved["resolved_at"] == solved["updated_at"]
    assert counters(server) == (2, 1)
    assert (
        server.ask("GET", "/api/tasks/1/").json()["last_comment_updated_at"]
        == (solved["updated_at"])
    )
    open_again = server.ask("PATCH", f"/api/comments/{second}", {"is_resolved": False}).json()
    assert open_again["resolved_at"] is None
    server.ask("DELETE", f"/api/comments/{second}")
    assert counters(server) == (1, 1)
    server.ask("DELETE", "/api/annotations/1/")
    assert counters(server) == (0, 0)
    assert server.ask("GET", "/api/comments/").json() == []


def test_a_comment_that_moves_is_counted_where_it_is(server: Server) -> None:
    task = server.make("/api/tasks/", project=1, data={"text": TEXT})
    annotation = server.make(f"/api/tasks/{task}/annotations/", result=[])
    moved = {"annotation": annotation, "is_resolved": None}
    comment = server.ask("PATCH", server.path(contract.operation("comments.update")), moved).json()
    assert (comment["task"], comment["is_resolved"]) == (task, False)
    assert counters(server) == (0, 0)
    other = server.ask("GET", f"/api/tasks/{task}/").json()
    assert (other["comment_count"], other["unresolved_comment_count"]) == (1, 1)


def test_comments_show_their_authors_on_demand(server: Server) -> None:
    plain = server.ask("GET", "/api/comments/").json()
    full = server.ask("GET", "/api/comments/", query={"expand_created_by": "true"}).json()
    assert plain[0]["created_by"] == 1
    assert full[0]["created_by"]["email"] == "user@example.com"


def test_comments_are_filtered(server: Server) -> None:
    project = server.make("/api/projects/", title="other")
    task = server.make("/api/tasks/", project=project, data={"text": TEXT})
    annotation = server.make(f"/api/tasks/{task}/annotations/", result=[])
    comment = server.make("/api/comments/", annotation=annotation, text=TEXT)

    def found(**query: int) -> list[int]:
        return [row["id"] for row in server.ask("GET", "/api/comments/", query=query).json()]

    first = server.places["comments"]["id"]
    assert found() == [first, comment]
    assert found(project=project) == found(annotation=annotation) == [comment]
    assert found(project=1, annotation=annotation) == []
    elsewhere = {"annotation": annotation, "project": 1, "text": TEXT}
    assert list(refused(server.ask("POST", "/api/comments/", elsewhere))) == ["project"]


def test_everything_of_a_project_goes_with_it(server: Server) -> None:
    gone = ("comments", "projects.pauses", "import_storage.s3s", "export_storage.s3s")
    run = contract.operation("prompts.indicators.list")
    paths = [server.path(contract.operation(f"{group}.get")) for group in gone]
    assert server.ask("DELETE", "/api/projects/1/").status_code == 204
    for path in [*paths, server.path(run)]:
        assert server.ask("GET", path).status_code == 404
    assert server.run(contract.operation("prompts.versions.get")).status_code == 200


def test_versions_and_runs_go_with_their_prompt(server: Server) -> None:
    path = server.path(contract.operation("prompts.indicators.list"))
    assert server.run(contract.operation("prompts.delete")).status_code == 204
    assert server.ask("GET", path).status_code == 404
    assert server.run(contract.operation("prompts.versions.get")).status_code == 404


def test_a_reference_to_what_is_gone_is_null(server: Server) -> None:
    server.run(contract.operation("prompts.versions.update"))
    server.run(contract.operation("prompts.update"))
    server.run(contract.operation("model_providers.delete"))
    server.ask("DELETE", "/api/projects/1/")
    version = server.run(contract.operation("prompts.versions.get")).json()
    assert version["model_provider_connection"] is None
    assert server.run(contract.operation("prompts.get")).json()["associated_projects"] == []


def test_a_run_proceeds_while_it_is_looked_at(server: Server) -> None:
    look = contract.operation("prompts.runs.list")
    runs = [server.run(look).json() for _ in range(3)]
    assert [run["status"] for run in runs] == ["InProgress", "Completed", "Completed"]
    assert runs[0]["triggered_at"]
    assert not runs[0]["completed_at"]
    assert runs[1]["completed_at"] == runs[2]["completed_at"] > runs[0]["triggered_at"]
    newer = server.run(contract.operation("prompts.runs.create")).json()
    assert newer["status"] == "Pending"
    assert server.run(look).json()["id"] == newer["id"]
    sample = {**server.queries[look.name], "project_subset": "Sample"}
    assert server.run(look, query=sample).status_code == 404


def test_submitted_predictions_are_predictions(server: Server) -> None:
    run = server.places["prompts.indicators"]["pk"]
    server.run(contract.operation("prompts.batch_predictions"))
    server.run(contract.operation("prompts.batch_failed_predictions"))
    (prediction,) = server.ask("GET", "/api/predictions/", query={"task": 1}).json()
    assert (prediction["model_run"], prediction["model_version"]) == (run, TEXT)
    assert prediction["result"] == [{"value": {"label": "good"}}]
    assert server.ask("GET", "/api/tasks/1/").json()["total_predictions"] == 1
    assert server.run(contract.operation("prompts.runs.list")).json()["predictions_updated_at"]
    listed = {
        item["key"]: item
        for item in server.ask("GET", f"/api/inference-runs/{run}/indicators").json()
    }
    assert listed["cost"]["main_kpi"] == "0.5"
    one = server.ask("GET", f"/api/inference-runs/{run}/indicators/predictions").json()
    assert one == {"title": "Predictions", "values": {"submitted": 1, "failed": 1}}


def test_a_refinement_at_once_and_as_a_job(server: Server) -> None:
    refine = contract.operation("prompts.versions.refine_prompt")
    look = contract.operation("prompts.versions.get_refined_prompt")
    now = server.run(refine).json()
    assert now["refinement_status"] == "Completed"
    assert now["prompt"].startswith("Say good or bad")
    assert now["prompt"] != "Say good or bad"
    assert now["previous_version"]["prompt"] == "Say good or bad"
    later = server.run(refine, query={"async": "true"}).json()
    assert (later["refinement_status"], later["prompt"]) == ("InProgress", "")
    query = {"refinement_job_id": later["refinement_job_id"]}
    looks = [server.run(look, query=query).json() for _ in range(3)]
    assert [row["refinement_status"] for row in looks] == ["InProgress", "Completed", "Completed"]
    assert looks[1]["prompt"] == now["prompt"]


def test_a_cost_estimate_counts_tasks(server: Server) -> None:
    estimate = contract.operation("prompts.versions.cost_estimate")

    def total(subset: Any) -> float:
        query = {"project_id": 1, "project_subset": subset}
        return float(server.run(estimate, query=query).json()["total_cost_usd"])

    one = total("All")
    assert one > 0 == total("HasGT")
    server.make("/api/tasks/", project=1, data={"text": TEXT})
    assert total("All") == total("Sample") == total(0) == 2 * one
    server.ask("PATCH", "/api/annotations/1/", {"ground_truth": True})
    assert total("HasGT") == one


def test_a_deleted_pause_is_kept_for_those_who_ask(server: Server) -> None:
    delete = contract.operation("projects.pauses.delete")
    listing = contract.operation("projects.pauses.list")
    assert server.run(delete).status_code == 204
    assert server.run(delete).status_code == 404
    assert server.run(listing, query={}).json() == []
    (pause,) = server.run(listing, query={"include_deleted": "true"}).json()
    assert pause["deleted_at"]
    assert pause["deleted_by"] == pause["paused_by"] == 1


def test_members_come_and_go(server: Server) -> None:
    path = f"/api/workspaces/{server.places['workspaces']['id']}/memberships"

    def members() -> list[int]:
        return [row["user"]["id"] for row in server.ask("GET", path).json()]

    assert members() == [2]
    for _ in range(2):  # letting somebody in again changes nothing
        assert server.ask("POST", path, {"user": 1}).json() == {"user": 1}
    assert members() == [2, 1]
    assert server.ask("DELETE", path, {"user": 2}).status_code == 204
    assert server.ask("DELETE", path, {"user": 2}).status_code == 404
    assert members() == [1]
    server.ask("DELETE", "/api/users/1/")
    server.session.headers["Authorization"] = ""
    assert server.ask("GET", path).status_code == 401


def test_projects_are_in_workspaces(server: Server) -> None:
    workspace = server.places["workspaces"]["id"]
    inside = server.ask("POST", "/api/projects/", {"title": "inside", "workspace": workspace})
    assert inside.json()["workspace"] == workspace

    def projects(where: int) -> list[str]:
        rows = server.ask("GET", "/api/projects/", query={"workspaces": where}).json()["results"]
        return [row["title"] for row in rows]

    assert projects(workspace) == ["inside"]
    server.ask("PATCH", "/api/projects/1/", {"workspace": workspace})
    assert projects(workspace) == ["inside", "project"]
    other = {"workspace": server.places["comments"]["id"]}
    assert list(refused(server.ask("PATCH", "/api/projects/1/", other))) == ["workspace"]
    server.run(contract.operation("workspaces.delete"))
    assert projects(workspace) == []
    assert server.ask("GET", "/api/projects/1/").json()["workspace"] is None


def test_annotations_in_bulk(server: Server) -> None:
    bulk = contract.operation("annotations.create_bulk")
    tasks = [server.make("/api/tasks/", project=1, data={"text": TEXT}) for _ in range(2)]
    region = {"from_name": "a", "to_name": "b", "type": "choices", "value": {"choices": ["x"]}}

    def annotated(**body: Any) -> list[int]:
        answer = server.run(bulk, body={"result": [region], **body})
        assert answer.status_code == 200, answer.text
        rows = [server.ask("GET", f"/api/annotations/{row['id']}/").json() for row in answer.json()]
        assert all(row["result"] == [region] for row in rows)
        return [row["task"] for row in rows]

    assert annotated(tasks=tasks, lead_time=2.5) == tasks
    everything = {"all": True, "excluded": [1]}
    assert annotated(project=1, selectedItems=everything) == tasks
    assert annotated(project=1, selectedItems={"all": False, "included": [tasks[1]]}) == tasks[1:]
    assert annotated(project=1, selectedItems={"all": False, "included": []}) == []
    assert server.ask("GET", f"/api/tasks/{tasks[1]}/").json()["total_annotations"] == 3
    assert list(refused(server.run(bulk, body={"result": []}))) == ["tasks"]


def test_secrets_are_not_given_back(server: Server) -> None:
    for name in ("create", "get", "list"):
        assert "sk-1" not in server.run(contract.operation(f"model_providers.{name}")).text


def test_a_sync_ends_at_once(server: Server) -> None:
    storage = server.run(contract.operation("import_storage.s3s.sync")).json()
    assert (storage["status"], storage["last_sync_count"]) == ("completed", 0)
    assert server.run(contract.operation("import_storage.s3s.get")).json() == storage


# --- the other edition ----------------------------------------------------------------------------


@each(ENTERPRISE)
def test_a_community_server_has_none_of_it(shared: Server, operation: Operation) -> None:
    """As a server 1.23.2 answers: its page for a 404, before any other check."""
    fake = FakeLabelStudio()
    with fake.session() as session:
        url = fake.url + shared.path(operation)
        answer = session.request(operation.verb, url, json={"nosuch": 1})
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


def test_a_community_server_ignores_workspaces(fake: FakeLabelStudio) -> None:
    with fake.session() as session:
        session.headers["Authorization"] = f"Token {fake.api_key}"
        made = session.post(f"{fake.url}/api/projects/", json={"title": "abc", "workspace": 99})
        assert made.status_code == 201
        assert "workspace" not in made.json()
        assert session.get(f"{fake.url}/api/projects/?workspaces=99").json()["count"] == 1
