"""The outcome of one request: an answer, or a failure that another try may fix."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from types import UnionType
from typing import Any, TypeAlias
from urllib.parse import SplitResult, urlsplit

import requests
import urllib3
from attrs import field, frozen
from requests import exceptions
from urllib3.exceptions import HTTPError, NewConnectionError, ReadTimeoutError

from ...errors import ConnectionFailed, LabelStudioError, Timeout, shorten
from ..values.secret import Secret, bare
from .body import BrokenBody, pieces
from .deadline import Bound, clock
from .payload import decode

Expected: TypeAlias = (
    "type | UnionType | tuple[str, ...] | Mapping[str, Expected] | list[Expected] | None"
)
"""The required form of an answer: this type (or one of these: ``dict | None``), an object with
these keys, an object with keys whose values are as expected (``"data?"``: an optional one), a list
of values that are each as expected, or anything.
"""

MAX_ANSWER = 1 << 30
"""The most bytes of a decompressed answer in memory: a hundred times the usual size."""

_STREAMED = 1 << 16

MALFORMED = (
    ValueError,
    LookupError,
    ArithmeticError,
    AttributeError,
    TypeError,
    EOFError,
    zlib.error,
)
"""The errors of reading malformed answers, besides those of requests and urllib3."""

NO_CONTENT = 204
GATEWAY = frozenset({502, 503, 504})
_TLS_REFUSALS = ("CERTIFICATE", "WRONG_VERSION", "RECORD_LAYER", "HANDSHAKE", "PROTOCOL")


@frozen(eq=False)
class Call:
    """A request that is ready to be sent, perhaps several times, and its description.

    ``headers``: its own and the client's, which may be secret, so they are added only when it is
    sent. ``json``: its JSON, with secrets sealed. ``is_own``: whether it goes to the server of the
    client, which gets its credential.
    """

    prepared: requests.PreparedRequest
    name: str
    doing: str
    timeout: Any
    idempotent: bool
    body_start: int | None
    stream: bool = False
    expect: Expected = None
    bound: Bound | None = None
    max_answer: int = MAX_ANSWER
    headers: Mapping[str, Secret] = field(factory=dict)
    json: Any = field(default=None, repr=False)
    is_own: bool = True

    def failed(self, text: str, hint: str = "") -> str:
        """Return the message of an error about this request."""
        what = f"{self.doing} failed ({self.name})" if self.doing else f"{self.name} failed"
        return f"{what}: {text}. {hint}".rstrip()

    def rewind(self) -> bool:
        """Prepare the body to be sent again; return whether that is possible."""
        body = self.prepared.body
        if body is None or isinstance(body, (bytes, str)):
            return True
        if self.body_start is None:
            return False
        body.seek(self.body_start)
        return True


class Answer:
    """A response with its whole body read; ``value`` is the parsed JSON, once it was parsed."""

    def __init__(self, response: requests.Response, body: bytes) -> None:
        self.response = response
        self.body = body
        self.value: Any = None
        self.status = response.status_code
        self.content_type = response.headers.get("Content-Type", "")

    def take(self) -> bytes:
        """Return the body and drop it: it may quote what was sent, which tracebacks would show."""
        body, self.body, self.value = self.body, b"", None
        return body


class AnswerTooLarge(ConnectionFailed):
    """An answer has more bytes than are read into memory."""


class AttemptFailed(Exception):
    """An attempt without a usable answer; another one may succeed if ``retryable``.

    ``may_be_done``: the server may have carried out the request. ``root``: the innermost cause.
    """

    def __init__(
        self,
        text: str,
        *,
        may_be_done: bool,
        retryable: bool = True,
        timeout: bool = False,
        too_large: bool = False,
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
        self.too_large = too_large
        self.retry_after = retry_after
        self.root = root


def busy(answer: Answer) -> AttemptFailed | None:
    """Return the failure of an answer that asks to retry: a busy server, or a gateway's error."""
    if answer.status != 429 and answer.status not in GATEWAY:
        return None
    after = _retry_after(answer.response.headers.get("Retry-After", ""))
    reason = shorten(str(answer.response.reason or ""), 80)
    text = f"the server answered {answer.status} {reason}".rstrip()
    return AttemptFailed(text, may_be_done=answer.status != 429, retry_after=after)


def matches(value: object, expect: Expected) -> bool:
    """Return whether a value is as expected. A number is a count: not below 0, and no bool."""
    if expect is None:
        return True
    if isinstance(expect, tuple):
        return isinstance(value, dict) and all(key in value for key in expect)
    if isinstance(expect, Mapping):
        return isinstance(value, dict) and all(
            matches(value[name], inner) if (name := key.removesuffix("?")) in value else name != key
            for key, inner in expect.items()
        )
    if isinstance(expect, list):
        if expect == [dict] and type(value) is list and set(map(type, value)) <= {dict}:
            return True  # as nearly always, and the rows of each listing pass here
        return isinstance(value, list) and all(matches(one, expect[0]) for one in value)
    if expect is int:
        return type(value) is int and value >= 0
    return isinstance(value, expect)


def truncated(answer: Answer, call: Call) -> AttemptFailed | None:
    """Return the failure of a successful answer that claims to be JSON and ends too early."""
    if call.stream or not 200 <= answer.status < 300 or "json" not in answer.content_type:
        return None
    try:
        if answer.body.lstrip()[:1] in (b"{", b"["):
            answer.value = decode(answer.body)
    except ValueError:
        return AttemptFailed("the answer is incomplete JSON", may_be_done=True)
    return None


def failure_from(error: BaseException, call: Call) -> AttemptFailed:
    """Return the failure behind an exception of requests or urllib3.

    It says whether the request may have been sent, and whether a repeat is useful.
    """
    reason: BaseException = next(
        (
            arg.reason
            for arg in error.args
            if isinstance(arg, urllib3.exceptions.MaxRetryError) and arg.reason
        ),
        error,
    )
    root = _root(reason)
    why = shorten(getattr(root, "strerror", None) or str(root) or type(root).__name__, 200)
    host = host_of(urlsplit(call.prepared.url or ""))
    if isinstance(error, exceptions.SSLError):
        # These come before anything is sent, and a retry would change nothing.
        refused = any(word in str(root).upper() for word in _TLS_REFUSALS)
        hint = "Is it https? Give a CA bundle by verify=... or REQUESTS_CA_BUNDLE."
        return AttemptFailed(
            f"no secure connection to {host}: {shorten(str(root), 200)}",
            may_be_done=not refused,
            retryable=not refused,
            root=root,
            hint=hint,
        )
    unsent = "The request was not sent: check the URL, and that the server is running."
    if isinstance(error, exceptions.ConnectTimeout):
        text = f"could not connect to {host} in time"
        return AttemptFailed(text, may_be_done=False, root=root, hint=unsent)
    proxy = isinstance(error, exceptions.ProxyError)
    if proxy or isinstance(reason, NewConnectionError):
        text = f"could not connect to {'the proxy for ' if proxy else ''}{host}: {why}"
        return AttemptFailed(text, may_be_done=False, root=root, hint=unsent)
    waits = (exceptions.Timeout, ReadTimeoutError, TimeoutError)
    if any(isinstance(e, waits) for e in (error, root, *error.args)):
        if is_past_deadline(call):
            passed = deadline_passed(call)
            passed.may_be_done, passed.root = True, root
            return passed
        text = f"no answer within {_read_timeout(call.timeout)}"
        hint = "A busy server may need a longer timeout."
        return AttemptFailed(text, may_be_done=True, timeout=True, root=root, hint=hint)
    broken = (exceptions.ConnectionError, exceptions.ChunkedEncodingError)
    if isinstance(error, exceptions.RequestException) and not isinstance(error, broken):
        # requests itself refused the address or a setting.
        return AttemptFailed(why, may_be_done=False, retryable=False, root=root, hint=unsent)
    return AttemptFailed(f"the connection broke: {why}", may_be_done=True, root=root)


def malformed(error: Exception) -> AttemptFailed:
    """Return the failure of an answer that Python's own parsers cannot read."""
    why = shorten(f"{type(error).__name__}: {error}", 200)
    return AttemptFailed(f"the answer is not HTTP ({why})", may_be_done=True, root=error)


def final_error(call: Call, failure: AttemptFailed, tries: int, lost: bool) -> LabelStudioError:
    """Return the error for a failure after the last try.

    ``lost``: the answer to an earlier try may have been lost.
    """
    kind = Timeout if failure.timeout else ConnectionFailed
    if failure.too_large:
        kind = AnswerTooLarge
    text = failure.text + (f", {tries} times" if tries > 1 else "")
    return kind(call.failed(text, failure.hint), request=call.name, repeated=lost)


def _root(error: BaseException) -> BaseException:
    """Return the innermost cause. The outer ones quote the URL with its query, so are not shown."""
    for _ in range(10):
        inner = error.__cause__ or next(
            (arg for arg in error.args if isinstance(arg, BaseException)), None
        )
        if inner is None:
            break
        error = inner
    return error


def read_body(response: requests.Response, call: Call) -> bytes:
    """Return the whole body, decompressed. Raises AttemptFailed if incomplete or too large."""
    if response.status_code == NO_CONTENT and response.headers.get("Content-Length", "0") != "0":
        # Servers before 1.13.1 send a body with some: it would begin the next answer.
        response.close()
        return b""
    parts: list[bytes] = []
    size = 0
    try:
        with _translated(call):
            for piece in pieces(response.raw):
                parts.append(piece)
                size += len(piece)
                if size > call.max_answer:
                    raise _too_large(call)
    except BaseException:
        response.close()
        raise
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(call: Call) -> AttemptFailed:
    return AttemptFailed(
        f"the answer exceeds the limit of {call.max_answer:,} bytes",
        may_be_done=True,
        retryable=False,
        too_large=True,
        hint="Ask for less at once, or raise the limit: LabelStudio(max_answer=...).",
    )


@contextmanager
def _translated(call: Call) -> Iterator[None]:
    """Turn the errors of reading a body into AttemptFailed."""
    try:
        yield
    except (exceptions.RequestException, HTTPError, OSError) as error:
        raise failure_from(bare(error), call) from error
    except BrokenBody as error:
        raise AttemptFailed(str(error), may_be_done=True, root=bare(error)) from error
    except (*MALFORMED, MemoryError) as error:
        raise malformed(bare(error)) from error


class CheckedBody:
    """The body of a stream, decompressed, whose failures become errors of this library.

    It can be read like a file: ``read()``; or in pieces: ``stream()``.
    """

    def __init__(self, raw: Any, call: Call) -> None:
        self._raw = raw
        self._call = call
        self._pieces = pieces(raw, _STREAMED)
        self._rest = b""

    def read(self, size: int | None = -1, **_: Any) -> bytes:
        """Return up to ``size`` bytes, none at the end; without a size, all of them."""
        if size is None or size < 0:
            rest, self._rest = self._rest, b""
            return b"".join((rest, *self.stream()))
        if not self._rest and size:
            self._rest = next(self.stream(), b"")
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        """Yield the body in pieces."""
        while True:
            try:
                if is_past_deadline(self._call):
                    raise TimeoutError("timed out")
                with _translated(self._call):
                    piece = next(self._pieces, b"")
            except (AttemptFailed, TimeoutError) as error:
                bare(error)
                failure = (
                    error if isinstance(error, AttemptFailed) else failure_from(error, self._call)
                )
                raise final_error(self._call, failure, 1, False) from failure.root
            if not piece:
                return
            yield piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def is_past_deadline(call: Call, wait: float = 0.0) -> bool:
    """Return whether the call would exceed its deadline after a wait."""
    return call.bound is not None and clock() + wait >= call.bound.ends


def deadline_passed(call: Call) -> AttemptFailed:
    """Return the failure of a call that did not end by its deadline."""
    within = call.bound.text if call.bound else "its time"
    return AttemptFailed(
        f"it was not completed within {within}", may_be_done=False, retryable=False, timeout=True
    )


def _retry_after(value: str) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for: a number, or a date."""
    with suppress(ValueError, TypeError, OverflowError):
        if value.strip().isdigit():
            return float(value)
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    return None


def host_of(parts: SplitResult) -> str:
    """Return the host and port of an address, without a user name."""
    name = parts.hostname or ""
    name = f"[{name}]" if ":" in name else name
    return name if parts.port is None else f"{name}:{parts.port}"


def _read_timeout(timeout: Any) -> str:
    seconds = timeout[1] if isinstance(timeout, tuple) else timeout
    return "the time allowed" if seconds is None else f"{seconds:g} s"
