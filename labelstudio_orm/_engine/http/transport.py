"""HTTP: one session with authentication, retries, timeouts, streams, and helpful errors."""

from __future__ import annotations

import copy
import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TypeAlias
from urllib.parse import SplitResult, urljoin, urlsplit
from urllib.request import getproxies

import requests
from attrs import evolve, field, frozen, validators
from requests import exceptions
from urllib3.exceptions import HTTPError

from ...errors import (
    APIError,
    AuthenticationError,
    LabelStudioError,
    OutcomeUnknown,
    error_from_response,
    page_summary,
    shorten,
)
from .. import http
from ..values.secret import (
    Secret,
    bare,
    hide,
    passwords_in,
    redact,
    reveal,
    seal,
    secrets_in,
    unseen,
)
from .auth import Credential
from .deadline import bound_of, clock, left, until
from .outcome import (
    MALFORMED,
    MAX_ANSWER,
    Answer,
    AttemptFailed,
    Call,
    CheckedBody,
    Expected,
    busy,
    deadline_passed,
    failure_from,
    final_error,
    host_of,
    is_past_deadline,
    malformed,
    matches,
    read_body,
    truncated,
)
from .paths import checked_path
from .payload import decode, encode
from .rationed import spend
from .required import check_address, query_of
from .session import new_session, no_netrc, user_agent

log = logging.getLogger("labelstudio_orm")

TimeoutValue: TypeAlias = "float | tuple[float | None, float | None] | None"
"""Seconds for connecting and for each wait for data: a pair, or one number for both."""

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PARTIAL, _WITHOUT_FILE = 206, frozenset({202, 204, 205})
"""Successful answers that hold a part of what was requested, or nothing."""
_MAX_REDIRECTS = 5
_MAX_ADDRESS = 16_000
_MAX_ERROR = 1_000_000
_FILES = ("/data/", "/tasks/", "/projects/", "/storage-data/")
"""The paths of files on a server."""
_REFRESH_PATH = "/api/token/refresh/"
_LOGIN_PATH = "/user/login"


@frozen
class Retry:
    """When to retry a request, and how long to wait before it.

    * ``total``: the number of retries; 0 switches them off.
    * ``backoff``: seconds; before the n-th retry (from 0) a random time of up to ``backoff *
      2**n``.
    * ``max_wait``: the longest wait in seconds, also for a server that asks for more by
      ``Retry-After``.

    Any request is retried that provably never reached the server, or that was answered with 429.
    Connections that break, timeouts, truncated answers, 502, 503 and 504 are retried for idempotent
    requests only. A 500 is not retried: Label Studio answers it to mistakes of the caller. (But a
    page of tasks is requested again where one of them was deleted while the server made it.)

    ``sleep`` and ``random`` are for tests.

    >>> LabelStudio("http://localhost:8080", "...", retries=Retry(total=2, max_wait=10))
    <LabelStudio http://localhost:8080>
    """

    total: int = field(default=4, validator=[validators.instance_of(int), validators.ge(0)])
    backoff: float = field(default=0.5, validator=validators.ge(0))
    max_wait: float = field(default=60.0, validator=validators.ge(0))
    sleep: Callable[[float], object] = field(default=time.sleep, repr=False, eq=False)
    random: Callable[[], float] = field(default=random.random, repr=False, eq=False)

    def wait(self, attempt: int, retry_after: float | None = None) -> float:
        """Return the seconds to wait after try number ``attempt``, counted from 0, has failed."""
        # The exponent is bounded because 2.0**1024 overflows.
        longest = min(self.max_wait, self.backoff * 2.0 ** min(attempt, 64))
        return min(self.max_wait, self.random() * longest + (retry_after or 0.0))

    def pause(self, attempt: int) -> None:
        """Wait that long, but not beyond the deadline of the call that this is part of."""
        self.sleep(left(self.wait(attempt)))


class Transport:
    """Sends requests to one server; a client and all of its querysets share it.

    * ``url``: the base URL, with its sub-path if it has one. ValueError unless http or https, and
      for a URL that holds a user name, a password, a query or a fragment.
    * ``timeout``: seconds, (connect, read) or one number for both; None waits forever.
    * ``headers``: sent with each request to this server, and never to another.
    * ``verify``: False, or the path of a CA bundle; True is the system's choice, which
      ``REQUESTS_CA_BUNDLE`` changes.
    * ``session``: a session of your own, used as it is and left open by ``close``.
    * ``deadline``: seconds that one request may take, including its retries, the waits between
      them, redirects, the exchange of a token and the reading of the answer; None is no bound. A
      request that is part of a larger call shares its time. In a session of your own, the deadline
      ends a request between two pieces of an answer.
    * ``max_answer``: the most bytes of an answer, decompressed, that are read into memory; 1 GiB by
      default. Streams, which are files, have no such limit.

    Threads may share it. ``using`` makes a cheap copy with other options.
    """

    @unseen
    def __init__(
        self,
        url: str,
        credential: Credential,
        *,
        timeout: TimeoutValue = (10.0, 120.0),
        retries: Retry = Retry(),
        headers: Mapping[str, str] | None = None,
        verify: bool | str = True,
        proxies: Mapping[str, str] | None = None,
        session: requests.Session | None = None,
        deadline: float | None = None,
        max_answer: int = MAX_ANSWER,
    ) -> None:
        self.url = normalize_url(url)
        self.timeout = _check_timeout(timeout)
        self.deadline = _check_deadline(deadline)
        self.max_answer = _check_max_answer(max_answer)
        self.retries = retries
        self._credential = credential
        self._owns_session = session is None
        self._session = session or new_session()
        self._verify = verify
        self._proxies = Secret(dict(proxies or {}))  # an address may hold a password
        # A session of the user's own may set other headers on purpose.
        defaults = {
            "User-Agent": user_agent(),
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
        }
        plain = requests.utils.default_headers()
        self._headers = {
            name: Secret(value)
            for name, value in defaults.items()
            if self._session.headers.get(name) in (None, plain.get(name))
        } | _check_headers(headers)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Any = None,
        json: Any = None,
        data: Any = None,
        files: Any = None,
        headers: Mapping[str, str] | Secret | None = None,
        timeout: TimeoutValue = None,
        doing: str = "",
        idempotent: bool | None = None,
        expect: Expected = None,
        received: Callable[[int], object] | None = None,
        max_answer: int | None = None,
    ) -> Any:
        """Return the parsed JSON of the answer, or None for an empty one.

        * ``path`` starts with "/" and follows the base URL.
        * ``json``: the body; None is no body. ``data`` is as in requests. ``files``: open ones by
          the names of their fields, as pairs of a name and the file; they are read while they are
          sent.
        * ``timeout``: None is the transport's own.
        * ``doing``: the purpose of the request ("saving Project 5"), for the text of errors.
        * ``idempotent``: whether doing it twice is the same as once; by default, unless a POST.
        * ``expect``: what the answer must be: ``list``, or the keys that an object must have. Any
          other answer counts as lost. None accepts everything, also an empty answer.
        * ``max_answer``: a limit for this answer below the transport's own.

        Raises an ``APIError`` for an answer that is not a success, ``ConnectionFailed`` or
        ``Timeout`` where nothing is known to have changed or repeating is harmless,
        ``OutcomeUnknown`` for a write that is not idempotent and whose answer was lost, and
        ValueError or TypeError, before sending, for values that JSON cannot hold. A retried DELETE
        that finds nothing has succeeded.

        >>> transport.request("PATCH", "/api/projects/1/", json={"title": "Abc"}, doing="saving")
        """
        spend(doing)
        call = self._call(
            method,
            path,
            doing=doing,
            params=params,
            json=json,
            data=data,
            files=files,
            headers=headers,
            timeout=timeout,
        )
        most = min(self.max_answer, max_answer or self.max_answer)
        call = evolve(call, expect=expect, max_answer=most)
        if idempotent is not None:
            call = evolve(call, idempotent=idempotent)
        with until(call.bound):
            answer = self._perform(call, self._authorize)
        if received is not None:
            received(len(answer.body))
        return answer.value

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        *,
        params: Any = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: TimeoutValue = None,
        doing: str = "",
    ) -> Iterator[requests.Response]:
        """Yield a response whose body is still to be read (``iter_content``, or ``raw`` as a file).

        Retried like ``request`` until the answer begins; an error status raises the same errors.
        While reading, a connection that breaks or a body that ends early raises
        ``ConnectionFailed``, a stall ``Timeout``. A redirect to another host (files in a cloud
        storage) is followed without credentials.

        >>> with transport.stream("GET", "/api/projects/1/export", doing="exporting") as response:
        ...     for chunk in response.iter_content(65536): ...
        """
        call = self._call(
            method, path, doing=doing, params=params, json=json, headers=headers, timeout=timeout
        )
        with self._streamed(call, self._authorize) as response:
            yield response

    @contextmanager
    def stream_elsewhere(self, address: str, *, doing: str = "") -> Iterator[requests.Response]:
        """Yield the response of another server to a GET, as ``stream`` does.

        It gets no credential, cookie or header of this client but the User-Agent. Raises ValueError
        for an address that is none.
        """
        parts = _web_address(address)
        prepared = self._prepared("GET", parts.geturl(), None, None)
        agent = prepared.headers.get("User-Agent", "")
        prepared.headers.clear()
        call = Call(
            bound=bound_of(self.deadline),
            prepared=prepared,
            name=f"GET {parts.scheme}://{host_of(parts)}{parts.path}",
            doing=doing,
            timeout=self.timeout,
            idempotent=True,
            body_start=None,
            headers={"User-Agent": self._headers.get("User-Agent", Secret(agent))},
            is_own=False,
        )
        with self._streamed(call, None) as response:
            yield response

    @contextmanager
    def _streamed(
        self, call: Call, authorize: Callable[[], Secret] | None
    ) -> Iterator[requests.Response]:
        spend(call.doing)
        with until(call.bound):
            response = self._perform(evolve(call, stream=True), authorize).response
        response.raw = CheckedBody(response.raw, call)
        try:
            yield response
        finally:
            response.close()

    @unseen
    def using(
        self,
        *,
        timeout: TimeoutValue = None,
        headers: Mapping[str, str] | None = None,
        deadline: float | None = None,
        max_answer: int | None = None,
    ) -> Transport:
        """Return a copy with another timeout, deadline or limit, or more headers.

        Session, pool and credential are shared.
        """
        other = object.__new__(Transport)
        other.__dict__.update(self.__dict__, _owns_session=False)
        if timeout is not None:
            other.timeout = _check_timeout(timeout)
        if deadline is not None:
            other.deadline = _check_deadline(deadline)
        if max_answer is not None:
            other.max_answer = _check_max_answer(max_answer)
        other._headers = self._headers | _check_headers(headers)
        return other

    def close(self) -> None:
        """Close the idle connections, unless the session is the user's own."""
        if self._owns_session:
            self._session.close()

    def __repr__(self) -> str:
        return f"<Transport {self.url}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Transport cannot be pickled or copied: it holds a credential")

    # One request, from its parts to its answer

    def _call(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        params: Any = None,
        json: Any = None,
        data: Any = None,
        files: Any = None,
        headers: Mapping[str, str] | Secret | None = None,
        timeout: TimeoutValue = None,
    ) -> Call:
        path = checked_path(path)
        method = method.upper()
        every = self._headers | _check_headers(headers)
        check_address(path)
        if isinstance(params, Mapping):
            params = query_of(params, f"{method} {path}")
        if files is not None:
            data = http.multipart.Multipart(files, data)
            every["Content-Type"] = Secret(data.content_type)
        elif json is not None:
            data = Secret(encode(json, doing))
            every["Content-Type"] = Secret("application/json")
        prepared = self._prepared(method, self.url + path, data, params)
        body: Any = prepared.body
        seekable = hasattr(body, "seek") and hasattr(body, "tell")
        return Call(
            bound=bound_of(self.deadline),
            prepared=prepared,
            name=f"{method} {urlsplit(self.url).path}{path.partition('?')[0]}",
            doing=doing,
            timeout=self.timeout if timeout is None else _check_timeout(timeout),
            idempotent=method in _IDEMPOTENT,
            body_start=body.tell() if seekable else None,
            headers=every,
            json=json,
        )

    def _prepared(self, method: str, url: str, data: Any, params: Any) -> requests.PreparedRequest:
        request = requests.Request(method, url, data=reveal(data), params=params, auth=no_netrc)
        try:
            return self._session.prepare_request(request)
        except Exception as error:
            raise bare(error) from error.__cause__

    def _perform(self, call: Call, authorize: Callable[[], Secret] | None) -> Answer:
        """Send until there is a usable answer, or raise; without ``authorize`` no credential."""
        attempt = 0
        renewed = lost = False
        while True:
            header = authorize() if authorize else None
            answer, failure = self._outcome(call, header)
            if answer is not None and answer.status == 401 and header and not renewed:
                renewed = True
                if self._credential.renew(header, self._exchange) and call.rewind():
                    continue
            if answer is not None and failure is None:
                return self._finish(call, answer, lost)
            assert failure is not None
            if failure.may_be_done:
                lost = True
                if not call.idempotent:
                    answer = None
                    raise self._unknown(call, failure.text) from failure.root
            wait = self.retries.wait(attempt, failure.retry_after)
            is_last = attempt >= self.retries.total or not failure.retryable
            if not is_last and is_past_deadline(call, wait):
                passed = deadline_passed(call)
                passed.text, passed.root = f"{passed.text} ({failure.text})", failure.root
                raise final_error(call, passed, attempt + 1, lost) from failure.root
            if is_last or not call.rewind():
                self._give_up(call, answer, failure, attempt + 1, lost)
            log.debug("%s: %s; again in %.1f s", call.name, failure.text, wait)
            self.retries.sleep(wait)
            attempt += 1

    def _outcome(
        self, call: Call, header: Secret | None
    ) -> tuple[Answer | None, AttemptFailed | None]:
        """Return the answer to one attempt, and why another one is needed, where it is."""
        try:
            if is_past_deadline(call):
                raise deadline_passed(call)
            answer = self._attempt(call, header)
        except AttemptFailed as caught:
            return None, self._redacted(caught, call)
        failure = busy(answer) or truncated(answer, call)
        return answer, failure and self._redacted(failure, call)

    def _give_up(
        self, call: Call, answer: Answer | None, failure: AttemptFailed, tries: int, lost: bool
    ) -> NoReturn:
        if answer is None:
            raise final_error(call, failure, tries, lost) from failure.root
        if 200 <= answer.status < 300:
            raise self._unreadable(call, answer)
        raise self._refusal(call, answer, lost)

    def _attempt(self, call: Call, header: Secret | None) -> Answer:
        """Return the answer to one request, after redirects. Raises AttemptFailed for none."""
        prepared, headers = call.prepared, call.headers
        if header:
            headers = {**headers, "Authorization": header}
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._send(call, prepared, headers)
            if response.status_code not in _REDIRECTS or "Location" not in response.headers:
                break
            prepared, headers = self._redirected(call, prepared, headers, response)
        else:
            raise APIError(call.failed(f"more than {_MAX_REDIRECTS} redirects"), request=call.name)
        if call.stream and 200 <= response.status_code < 300:
            return Answer(response, b"")
        return Answer(response, read_body(response, call))

    def _send(
        self, call: Call, prepared: requests.PreparedRequest, headers: Mapping[str, Secret]
    ) -> requests.Response:
        """Send a request with its headers, and keep none of them.

        They are neither in the response that is returned, nor in a frame of an error.
        """
        started = time.perf_counter()
        outcome = "no answer"
        try:
            response = self._session.send(
                _with(prepared, headers),
                timeout=_timeout_left(call),
                allow_redirects=False,
                **self._settings(prepared.url or ""),
            )
            response.request = prepared
            outcome = str(response.status_code)
            return response
        except (exceptions.RequestException, HTTPError) as error:
            failure = failure_from(bare(error), call)
        except MALFORMED as error:
            failure = malformed(bare(error))
        except BaseException as error:  # an OSError is about a file, such as the CA bundle
            raise bare(error) from error.__cause__
        finally:
            log.debug("%s: %s, %.0f ms", call.name, outcome, 1e3 * (time.perf_counter() - started))

        raise failure

    def _settings(self, url: str) -> Mapping[str, Any]:
        return self._session.merge_environment_settings(
            url,
            dict(self._proxies.reveal()),
            True,
            # Passed on, because requests lets the environment overrule a session's own.
            self._session.verify if self._verify is True else self._verify,
            None,
        )

    def _redirected(
        self,
        call: Call,
        prepared: requests.PreparedRequest,
        headers: Mapping[str, Secret],
        response: requests.Response,
    ) -> tuple[requests.PreparedRequest, Mapping[str, Secret]]:
        """Return the next request of a redirect that may be followed, and its headers."""
        response.close()
        here = prepared.url or ""
        status = response.status_code
        facts: dict[str, Any] = {"status": status, "request": call.name}
        whole = seal(_target(here, response))
        if whole is None:
            text = f"{status}, the server redirects to an invalid address"
            raise APIError(call.failed(text, "Check the base URL."), **facts)
        target = whole.reveal()._replace(query="")  # a signed address is a secret
        shown = self._redact(f"{target.scheme}://{host_of(target)}{target.path}", call)
        shown = shorten(shown, 300)
        if _LOGIN_PATH in target.path:
            text = f"the server redirects to its login page {shown}"
            raise AuthenticationError(call.failed(text, self._credential.hint()), **facts)
        text = f"{status}, the server redirects to {shown}"
        if prepared.method not in ("GET", "HEAD"):
            hint = "Following it would change the request: use the base URL that it redirects to."
            raise APIError(call.failed(text, hint), **facts)
        follow = copy.copy(prepared)
        follow.headers = prepared.headers.copy()
        follow.url = requests.utils.requote_uri(whole.reveal().geturl())
        if not self._is_below("/", target):
            if not call.stream or (
                self._is_below("/", urlsplit(here))
                and target.hostname == urlsplit(here).hostname
                and _is_upgrade(here, target)
            ):
                hint = "Credentials are not sent to another address: use the right base URL."
                raise APIError(call.failed(text, hint), **facts)
            follow.headers.clear()
            follow.headers["User-Agent"] = prepared.headers.get("User-Agent", "")
            follow.body = None
            headers = {name: headers[name] for name in headers if name == "User-Agent"}
        elif self._is_below("/api/", target) and any(
            self._is_below(path, urlsplit(here)) for path in _FILES
        ):
            # Otherwise a file name could read what its author may not, with this credential.
            raise APIError(call.failed(f"{text}, which is not a file"), **facts)
        return follow, headers

    def _is_below(self, path: str, target: SplitResult) -> bool:
        """Return whether an address is this server's, below its base URL and a path."""
        base = urlsplit(self.url)
        return origin(target) == origin(base) and f"{target.path}/".startswith(base.path + path)

    def _finish(self, call: Call, answer: Answer, lost: bool) -> Answer:
        if answer.status == 404 and lost and call.prepared.method == "DELETE":
            return answer
        if not 200 <= answer.status < 300:
            raise self._refusal(call, answer, lost)
        if answer.status == _PARTIAL or (call.stream and answer.status in _WITHOUT_FILE):
            raise self._unreadable(call, answer)
        is_json = True
        if not call.stream and answer.value is None and answer.body.strip():
            try:
                answer.value = decode(answer.body)
            except ValueError:
                is_json = False
        if not is_json or not matches(answer.value, call.expect):
            raise self._unreadable(call, answer)
        return answer

    # What went wrong

    def _refusal(self, call: Call, answer: Answer, lost: bool) -> APIError:
        body = Secret(answer.take()[:_MAX_ERROR])
        hint = ""
        if answer.status == 401 and call.is_own:
            hint = self._credential.hint(body.reveal().decode("utf-8", "replace"))
        return error_from_response(
            answer.status,
            body.reveal(),
            content_type=answer.content_type,
            request=call.name,
            doing=call.doing,
            hint=hint,
            repeated=lost,
            redact=lambda text: self._redact(text, call),
        )

    def redact(self, text: str, secrets: Iterable[Any] = ()) -> str:
        """Return a text of a server without the secrets of this client, and without these."""
        return redact(self._redact(text), secrets)

    def _redact(self, text: str, call: Call | None = None) -> str:
        """Return a text of a server without the secrets that it may have been sent."""
        if not text:
            return text
        usual = requests.utils.default_headers().values()
        sent = {
            *(reveal(value) for value in (call.headers if call else self._headers).values()),
            *(value for value in self._session.headers.values() if isinstance(value, str)),
        }
        proxies = [
            *self._proxies.reveal().values(),
            *self._session.proxies.values(),
            *getproxies().values(),
        ]
        return redact(
            text,
            [
                *self._credential.secrets,
                *(sent - {*usual, "application/json", user_agent()}),
                *passwords_in(proxies),
                *secrets_in(call.json if call else None),
            ],
        )

    def _redacted(self, failure: AttemptFailed, call: Call) -> AttemptFailed:
        """Return a failure without secrets."""
        failure.text = self._redact(failure.text, call)
        failure.args = (failure.text,)
        if self._redact(str(failure.root or ""), call) != str(failure.root or ""):
            failure.root = None
        return failure

    def _unreadable(self, call: Call, answer: Answer) -> LabelStudioError:
        what = "not as expected" if answer.value is not None else "not JSON"
        if answer.status == _PARTIAL or call.stream:
            what = "only a part" if answer.status == _PARTIAL else "not a file"
            answer.response.close()
        start = self._redact(answer.take()[:2000].decode("utf-8", "replace"), call)
        shown = page_summary(start) if "html" in answer.content_type else shorten(start, 100)
        begins = f", beginning with {shown!r}" if shown else ", empty"
        text = (
            f"{answer.status}, but the answer is {what} "
            f"({shorten(answer.content_type, 100) or 'no content type'}{begins})"
        )
        if not call.idempotent:
            return self._unknown(call, text)
        hint = "Check the base URL, and whether a proxy or a login page answers instead."
        return APIError(
            call.failed(text, hint),
            status=answer.status,
            detail=shown,
            request=call.name,
            repeated=True,
        )

    def _unknown(self, call: Call, text: str) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"{call.doing or call.name}: the answer was lost ({text}), so the server may or may "
            f"not have carried it out ({call.name}). Look on the server before repeating it.",
            request=call.name,
        )

    # The exchange of a personal access token

    def _authorize(self) -> Secret:
        return self._credential.header(self._exchange)

    def _exchange(self, refresh: Secret) -> Secret:
        doing = "exchanging the personal access token"
        call = self._call("POST", _REFRESH_PATH, doing=doing, json={"refresh": refresh})
        with until(call.bound):
            answer = self._perform(evolve(call, idempotent=True), None)
        found = hide(answer.value) if isinstance(answer.value, dict) else {}
        access: Secret | None = found.get("access")
        if not access or not _is_token(access.reveal()):
            raise APIError(
                call.failed("the answer holds no access token", "Check the base URL."),
                status=answer.status,
                request=call.name,
            )
        return access


def normalize_url(url: str) -> str:
    """Return the base URL without trailing slashes. Raises ValueError for what cannot be one."""
    text = url.strip() if isinstance(url, str) else ""
    parts = urlsplit(text)
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise ValueError(
            "url must start with http:// or https:// and name a host (the value given is not "
            "shown, since it may be the api_key)"
        )
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"url holds credentials: use http(s)://{host_of(parts)} and api_key=...")
    if parts.query or parts.fragment:
        raise ValueError("url must not have a query or a fragment: give the base URL of the server")
    try:
        host = host_of(parts)
    except ValueError:
        raise ValueError("url has a port that is not a number from 0 to 65535") from None
    checked_path(parts.path.rstrip("/") or "/")
    return f"{parts.scheme.lower()}://{host}{parts.path.rstrip('/')}"


def _web_address(address: str) -> SplitResult:
    """Return an address in the web. Raises ValueError for any other one, or with a password."""
    try:
        parts = urlsplit(address.strip())._replace(fragment="")
        is_one = parts.scheme in ("http", "https") and bool(host_of(parts))
    except ValueError:
        is_one = False
    if not is_one or not address.strip().isprintable() or len(address) > _MAX_ADDRESS:
        raise ValueError(
            f"{shorten(repr(address.partition('?')[0]), 200)} is no address in the web"
        )
    if "@" in parts.netloc:
        raise ValueError(
            f"the address at {parts.hostname} holds credentials, which are not sent; leave them out"
        )
    return parts._replace(path=parts.path or "/")


def _is_token(value: Any) -> bool:
    fine = isinstance(value, str) and value.isascii() and value.isprintable()
    return fine and " " not in value and len(value) <= _MAX_ADDRESS


def _target(here: str, response: requests.Response) -> SplitResult | None:
    """Return the target of a redirect; None for no address, or one that could be read as another.

    A path of another host is not checked, since no credential goes there.
    """
    try:
        location = response.headers["Location"].encode("latin-1").decode("utf-8").strip()
        parts = urlsplit(location)
        if not location or (parts.scheme and not parts.netloc):
            return None
        target = urlsplit(urljoin(here, location))._replace(fragment="")
        target = target._replace(path=target.path or "/")
        if origin(target) == origin(urlsplit(here)):
            checked_path(target.path)
        is_one = target.scheme in ("http", "https") and target.hostname
        fine = is_one and "@" not in target.netloc and len(location) <= _MAX_ADDRESS
        return target if fine and location.isprintable() and "\\" not in location else None
    except ValueError:
        return None


def _timeout_left(call: Call) -> Any:
    """Return the timeouts of a request, none of them beyond the deadline."""
    if call.bound is None:
        return call.timeout
    rest = max(0.001, call.bound.ends - clock())
    both = call.timeout if isinstance(call.timeout, tuple) else (call.timeout, call.timeout)
    return tuple(rest if one is None else min(one, rest) for one in both)


def _check_deadline(deadline: float | None) -> float | None:
    number = isinstance(deadline, (int, float)) and not isinstance(deadline, bool)
    if deadline is not None and not (number and 0 < deadline < threading.TIMEOUT_MAX):
        raise ValueError(f"deadline must be a number of seconds > 0, or None, not {deadline!r:.80}")
    return deadline


def _check_max_answer(size: int) -> int:
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise ValueError(f"max_answer must be a positive number of bytes, not {size!r:.80}")
    return size


def _check_timeout(timeout: TimeoutValue) -> TimeoutValue:
    values: Sequence[Any] = timeout if isinstance(timeout, tuple) else (timeout,)
    is_valid = len(values) == 2 or not isinstance(timeout, tuple)
    for value in values:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        is_valid = is_valid and (value is None or (number and value > 0))
    if not is_valid:
        raise ValueError(
            f"timeout must be seconds > 0, or a pair (connect, read), not {timeout!r:.80}"
        )
    return timeout


def _with(
    prepared: requests.PreparedRequest, headers: Mapping[str, Secret]
) -> requests.PreparedRequest:
    sent = copy.copy(prepared)
    sent.headers = prepared.headers.copy()
    for name, value in headers.items():
        sent.headers[name] = value.reveal()
    return sent


@unseen
def _check_headers(headers: Mapping[str, str] | Secret | None) -> dict[str, Secret]:
    given: Mapping[str, Any] = reveal(headers) or {}
    for name, value in given.items():
        # Checked here because requests and http.client quote the value, which may be a secret.
        if not isinstance(value, str) or not value.isprintable() or value != value.strip():
            raise ValueError(f"the header {name!r:.80} must have a value of printable characters")
        try:
            value.encode("latin-1")
        except UnicodeEncodeError:
            raise ValueError(f"the header {name!r:.80} must have a value in Latin-1") from None
        if name.lower() == "authorization":
            raise ValueError("the Authorization header is made from api_key; do not pass one")
    return {name: Secret(value) for name, value in given.items()}


def origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    """Return what tells servers apart: scheme, host and port."""
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def is_same_server(one: str, other: str) -> bool:
    """Return whether two addresses are of one server."""
    return origin(urlsplit(one)) == origin(urlsplit(other))


def _is_upgrade(here: str, target: SplitResult) -> bool:
    return urlsplit(here).scheme == "http" and target.scheme == "https"
