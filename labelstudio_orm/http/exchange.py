"""One request and what may become of it: an answer, or a problem that a further try may mend."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias
from urllib.parse import SplitResult, urlsplit

import requests
import urllib3
from attrs import frozen
from requests import exceptions
from urllib3.exceptions import HTTPError, NewConnectionError, ReadTimeoutError

from ..errors import ConnectionFailed, LabelStudioError, Timeout, shorten
from .payload import decode

Expected: TypeAlias = "type | tuple[str, ...] | Mapping[str, Expected] | list[Expected] | None"
"""What an answer must be: of this type, an object with these keys, an object with keys of which
each value is as expected, a list of values that are each as expected, or anything.
"""

GARBAGE = (
    ValueError,
    LookupError,
    ArithmeticError,
    AttributeError,
    TypeError,
    EOFError,
    zlib.error,
)
"""What reading of malformed answers raises, beside the errors of requests and urllib3."""

_GATEWAY = frozenset({502, 503, 504})
_TLS_REFUSALS = ("CERTIFICATE", "WRONG_VERSION", "RECORD_LAYER", "HANDSHAKE", "PROTOCOL")


@frozen
class Call:
    """A request that is ready to be sent, perhaps several times, and how to speak of it."""

    prepared: requests.PreparedRequest
    name: str
    doing: str
    timeout: Any
    idempotent: bool
    body_start: int | None
    stream: bool = False
    expect: Expected = None

    def failed(self, text: str, hint: str = "") -> str:
        """The message of an error about it."""
        what = f"{self.doing} failed ({self.name})" if self.doing else f"{self.name} failed"
        return f"{what}: {text}. {hint}".rstrip()

    def rewind(self) -> bool:
        """Make the body ready to be sent again; False if it cannot be."""
        body = self.prepared.body
        if body is None or isinstance(body, (bytes, str)):
            return True
        if self.body_start is None:
            return False
        body.seek(self.body_start)
        return True


class Answer:
    """A response with its whole body read; ``value`` is the JSON in it, once it was parsed."""

    def __init__(self, response: requests.Response, body: bytes) -> None:
        self.response = response
        self.body = body
        self.value: Any = None
        self.status = response.status_code
        self.content_type = response.headers.get("Content-Type", "")


class Problem(Exception):
    """A try that a further one may mend: no answer, or one that asks to come again."""

    def __init__(
        self,
        text: str,
        *,
        may_be_done: bool,
        retryable: bool = True,
        timeout: bool = False,
        retry_after: float | None = None,
        root: BaseException | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint
        self.may_be_done = may_be_done
        self.retryable = retryable
        self.timeout = timeout
        self.retry_after = retry_after
        self.root = root


def problem_of(answer: Answer) -> Problem | None:
    """The problem with an answer that asks to come again: a busy server, a gateway's error."""
    if answer.status != 429 and answer.status not in _GATEWAY:
        return None
    after = _retry_after(answer.response.headers.get("Retry-After", ""))
    text = f"the answer was {answer.status} {answer.response.reason or ''}".rstrip()
    return Problem(text, may_be_done=answer.status != 429, retry_after=after)


def fits(value: object, expect: Expected) -> bool:
    """Return whether it is what was expected. A number is a count: none below 0, no truth value."""
    if expect is None:
        return True
    if isinstance(expect, tuple):
        return isinstance(value, dict) and all(key in value for key in expect)
    if isinstance(expect, Mapping):
        return isinstance(value, dict) and all(
            key in value and fits(value[key], inner) for key, inner in expect.items()
        )
    if isinstance(expect, list):
        return isinstance(value, list) and all(fits(one, expect[0]) for one in value)
    if expect is int:
        return type(value) is int and value >= 0
    return isinstance(value, expect)


def cut(answer: Answer, call: Call) -> Problem | None:
    """The problem with a success whose body says that it is JSON and ends within it."""
    if call.stream or not 200 <= answer.status < 300 or "json" not in answer.content_type:
        return None
    try:
        if answer.body.lstrip()[:1] in (b"{", b"["):
            answer.value = decode(answer.body)
    except ValueError:
        return Problem("the answer is no whole JSON", may_be_done=True)
    return None


def problem_from(error: BaseException, call: Call) -> Problem:
    """What an exception of requests or urllib3 means: was it sent, and is a repeat of use?"""
    reason: BaseException = next(
        (
            arg.reason
            for arg in error.args
            if isinstance(arg, urllib3.exceptions.MaxRetryError) and arg.reason
        ),
        error,
    )
    root = _root(reason)
    said = shorten(getattr(root, "strerror", None) or str(root) or type(root).__name__, 200)
    host = host_of(urlsplit(call.prepared.url or ""))
    if isinstance(error, exceptions.SSLError):
        # These come before anything is sent, and a repeat would change nothing.
        refused = any(word in str(root).upper() for word in _TLS_REFUSALS)
        hint = "Is it https? A CA bundle is given by verify=... or REQUESTS_CA_BUNDLE."
        return Problem(
            f"no secure connection to {host}: {shorten(str(root), 200)}",
            may_be_done=not refused,
            retryable=not refused,
            root=root,
            hint=hint,
        )
    unsent = "This request was not sent: check the URL, and that the server runs."
    if isinstance(error, exceptions.ConnectTimeout):
        text = f"could not connect to {host} in time"
        return Problem(text, may_be_done=False, root=root, hint=unsent)
    proxy = isinstance(error, exceptions.ProxyError)
    if proxy or isinstance(reason, NewConnectionError):
        text = f"could not connect to {'the proxy for ' if proxy else ''}{host}: {said}"
        return Problem(text, may_be_done=False, root=root, hint=unsent)
    if any(isinstance(e, (exceptions.Timeout, ReadTimeoutError)) for e in (error, *error.args)):
        text = f"no answer within {_read_timeout(call.timeout)}"
        hint = "A busy server may need a longer timeout."
        return Problem(text, may_be_done=True, timeout=True, root=root, hint=hint)
    broken = (exceptions.ConnectionError, exceptions.ChunkedEncodingError)
    if isinstance(error, exceptions.RequestException) and not isinstance(error, broken):
        # An address or a setting that requests itself refuses.
        return Problem(said, may_be_done=False, retryable=False, root=root, hint=unsent)
    return Problem(f"the connection broke: {said}", may_be_done=True, root=root)


def garbage(error: Exception) -> Problem:
    """The problem with an answer that Python's own parsers cannot make sense of."""
    said = shorten(f"{type(error).__name__}: {error}", 200)
    return Problem(f"the answer is no HTTP ({said})", may_be_done=True, root=error)


def final_error(call: Call, problem: Problem, tries: int, lost: bool) -> LabelStudioError:
    """The error for a problem that no further try will mend; ``lost``: an answer may have been."""
    kind = Timeout if problem.timeout else ConnectionFailed
    text = problem.text + (f", {tries} times" if tries > 1 else "")
    return kind(call.failed(text, problem.hint), request=call.name, repeated=lost)


def _root(error: BaseException) -> BaseException:
    """The innermost cause. The outer ones quote the address with its query, so are not shown."""
    for _ in range(10):
        inner = error.__cause__ or next(
            (arg for arg in error.args if isinstance(arg, BaseException)), None
        )
        if inner is None:
            break
        error = inner
    return error


def read_body(response: requests.Response, call: Call) -> bytes:
    """The whole body at once, which is much faster than requests' 10 kB pieces."""
    raw = response.raw
    try:
        if not isinstance(raw, urllib3.HTTPResponse):
            return response.content  # an adapter that is not urllib3's
        body: bytes = raw.read(decode_content=True)
    except (exceptions.RequestException, HTTPError, OSError) as error:
        raise problem_from(error, call) from error
    if raw.length_remaining:
        raise Problem("the answer ended early", may_be_done=True)
    return body


class CheckedBody:
    """The body of a stream, whose failures become this library's errors."""

    def __init__(self, raw: Any, call: Call) -> None:
        self._raw = raw
        self._call = call

    def read(self, *args: Any, **kwargs: Any) -> bytes:
        """Some bytes, or all."""
        with self._checked():
            chunk: bytes = self._raw.read(*args, **kwargs)
        if not chunk:
            self._check_end()
        return chunk

    def stream(self, amt: int = 65536, **kwargs: Any) -> Iterator[bytes]:
        """The body in pieces of about ``amt`` bytes."""
        with self._checked():
            if hasattr(self._raw, "stream"):
                yield from self._raw.stream(amt, **kwargs)
            else:
                yield from iter(lambda: self._raw.read(amt), b"")
        self._check_end()

    @contextmanager
    def _checked(self) -> Iterator[None]:
        try:
            yield
        except (exceptions.RequestException, HTTPError, OSError) as error:
            problem = problem_from(error, self._call)
            raise final_error(self._call, problem, 1, False) from problem.root

    def _check_end(self) -> None:
        # urllib3 1.x does not check this by itself.
        if getattr(self._raw, "length_remaining", None):
            raise ConnectionFailed(
                self._call.failed("the answer ended early"), request=self._call.name
            )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def _retry_after(value: str) -> float | None:
    """Seconds from a `Retry-After` header: a number of seconds, or a date."""
    with suppress(ValueError, TypeError, OverflowError):
        if value.strip().isdigit():
            return float(value)
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    return None


def host_of(parts: SplitResult) -> str:
    """Host and port of an address, without a user name."""
    name = parts.hostname or ""
    name = f"[{name}]" if ":" in name else name
    return name if parts.port is None else f"{name}:{parts.port}"


def _read_timeout(timeout: Any) -> str:
    seconds = timeout[1] if isinstance(timeout, tuple) else timeout
    return "the time allowed" if seconds is None else f"{seconds:g} s"
