"""Malformed answers from a raw socket, to many verbs: nothing but LabelStudioError comes of them,
in bounded time, and with a message of bounded length.

    python -m tests.law.fuzz_answers --answers 1000 [--seed 1]
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import socket
import struct
import tempfile
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from labelstudio_orm import ClientSideFilterWarning, LabelStudio, LabelStudioError
from labelstudio_orm._engine.http.transport import Retry

DEADLINE = 0.5
SECONDS = 3.0
"""That a verb may take on a busy machine; for all of its requests together it has the deadline."""

TOKEN = "0" * 40
JSON = ("Content-Type", "application/json")

Verb = Callable[[LabelStudio, Path], object]


def project(ls: LabelStudio) -> Any:
    return ls.projects.ref(1)


VERBS: dict[str, Verb] = {
    "request": lambda ls, _: ls.request("GET", "/api/version"),
    "post": lambda ls, _: ls.request("POST", "/api/x/", json={"a": 1}),
    "delete": lambda ls, _: ls.request("DELETE", "/api/x/1/"),
    "version": lambda ls, _: ls.version(),
    "server": lambda ls, _: ls.server(),
    "projects": lambda ls, _: list(ls.projects.all()),
    "project": lambda ls, _: ls.projects.get(1),
    "project by title": lambda ls, _: ls.projects.get(title="a"),
    "counts": lambda ls, _: ls.projects.counts(),
    "count": lambda ls, _: ls.projects.count(),
    "create project": lambda ls, _: ls.projects.create(title="a"),
    "save": lambda ls, _: project(ls).refresh().save(force=True),
    "delete project": lambda ls, _: project(ls).delete(),
    "tasks": lambda ls, _: list(project(ls).tasks.all()),
    "tasks by value": lambda ls, _: list(project(ls).tasks.filter(data__text="a")),
    "tasks, workers": lambda ls, _: list(project(ls).tasks.iterator(workers=2)),
    "tasks, ordered": lambda ls, _: list(project(ls).tasks.order_by("-created_at")[:3]),
    "tasks with annotations": lambda ls, _: list(project(ls).tasks.prefetch("annotations")),
    "count tasks": lambda ls, _: project(ls).tasks.count(),
    "first task": lambda ls, _: project(ls).tasks.first(),
    "task": lambda ls, _: ls.tasks.get(1),
    "create task": lambda ls, _: project(ls).tasks.create(data={"text": "a"}),
    "import": lambda ls, _: project(ls).tasks.bulk_create([{"text": "a"}], validate=False),
    "update": lambda ls, _: project(ls).tasks.filter(id=1).update(overlap=2),
    "delete tasks": lambda ls, _: project(ls).tasks.filter(id__in=[1, 2]).delete(),
    "perform": lambda ls, _: project(ls).tasks.all().perform("predictions_to_annotations"),
    "actions": lambda ls, _: list(project(ls).actions.all()),
    "annotations": lambda ls, _: list(project(ls).annotations.all()),
    "annotation": lambda ls, _: ls.annotations.get(1),
    "of a task": lambda ls, _: list(ls.tasks.ref(1).annotations.all()),
    "annotate": lambda ls, _: ls.tasks.ref(1).annotations.create(result=[]),
    "predictions": lambda ls, _: list(ls.predictions.filter(project=1)),
    "predict": lambda ls, _: ls.tasks.ref(1).predictions.create(result=[], score=0.5),
    "predictions at once": lambda ls, _: project(ls).predictions.bulk_create(
        [{"task": 1, "result": []}]
    ),
    "drafts": lambda ls, _: list(ls.drafts.filter(task=1)),
    "views": lambda ls, _: list(project(ls).views.all()),
    "create view": lambda ls, _: project(ls).views.create(title="a"),
    "tasks of a view": lambda ls, _: list(ls.views.ref(1).tasks.all()),
    "webhooks": lambda ls, _: list(ls.webhooks.all()),
    "webhook actions": lambda ls, _: ls.webhooks.info(),
    "files": lambda ls, _: list(project(ls).files.all()),
    "file": lambda ls, folder: ls.files.get(1).download(folder / "file"),
    "open": lambda ls, _: read(project(ls).files.open("upload/1/a.png")),
    "delete files": lambda ls, _: project(ls).files.all().delete(),
    "storages": lambda ls, _: list(project(ls).import_storages.all()),
    "types of storages": lambda ls, _: ls.import_storages.types(),
    "sync": lambda ls, _: ls.import_storages.s3.ref(1).sync(wait=False),
    "backends": lambda ls, _: list(project(ls).ml_backends.all()),
    "versions of a backend": lambda ls, _: ls.ml_backends.ref(1).model_versions(),
    "exports": lambda ls, _: list(project(ls).exports.all()),
    "formats": lambda ls, _: project(ls).exports.formats(),
    "export": lambda ls, folder: project(ls).export("CSV", folder / "file"),
    "export JSON": lambda ls, folder: project(ls).export("JSON", folder / "file"),
    "snapshot": lambda ls, folder: project(ls).exports.ref(1).download(folder / "file"),
    "create snapshot": lambda ls, _: project(ls).exports.create(title="a"),
    "users": lambda ls, _: list(ls.users.all()),
    "me": lambda ls, _: ls.users.me(),
    "create user": lambda ls, _: ls.users.create(email="a@b.co"),
    "organizations": lambda ls, _: list(ls.organizations.all()),
    "invitation": lambda ls, _: ls.organizations.get_invite(),
    "members": lambda ls, _: list(ls.organizations.ref(1).members.all()),
    "tokens": lambda ls, _: ls.tokens.all(),
    "create token": lambda ls, _: ls.tokens.create(),
    "jwt settings": lambda ls, _: ls.jwt_settings(),
    "session policy": lambda ls, _: ls.session_policy(),
    "labels": lambda ls, _: project(ls).labels.usage("a"),
    "validate": lambda ls, _: project(ls).validate_config("<View/>"),
    "annotators": lambda ls, _: project(ls).annotators(),
    "comments": lambda ls, _: list(project(ls).comments.all()),
    "workspaces": lambda ls, _: list(ls.workspaces.all()),
    "prompts": lambda ls, _: list(ls.prompts.all()),
    "with an exchange": lambda ls, _: exchanged(ls).projects.count(),
}


def read(stream: Any) -> None:
    with stream as content:
        while content.read(1 << 16):
            pass


def exchanged(ls: LabelStudio) -> LabelStudio:
    """The same server by a personal access token, which has to be exchanged first."""
    token = ".".join([part({"alg": "HS256"}), part({"token_type": "refresh"}), "x" * 20])
    return LabelStudio(ls.url, token, retries=0, timeout=1, deadline=DEADLINE)


def part(claims: Any) -> str:
    import base64

    return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()


# -- answers --------------------------------------------------------------------------------------

VALUES: list[Any] = [None, True, False, 0, -1, 1, 2**70, 1.5, "", "a", "1", [], {}, [[]], [None]]
VALUES += [[1], ["a"], {"id": 1}, [{}], [{"id": 1}], [{"id": "a"}], {"detail": []}, "é" * 500]
NAMES = [
    "id",
    "count",
    "next",
    "results",
    "tasks",
    "total",
    "project",
    "data",
    "annotations",
    "token",
]
NAMES += ["predictions", "detail", "validation_errors", "access", "title", "label_config", "status"]
NAMES += ["task", "result", "user", "created", "task_count", "import", "release", "edition", "file"]
NAMES += ["common_data_columns", "versions", "message", "invite_url", "created_by", "type", "state"]


class Maker:
    """Answers that no server should give, made from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def value(self, depth: int = 3) -> Any:
        """Any JSON, with the names that this library reads."""
        some = self.random
        if depth == 0 or some.random() < 0.3:
            return some.choice(VALUES)
        if some.random() < 0.3:
            return [self.value(depth - 1) for _ in range(some.randrange(4))]
        return {name: self.value(depth - 1) for name in some.sample(NAMES, some.randrange(1, 12))}

    def answer(self) -> tuple[bytes, str]:
        """The bytes, and what becomes of the connection: close, reset, stall, trickle, endless."""
        make = self.random.choice(MAKERS)
        return make(self)


def http(
    body: bytes, *headers: tuple[str, str], status: str = "200 OK", length: bool = True
) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body


def odd_json(make: Maker) -> tuple[bytes, str]:
    status = make.random.choice(
        ["200 OK"] * 6 + ["201 Created", "400 Bad", "404 No", "500 Oh", "401 U"]
    )
    return http(json.dumps(make.value(4)).encode(), JSON, status=status), "close"


def odd_text(make: Maker) -> tuple[bytes, str]:
    texts = [b"", b"{", b"[", b"nul", b"[" * 100_000, b'{"a":' * 20_000, b"\xff\xfe", b"1" * 6000]
    texts += [
        b'{"id": 1e999}',
        b"NaN",
        b'"\\ud800"',
        b"<html>",
        b"\x00" * 50,
        "é".encode("latin-1"),
    ]
    texts += [
        b'{"id":' + b"9" * 5000 + b"}",
        b"[1,]",
        b'{"tasks": [',
        json.dumps("é").encode("utf-16"),
    ]
    kind = make.random.choice(
        ["application/json", "text/html", "", "x" * 5000, "application/json; charset=x"]
    )
    return http(make.random.choice(texts), ("Content-Type", kind)), "close"


def odd_redirect(make: Maker) -> tuple[bytes, str]:
    to = [
        "http://[::1",
        "/api/%2e%2e/x",
        "",
        "//",
        "http://",
        "/",
        "\\\\x",
        "http://a:99999/",
        "ftp://x",
    ]
    to += [
        "javascript:1",
        "/\xff\xfe",
        "x" * 70_000,
        "http://127.0.0.1:1/",
        "/user/login",
        "?",
        "#",
        ".",
    ]
    status = make.random.choice(["301 A", "302 B", "303 C", "307 D", "308 E", "300 F", "304 G"])
    return http(b"", ("Location", make.random.choice(to)), status=status), "close"


def odd_chunks(make: Maker) -> tuple[bytes, str]:
    chunks = [
        b"ffffffffffffffff\r\n[]",
        b"-5\r\n[]",
        b"zz\r\n[]\r\n0\r\n\r\n",
        b"2\r\n[]",
        b"",
        b"\r\n\r\n",
    ]
    chunks += [
        b"2\r\n[]\r\n1" + b"0" * 5000,
        b"2;" + b"x" * 70_000,
        b"2\r\n[]XX0\r\n\r\n",
        b"1\r\n[\r\n",
    ]
    head = http(b"", JSON, ("Transfer-Encoding", "chunked"), length=False)
    return head + make.random.choice(chunks), make.random.choice(["close", "stall", "reset"])


def odd_packing(make: Maker) -> tuple[bytes, str]:
    packed = gzip.compress(b"[" + b"1," * 5000 + b"1]")
    bomb = gzip.compress(b" " * 30_000_000, 1)
    bodies = [
        packed[:20],
        packed[: len(packed) // 2],
        b"no gzip",
        b"",
        packed + b"rest",
        packed * 2,
        bomb,
    ]
    bodies += [zlib.compress(b"[]")[:-3], zlib.compress(b"{}")[2:-4], packed[:-8] + b"\x00" * 8]
    kind = make.random.choice(
        ["gzip", "deflate", "br", "zstd", "x" * 3000, "gzip, gzip", "gzip," * 50]
    )
    return http(make.random.choice(bodies), JSON, ("Content-Encoding", kind)), "close"


def odd_headers(make: Maker) -> tuple[bytes, str]:
    heads = [
        b"",
        b"\x00\x01",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 999999 X\r\n\r\n",
        b"SSH-2.0\r\n",
    ]
    heads += [
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 500 + b"\r\n[]",
        b"HTTP/1.1 200 OK\r\n: \r\n\r\n[]",
    ]
    heads += [
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 -1 X\r\n\r\n",
        b"HTTP/1.1",
    ]
    heads += [b"HTTP/1.1 200 " + b"z" * 60_000 + b"\r\n\r\n{}", b"HTTP/1.1 100 Go on\r\n\r\n" * 50]
    heads += [
        b"HTTP/1.1 502 " + b"z" * 60_000 + b"\r\nContent-Length: 0\r\n\r\n",
        b"<html>\r\n\r\n",
    ]
    return make.random.choice(heads), make.random.choice(["close", "reset", "stall"])


def odd_lengths(make: Maker) -> tuple[bytes, str]:
    lengths = ["-1", "abc", "9" * 5000, "1e3", "99999999999", "2, 3", "", "0x10", "2 ", "\u0661"]
    head = http(b"", JSON, length=False)[:-2]
    line = f"Content-Length: {make.random.choice(lengths)}\r\n\r\n".encode()
    return head + line + b"[]", make.random.choice(["close", "stall", "reset"])


def odd_waits(make: Maker) -> tuple[bytes, str]:
    waits = [
        "9" * 5000,
        "-1",
        "1e999",
        "soon",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "²",
        "",
        "x" * 5000,
    ]
    header = ("Retry-After", make.random.choice(waits))
    return http(b"{}", JSON, header, status=make.random.choice(["429 A", "503 B"])), "close"


def odd_times(make: Maker) -> tuple[bytes, str]:
    whole = http(json.dumps(make.value()).encode(), JSON)
    return whole, make.random.choice(["trickle", "stall at once", "endless"])


def odd_tokens(make: Maker) -> tuple[bytes, str]:
    ends: tuple[Any, ...] = (-1, 1e308, "1", None, [], 10**400, True)
    claims: list[Any] = [{"exp": one} for one in ends]
    claims += [[], "a", {"exp": 1, "iat": 10**300}]
    token: Any = ".".join([part({}), part(make.random.choice(claims)), "x"])
    token = make.random.choice([token, token, "a\r\nX: y", "é", "", 5, None, "x" * 100_000, ["a"]])
    return http(json.dumps({"access": token, "count": 1, "results": []}).encode(), JSON), "close"


ROW = b'{"id":1,"count":1,"results":[],"tasks":[],"total":0,"release":"1.0","project":1}'
BOMB = gzip.compress(b"[" + b" " * 30_000_000 + b"]", 9)
CHUNKED = ("Transfer-Encoding", "chunked")


def chunked(body: bytes, extension: bytes = b"", trailer: bytes = b"") -> bytes:
    head = http(b"", JSON, CHUNKED, length=False)
    return head + b"%x%s\r\n%s\r\n0\r\n%s\r\n" % (len(body), extension, body, trailer)


def odd_protocol(make: Maker) -> tuple[bytes, str]:
    go_on = b"HTTP/1.1 100 Go on\r\n"
    answers = [
        b'{"id":1}\n',
        b"\n",
        (go_on + b"\r\n") * 20_000 + http(ROW, JSON),
        (go_on + b"A: " + b"b" * 60_000 + b"\r\n\r\n") * 20 + http(ROW, JSON),
        b"HTTP/1.1 102 Wait\r\n\r\n" + http(ROW, JSON),
        b"HTTP/1.1 101 To\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x05hello",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x28",
        http(ROW, JSON).replace(b"\r\n", b"\n"),
        http(ROW, JSON, ("Connection", "keep-alive")) + http(b'{"id":666}', JSON),
        http(ROW, JSON, *[(f"X-{n}", "y" * 60_000) for n in range(95)]),
        http(ROW, JSON, ("X", "a\r\n  folded"), ("X", "a\x00b"), ("X", "a\rb: c")),
        chunked(ROW, b";a=" + b"c" * 60_000),
        chunked(ROW, trailer=b"T: v\r\n" * 100_000),
        http(b"2\r\n[]\r\n0\r\n\r\n", JSON, CHUNKED),
        http(ROW, JSON, ("Transfer-Encoding", "gzip")),
        http(gzip.compress(BOMB), JSON, ("Content-Encoding", "gzip, gzip")),
        http(BOMB, JSON, ("Content-Encoding", "gzip"), status="500 E"),
        http(BOMB, JSON, ("Content-Encoding", "gzip"), ("Location", "/x"), status="302 E"),
        http(ROW, ("Content-Type", "text/event-stream"), length=False),
        http(ROW, JSON, *[("Set-Cookie", f"a{n}=b; Max-Age=1e999; Path=\xff") for n in range(60)]),
        http(b"{}", JSON, ("WWW-Authenticate", "Basic realm=" * 4000), status="401 U"),
        http(b"{}", JSON, ("Proxy-Authenticate", "Basic"), status="407 P"),
    ]
    return make.random.choice(answers), make.random.choice(["close", "stall"])


def odd_status(make: Maker) -> tuple[bytes, str]:
    codes = [201, 202, 203, 204, 205, 206, 226, 300, 304, 418, 451, 599, 600, 999]
    part = ("Content-Range", "bytes 0-9/100")
    body = make.random.choice([ROW, b"", b"PK\x03\x04half", b"id,text\n"])
    return http(body, JSON, part, status=f"{make.random.choice(codes)} A"), "close"


def odd_numbers(make: Maker) -> tuple[bytes, str]:
    number = make.random.choice(
        [b"NaN", b"-Infinity", b"1e999", b"9" * 4000, b"9" * 5000, b"1.0", b"9007199254740993"]
    )
    text = b'{"id":N,"count":N,"total":N,"tasks":[{"id":N}],"results":[{"id":N}],"id":"x"}'
    return http(text.replace(b"N", number), JSON), "close"


def odd_letters(make: Maker) -> tuple[bytes, str]:
    texts = [
        b"\xef\xbb\xbf" + ROW,
        ROW.decode().encode("utf-16"),
        ROW.decode().encode("utf-32-le"),
        b'{"id":1,"title":"\xe9"}',
        b'{"detail":"\\ud800"}',
        b'{"detail":"\\u001b[31m\\u001b]0;x\\u0007 \\u202e"}',
        b'{"id":1,"title":"\\u0000","results":[],"count":0}',
        ROW + b" x",
        b")]}',\n" + ROW,
        b'{"id":1,"data":' + b'{"a":' * 900 + b"1" + b"}" * 901,
        b"[" * 200_000 + b"]" * 200_000,
    ]
    kind = make.random.choice(["application/json", "application/json; charset=\x00\xff;;=;", ""])
    status = make.random.choice(["200 OK", "400 Bad", "500 Oh"])
    return http(make.random.choice(texts), ("Content-Type", kind), status=status), "close"


def elsewhere(make: Maker) -> tuple[bytes, str]:
    places = [
        "file:///etc/passwd",
        "data:application/json,%7B%7D",
        "//evil.example/x",
        "http://xn--/x",
        f"http://{'a' * 300}.example/x",
        "http://a..b/x",
        "http://[fe80::1%25eth0]/x",
        "http://127.0.0.1:0/x",
        "http://a:b@127.0.0.1/x",
        "/api/x/",
    ]
    to = make.random.choice(places)
    if make.random.random() < 0.5:
        status = make.random.choice(["301 A", "302 B", "307 C"])
        return http(b"", ("Location", to), ("Location", "/b"), status=status), "close"
    rows = {"count": 300, "next": to, "previous": to, "total": 300}
    rows |= {"tasks": [{"id": 1}], "results": [{"id": 1, "file": to}]}
    return http(json.dumps(rows).encode(), JSON), "close"


MAKERS: list[Callable[[Maker], tuple[bytes, str]]] = [*[odd_json] * 6, odd_text, odd_text]
MAKERS += [
    odd_redirect,
    odd_chunks,
    odd_packing,
    odd_headers,
    odd_lengths,
    odd_waits,
    odd_times,
    odd_tokens,
    odd_protocol,
    odd_status,
    odd_numbers,
    odd_letters,
    elsewhere,
]


# -- the server -----------------------------------------------------------------------------------


class RawServer:
    """Gives each connection the answer at hand, and ends it as it says."""

    def __init__(self) -> None:
        self.answer: tuple[bytes, str] = b"", "close"
        self._stop = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        content, then = self.answer
        with connection, suppress(OSError):
            connection.settimeout(5)
            connection.recv(1 << 20)
            if then == "stall at once":
                self._stop.wait(2 * DEADLINE)
            elif then == "trickle":
                for n in range(len(content)):
                    connection.sendall(content[n : n + 1])
                    if self._stop.wait(0.02):
                        return
            elif then == "endless":
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
                while not self._stop.is_set():
                    connection.sendall(b"1," * 50_000)
            else:
                connection.sendall(content)
                if then == "stall":
                    self._stop.wait(2 * DEADLINE)
            if then == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        self._stop.set()
        self._socket.close()


@contextmanager
def raw_server() -> Iterator[RawServer]:
    server = RawServer()
    try:
        yield server
    finally:
        server.close()


def fuzz(answers: int, seed: int) -> list[str]:
    """Try so many answers, each with a verb; what is wrong, a line each."""
    wrong: list[str] = []
    make = Maker(seed)
    names = list(VERBS)
    with raw_server() as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "file").write_bytes(b"the old one")
        for number in range(answers):
            verb = names[number % len(names)]
            server.answer = make.answer()
            retries = Retry(total=1, backoff=0.01, max_wait=0.05)
            ls = LabelStudio(
                server.url,
                TOKEN,
                retries=retries,
                timeout=1,
                deadline=DEADLINE,
                max_answer=8_000_000,
            )
            began = time.monotonic()
            try:
                VERBS[verb](ls, folder)
            except LabelStudioError as error:
                if len(str(error)) > 2100:
                    wrong.append(f"{number} {verb}: a message of {len(str(error))} characters")
                if not str(error).replace("\n", "").isprintable():
                    wrong.append(f"{number} {verb}: a message that is no text: {error!r:.200}")
            except Exception as error:
                shown = f"{server.answer[0][:300]!r} {server.answer[1]}"
                wrong.append(f"{number} {verb}: {type(error).__name__}: {error!s:.200} of {shown}")
            took = time.monotonic() - began
            if took > SECONDS:
                wrong.append(f"{number} {verb}: {took:.1f} s, {server.answer[1]}")
            left = [one.name for one in folder.iterdir() if one.name != "file"]
            if left:
                wrong.append(f"{number} {verb}: left {left}")
                for one in left:
                    (folder / one).unlink()
            ls.close()
    return wrong


def main() -> int:
    """From the shell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore", ClientSideFilterWarning)
    began = time.monotonic()
    wrong = fuzz(options.answers, options.seed)
    print("\n".join(wrong))
    print(f"{options.answers} answers, {len(wrong)} wrong, {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
