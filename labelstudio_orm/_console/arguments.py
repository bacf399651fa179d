"""Arguments of commands: servers, projects, conditions."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from .._engine.conditions.places import assigned
from .._engine.conditions.q import Q
from .._engine.values.secret import redact
from ..client import LabelStudio
from ..errors import DoesNotExist, MultipleObjectsReturned

if TYPE_CHECKING:
    from .._engine.http.dryrun import DryRun
    from .._engine.models.queryset import QuerySet
    from ..resources.projects import Project

Q_ = TypeVar("Q_", bound="QuerySet[Any]")

Argument = tuple[tuple[str, ...], dict[str, Any]]
"""Flags and options, as ``ArgumentParser.add_argument`` takes them."""


def argument(*flags: str, **options: Any) -> Argument:
    """Return one argument of a command; one without dashes is shown in capitals."""
    shown = {} if flags[0].startswith("-") else {"metavar": flags[0].upper()}
    return flags, {**shown, **options}


def switch(*flags: str, help: str) -> Argument:
    """Return an argument that is off by default."""
    return flags, {"action": "store_true", "help": help}


def repeated(*flags: str, help: str, **options: Any) -> Argument:
    """Return an argument that may be given several times; without it the list is empty."""
    return flags, {
        "action": "append",
        "default": [],
        "help": f"{help}; may be repeated",
        **options,
    }


class UsageError(Exception):
    """An error of the user, in the arguments or the environment; its message says what to do."""


_TOKEN: Final = re.compile(r"[0-9a-fA-F]{32,}|eyJ[\w.-]{16,}")


class Parser(argparse.ArgumentParser):
    """A parser whose errors, which end in the logs of others, quote no key.

    Hidden are the values of unknown flags and of flags for keys, and what looks like a token.
    """

    argv: Sequence[str] = ()

    def error(self, message: str) -> NoReturn:
        super().error(redact(message, self._hidden()))

    def _hidden(self) -> Iterator[str]:
        known = self._option_string_actions
        for arg, behind in zip_longest(self.argv, self.argv[1:], fillvalue=""):
            flag, equals, value = arg.partition("=")
            if flag.startswith("-") and (equals or flag not in known or "key" in flag):
                yield value if equals else behind
            yield from _TOKEN.findall(arg)


def positive(text: str) -> int:
    """Read a positive integer."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def port(text: str) -> int:
    """Read the number of a port."""
    number = positive(text)
    if number > 65535:
        raise argparse.ArgumentTypeError(f"must be at most 65535, not {number}")
    return number


# -- servers --------------------------------------------------------------------------------------

SERVER = (
    argument("--url", help="the server; default: LABEL_STUDIO_URL"),
    argument(
        "--api-key",
        metavar="KEY",
        help="default: LABEL_STUDIO_API_KEY, which other users of the machine cannot see",
    ),
    switch("--json", help="print the result as JSON"),
    argument("--workers", type=positive, default=1, help="requests at once; default: 1"),
    argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        help="show progress on stderr; default: where stderr is a terminal",
    ),
)
"""The server of a command, and how it is used."""

SECOND_SERVER = (
    argument("--to-url", help="the other server; default: LABEL_STUDIO_TO_URL, else the same one"),
    argument("--to-api-key", metavar="KEY", help="default: LABEL_STUDIO_TO_API_KEY"),
)
"""The target of commands between two servers."""

WRITES = switch("--dry-run", help="print what would be written, write nothing")
"""For commands that write."""


class Call:
    """One run of a command: its options, and the servers that they name.

    Clients are made when they are needed, and closed at the end. With ``--dry-run`` none of them
    writes; ``plans`` then has what they would write, each with the address of its server.

    >>> import argparse
    >>> options = argparse.Namespace(url="http://localhost:8080", api_key="...")
    >>> with Call(options) as call:
    ...     print(call.server.projects.count())
    1
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.plans: list[tuple[str, DryRun]] = []
        self._stack = ExitStack()
        self._clients: dict[str, LabelStudio] = {}

    def __enter__(self) -> Call:
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    @property
    def server(self) -> LabelStudio:
        """The server. Raises UsageError without one, or without a credential."""
        return self._client("")

    @property
    def other(self) -> LabelStudio:
        """The second server if one was named, else the same one.

        Raises UsageError if only its credential was given.
        """
        if self._given("to_url"):
            return self._client("to_")
        if self._given("to_api_key"):
            raise UsageError(
                "LABEL_STUDIO_TO_API_KEY or --to-api-key is given, but no server for it: set "
                "LABEL_STUDIO_TO_URL, or give --to-url; for the same server leave both out"
            )
        return self.server

    @property
    def project(self) -> Project:
        """The project that was named."""
        return find_project(self.server, self.options.project)

    @property
    def progress(self) -> bool:
        """Whether to show progress."""
        asked: bool | None = getattr(self.options, "progress", None)
        return sys.stderr.isatty() if asked is None else asked

    @property
    def as_json(self) -> bool:
        """Whether to print JSON."""
        return bool(getattr(self.options, "json", False))

    def _given(self, name: str) -> str | None:
        """Return an option, or its environment variable."""
        given: str | None = getattr(self.options, name, None)
        return given or os.environ.get(f"LABEL_STUDIO_{name.upper()}")

    def _client(self, prefix: str) -> LabelStudio:
        if prefix not in self._clients:
            found = [self._needed(f"{prefix}{name}") for name in ("url", "api_key")]
            workers = getattr(self.options, "workers", 1)
            try:
                client = LabelStudio(*found, workers=workers)
            except ValueError as error:
                flags = [f"--{prefix}{name}".replace("_", "-") for name in ("url", "api_key")]
                raise UsageError(f"{' or '.join(flags)}: {error}") from error
            self._stack.enter_context(client)
            if getattr(self.options, "dry_run", False):
                plan = self._stack.enter_context(client.dry_run())
                self.plans.append((client.url, plan))
            self._clients[prefix] = client
        return self._clients[prefix]

    def _needed(self, name: str) -> str:
        given = self._given(name)
        if not given:
            flag = name.replace("_", "-")
            raise UsageError(f"set LABEL_STUDIO_{name.upper()}, or give --{flag}")
        return given


# -- projects -------------------------------------------------------------------------------------

PROJECT = argument("project", help="a project's id, or its title")
"""The project that a command is about."""


def find_project(ls: LabelStudio, text: str) -> Project:
    """Return the project of this id or title. Raises UsageError for none, or several."""
    try:
        return ls.projects.get(int(text)) if text.isdecimal() else ls.projects.get(title=text)
    except (DoesNotExist, MultipleObjectsReturned) as error:
        raise UsageError(f"there is no single project {text!r:.80} on {ls.url}: {error}") from error


# -- conditions -----------------------------------------------------------------------------------

CONDITIONS = (
    repeated(
        "--filter",
        metavar="LOOKUP=VALUE",
        help="only those that match, each of them: total_annotations=0, data__lang__in='[\"de\"]'",
    ),
    repeated("--exclude", metavar="LOOKUP=VALUE", help="leave out those that match"),
)
"""Lookups as ``filter()`` takes them; a value is JSON where it is valid JSON, else a text."""


def narrowed(queryset: Q_, options: argparse.Namespace) -> Q_:
    """Narrow a queryset by the conditions of the arguments. Raises UsageError and FieldError."""
    for text in options.filter:
        queryset = queryset.filter(condition(text))
    for text in options.exclude:
        queryset = queryset.exclude(condition(text))
    return queryset


def condition(text: str) -> Q:
    """Read a condition: ``total_annotations=0``.

    Values are JSON where they are valid JSON, else texts; keys with other characters are written as
    in Python.

    >>> condition("data__lang=de"), condition("id__in=[1, 2]")
    (Q(data__lang='de'), Q(id__in=[1, 2]))
    >>> condition('data["a=b"]=5')
    Q(data["a=b"]=5)
    """
    found = assigned(text)
    if found is None:
        raise UsageError(f"a condition is LOOKUP=VALUE, like total_annotations=0, not {text!r:.80}")
    key, value = found
    return Q(**{key: json_or_text(value)})


def json_or_text(text: str) -> Any:
    """Read a value: JSON where it is valid JSON, else a text."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return text


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
