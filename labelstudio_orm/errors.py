"""The exceptions of this library. Each is also the fitting builtin, and each can be pickled."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._engine.values.summary import Summary

MAX_TEXT = 2000
"""Characters of a message, at most."""

_MAX_MESSAGES = 12
_MAX_MESSAGE = 300
_MAX_DETAIL = 1000
_MAX_SHOWN = 500


class LabelStudioError(Exception):
    """Base class of everything that this library raises on purpose.

    `request` is the request in question, such as ``"PATCH /api/projects/5/"``, without its query
    and without credentials; an empty string where there was none. `created` are the objects that a
    bulk verb had created before it failed, `summary` is all that it had done. `repeated`: an answer
    to this request, or to an earlier try of it, was lost on the way, so that the server may have
    carried it out (a 409 to the second create, for example, may be about the library's own first
    try).

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
    """The server answered, and said no.

    * `status`: the HTTP status, or None where the library found out by itself.
    * `detail`: the server's sentence, shortened; empty if it gave none.
    * `validation_errors`: what the server found wrong, as it sent it: usually ``{field: [text]}``,
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
    """The server refused the request as it was put: 400 and the other 4xx without a class.

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
    """403: the credential is fine, but this is not allowed.

    >>> try:
    ...     project.webhooks.create(url="http://127.0.0.1:8000/")
    ... except PermissionDenied as error:
    ...     print(error.status)
    403
    """


class NotFound(APIError, LookupError):
    """404 or 410: there is no such object, or no such address, for this user.

    >>> try:
    ...     ls.request("GET", "/api/projects/99/")
    ... except NotFound as error:
    ...     print(error.status)
    404
    """


class Conflict(APIError):
    """409, or the object changed on the server since it was read (then `status` is None).

    >>> task.data["seen"] = True
    >>> try:
    ...     task.save(check=True)
    ... except Conflict as error:
    ...     task.refresh()
    """


class RateLimited(APIError):
    """429, still after the last retry.

    >>> try:
    ...     todo = project.tasks.count()
    ... except RateLimited as error:
    ...     todo = None  # still after the last retry
    """


class ServerError(APIError):
    """5xx. Label Studio also answers 500 to many mistakes of the caller; `detail` tells. A write
    may have been carried out before it failed: look before repeating a creation.

    >>> try:
    ...     ls.request("GET", "/api/projects/", params={"ids": "x"})
    ... except ServerError as error:
    ...     print(error.status)
    500
    """


class ConnectionFailed(LabelStudioError, ConnectionError):
    """The server could not be reached, or the connection broke, still after the last retry.

    >>> try:
    ...     found = ls.projects.exists()
    ... except ConnectionFailed as error:
    ...     found = None  # is the server up?
    """


class Timeout(LabelStudioError, TimeoutError):
    """The server did not answer in time, still after the last retry; or a call was not done by its
    ``deadline``.

    >>> try:
    ...     count = ls.using(timeout=5).projects.count()
    ... except Timeout as error:
    ...     count = None
    """


class OutcomeUnknown(LabelStudioError):
    """A write whose answer was lost: it may or may not have been done.

    It is not repeated, because that could do it twice. Look on the server before repeating it.

    >>> try:
    ...     made = ls.projects.create(title="Once")
    ... except OutcomeUnknown as error:
    ...     made = ls.projects.get(title="Once")  # DoesNotExist if it was not
    """


class JobFailed(LabelStudioError, RuntimeError):
    """A job on the server (an import, an export, a sync) ended in failure.

    >>> try:
    ...     project.tasks.all().perform("retrieve_tasks_predictions")
    ... except JobFailed as error:
    ...     print(error)
    """


class DoesNotExist(LabelStudioError, LookupError):
    """A query that must find one object found none.

    >>> try:
    ...     ls.projects.get(title="No such project")
    ... except DoesNotExist as error:
    ...     project = None
    """


class MultipleObjectsReturned(LabelStudioError, LookupError):
    """A query that must find one object found several.

    >>> try:
    ...     project.tasks.get(total_annotations=0)
    ... except MultipleObjectsReturned as error:
    ...     print("several")
    several
    """


class FieldError(LabelStudioError, ValueError):
    """No such field or lookup, or a value that it cannot take.

    >>> try:
    ...     project.tasks.filter(total_anotations=0)
    ... except FieldError as error:
    ...     print("did you mean 'total_annotations'" in str(error))
    True
    """


class UnsafePath(LabelStudioError, ValueError):
    """Something that stands for another path than it seems to, or for none; nothing was sent.

    >>> try:
    ...     ls.request("GET", "/api/projects/%2e%2e/users/")
    ... except UnsafePath as error:
    ...     print("a dot segment" in str(error))
    True
    """


class NotSupportedByServer(LabelStudioError, NotImplementedError):
    """This server (its edition or its version) does not have the operation.

    >>> try:
    ...     ls.workspaces.exists()
    ... except NotSupportedByServer as error:
    ...     print(error)  # names the edition that has it
    """


class BadJournal(LabelStudioError, ValueError):
    """A file is no journal, is damaged, or comes from a later version of this library.

    Nothing has been written, neither to it nor to a server.

    >>> from pathlib import Path
    >>> from labelstudio_orm.migrate import Journal
    >>> Path("notes.txt").write_text("Not a journal")
    13
    >>> try:
    ...     Journal("notes.txt")
    ... except BadJournal as error:
    ...     print(error)
    notes.txt is no journal: it is no SQLite file; ...
    """


class ClientSideFilterWarning(UserWarning):
    """A query has to read all rows, because the server cannot filter them by this condition.

    >>> import warnings
    >>> warnings.simplefilter("error", ClientSideFilterWarning)  # an error instead
    >>> warnings.simplefilter("default", ClientSideFilterWarning)
    """


class UnknownKeyWarning(UserWarning):
    """A key inside JSON is named that looks misspelt: like a lookup (``icontain``), or as a key of
    the tasks' data that no task of the project has.

    >>> import warnings
    >>> warnings.simplefilter("error", UnknownKeyWarning)  # an error instead
    >>> warnings.simplefilter("default", UnknownKeyWarning)
    """


class MissingSizeWarning(UserWarning):
    """Shapes on an image do not hold its size in pixels (``original_width``, ``original_height``).

    Label Studio shows them; exports in pixels (COCO, YOLO, VOC) leave them out, or fail. Builders
    take ``size=(width, height)``.

    >>> import warnings
    >>> warnings.simplefilter("error", MissingSizeWarning)  # an error instead
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
    403: "The credential is accepted but may not do this: ask an administrator.",
    405: "The server does not allow this change or this method here.",
    413: "The request is too large for the server or a proxy before it: send it in smaller parts.",
    414: "The address is too long for the server or a proxy before it: ask for less at once.",
    429: "Wait, use fewer workers, or allow more retries.",
}
_HTML_404_HINT = (
    "The answer is a web page, not this API's: check the base URL (scheme, port, sub-path), "
    "or the object is gone, or this server does not have the operation."
)


def error_class(status: int) -> type[APIError]:
    """The exception class for an HTTP status which is not a success."""
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
    """The exception for an HTTP answer that is not a success; it is returned, not raised.

    Understands the server's envelope (`detail`, `validation_errors`), a bare ``{field: [text]}``
    or list, a bare string, an HTML page, and an empty body. `doing` says what was going on
    ("saving Project 5"); `hint` what to do next, where the caller knows better than this function.
    `redact` takes secrets out of a text.
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
    said = ": ".join(filter(None, [shorten(detail, _MAX_SHOWN), render_validation(validation)]))
    failed = f"{doing} failed ({request})" if doing and request else f"{doing or request} failed"
    message = f"{failed}: {_status_text(status)}" + (f": {said}" if said else "")
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
    """Validation errors of any nesting as ``field: text; other.field: text``, bounded in length."""
    lines: list[str] = []
    size = 0
    for line in _messages(errors, ""):
        size += len(line)
        if len(lines) == _MAX_MESSAGES or (lines and size > _MAX_DETAIL):
            return "; ".join([*lines, "and more"])
        lines.append(line)
    return "; ".join(lines)


def shorten(text: str, limit: int) -> str:
    """`text` on one line, at most `limit` characters of it, none of which controls a terminal."""
    line = _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", " ".join(text[: 4 * limit].split()))
    return line if len(line) <= limit and len(text) <= 4 * limit else f"{line[: limit - 3]}..."


_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What makes a terminal, or the order of letters, say something else; and halves of characters."""


def page_summary(page: str) -> str:
    """What an HTML page says of itself: its title, or else the beginning of its text."""
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
            # Django REST framework's name for "the object as a whole" tells a reader nothing.
            step = "" if key == "non_field_errors" else shorten(str(key), 100)
            yield from _messages(inner, ".".join(filter(None, [field, step])))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            nested = isinstance(inner, (dict, list))
            yield from _messages(inner, f"{field}[{index}]" if nested else field)
    elif value is not None and value != "":
        text = shorten(str(value), _MAX_MESSAGE)
        yield f"{field}: {text}" if field else text
