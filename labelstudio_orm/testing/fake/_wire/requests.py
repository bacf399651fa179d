"""Requests as the operations see them: the query string, the body, and the user."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlencode

from attrs import define, field

from .._state.state import State
from .answers import failure, invalid
from .forms import Form

if TYPE_CHECKING:
    from typing_extensions import Self


class Query:
    """The query string; a name that is repeated has its last value, as in Django."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._pairs = parse_qsl(text, keep_blank_values=True)

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Self:
        """Return the query string with these names and values."""
        return cls(urlencode(list(pairs)))

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The names with their values, in order."""
        return list(self._pairs)

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self._pairs)

    def __iter__(self) -> Iterator[str]:
        return iter({key for key, _ in self._pairs})

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the last value of a name."""
        return next((value for key, value in reversed(self._pairs) if key == name), default)

    def all(self, name: str) -> list[str]:
        """Return every value of a name."""
        return [value for key, value in self._pairs if key == name]

    def without(self, names: Collection[str]) -> Query:
        """Return the query without some names."""
        return Query(urlencode([pair for pair in self._pairs if pair[0] not in names]))

    def integer(self, name: str, default: int) -> int:
        """Return an integer; 400 for anything else."""
        return to_integer(self.get(name), name, default)

    def flag(self, name: str, default: bool) -> bool:
        """Return a boolean: true/yes/on/1 or their opposites in any case; 400 for anything else."""
        value = self.get(name)
        if value is None:
            return default
        try:
            return bool(int(cast_bool(value)))
        except ValueError as error:
            raise invalid({name: str(error)}) from None


def to_integer(value: Any, name: str, default: int) -> int:
    """Return a number in a query or body; ``default`` for None."""
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
    """Return true or false for a text as the server reads it, else ValueError; keep other types."""
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
    """A request with its body parsed (None without a body, or when it is a ``form``)."""

    fake: State
    method: str
    path: str
    query: Query
    headers: Mapping[str, str]
    body: Any = None
    form: Form | None = None
    user: dict[str, Any] = field(factory=dict)

    def data(self) -> dict[str, Any]:
        """Return the JSON object in the body; empty without a body."""
        if self.body is None:
            return {}
        if not isinstance(self.body, dict):
            kind = type(self.body).__name__
            raise invalid(f"Invalid data. Expected a dictionary, but got {kind}.")
        return self.body

    def page_url(self, page: int) -> str:
        """Return the URL of another page of this list."""
        host = self.headers.get("host")
        base = f"http://{host}" if host else self.fake.url
        names = parse_qs(self.query.text, keep_blank_values=True)
        names.pop("page", None)
        if page > 1:
            names["page"] = [str(page)]
        query = urlencode(sorted(names.items()), doseq=True)
        return base + self.path + (f"?{query}" if query else "")

    def names(self, parameter: str) -> set[str] | None:
        """Return the names of a comma separated list in the query; None without it."""
        if parameter not in self.query:
            return None
        return {name for text in self.query.all(parameter) for name in text.split(",")}

    def flex(self, item: dict[str, Any], nested: tuple[str, ...] = ()) -> dict[str, Any]:
        """Apply ``include`` and ``omit`` to an answer, and to the objects in ``nested`` fields.

        What is in ``expand`` is trimmed by names such as ``annotations.id`` alone.
        """
        include, omit = self.names("include") or set(), self.names("omit") or set()
        if not include and not omit:
            return item
        expanded = self.names("expand") or set()
        keep = {name.partition(".")[0] for name in include}
        drop = {name for name in omit if "." not in name}

        def trim(row: dict[str, Any], keep: set[str], drop: set[str]) -> dict[str, Any]:
            return {k: v for k, v in row.items() if k not in drop and (not keep or k in keep)}

        trimmed = trim(item, keep, drop)
        for name in trimmed.keys() & set(nested):
            names = keep, drop
            if name in expanded:
                inside = [
                    {key[len(name) + 1 :] for key in some if key.startswith(f"{name}.")}
                    for some in (include, omit)
                ]
                names = inside[0], inside[1]
            trimmed[name] = [trim(row, *names) for row in trimmed[name]]
        return trimmed


def paginate(request: Request, total: int, size: int, maximum: int | None) -> tuple[int, int, int]:
    """Return page, offset and size of the page asked for; 404 "Invalid page." outside of the list.

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
