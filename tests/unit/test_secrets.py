"""Secrets are planted in every field that is declared as one, and wherever a credential goes; they
are found nowhere but in what was sent.
"""

from __future__ import annotations

import inspect
import io
import itertools
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.response import HTTPResponse

import labelstudio_orm
from labelstudio_orm import (
    FieldError,
    ImportStorage,
    JobFailed,
    LabelStudio,
    LabelStudioError,
    Q,
    Webhook,
)
from labelstudio_orm import _cli as cli
from labelstudio_orm._engine.fields.fields import Field
from labelstudio_orm._engine.fields.options import options_of
from labelstudio_orm._engine.http.transport import Retry
from labelstudio_orm._engine.records.origin import NOWHERE, Origin
from labelstudio_orm._engine.values.registry import registry
from labelstudio_orm._engine.values.secret import Secret, redact
from labelstudio_orm.migrate import copy_project, snapshot, sync, verify
from labelstudio_orm.testing import FakeLabelStudio, LocalLabelStudio
from tests.unit import leaks

URL = "http://127.0.0.1:1"
ONCE = Retry(total=1, backoff=0)
KEY = "canary-of-the-client-0123456789"

FIELDS = [
    pytest.param(model, field, id=f"{name}.{field.name}")
    for name, model in sorted(registry.items())
    for field in options_of(model).fields.values()
    if field.secret
]


def canary(field: Field) -> Any:
    """A secret for a field, and the text that is looked for."""
    text = f'canary-"{field.owner.__name__}"-{field.name}-0123456789'
    return {"Authorization": f"Bearer {text}"} if field.name == "headers" else text


def token(field: Field) -> str:
    """What must not be seen of it, however it is quoted."""
    return f"-{field.name}-0123456789"


def required(model: Any) -> dict[str, Any]:
    """The arguments without which there is no object."""
    parameters = inspect.signature(model.__init__).parameters.values()
    named = {one.name for one in parameters if one.default is one.empty} - {"self"}
    relations = {one.name for one in options_of(model).relations.values() if one.required}
    found = {**dict.fromkeys(named, "http://example.com"), **dict.fromkeys(relations, 1)}
    return {**found, "provider": "OpenAI"} if "provider" in found else found


class Echo(BaseAdapter):
    """A server, or a proxy, that quotes all that it was sent; ``answer`` makes its answer of it."""

    def __init__(self, answer: Callable[[str], tuple[int, dict[str, str], str]]) -> None:
        super().__init__()
        self.answer = answer

    def close(self) -> None:
        """Nothing is open."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        body = request.body.decode() if isinstance(request.body, bytes) else request.body or ""
        said = f"{dict(request.headers)} {body} "
        if body:
            said += " ".join(map(str, json.loads(body).values()))
        status, headers, text = self.answer(said)
        response = requests.Response()
        response.status_code, response.url, response.request = status, str(request.url), request
        response.headers = CaseInsensitiveDict(headers)
        response.raw = HTTPResponse(
            io.BytesIO(text.encode()), headers, status, preload_content=False
        )
        return response


def _json(status: int, make: Callable[[str], Any]) -> Callable[[str], Any]:
    kind = {"Content-Type": "application/json"}
    return lambda said: (status, kind, json.dumps(make(said)))


def _broken(said: str) -> Any:
    reset = ConnectionResetError(f"reset after {said}")
    raise requests.exceptions.ConnectionError(f"cannot send {said}") from reset


def _malformed(said: str) -> Any:
    raise ValueError(f"no HTTP: {said}")


def _interrupted(said: str) -> Any:
    raise OSError(2, "no such file")


ANSWERS: dict[str, Callable[[str], Any]] = {
    "detail": _json(400, lambda said: {"detail": said}),
    "validation": _json(400, lambda said: {"validation_errors": {"x": [said], said[:90]: [said]}}),
    "bare": _json(400, lambda said: {"field": [{"inner": said}]}),
    "text": lambda said: (400, {"Content-Type": "text/plain"}, f"what is {said}?"),
    "page": lambda said: (502, {"Content-Type": "text/html"}, f"<title>{said}</title>"),
    "unauthorized": _json(401, lambda said: {"detail": f"Invalid token {said}"}),
    "forbidden": _json(403, lambda said: {"detail": said}),
    "missing": _json(404, lambda said: {"detail": said}),
    "conflict": _json(409, lambda said: {"detail": said}),
    "busy": _json(429, lambda said: {"detail": said}),
    "broken": _json(500, lambda said: {"detail": said, "exc_info": said}),
    "no json": lambda said: (200, {"Content-Type": "text/plain"}, said),
    "half": lambda said: (200, {"Content-Type": "application/json"}, '{"id": 1, "x": "' + said),
    "another": _json(200, lambda said: [1]),
    "redirect": lambda said: (302, {"Location": f"/elsewhere?{said}"}, ""),
    "login": lambda said: (302, {"Location": f"/user/login?{said}"}, ""),
    "reset": _broken,
    "no HTTP": _malformed,
    "no file": _interrupted,
}


def client(answer: Callable[[str], Any], **options: Any) -> LabelStudio:
    session = requests.Session()
    session.mount("http://", Echo(answer))
    return LabelStudio(URL, KEY, session=session, retries=ONCE, **options)


def saved(model: Any, ls: LabelStudio) -> Any:
    row = {options_of(model).key_wire: 1, "project": 1, "url": "http://example.com"}
    return model._from_row(row, Origin(ls, whole=True))


def objects(model: Any, ls: LabelStudio) -> Any:
    listed = ls.all_of(model)
    return listed.filter(project=1) if model.__name__ in ("MLBackend", *STORAGES) else listed


STORAGES = ("Azure", "GCS", "Redis", "S3", "S3S")

VERBS: dict[str, Callable[[Any, LabelStudio, dict[str, Any]], Any]] = {
    "save": lambda model, ls, said: model(**required(model), **said).save(using=ls),
    "create": lambda model, ls, said: objects(model, ls).create(**required(model), **said),
    "change": lambda model, ls, said: _changed(saved(model, ls), said).save(),
    "force": lambda model, ls, said: _changed(saved(model, ls), said).save(force=True),
    "bulk_create": lambda model, ls, said: objects(model, ls).bulk_create(
        [{**required(model), **said}, {**required(model), **said}]
    ),
    "get_or_create": lambda model, ls, said: objects(model, ls).get_or_create(
        {**required(model), **said}, id__in=[5]
    ),
    "update_or_create": lambda model, ls, said: objects(model, ls).update_or_create(
        {**required(model), **said}, id__in=[5]
    ),
    "update": lambda model, ls, said: objects(model, ls).filter(id=5).update(**said),
    "bulk_update": lambda model, ls, said: objects(model, ls).bulk_update(
        [_changed(saved(model, ls), said)]
    ),
    "request": lambda model, ls, said: ls.request(
        "POST", "/api/x/", json={"id": 1, **said}, expect=("id",)
    ),
}


def _changed(obj: Any, said: dict[str, Any]) -> Any:
    for name, value in said.items():
        setattr(obj, name, value)
    return obj


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No log, and no warning, has ever a secret in it."""
    caplog.set_level(logging.DEBUG)
    yield
    assert "0123456789" not in caplog.text


def error_of(act: Callable[[], Any]) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011
        act()
    return caught.value


WHOLE: tuple[Any, ...] = (Webhook.headers, ImportStorage.S3.aws_secret_access_key)
"""The fields of which every verb is tried with every answer; of the others with some."""


@pytest.mark.slow
@pytest.mark.parametrize(("model", "field"), FIELDS)
def test_servers_that_quote_what_they_are_sent(model: Any, field: Field) -> None:
    found = {}
    for number, (verb, name) in enumerate(itertools.product(VERBS, ANSWERS)):
        if (number % 7 and field not in WHOLE) or (verb, name) == ("update", "missing"):
            continue  # what is gone needs no update
        ls = client(ANSWERS[name], headers={"X-Key": "canary-of-a-header-0123456789"})
        said = {field.name: canary(field)}
        error = error_of(partial(VERBS[verb], model, ls, said))
        assert isinstance(error, (LabelStudioError, OSError, FieldError)), error
        for secret in (token(field), KEY, "of-a-header-0123"):
            if places := leaks.in_error(error, secret, __name__):
                found[verb, name, secret] = places
    assert not found


WRONG: dict[str, Callable[[Any], Any]] = {
    "bytes": lambda secret: str(secret).encode(),
    "a list": lambda secret: [secret],
    "a list inside": lambda secret: {"a": {str(secret).encode()}},
    "a set": lambda secret: {str(secret)},
    "half a pair": lambda secret: f"{secret}\ud800",
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(("model", "field"), FIELDS)
def test_values_of_a_wrong_type(model: Any, field: Field, wrong: str) -> None:
    said = {field.name: WRONG[wrong](canary(field))}
    ls = client(ANSWERS["detail"])
    for verb in VERBS.values():
        error = error_of(partial(verb, model, ls, dict(said)))
        assert leaks.in_error(error, token(field), __name__) == []


MISSPELT = [verb for verb in VERBS if verb != "request"]


@pytest.mark.parametrize(("model", "field"), FIELDS)
def test_a_secret_under_a_misspelt_name(model: Any, field: Field) -> None:
    ls = client(ANSWERS["detail"])
    name = field.name[:-2] + field.name[-1] + "_x"
    listed = objects(model, ls)
    acts: list[Callable[[], Any]] = [
        *(lambda verb=verb: VERBS[verb](model, ls, {name: canary(field)}) for verb in MISSPELT),
        lambda: listed.filter(**{name: canary(field)}),
        lambda: listed.exclude(**{f"{name}__in": [canary(field)]}),
        lambda: listed.get(**{name: canary(field)}),
        lambda: listed.get_or_create(**{name: canary(field)}),
    ]
    for act in acts:
        error = error_of(act)
        assert leaks.in_error(error, token(field), __name__) == []


@pytest.mark.parametrize(("model", "field"), FIELDS)
def test_objects_and_dry_runs(model: Any, field: Field) -> None:
    said = {field.name: canary(field)}
    ls = client(ANSWERS["detail"])
    new, old = model(**required(model), **said), _changed(saved(model, ls), said)
    kept = model._from_row({"id": 1, field.wire: canary(field)}, NOWHERE)
    for obj in (new, old, kept):
        assert getattr(obj, field.name) == canary(field)
        assert leaks.in_object(obj, token(field)) == []
    assert field.name in new.changes
    assert field.name in old.changes
    assert kept.changes == {}
    ls = FakeLabelStudio(edition="Enterprise").client()
    with ls.dry_run() as plan:
        made = model(**required(model), **said).save(using=ls)
        _changed(saved(model, ls), said).save()
    assert len(plan.writes) == 2
    assert all(write.body[field.wire] == "***" for write in plan.writes)
    for one in (made, plan, *plan.writes):
        assert leaks.in_object(one, token(field)) == []
    shown = [repr(plan.writes), plan.summary(), json.dumps([attrs.asdict(w) for w in plan.writes])]
    assert token(field) not in " ".join(shown)


@pytest.mark.parametrize(("model", "field"), FIELDS)
def test_nothing_is_asked_for_by_a_secret(model: Any, field: Field) -> None:
    listed = objects(model, client(ANSWERS["detail"]))
    secret = canary(field)
    for act in (
        lambda: listed.filter(**{field.name: secret}),
        lambda: listed.exclude(**{f"{field.name}__icontains": secret}),
        lambda: listed.filter(Q(**{f"{field.name}__in": [secret]}) | Q(id=5)),
        lambda: listed.filter(~Q(**{f"{field.name}__has_key": secret})),
        lambda: listed.get(**{field.name: secret}),
        lambda: listed.get_or_create(**{field.name: secret}),
        lambda: list(listed.order_by(field.name)),
        lambda: listed.values(field.name),
    ):
        error = error_of(act)
        assert isinstance(error, FieldError)
        assert field.name in str(error)
        assert leaks.in_error(error, token(field), __name__) == []
    condition = Q(**{field.name: secret}) & ~Q(**{f"{field.name}__icontains": secret})
    assert token(field) not in repr(condition)


CLIENTS: dict[str, Callable[[], Any]] = {
    "swapped": lambda: LabelStudio(KEY, URL),
    "swapped, from the environment": lambda: LabelStudio(KEY),
    "key as url": lambda: LabelStudio(KEY, KEY),
    "key in the url": lambda: LabelStudio(f"http://me:{KEY}@example.com", "other-key"),
    "key in a query": lambda: LabelStudio(f"http://example.com/?token={KEY}", "other-key"),
    "bytes": lambda: LabelStudio(URL, KEY.encode()),  # type: ignore[arg-type]
    "with a word": lambda: LabelStudio(URL, f"Token {KEY}"),
    "with a sign": lambda: LabelStudio(URL, f"{KEY}é"),
    "page_size": lambda: LabelStudio(URL, KEY, page_size=0),
    "timeout": lambda: LabelStudio(URL, KEY, timeout=-1),
    "headers": lambda: LabelStudio(URL, "some-key", headers={"X-Key": f"{KEY}\n"}),
    "an Authorization": lambda: LabelStudio(URL, "some-key", headers={"Authorization": KEY}),
    "proxies": lambda: LabelStudio(
        URL,
        "some-key",
        proxies=f"http://me:{KEY}@proxy",  # type: ignore[arg-type]
    ),
    "connect": lambda: labelstudio_orm.connect(KEY, URL),
    "using": lambda: LabelStudio(URL, "some-key").using(headers={"X-Key": f"{KEY}\n"}),
    "using, later": lambda: LabelStudio(URL, KEY).using(timeout=-1, headers={"X-Key": KEY}),
    "a request": lambda: LabelStudio(URL, "k").request("GET", "/x", headers={"X": f"{KEY}\n"}),
    "refresh": lambda: LabelStudio(URL, "some-key", retries=0).tokens.refresh(KEY),
    "blacklist": lambda: LabelStudio(URL, "some-key", retries=0).tokens.blacklist(KEY),
    "rotate": lambda: LabelStudio(URL, "some-key", retries=0).tokens.rotate(KEY),
}


@pytest.mark.parametrize("way", CLIENTS)
def test_clients_that_cannot_be(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", URL)
    error = error_of(CLIENTS[way])
    assert leaks.in_error(error, KEY, __name__) == []


PROXIES = [
    f"http://me:{KEY}@127.0.0.1:1",
    f"http://me:{KEY}@127.0.0.1:no-port",
    f"me:{KEY}@[no-address",
    f"gopher://me:{KEY}@127.0.0.1:1",
    f"http://{KEY}@",
]


@pytest.mark.parametrize("proxy", PROXIES)
@pytest.mark.parametrize("place", ["option", "environment", "session"])
def test_proxies(proxy: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {}
    if place == "option":
        options["proxies"] = {"http": proxy, "https": proxy}
    elif place == "session":
        options["session"] = requests.Session()
        options["session"].proxies = {"http": proxy}
    else:
        monkeypatch.setenv("http_proxy", proxy)
    ls = LabelStudio("http://example.invalid", "some-key", retries=0, **options)
    error = error_of(ls.projects.count)
    assert isinstance(error, LabelStudioError)
    assert leaks.in_error(error, KEY, __name__) == []
    assert leaks.in_object(ls, KEY) == leaks.in_object(ls._transport, KEY) == []


def test_objects_that_hold_a_credential() -> None:
    fake = FakeLabelStudio()
    ls = fake.client(headers={"X-Key": "canary-0123456789"})
    made = ls.tokens.create()
    with LabelStudio(fake.url, made.token, session=fake.session()) as other:
        other.projects.count()
        access = other._transport._credential._access
        assert access is not None
        secrets = (made.token, access.header.reveal().split()[1], fake.api_key, "canary-0123")
        held = (ls, other, ls._transport, other._transport, ls._transport._credential)
        for one in (*held, other._transport._credential, access, made, ls.tokens, ls.projects):
            for secret in secrets:
                assert leaks.in_object(one, secret) == []


def test_a_listing_that_breaks_shows_nothing_of_the_rows_before() -> None:
    fake = FakeLabelStudio()
    ls = fake.client(retries=Retry(total=0))
    project = ls.projects.create(title="Hooks", task_data_password="canary-0123456789")
    project.webhooks.create(url="http://example.com", headers={"X": "canary-0123456789"})
    hook = project.webhooks.get()
    assert hook.headers == {"X": "canary-0123456789"}
    hook.headers["Y"] = "1"
    assert hook.save().changes == {}
    assert project.webhooks.get().headers == {"X": "canary-0123456789", "Y": "1"}
    for rows in (project.webhooks.all(), ls.projects.all()):

        def read(rows: Any = rows) -> None:
            for _ in rows.iterator():
                raise ValueError("broken")

        assert leaks.in_error(error_of(read), "canary-0123", __name__) == []


def test_a_secret_is_equal_to_what_is_in_it_and_shows_it_to_nobody() -> None:
    secret = Secret("canary-0123456789")
    assert secret == "canary-0123456789"
    assert secret == Secret("canary-0123456789")
    assert secret != "another"
    among: dict[object, int] = {secret: 1}
    assert among["canary-0123456789"] == 1
    assert leaks.in_object(secret, "canary-0123") == []
    assert f"{secret} {secret!r} {secret!s} {[secret]}" == "*** *** *** [***]"
    with pytest.raises(TypeError, match="JSON"):
        json.dumps({"key": secret})


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("abcd-0123456789", 'x abcd-0123456789 "abcd-0123456789"'),
        ("abcd-0123456789", "cut: 'abcd-01234...'"),
        ('ab"cd\\-0123456789', json.dumps('ab"cd\\-0123456789')),
        ("ab cd/0123456789", "ab%20cd%2F0123456789"),
        ({"X": "Bearer 0123456789"}, "the token 0123456789 is wrong"),
        ('{"private_key": "k-0123456789"}', "the key k-0123456789 is no key"),
    ],
)
def test_what_a_server_says_is_told_without_secrets(secret: Any, said: str) -> None:
    assert "01234" not in redact(said, [secret])


# -- other ways out -------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["error", "traceback"])
def test_the_reason_of_a_job_that_failed(ls: LabelStudio, field: str) -> None:
    """A server tells in it what it was doing, with what it was given."""
    client = ls.using(headers={"X-Key": "canary-of-a-header-0123456789"})
    said = f"KeyError: {KEY} canary-of-a-header-0123456789 {ls._transport._credential.secrets}"
    row = {"id": 1, "project": 1, "status": "failed", field: f"Traceback ...\n{said}"}
    for name in ("ImportJob", "ImportStorage.S3"):
        job: Any = registry[name]._from_row(row, Origin(client, whole=True))
        if name.endswith("S3"):
            job.aws_secret_access_key = KEY
        error = error_of(job.wait)
        assert isinstance(error, JobFailed)
        if name.endswith("S3"):
            assert leaks.in_error(error, KEY, __name__) == []
        assert leaks.in_error(error, "of-a-header-0123456789", __name__) == []


class Trap(Exception):
    """Raised in the middle of a migration."""


HEADERS = {"Authorization": "Bearer canary-0123456789"}


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["copy", "sync", "snapshot", "verify", "secrets", "no dict"])
def test_frames_of_migrations(tmp_path: Path, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error at any request of one, and one of who gives the secrets."""
    here, there = FakeLabelStudio(), FakeLabelStudio("http://other.fake")
    source = here.client().projects.create(title="All", task_data_password="canary-0123456789")
    hook = source.webhooks.create(url="http://example.com", headers=HEADERS)
    for one in (here, there):
        one.blobs["s3://b/"] = b""
    keys = {"aws_access_key_id": "canary-0123456789", "aws_secret_access_key": "canary-0123456789"}
    source.import_storages.s3.create(bucket="b", **keys)
    source.tasks.create(data={"a": 1})
    to, path = there.client(), tmp_path / "c.db"
    no_dict: Any = lambda *_: [KEY]  # noqa: E731
    acts: dict[str, Callable[[], Any]] = {
        "copy": lambda: copy_project(source, to=to, journal=path, secrets=lambda *_: keys),
        "snapshot": lambda: snapshot(source, tmp_path / "s.zip"),
        "secrets": lambda: copy_project(source, to=to, secrets=lambda *_: {"no field": KEY}),
        "no dict": lambda: copy_project(source, to=to, secrets=no_dict),
    }
    if verb in ("sync", "verify"):
        target = acts["copy"]().target
        hook.headers = {**HEADERS, "X-New": "canary-0123456789"}
        hook.save()
        acts["sync"] = lambda: sync(source, target, journal=path, secrets=lambda *_: keys)
        acts["verify"] = lambda: verify(source, target)
    if verb == "no dict":
        error = error_of(acts[verb])
        assert leaks.in_error(error, KEY, __name__) == []
        return
    if verb == "secrets":
        report = acts[verb]()
        assert KEY not in str(report) + repr(report.as_json())
        return
    left = [0]
    real = requests.Session.send

    def send(*args: Any, **options: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            raise Trap
        return real(*args, **options)

    monkeypatch.setattr(requests.Session, "send", send)
    for number in range(1, 80, 5):
        left[0] = number
        with suppress(Trap):
            _watched(acts[verb])


def _watched(act: Callable[[], Any]) -> None:
    try:
        act()
    except Trap as error:
        for look, skip in ((leaks.in_error, __name__), (leaks.in_trace, __file__)):
            if places := look(error, "canary-0123456789", skip):
                pytest.fail(str(places))
        raise


@pytest.mark.parametrize(
    "words",
    [
        ["export", "--apikey", KEY], ["export", f"--apikey={KEY}"], ["--api_key", KEY, "export"],
        ["export", "1", "--token", KEY], ["export", f"--json={KEY}"], ["0123456789abcdef" * 3],
        ["export", "--workers", "0123456789abcdef" * 3], ["migrate", "--to-apikey", KEY],
    ],
)  # fmt: skip
def test_the_command_line_quotes_no_key(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main(words)
    said = capsys.readouterr().err
    assert KEY not in said
    assert "0123456789" not in said
    assert "error" in said


def test_a_local_server_shows_no_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server = LocalLabelStudio(settings={"PASSWORD": KEY}, data_dir=tmp_path, progress=str)
    assert server.settings == {"PASSWORD": KEY}
    for secret in (server.api_key, KEY):
        assert leaks.in_object(server, secret) == []
    server.log.write_text(f"using {server.api_key} and {KEY}")
    monkeypatch.setattr("labelstudio_orm.testing._local._get", lambda *_: None)
    for act in (
        lambda: server._wait_until_ready(0),
        lambda: server._launch(tmp_path / "no" / "python"),
        lambda: server._fill_data_dir(tmp_path),
        lambda: LocalLabelStudio(settings={"PASSWORD": [KEY]}),  # type: ignore[dict-item]
    ):
        error = error_of(act)
        for secret in (server.api_key, KEY):
            assert leaks.in_error(error, secret, __name__) == []


MODELS = [model for _, model in sorted(registry.items()) if options_of(model).secret_wires]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: options_of(model).name)
def test_a_secret_without_a_name(model: Any) -> None:
    listed = objects(model, client(ANSWERS["detail"]))
    for act in (lambda: listed.create(KEY), lambda: model(KEY)):
        error = error_of(act)
        assert leaks.in_error(error, KEY, __name__) == []
