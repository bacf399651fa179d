"""The exceptions of this library; each is also the matching builtin, and can be pickled."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._engine.values.summary import Summary

__all__ = [
    "APIError",
    "AuthenticationError",
    "BadJournal",
    "BadRequest",
    "ClientSideFilterWarning",
    "Conflict",
    "ConnectionFailed",
    "DoesNotExist",
    "FieldError",
    "JobFailed",
    "LabelStudioError",
    "LeftOutWarning",
    "MissingSizeWarning",
    "MultipleObjectsReturned",
    "NotFound",
    "NotSupportedByServer",
    "OldServerWarning",
    "OutcomeUnknown",
    "PermissionDenied",
    "RateLimited",
    "ServerError",
    "Timeout",
    "UnknownKeyWarning",
    "UnsafePath",
]

MAX_TEXT = 2000
"""The longest message, in characters."""

_MAX_MESSAGES = 12
_MAX_MESSAGE = 300
_MAX_DETAIL = 1000
_MAX_SHOWN = 500


class LabelStudioError(Exception):
    """Base class of every error that this library raises deliberately.

    ``request`` is the request in question, such as ``"PATCH /api/projects/5/"``, without its query
    and without credentials; an empty text where there was none. ``created`` are the objects that a
    bulk verb had created before it failed, ``summary`` is everything that it had done.
    ``repeated``: the answer to this request, or to an earlier try of it, was lost on the way, so
    the server may have carried it out (a 409 to the second create, for example, may be about the
    library's own first try).

    >>> try:
    ...     ls.projects.get(99)
    ... except LabelStudioError as error:
    ...     print(error.request)
    GET /api/projects/99/
    """

    created: Sequence[Any] = ()
    summary: Summary | None = None

    def __init__(self, message: str = "", *, request: str = "", repeated: bool = False) -> None:
        if len(message) > MAX_TEXT:
            message = f"{message[: MAX_TEXT - 3]}..."
        super().__init__(message)
        self.request = request
        self.repeated = repeated


class APIError(LabelStudioError):
    """The server answered with an error.

    * ``status``: the HTTP status, or None where the library detected the problem by itself.
    * ``detail``: the server's message, shortened; empty if it gave none.
    * ``validation_errors``: what the server rejected, as it sent it: usually ``{field: [text]}``,
      but it nests, and some endpoints send a list. None if it sent nothing of the kind.

    >>> try:
    ...     ls.request("GET", "/api/projects/99/")
    ... except APIError as error:
    ...     print(error.status, error.detail)
    404 No Project matches the given query.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        detail: str = "",
        validation_errors: dict[str, Any] | list[Any] | None = None,
        request: str = "",
        repeated: bool = False,
    ) -> None:
        super().__init__(message, request=request, repeated=repeated)
        self.status = status
        self.detail = detail
        self.validation_errors = validation_errors


class BadRequest(APIError, ValueError):
    """The server rejected the request as invalid: 400, or another 4xx without its own class.

    >>> try:
    ...     ls.projects.create(title="x" * 51)
    ... except BadRequest as error:
    ...     print(list(error.validation_errors))
    ['title']
    """


class AuthenticationError(APIError, PermissionError):
    """401: the server does not accept the credential.

    >>> try:
    ...     LabelStudio(ls.url, "wrong").projects.count()
    ... except AuthenticationError as error:
    ...     print(error.detail)
    Invalid token.
    """


class PermissionDenied(APIError, PermissionError):
    """403: the credential is valid, but does not permit this.

    >>> try:
    ...     project.webhooks.create(url="http://127.0.0.1:8000/")
    ... except PermissionDenied as error:
    ...     print(error.status)
    403
    """


class NotFound(APIError, LookupError):
    """404 or 410: the object or the address does not exist for this user.

    >>> try:
    ...     ls.request("GET", "/api/projects/99/")
    ... except NotFound as error:
    ...     print(error.status)
    404
    """


class Conflict(APIError):
    """409, or the object changed on the server since it was read (then ``status`` is None).

    >>> task.data["seen"] = True
    >>> try:
    ...     task.save(check=True)
    ... except Conflict as error:
    ...     task.refresh()
    """


class RateLimited(APIError):
    """429, still after the last retry.

    >>> try:
    ...     pending = project.tasks.count()
    ... except RateLimited as error:
    ...     pending = None
    """


class ServerError(APIError):
    """5xx; Label Studio also answers 500 to many mistakes of the caller, which ``detail`` explains.

    A write may have been carried out before it failed: look before repeating a creation.

    >>> try:
    ...     ls.request("GET", "/api/projects/", params={"ids": "x"})
    ... except ServerError as error:
    ...     print(error.status)
    500
    """


class ConnectionFailed(LabelStudioError, ConnectionError):
    """The server could not be reached, or the connection broke, even on the last retry.

    >>> try:
    ...     found = ls.projects.exists()
    ... except ConnectionFailed as error:
    ...     found = None  # is the server up?
    """


class Timeout(LabelStudioError, TimeoutError):
    """The server did not answer in time, even on the last retry, or a ``deadline`` passed.

    >>> try:
    ...     count = ls.using(timeout=5).projects.count()
    ... except Timeout as error:
    ...     count = None
    """


class OutcomeUnknown(LabelStudioError):
    """The answer to a write was lost, so it may or may not have been carried out.

    It is not retried, because that could do it twice. Look on the server before repeating it.

    >>> try:
    ...     made = ls.projects.create(title="Once")
    ... except OutcomeUnknown as error:
    ...     made = ls.projects.get(title="Once")  # DoesNotExist if it was not created
    """


class JobFailed(LabelStudioError, RuntimeError):
    """A job on the server (an import, an export, a sync) failed.

    >>> try:
    ...     project.tasks.all().perform("retrieve_tasks_predictions")
    ... except JobFailed as error:
    ...     print(error)
    """


class DoesNotExist(LabelStudioError, LookupError):
    """A query that must match one object matched none.

    >>> try:
    ...     ls.projects.get(title="No such project")
    ... except DoesNotExist as error:
    ...     project = None
    """


class MultipleObjectsReturned(LabelStudioError, LookupError):
    """A query that must match one object matched several.

    >>> try:
    ...     project.tasks.get(total_annotations=0)
    ... except MultipleObjectsReturned as error:
    ...     print("several")
    several
    """


class FieldError(LabelStudioError, ValueError):
    """An unknown field or lookup, or a value that the field cannot have.

    >>> try:
    ...     project.tasks.filter(total_anotations=0)
    ... except FieldError as error:
    ...     print("did you mean 'total_annotations'" in str(error))
    True
    """


class UnsafePath(LabelStudioError, ValueError):
    """A path, or a part of one, that could be taken for another path; nothing was sent.

    >>> try:
    ...     ls.request("GET", "/api/projects/%2e%2e/users/")
    ... except UnsafePath as error:
    ...     print("a dot segment" in str(error))
    True
    """


class NotSupportedByServer(LabelStudioError, NotImplementedError):
    """The server's edition or version does not have the operation.

    >>> try:
    ...     ls.workspaces.exists()
    ... except NotSupportedByServer as error:
    ...     print(error)  # names the edition that has it
    """


class BadJournal(LabelStudioError, ValueError):
    """A file is not a journal, is damaged, or comes from a later version of this library.

    Nothing has been written, neither to it nor to a server.

    >>> from pathlib import Path
    >>> from labelstudio_orm.migrate import Journal
    >>> Path("notes.txt").write_text("Not a journal")
    13
    >>> try:
    ...     Journal("notes.txt")
    ... except BadJournal as error:
    ...     print(error)
    notes.txt is not a journal: it is not an SQLite file; ...
    """


class ClientSideFilterWarning(UserWarning):
    """A query has to read every row, because the server cannot filter by this condition.

    >>> import warnings
    >>> warnings.simplefilter("error", ClientSideFilterWarning)  # raise instead of warn
    >>> warnings.simplefilter("default", ClientSideFilterWarning)
    """


class UnknownKeyWarning(UserWarning):
    """A key inside JSON looks misspelt.

    It resembles a lookup (``icontain``), or no task of the project has it in its data.

    >>> import warnings
    >>> warnings.simplefilter("error", UnknownKeyWarning)  # raise instead of warn
    >>> warnings.simplefilter("default", UnknownKeyWarning)
    """


class OldServerWarning(UserWarning):
    """The server is of a release that this library is not tested with.

    What its release lacks raises NotSupportedByServer. Warned of once by each client.

    >>> import warnings
    >>> warnings.simplefilter("error", OldServerWarning)  # raise instead of warn
    >>> warnings.simplefilter("default", OldServerWarning)
    """


class LeftOutWarning(UserWarning):
    """A file in the format of another program lacks regions, which the report lists.

    >>> import warnings
    >>> warnings.simplefilter("error", LeftOutWarning)  # raise instead of warn
    >>> warnings.simplefilter("default", LeftOutWarning)
    """


class MissingSizeWarning(UserWarning):
    """Shapes on an image lack its size in pixels (``original_width``, ``original_height``).

    Label Studio shows them; exports in pixels (COCO, YOLO, VOC) leave them out, or fail. Builders
    take ``size=(width, height)``.

    >>> import warnings
    >>> warnings.simplefilter("error", MissingSizeWarning)  # raise instead of warn
    >>> warnings.simplefilter("default", MissingSizeWarning)
    """


_BY_STATUS: dict[int, type[APIError]] = {
    401: AuthenticationError,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    410: NotFound,
    429: RateLimited,
}
_HINTS = {
    403: "The credential is valid but does not permit this: ask an administrator.",
    405: "The server does not allow this change or this method here.",
    413: "The request is too large for the server or a proxy in front of it: send smaller parts.",
    414: "The URL is too long for the server or a proxy in front of it: ask for less at once.",
    429: "Wait, use fewer workers, or allow more retries.",
}
_HTML_404_HINT = (
    "The answer is a web page, not an answer of the API: the base URL may be wrong (scheme, port, "
    "sub-path), the object may be gone, or this server may lack the operation."
)


def error_class(status: int) -> type[APIError]:
    """Return the exception class for an HTTP status that is not a success."""
    if status >= 500:
        return ServerError
    return _BY_STATUS.get(status, BadRequest if 400 <= status < 500 else APIError)


def error_from_response(
    status: int,
    body: bytes | str,
    *,
    content_type: str = "",
    request: str = "",
    doing: str = "",
    hint: str = "",
    repeated: bool = False,
    redact: Callable[[str], str] = str,
) -> APIError:
    """Return, and do not raise, the exception for an HTTP answer that is not a success.

    Understands the server's envelope (``detail``, ``validation_errors``), a bare ``{field:
    [text]}`` or list, a bare string, an HTML page, and an empty body.

    Args:
        status: The HTTP status.
        body: The body of the answer.
        content_type: The ``Content-Type`` of the answer.
        request: The request, such as ``"PATCH /api/projects/5/"``.
        doing: What was being done ("saving Project 5").
        hint: What to do next, where the caller knows better than this function.
        repeated: Whether the answer to an earlier try was lost.
        redact: Removes secrets from a text.
    """
    text = body.decode("utf-8-sig", "replace") if isinstance(body, bytes) else body
    is_page = "html" in content_type.lower() or text.lstrip()[:1] == "<"
    validation: dict[str, Any] | list[Any] | None = None
    if is_page:
        detail = page_summary(redact(text))
    else:
        detail, validation = _read_body(text, redact)
    if not hint:
        hint = _HTML_404_HINT if is_page and status == 404 else _HINTS.get(status, "")
    reasons = [shorten(detail, _MAX_SHOWN), render_validation(validation)]
    reason = ": ".join(filter(None, reasons))
    failed = f"{doing} failed ({request})" if doing and request else f"{doing or request} failed"
    message = f"{failed}: {_status_text(status)}" + (f": {reason}" if reason else "")
    if hint:
        message = f"{message}{'' if message.endswith('.') else '.'} {hint}"
    return error_class(status)(
        message,
        status=status,
        detail=detail,
        validation_errors=validation,
        request=request,
        repeated=repeated,
    )


def render_validation(errors: object) -> str:
    """Return validation errors of any nesting as ``field: text; other.field: text``, shortened."""
    lines: list[str] = []
    size = 0
    for line in _messages(errors, ""):
        size += len(line)
        if len(lines) == _MAX_MESSAGES or (lines and size > _MAX_DETAIL):
            return "; ".join([*lines, "and more"])
        lines.append(line)
    return "; ".join(lines)


def shorten(text: str, limit: int) -> str:
    """Return a text on one line, cut to ``limit`` characters, without terminal controls."""
    line = re.sub(_CONTROLS, "\N{REPLACEMENT CHARACTER}", " ".join(text[: 4 * limit].split()))
    return line if len(line) <= limit and len(text) <= 4 * limit else f"{line[: limit - 3]}..."


_CONTROLS = r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
"""Characters that control a terminal or the direction of a text, and halves of surrogate pairs."""


def page_summary(page: str) -> str:
    """Return the title of an HTML page, or else the beginning of its text."""
    title = re.search(r"<title[^>]*>([^<]*)</title>", page[:20_000], re.IGNORECASE)
    if title and title[1].strip():
        return shorten(title[1], _MAX_MESSAGE)
    return shorten(re.sub(r"<[^>]*>", " ", page[:4000]), _MAX_MESSAGE)


def _status_text(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _read_body(
    text: str, redact: Callable[[str], str]
) -> tuple[str, dict[str, Any] | list[Any] | None]:
    try:
        value = _redacted(json.loads(text), redact)
    except (ValueError, RecursionError):
        return shorten(redact(text), _MAX_DETAIL), None
    if isinstance(value, list):
        return "", value
    if not isinstance(value, dict):
        return ("" if value is None else shorten(str(value), _MAX_DETAIL)), None
    if "detail" not in value and "validation_errors" not in value:
        return "", value or None
    detail = value.get("detail") or ""
    validation = value.get("validation_errors") or None
    if not isinstance(validation, (dict, list, type(None))):
        validation = [validation]
    if validation is None and isinstance(detail, (dict, list)):
        return "", detail
    text = detail if isinstance(detail, str) else render_validation(detail)
    return shorten(text, _MAX_DETAIL), validation


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(key): _redacted(inner, redact) for key, inner in value.items()}
    return [_redacted(inner, redact) for inner in value] if isinstance(value, list) else value


def _messages(value: object, field: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            # Django REST framework's name for "the object as a whole" means nothing to a reader.
            step = "" if key == "non_field_errors" else shorten(str(key), 100)
            yield from _messages(inner, ".".join(filter(None, [field, step])))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            nested = isinstance(inner, (dict, list))
            yield from _messages(inner, f"{field}[{index}]" if nested else field)
    elif value is not None and value != "":
        text = shorten(str(value), _MAX_MESSAGE)
        yield f"{field}: {text}" if field else text
