"""What goes wrong on the way to a server and back, for every verb: tables of what has to follow.

A call succeeds and has been done once, or it raises an error of this library; nothing else. The
parts, in the order in which they stand here:

* ``VERBS``: what a user does, one ``Verb`` each. Its ``victim`` is the request that the fault
  strikes: ``("POST", "/api/tasks/", 0)`` is the first such request of the call. ``done``,
  ``landed`` and ``undone`` say which parts of ``World.state()`` are then different from before:
  after a success, after an error although the server carried the victim out, and after an error
  where it did not. ``kind`` is the column of the tables that holds for the verb.
* ``FAULTS``: what goes wrong. "when done" means that the server carries the request out before
  the connection fails, so that only its answer is lost.
* ``ONCE`` and ``ALWAYS``: a row for each fault and a column for each kind of verb. In ``ONCE``
  only the victim is struck, and what is safe is tried again; in ``ALWAYS`` the victim and each
  request after it, so that trying again is of no use.
* ``OUTCOMES``: what the words in the tables mean. "done" is a success, all others are errors of
  exactly that class; a ``+`` says that the server has carried the victim out all the same.

So the cell "reset when done" x "create" in ``ONCE``, ``lost+``, reads: the connection breaks after
the server created the object; ``create()`` raises ``OutcomeUnknown``, for nobody can know, it does
not create a second one, and the object is there.

Each cell is a test for each verb of its kind, on a server with a real socket: ``Gate`` is the port
that is shut and cut, ``World`` the server with its client, and ``World.state()`` reads the database
of the server itself. Below the tables are the tests of more than one fault at a time.
"""

from __future__ import annotations

import json
import re
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import pytest
from attrs import define, field, frozen
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labelstudio_orm import (
    APIError,
    AuthenticationError,
    ConnectionFailed,
    LabelStudio,
    LabelStudioError,
    OutcomeUnknown,
    Project,
    RateLimited,
    Retry,
    ServerError,
    Task,
    Timeout,
)
from labelstudio_orm._engine.http import connection as connection_module
from labelstudio_orm.testing import FakeLabelStudio, Fault

pytestmark = pytest.mark.slow  # some 850 tests over a real socket

TRIES = 3
PATIENCE, HASTE = 10.0, 0.2
"""Seconds to wait for an answer: where one comes, and where none will."""

CONFIG = (
    '<View><Text name="text" value="$text"/><Choices name="mood" toName="text">'
    '<Choice value="Good"/><Choice value="Bad"/></Choices></View>'
)


def region(choice: str) -> dict[str, Any]:
    return {
        "from_name": "mood", "to_name": "text", "type": "choices", "value": {"choices": [choice]},
    }  # fmt: skip


# -- a server that has troubles -------------------------------------------------------------------


class Gate:
    """A TCP relay to a server. While it is shut, nobody listens and connections are refused."""

    def __init__(self, target: str) -> None:
        self._target = ("127.0.0.1", urlsplit(target).port or 0)
        self._port = 0
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._turn = threading.Lock()  # several workers may want to open it at once
        self.open()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def open(self) -> None:
        with self._turn:
            if self._listener is None:
                self._listener = socket.create_server(("127.0.0.1", self._port), backlog=64)
                self._port = self._listener.getsockname()[1]
                threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        """Stop listening. Connections that are open go on, until `cut`."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            listener.close()

    def cut(self) -> None:
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self._open.add(connection)
                threading.Thread(target=self._relay, args=(connection,), daemon=True).start()

    def _relay(self, near: socket.socket) -> None:
        with near, socket.create_connection(self._target) as far:
            other = {near: far, far: near}
            try:
                for end in other:
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while True:
                    for end in select.select([near, far], [], [])[0]:
                        data = end.recv(1 << 16)
                        if not data:
                            return
                        other[end].sendall(data)
            except OSError:
                # A close that lingers for no time passes the reset on.
                near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            finally:
                self._open.discard(near)


class Server(FakeLabelStudio):
    """A fake that can be shut after a number of requests, and lets others write in between."""

    def __init__(self) -> None:
        super().__init__()
        self.gate: Gate
        self.answered = 0
        self.shut_after: set[int] = set()
        self.others: Callable[[str, str], None] = lambda method, path: None
        """Called with the method and the path of each request before it is carried out."""

    def handle(self, method: str, path: str, *rest: Any) -> Any:
        self.others(method, path)
        try:
            status, headers, body = super().handle(method, path, *rest)
        finally:
            self.answered += 1
            if self.answered in self.shut_after:
                self.gate.shut()
        if self.answered in self.shut_after:
            headers = {**headers, "Connection": "close"}
        return status, headers, body

    def plain(self, method: str, path: str, body: Any = None) -> Any:
        """A request without the library, without a network and without faults."""
        headers = {"Authorization": f"Token {self.api_key}", "Content-Type": "application/json"}
        content = b"" if body is None else json.dumps(body).encode()
        path, _, query = path.partition("?")
        status, _, answer = FakeLabelStudio.handle(self, method, path, query, headers, content)
        assert status < 300, (method, path, status, answer)
        return json.loads(answer) if answer else None


@define
class World:
    """A server with 101 projects, five tasks "0" to "4", an annotation and a prediction."""

    server: Server
    ls: LabelStudio
    folder: Path
    project: Project
    task: Task
    """The last one, fetched."""
    slept: list[float]
    on_sleep: list[Callable[[], None]] = field(factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "export.json"

    def strike(
        self, fault: Fault, method: str, path: str, *, times: int | None, after: int
    ) -> None:
        """Let the fault happen; a port can only be closed before the request at that place."""
        if fault.kind != "refused":
            self.server.fault(method, path, fault, times=times, after=after)
            return
        if after:
            self.server.shut_after.add(self.server.answered + after)
        else:
            self.server.gate.shut()
            self.server.gate.cut()
        if times is not None:
            self.on_sleep.append(self.server.gate.open)

    def state(self) -> dict[str, Any]:
        """What there is, from the database and the disk: nothing of the library takes part."""
        rows = self.server.store.rows

        def choices(table: str) -> list[Any]:
            found = rows(f"SELECT task_id, result FROM {table} ORDER BY id")
            return [(row["task_id"], json.loads(row["result"])) for row in found]

        return {
            "projects": [row["title"] for row in rows("SELECT title FROM project ORDER BY id")],
            "tasks": [
                (row["id"], json.loads(row["data"])["text"])
                for row in rows("SELECT id, data FROM task ORDER BY id")
            ],
            "annotations": choices("annotation"),
            "predictions": choices("prediction"),
            "files": {path.name: path.read_text() for path in self.folder.iterdir()},
        }


@contextmanager
def world(folder: Path, *, timeout: float = PATIENCE, tries: int = TRIES) -> Iterator[World]:
    server = Server()
    token = server.plain("POST", "/api/token/", {})["token"]
    server.plain("POST", "/api/projects/", {"title": "seed", "label_config": CONFIG})
    names = ", ".join(key for key in server.store.get("project", 1) or () if key != "id")
    server.store.execute(
        f"INSERT INTO project ({names}) WITH RECURSIVE copies(n) AS "
        "(SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < 100) "
        f"SELECT {names} FROM project, copies"
    )
    server.plain("POST", "/api/projects/1/import", [{"text": str(n)} for n in range(5)])
    server.plain("POST", "/api/tasks/1/annotations/", {"result": [region("Good")]})
    server.plain("POST", "/api/predictions/", {"task": 1, "result": [region("Bad")]})
    (folder / "export.json").write_text("old")
    slept: list[float] = []
    on_sleep: list[Callable[[], None]] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        for wake in on_sleep:
            wake()

    stack = ExitStack()
    server.gate = Gate(stack.enter_context(server.serve()))
    retries = Retry(total=tries - 1, backoff=0, sleep=sleep)
    ls = LabelStudio(server.gate.url, token, timeout=timeout, retries=retries, page_size=2)
    try:
        project, task = ls.projects.get(1), ls.tasks.get(5)
        server.requests.clear()
        yield World(server, ls, folder, project, task, slept, on_sleep)
    finally:
        ls.close()
        server.gate.shut()
        server.gate.cut()
        threading.Thread(target=stack.close).start()  # stopping takes a while


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports and exports are allowed 600 s, which a stall would use up."""
    monkeypatch.setattr(connection_module, "LONG", 0.0)


# -- the verbs ------------------------------------------------------------------------------------

GOOD, BAD = [region("Good")], [region("Bad")]
TASKS = [(n + 1, str(n)) for n in range(5)]
NEW = [(n + 6, text) for n, text in enumerate("abcdef")]


@frozen
class Verb:
    """Something to do, and how the world looks afterwards.

    `victim` is the request to strike: method, path, and how many like it come before. `undone`,
    `landed` and `done`: what the world then has that it had not before, when the victim was not
    carried out, when it was but the call failed, and when the call succeeded. (The latter two only
    differ where requests follow the victim.) A key that is not there: as before. `created`: what an
    error of it says was created, by ids.
    """

    kind: str
    victim: tuple[str, str, int]
    act: Callable[[World], Any]
    returns: Any = None
    done: dict[str, Any] = field(factory=dict)
    landed: dict[str, Any] | None = None
    undone: dict[str, Any] = field(factory=dict)
    created: tuple[int, ...] = ()


def _save(w: World) -> Any:
    w.task.data["text"] = "saved"
    return w.task.save().changes


def _export(w: World) -> Any:
    path = w.project.export("JSON", w.file)
    return [row["id"] for row in json.loads(path.read_text())]


def _bulk(w: World) -> Any:
    made = w.project.tasks.bulk_create([{"text": text} for _, text in NEW], batch_size=2)
    return [(task.id, task.data["text"]) for task in made]


def _rows(tasks: Iterable[Task]) -> Any:
    return [(task.id, task.data["text"]) for task in tasks]


def _skip(w: World) -> Any:
    items = [{"text": text} for _, text in [*TASKS[:2], *NEW]]
    tasks = w.project.tasks
    return _rows(tasks.bulk_create(items, key="data.text", on_conflict="skip", batch_size=2))


def _collect(w: World) -> Any:
    items: list[dict[str, Any]] = [{"text": "a"}, {"text": "b"}, {"nothing": 1}, {"text": "c"}]
    made = w.project.tasks.bulk_create(items, on_error="collect", batch_size=2)
    return _rows(made), [failure.place for failure in made.summary.failed]


def _save_some(w: World) -> Any:
    tasks = list(w.project.tasks)
    for task in tasks[1:4]:
        task.data["text"] = "saved"
    return w.project.tasks.bulk_update(tasks)


def _update_some(w: World) -> Any:
    return w.project.tasks.filter(id__in=[2, 3]).update(data__text="saved")


def _delete_version(w: World) -> Any:
    w.project.predictions.bulk_create([(2, GOOD, 0.5), (3, GOOD, 0.5)], model_version="v1")
    return w.project.predictions.filter(model_version="v1").delete()


def _annotate_some(w: World) -> Any:
    made = w.project.tasks.filter(id__in=[4, 5]).create_annotations(BAD)
    return [annotation.id for annotation in made]


def _predict(w: World) -> Any:
    items = [(n, GOOD, 0.5) for n in (2, 3, 4, 5)]
    return w.project.predictions.bulk_create(items, batch_size=2)


def _saved(*ids: int) -> dict[str, Any]:
    return {"tasks": [(id, "saved" if id in ids else text) for id, text in TASKS]}


def _delete_some(w: World) -> Any:
    return w.project.tasks.filter(id__in=[2, 3, 4]).delete()


OLD_PROJECTS = ["seed"] * 101

VERBS = {
    "list tasks": Verb(
        "read",
        ("GET", "/api/tasks/", 1),
        lambda w: [(task.id, task.data["text"]) for task in w.project.tasks.iterator()],
        returns=TASKS,
    ),
    "list projects": Verb(
        "read",
        ("GET", "/api/projects/", 1),
        lambda w: [project.id for project in w.ls.projects],
        returns=list(range(1, 102)),
    ),
    "list annotations": Verb(
        "read",
        ("GET", "/api/tasks/1/", 0),
        lambda w: [a.result for a in w.ls.tasks.ref(1).annotations],
        returns=[GOOD],
    ),
    "count": Verb("read", ("GET", "/api/tasks/", 0), lambda w: w.project.tasks.count(), returns=5),
    "get": Verb(
        "read", ("GET", "/api/tasks/3/", 0), lambda w: w.ls.tasks.get(3).data, {"text": "2"}
    ),
    "save": Verb(
        "save", ("PATCH", "/api/tasks/5/", 0), _save, {}, {"tasks": [*TASKS[:4], (5, "saved")]}
    ),
    "delete a task": Verb(
        "delete",
        ("DELETE", "/api/tasks/5/", 0),
        lambda w: w.task.delete(),
        done={"tasks": TASKS[:4]},
    ),
    "delete all tasks": Verb(
        "delete",
        ("DELETE", "/api/projects/1/tasks/", 0),
        lambda w: w.project.tasks.all().delete(),
        5,
        {"tasks": [], "annotations": [], "predictions": []},
    ),
    "delete some tasks": Verb(
        "action",
        ("POST", "/api/dm/actions/", 0),
        _delete_some,
        3,
        done={"tasks": [TASKS[0], TASKS[4]]},
        landed={"tasks": [*TASKS[:2], TASKS[4]]},
    ),
    "delete what fits": Verb(
        "action",
        ("POST", "/api/dm/actions/", 0),
        lambda w: w.project.tasks.filter(id__range=(2, 4)).delete(),
        3,
        done={"tasks": [TASKS[0], TASKS[4]]},
        landed={"tasks": [*TASKS[:2], TASKS[4]]},
    ),
    "delete some tasks, the last": Verb(
        "delete",
        ("DELETE", "/api/tasks/2/", 0),
        _delete_some,
        3,
        done={"tasks": [TASKS[0], TASKS[4]]},
        undone={"tasks": [*TASKS[:2], TASKS[4]]},
    ),
    "create a project": Verb(
        "create",
        ("POST", "/api/projects/", 0),
        lambda w: w.ls.projects.create(title="new").id,
        102,
        {"projects": [*OLD_PROJECTS, "new"]},
    ),
    "create a task": Verb(
        "create",
        ("POST", "/api/tasks/", 0),
        lambda w: w.project.tasks.create(data={"text": "new"}).id,
        6,
        {"tasks": [*TASKS, (6, "new")]},
    ),
    "create a prediction": Verb(
        "create",
        ("POST", "/api/predictions/", 0),
        lambda w: w.task.predictions.create(result=GOOD, score=0.5).id,
        2,
        {"predictions": [(1, BAD), (5, GOOD)]},
    ),
    "create an annotation": Verb(
        "annotation",
        ("POST", "/api/tasks/5/annotations/", 0),
        lambda w: w.task.annotations.create(result=BAD).id,
        2,
        {"annotations": [(1, GOOD), (5, BAD)]},
    ),
    "bulk_create": Verb(
        "bulk",
        ("POST", "/api/projects/1/import", 1),
        _bulk,
        NEW,
        done={"tasks": TASKS + NEW},
        landed={"tasks": TASKS + NEW[:4]},
        undone={"tasks": TASKS + NEW[:2]},
        created=(6, 7),
    ),
    "bulk_create, skipping": Verb(
        "bulk",
        ("POST", "/api/projects/1/import", 1),
        _skip,
        TASKS[:2] + NEW,
        done={"tasks": TASKS + NEW},
        landed={"tasks": TASKS + NEW[:4]},
        undone={"tasks": TASKS + NEW[:2]},
        created=(1, 2, 6, 7),
    ),
    "bulk_create, collecting": Verb(
        "bulk",
        ("POST", "/api/projects/1/import", 2),
        _collect,
        (NEW[:3], [2]),
        done={"tasks": TASKS + NEW[:3]},
        undone={"tasks": TASKS + NEW[:2]},
        created=(6, 7),
    ),
    "bulk_create, looking": Verb(
        "read",
        ("GET", "/api/tasks/", 1),
        _skip,
        TASKS[:2] + NEW,
        done={"tasks": TASKS + NEW},
    ),
    "bulk_update": Verb(
        "save",
        ("PATCH", "/api/tasks/3/", 0),
        _save_some,
        3,
        done=_saved(2, 3, 4),
        landed=_saved(2, 3),
        undone=_saved(2),
    ),
    "update": Verb(
        "save", ("PATCH", "/api/tasks/3/", 0), _update_some, 2, _saved(2, 3), undone=_saved(2)
    ),
    "update, looking again": Verb("look", ("GET", "/api/tasks/", 1), _update_some, 2, _saved(2, 3)),
    "delete annotations": Verb(
        "delete",
        ("DELETE", "/api/annotations/1/", 0),
        lambda w: w.project.annotations.all().delete(),
        1,
        {"annotations": []},
    ),
    "delete a version": Verb(
        "save",
        ("DELETE", "/api/projects/1/model-versions/", 0),
        _delete_version,
        2,
        undone={"predictions": [(1, BAD), (2, GOOD), (3, GOOD)]},
    ),
    "create_annotations": Verb(
        "annotation",
        ("POST", "/api/tasks/5/annotations/", 0),
        _annotate_some,
        [2, 3],
        {"annotations": [(1, GOOD), (4, BAD), (5, BAD)]},
        undone={"annotations": [(1, GOOD), (4, BAD)]},
        created=(2,),
    ),
    "predictions.bulk_create": Verb(
        "bulk",
        ("POST", "/api/projects/1/import/predictions", 1),
        _predict,
        4,
        {"predictions": [(1, BAD), (2, GOOD), (3, GOOD), (4, GOOD), (5, GOOD)]},
        undone={"predictions": [(1, BAD), (2, GOOD), (3, GOOD)]},
    ),
    "export": Verb(
        "export",
        ("GET", "/api/projects/1/export", 0),
        _export,
        [1, 2, 3, 4, 5],
    ),
}


@cache
def place_of(name: str) -> int:
    """How many requests of a verb come before its victim, when nothing goes wrong."""
    verb = VERBS[name]
    method, pattern, after = verb.victim
    with TemporaryDirectory() as folder, world(Path(folder)) as w:
        verb.act(w)
        sent = [(asked.method, asked.path) for asked in w.server.requests]
    places = [n for n, (m, path) in enumerate(sent) if m == method and fnmatchcase(path, pattern)]
    return places[after]


# -- what has to follow ---------------------------------------------------------------------------


@frozen
class Fails:
    """Exactly this error; `landed`: and yet the server has carried the victim out."""

    error: type[LabelStudioError]
    landed: bool = False


OUTCOMES = {
    "done": None,
    "lost": Fails(OutcomeUnknown),
    "broken": Fails(ConnectionFailed),
    "silent": Fails(Timeout),
    "error": Fails(ServerError),
    "odd": Fails(APIError),
    "limited": Fails(RateLimited),
    "stranger": Fails(AuthenticationError),
}
OUTCOMES |= {f"{name}+": Fails(how.error, landed=True) for name, how in OUTCOMES.items() if how}

FAULTS = {
    "refused": Fault.refused(),
    "reset": Fault.reset(),
    "reset when done": Fault.reset(committed=True),
    "reset in the body": Fault.reset_in_body(),
    "stall": Fault.stall(),
    "stall when done": Fault.stall(committed=True),
    "half the JSON": Fault.truncated(),
    "half the body": Fault.truncated(keep_length=True),
    "502": Fault.bad_gateway(),
    "504": Fault.answer(504),
    "504 when done": Fault.answer(504, committed=True),
    "500": Fault.answer(500),
    "500 when done": Fault.answer(500, committed=True),
    "429": Fault.too_many_requests(7),
    "401": Fault.unauthorized(),
    "web page": Fault.answer(200, "<html><title>Welcome</title></html>"),
    "empty": Fault.answer(200, "", committed=True),
    "other JSON": Fault.answer(200, {"detail": "Welcome"}),
}

# What follows for each kind of verb. With a "+", the server has nevertheless carried it out. A read
# has nothing to carry out ("-"), and a DELETE is answered without a body, of which nothing can be
# cut or told. A look at many objects is a read, after which each is read on its own where it
# failed. A 500 is no lost answer: the server gives it to mistakes of the caller; but what is gone
# after it was deleted.
ONCE = """
fault              read   look  save    delete  action  create  annotation  bulk   export
refused            done   done  done    done    done    done    done        done   done
reset              done   done  done    done    done    lost    done        lost   done
reset when done    -      -     done    done    done    lost+   done        done   -
reset in the body  done   done  done    done    done    lost+   done        done   broken
stall              done   done  done    done    done    lost    done        lost   done
stall when done    -      -     done    done    done    lost+   done        done   -
half the JSON      done   done  done    done    done    lost+   done        done   broken
half the body      done   done  done    done    done    lost+   done        done   broken
502                done   done  done    done    done    lost    done        lost   done
504                done   done  done    done    done    lost    done        lost   done
504 when done      -      -     done    done    done    lost+   done        done   -
500                error  done  error   error   error   error   error       error  error
500 when done      -      -     error+  done    done    error+  error+      done   -
429                done   done  done    done    done    done    done        done   done
401                done   done  done    done    done    done    done        done   done
web page           odd    done  odd     odd     odd     lost    lost        lost   odd
empty              odd    done  odd+    done    odd+    lost+   lost+       done   odd
other JSON         odd    done  odd     -       odd     lost    lost        lost   odd
"""
ALWAYS = """
fault              read      save      delete    action    create    annotation  bulk      export
refused            broken    broken    broken    broken    broken    broken      broken    broken
reset              broken    broken    broken    broken    lost      lost        lost      broken
reset when done    -         broken+   broken+   broken+   lost+     lost+       lost+     -
stall              silent    silent    silent    silent    lost      lost        lost      silent
half the JSON      odd       odd+      done      odd+      lost+     lost+       lost+     broken
half the body      broken    broken+   done      broken+   lost+     lost+       lost+     broken
502                error     error     error     error     lost      lost        lost      error
504 when done      -         error+    error+    error+    lost+     lost+       lost+     -
500 when done      -         error+    error+    error+    error+    error+      error+    -
429                limited   limited   limited   limited   limited   limited     limited   limited
401                stranger  stranger  stranger  stranger  stranger  stranger    stranger  stranger
web page           odd       odd       odd       odd       lost      lost        lost      odd
"""


def cells() -> Iterator[Any]:
    for table, how in ((ONCE, "once"), (ALWAYS, "always")):
        (_, *kinds), *rows = (re.split("  +", line) for line in table.strip().splitlines())
        for fault, *outcomes in rows:
            expected = dict(zip(kinds, outcomes, strict=True))
            expected.setdefault("look", expected["read"])
            for name, verb in VERBS.items():
                if expected[verb.kind] != "-":
                    outcome = OUTCOMES[expected[verb.kind]]
                    yield pytest.param(name, fault, outcome, how, id=f"{name}-{fault}-{how}")


@pytest.mark.parametrize(("verb_name", "fault_name", "expected", "how"), list(cells()))
def test_each_verb_is_done_once_or_raises_the_right_error(
    tmp_path: Path, verb_name: str, fault_name: str, expected: Fails | None, how: str
) -> None:
    verb, fault, once = VERBS[verb_name], FAULTS[fault_name], how == "once"
    method, path, after = verb.victim
    if not once:  # everything from the victim on
        method, path = "*", "*"
    if not once or fault.kind == "refused":
        after = place_of(verb_name)
    timeout, tries = PATIENCE, TRIES
    if fault.kind == "stall":
        timeout, tries = HASTE, 2 if once else 1
    with world(tmp_path, timeout=timeout, tries=tries) as w:
        before = w.state()
        w.strike(fault, method, path, times=1 if once else None, after=after)
        if expected is None:
            assert verb.act(w) == verb.returns
            changes = verb.done
        else:
            with pytest.raises(LabelStudioError) as raised:
                verb.act(w)
            assert type(raised.value) is expected.error, raised.value
            assert raised.value.request
            assert tuple(made.id for made in raised.value.created) == verb.created
            changes = verb.undone
            if expected.landed:
                changes = verb.done if verb.landed is None else verb.landed
        found = w.state()
        if verb.kind == "export" and expected is None:  # its content was returned and compared
            before["files"] = {"export.json": found["files"]["export.json"]}
        assert found == {**before, **changes}
        assert len(w.server.requests) <= 24
        assert len(w.slept) <= (1 if expected is None and once else 3 * TRIES)
        if fault_name == "429":
            assert w.slept[0] == 7
        if fault_name == "401" and once:
            paths = [asked.path for asked in w.server.requests]
            assert paths.count("/api/token/refresh/") == 1


# -- more than one thing at a time ----------------------------------------------------------------


@pytest.mark.parametrize("fault_name", ["reset", "504", "half the body", "half the JSON", "429"])
@pytest.mark.parametrize("page", [0, 1, 2])
def test_a_lost_page_is_asked_again(tmp_path: Path, fault_name: str, page: int) -> None:
    with world(tmp_path) as w:
        w.strike(FAULTS[fault_name], "GET", "/api/tasks/", times=1, after=page)
        assert [task.id for task in w.project.tasks.iterator()] == [1, 2, 3, 4, 5]
        asked = [request.query["query"] for request in w.server.requests]
        assert len(asked) == 4
        assert asked[page] == asked[page + 1]
        assert len(set(asked)) == 3


def test_a_loop_that_failed_can_be_started_over(tmp_path: Path) -> None:
    with world(tmp_path) as w:
        tasks = w.project.tasks.all()
        w.strike(FAULTS["reset"], "GET", "/api/tasks/", times=TRIES, after=1)
        seen: list[int] = []
        with pytest.raises(ConnectionFailed):
            seen.extend(task.id for task in tasks)
        assert [task.id for task in tasks] == [1, 2, 3, 4, 5]


OTHERS = {
    # name: (the texts to import, others' before ours, others' after ours, are ours told apart?)
    "nobody": ("abcdef", "", "", True),
    "strangers": ("abcdef", "xy", "z", True),
    "one like our first": ("abcdef", "c", "", True),
    "one like our first, and a stranger": ("abcdef", "cx", "", True),
    "one like our last": ("abcdef", "", "d", True),
    "all that we import": ("abcdef", "cd", "", False),
    "nobody, twins": ("aaaaaa", "", "", True),
    "strangers, twins": ("aaaaaa", "xy", "z", True),
    "one like our twins, before": ("aaaaaa", "a", "", False),
    "one like our twins, after": ("aaaaaa", "", "a", False),
    "one like our twins, apart": ("aaaaaa", "ax", "", True),
}


@pytest.mark.parametrize("fault_name", ["reset when done", "504 when done", "500 when done"])
@pytest.mark.parametrize(("texts", "before", "after", "certain"), OTHERS.values(), ids=OTHERS)
def test_the_ids_of_a_lost_import_among_what_others_write(
    tmp_path: Path, fault_name: str, texts: str, before: str, after: str, certain: bool
) -> None:
    imports = 0
    ours: list[int] = []

    def write(theirs: str) -> None:
        if theirs:
            # Another address of the import, which no fault strikes.
            items = [{"text": text} for text in theirs]
            w.server.plain("POST", "/api/projects/1/tasks/bulk/", items)

    def others(method: str, path: str) -> None:
        nonlocal imports, after
        if path == "/api/projects/1/import":
            imports += 1
            write(before if imports == 2 else "")
            newest = w.server.store.value("SELECT MAX(id) FROM task")
            ours.extend([newest + 1, newest + 2])
        elif imports == 2:  # somebody looks what became of it
            write(after)
            after = ""

    with world(tmp_path) as w:
        everything = "01234" + texts[: 6 if certain else 4] + before + after
        w.server.others = others
        w.strike(FAULTS[fault_name], "POST", "/api/projects/1/import", times=1, after=1)
        items = [{"text": text} for text in texts]
        if certain:
            made = w.project.tasks.bulk_create(items, batch_size=2)
            assert [(task.id, task.data["text"]) for task in made] == list(
                zip(ours, texts, strict=True)
            )
        else:
            error = ServerError if "500" in fault_name else OutcomeUnknown
            with pytest.raises(error) as raised:
                w.project.tasks.bulk_create(items, batch_size=2)
            assert [task.id for task in raised.value.created] == [6, 7]
        assert sorted(text for _, text in w.state()["tasks"]) == sorted(everything)


def test_an_import_that_lands_while_we_look(tmp_path: Path) -> None:
    with world(tmp_path) as w:
        w.strike(FAULTS["504"], "POST", "/api/projects/1/import", times=1, after=1)

        def land() -> None:
            w.on_sleep.clear()
            w.server.plain("POST", "/api/projects/1/import", [{"text": "c"}, {"text": "d"}])

        w.on_sleep.append(land)
        assert _bulk(w) == NEW
        assert w.state()["tasks"] == TASKS + NEW


@pytest.mark.parametrize("look", ["reset", "504", "500", "429", "401", "web page", "empty"])
@pytest.mark.parametrize(
    ("verb_name", "path"),
    [
        ("bulk_create", "/api/tasks/"),
        ("create an annotation", "/api/tasks/5/"),
        ("create an annotation", "/api/projects/1/export"),
        ("create an annotation", "/api/annotations/2/"),
    ],
)
def test_an_answer_is_lost_and_so_is_the_look_for_what_became_of_it(
    tmp_path: Path, verb_name: str, path: str, look: str
) -> None:
    verb = VERBS[verb_name]
    method, pattern, after = verb.victim
    with world(tmp_path) as w:
        before = w.state()
        w.strike(FAULTS["reset when done"], method, pattern, times=1, after=after)
        # Looking for the highest id, which comes first, is not to be struck.
        spared = 1 if path == "/api/tasks/" else 0
        w.strike(FAULTS[look], "GET", path, times=None, after=spared)
        with pytest.raises(OutcomeUnknown):
            verb.act(w)
        assert w.state() == {**before, **(verb.done if verb.landed is None else verb.landed)}


@pytest.mark.parametrize("victim", [("GET", "/api/tasks/"), ("POST", "/api/projects/1/import")])
def test_an_error_of_bulk_create_says_what_was_created(
    tmp_path: Path, victim: tuple[str, str]
) -> None:
    with world(tmp_path) as w:
        w.strike(FAULTS["429"], *victim, times=None, after=0)
        with pytest.raises(RateLimited) as raised:
            _bulk(w)
        assert raised.value.created == []


def test_an_error_of_bulk_create_says_what_was_created_one_by_one(tmp_path: Path) -> None:
    with world(tmp_path) as w:
        w.strike(FAULTS["429"], "POST", f"/api/tasks/{w.task.id}/annotations/", times=None, after=1)
        with pytest.raises(RateLimited) as raised:
            w.task.annotations.bulk_create([{"result": GOOD}, {"result": BAD}])
        assert [made.id for made in raised.value.created] == [2]


# -- any faults during any script -----------------------------------------------------------------


class Script:
    """Runs verbs, each with something of its own to recognise it by, and knows what may be there.

    `texts`, `marks` and `versions` (of tasks, annotations and predictions) count how often each may
    be there: exactly once after a success, never after an error that says so, else at most once.
    """

    def __init__(self, w: World) -> None:
        self.w = w
        self.counts: dict[tuple[str, str], set[int]] = {}
        self.doomed = [2, 3, 4]
        self.kept = {1, 2, 3, 4, 5}
        self.last_text = {"4"}

    def run(self, n: int, verb: str) -> None:
        before = self.ids()
        failure = None
        try:
            getattr(self, verb)(f"#{n}")
        except LabelStudioError as caught:
            failure = caught
        if failure is not None:
            self.failed(verb, f"#{n}", failure, before)

    def failed(self, verb: str, name: str, failure: LabelStudioError, before: set[int]) -> None:
        in_doubt = isinstance(failure, (OutcomeUnknown, ServerError))
        if verb in ("task", "annotation", "prediction"):
            self.counts[verb, name] = {0, 1} if in_doubt else {0}
        elif verb == "bulk":
            created = failure.created
            for n, text in enumerate(self.bulk_texts(name)):
                key = ("task", text)
                self.counts.setdefault(key, {0})
                here = {1} if n < len(created) else {0, 1} if in_doubt and n < 4 else {0}
                self.counts[key] = {a + b for a in self.counts[key] for b in here}
            assert {task.id for task in created} <= self.ids() - before
        elif verb == "save":
            self.last_text |= {name}
        elif verb in ("delete", "delete_some"):
            self.kept -= set(self.doomed)  # each of them may be gone or not

    def ids(self) -> set[int]:
        return {row["id"] for row in self.w.server.store.rows("SELECT id FROM task")}

    @staticmethod
    def bulk_texts(name: str) -> list[str]:
        return [f"{name}a", f"{name}b", f"{name}b", f"{name}c"]

    # the verbs

    def task(self, name: str) -> None:
        made = self.w.project.tasks.create(data={"text": name})
        self.counts["task", name] = {1}
        assert made.id in self.ids()

    def annotation(self, name: str) -> None:
        self.w.task.annotations.create(result=[{**region("Good"), "id": name}])
        self.counts["annotation", name] = {1}

    def prediction(self, name: str) -> None:
        self.w.task.predictions.create(result=GOOD, model_version=name)
        self.counts["prediction", name] = {1}

    def bulk(self, name: str) -> None:
        texts = self.bulk_texts(name)
        made = self.w.project.tasks.bulk_create([{"text": text} for text in texts], batch_size=2)
        stored = dict(self.w.state()["tasks"])
        assert [stored[task.id] for task in made] == texts
        assert len({task.id for task in made}) == len(texts)
        for text in texts:
            self.counts["task", text] = {texts.count(text)}

    def save(self, name: str) -> None:
        self.w.task.data["text"] = name
        self.w.task.save()
        self.last_text = {name}

    def delete(self, name: str) -> None:
        if self.doomed:
            self.w.ls.tasks.ref(self.doomed[0]).delete()
            self.kept.discard(self.doomed.pop(0))

    def delete_some(self, name: str) -> None:
        self.w.project.tasks.filter(id__in=self.doomed).delete()
        self.kept -= set(self.doomed)
        self.doomed = []

    def list(self, name: str) -> None:
        assert [task.id for task in self.w.project.tasks] == sorted(self.ids())

    def get(self, name: str) -> None:
        assert self.w.ls.tasks.get(1).data == {"text": "0"}

    def export(self, name: str) -> None:
        path = self.w.project.export("JSON", self.w.folder / name)
        assert {row["id"] for row in json.loads(path.read_text())} == self.ids()

    def check(self) -> None:
        state = self.w.state()
        found = [("task", text) for _, text in state["tasks"]]
        found += [("annotation", result[0].get("id")) for _, result in state["annotations"]]
        versions = self.w.server.store.rows("SELECT model_version FROM prediction")
        found += [("prediction", row["model_version"]) for row in versions]
        for key, allowed in self.counts.items():
            assert found.count(key) in allowed, key
        stored = dict(state["tasks"])
        assert self.kept <= stored.keys()
        assert stored[5] in self.last_text
        for name, text in state["files"].items():
            assert text == "old" or isinstance(json.loads(text), list), name


VERB_NAMES = [
    "task", "annotation", "prediction", "bulk", "save", "delete", "delete_some", "list", "get",
    "export",
]  # fmt: skip


@settings(max_examples=100)
@given(
    script=st.lists(st.sampled_from(VERB_NAMES), min_size=1, max_size=6),
    faults=st.lists(
        st.tuples(st.sampled_from(sorted(FAULTS)), st.integers(0, 12)), min_size=0, max_size=3
    ),
)
@example(script=["annotation"], faults=[("reset when done", n) for n in range(TRIES)])
@example(script=["bulk"], faults=[("504 when done", 1), *[("504", n) for n in (0, 0)]])
@example(script=["delete", "save", "list"], faults=[("refused", 1), ("401", 2)])
def test_any_script_survives_any_faults(script: list[str], faults: list[tuple[str, int]]) -> None:
    stalls = any("stall" in name for name, _ in faults)
    with (
        TemporaryDirectory() as folder,
        world(Path(folder), timeout=HASTE if stalls else PATIENCE) as w,
    ):
        for name, after in faults:
            w.strike(FAULTS[name], "*", "*", times=1, after=after)
        told = Script(w)
        for n, verb in enumerate(script):
            told.run(n, verb)
        told.check()


# -- again and again, until it is done ------------------------------------------------------------


def _until_done(w: World, act: Callable[[World], Any]) -> Any:
    """As a script that is started again whenever it dies; only so often, since faults end."""
    for _ in range(8):
        with suppress(LabelStudioError):
            return act(w)
    raise AssertionError("it never succeeds")


# Other JSON in the place of an empty answer to a DELETE cannot be told from it.
QUICK = sorted(name for name in FAULTS if "stall" not in name and name != "other JSON")


@settings(max_examples=60)
@given(
    faults=st.lists(st.tuples(st.sampled_from(QUICK), st.integers(0, 9)), max_size=5),
    workers=st.sampled_from([1, 3]),
)
@example(faults=[("504 when done", 2), ("504", 0), ("504", 0), ("504", 0)], workers=1)
@example(faults=[("reset when done", 2), *[("500", 0)] * 3], workers=1)
def test_bulk_create_by_key_repeated_until_it_succeeds_creates_once(
    faults: list[tuple[str, int]], workers: int
) -> None:
    def create(w: World) -> Any:
        items = [{"text": text} for _, text in [*TASKS[1:3], *NEW]]
        tasks = w.project.tasks
        return _rows(
            tasks.bulk_create(
                items, key="data.text", on_conflict="skip", batch_size=2, workers=workers
            )
        )

    def update(w: World) -> Any:
        return w.project.tasks.filter(id__lte=5).update(data__seen=True, workers=workers)

    def delete(w: World) -> Any:
        return w.project.tasks.filter(id__in=[1, 2, 4]).delete(workers=workers)

    with TemporaryDirectory() as folder, world(Path(folder)) as w:
        for act in (create, update, delete):
            for name, after in faults:
                w.strike(FAULTS[name], "*", "*", times=1, after=after)
            _until_done(w, act)
            w.server._plans.clear()
            w.server.gate.open()
        assert w.state()["tasks"] == [TASKS[2], TASKS[4], *NEW]
        stored = {task.id: task.data.get("seen") for task in w.project.tasks}
        assert stored == {3: True, 5: True, **dict.fromkeys((id for id, _ in NEW), None)}


@pytest.mark.parametrize("fault_name", ["reset when done", "504", "500 when done", "401", "429"])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_the_summary_of_an_error_is_what_was_done(
    tmp_path: Path, fault_name: str, after: int
) -> None:
    """With several workers: what was under way when one failed is waited for, and counted."""
    with world(tmp_path) as w:
        tasks = list(w.project.tasks)
        for task in tasks:
            task.data["text"] = "saved"
        w.strike(FAULTS[fault_name], "PATCH", "/api/tasks/3/", times=None, after=0)
        with pytest.raises(LabelStudioError) as raised:
            w.project.tasks.bulk_update(tasks, workers=3)
        summary = raised.value.summary
        assert summary is not None
        landed = [task_id for task_id, text in w.state()["tasks"] if text == "saved"]
        assert len(set(landed) - {3}) == summary.updated
        assert [task.id for task in tasks if not task.changes] == sorted(set(landed) - {3})
        again = w.project.tasks.bulk_update([tasks[0], tasks[4]], workers=after + 1)
        assert summary.updated + again.updated + len(set(landed) & {3}) <= 5
