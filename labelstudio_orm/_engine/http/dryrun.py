"""A dry run: the writes of a client are recorded instead of sent."""

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
"""The pretended answer to most writes: the body, and for a creation an id."""


@attrs.frozen
class Write:
    """A request that a dry run did not send.

    ``body`` is its JSON without secrets, or the names of its files; ``doing`` describes its
    purpose. ``selected``: the number of objects that it is about, where filters in it select them.
    """

    method: str
    path: str
    query: Mapping[str, Any]
    body: Any = attrs.field(repr=lambda body: f"{body!r:.200}")
    doing: str
    selected: int | None = None

    @property
    def what(self) -> str:
        """Return the resource and its part: "Task", "Project import", "Action delete_tasks"."""
        return " ".join([_noun(self.path), *([self.query["id"]] if "id" in self.query else ())])

    @property
    def items(self) -> int | None:
        """Return the number of items that the body holds or selects; None for other bodies."""
        if isinstance(self.body, list):
            return len(self.body)
        selected = self.body.get("selectedItems") if isinstance(self.body, dict) else None
        return len(selected["included"]) if selected and not selected["all"] else self.selected


class DryRun:
    """The plan of ``ls.dry_run()``: ``writes``, oldest first, and a ``summary()`` of them."""

    def __init__(self) -> None:
        self.writes: list[Write] = []
        self._numbers = itertools.count(-1, -1)
        self._rows: dict[int, dict[str, Any]] = {}

    def __repr__(self) -> str:
        return f"<DryRun: {len(self.writes)} writes>"

    def summary(self) -> str:
        """Return a short table of the number of writes by method and resource. Costs no request."""
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
        """Return a row as if it had been created: with an id that no server gives, -1, -2 ..."""
        made = {**row, "id": next(self._numbers)}
        self._rows[made["id"]] = made
        return dict(made)

    def write(self, method: str, path: str, dry: Any, options: Mapping[str, Any]) -> Any:
        """Record a write and return its pretended answer. Raises for what JSON cannot hold."""
        doing = options.get("doing", "")
        body = options.get("json")
        if body is not None:
            body = hidden_in(decode(encode(body, doing)))
        shown = body if body is not None else _form(options)
        query = _query(options.get("params"))
        selected = dry.get("processed_items") if isinstance(dry, dict) else None
        self.writes.append(Write(method, path, query, masked(shown), doing, selected))
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
        """Return whether a read concerns something that only this run has created."""
        body = options.get("json")
        named = [*path.split("/"), *_query(options.get("params")).values()]
        named += body.values() if isinstance(body, dict) else ()
        return any(_number(value) in self._rows for value in named)

    def read(self, path: str, expect: Any) -> Any:
        """Return the answer to such a read: the created row, or an empty result."""
        made = self._made(path)
        if made is None and (expect is list or isinstance(expect, list)):
            return []
        keys = tuple(expect) if isinstance(expect, (tuple, Mapping)) else ()
        row = copy_json(self._rows[made]) if made is not None else {}
        return {**{key: copy_json(_NOTHING.get(key)) for key in keys}, **row} or None

    def _made(self, path: str) -> int | None:
        """Return the placeholder id at the end of an address; None if there is none."""
        number = _number(path.rstrip("/").rpartition("/")[2])
        return number if number in self._rows else None


_NOTHING: dict[str, Any] = {
    **{key: [] for key in ("tasks", "results", "annotations", "predictions", "task_ids")},
    **dict.fromkeys(("count", "total", "total_annotations", "total_predictions"), 0),
}
"""The content of empty listings, by the keys of their answers."""


def _number(value: Any) -> int:
    """Return the negative number that a part of an address or a parameter may be; else 0."""
    return int(value) if re.fullmatch(r"-\d+", str(value)) else 0


def _query(params: Any) -> dict[str, Any]:
    if isinstance(params, str):
        return dict(parse_qsl(params))
    return query_of(params or {}, "a request of this dry run")


def _form(options: Mapping[str, Any]) -> Any:
    """Return the fields and file names of a body that is not JSON."""
    files = {key: file[0] for key, file in (options.get("files") or {}).items()}
    return {**(options.get("data") or {}), **files} or None


def _noun(path: str) -> str:
    """Return the name of the resource that an address is about, and the rest of the address.

    Of several resources it is the one with the longest address that this one begins with.
    """
    parts = path.strip("/").split("/")
    known, name = 0, ""
    for model in registry.values():
        header = header_of(model)
        for template in (header.item, header.collection):
            steps = template.strip("/").split("/")
            is_match = template and len(steps) <= len(parts) and all(map(_matches, steps, parts))
            if is_match and len(steps) > known:
                known, name = len(steps), header.name
    rest = "/".join("{id}" if _matches("{id}", part) else part for part in parts[known:])
    return " ".join(filter(None, [name, rest if known else f"/{rest}"]))


def _matches(step: str, part: str) -> bool:
    return part.lstrip("-").isdigit() if step.startswith("{") else step == part


class Switch:
    """The dry-run state of a client and of all its ``using()`` copies."""

    def __init__(self) -> None:
        self.run: DryRun | None = None
        self._lock = Lock()

    @contextmanager
    def on(self) -> Iterator[DryRun]:
        """Record writes until the end of the block. Raises RuntimeError within another dry run."""
        run = DryRun()
        with self._lock:
            if self.run is not None:
                raise RuntimeError("dry_run() within a dry run, which records these writes already")
            self.run = run
        try:
            yield run
        finally:
            self.run = None
