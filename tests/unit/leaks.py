"""Where a secret may show: in what an error says, and in what is at hand where it was raised."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import requests

from labelstudio_orm._engine.fields.fields import Field
from labelstudio_orm._engine.values.secret import Secret

SEEN = (Secret, Field, type, requests.Session)
"""What is not looked into: what is sealed, what is declared, and the pools of connections."""


def in_error(error: BaseException, secret: str, skip: str) -> list[str]:
    """The places where an error, or what led to it, shows a secret: its texts and attributes, and
    the local variables of its frames, but for those of the module ``skip``, which are the user's.
    """
    found = []
    for one in _chain(error):
        name = type(one).__name__
        notes = getattr(one, "__notes__", ())
        shown_as = {
            "str": str(one),
            "repr": repr(one),
            "args": repr(one.args),
            "notes": repr(notes),
        }
        for what, shown in shown_as.items():
            found += [f"{name} {what}"] if secret in shown else []
        found += [f"{name}.{way}" for way in _in_request(one, secret)]
        found += [f"{name}.{key}" for key in _in_value(vars(one), secret)]
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if frame.f_globals.get("__name__") == skip:
                continue
            where = f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}"
            found += [f"{where}: {path}" for path in _in_value(dict(frame.f_locals), secret)]
    return found


def in_trace(error: BaseException, secret: str, skip: str) -> list[str]:
    """The lines in which a traceback with the local variables shows a secret, but for those of the
    user's frames.
    """
    found = []
    pending: list[traceback.TracebackException | None] = [
        traceback.TracebackException.from_exception(error, capture_locals=True)
    ]
    while pending:
        one = pending.pop()
        if one is None:
            continue
        pending += [one.__cause__, one.__context__]
        found += [
            f"{frame.filename}:{frame.lineno}"
            for frame in one.stack
            if frame.filename != skip and secret in repr(frame.locals)
        ]
    return found


def _in_request(error: BaseException, secret: str) -> list[str]:
    """What an error of requests holds: the request, and that of an answer."""
    held = {"request": getattr(error, "request", None)}
    answer = getattr(error, "response", None)
    held |= {"response": answer, "response.request": getattr(answer, "request", None)}
    return [
        name for name, one in held.items() if hasattr(one, "headers") and secret in repr(vars(one))
    ]


def in_object(value: Any, secret: str) -> list[str]:
    """The ways in which an object shows a secret without being asked for it."""
    ways: dict[str, Callable[[], str]] = {
        "repr": lambda: repr(value),
        "str": lambda: str(value),
        "vars": lambda: repr(vars(value)),
        "state": lambda: repr(value.__getstate__()),
        "pickle": lambda: pickle.dumps(value).decode("latin-1"),
        "json": lambda: json.dumps(vars(value), default=str),
        "changes": lambda: repr(value.changes),
        "raw": lambda: repr((value.raw, value.extra)),
        "copy": lambda: repr(vars(copy.copy(value))),
        "deep copy": lambda: repr(vars(copy.deepcopy(value))),
        "json of vars": lambda: json.dumps(value, default=vars),
        "explain": lambda: value.explain(),
    }
    found = []
    for name, way in ways.items():
        try:
            shown = way()
        except Exception as error:  # no such way, or it is refused
            shown = str(error)
        found += [name] if secret in shown else []
    return found


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it, also what is not shown of that."""
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        one = pending.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            pending += [one.__cause__, one.__context__]


def _in_value(value: Any, secret: str, path: str = "", depth: int = 3) -> Iterator[str]:
    """The ways into a value, through containers and objects of this library, to a repr that shows
    a secret.
    """
    if isinstance(value, Mapping):
        for key, inner in list(value.items()):
            if secret in str(key):
                yield f"{path}.<key>"
            yield from _in_value(inner, secret, f"{path}.{key}", depth)
        return
    try:
        shown = repr(value)
    except Exception as error:
        shown = str(error)
    if secret in shown:
        yield path
    elif (
        depth
        and not isinstance(value, SEEN)
        and type(value).__module__.startswith("labelstudio_orm")
    ):
        yield from _in_value(_parts(value), secret, path, depth - 1)


def _is_ours(value: Any) -> bool:
    ours = type(value).__module__.startswith("labelstudio_orm")
    return ours and not isinstance(value, SEEN)


def _parts(value: Any) -> dict[str, Any]:
    slots = [name for kind in type(value).__mro__ for name in vars(kind).get("__slots__", ())]
    return {**getattr(value, "__dict__", {}), **{name: getattr(value, name, 0) for name in slots}}
