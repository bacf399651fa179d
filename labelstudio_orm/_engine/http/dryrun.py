"""A dry run: what a client would write is noted down instead of sent."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final
from urllib.parse import parse_qsl

import attrs

from ..values.codec import copy_json
from ..values.declared import header_of
from ..values.registry import registry
from ..values.secret import hidden_in, masked
from .payload import decode, encode
from .required import query_of

READS = frozenset({"GET", "HEAD", "OPTIONS"})

ECHO: Final = object()
"""The answer that most writes have: the body, and for a creation an id."""


@attrs.frozen
class Write:
    """A request that a dry run did not send; ``body`` is its JSON without secrets, of files their
    names; ``doing`` says what it was about.
    """

    method: str
    path: str
    query: Mapping[str, Any]
    body: Any = attrs.field(repr=lambda body: f"{body!r:.200}")
    doing: str

    @property
    def what(self) -> str:
        """The resource, and what of it: "Task", "Project import", "Action delete_tasks"."""
        return " ".join([_noun(self.path), *([self.query["id"]] if "id" in self.query else ())])

    @property
    def items(self) -> int | None:
        """How many items the body holds or selects; None where it is no list."""
        if isinstance(self.body, list):
            return len(self.body)
        selected = self.body.get("selectedItems") if isinstance(self.body, dict) else None
        return len(selected["included"]) if selected and not selected["all"] else None


class DryRun:
    """What ``ls.dry_run()`` gives: ``writes``, oldest first, and a ``summary()`` of them."""

    def __init__(self) -> None:
        self.writes: list[Write] = []
        self._numbers = itertools.count(-1, -1)
        self._rows: dict[int, dict[str, Any]] = {}

    def __repr__(self) -> str:
        return f"<DryRun: {len(self.writes)} writes>"

    def summary(self) -> str:
        """A short table: how many writes of each kind, by verb and resource. Costs no request."""
        writes: Counter[tuple[str, str]] = Counter()
        items: Counter[tuple[str, str]] = Counter()
        for write in self.writes:
            kind = write.method, write.what
            writes[kind] += 1
            items[kind] += write.items or 0
        width = max((len(what) for _, what in writes), default=0)
        lines = [f"{len(self.writes)} writes, none of them sent"]
        for (method, what), number in writes.items():
            held = items[method, what]
            lines.append(
                f"{method:<7} {what:<{width}} {number:>7,}" + f"  ({held:,} items)" * bool(held)
            )
        return "\n".join(lines)

    # -- in the place of the server ---------------------------------------------------------------

    def pretend(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row as if it had been created: with an id that no server gives, -1, -2 ..."""
        made = {**row, "id": next(self._numbers)}
        self._rows[made["id"]] = made
        return dict(made)

    def write(self, method: str, path: str, dry: Any, options: Mapping[str, Any]) -> Any:
        """Note a write down; its pretended answer. Raises for a body that JSON cannot hold."""
        doing = options.get("doing", "")
        body = options.get("json")
        if body is not None:
            body = hidden_in(decode(encode(body, doing)))
        shown = body if body is not None else _form(options)
        query = _query(options.get("params"))
        self.writes.append(Write(method, path, query, masked(shown), doing))
        if callable(dry):
            return dry()
        return copy_json(dry) if dry is not ECHO else self._echo(method, path, body)

    def _echo(self, method: str, path: str, body: Any) -> Any:
        if method == "DELETE":
            self._rows.pop(self._made(path) or 0, None)
            return None
        row = body if isinstance(body, dict) else {}
        if method == "POST":
            return self.pretend(row)
        if (made := self._made(path)) is not None:
            self._rows[made].update(row)
        return copy_json(row)

    def knows(self, path: str, options: Mapping[str, Any]) -> bool:
        """Is a read about something that only this run has made, so that no server knows it?"""
        body = options.get("json")
        named = [*path.split("/"), *_query(options.get("params")).values()]
        named += body.values() if isinstance(body, dict) else ()
        return any(_number(value) in self._rows for value in named)

    def read(self, path: str, expect: Any) -> Any:
        """The answer to such a read: what was made, or that nothing is there."""
        made = self._made(path)
        if made is None and (expect is list or isinstance(expect, list)):
            return []
        keys = tuple(expect) if isinstance(expect, (tuple, Mapping)) else ()
        row = copy_json(self._rows[made]) if made is not None else {}
        return {**{key: copy_json(_NOTHING.get(key)) for key in keys}, **row} or None

    def _made(self, path: str) -> int | None:
        """The placeholder at the end of an address."""
        number = _number(path.rstrip("/").rpartition("/")[2])
        return number if number in self._rows else None


_NOTHING: dict[str, Any] = {
    **{key: [] for key in ("tasks", "results", "annotations", "predictions", "task_ids")},
    **dict.fromkeys(("count", "total", "total_annotations", "total_predictions"), 0),
}
"""What listings say when there is nothing, by the keys of their answers."""


def _number(value: Any) -> int:
    """The negative number that a part of an address or a parameter may be; else 0."""
    return int(value) if re.fullmatch(r"-\d+", str(value)) else 0


def _query(params: Any) -> dict[str, Any]:
    if isinstance(params, str):
        return dict(parse_qsl(params))
    return query_of(params or {}, "a request of this dry run")


def _form(options: Mapping[str, Any]) -> Any:
    """A body that is no JSON: its fields, and the names of its files."""
    files = {key: file[0] for key, file in (options.get("files") or {}).items()}
    return {**(options.get("data") or {}), **files} or None


def _noun(path: str) -> str:
    """What an address is about: the resource with the longest address that it begins with, and the
    rest of it.
    """
    parts = path.strip("/").split("/")
    known, name = 0, ""
    for model in registry.values():
        header = header_of(model)
        for template in (header.item, header.collection):
            steps = template.strip("/").split("/")
            fits = template and len(steps) <= len(parts) and all(map(_fits, steps, parts))
            if fits and len(steps) > known:
                known, name = len(steps), header.name
    rest = "/".join("{id}" if _fits("{id}", part) else part for part in parts[known:])
    return " ".join(filter(None, [name, rest if known else f"/{rest}"]))


def _fits(step: str, part: str) -> bool:
    return part.lstrip("-").isdigit() if step.startswith("{") else step == part


class Switch:
    """Whether a client, and all that was made of it with ``using``, is in a dry run."""

    def __init__(self) -> None:
        self.run: DryRun | None = None
        self._lock = Lock()

    @contextmanager
    def on(self) -> Iterator[DryRun]:
        """In a dry run until the end of the block. Raises RuntimeError within another one."""
        run = DryRun()
        with self._lock:
            if self.run is not None:
                raise RuntimeError("dry_run() within a dry run: its writes are noted there already")
            self.run = run
        try:
            yield run
        finally:
            self.run = None
