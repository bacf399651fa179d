from __future__ import annotations

import base64
import copy
import json
import pickle
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from labelstudio_orm._engine.http.auth import Credential
from labelstudio_orm._engine.values.secret import Secret, redact
from labelstudio_orm.errors import AuthenticationError

LEGACY = "0123456789abcdef0123456789abcdef01234567"


def jwt(**claims: Any) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}.c2lnbmF0dXJl"


PAT = jwt(token_type="refresh", exp=4e9, jti="pat")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Exchange:
    """Counts the exchanges, and gives access tokens of a known lifetime."""

    def __init__(self, lifetime: float = 300.0, skew: float = 0.0) -> None:
        self.calls: list[Secret] = []
        self.lifetime = lifetime
        self.skew = skew

    def __call__(self, refresh: Secret) -> str:
        self.calls.append(refresh)
        issued = time.time() + self.skew
        exp = issued + self.lifetime
        return jwt(token_type="access", exp=exp, iat=issued, jti=str(len(self.calls)))


def never(refresh: Secret) -> str:
    raise AssertionError("no exchange is due")


@pytest.mark.parametrize(
    ("key", "kind", "header"),
    [
        (LEGACY, "legacy", f"Token {LEGACY}"),
        (f"  {LEGACY}\r\n", "legacy", f"Token {LEGACY}"),
        ("a.b.c", "legacy", "Token a.b.c"),
        (jwt(exp=4e9), "legacy", f"Token {jwt(exp=4e9)}"),
        (jwt(token_type="access"), "access", f"Bearer {jwt(token_type='access')}"),
    ],
)
def test_kinds_that_are_sent_as_they_are(key: str, kind: str, header: str) -> None:
    credential = Credential(key)
    assert credential.kind == kind
    assert credential.header(never) == header
    assert credential.renew(header, never) is False


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("", "empty"),
        (" \n", "empty"),
        (f"Token {LEGACY}", "without 'Token'"),
        ("a\nb", "white space"),
        ("schlüssel", "character"),
        ("a\x00b", "character"),
        (PAT.rpartition(".")[0], "without its last part"),
    ],
)
def test_keys_that_no_server_issued(key: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        Credential(key)
    assert not key.strip() or key not in str(caught.value)


def test_key_of_another_type() -> None:
    with pytest.raises(TypeError, match="not NoneType"):
        Credential(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("lifetime", "age"), [(300.0, 270.0), (100.0, 80.0), (1.0, 0.8)])
@pytest.mark.parametrize("skew", [0.0, -86_400.0, 86_400.0])
def test_renewed_ahead_of_its_end(lifetime: float, age: float, skew: float) -> None:
    clock, exchange = Clock(), Exchange(lifetime, skew)
    credential = Credential(PAT, clock=clock)
    first = credential.header(exchange)
    assert first.reveal().startswith("Bearer ")
    assert exchange.calls == [PAT]
    clock.now += age - 0.01
    assert credential.header(exchange) == first
    clock.now += 0.02
    assert credential.header(exchange) != first
    assert len(exchange.calls) == 2


def test_access_token_that_tells_no_end_is_kept_until_a_401() -> None:
    clock = Clock()
    credential = Credential(PAT, clock=clock)
    assert credential.header(lambda _: "opaque") == "Bearer opaque"
    clock.now += 1e9
    assert credential.header(never) == "Bearer opaque"
    assert credential.renew("Bearer opaque", lambda _: "next") is True
    assert credential.header(never) == "Bearer next"


def test_a_401_renews_once_for_all_who_got_it() -> None:
    exchange = Exchange()
    credential = Credential(PAT)
    rejected = credential.header(exchange)
    assert credential.renew(rejected, exchange)
    assert credential.renew(rejected, exchange)
    assert len(exchange.calls) == 2


def in_threads(count: int, work: Callable[[], object]) -> list[object]:
    results: list[object] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_one_renewal_for_many_threads() -> None:
    exchange = Exchange()

    def slowly(refresh: Secret) -> str:
        time.sleep(0.05)
        return exchange(refresh)

    credential = Credential(PAT)
    headers = in_threads(20, lambda: credential.header(slowly))
    assert len(headers) == 20
    assert len(set(headers)) == 1
    assert len(exchange.calls) == 1


def test_a_failed_renewal_is_one_failure_for_those_who_waited() -> None:
    calls: list[Secret] = []
    started = threading.Barrier(10)

    def fail(refresh: Secret) -> str:
        calls.append(refresh)
        time.sleep(0.2)
        raise AuthenticationError("revoked", status=401)

    credential = Credential(PAT)

    def work() -> Secret:
        started.wait()
        return credential.header(fail)

    errors = in_threads(10, work)
    assert [type(e) for e in errors] == [AuthenticationError] * 10
    assert len({id(e) for e in errors}) == 10
    assert len(calls) < 10
    with pytest.raises(AuthenticationError):  # and no failure sticks
        credential.header(fail)
    exchange = Exchange()
    assert credential.header(exchange).reveal().startswith("Bearer ")


@pytest.mark.parametrize(
    ("key", "answer", "said"),
    [
        (LEGACY, "", "legacy tokens are disabled"),
        (jwt(token_type="access", exp=1), "", "which has expired"),
        (jwt(token_type="access", exp=4e9), "", "may have expired"),
        (PAT, "Token is blacklisted", "revoked, or replaced"),
        (PAT, "Token is expired", "has expired"),
        (PAT, "Token is invalid", "not issued by this server"),
        (PAT, "", "disabled"),
    ],
)
def test_hint_says_which_kind_and_where_to_find_one(key: str, answer: str, said: str) -> None:
    hint = Credential(key).hint(answer)
    assert said in hint
    assert "Account & Settings" in hint
    assert key not in hint


@pytest.mark.parametrize("key", [LEGACY, PAT, jwt(token_type="access")])
def test_no_way_out_for_the_secret(key: str) -> None:
    credential = Credential(key)
    header = credential.header(Exchange())
    secret = header.reveal().split()[1]
    shown = repr(credential) + str(credential) + f"{credential!r}"
    assert key not in shown
    assert secret not in shown
    assert redact(f"a {key} b {secret} c", credential.secrets) == "a *** b *** c"
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            leak(credential)
