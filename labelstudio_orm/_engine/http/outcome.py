"""One request and what may become of it: an answer, or a problem that a further try may mend."""

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
"""What an answer must be: of this type (or one of these: ``dict | None``), an object with these
keys, an object with keys of which each value is as expected (``"data?"``: where it is there), a
list of values that are each as expected, or anything.
"""

MAX_ANSWER = 1 << 30
"""Bytes of an answer, decompressed, that is read into memory: a hundred times of what is usual."""

_STREAMED = 1 << 16

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

GATEWAY = frozenset({502, 503, 504})
_TLS_REFUSALS = ("CERTIFICATE", "WRONG_VERSION", "RECORD_LAYER", "HANDSHAKE", "PROTOCOL")


@frozen
class Call:
    """A request that is ready to be sent, perhaps several times, and how to speak of it.

    ``headers``: its own and the client's, which may be secret, so that they are put on when it is
    sent. ``said``: its JSON, secrets sealed.
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
    said: Any = field(default=None, repr=False)

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

    def take(self) -> bytes:
        """Return the body, and forget it: it may quote what was sent, which frames would show."""
        body, self.body, self.value = self.body, b"", None
        return body


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
    if answer.status != 429 and answer.status not in GATEWAY:
        return None
    after = _retry_after(answer.response.headers.get("Retry-After", ""))
    reason = shorten(str(answer.response.reason or ""), 80)
    text = f"the answer was {answer.status} {reason}".rstrip()
    return Problem(text, may_be_done=answer.status != 429, retry_after=after)


def fits(value: object, expect: Expected) -> bool:
    """Return whether it is what was expected. A number is a count: none below 0, no truth value."""
    if expect is None:
        return True
    if isinstance(expect, tuple):
        return isinstance(value, dict) and all(key in value for key in expect)
    if isinstance(expect, Mapping):
        return isinstance(value, dict) and all(
            fits(value[name], inner) if (name := key.removesuffix("?")) in value else name != key
            for key, inner in expect.items()
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
    waits = (exceptions.Timeout, ReadTimeoutError, TimeoutError)
    if any(isinstance(e, waits) for e in (error, root, *error.args)):
        if is_over(call):
            late = over(call)
            late.may_be_done, late.root = True, root
            return late
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
    """The whole body, decompressed; Problem where it is not whole, or larger than it may be."""
    found: list[bytes] = []
    size = 0
    try:
        with _problems(call):
            for piece in pieces(response.raw):
                found.append(piece)
                size += len(piece)
                if size > call.max_answer:
                    raise _too_large(call)
    except BaseException:
        response.close()
        raise
    return found[0] if len(found) == 1 else b"".join(found)


def _too_large(call: Call) -> Problem:
    return Problem(
        f"the answer is larger than the {call.max_answer:,} bytes that are allowed",
        may_be_done=True,
        retryable=False,
        hint="Ask for less at once, or allow more: LabelStudio(max_answer=...).",
    )


@contextmanager
def _problems(call: Call) -> Iterator[None]:
    """What goes wrong while a body is read, as problems."""
    try:
        yield
    except (exceptions.RequestException, HTTPError, OSError) as error:
        raise problem_from(bare(error), call) from error
    except BrokenBody as error:
        raise Problem(str(error), may_be_done=True, root=bare(error)) from error
    except (*GARBAGE, MemoryError) as error:
        raise garbage(bare(error)) from error


class CheckedBody:
    """The body of a stream, decompressed, whose failures become this library's errors. Like a
    file: ``read()``; or in pieces: ``stream()``.
    """

    def __init__(self, raw: Any, call: Call) -> None:
        self._raw = raw
        self._call = call
        self._pieces = pieces(raw, _STREAMED)
        self._rest = b""

    def read(self, size: int | None = -1, **_: Any) -> bytes:
        """Some bytes, none at the end; all, without a size."""
        if size is None or size < 0:
            rest, self._rest = self._rest, b""
            return b"".join((rest, *self.stream()))
        if not self._rest and size:
            self._rest = next(self.stream(), b"")
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        """The body in pieces."""
        while True:
            try:
                if is_over(self._call):
                    raise TimeoutError("timed out")
                with _problems(self._call):
                    piece = next(self._pieces, b"")
            except (Problem, TimeoutError) as error:
                bare(error)
                problem = error if isinstance(error, Problem) else problem_from(error, self._call)
                raise final_error(self._call, problem, 1, False) from problem.root
            if not piece:
                return
            yield piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def is_over(call: Call, wait: float = 0.0) -> bool:
    """Return whether the call would be over its deadline after a wait."""
    return call.bound is not None and clock() + wait >= call.bound.ends


def over(call: Call) -> Problem:
    """The problem that a call has not been done by its deadline."""
    within = call.bound.text if call.bound else "its time"
    return Problem(
        f"it was not done within {within}", may_be_done=False, retryable=False, timeout=True
    )


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
