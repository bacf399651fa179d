"""Secrets: credentials, and the fields declared as ``secret()``.

They are kept sealed, and opened where they are sent; nothing that shows values shows them,
including the frames of an error.
"""

from __future__ import annotations

import functools
import json
from collections.abc import (
    Callable,
    Container,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    Sized,
)
from typing import Any, Final, NoReturn, ParamSpec, TypeVar
from urllib.parse import quote, unquote

import requests

from .codec import with_leaves

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound="MutableMapping[str, Any]")

HIDDEN: Final = "***"
"""The text shown in place of a secret."""

NAMES: Final[set[str]] = {"api_key", "access", "headers", "refresh"}
"""The names of secrets: the secret fields of all declarations, and their keys in requests."""

_SHORTEST = 4
"""The shortest secret to look for in the texts of others; shorter ones occur everywhere."""

_START = 8
"""The characters by which the beginning of a truncated secret is recognized."""


class Secret:
    """A value that no repr, text, ``vars()`` or pickle shows.

    It is equal to the value in it.

    >>> from labelstudio_orm._engine.values.secret import Secret
    >>> Secret("abc"), f"{Secret('abc')}", Secret("abc") == "abc"
    (***, '***', True)
    """

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = reveal(value)

    def reveal(self) -> Any:
        """Return the value."""
        return self._value

    def __repr__(self) -> str:
        return HIDDEN

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return bool(self._value == reveal(other))

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _: Any) -> Secret:
        return self

    def __getstate__(self) -> NoReturn:
        self.__reduce__()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled, so that it does not leak into a file")


def reveal(value: Any) -> Any:
    """Return the value in a Secret, and anything else as it is."""
    return value.reveal() if isinstance(value, Secret) else value


def seal(value: Any) -> Any:
    """Return a value as a Secret; None stays None, which means that there is none."""
    return value if value is None or isinstance(value, Secret) else Secret(value)


def hide(named: M, known: Container[str] | None = None) -> M:
    """Seal, in place, the values whose names are those of secrets; return the same mapping.

    For the arguments of a verb, which a frame of an error shows. ``known``: the names that a
    resource with secrets has; another name may be the misspelt name of a secret.
    """
    for name in named:
        first, _, rest = name.partition("__") if isinstance(name, str) else ("", "", "")
        is_secret = rest and first not in _DATA and rest.partition("__")[0] in NAMES
        if first in NAMES or is_secret or (known is not None and first not in known):
            named[name] = seal(named[name])
    return named


_DATA = ("data", "meta")
"""The fields whose keys users choose."""


def hide_inside(named: M, known: Container[str] | None = None) -> M:
    """Seal like ``hide``, also within the mapping ``defaults`` that some verbs take."""
    if isinstance(named.get("defaults"), Mapping):
        named["defaults"] = hide(dict(named["defaults"]), known)
    return hide(named, known)


def hidden_items(items: Iterable[Any], known: Container[str] | None = None) -> Iterable[Any]:
    """Return dicts of fields with their secrets sealed; other items as they are."""

    def hidden(item: Any) -> Any:
        return hide(dict(item), known) if isinstance(item, Mapping) else item

    return list(map(hidden, items)) if isinstance(items, Sized) else map(hidden, items)


def hidden_in(body: Any) -> Any:
    """Return a body of JSON with its secrets sealed, by the names of its keys."""
    return hide(dict(body)) if isinstance(body, dict) and not NAMES.isdisjoint(body) else body


def masked(body: Any) -> Any:
    """Return JSON that may be shown: ``***`` in the place of secrets."""
    return with_leaves(body, _mask)


def _mask(value: Any) -> Any:
    if not isinstance(value, Secret):
        return value
    return HIDDEN if value else value.reveal()


def secrets_in(body: Any) -> Iterator[Secret]:
    """Yield the secrets in the body of a request, as deep as such bodies have them."""
    for value in body.values() if isinstance(body, dict) else ():
        if isinstance(value, Secret):
            yield value


# -- texts of others ------------------------------------------------------------------------------


def redact(text: str, secrets: Iterable[Any]) -> str:
    """Return the text of a server or a proxy without the secrets in it.

    Secrets are also found where they are quoted with escapes, or only their beginning is.

    >>> from labelstudio_orm._engine.values.secret import redact
    >>> redact("0123456789abcdef is wrong, 0123456789... too", ["0123456789abcdef"])
    '*** is wrong, ***... too'
    """
    forms = {form for secret in secrets for one in texts_in(reveal(secret)) for form in _forms(one)}
    longest_first = sorted(forms, key=len, reverse=True)
    for form in longest_first:
        text = text.replace(form, HIDDEN)
    for form in longest_first:
        text = _without_beginnings(text, form)
    return text


def _without_beginnings(text: str, form: str) -> str:
    if len(form) <= _START:
        return text
    start = form[:_START]
    place = text.find(start)
    while place >= 0:
        length = len(start)
        longest = min(len(form), len(text) - place)
        while length < longest and form[length] == text[place + length]:
            length += 1
        text = text[:place] + HIDDEN + text[place + length :]
        place = text.find(start, place + len(HIDDEN))
    return text


def _forms(text: str) -> Iterator[str]:
    """Yield a text in the forms in which it may be quoted: as it is, in JSON, in a URL."""
    yield from (text, json.dumps(text)[1:-1], repr(text)[1:-1], quote(text, safe=""))


def texts_in(value: Any) -> Iterator[str]:
    """Yield the texts that a secret consists of.

    These are the values of headers, those in a key that is JSON, the URL of a proxy, and the word
    after ``Bearer``.
    """
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, dict):
        for inner in value.values():
            yield from texts_in(reveal(inner))
    elif isinstance(value, (list, tuple, set)):
        for inner in value:
            yield from texts_in(reveal(inner))
    elif isinstance(value, str) and len(value) >= _SHORTEST:
        yield value
        for word in value.split():
            if len(word) >= _START and word != value:
                yield word
        yield from _texts_in_json(value)


def _texts_in_json(text: str) -> Iterator[str]:
    if text.lstrip()[:1] != "{":
        return
    try:
        yield from texts_in(json.loads(text))
    except (ValueError, RecursionError):
        return


def passwords_in(addresses: Iterable[Any]) -> Iterator[str]:
    """Yield the passwords in the URLs of proxies, also in malformed ones."""
    for address in addresses:
        login, at, _ = str(address).rpartition("@")
        password = login.rpartition("//")[2].partition(":")[2]
        if at and password:
            yield from (password, unquote(password))


# -- the frames of errors -------------------------------------------------------------------------

E = TypeVar("E", bound=BaseException)


def bare(error: E) -> E:
    """Return an error, and its causes, without frames and without the requests that they hold.

    Error trackers show what is in them.
    """
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        one = pending.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            one.__traceback__ = None
            if isinstance(one, requests.RequestException):
                one.request = one.response = None
            pending += [one.__cause__, one.__context__]
    return error


def unseen(make: Callable[P, T]) -> Callable[P, T]:
    """Keep the arguments of a function out of the frames of its errors."""

    @functools.wraps(make)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return make(*args, **kwargs)
        except Exception as error:
            del args, kwargs
            raise bare(error) from error.__cause__

    return run
