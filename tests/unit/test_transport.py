"""The HTTP layer against real sockets: a server on loopback that misbehaves on demand."""

from __future__ import annotations

import base64
import enum
import gzip
import io
import json
import logging
import math
import os
import pickle
import socket
import struct
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy
import pytest
import requests
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from labelstudio_orm._engine.http import payload
from labelstudio_orm._engine.http.auth import Credential
from labelstudio_orm._engine.http.transport import Retry, Transport, normalize_url
from labelstudio_orm.errors import (
    APIError,
    AuthenticationError,
    BadRequest,
    Conflict,
    ConnectionFailed,
    LabelStudioError,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    ServerError,
    Timeout,
)

KEY = "5ec4e75ec4e75ec4e75ec4e75ec4e75ec4e75ec4"


# A server made of raw sockets


@frozen
class Seen:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")

    def json(self) -> Any:
        return json.loads(self.body)


class Answer:
    """Bytes to send, and whether the connection goes on after them."""

    def __init__(self, *parts: bytes, then: str = "keep") -> None:
        self.parts = parts
        self.then = then

    def give(self, connection: socket.socket, stop: threading.Event) -> bool:
        for part in self.parts:
            connection.sendall(part)
        if self.then == "stall":
            stop.wait(5)
        if self.then == "reset":
            # Closing with unsent data discarded sends RST instead of FIN.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return self.then == "keep"


def answer(
    status: int, body: object = b"", kind: str = "application/json", **headers: str
) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Text", f"Content-Type: {kind}", f"Content-Length: {len(data)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return Answer("\r\n".join([*lines, "", ""]).encode() + data)


def cut(body: bytes, length: int, then: str = "close") -> Answer:
    """An answer that promises `length` bytes and sends fewer."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    return Answer(head.encode() + body, then=then)


def ok(body: object) -> Answer:
    return answer(200, body)


RESET = Answer(then="reset")
STALL = Answer(then="stall")
HANGUP = Answer(then="close")
HTML_502 = answer(502, b"<html><title>502 Bad Gateway</title></html>", "text/html")
LOGIN_PAGE = answer(200, b"<html><title>Please log in</title></html>", "text/html; charset=utf-8")
CHUNKED_CUT = Answer(
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'5\r\n{"a":\r\n',
    then="close",
)


class Server:
    """Gives `answers` in turn, the last one again and again; or what a function says."""

    def __init__(self, *answers: Answer, reply: Callable[[Seen], Answer] | None = None) -> None:
        self.answers = list(answers)
        self.reply = reply or self._next
        self.seen: list[Seen] = []
        self.lock = threading.Lock()
        self.stop = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _next(self, request: Seen) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def _accept(self) -> None:
        number = 0
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                number += 1
                self.open.add(connection)
                threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with suppress(OSError, ValueError), connection, connection.makefile("rb") as stream:
            while line := stream.readline():
                method, target, _ = line.decode().split()
                headers = {}
                while (header := stream.readline().decode("latin-1").strip()) != "":
                    name, _, value = header.partition(":")
                    headers[name.lower()] = value.strip()
                body = stream.read(int(headers.get("content-length", 0)))
                request = Seen(method, target, headers, body, number)
                with self.lock:
                    self.seen.append(request)
                    reply = self.reply(request)
                if not reply.give(connection, self.stop):
                    # makefile holds the socket open: let go of both, so that close is at once.
                    if reply.then != "reset":
                        connection.shutdown(socket.SHUT_RDWR)
                    break
        self.open.discard(connection)

    def close(self) -> None:
        self.stop.set()
        self.listener.close()
        for connection in list(self.open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[Server] = []

    def start(*answers: Answer, reply: Callable[[Seen], Answer] | None = None) -> Server:
        servers.append(Server(*answers, reply=reply))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


class Waits(list[float]):
    """Stands for time.sleep."""

    def retries(self, total: int = 4, **options: Any) -> Retry:
        return Retry(total, sleep=self.append, random=fixed_random, **options)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def fixed_random() -> float:
    return 1.0


def connect(server: Server | str | None, waits: Waits | None = None, **options: Any) -> Transport:
    options.setdefault("retries", (Waits() if waits is None else waits).retries())
    url: Any = server.url if isinstance(server, Server) else server
    return Transport(url, options.pop("credential", Credential(KEY)), **options)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


# What is sent


def test_a_request_as_the_server_sees_it(serve: Serve) -> None:
    server = serve(ok({"id": 5}))
    transport = connect(server.url + "/sub/path///", headers={"X-Org": "7"})
    got = transport.request(
        "post",
        "/api/projects/",
        params={"a": True, "b": [1, 2]},
        json={"title": "Ä\u2028", "x": (1, 2.5, None)},
        headers={"X-One": "1"},
    )
    assert got == {"id": 5}
    (seen,) = server.seen
    assert seen.method == "POST"
    path, _, query = seen.target.partition("?")
    assert path == "/sub/path/api/projects/"
    assert parse_qsl(query) == [("a", "true"), ("b", "1"), ("b", "2")]
    assert seen.body == '{"title":"Ä\u2028","x":[1,2.5,null]}'.encode()
    assert seen.authorization == f"Token {KEY}"
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["accept"] == "application/json"
    assert seen.headers["user-agent"].startswith("labelstudio_orm/")
    assert (seen.headers["x-org"], seen.headers["x-one"]) == ("7", "1")


def test_a_get_may_carry_json(serve: Serve) -> None:
    server = serve(ok([]))
    assert connect(server).request("GET", "/api/tasks/", json={"query": {}}) == []
    assert server.seen[0].json() == {"query": {}}


def test_files_go_as_multipart(serve: Serve) -> None:
    server = serve(HTML_502, ok({}))
    connect(server).request("POST", "/x", files={"f": ("a.csv", b"1,2")}, idempotent=True)
    assert [b"1,2" in seen.body for seen in server.seen] == [True, True]
    assert server.seen[1].headers["content-type"].startswith("multipart/form-data")


def test_a_body_from_a_file_is_rewound_for_a_repeat(serve: Serve) -> None:
    server = serve(HTML_502, ok({}))
    body = io.BytesIO(b"skipped,sent")
    body.seek(8)
    connect(server).request("PUT", "/x", data=body)
    assert [seen.body for seen in server.seen] == [b"sent", b"sent"]


def test_a_body_that_cannot_be_rewound_is_sent_once(serve: Serve) -> None:
    server = serve(RESET)
    with pytest.raises(ConnectionFailed):
        connect(server).request("PUT", "/x", data=iter([b"once"]))
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        ({"data": {"when": datetime(2026, 1, 1)}}, TypeError, "data.when is a datetime"),
        ({"a": [{"b": {1, 2}}]}, TypeError, r"a\[0\].b is a set"),
        ([{"x": b"y"}], TypeError, r"\[0\].x is a bytes"),
        ({"a": {(1, 2): 3}}, TypeError, "a has a key of type tuple"),
        ({"score": float("nan")}, ValueError, "score is nan"),
        ([1.0, float("-inf")], ValueError, r"\[1\] is -inf"),
        ({"t": "a\ud800b"}, ValueError, "t has half a surrogate pair"),
        ({"t\udc00": 1}, ValueError, "the key .* has half a surrogate pair"),
    ],
)
def test_what_json_cannot_hold_is_refused_before_sending(
    serve: Serve, value: object, error: type[Exception], said: str
) -> None:
    server = serve(ok({}))
    with pytest.raises(error, match=f"saving Task 1: .*{said}"):
        connect(server).request("PATCH", "/api/tasks/1/", json=value, doing="saving Task 1")
    assert server.seen == []


def test_endless_values_are_refused() -> None:
    loop: list[object] = []
    loop.append({"again": loop})
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    transport = connect("http://127.0.0.1:9")
    with pytest.raises(ValueError, match=r"\[0\].again contains itself"):
        transport.request("POST", "/x", json=loop)
    with pytest.raises(ValueError, match="nested too deeply"):
        transport.request("POST", "/x", json=deep)


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=9)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), FLOATS, TEXTS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_values_survive_the_way_there_and_back(value: object) -> None:
    assert payload.decode(json.dumps(value).encode()) == value
    assert json.loads(payload.encode(value, "")) == value


class Size(enum.IntEnum):
    LARGE = 3


class Colour(enum.Enum):
    RED = "red"


class Name(str):
    pass


@pytest.mark.parametrize(
    "value",
    [
        math.nan, math.inf, 1e300, -0.0, 2**64, -(2**70), "\ud800", "\u2028é😀", None,
        [None, "null"], {1: 2}, {None: 1}, {"a": (1, 2)}, Size.LARGE, Colour.RED, Name("a"),
        {Name("a"): 1},
        uuid.UUID(int=1), datetime(2026, 1, 1), numpy.float64(0.5), numpy.int64(2), [numpy.nan],
        {"a": {1, 2}}, b"a",
    ],
    ids=repr,
)  # fmt: skip
def test_a_fast_writer_takes_and_refuses_the_same(
    value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written() -> object:
        try:
            return json.loads(payload.encode({"of": value}, "saving it"))
        except (TypeError, ValueError) as error:
            return repr(error)

    assert payload._accelerator() is not None
    quickly = written()
    monkeypatch.setattr(payload, "_accelerator", lambda: None)
    assert quickly == written()


@pytest.mark.parametrize("text", ["18446744073709551617", "-9223372036854775809", '["\\ud800"]'])
def test_numbers_and_escapes_that_a_fast_parser_would_change(text: str) -> None:
    assert payload.decode(text.encode()) == json.loads(text)


# What comes back


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_empty_body_is_none(serve: Serve, status: int) -> None:
    assert connect(serve(answer(status))).request("DELETE", "/x") is None


def test_json_counts_whatever_its_content_type(serve: Serve) -> None:
    server = serve(answer(200, {"status": "UP"}, "text/html"))
    assert connect(server).request("GET", "/health") == {"status": "UP"}


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, BadRequest), (404, NotFound), (409, Conflict), (500, ServerError), (501, ServerError)],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_refusals_are_not_repeated(
    serve: Serve, waits: Waits, status: int, error: type[APIError], method: str
) -> None:
    server = serve(answer(status, {"detail": "It says why."}))
    with pytest.raises(error, match=r"saving it failed .*/api/x.*It says why") as caught:
        connect(server, waits).request(method, "/api/x", doing="saving it")
    assert caught.value.status == status
    assert caught.value.request == f"{method} /api/x"
    assert not caught.value.repeated
    assert (len(server.seen), waits) == (1, [])


@pytest.mark.parametrize(
    ("page", "tries"),
    [(LOGIN_PAGE, 1), (answer(200, b"<html>"), 1), (answer(200, b'{"a": '), 1 + Retry().total)],
)
def test_a_success_that_is_no_json(serve: Serve, waits: Waits, page: Answer, tries: int) -> None:
    """A page of a proxy comes again; JSON that ends too early may come whole."""
    server = serve(page)
    with pytest.raises(APIError, match=r"not JSON .*beginning with .*base URL") as caught:
        connect(server, waits).request("GET", "/api/x")
    assert caught.value.status == 200
    assert len(server.seen) == tries
    with pytest.raises(OutcomeUnknown, match="may or may not"):
        connect(server, waits).request("POST", "/api/x")
    assert len(server.seen) == tries + 1


def test_a_proxy_may_compress(serve: Serve) -> None:
    body = gzip.compress(b'{"a": 1}')
    server = serve(answer(200, body, Content_Encoding="gzip"))
    assert connect(server).request("GET", "/x") == {"a": 1}
    with connect(server).stream("GET", "/x") as response:
        assert response.content == b'{"a": 1}'


def test_connections_are_kept_and_cookies_are_not(serve: Serve) -> None:
    server = serve(answer(200, {}, Set_Cookie="sessionid=abc; Path=/"))
    transport = connect(server)
    for _ in range(5):
        transport.request("GET", "/x")
    assert {seen.connection for seen in server.seen} == {1}
    assert not any("cookie" in seen.headers for seen in server.seen)


def test_an_error_or_a_stream_gives_its_connection_back(serve: Serve) -> None:
    server = serve(answer(404, {}), ok({"a": 1}))
    transport = connect(server)
    with pytest.raises(NotFound), transport.stream("GET", "/x"):
        pass
    with transport.stream("GET", "/x") as response:
        assert response.content == b'{"a": 1}'
    transport.request("GET", "/x")
    assert {seen.connection for seen in server.seen} == {1}


# Retry


BREAKS = {
    "reset": RESET,
    "hang-up": HANGUP,
    "stall": STALL,
    "cut": cut(b'{"a": 1', 100),
    "reset in the body": cut(b'{"a": 1', 100, "reset"),
    "stall in the body": cut(b'{"a": 1', 100, "stall"),
    "cut chunk": CHUNKED_CUT,
    "502": HTML_502,
    "503": answer(503),
    "504": answer(504, b"upstream timed out", "text/plain"),
}


@pytest.mark.parametrize("fault", BREAKS)
@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
def test_idempotent_requests_are_repeated(
    serve: Serve, waits: Waits, fault: str, method: str
) -> None:
    server = serve(BREAKS[fault], BREAKS[fault], ok({"a": 1}))
    transport = connect(server, waits, timeout=(5, 0.15))
    assert transport.request(method, "/x", json={"n": 1}) == {"a": 1}
    assert [seen.json() for seen in server.seen] == [{"n": 1}] * 3
    assert waits == [0.5, 1.0]


@pytest.mark.parametrize("fault", BREAKS)
def test_a_post_whose_answer_is_lost_is_never_repeated(
    serve: Serve, waits: Waits, fault: str
) -> None:
    server = serve(BREAKS[fault], ok({}))
    with pytest.raises(OutcomeUnknown, match=r"creating Task: .*may or may not.*Look") as caught:
        connect(server, waits, timeout=(5, 0.15)).request(
            "POST", "/api/tasks/", doing="creating Task"
        )
    assert caught.value.request == "POST /api/tasks/"
    assert (len(server.seen), waits) == (1, [])


def test_a_post_that_the_gateway_gave_up_on_was_done_once(serve: Serve) -> None:
    committed: list[Any] = []

    def commit(request: Seen) -> Answer:
        committed.append(request.json())
        return answer(504)

    with pytest.raises(OutcomeUnknown):
        connect(serve(reply=commit)).request("POST", "/x", json={"n": 1})
    assert committed == [{"n": 1}]


def test_a_post_on_a_connection_that_died_while_idle(serve: Serve) -> None:
    server = serve(ok({}), HANGUP, ok({}))
    transport = connect(server)
    transport.request("GET", "/x")
    with pytest.raises(OutcomeUnknown):
        transport.request("POST", "/x")
    assert [seen.method for seen in server.seen] == ["GET", "POST"]


def test_a_safe_post_is_repeated_and_its_echo_is_told(serve: Serve, waits: Waits) -> None:
    server = serve(RESET, answer(409, {"detail": "duplicate"}))
    with pytest.raises(Conflict) as caught:
        connect(server, waits).request("POST", "/x", json={}, idempotent=True)
    assert caught.value.repeated
    assert len(server.seen) == 2


def test_an_unsafe_patch_is_not_repeated(serve: Serve) -> None:
    server = serve(RESET)
    with pytest.raises(OutcomeUnknown):
        connect(server).request("PATCH", "/x", json={}, idempotent=False)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        (RESET, ConnectionFailed, "the connection broke: .*3 times"),
        (STALL, Timeout, "no answer within 0.15 s, 3 times.*longer timeout"),
        (cut(b"{", 9, "stall"), Timeout, "no answer within 0.15 s"),
        (cut(b"{", 9), ConnectionFailed, "3 times"),
        (HTML_502, ServerError, "502 Bad Gateway"),
    ],
)
def test_the_last_error_is_told(
    serve: Serve, waits: Waits, fault: Answer, error: type[LabelStudioError], said: str
) -> None:
    server = serve(fault)
    transport = connect(server, retries=waits.retries(2), timeout=(5, 0.15))
    with pytest.raises(error, match=f"reading Task 1 failed .GET /t.: .*{said}") as caught:
        transport.request("GET", "/t", doing="reading Task 1")
    assert caught.value.request == "GET /t"
    assert (len(server.seen), waits) == (3, [0.5, 1.0])


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_refused_connection_is_tried_again_for_any_method(
    serve: Serve, waits: Waits, method: str
) -> None:
    with pytest.raises(
        ConnectionFailed, match=r"could not connect.*5 times.*The request was not sent"
    ):
        connect(f"http://127.0.0.1:{closed_port()}", waits).request(method, "/x")
    assert waits == [0.5, 1.0, 2.0, 4.0]


def test_a_server_that_starts_late(waits: Waits) -> None:
    port = closed_port()
    server: list[Server] = []

    def start(seconds: float) -> None:
        if not server:
            late = Server(ok({"id": 1}))
            late.listener.close()
            late.listener = socket.create_server(("127.0.0.1", port))
            threading.Thread(target=late._accept, daemon=True).start()
            server.append(late)

    retries = Retry(sleep=start)
    assert connect(f"http://127.0.0.1:{port}", retries=retries).request("POST", "/x") == {"id": 1}
    assert len(server[0].seen) == 1
    server[0].close()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("after", "least", "most"),
    [
        ("7", 7.0, 8.0),
        ("100000", 60.0, 60.0),
        (lambda: format_datetime(datetime.now(timezone.utc) + timedelta(0, 20), True), 18, 21),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.5, 0.5),
        ("soon", 0.5, 0.5),
        ("-5", 0.5, 0.5),
        ("", 0.5, 0.5),
    ],
)  # fmt: skip
def test_busy_server_is_given_the_time_it_asks_for(
    serve: Serve, waits: Waits, method: str, after: Any, least: float, most: float
) -> None:
    value = after() if callable(after) else after
    server = serve(answer(429, Retry_After=value), ok({"a": 1}))
    assert connect(server, waits).request(method, "/x") == {"a": 1}
    assert len(server.seen) == 2
    (waited,) = waits
    assert least <= waited <= most


def test_busy_to_the_end(serve: Serve, waits: Waits) -> None:
    server = serve(answer(429, {"detail": "throttled"}))
    with pytest.raises(RateLimited, match=r"throttled.*fewer workers"):
        connect(server, waits).request("POST", "/x")
    assert len(server.seen) == 5


def test_backoff_grows_with_full_jitter_up_to_a_limit() -> None:
    longest = Retry(random=lambda: 1.0)
    assert [longest.wait(n) for n in (0, 1, 2, 3, 7, 5000)] == [0.5, 1.0, 2.0, 4.0, 60.0, 60.0]
    assert Retry(random=lambda: 0.0).wait(3) == 0.0
    assert Retry(random=lambda: 0.0).wait(0, 5.0) == 5.0


def test_no_retries(serve: Serve) -> None:
    server = serve(RESET)
    with pytest.raises(ConnectionFailed):
        connect(server, retries=Retry(0)).request("GET", "/x")
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "options", [{"total": -1}, {"total": 1.5}, {"backoff": -1}, {"max_wait": -1}]
)
def test_impossible_retries(options: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError), match=next(iter(options))):
        Retry(**options)


@pytest.mark.parametrize("fault", ["reset", "stall", "cut", "502", "504"])
def test_a_repeated_delete_that_finds_nothing_has_succeeded(serve: Serve, fault: str) -> None:
    server = serve(BREAKS[fault], answer(404, {"detail": "Not found."}))
    assert connect(server, timeout=(5, 0.15)).request("DELETE", "/x") is None
    assert len(server.seen) == 2


@pytest.mark.parametrize("answers", [[answer(404)], [answer(429), answer(404)]])
def test_a_delete_whose_first_try_was_not_done_finds_nothing(
    serve: Serve, answers: list[Answer]
) -> None:
    with pytest.raises(NotFound):
        connect(serve(*answers)).request("DELETE", "/x")
    with pytest.raises(NotFound):
        connect(serve(RESET, answer(404))).request("PATCH", "/x")


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_a_write_is_never_redirected(serve: Serve, status: int, method: str) -> None:
    server = serve(answer(status, Location="/api/elsewhere/?token=signed"))
    with pytest.raises(APIError, match=f"{server.url}/api/elsewhere/. .*base URL") as caught:
        connect(server).request(method, "/api/x", json={})
    assert caught.value.status == status
    assert "signed" not in str(caught.value)
    assert [seen.method for seen in server.seen] == [method]


def test_a_read_follows_on_the_same_server(serve: Serve) -> None:
    server = serve(answer(302, Location="/there?a=1"), ok({"a": 1}))
    assert connect(server).request("GET", "/x") == {"a": 1}
    assert [seen.target for seen in server.seen] == ["/x", "/there?a=1"]
    assert server.seen[1].authorization == f"Token {KEY}"


def test_a_read_does_not_follow_to_another_server(serve: Serve) -> None:
    other = serve(ok({}))
    server = serve(answer(302, Location=f"{other.url}/api/x"))
    with pytest.raises(APIError, match=f"redirects to {other.url}/api/x.*not sent to another"):
        connect(server).request("GET", "/api/x")
    assert other.seen == []


def test_a_download_follows_without_credentials(serve: Serve) -> None:
    bucket = serve(answer(200, b"file", "text/plain"))
    server = serve(answer(303, Location=f"{bucket.url}/f?signature=1"))
    transport = connect(server, headers={"X-Proxy-Key": "secret"})
    with transport.stream("GET", "/f") as response:
        assert response.content == b"file"
    (seen,) = bucket.seen
    assert seen.target == "/f?signature=1"
    assert seen.authorization == ""
    assert "secret" not in str(seen)


def test_endless_redirects(serve: Serve) -> None:
    server = serve(answer(302, Location="/again"))
    with pytest.raises(APIError, match="more than 5 redirects"):
        connect(server).request("GET", "/x")
    assert len(server.seen) == 6


def test_a_redirect_to_the_login_page_is_about_the_credential(serve: Serve) -> None:
    server = serve(answer(302, Location="/user/login/?next=/data/x"))
    with pytest.raises(AuthenticationError, match=r"login page.*legacy token"):
        connect(server).request("GET", "/data/x")


# Streams


def test_a_stream_is_repeated_before_its_first_byte(serve: Serve, waits: Waits) -> None:
    server = serve(RESET, HTML_502, ok({"a": 1}))
    with connect(server, waits).stream("GET", "/x", params={"q": 1}) as response:
        assert b"".join(response.iter_content(3)) == b'{"a": 1}'
    assert [seen.target for seen in server.seen] == ["/x?q=1"] * 3


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (cut(b"x" * 1000, 2000), ConnectionFailed),
        (cut(b"x" * 1000, 2000, "reset"), ConnectionFailed),
        (cut(b"x" * 1000, 2000, "stall"), Timeout),
        (CHUNKED_CUT, ConnectionFailed),
    ],
)
@pytest.mark.parametrize(
    "read",
    [
        lambda response: response.content,
        lambda response: list(response.iter_content(64)),
        lambda response: list(response.iter_lines()),
        lambda response: response.raw.read(),
        lambda response: list(iter(lambda: response.raw.read(64), b"")),
    ],
)
def test_a_cut_stream_is_an_error(
    serve: Serve, fault: Answer, error: type[Exception], read: Callable[[Any], object]
) -> None:
    server = serve(fault)
    transport = connect(server, timeout=(5, 0.15))
    with (
        pytest.raises(error, match=r"exporting failed .GET /x."),
        transport.stream("GET", "/x", doing="exporting") as response,
    ):
        read(response)
    assert len(server.seen) == 1


def test_an_error_of_the_reader_passes_through(serve: Serve) -> None:
    transport = connect(serve(ok({})))
    with pytest.raises(requests.ConnectionError, match="mine"), transport.stream("GET", "/x"):
        raise requests.ConnectionError("mine")


# Authentication


def jwt(**claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{body}.c2ln"


PAT = jwt(token_type="refresh", exp=4_000_000_000)


class TokenServer:
    """Gives access tokens of a lifetime in seconds, and takes only living ones."""

    def __init__(self, lifetime: float) -> None:
        self.lifetime = lifetime
        self.living: dict[str, float] = {}
        self.renewals = 0

    def __call__(self, request: Seen) -> Answer:
        if request.target == "/sub/api/token/refresh/":
            if request.json() != {"refresh": PAT} or request.authorization:
                return answer(400)
            self.renewals += 1
            now = time.time()
            token = jwt(token_type="access", iat=now, exp=now + self.lifetime, jti=self.renewals)
            self.living[f"Bearer {token}"] = now + self.lifetime
            return ok({"access": token})
        if time.time() < self.living.get(request.authorization, 0):
            return ok({"n": len(self.living)})
        return answer(401, {"detail": "Authentication credentials were not provided."})


def test_a_personal_access_token_is_exchanged_and_kept(serve: Serve) -> None:
    tokens = TokenServer(300)
    server = serve(reply=tokens)
    transport = connect(server.url + "/sub", credential=Credential(PAT), headers={"X-Org": "7"})
    for _ in range(3):
        transport.request("GET", "/api/x")
    with transport.using(timeout=9).stream("GET", "/api/x") as response:
        assert response.json() == {"n": 1}
    assert tokens.renewals == 1
    assert {seen.headers["x-org"] for seen in server.seen} == {"7"}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_401_renews_once_and_repeats(serve: Serve, waits: Waits, method: str) -> None:
    tokens = TokenServer(300)
    server = serve(reply=tokens)
    transport = connect(server.url + "/sub", waits, credential=Credential(PAT))
    transport.request("GET", "/api/x")
    tokens.living.clear()
    assert transport.request(method, "/api/x", json={"n": 1}) == {"n": 1}
    assert (tokens.renewals, waits) == (2, [])
    assert [seen.method for seen in server.seen][2:] == [method, "POST", method]


def test_a_401_that_renewal_does_not_mend(serve: Serve) -> None:
    tokens = TokenServer(-1)
    server = serve(reply=tokens)
    transport = connect(server.url + "/sub", credential=Credential(PAT))
    with pytest.raises(AuthenticationError, match="personal access token was used"):
        transport.request("GET", "/api/x")
    assert [seen.target for seen in server.seen].count("/sub/api/x") == 2


def test_a_legacy_token_is_not_tried_twice(serve: Serve) -> None:
    server = serve(answer(401, {"detail": "Invalid token."}))
    with pytest.raises(AuthenticationError, match=r"Invalid token. A legacy token was used"):
        connect(server).request("GET", "/x")
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (answer(401, {"detail": "Token is blacklisted"}), AuthenticationError, "was revoked"),
        (answer(401, {"detail": "Token is expired"}), AuthenticationError, "has expired"),
        (answer(404, b"<html>", "text/html"), NotFound, "base URL"),
        (answer(200, {"nothing": 1}), APIError, "holds no access token"),
        (LOGIN_PAGE, APIError, "not JSON"),
        (RESET, ConnectionFailed, "exchanging the personal access token failed"),
    ],
)
def test_a_failed_exchange_says_so_even_for_a_post(
    serve: Serve, reply: Answer, error: type[Exception], said: str
) -> None:
    server = serve(reply)
    with pytest.raises(error, match=said) as caught:
        connect(server, credential=Credential(PAT)).request("POST", "/api/x", json={})
    assert PAT not in str(caught.value)
    assert {seen.target for seen in server.seen} == {"/api/token/refresh/"}


def in_threads(count: int, work: Callable[[], object]) -> list[Exception]:
    errors: list[Exception] = []

    def run() -> None:
        try:
            work()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


@pytest.mark.slow
def test_many_threads_while_tokens_expire(serve: Serve) -> None:
    tokens = TokenServer(1.0)
    server = serve(reply=tokens)
    transport = connect(server.url + "/sub", credential=Credential(PAT))
    end = time.monotonic() + 2.5
    done: list[object] = []

    def work() -> None:
        while time.monotonic() < end or len(done) < 300:
            done.append(transport.request("POST", "/api/x", json={}))
            time.sleep(0.005)

    assert in_threads(12, work) == []
    assert len(done) >= 300
    # One for each 0.8 s, and a few for a machine that pauses.
    assert 3 <= tokens.renewals <= 8
    assert len({seen.connection for seen in server.seen}) <= 13


def test_netrc_does_not_replace_the_credential(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server = serve(ok({}))
    assert requests.get(server.url, timeout=5).ok  # the file works, where it is not kept out
    connect(server).request("GET", "/x")
    connect(server, session=requests.Session()).request("GET", "/x")
    kinds = [seen.authorization.split()[0] for seen in server.seen]
    assert kinds == ["Basic", "Token", "Token"]
    tokens = serve(reply=TokenServer(300))
    connect(tokens.url + "/sub", credential=Credential(PAT)).request("GET", "/api/x")
    assert [seen.authorization[:6] for seen in tokens.seen] == ["", "Bearer"]


def test_system_proxies_are_used(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = serve(ok({"via": "proxy"}))
    monkeypatch.setenv("http_proxy", proxy.url)
    transport = connect("http://labels.invalid")
    assert transport.request("GET", "/x") == {"via": "proxy"}
    assert proxy.seen[0].target == "http://labels.invalid/x"
    monkeypatch.delenv("http_proxy")
    again = connect("http://labels.invalid", proxies={"http": proxy.url})
    assert again.request("GET", "/x") == {"via": "proxy"}


def test_an_unreachable_proxy_sent_nothing(waits: Waits) -> None:
    proxies = {"http": f"http://127.0.0.1:{closed_port()}"}
    with pytest.raises(ConnectionFailed, match=r"the proxy for labels.invalid"):
        connect("http://labels.invalid", waits, proxies=proxies).request("POST", "/x")
    assert len(waits) == 4


# Sessions, copies, options


class InMemory(requests.adapters.BaseAdapter):
    """A server that is an adapter, as a fake for tests may be."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[requests.PreparedRequest] = []
        self.options: list[dict[str, Any]] = []

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        self.requests.append(request)
        self.options.append(options)
        response = requests.Response()
        response.status_code = 200
        response.raw = io.BytesIO(b'{"a": 1}')
        response.request = request
        response.url = request.url or ""
        return response

    def close(self) -> None:
        raise AssertionError("the session is the user's")


def test_a_session_of_the_user_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/of/the/system")
    session, adapter = requests.Session(), InMemory()
    session.mount("http://memory", adapter)
    session.headers["User-Agent"] = "mine"
    session.verify = "/some/bundle"
    before = dict(session.headers)
    transport = connect("http://memory", session=session)
    assert transport.request("GET", "/x") == {"a": 1}
    with transport.stream("GET", "/x") as response:
        assert response.content == b'{"a": 1}'
    transport.close()
    assert adapter.requests[0].headers["User-Agent"] == "mine"
    assert adapter.requests[0].headers["Accept"] == "application/json"
    assert adapter.options[0]["verify"] == "/some/bundle"
    assert dict(session.headers) == before


def test_options_reach_the_adapter() -> None:
    session, adapter = requests.Session(), InMemory()
    session.mount("http://memory", adapter)
    transport = connect("http://memory", session=session, verify=False, timeout=3)
    copy = transport.using(timeout=(1, 2), headers={"X-A": "1"})
    transport.request("GET", "/x")
    copy.request("GET", "/x")
    copy.request("GET", "/x", timeout=600, headers={"X-A": "2"})
    assert [options["timeout"] for options in adapter.options] == [3, (1, 2), 600]
    assert [request.headers.get("X-A") for request in adapter.requests] == [None, "1", "2"]
    assert adapter.options[0]["verify"] is False


def test_the_system_may_name_a_ca_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    session, adapter = requests.Session(), InMemory()
    session.mount("http://memory", adapter)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/of/the/system")
    connect("http://memory", session=session).request("GET", "/x")
    connect("http://memory", session=session, verify="/mine").request("GET", "/x")
    assert [options["verify"] for options in adapter.options] == ["/of/the/system", "/mine"]


def test_a_copy_shares_connections_and_does_not_close_them(serve: Serve) -> None:
    server = serve(ok({}))
    transport = connect(server)
    transport.request("GET", "/x")
    transport.using(timeout=1).request("GET", "/x")
    transport.using().close()
    transport.request("GET", "/x")
    assert {seen.connection for seen in server.seen} == {1}
    transport.close()
    transport.request("GET", "/x")
    assert server.seen[-1].connection == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_connections_of_its_own(serve: Serve) -> None:
    server = serve(ok({}))
    transport = connect(server)
    transport.request("GET", "/x")
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            transport.request("GET", "/child")
        os._exit(0)
    os.waitpid(child, 0)
    transport.request("GET", "/x")
    assert [(seen.target, seen.connection) for seen in server.seen] == [
        ("/x", 1),
        ("/child", 2),
        ("/x", 1),
    ]


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("http://h", "http://h"),
        (" HTTPS://Host:8080/a/b// \n", "https://host:8080/a/b"),
        ("http://[::1]:80/", "http://[::1]:80"),
    ],
)
def test_base_urls(url: str, normal: str) -> None:
    assert normalize_url(url) == normal


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "http://"),
        ("localhost:8080", "http://"),
        ("ftp://h", "http://"),
        ("http://", "name a host"),
        ("http://ann:passw0rd@h/", "holds credentials"),
        ("ann:passw0rd@h", "http://"),
        ("http://h/?token=passw0rd", "query"),
        ("http://h/#x", "fragment"),
        ("http://h:99999", "port"),
        (None, "http://"),
    ],
)
def test_impossible_base_urls(url: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        connect(url)
    assert "passw0rd" not in str(caught.value)


@pytest.mark.parametrize("timeout", [0, -1, "5", (1,), (1, 2, 3), (1, -2), True, [1, 2]])
def test_impossible_timeouts(timeout: Any) -> None:
    with pytest.raises(ValueError, match="timeout"):
        connect("http://h", timeout=timeout)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "s3cret\r\nX-B: 1"},
        {"X-A": "s3cret\u20ac"},
        {"X-A": " s3cret"},
        {"X-A": 5},
        {"authorization": "s3cret"},
    ],
)
def test_impossible_headers(headers: Any) -> None:
    with pytest.raises(ValueError, match="header") as caught:
        connect("http://h", headers=headers)
    assert "s3cret" not in str(caught.value)


def test_a_path_is_absolute() -> None:
    with pytest.raises(ValueError, match="starts with"):
        connect("http://h").request("GET", "api/x")


def test_a_missing_ca_bundle_is_told_as_such() -> None:
    with pytest.raises(OSError, match="no/such/bundle"):
        connect("https://127.0.0.1:9", verify="/no/such/bundle").request("POST", "/x")


def test_https_to_a_plain_http_server(waits: Waits) -> None:
    plain = socket.create_server(("127.0.0.1", 0))

    def speak_http() -> None:
        connection, _ = plain.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    threading.Thread(target=speak_http, daemon=True).start()
    with plain, pytest.raises(ConnectionFailed, match=r"no secure connection.*Is it https"):
        connect(f"https://127.0.0.1:{plain.getsockname()[1]}", waits).request("POST", "/x")
    assert waits == []


# Secrets


@contextmanager
def debug_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG, logger="labelstudio_orm"):
        yield


@pytest.mark.parametrize("key", [KEY, PAT])
def test_no_secret_in_errors_logs_or_tracebacks(
    serve: Serve, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    def echo(request: Seen) -> Answer:
        if request.target.endswith("/refresh/"):
            return ok({"access": jwt(token_type="access", exp=4e9)})
        said = f"{request.authorization} {request.body.decode()}"
        return answer(400, {"detail": said, "validation_errors": {"x": [said]}})

    pages = [echo, *(lambda _, fault=fault: fault for fault in BREAKS.values())]
    nowhere = f"http://127.0.0.1:{closed_port()}"
    texts: list[str] = []
    with debug_log(caplog):
        for url in [*(serve(reply=page).url for page in pages), nowhere]:
            transport = connect(url, credential=Credential(key), timeout=(5, 0.1))
            texts.append(repr(transport) + repr(vars(transport)))
            for method in ("GET", "POST"):
                with pytest.raises(LabelStudioError) as caught:
                    transport.request(method, "/x", params={"password": "p4ssw0rd"})
                error = caught.value
                texts += traceback.format_exception(type(error), error, None)
                texts += [str(error), repr(vars(error)), repr(pickle.dumps(error))]
            with pytest.raises(TypeError, match="cannot be pickled"):
                pickle.dumps(transport)
    texts += [record.getMessage() for record in caplog.records if record.name == "labelstudio_orm"]
    everything = "\n".join(texts)
    assert "/: 502" in everything.replace("/x", "/")  # the log is on
    for secret in (key, key.rpartition(".")[2], "p4ssw0rd", jwt(token_type="access", exp=4e9)):
        assert secret not in everything


def test_log_line(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    with debug_log(caplog):
        connect(serve(ok({}))).request("GET", "/api/x", params={"q": "hidden"})
    (line,) = [r.getMessage() for r in caplog.records if r.name == "labelstudio_orm"]
    assert line.startswith("GET /api/x: 200, ")
    assert line.endswith(" ms")


# Speed


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="Linux only")
def test_each_answer_on_a_kept_connection_is_acknowledged_at_once(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The flag does not last, so it is asked for before each answer."""
    asked: list[int] = []
    set_option = socket.socket.setsockopt

    def spy(self: socket.socket, level: int, option: int, *value: Any) -> None:
        if (level, option) == (socket.IPPROTO_TCP, socket.TCP_QUICKACK):
            asked.append(self.fileno())
        set_option(self, level, option, *value)

    monkeypatch.setattr(socket.socket, "setsockopt", spy)
    server = serve(answer(200, {}))
    transport = connect(server)
    for _ in range(3):
        transport.request("GET", "/x")
    assert len({seen.connection for seen in server.seen}) == 1
    assert len(asked) == 3
    assert len(set(asked)) == 1
