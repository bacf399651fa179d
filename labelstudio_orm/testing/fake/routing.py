"""What a request and an answer are, the errors that an answer can be, and the table of routes."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlencode

from attrs import define, field

from .forms import Form

if TYPE_CHECKING:
    from .server import FakeLabelStudio

VERSION = "1.23.2"
_PAGE_404 = (
    "<!doctype html>\n<html><head><title>404 | Label Studio</title></head><body>404</body></html>\n"
)


class Abort(Exception):
    """An answer that ends the work on a request."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status, self.body, self.headers = status, body, dict(headers or {})


class Failure(Abort):
    """An answer that is an error; `body` is what the exception handler of the server would send."""


class Gap(Abort):
    """A 501: the fake does not know the answer. What handles failures does not see it."""


def failure(
    status: int, detail: str, headers: Mapping[str, str] | None = None, **extra: Any
) -> Failure:
    """An error in the server's usual envelope."""
    body = {
        "id": str(uuid.uuid4()),
        "status_code": status,
        "version": VERSION,
        "detail": detail,
        "exc_info": None,
        **extra,
    }
    return Failure(status, body, headers)


def invalid(errors: Any) -> Failure:
    """400: `errors` is a dict by field, or a list or text for the whole object."""
    if isinstance(errors, str):
        errors = [errors]
    if not isinstance(errors, dict):
        errors = {"non_field_errors": errors}
    return failure(400, "Validation error", validation_errors=errors)


def crash(detail: str) -> Failure:
    """500: the server's answer to most mistakes of a Data Manager query."""
    return failure(500, detail)


def not_found(name: str) -> Failure:
    """404 for an object that does not exist."""
    return failure(404, f"No {name} matches the given query.")


def page_not_found() -> Failure:
    """404 as a web page: an unknown route, an id that is no number, a wrong trailing slash."""
    return Failure(404, _PAGE_404, {"Content-Type": "text/html; charset=utf-8"})


def not_implemented(what: str) -> Gap:
    """501, never sent by the real server: the fake does not know this and will not guess."""
    return Gap(
        501, {"detail": f"FakeLabelStudio does not implement {what}", "not_implemented": what}
    )


class Query:
    """The query string; a name given twice has its last value, as in Django."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._pairs = parse_qsl(text, keep_blank_values=True)

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self._pairs)

    def __iter__(self) -> Iterator[str]:
        return iter({key for key, _ in self._pairs})

    def get(self, name: str, default: str | None = None) -> str | None:
        """The last value of that name."""
        return next((value for key, value in reversed(self._pairs) if key == name), default)

    def all(self, name: str) -> list[str]:
        """Every value of that name."""
        return [value for key, value in self._pairs if key == name]

    def integer(self, name: str, default: int) -> int:
        """400 unless it is a whole number."""
        return to_integer(self.get(name), name, default)

    def flag(self, name: str, default: bool) -> bool:
        """true/yes/on/1 and their opposites in any case; 400 for anything else."""
        value = self.get(name)
        if value is None:
            return default
        try:
            return bool(int(cast_bool(value)))
        except ValueError as error:
            raise invalid({name: str(error)}) from None


def to_integer(value: Any, name: str, default: int) -> int:
    """A number from a query or body; `default` for None."""
    if value is None:
        return default
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            text = f'Incorrect value in key "{name}" = "{value}". It should be digit string.'
            raise invalid({name: text}) from None
    if isinstance(value, int):
        return value
    text = (
        f'Incorrect value type in key "{name}" = "{value}". It should be digit string or integer.'
    )
    raise invalid({name: text})


def cast_bool(value: Any) -> Any:
    """The server's reading of true and false in texts; other types pass unchanged. ValueError."""
    if isinstance(value, str):
        if value.lower() in ("true", "yes", "on", "1"):
            return True
        if value.lower() in ("false", "no", "not", "off", "0"):
            return False
        raise ValueError(
            f'Incorrect bool value "{value}". It should be one of [1, 0, true, false, yes, no]'
        )
    return value


@define
class Request:
    """One request, its body already parsed (`None` when there was none, or it is a `form`)."""

    fake: FakeLabelStudio
    method: str
    path: str
    query: Query
    headers: Mapping[str, str]
    body: Any = None
    form: Form | None = None
    user: dict[str, Any] = field(factory=dict)

    def data(self) -> dict[str, Any]:
        """The JSON object in the body; empty when there is no body."""
        if self.body is None:
            return {}
        if not isinstance(self.body, dict):
            kind = type(self.body).__name__
            raise invalid(f"Invalid data. Expected a dictionary, but got {kind}.")
        return self.body

    def page_url(self, page: int) -> str:
        """The address of another page of this list."""
        host = self.headers.get("host")
        base = f"http://{host}" if host else self.fake.url
        names = parse_qs(self.query.text, keep_blank_values=True)
        names.pop("page", None)
        if page > 1:
            names["page"] = [str(page)]
        query = urlencode(sorted(names.items()), doseq=True)
        return base + self.path + (f"?{query}" if query else "")

    def names(self, parameter: str) -> set[str] | None:
        """A comma separated list in the query; None when it is not there."""
        if parameter not in self.query:
            return None
        return {name for text in self.query.all(parameter) for name in text.split(",")}

    def flex(self, item: dict[str, Any], nested: tuple[str, ...] = ()) -> dict[str, Any]:
        """`include` and `omit`: fields of the answer; both reach into embedded `nested` objects
        too."""
        keep, drop = self.names("include"), self.names("omit") or set()
        if keep is None and not drop:
            return item

        def trim(row: dict[str, Any]) -> dict[str, Any]:
            return {k: v for k, v in row.items() if k not in drop and (keep is None or k in keep)}

        trimmed = trim(item)
        for name in nested:
            if name in trimmed:
                trimmed[name] = [trim(row) for row in trimmed[name]]
        return trimmed


@define
class Answer:
    """What a route returns when it is more than a 200 with JSON."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(factory=dict)

    def rendered(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and bytes to send."""
        headers = {"Allow": "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS", **self.headers}
        if self.body is None:
            content = b""
        elif isinstance(self.body, bytes):
            content = self.body
        elif headers.get("Content-Type", "").startswith("text/html"):
            content = str(self.body).encode()
        else:
            headers.setdefault("Content-Type", "application/json")
            content = json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()
        headers["Content-Length"] = str(len(content))
        return self.status, headers, content


Handler = Callable[..., Any]


@define
class Route:
    """A path, and what each method does there."""

    path: str
    pattern: re.Pattern[str]
    handlers: dict[str, Handler] = field(factory=dict)
    public: bool = False
    forms: bool = False


ROUTES: dict[str, Route] = {}


def route(
    methods: str, path: str, *, public: bool = False, forms: bool = False
) -> Callable[[Handler], Handler]:
    """Registers a function for `methods` (space separated) on `path`, in which `{id}` is a number
    and `{name:text}` any text without a slash.

    `public` ones need no token; `forms` ones take forms where others take JSON only. A path ending
    in a slash is also reached without it, as on the server; never the reverse.
    """

    def register(function: Handler) -> Handler:
        pattern = re.sub(r"\{(\w+):text\}", r"(?P<\1>[^/]+)", path)
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[0-9]+)", pattern)
        pattern = pattern[:-1] + "/?" if path.endswith("/") else pattern
        entry = ROUTES.setdefault(path, Route(path, re.compile(pattern), public=public))
        entry.forms = entry.forms or forms
        for method in methods.split():
            entry.handlers[method] = function
        return function

    return register


def find_route(path: str) -> tuple[Route, dict[str, Any]]:
    """The route of a path with what its braces stand for; the web page of a 404 when there is
    none."""
    for entry in ROUTES.values():
        match = entry.pattern.fullmatch(path)
        if match:
            found = match.groupdict().items()
            return entry, {k: int(v) if f"{{{k}}}" in entry.path else v for k, v in found}
    raise page_not_found()


def paginate(request: Request, total: int, size: int, maximum: int | None) -> tuple[int, int, int]:
    """(page, offset, size) of the page asked for; 404 "Invalid page." outside of the list.

    A page size that is no positive number is silently the default one.
    """
    text = request.query.get("page_size") or ""
    if re.fullmatch(r"\s*\+?\d+\s*", text) and int(text) > 0:
        size = min(int(text), maximum) if maximum else int(text)
    pages = max(1, -(-total // size))
    asked = request.query.get("page") or "1"
    if asked == "last":
        page = pages
    else:
        try:
            page = int(asked)
        except ValueError:
            page = 0
    if not 1 <= page <= pages:
        raise failure(404, "Invalid page.")
    return page, (page - 1) * size, size
